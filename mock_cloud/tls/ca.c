#include "mock_cloud/tls/ca.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define KEY_BITS    2048
#define DAY_S       (24L * 3600)
#define CA_DAYS     7300
#define SERVER_DAYS 3650
#define RENEW_DAYS  30 /* a certificate that ends sooner is made anew */
#define ALT_MAX     1024

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

static void identity_free(struct identity *i)
{
    EVP_PKEY_free(i->key);
    X509_free(i->cert);
    *i = (struct identity){.key = NULL};
}

/* ---- certificates ---- */

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = e != NULL && X509_add_ext(cert, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static bool set_serial(X509 *cert)
{
    uint8_t bytes[8];
    uint64_t number = 0;
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    memcpy(&number, bytes, sizeof number);
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), number >> 1 | 1) == 1;
}

static bool set_subject(X509 *cert, const char *name)
{
    X509_NAME *n = X509_get_subject_name(cert);
    return X509_NAME_add_entry_by_txt(n, "O", MBSTRING_ASC, (const unsigned char *)"otabench", -1,
                                      -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
                                      0) == 1;
}

/* A key and a certificate for it, signed by issuer, or by itself when that is null. alt: subject
 * alternative names as OpenSSL writes them; null: an authority. */
static int make(struct identity *out, const struct identity *issuer, const char *name,
                const char *alt, long from_s, long until_s)
{
    out->key = EVP_RSA_gen(KEY_BITS);
    out->cert = X509_new();
    if (out->key == NULL || out->cert == NULL)
        return ERR_NOMEM;
    X509 *c = out->cert;
    const struct identity *by = issuer != NULL ? issuer : out;
    bool ok = X509_set_version(c, 2) == 1 && set_serial(c) && set_subject(c, name) &&
              X509_set_pubkey(c, out->key) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(c), from_s) != NULL &&
              X509_gmtime_adj(X509_getm_notAfter(c), until_s) != NULL &&
              X509_set_issuer_name(c, X509_get_subject_name(by->cert)) == 1;
    ok = ok && add_extension(c, by->cert, NID_subject_key_identifier, "hash");
    if (alt == NULL)
        ok = ok &&
             add_extension(c, by->cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
             add_extension(c, by->cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    else
        ok = ok && add_extension(c, by->cert, NID_basic_constraints, "critical,CA:FALSE") &&
             add_extension(c, by->cert, NID_key_usage,
                           "critical,digitalSignature,keyEncipherment") &&
             add_extension(c, by->cert, NID_ext_key_usage, "serverAuth") &&
             add_extension(c, by->cert, NID_subject_alt_name, alt);
    ok = ok && add_extension(c, by->cert, NID_authority_key_identifier, "keyid") &&
         X509_sign(c, by->key, EVP_sha256()) > 0;
    return ok ? 0 : ERR_IO;
}

/* ---- files ---- */

static int path_in(const char *dir, const char *name, const char *end, char out[CA_PATH_MAX],
                   struct err *err)
{
    int n = snprintf(out, CA_PATH_MAX, "%s/%s%s", dir, name, end);
    return n < 0 || n >= CA_PATH_MAX ? err_set(err, ERR_LIMIT, "%s: path too long", dir) : 0;
}

/* Complete or not there: written beside and renamed. */
static int save(const char *path, X509 *cert, EVP_PKEY *key, struct err *err)
{
    char part[CA_PATH_MAX + 8];
    (void)snprintf(part, sizeof part, "%s.part", path);
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, key != NULL ? 0600 : 0644);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (f == NULL) {
        int rc = err_set(err, ERR_IO, "%s cannot be written: %s", part, strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return rc;
    }
    bool ok = cert != NULL ? PEM_write_X509(f, cert) == 1
                           : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;
    ok = fflush(f) == 0 && fsync(fd) == 0 && ok;
    ok = fclose(f) == 0 && ok && rename(part, path) == 0;
    return ok ? 0 : err_set(err, ERR_IO, "%s cannot be written: %s", path, strerror(errno));
}

/* False when it is not there or cannot be used. */
static bool load(struct identity *out, const char *cert_path, const char *key_path)
{
    FILE *f = fopen(cert_path, "r");
    if (f != NULL) {
        out->cert = PEM_read_X509(f, NULL, NULL, NULL);
        (void)fclose(f);
    }
    f = fopen(key_path, "r");
    if (f != NULL) {
        out->key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
        (void)fclose(f);
    }
    if (out->cert != NULL && out->key != NULL && X509_check_private_key(out->cert, out->key) == 1)
        return true;
    identity_free(out);
    return false;
}

static int save_both(const struct identity *i, const char *cert_path, const char *key_path,
                     struct err *err)
{
    int rc = save(key_path, NULL, i->key, err);
    return rc != 0 ? rc : save(cert_path, i->cert, NULL, err);
}

/* ---- names ---- */

static bool is_address(const char *name)
{
    struct in_addr a;
    return inet_pton(AF_INET, name, &a) == 1;
}

static bool is_name(const char *name)
{
    return name[0] != '\0' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
               strlen(name);
}

static int alt_names(char out[ALT_MAX], const char *const *names, size_t n, struct err *err)
{
    size_t at = (size_t)snprintf(out, ALT_MAX, "DNS:localhost,IP:127.0.0.1");
    if (n > CA_NAMES_MAX)
        return err_set(err, ERR_LIMIT, "certificate: at most %d names", CA_NAMES_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!is_name(names[i]))
            return err_set(err, ERR_ARG,
                           "certificate: \"%s\" is neither a host name nor an IPv4 address",
                           names[i]);
        int len = snprintf(out + at, ALT_MAX - at, ",%s:%s", is_address(names[i]) ? "IP" : "DNS",
                           names[i]);
        if (len < 0 || (size_t)len >= ALT_MAX - at)
            return err_set(err, ERR_LIMIT, "certificate: names too long");
        at += (size_t)len;
    }
    return 0;
}

