/*
 * Checks of a finished package, without a device and without its images.
 */
#include <string.h>

#include "mock_cloud/packages/packages.h"
#include "mock_cloud/packages/window.h"

/* Where the stream stands in the order of blocks. */
struct walk {
    const struct package_head *head;
    const struct package_file *file;
    uint32_t turn;
    uint32_t left; /* bytes of the block still to be made; 0: the next turn begins */
    uint32_t from; /* readable old bytes of the block */
    uint32_t to;
};

static int check_window(struct walk *k, const struct window *w, struct err *err)
{
    const uint32_t block_bytes = k->head->restore_block_bytes;
    if (k->left == 0) {
        if (k->turn == package_blocks(k->head, k->file))
            return err_set(err, ERR_FORMAT, "output behind the image of %u bytes",
                           k->file->new_bytes);
        uint32_t block = package_block_at(k->head, k->file, k->turn++, &k->from, &k->to);
        uint32_t rest = k->file->new_bytes - block * block_bytes;
        k->left = rest < block_bytes ? rest : block_bytes;
    }
    if (w->target_len > k->head->window_bytes)
        return err_set(err, ERR_FORMAT, "makes %u bytes, the head allows %u", w->target_len,
                       k->head->window_bytes);
    if (w->target_len > k->left)
        return err_set(err, ERR_FORMAT, "makes %u bytes, the block needs only %u", w->target_len,
                       k->left);
    if (w->has_source &&
        (w->source_pos < k->from || w->source_pos > k->to || w->source_len > k->to - w->source_pos))
        return err_set(err, ERR_FORMAT,
                       "reads %u old bytes at %u, readable for its block are [%u, %u)",
                       w->source_len, w->source_pos, k->from, k->to);
    k->left -= w->target_len;
    return 0;
}

static int check_delta(const struct package_head *head, const struct package_file *file,
                       const uint8_t *data, struct err *err)
{
    struct walk walk = {.head = head, .file = file};
    uint32_t windows = 0;
    int rc = delta_head_check(data, file->payload_bytes, err);
    for (size_t at = DELTA_HEAD_BYTES; rc == 0 && at < file->payload_bytes; windows++) {
        struct window w;
        rc = window_parse(&w, data + at, file->payload_bytes - at, err);
        if (rc == 0)
            rc = check_window(&walk, &w, err);
        if (rc != 0)
            return err_prefix(err, rc, "window %u at %zu", windows, at);
        at += w.len_bytes;
    }
    if (rc == 0 && (walk.left != 0 || walk.turn != package_blocks(head, file)))
        rc = err_set(err, ERR_FORMAT, "the delta ends before the image of %u bytes is complete",
                     file->new_bytes);
    return rc;
}

static int check_payload(const struct package_head *head, const struct package_file *file,
                         const uint8_t *data, struct err *err)
{
    uint8_t sha256[SHA256_BYTES];
    digest_of(DIGEST_SHA256, data, file->payload_bytes, sha256);
    if (memcmp(sha256, file->payload_sha256, sizeof sha256) != 0)
        return err_set(err, ERR_DIGEST, "the payload does not match its SHA-256");
    if (file->kind == PACKAGE_DELTA)
        return check_delta(head, file, data, err);
    if (memcmp(sha256, file->new_sha256, sizeof sha256) != 0)
        return err_set(err, ERR_DIGEST, "the full image does not match its SHA-256");
    return 0;
}

static int check_table(const struct package_head *head, const uint8_t *data, struct err *err)
{
    uint8_t sha256[SHA256_BYTES];
    const size_t table_bytes = (size_t)head->file_count * PACKAGE_FILE_BYTES;
    digest_of(DIGEST_SHA256, data + PACKAGE_HEAD_BYTES, table_bytes, sha256);
    if (memcmp(sha256, head->table_sha256, sizeof sha256) != 0)
        return err_set(err, ERR_DIGEST, "the file table does not match its SHA-256");
    return 0;
}

static bool named_before(const struct package_file *files, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++) {
        if (strcmp(files[k].name, files[i].name) == 0)
            return true;
    }
    return false;
}

int package_verify(const uint8_t *data, size_t len_bytes, struct err *err)
{
    struct package_head head;
    struct package_file files[PACKAGE_FILES_MAX];
    if (len_bytes < PACKAGE_HEAD_BYTES)
        return err_set(err, ERR_FORMAT, "package of %zu bytes is shorter than its head of %d",
                       len_bytes, PACKAGE_HEAD_BYTES);
    int rc = package_head_decode(&head, data, err);
    if (rc != 0)
        return rc;
    if (head.total_bytes != len_bytes)
        return err_set(err, ERR_FORMAT, "package of %zu bytes, its head says %u", len_bytes,
                       head.total_bytes);
    if (head.algorithm != PACKAGE_ALGORITHM)
        return err_set(err, ERR_UNSUPPORTED, "package head: algorithm is %u, known is %d",
                       head.algorithm, PACKAGE_ALGORITHM);
    rc = check_table(&head, data, err);
    uint64_t end = PACKAGE_HEAD_BYTES + (uint64_t)head.file_count * PACKAGE_FILE_BYTES;
    for (uint32_t i = 0; rc == 0 && i < head.file_count; i++) {
        struct package_file *f = &files[i];
        const uint8_t *entry = data + PACKAGE_HEAD_BYTES + (size_t)i * PACKAGE_FILE_BYTES;
        rc = package_file_decode(f, &head, entry, err);
        if (rc != 0)
            return rc;
        if (named_before(files, i))
            return err_set(err, ERR_FORMAT, "package file %s: the name is there twice", f->name);
        if (f->payload_offset != end)
            return err_set(err, ERR_FORMAT, "package file %s: payload at %u, expected at %llu",
                           f->name, f->payload_offset, (unsigned long long)end);
        end += f->payload_bytes;
        rc = check_payload(&head, f, data + f->payload_offset, err);
        if (rc != 0)
            return err_prefix(err, rc, "package file %s", f->name);
    }
    if (rc == 0 && end != len_bytes)
        rc = err_set(err, ERR_FORMAT, "%llu bytes behind the last payload",
                     (unsigned long long)(len_bytes - end));
    return rc;
}
