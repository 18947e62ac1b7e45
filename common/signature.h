/*
 * The signature that Aliyun announces with an image, "digestsign" (aliyun note §12.6): RSA-2048,
 * PKCS#1 v1.5 over the SHA-256 of the image's digest, not of the image; as base64 text. By OpenSSL.
 */
#ifndef OTABENCH_COMMON_SIGNATURE_H
#define OTABENCH_COMMON_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include <stdbool.h>

#include "common/err.h"

#define SIGNATURE_BYTES    256
#define SIGNATURE_TEXT_MAX 345 /* with terminator */

/* Whether text is a key of that kind that can be used here. ERR_ARG, saying what it is instead; a
 * key with a pass phrase is of no use, nobody is there to be asked. */
int signature_key_check(const char *pem, bool is_private, struct err *err);

/* Signs a digest of len_bytes. 0; ERR_ARG: no private RSA key of 2048 bits. */
int signature_make(const char *private_pem, const uint8_t *digest, size_t len_bytes,
                   char out[SIGNATURE_TEXT_MAX], struct err *err);
/* Whether text signs that digest. 0; ERR_DIGEST: it does not; ERR_FORMAT: text is no base64 of
 * SIGNATURE_BYTES; ERR_ARG: no public RSA key of 2048 bits. */
int signature_check(const char *public_pem, const uint8_t *digest, size_t len_bytes,
                    const char *text, struct err *err);

#endif
