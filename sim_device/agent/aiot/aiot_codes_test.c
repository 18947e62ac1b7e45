/* Every state code of seed 004, each provoked by what it stands for. */
#include "sim_device/agent/aiot/aiot_testing.h"

static enum act forbid(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w, (void)g;
    test_http(reply, "403 Forbidden", "<Error/>", 8);
    return ACT_REPLY;
}

static enum act flip(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w, (void)g;
    reply->data[reply->len_bytes - 1] ^= 1;
    return ACT_REPLY;
}

static enum act no_length(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)g;
    buf_clear(reply);
    REQUIRE(buf_text(reply, "HTTP/1.1 200 OK\r\n\r\n") == 0);
    REQUIRE(buf_append(reply, w->image, w->image_bytes) == 0);
    return ACT_REPLY_CLOSE;
}

static enum act longer(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)g;
    test_http(reply, "200 OK", w->image, w->image_bytes + 1);
    return ACT_REPLY;
}

static enum act elsewhere(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    char head[128];
    (void)g;
    (void)snprintf(head, sizeof(head), "206 Part\r\nContent-Range: bytes 5-%u/%u", 99,
                   w->image_bytes);
    test_http(reply, head, w->image + 5, 95);
    return ACT_REPLY;
}

static void p_0901(struct kit_world *w)
{
    open_download(w);
    CHECK_INT(receive(), STATE_DOWNLOAD_FINISHED);
    CHECK_INT(t.stored_bytes, IMAGE_BYTES);
    CHECK_MEM(t.stored, w->image, IMAGE_BYTES);
    CHECK_INT(t.percent, 100);
    CHECK_INT(seen(STATE_DOWNLOAD_FINISHED), 1);
    /* All received comes before the digest matched, both once; asking again changes nothing. */
    CHECK_INT(t.codes[t.code_count - 2], STATE_DOWNLOAD_FINISHED);
    CHECK_INT(aiot_download_recv(t.dl), STATE_DOWNLOAD_FINISHED);
    CHECK_INT(seen(STATE_OTA_DIGEST_MATCH), 1);
}

static void p_0902(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_mqtt_disconnect(t.mqtt), 0);
    CHECK_INT(aiot_ota_report_version(t.ota, text("1.0")), STATE_OTA_REPORT_FAILED);
    CHECK_INT(aiot_ota_report_version_ext(t.ota, text("pk"), text("sub"), text("1")),
              STATE_OTA_REPORT_FAILED);
    CHECK_INT(aiot_ota_query_firmware(t.ota), STATE_OTA_REPORT_FAILED);
}

static void p_0903(struct kit_world *w)
{
    w->bend = elsewhere;
    open_download(w);
    CHECK_INT(receive(), STATE_DOWNLOAD_RECV_ERROR);
    CHECK_INT(t.stored_bytes, 0);
}

static void p_0904(struct kit_world *w)
{
    w->bend = flip;
    open_download(w);
    CHECK_INT(receive(), STATE_OTA_DIGEST_MISMATCH);
    CHECK_INT(aiot_download_recv(t.dl), STATE_OTA_DIGEST_MISMATCH);
    CHECK_INT(seen(STATE_OTA_DIGEST_MATCH), 0);
    CHECK_INT(seen(STATE_OTA_DIGEST_MISMATCH), 1);
}

static void p_0905(struct kit_world *w)
{
    open_session(w);
    deliver(w, "upgrade", "{\"code\":\"1000\",\"data\":{\"size\":5},\"message\":\"success\"}");
    CHECK_INT(t.announcements, 0);
}

static void p_0906(struct kit_world *w)
{
    open_download(w);
    w->net.refuse_connect = true;
    CHECK_INT(aiot_download_send_request(t.dl), STATE_DOWNLOAD_SEND_REQUEST_FAILED);
}

