/* Types and C of expressions over a record that has one member of every type; what a place wants; narrowing; labels. */
#include "../check.h"
#include "codegen/expr.h"

#include <stdlib.h>

static struct mesh_arena arena;
static struct mesh_diags diags;
static struct mesh_scope scope;
static struct mesh_gen_shape record, rates, old;

static const char avsc[] =
    "{\"type\":\"record\",\"name\":\"t.R\",\"label\":\"internal\",\"fields\":["
    "{\"name\":\"b\",\"type\":\"boolean\"},{\"name\":\"nb\",\"type\":[\"null\",\"boolean\"]},"
    "{\"name\":\"i\",\"type\":\"long\"},{\"name\":\"ni\",\"type\":[\"null\",\"long\"]},{\"name\":\"j\",\"type\":\"int\"},"
    "{\"name\":\"d\",\"type\":\"double\"},{\"name\":\"nd\",\"type\":[\"null\",\"double\"]},"
    "{\"name\":\"m\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":12,\"scale\":2}},"
    "{\"name\":\"nm\",\"type\":[\"null\",{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":12,\"scale\":2}]},"
    "{\"name\":\"m6\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":18,\"scale\":6}},"
    "{\"name\":\"m30\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":38,\"scale\":30}},"
    "{\"name\":\"s\",\"type\":\"string\",\"label\":\"personal\",\"subject\":\"customer\"},"
    "{\"name\":\"ns\",\"type\":[\"null\",\"string\"],\"label\":\"special\",\"subject\":\"patient\"},"
    "{\"name\":\"y\",\"type\":\"bytes\"},"
    "{\"name\":\"ch\",\"type\":{\"type\":\"enum\",\"name\":\"Channel\",\"symbols\":[\"WEB\",\"SHOP\"]}},"
    "{\"name\":\"nch\",\"type\":[\"null\",\"Channel\"]},"
    "{\"name\":\"me\",\"type\":{\"type\":\"enum\",\"name\":\"Method\",\"symbols\":[\"CREDIT\",\"DEBIT\"]}},"
    "{\"name\":\"t\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}},"
    "{\"name\":\"nt\",\"type\":[\"null\",{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}]},"
    "{\"name\":\"day\",\"type\":{\"type\":\"int\",\"logicalType\":\"date\"}},"
    "{\"name\":\"at\",\"type\":{\"type\":\"record\",\"name\":\"Place\",\"fields\":[{\"name\":\"lat\",\"type\":\"double\"},"
    "{\"name\":\"hint\",\"type\":[\"null\",\"string\"]}]}},"
    "{\"name\":\"nat\",\"type\":[\"null\",\"Place\"]},"
    "{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":\"string\"}}]}";

static void add(struct mesh_gen_shape *shape, const char *name, struct mesh_gen_type type, enum mesh_label label)
{
    *mesh_vec_push_in(&arena, &shape->members) =
        (struct mesh_gen_member){.name = name, .cname = name, .type = type, .label = label};
}

static struct mesh_gen_type decimal(int precision, int scale, bool nullable)
{
    return (struct mesh_gen_type){.kind = MESH_GEN_DECIMAL, .precision = precision, .scale = scale, .nullable = nullable};
}

static struct mesh_gen_type plain(enum mesh_gen_kind kind, bool nullable)
{
    return (struct mesh_gen_type){.kind = kind, .nullable = nullable};
}

static void fresh(void)
{
    mesh_arena_reset(&arena);
    diags = (struct mesh_diags){.arena = &arena};
    struct mesh_schema *schema = mesh_schema_parse(&arena, mesh_source_new(&arena, "r.avsc", avsc, strlen(avsc)), &diags);
    struct mesh_gen_type type;
    mesh_gen_type_of_schema(schema, &arena, &type);
    record = *type.shape;
    rates = (struct mesh_gen_shape){.cname = "rate"};
    add(&rates, "eur", decimal(18, 6, false), MESH_PUBLIC);
    add(&rates, "usd", decimal(18, 6, true), MESH_PUBLIC);
    old = (struct mesh_gen_shape){.cname = "old"};
    add(&old, "n", plain(MESH_GEN_INT, false), MESH_PSEUDONYMOUS);
    add(&old, "x", plain(MESH_GEN_INT, true), MESH_PUBLIC);
    scope = (struct mesh_scope){.shape = &record, .c_prefix = "r->"};
    *mesh_vec_push_in(&arena, &scope.entries) =
        (struct mesh_scope_entry){.name = "rates", .is_namespace = true, .shape = &rates, .c_prefix = "rates->"};
    *mesh_vec_push_in(&arena, &scope.entries) = (struct mesh_scope_entry){.name = "old",
                                                                          .is_namespace = true,
                                                                          .shape = &old,
                                                                          .c_prefix = "old->",
                                                                          .c_present = "old != NULL",
                                                                          .type = {.nullable = true}};
    *mesh_vec_push_in(&arena, &scope.entries) =
        (struct mesh_scope_entry){.name = "u", .type = plain(MESH_GEN_DURATION, false), .c_value = "u"};
}

