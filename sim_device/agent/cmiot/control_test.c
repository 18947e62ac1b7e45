/* The control channel: bytes on the wire, service codes, unusable replies, retries, time-outs. */
#include "sim_device/agent/cmiot/cmiot_testing.h"

#define SEGMENT 128u
#define OID     "oid000000000000000000001"
#define DID     "866000000000001"
#define PID     "RHpkm3417N"
#define KEY     "6E05C5A6F0788A5B5757B7CF33A3D2AB"
#define HOST    "fota.os.cmiotcd.com"
#define SECRET  "s3cret-0123456789"

/* ---- bytes on the wire ---- */

static const char *sign(const char *key, const char *id, char out[33])
{
    char text[128];
    int n = snprintf(text, sizeof(text), "%s%s133", id, PID);
    hmac_md5_hex(key, strlen(key), text, (size_t)n, out);
    return out;
}

static void check_post(const struct request *r, const char *path, const char *body)
{
    char want[2048];
    (void)snprintf(want, sizeof(want),
                   "POST %s HTTP/1.1\r\nAccept: */*\r\nHost: " HOST
                   "\r\nContent-Type: application/json\r\nContent-Length: %04zu\r\n\r\n%s",
                   path, strlen(body), body);
    CHECK_STR(r->text, want);
}

static void check_get(const struct request *r, const char *target, unsigned from, unsigned to)
{
    char want[512];
    (void)snprintf(want, sizeof(want),
                   "GET %s HTTP/1.1\r\nAccept: */*\r\nHost: dl.test\r\nRange: bytes=%u-%u\r\n\r\n",
                   target, from, to);
    CHECK_STR(r->text, want);
}

static void messages_cms(void)
{
    struct world *w = world_new("spi4k", 300);
    char body[512], s[33];
    CHECK_INT(world_calls(w, "u"), E_CMIOT_SUCCESS);
    CHECK_INT(w->request_count, 5);
    (void)snprintf(body, sizeof(body),
                   "{\"mid\":\"" DID "\",\"version\":\"1.0\",\"timestamp\":133,\"sign\":\"%s\"}",
                   sign("", OID, s));
    check_post(&w->requests[0], "/product/" PID "/" OID "/ota/checkVersion", body);
    check_get(&w->requests[1], "/p/77?" OID, 0, 127);
    check_get(&w->requests[2], "/p/77?" OID, 128, 255);
    check_get(&w->requests[3], "/p/77?" OID, 256, 299);
    (void)snprintf(body, sizeof(body),
                   "{\"mid\":\"" DID "\",\"deltaID\":\"77\",\"downloadStatus\":1,\"downStart\":133,"
                   "\"downEnd\":133,\"downSize\":300,\"timestamp\":133,\"sign\":\"%s\"}",
                   sign("", OID, s));
    check_post(&w->requests[4], "/product/" PID "/" OID "/ota/reportDownResult", body);
    /* One connection for control, one for all GETs, one for the report. */
    CHECK_INT(w->requests[0].connection, 1);
    CHECK_INT(w->requests[1].connection, 2);
    CHECK_INT(w->requests[3].connection, 2);
    CHECK_INT(w->requests[4].connection, 3);
    CHECK_MEM(world_download(w), w->package, 300);
    CHECK_INT(world_record(w, NULL).update_result, UPDATE_PENDING);
    CHECK_INT(world_record(w, NULL).report_due, 0);
    world_forget(w);
    world_set_result(w, UPDATE_OK);
    CHECK_INT(world_calls(w, "rr"), E_CMIOT_NO_UPGRADE);
    CHECK_INT(w->results[0], E_CMIOT_SUCCESS);
    CHECK_INT(w->request_count, 1);
    (void)snprintf(body, sizeof(body),
                   "{\"mid\":\"" DID
                   "\",\"deltaID\":\"77\",\"updateStatus\":1,\"timestamp\":133,\"sign\":\"%s\"}",
                   sign("", OID, s));
    check_post(&w->requests[0], "/product/" PID "/" OID "/ota/reportUpgradeResult", body);
    world_free(w);
}

