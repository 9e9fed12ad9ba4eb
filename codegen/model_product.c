/* One product, from its tree. */
#include "codegen/model_load.h"

#include "base/text.h"
#include "codegen/bind.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define P (&mesh_bind_product)

static bool is_map(const struct mesh_yaml *node)
{
    return node != NULL && !node->bad && node->kind == MESH_YAML_MAP;
}

struct mesh_expr *mesh_load_expr(struct mesh_model *model, const struct mesh_yaml *node)
{
    if (node == NULL || node->bad || node->kind != MESH_YAML_SCALAR || mesh_yaml_is_empty(node))
        return NULL;
    return mesh_expr_parse(model->arena, model->diags, node->text, node->at);
}

void mesh_load_from(struct mesh_model *model, const struct mesh_yaml *node, struct mesh_model_from **ret, size_t *ret_n)
{
    MESH_VEC(struct mesh_model_from) list = {0};
    const struct mesh_yaml *one = node;
    enum mesh_from_kind kind = MESH_FROM_STREAM;
    if (is_map(node)) {
        one = mesh_yaml_get(node, "changes");
        kind = MESH_FROM_CHANGES;
    }
    size_t n = node == NULL || node->bad ? 0 : node->kind == MESH_YAML_LIST ? node->items.n : 1;
    for (size_t i = 0; i < n; i++) {
        const struct mesh_yaml *item = node->kind == MESH_YAML_LIST ? node->items.v[i] : one;
        if (item != NULL && !item->bad && item->kind == MESH_YAML_SCALAR)
            *mesh_vec_push_in(model->arena, &list) = (struct mesh_model_from){.kind = kind, .name = item->text, .at = item->at};
    }
    *ret = list.v;
    *ret_n = list.n;
}

/* ---- types of state variables ---- */

static bool decimal_type(const char *text, size_t n, struct mesh_gen_type *ret)
{
    int precision = 0;
    int scale = 0;
    int used = 0;
    char copy[32];
    if (n >= sizeof copy)
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (sscanf(copy, "decimal( %2d , %2d )%n", &precision, &scale, &used) != 2 || (size_t)used != n)
        return false;
    *ret = (struct mesh_gen_type){.kind = MESH_GEN_DECIMAL, .precision = precision, .scale = scale};
    return precision >= 1 && precision <= MESH_DEC_DIGITS_MAX && scale >= 0 && scale <= precision;
}

bool mesh_load_type(const char *text, struct mesh_gen_type *ret)
{
    static const struct {
        const char *name;
        struct mesh_gen_type type;
    } types[] = {
        {"bool", {.kind = MESH_GEN_BOOL}},
        {"boolean", {.kind = MESH_GEN_BOOL}},
        {"int", {.kind = MESH_GEN_INT, .int32 = true}},
        {"long", {.kind = MESH_GEN_INT}},
        {"double", {.kind = MESH_GEN_DOUBLE}},
        {"string", {.kind = MESH_GEN_STRING}},
        {"timestamp", {.kind = MESH_GEN_TIMESTAMP}},
        {"date", {.kind = MESH_GEN_DATE}},
        {"duration", {.kind = MESH_GEN_DURATION}},
    };
    size_t n = strlen(text);
    bool nullable = n > 0 && text[n - 1] == '?';
    n -= nullable;
    bool found = decimal_type(text, n, ret);
    for (size_t i = 0; i < MESH_LEN(types) && !found; i++) {
        if (strlen(types[i].name) == n && strncmp(types[i].name, text, n) == 0) {
            *ret = types[i].type;
            found = true;
        }
    }
    ret->nullable = nullable;
    return found;
}

/* ---- ports in ---- */

