/* What all formats need, and the one for people. */
#include "codegen/show_lineage.h"

#include <string.h>

#define NAME_COLUMN 18

/* ---- shared ---- */

bool mesh_show_product(const struct mesh_show_lineage *show, const struct mesh_model_product *product)
{
    return show->product == NULL || show->product == product;
}

bool mesh_show_port(const struct mesh_show_lineage *show, const struct mesh_model_port *port)
{
    return show->port == NULL || show->port == port;
}

bool mesh_show_field(const struct mesh_show_lineage *show, const char *field)
{
    return show->field == NULL || strcmp(show->field, field) == 0;
}

const char *mesh_show_product_name(struct mesh_arena *arena, const struct mesh_model_product *product)
{
    return mesh_arena_printf(arena, "%s/%s", product->domain.text, product->name.text);
}

const char *mesh_show_port_kind(const struct mesh_model_port *port)
{
    static const char *const words[] = {
        [MESH_MODEL_KAFKA] = "kafka", [MESH_MODEL_HTTP] = "http", [MESH_MODEL_MONGO] = "mongo", [MESH_MODEL_SSE] = "sse"};
    return words[port->kind];
}

const char *mesh_show_port_target(const struct mesh_model_port *port)
{
    return port->kind == MESH_MODEL_KAFKA   ? port->topic.text
           : port->kind == MESH_MODEL_MONGO ? port->collection.text
                                            : port->path.text;
}

const char *mesh_show_at(struct mesh_arena *arena, struct mesh_srcref at)
{
    int line = 0;
    int column = 0;
    if (at.source == NULL)
        return "";
    mesh_source_position(at.source, at.begin, &line, &column);
    return mesh_arena_printf(arena, "%s:%d", at.source->path, line);
}

const char *mesh_show_plain(struct mesh_arena *arena, const char *text)
{
    char *plain = mesh_arena_strdup(arena, text == NULL ? "" : text);
    for (unsigned char *p = (unsigned char *)plain; *p != '\0'; p++) {
        if (*p < ' ' || *p == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)) {
            bool two = *p == 0xc2;
            *p = '?';
            if (two)
                *++p = '?';
        }
    }
    return plain;
}

static const struct mesh_gen_shape *shape_of(const struct mesh_model_port *port)
{
    return port->view != NULL ? port->view->shape : port->from.stream->shape;
}

enum mesh_label mesh_show_label(const struct mesh_model_port *port, const struct mesh_port_field *field)
{
    const struct mesh_gen_member *member = mesh_gen_shape_member(shape_of(port), field->name);
    return member == NULL ? field->label : member->label;
}

enum mesh_label mesh_show_input_label(const struct mesh_model_input *input, const char *field)
{
    const struct mesh_gen_member *member = mesh_gen_shape_member(input->shape, field);
    return member == NULL ? MESH_INTERNAL : member->label;
}

const char *mesh_show_border(const struct mesh_model_port *port, const struct mesh_port_field *field)
{
    if (field->release != NULL)
        return "release";
    if (field->protect == MESH_AS_IS && mesh_show_label(port, field) == MESH_PERSONAL)
        return "aggregate";
    return mesh_port_protect_word(field->protect);
}

void mesh_show_lineage_of(const struct mesh_show_lineage *show, const struct mesh_model_port *port, const char *field,
                          struct mesh_lineage *ret)
{
    if (field != NULL)
        mesh_lineage_of_field(show->arena, port->product, port, field, ret);
    else
        mesh_lineage_of_port(show->arena, port->product, port, ret);
}

bool mesh_show_has_source(const struct mesh_lineage *lineage, const struct mesh_lineage_source *source)
{
    for (size_t i = 0; i < lineage->sources.n; i++)
        if (lineage->sources.v[i].input == source->input && strcmp(lineage->sources.v[i].field, source->field) == 0)
            return true;
    return false;
}

/* ---- across products ---- */

struct visited {
    const struct mesh_model_port *port;
    const char *field;
    bool direct;
};

struct visits {
    MESH_VEC(struct visited) list;
};

