/* CEL's tokens. Strings are unescaped here, so that nothing behind the lexer knows how a text was written.
 *
 * Numbers keep their text: a double literal beside a decimal is the decimal that was written, not the double
 * nearest to it. */
#include "base/hash.h"
#include "base/text.h"
#include "codegen/expr_internal.h"

#include <string.h>

static const struct {
    const char *text;
    enum mesh_ex_token_kind kind;
} operators[] = {
    /* longer ones first */
    {"==", MESH_TOK_EQ},     {"!=", MESH_TOK_NE},    {"<=", MESH_TOK_LE},    {">=", MESH_TOK_GE},      {"&&", MESH_TOK_AND},
    {"||", MESH_TOK_OR},     {"(", MESH_TOK_LPAREN}, {")", MESH_TOK_RPAREN}, {"[", MESH_TOK_LBRACKET}, {"]", MESH_TOK_RBRACKET},
    {"{", MESH_TOK_LBRACE},  {"}", MESH_TOK_RBRACE}, {".", MESH_TOK_DOT},    {",", MESH_TOK_COMMA},    {"?", MESH_TOK_QUESTION},
    {":", MESH_TOK_COLON},   {"!", MESH_TOK_NOT},    {"-", MESH_TOK_MINUS},  {"*", MESH_TOK_STAR},     {"/", MESH_TOK_SLASH},
    {"%", MESH_TOK_PERCENT}, {"+", MESH_TOK_PLUS},   {"<", MESH_TOK_LT},     {">", MESH_TOK_GT},
};

