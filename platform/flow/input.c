/* From a Kafka record to an event: framing, decoding, checks; who sent it and whether it was here before. What is refused goes to the
 * dead letters with its original bytes; what is accepted goes to the order buffer or straight to the streams. */
#include "flow/task_int.h"

#include "contract/framing.h"

struct admitted {
    struct mesh_flow_lane *lane;
    struct mesh_event event;
    int64_t place; /* among records of its lane */
    void *record;
    struct mesh_flow_held *held; /* when it was decoded into the order buffer */
};

static struct mesh_event event_of(const struct mesh_flow_source *source, const struct mesh_record *record)
{
    return (struct mesh_event){
        .input = source->input,
        .topic = source->decl->topic,
        .partition = source->partition,
        .offset = record->offset,
        .kafka_time_us = record->kafka_time_us,
        .key = record->key,
        .value = record->value,
        .headers = record,
    };
}

static void reject(struct mesh_flow_source *source, const struct mesh_record *record, unsigned code)
{
    struct mesh_event event = event_of(source, record);
    mesh_flow_reject(source->task, &event, &source->decl->site, code, record->headers, record->n_headers);
}

static const struct mesh_header *find_header(const struct mesh_record *record, struct mesh_str name)
{
    for (uint32_t i = record->n_headers; i > 0; i--)
        if (mesh_str_eq(record->headers[i - 1].name, name))
            return &record->headers[i - 1];
    return NULL;
}

/* What a record is, apart from its turn: found out early when its rows are to be asked for early. */
struct prepared {
    unsigned code;    /* 0 or what is wrong */
    uint32_t version; /* which contract wrote it */
    struct mesh_str datum;
    void *record; /* decoded; NULL: not yet */
    int64_t time_us;
};

static unsigned identify(const struct mesh_flow_source *source, const struct mesh_record *record, struct prepared *ret)
{
    const struct mesh_input *decl = source->decl;
    const uint32_t *ids = source->task->engine->conf.wire_ids[source->input];
    const struct mesh_header *header = record->n_headers == 0 ? NULL : find_header(record, MESH_STR(MESH_FRAME_HEADER_NAME));
    struct mesh_frame frame;
    int r = mesh_frame_read(record->value, header == NULL ? (struct mesh_str){0} : header->value, &frame);
    if (r != MESH_FRAME_OK)
        return r == MESH_FRAME_TRUNCATED ? MESH_FLOW_FRAME_TRUNCATED : MESH_FLOW_FRAME_MAGIC;
    ret->datum = frame.datum;
    for (uint32_t i = 0; i < decl->n_contracts; i++) {
        ret->version = i;
        if (frame.kind == MESH_FRAME_ID ? ids[i] == frame.id
                                        : frame.kind == MESH_FRAME_SINGLE && decl->contracts[i].fingerprint == frame.fingerprint)
            return 0;
    }
    return MESH_FLOW_SCHEMA_UNKNOWN;
}

unsigned mesh_flow_decode(const struct mesh_input *decl, uint32_t version, struct mesh_str datum, void *to)
{
    struct mesh_in in = {.p = (const uint8_t *)datum.p, .end = (const uint8_t *)datum.p + datum.n};
    memset(to, 0, decl->record_size);
    decl->decode(&in, version, to);
    if (in.fault == MESH_AVRO_OK && in.p != in.end)
        in.fault = MESH_AVRO_TRAILING;
    return in.fault == MESH_AVRO_OK ? 0 : MESH_FLOW_CODE_AVRO + (unsigned)in.fault;
}

/* Time and key of a decoded record; 0 or the code of what is wrong. */
static unsigned check(const struct mesh_input *decl, const struct mesh_event *event, const void *record)
{
    if (event->time_us < MESH_TIME_MIN_US || event->time_us > MESH_TIME_MAX_US)
        return MESH_FLOW_CODE_AVRO + MESH_AVRO_TIME;
    if (decl->ahead_us > 0 && event->time_us > event->kafka_time_us && event->time_us - event->kafka_time_us > decl->ahead_us)
        return MESH_FLOW_TIME_AHEAD;
    if (decl->key != NULL) {
        char scratch[64];
        struct mesh_str key = decl->key(record, scratch);
        if (event->key.p == NULL || !mesh_str_eq(key, event->key))
            return MESH_FLOW_KEY_MISMATCH;
    }
    return 0;
}

