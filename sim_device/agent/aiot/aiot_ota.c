#include "sim_device/agent/aiot/aiot_ota.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim_device/agent/aiot/aiot_mqtt_api.h"
#include "sim_device/agent/link_kit/push.h"

struct aiot_ota {
    struct kit *kit;
    struct board *board;
    void *mqtt;
    aiot_ota_recv_handler_t handler;
    void *userdata;
    char *module;
};

/* Which message is meant is told by the topic: {product key}/{device name} stand at the end of the
 * first, in the middle of the others. */
static const struct source {
    const char *filter;
    const char *prefix, *suffix;
    enum kit_push_kind kind;
} sources[] = {
    {"/ota/device/upgrade/+/+", "/ota/device/upgrade/", "", KIT_PUSH_FIRMWARE},
    {"/sys/+/+/thing/ota/firmware/get_reply", "/sys/", "/thing/ota/firmware/get_reply",
     KIT_PUSH_FIRMWARE},
    {"/sys/+/+/thing/config/push", "/sys/", "/thing/config/push", KIT_PUSH_CONFIG},
    {"/sys/+/+/thing/config/get_reply", "/sys/", "/thing/config/get_reply", KIT_PUSH_CONFIG},
};
#define SOURCES (sizeof(sources) / sizeof(sources[0]))

void *aiot_ota_init(void)
{
    struct kit *k = kit_self();
    struct aiot_ota *o = k != NULL ? kit_calloc(k->board, sizeof(*o)) : NULL;
    if (o == NULL)
        return NULL;
    o->kit = k;
    o->board = k->board;
    return o;
}

/* ---- announcements ---- */

/* Cuts the two names out of a topic. The product key ends at the first slash. */
static bool names_of(const struct source *s, const char *topic, char *product_key, size_t pk_cap,
                     char *device_name, size_t dn_cap)
{
    const char *pk = topic + strlen(s->prefix);
    size_t pk_len = strcspn(pk, "/");
    const char *dn = pk + pk_len + (pk[pk_len] == '/');
    size_t dn_len = strcspn(dn, "/");
    if (pk_len == 0 || pk_len >= pk_cap || dn_len == 0 || dn_len >= dn_cap)
        return false;
    memcpy(product_key, pk, pk_len);
    product_key[pk_len] = '\0';
    memcpy(device_name, dn, dn_len);
    device_name[dn_len] = '\0';
    return true;
}

