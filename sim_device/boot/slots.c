#include "sim_device/boot/slots.h"

#include <string.h>

#include "common/bytes.h"
#include "sim_device/boot/slots_record.h"

static const char *const slot_names[SLOTS] = {"app", "app2"};

/* ---- the record's bytes ---- */

enum {
    AT_VERSION = 0,
    AT_STATE = 4,
    AT_ACTIVE = 8,
    AT_STARTS = 12,
    AT_N_REFUSED = 16,
    AT_REASON = 20, /* one byte for each that was refused */
    AT_IMAGE = 24,
    IMAGE_SHA = 4,
    IMAGE_VERSION = IMAGE_SHA + SHA256_BYTES,
    IMAGE_BYTES = IMAGE_VERSION + SLOTS_VERSION_MAX,
    AT_REFUSED = AT_IMAGE + SLOTS * IMAGE_BYTES,
    END = AT_REFUSED + SLOTS_REFUSED_MAX * SLOTS_VERSION_MAX
};
_Static_assert(END <= SLOTS_RECORD_BYTES, "record layout");

#define RECORD_VERSION 1u

static void encode(uint8_t out[SLOTS_RECORD_BYTES], const struct slots_record *r)
{
    memset(out, 0, SLOTS_RECORD_BYTES);
    put_le32(out + AT_VERSION, RECORD_VERSION);
    put_le32(out + AT_STATE, (uint32_t)r->state);
    put_le32(out + AT_ACTIVE, r->active);
    put_le32(out + AT_STARTS, r->starts);
    put_le32(out + AT_N_REFUSED, r->n_refused);
    for (uint32_t i = 0; i < SLOTS; i++) {
        uint8_t *at = out + AT_IMAGE + i * IMAGE_BYTES;
        put_le32(at, r->image[i].len_bytes);
        memcpy(at + IMAGE_SHA, r->image[i].sha256, SHA256_BYTES);
        memcpy(at + IMAGE_VERSION, r->image[i].version, SLOTS_VERSION_MAX);
    }
    for (uint32_t i = 0; i < r->n_refused; i++) {
        out[AT_REASON + i] = (uint8_t)r->refused[i].reason;
        memcpy(out + AT_REFUSED + i * SLOTS_VERSION_MAX, r->refused[i].version, SLOTS_VERSION_MAX);
    }
}

static void text(char out[SLOTS_VERSION_MAX], const uint8_t *in)
{
    memcpy(out, in, SLOTS_VERSION_MAX);
    out[SLOTS_VERSION_MAX - 1] = '\0';
}

/* False: written by another version of this software. */
static bool decode(struct slots_record *r, const uint8_t in[SLOTS_RECORD_BYTES])
{
    memset(r, 0, sizeof *r);
    if (get_le32(in + AT_VERSION) != RECORD_VERSION || get_le32(in + AT_STATE) > SLOTS_TRIAL ||
        get_le32(in + AT_ACTIVE) >= SLOTS || get_le32(in + AT_N_REFUSED) > SLOTS_REFUSED_MAX)
        return false;
    r->state = (enum slots_state)get_le32(in + AT_STATE);
    r->active = get_le32(in + AT_ACTIVE);
    r->starts = get_le32(in + AT_STARTS);
    r->n_refused = get_le32(in + AT_N_REFUSED);
    for (uint32_t i = 0; i < SLOTS; i++) {
        const uint8_t *at = in + AT_IMAGE + i * IMAGE_BYTES;
        r->image[i].len_bytes = get_le32(at);
        memcpy(r->image[i].sha256, at + IMAGE_SHA, SHA256_BYTES);
        text(r->image[i].version, at + IMAGE_VERSION);
    }
    for (uint32_t i = 0; i < r->n_refused; i++) {
        r->refused[i].reason = (enum slots_reason)in[AT_REASON + i];
        text(r->refused[i].version, in + AT_REFUSED + i * SLOTS_VERSION_MAX);
    }
    return true;
}

