#include "scenarios/engine/first_loss.h"

#include "scenarios/engine/closure_testing.h"

#define SPI "spi4k", NOR_REWRITE, 512, 256
#define ECC "internal8", NOR_ECC, 2048, 256

static const struct small rows[] = {
    {"spi up", SPI, SMALL_UP, 6, 1, 0, 0},
    {"spi down, wide blocks", SPI, SMALL_DOWN, 6, 2, 0, 0},
    {"spi full", SPI, SMALL_FULL, 6, 1, 0, 0},
    {"ecc up", ECC, SMALL_UP, 2, 1, 0, 0},
};

static struct first_loss_result run(const struct small_device *d, enum first_loss_way way,
                                    bool memoise, uint32_t stride)
{
    struct err err = {""};
    struct first_loss_result r = {0};
    struct first_loss *f = first_loss_new(&d->subject, d->chip, stride, memoise, 1, &err);
    REQUIRE(f != NULL);
    REQUIRE_OK(first_loss_run(f, way, &r, &err), &err);
    CHECK_INT(r.points, (first_loss_ops(f) + stride - 1) / stride);
    first_loss_free(f);
    return r;
}

/* From the beginning, from saved states, and with digests remembered: the same ends after the same
 * operations in the same time. */
static void all_ways_agree(const void *row)
{
    struct small_device d;
    small_open(&d, row);
    struct first_loss_result slow = run(&d, FIRST_LOSS_RERUN, false, 1);
    struct first_loss_result saved = run(&d, FIRST_LOSS_SAVED, false, 1);
    struct first_loss_result quick = run(&d, FIRST_LOSS_SAVED, true, 1);
    CHECK_INT(slow.failed, 0);
    CHECK_INT(slow.boots, 2 * slow.points);
    CHECK_INT(saved.boots, saved.points);
    CHECK_MEM(saved.sha256, slow.sha256, sizeof slow.sha256);
    CHECK_MEM(quick.sha256, slow.sha256, sizeof slow.sha256);
    CHECK_INT(saved.recalled, 0);
    CHECK(quick.recalled > 0);
    CHECK(quick.digests < saved.digests);
    CHECK_INT(run(&d, FIRST_LOSS_SAVED, true, 7).failed, 0);
    small_close(&d);
}

/* Remembering does not hide a loader that bricks. */
static void failures_are_counted(const void *row)
{
    struct small_device d;
    small_open(&d, row);
    d.subject.boot.breaks.skip_backup = true;
    struct first_loss_result saved = run(&d, FIRST_LOSS_SAVED, false, 1);
    struct first_loss_result quick = run(&d, FIRST_LOSS_SAVED, true, 1);
    bool delta = ((const struct small *)row)->kind != SMALL_FULL;
    CHECK_INT(saved.failed > 0, delta);
    CHECK_INT(quick.failed, saved.failed);
    CHECK_MEM(quick.sha256, saved.sha256, sizeof saved.sha256);
    small_close(&d);
}

static const struct test tests[] = {
    TEST_ROWS("all ways agree", all_ways_agree, rows, small_name),
    TEST_ROWS("failures are counted", failures_are_counted, rows, small_name),
};
TEST_MAIN("first_loss", tests)
