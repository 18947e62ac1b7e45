/*
 * Flash for human eyes: maps, wear, dumps and differences as plain text of at most 100 columns,
 * appended to the caller's buffer. Nothing here changes a chip; nor_view opens files for it.
 *
 * Where a partition table is taken, it may be null: then the chip is one section. All calls return
 * 0, ERR_ARG for a range outside the chip, or the buffer's ERR_LIMIT / ERR_NOMEM (text then ends
 * early).
 */
#ifndef OTABENCH_FLASH_EMU_INSPECT_H
#define OTABENCH_FLASH_EMU_INSPECT_H

#include "common/bytes.h"
#include "flash_emu/nor.h"
#include "flash_emu/partition.h"

/*
 * One character per erase unit, 64 a line with the address before it, a section per partition and
 * gap with its fill in percent. Legend included:
 * . erased, - + # by how much is programmed, G guard, ! other data in a gap, w weak cells, t torn.
 */
int flash_map(struct buf *out, const struct nor *n, const struct partition_table *t);

/* The same picture of erase cycles: . none, 1-9, then a letter per step of 1-2-5; ! beyond the
 * promised endurance. Each section with its total and its most worn unit. */
int flash_wear_map(struct buf *out, const struct nor *n, const struct partition_table *t);

/* Hex and ASCII, 16 bytes a line from addr on; repeated lines folded to "*", the end address last.
 * Lines with marginal cells or granules that trap say so. */
int flash_dump(struct buf *out, const struct nor *n, uint32_t addr, uint32_t len_bytes);

/*
 * Ranges where two chips of one size (else ERR_ARG) differ; equal stretches under 16 bytes do not
 * split one, section borders do. Each line: range, bytes that differ, place in its partition, first
 * bytes of a and of b. At most max_ranges lines, the rest is summed up. *differing (may be null):
 * bytes in all.
 */
int flash_diff(struct buf *out, const struct nor *a, const struct nor *b,
               const struct partition_table *t, size_t max_ranges, uint64_t *differing);

#endif
