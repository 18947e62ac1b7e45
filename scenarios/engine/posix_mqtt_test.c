/*
 * The posix board's MQTT client and its TLS against the real edges: Mosquitto with our plugin, and
 * the HTTPS server. The device runs in threads of its own; the cloud is served by the test's.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mock_cloud/broker/broker_testing.h"
#include "mock_cloud/http/edge.h"
#include "mock_cloud/tls/ca.h"
#include "sim_device/board/posix_board.h"

#define HOST "localhost"

struct device {
    struct nor *nor;
    struct partition_table partitions;
    struct posix_board *p;
    struct board *b;
    const struct board_mqtt_ops *mqtt;
    void (*entry)(void *);
    pthread_t thread;
    atomic_bool over;
    char ca[CA_PEM_MAX]; /* "": plain */
    const char *host;
    int client;
    char log[4096]; /* the test reads it when it is over */
};

static void note(struct device *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(struct device *d, const char *fmt, ...)
{
    size_t at = strlen(d->log);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(d->log + at, sizeof d->log - at, fmt, ap);
    va_end(ap);
}

static void ignore_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                         const struct trace_field *fields, size_t n)
{
    (void)ctx, (void)now_ns, (void)lane, (void)event, (void)fields, (void)n;
}

static void *device_thread(void *arg)
{
    struct device *d = arg;
    while (posix_board_run(d->p, d->entry, d) == POSIX_RESET)
        note(d, "reset ");
    atomic_store(&d->over, true);
    return NULL;
}

static void device_start(struct device *d, const struct bench *x, struct edge *https,
                         void (*entry)(void *))
{
    struct err err = {.text = ""};
    struct nor_geometry geo = *nor_geometry_find("spi4k");
    d->nor = nor_new(&geo, 1, &err);
    struct posix_board_config cfg = {.nor = d->nor,
                                     .partitions = &d->partitions,
                                     .connect_timeout_ns = 20 * NS_PER_S,
                                     .relay_ip = 0x7f000001,
                                     .relay_port = broker_port(x->broker),
                                     .event = ignore_event,
                                     .event_ctx = d};
    if (broker_tls_port(x->broker) != 0)
        cfg.relays[cfg.n_relays++] = (struct posix_relay){8883, broker_tls_port(x->broker)};
    if (https != NULL)
        cfg.relays[cfg.n_relays++] = (struct posix_relay){443, edge_port(https)};
    d->p = posix_board_new(&cfg, &err);
    REQUIRE(d->nor != NULL && d->p != NULL);
    d->b = posix_board_board(d->p);
    d->mqtt = d->b->mqtt;
    d->entry = entry;
    REQUIRE(pthread_create(&d->thread, NULL, device_thread, d) == 0);
}

/* Serves broker and edge until the device is done. */
static void serve(struct bench *x, struct edge *https, struct device *d)
{
    for (int i = 0; i < 3 * TURNS_MAX && !atomic_load(&d->over); i++) {
        turn(x);
        if (https != NULL)
            (void)edge_run(https, 0);
    }
    CHECK(atomic_load(&d->over));
    (void)pthread_join(d->thread, NULL);
    posix_board_free(d->p);
    nor_free(d->nor);
}

static int open_client(struct device *d, const char *id, uint16_t keep_alive_s)
{
    struct board_mqtt_config c = {.host = d->host == NULL ? HOST : d->host,
                                  .port = d->ca[0] != '\0' ? 8883 : 1883,
                                  .ca_pem = d->ca[0] != '\0' ? d->ca : NULL,
                                  .client_id = id,
                                  .user_name = "dev",
                                  .password = strcmp(id, "bad") == 0 ? "guess" : "secret",
                                  .keep_alive_s = keep_alive_s,
                                  .clean_session = true,
                                  .will_topic = "will/dev",
                                  .will_payload = "gone",
                                  .will_bytes = 4};
    uint8_t code = 9;
    bool present = false;
    d->client = d->mqtt->open(d->b, &c, 20 * NS_PER_S, &code, &present);
    note(d, "open=%d/%u ", d->client, code);
    return d->client;
}

static void take(struct device *d, int64_t timeout_ns)
{
    struct board_mqtt_message m;
    int rc = d->mqtt->receive(d->b, d->client, &m, timeout_ns);
    if (rc == BOARD_OK) {
        note(d, "%s=%.*s ", m.topic, (int)(m.payload_bytes < 20 ? m.payload_bytes : 20),
             (const char *)m.payload);
        board_free(d->b, m.payload);
    } else {
        note(d, "receive=%d ", rc);
    }
}

/* ---- plain ---- */

