#include <stdlib.h>
#include <string.h>

#include "mock_cloud/mqtt/bus_internal.h"

static struct bus_conn *conn_at(struct bus *b, uint32_t number)
{
    for (size_t i = 0; i < BUS_CONNS; i++)
        if (number != 0 && b->conns[i].number == number)
            return &b->conns[i];
    return NULL;
}

void bus_conn_send(struct bus *b, int64_t now_ns, struct bus_conn *c, const struct mqtt_packet *p)
{
    buf_clear(&b->tx);
    if (mqtt_encode(p, &b->tx) == 0)
        b->cfg.send(b->cfg.ctx, now_ns, c->number, b->tx.data, b->tx.len_bytes);
}

static void publish_will(struct bus *b, int64_t now_ns, struct session *s)
{
    const struct mqtt_message m = {.topic = s->will_topic,
                                   .payload = s->will,
                                   .payload_bytes = s->will_bytes,
                                   .qos = s->will_qos};
    if (!cloud_mqtt_topic(b->cfg.cloud, s->identity, m.topic, MQTT_PUBLISH)) {
        cloud_mqtt_denied(b->cfg.cloud, now_ns, s->identity, m.topic, MQTT_PUBLISH);
        return;
    }
    bus_route(b, now_ns, &m);
    cloud_mqtt_message(b->cfg.cloud, now_ns, s->identity, &m);
}

enum ending {
    END_BY_CLIENT, /* DISCONNECT: no will */
    END_BROKEN,
    END_STOPPED /* the broker itself died: no will */
};

/* The connection is over. Its session goes with it, or waits. */
static void conn_end(struct bus *b, int64_t now_ns, struct bus_conn *c, enum ending why,
                     bool tell_client)
{
    struct session *s = c->session;
    uint32_t number = c->number;
    buf_free(&c->rx);
    *c = (struct bus_conn){.number = 0};
    if (tell_client)
        b->cfg.close(b->cfg.ctx, now_ns, number);
    if (s == NULL)
        return;
    s->conn = NULL;
    cloud_mqtt_offline(b->cfg.cloud, now_ns, s->identity);
    if (why == END_BROKEN && s->will_topic != NULL)
        publish_will(b, now_ns, s);
    bus_session_drop_will(s);
    if (s->clean)
        bus_session_free(b, s);
}

/* ---- packets ---- */

/* A CONNECT as the cloud wants it; false when a text cannot be one. */
static bool read_login(const struct mqtt_packet *p, struct mqtt_login *login, char *client_id,
                       char *user_name, char *password)
{
    if (!mqtt_text_copy(client_id, MQTT_CLIENT_ID_MAX, p->client_id) ||
        !mqtt_text_copy(user_name, MQTT_CLIENT_ID_MAX, p->user_name) ||
        !mqtt_text_copy(password, MQTT_CLIENT_ID_MAX, p->password))
        return false;
    login->client_id = client_id;
    login->user_name = p->user_name.data == NULL ? NULL : user_name;
    login->password = p->password.data == NULL ? NULL : password;
    login->clean_session = p->clean;
    login->keep_alive_s = p->keep_alive_s;
    return true;
}

/* A raw id that another device holds would give its messages away. */
static bool is_taken(struct bus *b, const char *client_id, const char *identity)
{
    const struct session *s = bus_session_find(b, client_id);
    return s != NULL && strcmp(s->identity, identity) != 0;
}

/* The session for an accepted login; a clean one starts empty. *present: it was there. */
static struct session *session_for(struct bus *b, const char *client_id, const char *identity,
                                   bool clean, bool *present)
{
    struct session *s = bus_session_find(b, client_id);
    if (s != NULL && clean) {
        bus_session_free(b, s);
        s = NULL;
    }
    *present = s != NULL;
    return s != NULL ? s : bus_session_new(b, client_id, identity);
}

