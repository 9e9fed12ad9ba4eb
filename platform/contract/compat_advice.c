/* The sentences. They name the types as the contract writes them, and advise the side that is about to change: of a removed field,
 * for example, the old reader is what it is, so the advice is to keep the field and not to give it a default.
 */
#include "base/check.h"
#include "contract/compat_internal.h"
#include "contract/match.h"

static const char *described(struct mesh_arena *arena, const struct mesh_schema *schema)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_schema_describe(schema, &text);
    return mesh_arena_str(arena, (struct mesh_str){text.p, (uint32_t)text.n});
}

static void fix(struct mesh_incompat *found, const char *text)
{
    if (found->n_fixes < MESH_COMPAT_FIXES_MAX)
        found->fixes[found->n_fixes++] = text;
}

/* "the amount" of a sentence: the field, or the type. */
static const char *subject(const struct mesh_compat_case *at)
{
    if (at->field != NULL)
        return mesh_arena_printf(at->arena, "field '%s'", at->field->name);
    return at->reader->name != NULL ? mesh_arena_printf(at->arena, "'%s'", at->reader->name) : "the value";
}

static const char *default_of(const struct mesh_schema *schema)
{
    if (schema->kind == MESH_AVRO_UNION)
        return schema->n_branches > 0 ? default_of(schema->branches[0]) : "null";
    switch (schema->kind) {
    case MESH_AVRO_NULL:
        return "null";
    case MESH_AVRO_BOOLEAN:
        return "false";
    case MESH_AVRO_INT:
    case MESH_AVRO_LONG:
    case MESH_AVRO_FLOAT:
    case MESH_AVRO_DOUBLE:
        return "0";
    case MESH_AVRO_BYTES:
    case MESH_AVRO_STRING:
        return "\"\"";
    case MESH_AVRO_ARRAY:
        return "[]";
    case MESH_AVRO_MAP:
        return "{}";
    case MESH_AVRO_RECORD:
    case MESH_AVRO_ENUM:
    case MESH_AVRO_FIXED:
    case MESH_AVRO_UNION:
    case MESH_AVRO_KIND_COUNT:
        break;
    }
    return "...";
}

static bool same_type(const struct mesh_schema *a, const struct mesh_schema *b)
{
    return a->kind == b->kind && a->logical == b->logical && (a->name == NULL || strcmp(a->name, b->name) == 0);
}

/* A field that only the writer has and that may be the missing one under its old name: near in spelling, or the only one of its
 * type. */
static const char *old_name(const struct mesh_compat_case *at)
{
    const char **names = mesh_arena_alloc(at->arena, (at->writer->n_fields + 1) * sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < at->writer->n_fields; i++) {
        const struct mesh_schema_field *field = &at->writer->fields[i];
        if (mesh_schema_field(at->reader, field->name) == NULL && same_type(field->type, at->field->type))
            names[n++] = field->name;
    }
    return n == 1 ? names[0] : mesh_did_you_mean(at->field->name, names, n);
}

static void missing_field(const struct mesh_compat_case *at, struct mesh_incompat *found)
{
    const char *name = at->field->name;
    found->reason =
        mesh_arena_printf(at->arena, "field '%s' of %s has no default, and data is written without it", name, at->reader->name);
    if (at->side == MESH_COMPAT_WRITER_IS_NEW) {
        fix(found, mesh_arena_printf(at->arena, "keep field '%s' in the new schema", name));
        fix(found, mesh_arena_printf(at->arena,
                                     "first publish a version where '%s' has a default; remove it when no consumer uses an "
                                     "older one",
                                     name));
        return;
    }
    const char *before = old_name(at);
    if (before != NULL)
        fix(found, mesh_arena_printf(at->arena, "if it was called '%s' before, add \"aliases\": [\"%s\"]", before, before));
    int null_branch = 0;
    if (mesh_schema_nullable(at->field->type, &null_branch) != NULL && null_branch == 0) {
        fix(found, mesh_arena_printf(at->arena, "give '%s' \"default\": null", name));
        return;
    }
    fix(found, mesh_arena_printf(at->arena, "give '%s' a default: \"default\": %s", name, default_of(at->field->type)));
    if (at->field->type->kind != MESH_AVRO_UNION)
        fix(found, mesh_arena_printf(at->arena, "let it be absent: \"type\": [\"null\", ...], \"default\": null"));
}

static void two_fields(const struct mesh_compat_case *at, struct mesh_incompat *found)
{
    found->reason = mesh_arena_printf(at->arena, "field '%s' of %s is both '%s' and '%s' of the data", at->field->name,
                                      at->reader->name, at->first->name, at->second->name);
    fix(found, mesh_arena_printf(at->arena, "remove alias '%s', or one of the two fields", at->second->name));
}

static void names(const struct mesh_compat_case *at, struct mesh_incompat *found)
{
    const char *reader = at->reader->name, *writer = at->writer->name;
    if (at->second != NULL) {
        two_fields(at, found);
        return;
    }
    found->reason = mesh_arena_printf(at->arena, "the reader calls the %s '%s', the data is written as '%s'",
                                      mesh_avro_kind_name(at->reader->kind), reader, writer);
    if (at->side == MESH_COMPAT_READER_IS_NEW) {
        fix(found, mesh_arena_printf(at->arena, "add \"aliases\": [\"%s\"] to '%s'", writer, reader));
        fix(found, mesh_arena_printf(at->arena, "keep the name '%s'", writer));
    } else {
        fix(found, mesh_arena_printf(at->arena, "keep the name '%s': readers of the old schema know no other", reader));
    }
}

