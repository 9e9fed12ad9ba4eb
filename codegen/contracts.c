/* Contracts are found by their name alone: `sales_fraud/payment@1` is contracts/sales_fraud/payment.v1.avsc. A name that leads
 * nowhere is answered with what is there. */
#include "base/fs.h"
#include "codegen/bind_internal.h"
#include "codegen/model_load.h"

#include <stdlib.h>
#include <string.h>

#define VERSIONS_SHOWN_MAX 20

/* "payment.v12.avsc": true, and 12, when it is a version of the subject. */
static bool is_version_of(const char *file, const char *subject, int *ret_version)
{
    size_t n = strlen(subject);
    if (strncmp(file, subject, n) != 0 || strncmp(file + n, ".v", 2) != 0)
        return false;
    char *end = NULL;
    long version = strtol(file + n + 2, &end, 10);
    *ret_version = (int)version;
    return end != file + n + 2 && strcmp(end, ".avsc") == 0;
}

/* The subjects of a folder of contracts, each once. */
static size_t subjects(struct mesh_model *model, char **files, size_t n_files, const char ***ret)
{
    MESH_VEC(const char *) names = {0};
    for (size_t i = 0; i < n_files; i++) {
        const char *dot = strstr(files[i], ".v");
        if (dot == NULL)
            continue;
        const char *subject = mesh_arena_printf(model->arena, "%.*s", (int)(dot - files[i]), files[i]);
        if (names.n == 0 || strcmp(names.v[names.n - 1], subject) != 0)
            *mesh_vec_push_in(model->arena, &names) = subject;
    }
    *ret = names.v;
    return names.n;
}

static void report_domain(struct mesh_model *model, struct mesh_diag *diag, const char *domain)
{
    struct mesh_err err = {0};
    char **folders = NULL;
    size_t n = 0;
    if (mesh_fs_list(model->arena, mesh_arena_printf(model->arena, "%s/contracts", model->root), &folders, &n, &err) != 0)
        n = 0;
    const char *near = mesh_did_you_mean(domain, (const char *const *)folders, n);
    if (near != NULL)
        mesh_diag_hint(model->diags, diag, "did you mean '%s'?", near);
    mesh_diag_why(model->diags, diag, "there is no folder contracts/%s", domain);
}

static void report_missing(struct mesh_model *model, struct mesh_model_text name, const struct mesh_model_contract *contract)
{
    struct mesh_diag *diag =
        mesh_diag_add(model->diags, MESH_ERROR, "MG011", name.at, "the contract '%s' does not exist", name.text);
    mesh_diag_fix(model->diags, diag, "create %s, or name a contract that exists", contract->path);
    struct mesh_err err = {0};
    char **files = NULL;
    size_t n = 0;
    const char *folder = mesh_arena_printf(model->arena, "%s/contracts/%s", model->root, contract->domain);
    if (!mesh_fs_is_dir(folder) || mesh_fs_list(model->arena, folder, &files, &n, &err) != 0) {
        report_domain(model, diag, contract->domain);
        return;
    }
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf versions = MESH_BUF_NULL;
    int newest = 0;
    size_t shown = 0;
    for (size_t i = 0; i < n; i++) {
        int version = 0;
        if (!is_version_of(files[i], contract->subject, &version))
            continue;
        newest = version > newest ? version : newest;
        if (shown++ < VERSIONS_SHOWN_MAX)
            mesh_buf_printf(&versions, "%s@%d", versions.n == 0 ? "" : ", ", version);
    }
    if (newest > 0) {
        mesh_diag_hint(model->diags, diag, "the newest version is @%d", newest);
        mesh_diag_why(model->diags, diag, "contracts/%s has these versions of '%s': %s", contract->domain, contract->subject,
                      versions.p);
        mesh_diag_fix(model->diags, diag, "write '%s/%s@%d', or create %s", contract->domain, contract->subject, newest,
                      contract->path);
        return;
    }
    const char **known = NULL;
    size_t n_known = subjects(model, files, n, &known);
    const char *near = mesh_did_you_mean(contract->subject, known, n_known);
    if (near != NULL)
        mesh_diag_hint(model->diags, diag, "did you mean '%s/%s'?", contract->domain, near);
    for (size_t i = 0; i < n_known && i < VERSIONS_SHOWN_MAX; i++)
        mesh_buf_printf(&versions, "%s%s", i == 0 ? "" : ", ", known[i]);
    mesh_diag_why(model->diags, diag, "contracts/%s has: %s", contract->domain, versions.n == 0 ? "nothing" : versions.p);
}

