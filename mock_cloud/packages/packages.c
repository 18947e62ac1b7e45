/*
 * Assembling: head and table are reserved, payloads appended back to back, then head and table
 * filled in.
 */
#include "mock_cloud/packages/packages.h"

#include <string.h>

#include "mock_cloud/packages/cache.h"
#include "mock_cloud/packages/delta.h"
#include "mock_cloud/packages/plan.h"

static int add_full(struct buf *out, struct package_file *file, const struct package_source *s,
                    struct err *err)
{
    file->kind = PACKAGE_FULL;
    file->direction = PACKAGE_ASCENDING;
    file->old_bytes = 0;
    int rc = buf_append(out, s->new_image, s->new_bytes);
    return rc == 0 ? 0 : err_set(err, rc, "package above %zu bytes", out->max_bytes);
}

static int add_delta(struct buf *out, struct package_file *file, const struct plan *plan,
                     uint32_t i, struct err *err)
{
    const struct package_source *s = plan->sources[i];
    struct buf delta;
    /* The largest length that is smaller than 9/10 of the new image. */
    buf_init(&delta, (uint32_t)(((uint64_t)s->new_bytes * 9 - 1) / 10));
    file->kind = PACKAGE_DELTA;
    file->old_bytes = s->old_bytes;
    int rc = delta_make(&delta, &plan->head, file, s->old_image, s->new_image, plan->temp_dir, err);
    if (rc == ERR_LIMIT) {
        rc = add_full(out, file, s, err);
    } else if (rc == 0) {
        memcpy(file->old_sha256, plan->old_sha256[i], SHA256_BYTES);
        rc = buf_append(out, delta.data, delta.len_bytes);
        if (rc != 0)
            err_set(err, rc, "package above %zu bytes", out->max_bytes);
    }
    buf_free(&delta);
    return rc;
}

static int add_file(struct buf *out, struct package_file *file, const struct plan *plan, uint32_t i,
                    struct err *err)
{
    const struct package_source *s = plan->sources[i];
    memset(file, 0, sizeof *file);
    memcpy(file->name, s->name, sizeof file->name);
    memcpy(file->new_sha256, plan->new_sha256[i], SHA256_BYTES);
    file->address = s->address;
    file->new_bytes = s->new_bytes;
    file->payload_offset = (uint32_t)out->len_bytes;
    int rc = plan->full || s->old_bytes == 0 ? add_full(out, file, s, err)
                                             : add_delta(out, file, plan, i, err);
    if (rc != 0)
        return err_prefix(err, rc, "file %s", s->name);
    file->payload_bytes = (uint32_t)(out->len_bytes - file->payload_offset);
    digest_of(DIGEST_SHA256, out->data + file->payload_offset, file->payload_bytes,
              file->payload_sha256);
    return 0;
}

/* out: empty, its maximum below 4 GiB. */
static int assemble(struct buf *out, struct plan *plan, struct err *err)
{
    struct package_file files[PACKAGE_FILES_MAX];
    const size_t table_bytes = (size_t)plan->count * PACKAGE_FILE_BYTES;
    int rc = buf_append(out, NULL, PACKAGE_HEAD_BYTES + table_bytes);
    if (rc != 0)
        return err_set(err, rc, "package above %zu bytes", out->max_bytes);
    for (uint32_t i = 0; rc == 0 && i < plan->count; i++)
        rc = add_file(out, &files[i], plan, i, err);
    if (rc != 0)
        return rc;
    uint8_t *table = out->data + PACKAGE_HEAD_BYTES;
    for (uint32_t i = 0; i < plan->count; i++)
        package_file_encode(&files[i], table + (size_t)i * PACKAGE_FILE_BYTES);
    digest_of(DIGEST_SHA256, table, table_bytes, plan->head.table_sha256);
    plan->head.total_bytes = (uint32_t)out->len_bytes;
    package_head_encode(&plan->head, out->data);
    rc = package_verify(out->data, out->len_bytes, err);
    return rc == 0 ? 0 : err_prefix(err, ERR_BENCH, "the package just made is not accepted");
}

/* The package must have passed package_verify. */
static enum package_kind kind_of(const uint8_t *package, uint32_t count)
{
    struct package_head head;
    struct package_file file;
    (void)package_head_decode(&head, package, NULL);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *entry = package + PACKAGE_HEAD_BYTES + (size_t)i * PACKAGE_FILE_BYTES;
        if (package_file_decode(&file, &head, entry, NULL) == 0 && file.kind == PACKAGE_DELTA)
            return PACKAGE_DELTA;
    }
    return PACKAGE_FULL;
}

int package_make(struct buf *out, const struct package_source *files, size_t n,
                 const struct package_params *params, enum package_kind *kind, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct plan plan;
    struct buf made;
    const size_t room = out->max_bytes - out->len_bytes;
    int rc = plan_make(&plan, files, n, params, err);
    if (rc != 0)
        return rc;
    if (params->cache_dir != NULL) {
        rc = cache_path(path, params->cache_dir, &plan, err);
        if (rc != 0)
            return rc;
    }
    buf_init(&made, room < UINT32_MAX ? room : UINT32_MAX);
    rc = params->cache_dir != NULL ? cache_load(&made, path, &plan) : ERR_NOT_FOUND;
    if (rc == ERR_NOT_FOUND) {
        rc = assemble(&made, &plan, err);
        if (rc == 0 && params->cache_dir != NULL)
            rc = cache_store(params->cache_dir, path, made.data, made.len_bytes, err);
    } else if (rc != 0) {
        err_set(err, rc, "package above %zu bytes", room);
    }
    if (rc == 0) {
        rc = buf_append(out, made.data, made.len_bytes);
        if (rc != 0)
            err_set(err, rc, "no memory for a package of %zu bytes", made.len_bytes);
    }
    if (rc == 0)
        *kind = kind_of(made.data, plan.count);
    buf_free(&made);
    return rc;
}
