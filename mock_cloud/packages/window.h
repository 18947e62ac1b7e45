/*
 * The header of one VCDIFF window (RFC 3284 sections 4.2 and 4.3), as far as a maker of packages
 * needs it: to move a window's source segment when windows are joined, and to check where it reads
 * and writes. Instructions are not looked at: restoring is the boot loader's business.
 */
#ifndef OTABENCH_MOCK_CLOUD_PACKAGES_WINDOW_H
#define OTABENCH_MOCK_CLOUD_PACKAGES_WINDOW_H

#include "common/bytes.h"
#include "common/err.h"

#define DELTA_HEAD_BYTES 5 /* d6 c3 c4 00 00: version 0, nothing optional */

struct window {
    bool has_source;
    uint32_t source_len; /* source segment; 0, 0 without one */
    uint32_t source_pos;
    uint32_t target_len; /* at least 1 */
    size_t pos_at;       /* where the number source_pos is written: [pos_at, pos_end) */
    size_t pos_end;
    size_t len_bytes; /* the whole window */
};

/* The file header every stream begins with. ERR_FORMAT names the byte that differs. */
int delta_head_check(const uint8_t *data, size_t len_bytes, struct err *err);

/*
 * Parses the window at data[0]. ERR_FORMAT: truncated, numbers above 32 bits, sections that do not
 * add up, no output. ERR_UNSUPPORTED: VCD_TARGET, which in-place restore cannot serve, and
 * compressed sections.
 */
int window_parse(struct window *w, const uint8_t *data, size_t len_bytes, struct err *err);

/* Appends the window with its source segment moved by offset bytes. ERR_LIMIT, ERR_NOMEM. */
int window_append_moved(struct buf *out, const struct window *w, const uint8_t *data,
                        uint32_t offset);

#endif
