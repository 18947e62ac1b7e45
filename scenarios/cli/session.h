/*
 * One call of the bench: many scenarios through worker processes, their results in the order of the
 * scenarios whatever finished first. What the reports are made of.
 */
#ifndef OTABENCH_CLI_SESSION_H
#define OTABENCH_CLI_SESSION_H

#include "scenarios/cli/files.h"
#include "scenarios/engine/run.h"

#define VERDICT_COUNT (VERDICT_ERROR + 1)

enum progress { PROGRESS_NONE, PROGRESS_LINES, PROGRESS_BAR };

struct session_options {
    struct run_options run; /* the sink is set by the session */
    unsigned jobs;
    int64_t timeout_ms;             /* real time per scenario */
    const char *const *trace_paths; /* one per scenario, or null: no traces; an entry may be null */
    enum progress progress;         /* on stderr */
};

struct session {
    const struct scenario_files *files; /* not owned; one per result */
    struct run_result *results;         /* owned */
    size_t count;
    enum run_mode mode;
    int64_t started_utc_s, wall_ns;
    bool interrupted;         /* what had not run is inconclusive */
    char fault[ERR_TEXT_MAX]; /* of a worker after its last scenario; else empty */
};

/* 0 even if scenarios failed; ERR_NOMEM, ERR_IO. s is initialised either way: session_free. */
int session_run(struct session *s, const struct scenario_files *f, const struct session_options *o,
                struct err *err);
void session_free(struct session *s);

/* result_exit_code of the results; at least 2 when interrupted or a worker ended badly. */
int session_exit_code(const struct session *s);
void session_tally(const struct session *s, size_t counts[VERDICT_COUNT]);

/* Online processors, at most POOL_WORKERS_MAX. */
unsigned session_default_jobs(void);

#endif
