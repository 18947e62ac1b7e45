/*
 * First losses, each state once. The undisturbed run is done again on the chip, operation by
 * operation; where a point needs a start of its own, power is switched on there.
 *
 * - A start is left at the first moment that an earlier one stood at, flash and RAM compared
 *   (moments.h): mostly when it has done one piece of work anew.
 * - What a start erases unseen decides nothing (unseen.h). As long as the undisturbed run changes
 *   nothing else, and the tear neither, every further point leads to the same operations and the
 *   same end: its start is not run, its tear not even worked out.
 * - The first steps of a start mostly just look: for the last record, and whether it is true. What
 *   they found is in RAM. If that is the RAM of an earlier start when it had looked, all that this
 *   one erased unseen from there on decides nothing any more; nor does what it programmed over,
 *   as a mark that was cut is programmed once more.
 */
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/first_loss_internal.h"
#include "scenarios/engine/unseen.h"

#define STARTS 16 /* that are looked at for the next points */
#define ALONE  2  /* a start repairs what the cut left and does one piece of work anew */

/* A moment of a start. It is live as long as flash differs from what it was for that start in
 * nothing but what the start erased unseen from there on. */
struct view {
    bool live;
    struct unseen unseen;
};

struct start {
    struct view power_on, looked; /* when it had looked, and nothing else */
    uint8_t *ram;                 /* of the second */
    size_t ram_bytes, ram_cap;
    struct moment_way looked_at;
    struct moment_end whole;
};

struct joined {
    struct first_loss *f;
    struct unseen_watch *watch, *later; /* since power-on; since it has looked */
    struct start starts[STARTS];
    uint32_t next;            /* of them, to be given up */
    struct start now;         /* the one under way */
    const struct start *like; /* it goes on as this one when it had looked; null: not known */
    uint32_t op;              /* that is cut */
    enum nor_tear tear;
    struct nor_snapshot *here; /* flash before the operation; null: nobody left from here */
    bool away;                 /* the chip is somewhere else */
    struct err *err;
};

static void on_op(void *ctx, const struct nor_op *op)
{
    struct joined *j = ctx;
    moments_touch(j->f->moments, op->addr / nor_geo(j->f->device.nor)->erase_bytes);
    if (op->kind == NOR_OP_ERASE) {
        unseen_watch_erase(j->watch, op->addr);
        unseen_watch_erase(j->later, op->addr);
    } else if (nor_geo(j->f->device.nor)->policy == NOR_REWRITE) {
        unseen_watch_program(j->later, op->addr, op->len_bytes, op->data,
                             nor_peek(j->f->device.nor) + op->addr);
    }
}

static void on_look(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    struct joined *j = ctx;
    unseen_watch_look(j->watch, addr, len_bytes);
    unseen_watch_look(j->later, addr, len_bytes);
}

/* Whether what the operation, or what is left of it, does to flash decides nothing. */
static bool is_unseen(const struct joined *j, const struct unseen *u, uint32_t i,
                      enum nor_tear tear)
{
    const struct loss_op *op = &j->f->ops[i];
    if (tear == TEAR_NOTHING)
        return true;
    if (tear == TEAR_DISTURB)
        return unseen_covers(u, op->addr / u->unit_bytes * u->unit_bytes, u->unit_bytes);
    return unseen_covers(u, op->addr, op->len_bytes);
}

static const struct start *known(const struct joined *j, uint32_t i, enum nor_tear tear)
{
    for (int k = 0; k < STARTS; k++)
        if (j->starts[k].power_on.live && is_unseen(j, &j->starts[k].power_on.unseen, i, tear))
            return &j->starts[k];
    return NULL;
}

/* ---- when a start has looked ---- */

/* The same of a tear that is on flash now, also if it is programmed over. */
static bool is_lost(const struct joined *j, const struct unseen *u)
{
    const struct loss_op *op = &j->f->ops[j->op];
    if (is_unseen(j, u, j->op, j->tear))
        return true;
    return op->kind == NOR_OP_PROGRAM && j->tear != TEAR_WEAK && j->tear != TEAR_DISTURB &&
           unseen_merges(u, op->addr, op->len_bytes, nor_peek(j->f->device.nor) + op->addr);
}

static const struct start *looked_like(const struct joined *j)
{
    const struct closure_device *d = &j->f->device;
    for (int k = 0; k < STARTS; k++) {
        const struct start *s = &j->starts[k];
        if (s->looked.live && s->ram_bytes == d->ram_bytes && is_lost(j, &s->looked.unseen) &&
            memcmp(s->ram, d->ram, d->ram_bytes) == 0)
            return s;
    }
    return NULL;
}

/* The device's RAM as that of the start under way; without memory for it, it has none. */
static bool keep_ram(struct joined *j)
{
    const struct closure_device *d = &j->f->device;
    struct start *s = &j->now;
    if (d->ram_bytes > s->ram_cap) {
        free(s->ram);
        s->ram = malloc(d->ram_bytes);
        s->ram_cap = s->ram == NULL ? 0 : d->ram_bytes;
    }
    if (s->ram != NULL)
        memcpy(s->ram, d->ram, d->ram_bytes);
    s->ram_bytes = d->ram_bytes;
    return s->ram != NULL;
}

