/* Texts are made in a buffer beside the error, because an argument may well be the text of the very
 * error that is being filled. A cut text ends in "..." and never in half a character. */
#include "mesh/err.h"

#include <stdio.h>
#include <string.h>

static void store(struct mesh_err *err, const char *text, int n)
{
    static const char cut[] = "...";
    if (n < 0) {
        text = "(a message that cannot be formatted)";
        n = (int)strlen(text);
    }
    size_t keep = (size_t)n;
    if (keep < sizeof err->text) {
        memcpy(err->text, text, keep + 1);
        return;
    }
    keep = sizeof err->text - sizeof cut;
    while (keep > 0 && ((unsigned char)text[keep] & 0xc0) == 0x80)
        keep--;
    memcpy(err->text, text, keep);
    memcpy(err->text + keep, cut, sizeof cut);
}

int mesh_err_set_at(struct mesh_err *err, enum mesh_err_class class, const char *code, const char *file, int line,
                    const char *format, ...)
{
    if (err == NULL)
        return -1;
    char text[MESH_ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    store(err, text, n);
    err->class = class;
    err->code = code;
    err->file = file;
    err->line = line;
    return -1;
}

int mesh_err_prefix(struct mesh_err *err, const char *format, ...)
{
    if (err == NULL)
        return -1;
    char text[2 * MESH_ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, MESH_ERR_TEXT_MAX, format, args);
    va_end(args);
    if (n >= MESH_ERR_TEXT_MAX)
        n = MESH_ERR_TEXT_MAX - 1;
    if (n >= 0)
        n += snprintf(text + n, sizeof text - (size_t)n, ": %s", err->text);
    store(err, text, n);
    return -1;
}
