/* The comparison is a walk over pairs of types, in two phases.
 *
 * Phase one only decides. A pair that is being compared counts as compatible, which is the rule for recursion, but a verdict that
 * was reached under such an assumption must not outlive it. So the walk is repeated, with the pairs that failed before no longer
 * assumed, until no further pair fails; nearly always that is once.
 *
 * Phase two walks again along what failed and writes it down, every pair once. A pair that is being explained is not explained
 * inside itself: a list whose items lack a field lacks it once.
 */
#include "base/check.h"
#include "base/map.h"
#include "contract/compat_internal.h"
#include "contract/match.h"

#include <stdio.h>
#include <strings.h>

#define PASSES_MAX 50 /* then nothing is assumed any more: right for what is called compatible, at worst too strict */

struct pair {
    bool comparing, done, ok; /* of this pass */
    bool bad;                 /* found incompatible in a pass before */
    bool reported;
    bool judged, fails; /* in phase two: by itself, not because of what is being explained around it */
};

struct comparison {
    struct mesh_arena *arena;
    enum mesh_compat_side side;
    struct mesh_map pairs;
    size_t n_bad;
    unsigned depth;
    bool pessimistic;
    bool over;       /* a limit is passed */
    bool explaining; /* phase two: the verdicts are there */
    bool collect;    /* write down what is found */
    bool first_only; /* one finding is enough */
    bool strict;     /* what follows from another finding is a finding too */
    MESH_VEC(struct mesh_incompat) found;
    size_t n_dropped;
};

/* Where the walk is. */
struct place {
    const struct place *up;
    const char *name; /* or NULL: a number */
    size_t index;
    const struct mesh_schema_field *field; /* of the reader, when this is its type */
    struct mesh_srcref reader_at, writer_at;
};

static bool compare(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer,
                    const struct place *place);

static void write_pointer(struct mesh_buf *out, const struct place *place)
{
    if (place->up == NULL)
        return;
    write_pointer(out, place->up);
    if (place->name != NULL)
        mesh_buf_printf(out, "/%s", place->name);
    else
        mesh_buf_printf(out, "/%zu", place->index);
}

/* NULL when this place is said already or there are too many. */
static struct mesh_incompat *report(struct comparison *c, enum mesh_compat_kind kind, const struct place *place, const char *detail,
                                    const struct mesh_compat_case *at)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf pointer = MESH_BUF_NULL;
    write_pointer(&pointer, place);
    if (detail != NULL)
        mesh_buf_printf(&pointer, "/%s", detail);
    if (pointer.n == 0)
        mesh_buf_putc(&pointer, '/');
    const char *text = mesh_arena_str(c->arena, (struct mesh_str){pointer.p, (uint32_t)pointer.n});
    struct mesh_incompat found = {.kind = kind, .pointer = text, .reader_at = place->reader_at, .writer_at = place->writer_at};
    mesh_compat_advise(at, &found);
    for (size_t i = 0; i < c->found.n; i++)
        if (c->found.v[i].kind == kind && strcmp(c->found.v[i].pointer, text) == 0 &&
            strcmp(c->found.v[i].reason, found.reason) == 0)
            return NULL;
    if (c->found.n == MESH_COMPAT_FOUND_MAX) {
        c->n_dropped++;
        return NULL;
    }
    struct mesh_incompat *slot = mesh_vec_push_in(c->arena, &c->found);
    *slot = found;
    return slot;
}

static struct mesh_compat_case about(const struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer,
                                     const struct place *place)
{
    return (struct mesh_compat_case){.arena = c->arena, .side = c->side, .reader = reader, .writer = writer, .field = place->field};
}

static bool mismatch(struct comparison *c, enum mesh_compat_kind kind, const struct mesh_schema *reader,
                     const struct mesh_schema *writer, const struct place *place, const char *detail)
{
    struct mesh_compat_case at = about(c, reader, writer, place);
    if (c->collect)
        report(c, kind, place, detail, &at);
    return false;
}

