/* `meshctl cutover` and `meshctl rollback`: the same procedure, to a version and back. What has been reached stands in the roles of the two,
 * so that it begins wherever they are:
 *
 *     old active,  new muted     new is told to hold: it waits at its positions
 *     old active,  new held      old is told to retire, at those positions or behind them
 *     old retired, new held      what stands in topics of changes is noted for new, which is told to go on to where old stopped
 *     old retired, new active    done
 */
#include "ctl/version.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS    50
#define BEHIND_MAX 100000 /* records that the new version may still have to read while the old one has stopped */

static const char usage[] =
    "usage: meshctl cutover  PRODUCT NAME [--state DIR] [--brokers LIST] [--timeout TIME]\n"
    "       meshctl rollback PRODUCT NAME [--state DIR] [--brokers LIST] [--timeout TIME]\n"
    "\n"
    "cutover: NAME, which was replayed beside the version that counts (meshctl replay), takes its place: that one stops at positions\n"
    "of its inputs, NAME reads exactly to there, and sends what follows. Readers that are products of the mesh get every message\n"
    "once. rollback: the same to a version that was retired; 'base' is the one without a name. Its service must run.\n"
    "Killed in the middle, or out of time, the same command goes on. Both services keep answering HTTP at their own addresses.\n"
    "\n"
    "  --state DIR      MESH_STATE_DIR of both\n"
    "  --timeout TIME   how long to wait for each step (default 1m)\n"
    "\n"
    "exit: 0 NAME counts, 1 a step is not done yet, 2 usage, or it cannot be done\n";

struct change {
    const struct mesh_version_options *o;
    struct mesh_version old, new;
    struct mesh_version_kafka kafka;
    int64_t stopped_us; /* monotonic: when the old one was told to retire; 0: by an earlier run */
};

static int not_yet(const struct mesh_version *version, const char *what, struct mesh_err *err)
{
    return mesh_err_set(
        err, MESH_ERR_RETRY, "cutover.waits",
        "%s has not %s in time; its log and /readyz say what hinders it, and the order stands: the same command goes on "
        "(--timeout 10m waits longer)",
        version->name, what);
}

static int wait_for(struct change *c, struct mesh_version *version, enum mesh_role_word word, const char *what,
                    struct mesh_err *err)
{
    int64_t until_us = mesh_clock_mono_us() + c->o->timeout_ms * 1000;
    for (;;) {
        if (mesh_version_look(version, err) < 0)
            return -1;
        if (version->role.word == word)
            return 0;
        if (mesh_clock_mono_us() > until_us)
            return not_yet(version, what, err);
        mesh_version_nap(LOOK_MS);
    }
}

static void copy_places(const struct mesh_role *from, struct mesh_role *to)
{
    for (size_t i = 0; i < from->at.n; i++)
        *mesh_vec_push(&to->at) = from->at.v[i];
    for (size_t i = 0; i < from->marks.n; i++)
        *mesh_vec_push(&to->marks) = from->marks.v[i];
    memcpy(to->succeeds, from->succeeds, sizeof to->succeeds);
    to->n_succeeds = from->n_succeeds;
}

static int give(struct mesh_version *version, enum mesh_role_word word, const struct mesh_role *places, struct mesh_err *err)
{
    struct mesh_role order;
    mesh_role_init(&order, word);
    if (places != NULL)
        copy_places(places, &order);
    int result = mesh_version_order(version, &order, err);
    mesh_role_deinit(&order);
    return result;
}

