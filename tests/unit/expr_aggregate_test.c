/* Aggregates of a `let`: which source, argument, condition, type and name; and the C around them. */
#include "../check.h"
#include "codegen/expr.h"

#include <stdlib.h>

static struct mesh_arena arena;
static struct mesh_diags diags;
static struct mesh_scope row, one, several;
static struct mesh_aggregates aggregates;

static const char order_avsc[] =
    "{\"type\":\"record\",\"name\":\"t.Order\",\"label\":\"internal\",\"fields\":["
    "{\"name\":\"amount\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":12,\"scale\":2}},"
    "{\"name\":\"qty\",\"type\":\"int\"},{\"name\":\"big\",\"type\":\"long\"},{\"name\":\"weight\",\"type\":\"double\"},"
    "{\"name\":\"gift\",\"type\":[\"null\",\"long\"]},{\"name\":\"qty_n\",\"type\":\"int\"},"
    "{\"name\":\"email\",\"type\":\"string\",\"label\":\"personal\",\"subject\":\"customer\"},"
    "{\"name\":\"web\",\"type\":\"boolean\"},"
    "{\"name\":\"channel\",\"type\":{\"type\":\"enum\",\"name\":\"Channel\",\"symbols\":[\"WEB\",\"SHOP\"]}},"
    "{\"name\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}}]}";

static void space(struct mesh_scope *scope, const char *name, const struct mesh_gen_shape *shape, uint32_t source)
{
    *mesh_vec_push_in(&arena, &scope->entries) = (struct mesh_scope_entry){
        .name = name, .is_namespace = true, .shape = shape, .c_prefix = "r->", .is_source = true, .source = source};
}

static void fresh(void)
{
    mesh_arena_reset(&arena);
    diags = (struct mesh_diags){.arena = &arena};
    aggregates = (struct mesh_aggregates){0};
    struct mesh_schema *schema =
        mesh_schema_parse(&arena, mesh_source_new(&arena, "o.avsc", order_avsc, strlen(order_avsc)), &diags);
    struct mesh_gen_type order;
    mesh_gen_type_of_schema(schema, &arena, &order);
    one = (struct mesh_scope){.shape = order.shape, .c_prefix = "r->"};
    space(&one, "clean", order.shape, 0);
    several = (struct mesh_scope){0};
    space(&several, "orders", order.shape, 0);
    space(&several, "returns", order.shape, 1);
    row = (struct mesh_scope){0};
    *mesh_vec_push_in(&arena, &row.entries) = (struct mesh_scope_entry){
        .name = "spend", .type = {.kind = MESH_GEN_DECIMAL, .precision = 38, .scale = 2}, .c_value = "out->spend"};
    *mesh_vec_push_in(&arena, &row.entries) = (struct mesh_scope_entry){
        .name = "mean", .type = {.kind = MESH_GEN_DOUBLE, .nullable = true}, .c_value = "out->mean", .c_present = "out->mean_set"};
    /* a let may have the name of a source */
    *mesh_vec_push_in(&arena, &row.entries) =
        (struct mesh_scope_entry){.name = "orders", .type = {.kind = MESH_GEN_INT}, .c_value = "out->orders"};
}

static const char *said(void)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_puts(&out, "");
    for (size_t i = 0; i < diags.list.n; i++) {
        const struct mesh_diag *d = diags.list.v[i];
        mesh_buf_printf(&out, "%s%s %u-%u %s", i == 0 ? "" : "\n", d->code, d->at.begin, d->at.end, d->text);
        if (d->why != NULL)
            mesh_buf_printf(&out, " {%s}", d->why);
        if (d->fix != NULL)
            mesh_buf_printf(&out, " <%s>", d->fix);
        for (size_t k = 0; k < d->n_notes; k++)
            mesh_buf_printf(&out, " (%u-%u %s)", d->notes[k].at.begin, d->notes[k].at.end, d->notes[k].text);
    }
    return mesh_arena_strdup(&arena, out.p);
}

static struct mesh_expr *check(const char *text, const struct mesh_scope *records)
{
    const struct mesh_source *source = mesh_source_new(&arena, "p.yaml", text, strlen(text));
    struct mesh_expr *expr = mesh_expr_parse(&arena, &diags, text, (struct mesh_srcref){source, 0, (uint32_t)strlen(text)});
    if (expr != NULL)
        mesh_expr_check(expr, &arena, &diags, &row, records, NULL, "'let'", &aggregates);
    return expr;
}

