/*
 * Packages kept in a directory, one file each, named by the SHA-256 over everything that decides
 * their content. Several processes may share it: files appear whole or not at all.
 */
#ifndef OTABENCH_MOCK_CLOUD_PACKAGES_CACHE_H
#define OTABENCH_MOCK_CLOUD_PACKAGES_CACHE_H

#include "mock_cloud/packages/file.h"
#include "mock_cloud/packages/plan.h"

/* Path of the plan's package in dir. ERR_IO if it would be too long. */
int cache_path(char out[FILE_PATH_MAX], const char *dir, const struct plan *plan, struct err *err);

/* Appends the cached package, fully verified and made for this plan. ERR_NOT_FOUND, out unchanged,
 * if there is none or what is there is of no use. ERR_LIMIT if out cannot take it. */
int cache_load(struct buf *out, const char *path, const struct plan *plan);

/* Keeps a package; creates the directory. ERR_IO. */
int cache_store(const char *dir, const char *path, const uint8_t *data, size_t len_bytes,
                struct err *err);

#endif
