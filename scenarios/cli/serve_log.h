/*
 * The log of `otabench cloud`: one line per event of the cloud that people care about.
 */
#ifndef OTABENCH_CLI_SERVE_LOG_H
#define OTABENCH_CLI_SERVE_LOG_H

#include <stdio.h>

#include "common/bytes.h"
#include "common/trace.h"

enum serve_log { LOG_QUIET, LOG_INFO, LOG_DEBUG };

/* An event as the log shows it at that level, without its time: no payloads, bodies, URLs or
 * secrets below LOG_DEBUG. False: it is not shown. */
bool serve_log_line(enum serve_log level, const char *event, const struct trace_field *fields,
                    size_t n, struct buf *out);
/* That line with its time (UTC), if it is shown; line is room for it. */
void serve_log_write(FILE *out, struct buf *line, enum serve_log level, int64_t now_ns,
                     const char *event, const struct trace_field *fields, size_t n);

#endif
