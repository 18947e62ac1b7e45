/*
 * VCDIFF: applies an RFC 3284 differential package in a boot loader's means: one fixed state of
 * under 4 KiB, no heap, no recursion, no flash access of its own. Old image and delta are read
 * through two callbacks at any offset, so both may stay in flash; each window is decoded into a
 * buffer of the caller, who writes it where it belongs and may lose power between any two windows.
 *
 * Accepted: version 0, the standard code table (section 5.6), any number of windows with or
 * without a source segment, address caches of sizes 4 and 3, and two additions of xdelta3: an
 * application header (skipped) and an Adler-32 per window (verified).
 * Refused as ERR_UNSUPPORTED, although the format has them: secondary compression, custom code
 * tables, other versions (0x53 is SDCH), and VCD_TARGET windows, which copy from target bytes
 * before the window and would force the loader to read back what it has already flashed.
 * Stricter than the text: numbers have at most five digits and 32 bits, the image stays below 4 GiB
 * and so does a segment with its target, and a delta has at least one window.
 *
 *     rc = vcdiff_open(&v, &io, delta_bytes, source_bytes, e);
 *     while (rc == 0 && (rc = vcdiff_next(&v, &w, e)) == 0)
 *         rc = vcdiff_decode(&v, &w, out, sizeof out, e); // then out[0..target_len) -> target_pos
 *     // rc is VCDIFF_END when all went well; v.target_pos is then the size of the new image
 *
 * Without Adler-32 the format notices neither a wrong source nor a flipped literal: a manifest
 * with digests of source, delta and target has to stand around it.
 *
 * Errors: ERR_FORMAT malformed or truncated; ERR_LIMIT the window does not fit the buffer, or the
 * image, or segment and target of a window, 32 bits; ERR_UNSUPPORTED as above; ERR_DIGEST the
 * Adler-32 differs; a negative return of a callback is passed through as it is. The text names
 * window and delta offset.
 */
#ifndef OTABENCH_SIM_DEVICE_BOOT_VCDIFF_H
#define OTABENCH_SIM_DEVICE_BOOT_VCDIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

#define VCDIFF_END              1 /* vcdiff_next: all windows passed, not one byte left over */
#define VCDIFF_NEAR             4
#define VCDIFF_SAME             (3 * 256)
#define VCDIFF_READ_AHEAD_BYTES 64

/*
 * Each fills out[0..len_bytes) from byte offset off and returns 0 or a negative err_code. Asked
 * only for ranges inside the delta, or inside the source segment of the window being decoded.
 */
struct vcdiff_io {
    void *ctx;
    int (*read_delta)(void *ctx, uint32_t off, void *out, uint32_t len_bytes);
    int (*read_source)(void *ctx, uint32_t off, void *out, uint32_t len_bytes);
};

/* One window. Plain offsets: a copy of it stays good for as long as the delta does. */
struct vcdiff_window {
    uint32_t index;      /* 0 for the first window */
    uint32_t source_pos; /* source segment, in the old image; 0, 0 when the window has none */
    uint32_t source_len;
    uint32_t target_pos; /* where the window's output begins in the new image */
    uint32_t target_len; /* may be 0 */
    uint32_t delta_off;  /* the encoded window, from its indicator byte to its last section */
    uint32_t delta_len;
    uint32_t data_off; /* the three sections follow each other from here and end the window */
    uint32_t data_len;
    uint32_t inst_len;
    uint32_t addr_len;
    uint32_t adler; /* 0 unless has_adler */
    bool has_adler;
};

/* A read position in a range of the delta, with read-ahead. Private. */
struct vcdiff_cursor {
    const char *name;
    uint32_t off; /* next delta offset to fetch */
    uint32_t end;
    uint8_t pos; /* next byte of buf; have are valid */
    uint8_t have;
    uint8_t buf[VCDIFF_READ_AHEAD_BYTES];
};

/* All state. Storage of the caller, needs no release; only the first group is for reading. */
struct vcdiff {
    uint32_t delta_off;    /* where vcdiff_next parses */
    uint32_t target_pos;   /* output bytes of the windows passed so far */
    uint32_t window_count; /* windows passed so far */

    struct vcdiff_io io;
    uint32_t delta_len_bytes;
    uint32_t source_len_bytes;
    struct vcdiff_cursor data, inst, addr; /* inst also reads the headers */
    uint32_t near[VCDIFF_NEAR];
    uint32_t near_slot;
    uint32_t same[VCDIFF_SAME];
};
_Static_assert(sizeof(struct vcdiff) <= 4096, "a boot loader's stack holds struct vcdiff");

/* Reads the file header (section 4.1). io is copied, its ctx must outlive v. */
int vcdiff_open(struct vcdiff *v, const struct vcdiff_io *io, uint32_t delta_len_bytes,
                uint32_t source_len_bytes, struct err *e);

/*
 * Parses the next window's header (section 4.2, 4.3) into w and checks that segment and sections
 * lie where they may. 0, VCDIFF_END or an error. Does not move on: vcdiff_decode and vcdiff_skip
 * do, so asking twice gives the same window twice.
 */
int vcdiff_next(struct vcdiff *v, struct vcdiff_window *w, struct err *e);

/*
 * Decodes w into out[0..w->target_len) and, on success, moves past it. On failure out is
 * undefined up to target_len, untouched beyond, and v stays before the window. w is the window
 * just parsed or any earlier one of the same delta: decoding that one moves back to it.
 */
int vcdiff_decode(struct vcdiff *v, const struct vcdiff_window *w, uint8_t *out,
                  uint32_t out_cap_bytes, struct err *e);

/*
 * All checks of vcdiff_decode but Adler-32 and out_cap_bytes, without output and without reading
 * the source: lets a loader walk the whole delta before it erases anything. Does not move on.
 */
int vcdiff_check(struct vcdiff *v, const struct vcdiff_window *w, struct err *e);

/* Moves past w without decoding, for example up to where a power cut struck. Always 0. */
int vcdiff_skip(struct vcdiff *v, const struct vcdiff_window *w);

#endif
