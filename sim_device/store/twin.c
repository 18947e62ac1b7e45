#include "sim_device/store/twin.h"

#include <string.h>

#include "common/bytes.h"

#define MAGIC       0x4e495754u /* "TWIN" as bytes */
#define STRIDE      16u         /* of a proof; the granule divides it */
#define PROOFS      2u
#define PIECE_BYTES 128u
#define PLACES_MAX  8u
#define WRITE_TRIES 3
#define ERASED      0xFF

enum { AT_MAGIC = 0, AT_SEQUENCE = 4, AT_LENGTH = 8, AT_CRC = 12 };

/* What a bank holds. */
struct bank_view {
    bool valid;
    uint32_t place; /* the first that counts */
    uint32_t proofs;
    uint32_t sequence;
    uint32_t len_bytes;
};

static uint32_t round_up(uint32_t n, uint32_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static uint32_t record_bytes(uint32_t max_bytes)
{
    return round_up(TWIN_HEAD_BYTES + max_bytes, STRIDE);
}

static bool rewritable(const struct twin *t)
{
    return t->geo->policy == NOR_REWRITE;
}

/* Touched proofs that show a record firm, and that every later start will see it. With ECC what was
 * begun never reads as erased again, so the one that makes it count is enough. */
static uint32_t proofs_needed(const struct twin *t)
{
    return t->geo->policy == NOR_ECC ? 1 : PROOFS;
}

static uint32_t place_addr(const struct twin *t, uint32_t bank, uint32_t place)
{
    return t->offset + bank * t->bank_bytes + place * t->place_bytes;
}

static uint32_t proof_addr(const struct twin *t, uint32_t bank, uint32_t place, uint32_t proof)
{
    return place_addr(t, bank, place) + record_bytes(t->max_bytes) + proof * STRIDE;
}

static bool blank(const uint8_t *data, uint32_t len_bytes)
{
    for (uint32_t i = 0; i < len_bytes; i++)
        if (data[i] != ERASED)
            return false;
    return true;
}

int twin_check(const struct nor_geometry *geo, uint32_t part_bytes, uint32_t max_bytes,
               struct err *err)
{
    uint32_t place = record_bytes(max_bytes) + PROOFS * STRIDE;
    uint32_t places = geo->policy == NOR_REWRITE ? 1 : 4; /* copies that a few cuts may cost */
    uint32_t least = 2 * round_up(place * places, geo->erase_bytes);
    if (max_bytes == 0 || max_bytes > TWIN_BYTES_MAX)
        return err_set(err, ERR_ARG, "a record of %u bytes, allowed are 1..%d", (unsigned)max_bytes,
                       TWIN_BYTES_MAX);
    if (STRIDE % geo->granule_bytes != 0)
        return err_set(err, ERR_ARG, "granule of %u bytes does not divide %u",
                       (unsigned)geo->granule_bytes, STRIDE);
    if (part_bytes < least || part_bytes % (2 * geo->erase_bytes) != 0)
        return err_set(err, ERR_ARG,
                       "%u bytes for a record of %u in two banks, needed are at least %u in steps "
                       "of two erase units, %u",
                       (unsigned)part_bytes, (unsigned)max_bytes, (unsigned)least,
                       (unsigned)(2 * geo->erase_bytes));
    return 0;
}

/* ---- reading ---- */

static int flash_read(const struct twin *t, uint32_t addr, void *out, uint32_t len_bytes)
{
    if (t->board == NULL) {
        memcpy(out, t->memory + addr, len_bytes);
        return 0;
    }
    board_flash_lock(t->board);
    int rc = nor_read(t->board->nor, addr, out, len_bytes);
    board_flash_unlock(t->board);
    return rc;
}

/* Touched proofs of a place; one that traps was touched. Negative: ERR_IO. */
static int count_proofs(const struct twin *t, uint32_t bank, uint32_t place)
{
    uint8_t proof[STRIDE];
    int n = 0;
    for (uint32_t i = 0; i < PROOFS; i++) {
        int rc = flash_read(t, proof_addr(t, bank, place, i), proof, sizeof proof);
        if (rc != 0 && rc != ERR_DIGEST)
            return ERR_IO;
        n += rc == ERR_DIGEST || !blank(proof, sizeof proof);
    }
    return n;
}

/* Head of the record at addr into v, when it is whole. 0, or the error of the chip. */
static int read_record(const struct twin *t, uint32_t addr, struct bank_view *v)
{
    uint8_t piece[PIECE_BYTES];
    int rc = flash_read(t, addr, piece, TWIN_HEAD_BYTES);
    if (rc != 0)
        return rc;
    uint32_t want = get_le32(piece + AT_CRC);
    v->sequence = get_le32(piece + AT_SEQUENCE);
    v->len_bytes = get_le32(piece + AT_LENGTH);
    if (get_le32(piece + AT_MAGIC) != MAGIC || v->len_bytes > t->max_bytes)
        return 0;
    uint32_t crc = crc32_update(0, piece, AT_CRC);
    for (uint32_t at = 0; at < v->len_bytes; at += PIECE_BYTES) {
        uint32_t n = v->len_bytes - at < PIECE_BYTES ? v->len_bytes - at : PIECE_BYTES;
        rc = flash_read(t, addr + TWIN_HEAD_BYTES + at, piece, n);
        if (rc != 0)
            return rc;
        crc = crc32_update(crc, piece, n);
    }
    v->valid = crc == want;
    return 0;
}

/* Among the copies of a bank one with both proofs is preferred. 0 or ERR_IO. */
static int view_bank(const struct twin *t, uint32_t bank, struct bank_view *v)
{
    *v = (struct bank_view){0};
    for (uint32_t i = 0; i < t->places && v->proofs < PROOFS; i++) {
        struct bank_view at = {.place = i};
        int rc = read_record(t, place_addr(t, bank, i), &at);
        if (rc != 0 && rc != ERR_DIGEST)
            return ERR_IO;
        if (rc == ERR_DIGEST || !at.valid)
            continue;
        int proofs = count_proofs(t, bank, i);
        if (proofs < 0)
            return ERR_IO;
        at.proofs = (uint32_t)proofs;
        if (at.proofs > v->proofs)
            *v = at;
    }
    return 0;
}

static void take(struct twin *t, uint32_t bank, const struct bank_view *v)
{
    t->valid = true;
    t->bank = bank;
    t->sequence = v->sequence;
    t->len_bytes = v->len_bytes;
    t->place_addr = place_addr(t, bank, v->place);
}

static int scan(struct twin *t, struct err *err)
{
    struct bank_view v[2];
    uint32_t banks = t->single ? 1 : 2;
    t->valid = false;
    t->settled = false;
    for (uint32_t i = 0; i < banks; i++)
        if (view_bank(t, i, &v[i]) != 0)
            return err_set(err, ERR_IO, "record at 0x%x cannot be read",
                           (unsigned)place_addr(t, i, 0));
    for (uint32_t i = 0; i < banks; i++)
        if (v[i].valid && (!t->valid || (int32_t)(v[i].sequence - t->sequence) > 0))
            take(t, i, &v[i]);
    if (t->valid)
        t->settled = t->single || (v[t->bank].proofs >= proofs_needed(t) && v[1 - t->bank].valid);
    return 0;
}

static int begin(struct twin *t, const struct nor_geometry *geo, const struct partition *p,
                 uint32_t max_bytes, struct err *err)
{
    int rc = twin_check(geo, p->size_bytes, max_bytes, err);
    t->geo = geo;
    t->offset = p->offset;
    t->bank_bytes = p->size_bytes / 2;
    t->place_bytes = record_bytes(max_bytes) + PROOFS * STRIDE;
    t->max_bytes = max_bytes;
    t->places = geo->policy == NOR_REWRITE ? 1 : t->bank_bytes / t->place_bytes;
    if (t->places > PLACES_MAX)
        t->places = PLACES_MAX;
    if (rc == 0)
        rc = scan(t, err);
    return rc == 0 ? 0 : err_prefix(err, rc, "partition \"%s\"", p->name);
}

int twin_open(struct twin *t, struct board *b, const struct partition *p, uint32_t max_bytes,
              struct err *err)
{
    *t = (struct twin){.board = b, .single = t->single};
    return begin(t, nor_geo(b->nor), p, max_bytes, err);
}

int twin_peek(struct twin *t, const uint8_t *chip, const struct nor_geometry *geo,
              const struct partition *p, uint32_t max_bytes, struct err *err)
{
    *t = (struct twin){.memory = chip};
    return begin(t, geo, p, max_bytes, err);
}

int twin_read(const struct twin *t, void *out, uint32_t cap_bytes, uint32_t *len_bytes,
              struct err *err)
{
    if (!t->valid)
        return err_set(err, ERR_NOT_FOUND, "there is no record");
    if (t->len_bytes > cap_bytes)
        return err_set(err, ERR_LIMIT, "record of %u bytes, room for %u", (unsigned)t->len_bytes,
                       (unsigned)cap_bytes);
    if (t->len_bytes > 0 && flash_read(t, t->place_addr + TWIN_HEAD_BYTES, out, t->len_bytes) != 0)
        return err_set(err, ERR_IO, "record at 0x%x cannot be read", (unsigned)t->place_addr);
    *len_bytes = t->len_bytes;
    return 0;
}

/* ---- writing ---- */

static void encode(const struct twin *t, const void *payload, uint32_t len_bytes, uint32_t sequence,
                   uint8_t *record)
{
    memset(record, ERASED, record_bytes(t->max_bytes));
    put_le32(record + AT_MAGIC, MAGIC);
    put_le32(record + AT_SEQUENCE, sequence);
    put_le32(record + AT_LENGTH, len_bytes);
    if (len_bytes > 0)
        memcpy(record + TWIN_HEAD_BYTES, payload, len_bytes);
    uint32_t crc = crc32_update(0, record, AT_CRC);
    put_le32(record + AT_CRC, crc32_update(crc, record + TWIN_HEAD_BYTES, len_bytes));
}

/* Only as many whole granules as the record needs. */
static uint32_t programmed_bytes(const struct twin *t, const uint8_t *record)
{
    return round_up(TWIN_HEAD_BYTES + get_le32(record + AT_LENGTH), t->geo->granule_bytes);
}

static int program(const struct twin *t, uint32_t addr, const uint8_t *data, uint32_t len_bytes)
{
    uint8_t back[64];
    board_flash_lock(t->board);
    int rc = nor_program(t->board->nor, addr, data, len_bytes);
    for (uint32_t at = 0; at < len_bytes && rc == 0; at += sizeof back) {
        uint32_t n = len_bytes - at < sizeof back ? len_bytes - at : (uint32_t)sizeof back;
        rc = nor_read(t->board->nor, addr + at, back, n);
        if (rc == 0 && memcmp(back, data + at, n) != 0)
            rc = ERR_IO;
    }
    board_flash_unlock(t->board);
    return rc == 0 ? 0 : ERR_IO;
}

/* Zeros: every cell falls. A proof that cannot be read back was touched, and that is what counts.
 */
static int program_proof(const struct twin *t, uint32_t addr)
{
    static const uint8_t proof[STRIDE];
    uint8_t back[STRIDE];
    board_flash_lock(t->board);
    int rc = nor_program(t->board->nor, addr, proof, sizeof proof);
    int read = rc == 0 ? nor_read(t->board->nor, addr, back, sizeof back) : 0;
    board_flash_unlock(t->board);
    if (rc != 0 || (read != 0 && read != ERR_DIGEST))
        return ERR_IO;
    return read == 0 && blank(back, sizeof back) ? ERR_IO : 0;
}

/* Record and proofs into one place, in the order that makes a proof a proof. */
static int fill_place(const struct twin *t, uint32_t bank, uint32_t place, const uint8_t *record)
{
    int rc = program(t, place_addr(t, bank, place), record, programmed_bytes(t, record));
    for (uint32_t i = 0; i < PROOFS && rc == 0; i++)
        rc = program_proof(t, proof_addr(t, bank, place, i));
    return rc;
}

static int write_bank(const struct twin *t, uint32_t bank, const uint8_t *record)
{
    int rc = ERR_IO;
    for (int i = 0; i < WRITE_TRIES && rc != 0; i++) {
        board_flash_lock(t->board);
        rc = nor_erase(t->board->nor, place_addr(t, bank, 0), t->bank_bytes);
        board_flash_unlock(t->board);
        if (rc == 0)
            rc = fill_place(t, bank, 0, record);
    }
    return rc;
}

static bool place_blank(const struct twin *t, uint32_t bank, uint32_t place, uint8_t *scratch)
{
    return flash_read(t, place_addr(t, bank, place), scratch, t->place_bytes) == 0 &&
           blank(scratch, t->place_bytes);
}

/* The current record, firm in its bank. scratch: place_bytes. */
static int firm(struct twin *t, const uint8_t *record, uint8_t *scratch)
{
    struct bank_view v;
    int rc = view_bank(t, t->bank, &v);
    if (rc != 0 || v.proofs >= proofs_needed(t))
        return rc;
    if (rewritable(t))
        return fill_place(t, t->bank, 0, record);
    for (uint32_t i = 0; i < t->places; i++)
        if (place_blank(t, t->bank, i, scratch) && fill_place(t, t->bank, i, record) == 0)
            return 0;
    return 0; /* places spent: what reads counts */
}

static int store(struct twin *t, uint8_t *record, struct err *err)
{
    uint32_t to = t->single || !t->valid ? 0 : 1 - t->bank;
    if (write_bank(t, to, record) != 0)
        return err_set(err, ERR_IO, "record cannot be written at 0x%x",
                       (unsigned)place_addr(t, to, 0));
    t->settled = t->valid || t->single;
    take(t, to,
         &(struct bank_view){.sequence = get_le32(record + AT_SEQUENCE),
                             .len_bytes = get_le32(record + AT_LENGTH)});
    return 0;
}

/* record: of the current one, as on flash. It goes into the other bank with the same sequence: that
 * counts records that were replaced, so no cut makes a state that was never there before. */
static int settle(struct twin *t, uint8_t *record, uint8_t *scratch, struct err *err)
{
    struct bank_view other;
    if (!t->valid || t->settled)
        return 0;
    int rc = firm(t, record, scratch);
    if (rc == 0)
        rc = view_bank(t, 1 - t->bank, &other);
    if (rc != 0)
        return err_set(err, ERR_IO, "record at 0x%x cannot be made firm", (unsigned)t->place_addr);
    if (!other.valid)
        return store(t, record, err);
    t->settled = true;
    return 0;
}

struct work {
    uint8_t *record, *scratch;
};

static int work_begin(const struct twin *t, struct work *w, struct err *err)
{
    w->record = board_alloc(t->board, 2 * (size_t)t->place_bytes);
    if (w->record == NULL)
        return err_set(err, ERR_NOMEM, "no memory to write a record");
    w->scratch = w->record + t->place_bytes;
    if (!t->valid)
        return 0;
    memset(w->record, ERASED, t->place_bytes);
    return flash_read(t, t->place_addr, w->record, TWIN_HEAD_BYTES + t->len_bytes) == 0
               ? 0
               : err_set(err, ERR_IO, "record at 0x%x cannot be read", (unsigned)t->place_addr);
}

int twin_settle(struct twin *t, struct err *err)
{
    struct work w;
    if (!t->valid || t->settled)
        return 0;
    int rc = work_begin(t, &w, err);
    if (rc == 0)
        rc = settle(t, w.record, w.scratch, err);
    board_free(t->board, w.record);
    return rc;
}

int twin_write(struct twin *t, const void *payload, uint32_t len_bytes, struct err *err)
{
    struct work w;
    if (len_bytes > t->max_bytes)
        return err_set(err, ERR_LIMIT, "record of %u bytes, allowed are up to %u",
                       (unsigned)len_bytes, (unsigned)t->max_bytes);
    int rc = work_begin(t, &w, err);
    if (rc == 0 && !t->single)
        rc = settle(t, w.record, w.scratch, err);
    if (rc == 0) {
        encode(t, payload, len_bytes, t->valid ? t->sequence + 1 : 1, w.record);
        rc = store(t, w.record, err);
    }
    /* The first record of all goes into both banks. */
    if (rc == 0 && !t->settled)
        rc = store(t, w.record, err);
    board_free(t->board, w.record);
    return rc;
}

void twin_image(const struct twin *t, const void *payload, uint32_t len_bytes, uint8_t *out)
{
    memset(out, ERASED, t->bank_bytes);
    encode(t, payload, len_bytes, 1, out);
    memset(out + record_bytes(t->max_bytes), 0, PROOFS * STRIDE);
}
