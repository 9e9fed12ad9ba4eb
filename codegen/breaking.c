/* Products, what they promise, and the contracts of the mesh. */
#include "codegen/breaking_int.h"

#include "base/text.h"
#include "codegen/yaml.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- findings ---- */

static long major(const struct mesh_model_product *product)
{
    return strtol(product->version.text, NULL, 10);
}

bool mesh_breaking_raised(const struct mesh_breaking *b)
{
    return b->new != NULL &&major(b->new) > major(b->old);
}

const char *mesh_breaking_part(struct mesh_breaking *b, const char *section, const char *name, const char *key)
{
    return mesh_arena_printf(b->arena, "%s/%s%s%s%s%s", b->old->name.text, section, name == NULL ? "" : ".",
                             name == NULL ? "" : name, key == NULL ? "" : ".", key == NULL ? "" : key);
}

struct mesh_diag *mesh_breaking_add(struct mesh_breaking *b, const char *code, const char *part, struct mesh_srcref at,
                                    const char *fix, const char *text, ...)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf said = MESH_BUF_NULL;
    va_list args;
    va_start(args, text);
    mesh_buf_vprintf(&said, text, args);
    va_end(args);
    const struct mesh_waiver *waiver = NULL;
    bool raised = mesh_breaking_raised(b);
    bool waived = !raised && mesh_waivers_cover(&b->waivers, code, part, &waiver);
    struct mesh_diag *diag = mesh_diag_add(b->diags, raised || waived ? MESH_WARNING : MESH_ERROR, code, at, "%s", said.p);
    if (raised)
        mesh_diag_fix(b->diags, diag, "nothing: version %s says that it is meant; tell the readers", b->new->version.text);
    else if (waived)
        mesh_diag_fix(b->diags, diag, "nothing until %s: it is waived", waiver->until);
    else if (b->new != NULL)
        mesh_diag_fix(b->diags, diag, "%s; or raise the version of '%s' to %ld.0.0; or waive '%s'", fix, b->old->name.text,
                      major(b->old) + 1, part);
    else
        mesh_diag_fix(b->diags, diag, "%s; or waive '%s'", fix, part);
    mesh_waivers_note(&b->waivers, diag, waiver);
    return diag;
}

static bool uses_source(const struct mesh_model_product *product, const struct mesh_source *source)
{
    bool uses = source == NULL || source == product->source;
    for (size_t i = 0; i < product->inputs.n; i++)
        uses = uses || (product->inputs.v[i]->contract != NULL && product->inputs.v[i]->contract->source == source);
    for (size_t i = 0; i < product->ports.n; i++)
        uses = uses || (product->ports.v[i]->contract != NULL && product->ports.v[i]->contract->source == source);
    return uses;
}

bool mesh_breaking_sound(const struct mesh_model_product *product)
{
    const struct mesh_diags *diags = product->mesh->diags;
    if (diags->n_dropped > 0)
        return false;
    for (size_t i = 0; i < diags->list.n; i++) {
        const struct mesh_diag *diag = diags->list.v[i];
        bool here = uses_source(product, diag->at.source);
        for (size_t n = 0; n < diag->n_notes; n++)
            here = here || uses_source(product, diag->notes[n].at.source);
        if (diag->severity == MESH_ERROR && here)
            return false;
    }
    return true;
}

/* ---- promises ---- */

static bool has_personal(const struct mesh_model_product *product)
{
    for (size_t i = 0; i < product->inputs.n; i++) {
        const struct mesh_gen_shape *shape = product->inputs.v[i]->shape;
        for (size_t k = 0; shape != NULL && k < shape->members.n; k++) {
            if (shape->members.v[k].label == MESH_PERSONAL || shape->members.v[k].label == MESH_SPECIAL)
                return true;
        }
    }
    return false;
}

static double percent(struct mesh_model_text text)
{
    double v = 0;
    size_t n = text.text == NULL ? 0 : strlen(text.text);
    return n > 1 && mesh_text_parse_double((struct mesh_str){text.text, (uint32_t)n - 1}, &v) == 0 ? v : 0;
}

static int64_t duration(struct mesh_model_text text)
{
    int64_t us = 0;
    return text.text != NULL && mesh_text_parse_duration(mesh_str_of(text.text), &us) == 0 ? us : 0;
}

static void compare_promise(struct mesh_breaking *b, const char *what, struct mesh_model_text old, struct mesh_model_text new,
                            const char *why)
{
    struct mesh_diag *diag =
        mesh_breaking_add(b, "MB011", mesh_breaking_part(b, "slaProperties", what, NULL), new.at,
                          mesh_arena_printf(b->arena, "write '%s: %s' again", what, old.text),
                          "'%s' promises another %s: %s, it was %s", b->old->name.text, what, new.text, old.text);
    mesh_diag_why(b->diags, diag, "%s", why);
    mesh_diag_note(b->diags, diag, old.at, "it was promised here");
    for (size_t i = 0; i < b->old->ports.n; i++)
        mesh_breaking_readers(b, diag, b->old->ports.v[i], NULL);
}

