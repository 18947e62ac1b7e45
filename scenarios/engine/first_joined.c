/*
 * First losses, each state once. The undisturbed run is done again on the chip, operation by
 * operation; where a point needs a start of its own, power is switched on there.
 *
 * - A start is left at the first moment that an earlier one stood at, flash and RAM compared
 *   (moments.h): mostly when it has done one piece of work anew.
 * - What a start erases unseen decides nothing (unseen.h). As long as the undisturbed run changes
 *   nothing else, and the tear neither, every further point leads to the same operations and the
 *   same end: its start is not run, its tear not even worked out.
 */
#include "scenarios/engine/first_loss_internal.h"
#include "scenarios/engine/unseen.h"

#define STARTS 8 /* that are looked at for the next points */
#define ALONE  2 /* a start repairs what the cut left and does one piece of work anew */

/* A start, as long as flash differs from what it found in nothing but what it erased unseen. */
struct start {
    bool live;
    struct unseen unseen;
    struct first_loss_end end;
};

struct joined {
    struct first_loss *f;
    struct unseen_watch *watch;
    struct start starts[STARTS];
    uint32_t next;             /* of them, to be given up */
    struct nor_snapshot *here; /* flash before the operation; null: nobody left from here */
    bool away;                 /* the chip is somewhere else */
    struct err *err;
};

static void on_op(void *ctx, const struct nor_op *op)
{
    struct joined *j = ctx;
    moments_touch(j->f->moments, op->addr / nor_geo(j->f->device.nor)->erase_bytes);
    if (op->kind == NOR_OP_ERASE)
        unseen_watch_erase(j->watch, op->addr);
}

static void on_look(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    unseen_watch_look(((struct joined *)ctx)->watch, addr, len_bytes);
}

/* Whether what the operation, or what is left of it, does to flash decides nothing for that start.
 */
static bool is_unseen(const struct joined *j, const struct start *s, uint32_t i, enum nor_tear tear)
{
    const struct loss_op *op = &j->f->ops[i];
    uint32_t bytes = s->unseen.unit_bytes;
    if (tear == TEAR_NOTHING)
        return true;
    if (tear == TEAR_DISTURB)
        return unseen_covers(&s->unseen, op->addr / bytes * bytes, bytes);
    return unseen_covers(&s->unseen, op->addr, op->len_bytes);
}

static const struct start *known(const struct joined *j, uint32_t i, enum nor_tear tear)
{
    for (int k = 0; k < STARTS; k++)
        if (j->starts[k].live && is_unseen(j, &j->starts[k], i, tear))
            return &j->starts[k];
    return NULL;
}

static void remember(struct joined *j, uint32_t i, enum nor_tear tear,
                     const struct first_loss_end *end)
{
    const struct start s = {.live = true, .unseen = *unseen_watch_result(j->watch), .end = *end};
    if (is_unseen(j, &s, i, tear))
        j->starts[j->next++ % STARTS] = s;
}

/* Runs the start of a point, from where the undisturbed run stands. */
static int run(struct joined *j, uint32_t i, const struct closure_cut *cut,
               struct first_loss_end *end)
{
    struct first_loss *f = j->f;
    struct moment_end whole;
    if (j->here == NULL)
        j->here = nor_save(f->device.nor);
    if (j->here == NULL)
        return ERR_NOMEM;
    if (j->away && nor_restore(f->device.nor, j->here) != 0)
        return ERR_BENCH;
    j->away = true;
    int rc = moments_begin(f->moments);
    if (rc == 0 && cut->tear != TEAR_NOTHING && !first_loss_tear(f, i, cut, j->err))
        rc = ERR_BENCH;
    unseen_watch_begin(j->watch);
    if (rc == 0)
        rc = first_loss_go(f, &whole, j->err);
    if (rc != 0)
        return rc;
    *end = (struct first_loss_end){
        .end = whole.end, .ops = whole.way.ops, .chip_ns = whole.way.chip_ns};
    remember(j, i, cut->tear, end);
    return 0;
}

static int point(struct joined *j, uint32_t i, const struct closure_cut *cut)
{
    const struct start *s = known(j, i, cut->tear);
    struct first_loss_end end;
    if (s != NULL) {
        j->f->out->unseen++;
        first_loss_tell(j->f, cut, &s->end);
        return 0;
    }
    int rc = run(j, i, cut, &end);
    if (rc == 0)
        first_loss_tell(j->f, cut, &end);
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
    for (int k = 0; k < STARTS; k++)
        j->starts[k].live = j->starts[k].live && is_unseen(j, &j->starts[k], i, TEAR_DONE);
    return rc == 0 && !first_loss_do(j->f, i, j->err) ? ERR_BENCH : rc;
}

int first_joined_run(struct first_loss *f, struct err *err)
{
    const struct nor_geometry *geo = nor_geo(f->device.nor);
    struct joined j = {.f = f,
                       .err = err,
                       .watch =
                           unseen_watch_new(geo->size_bytes / geo->erase_bytes, geo->erase_bytes)};
    int rc = j.watch == NULL ? ERR_NOMEM : 0;
    f->alone = ALONE;
    f->device.observe = on_op;
    f->device.look = on_look;
    f->device.hook_ctx = &j;
    if (rc == 0 && nor_restore(f->device.nor, f->first) != 0)
        rc = ERR_BENCH;
    for (uint32_t i = 0; i < f->op_count && rc == 0; i++)
        rc = operation(&j, i);
    f->device.observe = NULL;
    f->device.look = NULL;
    unseen_watch_free(j.watch);
    return rc;
}
