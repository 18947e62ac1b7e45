/* What the simulated board promises of sockets, on those of the host: loopback, ports of its
 * choice. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim_device/board/posix_board_testing.h"

/* ---- sockets: a peer of the host, on a port of the host's choice ---- */

struct peer {
    int listener;
    uint16_t port;
    void (*serve)(int fd);
    pthread_t thread;
};

static void *peer_main(void *arg)
{
    struct peer *peer = arg;
    int fd = accept(peer->listener, NULL, NULL);
    if (fd >= 0) {
        peer->serve(fd);
        (void)close(fd);
    }
    return NULL;
}

static void peer_bind(struct peer *peer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(peer->listener >= 0);
    CHECK_INT(bind(peer->listener, (const struct sockaddr *)&at, sizeof at), 0);
    CHECK_INT(getsockname(peer->listener, (struct sockaddr *)&at, &len), 0);
    peer->port = ntohs(at.sin_port);
}

static void peer_start(struct peer *peer, void (*serve)(int fd))
{
    peer_bind(peer);
    peer->serve = serve;
    CHECK_INT(listen(peer->listener, 4), 0);
    CHECK_INT(pthread_create(&peer->thread, NULL, peer_main, peer), 0);
}

static void peer_stop(struct peer *peer)
{
    (void)pthread_join(peer->thread, NULL);
    (void)close(peer->listener);
}

static void until_closed(int fd)
{
    char text[64];
    while (recv(fd, text, sizeof text, 0) > 0)
        ;
}

static void say(int fd, const char *text)
{
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void serve_echo(int fd)
{
    char text[64];
    ssize_t n = 0;
    while ((n = recv(fd, text, sizeof text, 0)) > 0 && memchr(text, '.', (size_t)n) == NULL)
        (void)send(fd, text, (size_t)n, MSG_NOSIGNAL);
}

/* Waits for the device's word, so the answer cannot be read before it is complete. */
static void serve_data_then_reset(int fd)
{
    char c = 0;
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    say(fd, "ab");
    (void)recv(fd, &c, 1, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static int dial(struct bench *x)
{
    int fd = x->b->ops->sock_open(x->b, BOARD_STREAM);
    note(x, "connect:%d ", x->b->ops->sock_connect(x->b, fd, INADDR_LOOPBACK, x->port));
    return fd;
}

static void read_some(struct bench *x, int fd, size_t cap)
{
    char text[64] = "";
    int n = x->b->ops->sock_recv(x->b, fd, text, cap);
    note(x, "%d:%s ", n, text);
}

static void echo_main(void *arg)
{
    struct bench *x = arg;
    const struct board_ops *ops = x->b->ops;
    int fd = dial(x);
    note(x, "%d ", ops->sock_send(x->b, fd, "hello", 5));
    note(x, "%d ", ops->sock_poll(x->b, fd, BOARD_READABLE, BOARD_FOREVER));
    read_some(x, fd, 2); /* partial */
    char rest[4] = "";
    for (int got = 0; got < 3;) {
        int n = ops->sock_recv(x->b, fd, rest + got, (size_t)(3 - got));
        if (n <= 0)
            break;
        got += n;
    }
    note(x, "%s ", rest);
    (void)ops->sock_recv_timeout(x->b, fd, 20 * NS_PER_MS);
    int64_t before_ns = ops->now_ns(x->b);
    read_some(x, fd, 8);
    note(x, "%s ", ops->now_ns(x->b) - before_ns >= 20 * NS_PER_MS ? "long" : "short");
    (void)ops->sock_recv_timeout(x->b, fd, 0);
    read_some(x, fd, 8);
    (void)ops->sock_recv_timeout(x->b, fd, BOARD_FOREVER);
    (void)ops->sock_send(x->b, fd, ".", 1);
    read_some(x, fd, 8); /* orderly close */
    read_some(x, fd, 8);
    note(x, "close:%d ", ops->sock_close(x->b, fd));
    note(x, "close:%d ", ops->sock_close(x->b, fd));
}

static void echo_and_orderly_close(void)
{
    struct bench x = {.cfg.connect_timeout_ns = 60 * NS_PER_S};
    struct peer peer;
    peer_start(&peer, serve_echo);
    x.port = peer.port;
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, echo_main, &x), POSIX_IDLE);
    peer_stop(&peer);
    CHECK_STR(x.log, "connect:0 5 1 2:he llo -1: long -1: 0: 0: close:0 close:-1 ");
    bench_stop(&x);
}

static void peer_reset_main(void *arg)
{
    struct bench *x = arg;
    const struct board_ops *ops = x->b->ops;
    const int all = BOARD_READABLE | BOARD_WRITABLE | BOARD_EXCEPTION;
    int fd = dial(x);
    note(x, "%d ", ops->sock_poll(x->b, fd, BOARD_READABLE, BOARD_FOREVER));
    (void)ops->sock_send(x->b, fd, "x", 1);
    note(x, "%d ", ops->sock_poll(x->b, fd, BOARD_EXCEPTION, BOARD_FOREVER));
    read_some(x, fd, 8);
    read_some(x, fd, 8);
    read_some(x, fd, 8);
    note(x, "%d ", ops->sock_send(x->b, fd, "x", 1));
    note(x, "%d ", ops->sock_poll(x->b, fd, all, 0));
}

static void reset_comes_after_the_data(void)
{
    struct bench x = {.cfg.connect_timeout_ns = 60 * NS_PER_S};
    struct peer peer;
    peer_start(&peer, serve_data_then_reset);
    x.port = peer.port;
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, peer_reset_main, &x), POSIX_IDLE);
    peer_stop(&peer);
    CHECK_STR(x.log, "connect:0 1 4 2:ab -2: -2: -1 7 ");
    bench_stop(&x);
}

