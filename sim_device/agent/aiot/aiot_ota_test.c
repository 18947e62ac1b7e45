/*
 * Every state code of seed 004, each provoked by what it stands for, and what the calls say where
 * all is well.
 */
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

static int32_t on_state(int32_t code, char *message)
{
    CHECK(message != NULL && message[0] == '-');
    if (t.code_count < sizeof(t.codes) / sizeof(t.codes[0]))
        t.codes[t.code_count++] = code;
    return 0;
}

static unsigned seen(int32_t code)
{
    unsigned n = 0;
    for (size_t i = 0; i < t.code_count; i++)
        n += t.codes[i] == code;
    return n;
}

static void keep(char *out, size_t cap, const char *text)
{
    (void)snprintf(out, cap, "%s", text != NULL ? text : "(null)");
}

static void on_announcement(void *handle, const aiot_ota_recv_t *const msg, void *userdata)
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

static void on_bytes(void *handle, const aiot_download_recv_t *packet, void *userdata)
{
    CHECK(handle == t.dl);
    CHECK(userdata == &t);
    CHECK(packet->data.len <= sizeof(t.stored) - t.stored_bytes);
    memcpy(t.stored + t.stored_bytes, packet->data.buffer, packet->data.len);
    t.stored_bytes += packet->data.len;
    t.percent = packet->data.percent;
}

static void *fn_of(const void *fn)
{
    void *p;
    memcpy(&p, fn, sizeof(p));
    return p;
}

static void *text(const char *s)
{
    return (void *)(uintptr_t)s;
}

static void open_session(struct kit_world *w)
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

static void close_all(void)
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
static void deliver(struct kit_world *w, const char *name, const char *payload)
{
    char topic[256];
    kw_topic(w, topic, sizeof(topic), name);
    kw_send(w, topic, payload, strlen(payload), 0);
    CHECK_INT(aiot_mqtt_recv(t.mqtt), 0);
}

static void announced(struct kit_world *w)
{
    open_session(w);
    deliver(w, "upgrade", w->announcement);
    REQUIRE(t.task != NULL);
}

static void open_download(struct kit_world *w)
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
static int32_t receive(void)
{
    int32_t rc = aiot_download_send_request(t.dl);
    while (rc >= 0)
        rc = aiot_download_recv(t.dl);
    return rc;
}

/* ---- one provocation per code ---- */

static enum act forbid(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w, (void)g;
    test_http(reply, "403 Forbidden", "<Error/>", 8);
    return ACT_REPLY;
}

static enum act flip(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w, (void)g;
    reply->data[reply->len_bytes - 1] ^= 1;
    return ACT_REPLY;
}

static enum act no_length(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)g;
    buf_clear(reply);
    REQUIRE(buf_text(reply, "HTTP/1.1 200 OK\r\n\r\n") == 0);
    REQUIRE(buf_append(reply, w->image, w->image_bytes) == 0);
    return ACT_REPLY_CLOSE;
}

static enum act longer(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)g;
    test_http(reply, "200 OK", w->image, w->image_bytes + 1);
    return ACT_REPLY;
}

static enum act elsewhere(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    char head[128];
    (void)g;
    (void)snprintf(head, sizeof(head), "206 Part\r\nContent-Range: bytes 5-%u/%u", 99,
                   w->image_bytes);
    test_http(reply, head, w->image + 5, 95);
    return ACT_REPLY;
}

static enum act half_then_reset(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w;
    if (g->nth > 1)
        return ACT_REPLY;
    reply->len_bytes /= 2;
    return ACT_REPLY_RESET;
}

static void p_0901(struct kit_world *w)
{
    open_download(w);
    CHECK_INT(receive(), STATE_DOWNLOAD_FINISHED);
    CHECK_INT(t.stored_bytes, IMAGE_BYTES);
    CHECK_MEM(t.stored, w->image, IMAGE_BYTES);
    CHECK_INT(t.percent, 100);
    CHECK_INT(seen(STATE_DOWNLOAD_FINISHED), 1);
    /* All received comes before the digest matched, both once; asking again changes nothing. */
    CHECK_INT(t.codes[t.code_count - 2], STATE_DOWNLOAD_FINISHED);
    CHECK_INT(aiot_download_recv(t.dl), STATE_DOWNLOAD_FINISHED);
    CHECK_INT(seen(STATE_OTA_DIGEST_MATCH), 1);
}

