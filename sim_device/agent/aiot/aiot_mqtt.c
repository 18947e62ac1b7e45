#include "sim_device/agent/aiot/aiot_mqtt_api.h"

#include <string.h>

#include "common/vtime.h"
#include "sim_device/agent/link_kit/kit.h"
#include "sim_device/agent/link_kit/session.h"

#define KEEP_ALIVE_S     1200
#define HEARTBEAT_MS     25000
#define CONNECT_MS       10000
#define SEND_MS          5000
#define RECEIVE_MS       5000
#define RECONNECT_MS     2000
#define RECONNECT_MAX_MS 60000

struct topic_map {
    char *topic; /* null: free */
    aiot_mqtt_recv_handler_t handler;
    void *userdata;
};

struct aiot_mqtt {
    struct kit *kit;
    struct board *board;
    char *text[AIOT_MQTTOPT_MAX]; /* copies of the options that are texts */
    uint16_t port;
    uint16_t keep_alive_s;
    uint32_t heartbeat_ms, connect_ms, send_ms, receive_ms, reconnect_ms;
    uint8_t reconnect;
    struct topic_map maps[AIOT_MQTT_TOPIC_MAPS_MAX];
    aiot_mqtt_recv_handler_t on_message;
    aiot_mqtt_event_handler_t on_event;
    void *userdata;
    bool ready; /* session is set up */
    bool told_up;
    bool told_down; /* the state, since the last loss */
    bool ends;      /* deinit began */
    unsigned connects;
    uint32_t last_id;
    struct kit_session session;
};

void *aiot_mqtt_init(void)
{
    struct kit *k = kit_self();
    struct aiot_mqtt *m = k != NULL ? kit_calloc(k->board, sizeof(*m)) : NULL;
    if (m == NULL)
        return NULL;
    m->kit = k;
    m->board = k->board;
    m->keep_alive_s = KEEP_ALIVE_S;
    m->heartbeat_ms = HEARTBEAT_MS;
    m->connect_ms = CONNECT_MS;
    m->send_ms = SEND_MS;
    m->receive_ms = RECEIVE_MS;
    m->reconnect_ms = RECONNECT_MS;
    m->reconnect = 1;
    return m;
}

/* ---- options ---- */

static int32_t set_text(struct aiot_mqtt *m, aiot_mqtt_option_t option, const char *text)
{
    char *copy = kit_strdup(m->board, text);
    if (copy == NULL)
        return STATE_SYS_DEPEND_MALLOC_FAILED;
    board_free(m->board, m->text[option]);
    m->text[option] = copy;
    return STATE_SUCCESS;
}

static int32_t set_number(struct aiot_mqtt *m, aiot_mqtt_option_t option, const void *data)
{
    uint32_t ms = 0;
    uint32_t *const place[AIOT_MQTTOPT_MAX] = {
        [AIOT_MQTTOPT_CONNECT_TIMEOUT_MS] = &m->connect_ms,
        [AIOT_MQTTOPT_HEARTBEAT_INTERVAL_MS] = &m->heartbeat_ms,
        [AIOT_MQTTOPT_RECONN_INTERVAL_MS] = &m->reconnect_ms,
        [AIOT_MQTTOPT_SEND_TIMEOUT_MS] = &m->send_ms,
        [AIOT_MQTTOPT_RECV_TIMEOUT_MS] = &m->receive_ms,
    };
    memcpy(&ms, data, sizeof(ms));
    if (ms == 0 || ms > INT32_MAX)
        return STATE_USER_INPUT_OUT_OF_RANGE;
    *place[option] = ms;
    return STATE_SUCCESS;
}

