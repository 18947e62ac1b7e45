/* The reference port's promises, on the simulated board with exact virtual time. */
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

static int net_connect(void *ctx, int sock, uint32_t ip, uint16_t port)
{
    struct bench *x = ctx;
    CHECK_INT(port, 80);
    CHECK_INT(ip, 0x0A000001);
    x->connecting = x->mute ? -1 : sock;
    return 0;
}

static int net_send(void *ctx, int sock, const void *data, size_t len_bytes)
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

static void net_close(void *ctx, int sock)
{
    (void)sock;
    ((struct bench *)ctx)->closes++;
}

static int net_resolve(void *ctx, const char *name, uint32_t *ip, int64_t *delay_ns)
{
    (void)ctx;
    *delay_ns = 20 * NS_PER_MS;
    *ip = 0x0A000001;
    return strcmp(name, "server.test") == 0 ? 0 : -1;
}

static int net_sendto(void *ctx, int sock, const void *data, size_t len_bytes, uint32_t ip,
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

static void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                     const struct trace_field *fields, size_t n)
{
    struct bench *x = ctx;
    (void)now_ns;
    (void)lane;
    if (strcmp(event, "log") == 0 && n > 0)
        (void)snprintf(x->log, sizeof(x->log), "%s", fields[0].text);
}

static void main_task(void *arg)
{
    struct bench *x = arg;
    oneos_start(x->b, &x->oneos);
    x->body(x);
    x->finished = true;
}

static void open_on(struct bench *x, const char *chip, int64_t start_ns)
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
static int64_t net_step(struct bench *x)
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

static enum sim_state run(struct bench *x, void (*body)(struct bench *x))
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

static void finish(struct bench *x)
{
    CHECK(nor_fault(x->nor) == NULL);
    CHECK_INT(partition_guard_check(x->nor, &x->partitions), UINT32_MAX);
    sim_board_free(x->s);
    nor_free(x->nor);
}

/* The whole of a test: body in task "main" of a fresh device. */
static void on_chip(const char *chip, void (*body)(struct bench *x))
{
    struct bench x;
    open_on(&x, chip, NS_PER_S);
    (void)run(&x, body);
    CHECK(x.finished);
    finish(&x);
}

static int64_t now_ms(struct bench *x)
{
    return x->b->ops->now_ns(x->b) / NS_PER_MS;
}

/* ---- flash ---- */

static void find_body(struct bench *x)
{
    fal_part_t *p = fal_part_find("download"), *q = fal_part_find("app");
    (void)x;
    CHECK(p != NULL && q != NULL && p != q);
    if (p == NULL || q == NULL)
        return;
    CHECK_INT(p->info->offset, 6 * UNIT);
    CHECK_INT(fal_part_size(p), 8 * UNIT);
    CHECK_INT(fal_part_block_size(p), UNIT);
    CHECK_INT(fal_part_page_size(p), 1);
    CHECK(p->info->offset + p->info->size <= p->flash->capacity);
    CHECK_STR(p->info->name, "download");
    CHECK(fal_part_find("download") == p);
    CHECK(fal_part_find("downloa") == NULL);
    CHECK(fal_part_find("download0") == NULL);
    CHECK(fal_part_find("") == NULL);
    CHECK(fal_part_find(NULL) == NULL);
    CHECK(fal_part_find("a name far beyond the sixteen bytes of the table") == NULL);
}

static void find(void)
{
    on_chip("spi4k", find_body);
}

/* Every offset in a page times lengths around a page, with guards around the caller's buffer. */
static void write_read_body(struct bench *x)
{
    static const uint32_t lengths[] = {1, 2, 255, 256, 257, 1000};
    fal_part_t *p = fal_part_find("app");
    uint8_t out[1024], in[1024 + 32];
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (uint8_t)(i * 7 + 1);
    for (uint32_t at = 0; at < 300; at += 37)
        for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
            uint32_t len = lengths[k], off = UNIT - 200 + at;
            CHECK_INT(fal_part_erase(p, 0, 2 * UNIT), 0);
            CHECK_INT(fal_part_write(p, off, out, len), len);
            memset(in, 0xEE, sizeof(in));
            CHECK_INT(fal_part_read(p, off, in + 16, len), len);
            CHECK_MEM(in + 16, out, len);
            for (size_t g = 0; g < 16; g++)
                if (!CHECK(in[g] == 0xEE && in[16 + len + g] == 0xEE))
                    return;
            const uint8_t *flash = nor_peek(x->nor) + UNIT;
            CHECK_INT(flash[off - 1], 0xFF);
            CHECK_INT(flash[off + len], 0xFF);
        }
}

static void write_read(void)
{
    on_chip("spi4k", write_read_body);
}

static void erase_body(struct bench *x)
{
    fal_part_t *p = fal_part_find("app");
    const uint8_t *flash = nor_peek(x->nor) + UNIT;
    uint8_t zero[UNIT] = {0};
    for (uint32_t i = 0; i < 4; i++)
        CHECK_INT(fal_part_write(p, i * UNIT, zero, UNIT), UNIT);
    CHECK(fal_part_erase(p, 1, UNIT) < 0);
    CHECK_INT(fal_part_erase(p, UNIT, UNIT + 1), 0); /* rounded up to two blocks */
    CHECK_INT(flash[UNIT - 1], 0);
    CHECK_INT(flash[UNIT], 0xFF);
    CHECK_INT(flash[3 * UNIT - 1], 0xFF);
    CHECK_INT(flash[3 * UNIT], 0);
    CHECK_INT(fal_part_erase(p, 3 * UNIT, 176), 0); /* as an old vendor library does */
    CHECK_INT(flash[4 * UNIT - 1], 0xFF);
}

static void erase(void)
{
    on_chip("spi4k", erase_body);
}

