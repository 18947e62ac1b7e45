/*
 * Files over MQTT: a block per request, binary (aliyun note §10):
 *
 *   2 bytes   length of the JSON, big-endian
 *   JSON {"id":..,"code":200,"msg":"success","data":{"fileToken","fileLength","bSize","bOffset"}}
 *   bSize     bytes of the file
 *   2 bytes   CRC-16/ARC of the block, low byte first
 *
 * A request that cannot be served is answered with code 400 or 404, no data and an empty block.
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_BLOCK_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_BLOCK_H

#include "mock_cloud/aliyun/message.h"
#include "mock_cloud/aliyun/topics.h"

#define ALIYUN_BLOCK_MAX (128 << 10) /* bytes that one request may ask for */

/* CRC-16/ARC: polynomial 0x8005 reflected, start 0. */
uint16_t aliyun_crc16(const void *data, size_t len_bytes);

/* Answers thing/file/download over the connection of via. */
void aliyun_block_get(struct cloud *c, int64_t now_ns, const char *via,
                      const struct aliyun_name *name, const struct aliyun_message *m);

#endif
