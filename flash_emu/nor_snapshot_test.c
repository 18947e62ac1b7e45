#include "flash_emu/nor_testing.h"

/* Everything a chip shows, as one line per unit and the counters. */
static void check_equal(const struct nor *a, const struct nor *b)
{
    const struct nor_geometry *geo = nor_geo(a);
    uint32_t unit = geo->erase_bytes;
    CHECK_MEM(nor_peek(a), nor_peek(b), geo->size_bytes);
    CHECK_INT(nor_op_count(a), nor_op_count(b));
    CHECK_INT(nor_is_on(a), nor_is_on(b));
    for (uint32_t at = 0; at < geo->size_bytes; at += unit) {
        CHECK_INT(nor_wear(a, at), nor_wear(b, at));
        CHECK_INT(nor_weak_cells(a, at, unit), nor_weak_cells(b, at, unit));
        CHECK_INT(nor_is_torn(a, at, unit), nor_is_torn(b, at, unit));
    }
}

/* A random life of `steps` operations, cuts and power-ons. */
static void live(struct nor *n, uint64_t ordinal, int steps)
{
    struct rng rng;
    uint8_t data[512];
    uint32_t unit = nor_geo(n)->erase_bytes;
    rng_init(&rng, 1, "test", "life", ordinal);
    for (int i = 0; i < steps; i++) {
        uint32_t at = (uint32_t)rng_below(&rng, 4) * unit;
        if (!nor_is_on(n))
            nor_power_on(n);
        if (rng_below(&rng, 3) == 0)
            nor_arm_cut(n, nor_op_count(n) + 1 + rng_below(&rng, 2),
                        (enum nor_tear)rng_below(&rng, TEAR_COUNT), (uint32_t)rng_below(&rng, 300));
        fill_data(data, sizeof(data), rng_u64(&rng));
        if (rng_below(&rng, 3) == 0)
            (void)nor_erase(n, at, unit);
        else
            (void)nor_program(n, at + (uint32_t)rng_below(&rng, 4) * 256, data, sizeof(data));
    }
}

static void restored_chip_is_equal_and_lives_the_same(const void *row)
{
    struct nor *n = chip_new(row, 11);
    struct nor *twin = chip_new(row, 11);
    live(n, 1, 30);
    live(twin, 1, 30);
    check_equal(n, twin);
    struct nor_snapshot *s = nor_save(n);
    REQUIRE(s != NULL);
    live(n, 2, 30);
    CHECK_INT(nor_restore(n, s), 0);
    check_equal(n, twin);
    /* The armed cut is not part of it: both begin the next life without one. */
    nor_arm_cut(twin, 0, TEAR_NOTHING, 0);
    live(n, 3, 30);
    live(twin, 3, 30);
    check_equal(n, twin);
    nor_snapshot_free(s);
    nor_free(n);
    nor_free(twin);
}

/* Many saves and restores in any order, against plain copies kept aside. */
static void sharing_never_shows(const void *row)
{
    enum { SAVES = 6 };
    struct nor *n = chip_new(row, 11);
    struct nor_snapshot *s[SAVES];
    struct nor *twin[SAVES];
    for (int i = 0; i < SAVES; i++) {
        live(n, (uint64_t)i, 5);
        s[i] = nor_save(n);
        REQUIRE(s[i] != NULL);
        twin[i] = chip_new(row, 11);
        CHECK_INT(nor_restore(twin[i], s[i]), 0);
        check_equal(n, twin[i]);
    }
    struct rng rng;
    rng_init(&rng, 1, "test", "order", 0);
    for (int round = 0; round < 40; round++) {
        int i = (int)rng_below(&rng, SAVES);
        CHECK_INT(nor_restore(n, s[i]), 0);
        check_equal(n, twin[i]);
        live(n, 100 + (uint64_t)round, (int)rng_below(&rng, 4));
        if (rng_below(&rng, 4) == 0) {
            struct nor_snapshot *newer = nor_save(n);
            REQUIRE(newer != NULL);
            nor_snapshot_free(s[i]);
            nor_free(twin[i]);
            s[i] = newer;
            twin[i] = chip_new(row, 11);
            CHECK_INT(nor_restore(twin[i], newer), 0);
        }
    }
    nor_free(n); /* snapshots outlive their chip */
    for (int i = 0; i < SAVES; i++) {
        struct nor *fresh = chip_new(row, 11);
        CHECK_INT(nor_restore(fresh, s[i]), 0);
        check_equal(fresh, twin[i]);
        nor_free(fresh);
        nor_free(twin[i]);
        nor_snapshot_free(s[i]);
    }
}

