/* Output ports: what they serve, how, and that no two of them serve the same thing. */
#include "codegen/check.h"
#include "codegen/yaml.h"

#include <ctype.h>
#include <string.h>

static const struct mesh_gen_shape *shape_of(const struct mesh_model_port *port)
{
    if (port->view != NULL)
        return port->view->shape;
    return port->from.stream != NULL ? port->from.stream->shape : NULL;
}

/* Record by record, or change by change. */
static bool sends(const struct mesh_model_port *port)
{
    return port->kind == MESH_MODEL_KAFKA || port->kind == MESH_MODEL_SSE;
}

static bool has_path(const struct mesh_model_port *port)
{
    return port->kind == MESH_MODEL_HTTP || port->kind == MESH_MODEL_SSE;
}

static void check_kind(struct mesh_checker *c, const struct mesh_model_port *port)
{
    if (sends(port) || port->view != NULL)
        return;
    struct mesh_diag *diag =
        mesh_diag_add(c->diags, MESH_ERROR, "MG030", port->from.at, "'%s' is a stream, but a port of kind %s serves a view",
                      port->from.name, port->kind == MESH_MODEL_HTTP ? "http" : "mongo");
    mesh_diag_why(c->diags, diag, "a stream is over when it has passed; what is asked for later must be kept");
    mesh_diag_fix(c->diags, diag, "declare a view 'from: %s', and serve the view", port->from.name);
    mesh_diag_note(c->diags, diag, port->from.stream->at, "'%s' is declared here", port->from.name);
}

static void check_emit(struct mesh_checker *c, struct mesh_model_port *port)
{
    const struct mesh_yaml *emit = mesh_yaml_get(port->yaml, "emit");
    bool given = emit != NULL && !emit->bad;
    if (!given)
        port->emit = port->view != NULL ? MESH_EMIT_CHANGE : MESH_EMIT_EVENT;
    struct mesh_srcref at = given ? emit->at : port->at;
    struct mesh_diag *diag = NULL;
    if (port->view == NULL && port->emit != MESH_EMIT_EVENT) {
        diag = mesh_diag_add(c->diags, MESH_ERROR, "MG030", at, "a stream is sent record by record");
        mesh_diag_why(c->diags, diag, "'change' and 'close' are said of the rows of a view; '%s' is a stream", port->from.name);
        mesh_diag_fix(c->diags, diag, "remove 'emit', or send a view");
    } else if (port->view != NULL && port->emit == MESH_EMIT_EVENT) {
        diag = mesh_diag_add(c->diags, MESH_ERROR, "MG030", at, "a view has no events");
        mesh_diag_why(c->diags, diag, "'%s' is a view: its rows change, and close with their window", port->from.name);
        mesh_diag_fix(c->diags, diag,
                      port->view->window == MESH_WINDOW_NONE ? "write 'emit: change'" : "write 'emit: change' or 'emit: close'");
    } else if (port->view != NULL && port->emit == MESH_EMIT_CLOSE && port->view->window == MESH_WINDOW_NONE) {
        diag = mesh_diag_add(c->diags, MESH_ERROR, "MG030", at, "the rows of '%s' never close", port->from.name);
        mesh_diag_why(c->diags, diag, "only the window of a row can close, and this view has none");
        mesh_diag_fix(c->diags, diag, "write 'emit: change', or give the view a window");
        mesh_diag_note(c->diags, diag, port->view->at, "the view is declared here");
    }
}

