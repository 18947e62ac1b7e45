#include "flash_emu/tear_testing.h"

/* ---- plans ---- */

struct plan_row {
    const char *name;
    enum nor_op_kind kind;
    enum nor_tear tear;
    uint32_t arg, len, granule;
    uint32_t done_from, done_to, torn_from, torn_to;
    bool weak;
};

#define P NOR_OP_PROGRAM
#define E NOR_OP_ERASE
static const struct plan_row plan_rows[] = {
    {"program nothing", P, TEAR_NOTHING, 9, 256, 1, 0, 0, 0, 0, false},
    {"program prefix", P, TEAR_PREFIX, 100, 256, 1, 0, 100, 0, 0, false},
    {"program prefix in granules", P, TEAR_PREFIX, 101, 256, 8, 0, 96, 0, 0, false},
    {"program prefix of nothing", P, TEAR_PREFIX, 7, 256, 8, 0, 0, 0, 0, false},
    {"program prefix too long", P, TEAR_PREFIX, 1000, 256, 8, 0, 256, 0, 0, false},
    {"program all but last byte", P, TEAR_ALL_BUT_LAST, 0, 256, 1, 0, 255, 0, 0, false},
    {"program all but last granule", P, TEAR_ALL_BUT_LAST, 0, 256, 8, 0, 248, 0, 0, false},
    {"program all but the only granule", P, TEAR_ALL_BUT_LAST, 0, 8, 8, 0, 0, 0, 0, false},
    {"program scrambled", P, TEAR_SCRAMBLED, 0, 256, 8, 0, 0, 0, 256, false},
    {"program half-erased", P, TEAR_HALF_ERASED, 0, 256, 8, 0, 0, 0, 256, false},
    {"program weak", P, TEAR_WEAK, 0, 256, 8, 0, 256, 0, 0, true},
    {"program done", P, TEAR_DONE, 0, 256, 8, 0, 256, 0, 0, false},
    {"erase nothing", E, TEAR_NOTHING, 0, 4096, 1, 0, 0, 0, 0, false},
    {"erase prefix", E, TEAR_PREFIX, 1001, 4096, 8, 0, 1000, 0, 0, false},
    {"erase all but last 16th", E, TEAR_ALL_BUT_LAST, 0, 4096, 8, 0, 3840, 0, 0, false},
    {"erase all but last granule", E, TEAR_ALL_BUT_LAST, 0, 64, 8, 0, 56, 0, 0, false},
    {"erase scrambled", E, TEAR_SCRAMBLED, 0, 4096, 1, 0, 0, 0, 4096, false},
    {"erase weak", E, TEAR_WEAK, 0, 4096, 1, 0, 4096, 0, 0, true},
    {"erase done", E, TEAR_DONE, 0, 4096, 1, 0, 4096, 0, 0, false},
};
#undef P
#undef E

static const char *plan_name(const void *row)
{
    return ((const struct plan_row *)row)->name;
}

static void plan_is(const void *row)
{
    const struct plan_row *r = row;
    struct rng rng;
    rng_init(&rng, 1, "test", "plan", 0);
    struct tear_outcome o = tear_plan(r->tear, r->kind, r->arg, r->len, r->granule, &rng);
    CHECK_INT(o.done_from, r->done_from);
    CHECK_INT(o.done_to, r->done_to);
    CHECK_INT(o.torn_from, r->torn_from);
    CHECK_INT(o.torn_to, r->torn_to);
    CHECK_INT(o.weak, r->weak);
}

static void half_erased_takes_either_half(void)
{
    int first = 0;
    int second = 0;
    for (uint64_t i = 0; i < 64; i++) {
        struct rng rng;
        rng_init(&rng, 1, "test", "half", i);
        struct tear_outcome o = tear_plan(TEAR_HALF_ERASED, NOR_OP_ERASE, 0, 4096, 8, &rng);
        bool is_first = o.done_from == 0;
        CHECK_INT(o.done_from, is_first ? 0 : 2048);
        CHECK_INT(o.done_to, is_first ? 2048 : 4096);
        CHECK_INT(o.torn_from, is_first ? 2048 : 0);
        CHECK_INT(o.torn_to, is_first ? 4096 : 2048);
        first += is_first;
        second += !is_first;
    }
    CHECK(first > 0 && second > 0);
}

