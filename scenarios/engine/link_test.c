/* Profiles, time, doors, silence: everything but the faults at a byte (link_rules_test.c). */
#include "scenarios/engine/link_testing.h"

#define MS NS_PER_MS

/* A byte takes 1 ms down and 2 ms up. */
static const struct link_profile slow = {
    .name = "slow", .down_bps = 8000, .up_bps = 4000, .one_way_ns = 100 * MS, .segment_bytes = 100};
static const struct link_profile quick = {
    .name = "quick", .one_way_ns = 100 * MS, .segment_bytes = 100};

static uint8_t stream[DIARY_BYTES];

static void send(struct link *l, uint32_t conn, enum link_dir dir, size_t from, size_t len_bytes,
                 int64_t now_ns)
{
    fill_stream(stream, sizeof stream);
    REQUIRE(link_enter(l, conn, dir, stream + from, len_bytes, now_ns) == 0);
}

/* ---- profiles ---- */

static void profiles_are_whole(void)
{
    const struct link_profile *p;
    size_t n = 0;
    for (; (p = link_profile_at(n)) != NULL; n++) {
        CHECK(link_profile_find(p->name) == p);
        CHECK(p->text[0] != '\0');
        CHECK(p->segment_bytes >= 1);
        CHECK(p->one_way_ns >= 0 && p->jitter_ns >= 0 && p->idle_ns >= 0);
        CHECK(p->loss_ppm < 1000000);
    }
    CHECK(n >= 10);
    CHECK(link_profile_find("perfect") == link_profile_at(0));
    CHECK(link_profile_find("dial-up") == NULL);
}

static void actions_have_names(void)
{
    CHECK_STR(link_action_name(LINK_RESET), "reset");
    CHECK_STR(link_action_name(LINK_CLOSE), "close");
    CHECK_STR(link_action_name(LINK_HALF), "half-close");
    CHECK_STR(link_action_name(LINK_STALL), "stall");
    CHECK_STR(link_action_name(LINK_CORRUPT), "corrupt");
    CHECK_STR(link_action_name(LINK_DRIBBLE), "dribble");
    CHECK_STR(link_action_name(LINK_ACTION_COUNT), "?");
}

/* ---- rate and delay ---- */

struct timing {
    const char *name;
    const struct link_profile *profile;
    enum link_dir dir;
    size_t sends[3]; /* bytes, at 1 s, 1 s and 5 s; 0: none */
    struct {
        size_t len_bytes;
        int64_t at_ms;
    } want[6];
};

static const struct timing timings[] = {
    {"unlimited: only the way", &quick, LINK_DOWN, {250}, {{100, 1100}, {100, 1100}, {50, 1100}}},
    {"rate of the download", &slow, LINK_DOWN, {250}, {{100, 1200}, {100, 1300}, {50, 1350}}},
    {"rate of the upload", &slow, LINK_UP, {250}, {{100, 1300}, {100, 1500}, {50, 1600}}},
    {"the sender's queue", &slow, LINK_DOWN, {100, 20}, {{100, 1200}, {20, 1220}}},
    {"the queue runs empty", &slow, LINK_DOWN, {100, 0, 100}, {{100, 1200}, {100, 5200}}},
    {"one byte", &slow, LINK_UP, {1}, {{1, 1102}}},
};

static const char *timing_name(const void *row)
{
    return ((const struct timing *)row)->name;
}

