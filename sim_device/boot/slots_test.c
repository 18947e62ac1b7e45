/* Two slots: every transition, on every kind of chip; with power cuts: slots_cut_test.c. */
#include <setjmp.h>
#include <string.h>

#include "sim_device/boot/slots_testing.h"

static void a_steady_start_writes_nothing(const void *row)
{
    struct site s;
    struct slots app;
    site_open(&s, row);
    uint64_t ops = nor_op_count(s.board.nor);
    CHECK_INT(start(&s), 0);
    CHECK_STR(s.events, "boot 0 steady 0\nverify 0 1 \nrun 0\n");
    CHECK_INT(nor_op_count(s.board.nor), ops);
    reopen(&s, &app);
    CHECK_INT(slots_running(&app), 0);
    CHECK_INT(slots_inactive(&app), 1);
    CHECK_STR(slots_partition(&app, 1)->name, "app2");
    CHECK(!slots_on_trial(&app));
    CHECK_INT(slots_may_update(&app, NULL), 0);
    CHECK_INT(call(&s, ROLLBACK), ERR_WRONG_STATE);
    CHECK_INT(call(&s, CONFIRM), 0);
    CHECK_INT(nor_op_count(s.board.nor), ops);
    site_close(&s);
}

static void tried_and_confirmed(const void *row)
{
    struct site s;
    struct slots app;
    struct err err;
    site_open(&s, row);
    put_image(&s, 1, 'b', IMAGE_B);
    CHECK_INT(start(&s), 0);
    CHECK_INT(call(&s, SET_BOOT), 0);
    CHECK_INT(call(&s, SET_BOOT), ERR_WRONG_STATE);
    CHECK_INT(call(&s, CONFIRM), ERR_WRONG_STATE);
    CHECK_INT(start(&s), 1);
    CHECK_STR(s.events, "boot 0 pending 0\nverify 1 1 \ntrial 1 1 3\nrun 1\n");
    reopen(&s, &app);
    CHECK(slots_on_trial(&app));
    CHECK_INT(slots_running(&app), 1);
    CHECK_INT(slots_may_update(&app, &err), ERR_WRONG_STATE);
    CHECK_STR(err.text, "image 1.1 is on trial: it must be confirmed or given up first");
    CHECK_INT(call(&s, CONFIRM), 0);
    for (int i = 0; i < 5; i++)
        CHECK_INT(start(&s), 1);
    reopen(&s, &app);
    CHECK_INT(app.record.active, 1);
    CHECK(slots_was_refused(&app, "1.1") == NULL);
    CHECK_INT(slots_inactive(&app), 0);
    site_close(&s);
}

static void given_up_after_the_trials(const void *row)
{
    struct site s;
    struct slots app;
    site_open(&s, row);
    put_image(&s, 1, 'b', IMAGE_B);
    CHECK_INT(start(&s), 0);
    CHECK_INT(call(&s, SET_BOOT), 0);
    for (int i = 1; i <= TRIALS; i++)
        CHECK_INT(start(&s), 1);
    CHECK_INT(start(&s), 0);
    CHECK_STR(s.events, "boot 1 trial 3\nverify 1 1 \nverify 0 1 \n"
                        "rollback 1 0 not-confirmed 1.1\nrun 0\n");
    CHECK_INT(start(&s), 0);
    reopen(&s, &app);
    REQUIRE(slots_was_refused(&app, "1.1") != NULL);
    CHECK_INT(*slots_was_refused(&app, "1.1"), SLOTS_NOT_CONFIRMED);
    CHECK(slots_was_refused(&app, "1.0") == NULL);
    CHECK_INT(slots_may_update(&app, NULL), 0);
    site_close(&s);
}

