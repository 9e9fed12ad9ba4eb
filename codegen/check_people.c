/* Rows about groups of people: who is counted, and what does not go with hiding a row. */
#include "codegen/check.h"
#include "codegen/yaml.h"

#include <string.h>

static bool is_about_one(enum mesh_label label)
{
    return label == MESH_PERSONAL || label == MESH_SPECIAL || label == MESH_PSEUDONYMOUS;
}

static bool can_say_who(const struct mesh_gen_member *member)
{
    bool id = member->type.kind == MESH_GEN_STRING || member->type.kind == MESH_GEN_INT;
    return id && (member->label == MESH_PERSONAL || member->label == MESH_PSEUDONYMOUS);
}

static struct mesh_diag *refuse(struct mesh_checker *c, const struct mesh_model_view *view, const char *what)
{
    return mesh_diag_add(c->diags, MESH_ERROR, "MG055", mesh_check_key_at(view->yaml, "min_people", view->at), "%s", what);
}

/* What would show that a row is there, or go around hiding it. */
static void check_kind(struct mesh_checker *c, const struct mesh_model_view *view)
{
    if (view->state.n > 0) {
        struct mesh_diag *diag = refuse(c, view, "'min_people' and 'state' do not go together");
        mesh_diag_why(c->diags, diag,
                      "variables hold what single records said; only counts and sums of many people say nothing of one");
        mesh_diag_fix(c->diags, diag, "use aggregates under 'let'");
    }
    if (view->window == MESH_WINDOW_SESSION) {
        struct mesh_diag *diag = refuse(c, view, "'min_people' and sessions do not go together");
        mesh_diag_why(c->diags, diag,
                      "a session that becomes part of another is taken back at the ports, also if it was never shown");
        mesh_diag_fix(c->diags, diag, "use windows of a fixed length");
    }
    if (view->remove != NULL) {
        struct mesh_diag *diag = refuse(c, view, "'min_people' and 'remove' do not go together");
        mesh_diag_why(c->diags, diag,
                      "a removed row is taken back at the ports, also if it was never shown, and one record would decide "
                      "over what many people are in");
        mesh_diag_fix(c->diags, diag, "remove one of them");
    }
}

static void check_key(struct mesh_checker *c, const struct mesh_model_view *view, const struct mesh_gen_shape *row)
{
    for (size_t i = 0; i < view->by.n; i++) {
        const struct mesh_gen_member *key = mesh_gen_shape_member(row, view->by.v[i]);
        if (key == NULL || !is_about_one(key->label))
            continue;
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG055", view->by_at.v[i],
                                               "'%s' is about one person, and so is each row by it", key->name);
        mesh_diag_why(c->diags, diag, "a row by person never has %d different people in it", (int)view->min_people);
        mesh_diag_fix(c->diags, diag, "fold by something that many people share, or remove 'min_people'");
    }
}

static void check_changes(struct mesh_checker *c, const struct mesh_model_view *view)
{
    for (size_t i = 0; i < c->product->streams.n; i++) {
        const struct mesh_model_stream *stream = c->product->streams.v[i];
        for (size_t k = 0; k < stream->from.n; k++) {
            if (stream->from.v[k].kind != MESH_FROM_CHANGES || stream->from.v[k].view != view)
                continue;
            struct mesh_diag *diag =
                mesh_diag_add(c->diags, MESH_ERROR, "MG055", stream->from.v[k].at,
                              "a stream reads the changes of '%s', whose rows are hidden at first", view->name);
            mesh_diag_why(c->diags, diag, "a change is made by one record, and mostly by one person");
            mesh_diag_fix(c->diags, diag,
                          "let it read the changes of a view without 'min_people', or send the rows of '%s' with 'emit: change'",
                          view->name);
        }
    }
}

