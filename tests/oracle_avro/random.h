/* Random Avro schemas, what becomes of them when somebody changes them, and data: as texts and bytes, made without the code that is
 * tested.
 */
#ifndef MESH_TESTS_ORACLE_AVRO_RANDOM_H
#define MESH_TESTS_ORACLE_AVRO_RANDOM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/rng.h"

#include <stdbool.h>

enum avro {
    A_NULL,
    A_BOOLEAN,
    A_INT,
    A_LONG,
    A_FLOAT,
    A_DOUBLE,
    A_BYTES,
    A_STRING,
    A_RECORD,
    A_ENUM,
    A_FIXED,
    A_ARRAY,
    A_MAP,
    A_UNION,
    A_KINDS
};

#define CHILDREN_MAX 6

struct node;

struct child {
    const char *name, *alias; /* of a field */
    bool has_default;
    struct node *type;
};

/* A named type that stands in several places is one node; a recursive one is a cycle. */
struct node {
    enum avro kind;
    const char *name, *space, *alias; /* named types; alias is a full name */
    struct child child[CHILDREN_MAX]; /* fields, branches; items and values are child[0] */
    int n;
    const char *symbols[CHILDREN_MAX];
    const char *enum_default;
    int size;
    struct node *copy; /* while it is copied */
    int mark;          /* while it is written */
};

struct random_avro {
    struct mesh_arena *arena;
    struct mesh_rng rng;
    struct node *named[8]; /* of the schema at hand */
    int n_named, n_names;
    bool spaceless; /* names without namespace cannot be said within one, so a schema has them all or none */
    int mark;
};

struct node *avro_random(struct random_avro *random);
/* A copy with one to three changes, of those that people make. */
struct node *avro_changed(struct random_avro *random, struct node *schema);
/* The text of the schema, with noise that means nothing: white space, doc, order, unknown attributes. */
void avro_text(struct random_avro *random, struct node *schema, struct mesh_buf *out);
/* A datum in Avro's binary form. */
void avro_datum(struct random_avro *random, const struct node *schema, struct mesh_buf *out, int depth);

#endif
