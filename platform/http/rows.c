/* The ports: a list, a point, a lookup. The first half makes the question, the second writes what came back. */
#include "http/exchange.h"

#include "base/check.h"
#include "base/text.h"

#include <inttypes.h>

static struct mesh_str str_of(const struct mesh_buf *buf)
{
    return (struct mesh_str){buf->p, (uint32_t)buf->n};
}

/* What a token is bound to. */
static void add_purpose(const struct mesh_http_exchange *x, struct mesh_buf *out)
{
    const struct mesh_http_query *query = &x->query;
    mesh_buf_printf(out, "%s/%s %d %" PRId64 " %" PRId64, x->route->product->name, x->route->port->name, (int)query->windows,
                    query->from_us, query->to_us);
    mesh_http_mask_purpose(x->route->port, &x->caller.roles, out);
    mesh_http_select_purpose(&query->select, out);
}

/* ---- asking ---- */
static void ask(struct mesh_http_exchange *x, const struct mesh_key *key, uint32_t limit, struct mesh_str after)
{
    const struct mesh_product *product = x->route->product;
    struct mesh_read read = {.view = x->route->port->view,
                             .withhold = x->route->port->n_consents > 0,
                             .port = (uint32_t)(x->route->port - product->ports),
                             .key = key,
                             .from_us = x->query.from_us,
                             .to_us = x->query.to_us,
                             .windows = x->query.windows,
                             .limit = limit,
                             .after = after};
    x->question = mesh_http_question_new(x->route->product_index, &read);
    x->question->committed = x->query.committed;
    x->question->local = x->query.local;
    x->question->min_position = x->query.min_position;
}

static bool read_query(struct mesh_http_exchange *x)
{
    return mesh_http_format_read(x->request->accept, &x->format, &x->problem) == 0 &&
           mesh_http_query_read(&x->shape, x->is_list, &x->uri, &x->query, &x->problem) == 0;
}

static void bad_token(struct mesh_http_exchange *x)
{
    mesh_http_problem_add(&x->problem, "/query/after",
                          "is not a token of this list with these parameters, or the service "
                          "has started anew: begin without it");
}

static void begin_list(struct mesh_http_exchange *x)
{
    x->is_list = true;
    if (!mesh_http_only_get(x) || !read_query(x))
        return;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf purpose = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf after = MESH_BUF_NULL;
    add_purpose(x, &purpose);
    if (x->query.after.n > 0 &&
        mesh_http_token_open(&x->site->token_keys[x->route->product_index], x->query.after, str_of(&purpose), &after) != 0)
        bad_token(x);
    else if (mesh_http_selects(&x->query.select)) {
        x->select_after = (struct mesh_str){mesh_arena_str(&x->arena, str_of(&after)), (uint32_t)after.n};
        ask(x, NULL, MESH_HTTP_SELECT_ROWS_MAX, (struct mesh_str){0});
    } else {
        ask(x, NULL, x->query.count_only ? 0 : x->query.limit, str_of(&after));
    }
}

static void begin_point(struct mesh_http_exchange *x, const struct mesh_key *key)
{
    if (read_query(x))
        ask(x, key, MESH_HTTP_LIMIT_MAX, (struct mesh_str){0});
}

void mesh_http_rows_begin(struct mesh_http_exchange *x)
{
    const struct mesh_http_route *route = x->route;
    uint32_t n = x->uri.n_segments - route->path.n_segments;
    const struct mesh_str *rest = x->uri.segments + route->path.n_segments;
    struct mesh_key key;
    if (n == 0) {
        begin_list(x);
        return;
    }
    bool lookup = n == 1 && mesh_str_eq(rest[0], MESH_STR(MESH_HTTP_LOOKUP)) && (!mesh_http_is_get(x) || route->key_protected);
    if (lookup && strcmp(x->request->method, "POST") != 0) {
        mesh_http_not_allowed(x, route->key_protected ? "POST" : "GET, HEAD, POST"); /* GET: a key may be called so */
        return;
    }
    if (lookup) {
        const struct mesh_port *port = route->port;
        x->looks_up = route->key_protected;
        if (x->site->backend.auth != NULL && port->n_lookup > 0 &&
            !mesh_http_words_any(&x->caller.roles, port->lookup, port->n_lookup)) {
            mesh_http_deny(x, 403, "role for lookups");
            return;
        }
        if (mesh_http_key_read_body(&x->arena, x->shape.view, x->request->body, &key, &x->problem) == 0)
            begin_point(x, &key);
        return;
    }
    if (!mesh_http_only_get(x) || mesh_http_key_read(x->shape.view, rest, n, &key, &x->problem) != 0)
        return;
    if (route->key_protected)
        mesh_http_problem_set(&x->problem, 403,
                              "the key of this port is protected and does not belong in a path, "
                              "which ends in logs: POST %s/" MESH_HTTP_LOOKUP " with {\"key\": ...}, or read the list",
                              route->port->path);
    else
        begin_point(x, &key);
}

