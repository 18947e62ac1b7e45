/* What the tests of tears share: chips, and operations torn on them. */
#ifndef OTABENCH_FLASH_TEAR_TESTING_H
#define OTABENCH_FLASH_TEAR_TESTING_H

#include "flash_emu/nor_testing.h"
#include "flash_emu/tear.h"

#define PAGE 256u

/* A chip whose unit 1 holds `old` where the policy lets it be programmed again, else is erased. */
static inline struct nor *torn_program(const void *row, uint64_t seed, enum nor_tear tear,
                                       uint32_t arg, uint8_t old[PAGE], uint8_t data[PAGE])
{
    const struct chip_row *c = row;
    struct nor *n = chip_new(row, seed);
    uint32_t unit = nor_geo(n)->erase_bytes;
    memset(old, 0xFF, PAGE);
    if (c->policy == NOR_REWRITE)
        memset(old, 0xBD, PAGE);
    fill_data(data, PAGE, 1);
    CHECK_INT(nor_load(n, unit + PAGE, old, PAGE), 0);
    nor_arm_cut(n, 1, tear, arg);
    CHECK_ERR(nor_program(n, unit + PAGE, data, PAGE), ERR_IO);
    CHECK(all_are(nor_peek(n), unit + PAGE, 0xFF));
    CHECK(all_are(nor_peek(n) + unit + 2 * PAGE, 3 * unit - 2 * PAGE, 0xFF));
    return n;
}

static inline void and_with(uint8_t *cells, const uint8_t *data, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++)
        cells[i] &= data[i];
}

static inline struct nor *torn_erase(const void *row, enum nor_tear tear, uint32_t arg,
                                     uint8_t *old)
{
    struct nor *n = chip_new(row, 1);
    uint32_t unit = nor_geo(n)->erase_bytes;
    /* The last quarter holds nothing. */
    fill_data(old, unit / 4 * 3, 2);
    memset(old + unit / 4 * 3, 0xFF, unit / 4);
    for (uint32_t u = 0; u < 3; u++)
        CHECK_INT(nor_load(n, u * unit, old, unit), 0);
    nor_arm_cut(n, 1, tear, arg);
    CHECK_ERR(nor_erase(n, unit, unit), ERR_IO);
    CHECK_MEM(nor_peek(n), old, unit);
    CHECK_MEM(nor_peek(n) + 2 * unit, old, unit);
    CHECK_INT(nor_wear(n, 0) + nor_wear(n, 2 * unit), 0);
    return n;
}

#endif
