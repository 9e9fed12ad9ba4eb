/* A broker that refuses us answers; it is not away, and waiting alone mends nothing. So it is said once, with the reason, in the
 * log and in /readyz, in place of "no broker can be reached". The clients try on: when the credentials are mended at the broker,
 * the link finds it, and that is said as after an outage. What only the sink is refused ends with its next acknowledged message. */
#include "app/worker_int.h"

#include <stdio.h>

void mesh_worker_broker_refused(void *context, enum mesh_kafka_client client, const char *why)
{
    struct mesh_worker *worker = context;
    char *to = worker->refused[client];
    bool was = to[0] != '\0';
    snprintf(to, sizeof worker->refused[client], "%s", why == NULL ? "" : why);
    if (why == NULL) {
        if (was)
            mesh_log(MESH_LOG_INFO, "the broker accepts us", "product", worker->name, NULL);
        return;
    }
    if (!was)
        mesh_log(MESH_LOG_ERROR, "the broker and this service do not accept each other; waits", "product", worker->name, "why", why,
                 NULL);
    if (client != MESH_KAFKA_SOURCE)
        return;
    /* As after an outage: until the link has found the broker, silence says nothing about time. */
    worker->said_away = true;
    if (worker->link != NULL)
        mesh_link_away(worker->link);
}
