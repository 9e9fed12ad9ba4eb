/* A recursive descent over the bytes of a source. UTF-8 is checked once for the whole text; after
 * that the parser sees bytes. A syntax error ends the parse, a duplicate key does not: the reader
 * gets all of those at once. */
#include "base/json.h"

#include "base/check.h"
#include "base/map.h"
#include "base/text.h"

#include <stdint.h>
#include <string.h>

struct parser {
    struct mesh_arena *arena;
    const struct mesh_source *source;
    struct mesh_diags *diags;
    const char *code;
    uint32_t at;
    uint32_t n;
    int depth;
    bool bad;
};

static struct mesh_srcref ref(const struct parser *in, uint32_t begin, uint32_t end)
{
    return (struct mesh_srcref){in->source, begin, end};
}

/* The character here, or '\0' at the end (a NUL in the text is no JSON either). */
static char peek(const struct parser *in)
{
    return in->at < in->n ? in->source->text[in->at] : '\0';
}

static void skip_blanks(struct parser *in)
{
    while (in->at < in->n && strchr(" \t\r\n", peek(in)) != NULL && peek(in) != '\0')
        in->at++;
}

static const char *shown(const struct parser *in)
{
    if (in->at >= in->n)
        return "the end of the text";
    unsigned char c = (unsigned char)peek(in);
    if (c < 0x20 || c == 0x7f)
        return mesh_arena_printf(in->arena, "control character 0x%02x", c);
    uint32_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return mesh_arena_printf(in->arena, "'%.*s'", (int)length, in->source->text + in->at);
}

static struct mesh_diag *report(struct parser *in, uint32_t begin, uint32_t end, const char *text)
{
    in->bad = true;
    return mesh_diag_add(in->diags, MESH_ERROR, in->code, ref(in, begin, end), "%s", text);
}

static void *expected(struct parser *in, const char *what)
{
    uint32_t end = in->at < in->n ? in->at + 1 : in->at;
    struct mesh_diag *diag = report(in, in->at, end, mesh_arena_printf(in->arena, "expected %s, found %s", what, shown(in)));
    if (peek(in) == '/' || peek(in) == '#')
        mesh_diag_hint(in->diags, diag, "JSON has no comments");
    else if (peek(in) == '\'')
        mesh_diag_hint(in->diags, diag, "strings are written with double quotes");
    return NULL;
}

static struct mesh_json *node(struct parser *in, enum mesh_json_kind kind, uint32_t begin)
{
    struct mesh_json *made = mesh_arena_new(in->arena, struct mesh_json);
    made->kind = kind;
    made->at = ref(in, begin, in->at);
    return made;
}

static int hex4(struct parser *in, uint32_t *ret)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++, in->at++) {
        char c = peek(in);
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 16;
        if (digit == 16)
            return 1;
        v = v * 16 + digit;
    }
    *ret = v;
    return 0;
}

static size_t encode(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t length = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--, c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)(lead[length] | c);
    return length;
}

/* Behind "\u". Surrogates come in pairs or not at all. */
static int unicode_escape(struct parser *in, uint32_t *ret)
{
    uint32_t high;
    if (hex4(in, &high) != 0)
        return 1;
    *ret = high;
    if (high < 0xd800 || high > 0xdfff)
        return 0;
    uint32_t low;
    if (high > 0xdbff || peek(in) != '\\')
        return 1;
    in->at++;
    if (peek(in) != 'u')
        return 1;
    in->at++;
    if (hex4(in, &low) != 0 || low < 0xdc00 || low > 0xdfff)
        return 1;
    *ret = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return 0;
}

/* Behind the backslash; adds what it stands for. */
static int escape(struct parser *in, char **to)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    char c = peek(in);
    const char *found = c == '\0' ? NULL : strchr(names, c);
    if (found != NULL) {
        in->at++;
        *(*to)++ = meant[found - names];
        return 0;
    }
    if (c != 'u')
        return 1;
    in->at++;
    uint32_t point;
    if (unicode_escape(in, &point) != 0)
        return 1;
    *to += encode(*to, point);
    return 0;
}

/* An escape is never shorter than what it stands for, so the text as written bounds the result. */
static uint32_t string_room(const struct parser *in)
{
    uint32_t i = in->at;
    while (i < in->n && in->source->text[i] != '"')
        i += in->source->text[i] == '\\' ? 2 : 1;
    return (i < in->n ? i : in->n) - in->at;
}

