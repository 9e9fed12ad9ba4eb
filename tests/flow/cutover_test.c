/* A version that takes over: what the old one sent, and behind it what the new one sends, is what one alone would have sent, each once.
 * Both read at their own pace, one of them may take silent sources for idle, and either is killed at any step. */
#include "world.h"

#include "flow/cutover.h"
#include "flow/sequence.h"

#include "../check.h"
#include "base/check.h"
#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>

#define START_US  (1700000000 * SHOP_SECOND)
#define MARKS_MAX 64
#define NEW_VOICE 9

static const uint32_t external[] = {SHOP_SALES, SHOP_COUNTS, SHOP_VISITS, SHOP_SIGNS, SHOP_RATES};

static int32_t partitions_of(const struct world *w, uint32_t input)
{
    return input == SHOP_RATES ? 1 : w->partitions;
}

/* ---- records: the same in every world ---- */
static void put(struct world *w, uint32_t input, const char *id, const char *card, const char *store, int64_t amount, int64_t at)
{
    struct shop_record r = {mesh_str_of(id), mesh_str_of(card), mesh_str_of(store), amount, at};
    world_put(w, input, input == SHOP_RATES ? 0 : mesh_hash_partition(card, strlen(card), w->partitions), &r);
}

static int64_t put_phase(struct world *w, struct mesh_rng *rng, int64_t at, int n, int phase)
{
    char id[32], card[32], store[32];
    for (int i = 0; i < n; i++) {
        at += (int64_t)mesh_rng_below(rng, 1500000);
        snprintf(id, sizeof id, "p%d.%d", phase, mesh_rng_below(rng, 10) == 0 ? i - 1 : i);
        snprintf(card, sizeof card, "card%d", (int)mesh_rng_below(rng, 12));
        snprintf(store, sizeof store, "store%d", (int)mesh_rng_below(rng, 5));
        int64_t back = mesh_rng_below(rng, 4) == 0 ? (int64_t)mesh_rng_below(rng, 1900000) : 0;
        uint32_t input = external[mesh_rng_below(rng, 4)];
        put(w, input, id, card, store, (int64_t)mesh_rng_below(rng, 50), at - back);
        if (mesh_rng_below(rng, 8) == 0)
            put(w, SHOP_RATES, id, store, store, (int64_t)mesh_rng_below(rng, 5) + 1, at);
    }
    return at;
}

/* Two phases; between them nothing comes for `gap_us` of event time. How much there was before the gap is left in `first`. */
static void put_input(struct world *w, uint64_t seed, int64_t gap_us, int64_t first[SHOP_N_INPUTS][WORLD_PARTITIONS_MAX])
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, seed);
    char text[32];
    for (int s = 0; s < 5; s++) {
        snprintf(text, sizeof text, "store%d", s);
        put(w, SHOP_RATES, "r", text, text, s + 1, START_US - 1000 * SHOP_SECOND);
    }
    int64_t at = put_phase(w, &rng, START_US, 250, 1);
    for (size_t i = 0; i < MESH_LEN(external); i++)
        for (int32_t p = 0; p < partitions_of(w, external[i]); p++)
            first[external[i]][p] = (int64_t)w->inputs[external[i]][p].messages.n;
    at = put_phase(w, &rng, at + gap_us, 250, 2);
    for (int32_t p = 0; p < w->partitions; p++) { /* time is closed: a record far behind everything in each partition */
        for (size_t i = 0; i < MESH_LEN(external); i++) {
            int k = 0;
            do
                snprintf(text, sizeof text, "end%d", k++);
            while (mesh_hash_partition(text, strlen(text), w->partitions) != p);
            bool table = external[i] == SHOP_RATES || external[i] == SHOP_SIGNS;
            put(w, external[i], text, text, "end", 0, at + (table ? 601 : 600) * SHOP_SECOND);
        }
    }
}

/* ---- driving ---- */
static void everything_but_input(struct world *w)
{
    static const uint32_t internal[] = {SHOP_BY_STORE, SHOP_PARTIALS};
    for (size_t i = 0; i < MESH_LEN(internal); i++)
        for (int32_t p = 0; p < w->partitions; p++)
            world_feed(w, internal[i], p, 1000);
    w->now_us += 200000;
    world_commit(w);
    world_durable(w);
    world_send(w, SIZE_MAX);
    world_ack(w, SIZE_MAX);
    world_store(w, SIZE_MAX);
}

