/* Names, namespaces and aliases.
 *
 * Avro reads a schema from top to bottom: a name means what was defined before it. A name that
 * means nothing yet is kept until the end, because only then can the message say whether it is
 * misspelt or merely defined too late.
 */
#include "contract/schema_internal.h"

static const char *const primitives[] = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"};
static const char *const complex_types[] = {"record", "enum", "array", "map", "fixed"};

static bool name_part(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool letter = (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z') || p[i] == '_';
        if (!letter && !(i > 0 && p[i] >= '0' && p[i] <= '9'))
            return false;
    }
    return n > 0;
}

bool mesh_schema_name_ok(const char *name)
{
    return name_part(name, strlen(name));
}

bool mesh_schema_full_name_ok(const char *name)
{
    for (;;) {
        const char *dot = strchr(name, '.');
        if (dot == NULL)
            return mesh_schema_name_ok(name);
        if (!name_part(name, (size_t)(dot - name)))
            return false;
        name = dot + 1;
    }
}

const char *mesh_schema_full_name(struct mesh_arena *arena, const char *name, const char *space)
{
    if (strchr(name, '.') != NULL || *space == '\0')
        return name;
    return mesh_arena_printf(arena, "%s.%s", space, name);
}

const char *mesh_schema_space_of(struct mesh_arena *arena, const char *full_name)
{
    const char *dot = strrchr(full_name, '.');
    return dot == NULL ? "" : mesh_arena_str(arena, (struct mesh_str){full_name, (uint32_t)(dot - full_name)});
}

const char *mesh_schema_short_of(const char *full_name)
{
    const char *dot = strrchr(full_name, '.');
    return dot == NULL ? full_name : dot + 1;
}

bool mesh_schema_primitive(const char *name, enum mesh_avro_kind *ret)
{
    for (size_t i = 0; i < MESH_LEN(primitives); i++) {
        if (strcmp(name, primitives[i]) == 0) {
            *ret = (enum mesh_avro_kind)i; /* the enum begins with the primitives, in this order */
            return true;
        }
    }
    return false;
}

void mesh_schema_define(struct mesh_schema_parser *p, struct mesh_schema *schema, const struct mesh_json *name)
{
    const struct mesh_schema *before = mesh_map_get(&p->names, schema->name);
    if (before != NULL) {
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC004", name->at, "type '%s' is defined twice", schema->name);
        mesh_diag_why(p->diags, d, "a full name stands for one type in a schema");
        mesh_diag_fix(p->diags, d, "use the first definition by its name, or choose another name or namespace");
        mesh_diag_note(p->diags, d, before->at, "'%s' is first defined here", schema->name);
        return;
    }
    mesh_map_set(&p->names, schema->name, schema);
}

void mesh_schema_aliases(struct mesh_schema_parser *p, const struct mesh_json *object, const char *space, const char ***ret,
                         size_t *ret_n)
{
    const struct mesh_json *list = mesh_json_get(object, "aliases");
    if (list == NULL)
        return;
    if (list->kind != MESH_JSON_ARRAY) {
        struct mesh_diag *d =
            mesh_diag_add(p->diags, MESH_ERROR, "MC002", list->at, "'aliases' must be a list, not %s", mesh_schema_json_kind(list));
        mesh_diag_fix(p->diags, d, "write \"aliases\": [\"old_name\"]");
        return;
    }
    *ret = mesh_arena_alloc(p->arena, (list->n + 1) * sizeof **ret);
    for (uint32_t i = 0; i < list->n; i++) {
        const struct mesh_json *item = list->items[i];
        bool ok = item->kind == MESH_JSON_STRING && strlen(item->text) == item->n &&
                  (space == NULL ? mesh_schema_name_ok(item->text) : mesh_schema_full_name_ok(item->text));
        if (!ok) {
            struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC004", item->at, "this alias is not a name");
            mesh_diag_why(p->diags, d, "a name has letters, digits and '_' and does not begin with a digit%s",
                          space == NULL ? "; fields have no namespace" : "; its namespace is put in front with '.'");
            continue;
        }
        (*ret)[(*ret_n)++] = space == NULL ? item->text : mesh_schema_full_name(p->arena, item->text, space);
    }
}

/* The field before `field` that has this alias, or any other that has this name; NULL. */
static const struct mesh_schema_field *claimant(const struct mesh_schema *record, const struct mesh_schema_field *field,
                                                const char *alias)
{
    for (const struct mesh_schema_field *other = record->fields; other < record->fields + record->n_fields; other++) {
        if (other != field && strcmp(other->name, alias) == 0)
            return other;
        for (size_t i = 0; other < field && i < other->n_aliases; i++)
            if (strcmp(other->aliases[i], alias) == 0)
                return other;
    }
    return NULL;
}

