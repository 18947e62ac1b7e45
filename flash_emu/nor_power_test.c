/* Power of the chip: armed cuts, the plug pulled in the middle, what overlaps. */
#include "flash_emu/nor_testing.h"

static void access_while_off_is_a_bench_fault(const void *row)
{
    struct nor *n = chip_new(row, 1);
    uint8_t data[16] = {0};
    nor_power_off(n, TEAR_SCRAMBLED, 0);
    CHECK(!nor_is_on(n));
    CHECK(nor_fault(n) == NULL);
    CHECK_ERR(nor_program(n, 0x40, data, sizeof(data)), ERR_IO);
    CHECK_STR(nor_fault(n), "program of 16 bytes at 0x00000040 while the chip is off");
    CHECK_ERR(nor_read(n, 0, data, 1), ERR_IO);
    CHECK_ERR(nor_erase(n, 0, nor_geo(n)->erase_bytes), ERR_IO);
    CHECK_HAS(nor_fault(n), "program of 16 bytes");
    CHECK(all_are(nor_peek(n), nor_geo(n)->size_bytes, 0xFF));
    CHECK_INT(nor_op_count(n), 0);
    nor_power_on(n);
    CHECK_INT(nor_read(n, 0, data, 1), 0);
    nor_free(n);
}

static void armed_cut_hits_its_operation(const void *row)
{
    struct nor *n = chip_new(row, 1);
    struct diary d = {0};
    uint8_t data[1024];
    diary_attach(&d, n);
    fill_data(data, sizeof(data), 0);
    nor_arm_cut(n, 3, TEAR_DONE, 0);
    CHECK_ERR(nor_program(n, 0, data, sizeof(data)), ERR_IO);
    CHECK_INT(nor_op_count(n), 3);
    CHECK_INT(d.lost, 1);
    CHECK_INT(d.lost_op, 3);
    CHECK(!d.on_when_lost);
    REQUIRE(d.ops == 3);
    CHECK(!d.op[1].torn);
    CHECK(d.op[2].torn);
    CHECK_INT(d.op[2].tear, TEAR_DONE);
    CHECK_MEM(nor_peek(n), data, 768);
    CHECK(all_are(nor_peek(n) + 768, 256, 0xFF));
    nor_power_on(n);
    CHECK_INT(nor_program(n, 768, data + 768, 256), 0);
    CHECK_INT(nor_op_count(n), 4);
    CHECK(nor_fault(n) == NULL);
    nor_free(n);
}

static void disarmed_cut_does_not_hit(void)
{
    struct nor *n = chip_new(&chip_rows[0], 1);
    uint8_t data[8] = {0};
    nor_arm_cut(n, 1, TEAR_DONE, 0);
    nor_arm_cut(n, 0, TEAR_NOTHING, 0);
    CHECK_INT(nor_program(n, 0, data, 8), 0);
    /* A cut from outside disarms as well: it was meant for this life. */
    nor_arm_cut(n, 2, TEAR_DONE, 0);
    nor_power_off(n, TEAR_NOTHING, 0);
    nor_power_on(n);
    CHECK_INT(nor_program(n, 8, data, 8), 0);
    nor_free(n);
}

static void cut_time_depends_on_the_tear(void)
{
    static const struct {
        enum nor_tear tear;
        int sixteenths;
    } rows[] = {{TEAR_NOTHING, 0}, {TEAR_PREFIX, 8}, {TEAR_WEAK, 8}, {TEAR_DONE, 16}};
    for (size_t i = 0; i < 4; i++) {
        struct nor *n = chip_new(&chip_rows[0], 1);
        struct diary d = {0};
        diary_attach(&d, n);
        nor_arm_cut(n, 1, rows[i].tear, 0);
        CHECK_ERR(nor_erase(n, 0, 4096), ERR_IO);
        CHECK_INT(d.spent_ns, nor_geo(n)->erase_ns * rows[i].sixteenths / 16);
        nor_free(n);
    }
}

