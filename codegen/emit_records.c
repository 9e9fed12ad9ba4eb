/* Decoders of contracts, and the codec of records that travel to another key of the same product. */
#include "codegen/emit_int.h"

#include <stdio.h>
#include <string.h>

/* ---- reading one value by its schema ---- */

const char *mesh_emit_read(struct mesh_emitter *e, const struct mesh_schema *s)
{
    switch (s->kind) {
    case MESH_AVRO_BOOLEAN:
        return "mesh_in_bool(in)";
    case MESH_AVRO_INT:
        return s->logical == MESH_LOGICAL_DATE ? "mesh_in_date(in)" : "mesh_in_int(in)";
    case MESH_AVRO_LONG:
        if (s->logical == MESH_LOGICAL_TIMESTAMP_MILLIS || s->logical == MESH_LOGICAL_LOCAL_TIMESTAMP_MILLIS)
            return "mesh_in_millis(in)";
        if (s->logical == MESH_LOGICAL_TIMESTAMP_MICROS || s->logical == MESH_LOGICAL_LOCAL_TIMESTAMP_MICROS)
            return "mesh_in_micros(in)";
        if (s->logical == MESH_LOGICAL_TIMESTAMP_NANOS || s->logical == MESH_LOGICAL_LOCAL_TIMESTAMP_NANOS)
            return "mesh_in_nanos(in)";
        return "mesh_in_long(in)";
    case MESH_AVRO_FLOAT:
        return "mesh_in_float(in)";
    case MESH_AVRO_DOUBLE:
        return "mesh_in_double(in)";
    case MESH_AVRO_BYTES:
        if (s->logical == MESH_LOGICAL_DECIMAL)
            return mesh_arena_printf(e->arena, "mesh_in_decimal(in, %d)", s->precision);
        return "mesh_in_bytes(in)";
    case MESH_AVRO_STRING:
        return "mesh_in_string(in)";
    case MESH_AVRO_FIXED:
        if (s->logical == MESH_LOGICAL_DECIMAL)
            return mesh_arena_printf(e->arena, "mesh_in_decimal_fixed(in, %u, %d)", s->size, s->precision);
        return mesh_arena_printf(e->arena, "(struct mesh_str){(const char *)mesh_in_fixed(in, %u), %u}", s->size, s->size);
    case MESH_AVRO_ENUM:
        return mesh_arena_printf(e->arena, "mesh_in_enum(in, %zu)", s->n_symbols);
    case MESH_AVRO_NULL:
    case MESH_AVRO_RECORD:
    case MESH_AVRO_ARRAY:
    case MESH_AVRO_MAP:
    case MESH_AVRO_UNION:
    case MESH_AVRO_KIND_COUNT:
        break;
    }
    return NULL;
}

/* ---- skipping: straight-line, nested blocks for arrays, maps and unions ---- */

#define SKIP_DEPTH_MAX 12 /* of nesting in unused fields; a recursive contract ends here with a decode fault */

static void skip(struct mesh_buf *out, int level, const struct mesh_schema *s, int depth)
{
    char d[16] = "";
    if (depth > SKIP_DEPTH_MAX) {
        mesh_emit_line(out, level, "mesh_in_fail(in, MESH_AVRO_DEPTH);");
        return;
    }
    switch (s->kind) {
    case MESH_AVRO_NULL:
        break;
    case MESH_AVRO_BOOLEAN:
        mesh_emit_line(out, level, "(void)mesh_in_bool(in);");
        break;
    case MESH_AVRO_INT:
    case MESH_AVRO_LONG:
        mesh_emit_line(out, level, "(void)mesh_in_long(in);");
        break;
    case MESH_AVRO_FLOAT:
        mesh_emit_line(out, level, "mesh_skip_fixed(in, 4);");
        break;
    case MESH_AVRO_DOUBLE:
        mesh_emit_line(out, level, "mesh_skip_fixed(in, 8);");
        break;
    case MESH_AVRO_BYTES:
    case MESH_AVRO_STRING:
        mesh_emit_line(out, level, "mesh_skip_bytes(in);");
        break;
    case MESH_AVRO_FIXED:
        mesh_emit_line(out, level, "mesh_skip_fixed(in, %u);", s->size);
        break;
    case MESH_AVRO_ENUM:
        mesh_emit_line(out, level, "(void)mesh_in_enum(in, %zu);", s->n_symbols);
        break;
    case MESH_AVRO_RECORD:
        for (size_t f = 0; f < s->n_fields; f++)
            skip(out, level, s->fields[f].type, depth + 1);
        break;
    case MESH_AVRO_ARRAY:
    case MESH_AVRO_MAP:
        if (depth > 0) /* one inside another: no name twice */
            snprintf(d, sizeof d, "%d", depth);
        mesh_emit_line(out, level, "for (int64_t n%s = mesh_in_block(in); n%s > 0; n%s = mesh_in_block(in))", d, d, d);
        mesh_emit_line(out, level + 1, "for (int64_t i%s = 0; i%s < n%s && in->fault == MESH_AVRO_OK; i%s++) {", d, d, d, d);
        if (s->kind == MESH_AVRO_MAP)
            mesh_emit_line(out, level + 2, "mesh_skip_bytes(in);");
        skip(out, level + 2, s->items, depth + 1);
        mesh_emit_line(out, level + 1, "}");
        break;
    case MESH_AVRO_UNION:
        mesh_emit_line(out, level, "switch (mesh_in_union(in, %zu)) {", s->n_branches);
        for (size_t b = 0; b < s->n_branches; b++) {
            mesh_emit_line(out, level, "case %zu:", b);
            skip(out, level + 1, s->branches[b], depth + 1);
            mesh_emit_line(out, level + 1, "break;");
        }
        mesh_emit_line(out, level, "default:");
        mesh_emit_line(out, level + 1, "break;");
        mesh_emit_line(out, level, "}");
        break;
    case MESH_AVRO_KIND_COUNT:
        break;
    }
}