static struct mesh_expr *parse(const char *text)
{
    const struct mesh_source *source = mesh_source_new(&arena, "t.yaml", text, strlen(text));
    return mesh_expr_parse(&arena, &diags, text, (struct mesh_srcref){source, 0, (uint32_t)strlen(text)});
}

static const char *said(void)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_puts(&out, "");
    for (size_t i = 0; i < diags.list.n; i++)
        mesh_buf_printf(&out, "%s%s", i == 0 ? "" : "; ", diags.list.v[i]->text);
    return mesh_arena_strdup(&arena, out.p);
}

static const char *type_text(const struct mesh_gen_type *type)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_gen_type_describe(type, &text);
    return mesh_arena_strdup(&arena, text.p);
}

static const char *c_of(const struct mesh_expr *expr)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_expr_emit(expr, &text);
    CHECK_EQ_I64(strstr(text.p, "&fault") != NULL, mesh_expr_can_fault(expr));
    if (mesh_expr_type(expr).nullable) {
        mesh_buf_puts(&text, " | ");
        mesh_expr_emit_present(expr, &text);
    }
    return mesh_arena_strdup(&arena, text.p);
}

/* "type: C" or "type: C | present"; or what was said. */
static const char *compiled(const char *text, const struct mesh_gen_type *want)
{
    fresh();
    struct mesh_expr *expr = parse(text);
    if (expr == NULL)
        return said();
    struct mesh_gen_type type = mesh_expr_check(expr, &arena, &diags, &scope, NULL, want, "'place'", NULL);
    CHECK_EQ_I64(type.kind == MESH_GEN_ERROR, diags.n_errors > 0);
    if (type.kind == MESH_GEN_ERROR)
        return said();
    return mesh_arena_printf(&arena, "%s: %s%s%s", type_text(&type), c_of(expr), diags.n_warnings > 0 ? " -- " : "", said());
}

#define EACH(table) (size_t i = 0; i < sizeof table / sizeof table[0]; i++)

CASE(values)
{
    static const char *const table[][2] = {
        {"b", "bool: r->b"},
        {"nb", "bool or null: r->nb | r->nb_set"},
        {"rates.eur", "decimal(18,6): rates->eur"},
        {"rates.usd", "decimal(18,6) or null: rates->usd | rates->usd_set"},
        {"at.lat", "double: r->at.lat"},
        {"at.hint", "string or null: r->at.hint | r->at.hint_set"},
        {"nat.lat", "double or null: r->nat.lat | r->nat_set"},
        {"nat.hint", "string or null: r->nat.hint | r->nat_set && r->nat.hint_set"},
        {"old.n", "int or null: old != NULL ? old->n : 0 | old != NULL"},
        {"old.x", "int or null: (old != NULL && old->x_set) ? old->x : 0 | old != NULL && old->x_set"},
        {"has(old) ? old.n : 7", "int: old != NULL ? old->n : 7"},
        {"old != null && old.x != null && old.x > 3", "bool: old != NULL && old->x_set && old->x > 3"},
        {"has(old.x) ? old.x : null", "int or null: (old != NULL && old->x_set) ? old->x : 0 | old != NULL && old->x_set"},
        {"1", "int: 1"},
        {"-5", "int: -5"},
        {"3000000000", "int: INT64_C(3000000000)"},
        {"-3000000000", "int: -INT64_C(3000000000)"},
        {"-9223372036854775808", "int: INT64_MIN"},
        {"-2147483648", "int: -INT64_C(2147483648)"},
        {"1.0", "double: 1.0"},
        {"-0.0", "double: -0.0"},
        {"0.1", "double: 0.1"},
        {"1e300", "double: 1e+300"},
        {"true", "bool: true"},
        {"\"a\"", "string: MESH_STR(\"a\")"},
        {"'a\"b\\\\\\n\\x01?\?='", "string: MESH_STR(\"a\\\"b\\\\\\n\\001?\\?=\")"},
        {"'\303\274 \\u202e \342\202\254'", "string: MESH_STR(\"\303\274 \\342\\200\\256 \342\202\254\")"},
        {"b'\\xff\\x00'", "bytes: MESH_STR(\"\\377\\000\")"},
        {"'a' + 'b'", "string: MESH_STR(\"ab\")"},
        {"duration(\"1h30m\")", "duration: INT64_C(5400000000) /* 1h30m */"},
        {"duration(\"-1.5s\")", "duration: -1500000"},
        {"timestamp(\"2026-11-21T02:59:29Z\")", "timestamp: INT64_C(1795229969000000) /* 2026-11-21T02:59:29Z */"},
        {"timestamp(\"2026-11-21T03:59:29.5+01:00\")", "timestamp: INT64_C(1795229969500000) /* 2026-11-21T02:59:29.500Z */"},
    };
    for
        EACH(table)
    CHECK_STR(compiled(table[i][0], NULL), table[i][1]);
}