/* Out of range in every way, and calls that do nothing. */
static void range_body(struct bench *x)
{
    static const struct {
        uint32_t addr;
        os_size_t size;
    } outside[] = {{4 * UNIT, 1},
                   {4 * UNIT - 1, 2},
                   {0, 4 * UNIT + 1},
                   {0xFFFFFFFF, 2},
                   {UNIT, 0xFFFFFFFF},
                   {0, 0x100000001},
                   {4 * UNIT - UNIT, 0x100000000 + UNIT},
                   {0xFFFFF000, 0x1000}};
    fal_part_t *p = fal_part_find("app");
    uint8_t buf[8] = {0};
    uint64_t before = nor_op_count(x->nor);
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        CHECK_INT(fal_part_read(p, outside[i].addr, buf, outside[i].size), -1);
        CHECK_INT(fal_part_write(p, outside[i].addr, buf, outside[i].size), -1);
        CHECK_INT(fal_part_erase(p, outside[i].addr, outside[i].size), -1);
    }
    CHECK_INT(fal_part_read(p, 0, buf, 0), 0);
    CHECK_INT(fal_part_write(p, 0, buf, 0), 0);
    CHECK_INT(fal_part_erase(p, 0, 0), 0);
    CHECK_INT(fal_part_read(p, 4 * UNIT, buf, 0), 0);
    CHECK_INT(fal_part_read(NULL, 0, buf, 1), -1);
    CHECK_INT(fal_part_write(p, 0, NULL, 1), -1);
    CHECK_INT(fal_part_read(p, 0, NULL, 1), -1);
    CHECK_INT(fal_part_erase(NULL, 0, UNIT), -1);
    CHECK_INT(nor_op_count(x->nor), before);
}

static void range(void)
{
    on_chip("spi4k", range_body);
}

static void faults_body(struct bench *x)
{
    fal_part_t *p = fal_part_find("app");
    uint8_t buf[4] = {0};
    nor_inject(x->nor, NOR_IO_READ, UNIT, 4, 1);
    nor_inject(x->nor, NOR_IO_PROGRAM, UNIT, 4, 1);
    nor_inject(x->nor, NOR_IO_ERASE, UNIT, 4, 1);
    CHECK_INT(fal_part_read(p, 0, buf, 4), OS_EIO);
    CHECK_INT(fal_part_write(p, 0, buf, 4), OS_EIO);
    CHECK_INT(fal_part_erase(p, 0, UNIT), OS_EIO);
    CHECK_INT(fal_part_read(p, 0, buf, 4), 4); /* once only */
}

static void faults(void)
{
    on_chip("spi4k", faults_body);
}

static void rewrite_body(struct bench *x)
{
    fal_part_t *p = fal_part_find("app");
    const uint8_t a = 0xF0, b = 0x3C;
    uint8_t got = 0;
    (void)x;
    CHECK_INT(fal_part_write(p, 5, &a, 1), 1);
    CHECK_INT(fal_part_write(p, 5, &b, 1), 1);
    CHECK_INT(fal_part_read(p, 5, &got, 1), 1);
    CHECK_INT(got, 0x30);
}

static void rewrite(void)
{
    on_chip("spi4k", rewrite_body);
}

static void write_once_body(struct bench *x)
{
    fal_part_t *p = fal_part_find("app");
    uint8_t a[16] = {0}, got[3];
    (void)x;
    CHECK_INT(fal_part_page_size(p), 8);
    CHECK_INT(fal_part_write(p, 4, a, 8), -1);
    CHECK_INT(fal_part_write(p, 8, a, 7), -1);
    CHECK_INT(fal_part_write(p, 8, a, 8), 8);
    CHECK_INT(fal_part_write(p, 8, a, 8), OS_EIO);
    CHECK_INT(fal_part_write(p, 16, a, 16), 16);
    CHECK_INT(fal_part_read(p, 7, got, 3), 3);
    CHECK_INT(got[0], 0xFF);
    CHECK_INT(got[1], 0);
}

static void write_once(void)
{
    on_chip("internal8", write_once_body);
}

/* A granule torn by a cut is told apart from an I/O error. */
static void torn_first(struct bench *x)
{
    uint8_t a[8] = {0};
    nor_arm_cut(x->nor, nor_op_count(x->nor) + 1, TEAR_SCRAMBLED, 0);
    (void)fal_part_write(fal_part_find("app"), 0, a, 8);
    CHECK(false);
}

static void torn_second(struct bench *x)
{
    uint8_t a[8];
    (void)x;
    int rc = fal_part_read(fal_part_find("app"), 0, a, 8);
    CHECK_INT(rc, FAL_EUNREADABLE);
}

static void torn_granule(void)
{
    struct bench x;
    open_on(&x, "internal8", 0);
    CHECK_INT(run(&x, torn_first), SIM_CUT);
    nor_power_on(x.nor);
    (void)run(&x, torn_second);
    CHECK(x.finished);
    finish(&x);
}

static void flash_user(void *arg)
{
    fal_part_t *p = fal_part_find("download");
    uint8_t buf[256] = {0};
    (void)arg;
    for (int i = 0; i < 8; i++) {
        CHECK_INT(fal_part_erase(p, 0, UNIT), 0);
        CHECK_INT(fal_part_write(p, 0, buf, sizeof(buf)), 256);
    }
}

/* Two tasks at two partitions: each finds its own data, and a task destroyed in the middle of an
 * operation leaves the chip usable. */
