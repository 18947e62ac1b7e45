/* Power cuts at every flash operation of a download, on rewritable and write-once chips. */
#include "sim_device/agent/cmiot/cmiot_testing.h"

#define SEGMENT 128u
#define SIZE    1000u /* eight segments, the last of 104 bytes */
#define COUNT   8u

static const struct cut_row {
    const char *name;
    const char *chip;
    enum nor_tear tear;
} cuts[] = {
    {"spi4k nothing", "spi4k", TEAR_NOTHING},
    {"spi4k prefix", "spi4k", TEAR_PREFIX},
    {"spi4k all but last", "spi4k", TEAR_ALL_BUT_LAST},
    {"spi4k scrambled", "spi4k", TEAR_SCRAMBLED},
    {"spi4k half erased", "spi4k", TEAR_HALF_ERASED},
    {"spi4k weak", "spi4k", TEAR_WEAK},
    {"spi4k done", "spi4k", TEAR_DONE},
    {"internal8 nothing", "internal8", TEAR_NOTHING},
    {"internal8 prefix", "internal8", TEAR_PREFIX},
    {"internal8 all but last", "internal8", TEAR_ALL_BUT_LAST},
    {"internal8 scrambled", "internal8", TEAR_SCRAMBLED},
    {"internal8 half erased", "internal8", TEAR_HALF_ERASED},
    {"internal8 weak", "internal8", TEAR_WEAK},
    {"internal8 done", "internal8", TEAR_DONE},
};

static const struct cut_row chips[] = {
    {"spi4k", "spi4k", TEAR_NOTHING},
    {"internal8", "internal8", TEAR_NOTHING},
};

static const char *cut_name(const void *row)
{
    return ((const struct cut_row *)row)->name;
}

/* Partitions that fit the smallest chip. */
static struct world *small_world(const struct cut_row *c, uint32_t package_bytes)
{
    struct world *w = world_new(c->chip, package_bytes);
    w->config.partitions = (struct partition_table){
        .part = {{"app", 0x20000, 0x40000}, {"download", 0x70000, 0x80000}}, .count = 2};
    return w;
}

static struct world *cut_world(const struct cut_row *c)
{
    return small_world(c, 4096 + 700);
}

/* A cut at every operation of an update: the next power-on resumes where data ends, and finishes.
 */
static void cut_everywhere(const void *row)
{
    const struct cut_row *c = row;
    struct world *w = cut_world(c);
    CHECK_INT(world_calls(w, "u"), 0);
    uint64_t ops = nor_op_count(w->nor);
    world_free(w);
    CHECK(ops > 70);
    for (uint64_t op = 1; op <= ops; op++) {
        w = cut_world(c);
        w->calls = "u";
        nor_arm_cut(w->nor, op, c->tear, 48);
        CHECK_INT(world_run(w, world_main, w), SIM_CUT);
        unsigned before = w->count[GET];
        world_forget(w);
        CHECK_INT(world_calls(w, "u"), 0);
        CHECK_INT(world_record(w, NULL).update_result, UPDATE_PENDING);
        if (!CHECK_MEM(world_download(w), w->package, w->package_bytes))
            return;
        CHECK_INT(w->raised, 0);
        /* At most the segment under way is fetched twice; on write-once chips its block. */
        unsigned again = strcmp(c->chip, "spi4k") == 0 ? 1 : 4096 / SEGMENT;
        CHECK(before + w->count[GET] <= 38 + again);
        world_free(w);
    }
}

/* Three cuts in one update, at places that move. */
static void cut_three_times(const void *row)
{
    const struct cut_row *c = row;
    for (uint64_t step = 1; step < 24; step += 3) {
        struct world *w = cut_world(c);
        enum sim_state st = SIM_CUT;
        w->calls = "u";
        for (int n = 0; n < 3 && st == SIM_CUT; n++) {
            if (!nor_is_on(w->nor))
                nor_power_on(w->nor);
            nor_arm_cut(w->nor, nor_op_count(w->nor) + step, c->tear, 100);
            st = world_run(w, world_main, w);
        }
        CHECK_INT(st, SIM_CUT);
        CHECK_INT(world_calls(w, "u"), 0);
        CHECK_MEM(world_download(w), w->package, w->package_bytes);
        CHECK_INT(w->raised, 0);
        world_free(w);
    }
}

