/* Announcements: what the cloud pushed, whether the device was right to take it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/judge_internal.h"
#include "sim_device/agent/uota/ota_service.h"
#include "sim_device/board/board_mqtt.h"

#define TAKE_NS   (60 * NS_PER_S) /* a good announcement is taken within */
#define ONLINE_NS (15 * NS_PER_S) /* one that waited is sent again within, after a come-online */

/*
 * What can make an announcement one that must not be taken. A device that begins a download in a
 * start that saw such ones only has broken the requirement. SEEN: that there was one exercises it.
 */
enum bad {
    BAD_MEMBER,
    BAD_METHOD,
    BAD_DIGEST,
    BAD_TEXT,
    BAD_FOREIGN,
    BAD_CONFIG,
    BAD_OLDER,
    BAD_SAME,
    BAD_LATE,
    BAD_SIZE,
    BAD_TRIAL,
    BAD_MODULE,
    BAD_FILES,
    BAD_LENGTH
};
static const struct {
    const char *id, *what;
} bad_rows[BAD_KINDS] = {
    [BAD_MEMBER] = {"CLD-16", "lacked a member"},
    [BAD_METHOD] = {"CLD-17", "had an unknown digest method"},
    [BAD_DIGEST] = {"INT-06", "had a digest that is none"},
    [BAD_TEXT] = {"LIM-16", "could not be read"},
    [BAD_FOREIGN] = {"CLD-21", "was for another device"},
    [BAD_CONFIG] = {"CLD-22", "was a configuration"},
    [BAD_OLDER] = {"SEC-01", "led to a lower version"},
    [BAD_SAME] = {"SEC-02", "led to the running version"},
    [BAD_LATE] = {"SEC-04", "was older than one before it"},
    [BAD_SIZE] = {"LIM-01", "was larger than the slot"},
    [BAD_TRIAL] = {"BOT-18", "came while an image was on trial"},
    [BAD_MODULE] = {"CLD-24", "was for another module"},
    [BAD_FILES] = {"BOT-16", "was of several files, for one slot"},
    [BAD_LENGTH] = {"LIM-07", "was longer than a message may be"},
};

/* ---- reading payloads: they may be cut, so they are looked into, not parsed ---- */

bool payload_text(const char *payload, const char *key, char *out, size_t cap)
{
    char quoted[32];
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *at = strstr(payload, quoted);
    out[0] = '\0';
    if (at == NULL)
        return false;
    at += strlen(quoted);
    at += strspn(at, " :");
    if (*at == '"')
        at++;
    (void)snprintf(out, cap, "%.*s", (int)strcspn(at, "\",}"), at);
    return true;
}

bool payload_int(const char *payload, const char *key, int64_t *out)
{
    char text[32];
    char *end;
    if (!payload_text(payload, key, text, sizeof text))
        return false;
    *out = strtoll(text, &end, 10);
    return end != text;
}

/* Whether the topic ends in "/{product}/{device}", or has that infix, of the device itself. */
bool topic_is_own(const struct judge *j, const char *topic)
{
    char own[2 * DEVICE_TEXT_MAX + 4];
    const struct device_config *c = &j->setup.scenario->device;
    (void)snprintf(own, sizeof own, "/%s/%s", c->product_id, c->did);
    const char *at = strstr(topic, own);
    return at != NULL && (at[strlen(own)] == '\0' || at[strlen(own)] == '/');
}

/* ---- what the script does to the next push ---- */

static bool known_method(const char *text)
{
    static const char *const known[] = {"Md5", "MD5", "md5", "Sha256", "SHA256", "sha256"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i], text) == 0)
            return true;
    return false;
}

/* A member the client cannot do without (aliyun note 5.3). */
static bool is_needed(const struct judge *j, const char *member)
{
    const enum device_agent agent = j->setup.scenario->device.agent;
    static const char *const always[] = {"version", "url", "size", "data"};
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        if (strcmp(always[i], member) == 0)
            return true;
    return agent == AGENT_AIOT &&
           (strcmp(member, "sign") == 0 || strcmp(member, "signMethod") == 0);
}

static const char *fault_text(const struct judge *j, enum cloud_fault_kind kind)
{
    const struct scenario *s = j->setup.scenario;
    for (uint32_t i = 0; i < s->n_faults; i++)
        if (s->faults[i].kind == kind)
            return s->faults[i].text;
    return "";
}

static int64_t fault_bytes(const struct judge *j, enum cloud_fault_kind kind)
{
    const struct scenario *s = j->setup.scenario;
    for (uint32_t i = 0; i < s->n_faults; i++)
        if (s->faults[i].kind == kind)
            return s->faults[i].bytes;
    return 0;
}

/* The longest message that the client takes, as it declares. */
static int64_t message_bytes_max(const struct judge *j)
{
    return j->setup.scenario->device.agent == AGENT_UOTA ? OTA_MESSAGE_MAX : BOARD_MQTT_BYTES_MAX;
}