const char *mesh_ex_token_text(enum mesh_ex_token_kind kind)
{
    if (kind == MESH_TOK_IN)
        return "in";
    for (size_t i = 0; i < MESH_LEN(operators); i++) {
        if (operators[i].kind == kind)
            return operators[i].text;
    }
    return "";
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_part(char c)
{
    return is_name_start(c) || is_digit(c);
}

__attribute__((format(printf, 4, 5))) static struct mesh_diag *fail(struct mesh_ex_lexer *lexer, uint32_t begin, uint32_t end,
                                                                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_vprintf(&text, format, args);
    va_end(args);
    lexer->failed = true;
    return mesh_diag_add(lexer->diags, MESH_ERROR, "ME001", mesh_ex_unit_range(lexer->unit, begin, end), "%s", text.p);
}

static struct mesh_ex_token bad(uint32_t begin, uint32_t end)
{
    return (struct mesh_ex_token){.kind = MESH_TOK_BAD, .begin = begin, .end = end};
}

/* ---- strings ---- */

struct string {
    struct mesh_buf bytes;
    bool is_bytes, raw;
    char quote;
    uint32_t begin, body; /* of the token, of its content */
    uint32_t n_quotes;    /* 1 or 3 */
};

static void put_code_point(struct mesh_buf *out, uint32_t c)
{
    if (c < 0x80) {
        mesh_buf_u8(out, (uint8_t)c);
    } else if (c < 0x800) {
        mesh_buf_u8(out, (uint8_t)(0xc0 | c >> 6));
        mesh_buf_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        mesh_buf_u8(out, (uint8_t)(0xe0 | c >> 12));
        mesh_buf_u8(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        mesh_buf_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        mesh_buf_u8(out, (uint8_t)(0xf0 | c >> 18));
        mesh_buf_u8(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        mesh_buf_u8(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        mesh_buf_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
    }
}

/* Digits of an escape: exactly `n` of the base; false when there are fewer. */
static bool escape_digits(struct mesh_ex_lexer *lexer, uint32_t n, int base, uint32_t *ret)
{
    *ret = 0;
    for (uint32_t i = 0; i < n; i++) {
        int digit = mesh_hex_digit(lexer->unit->text[lexer->at]);
        if (digit < 0 || digit >= base)
            return false;
        *ret = *ret * (uint32_t)base + (uint32_t)digit;
        lexer->at++;
    }
    return true;
}

/* lexer->at stands behind the backslash. */
static bool escape(struct mesh_ex_lexer *lexer, struct string *s)
{
    static const char from[] = "abfnrtv\\?\"'`";
    static const char to[] = "\a\b\f\n\r\t\v\\?\"'`";
    uint32_t begin = lexer->at - 1;
    char c = lexer->unit->text[lexer->at];
    const char *simple = c == '\0' ? NULL : strchr(from, c);
    if (simple != NULL) {
        mesh_buf_putc(&s->bytes, to[simple - from]);
        lexer->at++;
        return true;
    }
    uint32_t value = 0;
    bool unicode = c == 'u' || c == 'U';
    bool ok = false;
    if (c == 'x' || c == 'X' || unicode) {
        lexer->at++;
        ok = escape_digits(lexer, c == 'u' ? 4 : c == 'U' ? 8 : 2, 16, &value);
    } else if (c >= '0' && c <= '3') {
        ok = escape_digits(lexer, 3, 8, &value);
    }
    if (ok && s->is_bytes && !unicode) {
        mesh_buf_u8(&s->bytes, (uint8_t)value);
        return true;
    }
    if (ok && !s->is_bytes && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff)) {
        put_code_point(&s->bytes, value);
        return true;
    }
    uint32_t end = lexer->at > begin + 2 ? lexer->at : begin + 2;
    if (end > lexer->unit->n)
        end = lexer->unit->n;
    struct mesh_diag *diag = fail(lexer, begin, end, "this escape means nothing");
    mesh_diag_why(lexer->diags, diag,
                  "CEL knows \\n \\r \\t \\a \\b \\f \\v \\\\ \\\" \\' \\? \\` \\xHH \\ooo, and in strings "
                  "\\uHHHH \\UHHHHHHHH");
    mesh_diag_fix(lexer->diags, diag, "write \\\\ for a backslash, or a raw string: r'...'");
    return false;
}

static bool closes(const struct mesh_ex_lexer *lexer, const struct string *s)
{
    const char *p = lexer->unit->text + lexer->at;
    return s->n_quotes == 1 ? *p == s->quote : p[0] == s->quote && p[1] == s->quote && p[2] == s->quote;
}

static struct mesh_ex_token unclosed(struct mesh_ex_lexer *lexer, const struct string *s)
{
    lexer->failed = true;
    if (lexer->at == lexer->unit->n && mesh_ex_unit_cut_behind(lexer->unit, lexer->diags))
        return bad(s->begin, lexer->at);
    struct mesh_diag *diag = fail(lexer, s->begin, lexer->at, "the string is not closed");
    mesh_diag_fix(lexer->diags, diag, "put %.*s behind it", (int)s->n_quotes, s->quote == '"' ? "\"\"\"" : "'''");
    return bad(s->begin, lexer->at);
}

static struct mesh_ex_token lex_string(struct mesh_ex_lexer *lexer, struct string *s)
{
    const char *text = lexer->unit->text;
    s->quote = text[lexer->at];
    s->n_quotes = text[lexer->at + 1] == s->quote && text[lexer->at + 2] == s->quote ? 3 : 1;
    lexer->at += s->n_quotes;
    s->body = lexer->at;
    while (!closes(lexer, s)) {
        char c = text[lexer->at];
        if (lexer->at == lexer->unit->n || (s->n_quotes == 1 && (c == '\n' || c == '\r')))
            return unclosed(lexer, s);
        lexer->at++;
        if (c != '\\' || s->raw)
            mesh_buf_putc(&s->bytes, c);
        else if (!escape(lexer, s))
            return bad(s->begin, lexer->at);
    }
    uint32_t body_end = lexer->at;
    lexer->at += s->n_quotes;
    if (!s->is_bytes && mesh_utf8_valid(s->bytes.p, s->bytes.n) != s->bytes.n) {
        fail(lexer, s->body, body_end, "the string is not valid UTF-8");
        return bad(s->begin, lexer->at);
    }
    struct mesh_str value = {mesh_arena_str(lexer->arena, (struct mesh_str){s->bytes.p, (uint32_t)s->bytes.n}),
                             (uint32_t)s->bytes.n};
    return (struct mesh_ex_token){s->is_bytes ? MESH_TOK_BYTES : MESH_TOK_STRING, s->begin, lexer->at, value};
}

/* A string with its prefix (r, b, br in either case; CEL has no rb), when one stands here. */
static bool try_string(struct mesh_ex_lexer *lexer, struct mesh_ex_token *ret)
{
    const char *p = lexer->unit->text + lexer->at;
    struct string s = {.begin = lexer->at};
    uint32_t i = 0;
    for (; i < 2 && p[i] != '\0' && strchr("rRbB", p[i]) != NULL; i++) {
        bool *flag = p[i] == 'r' || p[i] == 'R' ? &s.raw : &s.is_bytes;
        if (*flag)
            return false;
        *flag = true;
    }
    if (p[i] != '"' && p[i] != '\'')
        return false;
    if (i == 2 && (p[0] == 'r' || p[0] == 'R')) {
        struct mesh_diag *diag = fail(lexer, lexer->at, lexer->at + i, "a text has no prefix '%.*s'", (int)i, p);
        mesh_diag_fix(lexer->diags, diag, "raw bytes begin with br");
        *ret = bad(lexer->at, lexer->at + i);
        return true;
    }
    lexer->at += i;
    *ret = lex_string(lexer, &s);
    mesh_buf_deinit(&s.bytes);
    return true;
}

/* ---- numbers ---- */

static uint32_t digits_end(const char *text, uint32_t at)
{
    while (is_digit(text[at]))
        at++;
    return at;
}

static struct mesh_ex_token lex_number(struct mesh_ex_lexer *lexer)
{
    const char *text = lexer->unit->text;
    uint32_t begin = lexer->at;
    uint32_t at = begin;
    enum mesh_ex_token_kind kind = MESH_TOK_INT;
    if (text[at] == '0' && (text[at + 1] == 'x' || text[at + 1] == 'X') && mesh_hex_digit(text[at + 2]) >= 0) {
        at += 2;
        while (mesh_hex_digit(text[at]) >= 0)
            at++;
    } else {
        at = digits_end(text, at);
        if (text[at] == '.' && is_digit(text[at + 1])) {
            kind = MESH_TOK_DOUBLE;
            at = digits_end(text, at + 1);
        }
        uint32_t sign = text[at] != '\0' && (text[at + 1] == '+' || text[at + 1] == '-');
        if ((text[at] == 'e' || text[at] == 'E') && is_digit(text[at + 1 + sign])) {
            kind = MESH_TOK_DOUBLE;
            at = digits_end(text, at + 1 + sign);
        }
    }
    if (kind == MESH_TOK_INT && (text[at] == 'u' || text[at] == 'U')) {
        kind = MESH_TOK_UINT;
        at++;
    }
    struct mesh_ex_token token = {kind, begin, at, {text + begin, at - begin}};
    lexer->at = at;
    if (!is_name_part(text[at]) && kind == MESH_TOK_INT && text[begin] == '0' && is_digit(text[begin + 1])) {
        uint32_t first = begin;
        while (first + 1 < at && text[first] == '0')
            first++;
        struct mesh_diag *octal = fail(lexer, begin, at, "'%.*s' begins with 0", (int)(at - begin), text + begin);
        mesh_diag_why(lexer->diags, octal, "some readers take such a number for an octal one, 010 for 8");
        mesh_diag_fix(lexer->diags, octal, "write %.*s", (int)(at - first), text + first);
        return bad(begin, at);
    }
    if (!is_name_part(text[at]))
        return token;
    while (is_name_part(text[lexer->at]))
        lexer->at++;
    struct mesh_diag *diag =
        fail(lexer, begin, lexer->at, "'%.*s' is neither a number nor a name", (int)(lexer->at - begin), text + begin);
    mesh_diag_fix(lexer->diags, diag, "a name does not begin with a digit; a text stands in quotes");
    return bad(begin, lexer->at);
}

/* ---- the rest ---- */

static void skip_space(struct mesh_ex_lexer *lexer)
{
    const char *text = lexer->unit->text;
    for (;;) {
        char c = text[lexer->at];
        if (c == '/' && text[lexer->at + 1] == '/') {
            while (text[lexer->at] != '\0' && text[lexer->at] != '\n')
                lexer->at++;
        } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f') {
            return;
        } else {
            lexer->at++;
        }
    }
}

static struct mesh_ex_token lex_name(struct mesh_ex_lexer *lexer)
{
    static const struct {
        const char *word;
        enum mesh_ex_token_kind kind;
    } words[] = {{"true", MESH_TOK_TRUE}, {"false", MESH_TOK_FALSE}, {"null", MESH_TOK_NULL}, {"in", MESH_TOK_IN}};
    const char *text = lexer->unit->text;
    uint32_t begin = lexer->at;
    while (is_name_part(text[lexer->at]))
        lexer->at++;
    struct mesh_ex_token token = {MESH_TOK_NAME, begin, lexer->at, {text + begin, lexer->at - begin}};
    for (size_t i = 0; i < MESH_LEN(words); i++) {
        if (mesh_str_eq(token.value, mesh_str_of(words[i].word)))
            token.kind = words[i].kind;
    }
    return token;
}

static struct mesh_ex_token stray(struct mesh_ex_lexer *lexer)
{
    static const struct {
        char c;
        const char *fix;
    } known[] = {
        {'=', "write == to compare; an expression never assigns"},
        {'&', "write && for 'and'"},
        {'|', "write || for 'or'"},
        {'#', "a comment inside an expression begins with //"},
        {'`', "names are written without quotes, texts in ' or \""},
        {';', "one expression stands here; take the ';' away"},
        {'^', "CEL has no power and no exclusive or"},
        {'$', "a field is named without a sign in front: amount"},
        {'@', "a field is named without a sign in front: amount"},
    };
    const char *text = lexer->unit->text;
    uint32_t begin = lexer->at;
    do {
        lexer->at++;
    } while (((unsigned char)text[lexer->at] & 0xc0) == 0x80);
    struct mesh_diag *diag = NULL;
    if ((unsigned char)text[begin] < ' ' || text[begin] == '\x7f')
        diag = fail(lexer, begin, lexer->at, "a control character (byte %u) stands here", (unsigned)text[begin]);
    else
        diag = fail(lexer, begin, lexer->at, "'%.*s' has no meaning here", (int)(lexer->at - begin), text + begin);
    for (size_t i = 0; i < MESH_LEN(known); i++) {
        if (known[i].c == text[begin])
            mesh_diag_fix(lexer->diags, diag, "%s", known[i].fix);
    }
    if (begin > 0 && text[begin] == '=' && strchr("=!", text[begin - 1]) != NULL)
        mesh_diag_fix(lexer->diags, diag, "write == or !=, with one sign less");
    if ((unsigned char)text[begin] >= 0x80)
        mesh_diag_fix(lexer->diags, diag, "outside of quotes only ASCII is written; look for a typographic quote or dash");
    return bad(begin, lexer->at);
}

struct mesh_ex_token mesh_ex_lex(struct mesh_ex_lexer *lexer)
{
    skip_space(lexer);
    const char *p = lexer->unit->text + lexer->at;
    struct mesh_ex_token token;
    if (lexer->at >= lexer->unit->n)
        return (struct mesh_ex_token){.kind = MESH_TOK_END, .begin = lexer->unit->n, .end = lexer->unit->n};
    if (try_string(lexer, &token))
        return token;
    if (is_digit(p[0]) || (p[0] == '.' && is_digit(p[1])))
        return lex_number(lexer);
    if (is_name_start(p[0]))
        return lex_name(lexer);
    for (size_t i = 0; i < MESH_LEN(operators); i++) {
        size_t n = strlen(operators[i].text);
        if (strncmp(p, operators[i].text, n) != 0)
            continue;
        token = (struct mesh_ex_token){operators[i].kind, lexer->at, lexer->at + (uint32_t)n, {p, (uint32_t)n}};
        lexer->at += (uint32_t)n;
        return token;
    }
    return stray(lexer);
}
