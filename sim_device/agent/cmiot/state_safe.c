/* STATE_SAFE: two banks, CRC, slots by number. Why each step is there: docs/flash-layout.md. */
#include <string.h>

#include "common/bytes.h"
#include "sim_device/agent/cmiot/state_ops.h"

#define RECORD_MAGIC   0x5453424FU /* "OBST" as bytes */
#define RECORD_VERSION 1U
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

static uint32_t copies(const struct state *s)
{
    return s->layout.write_once ? STATE_ONCE_COPIES : 1;
}

static uint32_t slots_from(const struct state *s)
{
    return copies(s) * STATE_RECORD_BYTES;
}

static uint32_t stride(const struct state *s)
{
    return s->layout.granule_bytes > STATE_SLOT_BYTES ? s->layout.granule_bytes : STATE_SLOT_BYTES;
}

/* Slots a mark owns. */
static uint32_t group(const struct state *s)
{
    if (!s->layout.write_once)
        return 1;
    return s->record.update_result == UPDATE_PENDING ? 2 * STATE_ONCE_GROUP : STATE_ONCE_GROUP;
}

/*
 * Slots written together. On write-once flash a restore step is written as a pair: the second slot
 * is begun only after the first is complete, so a touched second slot proves the first one firm,
 * and a power-on that finds it need not spend another slot.
 */
static uint32_t together(const struct state *s)
{
    return s->layout.write_once && s->record.update_result == UPDATE_PENDING ? 2 : 1;
}

static uint32_t capacity(const struct state *s)
{
    return (s->layout.erase_bytes - slots_from(s)) / stride(s) / group(s);
}

