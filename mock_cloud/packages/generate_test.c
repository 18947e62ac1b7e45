#include <stdlib.h>

#include "mock_cloud/packages/packages_testing.h"

static const uint32_t sizes[] = {1, 3, 63, 64, 65, 255, 1000, 4096, 16384, 65536, 65539, 262144};

static void exact_size_same_bytes(const void *row)
{
    const uint32_t len = *(const uint32_t *)row;
    struct buf a, b, c;
    buf_init(&a, BYTES_MAX);
    buf_init(&b, BYTES_MAX);
    buf_init(&c, BYTES_MAX);
    REQUIRE(buf_text(&b, "before") == 0);
    REQUIRE(package_generate(&a, 7, len) == 0);
    REQUIRE(package_generate(&b, 7, len) == 0);
    REQUIRE(package_generate(&c, 8, len) == 0);
    REQUIRE(a.len_bytes == len && b.len_bytes == len + 6 && c.len_bytes == len);
    CHECK_MEM(b.data, "before", 6);
    CHECK_MEM(b.data + 6, a.data, len);
    if (len > 255)
        CHECK(memcmp(a.data, c.data, len) != 0);
    buf_free(&a);
    buf_free(&b);
    buf_free(&c);
}

static uint32_t tail_of(const struct buf *b)
{
    uint32_t n = 0;
    while (n < b->len_bytes && b->data[b->len_bytes - 1 - n] == 0xff)
        n++;
    return n;
}

static void looks_like_firmware(void)
{
    struct buf a;
    uint32_t seen[256] = {0}, pointers = 0, distinct = 0;
    buf_init(&a, BYTES_MAX);
    REQUIRE(package_generate(&a, 7, 65536) == 0);
    for (uint32_t i = 0; i + 4 <= 65536; i += 4) {
        const uint32_t word = get_le32(a.data + i);
        pointers += word - 0x08000000u < 65536;
    }
    for (size_t i = 0; i < a.len_bytes; i++)
        distinct += seen[a.data[i]]++ == 0;
    CHECK(pointers > 65536 / 4 / 50 && pointers < 65536 / 4 / 5);
    CHECK(distinct > 200);
    CHECK(tail_of(&a) > 65536 / 25 && tail_of(&a) < 65536 / 15);
    CHECK(memmem(a.data, a.len_bytes, "otabench firmware release 00001 build ", 38) != NULL);
    buf_free(&a);
}

static const struct next_row {
    const char *name;
    uint32_t old_bytes;
    int32_t grow_bytes;
    uint32_t want_bytes;
} nexts[] = {
    {"same size", 65536, 0, 65536},
    {"a byte more", 65536, 1, 65537},
    {"a byte less", 65536, -1, 65535},
    {"a little more", 65536, 3000, 68536},
    {"a little less", 65536, -3000, 62536},
    {"twice", 30000, 30000, 60000},
    {"a third", 60000, -40000, 20000},
    {"clamped", 4096, -1000000, 64},
    {"far below zero", 4096, INT32_MIN, 64},
    {"one byte", 1, 0, 64},
    {"64 bytes", 64, 0, 64},
    {"from nearly nothing", 5, 70000, 70005},
    {"large", 2097152, 1234, 2098386},
};

static const char *next_name(const void *row)
{
    return ((const struct next_row *)row)->name;
}

static void next_build(const void *row)
{
    const struct next_row *t = row;
    struct buf was, is, again, other;
    buf_init(&was, BYTES_MAX);
    buf_init(&is, BYTES_MAX);
    buf_init(&again, BYTES_MAX);
    buf_init(&other, BYTES_MAX);
    REQUIRE(package_generate(&was, 7, t->old_bytes) == 0);
    REQUIRE(package_generate_next(&is, 9, was.data, t->old_bytes, t->grow_bytes) == 0);
    REQUIRE(package_generate_next(&again, 9, was.data, t->old_bytes, t->grow_bytes) == 0);
    REQUIRE(package_generate_next(&other, 10, was.data, t->old_bytes, t->grow_bytes) == 0);
    REQUIRE(is.len_bytes == t->want_bytes && again.len_bytes == t->want_bytes);
    CHECK_MEM(again.data, is.data, t->want_bytes);
    CHECK(is.len_bytes != was.len_bytes || memcmp(is.data, was.data, is.len_bytes) != 0);
    if (t->old_bytes > 1000 && t->want_bytes > 1000) {
        CHECK(memcmp(is.data, other.data, t->want_bytes) != 0);
        CHECK(memmem(is.data, is.len_bytes, "release 00002 build ", 20) != NULL);
        CHECK(tail_of(&is) > 0);
    }
    buf_free(&was);
    buf_free(&is);
    buf_free(&again);
    buf_free(&other);
}

static bool is_address(uint32_t word)
{
    return word - 0x08000000u < BYTES_MAX;
}

