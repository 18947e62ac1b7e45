/*
 * What persists in a chip, as plain bytes: for explorers that save, compare and bring back many
 * thousands of flash states and cannot afford a snapshot for each. Nothing here takes time, counts
 * an operation or wears the flash; power may be on or off. Not for firmware, not for judges.
 *
 * A unit's state is its cells, one bit per cell that says whether it is marginal ("weak"), and on
 * chips that are not freely rewritable the granule marks. Wear, operation count and power-on
 * ordinal are not part of it.
 */
#ifndef OTABENCH_FLASH_EMU_NOR_RAW_H
#define OTABENCH_FLASH_EMU_NOR_RAW_H

#include "flash_emu/nor.h"
#include "flash_emu/tear.h"

/* Ranges lie inside one erase unit. weak has one bit per cell, as many bytes as cells; null for
 * put: no cell there is weak. */
void nor_raw_get(const struct nor *n, uint32_t addr, uint32_t len_bytes, uint8_t *cells,
                 uint8_t *weak);
void nor_raw_put(struct nor *n, uint32_t addr, uint32_t len_bytes, const uint8_t *cells,
                 const uint8_t *weak);

/* Granule marks of a unit: nor_raw_mark_bytes each of "written" and then of "torn", a bit per
 * granule. 0 under NOR_REWRITE: then there are none, and the calls do nothing. */
uint32_t nor_raw_mark_bytes(const struct nor *n);
void nor_raw_marks_get(const struct nor *n, uint32_t unit, uint8_t *marks);
void nor_raw_marks_put(struct nor *n, uint32_t unit, const uint8_t *marks);

/* How marginal cells of a range read: a 1 bit in out reads 1. The mixed reading is drawn by seed
 * and place alone, so it is the same whatever else is marginal. Any range inside the chip. */
void nor_raw_reading(const struct nor *n, uint32_t addr, uint32_t len_bytes,
                     enum tear_reading reading, uint8_t *out);
/* Whether an ECC part traps at a granule with marginal cells under that reading. */
bool nor_raw_traps(const struct nor *n, uint32_t addr, enum tear_reading reading);
/* Gives the marginal cells of a unit that reading, for this power-on. */
void nor_raw_settle(struct nor *n, uint32_t unit, enum tear_reading reading);

/* The next operation gets number count + 1. Tears draw by seed and number, so an explorer that
 * numbers by address tears the same content the same way, whatever came before. Also up, so that
 * a cut may be armed far ahead. */
void nor_raw_set_op_count(struct nor *n, uint64_t count);
/* The number by which an operation draws under nor_draw_by_place. */
uint64_t nor_place_number(enum nor_op_kind kind, uint32_t addr);

#endif
