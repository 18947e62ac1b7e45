#include "sim_device/agent/cmiot/state.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/testing/testing.h"
#include "flash_emu/nor.h"

#define PART_UNITS 6

/* A chip, its owner that loses power by jump, and the layout of a download partition that is it. */
struct rig {
    struct nor *chip;
    struct state_layout layout;
    struct state_io io;
    jmp_buf lost;
};

struct chip_row {
    const char *name;
    enum nor_policy policy;
    const char *text;
};
static const struct chip_row chips[] = {{"spi4k", NOR_REWRITE, "spi4k"},
                                        {"internal8", NOR_ECC, "internal8"},
                                        {"internal8", NOR_WRITE_ONCE, "internal8 without ECC"}};

static const char *chip_name(const void *row)
{
    return ((const struct chip_row *)row)->text;
}

static int rig_read(void *ctx, uint32_t addr, void *out, uint32_t len_bytes)
{
    return nor_read(((struct rig *)ctx)->chip, addr, out, len_bytes);
}

static int rig_program(void *ctx, uint32_t addr, const void *data, uint32_t len_bytes)
{
    return nor_program(((struct rig *)ctx)->chip, addr, data, len_bytes);
}

static int rig_erase(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    return nor_erase(((struct rig *)ctx)->chip, addr, len_bytes);
}

static void rig_lost(void *ctx, const struct nor_op *op)
{
    (void)op;
    longjmp(((struct rig *)ctx)->lost, 1);
}

static void rig_open(struct rig *r, const struct chip_row *row, enum state_kind kind)
{
    struct err err = {0};
    struct nor_geometry geo = *nor_geometry_find(row->name);
    geo.size_bytes = PART_UNITS * geo.erase_bytes;
    geo.policy = row->policy;
    r->chip = nor_new(&geo, 7, &err);
    REQUIRE(r->chip != NULL);
    nor_set_hooks(r->chip, &(struct nor_hooks){.ctx = r, .power_lost = rig_lost});
    r->io =
        (struct state_io){.ctx = r, .read = rig_read, .program = rig_program, .erase = rig_erase};
    r->layout = (struct state_layout){.kind = kind,
                                      .part_bytes = geo.size_bytes,
                                      .erase_bytes = geo.erase_bytes,
                                      .granule_bytes = geo.granule_bytes,
                                      .backup_bytes = 2 * geo.erase_bytes,
                                      .write_once = geo.policy != NOR_REWRITE,
                                      .traps = geo.policy == NOR_ECC};
}

static void rig_close(struct rig *r)
{
    CHECK(nor_fault(r->chip) == NULL);
    nor_free(r->chip);
}

static struct state_record sample(uint16_t result, uint32_t delta_id, uint32_t index)
{
    struct state_record r = {.update_result = result,
                             .mid = "867000000000001",
                             .device_id = "device-0001",
                             .device_secret = "0123456789abcdef0123456789abcdef",
                             .index = index,
                             .index_max = 900,
                             .delta_id = delta_id,
                             .file_bytes = 123456,
                             .segment_bytes = 512,
                             .journal_base = index,
                             .report_due = 1};
    r.code[0] = 1;
    r.code[1] = 5;
    memset(r.md5, 0x5A, sizeof r.md5);
    return r;
}

/* What a step leaves, as a start afterwards must find it. */
struct seen {
    bool valid;
    struct state_record record;
    uint32_t mark, arg;
};

static struct seen look(struct rig *r)
{
    struct state s;
    struct err err = {0};
    CHECK_OK(state_open(&s, &r->io, &r->layout, &err), &err);
    return (struct seen){.valid = s.valid, .record = s.record, .mark = s.mark, .arg = s.mark_arg};
}

static bool same(const struct seen *a, const struct seen *b)
{
    return a->valid == b->valid && a->mark == b->mark && a->arg == b->arg &&
           a->record.update_result == b->record.update_result &&
           a->record.index == b->record.index && a->record.delta_id == b->record.delta_id &&
           a->record.journal_base == b->record.journal_base &&
           memcmp(a->record.mid, b->record.mid, sizeof a->record.mid) == 0;
}

