/*
 * Tears: what an interrupted program or erase leaves in the cells. Pure functions over byte ranges;
 * the chip (nor.c) keeps the books. Which real parts behave so: "Method" in tear.c.
 */
#ifndef OTABENCH_FLASH_EMU_TEAR_H
#define OTABENCH_FLASH_EMU_TEAR_H

#include "common/rng.h"
#include "flash_emu/nor.h"

/* Byte ranges within the operation. What is in neither range keeps its old content. */
struct tear_outcome {
    uint32_t done_from, done_to; /* took full effect */
    uint32_t torn_from, torn_to; /* left between old and new: tear_scatter_* */
    bool weak;                   /* the cells that changed in the done range are marginal */
    bool but_bit;                /* but for the last bit that changes in it */
    bool unreadable;             /* the operation's range cannot be read any more */
    bool disturbs;               /* and a bit of another page has fallen */
};

/* arg: TEAR_PREFIX: bytes done, rounded down to granules and cut to len_bytes; else unused. Draws
 * from rng for TEAR_HALF_ERASED of an erase only (which half). */
struct tear_outcome tear_plan(enum nor_tear tear, enum nor_op_kind kind, uint32_t arg,
                              uint32_t len_bytes, uint32_t granule_bytes, struct rng *rng);

/* Clears a random subset of the bits that cells has and data has not. */
void tear_scatter_program(uint8_t *cells, const uint8_t *data, uint32_t len_bytes, struct rng *rng);
/* Sets a random subset of the bits that are 0. */
void tear_scatter_erase(uint8_t *cells, uint32_t len_bytes, struct rng *rng);

/* How the marginal cells of one erase unit read during one power-on. */
enum tear_reading { READING_ALL_0, READING_ALL_1, READING_MIXED };
enum tear_reading tear_reading(struct rng *rng);
/* Gives every bit of cells that is set in weak its reading. True if any bit was weak. */
bool tear_settle(uint8_t *cells, const uint8_t *weak, uint32_t len_bytes, enum tear_reading reading,
                 struct rng *rng);

#endif
