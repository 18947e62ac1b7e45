/*
 * The destructive part. Each call does at most one half of a block and ends with its mark; what may
 * be found after a cut at any point, and why it goes on from there: docs/flash-layout.md.
 */
#include <string.h>

#include "common/bytes.h"
#include "sim_device/boot/loader.h"

/* Where the journal stands: the block that is next, or half done. */
struct place {
    uint32_t file, turn;
    bool staged;
    bool end;
};

static uint32_t steps_per_block(const struct boot *b)
{
    return b->file.kind == PACKAGE_DELTA && !b->cfg.breaks.skip_backup ? 2 : 1;
}

static int locate(struct boot *b, uint32_t mark, struct place *p)
{
    uint32_t done = mark - 1; /* steps after "begun" */
    *p = (struct place){0};
    for (uint32_t i = 0; i < b->head.file_count; i++) {
        int rc = loader_load_file(b, i);
        if (rc != 0)
            return rc;
        uint32_t steps = package_blocks(&b->head, &b->file) * steps_per_block(b);
        if (done < steps) {
            p->file = i;
            p->turn = done / steps_per_block(b);
            p->staged = done % steps_per_block(b) == 1;
            return 0;
        }
        done -= steps;
    }
    p->end = true;
    return 0;
}

/* The end of the backup area, so that bank B of the state is always erased with it. */
static uint32_t stage_addr(const struct boot *b)
{
    return b->cfg.download_offset + state_backup_addr(&b->cfg.layout) + b->cfg.layout.backup_bytes -
           b->head.restore_block_bytes;
}

static int set_mark(struct boot *b, uint32_t arg)
{
    int rc = 0;
    if (!b->cfg.breaks.skip_journal && !b->cfg.breaks.clear_first)
        rc = state_mark(&b->state, b->mark + 1, arg, &b->err);
    if (rc == 0) {
        b->mark++;
        b->mark_arg = arg;
    }
    return rc;
}

static void tell(struct boot *b, const struct span *span, const char *phase)
{
    BOARD_EVENT(b->cfg.board, LANE_BOOT, "restore", F_STR("file", b->file.name),
                F_INT("block", span->block), F_INT("blocks", span->blocks), F_STR("phase", phase));
}

/* Whether the flash there has that CRC. What traps has not; what cannot be read is an error, for it
 * may be the only copy. */
static int holds(struct boot *b, uint32_t addr, uint32_t len_bytes, uint32_t want, bool *yes)
{
    uint32_t got;
    int rc = loader_crc(b, addr, len_bytes, &got);
    *yes = rc == 0 && got == want;
    return rc == ERR_DIGEST ? 0 : rc;
}

/* Whether both hold the same; looks no further than to the first difference. */
static int equal(struct boot *b, uint32_t one, uint32_t other, uint32_t len_bytes, bool *yes)
{
    uint8_t piece[64];
    int rc = 0;
    *yes = true;
    for (uint32_t at = 0; at < len_bytes && rc == 0 && *yes; at += sizeof piece) {
        uint32_t n = len_bytes - at < sizeof piece ? len_bytes - at : (uint32_t)sizeof piece;
        rc = loader_read(b, one + at, piece, n);
        if (rc == 0)
            rc = loader_read(b, other + at, b->page, n);
        *yes = rc == 0 && memcmp(piece, b->page, n) == 0;
    }
    return rc == ERR_DIGEST ? 0 : rc;
}

static int check_written(struct boot *b, uint32_t addr, uint32_t len_bytes, uint32_t want)
{
    uint32_t got = 0;
    int rc = loader_crc(b, addr, len_bytes, &got);
    if (rc == 0 && got != want)
        rc = err_set(&b->err, ERR_IO, "block at 0x%x reads otherwise than programmed", addr);
    return rc;
}

