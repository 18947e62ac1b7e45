/* What is checked before anything is touched, and at the end. */
#include <string.h>

#include "sim_device/boot/loader.h"

static int check_head(struct boot *b)
{
    uint8_t bytes[PACKAGE_HEAD_BYTES];
    const struct package_head *h = &b->head;
    const struct boot_config *cfg = &b->cfg;
    uint32_t limit = state_package_limit(&cfg->layout);

    int rc = loader_read(b, cfg->download_offset, bytes, sizeof bytes);
    if (rc == 0)
        rc = package_head_decode(&b->head, bytes, &b->err);
    if (rc != 0)
        return rc;
    if (h->total_bytes > limit)
        return err_set(&b->err, ERR_LIMIT, "package of %u bytes, the area holds %u", h->total_bytes,
                       limit);
    if (b->state.record.file_bytes != 0 && b->state.record.file_bytes != h->total_bytes)
        return err_set(&b->err, ERR_FORMAT, "package says %u bytes, downloaded were %u",
                       h->total_bytes, b->state.record.file_bytes);
    if (h->algorithm != cfg->algorithm)
        return err_set(&b->err, ERR_UNSUPPORTED, "package of algorithm %u, configured is %u",
                       h->algorithm, cfg->algorithm);
    if (h->compare_block_kib != cfg->compare_block_kib)
        return err_set(&b->err, ERR_UNSUPPORTED,
                       "package made for compare blocks of %u KiB, configured are %u",
                       h->compare_block_kib, cfg->compare_block_kib);
    if (h->restore_block_bytes % cfg->layout.erase_bytes != 0 ||
        h->restore_block_bytes > cfg->layout.backup_bytes)
        return err_set(&b->err, ERR_UNSUPPORTED,
                       "restore blocks of %u bytes: not a multiple of the erase unit, %u, up to "
                       "the backup area, %u",
                       h->restore_block_bytes, cfg->layout.erase_bytes, cfg->layout.backup_bytes);
    return 0;
}

static int get_buffers(struct boot *b)
{
    uint64_t need = sizeof *b + (uint64_t)b->page_bytes + b->head.window_bytes;
    if (need > b->cfg.ram_bytes)
        return err_set(&b->err, ERR_NOMEM, "windows of %u bytes need %u bytes of RAM, there are %u",
                       b->head.window_bytes, (unsigned)need, b->cfg.ram_bytes);
    if (b->window == NULL && b->head.window_bytes > 0) {
        b->window = board_alloc(b->cfg.board, b->head.window_bytes);
        if (b->window == NULL)
            return err_set(&b->err, ERR_NOMEM, "no memory for windows of %u bytes",
                           b->head.window_bytes);
    }
    if (b->block == NULL && b->cfg.breaks.skip_backup) {
        b->block = board_alloc(b->cfg.board, b->head.restore_block_bytes);
        if (b->block == NULL)
            return err_set(&b->err, ERR_NOMEM, "no memory for a block of %u bytes",
                           b->head.restore_block_bytes);
    }
    return 0;
}

/* Index of the configured file that this one is, or NO_FILE. */
static uint32_t configured(const struct boot *b, const struct package_file *f)
{
    for (uint32_t i = 0; i < b->cfg.file_count; i++) {
        const struct boot_file *known = &b->cfg.files[i];
        if (strcmp(known->name, f->name) == 0 && known->address == f->address)
            return i;
    }
    return NO_FILE;
}

static int check_file(struct boot *b, uint32_t *seen)
{
    const struct package_file *f = &b->file;
    uint32_t i = configured(b, f);
    if (i == NO_FILE)
        return err_set(&b->err, ERR_UNSUPPORTED, "file %s at 0x%x is not configured", f->name,
                       f->address);
    if (*seen & (UINT32_C(1) << i))
        return err_set(&b->err, ERR_FORMAT, "file %s comes twice", f->name);
    *seen |= UINT32_C(1) << i;
    if (f->new_bytes > b->cfg.files[i].area_bytes || f->old_bytes > b->cfg.files[i].area_bytes)
        return err_set(&b->err, ERR_LIMIT, "file %s: images of %u and %u bytes, the area holds %u",
                       f->name, f->old_bytes, f->new_bytes, b->cfg.files[i].area_bytes);
    if (f->kind == PACKAGE_DELTA && b->head.window_bytes == 0)
        return err_set(&b->err, ERR_FORMAT, "file %s is a delta, but windows have 0 bytes",
                       f->name);
    return 0;
}

