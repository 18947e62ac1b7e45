#include "scenarios/engine/first_loss.h"

#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "flash_emu/nor_raw.h"
#include "scenarios/engine/closure_device.h"
#include "scenarios/engine/digest_memo.h"
#include "scenarios/engine/flash_compare.h"

#define POINTS_MAX (1u << 20)
#define MEMO_BYTES (256u << 20)

struct point {
    struct nor_snapshot *flash;
    struct closure_cut cut;
};

struct first_loss {
    struct closure_device device;
    struct board_memo engine;
    struct digest_memo *memo;
    struct flash_compare *compare;
    struct point *points;
    uint32_t count, cap, stride, ops;
    struct nor_snapshot *first;
    uint64_t digests, recalled;
    bool memoise, failed;
};

/* ---- digests ---- */

static bool find(void *ctx, int kind, const uint8_t *data, uint32_t len_bytes, uint8_t *out)
{
    struct first_loss *f = ctx;
    bool known = f->memoise && digest_memo_find(f->memo, kind, data, len_bytes, out);
    f->recalled += known;
    f->digests += !known;
    return known;
}

static void keep(void *ctx, int kind, const uint8_t *data, uint32_t len_bytes, const uint8_t *out)
{
    struct first_loss *f = ctx;
    if (f->memoise)
        digest_memo_keep(f->memo, kind, data, len_bytes, out);
}

/* Kept contents stay where they are, so what was compared on flash need not be again. */
static bool equal(void *ctx, const uint8_t *data, const uint8_t *kept, uint32_t len_bytes)
{
    struct first_loss *f = ctx;
    uintptr_t at = (uintptr_t)data - (uintptr_t)nor_peek(f->device.nor);
    if (at >= nor_geo(f->device.nor)->size_bytes)
        return memcmp(data, kept, len_bytes) == 0;
    return flash_compare_equal(f->compare, (uint32_t)at, kept, len_bytes);
}

/* Restored images are expected again and again. */
static void lend_images(struct first_loss *f)
{
    const struct closure_subject *s = f->device.subject;
    for (uint32_t i = 0; i < s->boot.file_count; i++) {
        digest_memo_lend(f->memo, s->new_images[i].data, (uint32_t)s->new_images[i].len_bytes,
                         s->geometry.erase_bytes);
        digest_memo_lend(f->memo, s->old_images[i].data, (uint32_t)s->old_images[i].len_bytes,
                         s->geometry.erase_bytes);
    }
}

/* ---- points ---- */

static void save_point(struct first_loss *f)
{
    if (f->count == f->cap) {
        uint32_t cap = f->cap == 0 ? 256 : f->cap * 2;
        struct point *points =
            cap > POINTS_MAX ? NULL : realloc(f->points, cap * sizeof *f->points);
        if (points == NULL) {
            f->failed = true;
            return;
        }
        f->points = points;
        f->cap = cap;
    }
    struct point *p = &f->points[f->count++];
    *p = (struct point){.flash = nor_save(f->device.nor)};
    f->failed = f->failed || p->flash == NULL;
}

static void on_op(void *ctx, const struct nor_op *op)
{
    struct first_loss *f = ctx;
    if (f->count > 0 && f->points[f->count - 1].cut.op == 0)
        f->points[f->count - 1].cut = (struct closure_cut){
            .op = f->ops + 1, .kind = op->kind, .addr = op->addr, .len_bytes = op->len_bytes};
    f->ops++;
    if (f->ops % f->stride == 0)
        save_point(f);
}

static enum closure_end run_out(struct first_loss *f, struct first_loss_result *out)
{
    enum boot_result result = BOOT_BRICKED;
    uint32_t steps = 0;
    out->boots++;
    if (closure_device_start(&f->device))
        do
            result = closure_device_step(&f->device);
        while (result == BOOT_MORE && steps++ < CLOSURE_STEPS_MAX);
    closure_device_stop(&f->device);
    return result == BOOT_MORE ? CLOSURE_LIVELOCK : closure_device_judge(&f->device, result);
}