/* 0 also without a usable record: then r is a factory's without one. */
static int load(const struct twin *t, struct slots_record *r, struct err *err)
{
    uint8_t bytes[SLOTS_RECORD_BYTES];
    uint32_t len = 0;
    int rc = t->valid ? twin_read(t, bytes, sizeof bytes, &len, err) : 0;
    if (rc == 0 && (len != sizeof bytes || !decode(r, bytes)))
        memset(r, 0, sizeof *r);
    return rc;
}

int slots_store(struct twin *t, const struct slots_record *r, struct err *err)
{
    uint8_t bytes[SLOTS_RECORD_BYTES];
    encode(bytes, r);
    int rc = twin_write(t, bytes, sizeof bytes, err);
    return rc == 0 ? 0 : err_prefix(err, rc, "slots");
}

int slots_load(struct twin *t, const struct slots_config *cfg, struct slots_record *r,
               struct err *err)
{
    memset(r, 0, sizeof *r);
    int rc = slots_check(nor_geo(cfg->board->nor), cfg->partitions, err);
    if (rc != 0)
        return rc;
    t->single = cfg->breaks.single_copy;
    rc = twin_open(t, cfg->board, partition_find(cfg->partitions, SLOTS_PARTITION),
                   SLOTS_RECORD_BYTES, err);
    return rc == 0 ? load(t, r, err) : rc;
}

void slots_give_up(struct slots_record *r, enum slots_reason reason)
{
    struct slots_image *image = &r->image[1 - r->active];
    if (r->n_refused == SLOTS_REFUSED_MAX) {
        memmove(&r->refused[0], &r->refused[1], (SLOTS_REFUSED_MAX - 1) * sizeof r->refused[0]);
        r->n_refused--;
    }
    struct slots_refused *refused = &r->refused[r->n_refused++];
    memcpy(refused->version, image->version, sizeof refused->version);
    refused->reason = reason;
    r->state = SLOTS_STEADY;
    r->starts = 0;
}

void slots_tell_rollback(struct board *b, const struct slots_record *r, enum slots_reason reason)
{
    BOARD_EVENT(b, LANE_BOOT, "rollback", F_INT("from", 1 - r->active), F_INT("to", r->active),
                F_STR("reason", slots_reason_name(reason)),
                F_STR("version", r->image[1 - r->active].version));
}

/* ---- names and checks ---- */

const char *slots_state_name(enum slots_state state)
{
    static const char *const names[] = {"steady", "pending", "trial"};
    return names[state];
}

const char *slots_reason_name(enum slots_reason reason)
{
    static const char *const names[] = {"not-whole", "not-confirmed", "application"};
    return reason <= SLOTS_BY_APPLICATION ? names[reason] : "unknown";
}

int slots_check(const struct nor_geometry *geo, const struct partition_table *t, struct err *err)
{
    const char *const needed[] = {slot_names[0], slot_names[1], SLOTS_PARTITION};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (partition_find(t, needed[i]) == NULL)
            return err_set(err, ERR_ARG, "partitions: two slots need one named \"%s\"", needed[i]);
    uint32_t a = partition_find(t, slot_names[0])->size_bytes;
    uint32_t b = partition_find(t, slot_names[1])->size_bytes;
    if (a != b)
        return err_set(
            err, ERR_ARG,
            "partitions: \"app\" has %u bytes and \"app2\" %u, slots must be of one size",
            (unsigned)a, (unsigned)b);
    int rc =
        twin_check(geo, partition_find(t, SLOTS_PARTITION)->size_bytes, SLOTS_RECORD_BYTES, err);
    return rc == 0 ? 0 : err_prefix(err, rc, "partition \"%s\"", SLOTS_PARTITION);
}

const struct partition *slots_place(const struct partition_table *t, uint32_t slot)
{
    return partition_find(t, slot_names[slot]);
}

/* ---- for the application ---- */

int slots_open(struct slots *s, const struct slots_config *cfg, struct err *err)
{
    memset(s, 0, sizeof *s);
    s->cfg = *cfg;
    return slots_load(&s->twin, cfg, &s->record, err);
}

