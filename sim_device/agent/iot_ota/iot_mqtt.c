#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/vtime.h"
#include "sim_device/agent/iot_ota/iot_export_mqtt.h"
#include "sim_device/agent/link_kit/kit.h"
#include "sim_device/agent/link_kit/session.h"

#define TRIES           8
#define TRY_PAUSE_MS    2000
#define NOT_AUTHORIZED  5
#define TIMEOUT_MS      2000u
#define KEEP_ALIVE_MS   60000u
#define BACK_OFF_MS     1000
#define BACK_OFF_MAX_MS 60000
#define FACTORY_VERSION "app-1.0.0-20180101.1000"

struct subscription {
    char topic[KIT_TOPIC_MAX];
    iotx_mqtt_message_func_t callback; /* null: free */
    void *context;
};

struct iot_mqtt {
    struct board *board;
    struct kit_session session;
    struct subscription subscriptions[IOTX_MQTT_SUBSCRIPTIONS_MAX];
};

/* The SDK reports the version its HAL tells, before anybody subscribed. */
static void report_by_itself(struct iot_mqtt *m, const struct kit *k)
{
    char topic[KIT_TOPIC_MAX], payload[128];
    (void)snprintf(topic, sizeof(topic), "/ota/device/inform/%s/%s", k->identity.product_key,
                   k->identity.device_name);
    int len = snprintf(payload, sizeof(payload), "{\"id\":\"1\",\"params\":{\"version\":\"%s\"}}",
                       k->quirks.factory_inform ? FACTORY_VERSION : k->version);
    if (len > 0 && (size_t)len < sizeof(payload) && !k->quirks.no_version_report)
        (void)kit_session_publish(&m->session, topic, payload, (size_t)len, 1);
}

static bool connect_patiently(struct iot_mqtt *m)
{
    for (int i = 0; i < TRIES; i++) {
        int rc = kit_session_connect(&m->session);
        if (rc == KIT_SESSION_OK)
            return true;
        if (rc == KIT_SESSION_ARG || m->session.connack == NOT_AUTHORIZED)
            return false;
        board_sleep_ns(m->board, TRY_PAUSE_MS * NS_PER_MS);
    }
    return false;
}

void *IOT_MQTT_Construct(iotx_mqtt_param_t *params)
{
    struct kit *k = kit_self();
    if (k == NULL || params == NULL || params->host == NULL || params->port == 0)
        return NULL;
    struct iot_mqtt *m = kit_calloc(k->board, sizeof(*m));
    if (m == NULL)
        return NULL;
    uint32_t timeout_ms = params->request_timeout_ms > 0 ? params->request_timeout_ms : TIMEOUT_MS;
    uint32_t keep_ms =
        params->keepalive_interval_ms > 0 ? params->keepalive_interval_ms : KEEP_ALIVE_MS;
    bool storm = k->quirks.storming_reconnect;
    const struct kit_session_config c = {
        .generation = k->generation,
        .identity = k->identity,
        .host = params->host,
        .port = params->port,
        .ca_pem = params->pub_key,
        .extra = params->customize_info,
        .keep_alive_s = keep_ms / 1000 < UINT16_MAX ? (uint16_t)(keep_ms / 1000) : UINT16_MAX,
        .connect_timeout_ns = 5 * (int64_t)timeout_ms * NS_PER_MS,
        .send_timeout_ns = (int64_t)timeout_ms * NS_PER_MS,
        .back_off_min_ns = storm ? 1 : BACK_OFF_MS * NS_PER_MS,
        .back_off_max_ns = storm ? 1 : BACK_OFF_MAX_MS * NS_PER_MS,
        .reconnect = true,
    };
    m->board = k->board;
    kit_session_init(&m->session, k->board, &c);
    if (!connect_patiently(m)) {
        board_free(k->board, m);
        return NULL;
    }
    report_by_itself(m, k);
    return m;
}

int IOT_MQTT_Destroy(void **client)
{
    if (client == NULL || *client == NULL)
        return -1;
    struct iot_mqtt *m = *client;
    kit_session_close(&m->session);
    board_free(m->board, m);
    *client = NULL;
    return 0;
}

