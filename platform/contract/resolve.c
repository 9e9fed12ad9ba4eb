/* Making the plan: a graph of steps, one for each pair of types that meet, so that recursion is a cycle of the graph. A pair whose
 * types cannot meet becomes a step that fails with its reason, because the datum at hand may never come there.
 */
#include "base/check.h"
#include "base/map.h"
#include "contract/compat.h"
#include "contract/default.h"
#include "contract/match.h"
#include "contract/resolve_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define BUILD_DEPTH_MAX MESH_COMPAT_DEPTH_MAX

struct build {
    struct mesh_arena *arena;
    struct mesh_map steps; /* "writer id:reader id" */
    unsigned depth;
    size_t default_bytes;
    struct mesh_err *err;
};

static struct mesh_resolve_step *build(struct build *b, const struct mesh_schema *writer, const struct mesh_schema *reader);

static const char *described(struct build *b, const struct mesh_schema *schema)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_schema_describe(schema, &text);
    return mesh_arena_str(b->arena, (struct mesh_str){text.p, (uint32_t)text.n});
}

static bool fail(struct build *b, struct mesh_resolve_step *step, const struct mesh_schema *writer,
                 const struct mesh_schema *reader)
{
    step->op = MESH_RESOLVE_FAIL;
    step->text =
        mesh_arena_printf(b->arena, "a value written as %s cannot be read as %s", described(b, writer), described(b, reader));
    return true;
}

/* How well a branch of the reader's union fits, without looking inside. 0: not at all. */
static int rank(const struct mesh_schema *branch, const struct mesh_schema *writer)
{
    if (!mesh_match_logical(branch, writer))
        return 0;
    if (branch->kind != writer->kind)
        return mesh_match_promotes(branch, writer) ? 1 : 0;
    if (branch->kind == MESH_AVRO_FIXED && branch->size != writer->size)
        return 0;
    if (branch->name == NULL || strcmp(branch->name, writer->name) == 0)
        return 3;
    return mesh_match_names(branch, writer) ? 2 : 0;
}

static int choose_branch(const struct mesh_schema *reader, const struct mesh_schema *writer)
{
    int best = -1, best_rank = 0, n = 0;
    for (size_t i = 0; i < reader->n_branches; i++) {
        int r = rank(reader->branches[i], writer);
        n += r > 0;
        if (r > best_rank) {
            best = (int)i;
            best_rank = r;
        }
    }
    for (int r = 3; r > 0 && n > 1; r--)
        for (size_t i = 0; i < reader->n_branches; i++)
            if (rank(reader->branches[i], writer) == r && mesh_compat_ok(reader->branches[i], writer))
                return (int)i;
    return best;
}

static bool build_enum(struct build *b, struct mesh_resolve_step *step, const struct mesh_schema *writer,
                       const struct mesh_schema *reader)
{
    int32_t *symbols = mesh_arena_alloc(b->arena, writer->n_symbols * sizeof *symbols);
    int fallback = reader == NULL || reader->enum_default == NULL ? -1 : mesh_match_symbol(reader, reader->enum_default);
    step->op = MESH_RESOLVE_ENUM;
    step->n = (uint32_t)writer->n_symbols;
    step->symbol_names = mesh_arena_alloc(b->arena, writer->n_symbols * sizeof *step->symbol_names);
    for (size_t i = 0; i < writer->n_symbols; i++) {
        int to = reader == NULL ? 0 : mesh_match_symbol(reader, writer->symbols[i]);
        symbols[i] = to >= 0 ? to : fallback;
        step->symbol_names[i] = mesh_arena_strdup(b->arena, writer->symbols[i]);
    }
    step->symbols = symbols;
    return true;
}

