/* Nothing here is trusted: lengths are bounded before anything is copied, and a text that is not
 * UTF-8 can be no key. */
#include "http/query.h"

#include "base/check.h"
#include "base/diag.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <strings.h>

/* False: a broken escape, a NUL or invalid UTF-8. */
static bool decode(struct mesh_arena *arena, const char *text, size_t n, bool plus, struct mesh_str *ret)
{
    char *out = mesh_arena_alloc(arena, n + 1);
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (c == '%') {
            int high = n - i > 2 ? mesh_hex_digit(text[i + 1]) : -1;
            int low = high < 0 ? -1 : mesh_hex_digit(text[i + 2]);
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0')
            return false;
        out[used++] = c;
    }
    *ret = (struct mesh_str){out, (uint32_t)used};
    return mesh_utf8_valid(out, used) == used;
}

static int bad_escape(struct mesh_http_problem *problem, const char *pointer)
{
    mesh_http_problem_add(problem, pointer, "must be percent-encoded UTF-8 without NUL");
    return problem->status;
}

static int read_params(struct mesh_arena *arena, const char *text, struct mesh_http_uri *ret, struct mesh_http_problem *problem)
{
    while (*text != '\0') {
        size_t n = strcspn(text, "&");
        const char *equals = memchr(text, '=', n);
        size_t name_n = equals == NULL ? n : (size_t)(equals - text);
        if (n > 0) {
            if (ret->n_params == MESH_HTTP_PARAMS_MAX)
                return mesh_http_problem_set(problem, 400, "more than %d parameters", MESH_HTTP_PARAMS_MAX);
            struct mesh_http_param *param = &ret->params[ret->n_params++];
            size_t value_n = equals == NULL ? 0 : n - name_n - 1;
            if (!decode(arena, text, name_n, true, &param->name) ||
                !decode(arena, equals == NULL ? "" : equals + 1, value_n, true, &param->value))
                return bad_escape(problem, "/query");
        }
        text += n;
        if (*text == '&')
            text++;
    }
    return 0;
}

int mesh_http_uri_read(struct mesh_arena *arena, const char *text, struct mesh_http_uri *ret, struct mesh_http_problem *problem)
{
    *ret = (struct mesh_http_uri){0};
    size_t n = strlen(text);
    if (n > MESH_HTTP_URI_BYTES_MAX)
        return mesh_http_problem_set(problem, 414, "the URI has %zu bytes, at most %d are read", n, MESH_HTTP_URI_BYTES_MAX);
    size_t path_n = strcspn(text, "?#");
    ret->path = (struct mesh_str){text, (uint32_t)path_n};
    for (size_t i = 0; i < path_n;) {
        if (text[i] == '/') {
            i++;
            continue;
        }
        size_t end = i;
        while (end < path_n && text[end] != '/')
            end++;
        if (ret->n_segments == MESH_HTTP_SEGMENTS_MAX)
            return mesh_http_problem_set(problem, 400, "more than %d path segments", MESH_HTTP_SEGMENTS_MAX);
        if (!decode(arena, text + i, end - i, false, &ret->segments[ret->n_segments++]))
            return bad_escape(problem, "/path");
        i = end;
    }
    return text[path_n] == '?' ? read_params(arena, text + path_n + 1, ret, problem) : 0;
}

/* ---- parameters ---- */
enum param {
    PARAM_LIMIT,
    PARAM_AFTER,
    PARAM_COUNT,
    PARAM_SORT,
    PARAM_PARTITIONS,
    PARAM_WINDOW,
    PARAM_FROM,
    PARAM_TO,
    PARAM_FIELDS,
    PARAM_COMMITTED,
    PARAM_MIN_POSITION,
    N_PARAMS,
};
static const char *const param_names[N_PARAMS] = {"limit", "after", "count",  "sort",      "partitions",  "window",
                                                  "from",  "to",    "fields", "committed", "min-position"};
static const char *const param_pointers[N_PARAMS] = {"/query/limit",      "/query/after",     "/query/count",       "/query/sort",
                                                     "/query/partitions", "/query/window",    "/query/from",        "/query/to",
                                                     "/query/fields",     "/query/committed", "/query/min-position"};

static const struct {
    const char *name;
    enum mesh_read_windows windows;
} windows_names[] = {{"latest", MESH_READ_LATEST}, {"open", MESH_READ_OPEN}, {"closed", MESH_READ_CLOSED}, {"all", MESH_READ_ALL}};

