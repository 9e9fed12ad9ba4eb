/* An answer that goes on: the bytes of a reader (http/live.h) as the body of a response, without a thread of its own. Private to http/. */
#ifndef MESH_HTTP_STREAM_H
#define MESH_HTTP_STREAM_H

#include "http/live.h"

#include <microhttpd.h>

#define MESH_HTTP_STREAM_UNSENT_BYTES (64 << 10) /* what the kernel holds for a reader that does not take it */

/* A response that reads from `reader`, which is left when it is destroyed. NULL: no memory; the reader was left. */
struct MHD_Response *mesh_http_stream_response(struct MHD_Connection *connection, struct mesh_http_live_reader *reader);

#endif
