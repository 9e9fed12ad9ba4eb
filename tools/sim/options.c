/* Rate, speed and density are three views of two clocks, and bytes must not depend on the wall clock. So the density (events in an
 * event second) alone decides about bytes. With --start it is fixed, and rate and speed only hold events back. Live, it is what
 * makes the event clock keep to the wall clock: rate / speed. */
#include "sim/options.h"

#include "base/text.h"
#include "sim/day.h"

#include <getopt.h>

#define START_MIN_MS INT64_C(0)
#define START_MAX_MS (INT64_C(4102444800) * 1000) /* 2100-01-01 */

enum option_id {
    OPTION_BROKERS = 256,
    OPTION_OUT,
    OPTION_FORMAT,
    OPTION_PARTITIONS,
    OPTION_RATE,
    OPTION_SEED,
    OPTION_EVENTS,
    OPTION_START,
    OPTION_DOMAIN,
    OPTION_TRUTH,
    OPTION_SPEED,
    OPTION_DENSITY,
    OPTION_FRAUD,
    OPTION_DUPLICATES,
    OPTION_LATE,
    OPTION_MALFORMED,
    OPTION_CONTRACTS,
    OPTION_HELP
};

static const struct option known[] = {
    {"brokers", required_argument, NULL, OPTION_BROKERS},
    {"out", required_argument, NULL, OPTION_OUT},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"partitions", required_argument, NULL, OPTION_PARTITIONS},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"events", required_argument, NULL, OPTION_EVENTS},
    {"start", required_argument, NULL, OPTION_START},
    {"domain", required_argument, NULL, OPTION_DOMAIN},
    {"truth", required_argument, NULL, OPTION_TRUTH},
    {"speed", required_argument, NULL, OPTION_SPEED},
    {"density", required_argument, NULL, OPTION_DENSITY},
    {"fraud", required_argument, NULL, OPTION_FRAUD},
    {"duplicates", required_argument, NULL, OPTION_DUPLICATES},
    {"late", required_argument, NULL, OPTION_LATE},
    {"malformed", required_argument, NULL, OPTION_MALFORMED},
    {"contracts", required_argument, NULL, OPTION_CONTRACTS},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

const char *sim_options_help(void)
{
    return "mesh-sim - seeded OmniShop events for Kafka, a file or a pipe\n"
           "\n"
           "  mesh-sim --brokers HOST:PORT[,...] [options]\n"
           "  mesh-sim --out FILE|- --start 2026-11-21T08:00:00Z --events 100000 [options]\n"
           "\n"
           "where to\n"
           "  --brokers B      produce to Kafka; waits while no broker answers\n"
           "  --out FILE       write a file instead; - is standard output\n"
           "  --format F       of the file: ndjson (default) or binary (tools/sim/sink.h)\n"
           "  --partitions N   of each topic of the file (default 4; rates has 1)\n"
           "  --truth FILE     what was injected, line by line, and totals at the end\n"
           "what\n"
           "  --seed N         (default 1) same seed, start and events: the same bytes\n"
           "  --events N       stop after N events; master data comes before and does not count (default 0: endless)\n"
           "  --domain D       all (default), customer, product_stock, sales_fraud or marketing\n"
           "  --fraud R --duplicates R --late R --malformed R\n"
           "                   how many per payment (defaults 0.0005 0.005 0.002 0.001; 0: none, at most 0.2)\n"
           "  --contracts DIR  (default contracts)\n"
           "when\n"
           "  --start T        event time of the first event, RFC 3339. Without it: live, from now\n"
           "  --rate N         events per wall second; 0: as fast as possible (default with --start; live 100)\n"
           "  --speed X        event seconds per wall second (live default 1; with --start: only held back when given)\n"
           "  --density D      mean events per event second (with --start and for rate 0: 200; live: rate / speed).\n"
           "                   It follows the hours of the day, except live at speed 1 or less\n"
           "\n"
           "Kafka refuses times far ahead of its clock and drops those older than a topic's retention: choose --start "
           "accordingly.\n"
           "TLS and SASL: from the environment, MESH_KAFKA_SECURITY and its kin, as for the services (docs/OPERATIONS.md)\n"
           "exit: 0 ok (also after SIGINT and SIGTERM), 1 records were not delivered, 2 usage or unreadable input, 3 internal\n";
}

