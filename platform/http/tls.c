/* libmicrohttpd's TLS is GnuTLS, which says little about what is wrong with a file; OpenSSL looks at it first. */
#include "http/tls.h"

#include "base/check.h"
#include "base/fs.h"
#include "base/secret.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>

#define CERT_BYTES_MAX (256u << 10)

static int no_password(char *to, int n, int writing, void *context)
{
    (void)to;
    (void)n;
    (void)writing;
    (void)context;
    return -1;
}

/* NULL, or what is wrong. */
static const char *look_at(const char *cert, const char *key)
{
    BIO *cert_bio = BIO_new_mem_buf(cert, -1), *key_bio = BIO_new_mem_buf(key, -1);
    X509 *x509 = PEM_read_bio_X509(cert_bio, NULL, no_password, NULL);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(key_bio, NULL, no_password, NULL);
    const char *wrong = x509 == NULL                                          ? "the certificate is not PEM"
                        : pkey == NULL                                        ? "the key is not PEM, or needs a password"
                        : X509_check_private_key(x509, pkey) != 1             ? "the key is not that of the certificate"
                        : X509_cmp_current_time(X509_get0_notAfter(x509)) < 0 ? "the certificate is over"
                                                                              : NULL;
    EVP_PKEY_free(pkey);
    X509_free(x509);
    BIO_free(key_bio);
    BIO_free(cert_bio);
    return wrong;
}

/* How many certificates there are before the end, or before what is none. */
static int count_certificates(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    int n = 0;
    for (X509 *x509; (x509 = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL; n++)
        X509_free(x509);
    BIO_free(bio);
    return n;
}

static int load_client_ca(const char *file, struct mesh_http_tls *tls, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf ca = MESH_BUF_NULL;
    if (mesh_fs_read(file, CERT_BYTES_MAX, &ca, err) < 0)
        return -1;
    mesh_buf_putc(&ca, '\0');
    if (count_certificates(ca.p) == 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "http.tls", "%s: has no certificate in it", file);
    tls->client_ca = mesh_buf_take(&ca);
    return 0;
}

int mesh_http_tls_load(const char *cert_file, const char *key_file, const char *client_ca_file, struct mesh_http_tls *ret,
                       struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf cert = MESH_BUF_NULL;
    *ret = (struct mesh_http_tls){0};
    if (cert_file[0] == '\0' && client_ca_file[0] != '\0')
        return mesh_err_set(err, MESH_ERR_FATAL, "http.tls", "MESH_HTTP_CLIENT_CA_FILE needs TLS: set MESH_HTTP_CERT_FILE, too");
    if (cert_file[0] == '\0' && key_file[0] == '\0')
        return 0;
    if (cert_file[0] == '\0' || key_file[0] == '\0')
        return mesh_err_set(err, MESH_ERR_FATAL, "http.tls",
                            "MESH_HTTP_CERT_FILE and MESH_HTTP_KEY_FILE belong together: set both");
    if (mesh_fs_read(cert_file, CERT_BYTES_MAX, &cert, err) < 0 ||
        mesh_secret_read("MESH_HTTP_KEY_FILE", key_file, &ret->key, err) < 0)
        return -1;
    const char *wrong = look_at(cert.p, ret->key);
    if (wrong != NULL) {
        mesh_http_tls_deinit(ret);
        return mesh_err_set(err, MESH_ERR_FATAL, "http.tls", "%s, %s: %s", cert_file, key_file, wrong);
    }
    ret->cert = mesh_buf_take(&cert);
    if (client_ca_file[0] != '\0' && load_client_ca(client_ca_file, ret, err) < 0) {
        mesh_http_tls_deinit(ret);
        return -1;
    }
    return 0;
}

void mesh_http_tls_deinit(struct mesh_http_tls *tls)
{
    free(tls->cert);
    free(tls->client_ca);
    mesh_secret_free(tls->key);
    *tls = (struct mesh_http_tls){0};
}

int mesh_http_tls_ask(int fd, const char *request, char *ret, int ret_n)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = ctx == NULL ? NULL : SSL_new(ctx);
    int n = 0;
    bool ok = ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1 &&
              SSL_write(ssl, request, (int)strlen(request)) == (int)strlen(request);
    while (ok && n < ret_n) {
        int part = SSL_read(ssl, ret + n, ret_n - n);
        if (part <= 0)
            break;
        n += part;
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return n;
}
