/* Finding a person in everything that a task keeps, and letting go of it. */
#include "flow/erase.h"

#include "base/diag.h"
#include "base/json.h"
#include "base/text.h"
#include "flow/state.h"
#include "store/image.h"

#include <stdlib.h>

enum { STAGE_STATE, STAGE_ROUND, STAGE_DONE };

struct erased { /* a row of the last state, under the pseudonym */
    struct mesh_str request;
    int64_t until_us; /* records up to here are not taken any more */
    int64_t stage;    /* in the log ROUND is STATE: only a round that began in this run counts */
};

static const struct mesh_field erased_fields[] = {
    {.name = "request", .type = MESH_STRING, .offset = offsetof(struct erased, request)},
    {.name = "until", .type = MESH_TIMESTAMP, .offset = offsetof(struct erased, until_us)},
    {.name = "stage", .type = MESH_LONG, .offset = offsetof(struct erased, stage)},
};
static const struct mesh_field erased_key[] = {{.name = "pseudonym", .type = MESH_STRING}};

static uint32_t *with(struct mesh_arena *arena, const uint32_t *list, uint32_t n, uint32_t last)
{
    uint32_t *all = mesh_arena_alloc(arena, (n + 1) * sizeof *all);
    memcpy(all, list, n * sizeof *all);
    all[n] = last;
    return all;
}

const struct mesh_product *mesh_flow_with_erasure(struct mesh_arena *arena, const struct mesh_product *product)
{
    if (product->erasure_topic == NULL)
        return product;
    struct mesh_product *own = mesh_arena_new(arena, struct mesh_product);
    *own = *product;
    struct mesh_site site = {product->declaration, 0, "erasure"};
    struct mesh_input *inputs = mesh_arena_alloc(arena, (product->n_inputs + 1) * sizeof *inputs);
    memcpy(inputs, product->inputs, product->n_inputs * sizeof *inputs);
    inputs[product->n_inputs] = (struct mesh_input){.name = "erasure",
                                                    .topic = product->erasure_topic,
                                                    .kind = MESH_INPUT_ERASURE,
                                                    .site = site,
                                                    .partitions = 1,
                                                    .copy_all = true,
                                                    .personal = true};
    struct mesh_state *states = mesh_arena_alloc(arena, (product->n_states + 1) * sizeof *states);
    memcpy(states, product->states, product->n_states * sizeof *states);
    states[product->n_states] = (struct mesh_state){.name = "erased",
                                                    .kind = MESH_STATE_TABLE,
                                                    .site = site,
                                                    .fields = erased_fields,
                                                    .n_fields = MESH_LEN(erased_fields),
                                                    .row_size = sizeof(struct erased),
                                                    .key = erased_key,
                                                    .n_key = 1};
    struct mesh_topology *topologies = mesh_arena_alloc(arena, product->n_topologies * sizeof *topologies);
    for (uint32_t i = 0; i < product->n_topologies; i++) {
        topologies[i] = product->topologies[i];
        topologies[i].inputs = with(arena, topologies[i].inputs, topologies[i].n_inputs++, product->n_inputs);
        topologies[i].states = with(arena, topologies[i].states, topologies[i].n_states++, product->n_states);
    }
    own->inputs = inputs;
    own->n_inputs++;
    own->states = states;
    own->n_states++;
    own->topologies = topologies;
    return own;
}

bool mesh_flow_erases(const struct mesh_product *product)
{
    return product->n_inputs > 0 && product->inputs[product->n_inputs - 1].kind == MESH_INPUT_ERASURE;
}

static struct mesh_flow_state *erased_state(const struct mesh_task *task)
{
    return mesh_flow_erases(task->product) ? task->states[task->product->n_states - 1] : NULL;
}

/* ---- whether it is the person ---- */
static bool is_text(const struct mesh_flow_subject *subject, struct mesh_str text)
{
    return mesh_str_eq(text, subject->id) || mesh_str_eq(text, subject->pseudonym);
}

