#include "scenarios/engine/digest_memo.h"

#include <string.h>

#include "common/bytes.h"
#include "common/testing/testing.h"

#define BYTES 4096u

static uint8_t content[BYTES];

static void fill(uint8_t value)
{
    for (uint32_t i = 0; i < BYTES; i++)
        content[i] = (uint8_t)(i * 31 + i / 256 + value);
}

static struct digest_memo *memo(size_t max_bytes)
{
    struct digest_memo *m = digest_memo_new(max_bytes, NULL, NULL);
    REQUIRE(m != NULL);
    return m;
}

static void what_was_kept_is_found_by_kind(void)
{
    static const int kinds[] = {BOARD_CRC32, DIGEST_MD5, DIGEST_SHA256};
    static const size_t lengths[] = {4, MD5_BYTES, SHA256_BYTES};
    struct digest_memo *m = memo(1u << 20);
    fill(0);
    for (size_t i = 0; i < 3; i++) {
        uint8_t out[DIGEST_BYTES_MAX], got[DIGEST_BYTES_MAX] = {0};
        memset(out, (int)(i + 1), sizeof out);
        CHECK(!digest_memo_find(m, kinds[i], content, BYTES, got));
        digest_memo_keep(m, kinds[i], content, BYTES, out);
        CHECK(digest_memo_find(m, kinds[i], content, BYTES, got));
        CHECK_MEM(got, out, lengths[i]);
        for (size_t at = lengths[i]; at < sizeof got; at++)
            CHECK_INT(got[at], 0);
        CHECK(!digest_memo_find(m, kinds[i], content, BYTES - 1, got));
    }
    digest_memo_free(m);
}

/* Also where no sample is taken, and although the last question had it right. */
static void one_other_byte_is_another_content(void)
{
    struct digest_memo *m = memo(1u << 20);
    uint8_t out[DIGEST_BYTES_MAX] = {7}, got[DIGEST_BYTES_MAX];
    fill(0);
    digest_memo_keep(m, DIGEST_SHA256, content, BYTES, out);
    for (uint32_t at = 0; at < BYTES; at++) {
        CHECK(digest_memo_find(m, DIGEST_SHA256, content, BYTES, got));
        content[at] ^= 1;
        CHECK(!digest_memo_find(m, DIGEST_SHA256, content, BYTES, got));
        content[at] ^= 1;
    }
    digest_memo_free(m);
}

/* Contents that no sample tells apart: the first one stays, and is known rightly. */
static void equal_samples_are_not_equal_contents(void)
{
    struct digest_memo *m = memo(1u << 20);
    uint8_t first[DIGEST_BYTES_MAX] = {1}, second[DIGEST_BYTES_MAX] = {2}, got[DIGEST_BYTES_MAX];
    fill(0);
    digest_memo_keep(m, DIGEST_SHA256, content, BYTES, first);
    content[BYTES - 1] ^= 1;
    digest_memo_keep(m, DIGEST_SHA256, content, BYTES, second);
    digest_memo_keep(m, BOARD_CRC32, content, BYTES, second);
    CHECK(!digest_memo_find(m, DIGEST_SHA256, content, BYTES, got));
    CHECK(!digest_memo_find(m, BOARD_CRC32, content, BYTES, got));
    content[BYTES - 1] ^= 1;
    CHECK(digest_memo_find(m, DIGEST_SHA256, content, BYTES, got));
    CHECK_INT(got[0], 1);
    CHECK(!digest_memo_find(m, BOARD_CRC32, content, BYTES, got));
    digest_memo_free(m);
}

static void lent_content_takes_no_room(void)
{
    static uint8_t lent[4 * BYTES];
    struct digest_memo *m = memo(0);
    uint8_t out[DIGEST_BYTES_MAX] = {9}, got[DIGEST_BYTES_MAX];
    for (uint8_t i = 0; i < 4; i++) {
        fill(i);
        memcpy(lent + i * BYTES, content, BYTES);
    }
    digest_memo_lend(m, lent, sizeof lent - 8, BYTES);
    CHECK(!digest_memo_find(m, BOARD_CRC32, content, BYTES, got)); /* shorter there */
    for (uint8_t i = 0; i < 4; i++) {
        uint32_t len = i == 3 ? BYTES - 8 : BYTES;
        fill(i);
        CHECK(!digest_memo_find(m, BOARD_CRC32, content, len, got)); /* lending is not knowing */
        digest_memo_keep(m, BOARD_CRC32, content, len, out);
        CHECK(digest_memo_find(m, BOARD_CRC32, content, len, got));
        CHECK_INT(got[0], 9);
    }
    fill(77);
    digest_memo_keep(m, BOARD_CRC32, content, BYTES, out);
    CHECK(!digest_memo_find(m, BOARD_CRC32, content, BYTES, got));
    digest_memo_free(m);
}

static void room_is_bounded(void)
{
    struct digest_memo *m = memo(2 * BYTES);
    uint8_t out[DIGEST_BYTES_MAX] = {0}, got[DIGEST_BYTES_MAX];
    for (uint8_t i = 0; i < 3; i++) {
        fill(i);
        digest_memo_keep(m, BOARD_CRC32, content, BYTES, out);
    }
    for (uint8_t i = 0; i < 3; i++) {
        fill(i);
        CHECK_INT(digest_memo_find(m, BOARD_CRC32, content, BYTES, got), i < 2);
    }
    digest_memo_free(m);
}

/* In whatever order it is asked, each content has its own digest. */
static void any_order_finds_the_same(void)
{
    struct digest_memo *m = memo(1u << 20);
    for (uint8_t i = 0; i < 16; i++) {
        uint8_t out[DIGEST_BYTES_MAX] = {i};
        fill(i);
        digest_memo_keep(m, BOARD_CRC32, content, BYTES, out);
    }
    for (uint32_t i = 0; i < 400; i++) {
        uint8_t got[DIGEST_BYTES_MAX] = {0xFF}, which = (uint8_t)(i * i / 3 % 16);
        fill(which);
        CHECK(digest_memo_find(m, BOARD_CRC32, content, BYTES, got));
        CHECK_INT(got[0], which);
    }
    digest_memo_free(m);
}

static const struct test tests[] = {
    {"what was kept is found by its kind", what_was_kept_is_found_by_kind},
    {"one other byte is another content", one_other_byte_is_another_content},
    {"equal samples are not equal contents", equal_samples_are_not_equal_contents},
    {"lent content takes no room", lent_content_takes_no_room},
    {"room is bounded", room_is_bounded},
    {"any order finds the same", any_order_finds_the_same},
};
TEST_MAIN("digest memo", tests)
