/* MQTT as the cloud sees it: sessions, version reports, progress, records. */
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/build.h"
#include "scenarios/engine/judge_internal.h"

#define STORM_CONNECTS 8 /* in a row, without a second between two of them */
#define STORM_GAP_NS   (500 * NS_PER_MS)
#define REFUSED_GAP_NS (1 * NS_PER_S) /* the least after refused credentials */
#define INFORM_NS      (30 * NS_PER_S)

static bool is_request(const struct ev *e, enum cloud_request rq)
{
    return strcmp(ev_text(e, "rq"), cloud_request_name(rq)) == 0;
}

/* ---- sessions ---- */

/* A connection to the broker is begun. */
static void on_connect(struct judge *j, const struct ev *e)
{
    struct judge_slots *t = &j->slots;
    const bool at_once = t->connect_ns > 0 && e->now_ns - t->connect_ns < STORM_GAP_NS;
    t->connects_in_row = at_once ? t->connects_in_row + 1 : 0;
    if (t->connect_ns > 0 && t->mqtt_fault)
        JUDGE(j, "NET-10", t->connects_in_row < STORM_CONNECTS,
              "%u connections in a row with less than %ld ms between two", t->connects_in_row + 1,
              (long)(STORM_GAP_NS / NS_PER_MS));
    else if (t->connects_in_row >= STORM_CONNECTS)
        judge_fail(j, "NET-10", "%u connections in a row with less than %ld ms between two",
                   t->connects_in_row + 1, (long)(STORM_GAP_NS / NS_PER_MS));
    t->connect_ns = e->now_ns;
    t->connection = (uint32_t)ev_int(e, "conn", 0);
    t->silent = false;
}

static void on_login(struct judge *j, const struct ev *e)
{
    struct judge_slots *t = &j->slots;
    const bool accepted = ev_int(e, "code", 0) == 0;
    if (j->setup.scenario->certificate != SIM_TLS_GOOD && !j->main_over)
        judge_fail(j, "SEC-09", "logs in at a server whose certificate is %s",
                   sim_tls_certificate_name(j->setup.scenario->certificate));
    if (t->login_refused)
        JUDGE(j, "NET-11", e->now_ns - t->refused_ns >= REFUSED_GAP_NS,
              "logs in again %ld ms after it was refused",
              (long)((e->now_ns - t->refused_ns) / NS_PER_MS));
    t->login_refused = !accepted;
    if (!accepted) {
        judge_seen(j, "NET-11");
        t->refused_ns = e->now_ns;
        return;
    }
    t->logins++;
    t->online = true;
    t->came_online = true;
    if (t->online_ns == 0)
        t->online_ns = e->now_ns;
    if (t->back_by_ns > 0)
        JUDGE(j, "NET-23", e->now_ns <= t->back_by_ns, "the session came back %ld s too late",
              (long)((e->now_ns - t->back_by_ns) / NS_PER_S));
    t->back_by_ns = 0;
}

static void on_offline(struct judge *j, const struct ev *e)
{
    struct judge_slots *t = &j->slots;
    t->online = false;
    t->take_by_ns = 0;
    /* The broker's side of a session that the device has left may end after the next one began. */
    if (j->app_running && !t->final && !t->mqtt_fault && !j->net_any &&
        j->phase == PHASE_DOWNLOAD && j->cuts == 0 && t->logins == 1 && t->requests > 0 &&
        e->now_ns > t->online_ns + INT64_C(1000000000) * j->setup.scenario->device.keep_alive_s)
        judge_fail(j, "NET-19", "the session ends in mid-download without any fault");
}

/* The session of this start ends: with power, a reset, or the last round. */
void judge_slots_session_over(struct judge *j, int64_t now_ns)
{
    struct judge_slots *t = &j->slots;
    judge_announce_time(j, now_ns);
    if (t->online_ns > 0 && now_ns > t->online_ns + INFORM_NS + judge_link_ns(j) && !j->net_any)
        JUDGE(j, "RPT-18", t->informs > 0, "version %s ran %ld s online and never reported itself",
              j->version, (long)((now_ns - t->online_ns) / NS_PER_S));
    t->online = false;
    t->online_ns = 0;
    t->take_by_ns = 0;
    t->back_by_ns = 0;
    t->connect_ns = 0;
    t->connection = 0;
}

