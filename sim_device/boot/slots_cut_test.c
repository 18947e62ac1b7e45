/* Two slots: power cuts at every flash operation with every tear, on every kind of chip. */
#include <setjmp.h>
#include <stdio.h>

#include "sim_device/boot/slots_testing.h"

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

static const struct test tests[] = {
    TEST_ROWS("every cut, every tear", every_cut_every_tear, chips, chip_name),
    TEST_ROWS("what was seen stays", what_was_seen_stays, chips, chip_name),
    {"a single copy loses the record", a_single_copy_loses_the_record},
    {"other breaks", other_breaks},
};
TEST_MAIN("slots and power cuts", tests)
