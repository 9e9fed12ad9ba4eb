/* The small modules of base: check, clock, rng, hash, err. */
#include "../check.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/rng.h"
#include "mesh/err.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

CASE(an_assertion_aborts_and_says_where)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    fflush(stdout);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        mesh_assert(1 + 1 == 3);
        _exit(0);
    }
    close(ends[1]);
    char text[512] = "";
    ssize_t n = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK(n > 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK_CONTAINS(text, "1 + 1 == 3");
    CHECK_CONTAINS(text, "base_test.c:");
}

CASE(memory_of_no_bytes)
{
    mesh_cleanup(mesh_freep) void *a = mesh_xmalloc(0);
    mesh_cleanup(mesh_freep) char *b = mesh_xcalloc(0, 8);
    mesh_cleanup(mesh_freep) char *c = mesh_xrealloc(NULL, 0);
    mesh_cleanup(mesh_freep) char *d = mesh_xstrdup("");
    CHECK(a != NULL && b != NULL && c != NULL);
    CHECK_STR(d, "");
}

CASE(closep_closes_once)
{
    int fd = open("/dev/null", O_RDONLY);
    int copy = fd;
    mesh_closep(&fd);
    CHECK_EQ_I64(fd, -1);
    CHECK(fcntl(copy, F_GETFD) == -1);
    mesh_closep(&fd);
}

CASE(clocks)
{
    CHECK(mesh_clock_wall_us() > INT64_C(1700000000000000));
    int64_t before = mesh_clock_mono_us();
    int64_t cpu = mesh_clock_cpu_us();
    for (int i = 0; i < 1000; i++) {
        int64_t now = mesh_clock_mono_us();
        CHECK(now >= before);
        before = now;
    }
    CHECK(mesh_clock_cpu_us() >= cpu);
}

/* The reference implementation, run with the state 1, 2, 3, 4. */
CASE(rng_is_xoshiro256starstar)
{
    struct mesh_rng rng = {{1, 2, 3, 4}};
    static const uint64_t wanted[] = {11520, 0, 1509978240, 1215971899390074240};
    for (size_t i = 0; i < MESH_LEN(wanted); i++)
        CHECK_EQ_U64(mesh_rng_next(&rng), wanted[i]);
}

/* splitmix64 from seed 0: its published first outputs. */
CASE(rng_is_seeded_by_splitmix64)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 0);
    CHECK_EQ_U64(rng.s[0], UINT64_C(0xe220a8397b1dcdaf));
    CHECK_EQ_U64(rng.s[1], UINT64_C(0x6e789e6aa1b965f4));
    CHECK_EQ_U64(rng.s[2], UINT64_C(0x06c45d188009454f));
    CHECK_EQ_U64(rng.s[3], UINT64_C(0xf88bb8a8724c81ec));
}

CASE(rng_bounds)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 7);
    int seen[6] = {0};
    for (int i = 0; i < 6000; i++) {
        uint64_t v = mesh_rng_below(&rng, 6);
        REQUIRE(v < 6);
        seen[v]++;
        double u = mesh_rng_unit(&rng);
        CHECK(u >= 0 && u < 1);
        CHECK(mesh_rng_below(&rng, UINT64_C(1) << 63 | 1) <= UINT64_C(1) << 63);
    }
    for (size_t i = 0; i < MESH_LEN(seen); i++)
        CHECK(seen[i] > 850 && seen[i] < 1150);
    CHECK_EQ_U64(mesh_rng_below(&rng, 1), 0);
}

CASE(xxh3_is_stable)
{
    CHECK_EQ_U64(mesh_hash64("", 0), UINT64_C(0x2d06800538d394c2));
    CHECK(mesh_hash64("abc", 3) != mesh_hash64("abd", 3));
    CHECK_EQ_U64(mesh_hash64(NULL, 0), mesh_hash64("", 0));
}

/* The vectors of Kafka's UtilsTest.testMurmur2. Modulo 2^31-1 shows all bits but the sign, which
 * toPositive() drops. */
