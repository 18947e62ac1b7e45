#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "sim_device/board/sim_board.h"

/* How the owner answers a connect. */
enum answer { ANSWER_OK, ANSWER_OK_AT_ONCE, REFUSE_AT_ONCE, REFUSE_LATER, BLACK_HOLE };

/* A scripted owner: steps happen at given times, and what the device sends is written down. */
struct bench {
    struct nor *nor;
    struct partition_table partitions;
    struct sim_board *s;
    struct board *b;
    int64_t now_ns;
    enum answer answer;
    int connecting; /* fd, or -1 */
    int fd;
    int room; /* bytes net.send takes at a time */
    const struct step *steps;
    char log[4096];
};

/* At `at_ms` the owner does that to the first socket; the table ends with a null `what`. */
struct step {
    int at_ms;
    const char *what; /* "data", "eof", "reset", "dgram" */
    const char *text;
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

static int net_connect(void *ctx, int sock, uint32_t ip, uint16_t port)
{
    struct bench *x = ctx;
    note(x, "connect(%d,%08x,%u) ", sock, ip, port);
    if (x->answer == REFUSE_AT_ONCE)
        return -1;
    x->connecting = sock;
    if (x->answer == ANSWER_OK_AT_ONCE)
        sim_net_connected(x->s, sock, true);
    return 0;
}

static int net_send(void *ctx, int sock, const void *data, size_t len_bytes)
{
    struct bench *x = ctx;
    int n = (int)len_bytes < x->room ? (int)len_bytes : x->room;
    note(x, "send(%d,%.*s) ", sock, n, (const char *)data);
    return n > 0 ? n : -1;
}

static void net_close(void *ctx, int sock)
{
    note(ctx, "close(%d) ", sock);
}

static int net_resolve(void *ctx, const char *name, uint32_t *ip, int64_t *delay_ns)
{
    (void)ctx;
    *delay_ns = 7 * NS_PER_MS;
    *ip = 0x0A000001;
    return strcmp(name, "cloud") == 0 ? 0 : -1;
}

static int net_sendto(void *ctx, int sock, const void *data, size_t len_bytes, uint32_t ip,
                      uint16_t port)
{
    note(ctx, "sendto(%d,%.*s,%08x,%u) ", sock, (int)len_bytes, (const char *)data, ip, port);
    return (int)len_bytes;
}

static void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                     const struct trace_field *fields, size_t n)
{
    (void)now_ns, (void)fields, (void)n;
    if (lane == LANE_BENCH)
        note(ctx, "%s ", event);
}

static void bench_open(struct bench *x)
{
    struct err err;
    *x = (struct bench){.connecting = -1, .room = 1000};
    x->nor = nor_new(nor_geometry_find("spi4k"), 1, &err);
    REQUIRE(x->nor != NULL);
    struct sim_board_config cfg = {
        .nor = x->nor,
        .partitions = &x->partitions,
        .net = {x, net_connect, net_send, net_close, net_resolve, net_sendto},
        .connect_timeout_ns = 30 * NS_PER_S,
        .event = on_event,
        .event_ctx = x,
    };
    x->s = sim_board_new(&cfg, &err);
    REQUIRE(x->s != NULL);
    x->b = sim_board_board(x->s);
}

static void bench_close(struct bench *x)
{
    sim_board_free(x->s);
    nor_free(x->nor);
}

static void do_step(struct bench *x, const struct step *step)
{
    if (strcmp(step->what, "data") == 0)
        sim_net_data(x->s, 0, step->text, strlen(step->text));
    else if (strcmp(step->what, "eof") == 0)
        sim_net_eof(x->s, 0);
    else if (strcmp(step->what, "reset") == 0)
        sim_net_reset(x->s, 0);
    else if (strcmp(step->what, "dgram") == 0)
        sim_net_datagram(x->s, 0, 0x0A000009, 53, step->text, strlen(step->text));
    else
        CHECK_STR(step->what, "a known step");
}

