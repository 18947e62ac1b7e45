/*
 * The four MQTT functions over the board's client: one instance, kept up by a task of its own that
 * also hands out what arrives.
 */
#include <string.h>

#include "sim_device/agent/link_kit/credentials.h"
#include "sim_device/port/alios/alios_port.h"

/* In receive time-outs of the device: a login takes several round trips. */
#define OPEN_TIMES      4
#define ACK_TIMES       2
#define RECEIVE_NS      (60 * NS_PER_S)
#define PAUSE_FIRST_NS  NS_PER_S
#define PAUSE_MAX_NS    (60 * NS_PER_S)
#define TASK_PRIORITY   (BOARD_MAIN_PRIORITY - 2)
#define TASK_STACK      16384
#define MESSAGE_MAX     BOARD_MQTT_BYTES_MAX
#define NO_CLIENT       (-1)
#define CONNACK_REFUSED 4 /* and above: bad user name or password, not authorised */

typedef void subscriber(char *topic, int topic_len, void *payload, int payload_len, void *ctx);

struct subscription {
    char topic[BOARD_MQTT_TOPIC_MAX];
    subscriber *cb;
    void *ctx;
};

struct alios_mqtt {
    struct alios *a;
    struct kit_login login;
    int client;
    size_t max_bytes;
    struct subscription subs[ALIOS_SUBSCRIPTIONS_MAX];
    uint32_t n_subs;
    struct board_task *task;
    bool stop; /* also the channel of its pauses and of its end */
    bool ended;
    bool orphan; /* the task frees this */
};

static void tell(struct board *b, const char *what, int64_t code)
{
    BOARD_EVENT(b, LANE_DEVICE, "mqtt", F_STR("what", what), F_INT("code", code));
}

static int64_t patience_ns(const struct alios *a, int64_t times)
{
    return times * (int64_t)a->config->try_time_ms * NS_PER_MS;
}

static int open_client(struct alios_mqtt *m)
{
    struct board *b = m->a->board;
    const struct device_config *c = m->a->config;
    uint8_t connack = 0;
    bool present = false;
    const struct board_mqtt_config cfg = {.host = c->mqtt_host,
                                          .port = c->mqtt_port,
                                          .ca_pem = c->tls ? c->ca_pem : NULL,
                                          .client_id = m->login.client_id,
                                          .user_name = m->login.user_name,
                                          .password = m->login.password,
                                          .keep_alive_s = m->login.keep_alive_s,
                                          .clean_session = m->login.clean_session};
    m->client = b->mqtt->open(b, &cfg, patience_ns(m->a, OPEN_TIMES), &connack, &present);
    if (m->client < 0) {
        m->client = NO_CLIENT;
        tell(b, connack != 0 ? "refused" : "down", connack);
        return connack >= CONNACK_REFUSED ? ERR_WRONG_STATE : ERR_IO;
    }
    tell(b, "up", 0);
    return 0;
}

static void close_client(struct alios_mqtt *m)
{
    struct board *b = m->a->board;
    int client = m->client;
    m->client = NO_CLIENT;
    if (client != NO_CLIENT)
        b->mqtt->close(b, client);
}

static bool subscribe_again(struct alios_mqtt *m)
{
    struct board *b = m->a->board;
    for (uint32_t i = 0; i < m->n_subs && m->client != NO_CLIENT; i++)
        if (b->mqtt->subscribe(b, m->client, m->subs[i].topic, 0, patience_ns(m->a, ACK_TIMES)) !=
            BOARD_OK)
            return false;
    return m->client != NO_CLIENT;
}

/* Pauses, twice as long each time, until the connection is back or the instance ends. */
static void reconnect(struct alios_mqtt *m)
{
    struct board *b = m->a->board;
    int64_t pause_ns = PAUSE_FIRST_NS;
    while (!m->stop) {
        int64_t half = pause_ns / 2;
        int64_t drawn = (int64_t)rng_below(&b->rng, (uint64_t)half);
        (void)b->ops->wait(b, &m->stop, half + drawn);
        if (m->stop)
            return;
        if (open_client(m) == 0 && subscribe_again(m))
            return;
        close_client(m);
        pause_ns = pause_ns < PAUSE_MAX_NS / 2 ? 2 * pause_ns : PAUSE_MAX_NS;
    }
}

static void hand_out(struct alios_mqtt *m, struct board_mqtt_message *msg)
{
    if (msg->payload_bytes > m->max_bytes && !m->a->config->quirks.any_length) {
        static const char text[] = "mqtt: a message is too long and dropped";
        board_log(m->a->board, text, sizeof text - 1);
        return;
    }
    for (uint32_t i = 0; i < m->n_subs && !m->stop; i++)
        if (strcmp(m->subs[i].topic, msg->topic) == 0)
            m->subs[i].cb(msg->topic, (int)strlen(msg->topic), msg->payload,
                          (int)msg->payload_bytes, m->subs[i].ctx);
}

