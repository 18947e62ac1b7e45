/* A device on the simulated board and a scripted owner of its network, for the tests of sockets. */
#ifndef OTABENCH_SIM_DEVICE_SIM_SOCKET_TESTING_H
#define OTABENCH_SIM_DEVICE_SIM_SOCKET_TESTING_H

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

static inline void note(struct bench *x, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static inline void note(struct bench *x, const char *fmt, ...)
{
    size_t at = strlen(x->log);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(x->log + at, sizeof x->log - at, fmt, ap);
    va_end(ap);
}

static inline int net_connect(void *ctx, int sock, uint32_t ip, uint16_t port)
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

static inline int net_send(void *ctx, int sock, const void *data, size_t len_bytes)
{
    struct bench *x = ctx;
    int n = (int)len_bytes < x->room ? (int)len_bytes : x->room;
    note(x, "send(%d,%.*s) ", sock, n, (const char *)data);
    return n > 0 ? n : -1;
}

static inline void net_close(void *ctx, int sock)
{
    note(ctx, "close(%d) ", sock);
}

static inline int net_resolve(void *ctx, const char *name, uint32_t *ip, int64_t *delay_ns)
{
    (void)ctx;
    *delay_ns = 7 * NS_PER_MS;
    *ip = 0x0A000001;
    return strcmp(name, "cloud") == 0 ? 0 : -1;
}

static inline int net_sendto(void *ctx, int sock, const void *data, size_t len_bytes, uint32_t ip,
                             uint16_t port)
{
    note(ctx, "sendto(%d,%.*s,%08x,%u) ", sock, (int)len_bytes, (const char *)data, ip, port);
    return (int)len_bytes;
}

static inline void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                            const struct trace_field *fields, size_t n)
{
    (void)now_ns, (void)fields, (void)n;
    if (lane == LANE_BENCH)
        note(ctx, "%s ", event);
}

static inline void bench_open(struct bench *x)
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

static inline void bench_close(struct bench *x)
{
    sim_board_free(x->s);
    nor_free(x->nor);
}

static inline void do_step(struct bench *x, const struct step *step)
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
static inline enum sim_state play(struct bench *x, void (*entry)(void *))
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

static inline long long now_ms(struct bench *x)
{
    return (long long)(x->b->ops->now_ns(x->b) / NS_PER_MS);
}

static inline int connected(struct bench *x)
{
    int fd = x->b->ops->sock_open(x->b, BOARD_STREAM);
    CHECK_INT(x->b->ops->sock_connect(x->b, fd, 0x0A000001, 80), 0);
    x->log[0] = '\0';
    return fd;
}

/* Reads four bytes at a time until something final, at most eight times. */
static inline void recv_main(void *arg)
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

#endif
