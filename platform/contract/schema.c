/* Reading a schema: one recursive descent over the JSON, which goes on after an error so that one
 * run shows all of them.
 *
 * A named type is entered into the table of names before its fields are read; that is what makes
 * recursion possible and is also the rule of the specification (a name means what was defined
 * above). Defaults are checked when everything else is complete, because the type of a field may be
 * the record that is just being read.
 */
#include "base/text.h"
#include "contract/schema_internal.h"

#define ATTRS(...)                                                                                                                 \
    (struct mesh_schema_attrs)                                                                                                     \
    {                                                                                                                              \
        (const char *const[]){__VA_ARGS__}, MESH_LEN(((const char *const[]){__VA_ARGS__}))                                         \
    }

static struct mesh_schema *parse(struct mesh_schema_parser *p, const struct mesh_json *json, const char *space);

const char *mesh_avro_kind_name(enum mesh_avro_kind kind)
{
    static const char *const names[MESH_AVRO_KIND_COUNT] = {
        [MESH_AVRO_NULL] = "null",     [MESH_AVRO_BOOLEAN] = "boolean", [MESH_AVRO_INT] = "int",     [MESH_AVRO_LONG] = "long",
        [MESH_AVRO_FLOAT] = "float",   [MESH_AVRO_DOUBLE] = "double",   [MESH_AVRO_BYTES] = "bytes", [MESH_AVRO_STRING] = "string",
        [MESH_AVRO_RECORD] = "record", [MESH_AVRO_ENUM] = "enum",       [MESH_AVRO_ARRAY] = "array", [MESH_AVRO_MAP] = "map",
        [MESH_AVRO_UNION] = "union",   [MESH_AVRO_FIXED] = "fixed",
    };
    mesh_assert(kind < MESH_AVRO_KIND_COUNT);
    return names[kind];
}

/* NULL when there are too many. */
static struct mesh_schema *node(struct mesh_schema_parser *p, enum mesh_avro_kind kind, const struct mesh_json *json)
{
    if (p->n_nodes == MESH_SCHEMA_NODES_MAX) {
        struct mesh_diag *d =
            mesh_diag_add(p->diags, MESH_ERROR, "MC007", json->at, "the schema has more than %d types", MESH_SCHEMA_NODES_MAX);
        mesh_diag_fix(p->diags, d, "define what repeats once and use it by name");
    }
    if (p->n_nodes >= MESH_SCHEMA_NODES_MAX) {
        p->n_nodes = MESH_SCHEMA_NODES_MAX + 1; /* said once */
        return NULL;
    }
    struct mesh_schema *schema = mesh_arena_new(p->arena, struct mesh_schema);
    schema->kind = kind;
    schema->id = p->n_nodes++;
    schema->at = json->at;
    schema->json = json->kind == MESH_JSON_STRING ? NULL : json;
    return schema;
}

static bool too_many(struct mesh_schema_parser *p, const struct mesh_json *list, uint32_t max, const char *what)
{
    if (list->n <= max)
        return false;
    mesh_diag_add(p->diags, MESH_ERROR, "MC007", list->at, "%u %s are more than the limit of %u", list->n, what, max);
    return true;
}

static struct mesh_schema *parse_name(struct mesh_schema_parser *p, const struct mesh_json *json, const char *space)
{
    enum mesh_avro_kind kind;
    if (!mesh_schema_no_nul(p, json))
        return NULL;
    if (mesh_schema_primitive(json->text, &kind))
        return node(p, kind, json);
    if (!mesh_schema_full_name_ok(json->text)) {
        struct mesh_diag *d =
            mesh_diag_add(p->diags, MESH_ERROR, "MC003", json->at, "'%s' cannot be the name of a type", json->text);
        mesh_diag_why(p->diags, d, "a name has letters, digits and '_', its namespace in front with '.'");
        return NULL;
    }
    struct mesh_schema *found = mesh_map_get(&p->names, mesh_schema_full_name(p->arena, json->text, space));
    if (found == NULL)
        *mesh_vec_push_in(p->arena, &p->unknown) = (struct mesh_schema_unknown){json, space};
    return found;
}

