#include "mock_cloud/aliyun/aliyun.h"

#include "mock_cloud/aliyun/aliyun_testing.h"
#include "mock_cloud/aliyun/push.h"

static void come_online(struct bench *b)
{
    cloud_mqtt_online(b->cloud, b->now_ns, DEVICE);
}

static void a_device_upgrades(void)
{
    struct bench b;
    char url[512];
    bench_open(&b);
    come_online(&b);
    inform(&b, "1.0.0");
    run_for(&b, 2 * NS_PER_S);
    CHECK_INT(b.sent_count, 0);
    upload(&b, 7, "2.0.0", NULL);
    start_task(&b, TASK_VERIFY, 7, DEVICE);
    CHECK_INT(b.sent_count, 1);
    CHECK_STR(b.sent[0].to, DEVICE);
    CHECK_STR(b.sent[0].topic, UPGRADE);
    CHECK_INT(b.sent[0].qos, 1);
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_PENDING);
    url_of(payload(&b, 0), url);
    CHECK(strlen(url) < ALIYUN_URL_MAX);
    char want[1024];
    (void)snprintf(want, sizeof want,
                   "{\"code\":\"1000\",\"data\":{\"size\":16,\"sign\":\"" IMAGE_MD5
                   "\",\"version\":\"2.0.0\",\"signMethod\":\"Md5\",\"url\":\"%s\",\"md5\":"
                   "\"" IMAGE_MD5 "\"},\"id\":1700000002000,\"message\":\"success\"}",
                   url);
    CHECK_STR(payload(&b, 0), want);

    progress(&b, "0");
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_UPGRADING);
    const struct http_reply *rp = get(&b, url, "bytes=0-");
    CHECK_INT(rp->status, 206);
    CHECK_STR(rp->content_range, "bytes 0-15/16");
    CHECK_MEM(rp->view, IMAGE, 16);
    rp = get(&b, url, "bytes=4-7");
    CHECK_STR(rp->content_range, "bytes 4-7/16");
    CHECK_MEM(rp->view, "4567", 4);
    progress(&b, "100");
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_UPGRADING);
    inform(&b, "2.0.0");
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_SUCCESS);
    run_for(&b, 3600 * NS_PER_S);
    CHECK_INT(b.sent_count, 1);
    bench_close(&b);
}

static void all_without_the_version_fails_in_time(void)
{
    struct bench b;
    bench_open(&b);
    come_online(&b);
    inform(&b, "1.0.0");
    upload(&b, 7, "2.0.0", NULL);
    start_task(&b, TASK_VERIFY, 7, DEVICE);
    run_for(&b, 2 * NS_PER_S);
    progress(&b, "100");
    run_for(&b, 899 * NS_PER_S);
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_UPGRADING);
    run_for(&b, 2 * NS_PER_S);
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_FAILED);
    /* The version is the only sign of success, however late it comes. */
    inform(&b, "2.0.0");
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_SUCCESS);
    bench_close(&b);
}

static void a_failure_code_fails(void)
{
    struct bench b;
    bench_open(&b);
    come_online(&b);
    inform(&b, "1.0.0");
    upload(&b, 7, "2.0.0", NULL);
    start_task(&b, TASK_VERIFY, 7, DEVICE);
    run_for(&b, 2 * NS_PER_S);
    progress(&b, "55");
    progress(&b, "0");
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_UPGRADING);
    progress(&b, "-3");
    struct store_record rec;
    CHECK_OK(store_get_record(b.store, 7, DEVICE, &rec, NULL), NULL);
    CHECK_INT(rec.state, RECORD_FAILED);
    CHECK_INT(rec.upgrade_status, -3);
    progress(&b, "100");
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_FAILED);
    CHECK_HAS((const char *)b.events.data, "late delta_id=7");
    bench_close(&b);
}

struct timing_row {
    const char *name;
    int64_t subscribe_ms; /* after the first report; -1: never, -2: before it */
    int64_t want_ms[3];   /* when it is told, -1: ends the list */
};

static const struct timing_row timings[] = {
    {"a device that never subscribes is told after a second", -1, {1000, -1, -1}},
    {"one that subscribes is told soon after", 100, {300, -1, -1}},
    {"one that had subscribed is told soon", -2, {200, -1, -1}},
    {"one that subscribes too late is told again", 4000, {1000, 4200, -1}},
};

