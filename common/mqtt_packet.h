/*
 * MQTT 3.1.1 packets as a struct and as bytes (OASIS MQTT 3.1.1, sections 2 and 3). The simulated
 * world speaks it on its connections, so that a fault at byte k of a connection meets the same
 * packet as on the wire. Real sockets are served by Mosquitto and libmosquitto, never by this.
 *
 * Not carried, because no device here needs it: QoS 2, and more than one filter in a SUBSCRIBE or
 * UNSUBSCRIBE.
 */
#ifndef OTABENCH_COMMON_MQTT_PACKET_H
#define OTABENCH_COMMON_MQTT_PACKET_H

#include "common/bytes.h"

#define MQTT_PACKET_BYTES_MAX (300u << 10) /* of a whole packet, either way */

/* Packet types by their number on the wire. */
enum mqtt_packet_type {
    PACKET_CONNECT = 1,
    PACKET_CONNACK = 2,
    PACKET_PUBLISH = 3,
    PACKET_PUBACK = 4,
    PACKET_SUBSCRIBE = 8,
    PACKET_SUBACK = 9,
    PACKET_UNSUBSCRIBE = 10,
    PACKET_UNSUBACK = 11,
    PACKET_PINGREQ = 12,
    PACKET_PINGRESP = 13,
    PACKET_DISCONNECT = 14
};

#define MQTT_SUBACK_FAILURE 0x80

/* Text or data inside a packet: a view, not zero-ended. Null data: the field is absent. */
struct mqtt_view {
    const char *data;
    size_t len_bytes;
};

struct mqtt_packet {
    enum mqtt_packet_type type;
    uint16_t id;              /* PUBLISH of QoS 1, PUBACK, SUB..., UNSUB...; never 0 there */
    uint8_t code;             /* CONNACK: return code; SUBACK: granted QoS or MQTT_SUBACK_FAILURE */
    uint8_t qos;              /* PUBLISH, SUBSCRIBE: 0 or 1; CONNECT: of the will */
    bool dup;                 /* PUBLISH */
    bool retain;              /* PUBLISH; CONNECT: of the will */
    bool clean;               /* CONNECT: clean session */
    bool present;             /* CONNACK: session present */
    uint16_t keep_alive_s;    /* CONNECT */
    struct mqtt_view topic;   /* PUBLISH; CONNECT: of the will; SUBSCRIBE, UNSUBSCRIBE: filter */
    struct mqtt_view payload; /* PUBLISH; CONNECT: of the will */
    struct mqtt_view client_id; /* CONNECT */
    struct mqtt_view user_name; /* CONNECT */
    struct mqtt_view password;  /* CONNECT */
};

/* A view of a C string; null stays absent. */
struct mqtt_view mqtt_text(const char *text);
/* Copies to a C string. False, and out is "", when it does not fit in cap or holds a zero byte. */
bool mqtt_text_copy(char *out, size_t cap, struct mqtt_view v);

/* Appends the packet. 0; ERR_LIMIT above the sizes of the format or MQTT_PACKET_BYTES_MAX, ERR_ARG
 * for a QoS above 1, ERR_NOMEM. */
int mqtt_encode(const struct mqtt_packet *p, struct buf *out);

/*
 * Reads one packet from the beginning of data; its views lie in data. Bytes it took (> 0), 0 when
 * more are needed, ERR_LIMIT for a packet above max_bytes (out->type is set), ERR_FORMAT for one
 * that breaks the specification, ERR_UNSUPPORTED for what this file does not carry or a protocol
 * level other than 4.
 */
int64_t mqtt_decode(const void *data, size_t len_bytes, size_t max_bytes, struct mqtt_packet *out);
/* The whole packet's size, once its fixed header is there: > 0, 0: more needed, ERR_FORMAT. */
int64_t mqtt_packet_bytes(const void *data, size_t len_bytes);

/* Whether a topic name matches a filter with + and # (section 4.7). */
bool mqtt_topic_matches(const char *filter, const char *topic);
/* Well-formed (section 4.7.1): not empty, + and # only as whole levels, # last; a name has none. */
bool mqtt_filter_valid(const char *filter);
bool mqtt_topic_valid(const char *topic);

#endif
