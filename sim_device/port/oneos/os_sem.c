#include "sim_device/port/oneos/os_sem.h"

#include "sim_device/port/oneos/oneos_port.h"

struct os_sem {
    os_uint32_t value;
    os_uint32_t max_value;
    os_uint32_t waiters; /* also the channel they wait on */
};

os_sem_t *os_sem_create(const char *name, os_uint32_t value, os_uint32_t max_value)
{
    (void)name;
    if (max_value == 0 || value > max_value)
        return NULL;
    os_sem_t *sem = os_calloc(1, sizeof(*sem));
    if (sem != NULL)
        *sem = (os_sem_t){.value = value, .max_value = max_value};
    return sem;
}

os_err_t os_sem_destroy(os_sem_t *sem)
{
    if (sem == NULL)
        return OS_EINVAL;
    if (sem->waiters > 0)
        return OS_EBUSY;
    os_free(sem);
    return OS_EOK;
}

os_err_t os_sem_wait(os_sem_t *sem, os_tick_t timeout)
{
    struct board *b = board_current();
    if (b == NULL || sem == NULL)
        return OS_EINVAL;
    int64_t deadline_ns = oneos_deadline(b, timeout);
    while (sem->value == 0) {
        if (timeout == OS_NO_WAIT)
            return OS_EBUSY;
        if (oneos_wait(b, &sem->waiters, deadline_ns) != OS_EOK)
            return OS_ETIMEOUT;
    }
    sem->value--;
    return OS_EOK;
}

os_err_t os_sem_post(os_sem_t *sem)
{
    struct board *b = board_current();
    if (b == NULL || sem == NULL)
        return OS_EINVAL;
    if (sem->value >= sem->max_value)
        return OS_EFULL;
    sem->value++;
    b->ops->wake(b, &sem->waiters, 1);
    return OS_EOK;
}
