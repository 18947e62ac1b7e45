/*
 * The update package container: what the cloud makes, the agent stores and the boot loader
 * restores. Byte layout and reasons: docs/package-format.md. All integers little endian.
 *
 *   head (PACKAGE_HEAD_BYTES) | file table (file_count * PACKAGE_FILE_BYTES) | payloads
 *
 * The head carries a CRC-32 of itself and the SHA-256 of the file table; every file entry carries
 * SHA-256 of its source (delta only), payload and target. Sizes and lengths are exact.
 */
#ifndef OTABENCH_COMMON_PACKAGE_H
#define OTABENCH_COMMON_PACKAGE_H

#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"

#define PACKAGE_HEAD_BYTES 136
#define PACKAGE_FILE_BYTES 160
#define PACKAGE_FILES_MAX  20 /* seed 000 §3.4.2: at most 20 files */
#define PACKAGE_NAME_MAX   32 /* with terminator */
#define PACKAGE_ALGORITHM  1  /* the only algorithm: in-place VCDIFF; CMIOT_FOTA_ALGORITHM 1 */

enum package_kind { PACKAGE_FULL = 0, PACKAGE_DELTA = 1 };

/* Order in which restore blocks are rewritten, so that the old bytes still needed are not yet gone.
 */
enum package_direction { PACKAGE_ASCENDING = 0, PACKAGE_DESCENDING = 1 };

struct package_head {
    uint16_t file_count;          /* 1..PACKAGE_FILES_MAX */
    uint32_t total_bytes;         /* of the whole package */
    uint32_t restore_block_bytes; /* unit of in-place restore: at most the device's backup area */
    uint32_t window_bytes;      /* largest VCDIFF target window: RAM the device must have for it */
    uint16_t compare_block_kib; /* CMIOT_FOTA_CONTRAST_BLOCK_SIZE it was made for */
    uint8_t algorithm;
    char from_version[PACKAGE_NAME_MAX];
    char to_version[PACKAGE_NAME_MAX];
    uint8_t table_sha256[SHA256_BYTES];
};

struct package_file {
    char name[PACKAGE_NAME_MAX];
    uint32_t address; /* where the file lives on the device (flash address as configured) */
    enum package_kind kind;
    enum package_direction direction; /* PACKAGE_ASCENDING for full files */
    uint32_t old_bytes;               /* length of the source image; 0 for full */
    uint32_t new_bytes;               /* length of the target image */
    uint32_t payload_offset;          /* from the start of the package */
    uint32_t payload_bytes;
    uint8_t old_sha256[SHA256_BYTES]; /* zero for full */
    uint8_t payload_sha256[SHA256_BYTES];
    uint8_t new_sha256[SHA256_BYTES];
};

/* Encode always succeeds on values that decode would accept. */
void package_head_encode(const struct package_head *h, uint8_t out[PACKAGE_HEAD_BYTES]);
void package_file_encode(const struct package_file *f, uint8_t out[PACKAGE_FILE_BYTES]);

/* ERR_FORMAT (magic, version, CRC, ranges, unterminated text), ERR_LIMIT (file count). Says which
 * field. */
int package_head_decode(struct package_head *h, const uint8_t in[PACKAGE_HEAD_BYTES],
                        struct err *err);
/* head: for bounds of payload_offset/bytes. Reserved bytes must be zero. */
int package_file_decode(struct package_file *f, const struct package_head *head,
                        const uint8_t in[PACKAGE_FILE_BYTES], struct err *err);

/* Restore blocks of a file of new_bytes: new_bytes / restore_block_bytes, rounded up. */
uint32_t package_blocks(const struct package_head *h, const struct package_file *f);
/*
 * The block rewritten at position `turn` (0-based) and the range of the OLD image its delta may
 * read. Ascending: block = turn, readable [block*R, old_bytes). Descending: block = n-1-turn,
 * readable [0, min((block+1)*R, old_bytes)). So nothing already overwritten is ever read.
 */
uint32_t package_block_at(const struct package_head *h, const struct package_file *f, uint32_t turn,
                          uint32_t *readable_from, uint32_t *readable_to);

#endif
