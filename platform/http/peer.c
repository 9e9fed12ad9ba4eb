#include "http/peer.h"

#include "base/check.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>

#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX 1024

static void add_name(struct mesh_http_peer *peer, const char *kind, const char *text, size_t n)
{
    if (peer->n_names < MESH_HTTP_PEER_NAMES_MAX && n > 0 && memchr(text, '\0', n) == NULL)
        peer->names[peer->n_names++] = mesh_arena_printf(&peer->arena, "%s:%.*s", kind, (int)n, text);
}

static void read_names(struct mesh_http_peer *peer, gnutls_x509_crt_t cert)
{
    char text[NAME_BYTES_MAX];
    size_t n = 0;
    int type = 0;
    for (unsigned i = 0; type != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE; i++) {
        n = sizeof text;
        type = gnutls_x509_crt_get_subject_alt_name(cert, i, text, &n, NULL);
        if (type == GNUTLS_SAN_URI)
            add_name(peer, "URI", text, n);
        else if (type == GNUTLS_SAN_DNSNAME)
            add_name(peer, "DNS", text, n);
        else if (type == GNUTLS_SAN_RFC822NAME)
            add_name(peer, "EMAIL", text, n);
        else if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER)
            break;
    }
    gnutls_datum_t subject = {NULL, 0};
    if (gnutls_x509_crt_get_dn3(cert, &subject, 0) == 0)
        add_name(peer, "SUBJECT", (const char *)subject.data, subject.size);
    gnutls_free(subject.data);
}

static bool is_good(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT, 0};
    unsigned status = 0;
    return gnutls_certificate_verify_peers(session, &purpose, 1, &status) == 0 && status == 0;
}

static void look_at(struct mesh_http_peer *peer, gnutls_session_t session)
{
    unsigned n = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);
    gnutls_x509_crt_t cert = NULL;
    if (chain == NULL || n == 0)
        return;
    peer->state = MESH_HTTP_PEER_BAD;
    if (gnutls_certificate_type_get(session) != GNUTLS_CRT_X509 || !is_good(session) || gnutls_x509_crt_init(&cert) != 0)
        return;
    if (gnutls_x509_crt_import(cert, &chain[0], GNUTLS_X509_FMT_DER) == 0) {
        peer->state = MESH_HTTP_PEER_GOOD;
        read_names(peer, cert);
    }
    gnutls_x509_crt_deinit(cert);
}

struct mesh_http_peer *mesh_http_peer_new(struct MHD_Connection *connection)
{
    struct mesh_http_peer *peer = mesh_xcalloc(1, sizeof *peer);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info != NULL && info->tls_session != NULL)
        look_at(peer, info->tls_session);
    return peer;
}

struct mesh_http_peer *mesh_http_peer_free(struct mesh_http_peer *peer)
{
    if (peer == NULL)
        return NULL;
    mesh_arena_deinit(&peer->arena);
    free(peer);
    return NULL;
}
