/* The values with the most weight, and the first few values: what top, topWeight and collect keep in a row, as bytes.
 *
 * Top: SpaceSaving (Metwally, Agrawal, El Abbadi 2005). Up to MESH_TOP_VALUES values each has its own weight: exact. A further one takes
 * the place of the lightest, and its weight on top of its own; so no weight is too small, and none is too large by more than the sum of
 * all weights / MESH_TOP_VALUES. Which one goes depends on the order of the records, so rows are not merged from parts of a window
 * (docs/decisions/031-top-keeps-a-bounded-number-of-values.md). Among equal weights the smaller value comes first.
 *
 * An entry is 2 bytes of length, the value, 16 bytes of weight; entries lie in the order of their values. */
#include "mesh/task.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/json.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>

#define HEAD      2u
#define WEIGHT    sizeof(mesh_dec)
#define BYTES_MAX 4096u /* of what is collected */
#define DEC_MAX   (((((mesh_dec)1 << 126) - 1) << 1) + 1)

struct entry {
    size_t at; /* in the sketch */
    struct mesh_str value;
    mesh_dec weight;
};

static size_t size_of(const struct entry *e)
{
    return HEAD + e->value.n + WEIGHT;
}

static struct entry entry_at(struct mesh_str sketch, size_t at)
{
    const uint8_t *p = (const uint8_t *)sketch.p + at;
    struct entry e = {.at = at, .value = {(const char *)p + HEAD, (uint32_t)(p[0] | p[1] << 8)}};
    memcpy(&e.weight, p + HEAD + e.value.n, WEIGHT);
    return e;
}

static void set_weight(struct mesh_str *sketch, const struct entry *e, mesh_dec weight)
{
    memcpy((uint8_t *)(uintptr_t)sketch->p + e->at + HEAD + e->value.n, &weight, WEIGHT);
}

static mesh_dec add(mesh_dec a, mesh_dec b)
{
    mesh_dec sum = 0;
    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b < 0 ? ~DEC_MAX : DEC_MAX;
}

static void take_out(struct mesh_str *sketch, const struct entry *e)
{
    uint8_t *p = (uint8_t *)(uintptr_t)sketch->p;
    size_t n = size_of(e);
    memmove(p + e->at, p + e->at + n, sketch->n - e->at - n);
    sketch->n -= (uint32_t)n;
}

static void put_in(struct mesh_str *sketch, size_t at, struct mesh_str value, mesh_dec weight)
{
    size_t n = HEAD + value.n + WEIGHT;
    uint8_t *p = mesh_xrealloc((void *)(uintptr_t)sketch->p, sketch->n + n);
    memmove(p + at + n, p + at, sketch->n - at);
    p[at] = (uint8_t)value.n;
    p[at + 1] = (uint8_t)(value.n >> 8);
    if (value.n > 0)
        memcpy(p + at + HEAD, value.p, value.n);
    memcpy(p + at + HEAD + value.n, &weight, WEIGHT);
    *sketch = (struct mesh_str){(const char *)p, sketch->n + (uint32_t)n};
}

void mesh_top_add(struct mesh_str *sketch, struct mesh_str value, mesh_dec weight)
{
    struct entry lightest = {0};
    size_t place = sketch->n;
    uint32_t n = 0;
    value.n = value.n > MESH_TOP_VALUE_BYTES ? MESH_TOP_VALUE_BYTES : value.n;
    for (size_t at = 0; at < sketch->n; n++) {
        struct entry e = entry_at(*sketch, at);
        int order = mesh_str_cmp(e.value, value);
        if (order == 0) {
            set_weight(sketch, &e, add(e.weight, weight));
            return;
        }
        if (order > 0 && place == sketch->n)
            place = at;
        if (n == 0 || e.weight < lightest.weight)
            lightest = e;
        at += size_of(&e);
    }
    if (n == MESH_TOP_VALUES) {
        size_t gone = size_of(&lightest);
        take_out(sketch, &lightest);
        place -= lightest.at < place ? gone : 0;
        weight = add(weight, lightest.weight);
    }
    put_in(sketch, place, value, weight);
}

void mesh_top_add_long(struct mesh_str *sketch, int64_t value, mesh_dec weight)
{
    uint64_t u = (uint64_t)value ^ (UINT64_C(1) << 63); /* as bytes in the order of the numbers */
    char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(u >> (8 * (7 - i)));
    mesh_top_add(sketch, (struct mesh_str){bytes, 8}, weight);
}

void mesh_top_merge(struct mesh_str *into, struct mesh_str from)
{
    for (size_t at = 0; at < from.n;) {
        struct entry e = entry_at(from, at);
        mesh_top_add(into, e.value, e.weight);
        at += size_of(&e);
    }
}

