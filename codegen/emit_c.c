/* C from types and shapes. */
#include "codegen/emit_int.h"

#include <stdarg.h>
#include <string.h>

void mesh_emit_line(struct mesh_buf *out, int level, const char *format, ...)
{
    if (format[0] != 0)
        mesh_buf_printf(out, "%*s", 4 * level, "");
    va_list args;
    va_start(args, format);
    mesh_buf_vprintf(out, format, args);
    va_end(args);
    mesh_buf_putc(out, '\n');
}

void mesh_emit_blank(struct mesh_buf *out)
{
    mesh_buf_putc(out, '\n');
}

static bool in_identifier(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool mesh_emit_mentions(const char *code, const char *identifier)
{
    size_t n = strlen(identifier);
    for (const char *at = strstr(code, identifier); at != NULL; at = strstr(at + 1, identifier))
        if ((at == code || !in_identifier(at[-1])) && !in_identifier(at[n]))
            return true;
    return false;
}

/* ---- structs ---- */

static void struct_add(struct mesh_emitter *e, const char *name, const struct mesh_gen_shape *shape)
{
    if (shape == NULL || mesh_emit_struct_of(e, shape) != NULL)
        return;
    struct mesh_emit_struct *s = NULL;
    for (size_t i = 0; i < e->structs.n; i++)
        if (strcmp(e->structs.v[i]->name, name) == 0)
            s = e->structs.v[i];
    if (s == NULL) {
        s = mesh_arena_new(e->arena, struct mesh_emit_struct);
        s->name = name;
        *mesh_vec_push_in(e->arena, &e->structs) = s;
    }
    *mesh_vec_push_in(e->arena, &s->shapes) = shape;
    for (size_t i = 0; i < shape->members.n; i++) {
        const struct mesh_gen_member *member = &shape->members.v[i];
        bool there = false;
        for (size_t k = 0; k < s->members.n; k++)
            there = there || strcmp(s->members.v[k]->name, member->name) == 0;
        if (member->used && !there && (mesh_emit_has_c_type(&member->type) || member->type.kind == MESH_GEN_LIST))
            *mesh_vec_push_in(e->arena, &s->members) = member;
    }
}

/* "payment_v1"; with the domain in front when the product also reads a payment@1 of another one. */
static const char *contract_name(struct mesh_emitter *e, const struct mesh_model_contract *contract)
{
    bool alone = true;
    for (size_t i = 0; i < e->plan->inputs.n; i++) {
        const struct mesh_model_input *input = e->plan->inputs.v[i]->model;
        alone = alone && (input == NULL || input->contract == contract || input->contract->version != contract->version ||
                          strcmp(input->contract->subject, contract->subject) != 0);
    }
    return mesh_arena_printf(e->arena, "%s%s%s_v%d", alone ? "" : contract->domain, alone ? "" : "__", contract->subject,
                             contract->version);
}

void mesh_emit_structs_make(struct mesh_emitter *e)
{
    for (size_t i = 0; i < e->plan->inputs.n; i++) {
        const struct mesh_model_input *input = e->plan->inputs.v[i]->model;
        if (input != NULL)
            struct_add(e, contract_name(e, input->contract), input->shape);
    }
    for (size_t f = 0; f < e->plan->flows.n; f++) {
        const struct mesh_plan_flow *flow = e->plan->flows.v[f];
        const char *name = flow->stream->name;
        struct_add(e, mesh_arena_printf(e->arena, "%s_record", name), flow->stream->shape);
        struct_add(e, mesh_arena_printf(e->arena, "%s_old", name), flow->stream->shape_old);
        for (size_t s = 0; s < flow->steps.n; s++)
            if (mesh_model_brings(flow->steps.v[s].model)) /* missing: keep reads a row of its own, with everything nullable */
                struct_add(e, mesh_arena_printf(e->arena, "%s_%s", name, flow->steps.v[s].model->alias),
                           flow->steps.v[s].model->shape_joined);
        for (size_t s = 0; s < flow->steps.n; s++)
            struct_add(e, mesh_arena_printf(e->arena, "%s_%s_%zu", name, "step", s), flow->steps.v[s].after);
    }
}

const struct mesh_emit_struct *mesh_emit_struct_of(const struct mesh_emitter *e, const struct mesh_gen_shape *shape)
{
    for (size_t i = 0; i < e->structs.n; i++)
        for (size_t k = 0; k < e->structs.v[i]->shapes.n; k++)
            if (e->structs.v[i]->shapes.v[k] == shape)
                return e->structs.v[i];
    return NULL;
}

const char *mesh_emit_struct_name(const struct mesh_emitter *e, const struct mesh_gen_shape *shape)
{
    const struct mesh_emit_struct *s = mesh_emit_struct_of(e, shape);
    mesh_assert(s != NULL);
    return s->name;
}

/* ---- types ---- */

bool mesh_emit_has_c_type(const struct mesh_gen_type *type)
{
    return type->kind != MESH_GEN_LIST && type->kind != MESH_GEN_RECORD && type->kind != MESH_GEN_NULL &&
           type->kind != MESH_GEN_ERROR;
}

const char *mesh_emit_c_type(const struct mesh_gen_type *type)
{
    switch (type->kind) {
    case MESH_GEN_BOOL:
        return "bool ";
    case MESH_GEN_INT:
    case MESH_GEN_TIMESTAMP:
    case MESH_GEN_DURATION:
    case MESH_GEN_DATE:
        return "int64_t ";
    case MESH_GEN_DOUBLE:
        return "double ";
    case MESH_GEN_DECIMAL:
        return "mesh_dec ";
    case MESH_GEN_STRING:
    case MESH_GEN_BYTES:
    case MESH_GEN_LIST: /* its items as they were written, for flatten */
        return "struct mesh_str ";
    case MESH_GEN_ENUM:
        return "int32_t ";
    case MESH_GEN_ERROR:
    case MESH_GEN_NULL:
    case MESH_GEN_RECORD:
        break;
    }
    mesh_assert(!"a type without C");
    return "";
}

const char *mesh_emit_field_type(const struct mesh_gen_type *type)
{
    switch (type->kind) {
    case MESH_GEN_BOOL:
        return "MESH_BOOL";
    case MESH_GEN_INT:
        return type->int32 ? "MESH_INT" : "MESH_LONG";
    case MESH_GEN_DOUBLE:
        return "MESH_DOUBLE";
    case MESH_GEN_DECIMAL:
        return "MESH_DECIMAL";
    case MESH_GEN_STRING:
        return "MESH_STRING";
    case MESH_GEN_BYTES:
    case MESH_GEN_LIST:
        return "MESH_BYTES";
    case MESH_GEN_ENUM:
        return "MESH_ENUM";
    case MESH_GEN_TIMESTAMP:
        return "MESH_TIMESTAMP";
    case MESH_GEN_DURATION:
        return "MESH_DURATION";
    case MESH_GEN_DATE:
        return "MESH_DATE";
    case MESH_GEN_ERROR:
    case MESH_GEN_NULL:
    case MESH_GEN_RECORD:
        break;
    }
    mesh_assert(!"a type without C");
    return "";
}

static bool same_symbols(const struct mesh_schema *a, const struct mesh_schema *b)
{
    if (strcmp(a->short_name, b->short_name) != 0 || a->n_symbols != b->n_symbols)
        return false;
    for (size_t i = 0; i < a->n_symbols; i++)
        if (strcmp(a->symbols[i], b->symbols[i]) != 0)
            return false;
    return true;
}

const char *mesh_emit_symbols(struct mesh_emitter *e, const struct mesh_schema *schema)
{
    size_t namesakes = 0; /* enums of the same name with other symbols, which came first */
    size_t i = 0;
    for (; i < e->enums.n && !same_symbols(e->enums.v[i], schema); i++)
        namesakes += strcmp(e->enums.v[i]->short_name, schema->short_name) == 0 ? 1 : 0;
    if (i == e->enums.n)
        *mesh_vec_push_in(e->arena, &e->enums) = schema;
    return namesakes == 0 ? mesh_arena_printf(e->arena, "%s_%s_symbols", e->p, schema->short_name)
                          : mesh_arena_printf(e->arena, "%s_%s_%zu_symbols", e->p, schema->short_name, namesakes + 1);
}

const char *mesh_emit_label(enum mesh_label label)
{
    static const char *const names[MESH_LABEL_COUNT] = {
        [MESH_PUBLIC] = "MESH_PUBLIC",   [MESH_INTERNAL] = "MESH_INTERNAL",         [MESH_PERSONAL] = "MESH_PERSONAL",
        [MESH_SPECIAL] = "MESH_SPECIAL", [MESH_PSEUDONYMOUS] = "MESH_PSEUDONYMOUS",
    };
    return names[label];
}

const char *mesh_emit_protect(enum mesh_protect protect)
{
    static const char *const names[MESH_PROTECT_COUNT] = {[MESH_AS_IS] = "MESH_AS_IS",
                                                          [MESH_PSEUDONYM] = "MESH_PSEUDONYM",
                                                          [MESH_DROP] = "MESH_DROP",
                                                          [MESH_ON_CONSENT] = "MESH_ON_CONSENT"};
    return names[protect];
}

/* ".a = from->a, .a_set = <there> && from->a_set": a copy in which every member is nullable. */
void mesh_emit_copy_nullable(const struct mesh_emitter *e, struct mesh_buf *out, int level, const struct mesh_gen_shape *to,
                             const struct mesh_gen_shape *from, const char *source)
{
    const struct mesh_emit_struct *s = mesh_emit_struct_of(e, to);
    for (size_t i = 0; i < s->members.n; i++) {
        const struct mesh_gen_member *member = s->members.v[i];
        const struct mesh_gen_member *origin = mesh_gen_shape_member(from, member->name);
        mesh_emit_line(out, level, ".%s = %s->%s,", member->cname, source, origin->cname);
        if (origin->type.nullable)
            mesh_emit_line(out, level, ".%s_set = %s->%s_set,", member->cname, source, origin->cname);
        else
            mesh_emit_line(out, level, ".%s_set = true,", member->cname);
    }
}

/* ---- members ---- */

void mesh_emit_member(struct mesh_buf *out, int level, const struct mesh_gen_member *member)
{
    mesh_emit_line(out, level, "%s%s;", mesh_emit_c_type(&member->type), member->cname);
    if (member->type.nullable)
        mesh_emit_line(out, level, "bool %s_set;", member->cname);
}

void mesh_emit_field(struct mesh_emitter *e, struct mesh_buf *out, const char *owner, const struct mesh_gen_member *member,
                     enum mesh_protect protect)
{
    mesh_buf_printf(out, "    {.name = \"%s\", .doc = \"", member->name);
    mesh_escape_cstr(out, member->doc == NULL ? "" : member->doc);
    mesh_buf_printf(out, "\", .type = %s", mesh_emit_field_type(&member->type));
    if (member->type.kind == MESH_GEN_DECIMAL)
        mesh_buf_printf(out, ", .precision = %d, .scale = %d", member->type.precision, member->type.scale);
    if (member->type.kind == MESH_GEN_ENUM)
        mesh_buf_printf(out, ", .symbols = %s", mesh_emit_symbols(e, member->type.schema));
    mesh_buf_printf(out, ", .offset = offsetof(struct %s, %s)", owner, member->cname);
    if (member->type.nullable)
        mesh_buf_printf(out, ", .nullable = true, .present = offsetof(struct %s, %s_set)", owner, member->cname);
    mesh_buf_printf(out, ", .label = %s", mesh_emit_label(member->label));
    if (protect != MESH_AS_IS)
        mesh_buf_printf(out, ", .protect = %s", mesh_emit_protect(protect));
    if (member->subject != NULL) {
        mesh_buf_puts(out, ", .subject = \"");
        mesh_escape_cstr(out, member->subject);
        mesh_buf_puts(out, "\"");
    }
    mesh_buf_puts(out, "},\n");
}

void mesh_emit_key_part(struct mesh_buf *out, int level, const char *key, const struct mesh_gen_type *type, const char *value)
{
    const char *function = NULL;
    switch (type->kind) {
    case MESH_GEN_BOOL:
        function = "mesh_key_bool";
        break;
    case MESH_GEN_STRING:
    case MESH_GEN_BYTES:
        function = "mesh_key_str";
        break;
    case MESH_GEN_DECIMAL:
        function = "mesh_key_dec";
        break;
    case MESH_GEN_INT:
    case MESH_GEN_ENUM:
    case MESH_GEN_TIMESTAMP:
    case MESH_GEN_DURATION:
    case MESH_GEN_DATE:
    case MESH_GEN_DOUBLE:
    case MESH_GEN_ERROR:
    case MESH_GEN_NULL:
    case MESH_GEN_LIST:
    case MESH_GEN_RECORD:
        function = "mesh_key_long";
        break;
    }
    mesh_emit_line(out, level, "%s(%s, %s);", function, key, value);
}

size_t mesh_emit_key_bytes(const struct mesh_gen_type *type, size_t text_bytes)
{
    if (type->kind == MESH_GEN_STRING || type->kind == MESH_GEN_BYTES)
        return text_bytes + 2;
    return type->kind == MESH_GEN_BOOL ? 1 : type->kind == MESH_GEN_DECIMAL ? sizeof(mesh_dec) : sizeof(int64_t);
}

void mesh_emit_key_text(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_gen_type *type, const char *value)
{
    if (type->kind == MESH_GEN_STRING || type->kind == MESH_GEN_BYTES)
        mesh_buf_puts(out, value);
    else if (type->kind == MESH_GEN_ENUM)
        mesh_buf_printf(out, "mesh_str_of(%s[%s])", mesh_emit_symbols(e, type->schema), value);
    else
        mesh_buf_printf(out, "mesh_text_of_long(task, %s)", value);
}

void mesh_emit_copy(const struct mesh_emitter *e, struct mesh_buf *out, int level, const struct mesh_gen_shape *to,
                    const char *from, const struct mesh_model_assign *except, size_t n_except)
{
    const struct mesh_emit_struct *s = mesh_emit_struct_of(e, to);
    for (size_t i = 0; i < s->members.n; i++) {
        const struct mesh_gen_member *member = s->members.v[i];
        bool skip = false;
        for (size_t k = 0; k < n_except; k++)
            skip = skip || strcmp(except[k].name, member->name) == 0;
        if (skip)
            continue;
        mesh_emit_line(out, level, ".%s = %s%s,", member->cname, from, member->cname);
        if (member->type.nullable)
            mesh_emit_line(out, level, ".%s_set = %s%s_set,", member->cname, from, member->cname);
    }
}

int mesh_emit_line_of(struct mesh_srcref at)
{
    int line = 0;
    int column = 0;
    if (at.source != NULL)
        mesh_source_position(at.source, at.begin, &line, &column);
    return line;
}

void mesh_emit_site(const struct mesh_emitter *e, struct mesh_buf *out, struct mesh_srcref at, const char *format, ...)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf what = MESH_BUF_NULL;
    va_list args;
    va_start(args, format);
    mesh_buf_vprintf(&what, format, args);
    va_end(args);
    mesh_buf_printf(out, "{\"");
    mesh_escape_cstr(out, e->product->path);
    mesh_buf_printf(out, "\", %d, \"", mesh_emit_line_of(at));
    mesh_escape_cstr(out, what.p == NULL ? "" : what.p);
    mesh_buf_puts(out, "\"}");
}

