/* The driver: plan every product, fill the templates, write what changed, remove what is no longer made. */
#include "codegen/emit_int.h"
#include "codegen/text_diff.h"

#include "base/fs.h"
#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EMIT_FILE_BYTES_MAX (16u << 20)
#define EMIT_MANIFEST       "manifest"

struct emit_file {
    const char *path; /* relative to the domain's folder */
    struct mesh_str text;
};

struct emit_files {
    struct mesh_arena *arena;
    MESH_VEC(struct emit_file) list;
};

static void add_file(struct emit_files *files, const char *path, struct mesh_buf *text)
{
    char *copy = mesh_arena_alloc(files->arena, text->n + 1);
    if (text->n > 0)
        memcpy(copy, text->p, text->n);
    *mesh_vec_push_in(files->arena, &files->list) = (struct emit_file){path, {copy, (uint32_t)text->n}};
}

static int fill(struct emit_files *files, const char *template, const char *path, const struct mesh_data *data,
                struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    int r = mesh_template_fill(template, data, &text, err);
    if (r == 0)
        add_file(files, path, &text);
    return r;
}

/* ---- one product ---- */

static void hash_of(struct mesh_arena *arena, struct mesh_data *data, const char *name, const void *bytes, size_t n)
{
    uint8_t digest[32];
    char hex[65];
    mesh_sha256(bytes, n, digest);
    mesh_hex(digest, sizeof digest, hex);
    mesh_data_code(arena, data, name, "%s", hex);
}

static void describe(struct mesh_emitter *e, struct mesh_data *data)
{
    const struct mesh_model_product *m = e->product;
    struct mesh_arena *arena = e->arena;
    mesh_data_code(arena, data, "product", "%s", m->name.text);
    mesh_data_code(arena, data, "p", "%s", e->p);
    mesh_data_prose(arena, data, "domain", m->domain.text);
    mesh_data_prose(arena, data, "version", m->version.text);
    mesh_data_prose(arena, data, "status", m->status.text == NULL ? "draft" : m->status.text);
    mesh_data_prose(arena, data, "type", m->type.text == NULL ? "aggregate" : m->type.text);
    mesh_data_prose(arena, data, "purpose", m->purpose.text);
    mesh_data_prose(arena, data, "limitations", m->limitations.text);
    mesh_data_prose(arena, data, "usage", m->usage.text);
    mesh_data_prose(arena, data, "team", m->team.text);
    mesh_data_prose(arena, data, "sla_latency", m->sla_latency.text);
    mesh_data_prose(arena, data, "sla_availability", m->sla_availability.text);
    mesh_data_prose(arena, data, "sla_retention", m->sla_retention.text);
    mesh_data_prose(arena, data, "declaration", m->path);
    mesh_data_prose(arena, data, "pseudonym_key_env", m->mesh->pseudonym_key_env);
    bool erases = mesh_product_erases(m);
    mesh_data_code(arena, data, "erasure_topic", "%s", erases ? mesh_emit_cstr(e, m->mesh->erasure.text) : "NULL");
    mesh_data_code(arena, data, "receipts_topic", "%s", erases ? mesh_emit_cstr(e, m->mesh->receipts.text) : "NULL");
    mesh_data_code(arena, data, "abi", "%d", MESH_ABI);
    struct mesh_data *members = mesh_data_sub(arena, data, "members");
    for (size_t i = 0; i < m->members.n; i++) {
        struct mesh_data *member = mesh_data_add(arena, members);
        mesh_data_prose(arena, member, "username", m->members.v[i].username.text);
        mesh_data_prose(arena, member, "role", m->members.v[i].role.text);
    }
    struct mesh_data *enums = mesh_data_sub(arena, data, "symbol_arrays");
    for (size_t i = 0; i < e->enums.n; i++) {
        struct mesh_data *item = mesh_data_add(arena, enums);
        mesh_data_code(arena, item, "name", "%s", mesh_emit_symbols(e, e->enums.v[i]));
        struct mesh_data *symbols = mesh_data_sub(arena, item, "symbols");
        for (size_t k = 0; k < e->enums.v[i]->n_symbols; k++)
            mesh_data_code(arena, mesh_data_add(arena, symbols), "symbol", "%s", e->enums.v[i]->symbols[k]);
    }
}

