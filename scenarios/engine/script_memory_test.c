/*
 * A script that goes on from what another remembered does what that one does from there on:
 * wherever it is interrupted.
 */
#include "scenarios/engine/script_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"

#define CALLS_MAX 32

/* What a script told its owner. */
struct call {
    char kind; /* 'n'et, 'b'yte, 'p'ush */
    int64_t at_ns, for_ns;
    uint32_t rule;
    bool begin;
};
struct owner {
    const struct scenario *s;
    struct call call[CALLS_MAX];
    size_t n;
};

static void note(struct owner *o, struct call c)
{
    REQUIRE(o->n < CALLS_MAX);
    o->call[o->n++] = c;
}

static void on_net(void *ctx, int64_t now_ns, const struct net_rule *r, bool begin)
{
    note(ctx, (struct call){.kind = 'n',
                            .at_ns = now_ns,
                            .for_ns = r->duration_ns,
                            .rule = (uint32_t)r->action,
                            .begin = begin});
}

static void on_byte(void *ctx, int64_t now_ns, uint32_t rule, const struct net_rule *r)
{
    (void)r;
    note(ctx, (struct call){.kind = 'b', .at_ns = now_ns, .rule = rule});
}

static void on_push(void *ctx, int64_t now_ns, uint32_t push)
{
    note(ctx, (struct call){.kind = 'p', .at_ns = now_ns, .rule = push});
}

static void on_publish(void *ctx, int64_t now_ns, uint32_t offer)
{
    (void)ctx;
    (void)now_ns;
    (void)offer;
}

static struct script *script_of(struct owner *o, const struct scenario *s)
{
    *o = (struct owner){.s = s};
    struct script_ops ops = {
        .ctx = o, .net = on_net, .byte = on_byte, .publish = on_publish, .push = on_push};
    struct script *x = script_new(s, &ops);
    REQUIRE(x != NULL);
    return x;
}

static struct scenario *parsed(const char *network, const char *pushes)
{
    char text[2048];
    struct err err = {.text = ""};
    struct scenario *s = calloc(1, sizeof *s);
    REQUIRE(s != NULL);
    (void)snprintf(text, sizeof text,
                   "{\"otabench\": 1, \"text\": \"t\", \"device\": {\"agent\": \"iot-ota\"}, "
                   "\"versions\": [{\"version\": \"1.0\", \"images\": [{\"generate\": {\"bytes\": "
                   "700}}]}, {\"version\": \"1.1\"}], \"network\": {\"faults\": [%s]}, "
                   "\"cloud\": {\"pushes\": [%s]}}",
                   network, pushes);
    REQUIRE_OK(scenario_parse(s, text, strlen(text), "t", &err), &err);
    return s;
}

/* A second passes at each: one event of the device, one reply to a download. */
#define MOMENTS 12
static void live(struct script *x, int64_t from, int64_t to)
{
    const struct trace_field rq = F_STR("rq", "download");
    for (int64_t t = from; t < to; t++) {
        (void)script_time(x, t * NS_PER_S);
        script_event(x, t * NS_PER_S, LANE_DEVICE, "segment", NULL, 0);
        script_event(x, t * NS_PER_S, LANE_CLOUD, "reply", &rq, 1);
    }
    (void)script_time(x, to * NS_PER_S);
}

static const bool none_due[PUSHES_MAX];

/* By bytes, as a state keeps it. */
static void remember(const struct scenario *s, const struct script *x, int64_t now_ns,
                     enum script_power power, uint32_t connections, struct script_memory *out)
{
    struct script_memory m;
    struct buf bytes;
    buf_init(&bytes, 4096);
    script_remember(x, now_ns, power, connections, none_due, &m);
    REQUIRE(script_memory_put(s, &m, &bytes) == 0);
    struct cursor c = cursor_over(bytes.data, bytes.len_bytes);
    script_memory_get(s, &c, out);
    CHECK(cursor_done(&c));
    CHECK_MEM(&m, out, sizeof m);
    buf_free(&bytes);
}

#define SEGMENT(nth, rest) "{\"when\": {\"event\": \"device/segment\", \"nth\": " nth "}, " rest "}"

struct trip_row {
    const char *name, *network, *pushes;
};
static const struct trip_row trip_rows[] = {
    {"an outage", SEGMENT("3", "\"do\": \"outage\", \"for_ms\": 4000"), ""},
    {"two that last, one in the other",
     SEGMENT("2", "\"do\": \"refuse\", \"for_ms\": 6000") ", " SEGMENT(
         "4", "\"do\": \"profile\", \"profile\": \"gprs\", \"for_ms\": 2000"),
     ""},
    {"a profile for good", SEGMENT("5", "\"do\": \"profile\", \"profile\": \"edge\""), ""},
    {"at the reply",
     "{\"when\": {\"reply\": \"download\", \"nth\": 4, \"byte\": 9}, \"do\": "
     "\"reset\"}",
     ""},
    {"messages", "", SEGMENT("3", "\"do\": \"repeat\"") ", " SEGMENT("6", "\"do\": \"cancel\"")},
    {"from the start", "{\"when\": {\"at_ms\": 0}, \"do\": \"black-hole\", \"for_ms\": 5000}", ""},
};

