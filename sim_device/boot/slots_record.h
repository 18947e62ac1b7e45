/* What slots.c and slots_boot.c share: the record on flash. */
#ifndef OTABENCH_SIM_DEVICE_BOOT_SLOTS_RECORD_H
#define OTABENCH_SIM_DEVICE_BOOT_SLOTS_RECORD_H

#include "sim_device/boot/slots.h"

/* Opens the twin and reads the record; without one r is all zeros: slot 0 active, digest unknown.
 * 0, or as slots_check and twin_open. */
int slots_load(struct twin *t, const struct slots_config *cfg, struct slots_record *r,
               struct err *err);
/* All or nothing, as twin_write. */
int slots_store(struct twin *t, const struct slots_record *r, struct err *err);
/* The image that is pending or on trial is remembered as refused, and the state steady. */
void slots_give_up(struct slots_record *r, enum slots_reason reason);
/* The event "rollback", after r was changed: away from the slot that is not active now. */
void slots_tell_rollback(struct board *b, const struct slots_record *r, enum slots_reason reason);
/* Slot 0 or 1, which a checked configuration has. */
const struct partition *slots_place(const struct partition_table *t, uint32_t slot);

#endif
