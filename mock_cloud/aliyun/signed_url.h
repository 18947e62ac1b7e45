/*
 * Signed URLs: made, taken apart and checked. Two forms (aliyun note §5.1):
 *
 *   ?Expires=...&OSSAccessKeyId=...&Signature=...   URL signature V1 of the storage: base64 of the
 *       HMAC-SHA1 over verb, MD5, type, expiry and resource, URL-encoded
 *   ?auth_key={expires}-{once}-0-{digest}           of the content network in front of it: MD5 over
 *       path, expiry, once, 0 and a key, with hyphens between (cloud_config.auth_key)
 *
 * Keys follow from the cloud's project key. Either form is taken, whichever is handed out.
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_SIGNED_URL_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_SIGNED_URL_H

#include "mock_cloud/aliyun/aliyun.h"

#define STORAGE_BUCKET  "iotx-ota"
#define SIGNED_TEXT_MAX 512

/* The URL of a remote configuration's package. */
int aliyun_config_url(struct cloud *c, int64_t now_ns, int64_t package_id, char out[ALIYUN_URL_MAX],
                      struct err *err);

/* What a query says; texts URL-decoded. Parts that are missing are empty. */
struct storage_query {
    char expires[24];
    char key_id[64];
    char signature[64];
    char auth_key[128];
};
/* False when it is malformed: a bad escape, a value too long, a name twice. */
bool storage_query_parse(const char *query, struct storage_query *out);

/* One name of a query or form and where its decoded value goes, which must be empty before. */
struct signed_url_field {
    const char *name;
    char *value;
    size_t room;
};
/* The fields of "name=value&name=value"; others are passed over. False as above. */
bool signed_url_fields(const char *text, size_t len_bytes, const struct signed_url_field *fields,
                       size_t n);

enum url_verdict {
    URL_GOOD,
    URL_EXPIRED,  /* but well signed */
    URL_FORGED,   /* edited, or signed by somebody else */
    URL_UNSIGNED, /* no signature at all */
    URL_UNREADABLE,
    URL_UNKNOWN_KEY
};
struct signed_url {
    struct storage_query query;
    int64_t expires_s;          /* Unix time */
    char text[SIGNED_TEXT_MAX]; /* what was signed; empty for an auth_key */
};
enum url_verdict signed_url_check(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                                  struct signed_url *out);

int64_t signed_url_unix_s(const struct cloud *c, int64_t now_ns);
/* 32 hex digits that nobody can guess and that follow from the cloud's key. */
void signed_url_derive(const struct cloud *c, const char *what, const char *of,
                       char out[2 * MD5_BYTES + 1]);
/* Whether path is of the device's file of a firmware. */
bool signed_url_is_of(const struct cloud *c, const char *path, const char *identity);

#endif