CASE(murmur2_places_as_kafka_does)
{
    static const struct {
        const char *key;
        int32_t hash;
    } cases[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    for (size_t i = 0; i < MESH_LEN(cases); i++) {
        int32_t positive = cases[i].hash & INT32_MAX;
        size_t n = strlen(cases[i].key);
        CHECK_EQ_I64(mesh_hash_partition(cases[i].key, n, INT32_MAX), positive % INT32_MAX);
        CHECK_EQ_I64(mesh_hash_partition(cases[i].key, n, 12), positive % 12);
        CHECK_EQ_I64(mesh_hash_partition(cases[i].key, n, 1), 0);
    }
}

static const char *hex(const uint8_t *bytes)
{
    static char text[65];
    mesh_hex(bytes, 32, text);
    return text;
}

CASE(sha256_of_fips_180)
{
    uint8_t h[32];
    mesh_sha256("abc", 3, h);
    CHECK_STR(hex(h), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    mesh_sha256(NULL, 0, h);
    CHECK_STR(hex(h), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

CASE(hmac_of_rfc_4231)
{
    uint8_t h[32];
    mesh_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, h);
    CHECK_STR(hex(h), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    uint8_t key[131];
    memset(key, 0xaa, sizeof key);
    const char *text = "Test Using Larger Than Block-Size Key - Hash Key First";
    mesh_hmac_sha256(key, sizeof key, text, strlen(text), h);
    CHECK_STR(hex(h), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    mesh_hmac_sha256(NULL, 0, NULL, 0, h);
    CHECK_STR(hex(h), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

CASE(hmac_of_a_key_that_stays)
{
    struct mesh_hmac hmac;
    mesh_hmac_init(&hmac, "Jefe", 4);
    for (size_t n = 0; n < 200; n++) { /* blocks of all lengths, one after the other with the same state */
        char text[200];
        memset(text, 'x', sizeof text);
        uint8_t once[32], again[32];
        mesh_hmac_of(&hmac, text, n, once);
        mesh_hmac_sha256("Jefe", 4, text, n, again);
        CHECK(memcmp(once, again, sizeof once) == 0);
    }
    uint8_t h[32];
    mesh_hmac_of(&hmac, "what do ya want for nothing?", 28, h);
    CHECK_STR(hex(h), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

CASE(an_error_tells_its_story)
{
    struct mesh_err err = {0};
    CHECK_EQ_I64(mesh_err_set(&err, MESH_ERR_RETRY, "broker.unreachable", "no answer from %s", "b1"), -1);
    CHECK_EQ_I64(err.class, MESH_ERR_RETRY);
    CHECK_STR(err.code, "broker.unreachable");
    CHECK_STR(err.text, "no answer from b1");
    CHECK_CONTAINS(err.file, "base_test.c");
    CHECK(err.line > 0);
    CHECK_EQ_I64(mesh_err_prefix(&err, "input '%s'", "orders"), -1);
    CHECK_STR(err.text, "input 'orders': no answer from b1");
    CHECK_EQ_I64(err.class, MESH_ERR_RETRY);
    mesh_err_set(&err, MESH_ERR_FATAL, "x", "again: %s", err.text);
    CHECK_STR(err.text, "again: input 'orders': no answer from b1");
    CHECK_EQ_I64(mesh_err_set(NULL, MESH_ERR_FATAL, "x", "nobody listens"), -1);
    CHECK_EQ_I64(mesh_err_prefix(NULL, "nobody"), -1);
}

CASE(an_error_is_cut_between_characters)
{
    struct mesh_err err = {0};
    char text[2 * MESH_ERR_TEXT_MAX];
    for (size_t shift = 0; shift < 2; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 2 < sizeof text; i += 2)
            memcpy(text + i, "\xc3\xa9", 3);
        mesh_err_set(&err, MESH_ERR_REJECT, "x", "%s", text);
        size_t n = strlen(err.text);
        CHECK(n <= MESH_ERR_TEXT_MAX - 1 && n >= MESH_ERR_TEXT_MAX - 3);
        CHECK_STR(err.text + n - 3, "...");
        CHECK((unsigned char)err.text[n - 4] == 0xa9);
        mesh_err_prefix(&err, "%s", text);
        CHECK(strlen(err.text) < MESH_ERR_TEXT_MAX);
    }
    memset(text, 'y', MESH_ERR_TEXT_MAX - 1);
    text[MESH_ERR_TEXT_MAX - 1] = '\0';
    mesh_err_set(&err, MESH_ERR_REJECT, "x", "%s", text);
    CHECK_STR(err.text, text);
}
