#include "sim_device/board/sim_socket_testing.h"

/* ---- connect ---- */

static void connect_main(void *arg)
{
    struct bench *x = arg;
    int fd = x->b->ops->sock_open(x->b, BOARD_STREAM);
    int rc = x->b->ops->sock_connect(x->b, fd, 0x0A000001, 80);
    note(x, "%d@%lld ", rc, now_ms(x));
    CHECK_INT(x->b->ops->sock_close(x->b, fd), 0);
    CHECK_INT(x->b->ops->sock_close(x->b, fd), -1);
}

struct outcome {
    const char *name;
    enum answer answer;
    const char *log;
};

static const struct outcome outcomes[] = {
    {"accepted", ANSWER_OK, "connect(0,0a000001,80) 0@20 close(0) "},
    {"accepted at once", ANSWER_OK_AT_ONCE, "connect(0,0a000001,80) 0@0 close(0) "},
    {"refused at once", REFUSE_AT_ONCE, "connect(0,0a000001,80) -1@0 "},
    {"refused later", REFUSE_LATER, "connect(0,0a000001,80) -1@20 "},
    {"unanswered", BLACK_HOLE, "connect(0,0a000001,80) close(0) -1@30000 "},
};

static const char *outcome_name(const void *row)
{
    return ((const struct outcome *)row)->name;
}

static void connect_is(const void *row)
{
    const struct outcome *o = row;
    struct bench x;
    bench_open(&x);
    x.answer = o->answer;
    (void)play(&x, connect_main);
    CHECK_STR(x.log, o->log);
    bench_close(&x);
}

struct arrival {
    const char *name;
    struct step steps[5];
    const char *log;
};

static const struct arrival arrivals[] = {
    {"data in pieces, then close",
     {{30, "data", "abcdef"}, {40, "data", "gh"}, {50, "eof", NULL}},
     "4:abcd@30 2:ef@30 2:gh@40 0:@50 "},
    {"close after data already there",
     {{30, "data", "abcdef"}, {30, "eof", NULL}},
     "4:abcd@30 2:ef@30 0:@30 "},
    {"reset after data: the data first",
     {{30, "data", "ab"}, {30, "reset", NULL}},
     "2:ab@30 -2:@30 "},
    {"reset while waiting", {{35, "reset", NULL}}, "-2:@35 "},
    {"a time-out, and the connection lives",
     {{130, "data", "xy"}, {140, "eof", NULL}},
     "-1:@120 2:xy@130 0:@140 "},
    {"nothing after a close", {{30, "eof", NULL}, {31, "data", "no"}}, "0:@30 "},
};

static const char *arrival_name(const void *row)
{
    return ((const struct arrival *)row)->name;
}

static void recv_sees(const void *row)
{
    const struct arrival *a = row;
    struct bench x;
    bench_open(&x);
    x.steps = a->steps;
    (void)play(&x, recv_main);
    CHECK_STR(x.log, a->log);
    bench_close(&x);
}

static void try_main(void *arg)
{
    struct bench *x = arg;
    int fd = connected(x);
    char c = 0;
    CHECK_INT(x->b->ops->sock_recv_timeout(x->b, fd, 0), 0);
    CHECK_INT(x->b->ops->sock_recv(x->b, fd, &c, 1), BOARD_TIMEOUT);
    CHECK_INT(x->b->ops->now_ns(x->b), 20 * NS_PER_MS);
    CHECK_INT(x->b->ops->sock_recv_timeout(x->b, fd, -1), -1);
    CHECK_INT(x->b->ops->sock_recv(x->b, fd, &c, 0), BOARD_ERROR);
    note(x, "tried");
}

static void recv_of_zero_time_tries(void)
{
    struct bench x;
    bench_open(&x);
    (void)play(&x, try_main);
    CHECK_STR(x.log, "tried");
    bench_close(&x);
}

/* ---- send ---- */

static void send_main(void *arg)
{
    struct bench *x = arg;
    int fresh = x->b->ops->sock_open(x->b, BOARD_STREAM);
    CHECK_INT(x->b->ops->sock_send(x->b, fresh, "no", 2), -1);
    CHECK_INT(x->b->ops->sock_close(x->b, fresh), 0);
    int fd = connected(x);
    CHECK_INT(x->b->ops->sock_send(x->b, fd, "hello", 5), 5);
    x->room = 3;
    CHECK_INT(x->b->ops->sock_send(x->b, fd, "world", 5), 3);
    board_sleep_ns(x->b, 20 * NS_PER_MS);
    CHECK_INT(x->b->ops->sock_send(x->b, fd, "eof", 3), 3); /* half-closed: may still talk */
    board_sleep_ns(x->b, 20 * NS_PER_MS);
    CHECK_INT(x->b->ops->sock_send(x->b, fd, "rst", 3), -1);
    CHECK_INT(x->b->ops->sock_close(x->b, fd), 0); /* the owner already knows */
}

