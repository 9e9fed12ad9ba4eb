/* A record that goes on later, when nothing of what it came in is left: its event with the original bytes, which a dead letter needs, and
 * room for what the caller makes of it, in one allocation. */
#include "flow/task_int.h"

#include <stdlib.h>

enum { LATE = 1, AGAIN = 2, HAS_KEY = 4, HAS_VALUE = 8, IS_ITEM = 16 };

static size_t room_bytes(size_t room)
{
    return (room + 15) / 16 * 16;
}

size_t mesh_flow_kept_bytes(const struct mesh_flow_kept *kept)
{
    return sizeof *kept + room_bytes(kept->room_n) + kept->event.key.n + kept->event.value.n;
}

void *mesh_flow_kept_room(struct mesh_flow_kept *kept)
{
    return kept + 1;
}

static struct mesh_str copy(char **to, struct mesh_str s)
{
    struct mesh_str r = {s.p == NULL ? NULL : *to, s.n};
    if (s.n > 0)
        memcpy(*to, s.p, s.n);
    *to += s.n;
    return r;
}

struct mesh_flow_kept *mesh_flow_keep(const struct mesh_event *event, size_t room)
{
    struct mesh_flow_kept *kept = mesh_xcalloc(1, sizeof *kept + room_bytes(room) + event->key.n + event->value.n);
    kept->event = *event;
    kept->event.headers = NULL;
    kept->room_n = room;
    char *to = (char *)(kept + 1) + room_bytes(room);
    kept->event.key = copy(&to, event->key);
    kept->event.value = copy(&to, event->value);
    return kept;
}

void mesh_flow_kept_write(const struct mesh_flow_kept *kept, struct mesh_buf *out)
{
    const struct mesh_event *event = &kept->event;
    mesh_buf_zigzag(out, event->time_us);
    mesh_buf_zigzag(out, event->source_wm_us);
    mesh_buf_u8(out, (uint8_t)((event->late ? LATE : 0) | (event->again ? AGAIN : 0) | (event->key.p != NULL ? HAS_KEY : 0) |
                               (event->value.p != NULL ? HAS_VALUE : 0) | (event->item > 0 ? IS_ITEM : 0)));
    mesh_buf_varint(out, event->input);
    mesh_buf_varint(out, (uint32_t)event->partition);
    mesh_buf_zigzag(out, event->offset);
    mesh_buf_zigzag(out, event->kafka_time_us);
    mesh_buf_slice(out, event->key);
    mesh_buf_slice(out, event->value);
    if (event->item > 0)
        mesh_buf_varint(out, event->item);
}

struct mesh_flow_kept *mesh_flow_kept_read(const struct mesh_product *product, size_t room, struct mesh_cursor *in)
{
    struct mesh_event event = {.time_us = mesh_get_zigzag(in)};
    event.source_wm_us = mesh_get_zigzag(in);
    uint8_t flags = mesh_get_u8(in);
    event.late = (flags & LATE) != 0;
    event.again = (flags & AGAIN) != 0;
    uint64_t input = mesh_get_varint(in);
    event.partition = (int32_t)mesh_get_varint(in);
    event.offset = mesh_get_zigzag(in);
    event.kafka_time_us = mesh_get_zigzag(in);
    event.key = mesh_get_slice(in);
    event.value = mesh_get_slice(in);
    event.item = (flags & IS_ITEM) == 0 ? 0 : (uint32_t)mesh_get_varint(in);
    if (in->bad || input >= product->n_inputs)
        return NULL;
    event.input = (uint32_t)input;
    event.topic = product->inputs[input].topic;
    event.key.p = (flags & HAS_KEY) == 0 ? NULL : event.key.p == NULL ? "" : event.key.p;
    event.value.p = (flags & HAS_VALUE) == 0 ? NULL : event.value.p == NULL ? "" : event.value.p;
    return mesh_flow_keep(&event, room);
}