/* The kinds of branches that a union can hold once each, and named types once by name. */
static bool same_branch(const struct mesh_schema *a, const struct mesh_schema *b)
{
    return a->kind == b->kind && (a->name == NULL || strcmp(a->name, b->name) == 0);
}

static void check_branch(struct mesh_schema_parser *p, const struct mesh_json *list, uint32_t i, struct mesh_schema *const *found)
{
    const struct mesh_schema *branch = found[i];
    if (branch->kind == MESH_AVRO_UNION) {
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC002", list->items[i]->at, "a union directly inside a union");
        mesh_diag_why(p->diags, d, "the number in front of a value says its branch; it cannot say two");
        mesh_diag_fix(p->diags, d, "write its branches into the outer union");
        return;
    }
    for (uint32_t j = 0; j < i; j++) {
        if (found[j] == NULL || !same_branch(found[j], branch))
            continue;
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC002", list->items[i]->at, "the union has '%s' twice",
                                            branch->name != NULL ? branch->name : mesh_avro_kind_name(branch->kind));
        mesh_diag_why(p->diags, d, "branches are told apart by their type%s",
                      branch->name == NULL ? "; a logical type does not count" : "");
        mesh_diag_fix(p->diags, d, branch->name == NULL ? "remove one, or put one of them into a record" : "remove one");
        mesh_diag_note(p->diags, d, list->items[j]->at, "the first one");
        return;
    }
}

static struct mesh_schema *parse_union(struct mesh_schema_parser *p, const struct mesh_json *list, const char *space)
{
    struct mesh_schema *schema = node(p, MESH_AVRO_UNION, list);
    if (schema == NULL || too_many(p, list, MESH_SCHEMA_BRANCHES_MAX, "branches of a union"))
        return NULL;
    struct mesh_schema **found = mesh_arena_alloc(p->arena, (list->n + 1) * sizeof *found); /* with gaps */
    schema->branches = mesh_arena_alloc(p->arena, (list->n + 1) * sizeof *schema->branches);
    for (uint32_t i = 0; i < list->n; i++) {
        found[i] = parse(p, list->items[i], space);
        if (found[i] == NULL)
            continue;
        check_branch(p, list, i, found);
        schema->branches[schema->n_branches++] = found[i];
    }
    return schema->n_branches == list->n ? schema : NULL;
}

