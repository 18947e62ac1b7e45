#include "sim_device/agent/iot_ota/iot_export_ota.h"

#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/vtime.h"
#include "sim_device/agent/iot_ota/iot_export_mqtt.h"
#include "sim_device/agent/link_kit/fetch.h"
#include "sim_device/agent/link_kit/kit.h"
#include "sim_device/agent/link_kit/push.h"

#define INFORM_MAX   128
#define PROGRESS_MAX 256
#define MODULE_MAX   64
#define TOPIC_MAX    128
#define SILENT_CALLS 5u

struct iot_ota {
    struct kit *kit;
    struct board *board;
    void *mqtt;
    char product_key[KIT_PRODUCT_KEY_MAX + 1];
    char device_name[KIT_DEVICE_NAME_MAX + 1];
    struct kit_push *push;   /* null: waiting */
    struct kit_fetch *fetch; /* a reply under way */
    bool head_known;         /* of fetch */
    uint32_t skip;           /* of its body: bytes that are there already */
    uint32_t fetched;
    uint32_t silent_calls;       /* since the last byte of this request */
    struct board_digest *digest; /* of the bytes fetched */
    bool checked, valid;         /* the result of CHECK_FIRMWARE, once it was asked */
};

static void drop_fetch(struct iot_ota *o)
{
    kit_fetch_close(o->fetch);
    o->fetch = NULL;
    o->head_known = false;
    o->silent_calls = 0;
}

static void drop_digest(struct iot_ota *o)
{
    if (o->digest != NULL)
        board_digest_free(o->board, o->digest);
    o->digest = NULL;
}

void iotx_ota_rewind(void *handle)
{
    struct iot_ota *o = handle;
    if (o == NULL || o->push == NULL)
        return;
    drop_fetch(o);
    drop_digest(o);
    o->fetched = 0;
    o->checked = o->valid = false;
    /* The digest object is the library's; a block stands for it in the device's memory. */
    void *room = board_alloc(o->board, 1);
    if (room != NULL)
        o->digest = board_digest_begin(o->board, DIGEST_MD5);
    board_free(o->board, room);
}

void iotx_ota_dismiss(void *handle)
{
    struct iot_ota *o = handle;
    if (o == NULL)
        return;
    drop_fetch(o);
    drop_digest(o);
    board_free(o->board, o->push);
    o->push = NULL;
}

/* ---- announcements ---- */

static bool same_file(const struct kit_push *a, const struct kit_push *b)
{
    return a->files[0].size_bytes == b->files[0].size_bytes &&
           strcmp(a->files[0].digest, b->files[0].digest) == 0 &&
           strcmp(a->version, b->version) == 0;
}

static void take(struct iot_ota *o, struct kit_push *p)
{
    bool fetching = o->push != NULL;
    if (strlen(p->version) >= OTA_VERSION_LEN_MAX || (fetching && !same_file(o->push, p))) {
        kit_log(o->board, "announcement of %.32s is ignored", p->version);
        board_free(o->board, p);
        return;
    }
    board_free(o->board, o->push);
    o->push = p;
    if (!fetching)
        iotx_ota_rewind(o);
}

static void on_firmware(void *context, void *client, const iotx_mqtt_topic_info_t *msg)
{
    struct iot_ota *o = context;
    struct kit_push *p;
    struct err err;
    (void)client;
    /* What was asked on the request topic comes back on it. */
    if (memmem(msg->payload, msg->payload_len, "\"url\"", 5) == NULL)
        return;
    int rc = kit_push_parse(&p, o->board, KIT_PUSH_FIRMWARE, o->kit->generation, msg->payload,
                            msg->payload_len, &o->kit->quirks, &err);
    if (rc == 0)
        take(o, p);
    else
        kit_log(o->board, "announcement: %s", err.text);
}

