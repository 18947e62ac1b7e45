/* What the calls say where all is well; the state codes are in aiot_codes_test.c. */
#include "sim_device/agent/aiot/aiot_testing.h"

static void call_row(const void *row)
{
    struct kit_world *w = kit_world_new(AGENT_AIOT, IMAGE_BYTES);
    running = row;
    memset(&t, 0, sizeof(t));
    kit_world_call(w, provoke);
    kit_world_free(w);
}

static void reports_as_the_vendor(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_report_version(t.ota, text("1.0.0")), 0);
    CHECK_HAS(w->published, "/ota/device/inform/a1OtaBench1/device1 "
                            "{\"id\":1, \"params\":{\"version\":\"1.0.0\"}}\n");
    CHECK_INT(aiot_ota_setopt(t.ota, AIOT_OTAOPT_MODULE, text("mcu")), 0);
    CHECK_INT(aiot_ota_report_version(t.ota, text("2")), 0);
    CHECK_HAS(w->published, "{\"id\":2, \"params\":{\"version\":\"2\",\"module\":\"mcu\"}}\n");
    CHECK_INT(aiot_ota_query_firmware(t.ota), 0);
    CHECK_HAS(w->published, "/sys/a1OtaBench1/device1/thing/ota/firmware/get "
                            "{\"id\":3, \"params\":{\"module\":\"mcu\"}}\n");
    CHECK_STR(w->subscribed, "");
}

static void reports_for_a_sub_device(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_report_version_ext(t.ota, text("subPk"), text("sub1"), text("3.1")), 0);
    CHECK_HAS(w->published,
              "/ota/device/inform/subPk/sub1 {\"id\":1, \"params\":{\"version\":\"3.1\"}}\n");
}

/* A version that would break out of its JSON text is refused. */
static void refuses_a_quote_in_a_version(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_report_version(t.ota, text("1\",\"x\":\"")), STATE_OTA_REPORT_FAILED);
    CHECK_STR(w->published, "");
}

static void reports_progress(struct kit_world *w)
{
    open_download(w);
    CHECK_INT(aiot_download_report_progress(t.dl, 42), 0);
    CHECK_HAS(w->published, "/ota/device/progress/a1OtaBench1/device1 "
                            "{\"id\":1, \"params\":{\"step\":\"42\",\"desc\":\"\"}}\n");
    for (int32_t code = AIOT_OTAERR_BURN_FAILED; code <= AIOT_OTAERR_UPGRADE_FAILED; code++)
        CHECK_INT(aiot_download_report_progress(t.dl, code), 0);
    CHECK_HAS(w->published, "\"step\":\"-4\"");
    CHECK_HAS(w->published, "\"step\":\"-1\"");
    CHECK_INT(aiot_download_report_progress(t.dl, 101), STATE_USER_INPUT_OUT_OF_RANGE);
    CHECK_INT(aiot_download_report_progress(t.dl, -5), STATE_USER_INPUT_OUT_OF_RANGE);
}

static void hears_every_source(struct kit_world *w)
{
    char reply[4096];
    open_session(w);
    (void)snprintf(reply, sizeof(reply),
                   "{\"id\":\"7\",\"code\":200,\"data\":{\"size\":5,\"version\":\"3\",\"url\":"
                   "\"https://h/p\",\"sign\":\"%032d\",\"signMethod\":\"Md5\",\"module\":\"mcu\","
                   "\"extData\":{\"a\":\"b\",\"size\":9}}}",
                   1);
    deliver(w, "thing/ota/firmware/get_reply", reply);
    CHECK_INT(t.announcements, 1);
    CHECK_STR(t.version, "3");
    CHECK_STR(t.module, "mcu");
    CHECK_STR(t.extra, "{\"a\":\"b\",\"size\":9}");
    CHECK_STR(t.product_key, "a1OtaBench1");
    CHECK_STR(t.device_name, "device1");
    CHECK_INT(t.task->size_total, 5);
    CHECK_INT(t.file_num, 1);
    deliver(w, "thing/ota/firmware/get_reply", "{\"id\":\"8\",\"code\":200,\"data\":{}}");
    CHECK_INT(t.announcements, 1);
    CHECK_INT(t.code_count, 0);
    const char *config = "{\"id\":\"9\",\"version\":\"1.0\",\"params\":{\"configId\":\"c1\","
                         "\"configSize\":4,\"sign\":\"%064d\",\"signMethod\":\"Sha256\",\"url\":"
                         "\"https://h/c\",\"getType\":\"file\"}}";
    (void)snprintf(reply, sizeof(reply), config, 1);
    deliver(w, "thing/config/push", reply);
    CHECK_INT(t.configs, 1);
    CHECK_STR(t.version, "c1");
    CHECK_INT(t.announcements, 1);
    CHECK_INT(t.task->digest_method, AIOT_OTA_DIGEST_SHA256);
}