static void round_trip(const void *row)
{
    for (int kind = STATE_SAFE; kind <= STATE_VENDOR; kind++) {
        struct rig rig;
        struct state s;
        struct err err = {0};
        rig_open(&rig, row, (enum state_kind)kind);
        CHECK_OK(state_open(&s, &rig.io, &rig.layout, &err), &err);
        CHECK(!s.valid);
        CHECK_INT(s.mark, 0);
        CHECK_ERR(state_mark(&s, 1, 0, &err), ERR_WRONG_STATE);
        struct state_record in = sample(UPDATE_NONE, 77, 0);
        CHECK_OK(state_write(&s, &in, &err), &err);
        for (uint32_t i = 1; i <= 10; i++)
            CHECK_OK(state_mark(&s, i, 100 + i, &err), &err);
        CHECK_ERR(state_mark(&s, 10, 0, &err), ERR_ARG);
        CHECK_ERR(state_mark(&s, 12, 0, &err), ERR_ARG);

        struct seen got = look(&rig);
        CHECK(got.valid);
        CHECK_INT(got.mark, 10);
        CHECK_INT(got.arg, kind == STATE_SAFE ? 110 : 0);
        CHECK_STR(got.record.mid, in.mid);
        CHECK_STR(got.record.device_id, in.device_id);
        CHECK_STR(got.record.device_secret, in.device_secret);
        CHECK_MEM(got.record.code, in.code, sizeof in.code);
        CHECK_INT(got.record.index_max, 900);
        CHECK_INT(got.record.delta_id, 77);
        CHECK_INT(got.record.file_bytes, kind == STATE_SAFE ? 123456 : 0);
        CHECK_INT(got.record.segment_bytes, kind == STATE_SAFE ? 512 : 0);
        CHECK_INT(got.record.report_due, kind == STATE_SAFE ? 1 : 0);
        CHECK_MEM(got.record.md5, kind == STATE_SAFE ? in.md5 : (uint8_t[MD5_BYTES]){0}, MD5_BYTES);
        rig_close(&rig);
    }
}

static void many_marks_roll(const void *row)
{
    for (int kind = STATE_SAFE; kind <= STATE_VENDOR; kind++) {
        struct rig rig;
        struct state s;
        struct err err = {0};
        rig_open(&rig, row, (enum state_kind)kind);
        state_open(&s, &rig.io, &rig.layout, &err);
        struct state_record in = sample(UPDATE_NONE, 1, 0);
        CHECK_OK(state_write(&s, &in, &err), &err);
        uint32_t room = state_room(&s), rolls = 0;
        CHECK(room >= 8);
        for (uint32_t i = 1; i <= 3 * room; i++) {
            uint32_t before = s.record.journal_base;
            CHECK_OK(state_mark(&s, i, i, &err), &err);
            rolls += s.record.journal_base != before;
            CHECK_INT(look(&rig).mark, i);
        }
        CHECK(rolls >= 2);
        CHECK_INT(s.record.index, s.record.journal_base);
        rig_close(&rig);
    }
}

/* While pending, marks are restore steps from 1, and the index stays. */
static void pending_counts_steps(const void *row)
{
    for (int kind = STATE_SAFE; kind <= STATE_VENDOR; kind++) {
        struct rig rig;
        struct state s;
        struct err err = {0};
        rig_open(&rig, row, (enum state_kind)kind);
        state_open(&s, &rig.io, &rig.layout, &err);
        struct state_record in = sample(UPDATE_PENDING, 1, 900);
        CHECK_OK(state_write(&s, &in, &err), &err);
        CHECK_INT(look(&rig).mark, 0);
        uint32_t steps = 2 * state_room(&s) + 3;
        for (uint32_t i = 1; i <= steps; i++)
            CHECK_OK(state_mark(&s, i, i, &err), &err);
        struct seen got = look(&rig);
        CHECK_INT(got.mark, steps);
        CHECK_INT(got.record.index, 900);
        CHECK_INT(got.record.update_result, UPDATE_PENDING);
        CHECK_OK(state_roll(&s, &err), &err);
        CHECK_OK(state_home(&s, &err), &err);
        CHECK_INT(s.bank, rig.layout.part_bytes - rig.layout.erase_bytes);
        got = look(&rig);
        CHECK_INT(got.mark, steps);
        CHECK_INT(got.arg, kind == STATE_SAFE ? steps : 0);
        uint64_t ops = nor_op_count(rig.chip);
        CHECK_OK(state_home(&s, &err), &err);
        CHECK_INT(nor_op_count(rig.chip), ops);
        rig_close(&rig);
    }
}