/* ---- answering ---- */
static void add_place(struct mesh_http_exchange *x, const struct mesh_rows *rows)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (rows->as_of_us == INT64_MIN)
        mesh_buf_puts(&text, "none");
    else
        mesh_text_time(&text, rows->as_of_us);
    mesh_http_header_add(x->response, "Mesh-As-Of", "%s", text.p);
    mesh_http_header_add(x->response, "Mesh-Position", "%" PRIu64, rows->commit);
    mesh_http_header_add(x->response, "Mesh-Durable", "%" PRIu64, rows->durable);
}

/* The product has several instances, and this is not the one, or not the only one. */
static void not_here(struct mesh_http_exchange *x, const struct mesh_http_question *answered)
{
    if (answered->result == MESH_HTTP_PARTIAL) {
        mesh_http_problem_set(
            &x->problem, 503,
            "this instance has partitions %s of the list; the others are at: %s. Ask each with ?partitions=local, or "
            "read the product's MongoDB collection or topic, which have all of it",
            answered->partitions, answered->where);
        mesh_http_header_add(x->response, "Mesh-Partitions", "%s", answered->partitions);
    } else if (answered->where[0] == '\0') {
        mesh_http_problem_set(&x->problem, 503, "the key moves to another instance just now; try again");
    } else {
        mesh_http_problem_set(&x->problem, 307, "the key is at another instance: %s", answered->where);
        mesh_http_header_add(x->response, "Location", "%s%s", answered->where, x->request->uri);
    }
}

/* True: there are rows (perhaps none). */
static bool has_rows(struct mesh_http_exchange *x, const struct mesh_http_question *answered)
{
    int result = answered == NULL ? MESH_HTTP_BUSY : answered->result;
    if (result == MESH_HTTP_ELSEWHERE || result == MESH_HTTP_PARTIAL)
        not_here(x, answered);
    else if (result == MESH_HTTP_NOT_LOADED)
        mesh_http_problem_set(&x->problem, 503,
                              "the state is not loaded yet: the broker has not answered since the "
                              "first start");
    else if (result == MESH_HTTP_ENDING)
        mesh_http_problem_set(&x->problem, 503, "the service stops; ask again when it, or another one, is there");
    else if (result == MESH_HTTP_BUSY && x->query.min_position > 0)
        mesh_http_problem_set(&x->problem, 409, "position %" PRIu64 " is not reached yet; try again", x->query.min_position);
    else if (result == MESH_HTTP_BUSY)
        mesh_http_problem_set(&x->problem, 503, "the product is busy; try again");
    else if (result != 0)
        mesh_http_problem_set(&x->problem, 500, "%s", answered->err.text);
    return result == 0;
}

/* ---- what is shown of it ---- */
/* Chooses and sorts, when that was asked for; false: there is too much to choose from. */
static bool select_rows(struct mesh_http_exchange *x, const struct mesh_rows *rows)
{
    const struct mesh_http_select *select = &x->query.select;
    if (!mesh_http_selects(select))
        return true;
    if (rows->more) {
        mesh_http_problem_set(&x->problem, 413,
                              "there are %" PRIu64
                              " rows, and at most %d are sorted or filtered: name fewer windows (window, from, to), "
                              "or read all pages without sort and conditions",
                              rows->count, MESH_HTTP_SELECT_ROWS_MAX);
        return false;
    }
    if (mesh_http_select_rows(select, x->shape.view, rows, x->select_after, x->query.limit, &x->arena, &x->selected))
        return true;
    bad_token(x); /* ours, but of another version of the product */
    return false;
}

static size_t n_shown(const struct mesh_http_exchange *x, const struct mesh_rows *rows)
{
    return mesh_http_selects(&x->query.select) ? x->selected.n : rows->n;
}

static uint64_t count_of(const struct mesh_http_exchange *x, const struct mesh_rows *rows)
{
    return mesh_http_selects(&x->query.select) ? x->selected.count : rows->count;
}

static bool has_more(const struct mesh_http_exchange *x, const struct mesh_rows *rows)
{
    return mesh_http_selects(&x->query.select) ? x->selected.more : rows->more;
}