static void parse_field(struct mesh_schema_parser *p, struct mesh_schema *record, const struct mesh_json *json, const char *space)
{
    if (json->kind != MESH_JSON_OBJECT) {
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC002", json->at, "a field must be an object, not %s",
                                            mesh_schema_json_kind(json));
        mesh_diag_fix(p->diags, d, "write {\"name\": \"amount\", \"type\": \"long\"}");
        return;
    }
    struct mesh_schema_field *field = &record->fields[record->n_fields];
    *field = (struct mesh_schema_field){.at = json->at, .json = json, .label = record->label, .subject = record->subject};
    if (record->label != NULL)
        field->label_at = mesh_json_get(record->json, "label")->at;
    mesh_schema_label(p, json, &field->label, &field->label_at);
    const char *subject = mesh_schema_text(p, json, "subject");
    field->subject = subject != NULL ? subject : field->subject;
    field->doc = mesh_schema_text(p, json, "doc");
    field->default_ = mesh_json_get(json, "default");
    mesh_schema_aliases(p, json, NULL, &field->aliases, &field->n_aliases);
    mesh_schema_spelling(p, json, ATTRS("name", "type", "doc", "default", "aliases", "order", "label", "subject"));

    const char *order = mesh_schema_text(p, json, "order");
    if (order != NULL && strcmp(order, "ascending") != 0 && strcmp(order, "descending") != 0 && strcmp(order, "ignore") != 0)
        mesh_diag_add(p->diags, MESH_ERROR, "MC002", mesh_json_get(json, "order")->at,
                      "'order' must be ascending, descending or ignore");
    if (mesh_json_get(json, "logicalType") != NULL) {
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_WARNING, "MC006", mesh_schema_key_at(json, "logicalType"),
                                            "'logicalType' has no effect beside the type of a field");
        mesh_diag_why(p->diags, d, "it is an attribute of the type, which then must be an object");
        mesh_diag_fix(p->diags, d, "write \"type\": {\"type\": ..., \"logicalType\": ...}");
    }

    const struct mesh_json *name = mesh_schema_need(p, json, "name", MESH_JSON_STRING, "a string, the name of the field");
    if (name != NULL && !mesh_schema_name_ok(name->text)) {
        struct mesh_diag *d =
            mesh_diag_add(p->diags, MESH_ERROR, "MC004", name->at, "'%s' cannot be the name of a field", name->text);
        mesh_diag_why(p->diags, d, "a name has letters, digits and '_' and does not begin with a digit");
        name = NULL;
    }
    for (size_t i = 0; name != NULL && i < record->n_fields; i++) {
        if (strcmp(record->fields[i].name, name->text) != 0)
            continue;
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC004", name->at, "the record has field '%s' twice", name->text);
        mesh_diag_note(p->diags, d, record->fields[i].name_at, "the first one");
        name = NULL;
    }
    const struct mesh_json *type = mesh_json_get(json, "type");
    if (type == NULL)
        type = mesh_schema_need(p, json, "type", MESH_JSON_STRING, "the schema of the field");
    field->type = type == NULL ? NULL : parse(p, type, space);
    if (name == NULL || field->type == NULL)
        return; /* said above; the next field takes the place */
    field->name = name->text;
    field->name_at = name->at;
    field->type_at = type->at;
    record->n_fields++;
    if (field->default_ != NULL)
        *mesh_vec_push_in(p->arena, &p->defaults) = field;
}

static bool name_type(struct mesh_schema_parser *p, struct mesh_schema *schema, const struct mesh_json *object, const char **space)
{
    const struct mesh_json *name = mesh_schema_need(p, object, "name", MESH_JSON_STRING, "a string, the name of the type");
    const char *own_space = mesh_schema_text(p, object, "namespace");
    if (own_space != NULL && *own_space != '\0' && !mesh_schema_full_name_ok(own_space)) {
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC004", mesh_json_get(object, "namespace")->at,
                                            "'%s' cannot be a namespace", own_space);
        mesh_diag_why(p->diags, d, "a namespace is names joined by '.', of letters, digits and '_'");
        own_space = NULL;
    }
    if (own_space != NULL)
        *space = own_space;
    if (name == NULL)
        return false;
    enum mesh_avro_kind primitive;
    bool ok = mesh_schema_full_name_ok(name->text);
    if (!ok || mesh_schema_primitive(mesh_schema_short_of(name->text), &primitive)) {
        struct mesh_diag *d =
            mesh_diag_add(p->diags, MESH_ERROR, "MC004", name->at, "'%s' cannot be the name of a type", name->text);
        mesh_diag_why(p->diags, d,
                      ok ? "it is the name of one of Avro's own types"
                         : "a name has letters, digits and '_', its namespace in front with '.'");
        return false;
    }
    schema->name = mesh_schema_full_name(p->arena, name->text, *space);
    schema->short_name = mesh_schema_short_of(schema->name);
    schema->at = name->at;
    *space = mesh_schema_space_of(p->arena, schema->name);
    mesh_schema_define(p, schema, name);
    return true;
}

static bool parse_record(struct mesh_schema_parser *p, struct mesh_schema *schema, const struct mesh_json *object,
                         const char *space)
{
    struct mesh_srcref label_at;
    mesh_schema_label(p, object, &schema->label, &label_at);
    schema->subject = mesh_schema_text(p, object, "subject");
    const struct mesh_json *fields = mesh_schema_need(p, object, "fields", MESH_JSON_ARRAY, "a list of fields");
    if (fields == NULL || too_many(p, fields, MESH_SCHEMA_FIELDS_MAX, "fields of a record"))
        return false;
    schema->fields = mesh_arena_alloc(p->arena, (fields->n + 1) * sizeof *schema->fields);
    for (uint32_t i = 0; i < fields->n; i++)
        parse_field(p, schema, fields->items[i], space);
    mesh_schema_unique_aliases(p, schema);
    return true;
}