/* Remote configuration is understood, and never taken for firmware. */
static void on_config(void *context, void *client, const iotx_mqtt_topic_info_t *msg)
{
    struct iot_ota *o = context;
    struct kit_push *p;
    struct err err;
    (void)client;
    int rc = kit_push_parse(&p, o->board, KIT_PUSH_CONFIG, o->kit->generation, msg->payload,
                            msg->payload_len, &o->kit->quirks, &err);
    if (rc != 0) {
        kit_log(o->board, "configuration: %s", rc == 0 ? "" : err.text);
        return;
    }
    kit_log(o->board, "configuration %.32s", p->version);
    if (o->kit->quirks.take_config)
        take(o, p);
    else
        board_free(o->board, p);
}

/* ---- life ---- */

static bool subscribe(struct iot_ota *o)
{
    static const struct {
        const char *topic;
        iotx_mqtt_qos_t qos;
        iotx_mqtt_message_func_t callback;
    } wanted[] = {
        {"/ota/device/request/%s/%s", IOTX_MQTT_QOS1, on_firmware},
        {"/ota/device/upgrade/%s/%s", IOTX_MQTT_QOS1, on_firmware},
        {"/sys/%s/%s/thing/config/get_reply", IOTX_MQTT_QOS0, on_config},
        {"/sys/%s/%s/thing/config/push", IOTX_MQTT_QOS0, on_config},
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        char topic[TOPIC_MAX];
        (void)snprintf(topic, sizeof(topic), wanted[i].topic, o->product_key, o->device_name);
        if (IOT_MQTT_Subscribe(o->mqtt, topic, wanted[i].qos, wanted[i].callback, o) != 0)
            return false;
    }
    return true;
}

void *IOT_OTA_Init(const char *product_key, const char *device_name, void *ch_signal)
{
    struct kit *k = kit_self();
    if (k == NULL || product_key == NULL || device_name == NULL || ch_signal == NULL ||
        strlen(product_key) > KIT_PRODUCT_KEY_MAX || strlen(device_name) > KIT_DEVICE_NAME_MAX)
        return NULL;
    struct iot_ota *o = kit_calloc(k->board, sizeof(*o));
    if (o == NULL)
        return NULL;
    o->kit = k;
    o->board = k->board;
    o->mqtt = ch_signal;
    (void)snprintf(o->product_key, sizeof(o->product_key), "%s", product_key);
    (void)snprintf(o->device_name, sizeof(o->device_name), "%s", device_name);
    if (subscribe(o))
        return o;
    (void)IOT_OTA_Deinit(o);
    return NULL;
}

int IOT_OTA_Deinit(void *handle)
{
    struct iot_ota *o = handle;
    if (o == NULL)
        return IOT_OTAE_INVALID_PARAM;
    iotx_ota_dismiss(o);
    board_free(o->board, o);
    return IOT_OTAE_NONE;
}

/* ---- reports ---- */

/* What goes into a message unescaped must not break it. */
static bool plain(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\')
            return false;
    return true;
}

/* Version and request are one message on two topics. */
static int say_version(struct iot_ota *o, const char *verb, const char *module, const char *version)
{
    char topic[TOPIC_MAX], payload[INFORM_MAX];
    size_t version_len = version != NULL ? strlen(version) : 0;
    if (o == NULL || version_len == 0 || !plain(version) || (module != NULL && !plain(module)))
        return IOT_OTAE_INVALID_PARAM;
    if (version_len >= OTA_VERSION_LEN_MAX || (module != NULL && strlen(module) > MODULE_MAX))
        return IOT_OTAE_STR_TOO_LONG;
    (void)snprintf(topic, sizeof(topic), "/ota/device/%s/%s/%s", verb, o->product_key,
                   o->device_name);
    int len =
        snprintf(payload, sizeof(payload), "{\"id\":\"0\",\"params\":{\"version\":\"%s\"%s%s%s}}",
                 version, module != NULL ? ", \"module\":\"" : "", module != NULL ? module : "",
                 module != NULL ? "\"" : "");
    if (len < 0 || (size_t)len >= sizeof(payload))
        return IOT_OTAE_STR_TOO_LONG;
    return IOT_MQTT_Publish_Simple(o->mqtt, topic, IOTX_MQTT_QOS1, payload, len) == 0
               ? IOT_OTAE_NONE
               : IOT_OTAE_OSC_FAILED;
}

int IOT_OTA_ReportVersion(void *handle, const char *version)
{
    return say_version(handle, "inform", NULL, version);
}

