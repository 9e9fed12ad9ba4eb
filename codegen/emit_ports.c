/* Output ports on Kafka: the encoder of the contract. A port of a stream sends each record; a port of a view encodes a row. And what
 * tells the records of a stream to the readers of an sse port. */
#include "codegen/emit_int.h"

#include <string.h>

struct port_emit {
    struct mesh_emitter *e;
    struct mesh_buf *code, *protos;
    const struct mesh_model_port *port;
    const struct mesh_gen_shape *shape;
    const char *prefix; /* "r->" or "row->" */
    bool event;         /* a stream's record: there is an event to reject */
};

static enum mesh_protect protect_of(const struct port_emit *p, const struct mesh_gen_member *member)
{
    for (size_t i = 0; i < p->shape->members.n; i++)
        if (&p->shape->members.v[i] == member)
            return i < p->port->protect.n ? p->port->protect.v[i] : MESH_AS_IS;
    return MESH_AS_IS;
}

static void put(struct port_emit *p, int level, const struct mesh_schema *s, const struct mesh_gen_member *m, const char *value);

/* An enum whose symbols stand in another order, or are more, at the border. */
static void put_enum(struct port_emit *p, int level, const struct mesh_schema *to, const struct mesh_gen_member *m,
                     const char *value)
{
    const struct mesh_schema *from = m->type.schema;
    bool same = from->n_symbols <= to->n_symbols;
    for (size_t i = 0; same && i < from->n_symbols; i++)
        same = strcmp(from->symbols[i], to->symbols[i]) == 0;
    if (same) {
        mesh_emit_line(p->code, level, "mesh_out_long(out, %s);", value);
        return;
    }
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf map = MESH_BUF_NULL;
    for (size_t i = 0; i < from->n_symbols; i++) {
        size_t k = 0;
        while (k < to->n_symbols && strcmp(to->symbols[k], from->symbols[i]) != 0)
            k++;
        mesh_buf_printf(&map, "%s%zu", i == 0 ? "" : ", ", k);
    }
    mesh_emit_line(p->code, level, "mesh_out_long(out, ((const int64_t[]){%s})[%s]);", map.p, value);
}

static void put_number(struct port_emit *p, int level, const struct mesh_schema *s, const struct mesh_gen_member *m,
                       const char *value)
{
    if (s->logical == MESH_LOGICAL_TIMESTAMP_MILLIS || s->logical == MESH_LOGICAL_LOCAL_TIMESTAMP_MILLIS)
        mesh_emit_line(p->code, level, "mesh_out_millis(out, %s);", value);
    else if (s->logical == MESH_LOGICAL_TIMESTAMP_NANOS || s->logical == MESH_LOGICAL_LOCAL_TIMESTAMP_NANOS)
        mesh_emit_line(p->code, level, "mesh_out_long(out, %s * 1000);", value);
    else if (s->logical == MESH_LOGICAL_DATE)
        mesh_emit_line(p->code, level, "mesh_out_date(out, %s);", value);
    else if (s->kind == MESH_AVRO_INT && !m->type.int32 && p->event) {
        mesh_emit_line(p->code, level, "if (%s < INT32_MIN || %s > INT32_MAX)", value, value);
        mesh_emit_line(p->code, level + 1, "mesh_fail(&fault, MESH_FAULT_RANGE);");
        mesh_emit_line(p->code, level, "mesh_out_long(out, %s);", value);
    } else {
        mesh_emit_line(p->code, level, "mesh_out_long(out, %s);", value);
    }
}