static void enum_default(struct mesh_schema_parser *p, struct mesh_schema *schema, const struct mesh_json *json)
{
    for (size_t i = 0; json->kind == MESH_JSON_STRING && i < schema->n_symbols; i++)
        if (strcmp(schema->symbols[i], json->text) == 0)
            schema->enum_default = schema->symbols[i];
    if (schema->enum_default != NULL)
        return;
    struct mesh_diag *d;
    if (json->kind != MESH_JSON_STRING) {
        d = mesh_diag_add(p->diags, MESH_ERROR, "MC005", json->at, "the default of an enum must be one of its symbols, not %s",
                          mesh_schema_json_kind(json));
    } else {
        d = mesh_diag_add(p->diags, MESH_ERROR, "MC005", json->at, "default '%s' is not a symbol of the enum", json->text);
        const char *near = mesh_did_you_mean(json->text, schema->symbols, schema->n_symbols);
        if (near != NULL)
            mesh_diag_hint(p->diags, d, "did you mean '%s'?", near);
    }
    mesh_diag_why(p->diags, d, "a reader takes the default for a symbol that it does not know");
}

static bool parse_enum(struct mesh_schema_parser *p, struct mesh_schema *schema, const struct mesh_json *object)
{
    const struct mesh_json *symbols = mesh_schema_need(p, object, "symbols", MESH_JSON_ARRAY, "a list of symbols");
    if (symbols == NULL || too_many(p, symbols, MESH_SCHEMA_SYMBOLS_MAX, "symbols of an enum"))
        return false;
    if (symbols->n == 0) {
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC002", symbols->at, "the enum has no symbols");
        mesh_diag_why(p->diags, d, "no value could ever be written");
        return false;
    }
    mesh_cleanup(mesh_map_deinit) struct mesh_map seen = MESH_MAP_NULL;
    schema->symbols = mesh_arena_alloc(p->arena, symbols->n * sizeof *schema->symbols);
    for (uint32_t i = 0; i < symbols->n; i++) {
        const struct mesh_json *symbol = symbols->items[i];
        if (symbol->kind != MESH_JSON_STRING || strlen(symbol->text) != symbol->n || !mesh_schema_name_ok(symbol->text)) {
            struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC004", symbol->at, "this cannot be a symbol of an enum");
            mesh_diag_why(p->diags, d, "a symbol is a string of letters, digits and '_' that does not begin with a digit");
            continue;
        }
        const struct mesh_json *before = mesh_map_get(&seen, symbol->text);
        if (before != NULL) {
            struct mesh_diag *d =
                mesh_diag_add(p->diags, MESH_ERROR, "MC004", symbol->at, "the enum has symbol '%s' twice", symbol->text);
            mesh_diag_note(p->diags, d, before->at, "the first one");
            continue;
        }
        mesh_map_set(&seen, symbol->text, (void *)(uintptr_t)symbol);
        schema->symbols[schema->n_symbols++] = symbol->text;
    }
    const struct mesh_json *default_ = mesh_json_get(object, "default");
    if (default_ != NULL && default_->kind != MESH_JSON_NULL)
        enum_default(p, schema, default_);
    return true;
}

