/*
 * The simulated board's MQTT client against the bus, through the link: the whole way a message
 * takes in the simulated world.
 */
#include "scenarios/engine/sim_mqtt_testing.h"

static void power_off(struct bench *x)
{
    sim_board_power_off(x->board, x->g.now_ns, TEAR_NOTHING, 0);
    bridge_device_gone(&x->bridge);
}

static void take(struct bench *x, int64_t timeout_ns)
{
    struct board_mqtt_message m;
    int rc = x->mqtt->receive(x->b, x->client, &m, timeout_ns);
    if (rc == BOARD_OK) {
        note(x, "%s=%.*s%s@%lld ", m.topic, (int)m.payload_bytes, (const char *)m.payload,
             m.dup ? "/dup" : "", now_ms(x));
        board_free(x->b, m.payload);
    } else {
        note(x, "receive=%d@%lld ", rc, now_ms(x));
    }
}

static int push(struct bench *x, const char *text, uint8_t qos)
{
    struct mqtt_message m = {.topic = "push",
                             .payload = (const uint8_t *)text,
                             .payload_bytes = strlen(text),
                             .qos = qos};
    return cloud_deliver(x->g.cloud, x->g.now_ns, "dev", &m);
}

/* ---- the plain way ---- */

static void talk_main(void *arg)
{
    struct bench *x = arg;
    if (connect_with(x, &good) < 0)
        return;
    const struct board_mqtt_ops *m = x->mqtt;
    int rc = m->publish(x->b, x->client, "a/dev", "hi", 2, 0, 0);
    note(x, "pub0=%d@%lld ", rc, now_ms(x));
    rc = m->publish(x->b, x->client, "ask/dev", "q", 1, 1, NS_PER_S);
    note(x, "pub1=%d@%lld ", rc, now_ms(x));
    take(x, NS_PER_S);
    rc = m->subscribe(x->b, x->client, "open", 1, NS_PER_S);
    note(x, "sub=%d@%lld ", rc, now_ms(x));
    note(x, "sub=%d ", m->subscribe(x->b, x->client, "x/other", 1, NS_PER_S));
    (void)m->publish(x->b, x->client, "open", "echo", 4, 0, 0);
    take(x, NS_PER_S);
    note(x, "unsub=%d ", m->unsubscribe(x->b, x->client, "open", NS_PER_S));
    take(x, NS_PER_S);
    note(x, "up=%d ", m->is_up(x->b, x->client));
    m->close(x->b, x->client);
    note(x, "up=%d heap=%zu ", m->is_up(x->b, x->client), x->b->heap.used_bytes);
    take(x, NS_PER_S);
    x->over = true;
}

static void talks(void)
{
    struct bench x;
    open_bench(&x);
    power(&x, talk_main);
    run_to(&x, 60 * NS_PER_S);
    CHECK(x.over);
    CHECK_STR(x.log, "open=0/0@200 pub0=0@200 pub1=0@300 answer=q@300 sub=0@400 sub=-2 "
                     "open=echo@600 unsub=0 receive=-1@1700 up=1 up=0 heap=0 receive=-2@1700 ");
    CHECK_STR(heard_now(), "+dev dev>a/dev=hi dev>ask/dev=q dev<open "
                           "!dev may not subscribe to x/other dev>open=echo -dev ");
    close_bench(&x);
}

/* ---- refusals ---- */

struct refusal {
    const char *name;
    struct board_mqtt_config c;
    enum link_door door;
    bool stopped;
    const char *log;
};

static const struct refusal refusals[] = {
    {"bad password",
     {.host = "h", .port = 1883, .client_id = "c", .user_name = "dev", .password = "x"},
     LINK_OPEN,
     false,
     "open=-2/4@200 "},
    {"no user name",
     {.host = "h", .port = 1883, .client_id = "c"},
     LINK_OPEN,
     false,
     "open=-2/5@200 "},
    {"connection refused",
     {.host = "h", .port = 1883, .client_id = "c"},
     LINK_REFUSED,
     false,
     "open=-2/0@100 "},
    {"black hole",
     {.host = "h", .port = 1883, .client_id = "c"},
     LINK_BLACK_HOLE,
     false,
     "open=-1/0@10000 "},
    {"broker down",
     {.host = "h", .port = 1883, .client_id = "c"},
     LINK_OPEN,
     true,
     "open=-2/0@100 "},
    {"a web server",
     {.host = "h", .port = 80, .client_id = "c"},
     LINK_OPEN,
     false,
     "open=-1/0@10000 "},
};

static const char *refusal_name(const void *row)
{
    return ((const struct refusal *)row)->name;
}

static const struct board_mqtt_config *asked;

