#include "scenarios/engine/closure_device.h"

#include <stdlib.h>
#include <string.h>

#include "flash_emu/nor_raw.h"
#include "scenarios/engine/flash_compare.h"

/* ---- board ---- */

static int64_t now_ns(struct board *b)
{
    (void)b;
    return 0;
}

static void observe(void *ctx, const struct nor_op *op)
{
    struct closure_device *d = ctx;
    d->observe(d->hook_ctx, op);
}

static void look(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    struct closure_device *d = ctx;
    d->look(d->hook_ctx, addr, len_bytes);
}

static void power_lost(void *ctx, const struct nor_op *op)
{
    (void)op;
    longjmp(((struct closure_device *)ctx)->lost, 1);
}

int closure_device_open(struct closure_device *d, const struct closure_subject *s, uint64_t seed,
                        struct err *err)
{
    memset(d, 0, sizeof *d);
    d->subject = s;
    d->nor = nor_new(&s->geometry, seed, err);
    if (d->nor == NULL)
        return ERR_NOMEM;
    d->ops.now_ns = now_ns;
    d->board.ops = &d->ops;
    d->board.nor = d->nor;
    d->board.heap.limit_bytes = s->boot.ram_bytes;
    d->config = s->boot;
    d->config.board = &d->board;
    return 0;
}

void closure_device_close(struct closure_device *d)
{
    board_heap_drop(&d->board);
    nor_free(d->nor);
    free(d->ram);
    memset(d, 0, sizeof *d);
}

bool closure_device_start(struct closure_device *d)
{
    struct nor_hooks hooks = {.ctx = d,
                              .spent_ns = &d->chip_ns,
                              .observe = d->observe != NULL ? observe : NULL,
                              .power_lost = power_lost,
                              .look = d->look != NULL ? look : NULL};
    nor_set_hooks(d->nor, &hooks);
    d->chip_ns = 0;
    d->loader = boot_new(&d->config);
    return d->loader != NULL;
}

enum boot_result closure_device_step(struct closure_device *d)
{
    return boot_step(d->loader);
}

void closure_device_stop(struct closure_device *d)
{
    d->loader = NULL;
    board_heap_drop(&d->board);
}

/* ---- RAM as bytes ---- */

struct block {
    uintptr_t from;
    size_t len_bytes;
};

#define BLOCKS_MAX 16

struct blocks {
    struct block at[BLOCKS_MAX];
    uint32_t count;
    uintptr_t low, high;
    size_t total_bytes;
};

static void note_block(void *ctx, const void *data, size_t len_bytes)
{
    struct blocks *b = ctx;
    uintptr_t from = (uintptr_t)data;
    if (b->count < BLOCKS_MAX)
        b->at[b->count] = (struct block){.from = from, .len_bytes = len_bytes};
    b->count++;
    if (b->low == 0 || from < b->low)
        b->low = from;
    if (from + len_bytes > b->high)
        b->high = from + len_bytes;
    b->total_bytes += sizeof(uint64_t) + (len_bytes + 7) / 8 * 8;
}

/* A word that points into the heap means a block and a place in it; where that lies is the
 * host's. */
static uint64_t canonical(const struct blocks *b, uint64_t word)
{
    for (uint32_t i = 0; i < b->count; i++)
        if (word - b->at[i].from < b->at[i].len_bytes)
            return UINT64_C(0xb10c) << 48 | (uint64_t)i << 40 | (word - b->at[i].from);
    return word;
}

/* Its length and its words; the last one is filled up with zeros. Few words are addresses. */
static uint8_t *write_block(const struct blocks *b, const struct block *block, uint8_t *out)
{
    const uintptr_t low = b->low, room = b->high - b->low;
    uint64_t word = block->len_bytes;
    size_t words = (block->len_bytes + 7) / 8;
    memcpy(out, &word, sizeof word);
    out += sizeof word;
    if (words > 0)
        memset(out + words * 8 - 8, 0, 8);
    memcpy(out, (const void *)block->from, block->len_bytes);
    for (size_t i = 0; i < words; i++) {
        memcpy(&word, out + i * 8, sizeof word);
        if (word - low >= room)
            continue;
        word = canonical(b, word);
        memcpy(out + i * 8, &word, sizeof word);
    }
    return out + words * 8;
}

bool closure_device_ram(struct closure_device *d)
{
    struct blocks b = {0};
    board_heap_each(&d->board, note_block, &b);
    if (b.count > BLOCKS_MAX)
        return false;
    if (b.total_bytes > d->ram_cap) {
        free(d->ram);
        d->ram = malloc(b.total_bytes);
        d->ram_cap = d->ram == NULL ? 0 : b.total_bytes;
        if (d->ram == NULL)
            return false;
    }
    uint8_t *out = d->ram;
    for (uint32_t i = 0; i < b.count; i++)
        out = write_block(&b, &b.at[i], out);
    d->ram_bytes = b.total_bytes;
    return true;
}

/* ---- judgement ---- */

