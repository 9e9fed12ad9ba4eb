/* What leaves must be protected, or released by name.
 *
 * Every member has a label, which expressions join (expr.h). At a port a personal member takes what the product's `protect` says:
 * it becomes a pseudonym, is left out, or is an error. A row that is keyed by a person is about that person as a whole; when its
 * key leaves as a pseudonym, figures that only add up what the person did (count, sum, avg, variance, distinct) leave with it, as
 * pseudonymous as the key is. Single values (first, last, min, max), and quantiles, which of few records are single values, never do.
 *
 * A row of a view with `min_people` is hidden until so many people are in it. What adds up then says nothing of one of them, also a
 * quantile, and leaves; single values still do not, nor what is special.
 */
#include "codegen/check.h"
#include "codegen/yaml.h"

#include <ctype.h>
#include <string.h>

#define HOPS_MAX      6
#define LETS_DEEP_MAX 32 /* columns that read columns */

static const char *const label_words[MESH_LABEL_COUNT] = {
    [MESH_PUBLIC] = "public",   [MESH_INTERNAL] = "internal",         [MESH_PERSONAL] = "personal",
    [MESH_SPECIAL] = "special", [MESH_PSEUDONYMOUS] = "pseudonymous",
};

static bool is_personal(enum mesh_label label)
{
    return label == MESH_PERSONAL || label == MESH_SPECIAL;
}

static bool is_released(const struct mesh_model_port *port, const char *name)
{
    for (size_t i = 0; i < port->releases.n; i++) {
        for (size_t k = 0; k < port->releases.v[i].fields.n; k++) {
            if (strcmp(port->releases.v[i].fields.v[k], name) == 0)
                return true;
        }
    }
    return false;
}

/* Whether every personal key member of the view leaves as a pseudonym (or not at all). */
static bool key_is_protected(const struct mesh_model_port *port, const struct mesh_gen_shape *shape)
{
    bool personal = false;
    for (size_t i = 0; i < port->view->by.n; i++) {
        const struct mesh_gen_member *key = mesh_gen_shape_member(shape, port->view->by.v[i]);
        if (key == NULL || !is_personal(key->label))
            continue;
        personal = true;
        enum mesh_protect protect = key->label == MESH_SPECIAL ? port->product->protect_special : port->product->protect_personal;
        if (protect == MESH_AS_IS || is_released(port, key->name))
            return false;
    }
    return personal;
}

/* ---- columns that only add up ---- */

struct sums {
    const struct mesh_model_view *view;
    bool single; /* a personal value is kept as it is */
    int depth;
    bool many; /* of many people: quantiles count as sums */
};

static void look_at_aggregate(void *context, const struct mesh_aggregate *aggregate, struct mesh_buf *out)
{
    struct sums *sums = context;
    const char *subject = NULL;
    bool adds = aggregate->fn == MESH_AGG_COUNT || aggregate->fn == MESH_AGG_SUM || aggregate->fn == MESH_AGG_AVG ||
                aggregate->fn == MESH_AGG_VARIANCE || aggregate->fn == MESH_AGG_DISTINCT ||
                (sums->many && aggregate->fn == MESH_AGG_QUANTILE);
    bool about = (aggregate->arg != NULL && is_personal(mesh_expr_label(aggregate->arg, &subject, NULL, NULL))) ||
                 (aggregate->cond != NULL && is_personal(mesh_expr_label(aggregate->cond, &subject, NULL, NULL)));
    if (!adds && about)
        sums->single = true;
    mesh_buf_puts(out, "0");
}

static void look_at_let(struct sums *sums, const struct mesh_expr *expr);

/* A column above, which the expression reads. */
static void look_at_column(void *context, const struct mesh_gen_member *member)
{
    struct sums *sums = context;
    for (size_t i = 0; i < sums->view->let.n; i++) {
        const struct mesh_model_assign *let = &sums->view->let.v[i];
        if (strcmp(let->name, member->name) != 0 || let->expr == NULL || strncmp(member->origin, "views.", 6) != 0)
            continue;
        look_at_let(sums, let->expr);
    }
}

