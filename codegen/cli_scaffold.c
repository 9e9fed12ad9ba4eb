/* init and new-domain. */
#include "codegen/bind_internal.h"
#include "codegen/check.h"
#include "codegen/cli.h"
#include "codegen/scaffold.h"

#include "base/fs.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int write_files(struct mesh_cli *cli, const char *root, const struct mesh_scaffold *scaffold)
{
    const char *there = NULL;
    struct mesh_err err = {0};
    if (cli->dry_run) {
        for (size_t i = 0; i < scaffold->files.n; i++)
            printf("%s---- %s\n%s", i == 0 ? "" : "\n", scaffold->files.v[i].path, scaffold->files.v[i].text);
        return MESH_CLI_OK;
    }
    int r = mesh_scaffold_write(&cli->arena, root, scaffold, &there, &err);
    if (r > 0)
        return mesh_cli_fail("'%s' exists already and is yours: nothing was written", there);
    if (r < 0)
        return mesh_cli_fail("%s", err.text);
    for (size_t i = 0; i < scaffold->files.n; i++)
        printf("created %s\n", scaffold->files.v[i].path);
    return MESH_CLI_OK;
}

/* A name for the mesh from the name of its folder. */
static const char *name_of_folder(struct mesh_cli *cli, const char *folder)
{
    char full[PATH_MAX];
    if (realpath(folder, full) == NULL)
        return "mesh";
    const char *last = strrchr(full, '/');
    char *name = mesh_arena_strdup(&cli->arena, last == NULL ? full : last + 1);
    for (char *p = name; *p != '\0'; p++)
        *p = isalnum((unsigned char)*p) ? (char)tolower((unsigned char)*p) : '_';
    return mesh_bind_is_name(name) ? name : "mesh";
}

int mesh_cli_init(struct mesh_cli *cli)
{
    const char *root = cli->n_args == 1 ? cli->args[0] : cli->mesh_dir != NULL ? cli->mesh_dir : ".";
    struct mesh_err err = {0};
    if (!cli->dry_run && mesh_fs_mkdirs(root, &err) != 0)
        return mesh_cli_fail("%s", err.text);
    struct mesh_scaffold scaffold;
    mesh_scaffold_mesh(&cli->arena, name_of_folder(cli, root), &scaffold);
    int code = write_files(cli, root, &scaffold);
    if (code == MESH_CLI_OK && !cli->dry_run)
        printf("next: meshgen new-domain NAME%s%s\n", strcmp(root, ".") == 0 ? "" : " --mesh ", strcmp(root, ".") == 0 ? "" : root);
    return code;
}

int mesh_cli_new_domain(struct mesh_cli *cli)
{
    const char *name = cli->args[0];
    if (!mesh_bind_is_name(name) || mesh_names_reserved(name))
        return mesh_cli_fail("'%s' cannot be the name of a domain: a letter, then letters, digits and _, and no word of C", name);
    struct mesh_model *model = mesh_cli_model(cli, NULL);
    if (model == NULL)
        return MESH_CLI_USAGE;
    if (mesh_fs_exists(mesh_arena_printf(&cli->arena, "%s/domains/%s", model->root, name)))
        return mesh_cli_fail("the domain '%s' exists already: nothing was written", name);
    static const char *const types[] = {"aggregate", "source-aligned", "consumer-aligned"};
    const char *type = cli->type == NULL ? types[0] : NULL;
    for (size_t i = 0; type == NULL && i < MESH_LEN(types); i++)
        type = strcmp(types[i], cli->type) == 0 ? types[i] : NULL;
    if (type == NULL)
        return mesh_cli_fail("--type is source-aligned, aggregate or consumer-aligned, not '%s'", cli->type);
    struct mesh_scaffold scaffold;
    const char *mesh = model->name[0] == '\0' ? "mesh" : model->name;
    if (cli->from != NULL) {
        struct mesh_schema *schema = NULL;
        struct mesh_err err = {0};
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        int read = mesh_cli_read_schema(cli, cli->from, &schema);
        if (read != 0)
            return read;
        if (mesh_fs_read(cli->from, MESH_SCAFFOLD_CONTRACT_BYTES_MAX, &text, &err) != 0 ||
            mesh_scaffold_from(&cli->arena, mesh, name, type, schema, (struct mesh_str){text.p, (uint32_t)text.n}, &scaffold,
                               &err) != 0)
            return mesh_cli_fail("%s: %s", cli->from, err.text);
    } else {
        mesh_scaffold_domain(&cli->arena, mesh, name, type, &scaffold);
    }
    int code = write_files(cli, model->root, &scaffold);
    if (code == MESH_CLI_OK && !cli->dry_run)
        printf("next: meshgen check, then change domains/%s/product.yaml\n", name);
    return code;
}
