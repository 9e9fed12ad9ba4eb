/* Following the plan. Fields are written in the order in which they are read; only when the reader has them in another order are
 * they put right afterwards, in a second buffer. A step that is skipped is run all the same, silently: that checks it.
 */
#include "base/check.h"
#include "base/vec.h"
#include "contract/datum_internal.h"
#include "contract/resolve_internal.h"

struct segment {
    size_t begin, n;
};

struct run {
    struct mesh_in in;
    struct mesh_buf *out;
    size_t out_begin;
    unsigned depth, values;
    unsigned silent;                   /* > 0: skipping */
    MESH_VEC(struct segment) segments; /* a stack: of the records being put in order */
    struct mesh_buf scratch;
    struct mesh_err *err;
};

static int run_step(struct run *r, const struct mesh_resolve_step *step, const struct mesh_datum_step *at);

static int refuse(struct run *r, const char *code, const struct mesh_datum_step *at, const char *text, const char *detail)
{
    char path[MESH_DATUM_PATH_MAX];
    return mesh_err_set(r->err, MESH_ERR_REJECT, code, "at %s: %s%s", mesh_datum_path(at, path), text, detail);
}

static void put(struct run *r, const void *bytes, size_t n)
{
    if (r->silent == 0 && n > 0)
        mesh_buf_add(r->out, bytes, n);
}

static void put_long(struct run *r, int64_t v)
{
    if (r->silent == 0)
        mesh_buf_zigzag(r->out, v);
}

static void put_str(struct run *r, struct mesh_str s)
{
    put_long(r, s.n);
    put(r, s.p, s.n);
}

static void put_float(struct run *r, float v)
{
    put(r, &v, sizeof v);
}

static void put_double(struct run *r, double v)
{
    put(r, &v, sizeof v);
}

static void copy_fixed(struct run *r, uint32_t n)
{
    const uint8_t *p = mesh_in_fixed(&r->in, n);
    if (p != NULL)
        put(r, p, n);
}

static void widen_float(struct run *r)
{
    float v = 0;
    const uint8_t *p = mesh_in_fixed(&r->in, sizeof v);
    if (p != NULL)
        memcpy(&v, p, sizeof v);
    put_double(r, (double)v);
}

static int run_enum(struct run *r, const struct mesh_resolve_step *step, const struct mesh_datum_step *at)
{
    int64_t i = mesh_in_long(&r->in);
    if (r->in.fault == MESH_AVRO_OK && (i < 0 || i >= step->n))
        mesh_in_fail(&r->in, MESH_AVRO_ENUM_RANGE);
    if (r->in.fault != MESH_AVRO_OK)
        return mesh_datum_fault(r->in.fault, at, r->err);
    if (step->symbols[i] < 0)
        return refuse(r, "resolve.symbol", at, "the reader has no symbol ", step->symbol_names[i]);
    put_long(r, step->symbols[i]);
    return 0;
}

static int run_items(struct run *r, const struct mesh_resolve_step *step, const struct mesh_datum_step *at)
{
    struct mesh_datum_step item = {.up = at};
    for (;;) {
        const uint8_t *end;
        int64_t n = mesh_datum_block(&r->in, &end);
        if (n > 0)
            put_long(r, n);
        for (int64_t i = 0; i < n; i++, item.index++) {
            if (step->op == MESH_RESOLVE_MAP)
                put_str(r, mesh_in_string(&r->in));
            int failed = run_step(r, step->inner, &item);
            if (failed < 0)
                return failed;
        }
        mesh_datum_block_done(&r->in, end);
        if (r->in.fault != MESH_AVRO_OK)
            return mesh_datum_fault(r->in.fault, at, r->err);
        if (n == 0 && end == NULL)
            break;
    }
    put_long(r, 0);
    return 0;
}

static int run_part(struct run *r, const struct mesh_resolve_part *part, const struct mesh_datum_step *at)
{
    r->silent += part->to < 0;
    int failed = run_step(r, part->step, &(struct mesh_datum_step){.up = at, .name = part->name});
    r->silent -= part->to < 0;
    return failed;
}

static void put_defaults(struct run *r, const struct mesh_resolve_step *step, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        put(r, step->defaults[i].p, step->defaults[i].n);
}

static int run_in_order(struct run *r, const struct mesh_resolve_step *step, const struct mesh_datum_step *at)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < step->n; i++) {
        const struct mesh_resolve_part *part = &step->parts[i];
        if (part->to >= 0) {
            put_defaults(r, step, next, (uint32_t)part->to);
            next = (uint32_t)part->to + 1;
        }
        int failed = run_part(r, part, at);
        if (failed < 0)
            return failed;
    }
    put_defaults(r, step, next, step->n_to);
    return 0;
}

static int run_out_of_order(struct run *r, const struct mesh_resolve_step *step, const struct mesh_datum_step *at)
{
    size_t begin = r->out->n, base = r->segments.n;
    for (uint32_t i = 0; i < step->n_to; i++)
        *mesh_vec_push(&r->segments) = (struct segment){0};
    for (uint32_t i = 0; i < step->n; i++) {
        const struct mesh_resolve_part *part = &step->parts[i];
        size_t before = r->out->n;
        int failed = run_part(r, part, at);
        if (failed < 0)
            return failed;
        mesh_assert(part->to < (int64_t)step->n_to);
        if (part->to >= 0)
            r->segments.v[base + (size_t)part->to] = (struct segment){before - begin, r->out->n - before};
    }
    mesh_buf_reset(&r->scratch);
    if (r->out->n > begin)
        mesh_buf_add(&r->scratch, r->out->p + begin, r->out->n - begin);
    r->out->n = begin;
    for (uint32_t i = 0; i < step->n_to; i++) {
        struct segment segment = r->segments.v[base + i];
        if (segment.n > 0)
            put(r, r->scratch.p + segment.begin, segment.n);
        put(r, step->defaults[i].p, step->defaults[i].n);
    }
    r->segments.n = base;
    return 0;
}