/* A gateway hears of its sub-devices; who it is for stands in the topic. */
static void hears_of_a_sub_device(struct kit_world *w)
{
    open_session(w);
    const char *topic = "/ota/device/upgrade/subPk/sub1";
    kw_send(w, topic, w->announcement, strlen(w->announcement), 0);
    CHECK_INT(aiot_mqtt_recv(t.mqtt), 0);
    CHECK_INT(t.announcements, 1);
    CHECK_STR(t.product_key, "subPk");
    CHECK_STR(t.device_name, "sub1");
}

static void hears_each_of_several_files(struct kit_world *w)
{
    char push[4096], item[256];
    size_t at = 0;
    open_session(w);
    at += (size_t)snprintf(push, sizeof(push),
                           "{\"code\":\"1000\",\"data\":{\"version\":\"3\","
                           "\"signMethod\":\"Md5\",\"files\":[");
    for (int i = 0; i < 20; i++) {
        (void)snprintf(item, sizeof(item),
                       "%s{\"fileSize\":%d,\"fileName\":\"f%d\",\"fileUrl\":\"http://h/%d\","
                       "\"fileMd5\":\"%032d\",\"fileSign\":\"%032d\"}",
                       i > 0 ? "," : "", i + 1, i, i, i, i);
        at += (size_t)snprintf(push + at, sizeof(push) - at, "%s", item);
    }
    (void)snprintf(push + at, sizeof(push) - at, "]}}");
    deliver(w, "upgrade", push);
    CHECK_INT(t.announcements, 20);
    CHECK_INT(t.file_num, 20);
    CHECK_INT(t.file_id, 19);
    CHECK_INT(t.task->size_total, 20);
    /* One more is refused. */
    push[at] = '\0';
    (void)snprintf(push + at, sizeof(push) - at, ",%s]}}", item + 1);
    deliver(w, "upgrade", push);
    CHECK_INT(t.announcements, 20);
    CHECK_INT(seen(STATE_OTA_PARSE_JSON_ERROR), 1);
}

static void takes_a_file_over_mqtt(struct kit_world *w)
{
    char push[1024];
    open_session(w);
    (void)snprintf(push, sizeof(push),
                   "{\"code\":\"1000\",\"data\":{\"size\":5,\"streamId\":7,\"sign\":\"%032d\","
                   "\"dProtocol\":\"mqtt\",\"version\":\"3\",\"signMethod\":\"Md5\","
                   "\"streamFileId\":9},\"id\":1,\"message\":\"success\"}",
                   1);
    deliver(w, "upgrade", push);
    CHECK_INT(t.announcements, 1);
    CHECK_INT(t.protocol, AIOT_OTA_PROTOCOL_MQTT);
    CHECK(t.task->url == NULL);
    CHECK_INT(t.task->stream_id, 7);
    CHECK_INT(t.task->stream_file_id, 9);
}

/* Host and path of 1024 bytes each go through. */
static void takes_long_names(struct kit_world *w)
{
    static char url[4096];
    CHECK_INT(request_of(w, long_url(url, 1024, 1024)), 0);
    int32_t rc;
    do
        rc = aiot_download_recv(t.dl);
    while (rc > 0);
    CHECK_INT(rc, STATE_DOWNLOAD_FINISHED);
}

/* A server that ignores ranges: what is there already is passed over. */
static enum act ranges_ignored(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    test_http(reply, "200 OK", w->image, w->image_bytes);
    if (g->nth > 1)
        return ACT_REPLY;
    reply->len_bytes /= 2;
    return ACT_REPLY_RESET;
}

static void passes_over_what_it_has(struct kit_world *w)
{
    w->bend = ranges_ignored;
    open_download(w);
    int32_t rc = receive();
    CHECK_INT(rc, STATE_DOWNLOAD_RENEWAL_REQUEST_SENT);
    do
        rc = aiot_download_recv(t.dl);
    while (rc > 0);
    CHECK_INT(rc, STATE_DOWNLOAD_FINISHED);
    CHECK_INT(t.stored_bytes, IMAGE_BYTES);
    CHECK_MEM(t.stored, w->image, IMAGE_BYTES);
}

