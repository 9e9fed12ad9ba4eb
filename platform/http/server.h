/* The HTTP server: libmicrohttpd around http/answer.h.
 *
 * A request that needs rows holds no thread: its connection is suspended until the worker has answered, or MESH_HTTP_PATIENCE_US
 * has passed (503, up to a tenth of a second later), or the server stops (503). A client that goes away meanwhile is noticed when
 * the answer is there.
 *
 * On loopback as one likes. On any other address only with TLS (1.2 or 1.3) and credentials of callers, unless the operator says that
 * something in front of it takes care of both (MESH_HTTP_INSECURE=1): anything else does not start. Limits: URI 8 KiB, headers 16 KiB, body
 * 64 KiB, MESH_HTTP_CONNECTIONS_MAX connections, 10 s of silence.
 */
#ifndef MESH_HTTP_SERVER_H
#define MESH_HTTP_SERVER_H

#include "http/answer.h"
#include "http/tls.h"

#define MESH_HTTP_CONNECTIONS_MAX 1024
#define MESH_HTTP_TIMEOUT_S       10
#define MESH_HTTP_THREADS         4
#define MESH_HTTP_PATIENCE_US     INT64_C(2000000)

struct mesh_http_server;

/* "127.0.0.1:8083", "[::1]:8083", ":8083", "8083". 0, or 1 with the reason in err. */
int mesh_http_parse_listen(const char *text, char *ret_host /* 64 */, uint16_t *ret_port, struct mesh_err *err);
bool mesh_http_is_loopback(const char *host);

struct mesh_http_conf {
    const char *listen;              /* port 0: the kernel chooses */
    bool insecure;                   /* also on other addresses than loopback */
    const struct mesh_http_tls *tls; /* its cert is NULL: plain */
    bool authenticated;              /* the site knows its callers */
    int64_t client_rate;             /* requests a second of one client (http/limit.h); 0: as many as it likes */
    struct mesh_http_live *live;     /* whose readers are ended before the server stops; NULL: none */
};

/* FATAL "http.port_taken", "http.address", "http.insecure". */
int mesh_http_server_start(const struct mesh_http_conf *conf, const struct mesh_http_site *site, struct mesh_metrics *metrics,
                           struct mesh_http_server **ret, struct mesh_err *err);
uint16_t mesh_http_server_port(const struct mesh_http_server *server);
/* The backend must still answer what it was asked: this waits for it. Takes NULL. */
struct mesh_http_server *mesh_http_server_stop(struct mesh_http_server *server);

#endif
