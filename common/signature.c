#include "common/signature.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

static EVP_PKEY *read_key(const char *pem, bool is_private, struct err *err)
{
    BIO *bio = pem == NULL ? NULL : BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = NULL;
    if (bio != NULL)
        key = is_private ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL)
                         : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
        EVP_PKEY_get_size(key) == SIGNATURE_BYTES)
        return key;
    EVP_PKEY_free(key);
    (void)err_set(err, ERR_ARG, "the key must be a %s RSA key of %d bits, as PEM",
                  is_private ? "private" : "public", 8 * SIGNATURE_BYTES);
    return NULL;
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