static bool is_allowed(const struct mesh_view *view, bool list, enum param param)
{
    switch (param) {
    case PARAM_LIMIT:
    case PARAM_AFTER:
    case PARAM_COUNT:
    case PARAM_SORT:
    case PARAM_PARTITIONS:
        return list;
    case PARAM_WINDOW:
    case PARAM_FROM:
    case PARAM_TO:
        return view->window != MESH_WINDOW_NONE;
    case PARAM_FIELDS:
    case PARAM_COMMITTED:
    case PARAM_MIN_POSITION:
    case N_PARAMS:
        break;
    }
    return true;
}

void mesh_http_unknown_param(struct mesh_str name, const char *const *names, size_t n, size_t n_listed,
                             struct mesh_http_problem *problem)
{
    char all[160] = "";
    size_t used = 0;
    for (size_t i = 0; i < n_listed && used < sizeof all - 1; i++) {
        int put = snprintf(all + used, sizeof all - used, "%s%s", used == 0 ? "" : ", ", names[i]);
        used += put > 0 ? (size_t)put : 0;
    }
    char word[64], pointer[96];
    snprintf(word, sizeof word, "%.*s", (int)(name.n > 60 ? 60 : name.n), name.p);
    snprintf(pointer, sizeof pointer, "/query/%s", word);
    const char *meant = mesh_did_you_mean(word, names, n);
    if (meant != NULL)
        mesh_http_problem_add(problem, pointer, "unknown parameter '%s', did you mean '%s'?", word, meant);
    else
        mesh_http_problem_add(problem, pointer, "unknown parameter '%s'; there is %s", word, n_listed == 0 ? "none here" : all);
}

static void unknown(const struct mesh_http_shape *shape, bool list, struct mesh_str name, struct mesh_http_problem *problem)
{
    const char *allowed[N_PARAMS + MESH_HTTP_FIELDS_MAX];
    size_t n = 0;
    for (int i = 0; i < N_PARAMS; i++)
        if (is_allowed(shape->view, list, (enum param)i))
            allowed[n++] = param_names[i];
    size_t n_listed = n;
    for (uint32_t i = 0; list && i < shape->n_out && n < MESH_LEN(allowed); i++) /* conditions */
        if (mesh_http_shows(shape, i))
            allowed[n++] = shape->out[i].name;
    mesh_http_unknown_param(name, allowed, n, n_listed, problem);
}

static void read_limit(struct mesh_str text, struct mesh_http_query *ret, struct mesh_http_problem *problem)
{
    int64_t v = 0;
    if (mesh_text_parse_long(text, &v) != 0 || v < 1 || v > MESH_HTTP_LIMIT_MAX)
        mesh_http_problem_add(problem, "/query/limit", "must be a number from 1 to %d", MESH_HTTP_LIMIT_MAX);
    else
        ret->limit = (uint32_t)v;
}

static void read_window(struct mesh_str text, struct mesh_http_query *ret, struct mesh_http_problem *problem)
{
    for (size_t i = 0; i < sizeof windows_names / sizeof *windows_names; i++) {
        if (!mesh_str_eq(text, mesh_str_of(windows_names[i].name)))
            continue;
        ret->windows = windows_names[i].windows;
        return;
    }
    mesh_http_problem_add(problem, "/query/window", "must be latest, open, closed or all");
}

static void read_time(const char *pointer, struct mesh_str text, int64_t *ret, struct mesh_http_problem *problem)
{
    bool bare = text.n < 2 || memchr(text.p + 1, '-', text.n - 1) == NULL; /* a number: of what, nobody can see */
    if (bare || mesh_text_parse_time(text, ret) != 0)
        mesh_http_problem_add(problem, pointer, "must be a time as 2026-11-21T00:00:00Z or a day as 2026-11-21");
}

void mesh_http_read_flag(const char *pointer, struct mesh_str text, bool *ret, struct mesh_http_problem *problem)
{
    if (mesh_str_eq(text, MESH_STR("1")))
        *ret = true;
    else if (!mesh_str_eq(text, MESH_STR("0")))
        mesh_http_problem_add(problem, pointer, "must be 1 (or 0, which is as if it was not there)");
}

static void read_position(struct mesh_str text, struct mesh_http_query *ret, struct mesh_http_problem *problem)
{
    int64_t v = 0;
    if (mesh_text_parse_long(text, &v) != 0 || v < 0)
        mesh_http_problem_add(problem, "/query/min-position", "must be the Mesh-Position of an earlier answer of this port");
    else
        ret->min_position = (uint64_t)v;
}

