/* Flatten: the items of a record one after the other, each with an event of its own. The loop itself is generated code. */
#include "flow/task_int.h"

bool mesh_item_begin(struct mesh_task *task, const struct mesh_event *event, uint32_t index, struct mesh_event *ret)
{
    if (event->again && event->item > 0 && event->item != index + 1)
        return false;
    *ret = *event;
    ret->item = index + 1;
    task->event = ret;
    task->too_long_sent = false; /* each item has a letter of its own */
    return true;
}

void mesh_items_end(struct mesh_task *task, const struct mesh_event *event)
{
    task->event = event;
}