static void dial_main(void *arg)
{
    struct bench *x = arg;
    int64_t before_ns = x->b->ops->now_ns(x->b);
    int fd = dial(x);
    if (x->b->ops->now_ns(x->b) - before_ns >= x->cfg.connect_timeout_ns)
        note(x, "timed-out ");
    read_some(x, fd, 1);
    note(x, "send:%d ", x->b->ops->sock_send(x->b, fd, "x", 1));
    fd = x->b->ops->sock_open(x->b, BOARD_STREAM);
    note(x, "poll:%d ", x->b->ops->sock_poll(x->b, fd, BOARD_READABLE, NS_PER_MS));
}

static void connect_refused(void)
{
    struct bench x = {.cfg.connect_timeout_ns = 600 * NS_PER_S};
    struct peer peer;
    peer_bind(&peer); /* bound, not listening: refuses */
    x.port = peer.port;
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, dial_main, &x), POSIX_IDLE);
    CHECK_STR(x.log, "connect:-1 -2: send:-1 poll:0 ");
    (void)close(peer.listener);
    bench_stop(&x);
}

static void connect_unanswered(void)
{
    struct bench x = {.cfg.connect_timeout_ns = 50 * NS_PER_MS};
    struct peer peer;
    peer_bind(&peer);
    CHECK_INT(listen(peer.listener, 0), 0); /* a full queue drops what comes */
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(peer.port),
                             .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fill[4];
    for (size_t i = 0; i < 4; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fill[i], (const struct sockaddr *)&to, sizeof to);
    }
    x.port = peer.port;
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, dial_main, &x), POSIX_IDLE);
    CHECK_STR(x.log, "connect:-1 timed-out -2: send:-1 poll:0 ");
    for (size_t i = 0; i < 4; i++)
        (void)close(fill[i]);
    (void)close(peer.listener);
    bench_stop(&x);
}

static void relay_main(void *arg)
{
    struct bench *x = arg;
    const struct board_ops *ops = x->b->ops;
    uint32_t ip = 0;
    note(x, "%d ", ops->resolve(x->b, "10.9.8.7", &ip));
    note(x, "%08x ", (unsigned)ip);
    note(x, "%d ", ops->resolve(x->b, "cloud.example", &ip));
    note(x, "%08x ", (unsigned)ip);
    int fd = ops->sock_open(x->b, BOARD_STREAM);
    note(x, "%d ", ops->sock_connect(x->b, fd, 0x0A090807, 1));
    note(x, "%d ", ops->sock_send(x->b, fd, "hi", 2));
    read_some(x, fd, 1);
    fd = ops->sock_open(x->b, BOARD_DGRAM);
    note(x, "%d ", ops->sock_sendto(x->b, fd, "hi", 2, 0x0A090807, 1));
}

static void everything_goes_to_the_relay(void)
{
    struct bench x = {.cfg.connect_timeout_ns = 60 * NS_PER_S};
    struct peer peer;
    peer_start(&peer, serve_echo);
    x.cfg.relay_ip = INADDR_LOOPBACK;
    x.cfg.relay_port = peer.port;
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, relay_main, &x), POSIX_IDLE);
    peer_stop(&peer);
    CHECK_STR(x.log, "0 0a090807 0 7f000001 0 2 1:h 2 ");
    bench_stop(&x);
}

