/* The decoders that meshgen emits for other versions of a contract, held against contract/resolve.h: seeded random pairs of
 * schemas, the emitted C compiled and run on random data, whole, truncated and broken, with an unmapped page behind it. What a
 * version wrote must be read as if the reader's own version had written what the resolver makes of it. */
#include "base/fs.h"
#include "base/rng.h"
#include "codegen/emit.h"
#include "contract/resolve.h"

#include "../check.h"

#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SUBJECTS 48
#define FIELDS   9
#define WRITERS  2 /* v1 and v3; the reader is v2 */
#define DATA     40
#define TEXT_MAX 8192

static struct mesh_arena arena;
static struct mesh_rng rng;

static unsigned below(unsigned n)
{
    return (unsigned)(mesh_rng_next(&rng) % n);
}
static bool often(unsigned percent)
{
    return below(100) < percent;
}

/* ---- schemas ---- */

enum kind { BOOLEAN, INT, LONG, FLOAT, DOUBLE, BYTES, STRING, DECIMAL, FIXED_DECIMAL, FIXED, ENUM, MILLIS, MICROS, DATE, KINDS };

static const char *const types[KINDS] = {
    "\"boolean\"",
    "\"int\"",
    "\"long\"",
    "\"float\"",
    "\"double\"",
    "\"bytes\"",
    "\"string\"",
    "{\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 9, \"scale\": 2}",
    "{\"type\": \"fixed\", \"name\": \"D%d\", \"size\": 8, \"logicalType\": \"decimal\", \"precision\": 12, \"scale\": 3}",
    "{\"type\": \"fixed\", \"name\": \"F%d\", \"size\": 4}",
    "{\"type\": \"enum\", \"name\": \"E%d\", \"symbols\": [\"A\", \"B\", \"C\"]}",
    "{\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}",
    "{\"type\": \"long\", \"logicalType\": \"timestamp-micros\"}",
    "{\"type\": \"int\", \"logicalType\": \"date\"}",
};
static const char *const defaults[KINDS] = {
    "true",
    "-2147483648",
    "-9223372036854775808",
    "0.5",
    "-1e300",
    "\"a\\u0000\\u00ff\"",
    "\"?\\u003f\\\"\\\\ h\\u00e9\\n\"",
    "\"\\u00ff\\u0001\"",
    "\"\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0001\\u0000\"",
    "\"x\\u0000y\\u00fe\"",
    "\"B\"",
    "1700000000123",
    "-1",
    "20000",
};
static const char *const enums[] = {
    /* what a writer may have */
    "{\"type\": \"enum\", \"name\": \"E%d\", \"symbols\": [\"A\", \"B\", \"C\"]}",
    "{\"type\": \"enum\", \"name\": \"E%d\", \"symbols\": [\"C\", \"A\"]}",
    "{\"type\": \"enum\", \"name\": \"E%d\", \"symbols\": [\"A\", \"B\"]}",
    "{\"type\": \"enum\", \"name\": \"E%d\", \"symbols\": [\"X\", \"B\", \"A\", \"Y\", \"C\"]}",
};

struct field {
    enum kind kind;
    bool nullable, null_first, has_default, aliased, enum_default;
};

static const char *numbered(const char *text, int i)
{
    const char *mark = strstr(text, "%d");
    return mark == NULL ? text : mesh_arena_printf(&arena, "%.*s%d%s", (int)(mark - text), text, i, mark + 2);
}

static const char *reader_type(const struct field *f, int i)
{
    const char *type = numbered(types[f->kind], i);
    if (f->kind == ENUM && f->enum_default)
        type = mesh_arena_printf(
            &arena, "{\"type\": \"enum\", \"name\": \"E%d\", \"symbols\": [\"A\", \"B\", \"C\"], \"default\": \"C\"}", i);
    if (!f->nullable)
        return type;
    return f->null_first ? mesh_arena_printf(&arena, "[\"null\", %s]", type) : mesh_arena_printf(&arena, "[%s, \"null\"]", type);
}

static enum kind narrower(enum kind kind)
{
    static const enum kind of_long[] = {LONG, INT}, of_float[] = {FLOAT, INT, LONG}, of_double[] = {DOUBLE, INT, LONG, FLOAT},
                           of_text[] = {STRING, BYTES};
    return kind == LONG                      ? of_long[below(2)]
           : kind == FLOAT                   ? of_float[below(3)]
           : kind == DOUBLE                  ? of_double[below(4)]
           : kind == STRING || kind == BYTES ? of_text[below(2)]
                                             : kind;
}

