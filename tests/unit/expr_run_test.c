/* The C of seeded random expressions, compiled with all warnings by every compiler at hand, run on rows with every edge, and held
 * against the evaluator of expr_eval_test.c: types, values, nulls and faults must agree. */
#include "expr_eval_test.c"

#include <unistd.h>

#define EXPRESSIONS 500
#define ROWS        24

static struct value rows[ROWS][MEMBERS];
static struct mesh_gen_shape shape;
static struct mesh_scope scope;
static const struct node *trees[EXPRESSIONS];

/* ---- rows ---- */

static int64_t some_int(void)
{
    static const int64_t edges[] = {0, 1, -1, 2, 7, -7, 1000000, INT64_MAX, INT64_MIN, INT64_MAX - 1};
    return below(2) == 0 ? edges[below(10)] : (int64_t)below(2000) - 1000;
}

static double some_double(void)
{
    const double edges[] = {0.0,   -0.0,   1.0,    -1.5, 0.1,      2.675,     1e15,
                            1e300, -1e300, 5e-324, NAN,  INFINITY, -INFINITY, -9223372036854775808.0};
    return below(2) == 0 ? edges[below(14)] : ((double)below(2000001) - 1000000) / 1000;
}

static mesh_dec some_decimal(int precision)
{
    mesh_dec limit = power(precision) - 1;
    const mesh_dec edges[] = {0, 1, -1, limit, -limit, 50, -50, 100};
    return below(2) == 0 ? edges[below(8)] : (mesh_dec)below(2000001) - 1000000;
}

static struct value some_value(int m)
{
    struct value v = {.null = members[m].nullable && below(2) == 0};
    v.b = below(2) == 0;
    v.d = some_double();
    v.dec = members[m].type == DEC ? some_decimal(members[m].precision) : 0;
    v.s = texts[below(8)];
    v.i = members[m].type == ENUM  ? (int64_t)below(3)
          : members[m].type == INT ? some_int()
                                   : ((int64_t)below(8000000) - 4000000) * 1000000000 + (int64_t)below(1000000000);
    if (members[m].type == DUR)
        v.i /= 1000000;
    return v;
}

/* ---- the declaration ---- */

static struct mesh_gen_type type_of(int m, const struct mesh_schema *channel)
{
    static const enum mesh_gen_kind kinds[TYPES] = {
        [BOOL] = MESH_GEN_BOOL,  [INT] = MESH_GEN_INT,   [DOUBLE] = MESH_GEN_DOUBLE,  [DEC] = MESH_GEN_DECIMAL,
        [STR] = MESH_GEN_STRING, [ENUM] = MESH_GEN_ENUM, [TIME] = MESH_GEN_TIMESTAMP, [DUR] = MESH_GEN_DURATION,
    };
    return (struct mesh_gen_type){.kind = kinds[members[m].type],
                                  .nullable = members[m].nullable,
                                  .precision = members[m].precision,
                                  .scale = members[m].scale,
                                  .schema = members[m].type == ENUM ? channel : NULL};
}

static void declare(void)
{
    struct mesh_schema *channel = mesh_arena_new(&arena, struct mesh_schema);
    const char **names = mesh_arena_alloc(&arena, sizeof symbols);
    memcpy(names, symbols, sizeof symbols);
    *channel = (struct mesh_schema){
        .kind = MESH_AVRO_ENUM, .name = "t.Channel", .short_name = "Channel", .symbols = names, .n_symbols = 3};
    for (int m = 0; m < MEMBERS; m++)
        *mesh_vec_push_in(&arena, &shape.members) =
            (struct mesh_gen_member){.name = members[m].name, .cname = members[m].name, .type = type_of(m, channel)};
    scope = (struct mesh_scope){.shape = &shape, .c_prefix = "r->"};
}

/* ---- the program ---- */

