/*
 * Two slots: every transition, and power cuts at every flash operation with every tear, on every
 * kind of chip, in whatever calls follow each other.
 */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/rng.h"
#include "common/testing/testing.h"
#include "sim_device/board/bare_testing.h"
#include "sim_device/boot/slots.h"

#define UNIT       4096u
#define IMAGE_A    5000u
#define IMAGE_B    6001u
#define TRIALS     3
#define STARTS_MAX 40

enum { RIG_CUT = 100 };

/* A device of flash and boot loader; the application is the test. */
struct site {
    struct board board; /* first */
    struct board_ops ops;
    struct nor_geometry geo;
    struct partition_table parts;
    struct slots_config cfg;
    struct slots_boot boot;
    jmp_buf lost;
    char events[4096];
};

static void site_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                       const struct trace_field *fields, size_t n)
{
    struct site *s = ctx;
    (void)now_ns;
    size_t at = strlen(s->events);
    if (lane != LANE_BOOT || sizeof s->events - at < 128)
        return;
    at += (size_t)snprintf(s->events + at, sizeof s->events - at, "%s", event);
    for (size_t i = 0; i < n; i++)
        at += (size_t)(fields[i].text != NULL
                           ? snprintf(s->events + at, sizeof s->events - at, " %s", fields[i].text)
                           : snprintf(s->events + at, sizeof s->events - at, " %d",
                                      (int)fields[i].integer));
    (void)snprintf(s->events + at, sizeof s->events - at, "\n");
}

static void site_lost(void *ctx, const struct nor_op *op)
{
    struct site *s = ctx;
    (void)op;
    longjmp(s->lost, 1);
}

static uint8_t byte_of(char image, uint32_t i)
{
    return (uint8_t)((uint32_t)image * 31u + i * 7u + (i >> 8));
}

static void put_image(struct site *s, uint32_t slot, char image, uint32_t len)
{
    uint8_t bytes[8192];
    uint32_t padded = (len + 7) / 8 * 8;
    memset(bytes, 0xFF, sizeof bytes);
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = byte_of(image, i);
    REQUIRE(nor_load(s->board.nor, s->parts.part[slot].offset, bytes, padded) == 0);
}

static void digest_image(char image, uint32_t len, uint8_t out[SHA256_BYTES])
{
    uint8_t bytes[8192];
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = byte_of(image, i);
    digest_of(DIGEST_SHA256, bytes, len, out);
}

static void site_open_seeded(struct site *s, const struct chip_row *row, uint64_t seed)
{
    struct err err = {0};
    struct slots_image factory = {.len_bytes = IMAGE_A, .version = "1.0"};
    uint8_t record[2 * UNIT];
    memset(s, 0, sizeof *s);
    s->geo = *nor_geometry_find(row->chip);
    s->geo.policy = row->policy;
    s->geo.size_bytes = 8 * UNIT;
    s->parts = (struct partition_table){.count = 3,
                                        .part = {{"app", UNIT, 2 * UNIT},
                                                 {"app2", 3 * UNIT, 2 * UNIT},
                                                 {"slots", 5 * UNIT, 2 * UNIT}}};
    s->board.nor = nor_new(&s->geo, seed, &err);
    REQUIRE(s->board.nor != NULL);
    s->ops.now_ns = bare_now;
    s->ops.wake = bare_wake;
    s->board.ops = &s->ops;
    s->board.event = site_event;
    s->board.event_ctx = s;
    s->board.partitions = &s->parts;
    nor_set_hooks(s->board.nor, &(struct nor_hooks){.ctx = s, .power_lost = site_lost});
    s->cfg = (struct slots_config){
        .board = &s->board, .partitions = &s->parts, .trial_boots_max = TRIALS};
    put_image(s, 0, 'a', IMAGE_A);
    digest_image('a', IMAGE_A, factory.sha256);
    REQUIRE_OK(slots_factory(&s->cfg, &factory, record, &err), &err);
    REQUIRE(nor_load(s->board.nor, 5 * UNIT, record, sizeof record) == 0);
    REQUIRE(partition_guard(s->board.nor, &s->parts) == 0);
}

static void site_open(struct site *s, const struct chip_row *row)
{
    site_open_seeded(s, row, 21);
}

static void site_close(struct site *s)
{
    CHECK(nor_fault(s->board.nor) == NULL);
    CHECK_INT(partition_guard_check(s->board.nor, &s->parts), UINT32_MAX);
    board_heap_drop(&s->board);
    nor_free(s->board.nor);
}

