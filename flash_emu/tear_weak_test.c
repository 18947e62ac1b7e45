#include "flash_emu/tear_testing.h"

static void settle_reads_marginal_cells_only(void)
{
    const uint8_t weak[4] = {0x0F, 0, 0xF0, 0xFF};
    const uint8_t cells[4] = {0x55, 0x55, 0x55, 0x55};
    uint8_t got[4];
    const uint8_t want[2][4] = {{0x50, 0x55, 0x05, 0x00}, {0x5F, 0x55, 0xF5, 0xFF}};
    struct rng rng;
    rng_init(&rng, 1, "test", "settle", 0);
    for (int mode = READING_ALL_0; mode <= READING_ALL_1; mode++) {
        memcpy(got, cells, 4);
        CHECK(tear_settle(got, weak, 4, (enum tear_reading)mode, &rng));
        CHECK_MEM(got, want[mode], 4);
    }
    memcpy(got, cells, 4);
    CHECK(tear_settle(got, weak, 4, READING_MIXED, &rng));
    for (size_t i = 0; i < 4; i++)
        CHECK_INT((got[i] ^ cells[i]) & ~weak[i], 0);
    CHECK(!tear_settle(got, weak + 1, 1, READING_ALL_0, &rng));
}

static void cycle(struct nor *n)
{
    nor_power_off(n, TEAR_NOTHING, 0);
    nor_power_on(n);
}

#define CYCLES 40

static void weak_program_reads_differently_later(const void *row)
{
    const struct chip_row *c = row;
    uint8_t old[PAGE];
    uint8_t data[PAGE];
    uint8_t got[PAGE];
    uint8_t again[PAGE];
    struct nor *n = torn_program(row, 3, TEAR_WEAK, 0, old, data);
    uint32_t at = nor_geo(n)->erase_bytes + PAGE;
    int right = 0;
    int wrong = 0;
    and_with(data, old, PAGE);
    for (int i = 0; i < CYCLES; i++) {
        cycle(n);
        memset(got, 0xEE, PAGE);
        memset(again, 0xEE, PAGE);
        int rc = nor_read(n, at, got, PAGE);
        CHECK_INT(nor_read(n, at, again, PAGE), rc);
        CHECK_MEM(again, got, PAGE); /* one reading within one power-on */
        if (c->policy == NOR_ECC) {
            CHECK(rc == 0 || rc == ERR_DIGEST);
            if (rc == 0)
                CHECK_MEM(got, data, PAGE); /* right or not at all */
        } else {
            CHECK_INT(rc, 0);
            for (uint32_t k = 0; k < PAGE; k++) {
                CHECK_INT(got[k] & ~old[k], 0);
                CHECK_INT(data[k] & ~got[k], 0);
            }
        }
        bool ok = rc == 0 && memcmp(got, data, PAGE) == 0;
        right += ok;
        wrong += !ok;
        CHECK(nor_weak_cells(n, at, PAGE) > 0);
    }
    CHECK(right > 0 && wrong > 0);
    nor_free(n);
}

static void weak_program_becomes_firm(const void *row)
{
    const struct chip_row *c = row;
    uint8_t old[PAGE];
    uint8_t data[PAGE];
    uint8_t got[PAGE];
    struct nor *n = torn_program(row, 3, TEAR_WEAK, 0, old, data);
    uint32_t unit = nor_geo(n)->erase_bytes;
    uint32_t at = unit + PAGE;
    cycle(n);
    if (c->policy == NOR_REWRITE) {
        /* Half of it programmed again: that half is firm, the other is not. */
        CHECK_INT(nor_program(n, at, data, PAGE / 2), 0);
        CHECK_INT(nor_weak_cells(n, at, PAGE / 2), 0);
        CHECK(nor_weak_cells(n, at + PAGE / 2, PAGE / 2) > 0);
        CHECK_INT(nor_program(n, at + PAGE / 2, data + PAGE / 2, PAGE / 2), 0);
        and_with(data, old, PAGE);
    } else {
        CHECK_ERR(nor_program(n, at, data, PAGE), ERR_IO);
        CHECK_INT(nor_erase(n, unit, unit), 0);
        memset(data, 0xFF, PAGE);
    }
    CHECK_INT(nor_weak_cells(n, 0, nor_geo(n)->size_bytes), 0);
    for (int i = 0; i < CYCLES; i++) {
        cycle(n);
        CHECK_INT(nor_read(n, at, got, PAGE), 0);
        CHECK_MEM(got, data, PAGE);
    }
    nor_free(n);
}