static const struct mesh_json *parse_string(struct parser *in)
{
    uint32_t begin = in->at++;
    char *text = mesh_arena_alloc(in->arena, (size_t)string_room(in) + 1);
    char *to = text;
    while (in->at < in->n && peek(in) != '"') {
        uint32_t here = in->at;
        if (peek(in) == '\\') {
            in->at++;
            if (escape(in, &to) != 0) {
                uint32_t end = in->at > here + 2 ? in->at : here + 2;
                report(in, here, end < in->n ? end : in->n, "this is not an escape that JSON knows");
                return NULL;
            }
        } else if ((unsigned char)peek(in) < 0x20) {
            if (peek(in) == '\n' || peek(in) == '\r')
                break;
            expected(in, "no control character in a string (write \\u00XX)");
            return NULL;
        } else {
            *to++ = in->source->text[in->at++];
        }
    }
    if (peek(in) != '"') {
        report(in, begin, in->at, "this string has no closing quote");
        return NULL;
    }
    in->at++;
    struct mesh_json *made = node(in, MESH_JSON_STRING, begin);
    made->text = text;
    made->n = (uint32_t)(to - text);
    return made;
}

static bool skip_digits(struct parser *in)
{
    uint32_t from = in->at;
    while (peek(in) >= '0' && peek(in) <= '9')
        in->at++;
    return in->at != from;
}

static const struct mesh_json *parse_number(struct parser *in)
{
    uint32_t begin = in->at;
    if (peek(in) == '-')
        in->at++;
    bool zero = peek(in) == '0';
    uint32_t digits = in->at;
    if (!skip_digits(in))
        return expected(in, "a digit");
    if (zero && in->at - digits > 1) {
        report(in, begin, in->at, "a number has no leading zeros");
        return NULL;
    }
    if (peek(in) == '.') {
        in->at++;
        if (!skip_digits(in))
            return expected(in, "a digit behind the point");
    }
    if (peek(in) == 'e' || peek(in) == 'E') {
        in->at++;
        if (peek(in) == '+' || peek(in) == '-')
            in->at++;
        if (!skip_digits(in))
            return expected(in, "a digit in the exponent");
    }
    struct mesh_json *made = node(in, MESH_JSON_NUMBER, begin);
    made->n = in->at - begin;
    made->text = mesh_arena_str(in->arena, (struct mesh_str){in->source->text + begin, made->n});
    return made;
}

static const struct mesh_json *parse_word(struct parser *in)
{
    static const struct {
        struct mesh_str word;
        enum mesh_json_kind kind;
        bool boolean;
    } words[] = {
        {{"true", 4}, MESH_JSON_BOOL, true},
        {{"false", 5}, MESH_JSON_BOOL, false},
        {{"null", 4}, MESH_JSON_NULL, false},
    };
    uint32_t begin = in->at;
    uint32_t end = begin;
    while (end < in->n && ((in->source->text[end] | 0x20) >= 'a' && (in->source->text[end] | 0x20) <= 'z'))
        end++;
    struct mesh_str word = {in->source->text + begin, end - begin};
    for (size_t i = 0; i < MESH_LEN(words); i++) {
        if (mesh_str_eq(word, words[i].word)) {
            in->at = end;
            struct mesh_json *made = node(in, words[i].kind, begin);
            made->boolean = words[i].boolean;
            return made;
        }
    }
    if (word.n == 0)
        return expected(in, "a value");
    report(in, begin, end, mesh_arena_printf(in->arena, "'%.*s' is not a value of JSON", (int)word.n, word.p));
    return NULL;
}

static const struct mesh_json *parse_value(struct parser *in);

/* Behind an item or a member: 1 another one follows, 0 closed, -1 reported. */
static int more(struct parser *in, char close, const char *what)
{
    skip_blanks(in);
    uint32_t comma = in->at;
    if (peek(in) == close) {
        in->at++;
        return 0;
    }
    if (peek(in) != ',') {
        expected(in, what);
        return -1;
    }
    in->at++;
    skip_blanks(in);
    if (peek(in) == close) {
        report(in, comma, comma + 1, "nothing follows this comma; JSON has no trailing commas");
        return -1;
    }
    return 1;
}

static const struct mesh_json *parse_array(struct parser *in)
{
    uint32_t begin = in->at++;
    MESH_VEC(const struct mesh_json *) items = {0};
    skip_blanks(in);
    int follows = peek(in) == ']' ? 0 : 1;
    if (follows == 0)
        in->at++;
    while (follows == 1) {
        const struct mesh_json *item = parse_value(in);
        if (item == NULL)
            return NULL;
        *mesh_vec_push_in(in->arena, &items) = item;
        follows = more(in, ']', "',' or ']'");
    }
    if (follows < 0)
        return NULL;
    struct mesh_json *made = node(in, MESH_JSON_ARRAY, begin);
    made->items = items.v;
    made->n = (uint32_t)items.n;
    return made;
}

