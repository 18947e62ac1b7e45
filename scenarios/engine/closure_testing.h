/*
 * What the tests of the closure share: small devices with a package pending, and the naive search
 * that a closure must agree with - every cut of every start carried out for real, nothing pruned.
 */
#ifndef OTABENCH_ENGINE_CLOSURE_TESTING_H
#define OTABENCH_ENGINE_CLOSURE_TESTING_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "flash_emu/nor_raw.h"
#include "mock_cloud/packages/packages.h"
#include "scenarios/engine/closure_internal.h"

enum small_kind { SMALL_FULL, SMALL_UP, SMALL_DOWN };

/* A device and its update. Sizes in erase units; the image ends in the middle of its last page. */
struct small {
    const char *name;
    const char *chip;
    enum nor_policy policy;
    uint32_t erase_bytes, page_bytes;
    enum small_kind kind;
    uint32_t image_units, block_units;
    uint32_t tears; /* bits */
    uint32_t cuts;  /* in a row */
};

static inline const char *small_name(const void *row)
{
    return ((const struct small *)row)->name;
}

struct small_device {
    struct closure_subject subject;
    struct buf old_image, new_image, package;
    struct nor *chip; /* package pending */
};

static inline int small_read(void *ctx, uint32_t addr, void *out, uint32_t len_bytes)
{
    struct small_device *d = ctx;
    return nor_read(d->chip, d->subject.boot.download_offset + addr, out, len_bytes);
}

static inline int small_program(void *ctx, uint32_t addr, const void *data, uint32_t len_bytes)
{
    struct small_device *d = ctx;
    return nor_program(d->chip, d->subject.boot.download_offset + addr, data, len_bytes);
}

static inline int small_erase(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    struct small_device *d = ctx;
    return nor_erase(d->chip, d->subject.boot.download_offset + addr, len_bytes);
}

/* Content moves up or down, so that one direction needs far fewer bytes. */
static inline void small_images(struct small_device *d, const struct small *s)
{
    uint32_t len = s->image_units * s->erase_bytes - s->page_bytes / 2 - 8;
    const uint32_t shift = 48;
    buf_init(&d->old_image, PACKAGE_IMAGE_MAX);
    buf_init(&d->new_image, PACKAGE_IMAGE_MAX);
    buf_init(&d->package, PACKAGE_IMAGE_MAX);
    REQUIRE(package_generate(&d->old_image, 3, len) == 0);
    if (s->kind == SMALL_UP) {
        REQUIRE(buf_append(&d->new_image, d->old_image.data + shift, len - shift) == 0);
        REQUIRE(buf_append(&d->new_image, "the end", 7) == 0);
    } else {
        REQUIRE(package_generate(&d->new_image, 4, shift) == 0);
        REQUIRE(buf_append(&d->new_image, d->old_image.data, len - shift) == 0);
    }
}

static inline void small_package(struct small_device *d, const struct small *s)
{
    enum package_kind kind;
    struct err err = {""};
    struct package_head head;
    struct package_file entry;
    struct package_params p = {.from_version = "1",
                               .to_version = "2",
                               .compare_block_kib = 4,
                               .restore_block_bytes = s->block_units * s->erase_bytes,
                               .window_bytes = s->block_units * s->erase_bytes,
                               .full = s->kind == SMALL_FULL};
    struct package_source file = {.name = "app",
                                  .address = s->erase_bytes,
                                  .old_image = p.full ? NULL : d->old_image.data,
                                  .old_bytes = p.full ? 0 : (uint32_t)d->old_image.len_bytes,
                                  .new_image = d->new_image.data,
                                  .new_bytes = (uint32_t)d->new_image.len_bytes};
    REQUIRE_OK(package_make(&d->package, &file, 1, &p, &kind, &err), &err);
    REQUIRE_OK(package_head_decode(&head, d->package.data, &err), &err);
    REQUIRE_OK(package_file_decode(&entry, &head, d->package.data + PACKAGE_HEAD_BYTES, &err),
               &err);
    CHECK_INT(kind, s->kind == SMALL_FULL ? PACKAGE_FULL : PACKAGE_DELTA);
    CHECK_INT(entry.direction, s->kind == SMALL_DOWN ? PACKAGE_DESCENDING : PACKAGE_ASCENDING);
}

