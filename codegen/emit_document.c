/* The document of a product: an Open Data Product Standard 1.0.0, which its schema accepts, as that of 1.1.0 does. The standard closes its objects, so what it
 * has no word for is a custom property, as it asks: where a port is found (topic, path, collection) and how it behaves, what is
 * promised, `fields` and `lineage` per output port. Whoever asks "who owns this, how fresh is it, where is it, what is in it, where does
 * it come from" is answered by one GET. */
#include "codegen/emit_int.h"

#include "codegen/document_common.h"
#include "codegen/json_out.h"
#include "codegen/lineage.h"
#include "codegen/port_fields.h"
#include "codegen/yaml.h"

#include <string.h>

/* ---- who, what for, how good ---- */

static void identity(struct mesh_emitter *e, struct mesh_json_out *json)
{
    const struct mesh_model_product *m = e->product;
    mesh_json_out_text(json, "apiVersion", "v1.0.0");
    mesh_json_out_text(json, "kind", "DataProduct");
    mesh_json_out_format(json, "id", "%s.%s.%s", m->mesh->name, m->domain.text, m->name.text);
    mesh_json_out_text(json, "name", m->name.text);
    mesh_json_out_text(json, "version", m->version.text);
    mesh_json_out_text(json, "status", m->status.text);
    mesh_json_out_text(json, "domain", m->domain.text);
    mesh_json_out_text(json, "tenant", m->mesh->name);
    mesh_json_out_object(json, "description");
    mesh_json_out_text(json, "purpose", m->purpose.text);
    mesh_json_out_text(json, "limitations", m->limitations.text);
    mesh_json_out_text(json, "usage", m->usage.text);
    mesh_json_out_end(json);
}

/* ---- ports ---- */

static void input_port(struct mesh_json_out *json, const struct mesh_model_input *input)
{
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "name", input->name);
    mesh_json_out_format(json, "version", "%d", input->contract->version);
    if (input->product_port != NULL)
        mesh_document_contract_id(json, "contractId", input->product_port);
    else
        mesh_json_out_text(json, "contractId", input->contract->name);
    mesh_custom_begin(json);
    mesh_custom_text(json, "description", input->contract->schema->doc);
    mesh_custom_text(json, "kind", "kafka");
    mesh_custom_text(json, "schema", input->contract->name);
    mesh_custom_text(json, "product", input->product);
    mesh_custom_text(json, "productPort", input->product_port == NULL ? NULL : input->product_port->name);
    mesh_custom_text(json, "topic", input->topic.text);
    mesh_custom_text(json, "key", input->key.text);
    mesh_custom_text(json, "eventTime", input->event_time.text);
    mesh_custom_bool(json, "table", input->is_table);
    mesh_custom_end(json);
    mesh_json_out_end(json);
}

/* The contracts that a field of the port comes from, or that decide about its rows: each once, in the order of the inputs. */
static void input_contracts(struct mesh_emitter *e, struct mesh_json_out *json, const struct mesh_model_port *port)
{
    const struct mesh_model_product *m = e->product;
    struct mesh_port_fields fields;
    mesh_port_fields_of(e->arena, port, &fields);
    mesh_json_out_array(json, "inputContracts");
    for (size_t i = 0; i < m->inputs.n; i++) {
        bool feeds = false, before = false;
        for (size_t k = 0; k <= fields.list.n && !feeds; k++) {
            struct mesh_lineage lineage;
            if (k == fields.list.n)
                mesh_lineage_of_port(e->arena, m, port, &lineage);
            else
                mesh_lineage_of_field(e->arena, m, port, fields.list.v[k].name, &lineage);
            for (size_t n = 0; n < lineage.sources.n; n++)
                feeds = feeds || lineage.sources.v[n].input == m->inputs.v[i];
        }
        for (size_t k = 0; k < i; k++)
            before = before || m->inputs.v[k]->contract == m->inputs.v[i]->contract;
        if (!feeds || before)
            continue;
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_text(json, "id", m->inputs.v[i]->contract->name);
        mesh_json_out_format(json, "version", "%d", m->inputs.v[i]->contract->version);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
}

static void output_port(struct mesh_emitter *e, struct mesh_json_out *json, const struct mesh_model_port *port)
{
    const struct mesh_model_product *m = e->product;
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "name", port->name);
    mesh_json_out_text(json, "description", mesh_port_doc(port));
    mesh_json_out_text(json, "type", mesh_document_kind(port->kind));
    if (port->contract != NULL)
        mesh_json_out_format(json, "version", "%d", port->contract->version);
    else
        mesh_json_out_text(json, "version", m->version.text);
    mesh_document_contract_id(json, "contractId", port);
    input_contracts(e, json, port);
    mesh_custom_begin(json);
    mesh_document_port_custom(json, port);
    mesh_custom_end(json);
    mesh_json_out_end(json);
}

