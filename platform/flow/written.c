/* Which schema wrote a record.
 *
 * Without a schema registry its id is one of those that were computed when compiling. With one, whoever drives the engine knows what an
 * id means: a version of the contract under another number, or a schema that nobody knew when compiling. A plan (contract/resolve.h)
 * turns a datum of such a one into a datum of the contract's own version, which the generated decoder then reads: a second pass over the
 * bytes, with the limits of both, and no second way into the struct. The value that came stays beside it: a dead letter carries that. */
#include "flow/task_int.h"

#include "contract/framing.h"
#include "contract/resolve.h"

unsigned mesh_flow_written_by(const struct mesh_flow_source *source, const struct mesh_record *record,
                              struct mesh_flow_written *ret)
{
    const struct mesh_input *decl = source->decl;
    const struct mesh_written_hook *hook = source->task->engine->conf.written;
    const uint32_t *ids = source->task->engine->conf.wire_ids[source->input];
    const struct mesh_header *header =
        record->n_headers == 0 ? NULL : mesh_flow_find_header(record, MESH_STR(MESH_FRAME_HEADER_NAME));
    struct mesh_frame frame;
    int r = mesh_frame_read(record->value, header == NULL ? (struct mesh_str){0} : header->value, &frame);
    if (r != MESH_FRAME_OK)
        return r == MESH_FRAME_TRUNCATED ? MESH_FLOW_FRAME_TRUNCATED : MESH_FLOW_FRAME_MAGIC;
    ret->datum = frame.datum;
    if (hook != NULL && frame.kind != MESH_FRAME_SINGLE) {
        struct mesh_written written = {0};
        enum mesh_written_result found = hook->find(hook->context, source->input, &frame, &written);
        ret->version = written.version;
        ret->plan = written.plan;
        ret->why = written.why;
        return found == MESH_WRITTEN_BY ? 0 : found == MESH_WRITTEN_UNFIT ? MESH_FLOW_SCHEMA_UNFIT : MESH_FLOW_SCHEMA_UNKNOWN;
    }
    for (uint32_t i = 0; i < decl->n_contracts; i++) {
        ret->version = i;
        if (frame.kind == MESH_FRAME_ID ? ids[i] == frame.id
                                        : frame.kind == MESH_FRAME_SINGLE && decl->contracts[i].fingerprint == frame.fingerprint)
            return 0;
    }
    return MESH_FLOW_SCHEMA_UNKNOWN;
}

/* A code of mesh/avro.h keeps its own name among the dead letters. */
static unsigned code_of(const struct mesh_err *err)
{
    for (int fault = MESH_AVRO_OK + 1; fault < MESH_AVRO_FAULT_COUNT; fault++)
        if (strcmp(err->code, mesh_avro_fault_code((enum mesh_avro_fault)fault)) == 0)
            return MESH_FLOW_CODE_AVRO + (unsigned)fault;
    return MESH_FLOW_SCHEMA_VALUE;
}

unsigned mesh_flow_translate(struct mesh_engine *engine, struct mesh_str value, struct mesh_flow_written *written,
                             struct mesh_str *ret_both)
{
    struct mesh_buf *to = &engine->translated;
    struct mesh_err err = {0};
    mesh_buf_reset(to);
    mesh_buf_add(to, value.p, value.n);
    if (mesh_resolve_run(written->plan, written->datum.p, written->datum.n, to, &err) < 0)
        return code_of(&err);
    written->plan = NULL;
    written->datum = (struct mesh_str){to->p + value.n, (uint32_t)(to->n - value.n)};
    *ret_both = (struct mesh_str){to->p, (uint32_t)to->n};
    return 0;
}
