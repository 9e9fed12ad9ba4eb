/* What there is beside what was expected, and the other runs beside the first.
 *
 * Rows that are as expected are paired first. What is left is paired by how many members agree, so that a row with one wrong number
 * is shown as this row with a wrong number, and not as one row too few and one too many. */
#include "codegen/trial.h"

#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DECIMAL_SCALE   18
#define SHOWN_ITEMS_MAX 5   /* unexpected rows that are shown */
#define SHOWN_BYTES_MAX 400 /* of one */
#define UNPAIRED        SIZE_MAX

/* ---- values ---- */
static bool near_enough(const char *a, const char *b, double tolerance)
{
    double x = 0, y = 0;
    if (mesh_text_parse_double(mesh_str_of(a), &x) != 0 || mesh_text_parse_double(mesh_str_of(b), &y) != 0)
        return false;
    return x == y || fabs(x - y) <= tolerance;
}

static bool same_decimal(const char *a, const char *b)
{
    mesh_dec x = 0, y = 0;
    return mesh_text_parse_dec(mesh_str_of(a), DECIMAL_SCALE, &x) == 0 &&
           mesh_text_parse_dec(mesh_str_of(b), DECIMAL_SCALE, &y) == 0 && x == y;
}

static bool same_time(const char *a, const char *b)
{
    int64_t x = 0, y = 0;
    return mesh_text_parse_time(mesh_str_of(a), &x) == 0 && mesh_text_parse_time(mesh_str_of(b), &y) == 0 && x == y;
}

static bool is_bool(const struct mesh_json *json, const char *text)
{
    return json->kind == MESH_JSON_BOOL && strcmp(text, json->boolean ? "true" : "false") == 0;
}

static bool same_nested(const struct mesh_yaml *want, const struct mesh_json *have, double tolerance);

static bool same_scalar(enum mesh_test_type type, const char *want, const struct mesh_json *have, double tolerance)
{
    if (have->kind == MESH_JSON_BOOL)
        return is_bool(have, want);
    if (have->text == NULL)
        return false;
    switch (type) {
    case MESH_TEST_TEXT:
        return strcmp(want, have->text) == 0;
    case MESH_TEST_BOOL:
        return false;
    case MESH_TEST_INT:
    case MESH_TEST_DOUBLE:
        return near_enough(want, have->text, tolerance);
    case MESH_TEST_DECIMAL:
        return same_decimal(want, have->text) || (tolerance > 0 && near_enough(want, have->text, tolerance));
    case MESH_TEST_TIME:
        return same_time(want, have->text);
    case MESH_TEST_OTHER:
        break;
    }
    if (have->kind == MESH_JSON_NUMBER)
        return near_enough(want, have->text, tolerance);
    return strcmp(want, have->text) == 0 || same_time(want, have->text);
}

static bool same_nested(const struct mesh_yaml *want, const struct mesh_json *have, double tolerance)
{
    if (have == NULL || mesh_test_is_null(want))
        return have != NULL && have->kind == MESH_JSON_NULL;
    if (want->kind == MESH_YAML_SCALAR)
        return same_scalar(MESH_TEST_OTHER, want->text, have, tolerance) ||
               (have->kind == MESH_JSON_STRING && same_decimal(want->text, have->text));
    if (want->kind == MESH_YAML_LIST) {
        bool same = have->kind == MESH_JSON_ARRAY && have->n == want->items.n;
        for (size_t i = 0; same && i < want->items.n; i++)
            same = same_nested(want->items.v[i], have->items[i], tolerance);
        return same;
    }
    bool same = have->kind == MESH_JSON_OBJECT;
    for (size_t i = 0; same && i < want->entries.n; i++)
        same = same_nested(want->entries.v[i].value, mesh_json_get(have, want->entries.v[i].key), tolerance);
    return same;
}

static bool same_value(const struct mesh_test *test, const struct mesh_test_expect *expect, const struct mesh_yaml_entry *want,
                       const struct mesh_json *item)
{
    const struct mesh_test_member *member = mesh_test_member(expect, want->key);
    const struct mesh_json *have = mesh_json_get(item, want->key);
    if (have == NULL || have->kind == MESH_JSON_NULL)
        return mesh_test_is_null(want->value) || (strcmp(want->key, "removed") == 0 && strcmp(want->value->text, "false") == 0);
    if (mesh_test_is_null(want->value))
        return false;
    const char *pseudonym = mesh_test_pseudonym(test->diags.arena, member, want->value);
    if (pseudonym != NULL)
        return have->kind == MESH_JSON_STRING && strcmp(pseudonym, have->text) == 0;
    if (member->type == MESH_TEST_OTHER || want->value->kind != MESH_YAML_SCALAR)
        return same_nested(want->value, have, expect->tolerance);
    return same_scalar(member->type, want->value->text, have, expect->tolerance);
}

