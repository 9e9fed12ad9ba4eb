/* One request: every address once an attempt, then a pause that doubles. What is worth another try is nobody there and an answer that
 * says "not now"; a refusal is told at once. */
#include "contract/registry_int.h"

#include "base/check.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ATTEMPTS   4
#define SHOWN_MAX  160 /* bytes of a foreign text in one of our sentences */
#define MEDIA_TYPE "application/vnd.schemaregistry.v1+json"
#define SLICE_MS   50

struct taking {
    struct mesh_buf body;
    bool too_long;
};

static size_t take(char *bytes, size_t size, size_t n, void *context)
{
    struct taking *taking = context;
    n *= size;
    taking->too_long = taking->too_long || taking->body.n + n > MESH_REGISTRY_ANSWER_MAX;
    if (taking->too_long)
        return 0;
    mesh_buf_add(&taking->body, bytes, n);
    return n;
}

static int interrupted(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    const struct mesh_registry *registry = context;
    const atomic_bool *flag = registry->conf->interrupted;
    return flag != NULL && atomic_load(flag);
}

static void start_curl(void)
{
    mesh_assert(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

static void set_security(CURL *curl, const struct mesh_registry_conf *conf)
{
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (mesh_registry_given(conf->ca_file)) {
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, conf->ca_file);
        (void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    if (mesh_registry_given(conf->cert_file)) {
        (void)curl_easy_setopt(curl, CURLOPT_SSLCERT, conf->cert_file);
        (void)curl_easy_setopt(curl, CURLOPT_SSLKEY, conf->key_file);
        (void)curl_easy_setopt(curl, CURLOPT_KEYPASSWD, conf->key_password);
    }
    if (conf->password != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        (void)curl_easy_setopt(curl, CURLOPT_USERNAME, conf->user);
        (void)curl_easy_setopt(curl, CURLOPT_PASSWORD, conf->password);
    } else if (conf->token != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        (void)curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, conf->token);
    }
}

int mesh_registry_new(const struct mesh_registry_conf *conf, struct mesh_registry **ret, struct mesh_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, start_curl);
    struct mesh_registry *registry = mesh_xcalloc(1, sizeof *registry);
    registry->conf = conf;
    registry->curl = curl_easy_init();
    if (registry->curl == NULL) {
        free(registry);
        return mesh_err_set(err, MESH_ERR_FATAL, "registry.client", "cannot make a client of the schema registry");
    }
    for (const char *at = conf->url; *at != '\0' && registry->n_urls < MESH_REGISTRY_URLS_MAX;) {
        size_t n = strcspn(at, ", "), kept = n;
        while (kept > 0 && at[kept - 1] == '/')
            kept--;
        if (n > 0) {
            struct mesh_buf url = MESH_BUF_NULL;
            mesh_buf_add(&url, at, kept);
            registry->urls[registry->n_urls++] = mesh_buf_take(&url);
        }
        at += n + strspn(at + n, ", ");
    }
    registry->headers = curl_slist_append(registry->headers, "Content-Type: " MEDIA_TYPE);
    registry->headers = curl_slist_append(registry->headers, "Accept: " MEDIA_TYPE ", application/json");
    registry->headers = curl_slist_append(registry->headers, "Expect:");
    CURL *curl = registry->curl;
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, registry->headers);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "mesh");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)MESH_REGISTRY_CONNECT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)MESH_REGISTRY_CALL_MS);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, registry->curl_says);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, interrupted);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, registry);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    set_security(curl, conf);
    *ret = registry;
    return 0;
}

static void set_method(CURL *curl, enum mesh_registry_method method, const struct mesh_buf *body)
{
    if (method == MESH_REGISTRY_GET) {
        (void)curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, NULL);
        return;
    }
    (void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(body == NULL ? 0 : body->n));
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body == NULL || body->p == NULL ? "" : body->p);
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method == MESH_REGISTRY_PUT ? "PUT" : "POST");
}

