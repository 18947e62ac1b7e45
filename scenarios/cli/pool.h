/*
 * Worker processes: n items through a fixed number of forked workers, each working through many
 * items one after the other. A worker that crashes, aborts, exits or hangs costs its own item only:
 * the owner hears why, and a fresh worker takes over.
 *
 * Items are handed out in order; results come back in whatever order they finish. A worker is its
 * own process group (what it started dies with it), has no input, and its stdout and stderr are
 * captured. SIGINT and SIGTERM stop the pool: workers are killed, what was not done is never told.
 */
#ifndef OTABENCH_CLI_POOL_H
#define OTABENCH_CLI_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define POOL_WORKERS_MAX 64

/* How an item ended; lives for the call. */
struct pool_outcome {
    const void *result; /* result_bytes as the worker left them; null: there is none */
    const char *cause;  /* no result: why, in one line; else null */
    const char *log;    /* no result: the end of what the worker printed; else null */
    int64_t wall_ns;    /* from handing out to the end */
};

struct pool_setup {
    size_t n_items;
    size_t result_bytes; /* of one result: plain data */
    unsigned workers;    /* 1..POOL_WORKERS_MAX */
    int64_t timeout_ms;  /* real time per item; then its worker is killed */
    void *ctx;           /* for all calls below */
    /* In the worker: once at its start (may return null on failure, work must cope) and its end. */
    void *(*open)(void *ctx);
    void (*work)(void *ctx, void *state, size_t item, void *result);
    void (*close)(void *ctx, void *state);
    /* In the caller: after each item, and at least twice a second (may be null). */
    void (*done)(void *ctx, size_t item, const struct pool_outcome *outcome);
    void (*tick)(void *ctx);
};

struct pool_report {
    bool interrupted;
    char fault[ERR_TEXT_MAX]; /* a worker ended badly after its last item (a leak); else empty */
};

/* 0 when all items are done or the pool was interrupted; ERR_ARG, ERR_IO, ERR_NOMEM otherwise. */
int pool_run(const struct pool_setup *setup, struct pool_report *report, struct err *err);

/* Text for an ended process: "exit code 1" or "signal 11 (SEGV)", then the sanitizer's summary or
 * the last lines of its output. */
void pool_cause(char *out, size_t cap, int wait_status, const char *log);

#endif
