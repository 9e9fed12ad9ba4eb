/* plan: what will run, and what it will keep in memory; with --against, what becomes of the state that is there. */
#include "codegen/cli.h"
#include "codegen/show_keep.h"
#include "codegen/show_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 4000000000 /* rows of one task have 32 bits */

static bool parse_keys(const char *text, uint64_t *ret)
{
    char *end = NULL;
    *ret = MESH_SHOW_KEYS_DEFAULT;
    if (text == NULL)
        return true;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' || value < 1 || value > KEYS_MAX)
        return false;
    *ret = value;
    return true;
}

struct kept {
    struct mesh_model *now;
    const struct mesh_model_product *only;
};

static int show_kept(struct mesh_cli *cli, struct mesh_model *before, void *context)
{
    (void)cli;
    const struct kept *kept = context;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    size_t replays = mesh_show_keep(before, kept->now, kept->only, &out);
    if (out.n > 0)
        fwrite(out.p, 1, out.n, stdout);
    return replays > 0 ? MESH_CLI_FINDINGS : MESH_CLI_OK;
}

int mesh_cli_plan(struct mesh_cli *cli)
{
    uint64_t keys = 0;
    bool json = cli->format_name != NULL && strcmp(cli->format_name, "json") == 0;
    if (!json && cli->format_name != NULL && strcmp(cli->format_name, "text") != 0)
        return mesh_cli_fail("--format of plan is text or json, not '%s'", cli->format_name);
    if (!parse_keys(cli->keys, &keys))
        return mesh_cli_fail("--keys is a number from 1 to %lld, not '%s'", (long long)KEYS_MAX, cli->keys);
    struct mesh_model *model = mesh_cli_model(cli, cli->args[0]);
    if (model == NULL)
        return MESH_CLI_USAGE;
    if (cli->diags.n_errors > 0)
        return mesh_cli_report(cli);
    const struct mesh_model_product *only = NULL;
    if (cli->product != NULL && (only = mesh_cli_find_product(cli, model)) == NULL)
        return MESH_CLI_USAGE;
    if (cli->against != NULL) {
        const char *root = mesh_cli_root(cli, cli->args[0]);
        struct kept kept = {model, only};
        if (json)
            return mesh_cli_fail("plan --against is for people: it has no --format json");
        return root == NULL ? MESH_CLI_USAGE : mesh_cli_older(cli, root, show_kept, &kept);
    }
    struct mesh_show_plan **shows = mesh_arena_alloc(&cli->arena, (model->products.n + 1) * sizeof *shows);
    size_t n = 0;
    for (size_t i = 0; i < model->products.n; i++)
        if ((only == NULL || model->products.v[i] == only) && (shows[n] = mesh_show_plan_make(model->products.v[i], keys)) != NULL)
            n++;
    if (cli->diags.n_errors > 0)
        return mesh_cli_report(cli);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    if (json)
        mesh_show_plan_json(model, shows, n, keys, &out);
    for (size_t i = 0; i < n && !json; i++) {
        mesh_buf_puts(&out, i == 0 ? "" : "\n");
        mesh_show_plan_text(shows[i], &out);
    }
    if (out.n > 0)
        fwrite(out.p, 1, out.n, stdout);
    return MESH_CLI_OK;
}