static void time_is_exact(const void *row)
{
    static const int64_t at_ms[3] = {1000, 1000, 5000};
    const struct timing *t = row;
    struct link *l = link_of(t->profile, 1);
    struct diary *d = diary_new();
    uint32_t conn = open_connection(l, 0);
    size_t sent = 0;
    for (size_t i = 0; i < 3; i++) {
        if (t->sends[i] > 0)
            send(l, conn, t->dir, sent, t->sends[i], at_ms[i] * MS);
        sent += t->sends[i];
    }
    CHECK_INT(link_sent(l, conn, t->dir), sent);
    CHECK_INT(link_sent(l, conn, 1 - t->dir), 0);
    diary_run(d, l, 100 * NS_PER_S);
    size_t n = 0;
    for (; n < 6 && t->want[n].len_bytes > 0; n++) {
        CHECK_INT(d->event[n].len_bytes, t->want[n].len_bytes);
        CHECK_INT(d->event[n].at_ns, t->want[n].at_ms * MS);
    }
    CHECK_INT(d->n, n);
    CHECK_INT(d->len[t->dir], sent);
    CHECK_MEM(d->bytes[t->dir], stream, sent);
    link_free(l);
    free(d);
}

static void a_connect_takes_one_round_trip(void)
{
    struct link *l = link_of(&quick, 1);
    struct diary *d = diary_new();
    uint32_t conn = link_connect(l, 3 * NS_PER_S);
    CHECK_INT(conn, 1);
    CHECK(link_is_live(l, conn));
    CHECK_INT(link_deadline(l), 3200 * MS);
    struct link_event ev;
    CHECK(!link_next(l, 3200 * MS - 1, &ev));
    diary_run(d, l, 3200 * MS);
    CHECK_INT(d->n, 1);
    CHECK_INT(d->event[0].kind, LINK_EV_CONNECTED);
    CHECK_INT(d->event[0].conn, conn);
    CHECK_INT(link_deadline(l), VTIME_NEVER);
    CHECK_INT(link_connect(l, 4 * NS_PER_S), 2);
    CHECK_INT(link_connections(l), 2);
    link_free(l);
    free(d);
}

/* Both directions have their own sender; connections of one direction share it. */
static void connections_share_the_rate(void)
{
    struct link *l = link_of(&slow, 1);
    struct diary *d = diary_new();
    uint32_t a = open_connection(l, 0);
    uint32_t b = open_connection(l, 0);
    send(l, a, LINK_DOWN, 0, 100, NS_PER_S);
    send(l, b, LINK_DOWN, 0, 100, NS_PER_S);
    send(l, b, LINK_UP, 0, 100, NS_PER_S);
    diary_run(d, l, 100 * NS_PER_S);
    REQUIRE(d->n == 3);
    CHECK_INT(d->event[0].conn, a);
    CHECK_INT(d->event[0].at_ns, 1200 * MS);
    /* Same instant: what entered first comes out first. */
    CHECK_INT(d->event[1].dir, LINK_DOWN);
    CHECK_INT(d->event[1].at_ns, 1300 * MS);
    CHECK_INT(d->event[2].dir, LINK_UP);
    CHECK_INT(d->event[2].at_ns, 1300 * MS);
    link_free(l);
    free(d);
}

static void the_radio_wakes_once(void)
{
    struct link_profile p = quick;
    p.idle_ns = 2 * NS_PER_S;
    struct link *l = link_of(&p, 1);
    struct diary *d = diary_new();
    uint32_t conn = link_connect(l, 0);
    diary_run(d, l, 5 * NS_PER_S);
    CHECK_INT(diary_time(d, LINK_EV_CONNECTED), 2200 * MS);
    send(l, conn, LINK_UP, 0, 1, 3 * NS_PER_S); /* awake */
    send(l, conn, LINK_UP, 1, 1, 12 * NS_PER_S);
    send(l, conn, LINK_UP, 2, 1, 22 * NS_PER_S - 1);
    send(l, conn, LINK_UP, 3, 1, 32 * NS_PER_S); /* after 10 s of silence */
    send(l, conn, LINK_DOWN, 0, 1, 35 * NS_PER_S);
    diary_run(d, l, 100 * NS_PER_S);
    CHECK_INT(d->byte_ns[LINK_UP][0], 3100 * MS);
    CHECK_INT(d->byte_ns[LINK_UP][1], 12100 * MS);
    CHECK_INT(d->byte_ns[LINK_UP][2], 22100 * MS - 1);
    CHECK_INT(d->byte_ns[LINK_UP][3], 34100 * MS);
    CHECK_INT(d->byte_ns[LINK_DOWN][0], 35100 * MS);
    link_free(l);
    free(d);
}

