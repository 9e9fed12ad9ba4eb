/* mesh-sim: parse, open, generate, flush. */
#include "sim/stream.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "sim/pace.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { EXIT_OK = 0, EXIT_FINDINGS = 1, EXIT_USAGE = 2, EXIT_INTERNAL = 3 };

#define SLEEP_MAX_US 50000

static volatile sig_atomic_t stop;

/* The second signal ends the program at once, in case a reader of our output never reads. */
static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Until the event is due or stop is set; what was sent so far is made visible first. */
static int hold(struct sim_stream *stream, struct sim_pace *pace, uint64_t n, struct mesh_err *err)
{
    int64_t at_ns = sim_stream_next_ns(stream);
    for (int64_t wait_us; !stop && (wait_us = sim_pace_wait_us(pace, n, at_ns)) > 0;) {
        if (stream->sink->idle(stream->sink, err) != 0 || sim_truth_flush(stream->truth, err) != 0) {
            return -1;
        }
        int64_t sleep_us = wait_us < SLEEP_MAX_US ? wait_us : SLEEP_MAX_US;
        nanosleep(&(struct timespec){.tv_nsec = (long)(sleep_us * 1000)}, NULL);
    }
    return 0;
}

static int generate(struct sim_stream *stream, const struct sim_options *options, struct mesh_err *err)
{
    struct sim_pace pace;
    bool paced = options->rate > 0 || options->speed > 0;
    if (sim_stream_master_data(stream, err) != 0) {
        return -1;
    }
    sim_pace_init(&pace, options->rate, options->speed, stream->now_ns);
    for (uint64_t n = 0; (options->events == 0 || n < options->events) && !stop; n++) {
        if (paced && hold(stream, &pace, n, err) != 0) {
            return -1;
        }
        if (stop) {
            break;
        }
        if (sim_stream_step(stream, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static struct sim_sink *open_sink(const struct sim_options *options, int32_t partitions[SIM_TOPIC_COUNT], struct mesh_err *err)
{
    if (options->brokers != NULL) {
        return sim_sink_kafka_new(options->brokers, options->domains, &stop, partitions, err);
    }
    for (enum sim_topic topic = 0; topic < SIM_TOPIC_COUNT; topic++) {
        partitions[topic] = topic == SIM_RATES ? 1 : options->partitions;
    }
    return sim_sink_file_new(options->out, options->format, partitions, err);
}

static void close_sink(struct sim_sink **sink)
{
    if (*sink != NULL) {
        (*sink)->free(*sink);
    }
}

static void free_stream(struct sim_stream **stream)
{
    if (*stream != NULL) {
        sim_stream_deinit(*stream);
        mesh_freep(stream);
    }
}

static int run(struct sim_options *options, struct mesh_err *err)
{
    struct sim_contracts contracts;
    mesh_cleanup(sim_truth_deinit) struct sim_truth truth = {.fd = -1};
    int32_t partitions[SIM_TOPIC_COUNT];
    if (sim_contracts_read(options->contracts, &contracts, err) != 0 || sim_truth_open(&truth, options->truth, err) != 0) {
        return EXIT_USAGE;
    }
    mesh_cleanup(close_sink) struct sim_sink *sink = open_sink(options, partitions, err);
    if (sink == NULL && err->class != MESH_ERR_NONE) {
        return EXIT_USAGE;
    }
    if (options->live) {
        options->start_ms = mesh_clock_wall_us() / 1000;
    }
    mesh_cleanup(free_stream) struct sim_stream *stream = mesh_xmalloc(sizeof *stream);
    sim_stream_init(stream, options, &contracts, partitions, sink, &truth);

    uint64_t n_lost = 0;
    int failed = 0;
    if (sink != NULL) { /* otherwise stopped before a broker answered */
        failed = generate(stream, options, err);
        struct mesh_err flush_err = {0};
        if (sink->flush(sink, &n_lost, failed == 0 ? err : &flush_err) != 0) {
            failed = -1;
        }
    }
    struct mesh_err truth_err = {0};
    if (sim_truth_totals(&truth, &stream->customers, &stream->stock, &stream->ads, failed == 0 ? err : &truth_err) != 0) {
        failed = -1;
    }
    if (n_lost > 0) {
        char n[24];
        snprintf(n, sizeof n, "%" PRIu64, n_lost);
        mesh_log(MESH_LOG_ERROR, "records were not delivered; the truth counts them", "n", n, NULL);
        return EXIT_FINDINGS;
    }
    return failed == 0 ? EXIT_OK : EXIT_INTERNAL;
}

int main(int argc, char **argv)
{
    struct sim_options options;
    struct mesh_err err = {0};
    int parsed = sim_options_parse(argc, argv, &options, &err);
    if (parsed > 0) {
        fputs(sim_options_help(), stdout);
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_INTERNAL;
    }
    if (parsed < 0) {
        fprintf(stderr, "mesh-sim: %s\n", err.text);
        return EXIT_USAGE;
    }
    catch_signals();
    int code = run(&options, &err);
    if (err.class != MESH_ERR_NONE) {
        fprintf(stderr, "mesh-sim: %s\n", err.text);
    }
    return code;
}
