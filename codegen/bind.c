/* One walk over the tree beside the table. What a mistake looks like to its author decides the message: a key that is unknown here
 * but known elsewhere is most often a matter of indentation, one that is nearly right is a typing error, and a key that holds half
 * of a call is an expression that a flow map cut at the comma. */
#include "codegen/bind.h"

#include "base/check.h"
#include "base/text.h"
#include "codegen/bind_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CHILDREN_MAX          64
#define MISSING_EXPLAINED_MAX 3

struct binder {
    const struct mesh_bind_table *table;
    struct mesh_arena *arena;
    struct mesh_diags *diags;
    bool ok;
};

/* The value at hand: its row, its path in the table, and its path as the author sees it. */
struct place {
    const struct mesh_bind_key *key; /* NULL: the root */
    const char *path;                /* "streams.*.steps[]" */
    const char *shown;               /* "streams.clean.steps[2]" */
    struct mesh_srcref at;           /* of the key */
};

static void walk(struct binder *b, const struct place *place, struct mesh_yaml *node);

/* ---- reporting ---- */

static struct mesh_diag *report(struct binder *b, const char *code, struct mesh_srcref at, const char *text)
{
    return mesh_diag_add(b->diags, MESH_ERROR, code, at, "%s", text);
}

static const char *last_key(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot == NULL ? path : dot + 1;
}

static const char *node_text(const struct mesh_yaml *node)
{
    if (mesh_yaml_is_empty(node))
        return "nothing";
    if (node->kind == MESH_YAML_SCALAR)
        return "text";
    if (node->items.n + node->entries.n == 0)
        return node->kind == MESH_YAML_LIST ? "an empty list" : "an empty map";
    return node->kind == MESH_YAML_LIST ? "a list" : "a map of keys";
}

static void wrong_kind(struct binder *b, const struct place *place, struct mesh_yaml *node)
{
    struct mesh_srcref at = mesh_yaml_is_empty(node) || node->kind != MESH_YAML_SCALAR ? place->at : node->at;
    node->bad = true;
    struct mesh_diag *diag = mesh_diag_add(b->diags, MESH_ERROR, "MG003", at, "'%s' must be %s, but is %s", place->shown,
                                           mesh_bind_kind_text(place->key->kind), node_text(node));
    mesh_diag_why(b->diags, diag, "%s", place->key->help);
    enum mesh_bind_kind kind = place->key->kind;
    if (place->key->example != NULL)
        mesh_diag_fix(b->diags, diag, "for example: %s: %s", last_key(place->shown), place->key->example);
    else if (kind == MESH_BIND_MAP || kind == MESH_BIND_NAMES || kind == MESH_BIND_CHOICE)
        mesh_diag_fix(b->diags, diag, "put 'name: value' lines under it, further to the right");
    else if (kind == MESH_BIND_LIST || kind == MESH_BIND_ONE_OR_LIST)
        mesh_diag_fix(b->diags, diag, "put '- ...' lines under it, further to the right");
    else
        mesh_diag_fix(b->diags, diag, "write %s", mesh_bind_kind_text(kind));
}

static struct mesh_diag *bad_value(struct binder *b, const struct place *place, struct mesh_yaml *node, const char *what)
{
    node->bad = true;
    struct mesh_diag *diag = mesh_diag_add(b->diags, MESH_ERROR, "MG004", node->at, "'%s' is not %s", node->text, what);
    mesh_diag_why(b->diags, diag, "%s: %s", last_key(place->shown), place->key->help);
    if (place->key->example != NULL)
        mesh_diag_fix(b->diags, diag, "for example: %s: %s", last_key(place->shown), place->key->example);
    return diag;
}

/* ---- scalars ---- */

bool mesh_bind_is_name(const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || n > MESH_BIND_NAME_MAX || !isalpha((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)text[i]) && text[i] != '_')
            return false;
    }
    return true;
}

static bool is_topic(const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || n > 249 || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)text[i]) && strchr("._-", text[i]) == NULL)
            return false;
    }
    return true;
}

