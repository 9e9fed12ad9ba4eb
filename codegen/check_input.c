/* Input ports: what their contract must have for the role that each field plays. */
#include "base/check.h"
#include "codegen/check.h"
#include "codegen/yaml.h"
#include "contract/match.h"

#include <string.h>

static struct mesh_model_product *find_product(struct mesh_checker *c, const char *name)
{
    struct mesh_model_product *found = NULL;
    for (size_t i = 0; i < c->model->products.n; i++) {
        struct mesh_model_product *product = c->model->products.v[i];
        if (strcmp(product->name.text, name) == 0 && (found == NULL || strcmp(product->domain.text, name) == 0))
            found = product;
    }
    return found;
}

static void unknown_product(struct mesh_checker *c, struct mesh_model_text ref, const char *name)
{
    if (c->model->incomplete)
        return;
    const char **names = mesh_arena_alloc(c->arena, (c->model->products.n + 1) * sizeof *names);
    for (size_t i = 0; i < c->model->products.n; i++)
        names[i] = c->model->products.v[i]->name.text;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG014", ref.at, "there is no product '%s' in this mesh", name);
    const char *near = mesh_did_you_mean(name, names, c->model->products.n);
    if (near != NULL)
        mesh_diag_hint(c->diags, diag, "did you mean '%s'?", near);
    mesh_diag_why(c->diags, diag, "'product: %s' takes topic, contract, key and labels from that product's declaration", ref.text);
    mesh_diag_fix(c->diags, diag, "name a product of the mesh, or give topic, contract and key yourself");
}

static void unknown_port(struct mesh_checker *c, struct mesh_model_text ref, const struct mesh_model_product *product,
                         const char *name)
{
    const char **names = mesh_arena_alloc(c->arena, (product->ports.n + 1) * sizeof *names);
    size_t n = 0;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf list = MESH_BUF_NULL;
    for (size_t i = 0; i < product->ports.n; i++) {
        if (product->ports.v[i]->kind != MESH_MODEL_KAFKA)
            continue;
        names[n++] = product->ports.v[i]->name;
        mesh_buf_printf(&list, "%s%s", n == 1 ? "" : ", ", product->ports.v[i]->name);
    }
    struct mesh_diag *diag =
        mesh_diag_add(c->diags, MESH_ERROR, "MG014", ref.at, "product '%s' has no kafka port '%s'", product->name.text, name);
    const char *near = mesh_did_you_mean(name, names, n);
    if (near != NULL)
        mesh_diag_hint(c->diags, diag, "did you mean '%s/%s'?", product->name.text, near);
    mesh_diag_why(c->diags, diag, "it has: %s", n == 0 ? "none" : list.p);
    mesh_diag_fix(c->diags, diag, "name one of its kafka ports, or ask its owner for a new one");
}

void mesh_check_input_product(struct mesh_checker *c, struct mesh_model_input *input)
{
    const struct mesh_yaml *node = mesh_yaml_get(input->yaml, "product");
    if (node == NULL || node->bad || node->kind != MESH_YAML_SCALAR)
        return;
    struct mesh_model_text ref = {node->text, node->at};
    const char *slash = strchr(ref.text, '/');
    if (slash == NULL)
        return;
    const char *name = mesh_arena_printf(c->arena, "%.*s", (int)(slash - ref.text), ref.text);
    struct mesh_model_product *product = find_product(c, name);
    if (product == NULL) {
        unknown_product(c, ref, name);
        return;
    }
    for (size_t i = 0; i < product->ports.n; i++) {
        struct mesh_model_port *port = product->ports.v[i];
        if (strcmp(port->name, slash + 1) != 0 || port->kind != MESH_MODEL_KAFKA)
            continue;
        input->product_port = port;
        input->product = mesh_arena_printf(c->arena, "%s/%s", product->domain.text, product->name.text);
        input->topic = (struct mesh_model_text){port->topic.text, ref.at};
        input->key = (struct mesh_model_text){port->key.text, ref.at};
        input->contract = port->contract;
        if (input->partitions == 0)
            input->partitions = port->partitions;
        return;
    }
    unknown_port(c, ref, product, slash + 1);
}

/* What a newer version calls personal is personal, also where an older one is read with: its records come here, and somebody has learnt
 * what the field holds. A label that a newer version takes back counts once the port reads with that version. */
static void join_labels(const struct mesh_model_input *input)
{
    const struct mesh_model_contract *reader = input->contract;
    for (size_t v = 1; v < reader->reads.n; v++) {
        const struct mesh_model_contract *writer = reader->reads.v[v];
        for (size_t i = 0; writer->version > reader->version && i < input->shape->members.n; i++) {
            struct mesh_gen_member *member = &input->shape->members.v[i];
            const struct mesh_schema_field *second = NULL;
            const struct mesh_schema_field *field =
                mesh_match_field(mesh_schema_field(reader->schema, member->name), writer->schema, &second);
            enum mesh_label label = field == NULL ? member->label : mesh_gen_label(field->label);
            if (mesh_label_join(label, member->label) == member->label)
                continue;
            mesh_assert(field != NULL); /* the label is another one than the member's */
            member->label = label;
            member->subject = field->subject;
            member->at = field->name_at;
        }
    }
}

