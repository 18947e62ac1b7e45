/*
 * Bytes: byte order, hex, CRC-32 and a growable buffer that is given its maximum at birth.
 * Every on-flash and on-wire integer of the project goes through these helpers.
 */
#ifndef OTABENCH_COMMON_BYTES_H
#define OTABENCH_COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint16_t get_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)(p[1] << 8));
}

static inline uint32_t get_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) | ((uint32_t)p[3] << 24);
}

static inline uint64_t get_le64(const uint8_t *p)
{
    return (uint64_t)get_le32(p) | ((uint64_t)get_le32(p + 4) << 32);
}

static inline void put_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
    put_le16(p, (uint16_t)v);
    put_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void put_le64(uint8_t *p, uint64_t v)
{
    put_le32(p, (uint32_t)v);
    put_le32(p + 4, (uint32_t)(v >> 32));
}

/* CRC-32 (IEEE 802.3, as zlib's crc32): start with crc = 0, feed pieces in order. */
uint32_t crc32_update(uint32_t crc, const void *data, size_t len_bytes);

/* Lower-case hex of len_bytes bytes plus a terminator; out holds 2 * len_bytes + 1. */
void hex_encode(char *out, const void *data, size_t len_bytes);

/* Exactly 2 * len_bytes hex digits of either case; false (out undefined) otherwise. */
bool hex_decode(uint8_t *out, size_t len_bytes, const char *hex);

/*
 * Growable buffer. max_bytes is fixed at init; growing past it fails and changes nothing.
 * data is null while nothing was appended. Always one zero byte past len_bytes once data exists,
 * so text may be read as a C string.
 */
struct buf {
    uint8_t *data;
    size_t len_bytes;
    size_t cap_bytes;
    size_t max_bytes;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_free(struct buf *b);  /* storage released, maximum kept: may be appended to again */
void buf_clear(struct buf *b); /* empty, storage kept */

/* 0, ERR_LIMIT above the maximum, ERR_NOMEM. data may be null: then room is added, zeroed. */
int buf_append(struct buf *b, const void *data, size_t len_bytes);
int buf_text(struct buf *b, const char *text); /* without the terminator */
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first len_bytes bytes (at most all of them). */
void buf_consume(struct buf *b, size_t len_bytes);

#endif
