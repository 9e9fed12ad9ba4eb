/* Letters of personal inputs: nothing of the record can be read without the key, all of it with the key. */
#include "world.h"

#include "../check.h"
#include "base/check.h"
#include "flow/retry.h"
#include "flow/sealed.h"

#include <stdlib.h>

#define AT(seconds) ((int64_t)(1700000000 + (seconds)) * SHOP_SECOND)

static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static const char other_hex[] = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

static struct world_topic *dlq(struct world *w)
{
    return &w->dests[mesh_engine_dest_dlq(&shop)][0];
}

static void put(struct world *w, uint32_t input, const char *id, const char *store, int64_t at)
{
    struct shop_record r = {.id = mesh_str_of(id), .card = MESH_STR("c"), .store = mesh_str_of(store), .amount = 1, .at = at};
    world_put(w, input, 0, &r);
}

static struct mesh_record message_of(const struct world_message *m)
{
    return (struct mesh_record){.key = {m->has_key ? m->key : NULL, m->key_n},
                                .value = {m->has_value ? m->value : NULL, m->value_n},
                                .headers = m->headers,
                                .n_headers = m->n_headers};
}

static struct mesh_str header(const struct world_message *m, const char *name)
{
    for (uint32_t i = 0; i < m->n_headers; i++)
        if (mesh_str_eq(m->headers[i].name, mesh_str_of(name)))
            return m->headers[i].value;
    return (struct mesh_str){0};
}

static bool holds(struct mesh_str text, const char *what)
{
    return text.n > 0 && memmem(text.p, text.n, what, strlen(what)) != NULL;
}

static bool shows(const struct world_message *m, const char *what)
{
    struct mesh_record r = message_of(m);
    bool shown = holds(r.key, what) || holds(r.value, what);
    for (uint32_t i = 0; i < m->n_headers; i++)
        shown = shown || holds(m->headers[i].name, what) || holds(m->headers[i].value, what);
    return shown;
}

/* Runs the shop with `personal` sales; what is in the dead letters then: an undecodable record, a null one, one that a join
 * refused. */
static void run(struct world *w, struct mesh_input *inputs, struct mesh_product *product, const struct mesh_seal_hook *hook,
                bool personal, struct mesh_arena *arena)
{
    world_init(w, 1, 1);
    memcpy(inputs, shop.inputs, shop.n_inputs * sizeof *inputs);
    inputs[SHOP_SALES].personal = personal;
    *product = shop;
    product->inputs = inputs;
    w->product = arena == NULL ? product : mesh_flow_with_retry(arena, product);
    w->seal = hook;
    put(w, SHOP_RATES, "r", "s", AT(-100));
    put(w, SHOP_RATES, "r", "s", AT(1000000));
    put(w, SHOP_SIGNS, "r", "s", AT(1000000));
    world_start(w);
    struct mesh_header original = {MESH_STR("trace"), MESH_STR("anna")};
    world_put_raw(w, SHOP_SALES, 0, MESH_STR("anna"), MESH_STR("anna was here"), AT(0), &original, 1);
    world_put_raw(w, SHOP_SALES, 0, MESH_STR("anna"), (struct mesh_str){0}, AT(0), NULL, 0);
    put(w, SHOP_SALES, "anna", "nowhere", AT(1));
    put(w, SHOP_SALES, "z", "s", AT(100));
    put(w, SHOP_COUNTS, "z", "s", AT(100));
    world_drain(w);
    REQUIRE(dlq(w)->messages.n == 3);
}