static void read_field(const struct mesh_http_shape *shape, struct mesh_str name, struct mesh_http_fields *ret,
                       struct mesh_http_problem *problem)
{
    const char *shown[MESH_HTTP_FIELDS_MAX];
    size_t n = 0;
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(name.n > 60 ? 60 : name.n), name.p);
    for (uint32_t i = 0; i < shape->view->n_out && n < MESH_HTTP_FIELDS_MAX; i++) {
        if (!mesh_http_shows(shape, i))
            continue;
        shown[n++] = shape->view->out[i].name;
        if (!mesh_str_eq(name, mesh_str_of(shape->view->out[i].name)))
            continue;
        for (uint32_t k = 0; k < ret->n; k++) {
            if (ret->v[k] == i) {
                mesh_http_problem_add(problem, "/query/fields", "names '%s' twice", word);
                return;
            }
        }
        ret->v[ret->n++] = (uint16_t)i;
        return;
    }
    const char *meant = mesh_did_you_mean(word, shown, n);
    if (meant != NULL)
        mesh_http_problem_add(problem, "/query/fields", "there is no field '%s', did you mean '%s'?", word, meant);
    else
        mesh_http_problem_add(problem, "/query/fields", "there is no field '%s' at this port", word);
}

static void read_fields(const struct mesh_http_shape *shape, struct mesh_str text, struct mesh_http_fields *ret,
                        struct mesh_http_problem *problem)
{
    ret->n = 0;
    for (uint32_t at = 0; at <= text.n;) {
        uint32_t end = at;
        while (end < text.n && text.p[end] != ',')
            end++;
        read_field(shape, (struct mesh_str){text.p + at, end - at}, ret, problem);
        at = end + 1;
    }
}

int mesh_http_query_read(const struct mesh_http_shape *shape, bool list, const struct mesh_http_uri *uri,
                         struct mesh_http_query *ret, struct mesh_http_problem *problem)
{
    const struct mesh_view *view = shape->view;
    bool windowed = view->window != MESH_WINDOW_NONE;
    *ret = (struct mesh_http_query){
        .windows = MESH_READ_ALL, .from_us = INT64_MIN, .to_us = INT64_MAX, .limit = MESH_HTTP_LIMIT_DEFAULT};
    bool seen[N_PARAMS] = {false};
    for (uint32_t i = 0; i < uri->n_params; i++) {
        const struct mesh_http_param *param = &uri->params[i];
        int which = 0;
        while (which < N_PARAMS &&
               (!is_allowed(view, list, (enum param)which) || !mesh_str_eq(param->name, mesh_str_of(param_names[which]))))
            which++;
        if (which == N_PARAMS && list && mesh_http_select_condition(shape, param->name, param->value, &ret->select, problem))
            continue;
        if (which == N_PARAMS) {
            unknown(shape, list, param->name, problem);
            continue;
        }
        if (seen[which])
            mesh_http_problem_add(problem, param_pointers[which], "must be given once");
        seen[which] = true;
        switch ((enum param)which) {
        case PARAM_LIMIT:
            read_limit(param->value, ret, problem);
            break;
        case PARAM_AFTER:
            ret->after = param->value;
            break;
        case PARAM_SORT:
            mesh_http_select_sort(shape, param->value, &ret->select, problem);
            break;
        case PARAM_PARTITIONS:
            ret->local = mesh_str_eq(param->value, MESH_STR("local"));
            if (!ret->local && !mesh_str_eq(param->value, MESH_STR("all")))
                mesh_http_problem_add(problem, param_pointers[which], "must be local or all");
            break;
        case PARAM_WINDOW:
            read_window(param->value, ret, problem);
            break;
        case PARAM_FROM:
            read_time("/query/from", param->value, &ret->from_us, problem);
            break;
        case PARAM_TO:
            read_time("/query/to", param->value, &ret->to_us, problem);
            break;
        case PARAM_COUNT:
            mesh_http_read_flag(param_pointers[which], param->value, &ret->count_only, problem);
            break;
        case PARAM_FIELDS:
            read_fields(shape, param->value, &ret->fields, problem);
            break;
        case PARAM_COMMITTED:
            mesh_http_read_flag(param_pointers[which], param->value, &ret->committed, problem);
            break;
        case PARAM_MIN_POSITION:
            read_position(param->value, ret, problem);
            break;
        case N_PARAMS:
            break;
        }
    }
    /* A list shows the present; who names a time, or a key, means all of its windows. */
    if (windowed && list && !seen[PARAM_WINDOW] && !seen[PARAM_FROM] && !seen[PARAM_TO])
        ret->windows = MESH_READ_LATEST;
    if (problem->status == 0 && ret->from_us > ret->to_us)
        mesh_http_problem_add(problem, "/query/to", "must not be before from");
    return problem->status;
}

