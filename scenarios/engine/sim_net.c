#include "scenarios/engine/sim_net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void net_event(struct sim_net_bridge *b, const char *event, uint32_t conn, const char *what)
{
    struct trace_field f[2] = {F_INT("conn", conn), F_STR("what", what)};
    stage_event(b->g, b->g->now_ns, LANE_NETWORK, event, f, what == NULL ? 1 : 2);
}

static struct net_conn *by_number(struct sim_net_bridge *b, uint32_t number)
{
    for (size_t i = 0; i < NET_CONNS; i++)
        if (number != 0 && b->conns[i].number == number)
            return &b->conns[i];
    return NULL;
}

static struct net_conn *by_sock(struct sim_net_bridge *b, int sock)
{
    for (size_t i = 0; i < NET_CONNS; i++)
        if (b->conns[i].number != 0 && b->conns[i].sock == sock)
            return &b->conns[i];
    return NULL;
}

static void drop(struct net_conn *c)
{
    if (c->fd >= 0)
        (void)close(c->fd);
    free(c->tls);
    *c = (struct net_conn){.sock = -1, .fd = -1};
}

/* The connection is over for the bus. */
static void leave_bus(struct sim_net_bridge *b, struct net_conn *c)
{
    if (c->on_bus)
        bus_gone(b->g->bus, b->g->now_ns, c->number);
    c->on_bus = false;
    b->bus_next_ns = 0;
}

static int on_connect(void *ctx, int sock, uint32_t ip, uint16_t port)
{
    struct sim_net_bridge *b = ctx;
    (void)ip; /* one cloud serves every address the device was told */
    struct net_conn *c = NULL;
    for (size_t i = 0; i < NET_CONNS && c == NULL; i++)
        if (b->conns[i].number == 0)
            c = &b->conns[i];
    if (c == NULL)
        return -1;
    const bool mqtt = port == NET_MQTT_PORT || port == NET_MQTTS_PORT;
    uint32_t number = link_connect_kind(b->g->link, mqtt ? LINK_MQTT : LINK_HTTP, b->g->now_ns);
    if (number == 0)
        return -1;
    *c = (struct net_conn){.number = number, .sock = sock, .port = port, .fd = -1};
    net_event(b, "connect", number, mqtt ? "mqtt" : NULL);
    return 0;
}

/* Bytes go onto the link. */
static void enter(struct sim_net_bridge *b, struct net_conn *c, enum link_dir dir, const void *data,
                  size_t len_bytes, int64_t now_ns)
{
    const struct run_probe *p = &b->g->o->probe;
    uint64_t at = link_sent(b->g->link, c->number, dir);
    if (link_enter(b->g->link, c->number, dir, data, len_bytes, now_ns) == 0 && p->bytes != NULL)
        p->bytes(p->ctx, c->number, dir, at, data, len_bytes);
    if (dir == LINK_DOWN)
        c->said_bytes += len_bytes;
}

/* Bytes have reached the device; once they are all that was said, that was a message. */
static void arrived(struct sim_net_bridge *b, struct net_conn *c, size_t len_bytes)
{
    c->arrived_bytes += len_bytes;
    if (c->arrived_bytes != c->said_bytes || c->counted_bytes == c->said_bytes)
        return;
    c->counted_bytes = c->said_bytes;
    stage_arrived(b->g, c->number);
}

static int on_send(void *ctx, int sock, const void *data, size_t len_bytes)
{
    struct sim_net_bridge *b = ctx;
    struct net_conn *c = by_sock(b, sock);
    if (c == NULL)
        return -1;
    enter(b, c, LINK_UP, data, len_bytes, b->g->now_ns);
    return (int)len_bytes;
}

static void on_close(void *ctx, int sock)
{
    struct sim_net_bridge *b = ctx;
    struct net_conn *c = by_sock(b, sock);
    if (c == NULL)
        return;
    link_fin(b->g->link, c->number, LINK_UP, b->g->now_ns);
    c->sock = -1;
    if (!link_is_live(b->g->link, c->number)) {
        leave_bus(b, c);
        drop(c);
    }
}

static int on_resolve(void *ctx, const char *name, uint32_t *ip, int64_t *delay_ns)
{
    struct sim_net_bridge *b = ctx;
    (void)name;
    *ip = 0x7f000001;
    *delay_ns = 0;
    return b->dns_down ? -1 : 0;
}

void bridge_net(struct sim_net_bridge *b, struct sim_net *out)
{
    *out = (struct sim_net){
        .ctx = b, .connect = on_connect, .send = on_send, .close = on_close, .resolve = on_resolve};
}

