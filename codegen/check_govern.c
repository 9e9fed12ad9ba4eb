/* What every product owes its readers: an owner, labels, a retention that it keeps to. Purpose, SLA and the rest are required keys
 * of the table in bind_table.c. */
#include "codegen/check.h"

#include "base/text.h"
#include "codegen/yaml.h"

#include <string.h>

static void check_owner(struct mesh_checker *c)
{
    const struct mesh_model_product *product = c->product;
    const struct mesh_yaml *team = mesh_yaml_get(product->yaml, "team");
    const struct mesh_yaml_entry *members = mesh_yaml_entry(team, "members");
    if (members == NULL || members->value->bad)
        return;
    for (size_t i = 0; i < product->members.n; i++) {
        if (product->members.v[i].role.text == NULL || strcmp(product->members.v[i].role.text, "owner") == 0)
            return;
    }
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG040", members->key_at, "nobody owns the product");
    mesh_diag_why(c->diags, diag, "somebody must answer for what it says and decide who may use it");
    mesh_diag_fix(c->diags, diag, "give one member 'role: owner'");
}

static void check_retention(struct mesh_checker *c, const struct mesh_model_view *view)
{
    const struct mesh_model_product *product = c->product;
    int64_t retention = 0;
    if (product->sla_retention.text == NULL || mesh_text_parse_duration(mesh_str_of(product->sla_retention.text), &retention) != 0)
        return;
    const struct mesh_yaml *keep = mesh_yaml_get(view->yaml, "keep");
    if (view->keep_us <= retention || keep == NULL)
        return;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG042", keep->at,
                                           "view '%s' keeps rows for longer than the product promises", view->name);
    mesh_diag_why(c->diags, diag, "slaProperties.retention is %s: nobody may find older data here", product->sla_retention.text);
    mesh_diag_fix(c->diags, diag, "write 'keep: %s', or raise the retention", product->sla_retention.text);
    mesh_diag_note(c->diags, diag, product->sla_retention.at, "the retention is promised here");
}

static void check_keep(struct mesh_checker *c, const struct mesh_model_view *view)
{
    if (mesh_yaml_entry(view->yaml, "keep") != NULL) {
        check_retention(c, view);
        return;
    }
    struct mesh_diag *diag =
        mesh_diag_add(c->diags, MESH_WARNING, "MG031", view->at, "the rows of '%s' are kept for ever", view->name);
    mesh_diag_why(c->diags, diag, "it has no 'keep'%s, so its state grows with every new key",
                  view->window == MESH_WINDOW_NONE ? " and no window" : "");
    mesh_diag_fix(c->diags, diag, "add 'keep: %s'",
                  c->product->sla_retention.text == NULL ? "30d" : c->product->sla_retention.text);
}

static void check_labels(struct mesh_checker *c, const struct mesh_model_contract *contract)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf names = MESH_BUF_NULL;
    for (size_t i = 0; contract->schema != NULL && i < contract->schema->n_fields; i++) {
        if (contract->schema->fields[i].label == NULL)
            mesh_buf_printf(&names, "%s%s", names.n == 0 ? "" : ", ", contract->schema->fields[i].name);
    }
    if (names.n == 0)
        return;
    struct mesh_diag *diag =
        mesh_diag_add(c->diags, MESH_ERROR, "MG041", contract->schema->at, "fields without a label: %s", names.p);
    mesh_diag_why(c->diags, diag, "what is not labelled cannot be protected: public, internal, personal or special");
    mesh_diag_fix(c->diags, diag,
                  "add \"label\": \"internal\" to the record as a default, and \"label\": \"personal\" to the fields of people");
}

static void check_subjects(struct mesh_checker *c, const struct mesh_model_contract *contract)
{
    for (size_t i = 0; contract->schema != NULL && i < contract->schema->n_fields; i++) {
        const struct mesh_schema_field *field = &contract->schema->fields[i];
        bool open = field->label == NULL || strcmp(field->label, "public") == 0 || strcmp(field->label, "internal") == 0;
        if (open || field->subject != NULL)
            continue;
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG043", field->name_at, "'%s' is %s, but of nobody", field->name, field->label);
        mesh_diag_why(c->diags, diag, "pseudonyms, consent and erasure are made for a subject: a customer, an employee");
        mesh_diag_fix(c->diags, diag, "add \"subject\": \"customer\" to the field, or to the record");
    }
}

void mesh_check_govern(struct mesh_checker *c)
{
    check_owner(c);
    for (size_t i = 0; i < c->product->views.n; i++)
        check_keep(c, c->product->views.v[i]);
    if (c->product->index != 0)
        return; /* contracts belong to the mesh: once */
    for (size_t i = 0; i < c->model->contracts.n; i++) {
        if (c->model->contracts.v[i]->left_behind)
            continue;
        check_labels(c, c->model->contracts.v[i]);
        check_subjects(c, c->model->contracts.v[i]);
    }
}
