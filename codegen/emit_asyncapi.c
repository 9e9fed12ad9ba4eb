/* AsyncAPI 3.0 of what moves: the topics that come in, those that go out, and the streams of events over HTTP. Operations are seen from
 * the product, as the standard has it: it receives what others send to it, and sends what others read. The payload of a topic is
 * its Avro schema; the message key and how the schema's id travels stand in the Kafka binding. */
#include "codegen/emit_int.h"

#include "codegen/document_common.h"
#include "codegen/json_out.h"
#include "codegen/openapi_value.h"
#include "codegen/port_fields.h"

#define AVRO_FORMAT "application/vnd.apache.avro;version=1.9.0"

struct asyncapi {
    struct mesh_json_out json;
    struct mesh_arena *arena;
    const struct mesh_model_product *product;
};

static bool is_channel(const struct mesh_model_port *port)
{
    return port->kind == MESH_MODEL_KAFKA || port->kind == MESH_MODEL_SSE;
}

static const char *in_name(struct asyncapi *a, const struct mesh_model_input *input)
{
    return mesh_arena_printf(a->arena, "in.%s", input->name); /* no port has a dot in its name */
}

static void ref(struct mesh_json_out *json, const char *key, const char *path)
{
    mesh_json_out_object_line(json, key);
    mesh_json_out_text(json, "$ref", path);
    mesh_json_out_end(json);
}

/* ---- servers ---- */

