/* schema register, schema compat --against registry:SUBJECT, breaking --against registry: what the files of a mesh and a schema registry
 * say of each other. The registry's own settings are those of the services, in the environment (contract/registry.h). */
#include "codegen/cli.h"
#include "codegen/compat_diag.h"

#include "contract/registry.h"

#include <stdio.h>
#include <string.h>

struct talk {
    struct mesh_cli *cli;
    struct mesh_registry_conf conf;
    struct mesh_registry *registry;
};

static void talk_deinit(struct talk *talk)
{
    mesh_registry_free(talk->registry);
    mesh_registry_conf_deinit(&talk->conf);
}

static int fail(const struct mesh_err *err)
{
    return mesh_cli_fail("%s", err->text);
}

static int open_registry(struct talk *talk)
{
    struct mesh_err err = {0};
    if (mesh_registry_from_environment(&talk->conf, talk->cli->registry, &err) < 0)
        return fail(&err);
    if (talk->conf.url == NULL || talk->conf.url[0] == '\0')
        return mesh_cli_fail("which schema registry? Give --registry URL, or set %s", MESH_REGISTRY_URL_NAME);
    return mesh_registry_new(&talk->conf, &talk->registry, &err) < 0 ? fail(&err) : MESH_CLI_OK;
}

static const char *subject_of(struct mesh_cli *cli, const char *topic)
{
    return mesh_arena_printf(&cli->arena, "%s-value", topic);
}

/* ---- the versions that a subject has ---- */
struct history {
    const char *subject;
    struct mesh_schema **schemas; /* oldest first */
    const char **names;           /* "registry:subject@3" */
    size_t n;
    enum mesh_compat_mode rule; /* its own, else the registry's */
};

/* 0, with n == 0 when there is no such subject; an exit code after a message. */
static int read_history(struct talk *talk, const char *subject, struct history *ret)
{
    struct mesh_cli *cli = talk->cli;
    struct mesh_err err = {0};
    int *versions = NULL;
    size_t n = 0;
    *ret = (struct history){.subject = subject, .rule = MESH_COMPAT_BACKWARD};
    int result = mesh_registry_versions(talk->registry, &cli->arena, subject, &versions, &n, &err);
    if (result < 0)
        return fail(&err);
    ret->schemas = mesh_arena_alloc(&cli->arena, (n + 1) * sizeof *ret->schemas);
    ret->names = mesh_arena_alloc(&cli->arena, (n + 1) * sizeof *ret->names);
    for (size_t i = n > MESH_REGISTRY_VERSIONS_MAX ? n - MESH_REGISTRY_VERSIONS_MAX : 0; i < n; i++) {
        struct mesh_registry_schema found;
        ret->names[ret->n] = mesh_arena_printf(&cli->arena, "registry:%s@%d", subject, versions[i]);
        result = mesh_registry_version(talk->registry, &cli->arena, subject, versions[i], &found, &err);
        if (result == 0)
            result = mesh_registry_parse_as(talk->registry, &cli->arena, ret->names[ret->n], &found, &ret->schemas[ret->n], &err);
        if (result < 0)
            return mesh_cli_fail("%s: %s", ret->names[ret->n], err.text);
        ret->n += result == 0;
    }
    result = mesh_registry_rule(talk->registry, subject, &ret->rule, &err);
    if (result > 0)
        result = mesh_registry_rule(talk->registry, NULL, &ret->rule, &err);
    return result < 0 ? fail(&err) : MESH_CLI_OK;
}

/* What `next` breaks for the history, as diagnostics. */
static void compare(struct mesh_cli *cli, const struct history *history, enum mesh_compat_mode mode, const struct mesh_schema *next,
                    const char *name, const char *rule)
{
    struct mesh_compat_verdict *verdicts = NULL;
    size_t n = 0;
    mesh_compat_evolve(&cli->arena, mode, next, (const struct mesh_schema *const *)history->schemas, history->n, &verdicts, &n);
    for (size_t v = 0; v < n; v++) {
        const struct mesh_compat_names names = {.next = name,
                                                .previous = history->names[verdicts[v].version],
                                                .rule = rule != NULL
                                                            ? rule
                                                            : mesh_arena_printf(&cli->arena, "the rule of subject '%s' is %s",
                                                                                history->subject, mesh_compat_mode_name(mode))};
        for (size_t i = 0; i < verdicts[v].compat.n; i++)
            (void)mesh_compat_diag(&cli->diags, MESH_ERROR, NULL, &verdicts[v], &verdicts[v].compat.found[i], &names);
    }
}