static bool parse_fixed(struct mesh_schema_parser *p, struct mesh_schema *schema, const struct mesh_json *object)
{
    const struct mesh_json *size = mesh_schema_need(p, object, "size", MESH_JSON_NUMBER, "a number of bytes");
    if (size == NULL)
        return false;
    int64_t n;
    if (mesh_text_parse_long((struct mesh_str){size->text, size->n}, &n) != 0 || n < 0) {
        mesh_diag_add(p->diags, MESH_ERROR, "MC002", size->at, "'size' must be a whole number of bytes, 0 or more");
        return false;
    }
    if (n > MESH_SCHEMA_FIXED_MAX) {
        struct mesh_diag *d =
            mesh_diag_add(p->diags, MESH_ERROR, "MC007", size->at, "a fixed may have at most %d bytes", MESH_SCHEMA_FIXED_MAX);
        mesh_diag_fix(p->diags, d, "use bytes");
        return false;
    }
    schema->size = (uint32_t)n;
    return true;
}

static struct mesh_schema *parse_items(struct mesh_schema_parser *p, struct mesh_schema *schema, const struct mesh_json *object,
                                       const char *key, const char *space)
{
    const struct mesh_json *items = mesh_json_get(object, key);
    if (items == NULL) {
        mesh_schema_need(p, object, key, MESH_JSON_STRING, "the schema of what is in it");
        return NULL;
    }
    schema->items = parse(p, items, space);
    return schema->items == NULL ? NULL : schema;
}

static struct mesh_schema *parse_named(struct mesh_schema_parser *p, enum mesh_avro_kind kind, const struct mesh_json *object,
                                       const char *space)
{
    struct mesh_schema *schema = node(p, kind, object);
    if (schema == NULL)
        return NULL;
    bool ok = name_type(p, schema, object, &space);
    schema->doc = mesh_schema_text(p, object, "doc");
    mesh_schema_aliases(p, object, space, &schema->aliases, &schema->n_aliases);
    if (kind == MESH_AVRO_RECORD) {
        mesh_schema_spelling(p, object, ATTRS("type", "name", "namespace", "doc", "aliases", "fields", "label", "subject"));
        ok &= parse_record(p, schema, object, space);
    } else if (kind == MESH_AVRO_ENUM) {
        mesh_schema_spelling(p, object, ATTRS("type", "name", "namespace", "doc", "aliases", "symbols", "default"));
        mesh_schema_no_label(p, object);
        ok &= parse_enum(p, schema, object);
    } else {
        mesh_schema_spelling(p, object,
                             ATTRS("type", "name", "namespace", "doc", "aliases", "size", "logicalType", "precision", "scale"));
        mesh_schema_no_label(p, object);
        ok &= parse_fixed(p, schema, object);
    }
    if (ok)
        mesh_schema_logical(p, schema, object);
    return ok ? schema : NULL;
}

static struct mesh_schema *parse_object(struct mesh_schema_parser *p, const struct mesh_json *object, const char *space)
{
    const struct mesh_json *type = mesh_json_get(object, "type");
    if (type != NULL && (type->kind == MESH_JSON_OBJECT || type->kind == MESH_JSON_ARRAY)) {
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC002", type->at, "'type' must be the name of a type, not %s",
                                            mesh_schema_json_kind(type));
        mesh_diag_why(p->diags, d, "only the \"type\" of a field holds a whole schema");
        mesh_diag_fix(p->diags, d, "write the inner schema in place of the object around it");
        return NULL;
    }
    type = mesh_schema_need(p, object, "type", MESH_JSON_STRING, "a string, the name of a type");
    if (type == NULL)
        return NULL;
    if (strcmp(type->text, "record") == 0)
        return parse_named(p, MESH_AVRO_RECORD, object, space);
    if (strcmp(type->text, "enum") == 0)
        return parse_named(p, MESH_AVRO_ENUM, object, space);
    if (strcmp(type->text, "fixed") == 0)
        return parse_named(p, MESH_AVRO_FIXED, object, space);
    mesh_schema_no_label(p, object);
    if (strcmp(type->text, "array") == 0 || strcmp(type->text, "map") == 0) {
        bool array = type->text[0] == 'a';
        struct mesh_schema *schema = node(p, array ? MESH_AVRO_ARRAY : MESH_AVRO_MAP, object);
        mesh_schema_spelling(p, object, array ? ATTRS("type", "items") : ATTRS("type", "values"));
        if (schema != NULL && parse_items(p, schema, object, array ? "items" : "values", space) == NULL)
            return NULL;
        if (schema != NULL)
            mesh_schema_logical(p, schema, object);
        return schema;
    }
    mesh_schema_spelling(p, object, ATTRS("type", "logicalType", "precision", "scale"));
    struct mesh_schema *schema = parse_name(p, type, space);
    if (schema == NULL || schema->name != NULL)
        return schema; /* unknown; or {"type": "Payment"}, the same as "Payment" */
    schema->at = object->at;
    schema->json = object;
    mesh_schema_logical(p, schema, object);
    return schema;
}