static void until_quiet(struct world *w)
{
    int n = 0;
    while (!mesh_engine_quiet(w->engine) && n++ < 1000)
        everything_but_input(w);
    CHECK(n < 1000);
}

/* Nothing came for a minute: what was read to its end counts as idle. */
static void minute_of_silence(struct world *w)
{
    for (size_t i = 0; i < MESH_LEN(external); i++)
        for (int32_t p = 0; p < partitions_of(w, external[i]); p++)
            world_feed(w, external[i], p, 0);
    w->now_us += 60 * SHOP_SECOND;
    mesh_engine_tick(w->engine, w->now_us);
    until_quiet(w);
}

static void read_to(struct world *w, uint32_t input, int32_t p, int64_t to)
{
    w->inputs[input][p].shown = w->inputs[input][p].shown > (size_t)to ? w->inputs[input][p].shown : (size_t)to;
    for (int n = 0; mesh_engine_position(w->engine, input, p) < to && n < 10000; n++) {
        world_feed(w, input, p, 7);
        if (!mesh_engine_wants(w->engine, input, p))
            everything_but_input(w);
        for (size_t i = 0; i < MESH_LEN(external); i++) /* one that is ahead waits for the others */
            if (external[i] == SHOP_RATES || external[i] == SHOP_SIGNS)
                for (int32_t k = 0; k < partitions_of(w, external[i]); k++)
                    world_feed(w, external[i], k, 50);
    }
    CHECK(mesh_engine_position(w->engine, input, p) >= to);
}

struct cut { /* where one stands: its order, as a file would keep it */
    int64_t at[SHOP_N_INPUTS][WORLD_PARTITIONS_MAX];
    struct mesh_engine_mark marks[MARKS_MAX];
    uint32_t n_marks;
};

static void note(const struct world *w, struct cut *ret)
{
    for (size_t i = 0; i < MESH_LEN(external); i++)
        for (int32_t p = 0; p < partitions_of(w, external[i]); p++) {
            int64_t at = mesh_engine_position(w->engine, external[i], p);
            ret->at[external[i]][p] = at < 0 ? 0 : at;
        }
    ret->n_marks = mesh_engine_n_marks(w->engine);
    CHECK(ret->n_marks <= MARKS_MAX);
    for (uint32_t i = 0; i < ret->n_marks; i++)
        mesh_engine_mark(w->engine, i, &ret->marks[i]);
}

static void reach(struct world *w, const struct cut *cut)
{
    for (uint32_t i = 0; i < cut->n_marks; i++) {
        CHECK(mesh_engine_reach(w->engine, &cut->marks[i]));
        if (i + 1 == cut->n_marks || strcmp(cut->marks[i].topology, cut->marks[i + 1].topology) != 0)
            until_quiet(w);
    }
}

static void maybe_crash(struct world *w, bool crashes)
{
    if (crashes && mesh_rng_below(&w->rng, 3) == 0)
        world_crash(w);
}

/* ---- what came of it ---- */
struct text_line {
    char *text;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct text_line *)a)->text, ((const struct text_line *)b)->text);
}