static void names_and_values_agree(void)
{
    enum nor_tear tear;
    for (int i = 0; i < TEAR_COUNT; i++) {
        CHECK_INT(nor_tear_parse(nor_tear_name((enum nor_tear)i), &tear), 0);
        CHECK_INT(tear, i);
    }
    CHECK_STR(nor_tear_name(TEAR_ALL_BUT_LAST), "all-but-last");
    CHECK_STR(nor_tear_name(TEAR_COUNT), "unknown");
    CHECK_ERR(nor_tear_parse("Weak", &tear), ERR_NOT_FOUND);
    CHECK_ERR(nor_tear_parse("", &tear), ERR_NOT_FOUND);
}

static int ones_of(const uint8_t *p, size_t len_bytes)
{
    int count = 0;
    for (size_t i = 0; i < len_bytes; i++)
        for (int bit = 0; bit < 8; bit++)
            count += p[i] >> bit & 1;
    return count;
}

/* A cut early, midway or late in the pulse: a quarter, half or three quarters have moved. */
static void scatter_comes_in_three_densities(void)
{
    int seen[2][3] = {{0}};
    for (uint64_t i = 0; i < 60; i++) {
        struct rng rng;
        uint8_t cells[256];
        uint8_t zero[256] = {0};
        int moved[2];
        rng_init(&rng, 1, "test", "density", i);
        memset(cells, 0xFF, sizeof(cells));
        tear_scatter_program(cells, zero, sizeof(cells), &rng);
        moved[0] = 2048 - ones_of(cells, sizeof(cells));
        memset(cells, 0, sizeof(cells));
        tear_scatter_erase(cells, sizeof(cells), &rng);
        moved[1] = ones_of(cells, sizeof(cells));
        for (int k = 0; k < 2; k++) {
            int nearest = (moved[k] + 256) / 512;
            CHECK(nearest >= 1 && nearest <= 3);
            CHECK(moved[k] > nearest * 512 - 150 && moved[k] < nearest * 512 + 150);
            if (nearest >= 1 && nearest <= 3)
                seen[k][nearest - 1]++;
        }
    }
    for (int k = 0; k < 2; k++)
        for (int d = 0; d < 3; d++)
            CHECK(seen[k][d] > 0);
}

