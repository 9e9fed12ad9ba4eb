/* What the checker says: code, the bytes it points at, text, [hint], {why}, <fix> and (notes), for one mistake each. */
#include "../check.h"
#include "codegen/expr.h"

#include <stdlib.h>

static struct mesh_arena arena;
static struct mesh_diags diags;
static struct mesh_scope scope;

static const char avsc[] =
    "{\"type\":\"record\",\"name\":\"t.Payment\",\"fields\":["
    "{\"name\":\"paid\",\"type\":\"boolean\"},{\"name\":\"qty\",\"type\":\"long\"},{\"name\":\"weight\",\"type\":\"double\"},"
    "{\"name\":\"amount\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":12,\"scale\":2}},"
    "{\"name\":\"big\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":38,\"scale\":30}},"
    "{\"name\":\"country\",\"type\":\"string\"},{\"name\":\"campaign\",\"type\":[\"null\",\"string\"]},"
    "{\"name\":\"gift\",\"type\":[\"null\",\"boolean\"]},"
    "{\"name\":\"channel\",\"type\":{\"type\":\"enum\",\"name\":\"Channel\",\"symbols\":[\"WEB\",\"SHOP\"]}},"
    "{\"name\":\"paid_at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}},"
    "{\"name\":\"born\",\"type\":{\"type\":\"int\",\"logicalType\":\"date\"}}]}";

static void fresh(void)
{
    mesh_arena_reset(&arena);
    diags = (struct mesh_diags){.arena = &arena};
    struct mesh_schema *schema = mesh_schema_parse(&arena, mesh_source_new(&arena, "payment.avsc", avsc, strlen(avsc)), &diags);
    struct mesh_gen_type type;
    mesh_gen_type_of_schema(schema, &arena, &type);
    struct mesh_gen_shape *rates = mesh_arena_new(&arena, struct mesh_gen_shape);
    *mesh_vec_push_in(&arena, &rates->members) =
        (struct mesh_gen_member){.name = "eur", .cname = "eur", .type = {.kind = MESH_GEN_DECIMAL, .precision = 18, .scale = 6}};
    scope = (struct mesh_scope){.shape = type.shape, .c_prefix = "r->"};
    *mesh_vec_push_in(&arena, &scope.entries) =
        (struct mesh_scope_entry){.name = "rates", .is_namespace = true, .shape = rates, .c_prefix = "rates->"};
}

static const char *said(void)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_puts(&out, "");
    for (size_t i = 0; i < diags.list.n; i++) {
        const struct mesh_diag *d = diags.list.v[i];
        mesh_buf_printf(&out, "%s%s%s %u-%u %s", i == 0 ? "" : "\n", d->severity == MESH_WARNING ? "warning " : "", d->code,
                        d->at.begin, d->at.end, d->text);
        if (d->hint != NULL)
            mesh_buf_printf(&out, " [%s]", d->hint);
        if (d->why != NULL)
            mesh_buf_printf(&out, " {%s}", d->why);
        if (d->fix != NULL)
            mesh_buf_printf(&out, " <%s>", d->fix);
        for (size_t k = 0; k < d->n_notes; k++)
            mesh_buf_printf(&out, " (%s %u-%u %s)", d->notes[k].at.source->path, d->notes[k].at.begin, d->notes[k].at.end,
                            d->notes[k].text);
    }
    return mesh_arena_strdup(&arena, out.p);
}

static const char *checked(const char *text)
{
    fresh();
    const struct mesh_source *source = mesh_source_new(&arena, "p.yaml", text, strlen(text));
    struct mesh_expr *expr = mesh_expr_parse(&arena, &diags, text, (struct mesh_srcref){source, 0, (uint32_t)strlen(text)});
    if (expr != NULL)
        mesh_expr_check(expr, &arena, &diags, &scope, NULL, NULL, "'where'", NULL);
    return said();
}

static void check_all(const char *const table[][2], size_t n)
{
    for (size_t i = 0; i < n; i++)
        CHECK_STR(checked(table[i][0]), table[i][1]);
}

