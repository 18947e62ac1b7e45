/*
 * IOT_OTA_*: what each call does, refuses and sends.
 */
#include "sim_device/agent/iot_ota/iot_export_ota.h"

#include "sim_device/agent/iot_ota/iot_export_mqtt.h"
#include "sim_device/agent/link_kit/kit_testing.h"

#define IMAGE_BYTES 10007

static void *client, *ota;
static uint8_t stored[2 * IMAGE_BYTES];
static uint32_t stored_bytes;

static void open_channel(struct kit_world *w)
{
    iotx_mqtt_param_t params = {.host = "mqtt.test", .port = 1883};
    client = IOT_MQTT_Construct(&params);
    REQUIRE(client != NULL);
    ota = IOT_OTA_Init(w->config.product_id, w->config.did, client);
    REQUIRE(ota != NULL);
}

static void close_channel(void)
{
    CHECK_INT(IOT_OTA_Deinit(ota), 0);
    CHECK_INT(IOT_MQTT_Destroy(&client), 0);
    CHECK(client == NULL);
}

static void deliver(struct kit_world *w, const char *name, const char *payload)
{
    char topic[256];
    kw_topic(w, topic, sizeof(topic), name);
    kw_send(w, topic, payload, strlen(payload), 0);
    CHECK_INT(IOT_MQTT_Yield(client, 100), 0);
}

/* Everything that comes; the last result. */
static int fetch(void)
{
    char buf[1000];
    int n = 0;
    stored_bytes = 0;
    while (IOT_OTA_IsFetching(ota)) {
        n = IOT_OTA_FetchYield(ota, buf, sizeof(buf), 1);
        if (n < 0)
            return n;
        memcpy(stored + stored_bytes, buf, (size_t)n);
        stored_bytes += (uint32_t)n;
    }
    return n;
}

/* The states of seed 001, step by step. */
static void fetches(struct kit_world *w)
{
    char md5[33], version[OTA_VERSION_LEN_MAX], buf[64];
    uint32_t number = 7;
    open_channel(w);
    CHECK_INT(IOT_OTA_IsFetching(ota), 0);
    CHECK_INT(IOT_OTA_IsFetchFinish(ota), 0);
    CHECK_INT(IOT_OTA_FetchYield(ota, buf, sizeof(buf), 1), IOT_OTAE_INVALID_STATE);
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_FILE_SIZE, &number, 4), IOT_OTAE_INVALID_STATE);
    deliver(w, "upgrade", w->announcement);
    CHECK_INT(IOT_OTA_IsFetching(ota), 1);
    CHECK_INT(IOT_OTA_IsFetchFinish(ota), 0);
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_FILE_SIZE, &number, 4), 0);
    CHECK_INT(number, IMAGE_BYTES);
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_FETCHED_SIZE, &number, 4), 0);
    CHECK_INT(number, 0);
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_VERSION, version, sizeof(version)), 0);
    CHECK_STR(version, "2.0");
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_MD5SUM, md5, sizeof(md5)), 0);
    CHECK_INT(strlen(md5), 32);
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_CHECK_FIRMWARE, &number, 4), IOT_OTAE_INVALID_STATE);
    /* A request goes out and nothing has come yet. */
    w->net.latency_ns = 700 * NS_PER_MS;
    CHECK_INT(IOT_OTA_FetchYield(ota, buf, sizeof(buf), 1) > 0, 1);
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_FETCHED_SIZE, &number, 4), 0);
    CHECK(number > 0 && number <= sizeof(buf));
    uint32_t first = number;
    CHECK(fetch() > 0);
    CHECK_MEM(stored, w->image + first, IMAGE_BYTES - first);
    CHECK_INT(IOT_OTA_IsFetching(ota), 0);
    CHECK_INT(IOT_OTA_IsFetchFinish(ota), 1);
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_CHECK_FIRMWARE, &number, 4), 0);
    CHECK_INT(number, 1);
    CHECK_INT(IOT_OTA_FetchYield(ota, buf, sizeof(buf), 1), IOT_OTAE_INVALID_STATE);
    CHECK_INT(w->gets, 1);
    close_channel();
}

/* DWN-30: silence for its time returns 0 and keeps the state; five such calls end the request.
 */
static enum act silent_once(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w, (void)reply;
    return g->nth == 1 ? ACT_SILENT : ACT_REPLY;
}