/* Messages of a port, sorted: all that are no repetition, or the newest of each key. `b`: what follows in the same topic; NULL: nothing. */
static void show_port(struct world *a, struct world *b, uint32_t dest, bool newest, struct mesh_buf *out)
{
    MESH_VEC(struct text_line) lines = {0};
    for (int32_t p = 0; p < a->partitions; p++) {
        MESH_VEC(struct mesh_flow_origin) seen = {0};
        for (int part = 0; part < (b == NULL ? 1 : 2); part++) {
            struct world_topic *topic = part == 0 ? &a->dests[dest][p] : &b->dests[dest][p];
            for (size_t i = 0; i < topic->messages.n; i++) {
                struct world_message *m = &topic->messages.v[i];
                struct mesh_flow_origin origin = {0};
                CHECK(mesh_flow_origin_read(m->headers[0].value, &origin));
                uint64_t *last = NULL;
                for (size_t k = 0; k < seen.n; k++)
                    if (seen.v[k].generation == origin.generation && seen.v[k].topology == origin.topology &&
                        seen.v[k].partition == origin.partition)
                        last = &seen.v[k].sequence;
                if (last != NULL && origin.sequence <= *last)
                    continue;
                CHECK_EQ_U64(origin.sequence, last == NULL ? 1 : *last + 1);
                if (last == NULL)
                    *mesh_vec_push(&seen) = origin;
                else
                    *last = origin.sequence;
                struct mesh_buf line = MESH_BUF_NULL;
                mesh_buf_printf(&line, "port %u p%d %.*s ", dest, (int)p, (int)m->key_n, m->key);
                size_t key_n = line.n;
                char *hex = malloc(2 * (size_t)m->value_n + 1);
                mesh_hex((uint8_t *)m->value, m->value_n, hex);
                mesh_buf_puts(&line, m->has_value ? hex : "null");
                free(hex);
                size_t at = lines.n;
                for (size_t k = 0; newest && k < lines.n; k++)
                    if (strncmp(lines.v[k].text, line.p, key_n) == 0)
                        at = k;
                if (at == lines.n)
                    *mesh_vec_push(&lines) = (struct text_line){NULL};
                free(lines.v[at].text);
                lines.v[at].text = mesh_buf_take(&line);
            }
        }
        mesh_vec_deinit(&seen);
    }
    if (lines.n > 0)
        qsort(lines.v, lines.n, sizeof *lines.v, by_text);
    for (size_t i = 0; i < lines.n; i++) {
        mesh_buf_printf(out, "%s\n", lines.v[i].text);
        free(lines.v[i].text);
    }
    mesh_vec_deinit(&lines);
}

static void forget_documents(struct world *w)
{
    for (size_t i = 0; i < w->docs.n; i++) {
        free(w->docs.v[i].id);
        free(w->docs.v[i].text);
    }
    w->docs.n = 0;
}

/* Those that a row has: what was removed before the new one wrote here, it never wrote. */
static void show_documents(const struct world *w, struct mesh_buf *out)
{
    MESH_VEC(struct text_line) lines = {0};
    for (size_t i = 0; i < w->docs.n; i++) {
        struct mesh_buf line = MESH_BUF_NULL;
        mesh_buf_printf(&line, "doc %s %s\n", w->docs.v[i].id, w->docs.v[i].text);
        if (strcmp(w->docs.v[i].text, "removed") == 0)
            mesh_buf_deinit(&line);
        else
            *mesh_vec_push(&lines) = (struct text_line){mesh_buf_take(&line)};
    }
    if (lines.n > 0)
        qsort(lines.v, lines.n, sizeof *lines.v, by_text);
    for (size_t i = 0; i < lines.n; i++) {
        mesh_buf_puts(out, lines.v[i].text);
        free(lines.v[i].text);
    }
    mesh_vec_deinit(&lines);
}

/* Documents of rows that expire behind a gap go by the time of the store: there they are not compared. */
static char *show(struct world *views, struct world *a, struct world *b, bool documents)
{
    struct mesh_buf out = MESH_BUF_NULL;
    for (uint32_t v = 0; v < SHOP_N_VIEWS; v++)
        world_show_view(views, v, &out);
    show_port(a, b, SHOP_ALERTS, false, &out);
    show_port(a, b, SHOP_MINUTE_OUT, false, &out);
    show_port(a, b, SHOP_TOTALS_OUT, true, &out);
    if (documents)
        show_documents(views, &out);
    return mesh_buf_take(&out);
}

static void compare(const char *got, const char *wanted, uint64_t seed)
{
    if (strcmp(got, wanted) == 0)
        return;
    check_fail(__FILE__, __LINE__, "another output");
    size_t i = 0;
    while (got[i] == wanted[i])
        i++;
    while (i > 0 && got[i - 1] != '\n')
        i--;
    printf("# seed %llu\n# got    %.*s\n# wanted %.*s\n", (unsigned long long)seed, (int)strcspn(got + i, "\n"), got + i,
           (int)strcspn(wanted + i, "\n"), wanted + i);
}

/* ---- a product that reads a port ---- */
static uint64_t n_read;

static void decode_any(struct mesh_in *in, uint32_t version, void *to)
{
    (void)version;
    (void)to;
    in->p = in->end;
}

static int64_t no_time(const void *record)
{
    (void)record;
    return START_US;
}

static void count_it(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    (void)task;
    (void)event;
    (void)record;
    n_read++;
}

static const struct mesh_contract contract = {.name = "c", .local_id = 7};
static const char *const upstreams[] = {"shop/shop"};
static const struct mesh_input reader_input = {.name = "in",
                                               .topic = "in",
                                               .kind = MESH_INPUT_STREAM,
                                               .contracts = &contract,
                                               .n_contracts = 1,
                                               .upstreams = upstreams,
                                               .n_upstreams = 1,
                                               .record_size = 8,
                                               .decode = decode_any,
                                               .event_time = no_time,
                                               .process = count_it};
