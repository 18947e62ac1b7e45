/*
 * A device with a Link SDK on the simulated board against a cloud in the same test: a broker at
 * message level behind struct board_mqtt_ops, and a file server that every test can bend. For tests
 * only; functions are static, so each test binary has its own.
 */
#ifndef OTABENCH_AGENT_LINK_KIT_TESTING_H
#define OTABENCH_AGENT_LINK_KIT_TESTING_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/testing/testing.h"
#include "common/vtime.h"
#include "sim_device/agent/link_kit/kit.h"
#include "sim_device/board/net_testing.h"
#include "sim_device/boot/slots.h"

#define KW_MESSAGES_MAX 32
#define KW_STARTS_MAX   64

struct kw_get {
    unsigned nth; /* from 1 */
    uint32_t from, to;
    bool ranged;
    const char *text; /* whole request */
};

struct kit_world;
/* What the file server does with a GET. */
typedef enum act (*kw_bend)(struct kit_world *w, const struct kw_get *g, struct buf *reply);
/* Sees each message of the device; the reference cloud announces on inform. */
typedef void (*kw_on_publish)(struct kit_world *w, const char *topic, const char *payload);

struct kw_message {
    int64_t at_ns; /* 0: free */
    uint64_t order;
    char topic[BOARD_MQTT_TOPIC_MAX];
    struct buf payload;
};

struct kit_world {
    struct test_net net; /* first */
    struct device_config config;
    struct nor *nor;
    unsigned starts;
    void (*entry)(struct kit_world *w); /* instead of the device's boot loader and application */
    int32_t results[64];
    size_t result_count;
    /* Cloud. */
    uint8_t *image;
    uint32_t image_bytes;
    const char *version; /* of the image */
    char announcement[4096];
    bool announce; /* on each inform of another version */
    kw_on_publish on_publish;
    kw_bend bend;
    int stage;       /* for bend and publish functions */
    uint8_t connack; /* refused with it */
    bool mqtt_off;   /* nobody answers */
    bool mqtt_drop;  /* the connection is lost at the next receive */
    bool up;
    const char *client_id_has;
    char client_id[512], user_name[128], password[128];
    bool clean_session;
    unsigned opens;
    int64_t open_ns[KW_STARTS_MAX];
    char channel;
    struct kw_message messages[KW_MESSAGES_MAX];
    /* What happened. */
    char published[65536]; /* "topic payload\n" */
    char events[1 << 18];
    size_t published_len, events_len;
    unsigned gets;
    uint32_t first_from, last_from;
    char last_get[4096];
    char subscribed[1024];
};

/* ---- cloud: messages ---- */

static inline struct kit_world *kw_of(struct board *b);

/* To the device, after_ns from now. */
static inline void kw_send(struct kit_world *w, const char *topic, const void *payload, size_t len,
                           int64_t after_ns)
{
    for (size_t i = 0; i < KW_MESSAGES_MAX; i++) {
        struct kw_message *m = &w->messages[i];
        if (m->at_ns != 0)
            continue;
        m->at_ns = w->net.b->ops->now_ns(w->net.b) + after_ns + 1;
        m->order = ++w->net.order;
        (void)snprintf(m->topic, sizeof(m->topic), "%s", topic);
        buf_init(&m->payload, 1 << 20);
        REQUIRE(buf_append(&m->payload, payload, len) == 0);
        w->net.b->ops->wake(w->net.b, &w->channel, 1);
        return;
    }
    fprintf(stderr, "too many messages\n");
    abort();
}

static inline void kw_topic(const struct kit_world *w, char *out, size_t cap, const char *name)
{
    if (strncmp(name, "thing/", 6) == 0)
        (void)snprintf(out, cap, "/sys/%s/%s/%s", w->config.product_id, w->config.did, name);
    else
        (void)snprintf(out, cap, "/ota/device/%s/%s/%s", name, w->config.product_id, w->config.did);
}

/* An announcement of the image in the real cloud's key order. md5 null: the image's. */
static inline void kw_compose(struct kit_world *w, const char *version, const char *url,
                              const char *hex, const char *method, uint32_t size)
{
    char md5[DIGEST_HEX_MAX];
    digest_hex_of(DIGEST_MD5, w->image, w->image_bytes, md5);
    (void)snprintf(w->announcement, sizeof(w->announcement),
                   "{\"code\":\"1000\",\"data\":{\"size\":%" PRIu32
                   ",\"sign\":\"%s\",\"version\":\"%s\",\"signMethod\":\"%s\",\"url\":\"%s\","
                   "\"md5\":\"%s\"},\"id\":1507707025,\"message\":\"success\"}",
                   size, hex != NULL ? hex : md5, version, method, url, hex != NULL ? hex : md5);
}

