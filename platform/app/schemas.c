/* The worker's side. An entry belongs to the worker, except while it is asked for: then it is in a queue, its answer is the thread's,
 * and the worker looks only at its key and at its verdict, ASKED, which the thread does not touch. */
#include "app/schemas_int.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "flow/retry.h"
#include "flow/sealed.h"

#include <stdio.h>
#include <stdlib.h>

static enum mesh_written_result find(void *context, uint32_t input, const struct mesh_frame *frame, struct mesh_written *ret);

static void entry_free(struct mesh_schemas_entry *entry)
{
    mesh_resolve_free(entry->plan);
    free(entry->why);
    free(entry);
}

int mesh_schemas_new(const struct mesh_schemas_conf *conf, struct mesh_schemas **ret, struct mesh_err *err)
{
    *ret = NULL;
    if (conf->registry->url == NULL || conf->registry->url[0] == '\0')
        return 0;
    struct mesh_schemas *s = mesh_xcalloc(1, sizeof *s);
    s->conf = *conf;
    s->registry_conf = *conf->registry;
    s->registry_conf.attempts = 1; /* the thread has its own pauses */
    s->registry_conf.interrupted = &s->stop;
    s->hook = (struct mesh_written_hook){find, s};
    s->last = mesh_xcalloc(conf->product->n_inputs + 1, sizeof(struct mesh_schemas_entry *));
    s->port_ids = mesh_xcalloc(conf->product->n_ports + 1, sizeof *s->port_ids);
    s->m_up = mesh_metric_gauge(conf->metrics, "mesh_schema_registry_up", "1 while the schema registry answers", "product",
                                conf->name, NULL);
    s->m_plans = mesh_metric_gauge(conf->metrics, "mesh_schema_plans", "Schemas seen at run time that are translated", "product",
                                   conf->name, NULL);
    s->m_asked = mesh_metric_counter(conf->metrics, "mesh_schema_questions_total", "Schemas the registry was asked for", "product",
                                     conf->name, NULL);
    mesh_assert(pthread_mutex_init(&s->lock, NULL) == 0);
    mesh_wake_cond_init(&s->cond);
    if (mesh_registry_new(&s->registry_conf, &s->registry, err) < 0) {
        mesh_schemas_free(s);
        return -1;
    }
    mesh_schemas_file_read(s);
    s->started = true;
    mesh_assert(pthread_create(&s->thread, NULL, mesh_schemas_run, s) == 0);
    *ret = s;
    return 0;
}

struct mesh_schemas *mesh_schemas_free(struct mesh_schemas *s)
{
    if (s == NULL)
        return NULL;
    atomic_store(&s->stop, true);
    pthread_mutex_lock(&s->lock);
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
    if (s->started)
        pthread_join(s->thread, NULL);
    for (size_t i = 0; i < s->n_entries; i++)
        entry_free(s->entries[i]);
    mesh_registry_free(s->registry);
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->lock);
    free(s->last);
    free(s->port_ids);
    mesh_vec_deinit(&s->seen);
    mesh_arena_deinit(&s->arena);
    free(s);
    return NULL;
}

/* ---- looking up ---- */
static bool same(const struct mesh_schemas_key *key, uint32_t input, const struct mesh_frame *frame)
{
    return key->input == input && key->kind == frame->kind &&
           (frame->kind == MESH_FRAME_ID ? key->id == frame->id : memcmp(key->guid, frame->guid, sizeof key->guid) == 0);
}

static struct mesh_schemas_entry *lookup(struct mesh_schemas *s, uint32_t input, const struct mesh_frame *frame)
{
    struct mesh_schemas_entry *entry = s->last[input];
    if (entry != NULL && same(&entry->key, input, frame)) {
        entry->used = ++s->uses;
        return entry;
    }
    for (size_t i = 0; i < s->n_entries; i++) {
        entry = s->entries[i];
        if (!same(&entry->key, input, frame))
            continue;
        entry->used = ++s->uses;
        return s->last[input] = entry;
    }
    return NULL;
}