static bool build_default(struct build *b, const struct mesh_schema_field *field, struct mesh_str *ret)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf bytes = MESH_BUF_NULL;
    if (mesh_default_encode(field->type, field->default_, &bytes, b->err) < 0) {
        mesh_err_prefix(b->err, "field '%s'", field->name);
        return false;
    }
    b->default_bytes += bytes.n;
    if (b->default_bytes > MESH_DEFAULT_BYTES_MAX) {
        mesh_err_set(b->err, MESH_ERR_REJECT, "resolve.limit", "the defaults of all fields together have more than %u bytes",
                     MESH_DEFAULT_BYTES_MAX);
        return false;
    }
    char *copy = mesh_arena_alloc(b->arena, bytes.n + 1);
    if (bytes.n > 0)
        memcpy(copy, bytes.p, bytes.n);
    *ret = (struct mesh_str){copy, (uint32_t)bytes.n};
    return true;
}

/* The writer's fields that the reader has no use for stay with `to` == -1. */
static bool match_fields(struct build *b, struct mesh_resolve_step *step, const struct mesh_schema *writer,
                         const struct mesh_schema *reader)
{
    struct mesh_str *defaults = mesh_arena_alloc(b->arena, (reader->n_fields + 1) * sizeof *defaults);
    step->defaults = defaults;
    step->n_to = (uint32_t)reader->n_fields;
    for (size_t i = 0; i < reader->n_fields; i++) {
        const struct mesh_schema_field *field = &reader->fields[i], *second;
        const struct mesh_schema_field *from = mesh_match_field(field, writer, &second);
        if (second != NULL || (from == NULL && field->default_ == NULL)) {
            step->op = MESH_RESOLVE_FAIL;
            step->text = second != NULL ? mesh_arena_printf(b->arena, "field '%s' of %s is both '%s' and '%s' of the data",
                                                            field->name, reader->name, from->name, second->name)
                                        : mesh_arena_printf(b->arena, "field '%s' of %s has no default and is not in the data",
                                                            field->name, reader->name);
            return true;
        }
        if (from != NULL)
            step->parts[from - writer->fields].to = (int32_t)i;
        else if (!build_default(b, field, &defaults[i]))
            return false;
    }
    return true;
}

static bool build_record(struct build *b, struct mesh_resolve_step *step, const struct mesh_schema *writer,
                         const struct mesh_schema *reader)
{
    step->op = MESH_RESOLVE_RECORD;
    step->n = (uint32_t)writer->n_fields;
    step->in_order = true;
    step->parts = mesh_arena_alloc(b->arena, (writer->n_fields + 1) * sizeof *step->parts);
    for (size_t i = 0; i < writer->n_fields; i++)
        step->parts[i].to = -1;
    if (reader != NULL && !match_fields(b, step, writer, reader))
        return false;
    int32_t last = -1;
    for (size_t i = 0; step->op == MESH_RESOLVE_RECORD && i < writer->n_fields; i++) {
        struct mesh_resolve_part *part = &step->parts[i];
        part->name = mesh_arena_strdup(b->arena, writer->fields[i].name);
        part->step = build(b, writer->fields[i].type, part->to < 0 ? NULL : reader->fields[part->to].type);
        if (part->step == NULL)
            return false;
        if (part->to < 0)
            continue;
        step->in_order &= part->to > last;
        last = part->to;
    }
    return true;
}

static bool build_branches(struct build *b, struct mesh_resolve_step *step, const struct mesh_schema *writer,
                           const struct mesh_schema *reader)
{
    step->op = MESH_RESOLVE_BY_BRANCH;
    step->n = (uint32_t)writer->n_branches;
    step->branches = mesh_arena_alloc(b->arena, (writer->n_branches + 1) * sizeof *step->branches);
    for (size_t i = 0; i < writer->n_branches; i++) {
        step->branches[i] = build(b, writer->branches[i], reader);
        if (step->branches[i] == NULL)
            return false;
    }
    return true;
}

static bool build_inner(struct build *b, struct mesh_resolve_step *step, enum mesh_resolve_op op, const struct mesh_schema *writer,
                        const struct mesh_schema *reader)
{
    step->op = op;
    step->inner = build(b, writer, reader);
    return step->inner != NULL;
}