static inline void small_pend(struct small_device *d)
{
    struct state state;
    struct err err = {""};
    struct state_io io = {
        .ctx = d, .read = small_read, .program = small_program, .erase = small_erase};
    struct state_record r = {.index_max = 4, .file_bytes = (uint32_t)d->package.len_bytes};
    REQUIRE_OK(state_open(&state, &io, &d->subject.boot.layout, &err), &err);
    REQUIRE_OK(state_write(&state, &r, &err), &err);
    r.update_result = UPDATE_PENDING;
    r.index = 4;
    REQUIRE_OK(state_write(&state, &r, &err), &err);
}

static inline void small_open(struct small_device *d, const struct small *s)
{
    struct err err = {""};
    struct boot_config *b = &d->subject.boot;
    memset(d, 0, sizeof *d);
    small_images(d, s);
    small_package(d, s);
    uint32_t unit = s->erase_bytes;
    uint32_t part =
        ((uint32_t)d->package.len_bytes + unit - 1) / unit + s->block_units + 1; /* in units */
    struct nor_geometry *g = &d->subject.geometry;
    *g = *nor_geometry_find(s->chip);
    g->policy = s->policy;
    g->erase_bytes = unit;
    g->page_bytes = s->page_bytes;
    g->size_bytes = (1 + s->image_units + part) * unit;
    b->download_offset = (1 + s->image_units) * unit;
    b->layout = (struct state_layout){.part_bytes = part * unit,
                                      .erase_bytes = unit,
                                      .granule_bytes = g->granule_bytes,
                                      .backup_bytes = s->block_units * unit,
                                      .write_once = s->policy != NOR_REWRITE,
                                      .traps = s->policy == NOR_ECC};
    (void)snprintf(b->files[0].name, sizeof b->files[0].name, "app");
    b->files[0].address = unit;
    b->files[0].area_bytes = s->image_units * unit;
    b->file_count = 1;
    b->compare_block_kib = 4;
    b->algorithm = PACKAGE_ALGORITHM;
    b->ram_bytes = 32 << 10;
    d->subject.old_images[0] =
        (struct closure_image){d->old_image.data, (uint32_t)d->old_image.len_bytes};
    d->subject.new_images[0] =
        (struct closure_image){d->new_image.data, (uint32_t)d->new_image.len_bytes};
    d->chip = nor_new(g, 1, &err);
    REQUIRE(d->chip != NULL);
    REQUIRE(nor_load(d->chip, unit, d->old_image.data, (uint32_t)d->old_image.len_bytes) == 0);
    REQUIRE(nor_load(d->chip, b->download_offset, d->package.data,
                     (uint32_t)d->package.len_bytes) == 0);
    small_pend(d);
}

static inline void small_close(struct small_device *d)
{
    nor_free(d->chip);
    buf_free(&d->old_image);
    buf_free(&d->new_image);
    buf_free(&d->package);
}

/* ---- naive ---- */

#define NAIVE_STATES_MAX 20000
#define NAIVE_OPS_MAX    400

struct naive_state {
    uint8_t sha256[SHA256_BYTES];
    uint8_t end;
    uint32_t depth;
};

struct naive {
    struct closure view; /* only for the list of tears */
    struct closure_device device;
    struct naive_state *states;
    uint32_t count;
    uint64_t points;
    struct closure_cut ops[8][NAIVE_OPS_MAX]; /* per depth: operations of the start */
    uint32_t op_count[8];
    uint32_t depth;
    bool changed; /* a state's end was not always the same */
};

static inline void naive_observe(void *ctx, const struct nor_op *op)
{
    struct naive *n = ctx;
    uint32_t i = n->op_count[n->depth]++;
    REQUIRE(i < NAIVE_OPS_MAX);
    n->ops[n->depth][i] = (struct closure_cut){
        .op = i + 1, .kind = op->kind, .addr = op->addr, .len_bytes = op->len_bytes};
}

/* Found before or not: its entry. */
static inline struct naive_state *naive_note(struct naive *n, uint32_t depth)
{
    uint8_t sha256[SHA256_BYTES];
    closure_fingerprint(n->device.nor, sha256);
    for (uint32_t i = 0; i < n->count; i++)
        if (memcmp(n->states[i].sha256, sha256, sizeof sha256) == 0) {
            if (depth < n->states[i].depth)
                n->states[i].depth = depth;
            return &n->states[i];
        }
    REQUIRE(n->count < NAIVE_STATES_MAX);
    struct naive_state *s = &n->states[n->count++];
    memcpy(s->sha256, sha256, sizeof sha256);
    s->depth = depth;
    s->end = CLOSURE_ENDS;
    return s;
}

