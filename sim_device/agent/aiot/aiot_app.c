/*
 * The firmware-over-the-air demo of the 4.x Link SDK, made a careful application: one task keeps
 * the MQTT session and hears announcements, another fetches the file. What is taken, told and
 * installed is decided by link_kit/upgrade.h.
 *
 * Failures in a row without a byte are counted, at most segment_retries of them, with a growing
 * pause between; those that happen while the MQTT session is down as well count only when it has
 * not come back within as long as all rounds last. A refused status (expired URL, for one) asks
 * the cloud for a fresh announcement and goes on with it; a second refusal starts from the first
 * byte.
 */
#include <inttypes.h>
#include <string.h>

#include "common/vtime.h"
#include "sim_device/agent/aiot/aiot_mqtt_api.h"
#include "sim_device/agent/aiot/aiot_mqtt_download_api.h"
#include "sim_device/agent/aiot/aiot_ota.h"
#include "sim_device/agent/link_kit/upgrade.h"

#define STACK_BYTES   (32u << 10)
#define PRIORITY      20
#define RECEIVE_MS    1000u
#define PAUSE_MS      1000u
#define PAUSE_MAX_MS  30000u
#define FRESH_MS      10000u
#define CONNECT_TRIES 4u
#define GOODBYE_MS    1000u /* for the last messages to leave before the reset */
#define BODY_BYTES    4096u
#define CANCELLED     1 /* beside 0 and the steps of a failure */

/* What was announced: one file, or several. */
struct bundle {
    aiot_download_task_desc_t *first, **rest; /* rest: file_num - 1 of them */
};

struct app {
    struct kit kit;
    struct kit_upgrade upgrade;
    struct board *board;
    const struct device_config *config;
    void *mqtt, *ota;
    struct bundle next;              /* taken, not begun */
    struct bundle fresh;             /* for the download that runs: its URL again */
    struct bundle comes;             /* of several files, so far */
    aiot_download_task_desc_t *owed; /* the task whose final step could not be sent */
    int owed_step;
    void *dl;      /* of the download task */
    uint32_t base; /* where the file that it fetches begins in the image */
    bool running;  /* that task exists */
    bool cancel;   /* it is to end: something newer waits */
    int failed;    /* a step of the handler that writes */
    bool reported; /* the version, in this power-on */
    int64_t reported_ns;
    int64_t lost_ns;
};

static int32_t told(struct app *a, const char *call, int32_t rc)
{
    KIT_EVENT(a->board, "api", F_STR("call", call), F_INT("result", rc));
    board_heap_event(a->board);
    return rc;
}

static void replace(struct app *a, aiot_download_task_desc_t **place,
                    const aiot_download_task_desc_t *task)
{
    board_free(a->board, *place);
    *place = task != NULL ? aiot_ota_copy_task(a->board, task) : NULL;
}

static uint32_t files_of(const struct bundle *p)
{
    return p->first == NULL ? 0 : p->first->file_num > 1 ? p->first->file_num : 1;
}

static void bundle_drop(struct app *a, struct bundle *p)
{
    for (uint32_t i = 1; p->rest != NULL && i < files_of(p); i++)
        board_free(a->board, p->rest[i - 1]);
    board_free(a->board, p->rest);
    board_free(a->board, p->first);
    *p = (struct bundle){.first = NULL};
}

static aiot_download_task_desc_t *file_at(const struct bundle *p, uint32_t i)
{
    return i == 0 ? p->first : p->rest[i - 1];
}

/* One more file; the first one begins anew. False without memory. */
static bool bundle_put(struct app *a, struct bundle *p, const aiot_download_task_desc_t *task)
{
    const uint32_t i = task->file_id;
    if (i == 0) {
        bundle_drop(a, p);
        p->first = aiot_ota_copy_task(a->board, task);
        if (p->first != NULL && task->file_num > 1)
            p->rest = kit_calloc(a->board, (task->file_num - 1) * sizeof *p->rest);
    } else if (p->rest != NULL && i < files_of(p) && p->rest[i - 1] == NULL) {
        p->rest[i - 1] = aiot_ota_copy_task(a->board, task);
    }
    const bool there = p->first != NULL && (i == 0 || (p->rest != NULL && p->rest[i - 1] != NULL));
    if (!there || (task->file_num > 1 && p->rest == NULL))
        bundle_drop(a, p);
    return p->first != NULL;
}

