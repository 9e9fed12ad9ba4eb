/* An output port and the view behind it, before and now. */
#include "codegen/breaking_int.h"

#include "base/text.h"
#include "codegen/check.h"
#include "codegen/compat_diag.h"
#include "codegen/port_fields.h"
#include "codegen/yaml.h"

#include <stdlib.h>
#include <string.h>

static struct mesh_srcref key_at(const struct mesh_model_port *port, const char *key)
{
    return mesh_check_key_at(port->yaml, key, port->at);
}

static void changed(struct mesh_breaking *b, const struct mesh_model_port *old, const struct mesh_model_port *new, const char *code,
                    const char *key, const char *was, const char *is, const char *why, const char *fix)
{
    struct mesh_diag *diag = mesh_breaking_add(b, code, mesh_breaking_part(b, "outputPorts", old->name, key), key_at(new, key), fix,
                                               "'%s' of the port '%s' is %s, it was %s", key, old->name, is, was);
    mesh_diag_why(b->diags, diag, "%s", why);
    mesh_diag_note(b->diags, diag, key_at(old, key), "it was declared here");
    mesh_breaking_readers(b, diag, old, NULL);
}

static bool differ(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) != 0;
}

/* ---- contract ---- */

/* "/fields/3/type" of a record: its fourth field; NULL when the place is no field of the datum itself. */
static const char *field_at(const struct mesh_schema *schema, const char *pointer)
{
    if (strncmp(pointer, "/fields/", 8) != 0)
        return NULL;
    size_t index = strtoul(pointer + 8, NULL, 10);
    return index < schema->n_fields ? schema->fields[index].name : NULL;
}

static void incompatible(struct mesh_breaking *b, const struct mesh_model_port *old, const struct mesh_model_port *new,
                         const struct mesh_compat_verdict *verdict, bool asked_for, const char *rule)
{
    const struct mesh_schema *reader = verdict->forward ? old->contract->schema : new->contract->schema;
    struct mesh_compat_names names = {.next = new->contract->name, .previous = old->contract->name, .rule = rule};
    const struct mesh_waiver *waiver = NULL;
    bool meant = mesh_breaking_raised(b);
    if (asked_for && !meant && verdict->compat.n > 0)
        meant = mesh_waivers_cover(&b->waivers, "MB007", mesh_breaking_part(b, "outputPorts", old->name, "contract"), &waiver);
    for (size_t i = 0; i < verdict->compat.n; i++) {
        const struct mesh_incompat *found = &verdict->compat.found[i];
        struct mesh_diag *diag =
            mesh_compat_diag(b->diags, asked_for && !meant ? MESH_ERROR : MESH_WARNING, "MB007", verdict, found, &names);
        mesh_diag_note(b->diags, diag, key_at(new, "contract"), "the port '%s' sends it under this contract", new->name);
        mesh_waivers_note(&b->waivers, diag, waiver);
        mesh_breaking_readers(b, diag, old, field_at(reader, found->pointer));
    }
}

static void compare_contract(struct mesh_breaking *b, const struct mesh_model_port *old, const struct mesh_model_port *new)
{
    if (old->contract == NULL || new->contract == NULL || old->contract->schema == NULL || new->contract->schema == NULL ||
        strcmp(old->contract->name, new->contract->name) == 0) /* the same version with another text is MB006 */
        return;
    enum mesh_compat_mode mode = b->now->compatibility;
    const char *rule = "";
    for (size_t i = 0; i < b->now->subjects.n; i++) {
        const struct mesh_model_subject *subject = b->now->subjects.v[i];
        if (strcmp(subject->name, new->contract->subject) != 0 || strcmp(subject->domain, new->contract->domain) != 0)
            continue;
        mode = subject->mode;
        rule = subject->mode_rule;
    }
    const struct mesh_schema *previous[] = {old->contract->schema};
    struct mesh_compat_verdict *verdicts = NULL;
    size_t n = 0;
    mesh_compat_evolve(b->arena, mode, new->contract->schema, previous, 1, &verdicts, &n);
    bool forward = false;
    for (size_t i = 0; i < n; i++) {
        forward = forward || verdicts[i].forward;
        incompatible(b, old, new, &verdicts[i], true, rule);
    }
    bool forward_asked = mode != MESH_COMPAT_NONE && mode != MESH_COMPAT_BACKWARD && mode != MESH_COMPAT_BACKWARD_TRANSITIVE;
    struct mesh_compat_verdict late = {.forward = true};
    if (!forward && !forward_asked) {
        mesh_compat_check(b->arena, old->contract->schema, new->contract->schema, MESH_COMPAT_WRITER_IS_NEW, &late.compat);
        incompatible(b, old, new, &late, false, mesh_arena_printf(b->arena, "%s: readers have to be upgraded first", rule));
    }
}

