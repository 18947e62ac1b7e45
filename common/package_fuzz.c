/*
 * Any bytes as head and file table. What is accepted must encode to the same bytes again, and
 * every block's readable range must lie inside the old image.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_turn(const struct package_head *h, const struct package_file *f, uint32_t turn)
{
    uint32_t from, to;
    uint32_t block = package_block_at(h, f, turn, &from, &to);
    if (block >= package_blocks(h, f) || from > to || to > f->old_bytes)
        abort();
}

static void check_file(const struct package_head *h, const uint8_t *in)
{
    struct package_file f;
    uint8_t again[PACKAGE_FILE_BYTES];
    struct err err;
    if (package_file_decode(&f, h, in, &err) != 0)
        return;
    package_file_encode(&f, again);
    if (memcmp(again, in, sizeof again) != 0)
        abort();
    uint32_t blocks = package_blocks(h, &f);
    if (blocks == 0)
        abort();
    for (uint32_t turn = 0; turn < blocks && turn < 64; turn++)
        check_turn(h, &f, turn);
    check_turn(h, &f, blocks - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t in[PACKAGE_HEAD_BYTES];
    uint8_t again[PACKAGE_HEAD_BYTES];
    struct package_head h;
    struct err err;
    if (size < PACKAGE_HEAD_BYTES)
        return 0;
    memcpy(in, data, sizeof in);
    /* A fuzzer cannot guess magic and CRC: an odd last byte means "as it is". */
    if (size == PACKAGE_HEAD_BYTES || data[size - 1] % 2 == 0) {
        memcpy(in, "OBPK", 4);
        put_le32(in + PACKAGE_HEAD_BYTES - 4, crc32_update(0, in, PACKAGE_HEAD_BYTES - 4));
    }
    if (package_head_decode(&h, in, &err) != 0)
        return 0;
    package_head_encode(&h, again);
    if (memcmp(again, in, sizeof again) != 0)
        abort();
    for (size_t at = PACKAGE_HEAD_BYTES; at + PACKAGE_FILE_BYTES <= size; at += PACKAGE_FILE_BYTES)
        check_file(&h, data + at);
    return 0;
}