/* Signed by this authority, holding for a while, and for all these names. */
static bool fits(const struct identity *server, const struct identity *ca, const char *const *names,
                 size_t n)
{
    EVP_PKEY *key = X509_get0_pubkey(ca->cert);
    if (X509_verify(server->cert, key) != 1)
        return false;
    ASN1_TIME *later = X509_gmtime_adj(NULL, RENEW_DAYS * DAY_S);
    bool ok = later != NULL && ASN1_TIME_compare(X509_get0_notAfter(server->cert), later) > 0;
    ASN1_TIME_free(later);
    for (size_t i = 0; i < n && ok; i++)
        ok = is_address(names[i]) ? X509_check_ip_asc(server->cert, names[i], 0) == 1
                                  : X509_check_host(server->cert, names[i], 0, 0, NULL) == 1;
    return ok;
}

/* ---- the whole ---- */

static int ensure_ca(const char *dir, struct identity *ca, struct ca_files *out, struct err *err)
{
    char key_path[CA_PATH_MAX];
    int rc = path_in(dir, "ca", ".pem", out->ca_path, err);
    if (rc == 0)
        rc = path_in(dir, "ca", ".key", key_path, err);
    if (rc != 0 || load(ca, out->ca_path, key_path))
        return rc;
    rc = make(ca, NULL, "otabench CA", NULL, -DAY_S, CA_DAYS * DAY_S);
    if (rc != 0)
        return err_set(err, rc, "a CA cannot be made");
    return save_both(ca, out->ca_path, key_path, err);
}

static int make_server(const struct identity *ca, enum ca_certificate kind, const char *alt,
                       struct identity *server, struct err *err)
{
    struct identity other = {.key = NULL};
    const struct identity *by = ca;
    int rc = 0;
    if (kind == CA_UNTRUSTED) {
        rc = make(&other, NULL, "somebody else", NULL, -DAY_S, SERVER_DAYS * DAY_S);
        by = &other;
    }
    bool wrong = kind == CA_WRONG_NAME, expired = kind == CA_EXPIRED;
    if (rc == 0)
        rc = make(server, by, wrong ? "other.example" : "localhost",
                  wrong ? "DNS:other.example" : alt, expired ? -3 * DAY_S : -DAY_S,
                  expired ? -DAY_S : SERVER_DAYS * DAY_S);
    identity_free(&other);
    return rc == 0 ? 0 : err_set(err, rc, "a server certificate cannot be made");
}

static int ensure(const char *dir, enum ca_certificate kind, const char *const *names, size_t n,
                  struct ca_files *out, struct err *err)
{
    static const char *const stems[CA_CERTIFICATE_COUNT] = {"server", "untrusted", "wrong-name",
                                                            "expired"};
    char alt[ALT_MAX];
    struct identity ca = {.key = NULL}, server = {.key = NULL};
    int rc = alt_names(alt, names, n, err);
    if (rc == 0)
        rc = path_in(dir, stems[kind], ".pem", out->cert_path, err);
    if (rc == 0)
        rc = path_in(dir, stems[kind], ".key", out->key_path, err);
    if (rc == 0)
        rc = ensure_ca(dir, &ca, out, err);
    bool there = rc == 0 && kind == CA_GOOD && load(&server, out->cert_path, out->key_path);
    if (there && !fits(&server, &ca, names, n)) {
        identity_free(&server);
        there = false;
    }
    if (rc == 0 && !there) {
        rc = make_server(&ca, kind, alt, &server, err);
        if (rc == 0)
            rc = save_both(&server, out->cert_path, out->key_path, err);
    }
    identity_free(&server);
    identity_free(&ca);
    return rc;
}

int ca_ensure(const char *dir, enum ca_certificate kind, const char *const *names, size_t n_names,
              struct ca_files *out, struct err *err)
{
    char lock_path[CA_PATH_MAX];
    int rc = path_in(dir, "ca", ".lock", lock_path, err);
    if (rc != 0)
        return rc;
    int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) != 0)
        rc = err_set(err, ERR_IO, "%s: %s", lock_path, strerror(errno));
    else
        rc = ensure(dir, kind, names, n_names, out, err);
    if (lock >= 0)
        (void)close(lock); /* and with it the lock */
    return rc;
}

int ca_read_pem(const char *path, char out[CA_PEM_MAX], struct err *err)
{
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    size_t n = fread(out, 1, CA_PEM_MAX, f);
    bool bad = ferror(f) != 0;
    (void)fclose(f);
    if (bad)
        return err_set(err, ERR_IO, "%s cannot be read", path);
    if (n == CA_PEM_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %d bytes", path, CA_PEM_MAX - 1);
    out[n] = '\0';
    return 0;
}