static void a_profile_changes_from_now_on(void)
{
    struct link *l = link_of(&quick, 1);
    struct diary *d = diary_new();
    uint32_t conn = open_connection(l, 0);
    send(l, conn, LINK_DOWN, 0, 100, NS_PER_S);
    link_set_profile(l, &slow);
    send(l, conn, LINK_DOWN, 100, 100, NS_PER_S);
    diary_run(d, l, 100 * NS_PER_S);
    CHECK_INT(d->byte_ns[LINK_DOWN][99], 1100 * MS);
    CHECK_INT(d->byte_ns[LINK_DOWN][100], 1200 * MS);
    link_free(l);
    free(d);
}

/* ---- jitter and loss ---- */

static void jitter_keeps_the_order(void)
{
    struct link_profile p = quick;
    p.jitter_ns = 300 * MS;
    p.segment_bytes = 8;
    struct link *l = link_of(&p, 7);
    struct diary *d = diary_new();
    uint32_t conn = open_connection(l, 0);
    int64_t most_ns = 0;
    /* First far enough apart to draw freely, then so close that they would overtake. */
    int64_t sent_ns[400];
    for (size_t i = 0; i < 400; i++) {
        sent_ns[i] = i == 0 ? NS_PER_S : sent_ns[i - 1] + (i < 200 ? 400 * MS : 20 * MS);
        send(l, conn, LINK_DOWN, i * 8, 8, sent_ns[i]);
    }
    diary_run(d, l, 1000 * NS_PER_S);
    REQUIRE(d->len[LINK_DOWN] == 3200);
    CHECK_MEM(d->bytes[LINK_DOWN], stream, 3200);
    int64_t least_ns = VTIME_NEVER;
    for (size_t i = 0; i < 400; i++) {
        int64_t late_ns = d->byte_ns[LINK_DOWN][i * 8] - sent_ns[i] - p.one_way_ns;
        CHECK(late_ns >= 0 && late_ns < p.jitter_ns);
        most_ns = late_ns > most_ns ? late_ns : most_ns;
        least_ns = vtime_min(least_ns, late_ns);
        if (i > 0)
            CHECK(d->byte_ns[LINK_DOWN][i * 8] >= d->byte_ns[LINK_DOWN][i * 8 - 8]);
    }
    CHECK(least_ns < p.jitter_ns / 10 && most_ns > p.jitter_ns * 9 / 10);
    link_free(l);
    free(d);
}

/* A lost segment arrives after one time-out or several, each twice the one before. */
static void loss_is_late_never_lost(void)
{
    static const int64_t steps_s[] = {0, 1, 3, 7, 15, 31, 63, 123, 183};
    struct link_profile p = quick;
    p.loss_ppm = 300000;
    struct link *l = link_of(&p, 5);
    struct diary *d = diary_new();
    uint32_t conn = open_connection(l, 0);
    size_t hit[sizeof steps_s / sizeof steps_s[0]] = {0};
    for (size_t i = 0; i < 200; i++) {
        int64_t now_ns = (int64_t)(i + 1) * 1000 * NS_PER_S;
        send(l, conn, LINK_DOWN, i * 10, 10, now_ns);
        diary_run(d, l, now_ns + 999 * NS_PER_S);
        REQUIRE(d->len[LINK_DOWN] == (i + 1) * 10);
        int64_t late_ns = d->byte_ns[LINK_DOWN][i * 10] - now_ns - p.one_way_ns;
        size_t k = 0;
        while (k + 1 < sizeof steps_s / sizeof steps_s[0] && steps_s[k] * NS_PER_S != late_ns)
            k++;
        CHECK_INT(late_ns, steps_s[k] * NS_PER_S);
        hit[k]++;
    }
    CHECK_MEM(d->bytes[LINK_DOWN], stream, 2000);
    /* 30 % of 200: far from none, far from all. */
    CHECK(hit[0] > 100 && hit[0] < 180);
    CHECK(hit[1] > 20 && hit[2] > 2);
    link_free(l);
    free(d);
}