void mesh_schema_unique_aliases(struct mesh_schema_parser *p, const struct mesh_schema *record)
{
    for (const struct mesh_schema_field *field = record->fields; field < record->fields + record->n_fields; field++) {
        const struct mesh_json *list = mesh_json_get(field->json, "aliases");
        for (uint32_t i = 0; field->n_aliases > 0 && i < list->n; i++) {
            const struct mesh_json *item = list->items[i];
            const struct mesh_schema_field *other = item->kind == MESH_JSON_STRING ? claimant(record, field, item->text) : NULL;
            if (other == NULL)
                continue;
            struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC004", item->at,
                                                "two fields claim the data of '%s': '%s' by this alias, and '%s'", item->text,
                                                field->name, other->name);
            mesh_diag_why(p->diags, d, "the readers of Avro do not agree which of them gets it");
            mesh_diag_fix(p->diags, d, "take the alias away, or give the newer field another name");
            mesh_diag_note(p->diags, d, other->name_at, "'%s' is declared here", other->name);
        }
    }
}

static bool is_complex(const char *name)
{
    for (size_t i = 0; i < MESH_LEN(complex_types); i++)
        if (strcmp(name, complex_types[i]) == 0)
            return true;
    return false;
}

static const char *example_of(const char *complex_type)
{
    switch (complex_type[0]) {
    case 'r':
        return "{\"type\": \"record\", \"name\": \"Line\", \"fields\": [...]}";
    case 'e':
        return "{\"type\": \"enum\", \"name\": \"Channel\", \"symbols\": [\"WEB\", \"SHOP\"]}";
    case 'a':
        return "{\"type\": \"array\", \"items\": \"string\"}";
    case 'm':
        return "{\"type\": \"map\", \"values\": \"string\"}";
    default:
        return "{\"type\": \"fixed\", \"name\": \"Hash\", \"size\": 16}";
    }
}

/* Nearness is judged by the last part alone: two types of a long namespace are always "near" as a
 * whole. */
static void suggest(struct mesh_schema_parser *p, struct mesh_diag *d, const char *written, const char *space)
{
    size_t n = MESH_LEN(primitives) + p->names.n;
    const char **shorts = mesh_arena_alloc(p->arena, n * sizeof *shorts);
    memcpy(shorts, primitives, sizeof primitives);
    for (size_t i = 0; i < p->names.n; i++)
        shorts[MESH_LEN(primitives) + i] = mesh_schema_short_of(p->names.entries[i].key);
    const char *near = mesh_did_you_mean(mesh_schema_short_of(written), shorts, n);
    if (near == NULL)
        return;
    const char *say = near;
    for (size_t i = 0; i < p->names.n; i++) {
        const char *full = p->names.entries[i].key;
        if (shorts[MESH_LEN(primitives) + i] == near && strcmp(mesh_schema_space_of(p->arena, full), space) != 0)
            say = full;
    }
    mesh_diag_hint(p->diags, d, "did you mean '%s'?", say);
    mesh_diag_fix(p->diags, d, "write \"%s\"", say);
}

void mesh_schema_report_unknown(struct mesh_schema_parser *p)
{
    for (size_t i = 0; i < p->unknown.n; i++) {
        const struct mesh_json *json = p->unknown.v[i].json;
        const char *written = json->text, *space = p->unknown.v[i].space;
        if (is_complex(written)) {
            struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC003", json->at, "'%s' is not a type by itself", written);
            mesh_diag_why(p->diags, d,
                          "it needs further attributes, which stand together with it in an object "
                          "of their own");
            mesh_diag_fix(p->diags, d, "write \"type\": %s", example_of(written));
            continue;
        }
        const char *full = mesh_schema_full_name(p->arena, written, space);
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC003", json->at, "type '%s' is not known here", written);
        const struct mesh_schema *later = mesh_map_get(&p->names, full);
        if (later != NULL) {
            mesh_diag_why(p->diags, d, "Avro reads from top to bottom; a type must be defined where it is used first");
            mesh_diag_fix(p->diags, d, "move the definition of '%s' here and use its name below", full);
            mesh_diag_note(p->diags, d, later->at, "'%s' is defined only here", full);
            continue;
        }
        if (strcmp(full, written) != 0 && mesh_map_has(&p->names, written)) {
            mesh_diag_why(p->diags, d, "'%s' has no namespace; inside namespace '%s' there is no way to write that", written,
                          space);
            mesh_diag_fix(p->diags, d, "give '%s' a namespace", written);
            continue;
        }
        if (strcmp(full, written) != 0)
            mesh_diag_why(p->diags, d, "in namespace '%s' it means '%s'", space, full);
        else
            mesh_diag_why(p->diags, d, "it is neither one of Avro's types nor defined above");
        suggest(p, d, written, space);
    }
}