static bool is_number_up_to(const char *p, const char *end, long max)
{
    if (p == end || end - p > 9)
        return false;
    long v = 0;
    for (; p < end; p++) {
        if (!isdigit((unsigned char)*p))
            return false;
        v = v * 10 + (*p - '0');
    }
    return v <= max;
}

static bool is_version(const char *text)
{
    for (int part = 0; part < 3; part++) {
        size_t n = strcspn(text, ".");
        if (!is_number_up_to(text, text + n, 999999999))
            return false;
        text += n;
        if (part < 2 && *text++ != '.')
            return false;
    }
    return *text == '\0';
}

bool mesh_bind_split_contract(struct mesh_arena *arena, const char *text, const char **ret_domain, const char **ret_subject,
                              int *ret_version)
{
    const char *slash = strchr(text, '/');
    const char *at = strrchr(text, '@');
    if (slash == NULL || at == NULL || at < slash || !is_number_up_to(at + 1, text + strlen(text), 99999) || at[1] == '0')
        return false;
    *ret_domain = mesh_arena_printf(arena, "%.*s", (int)(slash - text), text);
    *ret_subject = mesh_arena_printf(arena, "%.*s", (int)(at - slash - 1), slash + 1);
    *ret_version = atoi(at + 1);
    return mesh_bind_is_name(*ret_domain) && mesh_bind_is_name(*ret_subject);
}

static bool is_product(struct mesh_arena *arena, const char *text)
{
    const char *slash = strchr(text, '/');
    return slash != NULL && mesh_bind_is_name(mesh_arena_printf(arena, "%.*s", (int)(slash - text), text)) &&
           mesh_bind_is_name(slash + 1);
}

static bool is_percent(const char *text)
{
    size_t n = strlen(text);
    double v = 0;
    return n > 1 && text[n - 1] == '%' && mesh_text_parse_double((struct mesh_str){text, (uint32_t)n - 1}, &v) == 0 && v >= 0 &&
           v <= 100;
}

static void check_duration(struct binder *b, const struct place *place, struct mesh_yaml *node)
{
    int64_t us = 0;
    if (mesh_text_parse_duration(mesh_str_of(node->text), &us) != 0)
        bad_value(b, place, node, mesh_bind_kind_text(MESH_BIND_DURATION));
    else if (us < place->key->min)
        bad_value(b, place, node, "a duration above 0s");
}

static void check_offset(struct binder *b, const struct place *place, struct mesh_yaml *node)
{
    int64_t us = 0;
    if (mesh_text_parse_duration(mesh_str_of(node->text + (node->text[0] == '-')), &us) != 0)
        bad_value(b, place, node, mesh_bind_kind_text(MESH_BIND_OFFSET));
}

static void check_integer(struct binder *b, const struct place *place, struct mesh_yaml *node)
{
    int64_t v = 0;
    const struct mesh_bind_key *key = place->key;
    if (mesh_text_parse_long(mesh_str_of(node->text), &v) != 0)
        bad_value(b, place, node, mesh_bind_kind_text(MESH_BIND_INTEGER));
    else if (v < key->min || v > key->max)
        bad_value(b, place, node, mesh_arena_printf(b->arena, "between %lld and %lld", (long long)key->min, (long long)key->max));
}

static void check_enum(struct binder *b, const struct place *place, struct mesh_yaml *node)
{
    const char *words[CHILDREN_MAX];
    size_t n = 0;
    if (mesh_bind_word_in(place->key->values, node->text, NULL))
        return;
    struct mesh_buf list = MESH_BUF_NULL;
    for (const char *p = place->key->values; *p != '\0'; n++) {
        size_t length = strcspn(p, " ");
        words[n] = mesh_arena_printf(b->arena, "%.*s", (int)length, p);
        p += length;
        p += *p == ' ';
        mesh_buf_printf(&list, "%s%s", n == 0 ? "" : *p == '\0' ? " or " : ", ", words[n]);
    }
    struct mesh_diag *diag = bad_value(b, place, node, list.p);
    mesh_buf_deinit(&list);
    const char *near = n == 1 ? words[0] : mesh_did_you_mean(node->text, words, n);
    if (near != NULL)
        mesh_diag_hint(b->diags, diag, n == 1 ? "write '%s'" : "did you mean '%s'?", near);
}

