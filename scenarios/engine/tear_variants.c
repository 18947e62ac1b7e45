#include "scenarios/engine/tear_variants.h"

/* Short programs are marks: there every border may matter. Longer ones may be records, which begin
 * with what decides. */
#define EVERY_BORDER_UP_TO 32u
#define EARLY_BORDER       16u

/* A border drawn by address: the same operation always has the same. */
static uint32_t drawn_border(uint32_t addr, uint32_t parts)
{
    uint64_t x = (addr + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);
    return 1 + (uint32_t)((x >> 33) % (parts - 1));
}

static uint32_t prefixes(const struct variants_of *o, enum nor_op_kind kind, uint32_t addr,
                         uint32_t len_bytes, uint32_t out[])
{
    uint32_t step = kind == NOR_OP_PROGRAM ? o->geometry->granule_bytes : o->geometry->page_bytes;
    uint32_t parts = len_bytes / step, n = 0;
    if (parts < 2)
        return 0;
    if (o->one_border) {
        out[0] = parts / 2 * step;
        return 1;
    }
    if (len_bytes <= EVERY_BORDER_UP_TO) {
        for (uint32_t i = 1; i < parts; i++)
            out[n++] = i * step;
        return n;
    }
    uint32_t drawn = drawn_border(addr, parts);
    uint32_t early = EARLY_BORDER / step;
    out[n++] = step;
    if (early > 1 && early != parts / 2)
        out[n++] = early * step;
    if (parts / 2 > 1)
        out[n++] = parts / 2 * step;
    if (drawn > 1 && drawn != parts / 2 && drawn != early)
        out[n++] = drawn * step;
    return n;
}

uint32_t tear_variants(const struct variants_of *o, enum nor_op_kind kind, uint32_t addr,
                       uint32_t len_bytes, struct tear_variant out[VARIANTS_MAX])
{
    uint32_t n = 0, tears = o->tears, borders[EVERY_BORDER_UP_TO];
    for (int t = 0; t < TEAR_COUNT; t++) {
        if (!(tears & 1u << t))
            continue;
        /* For a program these two are one. */
        if (t == TEAR_HALF_ERASED && kind == NOR_OP_PROGRAM && tears & 1u << TEAR_SCRAMBLED)
            continue;
        if (t != TEAR_PREFIX) {
            out[n++] = (struct tear_variant){.tear = (enum nor_tear)t};
            continue;
        }
        uint32_t count = prefixes(o, kind, addr, len_bytes, borders);
        for (uint32_t i = 0; i < count; i++)
            out[n++] = (struct tear_variant){.tear = TEAR_PREFIX, .arg = borders[i]};
    }
    return n;
}
