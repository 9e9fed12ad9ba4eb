/* One thread answers one request after another: a registry is asked when a program starts or meets a schema, and what it knows is in
 * memory. It has neither TLS nor users, so it listens on loopback unless told that this is wanted. */
#include "ctl/registry.h"
#include "ctl/registry_api.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: meshctl registry --dir DIR [options]   a small schema registry with Confluent's API, kept in a folder\n"
    "\n"
    "  --dir DIR           where it keeps what it knows; made when it is not there\n"
    "  --listen HOST:PORT  address of this machine and port (default " MESH_CTL_REGISTRY_LISTEN
    "; port 0: a free one, which it says)\n"
    "  --insecure          allow another address than loopback: it has neither TLS nor users\n"
    "\n"
    "exit: 0 stopped as asked, 1 the folder cannot be used, 2 usage\n";

struct body {
    struct mesh_buf text;
    bool too_long;
};

struct query {
    struct MHD_Connection *connection;
};

static const char *query_of(void *context, const char *name)
{
    const struct query *q = context;
    return MHD_lookup_connection_value(q->connection, MHD_GET_ARGUMENT_KIND, name);
}

static enum MHD_Result answer(struct MHD_Connection *connection, int status, struct mesh_buf *out)
{
    size_t n = out->n;
    struct MHD_Response *response = MHD_create_response_from_buffer(n, mesh_buf_take(out), MHD_RESPMEM_MUST_FREE);
    (void)MHD_add_response_header(response, "Content-Type", "application/vnd.schemaregistry.v1+json");
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

/* "%2F" within a part is not a border: split first, unescape then. False: too many parts, or no text. */
static bool split_path(struct mesh_arena *arena, const char *path, struct mesh_api_request *ret)
{
    for (const char *at = path + strspn(path, "/"); *at != '\0'; at += strspn(at, "/")) {
        size_t n = strcspn(at, "/");
        char *part = mesh_arena_str(arena, (struct mesh_str){at, (uint32_t)n});
        if (ret->n_parts == MESH_REGISTRY_PARTS_MAX || MHD_http_unescape(part) != strlen(part))
            return false;
        ret->parts[ret->n_parts++] = part;
        at += n;
    }
    return true;
}

/* MHD unescapes the path before it hands it over, so that a subject with a '/' would look like two parts. */
static size_t keep_escaped(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *bytes, size_t *n_bytes, void **state)
{
    (void)version;
    struct body *body = *state;
    if (body == NULL) {
        *state = mesh_xcalloc(1, sizeof *body);
        return MHD_YES;
    }
    if (*n_bytes > 0) {
        body->too_long = body->too_long || body->text.n + *n_bytes > MESH_REGISTRY_BODY_MAX;
        if (!body->too_long)
            mesh_buf_add(&body->text, bytes, *n_bytes);
        *n_bytes = 0;
        return MHD_YES;
    }
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    struct query query = {connection};
    struct mesh_buf out = MESH_BUF_NULL;
    struct mesh_api_request request = {.method = method,
                                       .body = {body->text.p == NULL ? "" : body->text.p, (uint32_t)body->text.n},
                                       .query = query_of,
                                       .context = &query};
    int status = 200;
    if (body->too_long || !split_path(&arena, url, &request)) {
        status = body->too_long ? 413 : 404;
        mesh_buf_printf(&out, "{\"error_code\":%d,\"message\":\"%s\"}", status,
                        body->too_long ? "the body is too long" : "HTTP 404 Not Found");
    } else {
        status = mesh_registry_api(context, &request, &out);
    }
    return answer(connection, status, &out);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
    (void)context, (void)connection, (void)code;
    struct body *body = *state;
    if (body != NULL)
        mesh_buf_deinit(&body->text);
    free(body);
    *state = NULL;
}

/* "127.0.0.1:8085" */
static bool parse_listen(const char *text, struct sockaddr_in *ret)
{
    char host[64] = "";
    unsigned port = 0;
    char end = 0;
    *ret = (struct sockaddr_in){.sin_family = AF_INET};
    if (sscanf(text, "%63[0-9.]:%u%c", host, &port, &end) != 2 || port > 65535 || inet_pton(AF_INET, host, &ret->sin_addr) != 1)
        return false;
    ret->sin_port = htons((uint16_t)port);
    return true;
}

static int complain(const char *what, const char *value)
{
    fprintf(stderr, "meshctl registry: %s '%s'\n\n%s", what, value, usage);
    return EXIT_USAGE;
}

static int serve(struct mesh_registry_store *store, const struct sockaddr_in *at, const char *dir)
{
    sigset_t set;
    int number = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    mesh_assert(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    (void)signal(SIGPIPE, SIG_IGN);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL, on_request, store, MHD_OPTION_SOCK_ADDR,
        (const struct sockaddr *)at, MHD_OPTION_CONNECTION_LIMIT, (unsigned)MESH_CTL_REGISTRY_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)MESH_CTL_REGISTRY_IDLE_S, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, NULL, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_END);
    char host[INET_ADDRSTRLEN];
    mesh_assert(inet_ntop(AF_INET, &at->sin_addr, host, sizeof host) != NULL);
    if (daemon == NULL) {
        fprintf(stderr, "meshctl registry: cannot listen on %s:%u: is another one there? Give a free port with --listen\n", host,
                ntohs(at->sin_port));
        return 1;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    printf("schema registry http://%s:%u, kept in %s\n", host, info == NULL ? ntohs(at->sin_port) : info->port, dir);
    (void)fflush(stdout);
    (void)sigwait(&set, &number);
    MHD_stop_daemon(daemon);
    return 0;
}

int mesh_ctl_registry(int argc, char **argv)
{
    static const struct option longs[] = {
        {"dir", 1, NULL, 'd'}, {"listen", 1, NULL, 'l'}, {"insecure", 0, NULL, 'i'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
    const char *dir = NULL;
    const char *listen_at = MESH_CTL_REGISTRY_LISTEN;
    bool insecure = false;
    struct sockaddr_in at;
    for (int c = getopt_long(argc, argv, "", longs, NULL); c != -1; c = getopt_long(argc, argv, "", longs, NULL)) {
        if (c == 'd')
            dir = optarg;
        else if (c == 'l')
            listen_at = optarg;
        else if (c == 'i')
            insecure = true;
        else if (c == 'h')
            return fputs(usage, stdout) < 0 ? 1 : 0;
        else
            return complain("not an option, or without its value:", argv[optind - 1]);
    }
    if (optind < argc)
        return complain("unexpected", argv[optind]);
    if (dir == NULL)
        return complain("where is it to keep what it knows? Give", "--dir DIR");
    if (!parse_listen(listen_at, &at))
        return complain("not an address and port:", listen_at);
    if (!insecure && ntohl(at.sin_addr.s_addr) >> 24 != 127)
        return complain("it has neither TLS nor users; say --insecure if others may change schemas at", listen_at);
    struct mesh_registry_store store;
    struct mesh_err err = {0};
    int code = 1;
    if (mesh_registry_store_open(dir, &store, &err) < 0)
        fprintf(stderr, "meshctl registry: %s\n", err.text);
    else
        code = serve(&store, &at, dir);
    mesh_registry_store_close(&store);
    return code;
}
