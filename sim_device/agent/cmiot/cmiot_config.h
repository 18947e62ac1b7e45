/*
 * Settings of the CMIOT OTA component (seed 000 §3.2.2.1-3, §3.4.2) and the device-id callback
 * (seed 000 §3.3.1). The hooks read the configuration of the running device; outside of one they
 * give the defaults.
 */
#ifndef OTABENCH_CMIOT_CONFIG_H
#define OTABENCH_CMIOT_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "sim_device/agent/cmiot/cmiot_type.h"

#define CMIOT_DEFAULT_TRY_TIME  5000u /* ms */
#define CMIOT_DEFAULT_TRY_COUNT 6u
#define CMIOT_DEFAULT_UTC_TIME  133u /* what real clients send (cms-ota §1) */

/* Receive time-out of the sockets, ms. */
cmiot_uint32 cmiot_get_try_time(void);
/* How often a request is repeated when its reply cannot be decoded. */
cmiot_uint8 cmiot_get_try_count(void);
cmiot_uint32 cmiot_get_utc_time(void);
/* Copies the device id, without terminator, and sets its length. 0, or -1 when there is none or the
 * room is too small: then nothing is written. */
int cms_id_set_did(uint8_t *did, size_t did_max_len, size_t *did_len);

#endif