#define GOLDENS(...)                                                                                                               \
    do {                                                                                                                           \
        static const char *const table[][2] = {__VA_ARGS__};                                                                       \
        check_all(table, sizeof table / sizeof table[0]);                                                                          \
    } while (0)

#define KNOWN "{known are paid, qty, weight, amount, big, country, campaign, gift, channel, paid_at, born, rates}"
#define CEL   "{it is left out on purpose}"

CASE(ME002_names)
{
    GOLDENS({"amuont > 1", "ME002 0-6 'amuont' is not known here [did you mean 'amount'?] " KNOWN},
            {"xyz", "ME002 0-3 'xyz' is not known here " KNOWN},
            {"eur > 1.0", "ME002 0-3 'eur' is not known here " KNOWN " <write rates.eur>"},
            {"channel == WEB", "ME002 11-14 'WEB' is not known here " KNOWN " <symbols of an enum stand in quotes: \"WEB\">"},
            {"True", "ME002 0-4 'True' is not known here " KNOWN " <write true>"},
            {"now", "ME002 0-3 'now' is not known here " KNOWN
                    " <there is no clock, so that the same input gives the same answer; use meta.time>"},
            {"size", "ME002 0-4 'size' is not known here " KNOWN " <size is a function: write size(...)>"},
            {"rates.euro", "ME002 6-10 'rates' has no field 'euro' [did you mean 'eur'?] {its fields are eur}"},
            {"orders.x", "ME002 0-6 'orders' is not known here " KNOWN},
            {"xyz + abc", "ME002 0-3 'xyz' is not known here " KNOWN "\nME002 6-9 'abc' is not known here " KNOWN});
}

