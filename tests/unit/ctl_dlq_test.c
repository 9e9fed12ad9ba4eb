/* Dead letters as meshctl reads them: whose headers are whose, what marks say, and that nothing personal is shown unasked. */
#include "ctl/dlq.h"

#include "../check.h"
#include "base/check.h"
#include "base/fs.h"
#include "contract/datum.h"
#include "contract/framing.h"
#include "flow/retry.h"
#include "flow/sequence.h"

#include <stdlib.h>
#include <unistd.h>

#define E MESH_DLQ_PREFIX
#define M MESH_DLQ_MARK_PREFIX

static struct mesh_header h(const char *name, const char *value)
{
    return (struct mesh_header){mesh_str_of(name), mesh_str_of(value)};
}

static bool same(struct mesh_str have, const char *want)
{
    return mesh_str_eq(have, mesh_str_of(want));
}

CASE(what_the_service_wrote_and_what_the_record_had)
{
    static struct mesh_dlq_record r;
    static struct mesh_header back[MESH_DLQ_HEADERS_MAX + 5];
    struct mesh_buf origin = MESH_BUF_NULL;
    mesh_flow_origin_write(&origin, &(struct mesh_flow_origin){.product = MESH_STR("d/p"), .generation = 77, .sequence = 1});
    struct mesh_header headers[] = {{MESH_STR("mesh"), {origin.p, (uint32_t)origin.n}},
                                    h(E "topic", "t"),
                                    h(E "partition", "3"),
                                    h(E "offset", "9"),
                                    h(E "stage", "s"),
                                    h(E "code", "c"),
                                    h(E "time", "1000"),
                                    h("mesh", "the record's"),
                                    h(E "code", "the record's, of another product's letter"),
                                    h("trace", "abc")};
    CHECK(mesh_dlq_record_read(&r, headers, MESH_LEN(headers)) == MESH_DLQ_LETTER);
    CHECK_EQ_U64(r.generation, 77);
    CHECK(same(r.code, "c"));
    CHECK(r.unknown.p == NULL && r.attempt.p == NULL);
    CHECK_EQ_U64(mesh_dlq_return_headers(&r, back), 5 + 3);
    CHECK(same(back[0].name, MESH_FLOW_RETRY_PREFIX "topic") && same(back[0].value, "t"));
    CHECK(same(back[4].name, MESH_FLOW_RETRY_PREFIX "attempt") && same(back[4].value, "1"));
    CHECK(same(back[5].name, "mesh") && same(back[5].value, "the record's"));
    CHECK(same(back[6].name, E "code"));
    CHECK(same(back[7].name, "trace") && same(back[7].value, "abc"));
    mesh_buf_deinit(&origin);
}

CASE(what_is_no_letter)
{
    static struct mesh_dlq_record r;
    struct mesh_header some[] = {h(E "topic", "t"), h("trace", "abc")};
    CHECK(mesh_dlq_record_read(&r, some, MESH_LEN(some)) == MESH_DLQ_FOREIGN);
    memset(&r, 0, sizeof r);
    CHECK(mesh_dlq_record_read(&r, NULL, 0) == MESH_DLQ_FOREIGN);
    struct mesh_header mark[] = {h(M "done", "replayed"), h(M "generation", "5")};
    CHECK(mesh_dlq_record_read(&r, mark, MESH_LEN(mark)) == MESH_DLQ_MARK);
    memset(&r, 0, sizeof r);
    struct mesh_header newer[] = {h(E "topic", "t"), h(E "partition", "0"), h(E "offset", "0"),
                                  h(E "stage", "s"), h(E "code", "c"),      h(E "sealed", "1")};
    CHECK(mesh_dlq_record_read(&r, newer, MESH_LEN(newer)) == MESH_DLQ_LETTER);
    CHECK(same(r.unknown, E "sealed"));
}

/* ---- the index ---- */
struct pile {
    struct mesh_dlq_index index;
    struct mesh_dlq_options options;
    int64_t next; /* offset in the topic */
};

static void pile_init(struct pile *pile, bool all)
{
    *pile = (struct pile){.options = {.since_us = INT64_MIN, .until_us = INT64_MAX, .all = all}};
}