static void put_decimal(struct port_emit *p, int level, const struct mesh_schema *s, const struct mesh_gen_member *m,
                        const char *value)
{
    int scale = m->type.kind == MESH_GEN_DECIMAL ? m->type.scale : 0;
    const char *number = value;
    if (p->event)
        number = mesh_arena_printf(p->e->arena, "mesh_dec_rescale(&fault, %s, %d, %d, %d)", value, scale, s->scale, s->precision);
    else if (scale != s->scale)
        number =
            mesh_arena_printf(p->e->arena, "mesh_dec_rescale(&(enum mesh_fault){MESH_FAULT_NONE}, %s, %d, %d, MESH_DEC_DIGITS_MAX)",
                              value, scale, s->scale);
    if (s->kind == MESH_AVRO_FIXED)
        mesh_emit_line(p->code, level, "mesh_out_decimal_fixed(out, %s, %u);", number, s->size);
    else
        mesh_emit_line(p->code, level, "mesh_out_decimal(out, %s);", number);
}

static void put(struct port_emit *p, int level, const struct mesh_schema *s, const struct mesh_gen_member *m, const char *value)
{
    struct mesh_buf *out = p->code;
    switch (s->kind) {
    case MESH_AVRO_BOOLEAN:
        mesh_emit_line(out, level, "mesh_out_bool(out, %s);", value);
        break;
    case MESH_AVRO_INT:
    case MESH_AVRO_LONG:
        put_number(p, level, s, m, value);
        break;
    case MESH_AVRO_FLOAT:
    case MESH_AVRO_DOUBLE:
        mesh_emit_line(out, level,
                       s->kind == MESH_AVRO_FLOAT ? "mesh_out_float(out, (double)%s);" : "mesh_out_double(out, (double)%s);",
                       value);
        break;
    case MESH_AVRO_BYTES:
    case MESH_AVRO_FIXED:
        if (s->logical == MESH_LOGICAL_DECIMAL)
            put_decimal(p, level, s, m, value);
        else if (s->kind == MESH_AVRO_BYTES)
            mesh_emit_line(out, level, "mesh_out_bytes(out, %s);", value);
        else
            mesh_emit_line(out, level, "mesh_out_raw(out, %s.p, %u);", value, s->size);
        break;
    case MESH_AVRO_STRING:
        if (protect_of(p, m) == MESH_PSEUDONYM)
            mesh_emit_line(
                out, level, "mesh_out_bytes(out, %s);",
                mesh_arena_printf(p->e->arena, "mesh_pseudonym(task, \"%s\", %s)", m->subject == NULL ? "" : m->subject, value));
        else if (m->type.kind == MESH_GEN_ENUM)
            mesh_emit_line(out, level, "mesh_out_bytes(out, mesh_str_of(%s[%s]));", mesh_emit_symbols(p->e, m->type.schema), value);
        else
            mesh_emit_line(out, level, "mesh_out_bytes(out, %s);", value);
        break;
    case MESH_AVRO_ENUM:
        put_enum(p, level, s, m, value);
        break;
    case MESH_AVRO_NULL:
    case MESH_AVRO_RECORD:
    case MESH_AVRO_ARRAY:
    case MESH_AVRO_MAP:
    case MESH_AVRO_UNION:
    case MESH_AVRO_KIND_COUNT:
        mesh_assert(!"checked: a port's contract is flat");
        break;
    }
}

static void put_field(struct port_emit *p, const struct mesh_schema_field *field)
{
    struct mesh_buf *out = p->code;
    int null_branch = 0;
    const struct mesh_schema *inner = mesh_schema_nullable(field->type, &null_branch);
    const struct mesh_gen_member *m = mesh_gen_shape_member(p->shape, field->name);
    if (m == NULL || protect_of(p, m) == MESH_DROP) { /* checked: it is nullable */
        mesh_emit_line(out, 1, "mesh_out_long(out, %d); /* %s: null */", null_branch, field->name);
        return;
    }
    const char *value = mesh_arena_printf(p->e->arena, "%s%s", p->prefix, m->cname);
    if (inner == NULL) {
        if (m->type.nullable && p->event) {
            mesh_emit_line(out, 1, "if (!%s_set)", value);
            mesh_emit_line(out, 2, "mesh_fail(&fault, MESH_FAULT_NULL);");
        }
        put(p, 1, field->type, m, value);
    } else if (!m->type.nullable) {
        mesh_emit_line(out, 1, "mesh_out_long(out, %d);", 1 - null_branch);
        put(p, 1, inner, m, value);
    } else {
        mesh_emit_line(out, 1, "mesh_out_long(out, %s_set ? %d : %d);", value, 1 - null_branch, null_branch);
        mesh_emit_line(out, 1, "if (%s_set) {", value);
        put(p, 2, inner, m, value);
        mesh_emit_line(out, 1, "}");
    }
}

