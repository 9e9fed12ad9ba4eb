/* The command line of mesh-sim. What --help prints is the manual. */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include "mesh/err.h"
#include "sim/world.h"

#define SIM_PARTITIONS_MAX     1024
#define SIM_PARTITIONS_DEFAULT 4
#define SIM_RATE_LIVE          100.0 /* events per wall second when neither --rate nor --start is given */
#define SIM_DENSITY_START      200.0 /* events per second of event time with --start */

enum sim_format { SIM_NDJSON, SIM_BINARY };

struct sim_options {
    const char *brokers; /* one of these two is set */
    const char *out;     /* "-": standard output */
    const char *contracts;
    const char *truth; /* NULL: none */
    enum sim_format format;
    int32_t partitions;
    uint64_t seed;
    uint64_t events;  /* 0: endless */
    bool live;        /* no --start: begin now and keep to the wall clock */
    int64_t start_ms; /* of the event clock; set by the caller when live */
    double rate;      /* events per wall second; 0: no limit */
    double speed;     /* event seconds per wall second; 0: no limit */
    double density;   /* mean events per event second */
    bool flat;        /* no rush hours in the intensity */
    unsigned domains; /* of enum sim_domain */
    double fraud, duplicates, late, malformed;
};

/* 0; 1 = help was asked for; -1. */
int sim_options_parse(int argc, char **argv, struct sim_options *ret, struct mesh_err *err);
const char *sim_options_help(void);

#endif