bool mesh_top_at(struct mesh_str sketch, uint32_t rank, struct mesh_str *ret_value, mesh_dec *ret_weight)
{
    struct entry before = {0};
    *ret_value = (struct mesh_str){0};
    *ret_weight = 0;
    for (uint32_t r = 0; r < rank; r++) { /* the heaviest behind the one before it */
        struct entry best = {0};
        bool found = false;
        for (size_t at = 0; at < sketch.n;) {
            struct entry e = entry_at(sketch, at);
            at += size_of(&e);
            bool is_left = r == 0 || e.weight < before.weight || (e.weight == before.weight && e.at > before.at);
            if (is_left && (!found || e.weight > best.weight)) {
                best = e;
                found = true;
            }
        }
        if (!found)
            return false;
        before = best;
    }
    *ret_value = before.value;
    *ret_weight = before.weight;
    return true;
}

struct mesh_str mesh_top_str(struct mesh_str sketch, uint32_t rank)
{
    struct mesh_str value;
    mesh_dec weight = 0;
    mesh_top_at(sketch, rank, &value, &weight);
    return value;
}

int64_t mesh_top_long(struct mesh_str sketch, uint32_t rank)
{
    struct mesh_str value = mesh_top_str(sketch, rank);
    uint64_t u = 0;
    if (value.n != 8)
        return 0;
    for (int i = 0; i < 8; i++)
        u = u << 8 | (uint8_t)value.p[i];
    return (int64_t)(u ^ (UINT64_C(1) << 63));
}

mesh_dec mesh_top_weight(struct mesh_str sketch, uint32_t rank)
{
    struct mesh_str value;
    mesh_dec weight = 0;
    mesh_top_at(sketch, rank, &value, &weight);
    return weight;
}

bool mesh_top_has(struct mesh_str sketch, uint32_t rank)
{
    struct mesh_str value;
    mesh_dec weight = 0;
    return mesh_top_at(sketch, rank, &value, &weight);
}

/* ---- the first few, as the text of a JSON array ---- */

static void collect(struct mesh_str *list, int64_t *n, int64_t most, struct mesh_str item)
{
    size_t have = list->n == 0 ? 1 : list->n; /* with its bracket */
    if (*n >= most || have + 1 + item.n + 1 > BYTES_MAX)
        return;
    uint8_t *p = mesh_xrealloc((void *)(uintptr_t)list->p, have + item.n + 2);
    p[have - 1] = *n == 0 ? '[' : ',';
    memcpy(p + have, item.p, item.n);
    p[have + item.n] = ']';
    *list = (struct mesh_str){(const char *)p, (uint32_t)(have + item.n + 1)};
    ++*n;
}

void mesh_collect_str(struct mesh_str *list, int64_t *n, int64_t most, struct mesh_str v)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (*n >= most)
        return;
    mesh_json_string(&text, v);
    collect(list, n, most, (struct mesh_str){text.p, (uint32_t)text.n});
}

void mesh_collect_long(struct mesh_str *list, int64_t *n, int64_t most, int64_t v)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_json_long(&text, v);
    collect(list, n, most, (struct mesh_str){text.p, (uint32_t)text.n});
}

void mesh_collect_double(struct mesh_str *list, int64_t *n, int64_t most, double v)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_json_double(&text, v);
    collect(list, n, most, (struct mesh_str){text.p, (uint32_t)text.n});
}

void mesh_collect_bool(struct mesh_str *list, int64_t *n, int64_t most, bool v)
{
    collect(list, n, most, v ? MESH_STR("true") : MESH_STR("false"));
}

void mesh_collect_dec(struct mesh_str *list, int64_t *n, int64_t most, mesh_dec v, int scale)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_putc(&text, '"');
    mesh_text_dec(&text, v, scale);
    mesh_buf_putc(&text, '"');
    collect(list, n, most, (struct mesh_str){text.p, (uint32_t)text.n});
}

/* Both are arrays without blanks, so the items of `from` are cut out between commas that stand in no text. */
void mesh_collect_merge(struct mesh_str *list, int64_t *n, int64_t most, struct mesh_str from)
{
    bool in_text = false;
    for (uint32_t at = 1, begin = 1; at < from.n; at++) {
        char c = from.p[at];
        if (c == '\\' && in_text) {
            at++;
        } else if (c == '"') {
            in_text = !in_text;
        } else if (!in_text && (c == ',' || c == ']')) {
            collect(list, n, most, (struct mesh_str){from.p + begin, at - begin});
            begin = at + 1;
        }
    }
}

/* ---- averages that forget ---- */

/* How much is left of a weight after so long. */
static double left_of(int64_t age_us, double halflife_us)
{
    return age_us <= 0 ? 1.0 : exp2(-(double)age_us / halflife_us);
}

void mesh_ewma_add(double *sum, double *weight, int64_t *at_us, double v, double of, int64_t v_at_us, double halflife_us)
{
    if (*weight <= 0) {
        *sum = v;
        *weight = of;
        *at_us = v_at_us;
    } else if (v_at_us > *at_us) {
        double left = left_of(v_at_us - *at_us, halflife_us);
        *sum = *sum * left + v;
        *weight = *weight * left + of;
        *at_us = v_at_us;
    } else { /* it came later than it happened, and has aged already */
        double left = left_of(*at_us - v_at_us, halflife_us);
        *sum += v * left;
        *weight += of * left;
    }
}