int iotx_ota_report_module_version(void *handle, const char *module_name, const char *version)
{
    if (module_name == NULL)
        return IOT_OTAE_INVALID_PARAM;
    return say_version(handle, "inform", module_name, version);
}

int iotx_req_image(void *handle, const char *version)
{
    return say_version(handle, "request", NULL, version);
}

int IOT_OTA_ReportProgress(void *handle, IOT_OTA_Progress_t progress, const char *msg)
{
    struct iot_ota *o = handle;
    char topic[TOPIC_MAX], payload[PROGRESS_MAX];
    int step = (int)progress;
    if (o == NULL || step < IOT_OTAP_BURN_FAILED || step > IOT_OTAP_FETCH_PERCENTAGE_MAX ||
        (msg != NULL && !plain(msg)))
        return IOT_OTAE_INVALID_PARAM;
    (void)snprintf(topic, sizeof(topic), "/ota/device/progress/%s/%s", o->product_key,
                   o->device_name);
    int len = snprintf(payload, sizeof(payload),
                       "{\"id\":0,\"params\":{\"step\":\"%d\",\"desc\":\"%s\"}}", step,
                       msg != NULL ? msg : "");
    if (len < 0 || (size_t)len >= sizeof(payload))
        return IOT_OTAE_STR_TOO_LONG;
    if (IOT_MQTT_Publish_Simple(o->mqtt, topic, IOTX_MQTT_QOS0, payload, len) != 0)
        return IOT_OTAE_OSC_FAILED;
    KIT_EVENT(o->board, "progress", F_INT("step", step));
    return IOT_OTAE_NONE;
}

/* ---- the file ---- */

static uint32_t file_bytes(const struct iot_ota *o)
{
    return o->push->files[0].size_bytes;
}

int IOT_OTA_IsFetching(void *handle)
{
    const struct iot_ota *o = handle;
    return o != NULL && o->push != NULL &&
           (o->fetched < file_bytes(o) || o->kit->quirks.always_fetching);
}

int IOT_OTA_IsFetchFinish(void *handle)
{
    const struct iot_ota *o = handle;
    return o != NULL && o->push != NULL && o->fetched == file_bytes(o);
}

static int request(struct iot_ota *o, int64_t timeout_ns)
{
    const struct kit_fetch_config c = {.url = o->push->files[0].url,
                                       .ca_pem = kit_ca(o->kit),
                                       .from = o->fetched,
                                       .to = KIT_FETCH_OPEN_END,
                                       .recv_timeout_ns = timeout_ns,
                                       .generation = o->kit->generation,
                                       .quirks = &o->kit->quirks};
    enum kit_url_result url;
    if (o->kit->quirks.progress_restarts)
        (void)IOT_OTA_ReportProgress(o, IOT_OTAP_FETCH_PERCENTAGE_MIN,
                                     "Enter in downloading state");
    int rc = kit_fetch_open(&o->fetch, o->board, &c, &url);
    return rc == 0 ? 0 : rc == KIT_FETCH_NOMEM ? IOT_OTAE_NOMEM : IOT_OTAE_FETCH_FAILED;
}

/* 0: the body can be read. TIMEOUT stays TIMEOUT: the reply may come in the next call. */
static int read_head(struct iot_ota *o)
{
    int rc = kit_fetch_head(o->fetch);
    if (rc == KIT_FETCH_TIMEOUT)
        return rc;
    o->head_known = rc == 0;
    if (rc == 0 && kit_fetch_meaning(&o->fetch->http, o->fetched, KIT_FETCH_OPEN_END, file_bytes(o),
                                     &o->kit->quirks, &o->skip) == KIT_FETCH_BODY)
        return 0;
    kit_log(o->board, "download: %s, status %d", rc == 0 ? "refused" : "no reply",
            o->fetch->http.status);
    return KIT_FETCH_BAD;
}

/* The next bytes behind what is skipped. As kit_fetch_read. */
static int read_body(struct iot_ota *o, char *buf, uint32_t len)
{
    uint32_t left = file_bytes(o) - o->fetched;
    for (;;) {
        uint32_t want = o->skip > 0 ? (o->skip < len ? o->skip : len) : (left < len ? left : len);
        int n = kit_fetch_read(o->fetch, buf, want);
        if (n <= 0 || o->skip == 0)
            return n;
        o->skip -= (uint32_t)n;
    }
}

