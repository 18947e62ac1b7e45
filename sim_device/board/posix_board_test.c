/*
 * What the simulated board promises, on threads and the host's sockets. Device code must not use
 * the checks (they belong to the test's thread): it writes down what it sees. Times are only
 * checked to be long enough.
 */
#include "sim_device/board/posix_board.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/testing/testing.h"

struct bench {
    struct nor *nor;
    struct partition_table partitions;
    struct posix_board *p;
    struct board *b;
    struct posix_board_config cfg;
    uint16_t port; /* of the peer */
    struct board_task *task;
    int ready; /* tasks that are about to block */
    int fd;
    int number;
    char log[4096];
};

static void note(struct bench *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(struct bench *x, const char *fmt, ...)
{
    size_t at = strlen(x->log);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(x->log + at, sizeof x->log - at, fmt, ap);
    va_end(ap);
}

static void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                     const struct trace_field *fields, size_t n)
{
    (void)now_ns, (void)fields, (void)n;
    if (lane == LANE_FLASH || lane == LANE_POWER)
        note(ctx, "%s ", event);
}

static const struct nor_geometry *small_chip(struct nor_geometry *geo)
{
    *geo = *nor_geometry_find("spi4k");
    geo->size_bytes = 64 << 10;
    geo->erase_ns = 20 * NS_PER_MS;
    geo->program_ns = NS_PER_MS;
    geo->read_ns_per_byte = 0;
    return geo;
}

/* x->cfg is what the test wants; chip and events are added. */
static void bench_start(struct bench *x)
{
    struct err err;
    struct nor_geometry geo;
    if (x->nor == NULL)
        x->nor = nor_new(small_chip(&geo), 1, &err);
    REQUIRE(x->nor != NULL);
    x->cfg.nor = x->nor;
    x->cfg.partitions = &x->partitions;
    x->cfg.event = on_event;
    x->cfg.event_ctx = x;
    x->p = posix_board_new(&x->cfg, &err);
    REQUIRE(x->p != NULL);
    x->b = posix_board_board(x->p);
}

static void bench_stop(struct bench *x)
{
    posix_board_free(x->p);
    nor_free(x->nor);
}

static void spawn(struct bench *x, void (*entry)(void *), uint8_t priority)
{
    x->task = x->b->ops->task_new(x->b, "t", entry, x, 4096, priority);
    if (x->task == NULL || x->b->ops->task_start(x->b, x->task) != BOARD_OK)
        note(x, "(no task) ");
}

/* "I am about to block", and waiting until n have said so. The turn is not given up in between. */
static void about_to_block(struct bench *x)
{
    x->ready++;
    x->b->ops->wake(x->b, &x->ready, 1);
}

static void await_blocked(struct bench *x, int n)
{
    while (x->ready < n)
        (void)x->b->ops->wait(x->b, &x->ready, BOARD_FOREVER);
    x->ready = 0;
}

/* ---- order and waiting ---- */

static void say_a(void *arg)
{
    note(arg, "a ");
}

static void say_b(void *arg)
{
    note(arg, "b ");
}

static void say_c(void *arg)
{
    note(arg, "c ");
}

static void priorities_main(void *arg)
{
    struct bench *x = arg;
    note(x, "%d %d ", board_current() == x->b, x->b->ops->task_self(x->b) != NULL);
    spawn(x, say_a, 5);
    spawn(x, say_b, 3);
    spawn(x, say_c, 5);
    note(x, "main ");
}

static void runs_by_priority_then_first_come(void)
{
    struct bench x = {0};
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, priorities_main, &x), POSIX_IDLE);
    CHECK_STR(x.log, "1 1 main b a c ");
    CHECK(board_current() == NULL);
    bench_stop(&x);
}

static const char channel;

static void wait_and_say(struct bench *x, const char *name)
{
    about_to_block(x);
    int rc = x->b->ops->wait(x->b, &channel, BOARD_FOREVER);
    note(x, "%s:%d ", name, rc);
    about_to_block(x);
}

static void wait_low(void *arg)
{
    wait_and_say(arg, "low");
}

static void wait_first(void *arg)
{
    wait_and_say(arg, "first");
}

static void wait_second(void *arg)
{
    wait_and_say(arg, "second");
}

static void wake_main(void *arg)
{
    struct bench *x = arg;
    spawn(x, wait_first, 10);
    spawn(x, wait_second, 10);
    spawn(x, wait_low, 30);
    await_blocked(x, 3);
    for (int i = 0; i < 3; i++) {
        x->b->ops->wake(x->b, &x->number, 99); /* another channel */
        x->b->ops->wake(x->b, &channel, 1);
        await_blocked(x, 1);
        note(x, "; ");
    }
    x->b->ops->idle(x->b);
}

