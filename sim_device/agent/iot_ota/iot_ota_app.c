/*
 * The example of seed 001, made a careful application: one task that serves the MQTT channel and,
 * when something was announced, fetches it. What is taken, told and installed is decided by
 * link_kit/upgrade.h.
 *
 * Failures in a row without a byte are counted, at most segment_retries of them, with a growing
 * pause between. From the second one on the cloud is asked to announce again, for a fresh URL; from
 * the fourth one on the file is fetched from its first byte again, in case the server refuses the
 * rest. While the MQTT channel is down nothing is counted until it has been down for as long as all
 * rounds last.
 */
#include <string.h>

#include "common/vtime.h"
#include "sim_device/agent/iot_ota/iot_export_mqtt.h"
#include "sim_device/agent/iot_ota/iot_export_ota.h"
#include "sim_device/agent/link_kit/upgrade.h"

#define OTA_BUF_LEN   2048
#define YIELD_MS      1000
#define PAUSE_MS      1000
#define PAUSE_MAX_MS  30000
#define GOODBYE_MS    1000 /* for the last messages to leave before the reset */
#define ASK_AFTER     2u   /* failures in a row */
#define RESTART_AFTER 4u

struct app {
    struct kit kit;
    struct kit_upgrade upgrade;
    struct board *board;
    const struct device_config *config;
    void *pclient, *h_ota;
    bool reported;     /* the version, in this power-on */
    unsigned refusals; /* of the broker, in a row */
    int owed_step;     /* a final one that could not be sent; 0: none */
    char buf_ota[OTA_BUF_LEN];
};

static int told(struct app *a, const char *call, int rc)
{
    KIT_EVENT(a->board, "api", F_STR("call", call), F_INT("result", rc));
    board_heap_event(a->board);
    return rc;
}

/* ---- what the cloud is told ---- */

static void report_version(struct app *a)
{
    int rc;
    if (a->kit.quirks.no_version_report)
        return;
    if (a->config->module[0] != '\0')
        rc = told(a, "iotx_ota_report_module_version",
                  iotx_ota_report_module_version(a->h_ota, a->config->module, a->kit.version));
    else
        rc = told(a, "IOT_OTA_ReportVersion", IOT_OTA_ReportVersion(a->h_ota, a->kit.version));
    a->reported = rc == 0;
    if (a->reported)
        kit_upgrade_confirm(&a->upgrade);
}

static void tell(struct app *a, int step)
{
    if (step != 0 && IOT_OTA_ReportProgress(a->h_ota, (IOT_OTA_Progress_t)step, NULL) != 0 &&
        step < 0)
        a->owed_step = step;
}

static void pay(struct app *a)
{
    if (a->owed_step != 0 &&
        IOT_OTA_ReportProgress(a->h_ota, (IOT_OTA_Progress_t)a->owed_step, NULL) == 0)
        a->owed_step = 0;
}

/* ---- one download ---- */

static bool query(struct app *a, struct kit_offer *o, char version[OTA_VERSION_LEN_MAX],
                  char md5[OTA_MD5_LEN])
{
    uint32_t size = 0;
    if (IOT_OTA_Ioctl(a->h_ota, IOT_OTAG_VERSION, version, OTA_VERSION_LEN_MAX) != 0 ||
        IOT_OTA_Ioctl(a->h_ota, IOT_OTAG_MD5SUM, md5, OTA_MD5_LEN) != 0 ||
        IOT_OTA_Ioctl(a->h_ota, IOT_OTAG_FILE_SIZE, &size, sizeof(size)) != 0)
        return false;
    *o = (struct kit_offer){.kind = KIT_PUSH_FIRMWARE,
                            .product_key = a->kit.identity.product_key,
                            .device_name = a->kit.identity.device_name,
                            .version = version,
                            .method = DIGEST_MD5,
                            .digest = md5,
                            .size_bytes = size,
                            .file_count = 1};
    return true;
}