static bool on_looked(void *ctx, const struct moment_way *at, struct moment_end *whole)
{
    struct joined *j = ctx;
    if (!closure_device_ram(&j->f->device) || !keep_ram(j))
        return false;
    j->now.looked.live = true;
    j->now.looked_at = *at;
    unseen_watch_begin(j->later);
    j->like = looked_like(j);
    if (j->like == NULL)
        return false;
    *whole = j->like->whole;
    if (whole->end == CLOSURE_LIVELOCK)
        return true;
    whole->way.chip_ns += at->chip_ns - j->like->looked_at.chip_ns;
    whole->way.steps += at->steps - j->like->looked_at.steps;
    return true;
}

/* ---- starts ---- */

/* Nothing is, where the start was not begun or erased nothing. */
static bool is_left(const struct joined *j, const struct unseen *u)
{
    return u->count > 0 && is_unseen(j, u, j->op, j->tear);
}

/* For the points to come. */
static void remember(struct joined *j, const struct moment_end *whole)
{
    struct start *now = &j->now, *out = &j->starts[j->next % STARTS];
    now->whole = *whole;
    if (j->like != NULL) {
        now->power_on.unseen = now->looked.unseen = j->like->looked.unseen;
        unseen_add_looks(&now->power_on.unseen, j->watch);
    } else {
        now->power_on.unseen = *unseen_watch_result(j->watch);
        now->looked.unseen = *unseen_watch_result(j->later);
    }
    now->power_on.live = is_left(j, &now->power_on.unseen);
    now->looked.live = now->looked.live && is_left(j, &now->looked.unseen);
    if (!now->power_on.live && !now->looked.live)
        return;
    struct start given_up = *out;
    *out = *now;
    *now = given_up;
    j->next++;
}

/* Runs the start of a point, from where the undisturbed run stands. */
static int run(struct joined *j, uint32_t i, const struct closure_cut *cut,
               struct moment_end *whole)
{
    struct first_loss *f = j->f;
    if (j->here == NULL)
        j->here = nor_save(f->device.nor);
    if (j->here == NULL)
        return ERR_NOMEM;
    if (j->away && nor_restore(f->device.nor, j->here) != 0)
        return ERR_BENCH;
    j->away = true;
    j->op = i;
    j->tear = cut->tear;
    j->like = NULL;
    j->now.looked.live = false;
    int rc = moments_begin(f->moments);
    if (rc == 0 && cut->tear != TEAR_NOTHING && !first_loss_tear(f, i, cut, j->err))
        rc = ERR_BENCH;
    unseen_watch_begin(j->watch);
    if (rc == 0)
        rc = first_loss_go(f, whole, j->err);
    if (rc == 0)
        remember(j, whole);
    return rc;
}

static int point(struct joined *j, uint32_t i, const struct closure_cut *cut)
{
    const struct start *s = known(j, i, cut->tear);
    struct moment_end whole;
    int rc = 0;
    if (s != NULL) {
        j->f->out->unseen++;
        whole = s->whole;
    } else {
        rc = run(j, i, cut, &whole);
    }
    if (rc == 0)
        first_loss_tell(j->f, cut, &whole);
    return rc;
}

/* All points of an operation; then the operation itself. */
static int operation(struct joined *j, uint32_t i)
{
    struct closure_cut cuts[POINTS_MAX];
    uint32_t n = first_loss_points_of(j->f, i, cuts);
    int rc = 0;
    for (uint32_t k = 0; k < n && rc == 0; k++)
        rc = point(j, i, &cuts[k]);
    if (rc == 0 && j->away && nor_restore(j->f->device.nor, j->here) != 0)
        rc = ERR_BENCH;
    nor_snapshot_free(j->here);
    j->here = NULL;
    j->away = false;
    for (int k = 0; k < STARTS; k++) {
        struct view *power_on = &j->starts[k].power_on, *looked = &j->starts[k].looked;
        power_on->live = power_on->live && is_unseen(j, &power_on->unseen, i, TEAR_DONE);
        looked->live = looked->live && is_unseen(j, &looked->unseen, i, TEAR_DONE);
    }
    return rc == 0 && !first_loss_do(j->f, i, j->err) ? ERR_BENCH : rc;
}

int first_joined_run(struct first_loss *f, struct err *err)
{
    const struct nor_geometry *geo = nor_geo(f->device.nor);
    uint32_t units = geo->size_bytes / geo->erase_bytes;
    struct joined *j = calloc(1, sizeof *j);
    if (j == NULL)
        return ERR_NOMEM;
    *j = (struct joined){.f = f,
                         .err = err,
                         .watch = unseen_watch_new(units, geo->erase_bytes),
                         .later = unseen_watch_new(units, geo->erase_bytes)};
    int rc = j->watch == NULL || j->later == NULL ? ERR_NOMEM : 0;
    f->alone = ALONE;
    f->looked = on_looked;
    f->looked_ctx = j;
    f->device.observe = on_op;
    f->device.look = on_look;
    f->device.hook_ctx = j;
    if (rc == 0 && nor_restore(f->device.nor, f->first) != 0)
        rc = ERR_BENCH;
    for (uint32_t i = 0; i < f->op_count && rc == 0; i++)
        rc = operation(j, i);
    f->looked = NULL;
    f->device.observe = NULL;
    f->device.look = NULL;
    unseen_watch_free(j->watch);
    unseen_watch_free(j->later);
    for (int k = 0; k < STARTS; k++)
        free(j->starts[k].ram);
    free(j->now.ram);
    free(j);
    return rc;
}