CASE(letters_of_personal_inputs_are_sealed)
{
    struct world w;
    struct mesh_input inputs[SHOP_N_INPUTS];
    struct mesh_product product;
    struct mesh_seal_key key, other;
    REQUIRE(mesh_seal_key_parse(mesh_str_of(hex), &key, NULL) == 0 &&
            mesh_seal_key_parse(mesh_str_of(other_hex), &other, NULL) == 0);
    struct mesh_seal_hook hook = mesh_seal_hook_of(&key);
    run(&w, inputs, &product, &hook, true, NULL);
    for (size_t i = 0; i < 3; i++) {
        struct world_message *m = &dlq(&w)->messages.v[i];
        const struct world_message *from = &w.inputs[SHOP_SALES][0].messages.v[i];
        CHECK(!shows(m, "anna") && !m->has_key && header(m, "trace").p == NULL);
        CHECK(holds(header(m, MESH_FLOW_SEALED_HEADER), "aes-256-gcm ") && holds(header(m, MESH_FLOW_SEALED_HEADER), key.id));
        CHECK(header(m, "__mesh.errors.code").n > 0 && header(m, "__mesh.errors.offset").n > 0);
        struct mesh_record r = message_of(m);
        struct mesh_letter letter = {0};
        struct mesh_err err = {0};
        REQUIRE(mesh_letter_open(&key, &r, &letter, &err) == 0);
        CHECK((letter.key.p != NULL) == from->has_key && (letter.value.p != NULL) == from->has_value);
        CHECK(letter.key.n == from->key_n && (letter.key.n == 0 || memcmp(letter.key.p, from->key, letter.key.n) == 0));
        CHECK(letter.value.n == from->value_n && (letter.value.n == 0 || memcmp(letter.value.p, from->value, letter.value.n) == 0));
        CHECK_EQ_U64(letter.n_headers, i == 0 ? 1 : 0);
        if (i == 0)
            CHECK(mesh_str_eq(letter.headers[0].name, MESH_STR("trace")) && mesh_str_eq(letter.headers[0].value, MESH_STR("anna")));
        mesh_letter_deinit(&letter);
        /* the wrong key, no key, another place, a changed bit */
        CHECK(mesh_letter_open(&other, &r, &letter, &err) < 0);
        CHECK_CONTAINS(err.text, key.id);
        CHECK_CONTAINS(err.text, other.id);
        CHECK(mesh_letter_open(NULL, &r, &letter, &err) < 0);
        CHECK_CONTAINS(err.text, "no key is given");
        m->value[i * 7] = (char)(m->value[i * 7] ^ 1);
        CHECK(mesh_letter_open(&key, &r, &letter, &err) < 0);
        CHECK_STR(err.code, "letter.broken");
        m->value[i * 7] = (char)(m->value[i * 7] ^ 1);
        for (uint32_t h = 0; h < m->n_headers; h++)
            if (mesh_str_eq(m->headers[h].name, MESH_STR("__mesh.errors.offset")))
                *(char *)(uintptr_t)m->headers[h].value.p ^= 1;
        CHECK(mesh_letter_open(&key, &r, &letter, &err) < 0);
        mesh_letter_deinit(&letter);
    }
    CHECK(!mesh_str_eq(message_of(&dlq(&w)->messages.v[0]).value, message_of(&dlq(&w)->messages.v[1]).value));
    world_deinit(&w);
}

CASE(other_letters_stay_readable)
{
    struct mesh_seal_key key;
    REQUIRE(mesh_seal_key_parse(mesh_str_of(hex), &key, NULL) == 0);
    struct mesh_seal_hook hook = mesh_seal_hook_of(&key);
    for (int with_key = 0; with_key < 2; with_key++) {
        struct world w;
        struct mesh_input inputs[SHOP_N_INPUTS];
        struct mesh_product product;
        run(&w, inputs, &product, with_key ? &hook : NULL, !with_key, NULL);
        const struct world_message *m = &dlq(&w)->messages.v[0];
        CHECK(shows(m, "anna was here") && header(m, MESH_FLOW_SEALED_HEADER).p == NULL);
        struct mesh_record r = message_of(m);
        struct mesh_letter letter = {0};
        struct mesh_err err = {0};
        REQUIRE(mesh_letter_open(NULL, &r, &letter, &err) == 0);
        CHECK(mesh_str_eq(letter.value, MESH_STR("anna was here")) && mesh_str_eq(letter.key, MESH_STR("anna")));
        CHECK(letter.n_headers == 1 && mesh_str_eq(letter.headers[0].name, MESH_STR("trace")));
        mesh_letter_deinit(&letter);
        struct mesh_record stranger = {.value = MESH_STR("x")};
        CHECK(mesh_letter_open(NULL, &stranger, &letter, &err) < 0);
        world_deinit(&w);
    }
}

/* As meshctl does: the letter as it is, what it says of itself under the names of a return. */
static void send_back(struct world *w, const struct world_message *letter, const char *attempt)
{
    static const char *const names[] = {"topic", "partition", "offset", "stage"};
    struct mesh_header headers[6];
    char from[48], to[4][48];
    for (int i = 0; i < 4; i++) {
        snprintf(from, sizeof from, "__mesh.errors.%s", names[i]);
        snprintf(to[i], sizeof to[i], MESH_FLOW_RETRY_PREFIX "%s", names[i]);
        headers[i] = (struct mesh_header){mesh_str_of(to[i]), header(letter, from)};
    }
    headers[4] = (struct mesh_header){MESH_STR(MESH_FLOW_RETRY_PREFIX "attempt"), mesh_str_of(attempt)};
    headers[5] = (struct mesh_header){MESH_STR(MESH_FLOW_SEALED_HEADER), header(letter, MESH_FLOW_SEALED_HEADER)};
    struct mesh_record r = message_of(letter);
    world_put_raw(w, SHOP_N_INPUTS, 0, r.key, r.value, letter->time_us, headers, 6);
}

