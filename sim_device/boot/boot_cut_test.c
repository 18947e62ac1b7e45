/*
 * Power cuts during restore: at every flash operation, with every tear, on every kind of chip; then
 * again with further cuts during the recovery. Always the new images must be complete in the end.
 */
#include "common/testing/testing.h"
#include "flash_emu/nor_raw.h"
#include "sim_device/boot/boot.h"
#include "sim_device/boot/boot_testing.h"

/* Units of other sizes: several windows per page, and a journal that is soon full. */
#define SPI16K                                                                                     \
    {                                                                                              \
        "spi64k", NOR_REWRITE, 16384, 1, 1, STATE_SAFE                                             \
    }
#define SPI512                                                                                     \
    {                                                                                              \
        "spi4k", NOR_REWRITE, 512, 1, 1, STATE_SAFE                                                \
    }
#define SPI512_3                                                                                   \
    {                                                                                              \
        "spi4k", NOR_REWRITE, 512, 3, 2, STATE_SAFE                                                \
    }
#define INTERNAL2                                                                                  \
    {                                                                                              \
        "internal8", NOR_ECC, 2048, 1, 1, STATE_SAFE                                               \
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
    {"spi4k rolling journal", SPI512, 3, {{DELTA_UP, 9000, 9100}}},
    {"spi4k rolling journal, full", SPI512_3, 2, {{FULL, 900, 9100}, {DELTA_UP, 6000, 6100}}},
    {"internal8 rolling journal", INTERNAL2, 2, {{DELTA_DOWN, 15000, 15100}}},
    {"internal8 ascending", INTERNAL8, 3, {{DELTA_UP, 12000, 12803}}},
    {"internal8 three files",
     INTERNAL8,
     2,
     {{DELTA_DOWN, 9000, 8503}, {FULL, 10, 4100}, {DELTA_UP, 9, 4200}}},
    {"internal8 without ECC", ONCE8, 3, {{DELTA_DOWN, 12000, 12803}}},
};

static const struct update_row weak_updates[] = {
    {"spi4k, bank A", SPI4K, 3, {{FULL, 9000, 9100}, {DELTA_UP, 5000, 5100}}},
    {"spi4k, bank B", SPI4K, 2, {{DELTA_UP, 9000, 9100}}},
    {"internal8, bank A", INTERNAL8, 3, {{DELTA_UP, 9000, 9100}}},
    {"internal8, bank B", INTERNAL8, 2, {{FULL, 9000, 9100}, {DELTA_UP, 5000, 5100}}},
};