static void talk_main(void *arg)
{
    struct device *d = arg;
    const struct board_mqtt_ops *m = d->mqtt;
    if (open_client(d, "bad", 60) >= 0 || open_client(d, "c", 60) < 0)
        return;
    note(d, "pub=%d ", m->publish(d->b, d->client, "a/dev", "hi", 2, 0, 0));
    note(d, "pub=%d ", m->publish(d->b, d->client, "ask/dev", "q", 1, 1, 20 * NS_PER_S));
    take(d, 20 * NS_PER_S);
    note(d, "sub=%d ", m->subscribe(d->b, d->client, "open", 1, 20 * NS_PER_S));
    note(d, "sub=%d ", m->subscribe(d->b, d->client, "x/other", 1, 20 * NS_PER_S));
    note(d, "pub=%d ", m->publish(d->b, d->client, "open", "echo", 4, 1, 20 * NS_PER_S));
    take(d, 20 * NS_PER_S);
    note(d, "unsub=%d ", m->unsubscribe(d->b, d->client, "open", 20 * NS_PER_S));
    take(d, NS_PER_MS);
    static char large[BOARD_MQTT_BYTES_MAX];
    memset(large, 'L', sizeof large);
    note(d, "pub=%d ",
         m->publish(d->b, d->client, "ask/dev", large, sizeof large, 1, 20 * NS_PER_S));
    take(d, 20 * NS_PER_S);
    note(d, "up=%d ", m->is_up(d->b, d->client));
    m->close(d->b, d->client);
    take(d, NS_PER_S);
    note(d, "heap=%zu ", d->b->heap.used_bytes);
}

#define TALK                                                                                       \
    "open=-2/5 open=0/0 pub=0 pub=0 answer=q sub=0 sub=-2 pub=0 open=echo unsub=0 receive=-1 "     \
    "pub=0 answer=LLLLLLLLLLLLLLLLLLLL up=1 receive=-2 heap=0 "

static void talks(void)
{
    struct bench x;
    struct device d = {.client = -1};
    bench_open(&x, NULL, NULL);
    device_start(&d, &x, NULL, talk_main);
    serve(&x, NULL, &d);
    CHECK_STR(d.log, TALK);
    until(&x, heard.text, "-dev ");
    CHECK(strstr(heard.text, "will") == NULL);
    bench_close(&x);
}

/* A reset in the middle of waiting: nothing is left, and the will tells. */
static void reset_main(void *arg)
{
    struct device *d = arg;
    bool first = d->log[0] == '\0';
    if (open_client(d, first ? "one" : "two", 60) < 0)
        return;
    if (first)
        d->b->ops->reset(d->b);
    d->mqtt->close(d->b, d->client);
}

static void resets(void)
{
    struct bench x;
    struct device d = {.client = -1};
    bench_open(&x, NULL, NULL);
    device_start(&d, &x, NULL, reset_main);
    serve(&x, NULL, &d);
    CHECK_STR(d.log, "open=0/0 reset open=0/0 ");
    until(&x, heard.text, "+dev -dev dev>will/dev=gone ");
    bench_close(&x);
}

/* The broker goes while the device waits. */
static void listen_main(void *arg)
{
    struct device *d = arg;
    if (open_client(d, "c", 60) < 0)
        return;
    note(d, "pub=%d ", d->mqtt->publish(d->b, d->client, "a/dev", "x", 1, 1, 20 * NS_PER_S));
    (void)d->mqtt->publish(d->b, d->client, "a/dev", "y", 1, 0, 0); /* x was acknowledged */
    take(d, BOARD_FOREVER);
    note(d, "up=%d ", d->mqtt->is_up(d->b, d->client));
    note(d, "pub=%d ", d->mqtt->publish(d->b, d->client, "a/dev", "x", 1, 0, 0));
}

static void broker_goes(void)
{
    struct bench x;
    struct device d = {.client = -1};
    bench_open(&x, NULL, NULL);
    device_start(&d, &x, NULL, listen_main);
    until(&x, heard.text, "dev>a/dev=y ");
    broker_stop(x.broker);
    x.broker = NULL;
    (void)pthread_join(d.thread, NULL);
    CHECK_STR(d.log, "open=0/0 pub=0 receive=-2 up=0 pub=-2 ");
    posix_board_free(d.p);
    nor_free(d.nor);
    bench_close(&x);
}

/* ---- TLS ---- */

struct handshake {
    const char *name;
    const char *host;
    enum ca_certificate kind;
    bool good;
};

static const struct handshake handshakes[] = {
    {"good", HOST, CA_GOOD, true},
    {"a literal address is not compared", "192.0.2.1", CA_WRONG_NAME, true},
    {"untrusted", HOST, CA_UNTRUSTED, false},
    {"wrong name", HOST, CA_WRONG_NAME, false},
    {"expired", HOST, CA_EXPIRED, false},
};

static const char *handshake_name(const void *row)
{
    return ((const struct handshake *)row)->name;
}

