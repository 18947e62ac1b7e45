#include "scenarios/engine/first_loss.h"

#include <stdlib.h>
#include <string.h>

#include "flash_emu/nor_raw.h"
#include "scenarios/engine/first_loss_internal.h"

#define OPS_MAX  (1u << 20)
#define DATA_MAX ((size_t)1 << 28)

/* ---- the undisturbed run ---- */

static bool put_data(struct first_loss *f, const uint8_t *data, uint32_t len_bytes)
{
    if (f->data_bytes + len_bytes > f->data_cap) {
        size_t cap = f->data_cap == 0 ? 1u << 16 : 2 * f->data_cap;
        uint8_t *bigger = cap > DATA_MAX ? NULL : realloc(f->data, cap);
        if (bigger == NULL)
            return false;
        f->data = bigger;
        f->data_cap = cap;
    }
    memcpy(f->data + f->data_bytes, data, len_bytes);
    f->data_bytes += len_bytes;
    return true;
}

/* Room for the next operation, and what flash is like before it. */
static void expect_op(struct first_loss *f)
{
    bool is_point = f->op_count % f->options.stride == 0;
    if (f->op_count == f->op_cap) {
        uint32_t cap = f->op_cap == 0 ? 256 : 2 * f->op_cap;
        struct loss_op *ops = cap > OPS_MAX ? NULL : realloc(f->ops, cap * sizeof *ops);
        if (ops == NULL) {
            f->failed = true;
            return;
        }
        f->ops = ops;
        f->op_cap = cap;
    }
    struct loss_op *op = &f->ops[f->op_count];
    *op = (struct loss_op){.data = f->data_bytes};
    if (f->options.way == FIRST_LOSS_SAVED && is_point) {
        op->saved = nor_save(f->device.nor);
        f->failed = f->failed || op->saved == NULL;
    }
}

static void on_op(void *ctx, const struct nor_op *did)
{
    struct first_loss *f = ctx;
    if (f->failed)
        return;
    struct loss_op *op = &f->ops[f->op_count];
    op->kind = did->kind;
    op->addr = did->addr;
    op->len_bytes = did->len_bytes;
    if (did->data != NULL && !put_data(f, did->data, did->len_bytes)) {
        f->failed = true;
        return;
    }
    if (f->moments != NULL)
        moments_touch(f->moments, did->addr / nor_geo(f->device.nor)->erase_bytes);
    f->op_count++;
    expect_op(f);
}

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "first loss: no memory");
}

static int record(struct first_loss *f, struct err *err)
{
    struct first_loss_result r = {0};
    struct moment_end whole;
    f->out = &r;
    f->device.observe = on_op;
    f->device.hook_ctx = f;
    expect_op(f);
    int rc = f->moments == NULL ? 0 : moments_begin(f->moments);
    if (rc == 0 && !f->failed)
        rc = first_loss_go(f, &whole, err);
    f->device.observe = NULL;
    if (f->op_count < f->op_cap) { /* behind the last operation */
        nor_snapshot_free(f->ops[f->op_count].saved);
        f->ops[f->op_count].saved = NULL;
    }
    if (f->failed || rc == ERR_NOMEM)
        return no_memory(err);
    if (rc == 0 && whole.end != CLOSURE_NEW)
        rc = err_set(err, ERR_BENCH, "first loss: without a cut, %s", closure_end_text(whole.end));
    return rc;
}

/* ---- life ---- */

static int check(const struct nor *pending, const struct first_loss_options *o, struct err *err)
{
    if (o->tears & ~CLOSURE_TEARS_KNOWN)
        return err_set(err, ERR_ARG,
                       "first loss: a tear that does not follow from operation and content");
    if (nor_weak_cells(pending, 0, nor_geo(pending)->size_bytes) > 0)
        return err_set(err, ERR_ARG, "first loss: flash has weak cells to begin with");
    return 0;
}

static int open(struct first_loss *f, const struct closure_subject *s, const struct nor *pending,
                struct err *err)
{
    int rc = closure_device_open(&f->device, s, f->options.seed, err);
    if (rc != 0)
        return rc;
    f->first = nor_save(pending);
    if (f->first == NULL || flash_digests_open(&f->digests, &f->device, f->options.memoise) != 0)
        return no_memory(err);
    if (nor_restore(f->device.nor, f->first) != 0)
        return err_set(err, ERR_ARG, "first loss: a chip of another kind");
    if (f->options.way == FIRST_LOSS_JOINED) {
        f->moments = moments_new(&f->device);
        if (f->moments == NULL)
            return no_memory(err);
    }
    rc = record(f, err);
    return rc == 0 && nor_restore(f->device.nor, f->first) != 0 ? ERR_BENCH : rc;
}

