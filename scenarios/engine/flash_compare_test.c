#include "scenarios/engine/flash_compare.h"

#include <string.h>

#include "common/rng.h"
#include "common/testing/testing.h"

#define UNITS 4u

static struct nor *chip(void)
{
    struct err err = {""};
    struct nor_geometry geo = *nor_geometry_find("spi4k");
    geo.size_bytes = UNITS * geo.erase_bytes;
    struct nor *n = nor_new(&geo, 1, &err);
    REQUIRE(n != NULL);
    return n;
}

/* Contents that are often equal, on a chip that is programmed, erased, torn, saved and restored:
 * the answer is memcmp's every time. */
static void the_answer_is_that_of_memcmp(void)
{
    enum { CONTENTS = 4, SAVES = 4, ROUNDS = 4000 };
    static uint8_t contents[CONTENTS][UNITS * 4096];
    struct nor *n = chip(), *other = chip();
    struct nor_snapshot *saved[SAVES] = {NULL};
    struct flash_compare *c = flash_compare_new(n);
    struct rng rng;
    uint32_t equal = 0;
    REQUIRE(c != NULL);
    rng_init(&rng, 1, "test", "compare", 0);
    memset(contents, 0xFF, sizeof contents);
    for (uint32_t at = 0; at < sizeof contents[0]; at += 64)
        for (int i = 1; i < CONTENTS; i++) /* they differ in places */
            contents[i][at] = rng_below(&rng, 40) == 0 ? 0x0F : contents[i - 1][at];
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t unit = (uint32_t)rng_below(&rng, UNITS) * 4096;
        uint32_t which = (uint32_t)rng_below(&rng, CONTENTS);
        uint32_t save = (uint32_t)rng_below(&rng, SAVES);
        uint32_t from = rng_below(&rng, 2) == 0 ? 0 : (uint32_t)rng_below(&rng, 9000);
        uint32_t len =
            rng_below(&rng, 2) == 0 ? sizeof contents[0] - from : (uint32_t)rng_below(&rng, 7000);
        switch (rng_below(&rng, 12)) {
        case 0:
            (void)nor_erase(n, unit, 4096);
            break;
        case 1:
        case 2:
        case 3:
            (void)nor_erase(n, unit, 4096);
            (void)nor_program(n, unit, contents[which] + unit, 4096);
            break;
        case 4:
            nor_arm_cut(n, nor_op_count(n) + 2, TEAR_WEAK, 0);
            (void)nor_erase(n, unit, 4096);
            (void)nor_program(n, unit, contents[which] + unit, 4096);
            nor_power_on(n);
            break;
        case 5:
        case 6: /* at times of the other chip, whose versions mean nothing here */
            nor_snapshot_free(saved[save]);
            saved[save] = nor_save(rng_below(&rng, 2) == 0 ? n : other);
            break;
        case 7:
        case 8:
            if (saved[save] != NULL)
                CHECK_INT(nor_restore(n, saved[save]), 0);
            break;
        case 9:
            if (saved[save] != NULL)
                CHECK_INT(nor_restore(other, saved[save]), 0);
            (void)nor_erase(other, unit, 4096);
            (void)nor_program(other, unit, contents[which] + unit, 4096);
            break;
        default:
            break;
        }
        for (int i = 0; i < CONTENTS; i++) {
            bool want = memcmp(nor_peek(n) + from, contents[i] + from, len) == 0;
            equal += want;
            CHECK_INT(flash_compare_equal(c, from, contents[i] + from, len), want);
        }
    }
    CHECK(equal > ROUNDS / 4); /* else nothing was tried */
    for (int i = 0; i < SAVES; i++)
        nor_snapshot_free(saved[i]);
    flash_compare_free(c);
    nor_free(n);
    nor_free(other);
}

static const struct test tests[] = {
    {"the answer is that of memcmp", the_answer_is_that_of_memcmp},
};
TEST_MAIN("flash compare", tests)
