/* The connection is suspended while there is nothing to say, under the lock of the channel, so that it cannot be resumed before. */
#include "http/stream.h"

#include "base/check.h"

#include <sys/socket.h>

#define BLOCK_BYTES (16u << 10)

static void fall_asleep(void *context)
{
    MHD_suspend_connection(context);
}

static void wake_up(void *context)
{
    MHD_resume_connection(context);
}

static ssize_t on_read(void *context, uint64_t position, char *to, size_t n)
{
    (void)position;
    ssize_t result = mesh_http_live_read(context, to, n);
    if (result == MESH_HTTP_LIVE_CUT)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    return result == MESH_HTTP_LIVE_END ? MHD_CONTENT_READER_END_OF_STREAM : result;
}

static void on_end(void *context)
{
    mesh_http_live_leave(context);
}

struct MHD_Response *mesh_http_stream_response(struct MHD_Connection *connection, struct mesh_http_live_reader *reader)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int bytes = MESH_HTTP_STREAM_UNSENT_BYTES;
    if (info != NULL)
        (void)setsockopt(info->connect_fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    mesh_http_live_bind(reader, fall_asleep, wake_up, connection);
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, reader, on_end);
    if (response == NULL)
        mesh_http_live_leave(reader);
    return response;
}