uint32_t slots_record_running(const struct slots_record *r)
{
    return r->state == SLOTS_TRIAL ? 1 - r->active : r->active;
}

uint32_t slots_running(const struct slots *s)
{
    return slots_record_running(&s->record);
}

uint32_t slots_inactive(const struct slots *s)
{
    return 1 - slots_running(s);
}

const struct partition *slots_partition(const struct slots *s, uint32_t slot)
{
    return slots_place(s->cfg.partitions, slot);
}

bool slots_on_trial(const struct slots *s)
{
    return s->record.state == SLOTS_TRIAL;
}

int slots_may_update(const struct slots *s, struct err *err)
{
    if (s->record.state == SLOTS_STEADY)
        return 0;
    const struct slots_image *image = &s->record.image[1 - s->record.active];
    return err_set(err, ERR_WRONG_STATE, "image %s is %s: it must be confirmed or given up first",
                   image->version, s->record.state == SLOTS_TRIAL ? "on trial" : "pending");
}

const enum slots_reason *slots_was_refused(const struct slots *s, const char *version)
{
    for (uint32_t i = s->record.n_refused; i > 0; i--)
        if (strncmp(s->record.refused[i - 1].version, version, SLOTS_VERSION_MAX - 1) == 0)
            return &s->record.refused[i - 1].reason;
    return NULL;
}

/* Writes next as the record; s follows only when that worked. */
static int change(struct slots *s, const struct slots_record *next, struct err *err)
{
    int rc = slots_store(&s->twin, next, err);
    if (rc == 0)
        s->record = *next;
    return rc;
}

static int describe(const struct slots *s, uint32_t len_bytes, const uint8_t *want,
                    const char *version, struct slots_image *out, struct err *err)
{
    const struct partition *p = slots_partition(s, slots_inactive(s));
    if (len_bytes == 0 || len_bytes > p->size_bytes)
        return err_set(err, ERR_ARG, "image of %u bytes, the slot takes 1..%u", (unsigned)len_bytes,
                       (unsigned)p->size_bytes);
    *out = (struct slots_image){.len_bytes = len_bytes};
    board_flash_lock(s->cfg.board);
    int rc = board_digest_flash(s->cfg.board, DIGEST_SHA256, p->offset, len_bytes, out->sha256);
    board_flash_unlock(s->cfg.board);
    if (rc != 0)
        return err_set(err, ERR_IO, "slot %u cannot be read", (unsigned)slots_inactive(s));
    if (want != NULL && !s->cfg.breaks.no_verify && memcmp(want, out->sha256, SHA256_BYTES) != 0)
        return err_set(err, ERR_DIGEST, "SHA-256 of %u bytes in slot %u is another",
                       (unsigned)len_bytes, (unsigned)slots_inactive(s));
    size_t n = version != NULL ? strnlen(version, SLOTS_VERSION_MAX - 1) : 0;
    if (n > 0)
        memcpy(out->version, version, n);
    return 0;
}

int slots_set_boot(struct slots *s, uint32_t len_bytes, const uint8_t *want, const char *version,
                   struct err *err)
{
    struct slots_record next = s->record;
    int rc = slots_may_update(s, err);
    if (rc == 0)
        rc = describe(s, len_bytes, want, version, &next.image[slots_inactive(s)], err);
    if (rc != 0)
        return rc;
    next.state = SLOTS_PENDING;
    next.starts = 0;
    rc = change(s, &next, err);
    if (rc == 0)
        BOARD_EVENT(s->cfg.board, LANE_BOOT, "set_boot", F_INT("slot", 1 - next.active),
                    F_INT("bytes", len_bytes),
                    F_STR("version", next.image[1 - next.active].version));
    return rc;
}

