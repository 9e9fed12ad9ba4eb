/* The input and the state that every product has without declaring them, and the way of a letter. */
#include "flow/retry.h"

#include "base/text.h"
#include "flow/sealed.h"
#include "flow/task_int.h"

#include <stdlib.h>

static uint32_t *with(struct mesh_arena *arena, const uint32_t *list, uint32_t n, uint32_t last)
{
    uint32_t *all = mesh_arena_alloc(arena, (n + 1) * sizeof *all);
    memcpy(all, list, n * sizeof *all);
    all[n] = last;
    return all;
}

const struct mesh_product *mesh_flow_with_retry(struct mesh_arena *arena, const struct mesh_product *product)
{
    struct mesh_product *own = mesh_arena_new(arena, struct mesh_product);
    *own = *product;
    struct mesh_site site = {product->declaration, 0, "retry"};

    struct mesh_input *inputs = mesh_arena_alloc(arena, (product->n_inputs + 1) * sizeof *inputs);
    memcpy(inputs, product->inputs, product->n_inputs * sizeof *inputs);
    inputs[product->n_inputs] = (struct mesh_input){
        .name = "retry",
        .topic = mesh_arena_printf(arena, "mesh.%s.retry", product->name),
        .kind = MESH_INPUT_RETRY,
        .site = site,
        .partitions = 1,
        .copy_all = true,
    };
    struct mesh_state *states = mesh_arena_alloc(arena, (product->n_states + 1) * sizeof *states);
    memcpy(states, product->states, product->n_states * sizeof *states);
    states[product->n_states] =
        (struct mesh_state){.name = "retry", .kind = MESH_STATE_DEDUPE, .site = site, .within_us = MESH_FLOW_RETRY_WITHIN_US};
    struct mesh_topology *topologies = mesh_arena_alloc(arena, product->n_topologies * sizeof *topologies);
    for (uint32_t i = 0; i < product->n_topologies; i++) {
        topologies[i] = product->topologies[i];
        topologies[i].inputs = with(arena, topologies[i].inputs, topologies[i].n_inputs++, product->n_inputs);
        topologies[i].states = with(arena, topologies[i].states, topologies[i].n_states++, product->n_states);
    }
    own->inputs = inputs;
    own->n_inputs++;
    own->states = states;
    own->n_states++;
    own->topologies = topologies;
    return own;
}

struct mesh_str mesh_flow_letter_header(const struct mesh_record *letter, const char *name)
{
    for (uint32_t i = 0; i < letter->n_headers; i++)
        if (mesh_str_eq(letter->headers[i].name, mesh_str_of(name)))
            return letter->headers[i].value;
    return (struct mesh_str){0};
}

/* -1: not a number, or a negative one. */
static int64_t number(struct mesh_str text)
{
    int64_t v = -1;
    return mesh_text_parse_long(text, &v) == 0 && v >= 0 ? v : -1;
}

/* The item that a stage speaks of; 0: the record as a whole. */
static uint32_t item_of(struct mesh_str stage)
{
    const struct mesh_str mark = MESH_STR(MESH_FLOW_ITEM_MARK);
    uint32_t at = stage.n;
    while (at > 0 && stage.p[at - 1] >= '0' && stage.p[at - 1] <= '9')
        at--;
    if (at < mark.n || memcmp(stage.p + at - mark.n, mark.p, mark.n) != 0)
        return 0;
    int64_t item = number((struct mesh_str){stage.p + at, stage.n - at});
    return item <= 0 || item > UINT32_MAX ? 0 : (uint32_t)item;
}

static struct mesh_flow_source *origin_of(struct mesh_task *task, struct mesh_str topic, int64_t partition)
{
    for (uint32_t i = 0; i < task->n_sources; i++) {
        struct mesh_flow_source *source = &task->sources[i];
        if (source->partition == partition && source->decl->process != NULL && mesh_str_eq(mesh_str_of(source->decl->topic), topic))
            return source;
    }
    return NULL;
}

void mesh_flow_feed_letter(struct mesh_flow_source *retry, const struct mesh_record *record)
{
    struct mesh_task *task = retry->task;
    struct mesh_str topic = mesh_flow_letter_header(record, MESH_FLOW_RETRY_PREFIX "topic");
    int64_t partition = number(mesh_flow_letter_header(record, MESH_FLOW_RETRY_PREFIX "partition"));
    int64_t offset = number(mesh_flow_letter_header(record, MESH_FLOW_RETRY_PREFIX "offset"));
    struct mesh_flow_source *source = origin_of(task, topic, partition);
    if (source == NULL)
        return; /* another task's */
    struct mesh_event seen = {.time_us = task->release_us != MESH_FLOW_NEVER ? task->release_us : record->kafka_time_us,
                              .input = retry->input,
                              .topic = retry->decl->topic,
                              .partition = retry->partition,
                              .offset = record->offset,
                              .kafka_time_us = record->kafka_time_us,
                              .key = record->key,
                              .value = record->value,
                              .headers = record};
    struct mesh_key id;
    mesh_key_begin(&id);
    mesh_key_str(&id, topic);
    mesh_key_long(&id, partition);
    mesh_key_long(&id, offset);
    mesh_key_str(&id, mesh_flow_letter_header(record, MESH_FLOW_RETRY_PREFIX "stage"));
    mesh_key_long(&id, number(mesh_flow_letter_header(record, MESH_FLOW_RETRY_PREFIX "attempt")));
    task->event = &seen;
    bool first = mesh_dedupe(task, task->product->n_states - 1, &id, &seen);
    task->event = NULL;
    if (!first)
        return;
    struct mesh_event event = seen;
    event.again = !mesh_str_starts(mesh_flow_letter_header(record, MESH_FLOW_RETRY_PREFIX "stage"), MESH_STR("inputPorts."));
    event.item = item_of(mesh_flow_letter_header(record, MESH_FLOW_RETRY_PREFIX "stage"));
    event.input = source->input;
    event.topic = source->decl->topic;
    event.partition = source->partition;
    event.offset = offset;
    event.source_wm_us = source->n_lanes == 0 ? MESH_FLOW_NEVER : source->lanes[0].wm_us;
    mesh_cleanup(mesh_letter_deinit) struct mesh_letter letter = {0};
    struct mesh_record opened;
    struct mesh_err why;
    if (mesh_flow_is_sealed(record->headers, record->n_headers)) {
        if (mesh_flow_unseal(task->engine->conf.seal, record, &letter, &opened, &why) < 0) {
            mesh_flow_reject(task, &event, &source->decl->site, MESH_FLOW_SEALED, record->headers, record->n_headers);
            return;
        }
        record = &opened;
        event.key = opened.key;
        event.value = opened.value;
        event.headers = &opened;
    }
    mesh_flow_feed_again(source, record, &event);
}

uint64_t mesh_flow_attempts(const struct mesh_header *headers, uint32_t n)
{
    const struct mesh_record record = {.headers = headers, .n_headers = n};
    int64_t attempt = number(mesh_flow_letter_header(&record, MESH_FLOW_RETRY_PREFIX "attempt"));
    return attempt < 0 ? 0 : (uint64_t)attempt;
}
