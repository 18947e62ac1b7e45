/*
 * The HTTP edge: libmicrohttpd in front of the cloud core, the only HTTP server of the project.
 *
 * Two ways in, same daemon code. Simulation: edge_new(.., false); every connection is one end of a
 * socketpair made by edge_connect; edge_run pumps until nothing moves; single thread, no listener.
 * Wire: edge_new(.., true) listens on 127.0.0.1, port chosen by the kernel; poll edge_fd until the
 * time edge_run returned, then call edge_run.
 *
 * Replies announce "Connection: Keep-Alive" (or close), control replies are one chunk; there is no
 * Date in simulation, the only byte that would depend on a clock. Nothing is logged. Requests with
 * a body above HTTP_BODY_MAX get 413, with a target above HTTP_TARGET_MAX 414. Idle connections are
 * kept for ever, unless edge_listen was told otherwise: time-outs are the network's business.
 *
 * A client that closes early does not raise SIGPIPE here; for its own end of edge_connect the owner
 * sends with MSG_NOSIGNAL. Package bodies are sent from the store's memory: run the edge dry or
 * free it before the store is reset or a package replaced.
 */
#ifndef OTABENCH_MOCK_CLOUD_HTTP_EDGE_H
#define OTABENCH_MOCK_CLOUD_HTTP_EDGE_H

#include "mock_cloud/cloud.h"

struct edge;

/* Answers the requests of an edge in the cloud's place: for people and scripts, not for devices. */
struct edge_service {
    void *ctx;
    /* A request's head is there: how many bytes its body may have, beyond that it gets 413. Below
     * 0: it is refused, reply has been made, its body is not read. */
    int64_t (*admit)(void *ctx, const struct http_request *head, struct http_reply *reply);
    /* As cloud_http; the body is all there. */
    void (*answer)(void *ctx, int64_t now_ns, const struct http_request *request,
                   struct http_reply *reply);
};

#define EDGE_CONNECTIONS_MAX 1024 /* at a time; a further one waits (edge_connect: is refused) */

/* Null with the story in err. The cloud is not owned and must outlive the edge. */
struct edge *edge_new(struct cloud *cloud, bool listen, struct err *err);

/* Where an edge for real devices listens; a cloud may have several edges. */
struct edge_address {
    const char *bind_ip;  /* IPv4 literal; null: 127.0.0.1 */
    uint16_t port;        /* 0: a free one */
    const char *cert_pem; /* texts; with both it speaks HTTPS: TLS 1.2 and 1.3, and RSA key exchange
                             with AES-CBC, for old devices offer nothing else */
    const char *key_pem;
    /* A connection on which nothing moves is closed, 0: never. Not 0 also says that clients are
     * real and may be bad: each has so long for a request, head and body, for the next one, and for
     * reading its reply, there a second more per 16 bytes; of those that have not asked for a
     * second the oldest go while more than three quarters of the places are taken; refusals (400
     * and above) beyond 50 in a second come a second late. The cloud tells "refused" of all this,
     * once a second at most. */
    unsigned idle_limit_s;
    const struct edge_service *service; /* null: the cloud answers. Lives as long as the edge. */
};
/* Null with the story in err: a bad address, a port in use, a certificate that cannot be read. */
struct edge *edge_listen(struct cloud *cloud, const struct edge_address *at, struct err *err);
void edge_free(struct edge *e);           /* closes all connections; null is fine */
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
