/*
 * Object storage: files behind signed URLs, answered as the vendor's storage does (aliyun note
 * §14): 403 with an XML body for a URL that is expired or was edited, 404 for a file that is gone,
 * ranges to the byte.
 *
 *   /ota/{firmware}/{number}-{tag}.bin   a firmware's file for the device of that tag
 *   /cfg/{package}.bin                   a remote configuration
 *
 * with a signature in the query (signed_url.h). Only GET is signed, so HEAD is refused, as there.
 *
 * A device that goes on asking with a URL that was good once and is expired loops (aliyun note §8,
 * §15 row 11): from cloud_config.refusals_max such refusals on they are held back a second each,
 * and its upgrade has failed.
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_STORAGE_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_STORAGE_H

#include "mock_cloud/aliyun/signed_url.h"

/* The face's answer to everything below the two paths. */
bool aliyun_storage(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                    struct http_reply *rp);

#endif
