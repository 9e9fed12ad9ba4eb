/* The key of dead letters and late records that hold personal data (flow/sealed.h): from a file, one for all products of the
 * service. Without one they are written readable, and that is said at the start (docs/decisions/011). */
#ifndef MESH_APP_LETTERS_H
#define MESH_APP_LETTERS_H

#include "base/seal.h"
#include "flow/sealed.h"

struct mesh_letters {
    struct mesh_seal_key key;
    struct mesh_seal_hook hook; /* points to the key: not to be moved */
    bool sealed;
};

/* `path` "": none. FATAL "config.secret" names the setting, never the key. */
int mesh_letters_load(const char *setting, const char *path, struct mesh_letters *ret, struct mesh_err *err);
/* NULL: no key. */
const struct mesh_seal_hook *mesh_letters_hook(const struct mesh_letters *letters);
/* A sentence about letters of this product that will be readable; false: there are none. */
bool mesh_letters_warning(const struct mesh_letters *letters, const struct mesh_product *product, const char *setting,
                          struct mesh_buf *ret);
void mesh_letters_deinit(struct mesh_letters *letters);

#endif
