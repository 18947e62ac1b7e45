#include "mock_cloud/aliyun/storage.h"

#include "mock_cloud/aliyun/aliyun_testing.h"

static void open_with_firmware(struct bench *b, char url[ALIYUN_URL_MAX])
{
    struct err err = {""};
    bench_open(b);
    upload(b, 7, "2.0.0", NULL);
    CHECK_OK(aliyun_url(b->cloud, b->now_ns, DEVICE, 7, 1, url, &err), &err);
}

/* url with the first `from` replaced by `to`. */
static void edit(const char *url, const char *from, const char *to, char out[512])
{
    const char *at = strstr(url, from);
    REQUIRE(at != NULL);
    (void)snprintf(out, 512, "%.*s%s%s", (int)(at - url), url, to, at + strlen(from));
}

static const char *body(const struct http_reply *rp)
{
    return rp->text.data == NULL ? "" : (const char *)rp->text.data;
}

struct edit_row {
    const char *name, *from, *to;
    int status;
    const char *code;
};

static const struct edit_row edits[] = {
    {"a later expiry", "Expires=1700001800", "Expires=1700009999", 403, "SignatureDoesNotMatch"},
    {"an earlier expiry", "Expires=1700001800", "Expires=1", 403, "SignatureDoesNotMatch"},
    {"another firmware", "/ota/7/", "/ota/8/", 403, "SignatureDoesNotMatch"},
    {"another file", "/1-", "/2-", 403, "SignatureDoesNotMatch"},
    {"another signature", "Signature=", "Signature=x", 403, "SignatureDoesNotMatch"},
    {"a signature that is cut", "%3D", "", 403, "SignatureDoesNotMatch"},
    {"a bad escape", "%3D", "%3", 403, "AccessDenied"},
    {"a path that climbs", "/ota/7/", "/ota/../../7/", 403, "SignatureDoesNotMatch"},
    {"another key", "OSSAccessKeyId=LTAI", "OSSAccessKeyId=XXXX", 403, "InvalidAccessKeyId"},
    {"no expiry", "Expires=1700001800&", "", 403, "AccessDenied"},
    {"an expiry that is no number", "Expires=1700001800", "Expires=-1", 403, "AccessDenied"},
    {"an expiry twice", "Expires=1700001800", "Expires=1700001800&Expires=1700001800", 403,
     "AccessDenied"},
    {"no query", "?", "?x=", 403, "AccessDenied"},
    {"a parameter that nobody knows", "?", "?x=1&", 206, ""},
};

static void edit_is_answered(const void *row)
{
    const struct edit_row *e = row;
    struct bench b;
    char url[ALIYUN_URL_MAX], edited[512];
    open_with_firmware(&b, url);
    upload(&b, 8, "3.0.0", NULL);
    edit(url, e->from, e->to, edited);
    if (strcmp(e->name, "no query") == 0)
        *strchr(edited, '?') = '\0';
    const struct http_reply *rp = get(&b, edited, "bytes=0-3");
    CHECK_INT(rp->status, e->status);
    if (e->status != 206) {
        CHECK_STR(rp->content_type, "application/xml");
        char code[64];
        (void)snprintf(code, sizeof code, "<Code>%s</Code>", e->code);
        CHECK_HAS(body(rp), code);
        CHECK(rp->view == NULL);
    }
    bench_close(&b);
}

static const char *edit_name(const void *row)
{
    return ((const struct edit_row *)row)->name;
}

static void an_expired_url_is_told_so(void)
{
    struct bench b;
    char url[ALIYUN_URL_MAX];
    open_with_firmware(&b, url);
    b.now_ns = 1799 * NS_PER_S;
    CHECK_INT(get(&b, url, NULL)->status, 200);
    b.now_ns = 1800 * NS_PER_S;
    const struct http_reply *rp = get(&b, url, "bytes=0-");
    CHECK_INT(rp->status, 403);
    CHECK_HAS(body(rp), "<Code>AccessDenied</Code>\n  <Message>Request has expired.</Message>");
    CHECK_HAS(body(rp), "<HostId>ota.example</HostId>");
    CHECK_HAS(body(rp), "<Expires>2023-11-14T22:43:20.000Z</Expires>\n"
                        "  <ServerTime>2023-11-14T22:43:20.000Z</ServerTime>");
    bench_close(&b);
}

