/*
 * The difference of one file, as in-place restore needs it: one VCDIFF stream whose windows follow
 * the order in which the boot loader rewrites blocks, none crossing a block, each reading only old
 * bytes that are still there (package_block_at).
 */
#ifndef OTABENCH_MOCK_CLOUD_PACKAGES_DELTA_H
#define OTABENCH_MOCK_CLOUD_PACKAGES_DELTA_H

#include "common/bytes.h"
#include "common/err.h"
#include "common/package.h"

/* Runs of xdelta3 for one file and direction: 16 MiB in windows of 2 KiB. */
#define DELTA_RUNS_MAX 8192

/*
 * Fills out (initialised, empty) with the smaller of both directions and sets file->direction.
 * Uses head's block and window size and file's lengths. out's maximum is what still pays: ERR_LIMIT
 * (out empty) when neither direction stays below it. ERR_ARG: more than DELTA_RUNS_MAX runs.
 * ERR_IO: xdelta3 missing or failing, files. ERR_NOMEM. On other errors than ERR_LIMIT out is
 * undefined.
 */
int delta_make(struct buf *out, const struct package_head *head, struct package_file *file,
               const uint8_t *old_image, const uint8_t *new_image, const char *temp_dir,
               struct err *err);

#endif