static int usage(struct mesh_err *err, const char *option, const char *value, const char *wanted)
{
    return mesh_err_set(err, MESH_ERR_FATAL, "sim.usage", "--%s %s: must be %s", option, value, wanted);
}

static int parse_number(const char *option, const char *value, double min, double max, const char *wanted, double *ret,
                        struct mesh_err *err)
{
    if (mesh_text_parse_double(mesh_str_of(value), ret) != 0 || !(*ret >= min && *ret <= max)) {
        return usage(err, option, value, wanted);
    }
    return 0;
}

static int parse_share(const char *option, const char *value, double *ret, struct mesh_err *err)
{
    return parse_number(option, value, 0, 0.2, "a number from 0 to 0.2", ret, err);
}

static int parse_count(const char *option, const char *value, uint64_t min, uint64_t max, const char *wanted, uint64_t *ret,
                       struct mesh_err *err)
{
    int64_t n;
    if (mesh_text_parse_long(mesh_str_of(value), &n) != 0 || n < 0 || (uint64_t)n < min || (uint64_t)n > max) {
        return usage(err, option, value, wanted);
    }
    *ret = (uint64_t)n;
    return 0;
}

static int parse_domain(const char *value, unsigned *ret, struct mesh_err *err)
{
    static const struct {
        const char *name;
        unsigned domains;
    } names[] = {
        {"all", SIM_DOMAIN_ALL},
        {"customer", SIM_DOMAIN_CUSTOMER},
        {"product_stock", SIM_DOMAIN_PRODUCT_STOCK},
        {"sales_fraud", SIM_DOMAIN_SALES_FRAUD},
        {"marketing", SIM_DOMAIN_MARKETING},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(value, names[i].name) == 0) {
            *ret = names[i].domains;
            return 0;
        }
    }
    return usage(err, "domain", value, "all, customer, product_stock, sales_fraud or marketing");
}

static int parse_format(const char *value, enum sim_format *ret, struct mesh_err *err)
{
    if (strcmp(value, "ndjson") != 0 && strcmp(value, "binary") != 0) {
        return usage(err, "format", value, "ndjson or binary");
    }
    *ret = value[0] == 'n' ? SIM_NDJSON : SIM_BINARY;
    return 0;
}

static int parse_start(const char *value, struct sim_options *options, struct mesh_err *err)
{
    int64_t us;
    if (mesh_text_parse_time(mesh_str_of(value), &us) != 0 || us / 1000 < START_MIN_MS || us / 1000 > START_MAX_MS) {
        return usage(err, "start", value, "a time like 2026-11-21T08:00:00Z, between 1970 and 2100");
    }
    options->live = false;
    options->start_ms = us / 1000;
    return 0;
}

/* What was given, where the default depends on other options. Negative: not given. */
struct given {
    double rate, speed, density;
    int64_t partitions;
    bool format;
};

static int apply(int id, const char *value, struct sim_options *options, struct given *given, struct mesh_err *err)
{
    uint64_t n;
    switch (id) {
    case OPTION_BROKERS:
        options->brokers = value;
        return 0;
    case OPTION_OUT:
        options->out = value;
        return 0;
    case OPTION_TRUTH:
        options->truth = value;
        return 0;
    case OPTION_CONTRACTS:
        options->contracts = value;
        return 0;
    case OPTION_FORMAT:
        given->format = true;
        return parse_format(value, &options->format, err);
    case OPTION_DOMAIN:
        return parse_domain(value, &options->domains, err);
    case OPTION_START:
        return parse_start(value, options, err);
    case OPTION_SEED:
        return parse_count("seed", value, 0, INT64_MAX, "a whole number from 0 on", &options->seed, err);
    case OPTION_EVENTS:
        return parse_count("events", value, 0, INT64_MAX, "a whole number from 0 on", &options->events, err);
    case OPTION_PARTITIONS:
        n = 0;
        if (parse_count("partitions", value, 1, SIM_PARTITIONS_MAX, "a whole number from 1 to 1024", &n, err) != 0) {
            return -1;
        }
        given->partitions = (int64_t)n;
        return 0;
    case OPTION_RATE:
        return parse_number("rate", value, 0, 1e9, "a number of events per second, or 0", &given->rate, err);
    case OPTION_SPEED:
        return parse_number("speed", value, 0.001, 1e6, "a number from 0.001 to 1000000", &given->speed, err);
    case OPTION_DENSITY:
        return parse_number("density", value, SIM_DENSITY_MIN, SIM_DENSITY_MAX, "a number from 0.001 to 100000", &given->density,
                            err);
    case OPTION_FRAUD:
        return parse_share("fraud", value, &options->fraud, err);
    case OPTION_DUPLICATES:
        return parse_share("duplicates", value, &options->duplicates, err);
    case OPTION_LATE:
        return parse_share("late", value, &options->late, err);
    default:
        return parse_share("malformed", value, &options->malformed, err);
    }
}

