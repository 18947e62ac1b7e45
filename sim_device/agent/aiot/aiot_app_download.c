/*
 * The download task of the 4.x application: fetches the files of one announcement, over HTTP or
 * MQTT, and restarts into the image.
 *
 * Failures in a row without a byte are counted, at most segment_retries of them, with a growing
 * pause between; those that happen while the MQTT session is down as well count only when it has
 * not come back within as long as all rounds last. A refused status (expired URL, for one) asks
 * the cloud for a fresh announcement and goes on with it; a second refusal starts from the first
 * byte.
 */
#include <string.h>

#include "common/vtime.h"
#include "sim_device/agent/aiot/aiot_app_internal.h"
#include "sim_device/agent/aiot/aiot_mqtt_api.h"
#include "sim_device/agent/aiot/aiot_mqtt_download_api.h"

#define STACK_BYTES  (32u << 10)
#define PRIORITY     20
#define PAUSE_MS     1000u
#define PAUSE_MAX_MS 30000u
#define FRESH_MS     10000u
#define GOODBYE_MS   1000u /* for the last messages to leave before the reset */
#define BODY_BYTES   4096u
#define CANCELLED    1 /* beside 0 and the steps of a failure */

static int percent(const struct aiot_app *a)
{
    return (int)((uint64_t)a->upgrade.image.stored_bytes * 100 / a->upgrade.task.size_bytes);
}

static void tell_progress(struct aiot_app *a, const aiot_download_task_desc_t *task)
{
    aiot_app_tell(a, task, kit_upgrade_progress(&a->upgrade, percent(a)));
}

static bool is_cancelled(struct aiot_app *a)
{
    return kit_upgrade_cancel(&a->upgrade, (uint32_t)percent(a));
}

/* ---- over HTTP ---- */

static void on_bytes(void *handle, const aiot_download_recv_t *packet, void *userdata)
{
    struct aiot_app *a = userdata;
    (void)handle;
    if (a->failed == 0)
        a->failed = kit_upgrade_write(&a->upgrade, packet->data.buffer, packet->data.len);
}

static int32_t setopt(void *dl, aiot_download_option_t option, void *data)
{
    return aiot_download_setopt(dl, option, data);
}

/* The last byte that is asked for at once. */
static uint32_t range_end(const struct aiot_app *a, uint32_t start)
{
    const uint32_t bytes = a->config->range_bytes;
    return bytes == 0 || bytes > UINT32_MAX - start ? UINT32_MAX : start + bytes - 1;
}

/* Behind the end of a range: the next one, on the same handle. */
static bool next_range(struct aiot_app *a)
{
    uint32_t start = a->upgrade.image.stored_bytes - a->base, end = range_end(a, start);
    return setopt(a->dl, AIOT_DLOPT_RANGE_END, &end) == STATE_SUCCESS &&
           setopt(a->dl, AIOT_DLOPT_RANGE_START, &start) == STATE_SUCCESS;
}

/* A handle that asks for what is not stored yet; null without memory. */
static void *open_download(struct aiot_app *a, aiot_download_task_desc_t *task)
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
static void pause_after(struct aiot_app *a, unsigned failures)
{
    int64_t ms = kit_pause_ms(a->board, failures, PAUSE_MS, PAUSE_MAX_MS);
    for (; ms > 0 && !a->cancel && a->fresh.first == NULL; ms -= PAUSE_MS)
        board_sleep_ns(a->board, (ms < PAUSE_MS ? ms : PAUSE_MS) * NS_PER_MS);
}

/* While the session is down there is no network to try: waits for it, but not for ever. */
static void wait_for_session(struct aiot_app *a)
{
    int64_t patience_ms = (int64_t)a->config->rounds * a->config->check_interval_ms;
    for (; patience_ms > 0 && !a->cancel && !aiot_mqtt_is_up(a->mqtt); patience_ms -= PAUSE_MS)
        board_sleep_ns(a->board, PAUSE_MS * NS_PER_MS);
}

