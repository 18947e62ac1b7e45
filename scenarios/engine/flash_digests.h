/*
 * The digest engine of a device that the bench runs again and again on one chip: counts what is
 * asked, and on request gives digests of contents that were hashed before. Which contents are the
 * same is found by comparing them (digest_memo.h, flash_compare.h).
 */
#ifndef OTABENCH_ENGINE_FLASH_DIGESTS_H
#define OTABENCH_ENGINE_FLASH_DIGESTS_H

#include "scenarios/engine/closure_device.h"
#include "scenarios/engine/digest_memo.h"
#include "scenarios/engine/flash_compare.h"

/* The owner's memory; it does not move. */
struct flash_digests {
    struct board_memo engine;
    const struct nor *chip;
    struct digest_memo *memo;
    struct flash_compare *compare;
    bool memoise;
    uint64_t computed, recalled;
};

/* Of an opened device, whose images are expected; it gets engine and comparison. The device must
 * live until close. ERR_NOMEM; close in any case. */
int flash_digests_open(struct flash_digests *f, struct closure_device *d, bool memoise);
void flash_digests_close(struct flash_digests *f);

#endif