static void pinned_does_not_roll(void)
{
    struct rig rig;
    struct state s;
    struct err err = {0};
    rig_open(&rig, &chips[0], STATE_SAFE);
    state_open(&s, &rig.io, &rig.layout, &err);
    struct state_record in = sample(UPDATE_PENDING, 1, 900);
    CHECK_OK(state_write(&s, &in, &err), &err);
    uint32_t number = 1, bank = s.bank;
    while (state_room(&s) > 0)
        CHECK_OK(state_mark(&s, number++, 0, &err), &err);
    s.pinned = true;
    CHECK_ERR(state_mark(&s, number, 0, &err), ERR_LIMIT);
    CHECK_INT(s.bank, bank);
    s.pinned = false;
    CHECK_OK(state_mark(&s, number, 0, &err), &err);
    CHECK(s.bank != bank);
    rig_close(&rig);
}

/* The vendor's bytes: protocols note cms-ota, section 8. */
static void vendor_bytes(void)
{
    struct rig rig;
    struct state s;
    struct err err = {0};
    rig_open(&rig, &chips[0], STATE_VENDOR);
    state_open(&s, &rig.io, &rig.layout, &err);
    struct state_record in = sample(UPDATE_NONE, 0x01020304, 0);
    CHECK_OK(state_write(&s, &in, &err), &err);
    CHECK_OK(state_mark(&s, 1, 0, &err), &err);
    CHECK_OK(state_mark(&s, 2, 0, &err), &err);
    const uint8_t *unit = nor_peek(rig.chip) + rig.layout.part_bytes - rig.layout.erase_bytes;
    CHECK_INT(unit[0], 8);
    CHECK_INT(get_le16(unit + 2), 0);
    CHECK_STR((const char *)unit + 4, in.mid);
    CHECK_INT(unit[36], 1);
    CHECK_INT(unit[37], 5);
    CHECK_STR((const char *)unit + 68, in.device_id);
    CHECK_STR((const char *)unit + 100, in.device_secret);
    CHECK_INT(get_le32(unit + 164), 0);
    CHECK_INT(get_le32(unit + 168), 900);
    CHECK_MEM(unit + 172, "\x04\x03\x02\x01", 4);
    CHECK_MEM(unit + 176, "\x01\0\0\0\x02\0\0\0\xFF\xFF\xFF\xFF", 12);

    in.update_result = UPDATE_PENDING;
    in.index = in.index_max = 900;
    CHECK_OK(state_write(&s, &in, &err), &err);
    CHECK_INT(get_le16(unit + 2), 100);
    CHECK_INT(get_le32(unit + 164), 900);
    CHECK_MEM(unit + 176, "\x84\x03\0\0\xFF\xFF\xFF\xFF", 8);
    rig_close(&rig);
}

/* A life of the record: download, roll by hand and by exhaustion, pending, restore steps, result.
 */
#define STEPS 60
static int do_step(struct state *s, uint32_t step, struct err *err)
{
    struct state_record r = s->record;
    switch (step) {
    case 0:
        r = sample(UPDATE_NONE, 5, 0);
        return state_write(s, &r, err);
    case 30:
        r.report_due = 0;
        r.journal_base = r.index = s->mark;
        return state_write(s, &r, err);
    case 31:
        r.update_result = UPDATE_PENDING;
        r.index = r.index_max;
        return state_write(s, &r, err);
    case 32:
        return state_home(s, err);
    case 45:
        return state_roll(s, err);
    case 46:
        return state_home(s, err);
    case 58:
        r.update_result = UPDATE_OK;
        r.journal_base = r.index;
        return state_write(s, &r, err);
    case 59:
        return state_home(s, err);
    default:
        return state_mark(s, s->mark + 1, 0x1000 + step, err);
    }
}