static const struct mesh_json *parse_key(struct parser *in)
{
    if (peek(in) != '"')
        return expected(in, "a key in double quotes");
    const struct mesh_json *key = parse_string(in);
    if (key == NULL)
        return NULL;
    if (strlen(key->text) != key->n) {
        report(in, key->at.begin, key->at.end, "a key must not hold \\u0000");
        return NULL;
    }
    skip_blanks(in);
    if (peek(in) != ':')
        return expected(in, "':' behind the key");
    in->at++;
    return key;
}

/* Reports a key that was there; `first` holds, by key, the place of its first. */
static void check_key(struct parser *in, struct mesh_map *first, const struct mesh_json *key)
{
    const struct mesh_srcref *before = mesh_map_get(first, key->text);
    if (before == NULL) {
        mesh_map_set(first, key->text, (void *)(uintptr_t)&key->at);
        return;
    }
    struct mesh_diag *diag =
        report(in, key->at.begin, key->at.end, mesh_arena_printf(in->arena, "key '%s' is given twice in one object", key->text));
    mesh_diag_note(in->diags, diag, *before, "'%s' is given here first", key->text);
}

static const struct mesh_json *parse_object(struct parser *in)
{
    uint32_t begin = in->at++;
    mesh_cleanup(mesh_map_deinit) struct mesh_map first = MESH_MAP_NULL;
    MESH_VEC(const char *) keys = {0};
    MESH_VEC(struct mesh_srcref) key_at = {0};
    MESH_VEC(const struct mesh_json *) values = {0};
    skip_blanks(in);
    int follows = peek(in) == '}' ? 0 : 1;
    if (follows == 0)
        in->at++;
    while (follows == 1) {
        const struct mesh_json *key = parse_key(in);
        if (key == NULL)
            return NULL;
        check_key(in, &first, key);
        const struct mesh_json *value = parse_value(in);
        if (value == NULL)
            return NULL;
        *mesh_vec_push_in(in->arena, &keys) = key->text;
        *mesh_vec_push_in(in->arena, &key_at) = key->at;
        *mesh_vec_push_in(in->arena, &values) = value;
        follows = more(in, '}', "',' or '}'");
    }
    if (follows < 0)
        return NULL;
    struct mesh_json *made = node(in, MESH_JSON_OBJECT, begin);
    made->keys = keys.v;
    made->key_at = key_at.v;
    made->values = values.v;
    made->n = (uint32_t)values.n;
    return made;
}

static const struct mesh_json *parse_nested(struct parser *in)
{
    if (in->depth == MESH_JSON_DEPTH_MAX) {
        report(in, in->at, in->at + 1, mesh_arena_printf(in->arena, "nested deeper than %d levels", MESH_JSON_DEPTH_MAX));
        return NULL;
    }
    in->depth++;
    const struct mesh_json *made = peek(in) == '{' ? parse_object(in) : parse_array(in);
    in->depth--;
    return made;
}

static const struct mesh_json *parse_value(struct parser *in)
{
    skip_blanks(in);
    char c = peek(in);
    if (c == '{' || c == '[')
        return parse_nested(in);
    if (c == '"')
        return parse_string(in);
    if (c == '-' || (c >= '0' && c <= '9'))
        return parse_number(in);
    return parse_word(in);
}

const struct mesh_json *mesh_json_parse(struct mesh_arena *arena, const struct mesh_source *source, struct mesh_diags *diags,
                                        const char *code)
{
    struct parser in = {.arena = arena, .source = source, .diags = diags, .code = code};
    if (source->n > MESH_JSON_BYTES_MAX) {
        report(&in, 0, 0, mesh_arena_printf(arena, "larger than the %u bytes allowed for JSON", MESH_JSON_BYTES_MAX));
        return NULL;
    }
    in.n = (uint32_t)source->n;
    uint32_t valid = (uint32_t)mesh_utf8_valid(source->text, source->n);
    if (valid < in.n) {
        report(&in, valid, valid + 1, "this byte is not UTF-8");
        return NULL;
    }
    if (in.n >= 3 && memcmp(source->text, "\xef\xbb\xbf", 3) == 0)
        in.at = 3; /* a byte order mark; editors on Windows put it there */
    const struct mesh_json *made = parse_value(&in);
    if (made == NULL)
        return NULL;
    skip_blanks(&in);
    if (in.at != in.n)
        expected(&in, "nothing behind the value");
    return in.bad ? NULL : made;
}

const struct mesh_json *mesh_json_get(const struct mesh_json *object, const char *key)
{
    if (object == NULL || object->kind != MESH_JSON_OBJECT)
        return NULL;
    for (uint32_t i = 0; i < object->n; i++) {
        if (strcmp(object->keys[i], key) == 0)
            return object->values[i];
    }
    return NULL;
}
