/* Who is in a row that must not be seen before enough people are.
 *
 *     00000000 <key: 4 bytes> <hash: 8 bytes>...    counting; hashes ascending, fewer than `min`
 *     <min: 4 bytes>                                there were so many; who they are is forgotten. When the declaration asks for more
 *                                                   later, counting begins anew
 *
 * A hash is made of the pseudonym, so it needs the key of the mesh; the 4 bytes tell which key that was. Hashes of two keys cannot be
 * compared: what is added last counts, and nobody twice. So a row may be shown later than it could be, and never too early. */
#include "flow/task_int.h"

#include "base/hash.h"

#include <stdlib.h>

#define HEAD_BYTES 8u

static uint32_t word_at(const struct mesh_str *set, uint32_t at)
{
    uint32_t word = 0;
    if (set->n >= at + sizeof word)
        memcpy(&word, set->p + at, sizeof word);
    return word;
}

static uint64_t hash_at(const struct mesh_str *set, uint32_t i)
{
    uint64_t hash = 0;
    memcpy(&hash, set->p + HEAD_BYTES + i * sizeof hash, sizeof hash);
    return hash;
}

static uint32_t n_hashes(const struct mesh_str *set)
{
    return set->n <= HEAD_BYTES ? 0 : (set->n - HEAD_BYTES) / (uint32_t)sizeof(uint64_t);
}

bool mesh_flow_people_enough(const struct mesh_str *set, uint32_t min)
{
    return word_at(set, 0) >= min;
}

static char *resize(struct mesh_str *set, uint32_t n)
{
    char *p = mesh_xrealloc((char *)(uintptr_t)set->p, n);
    *set = (struct mesh_str){p, n};
    return p;
}

static void begin(struct mesh_str *set, uint32_t key)
{
    char *p = resize(set, HEAD_BYTES);
    memset(p, 0, sizeof key);
    memcpy(p + sizeof key, &key, sizeof key);
}

static void forget(struct mesh_str *set, uint32_t min)
{
    memcpy(resize(set, sizeof min), &min, sizeof min);
}

/* Of the set's own key. */
static void add(struct mesh_str *set, uint64_t hash, uint32_t min)
{
    uint32_t n = n_hashes(set);
    uint32_t at = 0;
    while (at < n && hash_at(set, at) < hash)
        at++;
    bool there = at < n && hash_at(set, at) == hash;
    if (n + (there ? 0 : 1) >= min)
        forget(set, min);
    if (there || set->n < HEAD_BYTES)
        return;
    char *p = resize(set, set->n + (uint32_t)sizeof hash) + HEAD_BYTES + at * sizeof hash;
    memmove(p + sizeof hash, p, (n - at) * sizeof hash);
    memcpy(p, &hash, sizeof hash);
}

void mesh_people_add(struct mesh_task *task, struct mesh_str *people, uint32_t min, const char *subject, struct mesh_str who)
{
    if (mesh_flow_people_enough(people, min))
        return;
    uint32_t key = mesh_flow_pseudonym_key_id(task);
    if (people->n < HEAD_BYTES || word_at(people, sizeof key) != key)
        begin(people, key);
    struct mesh_str pseudonym = mesh_pseudonym(task, subject, who);
    add(people, mesh_hash64(pseudonym.p, pseudonym.n), min);
}

void mesh_people_merge(struct mesh_str *into, struct mesh_str from, uint32_t min)
{
    if (mesh_flow_people_enough(into, min) || from.n == 0)
        return;
    if (mesh_flow_people_enough(&from, min)) {
        forget(into, min);
        return;
    }
    if (into->n < HEAD_BYTES || word_at(into, sizeof min) != word_at(&from, sizeof min))
        begin(into, word_at(&from, sizeof min));
    for (uint32_t i = 0; i < n_hashes(&from) && !mesh_flow_people_enough(into, min); i++)
        add(into, hash_at(&from, i), min);
}
