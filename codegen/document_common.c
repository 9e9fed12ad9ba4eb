/* One place for what several documents say, so that they cannot say different things. */
#include "codegen/document_common.h"

#include "base/text.h"
#include "codegen/yaml.h"

#include <string.h>

/* ---- custom properties ---- */

void mesh_custom_begin(struct mesh_json_out *json)
{
    mesh_json_out_array(json, "customProperties");
}

void mesh_custom_open(struct mesh_json_out *json, const char *property)
{
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "property", property);
}

void mesh_custom_close(struct mesh_json_out *json)
{
    mesh_json_out_end(json);
}

static void open_line(struct mesh_json_out *json, const char *property)
{
    mesh_json_out_object_line(json, NULL);
    mesh_json_out_text(json, "property", property);
}

void mesh_custom_text(struct mesh_json_out *json, const char *property, const char *value)
{
    if (value == NULL)
        return;
    open_line(json, property);
    mesh_json_out_text(json, "value", value);
    mesh_json_out_end(json);
}

void mesh_custom_long(struct mesh_json_out *json, const char *property, int64_t value)
{
    open_line(json, property);
    mesh_json_out_long(json, "value", value);
    mesh_json_out_end(json);
}

void mesh_custom_bool(struct mesh_json_out *json, const char *property, bool value)
{
    open_line(json, property);
    mesh_json_out_bool(json, "value", value);
    mesh_json_out_end(json);
}

void mesh_custom_end(struct mesh_json_out *json)
{
    mesh_json_out_end(json);
}

static void custom_list(struct mesh_json_out *json, const char *property, const char *const *texts, size_t n)
{
    open_line(json, property);
    mesh_json_out_array_line(json, "value");
    for (size_t i = 0; i < n; i++)
        mesh_json_out_text(json, NULL, texts[i]);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void duration(struct mesh_json_out *json, const char *key, int64_t us)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_text_duration(&text, us);
    mesh_json_out_text(json, key, text.p);
}

/* ---- names ---- */

const char *mesh_document_kind(enum mesh_model_port_kind kind)
{
    static const char *const words[] = {
        [MESH_MODEL_KAFKA] = "kafka", [MESH_MODEL_HTTP] = "http", [MESH_MODEL_MONGO] = "mongo", [MESH_MODEL_SSE] = "sse"};
    return words[kind];
}

const char *mesh_document_port_id(struct mesh_arena *arena, const struct mesh_model_port *port)
{
    const struct mesh_model_product *m = port->product;
    return mesh_arena_printf(arena, "%s.%s.%s.%s", m->mesh->name, m->domain.text, m->name.text, port->name);
}

void mesh_document_contract_id(struct mesh_json_out *json, const char *key, const struct mesh_model_port *port)
{
    mesh_json_out_text(json, key, mesh_document_port_id(port->product->mesh->arena, port));
}

/* ---- people and promises ---- */

