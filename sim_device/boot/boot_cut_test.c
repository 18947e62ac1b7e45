/*
 * Power cuts during restore: at every flash operation, with every tear, on every kind of chip; then
 * again with further cuts during the recovery. Always the new images must be complete in the end.
 */
#include "common/testing/testing.h"
#include "sim_device/boot/boot.h"
#include "sim_device/boot/boot_testing.h"

/* Larger units with fewer pages, so that a block has few operations but several windows. */
#define SPI16K                                                                                     \
    {                                                                                              \
        "spi64k", NOR_REWRITE, 16384, 1, 1, STATE_SAFE                                             \
    }

static const struct update_row updates[] = {
    {"spi4k ascending", SPI4K, 3, {{DELTA_UP, 12000, 12800}}},
    {"spi4k descending", SPI4K, 3, {{DELTA_DOWN, 12000, 12800}}},
    {"spi4k growing", SPI4K, 2, {{DELTA_DOWN, 5000, 13000}}},
    {"spi4k shrinking", SPI4K, 2, {{DELTA_UP, 13000, 5000}}},
    {"spi4k three files",
     SPI4K,
     3,
     {{FULL, 4000, 5001}, {DELTA_UP, 9000, 8500}, {DELTA_DOWN, 9, 4200}}},
    {"spi4k wide backup area", SPI4K_WIDE, 3, {{DELTA_DOWN, 18000, 18100}, {FULL, 1, 9000}}},
    {"spi with 16 KiB units", SPI16K, 2, {{DELTA_DOWN, 40000, 40400}}},
    {"internal8 ascending", INTERNAL8, 3, {{DELTA_UP, 12000, 12803}}},
    {"internal8 three files",
     INTERNAL8,
     2,
     {{DELTA_DOWN, 9000, 8503}, {FULL, 10, 4100}, {DELTA_UP, 9, 4200}}},
    {"internal8 without ECC", ONCE8, 3, {{DELTA_DOWN, 12000, 12803}}},
};

/* Everything in place and the right result, and nobody else was touched. */
static bool complete(struct fixture *f)
{
    struct state s;
    rig_state(&f->rig, &s);
    return s.valid && s.record.update_result == UPDATE_OK && s.record.index == 40 &&
           all_are_new(f) && guards_hold(&f->rig) && nor_fault(f->rig.board.nor) == NULL;
}

/* Starts until one is not cut; at most `starts`. */
static bool recovers(struct fixture *f, int starts)
{
    enum boot_result result = RIG_CUT;
    for (int i = 0; i < starts && result == RIG_CUT; i++) {
        rig_power_on(&f->rig);
        result = rig_boot(&f->rig);
    }
    return result == BOOT_RUN && complete(f);
}

static void tell(const char *what, uint64_t op, int tear, const struct fixture *f)
{
    (void)fprintf(stderr, "cut %s op %d %s: %s (%s)\n", what, (int)op,
                  nor_tear_name((enum nor_tear)tear), f->rig.events, f->rig.reason);
}

static void every_cut_every_tear(const void *row)
{
    const struct update_row *u = row;
    struct fixture f;
    struct rng rng;
    uint32_t bad = 0, cuts = 0, worst = 0;
    fixture_open(&f, u);
    fixture_pend(&f, u->writes);
    rng_init(&rng, 5, u->what, "cuts", 0);
    struct nor *chip = f.rig.board.nor;
    struct nor_snapshot *start = nor_save(chip);
    uint64_t first = nor_op_count(chip);
    CHECK_INT(rig_boot(&f.rig), BOOT_RUN);
    CHECK(complete(&f));
    uint64_t ops = nor_op_count(chip) - first;

    for (uint64_t op = 1; op <= ops; op++) {
        for (int tear = 0; tear < TEAR_COUNT; tear++) {
            /* Once: the next start completes. */
            nor_restore(chip, start);
            nor_arm_cut(chip, first + op, (enum nor_tear)tear, 100);
            CHECK_INT(rig_boot(&f.rig), RIG_CUT);
            struct nor_snapshot *cut = nor_save(chip);
            if (!recovers(&f, 1) && bad++ < 5)
                tell("once", op, tear, &f);
            cuts++;
            /* Again and again: up to four cuts more at drawn places of the recovery. */
            nor_restore(chip, cut);
            uint32_t more = 1 + (uint32_t)rng_below(&rng, 4), happened = 0;
            for (uint32_t i = 0; i < more; i++) {
                rig_power_on(&f.rig);
                uint64_t ahead =
                    rng_below(&rng, 2) == 0 ? 1 + rng_below(&rng, 4) : 1 + rng_below(&rng, ops);
                nor_arm_cut(chip, nor_op_count(chip) + ahead,
                            (enum nor_tear)rng_below(&rng, TEAR_COUNT),
                            (uint32_t)rng_below(&rng, 256));
                if (rig_boot(&f.rig) != RIG_CUT)
                    break;
                happened++;
            }
            if (!recovers(&f, 1) && bad++ < 5)
                tell("more than once", op, tear, &f);
            cuts += happened;
            worst = happened > worst ? happened : worst;
            nor_snapshot_free(cut);
        }
    }
    CHECK_INT(bad, 0);
    CHECK(worst >= 3);
    CHECK(cuts >= ops * TEAR_COUNT);
    nor_snapshot_free(start);
    fixture_close(&f);
}

/* Power goes at the same place of the journal again and again: SPI NOR must bear it without end. */
static void same_place_again(void)
{
    struct fixture f;
    fixture_open(&f, &updates[1]);
    fixture_pend(&f, 3);
    struct nor *chip = f.rig.board.nor;
    for (int i = 0; i < 300; i++) {
        rig_power_on(&f.rig);
        nor_arm_cut(chip, nor_op_count(chip) + 1 + (uint64_t)(i % 3),
                    (enum nor_tear)(i % TEAR_COUNT), 8);
        if (rig_boot(&f.rig) != RIG_CUT)
            break;
    }
    CHECK(recovers(&f, 1));
    fixture_close(&f);
}

/* The broken variants must be caught by exactly this: else the test proves nothing. */
static void broken_variant_breaks(const void *row)
{
    const int *which = row;
    struct fixture f;
    uint32_t bad = 0;
    fixture_open(&f, &updates[1]);
    fixture_pend(&f, 3);
    f.rig.cfg.skip_backup = *which == 0;
    f.rig.cfg.skip_journal = *which == 1;
    struct nor *chip = f.rig.board.nor;
    struct nor_snapshot *start = nor_save(chip);
    uint64_t first = nor_op_count(chip);
    CHECK_INT(rig_boot(&f.rig), BOOT_RUN);
    uint64_t ops = nor_op_count(chip) - first;
    for (uint64_t op = 1; op <= ops; op++) {
        nor_restore(chip, start);
        nor_arm_cut(chip, first + op, TEAR_NOTHING, 0);
        CHECK_INT(rig_boot(&f.rig), RIG_CUT);
        bad += !recovers(&f, 1);
    }
    CHECK(bad > ops / 10);
    CHECK(bad < ops);
    nor_snapshot_free(start);
    fixture_close(&f);
}
static const int variants[] = {0, 1};

static const struct test tests[] = {
    TEST_ROWS("every cut, every tear", every_cut_every_tear, updates, update_name),
    {"the same place again and again", same_place_again},
    TEST_ROWS("broken variant breaks", broken_variant_breaks, variants, NULL),
};
TEST_MAIN("boot cuts", tests)
