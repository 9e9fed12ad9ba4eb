/* The thread that asks: first for the ids of the ports, then what the worker meets. It gives up nothing: what the registry does not
 * answer now is asked again, ever more seldom. */
#include "app/schemas_int.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- waiting ---- */
static void set_waits(struct mesh_schemas *s, const struct mesh_err *err)
{
    pthread_mutex_lock(&s->lock);
    bool news = err != NULL && (!s->waits || strcmp(s->why, err->text) != 0);
    bool back = err == NULL && s->waits;
    s->waits = err != NULL;
    snprintf(s->why, sizeof s->why, "%.*s", (int)sizeof s->why - 1, err == NULL ? "" : err->text);
    pthread_mutex_unlock(&s->lock);
    if (news)
        mesh_log(MESH_LOG_WARN, "waits for the schema registry", "product", s->conf.name, "code", err->code, "why", err->text,
                 NULL);
    if (back)
        mesh_log(MESH_LOG_INFO, "the schema registry answers again", "product", s->conf.name, NULL);
    if (news || back)
        mesh_wake_ring(s->conf.wake);
}

/* Until then, or until it is time to end, or, when `questions` is, until there is a question. */
static void sleep_until(struct mesh_schemas *s, int64_t until_us, bool questions)
{
    struct timespec at = mesh_wake_deadline(until_us - mesh_clock_mono_us());
    pthread_mutex_lock(&s->lock);
    while (!atomic_load(&s->stop) && !(questions && s->questions != NULL) && pthread_cond_timedwait(&s->cond, &s->lock, &at) == 0)
        ;
    pthread_mutex_unlock(&s->lock);
}

static void write_file(struct mesh_schemas *s)
{
    struct mesh_err err = {0};
    if (mesh_schemas_file_write(s, &err) < 0)
        mesh_log_err(MESH_LOG_WARN, "what the schema registry says cannot be kept; the next start needs the registry", &err);
}

/* ---- a schema and the contracts ---- */
static struct mesh_schema *contract_of(struct mesh_arena *arena, const struct mesh_contract *contract)
{
    struct mesh_diags diags = {.arena = arena};
    struct mesh_schema *schema =
        mesh_schema_parse(arena, mesh_source_new(arena, contract->name, contract->json, strlen(contract->json)), &diags);
    mesh_assert(schema != NULL); /* the compiler wrote it */
    return schema;
}

/* What one wrote the other's decoder reads as its own: the same structure, and the values mean the same. Defaults, aliases and labels
 * say nothing about data that is there. */
static bool writes_alike(const struct mesh_schema *a, const struct mesh_schema *b)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf x = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf y = MESH_BUF_NULL;
    mesh_schema_canonical(a, &x);
    mesh_schema_canonical(b, &y);
    return strcmp(x.p, y.p) == 0 && mesh_compat_ok(a, b);
}

static void unfit(struct mesh_schemas_entry *entry, const struct mesh_contract *contract, const char *why)
{
    struct mesh_buf text = MESH_BUF_NULL;
    if (entry->key.kind == MESH_FRAME_ID)
        mesh_buf_printf(&text, "%s cannot read what schema %" PRIu32 " of the registry writes: %s", contract->name, entry->key.id,
                        why);
    else
        mesh_buf_printf(&text, "%s cannot read what this schema of the registry writes: %s", contract->name, why);
    entry->answer = MESH_SCHEMAS_UNFIT;
    entry->why = mesh_buf_take(&text);
}

static void judge(struct mesh_arena *arena, const struct mesh_input *input, const struct mesh_schema *writer,
                  struct mesh_schemas_entry *entry)
{
    struct mesh_err err = {0};
    struct mesh_compat compat;
    for (uint32_t i = 0; i < input->n_contracts; i++) {
        if (!writes_alike(contract_of(arena, &input->contracts[i]), writer))
            continue;
        entry->answer = MESH_SCHEMAS_VERSION;
        entry->version = i;
        return;
    }
    const struct mesh_schema *reader = contract_of(arena, &input->contracts[0]);
    if (mesh_resolve_new(writer, reader, &entry->plan, &err) == 0) {
        entry->answer = MESH_SCHEMAS_PLAN;
        entry->version = 0;
        return;
    }
    mesh_compat_check(arena, reader, writer, MESH_COMPAT_WRITER_IS_NEW, &compat);
    unfit(entry, &input->contracts[0], compat.n > 0 ? compat.found[0].reason : err.text);
}

