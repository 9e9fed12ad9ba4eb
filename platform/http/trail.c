/* What an answer shows of people goes to whoever keeps the audit, before it leaves: no entry, no answer. Only ports that show
 * personal fields as they are have anything to tell; a pseudonym is none. */
#include "http/exchange.h"

#include "base/check.h"
#include "io/border.h"

static bool is_personal(enum mesh_label label)
{
    return label == MESH_PERSONAL || label == MESH_SPECIAL;
}

static bool is_asked(const struct mesh_http_fields *fields, uint32_t i)
{
    bool asked = fields->n == 0;
    for (uint32_t k = 0; k < fields->n && !asked; k++)
        asked = fields->v[k] == i;
    return asked;
}

static bool leaves(enum mesh_protect rule)
{
    return rule == MESH_AS_IS || rule == MESH_ON_CONSENT;
}

static void add_fields(const struct mesh_http_exchange *x, struct mesh_buf *out)
{
    const struct mesh_http_shape *shape = &x->route->shape;
    for (uint32_t i = 0; i < shape->n_out; i++)
        if (is_personal(shape->out[i].label) && leaves(mesh_border_rule(shape->out, shape->protect, i)) &&
            is_asked(&x->query.fields, i))
            mesh_buf_printf(out, "%s%s", out->n > 0 ? "," : "", shape->out[i].name);
}

static void add_words(const struct mesh_http_words *words, struct mesh_buf *out)
{
    for (uint32_t i = 0; i < words->n; i++)
        mesh_buf_printf(out, "%s%s", i > 0 ? "," : "", words->v[i]);
}

static struct mesh_str text_of(const struct mesh_buf *buf)
{
    return (struct mesh_str){buf->p, (uint32_t)buf->n};
}

static int tell(const struct mesh_http_exchange *x, const char *denied, struct mesh_str fields, int64_t rows)
{
    const struct mesh_http_backend *backend = &x->site->backend;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf roles = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf purposes = MESH_BUF_NULL;
    add_words(&x->caller.roles, &roles);
    add_words(&x->caller.purposes, &purposes);
    return backend->disclosed(backend->context,
                              &(struct mesh_http_disclosure){.denied = denied,
                                                             .who = x->caller.known ? x->caller.name : "",
                                                             .roles = text_of(&roles),
                                                             .purposes = text_of(&purposes),
                                                             .method = x->request->method,
                                                             .product = x->route == NULL ? NULL : x->route->product->name,
                                                             .port = x->route == NULL ? NULL : x->route->port->name,
                                                             .fields = fields,
                                                             .rows = rows});
}

bool mesh_http_disclose(struct mesh_http_exchange *x, int64_t rows)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf fields = MESH_BUF_NULL;
    if (x->site->backend.disclosed == NULL)
        return true;
    add_fields(x, &fields);
    if (fields.n == 0 || tell(x, NULL, text_of(&fields), rows) == 0)
        return true;
    mesh_http_problem_set(&x->problem, 503, "this shows personal data, and the audit cannot take another entry now");
    return false;
}

void mesh_http_denied(const struct mesh_http_exchange *x, const char *why)
{
    if (x->site->backend.disclosed != NULL)
        (void)tell(x, why, (struct mesh_str){0}, 0);
}
