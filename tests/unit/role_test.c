/* The files by which versions of a product and meshctl tell each other what they are: what is written is read again, and what means nothing
 * is refused. And the names of a version's topics. */
#include "../check.h"

#include "app/variant.h"
#include "base/check.h"
#include "flow/role.h"

#include "shop.h"

static int read_text(const char *text, struct mesh_role *ret, struct mesh_err *err)
{
    return mesh_role_read(mesh_str_of(text), ret, err);
}

CASE(what_is_written_is_read_again)
{
    struct mesh_role role, again;
    mesh_role_init(&role, MESH_ROLE_RETIRED);
    role.order = 17;
    role.voice = 1732226001;
    role.from_us = 1700000000000000;
    mesh_role_add_succeeded(&role, 1);
    mesh_role_add_succeeded(&role, 2);
    mesh_role_add_succeeded(&role, 1);
    mesh_role_add_at(&role, "omnishop.sales.card-payments", 3, INT64_C(5000000000));
    mesh_role_add_at(&role, "rates", 0, 0);
    struct mesh_role_mark *mark = mesh_vec_push(&role.marks);
    *mark = (struct mesh_role_mark){"card_payments", {NULL, 3, -5, INT64_MIN, true}};
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf twice = MESH_BUF_NULL;
    mesh_role_write(&role, &text);
    struct mesh_err err = {0};
    CHECK(read_text(text.p, &again, &err) == 0);
    CHECK(again.word == MESH_ROLE_RETIRED && again.order == 17 && again.voice == 1732226001 && again.n_succeeds == 2);
    CHECK_EQ_I64(mesh_role_at(&again, "omnishop.sales.card-payments", 3), INT64_C(5000000000));
    CHECK_EQ_I64(mesh_role_at(&again, "omnishop.sales.card-payments", 2), -1);
    CHECK(again.marks.n == 1 && again.marks.v[0].mark.idle && again.marks.v[0].mark.released_us == INT64_MIN);
    mesh_role_write(&again, &twice);
    CHECK_STR(twice.p, text.p);
    mesh_role_deinit(&role);
    mesh_role_deinit(&again);
}

CASE(every_word_is_read_again)
{
    for (int i = 0; i < MESH_ROLE_WORDS; i++) {
        struct mesh_role role, again;
        struct mesh_err err = {0};
        mesh_role_init(&role, (enum mesh_role_word)i);
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        mesh_role_write(&role, &text);
        CHECK(read_text(text.p, &again, &err) == 0 && again.word == role.word && again.from_us == INT64_MIN);
        mesh_role_deinit(&again);
    }
}

CASE(what_means_nothing_is_refused)
{
    static const char *const wrong[] = {"",
                                        "mesh-role 2\nword active\n",
                                        "mesh-role 1\n",
                                        "mesh-role 1\nword king\n",
                                        "mesh-role 1\nword active\norder -1\n",
                                        "mesh-role 1\nword active\nat topic 0\n",
                                        "mesh-role 1\nword active\nat topic -1 5\n",
                                        "mesh-role 1\nword active\nmark name 0 1 2\n",
                                        "mesh-role 1\nword active\nsucceeds 1 x\n"};
    for (size_t i = 0; i < MESH_LEN(wrong); i++) {
        struct mesh_role role;
        struct mesh_err err = {0};
        CHECK(read_text(wrong[i], &role, &err) == 1);
        CHECK_STR(err.code, i < 3 ? "role.file" : "role.line");
    }
    struct mesh_role later;
    struct mesh_err err = {0};
    CHECK(read_text("mesh-role 1\nword held\nmood good\n", &later, &err) == 0); /* of a later version */
    mesh_role_deinit(&later);
}

CASE(the_oldest_go_when_there_is_no_room)
{
    struct mesh_role role;
    mesh_role_init(&role, MESH_ROLE_ACTIVE);
    for (uint64_t i = 1; i <= MESH_FLOW_SUCCEEDS_MAX + 3; i++)
        mesh_role_add_succeeded(&role, i);
    CHECK(role.n_succeeds == MESH_FLOW_SUCCEEDS_MAX && role.succeeds[0] == 4);
}

CASE(names_of_versions)
{
    CHECK(mesh_variant_is_name("v2") && mesh_variant_is_name("blue-1"));
    CHECK(!mesh_variant_is_name("") && !mesh_variant_is_name("base") && !mesh_variant_is_name("V2") &&
          !mesh_variant_is_name("a.b") && !mesh_variant_is_name("before_reset") && !mesh_variant_is_name("abcdefghijklmnopqrstu"));
}

CASE(a_muted_version_owns_its_names)
{
    const struct mesh_product *product = shop_service.products[0];
    struct mesh_arena arena = MESH_ARENA_NULL;
    CHECK(mesh_variant_product(&arena, product, "", false) == product);
    const struct mesh_product *muted = mesh_variant_product(&arena, product, "v2", true);
    const struct mesh_product *counts = mesh_variant_product(&arena, product, "v2", false);
    const struct mesh_product *base = mesh_variant_product(&arena, product, "", true);
    for (uint32_t i = 0; i < product->n_inputs; i++) {
        bool foreign = product->inputs[i].kind == MESH_INPUT_STREAM || product->inputs[i].kind == MESH_INPUT_TABLE;
        CHECK((strcmp(muted->inputs[i].topic, product->inputs[i].topic) == 0) == foreign);
        CHECK_STR(counts->inputs[i].topic, muted->inputs[i].topic);
    }
    for (uint32_t i = 0; i < product->n_internals; i++)
        CHECK(strcmp(muted->internals[i].topic, product->internals[i].topic) != 0);
    uint32_t n = 0;
    for (uint32_t i = 0; i < product->n_ports; i++) {
        if (product->ports[i].topic == NULL)
            continue;
        n++;
        CHECK(strcmp(muted->ports[i].topic, product->ports[i].topic) != 0);
        CHECK(strcmp(base->ports[i].topic, muted->ports[i].topic) != 0);
        CHECK_STR(counts->ports[i].topic, product->ports[i].topic);
    }
    CHECK(n > 0);
    CHECK(strcmp(counts->dlq_topic, product->dlq_topic) != 0);
    CHECK_STR(base->dlq_topic, product->dlq_topic);
    mesh_arena_deinit(&arena);
}