static const char *writer_type(const struct field *f, int i)
{
    enum kind kind = often(60) ? f->kind : narrower(f->kind);
    const char *type = kind == ENUM ? numbered(enums[below(4)], i) : numbered(types[kind], i);
    if (often(8) && (f->kind == LONG || f->kind == DOUBLE))
        return f->nullable ? "[\"int\", \"null\", \"long\"]" : "[\"int\", \"long\"]";
    if (often(4))
        return f->nullable ? mesh_arena_printf(&arena, "[\"null\", \"boolean\", %s]", kind == BOOLEAN ? "\"int\"" : type)
                           : mesh_arena_printf(&arena, "[%s]", type);
    if (f->nullable ? often(60) : often(12))
        return often(50) ? mesh_arena_printf(&arena, "[\"null\", %s]", type) : mesh_arena_printf(&arena, "[%s, \"null\"]", type);
    return type;
}

#define HEAD "{\"type\": \"record\", \"name\": \"R\", \"label\": \"internal\", \"fields\": [\n"
#define KEYS                                                                                                                       \
    "{\"name\": \"k\", \"type\": \"string\"},\n{\"name\": \"at\", \"type\": {\"type\": \"long\", \"logicalType\": "                \
    "\"timestamp-millis\"}}"

static const char *reader_text(const struct field *fields)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_puts(&out, HEAD KEYS);
    for (int i = 0; i < FIELDS; i++) {
        mesh_buf_printf(&out, ",\n{\"name\": \"f%d\", \"type\": %s", i, reader_type(&fields[i], i));
        if (fields[i].has_default)
            mesh_buf_printf(&out, ", \"default\": %s",
                            fields[i].nullable && fields[i].null_first ? "null" : defaults[fields[i].kind]);
        if (fields[i].aliased)
            mesh_buf_printf(&out, ", \"aliases\": [\"g%d\"]", i);
        mesh_buf_puts(&out, "}");
    }
    mesh_buf_puts(&out, "\n]}\n");
    return mesh_arena_strdup(&arena, out.p);
}

static const char *writer_text(const struct field *fields)
{
    static const char *const more[] = {
        "{\"name\": \"x0\", \"type\": {\"type\": \"array\", \"items\": {\"type\": \"map\", \"values\": [\"null\", \"string\"]}}}",
        "{\"name\": \"x1\", \"type\": [\"null\", \"R\", \"double\"]}",
        "{\"name\": \"x2\", \"type\": {\"type\": \"fixed\", \"name\": \"X2\", \"size\": 3}}",
        "{\"name\": \"x3\", \"type\": {\"type\": \"record\", \"name\": \"X3\", \"fields\": [{\"name\": \"a\", \"type\": "
        "\"float\"}, {\"name\": \"b\", "
        "\"type\": {\"type\": \"enum\", \"name\": \"X4\", \"symbols\": [\"P\", \"Q\"]}}]}}",
    };
    const char *list[FIELDS + MESH_LEN(more) + 1];
    size_t n = 0;
    list[n++] = KEYS;
    for (int i = 0; i < FIELDS; i++) {
        if (often(fields[i].has_default ? 25 : 1))
            continue;
        list[n++] = mesh_arena_printf(&arena, "{\"name\": \"%c%d\", \"type\": %s}", fields[i].aliased && often(60) ? 'g' : 'f', i,
                                      writer_type(&fields[i], i));
    }
    for (size_t i = 0; i < MESH_LEN(more); i++) {
        if (often(25))
            list[n++] = more[i];
    }
    for (size_t i = n; i-- > 1;) {
        size_t k = below((unsigned)i + 1);
        const char *other = list[k];
        list[k] = list[i];
        list[i] = other;
    }
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_puts(&out, HEAD);
    for (size_t i = 0; i < n; i++)
        mesh_buf_printf(&out, "%s%s", i == 0 ? "" : ",\n", list[i]);
    mesh_buf_puts(&out, "\n]}\n");
    return mesh_arena_strdup(&arena, out.p);
}

/* ---- the mesh ---- */

static char root[] = "/tmp/mesh-resolve-XXXXXX";

static void put(const char *path, const char *text)
{
    struct mesh_err err = {0};
    const char *full = mesh_arena_printf(&arena, "%s/%s", root, path);
    CHECK(mesh_fs_mkdirs(mesh_arena_printf(&arena, "%.*s", (int)(strrchr(full, '/') - full), full), &err) == 0);
    CHECK(mesh_fs_write_atomic(full, text, strlen(text), &err) == 0);
}