static struct mesh_schema *parse(struct mesh_schema_parser *p, const struct mesh_json *json, const char *space)
{
    if (p->depth == MESH_SCHEMA_DEPTH_MAX) {
        struct mesh_diag *d =
            mesh_diag_add(p->diags, MESH_ERROR, "MC007", json->at, "types are nested more than %d deep", MESH_SCHEMA_DEPTH_MAX);
        mesh_diag_fix(p->diags, d, "define the inner types earlier and use them by name");
        return NULL;
    }
    struct mesh_schema *schema = NULL;
    p->depth++;
    if (json->kind == MESH_JSON_STRING) {
        schema = parse_name(p, json, space);
    } else if (json->kind == MESH_JSON_ARRAY) {
        schema = parse_union(p, json, space);
    } else if (json->kind == MESH_JSON_OBJECT) {
        schema = parse_object(p, json, space);
    } else {
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC002", json->at,
                                            "a schema is a name, an object or a list, not %s", mesh_schema_json_kind(json));
        if (json->kind == MESH_JSON_NULL)
            mesh_diag_fix(p->diags, d, "the type of null is written \"null\", with quotes");
    }
    p->depth--;
    return schema;
}

/* Whether a default can be judged although other parts of the schema are broken. */
static bool is_plain(const struct mesh_schema *schema)
{
    bool plain = schema->kind < MESH_AVRO_RECORD || schema->kind == MESH_AVRO_UNION;
    for (size_t i = 0; plain && i < schema->n_branches; i++)
        plain = schema->branches[i]->kind < MESH_AVRO_RECORD;
    return plain;
}

struct mesh_schema *mesh_schema_parse(struct mesh_arena *arena, const struct mesh_source *source, struct mesh_diags *diags)
{
    return mesh_schema_parse_all(arena, &source, 1, diags);
}

struct mesh_schema *mesh_schema_parse_all(struct mesh_arena *arena, const struct mesh_source *const *sources, size_t n,
                                          struct mesh_diags *diags)
{
    size_t n_before = diags->n_errors;
    struct mesh_schema_parser p = {.arena = arena, .diags = diags};
    struct mesh_schema *schema = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct mesh_json *json = mesh_json_parse(arena, sources[i], diags, "MC001");
        schema = json == NULL ? NULL : parse(&p, json, "");
    }
    mesh_schema_report_unknown(&p);
    bool whole = diags->n_errors == n_before;
    for (size_t i = 0; i < p.defaults.n; i++)
        if (whole || is_plain(p.defaults.v[i]->type))
            mesh_schema_check_default(&p, p.defaults.v[i]);
    mesh_map_deinit(&p.names);
    return diags->n_errors == n_before ? schema : NULL;
}

const struct mesh_schema_field *mesh_schema_field(const struct mesh_schema *record, const char *name)
{
    for (size_t i = 0; i < record->n_fields; i++)
        if (strcmp(record->fields[i].name, name) == 0)
            return &record->fields[i];
    return NULL;
}

const struct mesh_schema *mesh_schema_nullable(const struct mesh_schema *schema, int *ret_null_branch)
{
    if (schema->kind != MESH_AVRO_UNION || schema->n_branches != 2)
        return NULL;
    for (int i = 0; i < 2; i++) {
        if (schema->branches[i]->kind == MESH_AVRO_NULL) {
            *ret_null_branch = i;
            return schema->branches[1 - i];
        }
    }
    return NULL;
}