/* The slot that was started, -1 when bricked, RIG_CUT. */
static int start(struct site *s)
{
    enum boot_result rc;
    board_heap_drop(&s->board);
    s->board.flash_busy = false;
    s->events[0] = '\0';
    nor_power_on(s->board.nor);
    if (setjmp(s->lost) != 0)
        return RIG_CUT;
    slots_boot_begin(&s->boot, &s->cfg);
    do
        rc = slots_boot_step(&s->boot);
    while (rc == BOOT_MORE);
    return rc == BOOT_RUN ? (int)s->boot.slot : -1;
}

enum call { SET_BOOT, CONFIRM, ROLLBACK };

/* What the application does after a start; RIG_CUT or the result. */
static int call(struct site *s, enum call what)
{
    struct slots app;
    uint8_t sha[SHA256_BYTES];
    if (setjmp(s->lost) != 0)
        return RIG_CUT;
    int rc = slots_open(&app, &s->cfg, NULL);
    digest_image('b', IMAGE_B, sha);
    if (rc == 0 && what == SET_BOOT)
        rc = slots_set_boot(&app, IMAGE_B, sha, "1.1", NULL);
    if (rc == 0 && what == CONFIRM)
        rc = slots_confirm(&app, NULL);
    if (rc == 0 && what == ROLLBACK)
        rc = slots_rollback(&app, NULL);
    return rc;
}

static void reopen(struct site *s, struct slots *app)
{
    REQUIRE(slots_open(app, &s->cfg, NULL) == 0);
}

/* ---- transitions ---- */

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

/* ---- power cuts ---- */

/* What a device does with its power-ons until a goal is reached: each plan is one of the issues
 * a record can have. */
enum plan { PLAN_CONFIRM, PLAN_EXHAUST, PLAN_ROLLBACK, PLAN_DAMAGED, PLANS };
static const char *const plan_names[PLANS] = {"confirm", "exhaust", "rollback", "damaged"};

/* What must never happen, kept over the whole life. */
struct life {
    enum plan plan;
    bool set;       /* slots_set_boot returned 0 */
    bool confirmed; /* slots_confirm returned 0 */
    bool given_up;  /* the old slot was started after the new one, or after a rollback */
    int cuts;
    int trials; /* complete starts of the new image before it was confirmed */
    int wrong;
};

/* One power-on: the start, and what the application does then. True: nothing is left to be done. */
static bool power_on(struct site *s, struct life *l)
{
    struct slots app;
    int slot = start(s);
    if (slot == RIG_CUT) {
        l->cuts++;
        return false;
    }
    l->wrong += slot < 0;
    reopen(s, &app);
    l->wrong += (int)slots_running(&app) != slot;
    if (slot == 1 && slots_on_trial(&app)) {
        l->wrong += l->confirmed || l->given_up || l->plan == PLAN_DAMAGED || ++l->trials > TRIALS;
        int rc = 0;
        if (l->plan == PLAN_CONFIRM) {
            rc = call(s, CONFIRM);
            l->confirmed = rc == 0;
        } else if (l->plan == PLAN_ROLLBACK) {
            rc = call(s, ROLLBACK);
            l->given_up = rc == 0;
        }
        l->cuts += rc == RIG_CUT;
        l->wrong += rc != 0 && rc != RIG_CUT;
        return false;
    }
    if (slot == 1) {
        l->confirmed = true;
        l->wrong += l->plan != PLAN_CONFIRM;
        return true;
    }
    l->wrong += l->confirmed;
    l->given_up = l->given_up || l->trials > 0 || slots_was_refused(&app, "1.1") != NULL;
    if (l->given_up)
        return true;
    if (l->plan == PLAN_DAMAGED)
        put_image(s, 1, 'b', IMAGE_B);
    int rc = call(s, SET_BOOT);
    l->cuts += rc == RIG_CUT;
    if (rc != RIG_CUT) {
        l->wrong += rc != 0 || l->set; /* set once, it is tried at the next start */
        l->set = l->set || rc == 0;
    }
    if (l->plan == PLAN_DAMAGED) {
        static const uint8_t zeros[8] = {0};
        (void)nor_load(s->board.nor, s->parts.part[1].offset + 4000, zeros, sizeof zeros);
    }
    return false;
}

static bool live(struct site *s, struct life *l)
{
    for (int i = 0; i < STARTS_MAX; i++)
        if (power_on(s, l))
            return true;
    return false;
}

