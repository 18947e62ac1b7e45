/*
 * File blocks from anywhere. With an odd first byte the CRC is made right, since no fuzzer finds
 * one.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "sim_device/agent/link_kit/block.h"

static void require(int ok)
{
    if (!ok)
        abort();
}

static void repair(uint8_t *payload, size_t len)
{
    size_t text = len >= 2 ? (size_t)(payload[0] << 8 | payload[1]) : len;
    if (text > len || len - text < 4)
        return;
    put_le16(payload + len - 2, kit_block_crc16(payload + 2 + text, len - text - 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kit_block b;
    struct err err;
    if (size < 1)
        return 0;
    size_t len = size - 1;
    uint8_t *payload = malloc(len + 1);
    if (payload == NULL)
        return 0;
    memcpy(payload, data + 1, len);
    if (data[0] & 1)
        repair(payload, len);
    if (kit_block_parse(&b, payload, len, &err) == 0) {
        require(b.len_bytes >= 1 && b.data > payload && b.file_bytes >= 1);
        require((size_t)(b.data - payload) + b.len_bytes + 2 == len);
        require(strlen(b.token) <= KIT_BLOCK_TOKEN_MAX);
    }
    free(payload);
    return 0;
}