/* ---- schema compat --against registry:SUBJECT NEW ---- */
int mesh_cli_compat_registry(struct mesh_cli *cli, const char *subject)
{
    mesh_cleanup(talk_deinit) struct talk talk = {.cli = cli};
    struct mesh_schema *next = NULL;
    struct history history;
    if (subject[0] == '\0' || cli->n_args != 2)
        return mesh_cli_fail("usage: meshgen schema compat --against registry:SUBJECT [--registry URL] [--mode MODE] NEW");
    int code = mesh_cli_read_schema(cli, cli->args[1], &next);
    if (code == MESH_CLI_FINDINGS)
        mesh_cli_report(cli);
    if (code == MESH_CLI_OK)
        code = open_registry(&talk);
    if (code == MESH_CLI_OK)
        code = read_history(&talk, subject, &history);
    if (code != MESH_CLI_OK)
        return code;
    if (history.n == 0)
        return mesh_cli_fail("the registry %s has no subject '%s'", talk.conf.url, subject);
    if (cli->mode != NULL && mesh_compat_parse_mode(cli->mode, &history.rule) != 0)
        return mesh_cli_fail("there is no mode '%s'; it is NONE, BACKWARD, FORWARD or FULL, the last three also with _TRANSITIVE",
                             cli->mode);
    cli->diags.list.n = cli->diags.n_warnings = 0; /* of the schemas alone: `schema check` tells them */
    compare(cli, &history, history.rule, next, cli->args[1], NULL);
    code = mesh_cli_report(cli);
    if (code == MESH_CLI_OK && cli->format == MESH_DIAG_TEXT)
        printf("%s is compatible (%s) with %s\n", cli->args[1], mesh_compat_mode_name(history.rule), history.names[history.n - 1]);
    return code;
}

/* ---- breaking --against registry ---- */
static bool is_in(const struct history *history, const struct mesh_model_contract *contract)
{
    for (size_t i = 0; i < history->n; i++)
        if (mesh_schema_local_id(history->schemas[i]) == contract->local_id)
            return true;
    return false;
}

/* Of a topic that others write: what they write now must be readable. */
static void check_input(struct mesh_cli *cli, struct history history, const struct mesh_model_contract *contract)
{
    if (history.n == 0)
        return;
    history.schemas += history.n - 1;
    history.names += history.n - 1;
    history.n = 1;
    compare(cli, &history, MESH_COMPAT_BACKWARD, contract->schema, contract->name,
            "an input must read what is written to its topic now");
}

int mesh_cli_breaking_registry(struct mesh_cli *cli, const struct mesh_model *model)
{
    mesh_cleanup(talk_deinit) struct talk talk = {.cli = cli};
    size_t n_ports = 0, n_inputs = 0, n_new = 0;
    int code = open_registry(&talk);
    for (size_t p = 0; code == MESH_CLI_OK && p < model->products.n; p++) {
        const struct mesh_model_product *product = model->products.v[p];
        for (size_t i = 0; code == MESH_CLI_OK && i < product->ports.n; i++) {
            const struct mesh_model_port *port = product->ports.v[i];
            struct history history;
            if (port->kind != MESH_MODEL_KAFKA || port->contract == NULL || port->contract->schema == NULL)
                continue;
            code = read_history(&talk, subject_of(cli, port->topic.text), &history);
            n_ports++;
            if (code != MESH_CLI_OK || is_in(&history, port->contract))
                continue;
            n_new++;
            compare(cli, &history, history.rule, port->contract->schema, port->contract->name, NULL);
        }
        for (size_t i = 0; code == MESH_CLI_OK && i < product->inputs.n; i++) {
            const struct mesh_model_input *input = product->inputs.v[i];
            struct history history;
            if (input->product_port != NULL || input->contract == NULL || input->contract->schema == NULL)
                continue;
            code = read_history(&talk, subject_of(cli, input->topic.text), &history);
            n_inputs++;
            if (code == MESH_CLI_OK)
                check_input(cli, history, input->contract);
        }
    }
    if (code != MESH_CLI_OK)
        return code;
    code = mesh_cli_report(cli);
    if (code == MESH_CLI_OK && cli->format == MESH_DIAG_TEXT)
        printf("nothing breaks against %s: %zu Kafka port%s, of which %zu write what is not registered yet, and %zu input%s\n",
               talk.conf.url, n_ports, n_ports == 1 ? "" : "s", n_new, n_inputs, n_inputs == 1 ? "" : "s");
    return code;
}

