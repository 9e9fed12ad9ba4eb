/* The same rules as for Kafka (docs/decisions/012-secrets-are-files.md): what cannot be meant is an error, a way that shows a password
 * is refused. */
#include "contract/registry_int.h"

#include "base/check.h"
#include "base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct saying {
    mesh_registry_say *tell;
    void *context;
    int n;
};

static void say(struct saying *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct saying *s, const char *format, ...)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    va_list args;
    va_start(args, format);
    mesh_buf_vprintf(&text, format, args);
    va_end(args);
    s->tell(s->context, text.p);
    s->n++;
}

bool mesh_registry_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

bool mesh_registry_is_local(const char *url)
{
    static const char *const names[] = {"localhost", "127.", "[::1]"};
    const char *host = strstr(url, "://");
    bool local = false;
    host = host == NULL ? url : host + 3;
    for (size_t i = 0; i < MESH_LEN(names); i++)
        local = local || strncmp(host, names[i], strlen(names[i])) == 0;
    return local && (strncmp(host, "localhost", 9) != 0 || strchr(":/,", host[9]) != NULL);
}

static void check_readable(const char *name, const char *path, struct saying *s)
{
    FILE *f = mesh_registry_given(path) ? fopen(path, "re") : NULL;
    if (f != NULL)
        fclose(f);
    else if (mesh_registry_given(path))
        say(s, "%s: cannot read %s: %s", name, path, strerror(errno));
}

static void read_secret(const char *name, const char *path, char **ret, struct saying *s)
{
    struct mesh_err err = {0};
    if (mesh_registry_given(path) && mesh_secret_read(name, path, ret, &err) < 0)
        say(s, "%s", err.text);
}

/* One of the addresses. */
static void check_url(const char *url, size_t n, bool secret, bool *tls, struct saying *s)
{
    bool https = strncmp(url, "https://", 8) == 0;
    *tls = *tls || https;
    if (!https && strncmp(url, "http://", 7) != 0)
        say(s, "%s: '%.*s' must begin with http:// or https://", MESH_REGISTRY_URL_NAME, (int)n, url);
    else if (memchr(url, '@', n) != NULL)
        say(s, "%s: a user or password in the address would stand in logs and process lists: set %s and %s", MESH_REGISTRY_URL_NAME,
            MESH_REGISTRY_USER_NAME, MESH_REGISTRY_PASSWORD_FILE_NAME);
    else if (secret && !https && !mesh_registry_is_local(url))
        say(s, "%s: a password or token would be sent readable to %.*s: write https://", MESH_REGISTRY_URL_NAME, (int)n, url);
}

static void check_tls(struct mesh_registry_conf *conf, bool tls, struct saying *s)
{
    const struct {
        const char *name, *value;
    } all[] = {{MESH_REGISTRY_CA_FILE_NAME, conf->ca_file},
               {MESH_REGISTRY_CERT_FILE_NAME, conf->cert_file},
               {MESH_REGISTRY_KEY_FILE_NAME, conf->key_file},
               {MESH_REGISTRY_KEY_PASSWORD_FILE_NAME, conf->key_password_file}};
    for (size_t i = 0; i < MESH_LEN(all); i++)
        if (mesh_registry_given(all[i].value) && !tls)
            say(s, "%s is set, but no address of %s begins with https://", all[i].name, MESH_REGISTRY_URL_NAME);
    struct mesh_err err = {0};
    bool cert = mesh_registry_given(conf->cert_file), key = mesh_registry_given(conf->key_file);
    check_readable(MESH_REGISTRY_CA_FILE_NAME, conf->ca_file, s);
    check_readable(MESH_REGISTRY_CERT_FILE_NAME, conf->cert_file, s);
    if (cert != key)
        say(s, "%s is set without %s: a client certificate needs both",
            cert ? MESH_REGISTRY_CERT_FILE_NAME : MESH_REGISTRY_KEY_FILE_NAME,
            cert ? MESH_REGISTRY_KEY_FILE_NAME : MESH_REGISTRY_CERT_FILE_NAME);
    if (key && mesh_secret_check(MESH_REGISTRY_KEY_FILE_NAME, conf->key_file, &err) < 0)
        say(s, "%s", err.text);
    if (mesh_registry_given(conf->key_password_file) && !key)
        say(s, "%s is set without %s", MESH_REGISTRY_KEY_PASSWORD_FILE_NAME, MESH_REGISTRY_KEY_FILE_NAME);
    read_secret(MESH_REGISTRY_KEY_PASSWORD_FILE_NAME, conf->key_password_file, &conf->key_password, s);
}

