/*
 * Object storage: files behind signed URLs, answered as the vendor's storage does (aliyun note
 * §14): 403 with an XML body for a URL that is expired or was edited, 404 for a file that is gone,
 * ranges to the byte.
 *
 *   /ota/{firmware}/{number}-{tag}.bin   a firmware's file for the device of that tag
 *   /cfg/{package}.bin                   a remote configuration
 *
 * with ?Expires=...&OSSAccessKeyId=...&Signature=...: URL signature V1, base64 of the HMAC-SHA1
 * over verb, MD5, type, expiry and resource, URL-encoded. Only GET is signed, so HEAD is refused,
 * as there. Key id and secret follow from the cloud's project key.
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_STORAGE_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_STORAGE_H

#include "mock_cloud/aliyun/aliyun.h"

#define STORAGE_BUCKET "iotx-ota"

int aliyun_config_url(struct cloud *c, int64_t now_ns, int64_t package_id, char out[ALIYUN_URL_MAX],
                      struct err *err);

/* What a query says; texts URL-decoded. Parts that are missing are empty. */
struct storage_query {
    char expires[24];
    char key_id[64];
    char signature[64];
};
/* False when it is malformed: a bad escape, a value too long, a name twice. */
bool storage_query_parse(const char *query, struct storage_query *out);

/* The face's answer to everything below the two paths. */
bool aliyun_storage(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                    struct http_reply *rp);

#endif
