#include "mock_cloud/aliyun/topics.h"

#include "mock_cloud/aliyun/aliyun_testing.h"

struct rule_row {
    const char *topic;
    bool publish, subscribe; /* by dev1, the gateway of sub1 */
};

static const struct rule_row rules[] = {
    {"/ota/device/inform/" PK "/dev1", true, false},
    {"/ota/device/progress/" PK "/dev1", true, false},
    {"/ota/device/request/" PK "/dev1", true, true},
    {"/ota/device/upgrade/" PK "/dev1", false, true},
    {"/sys/" PK "/dev1/thing/ota/firmware/get", true, true},
    {"/sys/" PK "/dev1/thing/ota/firmware/get_reply", false, true},
    {"/sys/" PK "/dev1/thing/config/push", false, true},
    {"/sys/" PK "/dev1/thing/config/push_reply", true, true},
    {"/sys/" PK "/dev1/thing/file/download", true, true},
    {"/sys/" PK "/dev1/thing/file/download_reply", false, true},
    {"/sys/" PK "/dev1/thing/deviceinfo/update", true, true},
    {"/" PK "/dev1/user/get", true, true},
    {"/sys/" PK "/dev1/thing/event/property/post", true, true},
    {"/sys/" PK "/dev1/thing/event/+/post_reply", false, true},
    {"/sys/" PK "/dev1/thing/topo/add", true, true},
    {"/sys/" PK "/dev2/thing/topo/add", false, false},
    {"/ext/session/" PK "/dev1/combine/login", true, true},
    {"/ext/session/" PK "/dev1/combine/login_reply", false, true},
    {"/ext/session/" PK "/dev2/combine/login", false, false},
    {"/ext/session/" PK "/dev2/combine/login_reply", false, false},
    {"/ext/register", false, false},
    /* sub-devices */
    {"/ota/device/inform/sub/sub1", true, false},
    {"/ota/device/upgrade/sub/sub1", false, true},
    {"/ota/device/inform/sub/sub2", false, false},
    {"/ota/device/upgrade/sub/sub2", false, false},
    /* other devices */
    {"/ota/device/inform/" PK "/dev2", false, false},
    {"/ota/device/upgrade/" PK "/dev2", false, false},
    {"/ota/device/upgrade/other/dev1", false, false},
    {"/sys/" PK "/dev2/thing/config/push", false, false},
    /* wildcards */
    {"/ota/device/+/" PK "/dev1", false, true},
    {"/sys/" PK "/dev1/#", false, true},
    {"/sys/" PK "/dev1/thing/+/+", false, true},
    {"/sys/" PK "/dev1/thing/ota/#", false, true},
    {"/ota/device/upgrade/+/+", false, false},
    {"/ota/device/upgrade/" PK "/+", false, false},
    {"/ota/device/upgrade/" PK "/#", false, false},
    {"/ota/device/#", false, false},
    {"/sys/+/+/thing/config/push", false, false},
    {"/sys/" PK "/dev2/#", false, false},
    {"#", false, false},
    {"+/+/+/+/+", false, false},
    {"/#", false, false},
    {"$SYS/#", false, false},
    {"$share/g/ota/device/upgrade/" PK "/dev2", false, false},
    /* oddities */
    {"", false, false},
    {"/", false, false},
    {"/ota/device/inform/" PK "/dev1/", false, false},
    {"/ota/device/inform/" PK, false, false},
    {"ota/device/inform/" PK "/dev1", false, false},
    {"/ota/device/inform//dev1", false, false},
};

static void rule_holds(const void *row)
{
    const struct rule_row *r = row;
    struct bench b;
    bench_open(&b);
    put_sub_device(&b, "sub1&sub", DEVICE);
    put_sub_device(&b, "sub2&sub", OTHER);
    CHECK_INT(cloud_mqtt_topic(b.cloud, DEVICE, r->topic, MQTT_PUBLISH), r->publish);
    CHECK_INT(cloud_mqtt_topic(b.cloud, DEVICE, r->topic, MQTT_SUBSCRIBE), r->subscribe);
    bench_close(&b);
}

static const char *rule_name(const void *row)
{
    const char *topic = ((const struct rule_row *)row)->topic;
    return topic[0] == '\0' ? "(empty)" : topic;
}

static void topics_are_read_as_they_are_made(void)
{
    const struct aliyun_name name = {.product_key = "p", .device_name = "d"};
    const struct aliyun_topic_row *row = NULL;
    size_t rows = 0;
    for (; (row = aliyun_topic_at(rows)) != NULL; rows++) {
        char topic[MQTT_TOPIC_MAX];
        enum aliyun_topic got = TOPIC_COUNT;
        struct aliyun_name whose;
        if (row->topic >= TOPIC_LOGIN) /* these have several */
            continue;
        aliyun_topic_make(row->topic, &name, topic);
        CHECK(aliyun_topic_parse(topic, &got, &whose));
        CHECK_INT(got, row->topic);
        CHECK_STR(whose.product_key, "p");
        CHECK_STR(whose.device_name, "d");
    }
    CHECK(rows >= TOPIC_COUNT);
}

static void a_message_on_a_foreign_topic_has_no_effect(void)
{
    struct bench b;
    bench_open(&b);
    const char *text = "{\"id\":1,\"params\":{\"version\":\"9\"}}";
    const struct mqtt_message m = {.topic = "/ota/device/inform/" PK "/dev2",
                                   .payload = (const uint8_t *)text,
                                   .payload_bytes = strlen(text)};
    char version[STORE_TEXT_MAX];
    cloud_mqtt_message(b.cloud, 0, DEVICE, &m);
    CHECK_ERR(store_get_version(b.store, OTHER, "", version, NULL), ERR_NOT_FOUND);
    CHECK_HAS((const char *)b.events.data, "refused identity=" DEVICE " what=a topic of another");
    bench_close(&b);
}

/* At a broker that knows no identities anybody may have published it. */
static void a_topic_has_an_owner_that_is_known(void)
{
    char identity[MQTT_IDENTITY_MAX];
    struct bench b;
    bench_open(&b);
    CHECK(cloud_mqtt_owner(b.cloud, "/ota/device/inform/" PK "/dev1", identity));
    CHECK_STR(identity, DEVICE);
    CHECK(!cloud_mqtt_owner(b.cloud, "/ota/device/inform/" PK "/nobody", identity));
    CHECK(!cloud_mqtt_owner(b.cloud, "/ota/device/inform/nothing/dev1", identity));
    CHECK(!cloud_mqtt_owner(b.cloud, "somewhere/else", identity));
    bench_close(&b);
}

static const struct test tests[] = {
    {"a topic has an owner that is known", a_topic_has_an_owner_that_is_known},
    TEST_ROWS("rule for", rule_holds, rules, rule_name),
    {"topics are read as they are made", topics_are_read_as_they_are_made},
    {"a message on a foreign topic has no effect", a_message_on_a_foreign_topic_has_no_effect},
};
TEST_MAIN("aliyun topics", tests)