static struct mesh_srcref member_at(const struct mesh_schema *schema, const char *key)
{
    const struct mesh_json *member = schema->json == NULL ? NULL : mesh_json_get(schema->json, key);
    return member == NULL ? schema->at : member->at;
}

static struct mesh_srcref branch_at(const struct mesh_schema *union_, size_t i)
{
    return union_->json->items[i]->at;
}

static bool check_names(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer,
                        const struct place *place)
{
    struct place named = *place;
    named.reader_at = reader->at;
    named.writer_at = writer->at;
    return mesh_match_names(reader, writer) || mismatch(c, MESH_COMPAT_NAME_MISMATCH, reader, writer, &named, "name");
}

static bool check_size(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer,
                       const struct place *place)
{
    struct place sized = *place;
    sized.reader_at = member_at(reader, "size");
    sized.writer_at = member_at(writer, "size");
    return reader->size == writer->size || mismatch(c, MESH_COMPAT_FIXED_SIZE_MISMATCH, reader, writer, &sized, "size");
}

static bool check_symbols(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer,
                          const struct place *place)
{
    if (reader->enum_default != NULL)
        return true;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf missing = MESH_BUF_NULL;
    struct place symbols = *place;
    symbols.reader_at = member_at(reader, "symbols");
    symbols.writer_at = member_at(writer, "symbols");
    const struct mesh_json *list = mesh_json_get(writer->json, "symbols");
    for (size_t i = 0; i < writer->n_symbols; i++) {
        if (mesh_match_symbol(reader, writer->symbols[i]) >= 0)
            continue;
        if (!c->collect)
            return false;
        if (missing.n == 0)
            symbols.writer_at = list->items[i]->at;
        mesh_buf_printf(&missing, "%s%s", missing.n > 0 ? ", " : "", writer->symbols[i]);
    }
    if (missing.n == 0)
        return true;
    struct mesh_compat_case at = about(c, reader, writer, place);
    at.symbols = missing.p;
    report(c, MESH_COMPAT_MISSING_ENUM_SYMBOLS, &symbols, "symbols", &at);
    return false;
}

static bool check_field(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema_field *field,
                        const struct mesh_schema *writer, const struct place *place)
{
    const struct mesh_schema_field *second, *found = mesh_match_field(field, writer, &second);
    struct mesh_compat_case at = about(c, reader, writer, place);
    at.field = field;
    at.first = found;
    at.second = second;
    if (found == NULL && field->default_ != NULL)
        return true;
    if (found == NULL || second != NULL) {
        struct place missing = *place;
        missing.reader_at = field->name_at;
        missing.writer_at = second != NULL ? second->name_at : writer->at;
        if (c->collect)
            report(c, second != NULL ? MESH_COMPAT_NAME_MISMATCH : MESH_COMPAT_READER_FIELD_MISSING_DEFAULT_VALUE, &missing, NULL,
                   &at);
        return false;
    }
    struct place type = {place, "type", 0, field, field->type_at, found->type_at};
    return compare(c, field->type, found->type, &type);
}

static bool check_fields(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer,
                         const struct place *place)
{
    bool ok = true;
    struct place fields = {place, "fields", 0, NULL, reader->at, writer->at};
    for (size_t i = 0; i < reader->n_fields; i++) {
        struct place one = {&fields, NULL, i, NULL, reader->fields[i].at, writer->at};
        ok &= check_field(c, reader, &reader->fields[i], writer, &one);
    }
    return ok;
}

static bool check_items(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer,
                        const struct place *place)
{
    const char *key = reader->kind == MESH_AVRO_MAP ? "values" : "items";
    struct place items = {place, key, 0, NULL, member_at(reader, key), member_at(writer, key)};
    return compare(c, reader->items, writer->items, &items);
}

/* The branch that was surely meant: of the same type and name, or the only one besides null. */
static const struct mesh_schema *meant(const struct mesh_schema *union_, const struct mesh_schema *writer, size_t *ret_i)
{
    const struct mesh_schema *found = NULL;
    size_t n = 0;
    for (size_t i = 0; i < union_->n_branches; i++) {
        const struct mesh_schema *branch = union_->branches[i];
        if (branch->kind != writer->kind || (branch->name != NULL && !mesh_match_names(branch, writer)))
            continue;
        found = branch;
        *ret_i = i;
        n++;
    }
    return n == 1 ? found : NULL;
}