static void p_0902(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_mqtt_disconnect(t.mqtt), 0);
    CHECK_INT(aiot_ota_report_version(t.ota, text("1.0")), STATE_OTA_REPORT_FAILED);
    CHECK_INT(aiot_ota_report_version_ext(t.ota, text("pk"), text("sub"), text("1")),
              STATE_OTA_REPORT_FAILED);
    CHECK_INT(aiot_ota_query_firmware(t.ota), STATE_OTA_REPORT_FAILED);
}

static void p_0903(struct kit_world *w)
{
    w->bend = elsewhere;
    open_download(w);
    CHECK_INT(receive(), STATE_DOWNLOAD_RECV_ERROR);
    CHECK_INT(t.stored_bytes, 0);
}

static void p_0904(struct kit_world *w)
{
    w->bend = flip;
    open_download(w);
    CHECK_INT(receive(), STATE_OTA_DIGEST_MISMATCH);
    CHECK_INT(aiot_download_recv(t.dl), STATE_OTA_DIGEST_MISMATCH);
    CHECK_INT(seen(STATE_OTA_DIGEST_MATCH), 0);
    CHECK_INT(seen(STATE_OTA_DIGEST_MISMATCH), 1);
}

static void p_0905(struct kit_world *w)
{
    open_session(w);
    deliver(w, "upgrade", "{\"code\":\"1000\",\"data\":{\"size\":5},\"message\":\"success\"}");
    CHECK_INT(t.announcements, 0);
}

static void p_0906(struct kit_world *w)
{
    open_download(w);
    w->net.refuse_connect = true;
    CHECK_INT(aiot_download_send_request(t.dl), STATE_DOWNLOAD_SEND_REQUEST_FAILED);
}

static void p_0907(struct kit_world *w)
{
    uint32_t start = 100, end = 4999;
    open_download(w);
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_RANGE_START, &start), 0);
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_RANGE_END, &end), 0);
    CHECK_INT(receive(), STATE_DOWNLOAD_RANGE_FINISHED);
    CHECK_INT(t.stored_bytes, 4900);
    CHECK_MEM(t.stored, w->image + 100, 4900);
    CHECK_HAS(w->last_get, "\r\nRange: bytes=100-4999\r\n");
    CHECK_INT(aiot_download_recv(t.dl), STATE_DOWNLOAD_RANGE_FINISHED);
    /* The rest, in a second range of the same handle. */
    start = 5000;
    end = UINT32_MAX;
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_RANGE_END, &end), 0);
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_RANGE_START, &start), 0);
    CHECK_INT(receive(), STATE_DOWNLOAD_FINISHED);
    CHECK_MEM(t.stored, w->image + 100, IMAGE_BYTES - 100);
}

static void p_0908(struct kit_world *w)
{
    open_session(w);
    w->net.b->heap.fail_at = w->net.b->heap.calls + 2; /* 1: the message itself */
    deliver(w, "upgrade", w->announcement);
    CHECK_INT(t.announcements, 0);
}

static void p_0909(struct kit_world *w)
{
    void *none = NULL;
    (void)w;
    CHECK_INT(aiot_ota_deinit(NULL), STATE_OTA_DEINIT_HANDLE_IS_NULL);
    CHECK_INT(aiot_ota_deinit(&none), STATE_OTA_DEINIT_HANDLE_IS_NULL);
}

static void p_090A(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_ota_setopt(NULL, AIOT_OTAOPT_USERDATA, &t), STATE_OTA_SETOPT_HANDLE_IS_NULL);
}