static void two_tasks_body(struct bench *x)
{
    fal_part_t *p = fal_part_find("app");
    uint8_t buf[300], got[300];
    memset(buf, 0x5A, sizeof(buf));
    os_task_t *t = os_task_create("flash", flash_user, x, 4096, 20);
    CHECK(t != NULL);
    CHECK_INT(os_task_startup(t), OS_EOK);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(fal_part_erase(p, 0, UNIT), 0);
        CHECK_INT(fal_part_write(p, 10, buf, sizeof(buf)), 300);
        CHECK_INT(fal_part_read(p, 10, got, sizeof(got)), 300);
        CHECK_MEM(got, buf, sizeof(buf));
    }
    CHECK(x->b->flash_busy == false);
    CHECK_INT(os_task_msleep(1), OS_EOK); /* now the other one is at the chip */
    CHECK(x->b->flash_busy);
    CHECK_INT(os_task_destroy(t), OS_EOK);
    CHECK_INT(fal_part_erase(p, 0, UNIT), 0);
    CHECK(!x->b->flash_busy);
}

static void two_tasks(void)
{
    on_chip("spi4k", two_tasks_body);
}

/* ---- assertion, time, heap, log ---- */

static void assert_body(struct bench *x)
{
    OS_ASSERT(OS_TRUE);
    OS_ASSERT(5);
    (void)snprintf(x->log, sizeof(x->log), "still here");
    OS_ASSERT(OS_FALSE);
    (void)snprintf(x->log, sizeof(x->log), "went on");
}

static void assertion(void)
{
    struct bench x;
    open_on(&x, "spi4k", 0);
    CHECK_INT(run(&x, assert_body), SIM_RESET);
    CHECK_STR(x.log, "assertion failed");
    finish(&x);
}

static void ticks_body(struct bench *x)
{
    os_tick_t before = os_tick_get();
    (void)x;
    CHECK_INT(os_task_msleep(1000), OS_EOK);
    os_tick_t after = os_tick_get();
    CHECK(after < before); /* over the edge of 32 bits */
    CHECK_INT(os_tick_between(before, after), 1000);
    CHECK_INT(os_tick_from_ms(0), 0);
    CHECK_INT(os_tick_from_ms(1), 1);
    CHECK(os_tick_from_ms(0xFFFFFFFF) != OS_WAIT_FOREVER);
}

static void tick_wrap(void)
{
    struct bench x;
    open_on(&x, "spi4k", (0xFFFFFFFFLL - 500) * NS_PER_MS);
    (void)run(&x, ticks_body);
    CHECK(x.finished);
    finish(&x);
}

static void heap_body(struct bench *x)
{
    uint8_t *p = os_malloc(10);
    CHECK(p != NULL && (uintptr_t)p % sizeof(void *) == 0);
    memset(p, 7, 10);
    uint8_t *q = os_realloc(p, 1000);
    CHECK(q != NULL && q[9] == 7);
    CHECK(os_realloc(q, 0) == NULL);
    CHECK_INT(x->b->heap.used_bytes, 0);
    q = os_realloc(NULL, 8);
    CHECK(q != NULL);
    os_free(q);
    os_free(NULL);
    CHECK(os_malloc(0) == NULL);
    uint8_t *z = os_calloc(3, 5);
    CHECK(z != NULL);
    for (int i = 0; z != NULL && i < 15; i++)
        CHECK_INT(z[i], 0);
    os_free(z);
    CHECK(os_calloc(~0UL / 2, 3) == NULL);
    CHECK(os_calloc(0, 3) == NULL);
    for (int i = 0; i < 5000; i++)
        os_free(os_malloc(100));
    CHECK_INT(board_heap_blocks(x->b), 0);
    /* A realloc that fails leaves the old block. */
    p = os_malloc(16);
    memset(p, 9, 16);
    x->b->heap.limit_bytes = 64;
    CHECK(os_realloc(p, 4096) == NULL);
    CHECK_INT(p[15], 9);
    os_free(p);
}

static void heap(void)
{
    on_chip("spi4k", heap_body);
}

static void log_body(struct bench *x)
{
    char text[2000];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    os_kprintf("%d %s %05x %c %lu%%", -5, "x", 0xAB, 'c', 7UL);
    CHECK_STR(x->log, "-5 x 000ab c 7%");
    os_kprintf("%s", text);
    CHECK_INT(strlen(x->log), OS_KPRINTF_MAX - 1);
}

static void log_text(void)
{
    on_chip("spi4k", log_body);
}

/* ---- mutex ---- */

struct locker {
    struct bench *x;
    os_mutex_t *m;
    os_sem_t *sem;
    os_tick_t timeout;
    os_err_t result;
    int64_t got_ms;
    int count;
};

static void lock_once(void *arg)
{
    struct locker *l = arg;
    l->result = os_mutex_recursive_lock(l->m, l->timeout);
    l->got_ms = now_ms(l->x);
    if (l->result == OS_EOK)
        CHECK_INT(os_mutex_recursive_unlock(l->m), OS_EOK);
}