static void check_key(struct mesh_checker *c, struct mesh_model_port *port, const struct mesh_gen_shape *shape)
{
    if (port->key.text == NULL)
        return;
    struct mesh_gen_member *member = mesh_gen_shape_member(shape, port->key.text);
    if (member == NULL) {
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG017", port->key.at, "'%s' has no member '%s'", port->from.name, port->key.text);
        const char *near = mesh_shape_near(c, shape, port->key.text);
        if (near != NULL)
            mesh_diag_hint(c->diags, diag, "did you mean '%s'?", near);
        mesh_diag_why(c->diags, diag, "the message key is the text of a member; equal keys go to one partition, in order");
        mesh_diag_fix(c->diags, diag, "name a member of '%s'", port->from.name);
        return;
    }
    member->used = true;
    if (member->type.kind == MESH_GEN_ERROR)
        return;
    size_t index = (size_t)(member - shape->members.v);
    if (index < port->protect.n && port->protect.v[index] == MESH_DROP) {
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG051", port->key.at,
                                               "'%s' is the message key, but is left out at this border", member->name);
        mesh_diag_why(c->diags, diag, "it is %s, and the product says 'protect: drop'",
                      member->label == MESH_SPECIAL ? "special" : "personal");
        mesh_diag_fix(c->diags, diag, "name another key, or write 'pseudonym' instead of 'drop'");
    }
    bool narrowed = false;
    for (size_t i = 0; port->from.stream != NULL && i < port->from.stream->narrowed.n; i++)
        narrowed = narrowed || strcmp(port->from.stream->narrowed.v[i], member->name) == 0;
    if (!mesh_type_can_be_key(&member->type) || (member->type.nullable && !narrowed)) {
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG019", port->key.at, "'%s' cannot be a key: it is %s",
                                               member->name, mesh_type_a(c, &member->type));
        mesh_diag_why(c->diags, diag, "the message key is the text of a member that is always there");
        mesh_diag_fix(c->diags, diag, "name a string, a number or an enum that cannot be null");
        mesh_diag_note(c->diags, diag, member->at, "'%s' comes from here", member->name);
    }
    bool whole = port->view != NULL && port->view->by.n == 1 && strcmp(port->view->by.v[0], port->key.text) == 0 &&
                 port->view->window == MESH_WINDOW_NONE;
    if (!port->compact || port->view == NULL || whole)
        return;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG028", port->key.at, "a compacted topic would lose rows");
    mesh_diag_why(c->diags, diag, "compaction keeps the newest record of each '%s', but %s", port->key.text,
                  port->view->window != MESH_WINDOW_NONE ? "the view has a row for every window"
                  : port->view->by.n > 1                 ? "several rows of the view have the same one"
                                                         : "the rows of the view have another key");
    mesh_diag_fix(c->diags, diag, "remove 'cleanup: compact', or send a view 'by: %s' without a window", port->key.text);
    mesh_diag_note(c->diags, diag, port->view->at, "the view is declared here");
}

/* Rows are told apart by their key, at every border. */
static void check_row_key(struct mesh_checker *c, const struct mesh_model_port *port, const struct mesh_gen_shape *shape)
{
    for (size_t i = 0; port->view != NULL && i < port->view->by.n; i++) {
        const struct mesh_gen_member *key = mesh_gen_shape_member(shape, port->view->by.v[i]);
        size_t index = key == NULL ? port->protect.n : (size_t)(key - shape->members.v);
        if (index >= port->protect.n || port->protect.v[index] != MESH_DROP || port->kind == MESH_MODEL_KAFKA)
            continue;
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG051", port->at,
                                               "'%s' is the key of the rows, but is left out at this border", key->name);
        mesh_diag_why(c->diags, diag, "it is %s, and the product says 'protect: drop'; without it nobody can ask for a row",
                      key->label == MESH_SPECIAL ? "special" : "personal");
        mesh_diag_fix(c->diags, diag, "write 'pseudonym' instead of 'drop'");
    }
}

/* An event shows the whole record, so all of it is carried to the port. */
static void check_event(struct mesh_checker *c, const struct mesh_model_port *port, const struct mesh_gen_shape *shape)
{
    for (size_t i = 0; i < shape->members.n; i++) {
        struct mesh_gen_member *member = &shape->members.v[i];
        enum mesh_gen_kind kind = member->type.kind;
        member->used = member->used || i >= port->protect.n || port->protect.v[i] != MESH_DROP;
        if (kind != MESH_GEN_LIST && kind != MESH_GEN_RECORD)
            continue;
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG030", port->from.at, "'%s' cannot be told: it is %s",
                                               member->name, mesh_type_a(c, &member->type));
        mesh_diag_why(c->diags, diag, "an event shows every member of its record, and these are single values");
        mesh_diag_fix(c->diags, diag, "end the stream with a 'select' of what readers need");
        mesh_diag_note(c->diags, diag, member->at, "'%s' comes from here", member->name);
    }
}