/* Runs entry to the end of the world; connects are answered after 20 ms. */
static enum sim_state play(struct bench *x, void (*entry)(void *))
{
    CHECK_INT(sim_board_power_on(x->s, x->now_ns, entry, x), 0);
    int64_t answer_ns = VTIME_NEVER;
    for (;;) {
        int64_t next_ns = 0;
        enum sim_state st = sim_board_run(x->s, x->now_ns, &next_ns);
        if (st != SIM_WAITING)
            return st;
        if (x->connecting >= 0 && answer_ns == VTIME_NEVER && x->answer != BLACK_HOLE)
            answer_ns = x->now_ns + 20 * NS_PER_MS;
        bool more = x->steps != NULL && x->steps->what != NULL;
        int64_t step_ns = more ? x->steps->at_ms * NS_PER_MS : VTIME_NEVER;
        int64_t then_ns = vtime_min(vtime_min(next_ns, answer_ns), step_ns);
        if (then_ns == VTIME_NEVER)
            return st;
        x->now_ns = then_ns;
        if (then_ns == answer_ns) {
            sim_net_connected(x->s, x->connecting, x->answer != REFUSE_LATER);
            x->connecting = -1;
            answer_ns = VTIME_NEVER;
        }
        if (then_ns == step_ns)
            do_step(x, x->steps++);
    }
}

static long long now_ms(struct bench *x)
{
    return (long long)(x->b->ops->now_ns(x->b) / NS_PER_MS);
}

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

/* ---- receive ---- */

static int connected(struct bench *x)
{
    int fd = x->b->ops->sock_open(x->b, BOARD_STREAM);
    CHECK_INT(x->b->ops->sock_connect(x->b, fd, 0x0A000001, 80), 0);
    x->log[0] = '\0';
    return fd;
}

/* Reads four bytes at a time until something final, at most eight times. */
static void recv_main(void *arg)
{
    struct bench *x = arg;
    int fd = connected(x);
    CHECK_INT(x->b->ops->sock_recv_timeout(x->b, fd, 100 * NS_PER_MS), 0);
    for (int i = 0; i < 8; i++) {
        char text[5] = "";
        int n = x->b->ops->sock_recv(x->b, fd, text, 4);
        note(x, "%d:%s@%lld ", n, text, now_ms(x));
        if (n == 0 || n == BOARD_ERROR)
            break;
    }
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

/* ---- the rest ---- */

static void bad_main(void *arg)
{
    struct bench *x = arg;
    const struct board_ops *ops = x->b->ops;
    static const int fds[] = {-1, 0, BOARD_SOCKETS - 1, BOARD_SOCKETS, 1000000};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        uint32_t ip = 0;
        uint16_t port = 0;
        char c = 0;
        CHECK_INT(ops->sock_close(x->b, fds[i]), -1);
        CHECK_INT(ops->sock_connect(x->b, fds[i], 1, 1), -1);
        CHECK_INT(ops->sock_send(x->b, fds[i], "x", 1), -1);
        CHECK_INT(ops->sock_recv(x->b, fds[i], &c, 1), BOARD_ERROR);
        CHECK_INT(ops->sock_recv_timeout(x->b, fds[i], 1), -1);
        CHECK_INT(ops->sock_poll(x->b, fds[i], BOARD_READABLE, 1), -1);
        CHECK_INT(ops->sock_sendto(x->b, fds[i], "x", 1, 1, 1), -1);
        CHECK_INT(ops->sock_recvfrom(x->b, fds[i], &c, 1, &ip, &port), BOARD_ERROR);
    }
    CHECK_INT(ops->sock_open(x->b, (enum board_sock_type)7), -1);
    for (int i = 0; i < BOARD_SOCKETS; i++)
        CHECK_INT(ops->sock_open(x->b, BOARD_STREAM), i);
    CHECK_INT(ops->sock_open(x->b, BOARD_STREAM), -1);
    CHECK_INT(ops->sock_close(x->b, 5), 0);
    CHECK_INT(ops->sock_open(x->b, BOARD_DGRAM), 5);
    note(x, "checked");
}