/* MQTT connections fail from now until then. */
void judge_mqtt_fault(struct judge *j, int64_t now_ns, int64_t end_ns)
{
    struct judge_slots *t = &j->slots;
    const int64_t keep_ns = NS_PER_S * j->setup.scenario->device.keep_alive_s;
    t->mqtt_fault = true;
    if (j->phase == PHASE_DOWNLOAD) {
        judge_seen(j, "NET-09");
        t->fault_in_download = true;
    }
    if (!t->online)
        return;
    judge_seen(j, "NET-23");
    t->back_by_ns = (now_ns + 3 * keep_ns > end_ns ? now_ns + 3 * keep_ns : end_ns) + keep_ns;
    t->take_by_ns = 0;
}

/* Whatever the cloud takes for delivered from now on, the device is not there until it has
 * connected again. */
void judge_silent(struct judge *j, uint32_t connection)
{
    struct judge_slots *t = &j->slots;
    if (t->connection == 0 || connection != t->connection)
        return;
    t->silent = true;
    t->online = t->came_online = false;
    t->take_by_ns = 0;
}

/* ---- version reports ---- */

static void on_inform(struct judge *j, const struct ev *e)
{
    struct judge_slots *t = &j->slots;
    const struct device_config *c = &j->setup.scenario->device;
    const char *topic = ev_text(e, "topic");
    const char *payload = ev_text(e, "payload");
    char version[DEVICE_TEXT_MAX];
    char module[DEVICE_TEXT_MAX];
    (void)payload_text(payload, "version", version, sizeof version);
    (void)payload_text(payload, "module", module, sizeof module);
    if (!topic_is_own(j, topic)) {
        char want[MQTT_TOPIC_MAX];
        (void)snprintf(want, sizeof want, "/ota/device/inform/%s/%s", c->product_id, c->sub_device);
        JUDGE(j, "CLD-23", strcmp(topic, want) == 0 && strcmp(version, c->sub_version) == 0,
              "reports version %s on %s; a sub-device reports %s on %s", version, topic,
              c->sub_version, want);
        return;
    }
    t->informs++;
    /* Once after each start; once more when a session is new or an announcement asks for it, and
     * what nobody acknowledges may be repeated. */
    JUDGE(j, "CLD-12", t->silent || t->informs <= 1 + t->logins + t->pushes + t->pushes_again,
          "%u version reports in one start with %u sessions", t->informs, t->logins);
    JUDGE(j, "CLD-13",
          strncmp(topic, "/ota/device/inform/", 19) == 0 && strcmp(version, j->version) == 0,
          "reports version %s on %s; version %s is running", version, topic, j->version);
    if (c->module[0] != '\0')
        JUDGE(j, "CLD-24", strcmp(module, c->module) == 0, "reports module \"%s\", is \"%s\"",
              module, c->module);
    (void)snprintf(t->informed, sizeof t->informed, "%s", version);
    t->reported = true;
    judge_seen(j, "RPT-18");
}

/* ---- progress ---- */

static void on_failure(struct judge *j, int64_t step)
{
    static const struct {
        int step;
        unsigned cause;
        const char *name;
    } rows[] = {{-1, CAUSE_UPGRADE, "upgrade"},
                {-2, CAUSE_DOWNLOAD, "download"},
                {-3, CAUSE_VERIFY, "verify"},
                {-4, CAUSE_BURN, "burn"}};
    struct judge_slots *t = &j->slots;
    const struct scenario *s = j->setup.scenario;
    unsigned causes = t->causes;
    if (!j->main_over && j->n_failures < SCENARIO_EXPECT_MAX)
        j->failures[j->n_failures++] = (int)step;
    if (j->net_any || j->faults_on_download > 0)
        causes |= CAUSE_DOWNLOAD;
    for (uint32_t i = 0; i < s->n_flash; i++)
        if (s->flash[i].kind == NOR_IO_PROGRAM || s->flash[i].kind == NOR_IO_ERASE)
            causes |= CAUSE_BURN;
    if (t->publish_failed && t->requests == 1 && !t->bad_body && t->causes == 0 && !j->main_over)
        judge_fail(j, "RPT-13", "tells %ld although only reports failed, not the download",
                   (long)step);
    /* A digest that was compared and differs is the last stage there is. */
    if ((t->causes & CAUSE_VERIFY) != 0)
        causes = CAUSE_VERIFY;
    if (t->take_by_ns > 0 && t->bad == 0 && t->newest.size_bytes == j->setup.package_limit)
        JUDGE(j, "LIM-02", step != -1, "refused %ld bytes, which is what the slot holds",
              (long)t->newest.size_bytes);
    if (causes == 0)
        return;
    bool fits = false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fits = fits || (rows[i].step == step && (causes & rows[i].cause) != 0);
    const char *stage = "several stages";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (causes == rows[i].cause)
            stage = rows[i].name;
    JUDGE(j, "RPT-06", fits, "tells %ld; what failed was the stage %s", (long)step, stage);
    if ((t->causes & (t->causes - 1)) == 0)
        JUDGE(j, "RPT-16", fits, "tells %ld; the first cause was the stage %s", (long)step, stage);
}

