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

void nor_raw_settle(struct nor *n, uint32_t unit, enum tear_reading reading)
{
    for (uint64_t power_on = 1;; power_on++) {
        struct rng rng;
        rng_init(&rng, n->seed, "nor", "weak", power_on << 32 | unit);
        if (tear_reading(&rng) == reading) {
            nor_settle_unit(n, unit, power_on);
            return;
        }
    }
}

void nor_raw_set_op_count(struct nor *n, uint64_t count)
{
    nor_meta_set_ops(n, count);
}
