/* The commands of meshgen: what main.c dispatches to. Each returns the exit code: 0 ok, 1 findings, 2 usage or unreadable input. */
#ifndef MESH_CODEGEN_CLI_H
#define MESH_CODEGEN_CLI_H

#include "base/diag.h"
#include "codegen/model.h"

enum mesh_cli_exit { MESH_CLI_OK, MESH_CLI_FINDINGS, MESH_CLI_USAGE, MESH_CLI_INTERNAL };

#define MESH_CLI_ARGS_MAX 256 /* schema compat NEW and every version before it */

struct mesh_cli {
    struct mesh_arena arena;
    struct mesh_diags diags;
    const char *command;
    const char *args[MESH_CLI_ARGS_MAX]; /* behind the command, without options */
    size_t n_args;
    const char *mesh_dir;    /* --mesh */
    const char *out;         /* --out */
    const char *domain;      /* --domain */
    const char *mode;        /* --mode */
    const char *framing;     /* --framing */
    const char *payload;     /* --payload */
    const char *reader;      /* --reader */
    const char *id;          /* --id */
    const char *against;     /* --against */
    const char *product;     /* --product */
    const char *field;       /* --field */
    const char *keys;        /* --keys */
    const char *registry;    /* --registry */
    const char *format_name; /* --format as it was given, or NULL */
    enum mesh_diag_format format;
    const char *from;        /* --from */
    const char *type;        /* --type */
    bool check, diff, dry_run;
};

/* Folder of the mesh.yaml that counts: --mesh, else the argument or the current folder and its parents. NULL after a message. */
const char *mesh_cli_root(struct mesh_cli *cli, const char *start);
/* Load and check that mesh. NULL after a message (the mesh could not be read at all). */
struct mesh_model *mesh_cli_model(struct mesh_cli *cli, const char *start);
/* Print the diagnostics: text to standard error, machine formats to standard output. The exit code they mean. */
int mesh_cli_report(struct mesh_cli *cli);
/* A message on standard error; returns MESH_CLI_USAGE. */
int mesh_cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The product that --product names, alone or as DOMAIN/PRODUCT. NULL after a message. */
struct mesh_model_product *mesh_cli_find_product(const struct mesh_cli *cli, const struct mesh_model *model);

int mesh_cli_init(struct mesh_cli *cli);
int mesh_cli_check(struct mesh_cli *cli);
int mesh_cli_generate(struct mesh_cli *cli);
int mesh_cli_test(struct mesh_cli *cli);
int mesh_cli_topics(struct mesh_cli *cli);
int mesh_cli_services(struct mesh_cli *cli);
int mesh_cli_new_domain(struct mesh_cli *cli);
int mesh_cli_contract(struct mesh_cli *cli);
int mesh_cli_json_schema(struct mesh_cli *cli);
int mesh_cli_docs(struct mesh_cli *cli);
int mesh_cli_explain(struct mesh_cli *cli);
int mesh_cli_schema(struct mesh_cli *cli);
int mesh_cli_breaking(struct mesh_cli *cli);
int mesh_cli_lineage(struct mesh_cli *cli);
int mesh_cli_plan(struct mesh_cli *cli);

/* ---- cli_schema.c: schemas as files, without a mesh ---- */
/* 0; an exit code after a message: the file cannot be read, or (with diagnostics in cli->diags) is no schema. */
int mesh_cli_read_schema(struct mesh_cli *cli, const char *path, struct mesh_schema **ret);
int mesh_cli_decode(struct mesh_cli *cli); /* cli_datum.c: what `schema decode` and `schema encode` do */
int mesh_cli_encode(struct mesh_cli *cli);

/* ---- cli_registry.c: a schema registry's say ---- */
int mesh_cli_register(struct mesh_cli *cli);
int mesh_cli_compat_registry(struct mesh_cli *cli, const char *subject);
int mesh_cli_breaking_registry(struct mesh_cli *cli, const struct mesh_model *model);

/* ---- explain.c: the codes ---- */
struct mesh_code {
    const char *code, *title, *why;
};
extern const struct mesh_code mesh_codes[];
extern const size_t mesh_codes_n;
const struct mesh_code *mesh_code_find(const char *code); /* letters in any case; NULL: none */

#endif
