#include "flash_emu/nor_raw.h"

#include <string.h>

#include "flash_emu/nor_chip.h"

void nor_raw_get(const struct nor *n, uint32_t addr, uint32_t len_bytes, uint8_t *cells,
                 uint8_t *weak)
{
    memcpy(cells, n->cells + addr, len_bytes);
    memcpy(weak, n->weak + addr, len_bytes);
}

static bool any_bit(const uint8_t *p, uint32_t len_bytes)
{
    uint8_t bits = 0;
    for (uint32_t i = 0; i < len_bytes; i++)
        bits |= p[i];
    return bits != 0;
}

void nor_raw_put(struct nor *n, uint32_t addr, uint32_t len_bytes, const uint8_t *cells,
                 const uint8_t *weak)
{
    uint32_t unit = addr / n->geo.erase_bytes;
    bool was_weak = (n->flags[unit] & UNIT_WEAK) != 0;
    bool is_weak = weak != NULL && any_bit(weak, len_bytes);
    nor_unit_touch(n, unit);
    memcpy(n->cells + addr, cells, len_bytes);
    if (is_weak)
        memcpy(n->weak + addr, weak, len_bytes);
    else if (was_weak)
        memset(n->weak + addr, 0, len_bytes);
    if (is_weak)
        n->flags[unit] |= UNIT_WEAK;
    else if (len_bytes == n->geo.erase_bytes)
        n->flags[unit] &= (uint8_t)~UNIT_WEAK;
}

uint32_t nor_raw_mark_bytes(const struct nor *n)
{
    return n->mark_bytes;
}

void nor_raw_marks_get(const struct nor *n, uint32_t unit, uint8_t *marks)
{
    size_t at = (size_t)unit * n->mark_bytes;
    if (n->mark_bytes == 0)
        return;
    memcpy(marks, n->written + at, n->mark_bytes);
    memcpy(marks + n->mark_bytes, n->torn + at, n->mark_bytes);
}

void nor_raw_marks_put(struct nor *n, uint32_t unit, const uint8_t *marks)
{
    size_t at = (size_t)unit * n->mark_bytes;
    if (n->mark_bytes == 0)
        return;
    nor_unit_touch(n, unit);
    memcpy(n->written + at, marks, n->mark_bytes);
    memcpy(n->torn + at, marks + n->mark_bytes, n->mark_bytes);
}

#define DRAWN_TOGETHER 64u

void nor_raw_reading(const struct nor *n, uint32_t addr, uint32_t len_bytes,
                     enum tear_reading reading, uint8_t *out)
{
    uint8_t bits[DRAWN_TOGETHER];
    if (reading != READING_MIXED) {
        memset(out, reading == READING_ALL_1 ? 0xFF : 0, len_bytes);
        return;
    }
    for (uint32_t done = 0; done < len_bytes;) {
        uint32_t at = (addr + done) % DRAWN_TOGETHER, step = DRAWN_TOGETHER - at;
        struct rng rng;
        rng_init(&rng, n->seed, "nor", "mixed", (addr + done) / DRAWN_TOGETHER);
        rng_fill(&rng, bits, sizeof bits);
        if (step > len_bytes - done)
            step = len_bytes - done;
        memcpy(out + done, bits + at, step);
        done += step;
    }
}

bool nor_raw_traps(const struct nor *n, uint32_t addr, enum tear_reading reading)
{
    uint8_t bits;
    nor_raw_reading(n, addr, 1, reading, &bits);
    return (bits & 1) != 0;
}

/* An ECC part keeps the content, and the granule reads right or traps. */
static void settle_granules(struct nor *n, uint32_t unit, enum tear_reading reading)
{
    uint32_t step = n->geo.granule_bytes, addr = unit * n->geo.erase_bytes;
    uint8_t *torn = n->torn + (size_t)unit * n->mark_bytes;
    for (uint32_t g = 0; g < n->geo.erase_bytes / step; g++) {
        if (!any_bit(n->weak + addr + g * step, step))
            continue;
        torn[g / 8] &= (uint8_t) ~(1u << g % 8);
        if (nor_raw_traps(n, addr + g * step, reading))
            torn[g / 8] |= (uint8_t)(1u << g % 8);
    }
}

void nor_raw_settle(struct nor *n, uint32_t unit, enum tear_reading reading)
{
    uint8_t bits[DRAWN_TOGETHER];
    uint32_t addr = unit * n->geo.erase_bytes, end = addr + n->geo.erase_bytes;
    nor_unit_touch(n, unit);
    if (n->geo.policy == NOR_ECC) {
        settle_granules(n, unit, reading);
        return;
    }
    for (uint32_t a = addr; a < end; a += DRAWN_TOGETHER) {
        uint32_t step = end - a < DRAWN_TOGETHER ? end - a : DRAWN_TOGETHER;
        if (!any_bit(n->weak + a, step))
            continue;
        nor_raw_reading(n, a, step, reading, bits);
        for (uint32_t i = 0; i < step; i++)
            n->cells[a + i] =
                (uint8_t)((n->cells[a + i] & ~n->weak[a + i]) | (bits[i] & n->weak[a + i]));
    }
}

void nor_raw_set_op_count(struct nor *n, uint64_t count)
{
    nor_meta_set_ops(n, count);
}
