/* Equal lines at both ends are set aside; what is between is compared by the longest common subsequence, which is quadratic and therefore
 * bounded. */
#include "codegen/text_diff.h"

#include "base/check.h"
#include "base/vec.h"

#include <stdlib.h>

#define CONTEXT   3
#define CELLS_MAX (4u << 20)

struct edit {
    char kind; /* ' ', '-', '+' */
    struct mesh_str line;
    size_t old_at, new_at; /* lines before it */
};

struct lines {
    MESH_VEC(struct mesh_str) list;
};

struct edits {
    MESH_VEC(struct edit) list;
    size_t old_n, new_n;
};

static void split(struct mesh_arena *arena, struct mesh_str text, struct lines *ret)
{
    for (size_t at = 0; at < text.n;) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        size_t n = end == NULL ? text.n - at : (size_t)(end - (text.p + at)) + 1;
        *mesh_vec_push_in(arena, &ret->list) = (struct mesh_str){text.p + at, (uint32_t)n};
        at += n;
    }
}

static void add(struct mesh_arena *arena, struct edits *edits, char kind, struct mesh_str line)
{
    *mesh_vec_push_in(arena, &edits->list) = (struct edit){kind, line, edits->old_n, edits->new_n};
    edits->old_n += kind != '+';
    edits->new_n += kind != '-';
}

/* a[0..n) against b[0..m): which lines stay. */
static void compare(struct mesh_arena *arena, struct edits *edits, const struct mesh_str *a, size_t n, const struct mesh_str *b,
                    size_t m)
{
    uint32_t *common = (n + 1) * (m + 1) > CELLS_MAX ? NULL : mesh_xcalloc((n + 1) * (m + 1), sizeof *common);
    size_t i = 0, k = 0;
#define COMMON(i, k) common[(i) * (m + 1) + (k)]
    for (size_t y = n; common != NULL && y-- > 0;)
        for (size_t x = m; x-- > 0;)
            COMMON(y, x) = mesh_str_eq(a[y], b[x])               ? COMMON(y + 1, x + 1) + 1
                           : COMMON(y + 1, x) > COMMON(y, x + 1) ? COMMON(y + 1, x)
                                                                 : COMMON(y, x + 1);
    while (common != NULL && i < n && k < m) {
        if (mesh_str_eq(a[i], b[k])) {
            add(arena, edits, ' ', a[i++]);
            k++;
        } else if (COMMON(i + 1, k) >= COMMON(i, k + 1)) {
            add(arena, edits, '-', a[i++]);
        } else {
            add(arena, edits, '+', b[k++]);
        }
    }
#undef COMMON
    while (i < n)
        add(arena, edits, '-', a[i++]);
    while (k < m)
        add(arena, edits, '+', b[k++]);
    free(common);
}

/* Edits [from, to) with their head. */
static void hunk(struct mesh_buf *out, const struct edits *edits, size_t from, size_t to)
{
    const struct edit *first = &edits->list.v[from];
    size_t old_n = 0, new_n = 0;
    for (size_t i = from; i < to; i++) {
        old_n += edits->list.v[i].kind != '+';
        new_n += edits->list.v[i].kind != '-';
    }
    mesh_buf_printf(out, "@@ -%zu,%zu +%zu,%zu @@\n", first->old_at + (old_n > 0), old_n, first->new_at + (new_n > 0), new_n);
    for (size_t i = from; i < to; i++) {
        const struct edit *edit = &edits->list.v[i];
        mesh_buf_putc(out, edit->kind);
        mesh_buf_str(out, edit->line);
        if (edit->line.n == 0 || edit->line.p[edit->line.n - 1] != '\n')
            mesh_buf_puts(out, "\n\\ No newline at end of file\n");
    }
}

static void hunks(struct mesh_buf *out, const struct edits *edits)
{
    size_t n = edits->list.n;
    for (size_t i = 0; i < n; i++) {
        if (edits->list.v[i].kind == ' ')
            continue;
        size_t from = i > CONTEXT ? i - CONTEXT : 0, last = i;
        for (size_t k = i; k < n && k <= last + 2 * CONTEXT; k++)
            if (edits->list.v[k].kind != ' ')
                last = k;
        size_t to = last + 1 + CONTEXT < n ? last + 1 + CONTEXT : n;
        hunk(out, edits, from, to);
        i = to - 1;
    }
}

void mesh_text_diff(struct mesh_arena *arena, struct mesh_buf *out, const char *old_name, struct mesh_str old, const char *new_name,
                    struct mesh_str new)
{
    if (mesh_str_eq(old, new))
        return;
    struct lines a = {0}, b = {0};
    struct edits edits = {0};
    split(arena, old, &a);
    split(arena, new, &b);
    size_t n = a.list.n, m = b.list.n, head = 0, tail = 0;
    while (head < n && head < m && mesh_str_eq(a.list.v[head], b.list.v[head]))
        add(arena, &edits, ' ', a.list.v[head++]);
    while (tail < n - head && tail < m - head && mesh_str_eq(a.list.v[n - 1 - tail], b.list.v[m - 1 - tail]))
        tail++;
    compare(arena, &edits, a.list.v + head, n - head - tail, b.list.v + head, m - head - tail);
    for (size_t i = n - tail; i < n; i++)
        add(arena, &edits, ' ', a.list.v[i]);
    mesh_buf_printf(out, "--- %s\n+++ %s\n", old_name, new_name);
    hunks(out, &edits);
}
