/* The engine knows neither keys nor files: it is handed a hook. */
#include "app/letters.h"

#include "base/check.h"
#include "base/secret.h"

#include <string.h>

int mesh_letters_load(const char *setting, const char *path, struct mesh_letters *ret, struct mesh_err *err)
{
    *ret = (struct mesh_letters){0};
    if (path[0] == '\0')
        return 0;
    char *text = NULL;
    if (mesh_secret_read(setting, path, &text, err) < 0)
        return -1;
    struct mesh_err why = {0};
    int result = mesh_seal_key_parse(mesh_str_of(text), &ret->key, &why);
    mesh_secret_free(text);
    if (result < 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "config.secret", "%s: %s: %s", setting, path, why.text);
    ret->hook = mesh_seal_hook_of(&ret->key);
    ret->sealed = true;
    return 0;
}

const struct mesh_seal_hook *mesh_letters_hook(const struct mesh_letters *letters)
{
    return letters->sealed ? &letters->hook : NULL;
}

bool mesh_letters_warning(const struct mesh_letters *letters, const struct mesh_product *product, const char *setting,
                          struct mesh_buf *ret)
{
    uint32_t n = 0;
    for (uint32_t i = 0; !letters->sealed && i < product->n_inputs; i++)
        if (product->inputs[i].personal)
            mesh_buf_printf(ret, "%s%s", n++ == 0 ? "" : ", ", product->inputs[i].name);
    if (n == 0)
        return false;
    mesh_buf_printf(ret, " of %s: personal records that cannot be processed go readable to %s and %s; %s seals them", product->name,
                    product->dlq_topic == NULL ? "-" : product->dlq_topic, product->late_topic == NULL ? "-" : product->late_topic,
                    setting);
    return true;
}

void mesh_letters_deinit(struct mesh_letters *letters)
{
    explicit_bzero(&letters->key, sizeof letters->key);
    letters->sealed = false;
}
