/* Flatten: one record for each item of an array.
 *
 * An array travels as the bytes in which it was written, so the step must know the contract of these bytes: all inputs that lead to it
 * have the same one. What an item holds has the label of the array, or its own if that is stricter. */
#include "codegen/check.h"

#include <string.h>

struct sources {
    const struct mesh_model_input *first;
    const struct mesh_model_input *other; /* with another contract */
    const struct mesh_model_step *before; /* a flatten in front of this one */
};

static void look_at_sources(struct sources *found, const struct mesh_model_stream *stream, const struct mesh_model_step *until)
{
    for (size_t i = 0; i < stream->steps.n && &stream->steps.v[i] != until; i++)
        if (stream->steps.v[i].kind == MESH_STEP_FLATTEN)
            found->before = &stream->steps.v[i];
    for (size_t i = 0; i < stream->from.n; i++) {
        const struct mesh_model_from *from = &stream->from.v[i];
        if (from->kind == MESH_FROM_STREAM && from->stream != NULL)
            look_at_sources(found, from->stream, NULL);
        if (from->kind != MESH_FROM_INPUT || from->input == NULL)
            continue;
        if (found->first == NULL)
            found->first = from->input;
        else if (found->first->contract != from->input->contract)
            found->other = from->input;
    }
}

static const struct mesh_gen_member *find_array(struct mesh_checker *c, const struct mesh_model_step *step,
                                                const struct mesh_gen_shape *record)
{
    const struct mesh_gen_member *member = mesh_gen_shape_member(record, step->array.text);
    if (member != NULL && member->type.kind == MESH_GEN_LIST)
        return member;
    const char **lists = mesh_arena_alloc(c->arena, (record->members.n + 1) * sizeof *lists);
    size_t n = 0;
    for (size_t i = 0; i < record->members.n; i++)
        if (record->members.v[i].type.kind == MESH_GEN_LIST)
            lists[n++] = record->members.v[i].name;
    struct mesh_diag *diag = NULL;
    if (member == NULL)
        diag = mesh_diag_add(c->diags, MESH_ERROR, "MG017", step->array.at, "the record has no field '%s'", step->array.text);
    else if (member->type.kind == MESH_GEN_ERROR)
        return NULL;
    else
        diag = mesh_diag_add(c->diags, MESH_ERROR, "MG022", step->array.at, "'%s' is %s, and no array", step->array.text,
                             mesh_type_a(c, &member->type));
    const char *near = mesh_did_you_mean(step->array.text, lists, n);
    if (near != NULL)
        mesh_diag_hint(c->diags, diag, "did you mean '%s'?", near);
    mesh_diag_why(c->diags, diag, "flatten makes a record of each item of an array");
    if (n > 0)
        mesh_diag_fix(c->diags, diag, "name an array of the record: '%s'", near != NULL ? near : lists[0]);
    else
        mesh_diag_fix(c->diags, diag, "the record has no array; 'select' and the pattern of a stream before do not hand one on");
    if (member != NULL)
        mesh_diag_note(c->diags, diag, member->at, "'%s' is declared here", member->name);
    return NULL;
}

static bool sources_are_fine(struct mesh_checker *c, struct mesh_model_stream *stream, struct mesh_model_step *step)
{
    struct sources found = {0};
    look_at_sources(&found, stream, step);
    if (found.before != NULL) {
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG022", step->at, "the records of '%s' are items already", stream->name);
        mesh_diag_why(c->diags, diag, "a record that was made of an item has its place among its neighbours by the item's number");
        mesh_diag_fix(c->diags, diag, "flatten '%s' in a stream of its own, which reads what the first flatten reads",
                      step->array.text);
        mesh_diag_note(c->diags, diag, found.before->at, "they become items here");
        return false;
    }
    if (found.first == NULL)
        return false;
    if (found.other != NULL) {
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG022", step->at, "the items come from records of '%s' and of '%s'",
                          found.first->contract->name, found.other->contract->name);
        mesh_diag_why(c->diags, diag, "an array is read in the layout of one contract");
        mesh_diag_fix(c->diags, diag, "flatten each input in a stream of its own, and read both streams behind it");
        return false;
    }
    step->contract = found.first->contract;
    return step->contract != NULL && step->contract->schema != NULL;
}