static void load_schema(struct mesh_model *model, struct mesh_model_contract *contract, const struct mesh_buf *text)
{
    char *copy = mesh_arena_alloc(model->arena, text->n + 1);
    if (text->n > 0)
        memcpy(copy, text->p, text->n);
    const char *shown = mesh_arena_printf(model->arena, "%s%s", model->shown, contract->path);
    contract->source = mesh_source_new(model->arena, shown, copy, text->n);
    struct mesh_schema *schema = mesh_schema_parse(model->arena, contract->source, model->diags);
    if (schema == NULL)
        return;
    if (schema->kind != MESH_AVRO_RECORD) {
        struct mesh_diag *diag = mesh_diag_add(model->diags, MESH_ERROR, "MG012", schema->at, "a contract must be a record");
        mesh_diag_why(model->diags, diag,
                      "the values of a topic are records: their fields are what a declaration reads and writes");
        mesh_diag_fix(model->diags, diag, "wrap it: {\"type\": \"record\", \"name\": ..., \"fields\": [...]}");
        return;
    }
    contract->schema = schema;
    contract->local_id = mesh_schema_local_id(schema);
    contract->fingerprint = mesh_schema_fingerprint(schema);
}

static struct mesh_model_contract *find(const struct mesh_model *model, const char *name)
{
    for (size_t i = 0; i < model->contracts.n; i++) {
        if (strcmp(model->contracts.v[i]->name, name) == 0)
            return model->contracts.v[i];
    }
    return NULL;
}

/* Read the file of a contract, which exists. What cannot be read is in the list too, without source: it is reported once. */
static void load_file(struct mesh_model *model, struct mesh_model_contract *contract, struct mesh_srcref at)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    *mesh_vec_push_in(model->arena, &model->contracts) = contract;
    if (mesh_fs_read(mesh_arena_printf(model->arena, "%s/%s", model->root, contract->path), MESH_JSON_BYTES_MAX, &text, &err) ==
        0) {
        load_schema(model, contract, &text);
        return;
    }
    struct mesh_diag *diag = mesh_diag_add(model->diags, MESH_ERROR, "MG006", at, "%s", err.text);
    mesh_diag_why(model->diags, diag, "'%s' is read from this file", contract->name);
    mesh_diag_fix(model->diags, diag, "make the file readable");
}

static struct mesh_model_contract *new_contract(struct mesh_model *model, const char *name)
{
    struct mesh_model_contract *contract = mesh_arena_new(model->arena, struct mesh_model_contract);
    contract->name = name;
    if (!mesh_bind_split_contract(model->arena, name, &contract->domain, &contract->subject, &contract->version))
        return NULL;
    contract->path =
        mesh_arena_printf(model->arena, "contracts/%s/%s.v%d.avsc", contract->domain, contract->subject, contract->version);
    return contract;
}

struct mesh_model_contract *mesh_model_contract(struct mesh_model *model, struct mesh_model_text name)
{
    if (name.text == NULL)
        return NULL;
    struct mesh_model_contract *contract = find(model, name.text);
    if (contract == NULL) {
        contract = new_contract(model, name.text);
        if (contract == NULL)
            return NULL;
        if (!mesh_fs_exists(mesh_arena_printf(model->arena, "%s/%s", model->root, contract->path))) {
            report_missing(model, name, contract);
            return NULL;
        }
        contract->named = true;
        load_file(model, contract, name.at);
    }
    return contract->source == NULL ? NULL : contract;
}

/* ---- all that lies there ---- */

static bool is_left_behind(const struct mesh_model *model, const struct mesh_model_contract *contract)
{
    bool newer = false;
    for (size_t i = 0; i < model->contracts.n; i++) {
        const struct mesh_model_contract *other = model->contracts.v[i];
        newer = newer || (other->named && other->version > contract->version && strcmp(other->subject, contract->subject) == 0 &&
                          strcmp(other->domain, contract->domain) == 0);
    }
    return newer;
}

