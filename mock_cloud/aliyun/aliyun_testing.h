/*
 * A cloud with one product and two devices for the tests of the face: what it delivers and what it
 * tells are kept as text.
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_ALIYUN_TESTING_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_ALIYUN_TESTING_H

#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "common/vtime.h"
#include "mock_cloud/aliyun/aliyun.h"
#include "mock_cloud/campaigns/campaigns.h"

#define PK        "a1Product"
#define DEVICE    "dev1&" PK
#define OTHER     "dev2&" PK
#define SECRET    "secret1"
#define UPGRADE   "/ota/device/upgrade/" PK "/dev1"
#define INFORM    "/ota/device/inform/" PK "/dev1"
#define PROGRESS  "/ota/device/progress/" PK "/dev1"
#define UNIX_S    1700000000
#define IMAGE     "0123456789abcdef"
#define IMAGE_MD5 "4032af8d61035123906e58e067140cc5"
#define SENT_MAX  16

struct sent {
    char to[STORE_TEXT_MAX], topic[MQTT_TOPIC_MAX];
    struct buf payload;
    int qos;
};

struct bench {
    struct store *store;
    struct cloud *cloud;
    int64_t now_ns;
    struct sent sent[SENT_MAX];
    size_t sent_count;
    char absent[STORE_TEXT_MAX]; /* who has no session */
    char ended[STORE_TEXT_MAX];  /* whose connection was ended last */
    struct buf events;
    struct http_reply reply;
};

static inline int keep_sent(void *ctx, int64_t now_ns, const char *identity,
                            const struct mqtt_message *m)
{
    struct bench *b = ctx;
    (void)now_ns;
    if (strcmp(identity, b->absent) == 0)
        return ERR_NOT_FOUND;
    if (b->sent_count == SENT_MAX)
        return ERR_LIMIT;
    struct sent *s = &b->sent[b->sent_count++];
    (void)snprintf(s->to, sizeof s->to, "%s", identity);
    (void)snprintf(s->topic, sizeof s->topic, "%s", m->topic);
    s->qos = m->qos;
    buf_clear(&s->payload);
    (void)buf_append(&s->payload, m->payload, m->payload_bytes);
    return 0;
}

/* As an edge does. */
static inline void end_connection(void *ctx, int64_t now_ns, const char *identity)
{
    struct bench *b = ctx;
    (void)snprintf(b->ended, sizeof b->ended, "%s", identity);
    cloud_mqtt_offline(b->cloud, now_ns, identity);
}

static inline void keep_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                              const struct trace_field *fields, size_t n)
{
    struct bench *b = ctx;
    (void)now_ns;
    (void)lane;
    (void)buf_text(&b->events, event);
    for (size_t i = 0; i < n; i++) {
        if (fields[i].text != NULL)
            (void)buf_printf(&b->events, " %s=%s", fields[i].key, fields[i].text);
        else
            (void)buf_printf(&b->events, " %s=%lld", fields[i].key, (long long)fields[i].integer);
    }
    (void)buf_text(&b->events, "\n");
}

static inline void put_device(struct bench *b, const char *name, const char *product)
{
    struct store_device d = {.registered_ns = 0};
    (void)snprintf(d.device_id, sizeof d.device_id, "%s&%s", name, product);
    (void)snprintf(d.product_id, sizeof d.product_id, "%s", product);
    (void)snprintf(d.mid, sizeof d.mid, "%s", name);
    (void)snprintf(d.secret, sizeof d.secret, SECRET);
    REQUIRE_OK(store_put_device(b->store, &d, NULL), NULL);
}

/* Set up: it need not log in. */
static inline void put_sub_device(struct bench *b, const char *device, const char *gateway)
{
    struct store_sub_device d = {.logs_in = false};
    (void)snprintf(d.device_id, sizeof d.device_id, "%s", device);
    (void)snprintf(d.gateway_id, sizeof d.gateway_id, "%s", gateway);
    REQUIRE_OK(store_put_sub_device(b->store, &d, NULL), NULL);
}

static inline void bench_open(struct bench *b)
{
    static const struct face *const faces[] = {&aliyun_face};
    struct err err = {""};
    *b = (struct bench){.store = store_open(NULL, &err)};
    REQUIRE_OK(b->store == NULL ? ERR_IO : 0, &err);
    buf_init(&b->events, 1 << 20);
    buf_init(&b->reply.text, 1 << 20);
    for (size_t i = 0; i < SENT_MAX; i++)
        buf_init(&b->sent[i].payload, 1 << 20);
    struct cloud_config cfg = {.store = b->store,
                               .download_host = "ota.example",
                               .download_port = 80,
                               .project_key = "key",
                               .unix_start_s = UNIX_S,
                               .task_timeout_ns = 900 * NS_PER_S,
                               .event = keep_event,
                               .event_ctx = b,
                               .deliver = keep_sent,
                               .deliver_ctx = b,
                               .end_connection = end_connection,
                               .end_connection_ctx = b};
    b->cloud = cloud_new(&cfg, faces, 1, &err);
    REQUIRE_OK(b->cloud == NULL ? ERR_IO : 0, &err);
    struct store_product p = {.product_id = PK, .has_team = true};
    REQUIRE_OK(store_put_product(b->store, &p, &err), &err);
    put_device(b, "dev1", PK);
    put_device(b, "dev2", PK);
}

