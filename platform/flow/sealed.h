/* Dead letters and late records of personal data, sealed.
 *
 * A letter's key, value and original headers may hold anything about anybody. When the driver hands in a seal, letters of a
 * product's personal inputs carry them as one sealed text:
 *
 *     key         none; the partition is still that of the record's key
 *     value       sealed (base/seal.h): flags, key, value, original headers
 *     headers     the __mesh.errors.* of every letter, which hold no values of the record, and
 *                 __mesh.sealed: "aes-256-gcm <id of the key>"
 *
 * Such a letter is sent back as it is: who replays needs no key, the service opens it. One that the service cannot open becomes a
 * letter again, with the code letter.sealed.
 *
 * The text is bound to topic, partition and offset of the record, so that it cannot be passed off as another's. The engine itself
 * knows no cipher and no randomness: the driver's function is called.
 */
#ifndef MESH_FLOW_SEALED_H
#define MESH_FLOW_SEALED_H

#include "base/buf.h"
#include "base/seal.h"
#include "flow/engine.h"

#define MESH_FLOW_SEALED_HEADER "__mesh.sealed"
#define MESH_FLOW_SEALED_CIPHER "aes-256-gcm "

struct mesh_seal_hook {
    void (*seal)(void *context, struct mesh_str bound, struct mesh_str plain, struct mesh_buf *ret);
    /* Appends; negative: with this key it does not open. */
    int (*open)(void *context, struct mesh_str bound, struct mesh_str sealed, struct mesh_buf *ret, struct mesh_err *err);
    void *context;
    const char *key_id;
};
/* A hook that seals and opens with this key, which is borrowed. */
struct mesh_seal_hook mesh_seal_hook_of(const struct mesh_seal_key *key);

/* Whether letters of this input hold personal data: its own, or, for the product's internal topics, those of any input. */
bool mesh_flow_is_personal(const struct mesh_product *product, uint32_t input);
/* Append the sealed text. `offset` and the others are those of the record. */
void mesh_flow_seal(const struct mesh_seal_hook *hook, const char *topic, int32_t partition, int64_t offset, struct mesh_str key,
                    struct mesh_str value, const struct mesh_header *headers, uint32_t n_headers, struct mesh_buf *ret);

bool mesh_flow_is_sealed(const struct mesh_header *headers, uint32_t n);

/* ---- for readers ---- */
/* The record of a letter as it was; borrows from the letter, or from `text` when it was sealed. Zeroed to begin with. */
struct mesh_letter {
    struct mesh_str key, value;  /* p == NULL: null */
    struct mesh_header *headers; /* the original ones; owned */
    uint32_t n_headers;
    struct mesh_buf text;
};
/* A message of a dead letter topic, sealed or not. `key` may be NULL: then sealed ones cannot be read. REJECT "letter.key" names
 * the id of the key that is needed, "letter.broken" says that it is no letter, or was changed. */
int mesh_letter_open(const struct mesh_seal_key *key, const struct mesh_record *message, struct mesh_letter *ret,
                     struct mesh_err *err);
/* The record in a sealed letter that comes back (flow/retry.h), with the __mesh.retry.* headers of the message; borrows from both.
 * `hook` may be NULL. Negative: as above; `letter` is to be deinitialized in any case. */
int mesh_flow_unseal(const struct mesh_seal_hook *hook, const struct mesh_record *message, struct mesh_letter *letter,
                     struct mesh_record *ret, struct mesh_err *err);
void mesh_letter_deinit(struct mesh_letter *letter);

#endif
