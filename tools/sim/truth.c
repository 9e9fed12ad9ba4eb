#include "sim/truth.h"

#include "base/check.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

int sim_truth_open(struct sim_truth *truth, const char *path, struct mesh_err *err)
{
    *truth = (struct sim_truth){.path = path, .fd = -1, .first_ms = INT64_MIN};
    if (path == NULL) {
        return 0;
    }
    truth->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (truth->fd < 0) {
        return mesh_err_set(err, MESH_ERR_FATAL, "sim.truth", "%s: cannot be written: %s; name another file with --truth", path,
                            strerror(errno));
    }
    return 0;
}

void sim_truth_deinit(struct sim_truth *truth)
{
    mesh_closep(&truth->fd);
    mesh_buf_deinit(&truth->lines);
}

int sim_truth_flush(struct sim_truth *truth, struct mesh_err *err)
{
    size_t n = truth->lines.n;
    if (n == 0) {
        return 0;
    }
    truth->lines.n = 0;
    return mesh_fs_write_all(truth->fd, truth->path, truth->lines.p, n, err);
}

static void add_sum(struct sim_sum *sum, int64_t eur_cents, bool late)
{
    sum->n++;
    sum->eur += eur_cents;
    if (late) {
        sum->late_n++;
        sum->late_eur += eur_cents;
    }
}

void sim_truth_sale(struct sim_truth *truth, const struct sim_payment *payment, int64_t eur_cents, bool late)
{
    add_sum(&truth->all, eur_cents, late);
    add_sum(&truth->by_country[payment->country], eur_cents, late);
    add_sum(&truth->by_category[payment->category], eur_cents, late);
    add_sum(&truth->by_method[payment->method], eur_cents, late);
    if (payment->campaign >= 0) {
        add_sum(&truth->by_campaign[payment->campaign], eur_cents, late);
    }
}

static void add_token(struct mesh_buf *out, const char *name, const char prefix[4], uint64_t number)
{
    char token[SIM_TOKEN_BYTES];
    sim_put_token(token, prefix, number);
    mesh_buf_printf(out, ",\"%s\":\"%.*s\"", name, SIM_TOKEN_BYTES, token);
}

static void add_time(struct mesh_buf *out, const char *name, int64_t at_ms)
{
    mesh_buf_printf(out, ",\"%s\":\"", name);
    mesh_text_time(out, at_ms * 1000);
    mesh_buf_putc(out, '"');
}

static void add_place(struct mesh_buf *out, const struct sim_record *record)
{
    mesh_buf_printf(out, ",\"topic\":\"%s\",\"partition\":%" PRId32, sim_topics[record->topic].name, record->partition);
}

void sim_truth_fraud(struct sim_truth *truth, const struct sim_payment *payment, const struct sim_record *record,
                     enum sim_rule rule)
{
    truth->n_fraud[rule]++;
    if (truth->path != NULL) {
        struct mesh_buf *out = &truth->lines;
        mesh_buf_printf(out, "{\"kind\":\"fraud\",\"rule\":\"%s\"", sim_rule_names[rule]);
        add_token(out, "card_id", "crd-", payment->card);
        add_token(out, "payment_id", "pay-", payment->number);
        add_place(out, record);
        add_time(out, "at", payment->paid_at_ms);
        mesh_buf_puts(out, "}\n");
    }
}

static void add_behind(struct sim_truth *truth, const char *kind, const struct sim_record *record, const char *id_name,
                       const char prefix[4], uint64_t number, int64_t at_ms, int64_t behind_ms)
{
    if (truth->path != NULL) {
        struct mesh_buf *out = &truth->lines;
        mesh_buf_printf(out, "{\"kind\":\"%s\"", kind);
        add_place(out, record);
        add_token(out, id_name, prefix, number);
        add_time(out, "at", at_ms);
        mesh_buf_printf(out, ",\"behind_ms\":%" PRId64 "}\n", behind_ms);
    }
}

void sim_truth_again_payment(struct sim_truth *truth, const struct sim_payment *payment, const struct sim_record *record,
                             int64_t behind_ms)
{
    truth->n_again_payments++;
    add_behind(truth, "duplicate", record, "payment_id", "pay-", payment->number, payment->paid_at_ms, behind_ms);
}

void sim_truth_again_ad(struct sim_truth *truth, const struct sim_ad *ad, const struct sim_record *record, int64_t behind_ms)
{
    truth->n_again_ads++;
    add_behind(truth, "duplicate", record, "event_id", "adv-", ad->number, ad->at_ms, behind_ms);
}

