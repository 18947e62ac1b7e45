/* The service: MQTT, version, announcements, progress. */
#include "sim_device/agent/uota/ota_service.h"

#include <stdio.h>
#include <string.h>

#include "common/version.h"
#include "sim_device/agent/uota/uota.h"

#define PAYLOAD_MAX      256
#define PAUSE_MS         2000u
#define PAUSE_MAX_MS     60000u
#define REBOOT_MS        3000u
#define GOODBYE_MS       100u
#define PUSHES_PER_ROUND 16

/* ---- to the cloud ---- */

static void topic_of(char out[UOTA_TOPIC_MAX], const char *name)
{
    (void)snprintf(out, UOTA_TOPIC_MAX, "/ota/device/%s/%s/%s", name, ota_get_product_key(),
                   ota_get_device_name());
}

/* With the final zero, as the real client sends it. */
static bool publish(const char *name, char *payload)
{
    char topic[UOTA_TOPIC_MAX];
    topic_of(topic, name);
    return ota_hal_mqtt_publish(topic, 1, payload, (int)strlen(payload) + 1) == 0;
}

bool uota_report_version(struct uota *u)
{
    char payload[PAYLOAD_MAX];
    if (!u->logged_in)
        return false;
    (void)snprintf(payload, sizeof payload, "{\"id\":0,\"params\":{\"version\":\"%s\"}}",
                   ota_user_version());
    return publish("inform", payload);
}

static bool tell_step(int step, const char *text)
{
    char payload[PAYLOAD_MAX];
    UOTA_EVENT("progress", F_INT("step", step));
    (void)snprintf(payload, sizeof payload,
                   "{\"id\":0,\"params\":{\"step\": \"%d\",\"desc\":\"%s\"}}", step, text);
    return publish("progress", payload);
}

uint32_t uota_percent(const struct uota *u, uint32_t at)
{
    return (uint32_t)((uint64_t)at * 99 / u->task.size_bytes);
}

void uota_progress(struct uota *u, uint32_t percent)
{
    int step = (int)(percent / UOTA_STEP_GRID * UOTA_STEP_GRID);
    if (step <= u->last_step)
        return;
    u->last_step = step;
    (void)tell_step(step, "");
}

/* A failure that cannot be told now is owed. */
static void tell_failure(struct uota *u, enum uota_stage stage)
{
    int code = uota_code(stage);
    uota_state(stage);
    u->owed_step = tell_step(code, uota_code_text(stage)) ? 0 : code;
    if (u->owed_step != 0)
        uota_state(STAGE_TRANSPORT);
}

static void pay(struct uota *u)
{
    if (u->owed_step != 0 && u->logged_in && tell_step(u->owed_step, ""))
        u->owed_step = 0;
}

/* ---- from the cloud ---- */

static void *take_oldest(struct uota *u, int *len)
{
    if (u->inbox_count == 0)
        return NULL;
    void *payload = u->inbox[0];
    *len = u->inbox_bytes[0];
    u->inbox_count--;
    memmove(u->inbox, u->inbox + 1, u->inbox_count * sizeof u->inbox[0]);
    memmove(u->inbox_bytes, u->inbox_bytes + 1, u->inbox_count * sizeof u->inbox_bytes[0]);
    return payload;
}

/* Runs in the port's task: only keeps them. A late one must not displace a newer one unread. */
static void on_push(char *topic, int topic_len, void *payload, int payload_len, void *ctx)
{
    struct uota *u = ctx;
    (void)topic, (void)topic_len;
    if (payload_len <= 0)
        return;
    void *copy = ota_malloc((uint32_t)payload_len);
    if (copy == NULL)
        return;
    memcpy(copy, payload, (size_t)payload_len);
    ota_mutex_lock(u->lock);
    int len = 0;
    if (u->inbox_count == UOTA_INBOX)
        ota_free(take_oldest(u, &len));
    u->inbox[u->inbox_count] = copy;
    u->inbox_bytes[u->inbox_count++] = payload_len;
    ota_mutex_unlock(u->lock);
    ota_semaphore_post(u->bell);
}

