/*
 * The host's sockets behind the board's calls. All of them are non-blocking: each call tries with
 * the turn, and waits in ppoll without it. A close by another task kicks the waiters; that they may
 * poll a number that the host has given away again meanwhile does no harm, for they look at the
 * generation before they touch it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim_device/board/posix_board_internal.h"

#define FAR_AWAY_NS      (VTIME_NEVER / 2)
#define CLOSED_MEANWHILE 1 /* result of posix_await, beside BOARD_OK and BOARD_TIMEOUT */

static struct posix_board *posix_of(struct board *b)
{
    return (struct posix_board *)b;
}

struct posix_sock *posix_sock_at(struct posix_board *p, int fd)
{
    if (fd < 0 || fd >= BOARD_SOCKETS || p->socks[fd].state == SOCK_CLOSED)
        return NULL;
    return &p->socks[fd];
}

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(ip)}};
}

static int host_socket(enum board_sock_type type)
{
    int kind = type == BOARD_STREAM ? SOCK_STREAM : SOCK_DGRAM;
    return socket(AF_INET, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void sock_clear(struct posix_sock *k)
{
    posix_tls_drop(k);
    if (k->host_fd >= 0)
        (void)close(k->host_fd);
    k->host_fd = -1;
    k->state = SOCK_CLOSED;
    k->generation++;
    k->reset = false;
    k->recv_timeout_ns = BOARD_FOREVER;
}

void posix_sockets_init(struct posix_board *p)
{
    for (size_t i = 0; i < BOARD_SOCKETS; i++)
        p->socks[i].host_fd = -1;
    posix_sockets_drop(p);
}

void posix_sockets_drop(struct posix_board *p)
{
    for (size_t i = 0; i < BOARD_SOCKETS; i++)
        sock_clear(&p->socks[i]);
}

int posix_await(struct posix_board *p, struct posix_sock *k, int host_fd, short events,
                int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - posix_now_ns(p);
    if (left_ns <= 0)
        return BOARD_TIMEOUT;
    uint64_t generation = k->generation;
    struct board_task *t = posix_go_away(p, k);
    struct pollfd set[2] = {{.fd = host_fd, .events = events},
                            {.fd = t->kick_fd, .events = POLLIN}};
    struct timespec left = {.tv_sec = left_ns / NS_PER_S, .tv_nsec = left_ns % NS_PER_S};
    (void)ppoll(set, 2, deadline_ns >= FAR_AWAY_NS ? NULL : &left, NULL);
    posix_come_back(p, t);
    return k->generation == generation ? BOARD_OK : CLOSED_MEANWHILE;
}

int posix_sock_open(struct board *b, enum board_sock_type type)
{
    struct posix_board *p = posix_of(b);
    if (type != BOARD_STREAM && type != BOARD_DGRAM)
        return -1;
    for (int fd = 0; fd < BOARD_SOCKETS; fd++) {
        struct posix_sock *k = &p->socks[fd];
        if (k->state != SOCK_CLOSED)
            continue;
        k->host_fd = host_socket(type);
        if (k->host_fd < 0)
            return -1;
        k->state = SOCK_NEW;
        k->type = type;
        return fd;
    }
    return -1;
}

int posix_sock_close(struct board *b, int fd)
{
    struct posix_board *p = posix_of(b);
    struct posix_sock *k = posix_sock_at(p, fd);
    if (k == NULL)
        return -1;
    sock_clear(k);
    posix_kick(p, k);
    return 0;
}

/* A host socket whose connect failed is of no more use; the board's may try again. */
static void connect_failed(struct posix_sock *k)
{
    (void)close(k->host_fd);
    k->host_fd = host_socket(k->type);
    k->state = SOCK_FAILED;
}

uint16_t posix_relayed(const struct posix_board *p, uint32_t *ip, uint16_t port)
{
    if (p->cfg.relay_port == 0)
        return port;
    *ip = p->cfg.relay_ip;
    for (size_t i = 0; i < p->cfg.n_relays; i++)
        if (p->cfg.relays[i].port == port)
            return p->cfg.relays[i].relay_port;
    return p->cfg.relay_port;
}

int posix_sock_connect(struct board *b, int fd, uint32_t ip, uint16_t port)
{
    struct posix_board *p = posix_of(b);
    struct posix_sock *k = posix_sock_at(p, fd);
    if (k == NULL || (k->state != SOCK_NEW && k->state != SOCK_FAILED))
        return -1;
    if (k->type == BOARD_STREAM)
        port = posix_relayed(p, &ip, port);
    struct sockaddr_in to = address(ip, port);
    int rc = connect(k->host_fd, (const struct sockaddr *)&to, sizeof to);
    if (k->type == BOARD_DGRAM)
        return rc;
    bool pending = rc != 0 && errno == EINPROGRESS;
    k->state = SOCK_CONNECTING;
    int64_t deadline_ns = vtime_after(posix_now_ns(p), p->cfg.connect_timeout_ns);
    while (pending) {
        int news = posix_await(p, k, k->host_fd, POLLOUT, deadline_ns);
        if (news == CLOSED_MEANWHILE)
            return -1;
        struct pollfd now = {.fd = k->host_fd, .events = POLLOUT};
        pending = poll(&now, 1, 0) == 0 && news != BOARD_TIMEOUT;
        int error = 0;
        socklen_t len = sizeof error;
        if (getsockopt(k->host_fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0)
            rc = now.revents != 0 && error == 0 ? 0 : -1;
    }
    if (rc != 0)
        connect_failed(k);
    else
        k->state = SOCK_CONNECTED;
    return rc;
}

static size_t at_most_int(size_t len_bytes)
{
    return len_bytes > INT_MAX ? INT_MAX : len_bytes;
}

int posix_sock_send(struct board *b, int fd, const void *data, size_t len_bytes)
{
    struct posix_board *p = posix_of(b);
    struct posix_sock *k = posix_sock_at(p, fd);
    if (k == NULL || len_bytes == 0 || (k->type == BOARD_STREAM && k->state != SOCK_CONNECTED) ||
        k->reset)
        return -1;
    if (k->ssl != NULL)
        return posix_tls_send(p, k, data, len_bytes);
    for (;;) {
        ssize_t n = send(k->host_fd, data, at_most_int(len_bytes), MSG_NOSIGNAL);
        if (n > 0)
            return (int)n;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        if (posix_await(p, k, k->host_fd, POLLOUT, BOARD_FOREVER) == CLOSED_MEANWHILE)
            return -1;
    }
}

/* Both receive calls; from may be null. */
static int receive(struct posix_board *p, struct posix_sock *k, void *out, size_t cap,
                   struct sockaddr_in *from)
{
    int64_t deadline_ns = vtime_after(posix_now_ns(p), k->recv_timeout_ns);
    for (;;) {
        socklen_t len = sizeof *from;
        ssize_t n = recvfrom(k->host_fd, out, at_most_int(cap), 0, (struct sockaddr *)from,
                             from != NULL ? &len : NULL);
        if (n >= 0)
            return (int)n;
        if (errno != EAGAIN && errno != EINTR) {
            k->reset = k->type == BOARD_STREAM;
            return BOARD_ERROR;
        }
        int news = posix_await(p, k, k->host_fd, POLLIN, deadline_ns);
        if (news == CLOSED_MEANWHILE)
            return BOARD_ERROR;
        if (news == BOARD_TIMEOUT)
            return BOARD_TIMEOUT;
    }
}

int posix_sock_recv(struct board *b, int fd, void *out, size_t cap)
{
    struct posix_board *p = posix_of(b);
    struct posix_sock *k = posix_sock_at(p, fd);
    if (k == NULL || cap == 0 || k->reset ||
        (k->type == BOARD_STREAM && k->state != SOCK_CONNECTED))
        return BOARD_ERROR;
    if (k->ssl != NULL)
        return posix_tls_recv(p, k, out, cap, vtime_after(posix_now_ns(p), k->recv_timeout_ns));
    return receive(p, k, out, cap, NULL);
}

int posix_sock_recv_timeout(struct board *b, int fd, int64_t timeout_ns)
{
    struct posix_sock *k = posix_sock_at(posix_of(b), fd);
    if (k == NULL || timeout_ns < 0)
        return -1;
    k->recv_timeout_ns = timeout_ns;
    return 0;
}

/* What the host would say of a stream that is not connected is of no use here. */
static int pollable_fd(const struct posix_sock *k)
{
    return k->type == BOARD_DGRAM || k->state == SOCK_CONNECTED ? k->host_fd : -1;
}

static int readiness(const struct posix_sock *k)
{
    const int gone = BOARD_READABLE | BOARD_WRITABLE | BOARD_EXCEPTION;
    if (k->reset || k->state == SOCK_FAILED)
        return gone;
    if (posix_tls_pending(k))
        return BOARD_READABLE | BOARD_WRITABLE;
    struct pollfd now = {.fd = pollable_fd(k), .events = POLLIN | POLLOUT};
    if (poll(&now, 1, 0) <= 0)
        return 0;
    if ((now.revents & (POLLERR | POLLHUP)) != 0)
        return gone;
    return ((now.revents & POLLIN) != 0 ? BOARD_READABLE : 0) |
           ((now.revents & POLLOUT) != 0 ? BOARD_WRITABLE : 0);
}

int posix_sock_poll(struct board *b, int fd, int want, int64_t timeout_ns)
{
    struct posix_board *p = posix_of(b);
    struct posix_sock *k = posix_sock_at(p, fd);
    if (k == NULL)
        return -1;
    short events = (short)(((want & BOARD_READABLE) != 0 ? POLLIN : 0) |
                           ((want & BOARD_WRITABLE) != 0 ? POLLOUT : 0));
    int64_t now_ns = posix_now_ns(p);
    int64_t deadline_ns = timeout_ns > 0 ? vtime_after(now_ns, timeout_ns) : now_ns;
    int ready = 0;
    while ((ready = readiness(k) & want) == 0) {
        int news = posix_await(p, k, pollable_fd(k), events, deadline_ns);
        if (news == CLOSED_MEANWHILE)
            return -1;
        if (news == BOARD_TIMEOUT)
            break;
    }
    return ready;
}

int posix_sock_sendto(struct board *b, int fd, const void *data, size_t len_bytes, uint32_t ip,
                      uint16_t port)
{
    struct posix_board *p = posix_of(b);
    struct posix_sock *k = posix_sock_at(p, fd);
    if (k == NULL || k->type != BOARD_DGRAM || len_bytes == 0 || len_bytes > UINT16_MAX)
        return -1;
    if (p->cfg.relay_port != 0)
        return (int)len_bytes;
    struct sockaddr_in to = address(ip, port);
    ssize_t n =
        sendto(k->host_fd, data, len_bytes, MSG_NOSIGNAL, (const struct sockaddr *)&to, sizeof to);
    return n > 0 ? (int)n : -1;
}

int posix_sock_recvfrom(struct board *b, int fd, void *out, size_t cap, uint32_t *ip,
                        uint16_t *port)
{
    struct posix_board *p = posix_of(b);
    struct posix_sock *k = posix_sock_at(p, fd);
    if (k == NULL || k->type != BOARD_DGRAM || cap == 0)
        return BOARD_ERROR;
    struct sockaddr_in from = {0};
    int n = receive(p, k, out, cap, &from);
    if (n >= 0 && ip != NULL)
        *ip = ntohl(from.sin_addr.s_addr);
    if (n >= 0 && port != NULL)
        *port = ntohs(from.sin_port);
    return n;
}

int posix_resolve(struct board *b, const char *name, uint32_t *ip)
{
    struct posix_board *p = posix_of(b);
    if (board_literal_ip(name, ip))
        return 0;
    if (p->cfg.relay_port != 0) {
        *ip = INADDR_LOOPBACK;
        return 0;
    }
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    struct sockaddr_in found = {0};
    struct board_task *t = posix_go_away(p, NULL);
    int rc = getaddrinfo(name, NULL, &hints, &list);
    if (rc == 0) {
        memcpy(&found, list->ai_addr, sizeof found);
        freeaddrinfo(list); /* before coming back, which may be the end of this thread */
    }
    posix_come_back(p, t);
    if (rc != 0)
        return -1;
    *ip = ntohl(found.sin_addr.s_addr);
    return 0;
}
