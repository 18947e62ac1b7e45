/*
 * A power-on of the device: boot loader to its end, then the application of the vendor's demo.
 */
#include "sim_device/device.h"

#include <string.h>

#include "common/vtime.h"
#include "sim_device/agent/cmiot/agent.h"
#include "sim_device/agent/cmiot/cmiot_client.h"
#include "sim_device/agent/cmiot/cmiot_user.h"

#define BOOT_ATTEMPTS  3  /* at allocating the boot loader */
#define BACK_OFF_TIMES 10 /* check intervals to wait when the server asked for patience */

static int open_sockets(struct board *b)
{
    int n = 0;
    for (int fd = 0; fd < BOARD_SOCKETS; fd++)
        n += b->ops->sock_poll(b, fd, BOARD_WRITABLE, 0) >= 0;
    return n;
}

static void heap_event(struct board *b)
{
    BOARD_EVENT(b, LANE_DEVICE, "heap", F_INT("peak", b->heap.peak_bytes),
                F_INT("used", b->heap.used_bytes), F_INT("blocks", board_heap_blocks(b)),
                F_INT("sockets", open_sockets(b)));
    b->heap.peak_bytes = b->heap.used_bytes;
}

static void config_error(struct board *b, const char *text)
{
    BOARD_EVENT(b, LANE_DEVICE, "config", F_STR("error", text));
    b->ops->idle(b);
}

/* ---- boot loader ---- */

static struct boot_config boot_settings(const struct device_config *c, struct board *b)
{
    struct boot_config cfg = {
        .board = b,
        .download_offset = partition_find(&c->partitions, cmiot_download_name())->offset,
        .file_count = c->file_count,
        .compare_block_kib = c->compare_block_kib,
        .algorithm = c->algorithm,
        .ram_bytes = c->ram_bytes,
        .skip_verify = c->breaks.boot_skip_verify,
        .skip_backup = c->breaks.boot_skip_backup,
        .skip_journal = c->breaks.boot_skip_journal,
    };
    device_state_layout(c, &cfg.layout);
    memcpy(cfg.files, c->files, sizeof(cfg.files));
    return cfg;
}

/* Returns when the firmware may run. */
static void boot(const struct device_config *c, struct board *b)
{
    struct boot_config cfg = boot_settings(c, b);
    struct boot *loader = NULL;
    enum boot_result rc;
    for (int i = 0; i < BOOT_ATTEMPTS && loader == NULL; i++)
        loader = boot_new(&cfg);
    if (loader == NULL) {
        BOARD_EVENT(b, LANE_BOOT, "bricked", F_STR("reason", "no memory for the boot loader"));
        b->ops->idle(b);
    }
    do
        rc = boot_step(loader);
    while (rc == BOOT_MORE);
    boot_free(loader);
    heap_event(b);
    if (rc == BOOT_BRICKED)
        b->ops->idle(b);
}

/* ---- application ---- */

static cmiot_int8 told(struct board *b, const char *call, cmiot_int8 result)
{
    BOARD_EVENT(b, LANE_DEVICE, "api", F_STR("call", call), F_INT("result", result));
    heap_event(b);
    return result;
}

static void report(const struct device *d, struct board *b)
{
    for (uint32_t i = 0; i < d->config->tries; i++) {
        cmiot_int8 rc = told(b, "cmiot_report_upgrade", cmiot_report_upgrade());
        if (rc == E_CMIOT_SUCCESS || rc == E_CMIOT_NO_UPGRADE || d->back_off)
            return;
    }
}

static cmiot_int8 upgrade_once(const struct device *d, struct board *b)
{
    char version[CMIOT_VERSION_NAME_MAX];
    if (d->config->app == APP_ONE_KEY)
        return told(b, "cmiot_upgrade", cmiot_upgrade());
    cmiot_int8 rc = told(b, "cmiot_check_version", cmiot_check_version(version));
    if (d->config->app == APP_CHECK_FIRST && rc == E_CMIOT_SUCCESS)
        rc = told(b, "cmiot_only_upgrade", cmiot_only_upgrade());
    return rc;
}

/* True: a package is complete and waits for the restart. */
static bool upgrade(const struct device *d, struct board *b)
{
    for (uint32_t i = 0; i < d->config->tries; i++) {
        cmiot_int8 rc = upgrade_once(d, b);
        bool ready = rc == E_CMIOT_SUCCESS || rc == E_CMIOT_NEW_VERSION_EXIST;
        if (d->config->app == APP_CHECK_ONLY && (ready || rc == E_CMIOT_LAST_VERSION))
            return false;
        if (ready)
            return true;
        if (rc == E_CMIOT_LAST_VERSION || rc == E_CMIOT_PAKAGE_TOO_LARGE || d->back_off)
            return false;
    }
    return false;
}

static void application(struct device *d, struct board *b)
{
    const struct device_config *c = d->config;
    for (uint32_t round = 1; round <= c->rounds; round++) {
        bool patience = false;
        report(d, b);
        patience = d->back_off;
        if (!patience && upgrade(d, b)) {
            BOARD_EVENT(b, LANE_DEVICE, "reset", F_INT("round", round));
            b->ops->reset(b);
        }
        patience = patience || d->back_off;
        if (round < c->rounds)
            board_sleep_ns(b, (int64_t)c->check_interval_ms * NS_PER_MS *
                                  (patience ? BACK_OFF_TIMES : 1));
    }
    BOARD_EVENT(b, LANE_DEVICE, "idle", F_INT("rounds", c->rounds));
    b->ops->idle(b);
}

/* The version goes into requests, so it obeys the rule of configured versions. */
static bool usable_version(const char *version)
{
    size_t len = version != NULL ? strnlen(version, DEVICE_TEXT_MAX) : 0;
    for (size_t i = 0; i < len; i++)
        if (version[i] < ' ' || version[i] > '~' || version[i] == '"' || version[i] == '\\')
            return false;
    return len > 0 && len < DEVICE_TEXT_MAX && strcmp(version, "?") != 0;
}

void device_main(void *arg)
{
    const struct device_setup *setup = arg;
    const struct device_config *c = setup->config;
    struct board *b = setup->board;
    struct device software;
    struct err err;
    b->device = NULL;
    b->heap.limit_bytes = c->ram_bytes;
    b->heap.fail_at = c->alloc_fail_at;
    if (device_config_check(c, &err) != 0)
        config_error(b, err.text);
    boot(c, b);
    const char *version =
        setup->version_of_flash != NULL ? setup->version_of_flash(setup->version_ctx) : NULL;
    bool runs = usable_version(version);
    BOARD_EVENT(b, LANE_DEVICE, "start", F_STR("version", runs ? version : "?"));
    if (!runs)
        b->ops->idle(b);
    agent_start(b, &software, c, version);
    (void)cmiot_init();
    application(&software, b);
}