static void bad_descriptors_fail_in_every_call(void)
{
    struct bench x;
    bench_open(&x);
    (void)play(&x, bad_main);
    CHECK_STR(x.log, "checked");
    bench_close(&x);
}

static void dgram_main(void *arg)
{
    struct bench *x = arg;
    const struct board_ops *ops = x->b->ops;
    int fd = ops->sock_open(x->b, BOARD_DGRAM);
    CHECK_INT(ops->sock_send(x->b, fd, "no", 2), -1);
    CHECK_INT(ops->sock_sendto(x->b, fd, "hi", 2, 0x0A000009, 53), 2);
    CHECK_INT(ops->sock_connect(x->b, fd, 0x0A000008, 54), 0);
    CHECK_INT(ops->sock_send(x->b, fd, "ho", 2), 2);
    char text[4] = "";
    uint32_t ip = 0;
    uint16_t port = 0;
    CHECK_INT(ops->sock_recvfrom(x->b, fd, text, 3, &ip, &port), 3); /* the rest is lost */
    CHECK_STR(text, "abc");
    CHECK_INT(ip, 0x0A000009);
    CHECK_INT(port, 53);
    CHECK_INT(ops->sock_recv(x->b, fd, text, 3), 2);
    CHECK_MEM(text, "xy", 2);
    CHECK_INT(ops->sock_recv_timeout(x->b, fd, NS_PER_MS), 0);
    CHECK_INT(ops->sock_recv(x->b, fd, text, 3), BOARD_TIMEOUT);
    CHECK_INT(ops->sock_close(x->b, fd), 0);
}

static void datagrams_keep_their_borders(void)
{
    static const struct step steps[] = {
        {5, "dgram", "abcde"}, {5, "dgram", "xy"}, {5, "data", "no stream"}, {0, NULL, NULL}};
    struct bench x;
    bench_open(&x);
    x.steps = steps;
    (void)play(&x, dgram_main);
    CHECK_STR(x.log, "sendto(0,hi,0a000009,53) sendto(0,ho,0a000008,54) close(0) ");
    CHECK_INT(x.now_ns, 6 * NS_PER_MS);
    bench_close(&x);
}

static void resolve_main(void *arg)
{
    struct bench *x = arg;
    uint32_t ip = 0;
    CHECK_INT(x->b->ops->resolve(x->b, "10.1.2.3", &ip), 0);
    CHECK_INT(ip, 0x0A010203);
    CHECK_INT(now_ms(x), 0);
    CHECK_INT(x->b->ops->resolve(x->b, "cloud", &ip), 0);
    CHECK_INT(ip, 0x0A000001);
    CHECK_INT(now_ms(x), 7);
    CHECK_INT(x->b->ops->resolve(x->b, "nobody", &ip), -1);
    CHECK_INT(now_ms(x), 14);
    note(x, "resolved");
}

static void names_take_their_time(void)
{
    struct bench x;
    bench_open(&x);
    (void)play(&x, resolve_main);
    CHECK_STR(x.log, "resolved");
    bench_close(&x);
}

static void window_main(void *arg)
{
    struct bench *x = arg;
    int fd = connected(x);
    board_sleep_ns(x->b, NS_PER_MS);
    static char all[300000];
    size_t got = 0;
    int n = 0;
    while ((n = x->b->ops->sock_recv(x->b, fd, all + got, 777)) > 0)
        got += (size_t)n;
    CHECK_INT(n, 0);
    CHECK_INT(got, 300000);
    for (size_t i = 0; i < got; i++)
        if (all[i] != (char)(i % 251)) {
            CHECK_INT(i, -1);
            break;
        }
    note(x, "all");
}