static void put_product(void)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf in = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf views = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf ports = MESH_BUF_NULL;
    for (int s = 0; s < SUBJECTS; s++) {
        mesh_buf_printf(&in, "  i%d: { topic: t.i%d, contract: w/s%d@2, key: k, eventTime: at }\n", s, s, s);
        mesh_buf_printf(&views, "  v%d:\n    from: i%d\n    by: k\n    keep: 1d\n    let:\n", s, s);
        for (int f = 0; f < FIELDS; f++)
            mesh_buf_printf(&views, "      a%d: last(f%d)\n", f, f);
        mesh_buf_printf(&ports, "  v%d: { kind: http, from: v%d, path: /v%d }\n", s, s, s);
    }
    put("domains/w/product.yaml",
        mesh_arena_printf(
            &arena,
            "apiVersion: mesh/v1\nkind: DataProduct\nname: w\ndomain: w\nversion: 1.0.0\ndescription: { purpose: A test. }\n"
            "team: { name: t, members: [{ username: a@t.example, role: owner }] }\n"
            "slaProperties: { latency: 5s, availability: 99%%, retention: 90d }\ninputPorts:\n%sviews:\n%soutputPorts:\n%s",
            in.p, views.p, ports.p));
}

/* A function per subject: decode, print every member. */
static void put_driver(const struct mesh_model *model)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_puts(&out, "#include \"w.h\"\n#include <stdio.h>\n#include <string.h>\n"
                        "static void bytes(FILE *f, struct mesh_str s)\n{\n    for (uint32_t i = 0; i < s.n; i++)\n"
                        "        fprintf(f, \"%02x\", (unsigned char)s.p[i]);\n}\n");
    for (size_t s = 0; s < model->products.v[0]->inputs.n; s++) {
        const struct mesh_model_input *input = model->products.v[0]->inputs.v[s];
        mesh_buf_printf(&out,
                        "int read_%zu(const uint8_t *p, size_t n, uint32_t version, char *text, size_t size);\n"
                        "int read_%zu(const uint8_t *p, size_t n, uint32_t version, char *text, size_t size)\n{\n"
                        "    struct s%zu_v2 r;\n    memset(&r, 0, sizeof r);\n    struct mesh_in in = {.p = p, .end = p + n};\n"
                        "    w_decode_s%zu_v2(&in, version, &r);\n    if (in.fault == MESH_AVRO_OK && in.p != in.end)\n"
                        "        in.fault = MESH_AVRO_TRAILING;\n    if (in.fault != MESH_AVRO_OK)\n        return (int)in.fault;\n"
                        "    FILE *f = fmemopen(text, size, \"w\");\n",
                        s, s, s, s);
        for (size_t i = 0; i < input->shape->members.n; i++) {
            const struct mesh_gen_member *m = &input->shape->members.v[i];
            const char *name = m->cname;
            if (m->type.nullable)
                mesh_buf_printf(&out, "    if (!r.%s_set)\n        fprintf(f, \"null,\");\n    else\n", name);
            if (m->type.kind == MESH_GEN_STRING || m->type.kind == MESH_GEN_BYTES)
                mesh_buf_printf(&out, "        bytes(f, r.%s);\n", name);
            else if (m->type.kind == MESH_GEN_DOUBLE)
                mesh_buf_printf(&out, "        fprintf(f, \"%%a\", r.%s);\n", name);
            else
                mesh_buf_printf(&out, "        fprintf(f, \"%%lld\", (long long)r.%s);\n", name);
            mesh_buf_puts(&out, "    fputc(',', f);\n");
        }
        mesh_buf_puts(&out, "    fclose(f);\n    return 0;\n}\n");
    }
    put("out/w/driver.c", out.p);
}

typedef int read_fn(const uint8_t *p, size_t n, uint32_t version, char *text, size_t size);

static struct {
    struct mesh_model *model;
    void *library;
} made;