/* The status says that this URL is of no more use. True: a fresh one came. */
static bool ask_again(struct aiot_app *a)
{
    (void)aiot_app_called(a, "aiot_ota_query_firmware", aiot_ota_query_firmware(a->ota));
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
static int reopen(struct aiot_app *a, aiot_download_task_desc_t *task, bool from_start)
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
static int recover(struct aiot_app *a, struct aiot_bundle *all, uint32_t file, int32_t rc,
                   unsigned *failures, unsigned *refusals)
{
    bool more = ++*failures <= a->config->segment_retries || a->kit.quirks.endless_tries;
    if (!may_retry(rc) || !more)
        return KIT_STEP_FETCH;
    if (rc == STATE_DOWNLOAD_HTTPRSP_CODE_ERROR) {
        bool from_start = ++*refusals > 1;
        bool fresh = ask_again(a);
        if (!fresh)
            pause_after(a, *failures);
        if (from_start && a->fresh.first == NULL && reopen(a, aiot_bundle_at(all, file), true) != 0)
            return KIT_STEP_FETCH;
    } else {
        pause_after(a, *failures);
        wait_for_session(a);
    }
    if (a->fresh.first != NULL) {
        aiot_bundle_move(a->board, all, &a->fresh);
        return reopen(a, aiot_bundle_at(all, file), *refusals > 1);
    }
    return 0;
}

/* All bytes of that file into the slot. 0, CANCELLED, or the step of what failed. */
static int fetch(struct aiot_app *a, struct aiot_bundle *all, uint32_t file)
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

/* ---- over MQTT ---- */

static void on_block(void *handle, const aiot_mqtt_download_recv_t *packet, void *userdata)
{
    struct aiot_app *a = userdata;
    (void)handle;
    if (a->failed == 0)
        a->failed = kit_upgrade_write(&a->upgrade, packet->data.buffer, packet->data.len);
}

static void *open_mqtt_download(struct aiot_app *a, aiot_download_task_desc_t *task)
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
static int fetch_over_mqtt(struct aiot_app *a, aiot_download_task_desc_t *task)
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

/* ---- one announcement ---- */

static int fetch_file(struct aiot_app *a, struct aiot_bundle *all, uint32_t file)
{
    int rc = KIT_STEP_FETCH;
    if (all->first->protocol_type == AIOT_OTA_PROTOCOL_MQTT) {
        a->dl = open_mqtt_download(a, all->first);
        rc = a->dl != NULL ? fetch_over_mqtt(a, all->first) : rc;
        if (a->dl != NULL)
            (void)aiot_mqtt_download_deinit(&a->dl);
    } else {
        a->dl = open_download(a, aiot_bundle_at(all, file));
        rc = a->dl != NULL ? fetch(a, all, file) : rc;
        if (a->dl != NULL)
            (void)aiot_download_deinit(&a->dl);
    }
    return rc;
}

/* One file after the other, each held against its digest before the next one begins. */
static int fetch_files(struct aiot_app *a, struct aiot_bundle *all)
{
    const uint32_t n = aiot_bundle_files(all);
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

static int download(struct aiot_app *a, struct aiot_bundle *all)
{
    struct aiot_offer_room room;
    struct kit_offer o = aiot_bundle_offer(a->config, all, AIOT_OTARECV_FOTA, &room);
    int rc = kit_upgrade_begin(&a->upgrade, &o);
    a->failed = 0;
    a->base = 0;
    if (rc != 0)
        return rc;
    rc = aiot_bundle_files(all) > 1 ? fetch_files(a, all) : fetch_file(a, all, 0);
    return rc == 0 ? kit_upgrade_finish(&a->upgrade) : rc;
}

static void download_main(void *arg)
{
    struct aiot_app *a = arg;
    struct aiot_bundle all = a->next;
    a->next = (struct aiot_bundle){.first = NULL};
    int rc = download(a, &all);
    board_heap_event(a->board);
    if (rc == 0) {
        aiot_app_tell(a, all.first, kit_upgrade_progress(&a->upgrade, 100));
        board_sleep_ns(a->board, GOODBYE_MS * NS_PER_MS);
        KIT_EVENT(a->board, "reset", F_STR("version", a->upgrade.task.version));
        a->board->ops->reset(a->board);
    }
    if (rc == CANCELLED)
        kit_upgrade_abandon(&a->upgrade);
    else
        aiot_app_tell(a, all.first, kit_upgrade_fail(&a->upgrade, rc));
    aiot_bundle_drop(a->board, &all);
    aiot_bundle_drop(a->board, &a->fresh);
    a->cancel = false;
    a->running = false;
}

void aiot_app_download(struct aiot_app *a)
{
    struct board *b = a->board;
    if (a->next.first == NULL || a->running)
        return;
    struct board_task *t = b->ops->task_new(b, "download", download_main, a, STACK_BYTES, PRIORITY);
    if (t == NULL || b->ops->task_start(b, t) != 0) {
        kit_log(b, "no memory for the download task");
        aiot_bundle_drop(a->board, &a->next);
        return;
    }
    a->running = true;
}
