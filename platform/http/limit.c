/* The generic cell rate algorithm: of a client only the time is kept at which its allowance is full again. Each request moves it on
 * by one interval; it may lie at most a second ahead. A client has four places where it can be, so a look is four comparisons. */
#include "http/limit.h"

#include "base/check.h"
#include "base/hash.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define WAYS     4
#define BURST_NS INT64_C(1000000000)

struct client {
    uint8_t network[8];
    int64_t full_ns; /* when its allowance is full again; 0: a free place */
};

struct mesh_http_limit {
    pthread_mutex_t lock;
    int64_t interval_ns;
    struct client clients[MESH_HTTP_LIMIT_CLIENTS];
};

struct mesh_http_limit *mesh_http_limit_new(int64_t requests_per_s)
{
    struct mesh_http_limit *limit = mesh_xcalloc(1, sizeof *limit);
    mesh_assert(requests_per_s >= 1 && requests_per_s <= 1000000);
    mesh_assert(pthread_mutex_init(&limit->lock, NULL) == 0);
    limit->interval_ns = BURST_NS / requests_per_s;
    return limit;
}

struct mesh_http_limit *mesh_http_limit_free(struct mesh_http_limit *limit)
{
    if (limit == NULL)
        return NULL;
    pthread_mutex_destroy(&limit->lock);
    free(limit);
    return NULL;
}

static void network_of(const struct sockaddr *client, uint8_t *ret)
{
    memset(ret, 0, sizeof((struct client *)0)->network);
    if (client->sa_family == AF_INET) {
        memcpy(ret, &((const struct sockaddr_in *)(const void *)client)->sin_addr, 4);
        return;
    }
    if (client->sa_family != AF_INET6)
        return;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)client)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(six))
        memcpy(ret, six->s6_addr + 12, 4);
    else
        memcpy(ret, six->s6_addr, 8);
}

static struct client *place_of(struct mesh_http_limit *limit, const uint8_t *network)
{
    struct client *set = &limit->clients[mesh_hash64(network, 8) % (MESH_HTTP_LIMIT_CLIENTS / WAYS) * WAYS];
    struct client *oldest = set;
    for (struct client *c = set; c < set + WAYS; c++) {
        if (c->full_ns != 0 && memcmp(c->network, network, sizeof c->network) == 0)
            return c;
        if (c->full_ns < oldest->full_ns)
            oldest = c;
    }
    memcpy(oldest->network, network, sizeof oldest->network);
    oldest->full_ns = 0;
    return oldest;
}

int mesh_http_limit_take(struct mesh_http_limit *limit, const struct sockaddr *client, int64_t now_us)
{
    uint8_t network[8];
    int64_t now_ns = now_us * 1000;
    network_of(client, network);
    pthread_mutex_lock(&limit->lock);
    struct client *place = place_of(limit, network);
    int64_t full_ns = place->full_ns > now_ns ? place->full_ns : now_ns;
    int64_t over_ns = full_ns + limit->interval_ns - now_ns - BURST_NS;
    if (over_ns <= 0)
        place->full_ns = full_ns + limit->interval_ns;
    pthread_mutex_unlock(&limit->lock);
    return over_ns <= 0 ? 0 : (int)(1 + over_ns / BURST_NS);
}
