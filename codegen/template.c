/* The template engine: one pass over the lines, recursion for blocks. */
#include "codegen/template.h"

#include <ctype.h>
#include <string.h>

#define TEMPLATE_SCOPES_MAX 16

struct scope {
    struct mesh_str name; /* of the loop variable */
    const struct mesh_data *value;
};

struct run {
    const char *name;
    const struct mesh_data *root;
    struct scope scopes[TEMPLATE_SCOPES_MAX];
    size_t n_scopes;
    struct mesh_buf *out;
    struct mesh_err *err;
};

struct line {
    const char *begin, *end; /* without the newline */
    const char *next;        /* start of the next line, or NULL */
    int number;
};

static int fail(const struct run *run, int number, const char *what, struct mesh_str detail)
{
    return mesh_err_set(run->err, MESH_ERR_FATAL, "template", "templates/%s:%d: %s%s%.*s", run->name, number, what,
                        detail.n > 0 ? ": " : "", (int)detail.n, detail.n > 0 ? detail.p : "");
}

static struct line line_at(const char *p, int number)
{
    const char *end = strchr(p, '\n');
    if (end == NULL)
        end = p + strlen(p);
    const char *next = *end == '\n' && end[1] != 0 ? end + 1 : NULL;
    return (struct line){p, end, next, number};
}

static struct mesh_str trim(const char *p, const char *end)
{
    while (p < end && isspace((unsigned char)*p))
        p++;
    while (end > p && isspace((unsigned char)end[-1]))
        end--;
    return (struct mesh_str){p, (uint32_t)(end - p)};
}

/* The first word of `text`, which is moved behind it. */
static struct mesh_str word(struct mesh_str *text)
{
    uint32_t n = 0;
    while (n < text->n && !isspace((unsigned char)text->p[n]))
        n++;
    struct mesh_str w = {text->p, n};
    *text = trim(text->p + n, text->p + text->n);
    return w;
}

static const struct mesh_data *find(const struct run *run, struct mesh_str path)
{
    const struct mesh_data *at = NULL;
    while (path.n > 0) {
        uint32_t n = 0;
        while (n < path.n && path.p[n] != '.')
            n++;
        struct mesh_str part = {path.p, n};
        path = n < path.n ? (struct mesh_str){path.p + n + 1, path.n - n - 1} : (struct mesh_str){0};
        char name[64];
        if (part.n == 0 || part.n >= sizeof name)
            return NULL;
        memcpy(name, part.p, part.n);
        name[part.n] = 0;
        if (at != NULL) {
            at = mesh_data_get(at, name);
        } else {
            for (size_t i = run->n_scopes; i > 0 && at == NULL; i--)
                if (mesh_str_eq(run->scopes[i - 1].name, part))
                    at = run->scopes[i - 1].value;
            if (at == NULL)
                at = mesh_data_get(run->root, name);
        }
        if (at == NULL)
            return NULL;
    }
    return at;
}

static bool truthy(const struct mesh_data *value)
{
    switch (value->kind) {
    case MESH_DATA_FLAG:
        return value->flag;
    case MESH_DATA_CODE:
    case MESH_DATA_PROSE:
        return value->text[0] != 0;
    case MESH_DATA_LIST:
        return value->items.n > 0;
    case MESH_DATA_MAP:
        return true;
    }
    return false;
}

/* {{path|filter}} -> text appended to `out`. */
static int placeholder(struct run *run, int number, struct mesh_str inside, struct mesh_buf *out)
{
    const char *bar = memchr(inside.p, '|', inside.n);
    struct mesh_str path = trim(inside.p, bar == NULL ? inside.p + inside.n : bar);
    struct mesh_str filter = bar == NULL ? (struct mesh_str){0} : trim(bar + 1, inside.p + inside.n);
    const struct mesh_data *value = find(run, path);
    if (value == NULL)
        return fail(run, number, "no such value", path);
    if (value->kind != MESH_DATA_CODE && value->kind != MESH_DATA_PROSE)
        return fail(run, number, "not a text", path);
    if (filter.n == 0) {
        if (value->kind != MESH_DATA_CODE)
            return fail(run, number, "prose needs a filter", path);
        mesh_buf_puts(out, value->text);
    } else if (mesh_str_eq(filter, MESH_STR("cstr"))) {
        mesh_escape_cstr(out, value->text);
    } else if (mesh_str_eq(filter, MESH_STR("comment"))) {
        mesh_escape_comment(out, value->text);
    } else if (mesh_str_eq(filter, MESH_STR("json"))) {
        mesh_escape_json(out, value->text);
    } else if (mesh_str_eq(filter, MESH_STR("text"))) {
        mesh_escape_plain(out, value->text);
    } else {
        return fail(run, number, "no such filter", filter);
    }
    return 0;
}