static struct mesh_str text_at(const struct mesh_field *field, const void *row)
{
    struct mesh_str text = {0};
    if (!field->nullable || *((const bool *)row + field->present))
        memcpy(&text, (const char *)row + field->offset, sizeof text);
    return text;
}

bool mesh_flow_is_subject(const struct mesh_flow_subject *subject, const struct mesh_field *field, const void *row)
{
    return field->type == MESH_STRING && field->subject != NULL && mesh_str_eq(mesh_str_of(field->subject), subject->kind) &&
           is_text(subject, text_at(field, row));
}

bool mesh_flow_holds_subject(const struct mesh_flow_subject *subject, const struct mesh_field *fields, uint32_t n, const void *row)
{
    for (uint32_t i = 0; i < n; i++)
        if (mesh_flow_is_subject(subject, &fields[i], row))
            return true;
    return false;
}

/* Calls `is` for each member of the key that may be a person, until it says yes. */
static bool any_of_key(const struct mesh_flow_state *state, const void *key, size_t key_n,
                       bool (*is)(const void *context, const struct mesh_field *field, struct mesh_str text), const void *context)
{
    bool view = state->decl->kind == MESH_STATE_VIEW;
    const struct mesh_field *fields = view ? state->view->out : state->decl->key;
    uint32_t n = view ? state->view->n_key : state->decl->n_key;
    const uint8_t *p = key;
    bool found = false;
    for (uint32_t i = 0; i < n && !found; i++) {
        _Alignas(16) char value[32] = {0};
        struct mesh_field field = fields[i];
        field.offset = 0;
        field.nullable = false;
        if (!mesh_flow_key_member(&p, (const uint8_t *)key + key_n, &field, &state->task->scratch, value))
            return false;
        if (field.type != MESH_STRING || field.subject == NULL)
            continue;
        struct mesh_str text;
        memcpy(&text, value, sizeof text);
        found = is(context, &field, text);
    }
    return found;
}

static bool is_this(const void *context, const struct mesh_field *field, struct mesh_str text)
{
    const struct mesh_flow_subject *subject = context;
    return mesh_str_eq(mesh_str_of(field->subject), subject->kind) && is_text(subject, text);
}

/* ---- who was erased ---- */
static const struct erased *find_erased(const struct mesh_flow_state *state, struct mesh_str pseudonym)
{
    struct mesh_key key;
    mesh_key_begin(&key);
    mesh_key_str(&key, pseudonym);
    struct mesh_store_row *row = mesh_store_table_find(&state->table, 0, key.bytes, key.n);
    return row == NULL ? NULL : mesh_store_row_payload(row);
}

struct question {
    struct mesh_task *task;
    int64_t time_us;
};

static bool was_erased(const void *context, const struct mesh_field *field, struct mesh_str text)
{
    const struct question *q = context;
    struct mesh_str pseudonym = field->label == MESH_PSEUDONYMOUS ? text : mesh_pseudonym(q->task, field->subject, text);
    const struct erased *erased = find_erased(erased_state(q->task), pseudonym);
    return erased != NULL && q->time_us <= erased->until_us;
}

static bool may_be(const struct mesh_task *task, int64_t time_us)
{
    const struct mesh_flow_state *state = erased_state(task);
    return state != NULL && state->table.count > 0 && time_us <= task->erased_until_us;
}

bool mesh_flow_erased(struct mesh_task *task, const struct mesh_input *decl, const void *record, int64_t time_us)
{
    if (decl->n_subjects == 0 || !may_be(task, time_us))
        return false;
    struct question q = {task, time_us};
    for (uint32_t i = 0; i < decl->n_subjects; i++) {
        struct mesh_str text = text_at(&decl->subjects[i], record);
        if (text.n > 0 && was_erased(&q, &decl->subjects[i], text))
            return true;
    }
    return false;
}

bool mesh_flow_key_erased(const struct mesh_flow_state *state, struct mesh_str key, int64_t time_us)
{
    struct question q = {state->task, time_us};
    return may_be(state->task, time_us) && any_of_key(state, key.p, key.n, was_erased, &q);
}

