#include "scenarios/engine/wire_relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELD_MAX (1u << 20)

static void relay_event(struct relay *r, const char *event, uint32_t conn)
{
    struct trace_field f[] = {F_INT("conn", conn)};
    stage_event(r->g, r->g->now_ns, LANE_NETWORK, event, f, 1);
}

static int open_listener(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int one = 1;
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, RELAY_CONNS) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

int relay_open(struct relay *r, struct stage *g, uint16_t cloud_port, struct err *err)
{
    *r = (struct relay){.g = g, .listen_fd = -1, .cloud_port = cloud_port};
    for (size_t i = 0; i < RELAY_CONNS; i++)
        r->conns[i] = (struct relay_conn){.device_fd = -1, .cloud_fd = -1};
    r->listen_fd = open_listener(0);
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    if (r->listen_fd < 0 || getsockname(r->listen_fd, (struct sockaddr *)&a, &len) != 0)
        return err_set(err, ERR_IO, "the relay cannot listen on loopback: %s", strerror(errno));
    r->port = ntohs(a.sin_port);
    return 0;
}

static void close_fd(int *fd, bool reset)
{
    if (*fd < 0)
        return;
    struct linger l = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    (void)close(*fd);
    *fd = -1;
}

static void drop(struct relay_conn *c, bool reset)
{
    close_fd(&c->device_fd, reset);
    close_fd(&c->cloud_fd, reset);
    buf_free(&c->held);
    *c = (struct relay_conn){.device_fd = -1, .cloud_fd = -1};
}

void relay_close(struct relay *r)
{
    if (r->g == NULL)
        return; /* never opened */
    for (size_t i = 0; i < RELAY_CONNS; i++)
        drop(&r->conns[i], false);
    close_fd(&r->listen_fd, false);
}

size_t relay_poll_fds(const struct relay *r, struct pollfd *out)
{
    size_t n = 0;
    if (r->listen_fd >= 0)
        out[n++] = (struct pollfd){.fd = r->listen_fd, .events = POLLIN};
    for (size_t i = 0; i < RELAY_CONNS; i++) {
        const struct relay_conn *c = &r->conns[i];
        if (c->device_fd >= 0 && !c->device_eof)
            out[n++] = (struct pollfd){.fd = c->device_fd, .events = POLLIN};
        if (c->cloud_fd >= 0 && !c->cloud_eof)
            out[n++] = (struct pollfd){.fd = c->cloud_fd, .events = POLLIN};
    }
    return n;
}

static void accept_all(struct relay *r)
{
    while (r->listen_fd >= 0) {
        int fd = accept4(r->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        int one = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct relay_conn *c = NULL;
        for (size_t i = 0; i < RELAY_CONNS && c == NULL; i++)
            if (r->conns[i].number == 0)
                c = &r->conns[i];
        uint32_t number = c == NULL ? 0 : link_connect(r->g->link, r->g->now_ns);
        if (number == 0) {
            (void)close(fd);
            continue;
        }
        *c = (struct relay_conn){.number = number, .device_fd = fd, .cloud_fd = -1};
        buf_init(&c->held, HELD_MAX);
        relay_event(r, "connect", number);
    }
}

/* One direction of one connection: reads once into out. 0 nothing, > 0 bytes, -1 end, -2 reset. */
static ssize_t take(int fd, uint8_t *out, size_t cap)
{
    ssize_t n = recv(fd, out, cap, MSG_DONTWAIT);
    if (n > 0)
        return n;
    if (n == 0)
        return -1;
    return errno == EAGAIN || errno == EINTR ? 0 : -2;
}

void relay_read(struct relay *r, void (*before_cloud)(void *ctx), void *ctx)
{
    static const size_t cap = 16384;
    uint8_t chunk[16384];
    accept_all(r);
    for (size_t i = 0; i < RELAY_CONNS; i++) {
        struct relay_conn *c = &r->conns[i];
        while (c->number != 0 && c->device_fd >= 0 && !c->device_eof) {
            ssize_t n = take(c->device_fd, chunk, cap);
            if (n == 0)
                break;
            /* What the device said before it sent these bytes must be known before the cloud sees
             * them. */
            before_cloud(ctx);
            if (c->number == 0)
                break; /* it died meanwhile */
            if (n > 0) {
                (void)link_enter(r->g->link, c->number, LINK_UP, chunk, (size_t)n, r->g->now_ns);
            } else {
                c->device_eof = true;
                link_fin(r->g->link, c->number, LINK_UP, r->g->now_ns);
                if (!link_is_live(r->g->link, c->number))
                    drop(c, false);
            }
        }
        while (c->number != 0 && c->cloud_fd >= 0 && !c->cloud_eof) {
            ssize_t n = take(c->cloud_fd, chunk, cap);
            if (n == 0)
                break;
            if (n > 0) {
                r->g->bytes_down += (uint64_t)n;
                (void)link_enter(r->g->link, c->number, LINK_DOWN, chunk, (size_t)n, r->g->now_ns);
            } else {
                c->cloud_eof = true;
                link_fin(r->g->link, c->number, LINK_DOWN, r->g->now_ns);
            }
        }
    }
}

static int connect_cloud(const struct relay *r)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(r->cloud_port),
                            .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    if (fd < 0)
        return -1;
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        (void)close(fd);
        return -1;
    }
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Small amounts only: control messages and segments of at most 512 bytes, so the socket buffer
 * takes them. */