void judge_announce_fault(struct judge *j, enum cloud_fault_kind kind, const char *rq)
{
    static const struct {
        enum cloud_fault_kind kind;
        enum bad bad;
    } rows[] = {{CF_BAD_DIGEST, BAD_DIGEST},
                {CF_NOT_JSON, BAD_TEXT},
                {CF_DEEP, BAD_TEXT},
                {CF_NOT_UTF8, BAD_TEXT},
                {CF_TRUNCATE, BAD_TEXT}};
    struct judge_slots *t = &j->slots;
    if (strcmp(rq, cloud_request_name(RQ_PUSH)) != 0 &&
        strcmp(rq, cloud_request_name(RQ_QUERY)) != 0)
        return;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].kind == kind)
            t->spoils |= 1u << rows[i].bad;
    if (kind == CF_OMIT && is_needed(j, fault_text(j, kind)))
        t->spoils |= 1u << BAD_MEMBER;
    if (kind == CF_SIGN_METHOD && !known_method(fault_text(j, kind)))
        t->spoils |= 1u << BAD_METHOD;
    if (kind == CF_UPPER_DIGEST)
        judge_seen(j, "INT-06");
    if (kind == CF_LONG_URL)
        judge_seen(j, "LIM-04");
    if (kind == CF_OVERSIZED) {
        judge_seen(j, "LIM-16");
        if (fault_bytes(j, kind) >= message_bytes_max(j))
            t->spoils |= 1u << BAD_LENGTH;
    }
    if (kind == CF_DUPLICATE || kind == CF_REPLAY || kind == CF_DELAY) {
        judge_seen(j, "NET-15");
        t->late_or_again = true;
    }
    if (kind == CF_LOST || kind == CF_DELAY || kind == CF_FOREIGN)
        t->owed = false; /* the device is told late or never */
}

/* A slow network takes its time for a login and a version report, or for a connection to the
 * storage. */
int64_t judge_link_ns(const struct judge *j)
{
    const struct link_profile *p = &j->setup.scenario->profile;
    return 20 * (p->one_way_ns + p->jitter_ns);
}

/* ---- pushes ---- */

/* Everything that speaks against taking it. */
static unsigned objections(struct judge *j, const struct announced *a, const char *topic,
                           const char *payload)
{
    const struct judge_slots *t = &j->slots;
    const struct device_config *c = &j->setup.scenario->device;
    char module[DEVICE_TEXT_MAX];
    unsigned bad = t->spoils;
    /* Nothing in extData is a member of the announcement. */
    const char *extra = strstr(payload, "\"extData\""), *at = strstr(payload, "\"module\"");
    if (!payload_text(payload, "module", module, sizeof module) || (extra != NULL && at > extra))
        module[0] = '\0';
    if (!topic_is_own(j, topic))
        bad |= 1u << BAD_FOREIGN;
    if (a->version[0] == '\0')
        return bad | (bad == 0 ? 1u << BAD_TEXT : 0u);
    const int order = j->version[0] == '\0' ? 1 : version_compare(a->version, j->version);
    bad |= order < 0 ? 1u << BAD_OLDER : order == 0 ? 1u << BAD_SAME : 0u;
    if (t->newest.version[0] != '\0' && version_compare(a->version, t->newest.version) < 0)
        bad |= 1u << BAD_LATE;
    if (a->size_bytes > j->setup.package_limit)
        bad |= 1u << BAD_SIZE;
    if (t->on_trial)
        bad |= 1u << BAD_TRIAL;
    if (strcmp(module, c->module) != 0)
        bad |= 1u << BAD_MODULE;
    if (strstr(payload, "\"files\":[") != NULL && c->file_count <= 1)
        bad |= 1u << BAD_FILES;
    return bad;
}

/* Of several files no size is announced: what they take of the slot. -1: not ours. */
static int64_t slot_bytes(const struct judge *j, const char *version)
{
    for (size_t i = j->n_packages; i-- > 0;) {
        const struct judge_package *p = &j->packages[i];
        const char *of = p->heal ? BUILD_HEAL_VERSION : judge_version_name(j, p->to);
        if (p->n_parts > 0 && strcmp(of, version) == 0)
            return p->len_bytes;
    }
    return -1;
}

