/* Build tool: turns template files into the table that meshgen carries inside.   embed OUT.c FILE.tmpl... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_file(FILE *out, const char *path)
{
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        perror(path);
        exit(1);
    }
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    int n = (int)(strlen(name) - strlen(".tmpl"));
    fprintf(out, "    {\"%.*s\",\n     \"", n, name);
    for (int c = fgetc(in); c != EOF; c = fgetc(in)) {
        if (c == '\n')
            fputs("\\n\"\n     \"", out);
        else if (c == '"' || c == '\\' || c == '?')
            fprintf(out, "\\%c", c);
        else
            fputc(c, out);
    }
    fputs("\"},\n", out);
    fclose(in);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: embed OUT.c FILE.tmpl...\n");
        return 2;
    }
    FILE *out = fopen(argv[1], "wb");
    if (out == NULL) {
        perror(argv[1]);
        return 1;
    }
    fputs("/* Made from templates/ by codegen/embed.c. */\n#include \"codegen/template.h\"\n\n", out);
    fputs("#ifdef __GNUC__\n#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n#endif\n\n", out);
    fputs("const struct mesh_template mesh_templates[] = {\n", out);
    for (int i = 2; i < argc; i++)
        put_file(out, argv[i]);
    fputs("    {NULL, NULL},\n};\n", out);
    return fclose(out) == 0 ? 0 : 1;
}
