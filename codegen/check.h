/* What the files of the checker share. mesh_check() itself is declared in model.h.
 *
 *   check.c         the order of everything; resolving names; cycles
 *   names.c         names that C, CEL or the generated code cannot take; names that become the same
 *   check_shape.c   shapes and scopes
 *   check_input.c   input ports: contract, key, event time, tables, ports of other products
 *   check_stream.c  steps; check_flatten.c flatten; check_pattern.c patterns
 *   check_view.c    views; check_people.c rows that are hidden until enough people are in them
 *   check_port.c    output ports; check_contract.c their contracts
 *   privacy.c       labels, protection, release; consent.c releases that need consent
 *   check_govern.c  owner, labels, retention
 *   check_versions.c  the versions of a contract among each other
 */
#ifndef MESH_CODEGEN_CHECK_H
#define MESH_CODEGEN_CHECK_H

#include "codegen/model.h"

/* `to` (by its origin) is computed from `from`: the hops that a privacy message shows. */
struct mesh_check_edge {
    const char *to;
    const struct mesh_gen_member *from;
};

struct mesh_checker {
    struct mesh_model *model;
    struct mesh_arena *arena;
    struct mesh_diags *diags;
    struct mesh_model_product *product; /* the one at hand */
    struct mesh_gen_shape *meta;        /* members of `meta` */
    MESH_VEC(struct mesh_check_edge) edges;
};

typedef MESH_VEC(const char *) mesh_check_names;

/* ---- names.c ---- */
/* The identifier of a member in C: the name, with _ behind it when C took it. */
const char *mesh_names_c(struct mesh_arena *arena, const char *name);
/* A word of C, CEL or the language: no declared name may be one. */
bool mesh_names_reserved(const char *name);
/* All names of the product that its author chose. */
void mesh_names_check(struct mesh_checker *c);
/* Members of one struct that get in each other's way: x (nullable, so it has x_set) and x_set. */
void mesh_names_check_shape(struct mesh_checker *c, const struct mesh_gen_shape *shape);

/* ---- check_shape.c ---- */
struct mesh_gen_shape *mesh_shape_new(struct mesh_checker *c, const char *cname);
/* A copy that may be changed; members keep label, place and origin. `nullable`: every member may be null. */
struct mesh_gen_shape *mesh_shape_copy(struct mesh_checker *c, const struct mesh_gen_shape *from, const char *cname, bool nullable);
/* Replace the member of that name, or append it. */
void mesh_shape_put(struct mesh_checker *c, struct mesh_gen_shape *shape, struct mesh_gen_member member);
/* The member that an assignment gives: label, subject and hops from the expression. */
struct mesh_gen_member mesh_shape_assigned(struct mesh_checker *c, const struct mesh_model_assign *assign, const char *origin);
/* Equal members: same names and types, in any order. */
bool mesh_shape_same(const struct mesh_gen_shape *a, const struct mesh_gen_shape *b, const char **ret_differs);
enum mesh_label mesh_label_join(enum mesh_label a, enum mesh_label b);
bool mesh_type_can_be_key(const struct mesh_gen_type *type);
const char *mesh_type_text(struct mesh_checker *c, const struct mesh_gen_type *type); /* "int" */
const char *mesh_type_a(struct mesh_checker *c, const struct mesh_gen_type *type);    /* "an int" */
/* The names of a shape's members, for did-you-mean. */
const char *mesh_shape_near(struct mesh_checker *c, const struct mesh_gen_shape *shape, const char *name);

void mesh_scope_base(struct mesh_checker *c, struct mesh_scope *scope); /* `meta` alone */
void mesh_scope_namespace(struct mesh_checker *c, struct mesh_scope *scope, const char *name, const struct mesh_gen_shape *shape,
                          const char *c_prefix, struct mesh_srcref at);
void mesh_scope_narrow(struct mesh_checker *c, struct mesh_scope *scope, const char *prefix, const char *const *names, size_t n);

