#include "mock_cloud/packages/packages.h"

static const char *const kinds[] = {[PACKAGE_FULL] = "full", [PACKAGE_DELTA] = "delta"};
static const char *const directions[] = {
    [PACKAGE_ASCENDING] = "ascending", [PACKAGE_DESCENDING] = "descending"};

static int digest_line(struct buf *out, const char *what, const uint8_t sha256[SHA256_BYTES])
{
    char hex[2 * SHA256_BYTES + 1];
    hex_encode(hex, sha256, SHA256_BYTES);
    return buf_printf(out, "  %-8s sha256 %s\n", what, hex);
}

static int describe_file(struct buf *out, const struct package_head *h,
                         const struct package_file *f)
{
    const uint64_t permille = ((uint64_t)f->payload_bytes * 1000 + f->new_bytes / 2) / f->new_bytes;
    int rc = buf_printf(out, "file %s at 0x%08x: %s", f->name, f->address, kinds[f->kind]);
    if (rc == 0 && f->kind == PACKAGE_DELTA)
        rc = buf_printf(out, ", %u blocks %s", package_blocks(h, f), directions[f->direction]);
    if (rc == 0)
        rc = buf_text(out, "\n");
    if (rc == 0 && f->kind == PACKAGE_DELTA)
        rc = buf_printf(out, "  old      %u bytes\n", f->old_bytes);
    if (rc == 0 && f->kind == PACKAGE_DELTA)
        rc = digest_line(out, "", f->old_sha256);
    if (rc == 0)
        rc = buf_printf(out, "  new      %u bytes\n", f->new_bytes);
    if (rc == 0)
        rc = digest_line(out, "", f->new_sha256);
    if (rc == 0)
        rc = buf_printf(out, "  payload  %u bytes at %u, %u.%u %% of the new image\n",
                        f->payload_bytes, f->payload_offset, (unsigned)(permille / 10),
                        (unsigned)(permille % 10));
    if (rc == 0)
        rc = digest_line(out, "", f->payload_sha256);
    return rc;
}

int package_describe(const uint8_t *data, size_t len_bytes, struct buf *out, struct err *err)
{
    struct package_head h;
    struct package_file f;
    int rc = package_verify(data, len_bytes, err);
    if (rc != 0)
        return err_prefix(err, ERR_FORMAT, "damaged package");
    (void)package_head_decode(&h, data, NULL);
    rc = buf_printf(out, "package %s%s%s, %u bytes, %u %s\n", h.from_version,
                    h.from_version[0] != '\0' ? " to " : "", h.to_version, h.total_bytes,
                    h.file_count, h.file_count == 1 ? "file" : "files");
    if (rc == 0)
        rc = buf_printf(out,
                        "restore block %u bytes, window %u bytes, compare block %u KiB, "
                        "algorithm %u\n",
                        h.restore_block_bytes, h.window_bytes, h.compare_block_kib, h.algorithm);
    for (uint32_t i = 0; rc == 0 && i < h.file_count; i++) {
        const uint8_t *entry = data + PACKAGE_HEAD_BYTES + (size_t)i * PACKAGE_FILE_BYTES;
        (void)package_file_decode(&f, &h, entry, NULL);
        rc = describe_file(out, &h, &f);
    }
    return rc == 0 ? 0 : err_set(err, rc, "description above %zu bytes", out->max_bytes);
}
