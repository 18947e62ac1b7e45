/*
 * The device's end of the simulated network: a table of sockets with receive storage. Everything
 * that leaves goes straight to the owner; everything that comes was put here by the owner.
 *
 * Datagrams lie in rx as records: length, sender's address (4 bytes each), port (2), then the data.
 */
#include <assert.h>
#include <limits.h>
#include <string.h>

#include "sim_device/board/sim_board_internal.h"

/* What an owner that asks sim_net_room keeps in flight, and what one that does not may pile up. */
#define WINDOW_BYTES     (64u << 10)
#define RX_MAX_BYTES     (16u << 20)
#define DGRAM_HEAD       10u
#define COMPACT_BYTES    (64u << 10)
#define CLOSED_MEANWHILE 1 /* result of await, beside BOARD_OK and BOARD_TIMEOUT */

static struct sim_board *sim_of(struct board *b)
{
    return (struct sim_board *)b;
}

static struct sim_sock *sock_at(struct sim_board *s, int fd)
{
    if (fd < 0 || fd >= BOARD_SOCKETS || s->socks[fd].state == SOCK_CLOSED)
        return NULL;
    return &s->socks[fd];
}

static size_t waiting_bytes(const struct sim_sock *k)
{
    return k->rx.len_bytes - k->rx_at;
}

/* Taken bytes are only counted off; storage moves when that is worth it. */
static void take(struct sim_sock *k, size_t len_bytes)
{
    k->rx_at += len_bytes;
    if (waiting_bytes(k) == 0) {
        buf_clear(&k->rx);
        k->rx_at = 0;
    } else if (k->rx_at >= COMPACT_BYTES && k->rx_at >= k->rx.len_bytes / 2) {
        buf_consume(&k->rx, k->rx_at);
        k->rx_at = 0;
    }
}

static void sock_clear(struct sim_sock *k)
{
    k->state = SOCK_CLOSED;
    k->generation++;
    k->known = k->eof = k->reset = false;
    k->peer_ip = 0;
    k->peer_port = 0;
    k->recv_timeout_ns = BOARD_FOREVER;
    k->rx_at = 0;
    buf_clear(&k->rx);
}

void sim_sockets_init(struct sim_board *s)
{
    for (size_t i = 0; i < BOARD_SOCKETS; i++)
        buf_init(&s->socks[i].rx, RX_MAX_BYTES);
    sim_sockets_drop(s);
}

void sim_sockets_drop(struct sim_board *s)
{
    for (size_t i = 0; i < BOARD_SOCKETS; i++)
        sock_clear(&s->socks[i]);
}

void sim_sockets_deinit(struct sim_board *s)
{
    for (size_t i = 0; i < BOARD_SOCKETS; i++)
        buf_free(&s->socks[i].rx);
}

/* Waits for news of the socket until the deadline. */
static int await(struct sim_board *s, struct sim_sock *k, int64_t deadline_ns)
{
    if (deadline_ns <= s->now_ns) {
        sim_spin(s);
        return BOARD_TIMEOUT;
    }
    uint64_t generation = k->generation;
    bool timed_out = sim_block(s, k, deadline_ns);
    if (k->generation != generation)
        return CLOSED_MEANWHILE;
    return timed_out ? BOARD_TIMEOUT : BOARD_OK;
}

int sim_sock_open(struct board *b, enum board_sock_type type)
{
    struct sim_board *s = sim_of(b);
    if (type != BOARD_STREAM && type != BOARD_DGRAM)
        return -1;
    for (int fd = 0; fd < BOARD_SOCKETS; fd++) {
        struct sim_sock *k = &s->socks[fd];
        if (k->state == SOCK_CLOSED) {
            k->state = SOCK_NEW;
            k->type = type;
            return fd;
        }
    }
    return -1;
}

/* The owner hears of each connection's end once, unless it ended it itself. */
static void tell_close(struct sim_board *s, int fd)
{
    struct sim_sock *k = &s->socks[fd];
    bool known = k->known;
    k->known = false;
    if (known)
        s->cfg.net.close(s->cfg.net.ctx, fd);
}

int sim_sock_close(struct board *b, int fd)
{
    struct sim_board *s = sim_of(b);
    struct sim_sock *k = sock_at(s, fd);
    if (k == NULL)
        return -1;
    tell_close(s, fd);
    sock_clear(k);
    sim_wake(s, k, INT_MAX);
    return 0;
}

int sim_sock_connect(struct board *b, int fd, uint32_t ip, uint16_t port)
{
    struct sim_board *s = sim_of(b);
    return sim_connect_until(s, fd, ip, port, vtime_after(s->now_ns, s->cfg.connect_timeout_ns));
}