void mesh_document_people(struct mesh_json_out *json, const struct mesh_model_product *product, bool url_needed)
{
    mesh_json_out_object(json, "team");
    mesh_json_out_text(json, "name", product->team.text);
    mesh_json_out_array(json, "members");
    for (size_t i = 0; i < product->members.n; i++) {
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_text(json, "username", product->members.v[i].username.text);
        mesh_json_out_text(json, "role", product->members.v[i].role.text);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    const struct mesh_yaml *support = mesh_yaml_get(product->yaml, "support");
    mesh_json_out_array(json, "support");
    for (size_t i = 0; support != NULL && i < support->items.n; i++) {
        static const char *const keys[] = {"channel", "tool", "url"};
        if (url_needed && mesh_yaml_get(support->items.v[i], "url") == NULL)
            continue;
        mesh_json_out_object_line(json, NULL);
        for (size_t k = 0; k < MESH_LEN(keys); k++) {
            const struct mesh_yaml *value = mesh_yaml_get(support->items.v[i], keys[k]);
            mesh_json_out_text(json, keys[k], value == NULL ? NULL : value->text);
        }
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
}

/* A duration in the largest unit that counts it in whole numbers. */
static void sla_duration(struct mesh_json_out *json, const char *property, const char *text)
{
    static const struct {
        int64_t us;
        const char *name;
    } units[] = {{MESH_DAY_US, "d"}, {3600 * MESH_SECOND_US, "h"}, {60 * MESH_SECOND_US, "m"}, {MESH_SECOND_US, "s"}, {1000, "ms"}};
    int64_t us = 0;
    if (text == NULL || mesh_text_parse_duration(mesh_str_of(text), &us) != 0)
        return;
    size_t unit = 0;
    while (unit + 1 < MESH_LEN(units) && us % units[unit].us != 0)
        unit++;
    mesh_json_out_object_line(json, NULL);
    mesh_json_out_text(json, "property", property);
    mesh_json_out_long(json, "value", us / units[unit].us);
    mesh_json_out_text(json, "unit", units[unit].name);
    mesh_json_out_end(json);
}

static void sla_percent(struct mesh_json_out *json, const char *property, const char *text)
{
    double value = 0;
    size_t n = text == NULL ? 0 : strcspn(text, "%");
    if (n == 0 || mesh_text_parse_double((struct mesh_str){text, (uint32_t)n}, &value) != 0)
        return;
    mesh_json_out_object_line(json, NULL);
    mesh_json_out_text(json, "property", property);
    mesh_json_out_double(json, "value", value);
    mesh_json_out_text(json, "unit", "percent");
    mesh_json_out_end(json);
}

void mesh_document_promises(struct mesh_json_out *json, const char *key, const struct mesh_model_product *product)
{
    mesh_json_out_array(json, key);
    sla_duration(json, "latency", product->sla_latency.text);
    sla_percent(json, "availability", product->sla_availability.text);
    sla_duration(json, "retention", product->sla_retention.text);
    mesh_json_out_end(json);
}

/* ---- ports ---- */

static void view_custom(struct mesh_json_out *json, const struct mesh_model_view *view)
{
    mesh_custom_text(json, "view", view->name);
    custom_list(json, "rowKey", view->by.v, view->by.n);
    if (view->window != MESH_WINDOW_NONE) {
        bool session = view->window == MESH_WINDOW_SESSION;
        open_line(json, "window");
        mesh_json_out_object_line(json, "value");
        mesh_json_out_text(json, "kind", session ? "session" : view->window == MESH_WINDOW_HOPPING ? "hopping" : "tumbling");
        duration(json, session ? "gap" : "size", view->size_us);
        if (!session)
            duration(json, "advance", view->advance_us > 0 ? view->advance_us : view->size_us);
        if (view->zone != NULL)
            mesh_json_out_text(json, "zone", view->zone->name);
        duration(json, "grace", view->grace_us);
        mesh_json_out_end(json);
        mesh_json_out_end(json);
    }
    if (view->keep_us > 0) {
        open_line(json, "keep");
        duration(json, "value", view->keep_us);
        mesh_json_out_end(json);
    }
}

void mesh_document_port_custom(struct mesh_json_out *json, const struct mesh_model_port *port)
{
    static const char *const emits[] = {[MESH_EMIT_EVENT] = "event", [MESH_EMIT_CHANGE] = "change", [MESH_EMIT_CLOSE] = "close"};
    mesh_custom_text(json, "kind", mesh_document_kind(port->kind));
    if (port->kind == MESH_MODEL_KAFKA) {
        mesh_custom_text(json, "topic", port->topic.text);
        mesh_custom_text(json, "schema", port->contract->name);
        mesh_custom_text(json, "key", port->key.text);
        mesh_custom_long(json, "partitions", port->partitions > 0 ? port->partitions : port->product->mesh->default_partitions);
        mesh_custom_text(json, "cleanup", port->compact ? "compact" : "delete");
        mesh_custom_text(json, "emit", emits[port->emit]);
        mesh_custom_text(json, "delivery", port->delivery == MESH_EXACTLY_ONCE ? "exactly_once" : "at_least_once");
    } else if (port->kind == MESH_MODEL_MONGO) {
        mesh_custom_text(json, "collection", port->collection.text);
    } else {
        mesh_custom_text(json, "path", port->path.text);
    }
    if (port->kind == MESH_MODEL_SSE) {
        mesh_custom_text(json, "emit", emits[port->emit]);
        mesh_custom_long(json, "replay", port->replay);
    }
    if (port->roles.n > 0)
        custom_list(json, "roles", port->roles.v, port->roles.n);
    if (port->view != NULL)
        view_custom(json, port->view);
    else
        mesh_custom_text(json, "stream", port->from.stream->name);
}
