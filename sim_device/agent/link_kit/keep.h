/*
 * What an application above a Link SDK keeps of a download in the key-value store, so that it goes
 * on behind a power cut. The SDKs store nothing themselves (aliyun note §9); 4.x takes the first
 * byte to fetch (AIOT_DLOPT_RANGE_START of seed 004), and this says which.
 *
 * The position is one up to which flash holds the image: it is kept after the bytes before it were
 * programmed, and lies on the border of an erase unit, so that nothing in front of it must be
 * erased again. The task it belongs to is kept beside it and must be the same in every member
 * (DWN-09, DWN-10).
 */
#ifndef OTABENCH_AGENT_LINK_KIT_KEEP_H
#define OTABENCH_AGENT_LINK_KIT_KEEP_H

#include "sim_device/store/kv.h"

#define KIT_KEEP_BYTES 8192u /* at least, between two positions */
#define KIT_KEEP_TASK  192   /* bytes that describe a task */

struct kit_keep {
    bool on;
    uint32_t step_bytes; /* between positions: whole erase units */
    uint32_t at;         /* kept for the task */
    struct kv kv;
};

/* on: whether anything is kept at all. The store's errors. */
int kit_keep_open(struct kit_keep *k, struct board *b, const struct partition_table *t, bool on,
                  struct err *err);
/* Where to go on with that task; 0: at its first byte. */
uint32_t kit_keep_recall(struct kit_keep *k, const uint8_t task[KIT_KEEP_TASK]);
/* A task begins at its first byte. */
void kit_keep_begin(struct kit_keep *k, const uint8_t task[KIT_KEEP_TASK]);
/* So many bytes are in flash: kept when a border was passed. */
void kit_keep_reached(struct kit_keep *k, uint32_t durable_bytes);
/* Nothing can be gone on with. */
void kit_keep_forget(struct kit_keep *k);

#endif