static void plug_pulled_while_spending_tears_the_operation(const void *row)
{
    for (int again = 0; again < 2; again++) {
        struct nor *n = chip_new(row, 1);
        struct diary d = {.off_at_spend = 2, .on_again = again == 1, .off_tear = TEAR_ALL_BUT_LAST};
        uint8_t data[768];
        uint32_t granule = nor_geo(n)->granule_bytes;
        diary_attach(&d, n);
        fill_data(data, sizeof(data), 0);
        CHECK_ERR(nor_program(n, 0, data, sizeof(data)), ERR_IO);
        CHECK_INT(nor_is_on(n), again);
        CHECK_INT(nor_op_count(n), 2);
        CHECK_INT(d.lost, 0); /* that hook is for armed cuts */
        REQUIRE(d.ops == 2);
        CHECK(!d.op[0].torn);
        CHECK(d.op[1].torn);
        CHECK_INT(d.op[1].number, 2);
        CHECK_INT(d.op[1].tear, TEAR_ALL_BUT_LAST);
        CHECK_MEM(d.data[1], data + 256, 16);
        CHECK_MEM(nor_peek(n), data, 512 - granule);
        CHECK(all_are(nor_peek(n) + 512 - granule, granule + 256, 0xFF));
        CHECK(nor_fault(n) == NULL);
        nor_free(n);
    }
}

static void plug_pulled_while_erasing_or_reading(const void *row)
{
    struct nor *n = chip_new(row, 1);
    struct diary d = {.off_at_spend = 1, .off_tear = TEAR_DONE};
    uint32_t unit = nor_geo(n)->erase_bytes;
    uint8_t data[256];
    uint8_t got[256];
    fill_data(data, sizeof(data), 0);
    for (uint32_t u = 0; u < 2; u++)
        CHECK_INT(nor_load(n, u * unit, data, sizeof(data)), 0);
    diary_attach(&d, n);
    CHECK_ERR(nor_erase(n, 0, 2 * unit), ERR_IO);
    CHECK(all_are(nor_peek(n), unit, 0xFF));
    CHECK_MEM(nor_peek(n) + unit, data, sizeof(data));
    CHECK_INT(nor_op_count(n), 1);
    CHECK_INT(nor_wear(n, 0), 1);

    nor_power_on(n);
    d.spends = 0;
    memset(got, 0xEE, sizeof(got));
    CHECK_ERR(nor_read(n, unit, got, sizeof(got)), ERR_IO);
    CHECK(all_are(got, sizeof(got), 0xEE));
    CHECK_INT(d.ops, 1);
    CHECK(nor_fault(n) == NULL);
    nor_free(n);
}

/* A second task: begins an erase while the first one's program is under way. */
struct second_task {
    struct nor *chip;
    int depth;
    bool cut;
    int rc;
    size_t torn;
    uint64_t numbers[2];
};

static void spend_and_switch(void *ctx, int64_t ns)
{
    struct second_task *t = ctx;
    (void)ns;
    if (++t->depth == 1)
        t->rc = nor_erase(t->chip, 0, nor_geo(t->chip)->erase_bytes);
    else if (t->cut)
        nor_power_off(t->chip, TEAR_ALL_BUT_LAST, 0);
}

static void note_torn(void *ctx, const struct nor_op *op)
{
    struct second_task *t = ctx;
    if (op->torn && t->torn < 2)
        t->numbers[t->torn++] = op->number;
}

static void overlapping_calls_are_all_torn(const void *row)
{
    for (int cut = 0; cut < 2; cut++) {
        struct nor *n = chip_new(row, 1);
        struct second_task t = {.chip = n, .cut = cut == 1};
        uint32_t unit = nor_geo(n)->erase_bytes;
        uint32_t granule = nor_geo(n)->granule_bytes;
        uint8_t data[256];
        uint8_t zero[8] = {0};
        fill_data(data, sizeof(data), 0);
        CHECK_INT(nor_load(n, 0, zero, 8), 0);
        CHECK_INT(nor_load(n, unit - 8, zero, 8), 0);
        nor_set_hooks(
            n, &(struct nor_hooks){.ctx = &t, .spend = spend_and_switch, .observe = note_torn});
        CHECK_INT(nor_program(n, unit, data, 256), cut ? ERR_IO : 0);
        CHECK_INT(t.rc, cut ? ERR_IO : 0);
        CHECK_INT(nor_op_count(n), 2);
        CHECK(all_are(nor_peek(n), 8, 0xFF));
        CHECK(all_are(nor_peek(n) + unit - 8, 8, cut ? 0 : 0xFF));
        CHECK_MEM(nor_peek(n) + unit, data, cut ? 256 - granule : 256);
        CHECK_INT(t.torn, cut ? 2 : 0);
        if (cut) {
            CHECK(all_are(nor_peek(n) + unit + 256 - granule, granule, 0xFF));
            CHECK_INT(t.numbers[0], 1);
            CHECK_INT(t.numbers[1], 2);
        }
        nor_free(n);
    }
}

