#include "common/digest.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/err.h"

static const EVP_MD *evp(enum digest_kind kind)
{
    return kind == DIGEST_MD5 ? EVP_md5() : EVP_sha256();
}

size_t digest_bytes(enum digest_kind kind)
{
    return kind == DIGEST_MD5 ? MD5_BYTES : SHA256_BYTES;
}

int digest_begin(struct digest *d, enum digest_kind kind)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    *d = (struct digest){.kind = kind, .ctx = ctx};
    if (ctx == NULL)
        return ERR_NOMEM;
    if (EVP_DigestInit_ex(ctx, evp(kind), NULL) != 1) {
        digest_abort(d);
        return ERR_NOMEM;
    }
    return 0;
}

void digest_update(struct digest *d, const void *data, size_t len_bytes)
{
    int ok = EVP_DigestUpdate(d->ctx, data, len_bytes);
    assert(ok == 1);
    (void)ok;
}

void digest_end(struct digest *d, uint8_t *out)
{
    int ok = EVP_DigestFinal_ex(d->ctx, out, NULL);
    assert(ok == 1);
    (void)ok;
    digest_abort(d);
}

void digest_abort(struct digest *d)
{
    EVP_MD_CTX_free(d->ctx);
    d->ctx = NULL;
}

void digest_of(enum digest_kind kind, const void *data, size_t len_bytes, uint8_t *out)
{
    int ok = EVP_Digest(data, len_bytes, out, NULL, evp(kind), NULL);
    assert(ok == 1);
    (void)ok;
}

void digest_hex_of(enum digest_kind kind, const void *data, size_t len_bytes,
                   char out[DIGEST_HEX_MAX])
{
    uint8_t raw[DIGEST_BYTES_MAX];
    digest_of(kind, data, len_bytes, raw);
    hex_encode(out, raw, digest_bytes(kind));
}

size_t hmac_of(enum hmac_kind kind, const void *key, size_t key_bytes, const void *data,
               size_t len_bytes, uint8_t out[HMAC_BYTES_MAX])
{
    const EVP_MD *md = kind == HMAC_MD5 ? EVP_md5() : kind == HMAC_SHA1 ? EVP_sha1() : EVP_sha256();
    unsigned int out_bytes = 0;
    /* The library wants a non-null key pointer even for the empty key. */
    const void *k = key_bytes == 0 ? "" : key;
    const unsigned char *done = HMAC(md, k, (int)key_bytes, data, len_bytes, out, &out_bytes);
    assert(done != NULL && out_bytes <= HMAC_BYTES_MAX);
    (void)done;
    return out_bytes;
}

void hmac_hex_of(enum hmac_kind kind, const void *key, size_t key_bytes, const void *data,
                 size_t len_bytes, char out[HMAC_HEX_MAX])
{
    uint8_t raw[HMAC_BYTES_MAX];
    hex_encode(out, raw, hmac_of(kind, key, key_bytes, data, len_bytes, raw));
}

int hmac_key_begin(struct hmac_key *k, enum hmac_kind kind, const void *key, size_t key_bytes)
{
    static const char *const names[] = {"MD5", "SHA1", "SHA256"};
    char digest[8];
    (void)snprintf(digest, sizeof digest, "%s", names[kind]);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); /* the context has its own hold on it */
    k->ctx = ctx;
    if (ctx != NULL &&
        EVP_MAC_init(ctx, key_bytes == 0 ? (const void *)"" : key, key_bytes, params) == 1)
        return 0;
    hmac_key_end(k);
    return ERR_NOMEM;
}

size_t hmac_key_of(const struct hmac_key *k, const void *data, size_t len_bytes,
                   uint8_t out[HMAC_BYTES_MAX])
{
    size_t out_bytes = 0;
    int done = EVP_MAC_init(k->ctx, NULL, 0, NULL) == 1 &&
               EVP_MAC_update(k->ctx, data, len_bytes) == 1 &&
               EVP_MAC_final(k->ctx, out, &out_bytes, HMAC_BYTES_MAX) == 1;
    assert(done && out_bytes <= HMAC_BYTES_MAX);
    (void)done;
    return out_bytes;
}

void hmac_key_end(struct hmac_key *k)
{
    EVP_MAC_CTX_free(k->ctx);
    k->ctx = NULL;
}

void hmac_md5_hex(const void *key, size_t key_bytes, const void *data, size_t len_bytes,
                  char out[2 * MD5_BYTES + 1])
{
    char hex[HMAC_HEX_MAX];
    hmac_hex_of(HMAC_MD5, key, key_bytes, data, len_bytes, hex);
    memcpy(out, hex, 2 * MD5_BYTES + 1);
}
