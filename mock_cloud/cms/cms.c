#include "mock_cloud/cms/cms.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/digest.h"
#include "common/json.h"
#include "mock_cloud/cms/download.h"
#include "mock_cloud/cms/request.h"
#include "mock_cloud/records.h"

#define DEVICE_ID_CHARS 24 /* of 31 that real clients keep */
#define DATA_MAX        2048

void cms_sign(const char *key, const char *id, const char *product_id, int64_t timestamp,
              char out[33])
{
    char text[2 * STORE_TEXT_MAX + 24];
    int len = snprintf(text, sizeof text, "%.*s%.*s%" PRId64, STORE_TEXT_MAX - 1, id,
                       STORE_TEXT_MAX - 1, product_id, timestamp);
    hmac_md5_hex(key, strlen(key), text, (size_t)len, out);
}

/* A control request on its way through the stages below. */
struct call {
    struct cloud *c;
    int64_t now_ns;
    const struct http_request *http;
    enum cloud_request rq;
    char product_id[STORE_TEXT_MAX]; /* as in the path */
    char device_id[STORE_TEXT_MAX];  /* as in the path; register: the one found or made */
    struct store_product product;
    struct store_device device;
    struct cms_request body;
    struct buf *data; /* the reply's data; empty is null */
    struct err err;
};

/* ---- the path ---- */

static const struct route {
    const char *pattern; /* {p} product id, {d} device id */
    enum cloud_request rq;
} routes[] = {
    {"/register/{p}", RQ_REGISTER},
    {"/product/{p}/{d}/ota/checkVersion", RQ_CHECK},
    {"/product/{p}/{d}/ota/reportDownResult", RQ_REPORT_DOWNLOAD},
    {"/product/{p}/{d}/ota/reportUpgradeResult", RQ_REPORT_UPGRADE},
};

static bool route_matches(const char *pattern, const char *path, struct call *call)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern != '{') {
            if (*path++ != *pattern)
                return false;
            continue;
        }
        char *out = pattern[1] == 'p' ? call->product_id : call->device_id;
        size_t len = strcspn(path, "/");
        if (len == 0 || len >= STORE_TEXT_MAX)
            return false;
        memcpy(out, path, len);
        out[len] = '\0';
        path += len;
        pattern += 2;
    }
    return *path == '\0';
}

static bool find_route(const char *path, struct call *call)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (route_matches(routes[i].pattern, path, call)) {
            call->rq = routes[i].rq;
            return true;
        }
    }
    return false;
}

/* ---- the stages: each answers CMS_SUCCESS to let the request go on ---- */

static int system_error(struct call *call)
{
    cloud_event(call->c, call->now_ns, "error", &F_STR("what", call->err.text), 1);
    return CMS_SYSTEM_ERROR;
}

static int find_product(struct call *call)
{
    int rc = store_get_product(cloud_store(call->c), call->product_id, &call->product, &call->err);
    if (rc != 0)
        return rc == ERR_NOT_FOUND ? CMS_PRODUCT_INVALID : system_error(call);
    if (call->product.cms && call->rq == RQ_REGISTER)
        return CMS_PRODUCT_INVALID;
    return call->product.has_team ? CMS_SUCCESS : CMS_NO_TEAM;
}

static int read_body(struct call *call)
{
    return cms_request_parse(&call->body, call->rq, call->http->body, call->http->body_bytes);
}

/* Id and secret follow from product and mid, so a device that registers again gets the same. */
static void make_device(struct call *call)
{
    const char *key = cloud_config(call->c)->project_key;
    struct store_device *d = &call->device;
    char text[2 * STORE_TEXT_MAX + 16], hex[2 * MD5_BYTES + 1];
    *d = (struct store_device){.registered_ns = call->now_ns};
    (void)snprintf(d->product_id, sizeof d->product_id, "%s", call->product_id);
    (void)snprintf(d->mid, sizeof d->mid, "%s", call->body.mid);
    int len = snprintf(text, sizeof text, "id/%s/%s", call->product_id, call->body.mid);
    hmac_md5_hex(key, strlen(key), text, (size_t)len, hex);
    (void)snprintf(d->device_id, sizeof d->device_id, "%.*s", DEVICE_ID_CHARS, hex);
    len = snprintf(text, sizeof text, "secret/%s/%s", call->product_id, call->body.mid);
    hmac_md5_hex(key, strlen(key), text, (size_t)len, hex);
    (void)snprintf(d->secret, sizeof d->secret, "%s", hex);
}

