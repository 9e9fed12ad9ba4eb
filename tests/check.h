/* A test program in one include. It is a list of cases; main() is here.
 *
 *     #include "../check.h"
 *
 *     CASE(doubling_keeps_the_elements)
 *     {
 *         CHECK(v.n == 3);
 *         CHECK_EQ_I64(v.v[0], 7);
 *         CHECK_STR(text, "expected");
 *     }
 *
 * Cases run in the order of the file and print TAP: a plan, and "ok N - name" or "not ok N - name"
 * behind lines that say what was wrong. The exit status is 1 when a check failed. A failed CHECK
 * goes on; REQUIRE leaves the case, for what the rest cannot do without. `program name...` runs
 * only the cases named.
 */
#ifndef MESH_TESTS_CHECK_H
#define MESH_TESTS_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CHECK_CASES_MAX 256

static struct {
    struct {
        const char *name;
        void (*run)(void);
    } cases[CHECK_CASES_MAX];
    size_t n;
    bool failed; /* the case that runs */
} check_state;

#define CASE(name)                                                                                                                 \
    static void case_##name(void);                                                                                                 \
    __attribute__((constructor)) static void register_##name(void)                                                                 \
    {                                                                                                                              \
        check_register(#name, case_##name);                                                                                        \
    }                                                                                                                              \
    static void case_##name(void)

#define CHECK(condition) ((void)check_true((condition), __FILE__, __LINE__, #condition))
#define REQUIRE(condition)                                                                                                         \
    do {                                                                                                                           \
        if (!check_true((condition), __FILE__, __LINE__, #condition))                                                              \
            return;                                                                                                                \
    } while (0)
#define CHECK_EQ_I64(got, wanted) check_i64((got), (wanted), __FILE__, __LINE__, #got)
#define CHECK_EQ_U64(got, wanted) check_u64((got), (wanted), __FILE__, __LINE__, #got)
/* NUL-terminated; NULL equals only NULL. */
#define CHECK_STR(got, wanted)    check_str((got), (wanted), __FILE__, __LINE__, #got)
#define CHECK_CONTAINS(got, part) check_contains((got), (part), __FILE__, __LINE__, #got)

static inline void check_register(const char *name, void (*run)(void))
{
    if (check_state.n == CHECK_CASES_MAX) {
        printf("Bail out! more than %d cases\n", CHECK_CASES_MAX);
        return;
    }
    check_state.cases[check_state.n].name = name;
    check_state.cases[check_state.n].run = run;
    check_state.n++;
}

static inline void check_fail(const char *file, int line, const char *what)
{
    printf("# %s:%d: %s\n", file, line, what);
    check_state.failed = true;
}

static inline bool check_true(bool condition, const char *file, int line, const char *text)
{
    if (!condition)
        check_fail(file, line, text);
    return condition;
}

static inline void check_i64(int64_t got, int64_t wanted, const char *file, int line, const char *text)
{
    if (got == wanted)
        return;
    check_fail(file, line, text);
    printf("#   is     %lld\n#   wanted %lld\n", (long long)got, (long long)wanted);
}

static inline void check_u64(uint64_t got, uint64_t wanted, const char *file, int line, const char *text)
{
    if (got == wanted)
        return;
    check_fail(file, line, text);
    printf("#   is     %llu\n#   wanted %llu\n", (unsigned long long)got, (unsigned long long)wanted);
}

static inline void check_show(const char *label, const char *text)
{
    printf("#   %s ", label);
    if (text == NULL)
        printf("(NULL)");
    for (const char *p = text; p != NULL && *p != '\0'; p++) {
        putchar(*p);
        if (*p == '\n')
            printf("#          ");
    }
    putchar('\n');
}

static inline void check_str(const char *got, const char *wanted, const char *file, int line, const char *text)
{
    if (got == wanted || (got != NULL && wanted != NULL && strcmp(got, wanted) == 0))
        return;
    check_fail(file, line, text);
    check_show("is    ", got);
    check_show("wanted", wanted);
}

static inline void check_contains(const char *got, const char *part, const char *file, int line, const char *text)
{
    if (got != NULL && strstr(got, part) != NULL)
        return;
    check_fail(file, line, text);
    check_show("is    ", got);
    check_show("lacks ", part);
}

static inline bool check_chosen(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return argc <= 1;
}

int main(int argc, char **argv)
{
    bool any_failed = false;
    setvbuf(stdout, NULL, _IOLBF, 0); /* a case that crashes leaves what was said before */
    printf("1..%zu\n", check_state.n);
    for (size_t i = 0; i < check_state.n; i++) {
        const char *name = check_state.cases[i].name;
        if (!check_chosen(name, argc, argv)) {
            printf("ok %zu - %s # SKIP not chosen\n", i + 1, name);
            continue;
        }
        check_state.failed = false;
        check_state.cases[i].run();
        printf("%sok %zu - %s\n", check_state.failed ? "not " : "", i + 1, name);
        any_failed = any_failed || check_state.failed;
    }
    return any_failed ? 1 : 0;
}

#endif
