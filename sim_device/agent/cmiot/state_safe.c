/* STATE_SAFE: two banks, CRC, slots by number. Why each step is there: docs/flash-layout.md. */
#include <string.h>

#include "common/bytes.h"
#include "sim_device/agent/cmiot/state_ops.h"

#define RECORD_MAGIC   0x5453424FU /* "OBST" as bytes */
#define RECORD_VERSION 1U
#define SEQUENCE_CYCLE 4U  /* write-once flash */
#define GAP_SLOTS      32U /* so many untouched slots in a row: no mark was begun behind them */

/* Byte offsets, record. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_RESULT = 6,
    AT_SEQUENCE = 8,
    AT_BASE = 12,
    AT_BASE_ARG = 16,
    AT_INDEX = 20,
    AT_INDEX_MAX = 24,
    AT_DELTA_ID = 28,
    AT_FILE_BYTES = 32,
    AT_SEGMENT_BYTES = 36,
    AT_REPORT_DUE = 40,
    AT_MD5 = 44,
    AT_MID = 64,
    AT_CODE = 96,
    AT_DEVICE_ID = 128,
    AT_SECRET = 160,
    AT_CRC = 252
};
_Static_assert(AT_MD5 + MD5_BYTES <= AT_MID, "record layout");
_Static_assert(AT_SECRET + sizeof((struct state_record *)0)->device_secret <= AT_CRC, "record");
_Static_assert(AT_CRC + 4 == STATE_RECORD_BYTES, "record layout");

/* Byte offsets, slot. */
enum { SLOT_NUMBER = 0, SLOT_ARG = 4, SLOT_SEQUENCE = 8, SLOT_CRC = 12 };
_Static_assert(SLOT_CRC + 4 == STATE_SLOT_BYTES, "slot layout");

struct slot {
    bool touched; /* not as erased, or traps */
    bool valid;
    uint32_t number;
    uint32_t arg;
};

static uint32_t stride(const struct state *s)
{
    return s->layout.granule_bytes > STATE_SLOT_BYTES ? s->layout.granule_bytes : STATE_SLOT_BYTES;
}

/*
 * Write-once flash: the record and every mark are followed by proofs, slots that are begun only
 * when what they prove is complete. A touched one shows that it is firm, and what has none is not
 * there. With ECC one is enough: what was begun never reads as erased again. Without, a proof
 * itself may fade, and there are more of them.
 */
static uint32_t proofs(const struct state *s)
{
    if (!s->layout.write_once)
        return 0;
    return s->layout.traps ? 1 : STATE_ONCE_PROOFS;
}

/* Slots a mark owns: its own and its proofs. */
static uint32_t group(const struct state *s)
{
    return 1 + proofs(s);
}

static uint32_t capacity(const struct state *s)
{
    uint32_t slots = (s->layout.erase_bytes - STATE_RECORD_BYTES) / stride(s);
    return (slots - proofs(s)) / group(s);
}

static uint32_t safe_min_erase(const struct state_layout *l)
{
    struct state view = {.layout = *l};
    return STATE_RECORD_BYTES + (proofs(&view) + 4 * group(&view)) * stride(&view);
}

/*
 * Two records that count are always one apart. On write-once flash every cut may cost a move, so
 * there the number goes round in the least cycle that tells them apart: a device that was cut any
 * number of times has been in a state like this before.
 */
static uint32_t next_sequence(const struct state *s)
{
    return s->layout.write_once ? (s->sequence + 1) % SEQUENCE_CYCLE : s->sequence + 1;
}

static bool follows(const struct state *s, uint32_t sequence, uint32_t other)
{
    if (s->layout.write_once)
        return sequence == (other + 1) % SEQUENCE_CYCLE;
    return (int32_t)(sequence - other) > 0;
}

static uint32_t other_bank(const struct state *s)
{
    uint32_t a = state_bank_a(&s->layout);
    return s->valid && s->bank == a ? state_bank_b(&s->layout) : a;
}