void mesh_emit_fault_check(const struct mesh_emitter *e, struct mesh_buf *out, int level, struct mesh_srcref at, const char *what)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf site = MESH_BUF_NULL;
    mesh_emit_site(e, &site, at, "%s", what);
    mesh_emit_line(out, level, "if (fault != MESH_FAULT_NONE) {");
    mesh_emit_line(out, level + 1, "static const struct mesh_site site = %s;", site.p);
    mesh_emit_line(out, level + 1, "mesh_reject(task, event, &site, fault);");
    mesh_emit_line(out, level + 1, "return;");
    mesh_emit_line(out, level, "}");
}

bool mesh_emit_faulty(const struct mesh_expr *expr)
{
    return expr != NULL && mesh_expr_can_fault(expr);
}

static const char *power_of_ten(int digits)
{
    static char text[128];
    /* literals above 10^18 do not exist in C: multiply two */
    const char *one = "1000000000000000000";
    if (digits <= 18)
        snprintf(text, sizeof text, "INT64_C(%.*s)", digits + 1, one);
    else
        snprintf(text, sizeof text, "(mesh_dec)INT64_C(%s) * INT64_C(%.*s)", one, digits - 18 + 1, one);
    return text;
}

void mesh_emit_value_as(struct mesh_buf *out, const char *value, const struct mesh_gen_type *from, const struct mesh_gen_type *to)
{
    if (to->kind == MESH_GEN_DECIMAL && (from->kind == MESH_GEN_DECIMAL || from->kind == MESH_GEN_INT)) {
        int scale = from->kind == MESH_GEN_DECIMAL ? from->scale : 0;
        if (scale < to->scale)
            mesh_buf_printf(out, "(mesh_dec)%s * %s", value, power_of_ten(to->scale - scale));
        else
            mesh_buf_puts(out, value);
    } else if (to->kind == MESH_GEN_DOUBLE && from->kind == MESH_GEN_INT) {
        mesh_buf_printf(out, "(double)%s", value);
    } else {
        mesh_buf_puts(out, value);
    }
}
