/*
 * The judge says what it looks at: a closure recalls starts by what was looked at, so a judge that
 * reads flash in silence would make it wrong. Here the judge sees a flash that holds noise wherever
 * neither it nor the device has looked since power came, and must find the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/judge_internal.h"
#include "scenarios/engine/world_internal.h"

#define CUT_EVERY 9u /* operations */

struct bench {
    struct sim_run r; /* first: hooks get its stage */
    struct world *world;
    struct scenario *s;
    struct run_options run;
    struct run_result seen;
    char cache[TEST_PATH_MAX];
    uint8_t *shown; /* instead of the chip's cells; null: these */
    uint32_t size_bytes;
};

static const uint8_t *shown_flash(void *ctx)
{
    struct bench *b = ctx;
    return b->shown;
}

static void show(struct bench *b, uint32_t addr, uint32_t len_bytes)
{
    if (b->shown == NULL || addr >= b->size_bytes)
        return;
    uint32_t room = b->size_bytes - addr;
    memcpy(b->shown + addr, nor_peek(b->r.g.nor) + addr, len_bytes < room ? len_bytes : room);
}

static void on_look(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    show(ctx, addr, len_bytes);
}

static void on_op(void *ctx, const struct nor_op *op)
{
    show(ctx, op->addr, op->len_bytes);
}

/* The judge's own memory is what it is: but of flash it knows nothing any more. */
static void on_event(void *ctx, enum lane lane, const char *event)
{
    struct bench *b = ctx;
    if (b->shown != NULL && lane == LANE_POWER && strcmp(event, "cut") == 0)
        for (uint32_t i = 0; i < b->size_bytes; i++)
            b->shown[i] = (uint8_t)(0x5a ^ 29 * i);
}

static void set_up(struct bench *b, const char *text, bool blind, uint64_t cut_op)
{
    struct err err = {.text = ""};
    memset(b, 0, sizeof *b);
    test_tmpdir(b->cache);
    b->run.cache_dir = b->cache;
    b->s = calloc(1, sizeof *b->s);
    b->world = world_new(&err);
    REQUIRE(b->s != NULL && b->world != NULL);
    REQUIRE_OK(scenario_parse(b->s, text, strlen(text), "look", &err), &err);
    b->size_bytes = b->s->device.geometry.size_bytes;
    b->r = (struct sim_run){
        .g = {.s = b->s, .o = &b->run, .store = b->world->store, .build = &b->world->build},
        .power_on_ns = VTIME_NEVER,
        .flash_op = on_op,
        .flash_look = on_look,
        .flash_ctx = b};
    REQUIRE_OK(sim_build_for(b->world, b->s, &b->run, &err), &err);
    REQUIRE_OK(sim_set_up(&b->r, b->world->stacks, &err), &err);
    b->r.g.watch = on_event;
    b->r.g.watch_ctx = b;
    if (blind) {
        b->shown = calloc(b->size_bytes, 1);
        REQUIRE(b->shown != NULL);
        b->r.g.judge->setup.flash = shown_flash;
    }
    if (cut_op > 0)
        b->r.armed[b->r.n_armed++] = (struct armed){
            .op = cut_op, .rule = SCENARIO_RULES_MAX, .tear = TEAR_SCRAMBLED, .off_ns = NS_PER_S};
}

static void tear_down(struct bench *b)
{
    sim_take_down(&b->r);
    world_free(b->world);
    free(b->shown);
    free(b->s);
}

/* The operations of the run; what was found is in b->seen. */
static uint64_t run_it(struct bench *b)
{
    script_start(b->r.g.script, 0);
    (void)script_time(b->r.g.script, 0);
    (void)stage_act(&b->r.g);
    sim_power_on(&b->r);
    CHECK(sim_run_phase(&b->r, b->s->limit_ns, true));
    judge_main_over(b->r.g.judge, b->r.g.now_ns);
    judge_results(b->r.g.judge, &b->seen);
    return nor_op_count(b->r.g.nor);
}

struct look_row {
    const char *name, *device;
    uint32_t image_bytes;
};
static const struct look_row rows[] = {
    {"CMS", "\"check_interval_ms\": 100, \"rounds\": 2", 700},
    {"Link SDK 3.x", "\"agent\": \"iot-ota\", \"rounds\": 2", 6000},
    {"Link SDK 4.x", "\"agent\": \"aiot\", \"rounds\": 2", 6000},
    {"uOTA", "\"agent\": \"uota\", \"rounds\": 2", 24000},
    {"uOTA, position counted twice",
     "\"agent\": \"uota\", \"rounds\": 2, \"quirks\": [\"double-off-bp\"]", 40000},
};

static const char *row_name(const void *row)
{
    return ((const struct look_row *)row)->name;
}

static void says_what_it_looks_at(const void *row)
{
    const struct look_row *c = row;
    char text[1024];
    struct bench sees, blind;
    (void)snprintf(text, sizeof text,
                   "{\"otabench\": 1, \"text\": \"t\", \"device\": {%s}, \"versions\": "
                   "[{\"version\": \"1.0\", \"images\": [{\"generate\": {\"bytes\": %u}}]}, "
                   "{\"version\": \"1.1\"}]}",
                   c->device, c->image_bytes);
    uint64_t ops = 1;
    for (uint64_t cut = 0; cut < ops; cut += CUT_EVERY) {
        set_up(&sees, text, false, cut);
        set_up(&blind, text, true, cut);
        uint64_t did = run_it(&sees);
        CHECK_INT(run_it(&blind), did);
        ops = cut == 0 ? did : ops;
        CHECK(sees.seen.n_checks > 5);
        CHECK_INT(blind.seen.n_checks, sees.seen.n_checks);
        for (uint32_t i = 0; i < sees.seen.n_checks && i < blind.seen.n_checks; i++) {
            CHECK_STR(blind.seen.checks[i].id, sees.seen.checks[i].id);
            CHECK_STR(verdict_name(blind.seen.checks[i].verdict),
                      verdict_name(sees.seen.checks[i].verdict));
            CHECK_STR(blind.seen.checks[i].detail, sees.seen.checks[i].detail);
        }
        tear_down(&sees);
        tear_down(&blind);
    }
}

static const struct test tests[] = {
    TEST_ROWS("says what it looks at", says_what_it_looks_at, rows, row_name),
};

TEST_MAIN("engine judge look", tests)
