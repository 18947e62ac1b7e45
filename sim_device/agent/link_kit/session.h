/*
 * The MQTT session of a Link SDK client, on the board's MQTT client: logs in, stays in, comes back.
 *
 * A lost or refused connection is tried again from inside kit_session_receive, after a pause that
 * doubles from back_off_min to back_off_max, half of it drawn from the board's random stream, so
 * that a thousand devices do not return at once. A connection that lives shorter than the pause
 * does not shorten the next one. One task receives; any task may publish.
 *
 * Events: "mqtt" {what: "up" | "down" | "refused" | "unreachable", code: CONNACK}.
 */
#ifndef OTABENCH_AGENT_LINK_KIT_SESSION_H
#define OTABENCH_AGENT_LINK_KIT_SESSION_H

#include "sim_device/agent/link_kit/credentials.h"
#include "sim_device/board/board.h"

#define KIT_SUBSCRIPTIONS_MAX 8
#define KIT_TOPIC_MAX         BOARD_MQTT_TOPIC_MAX

enum kit_session_result {
    KIT_SESSION_OK = 0,
    KIT_SESSION_TIMEOUT = -1,
    KIT_SESSION_DOWN = -2,    /* not connected, and it did not come back in time */
    KIT_SESSION_REFUSED = -3, /* CONNACK other than 0: see connack */
    KIT_SESSION_ARG = -4      /* credentials that cannot be used, no MQTT on this board */
};

/* Texts live as long as the session. */
struct kit_session_config {
    enum kit_generation generation;
    struct kit_identity identity;
    const char *host;
    uint16_t port;
    const char *ca_pem; /* null: plain TCP */
    const char *extra;  /* more client id parameters, or null */
    uint16_t keep_alive_s;
    int64_t connect_timeout_ns, send_timeout_ns;
    int64_t back_off_min_ns, back_off_max_ns;
    bool reconnect; /* by itself, inside kit_session_receive */
};

struct kit_session {
    struct board *board;
    struct kit_session_config config;
    int client; /* of the board; -1: none */
    bool session_present;
    uint8_t connack;     /* of the last refused connect, else 0 */
    unsigned connects;   /* successful ones: a caller sees by it that the session came back */
    int64_t up_since_ns; /* of the present or last connection */
    int64_t lost_at_ns;  /* of the last one */
    int64_t next_try_ns; /* no connect before */
    unsigned failures;   /* in a row */
    uint32_t connect_ms; /* what the last connect took */
    uint32_t last_error; /* for _conn of 4.x */
    bool locked;         /* a task publishes or connects */
    struct {
        char filter[KIT_TOPIC_MAX];
        uint8_t qos;
    } subscriptions[KIT_SUBSCRIPTIONS_MAX];
    size_t subscription_count;
};

void kit_session_init(struct kit_session *s, struct board *b, const struct kit_session_config *c);
/* Tries once, whatever next_try_ns says. OK, DOWN, REFUSED, ARG. OK when up already. */
int kit_session_connect(struct kit_session *s);
bool kit_session_is_up(const struct kit_session *s);
/* OK, DOWN (lost, or no PUBACK within the send time-out). */
int kit_session_publish(struct kit_session *s, const char *topic, const void *payload,
                        size_t len_bytes, uint8_t qos);
/* Subscribes now if it is up and after every reconnect that finds no session. OK, DOWN, ARG: too
 * many, or too long. */
int kit_session_subscribe(struct kit_session *s, const char *filter, uint8_t qos);
int kit_session_unsubscribe(struct kit_session *s, const char *filter);
/*
 * The next message, within timeout_ns; comes back by itself meanwhile if so configured. OK: out is
 * filled, its payload is the caller's to board_free. TIMEOUT: none, and the session is up. DOWN: it
 * is not; at once when it has just been lost.
 */
int kit_session_receive(struct kit_session *s, struct board_mqtt_message *out, int64_t timeout_ns);
/* Disconnects in order; connect may follow. */
void kit_session_close(struct kit_session *s);

#endif
