/* Who may follow whom: marks as texts, and the rule. The exchange with a broker is shown by tests/e2e/faults.py. */
#include "../check.h"
#include "base/check.h"
#include "io/kafka_lease.h"

#define A "0123456789abcdef0123456789abcdef"
#define B "ffffffffffffffffffffffffffffffff"

CASE(a_mark_is_read_as_it_was_written)
{
    struct mesh_lease_mark mark = {A, 1700000000, 18446744073709551615u};
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_lease_mark_write(&mark, &text);
    CHECK_STR(text.p, "mesh 1 " A " 1700000000 18446744073709551615");
    struct mesh_lease_mark back = {0};
    CHECK(mesh_lease_mark_read((struct mesh_str){text.p, (uint32_t)text.n}, &back) == 0);
    CHECK_STR(back.claim, A);
    CHECK_EQ_U64(back.generation, 1700000000);
    CHECK_EQ_U64(back.n, UINT64_MAX);
}

CASE(what_is_not_a_mark_is_left_alone)
{
    static const char *const texts[] = {"",
                                        "mesh commit 12",
                                        "mesh stopped",
                                        "mesh 2 " A " 1 2",
                                        "mesh 1 0123 1 2",
                                        "mesh 1 " A " 1",
                                        "mesh 1 " A " 1 2 3",
                                        "mesh 1 " A "0 1 2",
                                        "mesh 1 zzzz456789abcdef0123456789abcdef 1 2"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct mesh_lease_mark mark = {"untouched", 7, 7};
        CHECK(mesh_lease_mark_read(mesh_str_of(texts[i]), &mark) == 1);
        CHECK_STR(mark.claim, "untouched");
    }
    char longer[200];
    memset(longer, 'm', sizeof longer);
    struct mesh_lease_mark mark = {0};
    CHECK(mesh_lease_mark_read((struct mesh_str){longer, sizeof longer}, &mark) == 1);
}

CASE(a_state_follows_its_own_claims_and_nothing_newer_than_itself)
{
    const char claims[][MESH_CLAIM_TEXT] = {A};
    struct mesh_lease_own own = {.mark = {A, 5, 100}, .claims = claims, .n_claims = 1};
    CHECK(mesh_lease_may_follow(&own, &(struct mesh_lease_mark){"", 0, 0})); /* nobody was there */
    CHECK(mesh_lease_may_follow(&own, &(struct mesh_lease_mark){A, 5, 100}));
    CHECK(mesh_lease_may_follow(&own, &(struct mesh_lease_mark){A, 5, 40}));
    CHECK(!mesh_lease_may_follow(&own, &(struct mesh_lease_mark){A, 5, 101})); /* a copy from before */
    CHECK(!mesh_lease_may_follow(&own, &(struct mesh_lease_mark){B, 5, 1}));   /* somebody else went on */
    own.n_claims = 0;
    CHECK(!mesh_lease_may_follow(&own, &(struct mesh_lease_mark){A, 5, 1}));
}