static void input_source(struct mesh_model *model, struct mesh_model_input *input, const struct mesh_yaml_entry *entry)
{
    static const char *const own[] = {"topic", "contract", "key", "partitions", "compatibility"};
    static const char *const examples[] = {"topic: omnishop.sales.payments", "contract: sales_fraud/payment@1", "key: card_id"};
    const struct mesh_yaml_entry *product = mesh_yaml_entry(entry->value, "product");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf missing = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf fix = MESH_BUF_NULL;
    for (size_t i = 0; i < MESH_LEN(own); i++) {
        const struct mesh_yaml_entry *given = mesh_yaml_entry(entry->value, own[i]);
        if (product != NULL && given != NULL) {
            struct mesh_diag *diag =
                mesh_diag_add(model->diags, MESH_ERROR, "MG005", given->key_at, "'%s' cannot stand beside 'product'", own[i]);
            mesh_diag_why(model->diags, diag, "topic, contract, key and partitions come from the output port of that product");
            mesh_diag_fix(model->diags, diag, "remove '%s', or remove 'product'", own[i]);
        } else if (product == NULL && given == NULL && i < MESH_LEN(examples)) {
            mesh_buf_printf(&missing, "%s'%s'", missing.n == 0 ? "" : ", ", own[i]);
            mesh_buf_printf(&fix, "%s'%s'", fix.n == 0 ? "" : ", ", examples[i]);
        }
    }
    if (missing.n > 0) {
        struct mesh_diag *diag =
            mesh_diag_add(model->diags, MESH_ERROR, "MG002", entry->key_at, "'inputPorts.%s' has no %s", entry->key, missing.p);
        mesh_diag_why(model->diags, diag,
                      "an input port names a topic with its contract and key, or an output port of another product");
        mesh_diag_fix(model->diags, diag, "add %s; or 'product: PRODUCT/PORT'", fix.p);
    }
    input->contract = mesh_model_contract(model, mesh_load_text(entry->value, "contract"));
    input->compatibility = mesh_load_text(entry->value, "compatibility");
}

/* "5%": the 51st letter among 1,000 offsets stops the partition. */
static uint32_t load_error_rate(const struct mesh_yaml *map)
{
    const char *text = mesh_bind_text(map, "maxErrorRate");
    double percent = strtod(text != NULL ? text : mesh_bind_find(P, "inputPorts.*.maxErrorRate")->fallback, NULL);
    return percent >= 100 ? 0 : (uint32_t)(percent * 10 + 1e-9) + 1;
}

static struct mesh_model_input *load_input(struct mesh_model *model, const struct mesh_yaml_entry *entry)
{
    const struct mesh_yaml *map = entry->value;
    struct mesh_model_input *input = mesh_arena_new(model->arena, struct mesh_model_input);
    input->name = entry->key;
    input->at = entry->key_at;
    input->yaml = map;
    input->topic = mesh_load_text(map, "topic");
    input->key = mesh_load_text(map, "key");
    input->event_time = mesh_load_text(map, "eventTime");
    input->partitions = (int32_t)mesh_bind_integer(P, map, "inputPorts.*.partitions");
    input->delay_us = mesh_bind_duration(P, map, "inputPorts.*.delay");
    input->idle_us = mesh_bind_duration(P, map, "inputPorts.*.idle");
    input->ahead_us = mesh_bind_duration(P, map, "inputPorts.*.ahead");
    input->letters_stop = load_error_rate(map);
    const struct mesh_yaml *table = mesh_yaml_get(map, "table");
    input->is_table = table != NULL;
    if (is_map(table)) {
        input->table_by = mesh_load_text(table, "by");
        input->versioned = mesh_load_text(table, "versioned");
        input->copy_all = mesh_bind_enum(P, table, "inputPorts.*.table.copy") == 0;
        input->wait_us = mesh_bind_duration(P, table, "inputPorts.*.table.wait");
    }
    input_source(model, input, entry);
    return input;
}

/* ---- views ---- */

static void load_by(struct mesh_model *model, struct mesh_model_view *view, const struct mesh_yaml *node)
{
    size_t n = node == NULL || node->bad ? 0 : node->kind == MESH_YAML_LIST ? node->items.n : 1;
    for (size_t i = 0; i < n; i++) {
        const struct mesh_yaml *item = node->kind == MESH_YAML_LIST ? node->items.v[i] : node;
        if (item->bad || item->kind != MESH_YAML_SCALAR)
            continue;
        *mesh_vec_push_in(model->arena, &view->by) = item->text;
        *mesh_vec_push_in(model->arena, &view->by_at) = item->at;
    }
}