static void letter(struct pile *pile, const char *offset, uint64_t generation)
{
    static struct mesh_dlq_record r;
    struct mesh_err err;
    r = (struct mesh_dlq_record){.at = {0, pile->next++},
                                 .topic = MESH_STR("t"),
                                 .partition = MESH_STR("0"),
                                 .offset = mesh_str_of(offset),
                                 .stage = MESH_STR("s"),
                                 .code = MESH_STR("c"),
                                 .time = MESH_STR("1"),
                                 .generation = generation};
    CHECK(mesh_dlq_index_add(&pile->index, &pile->options, &r, MESH_DLQ_LETTER, &err) == 0);
}

static void mark(struct pile *pile, const char *offset, const char *done, const char *generation)
{
    static struct mesh_dlq_record r;
    struct mesh_err err;
    char key[64];
    snprintf(key, sizeof key, "t/0/%s/s/1", offset);
    r = (struct mesh_dlq_record){
        .at = {0, pile->next++}, .key = mesh_str_of(key), .done = mesh_str_of(done), .mark_generation = mesh_str_of(generation)};
    CHECK(mesh_dlq_index_add(&pile->index, &pile->options, &r, MESH_DLQ_MARK, &err) == 0);
}

/* "0:1 open, ..." */
static const char *shown(struct pile *pile)
{
    static struct mesh_buf out;
    mesh_buf_reset(&out);
    mesh_buf_puts(&out, "");
    mesh_dlq_index_build(&pile->index, &pile->options);
    for (size_t i = 0; i < pile->index.letters.n; i++)
        mesh_buf_printf(&out, "%s%d:%lld %s", i == 0 ? "" : ", ", (int)pile->index.letters.v[i].at.partition,
                        (long long)pile->index.letters.v[i].at.offset, mesh_dlq_done_text(pile->index.letters.v[i].done));
    mesh_dlq_index_deinit(&pile->index);
    return out.p;
}

CASE(copies_are_one_letter_and_share_its_mark)
{
    struct pile pile;
    pile_init(&pile, false);
    letter(&pile, "10", 1);
    letter(&pile, "11", 1);
    letter(&pile, "10", 1);
    CHECK_STR(shown(&pile), "0:0 open, 0:1 open");
    pile_init(&pile, false);
    letter(&pile, "10", 1);
    mark(&pile, "10", "replayed", "1");
    letter(&pile, "10", 1); /* the service was killed before it had heard of the acknowledgement */
    letter(&pile, "11", 1);
    mark(&pile, "12", "replayed", "1");
    CHECK_STR(shown(&pile), "0:3 open");
}

CASE(after_a_reset_a_replayed_letter_is_open_again_and_a_discarded_one_is_not)
{
    struct pile pile;
    pile_init(&pile, true);
    letter(&pile, "10", 1);
    letter(&pile, "11", 1);
    mark(&pile, "10", "replayed", "1");
    mark(&pile, "11", "discarded", "1");
    letter(&pile, "10", 2);
    letter(&pile, "11", 2);
    CHECK_STR(shown(&pile), "0:4 open, 0:5 discarded");
}

CASE(a_later_replay_outweighs_a_discard)
{
    struct pile pile;
    pile_init(&pile, true);
    letter(&pile, "10", 1);
    mark(&pile, "10", "discarded", "1");
    mark(&pile, "10", "replayed", "1");
    letter(&pile, "11", 1);
    mark(&pile, "11", "something new", "1"); /* a mark that we do not know hides nothing */
    CHECK_STR(shown(&pile), "0:0 replayed, 0:3 open");
}

/* ---- values ---- */
static const char CONTRACT[] =
    "{\"type\":\"record\",\"name\":\"Visit\",\"namespace\":\"t\",\"fields\":["
    "{\"name\":\"shop\",\"type\":\"string\",\"label\":\"internal\"},"
    "{\"name\":\"email\",\"type\":[\"null\",\"string\"],\"label\":\"personal\",\"subject\":\"customer\"},"
    "{\"name\":\"health\",\"type\":\"string\",\"label\":\"special\",\"subject\":\"customer\"},"
    "{\"name\":\"guests\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Guest\",\"fields\":["
    "{\"name\":\"seat\",\"type\":\"int\"},"
    "{\"name\":\"name\",\"type\":\"string\",\"label\":\"personal\",\"subject\":\"customer\"},"
    "{\"name\":\"child\",\"type\":[\"null\",\"Guest\"]}]}}},"
    "{\"name\":\"notes\",\"type\":{\"type\":\"map\",\"values\":\"Guest\"}},"
    "{\"name\":\"counts\",\"type\":{\"type\":\"map\",\"values\":\"long\"}},"
    "{\"name\":\"either\",\"type\":[\"null\",\"long\",\"Guest\"]}]}";
