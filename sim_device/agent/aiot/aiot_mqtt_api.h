/*
 * MQTT of the 4.x Link SDK, as far as over-the-air updates need it. Names and options are the
 * vendor's; an option that the example applications do not use may be missing.
 *
 * Handles are blocks on the heap of the device that runs the calling task. One task receives
 * (aiot_mqtt_recv), any task may publish. Results are state codes: see aiot_state_api.h.
 */
#ifndef OTABENCH_AGENT_AIOT_MQTT_API_H
#define OTABENCH_AGENT_AIOT_MQTT_API_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_device/agent/aiot/aiot_state_api.h"

#define AIOT_MQTT_TOPIC_MAPS_MAX 16

typedef enum {
    AIOT_MQTTRECV_HEARTBEAT_RESPONSE,
    AIOT_MQTTRECV_SUB_ACK,
    AIOT_MQTTRECV_UNSUB_ACK,
    AIOT_MQTTRECV_PUB,
    AIOT_MQTTRECV_PUB_ACK
} aiot_mqtt_recv_type_t;

/* A received message; lives for the call of the handler. topic ends with a zero, payload not. */
typedef struct {
    aiot_mqtt_recv_type_t type;
    union {
        struct {
            uint8_t qos;
            char *topic;
            uint16_t topic_len;
            uint8_t *payload;
            uint32_t payload_len;
        } pub;
    } data;
} aiot_mqtt_recv_t;

typedef enum {
    AIOT_MQTTEVT_CONNECT,
    AIOT_MQTTEVT_RECONNECT,
    AIOT_MQTTEVT_DISCONNECT
} aiot_mqtt_event_type_t;

typedef struct {
    aiot_mqtt_event_type_t type;
} aiot_mqtt_event_t;

typedef void (*aiot_mqtt_recv_handler_t)(void *handle, const aiot_mqtt_recv_t *packet,
                                         void *userdata);
typedef void (*aiot_mqtt_event_handler_t)(void *handle, const aiot_mqtt_event_t *event,
                                          void *userdata);

/* Who gets messages of topics that a filter (with + and #) matches, without a SUBSCRIBE. */
typedef struct {
    const char *topic;
    aiot_mqtt_recv_handler_t handler;
    void *userdata;
} aiot_mqtt_topic_map_t;

typedef enum {
    AIOT_MQTTOPT_HOST,                  /* char *, copied */
    AIOT_MQTTOPT_PORT,                  /* uint16_t * */
    AIOT_MQTTOPT_PRODUCT_KEY,           /* char *, copied */
    AIOT_MQTTOPT_DEVICE_NAME,           /* char *, copied */
    AIOT_MQTTOPT_DEVICE_SECRET,         /* char *, copied */
    AIOT_MQTTOPT_EXTEND_CLIENTID,       /* char *, copied: "a=1,b=2" */
    AIOT_MQTTOPT_KEEPALIVE_SEC,         /* uint16_t * */
    AIOT_MQTTOPT_NETWORK_CRED,          /* char *: CA certificates (PEM), copied; without: no TLS */
    AIOT_MQTTOPT_CONNECT_TIMEOUT_MS,    /* uint32_t * */
    AIOT_MQTTOPT_HEARTBEAT_INTERVAL_MS, /* uint32_t * */
    AIOT_MQTTOPT_RECONN_ENABLED,        /* uint8_t *: 0 or 1 */
    AIOT_MQTTOPT_RECONN_INTERVAL_MS,    /* uint32_t *: the first pause */
    AIOT_MQTTOPT_SEND_TIMEOUT_MS,       /* uint32_t * */
    AIOT_MQTTOPT_RECV_TIMEOUT_MS,       /* uint32_t *: what one aiot_mqtt_recv waits */
    AIOT_MQTTOPT_APPEND_TOPIC_MAP,      /* aiot_mqtt_topic_map_t *, copied */
    AIOT_MQTTOPT_REMOVE_TOPIC_MAP,      /* aiot_mqtt_topic_map_t *: same topic and handler */
    AIOT_MQTTOPT_RECV_HANDLER,          /* aiot_mqtt_recv_handler_t: messages no filter matches */
    AIOT_MQTTOPT_EVENT_HANDLER,         /* aiot_mqtt_event_handler_t */
    AIOT_MQTTOPT_USERDATA,              /* void *, for both handlers */
    AIOT_MQTTOPT_MAX
} aiot_mqtt_option_t;

/* A handle with defaults, or null without memory or outside a device. */
void *aiot_mqtt_init(void);
/* NULL_POINTER (handle or data), UNKNOWN_OPTION, OUT_OF_RANGE, MALLOC_FAILED. */
int32_t aiot_mqtt_setopt(void *handle, aiot_mqtt_option_t option, void *data);
/* Tries once. MISSING_*, a code of CONNACK, NWK_CLOSED. */
int32_t aiot_mqtt_connect(void *handle);
int32_t aiot_mqtt_disconnect(void *handle);
/* Keeps the session alive; the board's client does that by itself. EXEC_DISABLED after deinit
 * began. */
int32_t aiot_mqtt_process(void *handle);
/* Hands at most one message to its handlers; comes back after a loss. NWK_CLOSED while it is down;
 * the hook sees that once per loss. */
int32_t aiot_mqtt_recv(void *handle);
/* QoS 0 or 1; waits for PUBACK up to the send time-out. */
int32_t aiot_mqtt_pub(void *handle, char *topic, uint8_t *payload, uint32_t payload_len,
                      uint8_t qos);
/* handler may be null: then the topic map or RECV_HANDLER decides. */
int32_t aiot_mqtt_sub(void *handle, char *topic, aiot_mqtt_recv_handler_t handler, uint8_t qos,
                      void *userdata);
int32_t aiot_mqtt_unsub(void *handle, char *topic);
/* Disconnects and frees; *handle becomes null. No other task may be inside a call. */
int32_t aiot_mqtt_deinit(void **handle);

/* Whether the session is up at this moment. An addition: the vendor's SDK only tells by events. */
bool aiot_mqtt_is_up(const void *handle);

/* ---- for the other parts of the SDK ---- */

/* The next message id of this handle, from 1. */
uint32_t aiot_mqtt_next_id(void *handle);
/* Names of the device; never null once they are set. */
const char *aiot_mqtt_product_key(const void *handle);
const char *aiot_mqtt_device_name(const void *handle);

#endif
