#include "scenarios/engine/script_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct script *script_new(const struct scenario *s, const struct script_ops *ops)
{
    struct script *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->s = s;
    x->ops = *ops;
    for (uint32_t i = 0; i < SCENARIO_RULES_MAX; i++)
        x->net[i].end_ns = x->power[i].end_ns = VTIME_NEVER;
    return x;
}

void script_free(struct script *x)
{
    free(x);
}

static bool field_matches(const struct trigger *t, const struct trace_field *fields, size_t n)
{
    if (t->field[0] == '\0')
        return true;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fields[i].key, t->field) != 0)
            continue;
        if (fields[i].text != NULL)
            return strcmp(fields[i].text, t->value) == 0;
        char text[24];
        (void)snprintf(text, sizeof text, "%" PRId64, fields[i].integer);
        return strcmp(text, t->value) == 0;
    }
    return false;
}

/* Counts the event for the trigger; true at the nth match. */
static bool event_fires(struct rule_state *st, const struct trigger *t, enum lane lane,
                        const char *event, const struct trace_field *fields, size_t n)
{
    if (st->fired || t->kind != TRIGGER_EVENT || t->lane != lane || strcmp(t->event, event) != 0 ||
        !field_matches(t, fields, n))
        return false;
    return ++st->seen == t->nth;
}

bool script_is_ended(const struct net_rule *r)
{
    return r->action == NET_REFUSE || r->action == NET_BLACK_HOLE || r->action == NET_PROFILE ||
           r->action == NET_BROKER;
}

void script_begin(struct script *x, uint32_t i, int64_t now_ns, int64_t for_ns)
{
    const struct net_rule *r = &x->s->net[i];
    struct net_rule rest = *r;
    rest.duration_ns = for_ns;
    if (script_is_ended(r) && for_ns > 0)
        x->net[i].end_ns = vtime_after(now_ns, for_ns);
    x->net[i].until_ns = for_ns > 0 ? vtime_after(now_ns, for_ns) : VTIME_NEVER;
    x->ops.net(x->ops.ctx, now_ns, for_ns == r->duration_ns ? r : &rest, true);
}

static void fire_net(struct script *x, uint32_t i, int64_t now_ns)
{
    const struct net_rule *r = &x->s->net[i];
    x->net[i].fired = true;
    if (r->action == NET_BYTE && (r->when.kind == TRIGGER_BYTE || r->when.kind == TRIGGER_REPLY)) {
        x->ops.byte(x->ops.ctx, now_ns, i, r);
        return;
    }
    x->net[i].hit = true;
    x->net[i].order = ++x->fired;
    script_begin(x, i, now_ns, r->duration_ns);
}

static void fire_power(struct script *x, uint32_t i, int64_t now_ns)
{
    const struct trigger *t = &x->s->power[i].when;
    x->power[i].fired = true;
    if (t->kind == TRIGGER_OP)
        x->ops.cut_at_op(x->ops.ctx, now_ns, i, t->op, false);
    else if (t->kind == TRIGGER_EVENT && t->op > 0)
        x->ops.cut_at_op(x->ops.ctx, now_ns, i, t->op, true);
    else
        x->ops.cut_now(x->ops.ctx, now_ns, i);
}

static void fire_push(struct script *x, uint32_t i, int64_t now_ns)
{
    x->push[i].fired = true;
    x->ops.push(x->ops.ctx, now_ns, i);
}

void script_start(struct script *x, int64_t now_ns)
{
    for (uint32_t i = 0; i < x->s->n_net; i++)
        if (x->s->net[i].when.kind == TRIGGER_BYTE)
            fire_net(x, i, now_ns);
    for (uint32_t i = 0; i < x->s->n_power; i++)
        if (x->s->power[i].when.kind == TRIGGER_OP)
            fire_power(x, i, now_ns);
}

static bool reply_fires(struct rule_state *st, const struct trigger *t, enum lane lane,
                        const char *event, const struct trace_field *fields, size_t n)
{
    if (st->fired || t->kind != TRIGGER_REPLY || lane != LANE_CLOUD || strcmp(event, "reply") != 0)
        return false;
    bool kind = false;
    for (size_t i = 0; i < n; i++)
        kind =
            kind ||
            (strcmp(fields[i].key, "rq") == 0 && fields[i].text != NULL &&
             (t->request == RQ_ANY || strcmp(fields[i].text, cloud_request_name(t->request)) == 0));
    return kind && ++st->seen == t->nth;
}

void script_event(struct script *x, int64_t now_ns, enum lane lane, const char *event,
                  const struct trace_field *fields, size_t n)
{
    if (x->stopped)
        return;
    for (uint32_t i = 0; i < x->s->n_net; i++)
        if (event_fires(&x->net[i], &x->s->net[i].when, lane, event, fields, n) ||
            reply_fires(&x->net[i], &x->s->net[i].when, lane, event, fields, n))
            fire_net(x, i, now_ns);
    for (uint32_t i = 0; i < x->s->n_power; i++)
        if (event_fires(&x->power[i], &x->s->power[i].when, lane, event, fields, n))
            fire_power(x, i, now_ns);
    for (uint32_t i = 0; i < x->s->n_pushes; i++)
        if (event_fires(&x->push[i], &x->s->pushes[i].when, lane, event, fields, n))
            fire_push(x, i, now_ns);
    for (uint32_t i = 0; i < x->s->n_offers; i++)
        if (!x->published[i] && x->s->offers[i].on_event[0] != '\0' &&
            (lane == LANE_DEVICE || lane == LANE_BOOT) &&
            strcmp(x->s->offers[i].on_event, event) == 0) {
            x->published[i] = true;
            x->ops.publish(x->ops.ctx, now_ns, i);
        }
}