/* Takes what the cloud wrote; an orderly close by the cloud travels as an end of stream. True:
 * there was something. *full becomes true where there was so much that the socketpair may have been
 * full: then the server has to run again. */
static bool read_cloud(struct sim_net_bridge *b, struct net_conn *c, bool *full)
{
    uint8_t chunk[16384]; /* much less than a socketpair holds */
    bool any = false;
    while (c->fd >= 0) {
        ssize_t n = recv(c->fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (n > 0) {
            b->g->bytes_down += (uint64_t)n;
            enter(b, c, LINK_DOWN, chunk, (size_t)n, b->g->now_ns);
            any = true;
            *full = *full || n == sizeof chunk;
        } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        } else {
            link_fin(b->g->link, c->number, LINK_DOWN, b->g->now_ns);
            (void)close(c->fd);
            c->fd = -1;
            any = true;
        }
    }
    return any;
}

static void run_edge(struct sim_net_bridge *b)
{
    b->edge_next_ns = edge_run(b->g->edge, b->g->now_ns);
}

/* A reply larger than the socketpair comes in pieces: the server goes on when it is read. */
static void serve(struct sim_net_bridge *b, struct net_conn *c)
{
    for (bool full = true; full;) {
        full = false;
        run_edge(b);
        (void)read_cloud(b, c, &full);
    }
}

static void write_cloud(struct sim_net_bridge *b, struct net_conn *c, const uint8_t *data,
                        size_t len_bytes)
{
    b->g->current_conn = c->number;
    while (len_bytes > 0 && c->fd >= 0) {
        ssize_t n = send(c->fd, data, len_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            data += n;
            len_bytes -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            run_edge(b); /* the socketpair is full: let the server read */
        } else {
            break;
        }
    }
    serve(b, c);
}

/* ---- the bus's side ---- */

static void bus_send(void *ctx, int64_t now_ns, uint32_t conn, const void *data, size_t len_bytes)
{
    struct sim_net_bridge *b = ctx;
    struct net_conn *c = by_number(b, conn);
    if (c == NULL)
        return; /* the device vanished and nobody has noticed yet */
    b->g->bytes_down += len_bytes;
    enter(b, c, LINK_DOWN, data, len_bytes, now_ns);
}

static void bus_close(void *ctx, int64_t now_ns, uint32_t conn)
{
    struct sim_net_bridge *b = ctx;
    struct net_conn *c = by_number(b, conn);
    if (c == NULL)
        return;
    c->on_bus = false;
    link_fin(b->g->link, conn, LINK_DOWN, now_ns);
}

/* The link made the connection: the cloud's side of it is opened. */
static bool open_cloud(struct sim_net_bridge *b, struct net_conn *c)
{
    b->bus_next_ns = 0;
    if (c->port == NET_MQTTS_PORT || c->port == NET_HTTPS_PORT) {
        c->tls = malloc(sizeof *c->tls);
        if (c->tls == NULL)
            return false;
        sim_tls_server_init(c->tls);
    }
    if (c->port == NET_MQTT_PORT || c->port == NET_MQTTS_PORT)
        c->on_bus = bus_open(b->g->bus, b->g->now_ns, c->number, c->port == NET_MQTTS_PORT) == 0;
    else
        c->fd = edge_connect(b->g->edge, NULL);
    return c->on_bus || c->fd >= 0;
}

/* The cloud gives the connection up. */
static void hang_up(struct sim_net_bridge *b, struct net_conn *c)
{
    leave_bus(b, c);
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
    link_fin(b->g->link, c->number, LINK_DOWN, b->g->now_ns);
}

/* Lets TLS take its part of the bytes. */
static void unwrap(struct sim_net_bridge *b, struct net_conn *c, const uint8_t **data,
                   size_t *len_bytes)
{
    struct buf answer;
    const uint8_t *plain = NULL;
    size_t plain_bytes = 0;
    buf_init(&answer, 2 * SIM_TLS_RECORD_MAX);
    int rc = sim_tls_server_data(c->tls, b->g->certificate, *data, *len_bytes, &answer, &plain,
                                 &plain_bytes);
    if (answer.len_bytes > 0) {
        enter(b, c, LINK_DOWN, answer.data, answer.len_bytes, b->g->now_ns);
        c->counted_bytes = c->said_bytes; /* a handshake changes nobody's state */
    }
    buf_free(&answer);
    *data = plain;
    *len_bytes = plain_bytes;
    if (rc == 0)
        return;
    net_event(b, "tls", c->number, "refused");
    hang_up(b, c);
}