static size_t agreeing(const struct mesh_test *test, const struct mesh_test_expect *expect, const struct mesh_yaml *want,
                       const struct mesh_json *item)
{
    size_t n = 0;
    for (size_t i = 0; i < want->entries.n; i++)
        n += same_value(test, expect, &want->entries.v[i], item);
    return n;
}

/* ---- telling ---- */
static const char *about_text(struct mesh_test *test, const struct mesh_test_expect *expect)
{
    switch (expect->about) {
    case MESH_TEST_VIEW:
        return mesh_arena_printf(test->diags.arena, "view '%s'", expect->name);
    case MESH_TEST_PORT:
        return mesh_arena_printf(test->diags.arena, "port '%s'", expect->name);
    case MESH_TEST_DEAD:
        return "dead letters";
    case MESH_TEST_LATE:
        return "late records";
    }
    return "";
}

static const char *item_text(const struct mesh_test_expect *expect)
{
    return expect->about == MESH_TEST_DEAD                                  ? "letter"
           : expect->about == MESH_TEST_LATE                                ? "record"
           : expect->port != NULL && expect->port->kind == MESH_MODEL_KAFKA ? "message"
           : expect->port != NULL && expect->port->kind == MESH_MODEL_SSE   ? "event"
                                                                            : "row";
}

static void put_raw(struct mesh_buf *out, const struct mesh_json *json)
{
    size_t n = json->at.end - json->at.begin;
    mesh_buf_add(out, json->at.source->text + json->at.begin, n < SHOWN_BYTES_MAX ? n : SHOWN_BYTES_MAX);
    if (n > SHOWN_BYTES_MAX)
        mesh_buf_puts(out, " ...");
}

/* As one would write it in the test. */
static void put_actual(struct mesh_buf *out, const struct mesh_json *json)
{
    if (json == NULL)
        mesh_buf_puts(out, "(not there)");
    else if (json->kind == MESH_JSON_STRING && mesh_utf8_valid(json->text, json->n) == json->n &&
             strpbrk(json->text, "\n\t\"") == NULL)
        mesh_buf_puts(out, json->text);
    else
        put_raw(out, json);
}

static void put_expected(struct mesh_buf *out, const struct mesh_yaml *node)
{
    if (node->kind == MESH_YAML_SCALAR)
        mesh_buf_puts(out, node->text[0] == '\0' ? "null" : node->text);
    else
        mesh_buf_add(out, node->at.source->text + node->at.begin, node->at.end - node->at.begin);
}

static const char *diff(struct mesh_test *test, const struct mesh_test_expect *expect, const struct mesh_yaml *want,
                        const struct mesh_json *item)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_puts(&out, "- expected, + what there is");
    for (size_t i = 0; i < want->entries.n; i++) {
        const struct mesh_yaml_entry *entry = &want->entries.v[i];
        bool same = same_value(test, expect, entry, item);
        mesh_buf_printf(&out, "\n    %s %s: ", same ? " " : "-", entry->key);
        put_expected(&out, entry->value);
        const char *pseudonym = mesh_test_pseudonym(test->diags.arena, mesh_test_member(expect, entry->key), entry->value);
        if (!same && pseudonym != NULL)
            mesh_buf_printf(&out, " (%s)", pseudonym);
        if (same)
            continue;
        mesh_buf_printf(&out, "\n    + %s: ", entry->key);
        put_actual(&out, mesh_json_get(item, entry->key));
    }
    return mesh_arena_str(test->diags.arena, (struct mesh_str){out.p, (uint32_t)out.n});
}

/* The items that nobody expected, or all there are. */
static const char *list_of(struct mesh_test *test, const struct mesh_test_actuals *actuals, const size_t *pair)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    size_t n = 0;
    for (size_t i = 0; i < actuals->list.n; i++) {
        if (pair != NULL && pair[i] != UNPAIRED)
            continue;
        if (++n > SHOWN_ITEMS_MAX)
            continue;
        mesh_buf_puts(&out, "\n    + ");
        put_raw(&out, actuals->list.v[i]);
    }
    if (n > SHOWN_ITEMS_MAX)
        mesh_buf_printf(&out, "\n    + ... and %zu more", n - SHOWN_ITEMS_MAX);
    return mesh_arena_str(test->diags.arena, (struct mesh_str){out.p == NULL ? "" : out.p, (uint32_t)out.n});
}

