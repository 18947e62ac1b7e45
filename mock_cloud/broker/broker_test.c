#include "mock_cloud/broker/broker.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mock_cloud/broker/broker_testing.h"

/* Each end of the same story as in bus_test.c: the verdicts must be the same on both. */

static void reaches_who_never_subscribed(void)
{
    struct bench x;
    bench_open(&x, NULL, NULL);
    struct peer *p = peer_connect(&x, "a|1|", "dev", "secret", true);
    until(&x, p->log, "connack0 ");
    until(&x, heard.text, "+dev ");
    CHECK_INT(push(&x, "dev", "hello", 1), 0);
    until(&x, p->log, "push=hello ");
    CHECK_INT(push(&x, "dev", "again", 0), 0);
    until(&x, p->log, "push=again/0 ");
    CHECK_ERR(push(&x, "other", "hello", 1), ERR_NOT_FOUND);
    (void)mosquitto_publish(p->m, NULL, "ask/dev", 4, "what", 1, false);
    until(&x, p->log, "answer=what ");
    CHECK_STR(heard_now(), "+dev dev>ask/dev=what ");
    CHECK(heard.login.clean_session && heard.login.keep_alive_s == 60);
    (void)mosquitto_disconnect(p->m);
    until(&x, heard.text, "-dev ");
    CHECK_ERR(push(&x, "dev", "hello", 1), ERR_NOT_FOUND);
    bench_close(&x);
}

struct refusal {
    const char *name, *user, *password;
};

static const struct refusal refusals[] = {
    {"wrong password", "dev", "guess"},
    {"no password", "dev", NULL},
    {"nobody", NULL, NULL},
    {"the host's name", "otabench", "secret2"},
};

static const char *refusal_name(const void *row)
{
    return ((const struct refusal *)row)->name;
}

static void refuses(const void *row)
{
    const struct refusal *r = row;
    struct bench x;
    bench_open(&x, NULL, NULL);
    struct peer *p = peer_connect(&x, "a", r->user, r->password, true);
    until(&x, p->log, "down ");
    CHECK_STR(p->log, "connack5 down ");
    CHECK_STR(heard_now(), "");
    bench_close(&x);
}

static void topic_rules(void)
{
    struct bench x;
    bench_open(&x, NULL, NULL);
    struct peer *dev = peer_connect(&x, "a", "dev", "secret", true);
    struct peer *spy = peer_connect(&x, "b", "spy", "secret", true);
    until(&x, heard.text, "+dev ");
    until(&x, heard.text, "+spy ");
    (void)heard_now();
    (void)mosquitto_subscribe(spy->m, NULL, "x/dev", 1);
    until(&x, spy->log, "suback80 ");
    (void)mosquitto_subscribe(spy->m, NULL, "open", 0);
    until(&x, spy->log, "suback0 ");
    until(&x, heard.text, "spy<open ");
    (void)mosquitto_publish(spy->m, NULL, "x/dev", 6, "forged", 1, false);
    until(&x, spy->log, "puback ");
    (void)mosquitto_publish(spy->m, NULL, BROKER_TOPIC, 6, "forged", 1, false);
    (void)mosquitto_subscribe(dev->m, NULL, "open", 1);
    until(&x, dev->log, "suback1 ");
    (void)mosquitto_publish(dev->m, NULL, "open", 4, "echo", 1, true); /* retained: is not */
    until(&x, dev->log, "open=echo ");
    until(&x, spy->log, "open=echo/0 ");
    CHECK_STR(heard_now(), "!spy may not subscribe to x/dev spy<open !spy may not publish on x/dev "
                           "!spy may not publish on " BROKER_TOPIC " dev<open dev>open=echo ");
    struct peer *late = peer_connect(&x, "c", "late", "secret", true);
    until(&x, late->log, "connack0 ");
    (void)mosquitto_subscribe(late->m, NULL, "open", 1);
    until(&x, late->log, "suback1 ");
    (void)mosquitto_publish(late->m, NULL, "open", 3, "end", 1, false);
    until(&x, late->log, "open=end ");
    CHECK(strstr(late->log, "echo") == NULL);
    bench_close(&x);
}

