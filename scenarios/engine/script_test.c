#include "scenarios/engine/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"

#define CALLS_MAX 32

/* What the script told its owner. */
enum call_kind { CALL_NET, CALL_BYTE, CALL_CUT, CALL_CUT_AT_OP, CALL_PUBLISH, CALL_PUSH };
struct call {
    enum call_kind kind;
    int64_t at_ns;
    uint32_t rule; /* or offer; of CALL_NET its index in the scenario */
    bool begin;
    uint64_t op;
    bool relative;
};
struct owner {
    struct scenario *s;
    struct call call[CALLS_MAX];
    size_t n;
};

static struct call *note(struct owner *o, enum call_kind kind, int64_t now_ns, uint32_t rule)
{
    REQUIRE(o->n < CALLS_MAX);
    struct call *c = &o->call[o->n++];
    *c = (struct call){.kind = kind, .at_ns = now_ns, .rule = rule};
    return c;
}

static void on_net(void *ctx, int64_t now_ns, const struct net_rule *r, bool begin)
{
    struct owner *o = ctx;
    note(o, CALL_NET, now_ns, (uint32_t)(r - o->s->net))->begin = begin;
}

static void on_byte(void *ctx, int64_t now_ns, uint32_t rule, const struct net_rule *r)
{
    struct owner *o = ctx;
    CHECK(r == &o->s->net[rule]);
    (void)note(o, CALL_BYTE, now_ns, rule);
}

static void on_cut_now(void *ctx, int64_t now_ns, uint32_t rule)
{
    (void)note(ctx, CALL_CUT, now_ns, rule);
}

static void on_cut_at_op(void *ctx, int64_t now_ns, uint32_t rule, uint64_t op, bool relative)
{
    struct call *c = note(ctx, CALL_CUT_AT_OP, now_ns, rule);
    c->op = op;
    c->relative = relative;
}

static void on_push(void *ctx, int64_t now_ns, uint32_t push)
{
    (void)note(ctx, CALL_PUSH, now_ns, push);
}

static void on_publish(void *ctx, int64_t now_ns, uint32_t offer)
{
    (void)note(ctx, CALL_PUBLISH, now_ns, offer);
}

/* A scenario without rules, its script made by begin(). */
static struct owner *owner_new(void)
{
    struct owner *o = calloc(1, sizeof *o);
    REQUIRE(o != NULL);
    o->s = calloc(1, sizeof *o->s);
    REQUIRE(o->s != NULL);
    return o;
}

static struct script *begin(struct owner *o)
{
    struct script_ops ops = {.ctx = o,
                             .net = on_net,
                             .byte = on_byte,
                             .cut_now = on_cut_now,
                             .cut_at_op = on_cut_at_op,
                             .publish = on_publish,
                             .push = on_push};
    struct script *x = script_new(o->s, &ops);
    REQUIRE(x != NULL);
    return x;
}

static void end(struct owner *o, struct script *x)
{
    script_free(x);
    free(o->s);
    free(o);
}

static struct trigger at_time(int64_t at_ns)
{
    return (struct trigger){.kind = TRIGGER_TIME, .at_ns = at_ns, .nth = 1};
}

static struct trigger on_event(enum lane lane, const char *event, uint32_t nth)
{
    struct trigger t = {.kind = TRIGGER_EVENT, .lane = lane, .nth = nth};
    (void)snprintf(t.event, sizeof t.event, "%s", event);
    return t;
}

static struct trigger where(struct trigger t, const char *field, const char *value)
{
    (void)snprintf(t.field, sizeof t.field, "%s", field);
    (void)snprintf(t.value, sizeof t.value, "%s", value);
    return t;
}

#define EVENT(x, now, lane, name, ...)                                                             \
    script_event((x), (now), (lane), (name), (const struct trace_field[]){__VA_ARGS__},            \
                 sizeof((const struct trace_field[]){__VA_ARGS__}) / sizeof(struct trace_field))

static void check_call(const struct owner *o, size_t i, enum call_kind kind, int64_t at_ns,
                       uint32_t rule)
{
    REQUIRE(i < o->n);
    CHECK_INT(o->call[i].kind, kind);
    CHECK_INT(o->call[i].at_ns, at_ns);
    CHECK_INT(o->call[i].rule, rule);
}

/* ---- time ---- */