static void differs(struct mesh_test *test, const struct mesh_test_expect *expect, const struct mesh_yaml *want,
                    const struct mesh_json *item)
{
    struct mesh_diag *diag = mesh_diag_add(&test->diags, MESH_ERROR, "MT005", want->at, "%s: this %s is different",
                                           about_text(test, expect), item_text(expect));
    mesh_diag_why(&test->diags, diag, "%s", diff(test, expect, want, item));
}

static void is_missing(struct mesh_test *test, const struct mesh_test_expect *expect, const struct mesh_yaml *want,
                       const struct mesh_test_actuals *actuals)
{
    struct mesh_diag *diag = mesh_diag_add(&test->diags, MESH_ERROR, "MT005", want->at, "%s: there is no such %s",
                                           about_text(test, expect), item_text(expect));
    if (actuals->list.n == 0)
        mesh_diag_why(&test->diags, diag, "there is none at all%s", expect->key == NULL ? "" : " with this key");
    else
        mesh_diag_why(&test->diags, diag, "what there is:%s", list_of(test, actuals, NULL));
}

static void too_many(struct mesh_test *test, const struct mesh_test_expect *expect, const struct mesh_test_actuals *actuals,
                     const size_t *pair)
{
    size_t n = 0;
    for (size_t i = 0; i < actuals->list.n; i++)
        n += pair[i] == UNPAIRED;
    if (n == 0 || expect->more)
        return;
    struct mesh_diag *diag = mesh_diag_add(&test->diags, MESH_ERROR, "MT005", expect->at, "%s: %zu %s%s that nobody expects",
                                           about_text(test, expect), n, item_text(expect), n == 1 ? "" : "s");
    mesh_diag_why(&test->diags, diag, "there is also:%s", list_of(test, actuals, pair));
    mesh_diag_fix(&test->diags, diag, "if it is right, expect it too, or write 'more: true'");
}

/* ---- pairing ---- */
static void pair_in_order(struct mesh_test *test, const struct mesh_test_expect *expect, const struct mesh_test_actuals *actuals,
                          size_t *pair)
{
    size_t at = 0;
    for (size_t i = 0; i < expect->items.n; i++) {
        const struct mesh_yaml *want = expect->items.v[i];
        size_t from = at;
        while (expect->more && at < actuals->list.n && agreeing(test, expect, want, actuals->list.v[at]) < want->entries.n)
            at++;
        if (at == actuals->list.n) {
            at = expect->more ? from : at;
            is_missing(test, expect, want, actuals);
            continue;
        }
        if (agreeing(test, expect, want, actuals->list.v[at]) < want->entries.n)
            differs(test, expect, want, actuals->list.v[at]);
        pair[at++] = i;
    }
}

static void pair_any(struct mesh_test *test, const struct mesh_test_expect *expect, const struct mesh_test_actuals *actuals,
                     size_t *pair)
{
    bool *met = mesh_arena_alloc(test->diags.arena, expect->items.n + 1);
    for (size_t i = 0; i < expect->items.n; i++)
        for (size_t k = 0; k < actuals->list.n && !met[i]; k++)
            if (pair[k] == UNPAIRED &&
                agreeing(test, expect, expect->items.v[i], actuals->list.v[k]) == expect->items.v[i]->entries.n) {
                pair[k] = i;
                met[i] = true;
            }
    for (size_t i = 0; i < expect->items.n; i++) {
        size_t best = UNPAIRED;
        size_t most = 0;
        for (size_t k = 0; k < actuals->list.n && !met[i]; k++) {
            size_t n = pair[k] == UNPAIRED ? agreeing(test, expect, expect->items.v[i], actuals->list.v[k]) : 0;
            if (n > most) {
                most = n;
                best = k;
            }
        }
        if (met[i])
            continue;
        if (best == UNPAIRED) {
            is_missing(test, expect, expect->items.v[i], actuals);
            continue;
        }
        pair[best] = i;
        differs(test, expect, expect->items.v[i], actuals->list.v[best]);
    }
}

