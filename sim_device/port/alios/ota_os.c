/* Memory, tasks and what they wait on, the key-value store. */
#include <limits.h>
#include <string.h>

#include "sim_device/port/alios/alios_port.h"

#define THREAD_PRIORITY_MAX 31
#define STACK_BYTES         16384

/* ---- memory ---- */

void *ota_malloc(uint32_t size)
{
    struct board *b = board_current();
    return b != NULL ? board_alloc(b, size) : NULL;
}

void ota_free(void *ptr)
{
    struct board *b = board_current();
    if (b != NULL)
        board_free(b, ptr);
}

void *ota_calloc(uint32_t n, uint32_t size)
{
    uint64_t bytes = (uint64_t)n * size;
    void *p = bytes <= UINT32_MAX ? ota_malloc((uint32_t)bytes) : NULL;
    return p != NULL ? memset(p, 0, (size_t)bytes) : NULL;
}

void *ota_realloc(void *ptr, uint32_t size)
{
    struct board *b = board_current();
    return b != NULL ? board_realloc(b, ptr, size) : NULL;
}

/* ---- waiting ---- */

static int64_t deadline(struct board *b, uint32_t timeout_ms)
{
    if (timeout_ms == OTA_WAIT_FOREVER)
        return BOARD_FOREVER;
    return vtime_after(b->ops->now_ns(b), (int64_t)timeout_ms * NS_PER_MS);
}

/* BOARD_OK: something may have changed. */
static int wait_until(struct board *b, const void *channel, int64_t deadline_ns)
{
    if (deadline_ns == BOARD_FOREVER)
        return b->ops->wait(b, channel, BOARD_FOREVER);
    int64_t left_ns = deadline_ns - b->ops->now_ns(b);
    return left_ns > 0 ? b->ops->wait(b, channel, left_ns) : BOARD_TIMEOUT;
}

struct mutex {
    struct board_task *owner; /* null: free */
    uint32_t depth;
    uint32_t waiters;
};

void *ota_mutex_init(void)
{
    return ota_calloc(1, sizeof(struct mutex));
}

void ota_mutex_lock(void *mutex)
{
    struct board *b = board_current();
    struct mutex *m = mutex;
    if (b == NULL || m == NULL)
        return;
    struct board_task *self = b->ops->task_self(b);
    while (m->owner != NULL && m->owner != self) {
        m->waiters++;
        (void)b->ops->wait(b, m, BOARD_FOREVER);
        m->waiters--;
    }
    m->owner = self;
    m->depth++;
}

void ota_mutex_unlock(void *mutex)
{
    struct board *b = board_current();
    struct mutex *m = mutex;
    if (b == NULL || m == NULL || m->depth == 0 || m->owner != b->ops->task_self(b))
        return;
    if (--m->depth > 0)
        return;
    m->owner = NULL;
    b->ops->wake(b, m, 1);
}

void ota_mutex_destroy(void *mutex)
{
    const struct mutex *m = mutex;
    if (m != NULL && m->waiters == 0)
        ota_free(mutex);
}

struct semaphore {
    uint32_t count;
    uint32_t waiters;
};

void *ota_semaphore_init(void)
{
    return ota_calloc(1, sizeof(struct semaphore));
}

int ota_semaphore_wait(void *sem, uint32_t timeout_ms)
{
    struct board *b = board_current();
    struct semaphore *s = sem;
    if (b == NULL || s == NULL)
        return -1;
    int64_t until_ns = deadline(b, timeout_ms);
    while (s->count == 0) {
        s->waiters++;
        int rc = wait_until(b, s, until_ns);
        s->waiters--;
        if (rc != BOARD_OK && s->count == 0)
            return -1;
    }
    s->count--;
    return 0;
}

void ota_semaphore_post(void *sem)
{
    struct board *b = board_current();
    struct semaphore *s = sem;
    if (b == NULL || s == NULL || s->count == UINT32_MAX)
        return;
    s->count++;
    b->ops->wake(b, s, 1);
}

void ota_semaphore_destroy(void *sem)
{
    const struct semaphore *s = sem;
    if (s != NULL && s->waiters == 0)
        ota_free(sem);
}

