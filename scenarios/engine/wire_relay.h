/*
 * The relay of wire mode: TCP listeners on loopback that every connection of the device passes, one
 * per server of the cloud; bytes go through the link engine and on to that server's port. Ports
 * chosen by the kernel. One thread, poll.
 *
 * What a relay cannot do (see docs/wire-mode.md): drop TCP segments, delay the handshake. A refused
 * door closes the listener; a black hole accepts and stays silent.
 */
#ifndef OTABENCH_ENGINE_WIRE_RELAY_H
#define OTABENCH_ENGINE_WIRE_RELAY_H

#include <poll.h>

#include "scenarios/engine/stage.h"

#define RELAY_CONNS 16
#define RELAY_DOORS LINK_KIND_COUNT /* one per kind of connection */
#define RELAY_FDS   (2 * RELAY_CONNS + RELAY_DOORS)
#define RELAY_LOST  32

struct relay_conn {
    uint32_t number; /* of the link; 0: free */
    enum link_kind kind;
    int device_fd, cloud_fd;
    bool device_eof, cloud_eof; /* that side closed its sending half */
    struct buf held;            /* device bytes before the cloud side is open */
};

/* The way to one server. */
struct relay_way {
    int listen_fd; /* -1: door closed, or no such server */
    uint16_t port; /* 0: no such server */
    uint16_t cloud_port;
    enum link_door door;
};

struct relay {
    struct stage *g;
    struct relay_way ways[RELAY_DOORS];
    struct relay_conn conns[RELAY_CONNS];
    /* The cloud's ends of MQTT connections whose device lost power: the broker does not learn of it
     * before the keep-alive ends or the device logs in again. */
    bool device_dead; /* told by the owner: ends of streams are no good-byes any more */
    int lost_fds[RELAY_LOST];
    size_t n_lost;
};

/* mqtt_port 0: the cloud has no broker. */
int relay_open(struct relay *r, struct stage *g, uint16_t http_port, uint16_t mqtt_port,
               struct err *err);
void relay_close(struct relay *r);
/* Fills at most RELAY_FDS entries to poll; returns how many. */
size_t relay_poll_fds(const struct relay *r, struct pollfd *out);
/* Takes in what arrived; before_cloud is called after reading and before any byte is passed on. */
void relay_read(struct relay *r, void (*before_cloud)(void *ctx), void *ctx);
/* Delivers what the link says is due. */
void relay_pump(struct relay *r);
/* The device lost power: its connections are gone without a word. */
void relay_device_gone(struct relay *r);
/* Follows the link's doors: closed means connection refused. */
void relay_doors(struct relay *r);

#endif
