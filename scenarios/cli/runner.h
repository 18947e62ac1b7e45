/* What run and replay share: from paths to verdicts on the terminal and reports in files. */
#ifndef OTABENCH_CLI_RUNNER_H
#define OTABENCH_CLI_RUNNER_H

#include "scenarios/cli/session.h"

#define RUNNER_JOBS_MAX 64

struct runner_options {
    const char *command; /* for messages */
    char *const *paths;
    size_t n_paths;
    const char *only;                        /* null: all */
    const char *junit, *html, *json, *trace; /* files, or null */
    bool timeline;                           /* also with several scenarios */
    bool quiet;
    struct session_options session; /* zero: defaults for jobs, time-out, cache, firmware, self */
};

/* Does it all, messages included; the exit code of the program. */
int runner_run(struct runner_options *o);

#endif
