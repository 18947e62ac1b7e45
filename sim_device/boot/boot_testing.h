/*
 * What the tests of the boot loader share: a device of flash and boot loader only, packages made
 * with the xdelta3 program block by block, and the judgement of what is in flash afterwards.
 */
#ifndef OTABENCH_SIM_DEVICE_BOOT_TESTING_H
#define OTABENCH_SIM_DEVICE_BOOT_TESTING_H

#include <setjmp.h>
#include <string.h>

#include "common/rng.h"
#include "flash_emu/nor.h"
#include "sim_device/boot/boot.h"
#include "sim_device/boot/vcdiff_testing.h"

#define AREAS_MAX 4

/* ---- Packages -------------------------------------------------------------------------------- */

/* One file of a package to be made. */
struct build_file {
    const char *name;
    uint32_t address;
    enum package_kind kind;
    enum package_direction direction;
    struct buf old_image, new_image;
};

/* One piece of target encoded against a slice of the old image, its single window appended to out
 * with the segment position moved by slice_from. */
static inline void append_window(struct buf *out, const struct buf *old_image, uint32_t slice_from,
                                 uint32_t slice_to, const uint8_t *target, uint32_t len_bytes)
{
    struct exchange x;
    struct buf source, piece, delta;
    exchange_init(&x);
    buf_init(&source, BYTES_MAX);
    buf_init(&piece, BYTES_MAX);
    buf_init(&delta, BYTES_MAX);
    if (slice_to > slice_from)
        put(&source, old_image->data + slice_from, slice_to - slice_from);
    put(&piece, target, len_bytes);
    write_file(x.source, &source);
    write_file(x.target, &piece);
    const char *const argv[] = {"xdelta3", "-e", "-f",     "-q",     "-9",    "-B",
                                "524288",  "-W", "16384",  "-S",     "none",  "-n",
                                "-A=",     "-s", x.source, x.target, x.delta, NULL};
    const char *const plain[] = {"xdelta3", "-e", "-f",   "-q", "-9",  "-B",     "524288", "-W",
                                 "16384",   "-S", "none", "-n", "-A=", x.target, x.delta,  NULL};
    REQUIRE(run_xdelta3(slice_to > slice_from ? argv : plain) == 0);
    REQUIRE(read_file(x.delta, &delta));
    REQUIRE(delta.len_bytes > 6 && memcmp(delta.data, "\xd6\xc3\xc4\0\0", 5) == 0);
    size_t at = 6;
    put_byte(out, delta.data[5]);
    if (delta.data[5] == 1) { /* VCD_SOURCE: length stays, position moves */
        uint32_t numbers[2] = {0, 0};
        for (int i = 0; i < 2; i++) {
            do
                numbers[i] = numbers[i] << 7 | (delta.data[at] & 0x7f);
            while (delta.data[at++] & 0x80);
        }
        put_number(out, numbers[0]);
        put_number(out, numbers[1] + slice_from);
    }
    put(out, delta.data + at, delta.len_bytes - at);
    buf_free(&source);
    buf_free(&piece);
    buf_free(&delta);
}

static inline void build_payload(struct buf *out, const struct package_head *h,
                                 const struct package_file *f, const struct build_file *in)
{
    if (f->kind == PACKAGE_FULL) {
        put(out, in->new_image.data, in->new_image.len_bytes);
        return;
    }
    put(out, "\xd6\xc3\xc4\0\0", 5);
    for (uint32_t turn = 0; turn < package_blocks(h, f); turn++) {
        uint32_t from, to;
        uint32_t at = package_block_at(h, f, turn, &from, &to) * h->restore_block_bytes;
        uint32_t end = at + h->restore_block_bytes;
        if (end > f->new_bytes)
            end = f->new_bytes;
        for (; at < end; at += h->window_bytes) {
            uint32_t n = end - at < h->window_bytes ? end - at : h->window_bytes;
            append_window(out, &in->old_image, from, to, in->new_image.data + at, n);
        }
    }
}

/* A package that is being made; the tests bend it before it is sealed. */
struct build {
    struct package_head head;
    struct package_file file[PACKAGE_FILES_MAX + 1];
    struct buf payload[PACKAGE_FILES_MAX + 1];
    struct buf bytes; /* the package, after build_seal */
};

