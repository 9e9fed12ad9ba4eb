/* A Pratt parser. It stops at the first mistake: what follows one in a text of a line is seldom worth reading.
 *
 * Depth is bounded twice: by the recursion on the way down, and by the depth of the tree, because `a + a + a ...`
 * grows a tree without any recursion and would be nested brackets in C. A row of && or of || is flat in C and may
 * be as long as it likes. */
#include "base/text.h"
#include "codegen/expr_internal.h"

#include <string.h>

struct parser {
    struct mesh_arena *arena;
    struct mesh_diags *diags;
    struct mesh_ex_unit *unit;
    struct mesh_ex_lexer lexer;
    struct mesh_ex_token token; /* the one at hand */
    uint32_t last_end;          /* of the one before */
    uint32_t depth;
};

enum { P_COND = 1, P_OR, P_AND, P_RELATION, P_SUM, P_PRODUCT, P_UNARY };

static int precedence(enum mesh_ex_token_kind kind)
{
    switch ((unsigned)kind) {
    case MESH_TOK_QUESTION:
        return P_COND;
    case MESH_TOK_OR:
        return P_OR;
    case MESH_TOK_AND:
        return P_AND;
    case MESH_TOK_EQ:
    case MESH_TOK_NE:
    case MESH_TOK_LT:
    case MESH_TOK_LE:
    case MESH_TOK_GT:
    case MESH_TOK_GE:
    case MESH_TOK_IN:
        return P_RELATION;
    case MESH_TOK_PLUS:
    case MESH_TOK_MINUS:
        return P_SUM;
    case MESH_TOK_STAR:
    case MESH_TOK_SLASH:
    case MESH_TOK_PERCENT:
        return P_PRODUCT;
    default:
        return 0;
    }
}

static struct mesh_expr *parse(struct parser *p, int min);

static void next(struct parser *p)
{
    p->last_end = p->token.end;
    p->token = mesh_ex_lex(&p->lexer);
}

__attribute__((format(printf, 4, 5))) static struct mesh_diag *error(struct parser *p, const char *code, struct mesh_srcref at,
                                                                     const char *format, ...)
{
    va_list args;
    va_start(args, format);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_vprintf(&text, format, args);
    va_end(args);
    p->lexer.failed = true;
    return mesh_diag_add(p->diags, MESH_ERROR, code, at, "%s", text.p);
}

static struct mesh_srcref range(const struct parser *p, uint32_t begin, uint32_t end)
{
    return mesh_ex_unit_range(p->unit, begin, end);
}

static struct mesh_srcref token_at(const struct parser *p)
{
    return range(p, p->token.begin, p->token.end);
}

static struct mesh_expr *left_out(struct parser *p, struct mesh_srcref at, const char *what, const char *fix)
{
    struct mesh_diag *diag = error(p, "ME010", at, "%s", what);
    mesh_diag_why(p->diags, diag, "this part of CEL is left out on purpose");
    mesh_diag_fix(p->diags, diag, "%s", fix);
    return NULL;
}

/* ---- what went wrong ---- */

static bool token_is(const struct parser *p, const char *text)
{
    return p->token.kind == MESH_TOK_NAME && mesh_str_eq(p->token.value, mesh_str_of(text));
}

/* The expression ends where more must come. */
static void ends_early(struct parser *p, const char *what)
{
    if (mesh_ex_unit_cut_behind(p->unit, p->diags)) {
        p->lexer.failed = true;
        return;
    }
    struct mesh_srcref at = range(p, p->unit->n > 0 ? p->unit->n - 1 : 0, p->unit->n);
    error(p, "ME001", at, "the expression ends too early: %s", what);
}

/* No operand can begin with the token at hand. */
static struct mesh_expr *no_operand(struct parser *p, uint32_t behind_begin, uint32_t behind_end)
{
    if (p->token.kind == MESH_TOK_BAD)
        return NULL;
    if (p->token.kind == MESH_TOK_END) {
        if (p->unit->n == 0 || behind_end == 0)
            ends_early(p, "a value is missing");
        else
            ends_early(p, mesh_arena_printf(p->arena, "a value is missing behind '%.*s'", (int)(behind_end - behind_begin),
                                            p->unit->text + behind_begin));
        return NULL;
    }
    struct mesh_diag *diag = error(p, "ME001", token_at(p), "a value is missing in front of '%.*s'",
                                   (int)(p->token.end - p->token.begin), p->unit->text + p->token.begin);
    const char *before = p->unit->text + behind_begin;
    if (behind_end - behind_begin == 1 && *before == '<' && p->token.kind == MESH_TOK_GT)
        mesh_diag_fix(p->diags, diag, "write != for 'is not'");
    else if (p->token.kind == MESH_TOK_EQ || p->token.kind == MESH_TOK_NE)
        mesh_diag_fix(p->diags, diag, "a comparison has a value on both sides: amount == 2");
    return NULL;
}

