/* `meshgen subjects`: where people stand in what products keep, and by what they are found there. */
#include "codegen/cli.h"
#include "codegen/emit.h"
#include "codegen/plan.h"

#include <string.h>

bool mesh_product_erases(const struct mesh_model_product *product)
{
    if (product->mesh->erasure.text == NULL || product->mesh->receipts.text == NULL)
        return false;
    for (size_t i = 0; i < product->inputs.n; i++) {
        const struct mesh_gen_shape *shape = product->inputs.v[i]->shape;
        for (size_t k = 0; shape != NULL && k < shape->members.n; k++)
            if (shape->members.v[k].subject != NULL)
                return true;
    }
    return false;
}

struct place {
    struct mesh_buf key, text, other; /* members of the subject: of the key, strings, and what cannot be compared */
};

struct showing {
    const char *subject; /* NULL: every one */
    struct mesh_buf *out;
    size_t n, unreached;
};

static void add(struct mesh_buf *list, const char *name)
{
    mesh_buf_printf(list, "%s%s", list->n > 0 ? ", " : "", name);
}

static bool wanted(const struct showing *s, enum mesh_label label, const char *subject)
{
    bool people = label == MESH_PERSONAL || label == MESH_SPECIAL || label == MESH_PSEUDONYMOUS;
    return people && subject != NULL && (s->subject == NULL || strcmp(s->subject, subject) == 0);
}

static void add_member(const struct showing *s, struct place *p, const struct mesh_gen_member *member, bool key)
{
    if (!wanted(s, member->label, member->subject))
        return;
    add(key ? &p->key : member->type.kind == MESH_GEN_STRING ? &p->text : &p->other, member->name);
}

static void add_shape(const struct showing *s, struct place *p, const struct mesh_gen_shape *shape, const char *but)
{
    for (size_t i = 0; shape != NULL && i < shape->members.n; i++)
        if (shape->members.v[i].used && (but == NULL || strcmp(shape->members.v[i].name, but) != 0))
            add_member(s, p, &shape->members.v[i], false);
}

static void add_exprs(const struct showing *s, struct place *p, struct mesh_expr *const *by, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *subject = NULL;
        enum mesh_label label = mesh_expr_label(by[i], &subject, NULL, NULL);
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        mesh_expr_print(by[i], &text);
        if (wanted(s, label, subject))
            add(&p->key, text.p);
    }
}

static void add_view(const struct showing *s, struct place *p, const struct mesh_model_view *view)
{
    for (size_t i = 0; i < view->shape->members.n; i++) {
        const struct mesh_gen_member *member = &view->shape->members.v[i];
        bool key = i < view->by.n;
        bool kept = member->type.kind == MESH_GEN_STRING; /* a number that adds up is nobody's any more */
        if (key || kept)
            add_member(s, p, member, key);
    }
}

static const char *place_of(const struct showing *s, struct place *p, const struct mesh_plan_state *state)
{
    if (state->kind == MESH_STATE_VIEW) {
        add_view(s, p, state->view->model);
        return "view";
    }
    if (state->table != NULL) {
        const struct mesh_gen_shape *shape = state->table->model->shape;
        add_member(s, p, mesh_gen_shape_member(shape, state->table->model->table_by.text), true);
        add_shape(s, p, shape, state->table->model->table_by.text);
        return "table";
    }
    if (state->kind == MESH_STATE_PATTERN) {
        add_exprs(s, p, state->flow->stream->pattern_by.v, state->flow->stream->pattern_by.n);
        add_shape(s, p, state->flow->shape_in, NULL);
        return "pattern";
    }
    add_exprs(s, p, state->step->by.v, state->step->by.n);
    if (state->kind == MESH_STATE_INTERVAL) {
        add_shape(s, p, state->step->shape_joined, NULL);
        add_shape(s, p, state->asks, NULL);
        return "join";
    }
    return state->kind == MESH_STATE_DEDUPE ? "dedupe" : state->kind == MESH_STATE_RING ? "fold" : "rises";
}

