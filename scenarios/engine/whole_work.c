/*
 * A worker: one world, kept, that is put into the state of a node, switched on and watched until
 * the device idles or resets itself. It only reads the graph and writes a log.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "flash_emu/nor_raw.h"
#include "scenarios/engine/judge_internal.h"
#include "scenarios/engine/stage_memory.h"
#include "scenarios/engine/whole_worker.h"

/* ---- putting the world into a state ---- */

/* The first content of each set of the task, weak cells as read. chip_unit may be null. */
static void put_contents(struct whole_worker *k, struct nor *chip, uint32_t *chip_unit,
                         uint32_t base)
{
    const struct closure *c = k->w->flash;
    closure_get_base(c, base, &k->tree);
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        const struct element *e = sets_first(&c->sets, k->tree.unit[u]);
        if (chip_unit == NULL || chip_unit[u] != e->content)
            closure_put_unit(c, chip, u, e->content);
        if (e->reading != 0)
            nor_raw_settle(chip, u, (enum tear_reading)(e->reading - 1));
        if (chip_unit != NULL)
            chip_unit[u] = e->reading != 0 ? POOL_NONE : e->content;
    }
}

static void put_flash(struct whole_worker *k, struct nor *chip, uint32_t *chip_unit, uint32_t base)
{
    put_contents(k, chip, chip_unit, base);
    nor_raw_set_op_count(chip, 0);
}

void worker_put_flash(struct whole_worker *k, uint32_t base)
{
    put_contents(k, k->r->g.nor, k->r == &k->main_run ? k->chip_unit : NULL, base);
}

/* The judge last: what lasts is told to it again. */
static int put_memories(struct whole_worker *k, struct sim_run *r, const struct whole_key *key,
                        const struct judge_severity *severity, bool with_faults)
{
    const uint8_t *cloud = pool_at(&k->w->clouds, key->cloud);
    struct judge_memory m;
    int rc = whole_recall(&r->g, cloud + sizeof(uint32_t), get_le32(cloud), with_faults, &k->err);
    memcpy(&m, pool_at(&k->w->judges, key->judge), sizeof m);
    m.severity = *severity;
    judge_recall(r->g.judge, &m, 0);
    return rc;
}

static int fresh_network(struct sim_run *r, struct err *err)
{
    link_free(r->g.link);
    r->g.link = link_new(&r->g.s->profile, stage_seed(&r->g));
    return r->g.link == NULL ? err_set(err, ERR_NOMEM, "closure: no memory for a network") : 0;
}

static int set_up(struct whole_worker *k, struct sim_run *r, struct world *world)
{
    const struct whole *w = k->w;
    *r = (struct sim_run){
        .g = {.s = w->s, .o = &k->run, .store = world->store, .build = &world->build},
        .power_on_ns = VTIME_NEVER,
        .stop_at_reset = true,
        .flash_op = worker_on_op,
        .flash_begun = worker_on_begun,
        .flash_look = worker_on_device_look,
        .flash_ctx = k};
    int rc = sim_build_for(world, w->s, &w->run, &k->err);
    if (rc == 0)
        rc = sim_set_up(r, world->stacks, &k->err);
    if (rc != 0)
        return rc;
    trace_free(r->g.trace);
    r->g.trace = NULL;          /* nobody reads it, and it costs a digest of every event */
    r->g.look = worker_on_look; /* the judge's */
    r->g.look_ctx = k;
    r->g.watch = worker_on_event;
    r->g.watch_ctx = k;
    if (w->has_moments) {
        sim_board_board(r->board)->moment = worker_on_moment;
        sim_board_board(r->board)->moment_ctx = k;
    }
    return whole_start_script(&r->g, &k->err);
}

/* ---- tasks ---- */

/* Bytes of its own for each unit of which the task says that it may hold anything. */
static void put_anything(struct whole_worker *k, struct nor *chip)
{
    const struct closure *c = k->w->flash;
    uint32_t bytes = c->states.shape.page_bytes, unit_bytes = c->states.shape.erase_bytes;
    struct rng rng;
    uint8_t page[4096];
    rng_init(&rng, stage_seed(&k->r->g), "closure", "any",
             whole_audit_at(k->w, k->task->audit)->draw);
    for (uint32_t u = 0; u < c->states.shape.units && bytes <= sizeof page; u++)
        for (uint32_t at = 0; at < unit_bytes && k->tree.unit[u] == k->w->any; at += bytes) {
            rng_fill(&rng, page, bytes);
            nor_raw_put(chip, u * unit_bytes + at, bytes, page, NULL);
        }
}

