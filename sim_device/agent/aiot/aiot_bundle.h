/*
 * What one announcement of the 4.x SDK names: one file, or several that make up one image. The SDK
 * hands over a task per file, in order and at once; a bundle holds copies of them on the board's
 * heap. A zeroed bundle is empty.
 */
#ifndef OTABENCH_AGENT_AIOT_BUNDLE_H
#define OTABENCH_AGENT_AIOT_BUNDLE_H

#include "sim_device/agent/aiot/aiot_ota_api.h"
#include "sim_device/agent/link_kit/kit.h"
#include "sim_device/agent/link_kit/upgrade.h"

struct aiot_bundle {
    aiot_download_task_desc_t *first, **rest; /* owned; rest: file_num - 1 of them, in order */
};

/* How many files it is to have; 0: it is empty. */
uint32_t aiot_bundle_files(const struct aiot_bundle *p);
/* File i, from 0, of those that have come; the bundle's own. */
aiot_download_task_desc_t *aiot_bundle_at(const struct aiot_bundle *p, uint32_t i);
/* Takes a copy of one more file; the first one begins anew. False, and empty, without memory. */
bool aiot_bundle_put(struct board *b, struct aiot_bundle *p, const aiot_download_task_desc_t *task);
void aiot_bundle_drop(struct board *b, struct aiot_bundle *p);
/* What was in to is dropped; from is empty afterwards. */
void aiot_bundle_move(struct board *b, struct aiot_bundle *to, struct aiot_bundle *from);

/* Room for the files of an offer and the digest that stands for all of them. */
struct aiot_offer_room {
    struct kit_push_file files[KIT_FILES_MAX];
    char id[DIGEST_HEX_MAX];
};

/* A complete bundle as the offer that kit_upgrade judges. It points into bundle and room. */
struct kit_offer aiot_bundle_offer(const struct device_config *c, const struct aiot_bundle *p,
                                   aiot_ota_recv_type_t type, struct aiot_offer_room *room);

#endif
