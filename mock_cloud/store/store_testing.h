/* What the tests of the store share: a store in memory, and rows to put into it. */
#ifndef OTABENCH_MOCK_CLOUD_STORE_TESTING_H
#define OTABENCH_MOCK_CLOUD_STORE_TESTING_H

#include <stdio.h>

#include "common/testing/testing.h"
#include "mock_cloud/store/store.h"

static inline struct store *open_memory(void)
{
    struct err err = {""};
    struct store *s = store_open(NULL, &err);
    REQUIRE_OK(s == NULL ? ERR_IO : 0, &err);
    return s;
}

static inline struct store_product sample_product(void)
{
    return (struct store_product){.product_id = "g1i3zV1okW",
                                  .secret = "55FD426FD4D481226881AE7C1A853F0F",
                                  .cms = true,
                                  .has_team = true,
                                  .oem = "acme",
                                  .model = "m1",
                                  .platform = "W217",
                                  .device_type = "watch",
                                  .owner = "someone",
                                  .device_visits_per_day = 4000000000u,
                                  .owner_visits_per_day = 7,
                                  .compare_block_kib = 64,
                                  .restore_block_bytes = 65536,
                                  .window_bytes = 16384};
}

static inline struct store_package sample_package(int64_t id, const char *from, const char *to)
{
    struct store_package p = {.delta_id = id,
                              .product_id = "p",
                              .kind = from[0] == '\0' ? PACKAGE_FULL : PACKAGE_DELTA,
                              .bytes = 4,
                              .md5_hex = "0123456789abcdef0123456789abcdef"};
    (void)snprintf(p.from_version, sizeof p.from_version, "%s", from);
    (void)snprintf(p.to_version, sizeof p.to_version, "%s", to);
    return p;
}

static inline void check_same_product(const struct store_product *a, const struct store_product *b)
{
    CHECK_STR(a->product_id, b->product_id);
    CHECK_STR(a->secret, b->secret);
    CHECK_INT(a->cms, b->cms);
    CHECK_INT(a->has_team, b->has_team);
    CHECK_STR(a->oem, b->oem);
    CHECK_STR(a->model, b->model);
    CHECK_STR(a->platform, b->platform);
    CHECK_STR(a->device_type, b->device_type);
    CHECK_STR(a->owner, b->owner);
    CHECK_INT(a->device_visits_per_day, b->device_visits_per_day);
    CHECK_INT(a->owner_visits_per_day, b->owner_visits_per_day);
    CHECK_INT(a->compare_block_kib, b->compare_block_kib);
    CHECK_INT(a->restore_block_bytes, b->restore_block_bytes);
    CHECK_INT(a->window_bytes, b->window_bytes);
}

static inline void put_firmware(struct store *s, int64_t id, const char *module,
                                const char *version)
{
    struct store_firmware f = {.delta_id = id, .product_id = "p", .file_count = 1};
    (void)snprintf(f.module, sizeof f.module, "%s", module);
    (void)snprintf(f.version, sizeof f.version, "%s", version);
    CHECK_OK(store_put_firmware(s, &f, NULL), NULL);
}

#endif
