/* API results, reports to the cloud, retry counts and memory of the agent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/judge_internal.h"

/* Results of the vendor's API as the protocol note lists them (§5). */
enum {
    API_OK = 0,
    API_FAILURE = -1,
    API_LAST_VERSION = -4,
    API_NO_UPGRADE = -5,
    API_TOO_LARGE = -7,
    API_EXISTS = -8
};

/* Receives in a row that may stay empty before a call gives up (cms-ota §6), and what sleeps and
 * closing add. */
#define EMPTY_RECEIVES 6
#define SLACK_NS       (5 * NS_PER_S)

static int body_int(const char *body, const char *key)
{
    const char *at = strstr(body, key);
    return at == NULL ? 0 : (int)strtol(at + strlen(key), NULL, 10);
}

/* The number of the package a report is about; 0: not told. */
static int64_t body_delta(const char *body)
{
    static const char key[] = "\"deltaID\":\"";
    const char *at = strstr(body, key);
    return at == NULL ? 0 : strtol(at + strlen(key), NULL, 10);
}

static void on_report_request(struct judge *j, const struct ev *e)
{
    const char *rq = ev_text(e, "rq");
    const char *body = ev_text(e, "body");
    if (strcmp(rq, cloud_request_name(RQ_REPORT_DOWNLOAD)) == 0) {
        j->sent_download_status = body_int(body, "\"downloadStatus\":");
        int64_t of = body_delta(body);
        if (j->sent_download_status == 1) {
            JUDGE(j, "INT-16", j->proven,
                  "reported a successful download of bytes that are not the package");
            if (of != 0 && j->package != NULL && of != j->package->delta_id)
                judge_fail(j, "INT-16", "reported a download of package %ld; verified was %ld",
                           (long)of, (long)j->package->delta_id);
        }
    } else if (strcmp(rq, cloud_request_name(RQ_REPORT_UPGRADE)) == 0) {
        j->sent_upgrade_status = body_int(body, "\"updateStatus\":");
        if (j->boot_result == 0 && j->due_result != 0)
            judge_boot_result(j, j->due_result);
        judge_seen(j, "RPT-02");
        JUDGE(j, "RPT-03", j->boot_result != 0, "reports an upgrade that never took place");
        if (j->boot_result != 0) {
            JUDGE(j, "RPT-14", j->report_owed, "reports again after its result was accepted");
            JUDGE(j, "RPT-16", j->sent_upgrade_status == j->boot_result,
                  "reports status %d; the boot loader left %ld", j->sent_upgrade_status,
                  (long)j->boot_result);
        }
        if (j->sent_upgrade_status == UPDATE_OK && j->package != NULL && !j->package->heal) {
            const char *want = judge_version_name(j, j->package->to);
            const char *have = j->setup.version(j->setup.ctx);
            JUDGE(j, "BOT-01", strcmp(want, have) == 0,
                  "reports success of %s while flash holds %s", want, have);
        }
    }
}

static void on_report_reply(struct judge *j, const struct ev *e)
{
    const char *rq = ev_text(e, "rq");
    bool accepted = ev_int(e, "code", 0) == 1000;
    if (strcmp(rq, cloud_request_name(RQ_REPORT_DOWNLOAD)) == 0) {
        if (accepted && !j->main_over && j->n_download_status < SCENARIO_EXPECT_MAX)
            j->download_status[j->n_download_status++] = j->sent_download_status;
    } else if (strcmp(rq, cloud_request_name(RQ_REPORT_UPGRADE)) == 0) {
        if (accepted) {
            j->report_accepted = true;
            if (!j->main_over && j->n_upgrade_status < SCENARIO_EXPECT_MAX)
                j->upgrade_status[j->n_upgrade_status++] = j->sent_upgrade_status;
        }
    }
}

void judge_report_event(struct judge *j, const struct ev *e)
{
    if (ev_is(e, LANE_CLOUD, "request"))
        on_report_request(j, e);
    else if (ev_is(e, LANE_CLOUD, "reply"))
        on_report_reply(j, e);
}