static void look_at_let(struct sums *sums, const struct mesh_expr *expr)
{
    const char *subject = NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf unused = MESH_BUF_NULL;
    struct mesh_expr_aggregate_c callbacks = {look_at_aggregate, look_at_aggregate, sums};
    if (sums->depth++ < LETS_DEEP_MAX) {
        mesh_expr_emit_let(expr, &callbacks, &unused);
        mesh_expr_label(expr, &subject, look_at_column, sums);
    } else {
        sums->single = true;
    }
    sums->depth--;
}

/* A figure that is made of count, sum, avg, variance and distinct alone; of many people, also of quantiles. */
static bool adds_up(const struct mesh_model_view *view, const struct mesh_gen_member *member, bool many)
{
    enum mesh_gen_kind kind = member->type.kind;
    struct sums sums = {.view = view, .many = many};
    if (kind != MESH_GEN_INT && kind != MESH_GEN_DOUBLE && kind != MESH_GEN_DECIMAL)
        return false;
    for (size_t i = 0; i < view->let.n; i++) {
        if (strcmp(view->let.v[i].name, member->name) != 0 || view->let.v[i].expr == NULL)
            continue;
        look_at_let(&sums, view->let.v[i].expr);
        return !sums.single;
    }
    return false;
}

static bool only_adds_up(const struct mesh_model_view *view, const struct mesh_gen_member *member)
{
    return adds_up(view, member, view->min_people > 0);
}

bool mesh_privacy_many(const struct mesh_model_view *view, const struct mesh_gen_member *member)
{
    return view->min_people > 0 && member->label == MESH_PERSONAL && only_adds_up(view, member);
}

/* ---- the message ---- */

struct leak {
    const struct mesh_gen_member *member;
    const char *reason;
    bool unsaid;  /* `protect` does not say what happens to it */
    bool grouped; /* it could leave when rows were of many people */
};

typedef MESH_VEC(struct leak) leak_list;

static const struct mesh_gen_member *hop_behind(const struct mesh_checker *c, const char *origin)
{
    for (size_t i = 0; i < c->edges.n; i++) {
        if (strcmp(c->edges.v[i].to, origin) == 0 && is_personal(c->edges.v[i].from->label))
            return c->edges.v[i].from;
    }
    return NULL;
}

/* "views.profile.email <- streams.clean.email <- inputPorts.records.email" */
static const char *path_of(const struct mesh_checker *c, const struct mesh_gen_member *member,
                           const struct mesh_gen_member **ret_first)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    const struct mesh_gen_member *at = member;
    for (int i = 0; at != NULL && i < HOPS_MAX; i++) {
        mesh_buf_printf(&text, "%s%s", i == 0 ? "" : " <- ", at->origin);
        *ret_first = at;
        at = hop_behind(c, at->origin);
    }
    return mesh_arena_strdup(c->arena, text.p);
}

static void report(struct mesh_checker *c, const struct mesh_model_port *port, const leak_list *leaks)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf names = MESH_BUF_NULL;
    for (size_t i = 0; i < leaks->n; i++)
        mesh_buf_printf(&names, "%s%s", i == 0 ? "" : ", ", leaks->v[i].member->name);
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG050", port->at,
                                           "personal data would leave through '%s' unprotected: %s", port->name, names.p);
    mesh_diag_why(c->diags, diag, "what is personal leaves as a pseudonym, is left out, or is released for a stated purpose");
    const char *release = mesh_arena_printf(c->arena, "release: { fields: [%s], purpose: service, basis: contract }", names.p);
    bool unsaid = false;
    bool grouped = leaks->n > 0;
    for (size_t i = 0; i < leaks->n; i++) {
        unsaid = unsaid || leaks->v[i].unsaid;
        grouped = grouped && leaks->v[i].grouped;
    }
    if (grouped)
        mesh_diag_fix(c->diags, diag,
                      "hide rows that few people are in: add 'min_people: 20' to views.%s; or take it out of it, or add to "
                      "outputPorts.%s with the purpose and basis that are true: %s",
                      port->view->name, port->name, release);
    else if (unsaid)
        mesh_diag_fix(c->diags, diag, "write in the product: protect: { personal: %s, special: drop }",
                      c->product->protect_personal == MESH_DROP ? "drop" : "pseudonym");
    else
        mesh_diag_fix(
            c->diags, diag,
            "take it out of '%s', or, if it may leave, add to outputPorts.%s with the purpose and basis that are true: %s",
            port->from.name, port->name, release);
    for (size_t i = 0; i < leaks->n; i++) {
        const struct mesh_gen_member *first = leaks->v[i].member;
        const char *path = path_of(c, leaks->v[i].member, &first);
        mesh_diag_note(c->diags, diag, first->at, "%s: %s (%s)", leaks->v[i].member->name, path, leaks->v[i].reason);
    }
}

