/*
 * Any bytes as the record of the key-value store: what is read is a list of pairs within bounds,
 * and setting and getting go on from it.
 */
#include <stdlib.h>
#include <string.h>

#include "sim_device/store/kv.h"

#define UNIT 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t no_time(struct board *b)
{
    (void)b;
    return 0;
}

static void no_wake(struct board *b, const void *channel, int count)
{
    (void)b, (void)channel, (void)count;
}

static bool pair(void *ctx, const char *key, uint32_t key_bytes, const uint8_t *value,
                 uint32_t value_bytes)
{
    const struct kv *kv = ctx;
    const uint8_t *end = kv->bytes + kv->len_bytes;
    if (key_bytes == 0 || key_bytes > KV_KEY_MAX || value_bytes > KV_VALUE_MAX ||
        (const uint8_t *)key < kv->bytes || value + value_bytes > end)
        abort();
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct partition_table parts = {.count = 1, .part = {{"kv", 0, 2 * UNIT}}};
    struct nor_geometry geo = *nor_geometry_find("spi4k");
    struct board_ops ops = {.now_ns = no_time, .wake = no_wake};
    struct board b = {.ops = &ops};
    struct twin t = {0};
    struct kv kv;
    uint8_t bank[UNIT], got[4];
    uint32_t len = sizeof got;
    geo.size_bytes = 2 * UNIT;
    b.nor = nor_new(&geo, 1, NULL);
    if (b.nor == NULL || twin_open(&t, &b, &parts.part[0], KV_BYTES, NULL) != 0)
        abort();
    twin_image(&t, data, size < KV_BYTES ? (uint32_t)size : KV_BYTES, bank);
    (void)nor_load(b.nor, 0, bank, sizeof bank);
    if (kv_open(&kv, &b, &parts, false, NULL) != 0)
        abort();
    if (!kv_each(kv.bytes, kv.len_bytes, pair, &kv))
        abort();
    int rc = kv_set(&kv, "fuzz", "abcd", 4, true, NULL);
    if (rc != 0 && rc != ERR_LIMIT)
        abort();
    if (rc == 0 && (kv_open(&kv, &b, &parts, false, NULL) != 0 ||
                    kv_get(&kv, "fuzz", got, &len) != 0 || len != 4 || memcmp(got, "abcd", 4) != 0))
        abort();
    board_heap_drop(&b);
    nor_free(b.nor);
    return 0;
}