static void wake_takes_one_at_a_time(void)
{
    for (int i = 0; i < 20; i++) {
        struct bench x = {0};
        bench_start(&x);
        CHECK_INT(posix_board_run(x.p, wake_main, &x), POSIX_IDLE);
        CHECK_STR(x.log, "first:0 ; second:0 ; low:0 ; ");
        CHECK_INT(x.b->heap.used_bytes, 0);
        bench_stop(&x);
    }
}

static void time_main(void *arg)
{
    struct bench *x = arg;
    int64_t before_ns = x->b->ops->now_ns(x->b);
    note(x, "%d ", x->b->ops->wait(x->b, &channel, 0));
    note(x, "%d ", x->b->ops->wait(x->b, &channel, 20 * NS_PER_MS));
    int64_t after_ns = x->b->ops->now_ns(x->b);
    note(x, "%s ", after_ns - before_ns >= 20 * NS_PER_MS ? "long" : "short");
    board_sleep_ns(x->b, 15 * NS_PER_MS);
    note(x, "%s ", x->b->ops->now_ns(x->b) - after_ns >= 15 * NS_PER_MS ? "long" : "short");
    note(x, "%s ", before_ns >= 100 * NS_PER_S ? "offset" : "no offset");
    note(x, "%s ", x->b->ops->utc_s(x->b) >= 5100 ? "utc" : "no utc");
}

static void time_outs_are_long_enough(void)
{
    struct bench x = {.cfg = {.now_offset_ns = 100 * NS_PER_S, .utc_start_s = 5000}};
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, time_main, &x), POSIX_IDLE);
    CHECK_STR(x.log, "-1 -1 long long offset utc ");
    bench_stop(&x);
}

/* ---- tasks ---- */

static void limit_main(void *arg)
{
    struct bench *x = arg;
    for (int round = 0; round < 2; round++) {
        struct board_task *t[BOARD_TASKS] = {NULL};
        size_t n = 0;
        while (n < BOARD_TASKS &&
               (t[n] = x->b->ops->task_new(x->b, "t", wait_low, x, 1024, 9)) != NULL)
            (void)x->b->ops->task_start(x->b, t[n++]);
        note(x, "%zu ", n);
        await_blocked(x, (int)n);
        int freed = 0;
        for (size_t i = 0; i < n; i++)
            freed += x->b->ops->task_free(x->b, t[i]) == BOARD_OK;
        note(x, "%d %zu ", freed, board_heap_blocks(x->b));
        x->b->ops->wake(x->b, &channel, 99);
        board_sleep_ns(x->b, NS_PER_MS);
        /* Threads end on their own; until then their place is taken. */
        while ((x->task = x->b->ops->task_new(x->b, "t", say_a, x, 1024, 9)) == NULL)
            board_sleep_ns(x->b, NS_PER_MS);
        (void)x->b->ops->task_free(x->b, x->task);
    }
    (void)x->b->ops->task_free(x->b, x->b->ops->task_self(x->b));
    note(x, "still here ");
}

static void destroyed_tasks_never_run(void)
{
    struct bench x = {0};
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, limit_main, &x), POSIX_IDLE);
    CHECK_HAS(x.log, "15 15 0 ");
    CHECK(strstr(x.log, "low") == NULL);
    CHECK(strstr(x.log, "still here") == NULL);
    bench_stop(&x);
}

/* ---- flash and power ---- */

static void see_busy(void *arg)
{
    struct bench *x = arg;
    note(x, "busy=%d ", x->b->flash_busy);
}

static void erase_main(void *arg)
{
    struct bench *x = arg;
    int64_t before_ns = x->b->ops->now_ns(x->b);
    spawn(x, see_busy, 20);
    int rc = nor_erase(x->nor, 4096, 4096);
    bool long_enough = x->b->ops->now_ns(x->b) - before_ns >= 20 * NS_PER_MS;
    note(x, "%d %s busy=%d ", rc, long_enough ? "long" : "short", x->b->flash_busy);
}

static void others_run_while_flash_is_busy(void)
{
    struct bench x = {0};
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, erase_main, &x), POSIX_IDLE);
    CHECK_STR(x.log, "busy=1 erase 0 long busy=0 ");
    bench_stop(&x);
}

static void erase_twice(void *arg)
{
    struct bench *x = arg;
    about_to_block(x);
    (void)nor_erase(x->nor, 4096, 8192);
    note(x, "erased ");
}

static void blocked_reader(void *arg)
{
    struct bench *x = arg;
    char c = 0;
    about_to_block(x);
    int n = x->b->ops->sock_recv(x->b, x->fd, &c, 1);
    note(x, "read:%d ", n);
    about_to_block(x);
}

static void reset_main(void *arg)
{
    struct bench *x = arg;
    (void)board_alloc(x->b, 1000);
    x->fd = x->b->ops->sock_open(x->b, BOARD_DGRAM);
    spawn(x, wait_low, 9);
    spawn(x, blocked_reader, 9);
    spawn(x, erase_twice, 9);
    await_blocked(x, 3);
    if (x->number == 0)
        x->b->ops->reset(x->b);
    x->b->ops->idle(x->b);
}

