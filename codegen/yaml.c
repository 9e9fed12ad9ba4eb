/* libyaml gives events; this file makes the tree and refuses what a declaration may not use.
 *
 * libyaml's marks count characters, not bytes, and leave out a byte order mark: `offsets` translates. Where libyaml fails, its
 * words
 * ("did not find expected key") help nobody who wrote an expression, so the line is looked at once more before the error is given.
 */
#include "codegen/yaml.h"

#include "base/map.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct reader {
    struct mesh_arena *arena;
    const struct mesh_source *source;
    struct mesh_diags *diags;
    yaml_parser_t parser;
    uint32_t base;     /* bytes of a byte order mark */
    uint32_t *offsets; /* of each character from base; NULL: all ASCII */
    uint32_t n_chars;
    uint32_t n_nodes;
    bool bad;
    uint32_t refused_at; /* 1 + where an anchor or alias was refused last; 0: none was */
};

static uint32_t byte_of(const struct reader *in, size_t index)
{
    if (in->offsets == NULL)
        return index > in->source->n - in->base ? (uint32_t)in->source->n : in->base + (uint32_t)index;
    return index >= in->n_chars ? (uint32_t)in->source->n : in->offsets[index];
}

static struct mesh_srcref ref(const struct reader *in, uint32_t begin, uint32_t end)
{
    return (struct mesh_srcref){in->source, begin, end < begin ? begin : end};
}

static struct mesh_srcref ref_event(const struct reader *in, const yaml_event_t *event)
{
    return ref(in, byte_of(in, event->start_mark.index), byte_of(in, event->end_mark.index));
}

static void index_characters(struct reader *in)
{
    const char *text = in->source->text;
    size_t n = in->source->n;
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        in->base = 3;
    size_t chars = 0;
    for (size_t i = in->base; i < n; i++)
        chars += ((unsigned char)text[i] & 0xc0) != 0x80;
    if (chars == n - in->base)
        return;
    in->offsets = mesh_xmalloc((chars + 1) * sizeof *in->offsets);
    for (size_t i = in->base; i < n; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            in->offsets[in->n_chars++] = (uint32_t)i;
    }
}

/* ---- what libyaml could not read ---- */

struct line {
    const char *p;
    uint32_t begin, n;
};

static struct line line_at(const struct reader *in, uint32_t offset)
{
    const char *text = in->source->text;
    uint32_t begin = offset;
    while (begin > 0 && text[begin - 1] != '\n')
        begin--;
    const char *end = memchr(text + begin, '\n', in->source->n - begin);
    uint32_t n = end == NULL ? (uint32_t)in->source->n - begin : (uint32_t)(end - text) - begin;
    while (n > 0 && text[begin + n - 1] == '\r')
        n--;
    return (struct line){text + begin, begin, n};
}

/* Where the value of `  - key: value` begins in the line; its length when there is none. */
static uint32_t value_column(struct line line)
{
    for (uint32_t i = 0; i + 1 < line.n; i++) {
        if (line.p[i] == ':' && line.p[i + 1] == ' ') {
            i++;
            while (i < line.n && line.p[i] == ' ')
                i++;
            return i;
        }
    }
    return line.n;
}

static bool has_between(struct line line, uint32_t from, const char *what)
{
    size_t n = strlen(what);
    for (uint32_t i = from; i + n <= line.n; i++) {
        if (memcmp(line.p + i, what, n) == 0)
            return true;
    }
    return false;
}

/* `[1, 2].size() > 0`: a list, and then something. */
static bool goes_on_behind_bracket(struct line line, uint32_t from)
{
    int depth = 0;
    for (uint32_t i = from; i < line.n; i++) {
        depth += (line.p[i] == '[' || line.p[i] == '{') - (line.p[i] == ']' || line.p[i] == '}');
        if (depth > 0)
            continue;
        while (++i < line.n && line.p[i] == ' ')
            ;
        return i < line.n && line.p[i] != ',' && line.p[i] != '#';
    }
    return false;
}

