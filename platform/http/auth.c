/* What was loaded is never changed: a reload makes a new one and lets the old one go behind the last who reads it. */
#include "http/auth.h"

#include "base/check.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/vec.h"
#include "http/jwt.h"

#include <openssl/crypto.h>

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX (1u << 20)
#define NAME_BYTES_MAX 128
#define HASH_BYTES     32
#define KEY_BYTES_MAX  512

struct key {
    const char *name;
    uint8_t hash[HASH_BYTES];
    const char *certificate; /* instead of the hash: a name of it */
    int64_t until_us;        /* INT64_MAX: for ever */
    struct mesh_http_words roles, purposes;
};

struct loaded {
    struct mesh_arena arena;
    MESH_VEC(struct key) keys; /* in the arena */
    struct mesh_http_jwks *jwks;
};

struct mesh_http_auth {
    struct mesh_http_auth_conf conf; /* texts in the arena */
    struct mesh_arena arena;
    pthread_rwlock_t lock;
    struct loaded *loaded;
};

static struct loaded *free_loaded(struct loaded *loaded)
{
    if (loaded == NULL)
        return NULL;
    mesh_http_jwks_free(loaded->jwks);
    mesh_arena_deinit(&loaded->arena);
    free(loaded);
    return NULL;
}

/* ---- words ---- */
static void add_word(struct mesh_http_words *words, struct mesh_arena *arena, const char *p, size_t n)
{
    if (n > 0 && n <= NAME_BYTES_MAX && words->n < MESH_HTTP_WORDS_MAX && memchr(p, '\0', n) == NULL)
        words->v[words->n++] = mesh_arena_str(arena, (struct mesh_str){p, (uint32_t)n});
}

/* A list of texts, or one text with blanks between its words. False: something else. */
static bool add_words(struct mesh_http_words *words, struct mesh_arena *arena, const struct mesh_json *json)
{
    if (json == NULL)
        return true;
    if (json->kind == MESH_JSON_STRING) {
        for (const char *p = json->text; *p != '\0';) {
            size_t n = strcspn(p, " ");
            add_word(words, arena, p, n);
            p += n + strspn(p + n, " ");
        }
        return true;
    }
    for (uint32_t i = 0; json->kind == MESH_JSON_ARRAY && i < json->n; i++) {
        if (json->items[i]->kind != MESH_JSON_STRING)
            return false;
        add_word(words, arena, json->items[i]->text, json->items[i]->n);
    }
    return json->kind == MESH_JSON_ARRAY;
}

static bool has_word(const struct mesh_http_words *words, const char *word)
{
    for (uint32_t i = 0; i < words->n; i++)
        if (strcmp(words->v[i], word) == 0)
            return true;
    return false;
}

bool mesh_http_words_any(const struct mesh_http_words *words, const char *const *of, uint32_t n_of)
{
    for (uint32_t i = 0; i < n_of; i++)
        if (has_word(words, of[i]))
            return true;
    return false;
}

/* ---- loading ---- */
static bool read_hash(const struct mesh_json *json, uint8_t ret[HASH_BYTES])
{
    return json != NULL && json->kind == MESH_JSON_STRING && json->n == 2 * HASH_BYTES &&
           mesh_hex_read(json->text, HASH_BYTES, ret);
}

static bool is_peer_name(const struct mesh_json *json)
{
    static const char *const kinds[] = {"URI:", "DNS:", "EMAIL:", "SUBJECT:"};
    if (json->kind != MESH_JSON_STRING || strlen(json->text) != json->n)
        return false;
    for (size_t i = 0; i < MESH_LEN(kinds); i++)
        if (strncmp(json->text, kinds[i], strlen(kinds[i])) == 0 && json->n > strlen(kinds[i]))
            return true;
    return false;
}

