#include "common/package.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "common/bytes.h"

#define PACKAGE_MAGIC   0x4B50424FU /* "OBPK" as bytes */
#define PACKAGE_VERSION 1U

/* Byte offsets, head. */
enum {
    HEAD_MAGIC = 0,
    HEAD_VERSION = 4,
    HEAD_FILE_COUNT = 6,
    HEAD_TOTAL = 8,
    HEAD_RESTORE_BLOCK = 12,
    HEAD_WINDOW = 16,
    HEAD_COMPARE_KIB = 20,
    HEAD_ALGORITHM = 22,
    HEAD_ZERO_A = 23,
    HEAD_FROM = 24,
    HEAD_TO = HEAD_FROM + PACKAGE_NAME_MAX,
    HEAD_TABLE_SHA = HEAD_TO + PACKAGE_NAME_MAX,
    HEAD_ZERO_B = HEAD_TABLE_SHA + SHA256_BYTES,
    HEAD_CRC = HEAD_ZERO_B + 12
};
_Static_assert(HEAD_CRC + 4 == PACKAGE_HEAD_BYTES, "head layout");

/* Byte offsets, file entry. */
enum {
    FILE_NAME = 0,
    FILE_ADDRESS = FILE_NAME + PACKAGE_NAME_MAX,
    FILE_KIND = 36,
    FILE_DIRECTION = 37,
    FILE_ZERO_A = 38,
    FILE_OLD_BYTES = 40,
    FILE_NEW_BYTES = 44,
    FILE_PAYLOAD_OFFSET = 48,
    FILE_PAYLOAD_BYTES = 52,
    FILE_ZERO_B = 56,
    FILE_OLD_SHA = 64,
    FILE_PAYLOAD_SHA = FILE_OLD_SHA + SHA256_BYTES,
    FILE_NEW_SHA = FILE_PAYLOAD_SHA + SHA256_BYTES
};
_Static_assert(FILE_ADDRESS + 4 == FILE_KIND, "file layout");
_Static_assert(FILE_NEW_SHA + SHA256_BYTES == PACKAGE_FILE_BYTES, "file layout");

static bool all_zero(const uint8_t *p, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        if (p[i] != 0)
            return false;
    }
    return true;
}

/* The rest behind the terminator is zero, so one value has one encoding. */
static void put_text(uint8_t *p, const char *text)
{
    memset(p, 0, PACKAGE_NAME_MAX);
    memcpy(p, text, strnlen(text, PACKAGE_NAME_MAX - 1));
}

static int get_text(char *out, const uint8_t *p, bool may_be_empty, const char *what,
                    struct err *err)
{
    size_t len = strnlen((const char *)p, PACKAGE_NAME_MAX);
    if (len == PACKAGE_NAME_MAX)
        return err_set(err, ERR_FORMAT, "%s is not terminated within %d bytes", what,
                       PACKAGE_NAME_MAX);
    if (len == 0 && !may_be_empty)
        return err_set(err, ERR_FORMAT, "%s is empty", what);
    for (size_t i = 0; i < len; i++) {
        if (p[i] < 0x20 || p[i] > 0x7E)
            return err_set(err, ERR_FORMAT, "%s: byte 0x%02x at %zu is not printable ASCII", what,
                           p[i], i);
    }
    if (!all_zero(p + len, PACKAGE_NAME_MAX - len))
        return err_set(err, ERR_FORMAT, "%s: bytes behind the terminator are not zero", what);
    memcpy(out, p, PACKAGE_NAME_MAX);
    return 0;
}

void package_head_encode(const struct package_head *h, uint8_t out[PACKAGE_HEAD_BYTES])
{
    memset(out, 0, PACKAGE_HEAD_BYTES);
    put_le32(out + HEAD_MAGIC, PACKAGE_MAGIC);
    put_le16(out + HEAD_VERSION, PACKAGE_VERSION);
    put_le16(out + HEAD_FILE_COUNT, h->file_count);
    put_le32(out + HEAD_TOTAL, h->total_bytes);
    put_le32(out + HEAD_RESTORE_BLOCK, h->restore_block_bytes);
    put_le32(out + HEAD_WINDOW, h->window_bytes);
    put_le16(out + HEAD_COMPARE_KIB, h->compare_block_kib);
    out[HEAD_ALGORITHM] = h->algorithm;
    put_text(out + HEAD_FROM, h->from_version);
    put_text(out + HEAD_TO, h->to_version);
    memcpy(out + HEAD_TABLE_SHA, h->table_sha256, SHA256_BYTES);
    put_le32(out + HEAD_CRC, crc32_update(0, out, HEAD_CRC));
}