/* The state of a task, and power. */
static void begin(struct whole_worker *k, struct sim_run *r, const struct whole_task *t)
{
    k->rc = worker_find_legs(k, t);
    if (k->rc != 0)
        return;
    const struct whole_node *n = whole_node_at(k->w, k->legs[0].node);
    k->task = t;
    k->leg = k->lost_before = 0;
    k->stopped = false;
    k->log = NULL; /* until the node of the task is reached */
    r->g.now_ns = 0;
    r->was_reset = r->g.cut_due = false;
    sim_board_rewind(r->board, 0);
    r->g.n_link_rules = 0;
    memset(r->g.rule_reported, 0, sizeof r->g.rule_reported);
    k->rc = fresh_network(r, &k->err);
    if (k->rc == 0)
        k->rc = put_memories(k, r, &n->key, &n->severity, true);
    if (k->rc != 0)
        return;
    put_flash(k, r->g.nor, r == &k->main_run ? k->chip_unit : NULL, k->legs[0].base);
    if (k->auditing)
        put_anything(k, r->g.nor);
    worker_begin_leg(k);
    sim_power_on(r);
}

/* Until it idles, resets itself or is cut. */
static void run_to_end(struct whole_worker *k, struct sim_run *r)
{
    struct log_end end = {.how = WHOLE_IDLED};
    bool spins = !sim_run_phase(r, r->g.s->limit_ns, true);
    if (spins)
        judge_spins(r->g.judge);
    if (k->stopped)
        return;
    if (k->leg + 1 < k->n_legs)
        k->rc = err_set(&k->err, ERR_BENCH, "closure: the way to a moment ends before it");
    end.ns = r->g.now_ns - k->began_ns;
    end.how = r->was_cut ? WHOLE_LOST : r->was_reset ? WHOLE_RESET : WHOLE_IDLED;
    end.replies = k->replies;
    end.connections = worker_connections(k);
    worker_tell_borders(k);
    if (k->has_faults || r->was_cut)
        (void)worker_note_cloud(k, r->was_cut, r->was_cut ? WHOLE_OFF : WHOLE_CUT);
    end.cloud = end.cloud_cut = k->clouds - 1;
    if (k->has_faults && !r->was_cut) {
        (void)worker_note_cloud(k, false, r->was_reset ? WHOLE_AS_IT_IS : WHOLE_NO_FAULTS);
        end.cloud = k->clouds - 1;
    }
    if (!r->was_cut)
        end.judge_cut = worker_note_cut(k);
    judge_remember(r->g.judge, r->g.now_ns, &k->now);
    if (r->was_cut)
        judge_remember_off(r->g.judge, &k->now);
    end.judge = worker_note_judge(k);
    if (r->was_cut)
        end.judge_cut = end.judge;
    if (end.how == WHOLE_IDLED)
        (void)snprintf(end.version, sizeof end.version, "%s", stage_version(&r->g));
    worker_note_failed(r->g.judge, &end);
    if (spins && end.n_ids == 0) {
        end.n_ids = 1;
        (void)snprintf(end.ids[0], sizeof end.ids[0], "BOT-01");
        (void)snprintf(end.detail, sizeof end.detail,
                       "the device repeats itself without time passing");
    }
    if (k->auditing && k->leg + 1 == k->n_legs)
        worker_put_units(k);
    worker_put(k, TAG_END, &end, sizeof end);
}

static void start(struct whole_worker *k, const struct whole_task *t)
{
    struct sim_run *r = &k->main_run;
    begin(k, r, t);
    if (k->rc != 0)
        return;
    run_to_end(k, r);
    k->log = NULL;
    sim_board_power_off(r->board, r->g.now_ns, TEAR_NOTHING, 0);
    bridge_device_gone(&r->bridge);
    nor_power_on(r->g.nor);
    if (nor_fault(r->g.nor) != NULL)
        k->rc = err_set(&k->err, ERR_BENCH, "flash was used while off: %s", nor_fault(r->g.nor));
}

/* ---- audits ---- */

/* Nothing that a start relies on may lie there. */
static void poison_stack(void)
{
    volatile uint8_t below[16384];
    for (size_t i = 0; i < sizeof below; i++)
        below[i] = 0xA5;
}

static void audit_run(struct whole_worker *k, struct sim_run *r, const struct whole_task *t)
{
    poison_stack();
    begin(k, r, t);
    if (k->rc == 0)
        run_to_end(k, r);
}

/* In a world that nobody has used; *mark is true meanwhile. */
static void run_apart(struct whole_worker *k, const struct whole_task *t, bool *mark,
                      void (*run)(struct whole_worker *k, struct sim_run *r,
                                  const struct whole_task *t))
{
    struct sim_run *r = calloc(1, sizeof *r);
    struct buf *log = k->log;
    k->log = NULL; /* until it is set up */
    *mark = true;
    k->r = r;
    if (r == NULL)
        k->rc = err_set(&k->err, ERR_NOMEM, "closure: no memory");
    if (k->rc == 0)
        k->rc = set_up(k, r, k->heal);
    k->log = log;
    if (k->rc == 0)
        run(k, r, t);
    k->log = NULL;
    if (r != NULL)
        sim_take_down(r);
    free(r);
    *mark = false;
}

