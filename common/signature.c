#include "common/signature.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

/* What is in a text that was to be a key, by the line that begins it. */
static const char *kind_of(const char *pem, bool is_private)
{
    static const struct {
        const char *label;
        bool is_private; /* what was wanted */
        const char *text;
    } kinds[] = {
        {"-----BEGIN ENCRYPTED ", true, "has a pass phrase"},
        {"Proc-Type: 4,ENCRYPTED", true, "has a pass phrase"},
        {"PUBLIC KEY-----", true, "is a public one"},
        {"PRIVATE KEY-----", false, "is a private one"},
        {"-----BEGIN RSA PUBLIC KEY-----", false, "has the form of PKCS#1"},
        {"-----BEGIN CERTIFICATE-----", true, "is a certificate"},
        {"-----BEGIN CERTIFICATE-----", false, "is in a certificate"},
    };
    for (size_t i = 0; pem != NULL && i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].is_private == is_private && strstr(pem, kinds[i].label) != NULL)
            return kinds[i].text;
    return "cannot be read";
}

/* Instead of asking the terminal. */
static int no_pass_phrase(char *out, int room, int writing, void *ctx)
{
    (void)out, (void)room, (void)writing, (void)ctx;
    return -1;
}

static EVP_PKEY *read_key(const char *pem, bool is_private, struct err *err)
{
    BIO *bio = pem == NULL ? NULL : BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = NULL;
    char what[64] = "";
    if (bio != NULL)
        key = is_private ? PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL)
                         : PEM_read_bio_PUBKEY(bio, NULL, no_pass_phrase, NULL);
    BIO_free(bio);
    if (key == NULL)
        (void)snprintf(what, sizeof what, "%s", kind_of(pem, is_private));
    else if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
        (void)snprintf(what, sizeof what, "is of the kind %.40s", EVP_PKEY_get0_type_name(key));
    else if (EVP_PKEY_get_size(key) != SIGNATURE_BYTES)
        (void)snprintf(what, sizeof what, "has %d bits", 8 * EVP_PKEY_get_size(key));
    if (what[0] == '\0')
        return key;
    EVP_PKEY_free(key);
    (void)err_set(err, ERR_ARG, "the key %s, it must be a %s RSA key of %d bits, as PEM", what,
                  is_private ? "private" : "public", 8 * SIGNATURE_BYTES);
    return NULL;
}

int signature_key_check(const char *pem, bool is_private, struct err *err)
{
    EVP_PKEY *key = read_key(pem, is_private, err);
    EVP_PKEY_free(key);
    return key == NULL ? ERR_ARG : 0;
}

int signature_make(const char *private_pem, const uint8_t *digest, size_t len_bytes,
                   char out[SIGNATURE_TEXT_MAX], struct err *err)
{
    uint8_t bytes[SIGNATURE_BYTES];
    size_t n = sizeof bytes;
    EVP_PKEY *key = read_key(private_pem, true, err);
    if (key == NULL)
        return ERR_ARG;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(ctx, bytes, &n, digest, len_bytes) == 1 && n == sizeof bytes;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    if (!ok)
        return err_set(err, ERR_NOMEM, "the digest cannot be signed");
    (void)EVP_EncodeBlock((unsigned char *)out, bytes, (int)sizeof bytes);
    return 0;
}

/* EVP_DecodeBlock passes over blanks and takes any padding; what is to be here is exact. */
static int decode(const char *text, uint8_t out[SIGNATURE_BYTES], struct err *err)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t chars = SIGNATURE_TEXT_MAX - 1, pads = 2;
    uint8_t bytes[SIGNATURE_BYTES + 2];
    if (strnlen(text, SIGNATURE_TEXT_MAX) != chars || strspn(text, alphabet) != chars - pads ||
        strcmp(text + chars - pads, "==") != 0 ||
        EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)chars) != (int)sizeof bytes)
        return err_set(err, ERR_FORMAT, "the signature must be %d bytes as base64",
                       SIGNATURE_BYTES);
    memcpy(out, bytes, SIGNATURE_BYTES);
    return 0;
}

int signature_check(const char *public_pem, const uint8_t *digest, size_t len_bytes,
                    const char *text, struct err *err)
{
    uint8_t bytes[SIGNATURE_BYTES];
    int rc = decode(text, bytes, err);
    if (rc != 0)
        return rc;
    EVP_PKEY *key = read_key(public_pem, false, err);
    if (key == NULL)
        return ERR_ARG;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(ctx, bytes, sizeof bytes, digest, len_bytes) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok ? 0 : err_set(err, ERR_DIGEST, "the signature is not of this digest");
}