static void task_main(void *arg)
{
    struct alios_mqtt *m = arg;
    struct board *b = m->a->board;
    struct board_mqtt_message msg;
    while (!m->stop) {
        if (m->client == NO_CLIENT) {
            reconnect(m);
            continue;
        }
        int rc = b->mqtt->receive(b, m->client, &msg, RECEIVE_NS);
        if (m->stop && rc != BOARD_OK)
            break;
        if (rc == BOARD_OK) {
            hand_out(m, &msg);
            board_free(b, msg.payload);
        } else if (rc == BOARD_ERROR) {
            tell(b, "down", 0);
            close_client(m);
        }
    }
    close_client(m);
    m->ended = true;
    if (m->orphan)
        board_free(b, m);
    else
        b->ops->wake(b, &m->ended, 1);
}

int ota_hal_mqtt_init_instance(char *productKey, char *deviceName, char *deviceSecret,
                               int maxMsgSize)
{
    struct alios *a = alios_self();
    if (a == NULL || a->mqtt != NULL || a->board->mqtt == NULL || maxMsgSize <= 0)
        return -1;
    const struct kit_identity id = {productKey, deviceName, deviceSecret};
    struct alios_mqtt *m = ota_calloc(1, sizeof *m);
    if (m == NULL)
        return -1;
    m->a = a;
    m->client = NO_CLIENT;
    m->max_bytes = (size_t)maxMsgSize < MESSAGE_MAX ? (size_t)maxMsgSize : MESSAGE_MAX;
    int rc = kit_login(&m->login, KIT_3X, &id, a->config->tls, a->config->keep_alive_s, 0, 0, NULL,
                       NULL);
    a->mqtt = m; /* a second call meanwhile is refused */
    if (rc == 0)
        rc = open_client(m);
    if (rc == 0) {
        struct board *b = a->board;
        m->task = b->ops->task_new(b, "mqtt", task_main, m, TASK_STACK, TASK_PRIORITY);
        rc = m->task != NULL && b->ops->task_start(b, m->task) == 0 ? 0 : ERR_NOMEM;
    }
    if (rc != 0) {
        a->mqtt = NULL;
        close_client(m);
        ota_free(m);
        return -1;
    }
    return 0;
}

int ota_hal_mqtt_deinit_instance(void)
{
    struct alios *a = alios_self();
    if (a == NULL || a->mqtt == NULL)
        return -1;
    struct board *b = a->board;
    struct alios_mqtt *m = a->mqtt;
    a->mqtt = NULL;
    m->stop = true;
    if (b->ops->task_self(b) == m->task) {
        m->orphan = true; /* called by a subscriber */
        return 0;
    }
    b->ops->wake(b, &m->stop, 1);
    close_client(m); /* ends its receive */
    while (!m->ended)
        (void)b->ops->wait(b, &m->ended, BOARD_FOREVER);
    ota_free(m);
    return 0;
}

int ota_hal_mqtt_publish(char *topic, int qos, void *data, int len)
{
    struct alios *a = alios_self();
    if (a == NULL || a->mqtt == NULL || topic == NULL || qos < 0 || qos > 1 || len < 0 ||
        (data == NULL && len > 0) || a->mqtt->client == NO_CLIENT)
        return -1;
    struct board *b = a->board;
    int rc = b->mqtt->publish(b, a->mqtt->client, topic, data, (size_t)len, (uint8_t)qos,
                              patience_ns(a, ACK_TIMES));
    return rc == BOARD_OK ? 0 : -1;
}

int ota_hal_mqtt_subscribe(char *topic, subscriber *cb, void *ctx)
{
    struct alios *a = alios_self();
    if (a == NULL || a->mqtt == NULL || topic == NULL || cb == NULL)
        return -1;
    struct alios_mqtt *m = a->mqtt;
    size_t len = strnlen(topic, BOARD_MQTT_TOPIC_MAX);
    if (m->n_subs == ALIOS_SUBSCRIPTIONS_MAX || len == 0 || len == BOARD_MQTT_TOPIC_MAX ||
        m->client == NO_CLIENT)
        return -1;
    struct subscription *s = &m->subs[m->n_subs];
    memcpy(s->topic, topic, len + 1);
    s->cb = cb;
    s->ctx = ctx;
    m->n_subs++; /* a message may come before the acknowledgement */
    struct board *b = a->board;
    if (b->mqtt->subscribe(b, m->client, topic, 0, patience_ns(a, ACK_TIMES)) == BOARD_OK)
        return 0;
    if (a->mqtt == m && m->n_subs > 0)
        m->n_subs--;
    return -1;
}