/* ---- what happens to fields at the border ---- */

static const struct mesh_port_field *field_of(const struct mesh_port_fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->list.n; i++) {
        if (strcmp(fields->list.v[i].name, name) == 0)
            return &fields->list.v[i];
    }
    return NULL;
}

static bool is_checked(const struct mesh_model_port *port)
{
    const struct mesh_gen_shape *shape = port->view != NULL          ? port->view->shape
                                         : port->from.stream != NULL ? port->from.stream->shape
                                                                     : NULL;
    return shape != NULL && port->protect.n == shape->members.n &&
           (port->kind != MESH_MODEL_KAFKA || (port->contract != NULL && port->contract->schema != NULL));
}

static void compare_protection(struct mesh_breaking *b, const struct mesh_model_port *old, const struct mesh_model_port *new)
{
    struct mesh_port_fields before = {0};
    struct mesh_port_fields now = {0};
    if (!mesh_breaking_sound(b->old) || !mesh_breaking_sound(b->new) || !is_checked(old) || !is_checked(new))
        return;
    mesh_port_fields_of(b->arena, old, &before);
    mesh_port_fields_of(b->arena, new, &now);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf list = MESH_BUF_NULL;
    bool weaker = false;
    for (size_t i = 0; i < before.list.n; i++) {
        const struct mesh_port_field *was = &before.list.v[i];
        const struct mesh_port_field *is = field_of(&now, was->name);
        if (is == NULL || (is->protect == was->protect && is->label == was->label))
            continue;
        mesh_buf_printf(&list, "%s%s", list.n == 0 ? "" : ", ", was->name);
        if (is->protect != was->protect)
            mesh_buf_printf(&list, " (%s, was %s)", mesh_port_protect_word(is->protect), mesh_port_protect_word(was->protect));
        else
            mesh_buf_printf(&list, " (%s, was %s)", mesh_port_label_word(is->label), mesh_port_label_word(was->label));
        weaker = weaker || (is->protect == MESH_AS_IS && was->protect != MESH_AS_IS) || is->protect == MESH_ON_CONSENT;
    }
    if (list.n == 0)
        return;
    struct mesh_diag *diag =
        mesh_breaking_add(b, "MB013", mesh_breaking_part(b, "outputPorts", old->name, "protect"), new->at, "protect them as before",
                          "the port '%s' protects fields otherwise: %s", old->name, list.p);
    mesh_diag_why(b->diags, diag, "%s",
                  weaker ? "what left under protection leaves as it is: whoever reads it now holds personal data"
                         : "readers find other values, or must protect what they did not have to");
    mesh_diag_note(b->diags, diag, old->at, "the port was this");
    mesh_breaking_readers(b, diag, old, NULL);
}

/* ---- views ---- */

static const char *key_of(struct mesh_breaking *b, const struct mesh_model_view *view)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    for (size_t i = 0; i < view->by.n; i++)
        mesh_buf_printf(&out, "%s%s", i == 0 ? "" : ", ", view->by.v[i]);
    return mesh_arena_printf(b->arena, "[%s]", out.n == 0 ? "" : out.p);
}

static const char *window_of(struct mesh_breaking *b, const struct mesh_model_view *view)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_puts(&out, view->window == MESH_WINDOW_NONE       ? "none"
                        : view->window == MESH_WINDOW_TUMBLING ? "tumbling "
                        : view->window == MESH_WINDOW_SESSION  ? "session "
                                                               : "hopping ");
    if (view->window != MESH_WINDOW_NONE)
        mesh_text_duration(&out, view->size_us);
    if (view->window == MESH_WINDOW_HOPPING) {
        mesh_buf_puts(&out, " every ");
        mesh_text_duration(&out, view->advance_us);
    }
    if (view->zone_name.text != NULL)
        mesh_buf_printf(&out, " of %s", view->zone_name.text);
    return mesh_arena_printf(b->arena, "%s", out.p);
}

