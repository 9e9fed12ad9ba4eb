/* What a version is to the others (flow/role.h), and what it is told to become. Each step can be done again: an order stands in its file
 * until another takes its place, and a role is written when all of it is done and durable. */
#include "app/worker_int.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/hash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_US          INT64_C(100000)
#define STANDS_BYTES_MAX (1u << 30)

enum stage { STAGE_NEW, STAGE_STOPPING, STAGE_TIME, STAGE_OWN_TIME, STAGE_DONE };

static char *path_of(const struct mesh_worker *worker, const char *name)
{
    struct mesh_buf path = MESH_BUF_NULL;
    mesh_buf_printf(&path, "%s/%s", worker->dir, name);
    return mesh_buf_take(&path);
}

static int read_file(const struct mesh_worker *worker, const char *name, struct mesh_role *ret, struct mesh_err *err)
{
    mesh_cleanup(mesh_freep) char *path = path_of(worker, name);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (mesh_fs_read(path, MESH_ROLE_BYTES_MAX, &text, err) < 0)
        return -1;
    if (mesh_role_read((struct mesh_str){text.p, (uint32_t)text.n}, ret, err) == 0)
        return 0;
    mesh_err_prefix(err, "%s", path);
    return -1;
}

static int write_role(struct mesh_worker *worker, struct mesh_err *err)
{
    mesh_cleanup(mesh_freep) char *path = path_of(worker, MESH_ROLE_FILE);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_role_write(&worker->cutover.role, &text);
    return mesh_fs_write_atomic(path, text.p, text.n, err);
}

int mesh_worker_open_role(struct mesh_worker *worker, struct mesh_err *err)
{
    struct mesh_role *role = &worker->cutover.role;
    mesh_role_init(role, worker->config->variant[0] == '\0' ? MESH_ROLE_ACTIVE : MESH_ROLE_MUTED);
    mesh_role_init(&worker->cutover.order, MESH_ORDER_RESUME);
    mesh_cleanup(mesh_freep) char *path = path_of(worker, MESH_ROLE_FILE);
    if (worker->sharded || !mesh_fs_exists(path)) /* versions of a product in shards do not take over from each other yet */
        return 0;
    if (read_file(worker, MESH_ROLE_FILE, role, err) < 0)
        return -1;
    if (role->word > MESH_ROLE_RETIRED)
        return mesh_err_set(err, MESH_ERR_FATAL, "role.word", "%s: '%s' is an order, not what a version is", path,
                            mesh_role_word_text(role->word));
    return 0;
}

bool mesh_worker_is_muted(const struct mesh_worker *worker)
{
    return worker->cutover.role.word == MESH_ROLE_MUTED || worker->cutover.role.word == MESH_ROLE_HELD;
}

bool mesh_worker_is_retired(const struct mesh_worker *worker)
{
    return worker->cutover.role.word == MESH_ROLE_RETIRED;
}

void mesh_worker_tell_address(struct mesh_worker *worker, struct mesh_str address)
{
    mesh_cleanup(mesh_freep) char *path = path_of(worker, MESH_ADDRESS_FILE);
    struct mesh_err err = {0};
    if (mesh_fs_write_atomic(path, address.p, address.n, &err) < 0)
        mesh_log_err(MESH_LOG_WARN, "meshctl will have to be told where this is served", &err);
}

bool mesh_worker_again(const struct mesh_worker *worker)
{
    return worker->cutover.again;
}

void mesh_worker_cutover_deinit(struct mesh_worker *worker)
{
    mesh_role_deinit(&worker->cutover.role);
    mesh_role_deinit(&worker->cutover.order);
}

/* ---- the start ---- */
struct standing {
    MESH_VEC(struct mesh_engine_known) rows;
};

/* "TOPIC HEXKEY HASH" */
static bool read_standing(struct mesh_arena *arena, char *line, const char *topic, struct standing *ret)
{
    char *rest = NULL;
    const char *name = strtok_r(line, " ", &rest);
    const char *key = strtok_r(NULL, " ", &rest);
    const char *hash = strtok_r(NULL, " ", &rest);
    if (hash == NULL)
        return false;
    if (strcmp(name, topic) != 0)
        return true;
    key = strcmp(key, "-") == 0 ? "" : key;
    size_t n = strlen(key) / 2;
    uint8_t *bytes = mesh_arena_alloc(arena, n + 1);
    if (!mesh_hex_read(key, n, bytes))
        return false;
    *mesh_vec_push(&ret->rows) = (struct mesh_engine_known){{(const char *)bytes, (uint32_t)n}, strtoull(hash, NULL, 16), false};
    return true;
}

