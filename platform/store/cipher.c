#include "store/cipher.h"

#include "base/check.h"
#include "base/hash.h"
#include "store/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SEALED     'S' /* no frame of the engine begins so (flow/task_int.h) */
#define VERSION    1
#define SALT_BYTES 16
#define HEAD_BYTES (2 + MESH_SEAL_ID_CHARS + SALT_BYTES)

struct own_key { /* of one salt */
    struct mesh_seal_key key;
    char id[MESH_SEAL_ID_CHARS];
    uint8_t salt[SALT_BYTES];
    bool set;
};

struct mesh_store_cipher {
    struct mesh_store_keys keys;
    char *what;
    struct own_key sealing, opening; /* what was used last */
    uint64_t n_sealed;
    struct mesh_buf plain, out;
    bool behind;
};

int mesh_store_keys_parse(struct mesh_str text, struct mesh_store_keys *ret, struct mesh_err *err)
{
    ret->n = 0;
    for (uint32_t at = 0; at < text.n;) {
        uint32_t end = at;
        while (end < text.n && text.p[end] != '\n')
            end++;
        struct mesh_str line = {text.p + at, end - at};
        while (line.n > 0 && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '))
            line.n--;
        at = end + 1;
        if (line.n == 0)
            continue;
        if (ret->n == MESH_STORE_KEYS_MAX)
            return mesh_err_set(err, MESH_ERR_FATAL, "seal.key",
                                "there are more than %d keys; a round has written all state under the first", MESH_STORE_KEYS_MAX);
        if (mesh_seal_key_parse(line, &ret->keys[ret->n], err) < 0)
            return -1;
        ret->n++;
    }
    if (ret->n == 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "seal.key", "there is no key in it; openssl rand -hex 32 makes one");
    return 0;
}

struct mesh_store_cipher *mesh_store_cipher_new(const struct mesh_store_keys *keys, const char *what)
{
    struct mesh_store_cipher *cipher = mesh_xcalloc(1, sizeof *cipher);
    cipher->keys = *keys;
    cipher->what = mesh_xstrdup(what);
    return cipher;
}

struct mesh_store_cipher *mesh_store_cipher_free(struct mesh_store_cipher *cipher)
{
    if (cipher == NULL)
        return NULL;
    if (cipher->plain.p != NULL)
        explicit_bzero(cipher->plain.p, cipher->plain.n);
    mesh_buf_deinit(&cipher->plain);
    mesh_buf_deinit(&cipher->out);
    free(cipher->what);
    explicit_bzero(cipher, sizeof *cipher);
    free(cipher);
    return NULL;
}

/* The key that frames with this salt are under. */
static void derive(const struct mesh_seal_key *key, const uint8_t salt[SALT_BYTES], struct own_key *ret)
{
    static const char label[] = "mesh state";
    uint8_t text[sizeof label + SALT_BYTES];
    memcpy(text, label, sizeof label);
    memcpy(text + sizeof label, salt, SALT_BYTES);
    *ret = (struct own_key){.set = true};
    mesh_hmac_sha256(key->bytes, sizeof key->bytes, text, sizeof text, ret->key.bytes);
    memcpy(ret->id, key->id, sizeof ret->id);
    memcpy(ret->salt, salt, SALT_BYTES);
}

static void begin_salt(struct mesh_store_cipher *cipher)
{
    uint8_t salt[SALT_BYTES];
    mesh_assert(getrandom(salt, sizeof salt, 0) == (ssize_t)sizeof salt); /* going on would write it readable */
    derive(&cipher->keys.keys[0], salt, &cipher->sealing);
    cipher->n_sealed = 0;
}

static void seal_some(struct mesh_store_cipher *cipher, struct mesh_str frames)
{
    if (!cipher->sealing.set || cipher->n_sealed++ == MESH_STORE_SEALED_A_SALT_MAX)
        begin_salt(cipher);
    size_t begin = mesh_store_frame_begin(&cipher->out);
    mesh_buf_u8(&cipher->out, SEALED);
    mesh_buf_u8(&cipher->out, VERSION);
    mesh_buf_add(&cipher->out, cipher->sealing.id, MESH_SEAL_ID_CHARS);
    mesh_buf_add(&cipher->out, cipher->sealing.salt, SALT_BYTES);
    mesh_seal(&cipher->sealing.key, mesh_str_of(cipher->what), frames, &cipher->out);
    mesh_store_frame_end(&cipher->out, begin);
}

struct mesh_str mesh_store_cipher_seal(struct mesh_store_cipher *cipher, struct mesh_str frames)
{
    if (cipher->keys.n == 0)
        return frames;
    mesh_buf_reset(&cipher->out);
    size_t from = 0;
    for (size_t at = 0; at < frames.n;) {
        struct mesh_str payload;
        size_t next = mesh_store_frame_next(frames, at, &payload);
        if (at > from && next - from > MESH_STORE_SEALED_BYTES_MAX) {
            seal_some(cipher, (struct mesh_str){frames.p + from, (uint32_t)(at - from)});
            from = at;
        }
        at = next;
    }
    if (frames.n > from)
        seal_some(cipher, (struct mesh_str){frames.p + from, (uint32_t)(frames.n - from)});
    return (struct mesh_str){cipher->out.p, (uint32_t)cipher->out.n};
}

static const struct mesh_seal_key *key_of(const struct mesh_store_cipher *cipher, const char *id)
{
    for (size_t i = 0; i < cipher->keys.n; i++)
        if (memcmp(cipher->keys.keys[i].id, id, MESH_SEAL_ID_CHARS) == 0)
            return &cipher->keys.keys[i];
    return NULL;
}

int mesh_store_cipher_open(struct mesh_store_cipher *cipher, struct mesh_str payload,
                           int (*each)(void *context, struct mesh_str frame, struct mesh_err *err), void *context,
                           struct mesh_err *err)
{
    if (payload.n == 0 || payload.p[0] != SEALED) {
        cipher->behind = cipher->behind || cipher->keys.n > 0;
        return each(context, payload, err);
    }
    if (payload.n < HEAD_BYTES || payload.p[1] != VERSION)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.corrupt", "the state of %s was sealed by a newer mesh, or is damaged",
                            cipher->what);
    const char *id = payload.p + 2;
    const uint8_t *salt = (const uint8_t *)id + MESH_SEAL_ID_CHARS;
    const struct mesh_seal_key *key = key_of(cipher, id);
    if (key == NULL)
        return mesh_err_set(
            err, MESH_ERR_FATAL, "state.key",
            "the state of %s is sealed with the key %.*s, and %s. Put that key into the file of MESH_STATE_KEY_FILE, "
            "as a line below the first; without it the state cannot be read by anybody",
            cipher->what, MESH_SEAL_ID_CHARS, id, cipher->keys.n == 0 ? "no key is set" : "it is none of those that are there");
    if (!cipher->opening.set || memcmp(cipher->opening.id, id, MESH_SEAL_ID_CHARS) != 0 ||
        memcmp(cipher->opening.salt, salt, SALT_BYTES) != 0)
        derive(key, salt, &cipher->opening);
    cipher->behind = cipher->behind || key != &cipher->keys.keys[0];
    mesh_buf_reset(&cipher->plain);
    struct mesh_err why = {0};
    struct mesh_str sealed = {payload.p + HEAD_BYTES, payload.n - HEAD_BYTES};
    if (mesh_seal_open(&cipher->opening.key, mesh_str_of(cipher->what), sealed, &cipher->plain, &why) < 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.corrupt",
                            "the state of %s cannot be opened with its key %.*s: it was changed, or belongs to another product",
                            cipher->what, MESH_SEAL_ID_CHARS, id);
    struct mesh_str frames = {cipher->plain.p, (uint32_t)cipher->plain.n};
    for (size_t at = 0; at < frames.n;) {
        struct mesh_str frame;
        at = mesh_store_frame_next(frames, at, &frame);
        int result = each(context, frame, err);
        if (result < 0)
            return result;
    }
    return 0;
}

bool mesh_store_cipher_is_behind(const struct mesh_store_cipher *cipher)
{
    return cipher->behind;
}
