/*
 * What the agent and the boot loader remember across power cuts: one record (identity, progress,
 * package, pending result) and a journal of numbered marks (segments stored, then restore steps
 * done). Bytes, reasons and the analysis of every cut: docs/flash-layout.md.
 *
 * Two layouts share this interface:
 *   STATE_SAFE (reference). Two banks: A = last erase unit of the download partition, B = last
 *     erase unit of the backup area in front of it. A record is written to the bank that does not
 *     hold the current one (erase, program, read back; sequence number and CRC-32), so one valid
 *     record always exists. A mark's slot is a function of its number, carries number, argument and
 *     CRC, and may be rewritten with the same data. When slots run out the record moves to the
 *     other bank with journal_base moved up. Before the first change of a power-on, what a cut may
 *     have left weak is made firm (state_firm). Write-once flash cannot do that: there the record
 *     and each mark are followed by a proof, what has no touched proof is not there, and a journal
 *     that an earlier power-on began is not continued: the next mark moves the record.
 *   STATE_VENDOR (personality to be faulted, never the reference). The layout of protocols note
 *     cms-ota §8: one 176-byte record at the start of the last erase unit, 4-byte segment numbers
 *     after it, every record update is erase-then-write, no CRC. Keeps neither file_bytes,
 *     segment_bytes, md5, report_due nor a mark's argument.
 *
 * Area arithmetic (size limit exactly as documented, cms-ota §5): the package may fill
 * [0, part - erase - backup). All addresses here are relative to the download partition.
 */
#ifndef OTABENCH_AGENT_CMIOT_STATE_H
#define OTABENCH_AGENT_CMIOT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"

enum state_kind { STATE_SAFE, STATE_VENDOR };

/* Values of update_result (cms-ota §8, §4). */
enum {
    UPDATE_NONE = 0,
    UPDATE_OK = 1,         /* restored; to be reported */
    UPDATE_AUTH_FAIL = 98, /* package digest wrong at the boot loader; to be reported */
    UPDATE_FAIL = 99,      /* restore refused or failed; to be reported */
    UPDATE_PENDING = 100   /* downloaded and verified; the boot loader's turn */
};

#define STATE_RECORD_BYTES 256 /* on flash, STATE_SAFE */
#define STATE_SLOT_BYTES   16  /* on flash, STATE_SAFE; more where the granule is larger */
#define STATE_ONCE_PROOFS  3   /* of a record and of each mark on write-once flash without ECC */

/* The record as software sees it. Texts are terminated. */
struct state_record {
    uint16_t update_result;
    char mid[32];
    char code[32]; /* [0] = 1 when set, [1] = upgrade kind: 5 full, else algorithm */
    char device_id[32];
    char device_secret[64];
    uint32_t index;     /* segments stored when the record was written */
    uint32_t index_max; /* segments of the package; 0: none */
    uint32_t delta_id;
    /* What a resume must find unchanged (DWN-09, DWN-10). */
    uint32_t file_bytes;
    uint32_t segment_bytes;
    uint8_t md5[MD5_BYTES];
    /* Marks are numbered from journal_base + 1 in this bank: segment numbers, or, while
     * UPDATE_PENDING, restore steps. */
    uint32_t journal_base;
    uint8_t report_due; /* reportDownResult not yet accepted */
};

struct state_io {
    void *ctx;
    int (*read)(void *ctx, uint32_t addr, void *out,
                uint32_t len_bytes); /* 0, ERR_DIGEST = ECC trap, ERR_IO */
    int (*program)(void *ctx, uint32_t addr, const void *data, uint32_t len_bytes);
    int (*erase)(void *ctx, uint32_t addr, uint32_t len_bytes);
};

/* Deliberately broken behaviours of STATE_SAFE, for the zoo; all false in the reference. */
struct state_breaks {
    bool one_copy;      /* the record is erased and written again in its place */
    bool erase_first;   /* the old record is erased before the new one is written */
    bool no_check;      /* a record is believed without its CRC */
    bool loose_marks;   /* a mark is believed by its number, without CRC and sequence */
    bool narrow_marks;  /* the number of a mark is read in 8 bits */
    bool roll_in_place; /* a full journal is emptied by rewriting the record in its place */
    bool append_marks;  /* a mark goes to the next blank slot; the reader stops at a bad one */
};

