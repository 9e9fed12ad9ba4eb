/* librdkafka tells a refusal in three ways: by the codes __SSL and __AUTHENTICATION, and, because in TLS 1.3 a client learns only
 * after its handshake that its certificate was refused, as a lost connection whose text speaks of an alert. A listener that speaks
 * another protocol just closes the connection, at a moment when a healthy broker does not. */
#include "io/kafka_security.h"

#include "base/check.h"
#include "base/secret.h"

#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name, *librdkafka;
    bool tls, sasl;
} protocols[] = {
    {"plaintext", "plaintext", false, false},
    {"tls", "ssl", true, false},
    {"sasl_plaintext", "sasl_plaintext", false, true},
    {"sasl_tls", "sasl_ssl", true, true},
};

static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};

static bool given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static const char *protocol_of(const struct mesh_kafka_security *security)
{
    return given(security->protocol) ? security->protocol : protocols[0].name;
}

struct saying {
    mesh_kafka_security_say *say;
    void *context;
    int n;
};

static void say(struct saying *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct saying *s, const char *format, ...)
{
    char text[MESH_ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    s->say(s->context, text);
    s->n++;
}

/* "kafka1:9092,[::1]:9092": all of them on this machine? */
static bool on_loopback(const char *brokers)
{
    static const char *const names[] = {"localhost:", "127.", "[::1]", "PLAINTEXT://127.", "SASL_PLAINTEXT://127."};
    for (const char *at = brokers; *at != '\0';) {
        at += strspn(at, ", ");
        bool local = false;
        for (size_t i = 0; i < MESH_LEN(names); i++)
            local = local || strncmp(at, names[i], strlen(names[i])) == 0;
        if (*at != '\0' && !local)
            return false;
        at += strcspn(at, ",");
    }
    return true;
}

/* ---- load ---- */
static void check_protocol(struct mesh_kafka_security *security, struct saying *s)
{
    for (size_t i = 0; i < MESH_LEN(protocols); i++) {
        if (strcmp(protocol_of(security), protocols[i].name) != 0)
            continue;
        security->tls = protocols[i].tls;
        security->sasl = protocols[i].sasl;
        return;
    }
    say(s, "%s must be plaintext, tls, sasl_plaintext or sasl_tls, not '%s'%s", MESH_KAFKA_SECURITY_NAME, security->protocol,
        strcasestr(security->protocol, "ssl") != NULL ? "; what Kafka calls SSL is called tls here" : "");
}

/* Settings that the protocol has no use for: somebody believes that the way is protected. */
static void check_unused(const struct mesh_kafka_security *security, struct saying *s)
{
    const struct {
        const char *name, *value;
        bool used;
        const char *instead;
    } all[] = {
        {MESH_KAFKA_CA_FILE_NAME, security->ca_file, security->tls, "tls or sasl_tls"},
        {MESH_KAFKA_CERT_FILE_NAME, security->cert_file, security->tls, "tls or sasl_tls"},
        {MESH_KAFKA_KEY_FILE_NAME, security->key_file, security->tls, "tls or sasl_tls"},
        {MESH_KAFKA_KEY_PASSWORD_FILE_NAME, security->key_password_file, security->tls, "tls or sasl_tls"},
        {MESH_KAFKA_SASL_MECHANISM_NAME, security->mechanism, security->sasl, "sasl_tls"},
        {MESH_KAFKA_USER_NAME, security->user, security->sasl, "sasl_tls"},
        {MESH_KAFKA_PASSWORD_FILE_NAME, security->password_file, security->sasl, "sasl_tls"},
    };
    for (size_t i = 0; i < MESH_LEN(all); i++)
        if (given(all[i].value) && !all[i].used)
            say(s, "%s is set, but %s is %s, which makes no use of it: set that to %s, or unset %s", all[i].name,
                MESH_KAFKA_SECURITY_NAME, protocol_of(security), all[i].instead, all[i].name);
}

static void check_readable(const char *name, const char *path, struct saying *s)
{
    FILE *f = given(path) ? fopen(path, "re") : NULL;
    if (f != NULL)
        fclose(f);
    else if (given(path))
        say(s, "%s: cannot read %s: %s", name, path, strerror(errno));
}

static void read_secret(const char *name, const char *path, char **ret, struct saying *s)
{
    struct mesh_err err = {0};
    if (given(path) && mesh_secret_read(name, path, ret, &err) < 0)
        say(s, "%s", err.text);
}

static void check_tls(struct mesh_kafka_security *security, struct saying *s)
{
    struct mesh_err err = {0};
    bool cert = given(security->cert_file), key = given(security->key_file);
    check_readable(MESH_KAFKA_CA_FILE_NAME, security->ca_file, s);
    check_readable(MESH_KAFKA_CERT_FILE_NAME, security->cert_file, s);
    if (cert != key)
        say(s, "%s is set without %s: a client certificate needs both", cert ? MESH_KAFKA_CERT_FILE_NAME : MESH_KAFKA_KEY_FILE_NAME,
            cert ? MESH_KAFKA_KEY_FILE_NAME : MESH_KAFKA_CERT_FILE_NAME);
    if (key && mesh_secret_check(MESH_KAFKA_KEY_FILE_NAME, security->key_file, &err) < 0)
        say(s, "%s", err.text);
    if (given(security->key_password_file) && !key)
        say(s, "%s is set without %s", MESH_KAFKA_KEY_PASSWORD_FILE_NAME, MESH_KAFKA_KEY_FILE_NAME);
    read_secret(MESH_KAFKA_KEY_PASSWORD_FILE_NAME, security->key_password_file, &security->key_password, s);
}

static void check_sasl(struct mesh_kafka_security *security, const char *brokers, struct saying *s)
{
    bool known = false;
    for (size_t i = 0; i < MESH_LEN(mechanisms); i++)
        known = known || (given(security->mechanism) && strcmp(security->mechanism, mechanisms[i]) == 0);
    if (!known)
        say(s, "%s must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 when %s is %s, not '%s'", MESH_KAFKA_SASL_MECHANISM_NAME,
            MESH_KAFKA_SECURITY_NAME, protocol_of(security), given(security->mechanism) ? security->mechanism : "");
    if (!given(security->user))
        say(s, "%s is not set, and %s is %s", MESH_KAFKA_USER_NAME, MESH_KAFKA_SECURITY_NAME, protocol_of(security));
    if (!given(security->password_file))
        say(s, "%s is not set, and %s is %s; it names a file that holds the password", MESH_KAFKA_PASSWORD_FILE_NAME,
            MESH_KAFKA_SECURITY_NAME, protocol_of(security));
    read_secret(MESH_KAFKA_PASSWORD_FILE_NAME, security->password_file, &security->password, s);
    if (known && strcmp(security->mechanism, "PLAIN") == 0 && !security->tls && !on_loopback(brokers))
        say(s, "%s=PLAIN with %s=sasl_plaintext would send the password readable to %s: set %s to sasl_tls, or use SCRAM-SHA-512",
            MESH_KAFKA_SASL_MECHANISM_NAME, MESH_KAFKA_SECURITY_NAME, brokers, MESH_KAFKA_SECURITY_NAME);
}

int mesh_kafka_security_load(struct mesh_kafka_security *security, const char *brokers, mesh_kafka_security_say *tell,
                             void *context)
{
    struct saying s = {tell, context, 0};
    check_protocol(security, &s);
    if (s.n > 0)
        return s.n;
    check_unused(security, &s);
    if (security->tls)
        check_tls(security, &s);
    if (security->sasl)
        check_sasl(security, brokers, &s);
    return s.n;
}

static void first_problem(void *context, const char *text)
{
    struct mesh_err *err = context;
    if (err->class == MESH_ERR_NONE)
        mesh_err_set(err, MESH_ERR_FATAL, "config.kafka_security", "%s", text);
}

int mesh_kafka_security_from_environment(struct mesh_kafka_security *ret, const char *brokers, struct mesh_err *err)
{
    struct mesh_err first = {0};
    *ret = (struct mesh_kafka_security){
        .protocol = getenv(MESH_KAFKA_SECURITY_NAME),
        .ca_file = getenv(MESH_KAFKA_CA_FILE_NAME),
        .cert_file = getenv(MESH_KAFKA_CERT_FILE_NAME),
        .key_file = getenv(MESH_KAFKA_KEY_FILE_NAME),
        .key_password_file = getenv(MESH_KAFKA_KEY_PASSWORD_FILE_NAME),
        .mechanism = getenv(MESH_KAFKA_SASL_MECHANISM_NAME),
        .user = getenv(MESH_KAFKA_USER_NAME),
        .password_file = getenv(MESH_KAFKA_PASSWORD_FILE_NAME),
    };
    if (mesh_kafka_security_load(ret, brokers, first_problem, &first) == 0)
        return 0;
    mesh_kafka_security_deinit(ret);
    *err = first;
    return -1;
}

void mesh_kafka_security_deinit(struct mesh_kafka_security *security)
{
    mesh_secret_free(security->key_password);
    mesh_secret_free(security->password);
    security->key_password = security->password = NULL;
}

/* ---- use ---- */
int mesh_kafka_security_set(rd_kafka_conf_t *conf, const struct mesh_kafka_security *security, struct mesh_err *err)
{
    if (security == NULL || (!security->tls && !security->sasl))
        return 0;
    const char *protocol = NULL;
    for (size_t i = 0; i < MESH_LEN(protocols); i++)
        if (protocols[i].tls == security->tls && protocols[i].sasl == security->sasl)
            protocol = protocols[i].librdkafka;
    const struct {
        const char *name, *value;
    } all[] = {
        {"security.protocol", protocol},          {"ssl.endpoint.identification.algorithm", security->tls ? "https" : NULL},
        {"ssl.ca.location", security->ca_file},   {"ssl.certificate.location", security->cert_file},
        {"ssl.key.location", security->key_file}, {"ssl.key.password", security->key_password},
        {"sasl.mechanism", security->mechanism},  {"sasl.username", security->user},
        {"sasl.password", security->password},
    };
    char text[256];
    for (size_t i = 0; i < MESH_LEN(all); i++)
        if (given(all[i].value) && rd_kafka_conf_set(conf, all[i].name, all[i].value, text, sizeof text) != RD_KAFKA_CONF_OK)
            return mesh_err_set(err, MESH_ERR_FATAL, "config.kafka_security", "%s=%s: this librdkafka (%s) cannot do it: %s",
                                MESH_KAFKA_SECURITY_NAME, security->protocol, rd_kafka_version_str(), text);
    return 0;
}

/* "" while the client certificate is valid (or there is none, or it is not to be read). */
static void say_expiry(const struct mesh_kafka_security *security, char *ret, size_t n)
{
    ret[0] = '\0';
    FILE *f = security->tls && given(security->cert_file) ? fopen(security->cert_file, "re") : NULL;
    X509 *cert = f == NULL ? NULL : PEM_read_X509(f, NULL, NULL, NULL);
    struct tm end = {0};
    char date[32];
    if (cert != NULL && X509_cmp_current_time(X509_get0_notAfter(cert)) < 0 &&
        ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end) == 1) {
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &end);
        snprintf(ret, n, "the client certificate %s has expired on %s", security->cert_file, date);
    }
    X509_free(cert);
    if (f != NULL)
        fclose(f);
}