static void messages_direct(void)
{
    struct world *w = direct_world(130);
    char body[1024], registered[1024], s[33];
    CHECK_INT(world_calls(w, "u"), E_CMIOT_SUCCESS);
    CHECK_INT(w->request_count, 5);
    (void)snprintf(
        registered, sizeof(registered),
        "{\"mid\":\"" DID "\",\"oem\":\"otabench\",\"models\":\"W217\",\"platform\":\"W217\","
        "\"deviceType\":\"watch\",\"timestamp\":133,\"sign\":\"%s\",\"sdkversion\":\"-\","
        "\"appversion\":\"ONEOS_V1.0\",\"version\":\"1.0\",\"networkType\":\"4G\"}",
        sign(KEY, DID, s));
    check_post(&w->requests[0], "/register/" PID, registered);
    (void)snprintf(body, sizeof(body),
                   "{\"mid\":\"" DID "\",\"version\":\"1.0\",\"timestamp\":133,\"sign\":\"%s\"}",
                   sign(SECRET, "dev-42", s));
    check_post(&w->requests[1], "/product/" PID "/dev-42/ota/checkVersion", body);
    check_get(&w->requests[2], "/p/77?dev-42", 0, 127);
    check_get(&w->requests[3], "/p/77?dev-42", 128, 129);
    (void)snprintf(body, sizeof(body),
                   "{\"mid\":\"" DID "\",\"deltaID\":\"77\",\"downloadStatus\":1,\"downStart\":133,"
                   "\"downEnd\":133,\"downSize\":130,\"timestamp\":133,\"sign\":\"%s\"}",
                   sign(SECRET, "dev-42", s));
    check_post(&w->requests[4], "/product/" PID "/dev-42/ota/reportDownResult", body);
    CHECK_INT(w->requests[0].connection, 1);
    CHECK_INT(w->requests[1].connection, 1); /* register and check share one */
    CHECK_INT(w->requests[3].connection, 2);
    CHECK_INT(w->requests[4].connection, 3);
    /* Upgrade skips register from now on, report never does. */
    world_forget(w);
    CHECK_INT(world_calls(w, "u"), E_CMIOT_SUCCESS);
    CHECK_INT(w->request_count, 1);
    CHECK_INT(w->count[CHECK_VERSION], 1);
    world_forget(w);
    world_set_result(w, UPDATE_FAIL);
    CHECK_INT(world_calls(w, "r"), E_CMIOT_SUCCESS);
    CHECK_INT(w->request_count, 2);
    check_post(&w->requests[0], "/register/" PID, registered);
    (void)snprintf(body, sizeof(body),
                   "{\"mid\":\"" DID
                   "\",\"deltaID\":\"77\",\"updateStatus\":99,\"timestamp\":133,\"sign\":\"%s\"}",
                   sign(SECRET, "dev-42", s));
    check_post(&w->requests[1], "/product/" PID "/dev-42/ota/reportUpgradeResult", body);
    struct state_record r = world_record(w, NULL);
    CHECK_INT(r.update_result, UPDATE_NONE);
    CHECK_INT(r.delta_id, 0);
    CHECK_INT(r.index_max, 0);
    CHECK_STR(r.device_id, "dev-42");
    world_free(w);
}

/* ---- service codes ---- */

static const struct code {
    const char *name;
    int status;
    cmiot_int8 result;
    bool back_off;
} codes[] = {
    {"1001", 1001, -1},       {"1002", 1002, -1},
    {"1003", 1003, -1},       {"1004", 1004, -1},
    {"1005", 1005, -1},       {"1006", 1006, -1},
    {"1007", 1007, -1},       {"1008", 1008, -1},
    {"1009", 1009, -1},       {"1010", 1010, -1, true},
    {"1015", 1015, -1, true}, {"2001", 2001, -1},
    {"2101", 2101, -4},       {"2102", 2102, -1},
    {"2103", 2103, -1},       {"2104", 2104, -1},
    {"2201", 2201, -1},       {"2202", 2202, -1},
    {"2301", 2301, -1},       {"2302", 2302, -1},
    {"1011", 1011, -1},       {"0", 0, -1},
    {"-5", -5, -1},           {"9999", 9999, -1},
};

static const char *code_name(const void *row)
{
    return ((const struct code *)row)->name;
}

static void code_of_check(const void *row)
{
    const struct code *c = row;
    struct world *w = world_new("spi4k", 300);
    uint64_t ops = nor_op_count(w->nor);
    w->status[CHECK_VERSION] = c->status;
    CHECK_INT(world_calls(w, "uc"), c->result);
    CHECK_INT(w->results[0], c->result);
    CHECK_INT(w->request_count, 2); /* no retry inside the call, no download */
    CHECK_INT(w->device.back_off, c->back_off);
    CHECK_INT(nor_op_count(w->nor), ops);
    world_free(w);
}

static void code_of_register(const void *row)
{
    const struct code *c = row;
    struct world *w = direct_world(300);
    w->status[REGISTER] = c->status;
    CHECK_INT(world_calls(w, "u"), E_CMIOT_FAILURE);
    CHECK_INT(w->request_count, 1);
    world_free(w);
}

static void code_of_report(const void *row)
{
    const struct code *c = row;
    struct world *w = world_new("spi4k", 300);
    CHECK_INT(world_calls(w, "u"), 0);
    world_set_result(w, UPDATE_OK);
    world_forget(w);
    w->status[REPORT_UP] = c->status;
    (void)world_calls(w, "r");
    CHECK_INT(w->results[0], c->status == 2101 ? E_CMIOT_FAILURE : c->result);
    CHECK_INT(w->request_count, 1);
    CHECK_INT(world_record(w, NULL).update_result, UPDATE_OK); /* untouched: reported again later */
    w->status[REPORT_UP] = 1000;
    CHECK_INT(world_calls(w, "r"), E_CMIOT_SUCCESS);
    world_free(w);
}