CASE(arithmetic)
{
    static const char *const table[][2] = {
        {"i + 1", "int: mesh_add(&fault, r->i, 1)"},
        {"i - j * 2", "int: mesh_sub(&fault, r->i, mesh_mul(&fault, r->j, 2))"},
        {"-i % 7", "int: mesh_mod(&fault, mesh_neg(&fault, r->i), 7)"},
        {"1 + 2 * 3", "int: 7"},
        {"d + 1.5 * d", "double: r->d + 1.5 * r->d"},
        {"(d + 1.5) * -d", "double: (r->d + 1.5) * -r->d"},
        {"d - (d - d)", "double: r->d - (r->d - r->d)"},
        {"d - -1.0", "double: r->d - -1.0"},
        {"-(-d)", "double: -(-r->d)"},
        {"d / 2", "double: r->d / 2.0"},
        {"2 / d", "double: 2.0 / r->d"},
        {"1 + 0.5", "double: 1.5"},
        {"m + m", "decimal(38,2): mesh_dec_add(&fault, r->m, r->m)"},
        {"m + m6", "decimal(38,6): mesh_dec_add(&fault, mesh_dec_mul(&fault, r->m, 10000), r->m6)"},
        {"m - 1", "decimal(38,2): mesh_dec_sub(&fault, r->m, 100)"},
        {"m + i", "decimal(38,2): mesh_dec_add(&fault, r->m, (mesh_dec)r->i * 100)"},
        {"m30 + i",
         "decimal(38,30): mesh_dec_add(&fault, r->m30, mesh_dec_mul(&fault, r->i, (((mesh_dec)INT64_C(54210108624) << 64) | "
         "(mesh_dec)UINT64_C(5076944270305263616))))"},
        {"m * m6", "decimal(38,8): mesh_dec_mul(&fault, r->m, r->m6)"},
        {"m * i", "decimal(38,2): mesh_dec_mul(&fault, r->m, (mesh_dec)r->i)"},
        {"m * 1.19", "decimal(38,4): mesh_dec_mul(&fault, r->m, 119)"},
        {"m + 0.005", "decimal(38,3): mesh_dec_add(&fault, mesh_dec_mul(&fault, r->m, 10), 5)"},
        {"m * 1e3", "decimal(38,2): mesh_dec_mul(&fault, r->m, 1000)"},
        {"m * 2.50", "decimal(38,3): mesh_dec_mul(&fault, r->m, 25)"},
        {"-m", "decimal(12,2): mesh_dec_sub(&fault, 0, r->m)"},
        {"m * (b ? 1.5 : 2.25)", "decimal(38,4): mesh_dec_mul(&fault, r->m, r->b ? 150 : 225)"},
        {"decimal(m / 3, 14, 2)", "decimal(14,2): mesh_dec_div(&fault, r->m, 2, 3, 0, 2, 14)"},
        {"decimal(i / j, 10, 4)", "decimal(10,4): mesh_dec_div(&fault, (mesh_dec)r->i, 0, (mesh_dec)r->j, 0, 4, 10)"},
        {"decimal(1.0 / 3.0, 10, 4)", "decimal(10,4): 3333"},
        {"decimal(d / d, 10, 4)", "decimal(10,4): mesh_double_dec(&fault, r->d / r->d, 4, 10)"},
        {"decimal(m * m6, 14, 2)", "decimal(14,2): mesh_dec_rescale(&fault, mesh_dec_mul(&fault, r->m, r->m6), 8, 2, 14)"},
        {"decimal(m, 14, 2)", "decimal(12,2): r->m"},
        {"decimal(m, 10, 2)", "decimal(10,2): mesh_dec_rescale(&fault, r->m, 2, 2, 10)"},
        {"decimal(i, 10, 2)", "decimal(10,2): mesh_dec_rescale(&fault, (mesh_dec)r->i, 0, 2, 10)"},
        {"decimal(2.675, 10, 2)", "decimal(10,2): 268"},
        {"decimal(2.665, 10, 2)", "decimal(10,2): 266"},
        {"decimal(-0.125, 10, 2)", "decimal(10,2): -12"},
        {"t - t", "duration: mesh_sub(&fault, r->t, r->t)"},
        {"t + u - duration(\"1s\")", "timestamp: mesh_sub(&fault, mesh_add(&fault, r->t, u), 1000000 /* 1s */)"},
        {"u + t", "timestamp: mesh_add(&fault, u, r->t)"},
        {"u + u - -u", "duration: mesh_sub(&fault, mesh_add(&fault, u, u), mesh_neg(&fault, u))"},
        {"day - day", "duration: mesh_sub(&fault, r->day, r->day)"},
    };
    for
        EACH(table)
    CHECK_STR(compiled(table[i][0], NULL), table[i][1]);
}

