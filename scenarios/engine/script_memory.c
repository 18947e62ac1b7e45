#include "scenarios/engine/script_memory.h"

#include <string.h>

#include "scenarios/engine/script_internal.h"

/* ---- what can be kept ---- */

/* A count over the whole update, not of what one start does. */
static bool counts_all(const struct trigger *t)
{
    static const char *const fields[] = {"op", "n", "conn", "tear", "torn"};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(t->field, fields[i]) == 0)
            return true;
    return false;
}

static bool is_late(const struct trigger *t)
{
    return t->lane == LANE_CLOUD &&
           (strcmp(t->event, "offline") == 0 || strcmp(t->event, "late") == 0);
}

static const char *trigger_forgets(const struct trigger *t)
{
    if (t->kind == TRIGGER_TIME && t->at_ns > 0)
        return "a network rule or a message of its script at a certain time: time is not part of a "
               "state";
    if (t->kind != TRIGGER_EVENT)
        return NULL;
    if (counts_all(t))
        return "a rule of its script that waits for a number which counts over the whole update";
    return is_late(t) ? "a rule of its script that waits until the cloud misses a device: time is "
                        "not part of a state"
                      : NULL;
}

const char *script_forgets(const struct scenario *s)
{
    const char *why = NULL;
    for (uint32_t i = 0; i < s->n_net && why == NULL; i++)
        why = trigger_forgets(&s->net[i].when);
    for (uint32_t i = 0; i < s->n_pushes && why == NULL; i++)
        why = trigger_forgets(&s->pushes[i].when);
    return why;
}

/* ---- remembering ---- */

static bool can_last(const struct net_rule *r)
{
    return r->action == NET_OUTAGE || script_is_ended(r);
}

/* Whether the cut itself sets it off. */
static bool is_by_cut(const struct trigger *t, uint32_t *seen)
{
    if (t->kind != TRIGGER_EVENT || t->lane != LANE_POWER || strcmp(t->event, "cut") != 0)
        return false;
    return ++*seen == t->nth;
}

bool script_cut_sets_off(const struct script *x, uint32_t rule)
{
    uint32_t seen = x->net[rule].seen;
    return !x->net[rule].fired && is_by_cut(&x->s->net[rule].when, &seen);
}

static bool is_dead(const struct trigger *t, uint32_t connections)
{
    return t->kind == TRIGGER_BYTE && t->connection <= connections;
}

/* Those that last are numbered from 1, in their order. */
static void number_orders(const struct scenario *s, struct script_memory *m)
{
    uint8_t order[SCENARIO_RULES_MAX] = {0};
    for (uint32_t i = 0; i < s->n_net; i++)
        for (uint32_t k = 0; k < s->n_net && m->net[i].spent == SPENT_LASTS; k++) {
            bool before =
                m->net[k].order < m->net[i].order || (m->net[k].order == m->net[i].order && k <= i);
            order[i] = (uint8_t)(order[i] + (m->net[k].spent == SPENT_LASTS && before));
        }
    for (uint32_t i = 0; i < s->n_net; i++)
        m->net[i].order = order[i];
}

bool script_offers_late(const struct scenario *s)
{
    for (uint32_t i = 0; i < s->n_offers; i++)
        if (s->offers[i].on_event[0] != '\0')
            return true;
    return false;
}

static void remember_pushes(const struct script *x, bool cut, const bool due[PUSHES_MAX],
                            struct script_memory *out)
{
    for (uint32_t i = 0; i < x->s->n_pushes; i++) {
        uint32_t seen = x->push[i].seen;
        if (x->push[i].fired ? due[i] : cut && is_by_cut(&x->s->pushes[i].when, &seen))
            out->push[i].spent = SPENT_LASTS;
        else if (x->push[i].fired)
            out->push[i].spent = SPENT_ALL;
        else
            out->push[i].seen = seen;
    }
}

