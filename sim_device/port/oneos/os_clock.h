/* OneOS time (seed 000 §3.1.2.2-3). One tick is 1 ms; tick values wrap at 2^32. */
#ifndef OTABENCH_ONEOS_OS_CLOCK_H
#define OTABENCH_ONEOS_OS_CLOCK_H

#include "sim_device/port/oneos/os_types.h"

/* Ticks since power-on of the run, modulo 2^32. */
os_tick_t os_tick_get(void);
/* Ticks from `from` to `to` across at most one wrap. Not in the vendor's header. */
os_tick_t os_tick_between(os_tick_t from, os_tick_t to);
/* Never 0 for a time that is not 0, never OS_WAIT_FOREVER. */
os_tick_t os_tick_from_ms(os_uint32_t ms);

#endif
