/* What a version of a product is to the others, as a small file in the folder of its state, and what it is told to become. Plain text, each
 * replaced as a whole: it is read by the service, by meshctl, and by people.
 *
 *     ROLE     written by the service; before its first start also by meshctl
 *     ORDER    written by meshctl; the service does it, also after a crash, and answers in ROLE under the same number
 *     STANDS   written by meshctl before a promotion: what stands in topics of ports that send changes; removed when it was heeded
 *     ADDRESS  written by the service: where its HTTP listens
 *
 *     mesh-role 1
 *     word retired
 *     order 1732226000123                        the order that led to this; 0: none
 *     voice 1732226001                           generation that its ports speak with; 0: that of its state
 *     succeeds 1732000000 1732226001             who spoke before; in ROLE retired and ORDER promote the one that retires included
 *     from 1732000000000000                      its history begins there (microseconds); without: at the earliest records
 *     at omnishop.sales.card-payments 0 4711     position: where it stands, shall stop, or begins
 *     mark card_payments 0 17322 17321 1         time of a task (flow/cutover.h): watermark, released up to, idle; "-": none
 *
 * Words of a ROLE: active (it counts), muted (it sends elsewhere), held (muted, and reads no further), retired (it has ended, and answers
 * readers until the other one does). Of an ORDER: hold, resume, retire, promote, and for a retired one follow: read on, muted, from there.
 */
#ifndef MESH_FLOW_ROLE_H
#define MESH_FLOW_ROLE_H

#include "base/vec.h"
#include "flow/cutover.h"

#define MESH_ROLE_FILE      "ROLE"
#define MESH_ORDER_FILE     "ORDER"
#define MESH_STANDS_FILE    "STANDS"
#define MESH_ADDRESS_FILE   "ADDRESS"
#define MESH_ROLE_BYTES_MAX (16u << 20)
#define MESH_ROLE_NAME_MAX  250 /* a topic has at most 249 characters */
#define MESH_VARIANT_MAX    20
#define MESH_VARIANT_BASE   "base" /* how the version without a name calls what it sends while it is muted */

enum mesh_role_word {
    MESH_ROLE_ACTIVE,
    MESH_ROLE_MUTED,
    MESH_ROLE_HELD,
    MESH_ROLE_RETIRED,
    MESH_ORDER_HOLD,
    MESH_ORDER_RESUME,
    MESH_ORDER_RETIRE,
    MESH_ORDER_PROMOTE,
    MESH_ORDER_FOLLOW,
};
#define MESH_ROLE_WORDS 9

struct mesh_role_place {
    char topic[MESH_ROLE_NAME_MAX];
    int32_t partition;
    int64_t offset;
};

struct mesh_role_mark {
    char name[MESH_ROLE_NAME_MAX]; /* mark.topology points nowhere: it is this */
    struct mesh_engine_mark mark;
};

struct mesh_role {
    enum mesh_role_word word;
    uint64_t order, voice;
    uint64_t succeeds[MESH_FLOW_SUCCEEDS_MAX];
    uint32_t n_succeeds;
    int64_t from_us; /* INT64_MIN: the earliest */
    MESH_VEC(struct mesh_role_place) at;
    MESH_VEC(struct mesh_role_mark) marks;
};

void mesh_role_init(struct mesh_role *role, enum mesh_role_word word);
void mesh_role_deinit(struct mesh_role *role);
const char *mesh_role_word_text(enum mesh_role_word word);
void mesh_role_write(const struct mesh_role *role, struct mesh_buf *out);
/* 0; 1: it is not one of these: text in err. `ret` is made anew either way. */
int mesh_role_read(struct mesh_str text, struct mesh_role *ret, struct mesh_err *err);
/* Behind all it has: the oldest goes when there is no room. */
void mesh_role_add_succeeded(struct mesh_role *role, uint64_t generation);
void mesh_role_add_at(struct mesh_role *role, const char *topic, int32_t partition, int64_t offset);
/* -1: none. */
int64_t mesh_role_at(const struct mesh_role *role, const char *topic, int32_t partition);

/* Lower case letters, digits and dashes, at most MESH_VARIANT_MAX; not "base". */
bool mesh_variant_is_name(const char *text);

#endif
