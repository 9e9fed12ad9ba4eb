/* One list for the product's document and for OpenAPI, so that they cannot say different things. */
#include "codegen/port_fields.h"

#include <string.h>

const char *mesh_port_label_word(enum mesh_label label)
{
    static const char *const words[MESH_LABEL_COUNT] = {
        [MESH_PUBLIC] = "public",   [MESH_INTERNAL] = "internal",         [MESH_PERSONAL] = "personal",
        [MESH_SPECIAL] = "special", [MESH_PSEUDONYMOUS] = "pseudonymous",
    };
    return words[label];
}

const char *mesh_port_protect_word(enum mesh_protect protect)
{
    static const char *const words[MESH_PROTECT_COUNT] = {
        [MESH_AS_IS] = "none", [MESH_PSEUDONYM] = "pseudonym", [MESH_DROP] = "drop", [MESH_ON_CONSENT] = "consent"};
    return words[protect];
}

const char *mesh_port_doc(const struct mesh_model_port *port)
{
    if (port->doc != NULL)
        return port->doc;
    if (port->view != NULL && port->view->doc != NULL)
        return port->view->doc;
    return port->contract == NULL ? NULL : port->contract->schema->doc;
}

static const struct mesh_gen_shape *shape_of(const struct mesh_model_port *port)
{
    return port->view != NULL ? port->view->shape : port->from.stream->shape;
}

static const struct mesh_model_release *release_of(const struct mesh_model_port *port, const char *name)
{
    for (size_t i = 0; i < port->releases.n; i++)
        for (size_t k = 0; k < port->releases.v[i].fields.n; k++)
            if (strcmp(port->releases.v[i].fields.v[k], name) == 0)
                return &port->releases.v[i];
    return NULL;
}

/* "sum(amount_eur)": what a column says of itself when nobody described it. */
static const char *column_text(struct mesh_arena *arena, const struct mesh_model_view *view, const char *name)
{
    for (size_t i = 0; view != NULL && i < view->let.n; i++) {
        if (strcmp(view->let.v[i].name, name) != 0)
            continue;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        mesh_expr_print(view->let.v[i].expr, &text);
        return text.p == NULL ? NULL : mesh_arena_strdup(arena, text.p);
    }
    return NULL;
}

static struct mesh_port_field member_field(struct mesh_arena *arena, const struct mesh_model_port *port, size_t i)
{
    const struct mesh_gen_member *member = &shape_of(port)->members.v[i];
    struct mesh_port_field field = {
        .name = member->name,
        .doc = member->doc != NULL ? member->doc : column_text(arena, port->view, member->name),
        .subject = member->subject,
        .type = member->type,
        .label = member->label,
        .protect = i < port->protect.n ? port->protect.v[i] : MESH_AS_IS,
        .key = port->view != NULL && i < port->view->by.n,
        .release = release_of(port, member->name),
    };
    /* What is personal and leaves as it is without a release only adds up what a pseudonym did (privacy.c). */
    bool adds_up = field.protect == MESH_AS_IS && field.release == NULL && field.label == MESH_PERSONAL;
    if (adds_up && port->view != NULL && port->view->min_people > 0)
        field.label = MESH_INTERNAL; /* it adds up what many people did */
    else if (field.protect == MESH_PSEUDONYM || adds_up)
        field.label = MESH_PSEUDONYMOUS;
    return field;
}

static void add_row_members(struct mesh_arena *arena, const struct mesh_model_view *view, struct mesh_port_fields *ret)
{
    static const struct mesh_port_field windowed[] = {
        {.name = "window_start", .doc = "Begin of the window.", .type = {.kind = MESH_GEN_TIMESTAMP}, .label = MESH_PUBLIC},
        {.name = "window_end",
         .doc = "End of the window, which is not part of it.",
         .type = {.kind = MESH_GEN_TIMESTAMP},
         .label = MESH_PUBLIC},
        {.name = "final",
         .doc = "The window is closed: the row changes no more.",
         .type = {.kind = MESH_GEN_BOOL},
         .label = MESH_PUBLIC},
    };
    for (size_t i = 0; view->window != MESH_WINDOW_NONE && i < MESH_LEN(windowed); i++)
        *mesh_vec_push_in(arena, &ret->list) = windowed[i];
    *mesh_vec_push_in(arena, &ret->list) = (struct mesh_port_field){
        .name = "revision", .doc = "How many records the row has folded.", .type = {.kind = MESH_GEN_INT}, .label = MESH_INTERNAL};
}

static void row_fields(struct mesh_arena *arena, const struct mesh_model_port *port, struct mesh_port_fields *ret)
{
    size_t n = port->view->shape->members.n;
    for (size_t i = 0; i < n && i < port->view->by.n; i++)
        *mesh_vec_push_in(arena, &ret->list) = member_field(arena, port, i);
    add_row_members(arena, port->view, ret);
    for (size_t i = port->view->by.n; i < n; i++)
        *mesh_vec_push_in(arena, &ret->list) = member_field(arena, port, i);
}

static void message_fields(struct mesh_arena *arena, const struct mesh_model_port *port, struct mesh_port_fields *ret)
{
    const struct mesh_schema *schema = port->contract->schema;
    const struct mesh_gen_shape *shape = shape_of(port);
    struct mesh_port_fields own = {0};
    if (port->view != NULL)
        add_row_members(arena, port->view, &own);
    for (size_t i = 0; i < schema->n_fields; i++) {
        struct mesh_port_field field = {.label = MESH_PUBLIC};
        for (size_t k = 0; k < own.list.n; k++)
            if (strcmp(own.list.v[k].name, schema->fields[i].name) == 0)
                field = own.list.v[k];
        for (size_t k = 0; k < shape->members.n; k++)
            if (strcmp(shape->members.v[k].name, schema->fields[i].name) == 0)
                field = member_field(arena, port, k);
        field.name = schema->fields[i].name;
        if (schema->fields[i].doc != NULL)
            field.doc = schema->fields[i].doc;
        if (field.subject == NULL)
            field.subject = schema->fields[i].subject;
        mesh_gen_type_of_schema(schema->fields[i].type, arena, &field.type);
        *mesh_vec_push_in(arena, &ret->list) = field;
    }
}

void mesh_port_fields_of(struct mesh_arena *arena, const struct mesh_model_port *port, struct mesh_port_fields *ret)
{
    *ret = (struct mesh_port_fields){0};
    if (port->kind == MESH_MODEL_KAFKA)
        message_fields(arena, port, ret);
    else if (port->view != NULL)
        row_fields(arena, port, ret);
    else
        for (size_t i = 0; i < shape_of(port)->members.n; i++)
            *mesh_vec_push_in(arena, &ret->list) = member_field(arena, port, i);
}
