#include "mock_cloud/aliyun/announce.h"

#include "mock_cloud/aliyun/aliyun_testing.h"

#define IMAGE_SHA "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f"

/* What the device is told when a verification of firmware 7 starts. URLs become "@". */
static void told(struct bench *b, const struct campaign_firmware *with, char *out, size_t room)
{
    upload(b, 7, "2.0.0", with);
    b->sent_count = 0;
    publish(b, DEVICE, INFORM, "{\"id\":1,\"params\":{\"version\":\"1.0.0\"}}");
    if (with != NULL && with->module != NULL)
        publish(b, DEVICE, INFORM,
                "{\"id\":1,\"params\":{\"version\":\"1.0.0\",\"module\":\"mcu\"}}");
    run_for(b, 2 * NS_PER_S);
    start_task(b, TASK_VERIFY, 7, DEVICE);
    const char *p = payload(b, 0);
    size_t n = 0;
    while (*p != '\0' && n + 1 < room) {
        if (strncmp(p, "http://", 7) == 0) {
            out[n++] = '@';
            p += strcspn(p, "\"");
        } else {
            out[n++] = *p++;
        }
    }
    out[n] = '\0';
}

static const struct campaign_file two_files[] = {{.name = "a.bin", .content = IMAGE, .bytes = 16},
                                                 {.name = "b.bin", .content = "0", .bytes = 1}};

struct form_row {
    const char *name;
    struct campaign_firmware with;
    const char *want; /* between {"code":"1000","data": and ,"id":... */
};

static const struct form_row forms[] = {
    {"MD5",
     {.sign = SIGN_MD5},
     "{\"size\":16,\"sign\":\"" IMAGE_MD5
     "\",\"version\":\"2.0.0\",\"signMethod\":\"Md5\",\"url\":\"@\",\"md5\":\"" IMAGE_MD5 "\"}"},
    {"SHA-256",
     {.sign = SIGN_SHA256},
     "{\"size\":16,\"sign\":\"" IMAGE_SHA
     "\",\"version\":\"2.0.0\",\"signMethod\":\"SHA256\",\"url\":\"@\",\"md5\":\"" IMAGE_MD5 "\"}"},
    {"a difference, a module and extData",
     {.diff = true, .module = "mcu", .extra = "{\"size\":1,\"_package_udi\":\"{\\\"a\\\":1}\"}"},
     "{\"size\":16,\"sign\":\"" IMAGE_MD5
     "\",\"version\":\"2.0.0\",\"isDiff\":1,\"signMethod\":\"Md5\",\"url\":\"@\",\"md5\":"
     "\"" IMAGE_MD5
     "\",\"module\":\"mcu\",\"extData\":{\"size\":1,\"_package_udi\":\"{\\\"a\\\":1}\"}}"},
    {"over MQTT",
     {.over_mqtt = true},
     "{\"size\":16,\"streamId\":7,\"sign\":\"" IMAGE_MD5
     "\",\"dProtocol\":\"mqtt\",\"version\":\"2.0.0\",\"signMethod\":\"Md5\",\"streamFileId\":1,"
     "\"md5\":\"" IMAGE_MD5 "\"}"},
    {"two files",
     {.files = two_files, .file_count = 2},
     "{\"version\":\"2.0.0\",\"files\":[{\"fileSize\":16,\"fileName\":\"a.bin\",\"fileUrl\":\"@\","
     "\"fileMd5\":\"" IMAGE_MD5 "\",\"fileSign\":\"" IMAGE_MD5
     "\"},{\"fileSize\":1,\"fileName\":\"b.bin\",\"fileUrl\":\"@\",\"fileMd5\":"
     "\"cfcd208495d565ef66e7dff9f98764da\",\"fileSign\":\"cfcd208495d565ef66e7dff9f98764da\"}],"
     "\"signMethod\":\"Md5\"}"},
};

static void form_is_told(const void *row)
{
    const struct form_row *f = row;
    struct bench b;
    char got[2048], want[2048];
    bench_open(&b);
    told(&b, &f->with, got, sizeof got);
    (void)snprintf(want, sizeof want,
                   "{\"code\":\"1000\",\"data\":%s,\"id\":1700000002000,\"message\":\"success\"}",
                   f->want);
    CHECK_STR(got, want);
    bench_close(&b);
}

static const char *form_name(const void *row)
{
    return ((const struct form_row *)row)->name;
}

static void every_file_has_its_url(void)
{
    struct bench b;
    char got[2048];
    const struct campaign_firmware with = {.files = two_files, .file_count = 2};
    bench_open(&b);
    told(&b, &with, got, sizeof got);
    const char *at = payload(&b, 0);
    const size_t sizes[] = {16, 1};
    for (size_t i = 0; i < 2; i++) {
        char url[512];
        at = strstr(at, "\"fileUrl\":\"");
        REQUIRE(at != NULL);
        at += 11;
        (void)snprintf(url, sizeof url, "%.*s", (int)strcspn(at, "\""), at);
        CHECK_INT(get(&b, url, NULL)->status, 200);
        CHECK_INT(b.reply.view_bytes, sizes[i]);
    }
    bench_close(&b);
}

