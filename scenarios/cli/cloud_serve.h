/*
 * Serving devices in real time: one thread that polls the HTTP and MQTT edges of one cloud. Its
 * clock is that of the machine, so what is kept in a file stays true over a restart.
 */
#ifndef OTABENCH_CLI_CLOUD_SERVE_H
#define OTABENCH_CLI_CLOUD_SERVE_H

#include <stdio.h>

#include "mock_cloud/cloud.h"
#include "scenarios/cli/serve_log.h"

struct serve_config {
    const char *state_dir; /* kept there; null: in memory, a folder of its own for the edges */
    const char *bind_ip;   /* IPv4 literal of the listeners */
    const char *host;      /* what URLs name; null: bind_ip */
    uint16_t http_port, https_port, mqtt_port, mqtts_port,
        admin_port;          /* 0: that of the last start on this
                                state, if it is free, else a free one */
    bool no_admin;           /* no live operation */
    bool tls;                /* URLs begin with https */
    bool no_mqtt;            /* HTTP alone */
    const char *broker_url;  /* an external broker in place of our own; null: our own */
    const char *broker_ca;   /* its CA, PEM; null: the system's */
    bool auth_key;           /* URLs as a content network signs them */
    const char *signing_key; /* PEM file: the private key that images are signed with; null: none */
    uint32_t refusals_max;   /* of one expired URL until its upgrade has failed; 0: no end */
    int64_t url_lifetime_ns, task_timeout_ns;
    enum serve_log log;
    FILE *log_file;
};

struct serve;

/* Opens the state and all listeners. Null with the story in err. */
struct serve *serve_open(const struct serve_config *cfg, struct err *err);
void serve_close(struct serve *s); /* null is fine */

struct cloud *serve_cloud(struct serve *s);
int64_t serve_now_ns(struct serve *s);
uint16_t serve_http_port(const struct serve *s);
uint16_t serve_https_port(const struct serve *s); /* 0: there is none */
uint16_t serve_mqtt_port(const struct serve *s);
uint16_t serve_mqtts_port(const struct serve *s);
/* Live operation (admin.h), on 127.0.0.1 whatever bind_ip is; 0: there is none. Its token is
 * always the same for a state. */
uint16_t serve_admin_port(const struct serve *s);
const char *serve_admin_token(const struct serve *s);
const char *serve_ca_path(const struct serve *s); /* "": there is none */
/* Why the external broker is not reached, for people; "": it is, or there is none. */
const char *serve_broker_trouble(const struct serve *s);

/* Serves until the time, or until something arrives on stop_fd (-1: nothing can). 0, 1: stopped;
 * ERR_IO when an edge is gone. */
int serve_run(struct serve *s, int64_t until_ns, int stop_fd, struct err *err);

#endif