/* Whether a value that begins so is not what was written, for YAML. */
static bool begins_special(struct line line, uint32_t from)
{
    char first = line.p[from], second = from + 1 < line.n ? line.p[from + 1] : ' ';
    if (first == '[' || first == '{')
        return goes_on_behind_bracket(line, from);
    if (first == '>' || first == '|') /* with an indication of what follows it is a text of several lines */
        return second != ' ' ? strchr("+-123456789", second) == NULL : from + 1 < line.n;
    return strchr("!%@`&*", first) != NULL || ((first == '?' || first == '-') && second == ' ');
}

/* An expression that YAML takes for something else: reported in the words of who wrote it. */
static bool report_cut(struct reader *in, uint32_t offset)
{
    struct line line = line_at(in, offset);
    uint32_t from = value_column(line);
    uint32_t to = line.n;
    while (to > from && line.p[to - 1] == ' ')
        to--;
    if (from >= to)
        return false;
    bool ternary = has_between(line, from, " ? ") && has_between(line, from, ": ");
    char first = line.p[from];
    bool quote = (first == '"' || first == '\'') && has_between(line, from + 1, " ");
    bool special = begins_special(line, from);
    bool colon = first != '{' && first != '[' && has_between(line, from, ": ");
    if (!ternary && !quote && !special && !colon)
        return false;
    if (in->refused_at == line.begin + from + 1) /* as an anchor or alias; that message says what to do */
        return true;
    struct mesh_diag *diag =
        mesh_diag_add(in->diags, MESH_ERROR, "MY011", ref(in, line.begin + from, line.begin + to), "YAML cuts this expression");
    if (ternary)
        mesh_diag_why(in->diags, diag, "': ' separates a key from its value, so YAML reads 'a ? b : c' as a key");
    else if (quote)
        mesh_diag_why(in->diags, diag, "a value that begins with a quote ends at the next one");
    else if (special)
        mesh_diag_why(in->diags, diag, "a value may not begin with '%c' in YAML", first);
    else
        mesh_diag_why(in->diags, diag, "': ' separates a key from its value, also inside a text that begins later");
    if (memchr(line.p + from, '\'', to - from) == NULL)
        mesh_diag_fix(in->diags, diag, "put the whole expression in single quotes: '%.*s'", (int)(to - from), line.p + from);
    else
        mesh_diag_fix(in->diags, diag, "put the expression on its own line behind '|-'");
    return true;
}

static void report_syntax(struct reader *in)
{
    const yaml_parser_t *p = &in->parser;
    in->bad = true;
    if (p->error == YAML_READER_ERROR) {
        uint32_t at = p->problem_offset > in->source->n ? (uint32_t)in->source->n : (uint32_t)p->problem_offset;
        struct mesh_diag *diag = mesh_diag_add(in->diags, MESH_ERROR, "MY002", ref(in, at, at + 1 > in->source->n ? at : at + 1),
                                               "a character that YAML does not allow");
        mesh_diag_why(in->diags, diag, "a declaration is UTF-8 text without control characters");
        mesh_diag_fix(in->diags, diag, "save the file as UTF-8, and delete this character");
        return;
    }
    uint32_t at = byte_of(in, p->problem_mark.index);
    uint32_t context = p->context == NULL ? at : byte_of(in, p->context_mark.index);
    if (report_cut(in, at) || (context != at && report_cut(in, context)))
        return;
    /* The mark of an unclosed list is on the next line: point at the line that was begun. */
    if (at >= in->source->n && at > 0)
        at = (uint32_t)in->source->n - 1;
    struct mesh_diag *diag = mesh_diag_add(in->diags, MESH_ERROR, "MY001", ref(in, at, at + 1), "this is not YAML: %s",
                                           p->problem == NULL ? "the text ends too early" : p->problem);
    if (p->context != NULL && context != at)
        mesh_diag_note(in->diags, diag, ref(in, context, context + 1), "%s that begins here", p->context);
    mesh_diag_fix(in->diags, diag, "check the indentation of this line, and that every [, { and quote is closed");
}

