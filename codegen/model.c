/* From files to the model: find the products, parse and bind each, and build what it declares. Names are not resolved here
 * (check.c); what was reported as wrong is left out, so that one mistake gives one message. */
#include "codegen/model.h"

#include "base/fs.h"
#include "codegen/bind_internal.h"
#include "codegen/model_load.h"
#include "codegen/policy.h"

#include <stdlib.h>
#include <string.h>

#define READ_BYTES_MAX (16u * MESH_YAML_BYTES_MAX) /* what is too large is read so far that it can be said where */

static const struct mesh_source *read_source(struct mesh_model *model, const char *path, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (mesh_fs_read(mesh_arena_printf(model->arena, "%s/%s", model->root, path), READ_BYTES_MAX, &text, err) != 0)
        return NULL;
    char *copy = mesh_arena_alloc(model->arena, text.n + 1);
    if (text.n > 0)
        memcpy(copy, text.p, text.n);
    return mesh_source_new(model->arena, mesh_arena_printf(model->arena, "%s%s", model->shown, path), copy, text.n);
}

struct mesh_model_text mesh_load_text(const struct mesh_yaml *map, const char *key)
{
    const char *text = mesh_bind_text(map, key);
    const struct mesh_yaml *node = mesh_yaml_get(map, key);
    return text == NULL ? (struct mesh_model_text){0} : (struct mesh_model_text){text, node->at};
}

/* ---- mesh.yaml ---- */

static const char *pseudonym_env(struct mesh_model *model, const struct mesh_yaml *root)
{
    struct mesh_model_text ref = mesh_load_text(mesh_yaml_get(root, "pseudonym"), "keyRef");
    if (ref.text == NULL)
        return NULL;
    const char *name = strncmp(ref.text, "env:", 4) == 0 ? ref.text + 4 : "";
    if (name[0] != '\0' && name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == '\0')
        return name;
    struct mesh_diag *diag =
        mesh_diag_add(model->diags, MESH_ERROR, "MG004", ref.at, "'%s' is not env:NAME", strlen(ref.text) > 12 ? "..." : ref.text);
    mesh_diag_why(model->diags, diag, "the key is a secret: a file of the mesh only names the environment variable that holds it");
    mesh_diag_fix(model->diags, diag, "for example: keyRef: env:MESH_PSEUDONYM_KEY");
    return NULL;
}

static int load_mesh(struct mesh_model *model, struct mesh_err *err)
{
    const struct mesh_source *source = read_source(model, "mesh.yaml", err);
    if (source == NULL)
        return -1;
    model->default_partitions = (int32_t)mesh_bind_integer(&mesh_bind_mesh, NULL, "topics.partitions");
    model->compatibility = (enum mesh_compat_mode)mesh_bind_enum(&mesh_bind_mesh, NULL, "compatibility");
    model->name = "";
    const struct mesh_yaml *root = mesh_yaml_parse(model->arena, source, model->diags);
    if (root == NULL || !mesh_bind_check(&mesh_bind_mesh, root, "mesh.yaml", model->arena, model->diags))
        return 0;
    const char *name = mesh_bind_text(root, "name");
    model->name = name == NULL ? "" : name;
    model->default_partitions = (int32_t)mesh_bind_integer(&mesh_bind_mesh, mesh_yaml_get(root, "topics"), "topics.partitions");
    if (mesh_bind_text(root, "compatibility") != NULL && mesh_bind_enum(&mesh_bind_mesh, root, "compatibility") >= 0) {
        model->compatibility = (enum mesh_compat_mode)mesh_bind_enum(&mesh_bind_mesh, root, "compatibility");
        model->compatibility_given = true;
    }
    model->pseudonym_key_env = pseudonym_env(model, root);
    model->erasure = mesh_load_text(mesh_yaml_get(root, "erasure"), "topic");
    model->receipts = mesh_load_text(mesh_yaml_get(root, "erasure"), "receipts");
    mesh_policy_load(model, root);
    const struct mesh_yaml *services = mesh_yaml_get(root, "services");
    for (size_t i = 0; services != NULL && i < services->entries.n; i++)
        *mesh_vec_push_in(model->arena, &model->services) =
            (struct mesh_model_service){services->entries.v[i].key, (int)strtol(services->entries.v[i].value->text, NULL, 10)};
    return 0;
}

#define SERVICE_PORT_FIRST 8081

static bool port_taken(const struct mesh_model *model, int port)
{
    for (size_t i = 0; i < model->services.n; i++)
        if (model->services.v[i].port == port)
            return true;
    return false;
}

int mesh_model_port(const struct mesh_model *model, const char *domain)
{
    for (size_t i = 0; i < model->services.n; i++)
        if (strcmp(model->services.v[i].domain, domain) == 0)
            return model->services.v[i].port;
    int port = SERVICE_PORT_FIRST;
    const char *last = NULL;
    for (size_t i = 0; i < model->products.n; i++) {
        const char *name = model->products.v[i]->domain.text;
        if (name == NULL || (last != NULL && strcmp(last, name) == 0))
            continue;
        last = name;
        bool declared = false;
        for (size_t k = 0; k < model->services.n; k++)
            declared = declared || strcmp(model->services.v[k].domain, name) == 0;
        while (!declared && port_taken(model, port))
            port++;
        if (strcmp(name, domain) == 0)
            return port;
        port += declared ? 0 : 1;
    }
    return port;
}

