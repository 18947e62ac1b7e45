/*
 * What the parts of the OTA module share: topics, messages and task descriptions.
 */
#ifndef OTABENCH_AGENT_AIOT_OTA_H
#define OTABENCH_AGENT_AIOT_OTA_H

#include "sim_device/agent/aiot/aiot_ota_api.h"
#include "sim_device/agent/link_kit/kit.h"

#define AIOT_TOPIC_MAX    256
#define AIOT_PAYLOAD_MAX  512
#define AIOT_VERSION_MAX  128
#define AIOT_DIGEST_CHARS (2 * SHA256_BYTES)

/* Publishes at QoS 0. The format gets the message id first. false: too long, or not sent. */
bool aiot_ota_send(void *mqtt, const char *topic, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A deep copy as one block; null without memory. board_free it. */
aiot_download_task_desc_t *aiot_ota_copy_task(struct board *b,
                                              const aiot_download_task_desc_t *task);

/* Progress of a task, on the topic of whom it is addressed to. STATE_SUCCESS, -0x0902. */
int32_t aiot_ota_report_step(const aiot_download_task_desc_t *task, int32_t step);

/* The digest object's kind, and the code when there is no memory for it. */
enum digest_kind aiot_ota_digest_kind(uint8_t method);

#endif
