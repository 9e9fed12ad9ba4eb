/* meshgen: from declarations to services.
 *
 * What happens to a mesh, in order: yaml -> bind -> model -> contracts -> names -> expressions -> check -> privacy -> plan -> emit.
 * All mistakes are reported; nothing is written if there is one. */
#include "codegen/cli.h"
#include "mesh/version.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name, *args, *help;
    size_t args_min, args_max;
    int (*run)(struct mesh_cli *cli);
} commands[] = {
    {"init", "[DIR]", "make an empty mesh", 0, 1, mesh_cli_init},
    {"new-domain", "NAME", "make a domain that checks clean, to begin from", 1, 1, mesh_cli_new_domain},
    {"check", "[DIR]", "check every declaration and contract of the mesh", 0, 1, mesh_cli_check},
    {"generate", "[DIR]", "check, then write the C services", 0, 1, mesh_cli_generate},
    {"test", "[DOMAIN [NAME]]", "run the tests of domains/DOMAIN/tests on the generated code", 0, 2, mesh_cli_test},
    {"topics", "[DIR]", "list the topics: name, partitions, delete or compact", 0, 1, mesh_cli_topics},
    {"services", "[DIR]", "list the services: domain and HTTP port", 0, 1, mesh_cli_services},
    {"contract", "PRODUCT/VIEW", "print an Avro contract for the rows of a view", 1, 1, mesh_cli_contract},
    {"breaking", "[DIR]", "what changed for the readers of the mesh, since --against", 0, 1, mesh_cli_breaking},
    {"lineage", "[DIR]", "which input fields feed which output fields, and how", 0, 1, mesh_cli_lineage},
    {"plan", "[DIR]", "what will run: tasks, keys, states and their memory, topics", 0, 1, mesh_cli_plan},
    {"subjects", "[SUBJECT]", "where people stand in what products keep, and how they are erased there", 0, 1, mesh_cli_subjects},
    {"schema", "COMMAND FILE...", "Avro schemas: check, canonical, fingerprint, compat, decode, encode; register", 1,
     MESH_CLI_ARGS_MAX, mesh_cli_schema},
    {"explain", "CODE", "tell more about a message", 1, 1, mesh_cli_explain},
    {"json-schema", "[FILE]", "print the JSON Schema for editors: of product.yaml; or mesh, waivers, test", 0, 1,
     mesh_cli_json_schema},
    {"docs", "", "print the reference of keys and codes as Markdown", 0, 0, mesh_cli_docs},
};

static void help(FILE *out)
{
    fprintf(out, "Usage: meshgen COMMAND [ARGUMENTS] [OPTIONS]\n\nFrom declarations (YAML) and contracts (Avro) to services "
                 "(C).\n\nCommands:\n");
    for (size_t i = 0; i < MESH_LEN(commands); i++) {
        int width = fprintf(out, "  %s %s", commands[i].name, commands[i].args);
        fprintf(out, "%*s%s\n", width < 28 ? 28 - width : 1, "", commands[i].help);
    }
    fprintf(out,
            "\nOptions:\n"
            "  --mesh DIR                the folder of mesh.yaml (otherwise: this folder or one above it)\n"
            "  --format FORMAT           of messages: text, json, junit, github, sarif\n"
            "                            lineage: text, json, openlineage, mermaid, dot; plan: text, json;\n"
            "                            subjects: text, list\n"
            "  -o, --out DIR             generate, test: where to (otherwise: build/gen, build/test in the mesh)\n"
            "  --domain NAME             generate: this domain only\n"
            "  --check                   generate: write nothing; exit 1 when something would change\n"
            "  --diff                    generate: write nothing, show what would change, line by line\n"
            "  --dry-run                 generate, new-domain, init, schema register: show what would be written\n"
            "  --from CONTRACT.avsc      new-domain: for the records of this contract\n"
            "  --type TYPE               new-domain: source-aligned, aggregate (the default) or consumer-aligned\n"
            "  --against git:REF|DIR     breaking: the state of the mesh that readers have; git:main, git:v1.2, a folder\n"
            "                            plan: the mesh that runs; what keeps its state, and what needs a replay, and why\n"
            "            registry        breaking: what the schema registry says of the topics\n"
            "            registry:SUBJECT  schema compat: the versions of a subject there\n"
            "  --registry URL            the schema registry (otherwise: MESH_SCHEMA_REGISTRY_URL)\n"
            "  --product NAME            lineage, plan: this product only; PRODUCT or DOMAIN/PRODUCT\n"
            "  --field PORT.FIELD        lineage: the way of this field, hop by hop\n"
            "  --keys N                  plan: the memory of so many keys in each state (otherwise 10000)\n"
            "  --mode MODE               schema compat: BACKWARD_TRANSITIVE (the default), BACKWARD, FORWARD, FORWARD_TRANSITIVE,\n"
            "                            FULL, FULL_TRANSITIVE or NONE\n"
            "  --framing FRAMING         schema decode, encode: confluent (the default), single or none\n"
            "  --payload FORM            schema decode, encode: raw (the default), hex, base64 or length\n"
            "  --reader FILE             schema decode: read with this schema what another one wrote\n"
            "  --id NUMBER               schema decode, encode: the id that a registry gave the (first) schema\n"
            "  -h, --help                this text\n"
            "  --version                 the version\n"
            "\nExit: 0 ok, 1 findings, 2 usage or unreadable input, 3 internal error.\n");
}