/* The call did not come to an answer: whose fault it is. */
static int failed(const struct mesh_registry *registry, CURLcode code, bool too_long, const char *url, struct mesh_err *err)
{
    const struct mesh_registry_conf *conf = registry->conf;
    const char *says = registry->curl_says[0] != '\0' ? registry->curl_says : curl_easy_strerror(code);
    const char *certificate = mesh_registry_given(conf->cert_file) ? "the client certificate" : "a client without a certificate";
    if (too_long)
        return mesh_err_set(err, MESH_ERR_RETRY, "registry.answer",
                            "the schema registry %s answers with more than %u bytes: is it one?", url, MESH_REGISTRY_ANSWER_MAX);
    switch ((int)code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return mesh_err_set(
            err, MESH_ERR_RETRY, "registry.denied",
            "the certificate of the schema registry %s is not trusted: %s. %s (%s) must hold the CA that signed it, "
            "and it must name the host",
            url, says, MESH_REGISTRY_CA_FILE_NAME, mesh_registry_given(conf->ca_file) ? conf->ca_file : "not set, so the system's");
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        return mesh_err_set(err, MESH_ERR_RETRY, "registry.denied", "for the schema registry %s: %s; look at %s, %s and %s", url,
                            says, MESH_REGISTRY_CA_FILE_NAME, MESH_REGISTRY_CERT_FILE_NAME, MESH_REGISTRY_KEY_FILE_NAME);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
        if (strstr(says, "alert") != NULL)
            return mesh_err_set(err, MESH_ERR_RETRY, "registry.denied",
                                "the schema registry %s does not accept %s: %s; it wants one that a CA known to it has signed (%s)",
                                url, certificate, says, MESH_REGISTRY_CERT_FILE_NAME);
        /* The alert is lost when the connection is reset behind it. */
        if (strncmp(url, "https", 5) == 0)
            return mesh_err_set(err, MESH_ERR_RETRY, "registry.away",
                                "the schema registry %s ended the connection: %s; one that does not accept %s may do that too (%s)",
                                url, says, certificate, MESH_REGISTRY_CERT_FILE_NAME);
        break;
    default:
        break;
    }
    return mesh_err_set(err, MESH_ERR_RETRY, "registry.away", "the schema registry %s cannot be reached: %s", url, says);
}

static void shown(const struct mesh_buf *body, char ret[SHOWN_MAX])
{
    size_t n = body->n < SHOWN_MAX - 1 ? body->n : SHOWN_MAX - 1;
    for (size_t i = 0; i < n; i++)
        ret[i] = body->p[i] >= ' ' && body->p[i] != 0x7f ? body->p[i] : ' ';
    ret[n] = '\0';
}

static void read_json(struct mesh_arena *arena, const struct mesh_buf *body, struct mesh_registry_answer *ret)
{
    struct mesh_diags diags = {.arena = arena};
    const char *copy = mesh_arena_str(arena, (struct mesh_str){body->p == NULL ? "" : body->p, (uint32_t)body->n});
    ret->json = mesh_json_parse(arena, mesh_source_new(arena, "answer", copy, body->n), &diags, "MR001");
    const struct mesh_json *why = mesh_json_get(ret->json, "message");
    const struct mesh_json *code = mesh_json_get(ret->json, "error_code");
    ret->why = why != NULL && why->kind == MESH_JSON_STRING ? why->text : "";
    if (code != NULL && code->kind == MESH_JSON_NUMBER)
        (void)!sscanf(code->text, "%ld", (long *)&ret->code);
}

static const char *const methods[] = {"GET", "POST", "PUT"};