void mesh_kafka_security_warn(const struct mesh_kafka_security *security, const char *brokers, mesh_kafka_security_say *tell,
                              void *context)
{
    struct saying s = {tell, context, 0};
    char expired[MESH_KAFKA_REFUSAL_MAX];
    if (security->sasl && !security->tls && !on_loopback(brokers))
        say(&s, "%s=sasl_plaintext: the password is not sent, but all records travel readable to %s; sasl_tls protects them",
            MESH_KAFKA_SECURITY_NAME, brokers);
    say_expiry(security, expired, sizeof expired);
    if (expired[0] != '\0')
        say(&s, "%s: brokers will refuse it; renew it and start again", expired);
}

/* Without librdkafka's " (after 3ms in state APIVERSION_QUERY, 1 identical error(s) suppressed)". */
static void plain_words(const char *reason, char *ret, size_t n)
{
    const char *end = strstr(reason, " (after ");
    size_t length = end == NULL ? strlen(reason) : (size_t)(end - reason);
    snprintf(ret, n, "%.*s", (int)(length < n ? length : n - 1), reason);
}

static void tell_authentication(const struct mesh_kafka_security *s, const char *words, char *ret)
{
    if (strstr(words, "mechanism handshake failed") != NULL)
        snprintf(ret, MESH_KAFKA_REFUSAL_MAX, "the broker's listener does not offer %s=%s: %s", MESH_KAFKA_SASL_MECHANISM_NAME,
                 given(s->mechanism) ? s->mechanism : "", words);
    else
        snprintf(
            ret, MESH_KAFKA_REFUSAL_MAX,
            "the broker does not accept user '%s' with %s; mend the user there, or %s and %s here, which are read at the start: %s",
            given(s->user) ? s->user : "", given(s->mechanism) ? s->mechanism : "no mechanism", MESH_KAFKA_USER_NAME,
            MESH_KAFKA_PASSWORD_FILE_NAME, words);
}