static void times_come_once(void)
{
    struct owner *o = owner_new();
    o->s->n_net = 2;
    o->s->net[0] =
        (struct net_rule){.when = at_time(50), .action = NET_OUTAGE, .duration_ns = NS_PER_S};
    o->s->net[1] =
        (struct net_rule){.when = at_time(20), .action = NET_BYTE, .byte_action = LINK_RESET};
    o->s->n_power = 1;
    o->s->power[0] = (struct power_rule){.when = at_time(30)};
    struct script *x = begin(o);
    script_start(x, 0);
    CHECK_INT(o->n, 0);
    CHECK_INT(script_next(x), 20);
    CHECK_INT(script_time(x, 19), 20);
    CHECK_INT(o->n, 0);
    CHECK_INT(script_time(x, 20), 30);
    CHECK_INT(script_time(x, 40), 50);          /* late is fine */
    CHECK_INT(script_time(x, 60), VTIME_NEVER); /* an outage ends by itself */
    CHECK_INT(script_time(x, 1000), VTIME_NEVER);
    CHECK_INT(o->n, 3);
    check_call(o, 0, CALL_NET, 20, 1);
    CHECK(o->call[0].begin);
    check_call(o, 1, CALL_CUT, 40, 0);
    check_call(o, 2, CALL_NET, 60, 0);
    end(o, x);
}

struct duration {
    const char *name;
    enum net_action action;
    int64_t duration_ns;
    bool ends;
};

static const struct duration durations[] = {
    {"refuse", NET_REFUSE, 100, true},
    {"black hole", NET_BLACK_HOLE, 100, true},
    {"profile for a while", NET_PROFILE, 100, true},
    {"profile for good", NET_PROFILE, 0, false},
    {"outage: the link ends it", NET_OUTAGE, 100, false},
};

static const char *duration_name(const void *row)
{
    return ((const struct duration *)row)->name;
}

static void durations_end(const void *row)
{
    const struct duration *d = row;
    struct owner *o = owner_new();
    o->s->n_net = 1;
    o->s->net[0] =
        (struct net_rule){.when = at_time(10), .action = d->action, .duration_ns = d->duration_ns};
    struct script *x = begin(o);
    CHECK_INT(script_time(x, 15), d->ends ? 115 : VTIME_NEVER);
    CHECK_INT(script_time(x, 114), d->ends ? 115 : VTIME_NEVER);
    CHECK_INT(o->n, 1);
    CHECK_INT(script_time(x, 115), VTIME_NEVER);
    CHECK_INT(script_time(x, 500), VTIME_NEVER);
    CHECK_INT(o->n, d->ends ? 2 : 1);
    CHECK(o->call[0].begin);
    if (d->ends) {
        check_call(o, 1, CALL_NET, 115, 0);
        CHECK(!o->call[1].begin);
    }
    CHECK(script_missed(x) == NULL);
    end(o, x);
}

/* ---- events ---- */

struct match {
    const char *name;
    struct {
        enum lane lane;
        const char *event;
    } when;
    uint32_t nth;
    const char *field, *value;
    int fires; /* index into the stream below; -1: never */
};

static const struct {
    enum lane lane;
    const char *event;
    struct trace_field field[2];
    size_t n;
} stream[] = {
    {LANE_DEVICE, "start", {{"version", "1.0", 0}}, 1},
    {LANE_DEVICE, "segment", {{"number", NULL, 1}}, 1},
    {LANE_FLASH, "program", {{"op", NULL, 1}, {"addr", NULL, 4096}}, 2},
    {LANE_DEVICE, "segment", {{"number", NULL, 2}}, 1},
    {LANE_BOOT, "verify", {{"ok", NULL, 1}}, 1},
    {LANE_DEVICE, "verify", {{"ok", NULL, 0}}, 1},
    {LANE_BOOT, "restore", {{"phase", "copy", 0}, {"block", NULL, -3}}, 2},
    {LANE_BOOT, "restore", {{"phase", "apply", 0}, {"block", NULL, -3}}, 2},
    {LANE_DEVICE, "segment", {{"number", NULL, 2}}, 1},
    {LANE_DEVICE, "idle", {{NULL, NULL, 0}}, 0},
};
#define STREAM_LEN (sizeof stream / sizeof stream[0])