struct first_loss *first_loss_new(const struct closure_subject *s, const struct nor *pending,
                                  const struct first_loss_options *o, struct err *err)
{
    if (check(pending, o, err) != 0)
        return NULL;
    struct first_loss *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    f->options = *o;
    f->options.stride = o->stride == 0 ? 1 : o->stride;
    f->options.tears = o->tears == 0 ? 1u << TEAR_NOTHING : o->tears;
    if (open(f, s, pending, err) != 0) {
        first_loss_free(f);
        return NULL;
    }
    return f;
}

void first_loss_free(struct first_loss *f)
{
    if (f == NULL)
        return;
    for (uint32_t i = 0; i < f->op_count; i++)
        nor_snapshot_free(f->ops[i].saved);
    moments_free(f->moments);
    flash_digests_close(&f->digests);
    nor_snapshot_free(f->first);
    closure_device_close(&f->device);
    free(f->ops);
    free(f->data);
    free(f);
}

uint32_t first_loss_ops(const struct first_loss *f)
{
    return f->op_count;
}

/* ---- points ---- */

uint32_t first_loss_points_of(const struct first_loss *f, uint32_t i,
                              struct closure_cut out[POINTS_MAX])
{
    const struct variants_of of = {.geometry = nor_geo(f->device.nor), .tears = f->options.tears};
    const struct loss_op *op = &f->ops[i];
    struct tear_variant v[VARIANTS_MAX];
    uint32_t n = 0, count;
    if (i % f->options.stride != 0)
        return 0;
    count = tear_variants(&of, op->kind, op->addr, op->len_bytes, v);
    for (uint32_t k = 0; k < count; k++)
        for (uint32_t r = 0; r < (v[k].tear == TEAR_WEAK ? closure_readings(1) : 1); r++)
            out[n++] = (struct closure_cut){.op = i + 1,
                                            .reading = r,
                                            .kind = op->kind,
                                            .tear = v[k].tear,
                                            .arg = v[k].arg,
                                            .addr = op->addr,
                                            .len_bytes = op->len_bytes};
    return n;
}

static int apply(struct first_loss *f, const struct loss_op *op)
{
    struct nor *chip = f->device.nor;
    nor_set_hooks(chip, NULL);
    if (f->moments != NULL)
        moments_touch(f->moments, op->addr / nor_geo(chip)->erase_bytes);
    return op->kind == NOR_OP_PROGRAM
               ? nor_program(chip, op->addr, f->data + op->data, op->len_bytes)
               : nor_erase(chip, op->addr, op->len_bytes);
}

static bool refused(const struct loss_op *op, struct err *err)
{
    (void)err_set(err, ERR_BENCH, "first loss: the chip refuses an operation at 0x%x", op->addr);
    return false;
}

bool first_loss_do(struct first_loss *f, uint32_t i, struct err *err)
{
    return apply(f, &f->ops[i]) == 0 || refused(&f->ops[i], err);
}

bool first_loss_tear(struct first_loss *f, uint32_t i, const struct closure_cut *cut,
                     struct err *err)
{
    struct nor *chip = f->device.nor;
    uint64_t number = closure_draw(cut->kind, cut->addr);
    nor_raw_set_op_count(chip, number - 1);
    nor_arm_cut(chip, number, cut->tear, cut->arg);
    (void)apply(f, &f->ops[i]);
    if (nor_is_on(chip))
        return refused(&f->ops[i], err);
    nor_power_on(chip);
    if (cut->tear == TEAR_WEAK)
        nor_raw_settle(chip, cut->addr / nor_geo(chip)->erase_bytes,
                       closure_reading(cut->reading, 0));
    return true;
}

void first_loss_tell(struct first_loss *f, const struct closure_cut *cut,
                     const struct moment_end *whole)
{
    const struct first_loss_end end = {
        .end = whole->end, .ops = whole->way.ops, .chip_ns = whole->way.chip_ns};
    const uint64_t story[] = {end.end, end.ops, (uint64_t)end.chip_ns};
    f->out->points++;
    f->out->failed += end.end > CLOSURE_NEW;
    digest_update(&f->story, story, sizeof story);
    if (f->options.each != NULL)
        f->options.each(f->options.each_ctx, cut, &end);
}

/* ---- a start ---- */

/* Where the device stands: left, if it is known how that goes on. */
static int meet(struct first_loss *f, const struct moment_way *at, bool keep,
                struct moment_end *whole, bool *left)
{
    enum moment_met met;
    struct moment_end rest;
    int rc = moments_meet(f->moments, at, keep, &met, &rest);
    *left = rc == 0 && met != MOMENT_NEW;
    if (!*left)
        return rc;
    if (at == NULL)
        f->out->known++;
    else
        f->out->joined++;
    *whole = rest;
    if (met == MOMENT_AGAIN || rest.end == CLOSURE_LIVELOCK) {
        *whole = (struct moment_end){.end = CLOSURE_LIVELOCK};
    } else if (at != NULL) {
        whole->way.ops += at->ops;
        whole->way.chip_ns += at->chip_ns;
        whole->way.steps += at->steps;
    }
    return 0;
}

