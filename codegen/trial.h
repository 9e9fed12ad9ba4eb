/* `meshgen test`: a declarative test, from its file to its result.
 *
 *     trial_load.c      domains/<d>/tests/NAME.yaml -> struct mesh_test, names resolved
 *     trial_record.c    records of YAML, CSV and JSON lines -> bytes on the wire, by the input's contract
 *     trial_build.c     generated code -> a program that links libmesh (mesh/trial.h)
 *     trial_run.c       that program: steps in, what it came to out
 *     trial_actual.c    its answer as rows, messages and letters with named members
 *     trial_compare.c   these beside what was expected
 *     cli_test.c        the command and its output
 *
 * All that is wrong with a test, and all that it finds wrong, are diagnostics of this test. Everything lives in the model's arena.
 */
#ifndef MESH_CODEGEN_TRIAL_H
#define MESH_CODEGEN_TRIAL_H

#include "base/json.h"
#include "codegen/model.h"
#include "codegen/yaml.h"
#include "mesh/trial.h"

#include <sys/types.h>

struct mesh_test_step {
    bool pass; /* time_us: for how long; otherwise a record */
    const struct mesh_model_input *input;
    int64_t time_us;            /* Kafka's */
    struct mesh_str key, value; /* p == NULL: null */
};

/* How a member is compared. */
enum mesh_test_type {
    MESH_TEST_TEXT,
    MESH_TEST_BOOL,
    MESH_TEST_INT,
    MESH_TEST_DOUBLE,
    MESH_TEST_DECIMAL,
    MESH_TEST_TIME,
    MESH_TEST_OTHER
};

struct mesh_test_member {
    const char *name;
    enum mesh_test_type type;
    const char *subject; /* whose pseudonym it may be */
};

enum mesh_test_about { MESH_TEST_VIEW, MESH_TEST_PORT, MESH_TEST_DEAD, MESH_TEST_LATE };

struct mesh_test_expect {
    enum mesh_test_about about;
    const char *name; /* of the view or port */
    struct mesh_srcref at;
    const struct mesh_model_port *port; /* PORT */
    MESH_VEC(struct mesh_test_member) members;
    const struct mesh_yaml *key;              /* a map, or NULL: all */
    MESH_VEC(const struct mesh_yaml *) items; /* maps */
    bool more, ordered;
    double tolerance;
};

struct mesh_test {
    struct mesh_model *model;
    struct mesh_model_product *product; /* NULL: see diags */
    const char *domain, *name;          /* "sales_fraud", "dollars" */
    const char *path;                   /* "domains/sales_fraud/tests/dollars.yaml" */
    const char *describe;               /* never NULL */
    struct mesh_srcref at;              /* of the description, for what is about the whole test */
    int32_t partitions;
    MESH_VEC(struct mesh_test_step) steps;
    MESH_VEC(struct mesh_test_expect) expects;
    struct mesh_diags diags;
    const char *answers[MESH_TRIAL_RUNS]; /* lines of JSON; [0] NULL: it did not run */
    double ms;                            /* all runs */
};

struct mesh_tests {
    MESH_VEC(struct mesh_test *) list;
};

/* ---- trial_load.c ---- */
/* Every test of these domains (NULL: all) with this name (NULL: all), by domain and name. -1: err. */
int mesh_tests_load(struct mesh_model *model, const char *domain, const char *name, struct mesh_tests *ret, struct mesh_err *err);
/* `{ pseudonym: c1 }` as its text: what a member of this subject shows of c1. NULL: the node is none. */
const char *mesh_test_pseudonym(struct mesh_arena *arena, const struct mesh_test_member *member, const struct mesh_yaml *node);
const struct mesh_test_member *mesh_test_member(const struct mesh_test_expect *expect, const char *name); /* or NULL */
bool mesh_test_is_null(const struct mesh_yaml *node);

/* ---- trial_record.c ---- */
struct mesh_test_records {
    struct mesh_test *test;
    const struct mesh_model_input *input;
    const struct mesh_model_contract *contract; /* the version that writes them */
    const struct mesh_yaml *defaults;           /* a map, or NULL */
    const char *key;                            /* given, or NULL: of the record */
    int64_t at_us;                              /* given, or INT64_MIN: of the record */
};
/* Append steps; mistakes are diagnostics. `at` is where a file is named. */
void mesh_test_record(const struct mesh_test_records *records, struct mesh_yaml *record);
void mesh_test_csv(const struct mesh_test_records *records, const char *file, struct mesh_srcref at);
void mesh_test_jsonl(const struct mesh_test_records *records, const char *file, struct mesh_srcref at);

/* ---- trial_build.c ---- */
/* The program of a domain, newly compiled where something it is made of changed. 0; 1: diagnostics were added to the model; -1:
 * err. */
int mesh_trial_build(struct mesh_model *model, const char *out, const char *domain, const char **ret_program, struct mesh_err *err);

/* Start sh -c SCRIPT with these arguments as $1..; standard output and error go to a file. */
int mesh_trial_start(struct mesh_arena *arena, const char *script, const char *const *args, size_t n, const char *output,
                     pid_t *ret, struct mesh_err *err);
int mesh_trial_wait(pid_t pid); /* its status as waitpid() has it */

/* ---- trial_run.c ---- */
/* Run tests of one domain that have no errors: fills answers, or adds MT007. -1: err. */
int mesh_trial_run_all(const char *program, const char *out, struct mesh_test *const *tests, size_t n, struct mesh_err *err);

/* ---- trial_actual.c ---- */
struct mesh_test_actuals {
    MESH_VEC(const struct mesh_json *) list; /* objects */
};
/* What the answer has for this expectation. False: the answer makes no sense. */
bool mesh_test_actual(struct mesh_test *test, const struct mesh_test_expect *expect, const struct mesh_json *answer,
                      struct mesh_test_actuals *ret);
/* The answer of a run; NULL after a diagnostic. */
const struct mesh_json *mesh_test_answer(struct mesh_test *test, size_t run);

/* ---- trial_compare.c ---- */
/* Compare the answers with what is expected, and with each other. */
void mesh_test_judge(struct mesh_test *test);

#endif