void sim_truth_late(struct sim_truth *truth, const struct sim_payment *payment, const struct sim_record *record, int64_t behind_ms)
{
    truth->n_late++;
    add_behind(truth, "late", record, "payment_id", "pay-", payment->number, payment->paid_at_ms, behind_ms);
}

void sim_truth_malformed(struct sim_truth *truth, const struct sim_record *record, enum sim_malformed how)
{
    truth->n_malformed[how]++;
    if (truth->path != NULL) {
        struct mesh_buf *out = &truth->lines;
        mesh_buf_printf(out, "{\"kind\":\"malformed\",\"how\":\"%s\"", sim_malformed_names[how]);
        add_place(out, record);
        mesh_buf_printf(out, ",\"key\":\"%.*s\"}\n", (int)record->key_n, record->key);
    }
}

/* "12.50" */
static void add_dec(struct mesh_buf *out, const char *name, mesh_dec v, int scale)
{
    mesh_buf_printf(out, ",\"%s\":\"", name);
    mesh_text_dec(out, v, scale);
    mesh_buf_putc(out, '"');
}

/* After the first member a comma is needed. */
static void add_comma(struct mesh_buf *out)
{
    if (out->p[out->n - 1] != '{') {
        mesh_buf_putc(out, ',');
    }
}

static void add_sum_text(struct mesh_buf *out, const struct sim_sum *sum)
{
    mesh_buf_printf(out, "\"n\":%" PRId64, sum->n);
    add_dec(out, "total_eur", sum->eur, 2);
    mesh_buf_printf(out, ",\"late_n\":%" PRId64, sum->late_n);
    add_dec(out, "late_eur", sum->late_eur, 2);
}

static void add_group(struct mesh_buf *out, const char *name, const struct sim_sum *sum)
{
    if (sum->n > 0) {
        add_comma(out);
        mesh_buf_printf(out, "\"%s\":{", name);
        add_sum_text(out, sum);
        mesh_buf_putc(out, '}');
    }
}

static void campaign_name(char name[16], uint32_t campaign)
{
    *sim_put_campaign(name, campaign) = '\0';
}

static void add_sales(struct mesh_buf *out, const struct sim_truth *truth)
{
    mesh_buf_puts(out, ",\"sales\":{");
    add_sum_text(out, &truth->all);
    mesh_buf_puts(out, ",\"by_country\":{");
    for (size_t i = 0; i < SIM_COUNTRIES; i++) {
        add_group(out, sim_countries[i].code, &truth->by_country[i]);
    }
    mesh_buf_puts(out, "},\"by_category\":{");
    for (size_t i = 0; i < SIM_CATEGORIES; i++) {
        add_group(out, sim_categories[i].name, &truth->by_category[i]);
    }
    mesh_buf_puts(out, "},\"by_method\":{");
    for (size_t i = 0; i < SIM_METHOD_COUNT; i++) {
        add_group(out, sim_methods[i], &truth->by_method[i]);
    }
    mesh_buf_puts(out, "},\"by_campaign\":{");
    for (uint32_t i = 0; i < SIM_CAMPAIGNS; i++) {
        char name[16];
        campaign_name(name, i);
        add_group(out, name, &truth->by_campaign[i]);
    }
    mesh_buf_puts(out, "}}");
}

static void add_campaigns(struct mesh_buf *out, const struct sim_truth *truth, const struct sim_ads *ads)
{
    mesh_buf_puts(out, ",\"campaigns\":{");
    for (uint32_t i = 0; i < SIM_CAMPAIGNS; i++) {
        const struct sim_campaign *campaign = &ads->campaigns[i];
        const struct sim_sum *sum = &truth->by_campaign[i];
        if (campaign->n_impressions + campaign->n_clicks + sum->n == 0) {
            continue;
        }
        char name[16];
        campaign_name(name, i);
        add_comma(out);
        mesh_buf_printf(out, "\"%s\":{\"impressions\":%" PRId64 ",\"clicks\":%" PRId64, name, campaign->n_impressions,
                        campaign->n_clicks);
        add_dec(out, "spend_eur", campaign->spend_e4, 4);
        mesh_buf_printf(out, ",\"sales\":%" PRId64, sum->n);
        add_dec(out, "revenue_eur", sum->eur, 2);
        mesh_buf_putc(out, '}');
    }
    mesh_buf_putc(out, '}');
}