static inline void kw_announce(struct kit_world *w, int64_t after_ns)
{
    char topic[256];
    kw_topic(w, topic, sizeof(topic), "upgrade");
    kw_send(w, topic, w->announcement, strlen(w->announcement), after_ns);
}

static inline void kw_published(struct kit_world *w, const char *topic, const char *payload)
{
    char version[128];
    size_t room = sizeof(w->published) - w->published_len;
    int n = snprintf(w->published + w->published_len, room, "%s %s\n", topic, payload);
    w->published_len += n > 0 && (size_t)n < room ? (size_t)n : 0;
    (void)snprintf(version, sizeof(version), "\"version\":\"%s\"", w->version);
    if (w->announce && strstr(topic, "/inform/") != NULL && strstr(payload, version) == NULL)
        kw_announce(w, w->net.latency_ns);
    if (w->on_publish != NULL)
        w->on_publish(w, topic, payload);
}

/* ---- cloud: the broker as the board's client sees it ---- */

static inline int kw_mqtt_open(struct board *b, const struct board_mqtt_config *c,
                               int64_t timeout_ns, uint8_t *connack, bool *session_present)
{
    struct kit_world *w = kw_of(b);
    *connack = 0;
    *session_present = false;
    if (w->opens < KW_STARTS_MAX)
        w->open_ns[w->opens] = b->ops->now_ns(b);
    w->opens++;
    (void)snprintf(w->client_id, sizeof(w->client_id), "%s", c->client_id);
    (void)snprintf(w->user_name, sizeof(w->user_name), "%s", c->user_name);
    (void)snprintf(w->password, sizeof(w->password), "%s", c->password);
    w->clean_session = c->clean_session;
    if (w->mqtt_off) {
        board_sleep_ns(b, timeout_ns);
        return BOARD_TIMEOUT;
    }
    board_sleep_ns(b, 2 * w->net.latency_ns);
    *connack = w->connack;
    w->up = w->connack == 0;
    return w->up ? 0 : BOARD_ERROR;
}

static inline int kw_mqtt_publish(struct board *b, int client, const char *topic,
                                  const void *payload, size_t len_bytes, uint8_t qos,
                                  int64_t timeout_ns)
{
    struct kit_world *w = kw_of(b);
    char text[4096];
    (void)client, (void)timeout_ns;
    if (!w->up)
        return BOARD_ERROR;
    if (qos > 0)
        board_sleep_ns(b, 2 * w->net.latency_ns);
    (void)snprintf(text, sizeof(text), "%.*s", (int)len_bytes, (const char *)payload);
    kw_published(w, topic, text);
    return BOARD_OK;
}

static inline int kw_mqtt_subscribe(struct board *b, int client, const char *filter, uint8_t qos,
                                    int64_t timeout_ns)
{
    struct kit_world *w = kw_of(b);
    size_t at = strlen(w->subscribed);
    (void)client, (void)timeout_ns;
    (void)snprintf(w->subscribed + at, sizeof(w->subscribed) - at, "%s %u\n", filter, qos);
    return w->up ? BOARD_OK : BOARD_ERROR;
}

static inline int kw_mqtt_unsubscribe(struct board *b, int client, const char *filter,
                                      int64_t timeout_ns)
{
    struct kit_world *w = kw_of(b);
    (void)client, (void)timeout_ns, (void)filter;
    return w->up ? BOARD_OK : BOARD_ERROR;
}

static inline struct kw_message *kw_next(struct kit_world *w)
{
    struct kw_message *first = NULL;
    for (size_t i = 0; i < KW_MESSAGES_MAX; i++) {
        struct kw_message *m = &w->messages[i];
        if (m->at_ns != 0 && (first == NULL || m->at_ns < first->at_ns ||
                              (m->at_ns == first->at_ns && m->order < first->order)))
            first = m;
    }
    return first;
}

static inline int kw_mqtt_receive(struct board *b, int client, struct board_mqtt_message *out,
                                  int64_t timeout_ns)
{
    struct kit_world *w = kw_of(b);
    int64_t until = b->ops->now_ns(b) + timeout_ns;
    (void)client;
    for (;;) {
        int64_t now = b->ops->now_ns(b);
        if (w->mqtt_drop)
            w->up = w->mqtt_drop = false;
        if (!w->up)
            return BOARD_ERROR;
        struct kw_message *m = kw_next(w);
        if (m != NULL && m->at_ns <= now) {
            memset(out, 0, sizeof(*out));
            (void)snprintf(out->topic, sizeof(out->topic), "%s", m->topic);
            out->payload = board_alloc(b, m->payload.len_bytes);
            m->at_ns = 0;
            if (out->payload == NULL) {
                buf_free(&m->payload);
                continue;
            }
            memcpy(out->payload, m->payload.data, m->payload.len_bytes);
            out->payload_bytes = m->payload.len_bytes;
            buf_free(&m->payload);
            return BOARD_OK;
        }
        if (now >= until)
            return BOARD_TIMEOUT;
        int64_t wake = m != NULL && m->at_ns < until ? m->at_ns : until;
        (void)b->ops->wait(b, &w->channel, wake - now);
    }
}

