#include "mock_cloud/aliyun/aliyun_testing.h"
#include "mock_cloud/aliyun/pre_auth.h"

/* printf clientIdpk.dev1deviceNamedev1productKeypktimestamp2524608000000 (the last two of each
 * with their own client id and timestamp) | openssl dgst -sha256 -hmac secret1 */
#define SHA256 "5AF1594F95EE1AADF52031A3C543FA8E5C6A4C2E23C009CB09B79780A68D3E3C"
#define SHA1   "3103F4786BA955A03B90B3D0334A7FF3596D37F7"
#define MD5    "75522d721f8aa661cae40f3d5eeac426"
#define V3                                                                                         \
    "productKey=" PK "&deviceName=dev1&signmethod=hmacsha256&sign=" SHA256                         \
    "&version=default&clientId=" PK ".dev1&timestamp=2524608000000&resources=mqtt"
#define DAY_NS (INT64_C(86400) * NS_PER_S)

static const char *post(struct bench *b, const char *method, const char *form, bool tls)
{
    const struct http_request rq = {.method = method,
                                    .path = "/auth/devicename",
                                    .body = (const uint8_t *)form,
                                    .body_bytes = strlen(form),
                                    .tls = tls};
    cloud_http(b->cloud, b->now_ns, &rq, &b->reply);
    return (const char *)b->reply.text.data;
}

/* The texts of a good answer, each PRE_AUTH_TEXT_MAX. */
static void pass(struct bench *b, char *iot_id, char *token)
{
    REQUIRE(sscanf(post(b, "POST", V3, false),
                   "{\"code\":200,\"data\":{\"iotId\":\"%63[^\"]\",\"iotToken\":\"%63[^\"]\"",
                   iot_id, token) == 2);
}

static enum mqtt_connack login(struct bench *b, const char *client_id, const char *user,
                               const char *password)
{
    char identity[MQTT_IDENTITY_MAX] = "";
    const struct mqtt_login l = {.client_id = client_id, .user_name = user, .password = password};
    enum mqtt_connack code = cloud_mqtt_login(b->cloud, b->now_ns, &l, identity);
    CHECK_STR(identity, code == MQTT_ACCEPTED ? DEVICE : "");
    return code;
}

static void who_passes_logs_in_with_what_it_is_told(void)
{
    struct bench b;
    char iot_id[PRE_AUTH_TEXT_MAX], token[PRE_AUTH_TEXT_MAX];
    bench_open(&b);
    pass(&b, iot_id, token);
    CHECK_INT(b.reply.status, 200);
    CHECK_INT(login(&b, PK ".dev1|securemode=3,lan=C|", iot_id, token), MQTT_ACCEPTED);
    CHECK_INT(login(&b, "any", iot_id, token), MQTT_ACCEPTED);
    CHECK(strstr((const char *)b.events.data, token) == NULL);
    bench_close(&b);
}

static void the_answer_says_where_to_log_in(void)
{
    struct bench b;
    bench_open(&b);
    CHECK(strstr(post(&b, "POST", V3, false), "resources") == NULL);
    cloud_set_mqtt(b.cloud, 1883, 8883);
    const char *text = post(&b, "POST", V3, false);
    CHECK_HAS(text, "\"resources\":{\"mqtt\":{\"host\":\"");
    CHECK_HAS(text, "\",\"port\":1883}}},\"message\":\"success\"}");
    CHECK(strlen(text) < 300);
    CHECK_HAS(post(&b, "POST", V3, true), "\"port\":8883}}}");
    post(&b, "GET", V3, false);
    CHECK_INT(b.reply.status, 405);
    bench_close(&b);
}

static void a_token_ends(void)
{
    struct bench b;
    char iot_id[PRE_AUTH_TEXT_MAX], token[PRE_AUTH_TEXT_MAX], other[PRE_AUTH_TEXT_MAX];
    bench_open(&b);
    pass(&b, iot_id, token);
    b.now_ns += 7 * DAY_NS - NS_PER_S;
    CHECK_INT(login(&b, "any", iot_id, token), MQTT_ACCEPTED);
    b.now_ns += NS_PER_S;
    CHECK_INT(login(&b, "any", iot_id, token), MQTT_UNAVAILABLE);
    pass(&b, iot_id, other);
    CHECK(strcmp(token, other) != 0);
    struct store_device d;
    CHECK_OK(store_get_device(b.store, DEVICE, &d, NULL), NULL);
    (void)snprintf(d.secret, sizeof d.secret, "another");
    CHECK_OK(store_put_device(b.store, &d, NULL), NULL);
    CHECK_INT(login(&b, "any", iot_id, other), MQTT_UNAVAILABLE);
    bench_close(&b);
}