static void p_0907(struct kit_world *w)
{
    uint32_t start = 100, end = 4999;
    open_download(w);
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_RANGE_START, &start), 0);
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_RANGE_END, &end), 0);
    CHECK_INT(receive(), STATE_DOWNLOAD_RANGE_FINISHED);
    CHECK_INT(t.stored_bytes, 4900);
    CHECK_MEM(t.stored, w->image + 100, 4900);
    CHECK_HAS(w->last_get, "\r\nRange: bytes=100-4999\r\n");
    CHECK_INT(aiot_download_recv(t.dl), STATE_DOWNLOAD_RANGE_FINISHED);
    /* The rest, in a second range of the same handle. */
    start = 5000;
    end = UINT32_MAX;
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_RANGE_END, &end), 0);
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_RANGE_START, &start), 0);
    CHECK_INT(receive(), STATE_DOWNLOAD_FINISHED);
    CHECK_MEM(t.stored, w->image + 100, IMAGE_BYTES - 100);
}

static void p_0908(struct kit_world *w)
{
    open_session(w);
    w->net.b->heap.fail_at = w->net.b->heap.calls + 2; /* 1: the message itself */
    deliver(w, "upgrade", w->announcement);
    CHECK_INT(t.announcements, 0);
}

static void p_0909(struct kit_world *w)
{
    void *none = NULL;
    (void)w;
    CHECK_INT(aiot_ota_deinit(NULL), STATE_OTA_DEINIT_HANDLE_IS_NULL);
    CHECK_INT(aiot_ota_deinit(&none), STATE_OTA_DEINIT_HANDLE_IS_NULL);
}

static void p_090A(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_ota_setopt(NULL, AIOT_OTAOPT_USERDATA, &t), STATE_OTA_SETOPT_HANDLE_IS_NULL);
}

static void p_090B(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_setopt(t.ota, AIOT_OTAOPT_MODULE, NULL), STATE_OTA_SETOPT_DATA_IS_NULL);
    CHECK_INT(aiot_ota_setopt(t.ota, AIOT_OTAOPT_MAX, &t), STATE_USER_INPUT_UNKNOWN_OPTION);
}

static void p_090C(struct kit_world *w)
{
    void *none = NULL;
    (void)w;
    CHECK_INT(aiot_download_deinit(NULL), STATE_DOWNLOAD_DEINIT_HANDLE_IS_NULL);
    CHECK_INT(aiot_download_deinit(&none), STATE_DOWNLOAD_DEINIT_HANDLE_IS_NULL);
}

static void p_090D(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_download_setopt(NULL, AIOT_DLOPT_USERDATA, &t),
              STATE_DOWNLOAD_SETOPT_HANDLE_IS_NULL);
}

static void p_090E(struct kit_world *w)
{
    open_download(w);
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_RANGE_START, NULL),
              STATE_DOWNLOAD_SETOPT_DATA_IS_NULL);
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_MAX, &t), STATE_USER_INPUT_UNKNOWN_OPTION);
}

static void p_090F(struct kit_world *w)
{
    open_download(w);
    t.task->product_key = NULL;
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task),
              STATE_DOWNLOAD_SETOPT_COPIED_DATA_IS_NULL);
    t.task->product_key = w->config.product_id;
    w->net.b->heap.fail_at = w->net.b->heap.calls + 1;
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task),
              STATE_DOWNLOAD_SETOPT_COPIED_DATA_IS_NULL);
}

static void p_0910(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_ota_report_version(NULL, text("1")), STATE_OTA_REPORT_HANDLE_IS_NULL);
}

static void p_0911(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_report_version(t.ota, NULL), STATE_OTA_REPORT_VERSION_IS_NULL);
}

static void p_0912(struct kit_world *w)
{
    (void)w;
    t.ota = aiot_ota_init();
    CHECK_INT(aiot_ota_report_version(t.ota, text("1")), STATE_OTA_REPORT_MQTT_HANDLE_IS_NULL);
}

static void p_0913(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_ota_report_version_ext(NULL, text("p"), text("d"), text("1")),
              STATE_OTA_REPORT_EXT_HANELD_IS_NULL);
}

