/* MQTT as the cloud sees it: logins, messages, pushes; and what the device's API says about them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/judge_internal.h"

/* The value behind "key": in a payload, quoted or not; false: there is none. Payloads may be cut,
 * so they are looked into, not parsed. */
static bool payload_int(const char *payload, const char *key, int *out)
{
    char quoted[32];
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *at = strstr(payload, quoted);
    if (at == NULL)
        return false;
    at += strlen(quoted);
    at += strspn(at, " :\"");
    char *end;
    long v = strtol(at, &end, 10);
    *out = (int)v;
    return end != at;
}

static void on_progress_message(struct judge *j, const struct ev *e)
{
    int step = 0;
    if (!payload_int(ev_text(e, "payload"), "step", &step))
        return;
    if (step < 0 && !j->main_over && j->n_failures < SCENARIO_EXPECT_MAX)
        j->failures[j->n_failures++] = step;
}

static void on_message(struct judge *j, const struct ev *e)
{
    const char *rq = ev_text(e, "rq");
    if (!j->main_over)
        for (int k = RQ_INFORM; k < RQ_COUNT; k++)
            j->requests[k] += strcmp(rq, cloud_request_name((enum cloud_request)k)) == 0;
    if (strcmp(rq, cloud_request_name(RQ_PROGRESS)) == 0)
        on_progress_message(j, e);
}

static void on_state(struct judge *j, const char *code)
{
    const struct expectation *x = &j->setup.scenario->expect;
    for (uint32_t i = 0; i < x->n_states && !j->main_over; i++)
        j->state_seen[i] = j->state_seen[i] || strcmp(x->states[i], code) == 0;
}

void judge_message_event(struct judge *j, const struct ev *e)
{
    if (ev_is(e, LANE_CLOUD, "message"))
        on_message(j, e);
    else if (ev_is(e, LANE_CLOUD, "record") && !j->main_over)
        (void)snprintf(j->record, sizeof j->record, "%s", ev_text(e, "state"));
    else if (ev_is(e, LANE_CLOUD, "push") && !j->main_over)
        j->requests[RQ_PUSH] += strstr(ev_text(e, "topic"), "/upgrade/") != NULL ||
                                strstr(ev_text(e, "topic"), "/config/push") != NULL;
    else if (ev_is(e, LANE_DEVICE, "state"))
        on_state(j, ev_text(e, "code"));
}