static void mutex_body(struct bench *x)
{
    os_mutex_t *m = os_mutex_create("m", OS_FALSE);
    struct locker wait = {x, m, NULL, 250, -99, 0, 0}, try = {x, m, NULL, OS_NO_WAIT, -99, 0, 0};
    struct locker later = {x, m, NULL, OS_WAIT_FOREVER, -99, 0, 0};
    CHECK(m != NULL);
    for (int i = 0; i < 3; i++)
        CHECK_INT(os_mutex_recursive_lock(m, OS_WAIT_FOREVER), OS_EOK);
    os_task_t *a = os_task_create("a", lock_once, &wait, 4096, 10);
    os_task_t *b = os_task_create("b", lock_once, &try, 4096, 10);
    os_task_t *c = os_task_create("c", lock_once, &later, 4096, 10);
    int64_t start_ms = now_ms(x);
    CHECK_INT(os_task_startup(a), OS_EOK);
    CHECK_INT(os_task_startup(b), OS_EOK);
    CHECK_INT(os_task_startup(c), OS_EOK);
    CHECK_INT(os_task_msleep(100), OS_EOK);
    CHECK_INT(try.result, OS_EBUSY);
    CHECK_INT(try.got_ms, start_ms);
    CHECK_INT(os_mutex_destroy(m), OS_EBUSY);
    CHECK_INT(os_mutex_recursive_unlock(m), OS_EOK);
    CHECK_INT(os_mutex_recursive_unlock(m), OS_EOK);
    CHECK_INT(os_task_msleep(400), OS_EOK);
    CHECK_INT(wait.result, OS_ETIMEOUT); /* exactly at its time, not before */
    CHECK_INT(wait.got_ms, start_ms + 250);
    CHECK_INT(later.result, -99); /* two of three unlocks are not enough */
    CHECK_INT(os_mutex_recursive_unlock(m), OS_EOK);
    CHECK_INT(os_task_msleep(1), OS_EOK);
    CHECK_INT(later.result, OS_EOK);
    CHECK_INT(later.got_ms, start_ms + 500);
    CHECK_INT(os_mutex_recursive_unlock(m), OS_EPERM); /* free */
    CHECK_INT(os_task_destroy(a), OS_EOK);
    CHECK_INT(os_task_destroy(b), OS_EOK);
    CHECK_INT(os_task_destroy(c), OS_EOK);
    for (int i = 0; i < OS_MUTEX_DEPTH_MAX; i++)
        CHECK_INT(os_mutex_recursive_lock(m, 0), OS_EOK);
    CHECK_INT(os_mutex_recursive_lock(m, 0), OS_EFULL);
    for (int i = 0; i < OS_MUTEX_DEPTH_MAX; i++)
        CHECK_INT(os_mutex_recursive_unlock(m), OS_EOK);
    CHECK_INT(os_mutex_destroy(m), OS_EOK);
    CHECK_INT(os_mutex_destroy(NULL), OS_EINVAL);
    CHECK_INT(os_mutex_recursive_lock(NULL, 0), OS_EINVAL);
    CHECK_INT(board_heap_blocks(x->b), 0);
}

static void mutex(void)
{
    on_chip("spi4k", mutex_body);
}

static void unlock_strange(void *arg)
{
    struct locker *l = arg;
    l->result = os_mutex_recursive_unlock(l->m);
}

static void stranger_body(struct bench *x)
{
    os_mutex_t *m = os_mutex_create("m", OS_TRUE);
    struct locker l = {x, m, NULL, 0, -99, 0, 0};
    CHECK_INT(os_mutex_recursive_lock(m, 0), OS_EOK);
    os_task_t *t = os_task_create("t", unlock_strange, &l, 4096, 1);
    CHECK_INT(os_task_startup(t), OS_EOK);
    CHECK_INT(os_task_msleep(1), OS_EOK);
    CHECK_INT(l.result, OS_EPERM);
    CHECK_INT(os_mutex_recursive_unlock(m), OS_EOK);
    CHECK_INT(os_task_destroy(t), OS_EOK);
    CHECK_INT(os_mutex_destroy(m), OS_EOK);
}

static void stranger(void)
{
    on_chip("spi4k", stranger_body);
}

/* A protected counter with a pause in the middle of each step is exact. */
static void count_up(void *arg)
{
    struct locker *l = arg;
    for (int i = 0; i < 20; i++) {
        CHECK_INT(os_mutex_recursive_lock(l->m, OS_WAIT_FOREVER), OS_EOK);
        int seen = l->count;
        CHECK_INT(os_task_msleep(1), OS_EOK);
        l->count = seen + 1;
        CHECK_INT(os_mutex_recursive_unlock(l->m), OS_EOK);
    }
}

static void contention_body(struct bench *x)
{
    struct locker l = {x, os_mutex_create("m", OS_TRUE), NULL, 0, 0, 0, 0};
    os_task_t *t[8];
    for (uint8_t i = 0; i < 8; i++) {
        t[i] = os_task_create("t", count_up, &l, 4096, (os_uint8_t)(10 + i % 3));
        CHECK_INT(os_task_startup(t[i]), OS_EOK);
    }
    CHECK_INT(os_task_msleep(1000), OS_EOK);
    CHECK_INT(l.count, 160);
    for (int i = 0; i < 8; i++)
        CHECK_INT(os_task_destroy(t[i]), OS_EOK);
    CHECK_INT(os_mutex_destroy(l.m), OS_EOK);
}

static void contention(void)
{
    on_chip("spi4k", contention_body);
}

/* ---- semaphore ---- */

static void take_one(void *arg)
{
    struct locker *l = arg;
    l->result = os_sem_wait(l->sem, l->timeout);
    l->got_ms = now_ms(l->x);
}

static void sem_body(struct bench *x)
{
    CHECK(os_sem_create("s", 0, 0) == NULL);
    CHECK(os_sem_create("s", 3, 2) == NULL);
    os_sem_t *s = os_sem_create("s", 2, 2);
    int64_t start_ms = now_ms(x);
    CHECK(s != NULL);
    CHECK_INT(os_sem_post(s), OS_EFULL);
    CHECK_INT(os_sem_wait(s, OS_NO_WAIT), OS_EOK);
    CHECK_INT(os_sem_wait(s, OS_WAIT_FOREVER), OS_EOK);
    CHECK_INT(os_sem_wait(s, OS_NO_WAIT), OS_EBUSY);
    CHECK_INT(now_ms(x), start_ms);
    CHECK_INT(os_sem_wait(s, 123), OS_ETIMEOUT);
    CHECK_INT(now_ms(x), start_ms + 123);
    struct locker l[3];
    os_task_t *t[3];
    for (int i = 0; i < 3; i++) {
        l[i] = (struct locker){x, NULL, s, OS_WAIT_FOREVER, -99, 0, 0};
        t[i] = os_task_create("t", take_one, &l[i], 4096, 10);
        CHECK_INT(os_task_startup(t[i]), OS_EOK);
    }
    CHECK_INT(os_task_msleep(5), OS_EOK);
    CHECK_INT(os_sem_destroy(s), OS_EBUSY);
    CHECK_INT(os_sem_post(s), OS_EOK);
    CHECK_INT(os_task_msleep(5), OS_EOK);
    CHECK_INT(l[0].result, OS_EOK); /* one post, one waiter, the first */
    CHECK_INT(l[1].result, -99);
    CHECK_INT(l[2].result, -99);
    CHECK_INT(os_task_destroy(t[1]), OS_EOK); /* destroyed while it waits */
    CHECK_INT(os_sem_post(s), OS_EOK);
    CHECK_INT(os_task_msleep(5), OS_EOK);
    CHECK_INT(l[1].result, -99);
    CHECK_INT(l[2].result, OS_EOK);
    CHECK_INT(os_task_destroy(t[0]), OS_EOK);
    CHECK_INT(os_task_destroy(t[2]), OS_EOK);
    CHECK_INT(os_sem_destroy(s), OS_EOK);
    CHECK_INT(os_sem_destroy(NULL), OS_EINVAL);
    CHECK_INT(board_heap_blocks(x->b), 0);
}