static void torn_program_leaves_a_front(const void *row)
{
    static const struct {
        enum nor_tear tear;
        uint32_t arg;
    } rows[] = {{TEAR_NOTHING, 0},  {TEAR_PREFIX, 0},   {TEAR_PREFIX, 1},   {TEAR_PREFIX, 8},
                {TEAR_PREFIX, 101}, {TEAR_PREFIX, 256}, {TEAR_PREFIX, 999}, {TEAR_ALL_BUT_LAST, 0},
                {TEAR_DONE, 0},     {TEAR_WEAK, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t want[PAGE];
        uint8_t data[PAGE];
        struct nor *n = torn_program(row, 1, rows[i].tear, rows[i].arg, want, data);
        uint32_t granule = nor_geo(n)->granule_bytes;
        uint32_t at = nor_geo(n)->erase_bytes + PAGE;
        uint32_t done = PAGE;
        uint32_t fallen = 0;
        if (rows[i].tear == TEAR_NOTHING)
            done = 0;
        if (rows[i].tear == TEAR_ALL_BUT_LAST)
            done = PAGE - granule;
        if (rows[i].tear == TEAR_PREFIX && rows[i].arg < PAGE)
            done = rows[i].arg - rows[i].arg % granule;
        for (uint32_t k = 0; k < PAGE; k++)
            for (int bit = 0; bit < 8; bit++)
                fallen += (want[k] & ~data[k]) >> bit & 1;
        and_with(want, data, done);
        CHECK_MEM(nor_peek(n) + at, want, PAGE);
        CHECK(!nor_is_torn(n, 0, nor_geo(n)->size_bytes));
        CHECK_INT(nor_weak_cells(n, 0, nor_geo(n)->size_bytes),
                  rows[i].tear == TEAR_WEAK ? fallen : 0);
        CHECK_INT(nor_weak_cells(n, at, PAGE), rows[i].tear == TEAR_WEAK ? fallen : 0);

        if (rows[i].tear != TEAR_WEAK) {
            uint8_t got[PAGE];
            nor_power_on(n);
            CHECK_INT(nor_read(n, at, got, PAGE), 0);
            CHECK_MEM(got, want, PAGE);
            /* What was not reached may still be programmed, whatever the policy. */
            if (done < PAGE)
                CHECK_INT(nor_program(n, at + done, data + done, PAGE - done), 0);
        }
        nor_free(n);
    }
}

static void scrambled_program_leaves_a_subset(const void *row)
{
    const struct chip_row *c = row;
    static const enum nor_tear tears[] = {TEAR_SCRAMBLED, TEAR_HALF_ERASED};
    for (size_t i = 0; i < 2; i++) {
        uint8_t old[PAGE];
        uint8_t data[PAGE];
        uint8_t got[PAGE];
        struct nor *n = torn_program(row, 1, tears[i], 0, old, data);
        uint32_t at = nor_geo(n)->erase_bytes + PAGE;
        const uint8_t *cells = nor_peek(n) + at;
        int moved = 0;
        int unmoved = 0;
        for (uint32_t k = 0; k < PAGE; k++) {
            CHECK_INT(cells[k] & ~old[k], 0);             /* no bit rose */
            CHECK_INT((old[k] & data[k]) & ~cells[k], 0); /* none fell that should not */
            moved += cells[k] != old[k];
            unmoved += cells[k] != (old[k] & data[k]);
        }
        CHECK(moved > 16 && unmoved > 16);
        CHECK_INT(nor_weak_cells(n, at, PAGE), 0);

        nor_power_on(n);
        memset(got, 0xEE, PAGE);
        int rc = nor_read(n, at, got, PAGE);
        if (c->policy == NOR_ECC) {
            CHECK_ERR(rc, ERR_DIGEST);
            CHECK(all_are(got, PAGE, 0xEE));
            CHECK_ERR(nor_read(n, at + PAGE - 1, got, 1), ERR_DIGEST);
            CHECK(nor_is_torn(n, at, PAGE));
        } else {
            CHECK_INT(rc, 0);
            CHECK_MEM(got, cells, PAGE);
            CHECK(!nor_is_torn(n, at, PAGE));
        }
        /* Only the pages of the operation: the neighbours read well. */
        CHECK_INT(nor_read(n, at - 1, got, 1), 0);
        CHECK_INT(nor_read(n, at + PAGE, got, 1), 0);
        rc = nor_program(n, at, data, PAGE);
        if (c->policy == NOR_REWRITE) {
            CHECK_INT(rc, 0);
            and_with(old, data, PAGE);
            CHECK_MEM(cells, old, PAGE);
        } else {
            CHECK_ERR(rc, ERR_IO);
            CHECK_INT(nor_erase(n, at - PAGE, nor_geo(n)->erase_bytes), 0);
            CHECK_INT(nor_program(n, at, data, PAGE), 0);
            CHECK_INT(nor_read(n, at, got, PAGE), 0);
            CHECK_MEM(got, data, PAGE);
        }
        nor_free(n);
    }
}

static void torn_erase_leaves_a_front(const void *row)
{
    static uint8_t old[65536];
    static const struct {
        enum nor_tear tear;
        uint32_t arg;
    } rows[] = {{TEAR_NOTHING, 0},      {TEAR_PREFIX, 0}, {TEAR_PREFIX, 1001}, {TEAR_PREFIX, ~0u},
                {TEAR_ALL_BUT_LAST, 0}, {TEAR_DONE, 0},   {TEAR_WEAK, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct nor *n = torn_erase(row, rows[i].tear, rows[i].arg, old);
        const struct nor_geometry *geo = nor_geo(n);
        uint32_t unit = geo->erase_bytes;
        uint32_t done = unit;
        uint32_t zeros = 0;
        if (rows[i].tear == TEAR_NOTHING)
            done = 0;
        if (rows[i].tear == TEAR_ALL_BUT_LAST)
            done = unit - unit / 16;
        if (rows[i].tear == TEAR_PREFIX && rows[i].arg < unit)
            done = rows[i].arg - rows[i].arg % geo->granule_bytes;
        for (uint32_t k = 0; k < unit; k++)
            for (int bit = 0; bit < 8; bit++)
                zeros += ~old[k] >> bit & 1;
        memset(old, 0xFF, done);
        CHECK_MEM(nor_peek(n) + unit, old, unit);
        CHECK_INT(nor_wear(n, unit), done > 0);
        CHECK(!nor_is_torn(n, 0, geo->size_bytes));
        CHECK_INT(nor_weak_cells(n, 0, geo->size_bytes), rows[i].tear == TEAR_WEAK ? zeros : 0);
        nor_power_on(n);
        uint8_t data[8] = {0};
        if (done >= 8)
            CHECK_INT(nor_program(n, unit, data, 8), 0);
        else if (geo->policy != NOR_REWRITE)
            CHECK_ERR(nor_program(n, unit, data, 8), ERR_IO);
        nor_free(n);
    }
}

static void scattered_erase_raises_a_subset(const void *row)
{
    const struct chip_row *c = row;
    static uint8_t old[65536];
    static const enum nor_tear tears[] = {TEAR_SCRAMBLED, TEAR_HALF_ERASED};
    for (size_t i = 0; i < 2; i++) {
        struct nor *n = torn_erase(row, tears[i], 0, old);
        uint32_t unit = nor_geo(n)->erase_bytes;
        const uint8_t *cells = nor_peek(n) + unit;
        uint8_t got[16];
        uint32_t from = 0; /* of the scattered part */
        uint32_t to = unit;
        if (tears[i] == TEAR_HALF_ERASED) {
            from = all_are(cells, unit / 2, 0xFF) ? unit / 2 : 0;
            to = from + unit / 2;
            CHECK(all_are(cells + (from == 0 ? unit / 2 : 0), unit / 2, 0xFF));
        }
        uint32_t moved = 0;
        uint32_t unmoved = 0;
        for (uint32_t k = from; k < to && k < unit / 4 * 3; k++) {
            CHECK_INT(old[k] & ~cells[k], 0); /* no bit fell */
            moved += cells[k] != old[k];
            unmoved += cells[k] != 0xFF;
        }
        CHECK(moved > unit / 16 && unmoved > unit / 16);
        CHECK(all_are(cells + unit / 4 * 3, unit / 4, 0xFF));
        CHECK_INT(nor_wear(n, unit), 1);
        nor_power_on(n);
        int rc = nor_read(n, unit + from, got, sizeof(got));
        CHECK_INT(rc, c->policy == NOR_ECC ? ERR_DIGEST : 0);
        /* Granules that held nothing read well. */
        CHECK_INT(nor_read(n, unit + unit / 4 * 3, got, sizeof(got)), 0);
        CHECK_INT(nor_erase(n, unit, unit), 0);
        CHECK(all_are(cells, unit, 0xFF));
        CHECK_INT(nor_read(n, unit + from, got, sizeof(got)), 0);
        CHECK_INT(nor_wear(n, unit), 2);
        nor_free(n);
    }
}

/* ---- repeatable ---- */

static void same_seed_same_tear(const void *row)
{
    uint8_t old[PAGE];
    uint8_t data[PAGE];
    struct nor *a = torn_program(row, 5, TEAR_SCRAMBLED, 0, old, data);
    struct nor *b = torn_program(row, 5, TEAR_SCRAMBLED, 0, old, data);
    struct nor *other_seed = torn_program(row, 6, TEAR_SCRAMBLED, 0, old, data);
    struct nor *other_arg = torn_program(row, 5, TEAR_SCRAMBLED, 1, old, data);
    uint32_t size = nor_geo(a)->size_bytes;
    CHECK_MEM(nor_peek(b), nor_peek(a), size);
    CHECK(memcmp(nor_peek(a), nor_peek(other_seed), size) != 0);
    CHECK(memcmp(nor_peek(a), nor_peek(other_arg), size) != 0);
    nor_free(a);
    nor_free(b);
    nor_free(other_seed);
    nor_free(other_arg);
}

/* ---- beyond the cells of the operation ---- */

static uint32_t bits_that_differ(const uint8_t *a, const uint8_t *b, uint32_t len_bytes)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < len_bytes; i++)
        for (uint8_t d = (uint8_t)(a[i] ^ b[i]); d != 0; d &= (uint8_t)(d - 1))
            n++;
    return n;
}

