/* Frames that only a key opens: what comes out is what went in, keys change, and every way to get it wrong is told by its name. */
#include "../check.h"
#include "base/check.h"
#include "store/cipher.h"
#include "store/log.h"

#include <stdlib.h>

#define A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define B "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct mesh_store_cipher *cipher_of(const char *keys, const char *what)
{
    struct mesh_store_keys k = {0};
    struct mesh_err err = {0};
    if (keys[0] != '\0')
        CHECK(mesh_store_keys_parse(mesh_str_of(keys), &k, &err) == 0);
    return mesh_store_cipher_new(&k, what);
}

static void frame(struct mesh_buf *out, struct mesh_str text)
{
    size_t begin = mesh_store_frame_begin(out);
    mesh_buf_str(out, text);
    mesh_store_frame_end(out, begin);
}

static int add(void *context, struct mesh_str text, struct mesh_err *err)
{
    (void)err;
    struct mesh_buf *out = context;
    mesh_buf_printf(out, "[%u:%.*s]", text.n, (int)(text.n < 32 ? text.n : 32), text.p);
    return 0;
}

/* All payloads of these frames, as a store would hand them over. */
static int open_all(struct mesh_store_cipher *cipher, struct mesh_str frames, struct mesh_buf *ret, struct mesh_err *err)
{
    int result = 0;
    for (size_t at = 0; at < frames.n && result == 0;) {
        struct mesh_str payload;
        at = mesh_store_frame_next(frames, at, &payload);
        result = mesh_store_cipher_open(cipher, payload, add, ret, err);
    }
    return result;
}

/* Seals "Kone" and "Ctwo"; the result is the caller's. */
static struct mesh_buf sealed_with(const char *keys, const char *what)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf plain = MESH_BUF_NULL;
    struct mesh_buf out = MESH_BUF_NULL;
    struct mesh_store_cipher *cipher = cipher_of(keys, what);
    frame(&plain, MESH_STR("Kone"));
    frame(&plain, MESH_STR("Ctwo"));
    struct mesh_str sealed = mesh_store_cipher_seal(cipher, (struct mesh_str){plain.p, (uint32_t)plain.n});
    mesh_buf_str(&out, sealed);
    mesh_store_cipher_free(cipher);
    return out;
}

static int open_with(const char *keys, const char *what, const struct mesh_buf *sealed, struct mesh_buf *ret, bool *ret_behind,
                     struct mesh_err *err)
{
    struct mesh_store_cipher *cipher = cipher_of(keys, what);
    int result = open_all(cipher, (struct mesh_str){sealed->p, (uint32_t)sealed->n}, ret, err);
    *ret_behind = mesh_store_cipher_is_behind(cipher);
    mesh_store_cipher_free(cipher);
    return result;
}

static void check_open(const char *keys, const struct mesh_buf *sealed, bool behind)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    bool is_behind = false;
    CHECK_EQ_I64(open_with(keys, "d/p", sealed, &text, &is_behind, &err), 0);
    CHECK_STR(text.p == NULL ? "" : text.p, "[4:Kone][4:Ctwo]");
    CHECK(is_behind == behind);
}

static void check_refused(const char *keys, const char *what, const struct mesh_buf *sealed, const char *code, const char *text)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    struct mesh_err err = {0};
    bool behind = false;
    CHECK(open_with(keys, what, sealed, &out, &behind, &err) < 0);
    CHECK_STR(err.code, code);
    CHECK_CONTAINS(err.text, text);
    CHECK_EQ_U64(out.n, 0);
}

CASE(sealed_and_opened)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf plain = sealed_with("", "d/p");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf one = sealed_with(A, "d/p");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf two = sealed_with(A, "d/p");
    CHECK(memmem(plain.p, plain.n, "Kone", 4) != NULL);
    CHECK(memmem(one.p, one.n, "one", 3) == NULL && memmem(one.p, one.n, "two", 3) == NULL);
    CHECK(one.n == two.n && memcmp(one.p, two.p, one.n) != 0); /* never the same bytes twice */
    check_open(A, &one, false);
    check_open(A "\n", &two, false);
    check_open("", &plain, false);
}