/* The finding is that the branch is missing, as registries say it; the reason is the one inside the branch that was meant. */
static void report_branch(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer,
                          const struct place *place)
{
    size_t i = 0;
    struct mesh_compat_case at = about(c, reader, writer, place);
    struct mesh_incompat *found = report(c, MESH_COMPAT_MISSING_UNION_BRANCH, place, NULL, &at);
    const struct mesh_schema *branch = meant(reader, writer, &i);
    if (found == NULL || branch == NULL)
        return;
    struct comparison before = *c;
    memset(&c->found, 0, sizeof c->found);
    c->first_only = true;
    struct place inside = *place;
    inside.reader_at = branch_at(reader, i);
    compare(c, branch, writer, &inside);
    const struct mesh_incompat *first = c->found.n > 0 ? &c->found.v[0] : NULL;
    c->found.v = before.found.v;
    c->found.n = before.found.n;
    c->found.cap = before.found.cap;
    c->first_only = before.first_only;
    if (first == NULL)
        return;
    found->reader_at = first->reader_at;
    found->writer_at = first->writer_at;
    found->reason = mesh_arena_printf(c->arena, "%s; inside it: %s", found->reason, first->reason);
    found->n_fixes = first->n_fixes;
    memcpy(found->fixes, first->fixes, sizeof found->fixes);
}

static bool check_reader_union(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer,
                               const struct place *place)
{
    bool collect = c->collect;
    c->collect = false;
    bool ok = false;
    for (size_t i = 0; i < reader->n_branches && !ok; i++)
        ok = compare(c, reader->branches[i], writer, place);
    c->collect = collect;
    if (!ok && collect)
        report_branch(c, reader, writer, place);
    return ok;
}

static bool check_writer_union(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer,
                               const struct place *place)
{
    bool ok = true;
    for (size_t i = 0; i < writer->n_branches; i++) {
        struct place branch = {place, NULL, i, place->field, place->reader_at, branch_at(writer, i)};
        ok &= compare(c, reader, writer->branches[i], &branch);
    }
    return ok;
}

static bool check_pair(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer,
                       const struct place *place)
{
    if (writer->kind == MESH_AVRO_UNION)
        return check_writer_union(c, reader, writer, place);
    if (reader->kind == MESH_AVRO_UNION)
        return check_reader_union(c, reader, writer, place);
    if (reader->kind != writer->kind && !mesh_match_promotes(reader, writer))
        return mismatch(c, MESH_COMPAT_TYPE_MISMATCH, reader, writer, place, NULL);
    bool ok = true;
    if (reader->kind == writer->kind && reader->name != NULL)
        ok = check_names(c, reader, writer, place);
    if (!mesh_match_logical(reader, writer))
        ok = mismatch(c, MESH_COMPAT_TYPE_MISMATCH, reader, writer, place, NULL);
    if (reader->kind == MESH_AVRO_FIXED)
        ok &= check_size(c, reader, writer, place);
    else if (reader->kind == MESH_AVRO_ENUM)
        ok &= check_symbols(c, reader, writer, place);
    else if (reader->kind == MESH_AVRO_RECORD)
        ok &= check_fields(c, reader, writer, place);
    else if (reader->items != NULL)
        ok &= check_items(c, reader, writer, place);
    return ok;
}

static struct pair *pair_of(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer)
{
    char key[32];
    snprintf(key, sizeof key, "%u:%u", reader->id, writer->id);
    struct pair *pair = mesh_map_get(&c->pairs, key);
    if (pair == NULL && c->pairs.n < MESH_COMPAT_PAIRS_MAX) {
        pair = mesh_arena_new(c->arena, struct pair);
        mesh_map_set(&c->pairs, key, pair);
    }
    return pair;
}

