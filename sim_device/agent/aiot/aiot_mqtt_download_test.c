/*
 * Files over MQTT: blocks, repeats and states; and the application that installs one.
 */
#include "sim_device/agent/aiot/aiot_mqtt_download_api.h"

#include "sim_device/agent/aiot/aiot_mqtt_api.h"
#include "sim_device/agent/link_kit/block.h"
#include "sim_device/agent/link_kit/kit_app_testing.h"

#define IMAGE_BYTES 10007

/* How a test bends the reply to the n-th request. */
enum bend { FINE, BAD_CRC, TWICE, SILENT, REFUSED, OTHER_SIZE, NOT_JSON, OTHER_OFFSET };

static enum bend (*bend_of)(struct kit_world *w, unsigned nth);
static unsigned requests;

static unsigned number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at != NULL ? (unsigned)strtoul(at + strlen(key), NULL, 10) : UINT32_MAX;
}

static void reply(struct kit_world *w, unsigned offset, unsigned size, enum bend bend)
{
    static uint8_t out[16384];
    char topic[256];
    size = size < w->image_bytes - offset ? size : w->image_bytes - offset;
    int text =
        snprintf((char *)out + 2, sizeof(out) - 2,
                 "{\"id\":\"1\",\"code\":%d,\"msg\":\"success\",\"data\":{\"fileToken\":\"tok\","
                 "\"fileLength\":%u,\"bSize\":%u,\"bOffset\":%u}}",
                 bend == REFUSED ? 404 : 200, w->image_bytes + (bend == OTHER_SIZE), size,
                 offset + (bend == OTHER_OFFSET ? 1 : 0));
    out[0] = (uint8_t)(text >> 8);
    out[1] = (uint8_t)text;
    uint8_t *data = out + 2 + text;
    memcpy(data, w->image + offset, size);
    put_le16(data + size, (uint16_t)(kit_block_crc16(data, size) ^ (bend == BAD_CRC)));
    if (bend == NOT_JSON)
        out[2] = 'x';
    kw_topic(w, topic, sizeof(topic), "thing/file/download_reply");
    kw_send(w, topic, out, (size_t)(data - out) + size + 2, w->net.latency_ns);
    if (bend == TWICE)
        kw_send(w, topic, out, (size_t)(data - out) + size + 2, w->net.latency_ns);
}

static void serve_file(struct kit_world *w, const char *topic, const char *payload)
{
    if (strstr(topic, "/thing/file/download") == NULL)
        return;
    requests++;
    enum bend bend = bend_of != NULL ? bend_of(w, requests) : FINE;
    if (bend != SILENT)
        reply(w, number_after(payload, "\"offset\":"), number_after(payload, "\"size\":"), bend);
}

/* ---- the calls ---- */

static struct {
    void *mqtt, *md;
    bool pumping, stop;
    uint8_t stored[IMAGE_BYTES];
    uint32_t stored_bytes;
    int32_t rc;
} t;

static void on_block(void *handle, const aiot_mqtt_download_recv_t *packet, void *userdata)
{
    CHECK(handle == t.md && userdata == &t);
    CHECK_INT(packet->data.offset, t.stored_bytes);
    CHECK(packet->data.len <= sizeof(t.stored) - t.stored_bytes);
    memcpy(t.stored + t.stored_bytes, packet->data.buffer, packet->data.len);
    t.stored_bytes += packet->data.len;
}

static void pump(void *arg)
{
    (void)arg;
    while (!t.stop)
        (void)aiot_mqtt_recv(t.mqtt);
    t.pumping = false;
}

static void open_all(struct kit_world *w)
{
    uint16_t port = 1883;
    uint32_t receive_ms = 500;
    memset(&t, 0, sizeof(t));
    t.mqtt = aiot_mqtt_init();
    REQUIRE(t.mqtt != NULL);
    (void)aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_HOST, (void *)(uintptr_t) "mqtt.test");
    (void)aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_PORT, &port);
    (void)aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_PRODUCT_KEY, w->config.product_id);
    (void)aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_DEVICE_NAME, w->config.did);
    (void)aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_DEVICE_SECRET, (void *)(uintptr_t) "secret");
    (void)aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_RECV_TIMEOUT_MS, &receive_ms);
    CHECK_INT(aiot_mqtt_connect(t.mqtt), 0);
    struct board_task *task = w->net.b->ops->task_new(w->net.b, "pump", pump, NULL, 4096, 10);
    REQUIRE(task != NULL);
    t.pumping = true;
    CHECK_INT(w->net.b->ops->task_start(w->net.b, task), 0);
}