static inline void build_begin(struct build *p, const struct build_file *in, uint32_t count,
                               uint32_t restore_block_bytes, uint32_t window_bytes)
{
    memset(p, 0, sizeof *p);
    buf_init(&p->bytes, BYTES_MAX);
    p->head = (struct package_head){.file_count = (uint16_t)count,
                                    .restore_block_bytes = restore_block_bytes,
                                    .window_bytes = window_bytes,
                                    .compare_block_kib = 64,
                                    .algorithm = PACKAGE_ALGORITHM,
                                    .from_version = "1.0",
                                    .to_version = "1.1"};
    for (uint32_t i = 0; i < count; i++) {
        struct package_file *f = &p->file[i];
        (void)snprintf(f->name, sizeof f->name, "%s", in[i].name);
        f->address = in[i].address;
        f->kind = in[i].kind;
        f->direction = in[i].direction;
        f->new_bytes = (uint32_t)in[i].new_image.len_bytes;
        digest_of(DIGEST_SHA256, in[i].new_image.data, f->new_bytes, f->new_sha256);
        if (f->kind == PACKAGE_DELTA) {
            f->old_bytes = (uint32_t)in[i].old_image.len_bytes;
            digest_of(DIGEST_SHA256, in[i].old_image.data, f->old_bytes, f->old_sha256);
        }
        buf_init(&p->payload[i], BYTES_MAX);
        build_payload(&p->payload[i], &p->head, f, &in[i]);
        digest_of(DIGEST_SHA256, p->payload[i].data, p->payload[i].len_bytes, f->payload_sha256);
    }
}

/* Lays out head, table and payloads; may be called again after changes. */
static inline void build_seal(struct build *p)
{
    uint8_t bytes[PACKAGE_FILE_BYTES];
    uint8_t head[PACKAGE_HEAD_BYTES];
    struct buf table;
    uint32_t count = p->head.file_count;
    uint32_t at = PACKAGE_HEAD_BYTES + count * PACKAGE_FILE_BYTES;
    buf_init(&table, BYTES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        p->file[i].payload_offset = at;
        p->file[i].payload_bytes = (uint32_t)p->payload[i].len_bytes;
        at += p->file[i].payload_bytes;
        package_file_encode(&p->file[i], bytes);
        put(&table, bytes, sizeof bytes);
    }
    p->head.total_bytes = at;
    digest_of(DIGEST_SHA256, table.data, table.len_bytes, p->head.table_sha256);
    package_head_encode(&p->head, head);
    buf_clear(&p->bytes);
    put(&p->bytes, head, sizeof head);
    put(&p->bytes, table.data, table.len_bytes);
    for (uint32_t i = 0; i < count; i++)
        put(&p->bytes, p->payload[i].data, p->payload[i].len_bytes);
    buf_free(&table);
}

static inline void build_free(struct build *p)
{
    for (uint32_t i = 0; i <= PACKAGE_FILES_MAX; i++)
        buf_free(&p->payload[i]);
    buf_free(&p->bytes);
}

/* Code-like bytes: words from a small vocabulary among drawn ones. */
static inline void make_image(struct buf *out, uint32_t len_bytes, uint64_t ordinal)
{
    struct rng rng;
    rng_init(&rng, 1, "boot test", "image", ordinal);
    buf_init(out, BYTES_MAX);
    for (uint32_t i = 0; i < len_bytes; i += 4) {
        uint8_t word[4];
        uint32_t n = len_bytes - i < 4 ? len_bytes - i : 4;
        put_le32(word, rng_below(&rng, 3) == 0 ? (uint32_t)rng_u64(&rng)
                                               : (uint32_t)rng_below(&rng, 64) * 0x01010101U);
        put(out, word, n);
    }
}

/* The old image with code inserted near the front, words patched all over, cut or grown at the end.
 */
static inline void make_next(struct buf *out, const struct buf *old_image, uint32_t len_bytes,
                             uint64_t ordinal)
{
    struct rng rng;
    struct buf fresh;
    uint32_t front = (uint32_t)old_image->len_bytes / 5;
    rng_init(&rng, 1, "boot test", "next", ordinal);
    make_image(&fresh, len_bytes + 300, ordinal + 1000);
    buf_init(out, BYTES_MAX);
    put(out, old_image->data, front);
    put(out, fresh.data, 300);
    put(out, old_image->data + front, old_image->len_bytes - front);
    if (out->len_bytes < len_bytes)
        put(out, fresh.data + 300, len_bytes - out->len_bytes);
    out->len_bytes = len_bytes;
    for (uint32_t i = 0; i < 12; i++)
        out->data[rng_below(&rng, len_bytes)] ^= 0x55;
    buf_free(&fresh);
}

/* ---- The device ------------------------------------------------------------------------------ */

