/* The command line of `meshctl dlq`. Options that a command does not know are refused: a filter that is passed over would act on
 * everything. */
#include "ctl/dlq.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_MAX 1000000

static const char usage[] =
    "usage: meshctl dlq list    PRODUCT [ID ...] [filter] [--all] [--limit N] [--format text|json]\n"
    "       meshctl dlq show    PRODUCT ID [--contracts DIR] [--clear]\n"
    "       meshctl dlq replay  PRODUCT [ID ...] [filter] [--dry-run] [--rate N/s] [--limit N] [--yes] [--all]\n"
    "       meshctl dlq discard PRODUCT [ID ...] [filter] --reason TEXT [--dry-run] [--limit N] [--yes]\n"
    "\n"
    "Dead letters of a product: records that its service could not process. list shows those that nothing was done about, replay\n"
    "sends them to the product again, discard marks them as done with. docs/OPERATIONS.md, \"Dead letters\", says how to go about "
    "it.\n"
    "\n"
    "  --brokers LIST       host:port, commas between (default: MESH_KAFKA_BROKERS, else 127.0.0.1:9092); security as for "
    "services\n"
    "  --timeout TIME       how long to wait for the broker (default 10s; 100ms to 1h)\n"
    "filter (all of them must hold):\n"
    "  --code CODE          join.missing, avro.utf8, ...\n"
    "  --input TOPIC        the topic that the record lies in\n"
    "  --stage STAGE        what refused it, as list shows it\n"
    "  --since T, --until T the record's Kafka time: 2026-11-21T03:00:00Z, 2026-11-21, or 2h for two hours ago\n"
    "  --limit N            the first N (list: 100 are shown; 0: all)\n"
    "  --all                also letters that were replayed or discarded\n"
    "list:\n"
    "  --format json        one object; default text\n"
    "show:\n"
    "  --contracts DIR      where to look for the record's contract (default ./contracts)\n"
    "  --clear              show personal fields, keys and bytes\n"
    "replay, discard:\n"
    "  --dry-run            say what would be done\n"
    "  --rate N/s           at most N letters a second\n"
    "  --reason TEXT        is kept with the letter\n"
    "  --yes                do not ask\n"
    "\n"
    "exit: 0 ok, 1 nothing matched or something was refused, 2 usage, or the broker is away\n";

/* Which command takes an option. */
enum { L = 1 << MESH_DLQ_LIST, S = 1 << MESH_DLQ_SHOW, R = 1 << MESH_DLQ_REPLAY, D = 1 << MESH_DLQ_DISCARD };
static const struct {
    char letter;
    int verbs;
} takes[] = {
    {'b', L | S | R | D}, {'t', L | S | R | D}, {'c', L | R | D}, {'i', L | R | D}, {'g', L | R | D}, {'s', L | R | D},
    {'u', L | R | D},     {'n', L | R | D},     {'a', L | R},     {'f', L},         {'C', S},         {'x', S},
    {'d', R | D},         {'r', R | D},         {'w', R | D},     {'y', R | D},
};

static const struct option longs[] = {
    {"brokers", 1, NULL, 'b'}, {"timeout", 1, NULL, 't'}, {"code", 1, NULL, 'c'},      {"input", 1, NULL, 'i'},
    {"stage", 1, NULL, 'g'},   {"since", 1, NULL, 's'},   {"until", 1, NULL, 'u'},     {"limit", 1, NULL, 'n'},
    {"all", 0, NULL, 'a'},     {"format", 1, NULL, 'f'},  {"contracts", 1, NULL, 'C'}, {"clear", 0, NULL, 'x'},
    {"dry-run", 0, NULL, 'd'}, {"rate", 1, NULL, 'r'},    {"reason", 1, NULL, 'w'},    {"yes", 0, NULL, 'y'},
    {"help", 0, NULL, 'h'},    {NULL, 0, NULL, 0},
};

static int complain(const char *what, const char *value)
{
    fprintf(stderr, "meshctl dlq: %s%s%s; 'meshctl dlq --help' says more\n", what, value == NULL ? "" : " ",
            value == NULL ? "" : value);
    return MESH_DLQ_EXIT_USAGE;
}

static int parse_time(const char *arg, int64_t *ret)
{
    int64_t ago_us = 0;
    if (mesh_text_parse_duration(mesh_str_of(arg), &ago_us) == 0) {
        *ret = mesh_clock_wall_us() - ago_us;
        return 0;
    }
    return mesh_text_parse_time(mesh_str_of(arg), ret);
}

static int parse_count(const char *arg, const char *unit, int64_t max, long *ret)
{
    size_t n = strlen(arg);
    size_t u = strlen(unit);
    if (n > u && strcmp(arg + n - u, unit) == 0)
        n -= u;
    int64_t v = 0;
    if (mesh_text_parse_long((struct mesh_str){arg, (uint32_t)n}, &v) != 0 || v < 0 || v > max)
        return 1;
    *ret = (long)v;
    return 0;
}

static int parse_id(const char *arg, struct mesh_dlq_options *o)
{
    const char *colon = strchr(arg, ':');
    int64_t partition = 0;
    int64_t offset = 0;
    if (colon == NULL || mesh_text_parse_long((struct mesh_str){arg, (uint32_t)(colon - arg)}, &partition) != 0 ||
        mesh_text_parse_long(mesh_str_of(colon + 1), &offset) != 0 || partition < 0 || partition > INT32_MAX || offset < 0)
        return 1;
    *mesh_vec_push(&o->ids) = (struct mesh_dlq_id){(int32_t)partition, offset};
    return 0;
}

