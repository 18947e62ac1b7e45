#include "flash_emu/nor_raw.h"

#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"

#define UNIT 4096u

static const char *const chips[] = {"spi4k", "internal8"};
static const char *chip_name(const void *row)
{
    return *(const char *const *)row;
}

static struct nor *open_chip(const char *name, uint32_t units)
{
    struct err err = {""};
    struct nor_geometry geo = *nor_geometry_find(name);
    geo.size_bytes = units * UNIT;
    struct nor *n = nor_new(&geo, 5, &err);
    REQUIRE(n != NULL);
    return n;
}

/* Cuts an operation weakly, so that every kind of state is there. */
static void disturb(struct nor *n)
{
    uint8_t data[512];
    for (uint32_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    CHECK_INT(nor_program(n, 0, data, sizeof data), 0);
    nor_arm_cut(n, nor_op_count(n) + 1, TEAR_SCRAMBLED, 0);
    CHECK_ERR(nor_program(n, 512, data, 256), ERR_IO);
    nor_power_on(n);
    nor_arm_cut(n, nor_op_count(n) + 1, TEAR_WEAK, 0);
    CHECK_ERR(nor_program(n, 1024, data, 256), ERR_IO);
    nor_power_on(n);
}

struct image {
    uint8_t cells[UNIT], weak[UNIT], marks[256];
};

static void take(const struct nor *n, uint32_t unit, struct image *out)
{
    memset(out, 0, sizeof *out);
    nor_raw_get(n, unit * UNIT, UNIT, out->cells, out->weak);
    REQUIRE(2 * nor_raw_mark_bytes(n) <= sizeof out->marks);
    nor_raw_marks_get(n, unit, out->marks);
}

static void state_moves_to_another_chip(const void *row)
{
    struct image was, is;
    struct nor *n = open_chip(chip_name(row), 2), *m = open_chip(chip_name(row), 2);
    disturb(n);
    take(n, 0, &was);
    CHECK(nor_weak_cells(n, 0, UNIT) > 0);
    nor_raw_put(m, 0, UNIT, was.cells, was.weak);
    nor_raw_marks_put(m, 0, was.marks);
    take(m, 0, &is);
    CHECK_MEM(&is, &was, sizeof is);
    CHECK_INT(nor_op_count(m), 0);
    CHECK_INT(nor_weak_cells(m, 0, UNIT), nor_weak_cells(n, 0, UNIT));
    CHECK_INT(nor_is_torn(m, 512, 256), nor_is_torn(n, 512, 256));
    uint8_t got[256];
    CHECK_INT(nor_read(m, 512, got, 256), nor_read(n, 512, got, 256));
    uint8_t zero[8] = {0};
    CHECK_INT(nor_program(m, 0, zero, 8), nor_program(n, 0, zero, 8));
    /* And away again, with the weakness. */
    memset(was.cells, 0x5a, UNIT);
    nor_raw_put(m, 0, UNIT, was.cells, NULL);
    CHECK_INT(nor_weak_cells(m, 0, UNIT), 0);
    CHECK_MEM(nor_peek(m), was.cells, UNIT);
    nor_free(n);
    nor_free(m);
}

static void snapshots_see_the_change(const void *row)
{
    uint8_t data[UNIT];
    struct nor *n = open_chip(chip_name(row), 2);
    struct nor_snapshot *s = nor_save(n);
    memset(data, 0x33, sizeof data);
    nor_raw_put(n, UNIT, UNIT, data, NULL);
    CHECK_INT(nor_restore(n, s), 0);
    CHECK_INT(nor_peek(n)[UNIT], 0xff);
    nor_snapshot_free(s);
    nor_free(n);
}

/* Every reading can be had, and the same one is the same again. */
static void weak_cells_read_as_told(const void *row)
{
    struct image first[3], again;
    struct nor *n = open_chip(chip_name(row), 1);
    disturb(n);
    for (int r = 0; r < 3; r++) {
        nor_raw_settle(n, 0, (enum tear_reading)r);
        take(n, 0, &first[r]);
    }
    for (int r = 2; r >= 0; r--) {
        nor_raw_settle(n, 0, (enum tear_reading)r);
        take(n, 0, &again);
        CHECK_MEM(&again, &first[r], sizeof again);
    }
    for (int r = 0; r < 3; r++)
        CHECK(memcmp(&first[r], &first[(r + 1) % 3], sizeof again) != 0);
    nor_free(n);
}

/* What a cell reads is its own affair: fewer marginal cells around it change nothing. */
static void readings_are_by_place(void)
{
    uint8_t all[256], part[100], weak[UNIT] = {0}, cells[UNIT];
    struct nor *n = open_chip("spi4k", 2);
    nor_raw_reading(n, UNIT + 64, 256, READING_MIXED, all);
    nor_raw_reading(n, UNIT + 64 + 77, 100, READING_MIXED, part);
    CHECK_MEM(part, all + 77, sizeof part);
    memset(cells, 0xff, sizeof cells);
    memset(weak + 200, 0xff, 50);
    nor_raw_put(n, UNIT, UNIT, cells, weak);
    nor_raw_settle(n, 1, READING_MIXED);
    CHECK_MEM(nor_peek(n) + UNIT + 200, all + 136, 50);
    CHECK_INT(nor_peek(n)[UNIT + 199], 0xff);
    CHECK_INT(nor_peek(n)[UNIT + 250], 0xff);
    nor_raw_settle(n, 1, READING_ALL_0);
    CHECK_INT(nor_peek(n)[UNIT + 200], 0);
    nor_raw_settle(n, 1, READING_ALL_1);
    CHECK_INT(nor_peek(n)[UNIT + 249], 0xff);
    nor_free(n);
}

/* The same number draws the same tear, in another place and at another time. */
static void numbers_decide_the_tear(const void *row)
{
    uint8_t data[256] = {0}, got[4][256];
    struct nor *n = open_chip(chip_name(row), 4);
    for (uint32_t i = 0; i < 4; i++) {
        uint64_t number = i == 3 ? 77 : 1000000;
        nor_raw_set_op_count(n, number - 1);
        nor_arm_cut(n, number, TEAR_SCRAMBLED, 0);
        CHECK_ERR(nor_program(n, i * UNIT, data, sizeof data), ERR_IO);
        CHECK_INT(nor_op_count(n), number);
        nor_power_on(n);
        memcpy(got[i], nor_peek(n) + i * UNIT, sizeof got[i]);
    }
    CHECK_MEM(got[1], got[0], sizeof got[0]);
    CHECK_MEM(got[2], got[0], sizeof got[0]);
    CHECK(memcmp(got[3], got[0], sizeof got[0]) != 0);
    nor_free(n);
}

static const struct test tests[] = {
    TEST_ROWS("state moves to another chip", state_moves_to_another_chip, chips, chip_name),
    TEST_ROWS("snapshots see the change", snapshots_see_the_change, chips, chip_name),
    TEST_ROWS("weak cells read as told", weak_cells_read_as_told, chips, chip_name),
    {"readings are by place", readings_are_by_place},
    TEST_ROWS("numbers decide the tear", numbers_decide_the_tear, chips, chip_name),
};
TEST_MAIN("raw flash state", tests)
