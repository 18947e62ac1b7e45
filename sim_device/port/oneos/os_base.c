/* Assertion, time, heap and log: each a few lines over the board. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/vtime.h"
#include "sim_device/port/oneos/oneos_port.h"

void OS_ASSERT(os_bool_t condition)
{
    static const char text[] = "assertion failed";
    struct board *b = board_current();
    if (condition || b == NULL)
        return;
    board_log(b, text, sizeof(text) - 1);
    b->ops->reset(b);
}

os_tick_t os_tick_get(void)
{
    struct board *b = board_current();
    return b == NULL ? 0 : (os_tick_t)((uint64_t)(b->ops->now_ns(b) / NS_PER_MS) & OS_TICK_MAX);
}

os_tick_t os_tick_between(os_tick_t from, os_tick_t to)
{
    return (to - from) & OS_TICK_MAX;
}

os_tick_t os_tick_from_ms(os_uint32_t ms)
{
    return ms < OS_WAIT_FOREVER ? ms : OS_WAIT_FOREVER - 1;
}

void *os_malloc(os_size_t size)
{
    struct board *b = board_current();
    return b != NULL && size > 0 ? board_alloc(b, size) : NULL;
}

void os_free(void *ptr)
{
    struct board *b = board_current();
    if (b != NULL && ptr != NULL)
        board_free(b, ptr);
}

void *os_realloc(void *ptr, os_size_t size)
{
    struct board *b = board_current();
    if (b == NULL)
        return NULL;
    if (size == 0) {
        os_free(ptr);
        return NULL;
    }
    return ptr == NULL ? board_alloc(b, size) : board_realloc(b, ptr, size);
}

void *os_calloc(os_size_t count, os_size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    void *p = os_malloc(count * size);
    if (p != NULL)
        memset(p, 0, count * size);
    return p;
}

void os_kprintf(const char *fmt, ...)
{
    struct board *b = board_current();
    char text[OS_KPRINTF_MAX];
    va_list args;
    if (b == NULL || fmt == NULL)
        return;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (len < 0)
        return;
    board_log(b, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
}
