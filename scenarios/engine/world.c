/*
 * The simulated world: one thread, virtual time. At every instant the device runs until all its
 * tasks wait, the cloud until it has answered, the link until nothing is due; only then does the
 * clock move to the next deadline. So the order of events is a function of the scenario and the
 * seed alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash_emu/breakpoint.h"
#include "flash_emu/nor_raw.h"
#include "scenarios/engine/closure_device.h"
#include "scenarios/engine/world_internal.h"
#include "sim_device/board/fiber.h"

/* Steps of the main loop at one instant: a device that goes on without letting time pass spins. */
#define SPIN_STEPS 50000u
/* And one that asks the cloud this often will not stop by itself: a large package takes thousands.
 */
#define SPIN_REQUESTS 50000u
/* A device that resets itself this often in a row will do so for ever, and the judge has found
 * fault with fewer: then the phase is over. */
#define RESETS_MAX 100u

/* ---- power ---- */

static void arm_next(struct sim_run *r)
{
    const struct armed *first = NULL;
    for (uint32_t i = 0; i < r->n_armed; i++)
        if (r->armed[i].op > nor_op_count(r->g.nor) &&
            (first == NULL || r->armed[i].op < first->op))
            first = &r->armed[i];
    nor_draw_by_place(r->g.nor, first != NULL && first->by_place);
    if (first != NULL)
        nor_arm_cut(r->g.nor, first->op, first->tear, first->tear_bytes);
    else
        nor_arm_cut(r->g.nor, 0, TEAR_NOTHING, 0);
}

void sim_arm(struct sim_run *r, const struct armed *a)
{
    if (r->n_armed < ARMED_MAX)
        r->armed[r->n_armed++] = *a;
    arm_next(r);
}

void sim_power_on(struct sim_run *r)
{
    r->power_on_ns = VTIME_NEVER;
    r->on = true;
    r->idle = false;
    if (!nor_is_on(r->g.nor))
        nor_power_on(r->g.nor);
    if (r->reading > 0)
        sim_settle(r->g.nor, r->reading - 1u);
    r->reading = 0;
    arm_next(r);
    (void)sim_board_power_on(r->board, r->g.now_ns, device_main, &r->setup);
}

static void went_off(struct sim_run *r, int64_t off_ns)
{
    r->on = false;
    r->idle = false;
    r->resets_in_row = 0;
    bridge_device_gone(&r->bridge);
    r->power_on_ns = vtime_after(r->g.now_ns, off_ns > 0 ? off_ns : NS_PER_MS);
}

/* An armed cut fired inside a flash operation: find which one it was. */
static void armed_cut_fired(struct sim_run *r)
{
    int64_t off_ns = NS_PER_S;
    for (uint32_t i = 0; i < r->n_armed; i++)
        if (r->armed[i].op == nor_op_count(r->g.nor)) {
            off_ns = r->armed[i].off_ns;
            r->reading = r->armed[i].reading;
            script_hit_power(r->g.script, r->armed[i].rule);
            if (r->armed[i].rule == SCENARIO_RULES_MAX)
                stage_cut_happened(&r->g, CUT_FLASH, r->armed[i].op);
            r->armed[i].op = 0;
        }
    went_off(r, off_ns);
}

static void cut_at_once(struct sim_run *r)
{
    static const struct power_rule of_token = {.tear = TEAR_NOTHING, .off_ns = NS_PER_S};
    bool scripted = r->cut_rule < SCENARIO_RULES_MAX;
    const struct power_rule *p = scripted ? &r->g.s->power[r->cut_rule] : &of_token;
    r->g.cut_due = false;
    if (!r->on)
        return; /* power is off already: this cut never happened */
    script_hit_power(r->g.script, r->cut_rule);
    if (!scripted && r->cut_token == NULL)
        stage_cut_happened(&r->g, CUT_MESSAGE, r->cut_message);
    bench_before_cut(nor_op_count(r->g.nor), 0, 0);
    sim_board_power_off(r->board, r->g.now_ns, p->tear, p->tear_bytes);
    if (scripted)
        r->reading = p->reading;
    went_off(r, p->off_ns);
}

