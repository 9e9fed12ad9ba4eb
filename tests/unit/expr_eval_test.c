/* An evaluator that walks the trees of expr_tree_test.c. It knows nothing of the compiler: it says what CEL and the decimals mean
 * in its own words. expr_run_test.c holds the compiler's C against it. */
#include "expr_tree_test.c"

#include "mesh/expr.h"

#include <math.h>

static const struct value *row;
static unsigned raised; /* bit per fault */

static void raise_fault(enum mesh_fault fault)
{
    raised |= 1u << fault;
}

static struct value eval(const struct node *n);

static int64_t checked(enum op op, int64_t a, int64_t b)
{
    mesh_dec r = op == ADD ? (mesh_dec)a + b : op == SUB ? (mesh_dec)a - b : (mesh_dec)a * b;
    if (r <= INT64_MAX && r >= INT64_MIN)
        return (int64_t)r;
    raise_fault(MESH_FAULT_OVERFLOW);
    return 0;
}

static int64_t remainder_of(int64_t a, int64_t b)
{
    if (b == 0)
        raise_fault(MESH_FAULT_DIVIDE_BY_ZERO);
    else if (b == -1 && a == INT64_MIN)
        raise_fault(MESH_FAULT_OVERFLOW);
    else
        return a - a / b * b;
    return 0;
}

/* At `scale`, which is at least its own. */
static mesh_dec at_scale(const struct node *n, int scale)
{
    struct value v = eval(n);
    mesh_dec r = 0;
    if (__builtin_mul_overflow(n->type == DEC ? v.dec : (mesh_dec)v.i, power(scale - scale_of(n)), &r)) {
        raise_fault(MESH_FAULT_OVERFLOW);
        return 0;
    }
    return r;
}

static mesh_dec decimal_sum(const struct node *n)
{
    mesh_dec r = 0;
    mesh_dec a = at_scale(n->kid[0], n->op == MUL ? scale_of(n->kid[0]) : n->scale);
    mesh_dec b = at_scale(n->kid[1], n->op == MUL ? scale_of(n->kid[1]) : n->scale);
    bool over = n->op == ADD   ? __builtin_add_overflow(a, b, &r)
                : n->op == SUB ? __builtin_sub_overflow(a, b, &r)
                               : __builtin_mul_overflow(a, b, &r);
    if (over)
        raise_fault(MESH_FAULT_OVERFLOW);
    return over ? 0 : r;
}

/* n / d to the nearest, half to even; d > 0. */
static mesh_dec rounded(mesh_dec n, mesh_dec d)
{
    mesh_dec q = n / d;
    mesh_dec r = n % d;
    if (r < 0) { /* floor */
        q--;
        r += d;
    }
    mesh_dec other = d - r;
    return r > other || (r == other && (q % 2 != 0)) ? q + 1 : q;
}

static mesh_dec fitted(mesh_dec v, int precision)
{
    if (v < power(precision) && v > -power(precision))
        return v;
    raise_fault(MESH_FAULT_OVERFLOW);
    return 0;
}

/* The nearest decimal of a double: exactly, on 128 bits; the rows keep doubles in bounds where that works. */
static mesh_dec fit_double(const struct node *n, double v)
{
    if (!isfinite(v)) {
        raise_fault(MESH_FAULT_RANGE);
        return 0;
    }
    if (fabs(v) >= 1e20)
        return fitted(power(37), n->precision);
    int e = 0;
    mesh_dec m = (mesh_dec)ldexp(frexp(v, &e), 53) * power(n->scale);
    e -= 53;
    if (e >= 0)
        return fitted(e > 20 ? power(37) : m * ((mesh_dec)1 << e), n->precision);
    return e < -120 ? 0 : fitted(rounded(m, (mesh_dec)1 << -e), n->precision);
}

static mesh_dec fit(const struct node *n)
{
    const struct node *a = n->kid[0];
    struct value v = eval(a);
    if (a->type == DOUBLE)
        return fit_double(n, v.d);
    mesh_dec from = a->type == INT ? v.i : v.dec;
    int up = n->scale - scale_of(a);
    if (up < 0)
        return fitted(rounded(from, power(-up)), n->precision);
    mesh_dec r = 0;
    if (__builtin_mul_overflow(from, power(up), &r)) {
        raise_fault(MESH_FAULT_OVERFLOW);
        return 0;
    }
    return fitted(r, n->precision);
}