static int settle_times(struct sim_options *options, const struct given *given, struct mesh_err *err)
{
    options->rate = given->rate >= 0 ? given->rate : options->live ? SIM_RATE_LIVE : 0;
    bool keeps_time = options->live && options->rate > 0; /* the event clock keeps to the wall clock */
    options->speed = given->speed > 0 ? given->speed : keeps_time ? 1 : 0;
    if (!keeps_time) {
        options->density = given->density > 0 ? given->density : SIM_DENSITY_START;
        return 0;
    }
    options->density = given->density > 0 ? given->density : options->rate / options->speed;
    options->flat = options->speed <= 1;
    options->rate = 0; /* is held by density and speed */
    if (options->density < SIM_DENSITY_MIN || options->density > SIM_DENSITY_MAX) {
        return mesh_err_set(err, MESH_ERR_FATAL, "sim.usage",
                            "--rate / --speed is %g events per event second: must be from 0.001 to 100000; change --speed, or"
                            " give --start",
                            options->density);
    }
    return 0;
}

static int settle_target(struct sim_options *options, const struct given *given, struct mesh_err *err)
{
    if ((options->brokers == NULL) == (options->out == NULL)) {
        return mesh_err_set(err, MESH_ERR_FATAL, "sim.usage", "give either --brokers or --out");
    }
    if (options->brokers != NULL && (given->partitions > 0 || given->format)) {
        return mesh_err_set(err, MESH_ERR_FATAL, "sim.usage", "--partitions and --format are for --out: a broker is asked");
    }
    options->partitions = given->partitions > 0 ? (int32_t)given->partitions : SIM_PARTITIONS_DEFAULT;
    if (options->fraud + options->late + options->malformed > 0.5) {
        return mesh_err_set(err, MESH_ERR_FATAL, "sim.usage", "--fraud, --late and --malformed together: at most 0.5");
    }
    return 0;
}

int sim_options_parse(int argc, char **argv, struct sim_options *ret, struct mesh_err *err)
{
    *ret = (struct sim_options){
        .contracts = "contracts",
        .seed = 1,
        .live = true,
        .domains = SIM_DOMAIN_ALL,
        .fraud = 0.0005,
        .duplicates = 0.005,
        .late = 0.002,
        .malformed = 0.001,
    };
    struct given given = {.rate = -1, .speed = -1, .density = -1, .partitions = -1};
    opterr = 0;
    for (int id; (id = getopt_long(argc, argv, ":", known, NULL)) != -1;) {
        if (id == OPTION_HELP) {
            return 1;
        }
        const char *word = argv[optind - 1];
        if (id == ':') {
            return mesh_err_set(err, MESH_ERR_FATAL, "sim.usage", "%s: a value is missing", word);
        }
        if (id == '?') {
            return mesh_err_set(err, MESH_ERR_FATAL, "sim.usage", "%s: no such option; see --help", word);
        }
        if (apply(id, optarg, ret, &given, err) != 0) {
            return -1;
        }
    }
    if (optind < argc) {
        return mesh_err_set(err, MESH_ERR_FATAL, "sim.usage", "%s: not an option; see --help", argv[optind]);
    }
    return settle_target(ret, &given, err) != 0 ? -1 : settle_times(ret, &given, err);
}
