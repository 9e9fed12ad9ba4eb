/* Syntax as normal CEL: one space around binary operators, texts in double quotes, no parentheses that precedence makes
 * needless. Numbers stay as they were written, because the digits of a decimal literal mean something. */
#include "codegen/expr_internal.h"

#include <string.h>

enum { P_NONE, P_COND, P_OR, P_AND, P_RELATION, P_SUM, P_PRODUCT, P_UNARY, P_POSTFIX };

static void print(const struct mesh_expr *expr, struct mesh_buf *out, int min);

static int binary_precedence(enum mesh_ex_token_kind op)
{
    switch ((unsigned)op) {
    case MESH_TOK_OR:
        return P_OR;
    case MESH_TOK_AND:
        return P_AND;
    case MESH_TOK_PLUS:
    case MESH_TOK_MINUS:
        return P_SUM;
    case MESH_TOK_STAR:
    case MESH_TOK_SLASH:
    case MESH_TOK_PERCENT:
        return P_PRODUCT;
    default:
        return P_RELATION;
    }
}

static int precedence(const struct mesh_expr *expr)
{
    switch ((unsigned)expr->kind) {
    case MESH_EX_COND:
        return P_COND;
    case MESH_EX_BINARY:
        return binary_precedence(expr->op);
    case MESH_EX_UNARY:
        return P_UNARY;
    default:
        return P_POSTFIX;
    }
}

static void print_text(struct mesh_str s, bool is_bytes, struct mesh_buf *out)
{
    static const char from[] = "\a\b\f\n\r\t\v\\\"";
    static const char to[] = "abfnrtv\\\"";
    mesh_buf_puts(out, is_bytes ? "b\"" : "\"");
    for (uint32_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        const char *simple = c == '\0' ? NULL : strchr(from, c);
        if (simple != NULL)
            mesh_buf_printf(out, "\\%c", to[simple - from]);
        else if (c < ' ' || c == 0x7f || (is_bytes && c >= 0x80))
            mesh_buf_printf(out, "\\x%02x", c);
        else
            mesh_buf_putc(out, (char)c);
    }
    mesh_buf_putc(out, '"');
}

static void print_items(const struct mesh_expr *expr, struct mesh_buf *out)
{
    for (size_t i = 0; i < expr->args.n; i++) {
        if (i > 0)
            mesh_buf_puts(out, ", ");
        print(expr->args.v[i], out, P_NONE);
    }
}

static void print_cond(const struct mesh_expr *expr, struct mesh_buf *out)
{
    print(expr->a, out, P_OR);
    mesh_buf_puts(out, " ? ");
    print(expr->b, out, P_OR);
    mesh_buf_puts(out, " : ");
    print(expr->c, out, P_COND);
}

static void print_node(const struct mesh_expr *expr, struct mesh_buf *out)
{
    switch (expr->kind) {
    case MESH_EX_NULL:
        mesh_buf_puts(out, "null");
        return;
    case MESH_EX_BOOL:
        mesh_buf_puts(out, expr->boolean ? "true" : "false");
        return;
    case MESH_EX_INT:
    case MESH_EX_DOUBLE:
        mesh_buf_str(out, expr->text);
        return;
    case MESH_EX_STRING:
    case MESH_EX_BYTES:
        print_text(expr->text, expr->kind == MESH_EX_BYTES, out);
        return;
    case MESH_EX_LIST:
        mesh_buf_putc(out, '[');
        print_items(expr, out);
        mesh_buf_putc(out, ']');
        return;
    case MESH_EX_NAME:
        mesh_buf_puts(out, expr->name);
        return;
    case MESH_EX_MEMBER:
        print(expr->a, out, P_POSTFIX);
        mesh_buf_printf(out, ".%s", expr->name);
        return;
    case MESH_EX_INDEX:
        print(expr->a, out, P_POSTFIX);
        mesh_buf_putc(out, '[');
        print(expr->b, out, P_NONE);
        mesh_buf_putc(out, ']');
        return;
    case MESH_EX_CALL:
        if (expr->a != NULL) {
            print(expr->a, out, P_POSTFIX);
            mesh_buf_putc(out, '.');
        }
        mesh_buf_printf(out, "%s(", expr->name);
        print_items(expr, out);
        mesh_buf_putc(out, ')');
        return;
    case MESH_EX_UNARY:
        mesh_buf_puts(out, mesh_ex_token_text(expr->op));
        print(expr->a, out, P_UNARY);
        return;
    case MESH_EX_BINARY:
        print(expr->a, out, precedence(expr));
        mesh_buf_printf(out, " %s ", mesh_ex_token_text(expr->op));
        print(expr->b, out, precedence(expr) + 1);
        return;
    case MESH_EX_COND:
        print_cond(expr, out);
        return;
    }
}

static void print(const struct mesh_expr *expr, struct mesh_buf *out, int min)
{
    bool wrapped = precedence(expr) < min;
    if (wrapped)
        mesh_buf_putc(out, '(');
    print_node(expr, out);
    if (wrapped)
        mesh_buf_putc(out, ')');
}

void mesh_expr_print(const struct mesh_expr *expr, struct mesh_buf *out)
{
    print(expr, out, P_NONE);
}
