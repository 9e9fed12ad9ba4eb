/* Writes random expressions for the oracle: what the compiler makes of them as C, and their texts for cel-go.
 *
 *   oracle-cel-generate SEED EXPRESSIONS FOLDER
 *
 * FOLDER/batch<k>.c     programs that print "<id> <row> <value>", "... null" or "... fault <n>", a line for each expression and row;
 *                       expressions without members have one row. Folding has happened before: of these the C is a constant
 * FOLDER/cases.tsv      for the oracle: the rows, then "expr <id> <batch> <kind> open|closed <text> <strict>", and
 *                       "always <part>" for constant parts that the compiler refuses because they always fail (ME012)
 *
 * Exit 1: the compiler refused an expression for another reason; it is printed.
 */
#include "base/check.h"
#include "codegen/expr.h"
#include "random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 1000
#define ROWS  12

struct value {
    bool null, b;
    int64_t i;
    double d;
    const char *hex; /* of texts and bytes */
};

struct generator {
    struct random random;
    struct mesh_arena arena; /* of one batch */
    struct mesh_gen_shape shape;
    struct mesh_scope scope;
    struct value rows[ROWS][32];
    FILE *c, *cases;
    struct mesh_buf calls;
    int n_batches, n_always;
};

static const enum mesh_gen_kind gen_kinds[KINDS] = {MESH_GEN_BOOL,  MESH_GEN_INT,  MESH_GEN_DOUBLE,    MESH_GEN_STRING,
                                                    MESH_GEN_BYTES, MESH_GEN_ENUM, MESH_GEN_TIMESTAMP, MESH_GEN_DURATION};
static const char *const names[KINDS] = {"bool", "int", "double", "string", "bytes", "enum", "time", "duration"};
static const char *const c_types[KINDS] = {"bool",    "int64_t", "double", "struct mesh_str", "struct mesh_str",
                                           "int32_t", "int64_t", "int64_t"};

static uint64_t below(struct generator *g, uint64_t n)
{
    return random_below(&g->random, n);
}

/* ---- rows ---- */

#define TIME_MIN INT64_C(-62135596800000000) /* 0001-01-01T00:00:00Z, and the last microsecond of 9999: CEL's range */
#define TIME_MAX INT64_C(253402300799999999)

static struct value some_value(struct generator *g, const struct member *member)
{
    static const int64_t ints[] = {0, 1, -1, 2, 60, 1000000, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1};
    static const double doubles[] = {
        0.0, -0.0, 1.0, -1.5, 0.1, 1e15, 1e300, -1e300, 5e-324, NAN, INFINITY, -INFINITY, 0x1p63, -0x1p63, 9007199254740993.0};
    static const int64_t times[] = {TIME_MIN, TIME_MAX, 0, -1, 1, 951868799999999, TIME_MIN + 1, -2208988800000001};
    static const int64_t spans[] = {0, 1, -1, 1000000, -3600000000, 9223372036854775, -9223372036854775, 86400000000};
    static const char *const texts[] = {"", "61", "6162", "616263", "62", "c3bc626572", "574542", "782279", "f09f9880", "6127625c"};
    static const char *const bytes[] = {"", "61", "6162", "ff00", "c3bc", "ff"};
    struct value v = {.null = member->nullable && below(g, 2) == 0, .b = below(g, 2) == 0};
    v.d = below(g, 2) == 0 ? doubles[below(g, MESH_LEN(doubles))] : ((double)below(g, 2000001) - 1000000) / 1000;
    switch (member->kind) {
    case TIME:
        v.i = below(g, 8) == 0 ? times[below(g, MESH_LEN(times))] : (int64_t)below(g, 6000000000000000) - 2500000000000000;
        break;
    case DURATION:
        v.i = below(g, 8) == 0 ? spans[below(g, MESH_LEN(spans))] : (int64_t)below(g, 800000000000) - 400000000000;
        break;
    case ENUM:
        v.i = (int64_t)below(g, MESH_LEN(symbols));
        break;
    case BOOL:
    case INT:
    case DOUBLE:
    case STRING:
    case BYTES:
    case KINDS:
        v.i = below(g, 2) == 0 ? ints[below(g, MESH_LEN(ints))] : (int64_t)below(g, 2000) - 1000;
        break;
    }
    v.hex = member->kind == BYTES ? bytes[below(g, MESH_LEN(bytes))] : texts[below(g, MESH_LEN(texts))];
    return v;
}

static const char *int_c(struct generator *g, int64_t v)
{
    return v == INT64_MIN ? "INT64_MIN" : mesh_arena_printf(&g->arena, "INT64_C(%lld)", (long long)v);
}

static const char *double_c(struct generator *g, double v)
{
    if (isnan(v))
        return "NAN";
    return isinf(v) ? v > 0 ? "INFINITY" : "-INFINITY" : mesh_arena_printf(&g->arena, "%a", v);
}

