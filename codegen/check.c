/* The passes over a loaded model. Each looks only at what the passes before it found in order: a stream whose source is unknown has
 * no shape, and nothing more is said about it. */
#include "codegen/check.h"
#include "codegen/yaml.h"

#include <string.h>

const struct mesh_gen_shape *mesh_check_source(const struct mesh_model_from *from, const char *const **ret_narrowed, size_t *ret_n)
{
    *ret_narrowed = NULL;
    *ret_n = 0;
    if (from->kind == MESH_FROM_INPUT)
        return from->input == NULL ? NULL : from->input->shape;
    if (from->kind == MESH_FROM_CHANGES || from->stream == NULL)
        return NULL;
    *ret_narrowed = from->stream->narrowed.v;
    *ret_n = from->stream->narrowed.n;
    return from->stream->shape;
}

struct mesh_srcref mesh_check_key_at(const struct mesh_yaml *map, const char *key, struct mesh_srcref otherwise)
{
    const struct mesh_yaml_entry *entry = mesh_yaml_entry(map, key);
    return entry == NULL ? otherwise : entry->key_at;
}

/* ---- names of other parts ---- */

static struct mesh_model_input *find_input(const struct mesh_model_product *product, const char *name)
{
    for (size_t i = 0; i < product->inputs.n; i++) {
        if (strcmp(product->inputs.v[i]->name, name) == 0)
            return product->inputs.v[i];
    }
    return NULL;
}

static struct mesh_model_stream *find_stream(const struct mesh_model_product *product, const char *name)
{
    for (size_t i = 0; i < product->streams.n; i++) {
        if (strcmp(product->streams.v[i]->name, name) == 0)
            return product->streams.v[i];
    }
    return NULL;
}

static struct mesh_model_view *find_view(const struct mesh_model_product *product, const char *name)
{
    for (size_t i = 0; i < product->views.n; i++) {
        if (strcmp(product->views.v[i]->name, name) == 0)
            return product->views.v[i];
    }
    return NULL;
}

/* Whether the section of the file has this name at all: what is there but was reported is not unknown. */
static bool is_declared(const struct mesh_model_product *product, const char *name)
{
    static const char *const sections[] = {"inputPorts", "streams", "views"};
    for (size_t i = 0; i < MESH_LEN(sections); i++) {
        if (mesh_yaml_entry(mesh_yaml_get(product->yaml, sections[i]), name) != NULL)
            return true;
    }
    return false;
}

enum wanted { WANT_RECORDS, WANT_VIEW, WANT_PORT };

static void unknown(struct mesh_checker *c, const struct mesh_model_from *from, enum wanted want)
{
    const struct mesh_model_product *p = c->product;
    if (is_declared(p, from->name) && find_input(p, from->name) == NULL && find_stream(p, from->name) == NULL &&
        find_view(p, from->name) == NULL)
        return;
    static const char *const what[] = {"an input port or a stream", "a view", "a view or a stream"};
    size_t most = p->inputs.n + p->streams.n + p->views.n;
    const char **names = mesh_arena_alloc(c->arena, (most + 1) * sizeof *names);
    struct mesh_srcref *places = mesh_arena_alloc(c->arena, (most + 1) * sizeof *places);
    size_t n = 0;
    for (size_t i = 0; want == WANT_RECORDS && i < p->inputs.n; i++, n++) {
        names[n] = p->inputs.v[i]->name;
        places[n] = p->inputs.v[i]->at;
    }
    for (size_t i = 0; want != WANT_VIEW && i < p->streams.n; i++, n++) {
        names[n] = p->streams.v[i]->name;
        places[n] = p->streams.v[i]->at;
    }
    for (size_t i = 0; want != WANT_RECORDS && i < p->views.n; i++, n++) {
        names[n] = p->views.v[i]->name;
        places[n] = p->views.v[i]->at;
    }
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG010", from->at, "'%s' is not %s", from->name, what[want]);
    const char *near = mesh_did_you_mean(from->name, names, n);
    if (near != NULL)
        mesh_diag_hint(c->diags, diag, "did you mean '%s'?", near);
    if (want == WANT_RECORDS && find_view(p, from->name) != NULL) {
        mesh_diag_why(c->diags, diag, "'%s' is a view; its rows are read by ports, and its changes by streams", from->name);
        mesh_diag_fix(c->diags, diag, "write 'from: { changes: %s }' in a stream", from->name);
    } else if (want == WANT_PORT && find_input(p, from->name) != NULL) {
        mesh_diag_why(c->diags, diag, "what comes in does not leave as it is: a port serves what the product made of it");
        mesh_diag_fix(c->diags, diag, "declare a stream 'from: %s', and serve the stream", from->name);
    } else {
        mesh_diag_why(c->diags, diag, "'from' names what is declared in this file: %s", what[want]);
        if (near != NULL)
            mesh_diag_fix(c->diags, diag, "write '%s'", near);
        else
            mesh_diag_fix(c->diags, diag, "declare '%s', or name something that is declared", from->name);
    }
    for (size_t i = 0; i < n && near != NULL; i++) {
        if (strcmp(names[i], near) == 0)
            mesh_diag_note(c->diags, diag, places[i], "'%s' is declared here", near);
    }
}

