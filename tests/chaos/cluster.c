/* The driver of app/worker.c once more, for several instances and a broker between them. */
#include "cluster.h"

#include "base/check.h"
#include "base/hash.h"
#include "flow/retry.h"
#include "store/log.h"

#include <stdio.h>
#include <stdlib.h>

#define INTERVAL_US 200000
#define DESTS_MAX   8

static const uint32_t wire[] = {7};
static const uint32_t *const wire_ids[] = {wire, wire, wire};
static const uint32_t port_ids[] = {7, 7, 7};

void cluster_init(struct cluster *c, uint64_t seed)
{
    *c = (struct cluster){.now_us = 1000000 * CHAIN_SECOND, .generation = 1};
    mesh_rng_seed(&c->rng, seed);
    for (int i = 0; i < CLUSTER_INSTANCES; i++)
        c->instances[i].product = i / 2;
}

void cluster_deinit(struct cluster *c)
{
    for (int i = 0; i < CLUSTER_INSTANCES; i++) {
        mesh_engine_free(c->instances[i].engine);
        mesh_vec_deinit(&c->instances[i].flights);
        mesh_buf_deinit(&c->instances[i].folder.log);
    }
    for (int t = 0; t < CLUSTER_TOPICS; t++)
        for (int p = 0; p < CLUSTER_PARTITIONS; p++)
            mesh_vec_deinit(&c->topics[t][p].messages);
    mesh_vec_deinit(&c->docs);
}

static void die(const struct mesh_err *err)
{
    fprintf(stderr, "cluster: %s: %s\n", err->code, err->text);
    abort();
}

/* ---- topics ---- */
static int topic_of_input(int product, uint32_t input)
{
    return product == CHAIN_STORES ? TOPIC_LINES : input == SALES_EVENTS ? TOPIC_EVENTS : TOPIC_BY_STORE;
}

static int topic_of_dest(int product, uint32_t dest)
{
    const struct mesh_product *p = chain_products[product];
    if (dest == mesh_engine_dest_dlq(p))
        return product == CHAIN_SALES ? TOPIC_SALES_DLQ : TOPIC_STORES_DLQ;
    if (product == CHAIN_STORES)
        return TOPIC_SHOWN;
    return dest == SALES_LINES ? TOPIC_LINES : TOPIC_BY_STORE;
}

void cluster_produce(struct cluster *c, int32_t partition, const struct chain_record *record)
{
    struct cluster_message *m = mesh_vec_push(&c->topics[TOPIC_EVENTS][partition].messages);
    *m = (struct cluster_message){.time_us = record->at};
    m->key_n = (uint8_t)snprintf(m->key, sizeof m->key, "%lld", (long long)record->card);
    struct mesh_out datum = {0};
    chain_write(&datum, record);
    mesh_assert(datum.n + 5 <= sizeof m->value);
    memcpy(m->value, "\0\0\0\0\7", 5);
    memcpy(m->value + 5, datum.p, datum.n);
    m->value_n = (uint8_t)(datum.n + 5);
    mesh_out_deinit(&datum);
}

/* ---- start and end ---- */
static void new_claim(struct cluster *c, char ret[MESH_CLAIM_TEXT])
{
    uint64_t random[2] = {mesh_rng_next(&c->rng), mesh_rng_next(&c->rng)};
    mesh_hex((const uint8_t *)random, sizeof random, ret);
}

static void own_claims(const struct cluster_instance *i, struct mesh_lease_own *ret)
{
    *ret = (struct mesh_lease_own){.mark = {.generation = mesh_engine_generation(i->engine), .n = mesh_engine_commits(i->engine)}};
    ret->claims = mesh_engine_claims(i->engine, &ret->n_claims);
    if (ret->n_claims > 0)
        memcpy(ret->mark.claim, ret->claims[ret->n_claims - 1], sizeof ret->mark.claim);
    memcpy(ret->replaces, i->replaces, sizeof ret->replaces);
}

static void end(struct cluster *c, struct cluster_instance *i)
{
    i->engine = mesh_engine_free(i->engine);
    i->flights.n = 0;
    i->ended = true;
    c->refusals++;
}

bool cluster_start(struct cluster *c, struct cluster_instance *i)
{
    int32_t partitions[DESTS_MAX];
    for (int k = 0; k < DESTS_MAX; k++)
        partitions[k] = CLUSTER_PARTITIONS;
    char claim[MESH_CLAIM_TEXT];
    new_claim(c, claim);
    struct mesh_engine_conf conf = {.product = chain_products[i->product],
                                    .claim = claim,
                                    .input_partitions = partitions,
                                    .port_partitions = partitions,
                                    .wire_ids = wire_ids,
                                    .port_ids = port_ids,
                                    .mongo = true,
                                    .generation = c->generation,
                                    .commit_interval_us = INTERVAL_US,
                                    .round_log_bytes = 1500,
                                    .round_sweep_bytes = 60};
    struct mesh_err err = {0};
    struct cluster_folder *f = &i->folder;
    if (mesh_engine_new(&conf, &i->engine, &err) < 0)
        die(&err);
    for (size_t at = 0; at < f->log.n;) {
        struct mesh_str frame;
        at = mesh_store_frame_next((struct mesh_str){f->log.p, (uint32_t)f->log.n}, at, &frame);
        if (mesh_engine_restore(i->engine, frame, &err) < 0)
            die(&err);
    }
    if (mesh_engine_restored(i->engine, &err) < 0)
        die(&err);
    c->generation++;
    struct mesh_lease_own own;
    own_claims(i, &own);
    if (!mesh_lease_may_follow(&own, &c->groups[i->product].mark)) {
        end(c, i);
        return false;
    }
    mesh_engine_claim(i->engine, &f->log);
    f->durable = f->log.n;
    i->frozen = false;
    i->held_until_us = 0;
    c->groups[i->product].member = i;
    return true;
}