static void waits(struct kit_world *w)
{
    char buf[64];
    open_channel(w);
    deliver(w, "upgrade", w->announcement);
    w->bend = silent_once;
    for (int i = 0; i < 4; i++) {
        CHECK_INT(IOT_OTA_FetchYield(ota, buf, sizeof(buf), 1), 0);
        CHECK_INT(IOT_OTA_IsFetching(ota), 1);
    }
    CHECK_INT(IOT_OTA_FetchYield(ota, buf, sizeof(buf), 1), IOT_OTAE_FETCH_FAILED);
    CHECK_INT(IOT_OTA_IsFetching(ota), 1);
    CHECK(fetch() > 0);
    CHECK_MEM(stored, w->image, IMAGE_BYTES);
    CHECK_INT(w->gets, 2);
    close_channel();
}

static enum act half(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w;
    if (g->nth > 1)
        return ACT_REPLY;
    reply->len_bytes /= 2;
    return ACT_REPLY_RESET;
}

static void resumes(struct kit_world *w)
{
    uint32_t before = 0, valid = 0;
    open_channel(w);
    deliver(w, "upgrade", w->announcement);
    w->bend = half;
    CHECK_INT(fetch(), IOT_OTAE_FETCH_FAILED);
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_FETCHED_SIZE, &before, 4), 0);
    /* The same file under a fresh URL goes on, another announcement is ignored. */
    kw_compose(w, "2.0", "http://files.test/fresh", NULL, "Md5", IMAGE_BYTES);
    deliver(w, "upgrade", w->announcement);
    kw_compose(w, "3.0", "http://files.test/other", NULL, "Md5", IMAGE_BYTES);
    deliver(w, "upgrade", w->announcement);
    CHECK(fetch() > 0);
    CHECK_INT(w->last_from, before);
    CHECK_HAS(w->last_get, "GET /fresh ");
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_CHECK_FIRMWARE, &valid, 4), 0);
    CHECK_INT(valid, 1);
    close_channel();
}

static enum act flip(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w, (void)g;
    reply->data[reply->len_bytes - 1] ^= 1;
    return ACT_REPLY;
}

/* INT-10: 1 only for a verified image; the failure is told by the SDK, once. */
static void checks(struct kit_world *w)
{
    uint32_t valid = 7;
    w->bend = flip;
    open_channel(w);
    deliver(w, "upgrade", w->announcement);
    CHECK(fetch() > 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_CHECK_FIRMWARE, &valid, 4), 0);
        CHECK_INT(valid, 0);
    }
    CHECK_INT(kw_count(w->published, "{\"id\":0,\"params\":{\"step\":\"-3\",\"desc\":\"verify "
                                     "failed\"}}\n"),
              1);
    close_channel();
}

/* INT-11, CLD-30. */
static void enforces_sizes(struct kit_world *w)
{
    char buf[64];
    void *none = NULL;
    open_channel(w);
    deliver(w, "upgrade", w->announcement);
    static const struct {
        IOT_OTA_CmdType_t type;
        size_t good, bad;
    } sizes[] = {{IOT_OTAG_FETCHED_SIZE, 4, 3},
                 {IOT_OTAG_FETCHED_SIZE, 4, 8},
                 {IOT_OTAG_FILE_SIZE, 4, 5},
                 {IOT_OTAG_MD5SUM, 33, 32},
                 {IOT_OTAG_VERSION, OTA_VERSION_LEN_MAX, OTA_VERSION_LEN_MAX - 1}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(buf, 0x55, sizeof(buf));
        CHECK_INT(IOT_OTA_Ioctl(ota, sizes[i].type, buf, sizes[i].bad), IOT_OTAE_INVALID_PARAM);
        CHECK_INT(buf[0], 0x55);
        CHECK_INT(IOT_OTA_Ioctl(ota, sizes[i].type, buf, sizes[i].good), 0);
        CHECK_INT(buf[sizes[i].good], 0x55);
    }
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_CHECK_FIRMWARE, buf, 3), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_Ioctl(ota, (IOT_OTA_CmdType_t)99, buf, 4), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_VERSION, NULL, 64), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_Ioctl(NULL, IOT_OTAG_VERSION, buf, 64), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_FetchYield(ota, NULL, 5, 1), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_FetchYield(ota, buf, 0, 1), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_FetchYield(ota, buf, 5, 0), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_FetchYield(NULL, buf, 5, 1), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_IsFetching(NULL), 0);
    CHECK_INT(IOT_OTA_IsFetchFinish(NULL), 0);
    CHECK_INT(IOT_OTA_ReportVersion(NULL, "1"), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_ReportVersion(ota, NULL), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_ReportVersion(ota, ""), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_ReportVersion(ota, "123456789012345678901234567890123"),
              IOT_OTAE_STR_TOO_LONG);
    CHECK_INT(IOT_OTA_ReportVersion(ota, "a\"b"), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_ReportProgress(NULL, 5, NULL), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_ReportProgress(ota, 101, NULL), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_ReportProgress(ota, (IOT_OTA_Progress_t)-5, NULL), IOT_OTAE_INVALID_PARAM);
    CHECK_INT(IOT_OTA_Deinit(NULL), IOT_OTAE_INVALID_PARAM);
    CHECK(IOT_OTA_Init(NULL, "d", client) == NULL);
    CHECK(IOT_OTA_Init("p", NULL, client) == NULL);
    CHECK(IOT_OTA_Init("p", "d", NULL) == NULL);
    CHECK(IOT_MQTT_Construct(NULL) == NULL);
    CHECK_INT(IOT_MQTT_Destroy(NULL), -1);
    CHECK_INT(IOT_MQTT_Destroy(&none), -1);
    CHECK_INT(IOT_MQTT_Yield(NULL, 1), -1);
    CHECK_INT(IOT_MQTT_CheckStateNormal(NULL), 0);
    close_channel();
}

