/* Where a task stands in its inputs: watermarks, idle sources, and the sequence numbers of upstream tasks.
 *
 * The task's watermark is recomputed only when the lane that held it back moved; a task has few lanes, so that a heap would cost more
 * than it saves. */
#include "flow/task_int.h"

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void mesh_flow_watermark(struct mesh_task *task)
{
    int64_t low = INT64_MAX;
    int64_t high = MESH_FLOW_NEVER;
    int64_t discard = INT64_MAX;
    bool all_idle = true;
    for (uint32_t i = 0; i < task->n_lanes; i++) {
        const struct mesh_flow_lane *lane = task->lanes[i];
        high = greater(high, lane->wm_us);
        if (lane->wm_us != MESH_FLOW_NEVER || !lane->idle)
            discard = lane->wm_us < discard ? lane->wm_us : discard;
        if (lane->idle)
            continue;
        all_idle = false;
        low = lane->wm_us < low ? lane->wm_us : low;
    }
    task->all_idle = all_idle;
    task->wm_us = greater(task->wm_us, all_idle ? high : low);
    if (discard != INT64_MAX)
        task->discard_us = greater(task->discard_us, discard);
}

void mesh_flow_lane_advance(struct mesh_task *task, struct mesh_flow_lane *lane, int64_t wm_us)
{
    bool held = lane->idle || lane->wm_us <= task->wm_us || lane->wm_us <= task->discard_us;
    lane->heard = true;
    lane->idle = false;
    if (wm_us > lane->wm_us)
        lane->wm_us = wm_us;
    else if (!task->all_idle)
        return;
    if (task->n_lanes == 1) {
        task->all_idle = false;
        task->wm_us = greater(task->wm_us, lane->wm_us);
        task->discard_us = task->wm_us;
    } else if (held) {
        mesh_flow_watermark(task);
    }
}

bool mesh_flow_source_at_end(struct mesh_flow_source *source, int64_t end, int64_t now_us)
{
    bool changed = false;
    source->end = end;
    if (end > source->position && end > 0) {
        source->position = end; /* what is left holds no records: control records, compacted ones */
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
    if (source->decl->kind != MESH_INPUT_STREAM)
        return false; /* behind an internal topic, the upstream says when it is idle */
    struct mesh_flow_lane *lane = &source->lanes[0];
    if (lane->idle || now_us - source->quiet_since_us < source->decl->idle_us)
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