static void dispatch(struct iot_mqtt *m, const struct board_mqtt_message *msg)
{
    const iotx_mqtt_topic_info_t info = {.ptopic = msg->topic,
                                         .topic_len = (uint16_t)strlen(msg->topic),
                                         .payload = (const char *)msg->payload,
                                         .payload_len = (uint32_t)msg->payload_bytes,
                                         .qos = msg->qos == 0 ? IOTX_MQTT_QOS0 : IOTX_MQTT_QOS1};
    for (size_t i = 0; i < IOTX_MQTT_SUBSCRIPTIONS_MAX; i++) {
        const struct subscription *s = &m->subscriptions[i];
        if (s->callback != NULL && strcmp(s->topic, msg->topic) == 0) {
            s->callback(s->context, m, &info);
            return;
        }
    }
}

int IOT_MQTT_Yield(void *client, int timeout_ms)
{
    struct iot_mqtt *m = client;
    if (m == NULL || timeout_ms < 0)
        return -1;
    struct board *b = m->board;
    int64_t until = vtime_after(b->ops->now_ns(b), timeout_ms * NS_PER_MS);
    for (;;) {
        struct board_mqtt_message msg;
        int64_t now = b->ops->now_ns(b);
        int rc = kit_session_receive(&m->session, &msg, until > now ? until - now : 0);
        if (rc == KIT_SESSION_OK) {
            dispatch(m, &msg);
            board_free(b, msg.payload);
        }
        if (b->ops->now_ns(b) >= until || rc == KIT_SESSION_DOWN)
            return kit_session_is_up(&m->session) ? 0 : -1;
    }
}

int IOT_MQTT_CheckStateNormal(void *client)
{
    const struct iot_mqtt *m = client;
    return m != NULL && kit_session_is_up(&m->session) ? 1 : 0;
}

int IOT_MQTT_Subscribe(void *client, const char *topic_filter, iotx_mqtt_qos_t qos,
                       iotx_mqtt_message_func_t callback, void *pcontext)
{
    struct iot_mqtt *m = client;
    if (m == NULL || topic_filter == NULL || callback == NULL ||
        strlen(topic_filter) >= KIT_TOPIC_MAX)
        return -1;
    struct subscription *place = NULL;
    for (size_t i = 0; i < IOTX_MQTT_SUBSCRIPTIONS_MAX; i++) {
        struct subscription *s = &m->subscriptions[i];
        bool same = s->callback != NULL && strcmp(s->topic, topic_filter) == 0;
        if (same || (s->callback == NULL && place == NULL))
            place = s;
        if (same)
            break;
    }
    if (place == NULL || kit_session_subscribe(&m->session, topic_filter, (uint8_t)qos) != 0)
        return -1;
    (void)snprintf(place->topic, sizeof(place->topic), "%s", topic_filter);
    place->callback = callback;
    place->context = pcontext;
    return 0;
}

int IOT_MQTT_Unsubscribe(void *client, const char *topic_filter)
{
    struct iot_mqtt *m = client;
    if (m == NULL || topic_filter == NULL)
        return -1;
    for (size_t i = 0; i < IOTX_MQTT_SUBSCRIPTIONS_MAX; i++)
        if (strcmp(m->subscriptions[i].topic, topic_filter) == 0)
            m->subscriptions[i] = (struct subscription){.callback = NULL};
    return kit_session_unsubscribe(&m->session, topic_filter) == KIT_SESSION_OK ? 0 : -1;
}

int IOT_MQTT_Publish_Simple(void *client, const char *topic_name, int qos, const void *data,
                            int len)
{
    struct iot_mqtt *m = client;
    if (m == NULL || topic_name == NULL || data == NULL || len < 0 || qos < 0 || qos > 1 ||
        strlen(topic_name) >= KIT_TOPIC_MAX)
        return -1;
    return kit_session_publish(&m->session, topic_name, data, (size_t)len, (uint8_t)qos) ==
                   KIT_SESSION_OK
               ? 0
               : -1;
}
