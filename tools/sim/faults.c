/* Campaigns are put into the schedule whole, as finished payments; they share the topic and the terminal's country, so that only
 * their order in one partition decides about the alert. */
#include "sim/faults.h"

#include "base/check.h"

#define VELOCITY_TIMES 6
#define PROBES_TIMES   4
#define YEAR_MS        (INT64_C(31557600) * 1000)

const char *const sim_malformed_names[SIM_MALFORMED_COUNT] = {
    "truncated",  "unknown_schema", "absurd_length", "invalid_utf8",     "wrong_magic",
    "enum_range", "trailing_bytes", "time_range",    "unknown_currency",
};
const char *const sim_rule_names[SIM_RULE_COUNT] = {"none", "velocity", "probes"};

static uint64_t threshold(double probability)
{
    return (uint64_t)(probability * 4294967296.0);
}

void sim_faults_init(struct sim_faults *faults, uint64_t seed, double fraud, double duplicates, double late, double malformed)
{
    *faults = (struct sim_faults){
        .fraud = threshold(fraud),
        .duplicates = threshold(duplicates),
        .late = threshold(late),
        .malformed = threshold(malformed),
    };
    sim_rng_init(&faults->rng, seed, "faults");
}

enum sim_fate sim_faults_fate(struct sim_faults *faults)
{
    uint64_t r = mesh_rng_next(&faults->rng) >> 32;
    if (r < faults->late) {
        return SIM_FATE_LATE;
    }
    return r < faults->late + faults->malformed ? SIM_FATE_MALFORMED : SIM_FATE_ORDINARY;
}

struct step {
    int64_t gap_min_ms, gap_max_ms;
    int64_t eur_min, eur_max; /* cents */
};

static void put_campaign(struct sim_faults *faults, struct sim_payments *payments, struct sim_schedule *schedule, int64_t now_ms,
                         enum sim_rule rule, const struct step *steps, int n)
{
    uint64_t card = sim_payments_card_once(payments);
    struct sim_payment payment = sim_payments_draw_of(payments, card, now_ms);
    int64_t at_ms = now_ms;
    payment.campaign = -1;
    for (int i = 0; i < n; i++) {
        at_ms += sim_between(&faults->rng, steps[i].gap_min_ms, steps[i].gap_max_ms);
        payment.number = sim_payments_number(payments);
        payment.paid_at_ms = at_ms;
        payment.amount = sim_rates_from_eur(sim_between(&faults->rng, steps[i].eur_min, steps[i].eur_max), payment.currency);
        *sim_schedule_put(schedule, at_ms * SIM_MS_NS) = (struct sim_pending){
            .kind = SIM_PENDING_FRAUD,
            .completes = i + 1 == n ? rule : SIM_RULE_NONE,
            .payment = payment,
        };
    }
}

void sim_faults_maybe_fraud(struct sim_faults *faults, struct sim_payments *payments, struct sim_schedule *schedule, int64_t now_ns)
{
    static const struct step velocity[VELOCITY_TIMES] = {
        {1, 1000, 2150, 8500},   {200, 9500, 2150, 8500}, {200, 9500, 2150, 8500},
        {200, 9500, 2150, 8500}, {200, 9500, 2150, 8500}, {200, 9500, 2150, 8500},
    };
    static const struct step probes[PROBES_TIMES] = {
        {1, 1000, 50, 150},
        {4000, 150000, 50, 150},
        {4000, 150000, 50, 150},
        {4000, 150000, 60000, 180000},
    };
    if (!sim_chance(&faults->rng, faults->fraud) || sim_schedule_room(schedule) < VELOCITY_TIMES) {
        return;
    }
    int64_t now_ms = now_ns / SIM_MS_NS;
    if (sim_chance(&faults->rng, UINT64_C(1) << 31)) {
        put_campaign(faults, payments, schedule, now_ms, SIM_RULE_VELOCITY, velocity, VELOCITY_TIMES);
    } else {
        put_campaign(faults, payments, schedule, now_ms, SIM_RULE_PROBES, probes, PROBES_TIMES);
    }
}

int64_t sim_faults_maybe_again_ns(struct sim_faults *faults, const struct sim_schedule *schedule, int64_t now_ns)
{
    if (!sim_chance(&faults->rng, faults->duplicates) || sim_schedule_room(schedule) == 0) {
        return INT64_MIN;
    }
    return now_ns + sim_between(&faults->rng, SIM_DUPLICATE_MIN_MS, SIM_DUPLICATE_MAX_MS) * SIM_MS_NS;
}

int64_t sim_faults_late_ms(struct sim_faults *faults, int64_t newest_ms)
{
    return newest_ms - sim_between(&faults->rng, SIM_LATE_MIN_MS, SIM_LATE_MAX_MS);
}

static void break_bytes(struct sim_faults *faults, const struct sim_contracts *contracts, struct sim_record *record,
                        enum sim_malformed how)
{
    static const uint8_t absurd[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 'x'}; /* a string of 2^40 bytes */
    uint8_t *v = record->value;
    switch (how) {
    case SIM_TRUNCATED:
        record->value_n = 1 + (uint32_t)mesh_rng_below(&faults->rng, record->value_n - 1);
        return;
    case SIM_UNKNOWN_SCHEMA:
        for (int i = 0; i < 4; i++) {
            v[1 + i] = (uint8_t)(contracts->unknown_id >> (24 - 8 * i));
        }
        return;
    case SIM_ABSURD_LENGTH:
        memcpy(v + 5, absurd, sizeof absurd);
        record->value_n = 5 + sizeof absurd;
        return;
    case SIM_INVALID_UTF8: /* within payment_id: a lead byte with a wrong follower */
        v[12] = 0xc3;
        v[13] = 0x28;
        return;
    case SIM_WRONG_MAGIC:
        v[0] = 0x7b;
        return;
    case SIM_ENUM_RANGE:
        v[record->channel_at] = 2 * 7;
        return;
    case SIM_TRAILING_BYTES:
        mesh_assert(record->value_n + 3 <= SIM_VALUE_MAX);
        memset(v + record->value_n, 0, 3);
        record->value_n += 3;
        return;
    case SIM_TIME_RANGE:
    case SIM_NO_RATE:
    case SIM_MALFORMED_COUNT:
        return; /* broken before they were encoded */
    }
}

enum sim_malformed sim_faults_break(struct sim_faults *faults, const struct sim_contracts *contracts, struct sim_payment *payment,
                                    struct sim_record *record)
{
    enum sim_malformed how = (enum sim_malformed)mesh_rng_below(&faults->rng, SIM_MALFORMED_COUNT);
    if (how == SIM_TIME_RANGE) {
        int64_t years = sim_between(&faults->rng, 150, 400);
        payment->paid_at_ms += sim_chance(&faults->rng, UINT64_C(1) << 31) ? years * YEAR_MS : -years * YEAR_MS;
    }
    const char *currency = how == SIM_NO_RATE ? SIM_UNKNOWN_CURRENCY : sim_currencies[payment->currency];
    sim_encode_payment(record, contracts, payment, currency);
    break_bytes(faults, contracts, record, how);
    return how;
}