static void p_090B(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_setopt(t.ota, AIOT_OTAOPT_MODULE, NULL), STATE_OTA_SETOPT_DATA_IS_NULL);
    CHECK_INT(aiot_ota_setopt(t.ota, AIOT_OTAOPT_MAX, &t), STATE_USER_INPUT_UNKNOWN_OPTION);
}

static void p_090C(struct kit_world *w)
{
    void *none = NULL;
    (void)w;
    CHECK_INT(aiot_download_deinit(NULL), STATE_DOWNLOAD_DEINIT_HANDLE_IS_NULL);
    CHECK_INT(aiot_download_deinit(&none), STATE_DOWNLOAD_DEINIT_HANDLE_IS_NULL);
}

static void p_090D(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_download_setopt(NULL, AIOT_DLOPT_USERDATA, &t),
              STATE_DOWNLOAD_SETOPT_HANDLE_IS_NULL);
}

static void p_090E(struct kit_world *w)
{
    open_download(w);
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_RANGE_START, NULL),
              STATE_DOWNLOAD_SETOPT_DATA_IS_NULL);
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_MAX, &t), STATE_USER_INPUT_UNKNOWN_OPTION);
}

static void p_090F(struct kit_world *w)
{
    open_download(w);
    t.task->product_key = NULL;
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task),
              STATE_DOWNLOAD_SETOPT_COPIED_DATA_IS_NULL);
    t.task->product_key = w->config.product_id;
    w->net.b->heap.fail_at = w->net.b->heap.calls + 1;
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task),
              STATE_DOWNLOAD_SETOPT_COPIED_DATA_IS_NULL);
}

static void p_0910(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_ota_report_version(NULL, text("1")), STATE_OTA_REPORT_HANDLE_IS_NULL);
}

static void p_0911(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_report_version(t.ota, NULL), STATE_OTA_REPORT_VERSION_IS_NULL);
}

static void p_0912(struct kit_world *w)
{
    (void)w;
    t.ota = aiot_ota_init();
    CHECK_INT(aiot_ota_report_version(t.ota, text("1")), STATE_OTA_REPORT_MQTT_HANDLE_IS_NULL);
}

static void p_0913(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_ota_report_version_ext(NULL, text("p"), text("d"), text("1")),
              STATE_OTA_REPORT_EXT_HANELD_IS_NULL);
}

static void p_0914(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_report_version_ext(t.ota, text("p"), text("d"), NULL),
              STATE_OTA_REPORT_EXT_VERSION_NULL);
}

static void p_0915(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_report_version_ext(t.ota, NULL, text("d"), text("1")),
              STATE_OTA_REPORT_EXT_PRODUCT_KEY_IS_NULL);
}

static void p_0916(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_report_version_ext(t.ota, text("p"), NULL, text("1")),
              STATE_OTA_REPORT_EXT_DEVICE_NAME_IS_NULL);
}

static void p_0917(struct kit_world *w)
{
    (void)w;
    t.ota = aiot_ota_init();
    CHECK_INT(aiot_ota_report_version_ext(t.ota, text("p"), text("d"), text("1")),
              STATE_OTA_REPORT_EXT_MQTT_HANDLE_IS_NULL);
}

static void p_0918(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_download_report_progress(NULL, 5), STATE_DOWNLOAD_REPORT_HANDLE_IS_NULL);
}

static void p_0919(struct kit_world *w)
{
    (void)w;
    t.dl = aiot_download_init();
    CHECK_INT(aiot_download_report_progress(t.dl, 5), STATE_DOWNLOAD_REPORT_TASK_DESC_IS_NULL);
}

static void p_091A(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_download_recv(NULL), STATE_DOWNLOAD_RECV_HANDLE_IS_NULL);
}

static void p_091B(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_download_send_request(NULL), STATE_DOWNLOAD_REQUEST_HANDLE_IS_NULL);
}

static void p_091C(struct kit_world *w)
{
    (void)w;
    t.dl = aiot_download_init();
    CHECK_INT(aiot_download_send_request(t.dl), STATE_DOWNLOAD_REQUEST_TASK_DESC_IS_NULL);
}

