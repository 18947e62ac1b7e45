/* What the cloud saw: requests, codes, faults it was told to commit, ranges asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/judge_internal.h"

#define ERROR_PAUSE_NS (500 * NS_PER_MS) /* the least after an HTTP error of the server */

static int request_kind(const char *name)
{
    for (int i = 0; i < RQ_COUNT; i++)
        if (strcmp(name, cloud_request_name((enum cloud_request)i)) == 0)
            return i;
    return RQ_OTHER;
}

/* Which requirements a scripted cloud fault exercises. Failing them is found where the harm shows.
 */
static const struct {
    enum cloud_fault_kind kind;
    const char *ids[3];
} fault_rows[] = {
    {CF_TRUNCATE, {"DWN-05", "INT-04", NULL}}, {CF_EXTRA, {"DWN-06", "SEC-06", NULL}},
    {CF_SHIFT, {"DWN-14", NULL, NULL}},        {CF_SHIFT_SILENT, {"DWN-14", "INT-05", NULL}},
    {CF_CORRUPT, {"INT-03", "INT-05", NULL}},  {CF_IGNORE_RANGE, {"DWN-12", NULL, NULL}},
    {CF_RANGE_416, {"DWN-13", NULL, NULL}},    {CF_WRONG_DIGEST, {"INT-01", "INT-05", NULL}},
    {CF_BAD_DIGEST, {"INT-06", NULL, NULL}},   {CF_WRONG_SIZE, {"DWN-04", "LIM-08", NULL}},
    {CF_NOT_JSON, {"LIM-16", NULL, NULL}},     {CF_REDIRECT, {"DWN-27", NULL, NULL}},
    {CF_STATUS, {"NET-16", NULL, NULL}},       {CF_DELAY, {"NET-04", NULL, NULL}},
    {CF_CODE, {"CLD-05", NULL, NULL}},         {CF_EXPIRED, {"DWN-24", NULL, NULL}},
    {CF_FORGED, {"DWN-25", NULL, NULL}},       {CF_WRONG_SIGN, {"INT-01", "INT-05", NULL}},
};

static enum cloud_fault_kind fault_kind(const char *name)
{
    for (int k = 0; k < CF_KIND_COUNT; k++)
        if (strcmp(name, cloud_fault_name((enum cloud_fault_kind)k)) == 0)
            return (enum cloud_fault_kind)k;
    return CF_KIND_COUNT;
}

void judge_fault_event(struct judge *j, const struct ev *e)
{
    enum cloud_fault_kind k = fault_kind(ev_text(e, "kind"));
    if (k >= CF_KIND_COUNT)
        return;
    j->faults_hit[k]++;
    /* Rows of requests hold for downloads; a message has its own (judge_announce.c). */
    const bool message = j->slots.on && request_kind(ev_text(e, "rq")) != RQ_DOWNLOAD &&
                         k != CF_WRONG_DIGEST && k != CF_WRONG_SIZE && k != CF_WRONG_SIGN;
    for (size_t i = 0; i < sizeof fault_rows / sizeof fault_rows[0] && !message; i++)
        for (int n = 0; fault_rows[i].kind == k && n < 3 && fault_rows[i].ids[n] != NULL; n++)
            judge_seen(j, fault_rows[i].ids[n]);
    int kind = request_kind(ev_text(e, "rq"));
    if (j->slots.on)
        judge_announce_fault(j, k, ev_text(e, "rq"));
    if (k == CF_NOT_JSON)
        j->spoilt_in_call[kind]++;
    if (k == CF_WRONG_DIGEST || k == CF_BAD_DIGEST || k == CF_WRONG_SIZE)
        j->offer_fault = k;
    if (kind == RQ_DOWNLOAD) {
        j->faults_on_download++;
        j->breaks++;
        if (k != CF_DELAY && k != CF_CLOSE)
            j->dirty = true;
    }
}

/* Whole segments, or what is missing of one after a reply that was cut short. */
static void judge_segment(struct judge *j, uint64_t from, uint64_t to)
{
    uint32_t segment_bytes = j->setup.segment_bytes;
    uint64_t total = j->package->len_bytes, len = to - from + 1;
    bool ends = to + 1 == total || (to + 1) % segment_bytes == 0;
    bool rest = to + 1 == total || (j->breaks > 0 && from % segment_bytes != 0);
    JUDGE(j, "DWN-20", ends && len <= segment_bytes && (len == segment_bytes || rest),
          "request for bytes %lu-%lu is %lu long; index demands %u", from, to, len, segment_bytes);
}