static void load_window(struct mesh_model *model, struct mesh_model_view *view, const struct mesh_yaml *map)
{
    const struct mesh_yaml_entry *tumbling = mesh_yaml_entry(map, "tumbling");
    const struct mesh_yaml_entry *hopping = mesh_yaml_entry(map, "hopping");
    const struct mesh_yaml_entry *session = mesh_yaml_entry(map, "session");
    const struct mesh_yaml_entry *every = mesh_yaml_entry(map, "every");
    if (!is_map(map))
        return;
    view->zone_name = mesh_load_text(map, "zone");
    view->grace_us = mesh_bind_duration(P, map, "views.*.window.grace");
    view->window = hopping != NULL ? MESH_WINDOW_HOPPING : session != NULL ? MESH_WINDOW_SESSION : MESH_WINDOW_TUMBLING;
    view->size_us = mesh_bind_duration(P, map,
                                       hopping != NULL   ? "views.*.window.hopping"
                                       : session != NULL ? "views.*.window.session"
                                                         : "views.*.window.tumbling");
    view->advance_us = hopping == NULL ? view->size_us : mesh_bind_duration(P, map, "views.*.window.every");
    const char *wrong = NULL;
    struct mesh_srcref at = map->entries.n > 0 ? map->entries.v[0].key_at : map->at;
    if ((tumbling != NULL) + (hopping != NULL) + (session != NULL) > 1) {
        wrong = "a window is tumbling, hopping or a session, and only one of them";
        at = hopping != NULL ? hopping->key_at : session->key_at;
    } else if (tumbling == NULL && hopping == NULL && session == NULL) {
        wrong = "the window has no length";
    } else if (hopping != NULL && every == NULL) {
        wrong = "a hopping window needs 'every'";
        at = hopping->key_at;
    } else if (hopping == NULL && every != NULL) {
        wrong = "'every' belongs to hopping windows";
        at = every->key_at;
    } else if (hopping != NULL && view->advance_us > 0 &&
               (view->size_us % view->advance_us != 0 || view->advance_us >= view->size_us)) {
        wrong = "'every' must be a part of the window's length that divides it";
        at = every->key_at;
    }
    if (wrong == NULL)
        return;
    struct mesh_diag *diag = mesh_diag_add(model->diags, MESH_ERROR, "MG005", at, "%s", wrong);
    mesh_diag_why(
        model->diags, diag,
        "tumbling windows lie side by side; hopping ones overlap, and a record is in several of them; a session ends when "
        "nothing came for as long as it says");
    mesh_diag_fix(model->diags, diag,
                  "for example 'window: { tumbling: 1m }', 'window: { hopping: 10m, every: 1m }' or 'window: { session: 30m }'");
}

static void load_state(struct mesh_model *model, struct mesh_model_view *view, const struct mesh_yaml *map)
{
    for (size_t i = 0; is_map(map) && i < map->entries.n; i++) {
        const struct mesh_yaml_entry *entry = &map->entries.v[i];
        struct mesh_model_text type = mesh_load_text(entry->value, "type");
        if (!is_map(entry->value) || type.text == NULL)
            continue;
        struct mesh_model_state *state = mesh_vec_push_in(model->arena, &view->state);
        *state = (struct mesh_model_state){.name = entry->key, .at = entry->key_at};
        state->init = mesh_load_expr(model, mesh_yaml_get(entry->value, "init"));
        if (mesh_load_type(type.text, &state->type))
            continue;
        state->type = (struct mesh_gen_type){.kind = MESH_GEN_ERROR};
        struct mesh_diag *diag = mesh_diag_add(model->diags, MESH_ERROR, "MG004", type.at, "'%s' is not a type", type.text);
        mesh_diag_why(model->diags, diag,
                      "types are bool, int, long, double, decimal(p,s), string, timestamp, date and duration; with ? may be null");
        mesh_diag_fix(model->diags, diag, "for example: type: decimal(12,2)");
    }
}

void mesh_load_assigns(struct mesh_model *model, const struct mesh_yaml *map, struct mesh_model_assign **ret, size_t *ret_n)
{
    MESH_VEC(struct mesh_model_assign) list = {0};
    for (size_t i = 0; is_map(map) && i < map->entries.n; i++) {
        const struct mesh_yaml_entry *entry = &map->entries.v[i];
        *mesh_vec_push_in(model->arena, &list) =
            (struct mesh_model_assign){.name = entry->key, .at = entry->key_at, .expr = mesh_load_expr(model, entry->value)};
    }
    *ret = list.v;
    *ret_n = list.n;
}

static struct mesh_model_view *load_view(struct mesh_model *model, const struct mesh_yaml_entry *entry)
{
    const struct mesh_yaml *map = entry->value;
    struct mesh_model_view *view = mesh_arena_new(model->arena, struct mesh_model_view);
    view->name = entry->key;
    view->at = entry->key_at;
    view->yaml = map;
    view->doc = mesh_bind_text(map, "description");
    mesh_load_from(model, mesh_yaml_get(map, "from"), &view->from.v, &view->from.n);
    load_by(model, view, mesh_yaml_get(map, "by"));
    load_window(model, view, mesh_yaml_get(map, "window"));
    view->keep_us = mesh_bind_duration(P, map, "views.*.keep");
    mesh_load_assigns(model, mesh_yaml_get(map, "let"), &view->let.v, &view->let.n);
    load_state(model, view, mesh_yaml_get(map, "state"));
    const struct mesh_yaml *update = mesh_yaml_get(map, "update");
    for (size_t i = 0; is_map(update) && i < update->entries.n; i++) {
        struct mesh_model_update *one = mesh_vec_push_in(model->arena, &view->updates);
        *one = (struct mesh_model_update){.source = UINT32_MAX, .at = update->entries.v[i].key_at};
        for (uint32_t k = 0; k < view->from.n; k++) {
            if (strcmp(view->from.v[k].name, update->entries.v[i].key) == 0)
                one->source = k;
        }
        mesh_load_assigns(model, update->entries.v[i].value, &one->assigns.v, &one->assigns.n);
    }
    view->remove = mesh_load_expr(model, mesh_yaml_get(map, "remove"));
    view->min_people = (int32_t)mesh_bind_integer(P, map, "views.*.min_people");
    view->people = mesh_load_text(map, "people");
    return view;
}