/* NULL, or what is wrong with it. */
static const char *read_key(struct loaded *loaded, const struct mesh_json *json)
{
    static const char *const names[] = {"name", "sha256", "certificate", "roles", "purposes", "until"};
    const struct mesh_json *name = mesh_json_get(json, "name"), *until = mesh_json_get(json, "until");
    struct key key = {.until_us = INT64_MAX};
    for (uint32_t i = 0; json->kind == MESH_JSON_OBJECT && i < json->n; i++) {
        size_t k = 0;
        while (k < MESH_LEN(names) && strcmp(names[k], json->keys[i]) != 0)
            k++;
        if (k == MESH_LEN(names))
            return "it has other members than name, sha256, certificate, roles, purposes and until";
    }
    if (name == NULL || name->kind != MESH_JSON_STRING || name->n == 0 || name->n > NAME_BYTES_MAX || strlen(name->text) != name->n)
        return "it needs a name of 1 to 128 bytes";
    key.name = mesh_arena_strdup(&loaded->arena, name->text);
    for (size_t i = 0; i < loaded->keys.n; i++)
        if (strcmp(loaded->keys.v[i].name, key.name) == 0)
            return "another one has the same name";
    const struct mesh_json *certificate = mesh_json_get(json, "certificate");
    if (certificate != NULL) {
        if (mesh_json_get(json, "sha256") != NULL)
            return "it has 'sha256' and 'certificate': make two entries";
        if (!is_peer_name(certificate))
            return "'certificate' must be a name of it, as URI:..., DNS:..., EMAIL:... or SUBJECT:...";
        key.certificate = mesh_arena_strdup(&loaded->arena, certificate->text);
    } else if (!read_hash(mesh_json_get(json, "sha256"), key.hash))
        return "'sha256' must be the 64 hex digits that `printf %s KEY | sha256sum` prints, never the key itself";
    if (until != NULL &&
        (until->kind != MESH_JSON_STRING || mesh_text_parse_time((struct mesh_str){until->text, until->n}, &key.until_us) != 0))
        return "'until' must be a time as 2027-01-01T00:00:00Z";
    if (!add_words(&key.roles, &loaded->arena, mesh_json_get(json, "roles")) ||
        !add_words(&key.purposes, &loaded->arena, mesh_json_get(json, "purposes")))
        return "'roles' and 'purposes' must be lists of texts";
    *mesh_vec_push_in(&loaded->arena, &loaded->keys) = key;
    return NULL;
}

static int load_keys(const char *path, struct loaded *loaded, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    struct stat st;
    if (mesh_fs_read(path, FILE_BYTES_MAX, &text, err) < 0)
        return -1;
    if (stat(path, &st) == 0 && (st.st_mode & S_IWOTH) != 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "http.auth", "%s: everybody on this machine may write it: chmod o-w %s", path,
                            path);
    const struct mesh_json *keys = mesh_http_keys_of(path, &text, &arena);
    if (keys == NULL || keys->n > MESH_HTTP_KEYS_MAX)
        return mesh_err_set(err, MESH_ERR_FATAL, "http.auth",
                            "%s: is not a list of at most %d keys: {\"keys\": [{\"name\": ..., \"sha256\": ...}]}", path,
                            MESH_HTTP_KEYS_MAX);
    for (uint32_t i = 0; i < keys->n; i++) {
        const char *wrong = read_key(loaded, keys->items[i]);
        if (wrong != NULL)
            return mesh_err_set(err, MESH_ERR_FATAL, "http.auth", "%s: key %u: %s", path, (unsigned)i + 1, wrong);
    }
    return 0;
}

static int load(const struct mesh_http_auth_conf *conf, struct loaded **ret, struct mesh_err *err)
{
    struct loaded *loaded = mesh_xcalloc(1, sizeof *loaded);
    if ((conf->keys_file[0] != '\0' && load_keys(conf->keys_file, loaded, err) < 0) ||
        (conf->jwks_file[0] != '\0' && mesh_http_jwks_load(conf->jwks_file, &loaded->jwks, err) < 0)) {
        free_loaded(loaded);
        return mesh_err_prefix(err, "credentials");
    }
    *ret = loaded;
    return 0;
}

