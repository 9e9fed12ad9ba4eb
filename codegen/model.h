/* A declaration as the compiler knows it: names resolved, contracts loaded, every expression typed.
 *
 * load (yaml -> bind) makes it from one mesh folder; check() fills in what is marked "(checked)". Everything lives in one arena and
 * keeps its place in the source. Lists keep the order of the declaration. Pointers between parts are direct; nobody looks up a name
 * behind check().
 */
#ifndef MESH_CODEGEN_MODEL_H
#define MESH_CODEGEN_MODEL_H

#include "codegen/expr.h"
#include "codegen/type.h"
#include "codegen/zone.h"
#include "contract/compat.h"
#include "mesh/err.h"
#include "mesh/product.h"

struct mesh_policy; /* codegen/policy.h */
struct mesh_yaml;

struct mesh_model_text {
    const char *text; /* NULL: absent */
    struct mesh_srcref at;
};

struct mesh_model_contract {
    const char *name;             /* "sales_fraud/payment@1" */
    const char *path;             /* "contracts/sales_fraud/payment.v1.avsc" */
    const char *domain, *subject; /* "sales_fraud", "payment" */
    int version;
    const struct mesh_source *source;
    struct mesh_schema *schema; /* a record */
    uint32_t local_id;
    uint64_t fingerprint;
    bool named;       /* by a port; the others are here because they lie in contracts/ */
    bool left_behind; /* a newer version is named, and this one is not: it is read, and nobody can change it any more */
    /* (checked) The versions whose records this one can read: itself, then the others, oldest first. */
    MESH_VEC(struct mesh_model_contract *) reads;
};

/* All versions of one contract that lie in contracts/<domain>/. */
struct mesh_model_subject {
    const char *domain, *name;
    MESH_VEC(struct mesh_model_contract *) versions; /* oldest first; what could not be read has no schema */
    enum mesh_compat_mode mode; /* (checked) what new versions must be, by the port that says so, else by mesh.yaml */
    const char *mode_rule;      /* (checked) "the port 'sales' asks for FULL" */
    bool broken;                /* (checked) a version does not keep to it: reported */
};

struct mesh_model_input {
    const char *name;
    struct mesh_srcref at;
    struct mesh_model_text topic;
    struct mesh_model_contract *contract;
    struct mesh_model_text key;           /* field of the contract that partitions the topic */
    struct mesh_model_text compatibility; /* mode of the contract's subject, or absent */
    struct mesh_model_text event_time;    /* field: a timestamp */
    int32_t partitions;                   /* 0: mesh default */
    int64_t delay_us, idle_us, ahead_us;  /* defaults 0 -> 2 s idle, 1 h ahead: documented in the bind table */
    int64_t wait_us;                      /* table: 10 s */
    uint32_t letters_stop;                /* of 1,000 offsets; 0: none do */
    struct mesh_model_port *product_port; /* `product: customer/profiles` (checked) */
    const char *product;                  /* "sales_fraud/sales_fraud" of that port */
    bool is_table;
    struct mesh_model_text table_by;
    struct mesh_model_text versioned; /* field, or absent: newest row wins */
    bool copy_all;
    const struct mesh_yaml *yaml; /* for messages */
    struct mesh_gen_shape *shape; /* (checked) members: the contract's fields, usable types only */
};

enum mesh_from_kind { MESH_FROM_INPUT, MESH_FROM_STREAM, MESH_FROM_CHANGES };

struct mesh_model_from {
    enum mesh_from_kind kind;
    const char *name;
    struct mesh_srcref at;
    struct mesh_model_input *input; /* (checked) */
    struct mesh_model_stream *stream;
    struct mesh_model_view *view;
};

enum mesh_step_kind {
    MESH_STEP_WHERE,
    MESH_STEP_DEDUPE,
    MESH_STEP_JOIN,
    MESH_STEP_SET,
    MESH_STEP_SELECT,
    MESH_STEP_FOLD,
    MESH_STEP_RISES,
    MESH_STEP_FLATTEN
};

