/*
 * OneOS mutex (seed 000 §3.1.2.8-11). Always recursive, whatever the flag says: the document
 * demands it. Depth at most OS_MUTEX_DEPTH_MAX.
 */
#ifndef OTABENCH_ONEOS_OS_MUTEX_H
#define OTABENCH_ONEOS_OS_MUTEX_H

#include "sim_device/port/oneos/os_types.h"

#define OS_MUTEX_DEPTH_MAX 255

typedef struct os_mutex os_mutex_t;

os_mutex_t *os_mutex_create(const char *name, os_bool_t recursive); /* null: no memory */
/* OS_EBUSY while another task owns it or waits for it. */
os_err_t os_mutex_destroy(os_mutex_t *mutex);
/* OS_ETIMEOUT after timeout ticks; OS_EBUSY at once for OS_NO_WAIT; OS_EFULL at the depth limit. */
os_err_t os_mutex_recursive_lock(os_mutex_t *mutex, os_tick_t timeout);
/* OS_EPERM when the caller does not own it. */
os_err_t os_mutex_recursive_unlock(os_mutex_t *mutex);

#endif