/* Its first version comes by itself, before anything is subscribed. */
static void speaks_as_the_vendor(struct kit_world *w)
{
    static const char *const topics[] = {"/ota/device/request/a1OtaBench1/device1 1\n",
                                         "/ota/device/upgrade/a1OtaBench1/device1 1\n",
                                         "/sys/a1OtaBench1/device1/thing/config/get_reply 0\n",
                                         "/sys/a1OtaBench1/device1/thing/config/push 0\n"};
    open_channel(w);
    CHECK_STR(w->published, "/ota/device/inform/a1OtaBench1/device1 "
                            "{\"id\":\"1\",\"params\":{\"version\":\"1.0\"}}\n");
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        CHECK_HAS(w->subscribed, topics[i]);
    CHECK(!w->clean_session);
    CHECK_HAS(w->client_id, "a1OtaBench1.device1|timestamp=2524608000000,_v=sdk-c-3.2.0,");
    CHECK_INT(IOT_OTA_ReportVersion(ota, "1.5"), 0);
    CHECK_HAS(w->published, "{\"id\":\"0\",\"params\":{\"version\":\"1.5\"}}\n");
    CHECK_INT(iotx_ota_report_module_version(ota, "mcu", "7"), 0);
    CHECK_HAS(w->published, "{\"id\":\"0\",\"params\":{\"version\":\"7\", \"module\":\"mcu\"}}\n");
    CHECK_INT(iotx_req_image(ota, "1.5"), 0);
    CHECK_HAS(w->published, "/ota/device/request/a1OtaBench1/device1 "
                            "{\"id\":\"0\",\"params\":{\"version\":\"1.5\"}}\n");
    CHECK_INT(IOT_OTA_ReportProgress(ota, 5, NULL), 0);
    CHECK_HAS(w->published, "/ota/device/progress/a1OtaBench1/device1 "
                            "{\"id\":0,\"params\":{\"step\":\"5\",\"desc\":\"\"}}\n");
    CHECK_INT(IOT_OTA_ReportProgress(ota, IOT_OTAP_BURN_FAILED, "flash is worn"), 0);
    CHECK_HAS(w->published, "{\"step\":\"-4\",\"desc\":\"flash is worn\"}");
    close_channel();
}

/* What was asked on the request topic echoes back on it, and may bring an announcement. */
static void hears_the_request_topic(struct kit_world *w)
{
    open_channel(w);
    deliver(w, "request", "{\"id\":\"0\",\"params\":{\"version\":\"1.0\"}}");
    CHECK_INT(IOT_OTA_IsFetching(ota), 0);
    CHECK(strstr(w->events, "announcement") == NULL);
    deliver(w, "request", w->announcement);
    CHECK_INT(IOT_OTA_IsFetching(ota), 1);
    iotx_ota_dismiss(ota);
    CHECK_INT(IOT_OTA_IsFetching(ota), 0);
    close_channel();
}

