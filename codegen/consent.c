/* Consent by purpose (docs/decisions/035-consent-is-a-column.md).
 *
 * A release with `basis: consent` becomes three columns of the view it reads: when the subject gave consent to the purpose last, when it
 * was withdrawn last, and whether it is given. They are maxima of times, so they come out the same in whatever order decisions arrive, and
 * a decision changes the row like any other record. At the border the released fields are shown only while the third is true. */
#include "codegen/check.h"
#include "codegen/yaml.h"

#include <ctype.h>
#include <string.h>

static bool is_name(const char *text)
{
    bool ok = text != NULL && islower((unsigned char)text[0]) && strlen(text) <= 40;
    for (size_t i = 0; ok && text[i] != '\0'; i++)
        ok = islower((unsigned char)text[i]) || isdigit((unsigned char)text[i]) || text[i] == '_';
    return ok;
}

bool mesh_consent_asked(const struct mesh_model_release *release)
{
    return release->basis != NULL && strcmp(release->basis, "consent") == 0;
}

const char *mesh_consent_column(struct mesh_arena *arena, const char *purpose, const char *suffix)
{
    return mesh_arena_printf(arena, "consent_%s%s", purpose, suffix);
}

static const struct mesh_gen_member *field_of(const struct mesh_model_input *input, const struct mesh_model_text *name)
{
    return input->shape == NULL || name->text == NULL ? NULL : mesh_gen_shape_member(input->shape, name->text);
}

static struct mesh_diag *wrong_field(struct mesh_checker *c, const struct mesh_model_text *name, const char *what, const char *why,
                                     const char *fix)
{
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG081", name->at, "'%s' %s", name->text, what);
    mesh_diag_why(c->diags, diag, "%s", why);
    mesh_diag_fix(c->diags, diag, "%s", fix);
    return diag;
}

/* Behind the inputs: their shapes are known. */
void mesh_consent_check(struct mesh_checker *c)
{
    struct mesh_model_consent *consent = &c->product->consent;
    if (!consent->declared || consent->input == NULL || consent->input->shape == NULL)
        return;
    const struct mesh_gen_member *subject = field_of(consent->input, &consent->subject);
    const struct mesh_gen_member *purpose = field_of(consent->input, &consent->purpose);
    const struct mesh_gen_member *granted = field_of(consent->input, &consent->granted);
    const struct mesh_model_text *names[] = {&consent->subject, &consent->purpose, &consent->granted};
    const struct mesh_gen_member *members[] = {subject, purpose, granted};
    for (size_t i = 0; i < MESH_LEN(names); i++)
        if (members[i] == NULL && names[i]->text != NULL)
            wrong_field(c, names[i], mesh_arena_printf(c->arena, "is not a field of '%s'", consent->input->name),
                        "a decision says who decided, about what, and how", "name a field of its contract");
    if (subject == NULL || purpose == NULL || granted == NULL)
        return;
    if (subject->type.kind != MESH_GEN_STRING || subject->type.nullable || subject->subject == NULL)
        wrong_field(c, &consent->subject, "cannot say who decided",
                    "it must be a string that is always there, labelled with the subject whose decision it is",
                    "name another field, or label it in the contract: \"label\": \"personal\", \"subject\": \"customer\"");
    if ((purpose->type.kind != MESH_GEN_STRING && purpose->type.kind != MESH_GEN_ENUM) || purpose->type.nullable)
        wrong_field(c, &consent->purpose, "cannot say to what", "a purpose is a string or an enum that is always there",
                    "name another field");
    if (granted->type.kind != MESH_GEN_BOOL || granted->type.nullable)
        wrong_field(c, &consent->granted, "cannot say how it was decided", "it must be a boolean that is always there",
                    "name another field");
    consent->who = subject->subject;
}

static void not_declared(struct mesh_checker *c, const struct mesh_model_release *release)
{
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG080", release->at,
                                           "'basis: consent', but the product does not say where consent comes from");
    mesh_diag_why(c->diags, diag, "without the decisions nobody has consented, and nothing would ever be shown");
    mesh_diag_fix(c->diags, diag,
                  "read the topic of decisions as an input port, and add to the product: consent: { from: consents, subject: "
                  "customer_id, purpose: purpose, granted: granted }");
}

