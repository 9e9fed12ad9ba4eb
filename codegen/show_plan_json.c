/* The plan for programs. */
#include "codegen/json_out.h"
#include "codegen/show_lineage.h"
#include "codegen/show_plan.h"

static void at(const struct mesh_show_plan *show, struct mesh_json_out *json, struct mesh_srcref ref)
{
    mesh_json_out_text(json, "at", ref.source == NULL ? NULL : mesh_show_at(show->arena, ref));
}

static void topology(const struct mesh_show_plan *show, struct mesh_json_out *json, const struct mesh_plan_topology *t)
{
    static const char *const kinds[] = {[MESH_INPUT_STREAM] = "stream",
                                        [MESH_INPUT_TABLE] = "table",
                                        [MESH_INPUT_RECORDS] = "records",
                                        [MESH_INPUT_PARTIALS] = "partials"};
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "topology", t->cname);
    mesh_json_out_long(json, "tasks", mesh_show_tasks(show->plan, t));
    mesh_json_out_text(json, "order", mesh_show_order(t));
    mesh_json_out_array(json, "inputs");
    for (size_t i = 0; i < t->inputs.n; i++) {
        const struct mesh_plan_input *input = t->inputs.v[i];
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_text(json, "input", input->cname);
        mesh_json_out_text(json, "kind", kinds[input->kind]);
        mesh_json_out_text(json, "topic", input->topic);
        mesh_json_out_text(json, "key", mesh_show_input_key(input));
        if (input->model != NULL && input->model->is_table)
            mesh_json_out_bool(json, "copyAll", input->model->copy_all);
        if (input->model != NULL) {
            mesh_json_out_text(json, "delay", mesh_show_duration(show->arena, input->model->delay_us));
            mesh_json_out_text(json, "idle", mesh_show_duration(show->arena, input->model->idle_us));
        }
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_array(json, "regroups");
    for (size_t i = 0; i < show->regroups.n; i++) {
        const struct mesh_show_regroup *r = &show->regroups.v[i];
        if (r->topology != t)
            continue;
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_text(json, "what", r->what);
        mesh_json_out_text(json, "from", r->from);
        mesh_json_out_text(json, "by", r->by);
        mesh_json_out_text(json, "sends", r->partials ? "partials" : "records");
        mesh_json_out_text(json, "topic", r->through->topic);
        at(show, json, r->at);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_array(json, "waits");
    for (size_t i = 0; i < show->waits.n; i++) {
        if (show->waits.v[i].topology != t)
            continue;
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_text(json, "for", mesh_show_duration(show->arena, show->waits.v[i].us));
        mesh_json_out_text(json, "why", show->waits.v[i].why);
        at(show, json, show->waits.v[i].at);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void state(const struct mesh_show_plan *show, struct mesh_json_out *json, const struct mesh_show_state *s)
{
    mesh_json_out_object_line(json, NULL);
    mesh_json_out_text(json, "state", s->state->cname);
    mesh_json_out_text(json, "kind", mesh_show_state_kind(s->state));
    mesh_json_out_text(json, "topology", s->topology->cname);
    mesh_json_out_long(json, "bytesPerRow", (int64_t)s->per_row);
    mesh_json_out_long(json, "tableBytesPerRow", (int64_t)s->bytes->stride);
    mesh_json_out_long(json, "payloadBytes", (int64_t)s->bytes->payload);
    mesh_json_out_long(json, "keyBytes", (int64_t)s->bytes->key);
    mesh_json_out_long(json, "texts", (int64_t)s->bytes->texts);
    if (s->bytes->item > 0) {
        mesh_json_out_long(json, "itemBytes", (int64_t)s->bytes->item);
        mesh_json_out_long(json, "itemsFirst", (int64_t)s->bytes->items_first);
    }
    mesh_json_out_long(json, "keys", (int64_t)s->keys);
    if (s->rows_per_key > 0)
        mesh_json_out_long(json, "rowsPerKeyMax", (int64_t)s->rows_per_key);
    mesh_json_out_bool(json, "everyTask", s->everywhere);
    mesh_json_out_long(json, "bytes", (int64_t)s->total);
    mesh_json_out_text(json, "kept", mesh_show_kept(show->arena, s->state));
    at(show, json, s->at);
    mesh_json_out_end(json);
}

static void product(const struct mesh_show_plan *show, struct mesh_json_out *json)
{
    struct mesh_show_arrival *arrivals = NULL;
    size_t n = mesh_show_arrivals(show, &arrivals);
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "product", mesh_show_product_name(show->arena, show->plan->product));
    mesh_json_out_text(json, "declaration", show->plan->product->path);
    mesh_json_out_array(json, "topologies");
    for (size_t i = 0; i < show->plan->topologies.n; i++)
        topology(show, json, show->plan->topologies.v[i]);
    mesh_json_out_end(json);
    mesh_json_out_array(json, "states");
    for (size_t i = 0; i < show->states.n; i++)
        state(show, json, &show->states.v[i]);
    mesh_json_out_end(json);
    mesh_json_out_long(json, "stateBytes", (int64_t)show->total);
    mesh_json_out_long(json, "windowBytesMax", (int64_t)show->windows_max);
    mesh_json_out_array(json, "topics");
    for (size_t i = 0; i < show->topics.list.n; i++) {
        const struct mesh_emit_topic *topic = &show->topics.list.v[i];
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_text(json, "topic", topic->name);
        mesh_json_out_long(json, "partitions", topic->partitions);
        mesh_json_out_text(json, "cleanup", topic->compact ? "compact" : "delete");
        mesh_json_out_text(json, "use", mesh_show_topic_use(topic->use));
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_array(json, "dependsOnArrival");
    for (size_t i = 0; i < n; i++) {
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_text(json, "what", arrivals[i].text);
        at(show, json, arrivals[i].at);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

void mesh_show_plan_json(const struct mesh_model *model, struct mesh_show_plan *const *shows, size_t n, uint64_t keys,
                         struct mesh_buf *out)
{
    struct mesh_json_out json = {.out = out};
    mesh_json_out_object(&json, NULL);
    mesh_json_out_text(&json, "mesh", model->name);
    mesh_json_out_long(&json, "keys", (int64_t)keys);
    mesh_json_out_array(&json, "products");
    for (size_t i = 0; i < n; i++)
        product(shows[i], &json);
    mesh_json_out_end(&json);
    mesh_json_out_end(&json);
}
