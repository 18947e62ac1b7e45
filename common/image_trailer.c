#include "common/image_trailer.h"

#include <string.h>

#include "common/bytes.h"

static const uint32_t magics[] = {
    [IMAGE_SINGLE] = 0xABABABAB, [IMAGE_KERNEL] = 0xCDCDCDCD, [IMAGE_APP] = 0xEFEFEFEF};

void image_trailer_encode(const struct image_trailer *t, uint8_t out[IMAGE_TRAILER_BYTES])
{
    memset(out, 0, IMAGE_TRAILER_BYTES);
    put_le32(out, magics[t->part]);
    put_le32(out + 4, t->size_bytes);
    memcpy(out + 8, t->md5, MD5_BYTES);
}

int image_trailer_decode(struct image_trailer *t, const uint8_t in[IMAGE_TRAILER_BYTES],
                         uint32_t file_bytes, struct err *err)
{
    const uint32_t magic = get_le32(in), n = sizeof magics / sizeof magics[0];
    uint32_t part = 0;
    while (part < n && magics[part] != magic)
        part++;
    if (part == n)
        return err_set(err, ERR_FORMAT, "image trailer: magic 0x%08x is none", (unsigned)magic);
    *t = (struct image_trailer){.part = (enum image_part)part, .size_bytes = get_le32(in + 4)};
    memcpy(t->md5, in + 8, MD5_BYTES);
    if (file_bytes < IMAGE_TRAILER_BYTES || t->size_bytes != file_bytes - IMAGE_TRAILER_BYTES)
        return err_set(err, ERR_FORMAT, "image trailer: an image of %u bytes in a file of %u",
                       (unsigned)t->size_bytes, (unsigned)file_bytes);
    return 0;
}
