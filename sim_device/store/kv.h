/*
 * A small key-value store in flash. All pairs are one record of a twin (store/twin.h), so what was
 * set with sync is there entirely or not at all after any power cut, and pairs that were set
 * without sync become durable together with the next one that is (PWR-12).
 *
 * Bounded: keys of 1..KV_KEY_MAX bytes, values of up to KV_VALUE_MAX, all pairs together KV_BYTES.
 */
#ifndef OTABENCH_SIM_DEVICE_STORE_KV_H
#define OTABENCH_SIM_DEVICE_STORE_KV_H

#include "sim_device/store/twin.h"

#define KV_KEY_MAX   63 /* characters */
#define KV_VALUE_MAX 512
#define KV_BYTES     944 /* four copies of it fit an erase unit of 4 KiB */
#define KV_PARTITION "kv"

struct kv {
    struct twin twin;
    bool unsaved; /* a value was set without sync */
    bool busy;    /* a task writes; also the channel others wait on */
    uint32_t len_bytes;
    uint8_t bytes[KV_BYTES]; /* pair: key length u8, value length u16, key, value */
};

/* Refuses a partition that is too small. ERR_ARG. */
int kv_check(const struct nor_geometry *geo, const struct partition_table *t, struct err *err);
/* Reads the flash, and makes firm what a cut may have left weak; no record: empty. A record that
 * makes no sense (no list of pairs, a key twice) counts as none. single_copy: the broken variant.
 * ERR_ARG, ERR_IO. */
int kv_open(struct kv *kv, struct board *b, const struct partition_table *t, bool single_copy,
            struct err *err);
/* Value of a key. *len_bytes: capacity in, length out (also with ERR_LIMIT, where buf is
 * untouched). ERR_NOT_FOUND; ERR_ARG: no legal key. */
int kv_get(const struct kv *kv, const char *key, void *buf, uint32_t *len_bytes);
/*
 * Sets or replaces. sync: durable when 0 is returned; otherwise seen by kv_get at once, lost with
 * power. What is stored so already is not written again, so a start that a cut ends early leaves
 * nothing new. ERR_ARG: key or value outside the bounds; ERR_LIMIT: no room; ERR_IO, ERR_NOMEM: not
 * written. On error everything is as before.
 */
int kv_set(struct kv *kv, const char *key, const void *value, uint32_t len_bytes, bool sync,
           struct err *err);

/* Calls back for every pair of a record's bytes, until visit returns false. False: the bytes are no
 * list of pairs. For tools and tests. */
bool kv_each(const uint8_t *bytes, uint32_t len_bytes,
             bool (*visit)(void *ctx, const char *key, uint32_t key_bytes, const uint8_t *value,
                           uint32_t value_bytes),
             void *ctx);

/* Text for people: keys and the lengths of their values, never the values. ERR_LIMIT. */
struct buf;
int kv_describe(const uint8_t *chip, const struct nor_geometry *geo,
                const struct partition_table *t, struct buf *out);

#endif
