/* generate, topics: what the emitter makes of a mesh without errors. */
#include "codegen/cli.h"
#include "codegen/emit.h"

#include <string.h>

static bool has_domain(const struct mesh_model *model, const char *domain)
{
    for (size_t i = 0; i < model->products.n; i++) {
        if (strcmp(model->products.v[i]->domain.text, domain) == 0)
            return true;
    }
    return false;
}

static int print_result(const struct mesh_cli *cli, const struct mesh_generate_result *result, const char *out)
{
    if (!cli->check && !cli->diff && !cli->dry_run) {
        printf("%s: %zu written, %zu unchanged, %zu removed\n", out, result->written, result->unchanged, result->removed);
        return MESH_CLI_OK;
    }
    if (cli->diff && result->diff != NULL)
        fputs(result->diff, stdout);
    for (size_t i = 0; !cli->diff && i < result->stale.n; i++)
        printf("%s\n", result->stale.v[i]);
    if (result->stale.n == 0) {
        printf("%s is up to date\n", out);
        return MESH_CLI_OK;
    }
    fprintf(stderr, "meshgen: %zu file%s would change; run 'meshgen generate'\n", result->stale.n, result->stale.n == 1 ? "" : "s");
    return cli->check ? MESH_CLI_FINDINGS : MESH_CLI_OK;
}

int mesh_cli_generate(struct mesh_cli *cli)
{
    struct mesh_model *model = mesh_cli_model(cli, cli->args[0]);
    if (model == NULL)
        return MESH_CLI_USAGE;
    if (cli->domain != NULL && cli->diags.n_errors == 0 && !has_domain(model, cli->domain))
        return mesh_cli_fail("there is no domain '%s' in this mesh", cli->domain);
    if (cli->diags.n_errors > 0)
        return mesh_cli_report(cli);
    struct mesh_generate_options options = {
        .out = cli->out, .domain = cli->domain, .check = cli->check || cli->diff || cli->dry_run};
    if (options.out == NULL)
        options.out = mesh_arena_printf(&cli->arena, "%s/build/gen", model->root);
    struct mesh_generate_result result = {0};
    struct mesh_err err = {0};
    int r = mesh_generate(model, &options, &result, &err);
    int code = mesh_cli_report(cli);
    if (r < 0) {
        if (result.diff != NULL)
            fputs(result.diff, stderr);
        return mesh_cli_fail("%s", err.text);
    }
    if (r > 0 || code != MESH_CLI_OK)
        return MESH_CLI_FINDINGS;
    return cli->format == MESH_DIAG_TEXT      ? print_result(cli, &result, options.out)
           : cli->check && result.stale.n > 0 ? MESH_CLI_FINDINGS
                                              : MESH_CLI_OK;
}

int mesh_cli_topics(struct mesh_cli *cli)
{
    struct mesh_model *model = mesh_cli_model(cli, cli->args[0]);
    if (model == NULL)
        return MESH_CLI_USAGE;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    if (cli->diags.n_errors > 0 || mesh_emit_topics(model, &out) != 0) {
        mesh_cli_report(cli);
        return MESH_CLI_FINDINGS;
    }
    fwrite(out.p, 1, out.n, stdout);
    return MESH_CLI_OK;
}

int mesh_cli_services(struct mesh_cli *cli)
{
    struct mesh_model *model = mesh_cli_model(cli, cli->args[0]);
    if (model == NULL)
        return MESH_CLI_USAGE;
    if (cli->diags.n_errors > 0)
        return mesh_cli_report(cli);
    const char *last = NULL;
    for (size_t i = 0; i < model->products.n; i++) {
        const char *domain = model->products.v[i]->domain.text;
        if (last == NULL || strcmp(last, domain) != 0)
            printf("%s %d\n", domain, mesh_model_port(model, domain));
        last = domain;
    }
    return MESH_CLI_OK;
}
