/*
 * Any bytes as the boot record, in a valid twin and raw: the boot loader comes to an end, never
 * starts an image that the record does not describe as it is in flash, and leaves a record behind
 * that the next start reads the same way.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "sim_device/boot/slots.h"

#define UNIT      4096u
#define STEPS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct partition_table parts = {
    .count = 3, .part = {{"app", 0, UNIT}, {"app2", UNIT, UNIT}, {"slots", 2 * UNIT, 2 * UNIT}}};

static int64_t no_time(struct board *b)
{
    (void)b;
    return 0;
}

static void no_wake(struct board *b, const void *channel, int count)
{
    (void)b, (void)channel, (void)count;
}

static uint32_t start(const struct slots_config *cfg, enum boot_result *rc)
{
    struct slots_boot boot;
    int steps = 0;
    slots_boot_begin(&boot, cfg);
    do
        *rc = slots_boot_step(&boot);
    while (*rc == BOOT_MORE && ++steps < STEPS_MAX);
    if (*rc == BOOT_MORE)
        abort();
    return boot.slot;
}

static void check_image(const struct board *b, uint32_t slot)
{
    struct slots_record r;
    uint8_t got[SHA256_BYTES];
    if (!slots_peek(nor_peek(b->nor), nor_geo(b->nor), &parts, &r))
        abort();
    const struct slots_image *image = &r.image[slot];
    if (image->len_bytes == 0) /* a factory without a record */
        return;
    if (image->len_bytes > UNIT)
        abort();
    digest_of(DIGEST_SHA256, nor_peek(b->nor) + slot * UNIT, image->len_bytes, got);
    if (memcmp(got, image->sha256, sizeof got) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nor_geometry geo = *nor_geometry_find("spi4k");
    struct board_ops ops = {.now_ns = no_time, .wake = no_wake};
    struct board b = {.ops = &ops};
    struct slots_config cfg = {.board = &b, .partitions = &parts, .trial_boots_max = 3};
    uint8_t bank[UNIT];
    enum boot_result rc;
    if (size < 1)
        return 0;
    bool raw = data[0] & 1;
    data++;
    size--;
    geo.size_bytes = 4 * UNIT;
    b.nor = nor_new(&geo, 1, NULL);
    if (b.nor == NULL)
        abort();
    struct twin t = {0};
    if (twin_open(&t, &b, &parts.part[2], SLOTS_RECORD_BYTES, NULL) != 0)
        abort();
    if (raw) {
        memset(bank, 0xFF, sizeof bank);
        memcpy(bank, data, size < sizeof bank ? size : sizeof bank);
    } else {
        uint8_t record[SLOTS_RECORD_BYTES] = {0};
        memcpy(record, data, size < sizeof record ? size : sizeof record);
        twin_image(&t, record, sizeof record, bank);
    }
    (void)nor_load(b.nor, 2 * UNIT, bank, sizeof bank);
    for (int i = 0; i < 5; i++) {
        uint32_t slot = start(&cfg, &rc);
        if (rc == BOOT_RUN)
            check_image(&b, slot);
    }
    board_heap_drop(&b);
    nor_free(b.nor);
    return 0;
}
