#include "mock_cloud/aliyun/message.h"

#include "mock_cloud/aliyun/aliyun_testing.h"

struct inform_row {
    const char *name, *text;
    size_t extra_bytes;           /* zero bytes at the end */
    const char *module, *version; /* null: refused */
};

static const struct inform_row informs[] = {
    {"a number as id", "{\"id\":1, \"params\":{\"version\":\"1.0.0\"}}", 0, "", "1.0.0"},
    {"a text as id", "{\"id\":\"0\",\"params\":{\"version\":\"1.0.0\"}}", 0, "", "1.0.0"},
    {"no id", "{\"params\":{\"version\":\"1.0.0\"}}", 0, "", "1.0.0"},
    {"a zero byte at the end", "{\"id\":0,\"params\":{\"version\":\"1.0.0\"}}", 1, "", "1.0.0"},
    {"odd blanks", " {\r\n\t\"id\" : 0 , \"params\" : { \"version\" : \"1.0.0\" } } \n", 2, "",
     "1.0.0"},
    {"a module", "{\"id\":1,\"params\":{\"version\":\"7\", \"module\":\"mcu\"}}", 0, "mcu", "7"},
    {"the module default", "{\"id\":1,\"params\":{\"version\":\"7\",\"module\":\"default\"}}", 0,
     "", "7"},
    {"unknown members", "{\"id\":1,\"x\":[1],\"params\":{\"version\":\"7\",\"y\":{}}}", 0, "", "7"},
    {"a comma too many", "{\"id\":1,\"params\":{\"version\":\"7\", },}", 0, "", "7"},
    {"a comma in a text stays", "{\"id\":1,\"params\":{\"version\":\"7,}\"}}", 0, "", "7,}"},
    {"no version", "{\"id\":1,\"params\":{}}", 0, NULL, NULL},
    {"an empty version", "{\"id\":1,\"params\":{\"version\":\"\"}}", 0, NULL, NULL},
    {"a number as version", "{\"id\":1,\"params\":{\"version\":1}}", 0, NULL, NULL},
    {"no params", "{\"id\":1}", 0, NULL, NULL},
    {"a list as params", "{\"id\":1,\"params\":[{\"version\":\"1\"}]}", 0, NULL, NULL},
    {"a text as params", "{\"id\":1,\"params\":\"x\"}", 0, NULL, NULL},
    {"a list", "[]", 0, NULL, NULL},
    {"nothing", "", 0, NULL, NULL},
    {"only a zero byte", "", 1, NULL, NULL},
    {"no JSON", "version 1", 0, NULL, NULL},
    {"no UTF-8", "{\"id\":1,\"params\":{\"version\":\"\xff\"}}", 0, NULL, NULL},
    {"too deep", "{\"params\":{\"version\":\"1\",\"a\":[[[[[[[[[[]]]]]]]]]]}}", 0, NULL, NULL},
    {"a member twice", "{\"params\":{\"version\":\"1\",\"version\":\"2\"}}", 0, NULL, NULL},
    {"a version of 200 characters",
     "{\"params\":{\"version\":\"01234567890123456789012345678901234567890123456789012345678901234"
     "567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
     "8901234567890123456789012345678901234567890\"}}",
     0, NULL, NULL},
};

static void inform_is_read(const void *row)
{
    const struct inform_row *r = row;
    struct bench b;
    char version[STORE_TEXT_MAX] = "", text[512] = "";
    size_t len = strlen(r->text);
    bench_open(&b);
    REQUIRE(len + r->extra_bytes < sizeof text);
    memcpy(text, r->text, len);
    const struct mqtt_message m = {
        .topic = INFORM, .payload = (const uint8_t *)text, .payload_bytes = len + r->extra_bytes};
    cloud_mqtt_message(b.cloud, 0, DEVICE, &m);
    if (r->version == NULL) {
        CHECK_ERR(store_get_version(b.store, DEVICE, "", version, NULL), ERR_NOT_FOUND);
        CHECK_HAS((const char *)b.events.data, "refused identity=" DEVICE);
    } else {
        CHECK_OK(store_get_version(b.store, DEVICE, r->module, version, NULL), NULL);
        CHECK_STR(version, r->version);
        CHECK(strstr((const char *)b.events.data, "refused") == NULL);
    }
    bench_close(&b);
}