static void on_announcement(struct judge *j, const struct ev *e, const char *topic)
{
    struct judge_slots *t = &j->slots;
    const char *payload = ev_text(e, "payload");
    struct announced a = {.size_bytes = -1};
    (void)payload_text(payload, "version", a.version, sizeof a.version);
    (void)payload_int(payload, "size", &a.size_bytes);
    if (strstr(payload, "\"files\":[") != NULL)
        a.size_bytes = slot_bytes(j, a.version);
    const unsigned bad = objections(j, &a, topic, payload);
    for (int i = 0; i < BAD_KINDS; i++)
        if ((bad & 1u << i) != 0)
            judge_seen(j, bad_rows[i].id);
    t->bad |= bad;
    t->pushes++;
    if (bad != 0) {
        /* Whatever it is refused for: a failure told now is one of the stage "upgrade". */
        t->causes |= CAUSE_UPGRADE;
        t->spoils = 0;
        return;
    }
    if (t->final && !t->chosen && strcmp(a.version, t->version) == 0) {
        /* It was told to have failed: this is a new task. */
        t->final = t->said_100 = false;
        t->last_step = 0;
        t->causes = 0;
    }
    if (strcmp(a.version, t->version) == 0 && j->phase == PHASE_DOWNLOAD) {
        judge_seen(j, "CLD-20");
        judge_seen(j, "NET-15");
        t->late_or_again = t->repeat_in_download = true;
    }
    const bool waits = strcmp(a.version, t->version) != 0 && !t->final && !t->chosen &&
                       strcmp(a.version, t->refused) != 0;
    if (strcmp(a.version, t->refused) == 0) {
        judge_seen(j, "BOT-14");
        t->causes |= CAUSE_UPGRADE; /* refused for that */
    }
    if (waits && t->take_by_ns == 0)
        t->take_by_ns = e->now_ns + TAKE_NS + judge_link_ns(j);
    if (strcmp(a.version, t->newest.version) != 0 || a.size_bytes != t->newest.size_bytes)
        t->newest = a;
    t->good = true;
}

void judge_announce_push(struct judge *j, const struct ev *e)
{
    struct judge_slots *t = &j->slots;
    const char *topic = ev_text(e, "topic");
    const bool upgrade = strstr(topic, "/ota/device/upgrade/") != NULL;
    const bool reply = strstr(topic, "/ota/firmware/get_reply") != NULL;
    const bool config = strstr(topic, "/thing/config/push") != NULL;
    const bool scripted = t->scripted_ns == e->now_ns + 1;
    t->scripted_ns = 0;
    if (!j->main_over)
        j->requests[RQ_PUSH] += (upgrade || config) && !scripted;
    if (ev_int(e, "delivered", 0) == 0) {
        t->owed = t->owed || upgrade;
        return;
    }
    if (config) {
        judge_seen(j, bad_rows[BAD_CONFIG].id);
        t->bad |= 1u << BAD_CONFIG;
        return;
    }
    if (!upgrade && !(reply && strstr(ev_text(e, "payload"), "\"size\"") != NULL))
        return;
    if (reply)
        judge_seen(j, "CLD-18");
    if (upgrade && t->owed && !scripted) {
        judge_seen(j, "CLD-19");
        t->owed = t->came_online = false;
    }
    on_announcement(j, e, topic);
}

/* The device begins with an announcement. */
void judge_slots_taken(struct judge *j, const char *version, int64_t bytes)
{
    struct judge_slots *t = &j->slots;
    if (!t->good) {
        for (int i = 0; i < BAD_KINDS; i++)
            if ((t->bad & 1u << i) != 0)
                judge_fail(j, bad_rows[i].id, "takes version %s; the only announcement %s", version,
                           bad_rows[i].what);
        return;
    }
    const bool newest = strcmp(version, t->newest.version) == 0;
    if (!newest && (t->bad & 1u << BAD_LATE) != 0 &&
        version_compare(version, t->newest.version) < 0)
        judge_fail(j, "SEC-04", "takes version %s although %s was announced before it", version,
                   t->newest.version);
    if (!newest && (t->bad & 1u << BAD_OLDER) != 0 && version_compare(version, j->version) < 0)
        judge_fail(j, "SEC-01", "takes version %s; %s is running", version, j->version);
    if (newest && j->faults_hit[CF_WRONG_SIZE] == 0) {
        JUDGE(j, "CLD-15", bytes == t->newest.size_bytes,
              "takes %ld bytes; version %s was announced with %ld", (long)bytes, version,
              (long)t->newest.size_bytes);
        JUDGE(j, "SEC-05", bytes == t->newest.size_bytes,
              "takes %ld bytes; version %s was announced with %ld", (long)bytes, version,
              (long)t->newest.size_bytes);
    }
    if (newest && t->take_by_ns > 0)
        judge_seen(j, "CLD-14");
    t->take_by_ns = 0;
}

/* The trial is over: what came in it may be taken, a device may only now have read it. */
void judge_announce_confirmed(struct judge *j)
{
    j->slots.bad &= ~(1u << BAD_TRIAL);
}

/* Time has passed. */
void judge_announce_time(struct judge *j, int64_t now_ns)
{
    struct judge_slots *t = &j->slots;
    if (t->take_by_ns > 0 && now_ns > t->take_by_ns && t->online) {
        judge_fail(j, "CLD-14", "version %s was announced %ld s ago and nothing is fetched",
                   t->newest.version,
                   (long)((now_ns - t->take_by_ns + TAKE_NS + judge_link_ns(j)) / NS_PER_S));
        t->take_by_ns = 0;
    }
    if (t->owed && t->came_online && t->online &&
        now_ns > t->connect_ns + ONLINE_NS + judge_link_ns(j)) {
        /* Whose version report was lost with its connection is told with the next one. */
        if (t->informs > 0 || !j->net_any)
            judge_fail(j, "CLD-19", "%ld s after it came online the device has not been told",
                       (long)((now_ns - t->connect_ns) / NS_PER_S));
        t->owed = false;
    }
}
