/* The boot loader's hands: flash by chip address, the file table, and decoding of one block. */
#include <string.h>

#include "common/bytes.h"
#include "sim_device/boot/loader.h"

int loader_read(struct boot *b, uint32_t addr, void *out, uint32_t len_bytes)
{
    int rc = nor_read(b->cfg.board->nor, addr, out, len_bytes);
    return rc == 0 ? 0 : err_set(&b->err, rc, "flash at 0x%x cannot be read", addr);
}

void loader_forget_page(struct boot *b)
{
    memset(b->page, 0, b->page_bytes);
    memset(&b->err, 0, sizeof b->err);
}

void loader_forget(struct boot *b)
{
    loader_forget_page(b);
    memset(&b->delta, 0, sizeof b->delta);
    b->delta_open = false;
    if (b->window != NULL)
        memset(b->window, 0, b->head.window_bytes);
}

int loader_erase(struct boot *b, uint32_t addr, uint32_t len_bytes)
{
    uint32_t unit = b->cfg.layout.erase_bytes;
    int rc = nor_erase(b->cfg.board->nor, addr, (len_bytes + unit - 1) / unit * unit);
    return rc == 0 ? 0 : err_set(&b->err, rc, "flash at 0x%x cannot be erased", addr);
}

static int program(struct boot *b, uint32_t addr, const uint8_t *data, uint32_t len_bytes)
{
    int rc = nor_program(b->cfg.board->nor, addr, data, len_bytes);
    return rc == 0 ? 0 : err_set(&b->err, rc, "flash at 0x%x cannot be programmed", addr);
}

/* What is in b->page. */
static int program_page(struct boot *b, uint32_t addr, uint32_t len_bytes)
{
    uint32_t granule = b->cfg.layout.granule_bytes;
    uint32_t padded =
        len_bytes == b->page_bytes ? len_bytes : (len_bytes + granule - 1) / granule * granule;
    if (padded > len_bytes)
        memset(b->page + len_bytes, 0xFF, padded - len_bytes);
    return program(b, addr, b->page, padded);
}

int loader_copy(struct boot *b, uint32_t from, uint32_t to, uint32_t len_bytes)
{
    int rc = 0;
    for (uint32_t at = 0; at < len_bytes && rc == 0; at += b->page_bytes) {
        uint32_t n = len_bytes - at < b->page_bytes ? len_bytes - at : b->page_bytes;
        rc = loader_read(b, from + at, b->page, n);
        if (rc == 0)
            rc = program_page(b, to + at, n);
    }
    return rc;
}

int loader_crc(struct boot *b, uint32_t addr, uint32_t len_bytes, uint32_t *crc)
{
    int rc = board_crc32_flash(b->cfg.board, addr, len_bytes, crc);
    return rc == 0 ? 0 : err_set(&b->err, rc, "flash at 0x%x cannot be read", addr);
}

int loader_sha256_is(struct boot *b, uint32_t addr, uint32_t len_bytes, const uint8_t *want)
{
    uint8_t got[SHA256_BYTES];
    int rc = board_digest_flash(b->cfg.board, DIGEST_SHA256, addr, len_bytes, got);
    if (rc != 0)
        return err_set(&b->err, rc, "flash at 0x%x cannot be read", addr);
    if (memcmp(got, want, sizeof got) != 0)
        return err_set(&b->err, ERR_DIGEST, "SHA-256 of %u bytes at 0x%x is another", len_bytes,
                       addr);
    return 0;
}

int loader_load_file(struct boot *b, uint32_t file_index)
{
    uint8_t bytes[PACKAGE_FILE_BYTES];
    if (b->file_index == file_index)
        return 0;
    b->file_index = NO_FILE;
    b->delta_open = false;
    int rc = loader_read(
        b, b->cfg.download_offset + PACKAGE_HEAD_BYTES + file_index * PACKAGE_FILE_BYTES, bytes,
        sizeof bytes);
    if (rc == 0)
        rc = package_file_decode(&b->file, &b->head, bytes, &b->err);
    if (rc == 0)
        b->file_index = file_index;
    return rc;
}

uint32_t loader_payload_addr(const struct boot *b)
{
    return b->cfg.download_offset + b->file.payload_offset;
}

void loader_span(const struct boot *b, uint32_t turn, struct span *out)
{
    const struct package_file *f = &b->file;
    uint32_t unit = b->head.restore_block_bytes;
    out->turn = turn;
    out->blocks = package_blocks(&b->head, f);
    out->block = package_block_at(&b->head, f, turn, &out->source_from, &out->source_to);
    uint32_t at = out->block * unit;
    out->addr = f->address + at;
    out->len_bytes = f->new_bytes - at < unit ? f->new_bytes - at : unit;
    /* Descending, the short last block comes first. */
    out->stream_pos = at;
    if (f->direction == PACKAGE_DESCENDING)
        out->stream_pos = f->new_bytes - at - out->len_bytes;
}

