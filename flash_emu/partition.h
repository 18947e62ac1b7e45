/*
 * Partitions: named ranges of one chip, as a vendor's FAL table describes them (seed 000 §3.1.1.1),
 * with a guard pattern in every byte that no partition owns, so a stray write shows.
 */
#ifndef OTABENCH_FLASH_EMU_PARTITION_H
#define OTABENCH_FLASH_EMU_PARTITION_H

#include "flash_emu/nor.h"

#define PARTITION_NAME_MAX 16 /* with terminator, as FAL_DEV_NAME_MAX */
#define PARTITION_MAX      24

struct partition {
    char name[PARTITION_NAME_MAX];
    uint32_t offset;     /* on the chip, erase-unit multiple */
    uint32_t size_bytes; /* erase-unit multiple, > 0 */
};

struct partition_table {
    struct partition part[PARTITION_MAX];
    size_t count;
};

/* Checks names (unique, non-empty), alignment, bounds, overlap against the chip. 0 or ERR_FORMAT
 * naming the partition and what is allowed. */
int partition_check(const struct partition_table *t, const struct nor_geometry *geo,
                    struct err *err);
const struct partition *partition_find(const struct partition_table *t, const char *name);
/* The partition that holds addr, null for a gap. */
const struct partition *partition_at(const struct partition_table *t, uint32_t addr);

/* Fills every gap with the guard pattern (address-dependent bytes); by nor_load. */
int partition_guard(struct nor *n, const struct partition_table *t);
/* Address of the first guard byte that changed, or UINT32_MAX when all hold. */
uint32_t partition_guard_check(const struct nor *n, const struct partition_table *t);
/* Whether every byte of a range inside the chip holds the guard pattern. */
bool partition_guard_holds(const struct nor *n, uint32_t addr, uint32_t len_bytes);

#endif
