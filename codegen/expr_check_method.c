/* Functions written behind a value: texts and the parts of times. */
#include "codegen/expr_internal.h"

#include <string.h>

static struct mesh_gen_type plain(enum mesh_gen_kind kind)
{
    return (struct mesh_gen_type){.kind = kind};
}

static const struct {
    const char *name;
    enum mesh_ex_core_op op;
} text_methods[] = {{"startsWith", MESH_CORE_STARTS}, {"endsWith", MESH_CORE_ENDS}, {"contains", MESH_CORE_CONTAINS}};

static const struct {
    const char *name;
    enum mesh_ex_time_part part;
    int64_t unit_us; /* of a duration; 0: a duration has no such part */
} time_methods[] = {
    {"getFullYear", MESH_PART_YEAR, 0},
    {"getMonth", MESH_PART_MONTH, 0},
    {"getDate", MESH_PART_DATE, 0},
    {"getDayOfMonth", MESH_PART_DAY_OF_MONTH, 0},
    {"getDayOfWeek", MESH_PART_DAY_OF_WEEK, 0},
    {"getDayOfYear", MESH_PART_DAY_OF_YEAR, 0},
    {"getHours", MESH_PART_HOURS, 3600000000},
    {"getMinutes", MESH_PART_MINUTES, 60000000},
    {"getSeconds", MESH_PART_SECONDS, 1000000},
    {"getMilliseconds", MESH_PART_MILLIS, 0},
};

/* Macros and methods of CEL that are not there. */
static const struct {
    const char *name, *fix;
} left_out[] = {
    {"all", "lists of records are not read in expressions"},
    {"exists", "to compare with several values write x in [a, b]"},
    {"exists_one", "lists of records are not read in expressions"},
    {"map", "lists of records are not read in expressions"},
    {"filter", "a step 'where' keeps records"},
    {"matches", "compare with ==, in, startsWith(), endsWith() or contains()"},
    {"lowerAscii", "ask the producer for a normal form"},
    {"upperAscii", "ask the producer for a normal form"},
    {"replace", "ask the producer for a normal form"},
    {"split", "keep the parts as fields of their own"},
    {"join", "keep the parts as fields of their own"},
    {"substring", "compare with startsWith(), endsWith() or contains()"},
    {"trim", "ask the producer for a normal form"},
    {"format", "ports write values as text"},
    {"orValue", "write has(x) ? x : other"},
    {"hasValue", "write has(x)"},
    {"optMap", "write has(x) ? x : other"},
};

static struct mesh_ex_core *refuse(struct mesh_ex_checker *checker, struct mesh_expr *expr, const char *fix)
{
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_ERROR, "ME010", expr->op_at, "%s() is not part of the language", expr->name);
    mesh_diag_why(checker->diags, diag, "it is left out on purpose");
    mesh_diag_fix(checker->diags, diag, "%s", fix);
    return mesh_ex_check_error(checker, expr);
}

static struct mesh_ex_core *unknown(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_diags *diags = checker->diags;
    struct mesh_diag *diag =
        mesh_diag_add(diags, MESH_ERROR, "ME004", expr->op_at, "there is no function '%s' of a value", expr->name);
    const char *of = mesh_ex_text(checker, expr->a);
    enum mesh_aggregate_fn fn;
    if (mesh_ex_is_aggregate_name(expr->name, &fn)) {
        mesh_diag_fix(diags, diag, "write %s(%s)", expr->name, of);
        return mesh_ex_check_error(checker, expr);
    }
    static const char *const front[] = {"size", "has", "int", "double", "string", "decimal", "ratio", "timestamp", "duration"};
    for (size_t i = 0; i < MESH_LEN(front); i++) {
        if (strcmp(front[i], expr->name) == 0)
            mesh_diag_fix(diags, diag, "it stands in front: %s(%s)", expr->name, of);
    }
    const char *names[MESH_LEN(text_methods) + MESH_LEN(time_methods)];
    size_t n = 0;
    for (size_t i = 0; i < MESH_LEN(text_methods); i++)
        names[n++] = text_methods[i].name;
    for (size_t i = 0; i < MESH_LEN(time_methods); i++)
        names[n++] = time_methods[i].name;
    const char *meant = mesh_did_you_mean(expr->name, names, n);
    if (meant != NULL)
        mesh_diag_hint(diags, diag, "did you mean '%s'?", meant);
    mesh_diag_why(diags, diag,
                  "a text has startsWith endsWith contains; a time has getFullYear getMonth getDate getDayOfMonth getDayOfWeek "
                  "getDayOfYear getHours getMinutes getSeconds getMilliseconds");
    return mesh_ex_check_error(checker, expr);
}

