/*
 * The firmware-over-the-air demo of the 4.x Link SDK, made a careful application: one task keeps
 * the MQTT session and hears announcements, another fetches the file. What is taken, told and
 * installed is decided by link_kit/upgrade.h.
 */
#include <string.h>

#include "common/vtime.h"
#include "sim_device/agent/aiot/aiot_app_internal.h"
#include "sim_device/agent/aiot/aiot_mqtt_api.h"
#include "sim_device/agent/aiot/aiot_ota.h"

#define RECEIVE_MS    1000u
#define CONNECT_TRIES 4u

int32_t aiot_app_called(struct aiot_app *a, const char *call, int32_t rc)
{
    KIT_EVENT(a->board, "api", F_STR("call", call), F_INT("result", rc));
    board_heap_event(a->board);
    return rc;
}

static void replace(struct aiot_app *a, aiot_download_task_desc_t **place,
                    const aiot_download_task_desc_t *task)
{
    board_free(a->board, *place);
    *place = task != NULL ? aiot_ota_copy_task(a->board, task) : NULL;
}

/* ---- what the cloud is told ---- */

/* The vendor's calls take texts without const; they do not write them. */
static char *loose(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void report_version(struct aiot_app *a)
{
    if (a->kit.quirks.no_version_report)
        return;
    if (aiot_app_called(a, "aiot_ota_report_version",
                        aiot_ota_report_version(a->ota, loose(a->kit.version))) != STATE_SUCCESS)
        return;
    if (a->config->sub_device[0] != '\0')
        (void)aiot_app_called(a, "aiot_ota_report_version_ext",
                              aiot_ota_report_version_ext(
                                  a->ota, loose(a->kit.identity.product_key),
                                  loose(a->config->sub_device), loose(a->config->sub_version)));
    a->reported = true;
    a->reported_ns = a->board->ops->now_ns(a->board);
    kit_upgrade_confirm(&a->upgrade);
}

void aiot_app_tell(struct aiot_app *a, const aiot_download_task_desc_t *task, int step)
{
    if (step == 0 || aiot_ota_report_step(task, step) == STATE_SUCCESS)
        return;
    if (step > 0 && a->kit.quirks.report_or_nothing && a->failed == 0)
        a->failed = KIT_STEP_FETCH;
    if (step > 0)
        return;
    replace(a, &a->owed, task);
    a->owed_step = step;
}

static void pay(struct aiot_app *a)
{
    if (a->owed == NULL || aiot_ota_report_step(a->owed, a->owed_step) != STATE_SUCCESS)
        return;
    replace(a, &a->owed, NULL);
}

/* ---- announcements ---- */

static void on_announcement(void *handle, const aiot_ota_recv_t *const msg, void *userdata)
{
    struct aiot_app *a = userdata;
    struct aiot_offer_room room;
    const char *why = "";
    (void)handle;
    if (!aiot_bundle_put(a->board, &a->comes, msg->task_desc))
        return;
    if (msg->task_desc->file_id + 1 < aiot_bundle_files(&a->comes))
        return; /* the others follow at once */
    struct kit_offer o = aiot_bundle_offer(a->config, &a->comes, msg->type, &room);
    enum kit_verdict v = kit_upgrade_judge(&a->upgrade, &o, &why);
    kit_log(a->board, "announcement of %.32s: %s", o.version, why);
    switch (v) {
    case KIT_TAKE:
    case KIT_INSTEAD:
        aiot_bundle_move(a->board, &a->next, &a->comes);
        /* Told twice at once: the download task may have been started and not begun. */
        a->cancel = v == KIT_INSTEAD && a->running;
        break;
    case KIT_AGAIN:
        aiot_bundle_move(a->board, &a->fresh, &a->comes);
        break;
    case KIT_CURRENT:
        report_version(a);
        break;
    case KIT_REFUSE:
        if (kit_upgrade_refuse(&a->upgrade, &o))
            aiot_app_tell(a, msg->task_desc, KIT_STEP_UPGRADE);
        break;
    case KIT_IGNORE:
        break;
    }
    aiot_bundle_drop(a->board, &a->comes);
}

/* ---- the session ---- */

static void on_event(void *handle, const aiot_mqtt_event_t *event, void *userdata)
{
    struct aiot_app *a = userdata;
    (void)handle;
    if (event->type == AIOT_MQTTEVT_DISCONNECT) {
        a->lost_ns = a->board->ops->now_ns(a->board);
        /* Sent at QoS 0 into a connection that died before its keep-alive was through: who knows
         * whether it arrived. */
        if (a->reported && a->lost_ns - a->reported_ns < 2 * a->config->keep_alive_s * NS_PER_S)
            a->reported = false;
        return;
    }
}

static bool set_up(struct aiot_app *a)
{
    const struct device_config *c = a->config;
    uint16_t port = c->mqtt_port, keep = c->keep_alive_s;
    uint32_t receive_ms = RECEIVE_MS, beat_ms = c->keep_alive_s * 1000u;
    /* A login takes several round trips. */
    uint32_t send_ms = c->try_time_ms, connect_ms = CONNECT_TRIES * c->try_time_ms;
    aiot_ota_recv_handler_t handler = on_announcement;
    aiot_mqtt_event_handler_t events = on_event;
    void *fn, *events_fn;
    memcpy(&fn, &handler, sizeof(fn));
    memcpy(&events_fn, &events, sizeof(events_fn));
    a->mqtt = aiot_mqtt_init();
    a->ota = aiot_ota_init();
    if (a->mqtt == NULL || a->ota == NULL)
        return false;
    const struct {
        aiot_mqtt_option_t option;
        const void *data;
    } options[] = {{AIOT_MQTTOPT_HOST, c->mqtt_host},
                   {AIOT_MQTTOPT_PORT, &port},
                   {AIOT_MQTTOPT_PRODUCT_KEY, a->kit.identity.product_key},
                   {AIOT_MQTTOPT_DEVICE_NAME, a->kit.identity.device_name},
                   {AIOT_MQTTOPT_DEVICE_SECRET, a->kit.identity.device_secret},
                   {AIOT_MQTTOPT_KEEPALIVE_SEC, &keep},
                   {AIOT_MQTTOPT_HEARTBEAT_INTERVAL_MS, &beat_ms},
                   {AIOT_MQTTOPT_RECV_TIMEOUT_MS, &receive_ms},
                   {AIOT_MQTTOPT_SEND_TIMEOUT_MS, &send_ms},
                   {AIOT_MQTTOPT_CONNECT_TIMEOUT_MS, &connect_ms},
                   {AIOT_MQTTOPT_USERDATA, a},
                   {AIOT_MQTTOPT_EVENT_HANDLER, events_fn},
                   {AIOT_MQTTOPT_NETWORK_CRED, c->tls ? c->ca_pem : NULL}};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (options[i].data != NULL &&
            aiot_mqtt_setopt(a->mqtt, options[i].option, (void *)(uintptr_t)options[i].data) !=
                STATE_SUCCESS)
            return false;
    if (c->module[0] != '\0' &&
        aiot_ota_setopt(a->ota, AIOT_OTAOPT_MODULE, (void *)(uintptr_t)c->module) != STATE_SUCCESS)
        return false;
    return aiot_ota_setopt(a->ota, AIOT_OTAOPT_RECV_HANDLER, fn) == STATE_SUCCESS &&
           aiot_ota_setopt(a->ota, AIOT_OTAOPT_USERDATA, a) == STATE_SUCCESS &&
           aiot_ota_setopt(a->ota, AIOT_OTAOPT_MQTT_HANDLE, a->mqtt) == STATE_SUCCESS;
}

/* Listens for one interval, and for as long as a download runs. */
static void serve(struct aiot_app *a, int64_t until_ns)
{
    do {
        if (aiot_mqtt_is_up(a->mqtt)) {
            if (!a->reported)
                report_version(a);
            pay(a);
        }
        (void)aiot_mqtt_recv(a->mqtt);
        aiot_app_download(a);
    } while (a->running || a->next.first != NULL || a->board->ops->now_ns(a->board) < until_ns);
}

static void run(struct aiot_app *a)
{
    struct board *b = a->board;
    const struct device_config *c = a->config;
    if (a->kit.quirks.confirm_at_start)
        kit_upgrade_confirm(&a->upgrade);
    (void)aiot_app_called(a, "aiot_mqtt_connect", aiot_mqtt_connect(a->mqtt));
    for (uint32_t round = 1; round <= c->rounds; round++) {
        if (round > 1 && aiot_mqtt_is_up(a->mqtt))
            (void)aiot_app_called(a, "aiot_ota_query_firmware", aiot_ota_query_firmware(a->ota));
        serve(a, vtime_after(b->ops->now_ns(b), (int64_t)c->check_interval_ms * NS_PER_MS));
    }
}

void aiot_app(struct board *b, const struct device_config *c, const char *version)
{
    struct err err;
    struct aiot_app *a = kit_calloc(b, sizeof(*a));
    if (a != NULL) {
        a->board = b;
        a->config = c;
        kit_start(&a->kit, b, c, version, KIT_4X);
        if (kit_upgrade_init(&a->upgrade, &a->kit, &err) != 0)
            kit_log(b, "slots: %s", err.text);
        else if (!set_up(a))
            kit_log(b, "no memory for the session");
        else
            run(a);
        if (a->ota != NULL)
            (void)aiot_ota_deinit(&a->ota);
        if (a->mqtt != NULL)
            (void)aiot_mqtt_deinit(&a->mqtt);
        kit_upgrade_deinit(&a->upgrade);
        replace(a, &a->owed, NULL);
        aiot_bundle_drop(a->board, &a->next);
        aiot_bundle_drop(a->board, &a->fresh);
        aiot_bundle_drop(a->board, &a->comes);
        board_free(b, a);
    }
    device_rounds_done(b, c);
}
