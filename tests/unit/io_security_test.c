/* What the operator reads when a broker refuses, and what of a MongoDB URI may be seen. The texts of librdkafka are real ones. */
#include "../check.h"

#include "base/check.h"
#include "io/kafka_security.h"
#include "io/mongo.h"

#define TLS                                                                                                                        \
    {                                                                                                                              \
        .protocol = "tls", .tls = true, .ca_file = "/etc/ca.pem"                                                                   \
    }
#define SASL                                                                                                                       \
    {                                                                                                                              \
        .protocol = "sasl_tls", .tls = true, .sasl = true, .mechanism = "SCRAM-SHA-256", .user = "ann", .password = "geheim"       \
    }

CASE(refusals_have_a_reason)
{
    static const struct {
        struct mesh_kafka_security security;
        int code;
        const char *reason, *want;
    } all[] = {
        {SASL, RD_KAFKA_RESP_ERR__AUTHENTICATION,
         "sasl_ssl://127.0.0.1:35705/bootstrap: SASL authentication error: Authentication failed during authentication due to "
         "invalid "
         "credentials with SASL mechanism SCRAM-SHA-256 (after 166ms in state AUTH_REQ, 1 identical error(s) suppressed)",
         "does not accept user 'ann' with SCRAM-SHA-256; mend the user there, or MESH_KAFKA_USER and MESH_KAFKA_PASSWORD_FILE"},
        {SASL, RD_KAFKA_RESP_ERR__AUTHENTICATION,
         "SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: SCRAM-SHA-512",
         "the broker's listener does not offer MESH_KAFKA_SASL_MECHANISM=SCRAM-SHA-256: SASL PLAIN"},
        {TLS, RD_KAFKA_RESP_ERR__SSL,
         "ssl://127.0.0.1:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker "
         "certificate "
         "could not be verified (after 11ms in state SSL_HANDSHAKE)",
         "not trusted; MESH_KAFKA_CA_FILE (/etc/ca.pem) must hold the CA that signed it, and it must name the host"},
        {TLS, RD_KAFKA_RESP_ERR__SSL, "SSL handshake failed: error:0A000126:SSL routines::unexpected eof while reading",
         "may want another MESH_KAFKA_SECURITY than tls: SSL handshake failed"},
        {TLS, RD_KAFKA_RESP_ERR__TRANSPORT,
         "Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate: SSL alert number 42 (after 0ms in state UP)",
         "does not accept a client without a certificate; it wants one that a CA known to it has signed (MESH_KAFKA_CERT_FILE)"},
    };
    char text[MESH_KAFKA_REFUSAL_MAX];
    for (size_t i = 0; i < MESH_LEN(all); i++) {
        REQUIRE(mesh_kafka_refusal(&all[i].security, all[i].code, all[i].reason, text));
        CHECK_CONTAINS(text, all[i].want);
        CHECK(strstr(text, "(after ") == NULL && strstr(text, "geheim") == NULL);
    }
}

CASE(a_broker_that_is_away_is_no_refusal)
{
    static const struct mesh_kafka_security tls = TLS;
    char text[MESH_KAFKA_REFUSAL_MAX];
    static const char down[] =
        "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)";
    CHECK(!mesh_kafka_refusal(&tls, RD_KAFKA_RESP_ERR__TRANSPORT, down, text));
    CHECK(!mesh_kafka_refusal(NULL, RD_KAFKA_RESP_ERR__TRANSPORT, "alert or not, there is no TLS", text));
    CHECK(!mesh_kafka_refusal(&tls, RD_KAFKA_RESP_ERR__RESOLVE, "Failed to resolve 'kafka:9092'", text));
    CHECK(!mesh_kafka_other_listener(&tls, down, text));
    REQUIRE(mesh_kafka_other_listener(NULL, "", text));
    CHECK_CONTAINS(text, "may want another MESH_KAFKA_SECURITY than plaintext");
    REQUIRE(mesh_kafka_other_listener(
        NULL, "Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol", text));
    REQUIRE(
        mesh_kafka_other_listener(&tls, "Disconnected: SSL connection closed by peer (after 2ms in state SSL_HANDSHAKE)", text));
    REQUIRE(
        mesh_kafka_other_listener(&tls, "SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?", text));
    CHECK_CONTAINS(text, "another MESH_KAFKA_SECURITY than tls; SSL handshake failed");
}

CASE(secrets_of_a_mongo_uri)
{
    static const struct {
        const char *uri, *want;
    } all[] = {
        {"", ""},
        {"mongodb://host/x", "mongodb://host/x"},
        {"mongodb://ann:a@b/c@host:1,other:2/x?tls=true", "mongodb://****@host:1,other:2/x?tls=true"},
        {"ann:geheim@host", "****@host"},
        {"mongodb+srv://ann@host/?authMechanismProperties=AWS_SESSION_TOKEN:geheim;x=1&appName=a@b",
         "mongodb+srv://****@host/?authMechanismProperties=****;x=1&appName=a@b"},
    };
    for (size_t i = 0; i < MESH_LEN(all); i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        mesh_mongo_mask(all[i].uri, &text);
        CHECK_STR(text.p, all[i].want);
    }
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_mongo_hide("mongodb://ann:geheim@host/", "bad 'ann:geheim', very bad geheim, geheim", &text);
    CHECK_STR(text.p, "bad '****', very bad ****, ****");
    static const char *const wrong[] = {
        "mongodb://ann:gehe/im@host", "mongodb://ann:gehe:im@host",  "ann:geheim@host",
        "mongodb://ann:geheim@",      "mongodb://ann:geh%eim@host/", "mongodb://ann:geheim@host:port/"};
    struct mesh_product product = {.name = "shop"};
    for (size_t i = 0; i < MESH_LEN(wrong); i++) {
        struct mesh_mongo *mongo = NULL;
        struct mesh_err err = {0};
        struct mesh_mongo_conf conf = {.uri = wrong[i], .database = "x", .product = &product};
        REQUIRE(mesh_mongo_new(&conf, &mongo, &err) < 0);
        CHECK_CONTAINS(err.text, "MESH_MONGO_URI is not a MongoDB URI");
        CHECK(strstr(err.text, "geh") == NULL);
        if (strstr(err.text, "geh") != NULL)
            printf("# %s: %s\n", wrong[i], err.text);
    }
}