static int expand(struct run *run, int number, struct mesh_str text, struct mesh_buf *out)
{
    const char *p = text.p;
    const char *end = text.p + text.n;
    while (p < end) {
        const char *open = memmem(p, (size_t)(end - p), "{{", 2);
        if (open == NULL) {
            mesh_buf_add(out, p, (size_t)(end - p));
            return 0;
        }
        const char *close = memmem(open, (size_t)(end - open), "}}", 2);
        if (close == NULL)
            return fail(run, number, "no }} on this line", (struct mesh_str){0});
        mesh_buf_add(out, p, (size_t)(open - p));
        int r = placeholder(run, number, (struct mesh_str){open + 2, (uint32_t)(close - open - 2)}, out);
        if (r < 0)
            return r;
        p = close + 2;
    }
    return 0;
}

static void indent_lines(struct mesh_buf *out, const char *indent, size_t n_indent, struct mesh_str text)
{
    const char *p = text.p;
    const char *end = text.p + text.n;
    while (p < end) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        if (eol == NULL)
            eol = end;
        if (eol > p) {
            mesh_buf_add(out, indent, n_indent);
            mesh_buf_add(out, p, (size_t)(eol - p));
        }
        mesh_buf_putc(out, '\n');
        p = eol + 1;
    }
}

static int plain_line(struct run *run, const struct line *line)
{
    struct mesh_str text = {line->begin, (uint32_t)(line->end - line->begin)};
    struct mesh_str core = trim(line->begin, line->end);
    bool alone = core.n > 4 && core.p[0] == '{' && core.p[1] == '{' && memmem(core.p + 2, core.n - 2, "{{", 2) == NULL &&
                 core.p[core.n - 1] == '}' && core.p[core.n - 2] == '}';
    if (!alone) {
        int r = expand(run, line->number, text, run->out);
        if (r == 0)
            mesh_buf_putc(run->out, '\n');
        return r;
    }
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf value = MESH_BUF_NULL;
    int r = expand(run, line->number, core, &value);
    if (r == 0 && value.n > 0)
        indent_lines(run->out, line->begin, (size_t)(core.p - line->begin), (struct mesh_str){value.p, (uint32_t)value.n});
    return r;
}

/* Is this line a directive? Then *ret is what stands behind the %. */
static bool directive(const struct line *line, struct mesh_str *ret)
{
    struct mesh_str core = trim(line->begin, line->end);
    if (core.n == 0 || core.p[0] != '%')
        return false;
    if (core.n > 1 && core.p[1] != ' ' && core.p[1] != '%')
        return false;
    *ret = trim(core.p + 1, core.p + core.n);
    return true;
}

/* Run lines from `p` until the `end` or `else` that closes this block; emit only when `live`. *ret is the closing line. */
static int block(struct run *run, const char *p, int number, bool top, bool live, struct line *ret);

static int run_for(struct run *run, const struct line *line, struct mesh_str rest, bool live, struct line *ret)
{
    struct mesh_str name = word(&rest);
    struct mesh_str in = word(&rest);
    if (!mesh_str_eq(in, MESH_STR("in")) || rest.n == 0 || line->next == NULL)
        return fail(run, line->number, "a loop reads '% for x in path'", rest);
    const struct mesh_data *list = live ? find(run, rest) : NULL;
    if (live && (list == NULL || list->kind != MESH_DATA_LIST))
        return fail(run, line->number, "no such list", rest);
    if (list == NULL || list->items.n == 0)
        return block(run, line->next, line->number + 1, false, false, ret);
    if (run->n_scopes == TEMPLATE_SCOPES_MAX)
        return fail(run, line->number, "loops are nested too deep", name);
    struct scope *scope = &run->scopes[run->n_scopes++];
    scope->name = name;
    int r = 0;
    for (size_t i = 0; i < list->items.n && r == 0; i++) {
        scope->value = list->items.v[i];
        r = block(run, line->next, line->number + 1, false, true, ret);
    }
    run->n_scopes--;
    return r;
}