static void put_value(struct mesh_buf *out, int m, struct value v)
{
    switch (members[m].type) {
    case BOOL:
        mesh_buf_puts(out, v.b ? "true" : "false");
        return;
    case DOUBLE:
        if (isnan(v.d) || isinf(v.d))
            mesh_buf_puts(out, isnan(v.d) ? "NAN" : v.d > 0 ? "INFINITY" : "-INFINITY");
        else
            mesh_buf_printf(out, "%a", v.d);
        return;
    case DEC:
        mesh_buf_printf(out, "INT64_C(%lld)", (long long)v.dec);
        return;
    case STR:
        mesh_buf_printf(out, "{%s, %zu}", strchr(v.s, '"') != NULL ? "\"x\\\"y\"" : text("\"%s\"", v.s), strlen(v.s));
        return;
    case INT:
    case ENUM:
    case TIME:
    case DUR:
    case TYPES:
        break;
    }
    if (v.i == INT64_MIN)
        mesh_buf_puts(out, "INT64_MIN");
    else
        mesh_buf_printf(out, "%lld", (long long)v.i);
}

static void put_head(struct mesh_buf *out)
{
    mesh_buf_puts(out, "#include \"mesh/expr.h\"\n#include <stdio.h>\n\n"
                       "static const char *number(double v)\n{\n    static char text[64];\n    snprintf(text, sizeof text, v == v "
                       "? \"%a\\n\" : \"nan\\n\", v);\n"
                       "    return text;\n}\n\nstruct rec {\n");
    for (int m = 0; m < MEMBERS; m++) {
        mesh_buf_printf(out, "    %s %s;\n", members[m].c_type, members[m].name);
        if (members[m].nullable)
            mesh_buf_printf(out, "    bool %s_set;\n", members[m].name);
    }
    mesh_buf_puts(out, "};\n\nstatic const struct rec rows[] = {\n");
    for (int i = 0; i < ROWS; i++) {
        mesh_buf_puts(out, "    {");
        for (int m = 0; m < MEMBERS; m++) {
            mesh_buf_printf(out, ".%s = ", members[m].name);
            put_value(out, m, rows[i][m]);
            if (members[m].nullable)
                mesh_buf_printf(out, ", .%s_set = %s", members[m].name, rows[i][m].null ? "false" : "true");
            mesh_buf_puts(out, ", ");
        }
        mesh_buf_puts(out, "},\n");
    }
    mesh_buf_puts(out, "};\n");
}

static const char *const c_types[TYPES] = {"bool",    "int64_t", "double", "mesh_dec", "struct mesh_str",
                                           "int32_t", "int64_t", "int64_t"};
static const char *const c_prints[TYPES] = {
    "printf(\"%d\\n\", v)",
    "printf(\"%lld\\n\", (long long)v)",
    "printf(\"%s\", number(v))",
    "printf(\"%llx:%llx\\n\", (unsigned long long)(v >> 64), (unsigned long long)v)",
    "printf(\"%.*s.\\n\", (int)v.n, v.n == 0 ? \"\" : v.p)",
    "printf(\"%d\\n\", v)",
    "printf(\"%lld\\n\", (long long)v)",
    "printf(\"%lld\\n\", (long long)v)",
};

static void put_function(struct mesh_buf *out, int i, const struct mesh_expr *expr)
{
    const struct node *n = trees[i];
    mesh_buf_printf(out, "\n/* ");
    for (const char *c = n->text; *c != '\0'; c++)
        mesh_buf_putc(out, *c == '*' || *c == '/' ? '.' : *c == '\\' ? '.' : *c);
    mesh_buf_printf(
        out, " */\nstatic void f%d(const struct rec *r)\n{\n    enum mesh_fault fault = MESH_FAULT_NONE;\n    const %s v = ", i,
        c_types[n->type]);
    mesh_expr_emit(expr, out);
    mesh_buf_puts(out, ";\n    const bool there = ");
    mesh_expr_emit_present(expr, out);
    mesh_buf_printf(out,
                    ";\n    (void)r;\n    if (fault != MESH_FAULT_NONE)\n        printf(\"fault %%d\\n\", (int)fault);\n"
                    "    else if (!there)\n        printf(\"null\\n\");\n    else\n        %s;\n",
                    c_prints[n->type]);
    if (n->type == BOOL) { /* as a step emits it: the condition itself */
        mesh_buf_puts(out, "    if (");
        mesh_expr_emit(expr, out);
        mesh_buf_puts(out, ")\n        count++;\n");
    }
    mesh_buf_puts(out, "}\n");
}