/* ---- events to nodes ---- */

static struct mesh_diag *refuse(struct reader *in, const char *code, struct mesh_srcref at, const char *text)
{
    in->bad = true;
    return mesh_diag_add(in->diags, MESH_ERROR, code, at, "%s", text);
}

static bool next(struct reader *in, yaml_event_t *event)
{
    if (yaml_parser_parse(&in->parser, event))
        return true;
    report_syntax(in);
    return false;
}

static void refuse_anchor(struct reader *in, const yaml_event_t *event, const unsigned char *anchor)
{
    if (anchor == NULL)
        return;
    in->refused_at = ref_event(in, event).begin + 1;
    struct mesh_diag *diag = refuse(in, "MY004", ref_event(in, event), "anchors and aliases are not allowed");
    mesh_diag_why(in->diags, diag, "a declaration is read by people: what it says stands where it is used");
    mesh_diag_fix(in->diags, diag, "write the value out; for text that begins with & or *, use single quotes");
}

static void refuse_tag(struct reader *in, const yaml_event_t *event, const unsigned char *tag)
{
    if (tag == NULL)
        return;
    struct mesh_srcref at = ref_event(in, event);
    struct line line = line_at(in, at.begin);
    uint32_t to = line.n;
    struct mesh_diag *diag;
    if (event->type == YAML_SCALAR_EVENT && strncmp((const char *)tag, "tag:yaml.org", 12) != 0 &&
        strncmp((const char *)tag, "!!", 2) != 0) {
        diag = refuse(in, "MY011", ref(in, at.begin, line.begin + to), "YAML cuts this expression");
        mesh_diag_why(in->diags, diag, "a value that begins with ! is a type tag in YAML");
        mesh_diag_fix(in->diags, diag, "put the whole expression in single quotes: '%.*s'", (int)(line.begin + to - at.begin),
                      in->source->text + at.begin);
        return;
    }
    diag = refuse(in, "MY005", at, "type tags are not allowed");
    mesh_diag_why(in->diags, diag, "every key of a declaration has one type, which the key decides");
    mesh_diag_fix(in->diags, diag, "remove the tag");
}

static struct mesh_yaml *node_new(struct reader *in, enum mesh_yaml_kind kind, struct mesh_srcref at)
{
    struct mesh_yaml *node = mesh_arena_new(in->arena, struct mesh_yaml);
    node->kind = kind;
    node->at = at;
    node->text = "";
    if (++in->n_nodes > MESH_YAML_NODES_MAX && !in->bad) {
        struct mesh_diag *diag = refuse(in, "MY009", at, "the file has too many values");
        mesh_diag_why(in->diags, diag, "a declaration has at most %d", MESH_YAML_NODES_MAX);
        mesh_diag_fix(in->diags, diag, "split the product in two");
    }
    return node;
}

