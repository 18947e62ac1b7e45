/*
 * For tests of what needs nothing of a board but its flash: a clock that stands, nobody to wake,
 * and the kinds of chips that everything has to work on.
 */
#ifndef OTABENCH_BOARD_BARE_TESTING_H
#define OTABENCH_BOARD_BARE_TESTING_H

#include "flash_emu/nor.h"
#include "sim_device/board/board.h"

struct chip_row {
    const char *what;
    const char *chip;
    enum nor_policy policy;
};

static const struct chip_row chips[] = {
    {"spi4k", "spi4k", NOR_REWRITE},
    {"internal8", "internal8", NOR_ECC},
    {"internal8 without ECC", "internal8", NOR_WRITE_ONCE},
};

static inline int64_t bare_now(struct board *b)
{
    (void)b;
    return 0;
}

static inline void bare_wake(struct board *b, const void *channel, int count)
{
    (void)b, (void)channel, (void)count;
}

#endif
