/* What the tests of this folder share: the chips they run over, and an owner that keeps a diary. */
#ifndef OTABENCH_FLASH_EMU_NOR_TESTING_H
#define OTABENCH_FLASH_EMU_NOR_TESTING_H

#include <string.h>

#include "common/rng.h"
#include "common/testing/testing.h"
#include "flash_emu/nor.h"

/* The built-in chips, and a write-once one without ECC. */
struct chip_row {
    const char *name;
    enum nor_policy policy;
};
static const struct chip_row chip_rows[] = {{"spi4k", NOR_REWRITE},
                                            {"spi64k", NOR_REWRITE},
                                            {"internal8", NOR_ECC},
                                            {"internal8", NOR_WRITE_ONCE}};

static inline const char *chip_name(const void *row)
{
    const struct chip_row *c = row;
    return c->policy == NOR_WRITE_ONCE ? "internal8 without ECC" : c->name;
}

/* Two of its erase units hold everything the tests need; smaller is faster under sanitizers. */
static inline struct nor_geometry chip_geometry(const void *row)
{
    const struct chip_row *c = row;
    struct nor_geometry geo = *nor_geometry_find(c->name);
    geo.size_bytes = 4 * geo.erase_bytes;
    geo.policy = c->policy;
    return geo;
}

static inline struct nor *chip_new(const void *row, uint64_t seed)
{
    struct err err;
    struct nor_geometry geo = chip_geometry(row);
    struct nor *n = nor_new(&geo, seed, &err);
    REQUIRE(n != NULL);
    return n;
}

/* Drawn bytes with no 0xFF among them, so that every granule shows as written. */
static inline void fill_data(uint8_t *out, size_t len_bytes, uint64_t ordinal)
{
    struct rng rng;
    rng_init(&rng, 1, "test", "data", ordinal);
    rng_fill(&rng, out, len_bytes);
    for (size_t i = 0; i < len_bytes; i++)
        out[i] &= 0x7F;
}

static inline bool all_are(const uint8_t *p, size_t len_bytes, uint8_t value)
{
    for (size_t i = 0; i < len_bytes; i++)
        if (p[i] != value)
            return false;
    return true;
}

/* An owner: notes operations and time; may pull the plug while time passes. */
struct diary {
    struct nor *chip;
    struct nor_op op[64];
    uint8_t data[64][16]; /* first bytes of each program */
    size_t ops;
    int64_t spent_ns;
    int spends;
    int off_at_spend; /* pull the plug during the n-th spend, 0: never */
    bool on_again;    /* and put it back before returning */
    enum nor_tear off_tear;
    int lost;          /* power_lost calls */
    bool on_when_lost; /* the chip's power as the hook saw it */
    uint64_t lost_op;
};

static inline void diary_spend(void *ctx, int64_t ns)
{
    struct diary *d = ctx;
    d->spent_ns += ns;
    if (++d->spends == d->off_at_spend) {
        nor_power_off(d->chip, d->off_tear, 0);
        if (d->on_again)
            nor_power_on(d->chip);
    }
}

static inline void diary_observe(void *ctx, const struct nor_op *op)
{
    struct diary *d = ctx;
    if (d->ops == sizeof(d->op) / sizeof(d->op[0]))
        return;
    d->op[d->ops] = *op;
    d->op[d->ops].data = NULL;
    if (op->data != NULL)
        memcpy(d->data[d->ops], op->data, op->len_bytes < 16 ? op->len_bytes : 16);
    d->ops++;
}

static inline void diary_power_lost(void *ctx, const struct nor_op *op)
{
    struct diary *d = ctx;
    d->lost++;
    d->lost_op = op->number;
    d->on_when_lost = nor_is_on(d->chip);
}

static inline void diary_attach(struct diary *d, struct nor *n)
{
    d->chip = n;
    nor_set_hooks(n, &(struct nor_hooks){.ctx = d,
                                         .spend = diary_spend,
                                         .observe = diary_observe,
                                         .power_lost = diary_power_lost});
}

#endif