static void persistent_session(void)
{
    struct bench x;
    bench_open(&x, NULL, NULL);
    struct peer *p = peer_connect(&x, "v3", "dev", "secret", false);
    until(&x, heard.text, "+dev ");
    (void)mosquitto_disconnect(p->m);
    until(&x, heard.text, "-dev ");
    CHECK_INT(push(&x, "dev", "kept", 1), 0);
    CHECK_ERR(push(&x, "dev", "lost", 0), ERR_NOT_FOUND);
    turn(&x);
    struct peer *q = peer_connect(&x, "v3", "dev", "secret", false);
    until(&x, q->log, "push=kept ");
    CHECK_STR(q->log, "connack0p push=kept ");
    until(&x, heard.text, "-dev +dev ");
    bench_close(&x);
}

static void take_over(void)
{
    struct bench x;
    bench_open(&x, NULL, NULL);
    struct peer *a = peer_connect(&x, "a|_conn=1|", "dev", "secret", true);
    until(&x, heard.text, "+dev ");
    struct peer *b = peer_connect(&x, "a|_conn=2|", "dev", "secret", true);
    until(&x, a->log, "down ");
    until(&x, heard.text, "+dev -dev +dev ");
    CHECK_INT(push(&x, "dev", "hi", 1), 0);
    until(&x, b->log, "push=hi ");
    struct peer *c = peer_connect(&x, "a|_conn=2|", "dev", "secret", true); /* the same raw id */
    until(&x, b->log, "down ");
    until(&x, heard.text, "-dev +dev -dev +dev ");
    CHECK_INT(push(&x, "dev", "ho", 1), 0);
    until(&x, c->log, "push=ho ");
    struct peer *thief = peer_connect(&x, "a|_conn=2|", "thief", "secret", true);
    until(&x, thief->log, "connack5 ");
    CHECK(strstr(c->log, "down") == NULL);
    bench_close(&x);
}

static void the_cloud_ends_a_connection(void)
{
    struct bench x;
    bench_open(&x, NULL, NULL);
    struct peer *a = peer_connect(&x, "a", "dev", "secret", true);
    struct peer *b = peer_connect(&x, "b", "other", "secret", true);
    until(&x, heard.text, "+dev ");
    until(&x, heard.text, "+other ");
    cloud_end_connection(x.cloud, 0, "nobody");
    cloud_end_connection(x.cloud, 0, "dev");
    until(&x, a->log, "down ");
    until(&x, heard.text, "-dev ");
    CHECK_INT(push(&x, "other", "hi", 1), 0);
    until(&x, b->log, "push=hi ");
    CHECK(strstr(b->log, "down") == NULL);
    bench_close(&x);
}

static void last_will(void)
{
    struct bench x;
    bench_open(&x, NULL, NULL);
    struct peer *p = peer_new(&x, "a", "dev", "secret", true);
    (void)mosquitto_will_set(p->m, "will/dev", 4, "gone", 1, false);
    CHECK_INT(mosquitto_connect(p->m, "127.0.0.1", broker_port(x.broker), 60), 0);
    until(&x, heard.text, "+dev ");
    (void)shutdown(mosquitto_socket(p->m), SHUT_RDWR);
    until(&x, heard.text, "dev>will/dev=gone ");
    CHECK_STR(heard_now(), "+dev -dev dev>will/dev=gone ");
    p = peer_new(&x, "b", "dev2", "secret", true); /* nor where it may not publish */
    (void)mosquitto_will_set(p->m, "will/other", 4, "gone", 1, false);
    CHECK_INT(mosquitto_connect(p->m, "127.0.0.1", broker_port(x.broker), 60), 0);
    until(&x, heard.text, "+dev2 ");
    (void)shutdown(mosquitto_socket(p->m), SHUT_RDWR);
    until(&x, heard.text, "-dev2 ");
    (void)peer_connect(&x, "c", "dev3", "secret", true);
    until(&x, heard.text, "+dev3 ");
    CHECK_STR(heard_now(), "+dev2 -dev2 !dev2 may not publish on will/other +dev3 ");
    bench_close(&x);
}