static int steps(struct first_loss *f, struct moment_end *whole, bool *left)
{
    struct closure_device *d = &f->device;
    uint64_t begin = nor_op_count(d->nor);
    enum boot_result result = BOOT_MORE;
    struct moment_way at = {0};
    uint32_t heads = 0; /* behind steps that did something */
    int rc = 0;
    while (rc == 0 && result == BOOT_MORE && !*left && at.steps < CLOSURE_STEPS_MAX) {
        uint64_t ops = at.ops;
        result = closure_device_step(d);
        at = (struct moment_way){
            .ops = nor_op_count(d->nor) - begin, .chip_ns = d->chip_ns, .steps = at.steps + 1};
        if (f->looked != NULL && result == BOOT_MORE && at.ops == 0) {
            *left = f->looked(f->looked_ctx, &at, whole);
            f->out->joined += *left;
        }
        if (f->moments == NULL || result != BOOT_MORE || at.ops == ops)
            continue;
        if (f->alone == 0 || heads > 0)
            rc = meet(f, &at, heads >= f->alone, whole, left);
        heads++;
    }
    closure_device_stop(d);
    f->out->device_ops += at.ops;
    if (rc != 0 || *left)
        return rc;
    f->out->ended++;
    *whole = (struct moment_end){.end = CLOSURE_LIVELOCK};
    if (result != BOOT_MORE)
        *whole = (struct moment_end){.end = closure_device_judge(d, result), .way = at};
    return 0;
}

int first_loss_go(struct first_loss *f, struct moment_end *whole, struct err *err)
{
    bool left = false;
    int rc = f->moments == NULL ? 0 : meet(f, NULL, true, whole, &left);
    if (rc == 0 && !left) {
        f->out->boots++;
        rc = closure_device_start(&f->device)
                 ? steps(f, whole, &left)
                 : err_set(err, ERR_BENCH, "first loss: the boot loader does not fit into its RAM");
    }
    if (f->moments != NULL && rc == 0)
        moments_end(f->moments, whole);
    return rc;
}

/* ---- every point executed ---- */

static bool rerun(struct first_loss *f, const struct closure_cut *cut)
{
    if (nor_restore(f->device.nor, f->first) != 0)
        return false;
    nor_power_on(f->device.nor);
    f->out->boots++;
    if (!closure_device_cut(&f->device, cut))
        return false;
    closure_device_power_on(&f->device, cut->reading);
    return true;
}

static bool go_back(struct first_loss *f, uint32_t i, const struct closure_cut *cut,
                    struct err *err)
{
    if (nor_restore(f->device.nor, f->ops[i].saved) != 0)
        return false;
    return cut->tear == TEAR_NOTHING || first_loss_tear(f, i, cut, err);
}

static int execute(struct first_loss *f, uint32_t i, const struct closure_cut *cut, struct err *err)
{
    struct moment_end whole;
    bool came = f->options.way == FIRST_LOSS_RERUN ? rerun(f, cut) : go_back(f, i, cut, err);
    if (!came)
        return err_set(err, ERR_BENCH, "first loss: operation %u did not come again", cut->op);
    int rc = first_loss_go(f, &whole, err);
    if (rc == 0)
        first_loss_tell(f, cut, &whole);
    return rc;
}

static int execute_all(struct first_loss *f, struct err *err)
{
    struct closure_cut cuts[POINTS_MAX];
    int rc = 0;
    for (uint32_t i = 0; i < f->op_count && rc == 0; i++) {
        uint32_t n = first_loss_points_of(f, i, cuts);
        for (uint32_t k = 0; k < n && rc == 0; k++)
            rc = execute(f, i, &cuts[k], err);
    }
    return rc;
}

int first_loss_run(struct first_loss *f, struct first_loss_result *out, struct err *err)
{
    uint64_t digests = f->digests.computed, recalled = f->digests.recalled;
    *out = (struct first_loss_result){.points = 0};
    f->out = out;
    if (digest_begin(&f->story, DIGEST_SHA256) != 0)
        return no_memory(err);
    int rc = f->options.way == FIRST_LOSS_JOINED ? first_joined_run(f, err) : execute_all(f, err);
    if (rc != 0) {
        digest_abort(&f->story);
        return rc == ERR_NOMEM ? no_memory(err) : rc;
    }
    digest_end(&f->story, out->sha256);
    out->digests = f->digests.computed - digests;
    out->recalled = f->digests.recalled - recalled;
    return 0;
}
