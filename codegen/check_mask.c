/* Masks of a port's fields: that each fits its field, and hides it on every way to it. */
#include "codegen/check.h"

#include <string.h>

static const char *word_of(enum mesh_protect rule)
{
    static const char *const words[MESH_PROTECT_COUNT] = {
        [MESH_REDACT] = "redact",  [MESH_FIRST4] = "partial_first4", [MESH_LAST4] = "partial_last4",
        [MESH_PSEUDONYM] = "hash", [MESH_NULLIFY] = "nullify",       [MESH_DROP] = "drop",
        [MESH_YEAR] = "date_year",
    };
    return words[rule];
}

/* What the field must be; NULL: it is. */
static const char *misfit(enum mesh_protect rule, const struct mesh_gen_type *type)
{
    switch (rule) {
    case MESH_REDACT:
    case MESH_FIRST4:
    case MESH_LAST4:
    case MESH_PSEUDONYM:
        return type->kind == MESH_GEN_STRING ? NULL : "a text";
    case MESH_NULLIFY:
        return type->nullable ? NULL : "a field that may be null";
    case MESH_YEAR:
        return type->kind == MESH_GEN_TIMESTAMP || type->kind == MESH_GEN_DATE ? NULL : "a time or a date";
    case MESH_AS_IS:
    case MESH_ON_CONSENT:
    case MESH_DROP:
    case MESH_PROTECT_COUNT:
        break;
    }
    return NULL;
}

static void check_fits(struct mesh_checker *c, const struct mesh_model_mask *mask, const struct mesh_gen_member *member)
{
    const char *needs = misfit(mask->rule, &member->type);
    if (needs == NULL || member->type.kind == MESH_GEN_ERROR)
        return;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG056", mask->at, "'%s' does not mask '%s', which is %s",
                                           word_of(mask->rule), mask->member, mesh_type_a(c, &member->type));
    mesh_diag_why(c->diags, diag, "readers are promised one type of a field, masked or not, so this needs %s", needs);
    mesh_diag_fix(c->diags, diag,
                  member->type.kind == MESH_GEN_STRING ? "write 'mask: redact'" : "write 'mask: drop': it is not there then");
}

/* Whether the port shows the field to anybody; what is hidden from all needs no mask, and a key is asked for by its value. */
static bool check_shown(struct mesh_checker *c, const struct mesh_model_port *port, const struct mesh_model_mask *mask,
                        size_t index)
{
    struct mesh_diag *diag = NULL;
    bool key = port->view != NULL && index < port->view->by.n;
    if (key)
        diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG056", mask->at, "'%s' is part of the key, which cannot be masked", mask->member);
    else if (port->protect.v[index] != MESH_AS_IS && (port->protect.v[index] != MESH_ON_CONSENT || mask->unless.n == 0))
        diag = mesh_diag_add(c->diags, MESH_ERROR, "MG056", mask->at, "'%s' is protected here already", mask->member);
    if (diag == NULL)
        return true;
    if (key) {
        mesh_diag_why(c->diags, diag,
                      "rows are asked for by their key: who may ask for one value after the other finds what it was");
        mesh_diag_fix(c->diags, diag,
                      "label it in its contract, so that it leaves as a pseudonym, or make a port for some roles only");
    } else {
        mesh_diag_why(c->diags, diag, "it is %s for everybody, so there is nothing that a role could see",
                      port->protect.v[index] == MESH_DROP         ? "left out"
                      : port->protect.v[index] == MESH_ON_CONSENT ? "masked, beside consent,"
                                                                  : "a pseudonym");
        mesh_diag_fix(c->diags, diag, "remove the mask, or release the field: release: { fields: [%s], purpose: ..., basis: ... }",
                      mask->member);
    }
    return false;
}