static void one_bit_is_left(const void *row)
{
    struct nor *n = chip_new(row, 1);
    uint32_t unit = nor_geo(n)->erase_bytes;
    uint8_t data[PAGE], back[PAGE];
    memset(data, 0xFF, sizeof data);
    memset(data, 0x5A, 40); /* the last that falls is bit 0 of byte 39 */
    nor_arm_cut(n, 1, TEAR_ALL_BUT_BIT, 0);
    CHECK_ERR(nor_program(n, 0, data, sizeof data), ERR_IO);
    CHECK_INT(bits_that_differ(nor_peek(n), data, sizeof data), 1);
    CHECK_INT(nor_peek(n)[39], 0x5B);
    nor_power_on(n);
    bool ecc = nor_geo(n)->policy == NOR_ECC;
    CHECK_INT(nor_read(n, 0, back, sizeof back), ecc ? ERR_DIGEST : 0);
    /* An erase leaves one, too, and a second erase takes it. */
    nor_arm_cut(n, 2, TEAR_ALL_BUT_BIT, 0);
    CHECK_ERR(nor_erase(n, 0, unit), ERR_IO);
    CHECK_INT(nor_peek(n)[39], 0xFB); /* 0x5B lacks 0xA4 */
    CHECK(all_are(nor_peek(n), 39, 0xFF) && all_are(nor_peek(n) + 40, unit - 40, 0xFF));
    nor_power_on(n);
    CHECK_INT(nor_erase(n, 0, unit), 0);
    CHECK(all_are(nor_peek(n), unit, 0xFF));
    CHECK_INT(nor_read(n, 0, back, sizeof back), 0);
    nor_free(n);
}

