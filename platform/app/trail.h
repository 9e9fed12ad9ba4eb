/* The audit of a service: HTTP tells what it showed (http/answer.h), the audit keeps it (govern/audit.h).
 *
 * MESH_AUDIT_DIR and MESH_AUDIT_KEY_FILE switch it on, both or none. The gauge mesh_audit_entries is the number of the last entry on
 * disk: whoever notes it now and then can tell later that nothing was put back (meshctl audit verify --at-least).
 */
#ifndef MESH_APP_TRAIL_H
#define MESH_APP_TRAIL_H

#include "http/answer.h"

struct mesh_trail;

/* *ret is NULL when `dir` is "". FATAL: the key cannot be read or is too short, the folder cannot be gone on with. */
int mesh_trail_open(const char *dir, const char *key_file, struct mesh_metrics *metrics, struct mesh_trail **ret,
                    struct mesh_err *err);
/* For struct mesh_http_backend. 0, or 1: it cannot be kept. */
int mesh_trail_add(struct mesh_trail *trail, const struct mesh_http_disclosure *disclosure);
/* Brings the gauge up to date. Takes NULL. */
void mesh_trail_measure(struct mesh_trail *trail);
/* Takes NULL. */
struct mesh_trail *mesh_trail_close(struct mesh_trail *trail);

#endif