static bool parse_format(const char *text, enum mesh_diag_format *ret)
{
    static const char *const names[] = {[MESH_DIAG_TEXT] = "text",
                                        [MESH_DIAG_JSON] = "json",
                                        [MESH_DIAG_JUNIT] = "junit",
                                        [MESH_DIAG_GITHUB] = "github",
                                        [MESH_DIAG_SARIF] = "sarif"};
    for (size_t i = 0; i < MESH_LEN(names); i++) {
        if (strcmp(names[i], text) == 0) {
            *ret = (enum mesh_diag_format)i;
            return true;
        }
    }
    return false;
}

/* Whether --format is that of what the command prints, not only of its messages: then it judges cli->format_name itself. */
static bool has_own_formats(const char *command)
{
    static const char *const own[] = {"lineage", "plan", "subjects"};
    for (size_t i = 0; i < MESH_LEN(own); i++)
        if (strcmp(own[i], command) == 0)
            return true;
    return false;
}

static int run(struct mesh_cli *cli)
{
    const char *names[MESH_LEN(commands)];
    for (size_t i = 0; i < MESH_LEN(commands); i++) {
        names[i] = commands[i].name;
        if (strcmp(commands[i].name, cli->command) != 0)
            continue;
        if (cli->n_args < commands[i].args_min || cli->n_args > commands[i].args_max)
            return mesh_cli_fail("usage: meshgen %s %s", commands[i].name, commands[i].args);
        if (cli->format_name != NULL && !parse_format(cli->format_name, &cli->format) && !has_own_formats(cli->command))
            return mesh_cli_fail("--format is text, json, junit, github or sarif, not '%s'", cli->format_name);
        return commands[i].run(cli);
    }
    const char *near = mesh_did_you_mean(cli->command, names, MESH_LEN(commands));
    return near != NULL ? mesh_cli_fail("there is no command '%s'; did you mean '%s'?", cli->command, near)
                        : mesh_cli_fail("there is no command '%s'; 'meshgen --help' lists them", cli->command);
}

/* A broken assumption of ours: never the fault of the input. */
static void aborted(int signal_number)
{
    (void)signal_number;
    static const char text[] =
        "meshgen: this is a mistake in meshgen, not in your files; please report it with the message above\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    _exit(MESH_CLI_INTERNAL);
}