/* Alive, and as the plan says: with PLAN_CONFIRM the new image is expected, unless cuts used up the
 * trials; the others end in the old one. */
static bool good_end(struct site *s, struct life *l)
{
    struct slots_record r;
    bool whole = slots_peek(nor_peek(s->board.nor), &s->geo, &s->parts, &r);
    uint32_t want = l->plan == PLAN_CONFIRM && !l->given_up ? 1 : 0;
    bool allowed = l->plan != PLAN_CONFIRM || !l->given_up || l->trials + l->cuts >= TRIALS;
    return whole && l->wrong == 0 && allowed && r.active == want && r.state == SLOTS_STEADY &&
           nor_fault(s->board.nor) == NULL;
}

/* From the snapshot with a cut at that operation, and then `more` at drawn ones. */
static bool lives_through(struct site *s, const struct nor_snapshot *from, struct life *l,
                          uint64_t op, enum nor_tear tear, uint32_t more, struct rng *rng)
{
    REQUIRE(nor_restore(s->board.nor, from) == 0);
    nor_arm_cut(s->board.nor, nor_op_count(s->board.nor) + op, tear, 40);
    for (int i = 0; i < STARTS_MAX; i++) {
        bool done = power_on(s, l);
        if (!nor_is_on(s->board.nor) && more > 0) {
            more--;
            uint64_t at = 1 + rng_below(rng, 12);
            enum nor_tear next = (enum nor_tear)rng_below(rng, TEAR_COUNT);
            nor_arm_cut(s->board.nor, nor_op_count(s->board.nor) + at, next, 24);
        } else if (done && good_end(s, l)) {
            nor_arm_cut(s->board.nor, 0, TEAR_NOTHING, 0);
            /* And it stays so: weak cells have read otherwise by now if they ever do. */
            for (int again = 0; again < 3; again++) {
                nor_power_off(s->board.nor, TEAR_NOTHING, 0);
                if (!power_on(s, l) || !good_end(s, l))
                    return false;
            }
            return true;
        }
    }
    return false;
}

static void every_cut_every_tear(const void *row)
{
    const struct chip_row *chip = row;
    for (int plan = 0; plan < PLANS; plan++) {
        struct site s;
        struct rng rng;
        struct life l = {.plan = (enum plan)plan};
        unsigned bad = 0, lives = 0;
        site_open(&s, chip);
        put_image(&s, 1, 'b', IMAGE_B);
        struct nor_snapshot *from = nor_save(s.board.nor);
        uint64_t first = nor_op_count(s.board.nor);
        CHECK(live(&s, &l) && good_end(&s, &l));
        uint64_t ops = nor_op_count(s.board.nor) - first;
        CHECK(ops >= 8);
        for (uint64_t op = 1; op <= ops; op++)
            for (int tear = 0; tear < TEAR_COUNT; tear++)
                for (uint32_t draw = 0; draw < 12; draw++) {
                    l = (struct life){.plan = (enum plan)plan};
                    rng_init(&rng, 7, "slots cuts", chip->what, op * 1000 + draw);
                    lives++;
                    if (!lives_through(&s, from, &l, op, (enum nor_tear)tear, draw % 6, &rng) &&
                        bad++ < 3)
                        (void)fprintf(stderr, "%s %s op %d %s draw %u: wrong %d trials %d\n%s",
                                      chip->what, plan_names[plan], (int)op,
                                      nor_tear_name((enum nor_tear)tear), draw, l.wrong, l.trials,
                                      s.events);
                }
        CHECK_INT(bad, 0);
        CHECK(lives > 600);
        nor_snapshot_free(from);
        site_close(&s);
    }
}

/* Starts without any call of the application, the first of them cut as well: once a start has shown
 * a steady record, all later ones show the same, and nothing is tried more often than allowed. */
static unsigned flips_after(struct site *s, uint64_t second_op, enum nor_tear tear)
{
    struct slots app;
    unsigned flips = 0;
    int steady = -1, trials = 0;
    if (second_op > 0)
        nor_arm_cut(s->board.nor, nor_op_count(s->board.nor) + second_op, tear, 40);
    for (int i = 0; i < 10; i++) {
        int slot = start(s);
        if (slot == RIG_CUT)
            continue;
        nor_arm_cut(s->board.nor, 0, TEAR_NOTHING, 0);
        reopen(s, &app);
        trials += slots_on_trial(&app);
        flips += slot < 0 || slot != (int)slots_running(&app) || (steady >= 0 && slot != steady);
        if (app.record.state == SLOTS_STEADY)
            steady = slot;
        nor_power_off(s->board.nor, TEAR_NOTHING, 0);
    }
    return flips + (trials > TRIALS);
}