/* Runs from step `from`; steps done so far are in *done, also when power goes. */
static void run_steps(struct rig *rig, uint32_t from, volatile uint32_t *done)
{
    struct state s;
    struct err err = {0};
    if (setjmp(rig->lost) != 0)
        return;
    CHECK_OK(state_open(&s, &rig->io, &rig->layout, &err), &err);
    for (uint32_t i = from; i < STEPS; i++) {
        if (!CHECK_OK(do_step(&s, i, &err), &err))
            return;
        *done = i + 1;
    }
}

static void firm(struct rig *rig)
{
    struct state s;
    struct err err = {0};
    if (setjmp(rig->lost) != 0)
        return;
    CHECK_OK(state_open(&s, &rig->io, &rig->layout, &err), &err);
    CHECK_OK(state_firm(&s, &err), &err);
}

static void power_cycle(struct rig *rig)
{
    nor_power_off(rig->chip, TEAR_NOTHING, 0);
    nor_power_on(rig->chip);
}

/* Index after the last step whose outcome is `got`: done, or done + 1 when the cut step counts. */
static bool between(const struct seen *model, uint32_t done, const struct seen *got)
{
    return same(&model[done], got) || (done < STEPS && same(&model[done + 1], got));
}

/*
 * What was cut may come to read later where that does no harm: a mark, or a record in the other
 * bank while the boot loader is under way, which writes it again before it destroys anything.
 */
static bool comes_late(const struct seen *model, uint32_t cut, const struct seen *then,
                       const struct seen *now)
{
    bool restoring = then->record.update_result == UPDATE_PENDING && then->mark > 0;
    return cut < STEPS && same(&model[cut], then) && same(&model[cut + 1], now) &&
           (restoring || now->mark == then->mark + 1);
}

/*
 * Power is cut at every operation of that life with every tear. Every later start must find the
 * state of before or after the step that was cut, whatever weak cells read like; once made firm, it
 * never goes back; and the life must go on to its end from there.
 */
static void every_cut(const void *row)
{
    static struct seen model[STEPS + 1]; /* large */
    struct rig rig;
    volatile uint32_t done = 0;
    rig_open(&rig, row, STATE_SAFE);
    struct nor_snapshot *start = nor_save(rig.chip);
    uint64_t first = nor_op_count(rig.chip);
    model[0] = look(&rig);
    struct state s;
    struct err err = {0};
    REQUIRE_OK(state_open(&s, &rig.io, &rig.layout, &err), &err);
    for (uint32_t i = 0; i < STEPS; i++) {
        REQUIRE_OK(do_step(&s, i, &err), &err);
        model[i + 1] = look(&rig);
    }
    nor_restore(rig.chip, start);
    run_steps(&rig, 0, &done);
    uint64_t ops = nor_op_count(rig.chip) - first;
    CHECK(ops > STEPS);
    uint32_t bad = 0;
    for (uint64_t op = 1; op <= ops; op++) {
        for (int tear = 0; tear < TEAR_PLAIN; tear++) {
            nor_restore(rig.chip, start);
            nor_arm_cut(rig.chip, first + op, (enum nor_tear)tear, 8);
            done = 0;
            run_steps(&rig, 0, &done);
            CHECK(!nor_is_on(rig.chip));
            uint32_t cut = done;
            nor_power_on(rig.chip);
            struct seen got = look(&rig);
            bool ok = between(model, cut, &got);
            /* How weak cells read depends on the count of starts: so that varies. */
            for (uint64_t i = 0; i < 1 + op % 6; i++) {
                power_cycle(&rig);
                got = look(&rig);
                ok = ok && between(model, cut, &got);
            }
            /* Firm, with a second cut in it, and firm again. */
            nor_arm_cut(rig.chip, nor_op_count(rig.chip) + 1 + op % 3,
                        (enum nor_tear)((uint64_t)(tear + 3) % TEAR_PLAIN), 8);
            firm(&rig);
            nor_arm_cut(rig.chip, 0, TEAR_NOTHING, 0);
            power_cycle(&rig);
            got = look(&rig);
            ok = ok && between(model, cut, &got);
            firm(&rig);
            got = look(&rig);
            for (int i = 0; i < 3; i++) {
                power_cycle(&rig);
                struct seen again = look(&rig);
                ok = ok && (same(&got, &again) || comes_late(model, cut, &got, &again));
                got = again;
                firm(&rig);
            }
            /* On to the end; a step that moves nothing may be done twice. */
            uint32_t from = same(&model[cut], &got) ? cut : cut + 1;
            if (cut == STEPS || !ok)
                from = STEPS;
            done = from;
            run_steps(&rig, from, &done);
            got = look(&rig);
            ok = ok && done == STEPS && same(&model[STEPS], &got);
            if (!ok && bad++ < 5)
                printf("op %d, tear %s, step %u: broken\n", (int)op,
                       nor_tear_name((enum nor_tear)tear), cut);
        }
    }
    CHECK_INT(bad, 0);
    nor_snapshot_free(start);
    rig_close(&rig);
}

