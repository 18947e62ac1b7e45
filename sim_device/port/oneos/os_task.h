/* OneOS tasks (seed 000 §3.1.2.16-20). A smaller priority number runs first. */
#ifndef OTABENCH_ONEOS_OS_TASK_H
#define OTABENCH_ONEOS_OS_TASK_H

#include "sim_device/port/oneos/os_types.h"

typedef struct os_task os_task_t;

/* Stopped until os_task_startup. Null: no entry, no stack size, no memory, no free task. */
os_task_t *os_task_create(const char *name, void (*entry)(void *arg), void *arg,
                          os_uint32_t stack_size, os_uint8_t priority);
/* Stops and frees. A task that returned from its entry keeps its handle until this call. Destroying
 * oneself does not return. OS_EINVAL for a handle this device does not know. */
os_err_t os_task_destroy(os_task_t *task);
os_err_t os_task_startup(os_task_t *task); /* OS_EBUSY the second time */
os_err_t os_task_msleep(os_uint32_t ms);

#endif
