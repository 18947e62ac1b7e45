#include "scenarios/engine/moments.h"

#include "scenarios/engine/closure_testing.h"

static const struct small rows[] = {
    {"spi up", "spi4k", NOR_REWRITE, 512, 256, SMALL_UP, 3, 1, 0, 0},
    {"ecc full", "internal8", NOR_ECC, 2048, 256, SMALL_FULL, 2, 1, 0, 0},
};

#define STEPS_MAX 200

struct walk {
    struct small_device small;
    struct closure_device device;
    struct nor_snapshot *first;
    struct moments *moments;
};

static void on_op(void *ctx, const struct nor_op *op)
{
    struct walk *w = ctx;
    moments_touch(w->moments, op->addr / nor_geo(w->device.nor)->erase_bytes);
}

static void walk_open(struct walk *w, const struct small *row)
{
    struct err err = {""};
    memset(w, 0, sizeof *w);
    small_open(&w->small, row);
    REQUIRE_OK(closure_device_open(&w->device, &w->small.subject, 1, &err), &err);
    struct nor_snapshot *pending = nor_save(w->small.chip);
    REQUIRE(pending != NULL && nor_restore(w->device.nor, pending) == 0);
    nor_snapshot_free(pending);
    w->first = nor_save(w->device.nor);
    w->moments = moments_new(&w->device);
    REQUIRE(w->first != NULL && w->moments != NULL);
    w->device.observe = on_op;
    w->device.hook_ctx = w;
}

static void walk_close(struct walk *w)
{
    moments_free(w->moments);
    nor_snapshot_free(w->first);
    closure_device_close(&w->device);
    small_close(&w->small);
}

/* A run from the first flash, of so many steps at most; out: what it met after each step. */
struct met {
    enum moment_met met;
    struct moment_end rest;
    struct moment_way at;
};

static uint32_t walk(struct walk *w, uint32_t steps, struct met out[STEPS_MAX],
                     struct moment_end *whole)
{
    enum boot_result result = BOOT_MORE;
    uint32_t n = 0;
    uint64_t ops = nor_op_count(w->device.nor);
    REQUIRE(moments_begin(w->moments) == 0);
    REQUIRE(closure_device_start(&w->device));
    while (result == BOOT_MORE && n < steps) {
        result = closure_device_step(&w->device);
        whole->way = (struct moment_way){
            .ops = nor_op_count(w->device.nor) - ops, .chip_ns = w->device.chip_ns, .steps = n + 1};
        out[n] = (struct met){.at = whole->way};
        if (result == BOOT_MORE)
            REQUIRE(moments_meet(w->moments, &whole->way, true, &out[n].met, &out[n].rest) == 0);
        n++;
    }
    closure_device_stop(&w->device);
    whole->end = result == BOOT_MORE ? CLOSURE_LIVELOCK : closure_device_judge(&w->device, result);
    return n;
}

/* The same run again is known at each of its moments, and so is the rest of its way. */
static void a_run_is_known_again(const void *row)
{
    struct walk w;
    struct met first[STEPS_MAX], again[STEPS_MAX];
    struct moment_end whole, ignored;
    walk_open(&w, row);
    uint32_t n = walk(&w, STEPS_MAX, first, &whole);
    REQUIRE(n < STEPS_MAX);
    CHECK_INT(whole.end, CLOSURE_NEW);
    moments_end(w.moments, &whole);
    for (uint32_t i = 0; i < n; i++)
        CHECK_INT(first[i].met, MOMENT_NEW);
    REQUIRE(nor_restore(w.device.nor, w.first) == 0);
    CHECK_INT(walk(&w, STEPS_MAX, again, &ignored), n);
    for (uint32_t i = 0; i + 1 < n; i++) {
        CHECK_INT(again[i].met, MOMENT_KNOWN);
        CHECK_INT(again[i].rest.end, CLOSURE_NEW);
        CHECK_INT(again[i].rest.way.ops, whole.way.ops - again[i].at.ops);
        CHECK_INT(again[i].rest.way.chip_ns, whole.way.chip_ns - again[i].at.chip_ns);
        CHECK_INT(again[i].rest.way.steps, n - i - 1);
    }
    walk_close(&w);
}

/* One byte of flash, where nobody looks, or another step: then it is another moment. */
static void another_flash_or_ram_is_another(const void *row)
{
    struct walk w;
    struct met first[STEPS_MAX], again[STEPS_MAX];
    struct moment_end whole;
    walk_open(&w, row);
    (void)walk(&w, 2, first, &whole);
    moments_end(w.moments, &whole);
    CHECK(first[1].met == MOMENT_NEW); /* the flash of the step before */
    REQUIRE(nor_restore(w.device.nor, w.first) == 0);
    REQUIRE(nor_load(w.device.nor, 0, "x", 1) == 0);
    moments_touch(w.moments, 0);
    (void)walk(&w, 2, again, &whole);
    CHECK_INT(again[0].met, MOMENT_NEW);
    CHECK_INT(again[1].met, MOMENT_NEW);
    moments_end(w.moments, &whole);
    REQUIRE(nor_restore(w.device.nor, w.first) == 0);
    (void)walk(&w, 2, again, &whole);
    CHECK_INT(again[1].met, MOMENT_KNOWN);
    walk_close(&w);
}

static void a_run_that_comes_back_is_told(const void *row)
{
    struct walk w;
    struct moment_end rest;
    enum moment_met met;
    const struct moment_way at = {.steps = 1};
    walk_open(&w, row);
    REQUIRE(moments_begin(w.moments) == 0);
    REQUIRE(moments_meet(w.moments, NULL, true, &met, &rest) == 0);
    CHECK_INT(met, MOMENT_NEW);
    REQUIRE(closure_device_start(&w.device));
    REQUIRE(moments_meet(w.moments, &at, false, &met, &rest) == 0);
    CHECK_INT(met, MOMENT_NEW); /* not as before power-on */
    REQUIRE(moments_meet(w.moments, &at, true, &met, &rest) == 0);
    CHECK_INT(met, MOMENT_NEW); /* the one before was not kept */
    REQUIRE(moments_meet(w.moments, &at, true, &met, &rest) == 0);
    CHECK_INT(met, MOMENT_AGAIN);
    closure_device_stop(&w.device);
    walk_close(&w);
}

static const struct test tests[] = {
    TEST_ROWS("a run is known again", a_run_is_known_again, rows, small_name),
    TEST_ROWS("another flash or RAM is another", another_flash_or_ram_is_another, rows, small_name),
    TEST_ROWS("a run that comes back is told", a_run_that_comes_back_is_told, rows, small_name),
};
TEST_MAIN("moments", tests)