CASE(comparisons)
{
    static const char *const table[][2] = {
        {"i > 3", "bool: r->i > 3"},
        {"m > 0.0", "bool: r->m > 0"},
        {"m <= 500.00", "bool: r->m <= 50000"},
        {"m == 1.5", "bool: r->m == 150"},
        {"1.5 < m", "bool: 150 < r->m"},
        {"m > 0.005", "bool: r->m > 0"},
        {"m >= 0.005", "bool: r->m > 0"},
        {"m < 0.005", "bool: r->m <= 0"},
        {"m <= -0.005", "bool: r->m <= -1"},
        {"0.005 < m", "bool: 0 < r->m"},
        {"0.005 >= m", "bool: 0 >= r->m"},
        {"m > 1e-60", "bool: r->m > 0"},
        {"m > -1e-60", "bool: r->m > -1"},
        {"m == 0.005", "bool: false -- this is always false"},
        {"m != 0.005", "bool: true -- this is always true"},
        {"m > 3", "bool: r->m > 300"},
        {"m > i", "bool: r->m > (mesh_dec)r->i * 100"},
        {"m < m6", "bool: mesh_dec_mul(&fault, r->m, 10000) < r->m6"},
        {"i > 1.5", "bool: r->i > 1"},
        {"i >= 2.0", "bool: r->i >= 2"},
        {"i == 1.5", "bool: false -- this is always false"},
        {"i < -1.5", "bool: r->i <= -2"},
        {"d > 5", "bool: r->d > 5.0"},
        {"d == 0.1", "bool: r->d == 0.1"},
        {"d == d", "bool: r->d == r->d"},
        {"i == i", "bool: true -- this is always true"},
        {"i < i", "bool: false -- this is always false"},
        {"1 < 2", "bool: true -- this is always true"},
        {"s == \"a\"", "bool: mesh_str_eq(r->s, MESH_STR(\"a\"))"},
        {"s != \"a\"", "bool: !mesh_str_eq(r->s, MESH_STR(\"a\"))"},
        {"!(s != \"a\")", "bool: mesh_str_eq(r->s, MESH_STR(\"a\"))"},
        {"s < \"b\"", "bool: mesh_str_cmp(r->s, MESH_STR(\"b\")) < 0"},
        {"y == b\"a\"", "bool: mesh_str_eq(r->y, MESH_STR(\"a\"))"},
        {"ch == \"WEB\"", "bool: r->ch == 0 /* WEB */"},
        {"\"SHOP\" != ch", "bool: 1 /* SHOP */ != r->ch"},
        {"has(nch) && ch == nch", "bool: r->nch_set && r->ch == r->nch"},
        {"string(ch) == string(me)",
         "bool: mesh_str_eq(((const struct mesh_str[]){{\"WEB\", 3}, {\"SHOP\", 4}})[(uint32_t)r->ch % 2], ((const "
         "struct mesh_str[]){{\"CREDIT\", 6}, "
         "{\"DEBIT\", 5}})[(uint32_t)r->me % 2])"},
        {"b == true", "bool: r->b == true"},
        {"(i > 1) == (i > 2)", "bool: (r->i > 1) == (r->i > 2)"},
        {"!b == b", "bool: (!r->b) == r->b"},
        {"(s != \"a\") == b", "bool: (!mesh_str_eq(r->s, MESH_STR(\"a\"))) == r->b"},
        {"t > timestamp(\"1970-01-01T00:00:10Z\")", "bool: r->t > 10000000 /* 1970-01-01T00:00:10Z */"},
        {"u <= duration(\"10s\")", "bool: u <= 10000000 /* 10s */"},
        {"timestamp(day) == t", "bool: r->day == r->t"},
        {"ns == null", "bool: !r->ns_set"},
        {"null != ns", "bool: r->ns_set"},
        {"s == null", "bool: false -- this is always false"},
        {"null == null", "bool: true"},
        {"ratio(i, j) == null", "bool: !(r->j != 0)"},
        {"s in [\"a\", \"b\"]", "bool: mesh_str_eq(r->s, MESH_STR(\"a\")) || mesh_str_eq(r->s, MESH_STR(\"b\"))"},
        {"ch in [\"WEB\"]", "bool: r->ch == 0 /* WEB */"},
        {"!(ch in [\"WEB\", \"SHOP\"])", "bool: !(r->ch == 0 /* WEB */ || r->ch == 1 /* SHOP */)"},
        {"m in [1, 2.5]", "bool: r->m == 100 || r->m == 250"},
        {"i in []", "bool: false -- this is always false"},
        {"2 in [1, 2]", "bool: true"},
    };
    for
        EACH(table)
    CHECK_STR(compiled(table[i][0], NULL), table[i][1]);
}

