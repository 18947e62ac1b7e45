/*
 * The CMIOT OTA component as applications call it (seed 000 §3.2.2.5-11, §4.4). Results and the
 * traffic of each call: cms-ota §5. All calls block; one at a time per device, a second one gets
 * E_CMIOT_FAILURE. Whatever a call allocates is freed when it returns.
 *
 * Where this client is better than the vendor's, on purpose:
 *   - replies are parsed, not scanned: Content-Length or chunked, strict JSON, any split;
 *   - a package is verified again before "already downloaded" is believed, also by cmiot_upgrade;
 *   - a reportDownResult that was lost or refused is sent again by the next cmiot_upgrade or
 *     cmiot_report_upgrade (the vendor never does); the results of the calls stay as documented;
 *   - a pending update result is delivered, or refused for good, before a new package may overwrite
 *     it; 1005, 1010, 1015, 2001 and 2103 are not for good;
 *   - a package whose failure was reported is not fetched again before the next power-on;
 *   - an announced versionName that is not higher than the running one gives LAST_VERSION;
 *   - identity refused with 2001 or 2103 is forgotten, so that the next call registers again;
 *   - a server that ignores ranges, refuses them, or closes after each reply is coped with.
 * ETag and If-Range are not used, as in the vendor's client: the MD5 decides.
 */
#ifndef OTABENCH_CMIOT_USER_H
#define OTABENCH_CMIOT_USER_H

#include "sim_device/agent/cmiot/cmiot_type.h"

/* Never null, never empty. */
cmiot_char *cmiot_get_network_type(void);
cmiot_char *cmiot_download_name(void);
void cmiot_msleep(cmiot_uint32 time);

/* Checks and downloads. SUCCESS: restart to install. FAILURE, NOMEMORY, LAST_VERSION,
 * PAKAGE_TOO_LARGE (variant C; A: FAILURE). */
cmiot_int8 cmiot_upgrade(void);
/* SUCCESS when accepted, NO_UPGRADE when there is nothing to report, FAILURE. */
cmiot_int8 cmiot_report_upgrade(void);
/* Checks only. version: filled and terminated on SUCCESS, else untouched; null is fine. Also
 * LAST_VERSION, PAKAGE_TOO_LARGE, NEW_VERSION_EXIST, NOMEMORY, FAILURE. */
cmiot_int8 cmiot_check_version(char version[CMIOT_VERSION_NAME_MAX]);
/* Downloads what cmiot_check_version found since power-on; FAILURE without that. */
cmiot_int8 cmiot_only_upgrade(void);

#endif
