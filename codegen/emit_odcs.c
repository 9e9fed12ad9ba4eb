/* The contract of one output port: an Open Data Contract Standard 3.1.0, which its schema accepts. It stands on its own: who answers for
 * the data, where it is, what each field means, how it is protected and what it is made of, what is promised, and who may read it.
 * Addresses differ from machine to machine: they are written as settings with a default, ${MESH_KAFKA_BROKERS:-127.0.0.1:9092}. */
#include "codegen/emit_int.h"

#include "codegen/document_common.h"
#include "codegen/json_out.h"
#include "codegen/lineage.h"
#include "codegen/port_fields.h"

#include <string.h>

static void identity(struct mesh_json_out *json, const struct mesh_model_port *port)
{
    const struct mesh_model_product *m = port->product;
    mesh_json_out_text(json, "apiVersion", "v3.1.0");
    mesh_json_out_text(json, "kind", "DataContract");
    mesh_document_contract_id(json, "id", port);
    mesh_json_out_text(json, "name", port->name);
    if (port->contract != NULL)
        mesh_json_out_format(json, "version", "%d", port->contract->version);
    else
        mesh_json_out_text(json, "version", m->version.text);
    mesh_json_out_text(json, "status", m->status.text == NULL ? "draft" : m->status.text);
    mesh_json_out_text(json, "domain", m->domain.text);
    mesh_json_out_text(json, "dataProduct", m->name.text);
    mesh_json_out_text(json, "tenant", m->mesh->name);
    mesh_json_out_object(json, "description");
    mesh_json_out_text(json, "purpose", m->purpose.text);
    mesh_json_out_text(json, "limitations", m->limitations.text);
    mesh_json_out_text(json, "usage", m->usage.text);
    mesh_json_out_end(json);
}

static void server(struct mesh_json_out *json, const struct mesh_model_port *port)
{
    const struct mesh_model_product *m = port->product;
    mesh_json_out_array(json, "servers");
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "server", mesh_document_kind(port->kind));
    if (port->kind == MESH_MODEL_KAFKA) {
        mesh_json_out_text(json, "type", "kafka");
        mesh_json_out_text(json, "host", "${MESH_KAFKA_BROKERS:-127.0.0.1:9092}");
        mesh_json_out_text(json, "format", "avro");
    } else if (port->kind == MESH_MODEL_MONGO) {
        mesh_json_out_text(json, "type", "custom");
        mesh_json_out_text(json, "description", "MongoDB, at MESH_MONGO_URI.");
    } else {
        mesh_json_out_text(json, "type", "api");
        mesh_json_out_format(json, "location", "http://127.0.0.1:%d%s", mesh_model_port(m->mesh, m->domain.text), port->path.text);
    }
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

/* The standard's word for a type as it leaves, and ours beside it. */
static void types(struct mesh_json_out *json, const struct mesh_port_field *field)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf own = MESH_BUF_NULL;
    struct mesh_gen_type plain = field->type;
    plain.nullable = false;
    if (field->protect == MESH_PSEUDONYM)
        plain = (struct mesh_gen_type){.kind = MESH_GEN_STRING};
    const char *word = "string";
    switch (plain.kind) {
    case MESH_GEN_BOOL:
        word = "boolean";
        break;
    case MESH_GEN_INT:
        word = "integer";
        break;
    case MESH_GEN_DOUBLE:
    case MESH_GEN_DECIMAL:
        word = "number";
        break;
    case MESH_GEN_TIMESTAMP:
        word = "timestamp";
        break;
    case MESH_GEN_DATE:
        word = "date";
        break;
    case MESH_GEN_LIST:
        word = "array";
        break;
    case MESH_GEN_RECORD:
        word = "object";
        break;
    case MESH_GEN_STRING:
    case MESH_GEN_ENUM:
    case MESH_GEN_BYTES:
    case MESH_GEN_DURATION:
    case MESH_GEN_ERROR:
    case MESH_GEN_NULL:
        break;
    }
    mesh_gen_type_describe(&plain, &own);
    mesh_json_out_text(json, "logicalType", word);
    mesh_json_out_text(json, "physicalType", own.p);
}

static void sources(struct mesh_emitter *e, struct mesh_json_out *json, const struct mesh_model_port *port, const char *field)
{
    struct mesh_lineage lineage;
    mesh_lineage_of_field(e->arena, e->product, port, field, &lineage);
    bool any = false;
    for (size_t i = 0; i < lineage.sources.n; i++)
        any = any || lineage.sources.v[i].direct;
    if (!any)
        return;
    mesh_json_out_array_line(json, "transformSourceObjects");
    for (size_t i = 0; i < lineage.sources.n; i++)
        if (lineage.sources.v[i].direct)
            mesh_json_out_format(json, NULL, "%s.%s", lineage.sources.v[i].input->name, lineage.sources.v[i].field);
    mesh_json_out_end(json);
}