struct fault_row {
    const char *name;
    enum cloud_fault_kind kind;
    int64_t bytes;
    const char *text;
    const char *has; /* in the message */
    const char *lacks;
};

static const struct fault_row faults[] = {
    {"wrong-digest", CF_WRONG_DIGEST, 0, "", "\"size\":16", IMAGE_MD5},
    {"bad-digest", CF_BAD_DIGEST, 0, "", "\"md5\":\"kgji", IMAGE_MD5},
    {"wrong-sign", CF_WRONG_SIGN, 0, "", "\"md5\":\"" IMAGE_MD5, "\"sign\":\"" IMAGE_MD5},
    {"upper-digest", CF_UPPER_DIGEST, 0, "", "\"md5\":\"4032AF8D", IMAGE_MD5},
    {"sign-method", CF_SIGN_METHOD, 0, "CRC32", "\"signMethod\":\"CRC32\"", "Md5"},
    {"wrong-size", CF_WRONG_SIZE, 5, "", "\"size\":21", "\"size\":16"},
    {"omit md5", CF_OMIT, 0, "md5", "\"url\":\"@\"},", "\"md5\""},
    {"omit url", CF_OMIT, 0, "url", "\"signMethod\":\"Md5\",\"md5\"", "http"},
    {"omit message", CF_OMIT, 0, "message", "00}", "success"},
    {"omit data", CF_OMIT, 0, "data", "{\"code\":\"1000\",\"id\"", "size"},
    {"blank", CF_BLANK, 0, "", "{\"code\": \"1000\",\"data\": {\"size\": 16,", "\"size\":16"},
    {"not-utf8", CF_NOT_UTF8, 0, "", "{\"text\":\"\xff\xfe\xc0\",\"code\"", "nothing"},
    {"deep", CF_DEEP, 3, "", "{\"deep\":[[[]]],\"code\":", "nothing"},
    {"oversized", CF_OVERSIZED, 5, "", "{     \"code\":", "nothing"},
    {"not-json", CF_NOT_JSON, 0, "{\"code\"", "{\"code\"", "1000"},
    {"truncate", CF_TRUNCATE, 8, "", "\"message\":\"s", "success"},
    {"corrupt", CF_CORRUPT, 0, "", "z\"code\"", "nothing"},
};

static void fault_spoils_a_push(const void *row)
{
    const struct fault_row *f = row;
    struct bench b;
    char got[2048];
    bench_open(&b);
    struct cloud_fault fault = {
        .request = RQ_PUSH, .kind = f->kind, .from = 1, .count = 1, .bytes = f->bytes};
    (void)snprintf(fault.text, sizeof fault.text, "%s", f->text);
    CHECK_OK(cloud_add_fault(b.cloud, &fault), NULL);
    told(&b, NULL, got, sizeof got);
    CHECK_INT(b.sent_count, 1);
    CHECK_HAS(got, f->has);
    CHECK(strstr(got, f->lacks) == NULL);
    CHECK_INT(cloud_fault_at(b.cloud, 0)->hits, 1);
    b.sent_count = 0;
    publish(&b, DEVICE, INFORM, "{\"id\":1,\"params\":{\"version\":\"1.0.0\"}}");
    CHECK_HAS(payload(&b, 0), "{\"code\":\"1000\",\"data\":{\"size\":16,\"sign\":\"" IMAGE_MD5);
    bench_close(&b);
}

static const char *fault_name(const void *row)
{
    return ((const struct fault_row *)row)->name;
}

static void add_fault(struct bench *b, enum cloud_request rq, enum cloud_fault_kind kind,
                      int64_t bytes, int64_t ms)
{
    const struct cloud_fault f = {
        .request = rq, .kind = kind, .from = 1, .count = 1, .bytes = bytes, .ms = ms};
    CHECK_OK(cloud_add_fault(b->cloud, &f), NULL);
}