static void add_customers(struct mesh_buf *out, const struct sim_customers *customers)
{
    static const char *const consent[] = {"null", "true", "false"}; /* by enum sim_consent */
    mesh_buf_printf(out, ",\"deleted_customers\":%" PRIu32 ",\"customers\":{", customers->n_deleted);
    for (uint32_t i = 0; i < customers->n; i++) {
        const struct sim_customer *customer = &customers->all[i];
        if (customer->deleted) {
            continue;
        }
        char name[16];
        *sim_put_customer(name, i) = '\0';
        add_comma(out);
        mesh_buf_printf(out, "\"%s\":{\"country\":\"%s\",\"segment\":\"%s\",\"orders\":%" PRIu32 ",\"web_orders\":%" PRIu32, name,
                        sim_countries[customer->country].code, sim_segments[customer->segment], customer->n_orders,
                        customer->n_web_orders);
        add_dec(out, "spend_eur", customer->spend_cents, 2);
        if (customer->n_orders > 0) {
            add_time(out, "last_seen", customer->last_order_ms);
        } else {
            mesh_buf_puts(out, ",\"last_seen\":null");
        }
        mesh_buf_printf(out, ",\"marketing_consent\":%s}", consent[customer->consents[SIM_PURPOSE_MARKETING]]);
    }
    mesh_buf_putc(out, '}');
}

static void add_stock(struct mesh_buf *out, const struct sim_stock *stock)
{
    mesh_buf_printf(out, ",\"low_stock\":%" PRIu64 ",\"stock\":{", stock->n_low);
    for (uint32_t product = 0; product < SIM_PRODUCTS; product++) {
        bool any = false;
        for (uint32_t store = 0; store < SIM_STORES; store++) {
            const struct sim_shelf *shelf = &stock->shelves[product][store];
            if (!shelf->known) {
                continue;
            }
            char name[16];
            if (!any) {
                *sim_put_product(name, product) = '\0';
                add_comma(out);
                mesh_buf_printf(out, "\"%s\":{", name);
                any = true;
            }
            *sim_put_store(name, store) = '\0';
            add_comma(out);
            mesh_buf_printf(out, "\"%s\":%" PRId64, name, shelf->on_hand);
        }
        if (any) {
            mesh_buf_putc(out, '}');
        }
    }
    mesh_buf_putc(out, '}');
}

static void add_counts(struct mesh_buf *out, const struct sim_truth *truth)
{
    uint64_t n = 0;
    for (size_t i = 0; i < SIM_TOPIC_COUNT; i++) {
        n += truth->n_records[i];
    }
    mesh_buf_printf(out, "{\"kind\":\"totals\",\"records\":%" PRIu64, n);
    if (truth->first_ms != INT64_MIN) {
        add_time(out, "first_at", truth->first_ms);
        add_time(out, "last_at", truth->last_ms);
    }
    mesh_buf_puts(out, ",\"topics\":{");
    for (size_t i = 0; i < SIM_TOPIC_COUNT; i++) {
        if (truth->n_records[i] > 0) {
            add_comma(out);
            mesh_buf_printf(out, "\"%s\":%" PRIu64, sim_topics[i].name, truth->n_records[i]);
        }
    }
    mesh_buf_printf(out,
                    "},\"injected\":{\"fraud\":{\"velocity\":%" PRIu64 ",\"probes\":%" PRIu64
                    "},\"duplicate\":{\"payments\":%" PRIu64 ",\"ads\":%" PRIu64 "},\"late\":%" PRIu64 ",\"malformed\":{",
                    truth->n_fraud[SIM_RULE_VELOCITY], truth->n_fraud[SIM_RULE_PROBES], truth->n_again_payments, truth->n_again_ads,
                    truth->n_late);
    for (size_t i = 0; i < SIM_MALFORMED_COUNT; i++) {
        add_comma(out);
        mesh_buf_printf(out, "\"%s\":%" PRIu64, sim_malformed_names[i], truth->n_malformed[i]);
    }
    mesh_buf_puts(out, "}}");
}

int sim_truth_totals(struct sim_truth *truth, const struct sim_customers *customers, const struct sim_stock *stock,
                     const struct sim_ads *ads, struct mesh_err *err)
{
    if (truth->path == NULL) {
        return 0;
    }
    struct mesh_buf *out = &truth->lines;
    add_counts(out, truth);
    add_sales(out, truth);
    add_campaigns(out, truth, ads);
    add_customers(out, customers);
    add_stock(out, stock);
    mesh_buf_puts(out, "}\n");
    return sim_truth_flush(truth, err);
}
