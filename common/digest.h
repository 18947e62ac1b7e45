/*
 * MD5, SHA-256 and the HMACs that clouds sign with, by OpenSSL. MD5 is here because the clouds
 * announce it, SHA-256 because nothing less may decide what is booted.
 */
#ifndef OTABENCH_COMMON_DIGEST_H
#define OTABENCH_COMMON_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum digest_kind { DIGEST_MD5, DIGEST_SHA256 };

#define MD5_BYTES        16
#define SHA256_BYTES     32
#define DIGEST_BYTES_MAX 32
#define DIGEST_HEX_MAX   (2 * DIGEST_BYTES_MAX + 1)

/* Bytes of a digest of that kind. */
size_t digest_bytes(enum digest_kind kind);

/* A running digest. Opaque heap object of the library behind ctx; digest_end or _abort frees it. */
struct digest {
    enum digest_kind kind;
    void *ctx;
};

int digest_begin(struct digest *d, enum digest_kind kind); /* 0 or ERR_NOMEM */
void digest_update(struct digest *d, const void *data, size_t len_bytes);
void digest_end(struct digest *d, uint8_t *out); /* out: digest_bytes(kind) */
void digest_abort(struct digest *d);             /* also fine after digest_end */

/* One call over one buffer. */
void digest_of(enum digest_kind kind, const void *data, size_t len_bytes, uint8_t *out);
void digest_hex_of(enum digest_kind kind, const void *data, size_t len_bytes,
                   char out[DIGEST_HEX_MAX]);

/* The digest inside an HMAC. SHA-1 only signs: nothing is verified by it alone. */
enum hmac_kind { HMAC_MD5, HMAC_SHA1, HMAC_SHA256 };

#define SHA1_BYTES     20
#define HMAC_BYTES_MAX 32
#define HMAC_HEX_MAX   (2 * HMAC_BYTES_MAX + 1)

/* Returns the bytes written to out. The key may be empty (len 0, null). */
size_t hmac_of(enum hmac_kind kind, const void *key, size_t key_bytes, const void *data,
               size_t len_bytes, uint8_t out[HMAC_BYTES_MAX]);
/* The same as lower-case hex. */
void hmac_hex_of(enum hmac_kind kind, const void *key, size_t key_bytes, const void *data,
                 size_t len_bytes, char out[HMAC_HEX_MAX]);
/* A key made ready, where many HMACs are made with it: about three times as fast. Heap object of
 * the library behind ctx. hmac_key_end is also fine on a zeroed one. */
struct hmac_key {
    void *ctx;
};
int hmac_key_begin(struct hmac_key *k, enum hmac_kind kind, const void *key, size_t key_bytes);
size_t hmac_key_of(const struct hmac_key *k, const void *data, size_t len_bytes,
                   uint8_t out[HMAC_BYTES_MAX]);
void hmac_key_end(struct hmac_key *k);
/* HMAC-MD5 as lower-case hex; the key may be empty (len 0). */
void hmac_md5_hex(const void *key, size_t key_bytes, const void *data, size_t len_bytes,
                  char out[2 * MD5_BYTES + 1]);

#endif