/* ---- letting go ---- */
struct count {
    uint64_t removed, emptied, left;
};

static struct count forget_rows(struct mesh_flow_state *state, const struct mesh_flow_subject *subject)
{
    const struct mesh_flow_kind *kind = mesh_flow_kind_of(state);
    struct count count = {0};
    for (uint32_t i = 0; i < state->table.n_rows; i++) {
        struct mesh_store_row *row = mesh_store_table_row(&state->table, i);
        if ((row->flags & MESH_STORE_LIVE) == 0)
            continue;
        bool gone = any_of_key(state, mesh_store_row_key(row), row->key_n, is_this, subject);
        uint32_t n = gone || kind->forget == NULL ? 0 : kind->forget(state, row, subject, &gone);
        if (gone) {
            count.removed++;
            mesh_flow_state_remove(state, row);
        } else if (n > 0) {
            count.emptied += n;
            mesh_flow_state_touch(state, row);
        }
        mesh_flow_worked(state->task->engine, 1);
    }
    return count;
}

static bool holds(struct mesh_str bytes, struct mesh_str text)
{
    return text.n > 0 && bytes.n >= text.n && memmem(bytes.p, bytes.n, text.p, text.n) != NULL;
}

/* Rows in which the bytes of the text stand anywhere: what labels did not say. */
static uint64_t search(struct mesh_flow_state *state, const struct mesh_flow_subject *subject)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf image = MESH_BUF_NULL;
    uint64_t n = 0;
    for (uint32_t i = 0; i < state->table.n_rows; i++) {
        struct mesh_store_row *row = mesh_store_table_row(&state->table, i);
        if ((row->flags & MESH_STORE_LIVE) == 0)
            continue;
        mesh_buf_reset(&image);
        mesh_buf_add(&image, mesh_store_row_key(row), row->key_n);
        mesh_flow_kind_of(state)->write(state, row, &image);
        n += holds((struct mesh_str){image.p, (uint32_t)image.n}, subject->id);
    }
    return n;
}

void mesh_flow_empty_held(const struct mesh_input *decl, struct mesh_flow_held *held)
{
    memset((char *)(uintptr_t)held->key.p, 0, held->key.n);
    memset((char *)(uintptr_t)held->value.p, 0, held->value.n);
    memset(held->record, 0, decl->record_size);
    held->key.n = held->value.n = 0;
    held->datum_at = held->datum_n = held->original_n = 0;
    held->version = MESH_FLOW_ERASED;
}

static uint64_t empty_held(struct mesh_task *task)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < task->n_lanes; i++) {
        struct mesh_flow_lane *lane = task->lanes[i];
        const struct mesh_input *decl = lane->source->decl;
        for (struct mesh_flow_held *held = mesh_store_chain_first(&lane->chain); held != NULL;
             held = mesh_store_chain_after(&lane->chain, held)) {
            if (held->version >= MESH_FLOW_ERASED || !mesh_flow_erased(task, decl, held->record, held->time_us))
                continue;
            mesh_flow_empty_held(decl, held);
            n++;
        }
    }
    return n;
}

/* ---- receipts ---- */
static void receipt(struct mesh_task *task, struct mesh_str request, const char *stage, struct mesh_str more)
{
    const struct mesh_engine *engine = task->engine;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_puts(&out, "{\"request\":");
    mesh_json_string(&out, request);
    mesh_buf_puts(&out, ",\"product\":");
    mesh_json_string(&out, mesh_str_of(engine->product_name));
    mesh_buf_printf(&out, ",\"task\":\"%s/%d\",\"tasks\":%u,\"stage\":\"%s\"", task->product->topologies[task->topology].name,
                    (int)task->partition, (unsigned)engine->n_tasks, stage);
    mesh_buf_str(&out, more);
    mesh_buf_puts(&out, ",\"at\":\"");
    mesh_text_time(&out, engine->now_us);
    mesh_buf_puts(&out, "\"}");
    mesh_flow_outbox_add(task, mesh_engine_dest_receipts(task->product), 0, request, (struct mesh_str){0},
                         (struct mesh_str){out.p, (uint32_t)out.n}, NULL, 0, engine->now_us);
}