static void semaphore(void)
{
    on_chip("spi4k", sem_body);
}

/* A waiter destroyed between the post and its turn does not take the wake-up with it. */
static void lost_wake_body(struct bench *x)
{
    os_sem_t *s = os_sem_create("s", 0, 5);
    struct locker l[2];
    os_task_t *t[2];
    for (int i = 0; i < 2; i++) {
        l[i] = (struct locker){x, NULL, s, OS_WAIT_FOREVER, -99, 0, 0};
        t[i] = os_task_create("t", take_one, &l[i], 4096, 20); /* later than main */
        CHECK_INT(os_task_startup(t[i]), OS_EOK);
    }
    CHECK_INT(os_task_msleep(1), OS_EOK);
    CHECK_INT(os_sem_post(s), OS_EOK);
    CHECK_INT(os_task_destroy(t[0]), OS_EOK);
    CHECK_INT(os_task_msleep(1), OS_EOK);
    CHECK_INT(l[1].result, OS_EOK);
    CHECK_INT(os_task_destroy(t[1]), OS_EOK);
    CHECK_INT(os_sem_destroy(s), OS_EOK);
}

static void lost_wake(void)
{
    on_chip("spi4k", lost_wake_body);
}

/* ---- tasks ---- */

static void note_run(void *arg)
{
    struct locker *l = arg;
    l->count++;
    l->got_ms = now_ms(l->x);
}

static void sleep_long(void *arg)
{
    struct locker *l = arg;
    CHECK_INT(os_task_msleep(1000), OS_EOK);
    l->count++;
}

static void destroy_self(void *arg)
{
    os_task_t **me = arg;
    (void)os_task_destroy(*me);
    CHECK(false);
}

static void tasks_body(struct bench *x)
{
    struct locker l = {x, NULL, NULL, 0, 0, 0, 0};
    CHECK(os_task_create("t", NULL, &l, 4096, 1) == NULL);
    CHECK(os_task_create("t", note_run, &l, 0, 1) == NULL);
    os_task_t *t = os_task_create("t", note_run, &l, 4096, 1);
    CHECK_INT(os_task_msleep(50), OS_EOK);
    CHECK_INT(l.count, 0); /* not before startup */
    CHECK_INT(os_task_startup(t), OS_EOK);
    CHECK_INT(os_task_startup(t), OS_EBUSY);
    CHECK_INT(os_task_msleep(1), OS_EOK);
    CHECK_INT(l.count, 1);
    CHECK_INT(os_task_destroy(t), OS_EOK); /* after it has ended */
    CHECK_INT(os_task_destroy(NULL), OS_EINVAL);
    CHECK_INT(os_task_startup(NULL), OS_EINVAL);
    t = os_task_create("t", sleep_long, &l, 4096, 1);
    CHECK_INT(os_task_startup(t), OS_EOK);
    CHECK_INT(os_task_msleep(10), OS_EOK);
    CHECK_INT(os_task_destroy(t), OS_EOK);
    CHECK_INT(os_task_msleep(2000), OS_EOK);
    CHECK_INT(l.count, 1); /* it was stopped in its sleep */
    t = os_task_create("t", destroy_self, &t, 4096, 1);
    CHECK_INT(os_task_startup(t), OS_EOK);
    CHECK_INT(os_task_msleep(1), OS_EOK);
    for (int i = 0; i < 1000; i++) {
        t = os_task_create("t", note_run, &l, 4096, 1);
        if (!CHECK(t != NULL))
            return;
        if (i % 2 == 0)
            CHECK_INT(os_task_startup(t), OS_EOK);
        CHECK_INT(os_task_destroy(t), OS_EOK);
    }
    CHECK_INT(board_heap_blocks(x->b), 0);
}

static void tasks_live_and_die(void)
{
    on_chip("spi4k", tasks_body);
}

static void sleeping_body(struct bench *x)
{
    struct locker a = {x, NULL, NULL, 0, 0, 0, 0}, b = a;
    os_task_t *s = os_task_create("s", sleep_long, &a, 4096, 30);
    os_task_t *t = os_task_create("t", sleep_long, &b, 4096, 3);
    int64_t start_ms = now_ms(x);
    CHECK_INT(os_task_startup(s), OS_EOK);
    CHECK_INT(os_task_startup(t), OS_EOK);
    CHECK_INT(os_task_msleep(1500), OS_EOK);
    CHECK_INT(now_ms(x), start_ms + 1500); /* sleeping is exact and lets others run */
    CHECK_INT(a.count + b.count, 2);
    CHECK_INT(os_task_destroy(s), OS_EOK);
    CHECK_INT(os_task_destroy(t), OS_EOK);
}

static void sleeping(void)
{
    on_chip("spi4k", sleeping_body);
}

