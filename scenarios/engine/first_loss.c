#include "scenarios/engine/first_loss.h"

#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "flash_emu/nor_raw.h"
#include "scenarios/engine/closure_device.h"
#include "scenarios/engine/closure_states.h"

#define POINTS_MAX  (1u << 20)
#define KNOWN_MAX   (1u << 16)
#define KNOWN_BYTES (256u << 20) /* of contents that are kept */
#define SAMPLES     8

struct point {
    struct nor_snapshot *flash;
    struct closure_cut cut;
};

/* A digest that was computed, with what it was computed from: nothing is taken for the same that
 * was not compared. */
struct known {
    uint8_t *content;
    uint8_t out[DIGEST_BYTES_MAX];
};

struct first_loss {
    struct closure_device device;
    struct board_memo memo;
    struct point *points;
    uint32_t count, cap, stride, ops;
    struct nor_snapshot *first;
    struct pool keys; /* range and a sample of its words */
    struct known *known;
    size_t known_bytes;
    uint64_t digests, recalled;
    bool recording, memoise, failed;
};

/* ---- digests ---- */

struct key {
    uint32_t kind, addr, len_bytes, unused;
    uint64_t sample[SAMPLES];
};

static struct key key_of(const uint8_t *cells, int kind, uint32_t addr, uint32_t len_bytes)
{
    struct key k = {.kind = (uint32_t)kind, .addr = addr, .len_bytes = len_bytes};
    uint32_t stride = len_bytes / SAMPLES;
    for (uint32_t i = 0; i < SAMPLES && stride >= sizeof k.sample[0]; i++)
        memcpy(&k.sample[i], cells + addr + i * stride, sizeof k.sample[0]);
    return k;
}

static size_t out_bytes(int kind)
{
    return kind == BOARD_CRC32 ? 4 : digest_bytes((enum digest_kind)kind);
}

static bool find(void *ctx, int kind, uint32_t addr, uint32_t len_bytes, uint8_t *out)
{
    struct first_loss *f = ctx;
    const uint8_t *cells = nor_peek(f->device.nor);
    uint32_t number = POOL_NONE;
    if (f->memoise && addr <= nor_geo(f->device.nor)->size_bytes &&
        len_bytes <= nor_geo(f->device.nor)->size_bytes - addr) {
        struct key k = key_of(cells, kind, addr, len_bytes);
        number = pool_find(&f->keys, &k);
    }
    if (number == POOL_NONE || f->known[number].content == NULL ||
        memcmp(f->known[number].content, cells + addr, len_bytes) != 0) {
        f->digests++;
        return false;
    }
    f->recalled++;
    memcpy(out, f->known[number].out, out_bytes(kind));
    return true;
}

/* What is kept last is found, should two contents have the same sample. */
static void keep(void *ctx, int kind, uint32_t addr, uint32_t len_bytes, const uint8_t *out)
{
    struct first_loss *f = ctx;
    if (!f->memoise || len_bytes == 0)
        return;
    const uint8_t *cells = nor_peek(f->device.nor);
    struct key k = key_of(cells, kind, addr, len_bytes);
    uint32_t number = pool_put(&f->keys, &k, NULL);
    if (number == POOL_NONE)
        return;
    struct known *known = &f->known[number];
    if (known->content == NULL && f->known_bytes + len_bytes <= KNOWN_BYTES) {
        known->content = malloc(len_bytes);
        f->known_bytes += len_bytes;
    }
    if (known->content == NULL)
        return;
    memcpy(known->content, cells + addr, len_bytes);
    memcpy(known->out, out, out_bytes(kind));
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
    if (!f->recording)
        return;
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
    f->recording = true;
    enum closure_end end = run_out(f, &r);
    f->recording = false;
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
    f->memo = (struct board_memo){.ctx = f, .find = find, .keep = keep};
    int rc = closure_device_open(&f->device, s, seed, err);
    f->first = rc == 0 ? nor_save(pending) : NULL;
    f->known = calloc(KNOWN_MAX, sizeof *f->known);
    bool ok = f->first != NULL && f->known != NULL &&
              pool_init(&f->keys, sizeof(struct key), KNOWN_MAX) == 0;
    if (ok) {
        f->device.observe = on_op;
        f->device.hook_ctx = f;
        f->device.board.memo = &f->memo;
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
    for (uint32_t i = 0; i < KNOWN_MAX && f->known != NULL; i++)
        free(f->known[i].content);
    nor_snapshot_free(f->first);
    closure_device_close(&f->device);
    pool_free(&f->keys);
    free(f->points);
    free(f->known);
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