struct rewind {
    struct nor *chip;
    const struct nor_snapshot *to;
};

static void rewind_in_spend(void *ctx, int64_t ns)
{
    struct rewind *r = ctx;
    (void)ns;
    CHECK_INT(nor_restore(r->chip, r->to), 0);
}

static void restore_drops_flight_and_cut(const void *row)
{
    struct nor *n = chip_new(row, 1);
    struct nor_snapshot *s = nor_save(n);
    struct rewind r = {n, s};
    uint8_t data[64];
    fill_data(data, sizeof(data), 0);
    nor_arm_cut(n, 1, TEAR_DONE, 0);
    CHECK_INT(nor_restore(n, s), 0);
    CHECK_INT(nor_program(n, 0, data, sizeof(data)), 0);
    nor_power_off(n, TEAR_NOTHING, 0);
    CHECK_INT(nor_restore(n, s), 0);
    CHECK(nor_is_on(n));
    CHECK_INT(nor_op_count(n), 0);
    CHECK(all_are(nor_peek(n), 64, 0xFF));

    nor_set_hooks(n, &(struct nor_hooks){.ctx = &r, .spend = rewind_in_spend});
    CHECK_ERR(nor_program(n, 0, data, sizeof(data)), ERR_IO);
    CHECK_INT(nor_op_count(n), 0);
    CHECK(all_are(nor_peek(n), 64, 0xFF));
    nor_set_hooks(n, NULL);
    nor_power_off(n, TEAR_DONE, 0); /* nothing is in flight any more */
    CHECK(all_are(nor_peek(n), 64, 0xFF));
    nor_snapshot_free(s);
    nor_free(n);
}

static void weak(struct nor *n, uint32_t at)
{
    uint8_t zero[8] = {0};
    nor_arm_cut(n, nor_op_count(n) + 1, TEAR_WEAK, 0);
    CHECK_ERR(nor_program(n, at, zero, 8), ERR_IO);
    nor_power_on(n);
}

static void marginal_cells_do_not_leak_back(const void *row)
{
    struct nor *n = chip_new(row, 1);
    struct nor_snapshot *s = nor_save(n);
    weak(n, 0);
    CHECK_INT(nor_restore(n, s), 0);
    CHECK_INT(nor_weak_cells(n, 0, 4096), 0);
    weak(n, 256);
    CHECK_INT(nor_weak_cells(n, 0, 256), 0);
    CHECK_INT(nor_weak_cells(n, 256, 8), 64);
    nor_snapshot_free(s);
    nor_free(n);
}

static void later_readings_repeat(const void *row)
{
    enum { CYCLES = 20 };
    struct nor *n = chip_new(row, 1);
    uint8_t seen[CYCLES][8];
    weak(n, 0);
    nor_power_off(n, TEAR_NOTHING, 0);
    struct nor_snapshot *s = nor_save(n);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(nor_restore(n, s), 0);
        CHECK(!nor_is_on(n));
        for (int i = 0; i < CYCLES; i++) {
            uint8_t got[8];
            nor_power_on(n);
            if (nor_read(n, 0, got, 8) != 0)
                memset(got, 0xEE, 8);
            if (round == 0)
                memcpy(seen[i], got, 8);
            CHECK_MEM(got, seen[i], 8);
            nor_power_off(n, TEAR_NOTHING, 0);
        }
    }
    nor_snapshot_free(s);
    nor_free(n);
}

static void other_geometry_is_refused(void)
{
    struct nor *a = chip_new(&chip_rows[0], 1);
    struct nor *b = chip_new(&chip_rows[2], 1);
    struct nor_snapshot *s = nor_save(a);
    CHECK_ERR(nor_restore(b, s), ERR_ARG);
    CHECK_INT(nor_restore(a, s), 0);
    nor_snapshot_free(s);
    nor_snapshot_free(NULL);
    nor_free(a);
    nor_free(b);
    nor_free(NULL);
}

static const struct test tests[] = {
    TEST_ROWS("a restored chip is equal and lives the same",
              restored_chip_is_equal_and_lives_the_same, chip_rows, chip_name),
    TEST_ROWS("sharing never shows", sharing_never_shows, chip_rows, chip_name),
    TEST_ROWS("restore drops flight and cut", restore_drops_flight_and_cut, chip_rows, chip_name),
    TEST_ROWS("marginal cells do not leak back", marginal_cells_do_not_leak_back, chip_rows,
              chip_name),
    TEST_ROWS("later readings repeat", later_readings_repeat, chip_rows, chip_name),
    {"another geometry is refused", other_geometry_is_refused},
};
TEST_MAIN("flash snapshots", tests)
