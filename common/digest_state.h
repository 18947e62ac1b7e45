/*
 * A running MD5 or SHA-256 as plain bytes that can be kept on flash and gone on with after a power
 * cut, as AliOS Things keeps it (aliyun note §12.3). By OpenSSL; everywhere else digest.h serves.
 */
#ifndef OTABENCH_COMMON_DIGEST_STATE_H
#define OTABENCH_COMMON_DIGEST_STATE_H

#include "common/digest.h"
#include "common/err.h"

#define DIGEST_STATE_BYTES 112

/* All there is of it; may be copied. */
struct digest_state {
    enum digest_kind kind;
    uint32_t h[8]; /* MD5 uses four */
    uint64_t len_bytes;
    uint8_t block[64]; /* the first len_bytes % 64 */
};

void digest_state_begin(struct digest_state *s, enum digest_kind kind);
void digest_state_update(struct digest_state *s, const void *data, size_t len_bytes);
/* The digest so far; the state may go on. out: digest_bytes(kind). */
void digest_state_end(const struct digest_state *s, uint8_t *out);

/* Little endian: h, length, block, kind. Load: 0, or ERR_FORMAT for an unknown kind. */
void digest_state_save(const struct digest_state *s, uint8_t out[DIGEST_STATE_BYTES]);
int digest_state_load(struct digest_state *s, const uint8_t in[DIGEST_STATE_BYTES]);

#endif