static void nest(void *ctx, int64_t ns)
{
    struct second_task *t = ctx;
    uint8_t zero[8] = {0};
    (void)ns;
    int rc = nor_program(t->chip, 256 + 8 * (uint32_t)++t->depth, zero, 8);
    if (rc != 0)
        t->rc = rc;
}

static void overlap_is_bounded(void)
{
    struct nor *n = chip_new(&chip_rows[0], 1);
    struct second_task t = {.chip = n};
    uint8_t zero[8] = {0};
    nor_set_hooks(n, &(struct nor_hooks){.ctx = &t, .spend = nest});
    CHECK_INT(nor_program(n, 256, zero, 8), 0);
    CHECK_INT(t.depth, 16);
    CHECK_ERR(t.rc, ERR_LIMIT);
    CHECK_INT(nor_op_count(n), 16);
    CHECK(all_are(nor_peek(n) + 256, 16 * 8, 0));
    CHECK(all_are(nor_peek(n) + 256 + 16 * 8, 64, 0xFF));
    nor_free(n);
}

static void change_owner(void *ctx, int64_t ns)
{
    (void)ns;
    nor_set_hooks(ctx, NULL);
}

static void new_owner_forgets_the_operation_in_flight(void)
{
    struct nor *n = chip_new(&chip_rows[0], 1);
    uint8_t zero[8] = {0};
    nor_set_hooks(n, &(struct nor_hooks){.ctx = n, .spend = change_owner});
    CHECK_ERR(nor_program(n, 0, zero, 8), ERR_IO);
    nor_power_off(n, TEAR_DONE, 0);
    CHECK(all_are(nor_peek(n), 8, 0xFF));
    nor_free(n);
}

static void cut_between_operations_changes_nothing(const void *row)
{
    struct nor *n = chip_new(row, 1);
    struct diary d = {0};
    uint8_t data[256];
    diary_attach(&d, n);
    fill_data(data, sizeof(data), 0);
    CHECK_INT(nor_program(n, 0, data, sizeof(data)), 0);
    nor_power_off(n, TEAR_SCRAMBLED, 0);
    nor_power_off(n, TEAR_SCRAMBLED, 0);
    CHECK_MEM(nor_peek(n), data, sizeof(data));
    CHECK_INT(d.ops, 1);
    CHECK_INT(nor_op_count(n), 1);
    nor_free(n);
}

/* An owner that promises to do nothing meanwhile gets the same from the chip. */
static void at_once_is_the_same(const void *row)
{
    for (enum nor_tear tear = TEAR_NOTHING; tear < TEAR_COUNT; tear++) {
        struct diary d[2] = {{.ops = 0}, {.ops = 0}};
        struct nor *n[2];
        uint8_t data[700];
        fill_data(data, sizeof(data), 0);
        for (int i = 0; i < 2; i++) {
            n[i] = chip_new(row, 1);
            d[i].chip = n[i];
            nor_set_hooks(n[i], &(struct nor_hooks){.ctx = &d[i],
                                                    .spent_ns = i == 1 ? &d[i].spent_ns : NULL,
                                                    .spend = diary_spend,
                                                    .observe = diary_observe,
                                                    .power_lost = diary_power_lost});
            nor_arm_cut(n[i], 4, tear, 64);
            CHECK_INT(nor_program(n[i], 0, data, 304), 0);
            CHECK_INT(nor_erase(n[i], 0, nor_geo(n[i])->erase_bytes), 0);
            CHECK_ERR(nor_program(n[i], 0, data, 688), ERR_IO);
            nor_power_on(n[i]);
            CHECK_INT(nor_program(n[i], nor_geo(n[i])->erase_bytes, data, 688), 0);
        }
        CHECK_MEM(nor_peek(n[1]), nor_peek(n[0]), nor_geo(n[0])->size_bytes);
        CHECK_INT(d[1].spent_ns, d[0].spent_ns);
        CHECK_INT(d[1].lost, 1);
        REQUIRE(d[1].ops == d[0].ops);
        for (size_t i = 0; i < d[0].ops; i++) {
            CHECK_INT(d[1].op[i].number, d[0].op[i].number);
            CHECK_INT(d[1].op[i].addr, d[0].op[i].addr);
            CHECK_INT(d[1].op[i].torn, d[0].op[i].torn);
            CHECK_MEM(d[1].data[i], d[0].data[i], sizeof(d[0].data[i]));
        }
        nor_free(n[0]);
        nor_free(n[1]);
    }
}

