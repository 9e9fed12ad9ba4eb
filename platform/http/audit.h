/* A line of the log for each request that was refused, at most MESH_HTTP_AUDIT_LINES a second of callers who are known, and as many of
 * others, so that these do not hide those: the line behind them says how many were left out. It says who, from where, what path of ours, and why; nothing that the client has sent but the name of a good credential. */
#ifndef MESH_HTTP_AUDIT_H
#define MESH_HTTP_AUDIT_H

#include <pthread.h>
#include <stdint.h>

#define MESH_HTTP_AUDIT_LINES 20

struct mesh_http_audit {
    pthread_mutex_t lock;
    struct {
        int64_t second;
        uint64_t n, left_out;
    } of[2]; /* others, known */
};

struct mesh_http_denial {
    int status;
    const char *why, *who, *client, *route, *trace; /* who: "" is not known */
};

void mesh_http_audit_init(struct mesh_http_audit *audit);
void mesh_http_audit_deinit(struct mesh_http_audit *audit);
void mesh_http_audit_denied(struct mesh_http_audit *audit, const struct mesh_http_denial *denial, int64_t now_us);

#endif
