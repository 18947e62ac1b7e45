/*
 * Test fixture of the posix board. Device code must not use the checks (they belong to the test's
 * thread): it writes down what it sees. Times are only checked to be long enough.
 */
#ifndef OTABENCH_SIM_DEVICE_POSIX_BOARD_TESTING_H
#define OTABENCH_SIM_DEVICE_POSIX_BOARD_TESTING_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "sim_device/board/posix_board.h"

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

static inline void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
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
static inline void bench_start(struct bench *x)
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

static inline void bench_stop(struct bench *x)
{
    posix_board_free(x->p);
    nor_free(x->nor);
}

static inline void spawn(struct bench *x, void (*entry)(void *), uint8_t priority)
{
    x->task = x->b->ops->task_new(x->b, "t", entry, x, 4096, priority);
    if (x->task == NULL || x->b->ops->task_start(x->b, x->task) != BOARD_OK)
        note(x, "(no task) ");
}

/* "I am about to block", and waiting until n have said so. The turn is not given up in between. */
static inline void about_to_block(struct bench *x)
{
    x->ready++;
    x->b->ops->wake(x->b, &x->ready, 1);
}

static inline void await_blocked(struct bench *x, int n)
{
    while (x->ready < n)
        (void)x->b->ops->wait(x->b, &x->ready, BOARD_FOREVER);
    x->ready = 0;
}

static const char channel;

static inline void wait_and_say(struct bench *x, const char *name)
{
    about_to_block(x);
    int rc = x->b->ops->wait(x->b, &channel, BOARD_FOREVER);
    note(x, "%s:%d ", name, rc);
    about_to_block(x);
}

static inline void wait_low(void *arg)
{
    wait_and_say(arg, "low");
}

static inline void blocked_reader(void *arg)
{
    struct bench *x = arg;
    char c = 0;
    about_to_block(x);
    int n = x->b->ops->sock_recv(x->b, x->fd, &c, 1);
    note(x, "read:%d ", n);
    about_to_block(x);
}

#endif