static void is_a_table(struct mesh_checker *c, const struct mesh_model_from *from)
{
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG022", from->at, "'%s' is a table", from->name);
    mesh_diag_why(c->diags, diag, "a table is looked up by joins; its records do not flow");
    mesh_diag_fix(c->diags, diag, "join it with '- join: { table: %s, key: ... }', or remove 'table' from the port", from->name);
    mesh_diag_note(c->diags, diag, from->input->at, "it is declared here");
}

static void resolve(struct mesh_checker *c, struct mesh_model_from *from, enum wanted want)
{
    const struct mesh_model_product *product = c->product;
    if (from->name == NULL)
        return;
    if (want != WANT_RECORDS || from->kind == MESH_FROM_CHANGES)
        from->view = find_view(product, from->name);
    if (from->kind == MESH_FROM_CHANGES) {
        if (from->view == NULL)
            unknown(c, from, WANT_VIEW);
        return;
    }
    from->input = want == WANT_RECORDS ? find_input(product, from->name) : NULL;
    if (from->input != NULL)
        from->kind = MESH_FROM_INPUT;
    else
        from->stream = find_stream(product, from->name);
    if (from->input == NULL && from->stream == NULL && from->view == NULL) {
        unknown(c, from, want);
    } else if (from->input != NULL && from->input->is_table) {
        is_a_table(c, from);
        from->input = NULL;
    }
}

static void twice(struct mesh_checker *c, const struct mesh_model_from *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(from[i].name, from[k].name) != 0)
                continue;
            struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG009", from[i].at, "'%s' is read twice", from[i].name);
            mesh_diag_why(c->diags, diag, "each of its records would count twice");
            mesh_diag_fix(c->diags, diag, "remove one of them");
            mesh_diag_note(c->diags, diag, from[k].at, "it is read first here");
        }
    }
}

static void resolve_product(struct mesh_checker *c)
{
    struct mesh_model_product *product = c->product;
    for (size_t i = 0; i < product->streams.n; i++) {
        for (size_t k = 0; k < product->streams.v[i]->from.n; k++)
            resolve(c, &product->streams.v[i]->from.v[k], WANT_RECORDS);
        twice(c, product->streams.v[i]->from.v, product->streams.v[i]->from.n);
        for (size_t k = 0; k < product->streams.v[i]->steps.n; k++)
            resolve(c, &product->streams.v[i]->steps.v[k].other, WANT_RECORDS);
    }
    for (size_t i = 0; i < product->views.n; i++) {
        struct mesh_model_view *view = product->views.v[i];
        for (size_t k = 0; k < view->from.n; k++) {
            if (view->from.v[k].kind == MESH_FROM_CHANGES) {
                struct mesh_diag *diag =
                    mesh_diag_add(c->diags, MESH_ERROR, "MG022", view->from.v[k].at, "a view cannot read the changes of a view");
                mesh_diag_why(c->diags, diag, "a change has two rows, and is no record yet");
                mesh_diag_fix(c->diags, diag, "make a stream 'from: { changes: %s }' that ends with 'select', and read the stream",
                              view->from.v[k].name);
                continue;
            }
            resolve(c, &view->from.v[k], WANT_RECORDS);
        }
        twice(c, view->from.v, view->from.n);
    }
    for (size_t i = 0; i < product->ports.n; i++) {
        resolve(c, &product->ports.v[i]->from, WANT_PORT);
        product->ports.v[i]->view = product->ports.v[i]->from.view;
    }
}

/* ---- order ---- */

enum mark { NEW, OPEN, DONE };