/* The token's next cut, when it comes between operations: at that reply, or when idle. */
static bool cut_between(struct sim_run *r, bool idle)
{
    while (r->next_cut < r->g.o->n_cuts && r->g.o->cuts[r->next_cut].kind != CUT_BETWEEN)
        r->next_cut++;
    if (r->next_cut == r->g.o->n_cuts || r->g.cut_due)
        return false;
    const struct run_cut *c = &r->g.o->cuts[r->next_cut];
    if (c->op != nor_op_count(r->g.nor) || c->after != (idle ? RUN_CUT_IDLE : r->replies))
        return false;
    r->g.cut_happened[r->next_cut++] = true;
    r->cut_token = c;
    r->reading = c->reading;
    r->cut_rule = SCENARIO_RULES_MAX;
    r->g.cut_due = true;
    return true;
}

bool sim_is_reply(enum lane lane, const char *event)
{
    static const char *const names[] = {"reply", "heard", "push"};
    for (size_t i = 0; lane == LANE_CLOUD && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(event, names[i]) == 0)
            return true;
    return false;
}

static void watch(void *ctx, enum lane lane, const char *event)
{
    struct sim_run *r = ctx;
    if (lane == LANE_FLASH) {
        r->replies = 0;
    } else if (sim_is_reply(lane, event)) {
        r->replies++;
        (void)cut_between(r, false);
    }
}

void sim_settle(struct nor *n, uint32_t reading)
{
    uint32_t unit_bytes = nor_geo(n)->erase_bytes, units = nor_geo(n)->size_bytes / unit_bytes;
    uint32_t weak = 0, index = 0;
    for (uint32_t u = 0; u < units; u++)
        weak += nor_weak_cells(n, u * unit_bytes, unit_bytes) > 0;
    for (uint32_t u = 0; u < units && index < weak; u++)
        if (nor_weak_cells(n, u * unit_bytes, unit_bytes) > 0)
            nor_raw_settle(n, u, closure_reading(reading, index++));
}

static void script_cut_now(void *ctx, int64_t now_ns, uint32_t rule)
{
    struct sim_run *r = ctx;
    (void)now_ns;
    r->g.cut_due = true;
    r->cut_rule = rule;
    r->cut_message = r->g.n_messages;
    r->cut_token = NULL;
}

static void script_cut_at_op(void *ctx, int64_t now_ns, uint32_t rule, uint64_t op, bool relative)
{
    struct sim_run *r = ctx;
    (void)now_ns;
    const struct power_rule *p = &r->g.s->power[rule];
    struct armed a = {.op = op + (relative ? nor_op_count(r->g.nor) : 0),
                      .rule = rule,
                      .tear = p->tear,
                      .tear_bytes = p->tear_bytes,
                      .off_ns = p->off_ns,
                      .by_place = p->draw_by_place,
                      .reading = p->reading};
    sim_arm(r, &a);
}

static void break_all(void *ctx, unsigned kinds, enum link_action action, int64_t now_ns)
{
    struct sim_run *r = ctx;
    for (size_t i = 0; i < NET_CONNS; i++)
        if (r->bridge.conns[i].number != 0 &&
            (kinds & LINK_ONLY(link_kind_of(r->g.link, r->bridge.conns[i].number))) != 0)
            link_break(r->g.link, r->bridge.conns[i].number, action, now_ns);
}

/* ---- set-up ---- */