int loader_put(void *writer, const uint8_t *data, uint32_t len_bytes)
{
    struct loader_writer *w = writer;
    int rc = 0;
    w->crc = board_crc32(w->b->cfg.board, w->crc, data, len_bytes);
    if (w->used == 0) { /* whole pages need no buffer */
        uint32_t n = len_bytes - len_bytes % w->b->page_bytes;
        rc = n > 0 ? program(w->b, w->addr, data, n) : 0;
        w->addr += n;
        data += n;
        len_bytes -= n;
    }
    while (len_bytes > 0 && rc == 0) {
        uint32_t n = w->b->page_bytes - w->used;
        if (n > len_bytes)
            n = len_bytes;
        memcpy(w->b->page + w->used, data, n);
        w->used += n;
        data += n;
        len_bytes -= n;
        if (w->used == w->b->page_bytes)
            rc = loader_put_end(w);
    }
    return rc;
}

int loader_put_end(struct loader_writer *w)
{
    int rc = w->used > 0 ? program_page(w->b, w->addr, w->used) : 0;
    w->addr += w->used;
    w->used = 0;
    return rc;
}

/* Delta */

static int read_delta(void *ctx, uint32_t off, void *out, uint32_t len_bytes)
{
    struct boot *b = ctx;
    return loader_read(b, loader_payload_addr(b) + off, out, len_bytes);
}

static int read_source(void *ctx, uint32_t off, void *out, uint32_t len_bytes)
{
    struct boot *b = ctx;
    return loader_read(b, b->file.address + off, out, len_bytes);
}

/* Puts b->delta at the first window of the span; goes on from where it stands if that fits. */
static int seek(struct boot *b, const struct span *span)
{
    struct vcdiff *v = &b->delta;
    struct vcdiff_io io = {.ctx = b, .read_delta = read_delta, .read_source = read_source};
    struct vcdiff_window w;
    int rc = 0;
    if (b->delta_open && v->target_pos == span->stream_pos)
        return 0;
    b->delta_open = false;
    rc = vcdiff_open(v, &io, b->file.payload_bytes, b->file.old_bytes, &b->err);
    while (rc == 0 && v->target_pos < span->stream_pos) {
        rc = vcdiff_next(v, &w, &b->err);
        if (rc == 0)
            rc = vcdiff_skip(v, &w);
    }
    if (rc == VCDIFF_END || (rc == 0 && v->target_pos != span->stream_pos))
        return err_set(&b->err, ERR_FORMAT, "no window begins at block %u", span->block);
    b->delta_open = rc == 0;
    return rc;
}

static int check_window(struct boot *b, const struct span *span, const struct vcdiff_window *w)
{
    uint64_t end = (uint64_t)span->stream_pos + span->len_bytes;
    if ((uint64_t)w->target_pos + w->target_len > end)
        return err_set(&b->err, ERR_FORMAT, "window %u crosses the border of block %u", w->index,
                       span->block);
    if (w->source_len > 0 && (w->source_pos < span->source_from ||
                              (uint64_t)w->source_pos + w->source_len > span->source_to))
        return err_set(&b->err, ERR_FORMAT,
                       "window %u reads [%u, +%u) of the old image, block %u may read [%u, %u)",
                       w->index, w->source_pos, w->source_len, span->block, span->source_from,
                       span->source_to);
    return 0;
}

int loader_decode(struct boot *b, const struct span *span, loader_sink *sink, void *ctx)
{
    struct vcdiff *v = &b->delta;
    struct vcdiff_window w;
    int rc = seek(b, span);
    while (rc == 0 && v->target_pos < span->stream_pos + span->len_bytes) {
        rc = vcdiff_next(v, &w, &b->err);
        if (rc == 0)
            rc = check_window(b, span, &w);
        if (rc == 0)
            rc = vcdiff_decode(v, &w, b->window, b->head.window_bytes, &b->err);
        if (rc == 0)
            rc = sink(ctx, b->window, w.target_len);
    }
    if (rc == 0 && span->turn + 1 == span->blocks) {
        rc = vcdiff_next(v, &w, &b->err);
        if (rc == 0)
            rc = err_set(&b->err, ERR_FORMAT, "delta goes on behind the new image");
        else if (rc == VCDIFF_END)
            return 0;
    }
    if (rc == VCDIFF_END)
        rc = err_set(&b->err, ERR_FORMAT, "delta ends inside block %u", span->block);
    if (rc != 0)
        b->delta_open = false;
    return rc;
}
