/* The checker on the mesh of this repository: shapes, scopes, order, labels; and that no declaration, however broken, breaks it.
 * Messages have goldens (tests/golden/diag). The working folder is the root of the sources. */
#include "../check.h"

#include "base/fs.h"
#include "codegen/cli.h"
#include "codegen/model.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct mesh_arena arena;
static struct mesh_diags diags;
static struct mesh_model *omnishop;

static struct mesh_model *load(const char *root)
{
    struct mesh_err err = {0};
    struct mesh_model *model = NULL;
    diags = (struct mesh_diags){.arena = &arena};
    if (mesh_model_load(&arena, &diags, root, &model, &err) != 0) {
        printf("# %s\n", err.text);
        return NULL;
    }
    mesh_check(model);
    return model;
}

static struct mesh_model_product *product(const char *name)
{
    if (omnishop == NULL)
        omnishop = load(".");
    for (size_t i = 0; omnishop != NULL && i < omnishop->products.n; i++) {
        if (strcmp(omnishop->products.v[i]->name.text, name) == 0)
            return omnishop->products.v[i];
    }
    return NULL;
}

static struct mesh_model_stream *stream(const char *in, const char *name)
{
    const struct mesh_model_product *p = product(in);
    for (size_t i = 0; p != NULL && i < p->streams.n; i++) {
        if (strcmp(p->streams.v[i]->name, name) == 0)
            return p->streams.v[i];
    }
    return NULL;
}

static struct mesh_model_view *view(const char *in, const char *name)
{
    const struct mesh_model_product *p = product(in);
    for (size_t i = 0; p != NULL && i < p->views.n; i++) {
        if (strcmp(p->views.v[i]->name, name) == 0)
            return p->views.v[i];
    }
    return NULL;
}

static struct mesh_model_port *port(const char *in, const char *name)
{
    const struct mesh_model_product *p = product(in);
    for (size_t i = 0; p != NULL && i < p->ports.n; i++) {
        if (strcmp(p->ports.v[i]->name, name) == 0)
            return p->ports.v[i];
    }
    return NULL;
}

/* "card_id string, amount_eur decimal(14,2)" */
static const char *members(const struct mesh_gen_shape *shape)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    for (size_t i = 0; shape != NULL && i < shape->members.n; i++) {
        mesh_buf_printf(&out, "%s%s ", i == 0 ? "" : ", ", shape->members.v[i].name);
        mesh_gen_type_describe(&shape->members.v[i].type, &out);
    }
    return mesh_arena_strdup(&arena, out.p == NULL ? "" : out.p);
}

static const char *c_of(const struct mesh_expr *expr)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_expr_emit(expr, &out);
    return mesh_arena_strdup(&arena, out.p == NULL ? "" : out.p);
}

static enum mesh_protect protect(const struct mesh_model_port *p, const struct mesh_gen_shape *shape, const char *name)
{
    for (size_t i = 0; i < shape->members.n; i++) {
        if (strcmp(shape->members.v[i].name, name) == 0)
            return p->protect.v[i];
    }
    return MESH_PROTECT_COUNT;
}

CASE(the_mesh_checks_clean)
{
    REQUIRE(product("sales_fraud") != NULL);
    CHECK_EQ_U64(diags.list.n, 0);
    CHECK_EQ_U64(omnishop->products.n, 4);
    CHECK_STR(omnishop->products.v[0]->name.text, "customer"); /* by name */
    CHECK_STR(omnishop->products.v[3]->name.text, "sales_fraud");
    CHECK_STR(omnishop->pseudonym_key_env, "MESH_PSEUDONYM_KEY");
    CHECK_EQ_I64(omnishop->default_partitions, 4);
}

CASE(inputs_have_the_shape_of_their_contract)
{
    const struct mesh_model_product *p = product("sales_fraud");
    REQUIRE(p != NULL);
    CHECK_STR(members(p->inputs.v[2]->shape), "currency string, valid_from timestamp, eur decimal(14,6)");
    CHECK(p->inputs.v[2]->is_table && p->inputs.v[2]->copy_all);
    CHECK_STR(p->inputs.v[2]->versioned.text, "valid_from");
    CHECK_EQ_I64(p->inputs.v[2]->partitions, 1);
    CHECK_EQ_I64(p->inputs.v[0]->partitions, 4);
    CHECK_EQ_I64(p->inputs.v[0]->ahead_us, INT64_C(3600000000)); /* default */
    const struct mesh_gen_member *card = mesh_gen_shape_member(p->inputs.v[0]->shape, "card_id");
    CHECK(card->label == MESH_PERSONAL);
    CHECK_STR(card->subject, "customer");
    CHECK_STR(card->origin, "inputPorts.card_payments.card_id");
}