static void value(void *context, const struct mesh_aggregate *aggregate, struct mesh_buf *out)
{
    CHECK_STR(context, "context");
    CHECK(aggregate >= aggregates.list.v && aggregate < aggregates.list.v + aggregates.list.n); /* of the list itself */
    mesh_buf_printf(out, "row->%s", aggregate->cname);
}

static void present(void *context, const struct mesh_aggregate *aggregate, struct mesh_buf *out)
{
    CHECK_STR(context, "context");
    mesh_buf_printf(out, "row->%s_set", aggregate->cname);
}

static char context_text[] = "context";
static const struct mesh_expr_aggregate_c names = {value, present, context_text};

static void describe(struct mesh_buf *out, const struct mesh_aggregate *a)
{
    mesh_buf_printf(out, "; %s%s = %s of %u: ", a->cname, a->shared ? " (shared)" : "", mesh_expr_aggregate_name(a->fn), a->source);
    if (a->arg != NULL) {
        mesh_expr_emit(a->arg, out);
        CHECK(!a->arg_type.nullable);
    }
    if (a->cond != NULL) {
        mesh_buf_puts(out, " if ");
        mesh_expr_emit(a->cond, out);
    }
}

/* "type: C | present; aggregates", or what was said. */
static const char *compiled(const char *text, const struct mesh_scope *records)
{
    struct mesh_expr *expr = check(text, records);
    if (expr == NULL || diags.n_errors > 0)
        return said();
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    struct mesh_gen_type type = mesh_expr_type(expr);
    mesh_gen_type_describe(&type, &out);
    mesh_buf_puts(&out, ": ");
    mesh_expr_emit_let(expr, &names, &out);
    if (type.nullable) {
        mesh_buf_puts(&out, " | ");
        mesh_expr_emit_let_present(expr, &names, &out);
    }
    for (size_t i = 0; i < aggregates.list.n; i++)
        describe(&out, &aggregates.list.v[i]);
    return mesh_arena_strdup(&arena, out.p);
}

#define WHY                                                                                                                        \
    "{sum, avg, variance, quantile and ewma take numbers, min and max what has an order, top anything but doubles and decimals, collect numbers, texts and bools, first, last, minBy, maxBy and distinct any value}"