/* ---- products ---- */

static void check_place(struct mesh_model *model, const struct mesh_model_product *product, const char *domain)
{
    if (product->domain.text == NULL || strcmp(product->domain.text, domain) == 0)
        return;
    struct mesh_diag *diag = mesh_diag_add(model->diags, MESH_ERROR, "MG007", product->domain.at,
                                           "the domain is '%s', but the file stands in domains/%s", product->domain.text, domain);
    mesh_diag_why(model->diags, diag, "a domain is its folder: contracts, service and container have the same name");
    if (mesh_bind_is_name(domain))
        mesh_diag_fix(model->diags, diag, "write 'domain: %s', or move the file to domains/%s", domain, product->domain.text);
    else
        mesh_diag_fix(model->diags, diag, "move the file to domains/%s", product->domain.text);
}

static void load_product(struct mesh_model *model, const char *path, const char *domain)
{
    struct mesh_err err = {0};
    const struct mesh_source *source = read_source(model, path, &err);
    if (source == NULL) {
        model->incomplete = true;
        struct mesh_diag *diag = mesh_diag_add(model->diags, MESH_ERROR, "MG006", (struct mesh_srcref){0}, "%s", err.text);
        mesh_diag_why(model->diags, diag, "every domains/DOMAIN/product.yaml is part of the mesh");
        mesh_diag_fix(model->diags, diag, "make the file readable, or remove it");
        return;
    }
    const struct mesh_yaml *root = mesh_yaml_parse(model->arena, source, model->diags);
    if (root == NULL || !mesh_bind_check(&mesh_bind_product, root, path, model->arena, model->diags)) {
        model->incomplete = true;
        return;
    }
    struct mesh_model_product *product = mesh_arena_new(model->arena, struct mesh_model_product);
    product->mesh = model;
    product->source = source;
    product->path = mesh_arena_strdup(model->arena, path);
    product->yaml = root;
    mesh_load_product(product, root);
    check_place(model, product, domain);
    if (product->name.text == NULL || product->domain.text == NULL) {
        model->incomplete = true;
        return;
    }
    *mesh_vec_push_in(model->arena, &model->products) = product;
}

/* domains/<d>/product.yaml and domains/<d>/<p>/product.yaml; the folder `tests` holds tests, whatever their names. */
static int load_domain(struct mesh_model *model, const char *domain, struct mesh_err *err)
{
    const char *folder = mesh_arena_printf(model->arena, "domains/%s", domain);
    const char *full = mesh_arena_printf(model->arena, "%s/%s", model->root, folder);
    if (!mesh_fs_is_dir(full))
        return 0;
    char **names = NULL;
    size_t n = 0;
    if (mesh_fs_list(model->arena, full, &names, &n, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], "tests") == 0)
            continue;
        const char *path = strcmp(names[i], "product.yaml") == 0
                               ? mesh_arena_printf(model->arena, "%s/product.yaml", folder)
                               : mesh_arena_printf(model->arena, "%s/%s/product.yaml", folder, names[i]);
        if (mesh_fs_exists(mesh_arena_printf(model->arena, "%s/%s", model->root, path)))
            load_product(model, path, domain);
    }
    return 0;
}

static int by_domain_and_name(const void *a, const void *b)
{
    const struct mesh_model_product *left = *(struct mesh_model_product *const *)a;
    const struct mesh_model_product *right = *(struct mesh_model_product *const *)b;
    int order = strcmp(left->domain.text, right->domain.text);
    if (order == 0)
        order = strcmp(left->name.text, right->name.text);
    return order != 0 ? order : strcmp(left->path, right->path);
}

int mesh_model_load(struct mesh_arena *arena, struct mesh_diags *diags, const char *root, struct mesh_model **ret,
                    struct mesh_err *err)
{
    return mesh_model_load_shown(arena, diags, root, "", ret, err);
}

int mesh_model_load_shown(struct mesh_arena *arena, struct mesh_diags *diags, const char *root, const char *shown,
                          struct mesh_model **ret, struct mesh_err *err)
{
    struct mesh_model *model = mesh_arena_new(arena, struct mesh_model);
    model->arena = arena;
    model->diags = diags;
    model->root = mesh_arena_strdup(arena, root);
    model->shown = mesh_arena_strdup(arena, shown);
    if (load_mesh(model, err) != 0)
        return -1;
    char **domains = NULL;
    size_t n = 0;
    const char *folder = mesh_arena_printf(arena, "%s/domains", root);
    if (mesh_fs_is_dir(folder) && mesh_fs_list(arena, folder, &domains, &n, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (load_domain(model, domains[i], err) != 0)
            return -1;
    }
    if (model->products.n > 1)
        qsort(model->products.v, model->products.n, sizeof *model->products.v, by_domain_and_name);
    for (size_t i = 0; i < model->products.n; i++)
        model->products.v[i]->index = (uint32_t)i;
    mesh_load_versions(model);
    *ret = model;
    return 0;
}
