/* Records that cannot go on: dead letters and late ones. They keep their original bytes; what went wrong stands in headers that hold
 * no values of the record. */
#include "flow/retry.h"
#include "flow/sealed.h"
#include "flow/task_int.h"

#include "base/hash.h"

#include <stdlib.h>

static const char *const CODES[MESH_FLOW_CODE_AVRO] = {
    [MESH_FLOW_FRAME_TRUNCATED] = "frame.truncated",
    [MESH_FLOW_FRAME_MAGIC] = "frame.magic",
    [MESH_FLOW_SCHEMA_UNKNOWN] = "schema.unknown",
    [MESH_FLOW_KEY_MISMATCH] = "key.mismatch",
    [MESH_FLOW_KEY_TOO_LONG] = "key.too_long",
    [MESH_FLOW_TIME_AHEAD] = "time.ahead",
    [MESH_FLOW_NULL_VALUE] = "null.value",
    [MESH_FLOW_ENVELOPE] = "frame.envelope",
    [MESH_FLOW_LATE] = "late",
    [MESH_FLOW_SEALED] = "letter.sealed",
};

const char *mesh_flow_code_text(unsigned code)
{
    if (code < MESH_FLOW_CODE_AVRO)
        return CODES[code];
    if (code < MESH_FLOW_CODE_FAULT)
        return mesh_avro_fault_code((enum mesh_avro_fault)(code - MESH_FLOW_CODE_AVRO));
    return mesh_fault_code((enum mesh_fault)(code - MESH_FLOW_CODE_FAULT));
}

#define OWN_HEADERS_MAX 10

struct headers {
    struct mesh_header own[OWN_HEADERS_MAX];
    uint32_t n;
    struct mesh_buf texts[OWN_HEADERS_MAX];
};

