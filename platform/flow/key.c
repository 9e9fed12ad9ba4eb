/* Keys as bytes that sort as the values do: strings end with 00 00 and a 00 inside is 00 ff; numbers are big-endian with the sign
 * flipped. What does not fit marks the key; the step that uses it rejects the record. */
#include "flow/task_int.h"

#define ESCAPED 0xff

static uint8_t *room(struct mesh_key *key, uint32_t n)
{
    if (key->too_long || n > MESH_KEY_BYTES_MAX - key->n) {
        key->too_long = true;
        return NULL;
    }
    uint8_t *to = key->bytes + key->n;
    key->n += n;
    return to;
}

void mesh_key_str(struct mesh_key *key, struct mesh_str v)
{
    if (v.n == 0 || memchr(v.p, 0, v.n) == NULL) {
        uint8_t *to = v.n > MESH_KEY_BYTES_MAX ? room(key, MESH_KEY_BYTES_MAX + 1) : room(key, v.n + 2);
        if (to == NULL)
            return;
        if (v.n > 0)
            memcpy(to, v.p, v.n);
        to[v.n] = to[v.n + 1] = 0;
        return;
    }
    for (uint32_t i = 0; i < v.n && !key->too_long; i++) {
        uint8_t *to = room(key, v.p[i] == 0 ? 2 : 1);
        if (to == NULL)
            return;
        to[0] = (uint8_t)v.p[i];
        if (v.p[i] == 0)
            to[1] = ESCAPED;
    }
    uint8_t *to = room(key, 2);
    if (to != NULL)
        to[0] = to[1] = 0;
}

static void put_big(uint8_t *to, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        to[i] = (uint8_t)v;
}

static uint64_t get_big(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

#define SIGN64 (UINT64_C(1) << 63)

void mesh_key_long(struct mesh_key *key, int64_t v)
{
    uint8_t *to = room(key, 8);
    if (to != NULL)
        put_big(to, (uint64_t)v ^ SIGN64);
}

void mesh_key_bool(struct mesh_key *key, bool v)
{
    uint8_t *to = room(key, 1);
    if (to != NULL)
        *to = v ? 1 : 0;
}

void mesh_key_dec(struct mesh_key *key, mesh_dec v)
{
    uint8_t *to = room(key, 16);
    if (to == NULL)
        return;
    __extension__ unsigned __int128 u = (__extension__(unsigned __int128) v);
    put_big(to, (uint64_t)(u >> 64) ^ SIGN64);
    put_big(to + 8, (uint64_t)u);
}

/* The string that begins at *p; moves behind its end. Borrowed when nothing in it is escaped. */
static bool get_string(const uint8_t **p, const uint8_t *end, struct mesh_arena *scratch, struct mesh_str *ret)
{
    const uint8_t *from = *p;
    const uint8_t *at = from;
    uint32_t escaped = 0;
    for (;; at++) {
        if (end - at < 2)
            return false;
        if (*at != 0)
            continue;
        if (at[1] == 0)
            break;
        escaped++;
        at++;
    }
    *p = at + 2;
    *ret = (struct mesh_str){(const char *)from, (uint32_t)(at - from)};
    if (escaped == 0)
        return true;
    char *to = mesh_arena_alloc(scratch, ret->n);
    uint32_t n = 0;
    for (const uint8_t *c = from; c < at; c += *c == 0 ? 2 : 1)
        to[n++] = (char)*c;
    *ret = (struct mesh_str){to, n};
    return true;
}

bool mesh_flow_key_member(const uint8_t **p, const uint8_t *end, const struct mesh_field *field, struct mesh_arena *scratch,
                          void *out)
{
    char *to = (char *)out + field->offset;
    if (field->nullable)
        *((bool *)out + field->present) = true;
    if (field->type == MESH_STRING || field->type == MESH_BYTES) {
        struct mesh_str s = {0};
        if (!get_string(p, end, scratch, &s))
            return false;
        memcpy(to, &s, sizeof s);
        return true;
    }
    size_t n = field->type == MESH_BOOL ? 1 : field->type == MESH_DECIMAL ? 16 : 8;
    if ((size_t)(end - *p) < n)
        return false;
    const uint8_t *from = *p;
    *p += n;
    if (field->type == MESH_BOOL) {
        *to = (char)from[0];
    } else if (field->type == MESH_DECIMAL) {
        __extension__ unsigned __int128 u = get_big(from) ^ SIGN64;
        u = u << 64 | get_big(from + 8);
        memcpy(to, &u, sizeof u);
    } else {
        int64_t v = (int64_t)(get_big(from) ^ SIGN64);
        int32_t e = (int32_t)v;
        if (field->type == MESH_ENUM)
            memcpy(to, &e, sizeof e);
        else
            memcpy(to, &v, sizeof v);
    }
    return true;
}
