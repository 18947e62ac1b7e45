/* What can only be said at the end: liveness, lost reports, expectations. */
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/judge_internal.h"

static bool seen(const struct judge *j, const char *id)
{
    const struct requirement *r;
    for (size_t i = 0; (r = requirement_at(i)) != NULL; i++)
        if (strcmp(r->id, id) == 0)
            return j->checks[i].seen;
    return false;
}

/* Requirements that are met only if everything works again afterwards. */
static const char *const liveness_ids[] = {
    "PWR-01", "PWR-02", "PWR-03", "PWR-05", "PWR-06", "PWR-08", "PWR-09", "PWR-11", "PWR-17",
    "NET-06", "NET-07", "NET-08", "NET-12", "NET-14", "NET-22", "NET-01", "NET-03", "LIM-11"};

/* A network fault that happened exercises these. */
static void mark_network(struct judge *j)
{
    static const struct {
        enum link_action action;
        const char *id;
    } rows[] = {{LINK_RESET, "NET-06"},
                {LINK_CLOSE, "NET-07"},
                {LINK_HALF, "NET-07"},
                {LINK_STALL, "NET-08"},
                {LINK_DRIBBLE, "NET-14"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (j->byte_seen[rows[i].action])
            judge_seen(j, rows[i].id);
    if (j->net_seen[NET_REFUSE] || j->net_seen[NET_BLACK_HOLE])
        judge_seen(j, "NET-03");
    if (j->net_seen[NET_OUTAGE]) {
        judge_seen(j, "NET-01");
        judge_seen(j, "NET-08");
    }
    if (j->outages >= 3)
        judge_seen(j, "NET-12");
}

/* Every release is offered to the one before it. */
static bool is_chain(const struct scenario *s)
{
    for (uint32_t i = 0; i < s->n_offers; i++)
        if (s->offers[i].from != i || s->offers[i].to != i + 1)
            return false;
    return s->n_offers >= 3;
}

/* Behind a power cut, a version whose trial was used up by cuts is rightly not tried again, and
 * what a fault was to keep from the device may come to it in another try. */
bool judge_got_there(const struct judge *j)
{
    const struct expectation *x = &j->setup.scenario->expect;
    if (!x->has_version || strcmp(j->main_version, x->version) == 0)
        return true;
    return j->slots.on && j->cuts > 0 &&
           (strcmp(j->slots.refused, x->version) == 0 ||
            version_compare(j->main_version, x->version) > 0);
}

/* Given that the network came back before the end, did the update get there by itself? */
static void judge_progress(struct judge *j)
{
    const struct scenario *s = j->setup.scenario;
    if (!s->expect.has_version || strcmp(s->expect.version, s->versions[0].version) == 0)
        return;
    bool there = judge_got_there(j);
    if (j->net_seen[NET_OUTAGE] || j->net_seen[NET_REFUSE] || j->net_seen[NET_BLACK_HOLE]) {
        JUDGE(j, "NET-13", there, "the network was back, but version %s runs", j->main_version);
        if (!j->slots.on)
            JUDGE(j, "NET-20", there, "the network was back, but version %s runs", j->main_version);
    }
    if (is_chain(s) && strcmp(s->expect.version, s->versions[s->n_versions - 1].version) == 0)
        JUDGE(j, "DWN-34", there && j->restored_count >= 3, "%u of %u updates were installed",
              j->restored_count, s->n_offers);
    if (j->faults_hit[CF_DELAY] > 0)
        JUDGE(j, "NET-04", there, "replies came late, and version %s runs", j->main_version);
    if (s->profile.down_bps > 0 && s->profile.down_bps <= 50000)
        JUDGE(j, "NET-05", there, "on %s the update did not finish: version %s runs",
              s->profile.name, j->main_version);
}

void judge_finish(struct judge *j, int64_t now_ns, bool healed, const char *why)
{
    (void)now_ns;
    static const char *const record_ids[] = {"RPT-17", "PWR-09"};
    const struct scenario *s = j->setup.scenario;
    mark_network(j);
    judge_progress(j);
    if (s->n_flash > 0)
        judge_seen(j, "PWR-17");
    for (size_t i = 0; i < sizeof liveness_ids / sizeof liveness_ids[0]; i++)
        if (seen(j, liveness_ids[i]) && !healed)
            judge_fail(j, liveness_ids[i], "no update installs any more: %s", why);
    if (!s->expect.config_refused)
        JUDGE(j, "BOT-01", healed, "after everything was healed no update installs: %s", why);
    if (j->report_owed && !j->report_accepted) {
        judge_fail(j, "RPT-02", "the result %ld never reached the cloud", (long)j->boot_result);
        if (seen(j, "PWR-08"))
            judge_fail(j, "PWR-08", "the result %ld never reached the cloud", (long)j->boot_result);
    }
    for (size_t i = 0; healed && i < j->n_packages; i++)
        for (int k = 0; j->record_open[i] && k < 2; k++)
            if (seen(j, record_ids[k]))
                judge_fail(j, record_ids[k],
                           "the cloud's record of package %ld was left without an end",
                           (long)j->packages[i].delta_id);
    uint32_t at = j->setup.foreign_change(j->setup.ctx);
    if (at != UINT32_MAX)
        judge_fail(j, "PWR-16", "byte 0x%x outside the update's areas changed", at);
    if (s->device.file_count == PACKAGE_FILES_MAX && j->restored_count > 0)
        judge_seen(j, "LIM-05");
    if (j->requests[RQ_DOWNLOAD] > 0 && j->last_download_http == 403)
        judge_seen(j, "DWN-24");
}

static void list(char *out, size_t cap, const int *v, uint32_t n)
{
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < n && at < cap; i++)
        at += (size_t)snprintf(out + at, cap - at, "%s%d", i == 0 ? "" : ",", v[i]);
}

static void expect_list(struct judge *j, const char *what, const int *want, uint32_t n_want,
                        const int *got, uint32_t n_got)
{
    if (n_want == n_got && memcmp(want, got, n_want * sizeof *want) == 0)
        return;
    char a[60];
    char b[60];
    list(a, sizeof a, want, n_want);
    list(b, sizeof b, got, n_got);
    judge_fail(j, "EXPECT", "%s: expected [%s], got [%s]", what, a, b);
}

void judge_expectations(struct judge *j)
{
    const struct expectation *x = &j->setup.scenario->expect;
    if (x->has_version || x->has_result || x->n_results > 0 || x->has_download_status ||
        x->has_upgrade_status || x->has_failures || x->has_taken || x->has_record ||
        x->n_states > 0 || x->config_refused)
        judge_seen(j, "EXPECT");
    if (x->has_version && strcmp(x->version, j->main_version) != 0)
        judge_fail(j, "EXPECT", "expected version %s to run, but %s does", x->version,
                   j->main_version);
    if (x->has_result && (!j->has_result || x->result != j->last_result))
        judge_fail(j, "EXPECT", "expected the last result %d, got %d", x->result,
                   j->has_result ? j->last_result : 0);
    if (x->n_results > 0)
        expect_list(j, "results", x->results, x->n_results, j->results, j->n_results);
    if (x->has_download_status)
        expect_list(j, "download status", x->download_status, x->n_download_status,
                    j->download_status, j->n_download_status);
    if (x->has_upgrade_status)
        expect_list(j, "upgrade status", x->upgrade_status, x->n_upgrade_status, j->upgrade_status,
                    j->n_upgrade_status);
    if (x->has_failures)
        expect_list(j, "failures", x->failures, x->n_failures, j->failures, j->n_failures);
    if (x->has_record && strcmp(record_state_name(x->record), j->record) != 0)
        judge_fail(j, "EXPECT", "expected the record %s, it is %s", record_state_name(x->record),
                   j->record[0] == '\0' ? "not there" : j->record);
    if (x->has_taken && x->devices_taken != j->slots.n_taken)
        judge_fail(j, "EXPECT", "expected %u devices to be taken in, there were %u",
                   x->devices_taken, j->slots.n_taken);
    for (uint32_t i = 0; i < x->n_states; i++)
        if (!j->state_seen[i])
            judge_fail(j, "EXPECT", "expected the state %s, which was never told", x->states[i]);
    if (x->config_refused != j->config_refused)
        judge_fail(j, "EXPECT",
                   x->config_refused ? "the configuration was accepted"
                                     : "the device refused its configuration");
    for (int k = 0; k < RQ_COUNT; k++) {
        uint32_t n = j->requests[k];
        if (x->requests[k] >= 0) {
            judge_seen(j, "EXPECT");
            if (n != x->requests[k])
                judge_fail(j, "EXPECT", "expected %ld %s requests, got %u", (long)x->requests[k],
                           cloud_request_name((enum cloud_request)k), n);
        }
        if (x->requests_max[k] >= 0) {
            judge_seen(j, "EXPECT");
            if (n > x->requests_max[k])
                judge_fail(j, "EXPECT", "expected at most %ld %s requests, got %u",
                           (long)x->requests_max[k], cloud_request_name((enum cloud_request)k), n);
        }
    }
}
