/*
 * Method. What is known of real parts, and which tear stands for it:
 *
 * - A NOR cell is an analogue charge with a threshold. A program pulse moves charge into the cells
 *   of a page in parallel, an erase takes it out of a whole unit; supply loss stops either at any
 *   level. Serial NOR parts with a page buffer therefore show any subset of the bits that were to
 *   fall (SCRAMBLED), denser the later the cut; controllers of MCU-internal flash write one word
 *   after the other and show a clean front (PREFIX, ALL_BUT_LAST) with at most one word in between.
 * - Erase of serial and parallel NOR first programs all cells to 0, then erases, then verifies
 *   region by region: a cut leaves bits on their way back to 1 (SCRAMBLED) or one region finished
 *   and another not (HALF_ERASED, PREFIX, ALL_BUT_LAST).
 * - A cut just before the last verify leaves cells near the threshold. They read right at once and
 *   differently at another temperature or supply voltage, that is: at a later power-on (WEAK). The
 *   read reference is common to a chip, so marginal cells of one unit tend to flip together: a
 *   power-on reads them all as 0, all as 1, or each for itself. Within one power-on a cell reads
 * the same. A further program pulse with the same data, or a completed erase, makes it firm.
 * - Internal flash with ECC stores check bits beside each granule. A granule left in between
 *   disagrees with its check bits, and reading it raises a bus fault or non-maskable interrupt;
 *   the only cure is an erase. Weak cells under ECC show as a granule that reads right or traps.
 * - NOTHING and DONE are the two edges: power fell before the command was accepted, or after it
 *   completed but before the firmware could know. ALL_BUT_BIT is the last moment before DONE: the
 *   slowest cell of the page or unit has not crossed its threshold yet. One bit decides whether a
 *   check value that covers it, or a flag that lacks it, is recognised.
 * - Controllers that check what they read (ECC, or a driver with a CRC per sector) answer a read of
 *   a torn range with an error instead of wrong bytes; only an erase ends that (UNREADABLE). On a
 *   part that is modelled with ECC the torn granules trap in any case.
 * - The high voltage of a program pulse stresses the cells that share word and bit lines with the
 *   page; when the supply sags in the pulse the inhibit voltages of the others sag with it, and a
 *   cell of another page of the unit may lose its charge state (DISTURB: one erased bit falls).
 * - Drivers with a write-back cache, and managed flash behind a controller, acknowledge before they
 *   write. What they hold is lost with the power, newest first (UNWRITTEN): the flash is as it was
 *   some operations ago, but whoever asked was told otherwise.
 *
 * Random choices are drawn per operation and per (power-on, unit), so one tear moves no other.
 */
#include "flash_emu/tear.h"

#include <string.h>

static const char *const tear_names[TEAR_COUNT] = {
    [TEAR_NOTHING] = "nothing",
    [TEAR_PREFIX] = "prefix",
    [TEAR_ALL_BUT_LAST] = "all-but-last",
    [TEAR_SCRAMBLED] = "scrambled",
    [TEAR_HALF_ERASED] = "half-erased",
    [TEAR_WEAK] = "weak",
    [TEAR_DONE] = "done",
    [TEAR_ALL_BUT_BIT] = "all-but-bit",
    [TEAR_UNREADABLE] = "unreadable",
    [TEAR_DISTURB] = "disturb",
    [TEAR_UNWRITTEN] = "unwritten",
};

const char *nor_tear_name(enum nor_tear tear)
{
    return (unsigned)tear < TEAR_COUNT ? tear_names[tear] : "unknown";
}

int nor_tear_parse(const char *name, enum nor_tear *out)
{
    for (unsigned i = 0; i < TEAR_COUNT; i++) {
        if (strcmp(tear_names[i], name) == 0) {
            *out = (enum nor_tear)i;
            return 0;
        }
    }
    return ERR_NOT_FOUND;
}

/* The part of an operation that stays undone in TEAR_ALL_BUT_LAST, in whole granules. */
static uint32_t last_part(enum nor_op_kind kind, uint32_t len_bytes, uint32_t granule_bytes)
{
    if (kind == NOR_OP_PROGRAM || len_bytes / 16 < granule_bytes)
        return granule_bytes;
    return len_bytes / 16 / granule_bytes * granule_bytes;
}