static void pushes_are_doubled_delayed_and_lost(void)
{
    struct bench b;
    char got[2048];
    bench_open(&b);
    add_fault(&b, RQ_PUSH, CF_DUPLICATE, 2, 0);
    told(&b, NULL, got, sizeof got);
    CHECK_INT(b.sent_count, 3);
    CHECK_STR(payload(&b, 1), payload(&b, 0));
    CHECK_STR(payload(&b, 2), payload(&b, 0));
    bench_close(&b);

    bench_open(&b);
    add_fault(&b, RQ_PUSH, CF_DELAY, 0, 5000);
    told(&b, NULL, got, sizeof got);
    CHECK_INT(b.sent_count, 0);
    run_for(&b, 4999 * NS_PER_MS);
    CHECK_INT(b.sent_count, 0);
    run_for(&b, NS_PER_MS);
    CHECK_INT(b.sent_count, 1);
    CHECK_STR(b.sent[0].topic, UPGRADE);
    bench_close(&b);

    bench_open(&b);
    add_fault(&b, RQ_PUSH, CF_LOST, 0, 0);
    told(&b, NULL, got, sizeof got);
    CHECK_INT(b.sent_count, 0);
    bench_close(&b);
}

static void old_and_foreign_pushes_come(void)
{
    struct bench b;
    char got[2048];
    bench_open(&b);
    struct cloud_fault f = {.request = RQ_PUSH, .kind = CF_REPLAY, .from = 2, .count = 1};
    CHECK_OK(cloud_add_fault(b.cloud, &f), NULL);
    f = (struct cloud_fault){.request = RQ_PUSH, .kind = CF_FOREIGN, .from = 3, .count = 1};
    CHECK_OK(cloud_add_fault(b.cloud, &f), NULL);
    told(&b, NULL, got, sizeof got);
    upload(&b, 8, "3.0.0", NULL);
    start_task(&b, TASK_VERIFY, 8, DEVICE);
    CHECK_INT(b.sent_count, 3);
    CHECK_HAS(payload(&b, 1), "3.0.0");
    CHECK_STR(payload(&b, 2), payload(&b, 0));
    CHECK_STR(b.sent[2].topic, UPGRADE);
    publish(&b, DEVICE, INFORM, "{\"id\":1,\"params\":{\"version\":\"1.0.0\"}}");
    CHECK_STR(b.sent[3].topic, "/ota/device/upgrade/" PK "/another-device");
    CHECK_STR(b.sent[3].to, DEVICE);
    bench_close(&b);
}

static void a_query_can_find_nothing_by_script(void)
{
    struct bench b;
    char got[2048];
    bench_open(&b);
    add_fault(&b, RQ_QUERY, CF_EMPTY, 0, 0);
    told(&b, NULL, got, sizeof got);
    b.sent_count = 0;
    publish(&b, DEVICE, "/sys/" PK "/dev1/thing/ota/firmware/get", "{\"id\":5,\"params\":{}}");
    CHECK_STR(payload(&b, 0), "{\"code\":200,\"data\":{},\"id\":5,\"message\":\"success\"}");
    bench_close(&b);
}

static void faults_that_cannot_apply_are_refused(void)
{
    static const struct {
        enum cloud_request rq;
        enum cloud_fault_kind kind;
        int64_t bytes;
        const char *text;
    } bad[] = {
        {RQ_INFORM, CF_DELAY, 0, ""},        {RQ_PROGRESS, CF_TRUNCATE, 1, ""},
        {RQ_PUSH, CF_STATUS, 0, ""},         {RQ_CHECK, CF_LOST, 0, ""},
        {RQ_DOWNLOAD, CF_OMIT, 0, "md5"},    {RQ_PUSH, CF_OMIT, 0, ""},
        {RQ_PUSH, CF_DUPLICATE, 0, ""},      {RQ_PUSH, CF_DUPLICATE, CLOUD_COPIES_MAX + 1, ""},
        {RQ_PUSH, CF_DEEP, 1 << 20, ""},     {RQ_QUERY, CF_REPLAY, 0, ""},
        {RQ_PUSH, CF_EMPTY, 0, ""},          {RQ_PUSH, CF_EXPIRED, 0, ""},
        {RQ_PUSH, CF_STALE_VERSION, 0, "1"},
    };
    struct bench b;
    bench_open(&b);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cloud_fault f = {.request = bad[i].rq,
                                .kind = bad[i].kind,
                                .from = 1,
                                .bytes = bad[i].bytes,
                                .ms = 1,
                                .code = 500};
        (void)snprintf(f.text, sizeof f.text, "%s", bad[i].text);
        CHECK_ERR(cloud_add_fault(b.cloud, &f), ERR_ARG);
    }
    bench_close(&b);
}

static const struct test tests[] = {
    TEST_ROWS("announcement of", form_is_told, forms, form_name),
    {"every file has its URL", every_file_has_its_url},
    TEST_ROWS("fault", fault_spoils_a_push, faults, fault_name),
    {"pushes are doubled, delayed and lost", pushes_are_doubled_delayed_and_lost},
    {"old and foreign pushes come", old_and_foreign_pushes_come},
    {"a query can find nothing by script", a_query_can_find_nothing_by_script},
    {"faults that cannot apply are refused", faults_that_cannot_apply_are_refused},
};
TEST_MAIN("aliyun announcements", tests)
