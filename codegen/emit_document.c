/* The document of a product, in the words of the Open Data Product Standard 1.1.0 where it has them. Beyond them: where a port is
 * found (topic, path, collection) and how it behaves, `fields` and `lineage` per output port. Whoever asks "who owns this, how
 * fresh is it, where is it, what is in it, where does it come from" is answered by one GET. */
#include "codegen/emit_int.h"

#include "base/text.h"
#include "codegen/json_out.h"
#include "codegen/lineage.h"
#include "codegen/port_fields.h"
#include "codegen/yaml.h"

#include <string.h>

static const char *kind_word(enum mesh_model_port_kind kind)
{
    static const char *const words[] = {
        [MESH_MODEL_KAFKA] = "kafka", [MESH_MODEL_HTTP] = "http", [MESH_MODEL_MONGO] = "mongo", [MESH_MODEL_SSE] = "sse"};
    return words[kind];
}

static void duration(struct mesh_json_out *json, const char *key, int64_t us)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_text_duration(&text, us);
    mesh_json_out_text(json, key, text.p);
}

/* ---- who, what for, how good ---- */

static void identity(struct mesh_emitter *e, struct mesh_json_out *json)
{
    const struct mesh_model_product *m = e->product;
    static const char *const types[][2] = {
        {"source-aligned", "sourceAligned"}, {"aggregate", "aggregate"}, {"consumer-aligned", "consumerAligned"}};
    mesh_json_out_text(json, "apiVersion", "v1.1.0");
    mesh_json_out_text(json, "kind", "DataProduct");
    mesh_json_out_format(json, "id", "%s.%s.%s", m->mesh->name, m->domain.text, m->name.text);
    mesh_json_out_text(json, "name", m->name.text);
    mesh_json_out_text(json, "version", m->version.text);
    mesh_json_out_text(json, "status", m->status.text);
    mesh_json_out_text(json, "domain", m->domain.text);
    mesh_json_out_text(json, "tenant", m->mesh->name);
    for (size_t i = 0; i < MESH_LEN(types); i++)
        if (m->type.text != NULL && strcmp(m->type.text, types[i][0]) == 0)
            mesh_json_out_text(json, "type", types[i][1]);
    mesh_json_out_object(json, "description");
    mesh_json_out_text(json, "purpose", m->purpose.text);
    mesh_json_out_text(json, "limitations", m->limitations.text);
    mesh_json_out_text(json, "usage", m->usage.text);
    mesh_json_out_end(json);
}

