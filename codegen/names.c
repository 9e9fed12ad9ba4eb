/* Names travel: a declared name is an identifier in C, a variable of CEL and a column that people see. What one of these cannot
 * take is refused here, at the place where the author chose it. Fields of contracts were chosen by others: where C took their name,
 * the identifier gets an underscore. */
#include "codegen/check.h"

#include <string.h>

static bool is_one_of(const char *const *words, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(words[i], name) == 0)
            return true;
    }
    return false;
}

static bool is_c_word(const char *name)
{
    static const char *const words[] = {
        "auto",  "bool",     "break",    "case",     "char",   "const",    "continue", "default", "do",     "double",
        "else",  "enum",     "extern",   "false",    "float",  "for",      "goto",     "if",      "inline", "int",
        "long",  "register", "restrict", "return",   "short",  "signed",   "sizeof",   "static",  "struct", "switch",
        "true",  "typedef",  "union",    "unsigned", "void",   "volatile", "while",    "asm",     "typeof", "NULL",
        "linux", "unix",     "errno",    "stdin",    "stdout", "stderr",   "INFINITY", "NAN",
    };
    return is_one_of(words, MESH_LEN(words), name);
}

/* Reserved by CEL, or a namespace of the language. */
static bool is_expression_word(const char *name)
{
    static const char *const words[] = {"true", "false", "null", "in", "meta", "self", "old", "new"};
    return is_one_of(words, MESH_LEN(words), name);
}

/* Locals of generated functions, beside which a joined table or stream is a local of its own name. */
static bool is_local(const char *name)
{
    static const char *const words[] = {"task", "event", "r",    "key",   "row",  "out",    "run",  "record", "fault",
                                        "site", "now",   "ring", "cells", "done", "window", "main", "other"};
    return is_one_of(words, MESH_LEN(words), name);
}

static bool is_row_member(const char *name)
{
    static const char *const words[] = {"window_start", "window_end", "final", "revision"};
    return is_one_of(words, MESH_LEN(words), name);
}

const char *mesh_names_c(struct mesh_arena *arena, const char *name)
{
    return is_c_word(name) ? mesh_arena_printf(arena, "%s_", name) : name;
}

bool mesh_names_reserved(const char *name)
{
    return is_c_word(name) || is_expression_word(name) || strncmp(name, "mesh_", 5) == 0;
}

static void reserved(struct mesh_checker *c, const char *name, struct mesh_srcref at, const char *why)
{
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG008", at, "'%s' cannot be used as a name here", name);
    mesh_diag_why(c->diags, diag, "%s", why);
    mesh_diag_fix(c->diags, diag, "give it another name, for example '%s_value'", name);
}

static void check_word(struct mesh_checker *c, const char *name, struct mesh_srcref at)
{
    if (is_expression_word(name))
        reserved(c, name, at, "it has a meaning of its own in expressions");
    else if (is_c_word(name))
        reserved(c, name, at, "it is a word of C, into which the declaration is compiled");
    else if (strncmp(name, "mesh_", 5) == 0 || strncmp(name, "MESH_", 5) == 0)
        reserved(c, name, at, "names that begin with mesh_ belong to the platform");
}

static void taken(struct mesh_checker *c, const char *name, struct mesh_srcref at, struct mesh_srcref first, const char *why)
{
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG009", at, "the name '%s' is taken", name);
    mesh_diag_why(c->diags, diag, "%s", why);
    mesh_diag_fix(c->diags, diag, "rename one of them");
    mesh_diag_note(c->diags, diag, first, "it is taken here");
}

struct declared {
    const char *name;
    struct mesh_srcref at;
};

typedef MESH_VEC(struct declared) declared_list;

static void declare(struct mesh_checker *c, declared_list *list, const char *name, struct mesh_srcref at)
{
    check_word(c, name, at);
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->v[i].name, name) == 0) {
            taken(c, name, at, list->v[i].at, "`from` names input ports, streams and views alike, so each needs a name of its own");
            return;
        }
    }
    *mesh_vec_push_in(c->arena, list) = (struct declared){name, at};
}

