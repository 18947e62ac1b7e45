/*
 * Inside campaigns: tasks, and how devices come into them. campaigns.c asks these for what a device
 * said.
 */
#ifndef OTABENCH_MOCK_CLOUD_CAMPAIGNS_TASKS_H
#define OTABENCH_MOCK_CLOUD_CAMPAIGNS_TASKS_H

#include "mock_cloud/campaigns/campaigns.h"

/* Whether a batch wants a device that has told this version. */
bool tasks_wants(struct store *s, const struct store_task *t, const struct store_firmware *f,
                 const char *device_id, const char *version);
/* The device's record becomes pending, others of the module end; or, when the task yields to those,
 * it has failed. */
int tasks_take_in(struct cloud *c, int64_t now_ns, const struct store_task *t,
                  const char *device_id, const struct store_firmware *f, struct err *err);
/* A firmware has just been verified: batches that are held for it start. */
int tasks_verified(struct cloud *c, int64_t now_ns, const struct store_firmware *f,
                   struct err *err);

#endif