int sim_connect_until(struct sim_board *s, int fd, uint32_t ip, uint16_t port, int64_t deadline_ns)
{
    struct sim_sock *k = sock_at(s, fd);
    if (k == NULL || (k->state != SOCK_NEW && k->state != SOCK_FAILED))
        return -1;
    if (k->type == BOARD_DGRAM) {
        k->peer_ip = ip;
        k->peer_port = port;
        return 0;
    }
    k->state = SOCK_CONNECTING;
    k->known = true;
    if (s->cfg.net.connect(s->cfg.net.ctx, fd, ip, port) != 0) {
        k->known = false;
        k->state = SOCK_FAILED;
    }
    while (k->state == SOCK_CONNECTING) {
        int rc = await(s, k, deadline_ns);
        if (rc == CLOSED_MEANWHILE)
            return -1;
        if (rc == BOARD_TIMEOUT && k->state == SOCK_CONNECTING) {
            k->state = SOCK_FAILED;
            tell_close(s, fd);
        }
    }
    return k->state == SOCK_CONNECTED ? 0 : -1;
}

static int as_int(size_t len_bytes)
{
    return len_bytes > INT_MAX ? INT_MAX : (int)len_bytes;
}

int sim_sock_send(struct board *b, int fd, const void *data, size_t len_bytes)
{
    struct sim_board *s = sim_of(b);
    struct sim_sock *k = sock_at(s, fd);
    if (k == NULL || len_bytes == 0)
        return -1;
    if (k->type == BOARD_DGRAM)
        return k->peer_port == 0
                   ? -1
                   : sim_sock_sendto(b, fd, data, len_bytes, k->peer_ip, k->peer_port);
    if (k->state != SOCK_CONNECTED || k->reset)
        return -1;
    int taken = s->cfg.net.send(s->cfg.net.ctx, fd, data, (size_t)as_int(len_bytes));
    return taken > 0 ? taken : -1;
}

static int recv_datagram(struct sim_board *s, struct sim_sock *k, void *out, size_t cap,
                         uint32_t *ip, uint16_t *port)
{
    int64_t deadline_ns = vtime_after(s->now_ns, k->recv_timeout_ns);
    while (waiting_bytes(k) == 0) {
        int rc = await(s, k, deadline_ns);
        if (rc == CLOSED_MEANWHILE)
            return BOARD_ERROR;
        if (rc == BOARD_TIMEOUT && waiting_bytes(k) == 0)
            return BOARD_TIMEOUT;
    }
    const uint8_t *head = k->rx.data + k->rx_at;
    uint32_t len_bytes = get_le32(head);
    size_t n = len_bytes < cap ? len_bytes : cap; /* the rest of it is lost, as everywhere */
    memcpy(out, head + DGRAM_HEAD, n);
    if (ip != NULL)
        *ip = get_le32(head + 4);
    if (port != NULL)
        *port = get_le16(head + 8);
    take(k, DGRAM_HEAD + len_bytes);
    return as_int(n);
}

int sim_sock_recv(struct board *b, int fd, void *out, size_t cap)
{
    struct sim_board *s = sim_of(b);
    struct sim_sock *k = sock_at(s, fd);
    if (k == NULL || cap == 0)
        return BOARD_ERROR;
    if (k->type == BOARD_DGRAM)
        return recv_datagram(s, k, out, cap, NULL, NULL);
    if (k->state != SOCK_CONNECTED)
        return BOARD_ERROR;
    int64_t deadline_ns = vtime_after(s->now_ns, k->recv_timeout_ns);
    while (waiting_bytes(k) == 0) {
        if (k->reset)
            return BOARD_ERROR;
        if (k->eof)
            return 0;
        int rc = await(s, k, deadline_ns);
        if (rc == CLOSED_MEANWHILE)
            return BOARD_ERROR;
        if (rc == BOARD_TIMEOUT && waiting_bytes(k) == 0 && !k->reset && !k->eof)
            return BOARD_TIMEOUT;
    }
    size_t n = waiting_bytes(k) < cap ? waiting_bytes(k) : cap;
    memcpy(out, k->rx.data + k->rx_at, n);
    take(k, n);
    return as_int(n);
}

int sim_sock_recv_timeout(struct board *b, int fd, int64_t timeout_ns)
{
    struct sim_sock *k = sock_at(sim_of(b), fd);
    if (k == NULL || timeout_ns < 0)
        return -1;
    k->recv_timeout_ns = timeout_ns;
    return 0;
}

static int readiness(const struct sim_sock *k)
{
    int ready = 0;
    bool gone = k->reset || k->state == SOCK_FAILED;
    if (waiting_bytes(k) > 0 || k->eof || gone)
        ready |= BOARD_READABLE;
    if (k->type == BOARD_DGRAM || k->state == SOCK_CONNECTED || gone)
        ready |= BOARD_WRITABLE;
    if (gone)
        ready |= BOARD_EXCEPTION;
    return ready;
}

int sim_sock_poll(struct board *b, int fd, int want, int64_t timeout_ns)
{
    struct sim_board *s = sim_of(b);
    struct sim_sock *k = sock_at(s, fd);
    if (k == NULL)
        return -1;
    int64_t deadline_ns = timeout_ns > 0 ? vtime_after(s->now_ns, timeout_ns) : s->now_ns;
    while ((readiness(k) & want) == 0) {
        int rc = await(s, k, deadline_ns);
        if (rc == CLOSED_MEANWHILE)
            return -1;
        if (rc == BOARD_TIMEOUT)
            break;
    }
    return readiness(k) & want;
}