static void a_wrong_signature_shows_what_was_signed(void)
{
    struct bench b;
    char url[ALIYUN_URL_MAX], edited[512];
    open_with_firmware(&b, url);
    edit(url, "Signature=", "Signature=x", edited);
    const struct http_reply *rp = get(&b, edited, NULL);
    CHECK_HAS(body(rp), "<SignatureProvided>x");
    CHECK_HAS(body(rp), "<StringToSign>GET\n\n\n1700001800\n/" STORAGE_BUCKET "/ota/7/1-");
    CHECK_HAS(body(rp), "<StringToSignBytes>47 45 54 0A 0A 0A 31 37");
    bench_close(&b);
}

struct range_row {
    const char *name, *range;
    int status;
    const char *content_range, *bytes;
};

static const struct range_row ranges[] = {
    {"the whole", NULL, 200, "", IMAGE},
    {"from the start", "bytes=0-", 206, "bytes 0-15/16", IMAGE},
    {"the rest", "bytes=10-", 206, "bytes 10-15/16", "abcdef"},
    {"one byte", "bytes=15-15", 206, "bytes 15-15/16", "f"},
    {"beyond the end is the whole", "bytes=12-16", 200, "", IMAGE},
    {"the last three", "bytes=-3", 206, "bytes 13-15/16", "def"},
    {"after the end is the whole", "bytes=16-", 200, "", IMAGE},
    {"more than all is the whole", "bytes=-17", 200, "", IMAGE},
    {"all of it from behind", "bytes=-16", 206, "bytes 0-15/16", IMAGE},
    {"two ranges are the whole", "bytes=0-1,3-4", 200, "", IMAGE},
    {"another unit is the whole", "byte=0-1", 200, "", IMAGE},
};

static const struct range_row standard_ranges[] = {
    {"beyond the end is clipped", "bytes=12-99", 206, "bytes 12-15/16", "cdef"},
    {"after the end", "bytes=16-", 416, "bytes */16", NULL},
};

static void check_range(const struct range_row *r, const struct http_reply *rp)
{
    CHECK_INT(rp->status, r->status);
    CHECK_STR(rp->content_range, r->content_range);
    if (r->bytes == NULL) {
        CHECK_HAS(body(rp), "<Code>InvalidRange</Code>");
    } else {
        CHECK_INT(rp->view_bytes, strlen(r->bytes));
        CHECK_MEM(rp->view, r->bytes, strlen(r->bytes));
    }
}

static void range_is_served(const void *row)
{
    const struct range_row *r = row;
    struct bench b;
    char url[ALIYUN_URL_MAX];
    open_with_firmware(&b, url);
    check_range(r, get(&b, url, r->range));
    bench_close(&b);
}

/* A request for the URL, to be completed. */
static struct http_request request_for(char url[ALIYUN_URL_MAX])
{
    char *path = strchr(strstr(url, "://") + 3, '/'), *query = strchr(path, '?');
    *query++ = '\0';
    return (struct http_request){.method = "GET", .path = path, .query = query};
}

static void range_is_served_by_the_standard(const void *row)
{
    const struct range_row *r = row;
    struct bench b;
    char url[ALIYUN_URL_MAX];
    open_with_firmware(&b, url);
    struct http_request rq = request_for(url);
    rq.range = r->range;
    rq.range_behavior = "standard";
    cloud_http(b.cloud, b.now_ns, &rq, &b.reply);
    check_range(r, &b.reply);
    bench_close(&b);
}

static const char *header_of(const struct http_reply *rp, const char *name)
{
    for (size_t i = 0; i < rp->more_count; i++)
        if (strcmp(rp->more[i].name, name) == 0)
            return rp->more[i].value;
    return NULL;
}

#define UPLOADED "Tue, 14 Nov 2023 22:13:20 GMT" /* second 0 of the bench */

