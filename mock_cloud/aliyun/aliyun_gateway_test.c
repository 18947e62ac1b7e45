#include "mock_cloud/aliyun/gateway.h"

#include "mock_cloud/aliyun/aliyun_testing.h"

#define SUB        "sub1&" PK
#define TOPO       "/sys/" PK "/dev1/thing/topo/"
#define SESSION    "/ext/session/" PK "/dev1/combine/"
#define SUB_INFORM "/ota/device/inform/" PK "/sub1"
#define ADD                                                                                        \
    "{\"id\":\"1\",\"version\":\"1.0\",\"params\":[{\"productKey\":\"" PK "\","                    \
    "\"deviceName\":\"sub1\",\"clientId\":\"" PK "&sub1\",\"timestamp\":1700000000000,"            \
    "\"signMethod\":\"hmacsha1\",\"sign\":\"%s\"}],\"method\":\"thing.topo.add\"}"
#define LOGIN                                                                                      \
    "{\"id\":\"2\",\"params\":{\"productKey\":\"" PK "\",\"deviceName\":\"sub1\","                 \
    "\"clientId\":\"" PK "&sub1\",\"timestamp\":\"1700000000000\",\"signMethod\":\"hmacSha1\","    \
    "\"sign\":\"%s\",\"cleanSession\":\"true\"}}"
/* printf 'clientIda1Product&sub1deviceNamesub1productKeya1Producttimestamp1700000000000' |
 * openssl dgst -sha1 -hmac secret1 */
#define SIGN "2378aba89b3494a7047799b5dc8525d80982c0b6"
/* clientIda1Product.sub1..timestamp77, -sha256, in upper case */
#define SIGN_C "18750EA77331B93065FBFA01452F1DF10CAD358B3B0FEE7262C45C3EDA0DEBA0"
#define NAME   "{\"deviceName\":\"sub1\",\"productKey\":\"" PK "\"}"

static void open_with_sub(struct bench *b)
{
    bench_open(b);
    put_device(b, "sub1", PK);
    cloud_mqtt_online(b->cloud, b->now_ns, DEVICE);
}

static void ask(struct bench *b, const char *topic, const char *format, const char *sign)
{
    char text[1024];
    (void)snprintf(text, sizeof text, format, sign);
    publish(b, DEVICE, topic, text);
}

static const char *last(const struct bench *b)
{
    return b->sent_count == 0 ? "" : payload(b, b->sent_count - 1);
}

static void a_gateway_adds_lists_and_deletes(void)
{
    struct bench b;
    open_with_sub(&b);
    ask(&b, TOPO "add", ADD, SIGN);
    CHECK_STR(last(&b), "{\"code\":200,\"data\":[" NAME "],\"id\":\"1\",\"message\":\"success\","
                        "\"method\":\"thing.topo.add\",\"version\":\"1.0\"}");
    CHECK_STR(b.sent[0].topic, TOPO "add_reply");
    CHECK_STR(b.sent[0].to, DEVICE);
    publish(&b, DEVICE, TOPO "get", "{\"id\":\"2\",\"params\":{}}");
    CHECK_HAS(last(&b), "\"data\":[" NAME "],\"id\":\"2\"");
    publish(&b, DEVICE, TOPO "delete", "{\"id\":\"3\",\"params\":[" NAME "]}");
    CHECK_HAS(last(&b), "\"code\":200");
    publish(&b, DEVICE, TOPO "get", "{\"id\":\"4\",\"params\":{}}");
    CHECK_HAS(last(&b), "\"data\":[]");
    publish(&b, DEVICE, TOPO "delete", "{\"id\":\"5\",\"params\":[" NAME "]}");
    CHECK_HAS(last(&b), "\"code\":6401");
    bench_close(&b);
}

struct refusal_row {
    const char *name, *params, *code;
};