static void much_data_is_kept_in_order(void)
{
    struct bench x;
    bench_open(&x);
    CHECK_INT(sim_board_power_on(x.s, 0, window_main, &x), 0);
    int64_t next_ns = 0;
    CHECK_INT(sim_board_run(x.s, 0, &next_ns), SIM_WAITING);
    CHECK_INT(sim_net_room(x.s, 0), 0);
    sim_net_connected(x.s, 0, true);
    CHECK_INT(sim_board_run(x.s, 0, &next_ns), SIM_WAITING);
    CHECK_INT(sim_net_room(x.s, 0), 65536);
    static char all[300000];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)(i % 251);
    sim_net_data(x.s, 0, all, 60000);
    CHECK_INT(sim_net_room(x.s, 0), 5536);
    sim_net_data(x.s, 0, all + 60000, sizeof all - 60000);
    CHECK_INT(sim_net_room(x.s, 0), 0);
    sim_net_eof(x.s, 0);
    CHECK_INT(sim_board_run(x.s, next_ns, &next_ns), SIM_WAITING);
    CHECK_STR(x.log, "all");
    bench_close(&x);
}

static void flooded_main(void *arg)
{
    struct bench *x = arg;
    int fd = connected(x);
    board_sleep_ns(x->b, NS_PER_MS);
    CHECK_INT(x->b->ops->sock_send(x->b, fd, "x", 1), -1);
}

static void overflow_breaks_the_connection(void)
{
    static char megabyte[1 << 20];
    struct bench x;
    bench_open(&x);
    x.answer = ANSWER_OK_AT_ONCE;
    CHECK_INT(sim_board_power_on(x.s, 0, flooded_main, &x), 0);
    int64_t next_ns = 0;
    CHECK_INT(sim_board_run(x.s, 0, &next_ns), SIM_WAITING);
    for (int i = 0; i < 17; i++)
        sim_net_data(x.s, 0, megabyte, sizeof megabyte);
    CHECK_STR(x.log, "overflow close(0) ");
    CHECK_INT(sim_board_run(x.s, next_ns, &next_ns), SIM_WAITING);
    bench_close(&x);
}

static void cut_main(void *arg)
{
    struct bench *x = arg;
    (void)connected(x);
    (void)nor_erase(x->nor, 0, 4096);
}

static void a_cut_tells_the_owner_nothing(void)
{
    struct bench x;
    bench_open(&x);
    nor_arm_cut(x.nor, 1, TEAR_PREFIX, 8);
    CHECK_INT(play(&x, cut_main), SIM_CUT);
    sim_net_data(x.s, 0, "late", 4);
    sim_net_eof(x.s, 0);
    sim_net_reset(x.s, 0);
    sim_net_connected(x.s, 0, true);
    sim_net_data(x.s, -1, "nowhere", 7);
    sim_net_eof(x.s, BOARD_SOCKETS);
    CHECK_STR(x.log, "");
    nor_power_on(x.nor);
    (void)play(&x, recv_main); /* a fresh socket: nothing of the late data */
    CHECK_HAS(x.log, "-1:");
    bench_close(&x);
}

static const struct test tests[] = {
    TEST_ROWS("a connect is", connect_is, outcomes, outcome_name),
    TEST_ROWS("receive sees", recv_sees, arrivals, arrival_name),
    {"a receive of zero time tries", recv_of_zero_time_tries},
    {"what is sent goes out until the reset", send_goes_out_until_reset},
    {"a close releases blocked tasks", close_releases_blocked_tasks},
    {"poll tells readiness", poll_tells_readiness},
    {"bad descriptors fail in every call", bad_descriptors_fail_in_every_call},
    {"datagrams keep their borders", datagrams_keep_their_borders},
    {"names take their time", names_take_their_time},
    {"much data is kept in order", much_data_is_kept_in_order},
    {"an overflow breaks the connection", overflow_breaks_the_connection},
    {"a cut tells the owner nothing", a_cut_tells_the_owner_nothing},
};

TEST_MAIN("simulated sockets", tests)