static int find_registering(struct call *call)
{
    int rc = store_find_device_by_mid(cloud_store(call->c), call->product_id, call->body.mid,
                                      &call->device, &call->err);
    if (rc == ERR_NOT_FOUND)
        make_device(call);
    else if (rc != 0)
        return system_error(call);
    (void)snprintf(call->device_id, sizeof call->device_id, "%s", call->device.device_id);
    return CMS_SUCCESS;
}

static int find_device(struct call *call)
{
    if (call->rq == RQ_REGISTER)
        return find_registering(call);
    int rc = store_get_device(cloud_store(call->c), call->device_id, &call->device, &call->err);
    if (rc == ERR_NOT_FOUND && call->product.cms && call->rq == RQ_CHECK) {
        /* Nothing registers in variant C: the device is kept from its first accepted check on. */
        make_device(call);
        (void)snprintf(call->device.device_id, sizeof call->device.device_id, "%s",
                       call->device_id);
        return CMS_SUCCESS;
    }
    if (rc != 0)
        return rc == ERR_NOT_FOUND ? CMS_NOT_REGISTERED : system_error(call);
    bool same = strcmp(call->device.product_id, call->product_id) == 0 &&
                strcmp(call->device.mid, call->body.mid) == 0;
    return same ? CMS_SUCCESS : CMS_NOT_REGISTERED;
}

static int check_sign(struct call *call)
{
    bool registering = call->rq == RQ_REGISTER;
    const char *key = call->product.cms ? ""
                      : registering     ? call->product.secret
                                        : call->device.secret;
    char want[33];
    cms_sign(key, registering ? call->body.mid : call->device_id, call->product_id,
             call->body.timestamp, want);
    return strcmp(call->body.sign, want) == 0 ? CMS_SUCCESS : CMS_SIGN_ERROR;
}

static int check_facts(struct call *call)
{
    const struct cms_request *b = &call->body;
    const struct store_product *p = &call->product;
    if (call->rq != RQ_REGISTER)
        return CMS_SUCCESS;
    bool same = strcmp(b->oem, p->oem) == 0 && strcmp(b->models, p->model) == 0 &&
                strcmp(b->platform, p->platform) == 0 &&
                strcmp(b->device_type, p->device_type) == 0;
    return same ? CMS_SUCCESS : CMS_NO_PROJECT;
}

/* Reports are not counted: a capped report would leave its record open. */
static int count_visit(struct call *call)
{
    const struct store_product *p = &call->product;
    uint32_t device = 0, owner = 0;
    if (call->rq != RQ_REGISTER && call->rq != RQ_CHECK)
        return CMS_SUCCESS;
    if (p->device_visits_per_day == 0 && p->owner_visits_per_day == 0)
        return CMS_SUCCESS;
    if (store_count_visit(cloud_store(call->c), call->device_id, p->owner, call->now_ns, &device,
                          &owner, &call->err) != 0)
        return system_error(call);
    if (p->device_visits_per_day != 0 && device > p->device_visits_per_day)
        return CMS_DEVICE_VISITS;
    if (p->owner_visits_per_day != 0 && owner > p->owner_visits_per_day)
        return CMS_OWNER_VISITS;
    return CMS_SUCCESS;
}

/* ---- what the requests do ---- */

static int keep_device(struct call *call)
{
    struct store_device *d = &call->device;
    (void)snprintf(d->version, sizeof d->version, "%s", call->body.version);
    d->seen_ns = call->now_ns;
    return store_put_device(cloud_store(call->c), d, &call->err) == 0 ? CMS_SUCCESS
                                                                      : system_error(call);
}

