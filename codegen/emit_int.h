/* Shared by the emitters: C names, types, member copies, field descriptors. Not for others. */
#ifndef MESH_CODEGEN_EMIT_INT_H
#define MESH_CODEGEN_EMIT_INT_H

#include "codegen/data.h"
#include "codegen/emit.h"
#include "codegen/plan.h"
#include "codegen/template.h"

struct mesh_emit_struct {
    const char *name;                                 /* "payment_record" */
    MESH_VEC(const struct mesh_gen_shape *) shapes;   /* that it stands for */
    MESH_VEC(const struct mesh_gen_member *) members; /* the used ones, each name once */
};

struct mesh_emitter {
    struct mesh_arena *arena;
    struct mesh_model_product *product;
    struct mesh_plan *plan;
    const char *p; /* prefix of external names: the product's name */
    MESH_VEC(struct mesh_emit_struct *) structs;
    MESH_VEC(const struct mesh_schema *) enums; /* whose symbols are emitted */
};

/* Text with a fixed indentation of four spaces a level. */
void mesh_emit_line(struct mesh_buf *out, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));
void mesh_emit_blank(struct mesh_buf *out);
/* Does the identifier occur in this C text? */
bool mesh_emit_mentions(const char *code, const char *identifier);

void mesh_emit_structs_make(struct mesh_emitter *e);
const struct mesh_emit_struct *mesh_emit_struct_of(const struct mesh_emitter *e, const struct mesh_gen_shape *shape);
const char *mesh_emit_struct_name(const struct mesh_emitter *e, const struct mesh_gen_shape *shape);

bool mesh_emit_has_c_type(const struct mesh_gen_type *type);
const char *mesh_emit_c_type(const struct mesh_gen_type *type);     /* "int64_t " / "struct mesh_str " with the space */
const char *mesh_emit_field_type(const struct mesh_gen_type *type); /* "MESH_DECIMAL" */
const char *mesh_emit_symbols(struct mesh_emitter *e, const struct mesh_schema *schema); /* name of the symbols array */
const char *mesh_emit_label(enum mesh_label label);
const char *mesh_emit_protect(enum mesh_protect protect);

/* "int64_t n;" and "bool n_set;" */
void mesh_emit_member(struct mesh_buf *out, int level, const struct mesh_gen_member *member);
/* One descriptor {.name = ...}, of `member` in `struct <owner>`. */
void mesh_emit_field(struct mesh_emitter *e, struct mesh_buf *out, const char *owner, const struct mesh_gen_member *member,
                     enum mesh_protect protect);
/* key tuple: "mesh_key_begin(&key);" ... of C values; the record is rejected when a nullable one is missing. */
void mesh_emit_key_part(struct mesh_buf *out, int level, const char *key, const struct mesh_gen_type *type, const char *value);
/* How long that part becomes (platform/flow/key.c), a text being so long. */
size_t mesh_emit_key_bytes(const struct mesh_gen_type *type, size_t text_bytes);
/* C expression of the text that keys on Kafka are written as. */
void mesh_emit_key_text(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_gen_type *type, const char *value);
/* ".a = from->a, ..." for every member of `to` that is not in `except`, from `from`. */
void mesh_emit_copy(const struct mesh_emitter *e, struct mesh_buf *out, int level, const struct mesh_gen_shape *to,
                    const char *from, const struct mesh_model_assign *except, size_t n_except);
void mesh_emit_copy_nullable(const struct mesh_emitter *e, struct mesh_buf *out, int level, const struct mesh_gen_shape *to,
                             const struct mesh_gen_shape *from, const char *source);