static void judge_one(struct mesh_test *test, const struct mesh_test_expect *expect, const struct mesh_json *answer)
{
    struct mesh_arena *arena = test->diags.arena;
    struct mesh_test_actuals all = {0};
    struct mesh_test_actuals these = {0};
    if (!mesh_test_actual(test, expect, answer, &all)) {
        mesh_diag_add(&test->diags, MESH_ERROR, "MT007", expect->at, "the program said nothing about this");
        return;
    }
    for (size_t i = 0; i < all.list.n; i++)
        if (expect->key == NULL || agreeing(test, expect, expect->key, all.list.v[i]) == expect->key->entries.n)
            *mesh_vec_push_in(arena, &these.list) = all.list.v[i];
    size_t *pair = mesh_arena_alloc(arena, (these.list.n + 1) * sizeof *pair);
    for (size_t i = 0; i < these.list.n; i++)
        pair[i] = UNPAIRED;
    if (expect->ordered)
        pair_in_order(test, expect, &these, pair);
    else
        pair_any(test, expect, &these, pair);
    too_many(test, expect, &these, pair);
}

/* ---- the runs with restarts ---- */
static bool same_bytes(const struct mesh_json *a, const struct mesh_json *b)
{
    uint32_t n = a->at.end - a->at.begin;
    return n == b->at.end - b->at.begin && memcmp(a->at.source->text + a->at.begin, b->at.source->text + b->at.begin, n) == 0;
}

static void put_only_in(struct mesh_buf *out, char sign, const struct mesh_json *list, const struct mesh_json *other)
{
    size_t shown = 0;
    for (uint32_t i = 0; i < list->n; i++) {
        bool there = false;
        for (uint32_t k = 0; k < other->n && !there; k++)
            there = same_bytes(list->items[i], other->items[k]);
        if (there || ++shown > SHOWN_ITEMS_MAX)
            continue;
        mesh_buf_printf(out, "\n    %c ", sign);
        put_raw(out, list->items[i]);
    }
}

static void compare_lists(struct mesh_test *test, const char *what, const struct mesh_json *first, const struct mesh_json *second,
                          bool promised)
{
    if (first == NULL || second == NULL || first->kind != MESH_JSON_ARRAY || second->kind != MESH_JSON_ARRAY ||
        same_bytes(first, second))
        return;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    put_only_in(&out, '-', first, second);
    put_only_in(&out, '+', second, first);
    struct mesh_diag *diag = mesh_diag_add(&test->diags, promised ? MESH_ERROR : MESH_WARNING, "MT006", test->at,
                                           "%s: with other batches and a restart there is something else", what);
    mesh_diag_why(&test->diags, diag, "- the first run, + another%s", out.p == NULL ? ": the order" : out.p);
    if (!promised)
        mesh_diag_fix(&test->diags, diag,
                      "records came behind what an idle input had let close, so that their order matters: give them before the "
                      "'pass', or expect "
                      "only what does not depend on it");
}

static void compare_maps(struct mesh_test *test, const char *what, const struct mesh_json *first, const struct mesh_json *second,
                         bool promised)
{
    for (uint32_t i = 0; first != NULL && first->kind == MESH_JSON_OBJECT && i < first->n; i++)
        compare_lists(test, mesh_arena_printf(test->diags.arena, "%s '%s'", what, first->keys[i]), first->values[i],
                      mesh_json_get(second, first->keys[i]), promised);
}

static bool is_zero(const struct mesh_json *number)
{
    return number != NULL && number->text != NULL && strcmp(number->text, "0") == 0;
}

static void add_time(struct mesh_test *test, const struct mesh_json *answer)
{
    const struct mesh_json *us = mesh_json_get(answer, "us");
    test->ms += us == NULL || us->text == NULL ? 0 : strtod(us->text, NULL) / 1000;
}

void mesh_test_judge(struct mesh_test *test)
{
    const struct mesh_json *first = mesh_test_answer(test, 0);
    if (first == NULL)
        return;
    add_time(test, first);
    for (size_t i = 0; i < test->expects.n; i++)
        judge_one(test, &test->expects.v[i], first);
    for (size_t run = 1; run < MESH_TRIAL_RUNS; run++) {
        const struct mesh_json *again = mesh_test_answer(test, run);
        if (again == NULL)
            return;
        add_time(test, again);
        bool promised = is_zero(mesh_json_get(first, "idleLate")) && is_zero(mesh_json_get(again, "idleLate"));
        size_t before = test->diags.list.n;
        compare_maps(test, "view", mesh_json_get(first, "views"), mesh_json_get(again, "views"), promised);
        compare_maps(test, "port", mesh_json_get(first, "ports"), mesh_json_get(again, "ports"), promised);
        compare_lists(test, "dead letters", mesh_json_get(first, "deadLetters"), mesh_json_get(again, "deadLetters"), promised);
        compare_lists(test, "late records", mesh_json_get(first, "late"), mesh_json_get(again, "late"), promised);
        if (test->diags.list.n > before)
            return; /* one is enough to see it */
    }
}