static void close_all(struct kit_world *w)
{
    if (t.md != NULL)
        CHECK_INT(aiot_mqtt_download_deinit(&t.md), 0);
    t.stop = true;
    while (t.pumping)
        board_sleep_ns(w->net.b, 100 * NS_PER_MS);
    CHECK_INT(aiot_mqtt_deinit(&t.mqtt), 0);
}

static void download(struct kit_world *w, uint32_t start, uint32_t end)
{
    char hex[DIGEST_HEX_MAX];
    aiot_mqtt_download_recv_handler_t handler = on_block;
    void *fn;
    uint32_t block = 1000;
    memcpy(&fn, &handler, sizeof(fn));
    digest_hex_of(DIGEST_MD5, w->image, w->image_bytes, hex);
    hex[0] = w->stage == 7 ? (hex[0] == '0' ? '1' : '0') : hex[0];
    aiot_download_task_desc_t task = {.product_key = w->config.product_id,
                                      .device_name = w->config.did,
                                      .size_total = w->image_bytes,
                                      .digest_method = AIOT_OTA_DIGEST_MD5,
                                      .expect_digest = hex,
                                      .mqtt_handle = t.mqtt,
                                      .protocol_type = AIOT_OTA_PROTOCOL_MQTT,
                                      .stream_id = 12,
                                      .stream_file_id = 34};
    t.md = aiot_mqtt_download_init();
    REQUIRE(t.md != NULL);
    CHECK_INT(aiot_mqtt_download_process(t.md), STATE_MQTT_DOWNLOAD_INIT);
    CHECK_INT(aiot_mqtt_download_setopt(t.md, AIOT_MDOPT_TASK_DESC, &task), 0);
    CHECK_INT(aiot_mqtt_download_setopt(t.md, AIOT_MDOPT_RECV_HANDLE, fn), 0);
    CHECK_INT(aiot_mqtt_download_setopt(t.md, AIOT_MDOPT_USERDATA, &t), 0);
    CHECK_INT(aiot_mqtt_download_setopt(t.md, AIOT_MDOPT_DATABLOCK_SIZE, &block), 0);
    if (start > 0)
        CHECK_INT(aiot_mqtt_download_setopt(t.md, AIOT_MDOPT_RANGE_START, &start), 0);
    if (end > 0)
        CHECK_INT(aiot_mqtt_download_setopt(t.md, AIOT_MDOPT_RANGE_END, &end), 0);
    do
        t.rc = aiot_mqtt_download_process(t.md);
    while (t.rc == STATE_MQTT_DOWNLOAD_RUNNING);
    CHECK_INT(aiot_mqtt_download_process(t.md), t.rc);
}

static void all_of_it(struct kit_world *w)
{
    open_all(w);
    download(w, 0, 0);
    CHECK_INT(t.rc, STATE_MQTT_DOWNLOAD_SUCCESS);
    CHECK_INT(t.stored_bytes, IMAGE_BYTES);
    CHECK_MEM(t.stored, w->image, IMAGE_BYTES);
    CHECK_INT(requests, 11);
    CHECK_HAS(w->published, "/sys/a1OtaBench1/device1/thing/file/download "
                            "{\"id\":\"1\",\"version\":\"1.0\",\"params\":{\"fileToken\":\"\","
                            "\"fileInfo\":{\"streamId\":12,\"fileId\":34},\"fileBlock\":{"
                            "\"size\":1000,\"offset\":0}}}\n");
    CHECK_HAS(w->published, "\"fileToken\":\"tok\"");
    CHECK_HAS(w->published, "{\"size\":7,\"offset\":10000}");
    CHECK_HAS(w->subscribed, "/sys/a1OtaBench1/device1/thing/file/download_reply 0\n");
    close_all(w);
}

