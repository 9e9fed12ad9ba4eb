/* Settings: where they come from, what is wrong with them, what is shown of them. */
#include "../check.h"

#include "../embedded/shop.h"
#include "app/config.h"
#include "app/known.h"
#include "app/mailbox.h"
#include "base/check.h"

#include <stdlib.h>

static const char *const *given; /* "NAME=value", ended by NULL */

static const char *environment(const char *name)
{
    size_t n = strlen(name);
    for (const char *const *p = given; *p != NULL; p++)
        if (strncmp(*p, name, n) == 0 && (*p)[n] == '=')
            return *p + n + 1;
    return NULL;
}

#define KEY "MESH_PSEUDONYM_KEY=sixteen bytes or more"

/* Runs with options up to NULL; returns the action, what was printed in *ret_out. */
static int load(const char *const *env, char *const *options, struct mesh_config *config, char **ret_out, char **ret_problems)
{
    char *argv[16] = {(char *)(uintptr_t) "shop"};
    int argc = 1;
    while (options != NULL && options[argc - 1] != NULL) {
        argv[argc] = options[argc - 1];
        argc++;
    }
    given = env;
    size_t n = 0, m = 0;
    FILE *out = open_memstream(ret_out, &n), *problems = open_memstream(ret_problems, &m);
    int action = (int)mesh_config_load(&shop_service, argc, argv, environment, out, problems, config);
    fclose(out);
    fclose(problems);
    return action;
}

CASE(defaults_environment_and_options)
{
    struct mesh_config c;
    mesh_cleanup(mesh_freep) char *out = NULL;
    mesh_cleanup(mesh_freep) char *problems = NULL;
    static const char *const env[] = {KEY, "MESH_KAFKA_BROKERS=a:1", "MESH_LOG_LEVEL=debug", "MESH_STATE_DIR=", NULL};
    static char one[] = "--kafka-brokers", two[] = "b:2", three[] = "--kafka-linger-ms=9";
    char *const options[] = {one, two, three, NULL};
    CHECK_EQ_I64(load(env, options, &c, &out, &problems), MESH_CONFIG_RUN);
    CHECK_STR(c.kafka_brokers, "b:2");
    CHECK_EQ_I64(c.kafka_linger_ms, 9);
    CHECK_EQ_I64(c.http_client_rate, 0);
    CHECK_STR(c.http_listen, "127.0.0.1:8099");
    CHECK_STR(c.state_dir, "state/shop");
    CHECK(c.log_level == MESH_LOG_DEBUG && c.state_fsync && !c.state_reset);
    CHECK_EQ_I64(c.kafka_session_timeout_ms, 6000);
    CHECK_EQ_I64(c.pseudonym_keys[0].n, 21);
    mesh_config_deinit(&c);
}

CASE(all_problems_at_once)
{
    struct mesh_config c;
    mesh_cleanup(mesh_freep) char *out = NULL;
    mesh_cleanup(mesh_freep) char *problems = NULL;
    static const char *const env[] = {"MESH_LOG_LEVEL=loud", "MESH_KAFKA_FETCH_MB=0", "MESH_STATE_RESET=perhaps", NULL};
    static char one[] = "--kafka-broker=x", two[] = "stray", three[] = "--mongo-uri=x";
    char *const options[] = {one, two, three, NULL};
    CHECK_EQ_I64(load(env, options, &c, &out, &problems), MESH_CONFIG_WRONG);
    CHECK_CONTAINS(problems, "MESH_LOG_LEVEL must be");
    CHECK_CONTAINS(problems, "MESH_KAFKA_FETCH_MB must be a number from 1 to 65536");
    CHECK_CONTAINS(problems, "MESH_STATE_RESET must be");
    CHECK_CONTAINS(problems, "did you mean --kafka-brokers?");
    CHECK_CONTAINS(problems, "'stray' is not an option");
    CHECK_CONTAINS(problems, "secrets are not for the command line");
    CHECK_CONTAINS(problems, "shows pseudonyms");
    mesh_config_deinit(&c);
}

CASE(secrets_are_masked)
{
    struct mesh_config c;
    mesh_cleanup(mesh_freep) char *out = NULL;
    mesh_cleanup(mesh_freep) char *problems = NULL;
    static const char *const env[] = {KEY, "MESH_MONGO_URI=mongodb://ann:secret@host/x", NULL};
    static char one[] = "--print-config";
    char *const options[] = {one, NULL};
    CHECK_EQ_I64(load(env, options, &c, &out, &problems), MESH_CONFIG_DONE);
    CHECK_CONTAINS(out, "MESH_MONGO_URI=mongodb://****@host/x");
    CHECK_CONTAINS(out, "MESH_PSEUDONYM_KEY=****");
    CHECK(strstr(out, "secret") == NULL && strstr(out, "sixteen") == NULL);
    mesh_config_deinit(&c);
}

