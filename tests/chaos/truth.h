/* What comes out of the chain of chain.h, computed from the events alone, and what is seen of it. For the tests of the protocol, which include
 * it once each. */
#ifndef TESTS_CHAOS_TRUTH_H
#define TESTS_CHAOS_TRUTH_H

#include "cluster.h"

#include "base/check.h"
#include "flow/sequence.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define START_US (1700000000 * CHAIN_SECOND)
#define EVENTS   40 /* per partition */
#define CARDS    5
#define STORES   4

/* ---- the truth ---- */
/* An event is a function of its place. Every seventh is the one before it once more, every eleventh has no amount. */
static struct chain_record event_at(uint64_t seed, int32_t partition, int64_t n)
{
    struct mesh_rng rng;
    int64_t id = n % 7 == 6 ? n - 1 : n;
    mesh_rng_seed(&rng, seed * 1000003 + (uint64_t)id * 2 + (uint64_t)partition);
    return (struct chain_record){.id = id * CLUSTER_PARTITIONS + partition,
                                 .card = (int64_t)mesh_rng_below(&rng, CARDS) * CLUSTER_PARTITIONS + partition,
                                 .store = (int64_t)mesh_rng_below(&rng, STORES),
                                 .amount = id % 11 == 10 ? 0 : 1 + (int64_t)mesh_rng_below(&rng, 99),
                                 .at = START_US + id * CHAIN_SECOND};
}

struct tally {
    int64_t n, sum;
};
struct truth {
    struct tally cards[CARDS * CLUSTER_PARTITIONS], stores[STORES];
    bool letters[CLUSTER_PARTITIONS][EVENTS];
};

static void add(struct tally *tally, int64_t amount)
{
    tally->n++;
    tally->sum += amount;
}

static void find_truth(uint64_t seed, struct truth *ret)
{
    *ret = (struct truth){0};
    for (int32_t p = 0; p < CLUSTER_PARTITIONS; p++) {
        for (int64_t n = 0; n < EVENTS; n++) {
            struct chain_record r = event_at(seed, p, n);
            if (n % 7 == 6)
                continue;
            ret->letters[p][n] = r.amount == 0;
            if (r.amount == 0)
                continue;
            add(&ret->cards[r.card], r.amount);
            add(&ret->stores[r.store], r.amount);
        }
    }
}

/* ---- what is seen ---- */
static uint64_t seed_now;
static bool wrong;

static void say(const char *what, int64_t key, int64_t got, int64_t wanted)
{
    if (!wrong)
        printf("# seed %llu: %s %lld is %lld, not %lld\n", (unsigned long long)seed_now, what, (long long)key, (long long)got,
               (long long)wanted);
    wrong = true;
}

static void compare(const char *what, const struct tally *got, const struct tally *wanted, int n)
{
    for (int k = 0; k < n; k++) {
        if (got[k].n != wanted[k].n)
            say(what, k, got[k].n, wanted[k].n);
        if (got[k].sum != wanted[k].sum)
            say(what, k, got[k].sum, wanted[k].sum);
    }
}

/* Adds what one engine has of the view. */
static void see_part(struct mesh_engine *engine, uint32_t view, struct tally *ret, int n)
{
    struct mesh_read read = {.view = view, .from_us = INT64_MIN, .to_us = INT64_MAX, .limit = 100};
    mesh_cleanup(mesh_rows_deinit) struct mesh_rows rows = {0};
    struct mesh_err err = {0};
    mesh_assert(mesh_engine_list(engine, &read, &rows, &err) == 0);
    for (size_t k = 0; k < rows.n; k++) {
        const struct chain_out *row = (const struct chain_out *)(const void *)rows.rows.p + k;
        mesh_assert(row->key >= 0 && row->key < n);
        ret[row->key].n += row->n;
        ret[row->key].sum += row->sum;
    }
}

static void see_docs(const struct cluster *c, int product, struct tally *ret, int n)
{
    memset(ret, 0, (size_t)n * sizeof *ret);
    for (size_t k = 0; k < c->docs.n; k++) {
        const struct cluster_doc *doc = &c->docs.v[k];
        if (doc->product == product && doc->row.key >= 0 && doc->row.key < n)
            ret[doc->row.key] = (struct tally){doc->row.n, doc->row.sum};
    }
}

struct sender {
    uint64_t generation, last;
};

/* As a receiver reads a partition: repetitions dropped, a gap is wrong. Stops where another generation begins. */
static void receive(struct cluster *c, int topic, int32_t partition, void (*each)(void *, const struct cluster_message *),
                    void *context)
{
    struct sender senders[CLUSTER_PARTITIONS] = {{0, 0}};
    const struct cluster_partition *from = &c->topics[topic][partition];
    for (size_t k = 0; k < from->messages.n; k++) {
        const struct cluster_message *m = &from->messages.v[k];
        struct mesh_flow_origin origin;
        mesh_assert(mesh_flow_origin_read((struct mesh_str){m->header, m->header_n}, &origin));
        struct sender *sender = &senders[origin.partition];
        if (sender->last != 0 && sender->generation != origin.generation)
            return;
        sender->generation = origin.generation;
        if (origin.sequence <= sender->last) {
            c->repeats++;
            continue;
        }
        if (origin.sequence != sender->last + 1)
            say("a gap behind message", (int64_t)sender->last, (int64_t)origin.sequence, (int64_t)sender->last + 1);
        sender->last = origin.sequence;
        each(context, m);
    }
}

static void tally_line(void *context, const struct cluster_message *m)
{
    struct tally *stores = context;
    struct chain_record r = {0};
    struct mesh_in in = {.p = (const uint8_t *)m->value + 5, .end = (const uint8_t *)m->value + m->value_n};
    chain_read(&in, &r);
    mesh_assert(in.fault == MESH_AVRO_OK && r.store >= 0 && r.store < STORES);
    add(&stores[r.store], r.amount);
}

static void see_topic(struct cluster *c, int topic, struct tally *ret)
{
    memset(ret, 0, STORES * sizeof *ret);
    for (int32_t p = 0; p < CLUSTER_PARTITIONS; p++)
        receive(c, topic, p, tally_line, ret);
}

static void count_letter(void *context, const struct cluster_message *m)
{
    int(*letters)[EVENTS] = context;
    mesh_assert(m->of_partition >= 0 && m->of_partition < CLUSTER_PARTITIONS && m->of_offset >= 0 && m->of_offset < EVENTS);
    letters[m->of_partition][m->of_offset]++;
}

static void check_letters(struct cluster *c, const struct truth *truth)
{
    int letters[CLUSTER_PARTITIONS][EVENTS] = {{0}};
    for (int32_t p = 0; p < CLUSTER_PARTITIONS; p++)
        receive(c, TOPIC_SALES_DLQ, p, count_letter, letters);
    for (int32_t p = 0; p < CLUSTER_PARTITIONS; p++)
        for (int n = 0; n < EVENTS; n++)
            if (letters[p][n] != truth->letters[p][n])
                say("letters of offset", n, letters[p][n], truth->letters[p][n]);
}

static void on_abort(int number)
{
    (void)number;
    char text[64];
    int n = snprintf(text, sizeof text, "# seed %llu\n", (unsigned long long)seed_now);
    ssize_t ignored = write(STDOUT_FILENO, text, (size_t)n);
    (void)ignored;
}

#endif
