/*
 * STATE_VENDOR: the vendor's own record and journal, byte for byte (protocols note cms-ota §8),
 * with its weakness: one copy, no check value, gone between erase and write. Restore steps, which
 * the vendor keeps elsewhere, are further journal words: record.index + step.
 */
#include <string.h>

#include "common/bytes.h"
#include "sim_device/agent/cmiot/state_ops.h"

#define VENDOR_INITED       8U
#define VENDOR_RECORD_BYTES 176U

/* Byte offsets: the vendor's struct with natural alignment. */
enum {
    AT_INITED = 0,
    AT_RESULT = 2,
    AT_MID = 4,
    AT_CODE = 36,
    AT_DEVICE_ID = 68,
    AT_SECRET = 100,
    AT_INDEX = 164,
    AT_INDEX_MAX = 168,
    AT_DELTA_ID = 172
};
_Static_assert(AT_DELTA_ID + 4 == VENDOR_RECORD_BYTES, "vendor record layout");
_Static_assert(AT_SECRET + sizeof((struct state_record *)0)->device_secret == AT_INDEX, "vendor");

static uint32_t round_up(uint32_t value, uint32_t step)
{
    return (value + step - 1) / step * step;
}

static uint32_t stride(const struct state_layout *l)
{
    return l->granule_bytes > 4 ? l->granule_bytes : 4;
}

static uint32_t slots_from(const struct state_layout *l)
{
    return round_up(VENDOR_RECORD_BYTES, stride(l));
}

static uint32_t capacity(const struct state_layout *l)
{
    return (l->erase_bytes - slots_from(l)) / stride(l);
}

static uint32_t vendor_min_erase(const struct state_layout *l)
{
    return slots_from(l) + 8 * stride(l);
}

static bool pending(const struct state *s)
{
    return s->record.update_result == UPDATE_PENDING;
}

static void encode_record(uint8_t out[STATE_RECORD_BYTES], const struct state_record *r)
{
    memset(out, 0xFF, STATE_RECORD_BYTES);
    memset(out, 0, VENDOR_RECORD_BYTES);
    out[AT_INITED] = VENDOR_INITED;
    put_le16(out + AT_RESULT, r->update_result);
    memcpy(out + AT_MID, r->mid, sizeof r->mid);
    memcpy(out + AT_CODE, r->code, sizeof r->code);
    memcpy(out + AT_DEVICE_ID, r->device_id, sizeof r->device_id);
    memcpy(out + AT_SECRET, r->device_secret, sizeof r->device_secret);
    put_le32(out + AT_INDEX, r->index);
    put_le32(out + AT_INDEX_MAX, r->index_max);
    put_le32(out + AT_DELTA_ID, r->delta_id);
}

/* Sets record and the marks it stands for; journal_base is not kept, so it is what a new start
 * would find: the index, or 0 while pending. */
static void decode_record(struct state *s, const uint8_t in[VENDOR_RECORD_BYTES])
{
    struct state_record *r = &s->record;
    memset(r, 0, sizeof *r);
    r->update_result = get_le16(in + AT_RESULT);
    state_text(r->mid, in + AT_MID, sizeof r->mid);
    memcpy(r->code, in + AT_CODE, sizeof r->code);
    state_text(r->device_id, in + AT_DEVICE_ID, sizeof r->device_id);
    state_text(r->device_secret, in + AT_SECRET, sizeof r->device_secret);
    r->index = get_le32(in + AT_INDEX);
    r->index_max = get_le32(in + AT_INDEX_MAX);
    r->delta_id = get_le32(in + AT_DELTA_ID);
    r->journal_base = pending(s) ? 0 : r->index;
    s->mark = r->journal_base;
}

