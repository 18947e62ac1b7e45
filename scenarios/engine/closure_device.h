/*
 * The boot loader on a bare board: flash, heap and events, no tasks, no clock but the chip's. What
 * a closure runs by the thousand, and what repeats a single cut for real.
 */
#ifndef OTABENCH_ENGINE_CLOSURE_DEVICE_H
#define OTABENCH_ENGINE_CLOSURE_DEVICE_H

#include <setjmp.h>

#include "flash_emu/tear.h"
#include "scenarios/engine/closure.h"

#define CLOSURE_STEPS_MAX 200000 /* of one start: more is a livelock */

struct closure_device {
    const struct closure_subject *subject;
    struct board board;
    struct board_ops ops;
    struct boot_config config;
    struct boot *loader;
    struct nor *nor;
    int64_t chip_ns; /* spent by the chip in this start */
    /* As the chip's hooks, from the next start on; may be null. */
    void (*observe)(void *ctx, const struct nor_op *op);
    void (*look)(void *ctx, uint32_t addr, uint32_t len_bytes);
    void *hook_ctx;
    struct flash_compare *compare; /* of nor, for judging; null: everything is compared anew */
    jmp_buf lost;
    uint8_t *ram; /* closure_device_ram */
    size_t ram_bytes, ram_cap;
};

/* d is the owner's memory; it does not move afterwards. 0 or an error; close in any case. */
int closure_device_open(struct closure_device *d, const struct closure_subject *s, uint64_t seed,
                        struct err *err);
void closure_device_close(struct closure_device *d);

/* A start, step by step. start: false when the loader does not fit into RAM. stop drops the RAM. */
bool closure_device_start(struct closure_device *d);
enum boot_result closure_device_step(struct closure_device *d);
void closure_device_stop(struct closure_device *d);

/* All live RAM between two steps, in d->ram: every block of the heap with its length, newest first,
 * words that point into the heap given as block and offset. False without memory. */
bool closure_device_ram(struct closure_device *d);

/* What the end of a start is worth: images, weak cells under them, record against image. */
enum closure_end closure_device_judge(struct closure_device *d, enum boot_result result);

/* The number under which an operation's tear is drawn: by address and kind. */
uint64_t closure_draw(enum nor_op_kind kind, uint32_t addr);
/* Starts the loader with power going at its operation cut->op; true when it went. The operation
 * must be the one that cut describes, else the draw differs. Leaves the chip off then. */
bool closure_device_cut(struct closure_device *d, const struct closure_cut *cut);
/* Turns the chip on with the weak cells read by that variant. */
void closure_device_power_on(struct closure_device *d, uint32_t reading);

/* A reading is a number with a digit 0 to 2 for each unit with weak cells, the first unit's lowest:
 * enum tear_reading. As many as CLOSURE_WEAK_UNITS are combined; more are read alike. */
#define CLOSURE_READING_DIGITS 20
uint32_t closure_readings(uint32_t weak_units);
uint32_t closure_nth_reading(uint32_t n, uint32_t weak_units);
enum tear_reading closure_reading(uint32_t reading, uint32_t index);

#endif
