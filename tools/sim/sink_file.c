/* Records are formatted into one block that is written when it is nearly full, and when the simulator has time: a pipe's reader
 * sees live events at once. */
#include "sim/sink.h"

#include "base/check.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define BLOCK_BYTES      (1u << 18)
#define RECORD_BYTES_MAX 1024 /* of one record in either format */

struct file_sink {
    struct sim_sink sink; /* first */
    const char *path;
    int fd;
    char *block;
    size_t n;
};

static int write_block(struct file_sink *file, struct mesh_err *err)
{
    size_t n = file->n;
    file->n = 0;
    return n == 0 ? 0 : mesh_fs_write_all(file->fd, file->path, file->block, n, err);
}

static char *room(struct file_sink *file, struct mesh_err *err)
{
    if (file->n + RECORD_BYTES_MAX > BLOCK_BYTES && write_block(file, err) != 0) {
        return NULL;
    }
    return file->block + file->n;
}

static char *put_decimal(char *to, uint64_t v)
{
    char digits[20];
    int n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    while (n > 0) {
        *to++ = digits[--n];
    }
    return to;
}

static char *put_base64(char *to, const uint8_t *p, uint32_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (; n >= 3; p += 3, n -= 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        *to++ = digits[v >> 18];
        *to++ = digits[v >> 12 & 63];
        *to++ = digits[v >> 6 & 63];
        *to++ = digits[v & 63];
    }
    if (n > 0) {
        uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
        *to++ = digits[v >> 18];
        *to++ = digits[v >> 12 & 63];
        *to++ = n == 2 ? digits[v >> 6 & 63] : '=';
        *to++ = '=';
    }
    return to;
}

static int send_ndjson(struct sim_sink *sink, const struct sim_record *record, struct mesh_err *err)
{
    struct file_sink *file = (struct file_sink *)sink;
    char *to = room(file, err);
    if (to == NULL) {
        return -1;
    }
    to = sim_put_text(to, "{\"topic\":\"");
    to = sim_put_text(to, sim_topics[record->topic].name);
    to = sim_put_text(to, "\",\"partition\":");
    to = put_decimal(to, (uint64_t)record->partition);
    to = sim_put_text(to, ",\"timestamp_ms\":");
    if (record->timestamp_ms < 0) {
        *to++ = '-';
    }
    to = put_decimal(to, (uint64_t)(record->timestamp_ms < 0 ? -record->timestamp_ms : record->timestamp_ms));
    to = sim_put_text(to, ",\"key\":\""); /* keys of ours need no escape */
    memcpy(to, record->key, record->key_n);
    to = sim_put_text(to + record->key_n, "\",\"value\":\"");
    to = put_base64(to, record->value, record->value_n);
    to = sim_put_text(to, "\"}\n");
    file->n = (size_t)(to - file->block);
    return 0;
}

static char *put_varint(char *to, uint64_t v)
{
    while (v >= 0x80) {
        *to++ = (char)(v | 0x80);
        v >>= 7;
    }
    *to++ = (char)v;
    return to;
}

static char *put_slice(char *to, const void *p, uint32_t n)
{
    to = put_varint(to, n);
    memcpy(to, p, n);
    return to + n;
}

static int send_binary(struct sim_sink *sink, const struct sim_record *record, struct mesh_err *err)
{
    struct file_sink *file = (struct file_sink *)sink;
    char *to = room(file, err);
    if (to == NULL) {
        return -1;
    }
    *to++ = (char)record->topic;
    to = put_varint(to, (uint32_t)record->partition);
    to = put_varint(to, ((uint64_t)record->timestamp_ms << 1) ^ (uint64_t)(record->timestamp_ms >> 63));
    to = put_slice(to, record->key, record->key_n);
    to = put_slice(to, record->value, record->value_n);
    file->n = (size_t)(to - file->block);
    return 0;
}

static void put_binary_head(struct file_sink *file, const int32_t partitions[SIM_TOPIC_COUNT])
{
    char *to = sim_put_text(file->block, "MESHSIM1");
    *to++ = SIM_TOPIC_COUNT;
    for (enum sim_topic topic = 0; topic < SIM_TOPIC_COUNT; topic++) {
        to = put_slice(to, sim_topics[topic].name, (uint32_t)strlen(sim_topics[topic].name));
        to = put_varint(to, (uint32_t)partitions[topic]);
    }
    file->n = (size_t)(to - file->block);
}

static int file_idle(struct sim_sink *sink, struct mesh_err *err)
{
    return write_block((struct file_sink *)sink, err);
}

static int file_flush(struct sim_sink *sink, uint64_t *ret_lost, struct mesh_err *err)
{
    *ret_lost = 0;
    return write_block((struct file_sink *)sink, err);
}

static void file_free(struct sim_sink *sink)
{
    struct file_sink *file = (struct file_sink *)sink;
    if (file->fd != STDOUT_FILENO) {
        mesh_closep(&file->fd);
    }
    mesh_freep(&file->block);
    mesh_freep(&file);
}

struct sim_sink *sim_sink_file_new(const char *path, enum sim_format format, const int32_t partitions[SIM_TOPIC_COUNT],
                                   struct mesh_err *err)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        mesh_err_set(err, MESH_ERR_FATAL, "sim.out", "%s: cannot be written: %s; name another file with --out", path,
                     strerror(errno));
        return NULL;
    }
    struct file_sink *file = mesh_xcalloc(1, sizeof *file);
    *file = (struct file_sink){
        .sink = {.send = format == SIM_NDJSON ? send_ndjson : send_binary,
                 .idle = file_idle,
                 .flush = file_flush,
                 .free = file_free},
        .path = standard ? "standard output" : path,
        .fd = fd,
        .block = mesh_xmalloc(BLOCK_BYTES),
    };
    if (format == SIM_BINARY) {
        put_binary_head(file, partitions);
    }
    return &file->sink;
}