/* A code is told once, and may arrive before the device's own word of it is known, or never. */
static void note_code(struct judge *j, int *codes, uint32_t *n, int64_t step)
{
    if (!j->main_over && *n < JUDGE_CODES_MAX)
        codes[(*n)++] = (int)step;
}

static void judge_codes(struct judge *j)
{
    const struct judge_slots *t = &j->slots;
    uint32_t at = 0;
    for (uint32_t i = 0; i < t->n_arrived; i++) {
        while (at < t->n_told && t->codes_told[at] != t->codes_arrived[i])
            at++;
        if (at < t->n_told)
            judge_seen(j, "RPT-15");
        else
            judge_fail(j, "RPT-15", "%d arrives as a code; the device told %d", t->codes_arrived[i],
                       t->n_told > 0 ? t->codes_told[t->n_told - 1] : 0);
        at++;
    }
}

static void on_progress(struct judge *j, const struct ev *e)
{
    struct judge_slots *t = &j->slots;
    const char *payload = ev_text(e, "payload");
    const char *member = strstr(payload, "\"step\"");
    int64_t step = 0;
    if (!payload_int(payload, "step", &step))
        return;
    t->step_seen = true;
    if (step < 0 || step > 100)
        note_code(j, t->codes_arrived, &t->n_arrived, step);
    JUDGE(j, "RPT-07",
          strncmp(ev_text(e, "topic"), "/ota/device/progress/", 21) == 0 &&
              topic_is_own(j, ev_text(e, "topic")),
          "reports progress on %s", ev_text(e, "topic"));
    member += strlen("\"step\"");
    JUDGE(j, "RPT-12", member[strspn(member, " :")] == '"', "step is not a string: %s", payload);
    if (t->final)
        judge_fail(j, "RPT-14", "tells %ld after the final state of its task", (long)step);
    if (step < 0) {
        on_failure(j, step);
        judge_seen(j, "RPT-14");
        t->final = true;
        return;
    }
    JUDGE(j, "RPT-04", step >= 1 && step <= 100 && step >= t->last_step, "progress %ld after %d",
          (long)step, t->last_step);
    JUDGE(j, "RPT-05", step > t->last_step, "progress %ld is told again", (long)step);
    if (step == 100) {
        JUDGE(j, "INT-16", t->verify_ok, "tells 100 %% of an image that was not verified");
        t->said_100 = t->final = true;
        judge_seen(j, "RPT-14");
    }
    t->last_step = (int)step;
}

/* ---- records ---- */

/* Devices that tasks of the offers have taken in, by their names. */
static void count_taken(struct judge *j, const char *device)
{
    struct judge_slots *t = &j->slots;
    for (uint32_t i = 0; i < t->n_taken; i++)
        if (strcmp(t->taken[i], device) == 0)
            return;
    if (!j->main_over && t->n_taken < OTHER_DEVICES_MAX + 1)
        (void)snprintf(t->taken[t->n_taken++], sizeof t->taken[0], "%s", device);
}

/* Of another device of the product. */
static bool is_others(const struct judge *j, const char *device)
{
    const struct scenario *s = j->setup.scenario;
    const size_t len = strcspn(device, "&");
    for (uint32_t i = 0; i < s->n_others; i++)
        if (strlen(s->others[i].name) == len && memcmp(s->others[i].name, device, len) == 0)
            return true;
    return false;
}