static bool alias_is_free(struct mesh_checker *c, const struct mesh_model_stream *stream, const struct mesh_model_step *step,
                          const struct mesh_gen_shape *record)
{
    const struct mesh_gen_member *member = mesh_gen_shape_member(record, step->alias);
    struct mesh_srcref taken = member == NULL ? (struct mesh_srcref){0} : member->at;
    for (size_t i = 0; i < stream->steps.n && &stream->steps.v[i] != step; i++)
        if (mesh_model_brings(&stream->steps.v[i]) && stream->steps.v[i].alias != NULL &&
            strcmp(stream->steps.v[i].alias, step->alias) == 0)
            taken = stream->steps.v[i].at;
    if (taken.source == NULL)
        return true;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG009", step->alias_at, "the name '%s' is taken", step->alias);
    mesh_diag_why(c->diags, diag, "behind the step it would mean the item and something else");
    mesh_diag_fix(c->diags, diag, "give the item another name");
    mesh_diag_note(c->diags, diag, taken, "it is taken here");
    return false;
}

bool mesh_check_flatten(struct mesh_checker *c, struct mesh_model_stream *stream, struct mesh_model_step *step,
                        const struct mesh_gen_shape *record, struct mesh_scope *scope)
{
    if (step->array.text == NULL || step->alias == NULL)
        return false;
    struct mesh_gen_member *array = (struct mesh_gen_member *)(uintptr_t)find_array(c, step, record);
    if (array == NULL || !alias_is_free(c, stream, step, record) || !sources_are_fine(c, stream, step))
        return false;
    array->used = true;
    const struct mesh_gen_type *item = array->type.item;
    const char *cname = mesh_arena_printf(c->arena, "%s_%s", stream->name, step->alias);
    bool keep = step->missing == MESH_MISSING_KEEP;
    if (item->kind == MESH_GEN_RECORD && item->nullable) {
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG022", step->array.at, "an item of '%s' may be null", step->array.text);
        mesh_diag_why(c->diags, diag, "a record of nothing has no fields to read");
        mesh_diag_fix(c->diags, diag, "let the array hold records alone, in a new version of the contract");
        mesh_diag_note(c->diags, diag, array->at, "'%s' is declared here", array->name);
        return false;
    }
    if (item->kind == MESH_GEN_RECORD) {
        step->shape_joined = mesh_shape_copy(c, item->shape, cname, keep);
    } else {
        step->shape_joined = mesh_shape_new(c, cname);
        mesh_shape_put(c, step->shape_joined,
                       (struct mesh_gen_member){.name = step->alias,
                                                .cname = mesh_names_c(c->arena, step->alias),
                                                .type = *item,
                                                .label = MESH_PUBLIC,
                                                .at = array->at,
                                                .origin = array->origin});
        step->shape_joined->members.v[0].type.nullable = item->nullable || keep;
    }
    for (size_t i = 0; i < step->shape_joined->members.n; i++) {
        struct mesh_gen_member *member = &step->shape_joined->members.v[i];
        if (item->kind == MESH_GEN_RECORD)
            member->origin = mesh_arena_printf(c->arena, "%s.%s", array->origin, member->name);
        if (mesh_label_join(member->label, array->label) == member->label)
            continue;
        member->label = array->label;
        member->subject = array->subject;
    }
    mesh_names_check_shape(c, step->shape_joined);
    if (item->kind == MESH_GEN_RECORD) {
        mesh_scope_namespace(c, scope, step->alias, step->shape_joined, mesh_arena_printf(c->arena, "%s->", step->alias), step->at);
        return true;
    }
    struct mesh_gen_member *value = &step->shape_joined->members.v[0];
    *mesh_vec_push_in(c->arena, &scope->entries) =
        (struct mesh_scope_entry){.name = step->alias,
                                  .type = value->type,
                                  .c_value = mesh_arena_printf(c->arena, "%s->%s", step->alias, value->cname),
                                  .c_present = mesh_arena_printf(c->arena, "%s->%s_set", step->alias, value->cname),
                                  .member = value,
                                  .at = step->at};
    return true;
}
