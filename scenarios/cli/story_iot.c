/*
 * The story of devices that are told over MQTT and start from two slots: logins, messages,
 * announcements, progress, trials and rollbacks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/cli/story_tell.h"

/* ---- what a payload says; it is text cut short, so not parsed as JSON ---- */

/* The text or number behind "key": in a payload, "" if there is none. */
static void payload_value(const char *payload, const char *key, char *out, size_t cap)
{
    char quoted[32];
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *at = strstr(payload, quoted);
    out[0] = '\0';
    if (at == NULL)
        return;
    at += strlen(quoted);
    at += strspn(at, " :\"");
    (void)snprintf(out, cap, "%.*s", (int)strcspn(at, "\",} "), at);
}

/* A step goes into the lane's cell as a range, in the order in which the steps came. */
static void tell_step(struct story *s, const struct story_event *e, int64_t step)
{
    if (step < 0) {
        (void)story_say(s, e, "failure code", MOOD_BAD, "failure code %" PRId64, step);
        return;
    }
    struct story_cell *c = story_cell(s, e->lane, e->t_ns, "progress");
    if (c == NULL)
        return;
    if (c->count == 1)
        c->first = (uint64_t)step;
    c->last = (uint64_t)step;
    if (c->count == 1)
        (void)snprintf(c->text, sizeof c->text, "progress %" PRIu64 " %%", c->last);
    else
        (void)snprintf(c->text, sizeof c->text, "progress %" PRIu64 "–%" PRIu64 " %%", c->first,
                       c->last);
}

/* ---- cloud ---- */

static void tell_login(struct story *s, const struct story_event *e)
{
    if (story_number(e, "code") == 0)
        (void)story_say(s, e, "login", MOOD_PLAIN, "login");
    else
        (void)story_say(s, e, "login refused", MOOD_BAD, "login refused (CONNACK %" PRId64 ")",
                        story_number(e, "code"));
}

static void tell_offline(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "offline", MOOD_PLAIN, "session ends");
}

static void tell_message(struct story *s, const struct story_event *e)
{
    static const struct {
        const char *rq, *words;
    } plain[] = {
        {"query", "asked for an upgrade"},
        {"config", "asked for configuration"},
        {"block", "asked for a block"},
    };
    char value[32];
    const char *rq = story_text(e, "rq"), *words = "message";
    if (strcmp(rq, "progress") == 0) {
        payload_value(story_text(e, "payload"), "step", value, sizeof value);
        tell_step(s, e, strtoll(value, NULL, 10));
        return;
    }
    if (strcmp(rq, "inform") == 0) {
        payload_value(story_text(e, "payload"), "version", value, sizeof value);
        (void)story_say(s, e, "inform", MOOD_PLAIN, "hears of version %s", value);
        return;
    }
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strcmp(plain[i].rq, rq) == 0)
            words = plain[i].words;
    (void)story_say(s, e, words, MOOD_PLAIN, "%s", words);
}

static void tell_push(struct story *s, const struct story_event *e)
{
    static const struct {
        const char *topic, *words;
        bool version;
    } kinds[] = {
        {"/ota/device/upgrade/", "announces", true},
        {"/thing/ota/firmware/get_reply", "answers", true},
        {"/thing/config/push", "sends configuration", false},
        {"/thing/config/get_reply", "answers with configuration", false},
        {"/thing/file/download_reply", "sends a block", false},
    };
    const char *topic = story_text(e, "topic"), *words = "sends a message";
    bool delivered = story_number(e, "delivered") != 0;
    char version[32] = "", key[STORY_KEY_MAX];
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strstr(topic, kinds[i].topic) != NULL) {
            words = kinds[i].words;
            if (kinds[i].version) {
                payload_value(story_text(e, "payload"), "version", version, sizeof version);
                if (version[0] == '\0')
                    (void)snprintf(version, sizeof version, "nothing");
            }
            break;
        }
    (void)snprintf(key, sizeof key, "push %s %s %d", words, version, delivered);
    (void)story_say(s, e, key, delivered ? MOOD_PLAIN : MOOD_BAD, "%s%s%s%s", words,
                    version[0] != '\0' ? " " : "", version,
                    delivered ? "" : ", the device is offline");
}

static void tell_refusal(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "refused", MOOD_BAD, "refuses: %.100s", story_text(e, "what"));
}

/* ---- device ---- */

static void tell_mqtt(struct story *s, const struct story_event *e)
{
    const char *what = story_text(e, "what");
    char key[STORY_KEY_MAX];
    (void)snprintf(key, sizeof key, "mqtt %.20s", what);
    (void)story_say(s, e, key, strcmp(what, "up") == 0 ? MOOD_GOOD : MOOD_BAD, "MQTT %.20s", what);
}

static void tell_state(struct story *s, const struct story_event *e)
{
    char key[STORY_KEY_MAX];
    (void)snprintf(key, sizeof key, "state %.20s", story_text(e, "code"));
    (void)story_say(s, e, key, MOOD_PLAIN, "state %.20s", story_text(e, "code"));
}

static void tell_progress(struct story *s, const struct story_event *e)
{
    tell_step(s, e, story_number(e, "step"));
}

static void tell_fate(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "image", MOOD_BAD, "version %.30s: %.30s", story_text(e, "version"),
                    story_text(e, "fate"));
}

static void tell_expiry(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "trial", MOOD_BAD, "trial %.30s", story_text(e, "state"));
}

/* ---- boot ---- */

static void tell_run(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "run", MOOD_GOOD, "starts slot %c", story_slot(e, "slot"));
}

static void tell_trial(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "trial", MOOD_PLAIN, "slot %c, trial %" PRId64 " of %" PRId64,
                    story_slot(e, "slot"), story_number(e, "start"), story_number(e, "of"));
}

static void tell_set_boot(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "set_boot", MOOD_GOOD, "slot %c is next", story_slot(e, "slot"));
}

static void tell_confirm(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "confirm", MOOD_GOOD, "slot %c is confirmed", story_slot(e, "slot"));
}

static void tell_rollback(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "rollback", MOOD_BAD, "ROLLBACK to slot %c: %.60s", story_slot(e, "to"),
                    story_text(e, "reason"));
}

static void tell_record_error(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "record", MOOD_BAD, "boot record: %.100s", story_text(e, "error"));
}

const struct story_teller story_iot_tellers[] = {
    {LANE_CLOUD, "login", tell_login},        {LANE_CLOUD, "online", story_tell_nothing},
    {LANE_CLOUD, "offline", tell_offline},    {LANE_CLOUD, "message", tell_message},
    {LANE_CLOUD, "push", tell_push},          {LANE_CLOUD, "refused", tell_refusal},
    {LANE_DEVICE, "mqtt", tell_mqtt},         {LANE_DEVICE, "state", tell_state},
    {LANE_DEVICE, "progress", tell_progress}, {LANE_DEVICE, "image", tell_fate},
    {LANE_DEVICE, "trial", tell_expiry},      {LANE_BOOT, "run", tell_run},
    {LANE_BOOT, "trial", tell_trial},         {LANE_BOOT, "set_boot", tell_set_boot},
    {LANE_BOOT, "confirm", tell_confirm},     {LANE_BOOT, "rollback", tell_rollback},
    {LANE_BOOT, "record", tell_record_error},
};
const size_t story_iot_tellers_count = sizeof story_iot_tellers / sizeof story_iot_tellers[0];