enum cli_option {
    OPT_MESH = 256,
    OPT_FORMAT,
    OPT_DOMAIN,
    OPT_CHECK,
    OPT_DIFF,
    OPT_DRY_RUN,
    OPT_FROM,
    OPT_TYPE,
    OPT_VERSION,
    OPT_MODE,
    OPT_FRAMING,
    OPT_PAYLOAD,
    OPT_READER,
    OPT_ID,
    OPT_AGAINST,
    OPT_PRODUCT,
    OPT_FIELD,
    OPT_KEYS,
    OPT_REGISTRY
};

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"mesh", required_argument, NULL, OPT_MESH},
        {"format", required_argument, NULL, OPT_FORMAT},
        {"out", required_argument, NULL, 'o'},
        {"domain", required_argument, NULL, OPT_DOMAIN},
        {"check", no_argument, NULL, OPT_CHECK},
        {"diff", no_argument, NULL, OPT_DIFF},
        {"dry-run", no_argument, NULL, OPT_DRY_RUN},
        {"from", required_argument, NULL, OPT_FROM},
        {"type", required_argument, NULL, OPT_TYPE},
        {"mode", required_argument, NULL, OPT_MODE},
        {"framing", required_argument, NULL, OPT_FRAMING},
        {"payload", required_argument, NULL, OPT_PAYLOAD},
        {"reader", required_argument, NULL, OPT_READER},
        {"id", required_argument, NULL, OPT_ID},
        {"against", required_argument, NULL, OPT_AGAINST},
        {"product", required_argument, NULL, OPT_PRODUCT},
        {"field", required_argument, NULL, OPT_FIELD},
        {"keys", required_argument, NULL, OPT_KEYS},
        {"registry", required_argument, NULL, OPT_REGISTRY},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, OPT_VERSION},
        {NULL, 0, NULL, 0},
    };
    signal(SIGABRT, aborted);
    struct mesh_cli cli = {.format = MESH_DIAG_TEXT};
    cli.diags.arena = &cli.arena;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "o:h", options, NULL)) != -1;) {
        switch (option) {
        case OPT_MESH:
            cli.mesh_dir = optarg;
            break;
        case OPT_FORMAT:
            cli.format_name = optarg;
            break;
        case 'o':
            cli.out = optarg;
            break;
        case OPT_DOMAIN:
            cli.domain = optarg;
            break;
        case OPT_CHECK:
            cli.check = true;
            break;
        case OPT_DRY_RUN:
            cli.dry_run = true;
            break;
        case OPT_DIFF:
            cli.diff = true;
            break;
        case OPT_FROM:
            cli.from = optarg;
            break;
        case OPT_TYPE:
            cli.type = optarg;
            break;
        case OPT_MODE:
            cli.mode = optarg;
            break;
        case OPT_FRAMING:
            cli.framing = optarg;
            break;
        case OPT_PAYLOAD:
            cli.payload = optarg;
            break;
        case OPT_READER:
            cli.reader = optarg;
            break;
        case OPT_ID:
            cli.id = optarg;
            break;
        case OPT_AGAINST:
            cli.against = optarg;
            break;
        case OPT_PRODUCT:
            cli.product = optarg;
            break;
        case OPT_FIELD:
            cli.field = optarg;
            break;
        case OPT_KEYS:
            cli.keys = optarg;
            break;
        case OPT_REGISTRY:
            cli.registry = optarg;
            break;
        case 'h':
            help(stdout);
            return MESH_CLI_OK;
        case OPT_VERSION:
            printf("meshgen %s (abi %d)\n", MESH_VERSION, MESH_ABI);
            return MESH_CLI_OK;
        default:
            return mesh_cli_fail("unknown option, or an option without its value: '%s'; 'meshgen --help' lists them",
                                 argv[optind - 1]);
        }
    }
    if (optind == argc) {
        help(stderr);
        return MESH_CLI_USAGE;
    }
    cli.command = argv[optind++];
    for (; optind < argc; optind++) {
        if (cli.n_args == MESH_LEN(cli.args))
            return mesh_cli_fail("too many arguments: '%s'", argv[optind]);
        cli.args[cli.n_args++] = argv[optind];
    }
    int code = run(&cli);
    if (fflush(stdout) != 0 || ferror(stdout))
        return mesh_cli_fail("cannot write to standard output");
    mesh_arena_deinit(&cli.arena);
    return code;
}