static void hopeless_loss_still_ends(void)
{
    struct link_profile p = quick;
    p.loss_ppm = 1000000;
    p.one_way_ns = 500 * MS; /* the first time-out is six of them */
    struct link *l = link_of(&p, 5);
    struct diary *d = diary_new();
    uint32_t conn = open_connection(l, 0);
    send(l, conn, LINK_UP, 0, 250, NS_PER_S);
    diary_run(d, l, 1000 * NS_PER_S);
    CHECK_INT(d->len[LINK_UP], 250);
    CHECK_MEM(d->bytes[LINK_UP], stream, 250);
    CHECK_INT(d->byte_ns[LINK_UP][0], 1500 * MS + (3 + 6 + 12 + 24 + 48 + 3 * 60) * NS_PER_S);
    link_free(l);
    free(d);
}

/* ---- determinism ---- */

static void rough_ride(struct diary *d, uint64_t seed, bool first_talks)
{
    struct link_profile p = quick;
    p.jitter_ns = 500 * MS;
    p.loss_ppm = 50000;
    struct link *l = link_of(&p, seed);
    uint32_t a = open_connection(l, 0);
    uint32_t b = open_connection(l, 0);
    for (int64_t i = 0; i < 40; i++) {
        if (first_talks)
            send(l, a, LINK_UP, (size_t)i, 1, i * NS_PER_S);
        send(l, b, LINK_DOWN, (size_t)i * 10, 10, i * NS_PER_S);
    }
    diary_run(d, l, 1000 * NS_PER_S);
    link_free(l);
}

static void same_seed_same_times(void)
{
    struct diary *a = diary_new();
    struct diary *b = diary_new();
    rough_ride(a, 5, true);
    rough_ride(b, 5, true);
    CHECK(memcmp(a, b, sizeof *a) == 0);
    memset(b, 0, sizeof *b);
    rough_ride(b, 6, true);
    CHECK_MEM(b->bytes[LINK_DOWN], a->bytes[LINK_DOWN], 400);
    CHECK(memcmp(a->byte_ns[LINK_DOWN], b->byte_ns[LINK_DOWN], sizeof(int64_t) * 400) != 0);
    free(a);
    free(b);
}

/* What one connection draws moves nothing in another. */
static void connections_draw_apart(void)
{
    struct diary *a = diary_new();
    struct diary *b = diary_new();
    rough_ride(a, 5, true);
    rough_ride(b, 5, false);
    CHECK_INT(a->len[LINK_UP], 40);
    CHECK_INT(b->len[LINK_UP], 0);
    CHECK(memcmp(a->byte_ns[LINK_DOWN], b->byte_ns[LINK_DOWN], sizeof(int64_t) * 400) == 0);
    free(a);
    free(b);
}

/* ---- silence ---- */