static const struct update_row weak_marks[] = {
    {"spi4k ascending", SPI512, 3, {{DELTA_UP, 3000, 3100}}},
    {"spi4k descending", SPI512, 3, {{DELTA_DOWN, 3000, 3100}}},
    {"spi4k full", SPI512, 3, {{FULL, 900, 3200}}},
    {"internal8 ascending", INTERNAL2, 3, {{DELTA_UP, 3000, 3100}}},
    {"internal8 full", INTERNAL2, 3, {{FULL, 3000, 3100}}},
    {"internal8 ascending, bank B", INTERNAL2, 2, {{DELTA_UP, 3000, 3100}}},
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
        for (int tear = 0; tear < TEAR_PLAIN; tear++) {
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
                            (enum nor_tear)rng_below(&rng, TEAR_PLAIN),
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
    CHECK(cuts >= ops * TEAR_PLAIN);
    nor_snapshot_free(start);
    fixture_close(&f);
}

/* Power goes at one of the first operations of every start, three hundred times. */
static void same_place_again(const void *row)
{
    struct fixture f;
    fixture_open(&f, row);
    fixture_pend(&f, 3);
    struct nor *chip = f.rig.board.nor;
    for (int i = 0; i < 300; i++) {
        rig_power_on(&f.rig);
        nor_arm_cut(chip, nor_op_count(chip) + 1 + (uint64_t)(i % 3),
                    (enum nor_tear)(i % TEAR_PLAIN), 8);
        if (rig_boot(&f.rig) != RIG_CUT)
            break;
    }
    CHECK(recovers(&f, 1));
    fixture_close(&f);
}

/*
 * The agent lost power while it wrote the pending record, which reads valid at the first start and
 * may not at a later one. Old or new, whole, whatever the boot loader is cut at.
 */
static void weak_pending_record(const void *row)
{
    const struct update_row *u = row;
    struct fixture f;
    uint32_t bad = 0, olds = 0, news = 0;
    fixture_open(&f, u);
    rig_load(&f.rig, f.rig.cfg.download_offset, &f.build.bytes);
    struct nor *chip = f.rig.board.nor;
    rig_pend(&f.rig, (uint32_t)f.build.bytes.len_bytes, u->writes, true);
    struct nor_snapshot *start = nor_save(chip);
    for (uint64_t op = 1; op <= 60; op++) {
        for (int tear = 0; tear < TEAR_PLAIN; tear++) {
            nor_restore(chip, start);
            for (uint64_t i = 0; i < op % 5 + (uint64_t)tear; i++)
                rig_power_on(&f.rig);
            nor_arm_cut(chip, nor_op_count(chip) + op, (enum nor_tear)tear, 100);
            (void)rig_boot(&f.rig);
            for (int i = 0; i < 4; i++) {
                rig_power_on(&f.rig);
                nor_arm_cut(chip, nor_op_count(chip) + 5, TEAR_NOTHING, 0);
                (void)rig_boot(&f.rig);
            }
            rig_power_on(&f.rig);
            bool ok = rig_boot(&f.rig) == BOOT_RUN && guards_hold(&f.rig);
            bool is_new = all_are_new(&f), is_old = true;
            for (uint32_t i = 0; i < f.files; i++)
                is_old = is_old && image_is(&f.rig, f.in[i].address, &f.in[i].old_image);
            olds += is_old;
            news += is_new;
            if ((!ok || !(is_new || is_old)) && bad++ < 5)
                tell("weak pending", op, tear, &f);
        }
    }
    CHECK_INT(bad, 0);
    CHECK(news > 0);
    CHECK(olds + news >= 60 * TEAR_PLAIN);
    nor_snapshot_free(start);
    fixture_close(&f);
}

static void settle(struct fixture *f, enum tear_reading reading)
{
    struct nor *chip = f->rig.board.nor;
    uint32_t unit = f->rig.geo.erase_bytes;
    rig_power_on(&f->rig);
    for (uint32_t at = 0; at < f->rig.geo.size_bytes; at += unit)
        if (nor_weak_cells(chip, at, unit) > 0)
            nor_raw_settle(chip, at / unit, reading);
}

/* Starts with a cut ahead; false when there was none before the end. */
static bool cut_at(struct fixture *f, uint64_t ahead, enum nor_tear tear)
{
    struct nor *chip = f->rig.board.nor;
    nor_arm_cut(chip, nor_op_count(chip) + ahead, tear, 0);
    bool cut = rig_boot(&f->rig) == RIG_CUT;
    nor_arm_cut(chip, 0, TEAR_NOTHING, 0);
    return cut;
}

static bool firm(const struct fixture *f)
{
    bool ok = true;
    for (uint32_t i = 0; i < f->files; i++)
        ok = ok && nor_weak_cells(f->rig.board.nor, f->in[i].address,
                                  (uint32_t)f->in[i].new_image.len_bytes) == 0;
    return ok;
}

/*
 * A mark cut weakly is not seen at one start, which begins its step again and is cut so that all
 * cells look as before; then the mark is seen. What it speaks of has its CRC-32, but must not be
 * taken for firm: neither is the target the new image already, nor may the target be erased because
 * the backup area seems to hold the block. On flash with ECC that takes the last program of the
 * step, elsewhere its erase.
 */
static void weak_mark_over_weak_erase(const void *row)
{
    struct fixture f;
    uint32_t bad = 0, sequences = 0;
    fixture_open(&f, row);
    fixture_pend(&f, 3);
    struct nor *chip = f.rig.board.nor;
    struct nor_snapshot *start = nor_save(chip);
    uint64_t first = nor_op_count(chip);
    CHECK_INT(rig_boot(&f.rig), BOOT_RUN);
    uint64_t ops = nor_op_count(chip) - first;
    for (uint64_t op = 1; op <= ops; op++) {
        nor_restore(chip, start);
        CHECK(cut_at(&f, op, TEAR_WEAK));
        struct nor_snapshot *weak_mark = nor_save(chip);
        for (uint64_t again = 1; again <= (f.rig.cfg.layout.write_once ? 16 : 4); again++) {
            nor_restore(chip, weak_mark);
            settle(&f, READING_ALL_1);
            if (!cut_at(&f, again, TEAR_WEAK))
                break;
            struct nor_snapshot *weak_erase = nor_save(chip);
            for (uint64_t last = 0; last <= 4; last++) {
                nor_restore(chip, weak_erase);
                settle(&f, READING_ALL_0);
                if (last > 0 && cut_at(&f, last, TEAR_NOTHING))
                    settle(&f, READING_ALL_1);
                bool ok = rig_boot(&f.rig) == BOOT_RUN && complete(&f) && firm(&f);
                if (!ok && bad++ < 3)
                    tell("weak mark", op, TEAR_WEAK, &f);
                sequences++;
            }
            nor_snapshot_free(weak_erase);
        }
        nor_snapshot_free(weak_mark);
    }
    CHECK_INT(bad, 0);
    CHECK(sequences > 100);
    nor_snapshot_free(start);
    fixture_close(&f);
}

/*
 * Power goes weakly at some operation, and then again and again where the next starts make firm
 * what they found: in the first operation of each. All cells read right until the firmware is under
 * work and power goes once more; then they do not. Whatever places there are for making firm, they
 * must not be used up before what is relied on is.
 */
static void weak_again_and_again(const void *row)
{
    const struct update_row *u = row;
    struct fixture f;
    uint32_t bad = 0, sequences = 0;
    fixture_open(&f, u);
    fixture_pend(&f, u->writes);
    struct nor *chip = f.rig.board.nor;
    struct nor_snapshot *start = nor_save(chip);
    uint64_t first = nor_op_count(chip);
    CHECK_INT(rig_boot(&f.rig), BOOT_RUN);
    uint64_t ops = nor_op_count(chip) - first;
    for (uint64_t op = 1; op <= ops; op++) {
        for (int again = 1; again <= 8; again++) {
            nor_restore(chip, start);
            bool cut = cut_at(&f, op, TEAR_WEAK);
            for (int i = 0; cut && i < again; i++) {
                settle(&f, READING_ALL_0);
                cut = cut_at(&f, 1, TEAR_WEAK);
            }
            if (!cut)
                break;
            struct nor_snapshot *spent = nor_save(chip);
            for (uint64_t last = 1; last <= 20; last++) {
                nor_restore(chip, spent);
                settle(&f, READING_ALL_0);
                if (cut_at(&f, last, TEAR_SCRAMBLED))
                    settle(&f, READING_ALL_1);
                if (!(rig_boot(&f.rig) == BOOT_RUN && complete(&f) && firm(&f)) && bad++ < 3)
                    tell("weak again", op, TEAR_WEAK, &f);
                sequences++;
            }
            nor_snapshot_free(spent);
        }
    }
    CHECK_INT(bad, 0);
    CHECK(sequences > 100);
    nor_snapshot_free(start);
    fixture_close(&f);
}

/*
 * The slot for "done" is bad, so the record moves to bank B, over the block that is still staged
 * there, and power goes while it moves: "staged" is found, and only the target has the block.
 */
static void done_without_a_place(void)
{
    struct fixture f;
    fixture_open(&f, &updates[1]);
    fixture_pend(&f, 3);
    struct nor *chip = f.rig.board.nor;
    uint32_t unit = f.rig.geo.erase_bytes;
    uint32_t slot = f.rig.user_addr - unit + STATE_RECORD_BYTES + 2 * STATE_SLOT_BYTES;
    nor_inject(chip, NOR_IO_PROGRAM, slot, STATE_SLOT_BYTES, 1);
    struct nor_snapshot *start = nor_save(chip);
    uint64_t first = nor_op_count(chip);
    bool seen = false;
    for (uint64_t op = 1; op < 60 && !seen; op++) {
        nor_restore(chip, start);
        nor_clear_faults(chip);
        nor_inject(chip, NOR_IO_PROGRAM, slot, STATE_SLOT_BYTES, -1);
        nor_arm_cut(chip, first + op, TEAR_DONE, 0);
        CHECK_INT(rig_boot(&f.rig), RIG_CUT);
        CHECK(recovers(&f, 1));
        seen = strstr(f.rig.events, "restore:skip") != NULL;
    }
    CHECK(seen);
    nor_snapshot_free(start);
    fixture_close(&f);
}

/*
 * After a cut anywhere, the first reads of a file or of the backup area fail: what is there may be
 * the only copy of a block, so nothing may be given up for that.
 */
static void cut_then_failed_reads(const void *row)
{
    struct fixture f;
    uint32_t bad = 0;
    fixture_open(&f, row);
    fixture_pend(&f, 3);
    struct nor *chip = f.rig.board.nor;
    const struct boot_config *cfg = &f.rig.cfg;
    uint32_t unit = f.rig.geo.erase_bytes;
    /* Behind the record, for the backup area ends with bank B. */
    uint32_t stage = f.rig.user_addr - 2 * unit + STATE_RECORD_BYTES * 4;
    struct nor_snapshot *start = nor_save(chip);
    uint64_t first = nor_op_count(chip);
    CHECK_INT(rig_boot(&f.rig), BOOT_RUN);
    uint64_t ops = nor_op_count(chip) - first;
    for (uint64_t op = 1; op <= ops; op++) {
        for (int where = 0; where < 2; where++) {
            nor_restore(chip, start);
            nor_arm_cut(chip, first + op, TEAR_SCRAMBLED, 0);
            CHECK_INT(rig_boot(&f.rig), RIG_CUT);
            if (where == 0)
                nor_inject(chip, NOR_IO_READ, stage, 64, 1 + (int)(op % 2));
            else
                nor_inject(chip, NOR_IO_READ, cfg->files[0].address, cfg->files[0].area_bytes,
                           1 + (int)(op % 2));
            if (!recovers(&f, 1) && bad++ < 5)
                tell(where == 0 ? "backup unreadable" : "file unreadable", op, TEAR_SCRAMBLED, &f);
            nor_clear_faults(chip);
        }
    }
    CHECK_INT(bad, 0);
    nor_snapshot_free(start);
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
    f.rig.cfg.breaks.skip_backup = *which == 0;
    f.rig.cfg.breaks.skip_journal = *which == 1;
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
    TEST_ROWS("weak pending record", weak_pending_record, weak_updates, update_name),
    TEST_ROWS("weak mark over weak erase", weak_mark_over_weak_erase, weak_marks, update_name),
    TEST_ROWS("weak again and again", weak_again_and_again, weak_marks, update_name),
    {"done without a place for its mark", done_without_a_place},
    TEST_ROWS("a cut, then reads that fail", cut_then_failed_reads, updates, update_name),
    TEST_ROWS("the same place again and again", same_place_again, updates, update_name),
    TEST_ROWS("broken variant breaks", broken_variant_breaks, variants, NULL),
};
TEST_MAIN("boot cuts", tests)
