/* What the tests of aiot_ota and aiot_download share. */
#ifndef OTABENCH_AGENT_AIOT_TESTING_H
#define OTABENCH_AGENT_AIOT_TESTING_H

#include "sim_device/agent/aiot/aiot_mqtt_api.h"
#include "sim_device/agent/aiot/aiot_ota.h"
#include "sim_device/agent/link_kit/kit_testing.h"

#define IMAGE_BYTES 10007

/* What the running test works with; one test at a time. */
static struct {
    void *mqtt, *ota, *dl;
    int32_t codes[256];
    size_t code_count;
    aiot_download_task_desc_t *task;
    uint8_t stored[4 * IMAGE_BYTES];
    uint32_t stored_bytes;
    unsigned announcements, configs;
    char product_key[64], device_name[64], version[64], module[64], extra[256];
    uint32_t file_num, file_id;
    uint8_t protocol;
    int32_t percent;
} t;

static inline int32_t on_state(int32_t code, char *message)
{
    CHECK(message != NULL && message[0] == '-');
    if (t.code_count < sizeof(t.codes) / sizeof(t.codes[0]))
        t.codes[t.code_count++] = code;
    return 0;
}

static inline unsigned seen(int32_t code)
{
    unsigned n = 0;
    for (size_t i = 0; i < t.code_count; i++)
        n += t.codes[i] == code;
    return n;
}

static inline void keep(char *out, size_t cap, const char *text)
{
    (void)snprintf(out, cap, "%s", text != NULL ? text : "(null)");
}

static inline void on_announcement(void *handle, const aiot_ota_recv_t *const msg, void *userdata)
{
    CHECK(handle == t.ota);
    CHECK(userdata == &t);
    t.announcements += msg->type == AIOT_OTARECV_FOTA;
    t.configs += msg->type == AIOT_OTARECV_COTA;
    keep(t.product_key, sizeof(t.product_key), msg->task_desc->product_key);
    keep(t.device_name, sizeof(t.device_name), msg->task_desc->device_name);
    keep(t.version, sizeof(t.version), msg->task_desc->version);
    keep(t.module, sizeof(t.module), msg->task_desc->module);
    keep(t.extra, sizeof(t.extra), msg->task_desc->extra_data);
    t.file_num = msg->task_desc->file_num;
    t.file_id = msg->task_desc->file_id;
    t.protocol = msg->task_desc->protocol_type;
    board_free(board_current(), t.task);
    t.task = aiot_ota_copy_task(board_current(), msg->task_desc);
}

static inline void on_bytes(void *handle, const aiot_download_recv_t *packet, void *userdata)
{
    CHECK(handle == t.dl);
    CHECK(userdata == &t);
    CHECK(packet->data.len <= sizeof(t.stored) - t.stored_bytes);
    memcpy(t.stored + t.stored_bytes, packet->data.buffer, packet->data.len);
    t.stored_bytes += packet->data.len;
    t.percent = packet->data.percent;
}

static inline void *fn_of(const void *fn)
{
    void *p;
    memcpy(&p, fn, sizeof(p));
    return p;
}

static inline void *text(const char *s)
{
    return (void *)(uintptr_t)s;
}

static inline void open_session(struct kit_world *w)
{
    uint16_t port = 1883;
    uint32_t receive_ms = 500;
    aiot_ota_recv_handler_t handler = on_announcement;
    t.mqtt = aiot_mqtt_init();
    REQUIRE(t.mqtt != NULL);
    CHECK_INT(aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_HOST, text("mqtt.test")), 0);
    CHECK_INT(aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_PORT, &port), 0);
    CHECK_INT(aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_PRODUCT_KEY, text(w->config.product_id)), 0);
    CHECK_INT(aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_DEVICE_NAME, text(w->config.did)), 0);
    CHECK_INT(aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_DEVICE_SECRET, text("secret")), 0);
    CHECK_INT(aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_RECV_TIMEOUT_MS, &receive_ms), 0);
    t.ota = aiot_ota_init();
    REQUIRE(t.ota != NULL);
    CHECK_INT(aiot_ota_setopt(t.ota, AIOT_OTAOPT_MQTT_HANDLE, t.mqtt), 0);
    CHECK_INT(aiot_ota_setopt(t.ota, AIOT_OTAOPT_RECV_HANDLER, fn_of(&handler)), 0);
    CHECK_INT(aiot_ota_setopt(t.ota, AIOT_OTAOPT_USERDATA, &t), 0);
    CHECK_INT(aiot_mqtt_connect(t.mqtt), 0);
}

static inline void close_all(void)
{
    board_free(board_current(), t.task);
    t.task = NULL;
    if (t.dl != NULL)
        CHECK_INT(aiot_download_deinit(&t.dl), 0);
    if (t.ota != NULL)
        CHECK_INT(aiot_ota_deinit(&t.ota), 0);
    if (t.mqtt != NULL)
        CHECK_INT(aiot_mqtt_deinit(&t.mqtt), 0);
}

/* A message on a topic of this device, taken by the SDK. */
static inline void deliver(struct kit_world *w, const char *name, const char *payload)
{
    char topic[256];
    kw_topic(w, topic, sizeof(topic), name);
    kw_send(w, topic, payload, strlen(payload), 0);
    CHECK_INT(aiot_mqtt_recv(t.mqtt), 0);
}

static inline void announced(struct kit_world *w)
{
    open_session(w);
    deliver(w, "upgrade", w->announcement);
    REQUIRE(t.task != NULL);
}

static inline void open_download(struct kit_world *w)
{
    aiot_download_recv_handler_t handler = on_bytes;
    uint32_t timeout_ms = 300;
    announced(w);
    t.dl = aiot_download_init();
    REQUIRE(t.dl != NULL);
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_RECV_HANDLER, fn_of(&handler)), 0);
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_USERDATA, &t), 0);
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_RECV_TIMEOUT_MS, &timeout_ms), 0);
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task), 0);
}

/* Requests and receives until something else than bytes comes. */
static inline int32_t receive(void)
{
    int32_t rc = aiot_download_send_request(t.dl);
    while (rc >= 0)
        rc = aiot_download_recv(t.dl);
    return rc;
}

static inline enum act half_then_reset(struct kit_world *w, const struct kw_get *g,
                                       struct buf *reply)
{
    (void)w;
    if (g->nth > 1)
        return ACT_REPLY;
    reply->len_bytes /= 2;
    return ACT_REPLY_RESET;
}

/* Announcement, download and request with another URL; null: none. */
static inline int32_t request_of(struct kit_world *w, char *url)
{
    open_download(w);
    t.task->url = url;
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task), 0);
    return aiot_download_send_request(t.dl);
}

/* A URL whose host and path have that many bytes. */
static inline char *long_url(char *out, size_t host, size_t path)
{
    char *at = stpcpy(out, "http://");
    memset(at, 'h', host);
    at[host] = '/';
    memset(at + host + 1, 'p', path - 1);
    at[host + path] = '\0';
    return out;
}

struct provocation {
    const char *name;
    int32_t code;
    void (*fn)(struct kit_world *w);
};

static inline const char *provocation_name(const void *row)
{
    return ((const struct provocation *)row)->name;
}

static const struct provocation *running;

static inline void provoke(struct kit_world *w)
{
    (void)aiot_state_set_logcb(on_state);
    running->fn(w);
    w->net.b->heap.fail_at = 0;
    close_all();
}

#endif