static void given_up_by_the_application(const void *row)
{
    struct site s;
    struct slots app;
    site_open(&s, row);
    put_image(&s, 1, 'b', IMAGE_B);
    CHECK_INT(start(&s), 0);
    CHECK_INT(call(&s, SET_BOOT), 0);
    CHECK_INT(start(&s), 1);
    CHECK_INT(call(&s, ROLLBACK), 0);
    CHECK_HAS(s.events, "rollback 1 0 application 1.1\n");
    CHECK_INT(start(&s), 0);
    reopen(&s, &app);
    CHECK_INT(*slots_was_refused(&app, "1.1"), SLOTS_BY_APPLICATION);
    /* Also before the first start. */
    CHECK_INT(call(&s, SET_BOOT), 0);
    CHECK_INT(call(&s, ROLLBACK), 0);
    CHECK_INT(start(&s), 0);
    site_close(&s);
}

static void a_damaged_image_is_not_started(const void *row)
{
    struct site s;
    struct slots app;
    uint8_t zeros[8] = {0};
    site_open(&s, row);
    put_image(&s, 1, 'b', IMAGE_B);
    CHECK_INT(start(&s), 0);
    CHECK_INT(call(&s, SET_BOOT), 0);
    REQUIRE(nor_load(s.board.nor, s.parts.part[1].offset + 4000, zeros, sizeof zeros) == 0);
    CHECK_INT(start(&s), 0);
    CHECK_STR(s.events, "boot 0 pending 0\nverify 1 0 SHA-256 is another\n"
                        "rollback 1 0 not-whole 1.1\nverify 0 1 \nrun 0\n");
    reopen(&s, &app);
    CHECK_INT(*slots_was_refused(&app, "1.1"), SLOTS_NOT_WHOLE);
    /* A digest that is not the image's is refused before the record is touched. */
    CHECK_INT(call(&s, SET_BOOT), ERR_DIGEST);
    /* Confirmed, and damaged later: the other slot still holds the old one. */
    put_image(&s, 1, 'b', IMAGE_B);
    CHECK_INT(call(&s, SET_BOOT), 0);
    CHECK_INT(start(&s), 1);
    CHECK_INT(call(&s, CONFIRM), 0);
    REQUIRE(nor_load(s.board.nor, s.parts.part[1].offset + 4000, zeros, sizeof zeros) == 0);
    CHECK_INT(start(&s), 0);
    CHECK_HAS(s.events, "rollback 1 0 not-whole 1.1\n");
    /* Nothing whole left. */
    REQUIRE(nor_load(s.board.nor, s.parts.part[0].offset + 800, zeros, sizeof zeros) == 0);
    CHECK_INT(start(&s), -1);
    CHECK_HAS(s.events, "bricked no slot holds a whole image\n");
    site_close(&s);
}

/* A trial that is spent is not left for an image that cannot start. */
static void nothing_to_go_back_to(const void *row)
{
    struct site s;
    uint8_t zeros[8] = {0};
    site_open(&s, row);
    put_image(&s, 1, 'b', IMAGE_B);
    CHECK_INT(start(&s), 0);
    CHECK_INT(call(&s, SET_BOOT), 0);
    REQUIRE(nor_load(s.board.nor, s.parts.part[0].offset, zeros, sizeof zeros) == 0);
    for (int i = 0; i < TRIALS + 2; i++)
        CHECK_INT(start(&s), 1);
    site_close(&s);
}