struct state_layout {
    enum state_kind kind;
    uint32_t part_bytes; /* download partition */
    uint32_t erase_bytes;
    uint32_t granule_bytes; /* smallest program unit, 1 on SPI NOR; divides 256 */
    uint32_t
        backup_bytes; /* area in front of the last erase unit; erase-unit multiple, >= one unit */
    bool write_once : 1; /* a programmed granule cannot be programmed again */
    bool traps : 1;      /* and one that a cut left torn or weak reads right or not at all (ECC) */
    struct state_breaks breaks;
};

struct state {
    struct state_io io;
    struct state_layout layout;
    struct state_record record; /* as last read or written */
    bool valid;                 /* a record exists on flash */
    uint32_t bank;              /* address of the bank holding it */
    uint32_t sequence;
    uint32_t mark; /* highest mark on flash, >= journal_base */
    uint32_t mark_arg;
    /* Boot loader: a block is staged in the backup area, so the journal must not move: state_mark
     * fails with ERR_LIMIT instead. Cleared by state_open. */
    bool pinned;
    bool firm;           /* state_firm has nothing more to do in this power-on */
    bool journalled : 1; /* a slot of this bank was touched: the record was firm before that */
    bool
        inherited : 1; /* write-once: an earlier power-on began marks here; none is added to them */
    bool other_stale;  /* the other bank holds a valid older record */
    uint32_t next_pos; /* STATE_VENDOR: first unwritten slot */
};

/* ERR_ARG when the areas do not fit (says which); also computed limits below are valid afterwards.
 */
int state_layout_check(const struct state_layout *l, struct err *err);
/* Largest package: part - erase - backup. */
uint32_t state_package_limit(const struct state_layout *l);
uint32_t state_backup_addr(const struct state_layout *l);

/* Reads the flash. No valid record is not an error: valid = false, record zeroed. Errors: ERR_IO;
 * ERR_ARG for a bad layout. */
int state_open(struct state *s, const struct state_io *io, const struct state_layout *l,
               struct err *err);
/*
 * Stores r as the new record; journal starts empty at r->journal_base, which a record that becomes
 * UPDATE_PENDING must have as 0 (restore steps count from 1): it is taken as 0 then. s->record
 * follows. On error the old record still stands (SAFE).
 */
int state_write(struct state *s, const struct state_record *r, struct err *err);
/*
 * Marks number (must be s->mark + 1) as done, with an argument. Rolls when the slots are used up,
 * or cannot be programmed; record.index then follows unless pending. A mark cut while it was
 * programmed may not read at one start and read at a later one: whoever repeats the step in
 * between checks, when the mark is the last one, that what it claims is still so.
 */
int state_mark(struct state *s, uint32_t number, uint32_t arg, struct err *err);
/* Marks that still fit without rolling. Write-once flash: none behind those of an earlier power-on,
 * of which the last may be torn or weak. */
uint32_t state_room(const struct state *s);
/* Moves the record to the other bank with journal_base = s->mark (VENDOR: rewrites the unit). */
int state_roll(struct state *s, struct err *err);
/* Boot loader: makes the record live in bank A (so that the backup area is free). No write if it is
 * there already. */
int state_home(struct state *s, struct err *err);
/*
 * Makes firm what this power-on relies on: record and last mark are programmed again with the same
 * bytes, and a torn record in the other bank that might read valid one day is erased. Done once per
 * power-on; write, mark, roll and home call it themselves. The boot loader calls it before a step
 * that destroys something. Write-once flash with ECC needs none of it.
 */
int state_firm(struct state *s, struct err *err);

/* Text for people (`otabench flash info`): decodes whatever layout the two banks hold. ERR_ARG,
 * ERR_LIMIT (out is full). */
struct buf;
int state_describe(const uint8_t *download_part, const struct state_layout *l, struct buf *out);

#endif