static void decode_to(const struct mesh_flow_source *source, struct prepared *p, void *room)
{
    p->record = room;
    p->code = mesh_flow_decode(source->decl, p->version, p->datum, room);
    if (p->code == 0)
        p->time_us = source->decl->event_time(room);
}

static unsigned take_now(struct mesh_flow_source *source, struct admitted *in, struct prepared *p)
{
    if (p->record == NULL)
        decode_to(source, p, source->task->records);
    in->record = p->record;
    in->event.time_us = p->code == 0 ? p->time_us : 0;
    in->event.version = p->version;
    return p->code != 0 ? p->code : check(source->decl, &in->event, in->record);
}

/* Decode where the record will stay: into the order buffer when it has to wait, else into the task's scratch. The lane's watermark
 * before the record is event->source_wm_us. 0 or a code. */
static unsigned take_in(struct mesh_flow_source *source, struct admitted *in, struct prepared *p)
{
    struct mesh_task *task = source->task;
    const struct mesh_input *decl = source->decl;
    unsigned code = 0;
    if (!task->ordered)
        return take_now(source, in, p);
    if (in->lane == task->sole && in->lane->fifo_n == 0) {
        code = take_now(source, in, p);
        int64_t order_us = mesh_flow_order_of(in->lane, in->event.time_us, in->event.source_wm_us);
        if (code != 0 || order_us < task->direct_us) {
            task->released_us = code != 0 ? task->released_us : order_us;
            return code;
        }
    }
    /* The datum must be decoded from the copy, which its strings then borrow from. */
    struct mesh_flow_held *held = mesh_flow_hold(task, in->lane, &in->event, in->place, decl->record_size);
    struct mesh_str mine = {held->value.p + (p->datum.p - in->event.value.p), p->datum.n};
    code = mesh_flow_decode(decl, p->version, mine, held->record);
    if (code == 0) {
        in->event.time_us = held->time_us = decl->event_time(held->record);
        code = check(decl, &in->event, held->record);
    }
    if (code != 0) {
        mesh_flow_held_cancel(task, in->lane, held);
        return code;
    }
    held->order_us = mesh_flow_order_of(in->lane, held->time_us, held->source_wm_us);
    held->version = p->version;
    held->datum_at = (uint32_t)(mine.p - held->value.p);
    held->datum_n = mine.n;
    in->held = held;
    return 0;
}

/* Process now, or queue; then the lane's watermark moves. */
static void go_on(struct mesh_flow_source *source, struct admitted *in, int64_t wm_after_us)
{
    struct mesh_task *task = source->task;
    if (in->held != NULL) {
        mesh_flow_enqueue(in->lane, in->held);
    } else {
        in->event.late = in->event.time_us < in->event.source_wm_us;
        mesh_flow_apply(task, in->lane, &in->event, in->record, task->wm_us);
    }
    mesh_flow_lane_advance(task, in->lane, wm_after_us);
}

/* ---- records of the product's own tasks ---- */
static struct mesh_flow_lane *lane_of(struct mesh_flow_source *source, const struct mesh_flow_origin *origin)
{
    for (uint32_t i = 0; i < source->n_lanes; i++)
        if (source->lanes[i].from_topology == origin->topology && source->lanes[i].from_partition == origin->partition)
            return &source->lanes[i];
    return NULL;
}