static void an_outage_delays_and_keeps(void)
{
    struct link *l = link_of(&quick, 1);
    struct diary *d = diary_new();
    uint32_t conn = open_connection(l, 0);
    send(l, conn, LINK_DOWN, 0, 50, NS_PER_S); /* under way when the silence begins */
    link_outage(l, 30 * NS_PER_S);
    send(l, conn, LINK_DOWN, 50, 50, 2 * NS_PER_S);
    send(l, conn, LINK_UP, 0, 50, 2 * NS_PER_S);
    uint32_t late = link_connect(l, 3 * NS_PER_S);
    CHECK_INT(link_deadline(l), 30 * NS_PER_S);
    diary_run(d, l, 30 * NS_PER_S - 1);
    CHECK_INT(d->n, 0);
    diary_run(d, l, 100 * NS_PER_S);
    CHECK_INT(d->len[LINK_DOWN], 100);
    CHECK_MEM(d->bytes[LINK_DOWN], stream, 100);
    CHECK_INT(d->byte_ns[LINK_DOWN][0], 30 * NS_PER_S);
    CHECK_INT(d->byte_ns[LINK_UP][0], 30 * NS_PER_S);
    CHECK_INT(diary_time(d, LINK_EV_CONNECTED), 30 * NS_PER_S);
    CHECK(link_is_live(l, late));
    CHECK_INT(diary_count(d, LINK_EV_RESET, LINK_UP) + diary_count(d, LINK_EV_EOF, LINK_DOWN), 0);
    send(l, conn, LINK_DOWN, 100, 1, 31 * NS_PER_S);
    diary_run(d, l, 100 * NS_PER_S);
    CHECK_INT(d->byte_ns[LINK_DOWN][100], 31100 * MS);
    link_free(l);
    free(d);
}

static void an_outage_can_end_early(void)
{
    struct link *l = link_of(&quick, 1);
    struct diary *d = diary_new();
    uint32_t conn = open_connection(l, 0);
    link_outage(l, 30 * NS_PER_S);
    send(l, conn, LINK_DOWN, 0, 1, NS_PER_S);
    link_outage(l, 0);
    diary_run(d, l, 100 * NS_PER_S);
    CHECK_INT(d->byte_ns[LINK_DOWN][0], 1100 * MS);
    link_free(l);
    free(d);
}

/* ---- doors ---- */

static void doors(void)
{
    struct link *l = link_of(&quick, 1);
    struct diary *d = diary_new();
    CHECK_INT(link_door_now(l), LINK_OPEN);
    link_door(l, LINK_REFUSED);
    uint32_t refused = link_connect(l, 0);
    link_door(l, LINK_BLACK_HOLE);
    CHECK_INT(link_door_now(l), LINK_BLACK_HOLE);
    uint32_t swallowed = link_connect(l, 0);
    link_door(l, LINK_OPEN);
    uint32_t open = link_connect(l, 0);
    diary_run(d, l, 1000 * NS_PER_S);
    REQUIRE(d->n == 2);
    CHECK_INT(d->event[0].kind, LINK_EV_REFUSED);
    CHECK_INT(d->event[0].conn, refused);
    CHECK_INT(d->event[0].at_ns, 200 * MS);
    CHECK_INT(d->event[1].kind, LINK_EV_CONNECTED);
    CHECK_INT(d->event[1].conn, open);
    CHECK(!link_is_live(l, refused));
    CHECK(link_is_live(l, swallowed)); /* the device still waits */
    CHECK_INT(link_deadline(l), VTIME_NEVER);
    link_free(l);
    free(d);
}

/* A fault can be aimed at one kind of connections: the other lives on. */
static void kinds_fail_apart(void)
{
    struct link *l = link_of(&quick, 1);
    struct diary *d = diary_new();
    uint32_t http = open_connection(l, 0);
    uint32_t mqtt = link_connect_kind(l, LINK_MQTT, 0);
    CHECK_INT(link_kind_of(l, http), LINK_HTTP);
    CHECK_INT(link_kind_of(l, mqtt), LINK_MQTT);
    diary_run(d, l, NS_PER_S);
    link_outage_of(l, LINK_ONLY(LINK_MQTT), 30 * NS_PER_S);
    send(l, mqtt, LINK_UP, 0, 10, NS_PER_S);
    send(l, http, LINK_DOWN, 0, 10, NS_PER_S);
    diary_run(d, l, 40 * NS_PER_S);
    REQUIRE(d->len[LINK_UP] == 10 && d->len[LINK_DOWN] == 10);
    CHECK_INT(d->byte_ns[LINK_DOWN][0], 1100 * MS);
    CHECK_INT(d->byte_ns[LINK_UP][0], 30 * NS_PER_S);
    link_door_of(l, LINK_ONLY(LINK_MQTT), LINK_REFUSED);
    CHECK_INT(link_door_of_kind(l, LINK_HTTP), LINK_OPEN);
    CHECK_INT(link_door_of_kind(l, LINK_MQTT), LINK_REFUSED);
    mqtt = link_connect_kind(l, LINK_MQTT, 50 * NS_PER_S);
    http = link_connect_kind(l, LINK_HTTP, 50 * NS_PER_S);
    diary_run(d, l, 60 * NS_PER_S);
    CHECK(!link_is_live(l, mqtt));
    CHECK(link_is_live(l, http));
    CHECK_INT(diary_count(d, LINK_EV_REFUSED, LINK_UP), 1);
    link_free(l);
    free(d);
}

