/* Read by hand, because also a URI that libmongoc refuses must be shown without its secrets. The last @ before the options ends the
 * user's part: a password that was not %-encoded may hold one. */
#include "io/mongo.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HIDDEN "****"

static const char *const secret_options[] = {"tlsCertificateKeyFilePassword", "sslClientCertificateKeyPassword",
                                             "authMechanismProperties"};

/* "user:password" of the URI; n is 0 when there is none. */
static struct mesh_str user_part(const char *uri)
{
    const char *scheme = strstr(uri, "://");
    const char *from = scheme == NULL ? uri : scheme + 3;
    size_t n = strcspn(from, "?");
    const char *at = memrchr(from, '@', n);
    return (struct mesh_str){from, at == NULL ? 0 : (uint32_t)(at - from)};
}

static bool is_secret(const char *name, size_t n)
{
    for (size_t i = 0; i < MESH_LEN(secret_options); i++)
        if (strlen(secret_options[i]) == n && strncasecmp(name, secret_options[i], n) == 0)
            return true;
    return false;
}

void mesh_mongo_mask(const char *uri, struct mesh_buf *ret)
{
    struct mesh_str user = user_part(uri);
    const char *rest = uri;
    mesh_buf_puts(ret, "");
    if (user.n > 0) {
        mesh_buf_add(ret, uri, (size_t)(user.p - uri));
        mesh_buf_puts(ret, HIDDEN);
        rest = user.p + user.n;
    }
    size_t n = strcspn(rest, "?");
    mesh_buf_add(ret, rest, n);
    for (rest += n; *rest != '\0'; rest += n) {
        mesh_buf_putc(ret, *rest++); /* ? or & */
        n = strcspn(rest, "&;");
        size_t name = strcspn(rest, "=&;");
        if (is_secret(rest, name)) {
            mesh_buf_add(ret, rest, name);
            mesh_buf_puts(ret, "=" HIDDEN);
        } else {
            mesh_buf_add(ret, rest, n);
        }
    }
}

static void hide(struct mesh_buf *text, const char *secret, size_t n)
{
    char *at = n == 0 || text->p == NULL ? NULL : memmem(text->p, text->n, secret, n);
    if (at == NULL)
        return;
    mesh_cleanup(mesh_freep) char *rest = mesh_xstrdup(at + n);
    struct mesh_buf behind = MESH_BUF_NULL;
    mesh_buf_puts(&behind, rest);
    hide(&behind, secret, n);
    text->n = (size_t)(at - text->p);
    mesh_buf_puts(text, HIDDEN);
    mesh_buf_add(text, behind.p, behind.n);
    mesh_buf_deinit(&behind);
}

void mesh_mongo_hide(const char *uri, const char *text, struct mesh_buf *ret)
{
    struct mesh_str user = user_part(uri);
    mesh_buf_puts(ret, text);
    hide(ret, user.p, user.n);
    const char *colon = memchr(user.p, ':', user.n);
    if (colon != NULL)
        hide(ret, colon + 1, (size_t)(user.p + user.n - colon) - 1);
}
