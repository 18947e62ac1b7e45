#include "mock_cloud/packages/plan.h"

#include <string.h>

static int check_name(const char *text, bool may_be_empty, const char *what, struct err *err)
{
    const size_t len = strnlen(text, PACKAGE_NAME_MAX);
    if (len == PACKAGE_NAME_MAX || (len == 0 && !may_be_empty))
        return err_set(err, ERR_ARG, "%s: 1 to %d characters are allowed", what,
                       PACKAGE_NAME_MAX - 1);
    for (size_t i = 0; i < len; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e)
            return err_set(err, ERR_ARG, "%s: only printable ASCII is allowed", what);
    }
    return 0;
}

static int check_params(const struct package_params *p, struct err *err)
{
    int rc = check_name(p->from_version, true, "from_version", err);
    if (rc == 0)
        rc = check_name(p->to_version, false, "to_version", err);
    if (rc != 0)
        return rc;
    if (p->compare_block_kib == 0)
        return err_set(err, ERR_ARG, "compare_block_kib is 0; allowed are 1 to 65535");
    if (p->restore_block_bytes == 0)
        return err_set(err, ERR_ARG, "restore_block_bytes is 0; allowed is 1 and more");
    if (p->window_bytes == 0 || p->window_bytes > p->restore_block_bytes)
        return err_set(err, ERR_ARG, "window_bytes is %u; allowed are 1 to restore_block_bytes, %u",
                       p->window_bytes, p->restore_block_bytes);
    return 0;
}

static int check_source(const struct package_source *files, size_t i, struct err *err)
{
    const struct package_source *f = &files[i];
    int rc = check_name(f->name, false, "name", err);
    if (rc != 0)
        return err_prefix(err, rc, "file %zu", i);
    for (size_t k = 0; k < i; k++) {
        if (strcmp(files[k].name, f->name) == 0)
            return err_set(err, ERR_ARG, "file %s is given twice", f->name);
    }
    if (f->new_image == NULL || f->new_bytes == 0)
        return err_set(err, ERR_ARG, "file %s: the new image is empty", f->name);
    if (f->old_image == NULL && f->old_bytes != 0)
        return err_set(err, ERR_ARG, "file %s: %u old bytes, but no old image", f->name,
                       f->old_bytes);
    if (f->new_bytes > PACKAGE_IMAGE_MAX || f->old_bytes > PACKAGE_IMAGE_MAX)
        return err_set(err, ERR_LIMIT, "file %s: images of %u and %u bytes, allowed are %u",
                       f->name, f->old_bytes, f->new_bytes, PACKAGE_IMAGE_MAX);
    const uint32_t longer = f->new_bytes > f->old_bytes ? f->new_bytes : f->old_bytes;
    if (f->address > UINT32_MAX - longer)
        return err_set(err, ERR_ARG, "file %s: %u bytes at 0x%x exceed 32-bit addresses", f->name,
                       longer, f->address);
    return 0;
}

static bool unchanged(const struct package_source *f)
{
    return f->old_image != NULL && f->old_bytes == f->new_bytes &&
           memcmp(f->old_image, f->new_image, f->new_bytes) == 0;
}

int plan_make(struct plan *plan, const struct package_source *files, size_t n,
              const struct package_params *params, struct err *err)
{
    memset(plan, 0, sizeof *plan);
    if (n > PACKAGE_FILES_MAX)
        return err_set(err, ERR_LIMIT, "%zu files, allowed are 1 to %d", n, PACKAGE_FILES_MAX);
    int rc = check_params(params, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = check_source(files, i, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        const struct package_source *f = &files[i];
        const uint32_t k = plan->count;
        if (unchanged(f))
            continue;
        plan->sources[k] = f;
        if (f->old_bytes > 0)
            digest_of(DIGEST_SHA256, f->old_image, f->old_bytes, plan->old_sha256[k]);
        digest_of(DIGEST_SHA256, f->new_image, f->new_bytes, plan->new_sha256[k]);
        plan->count++;
    }
    if (plan->count == 0)
        return err_set(err, ERR_ARG, "nothing to update: none of %zu files changes", n);
    plan->full = params->full;
    plan->temp_dir = params->temp_dir != NULL ? params->temp_dir : "/tmp";
    plan->head = (struct package_head){.file_count = (uint16_t)plan->count,
                                       .restore_block_bytes = params->restore_block_bytes,
                                       .window_bytes = params->window_bytes,
                                       .compare_block_kib = params->compare_block_kib,
                                       .algorithm = PACKAGE_ALGORITHM};
    memcpy(plan->head.from_version, params->from_version, PACKAGE_NAME_MAX);
    memcpy(plan->head.to_version, params->to_version, PACKAGE_NAME_MAX);
    return 0;
}

static bool head_matches(const struct package_head *a, const struct package_head *b)
{
    return a->file_count == b->file_count && a->restore_block_bytes == b->restore_block_bytes &&
           a->window_bytes == b->window_bytes && a->compare_block_kib == b->compare_block_kib &&
           a->algorithm == b->algorithm && strcmp(a->from_version, b->from_version) == 0 &&
           strcmp(a->to_version, b->to_version) == 0;
}

static bool file_matches(const struct plan *plan, uint32_t i, const struct package_file *f)
{
    const struct package_source *s = plan->sources[i];
    if (strcmp(f->name, s->name) != 0 || f->address != s->address || f->new_bytes != s->new_bytes ||
        memcmp(f->new_sha256, plan->new_sha256[i], SHA256_BYTES))
        return false;
    if (f->kind == PACKAGE_FULL)
        return true;
    return !plan->full && f->old_bytes == s->old_bytes &&
           memcmp(f->old_sha256, plan->old_sha256[i], SHA256_BYTES) == 0;
}

bool plan_matches(const struct plan *plan, const uint8_t *package)
{
    struct package_head head;
    if (package_head_decode(&head, package, NULL) != 0 || !head_matches(&head, &plan->head))
        return false;
    for (uint32_t i = 0; i < plan->count; i++) {
        struct package_file f;
        const uint8_t *entry = package + PACKAGE_HEAD_BYTES + (size_t)i * PACKAGE_FILE_BYTES;
        if (package_file_decode(&f, &head, entry, NULL) != 0 || !file_matches(plan, i, &f))
            return false;
    }
    return true;
}