/* ---- ports out ---- */

static void load_release(struct mesh_model *model, struct mesh_model_port *port, const struct mesh_yaml *map, struct mesh_srcref at)
{
    if (!is_map(map))
        return;
    struct mesh_model_release *release = mesh_vec_push_in(model->arena, &port->releases);
    *release = (struct mesh_model_release){.at = at,
                                           .purpose = mesh_bind_text(map, "purpose"),
                                           .basis = mesh_bind_text(map, "basis"),
                                           .without_row = mesh_bind_enum(P, map, "outputPorts.*.release[].without") == 1};
    const struct mesh_yaml *fields = mesh_yaml_get(map, "fields");
    for (size_t i = 0; fields != NULL && !fields->bad && i < fields->items.n; i++) {
        const struct mesh_yaml *field = fields->items.v[i];
        if (field->bad || field->kind != MESH_YAML_SCALAR)
            continue;
        *mesh_vec_push_in(model->arena, &release->fields) = field->text;
        *mesh_vec_push_in(model->arena, &release->fields_at) = field->at;
    }
}

static void load_roles(struct mesh_model *model, struct mesh_model_port *port, const struct mesh_yaml *roles)
{
    if (roles == NULL || roles->bad)
        return;
    if (roles->kind == MESH_YAML_SCALAR)
        *mesh_vec_push_in(model->arena, &port->roles) = roles->text;
    for (size_t i = 0; roles->kind == MESH_YAML_LIST && i < roles->items.n; i++)
        if (!roles->items.v[i]->bad && roles->items.v[i]->kind == MESH_YAML_SCALAR)
            *mesh_vec_push_in(model->arena, &port->roles) = roles->items.v[i]->text;
}

static struct mesh_model_port *load_port(struct mesh_model *model, const struct mesh_yaml_entry *entry)
{
    const struct mesh_yaml *map = entry->value;
    struct mesh_model_port *port = mesh_arena_new(model->arena, struct mesh_model_port);
    port->name = entry->key;
    port->at = entry->key_at;
    port->yaml = map;
    port->doc = mesh_bind_text(map, "description");
    int kind = mesh_bind_enum(P, map, "outputPorts.*.kind");
    port->kind = kind < 0 ? MESH_MODEL_KAFKA : (enum mesh_model_port_kind)kind;
    struct mesh_model_text from = mesh_load_text(map, "from");
    port->from = (struct mesh_model_from){.kind = MESH_FROM_STREAM, .name = from.text, .at = from.at};
    port->topic = mesh_load_text(map, "topic");
    port->contract = mesh_model_contract(model, mesh_load_text(map, "contract"));
    port->compatibility = mesh_load_text(map, "compatibility");
    port->key = mesh_load_text(map, "key");
    port->partitions = (int32_t)mesh_bind_integer(P, map, "outputPorts.*.partitions");
    port->compact = mesh_bind_enum(P, map, "outputPorts.*.cleanup") == 1;
    int emit = mesh_bind_enum(P, map, "outputPorts.*.emit");
    port->emit = emit == 2 ? MESH_EMIT_CLOSE : emit == 1 ? MESH_EMIT_CHANGE : MESH_EMIT_EVENT;
    port->delivery = mesh_bind_enum(P, map, "outputPorts.*.delivery") == 1 ? MESH_EXACTLY_ONCE : MESH_AT_LEAST_ONCE;
    port->path = mesh_load_text(map, "path");
    port->replay = (int32_t)mesh_bind_integer(P, map, "outputPorts.*.replay");
    port->collection = mesh_load_text(map, "collection");
    load_roles(model, port, mesh_yaml_get(map, "roles"));
    const struct mesh_yaml_entry *release = mesh_yaml_entry(map, "release");
    if (release != NULL && !release->value->bad && release->value->kind == MESH_YAML_LIST) {
        for (size_t i = 0; i < release->value->items.n; i++)
            load_release(model, port, release->value->items.v[i], release->key_at);
    } else if (release != NULL) {
        load_release(model, port, release->value, release->key_at);
    }
    return port;
}