static struct mesh_yaml *scalar(struct reader *in, const yaml_event_t *event)
{
    refuse_anchor(in, event, event->data.scalar.anchor);
    refuse_tag(in, event, event->data.scalar.tag);
    struct mesh_yaml *node = node_new(in, MESH_YAML_SCALAR, ref_event(in, event));
    size_t n = event->data.scalar.length;
    char *text = mesh_arena_alloc(in->arena, n + 1);
    memcpy(text, event->data.scalar.value, n);
    node->text = text;
    switch (event->data.scalar.style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        node->style = event->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ? MESH_YAML_SINGLE : MESH_YAML_DOUBLE;
        if (node->at.end >= node->at.begin + 2) {
            node->at.begin++;
            node->at.end--;
        }
        break;
    case YAML_LITERAL_SCALAR_STYLE:
    case YAML_FOLDED_SCALAR_STYLE: {
        node->style = MESH_YAML_BLOCK;
        /* From the first byte of the text behind the indicator to the last that is no white space. */
        const char *source = in->source->text;
        while (node->at.begin < node->at.end && source[node->at.begin] != '\n')
            node->at.begin++;
        while (node->at.begin < node->at.end && strchr(" \r\n", source[node->at.begin]) != NULL)
            node->at.begin++;
        while (node->at.end > node->at.begin && strchr(" \r\n", source[node->at.end - 1]) != NULL)
            node->at.end--;
        break;
    }
    case YAML_ANY_SCALAR_STYLE:
    case YAML_PLAIN_SCALAR_STYLE:
    default:
        node->style = MESH_YAML_PLAIN;
    }
    if (memchr(text, '\0', n) != NULL) {
        struct mesh_diag *diag = refuse(in, "MY002", node->at, "a character that no text may hold");
        mesh_diag_why(in->diags, diag, "\\0 ends a text in C");
        mesh_diag_fix(in->diags, diag, "delete it");
    }
    return node;
}

static struct mesh_yaml *value(struct reader *in, yaml_event_t *event, unsigned depth);

static bool deeper(struct reader *in, const yaml_event_t *event, unsigned depth)
{
    if (depth < MESH_YAML_DEPTH_MAX)
        return true;
    struct mesh_diag *diag = refuse(in, "MY008", ref_event(in, event), "nested too deep");
    mesh_diag_why(in->diags, diag, "a declaration has at most %d levels", MESH_YAML_DEPTH_MAX);
    mesh_diag_fix(in->diags, diag, "look for a bracket that is not closed");
    return false;
}

/* The end of a block collection's event is at the next token: end where the last thing in it ended. */
static uint32_t collection_end(const struct reader *in, const struct mesh_yaml *node, const yaml_event_t *end, uint32_t last)
{
    uint32_t stop = byte_of(in, end->end_mark.index);
    return node->flow || last == 0 ? stop : last;
}

static uint32_t end_with_quotes(const struct mesh_yaml *node)
{
    bool quoted = node->kind == MESH_YAML_SCALAR && (node->style == MESH_YAML_SINGLE || node->style == MESH_YAML_DOUBLE);
    return node->at.end + (quoted ? 1 : 0);
}

static struct mesh_yaml *list(struct reader *in, const yaml_event_t *start, unsigned depth)
{
    refuse_anchor(in, start, start->data.sequence_start.anchor);
    refuse_tag(in, start, start->data.sequence_start.tag);
    if (!deeper(in, start, depth))
        return NULL;
    struct mesh_yaml *node = node_new(in, MESH_YAML_LIST, ref_event(in, start));
    node->flow = start->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
    uint32_t last = 0;
    for (;;) {
        yaml_event_t event;
        if (in->n_nodes > MESH_YAML_NODES_MAX || !next(in, &event))
            return NULL;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            node->at.end = collection_end(in, node, &event, last);
            yaml_event_delete(&event);
            return node;
        }
        struct mesh_yaml *item = value(in, &event, depth + 1);
        yaml_event_delete(&event);
        if (item == NULL)
            return NULL;
        *mesh_vec_push_in(in->arena, &node->items) = item;
        last = end_with_quotes(item);
    }
}

static void add_entry(struct reader *in, struct mesh_yaml *map, struct mesh_map *keys, struct mesh_yaml_entry entry)
{
    if (mesh_map_has(keys, entry.key)) {
        const struct mesh_yaml_entry *first = mesh_yaml_entry(map, entry.key);
        in->bad = true;
        struct mesh_diag *diag = mesh_diag_add(in->diags, MESH_ERROR, "MY003", entry.key_at, "'%s' is given twice", entry.key);
        mesh_diag_why(in->diags, diag, "only one of them could count, and YAML readers do not agree which");
        mesh_diag_fix(in->diags, diag, "remove or rename one of them");
        mesh_diag_note(in->diags, diag, first->key_at, "'%s' is first given here", entry.key);
        return;
    }
    mesh_map_set(keys, entry.key, map);
    *mesh_vec_push_in(in->arena, &map->entries) = entry;
}

