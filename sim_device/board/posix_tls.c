#include "sim_device/board/posix_tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>

#include "sim_device/board/posix_board_internal.h"

static bool trust(SSL_CTX *ctx, const char *ca_pem)
{
    BIO *bio = BIO_new_mem_buf(ca_pem, -1);
    X509 *cert = NULL;
    bool any = false;
    while (bio != NULL && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        any = X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert) == 1 || any;
        X509_free(cert);
    }
    BIO_free(bio);
    ERR_clear_error(); /* the end of the file is one */
    return any;
}

SSL_CTX *posix_tls_context(const char *host, const char *ca_pem)
{
    uint32_t ip;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    bool ok = ctx != NULL && SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
              SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) == 1 && trust(ctx, ca_pem);
    if (ok && host != NULL && !board_literal_ip(host, &ip))
        ok = X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(ctx), host, 0) == 1;
    if (!ok) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

void posix_tls_drop(struct posix_sock *k)
{
    SSL_free(k->ssl);
    k->ssl = NULL;
}

/* What the host's socket must be ready for before the call is tried again; 0: it failed. */
static short wanted(const struct posix_sock *k, int rc)
{
    switch (SSL_get_error(k->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return POLLIN;
    case SSL_ERROR_WANT_WRITE:
        return POLLOUT;
    default:
        return 0;
    }
}

int posix_sock_tls(struct board *b, int fd, const char *host, const char *ca_pem)
{
    struct posix_board *p = (struct posix_board *)b;
    struct posix_sock *k = posix_sock_at(p, fd);
    uint32_t ip;
    if (k == NULL || k->state != SOCK_CONNECTED || k->ssl != NULL)
        return -1;
    SSL_CTX *ctx = posix_tls_context(host, ca_pem);
    k->ssl = ctx == NULL ? NULL : SSL_new(ctx);
    SSL_CTX_free(ctx);
    if (k->ssl == NULL || SSL_set_fd(k->ssl, k->host_fd) != 1)
        return -1;
    if (host != NULL && !board_literal_ip(host, &ip))
        (void)SSL_set_tlsext_host_name(k->ssl, host);
    int64_t deadline_ns = vtime_after(posix_now_ns(p), p->cfg.connect_timeout_ns);
    for (;;) {
        ERR_clear_error();
        int rc = SSL_connect(k->ssl);
        if (rc == 1)
            return 0;
        short events = wanted(k, rc);
        if (events == 0 || posix_await(p, k, k->host_fd, events, deadline_ns) != BOARD_OK)
            return -1; /* the session stays on a socket of no more use until it is closed */
    }
}

int posix_tls_send(struct posix_board *p, struct posix_sock *k, const void *data, size_t len_bytes)
{
    for (;;) {
        ERR_clear_error();
        int rc = SSL_write(k->ssl, data, len_bytes > INT_MAX ? INT_MAX : (int)len_bytes);
        if (rc > 0)
            return rc;
        short events = wanted(k, rc);
        if (events == 0 || posix_await(p, k, k->host_fd, events, BOARD_FOREVER) != BOARD_OK)
            return -1;
    }
}

int posix_tls_recv(struct posix_board *p, struct posix_sock *k, void *out, size_t cap,
                   int64_t deadline_ns)
{
    for (;;) {
        ERR_clear_error();
        int rc = SSL_read(k->ssl, out, cap > INT_MAX ? INT_MAX : (int)cap);
        if (rc > 0)
            return rc;
        short events = wanted(k, rc);
        if (events == 0) {
            /* An end of the stream without close_notify is one all the same, as in the vendors'
             * stacks: lengths are told by HTTP. */
            bool orderly = SSL_get_error(k->ssl, rc) == SSL_ERROR_ZERO_RETURN ||
                           ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
            ERR_clear_error();
            k->reset = !orderly;
            return orderly ? 0 : BOARD_ERROR;
        }
        int news = posix_await(p, k, k->host_fd, events, deadline_ns);
        if (news == BOARD_TIMEOUT)
            return BOARD_TIMEOUT;
        if (news != BOARD_OK)
            return BOARD_ERROR;
    }
}

bool posix_tls_pending(const struct posix_sock *k)
{
    return k->ssl != NULL && SSL_pending(k->ssl) > 0;
}
