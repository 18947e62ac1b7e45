/*
 * A NOR flash chip as data and rules: what firmware sees, and what a power cut leaves behind.
 *
 * Program only clears bits, within one program page; erase sets whole erase units to the erased
 * value. Every program (one per page touched) and every erase unit is one numbered operation, from
 * 1, counted over the life of the chip (a chip on a file keeps counting): these numbers are the cut
 * points. Each operation
 * takes the chip's time on the owner's clock. A cut at operation n leaves what the tear says, then
 * the chip is off: any access before nor_power_on is a bench fault (nor_fault tells), never
 * silently dropped.
 *
 * One struct nor per chip; no globals. Memory is either a file (mmap, shared: survives the process)
 * or the heap. The chip does not queue: an owner whose tasks share it holds a lock, as a driver
 * holds the bus. Where calls overlap all the same (at most 16, then ERR_LIMIT), each takes effect
 * at its own end, and a cut tears all of them.
 */
#ifndef OTABENCH_FLASH_EMU_NOR_H
#define OTABENCH_FLASH_EMU_NOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum nor_policy {
    NOR_REWRITE,    /* a programmed unit may be programmed again; bits only fall (SPI NOR) */
    NOR_WRITE_ONCE, /* a granule may be programmed once per erase; a second program fails */
    NOR_ECC,        /* write-once, and reading a granule torn by a cut traps */
};

/* Geometry and timing are data. All sizes in bytes, times in ns, typical data-sheet values. */
struct nor_geometry {
    const char *name; /* "spi4k", "spi64k", "internal8" */
    const char *text; /* one line for people */
    uint32_t size_bytes;
    uint32_t erase_bytes;   /* erase unit */
    uint32_t page_bytes;    /* program page: one operation never crosses it */
    uint32_t granule_bytes; /* smallest program unit; offset and length must be multiples */
    enum nor_policy policy;
    int64_t program_ns; /* per full page; less data takes its share, at least a sixteenth */
    int64_t erase_ns;   /* per erase unit */
    int64_t read_ns_per_byte;
    uint32_t endurance;      /* erase cycles promised per unit */
    uint32_t write_back_ops; /* operations that the part or its driver may hold back, at most
                                NOR_WRITE_BACK_MAX; a cut with TEAR_UNWRITTEN loses them. 0: none */
};

/* The built-in chips; null if unknown. nor_geometry_at walks them from 0, null at the end. */
const struct nor_geometry *nor_geometry_find(const char *name);
const struct nor_geometry *nor_geometry_at(size_t index);

/* What an interrupted operation leaves. Which real parts do so: "Method" in tear.c. */
enum nor_tear {
    TEAR_NOTHING, /* cut before the operation began: unit untouched */
    TEAR_PREFIX,  /* program: first k bytes done (k by arg, rounded to granules); erase: first k
                     bytes erased */
    TEAR_ALL_BUT_LAST, /* all but the last granule (program), all but the last 16th (erase) */
    TEAR_SCRAMBLED,    /* program: a random subset of the bits that should fall; erase: random bits
                          back to 1 */
    TEAR_HALF_ERASED,  /* erase: half the unit erased, other half scattered; program: like SCRAMBLED
                        */
    TEAR_WEAK, /* looks complete, but its changed cells read differently at a later power-on */
    TEAR_DONE, /* cut after the operation completed, before it was acknowledged */
    TEAR_ALL_BUT_BIT, /* all but the last bit that was to change */
    TEAR_UNREADABLE,  /* program: like SCRAMBLED; erase too; and reading it fails until the unit is
                         erased, also on parts without ECC */
    TEAR_DISTURB,   /* complete, but one bit of another page of the unit has fallen; erase: DONE */
    TEAR_UNWRITTEN, /* not begun, and the last operations before it are gone, too: they were in the
                       write-back cache. As many as arg says, 0: as the cache may hold; without a
                       cache (write_back_ops 0): NOTHING */
    TEAR_COUNT
};
#define TEAR_PLAIN                                                                                 \
    (TEAR_DONE + 1) /* those in front: the operation's own cells, and nothing else                 \
                     */
