/* Which letters there are. Reading keeps what the filter lets through and every mark; sorting by identity then brings copies
 * together and finds the mark of each. An identity is compared by 64 bits of hash: among two million letters two are taken for one
 * with a probability of 1 in 10 million. */
#include "ctl/dlq.h"

#include "base/hash.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static const char *text_of(struct mesh_dlq_index *index, struct mesh_str text)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf clean = MESH_BUF_NULL;
    mesh_dlq_clean(&clean, text);
    const char *key = clean.p == NULL ? "" : clean.p;
    char *known = mesh_map_get(&index->texts, key);
    if (known == NULL) {
        known = mesh_arena_strdup(&index->arena, key);
        mesh_map_set(&index->texts, key, known);
    }
    return known;
}

static int64_t number(struct mesh_str text, int64_t otherwise)
{
    int64_t v = 0;
    return text.p != NULL && mesh_text_parse_long(text, &v) == 0 ? v : otherwise;
}

bool mesh_dlq_matches(const struct mesh_dlq_options *o, const struct mesh_dlq_letter *l)
{
    if ((o->code != NULL && strcmp(o->code, l->code) != 0) || (o->input != NULL && strcmp(o->input, l->topic) != 0) ||
        (o->stage != NULL && strcmp(o->stage, l->stage) != 0) || l->time_us < o->since_us || l->time_us >= o->until_us)
        return false;
    for (size_t i = 0; i < o->ids.n; i++)
        if (o->ids.v[i].partition == l->at.partition && o->ids.v[i].offset == l->at.offset)
            return true;
    return o->ids.n == 0;
}

static int too_many(struct mesh_err *err, const char *what, const char *fix)
{
    return mesh_err_set(err, MESH_ERR_REJECT, "dlq.too_many", "more than %u %s; %s", MESH_DLQ_LETTERS_MAX, what, fix);
}

static int add_mark(struct mesh_dlq_index *index, const struct mesh_dlq_record *r, struct mesh_err *err)
{
    enum mesh_dlq_done done = mesh_str_eq(r->done, MESH_STR("replayed"))    ? MESH_DLQ_REPLAYED
                              : mesh_str_eq(r->done, MESH_STR("discarded")) ? MESH_DLQ_DISCARDED
                                                                            : MESH_DLQ_OPEN;
    if (done == MESH_DLQ_OPEN) {
        index->n_foreign++;
        return 0;
    }
    if (index->marks.n == MESH_DLQ_LETTERS_MAX)
        return too_many(err, "marks in the topic", "give it a shorter retention");
    *mesh_vec_push(&index->marks) = (struct mesh_dlq_mark){.identity = mesh_hash64(r->key.p == NULL ? "" : r->key.p, r->key.n),
                                                           .generation = (uint64_t)number(r->mark_generation, 0),
                                                           .done = done};
    return 0;
}

int mesh_dlq_index_add(struct mesh_dlq_index *index, const struct mesh_dlq_options *options, const struct mesh_dlq_record *r,
                       enum mesh_dlq_kind kind, struct mesh_err *err)
{
    if (kind == MESH_DLQ_MARK)
        return add_mark(index, r, err);
    if (kind == MESH_DLQ_FOREIGN) {
        index->n_foreign++;
        return 0;
    }
    struct mesh_dlq_letter letter = {
        .at = r->at,
        .topic = text_of(index, r->topic),
        .stage = text_of(index, r->stage),
        .code = text_of(index, r->code),
        .site = text_of(index, r->site),
        .partition = (int32_t)number(r->partition, -1),
        .offset = number(r->offset, -1),
        .attempt = (uint32_t)number(r->attempt, 1),
        .time_us = number(r->time, 0),
        .generation = r->generation,
        .bytes = r->value.n,
        .cut = number(r->cut, r->cut.p == NULL ? 0 : INT64_MAX),
        .unknown = r->unknown.p != NULL,
    };
    if (!mesh_dlq_matches(options, &letter))
        return 0;
    if (index->letters.n == MESH_DLQ_LETTERS_MAX)
        return too_many(err, "letters match", "take fewer with --code, --input, --since or --until");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf identity = MESH_BUF_NULL;
    mesh_dlq_identity(&identity, &letter);
    letter.identity = mesh_hash64(identity.p, identity.n);
    *mesh_vec_push(&index->letters) = letter;
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const struct mesh_dlq_id *x = &((const struct mesh_dlq_letter *)a)->at;
    const struct mesh_dlq_id *y = &((const struct mesh_dlq_letter *)b)->at;
    return x->partition != y->partition ? (x->partition > y->partition) - (x->partition < y->partition)
                                        : (x->offset > y->offset) - (x->offset < y->offset);
}