/* Where the next record goes: never over the one that counts, but for the broken ones. */
static uint32_t next_bank(const struct state *s, const struct state_record *r)
{
    const struct state_breaks *broken = &s->layout.breaks;
    bool compacts = s->valid && r->journal_base > s->record.journal_base &&
                    r->delta_id == s->record.delta_id &&
                    r->update_result == s->record.update_result;
    if (broken->one_copy)
        return state_bank_a(&s->layout);
    return broken->roll_in_place && compacts ? s->bank : other_bank(s);
}

static uint32_t slot_addr(const struct state *s, uint32_t bank, uint32_t position)
{
    return bank + STATE_RECORD_BYTES + position * stride(s);
}

/* The proofs of the record come first. */
static uint32_t position_of(const struct state *s, uint32_t number)
{
    return proofs(s) + (number - s->record.journal_base - 1) * group(s);
}

static void encode_record(uint8_t out[STATE_RECORD_BYTES], const struct state_record *r,
                          uint32_t sequence, uint32_t base_arg)
{
    memset(out, 0, STATE_RECORD_BYTES);
    put_le32(out + AT_MAGIC, RECORD_MAGIC);
    put_le16(out + AT_VERSION, RECORD_VERSION);
    put_le16(out + AT_RESULT, r->update_result);
    put_le32(out + AT_SEQUENCE, sequence);
    put_le32(out + AT_BASE, r->journal_base);
    put_le32(out + AT_BASE_ARG, base_arg);
    put_le32(out + AT_INDEX, r->index);
    put_le32(out + AT_INDEX_MAX, r->index_max);
    put_le32(out + AT_DELTA_ID, r->delta_id);
    put_le32(out + AT_FILE_BYTES, r->file_bytes);
    put_le32(out + AT_SEGMENT_BYTES, r->segment_bytes);
    out[AT_REPORT_DUE] = r->report_due;
    memcpy(out + AT_MD5, r->md5, MD5_BYTES);
    memcpy(out + AT_MID, r->mid, sizeof r->mid);
    memcpy(out + AT_CODE, r->code, sizeof r->code);
    memcpy(out + AT_DEVICE_ID, r->device_id, sizeof r->device_id);
    memcpy(out + AT_SECRET, r->device_secret, sizeof r->device_secret);
    put_le32(out + AT_CRC, crc32_update(0, out, AT_CRC));
}

static bool record_good(const struct state *s, const uint8_t in[STATE_RECORD_BYTES])
{
    return get_le32(in + AT_MAGIC) == RECORD_MAGIC && get_le16(in + AT_VERSION) == RECORD_VERSION &&
           (s->layout.breaks.no_check || get_le32(in + AT_CRC) == crc32_update(0, in, AT_CRC));
}

static void decode_record(struct state *s, const uint8_t in[STATE_RECORD_BYTES])
{
    struct state_record *r = &s->record;
    memset(r, 0, sizeof *r);
    r->update_result = get_le16(in + AT_RESULT);
    r->journal_base = get_le32(in + AT_BASE);
    r->index = get_le32(in + AT_INDEX);
    r->index_max = get_le32(in + AT_INDEX_MAX);
    r->delta_id = get_le32(in + AT_DELTA_ID);
    r->file_bytes = get_le32(in + AT_FILE_BYTES);
    r->segment_bytes = get_le32(in + AT_SEGMENT_BYTES);
    r->report_due = in[AT_REPORT_DUE];
    memcpy(r->md5, in + AT_MD5, MD5_BYTES);
    memcpy(r->code, in + AT_CODE, sizeof r->code);
    state_text(r->mid, in + AT_MID, sizeof r->mid);
    state_text(r->device_id, in + AT_DEVICE_ID, sizeof r->device_id);
    state_text(r->device_secret, in + AT_SECRET, sizeof r->device_secret);
    s->sequence = get_le32(in + AT_SEQUENCE);
    s->mark = r->journal_base;
    s->mark_arg = get_le32(in + AT_BASE_ARG);
}