CASE(a_key_changes)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf plain = sealed_with("", "d/p");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf old = sealed_with(A, "d/p");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf new = sealed_with(B "\n" A "\n", "d/p");
    check_open(B "\n\n" A "\n", &old, true);
    check_open(B "\n" A, &new, false);
    check_open(B, &new, false);
    check_open(A, &plain, true); /* written before there was a key */
    check_refused(B, "d/p", &old, "state.key", "sealed with the key 630dcd2966c43366, and it is none of those that are there");
    check_refused("", "d/p", &old, "state.key", "and no key is set. Put that key into the file of MESH_STATE_KEY_FILE");
}

CASE(changed_or_elsewhere)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf sealed = sealed_with(A, "d/p");
    check_refused(A, "d/other", &sealed, "state.corrupt", "it was changed, or belongs to another product");
    /* Each byte of it, with a checksum that fits: the disk is not to blame. */
    struct mesh_str payload;
    CHECK_EQ_U64(mesh_store_frame_next((struct mesh_str){sealed.p, (uint32_t)sealed.n}, 0, &payload), sealed.n);
    for (uint32_t i = 1; i < payload.n; i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf changed = MESH_BUF_NULL;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
        mesh_buf_str(&changed, payload);
        changed.p[i] ^= 1;
        struct mesh_store_cipher *cipher = cipher_of(A, "d/p");
        struct mesh_err err = {0};
        CHECK(mesh_store_cipher_open(cipher, (struct mesh_str){changed.p, (uint32_t)changed.n}, add, &out, &err) < 0);
        CHECK_EQ_U64(out.n, 0);
        mesh_store_cipher_free(cipher);
    }
    for (uint32_t n = 1; n < payload.n; n++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
        struct mesh_store_cipher *cipher = cipher_of(A, "d/p");
        struct mesh_err err = {0};
        CHECK(mesh_store_cipher_open(cipher, (struct mesh_str){payload.p, n}, add, &out, &err) < 0);
        CHECK_STR(err.code, "state.corrupt");
        mesh_store_cipher_free(cipher);
    }
}

CASE(long_appends_are_several_frames)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf plain = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf long_text = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    struct mesh_err err = {0};
    for (size_t i = 0; i < MESH_STORE_SEALED_BYTES_MAX / 2 - 100; i++)
        mesh_buf_putc(&long_text, 'C');
    for (int i = 0; i < 5; i++)
        frame(&plain, (struct mesh_str){long_text.p, (uint32_t)long_text.n});
    struct mesh_store_cipher *cipher = cipher_of(A, "d/p");
    struct mesh_str sealed = mesh_store_cipher_seal(cipher, (struct mesh_str){plain.p, (uint32_t)plain.n});
    int n = 0;
    for (size_t at = 0; at < sealed.n; n++) {
        struct mesh_str payload;
        at = mesh_store_frame_next(sealed, at, &payload);
        CHECK(payload.n < MESH_LOG_FRAME_BYTES_MAX);
    }
    CHECK_EQ_I64(n, 3);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf kept = MESH_BUF_NULL;
    mesh_buf_str(&kept, sealed);
    CHECK_EQ_I64(open_all(cipher, (struct mesh_str){kept.p, (uint32_t)kept.n}, &out, &err), 0);
    CHECK_EQ_U64(out.n, 5 * strlen("[8388508:CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC]"));
    mesh_store_cipher_free(cipher);
}

CASE(keys_of_a_file)
{
    struct mesh_store_keys keys;
    struct mesh_err err = {0};
    CHECK(mesh_store_keys_parse(MESH_STR("\n\n"), &keys, &err) < 0);
    CHECK_CONTAINS(err.text, "there is no key in it");
    CHECK(mesh_store_keys_parse(MESH_STR(A "\nabc\n"), &keys, &err) < 0);
    CHECK_CONTAINS(err.text, "64 hex digits");
    CHECK(mesh_store_keys_parse(MESH_STR(A "\r\n" B "\n"), &keys, &err) == 0);
    CHECK_EQ_U64(keys.n, 2);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf many = MESH_BUF_NULL;
    for (int i = 0; i <= MESH_STORE_KEYS_MAX; i++)
        mesh_buf_puts(&many, A "\n");
    CHECK(mesh_store_keys_parse((struct mesh_str){many.p, (uint32_t)many.n}, &keys, &err) < 0);
    CHECK_CONTAINS(err.text, "more than 16 keys");
}
