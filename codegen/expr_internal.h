/* Between the files of the expression compiler.
 *
 * Text becomes syntax (struct mesh_expr: what was written and where); checking lowers syntax to core (struct mesh_ex_core: what is
 * computed, every conversion spelled out, every operand of the type its operation wants). Folding happens while core is made, so
 * core never holds an operation on constants that could be done at once. Emission, labels and narrowing read core; printing reads
 * syntax. Checking the same syntax again, against another scope, replaces its core.
 */
#ifndef MESH_CODEGEN_EXPR_INTERNAL_H
#define MESH_CODEGEN_EXPR_INTERNAL_H

#include "codegen/expr.h"
#include "mesh/expr.h"

#define MESH_EXPR_WEIGHT_MAX 20000 /* operations of one expression, after `in` and conversions repeated their operands */

/* ---- text ---- */
enum mesh_ex_token_kind {
    MESH_TOK_END,
    MESH_TOK_BAD,
    MESH_TOK_INT,
    MESH_TOK_UINT,
    MESH_TOK_DOUBLE,
    MESH_TOK_STRING,
    MESH_TOK_BYTES,
    MESH_TOK_NAME,
    MESH_TOK_TRUE,
    MESH_TOK_FALSE,
    MESH_TOK_NULL,
    MESH_TOK_IN,
    MESH_TOK_LPAREN,
    MESH_TOK_RPAREN,
    MESH_TOK_LBRACKET,
    MESH_TOK_RBRACKET,
    MESH_TOK_LBRACE,
    MESH_TOK_RBRACE,
    MESH_TOK_DOT,
    MESH_TOK_COMMA,
    MESH_TOK_QUESTION,
    MESH_TOK_COLON,
    MESH_TOK_NOT,
    MESH_TOK_MINUS,
    MESH_TOK_STAR,
    MESH_TOK_SLASH,
    MESH_TOK_PERCENT,
    MESH_TOK_PLUS,
    MESH_TOK_EQ,
    MESH_TOK_NE,
    MESH_TOK_LT,
    MESH_TOK_LE,
    MESH_TOK_GT,
    MESH_TOK_GE,
    MESH_TOK_AND,
    MESH_TOK_OR,
    MESH_TOK_KIND_COUNT
};

struct mesh_ex_token {
    enum mesh_ex_token_kind kind;
    uint32_t begin, end;   /* bytes of the text */
    struct mesh_str value; /* strings and bytes, unescaped; names and numbers as written */
};

/* One scalar and where each of its bytes stands in the file. */
struct mesh_ex_unit {
    const char *text;
    uint32_t n;
    struct mesh_srcref at;
    const uint32_t *map; /* offset in the file of text byte i, 0..n; NULL: at.begin + i, or unknown when !exact */
    bool exact;          /* every byte has a place */
    bool quoted;         /* the scalar stands in quotes that YAML took away */
};

struct mesh_ex_lexer {
    struct mesh_arena *arena;
    struct mesh_diags *diags;
    const struct mesh_ex_unit *unit;
    uint32_t at;
    bool failed; /* a diagnostic was given */
};

struct mesh_ex_token mesh_ex_lex(struct mesh_ex_lexer *lexer); /* END for ever at the end, BAD after a diagnostic */
const char *mesh_ex_token_text(enum mesh_ex_token_kind kind);  /* "==" */

/* ---- YAML around the text ---- */
void mesh_ex_unit_locate(struct mesh_ex_unit *unit, struct mesh_arena *arena);
struct mesh_srcref mesh_ex_unit_range(const struct mesh_ex_unit *unit, uint32_t begin, uint32_t end);
/* YAML took a part of the expression away in front of it: a diagnostic and true. */
bool mesh_ex_unit_cut_before(const struct mesh_ex_unit *unit, struct mesh_diags *diags);
/* The text stopped too early and what stands behind it in the file says why: a diagnostic and true. */
bool mesh_ex_unit_cut_behind(const struct mesh_ex_unit *unit, struct mesh_diags *diags);
/* The scalar was a quoted one, and its content makes no sense without the quotes: a diagnostic and true. */
bool mesh_ex_unit_cut_quotes(const struct mesh_ex_unit *unit, struct mesh_diags *diags);

/* ---- syntax ---- */
enum mesh_ex_kind {
    MESH_EX_NULL,
    MESH_EX_BOOL,
    MESH_EX_INT,
    MESH_EX_DOUBLE,
    MESH_EX_STRING,
    MESH_EX_BYTES,
    MESH_EX_LIST,
    MESH_EX_NAME,
    MESH_EX_MEMBER,
    MESH_EX_INDEX,
    MESH_EX_CALL,
    MESH_EX_UNARY,
    MESH_EX_BINARY,
    MESH_EX_COND,
};

