/* What policies see: a table per kind of part. The tables make the scope in which expressions are typed, the places of values, and the
 * documentation, so that these cannot disagree. */
#include "codegen/policy_int.h"

#include "base/check.h"
#include "base/text.h"
#include "codegen/bind.h"

#include <string.h>

struct attribute {
    const char *name;
    enum mesh_gen_kind kind;
    bool nullable;
    const char *help;
};

#define TEXT(name_, help_)                                                                                                         \
    {                                                                                                                              \
        (name_), MESH_GEN_STRING, false, (help_)                                                                                   \
    }
#define MAYBE(name_, help_)                                                                                                        \
    {                                                                                                                              \
        (name_), MESH_GEN_STRING, true, (help_)                                                                                    \
    }
#define NUMBER(name_, help_)                                                                                                       \
    {                                                                                                                              \
        (name_), MESH_GEN_INT, false, (help_)                                                                                      \
    }
#define FLAG(name_, help_)                                                                                                         \
    {                                                                                                                              \
        (name_), MESH_GEN_BOOL, false, (help_)                                                                                     \
    }
#define DURATION(name_, help_)                                                                                                     \
    {                                                                                                                              \
        (name_), MESH_GEN_DURATION, false, (help_)                                                                                 \
    }

/* clang-format off */
static const struct attribute product_attributes[] = {
    TEXT("name", "`name`"), TEXT("domain", "`domain`"), TEXT("version", "`version`"), TEXT("status", "`status`"), TEXT("type", "`type`"),
    TEXT("purpose", "`description.purpose`"), MAYBE("limitations", "`description.limitations`"), MAYBE("usage", "`description.usage`"),
    TEXT("team", "`team.name`"), MAYBE("owner", "username of the first member who is an owner"), NUMBER("members", "people of the team"),
    NUMBER("support", "channels of `support`"), DURATION("latency", "`slaProperties.latency`"),
    {"availability", MESH_GEN_DOUBLE, false, "`slaProperties.availability` in percent"}, DURATION("retention", "`slaProperties.retention`"),
    TEXT("personal", "`protect.personal`"), TEXT("special", "`protect.special`"), NUMBER("inputPorts", "how many it has"),
    NUMBER("streams", "how many"), NUMBER("views", "how many"), NUMBER("outputPorts", "how many"),
};
static const struct attribute input_attributes[] = {
    TEXT("name", "its name"), MAYBE("topic", "`topic`; null for a port of another product"), MAYBE("product", "`product`: the product of that port"),
    MAYBE("contract", "`contract`"), MAYBE("key", "`key`"), TEXT("eventTime", "`eventTime`"), NUMBER("partitions", "of the topic, the mesh's default included"),
    DURATION("delay", "`delay`"), DURATION("idle", "`idle`"), DURATION("ahead", "`ahead`"), FLAG("table", "whether it is a table"),
};
static const struct attribute stream_attributes[] = {
    TEXT("name", "its name"), NUMBER("sources", "what it reads from"), NUMBER("steps", "steps, also of a pattern"), FLAG("pattern", "whether it is a pattern"),
};
static const struct attribute view_attributes[] = {
    TEXT("name", "its name"), MAYBE("description", "`description`"), NUMBER("sources", "what it reads from"), NUMBER("by", "members of the key"),
    TEXT("window", "`none`, `tumbling`, `hopping` or `session`"), DURATION("size", "length of the windows, gap of sessions; 0 without"), DURATION("grace", "`window.grace`"),
    {"keep", MESH_GEN_DURATION, true, "`keep`; null: for ever"}, NUMBER("columns", "columns of a row, the key included"),
    FLAG("personal", "whether a column is personal or special"), NUMBER("minPeople", "`min_people`; 0: rows are never hidden"),
};
static const struct attribute port_attributes[] = {
    TEXT("name", "its name"), TEXT("kind", "`kind`"), MAYBE("description", "`description`"), TEXT("from", "`from`"), MAYBE("topic", "`topic` of kafka"),
    MAYBE("contract", "`contract` of kafka"), MAYBE("key", "`key` of kafka"), NUMBER("partitions", "of the topic, the mesh's default included"),
    FLAG("compact", "`cleanup: compact`"), FLAG("exactlyOnce", "`delivery: exactly_once`"), MAYBE("path", "`path` of http"),
    MAYBE("collection", "`collection` of mongo"), NUMBER("releases", "entries of `release`"),
};
static const struct attribute field_attributes[] = {
    TEXT("name", "its name"), TEXT("contract", "the contract: `sales_fraud/payment@1`"), TEXT("type", "its type in words: `null or string`"),
    MAYBE("label", "its own label, or that of its record"), MAYBE("subject", "whose it is"), MAYBE("doc", "`doc`"), FLAG("hasDefault", "whether it has a default"),
};
static const struct attribute mesh_attributes[] = {
    TEXT("name", "`name` of mesh.yaml"), NUMBER("partitions", "`topics.partitions`"), NUMBER("products", "how many it has"),
};
/* clang-format on */