int mesh_registry_load(struct mesh_registry_conf *conf, mesh_registry_say *tell, void *context)
{
    struct saying s = {tell, context, 0};
    bool user = mesh_registry_given(conf->user), password = mesh_registry_given(conf->password_file);
    bool token = mesh_registry_given(conf->token_file);
    if (!mesh_registry_given(conf->url)) {
        const char *first = user                                   ? MESH_REGISTRY_USER_NAME
                            : password                             ? MESH_REGISTRY_PASSWORD_FILE_NAME
                            : token                                ? MESH_REGISTRY_TOKEN_FILE_NAME
                            : mesh_registry_given(conf->ca_file)   ? MESH_REGISTRY_CA_FILE_NAME
                            : mesh_registry_given(conf->cert_file) ? MESH_REGISTRY_CERT_FILE_NAME
                                                                   : NULL;
        if (first != NULL)
            say(&s, "%s is set, but %s is not: without it no registry is asked", first, MESH_REGISTRY_URL_NAME);
        return s.n;
    }
    bool tls = false;
    size_t n_urls = 0;
    for (const char *at = conf->url; *at != '\0';) {
        size_t n = strcspn(at, ", ");
        if (n > 0 && n_urls++ < MESH_REGISTRY_URLS_MAX)
            check_url(at, n, user || password || token, &tls, &s);
        at += n + strspn(at + n, ", ");
    }
    if (n_urls == 0 || n_urls > MESH_REGISTRY_URLS_MAX)
        say(&s, "%s must hold 1 to %d addresses, with commas between them", MESH_REGISTRY_URL_NAME, MESH_REGISTRY_URLS_MAX);
    check_tls(conf, tls, &s);
    if (user != password)
        say(&s, "%s is set without %s", user ? MESH_REGISTRY_USER_NAME : MESH_REGISTRY_PASSWORD_FILE_NAME,
            user ? MESH_REGISTRY_PASSWORD_FILE_NAME : MESH_REGISTRY_USER_NAME);
    if (token && user)
        say(&s, "%s and %s are both set: it is a token, or a user with a password", MESH_REGISTRY_TOKEN_FILE_NAME,
            MESH_REGISTRY_USER_NAME);
    read_secret(MESH_REGISTRY_PASSWORD_FILE_NAME, conf->password_file, &conf->password, &s);
    read_secret(MESH_REGISTRY_TOKEN_FILE_NAME, conf->token_file, &conf->token, &s);
    return s.n;
}

static void first_problem(void *context, const char *text)
{
    struct mesh_err *err = context;
    if (err->class == MESH_ERR_NONE)
        mesh_err_set(err, MESH_ERR_FATAL, "config.registry", "%s", text);
}

int mesh_registry_from_environment(struct mesh_registry_conf *ret, const char *url, struct mesh_err *err)
{
    struct mesh_err first = {0};
    *ret = (struct mesh_registry_conf){
        .url = url != NULL ? url : getenv(MESH_REGISTRY_URL_NAME),
        .user = getenv(MESH_REGISTRY_USER_NAME),
        .password_file = getenv(MESH_REGISTRY_PASSWORD_FILE_NAME),
        .token_file = getenv(MESH_REGISTRY_TOKEN_FILE_NAME),
        .ca_file = getenv(MESH_REGISTRY_CA_FILE_NAME),
        .cert_file = getenv(MESH_REGISTRY_CERT_FILE_NAME),
        .key_file = getenv(MESH_REGISTRY_KEY_FILE_NAME),
        .key_password_file = getenv(MESH_REGISTRY_KEY_PASSWORD_FILE_NAME),
    };
    if (mesh_registry_load(ret, first_problem, &first) == 0)
        return 0;
    mesh_registry_conf_deinit(ret);
    *err = first;
    return -1;
}

void mesh_registry_conf_deinit(struct mesh_registry_conf *conf)
{
    mesh_secret_free(conf->password);
    mesh_secret_free(conf->token);
    mesh_secret_free(conf->key_password);
    conf->password = conf->token = conf->key_password = NULL;
}
