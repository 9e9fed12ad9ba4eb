/* A setting is found by its environment name everywhere: the option is made from it. */
#include "app/config.h"

#include "app/memory.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/secret.h"
#include "base/text.h"
#include "flow/role.h"
#include "io/border.h"
#include "io/mongo.h"
#include "mesh/version.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES_MIN 16

enum kind { TEXT, BOOLEAN, NUMBER, LEVEL };

struct setting {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *standard;
    int64_t min, max; /* NUMBER */
    bool secret;
    const char *help;
};

#define AT(member) offsetof(struct mesh_config, member)

static const struct setting settings[] = {
    {"MESH_KAFKA_BROKERS", TEXT, AT(kafka_brokers), "127.0.0.1:9092", 0, 0, false,
     "brokers to begin with, host:port, commas between"},
    {"MESH_KAFKA_EMBEDDED", BOOLEAN, AT(kafka_embedded), "0", 0, 0, false,
     "the broker lives in memory: state of an earlier one is set aside"},
    {"MESH_KAFKA_SESSION_TIMEOUT_MS", NUMBER, AT(kafka_session_timeout_ms), "", 1000, 300000, false,
     "how long the group waits for a dead instance (6000; embedded 3000)"},
    {"MESH_KAFKA_FETCH_WAIT_MS", NUMBER, AT(kafka_fetch_wait_ms), "10", 1, 10000, false,
     "how long a broker may hold back an empty answer"},
    {"MESH_KAFKA_FETCH_MB", NUMBER, AT(kafka_fetch_mb), "64", 1, 65536, false, "memory for prefetched records of one product"},
    {"MESH_KAFKA_LINGER_MS", NUMBER, AT(kafka_linger_ms), "5", 0, 10000, false, "how long outgoing records are collected"},
    {MESH_KAFKA_SECURITY_NAME, TEXT, AT(kafka_security.protocol), "plaintext", 0, 0, false,
     "plaintext, tls, sasl_plaintext or sasl_tls"},
    {MESH_KAFKA_CA_FILE_NAME, TEXT, AT(kafka_security.ca_file), "", 0, 0, false,
     "PEM file of the CAs that sign the brokers' certificates; none: the system's"},
    {MESH_KAFKA_CERT_FILE_NAME, TEXT, AT(kafka_security.cert_file), "", 0, 0, false, "PEM file of the client certificate"},
    {MESH_KAFKA_KEY_FILE_NAME, TEXT, AT(kafka_security.key_file), "", 0, 0, false, "PEM file of its private key"},
    {MESH_KAFKA_KEY_PASSWORD_FILE_NAME, TEXT, AT(kafka_security.key_password_file), "", 0, 0, false,
     "file that holds the password of that key"},
    {MESH_KAFKA_SASL_MECHANISM_NAME, TEXT, AT(kafka_security.mechanism), "", 0, 0, false, "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"},
    {MESH_KAFKA_USER_NAME, TEXT, AT(kafka_security.user), "", 0, 0, false, "user at the broker"},
    {MESH_KAFKA_PASSWORD_FILE_NAME, TEXT, AT(kafka_security.password_file), "", 0, 0, false, "file that holds the user's password"},
    {MESH_REGISTRY_URL_NAME, TEXT, AT(registry.url), "", 0, 0, false,
     "schema registry with Confluent's API, http(s)://host:port, commas between several; none: ids are computed from contracts"},
    {"MESH_SCHEMA_REGISTRY_REGISTER", BOOLEAN, AT(registry_registers), "1", 0, 0, false,
     "0: contracts of Kafka ports are looked up there and never registered"},
    {"MESH_SCHEMA_REGISTRY_SUBJECTS", TEXT, AT(registry_subjects), "topic", 0, 0, false,
     "under which subject: topic (<topic>-value), record or topic_record"},
    {MESH_REGISTRY_USER_NAME, TEXT, AT(registry.user), "", 0, 0, false, "user at the schema registry"},
    {MESH_REGISTRY_PASSWORD_FILE_NAME, TEXT, AT(registry.password_file), "", 0, 0, false, "file that holds that user's password"},
    {MESH_REGISTRY_TOKEN_FILE_NAME, TEXT, AT(registry.token_file), "", 0, 0, false,
     "file that holds a bearer token for the schema registry, instead of user and password"},
    {MESH_REGISTRY_CA_FILE_NAME, TEXT, AT(registry.ca_file), "", 0, 0, false,
     "PEM file of the CAs that sign the registry's certificate; none: the system's"},
    {MESH_REGISTRY_CERT_FILE_NAME, TEXT, AT(registry.cert_file), "", 0, 0, false, "PEM file of the client certificate for it"},
    {MESH_REGISTRY_KEY_FILE_NAME, TEXT, AT(registry.key_file), "", 0, 0, false, "PEM file of its private key"},
    {MESH_REGISTRY_KEY_PASSWORD_FILE_NAME, TEXT, AT(registry.key_password_file), "", 0, 0, false,
     "file that holds the password of that key"},
    {"MESH_MONGO_URI", TEXT, AT(mongo_uri), "", 0, 0, true, "MongoDB for the mongo ports; none: those ports are off"},
    {"MESH_MONGO_URI_FILE", TEXT, AT(mongo_uri_file), "", 0, 0, false,
     "file that holds that URI, so that its password is nowhere else"},
    {"MESH_MONGO_DATABASE", TEXT, AT(mongo_database), "mesh", 0, 0, false, "database when the URI names none"},
    {MESH_LETTER_KEY_FILE_NAME, TEXT, AT(letter_key_file), "", 0, 0, false,
     "file that holds the key, 64 hex digits, with which personal dead letters are sealed"},
    {MESH_STATE_KEY_FILE_NAME, TEXT, AT(state_key_file), "", 0, 0, false,
     "file that holds the keys of the state folder, 64 hex digits a line: the first one seals, all open"},
    {"MESH_HTTP_LISTEN", TEXT, AT(http_listen), "", 0, 0, false, "address:port; port 0: a free one"},
    {"MESH_HTTP_INSECURE", BOOLEAN, AT(http_insecure), "0", 0, 0, false,
     "allow other addresses than loopback without TLS and credentials"},
    {"MESH_HTTP_CERT_FILE", TEXT, AT(http_cert_file), "", 0, 0, false,
     "PEM file of the certificate, its chain behind it; none: plain HTTP"},
    {"MESH_HTTP_KEY_FILE", TEXT, AT(http_key_file), "", 0, 0, false, "PEM file of its private key"},
    {"MESH_HTTP_CLIENT_CA_FILE", TEXT, AT(http_client_ca_file), "", 0, 0, false,
     "PEM file of authorities: clients may show certificates of theirs, which the file of keys names"},
    {"MESH_HTTP_CLIENT_CERT_REQUIRED", BOOLEAN, AT(http_client_cert_required), "0", 0, 0, false,
     "whoever asks for more than health must show a certificate, also beside other credentials"},
    {"MESH_HTTP_API_KEYS_FILE", TEXT, AT(http_keys_file), "", 0, 0, false,
     "JSON file of the callers' keys, hashed; with it, or with the next, callers must say who they are"},
    {"MESH_HTTP_JWKS_FILE", TEXT, AT(http_jwks_file), "", 0, 0, false, "JSON file of the public keys that sign bearer tokens"},
    {"MESH_HTTP_JWT_ISSUER", TEXT, AT(http_issuer), "", 0, 0, false, "who issues them: their `iss`"},
    {"MESH_HTTP_JWT_AUDIENCE", TEXT, AT(http_audience), "", 0, 0, false, "what they must be for: their `aud`"},
    {"MESH_HTTP_CLIENT_RATE", NUMBER, AT(http_client_rate), "0", 0, 1000000, false,
     "requests a second that one client may make; 0: no limit"},
    {"MESH_AUDIT_DIR", TEXT, AT(audit_dir), "", 0, 0, false,
     "folder of the audit: who was shown personal fields; with the key below, or neither"},
    {"MESH_AUDIT_KEY_FILE", TEXT, AT(audit_key_file), "", 0, 0, false, "file that holds the key that chains its entries"},
    {"MESH_STATE", TEXT, AT(state), "file", 0, 0, false,
     "file: one instance, its state in a folder; kafka: any number of instances, the state in topics"},
    {"MESH_INSTANCE", TEXT, AT(instance), "", 0, 0, false,
     "kafka: a name of this instance that no other one has; with it a restart within the session moves nothing"},
    {"MESH_STANDBY", BOOLEAN, AT(standby), "0", 0, 0, false,
     "kafka: read along in the logs of shards that other instances have, so that taking over reads the rest only"},
    {"MESH_HTTP_URL", TEXT, AT(http_url), "", 0, 0, false, "kafka: where clients reach this instance, http://host:port"},
    {"MESH_STATE_DIR", TEXT, AT(state_dir), "", 0, 0, false, "folder of the state; each product has its own in it"},
    {"MESH_STATE_MB", NUMBER, AT(state_mb), "0", 0, 16 << 20, false,
     "memory for the state of each product; beyond it what is not used goes to a file in MESH_STATE_DIR. 0: half of the container's "
     "limit for all products, without one no limit"},
    {"MESH_VARIANT", TEXT, AT(variant), "", 0, 0, false,
     "name of a version that runs beside another, muted until it takes over (meshctl replay)"},
    {"MESH_STATE_RESET", BOOLEAN, AT(state_reset), "0", 0, 0, false,
     "set the state aside and begin anew from the earliest records"},
    {"MESH_ACCEPT_ERRORS", TEXT, AT(accept_errors), "", 0, 0, false,
     "inputs, with commas between them, that go on although more than their maxErrorRate became dead letters"},
    {"MESH_STATE_FSYNC", BOOLEAN, AT(state_fsync), "1", 0, 0, false,
     "0: commits survive a crash of the process, not of the machine"},
    {"MESH_COMMIT_INTERVAL_MS", NUMBER, AT(commit_interval_ms), "200", 1, 60000, false, "longest time between commits of state"},
    {"MESH_LOG_LEVEL", LEVEL, AT(log_level), "info", 0, 0, false, "debug, info, warn or error"},
};