/* An expression is complete, and there is more. */
static void trailing(struct parser *p, const struct mesh_expr *before)
{
    static const struct {
        const char *word, *fix;
    } words[] = {
        {"and", "write &&"},
        {"or", "write ||"},
        {"is", "write == or !=, as in campaign_id != null"},
        {"not", "write !"},
        {"AND", "write &&"},
        {"OR", "write ||"},
        {"like", "write name.startsWith(\"a\"), .endsWith or .contains"},
        {"between", "write a <= x && x <= b"},
        {"mod", "write %"},
    };
    if (p->token.kind == MESH_TOK_BAD || p->lexer.failed)
        return;
    struct mesh_diag *diag = NULL;
    int n = (int)(p->token.end - p->token.begin);
    const char *text = p->unit->text + p->token.begin;
    if (p->token.kind == MESH_TOK_RPAREN || p->token.kind == MESH_TOK_RBRACKET || p->token.kind == MESH_TOK_RBRACE) {
        error(p, "ME001", token_at(p), "this '%.*s' closes nothing", n, text);
        return;
    }
    if (mesh_ex_unit_cut_quotes(p->unit, p->diags)) {
        p->lexer.failed = true;
        return;
    }
    if (p->token.kind == MESH_TOK_LBRACE) {
        left_out(p, token_at(p), "messages are not made in expressions", "name the single values, each on its own line");
        return;
    }
    diag = error(p, "ME001", token_at(p), "an operator is missing in front of '%.*s'", n, text);
    for (size_t i = 0; i < MESH_LEN(words); i++) {
        if (token_is(p, words[i].word))
            mesh_diag_fix(p->diags, diag, "%s", words[i].fix);
    }
    if (before->kind == MESH_EX_NAME && strcmp(before->name, "not") == 0)
        mesh_diag_fix(p->diags, diag, "write ! for 'not'");
    if (p->token.kind == MESH_TOK_COMMA)
        mesh_diag_fix(p->diags, diag, "a comma stands only between the arguments of a function and in a list");
    if (p->token.kind == MESH_TOK_COLON)
        mesh_diag_fix(p->diags, diag, "a ':' belongs to a '?': condition ? a : b");
}

/* ---- nodes ---- */

static uint32_t depth_of(const struct mesh_expr *child, const struct mesh_expr *parent)
{
    bool flat = child->kind == MESH_EX_BINARY && child->op == parent->op && parent->kind == MESH_EX_BINARY &&
                (child->op == MESH_TOK_AND || child->op == MESH_TOK_OR);
    return child->depth + (flat ? 0 : 1);
}

static void deepen(struct mesh_expr *node, const struct mesh_expr *child)
{
    uint32_t depth = child == NULL ? 0 : depth_of(child, node);
    if (depth > node->depth)
        node->depth = depth;
}

/* Complete: its depth is known and in bounds. NULL: too deep. */
static struct mesh_expr *done(struct parser *p, struct mesh_expr *node)
{
    deepen(node, node->a);
    deepen(node, node->b);
    deepen(node, node->c);
    for (size_t i = 0; i < node->args.n; i++)
        deepen(node, node->args.v[i]);
    if (node->depth <= MESH_EXPR_DEPTH_MAX)
        return node;
    struct mesh_diag *diag = error(p, "ME001", node->at, "the expression is nested more than %d levels deep", MESH_EXPR_DEPTH_MAX);
    mesh_diag_fix(p->diags, diag, "give a part of it a name with 'set' or an earlier line of 'let', and use the name");
    return NULL;
}

static struct mesh_expr *node_new(struct parser *p, enum mesh_ex_kind kind, uint32_t begin, uint32_t end)
{
    struct mesh_expr *node = mesh_arena_new(p->arena, struct mesh_expr);
    node->kind = kind;
    node->unit = p->unit;
    node->at = range(p, begin, end);
    node->op_at = node->at;
    return node;
}

