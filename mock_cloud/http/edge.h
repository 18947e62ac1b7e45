/*
 * The HTTP edge: libmicrohttpd in front of the cloud core, the only HTTP server of the project.
 *
 * Two ways in, same daemon code. Simulation: edge_new(.., false); every connection is one end of a
 * socketpair made by edge_connect; edge_run pumps until nothing moves; single thread, no listener.
 * Wire: edge_new(.., true) listens on 127.0.0.1, port chosen by the kernel; poll edge_fd for at
 * most edge_timeout_ms and call edge_run.
 */
#ifndef OTABENCH_MOCK_CLOUD_HTTP_EDGE_H
#define OTABENCH_MOCK_CLOUD_HTTP_EDGE_H

#include "mock_cloud/cloud.h"

struct edge;

struct edge *edge_new(struct cloud *cloud, bool listen, struct err *err);
void edge_free(struct edge *e);
uint16_t edge_port(const struct edge *e); /* 0 when not listening */
int edge_fd(const struct edge *e);        /* epoll fd */

/* Simulation: the client's end of a new connection (non-blocking, caller closes), or negative
 * err_code. */
int edge_connect(struct edge *e, struct err *err);
/*
 * Runs the daemon at now until it has nothing more to do at once. Replies with a delay are held
 * (suspended connection) and released when now reaches them; the return value is the next such
 * time, VTIME_NEVER if none.
 */
int64_t edge_run(struct edge *e, int64_t now_ns);

#endif
