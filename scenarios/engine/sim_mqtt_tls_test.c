/* TLS of the simulated board, under MQTT and under HTTP: how long it takes and what it refuses. */
#include "scenarios/engine/sim_mqtt_testing.h"

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
};
TEST_MAIN("TLS on the simulated board", tests)
