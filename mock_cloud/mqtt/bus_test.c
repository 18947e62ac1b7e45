#include "mock_cloud/mqtt/bus.h"

#include "common/vtime.h"
#include "mock_cloud/mqtt/mqtt_testing.h"

struct bench {
    struct store *store;
    struct cloud *cloud;
    struct bus *bus;
    int64_t now_ns;
    char out[8192]; /* what the clients got: "1:connack0 " */
};

static void say(struct bench *x, uint32_t conn, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct bench *x, uint32_t conn, const char *fmt, ...)
{
    size_t at = strlen(x->out);
    at += (size_t)snprintf(x->out + at, sizeof x->out - at, "%u:", conn);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(x->out + at, sizeof x->out - at, fmt, ap);
    va_end(ap);
}

static void on_send(void *ctx, int64_t now_ns, uint32_t conn, const void *data, size_t len_bytes)
{
    struct mqtt_packet p;
    (void)now_ns;
    REQUIRE(mqtt_decode(data, len_bytes, len_bytes, &p) == (int64_t)len_bytes);
    if (p.type == PACKET_CONNACK)
        say(ctx, conn, "connack%u%s ", p.code, p.present ? "p" : "");
    else if (p.type == PACKET_PUBLISH)
        say(ctx, conn, "%.*s=%.*s%s%s#%u ", (int)p.topic.len_bytes, p.topic.data,
            (int)p.payload.len_bytes, p.payload.data, p.qos > 0 ? "" : "/0", p.dup ? "/dup" : "",
            p.id);
    else if (p.type == PACKET_SUBACK)
        say(ctx, conn, "suback%x ", p.code);
    else
        say(ctx, conn, "%u ", (unsigned)p.type);
}

static void on_close(void *ctx, int64_t now_ns, uint32_t conn)
{
    (void)now_ns;
    say(ctx, conn, "close ");
}

static void open_bench(struct bench *x)
{
    *x = (struct bench){.now_ns = 0};
    x->cloud = test_cloud(&x->store);
    struct bus_config cfg = {.cloud = x->cloud, .send = on_send, .close = on_close, .ctx = x};
    x->bus = bus_new(&cfg, NULL);
    REQUIRE(x->bus != NULL);
}

static void close_bench(struct bench *x)
{
    bus_free(x->bus);
    cloud_free(x->cloud);
    store_close(x->store);
}

/* What the clients got since the last call. */
static const char *got(struct bench *x)
{
    static char text[sizeof x->out];
    memcpy(text, x->out, sizeof text);
    x->out[0] = '\0';
    return text;
}

static void give(struct bench *x, uint32_t conn, const struct mqtt_packet *p)
{
    struct buf b;
    buf_init(&b, MQTT_PACKET_BYTES_MAX);
    REQUIRE(mqtt_encode(p, &b) == 0);
    bus_data(x->bus, x->now_ns, conn, b.data, b.len_bytes);
    buf_free(&b);
}

static struct mqtt_packet connect_of(const char *id, const char *user, bool clean)
{
    return (struct mqtt_packet){.type = PACKET_CONNECT,
                                .client_id = mqtt_text(id),
                                .user_name = mqtt_text(user),
                                .password = mqtt_text("secret"),
                                .clean = clean,
                                .keep_alive_s = 60};
}

static void login(struct bench *x, uint32_t conn, const char *id, const char *user, bool clean)
{
    struct mqtt_packet p = connect_of(id, user, clean);
    REQUIRE(bus_open(x->bus, x->now_ns, conn, false) == 0);
    give(x, conn, &p);
}

static void publish(struct bench *x, uint32_t conn, const char *topic, const char *text,
                    uint16_t id)
{
    give(x, conn,
         &(struct mqtt_packet){.type = PACKET_PUBLISH,
                               .topic = mqtt_text(topic),
                               .payload = mqtt_text(text),
                               .qos = id > 0 ? 1 : 0,
                               .id = id});
}

static void subscribe(struct bench *x, uint32_t conn, const char *filter, uint8_t qos)
{
    give(x, conn,
         &(struct mqtt_packet){
             .type = PACKET_SUBSCRIBE, .topic = mqtt_text(filter), .qos = qos, .id = 1});
}

static void ack(struct bench *x, uint32_t conn, uint16_t id)
{
    give(x, conn, &(struct mqtt_packet){.type = PACKET_PUBACK, .id = id});
}

static int push(struct bench *x, const char *who, const char *text, uint8_t qos)
{
    struct mqtt_message m = {.topic = "push",
                             .payload = (const uint8_t *)text,
                             .payload_bytes = strlen(text),
                             .qos = qos};
    return cloud_deliver(x->cloud, x->now_ns, who, &m);
}

