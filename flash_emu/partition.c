#include "flash_emu/partition.h"

#include <string.h>

#define GUARD_PAGE 256u /* bytes of guard made at a time */

static int check_one(const struct partition_table *t, size_t index, const struct nor_geometry *geo,
                     struct err *err)
{
    const struct partition *p = &t->part[index];
    if (memchr(p->name, '\0', sizeof(p->name)) == NULL)
        return err_set(err, ERR_FORMAT, "partition %zu: name is longer than %d characters", index,
                       PARTITION_NAME_MAX - 1);
    if (p->name[0] == '\0')
        return err_set(err, ERR_FORMAT, "partition %zu: name is empty", index);
    if (p->size_bytes == 0)
        return err_set(err, ERR_FORMAT, "partition %s: size must not be 0", p->name);
    if (p->offset % geo->erase_bytes != 0 || p->size_bytes % geo->erase_bytes != 0)
        return err_set(err, ERR_FORMAT,
                       "partition %s: offset 0x%x and size 0x%x must be multiples of the erase "
                       "unit 0x%x of %s",
                       p->name, (unsigned)p->offset, (unsigned)p->size_bytes,
                       (unsigned)geo->erase_bytes, geo->name);
    if (p->offset > geo->size_bytes || p->size_bytes > geo->size_bytes - p->offset)
        return err_set(err, ERR_FORMAT,
                       "partition %s: offset 0x%x plus size 0x%x is beyond the end 0x%x of %s",
                       p->name, (unsigned)p->offset, (unsigned)p->size_bytes,
                       (unsigned)geo->size_bytes, geo->name);
    for (size_t i = 0; i < index; i++) {
        const struct partition *q = &t->part[i];
        if (strcmp(p->name, q->name) == 0)
            return err_set(err, ERR_FORMAT, "partition %s: name is used twice", p->name);
        if (p->offset < q->offset + q->size_bytes && q->offset < p->offset + p->size_bytes)
            return err_set(err, ERR_FORMAT, "partition %s: overlaps partition %s", p->name,
                           q->name);
    }
    return 0;
}

int partition_check(const struct partition_table *t, const struct nor_geometry *geo,
                    struct err *err)
{
    if (t->count > PARTITION_MAX)
        return err_set(err, ERR_FORMAT, "%zu partitions, at most %d are allowed", t->count,
                       PARTITION_MAX);
    for (size_t i = 0; i < t->count; i++) {
        int rc = check_one(t, i, geo, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

const struct partition *partition_find(const struct partition_table *t, const char *name)
{
    for (size_t i = 0; name != NULL && i < t->count; i++)
        if (strncmp(t->part[i].name, name, PARTITION_NAME_MAX) == 0)
            return &t->part[i];
    return NULL;
}

const struct partition *partition_at(const struct partition_table *t, uint32_t addr)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct partition *p = &t->part[i];
        if (addr >= p->offset && addr - p->offset < p->size_bytes)
            return p;
    }
    return NULL;
}

/* The first gap at or after *from: [*from, *to). False when there is none up to end. */
static bool next_gap(const struct partition_table *t, uint32_t end, uint32_t *from, uint32_t *to)
{
    const struct partition *p;
    while (*from < end && (p = partition_at(t, *from)) != NULL)
        *from = p->offset + p->size_bytes;
    *to = end;
    for (size_t i = 0; i < t->count; i++)
        if (t->part[i].offset > *from && t->part[i].offset < *to)
            *to = t->part[i].offset;
    return *from < end;
}

/*
 * Balanced bytes, so that programming clears and erasing sets bits in each of them; which one
 * depends on the address, so that a copied block shows too.
 */
struct guard {
    uint8_t bytes[2 * GUARD_PAGE]; /* twice the same, so every page is a slice */
};

static void guard_make(struct guard *g)
{
    static const uint8_t bytes[16] = {0xA5, 0x5A, 0x96, 0x69, 0xC3, 0x3C, 0xB4, 0x4B,
                                      0xD2, 0x2D, 0xE1, 0x1E, 0x87, 0x78, 0xCA, 0x35};
    for (uint32_t i = 0; i < 2 * GUARD_PAGE; i++)
        g->bytes[i] = bytes[(i + i % GUARD_PAGE / 16 * 7) & 15];
}

/* The GUARD_PAGE bytes of that page: neighbours differ. */
static const uint8_t *guard_page(const struct guard *g, uint32_t page)
{
    return g->bytes + ((page * UINT32_C(0x9E3779B1)) >> 24);
}

int partition_guard(struct nor *n, const struct partition_table *t)
{
    struct guard guard;
    guard_make(&guard);
    uint32_t from = 0;
    uint32_t to;
    while (next_gap(t, nor_geo(n)->size_bytes, &from, &to)) {
        while (from < to) {
            uint8_t block[16 * GUARD_PAGE];
            uint32_t step = to - from < sizeof block ? to - from : (uint32_t)sizeof block;
            for (uint32_t i = 0; i < step; i += GUARD_PAGE)
                memcpy(block + i, guard_page(&guard, (from + i) / GUARD_PAGE), GUARD_PAGE);
            int rc = nor_load(n, from, block, step);
            if (rc != 0)
                return rc;
            from += step;
        }
    }
    return 0;
}

/* First address in [from, to) without its guard byte, or to. */
static uint32_t first_broken(const struct nor *n, uint32_t from, uint32_t to)
{
    const uint8_t *cells = nor_peek(n);
    struct guard guard;
    guard_make(&guard);
    while (from < to) {
        uint32_t at = from % GUARD_PAGE;
        uint32_t step = to - from < GUARD_PAGE - at ? to - from : GUARD_PAGE - at;
        const uint8_t *page = guard_page(&guard, from / GUARD_PAGE);
        if (memcmp(cells + from, page + at, step) != 0) {
            while (cells[from] == page[from % GUARD_PAGE])
                from++;
            return from;
        }
        from += step;
    }
    return from;
}

bool partition_guard_holds(const struct nor *n, uint32_t addr, uint32_t len_bytes)
{
    return first_broken(n, addr, addr + len_bytes) == addr + len_bytes;
}

uint32_t partition_guard_check(const struct nor *n, const struct partition_table *t)
{
    uint32_t from = 0;
    uint32_t to;
    for (; next_gap(t, nor_geo(n)->size_bytes, &from, &to); from = to) {
        uint32_t broken = first_broken(n, from, to);
        if (broken < to)
            return broken;
    }
    return UINT32_MAX;
}
