/* The contract of a view's rows as Avro, once: from then on the file belongs to its author. Labels are those behind the border:
 * what the product's `protect` turns into pseudonyms is pseudonymous here. */
#include "codegen/check.h"
#include "codegen/cli.h"

#include "base/json.h"

#include <ctype.h>
#include <string.h>

static struct mesh_model_view *find_view(const struct mesh_model *model, const char *name, struct mesh_model_product **ret,
                                         size_t *ret_found)
{
    const char *slash = strchr(name, '/');
    struct mesh_model_view *found = NULL;
    *ret_found = 0;
    for (size_t p = 0; p < model->products.n; p++) {
        struct mesh_model_product *product = model->products.v[p];
        if (slash != NULL && (strlen(product->name.text) != (size_t)(slash - name) ||
                              strncmp(product->name.text, name, (size_t)(slash - name)) != 0))
            continue;
        for (size_t i = 0; i < product->views.n; i++) {
            if (strcmp(product->views.v[i]->name, slash == NULL ? name : slash + 1) != 0)
                continue;
            found = product->views.v[i];
            *ret = product;
            ++*ret_found;
        }
    }
    return found;
}

static const char *logical_time(const struct mesh_gen_type *type)
{
    return type->schema == NULL || type->schema->logical == MESH_LOGICAL_NONE ? "timestamp-millis"
                                                                              : mesh_avro_logical_name(type->schema->logical);
}

static void avro_type(struct mesh_buf *out, const struct mesh_gen_type *type, bool defined)
{
    switch (type->kind) {
    case MESH_GEN_BOOL:
        mesh_buf_puts(out, "\"boolean\"");
        return;
    case MESH_GEN_INT:
        mesh_buf_puts(out, type->int32 ? "\"int\"" : "\"long\"");
        return;
    case MESH_GEN_DOUBLE:
        mesh_buf_puts(out, "\"double\"");
        return;
    case MESH_GEN_BYTES:
        mesh_buf_puts(out, "\"bytes\"");
        return;
    case MESH_GEN_DECIMAL:
        mesh_buf_printf(out, "{\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": %d, \"scale\": %d}",
                        type->precision, type->scale);
        return;
    case MESH_GEN_DATE:
        mesh_buf_puts(out, "{\"type\": \"int\", \"logicalType\": \"date\"}");
        return;
    case MESH_GEN_TIMESTAMP:
        mesh_buf_printf(out, "{\"type\": \"long\", \"logicalType\": \"%s\"}", logical_time(type));
        return;
    case MESH_GEN_ENUM:
        if (defined) {
            mesh_buf_printf(out, "\"%s\"", type->schema->short_name);
            return;
        }
        mesh_buf_printf(out, "{\"type\": \"enum\", \"name\": \"%s\", \"symbols\": [", type->schema->short_name);
        for (size_t i = 0; i < type->schema->n_symbols; i++)
            mesh_buf_printf(out, "%s\"%s\"", i == 0 ? "" : ", ", type->schema->symbols[i]);
        mesh_buf_puts(out, "]}");
        return;
    case MESH_GEN_STRING:
    case MESH_GEN_DURATION:
    case MESH_GEN_ERROR:
    case MESH_GEN_NULL:
    case MESH_GEN_LIST:
    case MESH_GEN_RECORD:
        mesh_buf_puts(out, "\"string\"");
    }
}

/* An enum of this name stands further up: Avro then wants its name alone. */
static bool is_defined(const struct mesh_gen_shape *row, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (row->members.v[i].type.kind == MESH_GEN_ENUM &&
            strcmp(row->members.v[i].type.schema->short_name, row->members.v[index].type.schema->short_name) == 0)
            return true;
    }
    return false;
}

static const char *label_of(const struct mesh_model_product *product, const struct mesh_model_view *view,
                            const struct mesh_gen_member *member)
{
    static const char *const words[MESH_LABEL_COUNT] = {
        [MESH_PUBLIC] = "public",   [MESH_INTERNAL] = "internal",         [MESH_PERSONAL] = "personal",
        [MESH_SPECIAL] = "special", [MESH_PSEUDONYMOUS] = "pseudonymous",
    };
    enum mesh_protect protect = member->label == MESH_SPECIAL ? product->protect_special : product->protect_personal;
    bool personal = member->label == MESH_PERSONAL || member->label == MESH_SPECIAL;
    if (mesh_privacy_many(view, member))
        return words[MESH_INTERNAL];
    return words[personal && protect == MESH_PSEUDONYM ? MESH_PSEUDONYMOUS : member->label];
}

