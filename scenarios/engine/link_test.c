/* Profiles and time on a link that holds; link_break_test.c: one that breaks; link_rules_test.c:
 * faults at a byte. */
#include "scenarios/engine/link_profiles_testing.h"

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
    {"connections and rules have their maximum", limits},
    {"the queue is bounded", the_queue_is_bounded},
};
TEST_MAIN("link", tests)
