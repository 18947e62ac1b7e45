#include "common/package.h"

#include <string.h>

#include "common/bytes.h"
#include "common/testing/testing.h"

static struct package_head good_head(void)
{
    struct package_head h = {.file_count = 2,
                             .total_bytes = 5000,
                             .restore_block_bytes = 4096,
                             .window_bytes = 1024,
                             .compare_block_kib = 64,
                             .algorithm = PACKAGE_ALGORITHM,
                             .from_version = "1.0.0",
                             .to_version = "1.1"};
    for (int i = 0; i < SHA256_BYTES; i++)
        h.table_sha256[i] = (uint8_t)i;
    return h;
}

static struct package_file good_delta(void)
{
    struct package_file f = {.name = "app.bin",
                             .address = 0x10000,
                             .kind = PACKAGE_DELTA,
                             .direction = PACKAGE_DESCENDING,
                             .old_bytes = 10000,
                             .new_bytes = 9000,
                             .payload_offset = 456,
                             .payload_bytes = 1000};
    memset(f.old_sha256, 1, SHA256_BYTES);
    memset(f.payload_sha256, 2, SHA256_BYTES);
    memset(f.new_sha256, 3, SHA256_BYTES);
    return f;
}

static struct package_file good_full(void)
{
    struct package_file f = good_delta();
    f.kind = PACKAGE_FULL;
    f.direction = PACKAGE_ASCENDING;
    f.old_bytes = 0;
    memset(f.old_sha256, 0, SHA256_BYTES);
    f.new_bytes = f.payload_bytes;
    return f;
}

static void head_round_trip(void)
{
    struct package_head h = good_head(), back;
    uint8_t bytes[PACKAGE_HEAD_BYTES];
    struct err err = {0};
    memset(h.to_version + 6, 'x', 5); /* behind the terminator: must not reach the package */
    package_head_encode(&h, bytes);
    CHECK_OK(package_head_decode(&back, bytes, &err), &err);
    CHECK_INT(back.file_count, 2);
    CHECK_INT(back.total_bytes, 5000);
    CHECK_INT(back.restore_block_bytes, 4096);
    CHECK_INT(back.window_bytes, 1024);
    CHECK_INT(back.compare_block_kib, 64);
    CHECK_INT(back.algorithm, 1);
    CHECK_STR(back.from_version, "1.0.0");
    CHECK_STR(back.to_version, "1.1");
    CHECK_MEM(back.table_sha256, h.table_sha256, SHA256_BYTES);
    /* The bytes themselves are the contract with other tools: docs/package-format.md. */
    CHECK_MEM(bytes, "OBPK\x01\x00\x02\x00\x88\x13\x00\x00\x00\x10\x00\x00\x00\x04\x00\x00\x40\x00",
              22);
    CHECK_INT(get_le32(bytes + 132), crc32_update(0, bytes, 132));
}

static void files_round_trip(void)
{
    struct package_head h = good_head();
    struct package_file in[2] = {good_delta(), good_full()}, back;
    uint8_t bytes[PACKAGE_FILE_BYTES], again[PACKAGE_FILE_BYTES];
    struct err err = {0};
    for (int i = 0; i < 2; i++) {
        package_file_encode(&in[i], bytes);
        CHECK_OK(package_file_decode(&back, &h, bytes, &err), &err);
        package_file_encode(&back, again);
        CHECK_MEM(again, bytes, sizeof bytes);
        CHECK_STR(back.name, "app.bin");
        CHECK_INT(back.address, 0x10000);
        CHECK_INT(back.kind, in[i].kind);
        CHECK_INT(back.direction, in[i].direction);
        CHECK_INT(back.old_bytes, in[i].old_bytes);
        CHECK_INT(back.new_bytes, in[i].new_bytes);
        CHECK_INT(back.payload_offset, 456);
        CHECK_INT(back.payload_bytes, 1000);
        CHECK_MEM(back.new_sha256, in[i].new_sha256, SHA256_BYTES);
    }
}