/* Target block from somewhere in flash. want: its CRC; 0: that of the origin. */
static int copy_block(struct boot *b, const struct span *span, uint32_t from, uint32_t *want)
{
    int rc = *want == 0 ? loader_crc(b, from, span->len_bytes, want) : 0;
    if (rc == 0)
        rc = loader_erase(b, span->addr, span->len_bytes);
    if (rc == 0)
        rc = loader_copy(b, from, span->addr, span->len_bytes);
    if (rc == 0)
        rc = check_written(b, span->addr, span->len_bytes, *want);
    return rc;
}

/*
 * A staged block lives where bank B is, so its two marks must fit into bank A. Otherwise, and when
 * the last try failed, the record goes to B with a fresh journal and home again, before staging.
 */
static int prepare_journal(struct boot *b)
{
    int rc = 0;
    if (b->cfg.breaks.skip_journal || b->cfg.breaks.clear_first)
        return 0;
    if (b->tries > 0 || state_room(&b->state) < 2)
        rc = state_roll(&b->state, &b->err);
    if (rc == 0)
        rc = state_home(&b->state, &b->err);
    return rc;
}

/* Decodes the block into the backup area. */
static int stage_block(struct boot *b, const struct span *span, uint32_t *crc)
{
    struct loader_writer w = {.b = b, .addr = stage_addr(b)};
    b->state.pinned = false;
    int rc = loader_erase(b, w.addr, b->head.restore_block_bytes);
    if (rc == 0)
        rc = loader_decode(b, span, loader_put, &w);
    if (rc == 0)
        rc = loader_put_end(&w);
    if (rc == 0)
        rc = check_written(b, stage_addr(b), span->len_bytes, w.crc);
    *crc = w.crc;
    return rc;
}

static int do_stage(struct boot *b, const struct span *span)
{
    bool early = b->cfg.breaks.staged_first;
    uint32_t crc;
    int rc = prepare_journal(b);
    if (rc == 0 && early)
        rc = set_mark(b, 0); /* nothing to hold it to yet */
    if (rc != 0)
        return rc;
    tell(b, span, "stage");
    rc = stage_block(b, span, &crc);
    if (rc == 0) {
        b->state.pinned = true;
        rc = early ? 0 : set_mark(b, crc);
    }
    if (rc == 0) { /* it was read back just now */
        b->work = WORK_COPY;
        b->looked = true;
        loader_forget_page(b);
    }
    return rc;
}

static uint32_t first_page(const struct boot *b, const struct span *span)
{
    return span->len_bytes < b->page_bytes ? span->len_bytes : b->page_bytes;
}

/* done_first, short_check: "done" before it is, with nothing or the first page to hold it to. */
static int mark_ahead(struct boot *b, const struct span *span)
{
    uint32_t crc = 0;
    int rc = 0;
    if (b->cfg.breaks.short_check)
        rc = loader_crc(b, stage_addr(b), first_page(b, span), &crc);
    return rc == 0 ? set_mark(b, crc) : rc;
}

/*
 * Staged. Normally the backup area holds the block. It does not when its "done" was lost after the
 * area was used again (then the target is complete), or when "staged" was cut, did not read, and
 * reads now (then the target is still old, and decoding gives the same block again).
 */
static int look_at_block(struct boot *b, const struct span *span)
{
    const struct boot_breaks *broken = &b->cfg.breaks;
    uint32_t crc = broken->reuse_early ? 0 : b->mark_arg;
    bool staged = true, done = false;
    int rc = crc != 0 ? holds(b, stage_addr(b), span->len_bytes, crc, &staged) : 0;
    if (rc == 0 && !staged)
        rc = holds(b, span->addr, span->len_bytes, crc, &done);
    if (rc != 0)
        return rc;
    b->work = staged ? WORK_COPY : done ? WORK_NONE : WORK_STAGE_AND_COPY;
    b->looked = true;
    loader_forget_page(b);
    return 0;
}

