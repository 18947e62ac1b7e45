/*
 * The cells and their marks: what a complete or torn operation does to them, how marginal cells
 * settle at power-on, and what can be asked about them.
 *
 * Marks per granule, for parts that are not freely rewritable: `written` since its erase, `torn`
 * when an ECC part cannot read it now. Marks per cell: `weak`, read anew at each power-on.
 */
#include <string.h>

#include "common/bytes.h"
#include "flash_emu/nor_chip.h"
#include "flash_emu/tear.h"

struct mark {
    size_t byte;
    uint8_t bit;
};

static struct mark mark_of(const struct nor *n, uint32_t addr)
{
    uint32_t granule = addr % n->geo.erase_bytes / n->geo.granule_bytes;
    size_t first = (size_t)(addr / n->geo.erase_bytes) * n->mark_bytes;
    return (struct mark){.byte = first + granule / 8, .bit = (uint8_t)(1u << granule % 8)};
}

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

static void put_mark(uint8_t *marks, struct mark m, bool on)
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

static uint64_t word_at(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static bool asks_to_raise(const uint8_t *cells, const uint8_t *data, uint32_t len_bytes)
{
    uint64_t raised = 0;
    uint32_t i = 0;
    for (; i + sizeof raised <= len_bytes; i += sizeof raised)
        raised |= ~word_at(cells + i) & word_at(data + i);
    for (; i < len_bytes; i++)
        raised |= (uint8_t)(~cells[i] & data[i]);
    return raised != 0;
}

/* As many bytes as a register of every 64-bit host takes at once; four of them are a line. */
typedef uint64_t lanes __attribute__((vector_size(16)));

static inline lanes lanes_at(const uint8_t *p)
{
    lanes l;
    memcpy(&l, p, sizeof l);
    return l;
}

/* Bits only fall. Returns whether data asks for one that should rise: what every program of every
 * run passes through, so it goes over the cells once. */
static bool and_cells(uint8_t *cells, const uint8_t *data, uint32_t len_bytes)
{
    lanes wide = {0};
    uint64_t raised = 0, word;
    uint32_t i = 0;
    for (; i + 4 * sizeof wide <= len_bytes; i += 4 * sizeof wide) {
        lanes c0 = lanes_at(cells + i), d0 = lanes_at(data + i);
        lanes c1 = lanes_at(cells + i + 16), d1 = lanes_at(data + i + 16);
        lanes c2 = lanes_at(cells + i + 32), d2 = lanes_at(data + i + 32);
        lanes c3 = lanes_at(cells + i + 48), d3 = lanes_at(data + i + 48);
        const lanes fallen[] = {c0 & d0, c1 & d1, c2 & d2, c3 & d3};
        wide |= (~c0 & d0) | (~c1 & d1) | (~c2 & d2) | (~c3 & d3);
        memcpy(cells + i, fallen, sizeof fallen);
    }
    for (; i + sizeof word <= len_bytes; i += sizeof word) {
        raised |= ~word_at(cells + i) & word_at(data + i);
        word = word_at(cells + i) & word_at(data + i);
        memcpy(cells + i, &word, sizeof word);
    }
    for (; i < len_bytes; i++) {
        raised |= (uint8_t)(~cells[i] & data[i]);
        cells[i] &= data[i];
    }
    return (raised | wide[0] | wide[1]) != 0;
}

/* Within the unit. Returns whether a bit was asked to rise. */
static bool program_cells(struct nor *n, uint32_t unit, uint32_t addr, const uint8_t *data,
                          uint32_t len_bytes, bool weak)
{
    uint8_t *cells = n->cells + addr;
    uint8_t *marginal = n->weak + addr;
    if (weak) {
        n->flags[unit] |= UNIT_WEAK;
        for (uint32_t i = 0; i < len_bytes; i++)
            marginal[i] |= (uint8_t)(cells[i] & ~data[i]);
    } else if (n->flags[unit] & UNIT_WEAK) {
        (void)and_cells(marginal, data, len_bytes); /* a full pulse makes driven cells firm */
    }
    set_marks(n, addr, addr + len_bytes, true, false);
    return and_cells(cells, data, len_bytes);
}

static void erase_cells(struct nor *n, uint32_t unit, uint32_t addr, uint32_t len_bytes, bool weak)
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

static void count_wear(struct nor *n, uint32_t unit)
{
    uint8_t *wear = n->wear + 4 * (size_t)unit;
    uint32_t cycles = get_le32(wear);
    if (cycles != UINT32_MAX)
        put_le32(wear, cycles + 1);
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

void nor_complete(struct nor *n, struct nor_op *op)
{
    uint32_t unit = op->addr / n->geo.erase_bytes;
    nor_unit_touch(n, unit);
    if (op->kind == NOR_OP_PROGRAM) {
        op->raised_bits = program_cells(n, unit, op->addr, op->data, op->len_bytes, false);
        return;
    }
    if (n->any_dead)
        nor_revive(n, op->addr, op->len_bytes);
    count_wear(n, unit);
    erase_cells(n, unit, op->addr, op->len_bytes, false);
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
        (void)program_cells(n, unit, op->addr + from, op->data + from, o->done_to - from, o->weak);
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