CASE(an_input_from_another_product)
{
    const struct mesh_model_product *p = product("marketing");
    REQUIRE(p != NULL);
    const struct mesh_model_input *sales = p->inputs.v[1];
    CHECK_STR(sales->topic.text, "omnishop.sales.sales");
    CHECK_STR(sales->key.text, "card_id");
    CHECK_STR(sales->product, "sales_fraud/sales_fraud");
    CHECK(sales->product_port == port("sales_fraud", "sales"));
    CHECK(mesh_gen_shape_member(sales->shape, "card_id")->label == MESH_PSEUDONYMOUS);
}

CASE(steps_change_the_shape)
{
    const struct mesh_model_stream *clean = stream("sales_fraud", "clean");
    REQUIRE(clean != NULL && clean->shape != NULL);
    CHECK(clean->steps.v[0].shape_after == clean->shape_in); /* where, dedupe, join: the same record */
    CHECK(clean->steps.v[2].shape_after == clean->shape_in);
    CHECK(clean->steps.v[2].shape_joined == clean->steps.v[2].table->shape);
    CHECK(clean->steps.v[3].shape_after == clean->shape && clean->shape != clean->shape_in);
    CHECK_EQ_U64(clean->shape->members.n, clean->shape_in->members.n + 1);
    CHECK_STR(clean->shape->cname, "clean");
    CHECK_STR(c_of(clean->steps.v[0].where), "r->amount > 0");
    const struct mesh_gen_member *eur = mesh_gen_shape_member(clean->shape, "amount_eur");
    CHECK_STR(eur->origin, "streams.clean.amount_eur");
    CHECK(eur->label == MESH_INTERNAL);
    CHECK_CONTAINS(c_of(clean->steps.v[3].assigns.v[0].expr), "rates->eur");
}

CASE(a_fold_adds_a_member_per_window_and_value)
{
    const struct mesh_model_stream *s = stream("sales_fraud", "card_profile");
    REQUIRE(s != NULL && s->shape != NULL);
    size_t n = s->shape->members.n - 2; /* behind the fold: a score and its model */
    CHECK_STR(s->shape->members.v[n - 4].name, "n_d1"); /* by window first */
    CHECK_STR(s->shape->members.v[n - 3].name, "mean_eur_d1");
    CHECK_STR(s->shape->members.v[n - 2].name, "n_d7");
    CHECK_STR(s->shape->members.v[n - 1].name, "mean_eur_d7");
    CHECK(s->shape->members.v[n - 1].type.nullable);
    CHECK_EQ_U64(s->steps.v[0].aggregates.list.n, 2);
}

CASE(a_pattern_gives_what_emit_says)
{
    const struct mesh_model_stream *probes = stream("sales_fraud", "probes");
    REQUIRE(probes != NULL && probes->shape != NULL);
    CHECK_STR(members(probes->shape), "rule string, card_id string, payment_id string, terminal_id string, country string, "
                                      "amount_eur decimal(14,2), at timestamp");
    CHECK_EQ_I64(probes->pattern.v[0].times, 3);
    CHECK_EQ_I64(probes->pattern.v[1].times, 1);
    CHECK_STR(c_of(probes->emit.v[1].expr), "r->card_id");
    CHECK(mesh_gen_shape_member(probes->shape, "card_id")->label == MESH_PERSONAL); /* labels travel */
    CHECK(stream("sales_fraud", "alerts")->shape_in == stream("sales_fraud", "velocity")->shape);
}

CASE(streams_stand_behind_what_they_read)
{
    const struct mesh_model_product *p = product("sales_fraud");
    REQUIRE(p != NULL);
    for (size_t i = 0; i < p->streams.n; i++) {
        for (size_t k = 0; k < p->streams.v[i]->from.n; k++) {
            for (size_t later = i; later < p->streams.n; later++)
                CHECK(p->streams.v[i]->from.v[k].stream != p->streams.v[later]);
        }
    }
}

CASE(the_changes_of_a_view)
{
    const struct mesh_model_stream *low = stream("product_stock", "low_stock");
    REQUIRE(low != NULL && low->shape != NULL);
    CHECK(low->from.v[0].kind == MESH_FROM_CHANGES && low->from.v[0].view == view("product_stock", "stock"));
    CHECK_STR(members(low->shape_old), "product_id string or null, store_id string or null, on_hand int or null");
    CHECK_STR(c_of(low->steps.v[1].where), "now->on_hand <= products->reorder_point");
    CHECK_STR(c_of(low->steps.v[2].assigns.v[5].expr), "event->time_us");
}

