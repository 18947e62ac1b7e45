#include "mock_cloud/aliyun/storage.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/http_date.h"
#include "common/vtime.h"
#include "common/xml.h"
#include "mock_cloud/campaigns/campaigns.h"
#include "mock_cloud/content.h"
#include "mock_cloud/range.h"
#include "mock_cloud/records.h"

#define BASE64_MD5_BYTES 25
#define LOOP_DELAY_NS    NS_PER_S
#define DOWNLOAD_FAILED  (-2)                      /* as devices say it */
#define EDITED_MAX       1024                      /* longer queries are none of ours */
#define LATE_NS          (3650 * 86400 * NS_PER_S) /* behind the end of any URL */

/* ---- refusals ---- */

static void add_header(struct http_reply *rp, const char *name, const char *value)
{
    if (rp->more_count == HTTP_HEADERS_MAX)
        return;
    struct http_header *h = &rp->more[rp->more_count++];
    h->name = name;
    (void)snprintf(h->value, sizeof h->value, "%s", value);
}

#define REQUEST_ID_CHARS 24

/* One per request, the same in header and body. */
static void request_id(const struct cloud *c, char out[2 * MD5_BYTES + 1])
{
    char number[16];
    (void)snprintf(number, sizeof number, "%u", cloud_requests(c, RQ_ANY));
    signed_url_derive(c, "request", number, out);
    for (char *p = out; *p != '\0'; p++)
        if (*p >= 'a')
            *p = (char)(*p - 'a' + 'A');
    out[REQUEST_ID_CHARS] = '\0';
}

/* What every answer has. */
static void put_identity(const struct cloud *c, struct http_reply *rp, bool network)
{
    char hex[2 * MD5_BYTES + 1];
    request_id(c, hex);
    add_header(rp, "Server", network ? "Tengine" : "AliyunOSS");
    add_header(rp, "x-oss-request-id", hex);
}

static void put_element(struct buf *out, const char *name, const char *text)
{
    (void)buf_printf(out, "  <%s>", name);
    (void)xml_put_lines(out, text);
    (void)buf_printf(out, "</%s>\n", name);
}