/* Announcement, download and request with another URL; null: none. */
static int32_t request_of(struct kit_world *w, char *url)
{
    open_download(w);
    t.task->url = url;
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task), 0);
    return aiot_download_send_request(t.dl);
}

static void p_091D(struct kit_world *w)
{
    CHECK_INT(request_of(w, NULL), STATE_DOWNLOAD_REQUEST_URL_IS_NULL);
}

static void p_091E(struct kit_world *w)
{
    kw_compose(w, "2.0", "http://files.test/a", NULL, "Crc32", IMAGE_BYTES);
    open_session(w);
    deliver(w, "upgrade", w->announcement);
    CHECK_INT(t.announcements, 0);
}

static void p_0920(struct kit_world *w)
{
    w->bend = forbid;
    open_download(w);
    CHECK_INT(receive(), STATE_DOWNLOAD_HTTPRSP_CODE_ERROR);
    CHECK_INT(t.stored_bytes, 0);
    CHECK_INT(w->gets, 1);
}

static void p_0921(struct kit_world *w)
{
    w->bend = no_length;
    open_download(w);
    CHECK_INT(receive(), STATE_DOWNLOAD_HTTPRSP_HEADER_ERROR);
    CHECK_INT(t.stored_bytes, 0);
}

static void p_0922(struct kit_world *w)
{
    w->bend = half_then_reset;
    open_download(w);
    CHECK_INT(receive(), STATE_DOWNLOAD_RENEWAL_REQUEST_SENT);
    CHECK_INT(seen(STATE_DOWNLOAD_RECV_ERROR), 1);
    uint32_t before = t.stored_bytes;
    int32_t rc;
    do
        rc = aiot_download_recv(t.dl);
    while (rc > 0);
    CHECK_INT(rc, STATE_DOWNLOAD_FINISHED);
    CHECK_INT(w->last_from, before);
    CHECK_MEM(t.stored, w->image, IMAGE_BYTES);
}

static void no_digest(struct kit_world *w, const char *hex, const char *method, int32_t code)
{
    kw_compose(w, "2.0", "http://files.test/a", hex, method, IMAGE_BYTES);
    announced(w);
    t.dl = aiot_download_init();
    w->net.b->heap.fail_at = w->net.b->heap.calls + 2; /* 1: the copy of the task */
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task), code);
}

static void p_0923(struct kit_world *w)
{
    char hex[DIGEST_HEX_MAX];
    digest_hex_of(DIGEST_SHA256, w->image, IMAGE_BYTES, hex);
    no_digest(w, NULL, "Md5", STATE_DOWNLOAD_SETOPT_MALLOC_MD5_CTX_FAILED);
    t.task->digest_method = AIOT_OTA_DIGEST_SHA256;
    t.task->expect_digest = hex;
    w->net.b->heap.fail_at = w->net.b->heap.calls + 2;
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task),
              STATE_DOWNLOAD_SETOPT_MALLOC_SHA256_CTX_FAILED);
}

static void p_0924(struct kit_world *w)
{
    no_digest(w, NULL, "Md5", STATE_DOWNLOAD_SETOPT_MALLOC_MD5_CTX_FAILED);
}

static void p_0925(struct kit_world *w)
{
    CHECK_INT(request_of(w, text("http:///firmware.bin")), STATE_OTA_PARSE_URL_HOST_IS_NULL);
}

static void p_0926(struct kit_world *w)
{
    CHECK_INT(request_of(w, text("http://files.test")), STATE_OTA_PARSE_URL_PATH_IS_NULL);
}

static void p_0927(struct kit_world *w)
{
    w->bend = longer;
    open_download(w);
    CHECK_INT(receive(), STATE_DOWNLOAD_FETCH_TOO_MANY);
    CHECK_INT(t.stored_bytes, 0);
}

static void p_0928(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_ota_query_firmware(NULL), STATE_OTA_QUERY_FIRMWARE_HANDLE_IS_NULL);
}