static bool visit(struct mesh_arena *arena, struct visits *visits, const struct mesh_model_port *port, const char *field,
                  bool direct)
{
    for (size_t i = 0; i < visits->list.n; i++) {
        const struct visited *seen = &visits->list.v[i];
        if (seen->port == port && strcmp(seen->field, field) == 0 && (seen->direct || !direct))
            return false;
    }
    *mesh_vec_push_in(arena, &visits->list) = (struct visited){port, field, direct};
    return true;
}

static void add_origin(struct mesh_arena *arena, struct mesh_show_origins *ret, struct mesh_show_origin origin)
{
    for (size_t i = 0; i < ret->list.n; i++) {
        struct mesh_show_origin *other = &ret->list.v[i];
        if (other->input == origin.input && strcmp(other->field, origin.field) == 0) {
            other->direct = other->direct || origin.direct;
            return;
        }
    }
    *mesh_vec_push_in(arena, &ret->list) = origin;
}

static void find_origins(const struct mesh_show_lineage *show, const struct mesh_lineage *lineage,
                         const struct mesh_model_product *product, bool direct, struct visits *visits,
                         struct mesh_show_origins *ret)
{
    for (size_t i = 0; i < lineage->sources.n; i++) {
        const struct mesh_lineage_source *source = &lineage->sources.v[i];
        const struct mesh_model_port *up = source->input->product_port;
        bool goes = direct && source->direct;
        if (up == NULL) {
            add_origin(show->arena, ret, (struct mesh_show_origin){product, source->input, source->field, goes});
        } else if (visit(show->arena, visits, up, source->field, goes)) {
            struct mesh_lineage behind;
            mesh_show_lineage_of(show, up, source->field, &behind);
            find_origins(show, &behind, up->product, goes, visits, ret);
        }
    }
}

void mesh_show_origins_of(const struct mesh_show_lineage *show, const struct mesh_lineage *lineage,
                          const struct mesh_model_product *product, struct mesh_show_origins *ret)
{
    struct visits visits = {0};
    *ret = (struct mesh_show_origins){0};
    find_origins(show, lineage, product, true, &visits, ret);
}

/* ---- for people: all fields ---- */

static const char *border_text(const struct mesh_show_lineage *show, const struct mesh_model_port *port,
                               const struct mesh_port_field *field)
{
    if (field->release != NULL)
        return mesh_arena_printf(show->arena, "; leaves as it is: released, purpose %s, basis %s",
                                 mesh_show_plain(show->arena, field->release->purpose),
                                 mesh_show_plain(show->arena, field->release->basis));
    if (field->protect == MESH_PSEUDONYM)
        return "; leaves as a pseudonym";
    if (field->protect == MESH_DROP)
        return "; is left out";
    return strcmp(mesh_show_border(port, field), "aggregate") == 0 ? "; leaves: it only adds up what a pseudonym did" : "";
}

static void put_label(const struct mesh_show_lineage *show, struct mesh_buf *out, const struct mesh_model_port *port,
                      const struct mesh_port_field *field)
{
    enum mesh_label label = mesh_show_label(port, field);
    mesh_buf_puts(out, mesh_port_label_word(label));
    if (field->subject != NULL && label != MESH_PUBLIC && label != MESH_INTERNAL)
        mesh_buf_printf(out, " of the %s", mesh_show_plain(show->arena, field->subject));
    mesh_buf_puts(out, border_text(show, port, field));
}

/* "      from    a.x, b.y": one line per kind, nothing for none. */
static void put_sources(const struct mesh_show_lineage *show, struct mesh_buf *out, const char *word,
                        const struct mesh_lineage *lineage, bool direct, const struct mesh_lineage *except)
{
    size_t n = 0;
    for (size_t i = 0; i < lineage->sources.n; i++) {
        const struct mesh_lineage_source *source = &lineage->sources.v[i];
        if (source->direct != direct || (except != NULL && mesh_show_has_source(except, source)))
            continue;
        if (n++ == 0)
            mesh_buf_printf(out, "      %-8s", word);
        mesh_buf_printf(out, "%s%s.%s", n == 1 ? "" : ", ", source->input->name, source->field);
        if (source->input->product_port != NULL)
            mesh_buf_printf(out, " (of %s)", mesh_show_product_name(show->arena, source->input->product_port->product));
    }
    if (n > 0)
        mesh_buf_putc(out, '\n');
}