#define NOR_WRITE_BACK_MAX 16
const char *nor_tear_name(enum nor_tear tear); /* "nothing", "prefix", "all-but-last", ... */
int nor_tear_parse(const char *name, enum nor_tear *out); /* 0 or ERR_NOT_FOUND */

enum nor_op_kind { NOR_OP_PROGRAM, NOR_OP_ERASE };

/* One operation, as told to the observer after it took effect (torn ones included). */
struct nor_op {
    uint64_t number; /* from 1 */
    enum nor_op_kind kind;
    uint32_t addr;
    uint32_t len_bytes;
    const uint8_t *data; /* program: the requested bytes, for the call only; erase: null */
    bool torn;           /* a cut hit it */
    enum nor_tear tear;
    bool raised_bits; /* program asked for a 0 -> 1 change */
};

/*
 * The owner's side, all optional. Called from inside nor_program / nor_erase on the caller's stack,
 * spend from nor_read as well. spend: let ns pass on the owner's clock (may switch tasks).
 * spent_ns: of an owner that does nothing meanwhile, no task and no cut but the armed one: the time
 * is added here instead. begun: the operation has its number, and no time has passed yet. observe:
 * see struct nor_op. power_lost: the armed cut has happened; the owner normally does not return
 * from it (fiber switch, process exit); if it returns, the call fails with ERR_IO and the chip
 * stays off. look: content of that range is about to decide something: a read, or on write-once
 * flash the check whether it may be programmed.
 */
struct nor_hooks {
    void *ctx;
    int64_t *spent_ns;
    void (*spend)(void *ctx, int64_t ns);
    void (*begun)(void *ctx, const struct nor_op *op);
    void (*observe)(void *ctx, const struct nor_op *op);
    void (*power_lost)(void *ctx, const struct nor_op *op);
    void (*look)(void *ctx, uint32_t addr, uint32_t len_bytes);
};

struct nor;

/* A chip on the heap, fully erased, powered on. geo is copied. seed feeds scrambles and weak cells
 * ("nor" streams). Null on error: geometry that makes no sense, no memory. */
struct nor *nor_new(const struct nor_geometry *geo, uint64_t seed, struct err *err);
/* A chip on a file: created erased when absent, else its length must be size_bytes. Counters and
 * marks live beside it in `path`.meta (made when absent). Opening an existing chip is a power-on.
 * Null on error, err tells (missing folder, wrong length, sidecar of another chip). */
struct nor *nor_open(const struct nor_geometry *geo, const char *path, uint64_t seed,
                     struct err *err);
/* A chip's files for inspection: a private copy, off, never written back. geo may be null when
 * there is a sidecar; where there is one it decides. Null on error. */
struct nor *nor_view(const struct nor_geometry *geo, const char *path, struct err *err);
/* Writes the chip as it is to `path` and `path`.meta, for nor_open and nor_view. ERR_ARG: what is
 * there is no plain file. */
int nor_export(const struct nor *n, const char *path, struct err *err);
void nor_free(struct nor *n); /* unmaps, closes; null is fine */
/* Null: none. An operation of the old owner that is in flight is forgotten. */
void nor_set_hooks(struct nor *n, const struct nor_hooks *hooks);
const struct nor_geometry *nor_geo(const struct nor *n);

/* Any alignment, any length inside the chip. 0; ERR_ARG outside; ERR_IO injected, or power went;
 * ERR_DIGEST ECC trap. out is written on success only. */
int nor_read(struct nor *n, uint32_t addr, void *out, uint32_t len_bytes);
/* The same where the content lies, for an engine that only looks at it: *out, set on success, holds
 * until the chip is used again. */
int nor_read_in_place(struct nor *n, uint32_t addr, uint32_t len_bytes, const uint8_t **out);
/*
 * Programs len_bytes at addr, split at page borders into numbered operations. addr and length must
 * be granule multiples (ERR_ARG). NOR_REWRITE: result is old AND new. WRITE_ONCE/ECC: ERR_IO on a
 * granule already programmed since its erase. ERR_IO when injected or when the cut hit. A refused
 * or failed page has no number and is not observed; the pages before it stay done.
 */