static int put_word(struct state *s, uint32_t value)
{
    uint8_t bytes[STATE_RECORD_BYTES];
    memset(bytes, 0xFF, sizeof bytes);
    put_le32(bytes, value);
    uint32_t addr = s->bank + slots_from(&s->layout) + s->next_pos * stride(&s->layout);
    s->next_pos++;
    return s->io.program(s->io.ctx, addr, bytes, stride(&s->layout)) == 0 ? 0 : ERR_IO;
}

static int vendor_open(struct state *s, struct err *err)
{
    uint8_t bytes[VENDOR_RECORD_BYTES];
    uint32_t last = 0;

    s->bank = state_bank_a(&s->layout);
    int rc = s->io.read(s->io.ctx, s->bank, bytes, sizeof bytes);
    if (rc != 0 && rc != ERR_DIGEST)
        return err_set(err, ERR_IO, "state: record at 0x%x cannot be read", s->bank);
    s->valid = rc == 0 && bytes[AT_INITED] == VENDOR_INITED;
    if (!s->valid)
        return 0;
    decode_record(s, bytes);
    for (uint32_t i = 0; i < capacity(&s->layout); i++) {
        uint8_t word[4];
        uint32_t addr = s->bank + slots_from(&s->layout) + i * stride(&s->layout);
        rc = s->io.read(s->io.ctx, addr, word, sizeof word);
        if (rc != 0 && rc != ERR_DIGEST)
            return err_set(err, ERR_IO, "state: journal at 0x%x cannot be read", addr);
        if (rc == 0 && state_blank(word, sizeof word))
            continue;
        s->next_pos = i + 1;
        if (rc == 0)
            last = get_le32(word);
    }
    if (last != 0 && !pending(s))
        s->mark = last;
    else if (pending(s) && last > s->record.index)
        s->mark = last - s->record.index;
    return 0;
}

static int vendor_store(struct state *s, const struct state_record *r, uint32_t base_arg,
                        struct err *err)
{
    uint8_t bytes[STATE_RECORD_BYTES];
    uint32_t step = r->update_result == UPDATE_PENDING ? r->journal_base : 0;
    (void)base_arg;
    encode_record(bytes, r);
    s->valid = false;
    int rc = s->io.erase(s->io.ctx, s->bank, s->layout.erase_bytes);
    if (rc == 0)
        rc = s->io.program(s->io.ctx, s->bank, bytes,
                           round_up(VENDOR_RECORD_BYTES, s->layout.granule_bytes));
    if (rc != 0)
        return err_set(err, ERR_IO, "state: record cannot be written at 0x%x", s->bank);
    s->valid = true;
    s->next_pos = 0;
    decode_record(s, bytes);
    s->mark_arg = 0;
    /* On completion the vendor repeats the last segment number in the first slot. */
    if (pending(s) && r->index > 0)
        rc = put_word(s, r->index);
    if (rc == 0 && step > 0) {
        s->record.journal_base = s->mark = step;
        rc = put_word(s, r->index + step);
    }
    return rc == 0 ? 0 : err_set(err, ERR_IO, "state: journal cannot be written at 0x%x", s->bank);
}

static int vendor_put_mark(struct state *s, uint32_t number, uint32_t arg, struct err *err)
{
    (void)arg;
    if (s->next_pos >= capacity(&s->layout))
        return err_set(err, ERR_LIMIT, "state: journal at 0x%x is full", s->bank);
    if (put_word(s, pending(s) ? s->record.index + number : number) != 0)
        return err_set(err, ERR_IO, "state: mark %u cannot be written", number);
    return 0;
}

static uint32_t vendor_room(const struct state *s)
{
    uint32_t all = capacity(&s->layout);
    return s->next_pos < all ? all - s->next_pos : 0;
}

static int vendor_firm(struct state *s, struct err *err)
{
    (void)s, (void)err;
    return 0;
}

const struct state_ops state_vendor_ops = {
    .min_erase = vendor_min_erase,
    .open = vendor_open,
    .store = vendor_store,
    .put_mark = vendor_put_mark,
    .room = vendor_room,
    .firm = vendor_firm,
};