static uint32_t safe_min_erase(const struct state_layout *l)
{
    struct state view = {.layout = *l, .record = {.update_result = UPDATE_PENDING}};
    return slots_from(&view) + 4 * group(&view) * stride(&view);
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

static uint32_t slot_addr(const struct state *s, uint32_t position)
{
    return s->bank + slots_from(s) + position * stride(s);
}

static uint32_t position_of(const struct state *s, uint32_t number)
{
    return (number - s->record.journal_base - 1) * group(s);
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

/* The first good copy of the record in a bank. *good tells; 0 or ERR_IO. */
static int read_bank(const struct state *s, uint32_t bank, uint8_t out[STATE_RECORD_BYTES],
                     bool *good)
{
    *good = false;
    for (uint32_t i = 0; i < copies(s) && !*good; i++) {
        int rc = s->io.read(s->io.ctx, bank + i * STATE_RECORD_BYTES, out, STATE_RECORD_BYTES);
        if (rc != 0 && rc != ERR_DIGEST)
            return ERR_IO;
        *good = rc == 0 && record_good(s, out);
    }
    return 0;
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
static int read_slot(const struct state *s, uint32_t position, struct slot *slot)
{
    uint8_t bytes[STATE_SLOT_BYTES];
    int rc = s->io.read(s->io.ctx, slot_addr(s, position), bytes, sizeof bytes);
    if (rc != 0 && rc != ERR_DIGEST)
        return ERR_IO;
    if (rc == ERR_DIGEST)
        *slot = (struct slot){.touched = true};
    else
        decode_slot(s, bytes, slot);
    return 0;
}

/* Finds the highest mark. The slots are read in pieces, one by one only where a piece traps. */
static int scan_slots(struct state *s)
{
    uint32_t count = capacity(s) * group(s);
    uint32_t per_piece = STATE_RECORD_BYTES / stride(s);
    uint32_t untouched = 0;
    uint8_t piece[STATE_RECORD_BYTES];
    bool piece_good = false;

    for (uint32_t i = 0; i < count && untouched < GAP_SLOTS; i++) {
        struct slot slot;
        if (i % per_piece == 0 && i + per_piece <= count) {
            int rc = s->io.read(s->io.ctx, slot_addr(s, i), piece, sizeof piece);
            if (rc != 0 && rc != ERR_DIGEST)
                return ERR_IO;
            piece_good = rc == 0;
        } else if (i % per_piece == 0) {
            piece_good = false;
        }
        if (piece_good)
            decode_slot(s, piece + i % per_piece * stride(s), &slot);
        else if (read_slot(s, i, &slot) != 0)
            return ERR_IO;
        untouched = slot.touched ? 0 : untouched + 1;
        s->journalled = s->journalled || slot.touched;
        bool append = s->layout.breaks.append_marks;
        if (append && slot.touched && !slot.valid)
            break;
        if (slot.valid && slot.number > s->mark &&
            (append || position_of(s, slot.number) == i - i % group(s))) {
            s->mark = slot.number;
            s->mark_arg = slot.arg;
        }
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
        bool newer = (int32_t)(get_le32(bytes + AT_SEQUENCE) - s->sequence) > 0;
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

static int write_bank(struct state *s, uint32_t bank, const uint8_t record[STATE_RECORD_BYTES])
{
    int rc = ERR_IO;
    for (int i = 0; i < STATE_TRIES && rc != 0; i++) {
        rc = s->io.erase(s->io.ctx, bank, s->layout.erase_bytes);
        if (rc == 0)
            rc = state_program(s, bank, record, STATE_RECORD_BYTES);
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
    encode_record(bytes, r, s->sequence + 1, base_arg);
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
    s->firm = true;
    decode_record(s, bytes);
    return 0;
}

static void encode_slot(const struct state *s, uint32_t number, uint32_t arg,
                        uint8_t out[STATE_RECORD_BYTES])
{
    memset(out, 0xFF, STATE_RECORD_BYTES); /* the rest of a larger granule stays as erased */
    put_le32(out + SLOT_NUMBER, number);
    put_le32(out + SLOT_ARG, arg);
    put_le32(out + SLOT_SEQUENCE, s->sequence);
    put_le32(out + SLOT_CRC, crc32_update(0, out, SLOT_CRC));
}

static bool untouched(const struct state *s, uint32_t position, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slot slot;
        if (read_slot(s, position + i, &slot) != 0 || slot.touched)
            return false;
    }
    return true;
}

/* Programs the mark into its slot, or into the first untouched place of its group. ERR_LIMIT when
 * there is none. */
static int put_slots(struct state *s, uint32_t number, uint32_t arg)
{
    uint8_t bytes[STATE_RECORD_BYTES];
    uint32_t first = position_of(s, number);
    encode_slot(s, number, arg, bytes);
    s->journalled = true;
    if (s->layout.breaks.append_marks)
        for (first = 0; first < capacity(s) && !untouched(s, first, 1);)
            first++;
    if (!s->layout.write_once)
        return first < capacity(s) ? state_program(s, slot_addr(s, first), bytes, stride(s))
                                   : ERR_LIMIT;
    for (uint32_t i = 0; i < group(s); i += together(s)) {
        uint32_t done = 0;
        if (!untouched(s, first + i, together(s)))
            continue;
        while (done < together(s) &&
               state_program(s, slot_addr(s, first + i + done), bytes, stride(s)) == 0)
            done++;
        if (done == together(s))
            return 0;
    }
    return ERR_LIMIT;
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
    return used < capacity(s) ? capacity(s) - used : 0;
}

/* Write-once: a second slot of a pair was begun, so the first one is complete and firm. */
static bool safe_mark_is_firm(const struct state *s)
{
    if (together(s) != 2)
        return false;
    if (s->mark == s->record.journal_base) /* part of the record */
        return true;
    uint32_t first = position_of(s, s->mark);
    for (uint32_t i = 0; i < group(s); i += 2) {
        struct slot opener, closer;
        if (read_slot(s, first + i, &opener) == 0 && opener.valid && opener.number == s->mark &&
            read_slot(s, first + i + 1, &closer) == 0 && closer.touched)
            return true;
    }
    return false;
}

/* Write-once: a group that is used up leaves things as they are, like the copies below. */
static int firm_mark(struct state *s)
{
    if (s->mark == s->record.journal_base || safe_mark_is_firm(s))
        return 0;
    int rc = put_slots(s, s->mark, s->mark_arg);
    return rc == ERR_LIMIT ? 0 : rc;
}

static int firm_record(struct state *s)
{
    uint8_t bytes[STATE_RECORD_BYTES], place[STATE_RECORD_BYTES];
    bool good;
    if (s->journalled) /* no slot is begun before the record is firm */
        return 0;
    int rc = read_bank(s, s->bank, bytes, &good);
    if (rc != 0 || !good)
        return ERR_IO;
    if (!s->layout.write_once)
        return state_program(s, s->bank, bytes, sizeof bytes);
    for (uint32_t i = 1; i < copies(s); i++) {
        uint32_t addr = s->bank + i * STATE_RECORD_BYTES;
        if (s->io.read(s->io.ctx, addr, place, sizeof place) == 0 &&
            state_blank(place, sizeof place) && state_program(s, addr, bytes, sizeof bytes) == 0)
            return 0;
    }
    return 0;
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
    .mark_is_firm = safe_mark_is_firm,
    .firm = safe_firm,
};