struct loading {
    const struct mesh_service *service;
    const char *(*environment)(const char *name);
    struct mesh_config *config;
    FILE *problems;
    bool wrong;
};

static void option_of(const char *name, char ret[64])
{
    size_t n = 0;
    for (const char *p = name + strlen("MESH_"); *p != '\0' && n < 63; p++)
        ret[n++] = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
    ret[n] = '\0';
}

static void problem(struct loading *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void problem(struct loading *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(l->problems, "%s: ", l->service->domain);
    vfprintf(l->problems, format, args);
    fputc('\n', l->problems);
    va_end(args);
    l->wrong = true;
}

static bool parse_bool(const char *text, bool *ret)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off", ""};
    for (size_t i = 0; i < MESH_LEN(yes); i++)
        if (strcmp(text, yes[i]) == 0)
            return *ret = true;
    *ret = false;
    for (size_t i = 0; i < MESH_LEN(no); i++)
        if (strcmp(text, no[i]) == 0)
            return true;
    return false;
}

static void set(struct loading *l, const struct setting *s, const char *value)
{
    char *to = (char *)l->config + s->offset;
    switch (s->kind) {
    case TEXT:
        *(const char **)(void *)to = mesh_arena_strdup(&l->config->arena, value);
        break;
    case BOOLEAN:
        if (!parse_bool(value, (bool *)to))
            problem(l, "%s must be 1 or 0, not '%s'", s->name, value);
        break;
    case NUMBER: {
        int64_t n = 0;
        if (mesh_text_parse_long(mesh_str_of(value), &n) != 0 || n < s->min || n > s->max)
            problem(l, "%s must be a number from %lld to %lld, not '%s'", s->name, (long long)s->min, (long long)s->max, value);
        *(int64_t *)(void *)to = n;
        break;
    }
    case LEVEL:
        if (mesh_log_parse_level(value, (enum mesh_log_level *)(void *)to) != 0)
            problem(l, "%s must be debug, info, warn or error, not '%s'", s->name, value);
        break;
    }
}