static void field_custom(struct mesh_json_out *json, const struct mesh_port_field *field)
{
    bool is_enum = field->type.kind == MESH_GEN_ENUM && field->protect == MESH_AS_IS;
    if (field->protect == MESH_AS_IS && field->subject == NULL && !is_enum)
        return;
    mesh_custom_begin(json);
    if (field->protect != MESH_AS_IS)
        mesh_custom_text(json, "protection", mesh_port_protect_word(field->protect));
    mesh_custom_text(json, "subject", field->subject);
    if (field->release != NULL) {
        mesh_custom_text(json, "releasedFor", field->release->purpose);
        mesh_custom_text(json, "lawfulBasis", field->release->basis);
    }
    if (is_enum) {
        mesh_custom_open(json, "symbols");
        mesh_json_out_array_line(json, "value");
        for (size_t i = 0; i < field->type.schema->n_symbols; i++)
            mesh_json_out_text(json, NULL, field->type.schema->symbols[i]);
        mesh_json_out_end(json);
        mesh_custom_close(json);
    }
    mesh_custom_end(json);
}

/* Which of the fields tell one row, or one message under compaction, from another: 1, 2, ...; 0: it does not. */
static int key_place(const struct mesh_model_port *port, const struct mesh_port_field *field)
{
    const struct mesh_model_view *view = port->view;
    bool message = port->kind == MESH_MODEL_KAFKA && !(view != NULL && port->emit == MESH_EMIT_CLOSE);
    if (message)
        return port->compact && port->key.text != NULL && strcmp(port->key.text, field->name) == 0 ? 1 : 0;
    for (size_t i = 0; view != NULL && i < view->by.n; i++)
        if (strcmp(view->by.v[i], field->name) == 0)
            return (int)i + 1;
    return view != NULL && view->window != MESH_WINDOW_NONE && strcmp(field->name, "window_start") == 0 ? (int)view->by.n + 1 : 0;
}

static void property(struct mesh_emitter *e, struct mesh_json_out *json, const struct mesh_model_port *port,
                     const struct mesh_port_field *field)
{
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "name", field->name);
    types(json, field);
    mesh_json_out_bool(json, "required", !field->type.nullable);
    int place = key_place(port, field);
    if (place > 0) {
        mesh_json_out_bool(json, "primaryKey", true);
        mesh_json_out_long(json, "primaryKeyPosition", place);
    }
    if (port->kind == MESH_MODEL_KAFKA && port->key.text != NULL && strcmp(port->key.text, field->name) == 0) {
        mesh_json_out_bool(json, "partitioned", true);
        mesh_json_out_long(json, "partitionKeyPosition", 1);
    }
    mesh_json_out_text(json, "classification", mesh_port_label_word(field->label));
    mesh_json_out_text(json, "description", field->doc);
    sources(e, json, port, field->name);
    field_custom(json, field);
    mesh_json_out_end(json);
}

static void schema(struct mesh_emitter *e, struct mesh_json_out *json, const struct mesh_model_port *port)
{
    struct mesh_port_fields fields;
    mesh_port_fields_of(e->arena, port, &fields);
    mesh_json_out_array(json, "schema");
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "name", port->contract != NULL ? port->contract->schema->name : port->name);
    mesh_json_out_text(json, "physicalName",
                       port->kind == MESH_MODEL_KAFKA   ? port->topic.text
                       : port->kind == MESH_MODEL_MONGO ? port->collection.text
                                                        : port->path.text);
    mesh_json_out_text(json, "physicalType",
                       port->kind == MESH_MODEL_KAFKA   ? "topic"
                       : port->kind == MESH_MODEL_MONGO ? "collection"
                                                        : "resource");
    mesh_json_out_text(json, "logicalType", "object");
    mesh_json_out_text(json, "description", mesh_port_doc(port));
    if (port->view != NULL)
        mesh_json_out_format(json, "dataGranularityDescription", "One row for each %s%s.",
                             port->view->by.n == 1 ? port->view->by.v[0] : "key",
                             port->view->window != MESH_WINDOW_NONE ? " and window" : "");
    mesh_json_out_array(json, "properties");
    for (size_t i = 0; i < fields.list.n; i++)
        if (fields.list.v[i].protect != MESH_DROP || port->kind == MESH_MODEL_KAFKA)
            property(e, json, port, &fields.list.v[i]);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void roles(struct mesh_json_out *json, const struct mesh_model_port *port)
{
    if (port->roles.n == 0)
        return;
    mesh_json_out_array(json, "roles");
    for (size_t i = 0; i < port->roles.n; i++) {
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_text(json, "role", port->roles.v[i]);
        mesh_json_out_text(json, "access", "read");
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
}

void mesh_emit_contract(struct mesh_emitter *e, const struct mesh_model_port *port, struct mesh_buf *out)
{
    struct mesh_json_out json = {.out = out};
    mesh_json_out_object(&json, NULL);
    identity(&json, port);
    server(&json, port);
    schema(e, &json, port);
    mesh_document_promises(&json, "slaProperties", port->product);
    roles(&json, port);
    mesh_document_people(&json, port->product, false);
    mesh_custom_begin(&json);
    mesh_document_port_custom(&json, port);
    mesh_custom_end(&json);
    mesh_json_out_end(&json);
}