static void erase(struct mesh_task *task, const struct mesh_flow_subject *subject, struct mesh_str request)
{
    const struct mesh_topology *topology = &task->product->topologies[task->topology];
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf places = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf more = MESH_BUF_NULL;
    struct count all = {0};
    for (uint32_t i = 0; i < topology->n_states; i++) {
        struct mesh_flow_state *state = task->states[topology->states[i]];
        if (state == erased_state(task) || state->decl->partial)
            continue; /* partial rows live until the commit; whoever gets them knows */
        struct count count = forget_rows(state, subject);
        count.left = search(state, subject);
        mesh_arena_reset(&task->scratch);
        if (count.removed + count.emptied + count.left > 0)
            mesh_buf_printf(&places, "%s{\"state\":\"%s\",\"removed\":%llu,\"emptied\":%llu,\"left\":%llu}",
                            places.n > 0 ? "," : "", state->decl->name, (unsigned long long)count.removed,
                            (unsigned long long)count.emptied, (unsigned long long)count.left);
        all.removed += count.removed;
        all.emptied += count.emptied;
        all.left += count.left;
    }
    uint64_t waiting = empty_held(task);
    uint64_t events = mesh_flow_rings_forget(task, subject);
    mesh_buf_printf(&more, ",\"removed\":%llu,\"emptied\":%llu,\"waiting\":%llu,\"events\":%llu,\"left\":%llu,\"places\":[%.*s]",
                    (unsigned long long)all.removed, (unsigned long long)all.emptied, (unsigned long long)waiting,
                    (unsigned long long)events, (unsigned long long)all.left, (int)places.n, places.p == NULL ? "" : places.p);
    receipt(task, request, "state", (struct mesh_str){more.p, (uint32_t)more.n});
}

/* ---- a request ---- */
static struct mesh_str member(const struct mesh_json *json, const char *name)
{
    const struct mesh_json *value = json == NULL ? NULL : mesh_json_get(json, name);
    if (value == NULL || value->kind != MESH_JSON_STRING || value->n > MESH_FLOW_ERASE_TEXT_MAX)
        return (struct mesh_str){0};
    return (struct mesh_str){value->text, value->n};
}

static bool read_request(struct mesh_arena *arena, struct mesh_str text, struct mesh_flow_subject *ret,
                         struct mesh_str *ret_request)
{
    struct mesh_diags diags = {.arena = arena};
    if (text.n == 0 || memchr(text.p, '\0', text.n) != NULL)
        return false;
    const char *kept = mesh_arena_str(arena, text);
    const struct mesh_json *json = mesh_json_parse(arena, mesh_source_new(arena, "erasure", kept, text.n), &diags, "erasure");
    *ret = (struct mesh_flow_subject){.kind = member(json, "subject"), .id = member(json, "id")};
    *ret_request = member(json, "request");
    return ret->kind.n > 0 && ret->id.n > 0 && ret_request->n > 0;
}