/* Defaults that depend on the service or on other settings. */
static const char *standard_of(struct loading *l, const struct setting *s)
{
    struct mesh_arena *arena = &l->config->arena;
    if (s->offset == AT(http_listen))
        return mesh_arena_printf(arena, "127.0.0.1:%d", l->service->http_port);
    if (s->offset == AT(state_dir))
        return mesh_arena_printf(arena, "state/%s", l->service->domain);
    if (s->offset == AT(http_url))
        return mesh_arena_printf(arena, "%s://%s%s", l->config->http_cert_file[0] == '\0' ? "http" : "https",
                                 strchr(l->config->http_listen, ':') == NULL ? "127.0.0.1:"
                                 : l->config->http_listen[0] == ':'          ? "127.0.0.1"
                                                                             : "",
                                 l->config->http_listen);
    if (s->offset == AT(kafka_session_timeout_ms))
        return l->config->kafka_embedded ? "3000" : "6000";
    return s->standard;
}

static void print_help(const struct mesh_service *service, FILE *out)
{
    fprintf(out,
            "%s: serves the data products of the domain.\n\n"
            "  --help           this text\n"
            "  --version        version of the platform\n"
            "  --print-config   the settings as they are, secrets masked\n"
            "  --health         ask the running service whether it is ready; exit 0 or 1\n\n"
            "Settings, from the environment or as options:\n",
            service->domain);
    for (size_t i = 0; i < MESH_LEN(settings); i++) {
        const struct setting *s = &settings[i];
        char option[64];
        option_of(s->name, option);
        if (s->secret)
            fprintf(out, "  %-30s %s\n", s->name, s->help);
        else
            fprintf(out, "  %-30s --%s\n  %-30s %s\n", s->name, option, "", s->help);
    }
    for (uint32_t i = 0; i < service->n_products; i++)
        if (service->products[i]->pseudonym_key_env != NULL)
            fprintf(out, "  %-30s key of pseudonyms, at least %d bytes (%s)\n", service->products[i]->pseudonym_key_env,
                    KEY_BYTES_MIN, service->products[i]->name);
}