/* A URL whose host and path have that many bytes. */
static char *long_url(char *out, size_t host, size_t path)
{
    char *at = stpcpy(out, "http://");
    memset(at, 'h', host);
    at[host] = '/';
    memset(at + host + 1, 'p', path - 1);
    at[host + path] = '\0';
    return out;
}

static void p_0929(struct kit_world *w)
{
    static char url[4096];
    CHECK_INT(request_of(w, long_url(url, 1025, 10)), STATE_OTA_HOST_STRING_OVERFLOW);
}

static void p_092A(struct kit_world *w)
{
    static char url[4096];
    CHECK_INT(request_of(w, long_url(url, 10, 1025)), STATE_OTA_PATH_STRING_OVERFLOW);
}

struct provocation {
    const char *name;
    int32_t code;
    void (*fn)(struct kit_world *w);
};
#define P(hex)                                                                                     \
    {                                                                                              \
        "-0x" #hex, -0x##hex, p_##hex                                                              \
    }
static const struct provocation provocations[] = {
    P(0901),
    P(0902),
    P(0903),
    P(0904),
    P(0905),
    P(0906),
    P(0907),
    P(0908),
    P(0909),
    P(090A),
    P(090B),
    P(090C),
    P(090D),
    P(090E),
    P(090F),
    P(0910),
    P(0911),
    P(0912),
    P(0913),
    P(0914),
    P(0915),
    P(0916),
    P(0917),
    P(0918),
    P(0919),
    P(091A),
    P(091B),
    P(091C),
    P(091D),
    P(091E),
    {"-0x091F", -0x091F, p_0901},
    P(0920),
    P(0921),
    P(0922),
    P(0923),
    P(0924),
    P(0925),
    P(0926),
    P(0927),
    P(0928),
    P(0929),
    P(092A),
};
_Static_assert(sizeof(provocations) / sizeof(provocations[0]) == 0x2A, "every code");

static const char *provocation_name(const void *row)
{
    return ((const struct provocation *)row)->name;
}

static const struct provocation *running;

static void provoke(struct kit_world *w)
{
    (void)aiot_state_set_logcb(on_state);
    running->fn(w);
    w->net.b->heap.fail_at = 0;
    close_all();
}

static void is_provoked(const void *row)
{
    struct kit_world *w = kit_world_new(AGENT_AIOT, IMAGE_BYTES);
    running = row;
    memset(&t, 0, sizeof(t));
    kit_world_call(w, provoke);
    CHECK(seen(running->code) > 0);
    char event[32];
    (void)snprintf(event, sizeof(event), "state %s\n", running->name);
    CHECK_HAS(w->events, event);
    kit_world_free(w);
}

/* ---- what else the calls do ---- */

static void call_row(const void *row)
{
    struct kit_world *w = kit_world_new(AGENT_AIOT, IMAGE_BYTES);
    running = row;
    memset(&t, 0, sizeof(t));
    kit_world_call(w, provoke);
    kit_world_free(w);
}

static void reports_as_the_vendor(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_report_version(t.ota, text("1.0.0")), 0);
    CHECK_HAS(w->published, "/ota/device/inform/a1OtaBench1/device1 "
                            "{\"id\":1, \"params\":{\"version\":\"1.0.0\"}}\n");
    CHECK_INT(aiot_ota_setopt(t.ota, AIOT_OTAOPT_MODULE, text("mcu")), 0);
    CHECK_INT(aiot_ota_report_version(t.ota, text("2")), 0);
    CHECK_HAS(w->published, "{\"id\":2, \"params\":{\"version\":\"2\",\"module\":\"mcu\"}}\n");
    CHECK_INT(aiot_ota_query_firmware(t.ota), 0);
    CHECK_HAS(w->published, "/sys/a1OtaBench1/device1/thing/ota/firmware/get "
                            "{\"id\":3, \"params\":{\"module\":\"mcu\"}}\n");
    CHECK_STR(w->subscribed, "");
}

static void reports_for_a_sub_device(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_report_version_ext(t.ota, text("subPk"), text("sub1"), text("3.1")), 0);
    CHECK_HAS(w->published,
              "/ota/device/inform/subPk/sub1 {\"id\":1, \"params\":{\"version\":\"3.1\"}}\n");
}

