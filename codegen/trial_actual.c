/* The answer's rows, messages and letters as objects with named members: messages are decoded with the contract of their port,
 * letters with the contract of the input that they came from. */
#include "codegen/trial.h"

#include "base/hash.h"
#include "contract/datum.h"
#include "contract/framing.h"

#include <string.h>

static const struct mesh_json *parse(struct mesh_test *test, const char *what, const char *text, size_t n)
{
    struct mesh_arena *arena = test->diags.arena;
    struct mesh_diags none = {.arena = arena};
    const struct mesh_json *json = mesh_json_parse(arena, mesh_source_new(arena, what, text, n), &none, "MT007");
    if (json == NULL)
        mesh_diag_add(&test->diags, MESH_ERROR, "MT007", test->at, "the answer of the program cannot be read: %s",
                      none.list.v[0]->text);
    return json;
}

const struct mesh_json *mesh_test_answer(struct mesh_test *test, size_t run)
{
    const struct mesh_json *answer = parse(test, "answer", test->answers[run], strlen(test->answers[run]));
    const struct mesh_json *error = mesh_json_get(answer, "error");
    if (error == NULL || error->kind == MESH_JSON_NULL)
        return answer;
    mesh_diag_add(&test->diags, MESH_ERROR, "MT007", test->at, "%s%s", run == 0 ? "" : "with a restart: ", error->text);
    return NULL;
}

/* The datum of a framed value in hex as JSON; false: it is none of this contract. */
static bool put_datum(const struct mesh_model_contract *contract, const struct mesh_json *hex, struct mesh_buf *out)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf bytes = MESH_BUF_NULL;
    struct mesh_frame frame;
    if (hex == NULL || hex->kind != MESH_JSON_STRING)
        return false;
    for (uint32_t i = 0; i + 1 < hex->n; i += 2)
        mesh_buf_u8(&bytes, (uint8_t)(mesh_hex_digit(hex->text[i]) << 4 | mesh_hex_digit(hex->text[i + 1])));
    if (mesh_frame_read((struct mesh_str){bytes.p, (uint32_t)bytes.n}, (struct mesh_str){0}, &frame) != MESH_FRAME_OK ||
        frame.kind != MESH_FRAME_ID || frame.id != contract->local_id)
        return false;
    return mesh_datum_to_json(contract->schema, frame.datum.p, frame.datum.n, out, NULL) == 0;
}

static void put_member(struct mesh_buf *out, const char *name, const struct mesh_json *value)
{
    mesh_buf_printf(out, "%s\"%s\":", out->n > 1 ? "," : "", name);
    if (value == NULL || value->kind != MESH_JSON_STRING)
        mesh_buf_puts(out, "null");
    else
        mesh_json_string(out, (struct mesh_str){value->text, value->n});
}

static void put_message(const struct mesh_test_expect *expect, const struct mesh_json *message, struct mesh_buf *out)
{
    const struct mesh_json *value = mesh_json_get(message, "value");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf datum = MESH_BUF_NULL;
    mesh_buf_putc(out, '{');
    if (mesh_schema_field(expect->port->contract->schema, "key") == NULL)
        put_member(out, "key", mesh_json_get(message, "key"));
    if (put_datum(expect->port->contract, value, &datum) && datum.n > 2) {
        mesh_buf_puts(out, out->n > 1 ? "," : "");
        mesh_buf_add(out, datum.p + 1, datum.n - 2);
    } else if (value->kind == MESH_JSON_NULL) {
        mesh_buf_printf(out, "%s\"removed\":true", out->n > 1 ? "," : "");
    }
    mesh_buf_putc(out, '}');
}

static void put_letter(const struct mesh_test *test, const struct mesh_json *letter, struct mesh_buf *out)
{
    static const char *const names[] = {"code", "input", "stage", "site", "key"};
    const struct mesh_json *input = mesh_json_get(letter, "input");
    mesh_buf_putc(out, '{');
    for (size_t i = 0; i < MESH_LEN(names); i++)
        put_member(out, names[i], mesh_json_get(letter, names[i]));
    for (size_t i = 0; input != NULL && input->text != NULL && i < test->product->inputs.n; i++) {
        const struct mesh_model_input *model = test->product->inputs.v[i];
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf datum = MESH_BUF_NULL;
        bool found = false;
        for (size_t k = 0; strcmp(model->name, input->text) == 0 && k < model->contract->reads.n && !found; k++)
            found = put_datum(model->contract->reads.v[k], mesh_json_get(letter, "value"), &datum);
        if (found)
            mesh_buf_printf(out, ",\"record\":%s", datum.p);
    }
    mesh_buf_putc(out, '}');
}

bool mesh_test_actual(struct mesh_test *test, const struct mesh_test_expect *expect, const struct mesh_json *answer,
                      struct mesh_test_actuals *ret)
{
    struct mesh_arena *arena = test->diags.arena;
    const struct mesh_json *list = NULL;
    bool plain = expect->about == MESH_TEST_VIEW || (expect->about == MESH_TEST_PORT && expect->port->kind != MESH_MODEL_KAFKA);
    switch (expect->about) {
    case MESH_TEST_VIEW:
        list = mesh_json_get(mesh_json_get(answer, "views"), expect->name);
        break;
    case MESH_TEST_PORT:
        list = mesh_json_get(mesh_json_get(answer, "ports"), expect->name);
        break;
    case MESH_TEST_DEAD:
        list = mesh_json_get(answer, "deadLetters");
        break;
    case MESH_TEST_LATE:
        list = mesh_json_get(answer, "late");
        break;
    }
    if (list == NULL || list->kind != MESH_JSON_ARRAY)
        return false;
    for (uint32_t i = 0; i < list->n; i++) {
        const struct mesh_json *item = list->items[i];
        if (!plain) {
            mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
            if (expect->about == MESH_TEST_PORT)
                put_message(expect, item, &text);
            else
                put_letter(test, item, &text);
            item = parse(test, "message", mesh_arena_str(arena, (struct mesh_str){text.p, (uint32_t)text.n}), text.n);
        }
        if (item == NULL)
            return false;
        *mesh_vec_push_in(arena, &ret->list) = item;
    }
    return true;
}