/* A replica may lag behind for a schema or two; a writer of garbage has a new id in every record, and must not cost seconds for each. */
static bool patient(struct mesh_schemas *s)
{
    int64_t now_us = mesh_clock_mono_us();
    if (s->n_unknown == 0 || now_us - s->unknown_from_us > INT64_C(1000000) * MESH_SCHEMAS_MISS_S) {
        s->unknown_from_us = now_us;
        s->n_unknown = 0;
    }
    return ++s->n_unknown <= MESH_SCHEMAS_PATIENCE;
}

/* 0: answered; 1: ask again at not_before_us; negative: the registry is away. */
static int answer(struct mesh_schemas *s, struct mesh_schemas_entry *entry, struct mesh_err *err)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    const struct mesh_input *input = &s->conf.product->inputs[entry->key.input];
    struct mesh_registry_schema found;
    struct mesh_schema *writer = NULL;
    int result = entry->key.kind == MESH_FRAME_ID ? mesh_registry_by_id(s->registry, &arena, entry->key.id, &found, err)
                                                  : mesh_registry_by_guid(s->registry, &arena, entry->key.guid, &found, err);
    if (result > 0) {
        for (uint32_t i = 0; entry->key.kind == MESH_FRAME_ID && i < input->n_contracts; i++) {
            if (input->contracts[i].local_id != entry->key.id)
                continue;
            entry->answer = MESH_SCHEMAS_VERSION;
            entry->version = i;
            return 0;
        }
        entry->answer = MESH_SCHEMAS_MISSING;
        entry->misses++;
        bool enough = entry->misses >= MESH_SCHEMAS_MISSES || (entry->misses == 1 && !patient(s));
        entry->not_before_us = mesh_clock_mono_us() + 1000 * (enough ? INT64_C(1000) * MESH_SCHEMAS_MISS_S : MESH_SCHEMAS_MISS_MS);
        return enough ? 0 : 1;
    }
    if (result == 0 && strlen(found.text) > MESH_SCHEMAS_BYTES_MAX)
        result = mesh_err_set(err, MESH_ERR_REJECT, "registry.schema", "it is longer than %u bytes", MESH_SCHEMAS_BYTES_MAX);
    if (result == 0)
        result = mesh_registry_parse(s->registry, &arena, &found, &writer, err);
    if (result < 0 && err->class == MESH_ERR_RETRY)
        return -1;
    if (result < 0)
        unfit(entry, &input->contracts[0], err->text);
    else
        judge(&arena, input, writer, entry);
    if (result == 0 && entry->key.kind == MESH_FRAME_ID && mesh_schemas_file_add(s, &found))
        write_file(s);
    return 0;
}

/* ---- the ids of the ports ---- */
static const char *subject_of(const struct mesh_schemas *s, struct mesh_arena *arena, const struct mesh_port *port)
{
    const char *name = contract_of(arena, port->contract)->name;
    if (s->conf.subjects == MESH_SUBJECTS_TOPIC || name == NULL)
        return port->contract->subject;
    return s->conf.subjects == MESH_SUBJECTS_RECORD ? name : mesh_arena_printf(arena, "%s-%s", port->topic, name);
}

static int port_id(struct mesh_schemas *s, const struct mesh_port *port, uint32_t *ret_id, struct mesh_err *err)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    const char *subject = subject_of(s, &arena, port);
    const struct mesh_registry_schema schema = {.text = port->contract->json};
    int result = mesh_registry_find(s->registry, &arena, subject, contract_of(&arena, port->contract), ret_id, NULL, err);
    if (result <= 0)
        return result;
    if (!s->conf.registers)
        return mesh_err_set(
            err, MESH_ERR_REJECT, "registry.unregistered",
            "port %s writes %s, which is no version of subject '%s': publish it with `meshgen schema register`, or set "
            "MESH_SCHEMA_REGISTRY_REGISTER=1",
            port->name, port->contract->name, subject);
    if (mesh_registry_register(s->registry, subject, &schema, ret_id, err) < 0)
        return mesh_err_prefix(err, "port %s, %s", port->name, port->contract->name);
    mesh_log(MESH_LOG_INFO, "a contract was registered", "product", s->conf.name, "port", port->name, "contract",
             port->contract->name, "subject", subject, NULL);
    return 0;
}

