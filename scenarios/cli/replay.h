/* Repeating a run: the scenario file behind a token, the command line behind a result, and both
 * under a debugger. */
#ifndef OTABENCH_CLI_REPLAY_H
#define OTABENCH_CLI_REPLAY_H

#include "common/bytes.h"
#include "scenarios/engine/run.h"

/*
 * The file of that scenario: with library, only DIR/NAME.json; else scenarios/library/NAME.json or
 * scenarios/NAME.json (zoo/..., demo/...). ERR_FORMAT for a name that leaves the folder,
 * ERR_NOT_FOUND naming what was tried.
 */
int replay_find(const char *name, const char *library, char *out, size_t cap, struct err *err);

/* Runs it in this process, for a debugger: no worker, no time-out, no timeline; prints the checks.
 * The exit code of the program. */
int replay_in_process(const char *path, const struct run_options *o);

/*
 * Appends the command that does so under gdb: stops before each power cut (bench_before_cut), or,
 * where nothing cuts the power, where a requirement is found broken (judge_fail). program: this
 * one. 0 or the buffer's error.
 */
int replay_gdb_command(struct buf *out, const char *program, const char *token, const char *library,
                       bool cuts);

/* Appends the command that repeats a result, quoted for a shell. 0 or the buffer's error. */
int replay_command(struct buf *out, const struct run_result *r);

#endif
