/* Flatten: an array stays in the record as the bytes in which it was written, and the step reads its items, each into a struct of its
 * own. All of them are read once before the first is handed on: a record with an item that its contract does not allow is refused as a
 * whole, and not in the middle. */
#include "codegen/emit_flow.h"

#include "contract/match.h"

#include <string.h>

/* ---- the array as bytes ---- */

void mesh_emit_read_list(struct mesh_buf *out, const struct mesh_schema *schema, const struct mesh_gen_member *member)
{
    int null_branch = 0;
    const struct mesh_schema *inner = mesh_schema_nullable(schema, &null_branch);
    int level = 1;
    if (inner != NULL) {
        if (member->type.nullable) {
            mesh_emit_line(out, 1, "r->%s_set = mesh_in_union(in, 2) == %d;", member->cname, 1 - null_branch);
            mesh_emit_line(out, 1, "if (r->%s_set) {", member->cname);
        } else {
            mesh_emit_line(out, 1, "if (mesh_in_union(in, 2) == %d) {", null_branch);
            mesh_emit_line(out, 2, "mesh_in_fail(in, MESH_AVRO_UNION_RANGE); /* null: here '%s' is always there */", member->name);
            mesh_emit_line(out, 1, "} else {");
        }
        level = 2;
    } else if (member->type.nullable) {
        mesh_emit_line(out, 1, "r->%s_set = true;", member->cname);
    }
    mesh_emit_line(out, level, "const uint8_t *%s_from = in->p; /* read by flatten */", member->cname);
    mesh_emit_skip(out, level, inner != NULL ? inner : schema);
    mesh_emit_line(out, level, "r->%s = mesh_in_since(in, %s_from);", member->cname, member->cname);
    if (inner != NULL)
        mesh_emit_line(out, 1, "}");
}

void mesh_emit_default_list(struct mesh_buf *out, const struct mesh_schema_field *field, const struct mesh_gen_member *member,
                            const char *bytes, size_t n)
{
    int null_branch = 0;
    bool nullable = mesh_schema_nullable(field->type, &null_branch) != NULL;
    bool null = nullable && n == 1 && bytes[0] == 2 * null_branch;
    if (nullable)
        mesh_emit_line(out, 1, "r->%s_set = %s;", member->cname, null ? "false" : "true");
    bool empty = !null && n == (nullable ? 2U : 1U) && bytes[n - 1] == 0;
    if (!null && !empty) /* items would be in the reader's layout, and the record is in the writer's */
        mesh_emit_line(out, 1, "mesh_in_fail(in, MESH_AVRO_DEPTH); /* a default with items: flatten cannot read it */");
}

/* ---- one item ---- */

static const struct mesh_schema *items_of(const struct mesh_model_contract *contract, const struct mesh_schema_field *field)
{
    int null_branch = 0;
    (void)contract;
    const struct mesh_schema *inner = mesh_schema_nullable(field->type, &null_branch);
    return (inner != NULL ? inner : field->type)->items;
}

/* What a reader of records reads: an item that is no record is the only field of one. */
static const struct mesh_model_contract *as_record(struct mesh_emitter *e, const struct mesh_model_contract *contract,
                                                   const struct mesh_schema_field *field, const char *alias)
{
    const struct mesh_schema *items = items_of(contract, field);
    struct mesh_model_contract *item = mesh_arena_new(e->arena, struct mesh_model_contract);
    item->name = mesh_arena_printf(e->arena, "%s, %s", contract->name, field->name);
    item->path = mesh_arena_printf(e->arena, "%s, %s", contract->path, field->name);
    item->version = contract->version;
    item->schema = (struct mesh_schema *)(uintptr_t)items;
    if (items->kind == MESH_AVRO_RECORD)
        return item;
    struct mesh_schema *record = mesh_arena_new(e->arena, struct mesh_schema);
    struct mesh_schema_field *only = mesh_arena_new(e->arena, struct mesh_schema_field);
    *record = (struct mesh_schema){.kind = MESH_AVRO_RECORD, .n_fields = 1, .fields = only};
    *only = (struct mesh_schema_field){.name = alias, .type = (struct mesh_schema *)(uintptr_t)items};
    item->schema = record;
    return item;
}