static bool make(void)
{
    struct mesh_err err = {0};
    struct mesh_diags diags = {.arena = &arena};
    mesh_rng_seed(&rng, 20261121);
    CHECK(mkdtemp(root) != NULL);
    put("mesh.yaml", "apiVersion: mesh/v1\nkind: Mesh\nname: t\ncompatibility: NONE\n");
    for (int s = 0; s < SUBJECTS; s++) {
        struct field fields[FIELDS];
        for (int f = 0; f < FIELDS; f++)
            fields[f] = (struct field){(enum kind)below(KINDS), often(30), often(50), often(80), often(25), often(50)};
        put(mesh_arena_printf(&arena, "contracts/w/s%d.v1.avsc", s), writer_text(fields));
        put(mesh_arena_printf(&arena, "contracts/w/s%d.v2.avsc", s), reader_text(fields));
        put(mesh_arena_printf(&arena, "contracts/w/s%d.v3.avsc", s), writer_text(fields));
    }
    put_product();
    CHECK(mesh_model_load(&arena, &diags, root, &made.model, &err) == 0);
    mesh_check(made.model);
    if (diags.n_errors > 0)
        mesh_diag_print(&diags, stdout, MESH_DIAG_TEXT, false);
    struct mesh_generate_options options = {.out = mesh_arena_printf(&arena, "%s/out", root)};
    struct mesh_generate_result result = {0};
    if (!check_true(diags.n_errors == 0 && mesh_generate(made.model, &options, &result, &err) == 0, __FILE__, __LINE__,
                    "it is generated"))
        return false;
    put_driver(made.model);
    const char *command = mesh_arena_printf(&arena,
                                            "${CC:-cc} -std=gnu17 -O1 -shared -fPIC -Wall -Wextra -Wconversion -Wshadow -Werror -I "
                                            "platform/include -I %s/out/w -o %s/w.so "
                                            "%s/out/w/w_records.c %s/out/w/driver.c",
                                            root, root, root, root);
    CHECK(system(command) == 0);
    made.library = dlopen(mesh_arena_printf(&arena, "%s/w.so", root), RTLD_LAZY);
    return check_true(made.library != NULL, __FILE__, __LINE__, "the emitted decoders are loaded");
}

/* ---- data ---- */

static void random_number(const struct mesh_schema *schema, struct mesh_buf *out)
{
    static const int64_t edges[] = {0, 1, -1, 63, 64, INT32_MAX, INT32_MIN};
    int64_t v = edges[below(7)];
    if (schema->kind == MESH_AVRO_LONG && often(30))
        v = often(50) ? INT64_MAX : INT64_MIN;
    if (schema->logical != MESH_LOGICAL_NONE && often(95))
        v = (int64_t)below(40000) * (schema->logical == MESH_LOGICAL_DATE ? 1 : 1000);
    mesh_buf_zigzag(out, v);
}

static void random_bytes(size_t n, bool text, struct mesh_buf *out)
{
    static const char *const letters[] = {"a", "?", "\"", "\xc3\xa9"};
    for (size_t i = 0; i < n; i++)
        mesh_buf_puts(out, letters[below(text ? 4 : 3)]);
    if (!text && n > 0 && often(20))
        out->p[out->n - 1] = (char)0xff;
}

static void random_datum(const struct mesh_schema *schema, int depth, struct mesh_buf *out)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf part = MESH_BUF_NULL;
    size_t n = 0;
    switch (schema->kind) {
    case MESH_AVRO_NULL:
    case MESH_AVRO_KIND_COUNT:
        break;
    case MESH_AVRO_BOOLEAN:
        mesh_buf_u8(out, (uint8_t)below(2));
        break;
    case MESH_AVRO_INT:
    case MESH_AVRO_LONG:
        random_number(schema, out);
        break;
    case MESH_AVRO_FLOAT: {
        float v = often(5) ? NAN : (float)below(1000) / 8;
        mesh_buf_add(out, &v, sizeof v);
        break;
    }
    case MESH_AVRO_DOUBLE: {
        double v = often(5) ? INFINITY : (double)below(100000) / 7;
        mesh_buf_add(out, &v, sizeof v);
        break;
    }
    case MESH_AVRO_BYTES:
    case MESH_AVRO_STRING:
        if (schema->logical == MESH_LOGICAL_DECIMAL) {
            mesh_buf_u8(&part, (uint8_t)below(256));
            for (n = below(often(95) ? 3 : 9); n > 0; n--)
                mesh_buf_u8(&part, (uint8_t)below(256));
        } else {
            random_bytes(below(12), schema->kind == MESH_AVRO_STRING, &part);
        }
        mesh_buf_zigzag(out, (int64_t)part.n);
        mesh_buf_add(out, part.p, part.n);
        break;
    case MESH_AVRO_FIXED:
        for (uint32_t i = 0; i < schema->size; i++)
            mesh_buf_u8(out, schema->logical == MESH_LOGICAL_DECIMAL && i < 4 && often(97) ? 0 : (uint8_t)below(256));
        break;
    case MESH_AVRO_ENUM:
        mesh_buf_zigzag(out, below((unsigned)schema->n_symbols));
        break;
    case MESH_AVRO_RECORD:
        for (size_t i = 0; i < schema->n_fields; i++)
            random_datum(schema->fields[i].type, depth + 1, out);
        break;
    case MESH_AVRO_ARRAY:
    case MESH_AVRO_MAP:
        n = depth > 4 ? 0 : below(3);
        if (n > 0)
            mesh_buf_zigzag(out, (int64_t)n);
        for (size_t i = 0; i < n; i++) {
            if (schema->kind == MESH_AVRO_MAP) {
                mesh_buf_zigzag(out, 1);
                mesh_buf_u8(out, 'k');
            }
            random_datum(schema->items, depth + 1, out);
        }
        mesh_buf_zigzag(out, 0);
        break;
    case MESH_AVRO_UNION:
        n = below((unsigned)schema->n_branches);
        if (depth > 1)
            n = 0; /* null: the end of a recursion */
        mesh_buf_zigzag(out, (int64_t)n);
        random_datum(schema->branches[n], depth + 1, out);
        break;
    }
}

