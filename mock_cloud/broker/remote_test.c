#include "mock_cloud/broker/remote.h"

#include "mock_cloud/broker/broker_testing.h"
#include "mock_cloud/tls/ca.h"

/* The cloud under test is a client of the broker of the fixture, which plays the external one. */

static char log_text[4096];

static void log_it(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void log_it(const char *fmt, ...)
{
    size_t at = strlen(log_text);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(log_text + at, sizeof log_text - at, fmt, ap);
    va_end(ap);
}

static const char *hub_filter(size_t index)
{
    return index == 0 ? "up/+" : NULL;
}

static bool hub_owner(struct cloud *c, const char *topic, char identity[MQTT_IDENTITY_MAX])
{
    (void)c;
    if (strncmp(topic, "up/", 3) != 0)
        return false;
    (void)snprintf(identity, MQTT_IDENTITY_MAX, "%.100s", topic + 3);
    return strcmp(identity, "stranger") != 0;
}

static bool hub_topic(struct cloud *c, const char *identity, const char *topic,
                      enum mqtt_access access)
{
    (void)c, (void)topic, (void)access;
    return strcmp(identity, "banned") != 0;
}

static void hub_online(struct cloud *c, int64_t now_ns, const char *identity)
{
    (void)c, (void)now_ns;
    log_it("+%s ", identity);
}

static void hub_offline(struct cloud *c, int64_t now_ns, const char *identity)
{
    (void)c, (void)now_ns;
    log_it("-%s ", identity);
}

static bool hub_message(struct cloud *c, int64_t now_ns, const char *identity,
                        const struct mqtt_message *m)
{
    char topic[MQTT_TOPIC_MAX];
    log_it("%s=%.*s ", identity, (int)m->payload_bytes, (const char *)m->payload);
    (void)snprintf(topic, sizeof topic, "down/%s", identity);
    struct mqtt_message answer = *m;
    answer.topic = topic;
    (void)cloud_deliver(c, now_ns, identity, &answer);
    return true;
}

static const struct face hub_face = {.name = "hub",
                                     .filter_at = hub_filter,
                                     .owner = hub_owner,
                                     .topic = hub_topic,
                                     .online = hub_online,
                                     .offline = hub_offline,
                                     .message = hub_message};

struct hub {
    struct store *store;
    struct cloud *cloud;
    struct remote *remote;
    int64_t now_ns;
};

static void hub_open(struct hub *h, const char *url, const char *ca_path)
{
    struct err err = {.text = ""};
    const struct face *const faces[] = {&hub_face};
    int rc = 0;
    *h = (struct hub){.store = store_open(NULL, &err)};
    REQUIRE(h->store != NULL);
    struct cloud_config cfg = {
        .store = h->store, .download_host = "localhost", .download_port = 80, .project_key = "k"};
    cfg.event = test_event;
    h->cloud = cloud_new(&cfg, faces, 1, &err);
    REQUIRE(h->cloud != NULL);
    struct remote_config rcfg = {.cloud = h->cloud, .url = url, .ca_path = ca_path};
    h->remote = remote_start(&rcfg, &rc, &err);
    REQUIRE_OK(rc, &err);
    log_text[0] = '\0';
}

static void hub_close(struct hub *h)
{
    remote_stop(h->remote);
    cloud_free(h->cloud);
    store_close(h->store);
}

/* Both loops; the hub's time goes on by a second per turn. */
static void turns(struct bench *x, struct hub *h, const char *text, const char *part)
{
    for (int i = 0; i < TURNS_MAX && strstr(text, part) == NULL; i++) {
        turn(x);
        h->now_ns += 1000000000;
        remote_run(h->remote, h->now_ns);
    }
    CHECK_HAS(text, part);
}

static void through_another_broker(void)
{
    struct bench x;
    struct hub h;
    char url[64];
    bench_open(&x, NULL, NULL);
    (void)snprintf(url, sizeof url, "mqtt://hub:secret@127.0.0.1:%u", broker_port(x.broker));
    hub_open(&h, url, NULL);
    turns(&x, &h, heard.text, "hub<up/+ ");
    CHECK(remote_is_up(h.remote));
    CHECK_STR(remote_trouble(h.remote), "");
    struct peer *dev = peer_connect(&x, "d", "dev", "secret", true);
    struct peer *banned = peer_connect(&x, "b", "banned", "secret", true);
    (void)mosquitto_subscribe(dev->m, NULL, "down/dev", 1);
    turns(&x, &h, dev->log, "suback1 ");
    (void)mosquitto_publish(banned->m, NULL, "up/banned", 1, "x", 1, false);
    turns(&x, &h, banned->log, "puback ");
    turns(&x, &h, heard.text, "!banned may not publish on up/banned ");
    struct peer *stranger = peer_connect(&x, "s", "stranger", "secret", true);
    (void)mosquitto_publish(stranger->m, NULL, "up/stranger", 1, "x", 1, false);
    turns(&x, &h, heard.text, "!unknown may not publish on up/stranger ");
    (void)mosquitto_publish(dev->m, NULL, "up/dev", 5, "hello", 1, false);
    turns(&x, &h, dev->log, "down/dev=hello ");
    (void)mosquitto_publish(dev->m, NULL, "up/dev", 5, "again", 0, false);
    turns(&x, &h, dev->log, "down/dev=again/0 ");
    CHECK_STR(log_text, "+dev dev=hello dev=again ");
    struct mqtt_message m = {.topic = "down/nobody", .payload = (const uint8_t *)"x"};
    CHECK_ERR(cloud_deliver(h.cloud, 0, "nobody", &m), ERR_NOT_FOUND);
    /* The broker goes and comes again: connected again, and the device is there when it speaks. */
    broker_halt(x.broker, 0);
    turns(&x, &h, log_text, "-dev ");
    CHECK(!remote_is_up(h.remote));
    CHECK_HAS(remote_trouble(h.remote), "127.0.0.1");
    CHECK_ERR(cloud_deliver(h.cloud, 0, "dev", &m), ERR_NOT_FOUND);
    (void)heard_now();
    struct err err = {.text = ""};
    REQUIRE_OK(broker_again(x.broker, &err), &err);
    turns(&x, &h, heard.text, "hub<up/+ ");
    dev = peer_connect(&x, "d", "dev", "secret", true);
    (void)mosquitto_publish(dev->m, NULL, "up/dev", 4, "back", 1, false);
    turns(&x, &h, log_text, "+dev dev=back ");
    hub_close(&h);
    bench_close(&x);
}

static void refused_there(void)
{
    struct bench x;
    struct hub h;
    char url[64];
    bench_open(&x, NULL, NULL);
    (void)snprintf(url, sizeof url, "mqtt://hub:wrong@127.0.0.1:%u", broker_port(x.broker));
    hub_open(&h, url, NULL);
    turns(&x, &h, remote_trouble(h.remote), "not authorised");
    CHECK(!remote_is_up(h.remote));
    hub_close(&h);
    bench_close(&x);
}

/* Over TLS it must be a broker that the CA signed, by that name. */
static void over_tls(void)
{
    struct bench x;
    struct hub h;
    struct ca_files files, others;
    struct err err = {.text = ""};
    char url[64], dir[TEST_PATH_MAX], other_dir[TEST_PATH_MAX];
    test_tmpdir(dir);
    test_tmpdir(other_dir);
    REQUIRE_OK(ca_ensure(dir, CA_GOOD, NULL, 0, &files, &err), &err);
    REQUIRE_OK(ca_ensure(other_dir, CA_GOOD, NULL, 0, &others, &err), &err);
    bench_open(&x, files.cert_path, files.key_path);
    (void)snprintf(url, sizeof url, "mqtts://hub:secret@localhost:%u", broker_tls_port(x.broker));
    hub_open(&h, url, files.ca_path);
    turns(&x, &h, heard.text, "hub<up/+ ");
    CHECK(remote_is_up(h.remote));
    hub_close(&h);
    hub_open(&h, url, others.ca_path);
    turns(&x, &h, remote_trouble(h.remote), "localhost");
    CHECK(!remote_is_up(h.remote));
    hub_close(&h);
    bench_close(&x);
}

struct url_row {
    const char *text;
    struct remote_url want;
    const char *story; /* null: good */
};

static const struct url_row urls[] = {
    {"mqtt://broker", {.host = "broker", .port = 1883}, NULL},
    {"mqtts://10.0.0.1:8884/", {.host = "10.0.0.1", .port = 8884, .tls = true}, NULL},
    {"mqtt://u@h", {.host = "h", .port = 1883, .user_name = "u"}, NULL},
    {"mqtt://u:p%40%3a@h:1", {.host = "h", .port = 1, .user_name = "u", .password = "p@:"}, NULL},
    {"mqtt://a@b:c@h", {.host = "h", .port = 1883, .user_name = "a@b", .password = "c"}, NULL},
    {"http://h", {.port = 0}, "must begin with mqtt://"},
    {"", {.port = 0}, "must begin with mqtt://"},
    {"mqtt://", {.port = 0}, "has no host"},
    {"mqtt://h:0", {.port = 0}, "port must be 1 to 65535"},
    {"mqtt://h:65536", {.port = 0}, "port must be 1 to 65535"},
    {"mqtt://h:1x", {.port = 0}, "port must be 1 to 65535"},
    {"mqtt://h:", {.port = 0}, "port must be 1 to 65535"},
    {"mqtt://h/topic", {.port = 0}, "nothing may follow"},
    {"mqtt://u:%4@h", {.port = 0}, "password: % without two hex digits"},
    {"mqtt://u:%00@h", {.port = 0}, "password: % without two hex digits"},
    {"mqtt://h h", {.port = 0}, "host: blank or control character"},
};

static const char *url_name(const void *row)
{
    const char *text = ((const struct url_row *)row)->text;
    return text[0] == '\0' ? "nothing" : text;
}

static void reads_url(const void *row)
{
    const struct url_row *r = row;
    struct remote_url got;
    struct err err = {.text = ""};
    int rc = remote_url_parse(r->text, &got, &err);
    if (r->story != NULL) {
        CHECK(rc == ERR_FORMAT || rc == ERR_LIMIT);
        CHECK_HAS(err.text, r->story);
        return;
    }
    CHECK_OK(rc, &err);
    CHECK_STR(got.host, r->want.host);
    CHECK_STR(got.user_name, r->want.user_name);
    CHECK_STR(got.password, r->want.password);
    CHECK_INT(got.port, r->want.port);
    CHECK_INT(got.tls, r->want.tls);
}

static void bad_ca(void)
{
    struct err err = {.text = ""};
    int rc = 0;
    struct remote_config cfg = {.url = "mqtts://localhost", .ca_path = "/none.pem"};
    CHECK(remote_start(&cfg, &rc, &err) == NULL);
    CHECK_ERR(rc, ERR_IO);
    CHECK_HAS(err.text, "/none.pem");
}

static const struct test tests[] = {
    {"a cloud works through another broker", through_another_broker},
    {"a refusal is told", refused_there},
    {"another broker over TLS", over_tls},
    TEST_ROWS("URL", reads_url, urls, url_name),
    {"a CA that cannot be used", bad_ca},
};
TEST_MAIN("external broker", tests)