void mesh_flow_feed_erasure(struct mesh_flow_source *source, const struct mesh_record *record)
{
    struct mesh_task *task = source->task;
    struct mesh_flow_state *state = erased_state(task);
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_flow_subject subject;
    struct mesh_str request;
    if (record->value.p == NULL || !read_request(&arena, record->value, &subject, &request)) {
        struct mesh_event event = {.input = source->input,
                                   .topic = source->decl->topic,
                                   .partition = source->partition,
                                   .offset = record->offset,
                                   .kafka_time_us = record->kafka_time_us,
                                   .key = record->key,
                                   .value = record->value};
        mesh_flow_reject(task, &event, &source->decl->site, MESH_FLOW_ENVELOPE, record->headers, record->n_headers);
        return;
    }
    const char *kind = mesh_arena_str(&arena, subject.kind);
    struct mesh_str pseudonym = mesh_pseudonym(task, kind, subject.id);
    subject.pseudonym = mesh_str_of(mesh_arena_str(&arena, pseudonym));
    mesh_flow_pseudonyms_forget(task);
    struct mesh_key key;
    mesh_key_begin(&key);
    mesh_key_str(&key, subject.pseudonym);
    bool is_new = false;
    struct mesh_store_row *row = mesh_store_table_make(&state->table, 0, key.bytes, key.n, 0, &is_new);
    struct erased *erased = mesh_store_row_payload(row);
    mesh_row_set_str(&erased->request, request);
    if (is_new || record->kafka_time_us > erased->until_us)
        erased->until_us = record->kafka_time_us;
    erased->stage = STAGE_STATE;
    mesh_flow_state_touch(state, row);
    if (erased->until_us > task->erased_until_us)
        task->erased_until_us = erased->until_us;
    erase(task, &subject, request);
    task->engine->erased_unlogged = true;
    task->erased_serial = mesh_store_chain_next(&task->outbox.chain);
    task->erased_n = task->n + 1;
}

/* ---- the log ---- */
static void each_erased(struct mesh_engine *engine, void (*each)(struct mesh_task *task, struct mesh_store_row *row))
{
    for (uint32_t t = 0; mesh_flow_erases(engine->product) && t < engine->n_tasks; t++) {
        struct mesh_flow_state *state = erased_state(engine->tasks[t]);
        for (uint32_t i = 0; i < state->table.n_rows; i++) {
            struct mesh_store_row *row = mesh_store_table_row(&state->table, i);
            if ((row->flags & MESH_STORE_LIVE) != 0)
                each(engine->tasks[t], row);
        }
    }
}

static void round_begins(struct mesh_task *task, struct mesh_store_row *row)
{
    (void)task;
    struct erased *erased = mesh_store_row_payload(row);
    if (erased->stage == STAGE_STATE && (row->flags & MESH_STORE_DIRTY) == 0)
        erased->stage = STAGE_ROUND; /* what removed the person is in the log, too, and it names the keys */
}

static void round_is_done(struct mesh_task *task, struct mesh_store_row *row)
{
    struct erased *erased = mesh_store_row_payload(row);
    if (erased->stage != STAGE_ROUND)
        return;
    erased->stage = STAGE_DONE;
    mesh_flow_state_touch(erased_state(task), row);
    receipt(task, erased->request, "log", (struct mesh_str){0});
}

static void restored(struct mesh_task *task, struct mesh_store_row *row)
{
    struct erased *erased = mesh_store_row_payload(row);
    if (erased->until_us > task->erased_until_us)
        task->erased_until_us = erased->until_us;
    if (erased->stage == STAGE_DONE)
        return;
    erased->stage = STAGE_STATE;
    task->erased_serial = mesh_store_chain_next(&task->outbox.chain);
    task->erased_n = task->n;
    task->engine->erased_waits = true;
}

bool mesh_flow_erasures_are_out(const struct mesh_engine *engine)
{
    for (uint32_t t = 0; t < engine->n_tasks; t++) {
        const struct mesh_task *task = engine->tasks[t];
        if (mesh_flow_outbox_lowest(task) < task->erased_serial)
            return false;
        for (uint32_t p = 0; p < engine->product->n_ports; p++)
            if (task->docs[p] != NULL && mesh_flow_docs_lowest(task->docs[p]) <= task->erased_n)
                return false;
    }
    return true;
}

void mesh_flow_erasures_round(struct mesh_engine *engine, bool done)
{
    if (!done && engine->erased_waits)
        return; /* it writes again what is on its way out: another one must follow */
    each_erased(engine, done ? round_is_done : round_begins);
}

void mesh_flow_erasures_restored(struct mesh_engine *engine)
{
    each_erased(engine, restored);
    for (uint32_t t = 0; mesh_flow_erases(engine->product) && t < engine->n_tasks; t++) {
        (void)empty_held(engine->tasks[t]); /* the log holds them as they were */
        mesh_arena_reset(&engine->tasks[t]->scratch);
    }
}