static void forget(struct mesh_schemas *s, size_t i)
{
    struct mesh_schemas_entry *entry = s->entries[i];
    for (uint32_t input = 0; input < s->conf.product->n_inputs; input++)
        if (s->last[input] == entry)
            s->last[input] = NULL;
    s->entries[i] = s->entries[--s->n_entries];
    entry_free(entry);
}

/* False: all of them are being asked for. */
static bool make_room(struct mesh_schemas *s)
{
    size_t oldest = MESH_SCHEMAS_MAX;
    if (s->n_entries < MESH_SCHEMAS_MAX)
        return true;
    for (size_t i = 0; i < s->n_entries; i++)
        if (s->entries[i]->verdict != MESH_SCHEMAS_ASKED &&
            (oldest == MESH_SCHEMAS_MAX || s->entries[i]->used < s->entries[oldest]->used))
            oldest = i;
    if (oldest == MESH_SCHEMAS_MAX)
        return false;
    forget(s, oldest);
    return true;
}

static void ask(struct mesh_schemas *s, struct mesh_schemas_entry *entry)
{
    entry->verdict = MESH_SCHEMAS_ASKED;
    entry->misses = 0;
    entry->not_before_us = 0;
    mesh_metric_add(s->m_asked, 1);
    pthread_mutex_lock(&s->lock);
    struct mesh_schemas_entry **at = &s->questions;
    while (*at != NULL)
        at = &(*at)->next;
    entry->next = NULL;
    *at = entry;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
}

static bool settled(struct mesh_schemas *s, uint32_t input, const struct mesh_frame *frame)
{
    struct mesh_schemas_entry *entry = lookup(s, input, frame);
    if (entry == NULL) {
        if (!make_room(s))
            return false;
        entry = mesh_xcalloc(1, sizeof *entry);
        entry->key = (struct mesh_schemas_key){.input = input, .kind = frame->kind, .id = frame->id};
        memcpy(entry->key.guid, frame->guid, sizeof entry->key.guid);
        entry->used = ++s->uses;
        s->entries[s->n_entries++] = entry;
        ask(s, entry);
        return false;
    }
    if (entry->verdict == MESH_SCHEMAS_MISSING && mesh_clock_mono_us() >= entry->not_before_us) {
        ask(s, entry);
    }
    return entry->verdict != MESH_SCHEMAS_ASKED;
}

/* A dead letter that comes back is of the input that it names; one that is sealed says only to the engine what it is. */
static bool input_of(const struct mesh_schemas *s, uint32_t input, const struct mesh_record *record, uint32_t *ret)
{
    const struct mesh_product *product = s->conf.product;
    *ret = input;
    if (product->inputs[input].kind == MESH_INPUT_STREAM || product->inputs[input].kind == MESH_INPUT_TABLE)
        return true;
    if (product->inputs[input].kind != MESH_INPUT_RETRY || mesh_flow_is_sealed(record->headers, record->n_headers))
        return false;
    struct mesh_str topic = mesh_flow_letter_header(record, MESH_FLOW_RETRY_PREFIX "topic");
    for (uint32_t i = 0; i < product->n_inputs; i++) {
        *ret = i;
        if (product->inputs[i].n_contracts > 0 && mesh_str_eq(mesh_str_of(product->inputs[i].topic), topic))
            return true;
    }
    return false;
}

bool mesh_schemas_settled(struct mesh_schemas *s, uint32_t input, const struct mesh_record *record)
{
    struct mesh_str header = {0};
    struct mesh_frame frame;
    if (record->value.p == NULL || !input_of(s, input, record, &input))
        return true;
    for (uint32_t i = record->n_headers; i > 0 && header.p == NULL; i--)
        if (mesh_str_eq(record->headers[i - 1].name, MESH_STR(MESH_FRAME_HEADER_NAME)))
            header = record->headers[i - 1].value;
    if (mesh_frame_read(record->value, header, &frame) != MESH_FRAME_OK || frame.kind == MESH_FRAME_SINGLE)
        return true;
    return settled(s, input, &frame);
}

/* The engine's question, for each record. What was not settled before (a sealed letter) is asked for now, and refused meanwhile: it
 * can be sent again. */