static void logical(const struct mesh_compat_case *at, struct mesh_incompat *found)
{
    const char *reader = described(at->arena, at->reader), *writer = described(at->arena, at->writer);
    const char *old = at->side == MESH_COMPAT_READER_IS_NEW ? writer : reader;
    const char *new = at->side == MESH_COMPAT_READER_IS_NEW ? reader : writer;
    found->reason = mesh_arena_printf(at->arena, "%s is written as %s and would be read as %s: the same bytes, another meaning",
                                      subject(at), writer, reader);
    fix(found, mesh_arena_printf(at->arena, "keep %s", old));
    fix(found, mesh_arena_printf(at->arena, "add a new field of type %s and fill both until nobody reads the old one", new));
    fix(found, "start a new topic version and migrate the data");
}

static void types(const struct mesh_compat_case *at, struct mesh_incompat *found)
{
    if (at->reader->kind == at->writer->kind || mesh_match_promotes(at->reader, at->writer)) {
        logical(at, found);
        return;
    }
    const char *reader = described(at->arena, at->reader), *writer = described(at->arena, at->writer);
    bool reader_is_new = at->side == MESH_COMPAT_READER_IS_NEW;
    const char *old = reader_is_new ? writer : reader, *new = reader_is_new ? reader : writer;
    if (at->writer->kind == MESH_AVRO_NULL) {
        found->reason =
            mesh_arena_printf(at->arena, "%s may be null in the data, but not for the reader (%s)", subject(at), reader);
        fix(found, reader_is_new ? mesh_arena_printf(at->arena, "keep null: \"type\": [\"null\", ...]")
                                 : "do not write null while consumers of the old schema are there: upgrade them first");
        return;
    }
    found->reason = mesh_arena_printf(at->arena, "%s is written as %s and cannot be read as %s", subject(at), writer, reader);
    if (mesh_match_promotes(at->writer, at->reader))
        fix(found, reader_is_new ? mesh_arena_printf(at->arena, "keep %s: a number may become wider, never narrower", old)
                                 : mesh_arena_printf(at->arena, "keep %s, or upgrade all consumers to %s first", old, new));
    else
        fix(found, mesh_arena_printf(at->arena, "keep %s", old));
    fix(found, mesh_arena_printf(at->arena, "add a new field of type %s and keep this one as it is", new));
    if (reader_is_new && at->reader->name == NULL && at->writer->name == NULL)
        fix(found, mesh_arena_printf(at->arena, "allow both: a union of %s and %s", old, new));
    fix(found, "start a new topic version and migrate the data");
}

static void symbols(const struct mesh_compat_case *at, struct mesh_incompat *found)
{
    found->reason = mesh_arena_printf(at->arena, "the data may hold %s, which enum %s of the reader does not have", at->symbols,
                                      at->reader->name);
    if (at->side == MESH_COMPAT_READER_IS_NEW) {
        fix(found, mesh_arena_printf(at->arena, "keep %s", at->symbols));
        fix(found, mesh_arena_printf(at->arena, "give the enum a \"default\"; it then stands for %s", at->symbols));
    } else {
        fix(found, "upgrade all consumers first: what they read with has to know the symbols");
        fix(found, "first publish a version where the enum has a \"default\", add the symbols later");
    }
}

static void size(const struct mesh_compat_case *at, struct mesh_incompat *found)
{
    uint32_t old = at->side == MESH_COMPAT_READER_IS_NEW ? at->writer->size : at->reader->size;
    found->reason = mesh_arena_printf(at->arena, "fixed %s has %u bytes in the data and %u for the reader", at->reader->name,
                                      at->writer->size, at->reader->size);
    fix(found, mesh_arena_printf(at->arena, "keep \"size\": %u", old));
    fix(found, "add a new field with a new fixed, or with bytes");
}

static void branch(const struct mesh_compat_case *at, struct mesh_incompat *found)
{
    const char *reader = described(at->arena, at->reader), *writer = described(at->arena, at->writer);
    found->reason = mesh_arena_printf(at->arena, "%s may be %s in the data, which no branch of the reader's union (%s) can read",
                                      at->field != NULL ? subject(at) : "the value", writer, reader);
    if (at->side == MESH_COMPAT_READER_IS_NEW)
        fix(found, mesh_arena_printf(at->arena, "keep %s in the union", writer));
    else
        fix(found, mesh_arena_printf(at->arena, "upgrade all consumers first: their union has to have %s", writer));
}

void mesh_compat_advise(const struct mesh_compat_case *at, struct mesh_incompat *found)
{
    switch (found->kind) {
    case MESH_COMPAT_NAME_MISMATCH:
        names(at, found);
        break;
    case MESH_COMPAT_FIXED_SIZE_MISMATCH:
        size(at, found);
        break;
    case MESH_COMPAT_MISSING_ENUM_SYMBOLS:
        symbols(at, found);
        break;
    case MESH_COMPAT_READER_FIELD_MISSING_DEFAULT_VALUE:
        missing_field(at, found);
        break;
    case MESH_COMPAT_TYPE_MISMATCH:
        types(at, found);
        break;
    case MESH_COMPAT_MISSING_UNION_BRANCH:
        branch(at, found);
        break;
    case MESH_COMPAT_KIND_COUNT:
        mesh_assert(found->kind < MESH_COMPAT_KIND_COUNT);
        break;
    }
}
