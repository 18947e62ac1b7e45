/*
 * Moments of a lone device and what followed them. Between two steps the boot loader's stack is
 * empty, so flash and every byte of the board's heap say all there is to say: a run that comes to a
 * moment which another run was at goes on as that one did, to the same end.
 *
 * Moments are found by a hash and then compared: contents of all erase units (equal contents have
 * equal numbers, which were given by comparing bytes), and all of the RAM. Only units that changed
 * since are looked at.
 */
#ifndef OTABENCH_ENGINE_MOMENTS_H
#define OTABENCH_ENGINE_MOMENTS_H

#include "scenarios/engine/closure_device.h"

/* How far a run is, or from where it is to its end. */
struct moment_way {
    uint64_t ops;
    int64_t chip_ns;
    uint32_t steps;
};

struct moment_end {
    enum closure_end end;
    struct moment_way way;
};

enum moment_met {
    MOMENT_NEW,   /* nobody was here */
    MOMENT_KNOWN, /* an earlier run was, and ended */
    MOMENT_AGAIN, /* this run was: it will be for ever */
};

struct moments;

/* Of a device and its chip as it is now, which must live as long. Null without memory. */
struct moments *moments_new(struct closure_device *d);
void moments_free(struct moments *m); /* null is fine */

/* The unit changes, by whatever. */
void moments_touch(struct moments *m, uint32_t unit);
/* A run begins, and units that were touched since the one before began may be as they were then. 0
 * or ERR_NOMEM. */
int moments_begin(struct moments *m);
/* The run under way stands between two steps, or (at null) just before power-on. keep: if nobody
 * was here, it is remembered that this run was. KNOWN: rest is what followed there. ERR_NOMEM. */
int moments_meet(struct moments *m, const struct moment_way *at, bool keep, enum moment_met *met,
                 struct moment_end *rest);
/* The run is over, or was left where all is known: the end and the whole of its way. */
void moments_end(struct moments *m, const struct moment_end *whole);

#endif
