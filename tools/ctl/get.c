#include "ctl/get.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int dial(int port, int timeout_ms)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    struct timeval t = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

bool mesh_port_taken(int port)
{
    int fd = dial(port, 200);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

int mesh_get(int port, const char *path, int timeout_ms, struct mesh_buf *ret_body, struct mesh_err *err)
{
    mesh_buf_reset(ret_body);
    mesh_cleanup(mesh_closep) int fd = dial(port, timeout_ms);
    if (fd < 0)
        return mesh_err_set(err, MESH_ERR_RETRY, "get.connect", "nobody answers on 127.0.0.1:%d: %s", port, strerror(errno));
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf request = MESH_BUF_NULL;
    mesh_buf_printf(&request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n", path, port);
    if (send(fd, request.p, request.n, MSG_NOSIGNAL) != (ssize_t)request.n)
        return mesh_err_set(err, MESH_ERR_RETRY, "get.send", "127.0.0.1:%d: %s", port, strerror(errno));
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf answer = MESH_BUF_NULL;
    for (;;) {
        char *to = mesh_buf_reserve(&answer, 65536);
        ssize_t n = recv(fd, to, 65535, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        answer.n += (size_t)n;
        if (answer.n > MESH_GET_BYTES_MAX)
            return mesh_err_set(err, MESH_ERR_REJECT, "get.too_long", "127.0.0.1:%d%s answers with more than %u bytes", port, path,
                                MESH_GET_BYTES_MAX);
    }
    mesh_buf_putc(&answer, 0);
    int status = 0;
    const char *body = strstr(answer.p, "\r\n\r\n");
    if (body == NULL || sscanf(answer.p, "HTTP/1.%*d %d", &status) != 1)
        return mesh_err_set(err, MESH_ERR_RETRY, "get.answer", "127.0.0.1:%d%s gave no HTTP answer within %d ms", port, path,
                            timeout_ms);
    mesh_buf_add(ret_body, body + 4, answer.n - 1 - (size_t)(body + 4 - answer.p));
    mesh_buf_putc(ret_body, 0);
    ret_body->n--;
    return status;
}
