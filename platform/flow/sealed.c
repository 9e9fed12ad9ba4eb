/* Sealing is packing and one call; the letter that comes back is opened by the engine, others by those who read letters. */
#include "flow/sealed.h"

#include "base/check.h"
#include "flow/retry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define HAS_KEY   1u
#define HAS_VALUE 2u

bool mesh_flow_is_personal(const struct mesh_product *product, uint32_t input)
{
    if (product->inputs[input].personal || product->inputs[input].contracts != NULL)
        return product->inputs[input].personal;
    bool any = false;
    for (uint32_t i = 0; i < product->n_inputs; i++)
        any = any || product->inputs[i].personal;
    return any;
}

static void pack(struct mesh_str key, struct mesh_str value, const struct mesh_header *headers, uint32_t n, struct mesh_buf *ret)
{
    mesh_buf_u8(ret, (uint8_t)((key.p != NULL ? HAS_KEY : 0) | (value.p != NULL ? HAS_VALUE : 0)));
    mesh_buf_slice(ret, key);
    mesh_buf_slice(ret, value);
    mesh_buf_varint(ret, n);
    for (uint32_t i = 0; i < n; i++) {
        mesh_buf_slice(ret, headers[i].name);
        mesh_buf_u8(ret, headers[i].value.p != NULL);
        mesh_buf_slice(ret, headers[i].value);
    }
}

static void bind(struct mesh_buf *ret, struct mesh_str topic, struct mesh_str partition, struct mesh_str offset)
{
    mesh_buf_slice(ret, topic);
    mesh_buf_slice(ret, partition);
    mesh_buf_slice(ret, offset);
}

static struct mesh_str str_of(const struct mesh_buf *buf)
{
    return (struct mesh_str){buf->p, (uint32_t)buf->n};
}

void mesh_flow_seal(const struct mesh_seal_hook *hook, const char *topic, int32_t partition, int64_t offset, struct mesh_str key,
                    struct mesh_str value, const struct mesh_header *headers, uint32_t n_headers, struct mesh_buf *ret)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf plain = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf bound = MESH_BUF_NULL;
    char where[2][24];
    snprintf(where[0], sizeof where[0], "%" PRId32, partition);
    snprintf(where[1], sizeof where[1], "%" PRId64, offset);
    bind(&bound, mesh_str_of(topic), mesh_str_of(where[0]), mesh_str_of(where[1]));
    pack(key, value, headers, n_headers, &plain);
    hook->seal(hook->context, str_of(&bound), str_of(&plain), ret);
    explicit_bzero(plain.p, plain.n);
}

/* ---- reading ---- */
static bool is_ours(struct mesh_str name)
{
    return mesh_str_eq(name, MESH_STR(MESH_FLOW_HEADER)) || mesh_str_starts(name, MESH_STR("__mesh."));
}

static int broken(struct mesh_err *err, const char *why)
{
    return mesh_err_set(err, MESH_ERR_REJECT, "letter.broken", "this is no letter that can be read: %s", why);
}

static int unpack(struct mesh_letter *letter, struct mesh_err *err)
{
    struct mesh_cursor in = mesh_cursor_of(letter->text.p, letter->text.n);
    uint8_t flags = mesh_get_u8(&in);
    letter->key = mesh_get_slice(&in);
    letter->value = mesh_get_slice(&in);
    uint64_t n = mesh_get_varint(&in);
    if (in.bad || n > letter->text.n)
        return broken(err, "what was sealed is cut");
    letter->headers = mesh_xcalloc(n + 1, sizeof *letter->headers);
    for (; letter->n_headers < n && !in.bad; letter->n_headers++) {
        struct mesh_header *h = &letter->headers[letter->n_headers];
        h->name = mesh_get_slice(&in);
        bool has = mesh_get_u8(&in) != 0;
        h->value = mesh_get_slice(&in);
        if (!has)
            h->value = (struct mesh_str){0};
    }
    if (in.bad || in.p != in.end)
        return broken(err, "what was sealed is cut");
    if ((flags & HAS_KEY) == 0)
        letter->key = (struct mesh_str){0};
    if ((flags & HAS_VALUE) == 0)
        letter->value = (struct mesh_str){0};
    return 0;
}

