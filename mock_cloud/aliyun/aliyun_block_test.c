#include "mock_cloud/aliyun/block.h"

#include "common/json.h"
#include "mock_cloud/aliyun/aliyun_testing.h"

#define FILE_TOPIC "/sys/" PK "/dev1/thing/file/download"

/* As the vendor's client writes it: with a comma before a closing brace. */
#define VENDOR(stream, file, size, offset)                                                         \
    "{\"id\":\"3\",\"version\":\"1.0\",\"params\":{\"fileToken\":\"t\",\"fileInfo\":{"             \
    "\"streamId\":" stream ",\"fileId\":" file ",},\"fileBlock\":{\"size\":" size                  \
    ",\"offset\":" offset "}}}"

struct block_row {
    const char *name, *request, *json, *block;
};

static const struct block_row blocks[] = {
    {"the first block", VENDOR("7", "1", "10", "0"),
     "{\"id\":\"3\",\"code\":200,\"msg\":\"success\",\"data\":{\"fileToken\":\"t\",\"fileLength\":"
     "16,\"bSize\":10,\"bOffset\":0}}",
     "0123456789"},
    {"the last block is shorter", VENDOR("7", "1", "10", "10"),
     "{\"id\":\"3\",\"code\":200,\"msg\":\"success\",\"data\":{\"fileToken\":\"t\",\"fileLength\":"
     "16,\"bSize\":6,\"bOffset\":10}}",
     "abcdef"},
    {"numbers as texts", VENDOR("\"7\"", "\"1\"", "\"4\"", "\"2\""),
     "{\"id\":\"3\",\"code\":200,\"msg\":\"success\",\"data\":{\"fileToken\":\"t\",\"fileLength\":"
     "16,\"bSize\":4,\"bOffset\":2}}",
     "2345"},
    {"an unknown stream", VENDOR("9", "1", "4", "0"),
     "{\"id\":\"3\",\"code\":404,\"msg\":\"file not found\",\"data\":{}}", ""},
    {"a firmware that does not go over MQTT", VENDOR("8", "1", "4", "0"),
     "{\"id\":\"3\",\"code\":404,\"msg\":\"file not found\",\"data\":{}}", ""},
    {"an unknown file", VENDOR("7", "2", "4", "0"),
     "{\"id\":\"3\",\"code\":404,\"msg\":\"file not found\",\"data\":{}}", ""},
    {"a place after the end", VENDOR("7", "1", "4", "16"),
     "{\"id\":\"3\",\"code\":400,\"msg\":\"request parameter error\",\"data\":{}}", ""},
    {"no bytes", VENDOR("7", "1", "0", "0"),
     "{\"id\":\"3\",\"code\":400,\"msg\":\"request parameter error\",\"data\":{}}", ""},
    {"too many bytes", VENDOR("7", "1", "131073", "0"),
     "{\"id\":\"3\",\"code\":400,\"msg\":\"request parameter error\",\"data\":{}}", ""},
    {"a negative place", VENDOR("7", "1", "4", "-1"),
     "{\"id\":\"3\",\"code\":400,\"msg\":\"request parameter error\",\"data\":{}}", ""},
    {"no block", "{\"id\":4,\"params\":{\"fileInfo\":{\"streamId\":7,\"fileId\":1}}}",
     "{\"id\":4,\"code\":400,\"msg\":\"request parameter error\",\"data\":{}}", ""},
};

static void block_is_framed(const void *row)
{
    const struct block_row *r = row;
    struct bench b;
    const struct campaign_firmware with = {.over_mqtt = true};
    bench_open(&b);
    upload(&b, 7, "2.0.0", &with);
    upload(&b, 8, "2.0.0", NULL);
    publish(&b, DEVICE, FILE_TOPIC, r->request);
    REQUIRE(b.sent_count == 1);
    CHECK_STR(b.sent[0].topic, FILE_TOPIC "_reply");
    const uint8_t *p = b.sent[0].payload.data;
    size_t len = b.sent[0].payload.len_bytes, head = strlen(r->json), body = strlen(r->block);
    REQUIRE(len == 2 + head + body + 2);
    CHECK_INT(p[0] * 256 + p[1], head);
    CHECK_MEM(p + 2, r->json, head);
    CHECK_MEM(p + 2 + head, r->block, body);
    CHECK_INT(get_le16(p + 2 + head + body), aliyun_crc16(r->block, body));
    bench_close(&b);
}

static const char *block_name(const void *row)
{
    return ((const struct block_row *)row)->name;
}

static void the_crc_is_arc(void)
{
    CHECK_INT(aliyun_crc16("123456789", 9), 0xBB3D);
    CHECK_INT(aliyun_crc16("", 0), 0);
}

static void a_file_of_another_product_is_not_served(void)
{
    struct bench b;
    const struct campaign_firmware with = {.over_mqtt = true};
    bench_open(&b);
    upload(&b, 7, "2.0.0", &with);
    put_device(&b, "dev1", "other");
    const char *text = VENDOR("7", "1", "4", "0");
    publish(&b, "dev1&other", "/sys/other/dev1/thing/file/download", text);
    REQUIRE(b.sent_count == 1 && b.sent[0].payload.len_bytes > 2);
    CHECK_HAS(payload(&b, 0) + 2, "\"code\":404");
    bench_close(&b);
}

static void the_largest_block_fits_a_message(void)
{
    static uint8_t image[ALIYUN_BLOCK_MAX + 1];
    const struct campaign_file file = {.content = image, .bytes = sizeof image};
    const struct campaign_firmware with = {.over_mqtt = true, .files = &file, .file_count = 1};
    struct bench b;
    bench_open(&b);
    upload(&b, 7, "2.0.0", &with);
    publish(&b, DEVICE, FILE_TOPIC, VENDOR("7", "1", "131072", "0"));
    CHECK_INT(b.sent_count, 1);
    CHECK(b.sent[0].payload.len_bytes > ALIYUN_BLOCK_MAX);
    CHECK(b.sent[0].payload.len_bytes <= MQTT_PAYLOAD_MAX);
    bench_close(&b);
}

static const struct test tests[] = {
    TEST_ROWS("block", block_is_framed, blocks, block_name),
    {"the CRC is ARC", the_crc_is_arc},
    {"a file of another product is not served", a_file_of_another_product_is_not_served},
    {"the largest block fits a message", the_largest_block_fits_a_message},
};
TEST_MAIN("aliyun file over MQTT", tests)