static const struct refusal_row refusals[] = {
    {"no list", "{}", "\"code\":460"},
    {"an empty list", "[]", "\"code\":460"},
    {"no names", "[{\"sign\":\"x\"}]", "\"code\":460"},
    {"a text in the list", "[\"sub1\"]", "\"code\":460"},
    {"the gateway itself", "[{\"productKey\":\"" PK "\",\"deviceName\":\"dev1\",\"sign\":\"x\"}]",
     "\"code\":6402"},
    {"an unknown device", "[{\"productKey\":\"" PK "\",\"deviceName\":\"sub9\",\"sign\":\"x\"}]",
     "\"code\":6100"},
    {"no signature", "[{\"productKey\":\"" PK "\",\"deviceName\":\"sub1\"}]", "\"code\":401"},
    {"an unknown sign method",
     "[{\"productKey\":\"" PK "\",\"deviceName\":\"sub1\",\"clientId\":\"" PK "&sub1\","
     "\"timestamp\":\"1700000000000\",\"signMethod\":\"rot13\",\"sign\":\"" SIGN "\"}]",
     "\"code\":401"},
    {"another time than was signed",
     "[{\"productKey\":\"" PK "\",\"deviceName\":\"sub1\",\"clientId\":\"" PK "&sub1\","
     "\"timestamp\":\"1700000000001\",\"signMethod\":\"hmacsha1\",\"sign\":\"" SIGN "\"}]",
     "\"code\":401"},
    {"one that is right and one that is not",
     "[{\"productKey\":\"" PK "\",\"deviceName\":\"sub1\",\"clientId\":\"" PK "&sub1\","
     "\"timestamp\":\"1700000000000\",\"signmethod\":\"hmacsha1\",\"sign\":\"" SIGN "\"},"
     "{\"productKey\":\"" PK "\",\"deviceName\":\"dev2\",\"sign\":\"x\"}]",
     "\"code\":401"},
};

static void adding_is_refused(const void *row)
{
    const struct refusal_row *r = row;
    struct bench b;
    struct store_sub_device d;
    char text[1024];
    open_with_sub(&b);
    (void)snprintf(text, sizeof text, "{\"id\":\"1\",\"params\":%s}", r->params);
    publish(&b, DEVICE, TOPO "add", text);
    CHECK_HAS(last(&b), r->code);
    CHECK_HAS(last(&b), "\"data\":{}");
    CHECK_ERR(store_get_sub_device(b.store, SUB, &d, NULL), ERR_NOT_FOUND);
    bench_close(&b);
}

static const char *refusal_name(const void *row)
{
    return ((const struct refusal_row *)row)->name;
}

static void a_sub_device_speaks_between_login_and_logout(void)
{
    struct bench b;
    open_with_sub(&b);
    ask(&b, SESSION "login", LOGIN, SIGN);
    CHECK_HAS(last(&b), "\"code\":6401");
    ask(&b, TOPO "add", ADD, SIGN);
    CHECK(!cloud_mqtt_topic(b.cloud, DEVICE, SUB_INFORM, MQTT_PUBLISH));
    ask(&b, SESSION "login", LOGIN, "00");
    CHECK_HAS(last(&b), "\"code\":6287");
    ask(&b, SESSION "login", LOGIN, SIGN);
    CHECK_HAS(last(&b), "\"code\":200,\"data\":" NAME ",\"id\":\"2\"");
    CHECK_STR(b.sent[b.sent_count - 1].topic, SESSION "login_reply");
    CHECK_HAS((const char *)b.events.data, "online identity=" SUB);
    CHECK(cloud_mqtt_topic(b.cloud, DEVICE, SUB_INFORM, MQTT_PUBLISH));
    CHECK(!cloud_mqtt_topic(b.cloud, OTHER, SUB_INFORM, MQTT_PUBLISH));
    publish(&b, DEVICE, SESSION "logout", "{\"id\":\"3\",\"params\":" NAME "}");
    CHECK_HAS(last(&b), "\"code\":200,\"data\":" NAME);
    CHECK(!cloud_mqtt_topic(b.cloud, DEVICE, SUB_INFORM, MQTT_PUBLISH));
    publish(&b, DEVICE, SESSION "logout", "{\"id\":\"4\",\"params\":" NAME "}");
    CHECK_HAS(last(&b), "\"code\":520");
    bench_close(&b);
}

