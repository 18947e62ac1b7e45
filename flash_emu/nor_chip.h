/*
 * Inside the chip: the struct behind nor.h, shared by nor.c (rules), nor_file.c (where the memory
 * lies) and nor_snapshot.c (saved states). Nobody outside this folder includes it.
 *
 * Everything that survives a power cut is in two byte ranges: `cells` (the content as it reads now)
 * and `meta` (the sidecar: counters and marks, layout in nor_file.c). The rest is the bench's.
 */
#ifndef OTABENCH_FLASH_EMU_NOR_CHIP_H
#define OTABENCH_FLASH_EMU_NOR_CHIP_H

#include "common/bytes.h"
#include "flash_emu/nor.h"
#include "flash_emu/tear.h"

#define NOR_SIZE_MAX   (256u << 20)
#define NOR_PAGE_MAX   1024u
#define NOR_NAME_MAX   24
#define NOR_INJECT_MAX 32
#define NOR_FLIGHTS    16

struct nor_injection {
    enum nor_io kind;
    uint32_t addr;
    uint32_t len_bytes;
    int count; /* left; below zero: for ever */
};

/* An operation whose time is being spent; data is a copy, for the caller's stack may be gone. */
struct nor_flight {
    bool active;
    struct nor_op op;
    uint8_t data[NOR_PAGE_MAX];
};

/* What an operation found, while it may be in a write-back cache. */
struct nor_undo {
    uint32_t addr, len_bytes;
    uint8_t *cells; /* owned; null: none */
};

struct nor_range {
    uint32_t addr, len_bytes; /* 0: none */
};

struct nor_cut {
    uint64_t number; /* 0: none */
    enum nor_tear tear;
    uint32_t arg;
};

struct nor_unit_copy;
struct nor_saved_unit {
    struct nor_unit_copy *copy; /* null: never */
    uint64_t version;           /* that it is of */
};

/* One per chip, held by its snapshots as well: those of two chips never look like one's. */
struct nor_origin {
    uint32_t refs;
};

struct nor {
    struct nor_geometry geo;
    char name[NOR_NAME_MAX]; /* geo.name points here */
    uint64_t seed;
    struct nor_hooks hooks;
    bool unwatched; /* by them, on a part that always takes and gives what it is told to */

    uint8_t *cells;
    uint8_t *meta;
    size_t meta_bytes;
    bool mapped; /* cells and meta are file mappings, else heap */

    /* Into meta. Granule bitmaps have mark_bytes per unit; absent (null) under NOR_REWRITE. */
    uint8_t *wear;    /* units x little-endian 32 bits */
    uint8_t *flags;   /* units x UNIT_* */
    uint8_t *written; /* granule programmed since its erase */
    uint8_t *torn;    /* granule that an ECC part cannot read now */
    uint8_t *weak;    /* one bit per cell: marginal */
    uint32_t units;
    uint32_t mark_bytes;

    bool by_place; /* nor_draw_by_place */
    bool on;
    uint64_t life; /* changes when power goes: a call that slept through it must not go on */
    struct nor_cut cut;
    struct nor_flight flights[NOR_FLIGHTS]; /* one, unless the owner's tasks overlap */
    struct nor_injection injections[NOR_INJECT_MAX];
    size_t injection_count;
    /* The last of them, oldest at held_from; in no snapshot and no file, as all of a cache. */
    struct nor_undo held[NOR_WRITE_BACK_MAX];
    uint32_t held_from, n_held;
    /* TEAR_UNREADABLE; in no snapshot and no file. Beyond that many, the oldest reads again. */
    struct nor_range dead[NOR_FLIGHTS];
    uint32_t dead_next;
    bool any_dead;
    char fault[160];
    uint8_t before[NOR_PAGE_MAX]; /* scratch: content the operation found, while faults may hit */

    struct nor_origin *origin;
    uint64_t *version; /* per unit: of the changes, the last one that was there */
    uint64_t changes;
    struct nor_saved_unit *saved; /* per unit: as last saved or restored */
};

#define UNIT_WEAK 1u /* may hold weak cells */

#define NOR_META_OPS 56 /* where the sidecar has the number of operations, 64 bits */
static inline uint64_t nor_meta_ops(const struct nor *n)
{
    return get_le64(n->meta + NOR_META_OPS);
}

static inline void nor_meta_set_ops(struct nor *n, uint64_t count)
{
    put_le64(n->meta + NOR_META_OPS, count);
}

/* nor_file.c: memory of a new or stored chip; sets cells, meta and the pointers into it. */
int nor_memory_heap(struct nor *n, struct err *err);
int nor_memory_file(struct nor *n, const char *path, struct err *err);
/* Private copy of stored memory; geometry from the sidecar, or as set in n->geo when there is none.
 */
int nor_memory_view(struct nor *n, const char *path, struct err *err);
void nor_memory_free(struct nor *n);
uint64_t nor_meta_power_ons(const struct nor *n);
void nor_meta_set_power_ons(struct nor *n, uint64_t count);

/* nor.c */
/* Forgets operations in flight: their callers fail without an effect. */
void nor_end_life(struct nor *n);
int nor_geometry_check(const struct nor_geometry *geo, struct err *err);

/* nor_cells.c */
/* What a cut leaves of the operation takes effect; sets op->raised_bits. */
void nor_take_effect(struct nor *n, struct nor_op *op, const struct tear_outcome *o,
                     struct rng *rng);
/* Gives the marginal cells of a unit their reading for the power-on of that ordinal. */
void nor_settle_unit(struct nor *n, uint32_t unit, uint64_t power_on);
/* Whether any granule of the range is marked; null marks: none is. */
bool nor_any_mark(const struct nor *n, const uint8_t *marks, uint32_t addr, uint32_t len_bytes);
/* Marks of content that came from outside: granules in the range that hold data are written. */
void nor_derive_marks(struct nor *n, uint32_t addr, uint32_t len_bytes);

/* nor_tear.c */
/* The operation is about to take effect: what it finds is kept while it may be lost. Only for chips
 * with write_back_ops. ERR_NOMEM. */
int nor_hold(struct nor *n, const struct nor_op *op);
/* Takes back the last `count` held operations (0: all). */
void nor_take_back(struct nor *n, uint32_t count);
void nor_forget_held(struct nor *n); /* all is written */
void nor_kill_range(struct nor *n, uint32_t addr, uint32_t len_bytes);
/* Whether any of the range is; asked only while any_dead. */
bool nor_is_dead(const struct nor *n, uint32_t addr, uint32_t len_bytes);
void nor_revive(struct nor *n, uint32_t addr, uint32_t len_bytes); /* erased */
/* One bit of another page of op's unit falls. */
void nor_disturb(struct nor *n, const struct nor_op *op, struct rng *rng);

/* nor_inject.c: whether the access fails, using the fault up; and NOR_IO_CORRUPT on a finished
 * program, given the content it found. */
bool nor_injected(struct nor *n, enum nor_io kind, uint32_t addr, uint32_t len_bytes);
void nor_corrupt(struct nor *n, const struct nor_op *op, const uint8_t *before);

/* nor_snapshot.c */
int nor_snapshots_init(struct nor *n); /* 0 or ERR_NOMEM */
void nor_snapshots_free(struct nor *n);

/* The unit is about to change. */
static inline void nor_unit_touch(struct nor *n, uint32_t unit)
{
    n->version[unit] = ++n->changes;
}

#endif