static void check_path(struct mesh_checker *c, const struct mesh_model_port *port)
{
    const char *path = port->path.text;
    if (!has_path(port) || path == NULL)
        return;
    size_t n = strlen(path);
    bool ok = path[0] == '/' && n > 1 && path[n - 1] != '/';
    for (size_t i = 0; i < n && ok; i++)
        ok = isalnum((unsigned char)path[i]) || strchr("/-_", path[i]) != NULL;
    ok = ok && strstr(path, "//") == NULL;
    static const char *const own[] = {"/metrics", "/livez", "/readyz", "/startupz", "/openapi", "/products", "/contracts"};
    bool taken = false;
    for (size_t i = 0; i < MESH_LEN(own); i++)
        taken = taken || strcmp(own[i], path) == 0;
    if (ok && !taken)
        return;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG033", port->path.at,
                                           taken ? "the path '%s' belongs to every service" : "'%s' is not a path", path);
    if (taken)
        mesh_diag_why(c->diags, diag, "health, metrics and documents are served there");
    else
        mesh_diag_why(c->diags, diag,
                      "a path begins with /, and holds letters, digits, - and _; the key of a row follows behind it");
    mesh_diag_fix(c->diags, diag, "for example 'path: /sales/by-country'");
}

static void check_collection(struct mesh_checker *c, const struct mesh_model_port *port)
{
    const char *name = port->collection.text;
    if (port->kind != MESH_MODEL_MONGO || name == NULL)
        return;
    bool ok = strlen(name) <= 120 && isalpha((unsigned char)name[0]) && strncmp(name, "system.", 7) != 0;
    for (size_t i = 0; name[i] != '\0' && ok; i++)
        ok = isalnum((unsigned char)name[i]) || strchr("_-.", name[i]) != NULL;
    if (ok)
        return;
    struct mesh_diag *diag =
        mesh_diag_add(c->diags, MESH_ERROR, "MG033", port->collection.at, "'%s' is not the name of a collection", name);
    mesh_diag_why(c->diags, diag, "it begins with a letter, and holds letters, digits, _, - and .");
    mesh_diag_fix(c->diags, diag, "for example 'collection: sales_by_country'");
}

void mesh_check_port(struct mesh_checker *c, struct mesh_model_port *port)
{
    if (port->kind == MESH_MODEL_KAFKA && port->partitions == 0)
        port->partitions = c->model->default_partitions;
    check_path(c, port);
    check_collection(c, port);
    if (port->from.stream == NULL && port->view == NULL)
        return;
    check_kind(c, port);
    if (sends(port))
        check_emit(c, port);
    const struct mesh_gen_shape *shape = shape_of(port);
    if (shape == NULL)
        return;
    mesh_privacy_port(c, port, shape);
    mesh_consent_port(c, port, shape);
    check_row_key(c, port, shape);
    if (port->kind == MESH_MODEL_SSE && port->view == NULL)
        check_event(c, port, shape);
    if (port->kind != MESH_MODEL_KAFKA)
        return;
    check_key(c, port, shape);
    if (port->contract != NULL && port->contract->schema != NULL)
        mesh_check_contract(c, port, shape);
}

/* ---- between ports ---- */

static struct mesh_model_text border_of(const struct mesh_model_port *port)
{
    return port->kind == MESH_MODEL_KAFKA ? port->topic : has_path(port) ? port->path : port->collection;
}