static bool walk(struct comparison *c, struct pair *pair, const struct mesh_schema *reader, const struct mesh_schema *writer,
                 const struct place *place)
{
    pair->comparing = true;
    c->depth++;
    bool ok = check_pair(c, reader, writer, place);
    c->depth--;
    pair->comparing = false;
    return ok;
}

/* Phase two. */
static bool explain(struct comparison *c, struct pair *pair, const struct mesh_schema *reader, const struct mesh_schema *writer,
                    const struct place *place)
{
    if (pair->comparing || pair->ok)
        return true;
    if (!c->collect) {
        if (!pair->judged)
            pair->fails = c->strict || !walk(c, pair, reader, writer, place);
        pair->judged = true;
        return !pair->fails;
    }
    if (c->first_only ? c->found.n > 0 : pair->reported)
        return false;
    pair->reported |= !c->first_only;
    return walk(c, pair, reader, writer, place);
}

static bool compare(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer,
                    const struct place *place)
{
    struct pair *pair = pair_of(c, reader, writer);
    if (pair == NULL || c->depth == MESH_COMPAT_DEPTH_MAX) {
        c->over = true;
        return false;
    }
    if (c->explaining)
        return explain(c, pair, reader, writer, place);
    if (pair->comparing)
        return !pair->bad && !c->pessimistic;
    if (!pair->done) {
        pair->ok = walk(c, pair, reader, writer, place);
        pair->done = true;
    }
    return pair->ok;
}

/* Forget the verdicts, keep who failed. */
static bool next_pass(struct comparison *c)
{
    size_t n_bad = 0;
    for (size_t i = 0; i < c->pairs.n; i++) {
        struct pair *pair = c->pairs.entries[i].value;
        pair->bad |= pair->done && !pair->ok;
        n_bad += pair->bad;
    }
    bool again = n_bad > c->n_bad;
    c->n_bad = n_bad;
    for (size_t i = 0; again && i < c->pairs.n; i++)
        ((struct pair *)c->pairs.entries[i].value)->done = false;
    return again;
}

static bool decide(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer,
                   const struct place *place)
{
    bool ok;
    unsigned passes = 0;
    do {
        c->pessimistic = ++passes > PASSES_MAX;
        ok = compare(c, reader, writer, place);
    } while (!c->over && !c->pessimistic && next_pass(c));
    return ok;
}

/* Leaving out what follows from something else must not leave out all; and a limit has no place of its own. */
static void explain_at_least_one(struct comparison *c, const struct mesh_schema *reader, const struct mesh_schema *writer,
                                 const struct place *top)
{
    c->strict = true;
    for (size_t i = 0; c->found.n == 0 && i < c->pairs.n; i++) {
        struct pair *pair = c->pairs.entries[i].value;
        pair->reported = pair->judged = false;
    }
    if (c->found.n == 0)
        compare(c, reader, writer, top);
    if (c->found.n > 0)
        return;
    mismatch(c, MESH_COMPAT_TYPE_MISMATCH, reader, writer, top, NULL);
    c->found.v[0].reason = "the schemas are too large to be compared";
    c->found.v[0].n_fixes = 0;
}

void mesh_compat_check(struct mesh_arena *arena, const struct mesh_schema *reader, const struct mesh_schema *writer,
                       enum mesh_compat_side side, struct mesh_compat *ret)
{
    struct comparison c = {.arena = arena, .side = side};
    struct place top = {.reader_at = reader->at, .writer_at = writer->at};
    *ret = (struct mesh_compat){0};
    if (!decide(&c, reader, writer, &top)) {
        c.explaining = c.collect = true;
        compare(&c, reader, writer, &top);
        explain_at_least_one(&c, reader, writer, &top);
        *ret = (struct mesh_compat){c.found.v, c.found.n, c.n_dropped};
    }
    mesh_map_deinit(&c.pairs);
}

bool mesh_compat_ok(const struct mesh_schema *reader, const struct mesh_schema *writer)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    struct comparison c = {.arena = &arena};
    struct place top = {.reader_at = reader->at, .writer_at = writer->at};
    bool ok = decide(&c, reader, writer, &top);
    mesh_map_deinit(&c.pairs);
    return ok;
}