static void people(struct mesh_emitter *e, struct mesh_json_out *json)
{
    const struct mesh_model_product *m = e->product;
    mesh_json_out_object(json, "team");
    mesh_json_out_text(json, "name", m->team.text);
    mesh_json_out_array(json, "members");
    for (size_t i = 0; i < m->members.n; i++) {
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_text(json, "username", m->members.v[i].username.text);
        mesh_json_out_text(json, "role", m->members.v[i].role.text);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    const struct mesh_yaml *support = mesh_yaml_get(m->yaml, "support");
    mesh_json_out_array(json, "support");
    for (size_t i = 0; support != NULL && i < support->items.n; i++) {
        static const char *const keys[] = {"channel", "tool", "url"};
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

static void promises(struct mesh_emitter *e, struct mesh_json_out *json)
{
    mesh_json_out_array(json, "slaProperties");
    sla_duration(json, "latency", e->product->sla_latency.text);
    sla_percent(json, "availability", e->product->sla_availability.text);
    sla_duration(json, "retention", e->product->sla_retention.text);
    mesh_json_out_end(json);
}

/* ---- ports ---- */

static void input_port(struct mesh_json_out *json, const struct mesh_model_input *input)
{
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "name", input->name);
    mesh_json_out_format(json, "version", "%d", input->contract->version);
    mesh_json_out_text(json, "contractId", input->contract->name);
    mesh_json_out_text(json, "description", input->contract->schema->doc);
    mesh_json_out_text(json, "kind", "kafka");
    mesh_json_out_text(json, "product", input->product);
    mesh_json_out_text(json, "productPort", input->product_port == NULL ? NULL : input->product_port->name);
    mesh_json_out_text(json, "topic", input->topic.text);
    mesh_json_out_text(json, "key", input->key.text);
    mesh_json_out_text(json, "eventTime", input->event_time.text);
    mesh_json_out_bool(json, "table", input->is_table);
    mesh_json_out_end(json);
}

static void view_behaviour(struct mesh_json_out *json, const struct mesh_model_view *view)
{
    mesh_json_out_text(json, "view", view->name);
    mesh_json_out_array_line(json, "rowKey");
    for (size_t i = 0; i < view->by.n; i++)
        mesh_json_out_text(json, NULL, view->by.v[i]);
    mesh_json_out_end(json);
    if (view->window != MESH_WINDOW_NONE) {
        mesh_json_out_object_line(json, "window");
        bool session = view->window == MESH_WINDOW_SESSION;
        mesh_json_out_text(json, "kind", session ? "session" : view->window == MESH_WINDOW_HOPPING ? "hopping" : "tumbling");
        duration(json, session ? "gap" : "size", view->size_us);
        if (!session)
            duration(json, "advance", view->advance_us > 0 ? view->advance_us : view->size_us);
        if (view->zone != NULL)
            mesh_json_out_text(json, "zone", view->zone->name);
        duration(json, "grace", view->grace_us);
        mesh_json_out_end(json);
    }
    if (view->keep_us > 0)
        duration(json, "keep", view->keep_us);
}

static void output_port(struct mesh_emitter *e, struct mesh_json_out *json, const struct mesh_model_port *port)
{
    static const char *const emits[] = {[MESH_EMIT_EVENT] = "event", [MESH_EMIT_CHANGE] = "change", [MESH_EMIT_CLOSE] = "close"};
    const struct mesh_model_product *m = e->product;
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "name", port->name);
    mesh_json_out_text(json, "description", mesh_port_doc(port));
    mesh_json_out_text(json, "type", kind_word(port->kind));
    if (port->contract != NULL) {
        mesh_json_out_format(json, "version", "%d", port->contract->version);
        mesh_json_out_text(json, "contractId", port->contract->name);
    } else {
        mesh_json_out_text(json, "version", m->version.text);
        mesh_json_out_format(json, "contractId", "%s.%s.%s.%s", m->mesh->name, m->domain.text, m->name.text, port->name);
    }
    mesh_json_out_text(json, "kind", kind_word(port->kind));
    if (port->kind == MESH_MODEL_KAFKA) {
        mesh_json_out_text(json, "topic", port->topic.text);
        mesh_json_out_text(json, "key", port->key.text);
        mesh_json_out_long(json, "partitions", port->partitions > 0 ? port->partitions : m->mesh->default_partitions);
        mesh_json_out_text(json, "cleanup", port->compact ? "compact" : "delete");
        mesh_json_out_text(json, "emit", emits[port->emit]);
        mesh_json_out_text(json, "delivery", port->delivery == MESH_EXACTLY_ONCE ? "exactly_once" : "at_least_once");
    } else if (port->kind == MESH_MODEL_HTTP) {
        mesh_json_out_text(json, "path", port->path.text);
    } else if (port->kind == MESH_MODEL_SSE) {
        mesh_json_out_text(json, "path", port->path.text);
        mesh_json_out_text(json, "emit", emits[port->emit]);
        mesh_json_out_long(json, "replay", port->replay);
    } else {
        mesh_json_out_text(json, "collection", port->collection.text);
    }
    if (port->roles.n > 0) {
        mesh_json_out_array_line(json, "roles");
        for (size_t i = 0; i < port->roles.n; i++)
            mesh_json_out_text(json, NULL, port->roles.v[i]);
        mesh_json_out_end(json);
    }
    if (port->view != NULL)
        view_behaviour(json, port->view);
    else
        mesh_json_out_text(json, "stream", port->from.stream->name);
    mesh_json_out_end(json);
}

static void management_ports(struct mesh_json_out *json)
{
    static const char *const ports[][4] = {
        {"document", "discoverability", "/.well-known/data-product", "This document."},
        {"openapi", "dictionary", "/openapi.json", "The HTTP ports, as OpenAPI 3.1."},
        {"contracts", "dictionary", "/contracts", "The Avro contracts of the Kafka ports, by name."},
        {"metrics", "observability", "/metrics", "Metrics in the text format of Prometheus."},
        {"live", "observability", "/livez", "Whether the process makes progress."},
        {"ready", "observability", "/readyz", "Whether it answers with current state, and if not, why."},
        {"started", "observability", "/startupz", "Whether it has loaded its state."},
    };
    mesh_json_out_array(json, "managementPorts");
    for (size_t i = 0; i < MESH_LEN(ports); i++) {
        mesh_json_out_object(json, NULL);
        mesh_json_out_text(json, "name", ports[i][0]);
        mesh_json_out_text(json, "content", ports[i][1]);
        mesh_json_out_text(json, "type", "rest");
        mesh_json_out_text(json, "url", ports[i][2]);
        mesh_json_out_text(json, "description", ports[i][3]);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
}

static void custom_property(struct mesh_json_out *json, const char *property, const char *value, const char *description)
{
    if (value == NULL)
        return;
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "property", property);
    mesh_json_out_text(json, "value", value);
    mesh_json_out_text(json, "description", description);
    mesh_json_out_end(json);
}

static bool has_personal(const struct mesh_model_product *product)
{
    for (size_t i = 0; i < product->inputs.n; i++)
        for (size_t k = 0; k < product->inputs.v[i]->shape->members.n; k++) {
            enum mesh_label label = product->inputs.v[i]->shape->members.v[k].label;
            if (label == MESH_PERSONAL || label == MESH_SPECIAL)
                return true;
        }
    return false;
}

static void custom_properties(struct mesh_emitter *e, struct mesh_json_out *json)
{
    const struct mesh_model_product *m = e->product;
    const char *personal = m->protect_personal == MESH_AS_IS ? "error" : mesh_port_protect_word(m->protect_personal);
    const char *special = m->protect_special == MESH_AS_IS ? "error" : mesh_port_protect_word(m->protect_special);
    mesh_json_out_array(json, "customProperties");
    custom_property(json, "declaration", m->path, "The file that this product is generated from, relative to the mesh.");
    custom_property(json, "personalData", has_personal(m) ? "true" : "false", "Whether personal fields come in.");
    custom_property(json, "protectPersonal", personal,
                    "What output ports do with personal fields, unless they are released by name.");
    custom_property(json, "protectSpecial", special, "The same for special categories of personal data.");
    mesh_json_out_end(json);
}

/* ---- what leaves: fields and lineage ---- */

static void write_fields(struct mesh_emitter *e, struct mesh_json_out *json, const struct mesh_model_port *port)
{
    struct mesh_port_fields fields;
    mesh_port_fields_of(e->arena, port, &fields);
    mesh_json_out_array(json, port->name);
    for (size_t i = 0; i < fields.list.n; i++) {
        const struct mesh_port_field *field = &fields.list.v[i];
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf type = MESH_BUF_NULL;
        struct mesh_gen_type plain = field->type;
        plain.nullable = false;
        if (field->protect == MESH_PSEUDONYM)
            plain = (struct mesh_gen_type){.kind = MESH_GEN_STRING};
        mesh_gen_type_describe(&plain, &type);
        mesh_json_out_object(json, NULL);
        mesh_json_out_text(json, "name", field->name);
        mesh_json_out_text(json, "type", type.p);
        mesh_json_out_bool(json, "nullable", field->type.nullable);
        mesh_json_out_text(json, "classification", mesh_port_label_word(field->label));
        mesh_json_out_text(json, "protection", mesh_port_protect_word(field->protect));
        mesh_json_out_text(json, "subject", field->subject);
        mesh_json_out_text(json, "doc", field->doc);
        if (field->mask != NULL)
            mesh_json_out_text(json, "masked", mesh_port_mask_text(e->arena, field));
        if (field->release != NULL) {
            mesh_json_out_object_line(json, "release");
            mesh_json_out_text(json, "purpose", field->release->purpose);
            mesh_json_out_text(json, "basis", field->release->basis);
            mesh_json_out_end(json);
        }
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
}

static bool has_source(const struct mesh_lineage *lineage, const struct mesh_lineage_source *source)
{
    for (size_t i = 0; i < lineage->sources.n; i++)
        if (lineage->sources.v[i].input == source->input && strcmp(lineage->sources.v[i].field, source->field) == 0)
            return true;
    return false;
}

static void write_source(struct mesh_json_out *json, const struct mesh_lineage_source *source)
{
    mesh_json_out_object_line(json, NULL);
    mesh_json_out_text(json, "port", source->input->name);
    mesh_json_out_text(json, "contract", source->input->contract->name);
    mesh_json_out_text(json, "field", source->field);
    mesh_json_out_text(json, "kind", source->direct ? "direct" : "indirect");
    mesh_json_out_end(json);
}

/* Per field what feeds it; beside it, once, what decides about all of them. */
static void write_lineage(struct mesh_emitter *e, struct mesh_json_out *json, const struct mesh_model_port *port)
{
    struct mesh_port_fields fields;
    struct mesh_lineage all;
    mesh_port_fields_of(e->arena, port, &fields);
    mesh_lineage_of_port(e->arena, e->product, port, &all);
    mesh_json_out_object(json, port->name);
    mesh_json_out_object(json, "fields");
    for (size_t i = 0; i < fields.list.n; i++) {
        struct mesh_lineage lineage;
        mesh_lineage_of_field(e->arena, e->product, port, fields.list.v[i].name, &lineage);
        mesh_json_out_array(json, fields.list.v[i].name);
        for (size_t k = 0; k < lineage.sources.n; k++)
            if (lineage.sources.v[k].direct || !has_source(&all, &lineage.sources.v[k]))
                write_source(json, &lineage.sources.v[k]);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_array(json, "all");
    for (size_t k = 0; k < all.sources.n; k++)
        write_source(json, &all.sources.v[k]);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

void mesh_emit_document(struct mesh_emitter *e, struct mesh_buf *out)
{
    const struct mesh_model_product *m = e->product;
    struct mesh_json_out json = {.out = out};
    mesh_json_out_object(&json, NULL);
    identity(e, &json);
    people(e, &json);
    promises(e, &json);
    mesh_json_out_array(&json, "inputPorts");
    for (size_t i = 0; i < m->inputs.n; i++)
        input_port(&json, m->inputs.v[i]);
    mesh_json_out_end(&json);
    mesh_json_out_array(&json, "outputPorts");
    for (size_t i = 0; i < m->ports.n; i++)
        output_port(e, &json, m->ports.v[i]);
    mesh_json_out_end(&json);
    management_ports(&json);
    custom_properties(e, &json);
    mesh_json_out_object(&json, "fields");
    for (size_t i = 0; i < m->ports.n; i++)
        write_fields(e, &json, m->ports.v[i]);
    mesh_json_out_end(&json);
    mesh_json_out_object(&json, "lineage");
    for (size_t i = 0; i < m->ports.n; i++)
        write_lineage(e, &json, m->ports.v[i]);
    mesh_json_out_end(&json);
    mesh_json_out_end(&json);
}