static mesh_dec quotient(const struct node *n)
{
    const struct node *a = n->kid[0];
    const struct node *b = n->kid[1];
    struct value x = eval(a);
    struct value y = eval(b);
    mesh_dec top = a->type == INT ? x.i : x.dec;
    mesh_dec bottom = y.dec;
    if (bottom == 0) {
        raise_fault(MESH_FAULT_DIVIDE_BY_ZERO);
        return 0;
    }
    int shift = n->scale + scale_of(b) - scale_of(a);
    top *= shift > 0 ? power(shift) : 1;
    bottom *= shift < 0 ? power(-shift) : 1;
    return fitted(bottom < 0 ? rounded(-top, -bottom) : rounded(top, bottom), n->precision);
}

static int64_t to_int(const struct node *a, struct value v)
{
    if (a->type == TIME)
        return v.i >= 0 ? v.i / 1000000 : -((-(v.i + 1)) / 1000000) - 1;
    if (a->type == DEC) {
        mesh_dec r = v.dec / power(a->scale);
        if (r <= INT64_MAX && r >= INT64_MIN)
            return (int64_t)r;
    } else if (v.d > -9223372036854775808.0 && v.d < 9223372036854775808.0) {
        return (int64_t)v.d;
    }
    raise_fault(MESH_FAULT_RANGE);
    return 0;
}

static int64_t getter(int part, int64_t us)
{
    int64_t ms = us >= 0 ? us / 1000 : -((-(us + 1)) / 1000) - 1;
    int64_t seconds = ms >= 0 ? ms / 1000 : -((-(ms + 1)) / 1000) - 1;
    time_t time = (time_t)seconds;
    struct tm tm;
    gmtime_r(&time, &tm);
    const int64_t parts[] = {tm.tm_year + 1900, tm.tm_mon,  tm.tm_mday, tm.tm_mday - 1, tm.tm_wday,
                             tm.tm_yday,        tm.tm_hour, tm.tm_min,  tm.tm_sec,      ms - seconds * 1000};
    return parts[part];
}