struct mesh_expr {
    enum mesh_ex_kind kind;
    enum mesh_ex_token_kind op;        /* UNARY, BINARY */
    uint32_t depth;                    /* of the tree; a row of && or || counts once */
    bool boolean;                      /* BOOL */
    int64_t number;                    /* INT */
    struct mesh_str text;              /* STRING, BYTES: the value; INT, DOUBLE: as written, with its sign */
    const char *name;                  /* NAME, MEMBER, CALL */
    struct mesh_expr *a, *b, *c;       /* operands; of MEMBER, INDEX and a method CALL `a` is what stands in front */
    MESH_VEC(struct mesh_expr *) args; /* CALL, LIST */
    struct mesh_srcref at;             /* all of it, without parentheses around it */
    struct mesh_srcref around;         /* with the outermost pair around it; no place when there is none */
    struct mesh_srcref op_at;          /* the operator; of MEMBER and CALL the name */
    const struct mesh_ex_unit *unit;
    struct mesh_ex_core *core; /* after checking */
};

/* ---- core ---- */
enum mesh_ex_core_op {
    MESH_CORE_ERROR, /* a diagnostic was given */
    MESH_CORE_CONST,
    MESH_CORE_REF,
    MESH_CORE_AGGREGATE,
    MESH_CORE_LIST, /* only while checking: literal lists */
    /* int, timestamp, duration: checked; double: plain; decimal: operands of equal scale (MUL: of any) */
    MESH_CORE_NEG,
    MESH_CORE_ADD,
    MESH_CORE_SUB,
    MESH_CORE_MUL,
    MESH_CORE_DIV,
    MESH_CORE_MOD,
    MESH_CORE_DEC_DIV, /* decimal / decimal at type.scale, type.precision */
    MESH_CORE_EQ,
    MESH_CORE_NE,
    MESH_CORE_LT,
    MESH_CORE_LE,
    MESH_CORE_GT,
    MESH_CORE_GE,
    MESH_CORE_NOT,
    MESH_CORE_AND,
    MESH_CORE_OR,
    MESH_CORE_COND,
    MESH_CORE_PRESENT, /* is a there? */
    MESH_CORE_INT_DEC, /* int to type.scale, exact */
    MESH_CORE_DEC_UP,  /* decimal to a larger type.scale, exact or overflow */
    MESH_CORE_DEC_FIT, /* decimal to type.scale and type.precision, rounded half to even */
    MESH_CORE_INT_DOUBLE,
    MESH_CORE_DEC_DOUBLE,
    MESH_CORE_DOUBLE_INT,
    MESH_CORE_DEC_INT,
    MESH_CORE_DOUBLE_DEC,
    MESH_CORE_SECONDS, /* of a timestamp or duration: int */
    MESH_CORE_ENUM_STRING,
    MESH_CORE_RETYPE, /* the same C value under another type: date as timestamp, string as bytes */
    MESH_CORE_RATIO,
    MESH_CORE_SIZE,
    MESH_CORE_STARTS,
    MESH_CORE_ENDS,
    MESH_CORE_CONTAINS,
    MESH_CORE_TIME, /* getter `part` of a timestamp */
    MESH_CORE_SPAN, /* a duration in whole units of `unit_us` */
    MESH_CORE_OP_COUNT
};

enum mesh_ex_time_part {
    MESH_PART_YEAR,
    MESH_PART_MONTH,
    MESH_PART_DATE,
    MESH_PART_DAY_OF_MONTH,
    MESH_PART_DAY_OF_WEEK,
    MESH_PART_DAY_OF_YEAR,
    MESH_PART_HOURS,
    MESH_PART_MINUTES,
    MESH_PART_SECONDS,
    MESH_PART_MILLIS,
    MESH_PART_COUNT
};

/* A constant, by the type of its node. */
struct mesh_ex_const {
    bool null;
    bool b;
    int64_t i; /* INT, ENUM, TIMESTAMP, DURATION, DATE */
    double d;
    mesh_dec dec;      /* DECIMAL: at the type's scale */
    struct mesh_str s; /* STRING, BYTES */
    bool literal;      /* DOUBLE: as written it is exactly digits / 10^scale (scale may be negative) */
    mesh_dec digits;
    int scale;
};

