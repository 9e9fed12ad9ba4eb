#include "random.h"

#include "base/check.h"
#include "base/vec.h"

#include <string.h>

#define below(n)   mesh_rng_below(&random->rng, n)
#define say(...)   mesh_arena_printf(random->arena, __VA_ARGS__)
#define pick(list) (list)[below(sizeof(list) / sizeof(list)[0])]

static const char *const type_names[A_KINDS] = {"null",   "boolean", "int",  "long",  "float", "double", "bytes",
                                                "string", "record",  "enum", "fixed", "array", "map",    "union"};
static const char *const words[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
static const char *const all_symbols[] = {"RED", "GREEN", "BLUE", "GREY", "PINK", "GOLD"};

static struct node *make(struct random_avro *random, enum avro kind)
{
    struct node *node = mesh_arena_new(random->arena, struct node);
    *node = (struct node){.kind = kind};
    return node;
}

static bool is_named(const struct node *node)
{
    return node->kind == A_RECORD || node->kind == A_ENUM || node->kind == A_FIXED;
}

static const char *full_name(struct random_avro *random, const struct node *node)
{
    return node->space == NULL ? node->name : say("%s.%s", node->space, node->name);
}

/* ---- schemas ---- */

static struct node *any(struct random_avro *random, int depth);

static void name_it(struct random_avro *random, struct node *node)
{
    node->name = say("N%d", random->n_names++);
    node->space = random->spaceless ? NULL : below(4) == 0 ? "x.y" : "x";
    random->named[random->n_named++] = node;
}

/* Whether a field other than `but` has the name, or the alias: what two fields claim is no schema here. */
static bool names(const struct node *record, const char *name, const struct child *but)
{
    for (int i = 0; i < record->n; i++) {
        const struct child *field = &record->child[i];
        if (field != but && (strcmp(field->name, name) == 0 || (field->alias != NULL && strcmp(field->alias, name) == 0)))
            return true;
    }
    return false;
}

static void add_field(struct random_avro *random, struct node *record, struct node *type, bool has_default)
{
    const char *name = pick(words);
    while (names(record, name, NULL))
        name = pick(words);
    record->child[record->n++] = (struct child){.name = name, .type = type, .has_default = has_default};
}

/* What may stand beside others in a union: no union, no two of a kind without a name. */
static bool may_join(const struct node *in, const struct node *branch)
{
    for (int i = 0; i < in->n; i++) {
        const struct node *other = in->child[i].type;
        if (other == branch || (other->kind == branch->kind && !is_named(branch)))
            return false;
    }
    return branch->kind != A_UNION && in->n < CHILDREN_MAX;
}

static struct node *primitive(struct random_avro *random)
{
    return make(random, (enum avro)below(A_RECORD));
}

static struct node *compound(struct random_avro *random, enum avro kind, int depth)
{
    struct node *node = make(random, kind);
    if (is_named(node))
        name_it(random, node);
    if (kind == A_RECORD) {
        for (uint64_t n = 1 + below(4); n > 0; n--)
            add_field(random, node, any(random, depth - 1), below(3) == 0);
    } else if (kind == A_ENUM) {
        node->n = 1 + (int)below(4);
        for (int i = 0; i < node->n; i++)
            node->symbols[i] = all_symbols[i];
        node->enum_default = below(4) == 0 ? node->symbols[below((uint64_t)node->n)] : NULL;
    } else if (kind == A_FIXED) {
        node->size = 1 + (int)below(4);
    } else if (kind == A_UNION) {
        for (uint64_t n = 1 + below(4); n > 0; n--) {
            struct node *branch = n == 1 && below(2) == 0 ? make(random, A_NULL) : any(random, depth - 1);
            if (may_join(node, branch))
                node->child[node->n++].type = branch;
        }
        if (node->n == 0)
            node->child[node->n++].type = make(random, A_NULL);
    } else {
        node->child[node->n++].type = any(random, depth - 1);
    }
    return node;
}

static bool is_open(const struct random_avro *random, const struct node *node)
{
    return node->mark == random->mark;
}

static struct node *any(struct random_avro *random, int depth)
{
    if (random->n_named > 0 && below(8) == 0) { /* once more, or itself where a datum can end */
        struct node *again = random->named[below((uint64_t)random->n_named)];
        if (again->kind != A_RECORD || again->n > 0) {
            struct node *list = make(random, below(2) == 0 ? A_ARRAY : A_UNION);
            if (list->kind == A_UNION)
                list->child[list->n++].type = make(random, A_NULL);
            list->child[list->n++].type = again;
            return list;
        }
    }
    if (depth <= 0 || random->n_named >= 6 || below(5) < 2)
        return primitive(random);
    return compound(random, (enum avro)(A_RECORD + below(A_KINDS - A_RECORD)), depth);
}

struct node *avro_random(struct random_avro *random)
{
    random->n_named = random->n_names = 0;
    random->spaceless = below(3) == 0;
    return below(3) == 0 ? any(random, 3) : compound(random, A_RECORD, 3);
}

/* ---- changes ---- */

static struct node *copy_of(struct random_avro *random, struct node *node)
{
    if (node->copy != NULL)
        return node->copy;
    struct node *copy = make(random, node->kind);
    node->copy = copy;
    *copy = *node;
    copy->copy = NULL;
    bool has_types = node->kind == A_RECORD || node->kind == A_ARRAY || node->kind == A_MAP || node->kind == A_UNION;
    for (int i = 0; has_types && i < node->n; i++)
        copy->child[i].type = copy_of(random, node->child[i].type);
    return copy;
}

static void forget_copies(struct node *node)
{
    if (node->copy == NULL)
        return;
    node->copy = NULL;
    bool has_types = node->kind == A_RECORD || node->kind == A_ARRAY || node->kind == A_MAP || node->kind == A_UNION;
    for (int i = 0; has_types && i < node->n; i++)
        forget_copies(node->child[i].type);
}

struct places {
    struct node **at[200]; /* where a type stands */
    int n;
};

static void collect(struct random_avro *random, struct places *places, struct node **at)
{
    struct node *node = *at;
    if (places->n < 200)
        places->at[places->n++] = at;
    if (is_named(node) && is_open(random, node))
        return;
    node->mark = random->mark;
    bool has_types = node->kind == A_RECORD || node->kind == A_ARRAY || node->kind == A_MAP || node->kind == A_UNION;
    for (int i = 0; has_types && i < node->n; i++)
        collect(random, places, &node->child[i].type);
}

static void drop_child(struct node *node, int at)
{
    memmove(&node->child[at], &node->child[at + 1], (size_t)(node->n - at - 1) * sizeof node->child[0]);
    node->n--;
}

static void change_record(struct random_avro *random, struct node *node)
{
    int i = (int)below((uint64_t)node->n);
    struct child *field = &node->child[i];
    switch (below(7)) {
    case 0:
    case 1:
        if (node->n < CHILDREN_MAX - 1)
            add_field(random, node, below(2) == 0 ? primitive(random) : any(random, 1), below(3) != 0);
        return;
    case 2:
        if (node->n > 1)
            drop_child(node, i);
        return;
    case 3:
    case 4: { /* another name, usually with the old one as alias */
        const char *old = field->name;
        field->alias = below(4) == 0 || names(node, old, field) ? NULL : old;
        do
            field->name = say("%s%d", field->name, (int)below(3));
        while (names(node, field->name, field));
        return;
    }
    case 5: { /* another order */
        struct child last = node->child[node->n - 1];
        memmove(&node->child[1], &node->child[0], (size_t)(node->n - 1) * sizeof last);
        node->child[0] = last;
        return;
    }
    default:
        field->has_default = !field->has_default;
    }
}

static void change_enum(struct random_avro *random, struct node *node)
{
    uint64_t which = below(4);
    if (which == 0 && node->n < 5) {
        node->symbols[node->n++] = "EXTRA";
        for (int i = 0; i + 1 < node->n; i++) {
            if (strcmp(node->symbols[i], "EXTRA") == 0)
                node->n--;
        }
    } else if (which == 1 && node->n > 1) {
        node->n--;
        node->enum_default = NULL;
    } else if (which == 2) {
        const char *first = node->symbols[0];
        node->symbols[0] = node->symbols[node->n - 1];
        node->symbols[node->n - 1] = first;
    } else {
        node->enum_default = node->symbols[below((uint64_t)node->n)];
    }
}

static void change_name(struct random_avro *random, struct node *node)
{
    const char *old = full_name(random, node);
    node->alias = below(3) == 0 ? NULL : old;
    if (node->space == NULL || below(2) == 0)
        node->name = say("%sx", node->name);
    else
        node->space = below(2) == 0 ? "z" : "x.z";
}

static void change(struct random_avro *random, struct node **at)
{
    static const enum avro wider[A_KINDS] = {[A_INT] = A_LONG,     [A_LONG] = A_FLOAT,   [A_FLOAT] = A_DOUBLE,
                                             [A_DOUBLE] = A_FLOAT, [A_STRING] = A_BYTES, [A_BYTES] = A_STRING};
    struct node *node = *at;
    uint64_t which = below(10);
    if (which == 0 && node->kind != A_UNION) { /* into a union */
        struct node *both = make(random, A_UNION);
        both->child[both->n++].type = node->kind == A_NULL ? make(random, A_INT) : make(random, A_NULL);
        both->child[both->n++].type = node;
        if (below(2) == 0) {
            both->child[1] = both->child[0];
            both->child[0].type = node;
        }
        *at = both;
    } else if (which == 1 && is_named(node)) {
        change_name(random, node);
    } else if (node->kind == A_RECORD) {
        change_record(random, node);
    } else if (node->kind == A_ENUM) {
        change_enum(random, node);
    } else if (node->kind == A_FIXED) {
        node->size += which < 3;
    } else if (node->kind == A_UNION) {
        struct node *more = any(random, 1);
        if (which < 4 && node->n > 1)
            drop_child(node, (int)below((uint64_t)node->n));
        else if (which < 6)
            *at = node->child[below((uint64_t)node->n)].type; /* may be a union's branch that stands alone now */
        else if (may_join(node, more))
            node->child[node->n++].type = more;
    } else if (node->kind == A_ARRAY || node->kind == A_MAP) {
        if (which < 3)
            node->kind = node->kind == A_ARRAY ? A_MAP : A_ARRAY;
    } else {
        *at = make(random, wider[node->kind] != A_NULL && which < 8 ? wider[node->kind] : (enum avro)below(A_RECORD));
    }
}

/* A change of a branch may have made a union that Avro does not allow. */
static bool is_legal(struct random_avro *random, struct node *node)
{
    if (is_named(node) && is_open(random, node))
        return true;
    node->mark = random->mark;
    bool has_types = node->kind == A_RECORD || node->kind == A_ARRAY || node->kind == A_MAP || node->kind == A_UNION;
    for (int i = 0; has_types && i < node->n; i++) {
        struct node *type = node->child[i].type;
        for (int k = 0; node->kind == A_UNION && k < i; k++) {
            const struct node *other = node->child[k].type;
            if (other->kind == type->kind && (!is_named(type) || other == type))
                return false;
        }
        if ((node->kind == A_UNION && type->kind == A_UNION) || !is_legal(random, type))
            return false;
    }
    return true;
}

struct node *avro_changed(struct random_avro *random, struct node *schema)
{
    struct node *before[MESH_LEN(random->named)];
    int n_before = random->n_named;
    memcpy(before, random->named, sizeof before);
    for (;;) {
        struct node *root = copy_of(random, schema);
        random->n_named = 0;
        for (int i = 0; i < n_before; i++) {
            if (before[i]->copy != NULL)
                random->named[random->n_named++] = before[i]->copy;
        }
        forget_copies(schema);
        for (uint64_t n = 1 + below(3); n > 0; n--) {
            struct places places = {0};
            random->mark++;
            collect(random, &places, &root);
            change(random, places.at[below((uint64_t)places.n)]);
        }
        random->mark++;
        if (is_legal(random, root))
            return root;
    }
}

/* ---- text ---- */

static void put_default(struct random_avro *random, const struct node *node, struct mesh_buf *out, int depth)
{
    static const char *const numbers[] = {"0", "-1", "7", "2147483647"};
    static const char *const fractions[] = {"0.0", "1.5", "-2e3", "7"};
    static const char *const texts[] = {"\"\"", "\"text\"", "\"\\u00e9\""};
    switch (node->kind) {
    case A_NULL:
        mesh_buf_puts(out, "null");
        return;
    case A_BOOLEAN:
        mesh_buf_puts(out, below(2) == 0 ? "true" : "false");
        return;
    case A_INT:
    case A_LONG:
        mesh_buf_puts(out, pick(numbers));
        return;
    case A_FLOAT:
    case A_DOUBLE:
        mesh_buf_puts(out, pick(fractions));
        return;
    case A_BYTES:
    case A_STRING:
        mesh_buf_puts(out, pick(texts));
        return;
    case A_ENUM:
        mesh_buf_printf(out, "\"%s\"", node->symbols[below((uint64_t)node->n)]);
        return;
    case A_FIXED:
        mesh_buf_putc(out, '"');
        for (int i = 0; i < node->size; i++)
            mesh_buf_puts(out, i % 2 == 0 ? "\\u00ff" : "a");
        mesh_buf_putc(out, '"');
        return;
    case A_ARRAY:
    case A_MAP:
        mesh_buf_puts(out, node->kind == A_ARRAY ? "[" : "{");
        if (depth > 0 && node->child[0].type->kind < A_RECORD &&
            below(2) == 0) { /* Java cannot parse one of a record that is not closed */
            mesh_buf_puts(out, node->kind == A_ARRAY ? "" : "\"k\": ");
            put_default(random, node->child[0].type, out, depth - 1);
        }
        mesh_buf_puts(out, node->kind == A_ARRAY ? "]" : "}");
        return;
    case A_UNION:
        put_default(random, node->child[0].type, out, depth - 1);
        return;
    case A_RECORD:
    case A_KINDS:
        break;
    }
    mesh_buf_putc(out, '{');
    for (int i = 0; i < node->n; i++) {
        mesh_buf_printf(out, "%s\"%s\": ", i == 0 ? "" : ", ", node->child[i].name);
        put_default(random, node->child[i].type, out, depth - 1);
    }
    mesh_buf_putc(out, '}');
}

/* Whether a default can be written: not for what holds itself outside of arrays and unions. */
static bool ends(const struct node *node, int depth)
{
    if (depth > 12)
        return false;
    if (node->kind == A_UNION)
        return ends(node->child[0].type, depth + 1);
    for (int i = 0; node->kind == A_RECORD && i < node->n; i++) {
        if (!ends(node->child[i].type, depth + 1))
            return false;
    }
    return true;
}

static void put_schema(struct random_avro *random, struct node *node, const char *space, struct mesh_buf *out);

static void put_noise(struct random_avro *random, struct mesh_buf *out)
{
    static const char *const noise[] = {"\"doc\": \"what \\u00e9\\n it is\"", "\"x-owner\": {\"a\": [1, 2.5e1, null]}",
                                        "\"doc\": \"\""};
    if (below(6) == 0)
        mesh_buf_printf(out, "%s, ", pick(noise));
}

static void put_fields(struct random_avro *random, struct node *node, const char *space, struct mesh_buf *out)
{
    mesh_buf_puts(out, ", \"fields\": [");
    for (int i = 0; i < node->n; i++) {
        struct child *field = &node->child[i];
        mesh_buf_puts(out, i == 0 ? "{" : ", {");
        put_noise(random, out);
        mesh_buf_printf(out, "\"name\": \"%s\", \"type\": ", field->name);
        put_schema(random, field->type, space, out);
        if (field->alias != NULL)
            mesh_buf_printf(out, ", \"aliases\": [\"%s\"]", field->alias);
        if (field->has_default && ends(field->type, 0)) {
            mesh_buf_puts(out, ", \"default\": ");
            put_default(random, field->type, out, 3);
        }
        if (below(10) == 0)
            mesh_buf_puts(out, ", \"order\": \"ignore\"");
        mesh_buf_putc(out, '}');
    }
    mesh_buf_putc(out, ']');
}

static void put_named(struct random_avro *random, struct node *node, const char *space, struct mesh_buf *out)
{
    const char *own = node->space == NULL ? "" : node->space;
    bool same = strcmp(own, space) == 0;
    if (is_open(random, node)) {
        if (same && below(2) == 0)
            mesh_buf_printf(out, "\"%s\"", node->name);
        else
            mesh_buf_printf(out, "\"%s\"", full_name(random, node));
        return;
    }
    node->mark = random->mark;
    mesh_buf_puts(out, "{");
    put_noise(random, out);
    mesh_buf_printf(out, "\"type\": \"%s\", ", type_names[node->kind]);
    if (!same && node->space != NULL && below(2) == 0)
        mesh_buf_printf(out, "\"name\": \"%s\"", full_name(random, node));
    else if (!same || below(3) == 0)
        mesh_buf_printf(out, "\"namespace\": \"%s\", \"name\": \"%s\"", own, node->name);
    else
        mesh_buf_printf(out, "\"name\": \"%s\"", node->name);
    if (node->alias != NULL)
        mesh_buf_printf(out, ", \"aliases\": [\"%s\"]", node->alias);
    if (node->kind == A_FIXED)
        mesh_buf_printf(out, ", \"size\": %d", node->size);
    if (node->kind == A_RECORD)
        put_fields(random, node, own, out);
    if (node->kind == A_ENUM) {
        mesh_buf_puts(out, ", \"symbols\": [");
        for (int i = 0; i < node->n; i++)
            mesh_buf_printf(out, "%s\"%s\"", i == 0 ? "" : ",", node->symbols[i]);
        mesh_buf_puts(out, "]");
        if (node->enum_default != NULL)
            mesh_buf_printf(out, ", \"default\": \"%s\"", node->enum_default);
    }
    mesh_buf_putc(out, '}');
}

static void put_schema(struct random_avro *random, struct node *node, const char *space, struct mesh_buf *out)
{
    if (is_named(node)) {
        put_named(random, node, space, out);
    } else if (node->kind == A_UNION) {
        mesh_buf_putc(out, '[');
        for (int i = 0; i < node->n; i++) {
            mesh_buf_puts(out, i == 0 ? "" : ", ");
            put_schema(random, node->child[i].type, space, out);
        }
        mesh_buf_putc(out, ']');
    } else if (node->kind == A_ARRAY || node->kind == A_MAP) {
        mesh_buf_printf(out, "{\"type\": \"%s\", \"%s\": ", type_names[node->kind], node->kind == A_ARRAY ? "items" : "values");
        put_schema(random, node->child[0].type, space, out);
        mesh_buf_putc(out, '}');
    } else if (below(8) == 0) {
        mesh_buf_printf(out, "{ \"type\" : \"%s\" }", type_names[node->kind]);
    } else {
        mesh_buf_printf(out, "\"%s\"", type_names[node->kind]);
    }
}

void avro_text(struct random_avro *random, struct node *schema, struct mesh_buf *out)
{
    random->mark++;
    put_schema(random, schema, "", out);
}

/* ---- data ---- */

static void put_number(struct random_avro *random, const struct node *node, struct mesh_buf *out)
{
    static const int64_t edges[] = {0, 1, -1, 63, 64, -64, -65, INT32_MAX, INT32_MIN};
    static const int64_t wide[] = {INT64_MAX, INT64_MIN, 9007199254740993, -9007199254740993, 16777217};
    static const double fractions[] = {0.0, -0.0, 1.5, -2e30, 0.1, 1e-40};
    if (node->kind == A_INT || node->kind == A_LONG) {
        mesh_buf_zigzag(out, node->kind == A_LONG && below(2) == 0 ? pick(wide) : pick(edges));
    } else if (node->kind == A_FLOAT) {
        float f = (float)pick(fractions);
        mesh_buf_add(out, &f, sizeof f);
    } else {
        double d = pick(fractions);
        mesh_buf_add(out, &d, sizeof d);
    }
}

static void put_text(struct random_avro *random, const struct node *node, struct mesh_buf *out)
{
    static const char *const texts[] = {"", "x", "hello", "\303\251\342\202\254", "\360\237\230\200"};
    static const char *const raw[] = {"\377\376", "\200", "\355\240\200"};
    const char *text = node->kind == A_BYTES && below(4) == 0 ? pick(raw) : pick(texts);
    mesh_buf_zigzag(out, (int64_t)strlen(text));
    mesh_buf_puts(out, text);
}

static void put_items(struct random_avro *random, const struct node *node, struct mesh_buf *out, int depth)
{
    uint64_t n = depth <= 0 ? 0 : below(3);
    n = node->kind == A_MAP && n > 1 ? 1 : n; /* Java's maps have no order */
    if (n > 0) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf block = MESH_BUF_NULL;
        for (uint64_t i = 0; i < n; i++) {
            if (node->kind == A_MAP)
                put_text(random, &(struct node){.kind = A_STRING}, &block);
            avro_datum(random, node->child[0].type, &block, depth - 1);
        }
        bool sized = below(3) == 0; /* a block that says how long it is */
        mesh_buf_zigzag(out, sized ? -(int64_t)n : (int64_t)n);
        if (sized)
            mesh_buf_zigzag(out, (int64_t)block.n);
        mesh_buf_add(out, block.p, block.n);
    }
    mesh_buf_zigzag(out, 0);
}