struct kind {
    const char *name, *title;
    const struct attribute *attributes;
    size_t n;
};

#define KIND(name_, title_, list_)                                                                                                 \
    {                                                                                                                              \
        (name_), (title_), (list_), MESH_LEN(list_)                                                                                \
    }
static const struct kind kinds[MESH_POLICY_OVER_COUNT] = {
    [MESH_POLICY_PRODUCT] = KIND("product", "the product; in scope of every policy", product_attributes),
    [MESH_POLICY_INPUT_PORT] = KIND("inputPort", "an input port", input_attributes),
    [MESH_POLICY_STREAM] = KIND("stream", "a stream", stream_attributes),
    [MESH_POLICY_VIEW] = KIND("view", "a view", view_attributes),
    [MESH_POLICY_OUTPUT_PORT] = KIND("outputPort", "an output port", port_attributes),
    [MESH_POLICY_FIELD] = KIND("field", "a field of a contract that a port names", field_attributes),
};
static const struct kind mesh_kind = KIND("mesh", "the mesh; in scope of every policy", mesh_attributes);

const char *mesh_policy_over_name(enum mesh_policy_over over)
{
    return kinds[over].name;
}

/* ---- scope ---- */

static void add_kind(struct mesh_arena *arena, const struct kind *kind, struct mesh_scope *scope)
{
    struct mesh_gen_shape *shape = mesh_arena_new(arena, struct mesh_gen_shape);
    for (size_t i = 0; i < kind->n; i++)
        *mesh_vec_push_in(arena, &shape->members) =
            (struct mesh_gen_member){.name = kind->attributes[i].name,
                                     .cname = kind->attributes[i].name,
                                     .type = {.kind = kind->attributes[i].kind, .nullable = kind->attributes[i].nullable}};
    *mesh_vec_push_in(arena, &scope->entries) =
        (struct mesh_scope_entry){.name = kind->name, .is_namespace = true, .shape = shape, .c_prefix = ""};
}

void mesh_policy_scope(struct mesh_arena *arena, enum mesh_policy_over over, struct mesh_scope *ret)
{
    *ret = (struct mesh_scope){0};
    add_kind(arena, &kinds[over], ret);
    if (over != MESH_POLICY_PRODUCT)
        add_kind(arena, &kinds[MESH_POLICY_PRODUCT], ret);
    add_kind(arena, &mesh_kind, ret);
}

/* ---- values ---- */

struct filling {
    const struct attribute *attributes;
    struct mesh_policy_part *part;
    size_t n;
};

static struct mesh_expr_value *next(struct filling *f, enum mesh_gen_kind kind, bool there)
{
    mesh_assert(f->attributes[f->n].kind == kind && (there || f->attributes[f->n].nullable));
    f->part->there[f->n] = there;
    return &f->part->values[f->n++];
}

static void text(struct filling *f, const char *value)
{
    bool there = value != NULL || !f->attributes[f->n].nullable;
    *next(f, MESH_GEN_STRING, there) = (struct mesh_expr_value){.s = mesh_str_of(value == NULL ? "" : value)};
}

static void number(struct filling *f, size_t value)
{
    *next(f, MESH_GEN_INT, true) = (struct mesh_expr_value){.i = (int64_t)value};
}

static void flag(struct filling *f, bool value)
{
    *next(f, MESH_GEN_BOOL, true) = (struct mesh_expr_value){.b = value};
}

static void duration(struct filling *f, int64_t us)
{
    *next(f, MESH_GEN_DURATION, true) = (struct mesh_expr_value){.i = us};
}

static void declared_duration(struct filling *f, struct mesh_model_text declared)
{
    int64_t us = 0;
    if (declared.text != NULL)
        mesh_text_parse_duration(mesh_str_of(declared.text), &us);
    duration(f, us);
}

static void percent(struct filling *f, struct mesh_model_text declared)
{
    double value = 0;
    if (declared.text != NULL)
        mesh_text_parse_double((struct mesh_str){declared.text, (uint32_t)strcspn(declared.text, "%")}, &value);
    *next(f, MESH_GEN_DOUBLE, true) = (struct mesh_expr_value){.d = value};
}

static const char *protection(enum mesh_protect protect)
{
    return protect == MESH_PSEUDONYM ? "pseudonym" : protect == MESH_DROP ? "drop" : "error";
}

