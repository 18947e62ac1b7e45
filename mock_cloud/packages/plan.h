/*
 * What a package will hold: the arguments of package_make checked, unchanged files dropped, the
 * images digested. The digests are taken once and serve table, cache key and check of a cached
 * package.
 */
#ifndef OTABENCH_MOCK_CLOUD_PACKAGES_PLAN_H
#define OTABENCH_MOCK_CLOUD_PACKAGES_PLAN_H

#include "mock_cloud/packages/packages.h"

struct plan {
    struct package_head head; /* without total_bytes and table_sha256 */
    bool full;
    const char *temp_dir;
    uint32_t count; /* of the arrays: files that change */
    const struct package_source *sources[PACKAGE_FILES_MAX];
    uint8_t old_sha256[PACKAGE_FILES_MAX][SHA256_BYTES]; /* zero without an old image */
    uint8_t new_sha256[PACKAGE_FILES_MAX][SHA256_BYTES];
};

/* ERR_ARG or ERR_LIMIT naming the file or parameter. Keeps pointers into both arguments. */
int plan_make(struct plan *plan, const struct package_source *files, size_t n,
              const struct package_params *params, struct err *err);

/* Whether the package is one for this plan: versions, sizes, files, digests of all images. The
 * package must have passed package_verify. */
bool plan_matches(const struct plan *plan, const uint8_t *package);

#endif
