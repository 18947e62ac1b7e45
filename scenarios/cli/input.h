/* Whole files in memory, with a maximum. */
#ifndef OTABENCH_CLI_INPUT_H
#define OTABENCH_CLI_INPUT_H

#include "common/bytes.h"
#include "common/err.h"

/* Appends the file. ERR_IO, ERR_LIMIT above out's maximum, both naming it. */
int input_read(struct buf *out, const char *path, struct err *err);

/* Reads a file that holds one line, a secret for one; out is terminated, without the line's end and
 * at most cap - 1 bytes. ERR_IO, ERR_LIMIT, ERR_FORMAT (more than one line, or a null byte). */
int input_read_line(char *out, size_t cap, const char *path, struct err *err);

#endif
