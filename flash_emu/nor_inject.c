/* I/O faults as scripted: which access fails next, and the silent wrong bit. */
#include <string.h>

#include "common/rng.h"
#include "flash_emu/nor_chip.h"

int nor_inject(struct nor *n, enum nor_io kind, uint32_t addr, uint32_t len_bytes, int count)
{
    if (count == 0 || len_bytes == 0 || addr >= n->geo.size_bytes ||
        len_bytes > n->geo.size_bytes - addr)
        return ERR_ARG;
    if (n->injection_count == NOR_INJECT_MAX)
        return ERR_LIMIT;
    n->injections[n->injection_count++] =
        (struct nor_injection){.kind = kind, .addr = addr, .len_bytes = len_bytes, .count = count};
    return 0;
}

void nor_clear_faults(struct nor *n)
{
    n->injection_count = 0;
}

bool nor_injection_at(const struct nor *n, size_t index, enum nor_io *kind, uint32_t *addr,
                      uint32_t *len_bytes, int *count)
{
    if (index >= n->injection_count)
        return false;
    const struct nor_injection *f = &n->injections[index];
    *kind = f->kind;
    *addr = f->addr;
    *len_bytes = f->len_bytes;
    *count = f->count;
    return true;
}

static struct nor_injection *find_injection(struct nor *n, enum nor_io kind, uint32_t addr,
                                            uint32_t len_bytes)
{
    for (size_t i = 0; i < n->injection_count; i++) {
        struct nor_injection *f = &n->injections[i];
        if (f->kind == kind && addr < f->addr + f->len_bytes && f->addr < addr + len_bytes)
            return f;
    }
    return NULL;
}

static void use_up(struct nor *n, struct nor_injection *f)
{
    if (f->count < 0 || --f->count > 0)
        return;
    size_t index = (size_t)(f - n->injections);
    n->injection_count--;
    memmove(f, f + 1, (n->injection_count - index) * sizeof(*f));
}

bool nor_injected(struct nor *n, enum nor_io kind, uint32_t addr, uint32_t len_bytes)
{
    if (n->injection_count == 0 || len_bytes == 0)
        return false;
    struct nor_injection *f = find_injection(n, kind, addr, len_bytes);
    if (f != NULL)
        use_up(n, f);
    return f != NULL;
}

/*
 * One bit of what was just programmed turns out wrong: a cell that should have fallen did not, or
 * one fell that should not. `before` is the content the operation found. The search starts at a
 * drawn bit and takes the first that was 1; without any, nothing can go wrong.
 */
void nor_corrupt(struct nor *n, const struct nor_op *op, const uint8_t *before)
{
    if (n->injection_count == 0)
        return;
    struct nor_injection *f = find_injection(n, NOR_IO_CORRUPT, op->addr, op->len_bytes);
    if (f == NULL)
        return;
    uint32_t from = f->addr > op->addr ? f->addr - op->addr : 0;
    uint32_t to = op->len_bytes;
    if (f->addr + f->len_bytes < op->addr + op->len_bytes)
        to = f->addr + f->len_bytes - op->addr;
    struct rng rng;
    rng_init(&rng, n->seed, "nor", "corrupt", op->number);
    uint64_t bits = 8 * (uint64_t)(to - from);
    uint64_t start = rng_below(&rng, bits);
    for (uint64_t i = 0; i < bits; i++) {
        uint64_t at = (start + i) % bits;
        uint32_t byte = from + (uint32_t)(at / 8);
        uint8_t bit = (uint8_t)(1u << at % 8);
        if (before[byte] & bit) {
            n->cells[op->addr + byte] ^= bit;
            use_up(n, f);
            return;
        }
    }
}