static enum mesh_written_result find(void *context, uint32_t input, const struct mesh_frame *frame, struct mesh_written *ret)
{
    struct mesh_schemas *s = context;
    const struct mesh_schemas_entry *entry = lookup(s, input, frame);
    if (entry == NULL) {
        (void)settled(s, input, frame);
        return MESH_WRITTEN_UNKNOWN;
    }
    switch (entry->verdict) {
    case MESH_SCHEMAS_VERSION:
        ret->version = entry->version;
        return MESH_WRITTEN_BY;
    case MESH_SCHEMAS_PLAN:
        ret->version = entry->version;
        ret->plan = entry->plan;
        return MESH_WRITTEN_BY;
    case MESH_SCHEMAS_UNFIT:
        ret->why = entry->why;
        return MESH_WRITTEN_UNFIT;
    case MESH_SCHEMAS_ASKED:
    case MESH_SCHEMAS_MISSING:
        break;
    }
    return MESH_WRITTEN_UNKNOWN;
}

const struct mesh_written_hook *mesh_schemas_hook(struct mesh_schemas *s)
{
    return s == NULL ? NULL : &s->hook;
}

/* ---- answers ---- */
static void say(const struct mesh_schemas *s, const struct mesh_schemas_entry *entry)
{
    char what[64];
    const struct mesh_input *input = &s->conf.product->inputs[entry->key.input];
    if (entry->key.kind == MESH_FRAME_ID)
        snprintf(what, sizeof what, "%u", (unsigned)entry->key.id);
    else
        snprintf(what, sizeof what, "a GUID");
    if (entry->verdict == MESH_SCHEMAS_PLAN)
        mesh_log(MESH_LOG_INFO, "a schema seen for the first time: its records are translated", "product", s->conf.name, "input",
                 input->name, "schema", what, NULL);
    else if (entry->verdict == MESH_SCHEMAS_UNFIT)
        mesh_log(MESH_LOG_WARN, "a schema that the input's contract cannot read: its records become dead letters", "product",
                 s->conf.name, "input", input->name, "schema", what, "why", entry->why, NULL);
    else if (entry->verdict == MESH_SCHEMAS_MISSING)
        mesh_log(MESH_LOG_WARN, "a schema that the registry does not have: its records become dead letters", "product",
                 s->conf.name, "input", input->name, "schema", what, NULL);
}

bool mesh_schemas_take(struct mesh_schemas *s)
{
    if (s == NULL)
        return false;
    pthread_mutex_lock(&s->lock);
    struct mesh_schemas_entry *answers = s->answers;
    bool any = answers != NULL || s->ids_changed;
    s->answers = NULL;
    s->ids_changed = false;
    mesh_metric_set(s->m_up, s->waits ? 0 : 1);
    pthread_mutex_unlock(&s->lock);
    for (struct mesh_schemas_entry *next; answers != NULL; answers = next) {
        next = answers->next;
        answers->verdict = answers->answer;
        say(s, answers);
    }
    double plans = 0;
    for (size_t i = 0; any && i < s->n_entries; i++)
        plans += s->entries[i]->verdict == MESH_SCHEMAS_PLAN ? 1 : 0;
    if (any)
        mesh_metric_set(s->m_plans, plans);
    return any;
}

bool mesh_schemas_ready(const struct mesh_schemas *schemas, uint32_t *ret_ids)
{
    struct mesh_schemas *s = (struct mesh_schemas *)(uintptr_t)schemas;
    if (s == NULL)
        return true;
    pthread_mutex_lock(&s->lock);
    bool ready = s->ready;
    for (uint32_t i = 0; ready && ret_ids != NULL && i < s->conf.product->n_ports; i++)
        ret_ids[i] = s->port_ids[i];
    pthread_mutex_unlock(&s->lock);
    return ready;
}

void mesh_schemas_waits(struct mesh_schemas *s, char ret[MESH_SCHEMAS_WHY_MAX])
{
    ret[0] = '\0';
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    if (s->waits)
        memcpy(ret, s->why, sizeof s->why);
    pthread_mutex_unlock(&s->lock);
}