static enum mesh_resolve_op widening(enum mesh_avro_kind from, enum mesh_avro_kind to)
{
    if (to == MESH_AVRO_LONG)
        return MESH_RESOLVE_INT;
    if (to == MESH_AVRO_FLOAT)
        return from == MESH_AVRO_INT ? MESH_RESOLVE_INT_TO_FLOAT : MESH_RESOLVE_LONG_TO_FLOAT;
    if (to == MESH_AVRO_DOUBLE)
        return from == MESH_AVRO_INT    ? MESH_RESOLVE_INT_TO_DOUBLE
               : from == MESH_AVRO_LONG ? MESH_RESOLVE_LONG_TO_DOUBLE
                                        : MESH_RESOLVE_FLOAT_TO_DOUBLE;
    return MESH_RESOLVE_STRING; /* string and bytes */
}

static bool meet(const struct mesh_schema *writer, const struct mesh_schema *reader)
{
    return mesh_match_logical(reader, writer) && (reader->name == NULL || mesh_match_names(reader, writer)) &&
           reader->size == writer->size;
}

/* Two types that are no unions, or (reader NULL) one to skip. */
static bool build_pair(struct build *b, struct mesh_resolve_step *step, const struct mesh_schema *writer,
                       const struct mesh_schema *reader)
{
    if (reader != NULL && reader->kind != writer->kind) {
        if (!mesh_match_promotes(reader, writer) || !mesh_match_logical(reader, writer))
            return fail(b, step, writer, reader);
        step->op = widening(writer->kind, reader->kind);
        return true;
    }
    if (reader != NULL && !meet(writer, reader))
        return fail(b, step, writer, reader);
    switch (writer->kind) {
    case MESH_AVRO_NULL:
        step->op = MESH_RESOLVE_NULL;
        break;
    case MESH_AVRO_BOOLEAN:
        step->op = MESH_RESOLVE_BOOLEAN;
        break;
    case MESH_AVRO_INT:
        step->op = MESH_RESOLVE_INT;
        break;
    case MESH_AVRO_LONG:
        step->op = MESH_RESOLVE_LONG;
        break;
    case MESH_AVRO_FLOAT:
        step->op = MESH_RESOLVE_FLOAT;
        break;
    case MESH_AVRO_DOUBLE:
        step->op = MESH_RESOLVE_DOUBLE;
        break;
    case MESH_AVRO_BYTES:
        step->op = MESH_RESOLVE_BYTES;
        break;
    case MESH_AVRO_STRING:
        step->op = MESH_RESOLVE_STRING;
        break;
    case MESH_AVRO_FIXED:
        step->op = MESH_RESOLVE_FIXED;
        step->n = writer->size;
        break;
    case MESH_AVRO_ENUM:
        return build_enum(b, step, writer, reader);
    case MESH_AVRO_ARRAY:
        return build_inner(b, step, MESH_RESOLVE_ARRAY, writer->items, reader ? reader->items : NULL);
    case MESH_AVRO_MAP:
        return build_inner(b, step, MESH_RESOLVE_MAP, writer->items, reader ? reader->items : NULL);
    case MESH_AVRO_RECORD:
        return build_record(b, step, writer, reader);
    case MESH_AVRO_UNION:
    case MESH_AVRO_KIND_COUNT:
        mesh_assert(writer->kind < MESH_AVRO_UNION);
        break;
    }
    return true;
}

static bool build_step(struct build *b, struct mesh_resolve_step *step, const struct mesh_schema *writer,
                       const struct mesh_schema *reader)
{
    if (writer->kind == MESH_AVRO_UNION)
        return build_branches(b, step, writer, reader);
    if (reader == NULL || reader->kind != MESH_AVRO_UNION)
        return build_pair(b, step, writer, reader);
    int branch = choose_branch(reader, writer);
    if (branch < 0)
        return fail(b, step, writer, reader);
    step->n = (uint32_t)branch;
    return build_inner(b, step, MESH_RESOLVE_AS_BRANCH, writer, reader->branches[branch]);
}