/* `prefix`: of the headers that say where the record was. */
static int open_sealed(const struct mesh_seal_hook *hook, const struct mesh_record *message, const char *prefix,
                       struct mesh_letter *ret, struct mesh_err *err)
{
    static const char *const where[] = {"topic", "partition", "offset"};
    struct mesh_str cipher = MESH_STR(MESH_FLOW_SEALED_CIPHER), how = mesh_flow_letter_header(message, MESH_FLOW_SEALED_HEADER);
    if (!mesh_str_starts(how, cipher))
        return broken(err, "it was sealed in a way that this version does not know");
    struct mesh_str id = {how.p + cipher.n, how.n - cipher.n};
    if (hook == NULL || !mesh_str_eq(id, mesh_str_of(hook->key_id)))
        return mesh_err_set(err, MESH_ERR_REJECT, "letter.key", "the letter is sealed with key %.*s, and %s%s", (int)id.n, id.p,
                            hook == NULL ? "no key is given" : "the key given is ", hook == NULL ? "" : hook->key_id);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf bound = MESH_BUF_NULL;
    struct mesh_str parts[MESH_LEN(where)];
    for (size_t i = 0; i < MESH_LEN(where); i++) {
        char name[48];
        snprintf(name, sizeof name, "%s%s", prefix, where[i]);
        parts[i] = mesh_flow_letter_header(message, name);
    }
    bind(&bound, parts[0], parts[1], parts[2]);
    struct mesh_err why = {0};
    if (hook->open(hook->context, str_of(&bound), message->value, &ret->text, &why) < 0)
        return broken(err, why.text);
    return unpack(ret, err);
}

static void seal_with(void *context, struct mesh_str bound, struct mesh_str plain, struct mesh_buf *ret)
{
    mesh_seal(context, bound, plain, ret);
}

static int open_with(void *context, struct mesh_str bound, struct mesh_str sealed, struct mesh_buf *ret, struct mesh_err *err)
{
    return mesh_seal_open(context, bound, sealed, ret, err);
}

struct mesh_seal_hook mesh_seal_hook_of(const struct mesh_seal_key *key)
{
    return (struct mesh_seal_hook){seal_with, open_with, (void *)(uintptr_t)key, key->id};
}

bool mesh_flow_is_sealed(const struct mesh_header *headers, uint32_t n)
{
    const struct mesh_record record = {.headers = headers, .n_headers = n};
    return mesh_flow_letter_header(&record, MESH_FLOW_SEALED_HEADER).p != NULL;
}

int mesh_flow_unseal(const struct mesh_seal_hook *hook, const struct mesh_record *message, struct mesh_letter *letter,
                     struct mesh_record *ret, struct mesh_err *err)
{
    if (open_sealed(hook, message, MESH_FLOW_RETRY_PREFIX, letter, err) < 0)
        return -1;
    uint32_t n = letter->n_headers;
    struct mesh_header *all = mesh_xcalloc((size_t)n + message->n_headers + 1, sizeof *all);
    memcpy(all, letter->headers, n * sizeof *all);
    for (uint32_t i = 0; i < message->n_headers; i++)
        if (mesh_str_starts(message->headers[i].name, MESH_STR(MESH_FLOW_RETRY_PREFIX)))
            all[n++] = message->headers[i];
    free(letter->headers);
    letter->headers = all;
    letter->n_headers = n;
    *ret = *message;
    ret->key = letter->key;
    ret->value = letter->value;
    ret->headers = all;
    ret->n_headers = n;
    return 0;
}

int mesh_letter_open(const struct mesh_seal_key *key, const struct mesh_record *message, struct mesh_letter *ret,
                     struct mesh_err *err)
{
    if (mesh_flow_letter_header(message, "__mesh.errors.topic").p == NULL)
        return broken(err, "it has no header __mesh.errors.topic");
    if (mesh_flow_is_sealed(message->headers, message->n_headers)) {
        struct mesh_seal_hook hook = key == NULL ? (struct mesh_seal_hook){0} : mesh_seal_hook_of(key);
        return open_sealed(key == NULL ? NULL : &hook, message, "__mesh.errors.", ret, err);
    }
    ret->key = message->key;
    ret->value = message->value;
    ret->headers = mesh_xcalloc((size_t)message->n_headers + 1, sizeof *ret->headers);
    for (uint32_t i = 0; i < message->n_headers; i++)
        if (!is_ours(message->headers[i].name))
            ret->headers[ret->n_headers++] = message->headers[i];
    return 0;
}

void mesh_letter_deinit(struct mesh_letter *letter)
{
    if (letter->text.p != NULL)
        explicit_bzero(letter->text.p, letter->text.n);
    mesh_buf_deinit(&letter->text);
    free(letter->headers);
    *letter = (struct mesh_letter){0};
}
