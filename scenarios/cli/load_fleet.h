/*
 * A fleet of light Aliyun devices in one thread, for load: each does on the wire what a device with
 * the Link SDK 4.x does in an upgrade, with neither flash nor boot loader behind it. It logs in by
 * HMAC, subscribes, tells its version, takes the upgrade it is told of, tells progress every tenth,
 * fetches the signed URL in ranges over one connection, checks the MD5, leaves and logs in anew,
 * tells the new version and asks whether there is more. Done is who is told that there is not.
 */
#ifndef OTABENCH_CLI_LOAD_FLEET_H
#define OTABENCH_CLI_LOAD_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define FLEET_PRODUCT     "load"
#define FLEET_DEVICES_MAX 2000
#define FLEET_NAME_MAX    16
#define FLEET_SECRET_MAX  33

/* What device number i is called, and its secret, for the cloud's set-up. */
void fleet_name(size_t i, char out[FLEET_NAME_MAX]);
void fleet_secret(size_t i, char out[FLEET_SECRET_MAX]);

struct fleet_config {
    int epoll_fd; /* whose data point to struct load_watch */
    size_t devices;
    uint16_t mqtt_port; /* at 127.0.0.1 */
    uint32_t range_bytes;
    const char *from_version, *to_version;
};

/* Times are those given to fleet_turn; 0: not yet. */
struct fleet_figures {
    size_t ready;                     /* have told their version */
    size_t done;                      /* are told that there is nothing more */
    size_t failed;                    /* gave up */
    size_t sessions, sessions_peak;   /* MQTT connections that are logged in */
    size_t downloads, downloads_peak; /* HTTP connections */
    uint64_t logins, published, received, requests, bytes;
    int64_t first_login_ns, first_upgrade_ns; /* of a second device: the rest of the fleet */
    int64_t last_range_ns, last_done_ns;
    char trouble[192]; /* the first failure */
};

struct fleet;

/* Null with the story in err. */
struct fleet *fleet_new(const struct fleet_config *cfg, struct err *err);
void fleet_free(struct fleet *f); /* null is fine */

/* Before and after the watches of an epoll_wait have been called, at least every 100 ms: begins
 * logins (so many at a time as the broker's backlog takes), keeps sessions alive. */
void fleet_turn(struct fleet *f, int64_t now_ns);
const struct fleet_figures *fleet_figures(const struct fleet *f);
/* The URL that a device was told; "" when it has none. */
const char *fleet_url(const struct fleet *f, size_t i);
/* Sends DISCONNECT for all. */
void fleet_leave(struct fleet *f);

#endif