static void is_told_in_time(const void *row)
{
    const struct timing_row *t = row;
    struct bench b;
    bench_open(&b);
    upload(&b, 7, "2.0.0", NULL);
    start_task(&b, TASK_VERIFY, 7, DEVICE);
    come_online(&b);
    if (t->subscribe_ms == -2)
        cloud_mqtt_subscribed(b.cloud, b.now_ns, DEVICE, UPGRADE);
    inform(&b, "1.0.0");
    size_t told = 0;
    for (int64_t ms = 0; ms <= 6000; ms++) {
        run_until(&b, ms * NS_PER_MS);
        if (ms == t->subscribe_ms)
            cloud_mqtt_subscribed(b.cloud, b.now_ns, DEVICE, UPGRADE);
        if (b.sent_count > told) {
            CHECK_INT(ms, t->want_ms[told]);
            told = b.sent_count;
        }
    }
    CHECK_INT(t->want_ms[told], -1);
    inform(&b, "1.0.0"); /* still not there: told again, at once */
    CHECK_INT(b.sent_count, told + 1);
    bench_close(&b);
}

static const char *timing_name(const void *row)
{
    return ((const struct timing_row *)row)->name;
}

static void coming_online_is_told_again(void)
{
    struct bench b;
    bench_open(&b);
    come_online(&b);
    inform(&b, "1.0.0");
    run_for(&b, 2 * NS_PER_S);
    cloud_mqtt_offline(b.cloud, b.now_ns, DEVICE);
    upload(&b, 7, "2.0.0", NULL);
    start_task(&b, TASK_VERIFY, 7, DEVICE);
    CHECK_INT(b.sent_count, 0);
    come_online(&b);
    run_for(&b, 2 * NS_PER_S);
    CHECK_INT(b.sent_count, 1);
    cloud_mqtt_offline(b.cloud, b.now_ns, DEVICE);
    inform(&b, "2.0.0");
    cloud_mqtt_offline(b.cloud, b.now_ns, DEVICE);
    come_online(&b);
    run_for(&b, 2 * NS_PER_S);
    CHECK_INT(b.sent_count, 1);
    bench_close(&b);
}

static void a_gateway_speaks_for_its_sub_devices(void)
{
    struct bench b;
    bench_open(&b);
    put_device(&b, "sub1", PK);
    put_sub_device(&b, "sub1&" PK, DEVICE);
    upload(&b, 7, "2.0.0", NULL);
    come_online(&b);
    cloud_mqtt_subscribed(b.cloud, b.now_ns, DEVICE, "/ota/device/upgrade/" PK "/sub1");
    publish(&b, DEVICE, "/ota/device/inform/" PK "/sub1",
            "{\"id\":1,\"params\":{\"version\":\"1.0.0\"}}");
    run_for(&b, 2 * NS_PER_S);
    start_task(&b, TASK_VERIFY, 7, "sub1&" PK);
    REQUIRE(b.sent_count == 1);
    CHECK_STR(b.sent[0].to, DEVICE);
    CHECK_STR(b.sent[0].topic, "/ota/device/upgrade/" PK "/sub1");
    publish(&b, DEVICE, "/ota/device/progress/" PK "/sub1",
            "{\"id\":1,\"params\":{\"step\":\"5\"}}");
    CHECK_INT(state_of(&b, 7, "sub1&" PK), RECORD_UPGRADING);
    publish(&b, DEVICE, "/sys/" PK "/sub1/thing/ota/firmware/get", "{\"id\":2,\"params\":{}}");
    CHECK_STR(b.sent[1].to, DEVICE);
    CHECK_STR(b.sent[1].topic, "/sys/" PK "/sub1/thing/ota/firmware/get_reply");
    publish(&b, DEVICE, "/ota/device/inform/" PK "/sub1",
            "{\"id\":1,\"params\":{\"version\":\"2.0.0\"}}");
    CHECK_INT(state_of(&b, 7, "sub1&" PK), RECORD_SUCCESS);
    /* Its session ends with that of its gateway. */
    cloud_mqtt_offline(b.cloud, b.now_ns, DEVICE);
    struct store_session x;
    CHECK_ERR(store_get_session(b.store, "sub1&" PK, &x, NULL), ERR_NOT_FOUND);
    bench_close(&b);
}

