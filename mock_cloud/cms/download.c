#include "mock_cloud/cms/download.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/digest.h"
#include "common/vtime.h"
#include "mock_cloud/content.h"
#include "mock_cloud/records.h"

#define PREFIX "/fota/"

/* What a URL says; expiry 0 is never. The signature covers the two numbers. */
struct pass {
    int64_t delta_id;
    int64_t expiry_ns;
};

static void pass_path(const struct cloud *c, const struct pass *pass, char out[CMS_PATH_MAX])
{
    const char *key = cloud_config(c)->project_key;
    char sign[2 * MD5_BYTES + 1];
    int len = snprintf(out, CMS_PATH_MAX, PREFIX "%" PRId64 "/%" PRIx64 "/", pass->delta_id,
                       (uint64_t)pass->expiry_ns);
    hmac_md5_hex(key, strlen(key), out, (size_t)len, sign);
    (void)snprintf(out + len, CMS_PATH_MAX - (size_t)len, "%s", sign);
}

void cms_download_path(const struct cloud *c, int64_t now_ns, int64_t delta_id,
                       char out[CMS_PATH_MAX])
{
    int64_t lifetime_ns = cloud_config(c)->url_lifetime_ns;
    struct pass pass = {.delta_id = delta_id,
                        .expiry_ns = lifetime_ns == 0 ? 0 : vtime_after(now_ns, lifetime_ns)};
    pass_path(c, &pass, out);
}

/* Digits of the base up to a slash, at most max of them. */
static bool read_part(const char **p, const char *digits, size_t max, int64_t *out)
{
    size_t base = strlen(digits);
    size_t len = strspn(*p, digits);
    uint64_t v = 0;
    if (len == 0 || len > max || (*p)[len] != '/')
        return false;
    for (size_t i = 0; i < len; i++)
        v = v * base + (uint64_t)(strchr(digits, (*p)[i]) - digits);
    *p += len + 1;
    *out = (int64_t)v;
    return v <= INT64_MAX;
}

/* Whether path is exactly one we made: it is read, made again and compared. */
static bool read_pass(const struct cloud *c, const char *path, struct pass *out)
{
    char again[CMS_PATH_MAX];
    const char *p = path + strlen(PREFIX);
    if (!read_part(&p, "0123456789", 10, &out->delta_id) ||
        !read_part(&p, "0123456789abcdef", 16, &out->expiry_ns))
        return false;
    pass_path(c, out, again);
    return strcmp(path, again) == 0;
}

/* The HTTP status that says why it cannot be served, or 200. */
static int find_content(struct cloud *c, int64_t delta_id, struct content *out, struct err *err)
{
    struct store_package package;
    int rc = store_get_package(cloud_store(c), delta_id, &package, err);
    if (rc == 0 && package.withdrawn)
        rc = ERR_NOT_FOUND;
    if (rc == 0)
        rc = store_package_bytes(cloud_store(c), delta_id, &out->data, &out->bytes, err);
    if (rc != 0)
        return rc == ERR_NOT_FOUND ? 404 : 500;
    (void)snprintf(out->etag, sizeof out->etag, "\"%s\"", package.md5_hex);
    return 200;
}

static void begin_record(struct cloud *c, int64_t now_ns, const char *query, int64_t delta_id)
{
    char device_id[STORE_TEXT_MAX];
    struct err err = {""};
    if (query == NULL || query[0] == '\0' || strlen(query) >= sizeof device_id)
        return;
    (void)snprintf(device_id, sizeof device_id, "%s", query);
    if (record_fetch(c, now_ns, device_id, delta_id, &err) != 0)
        cloud_event(c, now_ns, "error", &F_STR("what", err.text), 1);
}

bool cms_download(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                  struct http_reply *rp)
{
    bool get = strcmp(rq->method, "GET") == 0;
    if ((!get && strcmp(rq->method, "HEAD") != 0) || strncmp(rq->path, PREFIX, strlen(PREFIX)) != 0)
        return false;
    cloud_begin(c, RQ_DOWNLOAD);
    if (cloud_refuse(c, rp))
        return true;
    struct pass pass;
    if (!read_pass(c, rq->path, &pass) || (pass.expiry_ns != 0 && now_ns >= pass.expiry_ns)) {
        cloud_page(rp, 403);
        return true;
    }
    struct content content;
    struct err err = {""};
    int status = find_content(c, pass.delta_id, &content, &err);
    if (status != 200) {
        cloud_page(rp, status);
        return true;
    }
    content_serve(c, rq, &content, rp);
    if (get && (rp->status == 200 || rp->status == 206))
        begin_record(c, now_ns, rq->query, pass.delta_id);
    return true;
}
