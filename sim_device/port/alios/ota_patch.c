#include "sim_device/port/alios/ota_patch.h"

#include <string.h>

#include "common/package.h"
#include "sim_device/agent/link_kit/image.h"
#include "sim_device/boot/vcdiff.h"

/* On the heap: a task's stack is small. */
struct patch {
    struct board *b;
    const struct partition *base, *area;
    uint32_t at; /* of the package, in area */
    struct package_head head;
    struct package_file file;
    struct kit_image image;
    struct vcdiff vcdiff;
    uint8_t table[PACKAGE_FILE_BYTES];
    uint8_t piece[512];
};

static const struct partition *area_of(const struct alios *a)
{
    return slots_partition(&a->slots, slots_inactive(&a->slots));
}

static uint32_t units(const struct alios *a, uint32_t len_bytes)
{
    const uint32_t unit = nor_geo(a->board->nor)->erase_bytes;
    return (len_bytes + unit - 1) / unit * unit;
}

int patch_place(const struct alios *a, uint32_t package_bytes, uint32_t *at, struct err *err)
{
    const uint32_t size = area_of(a)->size_bytes, need = units(a, package_bytes);
    if (need == 0 || need > size / 2)
        return err_set(err, ERR_LIMIT, "a difference of %u bytes in a slot of %u",
                       (unsigned)package_bytes, (unsigned)size);
    *at = size - need;
    return 0;
}

static int read_flash(struct board *b, uint32_t addr, void *out, uint32_t len_bytes)
{
    board_flash_lock(b);
    int rc = nor_read(b->nor, addr, out, len_bytes);
    board_flash_unlock(b);
    return rc == 0 ? 0 : ERR_IO;
}

static bool flash_is(struct board *b, uint32_t addr, uint32_t len_bytes,
                     const uint8_t want[SHA256_BYTES])
{
    uint8_t got[SHA256_BYTES];
    board_flash_lock(b);
    int rc = board_digest_flash(b, DIGEST_SHA256, addr, len_bytes, got);
    board_flash_unlock(b);
    return rc == 0 && memcmp(got, want, sizeof got) == 0;
}

int patch_move(struct alios *a, uint32_t package_bytes, uint32_t at, struct err *err)
{
    const struct partition *area = area_of(a);
    const struct partition tail = {.offset = area->offset + at,
                                   .size_bytes = area->size_bytes - at};
    uint8_t piece[512];
    struct kit_image to;
    int rc = kit_image_begin(&to, a->board, &tail, package_bytes, err);
    for (uint32_t off = 0; rc == 0 && off < package_bytes; off += (uint32_t)sizeof piece) {
        const uint32_t left = package_bytes - off;
        const uint32_t n = left < sizeof piece ? left : (uint32_t)sizeof piece;
        rc = read_flash(a->board, area->offset + off, piece, n);
        if (rc == 0)
            rc = kit_image_write(&to, piece, n);
    }
    if (rc == 0)
        rc = kit_image_end(&to);
    return rc == 0 ? 0 : err_set(err, rc, "the difference cannot be moved");
}

/* ---- what is checked first ---- */

static int check_head(struct patch *p, uint32_t package_bytes, struct err *err)
{
    uint8_t bytes[PACKAGE_HEAD_BYTES];
    const uint32_t addr = p->area->offset + p->at;
    if (package_bytes < PACKAGE_HEAD_BYTES + PACKAGE_FILE_BYTES)
        return err_set(err, ERR_FORMAT, "a difference of %u bytes", (unsigned)package_bytes);
    int rc = read_flash(p->b, addr, bytes, sizeof bytes);
    if (rc == 0)
        rc = read_flash(p->b, addr + PACKAGE_HEAD_BYTES, p->table, sizeof p->table);
    if (rc != 0)
        return err_set(err, rc, "the difference cannot be read");
    rc = package_head_decode(&p->head, bytes, err);
    if (rc != 0)
        return rc;
    if (p->head.total_bytes != package_bytes)
        return err_set(err, ERR_FORMAT, "a difference of %u bytes, its head says %u",
                       (unsigned)package_bytes, (unsigned)p->head.total_bytes);
    if (p->head.algorithm != PACKAGE_ALGORITHM || p->head.file_count != 1)
        return err_set(err, ERR_UNSUPPORTED, "a difference of algorithm %u with %u files",
                       p->head.algorithm, p->head.file_count);
    if (!flash_is(p->b, addr + PACKAGE_HEAD_BYTES, PACKAGE_FILE_BYTES, p->head.table_sha256))
        return err_set(err, ERR_DIGEST, "the file table of the difference");
    return package_file_decode(&p->file, &p->head, p->table, err);
}

