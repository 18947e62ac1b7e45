/* What starting the child (broker_process.c) and talking with it (broker.c) share. */
#ifndef OTABENCH_MOCK_CLOUD_BROKER_INTERNAL_H
#define OTABENCH_MOCK_CLOUD_BROKER_INTERNAL_H

#include <mosquitto.h>

#include "mock_cloud/broker/broker.h"
#include "mock_cloud/broker/broker_frame.h"

#define PATH_MAX_BYTES 108 /* of a unix socket */
#define TOKEN_BYTES    16

/* A device's session, as the plugin told. */
struct device {
    char identity[MQTT_IDENTITY_MAX];
    bool online, kept;
};

struct broker {
    struct broker_config cfg;
    char dir[PATH_MAX_BYTES];
    char token[2 * TOKEN_BYTES + 1];
    uint16_t port, tls_port;
    pid_t pid; /* 0: not running */
    int listen_fd, plugin_fd;
    bool ready;
    struct mosquitto *client; /* our own connection, for messages to devices */
    struct buf rx, tx;
    struct device *devices;
    size_t n_devices, cap_devices;
};

/* A file in the broker's folder. ERR_LIMIT: too long for a socket. */
int broker_path(const struct broker *b, const char *name, char out[PATH_MAX_BYTES],
                struct err *err);
/* Where the plugin will connect to: listen_fd. */
int broker_listen(struct broker *b, struct err *err);
/* Writes the configuration, with ports, and starts the child: pid. */
int broker_spawn(struct broker *b, struct err *err);
/* Waits for an fd in small steps, so that an early death of the broker is noticed. */
int broker_await(struct broker *b, int fd, int *left_ms, struct err *err);

#endif