const char *mesh_compat_kind_name(enum mesh_compat_kind kind)
{
    static const char *const names[MESH_COMPAT_KIND_COUNT] = {
        [MESH_COMPAT_NAME_MISMATCH] = "NAME_MISMATCH",
        [MESH_COMPAT_FIXED_SIZE_MISMATCH] = "FIXED_SIZE_MISMATCH",
        [MESH_COMPAT_MISSING_ENUM_SYMBOLS] = "MISSING_ENUM_SYMBOLS",
        [MESH_COMPAT_READER_FIELD_MISSING_DEFAULT_VALUE] = "READER_FIELD_MISSING_DEFAULT_VALUE",
        [MESH_COMPAT_TYPE_MISMATCH] = "TYPE_MISMATCH",
        [MESH_COMPAT_MISSING_UNION_BRANCH] = "MISSING_UNION_BRANCH",
    };
    mesh_assert(kind < MESH_COMPAT_KIND_COUNT);
    return names[kind];
}

const char *mesh_compat_mode_name(enum mesh_compat_mode mode)
{
    static const char *const names[MESH_COMPAT_MODE_COUNT] = {
        [MESH_COMPAT_NONE] = "NONE",
        [MESH_COMPAT_BACKWARD] = "BACKWARD",
        [MESH_COMPAT_BACKWARD_TRANSITIVE] = "BACKWARD_TRANSITIVE",
        [MESH_COMPAT_FORWARD] = "FORWARD",
        [MESH_COMPAT_FORWARD_TRANSITIVE] = "FORWARD_TRANSITIVE",
        [MESH_COMPAT_FULL] = "FULL",
        [MESH_COMPAT_FULL_TRANSITIVE] = "FULL_TRANSITIVE",
    };
    mesh_assert(mode < MESH_COMPAT_MODE_COUNT);
    return names[mode];
}

int mesh_compat_parse_mode(const char *text, enum mesh_compat_mode *ret)
{
    for (int i = 0; i < MESH_COMPAT_MODE_COUNT; i++) {
        if (strcasecmp(text, mesh_compat_mode_name((enum mesh_compat_mode)i)) == 0) {
            *ret = (enum mesh_compat_mode)i;
            return 0;
        }
    }
    return 1;
}

void mesh_compat_evolve(struct mesh_arena *arena, enum mesh_compat_mode mode, const struct mesh_schema *next,
                        const struct mesh_schema *const *previous, size_t n, struct mesh_compat_verdict **ret, size_t *ret_n)
{
    bool full = mode == MESH_COMPAT_FULL || mode == MESH_COMPAT_FULL_TRANSITIVE;
    bool backward = full || mode == MESH_COMPAT_BACKWARD || mode == MESH_COMPAT_BACKWARD_TRANSITIVE;
    bool forward = full || mode == MESH_COMPAT_FORWARD || mode == MESH_COMPAT_FORWARD_TRANSITIVE;
    bool transitive =
        mode == MESH_COMPAT_BACKWARD_TRANSITIVE || mode == MESH_COMPAT_FORWARD_TRANSITIVE || mode == MESH_COMPAT_FULL_TRANSITIVE;
    MESH_VEC(struct mesh_compat_verdict) verdicts = {0};
    for (size_t i = n; i-- > 0;) {
        struct mesh_compat_verdict back = {.version = i}, forth = {.version = i, .forward = true};
        if (backward)
            mesh_compat_check(arena, next, previous[i], MESH_COMPAT_READER_IS_NEW, &back.compat);
        if (forward)
            mesh_compat_check(arena, previous[i], next, MESH_COMPAT_WRITER_IS_NEW, &forth.compat);
        if (back.compat.n > 0)
            *mesh_vec_push_in(arena, &verdicts) = back;
        if (forth.compat.n > 0)
            *mesh_vec_push_in(arena, &verdicts) = forth;
        if (!transitive)
            break;
    }
    *ret = verdicts.v;
    *ret_n = verdicts.n;
}