int sim_build_for(struct world *w, const struct scenario *s, const struct run_options *o,
                  struct err *err)
{
    if (w->built_for != NULL && memcmp(w->built_for, s, sizeof *s) == 0)
        return 0;
    build_free(&w->build);
    free(w->built_for);
    w->built_for = NULL;
    struct build_options bo = {.cache_dir = o->cache_dir, .firmware_dir = o->firmware_dir};
    int rc = build_make(&w->build, s, &bo, err);
    if (rc != 0)
        return rc;
    w->built_for = malloc(sizeof *s);
    if (w->built_for == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a scenario");
    memcpy(w->built_for, s, sizeof *s);
    return 0;
}

int sim_set_up(struct sim_run *r, struct fiber_stack *stacks, struct err *err)
{
    const struct scenario *s = r->g.s;
    r->g.nor = nor_new(&s->device.geometry, stage_seed(&r->g), err);
    if (r->g.nor == NULL)
        return ERR_NOMEM;
    struct stage_world w = {
        .ctx = r, .cut_now = script_cut_now, .cut_at_op = script_cut_at_op, .break_all = break_all};
    int rc = stage_set_up(&r->g, &w, false, err);
    if (rc != 0)
        return rc;
    r->g.watch = watch;
    r->g.watch_ctx = r;
    r->g.look = r->flash_look;
    r->g.look_ctx = r->flash_ctx;
    rc = bridge_init(&r->bridge, &r->g, err);
    if (rc != 0)
        return rc;
    stage_edge_ready(&r->g);
    struct sim_board_config bc = {.nor = r->g.nor,
                                  .partitions = &s->device.partitions,
                                  .ram_limit_bytes = s->device.ram_bytes,
                                  .connect_timeout_ns = (int64_t)s->device.try_time_ms * NS_PER_MS,
                                  .utc_start_s = STAGE_UTC_START_S,
                                  .seed = stage_seed(&r->g),
                                  .stacks = stacks,
                                  .event = stage_event,
                                  .event_ctx = &r->g,
                                  .flash_op = r->flash_op,
                                  .flash_begun = r->flash_begun,
                                  .flash_look = r->flash_look,
                                  .flash_ctx = r->flash_ctx};
    bridge_net(&r->bridge, &bc.net);
    r->board = sim_board_new(&bc, err);
    if (r->board == NULL)
        return ERR_NOMEM;
    r->bridge.board = r->board;
    r->setup = (struct device_setup){.config = &s->device,
                                     .board = sim_board_board(r->board),
                                     .version_of_flash = stage_version,
                                     .version_ctx = &r->g};
    return 0;
}

void sim_take_down(struct sim_run *r)
{
    bridge_close_all(&r->bridge);
    sim_board_free(r->board);
    stage_free(&r->g);
    nor_free(r->g.nor);
}

/* ---- the loop ---- */

/* Lets the device run at this instant. True when its power state changed and the instant must be
 * looked at again. */
static bool run_device(struct sim_run *r, int64_t *next_ns)
{
    if (r->g.cut_due)
        cut_at_once(r);
    if (!r->on || r->idle)
        return false;
    enum sim_state st = sim_board_run(r->board, r->g.now_ns, next_ns);
    switch (st) {
    case SIM_CUT:
        r->g.cut_due = false;
        armed_cut_fired(r);
        r->was_cut = r->stop_at_cut;
        return true;
    case SIM_RESET:
        bridge_device_gone(&r->bridge);
        if (r->stop_at_reset) {
            r->was_reset = r->idle = true;
            break;
        }
        r->resets_in_row++;
        sim_power_on(r);
        return true;
    case SIM_IDLE:
        bridge_device_gone(&r->bridge);
        r->idle = true;
        break;
    case SIM_WAITING:
    case SIM_OFF:
        break;
    }
    return r->g.cut_due;
}

/* Runs until the device is idle and nothing scripted is left, or `until`. False when it spins. */
bool sim_run_phase(struct sim_run *r, int64_t until_ns, bool scripted)
{
    for (uint32_t step = 0; step < SPIN_STEPS; step++) {
        int64_t next = VTIME_NEVER;
        if (run_device(r, &next)) {
            if (r->was_cut)
                return true;
            continue;
        }
        bool moved = bridge_pump(&r->bridge);
        moved = stage_act(&r->g) || moved;
        stage_collect(&r->g);
        if (cloud_requests(r->g.cloud, RQ_ANY) > SPIN_REQUESTS)
            return false;
        if (r->resets_in_row > RESETS_MAX) {
            r->resets_in_row = 0;
            return scripted; /* a healed device must not; another has been given its time */
        }
        if (moved || r->g.cut_due)
            continue;
        int64_t script = scripted ? script_next(r->g.script) : VTIME_NEVER;
        if (r->idle && r->power_on_ns == VTIME_NEVER && script == VTIME_NEVER) {
            if (!scripted || !cut_between(r, true))
                return true;
            continue;
        }
        int64_t t =
            vtime_min(vtime_min(next, bridge_next(&r->bridge)), vtime_min(script, r->power_on_ns));
        if (!r->idle || r->power_on_ns != VTIME_NEVER || script != VTIME_NEVER)
            t = vtime_min(t, stage_next(&r->g));
        if (t == VTIME_NEVER || t > until_ns) {
            r->g.now_ns = until_ns;
            return true;
        }
        if (t > r->g.now_ns) {
            r->g.now_ns = t;
            step = 0;
        }
        if (scripted)
            (void)script_time(r->g.script, r->g.now_ns);
        if (r->power_on_ns <= r->g.now_ns)
            sim_power_on(r);
    }
    return false;
}

/*
 * Everything is healed and a known-good update offered: a device that lives must install it. It is
 * switched off and on as a user would, at most HEAL_STARTS times.
 */
int sim_heal(struct sim_run *r, bool *healed, struct err *err)
{
    *healed = false;
    r->n_armed = 0;
    r->g.cut_due = false;
    nor_arm_cut(r->g.nor, 0, TEAR_NOTHING, 0);
    r->healed = r->g.s->device;
    stage_heal_device(&r->healed);
    r->setup.config = &r->healed;
    int rc = stage_heal(&r->g, err);
    int64_t until = vtime_after(r->g.now_ns, HEAL_LIMIT_NS);
    for (int i = 0; rc == 0 && i < HEAL_STARTS && r->g.now_ns < until && !*healed; i++) {
        if (r->on)
            sim_board_power_off(r->board, r->g.now_ns, TEAR_NOTHING, 0);
        bridge_device_gone(&r->bridge);
        char before[DEVICE_TEXT_MAX];
        (void)snprintf(before, sizeof before, "%s", stage_version(&r->g));
        TRACE(r->g.trace, r->g.now_ns, LANE_BENCH, "heal", F_INT("start", i + 1));
        r->g.now_ns = vtime_after(r->g.now_ns, NS_PER_S);
        sim_power_on(r);
        if (!sim_run_phase(r, until, false))
            break; /* spins: not healed, the judge says so */
        *healed = stage_healed(&r->g);
        if (!*healed)
            rc = stage_heal_again(&r->g, before, err);
    }
    return rc;
}

/* False when the device spins. */
static bool run_main(struct sim_run *r)
{
    struct stage *g = &r->g;
    TRACE(g->trace, 0, LANE_BENCH, "scenario", F_STR("name", g->s->name),
          F_INT("seed", stage_seed(g)));
    script_start(g->script, 0);
    (void)script_time(g->script, 0);
    g->counts_messages = true;
    stage_arm_cuts(g);
    for (uint32_t i = 0; i < g->o->n_cuts; i++) {
        const struct run_cut *c = &g->o->cuts[i];
        struct armed a = {.op = c->op,
                          .rule = SCENARIO_RULES_MAX,
                          .tear = c->tear,
                          .tear_bytes = c->arg,
                          .off_ns = NS_PER_S,
                          .by_place = c->by_place,
                          .reading = c->reading};
        if (c->kind == CUT_FLASH)
            sim_arm(r, &a);
    }
    sim_power_on(r);
    return sim_run_phase(r, g->s->limit_ns, true);
}

static int save_flash(const struct stage *g, struct err *err)
{
    if (g->o->flash_out == NULL)
        return 0;
    return nor_export(g->nor, g->o->flash_out, err);
}

void world_run(struct world *w, const struct scenario *s, const struct run_options *o,
               struct run_result *out)
{
    struct sim_run r = {.g = {.s = s, .o = o, .store = w->store, .build = &w->build},
                        .power_on_ns = VTIME_NEVER};
    struct err err = {.text = ""};
    char missed[160] = "";
    stage_begin(&r.g, RUN_SIM, out);
    int rc = sim_build_for(w, s, o, &err);
    if (rc == ERR_UNSUPPORTED) {
        stage_not_applicable(&err, out);
        return;
    }
    if (rc == 0)
        rc = sim_set_up(&r, w->stacks, &err);
    bool spins = rc == 0 && !run_main(&r);
    if (spins)
        judge_spins(r.g.judge);
    if (rc == 0) {
        stage_main_over(&r.g, out, missed, sizeof missed);
        rc = save_flash(&r.g, &err);
    }
    bool healed = false;
    if (rc == 0 && !spins && !s->expect.config_refused) {
        rc = sim_heal(&r, &healed, &err);
        if (rc == 0)
            (void)cloud_tick(r.g.cloud, vtime_after(r.g.now_ns, 3600 * NS_PER_S));
    }
    if (rc == 0)
        judge_heal_over(r.g.judge, r.g.now_ns, healed,
                        spins ? "the device repeats itself without time passing"
                              : "the known-good update is not running");
    if (rc == 0 && nor_fault(r.g.nor) != NULL)
        rc = err_set(&err, ERR_BENCH, "flash was used while off: %s", nor_fault(r.g.nor));
    stage_conclude(&r.g, rc, &err, missed, out);
    sim_take_down(&r);
}

struct world *world_new(struct err *err)
{
    struct world *w = calloc(1, sizeof *w);
    if (w == NULL) {
        (void)err_set(err, ERR_NOMEM, "no memory for a world");
        return NULL;
    }
    w->store = store_open(NULL, err);
    if (w->store == NULL) {
        world_free(w);
        return NULL;
    }
    return w;
}

void world_free(struct world *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < BOARD_TASKS; i++)
        fiber_stack_free(&w->stacks[i]);
    build_free(&w->build);
    free(w->built_for);
    store_close(w->store);
    free(w);
}