enum mesh_missing { MESH_MISSING_DLQ, MESH_MISSING_SKIP, MESH_MISSING_KEEP };

struct mesh_model_assign {
    const char *name;
    struct mesh_srcref at;
    struct mesh_expr *expr;
    struct mesh_gen_type type; /* (checked) */
    bool made;                 /* by the compiler: a column of consent */
};

struct mesh_model_window {
    const char *name; /* "d7" */
    struct mesh_srcref at;
    int64_t size_us, delay_us;
};

struct mesh_model_step {
    enum mesh_step_kind kind;
    struct mesh_srcref at;
    struct mesh_expr *where;         /* WHERE; RISES: when */
    struct mesh_expr *rearm;         /* RISES */
    MESH_VEC(struct mesh_expr *) by; /* DEDUPE, FOLD: key expressions (plain members); JOIN: the one key expression */
    int64_t within_us;               /* DEDUPE */
    struct mesh_model_input *table;  /* JOIN */
    struct mesh_model_from other;    /* JOIN: the stream, instead of a table; without a name: a table */
    const char *other_by;            /* JOIN of a stream: its field that equals the key */
    int64_t from_us, to_us;          /* JOIN of a stream: between */
    enum mesh_pick pick;             /* JOIN of a stream */
    const char *alias;               /* JOIN: name its fields are read under (the table's or stream's name); FLATTEN: the item's */
    struct mesh_srcref alias_at;     /* JOIN, FLATTEN */
    struct mesh_model_text array;    /* FLATTEN: the field with the items */
    const struct mesh_model_contract *contract; /* FLATTEN (checked): what the records were read with, and so the items */
    struct mesh_expr *as_of;                    /* JOIN: a timestamp, or NULL */
    enum mesh_missing missing;                  /* JOIN; FLATTEN: of an array without items, SKIP or KEEP */
    struct mesh_gen_shape
        *shape_joined; /* (checked) JOIN: the row as it is read: the table's shape; of a stream: a copy, which is what is kept.
                          missing: keep -> every member nullable. FLATTEN: the item, likewise */
    MESH_VEC(struct mesh_model_assign) assigns; /* SET, SELECT; FOLD: the let */
    MESH_VEC(struct mesh_model_window) windows; /* FOLD */
    struct mesh_aggregates aggregates;          /* FOLD (checked) */
    /* (checked) FOLD: members added to the shape, window-major: for window w and let l the member let[l].name + "_" + window[w].name */
    struct mesh_gen_shape *shape_after; /* (checked) what flows on; the same pointer as before when unchanged */
    const struct mesh_yaml *yaml;       /* JOIN: for messages */
};

/* Behind it something is read under a name of its own, beside the record. */
static inline bool mesh_model_brings(const struct mesh_model_step *step)
{
    return step->kind == MESH_STEP_JOIN || step->kind == MESH_STEP_FLATTEN;
}

static inline bool mesh_model_joins_stream(const struct mesh_model_step *step)
{
    return step->kind == MESH_STEP_JOIN && step->other.name != NULL;
}

struct mesh_model_pattern_step {
    const char *name;
    struct mesh_srcref at;
    int times;               /* >= 1 */
    bool forbidden;          /* it must not come: `not`, `absent` */
    int64_t absent_us;       /* the last step: for so long; 0: it is one that must come, or none */
    struct mesh_expr *where; /* or NULL: every record */
    const struct mesh_yaml *yaml;
};