struct order {
    struct mesh_checker *c;
    enum mark *streams, *views;
    const char *path[64]; /* what is open, outermost first */
    size_t n_path;
    MESH_VEC(struct mesh_model_stream *) sorted;
};

static void visit_stream(struct order *o, struct mesh_model_stream *stream);
static void visit_view(struct order *o, struct mesh_model_view *view);

static void report_cycle(struct order *o, const char *name, const struct mesh_model_from *from)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    bool inside = false;
    for (size_t i = 0; i < o->n_path; i++) {
        inside = inside || strcmp(o->path[i], name) == 0;
        if (inside)
            mesh_buf_printf(&text, "%s reads ", o->path[i]);
    }
    struct mesh_diag *diag = mesh_diag_add(o->c->diags, MESH_ERROR, "MG013", from->at, "'%s' reads itself", name);
    mesh_diag_why(o->c->diags, diag, "%s%s: no record could ever begin to flow", text.p == NULL ? "" : text.p, name);
    mesh_diag_fix(o->c->diags, diag, "break the circle: one of them must read an input port alone");
}

static void visit_from(struct order *o, struct mesh_model_from *from)
{
    const struct mesh_model_product *product = o->c->product;
    for (size_t i = 0; from->stream != NULL && i < product->streams.n; i++) {
        if (product->streams.v[i] != from->stream)
            continue;
        if (o->streams[i] == OPEN) {
            report_cycle(o, from->name, from);
            from->stream = NULL;
            return;
        }
        visit_stream(o, from->stream);
    }
    for (size_t i = 0; from->kind == MESH_FROM_CHANGES && from->view != NULL && i < product->views.n; i++) {
        if (product->views.v[i] != from->view)
            continue;
        if (o->views[i] == OPEN) {
            report_cycle(o, from->name, from);
            from->view = NULL;
            return;
        }
        visit_view(o, from->view);
    }
}

static void visit_all(struct order *o, struct mesh_model_from *from, size_t n, const char *name)
{
    o->path[o->n_path++] = name;
    for (size_t i = 0; i < n; i++)
        visit_from(o, &from[i]);
    o->n_path--;
}

static bool too_long(struct order *o, const char *name, struct mesh_srcref at)
{
    if (o->n_path < MESH_LEN(o->path))
        return false;
    struct mesh_diag *diag =
        mesh_diag_add(o->c->diags, MESH_ERROR, "MG034", at, "'%s' is read through more than %zu streams", name, MESH_LEN(o->path));
    mesh_diag_why(o->c->diags, diag, "streams that read each other run inside each other, on one stack");
    mesh_diag_fix(o->c->diags, diag, "put the steps of several streams into one");
    return true;
}

static void visit_stream(struct order *o, struct mesh_model_stream *stream)
{
    const struct mesh_model_product *product = o->c->product;
    size_t index = 0;
    while (product->streams.v[index] != stream)
        index++;
    if (o->streams[index] != NEW || too_long(o, stream->name, stream->at))
        return;
    o->streams[index] = OPEN;
    visit_all(o, stream->from.v, stream->from.n, stream->name);
    for (size_t i = 0; i < stream->steps.n; i++)
        visit_all(o, &stream->steps.v[i].other, mesh_model_joins_stream(&stream->steps.v[i]) ? 1 : 0, stream->name);
    o->streams[index] = DONE;
    mesh_check_stream(o->c, stream);
    *mesh_vec_push_in(o->c->arena, &o->sorted) = stream;
}

static void visit_view(struct order *o, struct mesh_model_view *view)
{
    const struct mesh_model_product *product = o->c->product;
    size_t index = 0;
    while (product->views.v[index] != view)
        index++;
    if (o->views[index] != NEW || too_long(o, view->name, view->at))
        return;
    o->views[index] = OPEN;
    visit_all(o, view->from.v, view->from.n, view->name);
    o->views[index] = DONE;
    mesh_check_view(o->c, view);
}

/* Streams and views in an order in which everything is checked before its readers. */
static void check_flow(struct mesh_checker *c)
{
    struct mesh_model_product *product = c->product;
    struct order o = {.c = c};
    o.streams = mesh_arena_alloc(c->arena, (product->streams.n + 1) * sizeof *o.streams);
    o.views = mesh_arena_alloc(c->arena, (product->views.n + 1) * sizeof *o.views);
    for (size_t i = 0; i < product->streams.n; i++)
        visit_stream(&o, product->streams.v[i]);
    for (size_t i = 0; i < product->views.n; i++)
        visit_view(&o, product->views.v[i]);
    if (o.sorted.n == product->streams.n && o.sorted.n > 0)
        memcpy(product->streams.v, o.sorted.v, o.sorted.n * sizeof *o.sorted.v);
}