static int announce_port(struct mesh_worker *worker, uint32_t port, const struct mesh_buf *text, uint64_t *sent,
                         struct mesh_err *err)
{
    struct mesh_arena arena = MESH_ARENA_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf copy = MESH_BUF_NULL;
    mesh_buf_add(&copy, text->p, text->n);
    mesh_buf_putc(&copy, '\0');
    struct standing stands = {0};
    char *rest = NULL;
    bool ok = true;
    for (char *line = strtok_r(copy.p, "\n", &rest); ok && line != NULL; line = strtok_r(NULL, "\n", &rest))
        ok = read_standing(&arena, line, worker->product->ports[port].topic, &stands);
    if (ok && stands.rows.n > 0)
        qsort(stands.rows.v, stands.rows.n, sizeof *stands.rows.v, mesh_engine_known_order);
    if (ok)
        *sent += mesh_engine_announce(worker->engine, port, stands.rows.v, stands.rows.n);
    mesh_vec_deinit(&stands.rows);
    mesh_arena_deinit(&arena);
    if (ok)
        return 0;
    return mesh_err_set(err, MESH_ERR_FATAL, "role.stands", "%s/%s has a line that means nothing; run meshctl cutover again",
                        worker->dir, MESH_STANDS_FILE);
}

bool mesh_worker_has_to_announce(const struct mesh_worker *worker)
{
    mesh_cleanup(mesh_freep) char *path = path_of(worker, MESH_STANDS_FILE);
    return !worker->sharded && worker->cutover.role.word == MESH_ROLE_ACTIVE && mesh_fs_exists(path);
}

/* The last word at ports that send changes, before anything is read. Documents of all rows are on their way too. */
static int announce(struct mesh_worker *worker, struct mesh_err *err)
{
    mesh_cleanup(mesh_freep) char *path = path_of(worker, MESH_STANDS_FILE);
    if (!mesh_worker_has_to_announce(worker))
        return 0;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (mesh_fs_read(path, STANDS_BYTES_MAX, &text, err) < 0)
        return -1;
    uint64_t sent = 0;
    for (uint32_t i = 0; i < worker->product->n_ports; i++)
        if (worker->product->ports[i].kind == MESH_PORT_KAFKA && announce_port(worker, i, &text, &sent, err) < 0)
            return -1;
    mesh_engine_hold(worker->engine);
    worker->cutover.announcing = true;
    char n[32];
    snprintf(n, sizeof n, "%" PRIu64, sent);
    mesh_log(MESH_LOG_INFO, "takes over: brings the ports of changes to its rows before it reads on", "product", worker->name,
             "messages", n, NULL);
    return 0;
}

int mesh_worker_begin_role(struct mesh_worker *worker, struct mesh_err *err)
{
    const struct mesh_role *role = &worker->cutover.role;
    for (size_t i = 0; mesh_worker_is_muted(worker) && i < role->at.n; i++)
        (void)mesh_engine_begin_at(worker->engine, role->at.v[i].topic, role->at.v[i].partition, role->at.v[i].offset);
    return announce(worker, err);
}

/* ---- orders ---- */
static void note_marks(struct mesh_worker *worker, struct mesh_role *to)
{
    to->marks.n = 0;
    for (uint32_t i = 0; i < mesh_engine_n_marks(worker->engine); i++) {
        struct mesh_role_mark *m = mesh_vec_push(&to->marks);
        mesh_engine_mark(worker->engine, i, &m->mark);
        snprintf(m->name, sizeof m->name, "%s", m->mark.topology);
    }
}

static void note_positions(struct mesh_worker *worker, struct mesh_role *to)
{
    to->at.n = 0;
    for (size_t i = 0; i < mesh_engine_n_sources(worker->engine); i++) {
        struct mesh_source_info info;
        mesh_engine_source_info(worker->engine, i, &info);
        const struct mesh_input *input = &worker->product->inputs[info.input];
        if ((input->kind == MESH_INPUT_STREAM || input->kind == MESH_INPUT_TABLE) &&
            mesh_role_at(to, input->topic, info.partition) < 0) {
            int64_t at = mesh_engine_position(worker->engine, info.input, info.partition);
            mesh_role_add_at(to, input->topic, info.partition, at < 0 ? 0 : at);
        }
    }
}

