/* Loading policies, typing them, and holding every product against them. */
#include "codegen/policy_int.h"

#include "base/check.h"
#include "codegen/bind.h"
#include "codegen/cli.h"
#include "codegen/model_load.h"
#include "codegen/waivers.h"
#include "codegen/yaml.h"

#include <ctype.h>
#include <string.h>

#define M (&mesh_bind_mesh)

/* ---- loading ---- */

/* "OS001", "DATA-7": words of capitals, then a number; none of the compiler's own. */
static bool is_code(const char *text)
{
    size_t letters = 0;
    while (isupper((unsigned char)text[letters]))
        letters++;
    size_t at = letters + (text[letters] == '-');
    size_t digits = strspn(text + at, "0123456789");
    return letters > 1 && digits > 0 && text[at + digits] == '\0' && at + digits <= 16;
}

static void check_code(struct mesh_model *model, const struct mesh_policy *policy)
{
    struct mesh_diag *diag = NULL;
    if (!is_code(policy->code)) {
        diag = mesh_diag_add(model->diags, MESH_ERROR, "MG070", policy->at, "'%s' cannot be the code of a policy", policy->code);
        mesh_diag_why(model->diags, diag, "a code is capital letters and a number, so that people can look for it");
        mesh_diag_fix(model->diags, diag, "for example: code: DATA001");
    } else if (mesh_code_find(policy->code) != NULL || (policy->code[0] == 'M' && strchr("YGECBPT", policy->code[1]) != NULL)) {
        diag = mesh_diag_add(model->diags, MESH_ERROR, "MG070", policy->at, "'%s' is a code of meshgen", policy->code);
        mesh_diag_why(model->diags, diag, "codes that begin with MY MG ME MC MB MP or MT are the compiler's");
        mesh_diag_fix(model->diags, diag, "for example: code: DATA001");
    }
    for (size_t i = 0; diag == NULL && i < model->policies.n; i++) {
        if (strcmp(model->policies.v[i].code, policy->code) != 0)
            continue;
        diag = mesh_diag_add(model->diags, MESH_ERROR, "MG070", policy->at, "two policies have the code '%s'", policy->code);
        mesh_diag_fix(model->diags, diag, "give this one another number");
        mesh_diag_note(model->diags, diag, model->policies.v[i].at, "the other one is here");
        return;
    }
}

static void load_policy(struct mesh_model *model, const struct mesh_yaml *map)
{
    struct mesh_model_text code = mesh_load_text(map, "code");
    struct mesh_policy policy = {.code = code.text,
                                 .at = code.at,
                                 .text = mesh_bind_text(map, "text"),
                                 .why = mesh_bind_text(map, "why"),
                                 .fix = mesh_bind_text(map, "fix"),
                                 .where = mesh_load_expr(model, mesh_yaml_get(map, "where")),
                                 .require = mesh_load_expr(model, mesh_yaml_get(map, "require"))};
    int over = mesh_bind_enum(M, map, "policies[].over");
    int severity = mesh_bind_enum(M, map, "policies[].severity");
    if (policy.code == NULL || policy.text == NULL || policy.require == NULL || over < 0 || severity < 0)
        return;
    policy.over = (enum mesh_policy_over)over;
    policy.severity = severity == 0 ? MESH_ERROR : MESH_WARNING;
    check_code(model, &policy);
    *mesh_vec_push_in(model->arena, &model->policies) = policy;
}

void mesh_policy_load(struct mesh_model *model, const struct mesh_yaml *mesh)
{
    const struct mesh_yaml *list = mesh_yaml_get(mesh, "policies");
    for (size_t i = 0; list != NULL && !list->bad && i < list->items.n; i++) {
        if (!list->items.v[i]->bad && list->items.v[i]->kind == MESH_YAML_MAP)
            load_policy(model, list->items.v[i]);
    }
}

/* ---- judging ---- */

struct judging {
    struct mesh_model *model;
    struct mesh_diags *diags;
    struct mesh_waivers waivers;
    struct mesh_policy_part mesh;
    const struct mesh_policy_part *product, *part; /* at hand */
};