/* A site constant "(&(const struct mesh_site){...})" */
void mesh_emit_site(const struct mesh_emitter *e, struct mesh_buf *out, struct mesh_srcref at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int mesh_emit_line_of(struct mesh_srcref at);
/* "if (fault != MESH_FAULT_NONE) { mesh_reject(...); return; }" */
void mesh_emit_fault_check(const struct mesh_emitter *e, struct mesh_buf *out, int level, struct mesh_srcref at, const char *what);

/* What a pattern's `emit` reads of steps before the last: members of `struct <stream>_run`. */
struct mesh_emit_capture {
    size_t step;
    const char *cname; /* "small_card_id" */
    const struct mesh_gen_member *member;
};
size_t mesh_emit_captures(struct mesh_emitter *e, const struct mesh_plan_flow *flow, struct mesh_emit_capture **ret);

/* Does an expression that is not NULL use `fault`? */
bool mesh_emit_faulty(const struct mesh_expr *expr);
/* Value converted to `to` where the language converts silently (int to decimal, decimal to a larger scale, int to double). */
void mesh_emit_value_as(struct mesh_buf *out, const char *value, const struct mesh_gen_type *from, const struct mesh_gen_type *to);

/* Cells of a fold's ring that an aggregate needs: what it adds or compares, and how often it did when not every record counts. */
size_t mesh_emit_cells(const struct mesh_aggregate *aggregate);
/* Text of everything that shapes state and topology, for its hash: nothing of ports, names of places, or prose. */
void mesh_emit_shape(struct mesh_emitter *e, struct mesh_buf *out);
/* A null value on a table's topic removes its row: when the message key is the table's key, as text. */
bool mesh_emit_removes(const struct mesh_plan_input *input);

/* ---- reading contracts (emit_records.c, emit_resolve.c) ---- */
/* "mesh_in_long(in)" and so on; NULL for what has no C type. */
const char *mesh_emit_read(struct mesh_emitter *e, const struct mesh_schema *schema);
/* Statements that pass over a value. */
void mesh_emit_skip(struct mesh_buf *out, int level, const struct mesh_schema *schema);
/* Statements that read a field into `member`, which has its type; NULL: nobody reads it. */
void mesh_emit_read_field(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_schema_field *field,
                          const struct mesh_gen_member *member);
/* Statements that keep an array as it was written: `in` stands in front of a value of `schema`. */
void mesh_emit_read_list(struct mesh_buf *out, const struct mesh_schema *schema, const struct mesh_gen_member *member);
/* The default of an array that the writer does not have: its encoded bytes. */
void mesh_emit_default_list(struct mesh_buf *out, const struct mesh_schema_field *field, const struct mesh_gen_member *member,
                            const char *bytes, size_t n);
/* "static void payment_v1_from_v2(...)": what `writer` wrote, as Avro's resolution lets `reader` read it, into `s`. Returns its name. */
const char *mesh_emit_resolver(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_emit_struct *s,
                               const struct mesh_model_contract *reader, const struct mesh_model_contract *writer);

/* A text as a C literal, NULL when there is none (emit_tables.c). */
const char *mesh_emit_cstr(struct mesh_emitter *e, const char *text);
void mesh_emit_port_table(struct mesh_emitter *e, struct mesh_buf *out);
/* What a port of a stream sees: the shape that the stream hands on (emit_ports.c). */
const struct mesh_gen_shape *mesh_emit_port_shape(const struct mesh_emitter *e, const struct mesh_model_port *port);

/* One file each; they fill `data` for the templates. */
void mesh_emit_records(struct mesh_emitter *e, struct mesh_data *data);
void mesh_emit_flows(struct mesh_emitter *e, struct mesh_data *data);
/* Zones of the views, each once; and what the table of one is called. */
void mesh_emit_zones(struct mesh_emitter *e, struct mesh_buf *out);
const char *mesh_emit_zone_name(struct mesh_emitter *e, const struct mesh_zone_table *zone);
/* Whether rows of the view are ever put together: it has a function for that. */
bool mesh_emit_merges(const struct mesh_plan_view *view);
void mesh_emit_views(struct mesh_emitter *e, struct mesh_data *data);
void mesh_emit_ports(struct mesh_emitter *e, struct mesh_data *data);
void mesh_emit_tables(struct mesh_emitter *e, struct mesh_data *data);
void mesh_emit_document(struct mesh_emitter *e, struct mesh_buf *out); /* JSON of /.well-known/data-product */
void mesh_emit_openapi(struct mesh_emitter *e, struct mesh_buf *out);

#endif