static const char VALUE[] =
    "{\"shop\":\"s12\",\"email\":\"secret1\",\"health\":\"secret2\",\"guests\":[{\"seat\":4,\"name\":\"secret3\",\"child\":"
    "{\"seat\":5,\"name\":\"secret4\",\"child\":null}}],\"notes\":{\"secret5\":{\"seat\":6,\"name\":\"secret6\",\"child\":null}},"
    "\"counts\":{\"n\":7},\"either\":{\"seat\":8,\"name\":\"secret7\",\"child\":null}}";

static const char *show(const char *folder, struct mesh_str value, bool clear)
{
    static struct mesh_buf out;
    static struct mesh_dlq_record r;
    struct mesh_dlq_options options = {.contracts = folder, .clear = clear};
    mesh_buf_reset(&out);
    r = (struct mesh_dlq_record){.key = MESH_STR("secret key"), .value = value};
    mesh_dlq_show_value(&out, &options, &r);
    return out.p;
}

CASE(nothing_personal_is_shown_unasked)
{
    struct mesh_err err = {0};
    char folder[] = "/tmp/mesh-dlq-XXXXXX";
    char path[64];
    REQUIRE(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/visit.v1.avsc", folder);
    REQUIRE(mesh_fs_write_atomic(path, CONTRACT, sizeof CONTRACT - 1, &err) == 0);
    struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_diags diags = {.arena = &arena};
    struct mesh_schema *schema = mesh_schema_parse(&arena, mesh_source_new(&arena, path, CONTRACT, sizeof CONTRACT - 1), &diags);
    REQUIRE(schema != NULL);
    struct mesh_buf value = MESH_BUF_NULL;
    mesh_frame_write_id(&value, mesh_schema_local_id(schema));
    if (mesh_datum_from_json(schema, mesh_str_of(VALUE), &value, &err) < 0)
        printf("# %s\n", err.text);
    REQUIRE(err.code == NULL);
    struct mesh_str bytes = {value.p, (uint32_t)value.n};

    const char *hidden = show(folder, bytes, false);
    CHECK(strstr(hidden, "secret") == NULL);
    CHECK(strstr(hidden, "73 65 63 72 65 74") == NULL);
    CHECK_CONTAINS(hidden, "\"shop\": \"s12\"");
    CHECK_CONTAINS(hidden, "\"email\": \"(personal)\"");
    CHECK_CONTAINS(hidden, "\"health\": \"(special)\"");
    CHECK_CONTAINS(hidden, "\"seat\": 4");
    CHECK_CONTAINS(hidden, "\"seat\": 5");
    CHECK_CONTAINS(hidden, "\"notes\": \"(hidden)\"");
    CHECK_CONTAINS(hidden, "\"counts\": {\"n\":7}");
    CHECK_CONTAINS(hidden, "\"either\": \"(hidden)\"");
    const char *clear = show(folder, bytes, true);
    for (char name[] = "secret1"; name[6] <= '7'; name[6]++)
        CHECK_CONTAINS(clear, name);
    CHECK_CONTAINS(clear, "secret key");

    bytes.n -= 3; /* cut off: what is left of it holds names all the same */
    CHECK(strstr(show(folder, bytes, false), "secret") == NULL);
    CHECK_CONTAINS(show(folder, bytes, false), "decoded: no, avro.truncated");
    CHECK(strstr(show("/nowhere", bytes, false), "secret") == NULL);
    CHECK_CONTAINS(show("/nowhere", bytes, false), "no contract below /nowhere has id");
    CHECK_CONTAINS(show("/nowhere", bytes, false), "--clear shows them");
    CHECK_CONTAINS(show("/nowhere", MESH_STR("?"), false), "no framing");
    mesh_buf_deinit(&value);
    mesh_arena_deinit(&arena);
    CHECK(mesh_fs_remove_tree(folder, &err) == 0);
}

CASE(what_others_wrote_does_not_reach_the_terminal_as_it_is)
{
    struct mesh_buf out = MESH_BUF_NULL;
    mesh_dlq_clean(&out, MESH_STR("a\033[2Jb\n\xc3\xa4"));
    CHECK_STR(out.p, "a\\x1b[2Jb\\x0a\xc3\xa4");
    mesh_buf_reset(&out);
    mesh_dlq_clean(&out, MESH_STR("a\xff"));
    CHECK_STR(out.p, "a\\xff");
    mesh_buf_deinit(&out);
}