static void bundle_move(struct app *a, struct bundle *to, struct bundle *from)
{
    bundle_drop(a, to);
    *to = *from;
    *from = (struct bundle){.first = NULL};
}

/* ---- what the cloud is told ---- */

/* The vendor's calls take texts without const; they do not write them. */
static char *loose(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void report_version(struct app *a)
{
    if (a->kit.quirks.no_version_report)
        return;
    if (told(a, "aiot_ota_report_version",
             aiot_ota_report_version(a->ota, loose(a->kit.version))) != STATE_SUCCESS)
        return;
    if (a->config->sub_device[0] != '\0')
        (void)told(a, "aiot_ota_report_version_ext",
                   aiot_ota_report_version_ext(a->ota, loose(a->kit.identity.product_key),
                                               loose(a->config->sub_device),
                                               loose(a->config->sub_version)));
    a->reported = true;
    a->reported_ns = a->board->ops->now_ns(a->board);
    kit_upgrade_confirm(&a->upgrade);
}

/* A step of a task; a final one that cannot be sent now is owed. */
static void tell(struct app *a, const aiot_download_task_desc_t *task, int step)
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

static int percent(const struct app *a)
{
    return (int)((uint64_t)a->upgrade.image.stored_bytes * 100 / a->upgrade.task.size_bytes);
}

static void tell_progress(struct app *a, const aiot_download_task_desc_t *task)
{
    tell(a, task, kit_upgrade_progress(&a->upgrade, percent(a)));
}

static bool is_cancelled(struct app *a)
{
    return kit_upgrade_cancel(&a->upgrade, (uint32_t)percent(a));
}

static void pay(struct app *a)
{
    if (a->owed == NULL || aiot_ota_report_step(a->owed, a->owed_step) != STATE_SUCCESS)
        return;
    replace(a, &a->owed, NULL);
}

/* ---- announcements ---- */

static struct kit_offer offer_of(const aiot_download_task_desc_t *t, aiot_ota_recv_type_t type)
{
    return (struct kit_offer){
        .kind = type == AIOT_OTARECV_FOTA ? KIT_PUSH_FIRMWARE : KIT_PUSH_CONFIG,
        .product_key = t->product_key,
        .device_name = t->device_name,
        .version = t->version,
        .module = t->module,
        .method = aiot_ota_digest_kind(t->digest_method),
        .digest = t->expect_digest,
        .size_bytes = t->size_total,
        .file_count = t->file_num,
    };
}

/* Room for an offer of several files. */
struct offer_room {
    struct kit_push_file files[KIT_FILES_MAX];
    char id[DIGEST_HEX_MAX];
};

static struct kit_offer offer_of_bundle(const struct app *a, const struct bundle *p,
                                        aiot_ota_recv_type_t type, struct offer_room *room)
{
    struct kit_offer o = offer_of(p->first, type);
    const uint32_t n = files_of(p);
    if (n == 1 || n > KIT_FILES_MAX)
        return o;
    for (uint32_t i = 0; i < n; i++) {
        const aiot_download_task_desc_t *t = file_at(p, i);
        room->files[i] = (struct kit_push_file){.name = t->file_name,
                                                .url = t->url,
                                                .size_bytes = t->size_total,
                                                .method = aiot_ota_digest_kind(t->digest_method),
                                                .digest = t->expect_digest};
    }
    kit_offer_files(&o, a->config, room->files, n, room->id);
    return o;
}

static void on_announcement(void *handle, const aiot_ota_recv_t *const msg, void *userdata)
{
    struct app *a = userdata;
    struct offer_room room;
    const char *why = "";
    (void)handle;
    if (!bundle_put(a, &a->comes, msg->task_desc))
        return;
    if (msg->task_desc->file_id + 1 < files_of(&a->comes))
        return; /* the others follow at once */
    struct kit_offer o = offer_of_bundle(a, &a->comes, msg->type, &room);
    enum kit_verdict v = kit_upgrade_judge(&a->upgrade, &o, &why);
    kit_log(a->board, "announcement of %.32s: %s", o.version, why);
    switch (v) {
    case KIT_TAKE:
    case KIT_INSTEAD:
        bundle_move(a, &a->next, &a->comes);
        /* Told twice at once: the download task may have been started and not begun. */
        a->cancel = v == KIT_INSTEAD && a->running;
        break;
    case KIT_AGAIN:
        bundle_move(a, &a->fresh, &a->comes);
        break;
    case KIT_CURRENT:
        report_version(a);
        break;
    case KIT_REFUSE:
        if (kit_upgrade_refuse(&a->upgrade, &o))
            tell(a, msg->task_desc, KIT_STEP_UPGRADE);
        break;
    case KIT_IGNORE:
        break;
    }
    bundle_drop(a, &a->comes);
}

/* ---- the download task ---- */

static void on_bytes(void *handle, const aiot_download_recv_t *packet, void *userdata)
{
    struct app *a = userdata;
    (void)handle;
    if (a->failed == 0)
        a->failed = kit_upgrade_write(&a->upgrade, packet->data.buffer, packet->data.len);
}

static int32_t setopt(void *dl, aiot_download_option_t option, void *data)
{
    return aiot_download_setopt(dl, option, data);
}

/* The last byte that is asked for at once. */
static uint32_t range_end(const struct app *a, uint32_t start)
{
    const uint32_t bytes = a->config->range_bytes;
    return bytes == 0 || bytes > UINT32_MAX - start ? UINT32_MAX : start + bytes - 1;
}

/* Behind the end of a range: the next one, on the same handle. */
static bool next_range(struct app *a)
{
    uint32_t start = a->upgrade.image.stored_bytes - a->base, end = range_end(a, start);
    return setopt(a->dl, AIOT_DLOPT_RANGE_END, &end) == STATE_SUCCESS &&
           setopt(a->dl, AIOT_DLOPT_RANGE_START, &start) == STATE_SUCCESS;
}

/* A handle that asks for what is not stored yet; null without memory. */
static void *open_download(struct app *a, aiot_download_task_desc_t *task)
{
    void *dl = aiot_download_init();
    uint32_t body = BODY_BYTES, start = a->upgrade.image.stored_bytes - a->base;
    uint32_t end = range_end(a, start);
    uint32_t recv_ms = a->config->try_time_ms;
    aiot_download_recv_handler_t handler = on_bytes;
    void *fn;
    memcpy(&fn, &handler, sizeof(fn));
    if (dl == NULL)
        return NULL;
    bool ok = (start == 0 || setopt(dl, AIOT_DLOPT_RANGE_START, &start) == STATE_SUCCESS) &&
              (end == UINT32_MAX || setopt(dl, AIOT_DLOPT_RANGE_END, &end) == STATE_SUCCESS) &&
              setopt(dl, AIOT_DLOPT_TASK_DESC, task) == STATE_SUCCESS &&
              setopt(dl, AIOT_DLOPT_RECV_HANDLER, fn) == STATE_SUCCESS &&
              setopt(dl, AIOT_DLOPT_USERDATA, a) == STATE_SUCCESS &&
              setopt(dl, AIOT_DLOPT_RECV_TIMEOUT_MS, &recv_ms) == STATE_SUCCESS &&
              setopt(dl, AIOT_DLOPT_BODY_BUFFER_MAX_LEN, &body) == STATE_SUCCESS;
    const char *ca = kit_ca(&a->kit);
    if (ok && ca != NULL)
        ok = setopt(dl, AIOT_DLOPT_NETWORK_CRED, (void *)(uintptr_t)ca) == STATE_SUCCESS;
    if (!ok)
        (void)aiot_download_deinit(&dl);
    return dl;
}

/* Longer with every failure in a row. Ends early when there is something to do. */
static void pause_after(struct app *a, unsigned failures)
{
    int64_t ms = kit_pause_ms(a->board, failures, PAUSE_MS, PAUSE_MAX_MS);
    for (; ms > 0 && !a->cancel && a->fresh.first == NULL; ms -= PAUSE_MS)
        board_sleep_ns(a->board, (ms < PAUSE_MS ? ms : PAUSE_MS) * NS_PER_MS);
}

/* While the session is down there is no network to try: waits for it, but not for ever. */
static void wait_for_session(struct app *a)
{
    int64_t patience_ms = (int64_t)a->config->rounds * a->config->check_interval_ms;
    for (; patience_ms > 0 && !a->cancel && !aiot_mqtt_is_up(a->mqtt); patience_ms -= PAUSE_MS)
        board_sleep_ns(a->board, PAUSE_MS * NS_PER_MS);
}

/* The status says that this URL is of no more use. True: a fresh one came. */
static bool ask_again(struct app *a)
{
    (void)told(a, "aiot_ota_query_firmware", aiot_ota_query_firmware(a->ota));
    for (int64_t ms = 0; ms < FRESH_MS && a->fresh.first == NULL && !a->cancel; ms += PAUSE_MS)
        board_sleep_ns(a->board, PAUSE_MS * NS_PER_MS);
    return a->fresh.first != NULL;
}

/* Whether a request after that result may succeed. */
static bool may_retry(int32_t rc)
{
    return rc >= 0 || rc == STATE_DOWNLOAD_RENEWAL_REQUEST_SENT ||
           rc == STATE_DOWNLOAD_SEND_REQUEST_FAILED || rc == STATE_DOWNLOAD_RECV_ERROR ||
           rc == STATE_DOWNLOAD_HTTPRSP_CODE_ERROR || rc == STATE_DOWNLOAD_HTTPRSP_HEADER_ERROR ||
           rc == STATE_SYS_DEPEND_MALLOC_FAILED;
}

/* A new handle for a URL that is fresh, or for the first byte again. 0, or a step. */
static int reopen(struct app *a, aiot_download_task_desc_t *task, bool from_start)
{
    (void)aiot_download_deinit(&a->dl); /* of the request that was refused */
    if (from_start)
        kit_upgrade_restart(&a->upgrade);
    else if (a->upgrade.image.stored_bytes > 0)
        KIT_EVENT(a->board, "resume", F_INT("from", a->upgrade.image.stored_bytes),
                  F_INT("of", task->size_total));
    a->dl = open_download(a, task);
    return a->dl != NULL ? 0 : KIT_STEP_FETCH;
}

/* After a result that brought no bytes. 0: go on; or the step that the download ends with. */
static int recover(struct app *a, struct bundle *all, uint32_t file, int32_t rc, unsigned *failures,
                   unsigned *refusals)
{
    bool more = ++*failures <= a->config->segment_retries || a->kit.quirks.endless_tries;
    if (!may_retry(rc) || !more)
        return KIT_STEP_FETCH;
    if (rc == STATE_DOWNLOAD_HTTPRSP_CODE_ERROR) {
        bool from_start = ++*refusals > 1;
        bool fresh = ask_again(a);
        if (!fresh)
            pause_after(a, *failures);
        if (from_start && a->fresh.first == NULL && reopen(a, file_at(all, file), true) != 0)
            return KIT_STEP_FETCH;
    } else {
        pause_after(a, *failures);
        wait_for_session(a);
    }
    if (a->fresh.first != NULL) {
        bundle_move(a, all, &a->fresh);
        return reopen(a, file_at(all, file), *refusals > 1);
    }
    return 0;
}

/* All bytes of that file into the slot. 0, CANCELLED, or the step of what failed. */
static int fetch(struct app *a, struct bundle *all, uint32_t file)
{
    unsigned failures = 0, refusals = 0;
    int32_t rc = aiot_download_send_request(a->dl);
    for (;;) {
        if (a->cancel)
            return CANCELLED;
        if (rc == STATE_SUCCESS || rc == STATE_DOWNLOAD_RENEWAL_REQUEST_SENT || rc > 0)
            rc = aiot_download_recv(a->dl);
        if (a->failed != 0)
            return a->failed;
        if (rc > 0) {
            failures = refusals = 0;
            tell_progress(a, all->first);
            if (is_cancelled(a))
                return KIT_STEP_UPGRADE;
            continue;
        }
        if (rc == STATE_DOWNLOAD_FINISHED)
            return 0;
        if (rc == STATE_DOWNLOAD_RANGE_FINISHED) {
            if (!next_range(a))
                return KIT_STEP_FETCH;
            rc = aiot_download_send_request(a->dl);
            continue;
        }
        if (rc == STATE_OTA_DIGEST_MISMATCH)
            return a->kit.quirks.skip_digest ? 0 : kit_upgrade_mismatch(&a->upgrade);
        /* The vendor's loop: whatever happened, the SDK has asked again. */
        if (rc == STATE_DOWNLOAD_RENEWAL_REQUEST_SENT && a->kit.quirks.endless_renewal)
            continue;
        int step = recover(a, all, file, rc, &failures, &refusals);
        if (step != 0)
            return step;
        if (rc != STATE_DOWNLOAD_RENEWAL_REQUEST_SENT || refusals > 0)
            rc = aiot_download_send_request(a->dl);
    }
}

/* ---- the same over MQTT ---- */

static void on_block(void *handle, const aiot_mqtt_download_recv_t *packet, void *userdata)
{
    struct app *a = userdata;
    (void)handle;
    if (a->failed == 0)
        a->failed = kit_upgrade_write(&a->upgrade, packet->data.buffer, packet->data.len);
}

static void *open_mqtt_download(struct app *a, aiot_download_task_desc_t *task)
{
    void *md = aiot_mqtt_download_init();
    uint32_t block = BODY_BYTES, start = a->upgrade.image.stored_bytes;
    aiot_mqtt_download_recv_handler_t handler = on_block;
    void *fn;
    memcpy(&fn, &handler, sizeof(fn));
    if (md == NULL)
        return NULL;
    if ((start == 0 || aiot_mqtt_download_setopt(md, AIOT_MDOPT_RANGE_START, &start) == 0) &&
        aiot_mqtt_download_setopt(md, AIOT_MDOPT_TASK_DESC, task) == STATE_SUCCESS &&
        aiot_mqtt_download_setopt(md, AIOT_MDOPT_RECV_HANDLE, fn) == STATE_SUCCESS &&
        aiot_mqtt_download_setopt(md, AIOT_MDOPT_USERDATA, a) == STATE_SUCCESS &&
        aiot_mqtt_download_setopt(md, AIOT_MDOPT_DATABLOCK_SIZE, &block) == STATE_SUCCESS)
        return md;
    (void)aiot_mqtt_download_deinit(&md);
    return NULL;
}

/* As fetch. */
static int fetch_over_mqtt(struct app *a, aiot_download_task_desc_t *task)
{
    unsigned failures = 0;
    for (;;) {
        if (a->cancel)
            return CANCELLED;
        int32_t rc = aiot_mqtt_download_process(a->dl);
        if (a->failed != 0)
            return a->failed;
        switch (rc) {
        case STATE_MQTT_DOWNLOAD_RUNNING:
            failures = 0;
            tell_progress(a, task);
            if (is_cancelled(a))
                return KIT_STEP_UPGRADE;
            continue;
        case STATE_MQTT_DOWNLOAD_FINISHED:
        case STATE_MQTT_DOWNLOAD_SUCCESS:
            return 0;
        case STATE_MQTT_DOWNLOAD_FAILED_MISMATCH:
            return a->kit.quirks.skip_digest ? 0 : kit_upgrade_mismatch(&a->upgrade);
        case STATE_MQTT_DOWNLOAD_ABORT:
        case STATE_MQTT_DOWNLOAD_FAILED_TIMEOUT:
            if (++failures > a->config->segment_retries && !a->kit.quirks.endless_tries)
                return KIT_STEP_FETCH;
            pause_after(a, failures);
            wait_for_session(a);
            continue;
        default:
            return KIT_STEP_FETCH;
        }
    }
}

static int fetch_file(struct app *a, struct bundle *all, uint32_t file)
{
    int rc = KIT_STEP_FETCH;
    if (all->first->protocol_type == AIOT_OTA_PROTOCOL_MQTT) {
        a->dl = open_mqtt_download(a, all->first);
        rc = a->dl != NULL ? fetch_over_mqtt(a, all->first) : rc;
        if (a->dl != NULL)
            (void)aiot_mqtt_download_deinit(&a->dl);
    } else {
        a->dl = open_download(a, file_at(all, file));
        rc = a->dl != NULL ? fetch(a, all, file) : rc;
        if (a->dl != NULL)
            (void)aiot_download_deinit(&a->dl);
    }
    return rc;
}

/* One file after the other, each held against its digest before the next one begins. */
static int fetch_files(struct app *a, struct bundle *all)
{
    const uint32_t n = files_of(all);
    for (;;) {
        uint32_t file = n, at = 0;
        int rc = kit_upgrade_next_file(&a->upgrade, n, &file, &at);
        if (rc != 0 || file == n)
            return rc;
        a->base = a->upgrade.image.stored_bytes - at;
        rc = fetch_file(a, all, file);
        if (rc == 0)
            rc = kit_upgrade_file_over(&a->upgrade, file);
        if (rc != 0)
            return rc;
    }
}

static int download(struct app *a, struct bundle *all)
{
    struct offer_room room;
    struct kit_offer o = offer_of_bundle(a, all, AIOT_OTARECV_FOTA, &room);
    int rc = kit_upgrade_begin(&a->upgrade, &o);
    a->failed = 0;
    a->base = 0;
    if (rc != 0)
        return rc;
    rc = files_of(all) > 1 ? fetch_files(a, all) : fetch_file(a, all, 0);
    return rc == 0 ? kit_upgrade_finish(&a->upgrade) : rc;
}

static void download_main(void *arg)
{
    struct app *a = arg;
    struct bundle all = a->next;
    a->next = (struct bundle){.first = NULL};
    int rc = download(a, &all);
    board_heap_event(a->board);
    if (rc == 0) {
        tell(a, all.first, kit_upgrade_progress(&a->upgrade, 100));
        board_sleep_ns(a->board, GOODBYE_MS * NS_PER_MS);
        KIT_EVENT(a->board, "reset", F_STR("version", a->upgrade.task.version));
        a->board->ops->reset(a->board);
    }
    if (rc == CANCELLED)
        kit_upgrade_abandon(&a->upgrade);
    else
        tell(a, all.first, kit_upgrade_fail(&a->upgrade, rc));
    bundle_drop(a, &all);
    bundle_drop(a, &a->fresh);
    a->cancel = false;
    a->running = false;
}

/* Starts the download task when something was taken and none runs. */
static void start_download(struct app *a)
{
    struct board *b = a->board;
    if (a->next.first == NULL || a->running)
        return;
    struct board_task *t = b->ops->task_new(b, "download", download_main, a, STACK_BYTES, PRIORITY);
    if (t == NULL || b->ops->task_start(b, t) != 0) {
        kit_log(b, "no memory for the download task");
        bundle_drop(a, &a->next);
        return;
    }
    a->running = true;
}

/* ---- the session ---- */

static void on_event(void *handle, const aiot_mqtt_event_t *event, void *userdata)
{
    struct app *a = userdata;
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

static bool set_up(struct app *a)
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
static void serve(struct app *a, int64_t until_ns)
{
    do {
        if (aiot_mqtt_is_up(a->mqtt)) {
            if (!a->reported)
                report_version(a);
            pay(a);
        }
        (void)aiot_mqtt_recv(a->mqtt);
        start_download(a);
    } while (a->running || a->next.first != NULL || a->board->ops->now_ns(a->board) < until_ns);
}

static void run(struct app *a)
{
    struct board *b = a->board;
    const struct device_config *c = a->config;
    if (a->kit.quirks.confirm_at_start)
        kit_upgrade_confirm(&a->upgrade);
    (void)told(a, "aiot_mqtt_connect", aiot_mqtt_connect(a->mqtt));
    for (uint32_t round = 1; round <= c->rounds; round++) {
        if (round > 1 && aiot_mqtt_is_up(a->mqtt))
            (void)told(a, "aiot_ota_query_firmware", aiot_ota_query_firmware(a->ota));
        serve(a, vtime_after(b->ops->now_ns(b), (int64_t)c->check_interval_ms * NS_PER_MS));
    }
}

void aiot_app(struct board *b, const struct device_config *c, const char *version)
{
    struct err err;
    struct app *a = kit_calloc(b, sizeof(*a));
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
        bundle_drop(a, &a->next);
        bundle_drop(a, &a->fresh);
        bundle_drop(a, &a->comes);
        board_free(b, a);
    }
    device_rounds_done(b, c);
}