static void servers(struct asyncapi *a)
{
    struct mesh_json_out *json = &a->json;
    bool live = false;
    for (size_t i = 0; i < a->product->ports.n; i++)
        live = live || a->product->ports.v[i]->kind == MESH_MODEL_SSE;
    mesh_json_out_object(json, "servers");
    mesh_json_out_object(json, "kafka");
    mesh_json_out_text(json, "host", "{brokers}");
    mesh_json_out_text(json, "protocol", "kafka");
    mesh_json_out_object(json, "variables");
    mesh_json_out_object(json, "brokers");
    mesh_json_out_text(json, "default", "127.0.0.1:9092");
    mesh_json_out_text(json, "description", "The setting MESH_KAFKA_BROKERS of the service.");
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    if (live) {
        mesh_json_out_object(json, "http");
        mesh_json_out_text(json, "host", "{listen}");
        mesh_json_out_text(json, "protocol", "http");
        mesh_json_out_object(json, "variables");
        mesh_json_out_object(json, "listen");
        mesh_json_out_format(json, "default", "127.0.0.1:%d", mesh_model_port(a->product->mesh, a->product->domain.text));
        mesh_json_out_text(json, "description", "The setting MESH_HTTP_LISTEN of the service.");
        mesh_json_out_end(json);
        mesh_json_out_end(json);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
}

/* ---- channels ---- */

static void channel(struct asyncapi *a, const char *name, const char *address, const char *text, const char *server)
{
    struct mesh_json_out *json = &a->json;
    mesh_json_out_object(json, name);
    mesh_json_out_text(json, "address", address);
    mesh_json_out_text(json, "description", text);
    mesh_json_out_array_line(json, "servers");
    ref(json, NULL, mesh_arena_printf(a->arena, "#/servers/%s", server));
    mesh_json_out_end(json);
    mesh_json_out_object(json, "messages");
    ref(json, name, mesh_arena_printf(a->arena, "#/components/messages/%s", name));
    mesh_json_out_end(json);
}

static void topic_binding(struct mesh_json_out *json, const char *topic, int64_t partitions, bool compact)
{
    mesh_json_out_object(json, "bindings");
    mesh_json_out_object_line(json, "kafka");
    mesh_json_out_text(json, "topic", topic);
    mesh_json_out_long(json, "partitions", partitions);
    mesh_json_out_object_line(json, "topicConfiguration");
    mesh_json_out_array_line(json, "cleanup.policy");
    mesh_json_out_text(json, NULL, compact ? "compact" : "delete");
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_text(json, "bindingVersion", "0.5.0");
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void channels(struct asyncapi *a)
{
    const struct mesh_model_product *m = a->product;
    struct mesh_json_out *json = &a->json;
    int32_t usual = m->mesh->default_partitions;
    mesh_json_out_object(json, "channels");
    for (size_t i = 0; i < m->inputs.n; i++) {
        const struct mesh_model_input *input = m->inputs.v[i];
        const struct mesh_model_port *port = input->product_port;
        channel(a, in_name(a, input), input->topic.text, input->contract->schema->doc, "kafka");
        topic_binding(json, input->topic.text, input->partitions > 0 ? input->partitions : usual,
                      port != NULL ? port->compact : input->is_table);
        mesh_json_out_end(json);
    }
    for (size_t i = 0; i < m->ports.n; i++) {
        const struct mesh_model_port *port = m->ports.v[i];
        if (!is_channel(port))
            continue;
        bool kafka = port->kind == MESH_MODEL_KAFKA;
        channel(a, port->name, kafka ? port->topic.text : port->path.text, mesh_port_doc(port), kafka ? "kafka" : "http");
        if (kafka)
            topic_binding(json, port->topic.text, port->partitions > 0 ? port->partitions : usual, port->compact);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
}

/* ---- operations ---- */

static void operation(struct asyncapi *a, const char *action, const char *name, const char *summary)
{
    struct mesh_json_out *json = &a->json;
    mesh_json_out_object(json, mesh_arena_printf(a->arena, "%s.%s", action, name));
    mesh_json_out_text(json, "action", action);
    mesh_json_out_text(json, "summary", summary);
    ref(json, "channel", mesh_arena_printf(a->arena, "#/channels/%s", name));
    mesh_json_out_array_line(json, "messages");
    ref(json, NULL, mesh_arena_printf(a->arena, "#/channels/%s/messages/%s", name, name));
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void operations(struct asyncapi *a)
{
    const struct mesh_model_product *m = a->product;
    mesh_json_out_object(&a->json, "operations");
    for (size_t i = 0; i < m->inputs.n; i++)
        operation(a, "receive", in_name(a, m->inputs.v[i]),
                  m->inputs.v[i]->is_table ? "Rows of a table, by key." : "Records, in any order within their delay.");
    for (size_t i = 0; i < m->ports.n; i++) {
        const struct mesh_model_port *port = m->ports.v[i];
        if (is_channel(port))
            operation(a, "send", port->name,
                      port->kind == MESH_MODEL_SSE     ? "Server-sent events, resumed by Last-Event-ID."
                      : port->emit == MESH_EMIT_CHANGE ? "Rows as they change; an empty value is a row that is gone."
                      : port->emit == MESH_EMIT_CLOSE  ? "Rows of windows that have closed."
                                                       : "Records.");
    }
    mesh_json_out_end(&a->json);
}

/* ---- messages ---- */

static void avro_message(struct asyncapi *a, const char *name, const struct mesh_model_contract *contract, const char *key,
                         bool from_mesh)
{
    struct mesh_json_out *json = &a->json;
    struct mesh_str schema = {contract->source->text,
                              (uint32_t)contract->source->n}; /* as it was written, docs and labels included */
    while (schema.n > 0 && schema.p[schema.n - 1] == '\n')
        schema.n--;
    mesh_json_out_object(json, name);
    mesh_json_out_text(json, "name", contract->schema->name);
    mesh_json_out_text(json, "title", contract->name);
    mesh_json_out_text(json, "summary", contract->schema->doc);
    mesh_json_out_text(json, "contentType", "application/vnd.apache.avro");
    if (from_mesh) {
        mesh_json_out_object(json, "headers");
        mesh_json_out_text(json, "type", "object");
        mesh_json_out_object(json, "properties");
        mesh_json_out_object(json, "mesh");
        mesh_json_out_text(json, "type", "string");
        mesh_json_out_text(json, "format", "binary");
        mesh_json_out_text(json, "description",
                           "Who sent the message and its number, dense per task and partition: a number that was seen is a "
                           "repetition after a crash.");
        mesh_json_out_end(json);
        mesh_json_out_end(json);
        mesh_json_out_end(json);
    }
    mesh_json_out_object(json, "payload");
    mesh_json_out_text(json, "schemaFormat", AVRO_FORMAT);
    mesh_json_out_raw(json, "schema", schema);
    mesh_json_out_end(json);
    mesh_json_out_object(json, "bindings");
    mesh_json_out_object(json, "kafka");
    if (key != NULL) {
        mesh_json_out_object_line(json, "key");
        mesh_json_out_text(json, "type", "string");
        mesh_json_out_format(json, "description", "The text of the field %s.", key);
        mesh_json_out_end(json);
    }
    mesh_json_out_text(json, "schemaIdLocation", "payload");
    mesh_json_out_text(json, "schemaIdPayloadEncoding", "confluent");
    mesh_json_out_text(json, "bindingVersion", "0.5.0");
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void event_message(struct asyncapi *a, const struct mesh_model_port *port)
{
    struct mesh_json_out *json = &a->json;
    struct mesh_port_fields fields;
    mesh_port_fields_of(a->arena, port, &fields);
    mesh_json_out_object(json, port->name);
    mesh_json_out_text(json, "name", port->name);
    mesh_json_out_text(json, "summary", "The data of one event.");
    mesh_json_out_text(json, "contentType", "application/json");
    mesh_json_out_object(json, "payload");
    mesh_json_out_text(json, "type", "object");
    mesh_json_out_object(json, "properties");
    for (size_t i = 0; i < fields.list.n; i++) {
        if (fields.list.v[i].protect == MESH_DROP)
            continue;
        mesh_json_out_object(json, fields.list.v[i].name);
        mesh_openapi_type(json, &fields.list.v[i]);
        mesh_json_out_text(json, "description", fields.list.v[i].doc);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void messages(struct asyncapi *a)
{
    const struct mesh_model_product *m = a->product;
    mesh_json_out_object(&a->json, "components");
    mesh_json_out_object(&a->json, "messages");
    for (size_t i = 0; i < m->inputs.n; i++) {
        const struct mesh_model_input *input = m->inputs.v[i];
        avro_message(a, in_name(a, input), input->contract, input->key.text, input->product_port != NULL);
    }
    for (size_t i = 0; i < m->ports.n; i++)
        if (m->ports.v[i]->kind == MESH_MODEL_KAFKA)
            avro_message(a, m->ports.v[i]->name, m->ports.v[i]->contract, m->ports.v[i]->key.text, true);
        else if (m->ports.v[i]->kind == MESH_MODEL_SSE)
            event_message(a, m->ports.v[i]);
    mesh_json_out_end(&a->json);
    mesh_json_out_end(&a->json);
}

void mesh_emit_asyncapi(struct mesh_emitter *e, struct mesh_buf *out)
{
    const struct mesh_model_product *m = e->product;
    struct asyncapi a = {.json = {.out = out}, .arena = e->arena, .product = m};
    mesh_json_out_object(&a.json, NULL);
    mesh_json_out_text(&a.json, "asyncapi", "3.0.0");
    mesh_json_out_format(&a.json, "id", "urn:mesh:%s:%s:%s", m->mesh->name, m->domain.text, m->name.text);
    mesh_json_out_object(&a.json, "info");
    mesh_json_out_text(&a.json, "title", m->name.text);
    mesh_json_out_text(&a.json, "version", m->version.text);
    mesh_json_out_text(&a.json, "description", m->purpose.text);
    mesh_json_out_object_line(&a.json, "contact");
    mesh_json_out_text(&a.json, "name", m->team.text);
    mesh_json_out_end(&a.json);
    mesh_json_out_array_line(&a.json, "tags");
    mesh_json_out_object_line(&a.json, NULL);
    mesh_json_out_text(&a.json, "name", m->domain.text);
    mesh_json_out_end(&a.json);
    mesh_json_out_end(&a.json);
    mesh_json_out_end(&a.json);
    mesh_json_out_text(&a.json, "defaultContentType", "application/vnd.apache.avro");
    servers(&a);
    channels(&a);
    operations(&a);
    messages(&a);
    mesh_json_out_end(&a.json);
}