void package_file_encode(const struct package_file *f, uint8_t out[PACKAGE_FILE_BYTES])
{
    memset(out, 0, PACKAGE_FILE_BYTES);
    put_text(out + FILE_NAME, f->name);
    put_le32(out + FILE_ADDRESS, f->address);
    out[FILE_KIND] = (uint8_t)f->kind;
    out[FILE_DIRECTION] = (uint8_t)f->direction;
    put_le32(out + FILE_OLD_BYTES, f->old_bytes);
    put_le32(out + FILE_NEW_BYTES, f->new_bytes);
    put_le32(out + FILE_PAYLOAD_OFFSET, f->payload_offset);
    put_le32(out + FILE_PAYLOAD_BYTES, f->payload_bytes);
    memcpy(out + FILE_OLD_SHA, f->old_sha256, SHA256_BYTES);
    memcpy(out + FILE_PAYLOAD_SHA, f->payload_sha256, SHA256_BYTES);
    memcpy(out + FILE_NEW_SHA, f->new_sha256, SHA256_BYTES);
}

int package_head_decode(struct package_head *h, const uint8_t in[PACKAGE_HEAD_BYTES],
                        struct err *err)
{
    memset(h, 0, sizeof *h);
    if (get_le32(in + HEAD_MAGIC) != PACKAGE_MAGIC)
        return err_set(err, ERR_FORMAT, "package head: magic is 0x%08x, not 0x%08x",
                       get_le32(in + HEAD_MAGIC), PACKAGE_MAGIC);
    if (get_le32(in + HEAD_CRC) != crc32_update(0, in, HEAD_CRC))
        return err_set(err, ERR_FORMAT, "package head: CRC-32 does not match its content");
    if (get_le16(in + HEAD_VERSION) != PACKAGE_VERSION)
        return err_set(err, ERR_FORMAT, "package head: version is %u, known is %u",
                       get_le16(in + HEAD_VERSION), PACKAGE_VERSION);
    h->file_count = get_le16(in + HEAD_FILE_COUNT);
    if (h->file_count < 1 || h->file_count > PACKAGE_FILES_MAX)
        return err_set(err, ERR_LIMIT, "package head: %u files, allowed are 1..%d", h->file_count,
                       PACKAGE_FILES_MAX);
    h->total_bytes = get_le32(in + HEAD_TOTAL);
    uint32_t payloads = PACKAGE_HEAD_BYTES + (uint32_t)h->file_count * PACKAGE_FILE_BYTES;
    if (h->total_bytes <= payloads)
        return err_set(err, ERR_FORMAT, "package head: total of %u bytes leaves no payload",
                       h->total_bytes);
    h->restore_block_bytes = get_le32(in + HEAD_RESTORE_BLOCK);
    if (h->restore_block_bytes == 0)
        return err_set(err, ERR_FORMAT, "package head: restore block of 0 bytes");
    h->window_bytes = get_le32(in + HEAD_WINDOW);
    if (h->window_bytes > h->restore_block_bytes)
        return err_set(err, ERR_FORMAT,
                       "package head: window of %u bytes exceeds the restore block of %u",
                       h->window_bytes, h->restore_block_bytes);
    h->compare_block_kib = get_le16(in + HEAD_COMPARE_KIB);
    if (h->compare_block_kib == 0)
        return err_set(err, ERR_FORMAT, "package head: compare block of 0 KiB");
    h->algorithm = in[HEAD_ALGORITHM];
    if (in[HEAD_ZERO_A] != 0 || !all_zero(in + HEAD_ZERO_B, HEAD_CRC - HEAD_ZERO_B))
        return err_set(err, ERR_FORMAT, "package head: reserved bytes are not zero");
    int rc = get_text(h->from_version, in + HEAD_FROM, true, "package head: from_version", err);
    if (rc == 0)
        rc = get_text(h->to_version, in + HEAD_TO, false, "package head: to_version", err);
    memcpy(h->table_sha256, in + HEAD_TABLE_SHA, SHA256_BYTES);
    return rc;
}

static int check_file(const struct package_file *f, const struct package_head *head,
                      struct err *err)
{
    uint64_t table_end = PACKAGE_HEAD_BYTES + (uint64_t)head->file_count * PACKAGE_FILE_BYTES;
    uint64_t payload_end = (uint64_t)f->payload_offset + f->payload_bytes;

