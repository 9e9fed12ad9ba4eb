/* How many records of an input may become dead letters before it stops: a bad deploy upstream must not turn a stream into letters.
 *
 * Counted are the letters of each 1,000 offsets of a partition, by the offset of the record, so that the same records stop it at the
 * same place whatever the batches. A letter that a step sends out of the order buffer, while records behind it have been read, counts
 * for those. Letters that come back and fail again do not count: an operator sent them. Where a partition has stopped is part of its
 * commit: it stays stopped until a start accepts it (conf.accepts). */
#include "flow/task_int.h"

#include <stdio.h>

static void show(const struct mesh_flow_source *source)
{
    char partition[16];
    snprintf(partition, sizeof partition, "%d", (int)source->partition);
    mesh_metric_set(mesh_metric_gauge(source->task->engine->metrics, "mesh_error_budget_exceeded",
                                      "1 while a partition is not read because too many of its records became dead letters",
                                      "input", source->decl->name, "partition", partition, NULL),
                    source->over_budget ? 1 : 0);
}

static void stop(struct mesh_flow_source *source)
{
    source->over_budget = true;
    mesh_flow_stop(
        source->task->engine, source,
        "input %s partition %d: %u dead letters in %d records, more than its maxErrorRate; it stopped at offset %lld and "
        "waits. Mend what writes them, or this product; then start it once with MESH_ACCEPT_ERRORS=%s, which goes on there",
        source->decl->name, (int)source->partition, (unsigned)source->letters, MESH_FLOW_BUDGET_OFFSETS,
        (long long)source->position, source->decl->name);
    show(source);
}

static bool accepted(const struct mesh_flow_source *source)
{
    const struct mesh_engine *engine = source->task->engine;
    return engine->conf.accepts != NULL && engine->conf.accepts(engine->conf.accepts_context, source->decl->name);
}

void mesh_flow_budget_letter(struct mesh_task *task, const struct mesh_event *event)
{
    for (uint32_t i = 0; i < task->n_sources; i++) {
        struct mesh_flow_source *source = &task->sources[i];
        uint32_t limit = source->decl->letters_stop;
        if (source->input != event->input || source->partition != event->partition || limit == 0 || source->over_budget)
            continue;
        int64_t block = event->offset / MESH_FLOW_BUDGET_OFFSETS;
        if (block > source->letters_block) {
            source->letters_block = block;
            source->letters = 0;
        }
        if (++source->letters >= limit && !accepted(source))
            stop(source);
    }
}

void mesh_flow_budget_write(const struct mesh_flow_source *source, struct mesh_buf *out)
{
    mesh_buf_zigzag(out, source->letters_block);
    mesh_buf_varint(out, source->letters);
    mesh_buf_u8(out, source->over_budget ? 1 : 0);
}

void mesh_flow_budget_read(struct mesh_flow_source *source, struct mesh_cursor *in)
{
    source->letters_block = mesh_get_zigzag(in);
    source->letters = (uint32_t)mesh_get_varint(in);
    source->over_budget = mesh_get_u8(in) != 0;
}

void mesh_flow_budget_restored(struct mesh_flow_source *source)
{
    if (source->decl->letters_stop == 0 || accepted(source)) {
        source->over_budget = false;
        source->letters = 0;
    }
    if (source->over_budget)
        stop(source);
    else if (source->decl->letters_stop > 0)
        show(source);
}
