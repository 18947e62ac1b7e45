/*
 * The other side of one device on the simulated board, for tests: a small network in which what is
 * sent to the device arrives later, in order, on the connection it was meant for. The test answers
 * what the device sends (net.send of the board's configuration); all else is here. For tests only;
 * functions are static, so each test binary has its own.
 */
#ifndef OTABENCH_BOARD_NET_TESTING_H
#define OTABENCH_BOARD_NET_TESTING_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/testing/testing.h"
#include "common/vtime.h"
#include "sim_device/board/sim_board.h"

#define TEST_NET_EVENTS_MAX 128

/* What happens to a request. */
enum act {
    ACT_REPLY,
    ACT_SILENT, /* no answer at all */
    ACT_CLOSE,  /* orderly close instead of an answer */
    ACT_RESET,
    ACT_REPLY_CLOSE,  /* close after the answer */
    ACT_REPLY_RESET,  /* reset after the answer */
    ACT_BYTE_BY_BYTE, /* 1 ms between bytes */
    ACT_TRICKLE,      /* 900 ms between bytes */
};

enum test_net_kind { NET_CONNECTED, NET_DATA, NET_EOF, NET_RESET };

struct test_net_event {
    int64_t at_ns; /* 0: free */
    uint64_t order;
    int sock;
    unsigned connection; /* of the socket when the event was made */
    int64_t step_ns;     /* data: between bytes; 0: all at once */
    enum test_net_kind kind;
    struct buf data;
};

/* First in the world of a test, which is the board's net.ctx. */
struct test_net {
    struct sim_board *s;
    struct board *b;
    int64_t now_ns, latency_ns;
    uint64_t order;
    bool refuse_connect, no_name;
    unsigned connects;
    struct {
        unsigned connection;
        struct buf in;
    } sock[BOARD_SOCKETS];
    struct test_net_event queue[TEST_NET_EVENTS_MAX];
};

static inline struct test_net_event *test_net_queue(struct test_net *n, int sock, int64_t after_ns,
                                                    enum test_net_kind kind)
{
    for (size_t i = 0; i < TEST_NET_EVENTS_MAX; i++) {
        struct test_net_event *e = &n->queue[i];
        if (e->at_ns != 0)
            continue;
        *e = (struct test_net_event){.at_ns = n->b->ops->now_ns(n->b) + after_ns,
                                     .order = ++n->order,
                                     .sock = sock,
                                     .connection = n->sock[sock].connection,
                                     .kind = kind};
        buf_init(&e->data, 1 << 24);
        return e;
    }
    fprintf(stderr, "too many events\n");
    abort();
}

/* ---- the board's net ---- */

static inline int test_net_connect(void *ctx, int sock, uint32_t ip, uint16_t port)
{
    struct test_net *n = ctx;
    (void)ip, (void)port;
    n->sock[sock].connection = ++n->connects;
    buf_clear(&n->sock[sock].in);
    (void)test_net_queue(n, sock, n->latency_ns, NET_CONNECTED);
    return 0;
}

static inline void test_net_close(void *ctx, int sock)
{
    ((struct test_net *)ctx)->sock[sock].connection = 0;
}

static inline int test_net_resolve(void *ctx, const char *name, uint32_t *ip, int64_t *delay_ns)
{
    const struct test_net *n = ctx;
    (void)name;
    *delay_ns = n->latency_ns;
    *ip = 0x0A000001;
    return n->no_name ? -1 : 0;
}

/* ---- replies ---- */

