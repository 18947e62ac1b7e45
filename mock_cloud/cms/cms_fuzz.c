/*
 * One request of any method, path, query, range headers and body through the whole cloud. The first
 * byte chooses; the next five lines are path, query, Range, If-Range, If-None-Match; the rest is
 * the body. Since no fuzzer finds an HMAC, it may ask for a good signature around its text, or for
 * a good download path.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "mock_cloud/cms/cms.h"
#include "mock_cloud/cms/download.h"

#define PID "PC"
#define OID "OID"

enum choice { GET = 1, HEAD = 2, SIGNED_CHECK = 4, SIGNED_REPORT = 8, GOOD_PATH = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    uint8_t choice;
    char line[5][HTTP_TARGET_MAX];
    const uint8_t *body;
    size_t body_bytes;
};

static void read_input(struct input *in, const uint8_t *data, size_t size)
{
    *in = (struct input){.choice = size > 0 ? data[0] : 0};
    size_t at = size > 0 ? 1 : 0;
    for (size_t i = 0; i < 5; i++) {
        size_t len = 0;
        while (at < size && data[at] != '\n') {
            if (len + 1 < HTTP_TARGET_MAX)
                in->line[i][len++] = (char)data[at];
            at++;
        }
        at += at < size;
    }
    in->body = data + at;
    in->body_bytes = size - at < HTTP_BODY_MAX ? size - at : HTTP_BODY_MAX;
}

static const char *or_null(const char *line)
{
    return line[0] == '\0' ? NULL : line;
}

/* A well-signed body around the fuzzer's text: what comes after the signature check. */
static void sign_body(struct buf *out, const struct input *in, bool report)
{
    char sign[33];
    cms_sign("", OID, PID, 1, sign);
    (void)buf_printf(out, "{\"mid\":\"1234\",\"timestamp\":1,\"sign\":\"%s\",", sign);
    if (report)
        (void)buf_text(out, "\"downStart\":0,\"downEnd\":0,\"downSize\":0,");
    (void)buf_append(out, in->body, in->body_bytes);
    (void)buf_text(out, "}");
}

static void check_reply(struct http_reply *rp, const uint8_t *content, size_t content_bytes)
{
    assert(rp->status >= 200 && rp->status < 600);
    assert(rp->content_type != NULL);
    if (rp->chunked) {
        const struct json_limits limits = {.max_bytes = 4096, .max_depth = 4};
        struct json doc;
        struct err err;
        int rc = json_parse(&doc, (const char *)rp->text.data, rp->text.len_bytes, &limits, &err);
        assert(rc == 0);
        assert(cms_code_find(cJSON_GetObjectItemCaseSensitive(doc.root, "status")->valueint) !=
               NULL);
        json_free(&doc);
    }
    if (rp->view != NULL) {
        assert(rp->view >= content && rp->view_bytes <= content_bytes);
        assert((size_t)(rp->view - content) <= content_bytes - rp->view_bytes);
    }
    if (rp->status == 206) {
        char want[96];
        size_t from = (size_t)(rp->view - content);
        (void)snprintf(want, sizeof want, "bytes %zu-%zu/%zu", from, from + rp->view_bytes - 1,
                       content_bytes);
        assert(strcmp(want, rp->content_range) == 0);
    }
}

static void one_request(struct store *s, struct cloud *c, const struct input *in)
{
    const uint8_t *content = NULL;
    size_t content_bytes = 0;
    char good[CMS_PATH_MAX];
    struct buf body;
    struct http_reply reply = {.status = 0};
    buf_init(&body, 2 * HTTP_BODY_MAX);
    buf_init(&reply.text, 65536);
    struct http_request rq = {.method = "POST",
                              .path = in->line[0],
                              .query = or_null(in->line[1]),
                              .range = or_null(in->line[2]),
                              .if_range = or_null(in->line[3]),
                              .if_none_match = or_null(in->line[4]),
                              .body = in->body,
                              .body_bytes = in->body_bytes};
    if ((in->choice & (SIGNED_CHECK | SIGNED_REPORT)) != 0) {
        bool report = (in->choice & SIGNED_REPORT) != 0;
        sign_body(&body, in, report);
        rq.body = body.data;
        rq.body_bytes = body.len_bytes < HTTP_BODY_MAX ? body.len_bytes : HTTP_BODY_MAX;
        rq.path = !report                   ? "/product/" PID "/" OID "/ota/checkVersion"
                  : (in->choice & GET) != 0 ? "/product/" PID "/" OID "/ota/reportDownResult"
                                            : "/product/" PID "/" OID "/ota/reportUpgradeResult";
    } else if ((in->choice & (GET | HEAD)) != 0) {
        rq.method = (in->choice & GET) != 0 ? "GET" : "HEAD";
    }
    if ((in->choice & GOOD_PATH) != 0) {
        cms_download_path(c, 0, 7, good);
        rq.path = good;
    }
    int rc = store_package_bytes(s, 7, &content, &content_bytes, NULL);
    assert(rc == 0);
    cloud_http(c, 1, &rq, &reply);
    check_reply(&reply, content, content_bytes);
    buf_free(&reply.text);
    buf_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct face *const faces[] = {&cms_face};
    static struct store *store; /* kept between inputs, emptied for each */
    if (store == NULL)
        store = store_open(NULL, NULL);
    struct input *in = malloc(sizeof *in);
    assert(store != NULL && in != NULL);
    read_input(in, data, size);
    struct cloud_config cfg = {.store = store, .download_host = "h", .project_key = "k"};
    struct cloud *c = cloud_new(&cfg, faces, 1, NULL);
    struct store_product product = {.product_id = PID, .cms = true, .has_team = true};
    struct store_package package = {
        .delta_id = 7, .product_id = PID, .to_version = "1.5", .bytes = 10, .md5_hex = "ab"};
    struct store_device device = {.device_id = OID, .product_id = PID, .mid = "1234"};
    struct store_record record = {.delta_id = 7, .device_id = OID};
    assert(c != NULL && store_reset(store, NULL) == 0);
    assert(store_put_product(store, &product, NULL) == 0);
    assert(store_put_package(store, &package, "0123456789", NULL) == 0);
    assert(store_put_device(store, &device, NULL) == 0);
    assert(store_put_record(store, &record, NULL) == 0);
    one_request(store, c, in);
    cloud_free(c);
    free(in);
    return 0;
}