static void give_cloud(struct sim_net_bridge *b, struct net_conn *c, const uint8_t *data,
                       size_t len_bytes)
{
    if (c->tls != NULL)
        unwrap(b, c, &data, &len_bytes);
    if (len_bytes == 0)
        return;
    if (!c->on_bus) {
        write_cloud(b, c, data, len_bytes);
        return;
    }
    b->g->current_conn = c->number;
    b->bus_next_ns = 0;
    bus_data(b->g->bus, b->g->now_ns, c->number, data, len_bytes);
    stage_heard(b->g);
}

static void on_event(struct sim_net_bridge *b, const struct link_event *ev)
{
    bool open;
    struct net_conn *c = by_number(b, ev->conn);
    if (c == NULL)
        return;
    switch (ev->kind) {
    case LINK_EV_CONNECTED:
        open = open_cloud(b, c);
        net_event(b, open ? "connected" : "refused", c->number, NULL);
        sim_net_connected(b->board, c->sock, open);
        break;
    case LINK_EV_REFUSED:
        net_event(b, "refused", c->number, NULL);
        sim_net_connected(b->board, c->sock, false);
        drop(c);
        return;
    case LINK_EV_DATA:
        if (ev->dir == LINK_DOWN && c->sock >= 0) {
            sim_net_data(b->board, c->sock, ev->data, ev->len_bytes);
            arrived(b, c, ev->len_bytes);
        } else if (ev->dir == LINK_UP) {
            give_cloud(b, c, ev->data, ev->len_bytes);
        }
        break;
    case LINK_EV_EOF:
        if (ev->dir == LINK_DOWN && c->sock >= 0) {
            net_event(b, "eof", c->number, "device");
            sim_net_eof(b->board, c->sock);
        } else if (ev->dir == LINK_UP && c->fd >= 0) {
            (void)shutdown(c->fd, SHUT_WR);
            serve(b, c);
        } else if (ev->dir == LINK_UP && c->on_bus) {
            leave_bus(b, c); /* a broker does not serve half a connection */
            link_fin(b->g->link, c->number, LINK_DOWN, b->g->now_ns);
        }
        break;
    case LINK_EV_RESET:
        net_event(b, "reset", c->number, NULL);
        leave_bus(b, c);
        if (c->sock >= 0)
            sim_net_reset(b->board, c->sock);
        break;
    }
    if (!link_is_live(b->g->link, c->number))
        drop(c);
}

int bridge_init(struct sim_net_bridge *b, struct stage *g, struct err *err)
{
    *b = (struct sim_net_bridge){.g = g, .edge_next_ns = VTIME_NEVER};
    for (size_t i = 0; i < NET_CONNS; i++)
        b->conns[i] = (struct net_conn){.sock = -1, .fd = -1};
    struct bus_config bc = {.cloud = g->cloud, .send = bus_send, .close = bus_close, .ctx = b};
    g->bus = bus_new(&bc, err);
    return g->bus == NULL ? ERR_NOMEM : 0;
}

bool bridge_pump(struct sim_net_bridge *b)
{
    int64_t now_ns = b->g->now_ns;
    bool any = false;
    for (bool full = b->edge_next_ns <= now_ns; full;) {
        full = false;
        run_edge(b);
        for (size_t i = 0; i < NET_CONNS; i++)
            if (b->conns[i].number != 0)
                any = read_cloud(b, &b->conns[i], &full) || any;
    }
    struct link_event ev;
    while (link_next(b->g->link, now_ns, &ev)) {
        on_event(b, &ev);
        any = true;
    }
    if (b->bus_next_ns <= now_ns)
        b->bus_next_ns = bus_tick(b->g->bus, now_ns);
    return any;
}

void bridge_device_gone(struct sim_net_bridge *b)
{
    for (size_t i = 0; i < NET_CONNS; i++)
        if (b->conns[i].number != 0) {
            link_vanish(b->g->link, b->conns[i].number);
            drop(&b->conns[i]);
        }
    run_edge(b);
}

void bridge_close_all(struct sim_net_bridge *b)
{
    if (b->g == NULL)
        return; /* never made */
    for (size_t i = 0; i < NET_CONNS; i++)
        drop(&b->conns[i]);
    bus_free(b->g->bus);
    b->g->bus = NULL;
}

int64_t bridge_next(const struct sim_net_bridge *b)
{
    return vtime_min(link_deadline(b->g->link), vtime_min(b->edge_next_ns, b->bus_next_ns));
}