/* 0: all are known. Negative: not now. */
static int port_ids(struct mesh_schemas *s, struct mesh_err *err)
{
    const struct mesh_product *product = s->conf.product;
    mesh_cleanup(mesh_freep) uint32_t *ids = mesh_xcalloc(product->n_ports + 1, sizeof *ids);
    for (uint32_t i = 0; i < product->n_ports; i++)
        if (product->ports[i].contract != NULL && port_id(s, &product->ports[i], &ids[i], err) < 0)
            return -1;
    pthread_mutex_lock(&s->lock);
    bool changed = memcmp(s->port_ids, ids, product->n_ports * sizeof *ids) != 0;
    bool other = changed && s->ready;
    memcpy(s->port_ids, ids, product->n_ports * sizeof *ids);
    s->ready = s->ids_changed = true;
    pthread_mutex_unlock(&s->lock);
    mesh_wake_ring(s->conf.wake);
    if (other)
        mesh_log(MESH_LOG_WARN, "the schema registry has other ids than those of the last start; writes these now", "product",
                 s->conf.name, NULL);
    if (changed)
        write_file(s);
    return 0;
}

/* ---- the loop ---- */
/* The first question whose time has come, taken out; else NULL, and when the next one comes. */
static struct mesh_schemas_entry *next_question(struct mesh_schemas *s, int64_t *ret_us)
{
    int64_t now_us = mesh_clock_mono_us();
    struct mesh_schemas_entry *found = NULL;
    *ret_us = now_us + INT64_C(3600) * 1000000;
    pthread_mutex_lock(&s->lock);
    for (struct mesh_schemas_entry **at = &s->questions; *at != NULL; at = &(*at)->next) {
        if ((*at)->not_before_us <= now_us) {
            found = *at;
            *at = found->next;
            break;
        }
        *ret_us = (*at)->not_before_us < *ret_us ? (*at)->not_before_us : *ret_us;
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

static void put(struct mesh_schemas *s, struct mesh_schemas_entry **queue, struct mesh_schemas_entry *entry)
{
    pthread_mutex_lock(&s->lock);
    while (*queue != NULL)
        queue = &(*queue)->next;
    entry->next = NULL;
    *queue = entry;
    pthread_mutex_unlock(&s->lock);
}

void *mesh_schemas_run(void *context)
{
    struct mesh_schemas *s = context;
    int64_t backoff_ms = MESH_SCHEMAS_RETRY_MS;
    bool has_ids = false;
    while (!atomic_load(&s->stop)) {
        struct mesh_err err = {0};
        int64_t wake_us = 0;
        int result = 0;
        struct mesh_schemas_entry *entry = next_question(s, &wake_us);
        if (entry != NULL) {
            result = answer(s, entry, &err);
            put(s, result == 0 ? &s->answers : &s->questions, entry);
            if (result == 0)
                mesh_wake_ring(s->conf.wake);
        }
        if (!has_ids && result >= 0) {
            result = port_ids(s, &err);
            has_ids = result == 0;
        }
        set_waits(s, result < 0 ? &err : NULL);
        if (result < 0) {
            sleep_until(s, mesh_clock_mono_us() + 1000 * backoff_ms, false);
            backoff_ms = 2 * backoff_ms < MESH_SCHEMAS_RETRY_MAX ? 2 * backoff_ms : MESH_SCHEMAS_RETRY_MAX;
            continue;
        }
        backoff_ms = MESH_SCHEMAS_RETRY_MS;
        if (entry == NULL)
            sleep_until(s, wake_us, true);
    }
    return NULL;
}