static void check_roles(struct mesh_checker *c, const struct mesh_model_port *port, const struct mesh_model_mask *mask)
{
    if (port->kind == MESH_MODEL_SSE && mask->unless.n > 0) {
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG056", mask->at, "a port of kind sse shows '%s' to all or to none", mask->member);
        mesh_diag_why(c->diags, diag, "an event is written once, for all of its readers");
        mesh_diag_fix(c->diags, diag, "remove 'unless', or make a second port with 'roles' and without the mask");
    }
    for (size_t i = 0; i < mask->unless.n; i++) {
        bool may_ask = port->roles.n == 0;
        for (size_t k = 0; k < port->roles.n; k++)
            may_ask = may_ask || strcmp(port->roles.v[k], mask->unless.v[i]) == 0;
        if (may_ask)
            continue;
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG056", mask->at, "'%s' would see '%s', but may not ask '%s' at all",
                          mask->unless.v[i], mask->member, port->name);
        mesh_diag_why(c->diags, diag, "'roles' says who may ask the port");
        mesh_diag_fix(c->diags, diag, "add '%s' to 'roles', or take it out of 'unless'", mask->unless.v[i]);
    }
}

static void check_hash(struct mesh_checker *c, const struct mesh_model_port *port, const struct mesh_model_mask *mask)
{
    if (mask->rule != MESH_PSEUDONYM || c->model->pseudonym_key_env != NULL)
        return;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG054", mask->at, "the mesh has no key for pseudonyms");
    mesh_diag_why(c->diags, diag, "'%s' is shown through '%s' as a hash, which is made with a secret key", mask->member,
                  port->name);
    mesh_diag_fix(c->diags, diag, "add to mesh.yaml: pseudonym: { keyRef: env:MESH_PSEUDONYM_KEY }");
}

static void check_lookup(struct mesh_checker *c, const struct mesh_model_port *port)
{
    bool protected = false;
    for (size_t i = 0; port->view != NULL && i < port->view->by.n && i < port->protect.n; i++)
    protected = protected || port->protect.v[i] != MESH_AS_IS;
    if (port->lookup.n == 0 || protected)
        return;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG056", mesh_check_key_at(port->yaml, "lookup", port->at),
                                           "the key of '%s' is not protected, so 'lookup' keeps nobody out", port->name);
    mesh_diag_why(c->diags, diag, "rows are found by a path, and 'lookup' is for keys that must not stand in one");
    mesh_diag_fix(c->diags, diag, "write 'roles' to say who may ask, or label the key in its contract");
}

void mesh_check_masks(struct mesh_checker *c, struct mesh_model_port *port, const struct mesh_gen_shape *shape)
{
    check_lookup(c, port);
    for (size_t i = 0; i < port->masks.n; i++) {
        const struct mesh_model_mask *mask = &port->masks.v[i];
        const struct mesh_gen_member *member = mesh_gen_shape_member(shape, mask->member);
        if (member == NULL) {
            struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG056", mask->at, "'%s' has no member '%s' to mask",
                                                   port->from.name, mask->member);
            const char *near = mesh_shape_near(c, shape, mask->member);
            if (near != NULL)
                mesh_diag_hint(c->diags, diag, "did you mean '%s'?", near);
            mesh_diag_why(c->diags, diag, "a mask that hides nothing lets its author believe that something is hidden");
            mesh_diag_fix(c->diags, diag, "name a member of '%s'", port->from.name);
            continue;
        }
        if (!check_shown(c, port, mask, (size_t)(member - shape->members.v)))
            continue;
        check_fits(c, mask, member);
        check_roles(c, port, mask);
        check_hash(c, port, mask);
    }
    for (size_t i = 0; i < port->masks.n; i++) { /* what nobody sees is the port's own rule */
        const struct mesh_gen_member *member = mesh_gen_shape_member(shape, port->masks.v[i].member);
        size_t index = member == NULL ? port->protect.n : (size_t)(member - shape->members.v);
        if (port->masks.v[i].unless.n == 0 && index < port->protect.n && port->protect.v[index] == MESH_AS_IS)
            port->protect.v[index] = port->masks.v[i].rule;
    }
}
