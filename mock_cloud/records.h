/*
 * The life of an update record (requirement RPT-17): one per package and device.
 *
 *   offered           -> pending; another package's record still pending is superseded
 *   first byte served -> upgrading
 *   download report   -> upgrading (1), failed (any other)
 *   upgrade report    -> success (1), failed (any other)
 *   no sign of life for task_timeout_ns while upgrading -> failed
 *
 * A terminal state ends the attempt: later reports change nothing and are only noted. A new attempt
 * begins when the package is offered again, or fetched again after a failure.
 *
 * Campaigns tell the same life by other signs: pending when a task takes the device in, upgrading
 * by its first progress, failed by a negative step or the time-out, success by the version it
 * reports and by nothing else. download_status is the last step, upgrade_status the failure code,
 * or 1 for success.
 */
#ifndef OTABENCH_MOCK_CLOUD_RECORDS_H
#define OTABENCH_MOCK_CLOUD_RECORDS_H

#include "mock_cloud/cloud.h"

/* delta_id 0: nothing is offered, the device's pending records are superseded. */
int record_offer(struct cloud *c, int64_t now_ns, const char *device_id, int64_t delta_id,
                 struct err *err);
/* The device is being served bytes of the package. Without a record nothing happens, 0. */
int record_fetch(struct cloud *c, int64_t now_ns, const char *device_id, int64_t delta_id,
                 struct err *err);
/* One of download and upgrade is the reported status, the other 0. ERR_NOT_FOUND: the package was
 * never offered to that device. */
int record_report(struct cloud *c, int64_t now_ns, const char *device_id, int64_t delta_id,
                  int download, int upgrade, struct err *err);

/* Campaigns. record_start: a new attempt, pending; an open record stays as it is. record_step:
 * progress, any number; negative is failure. record_end: success, failed or superseded. rec is the
 * record as stored, and after the call as changed. */
int record_start(struct cloud *c, int64_t now_ns, const char *device_id, int64_t delta_id,
                 struct err *err);
int record_step(struct cloud *c, int64_t now_ns, struct store_record *rec, int step,
                struct err *err);
int record_end(struct cloud *c, int64_t now_ns, struct store_record *rec, enum record_state state,
               struct err *err);

#endif