static void storage_says_what_it_is(void)
{
    struct bench b;
    char url[ALIYUN_URL_MAX], id[64];
    open_with_firmware(&b, url);
    const struct http_reply *rp = get(&b, url, "bytes=0-3");
    CHECK_STR(header_of(rp, "Server"), "AliyunOSS");
    CHECK_STR(header_of(rp, "Last-Modified"), UPLOADED);
    CHECK_STR(header_of(rp, "x-oss-object-type"), "Normal");
    CHECK_STR(header_of(rp, "Content-MD5"), "QDKvjWEDUSOQbljgZxQMxQ=="); /* of the whole */
    CHECK_INT(strlen(header_of(rp, "x-oss-request-id")), 24);
    /* Clients with a buffer for one line of 126 bytes, or for a head of 512 in all, take it. */
    size_t head = 200 + strlen(rp->content_range) + strlen(rp->etag);
    for (size_t i = 0; i < rp->more_count; i++) {
        CHECK(strlen(rp->more[i].name) + strlen(rp->more[i].value) + 4 <= 126);
        head += strlen(rp->more[i].name) + strlen(rp->more[i].value) + 4;
    }
    CHECK(head <= 512);
    *strchr(url, '=') = 'x';
    rp = get(&b, url, NULL);
    CHECK_INT(rp->status, 403);
    (void)snprintf(id, sizeof id, "<RequestId>%s</RequestId>", header_of(rp, "x-oss-request-id"));
    CHECK_HAS(body(rp), id);
    CHECK(header_of(rp, "Last-Modified") == NULL);
    bench_close(&b);
}

struct condition_row {
    const char *name, *if_match, *if_none_match, *if_modified_since, *if_unmodified_since;
    int status;
};

#define ETAG "\"4032AF8D61035123906E58E067140CC5\""

static const struct condition_row conditions[] = {
    {"the tag is there", ETAG, NULL, NULL, NULL, 206},
    {"any tag", "*", NULL, NULL, NULL, 206},
    {"another tag", "\"0\"", NULL, NULL, NULL, 412},
    {"the tag is known", NULL, ETAG, NULL, NULL, 304},
    {"another tag is known", NULL, "\"0\"", NULL, NULL, 206},
    {"not changed since", NULL, NULL, UPLOADED, NULL, 304},
    {"changed since", NULL, NULL, "Mon, 13 Nov 2023 22:13:20 GMT", NULL, 206},
    {"a tag counts more than a date", NULL, "\"0\"", UPLOADED, NULL, 206},
    {"must be older", NULL, NULL, NULL, "Mon, 13 Nov 2023 22:13:20 GMT", 412},
    {"is older", NULL, NULL, NULL, UPLOADED, 206},
    {"a date that is none", NULL, NULL, "yesterday", "tomorrow", 206},
};

static void a_condition_is_kept(const void *row)
{
    const struct condition_row *r = row;
    struct bench b;
    char url[ALIYUN_URL_MAX];
    open_with_firmware(&b, url);
    struct http_request rq = request_for(url);
    rq.range = "bytes=0-3";
    rq.if_match = r->if_match;
    rq.if_none_match = r->if_none_match;
    rq.if_modified_since = r->if_modified_since;
    rq.if_unmodified_since = r->if_unmodified_since;
    cloud_http(b.cloud, b.now_ns, &rq, &b.reply);
    CHECK_INT(b.reply.status, r->status);
    if (r->status == 412)
        CHECK_HAS(body(&b.reply), "<Code>PreconditionFailed</Code>");
    bench_close(&b);
}

static const char *condition_name(const void *row)
{
    return ((const struct condition_row *)row)->name;
}

static const char *range_name(const void *row)
{
    return ((const struct range_row *)row)->name;
}

static void what_is_gone_is_not_found(void)
{
    struct bench b;
    char url[ALIYUN_URL_MAX];
    open_with_firmware(&b, url);
    CHECK_OK(store_withdraw_package(b.store, 7, NULL), NULL);
    const struct http_reply *rp = get(&b, url, NULL);
    CHECK_INT(rp->status, 404);
    CHECK_HAS(body(rp), "<Code>NoSuchKey</Code>");
    bench_close(&b);
}

static void only_get_is_signed(void)
{
    struct bench b;
    char url[ALIYUN_URL_MAX];
    open_with_firmware(&b, url);
    char *path = strchr(strstr(url, "://") + 3, '/'), *query = strchr(path, '?');
    *query++ = '\0';
    struct http_request rq = {.method = "HEAD", .path = path, .query = query};
    cloud_http(b.cloud, b.now_ns, &rq, &b.reply);
    CHECK_INT(b.reply.status, 403);
    rq.method = "PUT";
    cloud_http(b.cloud, b.now_ns, &rq, &b.reply);
    CHECK_INT(b.reply.status, 405);
    rq.method = "GET";
    rq.content_type = "text/plain"; /* is signed as well */
    cloud_http(b.cloud, b.now_ns, &rq, &b.reply);
    CHECK_INT(b.reply.status, 403);
    rq.content_type = NULL;
    cloud_http(b.cloud, b.now_ns, &rq, &b.reply);
    CHECK_INT(b.reply.status, 200);
    bench_close(&b);
}

