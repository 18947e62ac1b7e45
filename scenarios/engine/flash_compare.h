/*
 * Compares ranges of a chip with contents in memory, and does not compare again what has not
 * changed since: for each erase unit it remembers the last content that it was found equal to, and
 * the version of the unit then. The answer is always that of memcmp.
 */
#ifndef OTABENCH_ENGINE_FLASH_COMPARE_H
#define OTABENCH_ENGINE_FLASH_COMPARE_H

#include "flash_emu/nor.h"

struct flash_compare;

/* For one chip, which must live as long. Contents it is asked about must not change, nor their
 * memory be used for others, while it lives. Null without memory. */
struct flash_compare *flash_compare_new(const struct nor *chip);
void flash_compare_free(struct flash_compare *c); /* null is fine */

/* Whether [addr, addr + len_bytes), inside the chip, reads as content does. */
bool flash_compare_equal(struct flash_compare *c, uint32_t addr, const uint8_t *content,
                         uint32_t len_bytes);

#endif