CASE(a_where_says_that_a_member_is_there)
{
    const struct mesh_model_stream *attributed = stream("marketing", "attributed");
    REQUIRE(attributed != NULL);
    REQUIRE(attributed->narrowed.n == 1);
    CHECK_STR(attributed->narrowed.v[0], "campaign_id");
    CHECK(mesh_gen_shape_member(attributed->shape, "campaign_id")->type.nullable); /* the record is as it was */
    CHECK(!mesh_gen_shape_member(view("marketing", "campaigns")->shape, "campaign_id")->type.nullable);
}

CASE(a_view_over_several_sources)
{
    const struct mesh_model_view *profile = view("customer", "profile");
    REQUIRE(profile != NULL && profile->shape != NULL);
    CHECK_STR(members(profile->shape),
              "customer_id string, country string or null, segment string or null, orders int, web_orders int, "
              "spend_eur decimal(38,2), basket_eur double or null, last_seen timestamp or null, "
              "marketing_consent bool or null");
    CHECK_EQ_U64(profile->aggregates.list.v[0].source, 0);
    CHECK_EQ_U64(profile->aggregates.list.v[2].source, 2);
    CHECK_EQ_U64(profile->remove_source, 0);
    CHECK_STR(c_of(profile->remove), "r->deleted");
}

CASE(state_and_update)
{
    const struct mesh_model_view *stock = view("product_stock", "stock");
    REQUIRE(stock != NULL && stock->shape != NULL);
    CHECK_STR(members(stock->shape), "product_id string, store_id string, on_hand int");
    CHECK_EQ_U64(stock->updates.v[1].source, 1);
    CHECK_STR(c_of(stock->updates.v[0].assigns.v[0].expr), "mesh_add(&fault, row->on_hand, r->qty)");
    CHECK_STR(c_of(stock->updates.v[1].assigns.v[0].expr), "r->counted");
}

CASE(what_is_personal_is_protected_at_every_border)
{
    REQUIRE(port("customer", "profiles") != NULL);
    const struct mesh_gen_shape *profile = view("customer", "profile")->shape;
    CHECK(protect(port("customer", "profiles"), profile, "customer_id") == MESH_PSEUDONYM);
    CHECK(protect(port("customer", "profile"), profile, "customer_id") == MESH_PSEUDONYM);
    CHECK(protect(port("customer", "profile_docs"), profile, "customer_id") == MESH_PSEUDONYM);
    CHECK(protect(port("customer", "profiles"), profile, "country") == MESH_AS_IS);
    CHECK(protect(port("sales_fraud", "sales"), stream("sales_fraud", "clean")->shape, "card_id") == MESH_PSEUDONYM);
    CHECK(protect(port("sales_fraud", "cards"), view("sales_fraud", "cards")->shape, "card_id") == MESH_PSEUDONYM);
    for (size_t i = 0; i < omnishop->products.n; i++) {
        const struct mesh_model_product *p = omnishop->products.v[i];
        for (size_t k = 0; k < p->ports.n; k++) {
            const struct mesh_gen_shape *shape =
                p->ports.v[k]->view != NULL ? p->ports.v[k]->view->shape : p->ports.v[k]->from.stream->shape;
            CHECK_EQ_U64(p->ports.v[k]->protect.n, shape->members.n);
        }
    }
}

CASE(ports_know_how_they_are_sent)
{
    REQUIRE(port("customer", "profiles") != NULL);
    CHECK(port("customer", "profiles")->emit == MESH_EMIT_CHANGE && port("customer", "profiles")->compact);
    CHECK(port("sales_fraud", "sales")->emit == MESH_EMIT_EVENT && port("sales_fraud", "sales")->delivery == MESH_EXACTLY_ONCE);
    CHECK(port("sales_fraud", "sales")->view == NULL);
    CHECK(port("sales_fraud", "cards")->view == view("sales_fraud", "cards"));
}

/* ---- codes ---- */

static const char *file_text(const char *path)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    if (mesh_fs_read(path, 4u << 20, &text, &err) != 0)
        return "";
    return mesh_arena_str(&arena, (struct mesh_str){text.p, (uint32_t)text.n});
}