struct mesh_ex_core {
    enum mesh_ex_core_op op;
    struct mesh_gen_type type;
    struct mesh_expr *ex; /* for messages */
    struct mesh_ex_core *a, *b, *c;
    struct mesh_ex_const k;                /* CONST */
    MESH_VEC(struct mesh_ex_core *) items; /* LIST */
    /* REF */
    const char *path;                /* "campaign_id", "rates.eur": what narrowing speaks about */
    const char *c_value, *c_present; /* c_present NULL: always there */
    bool guarded;                    /* the value may be read only when present (its record may be absent) */
    struct mesh_gen_member *member;
    bool has_source;
    uint32_t source;
    const struct mesh_aggregates *aggregates; /* AGGREGATE: the list, whose elements move while it grows, ... */
    size_t aggregate;                         /* ... and which of it */
    enum mesh_ex_time_part part;
    int64_t unit_us;
    uint32_t weight; /* operations, with repetitions */
    bool can_fault;
};

/* ---- checking ---- */
/* Names known to be there: a stack through the checker's recursion. */
struct mesh_ex_fact {
    const struct mesh_ex_fact *next;
    const char *path;
};

struct mesh_ex_checker {
    struct mesh_arena *arena;
    struct mesh_diags *diags;
    const struct mesh_scope *scope;        /* of the place at hand */
    const struct mesh_scope *record_scope; /* inside an aggregate */
    const struct mesh_ex_fact *facts;
    const char *place;
    const struct mesh_ex_fact **told; /* unknown names that were reported: each once */
    struct mesh_aggregates *aggregates;
    const struct mesh_expr *aggregate; /* the call that we are inside of, or NULL */
    /* first use of a source inside the aggregate at hand */
    bool has_source;
    uint32_t source;
    struct mesh_srcref source_at;
    const char *source_name;
};

/* expr_check.c */
struct mesh_ex_core *mesh_ex_check_node(struct mesh_ex_checker *checker, struct mesh_expr *expr);
/* The same, and a value must be there: otherwise ME006. `use` is the expression to show guarded. */
struct mesh_ex_core *mesh_ex_check_value(struct mesh_ex_checker *checker, struct mesh_expr *expr, const struct mesh_expr *use);
struct mesh_ex_core *mesh_ex_check_error(struct mesh_ex_checker *checker, struct mesh_expr *expr);
bool mesh_ex_check_is_error(const struct mesh_ex_core *core);
void mesh_ex_check_need_value(struct mesh_ex_checker *checker, struct mesh_ex_core *core, const struct mesh_expr *use);
const char *mesh_ex_type_text(struct mesh_ex_checker *checker, const struct mesh_gen_type *type);
const char *mesh_ex_text(struct mesh_ex_checker *checker, const struct mesh_expr *expr); /* printed, cut when long */
/* expr_check_name.c */
struct mesh_ex_core *mesh_ex_check_name(struct mesh_ex_checker *checker, struct mesh_expr *expr);
struct mesh_ex_core *mesh_ex_check_member(struct mesh_ex_checker *checker, struct mesh_expr *expr);
/* The namespace that a bare name stands for, or NULL. */
const struct mesh_scope_entry *mesh_ex_namespace(const struct mesh_scope *scope, const char *name);
/* A namespace that may be absent, for has(old) and old != null; NULL when the name is none. */
struct mesh_ex_core *mesh_ex_check_namespace_ref(struct mesh_ex_checker *checker, struct mesh_expr *expr);
/* expr_check_op.c */
struct mesh_ex_core *mesh_ex_check_unary(struct mesh_ex_checker *checker, struct mesh_expr *expr);
struct mesh_ex_core *mesh_ex_check_binary(struct mesh_ex_checker *checker, struct mesh_expr *expr);
/* decimal(a / b, p, s); NULL when a and b are doubles, which divide as they are. */
struct mesh_ex_core *mesh_ex_check_quotient(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_expr *quotient,
                                            int precision, int scale);