void avro_datum(struct random_avro *random, const struct node *schema, struct mesh_buf *out, int depth)
{
    switch (schema->kind) {
    case A_NULL:
        return;
    case A_BOOLEAN:
        mesh_buf_u8(out, (uint8_t)below(2));
        return;
    case A_INT:
    case A_LONG:
    case A_FLOAT:
    case A_DOUBLE:
        put_number(random, schema, out);
        return;
    case A_BYTES:
    case A_STRING:
        put_text(random, schema, out);
        return;
    case A_ENUM:
        mesh_buf_zigzag(out, (int64_t)below((uint64_t)schema->n));
        return;
    case A_FIXED:
        for (int i = 0; i < schema->size; i++)
            mesh_buf_u8(out, (uint8_t)below(256));
        return;
    case A_ARRAY:
    case A_MAP:
        put_items(random, schema, out, depth);
        return;
    case A_UNION: {
        uint64_t branch = depth <= 0 ? 0 : below((uint64_t)schema->n);
        mesh_buf_zigzag(out, (int64_t)branch);
        avro_datum(random, schema->child[branch].type, out, depth - 1);
        return;
    }
    case A_RECORD:
    case A_KINDS:
        break;
    }
    for (int i = 0; i < schema->n; i++)
        avro_datum(random, schema->child[i].type, out, depth - 1);
}
