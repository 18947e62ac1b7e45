/*
 * Inside the bus: shared by bus.c (connections, packets) and bus_session.c (what a session keeps
 * and is sent).
 */
#ifndef OTABENCH_MOCK_CLOUD_MQTT_BUS_INTERNAL_H
#define OTABENCH_MOCK_CLOUD_MQTT_BUS_INTERNAL_H

#include "common/mqtt_packet.h"
#include "common/vtime.h"
#include "mock_cloud/mqtt/bus.h"

struct session;

struct bus_conn {
    uint32_t number; /* 0: slot free */
    bool tls;
    struct session *session; /* null before CONNECT was accepted */
    int64_t heard_ns;
    struct buf rx; /* an unfinished packet */
};

/* A QoS 1 message not yet acknowledged. */
struct kept {
    char *topic;
    uint8_t *payload;
    size_t payload_bytes;
    uint16_t id; /* 0: not sent yet */
    bool dup;    /* sent on an earlier connection */
};

struct filter {
    char *text;
    uint8_t qos;
};

struct session {
    char client_id[MQTT_CLIENT_ID_MAX];
    char identity[MQTT_IDENTITY_MAX];
    struct bus_conn *conn; /* null: away */
    bool clean;
    uint16_t keep_alive_s;
    uint16_t last_id;
    struct filter filters[BUS_FILTERS_MAX];
    size_t n_filters;
    struct kept kept[BUS_QUEUE_MAX]; /* oldest first */
    size_t n_kept;
    char *will_topic; /* null: none */
    uint8_t *will;
    size_t will_bytes;
    uint8_t will_qos;
};

struct bus {
    struct bus_config cfg;
    bool down;
    struct bus_conn conns[BUS_CONNS];
    struct session *sessions[BUS_SESSIONS];
    struct buf tx;
};

void bus_conn_send(struct bus *b, int64_t now_ns, struct bus_conn *c, const struct mqtt_packet *p);

struct session *bus_session_find(struct bus *b, const char *client_id);
/* Of a device: the one that is connected, else any. */
struct session *bus_session_of(struct bus *b, const char *identity);
/* Null: no room or memory. */
struct session *bus_session_new(struct bus *b, const char *client_id, const char *identity);
void bus_session_free(struct bus *b, struct session *s);
void bus_session_drop_will(struct session *s);
/* 0, ERR_NOMEM. */
int bus_session_set_will(struct session *s, const struct mqtt_packet *connect, const char *topic);
/* One message by that QoS. 0, ERR_NOT_FOUND (QoS 0 and away), ERR_LIMIT, ERR_NOMEM. */
int bus_session_send(struct bus *b, int64_t now_ns, struct session *s, const struct mqtt_message *m,
                     uint8_t qos);
/* Sends what waits, as far as the window allows. */
void bus_session_pump(struct bus *b, int64_t now_ns, struct session *s);
/* Back on a new connection: everything under way is sent again. */
void bus_session_resume(struct bus *b, int64_t now_ns, struct session *s);
void bus_session_acked(struct bus *b, int64_t now_ns, struct session *s, uint16_t id);
/* A message for it that waits. sent: it was under way once. Copies both. ERR_LIMIT, ERR_NOMEM. */
int bus_session_keep(struct session *s, const char *topic, const void *payload,
                     size_t payload_bytes, bool sent);
/* Granted QoS, or MQTT_SUBACK_FAILURE: no room. */
uint8_t bus_session_subscribe(struct session *s, const char *filter, uint8_t qos);
void bus_session_unsubscribe(struct session *s, const char *filter);
/* To everyone who subscribed. */
void bus_route(struct bus *b, int64_t now_ns, const struct mqtt_message *m);

#endif
