/*
 * The simulated board's MQTT client against the bus, through the link: the whole way a message
 * takes in the simulated world.
 */
#include "mock_cloud/mqtt/mqtt_testing.h"
#include "scenarios/engine/sim_net.h"

struct bench {
    struct scenario s;
    struct run_options o;
    struct stage g;
    struct sim_net_bridge bridge;
    struct nor *nor;
    struct partition_table partitions;
    struct sim_board *board;
    struct board *b;
    const struct board_mqtt_ops *mqtt;
    char log[4096];
    int client;
    bool over; /* the device's main has come to its end */
};

static void note(struct bench *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(struct bench *x, const char *fmt, ...)
{
    size_t at = strlen(x->log);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(x->log + at, sizeof x->log - at, fmt, ap);
    va_end(ap);
}

static const uint8_t *no_flash(void *ctx)
{
    (void)ctx;
    return NULL;
}

static const char *no_version(void *ctx)
{
    (void)ctx;
    return "?";
}

static uint32_t no_change(void *ctx)
{
    (void)ctx;
    return UINT32_MAX;
}

static void ignore_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                         const struct trace_field *fields, size_t n)
{
    (void)ctx, (void)now_ns, (void)lane, (void)event, (void)fields, (void)n;
}

/* A network of 50 ms each way without a limit of rate. */
static const struct link_profile profile = {
    .name = "test", .one_way_ns = 50 * NS_PER_MS, .segment_bytes = 512};

static void open_bench(struct bench *x)
{
    struct err err = {.text = ""};
    *x = (struct bench){.client = -1};
    struct stage *g = &x->g;
    g->s = &x->s;
    g->o = &x->o;
    g->cloud = test_cloud(&g->store);
    g->edge = edge_new(g->cloud, false, &err);
    g->link = link_new(&profile, 1);
    struct judge_setup js = {.scenario = &x->s,
                             .flash = no_flash,
                             .version = no_version,
                             .foreign_change = no_change,
                             .ctx = x};
    g->judge = judge_new(&js);
    g->script = script_new(&x->s, &(struct script_ops){.ctx = x});
    g->trace = trace_new(NULL);
    struct nor_geometry geo = *nor_geometry_find("spi4k");
    x->nor = nor_new(&geo, 1, &err);
    REQUIRE(g->edge != NULL && g->link != NULL && g->judge != NULL && g->script != NULL);
    REQUIRE_OK(bridge_init(&x->bridge, g, &err), &err);
    struct sim_board_config bc = {.nor = x->nor,
                                  .partitions = &x->partitions,
                                  .connect_timeout_ns = 5 * NS_PER_S,
                                  .utc_start_s = 1767225600,
                                  .seed = 1,
                                  .event = ignore_event,
                                  .event_ctx = x};
    bridge_net(&x->bridge, &bc.net);
    x->board = sim_board_new(&bc, &err);
    REQUIRE(x->board != NULL);
    x->bridge.board = x->board;
    x->b = sim_board_board(x->board);
    x->mqtt = x->b->mqtt;
}

static void close_bench(struct bench *x)
{
    sim_board_free(x->board);
    bridge_close_all(&x->bridge);
    struct store *store = x->g.store;
    stage_free(&x->g);
    store_close(store);
    nor_free(x->nor);
}

static void power(struct bench *x, void (*entry)(void *))
{
    x->over = false;
    if (!nor_is_on(x->nor))
        nor_power_on(x->nor);
    CHECK_INT(sim_board_power_on(x->board, x->g.now_ns, entry, x), 0);
}

/* World's loop until that time. */
static void run_to(struct bench *x, int64_t until_ns)
{
    for (int step = 0; step < 100000; step++) {
        int64_t next = VTIME_NEVER;
        enum sim_state st = sim_board_run(x->board, x->g.now_ns, &next);
        if (st == SIM_RESET || st == SIM_IDLE)
            bridge_device_gone(&x->bridge);
        if (bridge_pump(&x->bridge))
            continue;
        next = vtime_min(next, bridge_next(&x->bridge));
        if (next > until_ns) {
            x->g.now_ns = until_ns;
            return;
        }
        if (next > x->g.now_ns)
            x->g.now_ns = next;
    }
    CHECK_STR("the device spins", "");
}

static void power_off(struct bench *x)
{
    sim_board_power_off(x->board, x->g.now_ns, TEAR_NOTHING, 0);
    bridge_device_gone(&x->bridge);
}

static long long now_ms(struct bench *x)
{
    return (long long)(x->b->ops->now_ns(x->b) / NS_PER_MS);
}