static void put_main(struct mesh_buf *out)
{
    mesh_buf_puts(out, "\nint main(void)\n{\n    static void (*const all[])(const struct rec *r) = {");
    for (int i = 0; i < EXPRESSIONS; i++)
        mesh_buf_printf(out, "f%d, ", i);
    mesh_buf_puts(out, "};\n    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {\n"
                       "        for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)\n            all[i](&rows[k]);\n    }\n"
                       "    return count < 0;\n}\n");
}

/* ---- generating ---- */

static bool types_agree(const struct node *n, const struct mesh_gen_type *type)
{
    static const enum mesh_gen_kind kinds[TYPES] = {MESH_GEN_BOOL,   MESH_GEN_INT,  MESH_GEN_DOUBLE,    MESH_GEN_DECIMAL,
                                                    MESH_GEN_STRING, MESH_GEN_ENUM, MESH_GEN_TIMESTAMP, MESH_GEN_DURATION};
    return type->kind == kinds[n->type] && (n->type != DEC || type->scale == n->scale) && (!type->nullable || n->nullable);
}

/* NULL: constants that always fault, which is a diagnostic. */
static struct mesh_expr *compile(const struct node *n)
{
    struct mesh_diags diags = {.arena = &arena};
    struct mesh_expr *expr = mesh_expr_parse(&arena, &diags, n->text, (struct mesh_srcref){0});
    struct mesh_gen_type type = {.kind = MESH_GEN_ERROR};
    if (expr != NULL)
        type = mesh_expr_check(expr, &arena, &diags, &scope, NULL, NULL, NULL, NULL);
    bool always = diags.n_errors > 0;
    for (size_t i = 0; i < diags.list.n; i++)
        always = always && (diags.list.v[i]->severity != MESH_ERROR || strcmp(diags.list.v[i]->code, "ME012") == 0);
    if (diags.n_errors > 0 && !always) {
        mesh_diag_print(&diags, stdout, MESH_DIAG_TEXT, false);
        printf("# %s\n", n->text);
        CHECK(always);
    }
    if (diags.n_errors > 0)
        return NULL;
    CHECK(types_agree(n, &type));
    return expr;
}

static void write_program(struct mesh_buf *out)
{
    put_head(out);
    mesh_buf_puts(out, "\nstatic long count;\n");
    int always = 0;
    for (int i = 0; i < EXPRESSIONS;) {
        struct node *n = gen_top();
        struct mesh_expr *expr = strlen(n->text) > 3000 ? NULL : compile(n);
        always += expr == NULL;
        REQUIRE(always < EXPRESSIONS / 4);
        if (expr == NULL)
            continue;
        trees[i] = n;
        put_function(out, i++, expr);
    }
    put_main(out);
}

/* ---- comparing ---- */

static void expected(const struct node *n, struct value v, char *ret, size_t size)
{
    if (v.null)
        snprintf(ret, size, "null");
    else if (n->type == DOUBLE)
        snprintf(ret, size, isnan(v.d) ? "nan" : "%a", v.d);
    else if (n->type == DEC)
        snprintf(ret, size, "%llx:%llx", (unsigned long long)(v.dec >> 64), (unsigned long long)v.dec);
    else if (n->type == STR)
        snprintf(ret, size, "%s.", v.s);
    else
        snprintf(ret, size, "%lld", (long long)(n->type == BOOL ? v.b : v.i));
}

