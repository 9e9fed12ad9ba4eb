/* The codes, from codes.def, and their examples, from templates/examples.tmpl. */
#include "codegen/cli.h"
#include "codegen/template.h"

#include <string.h>
#include <strings.h>

const struct mesh_code mesh_codes[] = {
#define TAKE(code, title, why, ...) {code, title, why},
#define MESH_CODE(...)              TAKE(__VA_ARGS__, NULL)
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

/* ---- examples: see the head of templates/examples.tmpl ---- */

static struct mesh_str next_line(const char **p)
{
    size_t n = strcspn(*p, "\n");
    struct mesh_str line = {*p, (uint32_t)n};
    *p += n + ((*p)[n] == '\n');
    return line;
}

static bool begins(struct mesh_str line, const char *with)
{
    size_t n = strlen(with);
    return line.n >= n && memcmp(line.p, with, n) == 0;
}

/* The first line behind "== CODE" of the text; NULL: it is not there. */
static const char *example_in(const char *text, const char *code)
{
    size_t n = strlen(code);
    while (*text != '\0') {
        struct mesh_str line = next_line(&text);
        if (begins(line, "== ") && line.n >= n + 3 && memcmp(line.p + 3, code, n) == 0 && (line.n == n + 3 || line.p[n + 3] == ' '))
            return text;
    }
    return NULL;
}

/* NULL: the code has no example, and a test complains. */
static const char *example_of(const char *code)
{
    const char *found = NULL;
    for (const struct mesh_template *t = mesh_templates; t->name != NULL && found == NULL; t++)
        if (strncmp(t->name, "examples", 8) == 0)
            found = example_in(t->text, code);
    return found;
}

/* The parts called `part`, one for each file that the example changes; the file's name in front where it is not the declaration. */
static void example(FILE *out, const char *head, const char *text, const char *part)
{
    struct mesh_str file = {0};
    bool inside = false, named = true, any = false;
    fprintf(out, "\n%s\n", head);
    while (*text != '\0') {
        struct mesh_str line = next_line(&text);
        if (begins(line, "== "))
            break;
        if (begins(line, "-- file ")) {
            file = (struct mesh_str){line.p + 8, line.n - 8};
            named = false;
            inside = false;
        } else if (begins(line, "-- ")) {
            inside = strlen(part) == line.n - 3 && begins((struct mesh_str){line.p + 3, line.n - 3}, part);
        } else if (inside) {
            if (!named)
                fprintf(out, "    # %.*s\n", (int)file.n, file.p);
            named = true;
            any = any || line.n > 0;
            if (line.n > 0)
                fprintf(out, "    %.*s\n", (int)line.n, line.p);
        }
    }
    if (!any)
        fputs("    (without it)\n", out);
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
    const char *text = example_of(code->code);
    if (text != NULL) {
        example(stdout, "Wrong:", text, "wrong");
        example(stdout, "Right:", text, "right");
    }
    return MESH_CLI_OK;
}