/* To the end, all operations noted; the chip is left on. */
static inline enum closure_end naive_run(struct naive *n)
{
    enum boot_result result = BOOT_MORE;
    n->op_count[n->depth] = 0;
    n->device.observe = naive_observe;
    n->device.hook_ctx = n;
    REQUIRE(closure_device_start(&n->device));
    for (int i = 0; i < 10000 && result == BOOT_MORE; i++)
        result = closure_device_step(&n->device);
    closure_device_stop(&n->device);
    n->device.observe = NULL;
    return closure_device_judge(&n->device, result);
}

static inline uint32_t naive_weak_units(const struct nor *chip)
{
    uint32_t unit = nor_geo(chip)->erase_bytes, weak = 0;
    for (uint32_t at = 0; at < nor_geo(chip)->size_bytes; at += unit)
        weak += nor_weak_cells(chip, at, unit) > 0;
    return weak;
}

static inline void naive_from(struct naive *n, uint32_t cuts);

/* All cuts of one start, each from the state anew. */
static inline void naive_cuts(struct naive *n, const struct nor_snapshot *from, uint32_t reading,
                              uint32_t cuts)
{
    struct nor *chip = n->device.nor;
    struct tear_variant v[VARIANTS_MAX];
    uint32_t depth = n->depth, ops = n->op_count[depth];
    for (uint32_t i = 0; i < ops; i++) {
        struct closure_cut cut = n->ops[depth][i];
        const struct op_key key = {.addr = cut.addr, .len_bytes = cut.len_bytes, .kind = cut.kind};
        uint32_t count = closure_variants(&n->view, &key, v);
        for (uint32_t k = 0; k < count; k++) {
            cut.tear = v[k].tear;
            cut.arg = v[k].arg;
            REQUIRE(nor_restore(chip, from) == 0);
            closure_device_power_on(&n->device, reading);
            CHECK(closure_device_cut(&n->device, &cut));
            n->depth = depth + 1;
            naive_from(n, cuts - 1);
            n->depth = depth;
            n->points++;
        }
    }
}

/* Everything that up to so many cuts lead to from the chip's state; power is off. */
static inline void naive_from(struct naive *n, uint32_t cuts)
{
    struct nor *chip = n->device.nor;
    uint32_t index = (uint32_t)(naive_note(n, n->depth) - n->states);
    struct nor_snapshot *from = nor_save(chip);
    uint32_t weak = naive_weak_units(chip), readings = closure_readings(weak);
    uint8_t worst = 0;
    REQUIRE(from != NULL);
    for (uint32_t i = 0; i < readings; i++) {
        uint32_t r = closure_nth_reading(i, weak);
        REQUIRE(nor_restore(chip, from) == 0);
        closure_device_power_on(&n->device, r);
        enum closure_end end = naive_run(n);
        if (end > worst)
            worst = (uint8_t)end;
        if (cuts == 0)
            continue;
        nor_power_off(chip, TEAR_NOTHING, 0);
        n->depth++;
        naive_from(n, cuts - 1);
        n->depth--;
        REQUIRE(nor_restore(chip, from) == 0);
        closure_device_power_on(&n->device, r);
        (void)naive_run(n);
        naive_cuts(n, from, r, cuts);
    }
    if (n->states[index].end != CLOSURE_ENDS && n->states[index].end != worst)
        n->changed = true;
    n->states[index].end = worst;
    nor_snapshot_free(from);
}

static inline void naive_open(struct naive *n, const struct small_device *d, uint32_t tears)
{
    struct err err = {""};
    memset(n, 0, sizeof *n);
    n->view.subject = d->subject;
    n->view.options.tears = tears;
    n->states = calloc(NAIVE_STATES_MAX, sizeof *n->states);
    REQUIRE(n->states != NULL);
    REQUIRE_OK(closure_device_open(&n->device, &d->subject, 1, &err), &err);
    struct nor_snapshot *s = nor_save(d->chip);
    REQUIRE(nor_restore(n->device.nor, s) == 0);
    nor_snapshot_free(s);
    nor_power_off(n->device.nor, TEAR_NOTHING, 0);
}

static inline void naive_close(struct naive *n)
{
    closure_device_close(&n->device);
    free(n->states);
}

#endif
