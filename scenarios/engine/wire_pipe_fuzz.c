/* Any bytes as event lines: an event that is taken can be written to the trace and read again. */
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/wire_pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct again {
    struct trace *trace;
    size_t events;
    size_t lines;
};

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static void on_second(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                      const struct trace_field *fields, size_t n)
{
    struct again *a = ctx;
    (void)event;
    (void)fields;
    (void)n;
    demand(now_ns == 2 && (unsigned)lane < LANE_COUNT);
    a->lines++;
}

static void on_line(void *ctx, int64_t t_ns, enum lane lane, const char *line, size_t len_bytes)
{
    struct err err = {""};
    (void)lane;
    demand(t_ns == 1);
    demand(wire_parse(line, len_bytes, 2, on_second, ctx, &err) == 0);
}

static void on_first(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                     const struct trace_field *fields, size_t n)
{
    struct again *a = ctx;
    a->events++;
    trace_emit(a->trace, now_ns, lane, event, fields, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct again a = {.events = 0};
    struct trace_sink sink = {.line = on_line, .ctx = &a};
    a.trace = trace_new(&sink);
    demand(a.trace != NULL);
    for (const char *at = (const char *)data, *end = at + size; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop == NULL ? end : stop) - at);
        struct err err = {""};
        size_t before = a.events;
        int rc = wire_parse(at, len, 1, on_first, &a, &err);
        demand(rc == 0 ? a.events == before + 1 : a.events == before && err.text[0] != '\0');
        at += len + 1;
    }
    demand(a.lines == a.events);
    trace_free(a.trace);
    return 0;
}
