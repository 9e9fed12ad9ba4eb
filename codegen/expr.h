/* mesh-CEL: parse, type-check, fold constants, emit C.
 *
 * The language is CEL (documented in docs/DECLARATION.md, "Expressions") plus decimals, ratio() and, in `let`, aggregates. An
 * expression is parsed from the bytes of one YAML scalar; every node knows its place in the YAML file. Checking resolves names against a
 * scope and gives every node a type; a failed check gives a diagnostic at the node and the type MESH_GEN_ERROR, which silences what
 * follows from it.
 *
 * Nullability: has(x) and x != null narrow x in the other operand of &&, in the branches of ?: and, for `where`, in everything behind
 * it. Using a nullable value where one is needed is an error whose fix shows the guard.
 *
 * Codes: ME001 syntax; ME002 unknown name; ME003 operator does not fit the types; ME004 unknown function; ME005 wrong arguments;
 * ME006 null without a guard; ME007 int division (suggests ratio); ME008 a literal does not fit its type (too large, not a symbol of the
 * enum); ME009 an aggregate where none may stand, or nested; ME010 left out of CEL on purpose (named); ME011 cut by YAML (see
 * DECLARATION: a comma, `? :`, a leading ! or quote, ' #'); ME012 the expression always fails or is always the same (warning).
 */
#ifndef MESH_CODEGEN_EXPR_H
#define MESH_CODEGEN_EXPR_H

#include "codegen/type.h"
#include "mesh/expr.h"

#define MESH_EXPR_DEPTH_MAX 64
#define MESH_EXPR_BYTES_MAX 4096

/* ---- scopes ---- */
/* A name that expressions may use: a value, or a namespace of values (`rates`, `orders`, `new`, `self`, `meta`). */
struct mesh_scope_entry {
    const char *name;
    bool is_namespace;
    struct mesh_gen_type type; /* value; of a namespace only `nullable`: the whole record may be absent (`old`), see c_present */
    const char *c_value;       /* C expression of the value: "r->amount" */
    const char *c_present;     /* C expression of a bool, for nullable values: "r->amount_set" */
    struct mesh_gen_member *member;     /* or NULL; marked `used` when an expression reads it */
    const struct mesh_gen_shape *shape; /* namespace: its members ... */
    const char *c_prefix;               /* ... are "<c_prefix><member.cname>" and "<c_prefix><member.cname>_set" */
    bool is_source;                     /* namespace: a source of the view; aggregates take it as their argument */
    uint32_t source;                    /* which */
    struct mesh_srcref at;              /* declared here, for notes */
};

struct mesh_scope {
    const struct mesh_scope *parent;
    MESH_VEC(struct mesh_scope_entry) entries;
    /* bare names that are members of a shape: the current record */
    const struct mesh_gen_shape *shape;
    const char *c_prefix;
    /* members that are known to be there, because a `where` said so: "campaign_id", "rates.eur" */
    MESH_VEC(const char *) narrowed;
};

/* ---- expressions ---- */
struct mesh_expr; /* opaque node; the accessors below are all that others need */

enum mesh_aggregate_fn {
    MESH_AGG_COUNT, /* up to MAX a sliding fold has them as well */
    MESH_AGG_SUM,
    MESH_AGG_AVG,
    MESH_AGG_MIN,
    MESH_AGG_MAX,
    MESH_AGG_FIRST,
    MESH_AGG_LAST,
    MESH_AGG_VARIANCE,
    MESH_AGG_DISTINCT,
    MESH_AGG_QUANTILE,
    MESH_AGG_TOP, /* also topWeight */
    MESH_AGG_COLLECT,
    MESH_AGG_EWMA,
    MESH_AGG_MIN_BY,
    MESH_AGG_MAX_BY,
    MESH_AGG_FN_COUNT
};

/* One aggregate call inside a `let`, found while checking. Equal calls are one. */
struct mesh_aggregate {
    enum mesh_aggregate_fn fn;
    uint32_t source;              /* of the view (0 when there is one) */
    const struct mesh_expr *arg;  /* NULL for count */
    const struct mesh_expr *cond; /* or NULL */
    const struct mesh_expr *by;   /* TOP: weight, or NULL; MIN_BY, MAX_BY: what decides; otherwise NULL */
    /* QUANTILE: 0 to 1. VARIANCE: 1: its root is asked for. TOP: rank, from 1; negative: that of which the weight is asked for. COLLECT:
     * how many at most. EWMA: half-life in microseconds. */
    double q;
    struct mesh_gen_type arg_type; /* not nullable: a null argument is skipped */
    struct mesh_gen_type by_type;  /* likewise */
    /* of the result: count, distinct INT; sum as arg (decimal: precision 38), avg, variance, quantile, ewma DOUBLE or null; min, max,
     * first, last, top, minBy, maxBy as arg or null; topWeight as a sum of by, or null; collect STRING or null */
    struct mesh_gen_type type;
    const char *cname; /* "sum_amount_eur", "count", unique in the list, also with _n, _set, _m2, _w, _at or _by behind it */
    /* What the row keeps under this name serves an earlier one as well: another quantile of the same values. */
    bool shared;
    struct mesh_srcref at;
};

