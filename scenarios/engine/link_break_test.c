/* Outages, doors, ends that close or vanish; faults at a byte are in link_rules_test.c. */
#include "scenarios/engine/link_profiles_testing.h"

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
    {"an outage delays and keeps", an_outage_delays_and_keeps},
    {"an outage can end early", an_outage_can_end_early},
    {"doors refuse, swallow and open", doors},
    {"kinds fail apart", kinds_fail_apart},
    {"an abandoned connect leaves nothing", an_abandoned_connect_leaves_nothing},
    {"an orderly close comes after the bytes", an_orderly_close_comes_after_the_bytes},
    {"a vanished end takes everything with it", a_vanished_end_takes_everything_with_it},
    TEST_ROWS("the script breaks a connection", a_script_breaks_now, breaks, broken_name),
    {"healing ends everything", healing_ends_everything},
};
TEST_MAIN("broken links", tests)
