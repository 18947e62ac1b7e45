/*
 * The cells and their marks: what a complete or torn operation does to them, how marginal cells
 * settle at power-on, and what can be asked about them.
 *
 * Marks per granule, for parts that are not freely rewritable: `written` since its erase, `torn`
 * when an ECC part cannot read it now. Marks per cell: `weak`, read anew at each power-on.
 */
#include <string.h>

#include "common/bytes.h"
#include "flash_emu/nor_cells.h"
#include "flash_emu/nor_chip.h"
#include "flash_emu/tear.h"

bool nor_any_mark(const struct nor *n, const uint8_t *marks, uint32_t addr, uint32_t len_bytes)
{
    if (marks == NULL || len_bytes == 0)
        return false;
    uint32_t step = n->geo.granule_bytes;
    for (uint32_t a = addr / step * step; a - addr < len_bytes || a < addr; a += step) {
        struct mark m = mark_of(n, a);
        if (marks[m.byte] & m.bit)
            return true;
    }
    return false;
}

static bool all_bytes(const uint8_t *p, uint32_t len_bytes, uint8_t value)
{
    for (uint32_t i = 0; i < len_bytes; i++)
        if (p[i] != value)
            return false;
    return true;
}

void nor_derive_marks(struct nor *n, uint32_t addr, uint32_t len_bytes)
{
    uint32_t step = n->geo.granule_bytes;
    uint32_t end = addr + len_bytes;
    for (uint32_t a = addr / step * step; n->written != NULL && a < end; a += step)
        set_marks(n, a, a + step, !all_bytes(n->cells + a, step, 0xFF), false);
}

/* ---- what an operation does to the cells ---- */

static void scatter(struct nor *n, const struct nor_op *op, uint32_t from, uint32_t to,
                    struct rng *rng)
{
    uint8_t *cells = n->cells + op->addr;
    if (op->kind == NOR_OP_PROGRAM) {
        tear_scatter_program(cells + from, op->data + from, to - from, rng);
        set_marks(n, op->addr + from, op->addr + to, true, true);
        return;
    }
    tear_scatter_erase(cells + from, to - from, rng);
    /* Granules that held nothing have nothing to lose; the others need a full erase. */
    for (uint32_t a = op->addr + from; n->written != NULL && a < op->addr + to;
         a += n->geo.granule_bytes) {
        struct mark m = mark_of(n, a);
        if (n->written[m.byte] & m.bit)
            put_mark(n->torn, m, true);
    }
}

/* The last bit that the operation changes within its done part: its byte, and *bit; false when it
 * changes none. */
static bool last_bit(const struct nor *n, const struct nor_op *op, const struct tear_outcome *o,
                     uint32_t *addr, uint8_t *bit)
{
    for (uint32_t i = o->done_to; i > o->done_from; i--) {
        uint8_t cell = n->cells[op->addr + i - 1];
        uint8_t changes =
            op->kind == NOR_OP_ERASE ? (uint8_t)~cell : (uint8_t)(cell & ~op->data[i - 1]);
        if (changes == 0)
            continue;
        *addr = op->addr + i - 1;
        *bit = (uint8_t)(changes & (~changes + 1));
        return true;
    }
    return false;
}

/* That bit has stayed what it was. */
static void leave_bit(struct nor *n, enum nor_op_kind kind, uint32_t addr, uint8_t bit)
{
    if (kind == NOR_OP_ERASE)
        n->cells[addr] &= (uint8_t)~bit;
    else
        n->cells[addr] |= bit;
    if (n->written != NULL) {
        put_mark(n->written, mark_of(n, addr), true);
        put_mark(n->torn, mark_of(n, addr), true);
    }
}

