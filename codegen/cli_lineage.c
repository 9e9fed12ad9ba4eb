/* lineage: which fields feed which, over the whole mesh. */
#include "codegen/cli.h"
#include "codegen/plan.h"
#include "codegen/show_lineage.h"

#include "base/check.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct mesh_model_product *mesh_cli_find_product(const struct mesh_cli *cli, const struct mesh_model *model)
{
    const char *names[MESH_CLI_ARGS_MAX];
    size_t n = 0;
    const char *slash = strchr(cli->product, '/');
    for (size_t i = 0; i < model->products.n; i++) {
        struct mesh_model_product *product = model->products.v[i];
        size_t domain = slash == NULL ? 0 : (size_t)(slash - cli->product);
        bool in_domain =
            slash == NULL || (strlen(product->domain.text) == domain && strncmp(product->domain.text, cli->product, domain) == 0);
        if (in_domain && strcmp(product->name.text, slash == NULL ? cli->product : slash + 1) == 0)
            return product;
        if (n < MESH_LEN(names))
            names[n++] = product->name.text;
    }
    const char *near = mesh_did_you_mean(slash == NULL ? cli->product : slash + 1, names, n);
    mesh_cli_fail("there is no product '%s' in this mesh%s%s%s", cli->product, near == NULL ? "" : "; did you mean '",
                  near == NULL ? "" : near, near == NULL ? "" : "'?");
    return NULL;
}

/* Several products may have a port of that name; --product then says which. */
static int find_port(const struct mesh_model *model, struct mesh_show_lineage *show, const char *name, size_t n)
{
    size_t found = 0;
    const struct mesh_model_port *port = NULL;
    for (size_t p = 0; p < model->products.n; p++) {
        const struct mesh_model_product *product = model->products.v[p];
        for (size_t i = 0; i < product->ports.n && mesh_show_product(show, product); i++) {
            if (strlen(product->ports.v[i]->name) != n || strncmp(product->ports.v[i]->name, name, n) != 0)
                continue;
            port = product->ports.v[i];
            found++;
        }
    }
    if (found == 0)
        return mesh_cli_fail("there is no output port '%.*s' in this mesh; write --field PORT.FIELD", (int)n, name);
    if (found > 1)
        return mesh_cli_fail("several products have an output port '%.*s'; say which with --product", (int)n, name);
    show->port = port;
    show->product = port->product;
    return MESH_CLI_OK;
}

static int find_field(const struct mesh_cli *cli, const struct mesh_model *model, struct mesh_show_lineage *show)
{
    const char *dot = strchr(cli->field, '.');
    const char *names[MESH_CLI_ARGS_MAX];
    size_t n = 0;
    if (dot == NULL)
        return mesh_cli_fail("--field is PORT.FIELD, not '%s'", cli->field);
    int code = find_port(model, show, cli->field, (size_t)(dot - cli->field));
    if (code != MESH_CLI_OK)
        return code;
    struct mesh_port_fields fields;
    mesh_assert(show->port != NULL);
    mesh_port_fields_of(show->arena, show->port, &fields);
    for (size_t i = 0; i < fields.list.n; i++) {
        if (strcmp(fields.list.v[i].name, dot + 1) == 0)
            show->field = fields.list.v[i].name;
        if (n < MESH_LEN(names))
            names[n++] = fields.list.v[i].name;
    }
    if (show->field != NULL)
        return MESH_CLI_OK;
    const char *near = mesh_did_you_mean(dot + 1, names, n);
    return near != NULL ? mesh_cli_fail("'%s' has no field '%s'; did you mean '%s'?", show->port->name, dot + 1, near)
                        : mesh_cli_fail("'%s' has no field '%s'; 'meshgen lineage' lists them", show->port->name, dot + 1);
}

/* When the event was made: now, or, for builds that must be the same again, what SOURCE_DATE_EPOCH says. */
static const char *event_time(struct mesh_arena *arena)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    int64_t seconds = (int64_t)time(NULL);
    if (epoch != NULL && *epoch != '\0') {
        char *end = NULL;
        errno = 0;
        long long value = strtoll(epoch, &end, 10);
        if (errno == 0 && *end == '\0' && value >= 0 && value <= UINT32_MAX)
            seconds = value;
    }
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_text_time(&text, seconds * INT64_C(1000000));
    return mesh_arena_strdup(arena, text.p);
}

static int print(const struct mesh_show_lineage *show, const char *format)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    if (strcmp(format, "text") == 0)
        mesh_show_lineage_text(show, &out);
    else if (strcmp(format, "json") == 0)
        mesh_show_lineage_json(show, &out);
    else if (strcmp(format, "openlineage") == 0)
        mesh_show_openlineage(show, event_time(show->arena), &out);
    else if (strcmp(format, "mermaid") == 0)
        mesh_show_lineage_mermaid(show, &out);
    else if (strcmp(format, "dot") == 0)
        mesh_show_lineage_dot(show, &out);
    else
        return mesh_cli_fail("--format of lineage is text, json, openlineage, mermaid or dot, not '%s'", format);
    if (out.n > 0)
        fwrite(out.p, 1, out.n, stdout);
    return MESH_CLI_OK;
}

int mesh_cli_lineage(struct mesh_cli *cli)
{
    struct mesh_model *model = mesh_cli_model(cli, cli->args[0]);
    if (model == NULL)
        return MESH_CLI_USAGE;
    for (size_t i = 0; i < model->products.n && cli->diags.n_errors == 0; i++)
        mesh_plan_make(model->products.v[i]); /* what `check` refuses has no lineage */
    if (cli->diags.n_errors > 0)
        return mesh_cli_report(cli);
    struct mesh_show_lineage show = {.arena = &cli->arena, .model = model};
    if (cli->product != NULL && (show.product = mesh_cli_find_product(cli, model)) == NULL)
        return MESH_CLI_USAGE;
    int code = cli->field == NULL ? MESH_CLI_OK : find_field(cli, model, &show);
    return code != MESH_CLI_OK ? code : print(&show, cli->format_name == NULL ? "text" : cli->format_name);
}