/* The download was broken off before: it goes on behind what was stored. */
static void judge_resume(struct judge *j, uint64_t from, bool durable)
{
    const struct judge_setup *s = &j->setup;
    uint64_t stored = (uint64_t)j->stored_segments * s->segment_bytes;
    if (stored > j->package->len_bytes)
        stored = j->package->len_bytes;
    /* A cut may cost the mark of the segment under way; write-once flash restarts every break at
     * its erase unit. */
    uint64_t slack = j->cut_since_range ? 2u * s->segment_bytes : 0;
    if (s->scenario->device.geometry.policy != NOR_REWRITE)
        slack += s->scenario->device.geometry.erase_bytes;
    if (stored > 0 && !j->dirty && !j->silent_faults) {
        bool kept = from + slack >= stored;
        JUDGE(j, "DWN-08", kept && durable,
              "resumed at byte %lu; %lu bytes were stored before the break", from, stored);
        if (j->cut_since_range)
            JUDGE(j, "PWR-05", kept, "the cut cost the progress: resumed at byte %lu of %lu", from,
                  stored);
        j->resumed = true;
        judge_seen(j, "DWN-10");
    } else if (stored > 0 && from == 0) {
        j->restarts++; /* begun again for the fault, whatever cut came in between */
        j->stored_segments = 0;
    }
    j->resume_expected = j->cut_since_range = false;
}

static void on_range(struct judge *j, const struct ev *e, const char *range)
{
    uint64_t from = 0;
    uint64_t to = 0;
    if (sscanf(range, "bytes=%lu-%lu", &from, &to) != 2)
        return;
    j->first_range_from = (uint32_t)from;
    if (j->package == NULL)
        return;
    j->asked_bytes = (uint32_t)(to - from + 1);
    judge_segment(j, from, to);

    /* Never beyond what flash really holds. */
    bool durable = from <= j->package->len_bytes && judge_flash_holds(j, 0, from);
    if (from > 0 && !j->dirty && !j->silent_faults) {
        JUDGE(j, "PWR-04", durable, "asked for byte %lu although the bytes before are not in flash",
              from);
        JUDGE(j, "DWN-18", durable, "asked for byte %lu: there is a gap before it", from);
    }
    /* Before its record is told, a mark that was left weak may cost what it stands for. */
    if (j->verified && !j->dirty && j->cuts > 0 && (j->pending || !j->weak_cut))
        judge_fail(j, "PWR-06", "byte %lu is downloaded again after the package was verified",
                   from);
    if (j->clean_start_due) {
        JUDGE(j, "INT-09", from == 0, "after a digest mismatch the download went on at byte %lu",
              from);
        j->clean_start_due = j->dirty = false;
        j->restarts++;
        j->stored_segments = 0;
    }
    if (j->replaced) {
        JUDGE(j, "DWN-33", from == 0, "the newer package is begun at byte %lu", from);
        JUDGE(j, "DWN-10", from == 0, "another package was resumed at byte %lu", from);
        j->replaced = false;
    }
    if (j->resume_expected) {
        judge_resume(j, from, durable);
    } else if (from == 0 && j->stored_segments > 0) {
        j->restarts++;
        j->stored_segments = 0;
    }
    j->phase = PHASE_DOWNLOAD;
    j->last_progress_ns = e->now_ns;
}

static void on_request(struct judge *j, const struct ev *e)
{
    int kind = request_kind(ev_text(e, "rq"));
    if (j->pause_until_ns[kind] > 0)
        JUDGE(j, "NET-16", e->now_ns >= j->pause_until_ns[kind],
              "asks again %ld ms before the pause after an HTTP error is over",
              (long)((j->pause_until_ns[kind] - e->now_ns) / NS_PER_MS));
    j->pause_until_ns[kind] = 0;
    if (kind == RQ_CHECK)
        j->offer_fault = CF_KIND_COUNT;
    if (kind == RQ_OTHER && j->faults_hit[CF_REDIRECT] > 0)
        judge_fail(j, "DWN-27", "followed a redirect to %s", ev_text(e, "path"));
    j->requests[kind]++;
    j->requests_in_call[kind]++;
    j->run_of_same = kind == j->last_request ? j->run_of_same + 1 : 1;
    j->last_request = kind;
    if (kind == RQ_CHECK && j->limited_ns >= 0) {
        int64_t pause = (int64_t)j->setup.scenario->device.check_interval_ms * NS_PER_MS;
        JUDGE(j, "CLD-08", e->now_ns - j->limited_ns >= pause,
              "asked again %ld ms after a visit-limit answer",
              (long)((e->now_ns - j->limited_ns) / NS_PER_MS));
        j->limited_ns = -1;
    }
    if (kind == RQ_DOWNLOAD) {
        if (j->code_seen) {
            judge_fail(j, "CLD-05", "downloads although the cloud answered %d", j->code);
            if (j->code == 1001 || j->code == 1002 || j->code == 2001)
                judge_fail(j, "CLD-02", "downloads although the cloud answered %d", j->code);
            if (j->code == 2103)
                judge_fail(j, "CLD-07", "downloads although it is not registered");
        }
        if (j->package != NULL && !j->package->heal &&
            strcmp(judge_version_name(j, j->package->to), j->version) == 0)
            judge_fail(j, "SEC-02", "downloads version %s, which is running", j->version);
        if (j->offer_fault == CF_BAD_DIGEST)
            judge_fail(j, "INT-06", "downloads although the announced digest is no digest");
        on_range(j, e, ev_text(e, "range"));
    }
}