/* One byte of a good encoding replaced; head: CRC made right again when fix_crc. */
struct damage {
    const char *what;
    uint32_t offset;
    uint32_t value;
    int width;
    bool fix_crc;
    int code;
    const char *says;
};

static const struct damage head_damage[] = {
    {"magic", 0, 'X', 1, false, ERR_FORMAT, "magic"},
    {"flipped bit", 9, 0x12, 1, false, ERR_FORMAT, "CRC"},
    {"version", 4, 2, 2, true, ERR_FORMAT, "version is 2"},
    {"no files", 6, 0, 2, true, ERR_LIMIT, "0 files"},
    {"21 files", 6, 21, 2, true, ERR_LIMIT, "21 files"},
    {"total too small", 8, 136 + 320, 4, true, ERR_FORMAT, "total of 456"},
    {"restore block 0", 12, 0, 4, true, ERR_FORMAT, "restore block"},
    {"window larger than block", 16, 4097, 4, true, ERR_FORMAT, "window of 4097"},
    {"compare block 0", 20, 0, 2, true, ERR_FORMAT, "compare block"},
    {"reserved byte", 23, 1, 1, true, ERR_FORMAT, "reserved"},
    {"reserved bytes", 128, 1, 1, true, ERR_FORMAT, "reserved"},
    {"version not text", 24, 0x0A, 1, true, ERR_FORMAT, "from_version: byte 0x0a"},
    {"to_version empty", 56, 0, 4, true, ERR_FORMAT, "to_version is empty"},
    {"bytes behind terminator", 54, 'x', 1, true, ERR_FORMAT, "behind the terminator"},
};

static const struct damage file_damage[] = {
    {"name empty", 0, 0, 1, false, ERR_FORMAT, "name is empty"},
    {"name with newline", 1, '\n', 1, false, ERR_FORMAT, "byte 0x0a at 1"},
    {"kind", 36, 2, 1, false, ERR_FORMAT, "kind is 2"},
    {"direction", 37, 2, 1, false, ERR_FORMAT, "direction is 2"},
    {"reserved half", 38, 1, 2, false, ERR_FORMAT, "reserved"},
    {"reserved words", 60, 1, 4, false, ERR_FORMAT, "reserved"},
    {"address wraps", 32, 0xFFFFF000U, 4, false, ERR_FORMAT, "32-bit"},
    {"new empty", 44, 0, 4, false, ERR_FORMAT, "0 bytes"},
    {"payload in table", 48, 455, 4, false, ERR_FORMAT, "payload of 1000 bytes at 455"},
    {"payload past end", 48, 4001, 4, false, ERR_FORMAT, "not inside"},
    {"payload offset wraps", 48, 0xFFFFFFFFU, 4, false, ERR_FORMAT, "not inside"},
    {"payload empty", 52, 0, 4, false, ERR_FORMAT, "payload of 0"},
    {"delta without old", 40, 0, 4, false, ERR_FORMAT, "without an old image"},
    {"full with old length", 36, 0, 1, false, ERR_FORMAT, "has no old image"},
};

static const char *damage_name(const void *row)
{
    return ((const struct damage *)row)->what;
}

static void put(uint8_t *p, const struct damage *d)
{
    for (int i = 0; i < d->width; i++)
        p[d->offset + (uint32_t)i] = (uint8_t)(d->value >> (8 * i));
}

static void head_refused(const void *row)
{
    const struct damage *d = row;
    struct package_head h = good_head();
    uint8_t bytes[PACKAGE_HEAD_BYTES];
    struct err err = {0};
    package_head_encode(&h, bytes);
    put(bytes, d);
    if (d->fix_crc)
        put_le32(bytes + 132, crc32_update(0, bytes, 132));
    CHECK_ERR(package_head_decode(&h, bytes, &err), d->code);
    CHECK_HAS(err.text, d->says);
}