static const uint32_t zero[] = {0};
static const struct mesh_topology reader_topology = {.name = "t", .inputs = zero, .n_inputs = 1};
static const struct mesh_product reader = {.abi = MESH_ABI,
                                           .domain = "r",
                                           .name = "r",
                                           .state_hash = "x",
                                           .inputs = &reader_input,
                                           .n_inputs = 1,
                                           .topologies = &reader_topology,
                                           .n_topologies = 1,
                                           .dlq_topic = "dlq",
                                           .late_topic = "late"};

/* Feed what stands in the topic of a port to a product that reads it: all of it is taken, each message once. */
static void read_port(struct world *a, struct world *b, uint32_t dest)
{
    static const int32_t numbers[] = {WORLD_PARTITIONS_MAX, 1, 1};
    static const uint32_t ids[] = {7};
    static const uint32_t *const wires[] = {ids};
    struct mesh_engine_conf conf = {.product = &reader,
                                    .input_partitions = numbers,
                                    .port_partitions = numbers + 1,
                                    .wire_ids = wires,
                                    .port_ids = ids,
                                    .metrics = mesh_metrics_new(),
                                    .generation = 1,
                                    .commit_interval_us = 1};
    struct mesh_engine *engine = NULL;
    struct mesh_err err = {0};
    CHECK(mesh_engine_new(&conf, &engine, &err) == 0);
    n_read = 0;
    uint64_t wanted = 0;
    bool handed_over = false;
    for (int32_t p = 0; p < a->partitions; p++) {
        int64_t offset = 0;
        for (int part = 0; part < 2; part++) {
            struct world_topic *topic = part == 0 ? &a->dests[dest][p] : &b->dests[dest][p];
            handed_over |= part == 1 && offset > 0 && topic->messages.n > 0;
            for (size_t i = 0; i < topic->messages.n; i++) {
                struct world_message *m = &topic->messages.v[i];
                struct mesh_record record = {.offset = offset++,
                                             .kafka_time_us = START_US,
                                             .key = {m->key, m->key_n},
                                             .value = {m->has_value ? m->value : NULL, m->value_n},
                                             .headers = m->headers,
                                             .n_headers = m->n_headers};
                wanted += m->has_value;
                (void)mesh_engine_feed(engine, 0, p, &record, 1, 1, &err);
            }
        }
    }
    const char *stopped = mesh_engine_stopped(engine);
    CHECK_STR(stopped == NULL ? "" : stopped, "");
    struct mesh_metric *again = mesh_metric_find(conf.metrics, "mesh_upstream_duplicates_total", NULL);
    struct mesh_metric *followed = mesh_metric_find(conf.metrics, "mesh_upstream_succeeded_total", NULL);
    CHECK_EQ_U64(n_read + (uint64_t)mesh_metric_value(again), wanted);
    CHECK(!handed_over || mesh_metric_value(followed) > 0);
    mesh_engine_free(engine);
    mesh_metrics_free(conf.metrics);
}

/* ---- the procedure, as meshctl does it ---- */
/* What stands in the topic of the change port: the newest value by key. */
static uint64_t announce(struct world *from, struct world *to)
{
    MESH_VEC(struct mesh_engine_known) known = {0};
    for (int32_t p = 0; p < from->partitions; p++) {
        struct world_topic *topic = &from->dests[SHOP_TOTALS_OUT][p];
        for (size_t i = 0; i < topic->messages.n; i++) {
            struct world_message *m = &topic->messages.v[i];
            struct mesh_engine_known row = {.key = {m->key, m->key_n}, .value = mesh_hash64(m->value, m->value_n)};
            size_t k = 0;
            while (k < known.n && mesh_engine_known_order(&known.v[k], &row) != 0)
                k++;
            if (k == known.n)
                (void)mesh_vec_push(&known);
            known.v[k] = row;
        }
    }
    if (known.n > 0)
        qsort(known.v, known.n, sizeof *known.v, mesh_engine_known_order);
    uint64_t sent = mesh_engine_announce(to->engine, SHOP_TOTALS_OUT, known.v, known.n);
    mesh_vec_deinit(&known);
    return sent;
}