/* An answer is there. 0, or what its status means. */
static int judge(const struct mesh_registry *registry, enum mesh_registry_method method, const char *path,
                 const struct mesh_buf *body, const struct mesh_registry_answer *answer, struct mesh_err *err)
{
    const char *url = registry->urls[registry->at];
    const struct mesh_registry_conf *conf = registry->conf;
    char text[SHOWN_MAX];
    shown(body, text);
    const char *why = answer->why[0] != '\0' ? answer->why : text;
    bool good = answer->status / 100 == 2 || answer->status == 404;
    if (good && answer->json != NULL && (answer->status != 404 || answer->code != 0))
        return 0;
    if (answer->status == 401 || answer->status == 403)
        return mesh_err_set(err, MESH_ERR_RETRY, "registry.denied",
                            "the schema registry %s does not accept %s%s for %s %s (%d%s%.160s): mend it there, or %s here", url,
                            conf->password != NULL ? "user "
                            : conf->token != NULL  ? "the token"
                                                   : "a request without a user",
                            conf->password != NULL ? conf->user : "", methods[method], path, answer->status,
                            why[0] == '\0' ? "" : ": ", why,
                            conf->token != NULL ? MESH_REGISTRY_TOKEN_FILE_NAME : MESH_REGISTRY_PASSWORD_FILE_NAME);
    if (answer->status >= 500 || answer->status == 429)
        return mesh_err_set(err, MESH_ERR_RETRY, "registry.away", "the schema registry %s answers %s %s with %d%s%.160s", url,
                            methods[method], path, answer->status, why[0] == '\0' ? "" : ": ", why);
    if (good || answer->status < 400)
        return mesh_err_set(err, MESH_ERR_RETRY, "registry.answer",
                            "%s answers %s %s with %d and what no schema registry says (%.80s): is its API at this address?", url,
                            methods[method], path, answer->status, text);
    return mesh_err_set(err, MESH_ERR_REJECT, answer->status == 409 ? "registry.incompatible" : "registry.refused",
                        "the schema registry %s refuses %s %s: %.400s (%d)", url, methods[method], path, why,
                        answer->code != 0 ? (int)answer->code : answer->status);
}

static int attempt(struct mesh_registry *registry, struct mesh_arena *arena, enum mesh_registry_method method, const char *path,
                   const struct mesh_buf *body, struct mesh_registry_answer *ret, struct mesh_err *err)
{
    const char *base = registry->urls[registry->at];
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf url = MESH_BUF_NULL;
    struct taking taking = {0};
    long status = 0;
    mesh_buf_printf(&url, "%s%s", base, path);
    registry->curl_says[0] = '\0';
    (void)curl_easy_setopt(registry->curl, CURLOPT_URL, url.p);
    (void)curl_easy_setopt(registry->curl, CURLOPT_WRITEDATA, &taking);
    set_method(registry->curl, method, body);
    CURLcode code = curl_easy_perform(registry->curl);
    (void)curl_easy_getinfo(registry->curl, CURLINFO_RESPONSE_CODE, &status);
    int result = 0;
    *ret = (struct mesh_registry_answer){.status = (int)status, .why = ""};
    if (code != CURLE_OK) {
        result = failed(registry, code, taking.too_long, base, err);
    } else {
        read_json(arena, &taking.body, ret);
        result = judge(registry, method, path, &taking.body, ret, err);
    }
    mesh_buf_deinit(&taking.body);
    return result;
}

/* False: it is time to end. */
static bool pause_ms(const struct mesh_registry *registry, int64_t ms)
{
    int64_t until_us = mesh_clock_mono_us() + ms * 1000;
    while (mesh_clock_mono_us() < until_us) {
        if (interrupted((void *)(uintptr_t)registry, 0, 0, 0, 0) != 0)
            return false;
        (void)nanosleep(&(struct timespec){.tv_nsec = INT64_C(1000000) * (ms < SLICE_MS ? ms : SLICE_MS)}, NULL);
    }
    return true;
}

int mesh_registry_ask(struct mesh_registry *registry, struct mesh_arena *arena, enum mesh_registry_method method, const char *path,
                      const struct mesh_buf *body, struct mesh_registry_answer *ret, struct mesh_err *err)
{
    int attempts = registry->conf->attempts > 0 ? registry->conf->attempts : ATTEMPTS;
    int64_t backoff_ms = MESH_REGISTRY_BACKOFF_MS;
    struct mesh_err mine = {0};
    for (int i = 0; i < attempts; i++) {
        for (size_t u = 0; u < registry->n_urls; u++) {
            int result = attempt(registry, arena, method, path, body, ret, &mine);
            bool again = result < 0 && mine.class == MESH_ERR_RETRY && strcmp(mine.code, "registry.denied") != 0;
            if (!again) {
                if (result < 0 && err != NULL)
                    *err = mine;
                return result;
            }
            registry->at = (registry->at + 1) % registry->n_urls;
        }
        if (i + 1 < attempts && !pause_ms(registry, backoff_ms))
            break;
        backoff_ms = 2 * backoff_ms < MESH_REGISTRY_BACKOFF_MAX ? 2 * backoff_ms : MESH_REGISTRY_BACKOFF_MAX;
    }
    if (err != NULL)
        *err = mine;
    return -1;
}
