/* schema check, canonical, fingerprint, compat: what the contracts of a mesh go through, for any Avro schema in a file. */
#include "codegen/cli.h"
#include "codegen/compat_diag.h"
#include "codegen/json_out.h"

#include "base/check.h"
#include "base/fs.h"

#include <string.h>

int mesh_cli_read_schema(struct mesh_cli *cli, const char *path, struct mesh_schema **ret)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    if (mesh_fs_read(path, MESH_JSON_BYTES_MAX, &text, &err) != 0)
        return mesh_cli_fail("%s", err.text);
    const char *copy = mesh_arena_str(&cli->arena, (struct mesh_str){text.p, (uint32_t)text.n});
    *ret = mesh_schema_parse(&cli->arena, mesh_source_new(&cli->arena, path, copy, text.n), &cli->diags);
    return *ret == NULL ? MESH_CLI_FINDINGS : MESH_CLI_OK;
}

/* Every file behind the sub-command; all of them are looked at, so that all mistakes are told. */
static int read_all(struct mesh_cli *cli, struct mesh_schema **ret)
{
    int worst = MESH_CLI_OK;
    for (size_t i = 1; i < cli->n_args; i++) {
        int code = mesh_cli_read_schema(cli, cli->args[i], &ret[i - 1]);
        if (code == MESH_CLI_USAGE)
            return code;
        worst = code > worst ? code : worst;
    }
    return worst;
}

static int schema_check(struct mesh_cli *cli)
{
    struct mesh_schema *schemas[MESH_CLI_ARGS_MAX] = {0};
    int code = read_all(cli, schemas);
    if (code == MESH_CLI_USAGE)
        return code;
    int reported = mesh_cli_report(cli);
    for (size_t i = 0; code == MESH_CLI_OK && cli->format == MESH_DIAG_TEXT && i + 1 < cli->n_args; i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        mesh_assert(schemas[i] != NULL); /* all were read */
        mesh_schema_describe(schemas[i], &text);
        printf("%s: %s", cli->args[i + 1], text.p);
        if (schemas[i]->kind == MESH_AVRO_RECORD)
            printf(", %zu field%s", schemas[i]->n_fields, schemas[i]->n_fields == 1 ? "" : "s");
        printf("\n");
    }
    return reported;
}

static int schema_canonical(struct mesh_cli *cli)
{
    struct mesh_schema *schemas[MESH_CLI_ARGS_MAX] = {0};
    int code = read_all(cli, schemas);
    if (code == MESH_CLI_FINDINGS)
        mesh_cli_report(cli);
    for (size_t i = 0; code == MESH_CLI_OK && i + 1 < cli->n_args; i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        mesh_schema_canonical(schemas[i], &text);
        printf("%s\n", text.p);
    }
    return code;
}

static int schema_fingerprint(struct mesh_cli *cli)
{
    struct mesh_schema *schemas[MESH_CLI_ARGS_MAX] = {0};
    int code = read_all(cli, schemas);
    if (code == MESH_CLI_FINDINGS)
        mesh_cli_report(cli);
    if (code != MESH_CLI_OK)
        return code;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    struct mesh_json_out json = {.out = &out};
    mesh_json_out_array(&json, NULL);
    for (size_t i = 0; i + 1 < cli->n_args; i++) {
        unsigned long long crc = mesh_schema_fingerprint(schemas[i]);
        uint32_t id = mesh_schema_local_id(schemas[i]);
        if (cli->format == MESH_DIAG_TEXT)
            printf("%s: CRC-64-AVRO %016llx, id without a registry %u\n", cli->args[i + 1], crc, id);
        mesh_json_out_object_line(&json, NULL);
        mesh_json_out_text(&json, "path", cli->args[i + 1]);
        mesh_json_out_format(&json, "crc64", "%016llx", crc);
        mesh_json_out_long(&json, "localId", id);
        mesh_json_out_end(&json);
    }
    mesh_json_out_end(&json);
    if (cli->format != MESH_DIAG_TEXT)
        fwrite(out.p, 1, out.n, stdout);
    return MESH_CLI_OK;
}

/* ---- compat ---- */