static void loses_the_channel(struct kit_world *w)
{
    open_channel(w);
    w->up = false;
    w->mqtt_off = true;
    CHECK_INT(IOT_OTA_ReportVersion(ota, "1.0"), IOT_OTAE_OSC_FAILED);
    CHECK_INT(IOT_OTA_ReportProgress(ota, 5, NULL), IOT_OTAE_OSC_FAILED);
    CHECK_INT(IOT_MQTT_Yield(client, 100), -1);
    w->mqtt_off = false;
    for (int i = 0; i < 60 && IOT_MQTT_Yield(client, 1000) != 0; i++)
        ;
    CHECK_INT(IOT_MQTT_CheckStateNormal(client), 1);
    CHECK_INT(IOT_OTA_ReportVersion(ota, "1.0"), 0);
    close_channel();
}

/* CONNACK 5 ends it at once, 4 after eight tries. */
static void construct_gives_up(struct kit_world *w)
{
    iotx_mqtt_param_t params = {.host = "mqtt.test", .port = 1883};
    w->connack = 5;
    CHECK(IOT_MQTT_Construct(&params) == NULL);
    CHECK_INT(w->opens, 1);
    w->connack = 4;
    CHECK(IOT_MQTT_Construct(&params) == NULL);
    CHECK_INT(w->opens, 9);
}

struct row {
    const char *name;
    void (*fn)(struct kit_world *w);
};
static const struct row rows[] = {
    {"fetches step by step", fetches},
    {"waits for a server that is silent", waits},
    {"resumes, also under a fresh URL", resumes},
    {"checks the firmware", checks},
    {"enforces sizes and arguments", enforces_sizes},
    {"speaks as the vendor's", speaks_as_the_vendor},
    {"hears the request topic", hears_the_request_topic},
    {"loses the channel and finds it again", loses_the_channel},
    {"gives up a login", construct_gives_up},
};

static const char *row_name(const void *row)
{
    return ((const struct row *)row)->name;
}

static void call(const void *row)
{
    struct kit_world *w = kit_world_new(AGENT_IOT_OTA, IMAGE_BYTES);
    w->announce = false;
    kit_world_call(w, ((const struct row *)row)->fn);
    kit_world_free(w);
}

/* LIM-12: a hundred cycles leave nothing. */
static void cycles(struct kit_world *w)
{
    for (int i = 0; i < 100; i++) {
        open_channel(w);
        deliver(w, "upgrade", w->announcement);
        CHECK(fetch() > 0);
        close_channel();
        CHECK_INT(w->net.b->heap.used_bytes, 0);
    }
}

static void hundred_cycles(void)
{
    struct kit_world *w = kit_world_new(AGENT_IOT_OTA, 100);
    kit_world_call(w, cycles);
    kit_world_free(w);
}

/* LIM-11. */
static uint64_t fail_at;
static unsigned complete;

static void without_memory(struct kit_world *w)
{
    iotx_mqtt_param_t params = {.host = "mqtt.test", .port = 1883};
    w->net.b->heap.fail_at = fail_at;
    client = IOT_MQTT_Construct(&params);
    ota = client != NULL ? IOT_OTA_Init(w->config.product_id, w->config.did, client) : NULL;
    if (ota != NULL) {
        deliver(w, "upgrade", w->announcement);
        for (int i = 0; i < 3 && IOT_OTA_IsFetching(ota); i++)
            if (fetch() > 0 && IOT_OTA_IsFetchFinish(ota))
                complete++;
        CHECK_INT(IOT_OTA_Deinit(ota), 0);
    }
    if (client != NULL)
        CHECK_INT(IOT_MQTT_Destroy(&client), 0);
}

static void any_allocation_may_fail(void)
{
    complete = 0;
    for (fail_at = 1; fail_at <= 12; fail_at++) {
        struct kit_world *w = kit_world_new(AGENT_IOT_OTA, IMAGE_BYTES);
        kit_world_call(w, without_memory);
        kit_world_free(w);
    }
    CHECK(complete > 0 && complete < 12);
}

static const struct test tests[] = {
    TEST_ROWS("IOT_OTA", call, rows, row_name),
    {"a hundred cycles", hundred_cycles},
    {"any allocation may fail", any_allocation_may_fail},
};

TEST_MAIN("IOT_OTA", tests)