static void begin_error(struct cloud *c, struct http_reply *rp, int status, const char *code,
                        const char *message)
{
    struct buf text = rp->text;
    char hex[2 * MD5_BYTES + 1];
    buf_clear(&text);
    *rp = (struct http_reply){.status = status, .content_type = "application/xml", .text = text};
    put_identity(c, rp, false);
    request_id(c, hex);
    (void)buf_text(&rp->text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n");
    put_element(&rp->text, "Code", code);
    put_element(&rp->text, "Message", message);
    put_element(&rp->text, "RequestId", hex);
    put_element(&rp->text, "HostId", cloud_config(c)->download_host);
}

static void end_error(struct http_reply *rp)
{
    (void)buf_text(&rp->text, "</Error>\n");
}

static void refuse_expired(struct cloud *c, int64_t now_ns, int64_t expires_s,
                           struct http_reply *rp)
{
    char utc[HTTP_DATE_BYTES];
    begin_error(c, rp, 403, "AccessDenied", "Request has expired.");
    iso_date_put(expires_s, utc);
    put_element(&rp->text, "Expires", utc);
    iso_date_put(signed_url_unix_s(c, now_ns), utc);
    put_element(&rp->text, "ServerTime", utc);
    put_element(&rp->text, "EC", "0002-00000069");
    end_error(rp);
}

static void refuse_signature(struct cloud *c, const struct storage_query *q, const char *text,
                             struct http_reply *rp)
{
    begin_error(c, rp, 403, "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.");
    put_element(&rp->text, "OSSAccessKeyId", q->key_id);
    put_element(&rp->text, "SignatureProvided", q->signature);
    put_element(&rp->text, "StringToSign", text);
    (void)buf_text(&rp->text, "  <StringToSignBytes>");
    for (const char *p = text; *p != '\0'; p++)
        (void)buf_printf(&rp->text, "%s%02X", p == text ? "" : " ", (unsigned char)*p);
    (void)buf_text(&rp->text, "</StringToSignBytes>\n");
    put_element(&rp->text, "EC", "0002-00000040");
    end_error(rp);
}

static void refuse(struct cloud *c, struct http_reply *rp, int status, const char *code,
                   const char *message)
{
    begin_error(c, rp, status, code, message);
    end_error(rp);
}

/* ---- requests ---- */

/* A number up to the character end; false else. */
static bool read_number(const char **p, char end, int64_t *out)
{
    size_t len = strspn(*p, "0123456789");
    if (len == 0 || len > 10 || (*p)[len] != end)
        return false;
    *out = 0;
    for (size_t i = 0; i < len; i++)
        *out = *out * 10 + ((*p)[i] - '0');
    *p += len + 1;
    return true;
}

/* The package that a path names. */
static int find_package(struct cloud *c, const char *path, struct store_package *out,
                        struct err *err)
{
    const char *p = path + 5;
    int64_t id = 0, number = 0;
    struct store_file file;
    if (path[1] == 'c')
        return read_number(&p, '.', &id) ? store_get_package(cloud_store(c), id, out, err)
                                         : ERR_NOT_FOUND;
    if (!read_number(&p, '/', &id) || !read_number(&p, '-', &number) || number < 1 ||
        number > STORE_FILES_MAX)
        return ERR_NOT_FOUND;
    int rc = store_get_file(cloud_store(c), id, (uint32_t)number, &file, err);
    return rc == 0 ? store_get_package(cloud_store(c), file.package_id, out, err) : rc;
}

/* The device that this path was made for has turned to the upgrade it is of. */
static void note_fetch(struct cloud *c, int64_t now_ns, const char *path)
{
    struct store_overtaken x = {.sequence = 0};
    struct err err = {""};
    const char *p = path + 5;
    int64_t id = 0;
    if (path[1] == 'c' || !read_number(&p, '/', &id))
        return;
    while (store_next_overtaken(cloud_store(c), x.sequence, &x, NULL) == 0)
        if (signed_url_is_of(c, path, x.device_id) &&
            campaign_fetched(c, x.device_id, id, &err) != 0)
            cloud_event(c, now_ns, "error", &F_STR("what", err.text), 1);
}

/* The object's own headers. */
static void put_object(struct http_reply *rp, const struct store_package *p, int64_t modified_s)
{
    uint8_t md5[MD5_BYTES];
    char text[HTTP_DATE_BYTES], base64[BASE64_MD5_BYTES];
    http_date_put(modified_s, text);
    add_header(rp, "Last-Modified", text);
    if (hex_decode(md5, MD5_BYTES, p->md5_hex) &&
        EVP_EncodeBlock((unsigned char *)base64, md5, MD5_BYTES) > 0)
        add_header(rp, "Content-MD5", base64);
    add_header(rp, "x-oss-object-type", "Normal");
}

/* A date that cannot be read is as if it were not there. */
static bool is_after(int64_t modified_s, const char *header)
{
    int64_t s = 0;
    return header != NULL && http_date_read(header, &s) && modified_s > s;
}

static void refuse_condition(struct cloud *c, struct http_reply *rp, const char *condition)
{
    begin_error(c, rp, 412, "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold.");
    put_element(&rp->text, "Condition", condition);
    end_error(rp);
}

/* Whether the request's conditions hold; else the answer is made. If-None-Match is content.c's. */
static bool check_conditions(struct cloud *c, const struct http_request *rq,
                             const struct content *content, int64_t modified_s,
                             struct http_reply *rp)
{
    int64_t s = 0;
    if (!if_match_holds(rq->if_match, content->etag)) {
        refuse_condition(c, rp, "If-Match");
        return false;
    }
    if (is_after(modified_s, rq->if_unmodified_since)) {
        refuse_condition(c, rp, "If-Unmodified-Since");
        return false;
    }
    if (rq->if_none_match == NULL && rq->if_modified_since != NULL &&
        http_date_read(rq->if_modified_since, &s) && modified_s <= s) {
        struct buf text = rp->text;
        buf_clear(&text);
        *rp = (struct http_reply){.status = 304, .accept_ranges = true, .text = text};
        (void)snprintf(rp->etag, sizeof rp->etag, "%s", content->etag);
        return false;
    }
    return true;
}

static int open_object(struct cloud *c, const char *path, struct store_package *p,
                       struct content *out, struct err *err)
{
    int rc = find_package(c, path, p, err);
    if (rc == 0 && p->withdrawn)
        rc = ERR_NOT_FOUND;
    if (rc == 0)
        rc = store_package_bytes(cloud_store(c), p->delta_id, &out->data, &out->bytes, err);
    if (rc != 0)
        return rc;
    (void)snprintf(out->etag, sizeof out->etag, "\"%s\"", p->md5_hex);
    for (char *ch = out->etag; *ch != '\0'; ch++)
        if (*ch >= 'a' && *ch <= 'f')
            *ch = (char)(*ch - 'a' + 'A');
    return 0;
}

/* The storage passes over a range that is not within the object, and answers with the whole, unless
 * it is asked to keep to the standard; a content network does that by itself. */
static void serve_object(struct cloud *c, const struct http_request *rq,
                         const struct content *content, bool network, struct http_reply *rp)
{
    struct http_request asked = *rq;
    bool standard =
        network || (rq->range_behavior != NULL && strcmp(rq->range_behavior, "standard") == 0);
    if (!standard && rq->range != NULL && !range_is_within(rq->range, content->bytes))
        asked.range = NULL;
    content_serve(c, &asked, content, rp);
    if (rp->status != 416)
        return;
    char range[sizeof rp->content_range];
    memcpy(range, rp->content_range, sizeof range);
    refuse(c, rp, 416, "InvalidRange", "The requested range cannot be satisfied.");
    memcpy(rp->content_range, range, sizeof range);
}

static void serve(struct cloud *c, int64_t now_ns, const struct http_request *rq, bool network,
                  struct http_reply *rp)
{
    struct store_package p;
    struct content content = {.data = NULL};
    struct err err = {""};
    int rc = open_object(c, rq->path, &p, &content, &err);
    if (rc == ERR_NOT_FOUND) {
        refuse(c, rp, 404, "NoSuchKey", "The specified key does not exist.");
        return;
    }
    if (rc != 0) {
        cloud_event(c, now_ns, "error", &F_STR("what", err.text), 1);
        refuse(c, rp, 500, "InternalError", "We encountered an internal error. Please try again.");
        return;
    }
    int64_t modified_s = signed_url_unix_s(c, p.offered_from_ns);
    if (check_conditions(c, rq, &content, modified_s, rp))
        serve_object(c, rq, &content, network, rp);
    if (rp->status >= 400)
        return;
    put_identity(c, rp, network);
    put_object(rp, &p, modified_s);
}

/* ---- who may ---- */

/* The upgrade of the device that this path was made for has failed. */
static int end_upgrade(struct cloud *c, int64_t now_ns, const char *path, struct err *err)
{
    struct store_record open;
    const char *p = path + 5;
    char after[STORE_TEXT_MAX] = "";
    int64_t id = 0;
    int rc = read_number(&p, '/', &id) ? 0 : ERR_NOT_FOUND;
    while (rc == 0 && (rc = store_next_open(cloud_store(c), id, after, &open, err)) == 0) {
        if (signed_url_is_of(c, path, open.device_id)) {
            cloud_refused(c, now_ns, open.device_id, "asks again and again with an expired URL");
            rc = record_step(c, now_ns, &open, DOWNLOAD_FAILED, err);
            campaign_failed(c, now_ns);
            return rc;
        }
        (void)snprintf(after, sizeof after, "%s", open.device_id);
    }
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Only well-signed URLs count, so nobody ends the upgrade of another. */
static void count_refusal(struct cloud *c, int64_t now_ns, const char *path, struct http_reply *rp)
{
    uint32_t max = cloud_config(c)->refusals_max, count = 0;
    struct err err = {""};
    if (max == 0)
        return;
    int rc = store_count_refusal(cloud_store(c), path, &count, &err);
    if (rc == 0 && count >= max)
        rp->delay_ns = LOOP_DELAY_NS;
    if (rc == 0 && count == max)
        rc = end_upgrade(c, now_ns, path, &err);
    if (rc != 0)
        cloud_event(c, now_ns, "error", &F_STR("what", err.text), 1);
}

/* Another character in the signature of the query; false when it has none. */
static bool edit_signature(const char *query, char out[EDITED_MAX])
{
    size_t len = query == NULL ? 0 : strlen(query);
    if (len == 0 || len >= EDITED_MAX)
        return false;
    memcpy(out, query, len + 1);
    char *at = strstr(out, "Signature=");
    if (at != NULL)
        at += strlen("Signature=");
    else if (strstr(out, "auth_key=") != NULL)
        at = out + len - 1; /* of its digest, which is the end */
    if (at != NULL && *at == '%' && strlen(at) > 3)
        at += 3; /* not into an escaped character */
    if (at == NULL || strchr("%&", *at) != NULL)
        return false;
    *at = *at == 'A' ? 'B' : 'A';
    return true;
}

/* Whether the URL is one of ours and still good; else the refusal is made. */
static bool check_url(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                      bool *by_network, struct http_reply *rp)
{
    struct signed_url url;
    struct http_request asked = *rq;
    char edited[EDITED_MAX];
    /* The script spoils what is asked, not the answer: the check itself has to refuse it. */
    if (cloud_hit(c, CF_FORGED) != NULL && edit_signature(rq->query, edited))
        asked.query = edited;
    const int64_t late_ns = cloud_hit(c, CF_EXPIRED) != NULL ? LATE_NS : 0;
    enum url_verdict verdict = signed_url_check(c, now_ns + late_ns, &asked, &url);
    bool network = url.query.auth_key[0] != '\0';
    *by_network = network;
    switch (verdict) {
    case URL_GOOD:
        return true;
    case URL_EXPIRED:
        if (network)
            cloud_page(rp, 403); /* what a real one says is not known */
        else
            refuse_expired(c, now_ns, url.expires_s, rp);
        count_refusal(c, now_ns, rq->path, rp);
        break;
    case URL_FORGED:
        if (network)
            cloud_page(rp, 403);
        else
            refuse_signature(c, &url.query, url.text, rp);
        break;
    case URL_UNSIGNED:
        refuse(c, rp, 403, "AccessDenied", "You have no right to access this object.");
        break;
    case URL_UNREADABLE:
        if (network)
            cloud_page(rp, 403);
        else
            refuse(c, rp, 403, "AccessDenied", "Invalid date (should be seconds since epoch).");
        break;
    case URL_UNKNOWN_KEY:
        refuse(c, rp, 403, "InvalidAccessKeyId",
               "The OSS Access Key Id you provided does not exist in our records.");
        break;
    }
    return false;
}

bool aliyun_storage(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                    struct http_reply *rp)
{
    if (strncmp(rq->path, "/ota/", 5) != 0 && strncmp(rq->path, "/cfg/", 5) != 0)
        return false;
    cloud_begin(c, RQ_DOWNLOAD);
    if (cloud_refuse(c, rp))
        return true;
    if (strcmp(rq->method, "GET") != 0 && strcmp(rq->method, "HEAD") != 0) {
        refuse(c, rp, 405, "MethodNotAllowed",
               "The specified method is not allowed against this resource.");
        return true;
    }
    bool network = false;
    if (check_url(c, now_ns, rq, &network, rp)) {
        note_fetch(c, now_ns, rq->path);
        serve(c, now_ns, rq, network, rp);
    }
    return true;
}
