/* Records whose schema is not known yet are held back: copied, and their partition is not wanted until the registry has answered. The
 * engine has not seen them, so its position stands before them; whatever else happens (a restart, a partition that is assigned anew)
 * reads them again. A copy that does not continue from that position is thrown away. */
#include "app/worker_int.h"

#include "base/clock.h"

#include <stdlib.h>

struct mesh_held_back {
    uint32_t topic;
    int32_t partition;
    struct mesh_arena arena;
    MESH_VEC(struct mesh_record) records;
    size_t at;        /* those before it were fed */
    int64_t position; /* of the engine, behind what was fed */
    int64_t end;      /* of the partition, told behind the last of them; -1: not told */
    struct mesh_held_back *next;
};

int mesh_worker_open_schemas(struct mesh_worker *worker, struct mesh_err *err)
{
    const struct mesh_config *config = worker->config;
    const struct mesh_schemas_conf conf = {
        .product = worker->product,
        .registry = &config->registry,
        .registers = config->registry_registers,
        .subjects = strcmp(config->registry_subjects, "record") == 0         ? MESH_SUBJECTS_RECORD
                    : strcmp(config->registry_subjects, "topic_record") == 0 ? MESH_SUBJECTS_TOPIC_RECORD
                                                                             : MESH_SUBJECTS_TOPIC,
        .dir = worker->dir,
        .name = worker->name,
        .metrics = worker->metrics,
        .wake = &worker->wake,
    };
    return mesh_schemas_new(&conf, &worker->schemas, err);
}

static int64_t position_of(const struct mesh_worker *worker, uint32_t topic, int32_t partition)
{
    int64_t least = INT64_MAX;
    for (uint32_t i = 0; i < worker->product->n_inputs; i++) {
        int64_t at = worker->topic_of_input[i] == topic ? mesh_engine_position(worker->engine, i, partition) : INT64_MAX;
        least = at < least ? at : least;
    }
    return least;
}

static struct mesh_held_back *find(const struct mesh_worker *worker, uint32_t topic, int32_t partition)
{
    struct mesh_held_back *held = worker->held_back;
    while (held != NULL && (held->topic != topic || held->partition != partition))
        held = held->next;
    return held;
}

bool mesh_worker_holds_back(const struct mesh_worker *worker, uint32_t topic, int32_t partition)
{
    return worker->held_back != NULL && find(worker, topic, partition) != NULL;
}

static struct mesh_str copy(struct mesh_arena *arena, struct mesh_str s)
{
    return s.p == NULL ? s : (struct mesh_str){mesh_arena_str(arena, s), s.n};
}

static void hold_back(struct mesh_worker *worker, uint32_t topic, int32_t partition, const struct mesh_record *records, size_t n)
{
    struct mesh_held_back *held = find(worker, topic, partition);
    if (held == NULL) {
        held = mesh_xcalloc(1, sizeof *held);
        *held = (struct mesh_held_back){.topic = topic, .partition = partition, .next = worker->held_back};
        held->position = position_of(worker, topic, partition);
        worker->held_back = held;
        worker->n_held_back++;
    }
    held->end = -1;
    for (size_t i = 0; i < n; i++) {
        struct mesh_record *to = mesh_vec_push(&held->records);
        struct mesh_header *headers = mesh_arena_alloc(&held->arena, (records[i].n_headers + 1) * sizeof *headers);
        *to = records[i];
        to->key = copy(&held->arena, records[i].key);
        to->value = copy(&held->arena, records[i].value);
        for (uint32_t k = 0; k < records[i].n_headers; k++)
            headers[k] = (struct mesh_header){copy(&held->arena, records[i].headers[k].name),
                                              copy(&held->arena, records[i].headers[k].value)};
        to->headers = headers;
    }
    for (uint32_t i = 0; i < worker->product->n_inputs; i++)
        if (worker->topic_of_input[i] == topic)
            mesh_engine_waits(worker->engine, i, partition, held->records.v[held->records.n - 1].offset + 1);
}

static int feed(struct mesh_worker *worker, uint32_t topic, int32_t partition, const struct mesh_record *records, size_t n,
                struct mesh_err *err)
{
    int64_t now_us = mesh_clock_wall_us();
    for (uint32_t i = 0; n > 0 && i < worker->product->n_inputs; i++)
        if (worker->topic_of_input[i] == topic && mesh_engine_feed(worker->engine, i, partition, records, n, now_us, err) < 0)
            return -1;
    return 0;
}