void cluster_copy(struct cluster_folder *to, const struct cluster_folder *from)
{
    mesh_buf_reset(&to->log);
    mesh_buf_add(&to->log, from->log.p, from->log.n);
    to->durable = from->durable;
    to->cut = from->cut;
}

void cluster_crash(struct cluster *c, struct cluster_instance *i, bool power)
{
    struct cluster_folder *f = &i->folder;
    i->engine = mesh_engine_free(i->engine);
    i->flights.n = 0;
    c->crashes++;
    if (power) {
        size_t end_at = f->durable;
        struct mesh_str frame;
        while (end_at < f->log.n && mesh_rng_below(&c->rng, 2) == 0)
            end_at = mesh_store_frame_next((struct mesh_str){f->log.p, (uint32_t)f->log.n}, end_at, &frame);
        f->log.n = end_at;
        c->cuts++;
    } else if (mesh_rng_below(&c->rng, 2) == 0) { /* killed before all of it was written */
        size_t end_at = f->durable;
        struct mesh_str frame;
        for (uint64_t n = mesh_rng_below(&c->rng, 8); n > 0 && end_at < f->log.n; n--)
            end_at = mesh_store_frame_next((struct mesh_str){f->log.p, (uint32_t)f->log.n}, end_at, &frame);
        f->log.n = end_at;
    }
}

/* ---- in ---- */
bool cluster_feed(struct cluster *c, struct cluster_instance *i, uint32_t input, int32_t partition, size_t n)
{
    if (!mesh_engine_wants(i->engine, input, partition))
        return false;
    struct cluster_partition *topic = &c->topics[topic_of_input(i->product, input)][partition];
    int64_t from = mesh_engine_position(i->engine, input, partition);
    if (from < 0)
        from = 0;
    if ((size_t)from < topic->begin) {
        mesh_engine_trimmed(i->engine, input, partition, from, (int64_t)topic->begin);
        from = (int64_t)topic->begin;
    }
    struct mesh_record records[32];
    struct mesh_header headers[32];
    size_t have = 0;
    for (size_t k = (size_t)from; k < topic->messages.n && have < n && have < MESH_LEN(records); k++, have++) {
        const struct cluster_message *m = &topic->messages.v[k];
        headers[have] = (struct mesh_header){MESH_STR(MESH_FLOW_HEADER), {m->header, m->header_n}};
        records[have] = (struct mesh_record){.offset = (int64_t)k,
                                             .kafka_time_us = m->time_us,
                                             .key = {m->key, m->key_n},
                                             .value = {m->value, m->value_n},
                                             .headers = &headers[have],
                                             .n_headers = m->header_n > 0 ? 1 : 0};
    }
    struct mesh_err err = {0};
    if (have > 0 && mesh_engine_feed(i->engine, input, partition, records, have, c->now_us, &err) < 0)
        die(&err);
    if ((size_t)from + have == topic->messages.n)
        mesh_engine_at_end(i->engine, input, partition, (int64_t)topic->messages.n, c->now_us);
    return have > 0 && mesh_engine_position(i->engine, input, partition) > from;
}

/* ---- commit ---- */
bool cluster_commit(struct cluster *c, struct cluster_instance *i)
{
    struct cluster_folder *f = &i->folder;
    if (f->log.n != f->durable)
        return false;
    if (mesh_engine_round_begin(i->engine, f->durable)) {
        f->cut = f->durable;
        c->rounds++;
    }
    return mesh_engine_commit(i->engine, c->now_us, &f->log);
}

bool cluster_sync(struct cluster *c, struct cluster_instance *i)
{
    (void)c;
    struct cluster_folder *f = &i->folder;
    if (f->log.n == f->durable)
        return false;
    f->durable = f->log.n;
    mesh_engine_durable(i->engine);
    if (mesh_engine_round_done(i->engine)) {
        memmove(f->log.p, f->log.p + f->cut, f->log.n - f->cut);
        f->log.n -= f->cut;
        f->durable = f->log.n;
    }
    return true;
}

/* ---- out ---- */
static int64_t number(struct mesh_str text)
{
    char copy[24] = {0};
    mesh_assert(text.n < sizeof copy);
    memcpy(copy, text.p, text.n);
    return strtoll(copy, NULL, 10);
}