CASE(logic_and_functions)
{
    static const char *const table[][2] = {
        {"b && i > 1 || !b", "bool: (r->b && r->i > 1) || !r->b"},
        {"b && (i > 1 || !b)", "bool: r->b && (r->i > 1 || !r->b)"},
        {"b || (b || i > 1)", "bool: r->b || r->b || r->i > 1"},
        {"!(b && i > 1)", "bool: !(r->b && r->i > 1)"},
        {"!!b", "bool: r->b"},
        {"true && b", "bool: r->b"},
        {"b && false", "bool: false"},
        {"i + 1 > 2 && false", "bool: mesh_add(&fault, r->i, 1) > 2 && false"},
        {"b ? i : j", "int: r->b ? r->i : r->j"},
        {"b ? 1 : b ? 2 : 3", "int: r->b ? 1 : r->b ? 2 : 3"},
        {"(b ? 1 : 2) + 1", "int: mesh_add(&fault, r->b ? 1 : 2, 1)"},
        {"b && i > 1 ? s : \"x\"", "string: (r->b && r->i > 1) ? r->s : MESH_STR(\"x\")"},
        {"b ? m : 0", "decimal(12,2): r->b ? r->m : 0"},
        {"b ? m : 1.5", "decimal(12,2): r->b ? r->m : 150"},
        {"b ? m : m6", "decimal(18,6): r->b ? mesh_dec_mul(&fault, r->m, 10000) : r->m6"},
        {"b ? 1 : 2.5", "double: r->b ? 1.0 : 2.5"},
        {"b ? ch : \"SHOP\"", "enum Channel: r->b ? r->ch : 1 /* SHOP */"},
        {"b ? null : i", "int or null: r->b ? 0 : r->i | !r->b"},
        {"b ? ni : i", "int or null: r->b ? r->ni : r->i | !r->b || r->ni_set"},
        {"b ? ni : null", "int or null: r->b ? r->ni : 0 | r->b && r->ni_set"},
        {"b ? ni : (j > 1 ? null : i)", "int or null: r->b ? r->ni : r->j > 1 ? 0 : r->i | r->b ? r->ni_set : !(r->j > 1)"},
        {"true ? i : null", "int: r->i"},
        {"b ? s : null", "string or null: r->b ? r->s : (struct mesh_str){0} | r->b"},
        {"has(ni) ? ni : 0", "int: r->ni_set ? r->ni : 0"},
        {"has(ni) && ni > 1", "bool: r->ni_set && r->ni > 1"},
        {"!has(ni) || ni > 1", "bool: !r->ni_set || r->ni > 1"},
        {"ni == null || ni > 1", "bool: !r->ni_set || r->ni > 1"},
        {"ni == null ? 0 : ni", "int: !r->ni_set ? 0 : r->ni"},
        {"has(ni) && has(nm) ? nm + ni : m",
         "decimal(38,2): (r->ni_set && r->nm_set) ? mesh_dec_add(&fault, r->nm, (mesh_dec)r->ni * 100) : r->m"},
        {"!(ni == null || nm == null) && nm > ni", "bool: !(!r->ni_set || !r->nm_set) && r->nm > (mesh_dec)r->ni * 100"},
        {"has(nb) && nb", "bool: r->nb_set && r->nb"},
        {"has(nat.hint) && nat.hint == \"x\"", "bool: r->nat_set && r->nat.hint_set && mesh_str_eq(r->nat.hint, MESH_STR(\"x\"))"},
        {"has(b)", "bool: true -- this is always true"},
        {"size(s)", "int: mesh_str_size(r->s)"},
        {"size(y)", "int: mesh_bytes_size(r->y)"},
        {"size('a\303\274')", "int: 2"},
        {"size([1, 2])", "int: 2"},
        {"s.startsWith(\"a\") || s.endsWith(s) || s.contains(\"b\")",
         "bool: mesh_str_starts(r->s, MESH_STR(\"a\")) || mesh_str_ends(r->s, r->s) || mesh_str_contains(r->s, MESH_STR(\"b\"))"},
        {"'abc'.contains('b')", "bool: true"},
        {"string(ch).startsWith('W')",
         "bool: mesh_str_starts(((const struct mesh_str[]){{\"WEB\", 3}, {\"SHOP\", 4}})[(uint32_t)r->ch % 2], MESH_STR(\"W\"))"},
        {"t.getFullYear()", "int: mesh_time_year(r->t)"},
        {"t.getMonth() + t.getDate() + t.getDayOfMonth()",
         "int: mesh_add(&fault, mesh_add(&fault, mesh_time_month(r->t), mesh_time_date(r->t)), mesh_time_day_of_month(r->t))"},
        {"t.getDayOfWeek() == 0", "bool: mesh_time_day_of_week(r->t) == 0"},
        {"day.getDayOfYear()", "int: mesh_time_day_of_year(r->day)"},
        {"t.getHours() * t.getMinutes()", "int: mesh_mul(&fault, mesh_time_hours(r->t), mesh_time_minutes(r->t))"},
        {"t.getSeconds() > t.getMilliseconds()", "bool: mesh_time_seconds(r->t) > mesh_time_millis(r->t)"},
        {"u.getHours()", "int: u / INT64_C(3600000000)"},
        {"u.getMinutes() + (u + u).getSeconds()", "int: mesh_add(&fault, u / 60000000, mesh_add(&fault, u, u) / 1000000)"},
        {"timestamp(\"2026-11-21T02:59:29Z\").getHours()", "int: 2"},
        {"int(d)", "int: mesh_double_long(&fault, r->d)"},
        {"int(2.9)", "int: 2"},
        {"int(m)", "int: (r->m / 100 >= INT64_MIN && r->m / 100 <= INT64_MAX) ? (int64_t)(r->m / 100) : (mesh_fail(&fault, "
                   "MESH_FAULT_RANGE), "
                   "(int64_t)0)"},
        {"int(t)", "int: r->t / 1000000 - (r->t % 1000000 < 0)"},
        {"int(i)", "int: r->i"},
        {"0.0 - double(i)", "double: mesh_zero_minus((double)r->i)"},
        {"-0.0 - double(i)", "double: -0.0 - (double)r->i"},
        {"double(i) + double(m)", "double: (double)r->i + mesh_dec_double(r->m, 2)"},
        {"ratio(i, j)", "double or null: mesh_ratio((double)r->i, (double)r->j, &(bool){false}) | r->j != 0"},
        {"ratio(m, d)", "double or null: mesh_ratio(mesh_dec_double(r->m, 2), r->d, &(bool){false}) | r->d != 0.0"},
        {"ratio(i, 2)", "double: mesh_ratio((double)r->i, 2.0, &(bool){false})"},
        {"ratio(i, 0)", "double or null: mesh_ratio((double)r->i, 0.0, &(bool){false}) | false -- this is always null"},
        {"b ? ratio(i, j) : 1.0",
         "double or null: r->b ? mesh_ratio((double)r->i, (double)r->j, &(bool){false}) : 1.0 | !r->b || r->j != 0"},
        {"b ? d : ratio(i, j)",
         "double or null: r->b ? r->d : mesh_ratio((double)r->i, (double)r->j, &(bool){false}) | r->b || r->j != 0"},
        {"string(ch)", "string: ((const struct mesh_str[]){{\"WEB\", 3}, {\"SHOP\", 4}})[(uint32_t)r->ch % 2]"},
        {"string(s)", "string: r->s"},
    };
    for
        EACH(table)
    CHECK_STR(compiled(table[i][0], NULL), table[i][1]);
}

