/* Decoders of the other versions of a contract: the writer's fields in their order, each into the reader's member that it means,
 * by the rules of Avro's schema resolution (contract/resolve.h does the same for schemas that come at run time). Straight down,
 * like the decoder of the reader's own version: what the reader lacks is skipped, what the writer lacks gets its default, which is
 * worked out here.
 *
 * A value that the reader cannot hold is a fault of that record alone: a symbol without default, a branch without place. Fields
 * that nobody reads are passed over whatever they hold. */
#include "codegen/emit_int.h"

#include "contract/default.h"
#include "contract/match.h"
#include "mesh/avro.h"

#include <string.h>

struct resolver {
    struct mesh_emitter *e;
    struct mesh_buf *out;
    const struct mesh_model_contract *reader, *writer;
};

static void refuse(struct resolver *r, int level, const char *fault, const char *why)
{
    mesh_emit_line(r->out, level, "mesh_in_fail(in, %s); /* %s */", fault, why);
}

/* ---- enums: by symbol ---- */

static bool same_numbers(const struct mesh_schema *reader, const struct mesh_schema *writer)
{
    for (size_t i = 0; i < writer->n_symbols; i++) {
        if (mesh_match_symbol(reader, writer->symbols[i]) != (int)i)
            return false;
    }
    return true;
}

static void read_enum(struct resolver *r, int level, const struct mesh_schema *reader, const struct mesh_schema *writer,
                      const struct mesh_gen_member *member)
{
    if (same_numbers(reader, writer)) {
        mesh_emit_line(r->out, level, "r->%s = mesh_in_enum(in, %zu);", member->cname, writer->n_symbols);
        return;
    }
    int fallback = reader->enum_default == NULL ? -1 : mesh_match_symbol(reader, reader->enum_default);
    mesh_emit_line(r->out, level, "switch (mesh_in_enum(in, %zu)) {", writer->n_symbols);
    for (size_t i = 0; i < writer->n_symbols; i++) {
        int to = mesh_match_symbol(reader, writer->symbols[i]);
        mesh_emit_line(r->out, level, "case %zu: /* %s%s */", i, writer->symbols[i],
                       to >= 0 || fallback < 0 ? "" : mesh_arena_printf(r->e->arena, ": %s, the default", reader->enum_default));
        if (to < 0)
            to = fallback;
        if (to >= 0)
            mesh_emit_line(r->out, level + 1, "r->%s = %d;", member->cname, to);
        else
            refuse(r, level + 1, "MESH_AVRO_ENUM_RANGE", mesh_arena_printf(r->e->arena, "%s does not have it", r->reader->name));
        mesh_emit_line(r->out, level + 1, "break;");
    }
    mesh_emit_line(r->out, level, "default:");
    mesh_emit_line(r->out, level + 1, "break;");
    mesh_emit_line(r->out, level, "}");
}

/* ---- one value ---- */

/* C that reads a value of the writer's type as one of the reader's; NULL: they do not meet. Neither is a union or null. */
static const char *read_as(struct resolver *r, const struct mesh_schema *reader, const struct mesh_schema *writer)
{
    if (!mesh_match_logical(reader, writer))
        return NULL;
    if (reader->kind == writer->kind) {
        bool meet = (reader->name == NULL || mesh_match_names(reader, writer)) && reader->size == writer->size;
        return meet ? mesh_emit_read(r->e, writer) : NULL;
    }
    if (!mesh_match_promotes(reader, writer))
        return NULL;
    const char *read = mesh_emit_read(r->e, writer);
    if (reader->kind == MESH_AVRO_FLOAT)
        return mesh_arena_printf(r->e->arena, "(double)(float)%s", read);
    if (reader->kind == MESH_AVRO_DOUBLE && writer->kind != MESH_AVRO_FLOAT)
        return mesh_arena_printf(r->e->arena, "(double)%s", read);
    if (reader->kind == MESH_AVRO_STRING)
        return "mesh_in_string(in)"; /* bytes become a text only when they are UTF-8 */
    return read;
}