static inline bool kw_mqtt_is_up(struct board *b, int client)
{
    (void)client;
    return kw_of(b)->up;
}

static inline void kw_mqtt_close(struct board *b, int client)
{
    (void)client;
    kw_of(b)->up = false;
}

static const struct board_mqtt_ops kw_mqtt = {.open = kw_mqtt_open,
                                              .publish = kw_mqtt_publish,
                                              .subscribe = kw_mqtt_subscribe,
                                              .unsubscribe = kw_mqtt_unsubscribe,
                                              .receive = kw_mqtt_receive,
                                              .is_up = kw_mqtt_is_up,
                                              .close = kw_mqtt_close};

/* ---- cloud: the file server ---- */

static inline void kw_answer(const struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    if (g->ranged)
        test_http_range(reply, w->image, w->image_bytes, g->from, g->to);
    else
        test_http(reply, "200 OK", w->image, w->image_bytes);
}

static inline void kw_request(struct kit_world *w, int sock)
{
    struct kw_get g = {.nth = ++w->gets, .to = UINT32_MAX};
    g.text = (const char *)w->net.sock[sock].in.data;
    (void)snprintf(w->last_get, sizeof(w->last_get), "%s", g.text);
    const char *range = strstr(g.text, "\r\nRange: bytes=");
    g.ranged = range != NULL;
    if (g.ranged)
        (void)sscanf(range, "\r\nRange: bytes=%" SCNu32 "-%" SCNu32, &g.from, &g.to);
    w->first_from = w->gets == 1 ? g.from : w->first_from;
    w->last_from = g.from;
    struct test_net_event *e = test_net_queue(&w->net, sock, w->net.latency_ns, NET_DATA);
    kw_answer(w, &g, &e->data);
    enum act act = w->bend != NULL ? w->bend(w, &g, &e->data) : ACT_REPLY;
    buf_clear(&w->net.sock[sock].in);
    test_net_act(&w->net, e, act);
}

static inline int kw_net_send(void *ctx, int sock, const void *data, size_t len_bytes)
{
    struct kit_world *w = ctx;
    struct buf *in = &w->net.sock[sock].in;
    REQUIRE(buf_append(in, data, len_bytes) == 0);
    if (strstr((const char *)in->data, "\r\n\r\n") != NULL)
        kw_request(w, sock);
    return (int)len_bytes;
}

/* ---- life ---- */

static inline void kw_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                            const struct trace_field *fields, size_t n)
{
    struct kit_world *w = ctx;
    (void)now_ns;
    if (lane == LANE_FLASH || strcmp(event, "heap") == 0 || w->events_len + 700 > sizeof(w->events))
        return;
    char *at = w->events + w->events_len;
    size_t room = 700;
    int len = snprintf(at, room, "%s", event);
    for (size_t i = 0; i < n; i++) {
        size_t used = (size_t)len;
        len += fields[i].text != NULL
                   ? snprintf(at + used, room - used, " %.200s", fields[i].text)
                   : snprintf(at + used, room - used, " %" PRId64, fields[i].integer);
    }
    at[len++] = '\n';
    at[len] = '\0';
    w->events_len += (size_t)len;
}

static struct kit_world *kw_worlds[4];

static inline struct kit_world *kw_of(struct board *b)
{
    for (size_t i = 0; i < sizeof(kw_worlds) / sizeof(kw_worlds[0]); i++)
        if (kw_worlds[i] != NULL && kw_worlds[i]->net.b == b)
            return kw_worlds[i];
    abort();
}

