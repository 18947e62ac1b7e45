#include "mock_cloud/aliyun/login.h"

#include "mock_cloud/aliyun/aliyun_testing.h"

#define V4 "timestamp=2524608000000,_ss=1,_v=sdk-c-4.2.0,securemode=3,signmethod=hmacsha256,ext=3"

struct login_row {
    const char *name, *client_id, *user, *password;
    int want;
};

/* Passwords by: printf TEXT | openssl dgst -sha256 -hmac secret1 */
static const struct login_row logins[] = {
    {"SHA-256 in upper case", PK ".dev1|" V4 ",_conn=tcp_1f|", DEVICE, "@sha256", MQTT_ACCEPTED},
    {"lower case is as good", PK ".dev1|" V4 "|", DEVICE, "@lower", MQTT_ACCEPTED},
    {"SHA-1 and a client id of the application",
     "app|securemode=3,timestamp=1,signmethod=hmacsha1|", DEVICE, "@sha1", MQTT_ACCEPTED},
    {"no sign method is MD5, no timestamp is not signed", "app|securemode=3|", DEVICE, "@md5",
     MQTT_ACCEPTED},
    {"a wrong password", PK ".dev1|" V4 "|", DEVICE, "0123", MQTT_BAD_CREDENTIALS},
    {"no password", PK ".dev1|" V4 "|", DEVICE, NULL, MQTT_BAD_CREDENTIALS},
    {"the password of another method", "app|securemode=3,timestamp=1,signmethod=hmacmd5|", DEVICE,
     "@sha1", MQTT_BAD_CREDENTIALS},
    {"the password of another device", PK ".dev1|" V4 "|", OTHER, "@sha256", MQTT_BAD_CREDENTIALS},
    {"an unknown sign method", "app|signmethod=rot13|", DEVICE, "x", MQTT_BAD_CREDENTIALS},
    {"an unknown device", PK ".dev1|" V4 "|", "dev9&" PK, "@sha256", MQTT_BAD_CREDENTIALS},
    {"an unknown product", PK ".dev1|" V4 "|", "dev1&nope", "@sha256", MQTT_NOT_AUTHORIZED},
    {"a client id without extension", PK ".dev1", DEVICE, "@sha256", MQTT_BAD_IDENTIFIER},
    {"an extension that does not end", PK ".dev1|" V4, DEVICE, "@sha256", MQTT_BAD_IDENTIFIER},
    {"a bar in a value", "app|securemode=3,lan=JS|Ali,_v=1.2.8|", DEVICE, "@md5", MQTT_ACCEPTED},
    {"sign methods have no case", "app|securemode=3,timestamp=1,signmethod=HmacSHA1|", DEVICE,
     "@sha1", MQTT_ACCEPTED},
    {"an unknown kind of proof", "app|authType=id2|", DEVICE, "@md5", MQTT_BAD_CREDENTIALS},
    {"no user name", PK ".dev1|" V4 "|", NULL, "@sha256", MQTT_BAD_IDENTIFIER},
    {"a user name without product", PK ".dev1|" V4 "|", "dev1", "@sha256", MQTT_BAD_IDENTIFIER},
    {"a wildcard as device", PK ".dev1|" V4 "|", "+&" PK, "@sha256", MQTT_BAD_IDENTIFIER},
    {"a slash in the device", PK ".dev1|" V4 "|", "a/b&" PK, "@sha256", MQTT_BAD_IDENTIFIER},
};

static const struct {
    const char *mark, *value;
} passwords[] = {
    {"@sha256", "5AF1594F95EE1AADF52031A3C543FA8E5C6A4C2E23C009CB09B79780A68D3E3C"},
    {"@lower", "5af1594f95ee1aadf52031a3c543fa8e5c6a4c2e23c009cb09b79780a68d3e3c"},
    {"@sha1", "3103F4786BA955A03B90B3D0334A7FF3596D37F7"},
    {"@md5", "75522d721f8aa661cae40f3d5eeac426"},
};

static void login_is_decided(const void *row)
{
    const struct login_row *l = row;
    struct bench b;
    char identity[MQTT_IDENTITY_MAX];
    bench_open(&b);
    const char *password = l->password;
    for (size_t i = 0; i < sizeof passwords / sizeof passwords[0]; i++)
        if (password != NULL && strcmp(password, passwords[i].mark) == 0)
            password = passwords[i].value;
    const struct mqtt_login login = {
        .client_id = l->client_id, .user_name = l->user, .password = password};
    CHECK_INT(cloud_mqtt_login(b.cloud, 0, &login, identity), l->want);
    CHECK_STR(identity, l->want == MQTT_ACCEPTED ? DEVICE : "");
    CHECK(strstr((const char *)b.events.data, SECRET) == NULL);
    CHECK(password == NULL || strlen(password) < 8 ||
          strstr((const char *)b.events.data, password) == NULL);
    bench_close(&b);
}

static const char *login_name(const void *row)
{
    return ((const struct login_row *)row)->name;
}

static void a_disabled_product_is_refused(void)
{
    struct bench b;
    char identity[MQTT_IDENTITY_MAX];
    bench_open(&b);
    struct store_product p = {.product_id = PK, .has_team = false};
    CHECK_OK(store_put_product(b.store, &p, NULL), NULL);
    const struct mqtt_login login = {
        .client_id = PK ".dev1|" V4 "|", .user_name = DEVICE, .password = passwords[0].value};
    CHECK_INT(cloud_mqtt_login(b.cloud, 0, &login, identity), MQTT_NOT_AUTHORIZED);
    bench_close(&b);
}

static void the_printed_password_is_right(void)
{
    char password[65];
    CHECK_OK(aliyun_password(PK ".dev1", V4, "dev1", PK, SECRET, password), NULL);
    CHECK_STR(password, passwords[0].value);
    CHECK_ERR(aliyun_password("", V4, "dev1", PK, SECRET, password), ERR_ARG);
    CHECK_ERR(aliyun_password(PK ".dev1", V4, "dev/1", PK, SECRET, password), ERR_ARG);
}

static const struct test tests[] = {
    TEST_ROWS("login", login_is_decided, logins, login_name),
    {"a disabled product is refused", a_disabled_product_is_refused},
    {"the printed password is right", the_printed_password_is_right},
};
TEST_MAIN("aliyun login", tests)