static void management_ports(struct mesh_json_out *json)
{
    static const char *const ports[][4] = {
        {"document", "discoverability", "/.well-known/data-product", "This document."},
        {"openapi", "dictionary", "/openapi.json", "The HTTP ports, as OpenAPI 3.1."},
        {"asyncapi", "dictionary", "/asyncapi.json", "The Kafka and event ports, and what comes in, as AsyncAPI 3."},
        {"contracts", "dictionary", "/contracts", "The contract of each output port, by its id."},
        {"schemas", "dictionary", "/schemas", "The Avro schemas of the Kafka ports, by name."},
        {"lineage", "dictionary", "/lineage", "Which fields of the inputs feed which fields of the ports, and how."},
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
    static const char *const types[][2] = {
        {"source-aligned", "sourceAligned"}, {"aggregate", "aggregate"}, {"consumer-aligned", "consumerAligned"}};
    const char *personal = m->protect_personal == MESH_AS_IS ? "error" : mesh_port_protect_word(m->protect_personal);
    const char *special = m->protect_special == MESH_AS_IS ? "error" : mesh_port_protect_word(m->protect_special);
    /* the file that this product is generated from, relative to the mesh; whether personal fields come in; what output ports do with
     * personal fields and special categories of them, unless they are released by name */
    for (size_t i = 0; i < MESH_LEN(types); i++)
        if (m->type.text != NULL && strcmp(m->type.text, types[i][0]) == 0)
            mesh_custom_text(json, "type", types[i][1]);
    mesh_custom_text(json, "declaration", m->path);
    mesh_custom_bool(json, "personalData", has_personal(m));
    mesh_custom_text(json, "protectPersonal", personal);
    mesh_custom_text(json, "protectSpecial", special);
    /* the standard wants the URL of every channel; those that have none */
    const struct mesh_yaml *support = mesh_yaml_get(m->yaml, "support");
    for (size_t i = 0; support != NULL && i < support->items.n; i++) {
        const struct mesh_yaml *channel = mesh_yaml_get(support->items.v[i], "channel");
        if (channel != NULL && mesh_yaml_get(support->items.v[i], "url") == NULL)
            mesh_custom_text(json, "supportChannel", channel->text);
    }
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
    mesh_document_people(&json, m, true);
    mesh_json_out_array(&json, "inputPorts");
    for (size_t i = 0; i < m->inputs.n; i++)
        input_port(&json, m->inputs.v[i]);
    mesh_json_out_end(&json);
    mesh_json_out_array(&json, "outputPorts");
    for (size_t i = 0; i < m->ports.n; i++)
        output_port(e, &json, m->ports.v[i]);
    mesh_json_out_end(&json);
    management_ports(&json);
    mesh_custom_begin(&json);
    custom_properties(e, &json);
    mesh_custom_open(&json, "slaProperties");
    mesh_document_promises(&json, "value", m);
    mesh_custom_close(&json);
    mesh_custom_open(&json, "fields");
    mesh_json_out_object(&json, "value");
    for (size_t i = 0; i < m->ports.n; i++)
        write_fields(e, &json, m->ports.v[i]);
    mesh_json_out_end(&json);
    mesh_custom_close(&json);
    mesh_custom_open(&json, "lineage");
    mesh_json_out_object(&json, "value");
    for (size_t i = 0; i < m->ports.n; i++)
        write_lineage(e, &json, m->ports.v[i]);
    mesh_json_out_end(&json);
    mesh_custom_close(&json);
    mesh_custom_end(&json);
    mesh_json_out_end(&json);
}
