/* The versions of a contract among each other: none is missing, each new one keeps to the rule, and what a port reads with its own
 * version is known before a record comes. */
#include "codegen/check.h"
#include "codegen/compat_diag.h"
#include "contract/resolve.h"

#include <string.h>

static bool is_of(const struct mesh_model_subject *subject, const struct mesh_model_contract *contract)
{
    return contract != NULL && strcmp(contract->subject, subject->name) == 0 && strcmp(contract->domain, subject->domain) == 0;
}

/* ---- the rule of a subject ---- */

struct rule {
    struct mesh_model_text text; /* absent: nobody says */
    const char *port;
    bool writes;
};

static void take_rule(struct mesh_checker *c, const struct mesh_model_subject *subject, struct rule *rule,
                      struct mesh_model_text text, const char *port, bool writes)
{
    enum mesh_compat_mode mode;
    if (text.text == NULL || mesh_compat_parse_mode(text.text, &mode) != 0)
        return;
    if (rule->text.text != NULL && rule->writes == writes && strcmp(rule->text.text, text.text) != 0) {
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG063", text.at,
                                               "the contract '%s/%s' has another rule already", subject->domain, subject->name);
        mesh_diag_why(c->diags, diag, "one file follows the other under one rule, whoever uses it");
        mesh_diag_fix(c->diags, diag, "write '%s' in both ports, or in one alone", rule->text.text);
        mesh_diag_note(c->diags, diag, rule->text.at, "the port '%s' says %s", rule->port, rule->text.text);
        return;
    }
    if (rule->text.text == NULL || (writes && !rule->writes))
        *rule = (struct rule){text, port, writes};
}

static void find_mode(struct mesh_checker *c, struct mesh_model_subject *subject)
{
    struct rule rule = {0};
    for (size_t p = 0; p < c->model->products.n; p++) {
        const struct mesh_model_product *product = c->model->products.v[p];
        for (size_t i = 0; i < product->inputs.n; i++) {
            if (is_of(subject, product->inputs.v[i]->contract))
                take_rule(c, subject, &rule, product->inputs.v[i]->compatibility, product->inputs.v[i]->name, false);
        }
        for (size_t i = 0; i < product->ports.n; i++) {
            if (is_of(subject, product->ports.v[i]->contract))
                take_rule(c, subject, &rule, product->ports.v[i]->compatibility, product->ports.v[i]->name, true);
        }
    }
    subject->mode = c->model->compatibility;
    if (rule.text.text != NULL)
        mesh_assert(mesh_compat_parse_mode(rule.text.text, &subject->mode) == 0);
    const char *name = mesh_compat_mode_name(subject->mode);
    subject->mode_rule = rule.text.text != NULL ? mesh_arena_printf(c->arena, "the port '%s' asks for %s", rule.port, name)
                         : c->model->compatibility_given
                             ? mesh_arena_printf(c->arena, "mesh.yaml asks for %s", name)
                             : mesh_arena_printf(c->arena, "%s is asked for where mesh.yaml says nothing", name);
}

/* ---- one behind the other ---- */

static void check_gaps(struct mesh_checker *c, const struct mesh_model_subject *subject)
{
    for (size_t i = 1; i < subject->versions.n; i++) {
        const struct mesh_model_contract *contract = subject->versions.v[i];
        int missing = subject->versions.v[i - 1]->version + 1;
        if (contract->version == missing || contract->schema == NULL)
            continue;
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG061", contract->schema->at, "'%s' follows '%s': @%d is missing", contract->name,
                          subject->versions.v[i - 1]->name, missing);
        mesh_diag_why(c->diags, diag, "contracts are append-only: what an old version wrote may still be in a topic");
        mesh_diag_fix(c->diags, diag, "bring contracts/%s/%s.v%d.avsc back, or give this version the next number", subject->domain,
                      subject->name, missing);
    }
}

