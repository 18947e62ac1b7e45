#include "scenarios/engine/flash_compare.h"

#include <stdlib.h>
#include <string.h>

/* Bytes [from, to) of the unit were equal to content when it had that version. */
struct proof {
    uint64_t version;
    const uint8_t *content; /* null: none */
    uint32_t from, to;
};

struct flash_compare {
    const struct nor *chip;
    uint32_t unit_bytes;
    struct proof proofs[]; /* per unit */
};

struct flash_compare *flash_compare_new(const struct nor *chip)
{
    const struct nor_geometry *geo = nor_geo(chip);
    uint32_t units = geo->size_bytes / geo->erase_bytes;
    struct flash_compare *c = calloc(1, sizeof *c + units * sizeof c->proofs[0]);
    if (c == NULL)
        return NULL;
    c->chip = chip;
    c->unit_bytes = geo->erase_bytes;
    return c;
}

void flash_compare_free(struct flash_compare *c)
{
    free(c);
}

static bool part_is_equal(struct flash_compare *c, uint32_t unit, uint32_t from, uint32_t to,
                          const uint8_t *content)
{
    struct proof *p = &c->proofs[unit];
    uint64_t version = nor_version(c->chip, unit);
    if (p->content == content && p->version == version && p->from == from && p->to == to)
        return true;
    const uint8_t *cells = nor_peek(c->chip) + unit * c->unit_bytes;
    if (memcmp(cells + from, content, to - from) != 0)
        return false;
    *p = (struct proof){.version = version, .content = content, .from = from, .to = to};
    return true;
}

bool flash_compare_equal(struct flash_compare *c, uint32_t addr, const uint8_t *content,
                         uint32_t len_bytes)
{
    uint32_t end = addr + len_bytes;
    while (addr < end) {
        uint32_t unit = addr / c->unit_bytes, from = addr % c->unit_bytes;
        uint32_t to = end - addr < c->unit_bytes - from ? from + (end - addr) : c->unit_bytes;
        if (!part_is_equal(c, unit, from, to, content))
            return false;
        content += to - from;
        addr += to - from;
    }
    return true;
}