/* A version that would break out of its JSON text is refused. */
static void refuses_a_quote_in_a_version(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_report_version(t.ota, text("1\",\"x\":\"")), STATE_OTA_REPORT_FAILED);
    CHECK_STR(w->published, "");
}

static void reports_progress(struct kit_world *w)
{
    open_download(w);
    CHECK_INT(aiot_download_report_progress(t.dl, 42), 0);
    CHECK_HAS(w->published, "/ota/device/progress/a1OtaBench1/device1 "
                            "{\"id\":1, \"params\":{\"step\":\"42\",\"desc\":\"\"}}\n");
    for (int32_t code = AIOT_OTAERR_BURN_FAILED; code <= AIOT_OTAERR_UPGRADE_FAILED; code++)
        CHECK_INT(aiot_download_report_progress(t.dl, code), 0);
    CHECK_HAS(w->published, "\"step\":\"-4\"");
    CHECK_HAS(w->published, "\"step\":\"-1\"");
    CHECK_INT(aiot_download_report_progress(t.dl, 101), STATE_USER_INPUT_OUT_OF_RANGE);
    CHECK_INT(aiot_download_report_progress(t.dl, -5), STATE_USER_INPUT_OUT_OF_RANGE);
}

static void hears_every_source(struct kit_world *w)
{
    char reply[4096];
    open_session(w);
    (void)snprintf(reply, sizeof(reply),
                   "{\"id\":\"7\",\"code\":200,\"data\":{\"size\":5,\"version\":\"3\",\"url\":"
                   "\"https://h/p\",\"sign\":\"%032d\",\"signMethod\":\"Md5\",\"module\":\"mcu\","
                   "\"extData\":{\"a\":\"b\",\"size\":9}}}",
                   1);
    deliver(w, "thing/ota/firmware/get_reply", reply);
    CHECK_INT(t.announcements, 1);
    CHECK_STR(t.version, "3");
    CHECK_STR(t.module, "mcu");
    CHECK_STR(t.extra, "{\"a\":\"b\",\"size\":9}");
    CHECK_STR(t.product_key, "a1OtaBench1");
    CHECK_STR(t.device_name, "device1");
    CHECK_INT(t.task->size_total, 5);
    CHECK_INT(t.file_num, 1);
    deliver(w, "thing/ota/firmware/get_reply", "{\"id\":\"8\",\"code\":200,\"data\":{}}");
    CHECK_INT(t.announcements, 1);
    CHECK_INT(t.code_count, 0);
    const char *config = "{\"id\":\"9\",\"version\":\"1.0\",\"params\":{\"configId\":\"c1\","
                         "\"configSize\":4,\"sign\":\"%064d\",\"signMethod\":\"Sha256\",\"url\":"
                         "\"https://h/c\",\"getType\":\"file\"}}";
    (void)snprintf(reply, sizeof(reply), config, 1);
    deliver(w, "thing/config/push", reply);
    CHECK_INT(t.configs, 1);
    CHECK_STR(t.version, "c1");
    CHECK_INT(t.announcements, 1);
    CHECK_INT(t.task->digest_method, AIOT_OTA_DIGEST_SHA256);
}

/* A gateway hears of its sub-devices; who it is for stands in the topic. */
static void hears_of_a_sub_device(struct kit_world *w)
{
    open_session(w);
    const char *topic = "/ota/device/upgrade/subPk/sub1";
    kw_send(w, topic, w->announcement, strlen(w->announcement), 0);
    CHECK_INT(aiot_mqtt_recv(t.mqtt), 0);
    CHECK_INT(t.announcements, 1);
    CHECK_STR(t.product_key, "subPk");
    CHECK_STR(t.device_name, "sub1");
}