static void print_masked(const struct setting *s, const char *value, FILE *out)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf masked = MESH_BUF_NULL;
    if (s->offset == AT(mongo_uri))
        mesh_mongo_mask(value, &masked);
    else
        mesh_buf_puts(&masked, value);
    fprintf(out, "%s\n", masked.p);
}

static void print_config(const struct mesh_service *service, const struct mesh_config *config, FILE *out)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    for (size_t i = 0; i < MESH_LEN(settings); i++) {
        const struct setting *s = &settings[i];
        const char *at = (const char *)config + s->offset;
        fprintf(out, "%s=", s->name);
        switch (s->kind) {
        case TEXT:
            print_masked(s, *(const char *const *)(const void *)at, out);
            break;
        case BOOLEAN:
            fprintf(out, "%d\n", *(const bool *)at ? 1 : 0);
            break;
        case NUMBER:
            fprintf(out, "%lld\n", (long long)*(const int64_t *)(const void *)at);
            break;
        case LEVEL:
            fprintf(out, "%s\n", levels[config->log_level]);
            break;
        }
    }
    for (uint32_t i = 0; i < service->n_products; i++)
        if (service->products[i]->pseudonym_key_env != NULL)
            fprintf(out, "%s=%s\n", service->products[i]->pseudonym_key_env, config->pseudonym_keys[i].n > 0 ? "****" : "");
}

static const struct setting *find_option(struct loading *l, const char *text, size_t n)
{
    const char *names[MESH_LEN(settings) + 4] = {"help", "version", "print-config", "health"};
    size_t n_names = 4;
    char *word = mesh_arena_str(&l->config->arena, (struct mesh_str){text, (uint32_t)n});
    for (size_t i = 0; i < MESH_LEN(settings); i++) {
        char *option = mesh_arena_alloc(&l->config->arena, 64);
        option_of(settings[i].name, option);
        if (strcmp(option, word) != 0) {
            names[n_names++] = option;
            continue;
        }
        if (!settings[i].secret)
            return &settings[i];
        problem(l, "--%s does not exist: secrets are not for the command line; set %s", word, settings[i].name);
        return NULL;
    }
    const char *meant = mesh_did_you_mean(word, names, n_names);
    if (meant != NULL)
        problem(l, "unknown option --%s, did you mean --%s?", word, meant);
    else
        problem(l, "unknown option --%s; --help lists what there is", word);
    return NULL;
}

static enum mesh_config_action read_options(struct loading *l, int argc, char *const *argv, const char **values, bool *print)
{
    enum mesh_config_action action = MESH_CONFIG_RUN;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strncmp(arg, "--", 2) != 0) {
            problem(l, "'%s' is not an option", arg);
            continue;
        }
        arg += 2;
        size_t n = strcspn(arg, "=");
        if (strcmp(arg, "help") == 0 || strcmp(arg, "version") == 0) {
            action = MESH_CONFIG_DONE;
            values[MESH_LEN(settings)] = arg;
        } else if (strcmp(arg, "print-config") == 0) {
            *print = true;
        } else if (strcmp(arg, "health") == 0) {
            action = MESH_CONFIG_HEALTH;
        } else {
            const struct setting *s = find_option(l, arg, n);
            const char *value = arg[n] == '=' ? arg + n + 1 : i + 1 < argc ? argv[++i] : NULL;
            if (s != NULL && value == NULL)
                problem(l, "--%s needs a value", arg);
            else if (s != NULL)
                values[s - settings] = value;
        }
    }
    return action;
}