static void try_main(void *arg)
{
    struct bench *x = arg;
    (void)connect_with(x, asked);
    note(x, "heap=%zu ", x->b->heap.used_bytes);
    (void)connect_with(x, &good); /* the slot is free again */
}

static void refused(const void *row)
{
    const struct refusal *r = row;
    struct bench x;
    open_bench(&x);
    asked = &r->c;
    link_door(x.g.link, r->door);
    if (r->stopped)
        bus_stop(x.g.bus, 0, true);
    power(&x, try_main);
    run_to(&x, 30 * NS_PER_S);
    CHECK(strncmp(x.log, r->log, strlen(r->log)) == 0 || CHECK_STR(x.log, r->log));
    CHECK_HAS(x.log, "heap=0 ");
    if (r->door == LINK_OPEN && !r->stopped)
        CHECK_HAS(x.log, "open=0/0@");
    close_bench(&x);
}

/* ---- keep-alive ---- */

static void listen_main(void *arg)
{
    struct bench *x = arg;
    if (connect_with(x, &good) < 0)
        return;
    for (int i = 0; i < 4 && x->mqtt->is_up(x->b, x->client); i++)
        take(x, BOARD_FOREVER);
    x->over = true;
}

static void stays_up(void)
{
    struct bench x;
    open_bench(&x);
    power(&x, listen_main);
    run_to(&x, 3600 * NS_PER_S);
    CHECK_INT(push(&x, "late", 1), 0);
    run_to(&x, 3601 * NS_PER_S);
    CHECK_STR(x.log, "open=0/0@200 push=late@3600050 ");
    CHECK_STR(heard_now(), "+dev ");
    close_bench(&x);
}

/* Silence without a word: the device notices after 1.5 keep-alives, and the broker as well. */
static void outage_is_noticed(void)
{
    struct bench x;
    open_bench(&x);
    power(&x, listen_main);
    run_to(&x, NS_PER_S);
    link_outage(x.g.link, 1000 * NS_PER_S);
    CHECK_INT(push(&x, "lost?", 0), 0);
    run_to(&x, 500 * NS_PER_S);
    CHECK_STR(x.log, "open=0/0@200 receive=-2@90200 ");
    CHECK_STR(heard_now(), "+dev -dev ");
    close_bench(&x);
}

/* ---- power, resets ---- */

static void persistent_main(void *arg)
{
    struct bench *x = arg;
    struct board_mqtt_config c = good;
    c.clean_session = false;
    c.will_topic = "will/dev";
    c.will_payload = "gone";
    c.will_bytes = 4;
    if (connect_with(x, &c) < 0)
        return;
    for (;;)
        take(x, BOARD_FOREVER);
}

static void redelivered_after_power_cut(void)
{
    struct bench x;
    open_bench(&x);
    power(&x, persistent_main);
    run_to(&x, NS_PER_S);
    CHECK_INT(push(&x, "one", 1), 0); /* on its way when power goes */
    power_off(&x);
    run_to(&x, 2 * NS_PER_S);
    CHECK_INT(push(&x, "two", 1), 0); /* the broker has not noticed */
    run_to(&x, 3 * NS_PER_S);
    CHECK_STR(heard_now(), "+dev ");
    power(&x, persistent_main); /* takes over; the broken connection leaves its will */
    run_to(&x, 10 * NS_PER_S);
    CHECK_STR(x.log, "open=0/0@200 open=0/0p@3200 push=one/dup@3200 push=two/dup@3200 ");
    CHECK_STR(heard_now(), "-dev dev>will/dev=gone +dev ");
    power_off(&x);
    run_to(&x, 60 * NS_PER_S);
    CHECK_STR(heard_now(), "");
    run_to(&x, 200 * NS_PER_S); /* nobody comes back: the keep-alive ends it */
    CHECK_STR(heard_now(), "-dev dev>will/dev=gone ");
    close_bench(&x);
}

static void reset_by_network(void)
{
    struct bench x;
    open_bench(&x);
    power(&x, listen_main);
    run_to(&x, NS_PER_S);
    link_break(x.g.link, 1, LINK_RESET, x.g.now_ns);
    run_to(&x, 2 * NS_PER_S);
    CHECK_STR(x.log, "open=0/0@200 receive=-2@1050 ");
    CHECK_STR(heard_now(), "+dev -dev ");
    close_bench(&x);
}

static void broker_restart(void)
{
    struct bench x;
    open_bench(&x);
    power(&x, listen_main);
    run_to(&x, NS_PER_S);
    CHECK_INT(push(&x, "before", 0), 0); /* still arrives, before the end of the stream */
    bus_stop(x.g.bus, x.g.now_ns, true);
    run_to(&x, 2 * NS_PER_S);
    CHECK_STR(x.log, "open=0/0@200 push=before@1050 ");
    CHECK(x.over);
    close_bench(&x);
}

