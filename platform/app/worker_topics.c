/* A topic may be several things at once: an internal one is written and read, and two inputs may read
 * the same. It is listed once; what is read comes first, so that its index is the source's too. */
#include "app/worker_int.h"

#include <stdlib.h>

static struct mesh_link_topic *find(struct mesh_worker *worker, const char *topic)
{
    for (uint32_t i = 0; i < worker->n_topics; i++)
        if (strcmp(worker->topics[i].topic, topic) == 0)
            return &worker->topics[i];
    return NULL;
}

/* Requests to erase name the person: they stay as long as a product may be away, and no longer. */
#define REQUESTS_MS (INT64_C(30) * 86400 * 1000)

static struct mesh_link_topic *add(struct mesh_worker *worker, const char *topic)
{
    struct mesh_link_topic *t = find(worker, topic);
    if (t != NULL)
        return t;
    t = &worker->topics[worker->n_topics++];
    *t = (struct mesh_link_topic){.topic = topic};
    return t;
}

static void add_ours(struct mesh_worker *worker, const char *topic, int32_t partitions, bool compact, int64_t retention_ms)
{
    if (topic == NULL)
        return;
    struct mesh_link_topic *t = add(worker, topic);
    t->ours = true;
    t->partitions = partitions;
    t->compact = compact;
    t->retention_ms = retention_ms;
}

/* The first stream input of the first topology names the partitions; it is what the group shares. */
static uint32_t owner_input(const struct mesh_product *product)
{
    for (uint32_t i = 0; i < product->n_inputs; i++)
        if (product->inputs[i].kind == MESH_INPUT_STREAM)
            return i;
    return 0;
}

void mesh_worker_list_topics(struct mesh_worker *worker)
{
    const struct mesh_product *product = worker->product;
    size_t max = (size_t)product->n_inputs + product->n_ports + product->n_internals + 3;
    worker->topics = mesh_xcalloc(max, sizeof *worker->topics);
    worker->reads = mesh_xcalloc(max, sizeof *worker->reads);
    worker->topic_of_input = mesh_xcalloc(max, sizeof *worker->topic_of_input);
    uint32_t owner = owner_input(product);
    for (uint32_t i = 0; i < product->n_inputs; i++) {
        struct mesh_link_topic *t = add(worker, product->inputs[i].topic);
        t->read = true;
        worker->topic_of_input[i] = (uint32_t)(t - worker->topics);
    }
    worker->n_reads = worker->n_topics;
    for (uint32_t i = 0; i < worker->n_reads; i++)
        worker->reads[i] =
            (struct mesh_kafka_source_topic){.topic = worker->topics[i].topic, .owner = worker->topic_of_input[owner] == i};
    for (uint32_t i = 0; i < product->n_internals; i++)
        add_ours(worker, product->internals[i].topic, product->internals[i].partitions, false, -1);
    for (uint32_t i = 0; i < product->n_ports; i++)
        if (product->ports[i].kind == MESH_PORT_KAFKA)
            add_ours(worker, product->ports[i].topic, product->ports[i].partitions, product->ports[i].compact, 0);
    for (uint32_t i = 0; i < product->n_inputs; i++)
        if (product->inputs[i].kind == MESH_INPUT_RETRY)
            add_ours(worker, product->inputs[i].topic, product->inputs[i].partitions, false, 0);
        else if (product->inputs[i].kind == MESH_INPUT_ERASURE)
            add_ours(worker, product->inputs[i].topic, product->inputs[i].partitions, false, REQUESTS_MS);
    add_ours(worker, product->dlq_topic, 0, false, 0);
    add_ours(worker, product->late_topic, 0, false, 0);
    add_ours(worker, product->receipts_topic, 1, false, -1);
    for (uint32_t i = 0; i < worker->n_topics; i++)
        worker->topics[i].like = worker->topic_of_input[owner];
}

bool mesh_worker_embedded(const struct mesh_worker *worker)
{
    return worker->config->kafka_embedded || worker->link_info.embedded;
}

const char *mesh_worker_dest_topic(const struct mesh_product *product, uint32_t dest)
{
    if (dest < product->n_ports)
        return product->ports[dest].kind == MESH_PORT_KAFKA ? product->ports[dest].topic : NULL;
    for (uint32_t i = 0; i < product->n_internals; i++)
        if (dest == mesh_engine_dest_internal(product, i))
            return product->internals[i].topic;
    if (dest == mesh_engine_dest_receipts(product))
        return product->receipts_topic;
    return dest == mesh_engine_dest_dlq(product) ? product->dlq_topic : product->late_topic;
}

bool mesh_worker_partitions(const struct mesh_worker *worker, int32_t *inputs, int32_t *dests)
{
    const struct mesh_product *product = worker->product;
    bool all = true;
    for (uint32_t i = 0; i < product->n_inputs; i++) {
        inputs[i] = mesh_known_partitions(&worker->known, product->inputs[i].topic);
        all = all && inputs[i] > 0;
    }
    for (uint32_t d = 0; d < mesh_engine_n_dests(product); d++) {
        const char *topic = mesh_worker_dest_topic(product, d);
        dests[d] = topic == NULL ? 0 : mesh_known_partitions(&worker->known, topic);
        all = all && (topic == NULL || dests[d] > 0);
    }
    return all;
}