static const struct board_mqtt_config good = {.host = "mqtt.example",
                                              .port = NET_MQTT_PORT,
                                              .client_id = "c",
                                              .user_name = "dev",
                                              .password = "secret",
                                              .keep_alive_s = 60,
                                              .clean_session = true};

static int connect_with(struct bench *x, const struct board_mqtt_config *c)
{
    uint8_t code = 9;
    bool present = false;
    x->client = x->mqtt->open(x->b, c, 10 * NS_PER_S, &code, &present);
    note(x, "open=%d/%u%s@%lld ", x->client, code, present ? "p" : "", now_ms(x));
    return x->client;
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
    CHECK_STR(heard_now(), "+dev dev>a/dev=hi dev>ask/dev=q dev<open dev>open=echo -dev ");
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

/* ---- TLS ---- */

struct handshake {
    const char *name;
    const char *host;
    const char *ca;
    enum sim_tls_certificate certificate;
    uint16_t port;
    const char *log;
};

/* Connect 100 ms, two round trips of TLS, one for CONNECT. */
static const struct handshake handshakes[] = {
    {"good", "mqtt.example", sim_tls_ca_pem, SIM_TLS_GOOD, NET_MQTTS_PORT,
     "open=0/0@400 pub=0 http=0 HTTP/1.1 404 "},
    {"literal address", "10.0.0.1", sim_tls_ca_pem, SIM_TLS_WRONG_NAME, NET_MQTTS_PORT,
     "open=0/0@400 pub=0 http=0 HTTP/1.1 404 "},
    {"untrusted", "mqtt.example", sim_tls_ca_pem, SIM_TLS_UNTRUSTED, NET_MQTTS_PORT,
     "open=-2/0@200 http=-1 "},
    {"wrong name", "mqtt.example", sim_tls_ca_pem, SIM_TLS_WRONG_NAME, NET_MQTTS_PORT,
     "open=-2/0@200 http=-1 "},
    {"expired", "mqtt.example", sim_tls_ca_pem, SIM_TLS_EXPIRED, NET_MQTTS_PORT,
     "open=-2/0@200 http=-1 "},
    {"another CA on the device", "mqtt.example", "not ours", SIM_TLS_GOOD, NET_MQTTS_PORT,
     "open=-2/0@200 http=-1 "},
    {"plain server", "mqtt.example", sim_tls_ca_pem, SIM_TLS_GOOD, NET_MQTT_PORT,
     "open=-2/0@200 http=0 HTTP/1.1 404 "},
    {"plain client", "mqtt.example", NULL, SIM_TLS_GOOD, NET_MQTTS_PORT, "open=-2/0@200 "},
};

static const char *handshake_name(const void *row)
{
    return ((const struct handshake *)row)->name;
}

static const struct handshake *shaken;

/* One request over HTTPS: what counts is that the server's answer comes through. */
static void https(struct bench *x)
{
    static const char request[] = "GET /none HTTP/1.1\r\nHost: h\r\n\r\n";
    const struct board_ops *o = x->b->ops;
    int fd = o->sock_open(x->b, BOARD_STREAM);
    CHECK_INT(o->sock_connect(x->b, fd, 1, NET_HTTPS_PORT), 0);
    int rc = o->sock_tls(x->b, fd, shaken->host, shaken->ca);
    note(x, "http=%d ", rc);
    char head[14] = "";
    if (rc == 0 && o->sock_send(x->b, fd, request, sizeof request - 1) > 0 &&
        o->sock_recv(x->b, fd, head, 12) == 12)
        note(x, "%s ", head);
    (void)o->sock_close(x->b, fd);
}

static void tls_main(void *arg)
{
    struct bench *x = arg;
    struct board_mqtt_config c = good;
    c.host = shaken->host;
    c.ca_pem = shaken->ca;
    c.port = shaken->port;
    if (connect_with(x, &c) >= 0) {
        int rc = x->mqtt->publish(x->b, x->client, "a/dev", "x", 1, 1, NS_PER_S);
        note(x, "pub=%d ", rc);
    }
    if (shaken->ca != NULL)
        https(x);
}

static void shakes_hands(const void *row)
{
    struct bench x;
    shaken = row;
    open_bench(&x);
    x.g.certificate = shaken->certificate;
    power(&x, tls_main);
    run_to(&x, 60 * NS_PER_S);
    CHECK_STR(x.log, shaken->log);
    if (strncmp(x.log, "open=0", 6) == 0)
        CHECK(heard.login.tls);
    close_bench(&x);
}

static const struct test tests[] = {
    TEST_ROWS("TLS", shakes_hands, handshakes, handshake_name),
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