CASE(what_a_place_wants)
{
    fresh();
    struct mesh_gen_type channel = mesh_gen_shape_member(&record, "ch")->type; /* the schema's memory is reused: parse it last */
    struct {
        const char *text;
        struct mesh_gen_type want;
        const char *got;
    } table[] = {
        {"1", decimal(12, 2, false), "decimal(3,2): 100"},
        {"1.5", decimal(12, 2, false), "decimal(3,2): 150"},
        {"1.505", decimal(12, 2, false), "1.505 has more fraction digits than a decimal of scale 2"},
        {"12345678901.0", decimal(12, 2, false), "12345678901.0 does not fit decimal(12,2), which 'place' needs"},
        {"i", decimal(12, 2, false), "decimal(12,2): mesh_dec_rescale(&fault, (mesh_dec)r->i * 100, 2, 2, 12)"},
        {"j", decimal(12, 2, false), "decimal(12,2): (mesh_dec)r->j * 100"},
        {"m", decimal(14, 4, false), "decimal(14,4): mesh_dec_mul(&fault, r->m, 100)"},
        {"m6", decimal(14, 2, false), "'place' needs decimal(14,2), and this is decimal(18,6)"},
        {"m + m", decimal(14, 2, false), "decimal(14,2): mesh_dec_rescale(&fault, mesh_dec_add(&fault, r->m, r->m), 2, 2, 14)"},
        {"d", decimal(14, 2, false), "'place' needs decimal(14,2), and this is double"},
        {"m", decimal(14, 2, true), "decimal(12,2): r->m"},
        {"nm", decimal(14, 2, true), "decimal(12,2) or null: r->nm | r->nm_set"},
        {"nm", decimal(14, 2, false), "nm may be null here"},
        {"ni", decimal(12, 2, true),
         "decimal(12,2) or null: r->ni_set ? mesh_dec_rescale(&fault, (mesh_dec)r->ni * 100, 2, 2, 12) : 0 | r->ni_set"},
        {"null", decimal(14, 2, true), "decimal(14,2) or null: 0 | false"},
        {"null", decimal(14, 2, false), "null has no value to compute with"},
        {"null", plain(MESH_GEN_STRING, true), "string or null: (struct mesh_str){0} | false"},
        {"1", plain(MESH_GEN_DOUBLE, false), "double: 1.0"},
        {"9007199254740993", plain(MESH_GEN_DOUBLE, false), "9007199254740993 does not fit a double"},
        {"i", plain(MESH_GEN_DOUBLE, false), "'place' needs double, and this is int"},
        {"b ? 1 : 2", plain(MESH_GEN_DOUBLE, false), "double: r->b ? 1.0 : 2.0"},
        {"b ? 1 : 2.5", decimal(5, 1, false), "decimal(2,1): r->b ? 10 : 25"},
        {"2.0", plain(MESH_GEN_INT, false), "'place' needs int, and this is double"},
        {"5000000000", (struct mesh_gen_type){.kind = MESH_GEN_INT, .int32 = true}, "5000000000 does not fit 32 bits"},
        {"5", (struct mesh_gen_type){.kind = MESH_GEN_INT, .int32 = true}, "int: 5"},
        {"i", plain(MESH_GEN_BOOL, false), "'place' needs bool, and this is int"},
        {"nb", plain(MESH_GEN_BOOL, false), "nb may be null here"},
        {"ch", plain(MESH_GEN_STRING, false), "'place' needs string, and this is enum Channel"},
        {"day", plain(MESH_GEN_TIMESTAMP, false), "'place' needs timestamp, and this is date"},
        {"\"WEB\"", channel, "enum Channel: 0 /* WEB */"},
        {"b ? \"WEB\" : \"SHOP\"", channel, "enum Channel: r->b ? 0 /* WEB */ : 1 /* SHOP */"},
        {"\"WBE\"", channel, "'WBE' is no symbol of enum Channel"},
        {"s", channel, "'place' needs enum Channel, and this is string"},
        {"me", channel, "'place' needs enum Channel, and this is enum Method"},
    };
    for
        EACH(table)
        {
            fresh();
            if (table[i].want.kind == MESH_GEN_ENUM)
                table[i].want = mesh_gen_shape_member(&record, "ch")->type;
            struct mesh_schema copy = table[i].want.schema == NULL ? (struct mesh_schema){0} : *table[i].want.schema;
            static const char *symbols[] = {"WEB", "SHOP"};
            copy.symbols = symbols;
            copy.name = "t.Channel";
            copy.short_name = "Channel";
            if (table[i].want.schema != NULL)
                table[i].want.schema = &copy;
            CHECK_STR(compiled(table[i].text, &table[i].want), table[i].got);
        }
}