static const char *length(struct mesh_breaking *b, int64_t us)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    if (us == 0)
        return "for ever";
    mesh_text_duration(&out, us);
    return mesh_arena_printf(b->arena, "%s", out.p);
}

static void view_readers(struct mesh_breaking *b, struct mesh_diag *diag, const struct mesh_model_view *view)
{
    for (size_t i = 0; i < b->old->ports.n; i++) {
        if (b->old->ports.v[i]->view == view)
            mesh_breaking_readers(b, diag, b->old->ports.v[i], NULL);
    }
}

static void view_changed(struct mesh_breaking *b, const struct mesh_model_view *old, const struct mesh_model_view *new,
                         const char *code, const char *key, const char *was, const char *is, const char *why, const char *fix)
{
    struct mesh_diag *diag =
        mesh_breaking_add(b, code, mesh_breaking_part(b, "views", old->name, key), mesh_check_key_at(new->yaml, key, new->at), fix,
                          "'%s' of the view '%s' is %s, it was %s", key, new->name, is, was);
    mesh_diag_why(b->diags, diag, "%s", why);
    mesh_diag_note(b->diags, diag, mesh_check_key_at(old->yaml, key, old->at), "it was declared here");
    view_readers(b, diag, old);
}

static const char *type_text(struct mesh_breaking *b, const struct mesh_gen_type *type)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_gen_type_describe(type, &out);
    return mesh_arena_printf(b->arena, "%s", out.p);
}

static void compare_columns(struct mesh_breaking *b, const struct mesh_model_view *old, const struct mesh_model_view *new)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf list = MESH_BUF_NULL;
    struct mesh_srcref first = {0};
    for (size_t i = 0; i < old->shape->members.n; i++) {
        const struct mesh_gen_member *was = &old->shape->members.v[i];
        const struct mesh_gen_member *is = mesh_gen_shape_member(new->shape, was->name);
        if (is != NULL && mesh_gen_type_eq(&is->type, &was->type))
            continue;
        struct mesh_gen_type wider = was->type;
        wider.nullable = is != NULL && is->type.nullable;
        if (is != NULL && was->type.nullable && mesh_gen_type_eq(&is->type, &wider))
            continue; /* it may no longer be null: nobody minds */
        if (first.source == NULL)
            first = was->at;
        mesh_buf_printf(&list, "%s%s (", list.n == 0 ? "" : ", ", was->name);
        if (is == NULL)
            mesh_buf_puts(&list, "gone)");
        else
            mesh_buf_printf(&list, "%s, was %s)", type_text(b, &is->type), type_text(b, &was->type));
    }
    if (list.n == 0)
        return;
    struct mesh_diag *diag = mesh_breaking_add(b, "MB009", mesh_breaking_part(b, "views", old->name, "let"), new->at,
                                               "keep the columns, and add the new ones beside them",
                                               "columns of the view '%s' changed: %s", new->name, list.p);
    mesh_diag_why(b->diags, diag, "who reads the rows finds another value, or none");
    mesh_diag_note(b->diags, diag, first, "one of them came from here");
    view_readers(b, diag, old);
}

void mesh_breaking_view(struct mesh_breaking *b, const struct mesh_model_port *port, const struct mesh_model_view *old,
                        const struct mesh_model_view *new)
{
    static const char own[] = "serve the new rows from a view and port of their own";
    const char *was = key_of(b, old);
    const char *is = key_of(b, new);
    if (strcmp(was, is) != 0)
        view_changed(b, old, new, "MB009", "by", was, is,
                     "a row says something about another thing, and is asked for by another key", own);
    was = window_of(b, old);
    is = window_of(b, new);
    if (strcmp(was, is) != 0)
        view_changed(b, old, new, "MB009", "window", was, is, "each row covers another time", own);
    if (port->kind == MESH_MODEL_KAFKA)
        return; /* its columns are those of the contract */
    if (new->keep_us != 0 && (old->keep_us == 0 || new->keep_us < old->keep_us))
        view_changed(b, old, new, "MB010", "keep", length(b, old->keep_us), length(b, new->keep_us),
                     "readers no longer find what is older",
                     old->keep_us == 0 ? "keep them for as long as before"
                                       : mesh_arena_printf(b->arena, "write 'keep: %s' again", length(b, old->keep_us)));
    if (old->shape != NULL && new->shape != NULL && mesh_breaking_sound(b->old) && mesh_breaking_sound(b->new))
        compare_columns(b, old, new);
}