static bool agrees(const struct node *n, int k, const char *got)
{
    char wanted[200];
    row = rows[k];
    raised = 0;
    struct value v = eval(n);
    int fault = 0;
    if (sscanf(got, "fault %d", &fault) == 1 ? (raised >> fault & 1) != 0 : false)
        return true;
    expected(n, v, wanted, sizeof wanted);
    if (raised == 0 && strcmp(got, wanted) == 0)
        return true;
    printf("# %s\n#   row %d is %s, wanted %s, faults %x\n", n->text, k, got, wanted, raised);
    return false;
}

static void compare_output(FILE *in)
{
    char line[300];
    size_t faults = 0;
    size_t nulls = 0;
    size_t wrong = 0;
    for (int i = 0; i < EXPRESSIONS && wrong < 20; i++) {
        for (int k = 0; k < ROWS; k++) {
            REQUIRE(fgets(line, sizeof line, in) != NULL);
            line[strcspn(line, "\n")] = '\0';
            wrong += !agrees(trees[i], k, line);
            faults += strncmp(line, "fault", 5) == 0;
            nulls += strcmp(line, "null") == 0;
        }
    }
    CHECK_EQ_I64((int64_t)wrong, 0);
    printf("# %d values, %zu faults, %zu nulls\n", EXPRESSIONS * ROWS, faults, nulls);
    CHECK(faults > 300 && faults < EXPRESSIONS * ROWS / 3); /* neither rare nor everything */
    CHECK(nulls > 200);
}

/* ---- compilers ---- */

static const char *root_of(void)
{
    static const char *const places[] = {".", "..", "../..", "../../.."};
    const char *named = getenv("MESH_ROOT");
    for (size_t i = 0; named == NULL && i < MESH_LEN(places); i++) {
        if (access(text("%s/platform/include/mesh/expr.h", places[i]), R_OK) == 0)
            named = places[i];
    }
    return named != NULL ? named : text("%.*s/../..", (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__);
}

static void run_with(const char *compiler, const char *folder, const char *flags)
{
    if (system(text("command -v %s > /dev/null", compiler)) != 0) {
        printf("# no %s here\n", compiler);
        return;
    }
    const char *root = root_of();
    const char *command =
        text("%s -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wundef -Wformat=2 -Wno-format-nonliteral "
             "-Wconversion -Wswitch-enum -Werror -ffp-contract=off %s -I %s/platform/include -I %s/platform %s/run.c "
             "%s/platform/base/expr.c %s/platform/base/check.c -lm -o %s/run 2>&1",
             compiler, flags, root, root, folder, root, root, folder);
    REQUIRE(system(command) == 0); /* without a warning */
    FILE *in = popen(text("%s/run 2>&1", folder), "r");
    REQUIRE(in != NULL);
    compare_output(in);
    CHECK_EQ_I64(pclose(in), 0);
}

CASE(emitted_c_does_what_the_expression_says)
{
    const char *seed = getenv("MESH_SEED");
    mesh_rng_seed(&rng, seed != NULL ? (uint64_t)atoll(seed) : 20261121);
    for (int i = 0; i < ROWS; i++) {
        for (int m = 0; m < MEMBERS; m++)
            rows[i][m] = some_value(m);
    }
    declare();
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf program = MESH_BUF_NULL;
    write_program(&program);
    const char *tmp = getenv("TMPDIR");
    char *folder = text("%s/mesh-expr-XXXXXX", tmp != NULL ? tmp : "/tmp");
    REQUIRE(mkdtemp(folder) != NULL);
    FILE *out = fopen(text("%s/run.c", folder), "w");
    REQUIRE(out != NULL);
    fwrite(program.p, 1, program.n, out);
    fclose(out);
    run_with("gcc", folder, "-O2");
    run_with("clang", folder, "-O0 -fsanitize=undefined -fno-sanitize-recover=undefined");
    if (getenv("MESH_KEEP") == NULL)
        CHECK_EQ_I64(system(text("rm -r %s", folder)), 0);
    else
        printf("# kept %s\n", folder);
    mesh_arena_deinit(&arena);
}
