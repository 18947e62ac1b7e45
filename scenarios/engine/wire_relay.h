/*
 * The relay of wire mode: a TCP listener on loopback that every connection of the device passes;
 * bytes go through the link engine and on to the cloud's port. Port chosen by the kernel. One
 * thread, poll.
 *
 * What a relay cannot do (see docs/wire-mode.md): drop TCP segments, delay the handshake. A refused
 * door closes the listener; a black hole accepts and stays silent.
 */
#ifndef OTABENCH_ENGINE_WIRE_RELAY_H
#define OTABENCH_ENGINE_WIRE_RELAY_H

#include <poll.h>

#include "scenarios/engine/stage.h"

#define RELAY_CONNS 16
#define RELAY_FDS   (2 * RELAY_CONNS + 1)

struct relay_conn {
    uint32_t number; /* of the link; 0: free */
    int device_fd, cloud_fd;
    bool device_eof, cloud_eof; /* that side closed its sending half */
    struct buf held;            /* device bytes before the cloud side is open */
};

struct relay {
    struct stage *g;
    int listen_fd; /* -1: door closed */
    uint16_t port;
    uint16_t cloud_port;
    enum link_door door;
    struct relay_conn conns[RELAY_CONNS];
};

int relay_open(struct relay *r, struct stage *g, uint16_t cloud_port, struct err *err);
void relay_close(struct relay *r);
/* Fills at most RELAY_FDS entries to poll; returns how many. */
size_t relay_poll_fds(const struct relay *r, struct pollfd *out);
/* Takes in what arrived; before_cloud is called after reading and before any byte is passed on. */
void relay_read(struct relay *r, void (*before_cloud)(void *ctx), void *ctx);
/* Delivers what the link says is due. */
void relay_pump(struct relay *r);
/* The device lost power: its connections are gone without a word. */
void relay_device_gone(struct relay *r);
/* Follows the link's door: closed means connection refused. */
void relay_door(struct relay *r, enum link_door door);

#endif