CASE(ME003_operators)
{
    GOLDENS(
        {"rates", "ME003 0-5 'rates' is a record, not a value {its fields are eur} <name one of them: rates.eur>"},
        {"amount.x", "ME003 7-8 amount is decimal(12,2) and has no fields (payment.avsc 150-158 'amount' is declared here)"},
        {"amount + weight",
         "ME003 7-8 '+' does not fit decimal(12,2) and double {a decimal is exact and a double is not; one of them must be "
         "converted on purpose} <write double(amount)> (p.yaml 0-6 decimal(12,2)) (p.yaml 9-15 double)"},
        {"qty * 1.5",
         "ME003 4-5 '*' does not fit int and double {an int never becomes a double by itself, because large ones would change} "
         "<write double(qty)> (p.yaml 0-3 int) (p.yaml 6-9 double)"},
        {"amount / 3",
         "ME003 0-10 a decimal division must say how it is rounded {1.00 / 3 has no end; the digits to keep are a decision} <write "
         "decimal(amount / 3, 14, 2): 14 digits, 2 of them behind the point>"},
        {"(amount + 1) / (qty - 1)",
         "ME003 0-24 a decimal division must say how it is rounded {1.00 / 3 has no end; the digits to keep are a "
         "decision} <write decimal((amount + 1) / (qty - 1), 14, 2): 14 digits, 2 of them behind the point>"},
        {"big * big", "ME003 0-9 the product has 60 digits behind the point; a decimal has at most 38 digits <round a factor "
                      "first: decimal(big, "
                      "20, 6)>"},
        {"weight % 2.0",
         "ME003 7-8 '%' does not fit double and double {% is the remainder of two ints} (p.yaml 0-6 double) (p.yaml 9-12 double)"},
        {"paid_at + 10",
         "ME003 8-9 '+' does not fit timestamp and int <a length of time is written duration(\"10s\")> (p.yaml 0-7 timestamp) "
         "(p.yaml 10-12 int)"},
        {"paid_at + paid_at",
         "ME003 8-9 '+' does not fit timestamp and timestamp <one moment minus another is a duration; a duration can be "
         "added to a moment> (p.yaml 0-7 timestamp) (p.yaml 10-17 timestamp)"},
        {"born + duration(\"24h\")",
         "ME003 5-6 '+' does not fit date and duration <write timestamp(born), which is that day's midnight in UTC> "
         "(p.yaml 0-4 date) (p.yaml 7-22 duration)"},
        {"channel + 1",
         "ME003 8-9 '+' does not fit enum Channel and int {the symbols of an enum are names, not numbers} (p.yaml 0-7 enum "
         "Channel) (p.yaml 10-11 int)"},
        {"-country", "ME003 0-8 '-' needs a number, and country is string"},
        {"!qty", "ME003 1-4 ! needs a bool, and qty is int <compare it: qty != 0>"},
        {"country && paid", "ME003 0-7 && needs a bool, and country is string <compare it: country != \"\">"},
        {"paid_at ? 1 : 2", "ME003 0-7 the '?' needs a bool, and paid_at is timestamp <compare it with something>"},
        {"paid ? 1 : \"a\"",
         "ME003 0-14 the branches of '?' have different types: int and string <convert one: double(x), decimal(x, 14, 2) or "
         "string(x)> (p.yaml 7-8 int) (p.yaml 11-14 string)"},
        {"amount == weight",
         "ME003 7-9 '==' cannot compare decimal(12,2) with double {a decimal is exact and a double is not; one of them must "
         "be converted on purpose} <write double(amount)> (p.yaml 0-6 decimal(12,2)) (p.yaml 10-16 double)"},
        {"weight < qty",
         "ME003 7-8 '<' cannot compare double with int {an int never becomes a double by itself, because large ones would "
         "change} <write double(qty)> (p.yaml 0-6 double) (p.yaml 9-12 int)"},
        {"channel == country",
         "ME003 8-10 '==' cannot compare enum Channel with string <compare the name: string(channel)> (p.yaml 0-7 enum "
         "Channel) (p.yaml 11-18 string)"},
        {"paid_at > \"2026-01-01T00:00:00Z\"", "ME003 8-9 '>' cannot compare timestamp with string <a moment is written "
                                               "timestamp(\"2026-01-01T00:00:00Z\")> (p.yaml 0-7 timestamp) (p.yaml 10-32 string)"},
        {"born == paid_at",
         "ME003 5-7 '==' cannot compare date with timestamp <write timestamp(born), which is that day's midnight in UTC> "
         "(p.yaml 0-4 date) (p.yaml 8-15 timestamp)"},
        {"paid_at - paid_at > 10",
         "ME003 18-19 '>' cannot compare duration with int <a length of time is written duration(\"10s\")> (p.yaml 0-17 "
         "duration) (p.yaml 20-22 int)"},
        {"qty == \"5\"",
         "ME003 4-6 '==' cannot compare int with string <a number stands without quotes: 5> (p.yaml 0-3 int) (p.yaml 7-10 string)"},
        {"channel < \"WEB\"",
         "ME003 8-9 enum Channel has no order <compare with == or in; for the order of the names: string(channel)>"},
        {"paid < true", "ME003 5-6 bool has no order <compare with == or !=>"},
        {"campaign > null", "ME003 9-10 null has no order <compare with null by == or !=>"});
}

CASE(ME004_functions)
{
#define FUNCTIONS                                                                                                                  \
    "{functions are has size timestamp duration int double string decimal ratio, and in 'let' count sum avg min max first last "   \
    "minBy maxBy variance stddev distinct quantile top topWeight collect ewma}"
    GOLDENS({"foo(1)", "ME004 0-3 there is no function 'foo' " FUNCTIONS},
            {"decimals(1)", "ME004 0-8 there is no function 'decimals' [did you mean 'decimal'?] " FUNCTIONS},
            {"length(country)", "ME004 0-6 there is no function 'length' [did you mean 'size'?] " FUNCTIONS},
            {"startsWith(country, \"a\")",
             "ME004 0-10 there is no function 'startsWith' " FUNCTIONS " <it stands behind a value: country.startsWith(...)>"},
            {"country.size()",
             "ME004 8-12 there is no function 'size' of a value {a text has startsWith endsWith contains; a time has getFullYear "
             "getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds getMilliseconds} <it "
             "stands in front: size(country)>"},
            {"country.startWith(\"a\")", "ME004 8-17 there is no function 'startWith' of a value [did you mean 'startsWith'?] {a "
                                         "text has startsWith endsWith contains; a "
                                         "time has getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours "
                                         "getMinutes getSeconds getMilliseconds}"},
            {"amount.sum()", "ME004 7-10 there is no function 'sum' of a value <write sum(amount)>"});
}