int uota_listen(struct uota *u, uint32_t timeout_ms, struct ota_push *out)
{
    struct err err = {0};
    if (u->inbox_count == 0 && (timeout_ms == 0 || ota_semaphore_wait(u->bell, timeout_ms) != 0))
        return ERR_NOT_FOUND;
    ota_mutex_lock(u->lock);
    int len = 0;
    void *payload = take_oldest(u, &len);
    while (ota_semaphore_wait(u->bell, 0) == 0) /* those of older ones too */
        ;
    ota_mutex_unlock(u->lock);
    if (payload == NULL)
        return ERR_WRONG_STATE;
    int rc = ota_push_parse(out, payload, (size_t)len, &err);
    ota_free(payload);
    if (rc != 0) {
        uota_state(rc == ERR_UNSUPPORTED ? STAGE_PARAM : STAGE_PARSE);
        uota_log("announcement not taken: %s", err.text);
    }
    return rc == ERR_NOT_FOUND ? ERR_FORMAT : rc;
}

bool uota_same_image(const struct ota_push *a, const struct ota_push *b)
{
    return a->method == b->method && a->size_bytes == b->size_bytes &&
           strcmp(a->version, b->version) == 0 &&
           memcmp(a->digest, b->digest, digest_bytes(a->method)) == 0;
}

/* AliOS compares as text, over the length of the announced one. */
bool uota_is_newer(const char *version, const char *than)
{
    if (uota_config()->quirks.text_compare)
        return strncmp(version, than, strlen(version)) > 0;
    return version_compare(version, than) > 0;
}

/* ---- what is announced ---- */

static void refuse(struct uota *u, const struct ota_push *p, enum uota_stage stage, const char *why)
{
    uota_log("announcement of %.32s: %s", p->version, why);
    if (strcmp(u->refused, p->version) == 0)
        return;
    memcpy(u->refused, p->version, sizeof u->refused);
    tell_failure(u, stage);
}

static bool wanted(struct uota *u, const struct ota_push *p)
{
    const char *why = "";
    if (version_compare(p->version, ota_user_version()) == 0) {
        (void)uota_report_version(u); /* it runs already: the cloud may have missed it */
        return false;
    }
    if (!uota_is_newer(p->version, ota_user_version()))
        refuse(u, p, STAGE_VERSION, "not newer than what runs");
    else if (!ota_user_may_install(p->version, p->size_bytes, &why))
        refuse(u, p, STAGE_INIT, why);
    else if (strcmp(u->given_up, p->version) == 0)
        uota_log("announcement of %.32s: it failed often enough", p->version);
    else
        return true;
    return false;
}

static void begin_task(struct uota *u, const struct ota_push *p)
{
    const struct uota_quirks *q = &uota_config()->quirks;
    if (!uota_same_image(&u->task, p))
        u->last_step = 0;
    if (strcmp(u->task.version, p->version) != 0)
        u->failures = 0;
    u->task = *p;
    memset(&u->next, 0, sizeof u->next);
    if (q->step_100_first)
        (void)tell_step(100, "OTA init");
    if (q->step_100_first || q->step_0_first)
        (void)tell_step(0, "");
}

static void reboot_now(const struct uota *u)
{
    ota_msleep(REBOOT_MS);
    UOTA_EVENT("reset", F_STR("version", u->task.version));
    ota_reboot();
}

static void end_failed(struct uota *u, enum uota_stage stage)
{
    if (strcmp(u->given_up, u->task.version) != 0 && ++u->failures >= uota_config()->tries)
        memcpy(u->given_up, u->task.version, sizeof u->given_up);
    tell_failure(u, stage);
    if (uota_config()->quirks.failure_reboots)
        reboot_now(u);
}