static const struct match matches[] = {
    {"first of its name", {LANE_DEVICE, "segment"}, 1, "", "", 1},
    {"second", {LANE_DEVICE, "segment"}, 2, "", "", 3},
    {"third", {LANE_DEVICE, "segment"}, 3, "", "", 8},
    {"fourth of three", {LANE_DEVICE, "segment"}, 4, "", "", -1},
    {"integer field", {LANE_DEVICE, "segment"}, 1, "number", "2", 3},
    {"second with that field", {LANE_DEVICE, "segment"}, 2, "number", "2", 8},
    {"negative integer", {LANE_BOOT, "restore"}, 1, "block", "-3", 6},
    {"text field", {LANE_BOOT, "restore"}, 1, "phase", "apply", 7},
    {"second of two fields", {LANE_FLASH, "program"}, 1, "addr", "4096", 2},
    {"other value", {LANE_FLASH, "program"}, 1, "addr", "409", -1},
    {"field it does not have", {LANE_DEVICE, "start"}, 1, "number", "1", -1},
    {"no fields at all", {LANE_DEVICE, "idle"}, 1, "rounds", "1", -1},
    {"lane decides", {LANE_DEVICE, "verify"}, 1, "", "", 5},
    {"other lane", {LANE_CLOUD, "segment"}, 1, "", "", -1},
    {"start of a name", {LANE_DEVICE, "seg"}, 1, "", "", -1},
};

static const char *match_name(const void *row)
{
    return ((const struct match *)row)->name;
}

static void feed(struct script *x)
{
    for (size_t i = 0; i < STREAM_LEN; i++)
        script_event(x, (int64_t)i, stream[i].lane, stream[i].event, stream[i].field, stream[i].n);
}

/* The same trigger on a network rule and on a power rule. */
static void events_are_matched(const void *row)
{
    const struct match *m = row;
    struct owner *o = owner_new();
    struct trigger t = where(on_event(m->when.lane, m->when.event, m->nth), m->field, m->value);
    o->s->n_net = o->s->n_power = 1;
    o->s->net[0] = (struct net_rule){.when = t, .action = NET_OUTAGE, .duration_ns = 1};
    o->s->power[0] = (struct power_rule){.when = t};
    struct script *x = begin(o);
    script_start(x, 0);
    CHECK_INT(script_next(x), VTIME_NEVER);
    feed(x);
    if (m->fires < 0) {
        CHECK_INT(o->n, 0);
        CHECK_STR(script_missed(x), "network event 1 never happened");
    } else {
        CHECK_INT(o->n, 2);
        check_call(o, 0, CALL_NET, m->fires, 0);
        check_call(o, 1, CALL_CUT, m->fires, 0);
    }
    feed(x); /* a rule happens once */
    if (m->fires >= 0)
        CHECK_INT(o->n, 2);
    end(o, x);
}

/* ---- bytes and replies ---- */

static void byte_rules_are_there_from_the_start(void)
{
    struct owner *o = owner_new();
    o->s->n_net = 2;
    o->s->net[1] =
        (struct net_rule){.when = {.kind = TRIGGER_BYTE, .connection = 3, .byte = 700, .nth = 1},
                          .action = NET_BYTE,
                          .byte_action = LINK_CLOSE};
    o->s->net[0] =
        (struct net_rule){.when = at_time(5), .action = NET_BYTE, .byte_action = LINK_RESET};
    struct script *x = begin(o);
    script_start(x, 0);
    CHECK_INT(o->n, 1);
    check_call(o, 0, CALL_BYTE, 0, 1);
    (void)script_time(x, 5);
    CHECK_INT(o->n, 2);
    check_call(o, 1, CALL_NET, 5, 0); /* at a time: on every live connection */
    CHECK_STR(script_missed(x), "network event 2 never happened"); /* installed is not happened */
    script_hit_net(x, 1);
    CHECK(script_missed(x) == NULL);
    end(o, x);
}

struct reply {
    const char *name;
    enum cloud_request request;
    uint32_t nth;
    int fires; /* index into the replies below */
};

static const char *const answered[] = {"register", "check", "download", "download",
                                       "report-upgrade"};
static const struct reply replies[] = {
    {"first check", RQ_CHECK, 1, 1},        {"second download", RQ_DOWNLOAD, 2, 3},
    {"any, the first", RQ_ANY, 1, 0},       {"any, the fourth", RQ_ANY, 4, 3},
    {"third download", RQ_DOWNLOAD, 3, -1}, {"never asked", RQ_REPORT_DOWNLOAD, 1, -1},
};

static const char *reply_name(const void *row)
{
    return ((const struct reply *)row)->name;
}

static void replies_are_counted(const void *row)
{
    const struct reply *r = row;
    struct owner *o = owner_new();
    o->s->n_net = 1;
    o->s->net[0] = (struct net_rule){
        .when = {.kind = TRIGGER_REPLY, .request = r->request, .nth = r->nth, .byte = 9},
        .action = NET_BYTE,
        .byte_action = LINK_RESET};
    struct script *x = begin(o);
    script_start(x, 0);
    for (int i = 0; i < 5; i++) {
        EVENT(x, i, LANE_CLOUD, "request", F_STR("rq", answered[i]));
        EVENT(x, i, LANE_DEVICE, "reply", F_STR("rq", answered[i]));
        EVENT(x, i, LANE_CLOUD, "reply", F_INT("n", 1), F_STR("rq", answered[i]));
    }
    CHECK_INT(o->n, r->fires >= 0);
    if (r->fires >= 0)
        check_call(o, 0, CALL_BYTE, r->fires, 0);
    end(o, x);
}

