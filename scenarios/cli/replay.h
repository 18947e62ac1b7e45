/* Repeating a run: the scenario file behind a token, and the command line behind a result. */
#ifndef OTABENCH_CLI_REPLAY_H
#define OTABENCH_CLI_REPLAY_H

#include "common/bytes.h"
#include "scenarios/engine/result.h"

/*
 * The file of that scenario: with library, only DIR/NAME.json; else scenarios/library/NAME.json or
 * scenarios/NAME.json (zoo/..., demo/...). ERR_FORMAT for a name that leaves the folder,
 * ERR_NOT_FOUND naming what was tried.
 */
int replay_find(const char *name, const char *library, char *out, size_t cap, struct err *err);

/* Appends the command that repeats a result, quoted for a shell. 0 or the buffer's error. */
int replay_command(struct buf *out, const struct run_result *r);

#endif