static void reaches_who_never_subscribed(void)
{
    struct bench x;
    open_bench(&x);
    login(&x, 1, "a|1|", "dev", true);
    CHECK_STR(got(&x), "1:connack0 ");
    CHECK_STR(heard_now(), "+dev ");
    CHECK_INT(push(&x, "dev", "hello", 1), 0);
    CHECK_INT(push(&x, "dev", "again", 0), 0);
    CHECK_STR(got(&x), "1:push=hello#1 1:push=again/0#0 ");
    CHECK_ERR(push(&x, "other", "hello", 1), ERR_NOT_FOUND);
    publish(&x, 1, "ask/dev", "what", 9);
    CHECK_STR(got(&x), "1:4 1:answer=what#2 ");
    CHECK_STR(heard_now(), "dev>ask/dev=what ");
    close_bench(&x);
}

struct refusal {
    const char *name, *user, *password, *id;
    int code;
};

static const struct refusal refusals[] = {
    {"wrong password", "dev", "guess", "a", MQTT_BAD_CREDENTIALS},
    {"no password", "dev", NULL, "a", MQTT_NOT_AUTHORIZED},
    {"no client id", "dev", "secret", "", MQTT_BAD_IDENTIFIER},
};

static const char *refusal_name(const void *row)
{
    return ((const struct refusal *)row)->name;
}

static void refuses(const void *row)
{
    const struct refusal *r = row;
    struct bench x;
    char want[32];
    open_bench(&x);
    REQUIRE(bus_open(x.bus, 0, 1, true) == 0);
    struct mqtt_packet p = {.type = PACKET_CONNECT,
                            .client_id = mqtt_text(r->id),
                            .user_name = mqtt_text(r->user),
                            .password = mqtt_text(r->password),
                            .clean = true};
    give(&x, 1, &p);
    (void)snprintf(want, sizeof want, "1:connack%d 1:close ", r->code);
    CHECK_STR(got(&x), want);
    CHECK_STR(heard_now(), "");
    publish(&x, 1, "open", "ignored", 1); /* nobody there any more */
    CHECK_STR(got(&x), "");
    close_bench(&x);
}

static void topic_rules(void)
{
    struct bench x;
    open_bench(&x);
    login(&x, 1, "a", "dev", true);
    login(&x, 2, "b", "spy", true);
    (void)got(&x);
    (void)heard_now();
    subscribe(&x, 2, "x/dev", 1);
    subscribe(&x, 2, "open", 0);
    CHECK_STR(got(&x), "2:suback80 2:suback0 ");
    CHECK_STR(heard_now(), "!spy may not subscribe to x/dev spy<open ");
    publish(&x, 2, "x/dev", "forged", 3); /* acknowledged and dropped, as the real broker does */
    CHECK_STR(got(&x), "2:4 ");
    CHECK_STR(heard_now(), "!spy may not publish on x/dev ");
    subscribe(&x, 1, "open", 1);
    publish(&x, 1, "open", "echo", 4); /* to all who subscribed, the sender too */
    CHECK_STR(got(&x), "1:suback1 1:4 1:open=echo#1 2:open=echo/0#0 ");
    give(&x, 1,
         &(struct mqtt_packet){.type = PACKET_UNSUBSCRIBE, .topic = mqtt_text("open"), .id = 5});
    publish(&x, 1, "open", "not to me", 0);
    CHECK_STR(got(&x), "1:11 2:open=not to me/0#0 ");
    close_bench(&x);
}

static void persistent_session(void)
{
    struct bench x;
    open_bench(&x);
    login(&x, 1, "v3", "dev", false);
    subscribe(&x, 1, "t/dev", 1);
    (void)got(&x);
    CHECK_INT(push(&x, "dev", "one", 1), 0);
    CHECK_INT(push(&x, "dev", "two", 1), 0);
    ack(&x, 1, 1);
    bus_gone(x.bus, x.now_ns, 1);
    CHECK_STR(got(&x), "1:push=one#1 1:push=two#2 ");
    CHECK_INT(push(&x, "dev", "three", 1), 0);
    CHECK_ERR(push(&x, "dev", "lost", 0), ERR_NOT_FOUND);
    login(&x, 2, "v3", "dev", false);
    CHECK_STR(got(&x), "2:connack0p 2:push=two/dup#2 2:push=three#3 ");
    ack(&x, 2, 2);
    ack(&x, 2, 3);
    ack(&x, 2, 77); /* never sent: ignored */
    publish(&x, 2, "t/dev", "routed", 1);
    CHECK_STR(got(&x), "2:4 2:t/dev=routed#4 "); /* the subscription was kept */
    bus_gone(x.bus, x.now_ns, 2);
    login(&x, 3, "v3", "dev", true); /* clean: all of it is forgotten */
    CHECK_STR(got(&x), "3:connack0 ");
    publish(&x, 3, "t/dev", "alone", 1);
    CHECK_STR(got(&x), "3:4 ");
    bus_gone(x.bus, x.now_ns, 3);
    CHECK_ERR(push(&x, "dev", "nobody", 1), ERR_NOT_FOUND);
    close_bench(&x);
}