/* Others that must give way: the same raw client id, or the same device under another id. */
static void take_over(struct bus *b, int64_t now_ns, const char *client_id, const char *identity)
{
    for (size_t i = 0; i < BUS_SESSIONS; i++) {
        struct session *s = b->sessions[i];
        if (s == NULL)
            continue;
        bool same_id = strcmp(s->client_id, client_id) == 0;
        if (!same_id && strcmp(s->identity, identity) != 0)
            continue;
        if (s->conn != NULL)
            conn_end(b, now_ns, s->conn, END_BROKEN, true);
        if (!same_id && b->sessions[i] == s) /* nobody will ever ask for it again */
            bus_session_free(b, s);
    }
}

/* True when the connection lives on. */
static bool on_connect(struct bus *b, int64_t now_ns, struct bus_conn *c,
                       const struct mqtt_packet *p)
{
    char client_id[MQTT_CLIENT_ID_MAX], user_name[MQTT_CLIENT_ID_MAX], password[MQTT_CLIENT_ID_MAX];
    char identity[MQTT_IDENTITY_MAX] = "", will[MQTT_TOPIC_MAX] = "";
    struct mqtt_login login = {.tls = c->tls};
    struct mqtt_packet ack = {.type = PACKET_CONNACK, .code = MQTT_BAD_IDENTIFIER};
    bool good = read_login(p, &login, client_id, user_name, password) && client_id[0] != '\0' &&
                mqtt_text_copy(will, sizeof will, p->topic) &&
                (p->topic.data == NULL || mqtt_topic_valid(will));
    if (good)
        ack.code = (uint8_t)cloud_mqtt_login(b->cfg.cloud, now_ns, &login, identity);
    if (ack.code == MQTT_ACCEPTED && is_taken(b, client_id, identity))
        ack.code = MQTT_NOT_AUTHORIZED;
    if (ack.code == MQTT_ACCEPTED) {
        take_over(b, now_ns, client_id, identity);
        struct session *s = session_for(b, client_id, identity, p->clean, &ack.present);
        if (s == NULL || (p->topic.data != NULL && bus_session_set_will(s, p, will) != 0)) {
            ack.code = MQTT_UNAVAILABLE;
            ack.present = false;
        } else {
            s->clean = p->clean;
            s->keep_alive_s = p->keep_alive_s;
            s->conn = c;
            c->session = s;
        }
    }
    bus_conn_send(b, now_ns, c, &ack);
    if (c->session == NULL)
        return false;
    bus_session_resume(b, now_ns, c->session);
    cloud_mqtt_online(b->cfg.cloud, now_ns, identity);
    return true;
}

static bool on_publish(struct bus *b, int64_t now_ns, struct bus_conn *c,
                       const struct mqtt_packet *p)
{
    char topic[MQTT_TOPIC_MAX], identity[MQTT_IDENTITY_MAX];
    memcpy(identity, c->session->identity, sizeof identity);
    if (!mqtt_text_copy(topic, sizeof topic, p->topic) || !mqtt_topic_valid(topic))
        return false;
    bool fits = p->payload.len_bytes <= MQTT_PAYLOAD_MAX;
    bool allowed = fits && cloud_mqtt_topic(b->cfg.cloud, identity, topic, MQTT_PUBLISH);
    if (fits && !allowed)
        cloud_mqtt_denied(b->cfg.cloud, now_ns, identity, topic, MQTT_PUBLISH);
    const struct mqtt_message m = {.topic = topic,
                                   .payload = (const uint8_t *)p->payload.data,
                                   .payload_bytes = p->payload.len_bytes,
                                   .qos = p->qos,
                                   .dup = p->dup};
    if (p->qos > 0)
        bus_conn_send(b, now_ns, c, &(struct mqtt_packet){.type = PACKET_PUBACK, .id = p->id});
    if (!allowed)
        return true;
    bus_route(b, now_ns, &m);
    cloud_mqtt_message(b->cfg.cloud, now_ns, identity, &m);
    return true;
}

