/* What a judge remembers within a power-on, beside what outlives one (judge_memory.c). */
#include <string.h>

#include "scenarios/engine/judge_internal.h"
#include "scenarios/engine/judge_memory.h"

void judge_remember_moment(const struct judge *j, int64_t now_ns, struct judge_moment *out)
{
    /* Not whether a download was resumed: that only makes a requirement seen, and after a cut all
     * count as that. */
    const bool flags[] = {j->app_running, j->dead_cut, j->connected, j->resume_expected,
                          j->boot_verified};
    _Static_assert(sizeof flags <= sizeof out->flags, "a flag each");
    memset(out, 0, sizeof *out);
    out->heap_base_used = j->heap_base_used;
    out->idle_ns = now_ns - j->active_ns;
    out->limited_ns = j->limited_ns < 0 ? -1 : now_ns - j->limited_ns;
    out->last_download_http = j->last_download_http;
    memcpy(out->requests_in_call, j->requests_in_call, sizeof out->requests_in_call);
    /* Of segments it only matters whether any was asked for. */
    out->requests_in_call[RQ_DOWNLOAD] = j->requests_in_call[RQ_DOWNLOAD] > 0;
    memcpy(out->spoilt_in_call, j->spoilt_in_call, sizeof out->spoilt_in_call);
    out->refused_in_row = j->refused_in_row;
    out->ranges_refused = j->ranges_refused;
    out->asked_bytes = j->asked_bytes;
    out->phase = (uint8_t)j->phase;
    for (size_t i = 0; i < sizeof flags; i++)
        out->flags[i] = flags[i];
}

void judge_expect_silence(struct judge *j)
{
    j->byte_seen[LINK_STALL] = true;
}

bool judge_has_failed(const struct judge *j)
{
    for (int i = 0; i < CHECKS_MAX; i++)
        if (j->checks[i].failed)
            return true;
    return false;
}