static void fill_product(struct filling *f, const struct mesh_model_product *product)
{
    const char *owner = NULL;
    for (size_t i = 0; i < product->members.n; i++) {
        const struct mesh_model_member *member = &product->members.v[i];
        if (owner == NULL && member->role.text != NULL && strcmp(member->role.text, "owner") == 0)
            owner = member->username.text;
    }
    const struct mesh_yaml *support = mesh_yaml_get(product->yaml, "support");
    text(f, product->name.text);
    text(f, product->domain.text);
    text(f, product->version.text);
    text(f, product->status.text);
    text(f, product->type.text);
    text(f, product->purpose.text);
    text(f, product->limitations.text);
    text(f, product->usage.text);
    text(f, product->team.text);
    text(f, owner);
    number(f, product->members.n);
    number(f, support == NULL ? 0 : support->items.n);
    declared_duration(f, product->sla_latency);
    percent(f, product->sla_availability);
    declared_duration(f, product->sla_retention);
    text(f, protection(product->protect_personal));
    text(f, protection(product->protect_special));
    number(f, product->inputs.n);
    number(f, product->streams.n);
    number(f, product->views.n);
    number(f, product->ports.n);
}

static size_t partitions_of(const struct mesh_model_product *product, int32_t declared)
{
    return (size_t)(declared > 0 ? declared : product->mesh->default_partitions);
}

static void fill_input(struct filling *f, const struct mesh_model_product *product, const struct mesh_model_input *input)
{
    bool of_product = input->product_port != NULL;
    text(f, input->name);
    text(f, of_product ? NULL : input->topic.text);
    text(f, of_product ? input->product_port->product->name.text : NULL);
    text(f, input->contract == NULL ? NULL : input->contract->name);
    text(f, input->key.text);
    text(f, input->event_time.text);
    number(f, partitions_of(product, of_product ? input->product_port->partitions : input->partitions));
    duration(f, input->delay_us);
    duration(f, input->idle_us);
    duration(f, input->ahead_us);
    flag(f, input->is_table);
}

static void fill_stream(struct filling *f, const struct mesh_model_stream *stream)
{
    text(f, stream->name);
    number(f, stream->from.n);
    number(f, stream->steps.n + stream->pattern.n);
    flag(f, stream->has_pattern);
}

static void fill_view(struct filling *f, const struct mesh_model_view *view)
{
    static const char *const window_kinds[] = {[MESH_WINDOW_NONE] = "none",
                                               [MESH_WINDOW_TUMBLING] = "tumbling",
                                               [MESH_WINDOW_HOPPING] = "hopping",
                                               [MESH_WINDOW_SESSION] = "session"};
    bool personal = false;
    for (size_t i = 0; view->shape != NULL && i < view->shape->members.n; i++) {
        enum mesh_label label = view->shape->members.v[i].label;
        personal = personal || label == MESH_PERSONAL || label == MESH_SPECIAL;
    }
    text(f, view->name);
    text(f, view->doc);
    number(f, view->from.n);
    number(f, view->by.n);
    text(f, window_kinds[view->window]);
    duration(f, view->window == MESH_WINDOW_NONE ? 0 : view->size_us);
    duration(f, view->window == MESH_WINDOW_NONE ? 0 : view->grace_us);
    *next(f, MESH_GEN_DURATION, view->keep_us != 0) = (struct mesh_expr_value){.i = view->keep_us};
    number(f, view->shape == NULL ? 0 : view->shape->members.n);
    flag(f, personal);
    number(f, (size_t)view->min_people);
}

static void fill_port(struct filling *f, const struct mesh_model_product *product, const struct mesh_model_port *port)
{
    text(f, port->name);
    text(f, mesh_bind_text(port->yaml, "kind"));
    text(f, port->doc);
    text(f, port->from.name);
    text(f, port->topic.text);
    text(f, port->contract == NULL ? NULL : port->contract->name);
    text(f, port->key.text);
    number(f, partitions_of(product, port->partitions));
    flag(f, port->compact);
    flag(f, port->delivery == MESH_EXACTLY_ONCE);
    text(f, port->path.text);
    text(f, port->collection.text);
    number(f, port->releases.n);
}

static void fill_field(struct filling *f, struct mesh_arena *arena, const struct mesh_model_contract *contract,
                       const struct mesh_schema_field *field)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf type = MESH_BUF_NULL;
    mesh_schema_describe(field->type, &type);
    text(f, field->name);
    text(f, contract->name);
    text(f, mesh_arena_strdup(arena, type.p));
    text(f, field->label);
    text(f, field->subject);
    text(f, field->doc);
    flag(f, field->default_ != NULL);
}

static void fill_mesh(struct filling *f, const struct mesh_model *mesh)
{
    text(f, mesh->name);
    number(f, (size_t)mesh->default_partitions);
    number(f, mesh->products.n);
}

/* ---- parts ---- */

struct parts {
    struct mesh_arena *arena;
    MESH_VEC(struct mesh_policy_part) list;
};