static struct mesh_ex_core *wrong_receiver(struct mesh_ex_checker *checker, struct mesh_expr *expr, const struct mesh_ex_core *a,
                                           const char *wants)
{
    struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME005", expr->a->at, "%s() stands behind %s, and %s is %s",
                                           expr->name, wants, mesh_ex_text(checker, expr->a), mesh_ex_type_text(checker, &a->type));
    if (a->type.kind == MESH_GEN_ENUM)
        mesh_diag_fix(checker->diags, diag, "write string(%s).%s(...)", mesh_ex_text(checker, expr->a), expr->name);
    return mesh_ex_check_error(checker, expr);
}

static struct mesh_ex_core *check_text(struct mesh_ex_checker *checker, struct mesh_expr *expr, enum mesh_ex_core_op op)
{
    if (expr->args.n != 1) {
        struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME005", expr->at, "%s() takes one text", expr->name);
        mesh_diag_fix(checker->diags, diag, "write %s.%s(\"a\")", mesh_ex_text(checker, expr->a), expr->name);
        return mesh_ex_check_error(checker, expr);
    }
    struct mesh_ex_core *a = mesh_ex_check_value(checker, expr->a, expr);
    struct mesh_ex_core *b = mesh_ex_check_value(checker, expr->args.v[0], expr);
    if (mesh_ex_check_is_error(a) || mesh_ex_check_is_error(b))
        return mesh_ex_check_error(checker, expr);
    if (a->type.kind != MESH_GEN_STRING)
        return wrong_receiver(checker, expr, a, "a text");
    if (b->type.kind == MESH_GEN_STRING)
        return mesh_ex_core_new(checker, op, plain(MESH_GEN_BOOL), expr, a, b, NULL);
    mesh_diag_add(checker->diags, MESH_ERROR, "ME005", b->ex->at, "%s() takes a text, and %s is %s", expr->name,
                  mesh_ex_text(checker, b->ex), mesh_ex_type_text(checker, &b->type));
    return mesh_ex_check_error(checker, expr);
}

static struct mesh_ex_core *check_time(struct mesh_ex_checker *checker, struct mesh_expr *expr, size_t method)
{
    if (expr->args.n != 0) {
        struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, expr->args.n == 1 ? "ME010" : "ME005",
                                               expr->args.v[0]->at, "%s() takes no time zone: it counts in UTC", expr->name);
        mesh_diag_why(checker->diags, diag,
                      "the rules of time zones change with the machine, and the same input must give the same answer");
        mesh_diag_fix(checker->diags, diag, "write %s.%s()", mesh_ex_text(checker, expr->a), expr->name);
        return mesh_ex_check_error(checker, expr);
    }
    struct mesh_ex_core *a = mesh_ex_check_value(checker, expr->a, expr);
    if (mesh_ex_check_is_error(a))
        return mesh_ex_check_error(checker, expr);
    bool of_day = time_methods[method].part >= MESH_PART_HOURS;
    struct mesh_ex_core *core = NULL;
    if (a->type.kind == MESH_GEN_DURATION && time_methods[method].unit_us != 0) {
        core = mesh_ex_core_new(checker, MESH_CORE_SPAN, plain(MESH_GEN_INT), expr, a, NULL, NULL);
        core->unit_us = time_methods[method].unit_us;
    } else if (a->type.kind == MESH_GEN_DURATION && time_methods[method].part == MESH_PART_MILLIS) {
        return refuse(checker, expr, "CEL's versions disagree what it means; compare durations: d > duration(\"250ms\")");
    } else if (a->type.kind == MESH_GEN_TIMESTAMP || (a->type.kind == MESH_GEN_DATE && !of_day)) {
        core = mesh_ex_core_new(checker, MESH_CORE_TIME, plain(MESH_GEN_INT), expr, a, NULL, NULL);
        core->part = time_methods[method].part;
    } else {
        return wrong_receiver(checker, expr, a, of_day ? "a timestamp or a duration" : "a timestamp or a date");
    }
    return mesh_ex_core_refold(checker, core);
}

struct mesh_ex_core *mesh_ex_check_method(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    for (size_t i = 0; i < MESH_LEN(text_methods); i++) {
        if (strcmp(text_methods[i].name, expr->name) == 0)
            return check_text(checker, expr, text_methods[i].op);
    }
    for (size_t i = 0; i < MESH_LEN(time_methods); i++) {
        if (strcmp(time_methods[i].name, expr->name) == 0)
            return check_time(checker, expr, i);
    }
    for (size_t i = 0; i < MESH_LEN(left_out); i++) {
        if (strcmp(left_out[i].name, expr->name) == 0)
            return refuse(checker, expr, left_out[i].fix);
    }
    if (expr->a->kind == MESH_EX_NAME && strcmp(expr->a->name, "math") == 0)
        return refuse(checker, expr, "write it with + - * and ?:");
    return unknown(checker, expr);
}