static void read_value(struct resolver *r, int level, const struct mesh_schema *reader, const struct mesh_schema *writer,
                       const struct mesh_gen_member *member)
{
    struct mesh_arena *arena = r->e->arena;
    if (writer->kind == MESH_AVRO_UNION) {
        mesh_emit_line(r->out, level, "switch (mesh_in_union(in, %zu)) {", writer->n_branches);
        for (size_t i = 0; i < writer->n_branches; i++) {
            mesh_emit_line(r->out, level, "case %zu:", i);
            read_value(r, level + 1, reader, writer->branches[i], member);
            mesh_emit_line(r->out, level + 1, "break;");
        }
        mesh_emit_line(r->out, level, "default:");
        mesh_emit_line(r->out, level + 1, "break;");
        mesh_emit_line(r->out, level, "}");
        return;
    }
    int null_branch = 0;
    const struct mesh_schema *inner = mesh_schema_nullable(reader, &null_branch);
    const struct mesh_schema *into = inner != NULL ? inner : reader;
    if (writer->kind == MESH_AVRO_NULL) {
        if (inner != NULL)
            mesh_emit_line(r->out, level, "r->%s_set = false;", member->cname);
        else
            refuse(r, level, "MESH_AVRO_UNION_RANGE",
                   mesh_arena_printf(arena, "null: in %s '%s' is always there", r->reader->name, member->name));
        return;
    }
    const char *read = read_as(r, into, writer);
    if (read == NULL) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf type = MESH_BUF_NULL;
        mesh_schema_describe(writer, &type);
        refuse(r, level, "MESH_AVRO_UNION_RANGE",
               mesh_arena_printf(arena, "%s: in %s '%s' cannot hold it", type.p, r->reader->name, member->name));
        return;
    }
    if (inner != NULL)
        mesh_emit_line(r->out, level, "r->%s_set = true;", member->cname);
    if (into->kind == MESH_AVRO_ENUM)
        read_enum(r, level, into, writer, member);
    else
        mesh_emit_line(r->out, level, "r->%s = %s;", member->cname, read);
}

/* Read just as the reader's own version is read? */
static bool is_the_same(const struct mesh_schema *reader, const struct mesh_schema *writer)
{
    if (reader->kind != writer->kind || reader->size != writer->size || !mesh_match_logical(reader, writer))
        return false;
    if (reader->kind == MESH_AVRO_ENUM)
        return mesh_match_names(reader, writer) && same_numbers(reader, writer);
    if (reader->kind != MESH_AVRO_UNION)
        return reader->name == NULL || mesh_match_names(reader, writer);
    int null_reader = 0;
    int null_writer = 0;
    const struct mesh_schema *a = mesh_schema_nullable(reader, &null_reader);
    const struct mesh_schema *b = mesh_schema_nullable(writer, &null_writer);
    return a != NULL && b != NULL && null_reader == null_writer && is_the_same(a, b);
}

/* ---- defaults ---- */

static struct mesh_expr_value value_of(const struct mesh_schema *schema, struct mesh_in *in)
{
    struct mesh_expr_value value = {0};
    switch (schema->kind) {
    case MESH_AVRO_BOOLEAN:
        value.b = mesh_in_bool(in);
        break;
    case MESH_AVRO_INT:
        value.i = schema->logical == MESH_LOGICAL_DATE ? mesh_in_date(in) : mesh_in_int(in);
        break;
    case MESH_AVRO_LONG:
        if (schema->logical == MESH_LOGICAL_TIMESTAMP_MILLIS || schema->logical == MESH_LOGICAL_LOCAL_TIMESTAMP_MILLIS)
            value.i = mesh_in_millis(in);
        else if (schema->logical == MESH_LOGICAL_TIMESTAMP_MICROS || schema->logical == MESH_LOGICAL_LOCAL_TIMESTAMP_MICROS)
            value.i = mesh_in_micros(in);
        else if (schema->logical == MESH_LOGICAL_TIMESTAMP_NANOS || schema->logical == MESH_LOGICAL_LOCAL_TIMESTAMP_NANOS)
            value.i = mesh_in_nanos(in);
        else
            value.i = mesh_in_long(in);
        break;
    case MESH_AVRO_FLOAT:
        value.d = mesh_in_float(in);
        break;
    case MESH_AVRO_DOUBLE:
        value.d = mesh_in_double(in);
        break;
    case MESH_AVRO_BYTES:
        if (schema->logical == MESH_LOGICAL_DECIMAL)
            value.dec = mesh_in_decimal(in, schema->precision);
        else
            value.s = mesh_in_bytes(in);
        break;
    case MESH_AVRO_STRING:
        value.s = mesh_in_string(in);
        break;
    case MESH_AVRO_FIXED:
        if (schema->logical == MESH_LOGICAL_DECIMAL)
            value.dec = mesh_in_decimal_fixed(in, schema->size, schema->precision);
        else
            value.s = (struct mesh_str){(const char *)mesh_in_fixed(in, schema->size), schema->size};
        break;
    case MESH_AVRO_ENUM:
        value.i = mesh_in_enum(in, (int32_t)schema->n_symbols);
        break;
    case MESH_AVRO_NULL:
    case MESH_AVRO_RECORD:
    case MESH_AVRO_ARRAY:
    case MESH_AVRO_MAP:
    case MESH_AVRO_UNION:
    case MESH_AVRO_KIND_COUNT:
        mesh_assert(!"a member has no such type");
        break;
    }
    return value;
}

