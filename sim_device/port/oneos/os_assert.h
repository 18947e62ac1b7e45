/* OneOS assertion, a function in this port (seed 000 §3.1.2.1; cms-ota §11). */
#ifndef OTABENCH_ONEOS_OS_ASSERT_H
#define OTABENCH_ONEOS_OS_ASSERT_H

#include "sim_device/port/oneos/os_types.h"

/* True: returns. False: logs "assertion failed" and restarts the device; does not return. */
void OS_ASSERT(os_bool_t condition);

#endif