/* ---- what nobody reads ---- */

static bool is_read(const struct mesh_model_product *product, const char *name)
{
    for (size_t i = 0; i < product->streams.n; i++) {
        const struct mesh_model_stream *stream = product->streams.v[i];
        for (size_t k = 0; k < stream->from.n; k++) {
            if (strcmp(stream->from.v[k].name, name) == 0)
                return true;
        }
        for (size_t k = 0; k < stream->steps.n; k++) {
            if (stream->steps.v[k].kind == MESH_STEP_JOIN && stream->steps.v[k].alias != NULL &&
                strcmp(stream->steps.v[k].alias, name) == 0)
                return true;
        }
    }
    for (size_t i = 0; i < product->views.n; i++) {
        for (size_t k = 0; k < product->views.v[i]->from.n; k++) {
            if (strcmp(product->views.v[i]->from.v[k].name, name) == 0)
                return true;
        }
    }
    for (size_t i = 0; i < product->ports.n; i++) {
        if (product->ports.v[i]->from.name != NULL && strcmp(product->ports.v[i]->from.name, name) == 0)
            return true;
    }
    return false;
}

static void warn_unread(struct mesh_checker *c, const char *what, const char *name, struct mesh_srcref at)
{
    if (is_read(c->product, name))
        return;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_WARNING, "MG029", at, "nothing reads the %s '%s'", what, name);
    mesh_diag_why(c->diags, diag, "it costs work and memory, and nobody sees a result");
    mesh_diag_fix(c->diags, diag, "remove it, or read it");
}

/* Only when all else is in order: what is broken is often unread because of that. */
static void check_read(struct mesh_checker *c)
{
    const struct mesh_model_product *product = c->product;
    if (c->diags->n_errors > 0)
        return;
    for (size_t i = 0; i < product->inputs.n; i++)
        warn_unread(c, "input port", product->inputs.v[i]->name, product->inputs.v[i]->at);
    for (size_t i = 0; i < product->streams.n; i++)
        warn_unread(c, "stream", product->streams.v[i]->name, product->streams.v[i]->at);
    for (size_t i = 0; i < product->views.n; i++)
        warn_unread(c, "view", product->views.v[i]->name, product->views.v[i]->at);
}

static void check_unique_products(struct mesh_checker *c)
{
    for (size_t i = 0; i < c->model->products.n; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct mesh_model_product *a = c->model->products.v[k];
            const struct mesh_model_product *b = c->model->products.v[i];
            if (strcmp(a->name.text, b->name.text) != 0)
                continue;
            struct mesh_diag *diag =
                mesh_diag_add(c->diags, MESH_ERROR, "MG009", b->name.at, "the mesh has two products '%s'", b->name.text);
            mesh_diag_why(c->diags, diag, "others name a product by its name alone, and its inner topics have its name");
            mesh_diag_fix(c->diags, diag, "rename one of them");
            mesh_diag_note(c->diags, diag, a->name.at, "the other one is here");
        }
    }
}

void mesh_check(struct mesh_model *model)
{
    struct mesh_checker c = {.model = model, .arena = model->arena, .diags = model->diags};
    check_unique_products(&c);
    mesh_check_versions(&c);
    for (size_t i = 0; i < model->products.n; i++) {
        c.product = model->products.v[i];
        mesh_names_check(&c);
        resolve_product(&c);
        mesh_consent_resolve(&c);
        for (size_t k = 0; k < c.product->inputs.n; k++)
            mesh_check_input_product(&c, c.product->inputs.v[k]);
    }
    for (size_t i = 0; i < model->products.n; i++) {
        c.product = model->products.v[i];
        for (size_t k = 0; k < c.product->inputs.n; k++)
            mesh_check_input(&c, c.product->inputs.v[k]);
        mesh_consent_check(&c);
        check_flow(&c);
        for (size_t k = 0; k < c.product->ports.n; k++)
            mesh_check_port(&c, c.product->ports.v[k]);
        mesh_check_govern(&c);
        check_read(&c);
    }
    mesh_check_borders(&c);
    mesh_check_readable(&c);
    mesh_privacy_lint(&c);
}