static void what_was_seen_stays(const void *row)
{
    for (int what = SET_BOOT; what <= ROLLBACK; what++) {
        unsigned bad = 0, cut_calls = 0;
        for (uint64_t seed = 1; seed <= 10; seed++) {
            struct site s;
            site_open_seeded(&s, row, seed);
            put_image(&s, 1, 'b', IMAGE_B);
            REQUIRE(start(&s) == 0);
            if (what != SET_BOOT) {
                REQUIRE(call(&s, SET_BOOT) == 0);
                REQUIRE(start(&s) == 1);
            }
            struct nor_snapshot *from = nor_save(s.board.nor);
            for (uint64_t op = 1; op <= 4; op++)
                for (int tear = 0; tear < TEAR_COUNT; tear++)
                    for (uint64_t second = 0; second < 4; second++) {
                        REQUIRE(nor_restore(s.board.nor, from) == 0);
                        nor_arm_cut(s.board.nor, nor_op_count(s.board.nor) + op,
                                    (enum nor_tear)tear, 40);
                        cut_calls += call(&s, (enum call)what) == RIG_CUT;
                        bad += flips_after(&s, second, seed % 2 ? TEAR_WEAK : TEAR_PREFIX) > 0;
                    }
            nor_snapshot_free(from);
            site_close(&s);
        }
        CHECK_INT(bad, 0);
        CHECK_INT(cut_calls, 10 * 4 * TEAR_COUNT * 4);
    }
}

/* ---- what the broken variants do ---- */

static void a_single_copy_loses_the_record(void)
{
    unsigned bad = 0;
    struct site s;
    struct rng rng;
    struct life l = {.plan = PLAN_CONFIRM};
    site_open(&s, &chips[0]);
    s.cfg.breaks.single_copy = true;
    put_image(&s, 1, 'b', IMAGE_B);
    struct nor_snapshot *from = nor_save(s.board.nor);
    uint64_t first = nor_op_count(s.board.nor);
    CHECK(live(&s, &l));
    uint64_t ops = nor_op_count(s.board.nor) - first;
    for (uint64_t op = 1; op <= ops; op++) {
        l = (struct life){.plan = PLAN_CONFIRM};
        rng_init(&rng, 7, "slots cuts", "single", op);
        bad += !lives_through(&s, from, &l, op, TEAR_PREFIX, 0, &rng);
    }
    CHECK(bad > 0);
    nor_snapshot_free(from);
    site_close(&s);
}

static void other_breaks(void)
{
    struct site s;
    uint8_t zeros[8] = {0};
    site_open(&s, &chips[0]);
    s.cfg.breaks.no_verify = true;
    put_image(&s, 1, 'c', IMAGE_B);
    CHECK_INT(start(&s), 0);
    CHECK_INT(call(&s, SET_BOOT), 0);
    REQUIRE(nor_load(s.board.nor, s.parts.part[1].offset, zeros, sizeof zeros) == 0);
    CHECK_INT(start(&s), 1);
    site_close(&s);

    site_open(&s, &chips[0]);
    s.cfg.breaks.no_count = true;
    put_image(&s, 1, 'b', IMAGE_B);
    CHECK_INT(start(&s), 0);
    CHECK_INT(call(&s, SET_BOOT), 0);
    for (int i = 0; i < 3 * TRIALS; i++)
        CHECK_INT(start(&s), 1);
    site_close(&s);

    site_open(&s, &chips[0]);
    s.cfg.breaks.no_trial = true;
    put_image(&s, 1, 'b', IMAGE_B);
    CHECK_INT(start(&s), 0);
    CHECK_INT(call(&s, SET_BOOT), 0);
    CHECK_INT(start(&s), 1);
    CHECK_INT(call(&s, ROLLBACK), ERR_WRONG_STATE);
    site_close(&s);
}

static const char *chip_name(const void *row)
{
    return ((const struct chip_row *)row)->what;
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
    TEST_ROWS("every cut, every tear", every_cut_every_tear, chips, chip_name),
    TEST_ROWS("what was seen stays", what_was_seen_stays, chips, chip_name),
    {"a single copy loses the record", a_single_copy_loses_the_record},
    {"other breaks", other_breaks},
};
TEST_MAIN("slots", tests)