/* The vector table names the instruction it named before, although that has moved. */
static void addresses_follow(void)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct pair p;
        int followed = 0, lost = 0, moved = 0;
        pair_make(&p, seed, 65536, seed % 2 == 0 ? 2000 : -2000);
        for (size_t i = 4; i < 256; i += 4) {
            const uint32_t from = (get_le32(p.was.data + i) & ~1u) - 0x08000000u;
            const uint32_t to = (get_le32(p.is.data + i) & ~1u) - 0x08000000u;
            REQUIRE(from <= p.was.len_bytes - 4);
            if (is_address(get_le32(p.was.data + from)))
                continue;
            moved += from != to;
            if (to <= p.is.len_bytes - 4 && get_le32(p.was.data + from) == get_le32(p.is.data + to))
                followed++;
            else
                lost++; /* removed, or patched */
        }
        CHECK(moved > 10);
        CHECK(followed > 40);
        CHECK(lost < 9);
        pair_free(&p);
    }
}

static void chain_of_builds(void)
{
    struct buf image[2];
    buf_init(&image[0], BYTES_MAX);
    buf_init(&image[1], BYTES_MAX);
    REQUIRE(package_generate(&image[0], 7, 16384) == 0);
    for (int i = 0; i < 30; i++) {
        struct buf *was = &image[i % 2], *is = &image[(i + 1) % 2];
        char text[32];
        buf_clear(is);
        REQUIRE(package_generate_next(is, 7, was->data, (uint32_t)was->len_bytes, 0) == 0);
        REQUIRE(is->len_bytes == 16384);
        (void)snprintf(text, sizeof text, "release %05d", i + 2);
        CHECK(memmem(is->data, is->len_bytes, text, strlen(text)) != NULL);
        CHECK(memcmp(is->data, was->data, 16384) != 0);
    }
    buf_free(&image[0]);
    buf_free(&image[1]);
}

/* Any bytes are an old image. */
static void any_old_image(void)
{
    static const uint32_t lengths[] = {1, 2, 4, 7, 64, 1000, 5001};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t old[5001];
        struct rng r;
        for (int kind = 0; kind < 3; kind++) {
            rng_init(&r, i, "generate_test", "old", 0);
            rng_fill(&r, old, sizeof old);
            if (kind > 0)
                memset(old, kind == 1 ? 0xff : 0, sizeof old);
            for (int32_t grow = -3000; grow <= 3000; grow += 375) {
                struct buf is;
                buf_init(&is, BYTES_MAX);
                REQUIRE(package_generate_next(&is, i, old, lengths[i], grow) == 0);
                CHECK(is.len_bytes != lengths[i] || memcmp(is.data, old, lengths[i]) != 0);
                buf_free(&is);
            }
        }
    }
}

/* What the generator is for: a delta that is neither trivial nor useless. */
static void delta_share(void)
{
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct pair p;
        struct buf package;
        enum package_kind kind;
        struct err e = {""};
        pair_make(&p, seed, 65536, 0);
        const struct package_source s = source_of("app", 0, &p);
        const struct package_params params = params_of(65536, 16384);
        buf_init(&package, BYTES_MAX);
        REQUIRE_OK(package_make(&package, &s, 1, &params, &kind, &e), &e);
        CHECK(package.len_bytes * 100 > p.is.len_bytes * 3);
        CHECK(package.len_bytes * 100 < p.is.len_bytes * 25);
        buf_free(&package);
        pair_free(&p);
    }
}

static void limits(void)
{
    struct buf b;
    const uint8_t old[1] = {0};
    buf_init(&b, 100);
    CHECK_ERR(package_generate(&b, 1, 0), ERR_ARG);
    CHECK_ERR(package_generate(&b, 1, PACKAGE_IMAGE_MAX + 1), ERR_LIMIT);
    CHECK_ERR(package_generate(&b, 1, 101), ERR_LIMIT);
    CHECK_ERR(package_generate_next(&b, 1, NULL, 0, 100), ERR_ARG);
    CHECK_ERR(package_generate_next(&b, 1, old, 1, PACKAGE_IMAGE_MAX), ERR_LIMIT);
    CHECK_ERR(package_generate_next(&b, 1, old, 1, 100), ERR_LIMIT);
    CHECK_INT(b.len_bytes, 0);
    CHECK_OK(package_generate_next(&b, 1, old, 1, 99), NULL);
    buf_free(&b);
}

static const struct test tests[] = {
    TEST_ROWS("exact size, same bytes again", exact_size_same_bytes, sizes, NULL),
    {"looks like firmware", looks_like_firmware},
    TEST_ROWS("next build", next_build, nexts, next_name),
    {"addresses follow what moved", addresses_follow},
    {"a chain of builds", chain_of_builds},
    {"any old image", any_old_image},
    {"delta of 64 KiB is 3 to 25 %", delta_share},
    {"limits", limits},
};
TEST_MAIN("firmware generator", tests)