int nor_program(struct nor *n, uint32_t addr, const void *data, uint32_t len_bytes);
/* addr and len_bytes must be erase-unit multiples (ERR_ARG); one numbered operation per unit. */
int nor_erase(struct nor *n, uint32_t addr, uint32_t len_bytes);

/* Direct view for judges and tools: content as it would read now, never traps, costs nothing. */
const uint8_t *nor_peek(const struct nor *n);
/* Writes content as a factory programmer would: no operation, no wear, no time, clears weak/torn
 * marks there. */
int nor_load(struct nor *n, uint32_t addr, const void *data, uint32_t len_bytes);

uint64_t nor_op_count(const struct nor *n);
/* Of an erase unit: as long as it is the same, so is everything on it, marks included. A snapshot
 * brings the versions of its own chip back; one of another chip is new. */
uint64_t nor_version(const struct nor *n, uint32_t unit);

/* Arms one cut: at operation `number` (absolute, > nor_op_count) with that tear; arg is k (bytes)
 * of TEAR_PREFIX, for the others a variant: another arg, another draw. 0 disarms. */
void nor_arm_cut(struct nor *n, uint64_t number, enum nor_tear tear, uint32_t arg);
/* From now on tears draw by kind and address of their operation instead of by its number: the same
 * operation on the same content is torn the same way, whatever came before. */
void nor_draw_by_place(struct nor *n, bool on);
/* Cuts power now (from outside the device). An operation whose time is being spent is torn that
 * way. */
void nor_power_off(struct nor *n, enum nor_tear tear, uint32_t arg);
/* Weak cells settle to their later reading here, drawn from the seed and the power-on ordinal.
 * Nothing when already on. */
void nor_power_on(struct nor *n);
bool nor_is_on(const struct nor *n);

/* Erase cycles of the unit holding addr, torn ones included. */
uint32_t nor_wear(const struct nor *n, uint32_t addr);
/* Marginal cells (bits) in a range, and whether an ECC part would trap there. 0 / false outside. */
uint32_t nor_weak_cells(const struct nor *n, uint32_t addr, uint32_t len_bytes);
bool nor_is_torn(const struct nor *n, uint32_t addr, uint32_t len_bytes);

/* I/O faults. An access of that kind touching [addr, addr+len) fails: `count` times, or for ever
 * when count < 0. At most 32 at a time. */
enum nor_io {
    NOR_IO_READ,
    NOR_IO_PROGRAM,
    NOR_IO_ERASE,
    NOR_IO_CORRUPT /* program succeeds but one bit is wrong */
};
/* 0; ERR_ARG: count 0, or a range that is empty or outside; ERR_LIMIT. */
int nor_inject(struct nor *n, enum nor_io kind, uint32_t addr, uint32_t len_bytes, int count);
void nor_clear_faults(struct nor *n);
/* What is left of injected faults, as they were given; count: how often each still strikes. False
 * past the last. */
bool nor_injection_at(const struct nor *n, size_t index, enum nor_io *kind, uint32_t *addr,
                      uint32_t *len_bytes, int *count);

/* What the bench must never see: access while off, and the first such message. Null when all is
 * well. */
const char *nor_fault(const struct nor *n);

/*
 * Snapshot: content, wear, weak and torn marks, operation count, power-on ordinal, on or off. Units
 * that did not change are shared, so both calls cost what was touched since; all snapshots of a
 * chip belong to its thread. Restore needs the same geometry (ERR_ARG), drops an operation in
 * flight and disarms the cut; hooks and injected faults stay. Save gives null without memory.
 */
struct nor_snapshot;
struct nor_snapshot *nor_save(const struct nor *n);
int nor_restore(struct nor *n, const struct nor_snapshot *s);
void nor_snapshot_free(struct nor_snapshot *s); /* null is fine */

#endif