static int do_register(struct call *call)
{
    int code = keep_device(call);
    if (code != CMS_SUCCESS)
        return code;
    if (store_sync(cloud_store(call->c), &call->err) != 0) /* the device keeps it for ever */
        return system_error(call);
    (void)buf_text(call->data, "{\"deviceSecret\":");
    (void)json_put_string(call->data, call->device.secret);
    (void)buf_text(call->data, ",\"deviceId\":");
    (void)json_put_string(call->data, call->device.device_id);
    (void)buf_text(call->data, "}");
    return CMS_SUCCESS;
}

/* The announced digest, possibly spoilt by script. */
static void announced_md5(struct call *call, const char *md5_hex, char out[33])
{
    static const char hex[] = "0123456789abcdef", other[] = "fedcba9876543210",
                      bad[] = "ghijklmnopqrstuv";
    const char *map = cloud_hit(call->c, CF_BAD_DIGEST) != NULL     ? bad
                      : cloud_hit(call->c, CF_WRONG_DIGEST) != NULL ? other
                                                                    : hex;
    (void)snprintf(out, 33, "%s", md5_hex);
    for (; *out != '\0'; out++) {
        const char *digit = strchr(hex, *out);
        if (digit != NULL)
            *out = map[digit - hex];
    }
}

/* Slim, and every number is followed by a comma: some clients look for it (cms-ota §1.3, §1.5). */
static void put_version(struct call *call, const struct store_package *package)
{
    enum { PACKAGE_TYPE_DELTA = 1, PACKAGE_TYPE_FULL = 2 };
    const struct cloud_config *cfg = cloud_config(call->c);
    struct buf *out = call->data;
    char path[CMS_PATH_MAX], url[192], port[8] = "", md5[33];
    cms_download_path(call->c, call->now_ns, package->delta_id, path);
    if (cfg->download_port != 80)
        (void)snprintf(port, sizeof port, ":%u", cfg->download_port);
    (void)snprintf(url, sizeof url, "http://%s%s%s", cfg->download_host, port, path);
    announced_md5(call, package->md5_hex, md5);
    const struct cloud_fault *f = cloud_hit(call->c, CF_WRONG_SIZE);
    int64_t bytes = (int64_t)package->bytes + (f == NULL ? 0 : f->bytes);
    (void)buf_text(out, "{\"version\":{\"deltaUrl\":");
    (void)json_put_string(out, url);
    (void)buf_printf(out, ",\"deltaID\":\"%" PRId64 "\",\"fileSize\":%" PRId64, package->delta_id,
                     bytes);
    (void)buf_printf(out, ",\"md5sum\":\"%s\",\"packageType\":%d,\"versionName\":", md5,
                     package->kind == PACKAGE_FULL ? PACKAGE_TYPE_FULL : PACKAGE_TYPE_DELTA);
    (void)json_put_string(out, package->to_version);
    (void)buf_text(out, "}}");
}

/* What the decision is made by: what the device told, or by script something else. */
static const char *version_believed(struct call *call)
{
    const struct cloud_fault *f = cloud_peek(call->c, CF_STALE_VERSION);
    if (f == NULL || strcmp(f->text, call->body.version) == 0)
        return call->body.version;
    return cloud_hit(call->c, CF_STALE_VERSION)->text;
}

static int do_check(struct call *call)
{
    struct store_package package = {.delta_id = 0};
    int code = keep_device(call);
    if (code != CMS_SUCCESS)
        return code;
    int rc = store_find_offer(cloud_store(call->c), call->product_id, version_believed(call),
                              call->now_ns, &package, &call->err);
    if (rc != 0 && rc != ERR_NOT_FOUND)
        return system_error(call);
    bool offered = rc == 0;
    if (record_offer(call->c, call->now_ns, call->device_id, package.delta_id, &call->err) != 0)
        return system_error(call);
    if (!offered)
        return CMS_NO_VERSION;
    put_version(call, &package);
    return CMS_SUCCESS;
}