static bool on_subscribe(struct bus *b, int64_t now_ns, struct bus_conn *c,
                         const struct mqtt_packet *p)
{
    char filter[MQTT_TOPIC_MAX], identity[MQTT_IDENTITY_MAX];
    memcpy(identity, c->session->identity, sizeof identity);
    if (!mqtt_text_copy(filter, sizeof filter, p->topic) || !mqtt_filter_valid(filter))
        return false;
    struct mqtt_packet ack = {.type = PACKET_SUBACK, .id = p->id, .code = MQTT_SUBACK_FAILURE};
    if (cloud_mqtt_topic(b->cfg.cloud, identity, filter, MQTT_SUBSCRIBE))
        ack.code = bus_session_subscribe(c->session, filter, p->qos);
    else
        cloud_mqtt_denied(b->cfg.cloud, now_ns, identity, filter, MQTT_SUBSCRIBE);
    bus_conn_send(b, now_ns, c, &ack);
    if (ack.code != MQTT_SUBACK_FAILURE)
        cloud_mqtt_subscribed(b->cfg.cloud, now_ns, identity, filter);
    return true;
}

static bool on_unsubscribe(struct bus *b, int64_t now_ns, struct bus_conn *c,
                           const struct mqtt_packet *p)
{
    char filter[MQTT_TOPIC_MAX];
    if (!mqtt_text_copy(filter, sizeof filter, p->topic))
        return false;
    bus_session_unsubscribe(c->session, filter);
    bus_conn_send(b, now_ns, c, &(struct mqtt_packet){.type = PACKET_UNSUBACK, .id = p->id});
    return true;
}

/* True when the connection lives on; why says how it ended otherwise. */
static bool on_packet(struct bus *b, int64_t now_ns, struct bus_conn *c,
                      const struct mqtt_packet *p, enum ending *why)
{
    *why = END_BROKEN;
    if ((c->session == NULL) != (p->type == PACKET_CONNECT))
        return false; /* it comes first, and once */
    switch (p->type) {
    case PACKET_CONNECT:
        return on_connect(b, now_ns, c, p);
    case PACKET_PUBLISH:
        return on_publish(b, now_ns, c, p);
    case PACKET_PUBACK:
        bus_session_acked(b, now_ns, c->session, p->id);
        return true;
    case PACKET_SUBSCRIBE:
        return on_subscribe(b, now_ns, c, p);
    case PACKET_UNSUBSCRIBE:
        return on_unsubscribe(b, now_ns, c, p);
    case PACKET_PINGREQ:
        bus_conn_send(b, now_ns, c, &(struct mqtt_packet){.type = PACKET_PINGRESP});
        return true;
    case PACKET_DISCONNECT:
        *why = END_BY_CLIENT;
        return false;
    case PACKET_CONNACK:
    case PACKET_SUBACK:
    case PACKET_UNSUBACK:
    case PACKET_PINGRESP:
        break;
    }
    return false;
}

int bus_open(struct bus *b, int64_t now_ns, uint32_t conn, bool tls)
{
    if (b->down || conn == 0 || conn_at(b, conn) != NULL)
        return ERR_WRONG_STATE;
    for (size_t i = 0; i < BUS_CONNS; i++) {
        struct bus_conn *c = &b->conns[i];
        if (c->number != 0)
            continue;
        *c = (struct bus_conn){.number = conn, .tls = tls, .heard_ns = now_ns};
        buf_init(&c->rx, MQTT_PACKET_BYTES_MAX);
        return 0;
    }
    return ERR_LIMIT;
}

void bus_data(struct bus *b, int64_t now_ns, uint32_t conn, const void *data, size_t len_bytes)
{
    struct bus_conn *c = conn_at(b, conn);
    if (c == NULL || len_bytes == 0)
        return;
    c->heard_ns = now_ns;
    if (buf_append(&c->rx, data, len_bytes) != 0) {
        conn_end(b, now_ns, c, END_BROKEN, true);
        return;
    }
    for (;;) {
        struct mqtt_packet p;
        int64_t n = mqtt_decode(c->rx.data, c->rx.len_bytes, MQTT_PACKET_BYTES_MAX, &p);
        if (n == 0)
            return;
        enum ending why = END_BROKEN;
        bool lives = n > 0 && on_packet(b, now_ns, c, &p, &why);
        if (!lives) {
            conn_end(b, now_ns, c, why, true);
            return;
        }
        buf_consume(&c->rx, (size_t)n);
    }
}