struct rig {
    struct board board; /* first: now_ns finds the rig by it */
    struct board_ops ops;
    struct nor_geometry geo;
    struct boot_config cfg;
    uint32_t user_addr; /* one unit nobody may touch */
    jmp_buf lost;
    char events[2048]; /* names of the events so far, each with a blank behind */
    char reason[ERR_TEXT_MAX];
    int64_t boot_mark; /* as told by the last "boot" event */
};

static inline int64_t rig_now(struct board *b)
{
    (void)b;
    return 0;
}

static inline void rig_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                             const struct trace_field *fields, size_t n)
{
    struct rig *r = ctx;
    size_t used = strlen(r->events);
    (void)now_ns;
    CHECK_INT(lane, LANE_BOOT);
    if (sizeof r->events - used > 64)
        (void)snprintf(r->events + used, sizeof r->events - used, "%s ", event);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fields[i].key, "reason") == 0 && fields[i].text[0] != '\0')
            (void)snprintf(r->reason, sizeof r->reason, "%s", fields[i].text);
        if (strcmp(fields[i].key, "mark") == 0)
            r->boot_mark = fields[i].integer;
        if (strcmp(fields[i].key, "phase") == 0 && sizeof r->events - used > 64)
            (void)snprintf(r->events + used, sizeof r->events - used, "%s:%s ", event,
                           fields[i].text);
    }
}

static inline void rig_lost(void *ctx, const struct nor_op *op)
{
    (void)op;
    longjmp(((struct rig *)ctx)->lost, 1);
}

struct rig_row {
    const char *chip;
    enum nor_policy policy;
    uint32_t erase_bytes;  /* 0: the chip's own */
    uint32_t backup_units; /* of the backup area */
    uint32_t block_units;  /* of a restore block */
    enum state_kind kind;
};

/* Chip: files of area_units each (1 based address: unit 1), download partition, user unit. */
static inline void rig_open(struct rig *r, const struct rig_row *row, uint32_t files,
                            uint32_t area_units, uint32_t package_units)
{
    struct err err = {0};
    memset(r, 0, sizeof *r);
    r->geo = *nor_geometry_find(row->chip);
    r->geo.policy = row->policy;
    if (row->erase_bytes != 0)
        r->geo.erase_bytes = row->erase_bytes;
    uint32_t unit = r->geo.erase_bytes;
    uint32_t part_units = package_units + row->backup_units + 1;
    r->geo.size_bytes = (1 + files * area_units + part_units + 1) * unit;
    r->board.nor = nor_new(&r->geo, 11, &err);
    REQUIRE(r->board.nor != NULL);
    r->ops.now_ns = rig_now;
    r->board.ops = &r->ops;
    r->board.event = rig_event;
    r->board.event_ctx = r;
    nor_set_hooks(r->board.nor, &(struct nor_hooks){.ctx = r, .power_lost = rig_lost});
    r->cfg.board = &r->board;
    r->cfg.download_offset = (1 + files * area_units) * unit;
    r->cfg.layout = (struct state_layout){.kind = row->kind,
                                          .part_bytes = part_units * unit,
                                          .erase_bytes = unit,
                                          .granule_bytes = r->geo.granule_bytes,
                                          .backup_bytes = row->backup_units * unit,
                                          .write_once = row->policy != NOR_REWRITE,
                                          .traps = row->policy == NOR_ECC};
    r->user_addr = r->cfg.download_offset + r->cfg.layout.part_bytes;
    r->cfg.compare_block_kib = 64;
    r->cfg.algorithm = PACKAGE_ALGORITHM;
    r->cfg.ram_bytes = 64 << 10;
    r->board.heap.limit_bytes = r->cfg.ram_bytes;
    r->cfg.file_count = files;
    for (uint32_t i = 0; i < files; i++) {
        struct boot_file *f = &r->cfg.files[i];
        (void)snprintf(f->name, sizeof f->name, "file%u.bin", i);
        f->address = (1 + i * area_units) * unit;
        f->area_bytes = area_units * unit;
    }
    /* Bytes that must never change: unit 0 and the user unit. */
    uint8_t guard[64];
    memset(guard, 0x3C, sizeof guard);
    for (uint32_t at = 0; at < unit; at += sizeof guard) {
        nor_load(r->board.nor, at, guard, sizeof guard);
        nor_load(r->board.nor, r->user_addr + at, guard, sizeof guard);
    }
}

static inline void rig_close(struct rig *r)
{
    CHECK(nor_fault(r->board.nor) == NULL);
    board_heap_drop(&r->board);
    nor_free(r->board.nor);
}

