#include "mock_cloud/aliyun/register.h"

#include "mock_cloud/aliyun/aliyun_testing.h"

#define PRODUCT_SECRET "prodsecret"
/* printf deviceName..productKey..random42 | openssl dgst -sha1 (or -sha256) -hmac prodsecret */
#define SHA1_DEV1   "2460c69df4b4dbc42fd9ee9246ec98fd7884f516"
#define SHA256_DEV1 "f1484c754dddac9fea0687c5fcf4e959df20e8c74fe4dee557f6038f99a763e4"
#define SHA256_DEV2 "a143696d1a28fd766fa6a49a152ddcc7d3eaa7c4d64cfbcc3084ab16b36d045d"
#define SHA256_NEW1 "8b0191190c2a6f7ddd2c01378818da5de896b8f66353b3d672dbfb2864c6cdde"
#define FORM(name, sign, method)                                                                   \
    "productKey=" PK "&deviceName=" name "&random=42&sign=" sign "&signMethod=" method

static void open_dynamic(struct bench *b)
{
    struct store_product p = {.product_id = PK, .has_team = true, .secret = PRODUCT_SECRET};
    bench_open(b);
    CHECK_OK(store_put_product(b->store, &p, NULL), NULL);
    b->now_ns = NS_PER_S;
}

static const char *post(struct bench *b, const char *method, const char *form)
{
    const struct http_request rq = {.method = method,
                                    .path = "/auth/register/device",
                                    .body = (const uint8_t *)form,
                                    .body_bytes = strlen(form)};
    cloud_http(b->cloud, b->now_ns, &rq, &b->reply);
    return (const char *)b->reply.text.data;
}

static void secret_of(struct bench *b, const char *identity, char out[STORE_TEXT_MAX])
{
    struct store_device d = {.secret = ""};
    CHECK_OK(store_get_device(b->store, identity, &d, NULL), NULL);
    (void)snprintf(out, STORE_TEXT_MAX, "%s", d.secret);
}

static void each_registration_gives_another_secret(void)
{
    struct bench b;
    char first[STORE_TEXT_MAX], second[STORE_TEXT_MAX], want[256];
    open_dynamic(&b);
    const char *text = post(&b, "POST", FORM("dev1", SHA1_DEV1, "hmacsha1"));
    secret_of(&b, DEVICE, first);
    (void)snprintf(want, sizeof want,
                   "{\"code\":200,\"data\":{\"productKey\":\"" PK "\",\"deviceName\":\"dev1\","
                   "\"deviceSecret\":\"%s\"},\"message\":\"success\"}",
                   first);
    CHECK_STR(text, want);
    CHECK_INT(b.reply.status, 200);
    CHECK(strcmp(first, SECRET) != 0);
    text = post(&b, "POST", FORM("dev1", SHA256_DEV1, "HmacSHA256"));
    secret_of(&b, DEVICE, second);
    CHECK_HAS(text, second);
    CHECK(strcmp(first, second) != 0);
    bench_close(&b);
}

struct form_row {
    const char *name, *form, *code;
};

static const struct form_row forms[] = {
    {"an unknown device", FORM("new1", SHA256_NEW1, "hmacsha256"), "\"code\":6100"},
    {"a wrong signature", FORM("dev1", "00", "hmacsha1"), "\"code\":401"},
    {"the signature of another method", FORM("dev1", SHA1_DEV1, "hmacsha256"), "\"code\":401"},
    {"an unknown method", FORM("dev1", SHA1_DEV1, "rot13"), "\"code\":460"},
    {"a name twice", "deviceName=a&" FORM("dev1", SHA1_DEV1, "hmacsha1"), "\"code\":460"},
    {"a bad escape", "x=1&deviceName=%zz", "\"code\":460"},
    {"no names", "random=42&sign=x&signMethod=hmacsha1", "\"code\":460"},
    {"nothing", "", "\"code\":460"},
    {"a name that is too long",
     "deviceName=0123456789012345678901234567890123456789012345678901234567890123456789",
     "\"code\":460"},
    {"another product", "productKey=zz&deviceName=dev1&random=42&sign=00&signMethod=hmacsha1",
     "\"code\":6250"},
};