static void without_a_record(const void *row)
{
    struct site s;
    struct slots app;
    uint8_t blank[2 * UNIT];
    struct slots_record peeked;
    memset(blank, 0xFF, sizeof blank);
    site_open(&s, row);
    REQUIRE(nor_load(s.board.nor, 5 * UNIT, blank, sizeof blank) == 0);
    CHECK(!slots_peek(nor_peek(s.board.nor), &s.geo, &s.parts, &peeked));
    CHECK_INT(start(&s), 0);
    CHECK_HAS(s.events, "verify 0 1 as the factory left it\n");
    CHECK(slots_peek(nor_peek(s.board.nor), &s.geo, &s.parts, &peeked));
    uint64_t ops = nor_op_count(s.board.nor);
    CHECK_INT(start(&s), 0);
    CHECK_INT(nor_op_count(s.board.nor), ops);
    put_image(&s, 1, 'b', IMAGE_B);
    CHECK_INT(call(&s, SET_BOOT), 0);
    CHECK_INT(start(&s), 1);
    CHECK(slots_peek(nor_peek(s.board.nor), &s.geo, &s.parts, &peeked));
    CHECK_INT(slots_record_running(&peeked), 1);
    CHECK_STR(peeked.image[1].version, "1.1");
    struct buf text;
    buf_init(&text, 4096);
    CHECK_INT(slots_describe(nor_peek(s.board.nor), &s.geo, &s.parts, &text), 0);
    CHECK_HAS((char *)text.data,
              "state trial, 1 starts on trial\n  slot 0  active  no image known\n"
              "  slot 1  other   6001 bytes, version 1.1, SHA-256 ");
    buf_free(&text);
    reopen(&s, &app);
    CHECK_INT(slots_running(&app), 1);
    site_close(&s);
}

/* The record cannot be written any more: what is whole still starts, a trial does not begin. */
static void a_record_that_cannot_be_written(const void *row)
{
    struct site s;
    site_open(&s, row);
    put_image(&s, 1, 'b', IMAGE_B);
    CHECK_INT(start(&s), 0);
    CHECK_INT(call(&s, SET_BOOT), 0);
    REQUIRE(nor_inject(s.board.nor, NOR_IO_ERASE, 5 * UNIT, 2 * UNIT, -1) == 0);
    CHECK_INT(start(&s), 0);
    CHECK_HAS(s.events, "record slots: record cannot be written at 0x");
    nor_clear_faults(s.board.nor);
    CHECK_INT(start(&s), 1);
    REQUIRE(nor_inject(s.board.nor, NOR_IO_READ, 5 * UNIT, 2 * UNIT, -1) == 0);
    CHECK_INT(start(&s), -1);
    nor_clear_faults(s.board.nor);
    CHECK_INT(start(&s), 1);
    site_close(&s);
}

static void refusals(void)
{
    const struct nor_geometry *geo = nor_geometry_find("spi4k");
    static const struct {
        struct partition_table t;
        const char *error;
    } rows[] = {
        {{.count = 2, .part = {{"app", 0, UNIT}, {"slots", UNIT, 2 * UNIT}}},
         "partitions: two slots need one named \"app2\""},
        {{.count = 3,
          .part = {{"app", 0, UNIT}, {"app2", UNIT, 2 * UNIT}, {"slots", 3 * UNIT, 2 * UNIT}}},
         "partitions: \"app\" has 4096 bytes and \"app2\" 8192, slots must be of one size"},
        {{.count = 3, .part = {{"app", 0, UNIT}, {"app2", UNIT, UNIT}, {"slots", 3 * UNIT, UNIT}}},
         "partition \"slots\": 4096 bytes for a record of 240 in two banks, needed are at least "
         "8192 in steps of two erase units, 8192"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err = {0};
        CHECK_INT(slots_check(geo, &rows[i].t, &err), ERR_ARG);
        CHECK_STR(err.text, rows[i].error);
    }
}

static const struct test tests[] = {
    TEST_ROWS("a steady start writes nothing", a_steady_start_writes_nothing, chips, chip_name),
    TEST_ROWS("tried and confirmed", tried_and_confirmed, chips, chip_name),
    TEST_ROWS("given up after the trials", given_up_after_the_trials, chips, chip_name),
    TEST_ROWS("given up by the application", given_up_by_the_application, chips, chip_name),
    TEST_ROWS("a damaged image is not started", a_damaged_image_is_not_started, chips, chip_name),
    TEST_ROWS("nothing to go back to", nothing_to_go_back_to, chips, chip_name),
    TEST_ROWS("without a record", without_a_record, chips, chip_name),
    TEST_ROWS("a record that cannot be written", a_record_that_cannot_be_written, chips, chip_name),
    {"refusals", refusals},
};
TEST_MAIN("slots", tests)
