#include "sim_device/agent/link_kit/parts.h"

#include <string.h>

#include "common/bytes.h"

static const struct kit_push_file *named(const char *name, const struct kit_push_file *files,
                                         size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (files[i].name != NULL && strcmp(files[i].name, name) == 0)
            return &files[i];
    return NULL;
}

bool kit_parts_place(struct kit_parts *out, const struct device_config *c,
                     const struct kit_push_file *files, size_t n)
{
    *out = (struct kit_parts){.n = c->file_count};
    if (n != c->file_count || n > KIT_FILES_MAX)
        return false;
    for (uint32_t i = 0; i < out->n; i++) {
        struct kit_part *p = &out->part[i];
        const struct kit_push_file *f = named(c->files[i].name, files, n);
        if (f == NULL || f->size_bytes > c->files[i].area_bytes)
            return false;
        *p = (struct kit_part){.offset = c->files[i].address,
                               .size_bytes = f->size_bytes,
                               .method = f->method,
                               .file = (uint32_t)(f - files)};
        if (!hex_decode(p->digest, digest_bytes(f->method), f->digest))
            return false;
    }
    return true;
}

uint32_t kit_parts_end(const struct kit_parts *p)
{
    return p->n == 0 ? 0 : p->part[p->n - 1].offset + p->part[p->n - 1].size_bytes;
}

void kit_parts_id(const struct kit_parts *p, char out[DIGEST_HEX_MAX])
{
    uint8_t all[KIT_FILES_MAX * (5 + DIGEST_BYTES_MAX)];
    size_t at = 0;
    for (uint32_t i = 0; i < p->n; i++, at += 5 + DIGEST_BYTES_MAX) {
        put_le32(all + at, p->part[i].size_bytes);
        all[at + 4] = (uint8_t)p->part[i].method;
        memcpy(all + at + 5, p->part[i].digest, DIGEST_BYTES_MAX);
    }
    digest_hex_of(DIGEST_SHA256, all, at, out);
}

const struct kit_part *kit_parts_at(const struct kit_parts *p, uint32_t stored_bytes)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (stored_bytes < p->part[i].offset + p->part[i].size_bytes)
            return &p->part[i];
    return NULL;
}