static void sign_log(void *arg)
{
    struct locker *l = arg;
    size_t len = strlen(l->x->log);
    (void)snprintf(l->x->log + len, sizeof(l->x->log) - len, "%d ", l->count);
}

static void priority_body(struct bench *x)
{
    static const os_uint8_t order[] = {30, 3, 20};
    struct locker l[3];
    os_task_t *t[3];
    for (size_t i = 0; i < 3; i++) {
        l[i] = (struct locker){x, NULL, NULL, 0, 0, 0, order[i]};
        t[i] = os_task_create("t", sign_log, &l[i], 4096, order[i]);
        CHECK_INT(os_task_startup(t[i]), OS_EOK);
    }
    CHECK_INT(os_task_msleep(1), OS_EOK);
    CHECK_STR(x->log, "3 20 30 ");
    for (size_t i = 0; i < 3; i++)
        CHECK_INT(os_task_destroy(t[i]), OS_EOK);
}

static void priority(void)
{
    on_chip("spi4k", priority_body);
}

/* ---- ring buffer ---- */

static void ring_body(struct bench *x)
{
    rb_ring_buff_t *rb = rb_ring_buff_create(5);
    os_uint8_t out[16];
    CHECK(rb_ring_buff_create(0) == NULL);
    CHECK(rb != NULL);
    for (int round = 0; round < 12; round++) { /* every position of the indices */
        CHECK_INT(rb_ring_buff_put(rb, (const os_uint8_t *)"abc", 3), 3);
        CHECK_INT(rb_ring_buff_put(rb, (const os_uint8_t *)"defg", 4), 2);
        CHECK_INT(rb_ring_buff_put_char(rb, 'x'), 0); /* full */
        CHECK_INT(rb_ring_buff_data_len(rb), 5);
        CHECK_INT(rb_ring_buff_space_len(rb), 0);
        CHECK_INT(rb_ring_buff_get(rb, out, 2), 2);
        CHECK_INT(rb_ring_buff_put_char(rb, 'h'), 1);
        CHECK_INT(rb_ring_buff_get(rb, out + 2, sizeof(out) - 2), 4);
        CHECK_MEM(out, "abcdeh", 6);
        CHECK_INT(rb_ring_buff_get_char(rb, out), 0); /* empty */
        CHECK_INT(rb_ring_buff_put_char(rb, 'z'), 1);
        CHECK_INT(rb_ring_buff_get_char(rb, out), 1);
        CHECK_INT(out[0], 'z');
    }
    CHECK_INT(rb_ring_buff_put(rb, (const os_uint8_t *)"123", 3), 3);
    CHECK_INT(rb_ring_buff_put_force(rb, (const os_uint8_t *)"4567", 4), 4);
    CHECK_INT(rb_ring_buff_get(rb, out, 9), 5);
    CHECK_MEM(out, "34567", 5);
    CHECK_INT(rb_ring_buff_put_force(rb, (const os_uint8_t *)"abcdefgh", 8), 5);
    CHECK_INT(rb_ring_buff_put_char_force(rb, 'i'), 1);
    CHECK_INT(rb_ring_buff_get(rb, out, 9), 5);
    CHECK_MEM(out, "efghi", 5);
    CHECK_INT(rb_ring_buff_put(rb, (const os_uint8_t *)"abc", 3), 3);
    rb_ring_buff_reset(rb);
    CHECK_INT(rb_ring_buff_data_len(rb), 0);
    rb_ring_buff_destroy(rb);
    rb_ring_buff_destroy(NULL);
    CHECK_INT(board_heap_blocks(x->b), 0);
}

static void ring(void)
{
    on_chip("spi4k", ring_body);
}

/* ---- sockets ---- */

static int connected_socket(void)
{
    struct addrinfo *ai = NULL;
    const struct addrinfo hints = {
        .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    CHECK_INT(os_getaddrinfo("server.test", "80", &hints, &ai), 0);
    if (ai == NULL)
        return -1;
    int fd = os_socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol);
    CHECK(fd >= 0);
    int rc = os_connect(fd, ai->ai_addr, ai->ai_addrlen);
    os_freeaddrinfo(ai);
    if (rc == 0)
        return fd;
    CHECK_INT(os_closesocket(fd), 0);
    return -1;
}

static void look_up_body(struct bench *x)
{
    struct addrinfo *ai = NULL, hints = {.ai_family = AF_INET};
    struct hostent *h = os_gethostbyname("server.test");
    CHECK(h != NULL && h->h_addrtype == AF_INET && h->h_length == 4);
    if (h != NULL) {
        CHECK_MEM(h->h_addr_list[0], "\x0a\x00\x00\x01", 4);
        CHECK(h->h_addr_list[1] == NULL && h->h_aliases[0] == NULL);
        CHECK_STR(h->h_name, "server.test");
    }
    CHECK(os_gethostbyname("nobody.test") == NULL);
    CHECK(os_gethostbyname("") == NULL);
    CHECK(os_gethostbyname(NULL) == NULL);
    CHECK_INT(os_getaddrinfo("nobody.test", "80", &hints, &ai), EAI_FAIL);
    CHECK(ai == NULL);
    CHECK_INT(os_getaddrinfo("server.test", "65536", &hints, &ai), EAI_SERVICE);
    CHECK_INT(os_getaddrinfo("server.test", "8o", &hints, &ai), EAI_SERVICE);
    CHECK_INT(os_getaddrinfo(NULL, NULL, &hints, &ai), EAI_NONAME);
    hints.ai_family = 10;
    CHECK_INT(os_getaddrinfo("server.test", "80", &hints, &ai), EAI_FAMILY);
    hints = (struct addrinfo){.ai_flags = AI_NUMERICHOST};
    CHECK_INT(os_getaddrinfo("server.test", "80", &hints, &ai), EAI_NONAME);
    hints = (struct addrinfo){.ai_socktype = SOCK_DGRAM, .ai_flags = AI_CANONNAME};
    CHECK_INT(os_getaddrinfo("192.168.1.200", "coap", &hints, &ai), 0);
    if (ai == NULL)
        return;
    CHECK_INT(ai->ai_socktype, SOCK_DGRAM);
    CHECK_INT(ai->ai_protocol, IPPROTO_UDP);
    CHECK_INT(ai->ai_addr->sa_family, AF_INET);
    CHECK_INT(ai->ai_addr->sa_len, 16);
    CHECK_MEM(ai->ai_addr->sa_data, "\x16\x33\xc0\xa8\x01\xc8", 6); /* port 5683, address */
    CHECK_STR(ai->ai_canonname, "192.168.1.200");
    os_freeaddrinfo(ai);
    os_freeaddrinfo(NULL);
    CHECK_INT(board_heap_blocks(x->b), 0);
}

