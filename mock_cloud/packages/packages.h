/*
 * Making update packages: per restore block differences by the xdelta3 program, joined into one
 * VCDIFF stream per file; full payloads when a difference does not pay.
 *
 * Results are cached by (old, new, parameters): in a directory when one is given, so that thousands
 * of simulated scenarios run xdelta3 once.
 */
#ifndef OTABENCH_MOCK_CLOUD_PACKAGES_H
#define OTABENCH_MOCK_CLOUD_PACKAGES_H

#include "common/bytes.h"
#include "common/err.h"
#include "common/package.h"

#define PACKAGE_IMAGE_MAX (16u << 20)

struct package_source {
    char name[PACKAGE_NAME_MAX];
    uint32_t address;
    const uint8_t *old_image; /* null: no old image, full payload */
    uint32_t old_bytes;
    const uint8_t *new_image;
    uint32_t new_bytes;
};

struct package_params {
    char from_version[PACKAGE_NAME_MAX];
    char to_version[PACKAGE_NAME_MAX];
    uint16_t compare_block_kib;
    uint32_t restore_block_bytes;
    uint32_t window_bytes; /* largest VCDIFF target window; at most restore_block_bytes */
    bool full;             /* full payloads for every file */
    const char *cache_dir; /* null: none; created when absent */
    const char *temp_dir;  /* for xdelta3's files; null: TMPDIR is not read, "/tmp" */
};

/*
 * Appends the container to out. Files whose new image equals the old one are left out; if all are,
 * ERR_ARG, as for any bad argument (window and block sizes are checked for full packages too). A
 * file's delta is used only if it is smaller than 9/10 of the new image, else its full
 * payload; *kind says PACKAGE_FULL when every file is full. Direction is the smaller of the two.
 * ERR_IO when xdelta3 fails or is missing (message says how to install it) or the cache cannot be
 * written; ERR_LIMIT, ERR_NOMEM. On error nothing is appended. A damaged cache file is made again.
 */
int package_make(struct buf *out, const struct package_source *files, size_t n,
                 const struct package_params *params, enum package_kind *kind, struct err *err);

/* Text for people: head, files, sizes, digests, share of the new image. ERR_FORMAT for a damaged
 * one. */
int package_describe(const uint8_t *data, size_t len_bytes, struct buf *out, struct err *err);
/* Checks everything that can be checked without a device: CRC, table and payload digests, bounds,
 * window structure headers. */
int package_verify(const uint8_t *data, size_t len_bytes, struct err *err);

/*
 * Seeded firmware generator: the offline fall-back for real images. Code-like content: repeated
 * idioms, address tables, strings, 0xFF tail. package_generate_next edits it as a rebuild does:
 * patches, insertions that move code and rewrite the address tables, growth or shrinkage by
 * grow_bytes (the result has at least 64 bytes). Any old image will do. Both append exactly the
 * image: 0, ERR_ARG for an empty one, ERR_LIMIT above PACKAGE_IMAGE_MAX or out's maximum,
 * ERR_NOMEM.
 */
int package_generate(struct buf *out, uint64_t seed, uint32_t len_bytes);
int package_generate_next(struct buf *out, uint64_t seed, const uint8_t *old_image,
                          uint32_t old_bytes, int32_t grow_bytes);

#endif
