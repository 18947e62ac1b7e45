/*
 * Digests that were computed once, with what they were computed from: a digest is taken as known
 * only after every byte of the content was compared with what it belongs to. For explorers that
 * have a device hash the same contents thousands of times; what it spares is the computation alone.
 */
#ifndef OTABENCH_ENGINE_DIGEST_MEMO_H
#define OTABENCH_ENGINE_DIGEST_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim_device/board/board.h"

struct digest_memo;

/* Whether both are the same, at least as strictly as memcmp; kept stays where it is. */
typedef bool digest_memo_equal(void *ctx, const uint8_t *data, const uint8_t *kept,
                               uint32_t len_bytes);

/* max_bytes: of contents that are copied; more are not kept, and none is given up. equal may be
 * null: memcmp. Null without memory. */
struct digest_memo *digest_memo_new(size_t max_bytes, digest_memo_equal *equal, void *equal_ctx);
void digest_memo_free(struct digest_memo *m); /* null is fine */

/* Content that will outlive the memo and is expected, whole and by the piece: it is not copied. */
void digest_memo_lend(struct digest_memo *m, const void *data, uint32_t len_bytes,
                      uint32_t piece_bytes);

/* As struct board_memo has them; m is its ctx. */
bool digest_memo_find(void *m, int kind, const uint8_t *data, uint32_t len_bytes, uint8_t *out);
void digest_memo_keep(void *m, int kind, const uint8_t *data, uint32_t len_bytes,
                      const uint8_t *out);

#endif
