/*
 * A package of several files (aliyun note §5.5): the device has as many as its configuration names,
 * each with an area of its own in the slot. A package holds all of them, in any order; they are
 * fetched in the order of their areas, each is held against its own digest, and the slot is chosen
 * as a whole (BOT-16). What lies between two files is erased.
 */
#ifndef OTABENCH_AGENT_LINK_KIT_PARTS_H
#define OTABENCH_AGENT_LINK_KIT_PARTS_H

#include "sim_device/agent/link_kit/push.h"
#include "sim_device/device.h"

struct kit_part {
    uint32_t offset, size_bytes; /* in the slot */
    enum digest_kind method;
    uint8_t digest[DIGEST_BYTES_MAX];
    uint32_t file; /* its number in the announcement, from 0 */
};

struct kit_parts {
    uint32_t n; /* in the order of their areas */
    struct kit_part part[KIT_FILES_MAX];
};

/* True: exactly the files of the device, and each fits its area. */
bool kit_parts_place(struct kit_parts *out, const struct device_config *c,
                     const struct kit_push_file *files, size_t n);
/* Bytes of the slot up to the end of the last file. */
uint32_t kit_parts_end(const struct kit_parts *p);
/* What tells this package from all others: SHA-256 over sizes, methods and digests. */
void kit_parts_id(const struct kit_parts *p, char out[DIGEST_HEX_MAX]);
/* The file that comes next when so much of the slot is stored; null: all are there. */
const struct kit_part *kit_parts_at(const struct kit_parts *p, uint32_t stored_bytes);

#endif