int loader_check_package(struct boot *b)
{
    uint32_t seen = 0;
    b->file_index = NO_FILE;
    int rc = check_head(b);
    if (rc == 0)
        rc = get_buffers(b);
    if (rc == 0 && !b->cfg.breaks.skip_verify) {
        rc = loader_sha256_is(b, b->cfg.download_offset + PACKAGE_HEAD_BYTES,
                              (uint32_t)b->head.file_count * PACKAGE_FILE_BYTES,
                              b->head.table_sha256);
        if (rc != 0)
            return err_prefix(&b->err, rc, "file table");
    }
    for (uint32_t i = 0; i < b->head.file_count && rc == 0; i++) {
        rc = loader_load_file(b, i);
        if (rc == 0)
            rc = check_file(b, &seen);
    }
    return rc;
}

int loader_check_digests(struct boot *b, uint32_t file_index)
{
    const struct package_file *f = &b->file;
    int rc = loader_load_file(b, file_index);
    if (rc != 0)
        return rc;
    rc = loader_sha256_is(b, loader_payload_addr(b), f->payload_bytes, f->payload_sha256);
    if (rc != 0)
        return err_prefix(&b->err, rc, "payload of %s", f->name);
    if (f->kind != PACKAGE_DELTA)
        return 0;
    rc = loader_sha256_is(b, f->address, f->old_bytes, f->old_sha256);
    /* The package is sound, but not for what is installed: not the digest's result (98). */
    if (rc == ERR_DIGEST)
        rc = ERR_UNSUPPORTED;
    return rc == 0 ? 0 : err_prefix(&b->err, rc, "installed %s", f->name);
}

static int feed(void *digest, const uint8_t *data, uint32_t len_bytes)
{
    board_digest_update(digest, data, len_bytes);
    return 0;
}

/* The target is hashed from its first byte on; descending files therefore give their turns from the
 * last to the first, each found again from the start of the delta. */
static int decode_all(struct boot *b, struct board_digest *d)
{
    uint32_t blocks = package_blocks(&b->head, &b->file);
    int rc = 0;
    for (uint32_t i = 0; i < blocks && rc == 0; i++) {
        struct span span;
        loader_span(b, b->file.direction == PACKAGE_ASCENDING ? i : blocks - 1 - i, &span);
        rc = loader_decode(b, &span, feed, d);
    }
    return rc;
}

int loader_prove(struct boot *b, uint32_t file_index)
{
    uint8_t got[SHA256_BYTES];
    int rc = loader_load_file(b, file_index);
    if (rc != 0)
        return rc;
    if (b->file.kind == PACKAGE_FULL) {
        memcpy(got, b->file.payload_sha256, sizeof got);
    } else {
        struct board_digest *d = board_digest_begin(b->cfg.board, DIGEST_SHA256);
        if (d == NULL)
            return err_set(&b->err, ERR_NOMEM, "no memory for the digest");
        rc = decode_all(b, d);
        if (rc == 0)
            board_digest_end(d, got);
        board_digest_free(b->cfg.board, d);
        if (rc != 0)
            return err_prefix(&b->err, rc, "delta of %s", b->file.name);
    }
    if (memcmp(got, b->file.new_sha256, sizeof got) != 0)
        return err_set(&b->err, ERR_DIGEST, "%s would not become what the package says",
                       b->file.name);
    return 0;
}

int loader_check_restored(struct boot *b, uint32_t file_index)
{
    int rc = loader_load_file(b, file_index);
    if (rc == 0)
        rc = loader_sha256_is(b, b->file.address, b->file.new_bytes, b->file.new_sha256);
    return rc;
}