static inline struct kit_world *kit_world_new(enum device_agent agent, uint32_t image_bytes)
{
    struct err err;
    struct rng rng;
    struct kit_world *w = calloc(1, sizeof(*w));
    REQUIRE(w != NULL);
    device_config_default_for(&w->config, agent);
    w->config.rounds = 2;
    w->version = "2.0";
    w->announce = true;
    w->image_bytes = image_bytes;
    w->image = calloc(1, image_bytes + 1);
    rng_init(&rng, 1, "image", "bytes", 0);
    rng_fill(&rng, w->image, image_bytes);
    w->nor = nor_new(&w->config.geometry, 5, &err);
    REQUIRE(w->nor != NULL);
    test_net_init(&w->net, 10 * NS_PER_MS);
    const struct sim_board_config cfg = {
        .nor = w->nor,
        .partitions = &w->config.partitions,
        .net = {w, test_net_connect, kw_net_send, test_net_close, test_net_resolve, NULL},
        .connect_timeout_ns = 20 * NS_PER_S,
        .event = kw_event,
        .event_ctx = w,
    };
    w->net.s = sim_board_new(&cfg, &err);
    REQUIRE(w->net.s != NULL);
    w->net.b = sim_board_board(w->net.s);
    w->net.b->mqtt = &kw_mqtt;
    size_t i = 0;
    while (kw_worlds[i] != NULL)
        i++;
    kw_worlds[i] = w;
    kw_compose(w, w->version, "http://files.test/a?Expires=1&Signature=x%3D", NULL, "Md5",
               image_bytes);
    return w;
}

static inline void kw_drop(struct kit_world *w)
{
    test_net_drop(&w->net);
    for (size_t i = 0; i < KW_MESSAGES_MAX; i++) {
        if (w->messages[i].at_ns != 0)
            buf_free(&w->messages[i].payload);
        w->messages[i].at_ns = 0;
    }
    w->up = false;
}

static inline void kit_world_free(struct kit_world *w)
{
    CHECK(nor_fault(w->nor) == NULL);
    kw_drop(w);
    sim_board_free(w->net.s);
    nor_free(w->nor);
    test_net_free(&w->net);
    for (size_t i = 0; i < sizeof(kw_worlds) / sizeof(kw_worlds[0]); i++)
        if (kw_worlds[i] == w)
            kw_worlds[i] = NULL;
    free(w->image);
    free(w);
}

static inline const uint8_t *kw_slot(const struct kit_world *w, const char *name)
{
    return nor_peek(w->nor) + partition_find(&w->config.partitions, name)->offset;
}

static inline struct slots_record kw_record(const struct kit_world *w)
{
    struct slots_record r;
    (void)slots_peek(nor_peek(w->nor), &w->config.geometry, &w->config.partitions, &r);
    return r;
}

/* The image's version where the image runs, "1.0" elsewhere. */
static inline const char *kw_version(void *ctx)
{
    struct kit_world *w = ctx;
    struct slots_record r = kw_record(w);
    const char *name = slots_record_running(&r) == 0 ? "app" : "app2";
    bool is_new = memcmp(kw_slot(w, name), w->image, w->image_bytes) == 0;
    return is_new ? w->version : w->config.firmware_version;
}

static inline void kw_entry(void *arg)
{
    struct kit_world *w = arg;
    struct kit k;
    kit_start(&k, w->net.b, &w->config, w->config.firmware_version,
              w->config.agent == AGENT_AIOT ? KIT_4X : KIT_3X);
    w->entry(w);
    /* Nothing stays behind. */
    CHECK_INT(w->net.b->heap.used_bytes, 0);
    CHECK(w->net.b->digests == NULL);
    for (int fd = 0; fd < BOARD_SOCKETS; fd++)
        CHECK(w->net.b->ops->sock_poll(w->net.b, fd, BOARD_WRITABLE, 0) < 0);
    w->net.b->ops->idle(w->net.b);
}

/* One power-on to its end. */
static inline enum sim_state kit_world_start(struct kit_world *w)
{
    struct device_setup setup = {
        .config = &w->config, .board = w->net.b, .version_of_flash = kw_version, .version_ctx = w};
    kw_drop(w);
    w->starts++;
    if (!nor_is_on(w->nor))
        nor_power_on(w->nor);
    CHECK_INT(sim_board_power_on(w->net.s, w->net.now_ns, w->entry != NULL ? kw_entry : device_main,
                                 w->entry != NULL ? (void *)w : (void *)&setup),
              0);
    return test_net_run(&w->net);
}

/* Power-ons and restarts until the device is idle. */
static inline void kit_world_live(struct kit_world *w)
{
    enum sim_state st = SIM_RESET;
    for (int i = 0; i < 16 && (st == SIM_RESET || st == SIM_CUT); i++) {
        st = kit_world_start(w);
        w->net.now_ns += NS_PER_S;
    }
    CHECK_INT(st, SIM_IDLE);
}

/* Calls fn inside a task of the device, after its start. */
static inline void kit_world_call(struct kit_world *w, void (*fn)(struct kit_world *w))
{
    w->entry = fn;
    CHECK_INT(kit_world_start(w), SIM_IDLE);
    w->entry = NULL;
}

static inline unsigned kw_count(const char *text, const char *part)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        n++;
    return n;
}

#endif
