/* What the tests of the reference port share: a device on the simulated board with a small network.
 * Functions are static, so each test binary has its own. */
#ifndef OTABENCH_ONEOS_TESTING_H
#define OTABENCH_ONEOS_TESTING_H

#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "sim_device/board/sim_board.h"
#include "sim_device/port/oneos/oneos_port.h"

#define UNIT 4096u

/* One device, its owner and the network. */
struct bench {
    struct nor *nor;
    struct sim_board *s;
    struct board *b;
    struct partition_table partitions;
    int64_t now_ns;
    struct oneos oneos;
    void (*body)(struct bench *x);
    bool finished;
    char log[1024];
    /* network */
    bool refuse, mute; /* mute: connects stay unanswered */
    int connecting;    /* socket waiting for its outcome, -1: none */
    int sock;          /* last connected */
    int closes;
    char sent[64];
    size_t sent_len;
    int64_t data_at_ns; /* then data_text arrives at sock, 0: never */
    const char *data_text;
    bool eof_at_data, reset_at_data;
};

static inline int net_connect(void *ctx, int sock, uint32_t ip, uint16_t port)
{
    struct bench *x = ctx;
    CHECK_INT(port, 80);
    CHECK_INT(ip, 0x0A000001);
    x->connecting = x->mute ? -1 : sock;
    return 0;
}

static inline int net_send(void *ctx, int sock, const void *data, size_t len_bytes)
{
    struct bench *x = ctx;
    (void)sock;
    size_t n = len_bytes < 3 ? len_bytes : 3; /* takes little at a time */
    if (x->sent_len + n > sizeof(x->sent))
        return -1;
    memcpy(x->sent + x->sent_len, data, n);
    x->sent_len += n;
    return (int)n;
}

static inline void net_close(void *ctx, int sock)
{
    (void)sock;
    ((struct bench *)ctx)->closes++;
}

static inline int net_resolve(void *ctx, const char *name, uint32_t *ip, int64_t *delay_ns)
{
    (void)ctx;
    *delay_ns = 20 * NS_PER_MS;
    *ip = 0x0A000001;
    return strcmp(name, "server.test") == 0 ? 0 : -1;
}

static inline int net_sendto(void *ctx, int sock, const void *data, size_t len_bytes, uint32_t ip,
                             uint16_t port)
{
    struct bench *x = ctx;
    (void)ip;
    (void)port;
    x->sock = sock;
    memcpy(x->sent, data, len_bytes < sizeof(x->sent) ? len_bytes : sizeof(x->sent));
    x->sent_len = len_bytes;
    return (int)len_bytes;
}

static inline void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                            const struct trace_field *fields, size_t n)
{
    struct bench *x = ctx;
    (void)now_ns;
    (void)lane;
    if (strcmp(event, "log") == 0 && n > 0)
        (void)snprintf(x->log, sizeof(x->log), "%s", fields[0].text);
}

static inline void main_task(void *arg)
{
    struct bench *x = arg;
    oneos_start(x->b, &x->oneos);
    x->body(x);
    x->finished = true;
}

static inline void open_on(struct bench *x, const char *chip, int64_t start_ns)
{
    struct err err;
    struct nor_geometry geo = *nor_geometry_find(chip);
    memset(x, 0, sizeof(*x));
    geo.size_bytes = 32 * UNIT;
    x->partitions = (struct partition_table){
        .part = {{"app", UNIT, 4 * UNIT}, {"download", 6 * UNIT, 8 * UNIT}}, .count = 2};
    x->nor = nor_new(&geo, 7, &err);
    REQUIRE(x->nor != NULL);
    REQUIRE_OK(partition_check(&x->partitions, &geo, &err), &err);
    partition_guard(x->nor, &x->partitions);
    const struct sim_board_config cfg = {
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
    x->now_ns = start_ns;
    x->connecting = -1;
}

/* What the network owes the device. Returns when it next has something to do. */
static inline int64_t net_step(struct bench *x)
{
    if (x->connecting >= 0) {
        x->sock = x->connecting;
        x->connecting = -1;
        sim_net_connected(x->s, x->sock, !x->refuse);
        return x->now_ns;
    }
    if (x->data_at_ns == 0 || x->data_at_ns > x->now_ns)
        return x->data_at_ns != 0 ? x->data_at_ns : VTIME_NEVER;
    x->data_at_ns = 0;
    if (x->data_text != NULL)
        sim_net_data(x->s, x->sock, x->data_text, strlen(x->data_text));
    if (x->eof_at_data)
        sim_net_eof(x->s, x->sock);
    if (x->reset_at_data)
        sim_net_reset(x->s, x->sock);
    return x->now_ns;
}

static inline enum sim_state run(struct bench *x, void (*body)(struct bench *x))
{
    x->body = body;
    CHECK_INT(sim_board_power_on(x->s, x->now_ns, main_task, x), 0);
    for (;;) {
        int64_t next_ns;
        enum sim_state st = sim_board_run(x->s, x->now_ns, &next_ns);
        if (st != SIM_WAITING)
            return st;
        next_ns = vtime_min(next_ns, net_step(x));
        if (next_ns == VTIME_NEVER)
            return st;
        x->now_ns = next_ns;
    }
}

static inline void finish(struct bench *x)
{
    CHECK(nor_fault(x->nor) == NULL);
    CHECK_INT(partition_guard_check(x->nor, &x->partitions), UINT32_MAX);
    sim_board_free(x->s);
    nor_free(x->nor);
}

/* The whole of a test: body in task "main" of a fresh device. */
static inline void on_chip(const char *chip, void (*body)(struct bench *x))
{
    struct bench x;
    open_on(&x, chip, NS_PER_S);
    (void)run(&x, body);
    CHECK(x.finished);
    finish(&x);
}

static inline int64_t now_ms(struct bench *x)
{
    return x->b->ops->now_ns(x->b) / NS_PER_MS;
}

/* What a second task is given and what it found. */
struct locker {
    struct bench *x;
    os_mutex_t *m;
    os_sem_t *sem;
    os_tick_t timeout;
    os_err_t result;
    int64_t got_ms;
    int count;
};

#endif