static void bounded(void)
{
    struct bench x;
    open_bench(&x);
    login(&x, 1, "v3", "dev", false);
    (void)got(&x);
    for (int i = 0; i < BUS_QUEUE_MAX; i++)
        CHECK_INT(push(&x, "dev", "m", 1), 0);
    CHECK_ERR(push(&x, "dev", "m", 1), ERR_LIMIT);
    const char *sent = got(&x);
    int n = 0;
    for (const char *at = sent; (at = strstr(at, "push=")) != NULL; at++)
        n++;
    CHECK_INT(n, BUS_IN_FLIGHT_MAX);
    ack(&x, 1, 1); /* makes room for the next one */
    CHECK_STR(got(&x), "1:push=m#21 ");
    char filter[32];
    for (int i = 0; i <= BUS_FILTERS_MAX; i++) {
        (void)snprintf(filter, sizeof filter, "%d/dev", i);
        subscribe(&x, 1, filter, 0);
    }
    CHECK_HAS(got(&x), "1:suback0 1:suback80 ");
    close_bench(&x);
}

static void take_over(void)
{
    struct bench x;
    open_bench(&x);
    login(&x, 1, "a|_conn=1|", "dev", true);
    (void)got(&x);
    (void)heard_now();
    login(&x, 2, "a|_conn=2|", "dev", true); /* other raw id, same device */
    CHECK_STR(got(&x), "1:close 2:connack0 ");
    CHECK_STR(heard_now(), "-dev +dev ");
    CHECK_INT(push(&x, "dev", "hi", 0), 0);
    CHECK_STR(got(&x), "2:push=hi/0#0 ");
    login(&x, 3, "a|_conn=2|", "dev", false); /* same raw id */
    CHECK_STR(got(&x), "2:close 3:connack0 ");
    login(&x, 4, "a|_conn=2|", "thief", true); /* a raw id alone gives nothing of another device */
    CHECK_STR(got(&x), "4:connack5 4:close ");
    CHECK_INT(push(&x, "dev", "hi", 1), 0);
    CHECK_STR(got(&x), "3:push=hi#1 ");
    close_bench(&x);
}

static void the_cloud_ends_a_connection(void)
{
    struct bench x;
    open_bench(&x);
    login(&x, 1, "a", "dev", false);
    login(&x, 2, "b", "other", true);
    (void)got(&x);
    (void)heard_now();
    cloud_end_connection(x.cloud, x.now_ns, "dev");
    CHECK_STR(got(&x), "1:close ");
    CHECK_STR(heard_now(), "-dev ");
    cloud_end_connection(x.cloud, x.now_ns, "dev"); /* that is away, and nobody */
    cloud_end_connection(x.cloud, x.now_ns, "nobody");
    CHECK_STR(got(&x), "");
    CHECK_INT(push(&x, "dev", "hi", 1), 0); /* its session waits for it */
    login(&x, 3, "a", "dev", false);
    CHECK_STR(got(&x), "3:connack0p 3:push=hi#1 ");
    close_bench(&x);
}

static void keep_alive(void)
{
    struct bench x;
    open_bench(&x);
    login(&x, 1, "a", "dev", true);
    (void)got(&x);
    CHECK_INT(bus_tick(x.bus, x.now_ns), 90 * NS_PER_S);
    x.now_ns = 80 * NS_PER_S;
    give(&x, 1, &(struct mqtt_packet){.type = PACKET_PINGREQ});
    CHECK_STR(got(&x), "1:13 ");
    CHECK_INT(bus_tick(x.bus, 90 * NS_PER_S), 170 * NS_PER_S);
    (void)heard_now();
    CHECK_INT(bus_tick(x.bus, 170 * NS_PER_S), VTIME_NEVER);
    CHECK_STR(got(&x), "1:close ");
    CHECK_STR(heard_now(), "-dev ");
    REQUIRE(bus_open(x.bus, 200 * NS_PER_S, 2, false) == 0); /* and never says CONNECT */
    CHECK_INT(bus_tick(x.bus, 200 * NS_PER_S), 290 * NS_PER_S);
    (void)bus_tick(x.bus, 290 * NS_PER_S);
    CHECK_STR(got(&x), "2:close ");
    close_bench(&x);
}