CASE(sealed_letters_come_back_as_they_are)
{
    struct world w;
    struct mesh_input inputs[SHOP_N_INPUTS];
    struct mesh_product product;
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_seal_key key, other;
    REQUIRE(mesh_seal_key_parse(mesh_str_of(hex), &key, NULL) == 0 &&
            mesh_seal_key_parse(mesh_str_of(other_hex), &other, NULL) == 0);
    struct mesh_seal_hook hook = mesh_seal_hook_of(&key), wrong = mesh_seal_hook_of(&other);
    run(&w, inputs, &product, &hook, true, &arena);
    struct world_message *letter = &dlq(&w)->messages.v[0];
    send_back(&w, letter, "1");
    world_drain(&w);
    REQUIRE(dlq(&w)->messages.n == 4); /* it was opened, is as broken as before, and is sealed again */
    const struct world_message *again = &dlq(&w)->messages.v[3];
    letter = &dlq(&w)->messages.v[0];
    CHECK(mesh_str_eq(header(again, "__mesh.errors.code"), header(letter, "__mesh.errors.code")) && !shows(again, "anna"));
    CHECK(mesh_str_eq(header(again, "__mesh.errors.attempt"), MESH_STR("2")));
    struct mesh_record r = message_of(again);
    struct mesh_letter opened = {0};
    struct mesh_err err = {0};
    REQUIRE(mesh_letter_open(&key, &r, &opened, &err) == 0);
    CHECK(mesh_str_eq(opened.value, MESH_STR("anna was here")) && mesh_str_eq(opened.key, MESH_STR("anna")));
    CHECK(opened.n_headers == 1 && mesh_str_eq(opened.headers[0].value, MESH_STR("anna")));
    mesh_letter_deinit(&opened);

    w.seal = &wrong; /* the service was started with another key: the letter stays as it is */
    world_crash(&w);
    send_back(&w, again, "2");
    world_drain(&w);
    REQUIRE(dlq(&w)->messages.n > 4); /* what was not acknowledged comes again after the crash */
    const struct world_message *kept = &dlq(&w)->messages.v[dlq(&w)->messages.n - 1];
    CHECK(mesh_str_eq(header(kept, "__mesh.errors.code"), MESH_STR("letter.sealed")));
    r = message_of(kept);
    REQUIRE(mesh_letter_open(&key, &r, &opened, &err) == 0);
    CHECK(mesh_str_eq(opened.value, MESH_STR("anna was here")));
    mesh_letter_deinit(&opened);
    world_deinit(&w);
}

CASE(internal_topics_are_as_personal_as_what_feeds_them)
{
    static const struct mesh_contract contract = {0};
    struct mesh_input inputs[] = {{.contracts = &contract}, {.contracts = &contract, .personal = true}, {.name = "internal"}};
    struct mesh_product product = {.inputs = inputs, .n_inputs = 3};
    CHECK(!mesh_flow_is_personal(&product, 0) && mesh_flow_is_personal(&product, 1) && mesh_flow_is_personal(&product, 2));
    inputs[1].personal = false;
    CHECK(!mesh_flow_is_personal(&product, 2));
}

CASE(keys_and_cut_texts)
{
    struct mesh_seal_key key;
    struct mesh_err err = {0};
    static const char *const wrong[] = {"", "00", "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                                        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0"};
    for (size_t i = 0; i < MESH_LEN(wrong); i++)
        CHECK(mesh_seal_key_parse(mesh_str_of(wrong[i]), &key, &err) < 0 && strstr(err.text, "0102") == NULL);
    REQUIRE(mesh_seal_key_parse(mesh_str_of(hex), &key, &err) == 0);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf sealed = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf plain = MESH_BUF_NULL;
    mesh_seal(&key, MESH_STR("here"), MESH_STR("text"), &sealed);
    CHECK_EQ_U64(sealed.n, 4 + MESH_SEAL_MORE);
    for (uint32_t n = 0; n < sealed.n; n++)
        CHECK(mesh_seal_open(&key, MESH_STR("here"), (struct mesh_str){sealed.p, n}, &plain, &err) < 0 && plain.n == 0);
    CHECK(mesh_seal_open(&key, MESH_STR("there"), (struct mesh_str){sealed.p, (uint32_t)sealed.n}, &plain, &err) < 0);
    REQUIRE(mesh_seal_open(&key, MESH_STR("here"), (struct mesh_str){sealed.p, (uint32_t)sealed.n}, &plain, &err) == 0);
    CHECK_STR(plain.p, "text");
    sealed.n = 0;
    mesh_seal(&key, (struct mesh_str){0}, (struct mesh_str){0}, &sealed);
    CHECK(mesh_seal_open(&key, (struct mesh_str){0}, (struct mesh_str){sealed.p, (uint32_t)sealed.n}, &plain, &err) == 0 &&
          plain.n == 4);
}