int slots_confirm(struct slots *s, struct err *err)
{
    struct slots_record next = s->record;
    if (next.state == SLOTS_STEADY)
        return 0;
    if (next.state == SLOTS_PENDING)
        return err_set(err, ERR_WRONG_STATE, "the pending image was not started yet");
    next.active = 1 - next.active;
    next.state = SLOTS_STEADY;
    next.starts = 0;
    int rc = change(s, &next, err);
    if (rc == 0)
        BOARD_EVENT(s->cfg.board, LANE_BOOT, "confirm", F_INT("slot", next.active),
                    F_STR("version", next.image[next.active].version));
    return rc;
}

int slots_rollback(struct slots *s, struct err *err)
{
    struct slots_record next = s->record;
    if (next.state == SLOTS_STEADY)
        return err_set(err, ERR_WRONG_STATE, "the running image is confirmed");
    slots_give_up(&next, SLOTS_BY_APPLICATION);
    int rc = slots_store(&s->twin, &next, err);
    if (rc != 0)
        return rc;
    slots_tell_rollback(s->cfg.board, &next, SLOTS_BY_APPLICATION);
    /* The code that runs stays where it is until the restart. */
    s->record = next;
    return 0;
}

/* ---- for the bench ---- */

int slots_factory(const struct slots_config *cfg, const struct slots_image *image, uint8_t *out,
                  struct err *err)
{
    struct slots_record r = {.image = {*image}};
    struct twin t = {0};
    uint8_t bytes[SLOTS_RECORD_BYTES];
    const struct nor *nor = cfg->board->nor;
    const struct partition *p = partition_find(cfg->partitions, SLOTS_PARTITION);
    if (p == NULL)
        return err_set(err, ERR_ARG, "partitions: there must be one named \"slots\"");
    /* A new chip, not powered yet. */
    int rc = twin_peek(&t, nor_peek(nor), nor_geo(nor), p, sizeof bytes, err);
    if (rc != 0)
        return rc;
    encode(bytes, &r);
    twin_image(&t, bytes, sizeof bytes, out);
    memcpy(out + t.bank_bytes, out, t.bank_bytes);
    return 0;
}

bool slots_peek(const uint8_t *chip, const struct nor_geometry *geo,
                const struct partition_table *t, struct slots_record *out)
{
    struct twin twin = {0};
    const struct partition *p = partition_find(t, SLOTS_PARTITION);
    memset(out, 0, sizeof *out);
    if (p == NULL || twin_peek(&twin, chip, geo, p, SLOTS_RECORD_BYTES, NULL) != 0)
        return false;
    return load(&twin, out, NULL) == 0 && twin.valid;
}

static int describe_slot(const struct slots_record *r, uint32_t slot, struct buf *out)
{
    char hex[DIGEST_HEX_MAX];
    const struct slots_image *image = &r->image[slot];
    const char *role = slot == r->active ? "active" : "other";
    if (image->len_bytes == 0)
        return buf_printf(out, "  slot %u  %-6s  no image known\n", (unsigned)slot, role);
    hex_encode(hex, image->sha256, SHA256_BYTES);
    return buf_printf(out, "  slot %u  %-6s  %u bytes, version %s, SHA-256 %s\n", (unsigned)slot,
                      role, (unsigned)image->len_bytes,
                      image->version[0] != '\0' ? image->version : "unknown", hex);
}

int slots_describe(const uint8_t *chip, const struct nor_geometry *geo,
                   const struct partition_table *t, struct buf *out)
{
    struct slots_record r;
    if (!slots_peek(chip, geo, t, &r))
        return buf_text(out, "no valid record: slot 0 runs\n");
    int rc = buf_printf(out, "state %s, %u starts on trial\n", slots_state_name(r.state),
                        (unsigned)r.starts);
    for (uint32_t i = 0; i < SLOTS && rc == 0; i++)
        rc = describe_slot(&r, i, out);
    for (uint32_t i = 0; i < r.n_refused && rc == 0; i++)
        rc = buf_printf(out, "  given up  version %s: %s\n", r.refused[i].version,
                        slots_reason_name(r.refused[i].reason));
    return rc;
}
