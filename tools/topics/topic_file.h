/* The topic file: which topics there are, as mesh-topics and mesh-broker read it.
 *
 *     # topic                     partitions  cleanup  retention_ms
 *     omnishop.sales.payments     4           delete   604800000
 *     omnishop.customer.profiles  4           compact
 *
 * One topic a line, fields separated by blanks, `#` starts a comment. The retention may be left
 * out (the broker's own then holds) and -1 means for ever. The whole file is checked before any of
 * it is used.
 */
#ifndef MESH_TOPICS_TOPIC_FILE_H
#define MESH_TOPICS_TOPIC_FILE_H

#include "mesh/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESH_TOPIC_NAME_MAX       249   /* Kafka's own limit */
#define MESH_TOPIC_PARTITIONS_MAX 4096  /* far above what one machine should hold */
#define MESH_TOPIC_FILE_MAX       10000 /* topics in a file */

#define MESH_TOPIC_RETENTION_BROKER 0 /* not stated: the broker decides */

struct mesh_topic_decl {
    char name[MESH_TOPIC_NAME_MAX + 1];
    int partitions;
    bool compact;
    int64_t retention_ms; /* -1 for ever, MESH_TOPIC_RETENTION_BROKER if not stated */
    int line;             /* where it stands in the file */
};

/* Owns `topics`. */
struct mesh_topic_file {
    struct mesh_topic_decl *topics;
    size_t n;
};

/* Read and check a file. -1 with class REJECT if it is unreadable or wrong; the text begins with
 * "file:line:". On failure `ret` is empty. */
int mesh_topic_file_read(const char *path, struct mesh_topic_file *ret, struct mesh_err *err);
void mesh_topic_file_deinit(struct mesh_topic_file *file);

#endif
