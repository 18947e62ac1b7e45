/*
 * MQTT on the wire: the Mosquitto broker as a child process, with our plugin in it. The plugin asks
 * this process about every login and topic and tells it every session and message, so cloud_mqtt_*
 * decides exactly as it does for the simulated bus (mqtt/bus.h). Messages of the cloud go to the
 * raw client id a device has now, whether it subscribed or not.
 *
 * One thread: the owner polls broker_poll_fds and calls broker_run. The broker ends when this
 * process does, however it ends: the plugin sees its end of the connection close.
 *
 * What Mosquitto 2.0.11 cannot do. A refused login is always answered with code 5, never 4: tried
 * with every result a plugin can give, MOSQ_ERR_AUTH and MOSQ_ERR_PLUGIN_DEFER bring code 5, all
 * others end the connection without a CONNACK. And its plugins are not told over which listener a
 * login came: of TLS they only see a client's certificate, which devices do not have, so
 * mqtt_login.tls is always false here. No face decides anything by it.
 */
#ifndef OTABENCH_MOCK_CLOUD_BROKER_H
#define OTABENCH_MOCK_CLOUD_BROKER_H

#include <poll.h>
#include <sys/types.h>

#include "mock_cloud/cloud.h"

#define BROKER_FDS        2
#define BROKER_DEVICES    4096               /* sessions it keeps count of; further logins fail */
#define BROKER_WAIT_NS    1000000000         /* call broker_run at least that often */
#define BROKER_PACKET_MAX (300u << 10)       /* larger packets end the connection */
#define BROKER_TOPIC      "otabench/deliver" /* of our own connection to it, refused to others */

struct broker_config {
    struct cloud *cloud;   /* not owned; its messages for devices go to the broker until the end */
    const char *dir;       /* exists, private to this process: configuration, sockets, log */
    const char *bind_ip;   /* IPv4 literal; null: 127.0.0.1 */
    uint16_t port;         /* 0: a free one */
    const char *cert_path; /* PEM, with key_path: a TLS listener as well; null: none */
    const char *key_path;
    uint16_t tls_port; /* 0: a free one */
};

struct broker;

/* Whether broker and plugin are on this machine: 0 with their paths in where, ERR_UNSUPPORTED. */
int broker_check(char *where, size_t cap, struct err *err);

/* Returns when devices can connect (at most ten seconds). Null: ERR_IO with the end of its log,
 * ERR_UNSUPPORTED when mosquitto or the plugin is not on this machine, ERR_NOMEM; *rc is the code.
 */
struct broker *broker_start(const struct broker_config *cfg, int *rc, struct err *err);
void broker_stop(struct broker *b); /* null is fine; the child is gone afterwards */

/* The broker dies and forgets every session; the cloud is told that the devices are offline. Nobody
 * can connect until broker_again, which starts it at the same ports. 0, or as broker_start. */
void broker_halt(struct broker *b, int64_t now_ns);
int broker_again(struct broker *b, struct err *err);

uint16_t broker_port(const struct broker *b);
uint16_t broker_tls_port(const struct broker *b); /* 0: no TLS */

pid_t broker_pid(const struct broker *b); /* of the child */

/* Fills at most BROKER_FDS entries to poll; returns how many. */
size_t broker_poll_fds(const struct broker *b, struct pollfd *out);
/* Does all that can be done now without waiting. 0, ERR_IO: the broker is gone. */
int broker_run(struct broker *b, int64_t now_ns, struct err *err);

#endif
