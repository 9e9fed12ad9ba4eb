/* The protocol's decisions are in mesh_log_reader_take() and the writer's functions; the rest is bytes. */
#include "io/log_record.h"

#include "base/check.h"

#include <inttypes.h>

static void put_big(char *to, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        to[i] = (char)(uint8_t)v;
}

static uint64_t get_big(const char *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | (uint8_t)p[i];
    return v;
}

void mesh_log_head_write(const struct mesh_log_head *head, char ret[MESH_LOG_HEAD_BYTES])
{
    ret[0] = (char)head->kind;
    put_big(ret + 1, (uint64_t)head->epoch);
    put_big(ret + 9, head->generation);
    put_big(ret + 17, head->serial);
}

bool mesh_log_head_read(struct mesh_str key, struct mesh_log_head *ret)
{
    if (key.p == NULL || key.n != MESH_LOG_HEAD_BYTES || memchr("CPFG", key.p[0], 4) == NULL)
        return false;
    *ret =
        (struct mesh_log_head){(enum mesh_log_kind)key.p[0], (int64_t)get_big(key.p + 1), get_big(key.p + 9), get_big(key.p + 17)};
    return true;
}

void mesh_log_reader_deinit(struct mesh_log_reader *reader)
{
    mesh_buf_deinit(&reader->parts);
}

static int corrupt(struct mesh_err *err, int64_t offset, const char *what)
{
    return mesh_err_set(err, MESH_ERR_FATAL, "state.corrupt",
                        "the commit log in Kafka holds at offset %" PRId64
                        " %s. Nothing was changed; look who else writes to the topic",
                        offset, what);
}

static int frame(struct mesh_log_reader *reader, int64_t offset, bool last, struct mesh_str value, struct mesh_str *ret,
                 struct mesh_err *err)
{
    if (value.n > MESH_LOG_FRAME_BYTES || reader->parts.n + value.n > MESH_LOG_FRAME_BYTES)
        return corrupt(err, offset, "a frame that is too long");
    reader->bytes += value.n;
    if (!last || reader->parts.n > 0)
        mesh_buf_str(&reader->parts, value);
    if (!last)
        return 0;
    *ret = reader->parts.n > 0 ? (struct mesh_str){reader->parts.p, (uint32_t)reader->parts.n} : value;
    reader->any = reader->handed = true;
    return 1;
}

int mesh_log_reader_take(struct mesh_log_reader *reader, int64_t offset, struct mesh_str key, struct mesh_str value,
                         struct mesh_str *ret, struct mesh_err *err)
{
    struct mesh_log_head head;
    if (reader->handed)
        mesh_buf_reset(&reader->parts);
    reader->handed = false;
    if (reader->next >= 0 && offset != reader->next)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.gap",
                            "the commit log in Kafka goes from offset %" PRId64 " to %" PRId64
                            ": a part of it is missing. Nothing was changed. The topic must be of cleanup.policy=delete with "
                            "retention.ms=-1 and retention.bytes=-1; begin anew when it cannot be brought back",
                            reader->next - 1, offset);
    if (!mesh_log_head_read(key, &head))
        return corrupt(err, offset, "a record that is not of a commit log");
    bool first = reader->next < 0;
    reader->next = offset + 1;
    if (first) {
        reader->generation = head.generation;
        reader->epoch = head.kind == MESH_LOG_PART || head.kind == MESH_LOG_FRAME ? head.epoch : -1; /* trimmed, by its owner */
        reader->serial = head.serial - 1;
    }
    switch (head.kind) {
    case MESH_LOG_CLAIM:
        reader->epoch = offset;
        mesh_buf_reset(&reader->parts);
        reader->serial = 0;
        return 0;
    case MESH_LOG_GENERATION:
        return 0;
    case MESH_LOG_PART:
    case MESH_LOG_FRAME:
        break;
    }
    if (head.epoch != reader->epoch) {
        reader->skipped++;
        return 0;
    }
    if (head.serial <= reader->serial) { /* the broker has it twice */
        reader->skipped++;
        return 0;
    }
    if (head.serial != reader->serial + 1)
        return mesh_err_set(
            err, MESH_ERR_FATAL, "state.gap",
            "before offset %" PRId64 " of the commit log in Kafka %" PRIu64
            " records are missing that the broker had acknowledged. Nothing was changed; begin anew when they cannot be "
            "brought back",
            offset, head.serial - reader->serial - 1);
    reader->serial = head.serial;
    return frame(reader, offset, head.kind == MESH_LOG_FRAME, value, ret, err);
}

void mesh_log_writer_begin(struct mesh_log_writer *writer, int64_t claim)
{
    *writer = (struct mesh_log_writer){.epoch = claim, .next = claim + 1};
}

struct mesh_log_head mesh_log_writer_head(struct mesh_log_writer *writer, enum mesh_log_kind kind, uint64_t generation)
{
    return (struct mesh_log_head){kind, writer->epoch, generation, ++writer->serial};
}

enum mesh_log_verdict mesh_log_writer_acked(struct mesh_log_writer *writer, const int64_t *offsets, size_t n)
{
    bool gap = false;
    int64_t last = writer->next - 1;
    for (size_t i = 0; i < n; i++) {
        if (offsets[i] < 0)
            return MESH_LOG_UNKNOWN;
        gap = gap || offsets[i] != last + 1;
        last = offsets[i] > last ? offsets[i] : last;
    }
    writer->look_at = writer->next;
    writer->until = last + 1;
    if (gap)
        return MESH_LOG_LOOK;
    writer->next = writer->until;
    return MESH_LOG_COUNTS;
}

void mesh_log_writer_look(struct mesh_log_writer *writer, struct mesh_str key, int64_t offset)
{
    struct mesh_log_head head;
    bool claim = mesh_log_head_read(key, &head) && head.kind == MESH_LOG_CLAIM;
    writer->fenced = writer->fenced || (claim && offset > writer->epoch && offset < writer->until);
}

bool mesh_log_writer_counts(struct mesh_log_writer *writer)
{
    writer->next = writer->fenced ? writer->next : writer->until;
    return !writer->fenced;
}