/* ---- power ---- */

static void cuts_at_operations(void)
{
    struct owner *o = owner_new();
    o->s->n_power = 3;
    o->s->power[0].when = (struct trigger){.kind = TRIGGER_OP, .op = 137, .nth = 1};
    o->s->power[1].when = on_event(LANE_DEVICE, "segment", 1);
    o->s->power[1].when.op = 4; /* plus_ops */
    o->s->power[2].when = on_event(LANE_DEVICE, "segment", 1);
    struct script *x = begin(o);
    script_start(x, 0);
    CHECK_INT(o->n, 1);
    check_call(o, 0, CALL_CUT_AT_OP, 0, 0);
    CHECK_INT(o->call[0].op, 137);
    CHECK(!o->call[0].relative);
    EVENT(x, 5, LANE_DEVICE, "segment", F_INT("number", 1));
    CHECK_INT(o->n, 3);
    check_call(o, 1, CALL_CUT_AT_OP, 5, 1);
    CHECK_INT(o->call[1].op, 4);
    CHECK(o->call[1].relative);
    check_call(o, 2, CALL_CUT, 5, 2);
    end(o, x);
}

/* The device process of wire mode dies at each cut: the next one goes on counting. */
static void counts_survive_the_process(void)
{
    struct owner *o = owner_new();
    o->s->n_power = 2;
    o->s->power[0].when = on_event(LANE_DEVICE, "segment", 3);
    o->s->power[1].when = on_event(LANE_DEVICE, "start", 1);
    struct script *x = begin(o);
    EVENT(x, 1, LANE_DEVICE, "start", F_STR("version", "1.0"));
    EVENT(x, 2, LANE_DEVICE, "segment", F_INT("number", 1));
    EVENT(x, 3, LANE_DEVICE, "segment", F_INT("number", 2));
    uint32_t seen[2];
    bool fired[2];
    for (uint32_t i = 0; i < 2; i++)
        script_power_state(x, i, &seen[i], &fired[i]);
    CHECK_INT(seen[0], 2);
    CHECK(!fired[0]);
    CHECK_INT(seen[1], 1);
    CHECK(fired[1]);
    script_free(x);
    o->n = 0;
    x = begin(o);
    for (uint32_t i = 0; i < 2; i++)
        script_resume_power(x, i, seen[i], fired[i]);
    script_resume_power(x, SCENARIO_RULES_MAX, 1, true); /* no such rule: nothing */
    EVENT(x, 4, LANE_DEVICE, "start", F_STR("version", "1.0"));
    CHECK_INT(o->n, 0);
    EVENT(x, 5, LANE_DEVICE, "segment", F_INT("number", 2));
    CHECK_INT(o->n, 1);
    check_call(o, 0, CALL_CUT, 5, 0);
    end(o, x);
}

/* ---- pushes ---- */

/* Due once each; what the owner could not send has not happened. */
static void pushes_are_due_once(void)
{
    struct owner *o = owner_new();
    o->s->n_pushes = 3;
    o->s->pushes[0].when = at_time(70);
    o->s->pushes[1].when = on_event(LANE_CLOUD, "push", 2);
    o->s->pushes[2].when = on_event(LANE_DEVICE, "idle", 1);
    struct script *x = begin(o);
    script_start(x, 0);
    CHECK_INT(script_time(x, 0), 70);
    CHECK_INT(o->n, 0);
    EVENT(x, 10, LANE_CLOUD, "push", F_INT("delivered", 1));
    CHECK_INT(o->n, 0);
    EVENT(x, 20, LANE_CLOUD, "push", F_INT("delivered", 1));
    check_call(o, 0, CALL_PUSH, 20, 1);
    EVENT(x, 30, LANE_CLOUD, "push", F_INT("delivered", 1));
    CHECK_INT(script_time(x, 90), VTIME_NEVER);
    CHECK_INT(o->n, 2);
    check_call(o, 1, CALL_PUSH, 90, 0);
    CHECK_STR(script_missed(x), "push 1 never happened");
    script_hit_push(x, 0);
    script_hit_push(x, 1);
    CHECK_STR(script_missed(x), "push 3 never happened");
    script_stop(x);
    EVENT(x, 99, LANE_DEVICE, "idle", F_INT("rounds", 1));
    CHECK_INT(o->n, 2);
    end(o, x);
}

