/* CRC-32 by zlib, for hosts without libdeflate. */
#include <zlib.h>

#include "common/bytes.h"

uint32_t crc32_update(uint32_t crc, const void *data, size_t len_bytes)
{
    return len_bytes == 0 ? crc : (uint32_t)crc32_z(crc, data, len_bytes);
}
