/* A product for the records of a contract that is there already. What can be told from the contract is not asked for: the key is a field
 * that names somebody or something, the event time a timestamp, what is counted by a field with few values, what is summed a number.
 * Where several would do, the first one that is declared: its author put it there. */
#include "codegen/scaffold.h"

#include "base/buf.h"
#include "codegen/check.h"

#include <ctype.h>
#include <string.h>

struct picked {
    const char *key, *id, *time; /* id: NULL: none beside the key */
    const char *group;           /* NULL: none */
    const char *number;          /* NULL: none */
};

static bool is_protected(const struct mesh_schema_field *field)
{
    enum mesh_label label = field->label == NULL ? MESH_INTERNAL : mesh_gen_label(field->label);
    return label == MESH_PERSONAL || label == MESH_SPECIAL;
}

static bool ends_with_id(const char *name)
{
    size_t n = strlen(name);
    return strcmp(name, "id") == 0 || (n > 3 && strcmp(name + n - 3, "_id") == 0);
}

static bool can_be_key(const struct mesh_schema_field *field, const struct mesh_gen_type *type)
{
    return !type->nullable && (type->kind == MESH_GEN_STRING || (!is_protected(field) && type->kind == MESH_GEN_INT));
}

/* A person or a thing that comes again: a protected text first, then what is called an id; the record's own id last. */
static int rank_of_key(const struct mesh_schema_field *field, const char *record)
{
    size_t n = strlen(record);
    bool own = strncmp(field->name, record, n) == 0 && strcmp(field->name + n, "_id") == 0;
    return is_protected(field) ? 0 : own || strcmp(field->name, "id") == 0 ? 2 : ends_with_id(field->name) ? 1 : 3;
}

static struct picked pick(struct mesh_arena *arena, const struct mesh_schema *schema, const char *record)
{
    struct picked p = {0};
    int best = 4;
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct mesh_schema_field *field = &schema->fields[i];
        struct mesh_gen_type type;
        if (!mesh_gen_type_of_schema(field->type, arena, &type))
            continue;
        if (type.kind == MESH_GEN_TIMESTAMP && !type.nullable && p.time == NULL)
            p.time = field->name;
        if (can_be_key(field, &type) && rank_of_key(field, record) < best) {
            best = rank_of_key(field, record);
            p.key = field->name;
        }
        bool group = !type.nullable && !is_protected(field) &&
                     (type.kind == MESH_GEN_ENUM || (type.kind == MESH_GEN_STRING && !ends_with_id(field->name)));
        if (group && p.group == NULL)
            p.group = field->name;
        if (!type.nullable && !is_protected(field) && p.number == NULL && !ends_with_id(field->name) &&
            (type.kind == MESH_GEN_INT || type.kind == MESH_GEN_DECIMAL))
            p.number = field->name;
    }
    for (size_t i = 0; i < schema->n_fields && p.key != NULL; i++) {
        const struct mesh_schema_field *field = &schema->fields[i];
        struct mesh_gen_type type;
        if (p.id == NULL && strcmp(field->name, p.key) != 0 && ends_with_id(field->name) && !is_protected(field) &&
            mesh_gen_type_of_schema(field->type, arena, &type) && !type.nullable && rank_of_key(field, record) == 2)
            p.id = field->name;
    }
    return p;
}

/* "CardPayment" -> "card_payment" */
static const char *snake(struct mesh_arena *arena, const char *name)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    for (const char *c = name; *c != '\0'; c++) {
        if (isupper((unsigned char)*c) && out.n > 0 && (islower((unsigned char)c[-1]) || islower((unsigned char)c[1])))
            mesh_buf_putc(&out, '_');
        mesh_buf_putc(&out, (char)tolower((unsigned char)*c));
    }
    return mesh_arena_strdup(arena, out.p);
}