void bus_gone(struct bus *b, int64_t now_ns, uint32_t conn)
{
    struct bus_conn *c = conn_at(b, conn);
    if (c != NULL)
        conn_end(b, now_ns, c, END_BROKEN, false);
}

static int64_t deadline_of(const struct bus_conn *c)
{
    if (c->session == NULL)
        return vtime_after(c->heard_ns, BUS_CONNECT_WAIT_NS);
    if (c->session->keep_alive_s == 0)
        return VTIME_NEVER;
    return vtime_after(c->heard_ns, c->session->keep_alive_s * (NS_PER_S * 3 / 2));
}

int64_t bus_tick(struct bus *b, int64_t now_ns)
{
    int64_t next_ns = VTIME_NEVER;
    for (size_t i = 0; i < BUS_CONNS; i++) {
        struct bus_conn *c = &b->conns[i];
        if (c->number == 0)
            continue;
        if (deadline_of(c) <= now_ns)
            conn_end(b, now_ns, c, END_BROKEN, true);
        else
            next_ns = vtime_min(next_ns, deadline_of(c));
    }
    return next_ns;
}

/* ---- the cloud's messages ---- */

static int deliver(void *ctx, int64_t now_ns, const char *identity, const struct mqtt_message *m)
{
    struct bus *b = ctx;
    struct session *s = bus_session_of(b, identity);
    if (s == NULL || m->payload_bytes > MQTT_PAYLOAD_MAX || strlen(m->topic) >= MQTT_TOPIC_MAX)
        return ERR_NOT_FOUND;
    return bus_session_send(b, now_ns, s, m, m->qos > 0 ? 1 : 0);
}

static void end_connection(void *ctx, int64_t now_ns, const char *identity)
{
    struct bus *b = ctx;
    const struct session *s = bus_session_of(b, identity);
    if (s != NULL && s->conn != NULL)
        conn_end(b, now_ns, s->conn, END_BROKEN, true);
}

struct bus *bus_new(const struct bus_config *cfg, struct err *err)
{
    struct bus *b = calloc(1, sizeof *b);
    if (b == NULL) {
        (void)err_set(err, ERR_NOMEM, "no memory for the message bus");
        return NULL;
    }
    b->cfg = *cfg;
    buf_init(&b->tx, MQTT_PACKET_BYTES_MAX);
    cloud_set_deliver(cfg->cloud, deliver, b);
    cloud_set_end_connection(cfg->cloud, end_connection, b);
    return b;
}

void bus_free(struct bus *b)
{
    if (b == NULL)
        return;
    cloud_set_deliver(b->cfg.cloud, NULL, NULL);
    cloud_set_end_connection(b->cfg.cloud, NULL, NULL);
    for (size_t i = 0; i < BUS_CONNS; i++)
        buf_free(&b->conns[i].rx);
    for (size_t i = 0; i < BUS_SESSIONS; i++)
        if (b->sessions[i] != NULL)
            bus_session_free(b, b->sessions[i]);
    buf_free(&b->tx);
    free(b);
}

void bus_stop(struct bus *b, int64_t now_ns, bool forget)
{
    b->down = true;
    for (size_t i = 0; i < BUS_CONNS; i++)
        if (b->conns[i].number != 0)
            conn_end(b, now_ns, &b->conns[i], END_STOPPED, true);
    for (size_t i = 0; i < BUS_SESSIONS && forget; i++)
        if (b->sessions[i] != NULL)
            bus_session_free(b, b->sessions[i]);
}

void bus_start(struct bus *b)
{
    b->down = false;
}