/* While the old one has stopped nobody reads on: the new one must be near. */
static int check_near(struct change *c, struct mesh_err *err)
{
    int64_t behind = 0;
    const struct mesh_json *sources = mesh_json_get(c->new.ready, "sources");
    for (uint32_t i = 0; sources != NULL && i < sources->n; i++) {
        const char *topic = mesh_json_get(sources->items[i], "topic")->text;
        int64_t position = atoll(mesh_json_get(sources->items[i], "position")->text);
        int64_t low = 0, end = 0;
        if (strncmp(topic, "mesh.", 5) == 0)
            continue;
        if (mesh_version_kafka_ends(&c->kafka, topic, atoi(mesh_json_get(sources->items[i], "partition")->text), &low, &end, err) <
            0)
            return -1;
        position = position > low ? position : low;
        behind += end > position ? end - position : 0;
    }
    const struct mesh_json *stopped = mesh_json_get(c->new.ready, "stopped");
    if (stopped != NULL)
        return mesh_err_set(err, MESH_ERR_REJECT, "cutover.stopped", "%s has stopped: %s", c->new.name, stopped->text);
    if (behind <= BEHIND_MAX)
        return 0;
    return mesh_err_set(err, MESH_ERR_REJECT, "cutover.behind",
                        "%s has %lld records to read yet; 'meshctl replay %s --as %s --wait' shows how far it is", c->new.name,
                        (long long)behind, c->o->product, c->new.name);
}

/* ---- what stands in the topics of changes ---- */
struct stands {
    struct mesh_map newest; /* hex of the key -> (void *)hash of the value */
    bool any;
};

static void note(void *context, const rd_kafka_message_t *m)
{
    struct stands *s = context;
    char *hex = mesh_xmalloc(2 * m->key_len + 2);
    mesh_hex(m->key, m->key_len, hex);
    uint64_t *hash = mesh_map_get(&s->newest, hex);
    if (hash == NULL) {
        hash = mesh_xcalloc(2, sizeof *hash);
        mesh_map_set(&s->newest, hex, hash);
    }
    hash[0] = m->payload == NULL ? 0 : mesh_hash64(m->payload, m->len);
    hash[1] = m->payload != NULL;
    free(hex);
}

static int write_stands(struct change *c, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf suffix = MESH_BUF_NULL;
    mesh_buf_printf(&suffix, ".%s", c->new.name);
    const struct mesh_json *ports = mesh_json_get(c->new.ready, "ports");
    for (uint32_t i = 0; ports != NULL && i < ports->n; i++) {
        const struct mesh_json *topic = mesh_json_get(ports->items[i], "topic");
        const struct mesh_json *emit = mesh_json_get(ports->items[i], "emit");
        if (emit == NULL || strcmp(emit->text, "change") != 0)
            continue;
        char real[MESH_ROLE_NAME_MAX];
        snprintf(real, sizeof real, "%s", topic->text);
        size_t n = strlen(real);
        if (n > suffix.n && strcmp(real + n - suffix.n, suffix.p) == 0)
            real[n - suffix.n] = '\0';
        struct stands stands = {0};
        int result = mesh_version_kafka_read(&c->kafka, real, note, &stands, err);
        for (size_t k = 0; k < stands.newest.n; k++) {
            uint64_t *hash = stands.newest.entries[k].value;
            const char *key = stands.newest.entries[k].key;
            if (hash[1] != 0) /* a null value: nothing stands there */
                mesh_buf_printf(&text, "%s %s %llx\n", real, key[0] == '\0' ? "-" : key, (unsigned long long)hash[0]);
            free(hash);
        }
        mesh_map_deinit(&stands.newest);
        if (result < 0)
            return -1;
    }
    mesh_buf_printf(&path, "%s/%s", c->new.dir, MESH_STANDS_FILE);
    return mesh_fs_write_atomic(path.p, text.p, text.n, err);
}

/* ---- the steps ---- */
static int hold_new(struct change *c, struct mesh_err *err)
{
    if (mesh_version_ask(&c->old, c->o, err) < 0)
        return mesh_err_prefix(err, "%s, which counts, must run to retire", c->old.name);
    if (mesh_version_ask(&c->new, c->o, err) < 0 || check_near(c, err) < 0)
        return -1;
    if (c->new.role.word == MESH_ROLE_HELD)
        return 0;
    fprintf(stderr, "%s holds where it is\n", c->new.name);
    if (give(&c->new, MESH_ORDER_HOLD, NULL, err) < 0)
        return -1;
    return wait_for(c, &c->new, MESH_ROLE_HELD, "come to rest", err);
}

