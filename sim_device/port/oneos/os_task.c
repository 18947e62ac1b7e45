#include "sim_device/port/oneos/os_task.h"

#include "common/vtime.h"
#include "sim_device/port/oneos/oneos_port.h"

struct os_task {
    struct os_task *next;
    struct board_task *task; /* null once the entry has returned */
    void (*entry)(void *arg);
    void *arg;
    bool started;
    os_uint32_t *waiters; /* counter and channel of what it waits for, null if nothing */
};

int64_t oneos_deadline(struct board *b, os_tick_t timeout)
{
    if (timeout >= OS_WAIT_FOREVER)
        return BOARD_FOREVER;
    return vtime_after(b->ops->now_ns(b), (int64_t)timeout * NS_PER_MS);
}

static os_task_t *running(struct board *b)
{
    struct oneos *o = oneos_self();
    os_task_t *t = o != NULL ? o->tasks : NULL;
    struct board_task *self = b->ops->task_self(b);
    while (t != NULL && t->task != self)
        t = t->next;
    return t; /* null for task "main" */
}

int oneos_wait(struct board *b, os_uint32_t *waiters, int64_t deadline_ns)
{
    int64_t left_ns = BOARD_FOREVER;
    if (deadline_ns != BOARD_FOREVER) {
        left_ns = deadline_ns - b->ops->now_ns(b);
        if (left_ns <= 0)
            return OS_ETIMEOUT;
    }
    os_task_t *t = running(b);
    if (t != NULL)
        t->waiters = waiters;
    ++*waiters;
    int rc = b->ops->wait(b, waiters, left_ns);
    --*waiters;
    if (t != NULL)
        t->waiters = NULL;
    return rc == BOARD_OK ? OS_EOK : OS_ETIMEOUT;
}

static void trampoline(void *arg)
{
    os_task_t *t = arg;
    t->entry(t->arg);
    t->task = NULL; /* the board's task ends with this return */
}

os_task_t *os_task_create(const char *name, void (*entry)(void *arg), void *arg,
                          os_uint32_t stack_size, os_uint8_t priority)
{
    struct board *b = board_current();
    struct oneos *o = oneos_self();
    if (o == NULL || entry == NULL || stack_size == 0)
        return NULL;
    os_task_t *t = os_calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->entry = entry;
    t->arg = arg;
    t->task = b->ops->task_new(b, name != NULL ? name : "", trampoline, t, stack_size, priority);
    if (t->task == NULL) {
        os_free(t);
        return NULL;
    }
    t->next = o->tasks;
    o->tasks = t;
    return t;
}

os_err_t os_task_startup(os_task_t *task)
{
    struct board *b = board_current();
    if (b == NULL || task == NULL || task->task == NULL)
        return OS_EINVAL;
    if (task->started)
        return OS_EBUSY;
    task->started = true;
    return b->ops->task_start(b, task->task) == 0 ? OS_EOK : OS_ERROR;
}

os_err_t os_task_destroy(os_task_t *task)
{
    struct board *b = board_current();
    struct oneos *o = oneos_self();
    if (o == NULL || task == NULL)
        return OS_EINVAL;
    /* A task must not vanish in the middle of a flash operation: the chip would stay locked. */
    board_flash_lock(b);
    os_task_t **at = &o->tasks;
    while (*at != NULL && *at != task)
        at = &(*at)->next;
    bool known = *at == task;
    if (known)
        *at = task->next;
    board_flash_unlock(b);
    if (!known)
        return OS_EINVAL;

    struct board_task *self = b->ops->task_self(b), *victim = task->task;
    os_uint32_t *waiters = task->waiters;
    os_free(task);
    if (victim == NULL)
        return OS_EOK;
    if (waiters != NULL)
        --*waiters;
    if (victim == self)
        b->ops->task_free(b, self); /* does not return */
    int rc = b->ops->task_free(b, victim);
    /* It may have taken a wake-up with it; waking one more is harmless, all waits are loops. */
    if (waiters != NULL)
        b->ops->wake(b, waiters, 1);
    b->ops->wake(b, &b->flash_busy, 1);
    return rc == 0 ? OS_EOK : OS_ERROR;
}

os_err_t os_task_msleep(os_uint32_t ms)
{
    struct board *b = board_current();
    if (b == NULL)
        return OS_EINVAL;
    board_sleep_ns(b, (int64_t)ms * NS_PER_MS);
    return OS_EOK;
}