/* ---- threads ---- */

struct thread {
    struct board_task *task;
    void *(*routine)(void *arg);
    void *arg;
};

static void thread_main(void *arg)
{
    struct thread *t = arg;
    (void)t->routine(t->arg);
    ota_free(t); /* the board's task ends with this return */
}

int ota_thread_create(void **thread_handle, void *(*work_routine)(void *), void *arg,
                      hal_os_thread_param_t *param, int *stack_used)
{
    struct board *b = board_current();
    if (b == NULL || work_routine == NULL)
        return -1;
    const char *name = param != NULL && param->name != NULL ? param->name : "ota";
    size_t stack = param != NULL && param->stack_size > 0 ? param->stack_size : STACK_BYTES;
    int priority = param != NULL ? param->priority : 0;
    if (priority <= 0 || priority > THREAD_PRIORITY_MAX)
        priority = BOARD_MAIN_PRIORITY;
    struct thread *t = ota_calloc(1, sizeof *t);
    if (t == NULL)
        return -1;
    t->routine = work_routine;
    t->arg = arg;
    t->task = b->ops->task_new(b, name, thread_main, t, stack, (uint8_t)priority);
    if (t->task == NULL) {
        ota_free(t);
        return -1;
    }
    if (thread_handle != NULL)
        *thread_handle = t;
    if (stack_used != NULL)
        *stack_used = 0;
    return b->ops->task_start(b, t->task) == 0 ? 0 : -1;
}

void ota_thread_exit(void *thread)
{
    struct board *b = board_current();
    struct thread *t = thread;
    if (b == NULL)
        return;
    struct board_task *task = t != NULL ? t->task : b->ops->task_self(b);
    /* Not in the middle of a flash operation: the chip would stay locked. */
    board_flash_lock(b);
    board_flash_unlock(b);
    ota_free(t);
    (void)b->ops->task_free(b, task);
}

/* ---- time ---- */

struct timer {
    const char *name;
    void (*func)(void *user_data);
    void *user_data;
    struct board_task *task; /* null: not running */
    int64_t delay_ns;
};

void *ota_timer_create(const char *name, void (*func)(void *), void *user_data)
{
    struct timer *t = func != NULL ? ota_calloc(1, sizeof *t) : NULL;
    if (t != NULL)
        *t = (struct timer){
            .name = name != NULL ? name : "timer", .func = func, .user_data = user_data};
    return t;
}

static void timer_main(void *arg)
{
    struct timer *t = arg;
    board_sleep_ns(board_current(), t->delay_ns);
    t->task = NULL; /* so that func may start it anew */
    t->func(t->user_data);
}

int ota_timer_start(void *t, int ms)
{
    struct board *b = board_current();
    struct timer *timer = t;
    if (b == NULL || timer == NULL || ms < 0)
        return -1;
    if (timer->task != NULL)
        (void)b->ops->task_free(b, timer->task);
    timer->delay_ns = (int64_t)ms * NS_PER_MS;
    timer->task =
        b->ops->task_new(b, timer->name, timer_main, timer, STACK_BYTES, BOARD_MAIN_PRIORITY);
    return timer->task != NULL && b->ops->task_start(b, timer->task) == 0 ? 0 : -1;
}

void ota_msleep(uint32_t ms)
{
    struct board *b = board_current();
    if (b != NULL)
        board_sleep_ns(b, (int64_t)ms * NS_PER_MS);
}

/* ---- key-value store ---- */

int ota_kv_set(const char *key, const void *val, int len, int sync)
{
    struct alios *a = alios_self();
    if (a == NULL || len < 0)
        return -1;
    return kv_set(&a->kv, key, val, (uint32_t)len, sync != 0, NULL) == 0 ? 0 : -1;
}

int ota_kv_get(const char *key, void *buffer, int *buffer_len)
{
    struct alios *a = alios_self();
    if (a == NULL || buffer == NULL || buffer_len == NULL || *buffer_len < 0)
        return -1;
    uint32_t len = (uint32_t)*buffer_len;
    if (kv_get(&a->kv, key, buffer, &len) != 0)
        return -1;
    *buffer_len = (int)len;
    return 0;
}