/* ---- schema register ---- */
struct publishing {
    struct talk *talk;
    const char *subject;
    size_t added, there, refused;
};

static int publish(struct publishing *p, const struct mesh_model_contract *contract)
{
    struct mesh_cli *cli = p->talk->cli;
    struct mesh_err err = {0};
    const struct mesh_registry_schema schema = {.text = contract->source->text};
    uint32_t id = 0;
    int version = 0;
    bool good = true;
    const char *why = "";
    int result = mesh_registry_find(p->talk->registry, &cli->arena, p->subject, contract->schema, &id, &version, &err);
    if (result < 0)
        return fail(&err);
    if (result == 0) {
        printf("%s: %s is version %d, id %u\n", p->subject, contract->name, version, (unsigned)id);
        p->there++;
        return MESH_CLI_OK;
    }
    if (cli->dry_run)
        result = mesh_registry_compatible(p->talk->registry, &cli->arena, p->subject, &schema, &good, &why, &err);
    else
        result = mesh_registry_register(p->talk->registry, p->subject, &schema, &id, &err);
    if (result < 0 && err.class == MESH_ERR_REJECT)
        why = err.text;
    else if (result < 0)
        return fail(&err);
    if (result < 0 || !good) {
        printf("%s: %s is refused: %s\n", p->subject, contract->name, why);
        p->refused++;
    } else {
        printf(cli->dry_run ? "%s: %s would be registered\n" : "%s: %s is registered, id %u\n", p->subject, contract->name,
               (unsigned)id);
        p->added++;
    }
    return MESH_CLI_OK;
}

/* Every version up to the one that the port writes, oldest first: what older ones wrote may still be in the topic. */
static int publish_port(struct publishing *p, const struct mesh_model *model, const struct mesh_model_port *port)
{
    int code = MESH_CLI_OK;
    p->subject = subject_of(p->talk->cli, port->topic.text);
    for (size_t s = 0; s < model->subjects.n; s++) {
        const struct mesh_model_subject *subject = model->subjects.v[s];
        if (strcmp(subject->name, port->contract->subject) != 0 || strcmp(subject->domain, port->contract->domain) != 0)
            continue;
        for (size_t v = 0; code == MESH_CLI_OK && v < subject->versions.n; v++)
            if (subject->versions.v[v]->schema != NULL && subject->versions.v[v]->version <= port->contract->version)
                code = publish(p, subject->versions.v[v]);
    }
    return code;
}

int mesh_cli_register(struct mesh_cli *cli)
{
    mesh_cleanup(talk_deinit) struct talk talk = {.cli = cli};
    struct publishing p = {.talk = &talk};
    if (cli->n_args > 2)
        return mesh_cli_fail("usage: meshgen schema register [--registry URL] [--domain NAME] [--dry-run] [DIR]");
    const struct mesh_model *model = mesh_cli_model(cli, cli->n_args == 2 ? cli->args[1] : NULL);
    if (model == NULL)
        return MESH_CLI_USAGE;
    if (cli->diags.n_errors > 0)
        return mesh_cli_report(cli);
    int code = open_registry(&talk);
    for (size_t d = 0; code == MESH_CLI_OK && d < model->products.n; d++) {
        const struct mesh_model_product *product = model->products.v[d];
        for (size_t i = 0; code == MESH_CLI_OK && i < product->ports.n; i++)
            if (product->ports.v[i]->kind == MESH_MODEL_KAFKA && product->ports.v[i]->contract != NULL &&
                (cli->domain == NULL || strcmp(cli->domain, product->domain.text) == 0))
                code = publish_port(&p, model, product->ports.v[i]);
    }
    if (code != MESH_CLI_OK)
        return code;
    printf("%zu %s, %zu there already, %zu refused\n", p.added, cli->dry_run ? "would be registered" : "registered", p.there,
           p.refused);
    return p.refused > 0 ? MESH_CLI_FINDINGS : MESH_CLI_OK;
}
