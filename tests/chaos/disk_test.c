/* The commit path with a fault at every call that changes a file: killed before, amid and after it, the power cut there, the call
 * refused. The engine, its log and the folder are the real ones (disk.h makes the faults), Kafka and MongoDB are arrays (tests/flow/world.h).
 * After each fault the service starts again and works on; in the end everything that can be seen from outside must equal an undisturbed
 * run's: views, messages as a receiver takes them, dead letters, late records, documents.
 *
 * One run is a schedule (a seed: which step when) and a list of faults. A schedule without faults says how many calls there are. */
#include "disk.h"

#include "../check.h"
#include "../flow/world.h"
#include "base/check.h"
#include "base/fs.h"
#include "base/hash.h"
#include "store/log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define START_US   (1700000000 * SHOP_SECOND)
#define PARTITIONS 2
#define RECORDS    90
#define STEPS      170
#define RESTARTS   40 /* until a service that cannot start is given up */

static const struct mesh_store_identity identity = {"shop/shop", "cluster-of-the-test"};

struct fault {
    enum disk_fault kind;
    uint64_t at; /* call, counted from the fault before it */
    int error;
    uint8_t part;
    bool power; /* and the power goes */
};

struct service {
    struct world w;
    char root[40], dir[64];
    struct mesh_store_log *log;
    uint64_t segment; /* of the running round */
    const struct fault *faults;
    size_t n_faults, next_fault;
    struct mesh_rng power;
    uint32_t ends; /* how often the service ended because of a fault */
};

static char saying[1024]; /* what is tried, for who reads the message of an abort */

static void on_abort(int number)
{
    (void)number;
    ssize_t ignored = write(STDOUT_FILENO, saying, strlen(saying));
    (void)ignored;
}

static void put_input(struct world *w)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 6);
    char text[3][32];
    int64_t at = START_US;
    for (int s = 0; s < 4; s++) { /* the last store has no rate: its sales are dead letters */
        snprintf(text[0], sizeof text[0], "store%d", s);
        struct shop_record r = {.id = MESH_STR("r"),
                                .card = mesh_str_of(text[0]),
                                .store = mesh_str_of(text[0]),
                                .amount = s + 1,
                                .at = at - 60 * SHOP_SECOND};
        world_put(w, SHOP_RATES, 0, &r);
    }
    for (int i = 0; i < RECORDS; i++) {
        at += (int64_t)mesh_rng_below(&rng, 6 * SHOP_SECOND);
        snprintf(text[0], sizeof text[0], "p%d", mesh_rng_below(&rng, 8) == 0 ? i - 1 : i);
        snprintf(text[1], sizeof text[1], "card%d", (int)mesh_rng_below(&rng, 7));
        snprintf(text[2], sizeof text[2], "store%d", (int)mesh_rng_below(&rng, 5));
        struct shop_record r = {.id = mesh_str_of(text[0]),
                                .card = mesh_str_of(text[1]),
                                .store = mesh_str_of(text[2]),
                                .amount = (int64_t)mesh_rng_below(&rng, 50),
                                .at = at - (mesh_rng_below(&rng, 20) == 0 ? 200 * SHOP_SECOND : 0)};
        static const uint32_t inputs[] = {SHOP_SALES, SHOP_SALES, SHOP_COUNTS, SHOP_VISITS, SHOP_SIGNS};
        int32_t partition = mesh_hash_partition(r.card.p, r.card.n, PARTITIONS);
        world_put(w, inputs[mesh_rng_below(&rng, 5)], partition, &r);
        if (i % 20 == 0)
            world_put_raw(w, SHOP_SALES, partition, r.card, MESH_STR("not a record"), at, NULL, 0);
    }
    for (int32_t p = 0; p < PARTITIONS; p++) { /* time is closed */
        int k = 0;
        do
            snprintf(text[1], sizeof text[1], "end%d", k++);
        while (mesh_hash_partition(text[1], strlen(text[1]), PARTITIONS) != p);
        static const uint32_t inputs[] = {SHOP_SALES, SHOP_COUNTS, SHOP_VISITS, SHOP_SIGNS};
        for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
            struct shop_record r = {
                .id = mesh_str_of(text[1]), .card = mesh_str_of(text[1]), .store = MESH_STR("end"), .at = at + 600 * SHOP_SECOND};
            world_put(w, inputs[i], p, &r);
        }
        if (p == 0) {
            struct shop_record r = {
                .id = MESH_STR("r"), .card = MESH_STR("end"), .store = MESH_STR("end"), .amount = 1, .at = at + 601 * SHOP_SECOND};
            world_put(w, SHOP_RATES, 0, &r);
        }
    }
}