static int retire_old(struct change *c, struct mesh_err *err)
{
    fprintf(stderr, "%s retires\n", c->old.name);
    c->stopped_us = mesh_clock_mono_us();
    if (give(&c->old, MESH_ORDER_RETIRE, &c->new.role, err) < 0)
        return -1;
    return wait_for(c, &c->old, MESH_ROLE_RETIRED, "retired", err);
}

static int promote_new(struct change *c, struct mesh_err *err)
{
    if (mesh_version_ask(&c->new, c->o, err) < 0)
        return mesh_err_prefix(err, "%s must run to take over; start it again with meshctl replay", c->new.name);
    fprintf(stderr, "%s takes over\n", c->new.name);
    if (write_stands(c, err) < 0 || give(&c->new, MESH_ORDER_PROMOTE, &c->old.role, err) < 0)
        return -1;
    return wait_for(c, &c->new, MESH_ROLE_ACTIVE, "taken over", err);
}

static int wait_until_it_answers(struct change *c, struct mesh_err *err)
{
    int64_t until_us = mesh_clock_mono_us() + c->o->timeout_ms * 1000;
    for (;;) {
        const struct mesh_json *role = mesh_version_ask(&c->new, c->o, err) < 0 ? NULL : mesh_json_get(c->new.ready, "role");
        const struct mesh_json *phase = role == NULL ? NULL : mesh_json_get(c->new.ready, "phase");
        if (phase != NULL && strcmp(role->text, "active") == 0 && strcmp(phase->text, "running") == 0)
            return 0;
        if (mesh_clock_mono_us() > until_us)
            return not_yet(&c->new, "begun to answer under its new role", err);
        mesh_version_nap(LOOK_MS);
    }
}

static int change_over(struct change *c, struct mesh_err *err)
{
    if (c->old.role.word == MESH_ROLE_ACTIVE && (hold_new(c, err) < 0 || retire_old(c, err) < 0))
        return -1;
    if (c->new.role.word != MESH_ROLE_ACTIVE && promote_new(c, err) < 0)
        return -1;
    if (wait_until_it_answers(c, err) < 0)
        return -1;
    if (c->stopped_us != 0)
        fprintf(stderr, "nobody read on for %.1f s\n", (double)(mesh_clock_mono_us() - c->stopped_us) / 1e6);
    printf("%s of %s counts, served at 127.0.0.1:%d; %s has retired\n", c->new.name, c->o->product, c->new.port, c->old.name);
    return MESH_VERSION_EXIT_OK;
}

/* The one that counts; when there is none (an earlier run came so far), the one that retired last. */
static int find_old(struct change *c, struct mesh_arena *arena, struct mesh_err *err)
{
    const char *name = NULL;
    if (mesh_version_active(arena, c->o, &name, err) < 0)
        return -1;
    if (name != NULL)
        return mesh_version_open(&c->old, c->o, name, err);
    char **names = NULL;
    size_t n = 0;
    uint64_t newest = 0;
    if (mesh_fs_list(arena, c->o->state, &names, &n, err) < 0)
        return -1;
    size_t prefix = strlen(c->o->product);
    for (size_t i = 0; i < n; i++) {
        const char *rest = names[i] + prefix;
        if (strncmp(names[i], c->o->product, prefix) != 0 || (rest[0] != '\0' && rest[0] != '.'))
            continue;
        struct mesh_version version;
        const char *own = rest[0] == '\0' ? MESH_VARIANT_BASE : rest + 1;
        if (strcmp(own, c->o->variant) == 0)
            continue;
        if (mesh_version_open(&version, c->o, own, err) < 0)
            return -1;
        if (version.role.word == MESH_ROLE_RETIRED && version.role.order >= newest) {
            newest = version.role.order;
            name = own;
        }
        mesh_version_close(&version);
    }
    if (name == NULL)
        return mesh_err_set(err, MESH_ERR_REJECT, "cutover.alone", "%s holds no version of %s that counts (is --state right?)",
                            c->o->state, c->o->product);
    return mesh_version_open(&c->old, c->o, name, err);
}

