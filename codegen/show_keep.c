/* The shape of a state is a text of lines (codegen/emit_shape.c), whose hash the service holds against its log. Here the lines are compared. */
#include "codegen/show_keep.h"

#include "codegen/emit.h"

#include <string.h>

struct line {
    struct mesh_str kind, name, all;
};

/* The line at *p, which moves to the next; false at the end. */
static bool next_line(const char **p, struct line *ret)
{
    if (**p == '\0')
        return false;
    size_t n = strcspn(*p, "\n");
    ret->all = (struct mesh_str){*p, (uint32_t)n};
    size_t kind = strcspn(*p, " \n");
    ret->kind = (struct mesh_str){*p, (uint32_t)kind};
    const char *name = *p + kind + (kind < n);
    ret->name = (struct mesh_str){name, (uint32_t)strcspn(name, " \n")};
    *p += n + ((*p)[n] == '\n');
    return true;
}

static bool find(const char *shape, const struct line *like, struct line *ret)
{
    while (next_line(&shape, ret))
        if (mesh_str_eq(ret->kind, like->kind) && mesh_str_eq(ret->name, like->name))
            return true;
    return false;
}

static bool has_all(const char *shape, const struct line *like)
{
    struct line line;
    while (next_line(&shape, &line))
        if (mesh_str_eq(line.all, like->all))
            return true;
    return false;
}

static void tell(struct mesh_buf *out, const struct line *line, const char *what)
{
    mesh_buf_printf(out, "  %.*s %.*s %s\n", (int)line->kind.n, line->kind.p, (int)line->name.n, line->name.p, what);
}

/* What is in `shape` and is not, or is another, in `other`. */
static void tell_lines(const char *shape, const char *other, bool now, bool *topologies, struct mesh_buf *out)
{
    struct line line, found;
    while (next_line(&shape, &line)) {
        if (has_all(other, &line))
            continue;
        if (mesh_str_eq(line.kind, MESH_STR("topology")))
            *topologies = true;
        else if (!find(other, &line, &found))
            tell(out, &line, now ? "is new: what came before would be missing in it" : "is gone: what it holds has no place");
        else if (now && mesh_str_eq(line.kind, MESH_STR("input")))
            tell(out, &line, "is another: its topic, or what it carries");
        else if (now)
            tell(out, &line, "has another shape: its members, key, window, or how long it keeps");
    }
}

static const struct mesh_model_product *older(const struct mesh_model *before, const struct mesh_model_product *product)
{
    for (size_t i = 0; i < before->products.n; i++)
        if (strcmp(before->products.v[i]->name.text, product->name.text) == 0 &&
            strcmp(before->products.v[i]->domain.text, product->domain.text) == 0)
            return before->products.v[i];
    return NULL;
}

static bool keep(const struct mesh_model *before, struct mesh_model_product *product, struct mesh_buf *out)
{
    const char *name = product->name.text;
    const struct mesh_model_product *old = older(before, product);
    const char *is = mesh_emit_shape_text(product);
    const char *was = old == NULL ? NULL : mesh_emit_shape_text((struct mesh_model_product *)(uintptr_t)old);
    if (old == NULL) {
        mesh_buf_printf(out, "%s is new: there is no state to keep\n", name);
        return true;
    }
    if (is == NULL || was == NULL) {
        mesh_buf_printf(out, "%s had mistakes: nothing can be said about its state\n", name);
        return true;
    }
    if (strcmp(is, was) == 0) {
        bool same = old->source->n == product->source->n && memcmp(old->source->text, product->source->text, old->source->n) == 0;
        mesh_buf_printf(
            out,
            same ? "%s keeps its state\n"
                 : "%s keeps its state. Where an expression changed, rows go on with it, and what they hold was computed "
                   "with the old one; if that is wrong: meshctl replay %s --as NAME\n",
            name, name);
        return true;
    }
    bool topologies = false;
    mesh_buf_printf(out, "%s needs a replay (meshctl replay %s --as NAME):\n", name, name);
    tell_lines(is, was, true, &topologies, out);
    tell_lines(was, is, false, &topologies, out);
    if (topologies)
        mesh_buf_puts(out, "  which inputs meet in a task changed\n");
    return false;
}

size_t mesh_show_keep(const struct mesh_model *before, struct mesh_model *now, const struct mesh_model_product *only,
                      struct mesh_buf *out)
{
    size_t replays = 0;
    for (size_t i = 0; i < now->products.n; i++)
        if (only == NULL || now->products.v[i] == only)
            replays += !keep(before, now->products.v[i], out);
    return replays;
}