static struct mesh_srcref join(struct mesh_srcref a, struct mesh_srcref b)
{
    struct mesh_srcref at = a;
    at.begin = a.begin < b.begin ? a.begin : b.begin;
    at.end = a.end > b.end ? a.end : b.end;
    return at;
}

/* An operand's place in what is made of it: its parentheses belong to it. */
static struct mesh_srcref place(const struct mesh_expr *node)
{
    return node->around.source != NULL ? node->around : node->at;
}

/* ---- literals ---- */

/* Magnitude of "12" or "0x1F"; false above 2^63. */
static bool magnitude(struct mesh_str text, uint64_t *ret)
{
    bool hex = text.n > 2 && (text.p[1] == 'x' || text.p[1] == 'X');
    uint64_t base = hex ? 16 : 10;
    *ret = 0;
    for (uint32_t i = hex ? 2 : 0; i < text.n; i++) {
        char c = text.p[i];
        uint64_t digit = (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        if (__builtin_mul_overflow(*ret, base, ret) || __builtin_add_overflow(*ret, digit, ret))
            return false;
    }
    return *ret <= (uint64_t)INT64_MAX + 1;
}

/* The number at hand; `minus` is where its sign stands, or its own beginning. */
static struct mesh_expr *number(struct parser *p, uint32_t begin)
{
    bool negative = begin != p->token.begin;
    bool is_int = p->token.kind == MESH_TOK_INT;
    struct mesh_expr *node = node_new(p, is_int ? MESH_EX_INT : MESH_EX_DOUBLE, begin, p->token.end);
    struct mesh_str text = p->token.value;
    node->text =
        mesh_str_of(mesh_arena_printf(p->arena, "%s%s%.*s", negative ? "-" : "", text.p[0] == '.' ? "0" : "", (int)text.n, text.p));
    if (is_int) {
        uint64_t value = 0;
        if (!magnitude(text, &value) || (!negative && value > INT64_MAX)) {
            struct mesh_diag *diag = error(p, "ME008", node->at, "%s does not fit an int", node->text.p);
            mesh_diag_why(p->diags, diag, "an int has 64 bits: -9223372036854775808 to 9223372036854775807");
            mesh_diag_fix(p->diags, diag, "a decimal may have 38 digits: write %.*s.0 beside one", (int)text.n, text.p);
            return NULL;
        }
        node->number = negative ? (int64_t)(0 - value) : (int64_t)value;
    } else {
        double value = 0;
        if (mesh_text_parse_double(node->text, &value) != 0 || __builtin_isinf(value)) {
            struct mesh_diag *diag = error(p, "ME008", node->at, "%s does not fit a double", node->text.p);
            mesh_diag_why(p->diags, diag, "a double reaches to about 1.8e308");
            return NULL;
        }
    }
    next(p);
    return done(p, node);
}

static struct mesh_expr *literal(struct parser *p, enum mesh_ex_kind kind)
{
    struct mesh_expr *node = node_new(p, kind, p->token.begin, p->token.end);
    node->text = p->token.value;
    node->boolean = p->token.kind == MESH_TOK_TRUE;
    next(p);
    return done(p, node);
}

/* ---- lists of things ---- */

/* Behind an opening bracket: items up to `close`. `end` is where the closing bracket ends. */
static bool items(struct parser *p, struct mesh_expr *node, enum mesh_ex_token_kind close, struct mesh_ex_token open,
                  uint32_t *ret_end)
{
    const char *close_text = mesh_ex_token_text(close);
    while (p->token.kind != close) {
        if (p->token.kind == MESH_TOK_END) {
            ends_early(p, mesh_arena_printf(p->arena, "a '%s' is missing", close_text));
            return false;
        }
        if (close == MESH_TOK_RBRACKET && p->token.kind == MESH_TOK_QUESTION) {
            left_out(p, token_at(p), "optional list items are not part of the language", "write the items themselves");
            return false;
        }
        struct mesh_expr *item = parse(p, 0);
        if (item == NULL)
            return false;
        *mesh_vec_push_in(p->arena, &node->args) = item;
        if (p->token.kind == MESH_TOK_COMMA) {
            uint32_t begin = p->token.begin;
            uint32_t end = p->token.end;
            next(p);
            if (p->token.kind == close && close == MESH_TOK_RPAREN) {
                no_operand(p, begin, end);
                return false;
            }
        } else if (p->token.kind == MESH_TOK_END) {
            ends_early(p, mesh_arena_printf(p->arena, "a '%s' is missing", close_text));
            return false;
        } else if (p->token.kind != close) {
            if (p->token.kind != MESH_TOK_BAD) {
                struct mesh_diag *diag = error(p, "ME001", token_at(p), "',' or '%s' is missing in front of this", close_text);
                mesh_diag_note(p->diags, diag, range(p, open.begin, open.end), "opened here");
            }
            return false;
        }
    }
    *ret_end = p->token.end;
    next(p);
    return true;
}

/* ---- operands ---- */

static struct mesh_expr *name(struct parser *p)
{
    struct mesh_ex_token token = p->token;
    struct mesh_expr *node = node_new(p, MESH_EX_NAME, token.begin, token.end);
    node->name = mesh_arena_str(p->arena, token.value);
    next(p);
    if (p->token.kind == MESH_TOK_LBRACE)
        return left_out(p, range(p, token.begin, p->token.end), "messages are not made in expressions",
                        "name the single values, each on its own line");
    if (p->token.kind != MESH_TOK_LPAREN)
        return done(p, node);
    struct mesh_ex_token open = p->token;
    next(p);
    uint32_t end = 0;
    node->kind = MESH_EX_CALL;
    if (!items(p, node, MESH_TOK_RPAREN, open, &end))
        return NULL;
    node->at = range(p, token.begin, end);
    return done(p, node);
}

static struct mesh_expr *parenthesis(struct parser *p)
{
    struct mesh_ex_token open = p->token;
    next(p);
    if (p->token.kind == MESH_TOK_RPAREN) {
        error(p, "ME001", range(p, open.begin, p->token.end), "there is nothing between the parentheses");
        return NULL;
    }
    struct mesh_expr *node = parse(p, 0);
    if (node == NULL)
        return NULL;
    if (p->token.kind == MESH_TOK_RPAREN) {
        node->around = range(p, open.begin, p->token.end);
        next(p);
        return node;
    }
    if (p->token.kind == MESH_TOK_END) {
        ends_early(p, "a ')' is missing");
    } else if (p->token.kind != MESH_TOK_BAD) {
        struct mesh_diag *diag = error(p, "ME001", token_at(p), "')' or an operator is missing in front of this");
        mesh_diag_note(p->diags, diag, range(p, open.begin, open.end), "opened here");
    }
    return NULL;
}

static struct mesh_expr *list(struct parser *p)
{
    struct mesh_ex_token open = p->token;
    next(p);
    struct mesh_expr *node = node_new(p, MESH_EX_LIST, open.begin, open.end);
    uint32_t end = 0;
    if (!items(p, node, MESH_TOK_RBRACKET, open, &end))
        return NULL;
    node->at = range(p, open.begin, end);
    return done(p, node);
}

static struct mesh_expr *primary(struct parser *p, uint32_t behind_begin, uint32_t behind_end)
{
    switch ((unsigned)p->token.kind) {
    case MESH_TOK_INT:
    case MESH_TOK_DOUBLE:
        return number(p, p->token.begin);
    case MESH_TOK_STRING:
        return literal(p, MESH_EX_STRING);
    case MESH_TOK_BYTES:
        return literal(p, MESH_EX_BYTES);
    case MESH_TOK_TRUE:
    case MESH_TOK_FALSE:
        return literal(p, MESH_EX_BOOL);
    case MESH_TOK_NULL:
        return literal(p, MESH_EX_NULL);
    case MESH_TOK_NAME:
        return name(p);
    case MESH_TOK_LPAREN:
        return parenthesis(p);
    case MESH_TOK_LBRACKET:
        return list(p);
    case MESH_TOK_UINT:
        return left_out(p, token_at(p), "there are no unsigned numbers", "take the 'u' away: an int has 64 bits with a sign");
    case MESH_TOK_LBRACE:
        return left_out(p, token_at(p), "there are no maps in expressions", "compare with ==, or write x in [a, b]");
    case MESH_TOK_DOT:
        return left_out(p, token_at(p), "names do not begin with a dot", "take the '.' away");
    default:
        return no_operand(p, behind_begin, behind_end);
    }
}

/* Behind a dot: a member, or a method with its arguments. */
static struct mesh_expr *member(struct parser *p, struct mesh_expr *of)
{
    struct mesh_ex_token dot = p->token;
    next(p);
    if (p->token.kind == MESH_TOK_QUESTION)
        return left_out(p, token_at(p), "there are no optional values", "write has(x) ? x : other");
    bool word = p->token.kind == MESH_TOK_NAME || p->token.kind == MESH_TOK_IN || p->token.kind == MESH_TOK_TRUE ||
                p->token.kind == MESH_TOK_FALSE || p->token.kind == MESH_TOK_NULL;
    if (!word) {
        if (p->token.kind == MESH_TOK_END)
            ends_early(p, "a name is missing behind '.'");
        else if (p->token.kind != MESH_TOK_BAD)
            error(p, "ME001", range(p, dot.begin, p->token.end), "a name is missing behind '.'");
        return NULL;
    }
    struct mesh_ex_token token = p->token;
    struct mesh_expr *node = node_new(p, MESH_EX_MEMBER, token.begin, token.end);
    node->name = mesh_arena_str(p->arena, token.value);
    node->a = of;
    next(p);
    uint32_t end = token.end;
    if (p->token.kind == MESH_TOK_LBRACE)
        return left_out(p, join(place(of), token_at(p)), "messages are not made in expressions",
                        "name the single values, each on its own line");
    if (p->token.kind == MESH_TOK_LPAREN) {
        struct mesh_ex_token open = p->token;
        next(p);
        node->kind = MESH_EX_CALL;
        if (!items(p, node, MESH_TOK_RPAREN, open, &end))
            return NULL;
    }
    node->at = join(place(of), range(p, token.begin, end));
    return done(p, node);
}

static struct mesh_expr *element(struct parser *p, struct mesh_expr *of)
{
    struct mesh_ex_token open = p->token;
    next(p);
    if (p->token.kind == MESH_TOK_QUESTION)
        return left_out(p, token_at(p), "there are no optional values", "write has(x) ? x : other");
    struct mesh_expr *node = node_new(p, MESH_EX_INDEX, open.begin, open.end);
    node->a = of;
    node->b = parse(p, 0);
    if (node->b == NULL)
        return NULL;
    if (p->token.kind != MESH_TOK_RBRACKET) {
        if (p->token.kind == MESH_TOK_END)
            ends_early(p, "a ']' is missing");
        else if (p->token.kind != MESH_TOK_BAD)
            error(p, "ME001", token_at(p), "']' is missing in front of this");
        return NULL;
    }
    node->at = join(place(of), token_at(p));
    next(p);
    return done(p, node);
}

static struct mesh_expr *postfix(struct parser *p, struct mesh_expr *node)
{
    while (node != NULL && (p->token.kind == MESH_TOK_DOT || p->token.kind == MESH_TOK_LBRACKET))
        node = p->token.kind == MESH_TOK_DOT ? member(p, node) : element(p, node);
    return node;
}

static struct mesh_expr *operand(struct parser *p, uint32_t behind_begin, uint32_t behind_end)
{
    struct mesh_ex_token sign = p->token;
    if (sign.kind != MESH_TOK_MINUS && sign.kind != MESH_TOK_NOT)
        return postfix(p, primary(p, behind_begin, behind_end));
    next(p);
    if (sign.kind == MESH_TOK_MINUS && (p->token.kind == MESH_TOK_INT || p->token.kind == MESH_TOK_DOUBLE))
        return postfix(p, number(p, sign.begin));
    struct mesh_expr *of =
        p->token.kind == MESH_TOK_MINUS || p->token.kind == MESH_TOK_NOT ? parse(p, P_UNARY) : operand(p, sign.begin, sign.end);
    if (of == NULL)
        return NULL;
    struct mesh_expr *node = node_new(p, MESH_EX_UNARY, sign.begin, sign.end);
    node->op = sign.kind;
    node->a = of;
    node->at = join(node->op_at, place(of));
    return done(p, node);
}

/* ---- operators ---- */

static struct mesh_expr *condition(struct parser *p, struct mesh_expr *test, struct mesh_ex_token question)
{
    if (p->token.kind == MESH_TOK_QUESTION)
        return left_out(p, range(p, question.begin, p->token.end), "there are no optional values", "write has(x) ? x : other");
    if (p->token.kind == MESH_TOK_DOT)
        return left_out(p, range(p, question.begin, p->token.end), "there are no optional values", "write has(x) ? x : other");
    struct mesh_expr *node = node_new(p, MESH_EX_COND, question.begin, question.end);
    node->a = test;
    node->b = parse(p, P_OR);
    if (node->b == NULL)
        return NULL;
    if (p->token.kind != MESH_TOK_COLON) {
        if (p->token.kind == MESH_TOK_END) {
            ends_early(p, "a ':' and what holds otherwise are missing");
        } else if (p->token.kind != MESH_TOK_BAD) {
            struct mesh_diag *diag = error(p, "ME001", token_at(p), "a ':' is missing in front of this");
            mesh_diag_note(p->diags, diag, node->op_at, "for this '?'");
        }
        return NULL;
    }
    struct mesh_ex_token colon = p->token;
    next(p);
    if (p->token.kind == MESH_TOK_END)
        return no_operand(p, colon.begin, colon.end);
    node->c = parse(p, P_COND);
    if (node->c == NULL)
        return NULL;
    node->at = join(place(test), place(node->c));
    return done(p, node);
}

static struct mesh_expr *operators(struct parser *p, struct mesh_expr *left, int min)
{
    while (left != NULL) {
        int level = precedence(p->token.kind);
        if (level == 0 || level < min)
            return left;
        struct mesh_ex_token op = p->token;
        next(p);
        if (op.kind == MESH_TOK_QUESTION) {
            left = condition(p, left, op);
            continue;
        }
        struct mesh_expr *right = NULL;
        struct mesh_ex_token before = op;
        if (p->token.kind == MESH_TOK_END || precedence(p->token.kind) != 0) {
            if (p->token.kind != MESH_TOK_MINUS)
                return no_operand(p, before.begin, before.end);
        }
        right = parse(p, level + 1);
        if (right == NULL)
            return NULL;
        struct mesh_expr *node = node_new(p, MESH_EX_BINARY, op.begin, op.end);
        node->op = op.kind;
        node->a = left;
        node->b = right;
        node->at = join(place(left), place(right));
        left = done(p, node);
    }
    return NULL;
}

static struct mesh_expr *parse(struct parser *p, int min)
{
    if (p->depth == MESH_EXPR_DEPTH_MAX) {
        struct mesh_diag *diag =
            error(p, "ME001", token_at(p), "the expression is nested more than %d levels deep", MESH_EXPR_DEPTH_MAX);
        mesh_diag_fix(p->diags, diag, "give a part of it a name with 'set' or an earlier line of 'let', and use the name");
        return NULL;
    }
    p->depth++;
    struct mesh_expr *node = operand(p, 0, 0);
    if (node != NULL && min < P_UNARY)
        node = operators(p, node, min);
    p->depth--;
    return node;
}

static bool fits(struct parser *p)
{
    const struct mesh_ex_unit *unit = p->unit;
    if (unit->n > MESH_EXPR_BYTES_MAX) {
        struct mesh_diag *diag = error(p, "ME001", unit->at, "the expression is longer than %d bytes", MESH_EXPR_BYTES_MAX);
        mesh_diag_fix(p->diags, diag, "give a part of it a name with 'set' or an earlier line of 'let', and use the name");
        return false;
    }
    if (p->token.kind != MESH_TOK_END)
        return true;
    struct mesh_diag *diag = error(p, "ME001", unit->at, "an expression is missing here");
    mesh_diag_fix(p->diags, diag, "write a value, for instance a field's name or a text in quotes inside quotes: '\"a\"'");
    return false;
}

struct mesh_expr *mesh_expr_parse(struct mesh_arena *arena, struct mesh_diags *diags, const char *text, struct mesh_srcref at)
{
    struct mesh_ex_unit *unit = mesh_arena_new(arena, struct mesh_ex_unit);
    size_t n = strlen(text);
    *unit = (struct mesh_ex_unit){
        .text = mesh_arena_strdup(arena, text), .n = n > UINT32_MAX / 8 ? UINT32_MAX / 8 : (uint32_t)n, .at = at};
    mesh_ex_unit_locate(unit, arena);
    if (mesh_ex_unit_cut_before(unit, diags))
        return NULL;
    struct parser p = {.arena = arena, .diags = diags, .unit = unit, .lexer = {arena, diags, unit, 0, false}};
    if (unit->n <= MESH_EXPR_BYTES_MAX)
        next(&p);
    if (!fits(&p))
        return NULL;
    struct mesh_expr *expr = parse(&p, 0);
    if (expr != NULL && p.token.kind != MESH_TOK_END)
        trailing(&p, expr);
    return p.lexer.failed ? NULL : expr;
}