    if (f->new_bytes == 0)
        return err_set(err, ERR_FORMAT, "package file %s: new image of 0 bytes", f->name);
    if ((uint64_t)f->address + f->new_bytes > UINT32_MAX ||
        (uint64_t)f->address + f->old_bytes > UINT32_MAX)
        return err_set(err, ERR_FORMAT, "package file %s: image at 0x%x exceeds 32-bit addresses",
                       f->name, f->address);
    if (f->payload_bytes == 0 || f->payload_offset < table_end || payload_end > head->total_bytes)
        return err_set(err, ERR_FORMAT,
                       "package file %s: payload of %u bytes at %u is not inside [%u, %u)", f->name,
                       f->payload_bytes, f->payload_offset, (unsigned)table_end, head->total_bytes);
    if (f->kind == PACKAGE_DELTA) {
        if (f->old_bytes == 0)
            return err_set(err, ERR_FORMAT, "package file %s: delta without an old image", f->name);
        return 0;
    }
    if (f->direction != PACKAGE_ASCENDING || f->old_bytes != 0 ||
        !all_zero(f->old_sha256, SHA256_BYTES))
        return err_set(err, ERR_FORMAT,
                       "package file %s: a full image has no old image and is ascending", f->name);
    if (f->payload_bytes != f->new_bytes)
        return err_set(err, ERR_FORMAT,
                       "package file %s: full payload of %u bytes for an image of %u", f->name,
                       f->payload_bytes, f->new_bytes);
    return 0;
}

int package_file_decode(struct package_file *f, const struct package_head *head,
                        const uint8_t in[PACKAGE_FILE_BYTES], struct err *err)
{
    memset(f, 0, sizeof *f);
    int rc = get_text(f->name, in + FILE_NAME, false, "package file: name", err);
    if (rc != 0)
        return rc;
    if (in[FILE_KIND] > PACKAGE_DELTA)
        return err_set(err, ERR_FORMAT, "package file %s: kind is %u, allowed are 0 full, 1 delta",
                       f->name, in[FILE_KIND]);
    if (in[FILE_DIRECTION] > PACKAGE_DESCENDING)
        return err_set(err, ERR_FORMAT,
                       "package file %s: direction is %u, allowed are 0 ascending, 1 descending",
                       f->name, in[FILE_DIRECTION]);
    if (get_le16(in + FILE_ZERO_A) != 0 || get_le64(in + FILE_ZERO_B) != 0)
        return err_set(err, ERR_FORMAT, "package file %s: reserved bytes are not zero", f->name);
    f->address = get_le32(in + FILE_ADDRESS);
    f->kind = (enum package_kind)in[FILE_KIND];
    f->direction = (enum package_direction)in[FILE_DIRECTION];
    f->old_bytes = get_le32(in + FILE_OLD_BYTES);
    f->new_bytes = get_le32(in + FILE_NEW_BYTES);
    f->payload_offset = get_le32(in + FILE_PAYLOAD_OFFSET);
    f->payload_bytes = get_le32(in + FILE_PAYLOAD_BYTES);
    memcpy(f->old_sha256, in + FILE_OLD_SHA, SHA256_BYTES);
    memcpy(f->payload_sha256, in + FILE_PAYLOAD_SHA, SHA256_BYTES);
    memcpy(f->new_sha256, in + FILE_NEW_SHA, SHA256_BYTES);
    return check_file(f, head, err);
}

uint32_t package_blocks(const struct package_head *h, const struct package_file *f)
{
    return (uint32_t)(((uint64_t)f->new_bytes + h->restore_block_bytes - 1) /
                      h->restore_block_bytes);
}

uint32_t package_block_at(const struct package_head *h, const struct package_file *f, uint32_t turn,
                          uint32_t *readable_from, uint32_t *readable_to)
{
    uint32_t block = f->direction == PACKAGE_ASCENDING ? turn : package_blocks(h, f) - 1 - turn;
    uint64_t begin = (uint64_t)block * h->restore_block_bytes;
    uint64_t end = begin + h->restore_block_bytes;
    if (f->direction == PACKAGE_ASCENDING) {
        *readable_from = begin < f->old_bytes ? (uint32_t)begin : f->old_bytes;
        *readable_to = f->old_bytes;
    } else {
        *readable_from = 0;
        *readable_to = end < f->old_bytes ? (uint32_t)end : f->old_bytes;
    }
    return block;
}