static int check_file(const struct patch *p, struct err *err)
{
    const struct package_file *f = &p->file;
    if (!flash_is(p->b, p->area->offset + p->at + f->payload_offset, f->payload_bytes,
                  f->payload_sha256))
        return err_set(err, ERR_DIGEST, "the payload of the difference");
    if (f->new_bytes > p->at)
        return err_set(err, ERR_LIMIT, "an image of %u bytes, there is room for %u",
                       (unsigned)f->new_bytes, (unsigned)p->at);
    if (f->kind == PACKAGE_FULL)
        return 0;
    if (f->direction != PACKAGE_ASCENDING && package_blocks(&p->head, f) > 1)
        return err_set(err, ERR_UNSUPPORTED, "a difference for a restore in place");
    if (f->old_bytes > p->base->size_bytes ||
        !flash_is(p->b, p->base->offset, f->old_bytes, f->old_sha256))
        return err_set(err, ERR_UNSUPPORTED, "a difference to another image than the running one");
    return 0;
}

/* ---- making it ---- */

static int read_delta(void *ctx, uint32_t off, void *out, uint32_t len_bytes)
{
    const struct patch *p = ctx;
    return read_flash(p->b, p->area->offset + p->at + p->file.payload_offset + off, out, len_bytes);
}

static int read_base(void *ctx, uint32_t off, void *out, uint32_t len_bytes)
{
    const struct patch *p = ctx;
    return read_flash(p->b, p->base->offset + off, out, len_bytes);
}

static int copy_whole(struct patch *p)
{
    int rc = 0;
    for (uint32_t off = 0; rc == 0 && off < p->file.payload_bytes;
         off += (uint32_t)sizeof p->piece) {
        const uint32_t left = p->file.payload_bytes - off;
        const uint32_t n = left < sizeof p->piece ? left : (uint32_t)sizeof p->piece;
        rc = read_delta(p, off, p->piece, n);
        if (rc == 0)
            rc = kit_image_write(&p->image, p->piece, n);
    }
    return rc;
}

static int decode(struct patch *p, struct err *err)
{
    const struct vcdiff_io io = {.ctx = p, .read_delta = read_delta, .read_source = read_base};
    struct vcdiff_window w;
    uint8_t *window = board_alloc(p->b, p->head.window_bytes);
    if (window == NULL)
        return err_set(err, ERR_NOMEM, "no memory for windows of %u bytes",
                       (unsigned)p->head.window_bytes);
    int rc = vcdiff_open(&p->vcdiff, &io, p->file.payload_bytes, p->file.old_bytes, err);
    while (rc == 0) {
        rc = vcdiff_next(&p->vcdiff, &w, err);
        if (rc == 0)
            rc = vcdiff_decode(&p->vcdiff, &w, window, p->head.window_bytes, err);
        if (rc == 0)
            rc = kit_image_write(&p->image, window, w.target_len);
    }
    board_free(p->b, window);
    return rc == VCDIFF_END ? 0 : rc;
}

static int make(struct patch *p, uint32_t package_bytes, struct err *err)
{
    int rc = check_head(p, package_bytes, err);
    if (rc == 0)
        rc = check_file(p, err);
    if (rc == 0)
        rc = kit_image_begin(&p->image, p->b, p->area, p->file.new_bytes, err);
    if (rc == 0)
        rc = p->file.kind == PACKAGE_FULL ? copy_whole(p) : decode(p, err);
    return rc == 0 ? kit_image_end(&p->image) : rc;
}

int patch_make(struct alios *a, uint32_t at, uint32_t package_bytes, struct patch_image *out,
               struct err *err)
{
    struct patch *p = board_alloc(a->board, sizeof *p);
    if (p == NULL)
        return err_set(err, ERR_NOMEM, "no memory to apply a difference");
    p->b = a->board;
    p->base = slots_partition(&a->slots, slots_running(&a->slots));
    p->area = area_of(a);
    p->at = at;
    int rc = make(p, package_bytes, err);
    if (rc == 0) {
        out->len_bytes = p->file.new_bytes;
        memcpy(out->sha256, p->file.new_sha256, sizeof out->sha256);
    }
    board_free(a->board, p);
    return rc;
}