/* ---- the service ---- */
static void plan_next(struct service *s)
{
    if (s->next_fault == s->n_faults) {
        disk_plan(DISK_FINE, 0, 0, 0);
        return;
    }
    const struct fault *f = &s->faults[s->next_fault++];
    disk_plan(f->kind, f->at, f->error, f->part);
}

static int keep_frame(void *context, struct mesh_str frame, struct mesh_err *err)
{
    (void)err;
    struct world *w = context;
    size_t begin = mesh_store_frame_begin(&w->log);
    mesh_buf_str(&w->log, frame);
    mesh_store_frame_end(&w->log, begin);
    return 0;
}

static int append(struct service *s, size_t from, struct mesh_err *err)
{
    struct mesh_str frames = {s->w.log.p + from, (uint32_t)(s->w.log.n - from)};
    return mesh_store_log_append(s->log, frames, err) < 0 ? -1 : mesh_store_log_sync(s->log, err);
}

/* As app/worker_state.c: open, restore, claim; nothing leaves before the claim is durable. */
static int start(struct service *s, struct mesh_err *err)
{
    struct world *w = &s->w;
    mesh_buf_reset(&w->log);
    w->unacked.n = 0;
    s->segment = 0;
    if (mesh_store_log_open(s->dir, &identity, true, &s->log, err) != 0 || mesh_store_log_read(s->log, keep_frame, w, err) < 0)
        return -1;
    w->durable = w->log.n;
    size_t before = w->log.n;
    world_start(w);
    return append(s, before, err);
}

static void stop(struct service *s)
{
    s->w.engine = mesh_engine_free(s->w.engine);
    s->log = mesh_store_log_close(s->log);
}

/* As app/worker_out.c and app/committer.c. 1: something was committed. */
static int commit(struct service *s, struct mesh_err *err)
{
    struct world *w = &s->w;
    uint32_t rounds = w->rounds;
    size_t before = w->log.n;
    if (!world_commit(w))
        return 0;
    if (w->rounds > rounds)
        s->segment = mesh_store_log_cut(s->log);
    if (append(s, before, err) < 0)
        return -1;
    size_t bytes = w->log.n;
    world_durable(w);
    if (w->log.n < bytes && mesh_store_log_trim(s->log, s->segment, err) < 0)
        return -1;
    return 1;
}

/* The service ended. What it says, and that it starts again, perhaps after further faults. */
static bool ended(struct service *s, const struct mesh_err *why)
{
    static const char *const codes[] = {"state.write", "state.unwritable", "state.unreadable", "fs.full", "fs.io"};
    struct mesh_err err = *why;
    for (int i = 0; i < RESTARTS; i++) {
        if (!disk_dead()) { /* it was told, and says so */
            bool known = false;
            for (size_t k = 0; k < sizeof codes / sizeof codes[0]; k++)
                known = known || (err.code != NULL && strcmp(err.code, codes[k]) == 0);
            bool says = disk_landed() && known && strstr(err.text, s->root) != NULL;
            CHECK(says);
            if (!says)
                printf("# it said %s: %s\n", err.code, err.text);
        }
        s->ends++;
        stop(s);
        bool power = s->faults[s->next_fault - 1].power;
        if (power)
            disk_power_cut(&s->power);
        disk_revive();
        plan_next(s);
        err = (struct mesh_err){0};
        if (start(s, &err) == 0)
            return true;
        CHECK(disk_landed());
        if (!disk_landed()) {
            printf("# does not start again: %s: %s\n", err.code, err.text);
            return false;
        }
    }
    return false;
}

static bool drain(struct service *s)
{
    struct world *w = &s->w;
    for (int quiet = 0; quiet < 3;) {
        bool moved = false;
        for (uint32_t i = 0; i < w->product->n_inputs; i++)
            for (int32_t p = 0; p < (i == SHOP_RATES ? 1 : PARTITIONS); p++)
                while (world_feed(w, i, p, 1000))
                    moved = true;
        w->now_us += SHOP_SECOND;
        struct mesh_err err = {0};
        int committed = commit(s, &err);
        if (committed < 0) {
            if (!ended(s, &err))
                return false;
            quiet = 0;
            continue;
        }
        while (world_send(w, 1000))
            moved = true;
        world_ack(w, SIZE_MAX);
        moved |= world_store(w, SIZE_MAX);
        quiet = moved || committed > 0 ? 0 : quiet + 1;
    }
    return true;
}