static void close_under_main(void *arg)
{
    struct bench *x = arg;
    x->fd = dial(x);
    spawn(x, blocked_reader, 9);
    await_blocked(x, 1);
    (void)x->b->ops->sock_close(x->b, x->fd);
    note(x, "%d ", x->b->ops->sock_open(x->b, BOARD_STREAM) == x->fd);
    await_blocked(x, 1);
}

static void close_releases_a_blocked_task(void)
{
    for (int i = 0; i < 20; i++) {
        struct bench x = {.cfg.connect_timeout_ns = 60 * NS_PER_S};
        struct peer peer;
        peer_start(&peer, until_closed);
        x.port = peer.port;
        bench_start(&x);
        CHECK_INT(posix_board_run(x.p, close_under_main, &x), POSIX_IDLE);
        peer_stop(&peer);
        CHECK_STR(x.log, "connect:0 1 read:-2 ");
        bench_stop(&x);
    }
}

static void bad_main(void *arg)
{
    struct bench *x = arg;
    const struct board_ops *ops = x->b->ops;
    static const int fds[] = {-1, 0, BOARD_SOCKETS - 1, BOARD_SOCKETS, 1000000};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        uint32_t ip = 0;
        uint16_t port = 0;
        char c = 0;
        note(x, "%d%d%d%d%d%d%d%d ", ops->sock_close(x->b, fds[i]),
             ops->sock_connect(x->b, fds[i], 1, 1), ops->sock_send(x->b, fds[i], "x", 1),
             ops->sock_recv(x->b, fds[i], &c, 1), ops->sock_recv_timeout(x->b, fds[i], 1),
             ops->sock_poll(x->b, fds[i], BOARD_READABLE, 1),
             ops->sock_sendto(x->b, fds[i], "x", 1, 1, 1),
             ops->sock_recvfrom(x->b, fds[i], &c, 1, &ip, &port));
    }
    int opened = 0;
    while (ops->sock_open(x->b, BOARD_STREAM) >= 0)
        opened++;
    note(x, "%d", opened);
}

static void bad_descriptors_fail_in_every_call(void)
{
    struct bench x = {0};
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, bad_main, &x), POSIX_IDLE);
    CHECK_STR(x.log, "-1-1-1-2-1-1-1-2 -1-1-1-2-1-1-1-2 -1-1-1-2-1-1-1-2 -1-1-1-2-1-1-1-2 "
                     "-1-1-1-2-1-1-1-2 16");
    bench_stop(&x);
}

static void dgram_main(void *arg)
{
    struct bench *x = arg;
    const struct board_ops *ops = x->b->ops;
    int fd = ops->sock_open(x->b, BOARD_DGRAM);
    note(x, "%d ", ops->sock_sendto(x->b, fd, "ping", 4, INADDR_LOOPBACK, x->port));
    uint32_t ip = 0;
    uint16_t port = 0;
    char text[3] = "";
    note(x, "%d ", ops->sock_recvfrom(x->b, fd, text, 2, &ip, &port));
    note(x, "%s %d %d ", text, ip == INADDR_LOOPBACK, port == x->port);
    (void)ops->sock_recv_timeout(x->b, fd, NS_PER_MS);
    read_some(x, fd, 8); /* the rest of it is lost */
}

static void *dgram_peer(void *arg)
{
    const struct peer *peer = arg;
    char text[16];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(peer->listener, text, sizeof text, 0, (struct sockaddr *)&from, &len);
    if (n > 0)
        (void)sendto(peer->listener, text, (size_t)n, 0, (const struct sockaddr *)&from, len);
    return NULL;
}

static void datagrams_keep_their_borders(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    struct peer peer = {.listener = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    CHECK_INT(bind(peer.listener, (const struct sockaddr *)&at, sizeof at), 0);
    CHECK_INT(getsockname(peer.listener, (struct sockaddr *)&at, &len), 0);
    CHECK_INT(pthread_create(&peer.thread, NULL, dgram_peer, &peer), 0);
    struct bench x = {.port = ntohs(at.sin_port)};
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, dgram_main, &x), POSIX_IDLE);
    peer_stop(&peer);
    CHECK_STR(x.log, "4 2 pi 1 1 -1: ");
    bench_stop(&x);
}

static const struct test tests[] = {
    {"an echo, and an orderly close", echo_and_orderly_close},
    {"a reset comes after the data", reset_comes_after_the_data},
    {"a connect is refused", connect_refused},
    {"a connect is not answered", connect_unanswered},
    {"everything goes to the relay", everything_goes_to_the_relay},
    {"a close releases a blocked task", close_releases_a_blocked_task},
    {"bad descriptors fail in every call", bad_descriptors_fail_in_every_call},
    {"datagrams keep their borders", datagrams_keep_their_borders},
};

TEST_MAIN("posix sockets", tests)
