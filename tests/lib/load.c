/* Test tool: CSV from standard input into a Kafka topic, as Avro under a contract.
 *
 *     zstdcat data.csv.zst | mesh-load --brokers B --topic T --contract FILE.avsc --key FIELD --time FIELD [--partitions N]
 *
 * Columns are matched to the contract's fields by name; others are ignored. An empty cell is null. "2018-04-01 00:00:31" is UTC. Records go
 * to the partition that murmur2 of the key's text gives, with the event time as Kafka timestamp. Prints the number of records sent.
 */
#include "base/buf.h"
#include "base/check.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "contract/datum.h"
#include "contract/framing.h"

#include <librdkafka/rdkafka.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 64

struct load {
    const char *brokers, *topic, *contract, *key, *time;
    int partitions;
    struct mesh_schema *schema;
    uint32_t id;
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    const struct mesh_schema_field *fields[COLUMNS_MAX]; /* by column; NULL: ignored */
    int key_column, time_column, n_columns;
    long sent;
};

static void die(const char *what, const char *detail)
{
    fprintf(stderr, "mesh-load: %s: %s\n", what, detail);
    exit(1);
}

/* Cut a CSV line in place (RFC 4180 without line breaks in cells). */
static int cut(char *line, char *cells[COLUMNS_MAX])
{
    int n = 0;
    char *p = line;
    while (n < COLUMNS_MAX) {
        char *to = p;
        cells[n++] = p;
        if (*p == '"') {
            p++;
            cells[n - 1] = to = p;
            while (*p != 0) {
                if (p[0] == '"' && p[1] == '"')
                    p++;
                else if (*p == '"')
                    break;
                *to++ = *p++;
            }
            if (*p == '"')
                p++;
            char end = *p;
            *to = 0;
            if (end == 0)
                return n;
            p++;
            continue;
        }
        p += strcspn(p, ",");
        if (*p == 0)
            return n;
        *p++ = 0;
    }
    return n;
}

static void cell_json(struct mesh_buf *out, const struct mesh_schema_field *field, const char *cell)
{
    int branch = 0;
    const struct mesh_schema *inner = mesh_schema_nullable(field->type, &branch);
    const struct mesh_schema *s = inner == NULL ? field->type : inner;
    if (inner != NULL && *cell == 0) {
        mesh_buf_puts(out, "null");
    } else if (s->kind == MESH_AVRO_LONG && s->logical != MESH_LOGICAL_NONE) {
        mesh_buf_printf(out, "\"%.10sT%.8sZ\"", cell, cell + 11);
    } else if (s->kind == MESH_AVRO_INT || s->kind == MESH_AVRO_LONG || s->kind == MESH_AVRO_DOUBLE ||
               s->kind == MESH_AVRO_BOOLEAN) {
        mesh_buf_puts(out, cell);
    } else if (s->logical == MESH_LOGICAL_DECIMAL) { /* 85.64999999999999 is what a double made of 85.65 */
        const char *point = strchr(cell, '.');
        if (point != NULL && strlen(point + 1) > (size_t)s->scale)
            mesh_buf_printf(out, "\"%.*f\"", s->scale, strtod(cell, NULL));
        else
            mesh_buf_printf(out, "\"%s\"", cell);
    } else {
        mesh_json_string(out, mesh_str_of(cell));
    }
}