static void reset_and_idle_stop_all_tasks(void)
{
    struct bench x = {0};
    bench_start(&x);
    uint8_t zeros[8192] = {0};
    CHECK_INT(nor_load(x.nor, 4096, zeros, sizeof zeros), 0);
    CHECK_INT(posix_board_run(x.p, reset_main, &x), POSIX_RESET);
    CHECK_STR(x.log, "erase "); /* the operation under way, and none after it */
    CHECK_INT(nor_peek(x.nor)[4096], 0xFF);
    CHECK_INT(nor_peek(x.nor)[8192], 0x00);
    CHECK_INT(x.b->heap.used_bytes, 0);
    CHECK(!x.b->flash_busy);
    x.number = 1;
    x.ready = 0;
    CHECK_INT(posix_board_run(x.p, reset_main, &x), POSIX_IDLE);
    CHECK_STR(x.log, "erase erase ");
    bench_stop(&x);
}

static void write_main(void *arg)
{
    struct bench *x = arg;
    uint8_t data[512];
    memset(data, 0x0F, sizeof data);
    spawn(x, wait_low, 20);
    (void)nor_program(x->nor, 0, data, sizeof data);
    note(x, "written ");
}

static void count_loss(void *ctx)
{
    struct bench *x = ctx;
    x->number++;
}

static void a_cut_ends_the_run(void)
{
    struct bench x = {0};
    x.cfg.power_lost = count_loss;
    x.cfg.power_lost_ctx = &x;
    bench_start(&x);
    nor_arm_cut(x.nor, 2, TEAR_PREFIX, 100);
    CHECK_INT(posix_board_run(x.p, write_main, &x), POSIX_CUT);
    CHECK_INT(x.number, 1);
    CHECK_STR(x.log, "program program cut ");
    CHECK(!nor_is_on(x.nor));
    CHECK_INT(nor_peek(x.nor)[256 + 99], 0x0F);
    CHECK_INT(nor_peek(x.nor)[256 + 100], 0xFF);
    bench_stop(&x);
}

static void a_cut_kills_the_process(void)
{
    char path[TEST_PATH_MAX + 16];
    test_tmpdir(path);
    (void)strcat(path, "/flash");
    struct nor_geometry geo;
    struct err err;
    pid_t child = fork();
    if (child == 0) {
        struct bench x = {.nor = nor_open(small_chip(&geo), path, 1, &err)};
        if (x.nor == NULL)
            _exit(3);
        x.cfg = (struct posix_board_config){.nor = x.nor, .partitions = &x.partitions};
        x.p = posix_board_new(&x.cfg, &err);
        x.b = posix_board_board(x.p);
        nor_arm_cut(x.nor, 2, TEAR_PREFIX, 100);
        (void)posix_board_run(x.p, write_main, &x);
        _exit(4);
    }
    REQUIRE(child > 0);
    int status = 0;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK_INT(WTERMSIG(status), SIGKILL);
    struct nor *nor = nor_open(small_chip(&geo), path, 1, &err);
    REQUIRE(nor != NULL);
    CHECK_INT(nor_op_count(nor), 2);
    CHECK_INT(nor_peek(nor)[256 + 99], 0x0F);
    CHECK_INT(nor_peek(nor)[256 + 100], 0xFF);
    nor_free(nor);
}

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

static void incomplete_config_is_refused(void)
{
    struct err err;
    struct posix_board_config cfg = {.seed = 1};
    CHECK(posix_board_new(&cfg, &err) == NULL);
    CHECK_HAS(err.text, "needs a chip");
    posix_board_free(NULL);
}

static const struct test tests[] = {
    {"a cut kills the process, the flash file stays", a_cut_kills_the_process},
    {"tasks run by priority, then first come", runs_by_priority_then_first_come},
    {"a wake takes one waiter, the most urgent, longest waiting", wake_takes_one_at_a_time},
    {"time-outs are long enough", time_outs_are_long_enough},
    {"destroyed tasks never run again", destroyed_tasks_never_run},
    {"other tasks run while flash is busy", others_run_while_flash_is_busy},
    {"reset and idle stop all tasks", reset_and_idle_stop_all_tasks},
    {"a cut ends the run", a_cut_ends_the_run},
    {"an echo, and an orderly close", echo_and_orderly_close},
    {"a reset comes after the data", reset_comes_after_the_data},
    {"a connect is refused", connect_refused},
    {"a connect is not answered", connect_unanswered},
    {"everything goes to the relay", everything_goes_to_the_relay},
    {"a close releases a blocked task", close_releases_a_blocked_task},
    {"bad descriptors fail in every call", bad_descriptors_fail_in_every_call},
    {"datagrams keep their borders", datagrams_keep_their_borders},
    {"an incomplete configuration is refused", incomplete_config_is_refused},
};

TEST_MAIN("posix board", tests)