static void an_upgrade_goes_through_the_gateway(void)
{
    struct bench b;
    open_with_sub(&b);
    upload(&b, 7, "2.0.0", NULL);
    start_task(&b, TASK_VERIFY, 7, SUB);
    ask(&b, TOPO "add", ADD, SIGN);
    ask(&b, SESSION "login", LOGIN, SIGN);
    size_t before = b.sent_count;
    publish(&b, DEVICE, SUB_INFORM, "{\"id\":\"1\",\"params\":{\"version\":\"1.0.0\"}}");
    run_for(&b, 2 * NS_PER_S);
    CHECK_INT(b.sent_count, before + 1);
    CHECK_STR(b.sent[before].topic, "/ota/device/upgrade/" PK "/sub1");
    CHECK_STR(b.sent[before].to, DEVICE);
    publish(&b, DEVICE, "/ota/device/progress/" PK "/sub1",
            "{\"id\":\"2\",\"params\":{\"step\":\"100\"}}");
    publish(&b, DEVICE, SUB_INFORM, "{\"id\":\"3\",\"params\":{\"version\":\"2.0.0\"}}");
    CHECK_INT(state_of(&b, 7, SUB), RECORD_SUCCESS);
    bench_close(&b);
}

static void a_list_logs_in_and_out(void)
{
    struct bench b;
    open_with_sub(&b);
    ask(&b, TOPO "add", ADD, SIGN);
    ask(&b, SESSION "batch_login",
        "{\"id\":\"2\",\"params\":{\"deviceList\":[{\"productKey\":\"" PK "\",\"deviceName\":"
        "\"sub1\",\"clientId\":\"" PK "&sub1\",\"timestamp\":\"1700000000000\","
        "\"signMethod\":\"hmacSha1\",\"sign\":\"%s\"}]}}",
        SIGN);
    CHECK_HAS(last(&b), "\"code\":200,\"data\":[" NAME "]");
    CHECK(cloud_mqtt_topic(b.cloud, DEVICE, SUB_INFORM, MQTT_PUBLISH));
    publish(&b, DEVICE, SESSION "batch_logout", "{\"id\":\"3\",\"params\":[" NAME "]}");
    CHECK_HAS(last(&b), "\"code\":200,\"data\":[" NAME "]");
    CHECK(!cloud_mqtt_topic(b.cloud, DEVICE, SUB_INFORM, MQTT_PUBLISH));
    bench_close(&b);
}

/* As the Link SDK for C of generation 4 writes it: the method beside the list, a text as params. */
static void the_sdk_in_c_is_understood(void)
{
    struct bench b;
    open_with_sub(&b);
    ask(&b, TOPO "add",
        "{\"id\":\"1\",\"version\":\"1.0\",\"params\":[{\"productKey\":\"" PK "\","
        "\"deviceName\":\"sub1\",\"clientId\":\"" PK ".sub1\",\"timestamp\":\"77\","
        "\"signmethod\":\"hmacSha256\",\"sign\":\"%s\"}]}",
        SIGN_C);
    CHECK_HAS(last(&b), "\"code\":200");
    publish(&b, DEVICE, TOPO "get", "{\"id\":\"\",\"version\":\"1.0\",\"params\":\"{}\"}");
    CHECK_HAS(last(&b), "\"data\":[" NAME "],\"id\":\"\",\"message\":\"success\"");
    ask(&b, SESSION "batch_login",
        "{\"id\":\"2\",\"version\":\"1.0\",\"params\":{\"signMethod\":\"hmacSha256\","
        "\"deviceList\":[{\"productKey\":\"" PK "\",\"deviceName\":\"sub1\",\"clientId\":\"" PK
        ".sub1\",\"timestamp\":\"77\",\"cleanSession\":\"false\",\"sign\":\"%s\"}]}}",
        SIGN_C);
    CHECK_HAS(last(&b), "\"code\":200,\"data\":[" NAME "]");
    CHECK(cloud_mqtt_topic(b.cloud, DEVICE, SUB_INFORM, MQTT_PUBLISH));
    bench_close(&b);
}

