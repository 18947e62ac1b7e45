/*
 * The trace: everything that happened, as NDJSON events on lanes, with a SHA-256 over the bytes.
 * Same seed, same hash: that is how the bench proves that it repeats itself.
 *
 * One line per event, keys in this order: t (ns), lane, event, then the fields as given:
 *   {"t":1200000,"lane":"flash","event":"program","op":17,"addr":4096,"len":128}
 * Fields are integers, strings (JSON-escaped, cut at 512 bytes) or digests; no floats, no
 * addresses, no wall clock. A line has less than 4096 bytes: a string is cut, and fields are left
 * out at the end, so that it is valid JSON in any case.
 */
#ifndef OTABENCH_COMMON_TRACE_H
#define OTABENCH_COMMON_TRACE_H

#include <stddef.h>
#include <stdint.h>

enum lane { LANE_BENCH, LANE_CLOUD, LANE_NETWORK, LANE_DEVICE, LANE_FLASH, LANE_BOOT, LANE_POWER };
#define LANE_COUNT 7

const char *lane_name(enum lane lane); /* "bench", "cloud", "network", ... */

struct trace_field {
    const char *key;
    const char *text; /* null: the integer counts */
    int64_t integer;
};

#define F_INT(k, v) ((struct trace_field){.key = (k), .text = NULL, .integer = (int64_t)(v)})
#define F_STR(k, v) ((struct trace_field){.key = (k), .text = (v), .integer = 0})

/* Called with each finished line (no newline) if set; the line lives for the call only. */
struct trace_sink {
    void (*line)(void *ctx, int64_t t_ns, enum lane lane, const char *line, size_t len_bytes);
    void *ctx;
};

struct trace;

/* sink may be null: then only the hash is kept. Null on no memory. */
struct trace *trace_new(const struct trace_sink *sink);
void trace_free(struct trace *t); /* null is fine */

/* Appends one event. fields: an array of n; t may be null, then nothing happens. */
void trace_emit(struct trace *t, int64_t t_ns, enum lane lane, const char *event,
                const struct trace_field *fields, size_t n);

/* TRACE(trace, now_ns, LANE_FLASH, "erase", F_INT("addr", 0), F_INT("len", 4096)); at least one
 * field */
#define TRACE(t, now, lane, event, ...)                                                            \
    trace_emit((t), (now), (lane), (event), (const struct trace_field[]){__VA_ARGS__},             \
               sizeof((const struct trace_field[]){__VA_ARGS__}) / sizeof(struct trace_field))

uint64_t trace_count(const struct trace *t);

/* Hash of all lines so far, each closed by '\n', as 64 hex digits. The trace may go on afterwards.
 */
void trace_sha256(const struct trace *t, char out[65]);

#endif