/* Ends in a restart when it worked. */
static void take(struct uota *u, const struct ota_push *p)
{
    struct ota_push now = *p;
    while (now.size_bytes > 0) {
        begin_task(u, &now);
        enum uota_stage stage = uota_install(u);
        if (stage == STAGE_NONE) {
            u->last_step = 100;
            (void)tell_step(100, "");
            reboot_now(u);
            stage = STAGE_REBOOT; /* this port never comes here */
        }
        if (stage != STAGE_CANCELLED)
            end_failed(u, stage);
        now = u->next;
    }
}

/* ---- the thread ---- */

static bool try_to_log_in(struct uota *u)
{
    char topic[UOTA_TOPIC_MAX];
    topic_of(topic, "upgrade");
    /* The vendor's types are not const; nobody writes through them. */
    int rc = ota_hal_mqtt_init_instance(
        (char *)(uintptr_t)ota_get_product_key(), (char *)(uintptr_t)ota_get_device_name(),
        (char *)(uintptr_t)ota_get_device_secret(), OTA_MESSAGE_MAX);
    UOTA_EVENT("api", F_STR("call", "ota_hal_mqtt_init_instance"), F_INT("result", rc));
    if (rc != 0)
        uota_state(STAGE_TRANSPORT);
    if (rc == 0 && ota_hal_mqtt_subscribe(topic, on_push, u) == 0)
        return true;
    if (rc == 0)
        (void)ota_hal_mqtt_deinit_instance();
    return false;
}

/* Tries for about budget_ms, with a growing pause behind every failure. */
static bool log_in(struct uota *u, uint32_t budget_ms)
{
    uint32_t spent_ms = 0;
    while (!u->logged_in && spent_ms < budget_ms) {
        u->logged_in = try_to_log_in(u);
        if (u->logged_in)
            break;
        u->pause_ms = u->pause_ms == 0                 ? PAUSE_MS
                      : u->pause_ms < PAUSE_MAX_MS / 2 ? 2 * u->pause_ms
                                                       : PAUSE_MAX_MS;
        ota_msleep(u->pause_ms);
        spent_ms += u->pause_ms;
    }
    return u->logged_in;
}

static void listen_for(struct uota *u, uint32_t interval_ms)
{
    struct ota_push p;
    for (int i = 0; i < PUSHES_PER_ROUND; i++) {
        int rc = uota_listen(u, interval_ms, &p);
        if (rc == ERR_NOT_FOUND)
            return;
        if (rc == 0 && wanted(u, &p))
            take(u, &p);
    }
}

static void *service_main(void *arg)
{
    struct uota *u = arg;
    uint32_t interval_ms = 0, rounds = 0;
    bool reported = false;
    ota_user_schedule(&interval_ms, &rounds);
    for (uint32_t round = 0; round < rounds; round++) {
        if (!log_in(u, interval_ms))
            continue;
        pay(u);
        if (!reported && uota_report_version(u)) {
            reported = true;
            ota_user_reported();
        }
        listen_for(u, interval_ms);
    }
    if (u->logged_in && ota_hal_mqtt_deinit_instance() == 0)
        ota_msleep(GOODBYE_MS); /* it is on its way before the device sleeps */
    ota_user_done();
    return NULL;
}

void ota_service_init(void *something)
{
    struct uota *u = uota_self();
    hal_os_thread_param_t param = {.name = "ota"};
    (void)something;
    memset(u, 0, sizeof *u);
    u->lock = ota_mutex_init();
    u->bell = ota_semaphore_init();
    int rc = u->lock != NULL && u->bell != NULL
                 ? ota_thread_create(&u->thread, service_main, u, &param, NULL)
                 : -1;
    UOTA_EVENT("api", F_STR("call", "ota_service_init"), F_INT("result", rc));
    if (rc != 0)
        ota_user_done();
}
