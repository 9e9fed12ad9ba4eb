/* Finding the mesh, checking it, and what is printed of it. */
#include "codegen/cli.h"
#include "codegen/plan.h"
#include "codegen/policy.h"

#include "base/clock.h"
#include "base/fs.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int mesh_cli_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("meshgen: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return MESH_CLI_USAGE;
}

static bool has_mesh(struct mesh_cli *cli, const char *folder)
{
    return mesh_fs_exists(mesh_arena_printf(&cli->arena, "%s/mesh.yaml", folder));
}

const char *mesh_cli_root(struct mesh_cli *cli, const char *start)
{
    if (cli->mesh_dir != NULL) {
        if (has_mesh(cli, cli->mesh_dir))
            return cli->mesh_dir;
        mesh_cli_fail("there is no mesh.yaml in '%s'; 'meshgen init' makes one", cli->mesh_dir);
        return NULL;
    }
    char full[PATH_MAX];
    const char *from = start == NULL ? "." : start;
    if (realpath(from, full) == NULL) {
        mesh_cli_fail("there is no folder '%s'", from);
        return NULL;
    }
    if (has_mesh(cli, from))
        return from; /* as it was given: shown in messages */
    for (char *slash; (slash = strrchr(full, '/')) != NULL;) {
        *slash = '\0';
        if (has_mesh(cli, full))
            return mesh_arena_strdup(&cli->arena, full);
    }
    mesh_cli_fail("there is no mesh.yaml in '%s', nor in a folder above it; 'meshgen init' makes one, --mesh DIR names one", from);
    return NULL;
}

struct mesh_model *mesh_cli_model(struct mesh_cli *cli, const char *start)
{
    const char *root = mesh_cli_root(cli, start);
    struct mesh_model *model = NULL;
    struct mesh_err err = {0};
    if (root == NULL)
        return NULL;
    if (mesh_model_load(&cli->arena, &cli->diags, root, &model, &err) != 0) {
        mesh_cli_fail("%s", err.text);
        return NULL;
    }
    mesh_check(model);
    mesh_policy_check(model, mesh_clock_wall_us());
    return model;
}

int mesh_cli_report(struct mesh_cli *cli)
{
    FILE *out = cli->format == MESH_DIAG_TEXT ? stderr : stdout;
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool colour = isatty(fileno(out)) && (no_color == NULL || no_color[0] == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
    if (cli->format == MESH_DIAG_TEXT && cli->diags.list.n == 0)
        return MESH_CLI_OK;
    return mesh_diag_print(&cli->diags, out, cli->format, colour) > 0 ? MESH_CLI_FINDINGS : MESH_CLI_OK;
}

int mesh_cli_check(struct mesh_cli *cli)
{
    const struct mesh_model *model = mesh_cli_model(cli, cli->args[0]);
    if (model == NULL)
        return MESH_CLI_USAGE;
    for (size_t i = 0; i < model->products.n && cli->diags.n_errors == 0; i++)
        mesh_plan_make(model->products.v[i]); /* its diagnostics: keys and topologies */
    int code = mesh_cli_report(cli);
    if (code != MESH_CLI_OK || cli->format != MESH_DIAG_TEXT)
        return code;
    size_t streams = 0;
    size_t views = 0;
    size_t ports = 0;
    for (size_t i = 0; i < model->products.n; i++) {
        streams += model->products.v[i]->streams.n;
        views += model->products.v[i]->views.n;
        ports += model->products.v[i]->ports.n;
    }
    if (model->products.n == 0)
        printf("mesh '%s': no product yet; 'meshgen new-domain NAME' makes one\n", model->name);
    else
        printf("mesh '%s': %zu product%s with %zu stream%s, %zu view%s and %zu output port%s are in order\n", model->name,
               model->products.n, model->products.n == 1 ? "" : "s", streams, streams == 1 ? "" : "s", views, views == 1 ? "" : "s",
               ports, ports == 1 ? "" : "s");
    return code;
}