/* Identity that the server does not know is forgotten: the next call registers. */
static void identity_forgotten(void)
{
    struct world *w = direct_world(300);
    CHECK_INT(world_calls(w, "c"), 0);
    world_forget(w);
    w->status[CHECK_VERSION] = 2103;
    CHECK_INT(world_calls(w, "c"), -1);
    CHECK_INT(w->count[REGISTER], 0);
    w->status[CHECK_VERSION] = 1000;
    CHECK_INT(world_calls(w, "c"), 0);
    CHECK_INT(w->count[REGISTER], 1);
    world_free(w);
}

/* ---- replies that cannot be used ---- */

static enum act bend_json(struct world *w, const struct request *r, struct buf *reply)
{
    static const char *const texts[] = {
        "{\"status\":1000,\"msg\":\"success\"}",
        "{\"status\":1000,\"msg\":\"success\",\"data\":null}",
        "{\"status\":\"1000\",\"msg\":\"success\"}",
        "{\"status\":1000,\"status\":1000,\"msg\":\"success\"}",
        "{\"status\":1000,\"msg\":\"success\",\"data\":{\"version\":{}}}",
        "{\"status\":1000}",
        "[1000]",
        "<html>login</html>",
        "",
        "{\"status\":1000,\"msg\":\"success\",\"data\":{\"version\":{\"deltaUrl\":\"http://h/p\","
        "\"deltaID\":7,\"fileSize\":5,\"md5sum\":\"00112233445566778899aabbccddeeff\"}}}",
        "{\"status\":1000,\"msg\":\"success\",\"data\":{\"version\":{\"deltaUrl\":\"http://h/p\","
        "\"deltaID\":\"7\",\"fileSize\":\"5\",\"md5sum\":\"00112233445566778899aabbccddeeff\"}}}",
        "{\"a\":[[[[[[[[[[[[1]]]]]]]]]]]]}",
        "{\"status\":1e99,\"msg\":\"success\"}",
    };
    if (r->kind == CHECK_VERSION)
        world_json(reply, texts[w->stage]);
    return (size_t)w->stage < sizeof(texts) / sizeof(texts[0]) ? ACT_REPLY : ACT_SILENT;
}

static void undecodable_json(void)
{
    for (int stage = 0; stage < 13; stage++) {
        struct world *w = world_new("spi4k", 300);
        w->bend = bend_json;
        w->stage = stage;
        w->config.try_count = 3;
        CHECK_INT(world_calls(w, "c"), -1);
        CHECK_INT(w->request_count, 4); /* 1 + tries */
        world_free(w);
    }
}

static struct refusal {
    const char *name;
    const char *data;
    cmiot_int8 result;
} refusals[] = {
    {"https",
     "\"deltaUrl\":\"https://h/p\",\"deltaID\":\"7\",\"fileSize\":5,\"md5sum\":"
     "\"00112233445566778899aabbccddeeff\"",
     -1},
    {"no host",
     "\"deltaUrl\":\"http:///p\",\"deltaID\":\"7\",\"fileSize\":5,\"md5sum\":"
     "\"00112233445566778899aabbccddeeff\"",
     -1},
    {"no path",
     "\"deltaUrl\":\"http://h\",\"deltaID\":\"7\",\"fileSize\":5,\"md5sum\":"
     "\"00112233445566778899aabbccddeeff\"",
     -1},
    {"port 0",
     "\"deltaUrl\":\"http://h:0/p\",\"deltaID\":\"7\",\"fileSize\":5,\"md5sum\":"
     "\"00112233445566778899aabbccddeeff\"",
     -1},
    {"port 65536",
     "\"deltaUrl\":\"http://h:65536/p\",\"deltaID\":\"7\",\"fileSize\":5,\"md5sum\":"
     "\"00112233445566778899aabbccddeeff\"",
     -1},
    {"injected line",
     "\"deltaUrl\":\"http://h/p\\r\\nX: y\",\"deltaID\":\"7\",\"fileSize\":5,\"md5sum\":"
     "\"00112233445566778899aabbccddeeff\"",
     -1},
    {"delta id 0",
     "\"deltaUrl\":\"http://h/p\",\"deltaID\":\"0\",\"fileSize\":5,\"md5sum\":"
     "\"00112233445566778899aabbccddeeff\"",
     -1},
    {"delta id 2^31",
     "\"deltaUrl\":\"http://h/p\",\"deltaID\":\"2147483648\",\"fileSize\":5,\"md5sum\":"
     "\"00112233445566778899aabbccddeeff\"",
     -1},
    {"delta id with a sign",
     "\"deltaUrl\":\"http://h/p\",\"deltaID\":\"-7\",\"fileSize\":5,\"md5sum\":"
     "\"00112233445566778899aabbccddeeff\"",
     -1},
    {"size 0",
     "\"deltaUrl\":\"http://h/p\",\"deltaID\":\"7\",\"fileSize\":0,\"md5sum\":"
     "\"00112233445566778899aabbccddeeff\"",
     -1},
    {"negative size",
     "\"deltaUrl\":\"http://h/p\",\"deltaID\":\"7\",\"fileSize\":-5,\"md5sum\":"
     "\"00112233445566778899aabbccddeeff\"",
     -1},
    {"size 2^31",
     "\"deltaUrl\":\"http://h/p\",\"deltaID\":\"7\",\"fileSize\":2147483648,\"md5sum\":"
     "\"00112233445566778899aabbccddeeff\"",
     E_CMIOT_PAKAGE_TOO_LARGE},
    {"size 2^32 + 5",
     "\"deltaUrl\":\"http://h/p\",\"deltaID\":\"7\",\"fileSize\":4294967301,\"md5sum\":"
     "\"00112233445566778899aabbccddeeff\"",
     E_CMIOT_PACKAGE_TOO_LARGE},
    {"short digest",
     "\"deltaUrl\":\"http://h/p\",\"deltaID\":\"7\",\"fileSize\":5,\"md5sum\":"
     "\"00112233445566778899aabbccddeef\"",
     -1},
    {"digest with a letter",
     "\"deltaUrl\":\"http://h/p\",\"deltaID\":\"7\",\"fileSize\":5,\"md5sum\":"
     "\"0011223344556677889xaabbccddeeff\"",
     -1},
};