static struct mesh_yaml *map_of(struct reader *in, const yaml_event_t *start, unsigned depth)
{
    refuse_anchor(in, start, start->data.mapping_start.anchor);
    refuse_tag(in, start, start->data.mapping_start.tag);
    if (!deeper(in, start, depth))
        return NULL;
    struct mesh_yaml *node = node_new(in, MESH_YAML_MAP, ref_event(in, start));
    node->flow = start->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    mesh_cleanup(mesh_map_deinit) struct mesh_map keys = MESH_MAP_NULL;
    uint32_t last = 0;
    for (;;) {
        yaml_event_t event;
        if (in->n_nodes > MESH_YAML_NODES_MAX || !next(in, &event))
            return NULL;
        if (event.type == YAML_MAPPING_END_EVENT) {
            node->at.end = collection_end(in, node, &event, last);
            yaml_event_delete(&event);
            return node;
        }
        struct mesh_yaml *key = value(in, &event, depth + 1);
        yaml_event_delete(&event);
        if (key == NULL)
            return NULL;
        if (key->kind != MESH_YAML_SCALAR) {
            struct mesh_diag *diag = refuse(in, "MY010", key->at, "a key must be text");
            mesh_diag_fix(in->diags, diag, "write 'name: value'; text that holds { or [ needs single quotes");
        }
        if (!next(in, &event))
            return NULL;
        struct mesh_yaml *held = value(in, &event, depth + 1);
        yaml_event_delete(&event);
        if (held == NULL)
            return NULL;
        last = end_with_quotes(held) > end_with_quotes(key) ? end_with_quotes(held) : end_with_quotes(key);
        if (key->kind == MESH_YAML_SCALAR)
            add_entry(in, node, &keys, (struct mesh_yaml_entry){key->text, key->at, held});
    }
}

static struct mesh_yaml *value(struct reader *in, yaml_event_t *event, unsigned depth)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return scalar(in, event);
    case YAML_SEQUENCE_START_EVENT:
        return list(in, event, depth);
    case YAML_MAPPING_START_EVENT:
        return map_of(in, event, depth);
    case YAML_ALIAS_EVENT:
        refuse_anchor(in, event, event->data.alias.anchor);
        return node_new(in, MESH_YAML_SCALAR, ref_event(in, event));
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
    default:
        mesh_assert_failed("an event that is a value", __FILE__, __LINE__, __func__);
    }
}

static struct mesh_yaml *documents(struct reader *in)
{
    struct mesh_yaml *root = NULL;
    size_t n = 0;
    for (;;) {
        yaml_event_t event;
        if (!next(in, &event))
            return NULL;
        yaml_event_type_t type = event.type;
        struct mesh_srcref at = ref_event(in, &event);
        if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_END_EVENT || type == YAML_STREAM_END_EVENT) {
            yaml_event_delete(&event);
            if (type == YAML_STREAM_END_EVENT)
                return root == NULL ? node_new(in, MESH_YAML_MAP, at) : root;
            continue;
        }
        if (type == YAML_DOCUMENT_START_EVENT) {
            yaml_event_delete(&event);
            if (++n == 1)
                continue;
            struct mesh_diag *diag = refuse(in, "MY006", at, "a second document begins here");
            mesh_diag_why(in->diags, diag, "one file declares one thing");
            mesh_diag_fix(in->diags, diag, "remove '---', or move what follows into a file of its own");
            return NULL;
        }
        root = value(in, &event, 0);
        yaml_event_delete(&event);
        if (root == NULL)
            return NULL;
    }
}

