/* OneOS log output (seed 000 §3.1.2.21). */
#ifndef OTABENCH_ONEOS_OS_UTILS_H
#define OTABENCH_ONEOS_OS_UTILS_H

#define OS_KPRINTF_MAX 512 /* one call's output is cut to this, terminator included */

void os_kprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
