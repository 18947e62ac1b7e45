/*
 * Time is int64_t nanoseconds everywhere, counted from the start of the run; order of events is
 * (time, sequence number). Only the wire binding ever reads a clock.
 */
#ifndef OTABENCH_COMMON_VTIME_H
#define OTABENCH_COMMON_VTIME_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/* "Never": later than every deadline. */
#define VTIME_NEVER INT64_MAX

static inline int64_t vtime_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* now + delta, VTIME_NEVER instead of an overflow; delta >= 0, now also before 0. */
static inline int64_t vtime_after(int64_t now_ns, int64_t delta_ns)
{
    const bool never = delta_ns == VTIME_NEVER || (now_ns > 0 && delta_ns >= VTIME_NEVER - now_ns);
    return never ? VTIME_NEVER : now_ns + delta_ns;
}

#endif