CASE(ME005_arguments)
{
    GOLDENS(
        {"size()", "ME005 0-6 size() is called without an argument <write size(text)>"},
        {"size(qty)", "ME005 5-8 size() takes a string or bytes, and qty is int <for the number of records write count()>"},
        {"has(qty + 1)",
         "ME005 4-11 has() asks about a name, not about a computed value <write has(name), or compare the value: qty + 1 != null>"},
        {"decimal(amount, 2)",
         "ME005 0-18 decimal() is called with 2 arguments <write decimal(x, 14, 2): 14 digits, 2 of them behind the point>"},
        {"decimal(amount, 39, 2)",
         "ME005 16-18 the precision of decimal() is a number from 1 to 38 written here <write decimal(x, 14, 2): 14 "
         "digits, 2 of them behind the point>"},
        {"decimal(amount, 5, 6)",
         "ME005 19-20 the scale of decimal() is a number from 0 to 5 written here <write decimal(x, 14, 2): 14 "
         "digits, 2 of them behind the point>"},
        {"decimal(country, 5, 2)", "ME005 8-15 decimal() takes a number, and country is string"},
        {"ratio(amount)",
         "ME005 0-13 ratio() is called with one argument <write ratio(a, b), which is a / b as a double, or null when b is 0>"},
        {"ratio(amount, country)", "ME005 14-21 ratio() takes two numbers, and country is string"},
        {"int(country)",
         "ME005 4-11 int() takes a number or a timestamp, and country is string <texts are not parsed in expressions; make the "
         "field a long in the contract>"},
        {"country.contains(5)", "ME005 17-18 contains() takes a text, and 5 is int"},
        {"channel.contains(\"W\")",
         "ME005 0-7 contains() stands behind a text, and channel is enum Channel <write string(channel).contains(...)>"},
        {"born.getHours()", "ME005 0-4 getHours() stands behind a timestamp or a duration, and born is date"},
        {"timestamp(5)", "ME005 10-11 timestamp() takes a text, and 5 is int <write timestamp(\"2026-11-21T02:59:29Z\")>"});
}

CASE(ME006_nulls)
{
#define DECLARED "(payment.avsc 365-375 'campaign' is declared here)"
    GOLDENS(
        {"campaign == \"x\"",
         "ME006 0-8 campaign may be null here {campaign is string or null} <write has(campaign) && campaign == \"x\"> " DECLARED},
        {"size(campaign)",
         "ME006 5-13 campaign may be null here {campaign is string or null} <guard it with a step 'where: has(campaign)', or "
         "write has(campaign) ? size(campaign) : null> " DECLARED},
        {"has(campaign) || campaign == \"x\"",
         "ME006 17-25 campaign may be null here {campaign is string or null} <write has(campaign) && campaign == \"x\"> " DECLARED},
        {"gift && paid",
         "ME006 0-4 gift may be null here {gift is bool or null} <write has(gift) && gift> (payment.avsc 410-416 'gift' is "
         "declared here)"},
        {"ratio(qty, qty) > 1.0",
         "ME006 0-15 ratio(qty, qty) may be null here {ratio(qty, qty) is double or null} <give it a name on an earlier "
         "line, x: ratio(qty, qty), and guard the name: has(x) ? x : 0>"},
        {"1 + null", "ME006 4-8 null has no value to compute with <null stands beside == and !=, and as a branch of ?:>"});
}