static void hears_each_of_several_files(struct kit_world *w)
{
    char push[4096], item[256];
    size_t at = 0;
    open_session(w);
    at += (size_t)snprintf(push, sizeof(push),
                           "{\"code\":\"1000\",\"data\":{\"version\":\"3\","
                           "\"signMethod\":\"Md5\",\"files\":[");
    for (int i = 0; i < 20; i++) {
        (void)snprintf(item, sizeof(item),
                       "%s{\"fileSize\":%d,\"fileName\":\"f%d\",\"fileUrl\":\"http://h/%d\","
                       "\"fileMd5\":\"%032d\",\"fileSign\":\"%032d\"}",
                       i > 0 ? "," : "", i + 1, i, i, i, i);
        at += (size_t)snprintf(push + at, sizeof(push) - at, "%s", item);
    }
    (void)snprintf(push + at, sizeof(push) - at, "]}}");
    deliver(w, "upgrade", push);
    CHECK_INT(t.announcements, 20);
    CHECK_INT(t.file_num, 20);
    CHECK_INT(t.file_id, 19);
    CHECK_INT(t.task->size_total, 20);
    /* One more is refused. */
    push[at] = '\0';
    (void)snprintf(push + at, sizeof(push) - at, ",%s]}}", item + 1);
    deliver(w, "upgrade", push);
    CHECK_INT(t.announcements, 20);
    CHECK_INT(seen(STATE_OTA_PARSE_JSON_ERROR), 1);
}

static void takes_a_file_over_mqtt(struct kit_world *w)
{
    char push[1024];
    open_session(w);
    (void)snprintf(push, sizeof(push),
                   "{\"code\":\"1000\",\"data\":{\"size\":5,\"streamId\":7,\"sign\":\"%032d\","
                   "\"dProtocol\":\"mqtt\",\"version\":\"3\",\"signMethod\":\"Md5\","
                   "\"streamFileId\":9},\"id\":1,\"message\":\"success\"}",
                   1);
    deliver(w, "upgrade", push);
    CHECK_INT(t.announcements, 1);
    CHECK_INT(t.protocol, AIOT_OTA_PROTOCOL_MQTT);
    CHECK(t.task->url == NULL);
    CHECK_INT(t.task->stream_id, 7);
    CHECK_INT(t.task->stream_file_id, 9);
}

/* Host and path of 1024 bytes each go through. */
static void takes_long_names(struct kit_world *w)
{
    static char url[4096];
    CHECK_INT(request_of(w, long_url(url, 1024, 1024)), 0);
    int32_t rc;
    do
        rc = aiot_download_recv(t.dl);
    while (rc > 0);
    CHECK_INT(rc, STATE_DOWNLOAD_FINISHED);
}

/* A server that ignores ranges: what is there already is passed over. */
static enum act ranges_ignored(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    test_http(reply, "200 OK", w->image, w->image_bytes);
    if (g->nth > 1)
        return ACT_REPLY;
    reply->len_bytes /= 2;
    return ACT_REPLY_RESET;
}

static void passes_over_what_it_has(struct kit_world *w)
{
    w->bend = ranges_ignored;
    open_download(w);
    int32_t rc = receive();
    CHECK_INT(rc, STATE_DOWNLOAD_RENEWAL_REQUEST_SENT);
    do
        rc = aiot_download_recv(t.dl);
    while (rc > 0);
    CHECK_INT(rc, STATE_DOWNLOAD_FINISHED);
    CHECK_INT(t.stored_bytes, IMAGE_BYTES);
    CHECK_MEM(t.stored, w->image, IMAGE_BYTES);
}

/* A fresh URL for the same file goes on; another file starts over. */
static void goes_on_with_a_fresh_url(struct kit_world *w)
{
    w->bend = half_then_reset;
    open_download(w);
    CHECK_INT(receive(), STATE_DOWNLOAD_RENEWAL_REQUEST_SENT);
    uint32_t before = t.stored_bytes;
    CHECK(before > 0);
    t.task->url = text("http://files.test/fresh");
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task), 0);
    CHECK_INT(aiot_download_send_request(t.dl), 0);
    int32_t rc;
    do
        rc = aiot_download_recv(t.dl);
    while (rc > 0);
    CHECK_INT(rc, STATE_DOWNLOAD_FINISHED);
    CHECK_HAS(w->last_get, "GET /fresh ");
    CHECK_INT(w->last_from, before);
    CHECK_INT(seen(STATE_OTA_DIGEST_MATCH), 1);
}

