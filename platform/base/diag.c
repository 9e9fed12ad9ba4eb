/* Collecting, and the text that people read. A diagnostic that is not kept (a duplicate, or one too
 * many) is still made and returned, so that its reporter can go on decorating it without a check.
 *
 * The quoted line is copied as it is, tabs included, and the line of carets repeats its tabs, so
 * that both align whatever the terminal's tab stops. Characters that would move the cursor or
 * reorder the text are shown as U+FFFD: a source must not be able to disguise itself in its own
 * diagnostics. */
#include "base/diag.h"

#include "base/check.h"
#include "base/diag_internal.h"
#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SHOWN_MAX    120 /* code points of a quoted line */
#define LINE_SHOWN_BEFORE 40  /* of these in front of the place, when a line is cut */
#define WORD_BYTES_MAX    128 /* longer ones are not compared */

const struct mesh_source *mesh_source_new(struct mesh_arena *arena, const char *path, const char *text, size_t n)
{
    mesh_assert(n < UINT32_MAX);
    MESH_VEC(uint32_t) starts = {0};
    *mesh_vec_push_in(arena, &starts) = 0;
    for (const char *p = text, *end = text + n; (p = memchr(p, '\n', (size_t)(end - p))) != NULL;) {
        p++;
        *mesh_vec_push_in(arena, &starts) = (uint32_t)(p - text);
    }
    struct mesh_source *source = mesh_arena_new(arena, struct mesh_source);
    *source = (struct mesh_source){mesh_arena_strdup(arena, path), text, n, starts.v, starts.n};
    return source;
}