static bool from_products(const struct mesh_lineage *lineage, bool direct)
{
    for (size_t i = 0; i < lineage->sources.n; i++)
        if (lineage->sources.v[i].input->product_port != NULL && (lineage->sources.v[i].direct || !direct))
            return true;
    return false;
}

static void put_origins(const struct mesh_show_lineage *show, struct mesh_buf *out, const struct mesh_model_port *port,
                        const struct mesh_lineage *lineage, bool direct)
{
    struct mesh_show_origins origins;
    size_t n = 0;
    if (!from_products(lineage, direct))
        return;
    mesh_show_origins_of(show, lineage, port->product, &origins);
    for (size_t i = 0; i < origins.list.n; i++) {
        const struct mesh_show_origin *origin = &origins.list.v[i];
        if (origin->direct != direct)
            continue;
        if (n++ == 0)
            mesh_buf_puts(out, "      origin  ");
        mesh_buf_printf(out, "%s%s %s.%s", n == 1 ? "" : ", ", mesh_show_product_name(show->arena, origin->product),
                        origin->input->name, origin->field);
    }
    if (n > 0)
        mesh_buf_putc(out, '\n');
}

static void put_way(const struct mesh_show_lineage *show, struct mesh_buf *out, const struct mesh_lineage *lineage)
{
    size_t n = 0;
    for (size_t i = 0; i < lineage->places.n; i++) {
        const struct mesh_lineage_place *place = &lineage->places.v[i];
        if (place->kind == MESH_LINEAGE_INPUT)
            continue;
        mesh_buf_printf(out, "      %-8s%s%s%s  %s\n", n++ == 0 ? "way" : "", place->name,
                        place->text == NULL                   ? ""
                        : place->kind == MESH_LINEAGE_DECIDES ? ": "
                                                              : " = ",
                        place->text == NULL ? "" : place->text, mesh_show_at(show->arena, place->at));
    }
}

static void put_port(const struct mesh_show_lineage *show, struct mesh_buf *out, const struct mesh_model_port *port)
{
    struct mesh_port_fields fields;
    struct mesh_lineage all;
    mesh_port_fields_of(show->arena, port, &fields);
    mesh_show_lineage_of(show, port, NULL, &all);
    mesh_buf_printf(out, "\n  outputPorts.%s  %s %s", port->name, mesh_show_port_kind(port),
                    mesh_show_plain(show->arena, mesh_show_port_target(port)));
    if (port->contract != NULL)
        mesh_buf_printf(out, ", contract %s", port->contract->name);
    mesh_buf_printf(out, "  %s\n", mesh_show_at(show->arena, port->at));
    for (size_t i = 0; i < fields.list.n; i++) {
        const struct mesh_port_field *field = &fields.list.v[i];
        struct mesh_lineage lineage;
        mesh_show_lineage_of(show, port, field->name, &lineage);
        mesh_buf_printf(out, "    %-*s", NAME_COLUMN, field->name);
        mesh_buf_puts(out, "  ");
        put_label(show, out, port, field);
        mesh_buf_putc(out, '\n');
        put_sources(show, out, "from", &lineage, true, NULL);
        put_origins(show, out, port, &lineage, true);
        put_sources(show, out, "depends", &lineage, false, &all);
        put_way(show, out, &lineage);
    }
    if (all.sources.n == 0)
        return;
    mesh_buf_puts(out, "    every field: whether, where and when it is there\n");
    put_sources(show, out, "depends", &all, false, NULL);
    put_origins(show, out, port, &all, false);
    put_way(show, out, &all);
}

/* ---- for people: one field, hop by hop ---- */

struct tree {
    const struct mesh_show_lineage *show;
    struct mesh_buf *out;
    struct visits visits;
};

static void put_field_tree(struct tree *t, const struct mesh_model_port *port, const char *field, int level);