static void send_goes_out_until_reset(void)
{
    static const struct step steps[] = {{30, "eof", NULL}, {50, "reset", NULL}, {0, NULL, NULL}};
    struct bench x;
    bench_open(&x);
    x.steps = steps;
    (void)play(&x, send_main);
    CHECK_STR(x.log, "send(0,hello) send(0,wor) send(0,eof) ");
    bench_close(&x);
}

/* ---- several tasks ---- */

static void blocked_reader(void *arg)
{
    struct bench *x = arg;
    char c = 0;
    int n = x->b->ops->sock_recv(x->b, x->fd, &c, 1);
    note(x, "released:%d@%lld ", n, now_ms(x));
}

static void blocked_poller(void *arg)
{
    struct bench *x = arg;
    int n = x->b->ops->sock_poll(x->b, x->fd, BOARD_READABLE, BOARD_FOREVER);
    note(x, "released:%d@%lld ", n, now_ms(x));
}

static void close_under_main(void *arg)
{
    struct bench *x = arg;
    x->fd = connected(x);
    struct board_task *t = x->b->ops->task_new(x->b, "r", blocked_reader, x, 4096, 9);
    CHECK_INT(x->b->ops->task_start(x->b, t), BOARD_OK);
    t = x->b->ops->task_new(x->b, "p", blocked_poller, x, 4096, 9);
    CHECK_INT(x->b->ops->task_start(x->b, t), BOARD_OK);
    board_sleep_ns(x->b, NS_PER_MS);
    CHECK_INT(x->b->ops->sock_close(x->b, x->fd), 0);
    CHECK_INT(x->b->ops->sock_open(x->b, BOARD_STREAM), x->fd); /* same number, another socket */
    board_sleep_ns(x->b, NS_PER_MS);
}

static void close_releases_blocked_tasks(void)
{
    struct bench x;
    bench_open(&x);
    (void)play(&x, close_under_main);
    CHECK_STR(x.log, "close(0) released:-2@21 released:-1@21 ");
    bench_close(&x);
}

/* ---- poll ---- */

static void poll_main(void *arg)
{
    struct bench *x = arg;
    const int all = BOARD_READABLE | BOARD_WRITABLE | BOARD_EXCEPTION;
    int fresh = x->b->ops->sock_open(x->b, BOARD_STREAM);
    CHECK_INT(x->b->ops->sock_poll(x->b, fresh, all, NS_PER_MS), 0);
    CHECK_INT(now_ms(x), 1);
    CHECK_INT(x->b->ops->sock_close(x->b, fresh), 0);

    int fd = connected(x); /* at 21 ms */
    CHECK_INT(x->b->ops->sock_poll(x->b, fd, all, BOARD_FOREVER), BOARD_WRITABLE);
    CHECK_INT(x->b->ops->sock_poll(x->b, fd, BOARD_READABLE, 0), 0);
    CHECK_INT(now_ms(x), 21);
    CHECK_INT(x->b->ops->sock_poll(x->b, fd, BOARD_READABLE, 4 * NS_PER_MS), 0);
    CHECK_INT(now_ms(x), 25);
    CHECK_INT(x->b->ops->sock_poll(x->b, fd, all & ~BOARD_WRITABLE, NS_PER_S), BOARD_READABLE);
    CHECK_INT(now_ms(x), 30);
    CHECK_INT(x->b->ops->sock_poll(x->b, fd, all, 0), BOARD_READABLE | BOARD_WRITABLE);
    char text[8];
    CHECK_INT(x->b->ops->sock_recv(x->b, fd, text, sizeof text), 2);
    CHECK_INT(x->b->ops->sock_poll(x->b, fd, BOARD_EXCEPTION, NS_PER_S), BOARD_EXCEPTION);
    CHECK_INT(now_ms(x), 40);
    CHECK_INT(x->b->ops->sock_poll(x->b, fd, all, 0), all);
}

static void poll_tells_readiness(void)
{
    static const struct step steps[] = {{30, "data", "ab"}, {40, "reset", NULL}, {0, NULL, NULL}};
    struct bench x;
    bench_open(&x);
    x.steps = steps;
    (void)play(&x, poll_main);
    CHECK_INT(x.now_ns, 40 * NS_PER_MS);
    bench_close(&x);
}

static const struct test tests[] = {
    TEST_ROWS("a connect is", connect_is, outcomes, outcome_name),
    TEST_ROWS("receive sees", recv_sees, arrivals, arrival_name),
    {"a receive of zero time tries", recv_of_zero_time_tries},
    {"what is sent goes out until the reset", send_goes_out_until_reset},
    {"a close releases blocked tasks", close_releases_blocked_tasks},
    {"poll tells readiness", poll_tells_readiness},
};
TEST_MAIN("simulated sockets", tests)