static void compare_promises(struct mesh_breaking *b)
{
    const struct mesh_model_product *old = b->old;
    const struct mesh_model_product *new = b->new;
    if (old->sla_latency.text != NULL && new->sla_latency.text != NULL && duration(new->sla_latency) > duration(old->sla_latency))
        compare_promise(b, "latency", old->sla_latency, new->sla_latency, "readers may count on what was promised to them");
    if (old->sla_availability.text != NULL && new->sla_availability.text != NULL &&
        percent(new->sla_availability) < percent(old->sla_availability))
        compare_promise(b, "availability", old->sla_availability, new->sla_availability,
                        "readers may count on what was promised to them");
    if (old->sla_retention.text == NULL || new->sla_retention.text == NULL)
        return;
    int64_t before = duration(old->sla_retention);
    int64_t now = duration(new->sla_retention);
    if (now < before)
        compare_promise(b, "retention", old->sla_retention, new->sla_retention, "readers no longer find what is older");
    else if (now > before && has_personal(new))
        compare_promise(b, "retention", old->sla_retention, new->sla_retention,
                        "people were told that nothing about them is kept for longer");
}

/* Equal but for white space. */
static bool same_text(const char *a, const char *b)
{
    for (;;) {
        while (isspace((unsigned char)*a) && (isspace((unsigned char)a[1]) || a[1] == '\0'))
            a++;
        while (isspace((unsigned char)*b) && (isspace((unsigned char)b[1]) || b[1] == '\0'))
            b++;
        bool both = isspace((unsigned char)*a) && isspace((unsigned char)*b);
        if (!both && *a != *b)
            return false;
        if (*a == '\0')
            return true;
        a++;
        b++;
    }
}

static void compare_purpose(struct mesh_breaking *b)
{
    const struct mesh_model_text old = b->old->purpose;
    const struct mesh_model_text new = b->new->purpose;
    if (old.text == NULL || new.text == NULL || same_text(old.text, new.text) || (!has_personal(b->old) && !has_personal(b->new)))
        return;
    struct mesh_diag *diag = mesh_breaking_add(b, "MB012", mesh_breaking_part(b, "description", "purpose", NULL), new.at,
                                               "keep the purpose", "'%s' has another purpose", b->old->name.text);
    mesh_diag_why(b->diags, diag, "it reads personal data, which may be used for the purpose alone that people were told");
    mesh_diag_note(b->diags, diag, old.at, "this was its purpose");
}

/* ---- products ---- */

static const struct mesh_model_product *find_product(const struct mesh_model *model, const struct mesh_model_product *like)
{
    for (size_t i = 0; i < model->products.n; i++) {
        const struct mesh_model_product *product = model->products.v[i];
        if (strcmp(product->name.text, like->name.text) == 0 && strcmp(product->domain.text, like->domain.text) == 0)
            return product;
    }
    return NULL;
}

bool mesh_breaking_may_change(const struct mesh_model_product *product)
{
    const char *status = product->status.text;
    return product->version.text == NULL ||
           (status != NULL && (strcmp(status, "proposed") == 0 || strcmp(status, "draft") == 0 || strcmp(status, "retired") == 0));
}

static void product_gone(struct mesh_breaking *b)
{
    struct mesh_diag *diag = mesh_breaking_add(b, "MB001", b->old->name.text, b->old->name.at,
                                               "bring it back with 'status: deprecated', then 'retired', before it goes",
                                               "the product '%s' is gone", b->old->name.text);
    mesh_diag_why(b->diags, diag, "it was %s: readers count on it", b->old->status.text);
    for (size_t i = 0; i < b->old->ports.n; i++)
        mesh_breaking_readers(b, diag, b->old->ports.v[i], NULL);
}

static const struct mesh_model_port *find_port(const struct mesh_model_product *product, const char *name)
{
    for (size_t i = 0; i < product->ports.n; i++) {
        if (strcmp(product->ports.v[i]->name, name) == 0)
            return product->ports.v[i];
    }
    return NULL;
}

