/* A port against its contract: every field must have a member that fits. Both places are shown: the field in the .avsc, and where
 * the member comes from. Members without a field stay inside. */
#include "codegen/check.h"

#include <string.h>

struct pair {
    struct mesh_checker *c;
    const struct mesh_model_port *port;
    const struct mesh_schema_field *field;
    const struct mesh_gen_member *member;
    struct mesh_gen_type want; /* of the field */
    enum mesh_protect protect;
};

/* What every row of a view has besides its columns. */
static bool is_implicit(const struct mesh_model_port *port, const char *name, struct mesh_gen_type *ret)
{
    static const struct {
        const char *name;
        enum mesh_gen_kind kind;
        bool windowed;
    } members[] = {
        {"revision", MESH_GEN_INT, false},
        {"window_start", MESH_GEN_TIMESTAMP, true},
        {"window_end", MESH_GEN_TIMESTAMP, true},
        {"final", MESH_GEN_BOOL, true},
    };
    for (size_t i = 0; port->view != NULL && i < MESH_LEN(members); i++) {
        if (strcmp(members[i].name, name) != 0 || (members[i].windowed && port->view->window == MESH_WINDOW_NONE))
            continue;
        *ret = (struct mesh_gen_type){.kind = members[i].kind};
        return true;
    }
    return false;
}

static struct mesh_srcref contract_at(const struct mesh_model_port *port)
{
    return mesh_check_key_at(port->yaml, "contract", port->at);
}

static struct mesh_diag *misfit(const struct pair *p, const char *code, const char *text)
{
    struct mesh_diag *diag = mesh_diag_add(p->c->diags, MESH_ERROR, code, p->field->name_at, "%s", text);
    if (p->member != NULL && p->member->at.source != NULL)
        mesh_diag_note(p->c->diags, diag, p->member->at, "'%s' comes from here", p->member->name);
    mesh_diag_note(p->c->diags, diag, contract_at(p->port), "the port '%s' sends it under this contract", p->port->name);
    return diag;
}

/* Where a new member is added: "streams.clean" needs a step, a view a column. */
static const char *where_to_add(const struct pair *p)
{
    return p->port->view != NULL ? mesh_arena_printf(p->c->arena, "views.%s.let", p->port->from.name)
                                 : mesh_arena_printf(p->c->arena, "a 'set' step of streams.%s", p->port->from.name);
}

static void missing(const struct pair *p, const struct mesh_gen_shape *shape)
{
    struct mesh_checker *c = p->c;
    const char *name = p->field->name;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG023", p->field->name_at,
                                           "'%s' has no member for the field '%s'", p->port->from.name, name);
    const char *near = mesh_shape_near(c, shape, name);
    if (near != NULL)
        mesh_diag_hint(c->diags, diag, "did you mean '%s'?", near);
    mesh_diag_why(c->diags, diag, "every field of a contract is written, also those that may be null");
    mesh_diag_fix(c->diags, diag, "add '%s: ...' to %s, or use a version of the contract without it", name, where_to_add(p));
    mesh_diag_note(c->diags, diag, contract_at(p->port), "the port '%s' sends it under this contract", p->port->name);
}

static void check_null(const struct pair *p, const struct mesh_gen_type *have)
{
    const struct mesh_model_stream *stream = p->port->from.stream;
    bool null = have->nullable;
    for (size_t i = 0; stream != NULL && i < stream->narrowed.n; i++)
        null = null && strcmp(stream->narrowed.v[i], p->member->name) != 0;
    if (!null || p->want.nullable)
        return;
    struct mesh_checker *c = p->c;
    struct mesh_diag *diag =
        misfit(p, "MG025", mesh_arena_printf(c->arena, "'%s' may be null, but the contract does not allow it", p->field->name));
    mesh_diag_why(c->diags, diag, "a record whose '%s' is null could not be written", p->field->name);
    if (stream != NULL)
        mesh_diag_fix(c->diags, diag,
                      "leave such records out with '- where: has(%s)', or make the field [\"null\", ...] in a new version",
                      p->field->name);
    else
        mesh_diag_fix(c->diags, diag, "write 'has(x) ? x : ...' in the column, or make the field [\"null\", ...] in a new version");
}