/* Of the newest generation before older ones: when a reset service refuses a record again, that letter counts. Of one generation
 * the first copy. */
static int by_identity(const void *a, const void *b)
{
    const struct mesh_dlq_letter *x = a;
    const struct mesh_dlq_letter *y = b;
    if (x->identity != y->identity)
        return (x->identity > y->identity) - (x->identity < y->identity);
    if (x->generation != y->generation)
        return (x->generation < y->generation) - (x->generation > y->generation);
    return by_id(a, b);
}

static int by_mark(const void *a, const void *b)
{
    const struct mesh_dlq_mark *x = a;
    const struct mesh_dlq_mark *y = b;
    return (x->identity > y->identity) - (x->identity < y->identity);
}

static enum mesh_dlq_done done_of(const struct mesh_dlq_letter *letter, const struct mesh_dlq_mark *marks, size_t n)
{
    enum mesh_dlq_done done = MESH_DLQ_OPEN;
    for (size_t i = 0; i < n && marks[i].identity == letter->identity; i++) {
        if (marks[i].done == MESH_DLQ_REPLAYED && marks[i].generation == letter->generation)
            return MESH_DLQ_REPLAYED; /* also one that was discarded before: somebody thought better of it */
        if (marks[i].done == MESH_DLQ_DISCARDED)
            done = MESH_DLQ_DISCARDED;
    }
    return done;
}

void mesh_dlq_index_build(struct mesh_dlq_index *index, const struct mesh_dlq_options *options)
{
    struct mesh_dlq_letter *letters = index->letters.v;
    if (index->letters.n == 0)
        return;
    qsort(letters, index->letters.n, sizeof *letters, by_identity);
    if (index->marks.n > 0)
        qsort(index->marks.v, index->marks.n, sizeof *index->marks.v, by_mark);
    size_t n = 0;
    size_t mark = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < index->letters.n; i++) {
        if (i > 0 && letters[i].identity == last)
            continue;
        last = letters[i].identity;
        while (mark < index->marks.n && index->marks.v[mark].identity < last)
            mark++;
        letters[i].done = done_of(&letters[i], &index->marks.v[mark], index->marks.n - mark);
        if (options->all || letters[i].done == MESH_DLQ_OPEN)
            letters[n++] = letters[i];
    }
    index->letters.n = n;
    qsort(letters, n, sizeof *letters, by_id);
}

struct reading {
    struct mesh_dlq_index *index;
    const struct mesh_dlq_options *options;
};

static int add_message(void *context, const rd_kafka_message_t *message, struct mesh_err *err)
{
    static struct mesh_dlq_record record;
    struct reading *reading = context;
    enum mesh_dlq_kind kind = mesh_dlq_message_read(&record, message);
    return mesh_dlq_index_add(reading->index, reading->options, &record, kind, err);
}

int mesh_dlq_index_read(struct mesh_dlq_index *index, struct mesh_dlq_kafka *kafka, struct mesh_err *err)
{
    struct reading reading = {index, kafka->options};
    for (int32_t p = 0; p < kafka->n_partitions; p++)
        if (mesh_dlq_kafka_read(kafka, p, -1, -1, add_message, &reading, err) < 0)
            return -1;
    mesh_dlq_index_build(index, kafka->options);
    return 0;
}

void mesh_dlq_index_deinit(struct mesh_dlq_index *index)
{
    mesh_vec_deinit(&index->letters);
    mesh_vec_deinit(&index->marks);
    mesh_map_deinit(&index->texts);
    mesh_arena_deinit(&index->arena);
}
