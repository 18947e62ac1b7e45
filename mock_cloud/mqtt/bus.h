/*
 * The MQTT broker of the simulated world: sessions, QoS 0 and 1, redelivery, keep-alive, last will,
 * routing. No sockets and no clock: bytes of a connection go in, bytes come out by a call, time is
 * an argument. Logins, topic rules and messages are the cloud core's (cloud_mqtt_*), as they are
 * for Mosquitto on the wire (broker/broker.h), and it behaves as that broker does with our
 * settings:
 *
 * - A session belongs to a raw client id; the same id takes over. A second session of one identity
 *   ends the first: raw ids of Link SDKs change at each connect (aliyun note §2.5).
 * - Messages of the cloud reach a device that never subscribed. Other publishes are routed to who
 *   subscribed, the sender too. A client's publish that the topic rules refuse is acknowledged and
 *   dropped; a refused filter is answered 0x80. QoS is at most 1; 2 ends the connection.
 * - What a persistent session (clean session = 0) has not acknowledged is sent again with DUP when
 *   it returns; while it is away, QoS 1 messages are kept, QoS 0 ones are not.
 * - Retained messages are not kept: the flag is dropped.
 * - Silence of 1.5 times the keep-alive ends a connection; its will is published if the topic rules
 *   allow it.
 */
#ifndef OTABENCH_MOCK_CLOUD_MQTT_BUS_H
#define OTABENCH_MOCK_CLOUD_MQTT_BUS_H

#include "mock_cloud/cloud.h"

#define BUS_CONNS           64
#define BUS_SESSIONS        64
#define BUS_FILTERS_MAX     32  /* per session */
#define BUS_QUEUE_MAX       100 /* QoS 1 messages a session has not acknowledged; more are dropped */
#define BUS_IN_FLIGHT_MAX   20  /* of them on their way at a time */
#define BUS_CONNECT_WAIT_NS (90 * INT64_C(1000000000)) /* for CONNECT on a new connection */

struct bus_config {
    struct cloud *cloud; /* not owned; its messages for devices go to the bus until bus_free */
    /* Bytes for the client of a connection, and its end by the broker (after those bytes; the
     * connection is not known any more). Neither may call the bus. */
    void (*send)(void *ctx, int64_t now_ns, uint32_t conn, const void *data, size_t len_bytes);
    void (*close)(void *ctx, int64_t now_ns, uint32_t conn);
    void *ctx;
};

struct bus;
struct bus *bus_new(const struct bus_config *cfg, struct err *err); /* null: ERR_NOMEM */
void bus_free(struct bus *b);                                       /* null is fine */

/* A connection was made; its number is the owner's, > 0 and not in use. 0, ERR_LIMIT,
 * ERR_WRONG_STATE while the broker is down. tls: what the login is told. */
int bus_open(struct bus *b, int64_t now_ns, uint32_t conn, bool tls);
/* Bytes from the client, split anyhow. Malformed ones end the connection. Unknown: ignored. */
void bus_data(struct bus *b, int64_t now_ns, uint32_t conn, const void *data, size_t len_bytes);
/* The connection broke: end of stream or reset. Without DISCONNECT the will is published. */
void bus_gone(struct bus *b, int64_t now_ns, uint32_t conn);
/* Ends what is silent too long; returns when it wants to be called next, VTIME_NEVER: not. */
int64_t bus_tick(struct bus *b, int64_t now_ns);

/* The broker dies: every connection ends, no will is published. forget: persistent sessions are
 * lost as well, as without persistence. bus_start: it is there again. */
void bus_stop(struct bus *b, int64_t now_ns, bool forget);
void bus_start(struct bus *b);

/*
 * What sessions outlive their connections with, as bytes: clean session = 0 only, filters and
 * unacknowledged messages in order, as if every connection broke now. Packet ids are numbered anew
 * and times in messages are left out (cloud_remember_message). Appended to out; b stays. ERR_LIMIT,
 * ERR_NOMEM, ERR_UNSUPPORTED: a session has a will, which that break would publish.
 *
 * bus_recall forgets every connection and session, without a word to cloud or clients, and makes
 * those sessions, away. ERR_FORMAT: no such bytes; then there are none.
 */
int bus_remember(struct bus *b, struct buf *out, struct err *err);
int bus_recall(struct bus *b, int64_t now_ns, const void *memory, size_t len_bytes,
               struct err *err);

#endif
