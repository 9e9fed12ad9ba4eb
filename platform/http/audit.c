#include "http/audit.h"

#include "base/check.h"
#include "base/log.h"

#include <stdbool.h>

#include <stdio.h>

void mesh_http_audit_init(struct mesh_http_audit *audit)
{
    *audit = (struct mesh_http_audit){.of = {{.second = INT64_MIN}, {.second = INT64_MIN}}};
    mesh_assert(pthread_mutex_init(&audit->lock, NULL) == 0);
}

void mesh_http_audit_deinit(struct mesh_http_audit *audit)
{
    pthread_mutex_destroy(&audit->lock);
}

void mesh_http_audit_denied(struct mesh_http_audit *audit, const struct mesh_http_denial *denial, int64_t now_us)
{
    char status[16], left_out[32];
    int64_t second = now_us / 1000000;
    int kind = denial->who[0] != '\0';
    pthread_mutex_lock(&audit->lock);
    if (second != audit->of[kind].second) {
        audit->of[kind].second = second;
        audit->of[kind].n = 0;
    }
    bool says = audit->of[kind].n++ < MESH_HTTP_AUDIT_LINES;
    uint64_t before = audit->of[kind].left_out;
    audit->of[kind].left_out = says ? 0 : before + 1;
    pthread_mutex_unlock(&audit->lock);
    if (!says)
        return;
    snprintf(status, sizeof status, "%d", denial->status);
    snprintf(left_out, sizeof left_out, "%llu", (unsigned long long)before);
    mesh_log(MESH_LOG_WARN, "request refused", "status", status, "why", denial->why, "who", denial->who, "client", denial->client,
             "route", denial->route, "trace_id", denial->trace, "left_out_before", left_out, NULL);
}
