/*
 * Test fixture: a real broker over the test face, and libmosquitto clients in the same thread. The
 * test turns the loop until what it waits for has happened, or a bound of turns.
 */
#ifndef OTABENCH_MOCK_CLOUD_BROKER_TESTING_H
#define OTABENCH_MOCK_CLOUD_BROKER_TESTING_H

#include <mosquitto.h>

#include "mock_cloud/broker/broker.h"
#include "mock_cloud/mqtt/mqtt_testing.h"

#define PEERS_MAX 8
#define TURNS_MAX 1500 /* of at most 10 ms */

struct peer {
    struct mosquitto *m;
    char log[2048]; /* "connack0 topic=payload suback1 down " */
    bool silent;    /* its socket is not served */
};

struct bench {
    struct store *store;
    struct cloud *cloud;
    struct broker *broker;
    char dir[TEST_PATH_MAX];
    struct peer peers[PEERS_MAX];
    size_t n_peers;
    int rc; /* of broker_run */
};

static inline void peer_note(struct peer *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static inline void peer_note(struct peer *p, const char *fmt, ...)
{
    size_t at = strlen(p->log);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(p->log + at, sizeof p->log - at, fmt, ap);
    va_end(ap);
}

static inline void peer_connack(struct mosquitto *m, void *ctx, int code, int flags)
{
    (void)m;
    peer_note(ctx, "connack%d%s ", code, (flags & 1) != 0 ? "p" : "");
}

static inline void peer_down(struct mosquitto *m, void *ctx, int code)
{
    (void)m, (void)code;
    peer_note(ctx, "down ");
}

static inline void peer_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *msg)
{
    (void)m;
    peer_note(ctx, "%s=%.*s%s%s ", msg->topic, msg->payloadlen, (const char *)msg->payload,
              msg->qos > 0 ? "" : "/0", msg->retain ? "/retain" : "");
}

static inline void peer_published(struct mosquitto *m, void *ctx, int mid)
{
    (void)m, (void)mid;
    peer_note(ctx, "puback ");
}

static inline void peer_subscribed(struct mosquitto *m, void *ctx, int mid, int n, const int *qos)
{
    (void)m, (void)mid, (void)n;
    peer_note(ctx, "suback%x ", (unsigned)qos[0]);
}

static inline void bench_open(struct bench *x, const char *cert_path, const char *key_path)
{
    struct err err = {.text = ""};
    int rc = 0;
    *x = (struct bench){.rc = 0};
    x->cloud = test_cloud(&x->store);
    test_tmpdir(x->dir);
    struct broker_config cfg = {
        .cloud = x->cloud, .dir = x->dir, .cert_path = cert_path, .key_path = key_path};
    x->broker = broker_start(&cfg, &rc, &err);
    REQUIRE_OK(rc, &err);
}

static inline struct peer *peer_new(struct bench *x, const char *id, const char *user,
                                    const char *password, bool clean)
{
    struct peer *p = &x->peers[x->n_peers++];
    p->m = mosquitto_new(id, clean, p);
    REQUIRE(p->m != NULL);
    mosquitto_connect_with_flags_callback_set(p->m, peer_connack);
    mosquitto_disconnect_callback_set(p->m, peer_down);
    mosquitto_message_callback_set(p->m, peer_message);
    mosquitto_subscribe_callback_set(p->m, peer_subscribed);
    mosquitto_publish_callback_set(p->m, peer_published);
    (void)mosquitto_username_pw_set(p->m, user, password);
    return p;
}

static inline struct peer *peer_connect(struct bench *x, const char *id, const char *user,
                                        const char *password, bool clean)
{
    struct peer *p = peer_new(x, id, user, password, clean);
    CHECK_INT(mosquitto_connect(p->m, "127.0.0.1", broker_port(x->broker), 60), 0);
    return p;
}

static inline void peer_free(struct peer *p)
{
    if (p->m != NULL)
        mosquitto_destroy(p->m);
    p->m = NULL;
}

static inline void bench_close(struct bench *x)
{
    for (size_t i = 0; i < x->n_peers; i++)
        peer_free(&x->peers[i]);
    broker_stop(x->broker);
    cloud_free(x->cloud);
    store_close(x->store);
}

/* One round: waits at most 10 ms for anything, then does what can be done. */
static inline void turn(struct bench *x)
{
    struct pollfd fds[BROKER_FDS + PEERS_MAX];
    struct err err = {.text = ""};
    size_t n = broker_poll_fds(x->broker, fds);
    for (size_t i = 0; i < x->n_peers; i++) {
        int fd = x->peers[i].m == NULL || x->peers[i].silent ? -1 : mosquitto_socket(x->peers[i].m);
        fds[n++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    (void)poll(fds, (nfds_t)n, 10);
    if (x->rc == 0)
        x->rc = broker_run(x->broker, 0, &err);
    for (size_t i = 0; i < x->n_peers; i++) {
        struct mosquitto *m = x->peers[i].m;
        if (m == NULL || x->peers[i].silent || mosquitto_socket(m) < 0)
            continue;
        if (mosquitto_want_write(m))
            (void)mosquitto_loop_write(m, 1);
        struct pollfd p = {.fd = mosquitto_socket(m), .events = POLLIN};
        if (poll(&p, 1, 0) > 0)
            (void)mosquitto_loop_read(m, 1);
        (void)mosquitto_loop_misc(m);
    }
}

/* Turns until text has part in it; then text is exactly what the caller compares. */
static inline void until(struct bench *x, const char *text, const char *part)
{
    for (int i = 0; i < TURNS_MAX && strstr(text, part) == NULL; i++)
        turn(x);
    CHECK_HAS(text, part);
}

static inline int push(struct bench *x, const char *who, const char *text, uint8_t qos)
{
    struct mqtt_message m = {.topic = "push",
                             .payload = (const uint8_t *)text,
                             .payload_bytes = strlen(text),
                             .qos = qos};
    return cloud_deliver(x->cloud, 0, who, &m);
}

#endif