void nor_take_effect(struct nor *n, struct nor_op *op, const struct tear_outcome *o,
                     struct rng *rng)
{
    if (o->done_from == o->done_to && o->torn_from == o->torn_to)
        return;
    uint32_t unit = op->addr / n->geo.erase_bytes;
    uint32_t from = o->done_from;
    nor_unit_touch(n, unit);
    uint32_t last = 0;
    uint8_t bit = 0;
    bool keeps = o->but_bit && last_bit(n, op, o, &last, &bit);
    if (op->kind == NOR_OP_ERASE && o->done_to - from == op->len_bytes)
        nor_revive(n, op->addr, op->len_bytes);
    if (op->kind == NOR_OP_ERASE) {
        count_wear(n, unit);
        erase_cells(n, unit, op->addr + from, o->done_to - from, o->weak);
    } else {
        op->raised_bits = asks_to_raise(n->cells + op->addr, op->data, op->len_bytes);
        program_cells(n, unit, op->addr + from, op->data + from, o->done_to - from, o->weak);
    }
    if (o->torn_from != o->torn_to)
        scatter(n, op, o->torn_from, o->torn_to, rng);
    if (keeps)
        leave_bit(n, op->kind, last, bit);
    if (o->unreadable)
        nor_kill_range(n, op->addr, op->len_bytes);
    if (o->disturbs)
        nor_disturb(n, op, rng);
}

/* An ECC part reads a marginal granule right or traps; the content itself stays. */
static bool settle_ecc(struct nor *n, uint32_t addr, enum tear_reading reading, struct rng *rng)
{
    bool any = false;
    uint32_t step = n->geo.granule_bytes;
    for (uint32_t a = addr; a < addr + n->geo.erase_bytes; a += step) {
        if (all_bytes(n->weak + a, step, 0))
            continue;
        bool trap = reading == READING_MIXED ? rng_below(rng, 2) == 1 : reading == READING_ALL_1;
        put_mark(n->torn, mark_of(n, a), trap);
        any = true;
    }
    return any;
}

void nor_settle_unit(struct nor *n, uint32_t unit, uint64_t power_on)
{
    struct rng rng;
    rng_init(&rng, n->seed, "nor", "weak", power_on << 32 | unit);
    enum tear_reading reading = tear_reading(&rng);
    uint32_t addr = unit * n->geo.erase_bytes;
    bool any;
    nor_unit_touch(n, unit);
    if (n->geo.policy == NOR_ECC)
        any = settle_ecc(n, addr, reading, &rng);
    else
        any = tear_settle(n->cells + addr, n->weak + addr, n->geo.erase_bytes, reading, &rng);
    if (!any)
        n->flags[unit] &= (uint8_t)~UNIT_WEAK;
}

int nor_load(struct nor *n, uint32_t addr, const void *data, uint32_t len_bytes)
{
    if (addr > n->geo.size_bytes || len_bytes > n->geo.size_bytes - addr ||
        (data == NULL && len_bytes > 0))
        return ERR_ARG;
    if (len_bytes == 0)
        return 0;
    for (uint32_t u = addr / n->geo.erase_bytes; u <= (addr + len_bytes - 1) / n->geo.erase_bytes;
         u++)
        nor_unit_touch(n, u);
    memcpy(n->cells + addr, data, len_bytes);
    memset(n->weak + addr, 0, len_bytes);
    nor_derive_marks(n, addr, len_bytes);
    return 0;
}

uint32_t nor_wear(const struct nor *n, uint32_t addr)
{
    if (addr >= n->geo.size_bytes)
        return 0;
    return get_le32(n->wear + 4 * (size_t)(addr / n->geo.erase_bytes));
}

uint32_t nor_weak_cells(const struct nor *n, uint32_t addr, uint32_t len_bytes)
{
    uint32_t count = 0;
    if (addr > n->geo.size_bytes || len_bytes > n->geo.size_bytes - addr)
        return 0;
    for (uint32_t a = addr; a < addr + len_bytes; a++) {
        if (!(n->flags[a / n->geo.erase_bytes] & UNIT_WEAK)) {
            a = (a / n->geo.erase_bytes + 1) * n->geo.erase_bytes - 1;
            continue;
        }
        for (uint8_t bits = n->weak[a]; bits != 0; bits &= (uint8_t)(bits - 1))
            count++;
    }
    return count;
}

bool nor_is_torn(const struct nor *n, uint32_t addr, uint32_t len_bytes)
{
    if (addr > n->geo.size_bytes || len_bytes > n->geo.size_bytes - addr)
        return false;
    return n->geo.policy == NOR_ECC && nor_any_mark(n, n->torn, addr, len_bytes);
}
