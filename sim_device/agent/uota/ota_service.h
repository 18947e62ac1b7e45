/*
 * AliOS Things' OTA client: ota_service_init (seed 002 §1.6) and what the application above it
 * provides. The client stands on the 33 functions of port/alios alone: MQTT login, version, push,
 * HTTP(S) download, resume across power cuts by the key-value store, digest, boot choice
 * (aliyun note §12).
 *
 * What it keeps (§12.3): key_ota_breakpoint (position, u32), key_ota_hash (digest as upper-case
 * hex), key_ota_hash_ctx_head (method and position of the context, two u32), key_ota_hash_ctx_body
 * (the running digest), and the announced size and version beside them. A resume needs all of them
 * to equal the new announcement (DWN-09, DWN-10); a context of another position is not trusted: the
 * digest is then computed from flash.
 */
#ifndef OTABENCH_AGENT_UOTA_OTA_SERVICE_H
#define OTABENCH_AGENT_UOTA_OTA_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#define OTA_MESSAGE_MAX 8192 /* bytes of a message over MQTT: longer ones are dropped */

#define OTA_KV_BREAKPOINT "key_ota_breakpoint"
#define OTA_KV_HASH       "key_ota_hash"
#define OTA_KV_CTX_HEAD   "key_ota_hash_ctx_head"
#define OTA_KV_CTX_BODY   "key_ota_hash_ctx_body"
#define OTA_KV_SIZE       "key_ota_size"

/* Starts the service in a thread of its own. something is not used, as in the document. */
void ota_service_init(void *something);

/* ---- what the application provides ---- */

/* Version of the running firmware. */
const char *ota_user_version(void);
/* The cloud has accepted the version report: a trial may be confirmed. */
void ota_user_reported(void);
/* Whether this image may be installed; false: *why for the log. */
bool ota_user_may_install(const char *version, uint32_t size_bytes, const char **why);
/* How long and how often the service asks: interval between version reports, and how many. */
void ota_user_schedule(uint32_t *interval_ms, uint32_t *rounds);
/* The rounds are over; the service's thread ends after it. */
void ota_user_done(void);

#endif
