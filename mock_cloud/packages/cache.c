#include "mock_cloud/packages/cache.h"

#include <stdio.h>
#include <string.h>

/* To be raised whenever the same plan would give another package. */
#define CACHE_EPOCH "otabench package 1"

static void hash_u32(struct digest *d, uint32_t v)
{
    uint8_t raw[4];
    put_le32(raw, v);
    digest_update(d, raw, sizeof raw);
}

static void hash_file(struct digest *d, const struct plan *plan, uint32_t i)
{
    const struct package_source *s = plan->sources[i];
    digest_update(d, s->name, strlen(s->name) + 1);
    hash_u32(d, s->address);
    hash_u32(d, s->new_bytes);
    digest_update(d, plan->new_sha256[i], SHA256_BYTES);
    /* A full package is the same whatever the old image was. */
    hash_u32(d, plan->full ? 0 : s->old_bytes);
    if (!plan->full)
        digest_update(d, plan->old_sha256[i], SHA256_BYTES);
}

int cache_path(char out[FILE_PATH_MAX], const char *dir, const struct plan *plan, struct err *err)
{
    uint8_t head[PACKAGE_HEAD_BYTES], key[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    struct digest d;
    if (digest_begin(&d, DIGEST_SHA256) != 0)
        return err_set(err, ERR_NOMEM, "no memory for a digest");
    digest_update(&d, CACHE_EPOCH, sizeof CACHE_EPOCH);
    hash_u32(&d, plan->full);
    package_head_encode(&plan->head, head);
    digest_update(&d, head, sizeof head);
    for (uint32_t i = 0; i < plan->count; i++)
        hash_file(&d, plan, i);
    digest_end(&d, key);
    hex_encode(hex, key, sizeof key);
    int n = snprintf(out, FILE_PATH_MAX, "%s/%s.obpk", dir, hex);
    if (n < 0 || n >= FILE_PATH_MAX)
        return err_set(err, ERR_IO, "cache directory %s: the path is too long", dir);
    return 0;
}

int cache_load(struct buf *out, const char *path, const struct plan *plan)
{
    const size_t before = out->len_bytes;
    int rc = file_read(out, path, NULL);
    if (rc != 0)
        return rc == ERR_LIMIT || rc == ERR_NOMEM ? rc : ERR_NOT_FOUND;
    const uint8_t *data = out->data + before;
    if (package_verify(data, out->len_bytes - before, NULL) == 0 && plan_matches(plan, data))
        return 0;
    out->len_bytes = before;
    return ERR_NOT_FOUND;
}

int cache_store(const char *dir, const char *path, const uint8_t *data, size_t len_bytes,
                struct err *err)
{
    int rc = file_make_dirs(dir, err);
    if (rc == 0)
        rc = file_write_atomic(path, data, len_bytes, err);
    return rc == 0 ? 0 : err_prefix(err, rc, "package cache");
}
