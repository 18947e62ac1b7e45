#include "scenarios/engine/unseen.h"

#include <string.h>

#include "common/testing/testing.h"

#define UNIT 4096u

static struct unseen_watch *watch(void)
{
    struct unseen_watch *w = unseen_watch_new(8, UNIT);
    REQUIRE(w != NULL);
    unseen_watch_begin(w);
    return w;
}

static void what_was_erased_counts(void)
{
    struct unseen_watch *w = watch();
    unseen_watch_erase(w, UNIT);
    unseen_watch_look(w, UNIT, UNIT); /* of what the start itself left there */
    const struct unseen *u = unseen_watch_result(w);
    CHECK(unseen_covers(u, UNIT, UNIT));
    CHECK(unseen_covers(u, UNIT + 300, 16));
    CHECK(!unseen_covers(u, 0, 16));
    CHECK(!unseen_covers(u, 2 * UNIT, 16));
    unseen_watch_begin(w);
    CHECK(!unseen_covers(unseen_watch_result(w), UNIT, 16));
    unseen_watch_free(w);
}

static void what_was_looked_at_before_does_not(void)
{
    struct unseen_watch *w = watch();
    unseen_watch_look(w, 2 * UNIT - 16, 32); /* the end of one unit and the beginning of another */
    unseen_watch_look(w, UNIT + 1024, 8);
    unseen_watch_look(w, UNIT, 0);
    unseen_watch_erase(w, UNIT);
    unseen_watch_erase(w, 2 * UNIT);
    unseen_watch_erase(w, 2 * UNIT);
    const struct unseen *u = unseen_watch_result(w);
    CHECK_INT(u->count, 2);
    CHECK(unseen_covers(u, UNIT, 1024));
    CHECK(!unseen_covers(u, UNIT, 1025));
    CHECK(!unseen_covers(u, UNIT + 2048, 1)); /* from the first to the last byte */
    CHECK(!unseen_covers(u, UNIT, UNIT));
    CHECK(!unseen_covers(u, 2 * UNIT + 15, 1));
    CHECK(unseen_covers(u, 2 * UNIT + 16, UNIT - 16));
    unseen_watch_free(w);
}

static void looks_before_are_added(void)
{
    struct unseen_watch *first = watch(), *then = watch();
    unseen_watch_look(first, UNIT, 256);
    unseen_watch_look(then, UNIT + 512, 4);
    unseen_watch_erase(then, UNIT);
    unseen_watch_erase(then, 3 * UNIT);
    struct unseen u = *unseen_watch_result(then);
    unseen_add_looks(&u, first);
    CHECK(!unseen_covers(&u, UNIT, 1));
    CHECK(!unseen_covers(&u, UNIT + 515, 1));
    CHECK(unseen_covers(&u, UNIT + 516, 1));
    CHECK(unseen_covers(&u, 3 * UNIT, UNIT));
    unseen_watch_free(first);
    unseen_watch_free(then);
}

static void what_is_programmed_over_merges(void)
{
    static const uint8_t data[4] = {0x0F, 0xF0, 0x3C, 0x00}, result[4] = {0x0F, 0x70, 0x3C, 0x00};
    static const uint8_t torn[4] = {0x1F, 0x7F, 0xFF, 0x88}, other[4] = {0x1F, 0xFF, 0xFF, 0x88};
    struct unseen_watch *w = watch();
    unseen_watch_program(w, 64, 4, data, result);
    CHECK(unseen_merges(unseen_watch_result(w), 64, 4, torn));
    CHECK(unseen_merges(unseen_watch_result(w), 66, 2, torn + 2));
    CHECK(!unseen_merges(unseen_watch_result(w), 64, 4, other)); /* a bit that was 0 is 1 */
    CHECK(!unseen_merges(unseen_watch_result(w), 66, 3, torn));
    CHECK(!unseen_merges(unseen_watch_result(w), 63, 2, torn));
    unseen_watch_begin(w);
    unseen_watch_look(w, 67, 1);
    unseen_watch_erase(w, UNIT);
    unseen_watch_program(w, 64, 4, data, result);   /* looked at before */
    unseen_watch_program(w, UNIT, 4, data, result); /* on what the start erased itself */
    CHECK_INT(unseen_watch_result(w)->writes, 0);
    unseen_watch_free(w);
}

static void the_first_ones_are_kept(void)
{
    static const uint8_t data[4];
    struct unseen_watch *w = unseen_watch_new(UNSEEN_MAX + 1, UNIT);
    REQUIRE(w != NULL);
    unseen_watch_begin(w);
    for (uint32_t i = 0; i < UNSEEN_WRITES + 1; i++)
        unseen_watch_program(w, 4 * i, 4, data, data);
    for (uint32_t i = 0; i < UNSEEN_MAX + 1; i++)
        unseen_watch_erase(w, i * UNIT);
    const struct unseen *u = unseen_watch_result(w);
    CHECK(unseen_covers(u, (UNSEEN_MAX - 1) * UNIT, UNIT));
    CHECK(!unseen_covers(u, UNSEEN_MAX * UNIT, UNIT));
    CHECK(unseen_merges(u, 4 * (UNSEEN_WRITES - 1), 4, data));
    CHECK(!unseen_merges(u, 4 * UNSEEN_WRITES, 4, data));
    unseen_watch_free(w);
}

static const struct test tests[] = {
    {"what was erased counts", what_was_erased_counts},
    {"what was looked at before does not", what_was_looked_at_before_does_not},
    {"looks before are added", looks_before_are_added},
    {"what is programmed over merges", what_is_programmed_over_merges},
    {"the first ones are kept", the_first_ones_are_kept},
};
TEST_MAIN("unseen", tests)