static inline void bench_close(struct bench *b)
{
    cloud_free(b->cloud);
    store_close(b->store);
    buf_free(&b->events);
    buf_free(&b->reply.text);
    for (size_t i = 0; i < SENT_MAX; i++)
        buf_free(&b->sent[i].payload);
}

/* One 16-byte image as version. */
static inline void upload(struct bench *b, int64_t id, const char *version,
                          const struct campaign_firmware *with)
{
    static const struct campaign_file file = {.content = IMAGE, .bytes = 16};
    struct campaign_firmware f = with == NULL ? (struct campaign_firmware){.diff = false} : *with;
    struct err err = {""};
    f.delta_id = id;
    f.product_id = PK;
    f.version = version;
    if (f.files == NULL) {
        f.files = &file;
        f.file_count = 1;
    }
    REQUIRE_OK(campaign_upload(b->store, &f, &err), &err);
}

static inline void start_task(struct bench *b, enum task_kind kind, int64_t id, const char *device)
{
    struct store_task t = {.delta_id = id, .kind = kind};
    struct err err = {""};
    (void)snprintf(t.device_id, sizeof t.device_id, "%s", device);
    REQUIRE_OK(campaign_start(b->cloud, b->now_ns, &t, &err), &err);
}

/* Runs what is due until that time. */
static inline void run_until(struct bench *b, int64_t until_ns)
{
    while (cloud_due_ns(b->cloud) <= until_ns) {
        b->now_ns = cloud_due_ns(b->cloud) > b->now_ns ? cloud_due_ns(b->cloud) : b->now_ns;
        (void)cloud_tick(b->cloud, b->now_ns);
    }
    b->now_ns = until_ns;
}

static inline void run_for(struct bench *b, int64_t ns)
{
    run_until(b, b->now_ns + ns);
}

static inline void publish(struct bench *b, const char *who, const char *topic, const char *text)
{
    const struct mqtt_message m = {
        .topic = topic, .payload = (const uint8_t *)text, .payload_bytes = strlen(text), .qos = 1};
    CHECK(cloud_mqtt_topic(b->cloud, who, topic, MQTT_PUBLISH));
    cloud_mqtt_message(b->cloud, b->now_ns, who, &m);
}

static inline void inform(struct bench *b, const char *version)
{
    char text[160];
    (void)snprintf(text, sizeof text, "{\"id\":1, \"params\":{\"version\":\"%s\"}}", version);
    publish(b, DEVICE, INFORM, text);
}

static inline void progress(struct bench *b, const char *step)
{
    char text[160];
    (void)snprintf(text, sizeof text, "{\"id\":2,\"params\":{\"step\":\"%s\",\"desc\":\"\"}}",
                   step);
    publish(b, DEVICE, PROGRESS, text);
}

/* The payload of the nth message sent, from 0; "" past the end. */
static inline const char *payload(const struct bench *b, size_t n)
{
    return n < b->sent_count ? (const char *)b->sent[n].payload.data : "";
}

/* Splits "http://host/path?query" and asks; the reply is in b->reply. */
static inline const struct http_reply *get(struct bench *b, const char *url, const char *range)
{
    char path[512];
    const char *at = strstr(url, "://");
    at = at == NULL ? url : strchr(at + 3, '/');
    REQUIRE(at != NULL && strlen(at) < sizeof path);
    (void)snprintf(path, sizeof path, "%s", at);
    char *query = strchr(path, '?');
    if (query != NULL)
        *query++ = '\0';
    struct http_request rq = {.method = "GET", .path = path, .query = query, .range = range};
    cloud_http(b->cloud, b->now_ns, &rq, &b->reply);
    return &b->reply;
}

/* The value of the text member "url" of a message. */
static inline void url_of(const char *text, char out[512])
{
    const char *at = strstr(text, "\"url\":\"");
    REQUIRE(at != NULL);
    at += 7;
    (void)snprintf(out, 512, "%.*s", (int)strcspn(at, "\""), at);
}

static inline enum record_state state_of(struct bench *b, int64_t id, const char *device)
{
    struct store_record rec = {.state = RECORD_SUPERSEDED};
    CHECK_OK(store_get_record(b->store, id, device, &rec, NULL), NULL);
    return rec.state;
}

#endif