void script_message(struct script *x, int64_t now_ns, uint64_t number)
{
    for (uint32_t i = 0; i < x->s->n_power && !x->stopped; i++) {
        const struct trigger *t = &x->s->power[i].when;
        if (!x->power[i].fired && t->kind == TRIGGER_MESSAGE && t->op == number)
            fire_power(x, i, now_ns);
    }
}

int64_t script_time(struct script *x, int64_t now_ns)
{
    if (x->stopped)
        return VTIME_NEVER;
    for (uint32_t i = 0; i < x->s->n_offers; i++)
        if (!x->published[i] && x->s->offers[i].on_event[0] == '\0' &&
            x->s->offers[i].at_ns <= now_ns) {
            x->published[i] = true;
            x->ops.publish(x->ops.ctx, now_ns, i);
        }
    for (uint32_t i = 0; i < x->s->n_net; i++) {
        if (!x->net[i].fired && x->s->net[i].when.kind == TRIGGER_TIME &&
            x->s->net[i].when.at_ns <= now_ns)
            fire_net(x, i, now_ns);
        if (x->net[i].end_ns <= now_ns) {
            x->net[i].end_ns = VTIME_NEVER;
            x->ops.net(x->ops.ctx, now_ns, &x->s->net[i], false);
        }
    }
    for (uint32_t i = 0; i < x->s->n_power; i++)
        if (!x->power[i].fired && x->s->power[i].when.kind == TRIGGER_TIME &&
            x->s->power[i].when.at_ns <= now_ns)
            fire_power(x, i, now_ns);
    for (uint32_t i = 0; i < x->s->n_pushes; i++)
        if (!x->push[i].fired && x->s->pushes[i].when.kind == TRIGGER_TIME &&
            x->s->pushes[i].when.at_ns <= now_ns)
            fire_push(x, i, now_ns);
    return script_next(x);
}

int64_t script_next(const struct script *x)
{
    int64_t t = VTIME_NEVER;
    if (x->stopped)
        return t;
    for (uint32_t i = 0; i < x->s->n_offers; i++)
        if (!x->published[i] && x->s->offers[i].on_event[0] == '\0')
            t = vtime_min(t, x->s->offers[i].at_ns);
    for (uint32_t i = 0; i < x->s->n_net; i++) {
        if (!x->net[i].fired && x->s->net[i].when.kind == TRIGGER_TIME)
            t = vtime_min(t, x->s->net[i].when.at_ns);
        t = vtime_min(t, x->net[i].end_ns);
    }
    for (uint32_t i = 0; i < x->s->n_power; i++)
        if (!x->power[i].fired && x->s->power[i].when.kind == TRIGGER_TIME)
            t = vtime_min(t, x->s->power[i].when.at_ns);
    for (uint32_t i = 0; i < x->s->n_pushes; i++)
        if (!x->push[i].fired && x->s->pushes[i].when.kind == TRIGGER_TIME)
            t = vtime_min(t, x->s->pushes[i].when.at_ns);
    return t;
}

void script_stop(struct script *x)
{
    x->stopped = true;
}

void script_hit_net(struct script *x, uint32_t rule)
{
    if (rule < SCENARIO_RULES_MAX)
        x->net[rule].hit = true;
}

void script_hit_power(struct script *x, uint32_t rule)
{
    if (rule < SCENARIO_RULES_MAX)
        x->power[rule].hit = true;
}

void script_hit_push(struct script *x, uint32_t push)
{
    if (push < PUSHES_MAX)
        x->push[push].hit = true;
}

void script_power_state(const struct script *x, uint32_t rule, uint32_t *seen, bool *fired)
{
    *seen = x->power[rule].seen;
    *fired = x->power[rule].fired;
}

void script_resume_power(struct script *x, uint32_t rule, uint32_t seen, bool fired)
{
    if (rule >= SCENARIO_RULES_MAX)
        return;
    x->power[rule].seen = seen;
    x->power[rule].fired = fired;
}

const char *script_missed(struct script *x)
{
    for (uint32_t i = 0; i < x->s->n_net; i++)
        if (!x->net[i].hit) {
            (void)snprintf(x->missed, sizeof x->missed, "network event %u never happened", i + 1);
            return x->missed;
        }
    for (uint32_t i = 0; i < x->s->n_power; i++)
        if (!x->power[i].hit) {
            (void)snprintf(x->missed, sizeof x->missed, "power cut %u never happened", i + 1);
            return x->missed;
        }
    for (uint32_t i = 0; i < x->s->n_pushes; i++)
        if (!x->push[i].hit) {
            (void)snprintf(x->missed, sizeof x->missed, "push %u never happened", i + 1);
            return x->missed;
        }
    for (uint32_t i = 0; i < x->s->n_offers; i++)
        if (!x->published[i]) {
            (void)snprintf(x->missed, sizeof x->missed, "offer %u was never published", i + 1);
            return x->missed;
        }
    return NULL;
}
