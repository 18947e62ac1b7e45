/*
 * What a full pulse does to cells and marks. Every program and erase of every run passes through
 * here, so these are inlined into the operations (nor.c) and into what cuts leave of them
 * (nor_cells.c); nobody else includes them.
 */
#ifndef OTABENCH_FLASH_EMU_NOR_CELLS_H
#define OTABENCH_FLASH_EMU_NOR_CELLS_H

#include <string.h>

#include "flash_emu/nor_chip.h"

struct mark {
    size_t byte;
    uint8_t bit;
};

static inline struct mark mark_of(const struct nor *n, uint32_t addr)
{
    uint32_t granule = addr % n->geo.erase_bytes / n->geo.granule_bytes;
    size_t first = (size_t)(addr / n->geo.erase_bytes) * n->mark_bytes;
    return (struct mark){.byte = first + granule / 8, .bit = (uint8_t)(1u << granule % 8)};
}

static inline void put_mark(uint8_t *marks, struct mark m, bool on)
{
    if (on)
        marks[m.byte] |= m.bit;
    else
        marks[m.byte] &= (uint8_t)~m.bit;
}

/* Whole granules only, as all operations are. */
static inline void set_marks(struct nor *n, uint32_t from, uint32_t to, bool written, bool torn)
{
    if (n->written == NULL)
        return;
    for (uint32_t a = from; a < to; a += n->geo.granule_bytes) {
        put_mark(n->written, mark_of(n, a), written);
        put_mark(n->torn, mark_of(n, a), torn);
    }
}

/* As many bytes as a register of every 64-bit host takes at once. */
typedef uint64_t lanes __attribute__((vector_size(16)));

static inline lanes lanes_at(const uint8_t *p)
{
    lanes l;
    memcpy(&l, p, sizeof l);
    return l;
}

static inline void and_lanes(uint8_t *cells, const uint8_t *data)
{
    lanes fallen = lanes_at(cells) & lanes_at(data);
    memcpy(cells, &fallen, sizeof fallen);
}

/* Bits only fall. */
static inline void and_cells(uint8_t *cells, const uint8_t *data, uint32_t len_bytes)
{
    size_t step = sizeof(lanes), i = 0;
    for (; i + 4 * step <= len_bytes; i += 4 * step) {
        and_lanes(cells + i, data + i);
        and_lanes(cells + i + step, data + i + step);
        and_lanes(cells + i + 2 * step, data + i + 2 * step);
        and_lanes(cells + i + 3 * step, data + i + 3 * step);
    }
    for (; i < len_bytes; i++)
        cells[i] &= data[i];
}

/* Whether data asks for a bit that would have to rise. */
static inline bool asks_to_raise(const uint8_t *cells, const uint8_t *data, uint32_t len_bytes)
{
    lanes wide = {0};
    uint8_t raised = 0;
    size_t i = 0;
    for (; i + sizeof wide <= len_bytes; i += sizeof wide)
        wide |= ~lanes_at(cells + i) & lanes_at(data + i);
    for (; i < len_bytes; i++)
        raised |= (uint8_t)(~cells[i] & data[i]);
    return (wide[0] | wide[1] | raised) != 0;
}

/* Within the unit. */
static inline void program_cells(struct nor *n, uint32_t unit, uint32_t addr, const uint8_t *data,
                                 uint32_t len_bytes, bool weak)
{
    uint8_t *cells = n->cells + addr;
    uint8_t *marginal = n->weak + addr;
    if (weak) {
        n->flags[unit] |= UNIT_WEAK;
        for (uint32_t i = 0; i < len_bytes; i++)
            marginal[i] |= (uint8_t)(cells[i] & ~data[i]);
    } else if (n->flags[unit] & UNIT_WEAK) {
        and_cells(marginal, data, len_bytes); /* a full pulse makes driven cells firm */
    }
    set_marks(n, addr, addr + len_bytes, true, false);
    and_cells(cells, data, len_bytes);
}

static inline void erase_cells(struct nor *n, uint32_t unit, uint32_t addr, uint32_t len_bytes,
                               bool weak)
{
    uint8_t *cells = n->cells + addr;
    uint8_t *marginal = n->weak + addr;
    if (weak) {
        n->flags[unit] |= UNIT_WEAK;
        for (uint32_t i = 0; i < len_bytes; i++)
            marginal[i] |= (uint8_t)~cells[i];
    } else if (n->flags[unit] & UNIT_WEAK) {
        memset(marginal, 0, len_bytes);
        if (len_bytes == n->geo.erase_bytes)
            n->flags[unit] &= (uint8_t)~UNIT_WEAK;
    }
    memset(cells, 0xFF, len_bytes);
    set_marks(n, addr, addr + len_bytes, false, false);
}

static inline void count_wear(struct nor *n, uint32_t unit)
{
    uint8_t *wear = n->wear + 4 * (size_t)unit;
    uint32_t cycles = get_le32(wear);
    if (cycles != UINT32_MAX)
        put_le32(wear, cycles + 1);
}

/* The whole operation takes effect. raised_bits is for whoever observes it. */
static inline void complete_cells(struct nor *n, struct nor_op *op)
{
    uint32_t unit = op->addr / n->geo.erase_bytes;
    nor_unit_touch(n, unit);
    if (op->kind == NOR_OP_PROGRAM) {
        if (n->hooks.observe != NULL)
            op->raised_bits = asks_to_raise(n->cells + op->addr, op->data, op->len_bytes);
        program_cells(n, unit, op->addr, op->data, op->len_bytes, false);
        return;
    }
    if (n->any_dead)
        nor_revive(n, op->addr, op->len_bytes);
    count_wear(n, unit);
    erase_cells(n, unit, op->addr, op->len_bytes, false);
}

#endif