static void forget_port(struct world *w, uint32_t dest)
{
    for (int32_t p = 0; p < w->partitions; p++) {
        struct world_topic *topic = &w->dests[dest][p];
        for (size_t i = 0; i < topic->messages.n; i++) {
            for (uint32_t h = 0; h < topic->messages.v[i].n_headers; h++) {
                free((void *)(uintptr_t)topic->messages.v[i].headers[h].name.p);
                free((void *)(uintptr_t)topic->messages.v[i].headers[h].value.p);
            }
            free(topic->messages.v[i].headers);
            free(topic->messages.v[i].key);
            free(topic->messages.v[i].value);
        }
        topic->messages.n = 0;
    }
}

struct plan {
    int64_t gap_us;
    bool to_the_gap;         /* the old one retires at the gap */
    bool old_idle, new_idle; /* who takes silence there for idleness */
    bool crashes;
    uint32_t announced_at_most; /* rows that the new one sends of its own: none when both are alike */
};

static void world_of(struct world *w, uint64_t seed, uint64_t input_seed, const struct plan *plan,
                     int64_t first[SHOP_N_INPUTS][WORLD_PARTITIONS_MAX])
{
    world_init(w, 2, seed);
    put_input(w, input_seed, plan->gap_us, first);
}

static void random_steps(struct world *w, const struct plan *plan)
{
    uint64_t steps = 100 + mesh_rng_below(&w->rng, 500);
    for (uint64_t i = 0; i < steps; i++)
        world_step(w, plan->crashes ? 60 : 0);
}

/* What comes behind the gap has not been written yet, or has. */
static void swap_ends(struct world *w, int64_t ends[SHOP_N_INPUTS][WORLD_PARTITIONS_MAX])
{
    for (size_t i = 0; i < MESH_LEN(external); i++)
        for (int32_t p = 0; p < partitions_of(w, external[i]); p++) {
            size_t n = w->inputs[external[i]][p].messages.n;
            w->inputs[external[i]][p].messages.n = (size_t)ends[external[i]][p];
            ends[external[i]][p] = (int64_t)n;
        }
}