static void look_up(void)
{
    on_chip("spi4k", look_up_body);
}

static void stream_body(struct bench *x)
{
    char in[8] = "#######";
    int timeout_ms = 300, fd = connected_socket();
    struct timeval tv = {.tv_sec = 1, .tv_usec = 500000};
    CHECK(fd >= 0);
    /* Sends may be partial; the caller's loop finishes them. */
    const char *text = "hello you";
    for (size_t at = 0; at < 9;) {
        int n = os_send(fd, text + at, 9 - at, 0);
        if (!CHECK(n > 0))
            return;
        at += (size_t)n;
    }
    CHECK_MEM(x->sent, text, 9);
    CHECK_INT(os_send(fd, text, 0, 0), 0);
    CHECK_INT(os_send(fd, NULL, 1, 0), -1);
    /* Time-out exact, buffer untouched, data later still arrives. */
    CHECK_INT(os_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout_ms, sizeof(timeout_ms)), 0);
    int64_t start_ms = now_ms(x);
    CHECK_INT(os_recv(fd, in, sizeof(in), 0), -1);
    CHECK_INT(now_ms(x), start_ms + 300);
    CHECK_MEM(in, "#######", 8);
    CHECK_INT(os_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
    CHECK_INT(os_recv(fd, in, sizeof(in), 0), -1);
    CHECK_INT(now_ms(x), start_ms + 1800);
    CHECK_INT(os_select(fd, 1, 0, 0, 200), 0);
    CHECK_INT(now_ms(x), start_ms + 2000);
    CHECK_INT(os_select(fd, 1, 1, 1, 200), BOARD_WRITABLE);
    x->data_text = "abcd";
    x->data_at_ns = x->b->ops->now_ns(x->b) + 50 * NS_PER_MS;
    x->eof_at_data = true;
    CHECK_INT(os_select(fd, 1, 0, 0, -1), BOARD_READABLE);
    CHECK_INT(now_ms(x), start_ms + 2050);
    CHECK_INT(os_recv(fd, in, 3, 0), 3);
    CHECK_MEM(in, "abc#", 4);
    CHECK_INT(os_recv(fd, in, 0, 0), 0);
    CHECK_INT(os_recv(fd, NULL, 3, 0), -1);
    CHECK_INT(os_recv(fd, in, 3, 0), 1);
    CHECK_INT(os_recv(fd, in, 3, 0), 0); /* orderly close */
    CHECK_INT(os_recv(fd, in, 3, 0), 0);
    CHECK_INT(os_closesocket(fd), 0);
    CHECK_INT(os_closesocket(fd), -1);
    CHECK_INT(x->closes, 1);
}

static void stream(void)
{
    on_chip("spi4k", stream_body);
}

static void reset_body(struct bench *x)
{
    char in[4];
    int fd = connected_socket();
    x->reset_at_data = true;
    x->data_at_ns = x->b->ops->now_ns(x->b) + 50 * NS_PER_MS;
    CHECK_INT(os_recv(fd, in, sizeof(in), 0), -1);
    CHECK_INT(os_send(fd, "a", 1, 0), -1);
    CHECK((os_select(fd, 1, 1, 1, 0) & BOARD_EXCEPTION) != 0);
    CHECK_INT(os_closesocket(fd), 0);
}

static void peer_reset(void)
{
    on_chip("spi4k", reset_body);
}

static void refused_body(struct bench *x)
{
    int64_t start_ms = now_ms(x);
    x->refuse = true;
    CHECK_INT(connected_socket(), -1);
    CHECK_INT(now_ms(x), start_ms + 20); /* only the look-up took time */
    x->refuse = false;
    x->mute = true;
    CHECK_INT(connected_socket(), -1);
    CHECK_INT(now_ms(x), start_ms + 40 + 30000);
}

static void refused(void)
{
    on_chip("spi4k", refused_body);
}

