#include "sim_device/agent/link_kit/image.h"

#include <string.h>

int kit_image_begin(struct kit_image *m, struct board *b, const struct partition *part,
                    uint32_t size_bytes, struct err *err)
{
    const struct nor_geometry *geo = nor_geo(b->nor);
    if (size_bytes == 0 || size_bytes > part->size_bytes)
        return err_set(err, ERR_LIMIT, "an image of %u bytes, the slot takes 1..%u", size_bytes,
                       part->size_bytes);
    *m = (struct kit_image){.board = b, .part = part, .size_bytes = size_bytes};
    m->chunk_bytes = geo->page_bytes < KIT_IMAGE_CHUNK_MAX ? geo->page_bytes : KIT_IMAGE_CHUNK_MAX;
    return 0;
}

void kit_image_resume(struct kit_image *m, uint32_t at)
{
    m->stored_bytes = m->erased_bytes = at;
    m->filled = 0;
}

void kit_image_restart(struct kit_image *m)
{
    kit_image_resume(m, 0);
}

static int erase_for(struct kit_image *m, uint32_t end)
{
    uint32_t unit = nor_geo(m->board->nor)->erase_bytes;
    while (m->erased_bytes < end) {
        board_flash_lock(m->board);
        int rc = nor_erase(m->board->nor, m->part->offset + m->erased_bytes, unit);
        board_flash_unlock(m->board);
        if (rc != 0)
            return ERR_IO;
        m->erased_bytes += unit;
    }
    return 0;
}

/* Programs the chunk, filled up with erased bytes. */
int kit_image_flush(struct kit_image *m)
{
    uint32_t granule = nor_geo(m->board->nor)->granule_bytes;
    uint32_t at = m->stored_bytes - m->filled;
    uint32_t len = (m->filled + granule - 1) / granule * granule;
    if (m->filled == 0)
        return 0;
    memset(m->chunk + m->filled, 0xFF, len - m->filled);
    int rc = erase_for(m, at + len);
    if (rc == 0) {
        board_flash_lock(m->board);
        rc = nor_program(m->board->nor, m->part->offset + at, m->chunk, len);
        board_flash_unlock(m->board);
    }
    m->filled = 0;
    return rc == 0 ? 0 : ERR_IO;
}

int kit_image_write(struct kit_image *m, const void *data, size_t len_bytes)
{
    const uint8_t *p = data;
    if (len_bytes > m->size_bytes - m->stored_bytes)
        return ERR_LIMIT;
    while (len_bytes > 0) {
        uint32_t room = m->chunk_bytes - m->filled;
        uint32_t n = len_bytes < room ? (uint32_t)len_bytes : room;
        memcpy(m->chunk + m->filled, p, n);
        m->filled += n;
        m->stored_bytes += n;
        p += n;
        len_bytes -= n;
        if (m->filled == m->chunk_bytes && kit_image_flush(m) != 0)
            return ERR_IO;
    }
    return 0;
}

int kit_image_end(struct kit_image *m)
{
    if (m->stored_bytes != m->size_bytes)
        return ERR_WRONG_STATE;
    return kit_image_flush(m);
}

int kit_image_skip(struct kit_image *m, uint32_t to)
{
    int rc = kit_image_flush(m);
    if (rc == 0)
        rc = erase_for(m, to);
    if (rc == 0)
        m->stored_bytes = to;
    return rc;
}

int kit_image_digest_part(const struct kit_image *m, uint32_t from, uint32_t len_bytes,
                          enum digest_kind kind, uint8_t *out)
{
    board_flash_lock(m->board);
    int rc = board_digest_flash(m->board, kind, m->part->offset + from, len_bytes, out);
    board_flash_unlock(m->board);
    return rc;
}

int kit_image_digest(const struct kit_image *m, enum digest_kind kind, uint8_t *out)
{
    return kit_image_digest_part(m, 0, m->size_bytes, kind, out);
}