static void make_shape(struct mesh_checker *c, struct mesh_model_input *input)
{
    const struct mesh_schema *schema = input->contract->schema;
    struct mesh_gen_type record;
    if (!mesh_gen_type_of_schema(schema, c->arena, &record))
        return;
    input->shape = mesh_shape_copy(c, record.shape, input->contract->subject, false);
    for (size_t i = 0; i < input->shape->members.n; i++)
        input->shape->members.v[i].origin =
            mesh_arena_printf(c->arena, "inputPorts.%s.%s", input->name, input->shape->members.v[i].name);
    join_labels(input);
    mesh_names_check_shape(c, input->shape);
}

/* The field that plays a role, or NULL after a diagnostic. */
static const struct mesh_gen_member *role(struct mesh_checker *c, const struct mesh_model_input *input, struct mesh_model_text name,
                                          const char *what)
{
    if (name.text == NULL)
        return NULL;
    const struct mesh_gen_member *member = mesh_gen_shape_member(input->shape, name.text);
    if (member != NULL)
        return member;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG016", name.at, "the contract '%s' has no usable field '%s'",
                                           input->contract->name, name.text);
    const char *near = mesh_shape_near(c, input->shape, name.text);
    if (near != NULL)
        mesh_diag_hint(c->diags, diag, "did you mean '%s'?", near);
    mesh_diag_why(c->diags, diag, "%s", what);
    mesh_diag_fix(c->diags, diag, "name a field of the contract");
    mesh_diag_note(c->diags, diag, input->contract->schema->at, "the contract's record is declared here");
    return NULL;
}

static void must_be_time(struct mesh_checker *c, const struct mesh_model_input *input, struct mesh_model_text name,
                         const char *what)
{
    const struct mesh_gen_member *member = role(c, input, name, what);
    if (member == NULL || (member->type.kind == MESH_GEN_TIMESTAMP && !member->type.nullable))
        return;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG016", name.at, "'%s' is %s, but must be a timestamp", name.text,
                                           mesh_type_a(c, &member->type));
    mesh_diag_why(c->diags, diag, "%s", what);
    mesh_diag_fix(c->diags, diag, "name a field with a logical type like timestamp-millis that cannot be null");
    mesh_diag_note(c->diags, diag, member->at, "'%s' is declared here", name.text);
}

static void must_be_key(struct mesh_checker *c, const struct mesh_model_input *input, struct mesh_model_text name, const char *what)
{
    const struct mesh_gen_member *member = role(c, input, name, what);
    if (member == NULL || (mesh_type_can_be_key(&member->type) && !member->type.nullable))
        return;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG016", name.at, "'%s' cannot be a key: it is %s", name.text,
                                           mesh_type_a(c, &member->type));
    mesh_diag_why(c->diags, diag, "%s", what);
    mesh_diag_fix(c->diags, diag, "name a string, a number or an enum that cannot be null");
    mesh_diag_note(c->diags, diag, member->at, "'%s' is declared here", name.text);
}

/* A topic has one reader in a product: one position, one table or none. */
static void check_topic(struct mesh_checker *c, const struct mesh_model_input *input)
{
    for (size_t i = 0; i < c->product->inputs.n && c->product->inputs.v[i] != input; i++) {
        const struct mesh_model_input *other = c->product->inputs.v[i];
        if (input->topic.text == NULL || other->topic.text == NULL || strcmp(input->topic.text, other->topic.text) != 0)
            continue;
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG032", input->topic.at,
                                               "the topic '%s' has an input port already", input->topic.text);
        mesh_diag_why(c->diags, diag, "a product reads each record of a topic once");
        mesh_diag_fix(c->diags, diag, "read '%s' wherever the records are needed", other->name);
        mesh_diag_note(c->diags, diag, other->at, "'%s' reads it here", other->name);
    }
}

void mesh_check_input(struct mesh_checker *c, struct mesh_model_input *input)
{
    check_topic(c, input);
    if (input->contract == NULL || input->contract->schema == NULL)
        return;
    if (input->partitions == 0)
        input->partitions = c->model->default_partitions;
    make_shape(c, input);
    if (input->shape == NULL)
        return;
    if (input->product_port == NULL)
        must_be_key(c, input, input->key, "the message key is the text of this field, and places the record in its partition");
    must_be_time(c, input, input->event_time, "event time orders the records and closes the windows");
    if (!input->is_table)
        return;
    must_be_key(c, input, input->table_by, "joins look rows up by this field");
    must_be_time(c, input, input->versioned, "a version of a row holds from this time on");
}