/* expr_check_compare.c */
struct mesh_ex_core *mesh_ex_check_compare(struct mesh_ex_checker *checker, struct mesh_expr *expr);
struct mesh_ex_core *mesh_ex_check_in(struct mesh_ex_checker *checker, struct mesh_expr *expr);
/* expr_check_call.c, expr_check_method.c, expr_check_aggregate.c */
struct mesh_ex_core *mesh_ex_check_call(struct mesh_ex_checker *checker, struct mesh_expr *expr);
struct mesh_ex_core *mesh_ex_check_method(struct mesh_ex_checker *checker, struct mesh_expr *expr);
const struct mesh_aggregate *mesh_ex_aggregate(const struct mesh_ex_core *core);
bool mesh_ex_is_aggregate_name(const char *name, enum mesh_aggregate_fn *ret);
struct mesh_ex_core *mesh_ex_check_aggregate(struct mesh_ex_checker *checker, struct mesh_expr *expr, enum mesh_aggregate_fn fn);
/* "1h30m", "1.5s", "-10s", "250ms"; 0 or 1 = not a duration. */
int mesh_ex_parse_duration(struct mesh_str text, int64_t *ret_us);
/* Facts of a condition: names that are there when it is `truth`. */
const struct mesh_ex_fact *mesh_ex_facts_of(const struct mesh_ex_core *core, bool truth, const struct mesh_ex_fact *base,
                                            struct mesh_arena *arena);
bool mesh_ex_fact_known(const struct mesh_ex_fact *facts, const char *path);

/* expr_adapt.c: values into types, without losing anything */
enum mesh_ex_adapt {
    MESH_ADAPT_OK,
    MESH_ADAPT_NO /* the types do not go together */,
    MESH_ADAPT_SAID /* a diagnostic was given */
};
/* Makes *core of type `to` (its nullability ignored) where the language does that without a word. */
enum mesh_ex_adapt mesh_ex_adapt(struct mesh_ex_checker *checker, struct mesh_ex_core **core, const struct mesh_gen_type *to);
/* One type for both (of arithmetic, ?:, lists). */
enum mesh_ex_adapt mesh_ex_unify(struct mesh_ex_checker *checker, struct mesh_ex_core **a, struct mesh_ex_core **b);
/* Decimal of `scale`: from int, a decimal of at most that scale, a literal with at most that many digits. */
struct mesh_ex_core *mesh_ex_to_scale(struct mesh_ex_checker *checker, struct mesh_ex_core *core, int scale);
/* A double literal as the decimal that was written, at its own scale; NULL when it does not fit 38 digits. */
struct mesh_ex_core *mesh_ex_literal_decimal(struct mesh_ex_checker *checker, struct mesh_ex_core *core);
bool mesh_ex_is_literal(const struct mesh_ex_core *core); /* a double literal */
bool mesh_ex_is_null(const struct mesh_ex_core *core);    /* the literal null */
bool mesh_ex_same_enum(const struct mesh_gen_type *a, const struct mesh_gen_type *b);
bool mesh_ex_pow10(int exponent, mesh_dec *ret); /* false above 10^38 */

/* expr_fold.c: makes core, folded */
struct mesh_ex_core *mesh_ex_core_new(struct mesh_ex_checker *checker, enum mesh_ex_core_op op, struct mesh_gen_type type,
                                      struct mesh_expr *ex, struct mesh_ex_core *a, struct mesh_ex_core *b, struct mesh_ex_core *c);
/* An operation on constants. False: it has no value that could be written down. */
bool mesh_ex_fold_value(const struct mesh_ex_core *core, enum mesh_fault *fault, struct mesh_ex_const *k);
/* For TIME and SPAN, whose part or unit is set behind mesh_ex_core_new(). */
struct mesh_ex_core *mesh_ex_core_refold(struct mesh_ex_checker *checker, struct mesh_ex_core *core);
struct mesh_ex_core *mesh_ex_core_const(struct mesh_ex_checker *checker, struct mesh_gen_type type, struct mesh_expr *ex,
                                        struct mesh_ex_const k);
struct mesh_ex_core *mesh_ex_core_bool(struct mesh_ex_checker *checker, struct mesh_expr *ex, bool value);
struct mesh_ex_core *mesh_ex_core_int(struct mesh_ex_checker *checker, struct mesh_expr *ex, int64_t value);
bool mesh_ex_core_is_const(const struct mesh_ex_core *core);                        /* and not null */
bool mesh_ex_core_same(const struct mesh_ex_core *a, const struct mesh_ex_core *b); /* computes the same */
/* ME012 as a warning: this is always so. */
void mesh_ex_warn_always(struct mesh_ex_checker *checker, const struct mesh_expr *ex, bool value, const char *why);

/* expr_emit_const.c */
void mesh_ex_emit_const(const struct mesh_ex_core *core, struct mesh_buf *out);
void mesh_ex_emit_string(struct mesh_str s, struct mesh_buf *out);     /* MESH_STR("...") */
void mesh_ex_emit_bytes(struct mesh_str s, struct mesh_buf *out);      /* "..." */
void mesh_ex_emit_null(enum mesh_gen_kind kind, struct mesh_buf *out); /* a value for what is not there */

#endif