static const struct provocation calls[] = {
    {"reports have the vendor's words", 0, reports_as_the_vendor},
    {"a gateway reports under the sub-device's names", 0, reports_for_a_sub_device},
    {"a quote in a version is refused", 0, refuses_a_quote_in_a_version},
    {"progress and failure codes", 0, reports_progress},
    {"push, query reply and configuration are told apart", 0, hears_every_source},
    {"an announcement for a sub-device", 0, hears_of_a_sub_device},
    {"20 files, and not 21", 0, hears_each_of_several_files},
    {"a file over MQTT", 0, takes_a_file_over_mqtt},
    {"host and path of 1024 bytes", 0, takes_long_names},
    {"a server without ranges", 0, passes_over_what_it_has},
    {"a fresh URL for the same file", 0, goes_on_with_a_fresh_url},
};

/* Any allocation of a whole session may fail: an error, never a crash, and nothing is left. */
static uint64_t fail_at;

static void session_without_memory(struct kit_world *w)
{
    aiot_ota_recv_handler_t handler = on_announcement;
    aiot_download_recv_handler_t bytes = on_bytes;
    w->net.b->heap.fail_at = fail_at;
    t.mqtt = aiot_mqtt_init();
    t.ota = aiot_ota_init();
    (void)aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_HOST, text("mqtt.test"));
    (void)aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_PRODUCT_KEY, text(w->config.product_id));
    (void)aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_DEVICE_NAME, text(w->config.did));
    (void)aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_DEVICE_SECRET, text("secret"));
    (void)aiot_ota_setopt(t.ota, AIOT_OTAOPT_MODULE, text("default"));
    (void)aiot_ota_setopt(t.ota, AIOT_OTAOPT_RECV_HANDLER, fn_of(&handler));
    (void)aiot_ota_setopt(t.ota, AIOT_OTAOPT_USERDATA, &t);
    if (t.mqtt != NULL)
        (void)aiot_ota_setopt(t.ota, AIOT_OTAOPT_MQTT_HANDLE, t.mqtt);
    if (t.mqtt != NULL && aiot_mqtt_connect(t.mqtt) == 0) {
        (void)aiot_ota_report_version(t.ota, text("1.0"));
        (void)aiot_mqtt_recv(t.mqtt);
    }
    t.dl = aiot_download_init();
    (void)aiot_download_setopt(t.dl, AIOT_DLOPT_RECV_HANDLER, fn_of(&bytes));
    (void)aiot_download_setopt(t.dl, AIOT_DLOPT_USERDATA, &t);
    if (t.task != NULL)
        (void)aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task);
    int32_t rc = aiot_download_send_request(t.dl);
    for (int i = 0; rc >= 0 && i < 100; i++)
        rc = aiot_download_recv(t.dl);
    if (rc == STATE_DOWNLOAD_FINISHED)
        CHECK_MEM(t.stored, w->image, IMAGE_BYTES);
    close_all();
}

static void survives_any_allocation(void)
{
    unsigned finished = 0;
    for (fail_at = 1; fail_at <= 40; fail_at++) {
        struct kit_world *w = kit_world_new(AGENT_AIOT, IMAGE_BYTES);
        memset(&t, 0, sizeof(t));
        kit_world_call(w, session_without_memory);
        finished += t.stored_bytes == IMAGE_BYTES;
        kit_world_free(w);
    }
    CHECK(finished > 0 && finished < 40);
}

static const struct test tests[] = {
    TEST_ROWS("state code", is_provoked, provocations, provocation_name),
    TEST_ROWS("calls", call_row, calls, provocation_name),
    {"any allocation may fail", survives_any_allocation},
};

TEST_MAIN("aiot_ota and aiot_download", tests)