/* ---- before libyaml sees it ---- */

static void find_tabs(struct reader *in)
{
    const struct mesh_source *source = in->source;
    for (size_t i = 0; i < source->n_lines; i++) {
        uint32_t at = source->line_starts[i];
        uint32_t begin = at;
        uint32_t tab = UINT32_MAX;
        for (; at < source->n && (source->text[at] == ' ' || source->text[at] == '\t'); at++) {
            if (source->text[at] == '\t' && tab == UINT32_MAX)
                tab = at;
        }
        bool nothing = at >= source->n || strchr("\r\n#", source->text[at]) != NULL;
        if (tab == UINT32_MAX || (nothing && tab != begin)) /* libyaml minds it in front of nothing, too, but only at the margin */
            continue;
        struct mesh_diag *diag = refuse(in, "MY007", ref(in, tab, at), "a tab in the indentation");
        mesh_diag_why(in->diags, diag, "YAML counts spaces; how wide a tab is depends on who looks");
        if (nothing)
            mesh_diag_fix(in->diags, diag, "delete it");
        else
            mesh_diag_fix(in->diags, diag, "use %u spaces", (at - begin) * 2);
        return; /* the first says it for all */
    }
}

static bool fit_to_read(struct reader *in)
{
    const struct mesh_source *source = in->source;
    if (source->n > MESH_YAML_BYTES_MAX) {
        struct mesh_diag *diag = refuse(in, "MY009", ref(in, 0, 0), "the file is larger than 1 MB");
        mesh_diag_why(in->diags, diag, "a declaration has at most %u bytes; this one has %zu", MESH_YAML_BYTES_MAX, source->n);
        mesh_diag_fix(in->diags, diag, "split the product in two");
        return false;
    }
    size_t valid = mesh_utf8_valid(source->text, source->n);
    if (valid < source->n) {
        struct mesh_diag *diag = refuse(in, "MY002", ref(in, (uint32_t)valid, (uint32_t)valid + 1), "this is not UTF-8");
        mesh_diag_why(in->diags, diag, "the byte 0x%02x cannot stand here", (unsigned char)source->text[valid]);
        mesh_diag_fix(in->diags, diag, "save the file as UTF-8");
        return false;
    }
    find_tabs(in);
    return !in->bad;
}

static void parser_deinit(struct reader *in)
{
    yaml_parser_delete(&in->parser);
    free(in->offsets);
}

struct mesh_yaml *mesh_yaml_parse(struct mesh_arena *arena, const struct mesh_source *source, struct mesh_diags *diags)
{
    mesh_cleanup(parser_deinit) struct reader in = {.arena = arena, .source = source, .diags = diags};
    if (!yaml_parser_initialize(&in.parser))
        abort(); /* only without memory */
    if (!fit_to_read(&in))
        return NULL;
    index_characters(&in);
    yaml_parser_set_encoding(&in.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&in.parser, (const unsigned char *)source->text + in.base, source->n - in.base);
    struct mesh_yaml *root = documents(&in);
    return in.bad ? NULL : root;
}

const struct mesh_yaml_entry *mesh_yaml_entry(const struct mesh_yaml *map, const char *key)
{
    if (map == NULL || map->kind != MESH_YAML_MAP)
        return NULL;
    for (size_t i = 0; i < map->entries.n; i++) {
        if (strcmp(map->entries.v[i].key, key) == 0)
            return &map->entries.v[i];
    }
    return NULL;
}

struct mesh_yaml *mesh_yaml_get(const struct mesh_yaml *map, const char *key)
{
    const struct mesh_yaml_entry *entry = mesh_yaml_entry(map, key);
    return entry == NULL ? NULL : entry->value;
}

bool mesh_yaml_is_empty(const struct mesh_yaml *node)
{
    return node != NULL && node->kind == MESH_YAML_SCALAR && node->style == MESH_YAML_PLAIN && node->text[0] == '\0';
}