static int run_nested(struct run *r, const struct mesh_resolve_step *step, const struct mesh_datum_step *at)
{
    if (r->depth == MESH_RESOLVE_DEPTH_MAX)
        return mesh_datum_fault(MESH_AVRO_DEPTH, at, r->err);
    r->depth++;
    int failed;
    if (step->op != MESH_RESOLVE_RECORD)
        failed = run_items(r, step, at);
    else if (step->in_order || r->silent > 0)
        failed = run_in_order(r, step, at);
    else
        failed = run_out_of_order(r, step, at);
    r->depth--;
    return failed;
}

static int run_branch(struct run *r, const struct mesh_resolve_step *step, const struct mesh_datum_step *at)
{
    int64_t i = mesh_in_long(&r->in);
    if (r->in.fault == MESH_AVRO_OK && (i < 0 || i >= step->n))
        mesh_in_fail(&r->in, MESH_AVRO_UNION_RANGE);
    if (r->in.fault != MESH_AVRO_OK)
        return mesh_datum_fault(r->in.fault, at, r->err);
    return run_step(r, step->branches[i], at);
}

static int run_step(struct run *r, const struct mesh_resolve_step *step, const struct mesh_datum_step *at)
{
    struct mesh_in *in = &r->in;
    bool union_ = step->op == MESH_RESOLVE_AS_BRANCH || step->op == MESH_RESOLVE_BY_BRANCH;
    if (!union_ && ++r->values > MESH_RESOLVE_VALUES_MAX)
        return mesh_datum_fault(MESH_AVRO_DEPTH, at, r->err);
    if (r->out->n - r->out_begin > MESH_RESOLVE_BYTES_MAX)
        return refuse(r, "resolve.limit", at, "the result is too long", "");
    switch (step->op) {
    case MESH_RESOLVE_FAIL:
        return refuse(r, "resolve.mismatch", at, step->text, "");
    case MESH_RESOLVE_NULL:
        break;
    case MESH_RESOLVE_BOOLEAN:
        put(r, mesh_in_bool(in) ? "\1" : "\0", 1);
        break;
    case MESH_RESOLVE_INT:
        put_long(r, mesh_in_int(in));
        break;
    case MESH_RESOLVE_LONG:
        put_long(r, mesh_in_long(in));
        break;
    case MESH_RESOLVE_FLOAT:
        copy_fixed(r, sizeof(float));
        break;
    case MESH_RESOLVE_DOUBLE:
        copy_fixed(r, sizeof(double));
        break;
    case MESH_RESOLVE_BYTES:
        put_str(r, mesh_in_bytes(in));
        break;
    case MESH_RESOLVE_STRING:
        put_str(r, mesh_in_string(in));
        break;
    case MESH_RESOLVE_FIXED:
        copy_fixed(r, step->n);
        break;
    case MESH_RESOLVE_INT_TO_FLOAT:
        put_float(r, (float)mesh_in_int(in));
        break;
    case MESH_RESOLVE_INT_TO_DOUBLE:
        put_double(r, (double)mesh_in_int(in));
        break;
    case MESH_RESOLVE_LONG_TO_FLOAT:
        put_float(r, (float)mesh_in_long(in));
        break;
    case MESH_RESOLVE_LONG_TO_DOUBLE:
        put_double(r, (double)mesh_in_long(in));
        break;
    case MESH_RESOLVE_FLOAT_TO_DOUBLE:
        widen_float(r);
        break;
    case MESH_RESOLVE_ENUM:
        return run_enum(r, step, at);
    case MESH_RESOLVE_ARRAY:
    case MESH_RESOLVE_MAP:
    case MESH_RESOLVE_RECORD:
        return run_nested(r, step, at);
    case MESH_RESOLVE_BY_BRANCH:
        return run_branch(r, step, at);
    case MESH_RESOLVE_AS_BRANCH:
        put_long(r, step->n);
        return run_step(r, step->inner, at);
    }
    return in->fault == MESH_AVRO_OK ? 0 : mesh_datum_fault(in->fault, at, r->err);
}

int mesh_resolve_run(const struct mesh_resolve *resolve, const void *bytes, size_t n, struct mesh_buf *out, struct mesh_err *err)
{
    const uint8_t *p = bytes == NULL ? (const uint8_t *)"" : bytes;
    struct mesh_datum_step top = {0};
    size_t begin = out->n;
    if (n > UINT32_MAX)
        return mesh_datum_fault(MESH_AVRO_DEPTH, &top, err);
    struct run r = {.in = {p, p + n, MESH_AVRO_OK}, .out = out, .out_begin = begin, .err = err};
    int failed = run_step(&r, resolve->first, &top);
    if (failed == 0 && r.in.p != r.in.end)
        failed = mesh_datum_fault(MESH_AVRO_TRAILING, &top, err);
    mesh_vec_deinit(&r.segments);
    mesh_buf_deinit(&r.scratch);
    if (failed < 0 && out->n > begin)
        out->p[out->n = begin] = '\0'; /* all or nothing */
    return failed;
}