/* NULL, or why the rows of the port cannot follow the decisions. */
static const char *out_of_reach(struct mesh_checker *c, const struct mesh_model_port *port, const char **ret_fix)
{
    const struct mesh_model_consent *consent = &c->product->consent;
    const struct mesh_model_view *view = port->view;
    const char *input = consent->input->name;
    if (view == NULL) {
        *ret_fix = mesh_arena_printf(c->arena, "keep what is released in a view by '%s' that reads '%s', and serve the view",
                                     consent->subject.text, input);
        return mesh_arena_printf(c->arena, "'%s' is a stream: a record that has left cannot be called back", port->from.name);
    }
    if (view->window != MESH_WINDOW_NONE) {
        *ret_fix = mesh_arena_printf(c->arena, "release it from a view by '%s' without a window", consent->subject.text);
        return mesh_arena_printf(c->arena, "the rows of '%s' have windows, and consent has none", view->name);
    }
    if (view->by.n != 1 || strcmp(view->by.v[0], consent->subject.text) != 0) {
        *ret_fix = mesh_arena_printf(c->arena, "release it from a view by '%s' alone", consent->subject.text);
        return mesh_arena_printf(c->arena, "a decision is about one '%s', and the rows of '%s' have another key",
                                 consent->subject.text, view->name);
    }
    if (view->state.n > 0) {
        *ret_fix = "use a view with 'let'";
        return mesh_arena_printf(c->arena, "'%s' assigns its state, and columns cannot be added to it", view->name);
    }
    for (size_t i = 0; i < view->from.n; i++)
        if (strcmp(view->from.v[i].name, input) == 0)
            return NULL;
    *ret_fix = mesh_arena_printf(c->arena, "add '%s' to 'from' of '%s'", input, view->name);
    return mesh_arena_printf(c->arena, "'%s' does not read '%s', so a decision would not change its rows", view->name, input);
}

static bool has_column(const struct mesh_model_view *view, const char *name)
{
    for (size_t i = 0; i < view->let.n; i++)
        if (strcmp(view->let.v[i].name, name) == 0)
            return true;
    return false;
}

static void add_column(struct mesh_checker *c, struct mesh_model_view *view, const struct mesh_model_release *release,
                       const char *suffix, const char *text)
{
    *mesh_vec_push_in(c->arena, &view->let) =
        (struct mesh_model_assign){.name = mesh_consent_column(c->arena, release->purpose, suffix),
                                   .at = release->at,
                                   .expr = mesh_expr_parse(c->arena, c->diags, text, release->at)};
}

static void add_columns(struct mesh_checker *c, struct mesh_model_view *view, const struct mesh_model_release *release)
{
    const struct mesh_model_consent *consent = &c->product->consent;
    const char *from = consent->input->name;
    const char *name = mesh_consent_column(c->arena, release->purpose, "");
    if (has_column(view, name)) {
        for (size_t i = 0; i < view->let.n; i++)
            if (strcmp(view->let.v[i].name, name) == 0 && view->let.v[i].expr != NULL && view->let.v[i].made)
                return; /* for another port */
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG009", view->at, "'%s' has a column '%s' of its own", view->name, name);
        mesh_diag_why(c->diags, diag, "the release adds it, and shows by it whether the consent is given");
        mesh_diag_fix(c->diags, diag, "rename the column");
        return;
    }
    add_column(c, view, release, "_given",
               mesh_arena_printf(c->arena, "max(%s.%s, %s.%s == \"%s\" && %s.%s)", from, consent->input->event_time.text, from,
                                 consent->purpose.text, release->purpose, from, consent->granted.text));
    add_column(c, view, release, "_withdrawn",
               mesh_arena_printf(c->arena, "max(%s.%s, %s.%s == \"%s\" && !%s.%s)", from, consent->input->event_time.text, from,
                                 consent->purpose.text, release->purpose, from, consent->granted.text));
    add_column(
        c, view, release, "",
        mesh_arena_printf(c->arena, "has(%s_given) && (!has(%s_withdrawn) || %s_given > %s_withdrawn)", name, name, name, name));
    for (size_t i = view->let.n - 3; i < view->let.n; i++)
        view->let.v[i].made = true;
}

void mesh_consent_resolve(struct mesh_checker *c)
{
    struct mesh_model_consent *consent = &c->product->consent;
    for (size_t i = 0; consent->declared && i < c->product->inputs.n; i++)
        if (consent->from.text != NULL && strcmp(c->product->inputs.v[i]->name, consent->from.text) == 0)
            consent->input = c->product->inputs.v[i];
    if (consent->declared && consent->from.text != NULL && (consent->input == NULL || consent->input->is_table)) {
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG010", consent->from.at, "'%s' is not an input port%s",
                                               consent->from.text, consent->input == NULL ? "" : " of records: it is a table");
        mesh_diag_why(c->diags, diag, "'consent' names the input port that brings the decisions, one record each");
        mesh_diag_fix(c->diags, diag, "declare it under 'inputPorts'");
        consent->input = NULL;
    }
    for (size_t p = 0; p < c->product->ports.n; p++) {
        struct mesh_model_port *port = c->product->ports.v[p];
        for (size_t i = 0; i < port->releases.n; i++) {
            const struct mesh_model_release *release = &port->releases.v[i];
            const char *fix = NULL;
            if (!mesh_consent_asked(release) || release->purpose == NULL || (port->from.stream == NULL && port->view == NULL))
                continue;
            if (!consent->declared) {
                not_declared(c, release);
                continue;
            }
            if (consent->input == NULL || consent->subject.text == NULL || consent->purpose.text == NULL ||
                consent->granted.text == NULL || consent->input->event_time.text == NULL)
                continue; /* said already */
            const char *why = out_of_reach(c, port, &fix);
            if (why == NULL && !is_name(release->purpose)) {
                why = mesh_arena_printf(c->arena, "columns are named after the purpose, and '%s' is not a name", release->purpose);
                fix = "write the purpose as it stands in the decisions, in small letters, digits and _";
            }
            if (why != NULL) {
                struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG080", release->at,
                                                       "consent cannot be followed to the port '%s'", port->name);
                mesh_diag_why(c->diags, diag, "%s", why);
                mesh_diag_fix(c->diags, diag, "%s", fix);
                continue;
            }
            add_columns(c, port->view, release);
        }
    }
}