static void read_keys(struct loading *l)
{
    const struct mesh_service *service = l->service;
    l->config->pseudonym_keys = mesh_arena_alloc(&l->config->arena, (service->n_products + 1) * sizeof(struct mesh_str));
    for (uint32_t i = 0; i < service->n_products; i++) {
        const struct mesh_product *product = service->products[i];
        const char *name = product->pseudonym_key_env;
        const char *value = name == NULL ? NULL : l->environment(name);
        size_t n = value == NULL ? 0 : strlen(value);
        if (n > 0 && n < KEY_BYTES_MIN)
            problem(l,
                    "%s must have at least %d bytes: a short key makes pseudonyms that can be "
                    "guessed",
                    name, KEY_BYTES_MIN);
        else if (n == 0 && mesh_border_needs_key(product))
            problem(l,
                    "%s is not set, and '%s' shows pseudonyms; set it to a secret of at least %d "
                    "bytes, the same for all products of the mesh",
                    name == NULL ? "the pseudonym key" : name, product->name, KEY_BYTES_MIN);
        if (n > 0)
            l->config->pseudonym_keys[i] = mesh_str_of(mesh_arena_strdup(&l->config->arena, value));
    }
}

/* ---- lists ---- */
bool mesh_config_lists(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; *p != '\0'; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && memcmp(p, word, n) == 0)
            return true;
    return false;
}

static void check_accepted(struct loading *l)
{
    for (const char *p = l->config->accept_errors; *p != '\0'; p += strcspn(p, ","), p += *p == ',') {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf word = MESH_BUF_NULL;
        mesh_buf_add(&word, p, strcspn(p, ","));
        bool known = false;
        for (uint32_t i = 0; i < l->service->n_products; i++)
            for (uint32_t k = 0; k < l->service->products[i]->n_inputs; k++)
                known = known ||
                        mesh_str_eq(mesh_str_of(l->service->products[i]->inputs[k].name), (struct mesh_str){p, (uint32_t)word.n});
        if (!known)
            problem(l, "MESH_ACCEPT_ERRORS: there is no input '%s'", word.n == 0 ? "" : word.p);
    }
}

/* ---- several instances ---- */
static void check_state(struct loading *l)
{
    struct mesh_config *config = l->config;
    config->state_kafka = strcmp(config->state, "kafka") == 0;
    if (!config->state_kafka && strcmp(config->state, "file") != 0)
        problem(l, "MESH_STATE must be file or kafka, not '%s'", config->state);
    if (!config->state_kafka)
        return;
    if (config->kafka_embedded)
        problem(l, "MESH_STATE=kafka needs a real Kafka: the embedded broker keeps the last 5 MB of a partition, and forgets "
                   "all when it ends");
    const char *url = config->http_url;
    size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    const char *host = url + scheme;
    size_t n = strlen(host);
    bool anywhere = strncmp(host, "0.0.0.0", 7) == 0 || strncmp(host, "[::]", 4) == 0 || (n > 2 && strcmp(host + n - 2, ":0") == 0);
    if (scheme == 0 || n == 0 || anywhere || strpbrk(url, " \"\\<>?#") != NULL || host[n - 1] == '/')
        problem(l, "MESH_HTTP_URL '%s' is not where clients can reach this instance; set it to http://host:port, without a path",
                url);
}

/* ---- what stands in files ---- */
static void say(void *context, const char *text)
{
    problem(context, "%s", text);
}

static int load_state_keys(struct mesh_config *config, struct mesh_err *err)
{
    char *text = NULL;
    struct mesh_err why = {0};
    if (config->state_key_file[0] == '\0')
        return 0;
    if (mesh_secret_read(MESH_STATE_KEY_FILE_NAME, config->state_key_file, &text, err) < 0)
        return -1;
    int result = mesh_store_keys_parse(mesh_str_of(text), &config->state_keys, &why);
    mesh_secret_free(text);
    if (result < 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "config.secret", "%s: %s: %s", MESH_STATE_KEY_FILE_NAME, config->state_key_file,
                            why.text);
    return 0;
}