CASE(what_was_known_is_read_back)
{
    char dir[] = "/tmp/mesh-known-XXXXXX";
    REQUIRE(mkdtemp(dir) != NULL);
    struct mesh_known known = {0}, back;
    struct mesh_err err;
    struct mesh_link_topic topics[] = {{.topic = "a.b", .found = 4}, {.topic = "c", .found = 1}};
    CHECK_EQ_I64(mesh_known_read(dir, &back), 1);
    mesh_known_set(&known, "cluster-1", topics, 2);
    CHECK_EQ_I64(mesh_known_write(dir, &known, &err), 0);
    REQUIRE(mesh_known_read(dir, &back) == 0);
    CHECK_STR(back.cluster_id, "cluster-1");
    CHECK_EQ_I64(mesh_known_partitions(&back, "a.b"), 4);
    CHECK_EQ_I64(mesh_known_partitions(&back, "none"), 0);
    mesh_known_deinit(&known);
    mesh_known_deinit(&back);
}

/* ---- mailbox ---- */
struct errand {
    struct mesh_errand errand;
    atomic_int *runs, *refusals;
};

static void errand_run(struct mesh_errand *e, void *owner)
{
    (void)owner;
    ++*((struct errand *)e)->runs;
    free(e);
}

static void errand_refuse(struct mesh_errand *e)
{
    ++*((struct errand *)e)->refusals;
    free(e);
}

static void post(struct mesh_mailbox *mailbox, atomic_int *runs, atomic_int *refusals)
{
    struct errand *e = mesh_xcalloc(1, sizeof *e);
    *e = (struct errand){{.run = errand_run, .refuse = errand_refuse}, runs, refusals};
    mesh_mailbox_post(mailbox, &e->errand);
}

struct owner {
    struct mesh_mailbox mailbox;
    struct mesh_wake wake;
    atomic_bool stop;
};

static void *serve(void *context)
{
    struct owner *owner = context;
    while (!atomic_load(&owner->stop)) {
        mesh_mailbox_run(&owner->mailbox, owner, 500);
        if (!mesh_mailbox_any(&owner->mailbox))
            mesh_wake_wait(&owner->wake, 1000000);
    }
    mesh_mailbox_close(&owner->mailbox);
    return NULL;
}

CASE(errands_are_run_in_order_until_the_budget_is_over)
{
    struct owner owner;
    atomic_int runs = 0, refusals = 0;
    mesh_wake_init(&owner.wake);
    mesh_mailbox_init(&owner.mailbox, &owner.wake);
    CHECK(!mesh_mailbox_any(&owner.mailbox));
    for (int i = 0; i < MESH_MAILBOX_MAX + 3; i++)
        post(&owner.mailbox, &runs, &refusals);
    CHECK(runs == 0 && refusals == 3);
    mesh_mailbox_run(&owner.mailbox, NULL, 0); /* no time: one all the same */
    CHECK_EQ_I64(runs, 1);
    CHECK(mesh_mailbox_any(&owner.mailbox));
    mesh_mailbox_run(&owner.mailbox, NULL, INT64_C(60000000));
    CHECK_EQ_I64(runs, MESH_MAILBOX_MAX);
    post(&owner.mailbox, &runs, &refusals);
    mesh_mailbox_close(&owner.mailbox);
    post(&owner.mailbox, &runs, &refusals);
    CHECK_EQ_I64(refusals, 5);
    mesh_mailbox_run(&owner.mailbox, NULL, 0);
    CHECK_EQ_I64(runs, MESH_MAILBOX_MAX);
    mesh_mailbox_deinit(&owner.mailbox);
    mesh_wake_deinit(&owner.wake);
}

struct poster {
    pthread_t thread;
    struct mesh_mailbox *mailbox;
    atomic_int runs, refusals;
};

static void *post_many(void *context)
{
    struct poster *poster = context;
    for (int i = 0; i < 2000; i++)
        post(poster->mailbox, &poster->runs, &poster->refusals);
    return NULL;
}

/* Every errand gets one of its two ends, also when the owner closes while others post. */
CASE(no_errand_is_lost_between_threads)
{
    struct owner owner = {.stop = false};
    struct poster posters[3];
    pthread_t thread;
    mesh_wake_init(&owner.wake);
    mesh_mailbox_init(&owner.mailbox, &owner.wake);
    pthread_create(&thread, NULL, serve, &owner);
    for (size_t i = 0; i < MESH_LEN(posters); i++) {
        posters[i] = (struct poster){.mailbox = &owner.mailbox};
        pthread_create(&posters[i].thread, NULL, post_many, &posters[i]);
    }
    pthread_join(posters[0].thread, NULL);
    atomic_store(&owner.stop, true);
    mesh_wake_ring(&owner.wake);
    for (size_t i = 1; i < MESH_LEN(posters); i++)
        pthread_join(posters[i].thread, NULL);
    pthread_join(thread, NULL);
    for (size_t i = 0; i < MESH_LEN(posters); i++)
        CHECK_EQ_I64(posters[i].runs + posters[i].refusals, 2000);
    mesh_mailbox_deinit(&owner.mailbox);
    mesh_wake_deinit(&owner.wake);
}