static void put_place(struct tree *t, const struct mesh_lineage *lineage, const struct mesh_lineage_edge *edge, bool *shown,
                      int level)
{
    const struct mesh_lineage_place *place = &lineage->places.v[edge->from];
    mesh_buf_printf(t->out, "%*s%s%s", 2 * level, "", place->kind != MESH_LINEAGE_DECIDES && !edge->direct ? "decides: " : "",
                    place->name);
    if (place->text != NULL)
        mesh_buf_printf(t->out, "%s%s", place->kind == MESH_LINEAGE_DECIDES ? ": " : " = ", place->text);
    if (place->kind == MESH_LINEAGE_INPUT)
        mesh_buf_printf(t->out, "  %s", mesh_port_label_word(mesh_show_input_label(place->input, place->field)));
    mesh_buf_printf(t->out, "  %s", mesh_show_at(t->show->arena, place->at));
    if (shown[edge->from]) {
        mesh_buf_puts(t->out, place->kind == MESH_LINEAGE_INPUT ? "\n" : "  (above)\n");
        return;
    }
    shown[edge->from] = true;
    if (place->kind == MESH_LINEAGE_INPUT) {
        const struct mesh_gen_member *member = mesh_gen_shape_member(place->input->shape, place->field);
        mesh_buf_printf(t->out, ", %s\n", mesh_show_at(t->show->arena, member->at));
        if (place->input->product_port != NULL)
            put_field_tree(t, place->input->product_port, place->field, level + 1);
        return;
    }
    mesh_buf_putc(t->out, '\n');
    for (size_t i = 0; i < lineage->edges.n; i++)
        if (lineage->edges.v[i].to == edge->from)
            put_place(t, lineage, &lineage->edges.v[i], shown, level + 1);
}

static void put_hops(struct tree *t, const struct mesh_lineage *lineage, int level)
{
    bool *shown = mesh_arena_alloc(t->show->arena, lineage->places.n + 1);
    for (size_t i = 0; i < lineage->edges.n; i++)
        if (lineage->edges.v[i].to == MESH_LINEAGE_RESULT)
            put_place(t, lineage, &lineage->edges.v[i], shown, level);
}

static void put_field_tree(struct tree *t, const struct mesh_model_port *port, const char *name, int level)
{
    struct mesh_port_fields fields;
    struct mesh_lineage lineage;
    mesh_port_fields_of(t->show->arena, port, &fields);
    for (size_t i = 0; i < fields.list.n; i++) {
        if (strcmp(fields.list.v[i].name, name) != 0)
            continue;
        mesh_buf_printf(t->out, "%*s%s outputPorts.%s.%s  ", 2 * level, "", mesh_show_product_name(t->show->arena, port->product),
                        port->name, name);
        put_label(t->show, t->out, port, &fields.list.v[i]);
        mesh_buf_printf(t->out, "  %s\n", mesh_show_at(t->show->arena, port->at));
    }
    if (!visit(t->show->arena, &t->visits, port, name, true))
        return;
    mesh_show_lineage_of(t->show, port, name, &lineage);
    put_hops(t, &lineage, level + 1);
}

void mesh_show_lineage_text(const struct mesh_show_lineage *show, struct mesh_buf *out)
{
    if (show->field != NULL) {
        struct tree tree = {.show = show, .out = out};
        struct mesh_lineage all;
        put_field_tree(&tree, show->port, show->field, 0);
        mesh_show_lineage_of(show, show->port, NULL, &all);
        if (all.places.n > 0)
            mesh_buf_puts(out, "whether, where and when it is there:\n");
        put_hops(&tree, &all, 1);
        return;
    }
    bool first = true;
    for (size_t p = 0; p < show->model->products.n; p++) {
        const struct mesh_model_product *product = show->model->products.v[p];
        if (!mesh_show_product(show, product))
            continue;
        mesh_buf_printf(out, "%s%s  %s\n", first ? "" : "\n", mesh_show_product_name(show->arena, product), product->path);
        first = false;
        for (size_t i = 0; i < product->ports.n; i++)
            put_port(show, out, product->ports.v[i]);
    }
}
