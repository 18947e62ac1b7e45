/* How far a session is, on stderr: a bar that redraws itself on a terminal, else a line now and
 * then. */
#ifndef OTABENCH_CLI_PROGRESS_H
#define OTABENCH_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenarios/cli/session.h"

struct progress_state {
    enum progress kind;
    size_t total, done, bad;
    size_t shown_done; /* PROGRESS_LINES: at the last line */
    int64_t start_ns, shown_ns;
    bool drawn; /* a bar is on the screen */
};

/* What a command shows by default: none if quiet, a bar on a terminal. */
enum progress progress_kind(bool quiet);
void progress_init(struct progress_state *p, enum progress kind, size_t total, int64_t now_ns);
void progress_done(struct progress_state *p, bool bad, int64_t now_ns); /* one more */
void progress_show(struct progress_state *p, int64_t now_ns);           /* if it is time to */
void progress_clear(struct progress_state *p); /* before anything else is printed */

/* The text of a bar or line: "137/2000  6 % ..."; without newline. */
void progress_text(const struct progress_state *p, int64_t now_ns, char *out, size_t cap);

#endif
