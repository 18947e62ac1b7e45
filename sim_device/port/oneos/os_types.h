/*
 * OneOS basic types, constants and error numbers, as the vendor's porting headers spell them
 * (cms-ota §11, column W217). Widths are those of the vendor's typedefs on this host: os_size_t and
 * os_tick_t are unsigned long. Tick VALUES stay within 32 bits, as on the 32-bit parts.
 */
#ifndef OTABENCH_ONEOS_OS_TYPES_H
#define OTABENCH_ONEOS_OS_TYPES_H

#include <stddef.h>

typedef signed char os_int8_t;
typedef signed short os_int16_t;
typedef signed int os_int32_t;
typedef unsigned char os_uint8_t;
typedef unsigned short os_uint16_t;
typedef unsigned int os_uint32_t;
typedef signed int os_bool_t;
typedef signed int os_err_t;
typedef unsigned long os_size_t;
typedef unsigned long os_tick_t;

#define OS_TRUE  1
#define OS_FALSE 0
#define OS_NULL  NULL

#define OS_TICK_MAX        0xFFFFFFFFUL
#define OS_WAIT_FOREVER    OS_TICK_MAX
#define OS_NO_WAIT         0UL
#define OS_TICK_PER_SECOND 1000UL

#define OS_EOK      0
#define OS_ERROR    0xFF
#define OS_ETIMEOUT (-2)
#define OS_EFULL    (-3)
#define OS_EEMPTY   (-4)
#define OS_ENOMEM   (-5)
#define OS_ENOSYS   (-6)
#define OS_EBUSY    (-7)
#define OS_EIO      (-8)
#define OS_EINTR    (-9)
#define OS_EINVAL   (-10)
#define OS_ENODEV   (-11)
#define OS_EPERM    (-12)

#endif
