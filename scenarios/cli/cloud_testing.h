/* A cloud in memory, with the Aliyun face, for tests of what operates one. */
#ifndef OTABENCH_CLI_CLOUD_TESTING_H
#define OTABENCH_CLI_CLOUD_TESTING_H

#include "common/testing/testing.h"
#include "mock_cloud/aliyun/aliyun.h"

/* The caller frees the cloud, then closes the store. */
static inline struct cloud *test_cloud_open(struct store **store)
{
    static const struct face *const faces[] = {&aliyun_face};
    struct err err = {""};
    *store = store_open(NULL, &err);
    REQUIRE_OK(*store == NULL ? ERR_IO : 0, &err);
    const struct cloud_config cfg = {
        .store = *store, .download_host = "h", .download_port = 80, .project_key = "k"};
    struct cloud *cloud = cloud_new(&cfg, faces, 1, &err);
    REQUIRE_OK(cloud == NULL ? ERR_IO : 0, &err);
    return cloud;
}

#endif