static void sessions_end_with_the_gateway_and_the_topology_stays(void)
{
    struct bench b;
    open_with_sub(&b);
    ask(&b, TOPO "add", ADD, SIGN);
    ask(&b, SESSION "login", LOGIN, SIGN);
    cloud_mqtt_offline(b.cloud, b.now_ns, DEVICE);
    cloud_mqtt_online(b.cloud, b.now_ns, DEVICE);
    CHECK(!cloud_mqtt_topic(b.cloud, DEVICE, SUB_INFORM, MQTT_PUBLISH));
    ask(&b, SESSION "login", LOGIN, SIGN);
    CHECK_HAS(last(&b), "\"code\":200");
    bench_close(&b);
}

/* Its own connection gives way, and what it needs goes over the gateway. */
static void a_login_ends_the_own_connection(void)
{
    struct bench b;
    open_with_sub(&b);
    upload(&b, 7, "2.0.0", NULL);
    start_task(&b, TASK_VERIFY, 7, SUB);
    ask(&b, TOPO "add", ADD, SIGN);
    cloud_mqtt_online(b.cloud, b.now_ns, SUB);
    publish(&b, SUB, SUB_INFORM, "{\"id\":\"1\",\"params\":{\"version\":\"1.0.0\"}}");
    ask(&b, TOPO "add", ADD, SIGN); /* that alone ends nothing */
    CHECK_STR(b.ended, "");
    ask(&b, SESSION "login", LOGIN, SIGN);
    CHECK_STR(b.ended, SUB);
    CHECK_HAS(last(&b), "\"code\":200");
    CHECK(cloud_mqtt_topic(b.cloud, DEVICE, SUB_INFORM, MQTT_PUBLISH));
    run_for(&b, 2 * NS_PER_S);
    CHECK_STR(b.sent[b.sent_count - 1].topic, "/ota/device/upgrade/" PK "/sub1");
    CHECK_STR(b.sent[b.sent_count - 1].to, DEVICE);
    b.ended[0] = '\0';
    ask(&b, SESSION "login", LOGIN, SIGN); /* once more, nobody else is there */
    CHECK_STR(b.ended, "");
    bench_close(&b);
}

/* The gateway hears of it, and does not speak for it any more. */
static void an_own_login_ends_the_one_over_the_gateway(void)
{
    struct bench b;
    open_with_sub(&b);
    ask(&b, TOPO "add", ADD, SIGN);
    ask(&b, SESSION "login", LOGIN, SIGN);
    cloud_mqtt_online(b.cloud, b.now_ns, SUB);
    CHECK_STR(b.ended, "");
    CHECK_STR(b.sent[b.sent_count - 1].to, DEVICE);
    CHECK_STR(b.sent[b.sent_count - 1].topic, "/ext/error/" PK "/dev1");
    CHECK_STR(last(&b), "{\"code\":427,\"data\":" NAME ",\"id\":\"1700000000000\","
                        "\"message\":\"device connect in elsewhere\"}");
    CHECK(!cloud_mqtt_topic(b.cloud, DEVICE, SUB_INFORM, MQTT_PUBLISH));
    CHECK(cloud_mqtt_topic(b.cloud, SUB, SUB_INFORM, MQTT_PUBLISH));
    CHECK(cloud_mqtt_topic(b.cloud, DEVICE, "/ext/error/" PK "/dev1", MQTT_SUBSCRIBE));
    CHECK(!cloud_mqtt_topic(b.cloud, DEVICE, "/ext/error/" PK "/dev1", MQTT_PUBLISH));
    bench_close(&b);
}

static void another_gateway_takes_over(void)
{
    struct bench b;
    char text[1024];
    open_with_sub(&b);
    cloud_mqtt_online(b.cloud, b.now_ns, OTHER);
    ask(&b, TOPO "add", ADD, SIGN);
    ask(&b, SESSION "login", LOGIN, SIGN);
    (void)snprintf(text, sizeof text, ADD, SIGN);
    publish(&b, OTHER, "/sys/" PK "/dev2/thing/topo/add", text);
    CHECK_HAS(last(&b), "\"code\":200");
    CHECK_STR(b.sent[b.sent_count - 2].to, DEVICE);
    CHECK_HAS(payload(&b, b.sent_count - 2), "{\"code\":6401,\"data\":" NAME);
    CHECK(!cloud_mqtt_topic(b.cloud, DEVICE, SUB_INFORM, MQTT_PUBLISH));
    ask(&b, SESSION "login", LOGIN, SIGN);
    CHECK_HAS(last(&b), "\"code\":6401");
    bench_close(&b);
}