static void check_decimal(const struct pair *p, const struct mesh_gen_type *have)
{
    struct mesh_checker *c = p->c;
    int scale = have->kind == MESH_GEN_DECIMAL ? have->scale : 0;
    bool computed = have->kind == MESH_GEN_DECIMAL && have->precision == MESH_DEC_DIGITS_MAX;
    bool digits = have->kind == MESH_GEN_INT || computed || have->precision - have->scale <= p->want.precision - p->want.scale;
    if (scale <= p->want.scale && digits)
        return;
    struct mesh_diag *diag = misfit(p, "MG027",
                                    mesh_arena_printf(c->arena, "'%s' is %s, but the contract has %s", p->field->name,
                                                      mesh_type_a(c, have), mesh_type_a(c, &p->want)));
    if (scale > p->want.scale)
        mesh_diag_why(c->diags, diag, "%d digits behind the point would have to be rounded to %d, which must be said", scale,
                      p->want.scale);
    else
        mesh_diag_why(c->diags, diag, "%d digits before the point do not fit %d", have->precision - have->scale,
                      p->want.precision - p->want.scale);
    mesh_diag_fix(c->diags, diag, "write 'decimal(%s, %d, %d)'", p->field->name, p->want.precision, p->want.scale);
}

static void check_symbols(const struct pair *p, const struct mesh_gen_type *have)
{
    struct mesh_checker *c = p->c;
    const struct mesh_schema *from = have->schema;
    const struct mesh_schema *to = p->want.schema;
    if (from == NULL || to == NULL)
        return;
    for (size_t i = 0; i < from->n_symbols; i++) {
        if (i < to->n_symbols && strcmp(from->symbols[i], to->symbols[i]) == 0)
            continue;
        bool known = false;
        for (size_t k = 0; k < to->n_symbols; k++)
            known = known || strcmp(from->symbols[i], to->symbols[k]) == 0;
        struct mesh_diag *diag =
            misfit(p, "MG026",
                   known ? mesh_arena_printf(c->arena, "the symbols of '%s' stand in another order", p->field->name)
                         : mesh_arena_printf(c->arena, "the contract does not know the symbol %s of '%s'", from->symbols[i],
                                             p->field->name));
        mesh_diag_why(c->diags, diag,
                      known ? "a symbol is written as its number in the list" : "a record with this symbol could not be written");
        mesh_diag_fix(c->diags, diag,
                      known ? "give both enums the same order in a new version" : "add it at the end of the enum in a new version");
        return;
    }
}

static void check_type(const struct pair *p, const struct mesh_gen_type *have)
{
    struct mesh_checker *c = p->c;
    enum mesh_gen_kind want = p->want.kind;
    if (have->kind == MESH_GEN_ERROR)
        return;
    bool number = have->kind == MESH_GEN_INT || have->kind == MESH_GEN_DECIMAL;
    if (want == MESH_GEN_DECIMAL && number) {
        check_decimal(p, have);
    } else if (want != have->kind && !(want == MESH_GEN_DOUBLE && have->kind == MESH_GEN_INT)) {
        struct mesh_diag *diag = misfit(p, "MG024",
                                        mesh_arena_printf(c->arena, "'%s' is %s, but the contract has %s", p->field->name,
                                                          mesh_type_a(c, have), mesh_type_a(c, &p->want)));
        mesh_diag_why(c->diags, diag, "values are written as the contract says, and never converted silently");
        mesh_diag_fix(c->diags, diag, "convert it in %s, or correct the contract before its first release", where_to_add(p));
    } else if (want == MESH_GEN_INT && p->want.int32 && !have->int32) {
        struct mesh_diag *diag =
            misfit(p, "MG024", mesh_arena_printf(c->arena, "'%s' is a long, but the contract has an int", p->field->name));
        mesh_diag_why(c->diags, diag, "a value above 2147483647 could not be written");
        mesh_diag_fix(c->diags, diag, "make the field long");
    } else if (want == MESH_GEN_ENUM) {
        check_symbols(p, have);
    }
    check_null(p, have);
}