/* A version that was left behind: its errors count, a warning could not be heeded. */
static void load_left_behind(struct mesh_model *model, struct mesh_model_contract *contract)
{
    struct mesh_diags *diags = model->diags;
    struct mesh_diags own = {.arena = diags->arena};
    model->diags = &own;
    load_file(model, contract, (struct mesh_srcref){0});
    model->diags = diags;
    for (size_t i = 0; i < own.list.n; i++) {
        const struct mesh_diag *from = own.list.v[i];
        if (from->severity != MESH_ERROR)
            continue;
        struct mesh_diag *to = mesh_diag_add(diags, MESH_ERROR, from->code, from->at, "%s", from->text);
        to->hint = from->hint;
        to->why = from->why;
        to->fix = from->fix;
        to->n_notes = from->n_notes;
        memcpy(to->notes, from->notes, sizeof to->notes);
    }
}

static void no_version(struct mesh_model *model, const char *path)
{
    struct mesh_diag *diag = mesh_diag_add(model->diags, MESH_WARNING, "MG062", (struct mesh_srcref){0},
                                           "%s%s is not the file of a version: nothing reads it", model->shown, path);
    mesh_diag_why(model->diags, diag, "'domain/subject@3' is the file contracts/domain/subject.v3.avsc, and no other");
    mesh_diag_fix(model->diags, diag, "rename the file, or remove it");
}

static int by_subject_and_version(const void *a, const void *b)
{
    const struct mesh_model_contract *left = *(struct mesh_model_contract *const *)a;
    const struct mesh_model_contract *right = *(struct mesh_model_contract *const *)b;
    int order = strcmp(left->domain, right->domain);
    if (order == 0)
        order = strcmp(left->subject, right->subject);
    return order != 0 ? order : (left->version > right->version) - (left->version < right->version);
}

static void load_folder(struct mesh_model *model, const char *domain)
{
    struct mesh_err err = {0};
    char **files = NULL;
    size_t n = 0;
    const char *folder = mesh_arena_printf(model->arena, "%s/contracts/%s", model->root, domain);
    if (!mesh_fs_is_dir(folder) || mesh_fs_list(model->arena, folder, &files, &n, &err) != 0)
        return; /* whoever names a contract in it is told */
    for (size_t i = 0; i < n; i++) {
        const char *dot = strrchr(files[i], '.');
        if (dot == NULL || strcmp(dot, ".avsc") != 0)
            continue;
        const char *v = strstr(files[i], ".v");
        const char *name = v == NULL ? ""
                                     : mesh_arena_printf(model->arena, "%s/%.*s@%.*s", domain, (int)(v - files[i]), files[i],
                                                         (int)(dot - v - 2), v + 2);
        struct mesh_model_contract *contract = v == NULL || dot < v + 2 ? NULL : new_contract(model, name);
        if (contract == NULL) {
            no_version(model, mesh_arena_printf(model->arena, "contracts/%s/%s", domain, files[i]));
        } else if (find(model, name) == NULL && is_left_behind(model, contract)) {
            contract->left_behind = true;
            load_left_behind(model, contract);
        } else if (find(model, name) == NULL) {
            load_file(model, contract, (struct mesh_srcref){0});
        }
    }
}

void mesh_load_versions(struct mesh_model *model)
{
    struct mesh_err err = {0};
    char **folders = NULL;
    size_t n = 0;
    const char *root = mesh_arena_printf(model->arena, "%s/contracts", model->root);
    if (!mesh_fs_is_dir(root) || mesh_fs_list(model->arena, root, &folders, &n, &err) != 0)
        return;
    for (size_t i = 0; i < n; i++)
        load_folder(model, folders[i]);
    if (model->contracts.n == 0)
        return;
    struct mesh_model_contract **sorted = mesh_arena_alloc(model->arena, model->contracts.n * sizeof *sorted);
    memcpy(sorted, model->contracts.v, model->contracts.n * sizeof *sorted);
    qsort(sorted, model->contracts.n, sizeof *sorted, by_subject_and_version);
    struct mesh_model_subject *subject = NULL;
    for (size_t i = 0; i < model->contracts.n; i++) {
        if (subject == NULL || strcmp(subject->domain, sorted[i]->domain) != 0 || strcmp(subject->name, sorted[i]->subject) != 0) {
            subject = mesh_arena_new(model->arena, struct mesh_model_subject);
            subject->domain = sorted[i]->domain;
            subject->name = sorted[i]->subject;
            *mesh_vec_push_in(model->arena, &model->subjects) = subject;
        }
        *mesh_vec_push_in(model->arena, &subject->versions) = sorted[i];
    }
}