static void a_sub_device_is_no_gateway(void)
{
    struct bench b;
    bench_open(&b);
    put_sub_device(&b, "sub1&" PK, DEVICE);
    publish(&b, DEVICE, "/sys/" PK "/sub1/thing/topo/get", "{\"id\":\"1\",\"params\":{}}");
    CHECK_INT(b.sent_count, 0);
    CHECK_HAS((const char *)b.events.data, "a sub-device is no gateway");
    bench_close(&b);
}

static void posts_are_acknowledged(void)
{
    struct bench b;
    bench_open(&b);
    publish(&b, DEVICE, "/sys/" PK "/dev1/thing/event/property/post",
            "{\"id\":\"3|exp-topic|/x\",\"version\":\"1.0\",\"params\":{\"t\":1},"
            "\"method\":\"thing.event.property.post\"}");
    CHECK_STR(b.sent[0].topic, "/sys/" PK "/dev1/thing/event/property/post_reply");
    CHECK_STR(payload(&b, 0), "{\"code\":200,\"data\":{},\"id\":\"3|exp-topic|/x\","
                              "\"message\":\"success\",\"method\":\"thing.event.property.post\","
                              "\"version\":\"1.0\"}");
    publish(&b, DEVICE, "/sys/" PK "/dev1/thing/deviceinfo/update",
            "{\"id\":\"4\",\"params\":[{\"attrKey\":\"k\",\"attrValue\":\"v\"}]}");
    CHECK_STR(b.sent[1].topic, "/sys/" PK "/dev1/thing/deviceinfo/update_reply");
    publish(&b, DEVICE, "/sys/" PK "/dev1/thing/event/property/post",
            "{\"id\":\"5\",\"sys\":{\"ack\":0},\"params\":{}}");
    CHECK_INT(b.sent_count, 2);
    bench_close(&b);
}

static void the_time_is_told(void)
{
    struct bench b;
    bench_open(&b);
    b.now_ns = 5 * NS_PER_S;
    publish(&b, DEVICE, "/ext/ntp/" PK "/dev1/request", "{\"deviceSendTime\":\"1571724098000\"}");
    CHECK_STR(b.sent[0].topic, "/ext/ntp/" PK "/dev1/response");
    CHECK_STR(payload(&b, 0), "{\"deviceSendTime\":\"1571724098000\",\"serverRecvTime\":"
                              "\"1700000005000\",\"serverSendTime\":\"1700000005000\"}");
    publish(&b, DEVICE, "/ext/ntp/" PK "/dev1/request", "{\"deviceSendTime\":7}");
    CHECK_HAS(payload(&b, 1), "\"deviceSendTime\":\"7\"");
    publish(&b, DEVICE, "/ext/ntp/" PK "/dev1/request", "{}");
    CHECK_INT(b.sent_count, 2);
    bench_close(&b);
}

static const struct test tests[] = {
    {"a gateway adds, lists and deletes", a_gateway_adds_lists_and_deletes},
    TEST_ROWS("adding", adding_is_refused, refusals, refusal_name),
    {"a sub-device speaks between login and logout", a_sub_device_speaks_between_login_and_logout},
    {"an upgrade goes through the gateway", an_upgrade_goes_through_the_gateway},
    {"a list logs in and out", a_list_logs_in_and_out},
    {"the SDK in C is understood", the_sdk_in_c_is_understood},
    {"sessions end with the gateway, the topology stays",
     sessions_end_with_the_gateway_and_the_topology_stays},
    {"a login ends the own connection", a_login_ends_the_own_connection},
    {"an own login ends the one over the gateway", an_own_login_ends_the_one_over_the_gateway},
    {"another gateway takes over", another_gateway_takes_over},
    {"a sub-device is no gateway", a_sub_device_is_no_gateway},
    {"posts are acknowledged", posts_are_acknowledged},
    {"the time is told", the_time_is_told},
};
TEST_MAIN("aliyun gateways", tests)