static void on_report_result(struct judge *j, int result)
{
    uint32_t sent = j->requests_in_call[RQ_REPORT_UPGRADE];
    if (result == API_OK) {
        JUDGE(j, "RPT-01", j->report_accepted, "says 'reported' but the cloud accepted nothing");
        j->report_owed = j->report_owed && !j->report_accepted;
    } else if (result == API_NO_UPGRADE) {
        JUDGE(j, "RPT-01", sent == 0, "says 'nothing to report' after sending a report");
        /* Accepted, and cut before the call could say so: then there is nothing to report. */
        if (j->report_owed && !j->report_accepted) {
            judge_fail(j, "RPT-02", "says 'nothing to report' while a result is owed");
            if (j->cuts > 0)
                judge_fail(j, "PWR-08", "the result of the restore was lost");
        }
    } else {
        judge_seen(j, "RPT-01");
    }
}

void judge_call_over(struct judge *j)
{
    memset(j->requests_in_call, 0, sizeof j->requests_in_call);
    memset(j->spoilt_in_call, 0, sizeof j->spoilt_in_call);
    j->due_download_status = 0;
    j->refused_in_row = 0;
    j->ranges_refused = 0;
    j->connected = false;
}

/* A call that could not decode any answer must stop after 1 + try_count requests of a kind. */
static void judge_retries(struct judge *j)
{
    uint32_t allowed = 1u + j->setup.scenario->device.try_count;
    static const enum cloud_request kinds[] = {RQ_REGISTER, RQ_CHECK, RQ_REPORT_DOWNLOAD,
                                               RQ_REPORT_UPGRADE};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        uint32_t n = j->requests_in_call[kinds[i]];
        if (n > 1)
            JUDGE(j, "CLD-09", n <= allowed, "%u %s requests in one call; %u are allowed", n,
                  cloud_request_name(kinds[i]), allowed);
        if (n > 0 && j->spoilt_in_call[kinds[i]] == n && !j->net_any)
            JUDGE(j, "LIM-09", n == allowed, "%u %s requests in one call; exactly %u expected", n,
                  cloud_request_name(kinds[i]), allowed);
    }
}

void judge_spins(struct judge *j)
{
    judge_retries(j);
}

/* No answer could be read in this call: nothing it says may rest on one. */
static void judge_unread(struct judge *j, int result)
{
    static const enum cloud_request kinds[] = {RQ_CHECK, RQ_REPORT_UPGRADE};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        uint32_t n = j->requests_in_call[kinds[i]];
        if (n > 0 && j->spoilt_in_call[kinds[i]] == n)
            JUDGE(j, "LIM-16", result == API_FAILURE,
                  "result %d although no answer to a %s could be read", result,
                  cloud_request_name(kinds[i]));
    }
}

/* A download that ends for a reason the cloud has a status for: the cloud is told that one. */
static void judge_download_cause(struct judge *j, const char *call, int result)
{
    int due = j->due_download_status;
    if (due == 0 || strstr(call, "check") != NULL || j->net_any || result == API_LAST_VERSION ||
        j->setup.scenario->device.alloc_fail_at > 0)
        return;
    JUDGE(j, "RPT-16", j->sent_download_status == due,
          "the download ended with status %d, reported was %d", due, j->sent_download_status);
}

/* A package that fits to the byte was refused for its size. */
static void judge_exact_fit(struct judge *j, int result)
{
    if (j->package != NULL && j->package->len_bytes == j->setup.package_limit &&
        j->offer_fault == CF_KIND_COUNT)
        JUDGE(j, "LIM-02", result != API_TOO_LARGE && j->sent_download_status != STATUS_TOO_LARGE,
              "refused %u bytes, which is what the area holds", j->package->len_bytes);
}

/*
 * A call that fails because nothing comes any more must not wait much longer than the receives that
 * may stay empty. Only where the network itself takes no time: elsewhere bytes are under way
 * unseen.
 */
static void judge_silence(struct judge *j, int64_t now_ns, int result)
{
    const struct scenario *s = j->setup.scenario;
    int64_t silent_ns = now_ns - j->active_ns;
    int64_t allowed_ns = EMPTY_RECEIVES * (int64_t)s->device.try_time_ms * NS_PER_MS + SLACK_NS;
    if (result != API_FAILURE || !j->connected || s->profile.down_bps > 0 ||
        s->profile.one_way_ns > 0 || j->byte_seen[LINK_DRIBBLE])
        return;
    const char *id = j->net_seen[NET_OUTAGE]                                   ? "NET-01"
                     : j->net_seen[NET_BLACK_HOLE]                             ? "NET-03"
                     : j->byte_seen[LINK_STALL] || j->faults_hit[CF_DELAY] > 0 ? "NET-08"
                                                                               : NULL;
    if (id != NULL)
        JUDGE(j, id, silent_ns <= allowed_ns,
              "gave up after %ld ms of silence; at most %ld expected",
              (long)(silent_ns / NS_PER_MS), (long)(allowed_ns / NS_PER_MS));
}

