/*
 * MQTT as the cloud core sees it: logins, topic rules and messages, no packets and no sockets. The
 * simulated bus (mqtt/bus.h) and the Mosquitto edge (broker/broker.h) call the same code with it.
 *
 * A device is known by its identity, which is its user name: raw client ids change from connection
 * to connection (aliyun note §2.1, §2.5). Messages for a device need no subscription of it.
 */
#ifndef OTABENCH_MOCK_CLOUD_MQTT_H
#define OTABENCH_MOCK_CLOUD_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MQTT_TOPIC_MAX     256 /* with the final zero */
#define MQTT_PAYLOAD_MAX   (256u << 10)
#define MQTT_CLIENT_ID_MAX 512
#define MQTT_IDENTITY_MAX  128

/* CONNACK return codes of MQTT 3.1.1. */
enum mqtt_connack {
    MQTT_ACCEPTED = 0,
    MQTT_BAD_PROTOCOL = 1,
    MQTT_BAD_IDENTIFIER = 2,
    MQTT_UNAVAILABLE = 3,
    MQTT_BAD_CREDENTIALS = 4,
    MQTT_NOT_AUTHORIZED = 5
};

/* What a CONNECT says. Texts live for the call; user name and password may be null. */
struct mqtt_login {
    const char *client_id; /* raw, with its extension */
    const char *user_name;
    const char *password;
    bool clean_session;
    bool tls;
    uint16_t keep_alive_s;
};

/* One PUBLISH, either way. Views that live for the call. */
struct mqtt_message {
    const char *topic;
    const uint8_t *payload;
    size_t payload_bytes;
    uint8_t qos; /* 0 or 1 */
    bool retain;
    bool dup;
};

enum mqtt_access { MQTT_PUBLISH, MQTT_SUBSCRIBE };

#endif