static void tell_tls(const struct mesh_kafka_security *s, const char *words, char *ret)
{
    char expired[MESH_KAFKA_REFUSAL_MAX];
    say_expiry(s, expired, sizeof expired);
    if (expired[0] != '\0')
        snprintf(ret, MESH_KAFKA_REFUSAL_MAX, "%.250s; renew it and start again: %s", expired, words);
    else if (strstr(words, "alert") != NULL)
        snprintf(
            ret, MESH_KAFKA_REFUSAL_MAX, "the broker does not accept %s; it wants one that a CA known to it has signed (%s): %s",
            given(s->cert_file) ? "the client certificate" : "a client without a certificate", MESH_KAFKA_CERT_FILE_NAME, words);
    else if (strstr(words, "verify failed") != NULL)
        snprintf(
            ret, MESH_KAFKA_REFUSAL_MAX,
            "the broker's certificate is not trusted; %s (%.150s) must hold the CA that signed it, and it must name the host: %s",
            MESH_KAFKA_CA_FILE_NAME, given(s->ca_file) ? s->ca_file : "not set, so the system's", words);
    else
        snprintf(ret, MESH_KAFKA_REFUSAL_MAX, "no TLS with the broker; its listener may want another %s than %s: %s",
                 MESH_KAFKA_SECURITY_NAME, protocol_of(s), words);
}