static void on_upgrade_result(struct judge *j, const char *call, int result)
{
    if (!j->main_over) {
        if (j->n_results < SCENARIO_EXPECT_MAX)
            j->results[j->n_results++] = result;
        j->last_result = result;
        j->has_result = true;
    }
    /* The network may have lost the answer on its way: then the call failed, whatever it said. */
    bool lost = j->net_any && result == API_FAILURE;
    if (j->code_seen && !lost) {
        bool newest = j->code == 2101 && j->code_on == RQ_CHECK;
        int want = newest ? API_LAST_VERSION : API_FAILURE;
        JUDGE(j, "CLD-05", result == want, "code %d ended in result %d; documented is %d", j->code,
              result, want);
        if (newest)
            JUDGE(j, "CLD-06", result == want, "code 2101 ended in result %d", result);
    }
    if (result == API_EXISTS) {
        JUDGE(j, "DWN-37", j->requests_in_call[RQ_DOWNLOAD] == 0 && judge_package_intact(j),
              "says 'already downloaded' but fetched, or flash holds something else");
    }
    if (strcmp(call, "cmiot_check_version") == 0 && result == API_OK && j->pending)
        judge_fail(j, "DWN-37", "a check offers the package again that waits for its restart");
    judge_download_cause(j, call, result);
    judge_exact_fit(j, result);
    if (strstr(call, "only_upgrade") != NULL && result == API_OK)
        JUDGE(j, "DWN-36", j->pending, "only_upgrade succeeded without a verified package");
    if (result == API_OK && strstr(call, "check") == NULL && !j->pending)
        judge_fail(j, "INT-01", "the call succeeded without a verified package");
    if (result == API_FAILURE && j->pending == false && j->stored_segments > 0)
        j->resume_expected = true;
}

/* Told once at the end of the boot loader and after every API call. */
static void on_heap(struct judge *j, uint64_t peak, int64_t used, int64_t sockets)
{
    uint32_t ram = j->setup.scenario->device.ram_bytes;
    uint64_t *max = j->app_running ? &j->heap_peak_agent : &j->heap_peak_boot;
    if (peak > *max)
        *max = peak;
    JUDGE(j, j->app_running ? "DWN-35" : "BOT-04", peak <= ram,
          "%lu bytes of RAM used, %u configured", (unsigned long)peak, ram);
    if (!j->app_running)
        return;
    if (sockets > 0)
        judge_fail(j, "LIM-12", "%ld sockets stay open after a call", (long)sockets);
    if (j->heap_base_used >= 0)
        JUDGE(j, "LIM-12", used <= j->heap_base_used,
              "%ld bytes stay allocated after a call; %ld after the first", (long)used,
              (long)j->heap_base_used);
    else
        j->heap_base_used = used;
}

void judge_api_event(struct judge *j, const struct ev *e)
{
    if (ev_is(e, LANE_DEVICE, "api")) {
        const char *call = ev_text(e, "call");
        int result = (int)ev_int(e, "result", 0);
        if (strstr(call, "report") != NULL)
            on_report_result(j, result);
        else
            on_upgrade_result(j, call, result);
        judge_silence(j, e->now_ns, result);
        j->sent_download_status = j->sent_upgrade_status = 0;
        judge_unread(j, result);
        judge_retries(j);
        judge_call_over(j);
        j->code_seen = false;
        j->last_request = -1;
        if (j->setup.scenario->device.alloc_fail_at > 0)
            judge_seen(j, "LIM-11");
    } else if (ev_is(e, LANE_DEVICE, "heap")) {
        on_heap(j, (uint64_t)ev_int(e, "peak", 0), ev_int(e, "used", 0), ev_int(e, "sockets", 0));
    } else if (ev_is(e, LANE_DEVICE, "start")) {
        j->heap_base_used = -1;
        j->requests_in_call[RQ_DOWNLOAD] = 0;
    }
}