static const char *inform_name(const void *row)
{
    return ((const struct inform_row *)row)->name;
}

static void a_large_message_is_refused(void)
{
    static uint8_t text[ALIYUN_MESSAGE_MAX + 1];
    struct aliyun_message m;
    struct err err = {""};
    memset(text, ' ', sizeof text);
    CHECK_ERR(aliyun_message_open(&m, text, sizeof text, &err), ERR_LIMIT);
    aliyun_message_close(&m);
}

struct step_row {
    const char *step;
    int want; /* the step kept; 9999: refused */
};

static const struct step_row steps[] = {
    {"\"1\"", 1},   {"\"100\"", 100}, {"55", 55},       {"\" 7 \"", 7},
    {"\"0\"", 0},   {"\"-3\"", -3},   {"-17", -17},     {"\"150\"", 150},
    {"\"\"", 9999}, {"\"x\"", 9999},  {"\"1x\"", 9999}, {"\"--1\"", 9999},
    {"1.5", 9999},  {"null", 9999},   {"[]", 9999},     {"\"99999999999\"", 9999},
};

static void step_is_read(const void *row)
{
    const struct step_row *r = row;
    struct bench b;
    char text[160];
    bench_open(&b);
    upload(&b, 7, "2.0.0", NULL);
    start_task(&b, TASK_VERIFY, 7, DEVICE);
    (void)snprintf(text, sizeof text, "{\"id\":2,\"params\":{\"step\": %s,\"desc\":\"\"}}",
                   r->step);
    publish(&b, DEVICE, PROGRESS, text);
    struct store_record rec;
    CHECK_OK(store_get_record(b.store, 7, DEVICE, &rec, NULL), NULL);
    CHECK_INT(rec.state, r->want == 9999 ? RECORD_PENDING
                         : r->want < 0   ? RECORD_FAILED
                                         : RECORD_UPGRADING);
    CHECK_INT(r->want < 0 ? rec.upgrade_status : rec.download_status,
              r->want == 9999 ? 0 : r->want);
    bench_close(&b);
}

static const char *step_name(const void *row)
{
    return ((const struct step_row *)row)->step;
}

struct id_row {
    const char *id, *want;
};

static const struct id_row ids[] = {
    {"12", "12"},        {"\"12\"", "\"12\""},
    {"-3", "-3"},        {"1.5", "0"},
    {"null", "0"},       {"\"a\\\"b\"", "0"},
    {"{}", "0"},         {"\"a_B.1-:\"", "\"a_B.1-:\""},
    {"\"\"", "\"\""},    {"\"1|exp-topic|/sys/p/d/r\"", "\"1|exp-topic|/sys/p/d/r\""},
    {"\"a\\\\b\"", "0"}, {"\"\\u00e9\"", "0"},
};

static void id_is_kept(const void *row)
{
    const struct id_row *r = row;
    struct aliyun_message m;
    struct err err = {""};
    char text[64];
    int len = snprintf(text, sizeof text, "{\"id\":%s}", r->id);
    CHECK_OK(aliyun_message_open(&m, (const uint8_t *)text, (size_t)len, &err), &err);
    CHECK_STR(m.id, r->want);
    aliyun_message_close(&m);
}

static const char *id_name(const void *row)
{
    return ((const struct id_row *)row)->id;
}

static const struct test tests[] = {
    TEST_ROWS("version report with", inform_is_read, informs, inform_name),
    {"a large message is refused", a_large_message_is_refused},
    TEST_ROWS("step", step_is_read, steps, step_name),
    TEST_ROWS("id", id_is_kept, ids, id_name),
};
TEST_MAIN("aliyun messages", tests)
