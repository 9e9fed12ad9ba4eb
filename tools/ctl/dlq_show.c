/* One letter. Headers of the record are shown by name and length, because they too may hold personal data. */
#include "ctl/dlq.h"

#include "base/check.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

struct showing {
    const struct mesh_dlq_options *options;
    const struct mesh_dlq_letter *letter;
    struct mesh_buf out;
};

static int show_message(void *context, const rd_kafka_message_t *message, struct mesh_err *err)
{
    static struct mesh_dlq_record r;
    struct showing *s = context;
    const struct mesh_dlq_letter *l = s->letter;
    struct mesh_buf *out = &s->out;
    (void)err;
    (void)mesh_dlq_message_read(&r, message);
    mesh_buf_printf(out, "letter: %d:%lld, %s\n", (int)l->at.partition, (long long)l->at.offset, mesh_dlq_done_text(l->done));
    mesh_buf_printf(out, "record: %s, partition %d, offset %lld\n", l->topic, (int)l->partition, (long long)l->offset);
    mesh_buf_puts(out, "time: ");
    mesh_text_time(out, l->time_us);
    mesh_buf_printf(out, "\nrefused by: %s%s%s\ncode: %s\nattempt: %u\n", l->stage, l->site[0] == '\0' ? "" : ", ", l->site,
                    l->code, (unsigned)l->attempt);
    if (l->cut > 0)
        mesh_buf_printf(out, "cut: %u of %lld bytes are left; it cannot be replayed\n", (unsigned)l->bytes, (long long)l->cut);
    if (r.unknown.p != NULL) {
        mesh_buf_puts(out, "not understood: header ");
        mesh_dlq_clean(out, r.unknown);
        mesh_buf_puts(out, "; the value may be something else than the record's. Use the meshctl of the service's version\n");
    }
    for (uint32_t i = 0; i < r.n_headers; i++) {
        mesh_buf_puts(out, "header: ");
        mesh_dlq_clean(out, r.headers[i].name);
        mesh_buf_printf(out, ", %u bytes%s", (unsigned)r.headers[i].value.n, s->options->clear ? ": " : "");
        if (s->options->clear)
            mesh_dlq_clean(out, r.headers[i].value);
        mesh_buf_putc(out, '\n');
    }
    mesh_dlq_show_value(out, s->options, &r);
    return 1;
}

int mesh_dlq_show(struct mesh_dlq_kafka *kafka, struct mesh_dlq_index *index, struct mesh_err *err)
{
    if (index->letters.n == 0) {
        const struct mesh_dlq_id *id = &kafka->options->ids.v[0];
        fprintf(stderr, "meshctl: no letter %d:%lld in %s; 'meshctl dlq list %s --all' shows which there are\n", (int)id->partition,
                (long long)id->offset, kafka->topic, kafka->options->product);
        return MESH_DLQ_EXIT_SOME;
    }
    struct showing showing = {kafka->options, &index->letters.v[0], MESH_BUF_NULL};
    const struct mesh_dlq_id *at = &showing.letter->at;
    int rc = mesh_dlq_kafka_read(kafka, at->partition, at->offset, at->offset + 1, show_message, &showing, err);
    if (rc == 0 && showing.out.p == NULL)
        rc = mesh_err_set(err, MESH_ERR_REJECT, "dlq.gone", "the letter has just expired");
    if (rc == 0)
        fputs(showing.out.p, stdout);
    mesh_buf_deinit(&showing.out);
    return rc;
}
