#include "sim_device/agent/cmiot/state.h"

#include <string.h>

#include "common/bytes.h"
#include "sim_device/agent/cmiot/state_ops.h"

static const struct state_ops *const kinds[] = {
    [STATE_SAFE] = &state_safe_ops,
    [STATE_VENDOR] = &state_vendor_ops,
};

static const struct state_ops *ops_of(const struct state *s)
{
    return kinds[s->layout.kind];
}

int state_layout_check(const struct state_layout *l, struct err *err)
{
    if (l->kind != STATE_SAFE && l->kind != STATE_VENDOR)
        return err_set(err, ERR_ARG, "state: layout kind %d, allowed are safe, vendor",
                       (int)l->kind);
    if (l->granule_bytes == 0 || STATE_RECORD_BYTES % l->granule_bytes != 0)
        return err_set(err, ERR_ARG, "state: granule of %u bytes does not divide %d",
                       l->granule_bytes, STATE_RECORD_BYTES);
    uint32_t min = kinds[l->kind]->min_erase(l);
    if (l->erase_bytes < min || l->erase_bytes % STATE_RECORD_BYTES != 0)
        return err_set(err, ERR_ARG,
                       "state: erase unit of %u bytes, needed are at least %u in steps of %d",
                       l->erase_bytes, min, STATE_RECORD_BYTES);
    if (l->part_bytes % l->erase_bytes != 0 || l->backup_bytes % l->erase_bytes != 0 ||
        l->backup_bytes == 0)
        return err_set(err, ERR_ARG,
                       "state: partition of %u and backup area of %u bytes must be multiples of "
                       "the erase unit, %u",
                       l->part_bytes, l->backup_bytes, l->erase_bytes);
    if ((uint64_t)l->backup_bytes + l->erase_bytes >= l->part_bytes)
        return err_set(err, ERR_ARG,
                       "state: partition of %u bytes leaves no room for a package beside the "
                       "backup area of %u and the record of %u",
                       l->part_bytes, l->backup_bytes, l->erase_bytes);
    return 0;
}

uint32_t state_package_limit(const struct state_layout *l)
{
    return l->part_bytes - l->erase_bytes - l->backup_bytes;
}

uint32_t state_backup_addr(const struct state_layout *l)
{
    return state_package_limit(l);
}

bool state_blank(const uint8_t *data, uint32_t len_bytes)
{
    for (uint32_t i = 0; i < len_bytes; i++) {
        if (data[i] != 0xFF)
            return false;
    }
    return true;
}

void state_text(char *out, const uint8_t *in, size_t cap)
{
    memcpy(out, in, cap);
    out[cap - 1] = '\0';
}

int state_program(struct state *s, uint32_t addr, const uint8_t *data, uint32_t len_bytes)
{
    uint8_t back[STATE_RECORD_BYTES];
    int rc = s->io.program(s->io.ctx, addr, data, len_bytes);
    if (rc == 0)
        rc = s->io.read(s->io.ctx, addr, back, len_bytes);
    if (rc == 0 && memcmp(back, data, len_bytes) != 0)
        rc = ERR_IO;
    return rc == 0 ? 0 : ERR_IO;
}

int state_open(struct state *s, const struct state_io *io, const struct state_layout *l,
               struct err *err)
{
    memset(s, 0, sizeof *s);
    s->io = *io;
    s->layout = *l;
    int rc = state_layout_check(l, err);
    return rc == 0 ? ops_of(s)->open(s, err) : rc;
}

int state_write(struct state *s, const struct state_record *r, struct err *err)
{
    struct state_record next = *r;
    bool was_pending = s->valid && s->record.update_result == UPDATE_PENDING;
    if (next.update_result == UPDATE_PENDING && !was_pending)
        next.journal_base = 0;
    return ops_of(s)->store(s, &next, 0, err);
}

/* The record again, with the journal emptied up to mark `number`. */
static int move(struct state *s, uint32_t number, uint32_t arg, struct err *err)
{
    struct state_record next = s->record;
    next.journal_base = number;
    if (next.update_result != UPDATE_PENDING)
        next.index = number;
    return ops_of(s)->store(s, &next, arg, err);
}

int state_mark(struct state *s, uint32_t number, uint32_t arg, struct err *err)
{
    if (!s->valid)
        return err_set(err, ERR_WRONG_STATE, "state: mark %u without a record", number);
    if (number != s->mark + 1)
        return err_set(err, ERR_ARG, "state: mark %u does not follow mark %u", number, s->mark);
    int rc = state_firm(s, err);
    if (rc == 0)
        rc = ops_of(s)->put_mark(s, number, arg, err);
    if (rc != 0 && s->pinned)
        return err_set(err, ERR_LIMIT, "state: no place for mark %u, and the journal may not move",
                       number);
    if (rc != 0)
        return move(s, number, arg, err);
    s->mark = number;
    s->mark_arg = arg;
    return 0;
}