void script_remember(const struct script *x, int64_t now_ns, enum script_power power,
                     uint32_t connections, const bool due[PUSHES_MAX], struct script_memory *out)
{
    const struct scenario *s = x->s;
    uint32_t last = 0;
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < s->n_net; i++) {
        const struct net_rule *r = &s->net[i];
        const struct rule_state *st = &x->net[i];
        uint32_t seen = st->seen;
        bool waits = r->when.kind == TRIGGER_BYTE ? !st->hit : !st->fired;
        bool by_cut = waits && power == POWER_CUT && is_by_cut(&r->when, &seen);
        if (waits && !by_cut && !is_dead(&r->when, connections)) {
            out->net[i].seen = seen;
            if (r->when.kind == TRIGGER_BYTE && r->when.connection > last)
                last = r->when.connection;
            continue;
        }
        out->net[i].spent = SPENT_ALL;
        if (!can_last(r) || (!by_cut && (st->until_ns <= now_ns || !st->fired)))
            continue;
        out->net[i].spent = SPENT_LASTS;
        out->net[i].order = (uint8_t)(by_cut ? SCENARIO_RULES_MAX : st->order);
        out->net[i].left_ns =
            power != POWER_ON || r->duration_ns == 0 ? r->duration_ns : st->until_ns - now_ns;
    }
    number_orders(s, out);
    remember_pushes(x, power == POWER_CUT, due, out);
    out->connections = connections < last ? connections : last;
    for (uint32_t i = 0; i < s->n_offers; i++)
        out->published[i] = s->offers[i].on_event[0] != '\0' && x->published[i];
}

bool script_memory_over(const struct scenario *s, struct script_memory *m)
{
    bool any = false;
    for (uint32_t i = 0; i < s->n_net; i++) {
        if (m->net[i].spent != SPENT_LASTS || m->net[i].left_ns == 0)
            continue;
        m->net[i].spent = s->net[i].action == NET_BROKER ? SPENT_STOPPED : SPENT_ALL;
        m->net[i].left_ns = 0;
        m->net[i].order = 0;
        any = true;
    }
    number_orders(s, m);
    return any;
}

/* ---- going on ---- */

static void begin_again(struct script *x, int64_t now_ns, const struct script_memory *m)
{
    for (uint32_t at = 1; at <= x->s->n_net; at++)
        for (uint32_t i = 0; i < x->s->n_net; i++)
            if (m->net[i].spent == SPENT_LASTS && m->net[i].order == at) {
                x->net[i].order = ++x->fired;
                script_begin(x, i, now_ns, m->net[i].left_ns);
            }
}

void script_recall(struct script *x, int64_t now_ns, const struct script_memory *m, bool *stop)
{
    const struct rule_state fresh = {.end_ns = VTIME_NEVER};
    *stop = false;
    x->stopped = false;
    x->fired = 0;
    for (uint32_t i = 0; i < x->s->n_net; i++) {
        struct rule_state *st = &x->net[i];
        const struct net_rule *r = &x->s->net[i];
        *st = fresh;
        st->seen = m->net[i].seen;
        st->fired = st->hit = m->net[i].spent != SPENT_NOT;
        *stop = *stop || m->net[i].spent == SPENT_STOPPED;
        if (!st->fired && r->when.kind == TRIGGER_BYTE) {
            st->fired = true;
            x->ops.byte(x->ops.ctx, now_ns, i, r);
        }
    }
    begin_again(x, now_ns, m);
    for (uint32_t i = 0; i < x->s->n_offers; i++)
        if (x->s->offers[i].on_event[0] != '\0')
            x->published[i] = m->published[i] != 0;
    for (uint32_t i = 0; i < x->s->n_pushes; i++) {
        x->push[i] = fresh;
        x->push[i].seen = m->push[i].seen;
        x->push[i].fired = m->push[i].spent != SPENT_NOT;
        x->push[i].hit = m->push[i].spent == SPENT_ALL;
        if (m->push[i].spent == SPENT_LASTS)
            x->ops.push(x->ops.ctx, now_ns, i);
    }
}

