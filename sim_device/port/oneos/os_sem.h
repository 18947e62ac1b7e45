/* OneOS counting semaphore (seed 000 §3.1.2.12-15). */
#ifndef OTABENCH_ONEOS_OS_SEM_H
#define OTABENCH_ONEOS_OS_SEM_H

#include "sim_device/port/oneos/os_types.h"

typedef struct os_sem os_sem_t;

/* Null: no memory, max_value 0, or value above it. */
os_sem_t *os_sem_create(const char *name, os_uint32_t value, os_uint32_t max_value);
os_err_t os_sem_destroy(os_sem_t *sem); /* OS_EBUSY while a task waits */
/* OS_ETIMEOUT after timeout ticks; OS_EBUSY at once for OS_NO_WAIT. */
os_err_t os_sem_wait(os_sem_t *sem, os_tick_t timeout);
/* Wakes exactly one waiter. OS_EFULL at max_value, count unchanged. */
os_err_t os_sem_post(os_sem_t *sem);

#endif