/* ---- the port ---- */

static void compare_topic(struct mesh_breaking *b, const struct mesh_model_port *old, const struct mesh_model_port *new)
{
    if (differ(old->topic.text, new->topic.text))
        changed(b, old, new, "MB003", "topic", old->topic.text, new->topic.text,
                "nothing new comes to the topic that readers follow", "keep the topic, or send both from two ports for a while");
    if (differ(old->key.text, new->key.text))
        changed(b, old, new, "MB004", "key", old->key.text, new->key.text,
                "other records meet in a partition and in compaction, and readers that keep a table find none of their keys",
                "send the new key to a topic of its own");
    int32_t before = old->partitions > 0 ? old->partitions : b->before->default_partitions;
    int32_t now = new->partitions > 0 ? new->partitions : b->now->default_partitions;
    if (before != now)
        changed(b, old, new, "MB005", "partitions", mesh_arena_printf(b->arena, "%d", before),
                mesh_arena_printf(b->arena, "%d", now),
                "the partition of a key depends on their number: its records lie in two partitions, and joins that need equal "
                "numbers fail",
                "keep the number, or send to a new topic");
    if (old->compact != new->compact)
        changed(b, old, new, "MB014", "cleanup", old->compact ? "compact" : "delete", new->compact ? "compact" : "delete",
                new->compact ? "older records of a key disappear from the topic"
                             : "the newest record of a key disappears with its age",
                "send to a new topic");
    if (old->delivery == MESH_EXACTLY_ONCE && new->delivery == MESH_AT_LEAST_ONCE)
        changed(b, old, new, "MB014", "delivery", "exactly_once", "at_least_once",
                "readers outside of the mesh may see records twice", "write 'delivery: exactly_once' again");
    compare_contract(b, old, new);
}

static const char *roles_of(struct mesh_breaking *b, const struct mesh_model_port *port)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    for (size_t i = 0; i < port->roles.n; i++)
        mesh_buf_printf(&out, "%s%s", i == 0 ? "" : ", ", port->roles.v[i]);
    return mesh_arena_printf(b->arena, "[%s]", out.n == 0 ? "" : out.p);
}

void mesh_breaking_port(struct mesh_breaking *b, const struct mesh_model_port *old, const struct mesh_model_port *new)
{
    static const char *const emits[] = {"event", "change", "close"};
    if (old->kind == MESH_MODEL_KAFKA)
        compare_topic(b, old, new);
    if (old->emit != new->emit)
        changed(b, old, new, "MB014", "emit", emits[old->emit], emits[new->emit], "readers get other records, at other times",
                "send from a port of its own");
    const char *was = roles_of(b, old);
    const char *is = roles_of(b, new);
    if (strcmp(was, is) != 0)
        changed(b, old, new, "MB014", "roles", was, is, "who has none of the roles is refused, and others may ask",
                "serve both from two ports for a while");
    if (differ(old->path.text, new->path.text))
        changed(b, old, new, "MB008", "path", old->path.text, new->path.text, "who asks for the old path gets 404",
                "keep the path, or serve both from two ports for a while");
    if (differ(old->collection.text, new->collection.text))
        changed(b, old, new, "MB008", "collection", old->collection.text, new->collection.text,
                "the old collection stands still, and nobody says so",
                "keep the collection, or fill both from two ports for a while");
    compare_protection(b, old, new);
    bool seen = old->view == NULL || new->view == NULL;
    for (size_t i = 0; i < b->seen.n; i++)
        seen = seen || b->seen.v[i] == old->view;
    if (seen)
        return;
    if (old->kind != MESH_MODEL_KAFKA) /* a kafka port looks at less: another one of the view may follow */
        *mesh_vec_push_in(b->arena, &b->seen) = old->view;
    mesh_breaking_view(b, old, old->view, new->view);
}