struct tear_outcome tear_plan(enum nor_tear tear, enum nor_op_kind kind, uint32_t arg,
                              uint32_t len_bytes, uint32_t granule_bytes, struct rng *rng)
{
    struct tear_outcome o = {0};
    uint32_t half = len_bytes / 2 / granule_bytes * granule_bytes;

    if (tear == TEAR_HALF_ERASED && kind == NOR_OP_PROGRAM)
        tear = TEAR_SCRAMBLED;
    switch (tear) {
    case TEAR_PREFIX:
        o.done_to = arg / granule_bytes * granule_bytes;
        if (o.done_to > len_bytes)
            o.done_to = len_bytes;
        break;
    case TEAR_ALL_BUT_LAST:
        o.done_to = len_bytes - last_part(kind, len_bytes, granule_bytes);
        break;
    case TEAR_SCRAMBLED:
        o.torn_to = len_bytes;
        break;
    case TEAR_HALF_ERASED:
        if (rng_below(rng, 2) == 0) {
            o.done_to = o.torn_from = half;
            o.torn_to = len_bytes;
        } else {
            o.torn_to = o.done_from = half;
            o.done_to = len_bytes;
        }
        break;
    case TEAR_WEAK:
        o.weak = true;
        o.done_to = len_bytes;
        break;
    case TEAR_DONE:
        o.done_to = len_bytes;
        break;
    case TEAR_ALL_BUT_BIT:
        o.but_bit = true;
        o.done_to = len_bytes;
        break;
    case TEAR_UNREADABLE:
        o.unreadable = true;
        o.torn_to = len_bytes;
        break;
    case TEAR_DISTURB:
        o.disturbs = kind == NOR_OP_PROGRAM; /* an erase has no other page in its unit */
        o.done_to = len_bytes;
        break;
    case TEAR_UNWRITTEN: /* the chip takes back what is older */
    case TEAR_NOTHING:
    case TEAR_COUNT:
        break;
    }
    return o;
}

/* How far the pulse had come: a quarter, half or three quarters of the cells moved. */
static unsigned draw_progress(struct rng *rng)
{
    return (unsigned)rng_below(rng, 3);
}

static uint64_t draw_moved(struct rng *rng, unsigned progress)
{
    uint64_t a = rng_u64(rng);
    if (progress == 0)
        return a & rng_u64(rng);
    return progress == 1 ? a : a | rng_u64(rng);
}

void tear_scatter_program(uint8_t *cells, const uint8_t *data, uint32_t len_bytes, struct rng *rng)
{
    unsigned progress = draw_progress(rng);
    uint64_t moved = 0;
    for (uint32_t i = 0; i < len_bytes; i++) {
        moved = i % 8 == 0 ? draw_moved(rng, progress) : moved >> 8;
        cells[i] = (uint8_t)(cells[i] & (data[i] | ~moved));
    }
}

void tear_scatter_erase(uint8_t *cells, uint32_t len_bytes, struct rng *rng)
{
    unsigned progress = draw_progress(rng);
    uint64_t moved = 0;
    for (uint32_t i = 0; i < len_bytes; i++) {
        moved = i % 8 == 0 ? draw_moved(rng, progress) : moved >> 8;
        cells[i] = (uint8_t)(cells[i] | moved);
    }
}

enum tear_reading tear_reading(struct rng *rng)
{
    static const enum tear_reading readings[] = {READING_ALL_0, READING_ALL_1, READING_MIXED,
                                                 READING_MIXED};
    return readings[rng_below(rng, 4)];
}

bool tear_settle(uint8_t *cells, const uint8_t *weak, uint32_t len_bytes, enum tear_reading reading,
                 struct rng *rng)
{
    bool any = false;
    for (uint32_t i = 0; i < len_bytes; i++) {
        if (weak[i] == 0)
            continue;
        uint8_t bits = reading == READING_ALL_0   ? 0
                       : reading == READING_ALL_1 ? 0xFF
                                                  : (uint8_t)rng_u64(rng);
        cells[i] = (uint8_t)((cells[i] & ~weak[i]) | (bits & weak[i]));
        any = true;
    }
    return any;
}
