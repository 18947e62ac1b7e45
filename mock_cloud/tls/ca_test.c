#include "mock_cloud/tls/ca.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/testing/testing.h"

static X509 *read_cert(const char *path)
{
    FILE *f = fopen(path, "r");
    REQUIRE(f != NULL);
    X509 *c = PEM_read_X509(f, NULL, NULL, NULL);
    (void)fclose(f);
    REQUIRE(c != NULL);
    return c;
}

/* OpenSSL's own verdict on a chain, for that host name (null: none). */
static int verify(const struct ca_files *files, const char *host, const char *ip)
{
    X509 *ca = read_cert(files->ca_path), *cert = read_cert(files->cert_path);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    REQUIRE(store != NULL && ctx != NULL && X509_STORE_add_cert(store, ca) == 1);
    REQUIRE(X509_STORE_CTX_init(ctx, store, cert, NULL) == 1);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    (void)X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
    if (host != NULL)
        (void)X509_VERIFY_PARAM_set1_host(param, host, 0);
    if (ip != NULL)
        (void)X509_VERIFY_PARAM_set1_ip_asc(param, ip);
    int ok = X509_verify_cert(ctx);
    int code = ok == 1 ? 0 : X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(ca);
    X509_free(cert);
    return code;
}

static void made_once(void)
{
    char dir[TEST_PATH_MAX], first[CA_PEM_MAX], again[CA_PEM_MAX];
    struct ca_files f;
    struct err err = {.text = ""};
    struct stat st;
    test_tmpdir(dir);
    REQUIRE_OK(ca_ensure(dir, CA_GOOD, NULL, 0, &f, &err), &err);
    CHECK_INT(verify(&f, "localhost", NULL), X509_V_OK);
    CHECK_INT(verify(&f, NULL, "127.0.0.1"), X509_V_OK);
    CHECK_INT(verify(&f, "mqtt.example", NULL), X509_V_ERR_HOSTNAME_MISMATCH);
    CHECK(stat(f.key_path, &st) == 0 && (st.st_mode & 077) == 0);
    X509 *c = read_cert(f.cert_path);
    CHECK_INT(EVP_PKEY_get_base_id(X509_get0_pubkey(c)), EVP_PKEY_RSA);
    X509_free(c);
    REQUIRE_OK(ca_read_pem(f.cert_path, first, &err), &err);
    REQUIRE_OK(ca_ensure(dir, CA_GOOD, NULL, 0, &f, &err), &err);
    REQUIRE_OK(ca_read_pem(f.cert_path, again, &err), &err);
    CHECK(strcmp(first, again) == 0);
    /* Another name: a new certificate from the same authority. */
    static const char *const names[] = {"mqtt.example", "192.0.2.7"};
    char ca[CA_PEM_MAX], ca_again[CA_PEM_MAX];
    REQUIRE_OK(ca_read_pem(f.ca_path, ca, &err), &err);
    REQUIRE_OK(ca_ensure(dir, CA_GOOD, names, 2, &f, &err), &err);
    REQUIRE_OK(ca_read_pem(f.cert_path, again, &err), &err);
    REQUIRE_OK(ca_read_pem(f.ca_path, ca_again, &err), &err);
    CHECK(strcmp(first, again) != 0);
    CHECK(strcmp(ca, ca_again) == 0);
    CHECK_INT(verify(&f, "mqtt.example", NULL), X509_V_OK);
    CHECK_INT(verify(&f, NULL, "192.0.2.7"), X509_V_OK);
    /* A damaged file is made anew. */
    FILE *out = fopen(f.cert_path, "w");
    REQUIRE(out != NULL && fputs("nothing", out) >= 0 && fclose(out) == 0);
    REQUIRE_OK(ca_ensure(dir, CA_GOOD, names, 2, &f, &err), &err);
    CHECK_INT(verify(&f, "mqtt.example", NULL), X509_V_OK);
}

struct bad {
    const char *name;
    enum ca_certificate kind;
    int code;
};

static const struct bad bads[] = {
    {"untrusted", CA_UNTRUSTED, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
    {"wrong name", CA_WRONG_NAME, X509_V_ERR_HOSTNAME_MISMATCH},
    {"expired", CA_EXPIRED, X509_V_ERR_CERT_HAS_EXPIRED},
};

static const char *bad_name(const void *row)
{
    return ((const struct bad *)row)->name;
}

static void is_bad(const void *row)
{
    const struct bad *b = row;
    char dir[TEST_PATH_MAX];
    struct ca_files f;
    struct err err = {.text = ""};
    test_tmpdir(dir);
    REQUIRE_OK(ca_ensure(dir, b->kind, NULL, 0, &f, &err), &err);
    CHECK_INT(verify(&f, "localhost", NULL), b->code);
}

static void refused(void)
{
    char dir[TEST_PATH_MAX];
    struct ca_files f;
    struct err err = {.text = ""};
    static const char *const evil[] = {"a,DNS:*.com"};
    test_tmpdir(dir);
    CHECK_ERR(ca_ensure(dir, CA_GOOD, evil, 1, &f, &err), ERR_ARG);
    CHECK_HAS(err.text, "neither a host name");
    CHECK_ERR(ca_ensure("/nowhere", CA_GOOD, NULL, 0, &f, &err), ERR_IO);
    CHECK_HAS(err.text, "/nowhere");
    char out[CA_PEM_MAX];
    CHECK_ERR(ca_read_pem("/nowhere/ca.pem", out, &err), ERR_IO);
    CHECK_ERR(ca_read_pem("/dev/zero", out, &err), ERR_LIMIT);
}

static const struct test tests[] = {
    {"an authority and a certificate are made once", made_once},
    TEST_ROWS("a bad certificate", is_bad, bads, bad_name),
    {"bad names and places are refused", refused},
};
TEST_MAIN("certificates", tests)
