/* mesh_trial_main(): the lines of mesh/trial.h. Only `meshgen test` writes them, so what is wrong with one is said in a sentence
 * and ends the program. */
#include "app/trial.h"

#include "base/hash.h"
#include "base/text.h"
#include "mesh/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_WRONG 2
#define SEED       20261120 /* of the second run, the next ones count on; they differ in their remainder by 4 */
#define WORDS_MAX  5

struct trials {
    const struct mesh_service *service;
    const struct mesh_product *product; /* of the trial at hand */
    int32_t partitions;
    struct mesh_arena arena;
    MESH_VEC(struct mesh_trial_step) steps;
};

static int wrong(const char *what, const char *word)
{
    fprintf(stderr, "trial: %s '%s'\n", what, word);
    return -1;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "-" is null, "=" and hex are bytes. */
static bool read_bytes(struct mesh_arena *arena, const char *word, struct mesh_str *ret)
{
    *ret = (struct mesh_str){0};
    if (strcmp(word, "-") == 0)
        return true;
    size_t n = strlen(word) / 2;
    if (word[0] != '=' || strlen(word) % 2 == 0)
        return false;
    char *to = mesh_arena_alloc(arena, n + 1);
    for (size_t i = 0; i < n; i++) {
        int high = digit(word[1 + 2 * i]), low = digit(word[2 + 2 * i]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (char)(high << 4 | low);
    }
    *ret = (struct mesh_str){to, (uint32_t)n};
    return true;
}

static int begin(struct trials *t, const char *product, const char *partitions)
{
    t->product = NULL;
    t->steps.v = NULL;
    t->steps.n = t->steps.cap = 0;
    mesh_arena_reset(&t->arena);
    for (uint32_t i = 0; i < t->service->n_products; i++)
        if (strcmp(t->service->products[i]->name, product) == 0)
            t->product = t->service->products[i];
    int64_t n = 0;
    if (t->product == NULL)
        return wrong("no product", product);
    if (mesh_text_parse_long(mesh_str_of(partitions), &n) != 0 || n < 1 || n > MESH_TRIAL_PARTITIONS_MAX)
        return wrong("no number of partitions:", partitions);
    t->partitions = (int32_t)n;
    return 0;
}

static int add_record(struct trials *t, char *const *words)
{
    struct mesh_trial_step *step = mesh_vec_push_in(&t->arena, &t->steps);
    for (step->input = 0; step->input < t->product->n_inputs; step->input++)
        if (strcmp(t->product->inputs[step->input].name, words[1]) == 0)
            break;
    if (step->input == t->product->n_inputs)
        return wrong("no input", words[1]);
    if (mesh_text_parse_long(mesh_str_of(words[2]), &step->time_us) != 0)
        return wrong("no time:", words[2]);
    if (!read_bytes(&t->arena, words[3], &step->key) || !read_bytes(&t->arena, words[4], &step->value))
        return wrong("no bytes in a record of", words[1]);
    return 0;
}

static int add_pass(struct trials *t, const char *us)
{
    struct mesh_trial_step *step = mesh_vec_push_in(&t->arena, &t->steps);
    step->pass = true;
    return mesh_text_parse_long(mesh_str_of(us), &step->time_us) == 0 && step->time_us >= 0 ? 0 : wrong("no duration:", us);
}

static void run(struct trials *t)
{
    for (uint64_t i = 0; i < MESH_TRIAL_RUNS; i++) {
        mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
        mesh_cleanup(mesh_trial_deinit) struct mesh_trial trial;
        struct mesh_err err = {0};
        int r = mesh_trial_run(&trial, t->product, t->partitions, t->steps.v, t->steps.n, i == 0 ? 0 : SEED + i, &arena, &err);
        if (r < 0 || mesh_trial_show(&trial, NULL, &out, &err) < 0) {
            mesh_buf_reset(&out);
            mesh_trial_show(&trial, err.text, &out, NULL);
        }
        fwrite(out.p, 1, out.n, stdout);
    }
    fflush(stdout);
}

static int obey(struct trials *t, char *line)
{
    char *words[WORDS_MAX + 1];
    size_t n = 0;
    char *save = NULL;
    for (char *word = strtok_r(line, " \n", &save); word != NULL && n <= WORDS_MAX; word = strtok_r(NULL, " \n", &save))
        words[n++] = word;
    if (n == 3 && strcmp(words[0], "trial") == 0)
        return begin(t, words[1], words[2]);
    if (n == 0 || t->product == NULL)
        return wrong("not before 'trial':", n == 0 ? "" : words[0]);
    if (n == WORDS_MAX && strcmp(words[0], "record") == 0)
        return add_record(t, words);
    if (n == 2 && strcmp(words[0], "pass") == 0)
        return add_pass(t, words[1]);
    if (n == 1 && strcmp(words[0], "run") == 0) {
        run(t);
        return 0;
    }
    return wrong("no such line:", words[0]);
}

int mesh_trial_main(int argc, char **argv, const struct mesh_service *service)
{
    (void)argv;
    struct trials t = {.service = service};
    if (argc != 1) {
        fprintf(stderr, "this program is started by 'meshgen test'\n");
        return EXIT_WRONG;
    }
    for (uint32_t i = 0; i < service->n_products; i++) {
        if (service->products[i]->abi != MESH_ABI) {
            fprintf(stderr, "%s: generated for abi %d, this platform has %d\n", service->products[i]->name,
                    service->products[i]->abi, MESH_ABI);
            return EXIT_WRONG;
        }
    }
    char *line = NULL;
    size_t room = 0;
    int r = 0;
    while (r == 0 && getline(&line, &room, stdin) > 0)
        r = obey(&t, line);
    free(line);
    mesh_arena_deinit(&t.arena);
    return r == 0 ? 0 : EXIT_WRONG;
}