static int feed_internal(struct mesh_flow_source *source, const struct mesh_record *record)
{
    struct mesh_task *task = source->task;
    struct mesh_flow_envelope envelope;
    if (record->value.p == NULL || !mesh_flow_envelope_read(record->value, &envelope)) {
        reject(source, record, MESH_FLOW_ENVELOPE);
        return 1;
    }
    if (envelope.origin.generation != task->engine->generation) {
        mesh_metric_add(task->engine->m_generation_skipped, 1);
        return 1;
    }
    struct mesh_flow_lane *lane = lane_of(source, &envelope.origin);
    if (lane == NULL) {
        mesh_flow_stop(task->engine, source, "internal topic %s: a message of task %u/%d, which does not write there",
                       source->decl->topic, (unsigned)envelope.origin.topology, (int)envelope.origin.partition);
        return -1;
    }
    int r = mesh_flow_sequence_check(source, &envelope.origin, &lane->sequence, &lane->resync);
    if (r <= 0)
        return r == 0 ? 1 : -1;
    int64_t wm = envelope.watermark_us > lane->wm_us ? envelope.watermark_us : lane->wm_us;
    struct admitted in = {.lane = lane, .event = event_of(source, record), .place = (int64_t)envelope.origin.sequence};
    in.event.value = envelope.payload;
    in.event.source_wm_us = wm;
    unsigned code = 0;
    switch (envelope.kind) {
    case MESH_FLOW_HEARTBEAT:
        mesh_flow_lane_advance(task, lane, wm);
        if (envelope.idle) {
            lane->idle = true;
            mesh_flow_watermark(task);
        }
        return 1;
    case MESH_FLOW_PARTIAL:
        if (!mesh_flow_partial_apply(task, lane, &in.event, envelope.payload))
            reject(source, record, MESH_FLOW_ENVELOPE);
        mesh_flow_lane_advance(task, lane, wm);
        return 1;
    case MESH_FLOW_RECORD:
        break;
    }
    mesh_flow_lane_advance(task, lane, wm); /* what travelled with the record counts before it */
    struct prepared prepared = {.datum = envelope.payload};
    code = take_in(source, &in, &prepared);
    if (code != 0)
        reject(source, record, code);
    else
        go_on(source, &in, wm);
    return 1;
}

/* ---- records of other products and foreign writers ---- */
static struct mesh_flow_upstream *upstream_of(struct mesh_flow_source *source, const struct mesh_flow_origin *origin)
{
    uint32_t product = 0;
    while (product < source->decl->n_upstreams && !mesh_str_eq(mesh_str_of(source->decl->upstreams[product]), origin->product))
        product++;
    if (product == source->decl->n_upstreams)
        return NULL;
    for (size_t i = 0; i < source->upstreams.n; i++) {
        struct mesh_flow_upstream *up = &source->upstreams.v[i];
        if (up->product == product && up->topology == origin->topology && up->partition == origin->partition)
            return up;
    }
    if (source->upstreams.n == MESH_FLOW_UPSTREAMS_MAX)
        return NULL;
    struct mesh_flow_upstream *up = mesh_vec_push(&source->upstreams);
    *up = (struct mesh_flow_upstream){
        .product = product, .topology = origin->topology, .partition = origin->partition, .generation = origin->generation};
    return up;
}

/* 1: new; 0: a repetition; -1: stopped. */
static int upstream_check(struct mesh_flow_source *source, const struct mesh_record *record)
{
    const struct mesh_header *header = find_header(record, MESH_STR(MESH_FLOW_HEADER));
    struct mesh_flow_origin origin;
    struct mesh_flow_upstream *up = NULL;
    if (header != NULL && mesh_flow_origin_read(header->value, &origin))
        up = upstream_of(source, &origin);
    if (up == NULL) {
        mesh_metric_add(source->task->engine->m_unsequenced, 1);
        return 1;
    }
    if (up->generation != origin.generation) {
        char what[MESH_FLOW_ORIGIN_TEXT];
        mesh_flow_origin_text(&origin, what);
        mesh_flow_stop(source->task->engine, source,
                       "input %s partition %d: %s started anew (generation %llu after %llu); its records were not taken",
                       source->decl->name, (int)source->partition, what, (unsigned long long)origin.generation,
                       (unsigned long long)up->generation);
        return -1;
    }
    return mesh_flow_sequence_check(source, &origin, &up->sequence, &up->resync);
}

/* A null value: the row of this key goes, at the time that Kafka says, for it has no other. */
static void remove_row(struct mesh_flow_source *source, struct admitted *in)
{
    int64_t time_us = in->event.kafka_time_us;
    if (time_us < MESH_TIME_MIN_US || time_us > MESH_TIME_MAX_US)
        time_us = in->event.source_wm_us;
    in->event.time_us = time_us;
    in->held = mesh_flow_hold(source->task, in->lane, &in->event, in->place, 0);
    in->held->version = MESH_FLOW_REMOVED;
    go_on(source, in, time_us == MESH_FLOW_NEVER ? time_us : time_us - source->decl->delay_us);
}

