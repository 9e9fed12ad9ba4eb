/* A question for rows, on its way from an HTTP thread to the worker of a product and back.
 *
 * It belongs to one side at a time. Who asks fills the upper half and gives it away; who answers fills the lower half and calls
 * answered(), exactly once, on any thread, perhaps before ask() has returned: from then on it is the asker's again. An asker that
 * has lost patience says so with `given_up`; answered() is called all the same, and the read may be left out.
 */
#ifndef MESH_HTTP_QUESTION_H
#define MESH_HTTP_QUESTION_H

#include "flow/engine.h"

#include <stdatomic.h>

#define MESH_HTTP_WHERE_MAX 512

enum mesh_http_read_result {
    MESH_HTTP_BUSY = 1,       /* not in time, or there are too many */
    MESH_HTTP_NOT_LOADED = 2, /* there is no state yet */
    MESH_HTTP_ENDING = 3,     /* the worker has ended */
    MESH_HTTP_ELSEWHERE = 4,  /* the key belongs to another instance: `where` is its URL; "": just now to none */
    MESH_HTTP_PARTIAL = 5,    /* parts of the list are elsewhere: `where` says which instances there are */
};

struct mesh_http_question {
    uint32_t product;
    struct mesh_read read; /* what it points to is in here */
    struct mesh_key key;
    char *after;
    bool committed;        /* answer when what was read is durable */
    bool local;            /* a list: of what this instance has, when it has not all */
    uint64_t min_position; /* read when the view's position is at least this */
    atomic_bool given_up;
    void (*answered)(struct mesh_http_question *question);
    void *asker, *asked_for; /* the asker's own */

    int result; /* 0, a mesh_http_read_result, or negative with `err` */
    struct mesh_rows rows;
    struct mesh_err err;
    char where[MESH_HTTP_WHERE_MAX];
    char partitions[MESH_HTTP_WHERE_MAX]; /* a list of a part: "0,2/4"; "": of all */
};

/* Copies what `read` points to. */
struct mesh_http_question *mesh_http_question_new(uint32_t product, const struct mesh_read *read);
void mesh_http_question_free(struct mesh_http_question *question); /* takes NULL */

#endif
