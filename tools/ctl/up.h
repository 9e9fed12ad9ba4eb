/* `meshctl up`: a whole mesh on this machine.
 *
 * Starts, in order: broker (embedded, or a real Kafka through scripts/kafka.sh), MongoDB when there is one, the service of every
 * domain, the simulator when the mesh has the contracts of what it sends. The scripts are those of an installation (share/mesh/scripts
 * beside the folder of the programs), else those of the mesh's own folder, which then is the repository. Waits until each is ready, says where everything is, then shows once a second what the mesh is doing: on a
 * terminal one screen that is redrawn, otherwise one line at the start. SIGINT or SIGTERM stops all of it, newest first.
 */
#ifndef MESH_CTL_UP_H
#define MESH_CTL_UP_H

#include "base/arena.h"
#include "base/vec.h"
#include "ctl/child.h"
#include "mesh/err.h"

#define MESH_UP_SERVICES_MAX 64
#define MESH_UP_SHOWS_MAX    8

/* A list to show: rows of GET <path> of a domain's service, the largest `value` first. */
struct mesh_up_show {
    const char *title, *domain, *path, *key, *value;
};

struct mesh_up_options {
    const char *root;     /* folder of mesh.yaml */
    const char *bin;      /* of meshgen, mesh-broker, mesh-sim */
    const char *scripts;  /* of kafka.sh, mongo.sh; NULL: there are none */
    const char *services; /* each at <services>/<domain>/<domain> */
    const char *run;      /* state, logs: <root>/run */
    bool kafka;           /* else the embedded broker */
    long rate;            /* events per second of the simulator; 0: no simulator */
    long seed;
    int seconds; /* stop by itself after this long; 0: never */
    struct mesh_up_show shows[MESH_UP_SHOWS_MAX];
    size_t n_shows;
};

struct mesh_up_service {
    const char *domain;
    int port;
    struct mesh_child child;
    bool ready;
    double events_per_s;
    uint64_t events, rejected, late, duplicates;
    int64_t lag;
};

struct mesh_up {
    const struct mesh_up_options *options;
    struct mesh_arena arena;
    const char *brokers;
    const char *mongo_uri; /* NULL: off */
    const char *mongo_why;
    const char *sim_why; /* NULL: it runs */
    struct mesh_child broker, sim;
    bool kafka_started, mongo_started;
    struct mesh_up_service services[MESH_UP_SERVICES_MAX];
    size_t n_services;
};

/* Exit code of the program. */
int mesh_up_run(const struct mesh_up_options *options);

/* screen.c: read what the services say of themselves, and show it. */
void mesh_screen_update(struct mesh_up *up, double seconds);
void mesh_screen_draw(struct mesh_up *up, bool first);

#endif