/* A device that gives up on its connect is forgotten, or a long black hole would use up all places
 * there are. */
static void an_abandoned_connect_leaves_nothing(void)
{
    struct link *l = link_of(&quick, 1);
    struct diary *d = diary_new();
    link_door(l, LINK_BLACK_HOLE);
    for (int i = 0; i < 100; i++) {
        uint32_t conn = link_connect(l, i * NS_PER_S);
        CHECK_INT(conn, i + 1);
        link_fin(l, conn, LINK_UP, i * NS_PER_S + 500 * MS);
        CHECK(!link_is_live(l, conn));
    }
    link_door(l, LINK_OPEN);
    link_outage(l, 300 * NS_PER_S); /* connects hang in an outage too */
    uint32_t conn = link_connect(l, 200 * NS_PER_S);
    link_fin(l, conn, LINK_UP, 205 * NS_PER_S);
    diary_run(d, l, 1000 * NS_PER_S);
    CHECK_INT(d->n, 0);
    link_free(l);
    free(d);
}

static void limits(void)
{
    struct link *l = link_of(&quick, 1);
    uint32_t n = 0;
    while (n < 1000 && link_connect(l, 0) != 0)
        n++;
    CHECK_INT(n, 32);
    link_vanish(l, 3);
    CHECK_INT(link_connect(l, 0), 33); /* numbers are never used twice */
    CHECK_INT(link_connect(l, 0), 0);
    CHECK_ERR(link_enter(l, 3, LINK_UP, "x", 1, 0), ERR_WRONG_STATE);
    CHECK_ERR(link_enter(l, 0, LINK_UP, "x", 1, 0), ERR_WRONG_STATE);
    CHECK_ERR(link_enter(l, 999, LINK_UP, "x", 1, 0), ERR_WRONG_STATE);
    struct link_byte_rule r = {.connection = 1};
    for (int i = 0; i < LINK_RULES_MAX; i++)
        CHECK_INT(link_add_rule(l, &r), 0);
    CHECK_ERR(link_add_rule(l, &r), ERR_LIMIT);
    CHECK(link_rule_at(l, LINK_RULES_MAX - 1) != NULL);
    CHECK(link_rule_at(l, LINK_RULES_MAX) == NULL);
    link_free(l);
    link_free(NULL);
}

/* A sender that is never drained is stopped, and its stream ends: no byte is missed in between. */
static void the_queue_is_bounded(void)
{
    struct link_profile p = slow;
    p.segment_bytes = 65536;
    struct link *l = link_of(&p, 1);
    uint32_t conn = open_connection(l, 0);
    static const uint8_t block[65536];
    int rc = 0;
    size_t n = 0;
    while (rc == 0 && n < 1000) {
        rc = link_enter(l, conn, LINK_UP, block, sizeof block, 0);
        n++;
    }
    CHECK_ERR(rc, ERR_LIMIT);
    CHECK_ERR(link_enter(l, conn, LINK_UP, block, 1, 0), ERR_WRONG_STATE);
    struct link_event ev;
    size_t arrived = 0;
    while (link_next(l, VTIME_NEVER - 1, &ev) && ev.kind == LINK_EV_DATA)
        arrived += ev.len_bytes;
    CHECK_INT(ev.kind, LINK_EV_RESET);
    CHECK_INT(arrived, (n - 1) * sizeof block);
    CHECK_INT(arrived, 8u << 20);
    link_free(l);
}