static void show_state(struct showing *s, const struct mesh_plan_state *state)
{
    struct place p = {0};
    const char *kind = place_of(s, &p, state);
    if (p.key.n + p.text.n + p.other.n > 0) {
        s->n++;
        bool found = p.key.n + p.text.n > 0;
        s->unreached += !found;
        mesh_buf_printf(s->out, "  %-8s %-36s ", kind, state->cname);
        if (p.key.n > 0)
            mesh_buf_printf(s->out, "row removed by its key (%s)", p.key.p);
        else if (p.text.n > 0)
            mesh_buf_printf(s->out, "%s by %s", state->kind == MESH_STATE_VIEW ? "emptied" : "removed", p.text.p);
        else
            mesh_buf_printf(s->out, "NOT REACHED: holds %s, and nothing that says whose it is", p.other.p);
        mesh_buf_putc(s->out, '\n');
    }
    mesh_buf_deinit(&p.key);
    mesh_buf_deinit(&p.text);
    mesh_buf_deinit(&p.other);
}

static const char *what_leaves(const struct mesh_model_port *port)
{
    if (port->kind == MESH_MODEL_MONGO)
        return "documents of removed rows are deleted";
    if (port->kind == MESH_MODEL_SSE)
        return "kept events are forgotten";
    if (port->kind == MESH_MODEL_HTTP)
        return "answers from the rows";
    if (port->view != NULL && port->emit == MESH_EMIT_CHANGE)
        return port->compact ? "removed rows get a null value, and compaction deletes the rest"
                             : "removed rows get a null value; what was sent stays as long as the topic keeps it";
    return "what was sent stays as long as the topic keeps it";
}

static void show_port(struct showing *s, const struct mesh_model_port *port)
{
    const struct mesh_gen_shape *shape = port->view != NULL ? port->view->shape : port->from.stream->shape;
    struct place p = {0};
    for (size_t i = 0; i < shape->members.n; i++)
        if (i >= port->protect.n || port->protect.v[i] != MESH_DROP)
            add_member(s, &p, &shape->members.v[i], false);
    if (p.text.n + p.other.n > 0)
        mesh_buf_printf(s->out, "  %-8s %-36s %s\n", "port", port->name, what_leaves(port));
    mesh_buf_deinit(&p.text);
    mesh_buf_deinit(&p.other);
}

/* For meshctl: a word and a name on each line. */
static void list(const struct mesh_model *model, struct mesh_buf *out)
{
    mesh_buf_printf(out, "erasure %s\nreceipts %s\n", model->erasure.text, model->receipts.text);
    for (size_t i = 0; i < model->products.n; i++) {
        const struct mesh_model_product *product = model->products.v[i];
        if (mesh_product_erases(product))
            mesh_buf_printf(out, "product %s/%s\n", product->domain.text, product->name.text);
        for (size_t k = 0; k < product->inputs.n; k++)
            if (product->inputs.v[k]->product_port == NULL)
                mesh_buf_printf(out, "source %s\n", product->inputs.v[k]->topic.text);
    }
}

int mesh_cli_subjects(struct mesh_cli *cli)
{
    bool plain = cli->format_name != NULL && strcmp(cli->format_name, "list") == 0;
    if (!plain && cli->format_name != NULL && strcmp(cli->format_name, "text") != 0)
        return mesh_cli_fail("--format of subjects is text or list, not '%s'", cli->format_name);
    struct mesh_model *model = mesh_cli_model(cli, NULL);
    if (model == NULL)
        return MESH_CLI_USAGE;
    if (cli->diags.n_errors > 0)
        return mesh_cli_report(cli);
    if (plain && (model->erasure.text == NULL || model->receipts.text == NULL))
        return mesh_cli_fail("mesh.yaml says nothing about erasure; add: erasure: { topic: ..., receipts: ... }");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    struct showing s = {.subject = cli->args[0], .out = &out};
    if (plain)
        list(model, &out);
    for (size_t i = 0; !plain && i < model->products.n; i++) {
        const struct mesh_plan *plan = mesh_plan_make(model->products.v[i]);
        if (plan == NULL)
            return mesh_cli_report(cli);
        mesh_buf_printf(&out, "%s%s/%s\n", i == 0 ? "" : "\n", plan->product->domain.text, plan->product->name.text);
        size_t before = out.n;
        for (size_t k = 0; k < plan->states.n; k++)
            if (!plan->states.v[k]->partial)
                show_state(&s, plan->states.v[k]);
        for (size_t k = 0; k < plan->product->ports.n; k++)
            show_port(&s, plan->product->ports.v[k]);
        if (out.n == before)
            mesh_buf_puts(&out, "  nobody\n");
    }
    if (!plain)
        mesh_buf_printf(&out, "\n%zu places, %zu that erasure does not reach\n", s.n, s.unreached);
    fwrite(out.p, 1, out.n, stdout);
    return s.unreached > 0 ? MESH_CLI_FINDINGS : MESH_CLI_OK;
}