struct mesh_model_stream {
    const char *name;
    struct mesh_srcref at;
    MESH_VEC(struct mesh_model_from) from; /* several: a union, whose shapes have equal members */
    MESH_VEC(struct mesh_model_step) steps;
    bool has_pattern;
    MESH_VEC(struct mesh_expr *) pattern_by;
    int64_t pattern_within_us;
    enum mesh_overlap pattern_overlap;
    MESH_VEC(struct mesh_model_pattern_step) pattern;
    MESH_VEC(struct mesh_model_assign) emit;
    const struct mesh_yaml *yaml;     /* for messages */
    MESH_VEC(const char *) narrowed;  /* (checked) nullable members that a `where` says are there, for its readers */
    struct mesh_gen_shape *shape_old; /* (checked) from changes: `old`, every member nullable; else NULL */
    struct mesh_gen_shape *shape_in;  /* (checked) */
    struct mesh_gen_shape *shape;     /* (checked) what its readers get */
};

/* Of a pattern that ends with an absence; 0: with a record. */
static inline int64_t mesh_model_absent(const struct mesh_model_stream *stream)
{
    return stream->pattern.n == 0 ? 0 : stream->pattern.v[stream->pattern.n - 1].absent_us;
}

struct mesh_model_update {
    uint32_t source; /* of from */
    struct mesh_srcref at;
    MESH_VEC(struct mesh_model_assign) assigns; /* name: a state variable */
};

struct mesh_model_state {
    const char *name;
    struct mesh_srcref at;
    struct mesh_gen_type type;
    struct mesh_expr *init; /* constant */
};

struct mesh_model_view {
    const char *name;
    const char *doc;
    struct mesh_srcref at;
    MESH_VEC(struct mesh_model_from) from;
    MESH_VEC(const char *) by; /* member names, which every source must have with one type */
    MESH_VEC(struct mesh_srcref) by_at;
    enum mesh_window_kind window;
    int64_t size_us, advance_us, grace_us;
    struct mesh_model_text zone_name; /* of days, or absent */
    struct mesh_zone_table *zone;     /* (checked) or NULL */
    int64_t keep_us;                  /* 0: for ever (a warning without a window) */
    MESH_VEC(struct mesh_model_assign) let;
    struct mesh_aggregates aggregates; /* (checked) */
    MESH_VEC(struct mesh_model_state) state;
    MESH_VEC(struct mesh_model_update) updates;
    struct mesh_expr *remove; /* or NULL; a bool over one source */
    uint32_t remove_source;
    int32_t min_people;            /* a row is hidden at every border until so many different people are in it; 0: none is */
    struct mesh_model_text people; /* the field that says who, or absent */
    MESH_VEC(const struct mesh_gen_member *) who; /* (checked) with min_people: that field, per source */
    const struct mesh_yaml *yaml;                 /* for messages */
    struct mesh_gen_shape *shape;                 /* (checked) the out struct: by members, then let (or state) members */
};

enum mesh_model_port_kind { MESH_MODEL_KAFKA, MESH_MODEL_HTTP, MESH_MODEL_MONGO, MESH_MODEL_SSE }; /* as bind_table.c lists them */

struct mesh_model_release {
    MESH_VEC(const char *) fields;
    MESH_VEC(struct mesh_srcref) fields_at;
    const char *purpose, *basis;
    bool without_row; /* basis consent: without it the row does not leave at all */
    struct mesh_srcref at;
};

/* Where the decisions of subjects come from. */
struct mesh_model_consent {
    bool declared;
    struct mesh_model_text from, subject, purpose, granted; /* the input port, and fields of its contract */
    struct mesh_model_input *input;                         /* (checked) */
    const char *who;                                        /* (checked) the kind of subject that decides: "customer" */
};