static void decode_slot(const struct state *s, const uint8_t in[STATE_SLOT_BYTES],
                        struct slot *slot)
{
    slot->touched = !state_blank(in, STATE_SLOT_BYTES);
    slot->number = get_le32(in + SLOT_NUMBER);
    slot->arg = get_le32(in + SLOT_ARG);
    slot->valid = slot->touched && (s->layout.breaks.loose_marks ||
                                    (get_le32(in + SLOT_SEQUENCE) == s->sequence &&
                                     get_le32(in + SLOT_CRC) == crc32_update(0, in, SLOT_CRC)));
    if (s->layout.breaks.narrow_marks)
        slot->number &= 0xFF;
}

/* 0 or ERR_IO. A slot that traps is touched and not valid. */
static int read_slot(const struct state *s, uint32_t bank, uint32_t position, struct slot *slot)
{
    uint8_t bytes[STATE_SLOT_BYTES];
    int rc = s->io.read(s->io.ctx, slot_addr(s, bank, position), bytes, sizeof bytes);
    if (rc != 0 && rc != ERR_DIGEST)
        return ERR_IO;
    if (rc == ERR_DIGEST)
        *slot = (struct slot){.touched = true};
    else
        decode_slot(s, bytes, slot);
    return 0;
}

/* The record of a bank, and whether it counts. 0 or ERR_IO. */
static int read_bank(const struct state *s, uint32_t bank, uint8_t out[STATE_RECORD_BYTES],
                     bool *good)
{
    *good = false;
    int rc = s->io.read(s->io.ctx, bank, out, STATE_RECORD_BYTES);
    if (rc != 0 && rc != ERR_DIGEST)
        return ERR_IO;
    if (rc == ERR_DIGEST || !record_good(s, out))
        return 0;
    *good = proofs(s) == 0;
    for (uint32_t i = 0; i < proofs(s) && !*good; i++) {
        struct slot proof;
        if (read_slot(s, bank, i, &proof) != 0)
            return ERR_IO;
        *good = proof.touched;
    }
    return 0;
}

/* What a scan has come across: on write-once flash a mark waits for a touched proof. */
static void take_slot(struct state *s, uint32_t position, const struct slot *slot,
                      struct slot *waiting)
{
    bool append = s->layout.breaks.append_marks;
    s->journalled = s->journalled || slot->touched;
    if (position < proofs(s))
        return;
    s->inherited = s->inherited || (s->layout.write_once && slot->touched);
    bool own = (position - proofs(s)) % group(s) == 0;
    if (own)
        *waiting = (struct slot){0};
    if (slot->valid && slot->number > s->mark &&
        (append || (own && position_of(s, slot->number) == position)))
        *waiting = *slot;
    if (waiting->valid && slot->touched && (!own || proofs(s) == 0)) {
        s->mark = waiting->number;
        s->mark_arg = waiting->arg;
        waiting->valid = false;
    }
}

/* Finds the highest mark. The slots are read in pieces, one by one only where a piece traps. */
static int scan_slots(struct state *s)
{
    uint32_t count = proofs(s) + capacity(s) * group(s);
    uint32_t per_piece = STATE_RECORD_BYTES / stride(s);
    uint32_t untouched = 0;
    uint8_t piece[STATE_RECORD_BYTES];
    bool piece_good = false;
    struct slot slot, waiting = {0};

    for (uint32_t i = 0; i < count && untouched < GAP_SLOTS; i++) {
        if (i % per_piece == 0 && i + per_piece <= count) {
            int rc = s->io.read(s->io.ctx, slot_addr(s, s->bank, i), piece, sizeof piece);
            if (rc != 0 && rc != ERR_DIGEST)
                return ERR_IO;
            piece_good = rc == 0;
        } else if (i % per_piece == 0) {
            piece_good = false;
        }
        if (piece_good)
            decode_slot(s, piece + i % per_piece * stride(s), &slot);
        else if (read_slot(s, s->bank, i, &slot) != 0)
            return ERR_IO;
        untouched = slot.touched ? 0 : untouched + 1;
        take_slot(s, i, &slot, &waiting);
        if (s->layout.breaks.append_marks && slot.touched && !slot.valid)
            break;
    }
    return 0;
}

