/* Whole files in memory, with a maximum. */
#ifndef OTABENCH_CLI_INPUT_H
#define OTABENCH_CLI_INPUT_H

#include "common/bytes.h"
#include "common/err.h"

/* Appends the file. ERR_IO, ERR_LIMIT above out's maximum, both naming it. */
int input_read(struct buf *out, const char *path, struct err *err);

#endif