static void p_0914(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_report_version_ext(t.ota, text("p"), text("d"), NULL),
              STATE_OTA_REPORT_EXT_VERSION_NULL);
}

static void p_0915(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_report_version_ext(t.ota, NULL, text("d"), text("1")),
              STATE_OTA_REPORT_EXT_PRODUCT_KEY_IS_NULL);
}

static void p_0916(struct kit_world *w)
{
    open_session(w);
    CHECK_INT(aiot_ota_report_version_ext(t.ota, text("p"), NULL, text("1")),
              STATE_OTA_REPORT_EXT_DEVICE_NAME_IS_NULL);
}

static void p_0917(struct kit_world *w)
{
    (void)w;
    t.ota = aiot_ota_init();
    CHECK_INT(aiot_ota_report_version_ext(t.ota, text("p"), text("d"), text("1")),
              STATE_OTA_REPORT_EXT_MQTT_HANDLE_IS_NULL);
}

static void p_0918(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_download_report_progress(NULL, 5), STATE_DOWNLOAD_REPORT_HANDLE_IS_NULL);
}

static void p_0919(struct kit_world *w)
{
    (void)w;
    t.dl = aiot_download_init();
    CHECK_INT(aiot_download_report_progress(t.dl, 5), STATE_DOWNLOAD_REPORT_TASK_DESC_IS_NULL);
}

static void p_091A(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_download_recv(NULL), STATE_DOWNLOAD_RECV_HANDLE_IS_NULL);
}

static void p_091B(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_download_send_request(NULL), STATE_DOWNLOAD_REQUEST_HANDLE_IS_NULL);
}

static void p_091C(struct kit_world *w)
{
    (void)w;
    t.dl = aiot_download_init();
    CHECK_INT(aiot_download_send_request(t.dl), STATE_DOWNLOAD_REQUEST_TASK_DESC_IS_NULL);
}

static void p_091D(struct kit_world *w)
{
    CHECK_INT(request_of(w, NULL), STATE_DOWNLOAD_REQUEST_URL_IS_NULL);
}

static void p_091E(struct kit_world *w)
{
    kw_compose(w, "2.0", "http://files.test/a", NULL, "Crc32", IMAGE_BYTES);
    open_session(w);
    deliver(w, "upgrade", w->announcement);
    CHECK_INT(t.announcements, 0);
}

static void p_0920(struct kit_world *w)
{
    w->bend = forbid;
    open_download(w);
    CHECK_INT(receive(), STATE_DOWNLOAD_HTTPRSP_CODE_ERROR);
    CHECK_INT(t.stored_bytes, 0);
    CHECK_INT(w->gets, 1);
}

static void p_0921(struct kit_world *w)
{
    w->bend = no_length;
    open_download(w);
    CHECK_INT(receive(), STATE_DOWNLOAD_HTTPRSP_HEADER_ERROR);
    CHECK_INT(t.stored_bytes, 0);
}

static void p_0922(struct kit_world *w)
{
    w->bend = half_then_reset;
    open_download(w);
    CHECK_INT(receive(), STATE_DOWNLOAD_RENEWAL_REQUEST_SENT);
    CHECK_INT(seen(STATE_DOWNLOAD_RECV_ERROR), 1);
    uint32_t before = t.stored_bytes;
    int32_t rc;
    do
        rc = aiot_download_recv(t.dl);
    while (rc > 0);
    CHECK_INT(rc, STATE_DOWNLOAD_FINISHED);
    CHECK_INT(w->last_from, before);
    CHECK_MEM(t.stored, w->image, IMAGE_BYTES);
}

static void no_digest(struct kit_world *w, const char *hex, const char *method, int32_t code)
{
    kw_compose(w, "2.0", "http://files.test/a", hex, method, IMAGE_BYTES);
    announced(w);
    t.dl = aiot_download_init();
    w->net.b->heap.fail_at = w->net.b->heap.calls + 2; /* 1: the copy of the task */
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task), code);
}