int mesh_http_auth_new(const struct mesh_http_auth_conf *conf, struct mesh_http_auth **ret, struct mesh_err *err)
{
    struct loaded *loaded = NULL;
    *ret = NULL;
    if (conf->keys_file[0] == '\0' && conf->jwks_file[0] == '\0')
        return 0;
    if (conf->jwks_file[0] != '\0' && (conf->issuer[0] == '\0' || conf->audience[0] == '\0'))
        return mesh_err_set(err, MESH_ERR_FATAL, "http.auth",
                            "tokens are accepted of one issuer, for one audience: say which (MESH_HTTP_JWT_ISSUER, "
                            "MESH_HTTP_JWT_AUDIENCE)");
    if (load(conf, &loaded, err) < 0)
        return -1;
    struct mesh_http_auth *auth = mesh_xcalloc(1, sizeof *auth);
    auth->loaded = loaded;
    auth->conf = (struct mesh_http_auth_conf){
        mesh_arena_strdup(&auth->arena, conf->keys_file), mesh_arena_strdup(&auth->arena, conf->jwks_file),
        mesh_arena_strdup(&auth->arena, conf->issuer), mesh_arena_strdup(&auth->arena, conf->audience), conf->certificates};
    mesh_assert(pthread_rwlock_init(&auth->lock, NULL) == 0);
    *ret = auth;
    return 0;
}

struct mesh_http_auth *mesh_http_auth_free(struct mesh_http_auth *auth)
{
    if (auth == NULL)
        return NULL;
    free_loaded(auth->loaded);
    pthread_rwlock_destroy(&auth->lock);
    mesh_arena_deinit(&auth->arena);
    free(auth);
    return NULL;
}

int mesh_http_auth_reload(struct mesh_http_auth *auth, struct mesh_err *err)
{
    struct loaded *fresh = NULL;
    if (load(&auth->conf, &fresh, err) < 0)
        return -1;
    pthread_rwlock_wrlock(&auth->lock);
    struct loaded *old = auth->loaded;
    auth->loaded = fresh;
    pthread_rwlock_unlock(&auth->lock);
    free_loaded(old);
    return 0;
}

/* ---- checking ---- */
static void copy_words(struct mesh_http_words *to, const struct mesh_http_words *from, struct mesh_arena *arena)
{
    to->n = from->n;
    for (uint32_t i = 0; i < from->n; i++)
        to->v[i] = mesh_arena_strdup(arena, from->v[i]);
}

static void copy_caller(const struct key *key, struct mesh_arena *arena, struct mesh_http_caller *ret)
{
    ret->name = mesh_arena_strdup(arena, key->name);
    copy_words(&ret->roles, &key->roles, arena);
    copy_words(&ret->purposes, &key->purposes, arena);
    ret->known = true;
}

static const char *check_key(const struct loaded *loaded, struct mesh_str text, int64_t now_us, struct mesh_arena *arena,
                             struct mesh_http_caller *ret)
{
    uint8_t hash[HASH_BYTES];
    const struct key *found = NULL;
    if (text.n < MESH_HTTP_KEY_BYTES_MIN || text.n > KEY_BYTES_MAX)
        return "key.malformed";
    mesh_sha256(text.p, text.n, hash);
    for (size_t i = 0; i < loaded->keys.n; i++) /* all of them, whichever it is */
        if (CRYPTO_memcmp(loaded->keys.v[i].hash, hash, sizeof hash) == 0 && loaded->keys.v[i].certificate == NULL)
            found = &loaded->keys.v[i];
    if (found == NULL)
        return "key.unknown";
    if (now_us >= found->until_us)
        return "key.expired";
    copy_caller(found, arena, ret);
    return NULL;
}

static const char *check_certificate(const struct loaded *loaded, const struct mesh_http_peer *peer, int64_t now_us,
                                     struct mesh_arena *arena, struct mesh_http_caller *ret)
{
    const char *why = "certificate.unknown";
    for (size_t i = 0; i < loaded->keys.n; i++) {
        const struct key *key = &loaded->keys.v[i];
        bool his = false;
        for (uint32_t k = 0; key->certificate != NULL && k < peer->n_names && !his; k++)
            his = strcmp(peer->names[k], key->certificate) == 0;
        if (his && now_us < key->until_us) {
            copy_caller(key, arena, ret);
            return NULL;
        }
        if (his)
            why = "certificate.expired"; /* its entry is; another may not be */
    }
    return why;
}