CASE(one_source)
{
    static const char *const table[][2] = {
        {"count()", "int: row->count; count = count of 0: "},
        {"count(clean)", "int: row->count; count = count of 0: "},
        {"count(web)", "int: row->count; count = count of 0:  if r->web"},
        {"count(clean, qty > 1)", "int: row->count; count = count of 0:  if r->qty > 1"},
        {"count(channel == \"WEB\")", "int: row->count; count = count of 0:  if r->channel == 0 /* WEB */"},
        {"sum(amount)", "decimal(38,2): row->sum_amount; sum_amount = sum of 0: r->amount"},
        {"sum(amount, web)", "decimal(38,2): row->sum_amount; sum_amount = sum of 0: r->amount if r->web"},
        {"sum(qty)", "int: row->sum_qty; sum_qty = sum of 0: r->qty"},
        {"sum(amount * 2)", "decimal(38,2): row->sum; sum = sum of 0: mesh_dec_mul(&fault, r->amount, 2)"},
        {"sum(weight)", "double: row->sum_weight; sum_weight = sum of 0: r->weight"},
        {"sum(at - at)", "duration: row->sum; sum = sum of 0: mesh_sub(&fault, r->at, r->at)"},
        {"avg(amount)", "double or null: row->avg_amount | row->avg_amount_set; avg_amount = avg of 0: r->amount"},
        {"variance(weight)",
         "double or null: row->variance_weight | row->variance_weight_set; variance_weight = variance of 0: r->weight"},
        {"min(amount)", "decimal(12,2) or null: row->min_amount | row->min_amount_set; min_amount = min of 0: r->amount"},
        {"max(at)", "timestamp or null: row->max_at | row->max_at_set; max_at = max of 0: r->at"},
        {"min(email)", "string or null: row->min_email | row->min_email_set; min_email = min of 0: r->email"},
        {"last(channel)", "enum Channel or null: row->last_channel | row->last_channel_set; last_channel = last of 0: r->channel"},
        {"first(web)", "bool or null: row->first_web | row->first_web_set; first_web = first of 0: r->web"},
        {"last(gift)", "int or null: row->last_gift | row->last_gift_set; last_gift = last of 0: r->gift"},
        {"sum(gift)", "int: row->sum_gift; sum_gift = sum of 0: r->gift"},
        {"sum(gift + 1, has(gift))", "int: row->sum; sum = sum of 0: mesh_add(&fault, r->gift, 1) if r->gift_set"},
        {"distinct(email)", "int: row->distinct_email; distinct_email = distinct of 0: r->email"},
        {"distinct(channel, web)", "int: row->distinct_channel; distinct_channel = distinct of 0: r->channel if r->web"},
        {"top(channel, 2, qty, web)",
         "enum Channel or null: row->top_channel | row->top_channel_set; top_channel = top of 0: r->channel if r->web"},
        {"topWeight(channel, 2)",
         "int or null: row->topWeight_channel | row->topWeight_channel_set; topWeight_channel = top of 0: r->channel"},
        {"collect(email, 3)",
         "string or null: row->collect_email | row->collect_email_set; collect_email = collect of 0: r->email"},
        {"minBy(email, qty)", "string or null: row->minBy_email | row->minBy_email_set; minBy_email = minBy of 0: r->email"},
        {"stddev(qty)", "double or null: row->stddev_qty | row->stddev_qty_set; stddev_qty = variance of 0: r->qty"},
        {"quantile(gift, 1.0)",
         "double or null: row->quantile_gift | row->quantile_gift_set; quantile_gift = quantile of 0: r->gift"},
        {"quantile(amount, 0.5, web)",
         "double or null: row->quantile_amount | row->quantile_amount_set; quantile_amount = quantile "
         "of 0: r->amount if r->web"},
        {"max(string(channel))", "string or null: row->max | row->max_set; max = max of 0: ((const struct mesh_str[]){{\"WEB\", "
                                 "3}, {\"SHOP\", 4}})[(uint32_t)r->channel % 2]"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        fresh();
        CHECK_STR(compiled(table[i][0], &one), table[i][1]);
    }
}

CASE(around_aggregates)
{
    static const char *const table[][2] = {
        {"spend", "decimal(38,2): out->spend"},
        {"ratio(spend, orders)",
         "double or null: mesh_ratio(mesh_dec_double(out->spend, 2), (double)out->orders, &(bool){false}) | out->orders != 0"},
        {"ratio(sum(amount), count())", "double or null: mesh_ratio(mesh_dec_double(row->sum_amount, 2), (double)row->count, "
                                        "&(bool){false}) | row->count != 0; sum_amount = sum of "
                                        "0: r->amount; count = count of 0: "},
        {"has(mean) ? mean : 0", "double: out->mean_set ? out->mean : 0.0"},
        {"count() + count() * 2", "int: mesh_add(&fault, row->count, mesh_mul(&fault, row->count, 2)); count = count of 0: "},
        {"count(web) + count(!web)",
         "int: mesh_add(&fault, row->count, row->count_2); count = count of 0:  if r->web; count_2 = count of 0:  if !r->web"},
        {"sum(amount) > spend ? last(email) : null",
         "string or null: row->sum_amount > out->spend ? row->last_email : (struct mesh_str){0} | row->sum_amount > out->spend && "
         "row->last_email_set; sum_amount = sum of 0: r->amount; last_email = last of 0: r->email"},
        {"last(gift) == null", "bool: !row->last_gift_set; last_gift = last of 0: r->gift"},
        {"sum(qty) + sum(qty_n)",
         "int: mesh_add(&fault, row->sum_qty, row->sum_qty_n_2); sum_qty = sum of 0: r->qty; sum_qty_n_2 = sum of 0: r->qty_n"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        fresh();
        CHECK_STR(compiled(table[i][0], &one), table[i][1]);
    }
}

CASE(several_sources)
{
    static const char *const table[][2] = {
        {"count(orders)", "int: row->count; count = count of 0: "},
        {"count(returns, returns.web)", "int: row->count; count = count of 1:  if r->web"},
        {"count(returns.web)", "int: row->count; count = count of 1:  if r->web"},
        {"sum(returns.amount)", "decimal(38,2): row->sum_amount; sum_amount = sum of 1: r->amount"},
        {"sum(orders.amount) - sum(returns.amount)", "decimal(38,2): mesh_dec_sub(&fault, row->sum_amount, row->sum_amount_2); "
                                                     "sum_amount = sum of 0: r->amount; sum_amount_2 = sum of 1: r->amount"},
        {"ratio(count(returns), orders)", "double or null: mesh_ratio((double)row->count, (double)out->orders, &(bool){false}) | "
                                          "out->orders != 0; count = count of 1: "},
        {"count()", "ME009 0-7 count() does not say which source it folds {the view reads several sources} <write count(orders)>"},
        {"count(true)",
         "ME009 0-11 count() does not say which source it folds {the view reads several sources} <write count(orders, true)>"},
        {"sum(1)",
         "ME009 0-6 sum() does not say which source it folds {the view reads several sources} <read a field of the source, as in "
         "sum(orders.name)>"},
        {"sum(orders.amount + returns.amount)", "ME009 20-34 sum() reads 'orders' and 'returns'; an aggregate folds the records of "
                                                "one source <write one aggregate per source, each on its "
                                                "own line, and combine them in a third> (4-17 'orders' is read here)"},
        {"count(orders, returns.web)", "ME009 14-25 count() reads 'orders' and 'returns'; an aggregate folds the records of one "
                                       "source <write one aggregate per source, each on "
                                       "its own line, and combine them in a third> (6-12 'orders' is read here)"},
        {"sum(amount)", "ME002 4-10 'amount' is not known here {known are orders, returns} <say of which source: orders.amount>"},
        {"sum(orders)", "ME005 4-10 sum() takes a value, and 'orders' is a source <name a field: sum(orders.amount)>"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        fresh();
        CHECK_STR(compiled(table[i][0], &several), table[i][1]);
    }
}

CASE(mistakes)
{
    static const char *const table[][2] = {
        {"amount", "ME002 0-6 'amount' is not known here {in 'let', fields of records stand only inside aggregates} <write "
                   "last(amount), sum(amount) or "
                   "the like>"},
        {"clean.amount", "ME002 0-5 'clean' is not known here {in 'let', fields of records stand only inside aggregates} <write "
                         "last(clean.name), count(clean) or the like>"},
        {"sum(spend)",
         "ME002 4-9 'spend' is not known here {known are amount, qty, big, weight, gift, qty_n, email, web, channel, at, clean}"},
        {"sum(max(qty))", "ME009 4-12 max() stands inside sum() <fold twice: one view reads the changes of another>"},
        {"sum()", "ME005 0-5 sum() takes a value, and perhaps a condition <write sum(value) or sum(value, condition)>"},
        {"sum(qty, web, web)",
         "ME005 0-18 sum() takes a value, and perhaps a condition <write sum(value) or sum(value, condition)>"},
        {"count(web, web)", "ME005 0-15 count() takes a source, a condition, or both <write count(), count(condition), "
                            "count(source) or count(source, condition)>"},
        {"count(qty)", "ME005 6-9 the condition of count() is a bool, and qty is int <write count() for all records, or a "
                       "condition: count(has(x))>"},
        {"max(qty, big)", "ME005 9-12 the condition of max() is a bool, and big is int <write max(value, condition)>"},
        {"sum(email)", "ME005 4-9 sum() does not take email, which is string " WHY},
        {"sum(web)", "ME005 4-7 sum() does not take web, which is bool <to count how often it is true write count(web)>"},
        {"max(channel)",
         "ME005 4-11 max() does not take channel, which is enum Channel <write max(string(channel)) for the order of the names, or "
         "last(channel)>"},
        {"avg(at)", "ME005 4-6 avg() does not take at, which is timestamp " WHY},
        {"last(null)", "ME005 5-9 last() does not take null, which is null " WHY},
        {"distinct(null)", "ME005 9-13 distinct() does not take null, which is null " WHY},
        {"top(amount, 1)", "ME005 4-10 top() does not take amount, which is decimal(12,2) " WHY},
        {"top(email, 0)", "ME005 11-12 which rank is a whole number from 1 to 100, written there <for example top(product, 1), or "
                          "top(product, 1, amount) by the sum of amounts>"},
        {"top(email, qty)",
         "ME005 11-14 which rank is a whole number from 1 to 100, written there <for example top(product, 1), or "
         "top(product, 1, amount) by the sum of amounts>"},
        {"top(email, 1, email)",
         "ME005 14-19 a weight is an int or a decimal, so that sums are exact <for example top(product, 1), or "
         "top(product, 1, amount) by the sum of amounts>"},
        {"collect(email, 1001)",
         "ME005 15-19 how many is a whole number from 1 to 1000, written there <for example collect(product, 10)>"},
        {"ewma(qty, qty)", "ME005 10-13 a half-life is a duration, written there <for example ewma(amount, duration(\"1h\"))>"},
        {"maxBy(qty)",
         "ME005 0-10 maxBy() takes a value and what decides, and perhaps a condition <for example maxBy(product, amount)>"},
        {"maxBy(qty, web)", "ME005 11-14 what decides must have an order <for example maxBy(product, amount)>"},
        {"quantile(qty)", "ME005 0-13 quantile() takes a value and which quantile, and perhaps a condition <for example "
                          "quantile(amount, 0.95)>"},
        {"quantile(qty, 95)",
         "ME005 14-16 which quantile is a number from 0.0 to 1.0, written there <for example quantile(amount, 0.95)>"},
        {"quantile(qty, 1.5)",
         "ME005 14-17 which quantile is a number from 0.0 to 1.0, written there <for example quantile(amount, 0.95)>"},
        {"avg(qty) + 1.0", "ME006 0-8 avg(qty) may be null here {avg(qty) is double or null} <give it a name on an earlier line, "
                           "x: avg(qty), and guard "
                           "the name: has(x) ? x : 0>"},
        {"sum(gift * 2, web)",
         "ME006 4-8 gift may be null here {gift is int or null} <add has(gift) to the condition of sum()> (253-259 'gift' is "
         "declared here)"},
        {"count(gift > 2)",
         "ME006 6-10 gift may be null here {gift is int or null} <write has(gift) && gift > 2> (253-259 'gift' is declared "
         "here)"},
        {"mean + 1.0", "ME006 0-4 mean may be null here {mean is double or null} <guard it with a step 'where: has(mean)', or "
                       "write has(mean) ? mean "
                       "+ 1.0 : null>"},
        {"sum(gift * 2)", "ME006 4-8 gift may be null here {gift is int or null} <write sum(gift * 2, has(gift))> "
                          "(253-259 'gift' is declared here)"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        fresh();
        CHECK_STR(compiled(table[i][0], &one), table[i][1]);
    }
}

CASE(equal_calls_are_one_through_the_whole_let)
{
    fresh();
    check("sum(amount)", &one);
    check("ratio(sum( amount ), count(clean))", &one);
    check("count()", &one);
    check("sum(amount, qty > 1 && web)", &one);
    check("sum(amount, qty > 1 && (web))", &one);
    CHECK_EQ_I64((int64_t)aggregates.list.n, 3);
    CHECK_STR(aggregates.list.v[0].cname, "sum_amount");
    CHECK_STR(aggregates.list.v[1].cname, "count");
    CHECK_STR(aggregates.list.v[2].cname, "sum_amount_2");
    for (int i = 0; i < 40; i++) /* the list moves; what was checked before still finds its element */
        check(mesh_arena_printf(&arena, "sum(qty + %d)", i), &one);
    fresh();
    check("quantile(amount, 0.5)", &one);
    check("quantile(amount, 0.95)", &one);
    check("quantile(amount, 0.50)", &one);
    check("quantile(amount, 0.5, web)", &one);
    CHECK_EQ_I64((int64_t)aggregates.list.n, 3);
    CHECK(!aggregates.list.v[0].shared && aggregates.list.v[1].shared && !aggregates.list.v[2].shared);
    CHECK_STR(aggregates.list.v[1].cname, "quantile_amount");
    CHECK_STR(aggregates.list.v[2].cname, "quantile_amount_2");
    fresh();
    struct mesh_expr *first = check("sum(amount) + 1", &one);
    for (int i = 0; i < 40; i++)
        check(mesh_arena_printf(&arena, "sum(qty + %d)", i), &one);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_expr_emit_let(first, &names, &out);
    CHECK_STR(out.p, "mesh_dec_add(&fault, row->sum_amount, 100)");
}

CASE(aggregates_keep_labels)
{
    fresh();
    const char *subject = NULL;
    CHECK(mesh_expr_label(check("count()", &one), &subject, NULL, NULL) == MESH_PUBLIC);
    CHECK(mesh_expr_label(check("sum(amount)", &one), &subject, NULL, NULL) == MESH_INTERNAL);
    CHECK(subject == NULL);
    CHECK(mesh_expr_label(check("count(email == \"x\")", &one), &subject, NULL, NULL) == MESH_PERSONAL);
    CHECK_STR(subject, "customer");
    CHECK(mesh_expr_label(check("has(mean) ? last(email) : null", &one), &subject, NULL, NULL) == MESH_PERSONAL);
    mesh_arena_deinit(&arena);
}