static const char *trip_name(const void *row)
{
    return ((const struct trip_row *)row)->name;
}

/* As at a reset: interrupted at each moment. What lasts is begun again for what is left of it. */
static void goes_on(const void *row)
{
    const struct trip_row *c = row;
    struct scenario *s = parsed(c->network, c->pushes);
    for (int64_t at = 0; at <= MOMENTS; at++) {
        struct owner one, two;
        struct script_memory m, again;
        bool stop = true;
        CHECK(script_forgets(s) == NULL);
        struct script *x = script_of(&one, s), *y = script_of(&two, s);
        script_start(x, 0);
        live(x, 0, at);
        remember(s, x, at * NS_PER_S, POWER_ON, 0, &m);
        script_recall(y, at * NS_PER_S, &m, &stop);
        CHECK(!stop);
        remember(s, y, at * NS_PER_S, POWER_ON, 0, &again);
        CHECK_MEM(&m, &again, sizeof m);
        size_t before = one.n, begun = two.n;
        for (size_t i = 0; i < begun; i++)
            CHECK(two.call[i].begin && two.call[i].for_ns >= 0);
        live(x, at, MOMENTS);
        live(y, at, MOMENTS);
        CHECK_INT(two.n - begun, one.n - before);
        for (size_t i = 0; i < one.n - before && i < two.n - begun; i++)
            CHECK_MEM(&one.call[before + i], &two.call[begun + i], sizeof one.call[0]);
        script_free(x);
        script_free(y);
    }
    free(s);
}

static void power_away_is_long_or_short(void)
{
    struct scenario *s = parsed(SEGMENT("2", "\"do\": \"outage\", \"for_ms\": 4000") ", " SEGMENT(
                                    "3", "\"do\": \"broker-restart\", \"for_ms\": 9000"),
                                "");
    struct owner o;
    struct script_memory m;
    bool stop;
    struct script *x = script_of(&o, s);
    live(x, 0, 4);
    remember(s, x, 4 * NS_PER_S, POWER_CUT, 0, &m);
    CHECK_INT(m.net[0].left_ns, 4 * NS_PER_S); /* anew */
    CHECK_INT(m.net[1].left_ns, 9 * NS_PER_S);
    CHECK(m.net[0].order == 1 && m.net[1].order == 2);
    CHECK(script_memory_over(s, &m));
    CHECK_INT(m.net[0].spent, SPENT_ALL);
    CHECK_INT(m.net[1].spent, SPENT_STOPPED);
    CHECK(!script_memory_over(s, &m));
    size_t before = o.n;
    script_recall(x, 0, &m, &stop);
    CHECK(stop);
    CHECK_INT(o.n, before);
    remember(s, x, 0, POWER_CUT, 0, &m);
    CHECK_INT(m.net[1].spent, SPENT_ALL);
    script_free(x);
    free(s);
}

static void a_cut_sets_off_what_waits_for_it(void)
{
    struct scenario *s =
        parsed("{\"when\": {\"event\": \"power/cut\", \"nth\": 2}, \"do\": \"refuse\", \"for_ms\": "
               "500}",
               "{\"when\": {\"event\": \"power/cut\"}, \"do\": \"cancel\"}");
    struct owner o;
    struct script_memory m;
    bool stop;
    struct script *x = script_of(&o, s);
    remember(s, x, 0, POWER_ON, 0, &m);
    CHECK(m.push[0].spent == SPENT_NOT && m.net[0].spent == SPENT_NOT);
    remember(s, x, 0, POWER_CUT, 0, &m);
    CHECK_INT(m.push[0].spent, SPENT_LASTS);
    CHECK(m.net[0].spent == SPENT_NOT && m.net[0].seen == 1);
    script_recall(x, 0, &m, &stop);
    REQUIRE(o.n == 1);
    CHECK(o.call[0].kind == 'p');
    remember(s, x, 0, POWER_CUT, 0, &m);
    CHECK_INT(m.push[0].spent, SPENT_ALL); /* it was sent: nothing is due */
    CHECK_INT(m.net[0].spent, SPENT_LASTS);
    CHECK_INT(m.net[0].left_ns, 500 * NS_PER_MS);
    script_event(x, 0, LANE_POWER, "cut", NULL, 0); /* a real one: the same */
    struct script_memory real;
    remember(s, x, 0, POWER_OFF, 0, &real);
    CHECK_MEM(&real, &m, sizeof m);
    script_free(x);
    free(s);
}