/* ---- formats ---- */
static const char *const format_types[] = {
    [MESH_HTTP_JSON] = "application/json", [MESH_HTTP_CSV] = "text/csv", [MESH_HTTP_NDJSON] = "application/x-ndjson"};

const char *mesh_http_format_type(enum mesh_http_format format)
{
    return format == MESH_HTTP_CSV ? "text/csv; charset=utf-8; header=present" : format_types[format];
}

static struct mesh_str trimmed(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct mesh_str){p, (uint32_t)(end - p)};
}

/* How well a media range of Accept fits the type: 0 not, 1 any, 2 any of its kind, 3 itself. */
static int fits(struct mesh_str range, const char *type)
{
    size_t kind_n = strcspn(type, "/") + 1;
    if (mesh_str_eq(range, MESH_STR("*/*")))
        return 1;
    if (range.n == kind_n + 1 && range.p[kind_n] == '*' && strncasecmp(range.p, type, kind_n) == 0)
        return 2;
    return range.n == strlen(type) && strncasecmp(range.p, type, range.n) == 0 ? 3 : 0;
}

/* Thousandths. */
static int quality(const char *p, const char *end)
{
    for (; p < end; p++) {
        if (*p != ';')
            continue;
        struct mesh_str param = trimmed(p + 1, end);
        if (param.n >= 3 && (param.p[0] == 'q' || param.p[0] == 'Q') && param.p[1] == '=') {
            int q = 0, unit = 1000;
            for (uint32_t i = 2; i < param.n && unit > 0 && (param.p[i] == '.' || (param.p[i] >= '0' && param.p[i] <= '9')); i++) {
                if (param.p[i] == '.')
                    continue;
                q += (param.p[i] - '0') * unit;
                unit /= 10;
            }
            return q < 1000 ? q : 1000;
        }
    }
    return 1000;
}

int mesh_http_format_read(const char *accept, enum mesh_http_format *ret, struct mesh_http_problem *problem)
{
    int best = 0;
    *ret = MESH_HTTP_JSON;
    if (accept == NULL || *accept == '\0')
        return 0;
    for (size_t f = 0; f < sizeof format_types / sizeof *format_types; f++) {
        int fit = 0, q = 0; /* the range that names the type most closely counts */
        for (const char *p = accept; *p != '\0'; p += *p == ',') {
            const char *end = p + strcspn(p, ",");
            const char *range_end = p + strcspn(p, ",;");
            int this_fit = fits(trimmed(p, range_end), format_types[f]);
            if (this_fit > fit) {
                fit = this_fit;
                q = quality(range_end, end);
            }
            p = end;
        }
        if (fit > 0 && q > best) {
            best = q;
            *ret = (enum mesh_http_format)f;
        }
    }
    if (best > 0)
        return 0;
    return mesh_http_problem_set(problem, 406, "here are application/json, text/csv and application/x-ndjson");
}

/* ---- keys ---- */
static int bad_key(const struct mesh_field *field, const char *pointer, const char *what, struct mesh_http_problem *problem)
{
    mesh_http_problem_add(problem, pointer, "%s must be %s", field->name, what);
    return problem->status;
}

static int add_symbol(const struct mesh_field *field, struct mesh_str text, const char *pointer, struct mesh_key *key,
                      struct mesh_http_problem *problem)
{
    char all[160] = "one of";
    size_t used = strlen(all);
    for (int32_t i = 0; field->symbols[i] != NULL; i++) {
        if (mesh_str_eq(text, mesh_str_of(field->symbols[i]))) {
            mesh_key_long(key, i);
            return 0;
        }
        if (used < sizeof all - 1) {
            int put = snprintf(all + used, sizeof all - used, " %s", field->symbols[i]);
            used += put > 0 ? (size_t)put : 0;
        }
    }
    return bad_key(field, pointer, all, problem);
}