static void copy_message(const struct mesh_message *m, struct cluster_message *ret)
{
    *ret = (struct cluster_message){.time_us = m->time_us, .of_partition = -1, .of_offset = -1};
    mesh_assert(m->key.n <= sizeof ret->key && m->value.n <= sizeof ret->value);
    ret->key_n = (uint8_t)m->key.n;
    memcpy(ret->key, m->key.n == 0 ? "" : m->key.p, m->key.n);
    ret->value_n = (uint8_t)m->value.n;
    memcpy(ret->value, m->value.n == 0 ? "" : m->value.p, m->value.n);
    for (uint32_t h = 0; h < m->n_headers; h++) {
        const struct mesh_header *header = &m->headers[h];
        if (mesh_str_eq(header->name, MESH_STR(MESH_FLOW_HEADER))) {
            mesh_assert(header->value.n <= sizeof ret->header);
            ret->header_n = (uint8_t)header->value.n;
            memcpy(ret->header, header->value.p, header->value.n);
        } else if (mesh_str_eq(header->name, MESH_STR("__mesh.errors.partition"))) {
            ret->of_partition = number(header->value);
        } else if (mesh_str_eq(header->name, MESH_STR("__mesh.errors.offset"))) {
            ret->of_offset = number(header->value);
        }
    }
}

bool cluster_hand_over(struct cluster *c, struct cluster_instance *i, size_t n)
{
    struct mesh_message m;
    bool any = false;
    for (; n > 0 && c->now_us < i->held_until_us && mesh_engine_next_message(i->engine, &m); n--) {
        struct cluster_flight *f = mesh_vec_push(&i->flights);
        f->ticket = m.ticket;
        f->topic = topic_of_dest(i->product, m.dest);
        f->partition = m.partition;
        f->appended = false;
        copy_message(&m, &f->message);
        any = true;
    }
    return any;
}

bool cluster_append(struct cluster *c, struct cluster_instance *i)
{
    uint64_t start = i->flights.n == 0 ? 0 : mesh_rng_below(&c->rng, i->flights.n);
    for (size_t k = start; k < i->flights.n; k++) {
        const struct cluster_flight *want = &i->flights.v[k];
        if (want->appended)
            continue;
        for (size_t e = 0; e <= k; e++) { /* in order within its partition */
            struct cluster_flight *f = &i->flights.v[e];
            if (f->appended || f->topic != want->topic || f->partition != want->partition)
                continue;
            *mesh_vec_push(&c->topics[f->topic][f->partition].messages) = f->message;
            f->appended = true;
            return true;
        }
    }
    return false;
}

bool cluster_ack(struct cluster *c, struct cluster_instance *i)
{
    uint64_t start = i->flights.n == 0 ? 0 : mesh_rng_below(&c->rng, i->flights.n);
    for (size_t k = start; k < i->flights.n; k++) {
        if (!i->flights.v[k].appended)
            continue;
        mesh_engine_acked(i->engine, i->flights.v[k].ticket);
        memmove(&i->flights.v[k], &i->flights.v[k + 1], (i->flights.n - k - 1) * sizeof i->flights.v[0]);
        i->flights.n--;
        return true;
    }
    return false;
}

void cluster_delivery_error(struct cluster *c, struct cluster_instance *i)
{
    i->flights.n = 0; /* also those that were appended, and whose acknowledgement was lost */
    mesh_engine_resend(i->engine);
    c->errors++;
}

static void put_doc(struct cluster *c, int product, const struct mesh_document *d)
{
    struct cluster_doc doc = {.product = product, .generation = d->generation, .n = d->n};
    mesh_assert(d->id.n < sizeof doc.id && !d->removed);
    memcpy(doc.id, d->id.p, d->id.n);
    doc.row = *(const struct chain_out *)d->out;
    for (size_t k = 0; k < c->docs.n; k++) {
        struct cluster_doc *old = &c->docs.v[k];
        if (old->product != product || strcmp(old->id, doc.id) != 0)
            continue;
        if (doc.generation > old->generation || (doc.generation == old->generation && doc.n >= old->n)) /* forward only */
            *old = doc;
        return;
    }
    *mesh_vec_push(&c->docs) = doc;
}

bool cluster_store(struct cluster *c, struct cluster_instance *i, size_t n)
{
    struct mesh_document d;
    bool any = false;
    for (; n > 0 && c->now_us < i->held_until_us && mesh_engine_next_document(i->engine, &d); n--) {
        put_doc(c, i->product, &d);
        mesh_engine_stored(i->engine, d.ticket);
        any = true;
    }
    return any;
}

/* ---- the lease ---- */
void cluster_renew(struct cluster *c, struct cluster_instance *i)
{
    struct mesh_lease_own own;
    own_claims(i, &own);
    if (!mesh_lease_may_follow(&own, &c->groups[i->product].mark) || c->groups[i->product].member != i) {
        end(c, i); /* stale, or fenced by the member that joined later */
        return;
    }
    c->groups[i->product].mark = own.mark;
    i->held_until_us = c->now_us + CLUSTER_SESSION_US;
}
