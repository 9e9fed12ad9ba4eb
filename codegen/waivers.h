/* waivers.yaml beside mesh.yaml: findings that somebody has looked at, each with a reason and a last day, so that they end by
 * themselves. `meshgen breaking` asks it about what changed (MB...), `meshgen check` about policies.
 */
#ifndef MESH_CODEGEN_WAIVERS_H
#define MESH_CODEGEN_WAIVERS_H

#include "base/diag.h"

struct mesh_waiver {
    const char *code, *part, *reason;
    const char *until; /* the last day, as written */
    int64_t end_us;    /* the end of that day */
    struct mesh_srcref at;
    bool used;
};

struct mesh_waivers {
    struct mesh_arena *arena;
    struct mesh_diags *diags;
    int64_t today_us;
    MESH_VEC(struct mesh_waiver) list;
};

/* `root`: the folder of mesh.yaml. Without a file the list is empty; mistakes in it are diagnostics. */
void mesh_waivers_load(struct mesh_waivers *waivers, const char *root);
/* Is it meant? The waiver that says so, or that said so until a day that has passed, is in *ret, else NULL. `part` is what waivers
 * call it: "shop/outputPorts.sales.topic". */
bool mesh_waivers_cover(struct mesh_waivers *waivers, const char *code, const char *part, const struct mesh_waiver **ret);
/* A note at the waiver; nothing for NULL. */
void mesh_waivers_note(struct mesh_waivers *waivers, struct mesh_diag *diag, const struct mesh_waiver *waiver);
/* A warning `as` for each that was never asked for; of codes that begin with MB, or of the others. */
void mesh_waivers_unused(struct mesh_waivers *waivers, bool breaking, const char *as);

#endif