static const char *check_token(const struct mesh_http_auth *auth, struct mesh_str text, int64_t now_us, struct mesh_arena *arena,
                               struct mesh_http_caller *ret)
{
    const struct mesh_http_jwt_rules rules = {auth->conf.issuer, auth->conf.audience};
    const char *why = "token.not_accepted";
    if (auth->loaded->jwks == NULL)
        return why;
    const struct mesh_json *claims = mesh_http_jwt_check(auth->loaded->jwks, &rules, text, now_us, arena, &why);
    if (claims == NULL)
        return why;
    const struct mesh_json *subject = mesh_json_get(claims, "sub");
    bool named = subject != NULL && subject->kind == MESH_JSON_STRING && strlen(subject->text) == subject->n && subject->n > 0 &&
                 subject->n <= NAME_BYTES_MAX;
    if (!named || !add_words(&ret->roles, arena, mesh_json_get(claims, "roles")) ||
        !add_words(&ret->roles, arena, mesh_json_get(claims, "scope")) ||
        !add_words(&ret->purposes, arena, mesh_json_get(claims, "purposes")))
        return "token.claims";
    ret->name = subject->text;
    ret->known = true;
    return NULL;
}

const char *mesh_http_auth_check(struct mesh_http_auth *auth, const char *authorization, const char *api_key, int64_t now_us,
                                 struct mesh_arena *arena, struct mesh_http_caller *ret)
{
    static const char scheme[] = "Bearer ";
    const char *why = NULL;
    *ret = (struct mesh_http_caller){.name = ""};
    if (authorization == NULL && api_key == NULL)
        return NULL;
    if (authorization != NULL && api_key != NULL)
        return "two_credentials";
    if (authorization != NULL && strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return "scheme";
    struct mesh_str text = mesh_str_of(api_key != NULL ? api_key : authorization + sizeof scheme - 1);
    const char *dot = api_key != NULL ? NULL : memchr(text.p, '.', text.n);
    pthread_rwlock_rdlock(&auth->lock);
    if (dot != NULL)
        why = check_token(auth, text, now_us, arena, ret);
    else
        why = check_key(auth->loaded, text, now_us, arena, ret);
    pthread_rwlock_unlock(&auth->lock);
    if (why != NULL)
        *ret = (struct mesh_http_caller){.name = ""};
    return why;
}

const char *mesh_http_auth_check_peer(struct mesh_http_auth *auth, const struct mesh_http_peer *peer, const char *authorization,
                                      const char *api_key, int64_t now_us, struct mesh_arena *arena, struct mesh_http_caller *ret)
{
    *ret = (struct mesh_http_caller){.name = ""};
    if (peer != NULL && peer->state == MESH_HTTP_PEER_BAD)
        return "certificate.not_accepted";
    if (auth->conf.certificates && (peer == NULL || peer->state == MESH_HTTP_PEER_NONE))
        return "certificate.missing";
    if (authorization != NULL || api_key != NULL || peer == NULL || peer->state == MESH_HTTP_PEER_NONE)
        return mesh_http_auth_check(auth, authorization, api_key, now_us, arena, ret);
    pthread_rwlock_rdlock(&auth->lock);
    const char *why = check_certificate(auth->loaded, peer, now_us, arena, ret);
    pthread_rwlock_unlock(&auth->lock);
    return why;
}

const char *mesh_http_auth_may(const struct mesh_http_caller *caller, const struct mesh_port *port)
{
    if (port->n_roles > 0 && !mesh_http_words_any(&caller->roles, port->roles, port->n_roles))
        return "role";
    for (uint32_t i = 0; i < port->n_purposes; i++)
        if (!has_word(&caller->purposes, port->purposes[i]))
            return "purpose";
    return NULL;
}