static void modules_are_upgraded_on_their_own(void)
{
    struct bench b;
    const struct campaign_firmware mcu = {.module = "mcu"};
    bench_open(&b);
    upload(&b, 7, "2.0.0", NULL);
    upload(&b, 8, "5", &mcu);
    come_online(&b);
    inform(&b, "1.0.0");
    publish(&b, DEVICE, INFORM, "{\"id\":1,\"params\":{\"version\":\"4\",\"module\":\"mcu\"}}");
    run_for(&b, 2 * NS_PER_S);
    start_task(&b, TASK_VERIFY, 7, DEVICE);
    start_task(&b, TASK_VERIFY, 8, DEVICE);
    CHECK_HAS(payload(&b, b.sent_count - 1), "\"module\":\"mcu\"");
    publish(&b, DEVICE, PROGRESS, "{\"id\":1,\"params\":{\"step\":\"5\",\"module\":\"mcu\"}}");
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_PENDING);
    CHECK_INT(state_of(&b, 8, DEVICE), RECORD_UPGRADING);
    publish(&b, DEVICE, INFORM, "{\"id\":1,\"params\":{\"version\":\"2.0.0\",\"module\":\"mcu\"}}");
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_PENDING);
    publish(&b, DEVICE, INFORM, "{\"id\":1,\"params\":{\"version\":\"5\",\"module\":\"mcu\"}}");
    CHECK_INT(state_of(&b, 8, DEVICE), RECORD_SUCCESS);
    bench_close(&b);
}

static void the_wrong_version_after_all_fails(void)
{
    struct bench b;
    bench_open(&b);
    upload(&b, 7, "2.0.0", NULL);
    start_task(&b, TASK_VERIFY, 7, DEVICE);
    come_online(&b);
    inform(&b, "1.0.0");
    run_for(&b, 2 * NS_PER_S);
    progress(&b, "100");
    /* The connection alone says nothing. */
    cloud_mqtt_offline(b.cloud, b.now_ns, DEVICE);
    come_online(&b);
    run_for(&b, 2 * NS_PER_S);
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_UPGRADING);
    /* A first version is corrected in time by clients of generation 3. */
    cloud_mqtt_offline(b.cloud, b.now_ns, DEVICE);
    come_online(&b);
    inform(&b, "app-1.0.0-20180101.1000");
    run_for(&b, 100 * NS_PER_MS);
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_UPGRADING);
    run_for(&b, 2 * NS_PER_S);
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_FAILED);
    inform(&b, "2.0.0");
    CHECK_INT(state_of(&b, 7, DEVICE), RECORD_SUCCESS);
    bench_close(&b);
}

struct query_row {
    const char *name, *topic, *text, *want_topic, *want;
};

static const struct query_row queries[] = {
    {"a query with a text as id", "/sys/" PK "/dev1/thing/ota/firmware/get",
     "{\"id\":\"12\",\"params\":{}}", "/sys/" PK "/dev1/thing/ota/firmware/get_reply",
     "{\"code\":200,\"data\":{\"size\":16,"},
    {"a query for a module without an upgrade", "/sys/" PK "/dev1/thing/ota/firmware/get",
     "{\"id\":12,\"params\":{\"module\":\"mcu\"}}", "/sys/" PK "/dev1/thing/ota/firmware/get_reply",
     "{\"code\":200,\"data\":{},\"id\":12,\"message\":\"success\"}"},
    {"a request", "/ota/device/request/" PK "/dev1",
     "{\"id\":\"0\",\"params\":{\"version\":\"1.0.0\"}}", UPGRADE, "{\"code\":\"1000\",\"data\":"},
};

static void is_answered(const void *row)
{
    const struct query_row *q = row;
    struct bench b;
    bench_open(&b);
    upload(&b, 7, "2.0.0", NULL);
    come_online(&b);
    inform(&b, "1.0.0");
    run_for(&b, 2 * NS_PER_S);
    b.absent[0] = '\0';
    start_task(&b, TASK_VERIFY, 7, DEVICE);
    b.sent_count = 0;
    publish(&b, DEVICE, q->topic, q->text);
    CHECK_INT(b.sent_count, 1);
    CHECK_STR(b.sent[0].topic, q->want_topic);
    CHECK_HAS(payload(&b, 0), q->want);
    bench_close(&b);
}

static const char *query_name(const void *row)
{
    return ((const struct query_row *)row)->name;
}

static const struct test tests[] = {
    {"a device upgrades", a_device_upgrades},
    {"100 without the version fails in time", all_without_the_version_fails_in_time},
    {"a failure code fails", a_failure_code_fails},
    TEST_ROWS("timing", is_told_in_time, timings, timing_name),
    {"coming online is told again", coming_online_is_told_again},
    {"a gateway speaks for its sub-devices", a_gateway_speaks_for_its_sub_devices},
    {"modules are upgraded on their own", modules_are_upgraded_on_their_own},
    {"the wrong version after 100 fails", the_wrong_version_after_all_fails},
    TEST_ROWS("answer to", is_answered, queries, query_name),
};
TEST_MAIN("aliyun", tests)
