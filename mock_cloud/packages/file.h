/*
 * Whole small files, for the cache and for talking to the xdelta3 program.
 */
#ifndef OTABENCH_MOCK_CLOUD_PACKAGES_FILE_H
#define OTABENCH_MOCK_CLOUD_PACKAGES_FILE_H

#include "common/bytes.h"
#include "common/err.h"

#define FILE_PATH_MAX 1024 /* with terminator */

/* Appends the file to out. ERR_NOT_FOUND, ERR_IO, ERR_LIMIT above out's maximum, ERR_NOMEM. */
int file_read(struct buf *out, const char *path, struct err *err);

/* Creates or replaces the file, mode 0600 less the umask. ERR_IO. */
int file_write(const char *path, const uint8_t *data, size_t len_bytes, struct err *err);

/* The same, but readers see the old file or the whole new one. ERR_IO leaves nothing behind. */
int file_write_atomic(const char *path, const uint8_t *data, size_t len_bytes, struct err *err);

/* mkdir -p. ERR_IO. */
int file_make_dirs(const char *path, struct err *err);

#endif
