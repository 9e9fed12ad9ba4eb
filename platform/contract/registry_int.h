/* What the files of the registry's client share. Private to contract/registry*.c.
 *
 *     registry_conf.c  settings and secrets
 *     registry_http.c  one request and its answer, tried again, over libcurl
 *     registry.c       what is asked, what the answers mean, what is kept
 */
#ifndef MESH_CONTRACT_REGISTRY_INT_H
#define MESH_CONTRACT_REGISTRY_INT_H

#include "contract/registry.h"

#include "base/buf.h"
#include "base/json.h"

#include <curl/curl.h>

struct mesh_registry_kept {
    uint32_t id;
    struct mesh_registry_schema schema; /* in its own arena */
    struct mesh_arena arena;
};

struct mesh_registry {
    const struct mesh_registry_conf *conf;
    CURL *curl;
    struct curl_slist *headers;
    char curl_says[CURL_ERROR_SIZE];
    char *urls[MESH_REGISTRY_URLS_MAX]; /* without the last '/' */
    size_t n_urls, at;                  /* the one that answered last */
    struct mesh_registry_kept **kept;   /* by id, ascending */
    size_t n_kept, kept_bytes;
};

enum mesh_registry_method { MESH_REGISTRY_GET, MESH_REGISTRY_POST, MESH_REGISTRY_PUT };

/* What came. `json` lives in the arena. */
struct mesh_registry_answer {
    int status;      /* of HTTP */
    int64_t code;    /* error_code of its text, or 0 */
    const char *why; /* message of its text, or "" */
    const struct mesh_json *json;
};

/* `path` is what stands behind the address, escaped. 0 for 2xx and 404; negative as registry.h says. */
int mesh_registry_ask(struct mesh_registry *registry, struct mesh_arena *arena, enum mesh_registry_method method, const char *path,
                      const struct mesh_buf *body, struct mesh_registry_answer *ret, struct mesh_err *err);

bool mesh_registry_given(const char *text); /* not NULL, not "" */
/* "http://127.0.0.1:8085/": to this machine? */
bool mesh_registry_is_local(const char *url);

#endif
