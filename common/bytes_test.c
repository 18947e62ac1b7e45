#include "common/bytes.h"

#include <string.h>

#include "common/err.h"
#include "common/testing/testing.h"

static void little_endian(void)
{
    const uint8_t want[] = {0x34, 0xf2, 0x78, 0x56, 0x34, 0xf2, 0xf0,
                            0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0xf2};
    uint8_t got[sizeof want] = {0};
    put_le16(got, 0xf234);
    put_le32(got + 2, 0xf2345678);
    put_le64(got + 6, UINT64_C(0xf23456789abcdef0));
    CHECK_MEM(got, want, sizeof want);
    CHECK_INT(get_le16(want), 0xf234);
    CHECK_INT(get_le32(want + 2), 0xf2345678);
    CHECK(get_le64(want + 6) == UINT64_C(0xf23456789abcdef0));
}

/* Check value of CRC-32/ISO-HDLC, and the empty message. */
static void crc32_known_answers(void)
{
    CHECK_INT(crc32_update(0, "123456789", 9), 0xcbf43926);
    CHECK_INT(crc32_update(0, "", 0), 0);
    uint8_t erased[32];
    memset(erased, 0xff, sizeof erased);
    CHECK_INT(crc32_update(0, erased, sizeof erased), 0xff6cab0b);
}

static void crc32_in_pieces(void)
{
    static const char text[] = "123456789";
    for (size_t cut = 0; cut <= 9; cut++) {
        uint32_t crc = crc32_update(0, text, cut);
        CHECK_INT(crc32_update(crc, text + cut, 9 - cut), 0xcbf43926);
    }
}

static void hex_there_and_back(void)
{
    uint8_t all[256];
    uint8_t back[256];
    char hex[513];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    hex_encode(hex, all, sizeof all);
    CHECK_INT(strlen(hex), 512);
    CHECK_MEM(hex, "000102030405060708090a0b0c0d0e0f10", 34);
    CHECK_STR(hex + 506, "fdfeff");
    CHECK(hex_decode(back, sizeof back, hex));
    CHECK_MEM(back, all, sizeof all);
    hex_encode(hex, all, 0);
    CHECK_STR(hex, "");
}

struct hex_text {
    const char *text;
    size_t len_bytes;
    bool ok;
};

static const struct hex_text hex_texts[] = {
    {"", 0, true},     {"aF", 1, true},    {"Af09", 2, true}, {"a", 1, false},
    {"abc", 1, false}, {"abcd", 1, false}, {"ag", 1, false},  {"ga", 1, false},
    {" ab", 1, false}, {"0x", 1, false},   {"", 1, false},    {"a`", 1, false},
    {"@a", 1, false},  {"a:", 1, false},   {"/a", 1, false},  {"ab", 0, false},
};

static void hex_is_strict(const void *row)
{
    const struct hex_text *h = row;
    uint8_t out[4];
    CHECK_INT(hex_decode(out, h->len_bytes, h->text), h->ok);
}

static const char *hex_name(const void *row)
{
    const struct hex_text *h = row;
    return h->text;
}

static void buffer_grows_to_its_maximum(void)
{
    struct buf b;
    buf_init(&b, 1000);
    CHECK(b.data == NULL);
    for (int i = 0; i < 100; i++)
        CHECK_INT(buf_append(&b, "0123456789", 10), 0);
    CHECK_INT(b.len_bytes, 1000);
    CHECK_ERR(buf_append(&b, "x", 1), ERR_LIMIT);
    CHECK_ERR(buf_text(&b, "x"), ERR_LIMIT);
    CHECK_ERR(buf_printf(&b, "%d", 1), ERR_LIMIT);
    CHECK_ERR(buf_append(&b, NULL, SIZE_MAX), ERR_LIMIT);
    CHECK_INT(b.len_bytes, 1000);
    CHECK_INT(b.data[999], '9');
    CHECK_INT(b.data[1000], 0);
    CHECK_INT(buf_append(&b, "", 0), 0);
    buf_free(&b);
    CHECK(b.data == NULL);
    CHECK_INT(b.max_bytes, 1000);
    CHECK_INT(buf_text(&b, "again"), 0);
    CHECK_STR((const char *)b.data, "again");
    buf_free(&b);
}

static void buffer_is_text(void)
{
    struct buf b;
    buf_init(&b, 100);
    CHECK_INT(buf_text(&b, ""), 0);
    CHECK_STR((const char *)b.data, "");
    CHECK_INT(buf_text(&b, "a="), 0);
    CHECK_INT(buf_printf(&b, "%d,%s", -5, "b"), 0);
    CHECK_STR((const char *)b.data, "a=-5,b");
    /* Too long as a whole: nothing of it is there. */
    CHECK_ERR(buf_printf(&b, "%0100d", 1), ERR_LIMIT);
    CHECK_STR((const char *)b.data, "a=-5,b");
    buf_clear(&b);
    CHECK_STR((const char *)b.data, "");
    CHECK_INT(b.len_bytes, 0);
    buf_free(&b);
}

static void buffer_gives_zeroed_room(void)
{
    struct buf b;
    buf_init(&b, 300);
    CHECK_INT(buf_text(&b, "secret"), 0);
    buf_clear(&b);
    CHECK_INT(buf_append(&b, NULL, 300), 0);
    uint8_t zeros[300] = {0};
    CHECK_INT(b.len_bytes, 300);
    CHECK_MEM(b.data, zeros, 300);
    buf_free(&b);
}

static void buffer_is_consumed_from_the_front(void)
{
    struct buf b;
    buf_init(&b, 100);
    buf_consume(&b, 3);
    CHECK(b.data == NULL);
    CHECK_INT(buf_text(&b, "abcdef"), 0);
    buf_consume(&b, 0);
    buf_consume(&b, 2);
    CHECK_STR((const char *)b.data, "cdef");
    CHECK_INT(b.len_bytes, 4);
    buf_consume(&b, 99);
    CHECK_STR((const char *)b.data, "");
    CHECK_INT(b.len_bytes, 0);
    buf_free(&b);
}

static const struct test tests[] = {
    {"integers are little endian", little_endian},
    {"CRC-32 known answers", crc32_known_answers},
    {"CRC-32 does not depend on the pieces", crc32_in_pieces},
    {"hex there and back", hex_there_and_back},
    TEST_ROWS("hex of exact length and digits", hex_is_strict, hex_texts, hex_name),
    {"a buffer grows to its maximum and no further", buffer_grows_to_its_maximum},
    {"a buffer is a C string", buffer_is_text},
    {"room in a buffer is zeroed", buffer_gives_zeroed_room},
    {"a buffer is consumed from the front", buffer_is_consumed_from_the_front},
};

TEST_MAIN("bytes", tests)