static int32_t append_map(struct aiot_mqtt *m, const aiot_mqtt_topic_map_t *map)
{
    if (map->topic == NULL || map->handler == NULL)
        return STATE_USER_INPUT_NULL_POINTER;
    for (size_t i = 0; i < AIOT_MQTT_TOPIC_MAPS_MAX; i++) {
        struct topic_map *t = &m->maps[i];
        if (t->topic != NULL)
            continue;
        t->topic = kit_strdup(m->board, map->topic);
        t->handler = map->handler;
        t->userdata = map->userdata;
        return t->topic != NULL ? STATE_SUCCESS : STATE_SYS_DEPEND_MALLOC_FAILED;
    }
    return STATE_USER_INPUT_OUT_OF_RANGE;
}

static int32_t remove_map(struct aiot_mqtt *m, const aiot_mqtt_topic_map_t *map)
{
    for (size_t i = 0; i < AIOT_MQTT_TOPIC_MAPS_MAX && map->topic != NULL; i++) {
        struct topic_map *t = &m->maps[i];
        if (t->topic == NULL || t->handler != map->handler || t->userdata != map->userdata ||
            strcmp(t->topic, map->topic) != 0)
            continue;
        board_free(m->board, t->topic);
        t->topic = NULL;
    }
    return STATE_SUCCESS;
}

int32_t aiot_mqtt_setopt(void *handle, aiot_mqtt_option_t option, void *data)
{
    struct aiot_mqtt *m = handle;
    if (m == NULL || (data == NULL && option != AIOT_MQTTOPT_USERDATA))
        return aiot_state(STATE_USER_INPUT_NULL_POINTER);
    int32_t rc = STATE_SUCCESS;
    switch (option) {
    case AIOT_MQTTOPT_HOST:
    case AIOT_MQTTOPT_PRODUCT_KEY:
    case AIOT_MQTTOPT_DEVICE_NAME:
    case AIOT_MQTTOPT_DEVICE_SECRET:
    case AIOT_MQTTOPT_EXTEND_CLIENTID:
    case AIOT_MQTTOPT_NETWORK_CRED:
        rc = set_text(m, option, data);
        break;
    case AIOT_MQTTOPT_PORT:
        memcpy(&m->port, data, sizeof(m->port));
        break;
    case AIOT_MQTTOPT_KEEPALIVE_SEC:
        memcpy(&m->keep_alive_s, data, sizeof(m->keep_alive_s));
        break;
    case AIOT_MQTTOPT_RECONN_ENABLED:
        m->reconnect = *(const uint8_t *)data;
        rc = m->reconnect <= 1 ? STATE_SUCCESS : STATE_USER_INPUT_OUT_OF_RANGE;
        break;
    case AIOT_MQTTOPT_CONNECT_TIMEOUT_MS:
    case AIOT_MQTTOPT_HEARTBEAT_INTERVAL_MS:
    case AIOT_MQTTOPT_RECONN_INTERVAL_MS:
    case AIOT_MQTTOPT_SEND_TIMEOUT_MS:
    case AIOT_MQTTOPT_RECV_TIMEOUT_MS:
        rc = set_number(m, option, data);
        break;
    case AIOT_MQTTOPT_APPEND_TOPIC_MAP:
        rc = append_map(m, data);
        break;
    case AIOT_MQTTOPT_REMOVE_TOPIC_MAP:
        rc = remove_map(m, data);
        break;
    case AIOT_MQTTOPT_RECV_HANDLER:
        memcpy(&m->on_message, &data, sizeof(data));
        break;
    case AIOT_MQTTOPT_EVENT_HANDLER:
        memcpy(&m->on_event, &data, sizeof(data));
        break;
    case AIOT_MQTTOPT_USERDATA:
        m->userdata = data;
        break;
    default:
        rc = STATE_USER_INPUT_UNKNOWN_OPTION;
    }
    return rc == STATE_SUCCESS ? rc : aiot_state(rc);
}

/* ---- connection ---- */