static void a_dead_range_reads_again_after_an_erase(const void *row)
{
    struct nor *n = chip_new(row, 1);
    uint8_t data[2 * PAGE] = {0}, byte;
    nor_arm_cut(n, 2, TEAR_UNREADABLE, 0);
    CHECK_ERR(nor_program(n, 0, data, sizeof data), ERR_IO);
    for (int life = 0; life < 2; life++) {
        nor_power_on(n);
        CHECK_INT(nor_read(n, PAGE - 1, &byte, 1), 0);
        CHECK_ERR(nor_read(n, PAGE, &byte, 1), ERR_DIGEST);
        CHECK_ERR(nor_read(n, 2 * PAGE - 1, &byte, 1), ERR_DIGEST);
        CHECK_ERR(nor_read(n, 0, data, sizeof data), ERR_DIGEST);
        CHECK_INT(nor_read(n, 2 * PAGE, &byte, 1), 0);
        nor_power_off(n, TEAR_NOTHING, 0);
    }
    nor_power_on(n);
    CHECK_INT(nor_erase(n, 0, nor_geo(n)->erase_bytes), 0);
    CHECK_INT(nor_read(n, 0, data, sizeof data), 0);
    nor_free(n);
}

static void a_neighbour_loses_one_bit(const void *row)
{
    struct nor *n = chip_new(row, 1);
    uint32_t unit = nor_geo(n)->erase_bytes;
    uint8_t data[PAGE] = {0};
    nor_arm_cut(n, 1, TEAR_DISTURB, 0);
    CHECK_ERR(nor_program(n, PAGE, data, sizeof data), ERR_IO);
    CHECK(all_are(nor_peek(n) + PAGE, PAGE, 0)); /* done itself */
    uint32_t ones = 0;
    for (uint32_t i = 0; i < unit; i++)
        for (uint8_t b = nor_peek(n)[i]; b != 0; b &= (uint8_t)(b - 1))
            ones++;
    CHECK_INT(ones, 8 * (unit - PAGE) - 1);
    CHECK(all_are(nor_peek(n) + unit, unit, 0xFF)); /* no other unit */
    nor_free(n);
}