/* Whether min_people would let the figure leave: rows by what is nobody's own, of people who can be told apart. */
static bool could_be_grouped(const struct mesh_model_port *port, const struct mesh_gen_shape *shape,
                             const struct mesh_gen_member *member)
{
    const struct mesh_model_view *view = port->view;
    if (view == NULL || view->min_people > 0 || view->window == MESH_WINDOW_SESSION || view->remove != NULL ||
        member->label != MESH_PERSONAL || !adds_up(view, member, true))
        return false;
    for (size_t i = 0; i < view->by.n; i++) {
        const struct mesh_gen_member *key = mesh_gen_shape_member(shape, view->by.v[i]);
        if (key == NULL || is_personal(key->label) || key->label == MESH_PSEUDONYMOUS)
            return false;
    }
    return true;
}

static const char *reason_of(struct mesh_checker *c, const struct mesh_gen_member *member, enum mesh_protect protect)
{
    const char *whose = member->subject == NULL ? "" : mesh_arena_printf(c->arena, " of the %s", member->subject);
    if (protect == MESH_PSEUDONYM)
        return mesh_arena_printf(c->arena, "%s%s, and %s cannot become a pseudonym", label_words[member->label], whose,
                                 mesh_type_a(c, &member->type));
    return mesh_arena_printf(c->arena, "%s%s, and the product says no 'protect' for it", label_words[member->label], whose);
}

static void check_key_secret(struct mesh_checker *c, const struct mesh_model_port *port, const struct mesh_gen_member *member)
{
    if (c->model->pseudonym_key_env != NULL)
        return;
    struct mesh_diag *diag =
        mesh_diag_add(c->diags, MESH_ERROR, "MG054", mesh_check_key_at(c->product->yaml, "protect", c->product->name.at),
                      "the mesh has no key for pseudonyms");
    mesh_diag_why(c->diags, diag, "'%s' leaves through '%s' as a pseudonym, which is made with a secret key", member->name,
                  port->name);
    mesh_diag_fix(c->diags, diag, "add to mesh.yaml: pseudonym: { keyRef: env:MESH_PSEUDONYM_KEY }");
}

static void check_releases(struct mesh_checker *c, const struct mesh_model_port *port, const struct mesh_gen_shape *shape)
{
    for (size_t i = 0; i < port->releases.n; i++) {
        for (size_t k = 0; k < port->releases.v[i].fields.n; k++) {
            const char *name = port->releases.v[i].fields.v[k];
            const struct mesh_gen_member *member = mesh_gen_shape_member(shape, name);
            if (member != NULL && (is_personal(member->label) || member->type.kind == MESH_GEN_ERROR))
                continue;
            struct mesh_diag *diag = mesh_diag_add(
                c->diags, member == NULL ? MESH_ERROR : MESH_WARNING, "MG052", port->releases.v[i].fields_at.v[k],
                member == NULL ? "'%s' is released, but '%s' has no such member" : "'%s' is released, but nothing protects it",
                name, port->from.name);
            const char *near = member == NULL ? mesh_shape_near(c, shape, name) : NULL;
            if (near != NULL)
                mesh_diag_hint(c->diags, diag, "did you mean '%s'?", near);
            mesh_diag_why(c->diags, diag, "a release names exactly what leaves as it is; anything else hides what it is for");
            mesh_diag_fix(c->diags, diag, "remove '%s' from the list", name);
        }
    }
}

/* Whether a member reaches the border at all: a contract takes only what it has fields for. */
static bool is_sent(const struct mesh_model_port *port, const struct mesh_gen_member *member)
{
    if (port->kind != MESH_MODEL_KAFKA)
        return true;
    if (port->contract == NULL || port->contract->schema == NULL)
        return false;
    return mesh_schema_field(port->contract->schema, member->name) != NULL ||
           (port->key.text != NULL && strcmp(port->key.text, member->name) == 0);
}

