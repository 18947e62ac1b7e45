/*
 * Events across the process border of wire mode: the device process writes trace lines (NDJSON)
 * into a pipe, the bench reads them back into events. Same keys as common/trace.h.
 */
#ifndef OTABENCH_ENGINE_WIRE_PIPE_H
#define OTABENCH_ENGINE_WIRE_PIPE_H

#include "common/bytes.h"
#include "common/err.h"
#include "common/trace.h"

struct wire_pipe {
    int fd; /* read end, non-blocking */
    struct buf pending;
    bool eof;
};

typedef void (*wire_event_fn)(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                              const struct trace_field *fields, size_t n);

void wire_pipe_init(struct wire_pipe *p, int fd);
void wire_pipe_free(struct wire_pipe *p); /* closes fd */
/* Reads what is there and hands over every complete line, stamped now. ERR_FORMAT for a bad line.
 */
int wire_pipe_drain(struct wire_pipe *p, int64_t now_ns, wire_event_fn fn, void *ctx,
                    struct err *err);
/* One line to one event; the fields live for the call of fn. */
int wire_parse(const char *line, size_t len_bytes, int64_t now_ns, wire_event_fn fn, void *ctx,
               struct err *err);

#endif
