/* What a cut does beyond the cells of its operation: a lost cache, ranges that cannot be read,
 * neighbours that were disturbed. Why: "Method" in tear.c. */
#include <stdlib.h>
#include <string.h>

#include "flash_emu/nor_chip.h"

/* ---- write-back cache ---- */

int nor_hold(struct nor *n, const struct nor_op *op)
{
    uint32_t most = n->geo.write_back_ops;
    uint8_t *copy = malloc(op->len_bytes);
    if (copy == NULL)
        return ERR_NOMEM;
    memcpy(copy, n->cells + op->addr, op->len_bytes);
    if (n->n_held == most) { /* the oldest one is written by now */
        free(n->held[n->held_from].cells);
        n->held[n->held_from].cells = NULL;
        n->held_from = (n->held_from + 1) % NOR_WRITE_BACK_MAX;
        n->n_held--;
    }
    n->held[(n->held_from + n->n_held++) % NOR_WRITE_BACK_MAX] =
        (struct nor_undo){.addr = op->addr, .len_bytes = op->len_bytes, .cells = copy};
    return 0;
}

void nor_take_back(struct nor *n, uint32_t count)
{
    count = count == 0 || count > n->n_held ? n->n_held : count;
    for (uint32_t i = 0; i < count; i++) {
        struct nor_undo *u = &n->held[(n->held_from + --n->n_held) % NOR_WRITE_BACK_MAX];
        nor_unit_touch(n, u->addr / n->geo.erase_bytes);
        memcpy(n->cells + u->addr, u->cells, u->len_bytes);
        nor_derive_marks(n, u->addr, u->len_bytes);
        free(u->cells);
        u->cells = NULL;
    }
}

void nor_forget_held(struct nor *n)
{
    for (uint32_t i = 0; i < NOR_WRITE_BACK_MAX; i++) {
        free(n->held[i].cells);
        n->held[i] = (struct nor_undo){.cells = NULL};
    }
    n->held_from = n->n_held = 0;
}

/* ---- ranges that cannot be read ---- */

static bool overlaps(const struct nor_range *r, uint32_t addr, uint32_t len_bytes)
{
    return r->len_bytes > 0 && addr < r->addr + r->len_bytes && r->addr < addr + len_bytes;
}

void nor_kill_range(struct nor *n, uint32_t addr, uint32_t len_bytes)
{
    n->dead[n->dead_next] = (struct nor_range){.addr = addr, .len_bytes = len_bytes};
    n->dead_next = (n->dead_next + 1) % NOR_FLIGHTS;
    n->any_dead = true;
}

bool nor_is_dead(const struct nor *n, uint32_t addr, uint32_t len_bytes)
{
    for (size_t i = 0; i < NOR_FLIGHTS; i++)
        if (overlaps(&n->dead[i], addr, len_bytes))
            return true;
    return false;
}

void nor_revive(struct nor *n, uint32_t addr, uint32_t len_bytes)
{
    n->any_dead = false;
    for (size_t i = 0; i < NOR_FLIGHTS; i++) {
        if (overlaps(&n->dead[i], addr, len_bytes))
            n->dead[i].len_bytes = 0;
        n->any_dead = n->any_dead || n->dead[i].len_bytes > 0;
    }
}

/* ---- neighbours ---- */

void nor_disturb(struct nor *n, const struct nor_op *op, struct rng *rng)
{
    uint32_t unit = op->addr / n->geo.erase_bytes * n->geo.erase_bytes;
    uint32_t page = op->addr / n->geo.page_bytes * n->geo.page_bytes;
    uint32_t others = n->geo.erase_bytes - n->geo.page_bytes;
    if (others == 0)
        return;
    uint32_t at = unit + (uint32_t)rng_below(rng, others);
    at += at >= page ? n->geo.page_bytes : 0;
    /* The next byte behind it that has a bit to lose; there may be none. */
    for (uint32_t i = 0; i < n->geo.erase_bytes; i++, at++) {
        at = at == unit + n->geo.erase_bytes ? unit : at;
        if (at / n->geo.page_bytes == page / n->geo.page_bytes || n->cells[at] == 0)
            continue;
        n->cells[at] &= (uint8_t)(n->cells[at] - 1); /* its lowest bit that is 1 */
        return;
    }
}