CASE(ME007_int_division)
{
    GOLDENS({"qty / 2 > 1", "ME007 0-7 int / int would drop the fraction {3 / 2 would be 1, which is seldom meant} <write "
                            "ratio(qty, 2) for a double, or "
                            "decimal(qty / 2, 14, 2) for a rounded decimal>"},
            {"int(qty / (qty + 1))",
             "ME007 4-19 int / int would drop the fraction {3 / 2 would be 1, which is seldom meant} <write ratio(qty, qty + 1) "
             "for a double, or decimal(qty / (qty + 1), 14, 2) for a rounded decimal>"});
}

CASE(ME008_literals)
{
    GOLDENS({"channel == \"WBE\"",
             "ME008 11-16 'WBE' is no symbol of enum Channel [did you mean \"WEB\"?] {its symbols are WEB, SHOP} (payment.avsc "
             "491-500 enum Channel is declared here)"},
            {"channel in [\"WEB\", \"shop\"]",
             "ME008 19-25 'shop' is no symbol of enum Channel [did you mean \"SHOP\"?] {its symbols are WEB, SHOP} "
             "(payment.avsc 491-500 enum Channel is declared here)"},
            {"amount > 1e40", "ME008 9-13 1e40 does not fit decimal(12,2) {the other side of '>' is decimal(12,2)}"},
            {"qty < 1e30", "ME008 6-10 1e30 does not fit int {the other side of '<' is int}"},
            {"weight > 9007199254740993", "ME008 9-25 9007199254740993 does not fit a double"},
            {"paid_at > timestamp(\"2026-01-01\")",
             "ME008 20-32 \"2026-01-01\" is no moment {a moment is written as RFC 3339 says: date, T, time, and Z "
             "or an offset} <write timestamp(\"2026-11-21T02:59:29Z\")>"},
            {"duration(\"10\") > duration(\"1 h\")",
             "ME008 9-13 \"10\" is no length of time {a length is numbers with units: d h m s ms us, as in 1h30m or 1.5s}\n"
             "ME008 26-31 \"1 h\" is no length of time {a length is numbers with units: d h m s ms us, as in 1h30m or 1.5s}"});
}

CASE(ME009_aggregates_outside)
{
    GOLDENS({"sum(amount) > 1.0",
             "ME009 0-11 sum() folds many records, and 'where' looks at one {aggregates stand in the 'let' of a view or of a "
             "fold} <write it in a 'let' and read its name>"});
}

CASE(ME010_left_out)
{
    GOLDENS(
        {"country.matches(\"a.*\")",
         "ME010 8-15 matches() is not part of the language " CEL " <compare with ==, in, startsWith(), endsWith() or "
         "contains()>"},
        {"[1, 2].all(x, x > 0)",
         "ME010 7-10 all() is not part of the language " CEL " <lists of records are not read in expressions>"},
        {"uint(qty)", "ME010 0-4 uint() is not part of the language " CEL " <there are no unsigned numbers: write int(x)>"},
        {"type(qty)",
         "ME010 0-4 type() is not part of the language " CEL " <every value has one type, which is known before the service runs>"},
        {"now()", "ME010 0-3 now() is not part of the language " CEL
                  " <there is no clock, so that the same input gives the same answer; use "
                  "meta.time>"},
        {"math.greatest(qty, 2)", "ME010 5-13 greatest() is not part of the language " CEL " <write it with + - * and ?:>"},
        {"paid_at.getHours(\"CET\")",
         "ME010 17-22 getHours() takes no time zone: it counts in UTC {the rules of time zones change with the "
         "machine, and the same input must give the same answer} <write paid_at.getHours()>"},
        {"duration(\"1s\").getMilliseconds()",
         "ME010 15-30 getMilliseconds() is not part of the language " CEL " <CEL's versions disagree what "
         "it means; compare durations: d > duration(\"250ms\")>"},
        {"country + \"x\"",
         "ME010 0-13 texts are not joined in expressions {this part of CEL is left out on purpose: a joined text needs memory per "
         "record} <keep the parts as fields of their own>"},
        {"string(qty)",
         "ME010 7-10 string() takes an enum, and qty is int {numbers and times are not written as text in expressions; ports write "
         "them} <keep the value as it is>"},
        {"country in channel",
         "ME010 11-18 behind 'in' stands a list written here <write country in [\"a\", \"b\"]; whether a text holds another is "
         "text.contains(part)>"},
        {"channel[0]",
         "ME010 0-10 there is no indexing: expressions read single values <put the value into a field of its own in the contract>"},
        {"rates[\"eur\"]", "ME010 0-12 there is no indexing: expressions read single values <write rates.eur>"},
        {"[1, 2]", "ME010 0-6 a list stands only behind 'in' <write x in [a, b]>"},
        {"timestamp(country)",
         "ME010 10-17 timestamp() takes a text that is written here {texts of records are not parsed in expressions} <make "
         "the field a timestamp in the contract>"});
}