/* After a fetch that failed. 0: go on; or the step that the download ends with. */
static int recover(struct app *a, unsigned failures)
{
    int64_t patience_ms = (int64_t)a->config->rounds * a->config->check_interval_ms;
    if (a->kit.quirks.endless_renewal)
        return 0;
    if (failures > a->config->segment_retries && !a->kit.quirks.endless_tries)
        return KIT_STEP_FETCH;
    (void)IOT_MQTT_Yield(a->pclient, (int)kit_pause_ms(a->board, failures, PAUSE_MS, PAUSE_MAX_MS));
    for (; patience_ms > 0 && !IOT_MQTT_CheckStateNormal(a->pclient); patience_ms -= YIELD_MS)
        (void)IOT_MQTT_Yield(a->pclient, YIELD_MS);
    if (failures >= RESTART_AFTER && a->upgrade.image.stored_bytes > 0) {
        kit_upgrade_restart(&a->upgrade);
        iotx_ota_rewind(a->h_ota);
    }
    if (failures >= ASK_AFTER) {
        (void)told(a, "iotx_req_image", iotx_req_image(a->h_ota, a->kit.version));
        (void)IOT_MQTT_Yield(a->pclient, YIELD_MS);
    }
    return 0;
}

/* What the SDK says of the download. */
static void tell_state(struct app *a)
{
    KIT_EVENT(a->board, "api", F_STR("call", "IOT_OTA_IsFetching"),
              F_INT("result", IOT_OTA_IsFetching(a->h_ota)));
    KIT_EVENT(a->board, "api", F_STR("call", "IOT_OTA_IsFetchFinish"),
              F_INT("result", IOT_OTA_IsFetchFinish(a->h_ota)));
}

/* All bytes into the slot. 0, or the step of what failed. */
static int fetch(struct app *a)
{
    /* Five calls in a row may stay empty. */
    uint32_t timeout_s = a->config->try_time_ms / 5000u;
    unsigned failures = 0;
    timeout_s = timeout_s > 0 ? timeout_s : 1;
    tell_state(a);
    while (!IOT_OTA_IsFetchFinish(a->h_ota)) {
        int len = IOT_OTA_FetchYield(a->h_ota, a->buf_ota, sizeof(a->buf_ota), timeout_s);
        int step = 0;
        if (len <= 0)
            KIT_EVENT(a->board, "api", F_STR("call", "IOT_OTA_FetchYield"), F_INT("result", len));
        if (len > 0) {
            if (a->upgrade.image.stored_bytes == 0)
                tell_state(a);
            failures = 0;
            step = kit_upgrade_write(&a->upgrade, a->buf_ota, (size_t)len);
            uint64_t done = a->upgrade.image.stored_bytes;
            tell(a,
                 kit_upgrade_progress(&a->upgrade, (int)(done * 100 / a->upgrade.task.size_bytes)));
            if (step == 0 && kit_upgrade_cancel(
                                 &a->upgrade, (uint32_t)(done * 100 / a->upgrade.task.size_bytes)))
                step = KIT_STEP_UPGRADE;
        } else if (len < 0) {
            step = recover(a, ++failures);
        }
        if (step != 0)
            return step;
        (void)IOT_MQTT_Yield(a->pclient, 0);
    }
    tell_state(a);
    return 0;
}

/* 0: an image is ready; or the step of what failed, 0 in *step when the cloud was told. */
static int install(struct app *a, const struct kit_offer *o)
{
    uint32_t valid = 1;
    int rc = kit_upgrade_begin(&a->upgrade, o);
    if (rc == 0)
        rc = fetch(a);
    if (rc != 0)
        return rc;
    if (!a->kit.quirks.skip_digest && !a->kit.quirks.boot_before_verify &&
        (IOT_OTA_Ioctl(a->h_ota, IOT_OTAG_CHECK_FIRMWARE, &valid, sizeof(valid)) != 0 || !valid)) {
        a->upgrade.told = true; /* by the SDK itself */
        return kit_upgrade_mismatch(&a->upgrade);
    }
    return kit_upgrade_finish(&a->upgrade);
}