/* Write-once places are spent by cuts in the journal only, not by starts. */
static void starts_cost_nothing(void)
{
    struct rig rig;
    struct state s;
    struct err err = {0};
    rig_open(&rig, &chips[1], STATE_SAFE);
    state_open(&s, &rig.io, &rig.layout, &err);
    struct state_record in = sample(UPDATE_PENDING, 5, 900);
    CHECK_OK(state_write(&s, &in, &err), &err);
    CHECK_OK(state_mark(&s, 1, 1, &err), &err);
    uint64_t ops = nor_op_count(rig.chip);
    for (int i = 0; i < 20; i++) {
        power_cycle(&rig);
        CHECK_OK(state_open(&s, &rig.io, &rig.layout, &err), &err);
        CHECK_OK(state_firm(&s, &err), &err);
    }
    CHECK_INT(nor_op_count(rig.chip), ops);
    rig_close(&rig);
}

/* The vendor's single copy loses identity and progress between erase and write: that is the point
 * of having the other layout. */
static void vendor_loses_everything(void)
{
    struct rig rig;
    volatile uint32_t done = 0;
    rig_open(&rig, &chips[0], STATE_VENDOR);
    run_steps(&rig, 0, &done);
    CHECK_INT(done, STEPS);
    struct state s;
    struct err err = {0};
    state_open(&s, &rig.io, &rig.layout, &err);
    CHECK_INT(s.record.update_result, UPDATE_OK);
    nor_arm_cut(rig.chip, nor_op_count(rig.chip) + 2, TEAR_NOTHING, 0);
    if (setjmp(rig.lost) == 0)
        state_write(&s, &s.record, &err);
    nor_power_on(rig.chip);
    CHECK(!look(&rig).valid);
    rig_close(&rig);
}

static void refused_program_is_survived(const void *row)
{
    struct rig rig;
    struct state s;
    struct err err = {0};
    rig_open(&rig, row, STATE_SAFE);
    state_open(&s, &rig.io, &rig.layout, &err);
    struct state_record in = sample(UPDATE_NONE, 5, 0);
    CHECK_OK(state_write(&s, &in, &err), &err);
    CHECK_OK(state_mark(&s, 1, 1, &err), &err);
    /* The rest of the bank is bad: the mark is kept by moving. */
    uint32_t bank = s.bank;
    nor_inject(rig.chip, NOR_IO_PROGRAM, bank, rig.layout.erase_bytes, -1);
    CHECK_OK(state_mark(&s, 2, 22, &err), &err);
    CHECK(s.bank != bank);
    CHECK_INT(look(&rig).mark, 2);
    CHECK_INT(look(&rig).arg, 22);
    /* Now nothing can be written: an error, and what was there stands. */
    CHECK_ERR(state_write(&s, &in, &err), ERR_IO);
    CHECK_HAS(err.text, "cannot be written");
    CHECK_INT(look(&rig).mark, 2);
    nor_clear_faults(rig.chip);
    CHECK_OK(state_write(&s, &in, &err), &err);
    CHECK_INT(look(&rig).mark, 0);
    /* One wrong bit in what was programmed is noticed. */
    nor_inject(rig.chip, NOR_IO_CORRUPT, 0, rig.layout.part_bytes, 1);
    CHECK_OK(state_mark(&s, 1, 0xABCD, &err), &err);
    CHECK_INT(look(&rig).arg, 0xABCD);
    nor_inject(rig.chip, NOR_IO_READ, 0, rig.layout.part_bytes, -1);
    CHECK_ERR(state_open(&s, &rig.io, &rig.layout, &err), ERR_IO);
    rig_close(&rig);
}