static void add_header(struct headers *headers, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void add_header(struct headers *headers, const char *name, const char *format, ...)
{
    struct mesh_buf *text = &headers->texts[headers->n];
    va_list args;
    va_start(args, format);
    mesh_buf_vprintf(text, format, args);
    va_end(args);
    headers->own[headers->n++] = (struct mesh_header){mesh_str_of(name), {text->p, (uint32_t)text->n}};
}

static void headers_deinit(struct headers *headers)
{
    for (uint32_t i = 0; i < OWN_HEADERS_MAX; i++)
        mesh_buf_deinit(&headers->texts[i]);
}

static struct mesh_str cut_value(struct mesh_str value, bool *ret_cut)
{
    *ret_cut = value.n > MESH_FLOW_LETTER_BYTES_MAX;
    if (*ret_cut)
        value.n = MESH_FLOW_LETTER_BYTES_MAX;
    return value;
}

static void put_aside(struct mesh_task *task, uint32_t dest, const struct mesh_event *event, const struct mesh_site *site,
                      const char *stage, const char *code, const struct mesh_header *original, uint32_t n_original)
{
    struct mesh_engine *engine = task->engine;
    mesh_cleanup(headers_deinit) struct headers headers = {0};
    add_header(&headers, "__mesh.errors.topic", "%s", event->topic);
    add_header(&headers, "__mesh.errors.partition", "%d", (int)event->partition);
    add_header(&headers, "__mesh.errors.offset", "%lld", (long long)event->offset);
    if (event->item > 0)
        add_header(&headers, "__mesh.errors.stage", "%s" MESH_FLOW_ITEM_MARK "%u", stage, (unsigned)event->item);
    else
        add_header(&headers, "__mesh.errors.stage", "%s", stage);
    add_header(&headers, "__mesh.errors.code", "%s", code);
    if (site != NULL && site->file != NULL)
        add_header(&headers, "__mesh.errors.site", "%s:%d", site->file, site->line);
    add_header(&headers, "__mesh.errors.time", "%lld", (long long)event->kafka_time_us);
    bool cut = false;
    struct mesh_str value = cut_value(event->value, &cut);
    if (cut)
        add_header(&headers, "__mesh.errors.cut", "%u", (unsigned)event->value.n);

    uint64_t attempts = mesh_flow_attempts(original, n_original);
    if (attempts > 0)
        add_header(&headers, "__mesh.errors.attempt", "%llu", (unsigned long long)attempts + 1);

    uint32_t n = headers.n;
    struct mesh_header *all = mesh_xmalloc((n + n_original + 1) * sizeof *all);
    memcpy(all, headers.own, n * sizeof *all);
    for (uint32_t i = 0; i < n_original; i++)
        if (!mesh_str_starts(original[i].name, MESH_STR(MESH_FLOW_RETRY_PREFIX)))
            all[n++] = original[i];
    int32_t partition = mesh_hash_partition(event->key.n == 0 ? "" : event->key.p, event->key.n, engine->dest_partitions[dest]);
    struct mesh_str key = event->key;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf sealed = MESH_BUF_NULL;
    if (engine->conf.seal != NULL && mesh_flow_is_personal(task->product, event->input) &&
        !mesh_flow_is_sealed(original, n_original)) {
        uint32_t own = headers.n;
        mesh_flow_seal(engine->conf.seal, event->topic, event->partition, event->offset, key, value, all + own, n - own, &sealed);
        add_header(&headers, MESH_FLOW_SEALED_HEADER, MESH_FLOW_SEALED_CIPHER "%s", engine->conf.seal->key_id);
        all[own] = headers.own[own];
        n = own + 1;
        key = (struct mesh_str){0};
        value = (struct mesh_str){sealed.p, (uint32_t)sealed.n};
    }
    mesh_flow_outbox_add(task, dest, partition, key, (struct mesh_str){0}, value, all, n, event->kafka_time_us);
    free(all);
}

void mesh_flow_reject(struct mesh_task *task, const struct mesh_event *event, const struct mesh_site *site, unsigned code,
                      const struct mesh_header *headers, uint32_t n_headers)
{
    struct mesh_engine *engine = task->engine;
    mesh_assert(code < MESH_FLOW_CODE_COUNT);
    if (mesh_flow_attempts(headers, n_headers) == 0)
        mesh_flow_budget_letter(task, event);
    if (!mesh_flow_reads_first(task, event->input, event->partition))
        return; /* all tasks read this partition, and one letter is enough */
    struct mesh_metric **metric = &engine->m_rejected[event->input * MESH_FLOW_CODE_COUNT + code];
    if (*metric == NULL)
        *metric = mesh_metric_counter(engine->metrics, "mesh_rejected_total", "Records that went to the dead letters", "input",
                                      engine->product->inputs[event->input].name, "code", mesh_flow_code_text(code), NULL);
    mesh_metric_add(*metric, 1);
    const char *stage = site != NULL && site->what != NULL ? site->what : engine->product->inputs[event->input].name;
    put_aside(task, mesh_engine_dest_dlq(engine->product), event, site, stage, mesh_flow_code_text(code), headers, n_headers);
}

void mesh_reject(struct mesh_task *task, const struct mesh_event *event, const struct mesh_site *site, enum mesh_fault fault)
{
    const struct mesh_record *record = event->headers; /* NULL: it waited in the order buffer, which does not keep headers */
    mesh_flow_reject(task, event, site, MESH_FLOW_CODE_FAULT + (unsigned)fault, record == NULL ? NULL : record->headers,
                     record == NULL ? 0 : record->n_headers);
}

void mesh_reject_items(struct mesh_task *task, const struct mesh_event *event, const struct mesh_site *site,
                       enum mesh_avro_fault fault)
{
    const struct mesh_record *record = event->headers;
    mesh_flow_reject(task, event, site, MESH_FLOW_CODE_AVRO + (unsigned)fault, record == NULL ? NULL : record->headers,
                     record == NULL ? 0 : record->n_headers);
}

bool mesh_flow_key_ok(struct mesh_task *task, const struct mesh_key *key, const struct mesh_site *site)
{
    if (!key->too_long)
        return true;
    if (!task->too_long_sent && task->event != NULL) {
        task->too_long_sent = true;
        mesh_flow_reject(task, task->event, site, MESH_FLOW_KEY_TOO_LONG, NULL, 0);
    }
    return false;
}

void mesh_flow_late(struct mesh_task *task, struct mesh_flow_state *state, const struct mesh_event *event)
{
    mesh_metric_add(state->late, 1);
    if (task->late_sent)
        return;
    task->late_sent = true;
    const struct mesh_site *site = &state->decl->site;
    put_aside(task, mesh_engine_dest_late(task->product), event, site, site->what != NULL ? site->what : state->decl->name,
              mesh_flow_code_text(MESH_FLOW_LATE), NULL, 0);
}

void mesh_skipped(struct mesh_task *task, const struct mesh_site *site)
{
    struct mesh_engine *engine = task->engine;
    for (size_t i = 0; i < engine->skips.n; i++) {
        if (engine->skips.v[i].site == site) {
            mesh_metric_add(engine->skips.v[i].metric, 1);
            return;
        }
    }
    struct mesh_flow_skip *skip = mesh_vec_push(&engine->skips);
    skip->site = site;
    skip->metric = mesh_metric_counter(engine->metrics, "mesh_skipped_total", "Records that a step dropped as declared", "step",
                                       site->what != NULL ? site->what : "", NULL);
    mesh_metric_add(skip->metric, 1);
}
