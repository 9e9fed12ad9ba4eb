/* The constant table of output ports: where each is, what it does with fields, who may ask. */
#include "codegen/check.h"
#include "codegen/emit_int.h"

#include <string.h>

/* What an event of a stream shows: its record, member by member, and their protection. */
static void event_fields(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_model_port *port)
{
    const struct mesh_gen_shape *shape = mesh_emit_port_shape(e, port);
    const char *owner = mesh_emit_struct_name(e, shape);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf list = MESH_BUF_NULL;
    mesh_emit_line(out, 0, "static const struct mesh_field fields_of_port_%s[] = {", port->name);
    for (size_t i = 0; i < shape->members.n; i++) {
        if (!shape->members.v[i].used || !mesh_emit_has_c_type(&shape->members.v[i].type))
            continue; /* it is left out at the border, and nobody else reads it */
        mesh_emit_field(e, out, owner, &shape->members.v[i], MESH_AS_IS);
        mesh_buf_printf(&list, "%s%s", list.n > 0 ? ", " : "",
                        mesh_emit_protect(i < port->protect.n ? port->protect.v[i] : MESH_AS_IS));
    }
    mesh_emit_line(out, 0, "};");
    mesh_emit_line(out, 0, "static const enum mesh_protect protect_of_%s[] = {%s};", port->name, list.p == NULL ? "" : list.p);
    mesh_emit_blank(out);
}

/* A port's protection, per member of the out struct (window and revision members stand between key and let). */
static void port_protect(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_model_port *port)
{
    if (port->kind == MESH_MODEL_KAFKA)
        return;
    if (port->view == NULL) {
        event_fields(e, out, port);
        return;
    }
    const struct mesh_model_view *m = port->view;
    size_t extra = m->window != MESH_WINDOW_NONE ? 4 : 1;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf list = MESH_BUF_NULL;
    for (size_t i = 0; i < m->shape->members.n + extra; i++) {
        enum mesh_protect protect = MESH_AS_IS;
        if (i < m->by.n)
            protect = i < port->protect.n ? port->protect.v[i] : MESH_AS_IS;
        else if (i >= m->by.n + extra)
            protect = i - extra < port->protect.n ? port->protect.v[i - extra] : MESH_AS_IS;
        mesh_buf_printf(&list, "%s%s", i > 0 ? ", " : "", mesh_emit_protect(protect));
    }
    mesh_emit_line(out, 0, "static const enum mesh_protect protect_of_%s[] = {%s};", port->name, list.p);
    mesh_emit_blank(out);
}

/* Where a member of the shape stands in the out struct. */
static size_t out_place(const struct mesh_model_view *view, const char *name)
{
    size_t extra = view->window != MESH_WINDOW_NONE ? 4 : 1;
    for (size_t i = 0; i < view->shape->members.n; i++)
        if (strcmp(view->shape->members.v[i].name, name) == 0)
            return i < view->by.n ? i : i + extra;
    mesh_assert(false); /* checked */
    return 0;
}

static void consents(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_model_port *port)
{
    size_t n = 0;
    for (size_t i = 0; i < port->releases.n; i++) {
        const struct mesh_model_release *release = &port->releases.v[i];
        if (!mesh_consent_asked(release))
            continue;
        if (n++ == 0)
            mesh_emit_line(out, 2, ".consents = (const struct mesh_port_consent[]){");
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf list = MESH_BUF_NULL;
        for (size_t k = 0; k < release->fields.n; k++)
            mesh_buf_printf(&list, "%s%zu", k > 0 ? ", " : "", out_place(port->view, release->fields.v[k]));
        mesh_emit_line(out, 3, "{");
        mesh_emit_line(out, 4, ".purpose = \"%s\",", release->purpose);
        mesh_emit_line(out, 4, ".granted = %zu,", out_place(port->view, mesh_consent_column(e->arena, release->purpose, "")));
        mesh_emit_line(out, 4, ".given = %zu,", out_place(port->view, mesh_consent_column(e->arena, release->purpose, "_given")));
        mesh_emit_line(out, 4, ".members = (const uint32_t[]){%s},", list.p);
        mesh_emit_line(out, 4, ".n_members = %zu,", release->fields.n);
        if (release->without_row)
            mesh_emit_line(out, 4, ".row = true,");
        mesh_emit_line(out, 3, "},");
    }
    if (n > 0) {
        mesh_emit_line(out, 2, "},");
        mesh_emit_line(out, 2, ".n_consents = %zu,", n);
    }
}

static void word_list(struct mesh_emitter *e, struct mesh_buf *out, const char *member, const char *const *words, size_t n)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf list = MESH_BUF_NULL;
    for (size_t i = 0; i < n; i++)
        mesh_buf_printf(&list, "%s%s", i > 0 ? ", " : "", mesh_emit_cstr(e, words[i]));
    if (n == 0)
        return;
    mesh_emit_line(out, 2, ".%s = (const char *const[]){%s},", member, list.p);
    mesh_emit_line(out, 2, ".n_%s = %zu,", member, n);
}