static void check_codes_of(const char *folder)
{
    struct mesh_err err = {0};
    char **names = NULL;
    size_t n = 0;
    REQUIRE(mesh_fs_list(&arena, folder, &names, &n, &err) == 0);
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(names[i]);
        if (length < 3 || strcmp(names[i] + length - 2, ".c") != 0)
            continue;
        for (const char *p = file_text(mesh_arena_printf(&arena, "%s/%s", folder, names[i])); (p = strstr(p, "\"M")) != NULL; p++) {
            if (strchr("YGECP", p[2]) == NULL || strspn(p + 3, "0123456789") != 3 || p[6] != '"')
                continue;
            const char *code = mesh_arena_printf(&arena, "%.5s", p + 1);
            if (mesh_code_find(code) == NULL)
                check_fail(names[i], 0, code);
        }
    }
}

CASE(every_code_that_is_given_is_explained)
{
    check_codes_of("codegen");
    check_codes_of("platform/contract");
}

CASE(codes_are_explained_once_and_whole)
{
    for (size_t i = 0; i < mesh_codes_n; i++) {
        CHECK(strlen(mesh_codes[i].title) > 3 && strlen(mesh_codes[i].why) > 20);
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(mesh_codes[i].code, mesh_codes[k].code) != 0);
    }
    CHECK(mesh_code_find("mg010") == mesh_code_find("MG010"));
    CHECK(mesh_code_find("XX000") == NULL);
}

/* ---- broken declarations ---- */

static char folder[] = "/tmp/mesh-check-XXXXXX";

static bool put(const char *path, const char *text, size_t n)
{
    struct mesh_err err = {0};
    char *full = mesh_arena_printf(&arena, "%s/%s", folder, path);
    char *slash = strrchr(full, '/');
    *slash = '\0';
    bool ok = mesh_fs_mkdirs(full, &err) == 0;
    *slash = '/';
    return ok && mesh_fs_write_atomic(full, text, n, &err) == 0;
}

/* The declaration without one line, cut behind one line, and with one line deeper: an answer every time. */
static void break_lines(const char *path, size_t step)
{
    const char *text = mesh_arena_strdup(&arena, file_text(path));
    size_t n = strlen(text);
    size_t line = 0;
    for (size_t begin = 0; begin < n; line++) {
        size_t end = begin + strcspn(text + begin, "\n") + 1;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf changed = MESH_BUF_NULL;
        mesh_buf_add(&changed, text, begin);
        switch (line % 3) {
        case 0:
            mesh_buf_add(&changed, text + end, n - end);
            break;
        case 1:
            mesh_buf_puts(&changed, "  ");
            mesh_buf_add(&changed, text + begin, n - begin);
            break;
        default:
            break;
        }
        begin = end;
        if (line % step != 0)
            continue;
        struct mesh_arena outer = arena;
        arena = MESH_ARENA_NULL;
        if (put("domains/sales_fraud/product.yaml", changed.p == NULL ? "" : changed.p, changed.n)) {
            CHECK(load(folder) != NULL);
            FILE *sink = fopen("/dev/null", "w");
            REQUIRE(sink != NULL);
            mesh_diag_print(&diags, sink, MESH_DIAG_TEXT, false);
            fclose(sink);
        }
        mesh_arena_deinit(&arena);
        arena = outer;
    }
}

CASE(a_broken_declaration_has_an_answer)
{
    REQUIRE(mkdtemp(folder) != NULL);
    const char *mesh = file_text("mesh.yaml");
    REQUIRE(put("mesh.yaml", mesh, strlen(mesh)));
    static const char *const contracts[] = {"sales_fraud/payment", "sales_fraud/sale", "sales_fraud/fraud_alert", "finance/rate"};
    for (size_t i = 0; i < MESH_LEN(contracts); i++) {
        const char *path = mesh_arena_printf(&arena, "contracts/%s.v1.avsc", contracts[i]);
        const char *text = file_text(path);
        REQUIRE(put(path, text, strlen(text)));
    }
    break_lines("domains/sales_fraud/product.yaml", 1);
    REQUIRE(system(mesh_arena_printf(&arena, "rm -rf %s", folder)) == 0);
}

CASE(no_mesh_here)
{
    struct mesh_err err = {0};
    struct mesh_model *model = NULL;
    diags = (struct mesh_diags){.arena = &arena};
    CHECK(mesh_model_load(&arena, &diags, "/nonexistent", &model, &err) < 0);
    CHECK_CONTAINS(err.text, "mesh.yaml");
}