struct form_row {
    const char *name;
    uint16_t port;
    bool tls;
    const char *want;
};

static const struct form_row forms[] = {
    {"port 80 is not named", 80, false, "http://ota.example/ota/"},
    {"another port is", 8080, false, "http://ota.example:8080/ota/"},
    {"port 443 is not named", 443, true, "https://ota.example/ota/"},
    {"port 80 with TLS is", 80, true, "https://ota.example:80/ota/"},
};

/* The same cloud with another configuration. */
static void reopen(struct bench *b, const struct cloud_config *cfg)
{
    static const struct face *const faces[] = {&aliyun_face};
    struct cloud *again = cloud_new(cfg, faces, 1, NULL);
    REQUIRE(again != NULL);
    cloud_free(b->cloud);
    b->cloud = again;
}

static void form_is_made(const void *row)
{
    const struct form_row *f = row;
    struct bench b;
    char url[ALIYUN_URL_MAX];
    open_with_firmware(&b, url);
    struct cloud_config cfg = *cloud_config(b.cloud);
    cfg.download_port = f->port;
    cfg.download_tls = f->tls;
    reopen(&b, &cfg);
    CHECK_OK(aliyun_url(b.cloud, 0, DEVICE, 7, 1, url, NULL), NULL);
    CHECK(strncmp(url, f->want, strlen(f->want)) == 0);
    CHECK_INT(get(&b, url, NULL)->status, 200);
    bench_close(&b);
}

static const char *form_name(const void *row)
{
    return ((const struct form_row *)row)->name;
}

static void a_content_network_signs_otherwise(void)
{
    struct bench b;
    char url[ALIYUN_URL_MAX], edited[512];
    open_with_firmware(&b, url);
    struct cloud_config cfg = *cloud_config(b.cloud);
    cfg.auth_key = true;
    reopen(&b, &cfg);
    CHECK_OK(aliyun_url(b.cloud, 0, DEVICE, 7, 1, url, NULL), NULL);
    CHECK_HAS(url, ".bin?auth_key=1700001800-");
    CHECK(strstr(url, "Signature") == NULL);
    CHECK_INT(get(&b, url, "bytes=0-")->status, 206);
    static const struct {
        const char *from, *to;
    } bad[] = {{"key=17", "key=18"}, {"/7/", "/8/"}, {"-0-", "-1-"}, {"-0-", "-0-0"}, {"-0-", "x"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        edit(url, bad[i].from, bad[i].to, edited);
        CHECK_INT(get(&b, edited, "bytes=0-")->status, 403);
    }
    b.now_ns = 1800 * NS_PER_S;
    CHECK_INT(get(&b, url, "bytes=0-")->status, 403);
    bench_close(&b);
}

static void a_device_that_loops_is_stopped(void)
{
    struct bench b;
    char url[ALIYUN_URL_MAX], other[ALIYUN_URL_MAX], edited[512];
    open_with_firmware(&b, url);
    struct cloud_config cfg = *cloud_config(b.cloud);
    cfg.refusals_max = 3;
    reopen(&b, &cfg);
    start_task(&b, TASK_VERIFY, 7, DEVICE);
    start_task(&b, TASK_VERIFY, 7, OTHER);
    CHECK_OK(aliyun_url(b.cloud, 0, OTHER, 7, 1, other, NULL), NULL);
    /* What anybody can make up does not count. */
    edit(url, "Signature=", "Signature=x", edited);
    for (int i = 0; i < 5; i++)
        CHECK_INT(get(&b, edited, NULL)->status, 403);
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_PENDING);
    b.now_ns = 1800 * NS_PER_S;
    CHECK_INT(get(&b, url, NULL)->delay_ns, 0);
    CHECK_INT(get(&b, url, NULL)->delay_ns, 0);
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_PENDING);
    CHECK_INT(get(&b, url, NULL)->delay_ns, NS_PER_S);
    CHECK_INT(b.reply.status, 403);
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_FAILED);
    CHECK_INT(state_of(&b, 7, OTHER), RECORD_PENDING);
    CHECK_INT(get(&b, url, NULL)->delay_ns, NS_PER_S);
    CHECK_INT(get(&b, other, NULL)->delay_ns, 0);
    CHECK_HAS((const char *)b.events.data, "refused identity=" DEVICE " what=asks again");
    bench_close(&b);
}

