/* Which rows of a list, and in which order: ?country=DE&n.gte=10&sort=-total_eur,country
 *
 * A condition is NAME=VALUE or NAME.OP=VALUE with eq, ne, lt, lte, gt, gte; a member that is called like a parameter is written with its
 * operator. All conditions must hold. A missing value holds none but `ne`. Values are written as rows show them; texts compare by code
 * point, decimals and times by value, enums know eq and ne and sort by the order of their symbols. What a port protects is neither compared
 * nor sorted by: an order, or a condition that holds, would say what the pseudonym hides.
 *
 * Rows with equal values, and all rows without `sort`, are in the order of lists: window, then key. Missing values come last, in both
 * directions. That makes a whole order, so a page goes on behind the last row of the one before by its values: nothing is shown twice or
 * left out unless its own values have changed in between.
 *
 * The worker hands out a copy of all rows of the windows that are asked for, at most MESH_HTTP_SELECT_ROWS_MAX, and what is here works
 * on that copy, on HTTP's threads. More rows are a 413: a question must name windows.
 */
#ifndef MESH_HTTP_SELECT_H
#define MESH_HTTP_SELECT_H

#include "base/arena.h"
#include "flow/engine.h"
#include "http/encode.h"
#include "http/problem.h"

#define MESH_HTTP_SELECT_ROWS_MAX 10000
#define MESH_HTTP_SORT_MAX        4
#define MESH_HTTP_CONDITIONS_MAX  8
#define MESH_HTTP_KEY_MEMBERS_MAX 32 /* of a view that is served */

enum mesh_http_op { MESH_HTTP_EQ, MESH_HTTP_NE, MESH_HTTP_LT, MESH_HTTP_LTE, MESH_HTTP_GT, MESH_HTTP_GTE };

/* A value of a member, by its type: integer (also times and enums), decimal, double or text. */
struct mesh_http_value {
    bool there;
    int64_t n;
    double d;
    mesh_dec dec;
    struct mesh_str text;
};

struct mesh_http_select {
    struct {
        uint16_t i; /* of the view's out */
        bool down;
    } sort[MESH_HTTP_SORT_MAX];
    uint32_t n_sort;
    struct {
        uint16_t i;
        enum mesh_http_op op;
        struct mesh_http_value value;
        struct mesh_str text; /* as it was sent */
    } conditions[MESH_HTTP_CONDITIONS_MAX];
    uint32_t n_conditions;
};

static inline bool mesh_http_selects(const struct mesh_http_select *select)
{
    return select->n_sort > 0 || select->n_conditions > 0;
}

/* The value of `sort`. Adds what is wrong to the problem. */
void mesh_http_select_sort(const struct mesh_http_shape *shape, struct mesh_str text, struct mesh_http_select *ret,
                           struct mesh_http_problem *problem);
/* A parameter that is none of the list's own. False: it is no condition, as there is no such member. */
bool mesh_http_select_condition(const struct mesh_http_shape *shape, struct mesh_str name, struct mesh_str value,
                                struct mesh_http_select *ret, struct mesh_http_problem *problem);
/* What a token is bound to, appended. */
void mesh_http_select_purpose(const struct mesh_http_select *select, struct mesh_buf *out);

struct mesh_http_selected {
    uint32_t *rows; /* of the copy; in the arena */
    size_t n;
    uint64_t count; /* that meet the conditions */
    bool more;
};
/* At most `limit` of the rows, behind `after` (of mesh_http_select_place; empty: from the start). False: `after` is not one. */
bool mesh_http_select_rows(const struct mesh_http_select *select, const struct mesh_view *view, const struct mesh_rows *rows,
                           struct mesh_str after, uint32_t limit, struct mesh_arena *arena, struct mesh_http_selected *ret);
/* Where a row stands in the order, appended. */
void mesh_http_select_place(const struct mesh_http_select *select, const struct mesh_view *view, const void *row,
                            struct mesh_buf *out);

#endif