static void check_evolution(struct mesh_checker *c, struct mesh_model_subject *subject)
{
    const struct mesh_schema **schemas = mesh_arena_alloc(c->arena, (subject->versions.n + 1) * sizeof *schemas);
    const struct mesh_model_contract **contracts = mesh_arena_alloc(c->arena, (subject->versions.n + 1) * sizeof *contracts);
    size_t n = 0;
    for (size_t i = 0; i < subject->versions.n; i++) {
        const struct mesh_model_contract *next = subject->versions.v[i];
        if (next->schema == NULL)
            continue;
        struct mesh_compat_verdict *verdicts = NULL;
        size_t n_verdicts = 0;
        mesh_compat_evolve(c->arena, subject->mode, next->schema, schemas, n, &verdicts, &n_verdicts);
        subject->broken = subject->broken || n_verdicts > 0;
        for (size_t v = 0; v < n_verdicts; v++) {
            struct mesh_compat_names names = {next->name, contracts[verdicts[v].version]->name, subject->mode_rule};
            for (size_t k = 0; k < verdicts[v].compat.n; k++)
                mesh_compat_diag(c->diags, MESH_ERROR, "MG060", &verdicts[v], &verdicts[v].compat.found[k], &names);
        }
        contracts[n] = next;
        schemas[n++] = next->schema;
    }
}

static void find_readable(struct mesh_checker *c, const struct mesh_model_subject *subject, struct mesh_model_contract *reader)
{
    *mesh_vec_push_in(c->arena, &reader->reads) = reader;
    for (size_t i = 0; i < subject->versions.n; i++) {
        struct mesh_model_contract *writer = subject->versions.v[i];
        struct mesh_resolve *resolve = NULL;
        struct mesh_err err = {0};
        if (writer == reader || writer->schema == NULL || mesh_resolve_new(writer->schema, reader->schema, &resolve, &err) != 0)
            continue;
        mesh_resolve_free(resolve);
        *mesh_vec_push_in(c->arena, &reader->reads) = writer;
    }
}

void mesh_check_versions(struct mesh_checker *c)
{
    for (size_t i = 0; i < c->model->subjects.n; i++) {
        struct mesh_model_subject *subject = c->model->subjects.v[i];
        find_mode(c, subject);
        check_gaps(c, subject);
        check_evolution(c, subject);
        for (size_t k = 0; k < subject->versions.n; k++) {
            if (subject->versions.v[k]->schema != NULL)
                find_readable(c, subject, subject->versions.v[k]);
        }
    }
}

/* ---- what a port will refuse ---- */

/* The reason that counts: what is wrong with some values only comes last. */
static const struct mesh_incompat *worst(const struct mesh_compat *compat)
{
    for (size_t i = 0; i < compat->n; i++) {
        if (compat->found[i].kind != MESH_COMPAT_MISSING_ENUM_SYMBOLS && compat->found[i].kind != MESH_COMPAT_MISSING_UNION_BRANCH)
            return &compat->found[i];
    }
    return &compat->found[0];
}

static void check_input(struct mesh_checker *c, const struct mesh_model_input *input, const struct mesh_model_subject *subject)
{
    const struct mesh_model_contract *reader = input->contract;
    if (subject->broken)
        return;
    struct mesh_srcref at = mesh_check_key_at(input->yaml, input->product_port != NULL ? "product" : "contract", input->at);
    for (size_t i = 0; i < subject->versions.n; i++) {
        const struct mesh_model_contract *writer = subject->versions.v[i];
        struct mesh_compat compat;
        if (writer == reader || writer->schema == NULL)
            continue;
        mesh_compat_check(c->arena, reader->schema, writer->schema, MESH_COMPAT_READER_IS_NEW, &compat);
        if (compat.n == 0)
            continue;
        bool all = true;
        for (size_t k = 0; k < reader->reads.n; k++)
            all = all && reader->reads.v[k] != writer;
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_WARNING, "MG064", at, "'%s' will refuse %s of '%s'", input->name,
                                               all ? "the records" : "some records", writer->name);
        mesh_diag_why(c->diags, diag, "it reads with '%s': %s", reader->name, worst(&compat)->reason);
        mesh_diag_fix(c->diags, diag,
                      writer->version > reader->version
                          ? "read with '%s' before anybody writes it; until then such records become dead letters"
                          : "read with a version that can, or wait until no record of '%s' is left in the topic",
                      writer->name);
        mesh_diag_note(c->diags, diag, worst(&compat)->writer_at, "'%s' says it here", writer->name);
    }
}

void mesh_check_readable(struct mesh_checker *c)
{
    for (size_t p = 0; p < c->model->products.n; p++) {
        const struct mesh_model_product *product = c->model->products.v[p];
        for (size_t i = 0; i < product->inputs.n; i++) {
            const struct mesh_model_input *input = product->inputs.v[i];
            for (size_t s = 0; s < c->model->subjects.n; s++) {
                if (is_of(c->model->subjects.v[s], input->contract) && input->contract->schema != NULL)
                    check_input(c, input, c->model->subjects.v[s]);
            }
        }
    }
}