static void send_line(struct load *l, char *cells[COLUMNS_MAX])
{
    static struct mesh_buf json;
    static struct mesh_buf value;
    struct mesh_err err = {0};
    mesh_buf_reset(&json);
    mesh_buf_reset(&value);
    mesh_buf_putc(&json, '{');
    bool first = true;
    for (int i = 0; i < l->n_columns; i++) {
        if (l->fields[i] == NULL)
            continue;
        mesh_buf_printf(&json, "%s\"%s\":", first ? "" : ",", l->fields[i]->name);
        cell_json(&json, l->fields[i], cells[i]);
        first = false;
    }
    mesh_buf_putc(&json, '}');
    mesh_frame_write_id(&value, l->id);
    if (mesh_datum_from_json(l->schema, (struct mesh_str){json.p, (uint32_t)json.n}, &value, &err) < 0)
        die(json.p, err.text);
    char time_text[32];
    int64_t time_us = 0;
    snprintf(time_text, sizeof time_text, "%.10sT%.8sZ", cells[l->time_column], cells[l->time_column] + 11);
    if (mesh_text_parse_time(mesh_str_of(time_text), &time_us) != 0)
        die("not a time", cells[l->time_column]);
    const char *key = cells[l->key_column];
    int32_t partition = mesh_hash_partition(key, strlen(key), l->partitions);
    for (;;) {
        rd_kafka_resp_err_t r =
            rd_kafka_producev(l->rk, RD_KAFKA_V_RKT(l->rkt), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key, strlen(key)),
                              RD_KAFKA_V_VALUE(value.p, value.n), RD_KAFKA_V_TIMESTAMP(time_us / 1000),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (r == RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        if (r != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            die("produce", rd_kafka_err2str(r));
        rd_kafka_poll(l->rk, 10);
    }
    if (++l->sent % 1000 == 0)
        rd_kafka_poll(l->rk, 0);
}

static void read_header(struct load *l, char *line)
{
    char *cells[COLUMNS_MAX];
    l->key_column = l->time_column = -1;
    l->n_columns = cut(line, cells);
    for (int i = 0; i < l->n_columns; i++) {
        l->fields[i] = mesh_schema_field(l->schema, cells[i]);
        if (strcmp(cells[i], l->key) == 0)
            l->key_column = i;
        if (strcmp(cells[i], l->time) == 0)
            l->time_column = i;
    }
    if (l->key_column < 0 || l->time_column < 0)
        die("the CSV has no such column", l->key_column < 0 ? l->key : l->time);
}

static void connect_broker(struct load *l)
{
    char reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", l->brokers, reason, sizeof reason) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "linger.ms", "20", reason, sizeof reason) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "enable.idempotence", "true", reason, sizeof reason) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "compression.codec", "lz4", reason, sizeof reason) != RD_KAFKA_CONF_OK)
        die("configuration", reason);
    l->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (l->rk == NULL)
        die("producer", reason);
    l->rkt = rd_kafka_topic_new(l->rk, l->topic, NULL);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"brokers", 1, NULL, 'b'}, {"topic", 1, NULL, 't'}, {"contract", 1, NULL, 'c'},
                                          {"key", 1, NULL, 'k'},     {"time", 1, NULL, 'e'},  {"partitions", 1, NULL, 'p'},
                                          {NULL, 0, NULL, 0}};
    struct load l = {.partitions = 4};
    for (int c = getopt_long(argc, argv, "", longs, NULL); c != -1; c = getopt_long(argc, argv, "", longs, NULL)) {
        switch (c) {
        case 'b':
            l.brokers = optarg;
            break;
        case 't':
            l.topic = optarg;
            break;
        case 'c':
            l.contract = optarg;
            break;
        case 'k':
            l.key = optarg;
            break;
        case 'e':
            l.time = optarg;
            break;
        case 'p':
            l.partitions = atoi(optarg);
            break;
        default:
            return 2;
        }
    }
    if (l.brokers == NULL || l.topic == NULL || l.contract == NULL || l.key == NULL || l.time == NULL)
        die("usage", "--brokers B --topic T --contract FILE --key FIELD --time FIELD [--partitions N]");
    struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_diags diags = {.arena = &arena};
    struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    if (mesh_fs_read(l.contract, 1u << 20, &text, &err) < 0)
        die(l.contract, err.text);
    l.schema = mesh_schema_parse(&arena, mesh_source_new(&arena, l.contract, text.p, text.n), &diags);
    if (l.schema == NULL)
        die(l.contract, "not a schema");
    l.id = mesh_schema_local_id(l.schema);
    connect_broker(&l);
    char *line = NULL;
    size_t cap = 0;
    bool header = true;
    for (ssize_t n = getline(&line, &cap, stdin); n > 0; n = getline(&line, &cap, stdin)) {
        line[strcspn(line, "\r\n")] = 0;
        if (header) {
            read_header(&l, line);
            header = false;
            continue;
        }
        char *cells[COLUMNS_MAX];
        if (cut(line, cells) != l.n_columns)
            die("a line has another number of columns", line);
        send_line(&l, cells);
    }
    if (rd_kafka_flush(l.rk, 60000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("flush", "the broker did not take everything within 60 s");
    printf("%ld\n", l.sent);
    rd_kafka_topic_destroy(l.rkt);
    rd_kafka_destroy(l.rk);
    return 0;
}
