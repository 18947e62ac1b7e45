/* The simulated world's network: link engine on one side, the cloud's HTTP edge on the other. */
#ifndef OTABENCH_ENGINE_SIM_NET_H
#define OTABENCH_ENGINE_SIM_NET_H

#include "mock_cloud/http/edge.h"
#include "scenarios/engine/link.h"
#include "sim_device/board/sim_board.h"

#define NET_CONNS 32

struct net_conn {
    uint32_t number; /* of the link; 0: slot free */
    int sock;        /* the device's socket; -1: it is gone */
    int fd;          /* our end of the cloud's socketpair; -1: not open */
};

struct sim_net_bridge {
    struct link *link;
    struct edge *edge;
    struct sim_board *board;
    struct net_conn conns[NET_CONNS];
    uint32_t current; /* connection whose bytes the cloud is answering */
    int64_t now_ns;
    int64_t edge_next_ns;
    uint64_t bytes_down;
    bool dns_down; /* names do not resolve */
    void *ctx;
    void (*event)(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                  const struct trace_field *fields, size_t n);
};

/* The board's view of the network; b is the bridge. */
void bridge_net(struct sim_net_bridge *b, struct sim_net *out);
/* Moves everything that can move at now; true when anything did. */
bool bridge_pump(struct sim_net_bridge *b, int64_t now_ns);
/* The device lost power or was reset: its connections are gone without a word. */
void bridge_device_gone(struct sim_net_bridge *b);
void bridge_close_all(struct sim_net_bridge *b);
int64_t bridge_next(const struct sim_net_bridge *b);

#endif