/* ---- rollback ---- */
static int check_history(struct change *c, struct mesh_err *err)
{
    for (size_t i = 0; i < c->new.role.at.n; i++) {
        const struct mesh_role_place *at = &c->new.role.at.v[i];
        int64_t low = 0, end = 0;
        if (mesh_version_kafka_ends(&c->kafka, at->topic, at->partition, &low, &end, err) < 0)
            return -1;
        if (low > at->offset)
            return mesh_err_set(
                err, MESH_ERR_REJECT, "rollback.history",
                "%s stopped at offset %lld of %s partition %d, and the broker has deleted what lay before %lld: it cannot "
                "go on without a gap. Replay that declaration as a version of another name instead",
                c->new.name, (long long)at->offset, at->topic, (int)at->partition, (long long)low);
    }
    return 0;
}

/* It reads on from where it stopped, muted, until it is where the other one is. */
static int follow(struct change *c, struct mesh_err *err)
{
    if (mesh_version_ask(&c->new, c->o, err) < 0)
        return mesh_err_prefix(err, "%s must run: start its service again, with the settings it had and another MESH_HTTP_LISTEN",
                               c->new.name);
    if (c->new.role.word == MESH_ROLE_RETIRED) {
        fprintf(stderr, "%s reads on, muted, from where it stopped\n", c->new.name);
        if (check_history(c, err) < 0 || give(&c->new, MESH_ORDER_FOLLOW, NULL, err) < 0 ||
            wait_for(c, &c->new, MESH_ROLE_MUTED, "begun to follow", err) < 0)
            return -1;
    }
    int64_t until_us = mesh_clock_mono_us() + c->o->timeout_ms * 1000;
    for (;;) {
        const struct mesh_json *phase = mesh_version_ask(&c->new, c->o, err) < 0 ? NULL : mesh_json_get(c->new.ready, "phase");
        const struct mesh_json *group = phase == NULL ? NULL : mesh_json_get(c->new.ready, "group");
        if (group != NULL && strcmp(phase->text, "running") == 0 && strcmp(group->text, "owner") == 0 && check_near(c, err) == 0)
            return 0;
        if (mesh_clock_mono_us() > until_us)
            return not_yet(&c->new, "caught up", err);
        mesh_version_nap(LOOK_MS);
    }
}

static int run(int argc, char **argv, bool back)
{
    struct mesh_version_options o;
    struct mesh_err err = {0};
    int result = 0;
    if (mesh_version_options(argc, argv, "sbth", usage, &o, &result) != 0)
        return result;
    struct change c = {.o = &o};
    struct mesh_arena arena = MESH_ARENA_NULL;
    result = mesh_version_open(&c.new, &o, o.variant, &err);
    if (result == 0 && !c.new.exists)
        result = mesh_err_set(&err, MESH_ERR_REJECT, "cutover.unknown",
                              "there is no version %s of %s in %s; meshctl replay makes one", o.variant, o.product, o.state);
    if (result == 0 && !back && c.new.role.word == MESH_ROLE_RETIRED)
        result =
            mesh_err_set(&err, MESH_ERR_REJECT, "cutover.retired", "%s of %s has retired; 'meshctl rollback %s %s' takes it back",
                         o.variant, o.product, o.product, o.variant);
    if (result == 0)
        result = find_old(&c, &arena, &err);
    if (result == 0)
        result = mesh_version_kafka_open(&c.kafka, &o, &err);
    if (result == 0 && back && c.new.role.word != MESH_ROLE_ACTIVE &&c.new.role.word != MESH_ROLE_HELD)
        result = follow(&c, &err);
    if (result == 0)
        result = change_over(&c, &err);
    mesh_version_kafka_close(&c.kafka);
    mesh_version_close(&c.old);
    mesh_version_close(&c.new);
    mesh_arena_deinit(&arena);
    if (result < 0 && strcmp(err.code, "cutover.waits") == 0) {
        (void)mesh_version_fail(&err);
        return MESH_VERSION_EXIT_DIFFERS;
    }
    return result < 0 ? mesh_version_fail(&err) : result;
}

int mesh_ctl_cutover(int argc, char **argv)
{
    return run(argc, argv, false);
}

int mesh_ctl_rollback(int argc, char **argv)
{
    return run(argc, argv, true);
}