static bool is_one_of(int64_t status, const int *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (status == list[i])
            return true;
    return false;
}

static int do_report(struct call *call)
{
    /* 99 and 100 come from older clients of the same family (cms-ota §4). */
    static const int download_statuses[] = {1, 8, 10, 99, 100}, upgrade_statuses[] = {1, 98, 99};
    bool download = call->rq == RQ_REPORT_DOWNLOAD;
    int64_t status = download ? call->body.download_status : call->body.update_status;
    if (download && !is_one_of(status, download_statuses, 5))
        return CMS_DOWNLOAD_STATUS;
    if (!download && !is_one_of(status, upgrade_statuses, 3))
        return CMS_UPGRADE_STATUS;
    int rc = record_report(call->c, call->now_ns, call->device_id, call->body.delta_id,
                           download ? (int)status : 0, download ? 0 : (int)status, &call->err);
    if (rc == ERR_NOT_FOUND)
        return download ? CMS_DOWNLOAD_DELTA : CMS_UPGRADE_DELTA;
    return rc == 0 ? CMS_SUCCESS : system_error(call);
}

static int act(struct call *call)
{
    switch (call->rq) {
    case RQ_REGISTER:
        return do_register(call);
    case RQ_CHECK:
        return do_check(call);
    default:
        return do_report(call);
    }
}

/* The first stage that objects decides the code; a scripted one is answered instead of all. */
static int run(struct call *call)
{
    static int (*const stages[])(struct call *) = {
        find_product, read_body, find_device, check_sign, check_facts, count_visit, act,
    };
    const struct cloud_fault *f = cloud_hit(call->c, CF_CODE);
    if (f != NULL)
        return f->code;
    int code = CMS_SUCCESS;
    for (size_t i = 0; i < sizeof stages / sizeof stages[0] && code == CMS_SUCCESS; i++)
        code = stages[i](call);
    return code;
}

/* ---- the reply ---- */

static void put_reply(struct call *call, int code, struct http_reply *rp)
{
    const struct cms_code *known = cms_code_find(code);
    const char *message = known == NULL ? "error" : known->text;
    const struct cloud_fault *f = cloud_hit(call->c, CF_MESSAGE);
    if (f != NULL) {
        code = CMS_SUCCESS;
        message = f->text;
    }
    cloud_code(call->c, code);
    rp->status = 200;
    rp->content_type = "application/json;charset=UTF-8";
    rp->chunked = true;
    (void)buf_printf(&rp->text, "{\"status\":%d,\"msg\":", code);
    (void)json_put_string(&rp->text, message);
    (void)buf_text(&rp->text, ",\"data\":");
    if (call->data->len_bytes > 0)
        (void)buf_append(&rp->text, call->data->data, call->data->len_bytes);
    else
        (void)buf_text(&rp->text, "null");
    (void)buf_text(&rp->text, "}");
}

static void log_call(const struct call *call, int code)
{
    char text[STORE_MESSAGE_TEXT_MAX];
    (void)snprintf(text, sizeof text, "%s %d", call->http->path, code);
    (void)store_log_message(cloud_store(call->c), call->now_ns, "cms", cloud_request_name(call->rq),
                            text, NULL);
}

static bool cms_http(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                     struct http_reply *rp)
{
    if (cms_download(c, now_ns, rq, rp))
        return true;
    struct call call = {.c = c, .now_ns = now_ns, .http = rq};
    if (strcmp(rq->method, "POST") != 0 || !find_route(rq->path, &call))
        return false;
    cloud_begin(c, call.rq);
    if (cloud_refuse(c, rp))
        return true;
    struct buf data;
    buf_init(&data, DATA_MAX);
    call.data = &data;
    int code = run(&call);
    put_reply(&call, code, rp);
    log_call(&call, code);
    buf_free(&data);
    return true;
}

const struct face cms_face = {.name = "cms", .http = cms_http};