static inline void rig_load(struct rig *r, uint32_t addr, const struct buf *bytes)
{
    uint32_t granule = r->geo.granule_bytes;
    struct buf padded;
    buf_init(&padded, BYTES_MAX);
    put(&padded, bytes->data, bytes->len_bytes);
    while (padded.len_bytes % granule != 0)
        put_byte(&padded, 0xFF);
    REQUIRE(nor_load(r->board.nor, addr, padded.data, (uint32_t)padded.len_bytes) == 0);
    buf_free(&padded);
}

static inline int rig_read(void *ctx, uint32_t addr, void *out, uint32_t len_bytes)
{
    struct rig *r = ctx;
    return nor_read(r->board.nor, r->cfg.download_offset + addr, out, len_bytes);
}

static inline int rig_program(void *ctx, uint32_t addr, const void *data, uint32_t len_bytes)
{
    struct rig *r = ctx;
    return nor_program(r->board.nor, r->cfg.download_offset + addr, data, len_bytes);
}

static inline int rig_erase(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    struct rig *r = ctx;
    return nor_erase(r->board.nor, r->cfg.download_offset + addr, len_bytes);
}

static inline void rig_state(struct rig *r, struct state *s)
{
    struct err err = {0};
    struct state_io io = {.ctx = r, .read = rig_read, .program = rig_program, .erase = rig_erase};
    CHECK_OK(state_open(s, &io, &r->cfg.layout, &err), &err);
}

/* As the agent leaves it: download record, some segments, then pending. writes: 2 ends in bank B,
 * 3 in bank A. weak: power went in the program that makes the record count, which leaves weak
 * cells: of the record itself, on write-once flash of its proof. */
static inline void rig_pend(struct rig *r, uint32_t file_bytes, int writes, bool weak)
{
    struct state s;
    struct err err = {0};
    struct state_record rec = {.mid = "860000000000001",
                               .device_id = "dev",
                               .index_max = 40,
                               .delta_id = 4711,
                               .file_bytes = file_bytes,
                               .segment_bytes = 512};
    rig_state(r, &s);
    REQUIRE_OK(state_write(&s, &rec, &err), &err);
    if (writes == 3)
        REQUIRE_OK(state_write(&s, &rec, &err), &err);
    for (uint32_t i = 1; i <= 3; i++)
        REQUIRE_OK(state_mark(&s, i, i, &err), &err);
    rec.update_result = UPDATE_PENDING;
    rec.index = rec.index_max;
    rec.journal_base = 0;
    if (setjmp(r->lost) != 0) {
        nor_power_on(r->board.nor);
        return;
    }
    if (weak)
        nor_arm_cut(r->board.nor, nor_op_count(r->board.nor) + (r->cfg.layout.write_once ? 3 : 2),
                    TEAR_WEAK, 0);
    REQUIRE_OK(state_write(&s, &rec, &err), &err);
    CHECK(!weak);
}

#define RIG_CUT ((enum boot_result)99)

/* One start: BOOT_RUN, BOOT_BRICKED, or RIG_CUT when the armed cut came. */
static inline enum boot_result rig_boot(struct rig *r)
{
    enum boot_result result = BOOT_MORE;
    r->events[0] = '\0';
    r->reason[0] = '\0';
    if (setjmp(r->lost) != 0) {
        board_heap_drop(&r->board);
        return RIG_CUT;
    }
    struct boot *b = boot_new(&r->cfg);
    REQUIRE(b != NULL);
    for (int i = 0; i < 10000 && result == BOOT_MORE; i++)
        result = boot_step(b);
    boot_free(b);
    CHECK_INT(board_heap_blocks(&r->board), 0);
    board_heap_drop(&r->board);
    return result;
}

static inline void rig_power_on(struct rig *r)
{
    nor_arm_cut(r->board.nor, 0, TEAR_NOTHING, 0);
    if (nor_is_on(r->board.nor))
        nor_power_off(r->board.nor, TEAR_NOTHING, 0);
    nor_power_on(r->board.nor);
}

/* ---- Judgement ------------------------------------------------------------------------------- */

static inline bool image_is(const struct rig *r, uint32_t addr, const struct buf *want)
{
    return memcmp(nor_peek(r->board.nor) + addr, want->data, want->len_bytes) == 0;
}

static inline bool guards_hold(const struct rig *r)
{
    const uint8_t *flash = nor_peek(r->board.nor);
    for (uint32_t i = 0; i < r->geo.erase_bytes; i++) {
        if (flash[i] != 0x3C || flash[r->user_addr + i] != 0x3C)
            return false;
    }
    return true;
}

/* ---- An update ------------------------------------------------------------------------------- */

/* One update as a row: the chip, and what becomes of up to three files. */
struct change {
    enum package_kind kind;
    enum package_direction direction;
    uint32_t old_bytes, new_bytes; /* 0: no such file */
};