void mesh_emit_skip(struct mesh_buf *out, int level, const struct mesh_schema *schema)
{
    skip(out, level, schema, 0);
}

void mesh_emit_read_field(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_schema_field *field,
                          const struct mesh_gen_member *member)
{
    if (member == NULL) {
        mesh_emit_line(out, 1, "/* %s: nobody reads it */", field->name);
        skip(out, 1, field->type, 0);
        return;
    }
    if (member->type.kind == MESH_GEN_LIST) {
        mesh_emit_read_list(out, field->type, member);
        return;
    }
    int null_branch = 0;
    const struct mesh_schema *inner = mesh_schema_nullable(field->type, &null_branch);
    if (inner == NULL) {
        mesh_emit_line(out, 1, "r->%s = %s;", member->cname, mesh_emit_read(e, field->type));
        return;
    }
    mesh_emit_line(out, 1, "r->%s_set = mesh_in_union(in, 2) == %d;", member->cname, 1 - null_branch);
    mesh_emit_line(out, 1, "if (r->%s_set)", member->cname);
    mesh_emit_line(out, 2, "r->%s = %s;", member->cname, mesh_emit_read(e, inner));
}

static const struct mesh_gen_member *member_named(const struct mesh_emit_struct *s, const char *name)
{
    for (size_t i = 0; i < s->members.n; i++)
        if (strcmp(s->members.v[i]->name, name) == 0)
            return s->members.v[i];
    return NULL;
}

