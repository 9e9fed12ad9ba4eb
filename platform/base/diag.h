/* Diagnostics as a good compiler gives them.
 *
 * Sources are loaded once and kept; a place is (source, byte begin, byte end), and line and column are computed only when a
 * diagnostic is printed. Everything found is collected; the caller prints at the end. Two diagnostics of the same code at the same
 * place are one.
 *
 *     domains/orders/product.yaml:14:11: error[MG012]: input 'ordres' is not declared
 *        14 |     from: ordres
 *           |           ^^^^^^ did you mean 'orders'?
 *       why: a stream reads an input port, another stream or the changes of a view
 *       fix: write 'from: orders'
 *     domains/orders/product.yaml:6:3: note: 'orders' is declared here
 *         6 |   orders:
 *           |   ^^^^^^
 */
#ifndef MESH_BASE_DIAG_H
#define MESH_BASE_DIAG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"

#include <stdio.h>

#define MESH_DIAG_MAX       200 /* further ones are counted, not kept */
#define MESH_DIAG_NOTES_MAX 16

struct mesh_source {
    const char *path; /* as shown: relative to the mesh's folder */
    const char *text; /* NUL-terminated */
    size_t n;
    const uint32_t *line_starts; /* byte offset of each line */
    size_t n_lines;
};

struct mesh_srcref {
    const struct mesh_source *source; /* NULL: no place */
    uint32_t begin, end;              /* bytes */
};

enum mesh_severity { MESH_ERROR, MESH_WARNING, MESH_NOTE };

struct mesh_diag_note {
    struct mesh_srcref at;
    const char *text;
};

struct mesh_diag {
    enum mesh_severity severity;
    const char *code; /* "MG012" */
    struct mesh_srcref at;
    const char *text;
    const char *hint; /* shown behind the caret: did-you-mean */
    const char *why;
    const char *fix;
    struct mesh_diag_note notes[MESH_DIAG_NOTES_MAX];
    size_t n_notes;
};

struct mesh_diags {
    struct mesh_arena *arena;
    MESH_VEC(struct mesh_diag *) list;
    size_t n_errors, n_warnings, n_dropped;
};

enum mesh_diag_format { MESH_DIAG_TEXT, MESH_DIAG_JSON, MESH_DIAG_JUNIT, MESH_DIAG_GITHUB, MESH_DIAG_SARIF };

/* Make a source of text that outlives it (arena). Computes the lines. */
const struct mesh_source *mesh_source_new(struct mesh_arena *arena, const char *path, const char *text, size_t n);
/* 1-based; the column counts UTF-8 code points. */
void mesh_source_position(const struct mesh_source *source, uint32_t offset, int *ret_line, int *ret_column);

/* Report; `text` is printf. Returns the diagnostic so that hint, why, fix and notes can be added; never NULL. */
struct mesh_diag *mesh_diag_add(struct mesh_diags *diags, enum mesh_severity severity, const char *code, struct mesh_srcref at,
                                const char *text, ...) __attribute__((format(printf, 5, 6)));
void mesh_diag_hint(struct mesh_diags *diags, struct mesh_diag *diag, const char *text, ...) __attribute__((format(printf, 3, 4)));
void mesh_diag_why(struct mesh_diags *diags, struct mesh_diag *diag, const char *text, ...) __attribute__((format(printf, 3, 4)));
void mesh_diag_fix(struct mesh_diags *diags, struct mesh_diag *diag, const char *text, ...) __attribute__((format(printf, 3, 4)));
void mesh_diag_note(struct mesh_diags *diags, struct mesh_diag *diag, struct mesh_srcref at, const char *text, ...)
    __attribute__((format(printf, 4, 5)));

/* In order of file, place, code. Colour only when asked. Returns the number of errors. */
size_t mesh_diag_print(const struct mesh_diags *diags, FILE *out, enum mesh_diag_format format, bool colour);

/* The candidate nearest to `word` by Damerau-Levenshtein distance, when near enough to be meant (distance <= 1 + len/4); or NULL. */
const char *mesh_did_you_mean(const char *word, const char *const *candidates, size_t n);

#endif