static int32_t session_state(const struct kit_session *s, int rc)
{
    static const int32_t codes[] = {STATE_SYS_DEPEND_NWK_CLOSED,
                                    STATE_MQTT_CONNACK_RCODE_UNACCEPTABLE_PROTOCOL,
                                    STATE_MQTT_CONNACK_RCODE_IDENTIFIER_REJECTED,
                                    STATE_MQTT_CONNACK_RCODE_SERVER_UNAVAILABLE,
                                    STATE_MQTT_CONNACK_RCODE_BAD_USERNAME_PASSWORD,
                                    STATE_MQTT_CONNACK_RCODE_NOT_AUTHORIZED};
    switch (rc) {
    case KIT_SESSION_OK:
        return STATE_SUCCESS;
    case KIT_SESSION_REFUSED:
        return codes[s->connack < sizeof(codes) / sizeof(codes[0]) ? s->connack : 0];
    case KIT_SESSION_ARG:
        return STATE_USER_INPUT_OUT_OF_RANGE;
    default:
        return STATE_SYS_DEPEND_NWK_CLOSED;
    }
}

/* A code for what is missing, or STATE_SUCCESS and a session that knows where to go. */
static int32_t prepare(struct aiot_mqtt *m)
{
    static const struct {
        aiot_mqtt_option_t option;
        int32_t code;
    } needed[] = {{AIOT_MQTTOPT_HOST, STATE_USER_INPUT_MISSING_HOST},
                  {AIOT_MQTTOPT_PRODUCT_KEY, STATE_USER_INPUT_MISSING_PRODUCT_KEY},
                  {AIOT_MQTTOPT_DEVICE_NAME, STATE_USER_INPUT_MISSING_DEVICE_NAME},
                  {AIOT_MQTTOPT_DEVICE_SECRET, STATE_USER_INPUT_MISSING_DEVICE_SECRET}};
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (m->text[needed[i].option] == NULL)
            return needed[i].code;
    /* The board's client pings as often as CONNECT says, the SDK more often: the shorter counts. */
    uint32_t beat_s = (m->heartbeat_ms + 999) / 1000;
    bool storm = m->kit->quirks.storming_reconnect;
    const struct kit_session_config c = {
        .generation = KIT_4X,
        .identity = {m->text[AIOT_MQTTOPT_PRODUCT_KEY], m->text[AIOT_MQTTOPT_DEVICE_NAME],
                     m->text[AIOT_MQTTOPT_DEVICE_SECRET]},
        .host = m->text[AIOT_MQTTOPT_HOST],
        .port = m->port,
        .ca_pem = m->text[AIOT_MQTTOPT_NETWORK_CRED],
        .extra = m->text[AIOT_MQTTOPT_EXTEND_CLIENTID],
        .keep_alive_s = beat_s < m->keep_alive_s ? (uint16_t)beat_s : m->keep_alive_s,
        .connect_timeout_ns = m->connect_ms * NS_PER_MS,
        .send_timeout_ns = m->send_ms * NS_PER_MS,
        .back_off_min_ns = storm ? 1 : m->reconnect_ms * NS_PER_MS,
        .back_off_max_ns = storm ? 1 : RECONNECT_MAX_MS * NS_PER_MS,
        .reconnect = m->reconnect == 1,
    };
    if (!m->ready)
        kit_session_init(&m->session, m->board, &c);
    m->ready = true;
    return STATE_SUCCESS;
}

/* Tells the application when the session came or went since the last look. */
static void tell_events(struct aiot_mqtt *m)
{
    aiot_mqtt_event_t event = {AIOT_MQTTEVT_DISCONNECT};
    if (m->told_up && (m->session.client < 0 || m->session.connects != m->connects)) {
        m->told_up = false;
        if (m->on_event != NULL)
            m->on_event(m, &event, m->userdata);
    }
    if (m->told_up || m->session.client < 0)
        return;
    event.type = m->connects == 0 ? AIOT_MQTTEVT_CONNECT : AIOT_MQTTEVT_RECONNECT;
    m->connects = m->session.connects;
    m->told_up = true;
    if (m->on_event != NULL)
        m->on_event(m, &event, m->userdata);
}

