/* What a record of the dead-letter topic says. The service's own headers come first (flow/letter.c) and a record may have brought
 * headers of the same names, say when a product reads the dead letters of another: the first of a name is ours, the second the
 * record's. */
#include "ctl/dlq.h"

#include "base/text.h"
#include "flow/retry.h"
#include "flow/sequence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESH_HEADER "mesh" /* origin and sequence, flow/sequence.h */

/* Headers that the service writes, and where they go. */
static struct mesh_str *own_place(struct mesh_dlq_record *r, struct mesh_str name)
{
    const struct {
        const char *name;
        struct mesh_str *place;
    } own[] = {
        {MESH_DLQ_PREFIX "topic", &r->topic},
        {MESH_DLQ_PREFIX "partition", &r->partition},
        {MESH_DLQ_PREFIX "offset", &r->offset},
        {MESH_DLQ_PREFIX "stage", &r->stage},
        {MESH_DLQ_PREFIX "code", &r->code},
        {MESH_DLQ_PREFIX "site", &r->site},
        {MESH_DLQ_PREFIX "time", &r->time},
        {MESH_DLQ_PREFIX "cut", &r->cut},
        {MESH_DLQ_PREFIX "attempt", &r->attempt},
        {MESH_DLQ_MARK_PREFIX "done", &r->done},
        {MESH_DLQ_MARK_PREFIX "generation", &r->mark_generation},
    };
    for (size_t i = 0; i < MESH_LEN(own); i++)
        if (mesh_str_eq(name, mesh_str_of(own[i].name)))
            return own[i].place;
    return NULL;
}

static bool starts(struct mesh_str text, const char *with)
{
    size_t n = strlen(with);
    return text.n >= n && memcmp(text.p, with, n) == 0;
}

enum mesh_dlq_kind mesh_dlq_record_read(struct mesh_dlq_record *r, const struct mesh_header *headers, uint32_t n)
{
    bool sequenced = false;
    for (uint32_t i = 0; i < n; i++) {
        struct mesh_header h = headers[i];
        if (h.value.p == NULL)
            h.value.p = "";
        struct mesh_str *place = own_place(r, h.name);
        struct mesh_flow_origin origin;
        if (place != NULL && place->p == NULL) {
            *place = h.value;
        } else if (!sequenced && mesh_str_eq(h.name, MESH_STR(MESH_HEADER)) && mesh_flow_origin_read(h.value, &origin)) {
            sequenced = true;
            r->generation = origin.generation;
        } else if (place == NULL && starts(h.name, MESH_DLQ_PREFIX)) {
            r->unknown = h.name;
        } else if (r->n_headers == MESH_DLQ_HEADERS_MAX) {
            r->unknown = h.name;
        } else {
            r->headers[r->n_headers++] = h;
        }
    }
    if (r->done.p != NULL && r->topic.p == NULL)
        return MESH_DLQ_MARK;
    return r->topic.p != NULL && r->partition.p != NULL && r->offset.p != NULL && r->stage.p != NULL && r->code.p != NULL
               ? MESH_DLQ_LETTER
               : MESH_DLQ_FOREIGN;
}

enum mesh_dlq_kind mesh_dlq_message_read(struct mesh_dlq_record *ret, const rd_kafka_message_t *message)
{
    static struct mesh_header all[2 * MESH_DLQ_HEADERS_MAX];
    memset(ret, 0, offsetof(struct mesh_dlq_record, headers));
    ret->n_headers = 0;
    ret->at = (struct mesh_dlq_id){message->partition, message->offset};
    ret->key = (struct mesh_str){message->key, (uint32_t)message->key_len};
    ret->value = (struct mesh_str){message->payload, (uint32_t)message->len};
    rd_kafka_headers_t *headers = NULL;
    uint32_t n = 0;
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char *name = NULL;
        const void *value = NULL;
        size_t size = 0;
        while (n < MESH_LEN(all) && rd_kafka_header_get_all(headers, n, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR)
            all[n++] = (struct mesh_header){mesh_str_of(name), {value, (uint32_t)size}};
    }
    return mesh_dlq_record_read(ret, all, n);
}

void mesh_dlq_identity(struct mesh_buf *out, const struct mesh_dlq_letter *l)
{
    mesh_buf_printf(out, "%s/%d/%lld/%s/%u", l->topic, (int)l->partition, (long long)l->offset, l->stage, (unsigned)l->attempt);
}

const char *mesh_dlq_refusal(const struct mesh_dlq_letter *letter, int32_t partitions, char ret[MESH_ERR_TEXT_MAX])
{
    if (letter->cut > 0)
        snprintf(ret, MESH_ERR_TEXT_MAX,
                 "its value was cut: %u of %lld bytes are left. Send the record again from where it came from", letter->bytes,
                 (long long)letter->cut);
    else if (letter->unknown)
        snprintf(ret, MESH_ERR_TEXT_MAX,
                 "it says things that this meshctl does not know ('show' names them). Use the meshctl of the service's version");
    else if (partitions == 0)
        snprintf(ret, MESH_ERR_TEXT_MAX, "its topic %s is gone, or this user may not see it: no task would take the letter",
                 letter->topic);
    else if (letter->partition < 0 || letter->partition >= partitions)
        snprintf(ret, MESH_ERR_TEXT_MAX, "its partition %d of %s is gone (%d there now), so no task would take it",
                 (int)letter->partition, letter->topic, (int)partitions);
    else
        return NULL;
    return ret;
}

uint32_t mesh_dlq_return_headers(const struct mesh_dlq_record *r, struct mesh_header ret[MESH_DLQ_HEADERS_MAX + 5])
{
    uint32_t n = 0;
    ret[n++] = (struct mesh_header){MESH_STR(MESH_FLOW_RETRY_PREFIX "topic"), r->topic};
    ret[n++] = (struct mesh_header){MESH_STR(MESH_FLOW_RETRY_PREFIX "partition"), r->partition};
    ret[n++] = (struct mesh_header){MESH_STR(MESH_FLOW_RETRY_PREFIX "offset"), r->offset};
    ret[n++] = (struct mesh_header){MESH_STR(MESH_FLOW_RETRY_PREFIX "stage"), r->stage};
    ret[n++] = (struct mesh_header){MESH_STR(MESH_FLOW_RETRY_PREFIX "attempt"), r->attempt.p == NULL ? MESH_STR("1") : r->attempt};
    memcpy(&ret[n], r->headers, r->n_headers * sizeof *ret);
    return n + r->n_headers;
}

void mesh_dlq_clean(struct mesh_buf *out, struct mesh_str text)
{
    bool utf8 = mesh_utf8_valid(text.p, text.n) == text.n;
    for (uint32_t i = 0; i < text.n; i++) {
        uint8_t c = (uint8_t)text.p[i];
        if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
            mesh_buf_printf(out, "\\x%02x", c);
        else
            mesh_buf_putc(out, (char)c);
    }
}

const char *mesh_dlq_done_text(enum mesh_dlq_done done)
{
    static const char *const texts[] = {"open", "replayed", "discarded"};
    return texts[done];
}