static void a_range(struct kit_world *w)
{
    open_all(w);
    t.stored_bytes = 0;
    download(w, 0, 4999);
    CHECK_INT(t.rc, STATE_MQTT_DOWNLOAD_FINISHED);
    CHECK_INT(t.stored_bytes, 5000);
    CHECK_INT(aiot_mqtt_download_deinit(&t.md), 0);
    download(w, 5000, 0);
    CHECK_INT(t.rc, STATE_MQTT_DOWNLOAD_FINISHED);
    CHECK_MEM(t.stored, w->image, IMAGE_BYTES);
    close_all(w);
}

static void wrong_digest(struct kit_world *w)
{
    w->stage = 7;
    open_all(w);
    download(w, 0, 0);
    CHECK_INT(t.rc, STATE_MQTT_DOWNLOAD_FAILED_MISMATCH);
    close_all(w);
}

static enum bend damaged_thrice(struct kit_world *w, unsigned nth)
{
    static const enum bend bends[] = {BAD_CRC, NOT_JSON, BAD_CRC, FINE, TWICE};
    (void)w;
    return nth <= sizeof(bends) / sizeof(bends[0]) ? bends[nth - 1] : FINE;
}

static void repairs(struct kit_world *w)
{
    bend_of = damaged_thrice;
    open_all(w);
    download(w, 0, 0);
    CHECK_INT(t.rc, STATE_MQTT_DOWNLOAD_SUCCESS);
    CHECK_MEM(t.stored, w->image, IMAGE_BYTES);
    CHECK_INT(requests, 14);
    close_all(w);
}

static enum bend always_damaged(struct kit_world *w, unsigned nth)
{
    (void)w, (void)nth;
    return BAD_CRC;
}

static void gives_up_damaged(struct kit_world *w)
{
    bend_of = always_damaged;
    open_all(w);
    download(w, 0, 0);
    CHECK_INT(t.rc, STATE_MQTT_DOWNLOAD_FAILED_TIMEOUT);
    CHECK_INT(requests, 2 * 4);
    close_all(w);
}

static enum bend always_silent(struct kit_world *w, unsigned nth)
{
    (void)w, (void)nth;
    return SILENT;
}

static void gives_up_silence(struct kit_world *w)
{
    int64_t start = w->net.b->ops->now_ns(w->net.b);
    bend_of = always_silent;
    open_all(w);
    download(w, 0, 0);
    CHECK_INT(t.rc, STATE_MQTT_DOWNLOAD_FAILED_TIMEOUT);
    CHECK_INT(requests, 2 * 4);
    CHECK_INT((w->net.b->ops->now_ns(w->net.b) - start) / (10 * NS_PER_S), 2 * 4);
    close_all(w);
}

static enum bend refused(struct kit_world *w, unsigned nth)
{
    (void)w, (void)nth;
    return REFUSED;
}

static enum bend other_size(struct kit_world *w, unsigned nth)
{
    (void)w, (void)nth;
    return OTHER_SIZE;
}

static void tells_why(struct kit_world *w)
{
    void *none = NULL;
    uint32_t number = 0;
    open_all(w);
    bend_of = refused;
    download(w, 0, 0);
    CHECK_INT(t.rc, STATE_MQTT_DOWNLOAD_FAILED_RECVERROR);
    CHECK_INT(aiot_mqtt_download_deinit(&t.md), 0);
    bend_of = other_size;
    download(w, 0, 0);
    CHECK_INT(t.rc, STATE_MQTT_DOWNLOAD_FAILED_FILE_SIZE);
    CHECK_INT(aiot_mqtt_download_deinit(&t.md), 0);
    CHECK_INT(aiot_mqtt_disconnect(t.mqtt), 0);
    w->mqtt_off = true;
    download(w, 0, 0);
    CHECK_INT(t.rc, STATE_MQTT_DOWNLOAD_ABORT);
    w->mqtt_off = false;
    CHECK_INT(aiot_mqtt_download_process(NULL), STATE_MQTT_DOWNLOAD_HANDLE_IS_NULL);
    CHECK_INT(aiot_mqtt_download_deinit(&none), STATE_MQTT_DOWNLOAD_HANDLE_IS_NULL);
    CHECK_INT(aiot_mqtt_download_setopt(NULL, AIOT_MDOPT_USERDATA, &t),
              STATE_MQTT_DOWNLOAD_HANDLE_IS_NULL);
    CHECK_INT(aiot_mqtt_download_setopt(t.md, AIOT_MDOPT_TASK_DESC, NULL),
              STATE_USER_INPUT_NULL_POINTER);
    CHECK_INT(aiot_mqtt_download_setopt(t.md, AIOT_MDOPT_DATABLOCK_SIZE, &number),
              STATE_USER_INPUT_OUT_OF_RANGE);
    CHECK_INT(aiot_mqtt_download_setopt(t.md, AIOT_MDOPT_MAX, &number),
              STATE_USER_INPUT_UNKNOWN_OPTION);
    close_all(w);
}