static bool step(struct service *s)
{
    struct world *w = &s->w;
    size_t n = (size_t)mesh_rng_below(&w->rng, 12) + 1;
    uint32_t input = (uint32_t)mesh_rng_below(&w->rng, SHOP_N_INPUTS);
    int32_t partition = input == SHOP_RATES ? 0 : (int32_t)mesh_rng_below(&w->rng, PARTITIONS);
    struct mesh_err err = {0};
    if (mesh_rng_below(&w->rng, 16) == 0) { /* what was written behind a fault must be read before a round takes it away */
        stop(s);
        return start(s, &err) == 0 || ended(s, &err);
    }
    switch (mesh_rng_below(&w->rng, 8)) {
    case 0:
    case 1:
    case 2:
    case 3:
        world_feed(w, input, partition, n);
        return true;
    case 4:
        w->now_us += SHOP_SECOND;
        return commit(s, &err) >= 0 || ended(s, &err);
    case 5:
        world_send(w, n);
        return true;
    case 6:
        world_ack(w, n);
        return true;
    default:
        world_store(w, n);
        return true;
    }
}

struct seen {
    char *text; /* NULL: it did not come to an end */
    uint64_t calls;
    uint32_t rounds, ends;
    bool landed;
};

static struct seen run(uint64_t seed, const struct fault *faults, size_t n)
{
    struct service s = {.faults = faults, .n_faults = n};
    snprintf(s.root, sizeof s.root, "%s/mesh-disk-%ld", mesh_fs_is_dir("/dev/shm") ? "/dev/shm" : "/tmp", (long)getpid());
    snprintf(s.dir, sizeof s.dir, "%s/state/shop", s.root);
    disk_init(s.root);
    world_init(&s.w, PARTITIONS, seed);
    mesh_rng_seed(&s.power, seed + (n > 0 ? faults[0].at * 31 + faults[0].part : 0));
    s.w.round_log_bytes = 3000;
    s.w.round_sweep_bytes = 300;
    put_input(&s.w);
    plan_next(&s);
    struct mesh_err err = {0};
    bool fine = start(&s, &err) == 0 || ended(&s, &err);
    for (int i = 0; fine && i < STEPS; i++)
        fine = step(&s);
    fine = fine && drain(&s);
    struct seen seen = {.calls = disk_calls(), .rounds = s.w.rounds, .ends = s.ends, .landed = disk_landed()};
    if (fine) {
        struct mesh_buf out = MESH_BUF_NULL;
        world_show(&s.w, &out);
        CHECK_EQ_U64(s.w.gaps, 0);
        CHECK(mesh_engine_stopped(s.w.engine) == NULL);
        seen.text = mesh_buf_take(&out);
    }
    stop(&s);
    world_deinit(&s.w);
    disk_deinit();
    return seen;
}

static const char *const kinds[] = {"nothing", "kill before", "kill amid", "kill after", "error", "short"};

/* Compares with `wanted`; returns what else was seen. */
static struct seen compare(uint64_t seed, const struct fault *faults, size_t n, const char *wanted)
{
    char *to = saying;
    to += snprintf(to, 100, "# schedule %llu", (unsigned long long)seed);
    for (size_t i = 0; i < n && i < 4; i++)
        to += snprintf(to, 200, ", %s (%s, %d/256%s) at call %llu", kinds[faults[i].kind], strerror(faults[i].error),
                       faults[i].part, faults[i].power ? ", power cut" : "", (unsigned long long)faults[i].at);
    snprintf(to, 4, "\n");
    struct seen seen = run(seed, faults, n);
    bool same = seen.text != NULL && strcmp(seen.text, wanted) == 0;
    CHECK(same);
    if (!same)
        printf("%s#   which was %s\n", saying, disk_where());
    free(seen.text);
    seen.text = NULL;
    return seen;
}

static struct seen undisturbed(uint64_t seed)
{
    struct seen seen = run(seed, NULL, 0);
    mesh_assert(seen.text != NULL);
    CHECK_CONTAINS(seen.text, "cards card");
    CHECK_CONTAINS(seen.text, "aside p");
    CHECK_CONTAINS(seen.text, "totals p");
    CHECK_CONTAINS(seen.text, "minute p");
    CHECK_CONTAINS(seen.text, "doc 4:");
    CHECK(seen.rounds >= 2); /* logs are cut and trimmed on the way */
    return seen;
}