static const char *fault_name(enum mesh_avro_fault fault)
{
    return fault == MESH_AVRO_TIME ? "MESH_AVRO_TIME" : fault == MESH_AVRO_DECIMAL ? "MESH_AVRO_DECIMAL" : "MESH_AVRO_NUMBER";
}

static void put_default(struct resolver *r, const struct mesh_schema_field *field, const struct mesh_gen_member *member)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf bytes = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    int encoded = mesh_default_encode(field->type, field->default_, &bytes, &err);
    mesh_assert(encoded == 0); /* else the versions would not fit (contract/resolve.h) */
    struct mesh_in in = {.p = (const uint8_t *)bytes.p, .end = (const uint8_t *)bytes.p + bytes.n};
    const struct mesh_schema *type = field->type;
    if (member->type.kind == MESH_GEN_LIST) {
        mesh_emit_default_list(r->out, field, member, bytes.p, bytes.n);
        return;
    }
    if (type->kind == MESH_AVRO_UNION) {
        type = type->branches[mesh_in_union(&in, (int32_t)type->n_branches)];
        if (type->kind == MESH_AVRO_NULL) {
            mesh_emit_line(r->out, 1, "r->%s_set = false;", member->cname);
            return;
        }
    }
    struct mesh_expr_value value = value_of(type, &in);
    if (in.fault != MESH_AVRO_OK) {
        refuse(r, 1, fault_name(in.fault),
               mesh_arena_printf(r->e->arena, "the default of '%s' is no value of a service", field->name));
        return;
    }
    if (field->type->kind == MESH_AVRO_UNION)
        mesh_emit_line(r->out, 1, "r->%s_set = true;", member->cname);
    mesh_expr_emit_value(&member->type, &value, &text);
    mesh_emit_line(r->out, 1, "r->%s = %s;", member->cname, text.p);
}

/* ---- the record ---- */

static const struct mesh_schema_field *source_of(const struct resolver *r, const struct mesh_gen_member *member)
{
    const struct mesh_schema_field *second = NULL;
    return mesh_match_field(mesh_schema_field(r->reader->schema, member->name), r->writer->schema, &second);
}

static void read_field(struct resolver *r, const struct mesh_emit_struct *s, const struct mesh_schema_field *field)
{
    const struct mesh_gen_member *member = NULL;
    for (size_t i = 0; i < s->members.n && member == NULL; i++)
        member = source_of(r, s->members.v[i]) == field ? s->members.v[i] : NULL;
    const struct mesh_schema *reader = member == NULL ? NULL : mesh_schema_field(r->reader->schema, member->name)->type;
    if (member != NULL && member->type.kind == MESH_GEN_LIST)
        mesh_emit_read_list(r->out, field->type, member);
    else if (member == NULL || is_the_same(reader, field->type))
        mesh_emit_read_field(r->e, r->out, field, member);
    else
        read_value(r, 1, reader, field->type, member);
}

const char *mesh_emit_resolver(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_emit_struct *s,
                               const struct mesh_model_contract *reader, const struct mesh_model_contract *writer)
{
    struct resolver r = {.e = e, .out = out, .reader = reader, .writer = writer};
    const char *name = mesh_arena_printf(e->arena, "%s_from_v%d", s->name, writer->version);
    size_t begin = out->n;
    mesh_emit_line(out, 0, "/* %s, read as %s */", writer->path, reader->name);
    mesh_emit_line(out, 0, "static void %s(struct mesh_in *in, struct %s *r)", name, s->name);
    mesh_emit_line(out, 0, "{");
    for (size_t i = 0; i < writer->schema->n_fields; i++)
        read_field(&r, s, &writer->schema->fields[i]);
    bool first = true;
    for (size_t i = 0; i < s->members.n; i++) {
        if (source_of(&r, s->members.v[i]) != NULL)
            continue;
        if (first)
            mesh_emit_line(out, 1, "/* %s does not have them: the defaults */", writer->name);
        first = false;
        put_default(&r, mesh_schema_field(reader->schema, s->members.v[i]->name), s->members.v[i]);
    }
    if (strstr(out->p + begin, " r->") == NULL)
        mesh_emit_line(out, 1, "(void)r;");
    if (writer->schema->n_fields == 0)
        mesh_emit_line(out, 1, "(void)in;");
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
    return name;
}