static void upgrade(struct app *a)
{
    struct kit_offer o;
    char version[OTA_VERSION_LEN_MAX], md5[OTA_MD5_LEN];
    const char *why = "";
    if (!query(a, &o, version, md5))
        return;
    enum kit_verdict v = kit_upgrade_judge(&a->upgrade, &o, &why);
    kit_log(a->board, "announcement of %.32s: %s", version, why);
    if (v == KIT_CURRENT)
        report_version(a);
    if (v == KIT_REFUSE && kit_upgrade_refuse(&a->upgrade, &o))
        tell(a, KIT_STEP_UPGRADE);
    if (v == KIT_TAKE || v == KIT_INSTEAD) {
        /* The SDK begins with the first byte, so the image does. */
        a->upgrade.stale = true;
        int rc = install(a, &o);
        if (rc == 0) {
            board_heap_event(a->board);
            tell(a, kit_upgrade_progress(&a->upgrade, 100));
            (void)IOT_MQTT_Yield(a->pclient, GOODBYE_MS);
            KIT_EVENT(a->board, "reset", F_STR("version", version));
            a->board->ops->reset(a->board);
        }
        tell(a, kit_upgrade_fail(&a->upgrade, rc));
    }
    iotx_ota_dismiss(a->h_ota);
    board_heap_event(a->board);
}

/* ---- the channel ---- */

static bool set_up(struct app *a)
{
    const struct device_config *c = a->config;
    iotx_mqtt_param_t params = {.host = c->mqtt_host,
                                .port = c->mqtt_port,
                                .pub_key = c->tls ? c->ca_pem : NULL,
                                .request_timeout_ms = c->try_time_ms,
                                .keepalive_interval_ms = c->keep_alive_s * 1000u};
    if (a->pclient == NULL) {
        a->pclient = IOT_MQTT_Construct(&params);
        (void)told(a, "IOT_MQTT_Construct", a->pclient != NULL ? 0 : -1);
    }
    if (a->pclient != NULL && a->h_ota == NULL)
        a->h_ota =
            IOT_OTA_Init(a->kit.identity.product_key, a->kit.identity.device_name, a->pclient);
    return a->h_ota != NULL;
}

/* One interval, and as long as a download takes. */
static void serve(struct app *a, int64_t until_ns)
{
    while (a->board->ops->now_ns(a->board) < until_ns) {
        if (!set_up(a)) {
            board_sleep_ns(a->board,
                           kit_pause_ms(a->board, 4 + a->refusals++, PAUSE_MS, PAUSE_MAX_MS) *
                               NS_PER_MS);
            continue;
        }
        a->refusals = 0;
        if (IOT_MQTT_CheckStateNormal(a->pclient)) {
            if (!a->reported)
                report_version(a);
            pay(a);
        }
        (void)IOT_MQTT_Yield(a->pclient, YIELD_MS);
        if (IOT_OTA_IsFetching(a->h_ota))
            upgrade(a);
    }
}

static void run(struct app *a)
{
    struct board *b = a->board;
    if (a->kit.quirks.confirm_at_start)
        kit_upgrade_confirm(&a->upgrade);
    for (uint32_t round = 1; round <= a->config->rounds; round++) {
        if (round > 1 && a->h_ota != NULL && IOT_MQTT_CheckStateNormal(a->pclient))
            (void)told(a, "iotx_req_image", iotx_req_image(a->h_ota, a->kit.version));
        serve(a, vtime_after(b->ops->now_ns(b), (int64_t)a->config->check_interval_ms * NS_PER_MS));
    }
}

void iot_ota_app(struct board *b, const struct device_config *c, const char *version)
{
    struct err err;
    struct app *a = kit_calloc(b, sizeof(*a));
    if (a != NULL) {
        a->board = b;
        a->config = c;
        kit_start(&a->kit, b, c, version, KIT_3X);
        if (kit_upgrade_init(&a->upgrade, &a->kit, &err) == 0)
            run(a);
        else
            kit_log(b, "slots: %s", err.text);
        if (a->h_ota != NULL)
            (void)IOT_OTA_Deinit(a->h_ota);
        if (a->pclient != NULL)
            (void)IOT_MQTT_Destroy(&a->pclient);
        kit_upgrade_deinit(&a->upgrade);
        board_free(b, a);
    }
    device_rounds_done(b, c);
}
