/*
 * The application of a device with AliOS Things: starts the OTA service and answers what it asks.
 * The client's one window to the bench.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim_device/agent/uota/uota.h"

#define LOG_MAX 160

struct software {
    struct alios alios; /* first: the port looks for itself here */
    struct uota uota;
    const char *version;
    void *done;
};

static struct software *self(void)
{
    return (struct software *)alios_self();
}

struct uota *uota_self(void)
{
    return &self()->uota;
}

const struct device_config *uota_config(void)
{
    return alios_self()->config;
}

void uota_log(const char *fmt, ...)
{
    char text[LOG_MAX];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (len > 0)
        board_log(board_current(), text, len < LOG_MAX ? (size_t)len : LOG_MAX - 1);
}

const char *ota_user_version(void)
{
    return self()->version;
}

void ota_user_reported(void)
{
    struct slots *s = &alios_self()->slots;
    if (slots_on_trial(s))
        UOTA_EVENT("confirm", F_INT("ok", slots_confirm(s, NULL) == 0));
}

bool ota_user_may_install(const char *version, uint32_t size_bytes, const char **why)
{
    const struct slots *s = &alios_self()->slots;
    if (slots_was_refused(s, version) != NULL)
        *why = "it was given up before";
    else if (slots_may_update(s, NULL) != 0)
        *why = "the running image is on trial";
    else if (size_bytes > slots_partition(s, slots_inactive(s))->size_bytes)
        *why = "larger than the slot";
    else
        return true;
    return false;
}

void ota_user_schedule(uint32_t *interval_ms, uint32_t *rounds)
{
    *interval_ms = uota_config()->check_interval_ms;
    *rounds = uota_config()->rounds;
}

void ota_user_done(void)
{
    ota_semaphore_post(self()->done);
}

void uota_app(struct board *b, const struct device_config *c, const char *version)
{
    struct software software;
    struct err err;
    memset(&software, 0, sizeof software);
    software.version = version;
    if (alios_start(b, &software.alios, c, &err) != 0) {
        uota_log("%s", err.text);
        b->ops->idle(b);
    }
    software.done = ota_semaphore_init();
    ota_service_init(NULL);
    (void)ota_semaphore_wait(software.done, OTA_WAIT_FOREVER);
    board_heap_event(b);
    device_rounds_done(b, c);
}