static int run_if(struct run *run, const struct line *line, struct mesh_str rest, bool live, struct line *ret)
{
    bool negate = rest.n > 4 && memcmp(rest.p, "not ", 4) == 0;
    if (negate)
        rest = trim(rest.p + 4, rest.p + rest.n);
    const struct mesh_data *value = live ? find(run, rest) : NULL;
    if (live && value == NULL)
        return fail(run, line->number, "no such value", rest);
    bool yes = live && truthy(value) != negate;
    if (line->next == NULL)
        return fail(run, line->number, "the block is not closed", (struct mesh_str){0});
    int r = block(run, line->next, line->number + 1, false, yes, ret);
    if (r < 0)
        return r;
    struct mesh_str closing = {0};
    directive(ret, &closing);
    if (mesh_str_eq(closing, MESH_STR("else"))) {
        if (ret->next == NULL)
            return fail(run, ret->number, "the block is not closed", (struct mesh_str){0});
        r = block(run, ret->next, ret->number + 1, false, live && !yes, ret);
    }
    return r;
}

static int block(struct run *run, const char *p, int number, bool top, bool live, struct line *ret)
{
    while (p != NULL) {
        struct line line = line_at(p, number);
        struct mesh_str rest = {0};
        if (!directive(&line, &rest)) {
            int r = live ? plain_line(run, &line) : 0;
            if (r < 0)
                return r;
        } else if (rest.n > 0 && rest.p[0] != '%') {
            struct mesh_str what = word(&rest);
            struct line close = line;
            int r = 0;
            if (mesh_str_eq(what, MESH_STR("for"))) {
                r = run_for(run, &line, rest, live, &close);
            } else if (mesh_str_eq(what, MESH_STR("if"))) {
                r = run_if(run, &line, rest, live, &close);
            } else if (!top && (mesh_str_eq(what, MESH_STR("end")) || mesh_str_eq(what, MESH_STR("else")))) {
                *ret = line;
                return 0;
            } else {
                return fail(run, number, "unknown directive", what);
            }
            if (r < 0)
                return r;
            line = close;
        }
        p = line.next;
        number = line.number + 1;
    }
    return top ? 0 : fail(run, number, "a block is not closed", (struct mesh_str){0});
}

int mesh_template_fill_text(const char *name, const char *text, const struct mesh_data *data, struct mesh_buf *out,
                            struct mesh_err *err)
{
    struct run run = {.name = name, .root = data, .out = out, .err = err};
    struct line last = {0};
    return block(&run, text, 1, true, true, &last);
}

int mesh_template_fill(const char *name, const struct mesh_data *data, struct mesh_buf *out, struct mesh_err *err)
{
    for (const struct mesh_template *t = mesh_templates; t->name != NULL; t++)
        if (strcmp(t->name, name) == 0)
            return mesh_template_fill_text(name, t->text, data, out, err);
    return mesh_err_set(err, MESH_ERR_FATAL, "template", "there is no template '%s' in this meshgen", name);
}

void mesh_escape_cstr(struct mesh_buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != 0; p++) {
        if (*p == '"' || *p == '\\')
            mesh_buf_printf(out, "\\%c", *p);
        else if (*p == '\n')
            mesh_buf_puts(out, "\\n");
        else if (*p == '?')
            mesh_buf_puts(out, "\\?"); /* no trigraphs */
        else if (*p < 0x20 || *p == 0x7f)
            mesh_buf_printf(out, "\\%03o", *p);
        else
            mesh_buf_putc(out, (char)*p);
    }
}

void mesh_escape_comment(struct mesh_buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != 0; p++) {
        if ((p[0] == '*' && p[1] == '/') || (p[0] == '/' && p[1] == '*'))
            mesh_buf_printf(out, "%c ", *p);
        else if (*p < 0x20 || *p == 0x7f || *p == '\\')
            mesh_buf_putc(out, ' ');
        else
            mesh_buf_putc(out, (char)*p);
    }
}

void mesh_escape_json(struct mesh_buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != 0; p++) {
        if (*p == '"' || *p == '\\')
            mesh_buf_printf(out, "\\%c", *p);
        else if (*p < 0x20)
            mesh_buf_printf(out, "\\u%04x", *p);
        else
            mesh_buf_putc(out, (char)*p);
    }
}

void mesh_escape_plain(struct mesh_buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != 0; p++) {
        if (*p < 0x20 || *p == 0x7f)
            mesh_buf_putc(out, ' ');
        else if (*p == '<' || *p == '>' || *p == '&')
            mesh_buf_puts(out, *p == '<' ? "&lt;" : *p == '>' ? "&gt;" : "&amp;");
        else if (strchr("\\`*[]", *p) != NULL)
            mesh_buf_printf(out, "\\%c", *p);
        else
            mesh_buf_putc(out, (char)*p);
    }
}