/* The text that places the message: the key member, as it leaves. */
static const char *key_text(struct port_emit *p)
{
    if (p->port->key.text == NULL)
        return "event->key";
    const struct mesh_gen_member *m = mesh_gen_shape_member(p->shape, p->port->key.text);
    const char *value = mesh_arena_printf(p->e->arena, "%s%s", p->prefix, m->cname);
    if (protect_of(p, m) == MESH_PSEUDONYM)
        return mesh_arena_printf(p->e->arena, "mesh_pseudonym(task, \"%s\", %s)", m->subject == NULL ? "" : m->subject, value);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_emit_key_text(p->e, &text, &m->type, value);
    return mesh_arena_strdup(p->e->arena, text.p);
}

static void stream_port(struct port_emit *p)
{
    struct mesh_emitter *e = p->e;
    struct mesh_buf *out = p->code;
    const char *head =
        mesh_arena_printf(e->arena, "void %s_port_%s(struct mesh_task *task, const struct mesh_event *event, const struct %s *r)",
                          e->p, p->port->name, mesh_emit_struct_name(e, p->shape));
    mesh_emit_line(p->protos, 0, "%s;", head);
    mesh_emit_line(out, 0, "/* outputPorts.%s, line %d: %s */", p->port->name, mesh_emit_line_of(p->port->at),
                   p->port->contract->path);
    mesh_emit_line(out, 0, "%s", head);
    mesh_emit_line(out, 0, "{");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf body = MESH_BUF_NULL;
    struct mesh_buf *code = p->code;
    p->code = &body;
    for (size_t i = 0; i < p->port->contract->schema->n_fields; i++)
        put_field(p, &p->port->contract->schema->fields[i]);
    p->code = code;
    bool faulty = body.p != NULL && strstr(body.p, "&fault") != NULL;
    if (faulty)
        mesh_emit_line(out, 1, "enum mesh_fault fault = MESH_FAULT_NONE;");
    mesh_emit_line(out, 1, "struct mesh_out *out = mesh_value(task);");
    mesh_buf_puts(out, body.p == NULL ? "" : body.p);
    if (faulty)
        mesh_emit_fault_check(e, out, 1, p->port->at, mesh_arena_printf(e->arena, "outputPorts.%s", p->port->name));
    mesh_emit_line(out, 1, "mesh_send(task, %s_PORT_%s, %s, event);", e->p, p->port->name, key_text(p));
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

static void view_port(struct port_emit *p)
{
    struct mesh_emitter *e = p->e;
    struct mesh_buf *out = p->code;
    const char *head = mesh_arena_printf(
        e->arena, "void %s_encode_%s(struct mesh_task *task, const void *shown, struct mesh_out *out, struct mesh_out *key)", e->p,
        p->port->name);
    mesh_emit_line(p->protos, 0, "%s;", head);
    mesh_emit_line(out, 0, "/* outputPorts.%s, line %d: %s */", p->port->name, mesh_emit_line_of(p->port->at),
                   p->port->contract->path);
    mesh_emit_line(out, 0, "%s", head);
    mesh_emit_line(out, 0, "{");
    mesh_emit_line(out, 1, "const struct %s_out *row = shown;", p->port->view->name);
    mesh_emit_line(out, 1, "(void)task;");
    for (size_t i = 0; i < p->port->contract->schema->n_fields; i++)
        put_field(p, &p->port->contract->schema->fields[i]);
    mesh_emit_line(out, 1, "const struct mesh_str text = %s;", key_text(p));
    mesh_emit_line(out, 1, "mesh_out_raw(key, text.p, text.n);");
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

const struct mesh_gen_shape *mesh_emit_port_shape(const struct mesh_emitter *e, const struct mesh_model_port *port)
{
    const struct mesh_gen_shape *shape = NULL;
    for (size_t f = 0; f < e->plan->flows.n; f++)
        for (size_t i = 0; i < e->plan->flows.v[f]->ports.n; i++)
            if (e->plan->flows.v[f]->ports.v[i] == port)
                shape = e->plan->flows.v[f]->shape_out;
    mesh_assert(shape != NULL);
    return shape;
}

/* A view's row has members that its declaration does not list. */
static const struct mesh_gen_shape *shape_of_view(const struct mesh_emitter *e, const struct mesh_model_view *view)
{
    static const struct mesh_gen_member window[] = {
        {.name = "window_start", .cname = "window_start", .type = {.kind = MESH_GEN_TIMESTAMP}, .label = MESH_INTERNAL},
        {.name = "window_end", .cname = "window_end", .type = {.kind = MESH_GEN_TIMESTAMP}, .label = MESH_INTERNAL},
        {.name = "final", .cname = "final", .type = {.kind = MESH_GEN_BOOL}, .label = MESH_INTERNAL},
    };
    static const struct mesh_gen_member revision = {
        .name = "revision", .cname = "revision", .type = {.kind = MESH_GEN_INT}, .label = MESH_INTERNAL};
    struct mesh_gen_shape *shape = mesh_arena_new(e->arena, struct mesh_gen_shape);
    shape->cname = view->shape->cname;
    for (size_t i = 0; i < view->shape->members.n; i++) /* first, so that the port's protection keeps its indexes */
        *mesh_vec_push_in(e->arena, &shape->members) = view->shape->members.v[i];
    for (size_t i = 0; view->window != MESH_WINDOW_NONE && i < MESH_LEN(window); i++)
        *mesh_vec_push_in(e->arena, &shape->members) = window[i];
    *mesh_vec_push_in(e->arena, &shape->members) = revision;
    return shape;
}

/* A stream's record is told as it is: the platform shows its members, and protects them. */
static void event_port(struct mesh_emitter *e, const struct mesh_model_port *port, struct mesh_buf *code, struct mesh_buf *protos)
{
    const char *head =
        mesh_arena_printf(e->arena, "void %s_port_%s(struct mesh_task *task, const struct mesh_event *event, const struct %s *r)",
                          e->p, port->name, mesh_emit_struct_name(e, mesh_emit_port_shape(e, port)));
    mesh_emit_line(protos, 0, "%s;", head);
    mesh_emit_line(code, 0, "/* outputPorts.%s, line %d: %s */", port->name, mesh_emit_line_of(port->at), port->path.text);
    mesh_emit_line(code, 0, "%s", head);
    mesh_emit_line(code, 0, "{");
    mesh_emit_line(code, 1, "mesh_tell(task, %s_PORT_%s, event, r);", e->p, port->name);
    mesh_emit_line(code, 0, "}");
    mesh_emit_blank(code);
}

void mesh_emit_ports(struct mesh_emitter *e, struct mesh_data *data)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf code = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf protos = MESH_BUF_NULL;
    for (size_t i = 0; i < e->product->ports.n; i++) {
        const struct mesh_model_port *port = e->product->ports.v[i];
        if (port->kind == MESH_MODEL_SSE && port->view == NULL)
            event_port(e, port, &code, &protos);
        if (port->kind != MESH_MODEL_KAFKA)
            continue;
        struct port_emit p = {e, &code, &protos, port, NULL, "r->", true};
        if (port->view == NULL) {
            p.shape = mesh_emit_port_shape(e, port);
            stream_port(&p);
        } else {
            p.shape = shape_of_view(e, port->view);
            p.prefix = "row->";
            p.event = false;
            view_port(&p);
        }
    }
    mesh_data_code(e->arena, data, "port_functions", "%s", code.p == NULL ? "" : code.p);
    mesh_data_code(e->arena, data, "port_prototypes", "%s", protos.p == NULL ? "" : protos.p);
}
