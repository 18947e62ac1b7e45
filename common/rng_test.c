#include "common/rng.h"

#include <string.h>

#include "common/bytes.h"
#include "common/testing/testing.h"

/* The generator by itself: the published sequence of xoshiro256** from the state 1, 2, 3, 4. */
static void generator_known_answers(void)
{
    struct rng r = {{1, 2, 3, 4}};
    CHECK_INT(rng_u64(&r), 11520);
    CHECK_INT(rng_u64(&r), 0);
    CHECK_INT(rng_u64(&r), 1509978240);
    CHECK_INT(rng_u64(&r), 1215971899390074240);
}

struct stream {
    const char *name;
    uint64_t seed;
    const char *entity;
    const char *purpose;
    uint64_t ordinal;
    uint64_t want[3];
};

/* Computed by a separate implementation of the method that rng.c describes. A change here changes
 * every recorded run. */
static const struct stream streams[] = {
    {"all empty", 0, "", "", 0, {0x56d52a30588b0f28, 0x16b0a13583df0149, 0x98502f5a428a129c}},
    {"link jitter 0",
     0x5eed,
     "link 0 down",
     "jitter",
     0,
     {0x2976a99000290350, 0x1718824b04261122, 0x2eb175d6ac37713f}},
    {"link jitter 1",
     0x5eed,
     "link 0 down",
     "jitter",
     1,
     {0xeff07a7b258a4c21, 0x2d426bc26f22fd72, 0x0f6bec0ee71eaf9e}},
    {"largest seed",
     UINT64_MAX,
     "flash",
     "tear",
     7,
     {0x79892d00c73d4438, 0xa6889a3c05f9ee38, 0x739f5219758b4aaf}},
};

static void stream_known_answers(const void *row)
{
    const struct stream *s = row;
    struct rng r;
    rng_init(&r, s->seed, s->entity, s->purpose, s->ordinal);
    for (size_t i = 0; i < 3; i++)
        CHECK(rng_u64(&r) == s->want[i]);
}

static const char *stream_name(const void *row)
{
    const struct stream *s = row;
    return s->name;
}

/* Streams whose names differ in any one part, also where only the border between names moves. */
static const struct stream neighbours[] = {
    {"base", 1, "ab", "cd", 0, {0}},         {"seed", 2, "ab", "cd", 0, {0}},
    {"entity", 1, "ac", "cd", 0, {0}},       {"purpose", 1, "ab", "cc", 0, {0}},
    {"ordinal", 1, "ab", "cd", 1, {0}},      {"border left", 1, "a", "bcd", 0, {0}},
    {"border right", 1, "abc", "d", 0, {0}}, {"empty entity", 1, "", "abcd", 0, {0}},
    {"swapped", 1, "cd", "ab", 0, {0}},
};

#define NEIGHBOURS (sizeof neighbours / sizeof neighbours[0])
#define DRAWS      64

static void streams_are_independent(void)
{
    uint64_t draw[NEIGHBOURS][DRAWS];
    for (size_t i = 0; i < NEIGHBOURS; i++) {
        const struct stream *s = &neighbours[i];
        struct rng r;
        rng_init(&r, s->seed, s->entity, s->purpose, s->ordinal);
        for (size_t k = 0; k < DRAWS; k++)
            draw[i][k] = rng_u64(&r);
    }
    /* No value of one stream anywhere in another: neither equal nor shifted. */
    size_t shared = 0;
    for (size_t i = 0; i < NEIGHBOURS; i++)
        for (size_t j = i + 1; j < NEIGHBOURS; j++)
            for (size_t k = 0; k < DRAWS; k++)
                for (size_t m = 0; m < DRAWS; m++)
                    shared += draw[i][k] == draw[j][m];
    CHECK_INT(shared, 0);
}

/* One more draw in one place moves nothing elsewhere. */
static void draws_do_not_disturb_other_streams(void)
{
    struct rng quiet;
    struct rng busy;
    struct rng alone;
    rng_init(&alone, 9, "device", "boot", 0);
    uint64_t want = rng_u64(&alone);
    rng_init(&busy, 9, "link", "loss", 0);
    rng_init(&quiet, 9, "device", "boot", 0);
    for (int i = 0; i < 1000; i++)
        (void)rng_u64(&busy);
    CHECK(rng_u64(&quiet) == want);
}

static void below_known_answers(void)
{
    static const int want[] = {6, 8, 0, 5, 5, 6, 2, 4, 1, 7, 0, 5};
    struct rng r;
    rng_init(&r, 1, "a", "b", 0);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        CHECK_INT(rng_below(&r, 10), want[i]);
}

static void below_stays_below_and_is_even(void)
{
    struct rng r;
    rng_init(&r, 3, "below", "spread", 0);
    size_t seen[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint64_t v = rng_below(&r, 7);
        if (!CHECK(v < 7))
            return;
        seen[v]++;
    }
    for (size_t i = 0; i < 7; i++) {
        /* Fixed seed, so this is a fact, not a chance; five standard deviations wide. */
        CHECK(seen[i] > 9537 && seen[i] < 10463);
    }
    CHECK_INT(rng_below(&r, 1), 0);
    /* Just over half of the range: every second draw is rejected. */
    uint64_t n = (UINT64_C(1) << 63) + 1;
    for (int i = 0; i < 100; i++)
        CHECK(rng_below(&r, n) < n);
}

/* A state made so that the first draw is exactly the bound of 2^63 + 1, the smallest value that
 * must be thrown away: taken, it would come out as 0 once too often. */
static void below_rejects_from_the_limit_on(void)
{
    const uint64_t n = (UINT64_C(1) << 63) + 1;
    const struct rng made = {{1, UINT64_C(0xb06c16c16c16c16c), 2, 3}};
    struct rng r = made;
    CHECK(rng_u64(&r) == n);
    r = made;
    CHECK(rng_below(&r, n) == UINT64_C(0x2fd2f9445fffeb76));
}

static void fill_is_the_little_endian_stream(void)
{
    uint8_t want[13];
    uint8_t got[14];
    memset(got, 0xa5, sizeof got);
    CHECK(hex_decode(want, sizeof want, "bb309b8a1bba4dc434c4c3cf19"));
    struct rng r;
    rng_init(&r, 0x5eed, "image", "bytes", 0);
    rng_fill(&r, got, 13);
    CHECK_MEM(got, want, sizeof want);
    CHECK_INT(got[13], 0xa5);
    rng_fill(&r, got, 0);
    CHECK_MEM(got, want, sizeof want);
}

static const struct test tests[] = {
    {"generator known answers", generator_known_answers},
    TEST_ROWS("stream known answers", stream_known_answers, streams, stream_name),
    {"streams with neighbouring names share nothing", streams_are_independent},
    {"draws do not disturb other streams", draws_do_not_disturb_other_streams},
    {"below known answers", below_known_answers},
    {"below is even and in range", below_stays_below_and_is_even},
    {"below rejects from the limit on", below_rejects_from_the_limit_on},
    {"fill is the stream in little endian", fill_is_the_little_endian_stream},
};

TEST_MAIN("random streams", tests)