static void check_scalar(struct binder *b, const struct place *place, struct mesh_yaml *node)
{
    bool fine = true;
    if (node->kind != MESH_YAML_SCALAR || mesh_yaml_is_empty(node)) {
        wrong_kind(b, place, node);
        return;
    }
    const char *domain = NULL;
    const char *subject = NULL;
    int version = 0;
    switch (place->key->kind) {
    case MESH_BIND_NAME:
        fine = mesh_bind_is_name(node->text);
        break;
    case MESH_BIND_TOPIC:
        fine = is_topic(node->text);
        break;
    case MESH_BIND_CONTRACT:
        fine = mesh_bind_split_contract(b->arena, node->text, &domain, &subject, &version);
        break;
    case MESH_BIND_PRODUCT:
        fine = is_product(b->arena, node->text);
        break;
    case MESH_BIND_VERSION:
        fine = is_version(node->text);
        break;
    case MESH_BIND_PERCENT:
        fine = is_percent(node->text);
        break;
    case MESH_BIND_BOOL:
        fine = mesh_bind_word_in("true false", node->text, NULL);
        break;
    case MESH_BIND_DURATION:
        check_duration(b, place, node);
        return;
    case MESH_BIND_OFFSET:
        check_offset(b, place, node);
        return;
    case MESH_BIND_INTEGER:
        check_integer(b, place, node);
        return;
    case MESH_BIND_ENUM:
        check_enum(b, place, node);
        return;
    case MESH_BIND_TEXT:
        fine = node->text[strspn(node->text, " \t\r\n")] != '\0';
        if (!fine)
            wrong_kind(b, place, node);
        return;
    case MESH_BIND_TYPE:
    case MESH_BIND_EXPRESSION:
        return;
    case MESH_BIND_VALUE:
    case MESH_BIND_MAP:
    case MESH_BIND_NAMES:
    case MESH_BIND_CHOICE:
    case MESH_BIND_LIST:
    case MESH_BIND_ONE_OR_LIST:
    case MESH_BIND_FROM:
    case MESH_BIND_KIND_COUNT:
        mesh_assert_failed("a scalar kind", __FILE__, __LINE__, __func__);
    }
    if (!fine)
        bad_value(b, place, node, mesh_bind_kind_text(place->key->kind));
}

/* ---- keys ---- */

static size_t children(const struct binder *b, const char *path, const struct mesh_bind_key **ret)
{
    size_t n = 0;
    for (size_t i = 0; i < b->table->n && n < CHILDREN_MAX; i++) {
        if (mesh_bind_child(&b->table->keys[i], path) != NULL)
            ret[n++] = &b->table->keys[i];
    }
    return n;
}

/* Where else a key of this name may stand: "views.NAME". */
static const char *elsewhere(const struct binder *b, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < b->table->n; i++) {
        const char *path = b->table->keys[i].path;
        if (strcmp(last_key(path), name) != 0)
            continue;
        if (found != NULL)
            return NULL; /* in several places: none of them is worth a guess */
        found = path;
    }
    if (found == NULL)
        return NULL;
    struct mesh_buf text = MESH_BUF_NULL;
    const char *end = found + strlen(found) - strlen(name);
    for (const char *p = found; p + 1 < end; p++) {
        if (*p == '*')
            mesh_buf_puts(&text, "NAME");
        else
            mesh_buf_putc(&text, *p);
    }
    const char *shown = text.n == 0 ? "the top of the file" : mesh_arena_str(b->arena, (struct mesh_str){text.p, (uint32_t)text.n});
    mesh_buf_deinit(&text);
    return shown;
}

/* Half of a call: `{ n: count(a, b) }` is `n: count(a` and a key `b)`. */
static bool is_cut_call(const struct mesh_yaml *map, const struct mesh_yaml_entry *entry)
{
    return map->flow && mesh_yaml_is_empty(entry->value) && strchr(entry->key, ')') != NULL && entry != map->entries.v;
}

