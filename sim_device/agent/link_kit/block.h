/*
 * A block of a file that comes over MQTT (aliyun note §10): two bytes length of a JSON text,
 * big-endian; the text; the block; CRC-16/ARC of the block, low byte first.
 */
#ifndef OTABENCH_AGENT_LINK_KIT_BLOCK_H
#define OTABENCH_AGENT_LINK_KIT_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define KIT_BLOCK_TOKEN_MAX 128

/* data points into the payload. */
struct kit_block {
    uint32_t offset, file_bytes;
    const uint8_t *data;
    size_t len_bytes;
    char token[KIT_BLOCK_TOKEN_MAX + 1]; /* to be sent back with the next request */
};

/* 0; ERR_FORMAT, ERR_LIMIT: the frame or its text is malformed; ERR_DIGEST: wrong CRC;
 * ERR_UNSUPPORTED: the cloud refuses, code other than 200. */
int kit_block_parse(struct kit_block *out, const uint8_t *payload, size_t len_bytes,
                    struct err *err);

/* CRC-16/ARC: polynomial 0x8005 reflected, initial value 0. */
uint16_t kit_block_crc16(const uint8_t *data, size_t len_bytes);

#endif