static void decoder(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_emit_struct *s,
                    const struct mesh_model_contract *contract)
{
    const char **resolvers = mesh_arena_alloc(e->arena, (contract->reads.n + 1) * sizeof *resolvers);
    for (size_t i = 1; i < contract->reads.n; i++)
        resolvers[i] = mesh_emit_resolver(e, out, s, contract, contract->reads.v[i]);
    mesh_emit_line(out, 0, "/* %s */", contract->path);
    mesh_emit_line(out, 0, "void %s_decode_%s(struct mesh_in *in, uint32_t version, void *record)", e->p, s->name);
    mesh_emit_line(out, 0, "{");
    mesh_emit_line(out, 1, "struct %s *r = record;", s->name);
    if (contract->reads.n == 1)
        mesh_emit_line(out, 1, "(void)version;");
    for (size_t i = 1; i < contract->reads.n; i++) {
        mesh_emit_line(out, 1, "if (version == %zu) { /* %s */", i, contract->reads.v[i]->name);
        mesh_emit_line(out, 2, "%s(in, r);", resolvers[i]);
        mesh_emit_line(out, 2, "return;");
        mesh_emit_line(out, 1, "}");
    }
    for (size_t i = 0; i < contract->schema->n_fields; i++)
        mesh_emit_read_field(e, out, &contract->schema->fields[i], member_named(s, contract->schema->fields[i].name));
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

/* ---- internal records: the event time, then every member that is carried ---- */

static void internal_codec(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_plan_internal *internal)
{
    const struct mesh_plan_flow *flow = internal->input->flow;
    const struct mesh_emit_struct *s = mesh_emit_struct_of(e, flow->shape_in);
    mesh_emit_line(out, 0, "/* records on their way to the tasks that own %s */", flow->key);
    mesh_emit_line(out, 0, "void %s_regroup_%s(struct mesh_task *task, const struct mesh_event *event, const struct %s *r)", e->p,
                   internal->cname, s->name);
    mesh_emit_line(out, 0, "{");
    mesh_emit_line(out, 1, "struct mesh_out *out = mesh_value(task);");
    mesh_emit_line(out, 1, "mesh_out_long(out, event->time_us);");
    for (size_t i = 0; i < s->members.n; i++) {
        const struct mesh_gen_member *m = s->members.v[i];
        int level = 1;
        if (m->type.kind == MESH_GEN_LIST)
            continue; /* flattened before, or never */
        if (m->type.nullable) {
            mesh_emit_line(out, 1, "mesh_out_bool(out, r->%s_set);", m->cname);
            mesh_emit_line(out, 1, "if (r->%s_set)", m->cname);
            level = 2;
        }
        const char *call = "mesh_out_long";
        if (m->type.kind == MESH_GEN_BOOL)
            call = "mesh_out_bool";
        else if (m->type.kind == MESH_GEN_DOUBLE)
            call = "mesh_out_double";
        else if (m->type.kind == MESH_GEN_DECIMAL)
            call = "mesh_out_decimal";
        else if (m->type.kind == MESH_GEN_STRING || m->type.kind == MESH_GEN_BYTES)
            call = "mesh_out_bytes";
        mesh_emit_line(out, level, "%s(out, r->%s);", call, m->cname);
    }
    const struct mesh_gen_member *key = mesh_gen_shape_member(flow->shape_in, flow->key);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_emit_key_text(e, &text, &key->type, mesh_arena_printf(e->arena, "r->%s", key->cname));
    mesh_emit_line(out, 1, "mesh_send_internal(task, %s_INTERNAL_%s, %s, event);", e->p, internal->cname, text.p);
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
    mesh_emit_line(out, 0, "void %s_decode_%s(struct mesh_in *in, uint32_t version, void *record)", e->p, internal->cname);
    mesh_emit_line(out, 0, "{");
    mesh_emit_line(out, 1, "struct %s_regrouped *carried = record;", internal->cname);
    mesh_emit_line(out, 1, "struct %s *r = &carried->record;", s->name);
    mesh_emit_line(out, 1, "(void)version;");
    mesh_emit_line(out, 1, "carried->time_us = mesh_in_long(in);");
    for (size_t i = 0; i < s->members.n; i++) {
        const struct mesh_gen_member *m = s->members.v[i];
        int level = 1;
        if (m->type.kind == MESH_GEN_LIST)
            continue; /* flattened before, or never */
        if (m->type.nullable) {
            mesh_emit_line(out, 1, "r->%s_set = mesh_in_bool(in);", m->cname);
            mesh_emit_line(out, 1, "if (r->%s_set)", m->cname);
            level = 2;
        }
        const char *call = "mesh_in_long(in)";
        if (m->type.kind == MESH_GEN_BOOL)
            call = "mesh_in_bool(in)";
        else if (m->type.kind == MESH_GEN_DOUBLE)
            call = "mesh_in_double(in)";
        else if (m->type.kind == MESH_GEN_DECIMAL)
            call = "mesh_in_decimal(in, MESH_DEC_DIGITS_MAX)";
        else if (m->type.kind == MESH_GEN_STRING || m->type.kind == MESH_GEN_BYTES)
            call = "mesh_in_bytes(in)";
        else if (m->type.kind == MESH_GEN_ENUM)
            call = mesh_arena_printf(e->arena, "mesh_in_enum(in, %zu)", m->type.schema->n_symbols);
        mesh_emit_line(out, level, "r->%s = %s;", m->cname, call);
    }
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
    mesh_emit_line(out, 0, "int64_t %s_time_of_%s(const void *record)", e->p, internal->cname);
    mesh_emit_line(out, 0, "{");
    mesh_emit_line(out, 1, "return ((const struct %s_regrouped *)record)->time_us;", internal->cname);
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

/* ---- what an input tells the engine about its records ---- */

static void input_functions(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_plan_input *input)
{
    const struct mesh_model_input *model = input->model;
    const char *name = mesh_emit_struct_name(e, model->shape);
    const struct mesh_gen_member *time = mesh_gen_shape_member(model->shape, model->event_time.text);
    mesh_emit_line(out, 0, "int64_t %s_time_of_%s(const void *record)", e->p, input->cname);
    mesh_emit_line(out, 0, "{");
    mesh_emit_line(out, 1, "return ((const struct %s *)record)->%s;", name, time->cname);
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
    if (model->key.text == NULL || model->product_port != NULL)
        return; /* the key of another product's port is that product's promise */
    const struct mesh_gen_member *key = mesh_gen_shape_member(model->shape, model->key.text);
    mesh_emit_line(out, 0, "struct mesh_str %s_key_of_%s(const void *record, char *scratch)", e->p, input->cname);
    mesh_emit_line(out, 0, "{");
    mesh_emit_line(out, 1, "const struct %s *r = record;", name);
    if (key->type.kind == MESH_GEN_STRING || key->type.kind == MESH_GEN_BYTES) {
        mesh_emit_line(out, 1, "(void)scratch;");
        mesh_emit_line(out, 1, "return r->%s;", key->cname);
    } else if (key->type.kind == MESH_GEN_ENUM) {
        mesh_emit_line(out, 1, "(void)scratch;");
        mesh_emit_line(out, 1, "return mesh_str_of(%s[r->%s]);", mesh_emit_symbols(e, key->type.schema), key->cname);
    } else {
        mesh_emit_line(out, 1, "return mesh_text_long(scratch, r->%s);", key->cname);
    }
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

void mesh_emit_records(struct mesh_emitter *e, struct mesh_data *data)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf structs = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf code = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf protos = MESH_BUF_NULL;
    for (size_t i = 0; i < e->structs.n; i++) {
        const struct mesh_emit_struct *s = e->structs.v[i];
        mesh_emit_line(&structs, 0, "struct %s {", s->name);
        for (size_t k = 0; k < s->members.n; k++)
            mesh_emit_member(&structs, 1, s->members.v[k]);
        if (s->members.n == 0)
            mesh_emit_line(&structs, 1, "char none; /* nobody reads a field */");
        mesh_emit_line(&structs, 0, "};");
        mesh_emit_blank(&structs);
    }
    MESH_VEC(const char *) done = {0};
    for (size_t i = 0; i < e->plan->inputs.n; i++) {
        const struct mesh_plan_input *input = e->plan->inputs.v[i];
        if (input->kind == MESH_INPUT_PARTIALS)
            continue;
        if (input->kind == MESH_INPUT_RECORDS) {
            mesh_emit_line(&structs, 0, "struct %s_regrouped {", input->cname);
            mesh_emit_line(&structs, 1, "int64_t time_us;");
            mesh_emit_line(&structs, 1, "struct %s record;", mesh_emit_struct_name(e, input->flow->shape_in));
            mesh_emit_line(&structs, 0, "};");
            mesh_emit_blank(&structs);
            mesh_emit_line(&protos, 0,
                           "void %s_regroup_%s(struct mesh_task *task, const struct mesh_event *event, const struct %s *r);", e->p,
                           input->cname, mesh_emit_struct_name(e, input->flow->shape_in));
            mesh_emit_line(&protos, 0, "void %s_decode_%s(struct mesh_in *in, uint32_t version, void *record);", e->p,
                           input->cname);
            mesh_emit_line(&protos, 0, "int64_t %s_time_of_%s(const void *record);", e->p, input->cname);
            continue;
        }
        const struct mesh_emit_struct *s = mesh_emit_struct_of(e, input->model->shape);
        bool known = false;
        for (size_t k = 0; k < done.n; k++)
            known = known || strcmp(done.v[k], s->name) == 0;
        if (!known) {
            *mesh_vec_push_in(e->arena, &done) = s->name;
            decoder(e, &code, s, input->model->contract);
            mesh_emit_line(&protos, 0, "void %s_decode_%s(struct mesh_in *in, uint32_t version, void *record);", e->p, s->name);
        }
        input_functions(e, &code, input);
        mesh_emit_line(&protos, 0, "int64_t %s_time_of_%s(const void *record);", e->p, input->cname);
        if (input->model->key.text != NULL && input->model->product_port == NULL)
            mesh_emit_line(&protos, 0, "struct mesh_str %s_key_of_%s(const void *record, char *scratch);", e->p, input->cname);
    }
    for (size_t i = 0; i < e->plan->internals.n; i++)
        if (e->plan->internals.v[i]->input->kind == MESH_INPUT_RECORDS)
            internal_codec(e, &code, e->plan->internals.v[i]);
    mesh_data_code(e->arena, data, "structs", "%s", structs.p == NULL ? "" : structs.p);
    mesh_data_code(e->arena, data, "record_functions", "%s", code.p == NULL ? "" : code.p);
    mesh_data_code(e->arena, data, "record_prototypes", "%s", protos.p == NULL ? "" : protos.p);
}