/* Three programs and an erase behind a cache of two, then a cut. */
static struct nor *cached(const struct nor_geometry *geo, enum nor_tear tear, uint32_t arg)
{
    struct nor_geometry g = *geo;
    struct err err = {""};
    uint8_t data[PAGE];
    g.write_back_ops = 2;
    struct nor *n = nor_new(&g, 1, &err);
    REQUIRE(n != NULL);
    for (uint32_t i = 0; i < 3; i++) {
        memset(data, (int)(i + 1), sizeof data);
        CHECK_INT(nor_program(n, i * PAGE, data, sizeof data), 0);
    }
    CHECK_INT(nor_erase(n, 0, g.erase_bytes), 0);
    nor_arm_cut(n, 5, tear, arg);
    CHECK_ERR(nor_program(n, 0, data, sizeof data), ERR_IO);
    return n;
}

static void what_a_cache_held_is_lost(const void *row)
{
    const struct nor_geometry small = chip_geometry(row), *geo = &small;
    static const struct {
        enum nor_tear tear;
        uint32_t arg;
        uint8_t first, third; /* byte of the first and third page */
    } ends[] = {{TEAR_NOTHING, 0, 0xFF, 0xFF}, {TEAR_DONE, 0, 3, 0xFF},
                {TEAR_UNWRITTEN, 1, 1, 3},     {TEAR_UNWRITTEN, 2, 1, 0xFF},
                {TEAR_UNWRITTEN, 0, 1, 0xFF},  {TEAR_UNWRITTEN, 9, 1, 0xFF}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct nor *n = cached(geo, ends[i].tear, ends[i].arg);
        CHECK_INT(nor_peek(n)[0], ends[i].first);
        CHECK_INT(nor_peek(n)[2 * PAGE], ends[i].third);
        nor_power_on(n);
        nor_power_off(n, TEAR_UNWRITTEN, 0); /* the cache of that life is gone */
        CHECK_INT(nor_peek(n)[0], ends[i].first);
        nor_free(n);
    }
}

static const struct test tests[] = {
    TEST_ROWS("plan", plan_is, plan_rows, plan_name),
    {"half-erased takes either half", half_erased_takes_either_half},
    {"names and values agree", names_and_values_agree},
    {"scatter comes in three densities", scatter_comes_in_three_densities},
    TEST_ROWS("a torn program leaves a front", torn_program_leaves_a_front, chip_rows, chip_name),
    TEST_ROWS("a scrambled program leaves a subset", scrambled_program_leaves_a_subset, chip_rows,
              chip_name),
    TEST_ROWS("a torn erase leaves a front", torn_erase_leaves_a_front, chip_rows, chip_name),
    TEST_ROWS("a scattered erase raises a subset", scattered_erase_raises_a_subset, chip_rows,
              chip_name),
    TEST_ROWS("same seed, same tear", same_seed_same_tear, chip_rows, chip_name),
    TEST_ROWS("one bit is left", one_bit_is_left, chip_rows, chip_name),
    TEST_ROWS("a dead range reads again after an erase", a_dead_range_reads_again_after_an_erase,
              chip_rows, chip_name),
    TEST_ROWS("a neighbour loses one bit", a_neighbour_loses_one_bit, chip_rows, chip_name),
    TEST_ROWS("what a cache held is lost", what_a_cache_held_is_lost, chip_rows, chip_name),
};
TEST_MAIN("tears", tests)
