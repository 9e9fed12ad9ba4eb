/* Attributes of the JSON objects that a schema is written in.
 *
 * Avro allows any further attribute, so a misspelt one is silently without effect: "defualt" makes
 * a field required. We warn when an unknown attribute is nearly one that would mean something at
 * that place and is absent there; everything else is left alone.
 */
#include "contract/schema_internal.h"

/* What is missing when it is absent: reported as that, once. */
static const char *const required[] = {"type", "name", "fields", "symbols", "size", "items", "values"};
static const char *const labels[] = {"public", "internal", "personal", "special", "pseudonymous"};

const char *mesh_schema_json_kind(const struct mesh_json *json)
{
    switch (json->kind) {
    case MESH_JSON_NULL:
        return "null";
    case MESH_JSON_BOOL:
        return "true or false";
    case MESH_JSON_NUMBER:
        return "a number";
    case MESH_JSON_STRING:
        return "a string";
    case MESH_JSON_ARRAY:
        return "a list";
    case MESH_JSON_OBJECT:
        break;
    }
    return "an object";
}

struct mesh_srcref mesh_schema_key_at(const struct mesh_json *object, const char *key)
{
    for (uint32_t i = 0; i < object->n; i++)
        if (strcmp(object->keys[i], key) == 0)
            return object->key_at[i];
    return object->at;
}

static bool known(struct mesh_schema_attrs attrs, const char *key)
{
    for (size_t i = 0; i < attrs.n; i++)
        if (strcmp(attrs.names[i], key) == 0)
            return true;
    return false;
}

/* The opening brace: the place of something that is missing in an object. */
static struct mesh_srcref brace_of(const struct mesh_json *object)
{
    struct mesh_srcref at = object->at;
    at.end = at.begin + 1;
    return at;
}

/* Texts of a schema end up as C strings; only a default may hold a NUL. */
bool mesh_schema_no_nul(struct mesh_schema_parser *p, const struct mesh_json *string)
{
    if (string->kind != MESH_JSON_STRING || strlen(string->text) == string->n)
        return true;
    mesh_diag_add(p->diags, MESH_ERROR, "MC002", string->at, "this text must not contain \\u0000");
    return false;
}

const struct mesh_json *mesh_schema_need(struct mesh_schema_parser *p, const struct mesh_json *object, const char *key,
                                         enum mesh_json_kind kind, const char *what)
{
    const struct mesh_json *value = mesh_json_get(object, key);
    if (value != NULL && value->kind == kind && mesh_schema_no_nul(p, value))
        return value;
    if (value != NULL && value->kind == kind)
        return NULL;
    if (value != NULL) {
        mesh_diag_add(p->diags, MESH_ERROR, "MC002", value->at, "'%s' must be %s, not %s", key, what, mesh_schema_json_kind(value));
        return NULL;
    }
    struct mesh_srcref at = brace_of(object);
    const char *near = NULL;
    for (uint32_t i = 0; i < object->n && near == NULL; i++) {
        near = mesh_did_you_mean(object->keys[i], &key, 1);
        static const char *const plain[] = {"type", "name", "doc", "size", "items", "fields", "values", "symbols", "aliases"};
        if (near != NULL && known((struct mesh_schema_attrs){plain, MESH_LEN(plain)}, object->keys[i]))
            near = NULL; /* it means something itself: "name" is not a misspelt "type" */
        if (near != NULL)
            at = object->key_at[i];
    }
    struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC002", at, "'%s' is missing: %s", key, what);
    if (near != NULL)
        mesh_diag_hint(p->diags, d, "did you mean '%s'?", key);
    return NULL;
}

const char *mesh_schema_text(struct mesh_schema_parser *p, const struct mesh_json *object, const char *key)
{
    const struct mesh_json *value = mesh_json_get(object, key);
    if (value == NULL || value->kind == MESH_JSON_NULL)
        return NULL; /* many a tool writes "doc": null */
    if (value->kind != MESH_JSON_STRING) {
        mesh_diag_add(p->diags, MESH_ERROR, "MC002", value->at, "'%s' must be a string, not %s", key, mesh_schema_json_kind(value));
        return NULL;
    }
    return mesh_schema_no_nul(p, value) ? value->text : NULL;
}

void mesh_schema_label(struct mesh_schema_parser *p, const struct mesh_json *object, const char **ret, struct mesh_srcref *ret_at)
{
    const struct mesh_json *value = mesh_json_get(object, "label");
    if (value == NULL)
        return;
    for (size_t i = 0; value->kind == MESH_JSON_STRING && i < MESH_LEN(labels); i++) {
        if (strcmp(value->text, labels[i]) == 0) {
            *ret = labels[i];
            *ret_at = value->at;
            return;
        }
    }
    struct mesh_diag *d;
    if (value->kind != MESH_JSON_STRING) {
        d = mesh_diag_add(p->diags, MESH_ERROR, "MC008", value->at, "'label' must be a string, not %s",
                          mesh_schema_json_kind(value));
    } else {
        d = mesh_diag_add(p->diags, MESH_ERROR, "MC008", value->at, "label '%s' is not known", value->text);
        const char *near = mesh_did_you_mean(value->text, labels, MESH_LEN(labels));
        if (near != NULL)
            mesh_diag_hint(p->diags, d, "did you mean '%s'?", near);
    }
    mesh_diag_why(p->diags, d, "the label decides who may see the field and what is done with it at a border");
    mesh_diag_fix(p->diags, d, "write public, internal, personal, special or pseudonymous");
}

void mesh_schema_no_label(struct mesh_schema_parser *p, const struct mesh_json *object)
{
    const char *const keys[] = {"label", "subject"};
    for (size_t i = 0; i < MESH_LEN(keys); i++) {
        if (mesh_json_get(object, keys[i]) == NULL)
            continue;
        struct mesh_diag *d =
            mesh_diag_add(p->diags, MESH_WARNING, "MC008", mesh_schema_key_at(object, keys[i]), "'%s' has no effect here", keys[i]);
        mesh_diag_why(p->diags, d, "a label is a fact of a field, or of a record for all its fields");
        mesh_diag_fix(p->diags, d, "move it beside the \"name\" of the field");
    }
}

void mesh_schema_spelling(struct mesh_schema_parser *p, const struct mesh_json *object, struct mesh_schema_attrs attrs)
{
    for (uint32_t i = 0; i < object->n; i++) {
        if (known(attrs, object->keys[i]))
            continue;
        const char *near = mesh_did_you_mean(object->keys[i], attrs.names, attrs.n);
        if (near == NULL || mesh_json_get(object, near) != NULL ||
            known((struct mesh_schema_attrs){required, MESH_LEN(required)}, near))
            continue;
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_WARNING, "MC006", object->key_at[i],
                                            "'%s' is no attribute of Avro and has no effect", object->keys[i]);
        mesh_diag_hint(p->diags, d, "did you mean '%s'?", near);
        mesh_diag_why(p->diags, d, "Avro allows any attribute and ignores those it does not know");
        mesh_diag_fix(p->diags, d, "write \"%s\"", near);
    }
}