static const void *row_at(const struct mesh_http_exchange *x, const struct mesh_rows *rows, size_t i)
{
    size_t at = mesh_http_selects(&x->query.select) ? x->selected.rows[i] : i;
    return rows->rows.p + at * x->shape.view->out_size;
}

/* Appends the token of the next page. */
static void add_next(struct mesh_http_exchange *x, const struct mesh_rows *rows, struct mesh_buf *out)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf purpose = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf place = MESH_BUF_NULL;
    add_purpose(x, &purpose);
    if (mesh_http_selects(&x->query.select))
        mesh_http_select_place(&x->query.select, x->shape.view, row_at(x, rows, x->selected.n - 1), &place);
    else
        mesh_buf_add(&place, rows->last.p == NULL ? "" : rows->last.p, rows->last.n);
    mesh_http_token_seal(&x->site->token_keys[x->route->product_index], str_of(&place), str_of(&purpose), out);
}

static void write_json(struct mesh_http_exchange *x, const struct mesh_rows *rows)
{
    struct mesh_buf *out = &x->response->body;
    if (!x->is_list && x->shape.view->window == MESH_WINDOW_NONE) {
        mesh_http_row(&x->shape, &x->query.fields, row_at(x, rows, 0), out);
        mesh_buf_putc(out, '\n');
        return;
    }
    mesh_buf_puts(out, "{\"items\":[");
    for (size_t i = 0; i < n_shown(x, rows); i++) {
        if (i > 0)
            mesh_buf_putc(out, ',');
        mesh_http_row(&x->shape, &x->query.fields, row_at(x, rows, i), out);
    }
    mesh_buf_printf(out, "],\"count\":%" PRIu64, count_of(x, rows));
    if (x->is_list && has_more(x, rows)) {
        mesh_buf_puts(out, ",\"next\":\"");
        add_next(x, rows, out);
        mesh_buf_putc(out, '"');
    }
    mesh_buf_puts(out, "}\n");
}

/* Rows without an envelope: what would be around them goes to the headers. */
static void write_lines(struct mesh_http_exchange *x, const struct mesh_rows *rows)
{
    const struct mesh_http_shape *shape = &x->shape;
    struct mesh_buf *out = &x->response->body;
    if (x->format == MESH_HTTP_CSV)
        mesh_http_csv_names(shape, &x->query.fields, out);
    for (size_t i = 0; i < n_shown(x, rows); i++) {
        if (x->format == MESH_HTTP_CSV) {
            mesh_http_csv_row(shape, &x->query.fields, row_at(x, rows, i), out);
        } else {
            mesh_http_row(shape, &x->query.fields, row_at(x, rows, i), out);
            mesh_buf_putc(out, '\n');
        }
    }
    mesh_http_header_add(x->response, "Mesh-Count", "%" PRIu64, count_of(x, rows));
    if (x->is_list && has_more(x, rows)) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf next = MESH_BUF_NULL;
        add_next(x, rows, &next);
        mesh_http_header_add(x->response, "Mesh-Next", "%s", next.p);
    }
}

void mesh_http_rows_finish(struct mesh_http_exchange *x, const struct mesh_http_question *answered)
{
    if (!has_rows(x, answered))
        return;
    const struct mesh_rows *rows = &answered->rows;
    add_place(x, rows);
    if (answered->partitions[0] != '\0') {
        mesh_http_header_add(x->response, "Mesh-Partitions", "%s", answered->partitions);
        mesh_http_header_add(x->response, "Mesh-Consistency", "per-partition");
    }
    if (!select_rows(x, rows))
        return;
    if (x->looks_up && !mesh_http_disclose(x, (int64_t)n_shown(x, rows)))
        return; /* whether there is a row is an answer, too */
    if (!x->is_list && rows->n == 0) {
        mesh_http_problem_set(&x->problem, 404, "'%s' has no row of this key", x->shape.view->name);
        return;
    }
    if (!x->query.count_only && !x->looks_up && !mesh_http_disclose(x, (int64_t)n_shown(x, rows)))
        return;
    x->response->status = 200;
    x->response->type = x->query.count_only ? "application/json" : mesh_http_format_type(x->format);
    mesh_http_header_add(x->response, "Vary", "%s", x->site->backend.auth == NULL ? "Accept" : "Accept, Authorization, X-API-Key");
    if (x->query.count_only)
        mesh_buf_printf(&x->response->body, "{\"count\":%" PRIu64 "}\n", count_of(x, rows));
    else if (x->format == MESH_HTTP_JSON)
        write_json(x, rows);
    else
        write_lines(x, rows);
    mesh_http_tag(x);
}
