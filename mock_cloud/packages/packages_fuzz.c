/*
 * Any bytes as a package. The first byte chooses how much is made right before the checks, since a
 * fuzzer guesses neither magic nor digests: nothing, the digests and the CRC, or a whole container
 * around a delta stream of the fuzzer's.
 */
#include <stdlib.h>
#include <string.h>

#include "mock_cloud/packages/packages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TABLE_BYTES (PACKAGE_HEAD_BYTES + PACKAGE_FILE_BYTES)

/* Head and one entry around a stream; sizes from the fuzzer as well. */
static void wrap(struct buf *b, const uint8_t *in, size_t len_bytes)
{
    struct package_head h = {.file_count = 1, .algorithm = PACKAGE_ALGORITHM, .to_version = "1"};
    struct package_file f = {.name = "app", .kind = PACKAGE_DELTA};
    uint8_t raw[TABLE_BYTES];
    if (len_bytes < 16)
        return;
    h.total_bytes = (uint32_t)(TABLE_BYTES + len_bytes - 15);
    h.restore_block_bytes = 1u + get_le16(in);
    h.window_bytes = get_le16(in + 2);
    h.compare_block_kib = 64;
    f.direction = in[4] % 2 == 0 ? PACKAGE_ASCENDING : PACKAGE_DESCENDING;
    f.old_bytes = get_le32(in + 5) & 0xfffffU;
    f.new_bytes = 1 + (get_le32(in + 9) & 0xfffffU);
    f.payload_offset = TABLE_BYTES;
    f.payload_bytes = (uint32_t)(len_bytes - 15);
    digest_of(DIGEST_SHA256, in + 15, len_bytes - 15, f.payload_sha256);
    package_file_encode(&f, raw + PACKAGE_HEAD_BYTES);
    digest_of(DIGEST_SHA256, raw + PACKAGE_HEAD_BYTES, PACKAGE_FILE_BYTES, h.table_sha256);
    package_head_encode(&h, raw);
    if (buf_append(b, raw, sizeof raw) != 0 || buf_append(b, in + 15, len_bytes - 15) != 0)
        abort();
}

static void sign(struct buf *b)
{
    uint8_t *head = b->data;
    if (b->len_bytes < TABLE_BYTES)
        return;
    memcpy(head, "OBPK", 4);
    put_le16(head + 4, 1);
    put_le32(head + 8, (uint32_t)b->len_bytes);
    const size_t table_bytes = (size_t)get_le16(head + 6) * PACKAGE_FILE_BYTES;
    if (table_bytes <= b->len_bytes - PACKAGE_HEAD_BYTES)
        digest_of(DIGEST_SHA256, head + PACKAGE_HEAD_BYTES, table_bytes, head + 88);
    put_le32(head + PACKAGE_HEAD_BYTES - 4, crc32_update(0, head, PACKAGE_HEAD_BYTES - 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf package, text;
    struct err err = {""};
    if (size < 1)
        return 0;
    buf_init(&package, 1 << 20);
    buf_init(&text, 1 << 16);
    if (data[0] % 3 == 2)
        wrap(&package, data + 1, size - 1);
    else if (buf_append(&package, data + 1, size - 1) != 0)
        return 0;
    if (data[0] % 3 == 1)
        sign(&package);
    /* A copy of the exact length, so that a byte too far is seen. */
    uint8_t *exact = malloc(package.len_bytes > 0 ? package.len_bytes : 1);
    if (exact == NULL)
        abort();
    if (package.len_bytes > 0)
        memcpy(exact, package.data, package.len_bytes);
    const int rc = package_verify(exact, package.len_bytes, &err);
    if (rc != 0 && err.text[0] == '\0')
        abort();
    const int described = package_describe(exact, package.len_bytes, &text, &err);
    if ((rc == 0) != (described == 0))
        abort();
    free(exact);
    buf_free(&package);
    buf_free(&text);
    return 0;
}
