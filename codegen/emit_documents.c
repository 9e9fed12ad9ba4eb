/* What a product says of itself: the texts that its service answers with, and the same as files beside the C. */
#include "codegen/emit_int.h"

#include "codegen/document_common.h"
#include "codegen/show_lineage.h"

#include <string.h>

/* What is nested deeper stands on the line of its parent. */
#define DOCUMENT_DEPTH_MAX 4
#define CONTRACT_DEPTH_MAX 3

/* Join the lines of pretty JSON below a depth: one line for each field of a port instead of twenty. */
static void fold_json(struct mesh_buf *json, int depth_max)
{
    size_t to = 0;
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < json->n; i++) {
        char c = json->p[i];
        if (in_string) {
            json->p[to++] = c;
            if (c == '\\')
                json->p[to++] = json->p[++i];
            else if (c == '"')
                in_string = false;
            continue;
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        in_string = c == '"';
        if (c == '\n') {
            size_t next = i + 1;
            while (next < json->n && json->p[next] == ' ')
                next++;
            bool closes = next < json->n && (json->p[next] == '}' || json->p[next] == ']');
            if (depth - (closes ? 1 : 0) >= depth_max || (closes && depth > depth_max)) {
                if (to > 0 && json->p[to - 1] == ',')
                    json->p[to++] = ' ';
                i = next - 1;
                continue;
            }
        }
        json->p[to++] = c;
    }
    json->n = to;
    json->p[to] = 0;
}

/* A long text as lines of C string literals. */
static void literal_lines(struct mesh_arena *arena, struct mesh_data *data, const char *name, const struct mesh_buf *text)
{
    struct mesh_data *lines = mesh_data_sub(arena, data, name);
    const char *p = text->p;
    const char *end = text->p + text->n;
    while (p < end) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        size_t n = eol == NULL ? (size_t)(end - p) : (size_t)(eol - p + 1);
        struct mesh_data *line = mesh_data_add(arena, lines);
        mesh_data_prose(arena, line, "text", mesh_arena_str(arena, (struct mesh_str){p, (uint32_t)n}));
        p += n;
    }
}

/* `path`: where the service answers with it, without the slash; NULL: the template knows. */
static void add(struct mesh_emitter *e, struct mesh_data *list, struct mesh_emit_documents *ret, const char *name, const char *path,
                const char *file, struct mesh_buf *text)
{
    fold_json(text, strncmp(name, "contract_of_", 12) == 0 ? CONTRACT_DEPTH_MAX : DOCUMENT_DEPTH_MAX);
    struct mesh_data *item = mesh_data_add(e->arena, list);
    mesh_data_code(e->arena, item, "name", "%s", name);
    mesh_data_prose(e->arena, item, "path", path);
    literal_lines(e->arena, item, "lines", text);
    *mesh_vec_push_in(e->arena, &ret->list) = (struct mesh_emit_document_file){file, mesh_arena_strdup(e->arena, text->p)};
}

void mesh_emit_documents(struct mesh_emitter *e, struct mesh_data *data, struct mesh_emit_documents *ret)
{
    struct mesh_arena *arena = e->arena;
    const struct mesh_model_product *m = e->product;
    *ret = (struct mesh_emit_documents){0};
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf document = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf openapi = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf asyncapi = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf lineage = MESH_BUF_NULL;
    mesh_emit_document(e, &document);
    mesh_emit_openapi(e, &openapi);
    mesh_emit_asyncapi(e, &asyncapi);
    struct mesh_show_lineage show = {.arena = arena, .model = m->mesh, .product = m};
    mesh_show_lineage_json(&show, &lineage);
    struct mesh_data *own = mesh_data_sub(arena, data, "own_documents");
    struct mesh_data *list = mesh_data_sub(arena, data, "documents");
    add(e, own, ret, mesh_arena_printf(arena, "%s_document", e->p), NULL, mesh_arena_printf(arena, "%s.product.json", e->p),
        &document);
    add(e, own, ret, mesh_arena_printf(arena, "%s_openapi", e->p), NULL, mesh_arena_printf(arena, "%s.openapi.json", e->p),
        &openapi);
    add(e, list, ret, "asyncapi", "asyncapi.json", mesh_arena_printf(arena, "%s.asyncapi.json", e->p), &asyncapi);
    add(e, list, ret, "lineage", "lineage", mesh_arena_printf(arena, "%s.lineage.json", e->p), &lineage);
    for (size_t i = 0; i < m->ports.n; i++) {
        const struct mesh_model_port *port = m->ports.v[i];
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf contract = MESH_BUF_NULL;
        mesh_emit_contract(e, port, &contract);
        add(e, list, ret, mesh_arena_printf(arena, "contract_of_%s", port->name),
            mesh_arena_printf(arena, "contracts/%s", mesh_document_port_id(arena, port)),
            mesh_arena_printf(arena, "%s.%s.odcs.json", e->p, port->name), &contract);
    }
}
