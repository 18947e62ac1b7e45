#include "common/digest_state.h"

#include <string.h>

#include "common/rng.h"
#include "common/testing/testing.h"

static const enum digest_kind kinds[] = {DIGEST_MD5, DIGEST_SHA256};

/* Split anywhere, saved and loaded at each border: the same digest as in one piece. */
static void goes_on_after_a_cut(const void *row)
{
    enum digest_kind kind = *(const enum digest_kind *)row;
    uint8_t data[1000], want[DIGEST_BYTES_MAX], got[DIGEST_BYTES_MAX], bytes[DIGEST_STATE_BYTES];
    struct rng rng;
    rng_init(&rng, 3, "digest", "state", 0);
    rng_fill(&rng, data, sizeof data);
    for (uint32_t step = 1; step < 200; step++) {
        struct digest_state s;
        digest_state_begin(&s, kind);
        for (uint32_t at = 0; at < sizeof data; at += step) {
            uint32_t n = sizeof data - at < step ? (uint32_t)sizeof data - at : step;
            digest_state_update(&s, data + at, n);
            digest_state_save(&s, bytes);
            memset(&s, 0xEE, sizeof s);
            CHECK_INT(digest_state_load(&s, bytes), 0);
            digest_of(kind, data, at + n, want);
            digest_state_end(&s, got);
            CHECK(memcmp(got, want, digest_bytes(kind)) == 0);
        }
    }
}

static void nothing_at_all(const void *row)
{
    enum digest_kind kind = *(const enum digest_kind *)row;
    uint8_t want[DIGEST_BYTES_MAX], got[DIGEST_BYTES_MAX];
    struct digest_state s;
    digest_state_begin(&s, kind);
    digest_state_end(&s, got);
    digest_of(kind, "", 0, want);
    CHECK_MEM(got, want, digest_bytes(kind));
}

static void an_unknown_kind(void)
{
    uint8_t bytes[DIGEST_STATE_BYTES];
    struct digest_state s;
    memset(bytes, 0xFF, sizeof bytes);
    CHECK_ERR(digest_state_load(&s, bytes), ERR_FORMAT);
}

static const struct test tests[] = {
    TEST_ROWS("goes on after a cut", goes_on_after_a_cut, kinds, NULL),
    TEST_ROWS("nothing at all", nothing_at_all, kinds, NULL),
    {"an unknown kind", an_unknown_kind},
};
TEST_MAIN("digest state", tests)