void mesh_privacy_port(struct mesh_checker *c, struct mesh_model_port *port, const struct mesh_gen_shape *shape)
{
    leak_list leaks = {0};
    bool about_pseudonym = port->view != NULL && key_is_protected(port, shape);
    check_releases(c, port, shape);
    port->protect.n = 0;
    for (size_t i = 0; i < shape->members.n; i++) {
        const struct mesh_gen_member *member = &shape->members.v[i];
        enum mesh_protect *protect = mesh_vec_push_in(c->arena, &port->protect);
        *protect = MESH_AS_IS;
        if (!is_personal(member->label) || is_released(port, member->name) || !is_sent(port, member) ||
            member->type.kind == MESH_GEN_ERROR)
            continue;
        enum mesh_protect want = member->label == MESH_SPECIAL ? c->product->protect_special : c->product->protect_personal;
        if (port->view != NULL && mesh_privacy_many(port->view, member)) {
            *protect = MESH_AS_IS;
        } else if (want == MESH_DROP) {
            *protect = MESH_DROP;
        } else if (want == MESH_PSEUDONYM && member->type.kind == MESH_GEN_STRING) {
            *protect = MESH_PSEUDONYM;
            check_key_secret(c, port, member);
        } else if (want == MESH_PSEUDONYM && about_pseudonym && member->label == MESH_PERSONAL &&
                   only_adds_up(port->view, member)) {
            *protect = MESH_AS_IS;
        } else {
            *mesh_vec_push_in(c->arena, &leaks) =
                (struct leak){member, reason_of(c, member, want), want == MESH_AS_IS, could_be_grouped(port, shape, member)};
        }
    }
    if (leaks.n > 0)
        report(c, port, &leaks);
}

/* ---- names that sound personal ---- */

static bool sounds_personal(const char *name)
{
    static const char *const words[] = {
        "email",     "mail",   "phone",      "mobile", "firstname", "lastname", "surname", "fullname", "birthday",
        "birthdate", "dob",    "ssn",        "iban",   "passport",  "address",  "street",  "zip",      "postcode",
        "ip",        "card",   "cardnumber", "pan",    "cvv",       "customer", "user",    "person",   "latitude",
        "longitude", "gender", "religion",   "health", "diagnosis", "salary",
    };
    char part[32];
    size_t n = 0;
    for (const char *p = name;; p++) {
        bool ends = *p == '\0' || *p == '_' || (isupper((unsigned char)*p) && n > 0 && islower((unsigned char)p[-1]));
        if (ends && n > 0) {
            part[n] = '\0';
            for (size_t i = 0; i < MESH_LEN(words); i++) {
                if (strcmp(words[i], part) == 0)
                    return true;
            }
            n = 0;
        }
        if (*p == '\0')
            return false;
        if (*p != '_' && n + 1 < sizeof part)
            part[n++] = (char)tolower((unsigned char)*p);
    }
}

static void lint_contract(struct mesh_checker *c, const struct mesh_model_contract *contract)
{
    for (size_t i = 0; contract->schema != NULL && i < contract->schema->n_fields; i++) {
        const struct mesh_schema_field *field = &contract->schema->fields[i];
        bool open = field->label == NULL || strcmp(field->label, "public") == 0 || strcmp(field->label, "internal") == 0;
        /* A record's default is a decision about the record, not about this field; its own label is one about the field. */
        bool decided = field->label_at.source != NULL && mesh_json_get(field->json, "label") != NULL;
        if (!open || decided || !sounds_personal(field->name))
            continue;
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_WARNING, "MG053", field->name_at, "'%s' sounds personal, but is labelled %s", field->name,
                          field->label == NULL ? "nothing" : field->label);
        mesh_diag_why(c->diags, diag, "only what is labelled personal is protected when it leaves");
        mesh_diag_fix(
            c->diags, diag,
            "add \"label\": \"personal\", \"subject\": \"customer\" to the field, or \"label\": \"internal\" if it is not");
    }
}

void mesh_privacy_lint(struct mesh_checker *c)
{
    for (size_t i = 0; i < c->model->contracts.n; i++) {
        if (!c->model->contracts.v[i]->left_behind)
            lint_contract(c, c->model->contracts.v[i]);
    }
}