/* What captures a pattern keeps, and with it its shape, is known once the code is made. */
const char *mesh_emit_shape_text(struct mesh_model_product *product)
{
    struct mesh_arena *arena = product->mesh->arena;
    struct mesh_emitter e = {.arena = arena, .product = product, .plan = mesh_plan_make(product), .p = product->name.text};
    if (e.plan == NULL)
        return NULL;
    struct mesh_data *data = mesh_data_map(arena);
    mesh_emit_structs_make(&e);
    mesh_emit_records(&e, data);
    mesh_emit_flows(&e, data);
    mesh_emit_views(&e, data);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf shape = MESH_BUF_NULL;
    mesh_emit_shape(&e, &shape);
    return mesh_arena_str(arena, (struct mesh_str){shape.p, (uint32_t)shape.n});
}

static int emit_product(struct mesh_model_product *product, struct emit_files *files, struct mesh_err *err)
{
    struct mesh_arena *arena = product->mesh->arena;
    struct mesh_emitter e = {.arena = arena, .product = product, .plan = mesh_plan_make(product), .p = product->name.text};
    if (e.plan == NULL)
        return 1;
    struct mesh_data *data = mesh_data_map(arena);
    mesh_emit_structs_make(&e);
    mesh_emit_records(&e, data);
    mesh_emit_flows(&e, data);
    mesh_emit_views(&e, data);
    mesh_emit_ports(&e, data);
    mesh_emit_tables(&e, data);
    describe(&e, data);
    struct mesh_emit_documents documents = {0};
    mesh_emit_documents(&e, data, &documents);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf shape = MESH_BUF_NULL;
    mesh_emit_shape(&e, &shape);
    hash_of(arena, data, "state_hash", shape.p == NULL ? "" : shape.p, shape.n);
    hash_of(arena, data, "declaration_hash", product->source->text, product->source->n);
    static const char *const parts[][2] = {
        {"product.h", "%s.h"},     {"records.c", "%s_records.c"}, {"streams.c", "%s_streams.c"},    {"views.c", "%s_views.c"},
        {"ports.c", "%s_ports.c"}, {"tables.c", "%s_tables.c"},   {"documents.c", "%s_documents.c"}};
    for (size_t i = 0; i < MESH_LEN(parts); i++) {
        const char *percent = strstr(parts[i][1], "%s");
        const char *path = mesh_arena_printf(arena, "%s%s", e.p, percent + 2);
        int r = fill(files, parts[i][0], path, data, err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < documents.list.n; i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        mesh_buf_puts(&text, documents.list.v[i].text);
        add_file(files, documents.list.v[i].file, &text);
    }
    return 0;
}

/* ---- one domain ---- */

static int emit_domain(struct mesh_model *model, const char *domain, struct emit_files *files, struct mesh_err *err)
{
    struct mesh_arena *arena = model->arena;
    struct mesh_data *data = mesh_data_map(arena);
    mesh_data_code(arena, data, "domain", "%s", domain);
    mesh_data_code(arena, data, "port", "%d", mesh_model_port(model, domain));
    mesh_data_code(arena, data, "gen", "build/gen/%s", domain);
    mesh_data_code(arena, data, "abi", "%d", MESH_ABI);
    struct mesh_data *products = mesh_data_sub(arena, data, "products");
    bool stop = false;
    for (size_t i = 0; i < model->products.n; i++) {
        struct mesh_model_product *product = model->products.v[i];
        if (strcmp(product->domain.text, domain) != 0)
            continue;
        int r = emit_product(product, files, err);
        if (r < 0)
            return r;
        stop = stop || r > 0;
        struct mesh_data *item = mesh_data_add(arena, products);
        mesh_data_code(arena, item, "name", "%s", product->name.text);
        mesh_data_prose(arena, item, "purpose", product->purpose.text);
    }
    if (stop)
        return 1;
    static const char *const parts[][2] = {
        {"main.c", "main.c"}, {"meson.build", "meson.build"}, {"Dockerfile", "Dockerfile"}, {"service_README.md", "README.md"}};
    for (size_t i = 0; i < MESH_LEN(parts); i++) {
        int r = fill(files, parts[i][0], parts[i][1], data, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- the folder: manifest, orphans, edits ---- */

struct manifest_entry {
    const char *path, *hash;
};

static void digest_hex(struct mesh_str text, char hex[65])
{
    uint8_t digest[32];
    mesh_sha256(text.p, text.n, digest);
    mesh_hex(digest, sizeof digest, hex);
}

static size_t read_manifest(struct mesh_arena *arena, const char *dir, struct manifest_entry **ret)
{
    MESH_VEC(struct manifest_entry) entries = {0};
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    const char *path = mesh_arena_printf(arena, "%s/%s", dir, EMIT_MANIFEST);
    if (mesh_fs_exists(path) && mesh_fs_read(path, EMIT_FILE_BYTES_MAX, &text, NULL) == 0) {
        char *save = NULL;
        for (char *line = strtok_r(text.p, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
            if (strlen(line) > 66)
                *mesh_vec_push_in(arena, &entries) = (struct manifest_entry){
                    .path = mesh_arena_strdup(arena, line + 66), .hash = mesh_arena_str(arena, (struct mesh_str){line, 64})};
    }
    *ret = entries.v;
    return entries.n;
}

static const struct manifest_entry *manifest_find(const struct manifest_entry *entries, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(entries[i].path, path) == 0)
            return &entries[i];
    return NULL;
}

static struct mesh_str read_now(struct mesh_arena *arena, const char *path)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf now = MESH_BUF_NULL;
    if (!mesh_fs_exists(path) || mesh_fs_read(path, EMIT_FILE_BYTES_MAX, &now, NULL) != 0)
        return (struct mesh_str){0};
    return mesh_str_of(mesh_arena_strdup(arena, now.p == NULL ? "" : now.p));
}

static void add_diff(struct mesh_arena *arena, struct mesh_generate_result *ret, const char *old_name, struct mesh_str old,
                     const char *new_name, struct mesh_str new)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_puts(&out, ret->diff == NULL ? "" : ret->diff);
    mesh_text_diff(arena, &out, old_name, old, new_name, new);
    ret->diff = out.p == NULL ? NULL : mesh_arena_strdup(arena, out.p);
}

/* A generated file that somebody changed by hand must not be overwritten without a word: the difference shows what is at stake. */
static int refuse_edited(struct mesh_arena *arena, const char *dir, const struct manifest_entry *entries, size_t n,
                         const struct emit_files *files, struct mesh_generate_result *ret, struct mesh_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const char *path = mesh_arena_printf(arena, "%s/%s", dir, entries[i].path);
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf now = MESH_BUF_NULL;
        char hex[65];
        if (!mesh_fs_exists(path) || mesh_fs_read(path, EMIT_FILE_BYTES_MAX, &now, NULL) != 0)
            continue;
        digest_hex((struct mesh_str){now.p, (uint32_t)now.n}, hex);
        if (strcmp(hex, entries[i].hash) == 0)
            continue;
        for (size_t k = 0; k < files->list.n; k++)
            if (strcmp(files->list.v[k].path, entries[i].path) == 0)
                add_diff(arena, ret, mesh_arena_printf(arena, "%s (as generated)", path), files->list.v[k].text, path,
                         (struct mesh_str){now.p, (uint32_t)now.n});
        return mesh_err_set(
            err, MESH_ERR_FATAL, "emit.edited",
            "%s is generated, but was changed by hand; nothing was written. Put the change into the declaration or a "
            "template, or delete the file to have it made again",
            path);
    }
    return 0;
}

static int write_domain(struct mesh_model *model, const char *domain, const struct emit_files *files,
                        const struct mesh_generate_options *options, struct mesh_generate_result *ret, struct mesh_err *err)
{
    struct mesh_arena *arena = model->arena;
    const char *dir = mesh_arena_printf(arena, "%s/%s", options->out, domain);
    struct manifest_entry *old = NULL;
    size_t n_old = read_manifest(arena, dir, &old);
    int r = refuse_edited(arena, dir, old, n_old, files, ret, err);
    if (r == 0 && !options->check)
        r = mesh_fs_mkdirs(dir, err);
    if (r < 0)
        return r;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf manifest = MESH_BUF_NULL;
    for (size_t i = 0; i < files->list.n; i++) {
        const struct emit_file *file = &files->list.v[i];
        const char *path = mesh_arena_printf(arena, "%s/%s", dir, file->path);
        char hex[65];
        digest_hex(file->text, hex);
        mesh_buf_printf(&manifest, "%s  %s\n", hex, file->path);
        bool written = false;
        if (options->check) {
            const struct manifest_entry *known = manifest_find(old, n_old, file->path);
            written = known == NULL || strcmp(known->hash, hex) != 0 || !mesh_fs_exists(path);
            if (written) {
                *mesh_vec_push_in(arena, &ret->stale) = path;
                add_diff(arena, ret, mesh_fs_exists(path) ? path : "/dev/null", read_now(arena, path), path, file->text);
            }
        } else {
            r = mesh_fs_write_changed(path, file->text.p, file->text.n, &written, err);
            if (r < 0)
                return r;
        }
        *(written ? &ret->written : &ret->unchanged) += 1;
    }
    for (size_t i = 0; i < n_old; i++) {
        bool made = false;
        for (size_t k = 0; k < files->list.n; k++)
            made = made || strcmp(files->list.v[k].path, old[i].path) == 0;
        if (made)
            continue;
        const char *path = mesh_arena_printf(arena, "%s/%s", dir, old[i].path);
        ret->removed++;
        if (options->check) {
            *mesh_vec_push_in(arena, &ret->stale) = path;
            add_diff(arena, ret, path, read_now(arena, path), "/dev/null", (struct mesh_str){0});
        } else if (unlink(path) != 0 && errno != ENOENT)
            return mesh_err_set(err, MESH_ERR_FATAL, "emit.orphan", "cannot remove %s, which is no longer generated: %s", path,
                                strerror(errno));
    }
    if (options->check)
        return 0;
    bool written = false;
    return mesh_fs_write_changed(mesh_arena_printf(arena, "%s/%s", dir, EMIT_MANIFEST), manifest.p, manifest.n, &written, err);
}

int mesh_generate(struct mesh_model *model, const struct mesh_generate_options *options, struct mesh_generate_result *ret,
                  struct mesh_err *err)
{
    *ret = (struct mesh_generate_result){0};
    struct made {
        const char *domain;
        struct emit_files files;
    };
    MESH_VEC(struct made) all = {0};
    bool stop = false;
    const char *last = NULL;
    for (size_t i = 0; i < model->products.n; i++) {
        const char *domain = model->products.v[i]->domain.text;
        bool wanted = options->domain == NULL || strcmp(options->domain, domain) == 0;
        if (!wanted || (last != NULL && strcmp(last, domain) == 0))
            continue;
        last = domain;
        struct made *made = mesh_vec_push_in(model->arena, &all);
        made->domain = domain;
        made->files.arena = model->arena;
        int r = emit_domain(model, domain, &made->files, err);
        if (r < 0)
            return r;
        stop = stop || r > 0;
    }
    if (stop)
        return 1; /* diagnostics of the plan; nothing was written */
    for (size_t i = 0; i < all.n; i++) {
        int r = write_domain(model, all.v[i].domain, &all.v[i].files, options, ret, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- topics ---- */

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_topic(struct mesh_arena *arena, struct mesh_emit_topics *ret, struct mesh_emit_topic topic)
{
    *mesh_vec_push_in(arena, &ret->list) = topic;
}

void mesh_emit_topics_of(const struct mesh_plan *plan, struct mesh_emit_topics *ret)
{
    const struct mesh_model_product *product = plan->product;
    struct mesh_arena *arena = product->mesh->arena;
    int32_t usual = product->mesh->default_partitions;
    *ret = (struct mesh_emit_topics){0};
    for (size_t k = 0; k < product->inputs.n; k++) {
        const struct mesh_model_input *input = product->inputs.v[k];
        const struct mesh_model_port *port = input->product_port;
        add_topic(arena, ret,
                  (struct mesh_emit_topic){input->topic.text, input->partitions > 0 ? input->partitions : usual,
                                           port != NULL ? port->compact : input->is_table,
                                           port != NULL ? MESH_TOPIC_UPSTREAM : MESH_TOPIC_INPUT});
    }
    for (size_t k = 0; k < product->ports.n; k++) {
        const struct mesh_model_port *port = product->ports.v[k];
        if (port->kind == MESH_MODEL_KAFKA)
            add_topic(arena, ret,
                      (struct mesh_emit_topic){port->topic.text, port->partitions > 0 ? port->partitions : usual, port->compact,
                                               MESH_TOPIC_PORT});
    }
    for (size_t k = 0; k < plan->internals.n; k++)
        add_topic(arena, ret, (struct mesh_emit_topic){plan->internals.v[k]->topic, usual, false, MESH_TOPIC_INTERNAL});
    static const char *const letters[] = {"dlq", "late", "retry"};
    for (size_t k = 0; k < MESH_LEN(letters); k++)
        add_topic(arena, ret,
                  (struct mesh_emit_topic){mesh_arena_printf(arena, "mesh.%s.%s", product->name.text, letters[k]), 1, false,
                                           MESH_TOPIC_LETTERS});
    if (!mesh_product_erases(product))
        return;
    add_topic(arena, ret, (struct mesh_emit_topic){product->mesh->erasure.text, 1, false, MESH_TOPIC_LETTERS});
    add_topic(arena, ret, (struct mesh_emit_topic){product->mesh->receipts.text, 1, false, MESH_TOPIC_LETTERS});
}

int mesh_emit_topics(struct mesh_model *model, struct mesh_buf *out)
{
    MESH_VEC(const char *) lines = {0};
    struct mesh_arena *arena = model->arena;
    for (size_t i = 0; i < model->products.n; i++) {
        struct mesh_plan *plan = mesh_plan_make(model->products.v[i]);
        struct mesh_emit_topics topics;
        if (plan == NULL)
            return 1;
        mesh_emit_topics_of(plan, &topics);
        for (size_t k = 0; k < topics.list.n; k++) {
            const struct mesh_emit_topic *topic = &topics.list.v[k];
            if (topic->use != MESH_TOPIC_UPSTREAM) /* its owner says */
                *mesh_vec_push_in(arena, &lines) =
                    mesh_arena_printf(arena, "%s %d %s", topic->name, topic->partitions, topic->compact ? "compact" : "delete");
        }
    }
    if (lines.n > 0)
        qsort(lines.v, lines.n, sizeof *lines.v, compare_text);
    for (size_t i = 0; i < lines.n; i++)
        if (i == 0 || strcmp(lines.v[i], lines.v[i - 1]) != 0)
            mesh_buf_printf(out, "%s\n", lines.v[i]);
    return 0;
}