/* Connections are counted as far as one is waited for; a byte of one that is over will not pass. */
static void connections_are_counted_while_they_matter(void)
{
    static const struct {
        uint32_t connections, counted;
        uint8_t spent[2];
        size_t told;
    } rows[] = {{0, 0, {SPENT_NOT, SPENT_NOT}, 2},
                {2, 2, {SPENT_ALL, SPENT_NOT}, 1},
                {4, 4, {SPENT_ALL, SPENT_NOT}, 1},
                {5, 0, {SPENT_ALL, SPENT_ALL}, 0},
                {9, 0, {SPENT_ALL, SPENT_ALL}, 0}};
    struct scenario *s = parsed("{\"when\": {\"connection\": 2, \"byte\": 7}, \"do\": \"reset\"}, "
                                "{\"when\": {\"connection\": 5, \"byte\": 7}, \"do\": \"reset\"}",
                                "");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct owner o, again;
        struct script_memory m;
        bool stop;
        struct script *x = script_of(&o, s), *y = script_of(&again, s);
        script_start(x, 0);
        CHECK_INT(o.n, 2);
        remember(s, x, 0, POWER_CUT, rows[i].connections, &m);
        CHECK_INT(m.connections, rows[i].counted);
        CHECK_INT(m.net[0].spent, rows[i].spent[0]);
        CHECK_INT(m.net[1].spent, rows[i].spent[1]);
        script_recall(y, 0, &m, &stop);
        CHECK_INT(again.n, rows[i].told);
        script_free(x);
        script_free(y);
    }
    free(s);
}

/* ---- what cannot be kept ---- */

struct forgotten_row {
    const char *name, *network, *pushes, *why;
};
static const struct forgotten_row forgotten_rows[] = {
    {"a time", "{\"when\": {\"at_ms\": 5}, \"do\": \"outage\", \"for_ms\": 9}", "",
     "at a certain time"},
    {"a message at a time", "", "{\"when\": {\"at_ms\": 5}, \"do\": \"cancel\"}",
     "at a certain time"},
    {"a number of the whole update",
     "{\"when\": {\"event\": \"cloud/request\", \"where\": {\"n\": 3}}, \"do\": \"reset\"}", "",
     "over the whole update"},
    {"what takes the cloud its time",
     "{\"when\": {\"event\": \"cloud/offline\"}, \"do\": \"reset\"}", "", "misses a device"},
};

static const char *forgotten_name(const void *row)
{
    return ((const struct forgotten_row *)row)->name;
}

static void is_told(const void *row)
{
    const struct forgotten_row *c = row;
    struct scenario *s = parsed(c->network, c->pushes);
    const char *why = script_forgets(s);
    CHECK(why != NULL);
    CHECK_HAS(why == NULL ? "" : why, c->why);
    free(s);
}

/* ---- bytes that are none ---- */

static void what_cannot_be_is_refused(void)
{
    struct scenario *s = parsed(SEGMENT("2", "\"do\": \"outage\", \"for_ms\": 4000"), "");
    struct script_memory good = {.zero = 0}, m;
    static const struct {
        size_t at;
        uint8_t byte;
    } rows[] = {{0, 1},  {8, 2}, {12, SPENT_COUNT}, {12, SPENT_LASTS}, {12, SPENT_STOPPED},
                {13, 1}, {14, 1}};
    for (size_t i = 0; i <= sizeof rows / sizeof rows[0]; i++) {
        struct buf bytes;
        buf_init(&bytes, 4096);
        REQUIRE(script_memory_put(s, &good, &bytes) == 0);
        if (i > 0)
            bytes.data[rows[i - 1].at] = rows[i - 1].byte;
        struct cursor c = cursor_over(bytes.data, bytes.len_bytes);
        script_memory_get(s, &c, &m);
        CHECK(cursor_done(&c) == (i == 0));
        c = cursor_over(bytes.data, bytes.len_bytes - 1);
        script_memory_get(s, &c, &m);
        CHECK(c.bad);
        buf_free(&bytes);
    }
    free(s);
}

static const struct test tests[] = {
    TEST_ROWS("goes on", goes_on, trip_rows, trip_name),
    {"power away is long or short", power_away_is_long_or_short},
    {"a cut sets off what waits for it", a_cut_sets_off_what_waits_for_it},
    {"connections are counted while they matter", connections_are_counted_while_they_matter},
    TEST_ROWS("is told", is_told, forgotten_rows, forgotten_name),
    {"what cannot be is refused", what_cannot_be_is_refused},
};

TEST_MAIN("engine script memory", tests)