/* ---- offers ---- */

static void offers_are_published_once(void)
{
    struct owner *o = owner_new();
    o->s->n_offers = 4;
    o->s->offers[0].at_ns = 0;
    o->s->offers[1].at_ns = 70;
    (void)snprintf(o->s->offers[2].on_event, sizeof o->s->offers[2].on_event, "segment");
    (void)snprintf(o->s->offers[3].on_event, sizeof o->s->offers[3].on_event, "restored");
    struct script *x = begin(o);
    script_start(x, 0);
    CHECK_INT(script_time(x, 0), 70);
    CHECK_INT(o->n, 1);
    check_call(o, 0, CALL_PUBLISH, 0, 0);
    EVENT(x, 10, LANE_CLOUD, "segment", F_INT("number", 1));
    CHECK_INT(o->n, 1);
    EVENT(x, 20, LANE_DEVICE, "segment", F_INT("number", 1));
    EVENT(x, 30, LANE_DEVICE, "segment", F_INT("number", 2));
    CHECK_INT(o->n, 2);
    check_call(o, 1, CALL_PUBLISH, 20, 2);
    CHECK_STR(script_missed(x), "offer 2 was never published");
    CHECK_INT(script_time(x, 80), VTIME_NEVER);
    check_call(o, 2, CALL_PUBLISH, 80, 1);
    CHECK_STR(script_missed(x), "offer 4 was never published");
    EVENT(x, 90, LANE_BOOT, "restored", F_INT("files", 1));
    check_call(o, 3, CALL_PUBLISH, 90, 3);
    CHECK(script_missed(x) == NULL);
    CHECK_INT(o->n, 4);
    end(o, x);
}

/* ---- the end ---- */

static void what_was_missed_is_said_in_order(void)
{
    struct owner *o = owner_new();
    o->s->n_net = 1;
    o->s->net[0] = (struct net_rule){.when = at_time(10), .action = NET_OUTAGE, .duration_ns = 1};
    o->s->n_power = 2;
    o->s->power[0].when = at_time(20);
    o->s->power[1].when = at_time(30);
    struct script *x = begin(o);
    CHECK_STR(script_missed(x), "network event 1 never happened");
    (void)script_time(x, 10);
    CHECK_STR(script_missed(x), "power cut 1 never happened");
    (void)script_time(x, 40);
    CHECK_STR(script_missed(x), "power cut 1 never happened"); /* asked for, not yet done */
    script_hit_power(x, 0);
    CHECK_STR(script_missed(x), "power cut 2 never happened");
    script_hit_power(x, SCENARIO_RULES_MAX); /* a replay token's own cut */
    script_hit_net(x, SCENARIO_RULES_MAX);
    script_hit_power(x, 1);
    CHECK(script_missed(x) == NULL);
    end(o, x);
}

static void nothing_happens_after_the_stop(void)
{
    struct owner *o = owner_new();
    o->s->n_net = 2;
    o->s->net[0] = (struct net_rule){.when = at_time(10), .action = NET_REFUSE, .duration_ns = 100};
    o->s->net[1] = (struct net_rule){
        .when = on_event(LANE_DEVICE, "start", 1), .action = NET_OUTAGE, .duration_ns = 100};
    o->s->n_power = 1;
    o->s->power[0].when = at_time(20);
    o->s->n_offers = 1;
    o->s->offers[0].at_ns = 20;
    struct script *x = begin(o);
    CHECK_INT(script_time(x, 10), 20);
    CHECK_INT(o->n, 1);
    script_stop(x);
    CHECK_INT(script_next(x), VTIME_NEVER);
    CHECK_INT(script_time(x, 1000), VTIME_NEVER);
    EVENT(x, 1000, LANE_DEVICE, "start", F_STR("version", "1.0"));
    CHECK_INT(o->n, 1);
    end(o, x);
}

static const struct test tests[] = {
    {"times come once", times_come_once},
    TEST_ROWS("durations end", durations_end, durations, duration_name),
    TEST_ROWS("events are matched", events_are_matched, matches, match_name),
    {"byte rules are there from the start", byte_rules_are_there_from_the_start},
    TEST_ROWS("replies are counted", replies_are_counted, replies, reply_name),
    {"cuts at operations", cuts_at_operations},
    {"counts survive the process", counts_survive_the_process},
    {"pushes are due once", pushes_are_due_once},
    {"offers are published once", offers_are_published_once},
    {"what was missed is said in order", what_was_missed_is_said_in_order},
    {"nothing happens after the stop", nothing_happens_after_the_stop},
};
TEST_MAIN("script", tests)