static bool nothing_on_its_way(struct mesh_worker *worker, int64_t now_us)
{
    return mesh_engine_quiet(worker->engine) && mesh_worker_is_drained(worker, now_us);
}

/* Bring tasks to these marks, a topology at a time, quiet between them. True: all are there. */
static bool bring(struct mesh_worker *worker, const struct mesh_role *marks, int64_t now_us)
{
    struct mesh_worker_cutover *cut = &worker->cutover;
    while (nothing_on_its_way(worker, now_us)) {
        if (cut->next_mark >= marks->marks.n)
            return true;
        const char *topology = marks->marks.v[cut->next_mark].name;
        for (; cut->next_mark < marks->marks.n && strcmp(marks->marks.v[cut->next_mark].name, topology) == 0; cut->next_mark++) {
            struct mesh_engine_mark mark = marks->marks.v[cut->next_mark].mark;
            mark.topology = topology;
            (void)mesh_engine_reach(worker->engine, &mark);
        }
    }
    return false;
}

static int become(struct mesh_worker *worker, enum mesh_role_word word, struct mesh_err *err)
{
    struct mesh_role *role = &worker->cutover.role;
    role->word = word;
    role->order = worker->cutover.order.order;
    if (worker->engine != NULL) {
        note_positions(worker, role);
        note_marks(worker, role);
    }
    if (write_role(worker, err) < 0)
        return -1;
    worker->cutover.stage = STAGE_DONE;
    mesh_log(MESH_LOG_INFO, "another role", "product", worker->name, "role", mesh_role_word_text(word), NULL);
    return 1;
}

static uint64_t own_voice(const struct mesh_worker *worker)
{
    uint64_t voice = worker->cutover.role.voice;
    return voice != 0 ? voice : mesh_engine_generation(worker->engine);
}

/* Whether every partition of the order that is read here was read as far. */
static bool is_as_far(const struct mesh_worker *worker, const struct mesh_role *order)
{
    for (uint32_t i = 0; i < worker->product->n_inputs; i++) {
        const struct mesh_input *input = &worker->product->inputs[i];
        for (size_t k = 0; k < order->at.n; k++)
            if (strcmp(order->at.v[k].topic, input->topic) == 0 && order->at.v[k].offset > 0 &&
                mesh_engine_position(worker->engine, i, order->at.v[k].partition) < order->at.v[k].offset)
                return false;
    }
    return true;
}

static int hold(struct mesh_worker *worker, int64_t now_us, struct mesh_err *err)
{
    mesh_engine_hold(worker->engine);
    return nothing_on_its_way(worker, now_us) ? become(worker, MESH_ROLE_HELD, err) : 0;
}

static int resume(struct mesh_worker *worker, struct mesh_err *err)
{
    mesh_engine_resume(worker->engine);
    mesh_kafka_source_reassign(worker->source);
    return become(worker, MESH_ROLE_MUTED, err);
}

static int retire(struct mesh_worker *worker, int64_t now_us, struct mesh_err *err)
{
    struct mesh_worker_cutover *cut = &worker->cutover;
    if (cut->stage == STAGE_NEW && is_as_far(worker, &cut->order)) {
        mesh_engine_hold(worker->engine);
        cut->next_mark = 0;
        cut->stage = STAGE_TIME;
    }
    if (cut->stage == STAGE_TIME && bring(worker, &cut->order, now_us)) {
        note_marks(worker, &cut->role); /* and its own: what was let go ahead of time has passed */
        cut->next_mark = 0;
        cut->stage = STAGE_OWN_TIME;
    }
    if (cut->stage != STAGE_OWN_TIME || !bring(worker, &cut->role, now_us))
        return 0;
    mesh_role_add_succeeded(&cut->role, own_voice(worker));
    return become(worker, MESH_ROLE_RETIRED, err);
}

