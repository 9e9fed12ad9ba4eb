/* What is derived from tables: JSON Schema, key tables, codes. */
#include "codegen/bind.h"
#include "codegen/cli.h"
#include "codegen/policy.h"

#include <string.h>

int mesh_cli_json_schema(struct mesh_cli *cli)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    static const struct {
        const char *name;
        const struct mesh_bind_table *table;
    } schemas[] = {
        {"product", &mesh_bind_product}, {"mesh", &mesh_bind_mesh}, {"waivers", &mesh_bind_waivers}, {"test", &mesh_bind_test}};
    size_t i = 0;
    while (cli->n_args == 1 && i < MESH_LEN(schemas) && strcmp(cli->args[0], schemas[i].name) != 0)
        i++;
    if (i == MESH_LEN(schemas))
        return mesh_cli_fail("there are four schemas: 'meshgen json-schema product', 'mesh', 'waivers' and 'test'");
    mesh_bind_json_schema(schemas[i].table, &out);
    fwrite(out.p, 1, out.n, stdout);
    return MESH_CLI_OK;
}

int mesh_cli_docs(struct mesh_cli *cli)
{
    (void)cli;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_puts(
        &out, "<!-- Written by `meshgen docs` from codegen/bind_table.c and codegen/codes.def. -->\n\n## Keys of product.yaml\n\n"
              "`*` is a name of your own, `[]` an item of a list.\n\n");
    mesh_bind_markdown(&mesh_bind_product, &out);
    mesh_buf_puts(&out, "\n## Keys of mesh.yaml\n\n");
    mesh_bind_markdown(&mesh_bind_mesh, &out);
    mesh_buf_puts(&out, "\n## What policies see\n");
    mesh_policy_markdown(&out);
    mesh_buf_puts(&out, "\n## Keys of waivers.yaml\n\n");
    mesh_bind_markdown(&mesh_bind_waivers, &out);
    mesh_buf_puts(&out, "\n## Keys of a test\n\n");
    mesh_bind_markdown(&mesh_bind_test, &out);
    mesh_buf_puts(&out, "\n## Codes\n\n`meshgen explain CODE` tells more.\n\n| Code | What |\n| --- | --- |\n");
    for (size_t i = 0; i < mesh_codes_n; i++)
        mesh_buf_printf(&out, "| %s | %s |\n", mesh_codes[i].code, mesh_codes[i].title);
    fwrite(out.p, 1, out.n, stdout);
    return MESH_CLI_OK;
}