static void compare_product(struct mesh_breaking *b)
{
    static const char *const kinds[] = {"kafka", "http", "mongo"};
    if (mesh_breaking_may_change(b->old))
        return;
    if (b->new == NULL) {
        product_gone(b);
        return;
    }
    if (b->new->version.text == NULL)
        return;
    compare_promises(b);
    compare_purpose(b);
    b->seen.n = 0;
    for (size_t i = 0; i < b->old->ports.n; i++) {
        const struct mesh_model_port *old = b->old->ports.v[i];
        const struct mesh_model_port *new = find_port(b->new, old->name);
        if (new != NULL &&new->kind == old->kind) {
            mesh_breaking_port(b, old, new);
            continue;
        }
        const char *part = mesh_breaking_part(b, "outputPorts", old->name, NULL);
        struct mesh_diag *diag =
            new == NULL
                ? mesh_breaking_add(b, "MB002", part, old->at, "bring it back", "the output port '%s' of '%s' is gone", old->name,
                                    b->old->name.text)
                : mesh_breaking_add(b, "MB002", part, new->at, "give the new one another name",
                                    "the output port '%s' is of kind %s, it was %s", old->name, kinds[new->kind], kinds[old->kind]);
        mesh_diag_why(b->diags, diag, "who reads it finds nothing there");
        if (new != NULL)
            mesh_diag_note(b->diags, diag, old->at, "it was declared here");
        mesh_breaking_readers(b, diag, old, NULL);
    }
}

/* ---- contracts ---- */

static bool is_released(const struct mesh_model *model, const struct mesh_model_contract *contract)
{
    bool named = false;
    for (size_t p = 0; p < model->products.n; p++) {
        const struct mesh_model_product *product = model->products.v[p];
        bool here = false;
        for (size_t i = 0; i < product->inputs.n; i++)
            here = here || product->inputs.v[i]->contract == contract;
        for (size_t i = 0; i < product->ports.n; i++)
            here = here || product->ports.v[i]->contract == contract;
        if (here && !mesh_breaking_may_change(product))
            return true;
        named = named || here;
    }
    return !named; /* a version that was left behind was somebody's once */
}

static void compare_contract(struct mesh_breaking *b, const struct mesh_model_contract *old, const struct mesh_model_contract *new)
{
    struct mesh_diag *diag = NULL;
    const struct mesh_waiver *waiver = NULL;
    if (new == NULL) {
        bool waived = mesh_waivers_cover(&b->waivers, "MB006", old->name, &waiver);
        diag = mesh_diag_add(b->diags, waived ? MESH_WARNING : MESH_ERROR, "MB006", old->schema->at, "the contract '%s' is gone",
                             old->name);
        mesh_diag_why(b->diags, diag,
                      "contracts are append-only: records that it wrote may still be in a topic, and are read with it");
        mesh_diag_fix(b->diags, diag, "bring %s back; or waive '%s'", old->path, old->name);
    } else {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf before = MESH_BUF_NULL;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf now = MESH_BUF_NULL;
        mesh_schema_normal(old->schema, &before);
        mesh_schema_normal(new->schema, &now);
        if (strcmp(before.p, now.p) == 0)
            return;
        struct mesh_compat compat;
        bool waived = mesh_waivers_cover(&b->waivers, "MB006", old->name, &waiver);
        mesh_compat_check(b->arena, new->schema, old->schema, MESH_COMPAT_READER_IS_NEW, &compat);
        diag =
            mesh_diag_add(b->diags, waived ? MESH_WARNING : MESH_ERROR, "MB006",
                          compat.n > 0 ? compat.found[0].reader_at : new->schema->at, "the contract '%s' was changed", new->name);
        mesh_diag_why(b->diags, diag, "%s%s", compat.n > 0 ? compat.found[0].reason : "who reads it has the older text",
                      "; contracts are append-only: the version is in the schema id of every record");
        mesh_diag_fix(b->diags, diag, "put the change into a new version, %s/%s@%d, and bring this one back; or waive '%s'",
                      new->domain, new->subject, new->version + 1, old->name);
        mesh_diag_note(b->diags, diag, compat.n > 0 ? compat.found[0].writer_at : old->schema->at, "it said this");
    }
    mesh_waivers_note(&b->waivers, diag, waiver);
    mesh_breaking_contract_readers(b, diag, old);
}

void mesh_breaking_find(struct mesh_arena *arena, struct mesh_diags *diags, const struct mesh_model *before,
                        const struct mesh_model *now, int64_t today_us)
{
    struct mesh_breaking b = {.arena = arena,
                              .diags = diags,
                              .before = before,
                              .now = now,
                              .waivers = {.arena = arena, .diags = diags, .today_us = today_us}};
    mesh_waivers_load(&b.waivers, now->root);
    for (size_t i = 0; i < before->products.n; i++) {
        b.old = before->products.v[i];
        b.new = find_product(now, b.old);
        compare_product(&b);
    }
    for (size_t i = 0; i < before->contracts.n; i++) {
        const struct mesh_model_contract *old = before->contracts.v[i];
        const struct mesh_model_contract *new = NULL;
        for (size_t k = 0; k < now->contracts.n; k++) {
            if (strcmp(now->contracts.v[k]->name, old->name) == 0)
                new = now->contracts.v[k];
        }
        if (old->schema != NULL && (new == NULL || new->schema != NULL) && is_released(before, old))
            compare_contract(&b, old, new);
    }
    mesh_waivers_unused(&b.waivers, true, "MB015");
}
