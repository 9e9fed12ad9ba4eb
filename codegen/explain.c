/* The codes, from codes.def. */
#include "codegen/cli.h"

#include <string.h>
#include <strings.h>

const struct mesh_code mesh_codes[] = {
#define MESH_CODE(code, title, why, wrong, right) {code, title, why, wrong, right},
#include "codegen/codes.def"
#undef MESH_CODE
};
const size_t mesh_codes_n = MESH_LEN(mesh_codes);

#define WIDTH 88

const struct mesh_code *mesh_code_find(const char *code)
{
    for (size_t i = 0; i < mesh_codes_n; i++) {
        if (strcasecmp(mesh_codes[i].code, code) == 0)
            return &mesh_codes[i];
    }
    return NULL;
}

/* Words of `text`, wrapped. */
static void wrap(FILE *out, const char *text)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t n = strcspn(text, " ");
        if (column > 0 && column + 1 + n > WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        column += (size_t)fprintf(out, "%s%.*s", column == 0 ? "" : " ", (int)n, text);
        text += n;
        text += *text == ' ';
    }
    fputc('\n', out);
}

static void example(FILE *out, const char *head, const char *text)
{
    fprintf(out, "\n%s\n", head);
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");
        fprintf(out, "    %.*s\n", (int)n, text);
        text += n;
        text += *text == '\n';
    }
}

int mesh_cli_explain(struct mesh_cli *cli)
{
    const struct mesh_code *code = mesh_code_find(cli->args[0]);
    if (code == NULL) {
        const char **names = mesh_arena_alloc(&cli->arena, mesh_codes_n * sizeof *names);
        for (size_t i = 0; i < mesh_codes_n; i++)
            names[i] = mesh_codes[i].code;
        const char *near = mesh_did_you_mean(cli->args[0], names, mesh_codes_n);
        return near != NULL
                   ? mesh_cli_fail("there is no code '%s'; did you mean %s?", cli->args[0], near)
                   : mesh_cli_fail("there is no code '%s'; 'meshgen docs' lists them, those of policies stand in mesh.yaml",
                                   cli->args[0]);
    }
    printf("%s: %s\n\n", code->code, code->title);
    wrap(stdout, code->why);
    example(stdout, "Wrong:", code->wrong);
    example(stdout, "Right:", code->right);
    return MESH_CLI_OK;
}