static void tls_main(void *arg)
{
    static const char request[] = "GET /none HTTP/1.1\r\nHost: h\r\n\r\n";
    struct device *d = arg;
    const struct board_ops *o = d->b->ops;
    if (open_client(d, "c", 60) >= 0) {
        note(d, "pub=%d ", d->mqtt->publish(d->b, d->client, "ask/dev", "q", 1, 1, 20 * NS_PER_S));
        take(d, 20 * NS_PER_S);
        d->mqtt->close(d->b, d->client);
    }
    int fd = o->sock_open(d->b, BOARD_STREAM);
    if (o->sock_connect(d->b, fd, 1, 443) != 0)
        return;
    int rc = o->sock_tls(d->b, fd, d->host, d->ca);
    note(d, "https=%d ", rc);
    char head[13] = "";
    size_t n = 0;
    (void)o->sock_recv_timeout(d->b, fd, 20 * NS_PER_S);
    if (rc == 0 && o->sock_send(d->b, fd, request, sizeof request - 1) > 0)
        while (n < 12) {
            int got = o->sock_recv(d->b, fd, head + n, 12 - n);
            if (got <= 0)
                break;
            n += (size_t)got;
        }
    note(d, "%s ", head);
    (void)o->sock_close(d->b, fd);
}

static void shakes_hands(const void *row)
{
    const struct handshake *h = row;
    struct bench x;
    struct device d = {.client = -1, .host = h->host};
    struct ca_files files;
    struct err err = {.text = ""};
    char dir[TEST_PATH_MAX], cert[CA_PEM_MAX], key[CA_PEM_MAX];
    test_tmpdir(dir);
    REQUIRE_OK(ca_ensure(dir, h->kind, NULL, 0, &files, &err), &err);
    REQUIRE_OK(ca_read_pem(files.ca_path, d.ca, &err), &err);
    REQUIRE_OK(ca_read_pem(files.cert_path, cert, &err), &err);
    REQUIRE_OK(ca_read_pem(files.key_path, key, &err), &err);
    bench_open(&x, files.cert_path, files.key_path);
    struct edge_address at = {.cert_pem = cert, .key_pem = key};
    struct edge *https = edge_listen(x.cloud, &at, &err);
    REQUIRE_OK(https != NULL ? 0 : ERR_IO, &err);
    device_start(&d, &x, https, tls_main);
    serve(&x, https, &d);
    CHECK_STR(d.log,
              h->good ? "open=0/0 pub=0 answer=q https=0 HTTP/1.1 404 " : "open=-2/0 https=-1  ");
    edge_free(https);
    bench_close(&x);
}

/* ---- old device stacks: TLS 1.2 with RSA key exchange and AES-CBC, nothing else ---- */

static const char *const suites[] = {"AES256-SHA256", "AES128-SHA256", "AES256-SHA", "AES128-SHA",
                                     "ECDHE-RSA-AES128-GCM-SHA256"};

static const char *suite_name(const void *row)
{
    return *(const char *const *)row;
}

struct old_client {
    const char *suite;
    uint16_t ports[2]; /* MQTT, HTTPS */
    bool good[2];
    atomic_bool over;
};

static bool handshake(const char *suite, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    bool ok = SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) == 1 &&
              SSL_CTX_set_cipher_list(ctx, suite) == 1 &&
              connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    SSL *ssl = SSL_new(ctx);
    ok = ok && SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1 &&
         strcmp(SSL_get_cipher_name(ssl), suite) == 0;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)close(fd);
    return ok;
}

static void *old_client_thread(void *arg)
{
    struct old_client *c = arg;
    for (int i = 0; i < 2; i++)
        c->good[i] = handshake(c->suite, c->ports[i]);
    atomic_store(&c->over, true);
    return NULL;
}

static void takes_suite(const void *row)
{
    struct bench x;
    struct ca_files files;
    struct err err = {.text = ""};
    char dir[TEST_PATH_MAX], cert[CA_PEM_MAX], key[CA_PEM_MAX];
    struct old_client c = {.suite = suite_name(row)};
    pthread_t thread;
    test_tmpdir(dir);
    REQUIRE_OK(ca_ensure(dir, CA_GOOD, NULL, 0, &files, &err), &err);
    REQUIRE_OK(ca_read_pem(files.cert_path, cert, &err), &err);
    REQUIRE_OK(ca_read_pem(files.key_path, key, &err), &err);
    bench_open(&x, files.cert_path, files.key_path);
    struct edge_address at = {.cert_pem = cert, .key_pem = key};
    struct edge *https = edge_listen(x.cloud, &at, &err);
    REQUIRE_OK(https != NULL ? 0 : ERR_IO, &err);
    c.ports[0] = broker_tls_port(x.broker);
    c.ports[1] = edge_port(https);
    REQUIRE(pthread_create(&thread, NULL, old_client_thread, &c) == 0);
    for (int i = 0; i < TURNS_MAX && !atomic_load(&c.over); i++) {
        turn(&x);
        (void)edge_run(https, 0);
    }
    edge_free(https); /* ends a client that still waits */
    (void)pthread_join(thread, NULL);
    CHECK(c.good[0]);
    CHECK(c.good[1]);
    bench_close(&x);
}

static const struct test tests[] = {
    TEST_ROWS("both TLS listeners take the suite", takes_suite, suites, suite_name),
    {"a device talks with the cloud", talks},
    {"a device resets", resets},
    {"the broker goes", broker_goes},
    TEST_ROWS("TLS", shakes_hands, handshakes, handshake_name),
};
TEST_MAIN("mqtt on the posix board", tests)