struct layout_row {
    const char *what;
    struct state_layout layout;
    const char *says; /* null: fits */
};
static const struct layout_row layouts[] = {
    {"seed's partition", {STATE_SAFE, 0xA0000, 0x10000, 1, 0x10000, false, false}, NULL},
    {"write-once", {STATE_SAFE, 0x40000, 0x1000, 8, 0x4000, true, false}, NULL},
    {"no granule", {STATE_SAFE, 0xA0000, 0x10000, 0, 0x10000, false, false}, "granule of 0"},
    {"odd granule", {STATE_SAFE, 0xA0000, 0x10000, 3, 0x10000, false, false}, "granule of 3"},
    {"tiny unit", {STATE_SAFE, 0x1000, 256, 1, 256, false, false}, "erase unit of 256"},
    {"small unit, write-once", {STATE_SAFE, 0x8000, 512, 8, 512, true, false}, "at least 560"},
    {"odd partition", {STATE_SAFE, 0xA0001, 0x10000, 1, 0x10000, false, false}, "multiples"},
    {"no backup", {STATE_SAFE, 0xA0000, 0x10000, 1, 0, false, false}, "multiples"},
    {"nothing left", {STATE_SAFE, 0x20000, 0x10000, 1, 0x10000, false, false}, "leaves no room"},
    {"backup wraps",
     {STATE_VENDOR, 0xA0000, 0x10000, 1, 0xFFFF0000U, false, false},
     "leaves no room"},
};

static const char *layout_name(const void *row)
{
    return ((const struct layout_row *)row)->what;
}

static void layout_checked(const void *row)
{
    const struct layout_row *l = row;
    struct err err = {0};
    int rc = state_layout_check(&l->layout, &err);
    if (l->says == NULL) {
        CHECK_OK(rc, &err);
        return;
    }
    CHECK_ERR(rc, ERR_ARG);
    CHECK_HAS(err.text, l->says);
}

/* cms-ota §5: 0xA0000 partition, 64 KiB blocks: 524288 accepted. */
static void limit_is_the_documented_one(void)
{
    CHECK_INT(state_package_limit(&layouts[0].layout), 524288);
    CHECK_INT(state_backup_addr(&layouts[0].layout), 524288);
}

static void described_in_words(void)
{
    struct rig rig;
    struct state s;
    struct err err = {0};
    struct buf text;
    rig_open(&rig, &chips[0], STATE_SAFE);
    buf_init(&text, 4096);
    CHECK_OK(state_describe(nor_peek(rig.chip), &rig.layout, &text), &err);
    CHECK_HAS((const char *)text.data, "no valid record");
    buf_clear(&text);
    state_open(&s, &rig.io, &rig.layout, &err);
    struct state_record in = sample(UPDATE_PENDING, 42, 900);
    CHECK_OK(state_write(&s, &in, &err), &err);
    CHECK_OK(state_mark(&s, 1, 0xCAFE, &err), &err);
    CHECK_OK(state_describe(nor_peek(rig.chip), &rig.layout, &text), &err);
    CHECK_HAS((const char *)text.data, "layout safe");
    CHECK_HAS((const char *)text.data, "100 (pending)");
    CHECK_HAS((const char *)text.data, "mark 1, argument 0x0000cafe");
    CHECK(strstr((const char *)text.data, in.device_secret) == NULL);
    buf_free(&text);
    rig_close(&rig);
}

static const struct test tests[] = {
    TEST_ROWS("layout", layout_checked, layouts, layout_name),
    {"limit is the documented one", limit_is_the_documented_one},
    TEST_ROWS("record and marks come back", round_trip, chips, chip_name),
    TEST_ROWS("many marks roll", many_marks_roll, chips, chip_name),
    TEST_ROWS("pending counts restore steps", pending_counts_steps, chips, chip_name),
    {"a pinned journal does not roll", pinned_does_not_roll},
    {"vendor bytes are the vendor's", vendor_bytes},
    {"vendor record dies in a cut", vendor_loses_everything},
    TEST_ROWS("refused program is survived", refused_program_is_survived, chips, chip_name),
    TEST_ROWS("every cut, every tear", every_cut, chips, chip_name),
    {"write-once: starts cost nothing", starts_cost_nothing},
    {"described in words", described_in_words},
};
TEST_MAIN("state", tests)