static void check_protected(const struct pair *p)
{
    struct mesh_checker *c = p->c;
    const char *label = p->field->label;
    if (p->protect == MESH_PSEUDONYM && (label == NULL || strcmp(label, "pseudonymous") != 0)) {
        struct mesh_diag *diag = misfit(p, "MG051",
                                        mesh_arena_printf(c->arena, "'%s' is sent as a pseudonym, but the contract says %s",
                                                          p->field->name, label == NULL ? "nothing" : label));
        mesh_diag_why(c->diags, diag, "who reads the topic must know that it is a pseudonym, and goes on protecting it");
        mesh_diag_fix(c->diags, diag, "write \"label\": \"pseudonymous\"%s%s%s in the contract",
                      p->member->subject == NULL ? "" : ", \"subject\": \"", p->member->subject == NULL ? "" : p->member->subject,
                      p->member->subject == NULL ? "" : "\"");
    }
    if (p->protect == MESH_DROP && !p->want.nullable) {
        struct mesh_diag *diag = misfit(
            p, "MG051", mesh_arena_printf(c->arena, "'%s' is left out at this border, but the contract needs it", p->field->name));
        mesh_diag_why(c->diags, diag, "it is %s, and the product says 'protect: drop'",
                      p->member->label == MESH_SPECIAL ? "special" : "personal");
        mesh_diag_fix(c->diags, diag,
                      "remove the field from the contract, make it [\"null\", ...], or release it: release: { fields: [%s], "
                      "purpose: ..., basis: ... }",
                      p->field->name);
    }
}

static void check_sessions(struct mesh_checker *c, const struct mesh_model_port *port)
{
    static const char *const needed[] = {"window_start", "revision"};
    if (port->view == NULL || port->view->window != MESH_WINDOW_SESSION)
        return;
    for (size_t k = 0; k < MESH_LEN(needed); k++) {
        bool found = false;
        for (size_t i = 0; i < port->contract->schema->n_fields; i++)
            found = found || strcmp(port->contract->schema->fields[i].name, needed[k]) == 0;
        if (found)
            continue;
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG066", contract_at(port),
                                               "'%s' sends sessions, and its contract has no field '%s'", port->name, needed[k]);
        mesh_diag_why(c->diags, diag,
                      "when sessions become one, the row that is gone is sent once more, with revision 0 and nothing in it");
        mesh_diag_fix(c->diags, diag, "add '%s' in a new version of the contract: %s", needed[k],
                      k == 0 ? "a timestamp" : "a long");
    }
}

void mesh_check_contract(struct mesh_checker *c, struct mesh_model_port *port, const struct mesh_gen_shape *shape)
{
    const struct mesh_schema *schema = port->contract->schema;
    check_sessions(c, port);
    for (size_t i = 0; i < schema->n_fields; i++) {
        struct pair p = {.c = c, .port = port, .field = &schema->fields[i]};
        struct mesh_gen_type implicit;
        p.member = mesh_gen_shape_member(shape, p.field->name);
        if (!mesh_gen_type_of_schema(p.field->type, c->arena, &p.want) || p.want.kind == MESH_GEN_LIST ||
            p.want.kind == MESH_GEN_RECORD) {
            struct mesh_diag *diag =
                misfit(&p, "MG024", mesh_arena_printf(c->arena, "no member can fill the field '%s'", p.field->name));
            mesh_diag_why(c->diags, diag, "maps, lists, records and unions of several types cannot be written yet");
            mesh_diag_fix(c->diags, diag, "use single values");
            continue;
        }
        if (p.member == NULL && is_implicit(port, p.field->name, &implicit)) {
            check_type(&p, &implicit);
            continue;
        }
        if (p.member == NULL) {
            missing(&p, shape);
            continue;
        }
        ((struct mesh_gen_member *)(uintptr_t)p.member)->used = true;
        size_t index = (size_t)(p.member - shape->members.v);
        p.protect = index < port->protect.n ? port->protect.v[index] : MESH_AS_IS;
        if (p.protect != MESH_DROP)
            check_type(&p, &p.member->type);
        check_protected(&p);
    }
}