/* ---- bytes ---- */

int script_memory_put(const struct scenario *s, const struct script_memory *m, struct buf *out)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < s->n_net; i++)
        rc = buf_append(out, &m->net[i], sizeof m->net[i]);
    for (uint32_t i = 0; rc == 0 && i < s->n_pushes; i++)
        rc = buf_append(out, &m->push[i], sizeof m->push[i]);
    for (uint32_t i = 0; rc == 0 && i < s->n_offers; i++)
        if (s->offers[i].on_event[0] != '\0')
            rc = buf_append(out, &m->published[i], 1);
    return rc == 0 ? buf_append(out, &m->connections, sizeof m->connections) : rc;
}

static void take(struct cursor *c, void *out, size_t len_bytes)
{
    if (c->bad || (size_t)(c->end - c->at) < len_bytes) {
        c->bad = true;
        return;
    }
    memcpy(out, c->at, len_bytes);
    c->at += len_bytes;
}

static bool net_possible(const struct net_rule *r, const struct script_memory *m, uint32_t i)
{
    bool lasts = m->net[i].spent == SPENT_LASTS;
    if (m->net[i].zero[0] != 0 || m->net[i].zero[1] != 0 || m->net[i].spent >= SPENT_COUNT)
        return false;
    if (m->net[i].spent == SPENT_NOT ? r->when.kind == TRIGGER_TIME : m->net[i].seen != 0)
        return false;
    if (m->net[i].seen > 0 && m->net[i].seen >= r->when.nth)
        return false;
    if (m->net[i].spent == SPENT_STOPPED && r->action != NET_BROKER)
        return false;
    if (!lasts)
        return m->net[i].left_ns == 0 && m->net[i].order == 0;
    return can_last(r) && m->net[i].left_ns >= 0 && m->net[i].left_ns <= r->duration_ns &&
           (m->net[i].left_ns == 0) == (r->duration_ns == 0);
}

/* Those that last are numbered from 1. */
static bool orders_possible(const struct scenario *s, const struct script_memory *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_net; i++)
        n += m->net[i].spent == SPENT_LASTS;
    for (uint32_t at = 1; at <= n; at++) {
        uint32_t found = 0;
        for (uint32_t i = 0; i < s->n_net; i++)
            found += m->net[i].order == at;
        if (found != 1)
            return false;
    }
    return true;
}

void script_memory_get(const struct scenario *s, struct cursor *c, struct script_memory *out)
{
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < s->n_net; i++)
        take(c, &out->net[i], sizeof out->net[i]);
    for (uint32_t i = 0; i < s->n_pushes; i++)
        take(c, &out->push[i], sizeof out->push[i]);
    for (uint32_t i = 0; i < s->n_offers; i++)
        if (s->offers[i].on_event[0] != '\0')
            take(c, &out->published[i], 1);
    take(c, &out->connections, sizeof out->connections);
    bool good = !c->bad;
    for (uint32_t i = 0; good && i < s->n_offers; i++)
        good = out->published[i] <= 1;
    for (uint32_t i = 0; good && i < s->n_net; i++)
        good = net_possible(&s->net[i], out, i);
    for (uint32_t i = 0; good && i < s->n_pushes; i++)
        good = out->push[i].spent <= SPENT_LASTS && out->push[i].zero[0] == 0 &&
               out->push[i].zero[1] == 0 && out->push[i].zero[2] == 0 &&
               (out->push[i].spent == SPENT_NOT
                    ? s->pushes[i].when.kind != TRIGGER_TIME &&
                          (out->push[i].seen == 0 || out->push[i].seen < s->pushes[i].when.nth)
                    : out->push[i].seen == 0);
    c->bad = !good || !orders_possible(s, out);
}