/* A corrupted type byte: the client must not go on with a broken stream. */
static void corrupted_stream(void)
{
    struct bench x;
    open_bench(&x);
    struct link_byte_rule r = {
        .connection = 1, .dir = LINK_DOWN, .offset = 4, .action = LINK_CORRUPT, .mask = 0xc0};
    REQUIRE(link_add_rule(x.g.link, &r) == 0);
    power(&x, listen_main);
    run_to(&x, NS_PER_S);
    CHECK_INT(push(&x, "x", 0), 0);
    run_to(&x, 2 * NS_PER_S);
    CHECK_STR(x.log, "open=0/0@200 receive=-2@1050 ");
    close_bench(&x);
}

/* ---- a slow application ---- */

static void slow_main(void *arg)
{
    struct bench *x = arg;
    if (connect_with(x, &good) < 0)
        return;
    board_sleep_ns(x->b, 1000 * NS_PER_S);
    for (int i = 0; i < 40; i++) {
        struct board_mqtt_message m;
        if (x->mqtt->receive(x->b, x->client, &m, NS_PER_S) != BOARD_OK)
            break;
        if (m.payload[0] - 'A' != i)
            note(x, "order ");
        board_free(x->b, m.payload);
        x->over = i == 39;
    }
    note(x, "up=%d ", x->mqtt->is_up(x->b, x->client));
}

static void slow_application(void)
{
    struct bench x;
    open_bench(&x);
    power(&x, slow_main);
    run_to(&x, NS_PER_S);
    for (int i = 0; i < 40; i++) {
        char text[2] = {(char)('A' + i), '\0'};
        CHECK_INT(push(&x, text, 1), 0);
    }
    run_to(&x, 2000 * NS_PER_S);
    CHECK_STR(x.log, "open=0/0@200 up=1 "); /* it was kept alive all the time */
    CHECK(x.over);
    close_bench(&x);
}

static void oversize(void)
{
    struct bench x;
    open_bench(&x);
    power(&x, listen_main);
    run_to(&x, NS_PER_S);
    static uint8_t big[BOARD_MQTT_BYTES_MAX + 1];
    struct mqtt_message m = {
        .topic = "push", .payload = big, .payload_bytes = sizeof big, .qos = 1};
    CHECK_INT(cloud_deliver(x.g.cloud, x.g.now_ns, "dev", &m), 0);
    CHECK_INT(push(&x, "small", 1), 0);
    run_to(&x, 2 * NS_PER_S);
    CHECK_STR(x.log, "open=0/0@200 push=small@1050 ");
    x.b->heap.limit_bytes = x.b->heap.used_bytes; /* no memory: dropped, and not acknowledged */
    CHECK_INT(push(&x, "none", 1), 0);
    run_to(&x, 3 * NS_PER_S);
    CHECK_STR(x.log, "open=0/0@200 push=small@1050 ");
    close_bench(&x);
}

/* ---- two clients ---- */

static void two_main(void *arg)
{
    struct bench *x = arg;
    struct board_mqtt_config c = good;
    int first = connect_with(x, &c);
    c.client_id = "c2"; /* another raw id of the same device */
    (void)connect_with(x, &c);
    board_sleep_ns(x->b, NS_PER_S);
    note(x, "first up=%d ", x->mqtt->is_up(x->b, first));
    (void)connect_with(x, &c); /* no third */
    x->mqtt->close(x->b, first);
    c.user_name = "dev2";
    (void)connect_with(x, &c); /* not with the raw id of another device */
    c.client_id = "c3";
    (void)connect_with(x, &c);
}

static void two_clients(void)
{
    struct bench x;
    open_bench(&x);
    power(&x, two_main);
    run_to(&x, 60 * NS_PER_S);
    CHECK_STR(x.log, "open=0/0@200 open=1/0@400 first up=0 open=-2/0@1400 open=-2/5@1600 "
                     "open=0/0@1800 ");
    close_bench(&x);
}

static const struct test tests[] = {
    {"a device talks with the cloud", talks},
    TEST_ROWS("a connection is refused", refused, refusals, refusal_name),
    {"a silent connection stays up", stays_up},
    {"an outage is noticed by both ends", outage_is_noticed},
    {"a message is delivered again after a power cut", redelivered_after_power_cut},
    {"the network resets the connection", reset_by_network},
    {"the broker restarts", broker_restart},
    {"a corrupted stream ends", corrupted_stream},
    {"a slow application loses nothing", slow_application},
    {"what is too large is dropped", oversize},
    {"two clients of one device", two_clients},
};
TEST_MAIN("mqtt on the simulated board", tests)