int mesh_http_key_add(const struct mesh_field *field, struct mesh_str text, const char *pointer, struct mesh_key *key,
                      struct mesh_http_problem *problem)
{
    int64_t v = 0;
    switch (field->type) {
    case MESH_STRING:
        mesh_key_str(key, text);
        break;
    case MESH_INT:
    case MESH_LONG:
        if (mesh_text_parse_long(text, &v) != 0 || (field->type == MESH_INT && (v < INT32_MIN || v > INT32_MAX)))
            return bad_key(field, pointer, "a whole number", problem);
        mesh_key_long(key, v);
        break;
    case MESH_BOOL:
        if (!mesh_str_eq(text, MESH_STR("true")) && !mesh_str_eq(text, MESH_STR("false")))
            return bad_key(field, pointer, "true or false", problem);
        mesh_key_bool(key, text.n == 4);
        break;
    case MESH_ENUM:
        return add_symbol(field, text, pointer, key, problem);
    case MESH_TIMESTAMP:
    case MESH_DATE:
        if (mesh_text_parse_time(text, &v) != 0 || (field->type == MESH_DATE && v % MESH_DAY_US != 0))
            return bad_key(field, pointer, field->type == MESH_DATE ? "a day as 2026-11-21" : "a time as 2026-11-21T00:00:00Z",
                           problem);
        mesh_key_long(key, v);
        break;
    case MESH_DURATION:
        if (mesh_text_parse_duration(text, &v) != 0)
            return bad_key(field, pointer, "a duration as 90m", problem);
        mesh_key_long(key, v);
        break;
    case MESH_DECIMAL: {
        mesh_dec dec = 0;
        if (mesh_text_parse_dec(text, field->scale, &dec) != 0)
            return bad_key(field, pointer, "a decimal of its scale", problem);
        mesh_key_dec(key, dec);
        break;
    }
    case MESH_DOUBLE:
    case MESH_BYTES:
    case MESH_TYPE_COUNT:
        return bad_key(field, pointer, "of a type that can be a key", problem);
    }
    if (key->too_long)
        return bad_key(field, pointer, "shorter: a key has at most 1024 bytes", problem);
    return 0;
}

int mesh_http_key_read(const struct mesh_view *view, const struct mesh_str *segments, uint32_t n, struct mesh_key *ret,
                       struct mesh_http_problem *problem)
{
    if (n != view->n_key)
        return mesh_http_problem_set(problem, 404, "a key of '%s' has %u part%s, this path has %u", view->name, view->n_key,
                                     view->n_key == 1 ? "" : "s", n);
    mesh_key_begin(ret);
    for (uint32_t i = 0; i < n; i++) {
        char pointer[32];
        snprintf(pointer, sizeof pointer, "/path/%u", i);
        (void)mesh_http_key_add(&view->out[i], segments[i], pointer, ret, problem);
    }
    return problem->status;
}

/* The text of a scalar; booleans and numbers may be given as such. */
static bool scalar(const struct mesh_json *value, struct mesh_str *ret)
{
    if (value->kind == MESH_JSON_STRING || value->kind == MESH_JSON_NUMBER)
        *ret = (struct mesh_str){value->text, value->kind == MESH_JSON_STRING ? value->n : (uint32_t)strlen(value->text)};
    else if (value->kind == MESH_JSON_BOOL)
        *ret = value->boolean ? MESH_STR("true") : MESH_STR("false");
    else
        return false;
    return true;
}

static const struct mesh_json *part_of(const struct mesh_json *key, const struct mesh_view *view, uint32_t i)
{
    if (key->kind == MESH_JSON_OBJECT)
        return key->n == view->n_key ? mesh_json_get(key, view->out[i].name) : NULL;
    if (key->kind == MESH_JSON_ARRAY)
        return key->n == view->n_key ? key->items[i] : NULL;
    return view->n_key == 1 ? key : NULL;
}

int mesh_http_key_read_body(struct mesh_arena *arena, const struct mesh_view *view, struct mesh_str body, struct mesh_key *ret,
                            struct mesh_http_problem *problem)
{
    struct mesh_diags diags = {.arena = arena};
    const char *text = mesh_arena_str(arena, body);
    const struct mesh_json *json = NULL;
    if (strlen(text) == body.n)
        json = mesh_json_parse(arena, mesh_source_new(arena, "body", text, body.n), &diags, "body");
    if (json == NULL) {
        mesh_http_problem_add(problem, "/body", "is not JSON: %s", diags.list.n > 0 ? diags.list.v[0]->text : "it holds a NUL");
        return problem->status;
    }
    const struct mesh_json *key = mesh_json_get(json, "key");
    if (key == NULL || json->n != 1) {
        mesh_http_problem_add(problem, "/body", "must be an object with one member, key");
        return problem->status;
    }
    mesh_key_begin(ret);
    for (uint32_t i = 0; i < view->n_key; i++) {
        struct mesh_str value = {0};
        char pointer[96];
        snprintf(pointer, sizeof pointer, "/body/key/%.64s", view->out[i].name);
        const struct mesh_json *part = part_of(key, view, i);
        if (part == NULL || !scalar(part, &value))
            mesh_http_problem_add(problem, pointer, "the key needs a value for '%s' and nothing else", view->out[i].name);
        else
            (void)mesh_http_key_add(&view->out[i], value, pointer, ret, problem);
    }
    return problem->status;
}