static void bad_calls_body(struct bench *x)
{
    static const int bad[] = {-1, 5, 99, 0x7FFFFFFF};
    struct sockaddr_in in = {.sin_len = 16, .sin_family = AF_INET};
    const struct sockaddr *to = (const struct sockaddr *)&in;
    char buf[4];
    int ms = 10;
    CHECK_INT(os_socket(10, SOCK_STREAM, 0), -1);
    CHECK_INT(os_socket(AF_INET, SOCK_RAW, 0), -1);
    CHECK_INT(os_socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), -1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_INT(os_closesocket(bad[i]), -1);
        CHECK_INT(os_connect(bad[i], to, sizeof(in)), -1);
        CHECK_INT(os_send(bad[i], buf, 1, 0), -1);
        CHECK_INT(os_sendto(bad[i], buf, 1, 0, to, sizeof(in)), -1);
        CHECK_INT(os_recv(bad[i], buf, 1, 0), -1);
        CHECK_INT(os_recvfrom(bad[i], buf, 1, 0, NULL, NULL), -1);
        CHECK_INT(os_select(bad[i], 1, 0, 0, 10), -1);
        CHECK_INT(os_setsockopt(bad[i], SOL_SOCKET, SO_RCVTIMEO, &ms, sizeof(ms)), -1);
    }
    int fd = os_socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_INT(os_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &ms, sizeof(ms)), -1);
    CHECK_INT(os_setsockopt(fd, 1, SO_RCVTIMEO, &ms, sizeof(ms)), -1);
    CHECK_INT(os_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &ms, 3), -1);
    CHECK_INT(os_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, NULL, sizeof(ms)), -1);
    ms = -1;
    CHECK_INT(os_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &ms, sizeof(ms)), -1);
    CHECK_INT(os_connect(fd, NULL, sizeof(in)), -1);
    CHECK_INT(os_connect(fd, to, 8), -1);
    CHECK_INT(os_recv(fd, buf, 1, 0), -1); /* not connected */
    CHECK_INT(os_closesocket(fd), 0);
    for (int i = 0; i < 1000; i++) {
        fd = os_socket(AF_INET, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0);
        if (!CHECK(fd >= 0))
            return;
        CHECK_INT(os_closesocket(fd), 0);
    }
    CHECK_INT(board_heap_blocks(x->b), 0);
}

static void bad_calls(void)
{
    on_chip("spi4k", bad_calls_body);
}

static void datagram_task(void *arg)
{
    struct locker *l = arg;
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    char buf[16] = {0};
    int fd = os_socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    struct sockaddr_in to = {.sin_len = 16, .sin_family = AF_INET};
    memcpy(&to.sin_port, "\x16\x33", 2);
    memcpy(&to.sin_addr, "\x0a\x00\x00\x01", 4);
    CHECK_INT(os_sendto(fd, "ping", 4, 0, (const struct sockaddr *)&to, sizeof(to)), 4);
    l->count = 1;
    CHECK_INT(os_recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), 3);
    CHECK_MEM(buf, "one", 3);
    CHECK_INT(len, sizeof(from));
    CHECK_MEM(&from.sin_port, "\x16\x33", 2);
    CHECK_MEM(&from.sin_addr, "\x0a\x00\x00\x01", 4);
    CHECK_INT(os_recvfrom(fd, buf, sizeof(buf), 0, NULL, NULL), 6); /* borders are kept */
    CHECK_INT(os_closesocket(fd), 0);
    l->count = 2;
}

static void datagram_body(struct bench *x)
{
    struct locker l = {x, NULL, NULL, 0, 0, 0, 0};
    os_task_t *t = os_task_create("udp", datagram_task, &l, 4096, 10);
    CHECK_INT(os_task_startup(t), OS_EOK);
    CHECK_INT(os_task_msleep(1), OS_EOK);
    CHECK_INT(l.count, 1);
    CHECK_MEM(x->sent, "ping", 4);
    sim_net_datagram(x->s, x->sock, 0x0A000001, 5683, "one", 3);
    sim_net_datagram(x->s, x->sock, 0x0A000001, 5683, "second", 6);
    CHECK_INT(os_task_msleep(1), OS_EOK);
    CHECK_INT(l.count, 2);
    CHECK_INT(os_task_destroy(t), OS_EOK);
}

static void datagrams(void)
{
    on_chip("spi4k", datagram_body);
}

/* ---- the table ---- */

/* Every call is there: the table is pointers only, so none may be null. */
static void table_is_complete(void)
{
    void *calls[sizeof(struct oneos_port) / sizeof(void *)];
    memcpy(calls, &oneos_reference_port, sizeof(calls));
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        CHECK(calls[i] != NULL);
    CHECK(oneos_reference_port.os_sem_post == os_sem_post);
}

/* Outside any task every call fails and none crashes. */
static void outside_a_task(void)
{
    CHECK(board_current() == NULL);
    CHECK(fal_part_find("app") == NULL);
    CHECK(os_malloc(1) == NULL);
    CHECK(os_mutex_create("m", 1) == NULL);
    CHECK(os_sem_create("s", 0, 1) == NULL);
    CHECK(os_task_create("t", note_run, NULL, 4096, 1) == NULL);
    CHECK_INT(os_socket(AF_INET, SOCK_STREAM, 0), -1);
    CHECK(os_gethostbyname("server.test") == NULL);
    os_kprintf("%s", "nobody listens");
    OS_ASSERT(OS_FALSE);
}

static const struct test tests[] = {
    {"partitions are found by name", find},
    {"what is written is read, at every offset", write_read},
    {"erase clears its blocks and no more", erase},
    {"nothing outside a partition, nothing for nothing", range},
    {"a failing chip fails the call", faults},
    {"rewriting clears bits only", rewrite},
    {"write-once chips refuse unaligned and second writes", write_once},
    {"a torn granule is unreadable", torn_granule},
    {"two tasks share the chip", two_tasks},
    {"a false assertion restarts the device", assertion},
    {"ticks wrap at 2^32", tick_wrap},
    {"heap rules", heap},
    {"log output is bounded", log_text},
    {"mutex: recursion, time-out, hand-over, depth", mutex},
    {"mutex: a stranger cannot unlock", stranger},
    {"mutex: eight tasks count exactly", contention},
    {"semaphore rules", semaphore},
    {"semaphore: a destroyed waiter loses no wake-up", lost_wake},
    {"tasks start, end and are destroyed", tasks_live_and_die},
    {"sleeping is exact", sleeping},
    {"the smaller priority number runs first", priority},
    {"ring buffer", ring},
    {"names and addresses", look_up},
    {"stream sockets", stream},
    {"reset by the peer", peer_reset},
    {"refused and unanswered connects", refused},
    {"bad socket calls", bad_calls},
    {"datagrams keep their borders", datagrams},
    {"the port table is complete", table_is_complete},
    {"outside a task nothing crashes", outside_a_task},
};
TEST_MAIN("oneos port", tests)