static void p_0923(struct kit_world *w)
{
    char hex[DIGEST_HEX_MAX];
    digest_hex_of(DIGEST_SHA256, w->image, IMAGE_BYTES, hex);
    no_digest(w, NULL, "Md5", STATE_DOWNLOAD_SETOPT_MALLOC_MD5_CTX_FAILED);
    t.task->digest_method = AIOT_OTA_DIGEST_SHA256;
    t.task->expect_digest = hex;
    w->net.b->heap.fail_at = w->net.b->heap.calls + 2;
    CHECK_INT(aiot_download_setopt(t.dl, AIOT_DLOPT_TASK_DESC, t.task),
              STATE_DOWNLOAD_SETOPT_MALLOC_SHA256_CTX_FAILED);
}

static void p_0924(struct kit_world *w)
{
    no_digest(w, NULL, "Md5", STATE_DOWNLOAD_SETOPT_MALLOC_MD5_CTX_FAILED);
}

static void p_0925(struct kit_world *w)
{
    CHECK_INT(request_of(w, text("http:///firmware.bin")), STATE_OTA_PARSE_URL_HOST_IS_NULL);
}

static void p_0926(struct kit_world *w)
{
    CHECK_INT(request_of(w, text("http://files.test")), STATE_OTA_PARSE_URL_PATH_IS_NULL);
}

static void p_0927(struct kit_world *w)
{
    w->bend = longer;
    open_download(w);
    CHECK_INT(receive(), STATE_DOWNLOAD_FETCH_TOO_MANY);
    CHECK_INT(t.stored_bytes, 0);
}

static void p_0928(struct kit_world *w)
{
    (void)w;
    CHECK_INT(aiot_ota_query_firmware(NULL), STATE_OTA_QUERY_FIRMWARE_HANDLE_IS_NULL);
}

static void p_0929(struct kit_world *w)
{
    static char url[4096];
    CHECK_INT(request_of(w, long_url(url, 1025, 10)), STATE_OTA_HOST_STRING_OVERFLOW);
}

static void p_092A(struct kit_world *w)
{
    static char url[4096];
    CHECK_INT(request_of(w, long_url(url, 10, 1025)), STATE_OTA_PATH_STRING_OVERFLOW);
}

#define P(hex)                                                                                     \
    {                                                                                              \
        "-0x" #hex, -0x##hex, p_##hex                                                              \
    }

static const struct provocation provocations[] = {
    P(0901),
    P(0902),
    P(0903),
    P(0904),
    P(0905),
    P(0906),
    P(0907),
    P(0908),
    P(0909),
    P(090A),
    P(090B),
    P(090C),
    P(090D),
    P(090E),
    P(090F),
    P(0910),
    P(0911),
    P(0912),
    P(0913),
    P(0914),
    P(0915),
    P(0916),
    P(0917),
    P(0918),
    P(0919),
    P(091A),
    P(091B),
    P(091C),
    P(091D),
    P(091E),
    {"-0x091F", -0x091F, p_0901},
    P(0920),
    P(0921),
    P(0922),
    P(0923),
    P(0924),
    P(0925),
    P(0926),
    P(0927),
    P(0928),
    P(0929),
    P(092A),
};
_Static_assert(sizeof(provocations) / sizeof(provocations[0]) == 0x2A, "every code");

static void is_provoked(const void *row)
{
    struct kit_world *w = kit_world_new(AGENT_AIOT, IMAGE_BYTES);
    running = row;
    memset(&t, 0, sizeof(t));
    kit_world_call(w, provoke);
    CHECK(seen(running->code) > 0);
    char event[32];
    (void)snprintf(event, sizeof(event), "state %s\n", running->name);
    CHECK_HAS(w->events, event);
    kit_world_free(w);
}

static const struct test tests[] = {
    TEST_ROWS("state code", is_provoked, provocations, provocation_name),
};
TEST_MAIN("state codes of aiot_ota and aiot_download", tests)