CASE(a_value_alone)
{
    CHECK_STR(compiled("null", NULL), "null alone has no type");
    CHECK_STR(compiled("at", NULL), "a record as a whole is no value");
    CHECK_STR(compiled("tags", NULL), "a list is no value");
    CHECK_STR(compiled("[1]", NULL), "a list stands only behind 'in'");
}

CASE(narrowing_goes_on)
{
    static const char *const table[][2] = {
        {"has(ns)", "ns"},
        {"ns != null && rates.usd != null && b", "ns rates.usd"},
        {"has(ns) || has(ni)", ""},
        {"has(ns) && b || has(ns) && i > 1", "ns"},
        {"!(ns == null || ni == null)", "ns ni"},
        {"b ? has(ns) : has(ns)", ""},
        {"!has(ns)", ""},
        {"has(old) && old.n > 1", "old"},
    };
    for
        EACH(table)
        {
            fresh();
            struct mesh_expr *expr = parse(table[i][0]);
            mesh_expr_check(expr, &arena, &diags, &scope, NULL, NULL, NULL, NULL);
            mesh_expr_narrows(expr, &arena, &scope);
            mesh_expr_narrows(expr, &arena, &scope); /* each once */
            mesh_cleanup(mesh_buf_deinit) struct mesh_buf names = MESH_BUF_NULL;
            mesh_buf_puts(&names, "");
            bool all = true;
            for (size_t k = 0; k < scope.narrowed.n; k++)
                all = all && strstr(table[i][1], scope.narrowed.v[k]) != NULL;
            for (const char *c = table[i][1]; *c != '\0'; c++)
                mesh_buf_puts(&names, *c == ' ' ? " " : "");
            size_t wanted = table[i][1][0] == '\0' ? 0 : names.n + 1;
            CHECK(all);
            CHECK_EQ_I64((int64_t)scope.narrowed.n, (int64_t)wanted);
        }
    fresh();
    *mesh_vec_push_in(&arena, &scope.narrowed) = "ni";
    struct mesh_expr *expr = parse("ni + 1");
    CHECK(mesh_expr_check(expr, &arena, &diags, &scope, NULL, NULL, NULL, NULL).kind == MESH_GEN_INT);
    /* checked again where nothing is known */
    scope.narrowed.n = 0;
    CHECK(mesh_expr_check(expr, &arena, &diags, &scope, NULL, NULL, NULL, NULL).kind == MESH_GEN_ERROR);
}