static int safe_open(struct state *s, struct err *err)
{
    uint32_t banks[2] = {state_bank_a(&s->layout), state_bank_b(&s->layout)};
    uint8_t bytes[STATE_RECORD_BYTES];

    s->bank = banks[1]; /* so that the first record goes to A */
    for (int i = 0; i < 2; i++) {
        bool good;
        if (read_bank(s, banks[i], bytes, &good) != 0)
            return err_set(err, ERR_IO, "state: record at 0x%x cannot be read", banks[i]);
        if (!good)
            continue;
        bool newer = follows(s, get_le32(bytes + AT_SEQUENCE), s->sequence);
        s->other_stale = s->valid;
        if (!s->valid || newer) {
            s->valid = true;
            s->bank = banks[i];
            decode_record(s, bytes);
        }
    }
    if (s->valid && scan_slots(s) != 0)
        return err_set(err, ERR_IO, "state: journal at 0x%x cannot be read", s->bank);
    return 0;
}

/* Slots from that position on, one after the other, each read back. 0 or ERR_IO. */
static int program_slots(struct state *s, uint32_t bank, uint32_t position, uint32_t count,
                         const uint8_t bytes[STATE_RECORD_BYTES])
{
    int rc = 0;
    for (uint32_t i = 0; i < count && rc == 0; i++)
        rc = state_program(s, slot_addr(s, bank, position + i), bytes, stride(s));
    return rc;
}

static void encode_slot(uint32_t number, uint32_t arg, uint32_t sequence,
                        uint8_t out[STATE_RECORD_BYTES])
{
    memset(out, 0xFF, STATE_RECORD_BYTES); /* the rest of a larger granule stays as erased */
    put_le32(out + SLOT_NUMBER, number);
    put_le32(out + SLOT_ARG, arg);
    put_le32(out + SLOT_SEQUENCE, sequence);
    put_le32(out + SLOT_CRC, crc32_update(0, out, SLOT_CRC));
}

static int write_bank(struct state *s, uint32_t bank, const uint8_t record[STATE_RECORD_BYTES])
{
    int rc = ERR_IO;
    uint8_t proof[STATE_RECORD_BYTES];
    encode_slot(get_le32(record + AT_BASE), get_le32(record + AT_BASE_ARG),
                get_le32(record + AT_SEQUENCE), proof);
    for (int i = 0; i < STATE_TRIES && rc != 0; i++) {
        rc = s->io.erase(s->io.ctx, bank, s->layout.erase_bytes);
        if (rc == 0)
            rc = state_program(s, bank, record, STATE_RECORD_BYTES);
        if (rc == 0)
            rc = program_slots(s, bank, 0, proofs(s), proof);
    }
    return rc;
}

static int safe_store(struct state *s, const struct state_record *r, uint32_t base_arg,
                      struct err *err)
{
    uint8_t bytes[STATE_RECORD_BYTES];
    uint32_t bank = next_bank(s, r);
    int rc = state_firm(s, err);
    if (rc != 0)
        return rc;
    if (s->layout.breaks.erase_first && s->valid)
        (void)s->io.erase(s->io.ctx, s->bank, s->layout.erase_bytes);
    encode_record(bytes, r, next_sequence(s), base_arg);
    /* What was there is gone with the erase, also when the rest fails. */
    bool was_valid = s->valid;
    s->other_stale = false;
    if (write_bank(s, bank, bytes) != 0) {
        s->firm = false;
        return err_set(err, ERR_IO, "state: record cannot be written at 0x%x", bank);
    }
    s->other_stale = was_valid;
    s->valid = true;
    s->bank = bank;
    s->journalled = false;
    s->inherited = false;
    s->firm = true;
    decode_record(s, bytes);
    return 0;
}

static bool untouched(const struct state *s, uint32_t position)
{
    struct slot slot;
    return read_slot(s, s->bank, position, &slot) == 0 && !slot.touched;
}

/* The mark and its proofs. ERR_LIMIT: no place. */
static int put_slots(struct state *s, uint32_t number, uint32_t arg)
{
    uint8_t bytes[STATE_RECORD_BYTES];
    uint32_t at = position_of(s, number);
    encode_slot(number, arg, s->sequence, bytes);
    s->journalled = true;
    if (s->layout.breaks.append_marks)
        for (at = 0; at < capacity(s) && !untouched(s, at);)
            at++;
    if (at >= proofs(s) + capacity(s) * group(s))
        return ERR_LIMIT;
    return program_slots(s, s->bank, at, group(s), bytes);
}

