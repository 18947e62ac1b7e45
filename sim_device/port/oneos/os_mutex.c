#include "sim_device/port/oneos/os_mutex.h"

#include "sim_device/port/oneos/oneos_port.h"

struct os_mutex {
    struct board_task *owner; /* null: free */
    os_uint32_t depth;
    os_uint32_t waiters; /* also the channel they wait on */
};

os_mutex_t *os_mutex_create(const char *name, os_bool_t recursive)
{
    (void)name;
    (void)recursive;
    return os_calloc(1, sizeof(os_mutex_t));
}

os_err_t os_mutex_destroy(os_mutex_t *mutex)
{
    struct board *b = board_current();
    if (b == NULL || mutex == NULL)
        return OS_EINVAL;
    if (mutex->waiters > 0 || (mutex->owner != NULL && mutex->owner != b->ops->task_self(b)))
        return OS_EBUSY;
    os_free(mutex);
    return OS_EOK;
}

os_err_t os_mutex_recursive_lock(os_mutex_t *mutex, os_tick_t timeout)
{
    struct board *b = board_current();
    if (b == NULL || mutex == NULL)
        return OS_EINVAL;
    struct board_task *self = b->ops->task_self(b);
    int64_t deadline_ns = oneos_deadline(b, timeout);
    while (mutex->owner != NULL && mutex->owner != self) {
        if (timeout == OS_NO_WAIT)
            return OS_EBUSY;
        if (oneos_wait(b, &mutex->waiters, deadline_ns) != OS_EOK)
            return OS_ETIMEOUT;
    }
    if (mutex->depth >= OS_MUTEX_DEPTH_MAX)
        return OS_EFULL;
    mutex->owner = self;
    mutex->depth++;
    return OS_EOK;
}

os_err_t os_mutex_recursive_unlock(os_mutex_t *mutex)
{
    struct board *b = board_current();
    if (b == NULL || mutex == NULL)
        return OS_EINVAL;
    if (mutex->owner == NULL || mutex->owner != b->ops->task_self(b))
        return OS_EPERM;
    if (--mutex->depth == 0) {
        mutex->owner = NULL;
        b->ops->wake(b, &mutex->waiters, 1);
    }
    return OS_EOK;
}
