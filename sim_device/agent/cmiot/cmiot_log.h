/* Log output of the CMIOT OTA component (seed 000 §3.2.2.4). */
#ifndef OTABENCH_CMIOT_LOG_H
#define OTABENCH_CMIOT_LOG_H

#include "sim_device/agent/cmiot/cmiot_type.h"

/* len characters, no terminator needed; goes to os_kprintf. */
void cmiot_printf(cmiot_char *data, cmiot_uint32 len);

#endif