static void a_forged_token_is_refused(void)
{
    struct bench b;
    char iot_id[PRE_AUTH_TEXT_MAX], token[PRE_AUTH_TEXT_MAX];
    bench_open(&b);
    pass(&b, iot_id, token);
    CHECK_INT(login(&b, "any", iot_id, NULL), MQTT_UNAVAILABLE);
    CHECK_INT(login(&b, "any", iot_id, ""), MQTT_UNAVAILABLE);
    CHECK_INT(login(&b, "any", iot_id, "9999999999999999999999-0"), MQTT_UNAVAILABLE);
    CHECK_INT(login(&b, "any", "dev2&" PK "&iot", token), MQTT_UNAVAILABLE);
    CHECK_INT(login(&b, "any", "dev1&zz&iot", token), MQTT_NOT_AUTHORIZED);
    token[strlen(token) - 1] ^= 1;
    CHECK_INT(login(&b, "any", iot_id, token), MQTT_UNAVAILABLE);
    token[strlen(token) - 1] ^= 1;
    token[0] = (char)(token[0] == '9' ? '8' : token[0] + 1); /* until later */
    CHECK_INT(login(&b, "any", iot_id, token), MQTT_UNAVAILABLE);
    bench_close(&b);
}

struct form_row {
    const char *name, *form, *answer;
};

#define BAD_FORM  "{\"code\":460,\"message\":\"param error\"}"
#define BAD_SIGN  "{\"code\":401,\"message\":\"request auth error\"}"
#define NO_DEVICE "{\"code\":5001,\"message\":\"meta device not found\"}"
#define LONG_NAME "0123456789012345678901234567890123456789012345678901234567890"

static const struct form_row forms[] = {
    {"SHA-1",
     "clientId=app&timestamp=1&signmethod=HmacSHA1&sign=" SHA1 "&productKey=" PK "&deviceName=dev1",
     "{\"code\":200,"},
    {"neither method nor timestamp", "clientId=app&sign=" MD5 "&productKey=" PK "&deviceName=dev1",
     "{\"code\":200,"},
    {"a wrong signature", "clientId=app&sign=00&productKey=" PK "&deviceName=dev1", BAD_SIGN},
    {"a client id that was not signed", "clientId=b&sign=" MD5 "&productKey=" PK "&deviceName=dev1",
     BAD_SIGN},
    {"an unknown device", "clientId=app&sign=" MD5 "&productKey=" PK "&deviceName=dev9", NO_DEVICE},
    {"an unknown product", "clientId=app&sign=" MD5 "&productKey=zz&deviceName=dev1", NO_DEVICE},
    {"an unknown method",
     "clientId=app&signmethod=rot13&sign=" MD5 "&productKey=" PK "&deviceName=dev1", BAD_FORM},
    {"no client id", "sign=" MD5 "&productKey=" PK "&deviceName=dev1", BAD_FORM},
    {"no names", "clientId=app&sign=" MD5, BAD_FORM},
    {"a name twice", V3 "&sign=00", BAD_FORM},
    {"a bad escape", "deviceName=%zz", BAD_FORM},
    {"two names in one", "clientId=app&sign=" MD5 "&productKey=" PK "&deviceName=a%26b", BAD_FORM},
    {"names too long for an iotId",
     "clientId=app&sign=" MD5 "&productKey=" PK "&deviceName=" LONG_NAME, BAD_FORM},
    {"nothing", "", BAD_FORM},
};

static void a_form_is_answered(const void *row)
{
    const struct form_row *r = row;
    struct bench b;
    bench_open(&b);
    CHECK_INT(strncmp(post(&b, "POST", r->form, false), r->answer, strlen(r->answer)), 0);
    CHECK_INT(b.reply.status, 200);
    bench_close(&b);
}

static const char *form_name(const void *row)
{
    return ((const struct form_row *)row)->name;
}

static const struct test tests[] = {
    {"who passes logs in with what it is told", who_passes_logs_in_with_what_it_is_told},
    {"the answer says where to log in", the_answer_says_where_to_log_in},
    {"a token ends", a_token_ends},
    {"a forged token is refused", a_forged_token_is_refused},
    TEST_ROWS("form", a_form_is_answered, forms, form_name),
};
TEST_MAIN("aliyun pre-auth", tests)
