/* One graph for mermaid and dot: a box per product, a node per place, a thick arrow where a port of one product is an input of
 * another. A dotted arrow only decides. Texts that people wrote are escaped for the language they land in; names of nodes are ours.
 */
#include "codegen/show_lineage.h"

#include <string.h>

struct node {
    const struct mesh_model_product *product;
    const void *owner;
    const char *name, *text;
    enum mesh_label label;
    bool labelled; /* a field of an input or of a port */
};

struct arrow {
    size_t from, to;
    bool direct, between;
};

struct graph {
    const struct mesh_show_lineage *show;
    MESH_VEC(struct node) nodes;
    MESH_VEC(struct arrow) arrows;
};

static size_t add_node(struct graph *g, const struct node *node, bool *ret_new)
{
    for (size_t i = 0; i < g->nodes.n; i++) {
        const struct node *other = &g->nodes.v[i];
        *ret_new = false;
        if (other->owner == node->owner && other->product == node->product && strcmp(other->name, node->name) == 0)
            return i;
    }
    *ret_new = true;
    *mesh_vec_push_in(g->show->arena, &g->nodes) = *node;
    return g->nodes.n - 1;
}

static void add_arrow(struct graph *g, struct arrow arrow)
{
    for (size_t i = 0; i < g->arrows.n; i++) {
        struct arrow *other = &g->arrows.v[i];
        if (other->from == arrow.from && other->to == arrow.to) {
            other->direct = other->direct || arrow.direct;
            return;
        }
    }
    *mesh_vec_push_in(g->show->arena, &g->arrows) = arrow;
}

static size_t add_field(struct graph *g, const struct mesh_model_port *port, const struct mesh_port_field *field);

/* The upstream field of an input's field. */
static void add_upstream(struct graph *g, const struct mesh_lineage_place *place, size_t to)
{
    const struct mesh_model_port *up = place->input->product_port;
    struct mesh_port_fields fields;
    if (up == NULL)
        return;
    mesh_port_fields_of(g->show->arena, up, &fields);
    for (size_t i = 0; i < fields.list.n; i++)
        if (strcmp(fields.list.v[i].name, place->field) == 0)
            add_arrow(g, (struct arrow){add_field(g, up, &fields.list.v[i]), to, true, true});
}

static void add_lineage(struct graph *g, const struct mesh_model_product *product, const struct mesh_lineage *lineage,
                        size_t result)
{
    size_t *ids = mesh_arena_alloc(g->show->arena, (lineage->places.n + 1) * sizeof *ids);
    for (size_t i = 0; i < lineage->places.n; i++) {
        const struct mesh_lineage_place *place = &lineage->places.v[i];
        struct node node = {.product = product, .owner = place->owner, .name = place->name, .text = place->text};
        bool is_new = false;
        if (place->kind == MESH_LINEAGE_INPUT) {
            node.labelled = true;
            node.label = mesh_show_input_label(place->input, place->field);
        }
        ids[i] = add_node(g, &node, &is_new);
        if (is_new && place->kind == MESH_LINEAGE_INPUT)
            add_upstream(g, place, ids[i]);
    }
    for (size_t i = 0; i < lineage->edges.n; i++) {
        const struct mesh_lineage_edge *edge = &lineage->edges.v[i];
        add_arrow(g,
                  (struct arrow){ids[edge->from], edge->to == MESH_LINEAGE_RESULT ? result : ids[edge->to], edge->direct, false});
    }
}

static size_t add_field(struct graph *g, const struct mesh_model_port *port, const struct mesh_port_field *field)
{
    struct node node = {.product = port->product,
                        .owner = port,
                        .name = mesh_arena_printf(g->show->arena, "outputPorts.%s.%s", port->name, field->name),
                        .text = strcmp(mesh_show_border(port, field), "none") == 0 ? NULL : mesh_show_border(port, field),
                        .label = mesh_show_label(port, field),
                        .labelled = true};
    struct mesh_lineage lineage;
    bool is_new = false;
    size_t id = add_node(g, &node, &is_new);
    if (!is_new)
        return id;
    mesh_show_lineage_of(g->show, port, field->name, &lineage);
    add_lineage(g, port->product, &lineage, id);
    return id;
}

static void add_port(struct graph *g, const struct mesh_model_port *port)
{
    struct mesh_port_fields fields;
    struct mesh_lineage all;
    bool is_new = false;
    mesh_port_fields_of(g->show->arena, port, &fields);
    for (size_t i = 0; i < fields.list.n; i++)
        if (mesh_show_field(g->show, fields.list.v[i].name))
            add_field(g, port, &fields.list.v[i]);
    mesh_show_lineage_of(g->show, port, NULL, &all);
    struct node every = {.product = port->product,
                         .owner = port,
                         .name = mesh_arena_printf(g->show->arena, "outputPorts.%s", port->name),
                         .text = "every field"};
    if (all.places.n > 0)
        add_lineage(g, port->product, &all, add_node(g, &every, &is_new));
}