/* What a task may take in: of a batch verified firmware alone, again what has failed. */
static void judge_task(struct judge *j, const struct judge_package *of)
{
    const struct scenario *s = j->setup.scenario;
    const struct offer_spec *o = &s->offers[of->delta_id - BUILD_DELTA_ID];
    if (o->campaign == TASK_BATCH)
        JUDGE(j, "CLD-33", o->verified, "a batch of %s, which nobody has verified",
              judge_version_name(j, o->to));
    for (uint32_t i = 0; i < s->n_offers; i++)
        if (s->offers[i].campaign == TASK_AGAIN && s->offers[i].to == o->to)
            JUDGE(j, "CLD-33", strcmp(j->slots.informed, judge_version_name(j, o->to)) != 0,
                  "once more %s, to a device that has told it", judge_version_name(j, o->to));
}

static void on_record(struct judge *j, const struct ev *e)
{
    struct judge_slots *t = &j->slots;
    const char *state = ev_text(e, "state");
    count_taken(j, ev_text(e, "device"));
    if (is_others(j, ev_text(e, "device")))
        return;
    const bool pending = strcmp(state, record_state_name(RECORD_PENDING)) == 0;
    const bool upgrading = strcmp(state, record_state_name(RECORD_UPGRADING)) == 0;
    const struct scenario *s = j->setup.scenario;
    const struct judge_package *of = NULL;
    bool other = false;  /* of a module that the device does not have: it waits for ever */
    bool silent = false; /* the device is not told */
    for (size_t i = 0; i < j->n_packages; i++)
        if (j->packages[i].delta_id == ev_int(e, "delta_id", 0)) {
            j->record_open[i] = pending || upgrading;
            of = &j->packages[i];
            other = !of->heal && of->delta_id < BUILD_DELTA_ID + s->n_offers &&
                    strcmp(s->offers[of->delta_id - BUILD_DELTA_ID].module, s->device.module) != 0;
            silent = !of->heal && of->delta_id < BUILD_DELTA_ID + s->n_offers &&
                     s->offers[of->delta_id - BUILD_DELTA_ID].silent;
            j->record_open[i] = j->record_open[i] && !other;
        }
    judge_seen(j, "RPT-17");
    if (!j->main_over)
        (void)snprintf(j->record, sizeof j->record, "%s", state);
    if (pending && !t->online && !other && !silent) {
        t->owed = true;
        t->came_online = false;
    }
    if (pending && of != NULL && !of->heal && of->delta_id < BUILD_DELTA_ID + s->n_offers)
        judge_task(j, of);
    if (upgrading && !t->record_upgrading)
        JUDGE(j, "CLD-33", t->step_seen || j->requests[RQ_PROGRESS] > 0,
              "upgrading before any progress was reported");
    t->record_upgrading = upgrading;
    if (strcmp(state, record_state_name(RECORD_SUCCESS)) == 0 && of != NULL && !of->heal) {
        const char *want = judge_version_name(j, of->to);
        const char *have = j->setup.version(j->setup.ctx);
        JUDGE(j, "RPT-08", strcmp(t->informed, want) == 0,
              "success of %s; the version last reported is \"%s\"", want, t->informed);
        JUDGE(j, "BOT-01", strcmp(want, have) == 0, "success of %s while %s runs", want, have);
    }
    if (strcmp(state, record_state_name(RECORD_FAILED)) == 0 && t->said_100)
        judge_seen(j, "RPT-08");
}

/* ---- the device's own words ---- */

static void on_log(struct judge *j, const char *text)
{
    const char *secret = j->setup.scenario->device.device_secret;
    JUDGE(j, "SEC-12",
          strstr(text, "Signature=") == NULL && (secret[0] == '\0' || strstr(text, secret) == NULL),
          "a secret or a signed address is in the log");
}

static void on_state(struct judge *j, const char *code)
{
    const struct expectation *x = &j->setup.scenario->expect;
    for (uint32_t i = 0; i < x->n_states && !j->main_over; i++)
        j->state_seen[i] = j->state_seen[i] || strcmp(x->states[i], code) == 0;
    /* "All received" comes before "digest matched" (aiot_ota_api.h). */
    if (strcmp(code, "-0x0902") == 0 && j->phase == PHASE_DOWNLOAD && !j->main_over)
        j->slots.publish_failed = true;
    if (strcmp(code, "-0x0904") == 0) /* STATE_OTA_DIGEST_MISMATCH */
        j->slots.causes |= CAUSE_VERIFY;
    if (strcmp(code, "-0x091F") == 0)
        j->slots.finished = true;
    else if (strcmp(code, "-0x0901") == 0) {
        JUDGE(j, "INT-12", j->slots.finished, "\"digest matched\" before \"all received\"");
        j->slots.finished = false;
    }
}