static int feed_external(struct mesh_flow_source *source, const struct mesh_record *record, struct prepared *prepared)
{
    const struct mesh_input *decl = source->decl;
    if (decl->n_upstreams > 0) {
        int r = upstream_check(source, record);
        if (r <= 0)
            return r == 0 ? 1 : -1;
    }
    struct admitted in = {.lane = &source->lanes[0], .event = event_of(source, record), .place = record->offset};
    in.event.source_wm_us = in.lane->wm_us;
    if (record->value.p == NULL) {
        if (decl->kind == MESH_INPUT_TABLE && decl->removed != NULL)
            remove_row(source, &in);
        else
            reject(source, record, MESH_FLOW_NULL_VALUE);
        return 1;
    }
    struct prepared mine = {0};
    if (prepared == NULL) {
        prepared = &mine;
        mine.code = identify(source, record, &mine);
    }
    unsigned code = prepared->code != 0 ? prepared->code : take_in(source, &in, prepared);
    if (code != 0) {
        reject(source, record, code);
        return 1;
    }
    go_on(source, &in, in.event.time_us - decl->delay_us);
    return 1;
}

void mesh_flow_feed_again(struct mesh_flow_source *source, const struct mesh_record *record, const struct mesh_event *event)
{
    const struct mesh_input *decl = source->decl;
    struct prepared p = {.datum = record->value}; /* of an internal topic: without its envelope */
    if (record->value.p == NULL)
        p.code = MESH_FLOW_NULL_VALUE;
    else if (decl->kind != MESH_INPUT_RECORDS)
        p.code = identify(source, record, &p);
    struct admitted in = {.event = *event};
    unsigned code = p.code != 0 ? p.code : take_now(source, &in, &p);
    if (code != 0) {
        mesh_flow_reject(source->task, &in.event, &decl->site, code, record->headers, record->n_headers);
        return;
    }
    in.event.late = in.event.time_us < in.event.source_wm_us;
    mesh_flow_apply(source->task, NULL, &in.event, in.record, MESH_FLOW_NEVER);
}

/* ---- batches ---- */
static void prepare(struct mesh_flow_source *source, const struct mesh_record *record, struct prepared *ret, void *room)
{
    *ret = (struct prepared){0};
    if (record->value.p == NULL)
        return;
    ret->code = identify(source, record, ret);
    if (ret->code == 0)
        decode_to(source, ret, room);
    if (ret->code == 0)
        mesh_flow_look_ahead(source->task, source->decl, ret->record, ret->time_us);
}

/* Whether records will be processed at once, so that it pays to decode a few of them ahead of their turn. */
static bool looks_ahead(const struct mesh_flow_source *source)
{
    const struct mesh_task *task = source->task;
    return source->decl->ahead != NULL && source->decl->kind == MESH_INPUT_STREAM &&
           (!task->ordered || (&source->lanes[0] == task->sole && task->sole->fifo_n == 0));
}

int mesh_flow_feed_task(struct mesh_flow_source *source, const struct mesh_record *records, size_t n)
{
    struct mesh_task *task = source->task;
    bool internal = source->decl->kind == MESH_INPUT_RECORDS || source->decl->kind == MESH_INPUT_PARTIALS;
    bool early = looks_ahead(source);
    struct prepared ring[MESH_FLOW_AHEAD + 1];
    size_t n_ready = 0;
    uint64_t taken = 0;
    for (size_t i = 0; i < n && !source->stopped; i++) {
        for (; early && n_ready < n && n_ready <= i + MESH_FLOW_AHEAD; n_ready++) {
            size_t at = n_ready % MESH_LEN(ring);
            prepare(source, &records[n_ready], &ring[at], task->records + at * MESH_RECORD_BYTES_MAX);
        }
        if (records[i].offset < source->position)
            continue;
        struct prepared *prepared = early ? &ring[i % MESH_LEN(ring)] : NULL;
        if (source->decl->kind == MESH_INPUT_RETRY)
            mesh_flow_feed_letter(source, &records[i]);
        else if ((internal ? feed_internal(source, &records[i]) : feed_external(source, &records[i], prepared)) < 0)
            break;
        source->position = records[i].offset + 1;
        if (taken++ == 0)
            mesh_flow_mark_dirty(task); /* before somebody looks: what is shown then counts as not committed */
        mesh_flow_worked(task->engine, 1);
    }
    if (taken == 0)
        return 0;
    mesh_metric_add(task->engine->m_records[source->input], taken);
    source->at_end = source->end >= 0 && source->position >= source->end;
    source->quiet_since_us = task->engine->now_us;
    mesh_flow_settle(task);
    return 0;
}