/* ---- the product ---- */

static enum mesh_protect protect_of(const struct mesh_yaml *map, const char *path)
{
    int word = mesh_bind_enum(P, map, path);
    return word == 0 ? MESH_PSEUDONYM : word == 1 ? MESH_DROP : MESH_AS_IS;
}

static void load_team(struct mesh_model_product *product, const struct mesh_yaml *team)
{
    product->team = mesh_load_text(team, "name");
    const struct mesh_yaml *members = mesh_yaml_get(team, "members");
    for (size_t i = 0; members != NULL && !members->bad && i < members->items.n; i++) {
        const struct mesh_yaml *member = members->items.v[i];
        if (is_map(member))
            *mesh_vec_push_in(product->mesh->arena, &product->members) =
                (struct mesh_model_member){mesh_load_text(member, "username"), mesh_load_text(member, "role")};
    }
}

static void load_defaults(struct mesh_model_text *text, const char *path)
{
    if (text->text == NULL)
        text->text = mesh_bind_find(P, path)->fallback;
}

void mesh_load_product(struct mesh_model_product *product, const struct mesh_yaml *root)
{
    struct mesh_model *model = product->mesh;
    product->name = mesh_load_text(root, "name");
    product->domain = mesh_load_text(root, "domain");
    product->version = mesh_load_text(root, "version");
    product->status = mesh_load_text(root, "status");
    load_defaults(&product->status, "status");
    product->type = mesh_load_text(root, "type");
    load_defaults(&product->type, "type");
    const struct mesh_yaml *description = mesh_yaml_get(root, "description");
    product->purpose = mesh_load_text(description, "purpose");
    product->limitations = mesh_load_text(description, "limitations");
    product->usage = mesh_load_text(description, "usage");
    load_team(product, mesh_yaml_get(root, "team"));
    const struct mesh_yaml *sla = mesh_yaml_get(root, "slaProperties");
    product->sla_latency = mesh_load_text(sla, "latency");
    product->sla_availability = mesh_load_text(sla, "availability");
    product->sla_retention = mesh_load_text(sla, "retention");
    product->protect_personal = protect_of(mesh_yaml_get(root, "protect"), "protect.personal");
    product->protect_special = protect_of(mesh_yaml_get(root, "protect"), "protect.special");

    const struct mesh_yaml *consent = mesh_yaml_get(root, "consent");
    if (is_map(consent))
        product->consent = (struct mesh_model_consent){.declared = true,
                                                       .from = mesh_load_text(consent, "from"),
                                                       .subject = mesh_load_text(consent, "subject"),
                                                       .purpose = mesh_load_text(consent, "purpose"),
                                                       .granted = mesh_load_text(consent, "granted")};

    const struct mesh_yaml *inputs = mesh_yaml_get(root, "inputPorts");
    const struct mesh_yaml *streams = mesh_yaml_get(root, "streams");
    const struct mesh_yaml *views = mesh_yaml_get(root, "views");
    const struct mesh_yaml *ports = mesh_yaml_get(root, "outputPorts");
    for (size_t i = 0; is_map(inputs) && i < inputs->entries.n; i++) {
        if (is_map(inputs->entries.v[i].value))
            *mesh_vec_push_in(model->arena, &product->inputs) = load_input(model, &inputs->entries.v[i]);
    }
    for (size_t i = 0; is_map(streams) && i < streams->entries.n; i++) {
        if (!is_map(streams->entries.v[i].value))
            continue;
        struct mesh_model_stream *stream = mesh_arena_new(model->arena, struct mesh_model_stream);
        stream->name = streams->entries.v[i].key;
        stream->at = streams->entries.v[i].key_at;
        mesh_load_stream(model, stream, streams->entries.v[i].value);
        *mesh_vec_push_in(model->arena, &product->streams) = stream;
    }
    for (size_t i = 0; is_map(views) && i < views->entries.n; i++) {
        if (is_map(views->entries.v[i].value))
            *mesh_vec_push_in(model->arena, &product->views) = load_view(model, &views->entries.v[i]);
    }
    for (size_t i = 0; is_map(ports) && i < ports->entries.n; i++) {
        if (!is_map(ports->entries.v[i].value))
            continue;
        struct mesh_model_port *port = load_port(model, &ports->entries.v[i]);
        port->product = product;
        *mesh_vec_push_in(model->arena, &product->ports) = port;
    }
}
