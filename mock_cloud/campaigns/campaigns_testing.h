/* What the tests of campaigns share. */
#ifndef OTABENCH_MOCK_CLOUD_CAMPAIGNS_TESTING_H
#define OTABENCH_MOCK_CLOUD_CAMPAIGNS_TESTING_H

#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "common/vtime.h"
#include "mock_cloud/campaigns/campaigns.h"

#define PRODUCT "p"

struct bench {
    struct store *store;
    struct cloud *cloud;
    char offered[512]; /* device ids with a blank behind each, in order */
};

static struct bench *current; /* the hook below has no context of its own */

static inline void on_offered(struct cloud *c, int64_t now_ns, const char *device_id,
                              int64_t delta_id)
{
    size_t at = strlen(current->offered);
    (void)c;
    (void)now_ns;
    (void)delta_id;
    (void)snprintf(current->offered + at, sizeof current->offered - at, "%s ", device_id);
}

static const struct face face = {.name = "test", .offered = on_offered};
static const struct face *const faces[] = {&face};

static inline void bench_open(struct bench *b)
{
    struct err err = {""};
    *b = (struct bench){.store = store_open(NULL, &err)};
    REQUIRE_OK(b->store == NULL ? ERR_IO : 0, &err);
    struct cloud_config cfg = {
        .store = b->store, .download_host = "h", .project_key = "k", .task_timeout_ns = NS_PER_S};
    b->cloud = cloud_new(&cfg, faces, 1, &err);
    REQUIRE_OK(b->cloud == NULL ? ERR_IO : 0, &err);
    current = b;
    struct store_product p = {.product_id = PRODUCT};
    CHECK_OK(store_put_product(b->store, &p, &err), &err);
}

static inline void bench_close(struct bench *b)
{
    cloud_free(b->cloud);
    store_close(b->store);
    current = NULL;
}

static inline void put_device(struct bench *b, const char *id, const char *version)
{
    struct store_device d = {.product_id = PRODUCT};
    (void)snprintf(d.device_id, sizeof d.device_id, "%s", id);
    CHECK_OK(store_put_device(b->store, &d, NULL), NULL);
    if (version != NULL)
        CHECK_OK(campaign_version(b->cloud, 0, id, "", version, NULL), NULL);
}

static inline void upload(struct bench *b, int64_t id, const char *version, const char *module)
{
    const struct campaign_file file = {.content = "x", .bytes = 1};
    const struct campaign_firmware f = {.delta_id = id,
                                        .product_id = PRODUCT,
                                        .version = version,
                                        .module = module,
                                        .files = &file,
                                        .file_count = 1};
    struct err err = {""};
    CHECK_OK(campaign_upload(b->store, &f, &err), &err);
}

static inline int start(struct bench *b, enum task_kind kind, int64_t id, const char *device,
                        const char *from, int64_t *task_id)
{
    struct store_task t = {.delta_id = id, .kind = kind};
    struct err err = {""};
    (void)snprintf(t.device_id, sizeof t.device_id, "%s", device);
    (void)snprintf(t.sources, sizeof t.sources, "%s", from);
    b->offered[0] = '\0';
    int rc = campaign_start(b->cloud, 0, &t, &err);
    if (task_id != NULL)
        *task_id = t.task_id;
    return rc;
}

/* -1: no record */
static inline int state_of(struct bench *b, int64_t id, const char *device)
{
    struct store_record rec;
    return store_get_record(b->store, id, device, &rec, NULL) == 0 ? (int)rec.state : -1;
}

static inline void verify(struct bench *b, int64_t id, const char *device, const char *version)
{
    CHECK_OK(start(b, TASK_VERIFY, id, device, "", NULL), NULL);
    CHECK_OK(campaign_version(b->cloud, 0, device, "", version, NULL), NULL);
    CHECK_INT(state_of(b, id, device), RECORD_SUCCESS);
}

/* A batch of firmware 5, told from what is in t. */
static inline int batch(struct bench *b, int64_t now_ns, struct store_task *t)
{
    struct err err = {""};
    t->delta_id = 5;
    t->kind = TASK_BATCH;
    b->offered[0] = '\0';
    return campaign_start(b->cloud, now_ns, t, &err);
}

static inline void fleet(struct bench *b, int devices)
{
    bench_open(b);
    upload(b, 5, "2.0", NULL);
    put_device(b, "a0", "1.0");
    verify(b, 5, "a0", "2.0");
    for (int i = 1; i <= devices; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "d%d", i);
        put_device(b, id, "1.0");
    }
}

#endif