CASE(killed_at_every_call)
{
    (void)signal(SIGABRT, on_abort);
    struct seen wanted = undisturbed(1);
    static const uint8_t parts[] = {0, 1, 30, 75, 120, 160, 200, 240};
    for (uint64_t at = 1; at <= wanted.calls && !check_state.failed; at++) {
        compare(1, &(struct fault){DISK_KILL_BEFORE, at, 0, 0, false}, 1, wanted.text);
        for (size_t i = 0; i < sizeof parts; i++)
            compare(1, &(struct fault){DISK_KILL_AMID, at, 0, parts[i], false}, 1, wanted.text);
        struct seen seen = compare(1, &(struct fault){DISK_KILL_AFTER, at, 0, 0, false}, 1, wanted.text);
        CHECK_EQ_U64(seen.ends, 1);
    }
    printf("# %llu calls\n", (unsigned long long)wanted.calls);
    free(wanted.text);
}

CASE(the_power_goes_at_every_call)
{
    for (uint64_t schedule = 20; schedule < 22; schedule++) { /* schedules that cut and trim segments at different steps */
        struct seen wanted = undisturbed(schedule);
        for (uint64_t at = 1; at <= wanted.calls && !check_state.failed; at++)
            for (uint8_t i = 0; i < 4; i++)
                compare(schedule, &(struct fault){i % 2 == 0 ? DISK_KILL_AMID : DISK_KILL_AFTER, at, 0, (uint8_t)(70 * i), true}, 1,
                        wanted.text);
        free(wanted.text);
    }
}

CASE(refused_at_every_call)
{
    struct seen wanted = undisturbed(3);
    static const int errors[] = {ENOSPC, EIO};
    for (uint64_t at = 1; at <= wanted.calls && !check_state.failed; at++)
        for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
            for (int part = 0; part < 256; part += 130)
                compare(3, &(struct fault){DISK_ERROR, at, errors[i], (uint8_t)part, false}, 1, wanted.text);
    free(wanted.text);
}

/* Neither is an error: the service goes on. */
CASE(interrupted_and_short_at_every_call)
{
    struct seen wanted = undisturbed(4);
    static const uint8_t parts[] = {0, 1, 128, 255};
    for (uint64_t at = 1; at <= wanted.calls && !check_state.failed; at++) {
        for (size_t i = 0; i < sizeof parts; i++)
            CHECK_EQ_U64(compare(4, &(struct fault){DISK_SHORT, at, 0, parts[i], false}, 1, wanted.text).ends, 0);
        CHECK_EQ_U64(compare(4, &(struct fault){DISK_ERROR, at, EINTR, 0, false}, 1, wanted.text).ends, 0);
    }
    free(wanted.text);
}

/* Who starts behind a kill finds names that are there and do not last yet: the power then goes soon after it has gone on. */
CASE(the_power_goes_behind_a_kill)
{
    struct seen wanted = undisturbed(6);
    for (uint64_t at = 1; at <= wanted.calls && !check_state.failed; at++)
        for (uint64_t behind = 2; behind <= 14; behind += 2) {
            const struct fault faults[] = {{DISK_KILL_AFTER, at, 0, 0, false}, {DISK_KILL_AFTER, behind + at % 2, 0, 0, true}};
            compare(6, faults, 2, wanted.text);
        }
    free(wanted.text);
}

/* Several, each while the one before is being mended or soon after: drawn by seed. */
CASE(one_fault_after_another)
{
    struct seen wanted = undisturbed(5);
    uint32_t ends = 0;
    for (uint64_t seed = 1; seed <= 800 && !check_state.failed; seed++) {
        struct mesh_rng rng;
        mesh_rng_seed(&rng, seed);
        struct fault faults[4];
        size_t n = 2 + (size_t)mesh_rng_below(&rng, 3);
        for (size_t i = 0; i < n; i++) {
            static const enum disk_fault drawn[] = {DISK_KILL_BEFORE, DISK_KILL_AMID, DISK_KILL_AFTER, DISK_ERROR};
            static const int errors[] = {EIO, ENOSPC};
            enum disk_fault kind = drawn[mesh_rng_below(&rng, 4)];
            faults[i] = (struct fault){kind, 1 + mesh_rng_below(&rng, i == 0 ? wanted.calls : 12), errors[mesh_rng_below(&rng, 2)],
                                       (uint8_t)mesh_rng_below(&rng, 256), false};
            faults[i].power = kind != DISK_ERROR && mesh_rng_below(&rng, 2) == 0;
        }
        ends += compare(5, faults, n, wanted.text).ends;
    }
    printf("# the service ended %u times\n", (unsigned)ends);
    free(wanted.text);
}
