#include "mock_cloud/cms/download.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/digest.h"
#include "common/vtime.h"
#include "mock_cloud/range.h"
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

struct content {
    const uint8_t *data;
    size_t bytes;
    char etag[40];
};

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

static bool wants_range(struct cloud *c, const struct http_request *rq, const char *etag)
{
    if (rq->range == NULL || strcmp(rq->method, "GET") != 0)
        return false;
    if (cloud_hit(c, CF_IGNORE_RANGE) != NULL)
        return false;
    return if_range_holds(rq->if_range, etag);
}

/* Where bytes are taken from (served) and which range the head claims. */
struct slice {
    uint64_t from, bytes;
    uint64_t claim_from, claim_to;
};

static void shift_slice(struct cloud *c, const struct content *content, struct slice *s)
{
    const struct cloud_fault *f = cloud_peek(c, CF_SHIFT);
    int64_t size = (int64_t)content->bytes;
    if (f != NULL && (int64_t)s->from + f->bytes >= 0 && (int64_t)s->from + f->bytes < size) {
        (void)cloud_hit(c, CF_SHIFT);
        s->from = (uint64_t)((int64_t)s->from + f->bytes);
        if (s->bytes > content->bytes - s->from)
            s->bytes = content->bytes - s->from;
        s->claim_from = s->from;
        s->claim_to = s->from + s->bytes - 1;
    }
    f = cloud_peek(c, CF_SHIFT_SILENT);
    if (f == NULL)
        return;
    /* The length must stay, so the last place that has so many bytes is as far as it goes. */
    int64_t at = (int64_t)s->from + f->bytes, last = size - (int64_t)s->bytes;
    at = at < 0 ? 0 : at > last ? last : at;
    if ((uint64_t)at == s->from)
        return;
    (void)cloud_hit(c, CF_SHIFT_SILENT);
    s->from = (uint64_t)at;
}

static void serve_range(struct cloud *c, const struct http_request *rq,
                        const struct content *content, struct http_reply *rp)
{
    uint64_t from = 0, to = 0;
    enum range_kind kind = range_parse(rq->range, content->bytes, &from, &to);
    if (kind == RANGE_WHOLE)
        return;
    if (cloud_hit(c, CF_RANGE_416) != NULL)
        kind = RANGE_UNSATISFIABLE;
    if (kind == RANGE_UNSATISFIABLE) {
        cloud_page(rp, 416);
        (void)snprintf(rp->content_range, sizeof rp->content_range, "bytes */%zu", content->bytes);
        return;
    }
    struct slice s = {.from = from, .bytes = to - from + 1, .claim_from = from, .claim_to = to};
    shift_slice(c, content, &s);
    cloud_range(c, rp, s.claim_from, s.claim_to, content->bytes);
    rp->view = content->data + s.from;
    rp->view_bytes = (size_t)s.bytes;
}

static void serve(struct cloud *c, const struct http_request *rq, const struct content *content,
                  struct http_reply *rp)
{
    rp->content_type = "application/octet-stream";
    rp->accept_ranges = true;
    (void)snprintf(rp->etag, sizeof rp->etag, "%s", content->etag);
    rp->status = 200;
    rp->view = content->data;
    rp->view_bytes = content->bytes;
    if (if_none_match_hits(rq->if_none_match, content->etag))
        rp->status = 304; /* with the length of the whole, like HEAD; the edge sends no body */
    else if (wants_range(c, rq, content->etag))
        serve_range(c, rq, content, rp);
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
    serve(c, rq, &content, rp);
    if (get && (rp->status == 200 || rp->status == 206))
        begin_record(c, now_ns, rq->query, pass.delta_id);
    return true;
}