/* A fresh URL for the same file goes on; another file starts over. */
static void goes_on_with_a_fresh_url(struct kit_world *w)
{
    w->bend = half_then_reset;
    open_download(w);
    CHECK_INT(receive(), STATE_DOWNLOAD_RENEWAL_REQUEST_SENT);
    uint32_t before = t.stored_bytes;
    CHECK(before > 0);
    t.task->url = text("http://files.test/fresh");
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task), 0);
    CHECK_INT(aiot_download_send_request(t.dl), 0);
    int32_t rc;
    do
        rc = aiot_download_recv(t.dl);
    while (rc > 0);
    CHECK_INT(rc, STATE_DOWNLOAD_FINISHED);
    CHECK_HAS(w->last_get, "GET /fresh ");
    CHECK_INT(w->last_from, before);
    CHECK_INT(seen(STATE_OTA_DIGEST_MATCH), 1);
}

static const struct provocation calls[] = {
    {"reports have the vendor's words", 0, reports_as_the_vendor},
    {"a gateway reports under the sub-device's names", 0, reports_for_a_sub_device},
    {"a quote in a version is refused", 0, refuses_a_quote_in_a_version},
    {"progress and failure codes", 0, reports_progress},
    {"push, query reply and configuration are told apart", 0, hears_every_source},
    {"an announcement for a sub-device", 0, hears_of_a_sub_device},
    {"20 files, and not 21", 0, hears_each_of_several_files},
    {"a file over MQTT", 0, takes_a_file_over_mqtt},
    {"host and path of 1024 bytes", 0, takes_long_names},
    {"a server without ranges", 0, passes_over_what_it_has},
    {"a fresh URL for the same file", 0, goes_on_with_a_fresh_url},
};

/* Any allocation of a whole session may fail: an error, never a crash, and nothing is left. */
static uint64_t fail_at;

static void session_without_memory(struct kit_world *w)
{
    aiot_ota_recv_handler_t handler = on_announcement;
    aiot_download_recv_handler_t bytes = on_bytes;
    w->net.b->heap.fail_at = fail_at;
    t.mqtt = aiot_mqtt_init();
    t.ota = aiot_ota_init();
    (void)aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_HOST, text("mqtt.test"));
    (void)aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_PRODUCT_KEY, text(w->config.product_id));
    (void)aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_DEVICE_NAME, text(w->config.did));
    (void)aiot_mqtt_setopt(t.mqtt, AIOT_MQTTOPT_DEVICE_SECRET, text("secret"));
    (void)aiot_ota_setopt(t.ota, AIOT_OTAOPT_MODULE, text("default"));
    (void)aiot_ota_setopt(t.ota, AIOT_OTAOPT_RECV_HANDLER, fn_of(&handler));
    (void)aiot_ota_setopt(t.ota, AIOT_OTAOPT_USERDATA, &t);
    if (t.mqtt != NULL)
        (void)aiot_ota_setopt(t.ota, AIOT_OTAOPT_MQTT_HANDLE, t.mqtt);
    if (t.mqtt != NULL && aiot_mqtt_connect(t.mqtt) == 0) {
        (void)aiot_ota_report_version(t.ota, text("1.0"));
        (void)aiot_mqtt_recv(t.mqtt);
    }
    t.dl = aiot_download_init();
    (void)aiot_download_setopt(t.dl, AIOT_DLOPT_RECV_HANDLER, fn_of(&bytes));
    (void)aiot_download_setopt(t.dl, AIOT_DLOPT_USERDATA, &t);
    if (t.task != NULL)
        (void)aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task);
    int32_t rc = aiot_download_send_request(t.dl);
    for (int i = 0; rc >= 0 && i < 100; i++)
        rc = aiot_download_recv(t.dl);
    if (rc == STATE_DOWNLOAD_FINISHED)
        CHECK_MEM(t.stored, w->image, IMAGE_BYTES);
    close_all();
}

static void survives_any_allocation(void)
{
    unsigned finished = 0;
    for (fail_at = 1; fail_at <= 40; fail_at++) {
        struct kit_world *w = kit_world_new(AGENT_AIOT, IMAGE_BYTES);
        memset(&t, 0, sizeof(t));
        kit_world_call(w, session_without_memory);
        finished += t.stored_bytes == IMAGE_BYTES;
        kit_world_free(w);
    }
    CHECK(finished > 0 && finished < 40);
}

static const struct test tests[] = {
    TEST_ROWS("calls", call_row, calls, provocation_name),
    {"any allocation may fail", survives_any_allocation},
};
TEST_MAIN("aiot_ota and aiot_download", tests)