void mesh_flow_item_reader(struct flow_emit *f, const struct mesh_plan_step *step)
{
    struct mesh_emitter *e = f->e;
    const struct mesh_model_step *m = step->model;
    const struct mesh_model_contract *contract = m->contract;
    const struct mesh_schema_field *field = mesh_schema_field(contract->schema, m->array.text);
    const struct mesh_emit_struct *s = mesh_emit_struct_of(e, m->shape_joined);
    const struct mesh_model_contract *reader = as_record(e, contract, field, m->alias);
    const char **resolvers = mesh_arena_alloc(e->arena, (contract->reads.n + 1) * sizeof *resolvers);
    for (size_t i = 1; i < contract->reads.n; i++) {
        const struct mesh_schema_field *second = NULL;
        const struct mesh_schema_field *other = mesh_match_field(field, contract->reads.v[i]->schema, &second);
        resolvers[i] =
            other == NULL ? NULL : mesh_emit_resolver(e, f->code, s, reader, as_record(e, contract->reads.v[i], other, m->alias));
    }
    struct mesh_buf *out = f->code;
    mesh_emit_line(out, 0, "/* one item of %s in %s */", m->array.text, contract->path);
    mesh_emit_line(out, 0, "static void %s_item(struct mesh_in *in, uint32_t version, struct %s *r)", s->name, s->name);
    mesh_emit_line(out, 0, "{");
    size_t begin = out->n;
    for (size_t i = 1; i < contract->reads.n; i++) {
        if (resolvers[i] == NULL)
            continue;
        mesh_emit_line(out, 1, "if (version == %zu) { /* %s */", i, contract->reads.v[i]->name);
        mesh_emit_line(out, 2, "%s(in, r);", resolvers[i]);
        mesh_emit_line(out, 2, "return;");
        mesh_emit_line(out, 1, "}");
    }
    if (out->n == begin)
        mesh_emit_line(out, 1, "(void)version;");
    for (size_t i = 0; i < reader->schema->n_fields; i++) {
        const struct mesh_gen_member *member = NULL;
        for (size_t k = 0; k < s->members.n; k++)
            if (strcmp(s->members.v[k]->name, reader->schema->fields[i].name) == 0)
                member = s->members.v[k];
        mesh_emit_read_field(e, out, &reader->schema->fields[i], member);
    }
    if (strstr(out->p + begin, "r->") == NULL)
        mesh_emit_line(out, 1, "(void)r;");
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

/* ---- the loop ---- */

/* Members that the contract has always, and the step not when it keeps records without items. */
static void all_there(struct flow_emit *f, int level, const struct mesh_model_step *m, const char *item)
{
    const struct mesh_emit_struct *s = mesh_emit_struct_of(f->e, m->shape_joined);
    const struct mesh_model_contract *reader =
        as_record(f->e, m->contract, mesh_schema_field(m->contract->schema, m->array.text), m->alias);
    for (size_t i = 0; i < s->members.n; i++) {
        int null_branch = 0;
        const struct mesh_schema_field *field = mesh_schema_field(reader->schema, s->members.v[i]->name);
        if (s->members.v[i]->type.nullable && mesh_schema_nullable(field->type, &null_branch) == NULL)
            mesh_emit_line(f->code, level, "%s.%s_set = true;", item, s->members.v[i]->cname);
    }
}

static void call_next(struct flow_emit *f, int level, const char *next, const char *event, const char *item)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf call = MESH_BUF_NULL;
    mesh_buf_printf(&call, "%s(task, %s, r", next, event);
    for (size_t i = 0; i < f->joins.n; i++)
        mesh_buf_printf(&call, ", %s", f->joins.v[i]->model->alias);
    mesh_emit_line(f->code, level, "%s, %s);", call.p, item);
}

void mesh_flow_step_flatten(struct flow_emit *f, const struct mesh_plan_step *step, const char *next)
{
    struct mesh_emitter *e = f->e;
    struct mesh_buf *out = f->code;
    const struct mesh_model_step *m = step->model;
    const char *a = m->alias;
    const char *name = mesh_flow_struct_of(f, m->shape_joined);
    const char *array = mesh_arena_printf(e->arena, "r->%s", mesh_gen_shape_member(step->before, m->array.text)->cname);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf site = MESH_BUF_NULL;
    mesh_emit_site(e, &site, m->at, "streams.%s flatten", f->flow->stream->name);
    mesh_emit_line(out, 1, "/* flatten, line %d: each of %s, all of which are looked at first */", mesh_emit_line_of(m->at),
                   m->array.text);
    mesh_emit_line(out, 1, "struct %s %s_item = {0};", name, a);
    mesh_emit_line(out, 1, "struct mesh_in %s_in = mesh_in_items(%s);", a, array);
    mesh_emit_line(out, 1, "for (int64_t n = mesh_in_block(&%s_in); n > 0; n = mesh_in_block(&%s_in))", a, a);
    mesh_emit_line(out, 2, "for (int64_t i = 0; i < n && %s_in.fault == MESH_AVRO_OK; i++)", a);
    mesh_emit_line(out, 3, "%s_item(&%s_in, event->version, &%s_item);", name, a, a);
    mesh_emit_line(out, 1, "if (%s_in.fault != MESH_AVRO_OK) {", a);
    mesh_emit_line(out, 2, "static const struct mesh_site site = %s;", site.p);
    mesh_emit_line(out, 2, "mesh_reject_items(task, event, &site, %s_in.fault);", a);
    mesh_emit_line(out, 2, "return;");
    mesh_emit_line(out, 1, "}");
    mesh_emit_line(out, 1, "struct mesh_event %s_event;", a);
    mesh_emit_line(out, 1, "uint32_t %s_n = 0;", a);
    mesh_emit_line(out, 1, "%s_in = mesh_in_items(%s);", a, array);
    mesh_emit_line(out, 1, "for (int64_t n = mesh_in_block(&%s_in); n > 0; n = mesh_in_block(&%s_in))", a, a);
    mesh_emit_line(out, 2, "for (int64_t i = 0; i < n; i++) {");
    mesh_emit_line(out, 3, "%s_item = (struct %s){0};", a, name);
    mesh_emit_line(out, 3, "%s_item(&%s_in, event->version, &%s_item);", name, a, a);
    all_there(f, 3, m, mesh_arena_printf(e->arena, "%s_item", a));
    mesh_emit_line(out, 3, "if (mesh_item_begin(task, event, %s_n++, &%s_event))", a, a);
    call_next(f, 4, next, mesh_arena_printf(e->arena, "&%s_event", a), mesh_arena_printf(e->arena, "&%s_item", a));
    mesh_emit_line(out, 2, "}");
    mesh_emit_line(out, 1, "mesh_items_end(task, event);");
    if (m->missing != MESH_MISSING_KEEP)
        return;
    mesh_emit_line(out, 1, "if (%s_n == 0) {", a);
    mesh_emit_line(out, 2, "%s_item = (struct %s){0}; /* all missing */", a, name);
    call_next(f, 2, next, "event", mesh_arena_printf(e->arena, "&%s_item", a));
    mesh_emit_line(out, 1, "}");
}
