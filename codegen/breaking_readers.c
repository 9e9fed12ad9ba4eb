/* Who reads a port, down to the fields: the inputs of other products as they are declared now, and what their fields feed. */
#include "codegen/breaking_int.h"

#include "codegen/bind.h"
#include "codegen/lineage.h"
#include "codegen/port_fields.h"
#include "codegen/yaml.h"

#include <string.h>

#define FIELDS_SHOWN_MAX 12
#define FEEDS_SHOWN_MAX  3

/* By the name that the reader wrote, so that a port which is gone still has its readers. */
static bool reads(const struct mesh_model_input *input, const struct mesh_model_product *product,
                  const struct mesh_model_port *port)
{
    const char *wrote = mesh_bind_text(input->yaml, "product");
    if (wrote == NULL)
        return input->topic.text != NULL && port->topic.text != NULL && strcmp(input->topic.text, port->topic.text) == 0;
    const char *slash = strchr(wrote, '/');
    return slash != NULL && strcmp(slash + 1, port->name) == 0 && strlen(product->name.text) == (size_t)(slash - wrote) &&
           strncmp(wrote, product->name.text, (size_t)(slash - wrote)) == 0;
}

static bool is_checked(const struct mesh_model_port *port)
{
    const struct mesh_gen_shape *shape = port->view != NULL          ? port->view->shape
                                         : port->from.stream != NULL ? port->from.stream->shape
                                                                     : NULL;
    return shape != NULL && (port->kind != MESH_MODEL_KAFKA || (port->contract != NULL && port->contract->schema != NULL));
}

static void add_feeds(struct mesh_breaking *b, struct mesh_buf *out, const struct mesh_model_product *product,
                      const struct mesh_model_input *input, const char *field)
{
    size_t n = 0;
    bool sound = mesh_breaking_sound(product);
    for (size_t p = 0; sound && p < product->ports.n; p++) {
        const struct mesh_model_port *port = product->ports.v[p];
        struct mesh_port_fields fields = {0};
        if (!is_checked(port))
            continue;
        mesh_port_fields_of(b->arena, port, &fields);
        for (size_t i = 0; i < fields.list.n; i++) {
            struct mesh_lineage lineage;
            mesh_lineage_of_field(b->arena, product, port, fields.list.v[i].name, &lineage);
            bool fed = false;
            for (size_t s = 0; s < lineage.sources.n; s++)
                fed = fed || (lineage.sources.v[s].direct && lineage.sources.v[s].input == input &&
                              strcmp(lineage.sources.v[s].field, field) == 0);
            if (fed && n++ < FEEDS_SHOWN_MAX)
                mesh_buf_printf(out, "%s%s.%s", n == 1 ? " (into " : ", ", port->name, fields.list.v[i].name);
        }
    }
    if (n > FEEDS_SHOWN_MAX)
        mesh_buf_printf(out, " and %zu more", n - FEEDS_SHOWN_MAX);
    mesh_buf_puts(out, n > 0 ? ")" : "");
}

/* The same input as it was: what it read before the field, or the port, was gone. */
static const struct mesh_model_input *as_it_was(const struct mesh_breaking *b, const struct mesh_model_product **product,
                                                const struct mesh_model_input *input)
{
    for (size_t p = 0; p < b->before->products.n; p++) {
        const struct mesh_model_product *old = b->before->products.v[p];
        for (size_t i = 0; strcmp(old->name.text, (*product)->name.text) == 0 && i < old->inputs.n; i++) {
            if (strcmp(old->inputs.v[i]->name, input->name) == 0) {
                *product = old;
                return old->inputs.v[i];
            }
        }
    }
    return input;
}

static void add_reader(struct mesh_breaking *b, struct mesh_diag *diag, const struct mesh_model_product *product,
                       const struct mesh_model_input *input, const char *field)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf fields = MESH_BUF_NULL;
    struct mesh_srcref at = input->at;
    const char *name = product->name.text;
    size_t n = 0;
    if (!mesh_breaking_sound(product) || input->shape == NULL ||
        (field != NULL && mesh_gen_shape_member(input->shape, field) == NULL))
        input = as_it_was(b, &product, input);
    for (size_t i = 0; input->shape != NULL && i < input->shape->members.n; i++) {
        const struct mesh_gen_member *member = &input->shape->members.v[i];
        bool time = input->event_time.text != NULL && strcmp(member->name, input->event_time.text) == 0;
        if ((!member->used && !time) || (field != NULL && strcmp(field, member->name) != 0) || n++ >= FIELDS_SHOWN_MAX)
            continue;
        mesh_buf_printf(&fields, "%s%s", n == 1 ? "" : ", ", member->name);
        add_feeds(b, &fields, product, input, member->name);
    }
    if (n > FIELDS_SHOWN_MAX)
        mesh_buf_printf(&fields, " and %zu more", n - FIELDS_SHOWN_MAX);
    if (field != NULL && n == 0 && input->shape != NULL && mesh_gen_shape_member(input->shape, field) != NULL)
        return; /* it reads the port, but not this */
    mesh_diag_note(b->diags, diag, at, "'%s' reads it here%s%s", name, fields.n > 0 ? ": " : "", fields.n > 0 ? fields.p : "");
}

void mesh_breaking_contract_readers(struct mesh_breaking *b, struct mesh_diag *diag, const struct mesh_model_contract *contract)
{
    for (size_t p = 0; p < b->now->products.n; p++) {
        const struct mesh_model_product *product = b->now->products.v[p];
        for (size_t i = 0; i < product->inputs.n; i++) {
            const struct mesh_model_contract *with = product->inputs.v[i]->contract;
            if (with != NULL && strcmp(with->name, contract->name) == 0)
                add_reader(b, diag, product, product->inputs.v[i], NULL);
        }
    }
}

void mesh_breaking_readers(struct mesh_breaking *b, struct mesh_diag *diag, const struct mesh_model_port *port, const char *field)
{
    for (size_t p = 0; port->kind == MESH_MODEL_KAFKA && p < b->now->products.n; p++) {
        const struct mesh_model_product *product = b->now->products.v[p];
        for (size_t i = 0; i < product->inputs.n; i++) {
            if (strcmp(product->name.text, b->old->name.text) != 0 && reads(product->inputs.v[i], b->old, port))
                add_reader(b, diag, product, product->inputs.v[i], field);
        }
    }
}