/* The vendor's struct has no const; nobody writes through it. */
static char *loose(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void hand_over(struct aiot_ota *o, const struct kit_push *p, char *product_key,
                      char *device_name)
{
    for (size_t i = 0; i < p->file_count && o->handler != NULL; i++) {
        const struct kit_push_file *f = &p->files[i];
        aiot_download_task_desc_t task = {
            .product_key = product_key,
            .device_name = device_name,
            .url = loose(f->url),
            .size_total = f->size_bytes,
            .digest_method = f->method == DIGEST_MD5 ? AIOT_OTA_DIGEST_MD5 : AIOT_OTA_DIGEST_SHA256,
            .expect_digest = loose(f->digest),
            .version = loose(p->version),
            .module = loose(p->module),
            .extra_data = loose(p->ext),
            .mqtt_handle = o->mqtt,
            .protocol_type = p->over_mqtt ? AIOT_OTA_PROTOCOL_MQTT : AIOT_OTA_PROTOCOL_HTTPS,
            .stream_id = p->stream_id,
            .stream_file_id = f->file_id,
            .file_name = loose(f->name),
            .file_num = (uint32_t)p->file_count,
            .file_id = (uint32_t)i,
        };
        aiot_ota_recv_t msg = {p->kind == KIT_PUSH_FIRMWARE ? AIOT_OTARECV_FOTA : AIOT_OTARECV_COTA,
                               &task};
        o->handler(o, &msg, o->userdata);
    }
}

static void on_message(void *mqtt, const aiot_mqtt_recv_t *packet, void *userdata)
{
    struct aiot_ota *o = userdata;
    const struct source *s = NULL;
    char product_key[AIOT_TOPIC_MAX], device_name[AIOT_TOPIC_MAX];
    const char *topic = packet->data.pub.topic;
    struct kit_push *p;
    struct err err;
    (void)mqtt;
    for (size_t i = 0; i < SOURCES && s == NULL; i++) {
        size_t pre = strlen(sources[i].prefix), suf = strlen(sources[i].suffix);
        size_t len = packet->data.pub.topic_len;
        if (len > pre + suf && strncmp(topic, sources[i].prefix, pre) == 0 &&
            strcmp(topic + len - suf, sources[i].suffix) == 0)
            s = &sources[i];
    }
    if (s == NULL ||
        !names_of(s, topic, product_key, sizeof(product_key), device_name, sizeof(device_name)))
        return;
    int rc = kit_push_parse(&p, o->board, s->kind, KIT_4X, packet->data.pub.payload,
                            packet->data.pub.payload_len, &o->kit->quirks, &err);
    if (rc == ERR_NOT_FOUND)
        return;
    if (rc != 0) {
        kit_log(o->board, "announcement: %s", err.text);
        (void)aiot_state(rc == ERR_NOMEM         ? STATE_OTA_PARSE_JSON_MALLOC_FAILED
                         : rc == ERR_UNSUPPORTED ? STATE_OTA_UNKNOWN_DIGEST_METHOD
                                                 : STATE_OTA_PARSE_JSON_ERROR);
        return;
    }
    hand_over(o, p, product_key, device_name);
    board_free(o->board, p);
}

/* ---- options ---- */

static int32_t map_topics(struct aiot_ota *o, void *mqtt, aiot_mqtt_option_t how)
{
    int32_t rc = STATE_SUCCESS;
    for (size_t i = 0; i < SOURCES && rc == STATE_SUCCESS; i++) {
        aiot_mqtt_topic_map_t map = {sources[i].filter, on_message, o};
        rc = aiot_mqtt_setopt(mqtt, how, &map);
    }
    return rc;
}

int32_t aiot_ota_setopt(void *handle, aiot_ota_option_t option, void *data)
{
    struct aiot_ota *o = handle;
    char *copy;
    if (o == NULL)
        return aiot_state(STATE_OTA_SETOPT_HANDLE_IS_NULL);
    if (data == NULL && option != AIOT_OTAOPT_USERDATA)
        return aiot_state(STATE_OTA_SETOPT_DATA_IS_NULL);
    switch (option) {
    case AIOT_OTAOPT_RECV_HANDLER:
        memcpy(&o->handler, &data, sizeof(data));
        return STATE_SUCCESS;
    case AIOT_OTAOPT_MQTT_HANDLE:
        if (o->mqtt != NULL)
            (void)map_topics(o, o->mqtt, AIOT_MQTTOPT_REMOVE_TOPIC_MAP);
        o->mqtt = data;
        return map_topics(o, o->mqtt, AIOT_MQTTOPT_APPEND_TOPIC_MAP);
    case AIOT_OTAOPT_USERDATA:
        o->userdata = data;
        return STATE_SUCCESS;
    case AIOT_OTAOPT_MODULE:
        copy = kit_strdup(o->board, data);
        if (copy == NULL)
            return aiot_state(STATE_SYS_DEPEND_MALLOC_FAILED);
        board_free(o->board, o->module);
        o->module = copy;
        return STATE_SUCCESS;
    default:
        return aiot_state(STATE_USER_INPUT_UNKNOWN_OPTION);
    }
}

int32_t aiot_ota_deinit(void **handle)
{
    if (handle == NULL || *handle == NULL)
        return aiot_state(STATE_OTA_DEINIT_HANDLE_IS_NULL);
    struct aiot_ota *o = *handle;
    if (o->mqtt != NULL)
        (void)map_topics(o, o->mqtt, AIOT_MQTTOPT_REMOVE_TOPIC_MAP);
    board_free(o->board, o->module);
    board_free(o->board, o);
    *handle = NULL;
    return STATE_SUCCESS;
}

/* ---- messages to the cloud ---- */

bool aiot_ota_send(void *mqtt, const char *topic, const char *fmt, ...)
{
    char payload[AIOT_PAYLOAD_MAX];
    va_list args;
    if (strlen(topic) >= AIOT_TOPIC_MAX - 1)
        return false;
    va_start(args, fmt);
    int len = vsnprintf(payload, sizeof(payload), fmt, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(payload))
        return false;
    return aiot_mqtt_pub(mqtt, loose(topic), (uint8_t *)payload, (uint32_t)len, 0) == STATE_SUCCESS;
}

/* What goes into a message unescaped must not break it. */
static bool plain(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\')
            return false;
    return true;
}

static int32_t report(struct aiot_ota *o, const char *product_key, const char *device_name,
                      const char *version)
{
    char topic[AIOT_TOPIC_MAX];
    const char *module = o->module;
    if (!plain(version) || (module != NULL && !plain(module)))
        return aiot_state(STATE_OTA_REPORT_FAILED);
    (void)snprintf(topic, sizeof(topic), "/ota/device/inform/%s/%s", product_key, device_name);
    bool sent =
        aiot_ota_send(o->mqtt, topic, "{\"id\":%" PRIu32 ", \"params\":{\"version\":\"%s\"%s%s%s}}",
                      aiot_mqtt_next_id(o->mqtt), version, module != NULL ? ",\"module\":\"" : "",
                      module != NULL ? module : "", module != NULL ? "\"" : "");
    return sent ? STATE_SUCCESS : aiot_state(STATE_OTA_REPORT_FAILED);
}

int32_t aiot_ota_report_version(void *handle, char *version)
{
    struct aiot_ota *o = handle;
    if (o == NULL)
        return aiot_state(STATE_OTA_REPORT_HANDLE_IS_NULL);
    if (version == NULL)
        return aiot_state(STATE_OTA_REPORT_VERSION_IS_NULL);
    if (o->mqtt == NULL)
        return aiot_state(STATE_OTA_REPORT_MQTT_HANDLE_IS_NULL);
    const char *pk = aiot_mqtt_product_key(o->mqtt), *dn = aiot_mqtt_device_name(o->mqtt);
    if (pk == NULL || dn == NULL)
        return aiot_state(STATE_OTA_REPORT_FAILED);
    return report(o, pk, dn, version);
}

int32_t aiot_ota_report_version_ext(void *handle, char *product_key, char *device_name,
                                    char *version)
{
    struct aiot_ota *o = handle;
    if (o == NULL)
        return aiot_state(STATE_OTA_REPORT_EXT_HANELD_IS_NULL);
    if (version == NULL)
        return aiot_state(STATE_OTA_REPORT_EXT_VERSION_NULL);
    if (product_key == NULL)
        return aiot_state(STATE_OTA_REPORT_EXT_PRODUCT_KEY_IS_NULL);
    if (device_name == NULL)
        return aiot_state(STATE_OTA_REPORT_EXT_DEVICE_NAME_IS_NULL);
    if (o->mqtt == NULL)
        return aiot_state(STATE_OTA_REPORT_EXT_MQTT_HANDLE_IS_NULL);
    return report(o, product_key, device_name, version);
}

int32_t aiot_ota_query_firmware(void *handle)
{
    struct aiot_ota *o = handle;
    char topic[AIOT_TOPIC_MAX];
    if (o == NULL)
        return aiot_state(STATE_OTA_QUERY_FIRMWARE_HANDLE_IS_NULL);
    if (o->mqtt == NULL)
        return aiot_state(STATE_OTA_REPORT_MQTT_HANDLE_IS_NULL);
    const char *pk = aiot_mqtt_product_key(o->mqtt), *dn = aiot_mqtt_device_name(o->mqtt);
    if (pk == NULL || dn == NULL || (o->module != NULL && !plain(o->module)))
        return aiot_state(STATE_OTA_REPORT_FAILED);
    (void)snprintf(topic, sizeof(topic), "/sys/%s/%s/thing/ota/firmware/get", pk, dn);
    bool sent = aiot_ota_send(o->mqtt, topic, "{\"id\":%" PRIu32 ", \"params\":{%s%s%s}}",
                              aiot_mqtt_next_id(o->mqtt), o->module != NULL ? "\"module\":\"" : "",
                              o->module != NULL ? o->module : "", o->module != NULL ? "\"" : "");
    return sent ? STATE_SUCCESS : aiot_state(STATE_OTA_REPORT_FAILED);
}

int32_t aiot_ota_report_step(const aiot_download_task_desc_t *task, int32_t step)
{
    char topic[AIOT_TOPIC_MAX];
    const char *module = task->module;
    const bool bytes = kit_self() != NULL && kit_self()->quirks.byte_codes;
    if (task->mqtt_handle == NULL || (module != NULL && !plain(module)))
        return aiot_state(STATE_OTA_REPORT_FAILED);
    (void)snprintf(topic, sizeof(topic), "/ota/device/progress/%s/%s", task->product_key,
                   task->device_name);
    bool sent = aiot_ota_send(task->mqtt_handle, topic,
                              "{\"id\":%" PRIu32 ", \"params\":{\"step\":\"%" PRId32
                              "\",\"desc\":\"\"%s%s%s}}",
                              aiot_mqtt_next_id(task->mqtt_handle), bytes ? (uint8_t)step : step,
                              module != NULL ? ",\"module\":\"" : "", module != NULL ? module : "",
                              module != NULL ? "\"" : "");
    if (sent && kit_self() != NULL)
        KIT_EVENT(kit_self()->board, "progress", F_INT("step", step));
    return sent ? STATE_SUCCESS : aiot_state(STATE_OTA_REPORT_FAILED);
}

/* ---- task descriptions ---- */

aiot_download_task_desc_t *aiot_ota_copy_task(struct board *b,
                                              const aiot_download_task_desc_t *task)
{
    const char *const texts[] = {task->product_key,   task->device_name, task->url,
                                 task->expect_digest, task->version,     task->module,
                                 task->extra_data,    task->file_name};
    size_t len = sizeof(*task);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        len += texts[i] != NULL ? strlen(texts[i]) + 1 : 0;
    aiot_download_task_desc_t *copy = board_alloc(b, len);
    if (copy == NULL)
        return NULL;
    *copy = *task;
    char **const places[] = {&copy->product_key,   &copy->device_name, &copy->url,
                             &copy->expect_digest, &copy->version,     &copy->module,
                             &copy->extra_data,    &copy->file_name};
    char *at = (char *)(copy + 1);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i] == NULL)
            continue;
        *places[i] = at;
        at = stpcpy(at, texts[i]) + 1;
    }
    return copy;
}

enum digest_kind aiot_ota_digest_kind(uint8_t method)
{
    return method == AIOT_OTA_DIGEST_MD5 ? DIGEST_MD5 : DIGEST_SHA256;
}