static void read_files(struct loading *l)
{
    struct mesh_config *config = l->config;
    struct mesh_err err = {0};
    char *uri = NULL;
    (void)mesh_kafka_security_load(&config->kafka_security, config->kafka_brokers, say, l);
    (void)mesh_registry_load(&config->registry, say, l);
    if (strcmp(config->registry_subjects, "topic") != 0 && strcmp(config->registry_subjects, "record") != 0 &&
        strcmp(config->registry_subjects, "topic_record") != 0)
        problem(l, "MESH_SCHEMA_REGISTRY_SUBJECTS must be topic, record or topic_record, not '%s'", config->registry_subjects);
    if (mesh_letters_load(MESH_LETTER_KEY_FILE_NAME, config->letter_key_file, &config->letters, &err) < 0)
        problem(l, "%s", err.text);
    if (load_state_keys(config, &err) < 0)
        problem(l, "%s", err.text);
    if (mesh_http_tls_load(config->http_cert_file, config->http_key_file, config->http_client_ca_file, &config->http_tls, &err) < 0)
        problem(l, "%s", err.text);
    if (config->mongo_uri_file[0] == '\0')
        return;
    if (config->mongo_uri[0] != '\0')
        problem(l, "MESH_MONGO_URI and MESH_MONGO_URI_FILE are both set: unset one");
    else if (mesh_secret_read("MESH_MONGO_URI_FILE", config->mongo_uri_file, &uri, &err) < 0)
        problem(l, "%s", err.text);
    else
        config->mongo_uri = mesh_arena_strdup(&config->arena, uri);
    mesh_secret_free(uri);
}

enum mesh_config_action mesh_config_load(const struct mesh_service *service, int argc, char *const *argv,
                                         const char *(*environment)(const char *name), FILE *out, FILE *problems,
                                         struct mesh_config *ret)
{
    *ret = (struct mesh_config){0};
    struct loading l = {service, environment, ret, problems, false};
    const char *values[MESH_LEN(settings) + 1] = {NULL};
    bool print = false;
    enum mesh_config_action action = read_options(&l, argc, argv, values, &print);
    if (action == MESH_CONFIG_DONE && !l.wrong) {
        if (strcmp(values[MESH_LEN(settings)], "version") == 0)
            fprintf(out, "mesh %s (abi %d)\n", MESH_VERSION, MESH_ABI);
        else
            print_help(service, out);
        return action;
    }
    for (size_t i = 0; i < MESH_LEN(settings); i++) {
        const char *value = values[i] != NULL ? values[i] : environment(settings[i].name);
        /* An empty variable is an unset one: that is how containers unset them. */
        if (value == NULL || (value[0] == '\0' && values[i] == NULL))
            value = standard_of(&l, &settings[i]);
        set(&l, &settings[i], value);
    }
    if (action == MESH_CONFIG_HEALTH)
        return l.wrong ? MESH_CONFIG_WRONG : action;
    read_keys(&l);
    read_files(&l);
    check_accepted(&l);
    check_state(&l);
    ret->state_bytes = mesh_memory_budget(ret->state_mb, service->n_products, MESH_MEMORY_LIMIT_FILE);
    if (ret->variant[0] != '\0' && ret->state_kafka)
        problem(
            &l,
            "MESH_VARIANT and MESH_STATE=kafka do not go together yet: versions take over from each other through folders of state");
    if (ret->variant[0] != '\0' && !mesh_variant_is_name(ret->variant))
        problem(&l, "MESH_VARIANT must be lower case letters, digits and dashes, at most %d, and not '%s'; it is '%s'",
                MESH_VARIANT_MAX, MESH_VARIANT_BASE, ret->variant);
    if (l.wrong)
        return MESH_CONFIG_WRONG;
    if (print) {
        print_config(service, ret, out);
        return MESH_CONFIG_DONE;
    }
    return action;
}

void mesh_config_deinit(struct mesh_config *config)
{
    mesh_kafka_security_deinit(&config->kafka_security);
    mesh_registry_conf_deinit(&config->registry);
    mesh_letters_deinit(&config->letters);
    explicit_bzero(&config->state_keys, sizeof config->state_keys);
    mesh_http_tls_deinit(&config->http_tls);
    mesh_arena_deinit(&config->arena);
}