struct evolution {
    enum mesh_compat_mode mode;
    const char *paths[MESH_CLI_ARGS_MAX]; /* [0] the new one; behind it the previous ones, oldest first */
    struct mesh_schema *schemas[MESH_CLI_ARGS_MAX];
    size_t n;
    struct mesh_compat_verdict *verdicts;
    size_t n_verdicts;
};

/* What a shell makes of `payment.v*.avsc` puts v10 before v2. */
static void put_in_order(struct evolution *ev)
{
    for (size_t i = 2; i < ev->n; i++) {
        const char *path = ev->paths[i];
        struct mesh_schema *schema = ev->schemas[i];
        int version = mesh_compat_file_version(path);
        size_t to = i;
        for (; to > 1 && version > 0 && mesh_compat_file_version(ev->paths[to - 1]) > version; to--) {
            ev->paths[to] = ev->paths[to - 1];
            ev->schemas[to] = ev->schemas[to - 1];
        }
        ev->paths[to] = path;
        ev->schemas[to] = schema;
    }
}

static void json_place(struct mesh_json_out *json, const char *key, struct mesh_srcref at)
{
    int line = 0;
    int column = 0;
    if (at.source == NULL)
        return;
    mesh_source_position(at.source, at.begin, &line, &column);
    mesh_json_out_object_line(json, key);
    mesh_json_out_text(json, "path", at.source->path);
    mesh_json_out_long(json, "line", line);
    mesh_json_out_long(json, "column", column);
    mesh_json_out_end(json);
}

static void json_found(struct mesh_json_out *json, const struct mesh_compat_verdict *verdict, const struct mesh_incompat *found)
{
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "kind", mesh_compat_kind_name(found->kind));
    mesh_json_out_text(json, "direction", verdict->forward ? "forward" : "backward");
    mesh_json_out_text(json, "pointer", found->pointer);
    mesh_json_out_text(json, "reason", found->reason);
    json_place(json, "new", verdict->forward ? found->writer_at : found->reader_at);
    json_place(json, "old", verdict->forward ? found->reader_at : found->writer_at);
    mesh_json_out_array(json, "fixes");
    for (size_t i = 0; i < found->n_fixes; i++) {
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_text(json, "rank", mesh_compat_fix_rank(found, i));
        mesh_json_out_text(json, "text", found->fixes[i]);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void print_json(const struct evolution *ev)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    struct mesh_json_out json = {.out = &out};
    mesh_json_out_object(&json, NULL);
    mesh_json_out_text(&json, "mode", mesh_compat_mode_name(ev->mode));
    mesh_json_out_bool(&json, "compatible", ev->n_verdicts == 0);
    mesh_json_out_text(&json, "new", ev->paths[0]);
    mesh_json_out_array(&json, "incompatibilities");
    for (size_t v = 0; v < ev->n_verdicts; v++) {
        for (size_t i = 0; i < ev->verdicts[v].compat.n; i++)
            json_found(&json, &ev->verdicts[v], &ev->verdicts[v].compat.found[i]);
    }
    mesh_json_out_end(&json);
    mesh_json_out_end(&json);
    fwrite(out.p, 1, out.n, stdout);
}

static void report(struct mesh_cli *cli, const struct evolution *ev)
{
    for (size_t v = 0; v < ev->n_verdicts; v++) {
        const struct mesh_compat_verdict *verdict = &ev->verdicts[v];
        struct mesh_compat_names names = {.next = ev->paths[0],
                                          .previous = ev->paths[verdict->version + 1],
                                          .rule =
                                              mesh_arena_printf(&cli->arena, "the mode is %s", mesh_compat_mode_name(ev->mode))};
        for (size_t i = 0; i < verdict->compat.n; i++)
            mesh_compat_diag(&cli->diags, MESH_ERROR, NULL, verdict, &verdict->compat.found[i], &names);
    }
}

