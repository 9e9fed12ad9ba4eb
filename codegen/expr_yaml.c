/* Where an expression stands in its YAML file, and what YAML may have done to it.
 *
 * A plain or quoted scalar is not always its bytes: lines are folded, quotes doubled, escapes resolved. The map
 * from text to file is found by walking both at once; where they disagree by more than YAML can explain, places
 * become the whole scalar, which is less exact but never wrong.
 *
 * YAML ends a plain scalar at ',' in a flow map, at ' #' and at ': '; it takes a leading '!' for a tag, '&' for an
 * anchor and a leading quote for its own. The text that arrives here then is a part of what was meant. Each is
 * recognised by the bytes around the scalar. */
#include "codegen/expr_internal.h"

#include <string.h>

#define BLOCK_FIX "write it on its own line behind 'name: >-', where YAML leaves it alone"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static uint32_t skip_space(const char *file, uint32_t at, uint32_t end)
{
    while (at < end && is_space(file[at]))
        at++;
    return at;
}

/* Where in the file the text byte `c`, no white space, begins: from `at` on. False: no explanation. */
static bool find(const char *file, uint32_t end, char quote, uint32_t *at, char c)
{
    *at = skip_space(file, *at, end); /* the indentation of a line */
    if (*at >= end)
        return false;
    if (quote == '\'' && c == '\'' && file[*at] == c && *at + 1 < end && file[*at + 1] == c)
        ++*at;
    else if (quote == '"' && file[*at] == '\\' && *at + 1 < end)
        ++*at;
    else if (file[*at] != c)
        return false;
    return true;
}

/* Fills unit->map. White space is matched by runs, because YAML makes others of them; that behind the text may be missing. */
static bool walk(struct mesh_ex_unit *unit, uint32_t begin, uint32_t end, char quote, uint32_t *map)
{
    const char *file = unit->at.source->text;
    uint32_t at = begin;
    for (uint32_t i = 0; i < unit->n;) {
        if (!is_space(unit->text[i])) {
            if (!find(file, end, quote, &at, unit->text[i]))
                return false;
            map[i++] = at++;
            continue;
        }
        uint32_t behind = skip_space(file, at, end);
        if (behind == at && at < end)
            return false;
        for (; i < unit->n && is_space(unit->text[i]); i++) {
            map[i] = at < end ? at : end;
            at += at + 1 < behind;
        }
        at = behind;
    }
    map[unit->n] = at < end ? at : end;
    return true;
}

void mesh_ex_unit_locate(struct mesh_ex_unit *unit, struct mesh_arena *arena)
{
    const struct mesh_source *source = unit->at.source;
    if (source == NULL)
        return;
    const char *file = source->text;
    uint32_t begin = unit->at.begin;
    uint32_t end = unit->at.end < source->n ? unit->at.end : (uint32_t)source->n;
    if (begin > end)
        return;
    if (end > begin && (file[begin] == '"' || file[begin] == '\'') && unit->text[0] != file[begin]) {
        begin++; /* the range holds the quotes */
        end -= end > begin;
        unit->quoted = true;
    }
    unit->quoted |=
        begin > 0 && end < source->n && (file[begin - 1] == '"' || file[begin - 1] == '\'') && file[end] == file[begin - 1];
    char quote = unit->quoted ? file[begin - 1] : '\0';
    unit->exact = true;
    if (end - begin == unit->n && memcmp(file + begin, unit->text, unit->n) == 0) {
        unit->at.begin = begin;
        return;
    }
    uint32_t *map = mesh_arena_alloc(arena, (unit->n + 1) * sizeof *map);
    unit->exact = walk(unit, begin, end, quote, map);
    unit->map = map;
}

struct mesh_srcref mesh_ex_unit_range(const struct mesh_ex_unit *unit, uint32_t begin, uint32_t end)
{
    if (!unit->exact)
        return unit->at;
    if (unit->map == NULL)
        return (struct mesh_srcref){unit->at.source, unit->at.begin + begin, unit->at.begin + end};
    uint32_t last = end > begin ? unit->map[end - 1] + 1 : unit->map[begin];
    if (last > unit->at.end)
        last = unit->at.end;
    return (struct mesh_srcref){unit->at.source, unit->map[begin], last};
}