static int do_copy(struct boot *b, const struct span *span)
{
    const struct boot_breaks *broken = &b->cfg.breaks;
    uint32_t crc = b->mark_arg;
    int rc = 0;
    if (b->work == WORK_STAGE_AND_COPY) {
        tell(b, span, "stage");
        rc = stage_block(b, span, &crc);
        if (rc == 0 && crc != b->mark_arg)
            rc = err_set(&b->err, ERR_DIGEST, "block %u of %s is neither staged nor restorable",
                         span->block, b->file.name);
    }
    if (rc != 0)
        return rc;
    tell(b, span, b->work == WORK_NONE ? "skip" : "copy");
    bool first = broken->done_first || broken->short_check;
    if (first)
        rc = mark_ahead(b, span);
    if (rc == 0 && b->work != WORK_NONE)
        rc = copy_block(b, span, stage_addr(b), &crc);
    if (rc == 0 && broken->reuse_early)
        rc = loader_erase(b, stage_addr(b), b->head.restore_block_bytes);
    if (rc != 0)
        return rc;
    b->looked = false;
    b->work = WORK_NONE;
    b->state.pinned = false;
    return first ? 0 : set_mark(b, crc);
}

static int copy_full(struct boot *b, const struct span *span, uint32_t *crc)
{
    uint32_t from = loader_payload_addr(b) + span->block * b->head.restore_block_bytes;
    *crc = 0;
    tell(b, span, "copy");
    return copy_block(b, span, from, crc);
}

static int do_full(struct boot *b, const struct span *span)
{
    uint32_t crc;
    int rc = copy_full(b, span, &crc);
    return rc == 0 ? set_mark(b, crc) : rc;
}

struct memory_sink {
    uint8_t *to;
    uint32_t used;
};

static int put_memory(void *ctx, const uint8_t *data, uint32_t len_bytes)
{
    struct memory_sink *m = ctx;
    memcpy(m->to + m->used, data, len_bytes); /* loader_decode keeps within the block */
    m->used += len_bytes;
    return 0;
}

/* skip_backup: decoded in RAM and straight over the target. A cut in between loses the block. */
static int do_unsafe(struct boot *b, const struct span *span)
{
    struct memory_sink memory = {.to = b->block};
    struct loader_writer w = {.b = b, .addr = span->addr};
    tell(b, span, "copy");
    int rc = loader_decode(b, span, put_memory, &memory);
    if (rc == 0)
        rc = loader_erase(b, span->addr, span->len_bytes);
    if (rc == 0)
        rc = loader_put(&w, b->block, memory.used);
    if (rc == 0)
        rc = loader_put_end(&w);
    return rc == 0 ? set_mark(b, w.crc) : rc;
}

int loader_begin(struct boot *b)
{
    int rc = state_home(&b->state, &b->err);
    if (b->mark > 0) /* begin_first has it already */
        return rc;
    return rc == 0 ? set_mark(b, 0) : rc; /* which makes the record firm first */
}

/*
 * A mark that was cut may read now although an earlier start did not see it, began the step again
 * and was cut while it erased: then what the mark speaks of has its CRC, but from cells that may
 * read otherwise later. Programming the same bytes makes them firm. Write-once flash cannot, but
 * there a mark without proof is not seen, and one with proof was never unseen.
 */
static int look_at_done(struct boot *b, const struct span *span)
{
    uint32_t crc = b->mark_arg;
    bool full = b->file.kind == PACKAGE_FULL;
    bool good, origin = full;
    int rc = holds(b, span->addr, span->len_bytes, crc, &good);
    if (rc != 0 || (good && b->cfg.layout.write_once))
        return rc;
    if (!full && good)
        rc = equal(b, stage_addr(b), span->addr, span->len_bytes, &origin);
    else if (!full)
        rc = holds(b, stage_addr(b), span->len_bytes, crc, &origin);
    if (rc != 0 || (good && !origin)) /* the backup area is in use again: by then all was firm */
        return rc;
    if (!good && !origin)
        return err_set(&b->err, ERR_DIGEST, "block %u of %s is marked done, but is not",
                       span->block, b->file.name);
    b->work = good ? WORK_FIRM_TARGET : full ? WORK_COPY_FULL : WORK_COPY;
    return 0;
}

/* short_check: the last block counts when its first page does. */
static int look_at_first_page(struct boot *b, const struct span *span)
{
    bool good;
    int rc = holds(b, span->addr, first_page(b, span), b->mark_arg, &good);
    b->work = rc == 0 && !good ? WORK_COPY_ANEW : WORK_NONE;
    return rc;
}