static void on_code(struct judge *j, const struct ev *e, int kind, int code)
{
    if (kind != RQ_CHECK && kind != RQ_REGISTER)
        return;
    if (code == 1000) {
        j->code_seen = false;
        return;
    }
    j->code_seen = true;
    j->code = code;
    j->code_on = kind;
    judge_seen(j, "CLD-05");
    if (code == 2101 && kind == RQ_CHECK)
        judge_seen(j, "CLD-06");
    if (code == 2103)
        judge_seen(j, "CLD-07");
    if (code == 1001 || code == 1002 || code == 2001)
        judge_seen(j, "CLD-02");
    if (code == 1010 || code == 1015) {
        judge_seen(j, "CLD-08");
        j->limited_ns = e->now_ns;
    }
}

/* Download replies that are no data must end the call after the configured number of tries. */
static void on_no_data(struct judge *j, int status)
{
    static const struct {
        int from, to;
        const char *id;
    } rows[] = {
        {300, 399, "DWN-27"}, {403, 404, "DWN-24"}, {416, 416, "DWN-13"}, {429, 599, "NET-16"}};
    uint32_t allowed = 1u + j->setup.scenario->device.try_count;
    if (status == 200 || status == 206) {
        j->refused_in_row = 0;
        return;
    }
    judge_seen(j, "DWN-02");
    j->refused_in_row++;
    j->ranges_refused += status == 416;
    if (j->ranges_refused > allowed)
        judge_fail(j, "DWN-13", "%u ranges refused in one call, and it still asks",
                   j->ranges_refused);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (status >= rows[i].from && status <= rows[i].to)
            JUDGE(j, rows[i].id, j->refused_in_row <= allowed,
                  "%u download replies in a row with an error, the last %d, in one call",
                  j->refused_in_row, status);
}

static void on_reply(struct judge *j, const struct ev *e)
{
    int kind = request_kind(ev_text(e, "rq"));
    int status = (int)ev_int(e, "status", 0);
    int code = (int)ev_int(e, "code", 0);
    if (code != 0)
        on_code(j, e, kind, code);
    if (kind == RQ_DOWNLOAD) {
        j->last_download_http = status;
        /* What the server adds by itself is not the device's traffic. */
        uint64_t served = (uint64_t)ev_int(e, "bytes", 0);
        j->served_bytes += status == 206 && served > j->asked_bytes ? j->asked_bytes : served;
        on_no_data(j, status);
    }
    /* 429 and 503 ask for patience, other failures of the server for a moment. */
    if (status == 429 || status == 503)
        j->pause_until_ns[kind] =
            e->now_ns + (int64_t)j->setup.scenario->device.check_interval_ms * NS_PER_MS;
    else if (status >= 500)
        j->pause_until_ns[kind] = e->now_ns + ERROR_PAUSE_NS;
}

static void on_record(struct judge *j, const struct ev *e)
{
    const char *state = ev_text(e, "state");
    bool open = strcmp(state, record_state_name(RECORD_PENDING)) == 0 ||
                strcmp(state, record_state_name(RECORD_UPGRADING)) == 0;
    for (size_t i = 0; i < j->n_packages; i++)
        if (j->packages[i].delta_id == ev_int(e, "delta_id", 0))
            j->record_open[i] = open;
    judge_seen(j, "RPT-17");
}

void judge_cloud_event(struct judge *j, const struct ev *e)
{
    if (ev_is(e, LANE_CLOUD, "fault"))
        judge_fault_event(j, e);
    else if (ev_is(e, LANE_CLOUD, "request"))
        on_request(j, e);
    else if (ev_is(e, LANE_CLOUD, "reply"))
        on_reply(j, e);
    else if (ev_is(e, LANE_CLOUD, "record"))
        on_record(j, e);
}