int IOT_OTA_FetchYield(void *handle, char *buf, uint32_t buf_len, uint32_t timeout_s)
{
    struct iot_ota *o = handle;
    if (o == NULL || buf == NULL || buf_len == 0 || timeout_s == 0)
        return IOT_OTAE_INVALID_PARAM;
    if (!IOT_OTA_IsFetching(o))
        return IOT_OTAE_INVALID_STATE;
    if (o->digest == NULL)
        return IOT_OTAE_NOMEM;
    int rc = o->fetch == NULL ? request(o, timeout_s * NS_PER_S) : 0;
    if (rc != 0)
        return rc;
    rc = o->head_known ? 0 : read_head(o);
    int n = rc == 0 ? read_body(o, buf, buf_len) : rc;
    if (n == KIT_FETCH_TIMEOUT && !o->kit->quirks.silence_is_end) {
        if (++o->silent_calls < SILENT_CALLS)
            return 0;
    }
    if (n == KIT_FETCH_END && o->head_known && o->kit->quirks.short_is_all) {
        o->push->files[0].size_bytes = o->fetched;
        drop_fetch(o);
        return 0;
    }
    if (n > 0)
        o->silent_calls = 0;
    if (n <= 0) {
        drop_fetch(o);
        return IOT_OTAE_FETCH_FAILED;
    }
    board_digest_update(o->digest, buf, (size_t)n);
    o->fetched += (uint32_t)n;
    if (o->fetched == file_bytes(o))
        drop_fetch(o);
    return n;
}

/* ---- queries ---- */

static bool check_firmware(struct iot_ota *o)
{
    uint8_t want[MD5_BYTES], got[MD5_BYTES];
    if (o->checked)
        return o->valid;
    board_digest_end(o->digest, got);
    o->checked = true;
    o->valid =
        hex_decode(want, MD5_BYTES, o->push->files[0].digest) && memcmp(want, got, MD5_BYTES) == 0;
    if (!o->valid)
        (void)IOT_OTA_ReportProgress(o, IOT_OTAP_CHECK_FALIED, "verify failed");
    return o->valid;
}

int IOT_OTA_Ioctl(void *handle, IOT_OTA_CmdType_t type, void *buf, size_t buf_len)
{
    struct iot_ota *o = handle;
    static const size_t texts[] = {[IOT_OTAG_MD5SUM] = OTA_MD5_LEN,
                                   [IOT_OTAG_VERSION] = OTA_VERSION_LEN_MAX,
                                   [IOT_OTAG_CHECK_FIRMWARE] = 0};
    if (o == NULL || buf == NULL || (unsigned)type >= sizeof(texts) / sizeof(texts[0]))
        return IOT_OTAE_INVALID_PARAM;
    if (texts[type] > 0 ? buf_len < texts[type] : buf_len != sizeof(uint32_t))
        return IOT_OTAE_INVALID_PARAM;
    if (o->push == NULL)
        return IOT_OTAE_INVALID_STATE;
    uint32_t number = 0;
    switch (type) {
    case IOT_OTAG_MD5SUM:
        (void)snprintf(buf, buf_len, "%s", o->push->files[0].digest);
        return IOT_OTAE_NONE;
    case IOT_OTAG_VERSION:
        (void)snprintf(buf, buf_len, "%s", o->push->version);
        return IOT_OTAE_NONE;
    case IOT_OTAG_FETCHED_SIZE:
        number = o->fetched;
        break;
    case IOT_OTAG_FILE_SIZE:
        number = file_bytes(o);
        break;
    case IOT_OTAG_CHECK_FIRMWARE:
        if (!IOT_OTA_IsFetchFinish(o) || o->digest == NULL)
            return IOT_OTAE_INVALID_STATE;
        number = check_firmware(o) ? 1 : 0;
        break;
    }
    memcpy(buf, &number, sizeof(number));
    return IOT_OTAE_NONE;
}
