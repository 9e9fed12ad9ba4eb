/* Where a task stands in its inputs: watermarks, idle sources, and the sequence numbers of upstream tasks.
 *
 * The task's watermark is recomputed only when the lane that held it back moved; a task has few lanes, so that a heap would cost more
 * than it saves. */
#include "flow/task_int.h"

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The only stream of a task is as far as its records have been processed: what waits for a table has not. */
static int64_t reached(const struct mesh_task *task, const struct mesh_flow_lane *lane)
{
    if (lane != task->sole)
        return lane->wm_us;
    const struct mesh_flow_held *waits = mesh_store_chain_first(&lane->chain);
    return waits == NULL ? lane->wm_us : waits->source_wm_us;
}

void mesh_flow_watermark(struct mesh_task *task)
{
    int64_t low = INT64_MAX; /* of streams that are not idle */
    int64_t high = MESH_FLOW_NEVER;
    int64_t tables = INT64_MAX; /* that are not idle */
    int64_t discard = INT64_MAX;
    bool streams_idle = true;
    for (uint32_t i = 0; i < task->n_lanes; i++) {
        const struct mesh_flow_lane *lane = task->lanes[i];
        if (lane->table) {
            if (!lane->idle)
                tables = lesser(tables, lane->wm_us);
            continue;
        }
        int64_t wm_us = reached(task, lane);
        high = greater(high, wm_us);
        if (wm_us != MESH_FLOW_NEVER || !lane->idle)
            discard = lesser(discard, wm_us);
        if (lane->idle)
            continue;
        streams_idle = false;
        low = lesser(low, wm_us);
    }
    task->all_idle = streams_idle && tables == INT64_MAX;
    int64_t streams = streams_idle ? high : low;
    if (task->sole == NULL) { /* what waits for a table has order times from its watermark on */
        streams = lesser(streams, tables);
        discard = lesser(discard, tables);
    }
    task->wm_us = greater(task->wm_us, streams);
    if (discard != INT64_MAX)
        task->discard_us = greater(task->discard_us, discard);
    if (task->sole != NULL) {
        task->gate_us = tables;
        task->direct_us = lesser(tables, mesh_flow_first_held(task));
    }
}

void mesh_flow_lane_advance(struct mesh_task *task, struct mesh_flow_lane *lane, int64_t wm_us)
{
    bool woke = lane->idle;
    bool held = woke || lane->wm_us <= task->wm_us || lane->wm_us <= task->discard_us;
    lane->heard = true;
    lane->idle = lane->source->was_idle = false;
    if (wm_us > lane->wm_us)
        lane->wm_us = wm_us;
    else if (!task->all_idle)
        return;
    if (task->n_lanes == 1 || (lane == task->sole && !woke && !task->all_idle)) {
        if (lane->chain.live > 0)
            return;
        task->all_idle = false;
        task->wm_us = greater(task->wm_us, lane->wm_us);
        task->discard_us = task->wm_us;
    } else if (held || task->sole != NULL) {
        mesh_flow_watermark(task);
    }
}

void mesh_flow_source_doubt(struct mesh_flow_source *source)
{
    if (source->n_lanes != 1 || !source->lanes[0].idle ||
        (source->decl->kind != MESH_INPUT_STREAM && source->decl->kind != MESH_INPUT_TABLE))
        return;
    source->lanes[0].idle = false;
    source->was_idle = !source->at_end;
}

bool mesh_flow_source_at_end(struct mesh_flow_source *source, int64_t end, int64_t now_us)
{
    bool changed = false;
    if (source->was_idle) {
        source->lanes[0].idle = true;
        source->was_idle = false;
        mesh_flow_watermark(source->task);
        mesh_flow_settle(source->task);
        changed = true;
    }
    source->end = end;
    int64_t fed = end < source->limit ? end : source->limit;
    if (fed > source->position && fed > 0) {
        source->position = fed; /* what is left holds no records: control records, compacted ones */
        changed = true;
    }
    if (!source->at_end) {
        source->at_end = true;
        if (source->quiet_since_us == MESH_FLOW_NEVER)
            source->quiet_since_us = now_us;
    }
    source->loaded = true;
    return changed;
}

bool mesh_flow_source_tick(struct mesh_flow_source *source, int64_t now_us)
{
    if (!source->at_end || source->n_lanes != 1 || source->decl->idle_us <= 0 || source->quiet_since_us == MESH_FLOW_NEVER)
        return false;
    if (source->decl->kind != MESH_INPUT_STREAM && source->decl->kind != MESH_INPUT_TABLE)
        return false; /* behind an internal topic, the upstream says when it is idle */
    if (source->limit != INT64_MAX)
        return false; /* silent because it is told to be */
    struct mesh_flow_lane *lane = &source->lanes[0];
    int64_t idle_us = source->decl->idle_us;
    if (lane->table && !lane->heard) { /* perhaps its first rows are on their way: time runs from when somebody waits for them */
        if (mesh_flow_first_held(source->task) == INT64_MAX)
            source->quiet_since_us = now_us;
        idle_us = greater(idle_us, source->decl->wait_us);
    }
    if (lane->idle || now_us - source->quiet_since_us < idle_us)
        return false;
    lane->idle = true;
    return true;
}

int mesh_flow_sequence_check(struct mesh_flow_source *source, const struct mesh_flow_origin *origin, uint64_t *last, bool *resync)
{
    uint64_t sequence = origin->sequence;
    if (*last != 0 && sequence <= *last) {
        mesh_metric_add(source->task->engine->m_upstream_duplicates, 1);
        return 0;
    }
    if (*last != 0 && sequence != *last + 1 && !*resync) {
        char what[MESH_FLOW_ORIGIN_TEXT];
        mesh_flow_origin_text(origin, what);
        mesh_flow_stop(source->task->engine, source,
                       "input %s partition %d: messages %llu to %llu of %s are missing; nothing further is read from it",
                       source->decl->name, (int)source->partition, (unsigned long long)(*last + 1),
                       (unsigned long long)(sequence - 1), what);
        return -1;
    }
    *last = sequence;
    *resync = false;
    return 1;
}
