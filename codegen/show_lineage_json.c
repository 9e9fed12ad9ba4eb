/* For programs: our own JSON, with every hop, and OpenLineage's events, which know sources only. */
#include "codegen/json_out.h"
#include "codegen/show_lineage.h"
#include "mesh/version.h"

#include <string.h>

/* ---- our own ---- */

static void put_at(const struct mesh_show_lineage *show, struct mesh_json_out *json, struct mesh_srcref at)
{
    const char *text = mesh_show_at(show->arena, at);
    mesh_json_out_text(json, "at", text[0] == '\0' ? NULL : text);
}

static void put_sources(const struct mesh_show_lineage *show, struct mesh_json_out *json, const struct mesh_lineage *lineage,
                        const struct mesh_lineage *except)
{
    mesh_json_out_array(json, "sources");
    for (size_t i = 0; i < lineage->sources.n; i++) {
        const struct mesh_lineage_source *source = &lineage->sources.v[i];
        const struct mesh_model_port *up = source->input->product_port;
        if (!source->direct && except != NULL && mesh_show_has_source(except, source))
            continue;
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_text(json, "input", source->input->name);
        mesh_json_out_text(json, "field", source->field);
        mesh_json_out_text(json, "kind", source->direct ? "direct" : "indirect");
        mesh_json_out_text(json, "label", mesh_port_label_word(mesh_show_input_label(source->input, source->field)));
        mesh_json_out_text(json, "contract", source->input->contract->name);
        if (up != NULL)
            mesh_json_out_format(json, "upstream", "%s.%s.%s", mesh_show_product_name(show->arena, up->product), up->name,
                                 source->field);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
}

static void put_origins(const struct mesh_show_lineage *show, struct mesh_json_out *json, const struct mesh_model_product *product,
                        const struct mesh_lineage *lineage)
{
    struct mesh_show_origins origins;
    mesh_show_origins_of(show, lineage, product, &origins);
    mesh_json_out_array(json, "origins");
    for (size_t i = 0; i < origins.list.n; i++) {
        const struct mesh_show_origin *origin = &origins.list.v[i];
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_text(json, "product", mesh_show_product_name(show->arena, origin->product));
        mesh_json_out_text(json, "input", origin->input->name);
        mesh_json_out_text(json, "topic", origin->input->topic.text);
        mesh_json_out_text(json, "field", origin->field);
        mesh_json_out_text(json, "kind", origin->direct ? "direct" : "indirect");
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
}

/* Places are named by their number in the list; the field itself has none. */
static void put_way(const struct mesh_show_lineage *show, struct mesh_json_out *json, const struct mesh_lineage *lineage)
{
    static const char *const kinds[] = {[MESH_LINEAGE_INPUT] = "input",
                                        [MESH_LINEAGE_STREAM] = "stream",
                                        [MESH_LINEAGE_VIEW] = "view",
                                        [MESH_LINEAGE_DECIDES] = "decides"};
    mesh_json_out_array(json, "places");
    for (size_t i = 0; i < lineage->places.n; i++) {
        const struct mesh_lineage_place *place = &lineage->places.v[i];
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_text(json, "kind", kinds[place->kind]);
        mesh_json_out_text(json, "name", place->name);
        mesh_json_out_text(json, "expression", place->text);
        put_at(show, json, place->at);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_array(json, "hops");
    for (size_t i = 0; i < lineage->edges.n; i++) {
        const struct mesh_lineage_edge *edge = &lineage->edges.v[i];
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_long(json, "from", (int64_t)edge->from);
        if (edge->to == MESH_LINEAGE_RESULT)
            mesh_json_out_null(json, "to");
        else
            mesh_json_out_long(json, "to", (int64_t)edge->to);
        mesh_json_out_text(json, "kind", edge->direct ? "direct" : "indirect");
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
}

static void put_field(const struct mesh_show_lineage *show, struct mesh_json_out *json, const struct mesh_model_port *port,
                      const struct mesh_port_field *field, const struct mesh_lineage *all)
{
    struct mesh_lineage lineage;
    mesh_show_lineage_of(show, port, field->name, &lineage);
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "field", field->name);
    mesh_json_out_text(json, "label", mesh_port_label_word(mesh_show_label(port, field)));
    mesh_json_out_text(json, "labelOutside", mesh_port_label_word(field->label));
    mesh_json_out_text(json, "subject", field->subject);
    mesh_json_out_text(json, "border", mesh_show_border(port, field));
    if (field->release != NULL) {
        mesh_json_out_object_line(json, "release");
        mesh_json_out_text(json, "purpose", field->release->purpose);
        mesh_json_out_text(json, "basis", field->release->basis);
        mesh_json_out_end(json);
    }
    put_sources(show, json, &lineage, all);
    put_origins(show, json, port->product, &lineage);
    put_way(show, json, &lineage);
    mesh_json_out_end(json);
}

static void put_port(const struct mesh_show_lineage *show, struct mesh_json_out *json, const struct mesh_model_port *port)
{
    struct mesh_port_fields fields;
    struct mesh_lineage all;
    mesh_port_fields_of(show->arena, port, &fields);
    mesh_show_lineage_of(show, port, NULL, &all);
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "port", port->name);
    mesh_json_out_text(json, "kind", mesh_show_port_kind(port));
    mesh_json_out_text(json, "target", mesh_show_port_target(port));
    mesh_json_out_text(json, "contract", port->contract == NULL ? NULL : port->contract->name);
    put_at(show, json, port->at);
    mesh_json_out_array(json, "fields");
    for (size_t i = 0; i < fields.list.n; i++)
        if (mesh_show_field(show, fields.list.v[i].name))
            put_field(show, json, port, &fields.list.v[i], &all);
    mesh_json_out_end(json);
    mesh_json_out_object(json, "everyField");
    put_sources(show, json, &all, NULL);
    put_origins(show, json, port->product, &all);
    put_way(show, json, &all);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

void mesh_show_lineage_json(const struct mesh_show_lineage *show, struct mesh_buf *out)
{
    struct mesh_json_out json = {.out = out};
    mesh_json_out_object(&json, NULL);
    mesh_json_out_text(&json, "mesh", show->model->name);
    mesh_json_out_array(&json, "products");
    for (size_t p = 0; p < show->model->products.n; p++) {
        const struct mesh_model_product *product = show->model->products.v[p];
        if (!mesh_show_product(show, product))
            continue;
        mesh_json_out_object(&json, NULL);
        mesh_json_out_text(&json, "product", mesh_show_product_name(show->arena, product));
        mesh_json_out_text(&json, "version", product->version.text);
        mesh_json_out_text(&json, "declaration", product->path);
        mesh_json_out_array(&json, "ports");
        for (size_t i = 0; i < product->ports.n; i++)
            if (mesh_show_port(show, product->ports.v[i]))
                put_port(show, &json, product->ports.v[i]);
        mesh_json_out_end(&json);
        mesh_json_out_end(&json);
    }
    mesh_json_out_end(&json);
    mesh_json_out_end(&json);
}

/* ---- OpenLineage ---- */

#define OPENLINEAGE "https://openlineage.io/spec/"
#define PRODUCER    "urn:mesh:meshgen:" MESH_VERSION

static void facet(struct mesh_json_out *json, const char *key, const char *url)
{
    mesh_json_out_object(json, key);
    mesh_json_out_text(json, "_producer", PRODUCER);
    mesh_json_out_text(json, "_schemaURL", url);
}

/* The declaration does not know where the broker stands, so the mesh is the address. Both ends of a topic have the same name. */
static void dataset(const struct mesh_show_lineage *show, struct mesh_json_out *json, const char *kind, const char *name)
{
    mesh_json_out_format(json, "namespace", "%s://%s", kind, show->model->name[0] == '\0' ? "mesh" : show->model->name);
    mesh_json_out_text(json, "name", name);
}

static void transformation(struct mesh_json_out *json, bool direct, const char *subtype, const char *description, bool masking)
{
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "type", direct ? "DIRECT" : "INDIRECT");
    mesh_json_out_text(json, "subtype", subtype);
    mesh_json_out_text(json, "description", description);
    mesh_json_out_bool(json, "masking", masking);
    mesh_json_out_end(json);
}

/* The places that `from` feeds, itself included. A state column feeds itself: each is marked once. */
static void mark(const struct mesh_lineage *lineage, size_t from, bool *marks)
{
    if (marks[from])
        return;
    marks[from] = true;
    for (size_t i = 0; i < lineage->edges.n; i++)
        if (lineage->edges.v[i].from == from && lineage->edges.v[i].to != MESH_LINEAGE_RESULT)
            mark(lineage, lineage->edges.v[i].to, marks);
}

static const bool *fed_by(const struct mesh_show_lineage *show, const struct mesh_lineage *lineage, size_t from)
{
    bool *marks = mesh_arena_alloc(show->arena, lineage->places.n);
    mark(lineage, from, marks);
    return marks;
}

static size_t place_of(const struct mesh_lineage *lineage, const struct mesh_lineage_source *source)
{
    size_t i = 0;
    while (lineage->places.v[i].input != source->input || strcmp(lineage->places.v[i].field, source->field) != 0)
        i++;
    return i;
}

/* Of a value: copied, computed from one record, or from many. */
static const char *value_subtype(const struct mesh_show_lineage *show, const struct mesh_lineage *lineage, size_t from)
{
    const bool *fed = fed_by(show, lineage, from);
    const char *subtype = "IDENTITY";
    for (size_t i = 0; i < lineage->places.n; i++) {
        const struct mesh_lineage_place *place = &lineage->places.v[i];
        if (!place->direct || place->text == NULL || !fed[i])
            continue;
        if (place->aggregate)
            return "AGGREGATION";
        subtype = "TRANSFORMATION";
    }
    return subtype;
}

static const char *decision_subtype(const char *name)
{
    static const struct {
        const char *word, *subtype;
    } words[] = {{" join ", "JOIN"}, {" by", "GROUP_BY"}, {" window", "WINDOW"}};
    for (size_t i = 0; i < MESH_LEN(words); i++)
        if (strstr(name, words[i].word) != NULL)
            return words[i].subtype;
    return "FILTER";
}

static void input_field(const struct mesh_show_lineage *show, struct mesh_json_out *json, const struct mesh_lineage_source *source)
{
    mesh_json_out_object(json, NULL);
    dataset(show, json, "kafka", source->input->topic.text);
    mesh_json_out_text(json, "field", source->field);
    mesh_json_out_array(json, "transformations");
}

static void column_fields(const struct mesh_show_lineage *show, struct mesh_json_out *json, const struct mesh_model_port *port,
                          const struct mesh_port_fields *fields, const struct mesh_lineage *all)
{
    mesh_json_out_object(json, "fields");
    for (size_t i = 0; i < fields->list.n; i++) {
        struct mesh_lineage lineage;
        if (!mesh_show_field(show, fields->list.v[i].name))
            continue;
        mesh_show_lineage_of(show, port, fields->list.v[i].name, &lineage);
        mesh_json_out_object(json, fields->list.v[i].name);
        mesh_json_out_array(json, "inputFields");
        for (size_t k = 0; k < lineage.sources.n; k++) {
            const struct mesh_lineage_source *source = &lineage.sources.v[k];
            if (!source->direct && mesh_show_has_source(all, source))
                continue;
            const char *subtype = source->direct ? value_subtype(show, &lineage, place_of(&lineage, source)) : "CONDITIONAL";
            input_field(show, json, source);
            transformation(json, source->direct, subtype, NULL, fields->list.v[i].protect == MESH_PSEUDONYM);
            mesh_json_out_end(json);
            mesh_json_out_end(json);
        }
        mesh_json_out_end(json);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
}

static void column_dataset(const struct mesh_show_lineage *show, struct mesh_json_out *json, const struct mesh_lineage *all)
{
    mesh_json_out_array(json, "dataset");
    for (size_t k = 0; k < all->sources.n; k++) {
        const bool *fed = fed_by(show, all, place_of(all, &all->sources.v[k]));
        input_field(show, json, &all->sources.v[k]);
        for (size_t i = 0; i < all->places.n; i++) {
            const struct mesh_lineage_place *place = &all->places.v[i];
            if (place->kind != MESH_LINEAGE_DECIDES || !fed[i])
                continue;
            const char *text =
                place->text == NULL ? place->name : mesh_arena_printf(show->arena, "%s: %s", place->name, place->text);
            transformation(json, false, decision_subtype(place->name), text, false);
        }
        mesh_json_out_end(json);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
}

static void output(const struct mesh_show_lineage *show, struct mesh_json_out *json, const struct mesh_model_port *port)
{
    struct mesh_port_fields fields;
    struct mesh_lineage all;
    mesh_port_fields_of(show->arena, port, &fields);
    mesh_show_lineage_of(show, port, NULL, &all);
    mesh_json_out_object(json, NULL);
    const char *target = mesh_show_port_target(port);
    if (port->kind != MESH_MODEL_KAFKA) /* topics are one name space, paths and collections one per domain */
        target = mesh_arena_printf(show->arena, "%s%s%s", port->product->domain.text, target[0] == '/' ? "" : "/", target);
    dataset(show, json, mesh_show_port_kind(port), target);
    mesh_json_out_object(json, "facets");
    facet(json, "schema", OPENLINEAGE "facets/1-1-1/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet");
    mesh_json_out_array(json, "fields");
    for (size_t i = 0; i < fields.list.n; i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf type = MESH_BUF_NULL;
        mesh_gen_type_describe(&fields.list.v[i].type, &type);
        mesh_json_out_object(json, NULL);
        mesh_json_out_text(json, "name", fields.list.v[i].name);
        mesh_json_out_text(json, "type", fields.list.v[i].protect == MESH_PSEUDONYM ? "string" : type.p);
        mesh_json_out_text(json, "description", fields.list.v[i].doc);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    facet(json, "columnLineage", OPENLINEAGE "facets/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet");
    column_fields(show, json, port, &fields, &all);
    column_dataset(show, json, &all);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void event(const struct mesh_show_lineage *show, struct mesh_json_out *json, const struct mesh_model_product *product,
                  const char *time)
{
    mesh_json_out_object_line(json, NULL);
    mesh_json_out_text(json, "eventTime", time);
    mesh_json_out_text(json, "producer", PRODUCER);
    mesh_json_out_text(json, "schemaURL", OPENLINEAGE "2-0-2/OpenLineage.json#/$defs/JobEvent");
    mesh_json_out_object(json, "job");
    mesh_json_out_format(json, "namespace", "mesh://%s", show->model->name[0] == '\0' ? "mesh" : show->model->name);
    mesh_json_out_text(json, "name", mesh_show_product_name(show->arena, product));
    mesh_json_out_object(json, "facets");
    facet(json, "jobType", OPENLINEAGE "facets/2-0-3/JobTypeJobFacet.json#/$defs/JobTypeJobFacet");
    mesh_json_out_text(json, "processingType", "STREAMING");
    mesh_json_out_text(json, "integration", "MESH");
    mesh_json_out_text(json, "jobType", "JOB");
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_array(json, "inputs");
    for (size_t i = 0; i < product->inputs.n; i++) {
        mesh_json_out_object(json, NULL);
        dataset(show, json, "kafka", product->inputs.v[i]->topic.text);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_array(json, "outputs");
    for (size_t i = 0; i < product->ports.n; i++)
        if (mesh_show_port(show, product->ports.v[i]))
            output(show, json, product->ports.v[i]);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

void mesh_show_openlineage(const struct mesh_show_lineage *show, const char *time, struct mesh_buf *out)
{
    for (size_t p = 0; p < show->model->products.n; p++) {
        struct mesh_json_out json = {.out = out};
        if (mesh_show_product(show, show->model->products.v[p]))
            event(show, &json, show->model->products.v[p], time);
    }
}