/* ---- cuts ---- */

static struct mesh_diag *cut(struct mesh_diags *diags, struct mesh_srcref at, const char *what, const char *why)
{
    struct mesh_diag *diag = mesh_diag_add(diags, MESH_ERROR, "ME011", at, "%s", what);
    mesh_diag_why(diags, diag, "%s", why);
    mesh_diag_fix(diags, diag, BLOCK_FIX);
    return diag;
}

bool mesh_ex_unit_cut_before(const struct mesh_ex_unit *unit, struct mesh_diags *diags)
{
    const struct mesh_source *source = unit->at.source;
    if (source == NULL || unit->at.begin > source->n)
        return false;
    const char *file = source->text;
    uint32_t end = unit->at.begin;
    uint32_t begin = end;
    while (begin > 0 && file[begin - 1] != '\n' && file[begin - 1] != '\r')
        begin--;
    /* the last separator in front of the scalar */
    for (uint32_t i = begin; i + 1 < end; i++) {
        if ((file[i] == ':' || file[i] == '-' || file[i] == '?' || file[i] == ',') && is_space(file[i + 1]))
            begin = i + 1;
        else if (file[i] == '{' || file[i] == '[')
            begin = i + 1;
    }
    while (begin < end && is_space(file[begin]))
        begin++;
    if (begin == end)
        return false;
    struct mesh_srcref at = {source, begin, unit->at.end > begin ? unit->at.end : end};
    if (file[begin] == '!') {
        cut(diags, at, "YAML took the beginning of the expression for a tag", "a value that begins with '!' names its YAML type");
        return true;
    }
    if (file[begin] == '&' || file[begin] == '*') {
        cut(diags, at, "YAML took the beginning of the expression for an anchor",
            "a value that begins with '&' or '*' names or repeats a YAML node");
        return true;
    }
    return false;
}

bool mesh_ex_unit_cut_behind(const struct mesh_ex_unit *unit, struct mesh_diags *diags)
{
    const struct mesh_source *source = unit->at.source;
    if (source == NULL || unit->quoted || unit->at.end >= source->n)
        return false;
    const char *file = source->text;
    uint32_t i = unit->at.end;
    while (i < source->n && (file[i] == ' ' || file[i] == '\t'))
        i++;
    struct mesh_srcref at = {source, unit->at.begin, i + 1};
    if (file[i] == ',') {
        cut(diags, at, "YAML cut the expression at the comma", "inside { } and [ ] a comma ends a value");
        return true;
    }
    if (file[i] == '#' && i > unit->at.end) {
        cut(diags, at, "YAML cut the expression at ' #'", "' #' begins a YAML comment");
        return true;
    }
    if (file[i] == ':') {
        cut(diags, at, "YAML cut the expression at the colon", "': ' ends a key, so 'a ? b : c' is no plain value");
        return true;
    }
    if (file[i] == '[' || file[i] == '{') {
        cut(diags, at, "YAML cut the expression at a bracket", "inside { } and [ ] a bracket ends a value");
        return true;
    }
    return false;
}

/* Words, not operators: what somebody quotes to say "this is text". */
static bool is_prose(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_ -.";
    return text[0] != '\0' && strspn(text, allowed) == strlen(text);
}

bool mesh_ex_unit_cut_quotes(const struct mesh_ex_unit *unit, struct mesh_diags *diags)
{
    if (!unit->quoted || !unit->exact || !is_prose(unit->text))
        return false;
    const char *file = unit->at.source->text;
    uint32_t begin = mesh_ex_unit_range(unit, 0, 0).begin;
    struct mesh_srcref at = {unit->at.source, begin > 0 ? begin - 1 : 0, begin + unit->n};
    if (file[at.end] == file[at.begin])
        at.end++;
    struct mesh_diag *diag =
        mesh_diag_add(diags, MESH_ERROR, "ME011", at, "YAML took the quotes away: the expression reads %s", unit->text);
    mesh_diag_why(diags, diag, "quotes around a whole value are YAML's own; a text in an expression needs its own inside");
    mesh_diag_fix(diags, diag, "for the text write '\"%s\"'", unit->text);
    return true;
}