static inline void test_http(struct buf *out, const char *head, const void *body, size_t len)
{
    buf_clear(out);
    REQUIRE(buf_printf(out, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", head, len) == 0);
    if (len > 0)
        REQUIRE(buf_append(out, body, len) == 0);
}

/* Bytes from..to of a file as far as there are any, or 416. */
static inline void test_http_range(struct buf *out, const uint8_t *file, uint32_t bytes,
                                   uint32_t from, uint32_t to)
{
    char head[200];
    if (from >= bytes) {
        (void)snprintf(head, sizeof(head), "416 No\r\nContent-Range: bytes */%" PRIu32, bytes);
        test_http(out, head, NULL, 0);
        return;
    }
    to = to < bytes ? to : bytes - 1;
    (void)snprintf(head, sizeof(head),
                   "206 Partial Content\r\nContent-Range: bytes %" PRIu32 "-%" PRIu32 "/%" PRIu32,
                   from, to, bytes);
    test_http(out, head, file + from, to - from + 1);
}

/* Does with a queued answer what the test has decided. */
static inline void test_net_act(struct test_net *n, struct test_net_event *e, enum act act)
{
    if (act == ACT_REPLY_CLOSE || act == ACT_REPLY_RESET)
        (void)test_net_queue(n, e->sock, n->latency_ns,
                             act == ACT_REPLY_CLOSE ? NET_EOF : NET_RESET);
    if (act == ACT_CLOSE || act == ACT_RESET)
        e->kind = act == ACT_CLOSE ? NET_EOF : NET_RESET;
    if (act == ACT_SILENT)
        e->at_ns = 0;
    if (e->kind != NET_DATA || e->at_ns == 0)
        buf_free(&e->data);
    if (act == ACT_BYTE_BY_BYTE || act == ACT_TRICKLE)
        e->step_ns = act == ACT_TRICKLE ? 900 * NS_PER_MS : NS_PER_MS;
}

/* ---- life ---- */

static inline void test_net_init(struct test_net *n, int64_t latency_ns)
{
    n->latency_ns = latency_ns;
    n->now_ns = NS_PER_S;
    for (size_t i = 0; i < BOARD_SOCKETS; i++)
        buf_init(&n->sock[i].in, 1 << 16);
}

static inline void test_net_drop(struct test_net *n)
{
    for (size_t i = 0; i < TEST_NET_EVENTS_MAX; i++) {
        if (n->queue[i].at_ns != 0)
            buf_free(&n->queue[i].data);
        n->queue[i].at_ns = 0;
    }
}

static inline void test_net_free(struct test_net *n)
{
    test_net_drop(n);
    for (size_t i = 0; i < BOARD_SOCKETS; i++)
        buf_free(&n->sock[i].in);
}

static inline void test_net_deliver(struct test_net *n, struct test_net_event *e)
{
    int sock = e->sock;
    if (n->sock[sock].connection == e->connection) {
        if (e->kind == NET_CONNECTED)
            sim_net_connected(n->s, sock, !n->refuse_connect);
        if (e->kind == NET_EOF)
            sim_net_eof(n->s, sock);
        if (e->kind == NET_RESET)
            sim_net_reset(n->s, sock);
        if (e->kind == NET_DATA && e->step_ns > 0 && e->data.len_bytes > 1) {
            sim_net_data(n->s, sock, e->data.data, 1);
            buf_consume(&e->data, 1);
            e->at_ns = n->now_ns + e->step_ns;
            return;
        }
        if (e->kind == NET_DATA)
            sim_net_data(n->s, sock, e->data.data, e->data.len_bytes);
    }
    buf_free(&e->data);
    e->at_ns = 0;
}

static inline struct test_net_event *test_net_first(struct test_net *n)
{
    struct test_net_event *first = NULL;
    for (size_t i = 0; i < TEST_NET_EVENTS_MAX; i++) {
        struct test_net_event *e = &n->queue[i];
        if (e->at_ns != 0 && (first == NULL || e->at_ns < first->at_ns ||
                              (e->at_ns == first->at_ns && e->order < first->order)))
            first = e;
    }
    return first;
}

/* Runs the board, which has been powered on, until it waits for nothing or stops. */
static inline enum sim_state test_net_run(struct test_net *n)
{
    for (;;) {
        int64_t next_ns;
        enum sim_state st = sim_board_run(n->s, n->now_ns, &next_ns);
        if (st != SIM_WAITING)
            return st;
        struct test_net_event *first = test_net_first(n);
        if (first != NULL && first->at_ns <= next_ns) {
            n->now_ns = first->at_ns > n->now_ns ? first->at_ns : n->now_ns;
            test_net_deliver(n, first);
        } else if (next_ns != VTIME_NEVER) {
            n->now_ns = next_ns;
        } else {
            return st;
        }
    }
}

#endif