/* Index of the line that holds the byte. */
static size_t line_of(const struct mesh_source *source, uint32_t offset)
{
    size_t low = 0;
    size_t high = source->n_lines;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (source->line_starts[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void mesh_source_position(const struct mesh_source *source, uint32_t offset, int *ret_line, int *ret_column)
{
    if (offset > source->n)
        offset = (uint32_t)source->n;
    size_t line = line_of(source, offset);
    int column = 1;
    for (uint32_t i = source->line_starts[line]; i < offset; i++)
        column += ((unsigned char)source->text[i] & 0xc0) != 0x80;
    *ret_line = (int)line + 1;
    *ret_column = column;
}

__attribute__((format(printf, 2, 0))) static const char *format_in(struct mesh_arena *arena, const char *format, va_list args)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_vprintf(&text, format, args);
    return mesh_arena_strdup(arena, text.p);
}

/* Without a place, only the same text is the same finding. */
static bool same(const struct mesh_diag *a, const struct mesh_diag *b)
{
    return strcmp(a->code, b->code) == 0 && a->at.source == b->at.source && a->at.begin == b->at.begin && a->at.end == b->at.end &&
           (a->at.source != NULL || strcmp(a->text, b->text) == 0);
}

struct mesh_diag *mesh_diag_add(struct mesh_diags *diags, enum mesh_severity severity, const char *code, struct mesh_srcref at,
                                const char *text, ...)
{
    struct mesh_diag *diag = mesh_arena_new(diags->arena, struct mesh_diag);
    va_list args;
    va_start(args, text);
    *diag = (struct mesh_diag){
        .severity = severity,
        .code = code == NULL ? "" : code,
        .at = at,
        .text = format_in(diags->arena, text, args),
    };
    va_end(args);
    for (size_t i = 0; i < diags->list.n; i++) {
        if (same(diags->list.v[i], diag))
            return diag;
    }
    diags->n_errors += severity == MESH_ERROR;
    diags->n_warnings += severity == MESH_WARNING;
    if (diags->list.n < MESH_DIAG_MAX)
        *mesh_vec_push_in(diags->arena, &diags->list) = diag;
    else
        diags->n_dropped++;
    return diag;
}

void mesh_diag_hint(struct mesh_diags *diags, struct mesh_diag *diag, const char *text, ...)
{
    va_list args;
    va_start(args, text);
    diag->hint = format_in(diags->arena, text, args);
    va_end(args);
}

void mesh_diag_why(struct mesh_diags *diags, struct mesh_diag *diag, const char *text, ...)
{
    va_list args;
    va_start(args, text);
    diag->why = format_in(diags->arena, text, args);
    va_end(args);
}

void mesh_diag_fix(struct mesh_diags *diags, struct mesh_diag *diag, const char *text, ...)
{
    va_list args;
    va_start(args, text);
    diag->fix = format_in(diags->arena, text, args);
    va_end(args);
}

void mesh_diag_note(struct mesh_diags *diags, struct mesh_diag *diag, struct mesh_srcref at, const char *text, ...)
{
    if (diag->n_notes == MESH_DIAG_NOTES_MAX)
        return;
    va_list args;
    va_start(args, text);
    diag->notes[diag->n_notes++] = (struct mesh_diag_note){at, format_in(diags->arena, text, args)};
    va_end(args);
}

/* What one code point of a quoted line is on the screen. */
struct glyph {
    uint32_t bytes;
    uint32_t width; /* cells: 0 for combining marks, 2 for wide ones */
    bool shown;     /* as it is; otherwise as U+FFFD */
};

static bool in_ranges(uint32_t c, const uint32_t (*ranges)[2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    }
    return false;
}

static struct glyph glyph_at(const char *p, size_t n)
{
    static const uint32_t hidden[][2] = {{0x00, 0x08},     {0x0a, 0x1f},     {0x7f, 0x9f},
                                         {0x200e, 0x200f}, {0x202a, 0x202e}, {0x2066, 0x2069}};
    static const uint32_t combining[][2] = {{0x300, 0x36f},   {0x1ab0, 0x1aff}, {0x200b, 0x200d},
                                            {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
    static const uint32_t wide[][2] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xac00, 0xd7a3},
                                       {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
                                       {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
    unsigned char lead = (unsigned char)p[0];
    uint32_t bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (bytes > n || mesh_utf8_valid(p, bytes) != bytes)
        return (struct glyph){1, 1, false};
    uint32_t c = bytes == 1 ? lead : (uint32_t)lead & (0xffu >> (bytes + 1));
    for (uint32_t i = 1; i < bytes; i++)
        c = c << 6 | ((unsigned char)p[i] & 0x3f);
    if (in_ranges(c, hidden, MESH_LEN(hidden)))
        return (struct glyph){bytes, 1, false};
    uint32_t width = in_ranges(c, combining, MESH_LEN(combining)) ? 0 : in_ranges(c, wide, MESH_LEN(wide)) ? 2 : 1;
    return (struct glyph){bytes, width, true};
}

/* A piece of a source on one line, in bytes of the source. */
struct quote {
    const struct mesh_source *source;
    uint32_t line_begin, line_end; /* without the line's end */
    uint32_t begin, end;           /* what is pointed at */
    uint32_t from, to;             /* what is shown */
};

static uint32_t forward(const struct quote *q, uint32_t at, int n)
{
    for (; n > 0 && at < q->line_end; n--)
        at += glyph_at(q->source->text + at, q->line_end - at).bytes;
    return at;
}

static struct quote quote_of(const struct mesh_source *source, size_t line, uint32_t begin, uint32_t end)
{
    struct quote q = {.source = source, .line_begin = source->line_starts[line]};
    q.line_end = line + 1 < source->n_lines ? source->line_starts[line + 1] - 1 : (uint32_t)source->n;
    if (q.line_end > q.line_begin && source->text[q.line_end - 1] == '\r')
        q.line_end--;
    q.begin = begin < q.line_begin ? q.line_begin : begin > q.line_end ? q.line_end : begin;
    q.end = end < q.begin ? q.begin : end > q.line_end ? q.line_end : end;
    q.from = q.line_begin;
    q.to = forward(&q, q.from, LINE_SHOWN_MAX);
    if (q.to < q.line_end && q.end > q.to) {
        q.from = q.begin;
        for (int i = 0; i < LINE_SHOWN_BEFORE && q.from > q.line_begin; i++) {
            do {
                q.from--;
            } while (q.from > q.line_begin && ((unsigned char)source->text[q.from] & 0xc0) == 0x80);
        }
        q.to = forward(&q, q.from, LINE_SHOWN_MAX);
    }
    return q;
}

struct style {
    const char *bold, *plain;
    const char *severity[3];
};

static const struct style no_style = {"", "", {"", "", ""}};
static const struct style colours = {"\033[1m", "\033[0m", {"\033[1;31m", "\033[1;35m", "\033[1;36m"}};

static void add_times(struct mesh_buf *out, char c, uint32_t n)
{
    for (; n > 0; n--)
        mesh_buf_putc(out, c);
}

static void add_quoted(struct mesh_buf *out, const struct quote *q)
{
    if (q->from > q->line_begin)
        mesh_buf_puts(out, "...");
    for (uint32_t at = q->from; at < q->to;) {
        struct glyph glyph = glyph_at(q->source->text + at, q->line_end - at);
        if (glyph.shown)
            mesh_buf_add(out, q->source->text + at, glyph.bytes);
        else
            mesh_buf_puts(out, "\xef\xbf\xbd");
        at += glyph.bytes;
    }
    if (q->to < q->line_end)
        mesh_buf_puts(out, "...");
}

/* Under the range a tab stays a tab, so that what follows aligns; but tabs alone get one caret. */
static void add_carets(struct mesh_buf *out, const struct quote *q)
{
    if (q->from > q->line_begin)
        mesh_buf_puts(out, "   ");
    bool pointed = false;
    for (uint32_t at = q->from; at < q->to && (at < q->end || at < q->begin);) {
        struct glyph glyph = glyph_at(q->source->text + at, q->line_end - at);
        bool inside = at + glyph.bytes > q->begin;
        if (q->source->text[at] == '\t' && inside && !pointed && strspn(q->source->text + at, "\t") >= q->end - at)
            break;
        if (q->source->text[at] == '\t')
            mesh_buf_putc(out, '\t');
        else
            add_times(out, inside ? '^' : ' ', glyph.width);
        pointed = pointed || (inside && q->source->text[at] != '\t' && glyph.width > 0);
        at += glyph.bytes;
    }
    if (!pointed)
        mesh_buf_putc(out, '^');
}

static void add_line(struct mesh_buf *out, const struct style *style, enum mesh_severity severity, const struct mesh_source *source,
                     size_t line, struct mesh_srcref at, const char *hint)
{
    struct quote q = quote_of(source, line, at.begin, at.end);
    mesh_buf_printf(out, "%s%5zu |%s ", style->bold, line + 1, style->plain);
    add_quoted(out, &q);
    mesh_buf_printf(out, "\n%s      |%s %s", style->bold, style->plain, style->severity[severity]);
    add_carets(out, &q);
    if (hint != NULL)
        mesh_buf_printf(out, " %s", hint);
    mesh_buf_printf(out, "%s\n", style->plain);
}

/* The line of the place; of a place over several lines the first and the last. */
static void add_excerpt(struct mesh_buf *out, const struct style *style, enum mesh_severity severity, struct mesh_srcref at,
                        const char *hint)
{
    const struct mesh_source *source = at.source;
    const char *text = source->text;
    uint32_t n = (uint32_t)source->n;
    at.begin = at.begin > n ? n : at.begin;
    at.end = at.end > n ? n : at.end < at.begin ? at.begin : at.end;
    size_t first = line_of(source, at.begin);
    if (memchr(text + at.begin, '\n', at.end - at.begin) != NULL) {
        while (at.end > at.begin + 1 && strchr(" \t\r\n", text[at.end - 1]) != NULL)
            at.end--;
    }
    size_t last = at.end > at.begin ? line_of(source, at.end - 1) : first;
    add_line(out, style, severity, source, first, at, first == last ? hint : NULL);
    if (first == last)
        return;
    if (last - first > 1)
        mesh_buf_printf(out, "%s  ... |%s\n", style->bold, style->plain);
    at.begin = source->line_starts[last];
    at.begin += (uint32_t)strspn(text + at.begin, " \t");
    add_line(out, style, severity, source, last, at, hint);
}

static void add_head(struct mesh_buf *out, const struct style *style, enum mesh_severity severity, const char *code,
                     struct mesh_srcref at, const char *text)
{
    if (at.source != NULL) {
        int line;
        int column;
        mesh_source_position(at.source, at.begin, &line, &column);
        mesh_buf_printf(out, "%s%s:%d:%d:%s ", style->bold, at.source->path, line, column, style->plain);
    }
    mesh_buf_printf(out, "%s%s", style->severity[severity], mesh_diag_severity_name(severity));
    if (code[0] != '\0')
        mesh_buf_printf(out, "[%s]", code);
    mesh_buf_printf(out, ":%s %s%s%s\n", style->plain, style->bold, text, style->plain);
}

static void add_text(struct mesh_buf *out, const struct style *style, const struct mesh_diag *diag)
{
    add_head(out, style, diag->severity, diag->code, diag->at, diag->text);
    if (diag->at.source != NULL)
        add_excerpt(out, style, diag->severity, diag->at, diag->hint);
    else if (diag->hint != NULL)
        mesh_buf_printf(out, "  %shint:%s %s\n", style->bold, style->plain, diag->hint);
    if (diag->why != NULL)
        mesh_buf_printf(out, "  %swhy:%s %s\n", style->bold, style->plain, diag->why);
    if (diag->fix != NULL)
        mesh_buf_printf(out, "  %sfix:%s %s\n", style->bold, style->plain, diag->fix);
    for (size_t i = 0; i < diag->n_notes; i++) {
        add_head(out, style, MESH_NOTE, "", diag->notes[i].at, diag->notes[i].text);
        if (diag->notes[i].at.source != NULL)
            add_excerpt(out, style, MESH_NOTE, diag->notes[i].at, NULL);
    }
}

static void add_summary(struct mesh_buf *out, const struct mesh_diags *diags)
{
    mesh_buf_printf(out, "%zu error%s, %zu warning%s", diags->n_errors, diags->n_errors == 1 ? "" : "s", diags->n_warnings,
                    diags->n_warnings == 1 ? "" : "s");
    if (diags->n_dropped > 0)
        mesh_buf_printf(out, " (%zu of these not shown)", diags->n_dropped);
    mesh_buf_putc(out, '\n');
}

const char *mesh_diag_severity_name(enum mesh_severity severity)
{
    static const char *const names[] = {"error", "warning", "note"};
    return names[severity];
}

static int by_number(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int by_place(const struct mesh_diag *a, const struct mesh_diag *b)
{
    int c = strcmp(a->at.source == NULL ? "" : a->at.source->path, b->at.source == NULL ? "" : b->at.source->path);
    if (c == 0)
        c = by_number(a->at.begin, b->at.begin);
    if (c == 0)
        c = by_number(a->at.end, b->at.end);
    return c != 0 ? c : strcmp(a->code, b->code);
}

/* By insertion: stable, and there are few. */
static void sort(const struct mesh_diag **list, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const struct mesh_diag *diag = list[i];
        size_t to = i;
        for (; to > 0 && by_place(list[to - 1], diag) > 0; to--)
            list[to] = list[to - 1];
        list[to] = diag;
    }
}

size_t mesh_diag_print(const struct mesh_diags *diags, FILE *out, enum mesh_diag_format format, bool colour)
{
    const struct mesh_diag *sorted[MESH_DIAG_MAX];
    for (size_t i = 0; i < diags->list.n; i++)
        sorted[i] = diags->list.v[i];
    sort(sorted, diags->list.n);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf buf = MESH_BUF_NULL;
    switch (format) {
    case MESH_DIAG_TEXT:
        for (size_t i = 0; i < diags->list.n; i++)
            add_text(&buf, colour ? &colours : &no_style, sorted[i]);
        add_summary(&buf, diags);
        break;
    case MESH_DIAG_JSON:
        mesh_diag_write_json(&buf, diags, sorted);
        break;
    case MESH_DIAG_JUNIT:
        mesh_diag_write_junit(&buf, diags, sorted);
        break;
    case MESH_DIAG_GITHUB:
        mesh_diag_write_github(&buf, diags, sorted);
        break;
    case MESH_DIAG_SARIF:
        mesh_diag_write_sarif(&buf, diags, sorted);
        break;
    }
    if (buf.n > 0)
        fwrite(buf.p, 1, buf.n, out);
    return diags->n_errors;
}

/* Optimal string alignment: insert, delete, replace, swap neighbours. Three rows of the table. */
static size_t distance(const char *a, size_t a_n, const char *b, size_t b_n)
{
    size_t rows[3][WORD_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_n; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_n; i++) {
        size_t *now = rows[i % 3];
        const size_t *before = rows[(i + 2) % 3];
        const size_t *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_n; j++) {
            size_t best = before[j - 1] + (a[i - 1] != b[j - 1]);
            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && earlier[j - 2] + 1 < best)
                best = earlier[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[a_n % 3][b_n];
}

const char *mesh_did_you_mean(const char *word, const char *const *candidates, size_t n)
{
    size_t word_n = strlen(word);
    size_t limit = 1 + word_n / 4;
    const char *best = NULL;
    if (word_n > WORD_BYTES_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t candidate_n = strlen(candidates[i]);
        if (candidate_n > WORD_BYTES_MAX)
            continue;
        size_t d = distance(word, word_n, candidates[i], candidate_n);
        if (d <= limit && (best == NULL || d < limit)) {
            best = candidates[i];
            limit = d;
        }
    }
    return best;
}