static int safe_put_mark(struct state *s, uint32_t number, uint32_t arg, struct err *err)
{
    if (state_room(s) == 0)
        return err_set(err, ERR_LIMIT, "state: journal at 0x%x is full", s->bank);
    int rc = put_slots(s, number, arg);
    return rc == 0 ? 0 : err_set(err, rc, "state: mark %u cannot be written", number);
}

static uint32_t safe_room(const struct state *s)
{
    uint32_t used = s->mark - s->record.journal_base;
    return used < capacity(s) && !s->inherited ? capacity(s) - used : 0;
}

/* Write-once flash without ECC: the proofs that are not there are programmed, so that at least one
 * of them is seen from now on. What is refused was begun. */
static void complete_proofs(struct state *s, uint32_t position, uint32_t number, uint32_t arg)
{
    uint8_t bytes[STATE_RECORD_BYTES];
    encode_slot(number, arg, s->sequence, bytes);
    for (uint32_t i = 0; i < proofs(s); i++)
        if (untouched(s, position + i))
            (void)program_slots(s, s->bank, position + i, 1, bytes);
}

static int firm_mark(struct state *s)
{
    if (s->mark == s->record.journal_base)
        return 0;
    if (s->layout.write_once) {
        complete_proofs(s, position_of(s, s->mark) + 1, s->mark, s->mark_arg);
        return 0;
    }
    int rc = put_slots(s, s->mark, s->mark_arg);
    return rc == ERR_LIMIT ? 0 : rc;
}

static int firm_record(struct state *s)
{
    uint8_t bytes[STATE_RECORD_BYTES];
    bool good;
    if (s->layout.write_once) {
        complete_proofs(s, 0, s->record.journal_base, 0);
        return 0;
    }
    if (s->journalled) /* no slot is begun before the record is firm */
        return 0;
    int rc = read_bank(s, s->bank, bytes, &good);
    return rc == 0 && good ? state_program(s, s->bank, bytes, sizeof bytes) : ERR_IO;
}

static bool bank_blank(const struct state *s, uint32_t bank)
{
    uint8_t piece[STATE_RECORD_BYTES];
    for (uint32_t at = 0; at < s->layout.erase_bytes; at += sizeof piece) {
        if (s->io.read(s->io.ctx, bank + at, piece, sizeof piece) != 0 ||
            !state_blank(piece, sizeof piece))
            return false;
    }
    return true;
}

/*
 * A record torn in the other bank may read valid at a later power-on, with a higher sequence than
 * ours, after we have gone on from here. While a restore is under way the other bank is part of the
 * backup area, was erased by it, and is left alone.
 */
static int firm_other(struct state *s)
{
    uint32_t bank = other_bank(s);
    int rc = ERR_IO;
    if (s->other_stale || (s->journalled && s->record.update_result == UPDATE_PENDING))
        return 0;
    if (s->journalled && bank_blank(s, bank))
        return 0;
    for (int i = 0; i < STATE_TRIES && rc != 0; i++)
        rc = s->io.erase(s->io.ctx, bank, s->layout.erase_bytes);
    return rc;
}

static int safe_firm(struct state *s, struct err *err)
{
    if (s->layout.write_once && s->layout.traps) /* what counts is firm; the rest never will */
        return 0;
    /* The record first: the other bank may be all there is if this one fades. */
    int rc = firm_record(s);
    if (rc == 0)
        rc = firm_other(s);
    if (rc == 0)
        rc = firm_mark(s);
    /* A download can be repeated; for it, flash that refuses is no reason to stop. */
    if (s->record.update_result != UPDATE_PENDING)
        rc = 0;
    return rc == 0 ? 0 : err_set(err, ERR_IO, "state: record at 0x%x cannot be made firm", s->bank);
}

const struct state_ops state_safe_ops = {
    .min_erase = safe_min_erase,
    .open = safe_open,
    .store = safe_store,
    .put_mark = safe_put_mark,
    .room = safe_room,
    .firm = safe_firm,
};