static int take_option(struct mesh_dlq_options *o, int c)
{
    int64_t us = 0;
    switch (c) {
    case 'b':
        o->brokers = optarg;
        return 0;
    case 't':
        if (mesh_text_parse_duration(mesh_str_of(optarg), &us) != 0 || us < 100000 || us > INT64_C(3600000000))
            return 1;
        o->timeout_ms = (int)(us / 1000);
        return 0;
    case 'c':
        o->code = optarg;
        return 0;
    case 'i':
        o->input = optarg;
        return 0;
    case 'g':
        o->stage = optarg;
        return 0;
    case 's':
        return parse_time(optarg, &o->since_us);
    case 'u':
        return parse_time(optarg, &o->until_us);
    case 'n':
        return parse_count(optarg, "", INT32_MAX, &o->limit);
    case 'f':
        o->json = strcmp(optarg, "json") == 0;
        return !o->json && strcmp(optarg, "text") != 0;
    case 'C':
        o->contracts = optarg;
        return 0;
    case 'r':
        return parse_count(optarg, "/s", RATE_MAX, &o->rate) != 0 || o->rate == 0;
    case 'w':
        o->reason = optarg;
        return optarg[0] == '\0';
    case 'a':
        o->all = true;
        return 0;
    case 'x':
        o->clear = true;
        return 0;
    case 'd':
        o->dry_run = true;
        return 0;
    default: /* y */
        o->yes = true;
        return 0;
    }
}

/* 0 go on; else the exit code plus one. */
static int parse(struct mesh_dlq_options *o, int argc, char **argv)
{
    optind = 1;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 'h')
            return 1 + (fputs(usage, stdout) < 0);
        int verbs = 0;
        for (size_t i = 0; i < MESH_LEN(takes); i++)
            verbs |= takes[i].letter == c ? takes[i].verbs : 0;
        if (verbs == 0)
            return 1 + complain("not an option, or it lacks its value:", argv[optind - 1]);
        if ((verbs & 1 << o->verb) == 0)
            return 1 + complain(argv[0], "does not take that option");
        if (take_option(o, c) != 0)
            return 1 + complain("cannot read the value", optarg);
    }
    if (optind == argc)
        return 1 + complain("whose letters? Name the product", NULL);
    o->product = argv[optind++];
    if (strlen(o->product) > 100)
        return 1 + complain("not a product:", o->product);
    for (; optind < argc; optind++)
        if (parse_id(argv[optind], o) != 0)
            return 1 + complain("not the id of a letter, like 0:17:", argv[optind]);
    if (o->verb == MESH_DLQ_SHOW && o->ids.n != 1)
        return 1 + complain("show needs the id of one letter, like 0:17", NULL);
    if (o->verb == MESH_DLQ_DISCARD && o->reason == NULL && !o->dry_run)
        return 1 + complain("discard needs --reason TEXT: the next one will ask", NULL);
    return 0;
}

static int run(const struct mesh_dlq_options *options)
{
    struct mesh_err err = {0};
    struct mesh_dlq_kafka kafka;
    struct mesh_dlq_index index = {0};
    int rc = mesh_dlq_kafka_open(&kafka, options, &err);
    if (rc == 0)
        rc = mesh_dlq_index_read(&index, &kafka, &err);
    if (rc == 0)
        rc = options->verb == MESH_DLQ_LIST   ? mesh_dlq_list(&kafka, &index)
             : options->verb == MESH_DLQ_SHOW ? mesh_dlq_show(&kafka, &index, &err)
                                              : mesh_dlq_send(&kafka, &index, &err);
    if (rc < 0)
        fprintf(stderr, "meshctl: %s\n", err.text);
    mesh_dlq_index_deinit(&index);
    mesh_dlq_kafka_close(&kafka);
    return rc < 0 ? MESH_DLQ_EXIT_USAGE : rc;
}

int mesh_dlq_main(int argc, char **argv)
{
    static const char *const verbs[] = {"list", "show", "replay", "discard"};
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0))
        return fputs(usage, stdout) < 0;
    size_t verb = 0;
    while (argc >= 2 && verb < MESH_LEN(verbs) && strcmp(argv[1], verbs[verb]) != 0)
        verb++;
    if (argc < 2 || verb == MESH_LEN(verbs))
        return complain(argc < 2 ? "what with them? list, show, replay or discard" : "no such command:", argc < 2 ? NULL : argv[1]);
    const char *brokers = getenv("MESH_KAFKA_BROKERS");
    struct mesh_dlq_options options = {.verb = (enum mesh_dlq_verb)verb,
                                       .brokers = brokers != NULL && brokers[0] != '\0' ? brokers : "127.0.0.1:9092",
                                       .contracts = "contracts",
                                       .since_us = INT64_MIN,
                                       .until_us = INT64_MAX,
                                       .timeout_ms = MESH_DLQ_TIMEOUT_MS};
    options.limit = options.verb == MESH_DLQ_LIST ? MESH_DLQ_LIST_LIMIT : 0;
    options.all = options.verb == MESH_DLQ_SHOW;
    int rc = parse(&options, argc - 1, argv + 1);
    rc = rc != 0 ? rc - 1 : run(&options);
    mesh_vec_deinit(&options.ids);
    return rc;
}