static void check_stream_names(struct mesh_checker *c, const struct mesh_model_stream *stream)
{
    for (size_t s = 0; s < stream->steps.n; s++) {
        const struct mesh_model_step *step = &stream->steps.v[s];
        if (mesh_model_joins_stream(step) && is_local(step->alias))
            reserved(c, step->alias, step->alias_at, "generated code has a variable of this name where the stream is joined");
        if (step->kind == MESH_STEP_FLATTEN && step->alias != NULL) {
            check_word(c, step->alias, step->alias_at);
            if (is_local(step->alias))
                reserved(c, step->alias, step->alias_at, "generated code has a variable of this name beside the item");
        }
        for (size_t i = 0; i < step->assigns.n; i++)
            check_word(c, step->assigns.v[i].name, step->assigns.v[i].at);
        for (size_t i = 0; i < step->windows.n; i++)
            check_word(c, step->windows.v[i].name, step->windows.v[i].at);
    }
    for (size_t i = 0; i < stream->emit.n; i++)
        check_word(c, stream->emit.v[i].name, stream->emit.v[i].at);
    for (size_t i = 0; i < stream->pattern.n; i++) {
        const struct mesh_model_pattern_step *step = &stream->pattern.v[i];
        check_word(c, step->name, step->at);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(stream->pattern.v[k].name, step->name) == 0)
                taken(c, step->name, step->at, stream->pattern.v[k].at, "`emit` reads the steps of a pattern by their names");
        }
    }
}

static void check_column(struct mesh_checker *c, const char *name, struct mesh_srcref at)
{
    check_word(c, name, at);
    if (is_row_member(name))
        reserved(c, name, at, "every row of a view has window_start, window_end, final or revision already");
}

static void check_view_names(struct mesh_checker *c, const struct mesh_model_view *view)
{
    for (size_t i = 0; i < view->by.n; i++) {
        check_column(c, view->by.v[i], view->by_at.v[i]);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(view->by.v[i], view->by.v[k]) == 0)
                taken(c, view->by.v[i], view->by_at.v[i], view->by_at.v[k], "a key holds each field once");
        }
    }
    for (size_t i = 0; i < view->let.n + view->state.n; i++) {
        bool let = i < view->let.n;
        const char *name = let ? view->let.v[i].name : view->state.v[i - view->let.n].name;
        struct mesh_srcref at = let ? view->let.v[i].at : view->state.v[i - view->let.n].at;
        check_column(c, name, at);
        for (size_t k = 0; k < view->by.n; k++) {
            if (strcmp(view->by.v[k], name) == 0)
                taken(c, name, at, view->by_at.v[k], "the columns of a row are its key and what is computed");
        }
    }
}

void mesh_names_check(struct mesh_checker *c)
{
    const struct mesh_model_product *product = c->product;
    declared_list list = {0};
    declared_list ports = {0};
    check_word(c, product->name.text, product->name.at);
    for (size_t i = 0; i < product->inputs.n; i++) {
        const struct mesh_model_input *input = product->inputs.v[i];
        declare(c, &list, input->name, input->at);
        if (input->is_table && is_local(input->name))
            reserved(c, input->name, input->at, "generated code has a variable of this name where the table is joined");
    }
    for (size_t i = 0; i < product->streams.n; i++) {
        declare(c, &list, product->streams.v[i]->name, product->streams.v[i]->at);
        check_stream_names(c, product->streams.v[i]);
    }
    for (size_t i = 0; i < product->views.n; i++) {
        declare(c, &list, product->views.v[i]->name, product->views.v[i]->at);
        check_view_names(c, product->views.v[i]);
    }
    for (size_t i = 0; i < product->ports.n; i++)
        declare(c, &ports, product->ports.v[i]->name, product->ports.v[i]->at);
}

void mesh_names_check_shape(struct mesh_checker *c, const struct mesh_gen_shape *shape)
{
    for (size_t i = 0; i < shape->members.n; i++) {
        const struct mesh_gen_member *a = &shape->members.v[i];
        for (size_t k = 0; k < shape->members.n; k++) {
            const struct mesh_gen_member *b = &shape->members.v[k];
            if (i == k)
                continue;
            size_t n = strlen(a->cname);
            bool same = i < k && strcmp(a->cname, b->cname) == 0;
            bool flag = a->type.nullable && strncmp(b->cname, a->cname, n) == 0 && strcmp(b->cname + n, "_set") == 0;
            if (!same && !flag)
                continue;
            struct mesh_diag *diag =
                mesh_diag_add(c->diags, MESH_ERROR, "MG009", b->at, "'%s' and '%s' become the same name in C", a->name, b->name);
            if (same)
                mesh_diag_why(c->diags, diag, "a name that C took gets an underscore: both are '%s'", a->cname);
            else
                mesh_diag_why(c->diags, diag, "'%s' may be null, and '%s_set' says whether it is there", a->name, a->cname);
            mesh_diag_fix(c->diags, diag, "rename one of them");
            mesh_diag_note(c->diags, diag, a->at, "'%s' is declared here", a->name);
        }
    }
}