static void give(int fd, const uint8_t *data, size_t len_bytes)
{
    while (fd >= 0 && len_bytes > 0) {
        ssize_t n = send(fd, data, len_bytes, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            if (n < 0 && errno == EAGAIN && poll(&p, 1, 1000) > 0)
                continue;
            return;
        }
        data += n;
        len_bytes -= (size_t)n;
    }
}

static struct relay_conn *by_number(struct relay *r, uint32_t number)
{
    for (size_t i = 0; i < RELAY_CONNS; i++)
        if (number != 0 && r->conns[i].number == number)
            return &r->conns[i];
    return NULL;
}

static void on_event(struct relay *r, const struct link_event *ev)
{
    struct relay_conn *c = by_number(r, ev->conn);
    if (c == NULL)
        return;
    switch (ev->kind) {
    case LINK_EV_CONNECTED:
        c->cloud_fd = connect_cloud(r);
        relay_event(r, "connected", c->number);
        give(c->cloud_fd, c->held.data, c->held.len_bytes);
        buf_clear(&c->held);
        break;
    case LINK_EV_REFUSED:
        relay_event(r, "refused", c->number);
        drop(c, true);
        return;
    case LINK_EV_DATA:
        if (ev->dir == LINK_DOWN) {
            give(c->device_fd, ev->data, ev->len_bytes);
        } else if (c->cloud_fd < 0) {
            (void)buf_append(&c->held, ev->data, ev->len_bytes);
        } else {
            r->g->current_conn = c->number;
            give(c->cloud_fd, ev->data, ev->len_bytes);
        }
        break;
    case LINK_EV_EOF:
        if (ev->dir == LINK_DOWN && c->device_fd >= 0) {
            relay_event(r, "eof", c->number);
            (void)shutdown(c->device_fd, SHUT_WR);
        } else if (ev->dir == LINK_UP && c->cloud_fd >= 0) {
            (void)shutdown(c->cloud_fd, SHUT_WR);
        }
        break;
    case LINK_EV_RESET:
        relay_event(r, "reset", c->number);
        drop(c, true);
        return;
    }
    if (!link_is_live(r->g->link, c->number))
        drop(c, false);
}

void relay_pump(struct relay *r)
{
    struct link_event ev;
    while (link_next(r->g->link, r->g->now_ns, &ev))
        on_event(r, &ev);
}

void relay_device_gone(struct relay *r)
{
    for (size_t i = 0; i < RELAY_CONNS; i++)
        if (r->conns[i].number != 0) {
            link_vanish(r->g->link, r->conns[i].number);
            drop(&r->conns[i], false);
        }
}

void relay_door(struct relay *r, enum link_door door)
{
    r->door = door;
    if (door == LINK_REFUSED)
        close_fd(&r->listen_fd, false);
    else if (r->listen_fd < 0)
        r->listen_fd = open_listener(r->port);
}
