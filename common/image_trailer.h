/*
 * The end of a full image of AliOS Things (aliyun note §12.6), 28 bytes, little endian:
 *
 *   magic u32 | size u32 | MD5 16 | reserved 2 | CRC-16 u16
 *
 * size is that of the image without them, and the MD5 covers so much. Real clients do not compare
 * the CRC, and packers leave it 0; so it is here.
 */
#ifndef OTABENCH_COMMON_IMAGE_TRAILER_H
#define OTABENCH_COMMON_IMAGE_TRAILER_H

#include "common/digest.h"
#include "common/err.h"

#define IMAGE_TRAILER_BYTES 28

/* What the image is for; the magics. */
enum image_part { IMAGE_SINGLE, IMAGE_KERNEL, IMAGE_APP };

struct image_trailer {
    enum image_part part;
    uint32_t size_bytes; /* of the image without the trailer */
    uint8_t md5[MD5_BYTES];
};

void image_trailer_encode(const struct image_trailer *t, uint8_t out[IMAGE_TRAILER_BYTES]);
/* Of an image of file_bytes, the trailer included. ERR_FORMAT: magic or size. The MD5 is for the
 * caller to compare. */
int image_trailer_decode(struct image_trailer *t, const uint8_t in[IMAGE_TRAILER_BYTES],
                         uint32_t file_bytes, struct err *err);

#endif