/* The field of this source that says who it is; NULL: reported. */
static struct mesh_gen_member *who_of(struct mesh_checker *c, const struct mesh_model_view *view,
                                      const struct mesh_model_from *from)
{
    const char *const *narrowed = NULL;
    size_t n = 0;
    const struct mesh_gen_shape *shape = mesh_check_source(from, &narrowed, &n);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf names = MESH_BUF_NULL;
    struct mesh_gen_member *found = view->people.text == NULL ? NULL : mesh_gen_shape_member(shape, view->people.text);
    struct mesh_gen_member *only = NULL;
    size_t candidates = 0;
    if (found != NULL && (can_say_who(found) || found->type.kind == MESH_GEN_ERROR))
        return found;
    for (size_t i = 0; i < shape->members.n; i++) {
        if (!can_say_who(&shape->members.v[i]))
            continue;
        only = &shape->members.v[i];
        mesh_buf_printf(&names, "%s%s", candidates++ == 0 ? "" : ", ", only->name);
    }
    if (view->people.text == NULL && candidates == 1 && only->type.kind == MESH_GEN_STRING)
        return only; /* a number may be an age */
    struct mesh_diag *diag;
    if (view->people.text != NULL) {
        diag = mesh_diag_add(c->diags, MESH_ERROR, "MG055", view->people.at,
                             found == NULL ? "'%s' has no member '%s'"
                                           : "'%s' has the member '%s', which does not say who somebody is",
                             from->name, view->people.text);
        mesh_diag_why(c->diags, diag, "people are told apart by a text or whole number that is labelled personal or pseudonymous");
    } else {
        diag = mesh_diag_add(c->diags, MESH_ERROR, "MG055", mesh_check_key_at(view->yaml, "min_people", view->at),
                             candidates == 0   ? "nothing in '%s' says whose a record is"
                             : candidates == 1 ? "it is not said which field of '%s' says whose a record is"
                                               : "several fields of '%s' could say whose a record is",
                             from->name);
        mesh_diag_why(c->diags, diag, "each record is counted for the person that it is about");
    }
    if (candidates == 0)
        mesh_diag_fix(c->diags, diag, "keep the field that is the person's id in '%s', with its label and subject", from->name);
    else
        mesh_diag_fix(c->diags, diag, "write 'people:' with one of: %s", names.p);
    return NULL;
}

static void check_who(struct mesh_checker *c, struct mesh_model_view *view)
{
    for (size_t i = 0; i < view->from.n; i++) {
        struct mesh_gen_member *who = who_of(c, view, &view->from.v[i]);
        if (who == NULL)
            return;
        who->used = true;
        *mesh_vec_push_in(c->arena, &view->who) = who;
        const struct mesh_gen_member *first = view->who.v[0];
        const char *subjects[2] = {first->subject == NULL ? "" : first->subject, who->subject == NULL ? "" : who->subject};
        if (strcmp(subjects[0], subjects[1]) == 0 && first->label == who->label)
            continue;
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG055", view->from.v[i].at,
                                               "'%s' of '%s' and '%s' of '%s' are not told apart in one way", first->name,
                                               view->from.v[0].name, who->name, view->from.v[i].name);
        mesh_diag_why(c->diags, diag,
                      "the same person must count once, so both must be of one subject, and both be pseudonyms or none");
        mesh_diag_fix(c->diags, diag, "make a view of each, or name fields of one kind");
        mesh_diag_note(c->diags, diag, who->at, "'%s' is %s of '%s'", who->name,
                       who->label == MESH_PSEUDONYMOUS ? "a pseudonym" : "an id", subjects[1]);
    }
}

static void check_secret(struct mesh_checker *c, const struct mesh_model_view *view)
{
    if (c->model->pseudonym_key_env != NULL)
        return;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG054", mesh_check_key_at(view->yaml, "min_people", view->at),
                                           "the mesh has no key for pseudonyms");
    mesh_diag_why(c->diags, diag, "until '%s' shows a row, it remembers who is in it, by hashes made with a secret key",
                  view->name);
    mesh_diag_fix(c->diags, diag, "add to mesh.yaml: pseudonym: { keyRef: env:MESH_PSEUDONYM_KEY }");
}

void mesh_check_people(struct mesh_checker *c, struct mesh_model_view *view, const struct mesh_gen_shape *row)
{
    if (view->min_people == 0) {
        if (view->people.text == NULL)
            return;
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG005", view->people.at, "'people' needs 'min_people'");
        mesh_diag_why(c->diags, diag, "it says whom to count, and nothing is counted");
        mesh_diag_fix(c->diags, diag, "add 'min_people: 20', or remove 'people'");
        return;
    }
    check_kind(c, view);
    check_key(c, view, row);
    check_changes(c, view);
    check_who(c, view);
    check_secret(c, view);
}