static void make(struct graph *g)
{
    const struct mesh_model *model = g->show->model;
    for (size_t p = 0; p < model->products.n; p++)
        for (size_t i = 0; i < model->products.v[p]->ports.n && mesh_show_product(g->show, model->products.v[p]); i++)
            if (mesh_show_port(g->show, model->products.v[p]->ports.v[i]))
                add_port(g, model->products.v[p]->ports.v[i]);
}

/* ---- the two languages ---- */

struct language {
    void (*text)(struct mesh_buf *out, const char *text); /* inside double quotes */
    const char *begin, *end;
    const char *box, *box_named, *box_end; /* %zu: which; its name stands between the first two */
    const char *node, *node_end, *line_break;
    const char *direct, *decides, *between; /* arrows */
};

/* Mermaid takes #NUMBER; for any character; what is plain in its labels stays as it is. */
static void mermaid_text(struct mesh_buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        bool plain = *p >= 0x80 || (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
                     strchr(" ._,-/=+*:", *p) != NULL;
        if (plain)
            mesh_buf_putc(out, (char)*p);
        else
            mesh_buf_printf(out, "#%u;", *p);
    }
}

static void dot_text(struct mesh_buf *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            mesh_buf_putc(out, '\\');
        mesh_buf_putc(out, *p);
    }
}

static const struct language mermaid = {
    .text = mermaid_text,
    .begin = "flowchart LR\n",
    .end = "",
    .box = "  subgraph p%zu[\"",
    .box_end = "  end\n",
    .line_break = "<br/>",
    .direct = "  n%zu --> n%zu\n",
    .decides = "  n%zu -.-> n%zu\n",
    .between = "  n%zu ==> n%zu\n",
    .node = "    n%zu[\"",
    .node_end = "\"]\n",
    .box_named = "\"]\n",
};
static const struct language dot = {
    .text = dot_text,
    .begin = "digraph lineage {\n  rankdir=LR;\n  node [shape=box, fontsize=10];\n",
    .end = "}\n",
    .box = "  subgraph cluster_%zu {\n    label=\"",
    .box_end = "  }\n",
    .line_break = "\\n",
    .direct = "  n%zu -> n%zu;\n",
    .decides = "  n%zu -> n%zu [style=dotted];\n",
    .between = "  n%zu -> n%zu [style=bold];\n",
    .node = "    n%zu [label=\"",
    .node_end = "\"];\n",
    .box_named = "\";\n",
};

static void number(struct mesh_buf *out, const char *pattern, size_t a, size_t b)
{
    for (const char *p = pattern; *p != '\0'; p++) {
        if (strncmp(p, "%zu", 3) != 0) {
            mesh_buf_putc(out, *p);
            continue;
        }
        mesh_buf_printf(out, "%zu", a);
        a = b;
        p += 2;
    }
}

static void put_node(const struct graph *g, const struct language *language, size_t i, struct mesh_buf *out)
{
    const struct node *node = &g->nodes.v[i];
    number(out, language->node, i, 0);
    language->text(out, mesh_show_plain(g->show->arena, node->name));
    if (node->text != NULL) {
        mesh_buf_puts(out, language->line_break);
        language->text(out, mesh_show_plain(g->show->arena, node->text));
    }
    if (node->labelled && node->label != MESH_PUBLIC && node->label != MESH_INTERNAL) {
        mesh_buf_puts(out, language->line_break);
        language->text(out, mesh_port_label_word(node->label));
    }
    mesh_buf_puts(out, language->node_end);
}

static void put(const struct mesh_show_lineage *show, const struct language *language, struct mesh_buf *out)
{
    struct graph g = {.show = show};
    make(&g);
    mesh_buf_puts(out, language->begin);
    for (size_t p = 0; p < show->model->products.n; p++) {
        const struct mesh_model_product *product = show->model->products.v[p];
        bool open = false;
        for (size_t i = 0; i < g.nodes.n; i++) {
            if (g.nodes.v[i].product != product)
                continue;
            if (!open) {
                number(out, language->box, p, 0);
                language->text(out, mesh_show_plain(show->arena, mesh_show_product_name(show->arena, product)));
                mesh_buf_puts(out, language->box_named);
                open = true;
            }
            put_node(&g, language, i, out);
        }
        mesh_buf_puts(out, open ? language->box_end : "");
    }
    for (size_t i = 0; i < g.arrows.n; i++) {
        const struct arrow *arrow = &g.arrows.v[i];
        number(out,
               arrow->between  ? language->between
               : arrow->direct ? language->direct
                               : language->decides,
               arrow->from, arrow->to);
    }
    mesh_buf_puts(out, language->end);
}

void mesh_show_lineage_mermaid(const struct mesh_show_lineage *show, struct mesh_buf *out)
{
    put(show, &mermaid, out);
}

void mesh_show_lineage_dot(const struct mesh_show_lineage *show, struct mesh_buf *out)
{
    put(show, &dot, out);
}