static const char *refusal_name(const void *row)
{
    return ((const struct refusal *)row)->name;
}

static const struct refusal *refused_offer;

static enum act bend_refusal(struct world *w, const struct request *r, struct buf *reply)
{
    char data[600];
    (void)w;
    if (r->kind == CHECK_VERSION) {
        (void)snprintf(data, sizeof(data), "{\"version\":{%s}}", refused_offer->data);
        world_status(reply, 1000, data);
    }
    return ACT_REPLY;
}

static void refused_content(const void *row)
{
    struct world *w = world_new("spi4k", 300);
    uint64_t ops = nor_op_count(w->nor);
    refused_offer = row;
    w->bend = bend_refusal;
    CHECK_INT(world_calls(w, "c"), refused_offer->result);
    CHECK_INT(w->request_count, 1);
    CHECK_INT(nor_op_count(w->nor), ops);
    world_free(w);
}

/* Whole reply of exactly 640 + segment - 1 bytes is read, one more is asked for again. */
static enum act bend_size(struct world *w, const struct request *r, struct buf *reply)
{
    if (r->kind != CHECK_VERSION)
        return ACT_REPLY;
    size_t want = 640 + SEGMENT - 1 + (size_t)w->stage;
    char data[700], json[1024], pad[768];
    memset(pad, 'x', sizeof(pad));
    world_offer(w, data, sizeof(data), NULL);
    for (int n = 0; reply->len_bytes != want && n < 700; n++) {
        (void)snprintf(json, sizeof(json),
                       "{\"status\":1000,\"msg\":\"success\",\"pad\":\"%.*s\",\"data\":%s}", n, pad,
                       data);
        test_http(reply, "200 OK", json, strlen(json));
    }
    CHECK_INT(reply->len_bytes, want);
    return ACT_REPLY;
}

static void reply_limit(void)
{
    for (int extra = 0; extra < 2; extra++) {
        struct world *w = world_new("spi4k", 300);
        w->bend = bend_size;
        w->stage = extra;
        CHECK_INT(world_calls(w, "c"), extra == 0 ? 0 : -1);
        CHECK_INT(w->request_count, extra == 0 ? 1 : 7);
        CHECK_STR(w->versions[0], extra == 0 ? "1.1" : "");
        world_free(w);
    }
}

static const struct test tests[] = {
    {"messages of variant C, byte for byte", messages_cms},
    {"messages of variant A, byte for byte", messages_direct},
    TEST_ROWS("service code of checkVersion", code_of_check, codes, code_name),
    TEST_ROWS("service code of register", code_of_register, codes, code_name),
    TEST_ROWS("service code of the result report", code_of_report, codes, code_name),
    {"an unknown identity is forgotten", identity_forgotten},
    {"undecodable JSON is asked for again", undecodable_json},
    TEST_ROWS("announcement refused", refused_content, refusals, refusal_name),
    {"a reply may fill the buffer, not more", reply_limit},
};
TEST_MAIN("cmiot control channel", tests)