static void the_script_spoils_downloads(void)
{
    struct bench b;
    char url[ALIYUN_URL_MAX];
    open_with_firmware(&b, url);
    const struct cloud_fault expired = {
        .request = RQ_DOWNLOAD, .kind = CF_EXPIRED, .from = 2, .count = 1};
    const struct cloud_fault forged = {
        .request = RQ_DOWNLOAD, .kind = CF_FORGED, .from = 3, .count = 1};
    const struct cloud_fault shifted = {
        .request = RQ_DOWNLOAD, .kind = CF_SHIFT_SILENT, .from = 4, .count = 1, .bytes = 2};
    CHECK_OK(cloud_add_fault(b.cloud, &expired), NULL);
    CHECK_OK(cloud_add_fault(b.cloud, &forged), NULL);
    CHECK_OK(cloud_add_fault(b.cloud, &shifted), NULL);
    CHECK_INT(get(&b, url, "bytes=0-3")->status, 206);
    CHECK_HAS(body(get(&b, url, "bytes=4-7")), "Request has expired.");
    CHECK_HAS(body(get(&b, url, "bytes=4-7")), "SignatureDoesNotMatch");
    const struct http_reply *rp = get(&b, url, "bytes=4-7");
    CHECK_INT(rp->status, 206);
    CHECK_MEM(rp->view, "6789", 4);
    for (size_t i = 0; i < 3; i++)
        CHECK_INT(cloud_fault_at(b.cloud, i)->hits, 1);
    bench_close(&b);
}

struct query_row {
    const char *query;
    bool good;
    const char *expires, *key_id, *signature;
};

static const struct query_row queries[] = {
    {"Expires=12&OSSAccessKeyId=K&Signature=a%2Bb%3d", true, "12", "K", "a+b="},
    {"Signature=s&Expires=1", true, "1", "", "s"},
    {"", true, "", "", ""},
    {"&&=&x&Expires", true, "", "", ""},
    {"Expires=1%", false, "", "", ""},
    {"Expires=%zz", false, "", "", ""},
    {"Expires=%00", false, "", "", ""},
    {"Signature=a&Signature=a", false, "", "", ""},
    {"Expires=123456789012345678901234", false, "", "", ""},
};

static void query_is_read(const void *row)
{
    const struct query_row *q = row;
    struct storage_query got;
    CHECK_INT(storage_query_parse(q->query, &got), q->good);
    if (q->good) {
        CHECK_STR(got.expires, q->expires);
        CHECK_STR(got.key_id, q->key_id);
        CHECK_STR(got.signature, q->signature);
    }
}

static const char *query_name(const void *row)
{
    const char *query = ((const struct query_row *)row)->query;
    return query[0] == '\0' ? "(empty)" : query;
}

static const struct test tests[] = {
    TEST_ROWS("edited URL", edit_is_answered, edits, edit_name),
    {"an expired URL is told so", an_expired_url_is_told_so},
    {"a wrong signature shows what was signed", a_wrong_signature_shows_what_was_signed},
    TEST_ROWS("standard range", range_is_served_by_the_standard, standard_ranges, range_name),
    {"storage says what it is", storage_says_what_it_is},
    TEST_ROWS("condition:", a_condition_is_kept, conditions, condition_name),
    TEST_ROWS("range", range_is_served, ranges, range_name),
    {"what is gone is not found", what_is_gone_is_not_found},
    {"only GET is signed", only_get_is_signed},
    TEST_ROWS("form of URLs", form_is_made, forms, form_name),
    {"a content network signs otherwise", a_content_network_signs_otherwise},
    {"a device that loops is stopped", a_device_that_loops_is_stopped},
    {"the script spoils downloads", the_script_spoils_downloads},
    TEST_ROWS("query", query_is_read, queries, query_name),
};
TEST_MAIN("aliyun storage", tests)