static void last_will(void)
{
    struct bench x;
    open_bench(&x);
    struct mqtt_packet p = connect_of("a", "dev", true);
    p.topic = mqtt_text("will/dev");
    p.payload = mqtt_text("gone");
    for (uint32_t i = 0; i < 3; i++) { /* breaks; says DISCONNECT; may not publish there */
        if (i == 2)
            p.topic = mqtt_text("will/other");
        REQUIRE(bus_open(x.bus, 0, i + 1, false) == 0);
        give(&x, i + 1, &p);
        (void)heard_now();
        if (i == 1)
            give(&x, i + 1, &(struct mqtt_packet){.type = PACKET_DISCONNECT});
        else
            bus_gone(x.bus, 0, i + 1);
        static const char *const heard_of[] = {"-dev dev>will/dev=gone ", "-dev ",
                                               "-dev !dev may not publish on will/other "};
        CHECK_STR(heard_now(), heard_of[i]);
    }
    close_bench(&x);
}

static void broker_restart(void)
{
    struct bench x;
    open_bench(&x);
    login(&x, 1, "v3", "dev", false);
    CHECK_INT(push(&x, "dev", "one", 1), 0);
    (void)got(&x);
    bus_stop(x.bus, 0, false);
    CHECK_STR(got(&x), "1:close ");
    CHECK_ERR(bus_open(x.bus, 0, 2, false), ERR_WRONG_STATE);
    bus_start(x.bus);
    login(&x, 3, "v3", "dev", false);
    CHECK_STR(got(&x), "3:connack0p 3:push=one/dup#1 ");
    bus_stop(x.bus, 0, true);
    bus_start(x.bus);
    (void)got(&x);
    login(&x, 4, "v3", "dev", false);
    CHECK_STR(got(&x), "4:connack0 ");
    close_bench(&x);
}

struct breach {
    const char *name;
    const char *hex; /* after a good CONNECT, or first of all */
    bool first;
};

static const struct breach breaches[] = {
    {"second connect", "100e00044d5154540402003c00026162", false},
    {"QoS 2", "3406000161010278", false},
    {"a server's packet", "20020000", false},
    {"wildcard in a topic name", "30050001236162", false},
    {"empty topic", "300400006162", false},
    {"filter that is none", "820800010003612b2f01", false},
    {"too long", "30ffffff7f", false},
    {"not MQTT", "474554202f20485454502f312e310d0a", true},
    {"publish first", "30050001616162", true},
    {"MQTT 5", "100e00044d5154540502003c00026162", true},
};

static const char *breach_name(const void *row)
{
    return ((const struct breach *)row)->name;
}

static void ends(const void *row)
{
    const struct breach *r = row;
    struct bench x;
    uint8_t data[64];
    size_t n = strlen(r->hex) / 2;
    REQUIRE(hex_decode(data, n, r->hex));
    open_bench(&x);
    login(&x, 7, "c", "bystander", true);
    if (r->first)
        REQUIRE(bus_open(x.bus, 0, 1, false) == 0);
    else
        login(&x, 1, "a", "dev", true);
    (void)got(&x);
    for (size_t i = 0; i < n; i++) /* however it is split */
        bus_data(x.bus, 0, 1, data + i, 1);
    CHECK_STR(got(&x), "1:close ");
    CHECK_INT(push(&x, "bystander", "x", 0), 0);
    close_bench(&x);
}

static void full_house(void)
{
    struct bench x;
    open_bench(&x);
    char id[16];
    for (uint32_t i = 1; i <= BUS_CONNS; i++) {
        (void)snprintf(id, sizeof id, "c%u", i);
        login(&x, i, id, id, true);
    }
    CHECK_ERR(bus_open(x.bus, 0, 1000, false), ERR_LIMIT);
    CHECK_ERR(bus_open(x.bus, 0, 5, false), ERR_WRONG_STATE);
    bus_gone(x.bus, 0, 5);
    CHECK_INT(bus_open(x.bus, 0, 1000, true), 0);
    struct mqtt_packet p = connect_of("late", "late", true);
    give(&x, 1000, &p);
    CHECK(heard.login.tls && heard.login.clean_session);
    CHECK_INT(heard.login.keep_alive_s, 60);
    close_bench(&x);
}

static const struct test tests[] = {
    {"a message reaches who never subscribed", reaches_who_never_subscribed},
    TEST_ROWS("a login is refused", refuses, refusals, refusal_name),
    {"topic rules hold and messages are routed", topic_rules},
    {"a persistent session is kept and delivered again", persistent_session},
    {"queues, windows and filters are bounded", bounded},
    {"a second session of a device ends the first", take_over},
    {"the cloud ends a connection", the_cloud_ends_a_connection},
    {"silence ends a connection", keep_alive},
    {"the last will is published when a connection breaks", last_will},
    {"the broker restarts", broker_restart},
    TEST_ROWS("a breach ends the connection", ends, breaches, breach_name),
    {"connections are bounded", full_house},
};
TEST_MAIN("mqtt bus", tests)
