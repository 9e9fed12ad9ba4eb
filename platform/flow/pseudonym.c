/* The same few thousand people turn up again and again: a small direct-mapped cache saves most of the hashing. It holds values in
 * clear, like all state; it is bounded, and long values are not kept. */
#include "flow/task_int.h"

#include "base/hash.h"

#include <stdlib.h>

#define ENTRIES         2048u
#define VALUE_BYTES_MAX 64
#define TEXT_BYTES      32

struct entry {
    const char *subject; /* a constant of the generated code: compared by address first */
    uint32_t n;
    char value[VALUE_BYTES_MAX];
    char text[TEXT_BYTES];
};

struct mesh_flow_pseudonyms {
    struct mesh_hmac hmac; /* of the engine's key */
    uint32_t key_id;
    struct mesh_buf message;
    struct entry entries[ENTRIES];
};

static struct mesh_flow_pseudonyms *cache_of(struct mesh_task *task)
{
    if (task->pseudonyms == NULL) {
        task->pseudonyms = mesh_xcalloc(1, sizeof *task->pseudonyms);
        mesh_hmac_init(&task->pseudonyms->hmac, task->engine->pseudonym_key, task->engine->pseudonym_key_n);
        static const char which[] = "mesh: which key this is"; /* no subject begins so */
        uint8_t digest[32];
        mesh_hmac_of(&task->pseudonyms->hmac, which, sizeof which - 1, digest);
        memcpy(&task->pseudonyms->key_id, digest, sizeof task->pseudonyms->key_id);
    }
    return task->pseudonyms;
}

uint32_t mesh_flow_pseudonym_key_id(struct mesh_task *task)
{
    return cache_of(task)->key_id;
}

void mesh_flow_pseudonyms_free(struct mesh_flow_pseudonyms *cache)
{
    if (cache == NULL)
        return;
    mesh_buf_deinit(&cache->message);
    free(cache);
}

static void compute(struct mesh_flow_pseudonyms *cache, const char *subject, struct mesh_str v, char ret[TEXT_BYTES])
{
    struct mesh_buf *message = &cache->message;
    mesh_buf_reset(message);
    mesh_buf_puts(message, subject);
    mesh_buf_u8(message, 0);
    mesh_buf_str(message, v);
    uint8_t digest[32];
    char hex[2 * 16 + 1];
    mesh_hmac_of(&cache->hmac, message->p, message->n, digest);
    mesh_hex(digest, 16, hex);
    memcpy(ret, hex, TEXT_BYTES);
}

struct mesh_str mesh_pseudonym(struct mesh_task *task, const char *subject, struct mesh_str v)
{
    struct mesh_flow_pseudonyms *cache = cache_of(task);
    char *text = mesh_arena_alloc(&task->scratch, TEXT_BYTES);
    if (v.n > VALUE_BYTES_MAX) {
        compute(cache, subject, v, text);
        return (struct mesh_str){text, TEXT_BYTES};
    }
    struct entry *entry = &cache->entries[mesh_hash64(v.p, v.n) % ENTRIES];
    if (entry->subject == NULL || entry->n != v.n || memcmp(entry->value, v.n == 0 ? "" : v.p, v.n) != 0 ||
        (entry->subject != subject && strcmp(entry->subject, subject) != 0)) {
        compute(cache, subject, v, entry->text);
        entry->subject = subject;
        entry->n = v.n;
        if (v.n > 0)
            memcpy(entry->value, v.p, v.n);
    }
    memcpy(text, entry->text, TEXT_BYTES);
    return (struct mesh_str){text, TEXT_BYTES};
}
