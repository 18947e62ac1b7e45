/*
 * OneOS heap (seed 000 §3.1.2.4-7) on the board's counted heap. Size 0 gives null. The document's
 * "os_alloc(count, size)" is a misprint for os_calloc.
 */
#ifndef OTABENCH_ONEOS_OS_MEMORY_H
#define OTABENCH_ONEOS_OS_MEMORY_H

#include "sim_device/port/oneos/os_types.h"

void *os_malloc(os_size_t size);
void os_free(void *ptr); /* null is fine */
/* Null ptr: os_malloc. Size 0: os_free, null. On failure null and the old block stays valid. */
void *os_realloc(void *ptr, os_size_t size);
/* Zeroed; null when count * size overflows. */
void *os_calloc(os_size_t count, os_size_t size);

#endif