static void on_heap(struct judge *j, const struct ev *e)
{
    const uint32_t ram = j->setup.scenario->device.ram_bytes;
    const uint64_t peak = (uint64_t)ev_int(e, "peak", 0);
    uint64_t *max = j->app_running ? &j->heap_peak_agent : &j->heap_peak_boot;
    if (peak > *max)
        *max = peak;
    JUDGE(j, j->app_running ? "DWN-35" : "BOT-04", peak <= ram,
          "%lu bytes of RAM used, %u configured", (unsigned long)peak, ram);
}

static void on_message(struct judge *j, const struct ev *e)
{
    for (int k = RQ_INFORM; k < RQ_COUNT && !j->main_over; k++)
        j->requests[k] += is_request(e, (enum cloud_request)k);
    if (is_request(e, RQ_INFORM))
        on_inform(j, e);
    else if (is_request(e, RQ_PROGRESS))
        on_progress(j, e);
}

void judge_talk_event(struct judge *j, const struct ev *e)
{
    judge_announce_time(j, e->now_ns);
    if (ev_is(e, LANE_CLOUD, "message"))
        on_message(j, e);
    else if (ev_is(e, LANE_CLOUD, "push"))
        judge_announce_push(j, e);
    else if (ev_is(e, LANE_CLOUD, "record"))
        on_record(j, e);
    else if (ev_is(e, LANE_CLOUD, "login"))
        on_login(j, e);
    else if (ev_is(e, LANE_CLOUD, "offline"))
        on_offline(j, e);
    else if (ev_is(e, LANE_NETWORK, "connect") && strcmp(ev_text(e, "what"), "mqtt") == 0)
        on_connect(j, e);
    else if (ev_is(e, LANE_DEVICE, "progress") && ev_int(e, "step", 0) < 0)
        note_code(j, j->slots.codes_told, &j->slots.n_told, ev_int(e, "step", 0));
    else if (ev_is(e, LANE_DEVICE, "state"))
        on_state(j, ev_text(e, "code"));
    else if (ev_is(e, LANE_DEVICE, "log"))
        on_log(j, ev_text(e, "text"));
    else if (ev_is(e, LANE_DEVICE, "heap"))
        on_heap(j, e);
    else if (ev_is(e, LANE_DEVICE, "api") && j->setup.scenario->device.alloc_fail_at > 0)
        judge_seen(j, "LIM-11");
    else if (ev_is(e, LANE_BENCH, "push"))
        j->slots.scripted_ns = e->now_ns + 1; /* if there is something to send, it comes at once */
}

/* What can be said of the session at the end of the main phase. */
void judge_talk_main_over(struct judge *j, int64_t now_ns)
{
    struct judge_slots *t = &j->slots;
    judge_announce_time(j, now_ns);
    judge_slots_session_over(j, now_ns);
    if (j->setup.scenario->certificate != SIM_TLS_GOOD)
        judge_seen(j, "SEC-09");
    const struct expectation *x = &j->setup.scenario->expect;
    const bool there = judge_got_there(j);
    judge_codes(j);
    if (t->publish_failed && x->has_version)
        JUDGE(j, "RPT-13", there, "reports could not be sent in mid-download, and version %s runs",
              j->main_version);
    if (t->fault_in_download && x->has_version)
        JUDGE(j, "NET-09", there, "the session was lost in mid-download, and version %s runs",
              j->main_version);
    if (t->late_or_again && x->has_version)
        JUDGE(j, "NET-15", there, "messages came late or repeated, and version %s runs",
              j->main_version);
    if (j->faults_hit[CF_LONG_URL] > 0 && t->newest.version[0] != '\0')
        JUDGE(j, "LIM-04", strcmp(j->main_version, t->newest.version) == 0,
              "version %s was announced with a long URL, and %s runs", t->newest.version,
              j->main_version);
    if (j->faults_hit[CF_UPPER_DIGEST] > 0 && x->has_version)
        JUDGE(j, "INT-06", there, "a digest in upper case was announced, and version %s runs",
              j->main_version);
    if (t->missing)
        JUDGE(j, "DWN-26", j->n_failures > 0 || j->restored_count > 0,
              "the file is missing, and the cloud was not told");
    if (j->faults_hit[CF_FORGED] > 0)
        JUDGE(j, "DWN-25", j->n_failures > 0 || j->restored_count > 0,
              "an edited address was refused, and the cloud was not told");
}