static struct filling begin(struct parts *parts, enum mesh_policy_over over, const char *name, struct mesh_srcref at)
{
    struct mesh_policy_part *part = mesh_vec_push_in(parts->arena, &parts->list);
    *part = (struct mesh_policy_part){.over = over, .part = name, .at = at};
    return (struct filling){kinds[over].attributes, part, 0};
}

static void add_fields(struct parts *parts, const struct mesh_model_contract *contract)
{
    for (size_t i = 0; contract != NULL && contract->schema != NULL && i < contract->schema->n_fields; i++) {
        const struct mesh_schema_field *field = &contract->schema->fields[i];
        const char *name = mesh_arena_printf(parts->arena, "%s.%s", contract->name, field->name);
        struct filling f = begin(parts, MESH_POLICY_FIELD, name, field->name_at);
        fill_field(&f, parts->arena, contract, field);
    }
}

void mesh_policy_parts(const struct mesh_model_product *product, enum mesh_policy_over over, struct mesh_policy_part **ret,
                       size_t *ret_n)
{
    struct parts parts = {.arena = product->mesh->arena};
    const char *name = product->name.text;
#define PART(section, item) mesh_arena_printf(parts.arena, "%s/" section ".%s", name, (item)->name), (item)->at
    struct filling whole = begin(&parts, MESH_POLICY_PRODUCT, name, product->name.at);
    fill_product(&whole, product);
    for (size_t i = 0; over == MESH_POLICY_INPUT_PORT && i < product->inputs.n; i++) {
        struct filling f = begin(&parts, over, PART("inputPorts", product->inputs.v[i]));
        fill_input(&f, product, product->inputs.v[i]);
    }
    for (size_t i = 0; over == MESH_POLICY_STREAM && i < product->streams.n; i++) {
        struct filling f = begin(&parts, over, PART("streams", product->streams.v[i]));
        fill_stream(&f, product->streams.v[i]);
    }
    for (size_t i = 0; over == MESH_POLICY_VIEW && i < product->views.n; i++) {
        struct filling f = begin(&parts, over, PART("views", product->views.v[i]));
        fill_view(&f, product->views.v[i]);
    }
    for (size_t i = 0; over == MESH_POLICY_OUTPUT_PORT && i < product->ports.n; i++) {
        struct filling f = begin(&parts, over, PART("outputPorts", product->ports.v[i]));
        fill_port(&f, product, product->ports.v[i]);
    }
#undef PART
    for (size_t i = 0; over == MESH_POLICY_FIELD && i < product->inputs.n; i++)
        add_fields(&parts, product->inputs.v[i]->contract);
    for (size_t i = 0; over == MESH_POLICY_FIELD && i < product->ports.n; i++)
        add_fields(&parts, product->ports.v[i]->contract);
    *ret = parts.list.v;
    *ret_n = parts.list.n;
}

void mesh_policy_part_of_mesh(const struct mesh_model *mesh, struct mesh_policy_part *ret)
{
    *ret = (struct mesh_policy_part){.over = MESH_POLICY_OVER_COUNT};
    struct filling f = {mesh_attributes, ret, 0};
    fill_mesh(&f, mesh);
}

bool mesh_policy_value(const struct mesh_policy_part *part, const char *path, struct mesh_expr_value *ret, bool *ret_there)
{
    const struct kind *kind = part->over == MESH_POLICY_OVER_COUNT ? &mesh_kind : &kinds[part->over];
    size_t n = strlen(kind->name);
    if (strncmp(path, kind->name, n) != 0 || path[n] != '.')
        return false;
    for (size_t i = 0; i < kind->n; i++) {
        if (strcmp(kind->attributes[i].name, path + n + 1) != 0)
            continue;
        *ret = part->values[i];
        *ret_there = part->there[i];
        return true;
    }
    return false;
}

/* ---- documentation ---- */

static const char *type_name(enum mesh_gen_kind kind)
{
    return kind == MESH_GEN_STRING   ? "string"
           : kind == MESH_GEN_INT    ? "int"
           : kind == MESH_GEN_BOOL   ? "bool"
           : kind == MESH_GEN_DOUBLE ? "double"
                                     : "duration";
}

static void put_kind(const struct kind *kind, struct mesh_buf *out)
{
    mesh_buf_printf(out, "\n`%s`: %s\n\n| Name | Type | Value |\n| --- | --- | --- |\n", kind->name, kind->title);
    for (size_t i = 0; i < kind->n; i++)
        mesh_buf_printf(out, "| `%s` | %s%s | %s |\n", kind->attributes[i].name, type_name(kind->attributes[i].kind),
                        kind->attributes[i].nullable ? " or null" : "", kind->attributes[i].help);
}

void mesh_policy_markdown(struct mesh_buf *out)
{
    for (size_t i = 0; i < MESH_POLICY_OVER_COUNT; i++)
        put_kind(&kinds[i], out);
    put_kind(&mesh_kind, out);
}
