/*
 * MQTT of the 2.x and 3.x Link SDK, as far as over-the-air updates need it: the channel that
 * IOT_OTA_Init is given. Everything runs in the caller's task: messages are handed to their
 * callbacks, and a lost connection is brought back, inside IOT_MQTT_Yield.
 *
 * Unlike 4.x it subscribes, at the QoS asked for, and keeps a persistent session (3.x). Before
 * IOT_MQTT_Construct returns it has reported the firmware's version by itself (aliyun note §4.1).
 */
#ifndef OTABENCH_AGENT_IOT_OTA_IOT_EXPORT_MQTT_H
#define OTABENCH_AGENT_IOT_OTA_IOT_EXPORT_MQTT_H

#include <stdint.h>

#define IOTX_MQTT_SUBSCRIPTIONS_MAX 8

typedef enum { IOTX_MQTT_QOS0 = 0, IOTX_MQTT_QOS1 = 1 } iotx_mqtt_qos_t;

/* A received message; lives for the call. topic ends with a zero, payload not. */
typedef struct {
    const char *ptopic;
    uint16_t topic_len;
    const char *payload;
    uint32_t payload_len;
    iotx_mqtt_qos_t qos;
} iotx_mqtt_topic_info_t;

typedef void (*iotx_mqtt_message_func_t)(void *pcontext, void *pclient,
                                         const iotx_mqtt_topic_info_t *msg);

/* Texts live as long as the client. */
typedef struct {
    const char *host;
    uint16_t port;
    const char *pub_key;        /* CA certificates (PEM); null: plain TCP */
    const char *customize_info; /* more client id parameters, or null */
    uint32_t request_timeout_ms;
    uint32_t keepalive_interval_ms; /* CONNECT carries twice of it, as 3.x does */
} iotx_mqtt_param_t;

/*
 * Connects: up to 8 tries, 2 s apart; a CONNACK that says "not authorized" ends them at once. Null:
 * no memory, outside a device, bad parameters, or not connected.
 */
void *IOT_MQTT_Construct(iotx_mqtt_param_t *params);
/* Disconnects and frees; *client becomes null. 0 or -1. */
int IOT_MQTT_Destroy(void **client);
/* Serves the connection for timeout_ms. 0; -1: down at the end. */
int IOT_MQTT_Yield(void *client, int timeout_ms);
int IOT_MQTT_CheckStateNormal(void *client); /* 1: connected */
/* 0; -1: refused, lost, or too many. One callback per topic; no wildcards. */
int IOT_MQTT_Subscribe(void *client, const char *topic_filter, iotx_mqtt_qos_t qos,
                       iotx_mqtt_message_func_t callback, void *pcontext);
int IOT_MQTT_Unsubscribe(void *client, const char *topic_filter);
/* QoS 1 waits for PUBACK up to the request time-out. 0 or -1. */
int IOT_MQTT_Publish_Simple(void *client, const char *topic_name, int qos, const void *data,
                            int len);

#endif