static void take_over(uint64_t seed, const struct plan *plan)
{
    int64_t first[SHOP_N_INPUTS][WORLD_PARTITIONS_MAX];
    struct world alone, old, new;
    world_of(&alone, 1, seed % 4, plan, first);
    world_start(&alone);
    if (plan->to_the_gap) { /* where it was silent for as long: what is let go then bears another time */
        int64_t rest[SHOP_N_INPUTS][WORLD_PARTITIONS_MAX];
        memcpy(rest, first, sizeof first);
        swap_ends(&alone, rest);
        world_drain(&alone);
        minute_of_silence(&alone);
        world_crash(&alone); /* a start waits anew for all sources: what follows is no correction */
        swap_ends(&alone, rest);
    }
    world_drain(&alone);
    char *wanted = show(&alone, &alone, NULL, !plan->to_the_gap);
    CHECK_CONTAINS(wanted, "port 0 ");
    CHECK_CONTAINS(wanted, "port 1 ");

    world_of(&old, seed, seed % 4, plan, first);
    world_of(&new, seed + 1000, seed % 4, plan, first);
    new.generation = 2;
    old.unfolds = new.unfolds = true;
    world_start(&old);
    world_start(&new);
    int64_t ends[2][SHOP_N_INPUTS][WORLD_PARTITIONS_MAX];
    memcpy(ends[0], first, sizeof first);
    memcpy(ends[1], first, sizeof first);
    if (plan->to_the_gap) {
        swap_ends(&old, ends[0]);
        swap_ends(&new, ends[1]);
    }
    random_steps(&old, plan);
    random_steps(&new, plan);
    if (plan->new_idle) {
        for (size_t i = 0; i < MESH_LEN(external); i++)
            for (int32_t p = 0; p < partitions_of(&new, external[i]); p++)
                read_to(&new, external[i], p, first[external[i]][p]);
        minute_of_silence(&new);
    }

    /* the new one waits */
    struct cut held, retired;
    mesh_engine_hold(new.engine);
    until_quiet(&new);
    note(&new, &held);
    maybe_crash(&new, plan->crashes);

    /* the old one comes to where the new one stands, and retires somewhere behind it */
    for (size_t i = 0; i < MESH_LEN(external); i++)
        for (int32_t p = 0; p < partitions_of(&old, external[i]); p++)
            read_to(&old, external[i], p, plan->to_the_gap ? first[external[i]][p] : held.at[external[i]][p]);
    if (plan->old_idle)
        minute_of_silence(&old);
    mesh_engine_hold(old.engine);
    until_quiet(&old);
    note(&old, &retired);
    for (int again = 0; again < 2; again++) { /* killed before it could say that it has retired, it does so again */
        reach(&old, &held);
        note(&old, &retired);
        reach(&old, &retired); /* its own: what was let go ahead of time has passed */
        note(&old, &retired);
        if (again == 0 && !plan->crashes)
            break;
        world_crash(&old);
        mesh_engine_hold(old.engine);
        until_quiet(&old);
    }

    if (plan->to_the_gap) {
        swap_ends(&old, ends[0]);
        swap_ends(&new, ends[1]);
    }

    /* the new one goes on to there, exactly */
    for (int again = 0; again < 2; again++) {
        new.inputs[SHOP_RATES][0].shown = new.inputs[SHOP_RATES][0].messages.n; /* more is there than it may read */
        mesh_engine_hold(new.engine);
        for (size_t i = 0; i < MESH_LEN(external); i++)
            for (int32_t p = 0; p < partitions_of(&new, external[i]); p++) {
                new.inputs[external[i]][p].shown = new.inputs[external[i]][p].messages.n;
                CHECK(mesh_engine_stop_at(new.engine, shop.inputs[external[i]].topic, p, retired.at[external[i]][p]));
            }
        for (int n = 0; !mesh_engine_reached(new.engine) && n < 10000; n++) {
            for (size_t i = 0; i < MESH_LEN(external); i++)
                for (int32_t p = 0; p < partitions_of(&new, external[i]); p++)
                    world_feed(&new, external[i], p, 5);
            everything_but_input(&new);
        }
        CHECK(mesh_engine_reached(new.engine));
        until_quiet(&new);
        reach(&new, &retired);
        if (again == 0 && !plan->crashes)
            break;
        world_crash(&new);
    }
    struct cut there;
    note(&new, &there);
    for (size_t i = 0; i < MESH_LEN(external); i++)
        for (int32_t p = 0; p < partitions_of(&new, external[i]); p++)
            CHECK_EQ_I64(there.at[external[i]][p], retired.at[external[i]][p]);

    /* and speaks from here on */
    forget_port(&new, SHOP_ALERTS);
    forget_port(&new, SHOP_TOTALS_OUT);
    forget_port(&new, SHOP_MINUTE_OUT);
    forget_documents(&new);
    new.voice = NEW_VOICE;
    new.succeeds = 1;
    new.documents_again = true;
    for (int again = 0; again < 2; again++) {
        world_crash(&new);
        CHECK(announce(&old, &new) <= plan->announced_at_most);
        if (again == 0 && !plan->crashes)
            break;
    }
    until_quiet(&new);
    new.documents_again = false;
    new.unfolds = false;
    for (int i = 0; i < 100; i++)
        world_step(&new, plan->crashes ? 40 : 0);
    world_drain(&new);
    char *got = show(&new, &old, &new, !plan->to_the_gap);
    compare(got, wanted, seed);
    read_port(&old, &new, SHOP_ALERTS);
    read_port(&old, &new, SHOP_MINUTE_OUT);
    read_port(&old, &new, SHOP_TOTALS_OUT);
    free(got);
    free(wanted);
    world_deinit(&alone);
    world_deinit(&old);
    world_deinit(&new);
}

CASE(each_effect_once)
{
    for (uint64_t seed = 0; seed < 60; seed++)
        take_over(seed, &(struct plan){0});
}

CASE(each_effect_once_over_crashes)
{
    for (uint64_t seed = 0; seed < 60; seed++)
        take_over(seed, &(struct plan){.crashes = true});
}

/* The clock had told one of them that all sources are idle, and it let go what the other still holds. */
CASE(idle_sources_of_the_old_one)
{
    for (uint64_t seed = 0; seed < 20; seed++)
        take_over(seed,
                  &(struct plan){.gap_us = 2000 * SHOP_SECOND, .to_the_gap = true, .old_idle = true, .crashes = seed % 2 == 1});
}

CASE(idle_sources_of_the_new_one)
{
    for (uint64_t seed = 0; seed < 20; seed++)
        take_over(seed,
                  &(struct plan){.gap_us = 2000 * SHOP_SECOND, .to_the_gap = true, .new_idle = true, .crashes = seed % 2 == 1});
}