static void file_refused(const void *row)
{
    const struct damage *d = row;
    struct package_head h = good_head();
    struct package_file f = good_delta();
    uint8_t bytes[PACKAGE_FILE_BYTES];
    struct err err = {0};
    package_file_encode(&f, bytes);
    put(bytes, d);
    CHECK_ERR(package_file_decode(&f, &h, bytes, &err), d->code);
    CHECK_HAS(err.text, d->says);
}

static void full_payload_is_the_image(void)
{
    struct package_head h = good_head();
    struct package_file f = good_full();
    uint8_t bytes[PACKAGE_FILE_BYTES];
    struct err err = {0};
    f.new_bytes++;
    package_file_encode(&f, bytes);
    CHECK_ERR(package_file_decode(&f, &h, bytes, &err), ERR_FORMAT);
    CHECK_HAS(err.text, "full payload of 1000 bytes for an image of 1001");
}

static void every_flipped_head_bit_is_seen(void)
{
    struct package_head h = good_head(), out;
    uint8_t bytes[PACKAGE_HEAD_BYTES];
    package_head_encode(&h, bytes);
    for (uint32_t bit = 0; bit < 8 * PACKAGE_HEAD_BYTES; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        CHECK_ERR(package_head_decode(&out, bytes, NULL), ERR_FORMAT);
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
}

struct turn {
    const char *what;
    enum package_direction direction;
    uint32_t old_bytes, new_bytes, turn;
    uint32_t block, from, to;
};

static const struct turn turns[] = {
    {"ascending first", PACKAGE_ASCENDING, 10000, 9000, 0, 0, 0, 10000},
    {"ascending last", PACKAGE_ASCENDING, 10000, 9000, 2, 2, 8192, 10000},
    {"ascending past the old image", PACKAGE_ASCENDING, 5000, 9000, 2, 2, 5000, 5000},
    {"descending first is the last block", PACKAGE_DESCENDING, 10000, 9000, 0, 2, 0, 10000},
    {"descending middle", PACKAGE_DESCENDING, 10000, 9000, 1, 1, 0, 8192},
    {"descending last", PACKAGE_DESCENDING, 10000, 9000, 2, 0, 0, 4096},
    {"descending growing", PACKAGE_DESCENDING, 3000, 9000, 0, 2, 0, 3000},
    {"near the end of 32 bits", PACKAGE_DESCENDING, 0xFFFFF800U, 0xFFFFF800U, 0, 0xFFFFF, 0,
     0xFFFFF800U},
};

static const char *turn_name(const void *row)
{
    return ((const struct turn *)row)->what;
}

static void turn_reads(const void *row)
{
    const struct turn *t = row;
    struct package_head h = good_head();
    struct package_file f = good_delta();
    uint32_t from, to;
    f.direction = t->direction;
    f.old_bytes = t->old_bytes;
    f.new_bytes = t->new_bytes;
    CHECK_INT(package_block_at(&h, &f, t->turn, &from, &to), t->block);
    CHECK_INT(from, t->from);
    CHECK_INT(to, t->to);
}

static void blocks_round_up(void)
{
    struct package_head h = good_head();
    struct package_file f = good_delta();
    f.new_bytes = 1;
    CHECK_INT(package_blocks(&h, &f), 1);
    f.new_bytes = 4096;
    CHECK_INT(package_blocks(&h, &f), 1);
    f.new_bytes = 4097;
    CHECK_INT(package_blocks(&h, &f), 2);
    f.new_bytes = UINT32_MAX;
    CHECK_INT(package_blocks(&h, &f), 0x100000);
}

static const struct test tests[] = {
    {"head round trip", head_round_trip},
    {"files round trip", files_round_trip},
    TEST_ROWS("head refused", head_refused, head_damage, damage_name),
    TEST_ROWS("file refused", file_refused, file_damage, damage_name),
    {"full payload is the image", full_payload_is_the_image},
    {"every flipped head bit is seen", every_flipped_head_bit_is_seen},
    TEST_ROWS("turn", turn_reads, turns, turn_name),
    {"blocks round up", blocks_round_up},
};
TEST_MAIN("package", tests)