uint32_t state_room(const struct state *s)
{
    return s->valid ? ops_of(s)->room(s) : 0;
}

int state_roll(struct state *s, struct err *err)
{
    if (!s->valid)
        return err_set(err, ERR_WRONG_STATE, "state: there is no record to move");
    return move(s, s->mark, s->mark_arg, err);
}

int state_home(struct state *s, struct err *err)
{
    if (!s->valid)
        return err_set(err, ERR_WRONG_STATE, "state: there is no record to move");
    return s->bank == state_bank_a(&s->layout) ? 0 : state_roll(s, err);
}

int state_firm(struct state *s, struct err *err)
{
    if (!s->valid || s->firm)
        return 0;
    int rc = ops_of(s)->firm(s, err);
    s->firm = rc == 0;
    return rc;
}

/* Text */

struct memory {
    const uint8_t *bytes;
    uint32_t len_bytes;
};

static int memory_read(void *ctx, uint32_t addr, void *out, uint32_t len_bytes)
{
    const struct memory *m = ctx;
    if (addr > m->len_bytes || len_bytes > m->len_bytes - addr)
        return ERR_ARG;
    memcpy(out, m->bytes + addr, len_bytes);
    return 0;
}

static int memory_program(void *ctx, uint32_t addr, const void *data, uint32_t len_bytes)
{
    (void)ctx, (void)addr, (void)data, (void)len_bytes;
    return ERR_UNSUPPORTED;
}

static int memory_erase(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    (void)ctx, (void)addr, (void)len_bytes;
    return ERR_UNSUPPORTED;
}

static const char *result_name(uint16_t result)
{
    static const struct {
        uint16_t result;
        const char *name;
    } names[] = {{UPDATE_NONE, "none"},
                 {UPDATE_OK, "restored"},
                 {UPDATE_AUTH_FAIL, "package digest wrong"},
                 {UPDATE_FAIL, "restore failed"},
                 {UPDATE_PENDING, "pending"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].result == result)
            return names[i].name;
    }
    return "unknown";
}

/* Secrets stay on the flash (SEC-12): of device_secret only whether it is set. */
static int describe_one(const struct state *s, const char *layout, struct buf *out)
{
    const struct state_record *r = &s->record;
    char md5[DIGEST_HEX_MAX];
    hex_encode(md5, r->md5, MD5_BYTES);
    int rc =
        buf_printf(out,
                   "layout %s, record at 0x%x, sequence %u\n"
                   "  update_result  %u (%s)\n"
                   "  mid            %s\n"
                   "  device_id      %s\n"
                   "  device_secret  %s\n",
                   layout, s->bank, s->sequence, r->update_result, result_name(r->update_result),
                   r->mid, r->device_id, r->device_secret[0] != '\0' ? "set" : "not set");
    if (rc == 0)
        rc = buf_printf(out,
                        "  delta_id       %u\n"
                        "  index          %u of %u\n"
                        "  journal        base %u, mark %u, argument 0x%08x, room for %u\n",
                        r->delta_id, r->index, r->index_max, r->journal_base, s->mark, s->mark_arg,
                        state_room(s));
    if (rc == 0 && s->layout.kind == STATE_SAFE)
        rc = buf_printf(out,
                        "  file_bytes     %u in segments of %u\n"
                        "  md5            %s\n"
                        "  report_due     %u\n",
                        r->file_bytes, r->segment_bytes, md5, r->report_due);
    return rc;
}

int state_describe(const uint8_t *download_part, const struct state_layout *l, struct buf *out)
{
    static const struct {
        enum state_kind kind;
        const char *name;
    } layouts[] = {{STATE_SAFE, "safe"}, {STATE_VENDOR, "vendor"}};
    struct memory memory = {.bytes = download_part, .len_bytes = l->part_bytes};
    struct state_io io = {
        .ctx = &memory, .read = memory_read, .program = memory_program, .erase = memory_erase};
    bool any = false;

    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        struct state_layout view = *l;
        struct state s;
        view.kind = layouts[i].kind;
        int rc = state_open(&s, &io, &view, NULL);
        if (rc == 0 && s.valid) {
            any = true;
            rc = describe_one(&s, layouts[i].name, out);
        }
        if (rc != 0)
            return rc;
    }
    return any ? 0 : buf_text(out, "no valid record\n");
}