/* A row that stands otherwise in the topic is sent, one that no row has is taken back, and what is equal is left. */
CASE(the_last_word_of_a_change_port)
{
    int64_t first[SHOP_N_INPUTS][WORLD_PARTITIONS_MAX];
    struct world w;
    world_of(&w, 1, 1, &(struct plan){0}, first);
    world_start(&w);
    world_drain(&w);
    struct mesh_engine_known none = {0};
    uint64_t all = mesh_engine_announce(w.engine, SHOP_TOTALS_OUT, &none, 0);
    CHECK(all >= 5);
    CHECK_EQ_U64(announce(&w, &w), 0);
    struct mesh_engine_known known[] = {{.key = MESH_STR("nobody"), .value = 1}, {.key = MESH_STR("store1"), .value = 2}};
    CHECK_EQ_U64(mesh_engine_announce(w.engine, SHOP_TOTALS_OUT, known, 2), all + 1);
    CHECK_EQ_U64(mesh_engine_announce(w.engine, SHOP_ALERTS, known, 2), 0);
    CHECK_EQ_U64(mesh_engine_announce(w.engine, SHOP_MINUTE_OUT, known, 2), 0);
    world_deinit(&w);
}

/* What a reader says to a message of `generation` that succeeds `before`, when it knows generation 1 with 5 messages. */
static bool reader_takes(uint64_t generation, uint64_t before)
{
    static const int32_t numbers[] = {1, 1, 1};
    static const uint32_t ids[] = {7};
    static const uint32_t *const wires[] = {ids};
    struct mesh_engine_conf conf = {
        .product = &reader, .input_partitions = numbers, .port_partitions = numbers, .wire_ids = wires, .port_ids = ids};
    struct mesh_engine *engine = NULL;
    struct mesh_err err = {0};
    CHECK(mesh_engine_new(&conf, &engine, &err) == 0);
    for (int i = 0; i < 6; i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf chain = MESH_BUF_NULL;
        struct mesh_flow_origin origin = {MESH_STR("shop/shop"), i < 5 ? 1 : generation, 0, 0, i < 5 ? (uint64_t)i + 1 : 1};
        mesh_flow_origin_write(&text, &origin);
        mesh_buf_varint(&chain, 2);
        mesh_buf_varint(&chain, 77);
        mesh_buf_varint(&chain, before);
        struct mesh_header headers[] = {{MESH_STR(MESH_FLOW_HEADER), {text.p, (uint32_t)text.n}},
                                        {MESH_STR(MESH_FLOW_SUCCEEDS), {chain.p, (uint32_t)chain.n}}};
        struct mesh_record record = {.offset = i,
                                     .kafka_time_us = START_US,
                                     .key = {"k", 1},
                                     .value = {"\0\0\0\0\7", 5},
                                     .headers = headers,
                                     .n_headers = i < 5 || before == 0 ? 1 : 2};
        (void)mesh_engine_feed(engine, 0, 0, &record, 1, 1, &err);
    }
    bool takes = mesh_engine_stopped(engine) == NULL;
    mesh_engine_free(engine);
    return takes;
}

CASE(only_a_named_successor_is_taken)
{
    CHECK(reader_takes(2, 1));
    CHECK(!reader_takes(2, 3));
    CHECK(!reader_takes(2, 0)); /* says nothing */
}

CASE(begins_where_it_is_told)
{
    int64_t first[SHOP_N_INPUTS][WORLD_PARTITIONS_MAX];
    struct world w;
    world_of(&w, 1, 1, &(struct plan){0}, first);
    world_start(&w);
    CHECK(mesh_engine_begin_at(w.engine, shop.inputs[SHOP_SALES].topic, 1, 40));
    CHECK(!mesh_engine_begin_at(w.engine, "nothing", 1, 40));
    CHECK_EQ_I64(mesh_engine_position(w.engine, SHOP_SALES, 1), 40);
    CHECK_EQ_I64(mesh_engine_position(w.engine, SHOP_SALES, 0), -1);
    world_drain(&w);
    world_crash(&w);
    CHECK(mesh_engine_begin_at(w.engine, shop.inputs[SHOP_SALES].topic, 1, 3)); /* too late for that */
    CHECK(mesh_engine_position(w.engine, SHOP_SALES, 1) > 40);
    world_deinit(&w);
}