static void a_form_is_refused(const void *row)
{
    const struct form_row *r = row;
    struct bench b;
    char secret[STORE_TEXT_MAX];
    open_dynamic(&b);
    const char *text = post(&b, "POST", r->form);
    CHECK_HAS(text, r->code);
    CHECK(strstr(text, "deviceSecret") == NULL);
    secret_of(&b, DEVICE, secret);
    CHECK_STR(secret, SECRET);
    bench_close(&b);
}

static const char *form_name(const void *row)
{
    return ((const struct form_row *)row)->name;
}

static void who_has_logged_in_keeps_its_secret(void)
{
    struct bench b;
    open_dynamic(&b);
    cloud_mqtt_online(b.cloud, b.now_ns, DEVICE);
    CHECK_HAS(post(&b, "POST", FORM("dev1", SHA1_DEV1, "hmacsha1")), "\"code\":6289");
    bench_close(&b);
}

static void a_product_without_secret_registers_nobody(void)
{
    struct bench b;
    bench_open(&b);
    CHECK_HAS(post(&b, "POST", FORM("dev1", SHA1_DEV1, "hmacsha1")), "\"code\":6288");
    (void)post(&b, "GET", "");
    CHECK_INT(b.reply.status, 405);
    bench_close(&b);
}

static enum mqtt_connack connect_as(struct bench *b, const char *type, const char *user,
                                    const char *password, char identity[MQTT_IDENTITY_MAX])
{
    char id[128];
    (void)snprintf(id, sizeof id, "x|random=42,authType=%s,securemode=2,signmethod=hmacsha256|",
                   type);
    const struct mqtt_login login = {.client_id = id, .user_name = user, .password = password};
    return cloud_mqtt_login(b->cloud, b->now_ns, &login, identity);
}

static void a_connection_registers_a_listed_device(void)
{
    struct bench b;
    char identity[MQTT_IDENTITY_MAX], secret[STORE_TEXT_MAX], want[256];
    open_dynamic(&b);
    CHECK_INT(connect_as(&b, "register", DEVICE, "00", identity), MQTT_BAD_CREDENTIALS);
    CHECK_INT(connect_as(&b, "register", "new1&" PK, SHA256_NEW1, identity), MQTT_BAD_CREDENTIALS);
    CHECK_INT(connect_as(&b, "register", DEVICE, SHA256_DEV1, identity), MQTT_ACCEPTED);
    CHECK(strcmp(identity, DEVICE) != 0);
    CHECK(!cloud_mqtt_topic(b.cloud, identity, INFORM, MQTT_PUBLISH));
    CHECK(!cloud_mqtt_topic(b.cloud, identity, UPGRADE, MQTT_SUBSCRIBE));
    cloud_mqtt_online(b.cloud, b.now_ns, identity);
    CHECK_INT(b.sent_count, 1);
    CHECK_STR(b.sent[0].to, identity);
    CHECK_STR(b.sent[0].topic, "/ext/register");
    secret_of(&b, DEVICE, secret);
    (void)snprintf(want, sizeof want,
                   "{\"productKey\":\"" PK "\",\"deviceName\":\"dev1\",\"deviceSecret\":\"%s\"}",
                   secret);
    CHECK_STR(payload(&b, 0), want);
    cloud_mqtt_offline(b.cloud, b.now_ns, identity);
    /* Registering is no login. */
    CHECK_INT(connect_as(&b, "register", DEVICE, SHA256_DEV1, identity), MQTT_ACCEPTED);
    cloud_mqtt_online(b.cloud, b.now_ns, DEVICE);
    CHECK_INT(connect_as(&b, "register", DEVICE, SHA256_DEV1, identity), MQTT_BAD_CREDENTIALS);
    bench_close(&b);
}

static void a_connection_registers_an_unlisted_device(void)
{
    struct bench b;
    char identity[MQTT_IDENTITY_MAX], token[STORE_TEXT_MAX];
    open_dynamic(&b);
    CHECK_INT(connect_as(&b, "regnwl", "new1&" PK, SHA256_NEW1, identity), MQTT_ACCEPTED);
    cloud_mqtt_online(b.cloud, b.now_ns, identity);
    CHECK_STR(b.sent[0].topic, "/ext/regnwl");
    CHECK_HAS(payload(&b, 0), "\"clientId\":\"" PK ".new1\",\"deviceToken\":\"");
    secret_of(&b, "new1&" PK, token);
    CHECK_HAS(payload(&b, 0), token);
    CHECK_INT(connect_as(&b, "connwl", "new1&" PK, "x", identity), MQTT_BAD_CREDENTIALS);
    CHECK_INT(connect_as(&b, "connwl", "new1&" PK, token, identity), MQTT_ACCEPTED);
    CHECK_STR(identity, "new1&" PK);
    bench_close(&b);
}