static void field_begin(struct mesh_buf *out, const char *name, bool *first)
{
    mesh_buf_printf(out, "%s\n    {\"name\": \"%s\", \"type\": ", *first ? "" : ",", name);
    *first = false;
}

static void print_members(struct mesh_buf *out, const struct mesh_model_product *product, const struct mesh_model_view *view)
{
    static const struct {
        const char *name, *type, *doc;
        bool windowed;
    } own[] = {
        {"window_start", "{\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}", "Begin of the window.", true},
        {"window_end", "{\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}", "End of the window; not in it.", true},
        {"final", "\"boolean\"", "The window has closed: this row will not change.", true},
        {"revision", "\"long\"", "Records folded into the row.", false},
    };
    bool first = true;
    for (size_t i = 0; i < view->shape->members.n; i++) {
        const struct mesh_gen_member *member = &view->shape->members.v[i];
        if (member->type.kind == MESH_GEN_DURATION) {
            fprintf(stderr, "meshgen: left out '%s': Avro has no type for a duration\n", member->name);
            continue;
        }
        field_begin(out, member->name, &first);
        mesh_buf_puts(out, member->type.nullable ? "[\"null\", " : "");
        avro_type(out, &member->type, member->type.kind == MESH_GEN_ENUM && is_defined(view->shape, i));
        mesh_buf_puts(out, member->type.nullable ? "], \"default\": null" : "");
        const char *label = label_of(product, view, member);
        mesh_buf_printf(out, ", \"label\": \"%s\"", label);
        if (member->subject != NULL && strcmp(label, "public") != 0 && strcmp(label, "internal") != 0) {
            mesh_buf_puts(out, ", \"subject\": ");
            mesh_json_string(out, mesh_str_of(member->subject));
        }
        if (member->doc != NULL) {
            mesh_buf_puts(out, ", \"doc\": ");
            mesh_json_string(out, mesh_str_of(member->doc));
        }
        mesh_buf_puts(out, "}");
    }
    for (size_t i = 0; i < MESH_LEN(own); i++) {
        if (own[i].windowed && view->window == MESH_WINDOW_NONE)
            continue;
        field_begin(out, own[i].name, &first);
        mesh_buf_printf(out, "%s, \"label\": \"internal\", \"doc\": \"%s\"}", own[i].type, own[i].doc);
    }
}

int mesh_cli_contract(struct mesh_cli *cli)
{
    struct mesh_model *model = mesh_cli_model(cli, NULL);
    if (model == NULL)
        return MESH_CLI_USAGE;
    struct mesh_model_product *product = NULL;
    size_t found = 0;
    const struct mesh_model_view *view = find_view(model, cli->args[0], &product, &found);
    if (found == 0)
        return mesh_cli_fail("there is no view '%s' in this mesh; write PRODUCT/VIEW", cli->args[0]);
    if (found > 1)
        return mesh_cli_fail("several products have a view '%s'; write PRODUCT/VIEW", cli->args[0]);
    if (view->shape == NULL) {
        mesh_cli_report(cli);
        return MESH_CLI_FINDINGS;
    }
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_puts(&out, "{\n  \"type\": \"record\", \"name\": \"");
    bool upper = true;
    for (const char *p = view->name; *p != '\0'; p++) {
        if (*p != '_')
            mesh_buf_putc(&out, upper ? (char)toupper((unsigned char)*p) : *p);
        upper = *p == '_';
    }
    mesh_buf_printf(&out, "\", \"namespace\": \"%s.%s\",\n  \"doc\": ", model->name[0] == '\0' ? "mesh" : model->name,
                    product->domain.text);
    mesh_json_string(&out, mesh_str_of(view->doc != NULL ? view->doc : "A row of the view."));
    mesh_buf_puts(&out, ",\n  \"label\": \"internal\",\n  \"fields\": [");
    print_members(&out, product, view);
    mesh_buf_puts(&out, "\n  ]\n}\n");
    fwrite(out.p, 1, out.n, stdout);
    return MESH_CLI_OK;
}
