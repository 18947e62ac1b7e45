/* Which tears of an operation are tried: each kind that is asked for, and of prefixes the borders
 * that may matter. */
#ifndef OTABENCH_ENGINE_TEAR_VARIANTS_H
#define OTABENCH_ENGINE_TEAR_VARIANTS_H

#include "flash_emu/nor.h"

#define VARIANTS_MAX 64 /* tears of one operation */

struct tear_variant {
    enum nor_tear tear;
    uint32_t arg;
};

struct variants_of {
    const struct nor_geometry *geometry;
    uint32_t tears;  /* 1 << enum nor_tear each */
    bool one_border; /* a prefix is the first half alone */
};

/* How many, in the order of enum nor_tear. The same operation always has the same. */
uint32_t tear_variants(const struct variants_of *o, enum nor_op_kind kind, uint32_t addr,
                       uint32_t len_bytes, struct tear_variant out[VARIANTS_MAX]);

#endif