static bool image_is(const struct closure_device *d, uint32_t addr,
                     const struct closure_image *image)
{
    return d->compare != NULL ? flash_compare_equal(d->compare, addr, image->data, image->len_bytes)
                              : memcmp(nor_peek(d->nor) + addr, image->data, image->len_bytes) == 0;
}

static bool images_are(const struct closure_device *d, const struct closure_image *images)
{
    for (uint32_t i = 0; i < d->config.file_count; i++)
        if (!image_is(d, d->config.files[i].address, &images[i]))
            return false;
    return true;
}

static bool any_weak(const struct closure_device *d, const struct closure_image *images)
{
    for (uint32_t i = 0; i < d->config.file_count; i++)
        if (nor_weak_cells(d->nor, d->config.files[i].address, images[i].len_bytes) > 0)
            return true;
    return false;
}

static int part_read(void *ctx, uint32_t addr, void *out, uint32_t len_bytes)
{
    struct closure_device *d = ctx;
    return nor_read(d->nor, d->config.download_offset + addr, out, len_bytes);
}

static int part_program(void *ctx, uint32_t addr, const void *data, uint32_t len_bytes)
{
    (void)ctx, (void)addr, (void)data, (void)len_bytes;
    return ERR_UNSUPPORTED;
}

static int part_erase(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    (void)ctx, (void)addr, (void)len_bytes;
    return ERR_UNSUPPORTED;
}

/* New firmware must find its result; old firmware must not find one it has no right to, nor an
 * update that is still to be done. */
static bool result_fits(struct closure_device *d, bool is_new)
{
    struct state s;
    struct state_io io = {
        .ctx = d, .read = part_read, .program = part_program, .erase = part_erase};
    if (state_open(&s, &io, &d->config.layout, NULL) != 0)
        return false;
    if (is_new)
        return s.valid && s.record.update_result == UPDATE_OK;
    return !s.valid ||
           (s.record.update_result != UPDATE_OK && s.record.update_result != UPDATE_PENDING);
}

enum closure_end closure_device_judge(struct closure_device *d, enum boot_result result)
{
    const struct closure_subject *s = d->subject;
    if (result == BOOT_BRICKED)
        return CLOSURE_BRICKED;
    bool is_new = images_are(d, s->new_images);
    if (!is_new && !images_are(d, s->old_images))
        return CLOSURE_MIXED;
    if (any_weak(d, is_new ? s->new_images : s->old_images))
        return CLOSURE_WEAK;
    if (!result_fits(d, is_new))
        return CLOSURE_WRONG_RESULT;
    return is_new ? CLOSURE_NEW : CLOSURE_OLD;
}

/* ---- one cut, for real ---- */

uint64_t closure_draw(enum nor_op_kind kind, uint32_t addr)
{
    return nor_place_number(kind, addr);
}

bool closure_device_cut(struct closure_device *d, const struct closure_cut *cut)
{
    enum boot_result result = BOOT_MORE;
    uint64_t number = closure_draw(cut->kind, cut->addr);
    nor_raw_set_op_count(d->nor, number - cut->op);
    nor_arm_cut(d->nor, number, cut->tear, cut->arg);
    if (setjmp(d->lost) != 0) {
        closure_device_stop(d);
        return true;
    }
    if (closure_device_start(d))
        for (uint32_t i = 0; i < CLOSURE_STEPS_MAX && result == BOOT_MORE; i++)
            result = closure_device_step(d);
    closure_device_stop(d);
    nor_arm_cut(d->nor, 0, TEAR_NOTHING, 0);
    return false;
}

uint32_t closure_readings(uint32_t weak_units)
{
    uint32_t n = 1;
    if (weak_units > CLOSURE_WEAK_UNITS)
        return 3; /* all of them alike */
    while (weak_units-- > 0)
        n *= 3;
    return n;
}

uint32_t closure_nth_reading(uint32_t n, uint32_t weak_units)
{
    uint32_t reading = 0;
    if (weak_units <= CLOSURE_WEAK_UNITS)
        return n;
    for (uint32_t i = 0; i < CLOSURE_READING_DIGITS; i++)
        reading = reading * 3 + n;
    return reading;
}

enum tear_reading closure_reading(uint32_t reading, uint32_t index)
{
    static const enum tear_reading readings[] = {READING_ALL_0, READING_ALL_1, READING_MIXED};
    if (index >= CLOSURE_READING_DIGITS)
        index = CLOSURE_READING_DIGITS - 1;
    while (index-- > 0)
        reading /= 3;
    return readings[reading % 3];
}

void closure_device_power_on(struct closure_device *d, uint32_t reading)
{
    uint32_t unit_bytes = nor_geo(d->nor)->erase_bytes;
    uint32_t units = nor_geo(d->nor)->size_bytes / unit_bytes, index = 0;
    nor_power_on(d->nor);
    for (uint32_t u = 0; u < units; u++)
        if (nor_weak_cells(d->nor, u * unit_bytes, unit_bytes) > 0)
            nor_raw_settle(d->nor, u, closure_reading(reading, index++));
}