/* Rude clients end; the others do not notice. */
static void rude_clients(void)
{
    struct bench x;
    bench_open(&x, NULL, NULL);
    struct peer *good = peer_connect(&x, "g", "good", "secret", true);
    until(&x, heard.text, "+good ");
    struct peer *big = peer_connect(&x, "b", "dev", "secret", true);
    until(&x, heard.text, "+dev ");
    char *data = calloc(1, BROKER_PACKET_MAX);
    REQUIRE(data != NULL);
    memset(data, 'x', BROKER_PACKET_MAX);
    (void)mosquitto_publish(big->m, NULL, "a/dev", BROKER_PACKET_MAX, data, 0, false);
    until(&x, big->log, "down ");
    struct peer *large = peer_connect(&x, "l", "dev", "secret", true);
    until(&x, large->log, "connack0 ");
    (void)mosquitto_publish(large->m, NULL, "a/dev", (int)MQTT_PAYLOAD_MAX + 1, data, 1, false);
    until(&x, large->log, "puback "); /* acknowledged and dropped */
    (void)mosquitto_publish(large->m, NULL, "a/dev", 2, "ok", 1, false);
    until(&x, heard.text, "dev>a/dev=ok ");
    CHECK(strstr(heard.text, "xxx") == NULL);
    free(data);
    static const char noise[] = "\xf0\x01x"; /* no packet type */
    struct peer *web = peer_connect(&x, "w", "web", "secret", true);
    (void)!write(mosquitto_socket(web->m), noise, sizeof noise - 1);
    until(&x, web->log, "down ");
    CHECK_INT(push(&x, "good", "still here", 1), 0);
    until(&x, good->log, "push=still here ");
    bench_close(&x);
}

/* The broker dies: broker_run says so. */
static void broker_dies(void)
{
    struct bench x;
    bench_open(&x, NULL, NULL);
    CHECK_INT(kill(broker_pid(x.broker), SIGKILL), 0);
    for (int i = 0; i < TURNS_MAX && x.rc == 0; i++)
        turn(&x);
    CHECK_ERR(x.rc, ERR_IO);
    bench_close(&x);
}

static void bad_certificate(void)
{
    struct bench x = {.rc = 0};
    struct err err = {.text = ""};
    int rc = 0;
    x.cloud = test_cloud(&x.store);
    test_tmpdir(x.dir);
    struct broker_config cfg = {
        .cloud = x.cloud, .dir = x.dir, .cert_path = "/none.pem", .key_path = "/none.key"};
    CHECK(broker_start(&cfg, &rc, &err) == NULL);
    CHECK_ERR(rc, ERR_IO);
    CHECK_HAS(err.text, "does not start");
    CHECK_HAS(err.text, "/none.pem");
    cfg = (struct broker_config){.cloud = x.cloud,
                                 .dir = "/tmp/a-very-long-path/a-very-long-path/a-very-long-path/"
                                        "a-very-long-path/a-very-long-path/a-very-long-path"};
    CHECK(broker_start(&cfg, &rc, &err) == NULL);
    CHECK_ERR(rc, ERR_LIMIT);
    cloud_free(x.cloud);
    store_close(x.store);
}

static const struct test tests[] = {
    {"a message reaches who never subscribed", reaches_who_never_subscribed},
    TEST_ROWS("a login is refused", refuses, refusals, refusal_name),
    {"topic rules hold and messages are routed", topic_rules},
    {"a persistent session is kept", persistent_session},
    {"a second session of a device ends the first", take_over},
    {"the cloud ends a connection", the_cloud_ends_a_connection},
    {"the last will is published when a connection breaks", last_will},
    {"rude clients harm nobody else", rude_clients},
    {"a dead broker is noticed", broker_dies},
    {"a broker that cannot start says why", bad_certificate},
};
TEST_MAIN("mqtt broker", tests)