static void product(struct mesh_buf *out, const struct picked *p, const char *mesh, const char *name, const char *type,
                    const char *record)
{
    bool totals = p->group != NULL && strcmp(type, "source-aligned") != 0;
    mesh_buf_printf(out,
                    "apiVersion: mesh/v1\nkind: DataProduct\nname: %s\ndomain: %s\nversion: 0.1.0\nstatus: draft\ntype: %s\n"
                    "description:\n"
                    "  purpose: Say here what the product is for; personal data may be used for this alone.\n"
                    "  limitations: Say here what it must not be used for.\n"
                    "team:\n  name: %s\n  members:\n    - { username: owner@example.org, role: owner }\n"
                    "slaProperties: { latency: 10s, availability: 99.5%%, retention: 90d }\n"
                    "protect: { personal: pseudonym, special: drop }\n\n",
                    name, name, type, name);
    mesh_buf_printf(out,
                    "# What comes in. Nothing else does.\ninputPorts:\n"
                    "  %ss: { topic: %s.%s.%ss, contract: %s/%s@1, key: %s, eventTime: %s, delay: 2s, idle: 2s }\n\n",
                    record, mesh, name, record, name, record, p->key, p->time);
    mesh_buf_printf(out, "# Records on their way: an ordered list of steps.\nstreams:\n  clean:\n    from: %ss\n    steps:\n",
                    record);
    mesh_buf_printf(out, "      - dedupe: { by: [%s, %s], within: 1h }\n\n", p->key, p->id != NULL ? p->id : p->time);
    mesh_buf_puts(out, "# What is kept and served: keyed folds.\nviews:\n");
    if (totals) {
        mesh_buf_printf(
            out,
            "  by_%s:\n    from: clean\n    by: %s\n    window: { tumbling: 1m, grace: 1m }\n    keep: 30d\n    let:\n      n: count()\n",
            p->group, p->group);
        if (p->number != NULL)
            mesh_buf_printf(out, "      total_%s: sum(%s)\n", p->number, p->number);
    }
    mesh_buf_printf(
        out, "  latest:\n    from: clean\n    by: %s\n    keep: 90d\n    let:\n      n: count()\n      last_seen: max(%s)\n\n",
        p->key, p->time);
    mesh_buf_puts(out, "# What leaves. Nothing else does. What is personal leaves as a pseudonym.\noutputPorts:\n");
    if (totals)
        mesh_buf_printf(out, "  by_%s: { kind: http, from: by_%s, path: /%s/by-%s }\n", p->group, p->group, name, p->group);
    mesh_buf_printf(out, "  latest: { kind: http, from: latest, path: /%s/latest }\n", name);
}

/* The contract as it is; when nothing in it says how its fields are to be treated, with a label for all of them. */
static const char *contract(struct mesh_arena *arena, const struct mesh_schema *schema, struct mesh_str text)
{
    bool labelled = true;
    for (size_t i = 0; i < schema->n_fields; i++)
        labelled = labelled && schema->fields[i].label != NULL;
    const char *brace = memchr(text.p, '{', text.n);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    if (labelled || brace == NULL) {
        mesh_buf_str(&out, text);
    } else {
        size_t n = (size_t)(brace - text.p) + 1;
        mesh_buf_add(&out, text.p, n);
        mesh_buf_puts(&out, "\n  \"label\": \"internal\",");
        mesh_buf_add(&out, text.p + n, text.n - n);
    }
    if (out.n == 0 || out.p[out.n - 1] != '\n')
        mesh_buf_putc(&out, '\n');
    return mesh_arena_strdup(arena, out.p);
}

static void add(struct mesh_arena *arena, struct mesh_scaffold *scaffold, const char *path, const char *text)
{
    *mesh_vec_push_in(arena, &scaffold->files) = (struct mesh_scaffold_file){path, text};
}

int mesh_scaffold_from(struct mesh_arena *arena, const char *mesh, const char *name, const char *type,
                       const struct mesh_schema *schema, struct mesh_str text, struct mesh_scaffold *ret, struct mesh_err *err)
{
    *ret = (struct mesh_scaffold){0};
    if (schema->kind != MESH_AVRO_RECORD)
        return mesh_err_set(err, MESH_ERR_REJECT, "scaffold.record",
                            "the contract is no record, so it has no fields to begin from");
    const char *record = snake(arena, schema->short_name);
    if (mesh_names_reserved(record))
        return mesh_err_set(err, MESH_ERR_REJECT, "scaffold.name", "a contract cannot be called '%s', which is a word of C",
                            record);
    struct picked p = pick(arena, schema, record);
    if (p.time == NULL)
        return mesh_err_set(err, MESH_ERR_REJECT, "scaffold.time",
                            "the contract has no timestamp that is always there (a long with the logical type timestamp-millis); "
                            "without one nobody knows when a record happened");
    if (p.key == NULL)
        return mesh_err_set(err, MESH_ERR_REJECT, "scaffold.key",
                            "the contract has no text or number that is always there and could be a key");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf yaml = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf readme = MESH_BUF_NULL;
    product(&yaml, &p, mesh, name, type, record);
    mesh_buf_printf(
        &readme,
        "# %s\n\nOne domain: one folder, one service.\n\n| File | What |\n| --- | --- |\n"
        "| `product.yaml` | the declaration: what comes in, what is made of it, what leaves |\n"
        "| `../../contracts/%s/%s.v1.avsc` | the contract of the input; a change is a new version, `%s.v2.avsc` |\n\n"
        "1. See whether the key (`%s`) and the event time (`%s`) are the right ones, and whether the labels of the contract are.\n"
        "2. `meshgen check` until it has nothing to say; `meshgen explain CODE` tells more about a message.\n"
        "3. Write a test in `tests/`; `meshgen test` runs it, here and without a broker.\n"
        "4. `meshgen generate` writes the service.\n",
        name, name, record, record, p.key, p.time);
    add(arena, ret, mesh_arena_printf(arena, "domains/%s/product.yaml", name), mesh_arena_strdup(arena, yaml.p));
    add(arena, ret, mesh_arena_printf(arena, "domains/%s/README.md", name), mesh_arena_strdup(arena, readme.p));
    add(arena, ret, mesh_arena_printf(arena, "contracts/%s/%s.v1.avsc", name, record), contract(arena, schema, text));
    return 0;
}
