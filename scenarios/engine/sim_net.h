/* The simulated world's network: link engine on one side, the cloud's HTTP edge on the other. */
#ifndef OTABENCH_ENGINE_SIM_NET_H
#define OTABENCH_ENGINE_SIM_NET_H

#include "scenarios/engine/stage.h"
#include "sim_device/board/sim_board.h"

#define NET_CONNS 32

struct net_conn {
    uint32_t number; /* of the link; 0: slot free */
    int sock;        /* the device's socket; -1: it is gone */
    int fd;          /* our end of the cloud's socketpair; -1: not open */
};

struct sim_net_bridge {
    struct stage *g; /* link, edge and clock */
    struct sim_board *board;
    struct net_conn conns[NET_CONNS];
    int64_t edge_next_ns;
    bool dns_down; /* names do not resolve */
};

void bridge_init(struct sim_net_bridge *b, struct stage *g);

/* The board's view of the network; b is the bridge. */
void bridge_net(struct sim_net_bridge *b, struct sim_net *out);
/* Moves everything that can move now; true when anything did. */
bool bridge_pump(struct sim_net_bridge *b);
/* The device lost power or was reset: its connections are gone without a word. */
void bridge_device_gone(struct sim_net_bridge *b);
void bridge_close_all(struct sim_net_bridge *b);
int64_t bridge_next(const struct sim_net_bridge *b);

#endif