/* ---- ends ---- */

static void an_orderly_close_comes_after_the_bytes(void)
{
    struct link *l = link_of(&slow, 1);
    struct diary *d = diary_new();
    uint32_t conn = open_connection(l, 0);
    send(l, conn, LINK_DOWN, 0, 100, NS_PER_S);
    link_fin(l, conn, LINK_DOWN, NS_PER_S);
    CHECK_ERR(link_enter(l, conn, LINK_DOWN, "x", 1, NS_PER_S), ERR_WRONG_STATE);
    diary_run(d, l, 2 * NS_PER_S);
    REQUIRE(d->n == 2);
    CHECK_INT(d->event[0].kind, LINK_EV_DATA);
    CHECK_INT(d->event[1].kind, LINK_EV_EOF);
    CHECK_INT(d->event[1].dir, LINK_DOWN);
    CHECK_INT(d->event[1].at_ns, 1200 * MS);
    CHECK(link_is_live(l, conn));
    send(l, conn, LINK_UP, 0, 10, 3 * NS_PER_S); /* the other direction lives */
    link_fin(l, conn, LINK_UP, 3 * NS_PER_S);
    diary_run(d, l, 10 * NS_PER_S);
    CHECK_INT(d->len[LINK_UP], 10);
    CHECK_INT(diary_count(d, LINK_EV_EOF, LINK_UP), 1);
    CHECK(!link_is_live(l, conn));
    link_free(l);
    free(d);
}

static void a_vanished_end_takes_everything_with_it(void)
{
    struct link *l = link_of(&quick, 1);
    struct diary *d = diary_new();
    uint32_t gone = open_connection(l, 0);
    uint32_t stays = open_connection(l, 0);
    send(l, gone, LINK_UP, 0, 10, NS_PER_S);
    send(l, gone, LINK_DOWN, 0, 10, NS_PER_S);
    send(l, stays, LINK_DOWN, 0, 20, NS_PER_S);
    link_vanish(l, gone);
    CHECK(!link_is_live(l, gone));
    CHECK_INT(link_sent(l, gone, LINK_UP), 0);
    link_vanish(l, gone);
    diary_run(d, l, 10 * NS_PER_S);
    REQUIRE(d->n == 1);
    CHECK_INT(d->event[0].conn, stays);
    CHECK_INT(d->event[0].len_bytes, 20);
    link_free(l);
    free(d);
}

struct broken {
    const char *name;
    enum link_action action;
    size_t resets, eof_up, eof_down;
    bool live;
};

static const struct broken breaks[] = {
    {"reset", LINK_RESET, 1, 0, 0, false},
    {"close", LINK_CLOSE, 0, 1, 1, false},
    {"half-close", LINK_HALF, 0, 0, 1, true},
};

static const char *broken_name(const void *row)
{
    return ((const struct broken *)row)->name;
}

static void a_script_breaks_now(const void *row)
{
    const struct broken *b = row;
    struct link *l = link_of(&quick, 1);
    struct diary *d = diary_new();
    uint32_t conn = open_connection(l, 0);
    send(l, conn, LINK_DOWN, 0, 30, NS_PER_S);
    link_break(l, conn, b->action, NS_PER_S);
    CHECK_ERR(link_enter(l, conn, LINK_DOWN, "x", 1, NS_PER_S), ERR_WRONG_STATE);
    diary_run(d, l, 10 * NS_PER_S);
    CHECK_INT(d->len[LINK_DOWN], 30); /* what was under way arrives */
    CHECK_INT(diary_count(d, LINK_EV_RESET, LINK_UP), b->resets);
    CHECK_INT(diary_count(d, LINK_EV_EOF, LINK_UP), b->eof_up);
    CHECK_INT(diary_count(d, LINK_EV_EOF, LINK_DOWN), b->eof_down);
    CHECK_INT(link_is_live(l, conn), b->live);
    link_break(l, 77, b->action, NS_PER_S); /* no such connection: nothing */
    link_free(l);
    free(d);
}