static void put_c_value(struct generator *g, enum kind kind, const struct value *v)
{
    switch (kind) {
    case BOOL:
        fputs(v->b ? "true" : "false", g->c);
        return;
    case DOUBLE:
        fputs(double_c(g, v->d), g->c);
        return;
    case STRING:
    case BYTES:
        fputs("{\"", g->c);
        for (const char *p = v->hex; *p != '\0'; p += 2)
            fprintf(g->c, "\\x%.2s", p);
        fprintf(g->c, "\", %zu}", strlen(v->hex) / 2);
        return;
    case INT:
    case ENUM:
    case TIME:
    case DURATION:
    case KINDS:
        break;
    }
    fputs(kind == ENUM ? mesh_arena_printf(&g->arena, "%d", (int)v->i) : int_c(g, v->i), g->c);
}

static void put_case_value(struct generator *g, enum kind kind, const struct value *v)
{
    if (v->null)
        fputs("null", g->cases);
    else if (kind == BOOL)
        fputs(v->b ? "true" : "false", g->cases);
    else if (kind == DOUBLE)
        fprintf(g->cases, "%a", v->d);
    else if (kind == STRING || kind == BYTES)
        fprintf(g->cases, "x%s", v->hex);
    else if (kind == ENUM)
        fputs(symbols[v->i], g->cases);
    else
        fprintf(g->cases, "%lld", (long long)v->i);
}

/* ---- a batch ---- */

static void put_rows(struct generator *g)
{
    for (int i = 0; i < ROWS; i++) {
        fprintf(g->cases, "row\t%d\t%d", g->n_batches, i);
        fputs("    {", g->c);
        for (int m = 0; m < n_members; m++) {
            struct value *v = &g->rows[i][m];
            *v = some_value(g, &members[m]);
            fprintf(g->cases, "\t%s=%s=", members[m].name, names[members[m].kind]);
            put_case_value(g, members[m].kind, v);
            fprintf(g->c, ".%s = ", members[m].name);
            put_c_value(g, members[m].kind, v);
            if (members[m].nullable)
                fprintf(g->c, ", .%s_set = %s", members[m].name, v->null ? "false" : "true");
            fputs(", ", g->c);
        }
        fputs("},\n", g->c);
        fputs("\n", g->cases);
    }
}

static void begin_batch(struct generator *g, const char *folder)
{
    g->c = fopen(mesh_arena_printf(&g->arena, "%s/batch%d.c", folder, g->n_batches), "w");
    if (g->c == NULL)
        exit(2);
    fputs("#include \"mesh/expr.h\"\n#include <stdio.h>\n\nstruct rec {\n", g->c);
    for (int m = 0; m < n_members; m++) {
        fprintf(g->c, "    %s %s;\n", c_types[members[m].kind], members[m].name);
        if (members[m].nullable)
            fprintf(g->c, "    bool %s_set;\n", members[m].name);
    }
    fputs("};\n\nstatic const struct rec rows[] = {\n", g->c);
    put_rows(g);
    fputs("};\n\n"
          "static void put_bool(bool v) { puts(v ? \"true\" : \"false\"); }\n"
          "static void put_int(int64_t v) { printf(\"%lld\\n\", (long long)v); }\n"
          "static void put_double(double v) { if (v == v) printf(\"%a\\n\", v); else puts(\"nan\"); }\n"
          "static void put_string(struct mesh_str v)\n{\n    putchar('x');\n    for (uint32_t i = 0; i < v.n; i++)\n"
          "        printf(\"%02x\", (unsigned char)v.p[i]);\n    putchar('\\n');\n}\n"
          "static void put_bytes(struct mesh_str v) { put_string(v); }\n"
          "static void put_enum(int32_t v) { puts((const char *[]){\"WEB\", \"SHOP\", \"PHONE\"}[v]); }\n"
          "static void put_time(int64_t v) { put_int(v); }\nstatic void put_duration(int64_t v) { put_int(v); }\n",
          g->c);
    mesh_buf_reset(&g->calls);
}

static void end_batch(struct generator *g)
{
    fprintf(
        g->c,
        "\nint main(void)\n{\n    void *const used[] = {put_bool, put_int, put_double, put_string, put_bytes, put_enum, put_time, "
        "put_duration};\n    if (used[0] == NULL)\n        return 1;\n%s    return 0;\n}\n",
        g->calls.p);
    fclose(g->c);
    g->n_batches++;
    mesh_arena_reset(&g->arena);
}

