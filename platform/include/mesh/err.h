/* Errors that say what to do.
 *
 * A failing function returns a negative number and fills the caller's `struct mesh_err`. The class tells the caller what to do: try
 * again later, put the one record aside and go on, or stop. The code is a short stable word ("broker.unreachable") that metrics,
 * dead letters and tests use; the text is for people: what happened, where, and what to do about it.
 */
#ifndef MESH_ERR_H
#define MESH_ERR_H

#include <stdarg.h>

#define MESH_ERR_TEXT_MAX 768

enum mesh_err_class {
    MESH_ERR_NONE = 0,
    MESH_ERR_RETRY,  /* something outside is away; the same call may work later */
    MESH_ERR_REJECT, /* this input is bad; divert it and go on */
    MESH_ERR_FATAL,  /* going on would be wrong; stop, keep the last commit */
};

struct mesh_err {
    enum mesh_err_class class;
    const char *code; /* static string, stable */
    char text[MESH_ERR_TEXT_MAX];
    const char *file; /* where in our code it began */
    int line;
};

/* Fill `err` (which may be NULL) and return -1. The text is cut, never overrun. */
#define mesh_err_set(err, class, code, ...) mesh_err_set_at((err), (class), (code), __FILE__, __LINE__, __VA_ARGS__)

int mesh_err_set_at(struct mesh_err *err, enum mesh_err_class class, const char *code, const char *file, int line,
                    const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Put "prefix: " in front of the text of a set error and return -1, as it travels up. */
int mesh_err_prefix(struct mesh_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