bool mesh_kafka_refusal(const struct mesh_kafka_security *security, int code, const char *reason, char ret[MESH_KAFKA_REFUSAL_MAX])
{
    static const struct mesh_kafka_security none = {0};
    const struct mesh_kafka_security *s = security == NULL ? &none : security;
    char words[MESH_KAFKA_REFUSAL_MAX / 2];
    plain_words(reason, words, sizeof words);
    bool alert = s->tls && code == RD_KAFKA_RESP_ERR__TRANSPORT && strstr(words, " alert ") != NULL;
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED)
        tell_authentication(s, words, ret);
    else if (code == RD_KAFKA_RESP_ERR__SSL || alert)
        tell_tls(s, words, ret);
    else
        return false;
    return true;
}

bool mesh_kafka_other_listener(const struct mesh_kafka_security *security, const char *why, char ret[MESH_KAFKA_REFUSAL_MAX])
{
    /* Older versions of librdkafka name its setting, newer ones say nothing or have a guess. */
    bool closed = why[0] == '\0' || strstr(why, "security.protocol") != NULL || strstr(why, "broker listener") != NULL ||
                  (strstr(why, "Disconnected") != NULL && strstr(why, "in state SSL_HANDSHAKE") != NULL);
    if (!closed)
        return false;
    char words[MESH_KAFKA_REFUSAL_MAX / 2];
    plain_words(why, words, sizeof words);
    snprintf(ret, MESH_KAFKA_REFUSAL_MAX,
             "the broker closes the connection unanswered: its listener may want another %s than %s%s%s", MESH_KAFKA_SECURITY_NAME,
             security == NULL ? protocols[0].name : protocol_of(security), words[0] == '\0' ? "" : "; ", words);
    return true;
}