static void a_gateway_gets_secrets_for_its_sub_devices(void)
{
    static const char topic[] = "/sys/" PK "/dev1/thing/sub/register";
    struct bench b;
    char secret[STORE_TEXT_MAX];
    open_dynamic(&b);
    cloud_mqtt_online(b.cloud, b.now_ns, DEVICE);
    publish(&b, DEVICE, topic,
            "{\"id\":\"1\",\"params\":[{\"deviceName\":\"dev2\",\"productKey\":\"" PK "\"}]}");
    secret_of(&b, OTHER, secret);
    CHECK_HAS(payload(&b, 0), "\"deviceName\":\"dev2\",\"productKey\":\"" PK "\",\"iotId\":");
    CHECK_HAS(payload(&b, 0), secret);
    CHECK(strcmp(secret, SECRET) != 0);
    publish(&b, DEVICE, topic,
            "{\"id\":\"1\",\"params\":[{\"deviceName\":\"dev1\",\"productKey\":\"" PK "\"}]}");
    CHECK_HAS(payload(&b, 1), "\"code\":6402");
    publish(&b, DEVICE, topic,
            "{\"id\":\"1\",\"params\":[{\"deviceName\":\"dev9\",\"productKey\":\"" PK "\"}]}");
    CHECK_HAS(payload(&b, 2), "\"code\":6100");
    bench_close(&b);
}

static void a_gateway_registers_with_the_secret_of_a_product(void)
{
    struct bench b;
    char secret[STORE_TEXT_MAX];
    open_dynamic(&b);
    cloud_mqtt_online(b.cloud, b.now_ns, DEVICE);
    publish(&b, DEVICE, "/sys/" PK "/dev1/thing/proxy/provisioning/product_register",
            "{\"id\":\"1\",\"version\":\"1.0\",\"params\":{\"proxieds\":["
            "{\"productKey\":\"" PK "\",\"deviceName\":\"dev2\",\"random\":\"42\","
            "\"signMethod\":\"hmacSha256\",\"sign\":\"" SHA256_DEV2 "\"},"
            "{\"productKey\":\"" PK "\",\"deviceName\":\"dev9\",\"random\":\"42\","
            "\"signMethod\":\"hmacSha256\",\"sign\":\"00\"},"
            "{\"productKey\":\"" PK "\",\"deviceName\":\"dev1\",\"random\":\"42\","
            "\"signMethod\":\"hmacSha256\",\"sign\":\"00\"}]}}");
    secret_of(&b, OTHER, secret);
    CHECK(strcmp(secret, SECRET) != 0);
    CHECK_HAS(payload(&b, 0), "\"successes\":[{\"deviceName\":\"dev2\"");
    CHECK_HAS(payload(&b, 0), secret);
    CHECK_HAS(payload(&b, 0), "{\"failures\":[{\"deviceName\":\"dev9\",\"productKey\":\"" PK
                              "\",\"code\":6100,\"message\":\"device not found\"},"
                              "{\"deviceName\":\"dev1\",\"productKey\":\"" PK "\",\"code\":6402");
    publish(&b, DEVICE, "/sys/" PK "/dev1/thing/proxy/provisioning/product_register",
            "{\"id\":\"2\",\"params\":{}}");
    CHECK_HAS(payload(&b, 1), "\"code\":460");
    bench_close(&b);
}

static const struct test tests[] = {
    {"each registration gives another secret", each_registration_gives_another_secret},
    TEST_ROWS("form with", a_form_is_refused, forms, form_name),
    {"who has logged in keeps its secret", who_has_logged_in_keeps_its_secret},
    {"a product without secret registers nobody", a_product_without_secret_registers_nobody},
    {"a connection registers a listed device", a_connection_registers_a_listed_device},
    {"a connection registers an unlisted device", a_connection_registers_an_unlisted_device},
    {"a gateway gets secrets for its sub-devices", a_gateway_gets_secrets_for_its_sub_devices},
    {"a gateway registers with the secret of a product",
     a_gateway_registers_with_the_secret_of_a_product},
};
TEST_MAIN("aliyun registration", tests)