static void weak_erase_shows_old_bits(const void *row)
{
    const struct chip_row *c = row;
    static uint8_t old[65536];
    static uint8_t got[65536];
    struct nor *n = torn_erase(row, TEAR_WEAK, 0, old);
    uint32_t unit = nor_geo(n)->erase_bytes;
    int erased = 0;
    int shows = 0;
    CHECK(all_are(nor_peek(n) + unit, unit, 0xFF));
    for (int i = 0; i < CYCLES; i++) {
        cycle(n);
        int rc = nor_read(n, unit, got, unit);
        CHECK(rc == 0 || (rc == ERR_DIGEST && c->policy == NOR_ECC));
        bool blank = rc == 0 && all_are(got, unit, 0xFF);
        bool subset = true;
        for (uint32_t k = 0; rc == 0 && k < unit; k++)
            subset = subset && (old[k] & ~got[k]) == 0;
        CHECK(subset);
        erased += blank;
        shows += !blank;
        CHECK_INT(nor_read(n, unit + unit / 4 * 3, got, 64), 0);
        CHECK(all_are(got, 64, 0xFF));
    }
    CHECK(erased > 0 && shows > 0);
    CHECK_INT(nor_erase(n, unit, unit), 0);
    for (int i = 0; i < CYCLES; i++) {
        cycle(n);
        CHECK(all_are(nor_peek(n) + unit, unit, 0xFF));
        CHECK_INT(nor_read(n, unit, got, unit), 0);
    }
    nor_free(n);
}

static void programming_over_a_weak_erase_firms_zeros_only(const void *row)
{
    const struct chip_row *c = row;
    static uint8_t old[65536];
    struct nor *n = torn_erase(row, TEAR_WEAK, 0, old);
    uint32_t unit = nor_geo(n)->erase_bytes;
    uint8_t data[16];
    uint8_t got[16];
    int right = 0;
    int wrong = 0;
    memset(data, 0x0F, sizeof(data));
    nor_power_on(n);
    CHECK_INT(nor_program(n, unit, data, sizeof(data)), 0);
    for (int i = 0; i < CYCLES; i++) {
        cycle(n);
        int rc = nor_read(n, unit, got, sizeof(got));
        CHECK(rc == 0 || c->policy == NOR_ECC);
        for (uint32_t k = 0; rc == 0 && k < sizeof(got); k++)
            CHECK_INT(got[k] & 0xF0, 0);
        bool ok = rc == 0 && memcmp(got, data, sizeof(got)) == 0;
        right += ok;
        wrong += !ok;
    }
    CHECK(right > 0 && wrong > 0);
    memset(data, 0, sizeof(data));
    if (c->policy == NOR_REWRITE) {
        CHECK_INT(nor_program(n, unit, data, sizeof(data)), 0);
        for (int i = 0; i < CYCLES; i++) {
            cycle(n);
            CHECK_MEM(nor_peek(n) + unit, data, sizeof(data));
        }
    }
    nor_free(n);
}

static void readings_follow_seed_and_ordinal(const void *row)
{
    uint8_t old[PAGE];
    uint8_t data[PAGE];
    struct nor *a = torn_program(row, 3, TEAR_WEAK, 0, old, data);
    struct nor *b = torn_program(row, 3, TEAR_WEAK, 0, old, data);
    struct nor *other = torn_program(row, 4, TEAR_WEAK, 0, old, data);
    uint32_t at = nor_geo(a)->erase_bytes + PAGE;
    uint8_t got[3][PAGE];
    int rc[3];
    int differ = 0;
    for (int i = 0; i < CYCLES; i++) {
        struct nor *chips[3] = {a, b, other};
        memset(got, 0, sizeof(got));
        for (int k = 0; k < 3; k++) {
            cycle(chips[k]);
            rc[k] = nor_read(chips[k], at, got[k], PAGE);
        }
        CHECK_INT(rc[1], rc[0]);
        CHECK_MEM(got[1], got[0], PAGE);
        differ += rc[2] != rc[0] || memcmp(got[2], got[0], PAGE) != 0;
    }
    CHECK(differ > 0);
    nor_free(a);
    nor_free(b);
    nor_free(other);
}

static void load_makes_cells_firm(const void *row)
{
    uint8_t old[PAGE];
    uint8_t data[PAGE];
    struct nor *n = torn_program(row, 3, TEAR_WEAK, 0, old, data);
    uint32_t at = nor_geo(n)->erase_bytes + PAGE;
    nor_power_on(n);
    CHECK_INT(nor_load(n, at, data, PAGE), 0);
    CHECK_INT(nor_weak_cells(n, at, PAGE), 0);
    for (int i = 0; i < CYCLES; i++) {
        cycle(n);
        CHECK_INT(nor_read(n, at, old, PAGE), 0);
        CHECK_MEM(old, data, PAGE);
    }
    nor_free(n);
}

static const struct test tests[] = {
    {"settling reads marginal cells only", settle_reads_marginal_cells_only},
    TEST_ROWS("a weak program reads differently later", weak_program_reads_differently_later,
              chip_rows, chip_name),
    TEST_ROWS("a weak program becomes firm", weak_program_becomes_firm, chip_rows, chip_name),
    TEST_ROWS("a weak erase shows old bits", weak_erase_shows_old_bits, chip_rows, chip_name),
    TEST_ROWS("programming over a weak erase firms zeros only",
              programming_over_a_weak_erase_firms_zeros_only, chip_rows, chip_name),
    TEST_ROWS("readings follow seed and ordinal", readings_follow_seed_and_ordinal, chip_rows,
              chip_name),
    TEST_ROWS("load makes cells firm", load_makes_cells_firm, chip_rows, chip_name),
};
TEST_MAIN("weak tears", tests)