static int record(struct first_loss *f, struct err *err)
{
    struct first_loss_result r = {0};
    save_point(f);
    f->device.observe = on_op;
    enum closure_end end = run_out(f, &r);
    f->device.observe = NULL;
    if (f->count > 0 && f->points[f->count - 1].cut.op == 0) /* behind the last operation */
        nor_snapshot_free(f->points[--f->count].flash);
    if (f->failed)
        return err_set(err, ERR_NOMEM, "first loss: no memory");
    if (end != CLOSURE_NEW)
        return err_set(err, ERR_BENCH, "first loss: without a cut, %s", closure_end_text(end));
    return 0;
}

struct first_loss *first_loss_new(const struct closure_subject *s, const struct nor *pending,
                                  uint32_t stride, bool memoise, uint64_t seed, struct err *err)
{
    struct first_loss *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    *f = (struct first_loss){.stride = stride == 0 ? 1 : stride, .memoise = memoise};
    f->engine = (struct board_memo){.ctx = f, .find = find, .keep = keep};
    int rc = closure_device_open(&f->device, s, seed, err);
    f->first = rc == 0 ? nor_save(pending) : NULL;
    f->memo = digest_memo_new(MEMO_BYTES, equal, f);
    f->compare = rc == 0 ? flash_compare_new(f->device.nor) : NULL;
    bool ok = f->first != NULL && f->memo != NULL && f->compare != NULL;
    if (ok) {
        lend_images(f);
        f->device.compare = f->compare;
        f->device.hook_ctx = f;
        f->device.board.memo = &f->engine;
        ok = nor_restore(f->device.nor, f->first) == 0;
    } else if (rc == 0) {
        (void)err_set(err, ERR_NOMEM, "first loss: no memory");
    }
    if (!ok || record(f, err) != 0) {
        first_loss_free(f);
        return NULL;
    }
    return f;
}

void first_loss_free(struct first_loss *f)
{
    if (f == NULL)
        return;
    for (uint32_t i = 0; i < f->count; i++)
        nor_snapshot_free(f->points[i].flash);
    digest_memo_free(f->memo);
    flash_compare_free(f->compare);
    nor_snapshot_free(f->first);
    closure_device_close(&f->device);
    free(f->points);
    free(f);
}

uint32_t first_loss_points(const struct first_loss *f)
{
    return f->count;
}

uint32_t first_loss_ops(const struct first_loss *f)
{
    return f->ops;
}

/* ---- execution ---- */

static bool rerun(struct first_loss *f, const struct point *p, struct first_loss_result *out)
{
    if (nor_restore(f->device.nor, f->first) != 0)
        return false;
    nor_power_on(f->device.nor);
    out->boots++;
    if (!closure_device_cut(&f->device, &p->cut))
        return false;
    nor_power_on(f->device.nor);
    return true;
}

int first_loss_run(struct first_loss *f, enum first_loss_way way, struct first_loss_result *out,
                   struct err *err)
{
    struct digest d;
    uint64_t digests = f->digests, recalled = f->recalled;
    *out = (struct first_loss_result){.points = f->count};
    if (digest_begin(&d, DIGEST_SHA256) != 0)
        return err_set(err, ERR_NOMEM, "first loss: no memory");
    for (uint32_t i = 0; i < f->count; i++) {
        const struct point *p = &f->points[i];
        if (way == FIRST_LOSS_RERUN ? !rerun(f, p, out)
                                    : nor_restore(f->device.nor, p->flash) != 0) {
            digest_abort(&d);
            return err_set(err, ERR_BENCH, "first loss: operation %u did not come again",
                           p->cut.op);
        }
        uint64_t ops = nor_op_count(f->device.nor);
        uint8_t end = (uint8_t)run_out(f, out);
        const uint64_t story[] = {end, nor_op_count(f->device.nor) - ops,
                                  (uint64_t)f->device.chip_ns};
        out->failed += end > CLOSURE_NEW;
        digest_update(&d, story, sizeof story);
    }
    digest_end(&d, out->sha256);
    out->digests = f->digests - digests;
    out->recalled = f->recalled - recalled;
    return f->failed ? err_set(err, ERR_NOMEM, "first loss: no memory") : 0;
}