/* Nor does it matter whether anybody looks on: what is refused, torn, marginal or at fault, and
 * what it takes. */
static void unwatched_is_the_same(const void *row)
{
    for (enum nor_tear tear = TEAR_NOTHING; tear < TEAR_COUNT; tear++) {
        struct diary d[2] = {{.ops = 0}, {.ops = 0}};
        struct nor *n[2];
        uint8_t data[1200], got[2][1200] = {{0}};
        int rcs[2][10];
        fill_data(data, sizeof(data), 0);
        for (int i = 0; i < 2; i++) {
            struct nor *c = n[i] = chip_new(row, 1);
            int *rc = rcs[i];
            uint32_t unit = nor_geo(c)->erase_bytes;
            d[i].chip = c;
            nor_set_hooks(c, &(struct nor_hooks){.ctx = &d[i],
                                                 .spent_ns = i == 1 ? &d[i].spent_ns : NULL,
                                                 .spend = diary_spend,
                                                 .observe = i == 0 ? diary_observe : NULL});
            *rc++ = nor_program(c, unit - 400, data, 800);
            nor_arm_cut(c, nor_op_count(c) + 2, tear, 64);
            *rc++ = nor_program(c, 16, data, sizeof(data));
            *rc++ = nor_read(c, 0, got[i], 8); /* off */
            nor_power_on(c);
            *rc++ = nor_program(c, unit - 400, data + 400, 800);
            *rc++ = nor_read(c, 0, got[i], sizeof(got[i])); /* dead, perhaps */
            *rc++ = nor_erase(c, 0, unit);
            (void)nor_inject(c, NOR_IO_PROGRAM, 0, unit, 1);
            (void)nor_inject(c, NOR_IO_READ, 0, unit, 1);
            *rc++ = nor_program(c, 0, data, sizeof(data));
            *rc++ = nor_program(c, 0, data, sizeof(data));
            *rc++ = nor_read(c, 8, got[i], sizeof(got[i]));
            *rc++ = nor_read(c, nor_geo(c)->size_bytes - 8, got[i], 16);
            (void)nor_read(c, 0, got[i], sizeof(got[i]));
        }
        for (size_t i = 0; i < 10; i++)
            CHECK_INT(rcs[1][i], rcs[0][i]);
        CHECK_MEM(got[1], got[0], sizeof(got[0]));
        CHECK_MEM(nor_peek(n[1]), nor_peek(n[0]), nor_geo(n[0])->size_bytes);
        CHECK_INT(nor_weak_cells(n[1], 0, 2048), nor_weak_cells(n[0], 0, 2048));
        CHECK_INT(nor_version(n[1], 0), nor_version(n[0], 0));
        CHECK_INT(nor_op_count(n[1]), nor_op_count(n[0]));
        CHECK_INT(d[1].spent_ns, d[0].spent_ns);
        nor_free(n[0]);
        nor_free(n[1]);
    }
}

static const struct test tests[] = {
    TEST_ROWS("access while off is a bench fault", access_while_off_is_a_bench_fault, chip_rows,
              chip_name),
    TEST_ROWS("an armed cut hits its operation", armed_cut_hits_its_operation, chip_rows,
              chip_name),
    {"a disarmed cut does not hit", disarmed_cut_does_not_hit},
    {"the time before a cut depends on the tear", cut_time_depends_on_the_tear},
    TEST_ROWS("a plug pulled while spending tears the operation",
              plug_pulled_while_spending_tears_the_operation, chip_rows, chip_name),
    TEST_ROWS("a plug pulled while erasing or reading", plug_pulled_while_erasing_or_reading,
              chip_rows, chip_name),
    TEST_ROWS("overlapping calls are all torn", overlapping_calls_are_all_torn, chip_rows,
              chip_name),
    {"overlap is bounded", overlap_is_bounded},
    {"a new owner forgets the operation in flight", new_owner_forgets_the_operation_in_flight},
    TEST_ROWS("an owner that does nothing meanwhile gets the same", at_once_is_the_same, chip_rows,
              chip_name),
    TEST_ROWS("a chip that nobody watches does the same", unwatched_is_the_same, chip_rows,
              chip_name),
    TEST_ROWS("a cut between operations changes nothing", cut_between_operations_changes_nothing,
              chip_rows, chip_name),
};
TEST_MAIN("flash power", tests)