CASE(ME012_always)
{
#define CONSTANTS "{both sides are constants, so every record would go to the dead letters}"
    GOLDENS({"1 / 0", "ME012 0-5 this always divides by zero (p.yaml 4-5 this is 0)"},
            {"qty % 0", "ME012 0-7 this always divides by zero (p.yaml 6-7 this is 0)"},
            {"decimal(amount / 0, 10, 2)", "ME012 8-18 this always divides by zero (p.yaml 17-18 this is 0)"},
            {"decimal(amount / 0.0, 10, 2)", "ME012 8-20 this always divides by zero (p.yaml 17-20 this is 0)"},
            {"9223372036854775807 + 1", "ME012 0-23 this always overflows: no int holds the result " CONSTANTS},
            {"-(-9223372036854775807 - 1)", "ME012 0-27 this always overflows: no int holds the result " CONSTANTS},
            {"int(1e30)", "ME012 0-9 this always fails: the value is out of range " CONSTANTS},
            {"decimal(12345.0, 4, 2)", "ME012 0-22 this always overflows: no decimal(4,2) holds the result " CONSTANTS},
            {"has(amount)", "warning ME012 0-11 this is always true {amount is decimal(12,2), which is always there}"},
            {"amount == null", "warning ME012 0-14 this is always false {amount is decimal(12,2), which is never null}"},
            {"amount == 0.005", "warning ME012 0-15 this is always false {no decimal(12,2) has that many digits behind the point}"},
            {"1 == 2", "warning ME012 0-6 this is always false {both sides are constants}"},
            {"qty <= qty", "warning ME012 0-10 this is always true {both sides are the same}"},
            {"country in []", "warning ME012 0-13 this is always false {the list is empty}"},
            {"has(campaign) && has(campaign)", ""},
            {"ratio(qty, 0)", "warning ME012 0-13 this is always null {ratio(a, 0) has no value}"}, {"true", ""},
            {"campaign == null", ""});
}

CASE(one_mistake_is_said_once)
{
    GOLDENS({"has(nothing) && nothing > 1 && nothing < 5 || size(nothing) in [nothing]",
             "ME002 4-11 'nothing' is not known here " KNOWN},
            {"amount + country > 1 && amount + country < 2 ? 1 : \"x\"",
             "ME003 7-8 '+' does not fit decimal(12,2) and string (p.yaml 0-6 decimal(12,2)) (p.yaml 9-16 string)\n"
             "ME003 31-32 '+' does not fit decimal(12,2) and string (p.yaml 24-30 decimal(12,2)) (p.yaml 33-40 string)"});
}

CASE(an_expression_that_repeats_itself_too_often_is_refused)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_puts(&text, "paid");
    for (int i = 0; i < 8; i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf outer = MESH_BUF_NULL;
        mesh_buf_printf(&outer, "(%s) in [paid, !paid, paid && paid, paid || paid, paid == true, !(!paid)]", text.p);
        mesh_buf_reset(&text);
        mesh_buf_puts(&text, outer.p);
    }
    CHECK_CONTAINS(checked(text.p), "the expression is too large: it repeats its parts too often");
    mesh_arena_deinit(&arena);
}