static bool value_of(void *context, const char *path, struct mesh_expr_value *ret)
{
    const struct judging *j = context;
    bool there = false;
    bool found = mesh_policy_value(j->part, path, ret, &there) || mesh_policy_value(j->product, path, ret, &there) ||
                 mesh_policy_value(&j->mesh, path, ret, &there);
    mesh_assert(found); /* or it had no type */
    return there;
}

/* False also when there is no answer, which is reported. */
static bool holds(struct judging *j, const struct mesh_policy *policy, const struct mesh_expr *expr, bool *ret_answered)
{
    struct mesh_expr_value value = {0};
    bool there = false;
    enum mesh_fault fault = mesh_expr_evaluate(expr, value_of, j, &value, &there);
    *ret_answered = fault == MESH_FAULT_NONE;
    if (*ret_answered)
        return value.b;
    struct mesh_diag *diag =
        mesh_diag_add(j->diags, MESH_ERROR, "MG071", mesh_expr_at(expr), "policy %s has no answer for '%s': %s", policy->code,
                      j->part->part, mesh_fault_code(fault));
    mesh_diag_fix(j->diags, diag, "ask for what makes it fail first, with && or ?:");
    mesh_diag_note(j->diags, diag, j->part->at, "'%s' is declared here", j->part->part);
    return false;
}

static void report(struct judging *j, const struct mesh_policy *policy)
{
    const struct mesh_waiver *waiver = NULL;
    bool waived = mesh_waivers_cover(&j->waivers, policy->code, j->part->part, &waiver);
    struct mesh_diag *diag = mesh_diag_add(j->diags, waived ? MESH_WARNING : policy->severity, policy->code, j->part->at,
                                           "%s '%s': %s", mesh_policy_over_name(policy->over), j->part->part, policy->text);
    if (policy->why != NULL)
        mesh_diag_why(j->diags, diag, "%s", policy->why);
    if (waived)
        mesh_diag_fix(j->diags, diag, "nothing until %s: it is waived", waiver->until);
    else if (policy->fix != NULL)
        mesh_diag_fix(j->diags, diag, "%s", policy->fix);
    mesh_diag_note(j->diags, diag, policy->at, "the mesh asks for it here");
    mesh_waivers_note(&j->waivers, diag, waiver);
}

static void judge(struct judging *j, const struct mesh_policy *policy)
{
    bool answered = true;
    if (policy->where != NULL && !holds(j, policy, policy->where, &answered))
        return;
    if (!holds(j, policy, policy->require, &answered) && answered)
        report(j, policy);
}

static bool type_policies(struct mesh_model *model)
{
    static const struct mesh_gen_type truth = {.kind = MESH_GEN_BOOL};
    size_t errors = model->diags->n_errors;
    for (size_t i = 0; i < model->policies.n; i++) {
        const struct mesh_policy *policy = &model->policies.v[i];
        struct mesh_scope scope;
        mesh_policy_scope(model->arena, policy->over, &scope);
        if (policy->where != NULL) {
            mesh_expr_check(policy->where, model->arena, model->diags, &scope, NULL, &truth, "'where'", NULL);
            mesh_expr_narrows(policy->where, model->arena, &scope);
        }
        mesh_expr_check(policy->require, model->arena, model->diags, &scope, NULL, &truth, "'require'", NULL);
    }
    return model->diags->n_errors == errors;
}

void mesh_policy_check(struct mesh_model *model, int64_t today_us)
{
    if (!type_policies(model) || model->diags->n_errors > 0)
        return;
    struct judging j = {
        .model = model, .diags = model->diags, .waivers = {.arena = model->arena, .diags = model->diags, .today_us = today_us}};
    mesh_waivers_load(&j.waivers, model->root);
    mesh_policy_part_of_mesh(model, &j.mesh);
    for (size_t p = 0; p < model->products.n; p++) {
        for (size_t i = 0; i < model->policies.n; i++) {
            const struct mesh_policy *policy = &model->policies.v[i];
            struct mesh_policy_part *parts = NULL;
            size_t n = 0;
            mesh_policy_parts(model->products.v[p], policy->over, &parts, &n);
            j.product = &parts[0];
            for (size_t k = policy->over == MESH_POLICY_PRODUCT ? 0 : 1; k < n; k++) {
                j.part = &parts[k];
                judge(&j, policy);
            }
        }
    }
    mesh_waivers_unused(&j.waivers, false, "MG072");
}
