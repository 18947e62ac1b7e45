/*
 * The MQTT client a board offers: MQTT 3.1.1 at message level. `sim`: packets of the simulated
 * world on a connection of the link, so that every network fault meets them. `posix`: libmosquitto
 * on the board's threads. What vendors' SDKs do on top (client id extensions, signatures, topics,
 * reconnecting) is the agents' business.
 *
 * A client is a small number, as sockets are. A task of the board reads its connection and keeps it
 * alive; every client costs one of BOARD_TASKS, and one of BOARD_SOCKETS. All calls come from a
 * task of the device; those with a time-out block it. Everything is dropped without a word at a
 * power cut or reset.
 */
#ifndef OTABENCH_SIM_DEVICE_BOARD_MQTT_H
#define OTABENCH_SIM_DEVICE_BOARD_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_MQTT_CLIENTS   2           /* at a time, per device */
#define BOARD_MQTT_TOPIC_MAX 256         /* with the final zero */
#define BOARD_MQTT_BYTES_MAX (16u << 10) /* of a payload; larger ones that come are dropped */
#define BOARD_MQTT_QUEUE_MAX 16 /* received and not yet taken; then the connection is not read */

struct board;

/* Texts live for the call of open. */
struct board_mqtt_config {
    const char *host; /* name or literal */
    uint16_t port;
    const char *ca_pem; /* null: plain TCP; else TLS 1.2, and only a server that this CA signed */
    const char *client_id;
    const char *user_name;
    const char *password;
    uint16_t keep_alive_s; /* a PINGREQ at least that often; lost when 1.5 times pass in silence */
    bool clean_session;
    const char *will_topic; /* null: none */
    const void *will_payload;
    size_t will_bytes;
};

struct board_mqtt_message {
    char topic[BOARD_MQTT_TOPIC_MAX];
    uint8_t *payload; /* on the board's heap; board_free it. Not zero-ended. */
    size_t payload_bytes;
    uint8_t qos;
    bool dup;
};

/* Results are those of board.h: BOARD_OK, BOARD_TIMEOUT, BOARD_ERROR. */
struct board_mqtt_ops {
    /* Connects and waits for CONNACK: a client number, BOARD_TIMEOUT, or BOARD_ERROR (no address,
     * refused, reset, bad certificate, CONNACK other than 0: then *connack is its code, else 0).
     * *session_present as CONNACK says. */
    int (*open)(struct board *b, const struct board_mqtt_config *c, int64_t timeout_ns,
                uint8_t *connack, bool *session_present);
    /* Sends; QoS 1 waits for PUBACK up to the time-out. BOARD_ERROR: the connection is gone. */
    int (*publish)(struct board *b, int client, const char *topic, const void *payload,
                   size_t len_bytes, uint8_t qos, int64_t timeout_ns);
    /* Waits for SUBACK or UNSUBACK. BOARD_ERROR also when the server refused the filter. */
    int (*subscribe)(struct board *b, int client, const char *filter, uint8_t qos,
                     int64_t timeout_ns);
    int (*unsubscribe)(struct board *b, int client, const char *filter, int64_t timeout_ns);
    /* The next message. QoS 1 was acknowledged when it was queued, as libmosquitto does; one for
     * which there was no memory was not. BOARD_ERROR: the connection is gone and nothing is left.
     */
    int (*receive)(struct board *b, int client, struct board_mqtt_message *out, int64_t timeout_ns);
    bool (*is_up)(struct board *b, int client);
    /* DISCONNECT if it is up; the number is free afterwards. */
    void (*close)(struct board *b, int client);
};

#endif