/* /sales and /sales/by-country: what follows a path is the key of a row. */
static void below(struct mesh_checker *c, const struct mesh_model_port *a, const struct mesh_model_port *b)
{
    const struct mesh_model_text upper = strlen(a->path.text) < strlen(b->path.text) ? a->path : b->path;
    const struct mesh_model_text lower = strlen(a->path.text) < strlen(b->path.text) ? b->path : a->path;
    size_t n = strlen(upper.text);
    if (strncmp(upper.text, lower.text, n) != 0 || lower.text[n] != '/')
        return;
    struct mesh_diag *diag =
        mesh_diag_add(c->diags, MESH_ERROR, "MG033", lower.at, "the path '%s' lies below '%s'", lower.text, upper.text);
    mesh_diag_why(c->diags, diag, "what follows '%s/' is the key of a row of that port", upper.text);
    mesh_diag_fix(c->diags, diag, "choose paths of which none begins with the other");
    mesh_diag_note(c->diags, diag, upper.at, "'%s' is served here", upper.text);
}

static void clash(struct mesh_checker *c, const struct mesh_model_port *a, const struct mesh_model_port *b)
{
    struct mesh_model_text x = border_of(a);
    struct mesh_model_text y = border_of(b);
    bool kafka = a->kind == MESH_MODEL_KAFKA;
    if ((a->kind != b->kind && !(has_path(a) && has_path(b))) || x.text == NULL || y.text == NULL)
        return;
    if (!kafka && strcmp(a->product->domain.text, b->product->domain.text) != 0)
        return; /* another service */
    if (strcmp(x.text, y.text) != 0) {
        if (has_path(a))
            below(c, a, b);
        return;
    }
    const char *what = kafka ? "topic" : has_path(a) ? "path" : "collection";
    struct mesh_diag *diag =
        mesh_diag_add(c->diags, MESH_ERROR, kafka ? "MG032" : "MG033", y.at, "the %s '%s' has another port already", what, y.text);
    if (kafka)
        mesh_diag_why(c->diags, diag, "one port writes a topic: its records then have one contract, one owner and one order");
    else
        mesh_diag_why(c->diags, diag, "the products of a domain share one service and one database");
    mesh_diag_fix(c->diags, diag, "choose another %s", what);
    mesh_diag_note(c->diags, diag, x.at, "it is taken here, by %s", a->name);
}

static void check_topic(struct mesh_checker *c, const struct mesh_model_port *port)
{
    if (port->kind != MESH_MODEL_KAFKA || port->topic.text == NULL || strncmp(port->topic.text, "mesh.", 5) != 0)
        return;
    struct mesh_diag *diag =
        mesh_diag_add(c->diags, MESH_ERROR, "MG032", port->topic.at, "the topic '%s' belongs to the platform", port->topic.text);
    mesh_diag_why(c->diags, diag, "names that begin with 'mesh.' are those of dead letters and of topics inside a product");
    mesh_diag_fix(c->diags, diag, "choose another topic, for example '%s.%s'", c->model->name[0] == '\0' ? "shop" : c->model->name,
                  port->topic.text + 5);
}

static void own_topic(struct mesh_checker *c, const struct mesh_model_port *port)
{
    for (size_t i = 0; i < port->product->inputs.n; i++) {
        const struct mesh_model_input *input = port->product->inputs.v[i];
        if (port->kind != MESH_MODEL_KAFKA || port->topic.text == NULL || input->topic.text == NULL ||
            strcmp(input->topic.text, port->topic.text) != 0)
            continue;
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG032", port->topic.at, "the product reads and writes '%s'", port->topic.text);
        mesh_diag_why(c->diags, diag, "what it wrote would come in again, for ever");
        mesh_diag_fix(c->diags, diag, "read the stream or view behind the port instead");
        mesh_diag_note(c->diags, diag, input->at, "it is read here");
    }
}

void mesh_check_borders(struct mesh_checker *c)
{
    MESH_VEC(const struct mesh_model_port *) ports = {0};
    for (size_t p = 0; p < c->model->products.n; p++) {
        for (size_t i = 0; i < c->model->products.v[p]->ports.n; i++) {
            const struct mesh_model_port *port = c->model->products.v[p]->ports.v[i];
            for (size_t k = 0; k < ports.n; k++)
                clash(c, ports.v[k], port);
            check_topic(c, port);
            own_topic(c, port);
            *mesh_vec_push_in(c->arena, &ports) = port;
        }
    }
}