/* The roles that are declared, and the purposes that personal fields are released for. */
static void who_may_ask(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_model_port *port)
{
    MESH_VEC(const char *) purposes = {0};
    for (size_t i = 0; i < port->releases.n; i++)
        *mesh_vec_push_in(e->arena, &purposes) = port->releases.v[i].purpose;
    word_list(e, out, "roles", port->roles.v, port->roles.n);
    word_list(e, out, "purposes", purposes.v, purposes.n);
}

void mesh_emit_port_table(struct mesh_emitter *e, struct mesh_buf *out)
{
    static const char *const emits[] = {
        [MESH_EMIT_EVENT] = "MESH_EMIT_EVENT", [MESH_EMIT_CHANGE] = "MESH_EMIT_CHANGE", [MESH_EMIT_CLOSE] = "MESH_EMIT_CLOSE"};
    for (size_t i = 0; i < e->product->ports.n; i++)
        port_protect(e, out, e->product->ports.v[i]);
    mesh_emit_line(out, 0, "static const struct mesh_port ports[] = {");
    for (size_t i = 0; i < e->product->ports.n; i++) {
        const struct mesh_model_port *port = e->product->ports.v[i];
        mesh_emit_line(out, 1, "[%s_PORT_%s] = {", e->p, port->name);
        mesh_emit_line(out, 2, ".name = \"%s\",", port->name);
        mesh_emit_line(out, 2, ".doc = %s,", mesh_emit_cstr(e, port->doc == NULL ? "" : port->doc));
        static const char *const kinds[] = {[MESH_MODEL_KAFKA] = "MESH_PORT_KAFKA",
                                            [MESH_MODEL_HTTP] = "MESH_PORT_HTTP",
                                            [MESH_MODEL_MONGO] = "MESH_PORT_MONGO",
                                            [MESH_MODEL_SSE] = "MESH_PORT_SSE"};
        mesh_emit_line(out, 2, ".kind = %s,", kinds[port->kind]);
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf site = MESH_BUF_NULL;
        mesh_emit_site(e, &site, port->at, "outputPorts.%s", port->name);
        mesh_emit_line(out, 2, ".site = %s,", site.p);
        if (port->kind == MESH_MODEL_KAFKA) {
            mesh_emit_line(out, 2, ".topic = %s,", mesh_emit_cstr(e, port->topic.text));
            mesh_emit_line(out, 2, ".partitions = %d,",
                           port->partitions > 0 ? port->partitions : e->product->mesh->default_partitions);
            if (port->compact)
                mesh_emit_line(out, 2, ".compact = true,");
            mesh_emit_line(out, 2, ".contract = &contract_of_%s,", port->name);
            mesh_emit_line(
                out, 2, port->delivery == MESH_EXACTLY_ONCE ? ".delivery = MESH_EXACTLY_ONCE," : ".delivery = MESH_AT_LEAST_ONCE,");
            mesh_emit_line(out, 2, ".emit = %s,", emits[port->emit]);
            if (port->view != NULL)
                mesh_emit_line(out, 2, ".encode = %s_encode_%s,", e->p, port->name);
        } else if (port->kind == MESH_MODEL_HTTP) {
            mesh_emit_line(out, 2, ".path = %s,", mesh_emit_cstr(e, port->path.text));
        } else if (port->kind == MESH_MODEL_SSE) {
            const char *fields = port->view == NULL ? mesh_arena_printf(e->arena, "fields_of_port_%s", port->name)
                                                    : mesh_arena_printf(e->arena, "fields_of_%s_out", port->view->name);
            mesh_emit_line(out, 2, ".path = %s,", mesh_emit_cstr(e, port->path.text));
            mesh_emit_line(out, 2, ".emit = %s,", emits[port->emit]);
            mesh_emit_line(out, 2, ".out = %s,", fields);
            mesh_emit_line(out, 2, ".n_out = sizeof %s / sizeof %s[0],", fields, fields);
            mesh_emit_line(out, 2, ".replay = %d,", port->replay);
        } else {
            mesh_emit_line(out, 2, ".collection = %s,", mesh_emit_cstr(e, port->collection.text));
        }
        if (port->view != NULL)
            mesh_emit_line(out, 2, ".view = %s_VIEW_%s,", e->p, port->view->name);
        if (port->kind != MESH_MODEL_KAFKA)
            mesh_emit_line(out, 2, ".protect = protect_of_%s,", port->name);
        if (port->kind == MESH_MODEL_HTTP || port->kind == MESH_MODEL_SSE)
            who_may_ask(e, out, port);
        consents(e, out, port);
        mesh_emit_line(out, 1, "},");
    }
    mesh_emit_line(out, 0, "};");
    mesh_emit_blank(out);
}