/* mesh_expr_check() of an expression that may be NULL (reported). want: kind that the place needs, MESH_GEN_ERROR = any. */
struct mesh_gen_type mesh_check_expr(struct mesh_checker *c, struct mesh_expr *expr, const struct mesh_scope *scope,
                                     enum mesh_gen_kind want, const char *place);
/* Fields of a key: plain members of the scope's record that can be a key and are not null. */
bool mesh_check_keys(struct mesh_checker *c, struct mesh_expr *const *by, size_t n, const struct mesh_scope *scope,
                     const char *place);
/* Assignments of one step, all against the same record. Appends to `into`. */
void mesh_check_assigns(struct mesh_checker *c, struct mesh_model_assign *assigns, size_t n, const struct mesh_scope *scope,
                        const char *place, const char *origin, struct mesh_gen_shape *into);

/* ---- the parts ---- */
void mesh_check_input_product(struct mesh_checker *c, struct mesh_model_input *input); /* topic, contract, key of `product:` */
void mesh_check_input(struct mesh_checker *c, struct mesh_model_input *input);
void mesh_check_stream(struct mesh_checker *c, struct mesh_model_stream *stream);
/* The item's shape and its name in the scope; false: it could not be checked (reported). */
bool mesh_check_flatten(struct mesh_checker *c, struct mesh_model_stream *stream, struct mesh_model_step *step,
                        const struct mesh_gen_shape *record, struct mesh_scope *scope);
void mesh_check_pattern(struct mesh_checker *c, struct mesh_model_stream *stream, const struct mesh_scope *scope);
void mesh_check_view(struct mesh_checker *c, struct mesh_model_view *view);
void mesh_check_people(struct mesh_checker *c, struct mesh_model_view *view, const struct mesh_gen_shape *row); /* fills who */
void mesh_check_port(struct mesh_checker *c, struct mesh_model_port *port);
void mesh_check_contract(struct mesh_checker *c, struct mesh_model_port *port, const struct mesh_gen_shape *shape);
void mesh_check_borders(struct mesh_checker *c); /* topics, paths and collections that two ports take */
void mesh_check_govern(struct mesh_checker *c);
void mesh_check_versions(struct mesh_checker *c); /* fills subject->mode and contract->reads */
void mesh_check_readable(struct mesh_checker *c); /* versions that an input port will refuse */
/* Fills port->protect; reports what would leave unprotected. */
void mesh_privacy_port(struct mesh_checker *c, struct mesh_model_port *port, const struct mesh_gen_shape *shape);
/* What many people's rows add up to: personal inside, and free to leave. */
bool mesh_privacy_many(const struct mesh_model_view *view, const struct mesh_gen_member *member);
void mesh_privacy_lint(struct mesh_checker *c);

/* Shape and narrowed members of what a `from` names; NULL when it could not be checked (reported). */
const struct mesh_gen_shape *mesh_check_source(const struct mesh_model_from *from, const char *const **ret_narrowed, size_t *ret_n);
/* The place of a key of a node ("keep:"), or `otherwise`. */
struct mesh_srcref mesh_check_key_at(const struct mesh_yaml *map, const char *key, struct mesh_srcref otherwise);

/* ---- consent.c ---- */
bool mesh_consent_asked(const struct mesh_model_release *release);
/* "consent_marketing", "consent_marketing_given": a column that a release adds to its view. */
const char *mesh_consent_column(struct mesh_arena *arena, const char *purpose, const char *suffix);
/* Names are resolved: add the columns. Then, behind the inputs, what the decisions must be. Then, behind privacy, each port. */
void mesh_consent_resolve(struct mesh_checker *c);
void mesh_consent_check(struct mesh_checker *c);
void mesh_consent_port(struct mesh_checker *c, struct mesh_model_port *port, const struct mesh_gen_shape *shape);

#endif