static void report_cut_call(struct binder *b, struct mesh_yaml *map, size_t i)
{
    struct mesh_yaml_entry *before = &map->entries.v[i - 1];
    struct mesh_srcref at = before->value->at;
    at.end = map->entries.v[i].key_at.end;
    before->value->bad = true;
    struct mesh_diag *diag = report(b, "MY011", at, "YAML cuts this expression at the comma");
    mesh_diag_why(b->diags, diag, "between { and } a comma begins the next key");
    mesh_diag_fix(b->diags, diag, "put each key on its own line, without { }");
}

static void unknown_key(struct binder *b, const struct place *place, const struct mesh_yaml_entry *entry)
{
    const struct mesh_bind_key *known[CHILDREN_MAX];
    const char *names[CHILDREN_MAX];
    size_t n = children(b, place->path, known);
    struct mesh_buf list = MESH_BUF_NULL;
    for (size_t i = 0; i < n; i++) {
        names[i] = mesh_bind_child(known[i], place->path);
        mesh_buf_printf(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
    entry->value->bad = true;
    struct mesh_diag *diag =
        place->key == NULL
            ? mesh_diag_add(b->diags, MESH_ERROR, "MG001", entry->key_at, "unknown key '%s'", entry->key)
            : mesh_diag_add(b->diags, MESH_ERROR, "MG001", entry->key_at, "unknown key '%s' in '%s'", entry->key, place->shown);
    const char *near = mesh_bind_synonym(entry->key, names, n);
    if (near == NULL)
        near = mesh_did_you_mean(entry->key, names, n);
    const char *other = near == NULL ? elsewhere(b, entry->key) : NULL;
    if (near != NULL)
        mesh_diag_hint(b->diags, diag, "did you mean '%s'?", near);
    else if (other != NULL)
        mesh_diag_hint(b->diags, diag, "this key belongs under '%s'", other);
    mesh_diag_why(b->diags, diag, "the keys here are: %s", list.p == NULL ? "none" : list.p);
    if (near != NULL)
        mesh_diag_fix(b->diags, diag, "write '%s:'", near);
    else if (other != NULL)
        mesh_diag_fix(b->diags, diag, "move it there; look at its indentation");
    else
        mesh_diag_fix(b->diags, diag, "remove it");
    mesh_buf_deinit(&list);
}

static bool applies(const struct mesh_bind_key *key, const struct mesh_yaml *map)
{
    const char *kind = mesh_bind_text(map, "kind");
    return key->only == NULL || kind == NULL || mesh_bind_word_in(key->only, kind, NULL);
}

/* All missing keys of one map are one finding: they have one place. */
static void missing_keys(struct binder *b, const struct place *place, const struct mesh_yaml *map)
{
    const struct mesh_bind_key *known[CHILDREN_MAX];
    const struct mesh_bind_key *missing[CHILDREN_MAX];
    size_t n_known = children(b, place->path, known);
    size_t n = 0;
    for (size_t i = 0; i < n_known; i++) {
        bool wanted = (known[i]->flags & MESH_BIND_REQUIRED) != 0 && applies(known[i], map) &&
                      (known[i]->only == NULL || mesh_bind_text(map, "kind") != NULL);
        if (wanted && mesh_yaml_entry(map, mesh_bind_child(known[i], place->path)) == NULL)
            missing[n++] = known[i];
    }
    if (n == 0)
        return;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf names = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf fix = MESH_BUF_NULL;
    for (size_t i = 0; i < n; i++) {
        const char *name = mesh_bind_child(missing[i], place->path);
        const char *between = i == 0 ? "" : i + 1 == n ? " and " : ", ";
        mesh_buf_printf(&names, "%s'%s'", between, name);
        mesh_buf_printf(&fix, "%s'%s:%s%s'", between, name, missing[i]->example == NULL ? "" : " ",
                        missing[i]->example == NULL ? "" : missing[i]->example);
    }
    struct mesh_diag *diag =
        mesh_diag_add(b->diags, MESH_ERROR, "MG002", place->at, "%s%s%s has no %s", place->key == NULL ? "" : "'",
                      place->key == NULL ? "the file" : place->shown, place->key == NULL ? "" : "'", names.p);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf why = MESH_BUF_NULL;
    for (size_t i = 0; i < n && i < MISSING_EXPLAINED_MAX; i++) {
        if (n == 1)
            mesh_buf_puts(&why, missing[i]->help);
        else
            mesh_buf_printf(&why, "%s%s: %s", i == 0 ? "" : " ", mesh_bind_child(missing[i], place->path), missing[i]->help);
    }
    mesh_diag_why(b->diags, diag, "%s%s", why.p,
                  n > MISSING_EXPLAINED_MAX ? " And more; docs/DECLARATION.md describes every key." : "");
    mesh_diag_fix(b->diags, diag, "add %s", fix.p);
}

static const char *shown_child(struct binder *b, const struct place *place, const char *name)
{
    return place->key == NULL ? name : mesh_arena_printf(b->arena, "%s.%s", place->shown, name);
}

static bool check_name(struct binder *b, const struct mesh_yaml_entry *entry)
{
    if (mesh_bind_is_name(entry->key))
        return true;
    struct mesh_diag *diag = mesh_diag_add(b->diags, MESH_ERROR, "MG004", entry->key_at, "'%s' cannot be a name", entry->key);
    mesh_diag_why(b->diags, diag, "a name is a letter, then letters, digits and _; at most %d of them", MESH_BIND_NAME_MAX);
    char *better = mesh_arena_strdup(b->arena, entry->key);
    for (char *p = better; *p != '\0'; p++) {
        if (!isalnum((unsigned char)*p))
            *p = '_';
    }
    if (mesh_bind_is_name(better))
        mesh_diag_fix(b->diags, diag, "write '%s'", better);
    else
        mesh_diag_fix(b->diags, diag, "give it another name");
    entry->value->bad = true;
    return false;
}

/* The row of a key: its own, else that of a name (`*`); NULL when there is neither. */
static const struct mesh_bind_key *row_of(const struct binder *b, const char *path, const char *name)
{
    const char *prefix = path[0] == '\0' ? "" : ".";
    const struct mesh_bind_key *row = mesh_bind_find(b->table, mesh_arena_printf(b->arena, "%s%s%s", path, prefix, name));
    return row != NULL ? row : mesh_bind_find(b->table, mesh_arena_printf(b->arena, "%s%s*", path, prefix));
}

static void walk_entry(struct binder *b, const struct place *place, struct mesh_yaml *map, size_t i)
{
    struct mesh_yaml_entry *entry = &map->entries.v[i];
    const struct mesh_bind_key *row = row_of(b, place->path, entry->key);
    if (is_cut_call(map, entry)) {
        report_cut_call(b, map, i);
        entry->value->bad = true;
        return;
    }
    if (row == NULL) {
        unknown_key(b, place, entry);
        return;
    }
    bool named = strcmp(last_key(row->path), "*") == 0;
    if (named && !check_name(b, entry))
        return;
    struct place inner = {row, row->path, shown_child(b, place, entry->key), entry->key_at};
    if (!applies(row, map)) {
        const char *kind = mesh_bind_text(map, "kind");
        const char *space = strchr(row->only, ' ');
        const char *kinds =
            space == NULL ? row->only : mesh_arena_printf(b->arena, "%.*s or %s", (int)(space - row->only), row->only, space + 1);
        struct mesh_diag *diag = mesh_diag_add(b->diags, MESH_ERROR, "MG005", entry->key_at,
                                               "'%s' does not belong to a port of kind %s", entry->key, kind);
        mesh_diag_why(b->diags, diag, "it is a key of kind %s: %s", kinds, row->help);
        mesh_diag_fix(b->diags, diag, "remove it, or write 'kind: %.*s'", (int)strcspn(row->only, " "), row->only);
        entry->value->bad = true;
        return;
    }
    walk(b, &inner, entry->value);
}

static void walk_map(struct binder *b, const struct place *place, struct mesh_yaml *node)
{
    /* A call that was cut is found at the key behind it, before the value in front is looked at. */
    for (size_t i = 0; i < node->entries.n; i++) {
        if (is_cut_call(node, &node->entries.v[i]))
            walk_entry(b, place, node, i);
    }
    for (size_t i = 0; i < node->entries.n; i++) {
        if (!node->entries.v[i].value->bad)
            walk_entry(b, place, node, i);
    }
}

static void check_choice(struct binder *b, const struct place *place, struct mesh_yaml *node)
{
    const struct mesh_yaml_entry *chosen = NULL;
    for (size_t i = 0; i < node->entries.n; i++) {
        const struct mesh_yaml_entry *entry = &node->entries.v[i];
        const struct mesh_bind_key *row = row_of(b, place->path, entry->key);
        if (row == NULL || (row->flags & MESH_BIND_BESIDE) != 0)
            continue;
        if (chosen == NULL) {
            chosen = entry;
            continue;
        }
        struct mesh_diag *diag = mesh_diag_add(b->diags, MESH_ERROR, "MG005", entry->key_at, "'%s' has two keys, '%s' and '%s'",
                                               place->shown, chosen->key, entry->key);
        mesh_diag_why(b->diags, diag, "steps run in the order of the list, so each is an item of its own");
        mesh_diag_fix(b->diags, diag, "write '- %s:' on a line of its own", entry->key);
        entry->value->bad = true;
    }
    if (chosen != NULL || node->bad || node->entries.n > 1)
        return;
    if (node->entries.n == 1 && row_of(b, place->path, node->entries.v[0].key) == NULL)
        return; /* reported as unknown */
    node->bad = true;
    struct mesh_diag *diag = mesh_diag_add(b->diags, MESH_ERROR, "MG002", place->at, "'%s' says nothing", place->shown);
    const struct mesh_bind_key *known[CHILDREN_MAX];
    size_t n = children(b, place->path, known);
    struct mesh_buf list = MESH_BUF_NULL;
    for (size_t i = 0; i < n; i++) {
        const char *name = mesh_bind_child(known[i], place->path);
        mesh_buf_printf(&list, "%s%s", i == 0 ? "" : ", ", strcmp(name, "*") == 0 ? "a name of your own" : name);
    }
    mesh_diag_why(b->diags, diag, "it needs one of: %s", list.p);
    mesh_diag_fix(b->diags, diag, "remove it, or say what happens");
    mesh_buf_deinit(&list);
}

static void walk_list(struct binder *b, const struct place *place, struct mesh_yaml *node)
{
    const struct mesh_bind_key *row = mesh_bind_find(b->table, mesh_arena_printf(b->arena, "%s[]", place->path));
    mesh_assert(row != NULL);
    for (size_t i = 0; i < node->items.n; i++) {
        struct mesh_yaml *item = node->items.v[i];
        struct place inner = {row, row->path, mesh_arena_printf(b->arena, "%s[%zu]", place->shown, i + 1), item->at};
        if (item->kind == MESH_YAML_MAP && item->entries.n > 0)
            inner.at = item->entries.v[0].key_at;
        walk(b, &inner, item);
    }
}

static void walk_from(struct binder *b, const struct place *place, struct mesh_yaml *node)
{
    static const struct mesh_bind_key name = {
        .path = "from", .kind = MESH_BIND_NAME, .help = "the name of an input port, a stream or a view", .example = "clean"};
    struct place inner = {&name, place->path, place->shown, node->at};
    if (node->kind == MESH_YAML_SCALAR && !mesh_yaml_is_empty(node)) {
        check_scalar(b, &inner, node);
    } else if (node->kind == MESH_YAML_LIST && node->items.n > 0) {
        for (size_t i = 0; i < node->items.n; i++) {
            inner.at = node->items.v[i]->at;
            check_scalar(b, &inner, node->items.v[i]);
        }
    } else if (node->kind == MESH_YAML_MAP && node->entries.n == 1 && strcmp(node->entries.v[0].key, "changes") == 0) {
        inner.at = node->entries.v[0].key_at;
        check_scalar(b, &inner, node->entries.v[0].value);
    } else {
        wrong_kind(b, place, node);
    }
}

/* An empty list or map, or nothing at all, where something must stand. */
static bool is_hollow(const struct place *place, const struct mesh_yaml *node)
{
    size_t n = node->kind == MESH_YAML_MAP ? node->entries.n : node->kind == MESH_YAML_LIST ? node->items.n : 1;
    return (place->key->flags & MESH_BIND_EMPTY_OK) == 0 && n == 0;
}

static void walk(struct binder *b, const struct place *place, struct mesh_yaml *node)
{
    bool empty_ok = (place->key->flags & MESH_BIND_EMPTY_OK) != 0 && mesh_yaml_is_empty(node);
    switch (place->key->kind) {
    case MESH_BIND_MAP:
    case MESH_BIND_NAMES:
    case MESH_BIND_CHOICE:
        if (empty_ok)
            return;
        if (node->kind != MESH_YAML_MAP || (is_hollow(place, node) && place->key->kind != MESH_BIND_CHOICE)) {
            wrong_kind(b, place, node);
            return;
        }
        walk_map(b, place, node);
        if (place->key->kind == MESH_BIND_CHOICE)
            check_choice(b, place, node);
        else
            missing_keys(b, place, node);
        return;
    case MESH_BIND_LIST:
    case MESH_BIND_ONE_OR_LIST:
        if (empty_ok)
            return;
        if (node->kind == MESH_YAML_LIST && !is_hollow(place, node)) {
            walk_list(b, place, node);
        } else if (place->key->kind == MESH_BIND_ONE_OR_LIST && node->kind != MESH_YAML_LIST && !mesh_yaml_is_empty(node)) {
            const struct mesh_bind_key *row = mesh_bind_find(b->table, mesh_arena_printf(b->arena, "%s[]", place->path));
            mesh_assert(row != NULL);
            struct place inner = {row, row->path, place->shown, place->at};
            walk(b, &inner, node);
        } else {
            wrong_kind(b, place, node);
        }
        return;
    case MESH_BIND_FROM:
        walk_from(b, place, node);
        return;
    case MESH_BIND_VALUE:
        return;
    case MESH_BIND_TEXT:
    case MESH_BIND_NAME:
    case MESH_BIND_TOPIC:
    case MESH_BIND_CONTRACT:
    case MESH_BIND_PRODUCT:
    case MESH_BIND_VERSION:
    case MESH_BIND_DURATION:
    case MESH_BIND_OFFSET:
    case MESH_BIND_INTEGER:
    case MESH_BIND_BOOL:
    case MESH_BIND_PERCENT:
    case MESH_BIND_ENUM:
    case MESH_BIND_TYPE:
    case MESH_BIND_EXPRESSION:
        check_scalar(b, place, node);
        return;
    case MESH_BIND_KIND_COUNT:
        mesh_assert_failed("a kind", __FILE__, __LINE__, __func__);
    }
}

bool mesh_bind_check(const struct mesh_bind_table *table, const struct mesh_yaml *root, const char *file_kind,
                     struct mesh_arena *arena, struct mesh_diags *diags)
{
    struct binder b = {table, arena, diags, true};
    struct place place = {NULL, "", file_kind, {root->at.source, 0, 0}};
    struct mesh_yaml *node = (struct mesh_yaml *)(uintptr_t)root;
    if (node->kind != MESH_YAML_MAP) {
        struct mesh_diag *diag = report(&b, "MG003", node->at, "the file must be a map of keys");
        mesh_diag_why(diags, diag, "it declares a %s", table->document);
        mesh_diag_fix(diags, diag, "begin with 'apiVersion: mesh/v1' and 'kind: %s'", table->document);
        return false;
    }
    if (node->entries.n > 0)
        place.at = node->entries.v[0].key_at;
    walk_map(&b, &place, node);
    missing_keys(&b, &place, node);
    return true;
}
