/*
 * The simulated world's network: link engine on one side, the cloud's HTTP edge and its message bus
 * on the other. The port a device connects to says which: NET_MQTT_PORT and NET_MQTTS_PORT the bus,
 * any other the HTTP edge; NET_MQTTS_PORT and NET_HTTPS_PORT behind TLS (sim_tls.h).
 */
#ifndef OTABENCH_ENGINE_SIM_NET_H
#define OTABENCH_ENGINE_SIM_NET_H

#include "mock_cloud/mqtt/bus.h"
#include "scenarios/engine/stage.h"
#include "sim_device/board/sim_board.h"

#define NET_CONNS      32
#define NET_MQTT_PORT  1883
#define NET_MQTTS_PORT 8883
#define NET_HTTPS_PORT 443

struct net_conn {
    uint32_t number;        /* of the link; 0: slot free */
    int sock;               /* the device's socket; -1: it is gone */
    uint16_t port;          /* it connected to */
    int fd;                 /* our end of the cloud's socketpair; -1: not open, or the bus has it */
    bool on_bus;            /* the bus knows it */
    uint64_t said_bytes;    /* what the cloud has sent, */
    uint64_t arrived_bytes; /* what of it, and of TLS, has reached the device, */
    uint64_t counted_bytes; /* and what has been counted as a message */
    struct sim_tls_server *tls; /* null: plain; owned */
};

struct sim_net_bridge {
    struct stage *g; /* link, edge and clock */
    struct sim_board *board;
    struct net_conn conns[NET_CONNS];
    int64_t edge_next_ns;
    int64_t bus_next_ns; /* 0: ask it */
    bool dns_down;       /* names do not resolve */
};

/* Makes the stage's bus as well. 0, ERR_NOMEM; bridge_close_all in any case. */
int bridge_init(struct sim_net_bridge *b, struct stage *g, struct err *err);

/* The board's view of the network; b is the bridge. */
void bridge_net(struct sim_net_bridge *b, struct sim_net *out);
/* Moves everything that can move now; true when anything did. */
bool bridge_pump(struct sim_net_bridge *b);
/* The device lost power or was reset: its connections are gone without a word. The bus learns of it
 * by the keep-alive, or when the device logs in again. */
void bridge_device_gone(struct sim_net_bridge *b);
void bridge_close_all(struct sim_net_bridge *b); /* and the bus; before stage_free */
int64_t bridge_next(const struct sim_net_bridge *b);

#endif