/* ---- reading ---- */

static size_t page;
static char *guarded; /* a page, and one behind it that nobody may touch */

/* Decode bytes that end where the page ends. The fault, or 0 and the members as text. */
static int run(read_fn *read, const void *bytes, size_t n, uint32_t version, char text[TEXT_MAX])
{
    char *to = guarded + page - n;
    text[0] = '\0';
    if (n > 0)
        memcpy(to, bytes, n);
    return read((const uint8_t *)to, n, version, text, TEXT_MAX);
}

static size_t n_read, n_refused, n_broken;

/* Whether `read` agrees with the resolver on these bytes. `whole`: they are a datum of the writer. */
static bool agrees(read_fn *read, const struct mesh_resolve *resolve, uint32_t version, const struct mesh_buf *datum, bool whole)
{
    char got[TEXT_MAX];
    char wanted[TEXT_MAX];
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf resolved = MESH_BUF_NULL;
    struct mesh_err err = {0};
    int fault = run(read, datum->p, datum->n, version, got);
    if (mesh_resolve_run(resolve, datum->p, datum->n, &resolved, &err) != 0) {
        n_refused += whole;
        return !whole || fault != 0;
    }
    int own = run(read, resolved.p, resolved.n, 0, wanted);
    n_read += whole && own == 0;
    return own == 0 ? fault == 0 && strcmp(got, wanted) == 0 : fault != 0;
}

static void read_version(size_t subject, uint32_t version)
{
    const struct mesh_model_contract *reader = made.model->products.v[0]->inputs.v[subject]->contract;
    const struct mesh_model_contract *writer = reader->reads.v[version];
    read_fn *read = NULL;
    *(void **)(void *)&read = dlsym(made.library, mesh_arena_printf(&arena, "read_%zu", subject));
    struct mesh_resolve *resolve = NULL;
    struct mesh_err err = {0};
    CHECK(read != NULL && mesh_resolve_new(writer->schema, reader->schema, &resolve, &err) == 0);
    for (int i = 0; i < DATA; i++) {
        char text[TEXT_MAX];
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf datum = MESH_BUF_NULL;
        random_datum(writer->schema, 0, &datum);
        if (datum.n > page / 2)
            continue;
        if (!agrees(read, resolve, version, &datum, true)) {
            printf("# %s read as %s, datum %d\n", writer->name, reader->name, i);
            CHECK(!"the emitted decoder and the resolver agree");
        }
        for (size_t n = 0; n < datum.n; n++)
            CHECK(run(read, datum.p, n, version, text) != 0);
        for (int k = 0; k < 20; k++) {
            datum.p[below((unsigned)datum.n)] = (char)below(256);
            CHECK(agrees(read, resolve, version, &datum, false));
            n_broken++;
        }
    }
    mesh_resolve_free(resolve);
}

CASE(emitted_decoders_read_other_versions_as_the_resolver_does)
{
    size_t versions = 0;
    REQUIRE(make());
    page = (size_t)sysconf(_SC_PAGESIZE) * 4;
    guarded = mmap(NULL, page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(guarded != MAP_FAILED && mprotect(guarded + page, page, PROT_NONE) == 0);
    for (size_t s = 0; s < SUBJECTS; s++) {
        const struct mesh_model_contract *reader = made.model->products.v[0]->inputs.v[s]->contract;
        for (uint32_t v = 1; v < reader->reads.n; v++, versions++)
            read_version(s, v);
    }
    printf("# %zu versions, %zu data read, %zu refused, %zu broken\n", versions, n_read, n_refused, n_broken);
    CHECK(versions > SUBJECTS && n_read > 500 && n_refused > 100); /* the sample has something to say */
}

CASE(the_folder_goes)
{
    struct mesh_err err = {0};
    CHECK(mesh_fs_remove_tree(root, &err) == 0);
}