int32_t aiot_mqtt_connect(void *handle)
{
    struct aiot_mqtt *m = handle;
    if (m == NULL)
        return aiot_state(STATE_USER_INPUT_NULL_POINTER);
    int32_t rc = prepare(m);
    if (rc == STATE_SUCCESS)
        rc = session_state(&m->session, kit_session_connect(&m->session));
    if (rc != STATE_SUCCESS)
        return aiot_state(rc);
    tell_events(m);
    return STATE_SUCCESS;
}

int32_t aiot_mqtt_disconnect(void *handle)
{
    struct aiot_mqtt *m = handle;
    if (m == NULL)
        return aiot_state(STATE_USER_INPUT_NULL_POINTER);
    if (m->ready)
        kit_session_close(&m->session);
    return STATE_SUCCESS;
}

int32_t aiot_mqtt_process(void *handle)
{
    struct aiot_mqtt *m = handle;
    if (m == NULL)
        return aiot_state(STATE_USER_INPUT_NULL_POINTER);
    return m->ends ? aiot_state(STATE_USER_INPUT_EXEC_DISABLED) : STATE_SUCCESS;
}

/* ---- messages ---- */

/* MQTT 3.1.1 §4.7: level by level. */
static bool matches(const char *filter, const char *topic)
{
    for (;;) {
        if (filter[0] == '#')
            return true;
        size_t f = strcspn(filter, "/"), t = strcspn(topic, "/");
        bool any = f == 1 && filter[0] == '+';
        if (!any && (f != t || memcmp(filter, topic, f) != 0))
            return false;
        filter += f;
        topic += t;
        if (*filter == '\0' || *topic == '\0')
            return *filter == *topic || (*topic == '\0' && strcmp(filter, "/#") == 0);
        filter++;
        topic++;
    }
}

static void dispatch(struct aiot_mqtt *m, struct board_mqtt_message *msg)
{
    aiot_mqtt_recv_t packet = {.type = AIOT_MQTTRECV_PUB};
    bool taken = false;
    packet.data.pub.qos = msg->qos;
    packet.data.pub.topic = msg->topic;
    packet.data.pub.topic_len = (uint16_t)strlen(msg->topic);
    packet.data.pub.payload = msg->payload;
    packet.data.pub.payload_len = (uint32_t)msg->payload_bytes;
    for (size_t i = 0; i < AIOT_MQTT_TOPIC_MAPS_MAX; i++) {
        const struct topic_map t = m->maps[i];
        if (t.topic == NULL || !matches(t.topic, msg->topic))
            continue;
        taken = true;
        t.handler(m, &packet, t.userdata);
    }
    if (!taken && m->on_message != NULL)
        m->on_message(m, &packet, m->userdata);
}

int32_t aiot_mqtt_recv(void *handle)
{
    struct aiot_mqtt *m = handle;
    struct board_mqtt_message msg;
    if (m == NULL)
        return aiot_state(STATE_USER_INPUT_NULL_POINTER);
    if (m->ends)
        return aiot_state(STATE_USER_INPUT_EXEC_DISABLED);
    int32_t missing = prepare(m);
    if (missing != STATE_SUCCESS)
        return aiot_state(missing);
    int rc = kit_session_receive(&m->session, &msg, m->receive_ms * NS_PER_MS);
    tell_events(m);
    if (rc == KIT_SESSION_DOWN) {
        if (!m->told_down)
            (void)aiot_state(STATE_SYS_DEPEND_NWK_CLOSED);
        m->told_down = true;
        return STATE_SYS_DEPEND_NWK_CLOSED;
    }
    m->told_down = false;
    if (rc != KIT_SESSION_OK)
        return STATE_SUCCESS;
    dispatch(m, &msg);
    board_free(m->board, msg.payload);
    return STATE_SUCCESS;
}