/* NULL after an error. */
static struct mesh_resolve_step *build(struct build *b, const struct mesh_schema *writer, const struct mesh_schema *reader)
{
    char key[32];
    snprintf(key, sizeof key, "%u:%lld", writer->id, reader == NULL ? -1LL : (long long)reader->id);
    struct mesh_resolve_step *step = mesh_map_get(&b->steps, key);
    if (step != NULL)
        return step;
    if (b->steps.n == MESH_RESOLVE_STEPS_MAX || b->depth == BUILD_DEPTH_MAX) {
        mesh_err_set(b->err, MESH_ERR_REJECT, "resolve.limit", "the schemas are too large: more than %d pairs of types or %d deep",
                     MESH_RESOLVE_STEPS_MAX, BUILD_DEPTH_MAX);
        return NULL;
    }
    step = mesh_arena_new(b->arena, struct mesh_resolve_step);
    mesh_map_set(&b->steps, key, step);
    b->depth++;
    bool ok = build_step(b, step, writer, reader);
    b->depth--;
    return ok ? step : NULL;
}

/* Whether no datum can pass. A cycle, or what is too deep to look at, is left open: then it shows when data comes. */
static bool hopeless(struct build *b, const struct mesh_resolve_step *step)
{
    struct mesh_resolve_step *seen = (struct mesh_resolve_step *)(uintptr_t)step; /* still ours alone */
    if (seen->judged || b->depth == BUILD_DEPTH_MAX)
        return seen->hopeless;
    seen->judged = true;
    b->depth++;
    bool all = step->op == MESH_RESOLVE_BY_BRANCH && step->n > 0;
    for (uint32_t i = 0; all && i < step->n; i++)
        all = hopeless(b, step->branches[i]);
    bool any = step->op == MESH_RESOLVE_FAIL || (step->op == MESH_RESOLVE_AS_BRANCH && hopeless(b, step->inner));
    for (uint32_t i = 0; !any && step->op == MESH_RESOLVE_RECORD && i < step->n; i++)
        any = hopeless(b, step->parts[i].step);
    b->depth--;
    return seen->hopeless = all || any;
}

static int incompatible(const struct mesh_schema *writer, const struct mesh_schema *reader, struct mesh_err *err)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_compat compat;
    mesh_compat_check(&arena, reader, writer, MESH_COMPAT_READER_IS_NEW, &compat);
    if (compat.n == 0)
        return mesh_err_set(err, MESH_ERR_REJECT, "resolve.incompatible", "no data of the writer's schema can be read");
    return mesh_err_set(err, MESH_ERR_REJECT, "resolve.incompatible", "no data of the writer's schema can be read: at %s: %s",
                        compat.found[0].pointer, compat.found[0].reason);
}

int mesh_resolve_new(const struct mesh_schema *writer, const struct mesh_schema *reader, struct mesh_resolve **ret,
                     struct mesh_err *err)
{
    struct mesh_resolve *resolve = mesh_xcalloc(1, sizeof *resolve);
    struct build b = {.arena = &resolve->arena, .err = err};
    resolve->first = build(&b, writer, reader);
    mesh_map_deinit(&b.steps);
    int r = resolve->first == NULL ? -1 : 0;
    if (r == 0 && hopeless(&b, resolve->first))
        r = incompatible(writer, reader, err);
    if (r < 0) {
        mesh_resolve_free(resolve);
        return r;
    }
    *ret = resolve;
    return 0;
}

void mesh_resolve_free(struct mesh_resolve *resolve)
{
    if (resolve == NULL)
        return;
    mesh_arena_deinit(&resolve->arena);
    free(resolve);
}
