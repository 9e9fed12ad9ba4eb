/* The mock cluster binds a socket to port 0, asks getsockname() which port it got, and puts that
 * into every metadata answer. This file defines getsockname() for the whole program; while a cluster
 * is being made it answers with the address we claimed, and remembers the cluster's socket.
 * Later our own socket, bound to that address, takes the place of the cluster's by dup2().
 *
 * Redefining bind() would be shorter, but then clients could connect before the topics exist, and
 * librdkafka's backlog of 5 would stay: with several services starting at once the sixth
 * connection waits a second for its SYN to be repeated. */
#include "broker/listen.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Set only around rd_kafka_mock_cluster_new(), and only seen by the thread that calls it. */
static _Thread_local struct {
    bool active;
    struct sockaddr_in address;
    int fd;
    int calls;
} substitute;

typedef int getsockname_fn(int fd, struct sockaddr *restrict address, socklen_t *restrict size);

/* glibc declares the address as a transparent union, to which this is compatible but for pedants. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
int getsockname(int fd, struct sockaddr *restrict address, socklen_t *restrict size)
{
    static getsockname_fn *next; /* every thread would store the same value */
    if (__atomic_load_n(&next, __ATOMIC_RELAXED) == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "getsockname");
        getsockname_fn *found;
        memcpy(&found, &symbol, sizeof found);
        __atomic_store_n(&next, found, __ATOMIC_RELAXED);
    }
    int rc = next(fd, address, size);
    if (rc == 0 && substitute.active && *size >= sizeof substitute.address && address->sa_family == AF_INET) {
        memcpy(address, &substitute.address, sizeof substitute.address);
        substitute.fd = fd;
        substitute.calls++;
    }
    return rc;
}
#pragma GCC diagnostic pop

static int parse_address(const char *text, struct sockaddr_in *ret, struct mesh_err *err)
{
    char host[INET_ADDRSTRLEN], *end;
    const char *colon = strrchr(text, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);
    if (length == 0 || length >= sizeof host || colon[1] == '\0')
        return mesh_err_set(err, MESH_ERR_REJECT, "broker.listen", "--listen %s: write HOST:PORT, e.g. 127.0.0.1:9092", text);
    memcpy(host, text, length);
    host[length] = '\0';
    unsigned long port = strtoul(colon + 1, &end, 10);
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (*end != '\0' || colon[1] == '-' || port > UINT16_MAX)
        return mesh_err_set(err, MESH_ERR_REJECT, "broker.listen", "--listen %s: the port is not a number from 0 to 65535", text);
    if (strcmp(host, "localhost") == 0)
        memcpy(host, "127.0.0.1", sizeof "127.0.0.1");
    if (inet_pton(AF_INET, host, &ret->sin_addr) != 1 || ntohl(ret->sin_addr.s_addr) >> 24 != 127)
        return mesh_err_set(err, MESH_ERR_REJECT, "broker.listen",
                            "--listen %s: only loopback (127.x.x.x) is served, because this broker "
                            "knows neither passwords nor TLS; use a real Kafka for other machines",
                            text);
    return 0;
}

int mesh_broker_listen_claim(struct mesh_broker_listen *listen, const char *address, struct mesh_err *err)
{
    struct sockaddr_in wanted;
    socklen_t size = sizeof wanted;
    char host[INET_ADDRSTRLEN];
    int on = 1;

    *listen = (struct mesh_broker_listen){.own_fd = -1, .mock_fd = -1};
    if (parse_address(address, &wanted, err) != 0)
        return -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&wanted, sizeof wanted) != 0 || getsockname(fd, (struct sockaddr *)&wanted, &size) != 0) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        return mesh_err_set(err, MESH_ERR_REJECT, "broker.listen", "cannot listen on %s: %s; %s", address, strerror(why),
                            why == EADDRINUSE ? "another broker runs there already, or give --listen another port"
                                              : "give --listen another address");
    }
    inet_ntop(AF_INET, &wanted.sin_addr, host, sizeof host);
    snprintf(listen->address, sizeof listen->address, "%s:%u", host, ntohs(wanted.sin_port));
    listen->own_fd = fd;
    return 0;
}

rd_kafka_mock_cluster_t *mesh_broker_listen_attach(struct mesh_broker_listen *listen, rd_kafka_t *client, struct mesh_err *err)
{
    socklen_t size = sizeof substitute.address;
    if (getsockname(listen->own_fd, (struct sockaddr *)&substitute.address, &size) != 0) {
        mesh_err_set(err, MESH_ERR_FATAL, "broker.listen", "getsockname: %s", strerror(errno));
        return NULL;
    }
    substitute.calls = 0;
    substitute.active = true;
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(client, 1);
    substitute.active = false;
    if (cluster == NULL) {
        mesh_err_set(err, MESH_ERR_FATAL, "broker.cluster", "librdkafka %s could not make its mock cluster",
                     rd_kafka_version_str());
        return NULL;
    }
    if (substitute.calls != 1 || strcmp(rd_kafka_mock_cluster_bootstraps(cluster), listen->address) != 0) {
        mesh_err_set(err, MESH_ERR_FATAL, "broker.cluster",
                     "librdkafka %s names its mock cluster %s instead of %s: this version cannot be "
                     "given a fixed port; build mesh-broker with librdkafka 2.0.2 or 2.12",
                     rd_kafka_version_str(), rd_kafka_mock_cluster_bootstraps(cluster), listen->address);
        rd_kafka_mock_cluster_destroy(cluster);
        return NULL;
    }
    listen->mock_fd = substitute.fd;
    return cluster;
}

int mesh_broker_listen_open(struct mesh_broker_listen *self, struct mesh_err *err)
{
    /* Two sockets may be bound to a port as long as none listens, so this can be the place where a
     * broker that was started at the same moment is noticed. */
    if (listen(self->own_fd, SOMAXCONN) != 0)
        return mesh_err_set(err, MESH_ERR_REJECT, "broker.listen",
                            "cannot listen on %s: %s; another broker was started there just now", self->address, strerror(errno));
    if (dup2(self->own_fd, self->mock_fd) < 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "broker.listen", "dup2: %s", strerror(errno));
    close(self->own_fd);
    self->own_fd = -1;
    /* The cluster's thread polls the old socket until its poll() ends, which is soon: prompt.h. */
    return 0;
}

void mesh_broker_listen_deinit(struct mesh_broker_listen *listen)
{
    if (listen->own_fd >= 0)
        close(listen->own_fd);
    listen->own_fd = -1;
}
