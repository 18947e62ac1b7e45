#include "flash_emu/partition.h"

#include "flash_emu/nor_testing.h"

/* Four erase units: boot, a gap, download, a gap; listed out of order on purpose. */
static const struct partition_table layout = {
    .part = {{"download", 2 * 4096, 4096}, {"boot", 0, 4096}},
    .count = 2,
};

struct bad_table {
    const char *name;
    struct partition_table table;
    const char *says;
};
static const struct bad_table bad_tables[] = {
    {"empty name", {.part = {{"", 0, 4096}}, .count = 1}, "partition 0: name is empty"},
    {"name without end",
     {.part = {{{'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p'},
                0,
                4096}},
      .count = 1},
     "longer than 15"},
    {"no size", {.part = {{"a", 0, 0}}, .count = 1}, "partition a: size must not be 0"},
    {"offset inside a unit", {.part = {{"a", 8, 4096}}, .count = 1}, "multiples of the erase unit"},
    {"size inside a unit", {.part = {{"a", 0, 4097}}, .count = 1}, "multiples of the erase unit"},
    {"beyond the end", {.part = {{"a", 4096, 4 * 4096}}, .count = 1}, "beyond the end"},
    {"far beyond", {.part = {{"a", 0xFFFFF000, 4096}}, .count = 1}, "beyond the end"},
    {"wraps around", {.part = {{"a", 4096, 0xFFFFF000}}, .count = 1}, "beyond the end"},
    {"used twice",
     {.part = {{"a", 0, 4096}, {"a", 4096, 4096}}, .count = 2},
     "partition a: name is used twice"},
    {"overlap",
     {.part = {{"a", 4096, 8192}, {"b", 0, 8192}}, .count = 2},
     "partition b: overlaps partition a"},
    {"too many", {.count = PARTITION_MAX + 1}, "at most 24"},
};

static const char *bad_table_name(const void *row)
{
    return ((const struct bad_table *)row)->name;
}

static void bad_table_is_refused(const void *row)
{
    const struct bad_table *b = row;
    struct nor_geometry geo = chip_geometry(&chip_rows[0]);
    struct err err = {""};
    CHECK_ERR(partition_check(&b->table, &geo, &err), ERR_FORMAT);
    CHECK_HAS(err.text, b->says);
}

static void good_table_is_taken(void)
{
    struct nor_geometry geo = chip_geometry(&chip_rows[0]);
    struct partition_table full = {.count = 0};
    struct err err = {""};
    CHECK_OK(partition_check(&layout, &geo, &err), &err);
    CHECK_OK(partition_check(&full, &geo, &err), &err);
    full = (struct partition_table){.part = {{"a", 0, 4096}, {"b", 4096, 4096}}, .count = 2};
    CHECK_OK(partition_check(&full, &geo, &err), &err);
    full = (struct partition_table){.part = {{"fifteen_letters", 0, 4 * 4096}}, .count = 1};
    CHECK_OK(partition_check(&full, &geo, &err), &err);
}

static void partitions_are_found(void)
{
    CHECK(partition_find(&layout, "boot") == &layout.part[1]);
    CHECK(partition_find(&layout, "download") == &layout.part[0]);
    CHECK(partition_find(&layout, "boo") == NULL);
    CHECK(partition_find(&layout, "boots") == NULL);
    CHECK(partition_find(&layout, "") == NULL);
    CHECK(partition_find(&layout, NULL) == NULL);
    static const struct {
        uint32_t addr;
        int part;
    } rows[] = {{0, 1},    {4095, 1},  {4096, -1},  {8191, -1},
                {8192, 0}, {12287, 0}, {12288, -1}, {UINT32_MAX, -1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK(partition_at(&layout, rows[i].addr) ==
              (rows[i].part < 0 ? NULL : &layout.part[rows[i].part]));
}

static void guard_fills_gaps_only(void)
{
    struct nor *n = chip_new(&chip_rows[0], 1);
    const uint8_t *cells = nor_peek(n);
    CHECK_INT(partition_guard(n, &layout), 0);
    CHECK_INT(nor_op_count(n), 0);
    CHECK(all_are(cells, 4096, 0xFF));
    CHECK(all_are(cells + 8192, 4096, 0xFF));
    for (uint32_t a = 4096; a < 8192; a++) {
        CHECK(cells[a] != 0 && cells[a] != 0xFF);
        CHECK(cells[a + 8192] != 0 && cells[a + 8192] != 0xFF);
    }
    /* A block copied from elsewhere in the gap shows as well. */
    CHECK(memcmp(cells + 4096, cells + 4096 + 256, 256) != 0);
    CHECK(memcmp(cells + 4096, cells + 12288, 4096) != 0);
    CHECK_INT(partition_guard_check(n, &layout), UINT32_MAX);
    CHECK(partition_guard_holds(n, 4096, 4096));
    CHECK(!partition_guard_holds(n, 4095, 2));
    nor_free(n);
}

static void broken_guard_is_found(void)
{
    static const struct {
        uint32_t addr;
        bool erase;
    } rows[] = {{4096, false}, {8191, false}, {12288, false}, {16383, false}, {12288, true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct nor *n = chip_new(&chip_rows[0], 1);
        uint8_t zero = 0;
        CHECK_INT(partition_guard(n, &layout), 0);
        CHECK_INT(nor_program(n, 0, &zero, 1), 0); /* inside a partition */
        CHECK_INT(partition_guard_check(n, &layout), UINT32_MAX);
        if (rows[i].erase)
            CHECK_INT(nor_erase(n, rows[i].addr, 4096), 0);
        else
            CHECK_INT(nor_program(n, rows[i].addr, &zero, 1), 0);
        CHECK_INT(partition_guard_check(n, &layout), rows[i].addr);
        nor_free(n);
    }
}

static void no_gap_no_guard(void)
{
    struct partition_table full = {.part = {{"all", 0, 4 * 4096}}, .count = 1};
    struct partition_table none = {.count = 0};
    struct nor *n = chip_new(&chip_rows[0], 1);
    CHECK_INT(partition_guard(n, &full), 0);
    CHECK(all_are(nor_peek(n), 4 * 4096, 0xFF));
    CHECK_INT(partition_guard_check(n, &full), UINT32_MAX);
    CHECK_INT(partition_guard_check(n, &none), 0);
    CHECK_INT(partition_guard(n, &none), 0);
    CHECK_INT(partition_guard_check(n, &none), UINT32_MAX);
    nor_free(n);
}

static const struct test tests[] = {
    TEST_ROWS("bad table is refused", bad_table_is_refused, bad_tables, bad_table_name),
    {"a good table is taken", good_table_is_taken},
    {"partitions are found", partitions_are_found},
    {"the guard fills gaps only", guard_fills_gaps_only},
    {"a broken guard is found", broken_guard_is_found},
    {"no gap, no guard", no_gap_no_guard},
};
TEST_MAIN("partitions", tests)