/* How many from the first on may be fed. All are looked at, so that what is unknown is asked for together. */
static size_t settled(struct mesh_worker *worker, uint32_t topic, const struct mesh_record *records, size_t n)
{
    size_t good = n;
    for (size_t r = 0; r < n; r++)
        for (uint32_t i = 0; i < worker->product->n_inputs; i++)
            if (worker->topic_of_input[i] == topic && !mesh_schemas_settled(worker->schemas, i, &records[r]))
                good = r < good ? r : good;
    return good;
}

int mesh_worker_feed(struct mesh_worker *worker, uint32_t topic, int32_t partition, const struct mesh_record *records, size_t n,
                     struct mesh_err *err)
{
    size_t good = n;
    if (worker->schemas != NULL)
        good = mesh_worker_holds_back(worker, topic, partition) ? 0 : settled(worker, topic, records, n);
    if (feed(worker, topic, partition, records, good, err) < 0)
        return -1;
    if (good < n)
        hold_back(worker, topic, partition, records + good, n - good);
    return 0;
}

void mesh_worker_at_end(struct mesh_worker *worker, uint32_t topic, int32_t partition, int64_t end)
{
    struct mesh_held_back *held = worker->held_back == NULL ? NULL : find(worker, topic, partition);
    if (held != NULL) {
        held->end = end;
        return;
    }
    int64_t now_us = mesh_clock_wall_us();
    for (uint32_t i = 0; i < worker->product->n_inputs; i++)
        if (worker->topic_of_input[i] == topic)
            mesh_engine_at_end(worker->engine, i, partition, end, now_us);
}

static void drop(struct mesh_worker *worker, struct mesh_held_back **at)
{
    struct mesh_held_back *held = *at;
    *at = held->next;
    worker->n_held_back--;
    mesh_vec_deinit(&held->records);
    mesh_arena_deinit(&held->arena);
    free(held);
}

static bool wants(const struct mesh_worker *worker, uint32_t topic, int32_t partition)
{
    bool any = false;
    for (uint32_t i = 0; i < worker->product->n_inputs; i++)
        any = any || (worker->topic_of_input[i] == topic && mesh_engine_wants(worker->engine, i, partition));
    return any;
}

/* What may go on now does. 1: something did. */
static int release(struct mesh_worker *worker, struct mesh_err *err)
{
    int moved = 0;
    for (struct mesh_held_back **at = &worker->held_back; *at != NULL;) {
        struct mesh_held_back *held = *at;
        if (position_of(worker, held->topic, held->partition) != held->position) {
            drop(worker, at); /* the partition was given to us anew, and reads from there */
            continue;
        }
        size_t n = !wants(worker, held->topic, held->partition)
                       ? 0
                       : settled(worker, held->topic, held->records.v + held->at, held->records.n - held->at);
        moved = n > 0 ? 1 : moved;
        if (feed(worker, held->topic, held->partition, held->records.v + held->at, n, err) < 0)
            return -1;
        held->at += n;
        held->position = position_of(worker, held->topic, held->partition);
        if (held->at < held->records.n) {
            at = &held->next;
            continue;
        }
        uint32_t topic = held->topic;
        int32_t partition = held->partition;
        int64_t end = held->end;
        drop(worker, at);
        if (end >= 0)
            mesh_worker_at_end(worker, topic, partition, end);
    }
    return moved;
}

int mesh_worker_look_at_schemas(struct mesh_worker *worker, struct mesh_err *err)
{
    if (worker->schemas == NULL)
        return 0;
    if (!mesh_schemas_take(worker->schemas))
        return worker->engine == NULL || worker->held_back == NULL ? 0 : release(worker, err);
    uint32_t *ids = mesh_xcalloc(worker->product->n_ports + 1, sizeof *ids);
    if (worker->engine != NULL && mesh_schemas_ready(worker->schemas, ids))
        for (uint32_t i = 0; i < worker->product->n_ports; i++)
            if (ids[i] != 0)
                mesh_engine_set_port_id(worker->engine, i, ids[i]);
    free(ids);
    if (worker->engine == NULL)
        mesh_worker_drop_held_back(worker);
    return worker->engine != NULL && release(worker, err) < 0 ? -1 : 1;
}

void mesh_worker_drop_held_back(struct mesh_worker *worker)
{
    while (worker->held_back != NULL)
        drop(worker, &worker->held_back);
}