int sim_sock_sendto(struct board *b, int fd, const void *data, size_t len_bytes, uint32_t ip,
                    uint16_t port)
{
    struct sim_board *s = sim_of(b);
    struct sim_sock *k = sock_at(s, fd);
    if (k == NULL || k->type != BOARD_DGRAM || len_bytes == 0 || len_bytes > UINT16_MAX)
        return -1;
    if (s->cfg.net.sendto == NULL)
        return (int)len_bytes;
    k->known = true;
    return s->cfg.net.sendto(s->cfg.net.ctx, fd, data, len_bytes, ip, port);
}

int sim_sock_recvfrom(struct board *b, int fd, void *out, size_t cap, uint32_t *ip, uint16_t *port)
{
    struct sim_board *s = sim_of(b);
    struct sim_sock *k = sock_at(s, fd);
    if (k == NULL || k->type != BOARD_DGRAM || cap == 0)
        return BOARD_ERROR;
    return recv_datagram(s, k, out, cap, ip, port);
}

int sim_resolve(struct board *b, const char *name, uint32_t *ip)
{
    struct sim_board *s = sim_of(b);
    if (board_literal_ip(name, ip))
        return 0;
    uint32_t found = 0;
    int64_t delay_ns = 0;
    int rc = s->cfg.net.resolve(s->cfg.net.ctx, name, &found, &delay_ns);
    if (delay_ns > 0)
        (void)sim_block(s, NULL, vtime_after(s->now_ns, delay_ns));
    if (rc != 0)
        return -1;
    *ip = found;
    return 0;
}

/* ---- the owner's side ---- */

void sim_net_connected(struct sim_board *s, int sock, bool ok)
{
    struct sim_sock *k = sock_at(s, sock);
    if (k == NULL || k->state != SOCK_CONNECTING)
        return;
    k->state = ok ? SOCK_CONNECTED : SOCK_FAILED;
    k->known = ok;
    sim_wake(s, k, INT_MAX);
}

void sim_net_reset(struct sim_board *s, int sock)
{
    struct sim_sock *k = sock_at(s, sock);
    if (k == NULL || k->type != BOARD_STREAM || k->state == SOCK_NEW)
        return;
    if (k->state == SOCK_CONNECTING)
        k->state = SOCK_FAILED;
    k->reset = true;
    k->known = false;
    sim_wake(s, k, INT_MAX);
}

void sim_net_data(struct sim_board *s, int sock, const void *data, size_t len_bytes)
{
    struct sim_sock *k = sock_at(s, sock);
    if (k == NULL || k->state != SOCK_CONNECTED || k->eof || k->reset || len_bytes == 0)
        return;
    if (buf_append(&k->rx, data, len_bytes) != 0) {
        /* Never lose bytes quietly: the connection breaks, and the trace says why. */
        board_event(&s->board, LANE_BENCH, "overflow",
                    (const struct trace_field[]){F_INT("sock", sock)}, 1);
        tell_close(s, sock);
        sim_net_reset(s, sock);
        return;
    }
    sim_wake(s, k, INT_MAX);
}

size_t sim_net_room(struct sim_board *s, int sock)
{
    const struct sim_sock *k = sock_at(s, sock);
    if (k == NULL || k->state != SOCK_CONNECTED || waiting_bytes(k) >= WINDOW_BYTES)
        return 0;
    return WINDOW_BYTES - waiting_bytes(k);
}

void sim_net_eof(struct sim_board *s, int sock)
{
    struct sim_sock *k = sock_at(s, sock);
    if (k == NULL || k->state != SOCK_CONNECTED)
        return;
    k->eof = true;
    sim_wake(s, k, INT_MAX);
}

void sim_net_datagram(struct sim_board *s, int sock, uint32_t ip, uint16_t port, const void *data,
                      size_t len_bytes)
{
    struct sim_sock *k = sock_at(s, sock);
    if (k == NULL || k->type != BOARD_DGRAM || len_bytes == 0 || len_bytes > UINT16_MAX)
        return;
    if (waiting_bytes(k) + DGRAM_HEAD + len_bytes > WINDOW_BYTES)
        return; /* full: a datagram is lost, as everywhere */
    uint8_t head[DGRAM_HEAD];
    put_le32(head, (uint32_t)len_bytes);
    put_le32(head + 4, ip);
    put_le16(head + 8, port);
    size_t before_bytes = k->rx.len_bytes;
    if (buf_append(&k->rx, head, sizeof head) != 0)
        return;
    if (buf_append(&k->rx, data, len_bytes) != 0) {
        k->rx.len_bytes = before_bytes;
        return;
    }
    sim_wake(s, k, INT_MAX);
}
