/* Kernel calls: assertion, time, heap, log, mutex, semaphore, tasks, ring buffer. */
#include "sim_device/port/oneos/oneos_testing.h"

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

static const struct test tests[] = {
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
};
TEST_MAIN("oneos kernel", tests)