static void count_member(void *context, const struct mesh_gen_member *member)
{
    mesh_buf_printf(context, " %s", member->name);
}

CASE(labels_join)
{
    static const char *const table[][2] = {
        {"1", "public"},
        {"rates.eur > 1", "public eur"},
        {"i > 1", "internal i"},
        {"has(old) ? old.n : i", "pseudonymous n i"},
        {"s == \"a\" && i > 1", "personal customer s i"},
        {"b ? size(s) : 1", "personal customer b s"},
        {"has(ns) && s == ns", "special patient ns s ns"},
    };
    static const char *const names[] = {"public", "internal", "personal", "special", "pseudonymous"};
    for
        EACH(table)
        {
            fresh();
            struct mesh_expr *expr = parse(table[i][0]);
            mesh_expr_check(expr, &arena, &diags, &scope, NULL, NULL, NULL, NULL);
            const char *subject = NULL;
            mesh_cleanup(mesh_buf_deinit) struct mesh_buf read = MESH_BUF_NULL;
            mesh_buf_puts(&read, "");
            enum mesh_label label = mesh_expr_label(expr, &subject, count_member, &read);
            CHECK_STR(mesh_arena_printf(&arena, "%s%s%s%s", names[label], subject == NULL ? "" : " ",
                                        subject == NULL ? "" : subject, read.p),
                      table[i][1]);
        }
}

CASE(members_and_constants)
{
    fresh();
    struct mesh_expr *expr = parse("rates.eur");
    mesh_expr_check(expr, &arena, &diags, &scope, NULL, NULL, NULL, NULL);
    CHECK(mesh_expr_member(expr) == &rates.members.v[0]);
    CHECK(rates.members.v[0].used && !rates.members.v[1].used);
    CHECK(!mesh_expr_constant(expr) && !mesh_expr_can_fault(expr));
    expr = parse("1 + 2");
    mesh_expr_check(expr, &arena, &diags, &scope, NULL, NULL, NULL, NULL);
    CHECK(mesh_expr_constant(expr) && mesh_expr_member(expr) == NULL);
    expr = parse("i + 2");
    CHECK(!mesh_expr_constant(expr) && mesh_expr_type(expr).kind == MESH_GEN_ERROR); /* not checked yet */
    mesh_expr_check(expr, &arena, &diags, &scope, NULL, NULL, NULL, NULL);
    CHECK(!mesh_expr_constant(expr) && mesh_expr_can_fault(expr));
    mesh_arena_deinit(&arena);
}