static bool mode_of(struct mesh_cli *cli, enum mesh_compat_mode *ret)
{
    if (mesh_compat_parse_mode(cli->mode == NULL ? "BACKWARD_TRANSITIVE" : cli->mode, ret) == 0)
        return true;
    const char *names[MESH_COMPAT_MODE_COUNT];
    for (int i = 0; i < MESH_COMPAT_MODE_COUNT; i++)
        names[i] = mesh_compat_mode_name((enum mesh_compat_mode)i);
    const char *near = mesh_did_you_mean(cli->mode, names, MESH_COMPAT_MODE_COUNT);
    if (near != NULL)
        mesh_cli_fail("there is no mode '%s'; did you mean %s?", cli->mode, near);
    else
        mesh_cli_fail("there is no mode '%s'; it is NONE, BACKWARD, FORWARD or FULL, the last three also with _TRANSITIVE",
                      cli->mode);
    return false;
}

static int schema_compat(struct mesh_cli *cli)
{
    if (cli->against != NULL && strncmp(cli->against, "registry:", 9) == 0)
        return mesh_cli_compat_registry(cli, cli->against + 9);
    if (cli->against != NULL)
        return mesh_cli_fail("schema compat: --against is registry:SUBJECT, not '%s'; older files are named behind the new one",
                             cli->against);
    struct evolution ev = {.n = cli->n_args - 1};
    if (ev.n < 2)
        return mesh_cli_fail("usage: meshgen schema compat [--mode MODE] NEW OLD...");
    if (!mode_of(cli, &ev.mode))
        return MESH_CLI_USAGE;
    int code = read_all(cli, ev.schemas);
    if (code == MESH_CLI_FINDINGS)
        mesh_cli_report(cli);
    if (code != MESH_CLI_OK)
        return code;
    memcpy(ev.paths, cli->args + 1, ev.n * sizeof *ev.paths);
    put_in_order(&ev);
    cli->diags.list.n = cli->diags.n_warnings = 0; /* of the schemas alone: `schema check` tells them */
    mesh_compat_evolve(&cli->arena, ev.mode, ev.schemas[0], (const struct mesh_schema *const *)ev.schemas + 1, ev.n - 1,
                       &ev.verdicts, &ev.n_verdicts);
    if (cli->format == MESH_DIAG_JSON) {
        print_json(&ev);
        return ev.n_verdicts == 0 ? MESH_CLI_OK : MESH_CLI_FINDINGS;
    }
    report(cli, &ev);
    code = mesh_cli_report(cli);
    if (code == MESH_CLI_OK && cli->format == MESH_DIAG_TEXT)
        printf("%s is compatible (%s) with %s%s\n", ev.paths[0], mesh_compat_mode_name(ev.mode),
               ev.n == 2 || strstr(mesh_compat_mode_name(ev.mode), "TRANSITIVE") == NULL ? ev.paths[ev.n - 1] : ev.paths[1],
               ev.n == 2 || strstr(mesh_compat_mode_name(ev.mode), "TRANSITIVE") == NULL ? "" : " and every later one");
    return code;
}

int mesh_cli_schema(struct mesh_cli *cli)
{
    static const struct {
        const char *name;
        int (*run)(struct mesh_cli *cli);
    } commands[] = {
        {"check", schema_check},         {"canonical", schema_canonical}, {"fingerprint", schema_fingerprint},
        {"compat", schema_compat},       {"decode", mesh_cli_decode},     {"encode", mesh_cli_encode},
        {"register", mesh_cli_register},
    };
    const char *names[MESH_LEN(commands)];
    for (size_t i = 0; i < MESH_LEN(commands); i++) {
        names[i] = commands[i].name;
        if (strcmp(cli->args[0], commands[i].name) != 0)
            continue;
        if (cli->n_args < 2 && commands[i].run != mesh_cli_register)
            return mesh_cli_fail("usage: meshgen schema %s FILE...", commands[i].name);
        return commands[i].run(cli);
    }
    const char *near = mesh_did_you_mean(cli->args[0], names, MESH_LEN(commands));
    return near != NULL
               ? mesh_cli_fail("there is no command 'schema %s'; did you mean '%s'?", cli->args[0], near)
               : mesh_cli_fail(
                     "there is no command 'schema %s'; it is check, canonical, fingerprint, compat, decode, encode or register",
                     cli->args[0]);
}
