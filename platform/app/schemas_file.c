/* The ids of the ports and the schemas that were met, as of the last run, beside the state: with them a start needs no registry. The
 * ports' are checked as soon as the registry answers. A file of another registry, of other ports or contracts, or that cannot be read, is as good as none. */
#include "app/schemas_int.h"

#include "base/check.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>

static void path_of(const struct mesh_schemas *s, struct mesh_buf *ret)
{
    mesh_buf_printf(ret, "%s/%s", s->conf.dir, MESH_SCHEMAS_FILE);
}

static int64_t number_of(const struct mesh_json *object, const char *key)
{
    const struct mesh_json *v = mesh_json_get(object, key);
    int64_t n = -1;
    return v != NULL && v->kind == MESH_JSON_NUMBER && mesh_text_parse_long(mesh_str_of(v->text), &n) == 0 ? n : -1;
}

static bool is_text(const struct mesh_json *object, const char *key, const char *text)
{
    const struct mesh_json *v = mesh_json_get(object, key);
    return v != NULL && v->kind == MESH_JSON_STRING && strcmp(v->text, text) == 0;
}

static uint32_t id_of(const struct mesh_json *list, const struct mesh_port *port)
{
    for (uint32_t i = 0; list != NULL && list->kind == MESH_JSON_ARRAY && i < list->n; i++) {
        int64_t id = number_of(list->items[i], "id");
        if (is_text(list->items[i], "port", port->name) && is_text(list->items[i], "topic", port->topic) &&
            number_of(list->items[i], "contract") == (int64_t)port->contract->local_id && id > 0 && id <= UINT32_MAX)
            return (uint32_t)id;
    }
    return 0;
}

void mesh_schemas_file_read(struct mesh_schemas *s)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_diags diags = {.arena = &arena};
    struct mesh_err err = {0};
    const struct mesh_product *product = s->conf.product;
    path_of(s, &path);
    if (!mesh_fs_exists(path.p) || mesh_fs_read(path.p, 2 * MESH_SCHEMAS_FILE_BYTES, &text, &err) < 0)
        return;
    const struct mesh_json *json = mesh_json_parse(&arena, mesh_source_new(&arena, path.p, text.p, text.n), &diags, "MC001");
    if (!is_text(json, "registry", s->conf.registry->url) || number_of(json, "subjects") != (int64_t)s->conf.subjects)
        return;
    bool all = true;
    for (uint32_t i = 0; i < product->n_ports; i++) {
        if (product->ports[i].contract == NULL)
            continue;
        s->port_ids[i] = id_of(mesh_json_get(json, "ports"), &product->ports[i]);
        all = all && s->port_ids[i] != 0;
    }
    s->ready = s->ids_changed = all;
    const struct mesh_json *list = mesh_json_get(json, "schemas");
    for (uint32_t i = 0; list != NULL && list->kind == MESH_JSON_ARRAY && i < list->n; i++) {
        int64_t id = number_of(list->items[i], "id");
        const struct mesh_json *avsc = mesh_json_get(list->items[i], "schema");
        if (id > 0 && id <= UINT32_MAX && avsc != NULL && avsc->kind == MESH_JSON_STRING)
            (void)mesh_schemas_file_add(s, &(struct mesh_registry_schema){.id = (uint32_t)id, .text = avsc->text});
    }
    for (size_t i = 0; i < s->seen.n; i++)
        mesh_registry_keep(s->registry, &s->seen.v[i]);
}

bool mesh_schemas_file_add(struct mesh_schemas *s, const struct mesh_registry_schema *schema)
{
    size_t bytes = strlen(schema->text);
    if (schema->n_refs > 0 || s->seen.n == MESH_SCHEMAS_MAX || s->seen_bytes + bytes > MESH_SCHEMAS_FILE_BYTES)
        return false;
    for (size_t i = 0; i < s->seen.n; i++)
        if (s->seen.v[i].id == schema->id)
            return false;
    *mesh_vec_push(&s->seen) = (struct mesh_registry_schema){.id = schema->id, .text = mesh_arena_strdup(&s->arena, schema->text)};
    s->seen_bytes += bytes;
    return true;
}

int mesh_schemas_file_write(struct mesh_schemas *s, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    const struct mesh_product *product = s->conf.product;
    bool any = false;
    path_of(s, &path);
    mesh_buf_puts(&text, "{\"registry\":");
    mesh_json_string(&text, mesh_str_of(s->conf.registry->url));
    mesh_buf_printf(&text, ",\"subjects\":%d,\"ports\":[", (int)s->conf.subjects);
    for (uint32_t i = 0; i < product->n_ports; i++) {
        if (product->ports[i].contract == NULL)
            continue;
        mesh_buf_puts(&text, any ? ",\n{\"port\":" : "\n{\"port\":");
        mesh_json_string(&text, mesh_str_of(product->ports[i].name));
        mesh_buf_puts(&text, ",\"topic\":");
        mesh_json_string(&text, mesh_str_of(product->ports[i].topic));
        mesh_buf_printf(&text, ",\"contract\":%u,\"id\":%u}", (unsigned)product->ports[i].contract->local_id,
                        (unsigned)s->port_ids[i]);
        any = true;
    }
    mesh_buf_puts(&text, "],\n\"schemas\":[");
    for (size_t i = 0; i < s->seen.n; i++) {
        mesh_buf_printf(&text, "%s\n{\"id\":%u,\"schema\":", i == 0 ? "" : ",", (unsigned)s->seen.v[i].id);
        mesh_json_string(&text, mesh_str_of(s->seen.v[i].text));
        mesh_buf_putc(&text, '}');
    }
    mesh_buf_puts(&text, "]}\n");
    if (mesh_fs_mkdirs(s->conf.dir, err) < 0)
        return -1;
    return mesh_fs_write_atomic(path.p, text.p, text.n, err);
}