/* The server changes the bytes of a segment that a cut left half programmed: the block starts over.
 */
static void torn_and_changed(void)
{
    struct world *w = world_new("spi4k", SIZE);
    uint32_t mark;
    w->calls = "u";
    /* After the record, an erase and two segments with their marks: the third segment. */
    for (uint64_t op = 1;; op++) {
        nor_arm_cut(w->nor, nor_op_count(w->nor) + op, TEAR_PREFIX, 64);
        CHECK_INT(world_run(w, world_main, w), SIM_CUT);
        (void)world_record(w, &mark);
        if (mark == 2 && !is_blank(world_download(w) + 2 * SEGMENT, SEGMENT))
            break;
        REQUIRE(op < 30);
        world_free(w);
        w = world_new("spi4k", SIZE);
        w->calls = "u";
    }
    world_forget(w);
    const uint8_t zero[8] = {0};
    uint32_t at = partition_find(&w->config.partitions, "download")->offset;
    REQUIRE(nor_load(w->nor, at + 2 * SEGMENT, zero, sizeof(zero)) == 0);
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->requests[1].from, 2 * SEGMENT);
    CHECK_INT(w->requests[2].from, 0);
    CHECK_MEM(world_download(w), w->package, SIZE);
    CHECK_INT(w->raised, 0);
    world_free(w);
}

/*
 * A weak mark: it did not read at one start, so its block was erased and begun again and cut, and
 * it reads at the next. It is not believed. On write-once chips the mark before a block is in
 * danger, too, because the block in front is started over.
 */
static void mark_without_its_segment(const void *row)
{
    const struct cut_row *c = row;
    struct world *w = cut_world(c);
    uint32_t mark = 0, first = 4096 / SEGMENT + (strcmp(c->chip, "spi4k") == 0 ? 1 : 0);
    w->calls = "u";
    for (uint64_t op = 60; mark != first; op++) {
        REQUIRE(op < 140);
        world_free(w);
        w = cut_world(c);
        w->calls = "u";
        nor_arm_cut(w->nor, op, TEAR_NOTHING, 0);
        (void)world_run(w, world_main, w);
        (void)world_record(w, &mark);
    }
    /* Half of the block is enough: the mark speaks of all that is in front of it. */
    REQUIRE(world_erase(w, (first - 1) * SEGMENT / 4096 * 4096, 2048) == 0);
    world_forget(w);
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->requests[1].from, (first - 1) * SEGMENT / 4096 * 4096);
    CHECK_MEM(world_download(w), w->package, w->package_bytes);
    CHECK_INT(w->raised, 0);
    world_free(w);
}

/* All segments stored, power lost before the flag: verified and finished without a GET. */
static void complete_but_not_pending(const void *row)
{
    const struct cut_row *c = row;
    struct world *w = small_world(c, SIZE);
    uint32_t mark = 0;
    w->calls = "u";
    for (uint64_t op = 1; mark != COUNT; op++) {
        REQUIRE(op < 60);
        world_free(w);
        w = small_world(c, SIZE);
        w->calls = "u";
        nor_arm_cut(w->nor, op, TEAR_NOTHING, 0);
        (void)world_run(w, world_main, w);
        (void)world_record(w, &mark);
    }
    world_forget(w);
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->count[GET], 0);
    CHECK_INT(world_record(w, NULL).update_result, UPDATE_PENDING);
    world_free(w);
}

static const struct test tests[] = {
    TEST_ROWS("a cut at every operation", cut_everywhere, cuts, cut_name),
    TEST_ROWS("three cuts", cut_three_times, cuts, cut_name),
    {"a torn segment that does not fit", torn_and_changed},
    TEST_ROWS("a mark without its segment", mark_without_its_segment, chips, cut_name),
    TEST_ROWS("complete before the flag", complete_but_not_pending, chips, cut_name),
};
TEST_MAIN("download and power cuts", tests)