int32_t aiot_mqtt_pub(void *handle, char *topic, uint8_t *payload, uint32_t payload_len,
                      uint8_t qos)
{
    struct aiot_mqtt *m = handle;
    if (m == NULL || topic == NULL || (payload == NULL && payload_len > 0))
        return aiot_state(STATE_USER_INPUT_NULL_POINTER);
    if (qos > 1 || strlen(topic) >= KIT_TOPIC_MAX || payload_len > BOARD_MQTT_BYTES_MAX)
        return aiot_state(STATE_USER_INPUT_OUT_OF_RANGE);
    int rc = m->ready ? kit_session_publish(&m->session, topic, payload, payload_len, qos)
                      : KIT_SESSION_DOWN;
    return rc == KIT_SESSION_OK ? STATE_SUCCESS : aiot_state(STATE_SYS_DEPEND_NWK_CLOSED);
}

int32_t aiot_mqtt_sub(void *handle, char *topic, aiot_mqtt_recv_handler_t handler, uint8_t qos,
                      void *userdata)
{
    struct aiot_mqtt *m = handle;
    if (m == NULL || topic == NULL)
        return aiot_state(STATE_USER_INPUT_NULL_POINTER);
    if (qos > 1)
        return aiot_state(STATE_USER_INPUT_OUT_OF_RANGE);
    aiot_mqtt_topic_map_t map = {topic, handler, userdata};
    if (handler != NULL) {
        int32_t rc = aiot_mqtt_setopt(m, AIOT_MQTTOPT_APPEND_TOPIC_MAP, &map);
        if (rc != STATE_SUCCESS)
            return rc;
    }
    int32_t rc = prepare(m);
    if (rc == STATE_SUCCESS)
        rc = session_state(&m->session, kit_session_subscribe(&m->session, topic, qos));
    return rc == STATE_SUCCESS ? rc : aiot_state(rc);
}

int32_t aiot_mqtt_unsub(void *handle, char *topic)
{
    struct aiot_mqtt *m = handle;
    if (m == NULL || topic == NULL)
        return aiot_state(STATE_USER_INPUT_NULL_POINTER);
    for (size_t i = 0; i < AIOT_MQTT_TOPIC_MAPS_MAX; i++) {
        struct topic_map *t = &m->maps[i];
        if (t->topic == NULL || strcmp(t->topic, topic) != 0)
            continue;
        board_free(m->board, t->topic);
        t->topic = NULL;
    }
    int rc = m->ready ? kit_session_unsubscribe(&m->session, topic) : KIT_SESSION_OK;
    return rc == KIT_SESSION_OK ? STATE_SUCCESS : aiot_state(session_state(&m->session, rc));
}

int32_t aiot_mqtt_deinit(void **handle)
{
    if (handle == NULL || *handle == NULL)
        return aiot_state(STATE_USER_INPUT_NULL_POINTER);
    struct aiot_mqtt *m = *handle;
    m->ends = true;
    if (m->ready)
        kit_session_close(&m->session);
    for (size_t i = 0; i < AIOT_MQTT_TOPIC_MAPS_MAX; i++)
        board_free(m->board, m->maps[i].topic);
    for (size_t i = 0; i < AIOT_MQTTOPT_MAX; i++)
        board_free(m->board, m->text[i]);
    board_free(m->board, m);
    *handle = NULL;
    return STATE_SUCCESS;
}

bool aiot_mqtt_is_up(const void *handle)
{
    const struct aiot_mqtt *m = handle;
    return m != NULL && m->ready && kit_session_is_up(&m->session);
}

uint32_t aiot_mqtt_next_id(void *handle)
{
    return ++((struct aiot_mqtt *)handle)->last_id;
}

const char *aiot_mqtt_product_key(const void *handle)
{
    return ((const struct aiot_mqtt *)handle)->text[AIOT_MQTTOPT_PRODUCT_KEY];
}

const char *aiot_mqtt_device_name(const void *handle)
{
    return ((const struct aiot_mqtt *)handle)->text[AIOT_MQTTOPT_DEVICE_NAME];
}