struct update_row {
    const char *what;
    struct rig_row rig;
    int writes; /* where the pending record is: 2 bank B, 3 bank A */
    struct change change[3];
};

#define DELTA_UP   PACKAGE_DELTA, PACKAGE_ASCENDING
#define DELTA_DOWN PACKAGE_DELTA, PACKAGE_DESCENDING
#define FULL       PACKAGE_FULL, PACKAGE_ASCENDING
#define SPI4K                                                                                      \
    {                                                                                              \
        "spi4k", NOR_REWRITE, 0, 1, 1, STATE_SAFE                                                  \
    }
#define SPI4K_WIDE                                                                                 \
    {                                                                                              \
        "spi4k", NOR_REWRITE, 0, 4, 2, STATE_SAFE                                                  \
    }
#define SPI64K                                                                                     \
    {                                                                                              \
        "spi64k", NOR_REWRITE, 0, 1, 1, STATE_SAFE                                                 \
    }
#define INTERNAL8                                                                                  \
    {                                                                                              \
        "internal8", NOR_ECC, 0, 1, 1, STATE_SAFE                                                  \
    }
#define ONCE8                                                                                      \
    {                                                                                              \
        "internal8", NOR_WRITE_ONCE, 0, 2, 1, STATE_SAFE                                           \
    }
#define VENDOR4K                                                                                   \
    {                                                                                              \
        "spi4k", NOR_REWRITE, 0, 1, 1, STATE_VENDOR                                                \
    }

static inline const char *update_name(const void *row)
{
    return ((const struct update_row *)row)->what;
}

/* A device with that update loaded and pending. */
struct fixture {
    struct rig rig;
    struct build_file in[3];
    struct build build;
    uint32_t files; /* of the package; the device has one more, which stays */
    struct buf other;
};

static inline void fixture_open(struct fixture *f, const struct update_row *u)
{
    uint32_t largest = 0;
    memset(f, 0, sizeof *f);
    while (f->files < 3 && u->change[f->files].new_bytes > 0) {
        const struct change *c = &u->change[f->files++];
        if (c->new_bytes > largest)
            largest = c->new_bytes;
        if (c->old_bytes > largest)
            largest = c->old_bytes;
    }
    uint32_t unit = u->rig.erase_bytes;
    if (unit == 0)
        unit = nor_geometry_find(u->rig.chip)->erase_bytes;
    rig_open(&f->rig, &u->rig, f->files + 1, largest / unit + 1, 4 + 200000 / unit);
    for (uint32_t i = 0; i < f->files; i++) {
        const struct change *c = &u->change[i];
        f->in[i] = (struct build_file){.name = f->rig.cfg.files[i].name,
                                       .address = f->rig.cfg.files[i].address,
                                       .kind = c->kind,
                                       .direction = c->direction};
        make_image(&f->in[i].old_image, c->old_bytes, i);
        make_next(&f->in[i].new_image, &f->in[i].old_image, c->new_bytes, i);
        rig_load(&f->rig, f->in[i].address, &f->in[i].old_image);
    }
    make_image(&f->other, 3000, 77);
    rig_load(&f->rig, f->rig.cfg.files[f->files].address, &f->other);
    uint32_t block = u->rig.block_units * unit;
    uint32_t window = unit > 8192 ? 16384 : 1536;
    build_begin(&f->build, f->in, f->files, block, window < block ? window : block);
    build_seal(&f->build);
}

static inline void fixture_pend(struct fixture *f, int writes)
{
    rig_load(&f->rig, f->rig.cfg.download_offset, &f->build.bytes);
    rig_pend(&f->rig, (uint32_t)f->build.bytes.len_bytes, writes, false);
}

static inline void fixture_close(struct fixture *f)
{
    rig_close(&f->rig);
    build_free(&f->build);
    buf_free(&f->other);
    for (uint32_t i = 0; i < f->files; i++) {
        buf_free(&f->in[i].old_image);
        buf_free(&f->in[i].new_image);
    }
}

static inline bool all_are_new(const struct fixture *f)
{
    bool ok = true;
    for (uint32_t i = 0; i < f->files; i++)
        ok = ok && image_is(&f->rig, f->in[i].address, &f->in[i].new_image);
    return ok && image_is(&f->rig, f->rig.cfg.files[f->files].address, &f->other);
}

static inline uint16_t result_of(struct fixture *f)
{
    struct state s;
    rig_state(&f->rig, &s);
    CHECK(s.valid);
    CHECK_INT(s.record.index, 40);
    CHECK_INT(s.record.delta_id, 4711);
    return s.record.update_result;
}

#endif
