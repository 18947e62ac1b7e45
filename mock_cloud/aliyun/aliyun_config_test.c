#include "mock_cloud/aliyun/config.h"

#include "mock_cloud/aliyun/aliyun_testing.h"

#define GET_TOPIC "/sys/" PK "/dev1/thing/config/get"
#define CONFIG    "{\"interval\":5}"

static const char v4_get[] = "{\"id\":\"1\",\"version\":\"1.0\",\"params\":{\"configScope\":"
                             "\"product\",\"getType\":\"file\"}}";

static void put_config(struct bench *b)
{
    struct err err = {""};
    CHECK_OK(aliyun_set_config(b->cloud, b->now_ns, PK, "c1", 900, CONFIG, strlen(CONFIG), &err),
             &err);
}

static void a_configuration_is_asked_for(void)
{
    struct bench b;
    char url[512], want[1024], sha[DIGEST_HEX_MAX];
    bench_open(&b);
    put_config(&b);
    CHECK_INT(b.sent_count, 0); /* nobody is there */
    publish(&b, DEVICE, GET_TOPIC, v4_get);
    REQUIRE(b.sent_count == 1);
    CHECK_STR(b.sent[0].topic, GET_TOPIC "_reply");
    url_of(payload(&b, 0), url);
    digest_hex_of(DIGEST_SHA256, CONFIG, strlen(CONFIG), sha);
    (void)snprintf(want, sizeof want,
                   "{\"id\":\"1\",\"version\":\"1.0\",\"code\":200,\"data\":{\"configId\":\"c1\","
                   "\"configSize\":14,\"sign\":\"%s\",\"signMethod\":\"Sha256\",\"url\":\"%s\","
                   "\"getType\":\"file\"}}",
                   sha, url);
    CHECK_STR(payload(&b, 0), want);
    const struct http_reply *rp = get(&b, url, NULL);
    CHECK_INT(rp->status, 200);
    CHECK_INT(rp->view_bytes, strlen(CONFIG));
    CHECK_MEM(rp->view, CONFIG, strlen(CONFIG));
    CHECK_INT(cloud_requests(b.cloud, RQ_CONFIG), 1);
    bench_close(&b);
}

static void without_one_there_is_no_data(void)
{
    struct bench b;
    bench_open(&b);
    publish(&b, DEVICE, GET_TOPIC, v4_get);
    CHECK_STR(payload(&b, 0), "{\"id\":\"1\",\"version\":\"1.0\",\"code\":6710,\"data\":{},"
                              "\"message\":\"no data\"}");
    bench_close(&b);
}

static void devices_that_are_there_are_told(void)
{
    struct bench b;
    bench_open(&b);
    cloud_mqtt_online(b.cloud, 0, OTHER);
    put_config(&b);
    REQUIRE(b.sent_count == 1);
    CHECK_STR(b.sent[0].to, OTHER);
    CHECK_STR(b.sent[0].topic, "/sys/" PK "/dev2/thing/config/push");
    CHECK_HAS(payload(&b, 0), "{\"id\":\"1700000000000\",\"version\":\"1.0\",\"params\":{"
                              "\"configId\":\"c1\",\"configSize\":14,");
    CHECK_HAS(payload(&b, 0), "},\"method\":\"thing.config.push\"}");
    CHECK_INT(cloud_requests(b.cloud, RQ_PUSH), 1);
    bench_close(&b);
}

static void a_configuration_is_no_firmware(void)
{
    struct bench b;
    struct store_package p;
    bench_open(&b);
    put_config(&b);
    CHECK_ERR(store_find_offer(b.store, PK, "", NS_PER_S, &p, NULL), ERR_NOT_FOUND);
    cloud_mqtt_online(b.cloud, 0, DEVICE);
    inform(&b, "1.0.0");
    run_for(&b, 5 * NS_PER_S);
    CHECK_INT(b.sent_count, 0);
    bench_close(&b);
}

static void bad_ones_are_refused(void)
{
    struct bench b;
    struct err err = {""};
    bench_open(&b);
    CHECK_ERR(aliyun_set_config(b.cloud, 0, PK, "", 900, "x", 1, &err), ERR_ARG);
    CHECK_ERR(aliyun_set_config(b.cloud, 0, "", "c", 900, "x", 1, &err), ERR_ARG);
    CHECK_ERR(aliyun_set_config(b.cloud, 0, PK, "c", 0, "x", 1, &err), ERR_ARG);
    bench_close(&b);
}

static const struct test tests[] = {
    {"a configuration is asked for", a_configuration_is_asked_for},
    {"without one there is no data", without_one_there_is_no_data},
    {"devices that are there are told", devices_that_are_there_are_told},
    {"a configuration is no firmware", a_configuration_is_no_firmware},
    {"bad configurations are refused", bad_ones_are_refused},
};
TEST_MAIN("aliyun configuration", tests)