struct row {
    const char *name;
    void (*fn)(struct kit_world *w);
};
static const struct row rows[] = {
    {"block by block", all_of_it},
    {"in two ranges", a_range},
    {"a wrong digest", wrong_digest},
    {"damaged and repeated blocks", repairs},
    {"only damaged blocks", gives_up_damaged},
    {"no reply", gives_up_silence},
    {"each end has its state", tells_why},
};

static const char *row_name(const void *row)
{
    return ((const struct row *)row)->name;
}

static void call(const void *row)
{
    struct kit_world *w = kit_world_new(AGENT_AIOT, IMAGE_BYTES);
    bend_of = NULL;
    requests = 0;
    w->on_publish = serve_file;
    kit_world_call(w, ((const struct row *)row)->fn);
    kit_world_free(w);
}

/* ---- the application ---- */

static void announce_stream(struct kit_world *w)
{
    char md5[DIGEST_HEX_MAX];
    digest_hex_of(DIGEST_MD5, w->image, w->image_bytes, md5);
    (void)snprintf(w->announcement, sizeof(w->announcement),
                   "{\"code\":\"1000\",\"data\":{\"size\":%u,\"streamId\":12,\"sign\":\"%s\","
                   "\"dProtocol\":\"mqtt\",\"version\":\"2.0\",\"signMethod\":\"Md5\","
                   "\"streamFileId\":34,\"md5\":\"%s\"},\"id\":1,\"message\":\"success\"}",
                   w->image_bytes, md5, md5);
    bend_of = NULL;
    requests = 0;
    w->on_publish = serve_file;
}

static enum bend lose_session(struct kit_world *w, unsigned nth)
{
    if (nth != 3)
        return FINE;
    w->mqtt_drop = true;
    w->net.b->ops->wake(w->net.b, &w->channel, 1);
    return SILENT;
}

static void lost_in_the_middle(struct kit_world *w)
{
    announce_stream(w);
    bend_of = lose_session;
}

static void never_comes(struct kit_world *w)
{
    announce_stream(w);
    bend_of = always_damaged;
}

static void nothing_over_http(struct kit_world *w)
{
    CHECK_INT(w->gets, 0);
}

static void told_as_burn(struct kit_world *w)
{
    never_comes(w);
    w->config.link.file_failure_is_burn = true;
    w->config.segment_retries = 0;
}

static const struct app_case cases[] = {
    {"is installed", announce_stream, nothing_over_http, "2.0", "100"},
    {"survives the loss of the session", lost_in_the_middle, app_came_back, "2.0", "100"},
    {"never comes whole", never_comes, nothing_over_http, "1.0", "-2"},
};

static void lives(const void *row)
{
    app_run(row, AGENT_AIOT);
}

/* The vendor's SDK tells -4 where downloading failed. */
static void sdk_tells_burn(void)
{
    char steps[256];
    struct kit_world *w = kit_world_new(AGENT_AIOT, IMAGE_BYTES);
    told_as_burn(w);
    kit_world_live(w);
    app_steps(w, steps, sizeof(steps));
    CHECK_HAS(steps, "-4 ");
    kit_world_free(w);
}

static const struct test tests[] = {
    TEST_ROWS("a file", call, rows, row_name),
    TEST_ROWS("an image that", lives, cases, app_case_name),
    {"a failure told as burning, when asked for", sdk_tells_burn},
};

TEST_MAIN("files over MQTT", tests)
