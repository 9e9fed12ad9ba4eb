/* Between diag.c, which collects and prints text, and diag_format.c, which writes for machines. */
#ifndef MESH_BASE_DIAG_INTERNAL_H
#define MESH_BASE_DIAG_INTERNAL_H

#include "base/diag.h"

/* `sorted` holds all->list.n diagnostics in the order of printing. */
void mesh_diag_write_json(struct mesh_buf *out, const struct mesh_diags *all, const struct mesh_diag *const *sorted);
void mesh_diag_write_junit(struct mesh_buf *out, const struct mesh_diags *all, const struct mesh_diag *const *sorted);
void mesh_diag_write_github(struct mesh_buf *out, const struct mesh_diags *all, const struct mesh_diag *const *sorted);
void mesh_diag_write_sarif(struct mesh_buf *out, const struct mesh_diags *all, const struct mesh_diag *const *sorted);

const char *mesh_diag_severity_name(enum mesh_severity severity); /* "error" */

#endif