/* ---- the port ---- */

static void cannot_withhold(struct mesh_checker *c, const struct mesh_model_port *port, const struct mesh_gen_member *member,
                            struct mesh_srcref at, const char *why, const char *fix)
{
    struct mesh_diag *diag =
        mesh_diag_add(c->diags, MESH_ERROR, "MG082", at, "'%s' cannot be withheld at '%s'", member->name, port->name);
    mesh_diag_why(c->diags, diag, "%s", why);
    mesh_diag_fix(c->diags, diag, "%s", fix);
}

static bool is_key(const struct mesh_model_port *port, const char *name)
{
    if (port->key.text != NULL && strcmp(port->key.text, name) == 0)
        return true;
    for (size_t i = 0; i < port->view->by.n; i++)
        if (strcmp(port->view->by.v[i], name) == 0)
            return true;
    return false;
}

static void check_stamp(struct mesh_checker *c, const struct mesh_model_port *port, const struct mesh_model_release *release)
{
    const char *stamp = mesh_consent_column(c->arena, release->purpose, "_given");
    if (port->kind != MESH_MODEL_KAFKA || port->contract == NULL || port->contract->schema == NULL ||
        mesh_schema_field(port->contract->schema, stamp) != NULL)
        return;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG082", release->at,
                                           "the contract of '%s' has no field for the consent that it rests on", port->name);
    mesh_diag_why(c->diags, diag, "who reads the record must be able to say which decision released it");
    mesh_diag_fix(c->diags, diag,
                  "add to %s: {\"name\": \"%s\", \"type\": [\"null\", {\"type\": \"long\", \"logicalType\": "
                  "\"timestamp-millis\"}], \"default\": null}",
                  port->contract->path, stamp);
}

void mesh_consent_port(struct mesh_checker *c, struct mesh_model_port *port, const struct mesh_gen_shape *shape)
{
    const struct mesh_model_consent *consent = &c->product->consent;
    for (size_t i = 0; i < port->releases.n; i++) {
        const struct mesh_model_release *release = &port->releases.v[i];
        if (!mesh_consent_asked(release)) {
            if (release->without_row)
                wrong_field(c, &(struct mesh_model_text){"without", release->at}, "belongs to 'basis: consent'",
                            "only consent is given to some rows and not to others", "remove it");
            continue;
        }
        if (port->view == NULL || consent->input == NULL || consent->who == NULL)
            continue;
        if (release->without_row && (port->kind == MESH_MODEL_HTTP || port->kind == MESH_MODEL_SSE)) {
            struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG082", release->at,
                                                   "'without: row' belongs to ports that keep a copy: kafka and mongo");
            mesh_diag_why(c->diags, diag, "who asks over HTTP sees what is withheld as null, as of now");
            mesh_diag_fix(c->diags, diag, "remove 'without'");
        }
        check_stamp(c, port, release);
        for (size_t k = 0; k < release->fields.n; k++) {
            const struct mesh_gen_member *member = mesh_gen_shape_member(shape, release->fields.v[k]);
            if (member == NULL || member->type.kind == MESH_GEN_ERROR)
                continue;
            if (is_key(port, member->name))
                cannot_withhold(c, port, member, release->fields_at.v[k], "it is the key, which tells rows apart",
                                "release other fields, and let the key leave as a pseudonym");
            else if (!member->type.nullable)
                cannot_withhold(c, port, member, release->fields_at.v[k], "without consent it is null, and it can never be null",
                                "use a column that may be null, such as last(...)");
            else if (member->subject == NULL || strcmp(member->subject, consent->who) != 0)
                cannot_withhold(c, port, member, release->fields_at.v[k],
                                mesh_arena_printf(c->arena, "it is of the %s, and the decisions are those of the %s",
                                                  member->subject == NULL ? "nobody" : member->subject, consent->who),
                                "release it on another basis, or not at all");
            size_t at = (size_t)(member - shape->members.v);
            if (at < port->protect.n)
                port->protect.v[at] = MESH_ON_CONSENT;
        }
    }
}