static void healing_ends_everything(void)
{
    struct link *l = link_of(&slow, 1);
    struct diary *d = diary_new();
    uint32_t conn = open_connection(l, 0);
    struct link_byte_rule rules[] = {
        {.connection = conn,
         .dir = LINK_DOWN,
         .offset = 5,
         .action = LINK_DRIBBLE,
         .duration_ns = 60 * NS_PER_S},
        {.connection = conn, .dir = LINK_DOWN, .offset = 2000, .action = LINK_RESET},
        {.connection = conn,
         .dir = LINK_UP,
         .offset = 0,
         .action = LINK_STALL,
         .duration_ns = 900 * NS_PER_S},
    };
    for (size_t i = 0; i < 3; i++)
        REQUIRE(link_add_rule(l, &rules[i]) == 0);
    link_door(l, LINK_REFUSED);
    link_outage(l, 10000 * NS_PER_S);
    send(l, conn, LINK_DOWN, 0, 1000, NS_PER_S);
    send(l, conn, LINK_UP, 0, 1000, NS_PER_S);
    link_heal(l, 2 * NS_PER_S);
    CHECK_INT(link_door_now(l), LINK_OPEN);
    CHECK(link_rule_at(l, 0) == NULL);
    diary_run(d, l, 2 * NS_PER_S);
    CHECK_INT(d->len[LINK_DOWN], 1000);
    CHECK_INT(d->len[LINK_UP], 1000);
    CHECK_MEM(d->bytes[LINK_DOWN], stream, 1000);
    send(l, conn, LINK_DOWN, 1000, 2000, 2 * NS_PER_S); /* past the reset that is no more */
    diary_run(d, l, 2 * NS_PER_S);
    CHECK_INT(d->len[LINK_DOWN], 3000);
    CHECK_INT(link_connect(l, 2 * NS_PER_S), 2);
    CHECK_INT(link_deadline(l), 2 * NS_PER_S);
    link_free(l);
    free(d);
}

static const struct test tests[] = {
    {"every profile is whole and found by its name", profiles_are_whole},
    {"actions have names", actions_have_names},
    TEST_ROWS("time of arrival", time_is_exact, timings, timing_name),
    {"a connect takes one round trip", a_connect_takes_one_round_trip},
    {"connections of one direction share its rate", connections_share_the_rate},
    {"the radio wakes once after ten seconds of silence", the_radio_wakes_once},
    {"a profile changes from now on", a_profile_changes_from_now_on},
    {"jitter keeps order and bounds", jitter_keeps_the_order},
    {"a lost segment is late by whole time-outs", loss_is_late_never_lost},
    {"loss without hope still ends", hopeless_loss_still_ends},
    {"the seed decides every time", same_seed_same_times},
    {"connections draw from streams of their own", connections_draw_apart},
    {"an outage delays and keeps", an_outage_delays_and_keeps},
    {"an outage can end early", an_outage_can_end_early},
    {"doors refuse, swallow and open", doors},
    {"kinds fail apart", kinds_fail_apart},
    {"an abandoned connect leaves nothing", an_abandoned_connect_leaves_nothing},
    {"connections and rules have their maximum", limits},
    {"the queue is bounded", the_queue_is_bounded},
    {"an orderly close comes after the bytes", an_orderly_close_comes_after_the_bytes},
    {"a vanished end takes everything with it", a_vanished_end_takes_everything_with_it},
    TEST_ROWS("the script breaks a connection", a_script_breaks_now, breaks, broken_name),
    {"healing ends everything", healing_ends_everything},
};
TEST_MAIN("link", tests)