struct mesh_model_port {
    const char *name;
    const char *doc;
    enum mesh_model_port_kind kind;
    struct mesh_srcref at;
    struct mesh_model_from from;  /* stream or view (kind CHANGES is not allowed here; a view is named plainly) */
    struct mesh_model_view *view; /* (checked) from a view */
    struct mesh_model_text topic;
    struct mesh_model_contract *contract; /* KAFKA */
    struct mesh_model_text compatibility; /* KAFKA: mode of the contract's subject, or absent */
    struct mesh_model_text key;           /* KAFKA: member whose text is the message key */
    int32_t partitions;
    bool compact;
    enum mesh_emit emit; /* KAFKA, SSE. stream: EVENT; view: CHANGE unless declared */
    enum mesh_delivery delivery;
    struct mesh_model_text path;       /* HTTP, SSE */
    int32_t replay;                    /* SSE: events that each task keeps */
    MESH_VEC(const char *) roles;      /* HTTP, SSE: who may ask; none: everybody who is known */
    struct mesh_model_text collection; /* MONGO */
    MESH_VEC(struct mesh_model_release) releases;
    const struct mesh_yaml *yaml; /* for messages */
    /* (checked) per member of the shape it sends: what happens to it here */
    MESH_VEC(enum mesh_protect) protect;
    struct mesh_model_product *product;
};

struct mesh_model_member {
    struct mesh_model_text username, role;
};

struct mesh_model_product {
    struct mesh_model *mesh;
    const struct mesh_source *source;
    const char *path; /* "domains/sales_fraud/product.yaml" */
    struct mesh_model_text name, domain, version, status, type, purpose, limitations, usage, team;
    MESH_VEC(struct mesh_model_member) members;
    struct mesh_model_text sla_latency, sla_availability, sla_retention;
    enum mesh_protect protect_personal, protect_special; /* MESH_AS_IS: `error`, nothing protects them */
    struct mesh_model_consent consent;
    const struct mesh_yaml *yaml; /* for messages */
    MESH_VEC(struct mesh_model_input *) inputs;
    MESH_VEC(struct mesh_model_stream *) streams; /* (checked) in an order where what is read stands before its readers */
    MESH_VEC(struct mesh_model_view *) views;
    MESH_VEC(struct mesh_model_port *) ports;
    uint32_t index; /* in mesh->products */
};

struct mesh_model_service {
    const char *domain;
    int port;
};

struct mesh_model {
    struct mesh_arena *arena;
    struct mesh_diags *diags;
    const char *root;  /* the folder of mesh.yaml */
    const char *shown; /* in front of paths in messages: "", or "git:main:" */
    const char *name;
    int32_t default_partitions;
    enum mesh_compat_mode compatibility; /* of subjects whose ports say nothing */
    bool compatibility_given;
    const char *pseudonym_key_env;                    /* "MESH_PSEUDONYM_KEY" */
    MESH_VEC(struct mesh_policy) policies;            /* in order */
    MESH_VEC(struct mesh_model_service) services;     /* as declared; mesh_model_port() fills in the others */
    bool incomplete;                                  /* a product.yaml could not be read: names of other products are not judged */
    MESH_VEC(struct mesh_model_product *) products;   /* sorted by domain, then name */
    MESH_VEC(struct mesh_model_contract *) contracts; /* each once: what ports name, then all else that lies in contracts/ */
    MESH_VEC(struct mesh_model_subject *) subjects;   /* in order of domain and name */
};

/* Load mesh.yaml of `root`, every domains/<d>/product.yaml and domains/<d>/<p>/product.yaml, and every contract. 0, or negative when
 * the root cannot be read at all; mistakes are diagnostics. */
int mesh_model_load(struct mesh_arena *arena, struct mesh_diags *diags, const char *root, struct mesh_model **ret,
                    struct mesh_err *err);
/* The same; paths in messages begin with `shown`, so that two states of one mesh can be told apart. */
int mesh_model_load_shown(struct mesh_arena *arena, struct mesh_diags *diags, const char *root, const char *shown,
                          struct mesh_model **ret, struct mesh_err *err);
/* HTTP port of a domain's service: declared, or the next free one in the order of the domains, from 8081. */
int mesh_model_port(const struct mesh_model *model, const char *domain);
/* Resolve, type and judge everything. Look at diags->n_errors afterwards. */
void mesh_check(struct mesh_model *model);

#endif