/* The same for the backup area. What is not there is left to look_at_block. */
static int look_at_staged(struct boot *b, const struct span *span)
{
    bool there = false;
    int rc = 0;
    if (!b->cfg.layout.write_once)
        rc = holds(b, stage_addr(b), span->len_bytes, b->mark_arg, &there);
    if (rc == 0 && there)
        b->work = WORK_FIRM_STAGE;
    return rc;
}

/* The block that the last mark speaks of. False: there is none that can be held against it. */
static bool last_block(struct boot *b, struct span *span, bool *staged, int *rc)
{
    struct place p;
    *rc = locate(b, b->mark, &p);
    *staged = p.staged;
    if (*rc != 0 || b->mark < 2 || b->mark_arg == 0)
        return false;
    if (!p.staged)
        *rc = locate(b, b->mark - 1, &p);
    if (*rc == 0)
        loader_span(b, p.turn, span);
    return *rc == 0;
}

/* restart_file: progress counts from the first step of the file that the cut was in. */
static int restart_file(struct boot *b)
{
    struct place p;
    struct state_record r = b->state.record;
    int rc = locate(b, b->mark, &p);
    if (rc != 0 || p.end)
        return rc;
    r.journal_base = b->mark - p.turn * steps_per_block(b) - p.staged;
    rc = state_write(&b->state, &r, &b->err);
    b->mark = b->state.mark;
    b->mark_arg = b->state.mark_arg;
    return rc == 0 ? state_home(&b->state, &b->err) : rc;
}

int loader_resume(struct boot *b)
{
    struct span span;
    bool staged;
    int rc;
    b->resumed = true;
    if (b->cfg.breaks.restart_file)
        return restart_file(b);
    if (!last_block(b, &span, &staged, &rc))
        return rc;
    if (staged)
        return look_at_staged(b, &span);
    return b->cfg.breaks.short_check ? look_at_first_page(b, &span) : look_at_done(b, &span);
}

static int do_work(struct boot *b, const struct span *span)
{
    uint32_t crc = b->mark_arg, full_crc;
    switch (b->work) {
    case WORK_FIRM_TARGET:
        return loader_copy(b, span->addr, span->addr, span->len_bytes);
    case WORK_FIRM_STAGE:
        return loader_copy(b, stage_addr(b), stage_addr(b), span->len_bytes);
    case WORK_COPY_ANEW:
        crc = 0;
        /* fall through */
    case WORK_COPY:
        return copy_block(b, span, stage_addr(b), &crc);
    case WORK_COPY_FULL:
        if (copy_full(b, span, &full_crc) == 0 && full_crc == crc)
            return 0;
        return err_set(&b->err, ERR_DIGEST, "block %u of %s cannot be repeated", span->block,
                       b->file.name);
    default:
        return 0;
    }
}

int loader_repair(struct boot *b)
{
    struct span span;
    bool staged;
    int rc = 0;
    if (last_block(b, &span, &staged, &rc))
        rc = do_work(b, &span);
    return rc == 0 ? state_firm(&b->state, &b->err) : rc;
}

int loader_restore(struct boot *b, bool *finished)
{
    struct place p;
    struct span span;
    int rc = locate(b, b->mark, &p);
    *finished = rc == 0 && p.end;
    if (rc != 0 || p.end)
        return rc;
    loader_span(b, p.turn, &span);
    if (b->file.kind == PACKAGE_FULL)
        return do_full(b, &span);
    if (b->cfg.breaks.skip_backup)
        return do_unsafe(b, &span);
    if (!p.staged)
        return do_stage(b, &span);
    return b->looked ? do_copy(b, &span) : look_at_block(b, &span);
}

bool loader_untouched(struct boot *b)
{
    struct place p;
    return b->mark <= 1 && locate(b, 1, &p) == 0 && b->file.kind == PACKAGE_DELTA &&
           !b->cfg.breaks.skip_backup;
}