static int promote(struct mesh_worker *worker, int64_t now_us, struct mesh_err *err)
{
    struct mesh_worker_cutover *cut = &worker->cutover;
    if (cut->stage == STAGE_NEW) {
        mesh_engine_hold(worker->engine);
        for (size_t i = 0; i < cut->order.at.n; i++)
            (void)mesh_engine_stop_at(worker->engine, cut->order.at.v[i].topic, cut->order.at.v[i].partition,
                                      cut->order.at.v[i].offset);
        mesh_kafka_source_reassign(worker->source);
        cut->stage = STAGE_STOPPING;
    }
    if (cut->stage == STAGE_STOPPING && mesh_engine_reached(worker->engine)) {
        cut->next_mark = 0;
        cut->stage = STAGE_TIME;
    }
    if (cut->stage != STAGE_TIME || !bring(worker, &cut->order, now_us))
        return 0;
    uint64_t voice = (uint64_t)(now_us / 1000000);
    memcpy(cut->role.succeeds, cut->order.succeeds, sizeof cut->role.succeeds);
    cut->role.n_succeeds = cut->order.n_succeeds;
    for (uint32_t i = 0; i < cut->role.n_succeeds; i++)
        voice = voice > cut->role.succeeds[i] ? voice : cut->role.succeeds[i] + 1;
    cut->role.voice = voice;
    int done = become(worker, MESH_ROLE_ACTIVE, err);
    cut->again = done > 0;
    return done;
}

static void look_for_order(struct mesh_worker *worker, int64_t now_us)
{
    struct mesh_worker_cutover *cut = &worker->cutover;
    if (now_us - cut->looked_us < LOOK_US && now_us >= cut->looked_us)
        return;
    cut->looked_us = now_us;
    mesh_cleanup(mesh_freep) char *path = path_of(worker, MESH_ORDER_FILE);
    struct stat st;
    if (stat(path, &st) != 0 ||
        (st.st_ino == cut->order_inode && st.st_mtim.tv_nsec == cut->order_ns && st.st_mtim.tv_sec == cut->order_s))
        return;
    cut->order_inode = st.st_ino;
    cut->order_s = st.st_mtim.tv_sec;
    cut->order_ns = st.st_mtim.tv_nsec;
    struct mesh_role order;
    struct mesh_err err = {0};
    if (read_file(worker, MESH_ORDER_FILE, &order, &err) < 0) {
        mesh_log_err(MESH_LOG_ERROR, "an order that cannot be read is left alone", &err);
        return;
    }
    mesh_role_deinit(&cut->order);
    cut->order = order;
    cut->stage = order.order == cut->role.order && cut->role.word != MESH_ROLE_HELD ? STAGE_DONE : STAGE_NEW;
    if (cut->stage == STAGE_NEW)
        mesh_log(MESH_LOG_INFO, "an order", "product", worker->name, "order", mesh_role_word_text(order.word), NULL);
}

/* Only from where it leads on: an active version does not hold, a muted one does not retire. */
static bool fits(const struct mesh_worker *worker, enum mesh_role_word order)
{
    if (order == MESH_ORDER_FOLLOW)
        return mesh_worker_is_retired(worker);
    return order == MESH_ORDER_RETIRE ? worker->cutover.role.word == MESH_ROLE_ACTIVE : mesh_worker_is_muted(worker);
}

int mesh_worker_follow_orders(struct mesh_worker *worker, int64_t now_us, struct mesh_err *err)
{
    struct mesh_worker_cutover *cut = &worker->cutover;
    if (cut->announcing) {
        if (!nothing_on_its_way(worker, now_us))
            return 0;
        mesh_cleanup(mesh_freep) char *path = path_of(worker, MESH_STANDS_FILE);
        if (unlink(path) != 0 && errno != ENOENT)
            return mesh_err_set(err, MESH_ERR_FATAL, "role.stands", "cannot remove %s: %s", path, strerror(errno));
        cut->announcing = false;
        mesh_engine_resume(worker->engine);
        return 1;
    }
    if (worker->sharded)
        return 0;
    look_for_order(worker, now_us);
    if (cut->order.order == 0 || cut->stage == STAGE_DONE || cut->order.word < MESH_ORDER_HOLD || !fits(worker, cut->order.word))
        return 0;
    if (cut->order.word == MESH_ORDER_FOLLOW) {
        int done = become(worker, MESH_ROLE_MUTED, err);
        cut->again = done > 0;
        return done;
    }
    if (cut->order.word == MESH_ORDER_HOLD)
        return hold(worker, now_us, err);
    if (cut->order.word == MESH_ORDER_RESUME)
        return resume(worker, err);
    return cut->order.word == MESH_ORDER_RETIRE ? retire(worker, now_us, err) : promote(worker, now_us, err);
}