/* ---- heal phases ---- */

static int heal_run(struct whole_worker *k, struct sim_run *r, const struct whole_end *e,
                    uint32_t base, struct log_end *end)
{
    bool healed = false;
    put_flash(k, r->g.nor, NULL, base);
    int rc = put_memories(k, r, &e->key, &e->severity, false);
    judge_main_over(r->g.judge, 0);
    r->g.broker = BROKER_STAYS;
    r->on = r->idle = true;
    r->stop_at_reset = false;
    r->reading = 1 + whole_reading(k->w, k->tree.unit);
    if (rc == 0)
        rc = sim_heal(r, &healed, &k->err);
    if (rc != 0)
        return rc;
    (void)cloud_tick(r->g.cloud, vtime_after(r->g.now_ns, 3600 * NS_PER_S));
    judge_heal_over(r->g.judge, r->g.now_ns, healed, "the known-good update is not running");
    worker_note_failed(r->g.judge, end);
    end->ns = r->g.now_ns;
    return 0;
}

static void heal(struct whole_worker *k, struct sim_run *r, const struct whole_task *t)
{
    struct log_end end = {.how = WHOLE_HEALED};
    k->rc = heal_run(k, r, whole_end_at(k->w, t->of.end), t->base, &end);
    worker_put(k, TAG_END, &end, sizeof end);
}

int whole_work(struct whole_worker *k, uint32_t task, struct buf *log, struct err *err)
{
    const struct whole_task *t = whole_task_at(k->w, task);
    k->log = k->log_of_task = log;
    k->clouds = k->judges = k->replies = 0;
    k->begun.len_bytes = 0;
    k->rc = 0;
    k->runs++;
    k->booting = t->of.end == NONE && t->chain != NONE;
    k->r = &k->main_run;
    if (!k->ready) {
        k->log = NULL;
        k->rc = set_up(k, &k->main_run, k->main);
        k->ready = true;
        k->log = log;
    }
    if (k->rc == 0 && t->of.end == NONE && t->audit != NONE)
        run_apart(k, t, &k->auditing, audit_run);
    else if (k->rc == 0 && t->of.end == NONE)
        start(k, t);
    else if (k->rc == 0)
        run_apart(k, t, &k->healing, heal);
    k->log = NULL;
    if (k->rc != 0 && err != NULL)
        *err = k->err;
    return k->rc;
}

/* ---- birth and death ---- */

struct whole_worker *whole_worker_new(const struct whole *w, struct err *err)
{
    struct whole_worker *k = calloc(1, sizeof *k);
    uint32_t units = w->flash->states.shape.units;
    bool good = k != NULL;
    if (good) {
        k->w = w;
        buf_init(&k->memory, CLOUD_MEMORY_MAX - sizeof(uint32_t));
        buf_init(&k->last, CLOUD_MEMORY_MAX);
        buf_init(&k->cloud, CLOUD_MEMORY_MAX);
        k->has_faults = stage_has_faults(w->s);
        k->offers_late = script_offers_late(w->s);
        k->run = w->run;
        k->borders.over = true;
        if (w->options.losses > 0)
            k->run.probe = run_log_probe(&k->borders);
        struct judge_setup none = {.scenario = w->s};
        k->main = world_new(err);
        k->heal = world_new(err);
        k->scratch = judge_new(&none);
        k->chip_unit = malloc(units * sizeof *k->chip_unit);
        k->touched = calloc(units, sizeof *k->touched);
        k->seen = calloc(w->s->device.geometry.size_bytes, 1);
        k->seen_in = calloc((size_t)units * w->flash->states.unit_pages, sizeof *k->seen_in);
        k->all_seen = calloc((size_t)units * w->flash->states.unit_pages, sizeof *k->all_seen);
        good = k->touched != NULL && k->seen != NULL && k->seen_in != NULL && k->all_seen != NULL &&
               k->main != NULL && k->heal != NULL && k->scratch != NULL && k->chip_unit != NULL &&
               states_tree_init(&w->flash->states, &k->tree) == 0;
    }
    if (!good) {
        (void)err_set(err, ERR_NOMEM, "closure: no memory for a worker");
        whole_worker_free(k);
        return NULL;
    }
    memset(k->chip_unit, 0xff, units * sizeof *k->chip_unit);
    return k;
}

void whole_worker_free(struct whole_worker *k)
{
    if (k == NULL)
        return;
    k->log = NULL;
    k->r = &k->main_run;
    if (k->ready)
        sim_take_down(&k->main_run);
    world_free(k->main);
    world_free(k->heal);
    judge_free(k->scratch);
    states_tree_free(&k->tree);
    free(k->chip_unit);
    free(k->touched);
    free(k->legs);
    free(k->seen);
    free(k->seen_in);
    free(k->all_seen);
    buf_free(&k->memory);
    buf_free(&k->last);
    buf_free(&k->cloud);
    run_log_free(&k->borders);
    free(k);
}
