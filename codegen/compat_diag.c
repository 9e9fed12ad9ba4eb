/* One sentence, both places, the fixes in their order. */
#include "codegen/compat_diag.h"

#include <stdlib.h>
#include <string.h>

const char *mesh_compat_fix_rank(const struct mesh_incompat *found, size_t i)
{
    if (i == 0)
        return "recommended";
    return i >= 2 && i + 1 == found->n_fixes ? "workaround" : "acceptable";
}

int mesh_compat_file_version(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strstr(slash == NULL ? path : slash, ".v");
    if (dot == NULL || dot[2] < '1' || dot[2] > '9')
        return 0;
    char *end = NULL;
    long version = strtol(dot + 2, &end, 10);
    return strcmp(end, ".avsc") == 0 && version <= INT32_MAX ? (int)version : 0;
}

struct mesh_diag *mesh_compat_diag(struct mesh_diags *diags, enum mesh_severity severity, const char *code,
                                   const struct mesh_compat_verdict *verdict, const struct mesh_incompat *found,
                                   const struct mesh_compat_names *names)
{
    const char *kind = mesh_compat_kind_name(found->kind);
    struct mesh_srcref here = verdict->forward ? found->writer_at : found->reader_at;
    struct mesh_srcref there = verdict->forward ? found->reader_at : found->writer_at;
    struct mesh_diag *diag =
        mesh_diag_add(diags, severity, code == NULL ? kind : code, here, "%s cannot read what %s %s: %s",
                      verdict->forward ? names->previous : names->next, verdict->forward ? names->next : names->previous,
                      verdict->forward ? "writes" : "wrote", found->reason);
    mesh_diag_why(diags, diag, "%s at %s; %s", kind, found->pointer, names->rule);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf fixes = MESH_BUF_NULL;
    for (size_t i = 0; i < found->n_fixes; i++)
        mesh_buf_printf(&fixes, "%s%s", i == 0 ? "" : "\n   or: ", found->fixes[i]);
    if (fixes.n > 0)
        mesh_diag_fix(diags, diag, "%s", fixes.p);
    mesh_diag_note(diags, diag, there, "%s says it here", names->previous);
    return diag;
}
