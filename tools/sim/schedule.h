/* What is due later: the rest of a fraud campaign, a payment or an advertisement to be sent again.
 *
 * A heap by time over a pool of fixed size; among equal times the one put first comes first. When the pool is full nothing more is
 * taken: a duplicate is then not made, a campaign not begun. No memory is allocated after init.
 */
#ifndef SIM_SCHEDULE_H
#define SIM_SCHEDULE_H

#include "sim/ads.h"
#include "sim/payments.h"

#define SIM_PENDING_MAX 262144

enum sim_pending_kind { SIM_PENDING_FRAUD, SIM_PENDING_PAYMENT_AGAIN, SIM_PENDING_AD_AGAIN };
enum sim_rule { SIM_RULE_NONE, SIM_RULE_VELOCITY, SIM_RULE_PROBES, SIM_RULE_COUNT };

struct sim_pending {
    enum sim_pending_kind kind;
    enum sim_rule completes; /* fraud: the rule that fires with this payment */
    union {
        struct sim_payment payment;
        struct sim_ad ad;
    };
};

struct sim_due {
    int64_t at_ns;
    uint64_t order;
    uint32_t slot;
};

struct sim_schedule {
    struct sim_pending *pool; /* owned */
    uint32_t *free_slots;     /* owned */
    struct sim_due *heap;     /* owned */
    uint32_t n;               /* in the heap */
    uint64_t order;
};

void sim_schedule_init(struct sim_schedule *schedule);
void sim_schedule_deinit(struct sim_schedule *schedule);

static inline uint32_t sim_schedule_room(const struct sim_schedule *schedule)
{
    return SIM_PENDING_MAX - schedule->n;
}

/* There must be room. The caller fills what is returned before the next call. */
struct sim_pending *sim_schedule_put(struct sim_schedule *schedule, int64_t at_ns);
/* INT64_MAX when nothing is due. */
static inline int64_t sim_schedule_next_ns(const struct sim_schedule *schedule)
{
    return schedule->n == 0 ? INT64_MAX : schedule->heap[0].at_ns;
}
/* Takes the first. There must be one. */
struct sim_pending sim_schedule_take(struct sim_schedule *schedule);

#endif
