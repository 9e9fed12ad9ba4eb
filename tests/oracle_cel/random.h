/* Random typed expressions for the oracle: texts only. What they mean is asked of cel-go and of the compiler, never of this.
 *
 * Every expression comes twice. `plain` is what an author would write. `strict` says in CEL's own conditional what mesh-CEL promises
 * about order: a && b is a ? b : false, and x in [p, q] is x == p ? true : x == q. CEL itself lets the right side of && and || absolve
 * a failure of the left one (docs/DECLARATION.md, "Expressions").
 */
#ifndef MESH_TESTS_ORACLE_CEL_RANDOM_H
#define MESH_TESTS_ORACLE_CEL_RANDOM_H

#include "base/arena.h"
#include "base/rng.h"

#include <stdbool.h>

enum kind { BOOL, INT, DOUBLE, STRING, BYTES, ENUM, TIME, DURATION, KINDS };

/* The members of the record `r`. */
struct member {
    const char *name;
    enum kind kind;
    bool nullable;
};
extern const struct member members[];
extern const int n_members;
extern const char *const symbols[3];

struct text {
    const char *plain, *strict;
    int level; /* of its outermost operator: what has to stand in parentheses where */
};

struct random {
    struct mesh_arena *arena;
    struct mesh_rng rng;
    bool closed;    /* constants only */
    uint64_t known; /* nullable members that are there */
};

uint64_t random_below(struct random *random, uint64_t n);
/* An expression of that kind. */
struct text random_expression(struct random *random, enum kind kind, int depth);
/* One that may be null for some records. CEL has no type for "a string or null" but dyn, which stands in `strict` and in *ret_cel: the
 * plain text, as CEL needs it. */
struct text random_top(struct random *random, enum kind kind, const char **ret_cel);

#endif