static void declare(struct generator *g)
{
    struct mesh_schema *channel = mesh_arena_new(&g->arena, struct mesh_schema);
    const char **list = mesh_arena_alloc(&g->arena, sizeof symbols);
    memcpy(list, symbols, sizeof symbols);
    *channel = (struct mesh_schema){
        .kind = MESH_AVRO_ENUM, .name = "t.Channel", .short_name = "Channel", .symbols = list, .n_symbols = MESH_LEN(symbols)};
    g->shape = (struct mesh_gen_shape){.cname = "rec"};
    for (int m = 0; m < n_members; m++)
        *mesh_vec_push_in(&g->arena, &g->shape.members) =
            (struct mesh_gen_member){.name = members[m].name,
                                     .cname = members[m].name,
                                     .type = {.kind = gen_kinds[members[m].kind],
                                              .nullable = members[m].nullable,
                                              .schema = members[m].kind == ENUM ? channel : NULL}};
    g->scope = (struct mesh_scope){0};
    *mesh_vec_push_in(&g->arena, &g->scope.entries) =
        (struct mesh_scope_entry){.name = "r", .is_namespace = true, .shape = &g->shape, .c_prefix = "r->"};
}

/* ---- an expression ---- */

/* 1: constant parts that always fail, which the oracle is asked to confirm. */
static int refused(struct generator *g, const struct mesh_diags *diags, const char *text)
{
    bool other = false;
    for (size_t i = 0; i < diags->list.n; i++) {
        const struct mesh_diag *diag = diags->list.v[i];
        if (diag->severity != MESH_ERROR)
            continue;
        if (strcmp(diag->code, "ME012") == 0)
            fprintf(g->cases, "always\t%.*s\n", (int)(diag->at.end - diag->at.begin), text + diag->at.begin);
        else
            other = true;
    }
    if (!other)
        return 1;
    printf("refused: %s\n", text);
    mesh_diag_print(diags, stdout, MESH_DIAG_TEXT, false);
    exit(1);
}

static void put_function(struct generator *g, int id, enum kind kind, const struct mesh_expr *expr)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_printf(
        &out,
        "\nstatic void f%d(int row, const struct rec *r)\n{\n    enum mesh_fault fault = MESH_FAULT_NONE;\n    const %s v = ", id,
        c_types[kind]);
    mesh_expr_emit(expr, &out);
    mesh_buf_puts(&out, ";\n    const bool there = ");
    mesh_expr_emit_present(expr, &out);
    mesh_buf_printf(
        &out,
        ";\n    (void)r;\n    printf(\"%d %%d \", row);\n    if (fault != MESH_FAULT_NONE)\n        printf(\"fault %%s\\n\", "
        "mesh_fault_code(fault));\n    else if (!there)\n        puts(\"null\");\n    else\n        put_%s(v);\n}\n",
        id, names[kind]);
    fwrite(out.p, 1, out.n, g->c);
}

/* False: it was no expression to run. */
static bool one(struct generator *g, int id)
{
    g->random.closed = below(g, 4) == 0;
    static const enum kind tops[] = {BOOL, BOOL, BOOL, INT, INT, INT, INT, DOUBLE, STRING, BYTES, ENUM, TIME, DURATION};
    enum kind kind = tops[below(g, MESH_LEN(tops))];
    if (g->random.closed && kind == ENUM)
        kind = STRING;
    const char *cel = NULL;
    struct text text = random_top(&g->random, kind, &cel);
    if (strlen(text.plain) >= MESH_EXPR_BYTES_MAX || strlen(text.strict) > 20000)
        return false;
    struct mesh_diags diags = {.arena = &g->arena};
    struct mesh_srcref at = {.source = mesh_source_new(&g->arena, "expression", text.plain, strlen(text.plain)),
                             .end = (uint32_t)strlen(text.plain)};
    struct mesh_expr *expr = mesh_expr_parse(&g->arena, &diags, text.plain, at);
    if (expr != NULL)
        mesh_expr_check(expr, &g->arena, &diags, &g->scope, NULL, NULL, NULL, NULL);
    if (diags.n_errors > 0) {
        g->n_always += refused(g, &diags, text.plain);
        return false;
    }
    put_function(g, id, kind, expr);
    fprintf(g->cases, "expr\t%d\t%d\t%s\t%s\t%s\t%s\n", id, g->n_batches, names[kind], g->random.closed ? "closed" : "open", cel,
            text.strict);
    if (g->random.closed)
        mesh_buf_printf(&g->calls, "    f%d(0, &rows[0]);\n", id);
    else
        mesh_buf_printf(&g->calls, "    for (int i = 0; i < %d; i++)\n        f%d(i, &rows[i]);\n", ROWS, id);
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    static struct generator g;
    g.random.arena = &g.arena;
    mesh_rng_seed(&g.random.rng, (uint64_t)atoll(argv[1]));
    int n = atoi(argv[2]);
    g.cases = fopen(mesh_arena_printf(&g.arena, "%s/cases.tsv", argv[3]), "w");
    if (g.cases == NULL)
        return 2;
    for (int id = 0; id < n;) {
        begin_batch(&g, argv[3]);
        declare(&g);
        for (int end = id + BATCH < n ? id + BATCH : n; id < end;)
            id += one(&g, id);
        end_batch(&g);
    }
    fclose(g.cases);
    mesh_buf_deinit(&g.calls);
    mesh_arena_deinit(&g.arena);
    printf("# %d expressions, %d refused because a constant part always fails\n", n, g.n_always);
    return 0;
}