static int64_t code_points(const char *s)
{
    int64_t n = 0;
    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static int order(const struct node *a, const struct node *b)
{
    if (a->type == DEC || b->type == DEC) {
        int scale = scale_of(a) > scale_of(b) ? scale_of(a) : scale_of(b);
        bool literal_a = a->op == LIT && a->type == DEC;
        bool literal_b = b->op == LIT && b->type == DEC;
        if (literal_a || literal_b) { /* compared exactly, whatever the scales */
            struct value x = eval(a);
            struct value y = eval(b);
            const struct node *other = literal_a ? b : a;
            mesh_dec v = literal_a ? (b->type == DEC ? y.dec : y.i) : (a->type == DEC ? x.dec : x.i);
            mesh_dec l = literal_a ? x.dec : y.dec;
            int up = scale - scale_of(other);
            mesh_dec wide = 0;
            int c = __builtin_mul_overflow(v, power(up), &wide) ? (v > 0 ? 1 : -1)
                    : wide > l * power(scale - (literal_a ? a : b)->scale)
                        ? 1
                        : -(wide < l * power(scale - (literal_a ? a : b)->scale));
            return literal_a ? -c : c;
        }
        mesh_dec x = at_scale(a, scale);
        mesh_dec y = at_scale(b, scale);
        return (x > y) - (x < y);
    }
    struct value x = eval(a);
    struct value y = eval(b);
    switch (a->type) {
    case BOOL:
        return x.b - y.b;
    case DOUBLE:
        return isnan(x.d) || isnan(y.d) ? 2 : (x.d > y.d) - (x.d < y.d);
    case STR:
        return strcmp(x.s, y.s);
    case INT:
    case DEC:
    case ENUM:
    case TIME:
    case DUR:
    case TYPES:
        break;
    }
    return (x.i > y.i) - (x.i < y.i);
}

/* x == 1.005 where x has two digits: never so, and x is not even read. */
static bool is_off_grid(const struct node *literal, const struct node *other)
{
    return literal->op == LIT && literal->type == DEC && literal->scale > scale_of(other);
}

static bool compare(const struct node *n)
{
    if (n->part <= 1 && (is_off_grid(n->kid[0], n->kid[1]) || is_off_grid(n->kid[1], n->kid[0])))
        return n->part == 1;
    int c = order(n->kid[0], n->kid[1]);
    if (c == 2 && n->kid[0]->type == DOUBLE)
        return n->part == 1;
    const bool results[] = {c == 0, c != 0, c<0, c <= 0, c> 0, c >= 0};
    return results[n->part];
}

static bool is_in(const struct node *n)
{
    struct value x = eval(n->kid[0]);
    for (int i = 0; i < n->n_items; i++) {
        struct value y = eval(n->items[i]);
        if (n->kid[0]->type == ENUM ? x.i == y.i : strcmp(x.s, y.s) == 0)
            return true;
    }
    return false;
}

static bool text_test(enum op op, const char *s, const char *part)
{
    size_t n = strlen(s);
    size_t k = strlen(part);
    if (op == CONTAINS)
        return strstr(s, part) != NULL;
    return k <= n && memcmp(op == STARTS ? s : s + n - k, part, k) == 0;
}

static struct value eval_double(const struct node *n, double a, double b)
{
    double d = n->op == ADD ? a + b : n->op == SUB ? a - b : n->op == MUL ? a * b : n->op == DIV ? a / b : -a;
    return (struct value){.d = d};
}

static struct value eval(const struct node *n)
{
    static const int64_t units[] = {3600000000, 60000000, 1000000};
    const struct node *a = n->kid[0];
    switch (n->op) {
    case LIT:
    case NULL_LIT:
        return n->lit;
    case MEMBER:
        return row[n->part];
    case HAS:
        return (struct value){.b = !row[n->part].null};
    case AND:
        return (struct value){.b = eval(a).b && eval(n->kid[1]).b};
    case OR:
        return (struct value){.b = eval(a).b || eval(n->kid[1]).b};
    case NOT:
        return (struct value){.b = !eval(a).b};
    case COND: {
        const struct node *branch = n->kid[eval(a).b ? 1 : 2];
        if (n->type == DEC && branch->op != NULL_LIT)
            return (struct value){.dec = at_scale(branch, n->scale)};
        return eval(branch);
    }
    case CMP:
        return (struct value){.b = compare(n)};
    case IN:
        return (struct value){.b = is_in(n)};
    case FIT:
        return (struct value){.dec = fit(n)};
    case QUOTIENT:
        return (struct value){.dec = quotient(n)};
    case TO_INT:
        return (struct value){.i = to_int(a, eval(a))};
    case TO_DOUBLE:
        return (struct value){.d = a->type == INT ? (double)eval(a).i : (double)(int64_t)eval(a).dec / (double)power(a->scale)};
    case TO_STR:
        return (struct value){.s = symbols[eval(a).i]};
    case SIZE:
        return (struct value){.i = code_points(eval(a).s)};
    case STARTS:
    case ENDS:
    case CONTAINS:
        return (struct value){.b = text_test(n->op, eval(a).s, eval(n->kid[1]).s)};
    case GETTER:
        return (struct value){.i = getter(n->part, eval(a).i)};
    case SPAN:
        return (struct value){.i = eval(a).i / units[n->part - 6]};
    case RATIO_NULL: {
        struct value y = eval(n->kid[1]); /* the dividend is not read: only whether there is a ratio */
        return (struct value){.b = n->kid[1]->type == DEC ? y.dec == 0 : y.d == 0.0};
    }
    case MOD:
        return (struct value){.i = remainder_of(eval(a).i, eval(n->kid[1]).i)};
    case NEG:
        if (n->type == DEC)
            return (struct value){.dec = -eval(a).dec};
        return n->type == DOUBLE ? eval_double(n, eval(a).d, 0) : (struct value){.i = checked(SUB, 0, eval(a).i)};
    case ADD:
    case SUB:
    case MUL:
    case DIV:
        break;
    }
    if (n->type == DEC)
        return (struct value){.dec = decimal_sum(n)};
    if (n->type == DOUBLE)
        return eval_double(n, eval(a).d, eval(n->kid[1]).d);
    return (struct value){.i = checked(n->op, eval(a).i, eval(n->kid[1]).i)};
}

/* ---- the evaluator itself ---- */

CASE(rounding_is_half_to_even)
{
    CHECK_EQ_I64((int64_t)rounded(25, 10), 2);
    CHECK_EQ_I64((int64_t)rounded(35, 10), 4);
    CHECK_EQ_I64((int64_t)rounded(-25, 10), -2);
    CHECK_EQ_I64((int64_t)rounded(-26, 10), -3);
    CHECK_EQ_I64((int64_t)rounded(-7, 3), -2);
}

CASE(trees_have_values)
{
    static struct value values[MEMBERS];
    mesh_rng_seed(&rng, 1);
    values[7].s = values[8].s = values[16].s = "a";
    row = values;
    for (int i = 0; i < 300; i++) {
        const struct node *n = gen_top();
        struct value v = eval(n);
        CHECK(n->nullable || !v.null);
        CHECK(n->type != STR || v.null || v.s != NULL);
    }
    mesh_arena_reset(&arena);
}
