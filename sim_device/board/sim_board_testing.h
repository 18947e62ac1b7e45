/*
 * Test fixture of the simulated board: a scripted owner without a network, that writes down what
 * happens and moves the clock.
 */
#ifndef OTABENCH_SIM_DEVICE_SIM_BOARD_TESTING_H
#define OTABENCH_SIM_DEVICE_SIM_BOARD_TESTING_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "sim_device/board/sim_board.h"

struct bench {
    struct nor *nor;
    struct partition_table partitions;
    struct sim_board *s;
    struct board *b;
    int64_t now_ns;
    struct trace *trace;
    char log[8192];
    struct board_task *task; /* as a test needs */
    int number;
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

static inline int refuse(void *ctx, int sock, uint32_t ip, uint16_t port)
{
    (void)ctx, (void)sock, (void)ip, (void)port;
    return -1;
}

static inline int take_none(void *ctx, int sock, const void *data, size_t len_bytes)
{
    (void)ctx, (void)sock, (void)data, (void)len_bytes;
    return -1;
}

static inline void closed(void *ctx, int sock)
{
    (void)ctx, (void)sock;
}

static inline int know_nobody(void *ctx, const char *name, uint32_t *ip, int64_t *delay_ns)
{
    (void)ctx, (void)name, (void)ip, (void)delay_ns;
    return -1;
}

static inline void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                            const struct trace_field *fields, size_t n)
{
    struct bench *x = ctx;
    trace_emit(x->trace, now_ns, lane, event, fields, n);
    if (lane == LANE_FLASH || lane == LANE_POWER)
        note(x, "%s%s@%lld ", event, n > 3 && fields[3].integer == 1 ? "(torn)" : "",
             (long long)(now_ns / NS_PER_MS));
}

/* 4 KiB sectors, 10 ms per erase, 1 ms per page, reading is free unless asked for. */
static inline void bench_open(struct bench *x, uint64_t seed, int64_t read_ns_per_byte)
{
    struct err err;
    struct nor_geometry geo = *nor_geometry_find("spi4k");
    geo.size_bytes = 64 << 10;
    geo.erase_ns = 10 * NS_PER_MS;
    geo.program_ns = NS_PER_MS;
    geo.read_ns_per_byte = read_ns_per_byte;
    memset(x, 0, sizeof *x);
    x->nor = nor_new(&geo, seed, &err);
    REQUIRE(x->nor != NULL);
    x->trace = trace_new(NULL);
    struct sim_board_config cfg = {
        .nor = x->nor,
        .partitions = &x->partitions,
        .net = {x, refuse, take_none, closed, know_nobody, NULL},
        .utc_start_s = 1000,
        .seed = seed,
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
    trace_free(x->trace);
}

/* Runs the device up to and including that time. */
static inline enum sim_state run_to(struct bench *x, int64_t until_ns)
{
    for (;;) {
        int64_t next_ns = 0;
        enum sim_state st = sim_board_run(x->s, x->now_ns, &next_ns);
        if (st != SIM_WAITING || next_ns > until_ns) {
            if (st == SIM_WAITING && until_ns != VTIME_NEVER - 1)
                x->now_ns = until_ns;
            return st;
        }
        x->now_ns = next_ns;
    }
}

static inline enum sim_state run_out(struct bench *x)
{
    return run_to(x, VTIME_NEVER - 1);
}

static inline void power(struct bench *x, void (*entry)(void *))
{
    if (!nor_is_on(x->nor))
        nor_power_on(x->nor);
    CHECK_INT(sim_board_power_on(x->s, x->now_ns, entry, x), 0);
}

static inline long long now_ms(struct bench *x)
{
    return (long long)(x->b->ops->now_ns(x->b) / NS_PER_MS);
}

static inline void spawn(struct bench *x, void (*entry)(void *), uint8_t priority)
{
    x->task = x->b->ops->task_new(x->b, "t", entry, x, 4096, priority);
    REQUIRE(x->task != NULL);
    CHECK_INT(x->b->ops->task_start(x->b, x->task), BOARD_OK);
}

static const char channel;

static inline void wait_and_say(struct bench *x, const char *name, int64_t timeout_ns)
{
    int rc = x->b->ops->wait(x->b, &channel, timeout_ns);
    note(x, "%s%s@%lld ", name, rc == BOARD_OK ? "" : "(late)", now_ms(x));
}

static inline void wait_low(void *arg)
{
    wait_and_say(arg, "low", BOARD_FOREVER);
}

static inline void wait_five(void *arg)
{
    wait_and_say(arg, "five", 5 * NS_PER_MS);
}

#endif
