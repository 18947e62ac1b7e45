/*
 * Flash partitions of OneOS (seed 000 §3.1.1). Addresses count from the start of the partition.
 *
 * Declared behaviour (design §9, requirements FLS): erased value 0xFF. Read: any alignment. Write:
 * address and length must be multiples of page_size, else refused; where the chip allows rewriting,
 * flash becomes old AND new, on write-once chips a second write fails. Erase: address must be a
 * block multiple, length is rounded up to whole blocks. Zero length: 0, nothing happens. Anything
 * reaching past the end is refused as a whole. Two tasks never use the chip at the same time: the
 * later one waits.
 */
#ifndef OTABENCH_ONEOS_FAL_PART_H
#define OTABENCH_ONEOS_FAL_PART_H

#include "sim_device/port/oneos/fal.h"

typedef struct fal_part_info {
    char name[FAL_DEV_NAME_MAX];
    char flash_name[FAL_DEV_NAME_MAX];
    os_uint32_t offset; /* on the chip */
    os_uint32_t size;   /* bytes */
    os_uint32_t flags;  /* unused */
} fal_part_info_t;

typedef struct fal_part {
    fal_part_info_t *info;
    fal_flash_t *flash;
    os_uint32_t flags; /* unused */
} fal_part_t;

#define fal_part_size(part)       ((part)->info->size)
#define fal_part_block_size(part) ((part)->flash->block_size)
#define fal_part_page_size(part)  ((part)->flash->page_size)

/* Failure of a chip access, other than OS_EIO: what is stored there cannot be read (an ECC granule
 * torn by a power cut). Any result below 0 is a failure. */
#define FAL_EUNREADABLE (-13)

/* Makes the table fal_part_find looks into; done once at power-on, again is harmless. The number of
 * partitions, or -1 outside a task. §3.2.1 (names it; the document gives no prototype) */
int fal_part_init(void);
/* The partition of that name; valid until power-off. Null when unknown, null or empty. §3.1.1.2 */
fal_part_t *fal_part_find(const char *name);
/* size, or negative: -1 bad arguments, OS_EIO, FAL_EUNREADABLE. §3.1.1.3 */
int fal_part_read(fal_part_t *part, os_uint32_t addr, os_uint8_t *buf, os_size_t size);
/* size, or negative as above. §3.1.1.4 */
int fal_part_write(fal_part_t *part, os_uint32_t addr, const os_uint8_t *buf, os_size_t size);
/* 0, or negative as above. §3.1.1.5 */
int fal_part_erase(fal_part_t *part, os_uint32_t addr, os_size_t size);

#endif