/* Stays where it is while expressions that were checked with it are in use. */
struct mesh_aggregates {
    MESH_VEC(struct mesh_aggregate) list;
};

/* As it is written: "sum". */
const char *mesh_expr_aggregate_name(enum mesh_aggregate_fn fn);

/* Parse the text of a scalar whose bytes stand at `at` (plain or quoted YAML; `at` covers the scalar's content). NULL after a
 * diagnostic. */
struct mesh_expr *mesh_expr_parse(struct mesh_arena *arena, struct mesh_diags *diags, const char *text, struct mesh_srcref at);

/* Resolve and type. `want` (may be NULL) is the type the place needs: literals adapt to it, and a result that does not fit is an error
 * (ME003) that says what the place is for. `aggregates` non-NULL: aggregates are allowed and collected; their arguments are checked
 * in `record_scope`, everything else in `scope`. Returns the type (MESH_GEN_ERROR after diagnostics). An expression may be checked
 * again, in another scope: emission is that of the last time. */
struct mesh_gen_type mesh_expr_check(struct mesh_expr *expr, struct mesh_arena *arena, struct mesh_diags *diags,
                                     const struct mesh_scope *scope, const struct mesh_scope *record_scope,
                                     const struct mesh_gen_type *want, const char *place, struct mesh_aggregates *aggregates);

/* Names that are certainly there when the expression is true: appended to scope->narrowed by the caller for what follows. */
void mesh_expr_narrows(const struct mesh_expr *expr, struct mesh_arena *arena, struct mesh_scope *into);

struct mesh_srcref mesh_expr_at(const struct mesh_expr *expr);
struct mesh_gen_type mesh_expr_type(const struct mesh_expr *expr);
/* A constant after folding? */
bool mesh_expr_constant(const struct mesh_expr *expr);
/* A plain reference to a member (`card_id`, `rates.eur`): the member, else NULL. */
struct mesh_gen_member *mesh_expr_member(const struct mesh_expr *expr);
/* Label of the result: the join of the labels of everything read (counting what aggregates say: count, sum, avg, variance do not
 * clear by themselves). *ret_subject: whose. `each` is called for every member read (lineage, messages); may be NULL. */
enum mesh_label mesh_expr_label(const struct mesh_expr *expr, const char **ret_subject,
                                void (*each)(void *context, const struct mesh_gen_member *member), void *context);

/* C of the value, of type: bool, int64_t, double, mesh_dec, struct mesh_str, int32_t (enum). An expression that can fault uses the
 * variable `fault` (enum mesh_fault) through &fault; mesh_expr_can_fault() says whether it does. */
bool mesh_expr_can_fault(const struct mesh_expr *expr);
void mesh_expr_emit(const struct mesh_expr *expr, struct mesh_buf *out);
/* C of a bool: whether the value is there. "true" when the type is not nullable. */
void mesh_expr_emit_present(const struct mesh_expr *expr, struct mesh_buf *out);
/* In a let: aggregates are emitted as "row-><cname>" results through this callback, which writes the C of value and of presence. */
struct mesh_expr_aggregate_c {
    void (*value)(void *context, const struct mesh_aggregate *aggregate, struct mesh_buf *out);
    void (*present)(void *context, const struct mesh_aggregate *aggregate, struct mesh_buf *out);
    void *context;
};
void mesh_expr_emit_let(const struct mesh_expr *expr, const struct mesh_expr_aggregate_c *aggregates, struct mesh_buf *out);
void mesh_expr_emit_let_present(const struct mesh_expr *expr, const struct mesh_expr_aggregate_c *aggregates, struct mesh_buf *out);

/* C of a value that is there, by its type: `b` of a bool, `d` of a double, `dec` of a decimal, `s` of texts and bytes, else `i`. */
struct mesh_expr_value {
    bool b;
    int64_t i;
    double d;
    mesh_dec dec;
    struct mesh_str s;
};
void mesh_expr_emit_value(const struct mesh_gen_type *type, const struct mesh_expr_value *value, struct mesh_buf *out);

/* The value of a checked expression without aggregates, when every name has the value that `lookup` gives (false: null). `path` is
 * "keep" or "view.keep". Not MESH_FAULT_NONE: there is no value. */
typedef bool mesh_expr_lookup(void *context, const char *path, struct mesh_expr_value *ret);
enum mesh_fault mesh_expr_evaluate(const struct mesh_expr *expr, mesh_expr_lookup *lookup, void *context,
                                   struct mesh_expr_value *ret, bool *ret_there);

/* Text of the expression as normal CEL, for docs and lineage. */
void mesh_expr_print(const struct mesh_expr *expr, struct mesh_buf *out);

#endif
