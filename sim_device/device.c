/*
 * A power-on of the device: boot loader to its end, then the application of its agent.
 */
#include "sim_device/device.h"

#include <string.h>

#include "common/vtime.h"
#include "sim_device/agent/cmiot/cmiot_user.h"

#define BOOT_ATTEMPTS     3 /* at allocating the boot loader */
#define CRASH_AFTER_NS    NS_PER_S
#define TRIAL_STACK_BYTES 16384

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
        .breaks = c->breaks.boot,
    };
    device_state_layout(c, &cfg.layout);
    memcpy(cfg.files, c->files, sizeof(cfg.files));
    return cfg;
}

/* In place. Returns when the firmware may run. */
static void boot_restore(const struct device_config *c, struct board *b)
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
    board_heap_event(b);
    if (rc == BOOT_BRICKED)
        b->ops->idle(b);
}

void device_slots_config(const struct device_config *c, struct board *b, struct slots_config *out)
{
    *out = (struct slots_config){.board = b,
                                 .partitions = &c->partitions,
                                 .trial_boots_max = c->trial_boots_max,
                                 .breaks = c->mqtt_breaks.slots};
}

/* Two slots. Returns when the firmware may run. */
static void boot_slots(const struct device_config *c, struct board *b)
{
    struct slots_config cfg;
    struct slots_boot loader;
    enum boot_result rc;
    device_slots_config(c, b, &cfg);
    slots_boot_begin(&loader, &cfg);
    do
        rc = slots_boot_step(&loader);
    while (rc == BOOT_MORE);
    board_heap_event(b);
    if (rc == BOOT_BRICKED)
        b->ops->idle(b);
}

/* ---- what an image does ---- */

static const struct device_image_rule *image_rule(const struct device_config *c,
                                                  const char *version)
{
    for (uint32_t i = 0; i < c->n_images; i++) {
        const char *of = c->images[i].version;
        if (of[0] == '\0' ? strcmp(version, c->firmware_version) != 0 : strcmp(version, of) == 0)
            return &c->images[i];
    }
    return NULL;
}

static bool open_slots(struct board *b, const struct device_config *c, struct slots *s)
{
    struct slots_config cfg;
    device_slots_config(c, b, &cfg);
    return slots_open(s, &cfg, NULL) == 0;
}

void device_rounds_done(struct board *b, const struct device_config *c)
{
    struct slots s;
    if (open_slots(b, c, &s) && slots_on_trial(&s)) {
        BOARD_EVENT(b, LANE_DEVICE, "trial", F_STR("state", "expired"));
        b->ops->reset(b);
    }
    BOARD_EVENT(b, LANE_DEVICE, "idle", F_INT("rounds", c->rounds));
    b->ops->idle(b);
}

/* A trial that is not confirmed in time ends in a reset, whatever the application waits for. */
static void trial_task(void *arg)
{
    const struct device_setup *setup = arg;
    struct board *b = setup->board;
    struct slots s;
    board_sleep_ns(b, (int64_t)setup->config->confirm_deadline_ms * NS_PER_MS);
    if (!open_slots(b, setup->config, &s) || !slots_on_trial(&s))
        return;
    BOARD_EVENT(b, LANE_DEVICE, "trial", F_STR("state", "expired"));
    b->ops->reset(b);
}

static void watch_trial(const struct device_setup *setup)
{
    struct board *b = setup->board;
    struct slots s;
    if (!open_slots(b, setup->config, &s) || !slots_on_trial(&s))
        return;
    struct board_task *t = b->ops->task_new(b, "trial", trial_task, (void *)(uintptr_t)setup,
                                            TRIAL_STACK_BYTES, BOARD_MAIN_PRIORITY - 1);
    if (t != NULL && b->ops->task_start(b, t) == 0)
        return;
    /* Unwatched it could stay on trial for ever: a start that counts as failed. */
    BOARD_EVENT(b, LANE_DEVICE, "trial", F_STR("state", "unwatched"));
    b->ops->reset(b);
}

static void crash(const struct device_setup *setup)
{
    board_sleep_ns(setup->board, CRASH_AFTER_NS);
    setup->board->ops->reset(setup->board);
}

static void hang(const struct device_setup *setup)
{
    board_sleep_ns(setup->board, (int64_t)setup->config->watchdog_ms * NS_PER_MS);
    setup->board->ops->reset(setup->board);
}

/* On trial the deadline ends this; a confirmed image stays so for ever. */
static void never_connect(const struct device_setup *setup)
{
    board_sleep_ns(setup->board, (int64_t)setup->config->confirm_deadline_ms * NS_PER_MS);
    device_rounds_done(setup->board, setup->config);
}

static void fail_self_test(const struct device_setup *setup)
{
    struct slots s;
    if (open_slots(setup->board, setup->config, &s) && slots_rollback(&s, NULL) == 0)
        setup->board->ops->reset(setup->board);
}

static void meet_fate(const struct device_setup *setup, const char *version)
{
    static void (*const fates[])(const struct device_setup *setup) = {
        [IMAGE_CRASHES] = crash,
        [IMAGE_HANGS] = hang,
        [IMAGE_NEVER_CONNECTS] = never_connect,
        [IMAGE_ROLLS_BACK] = fail_self_test,
    };
    const struct device_image_rule *rule = image_rule(setup->config, version);
    if (rule == NULL || rule->fate == IMAGE_RUNS)
        return;
    BOARD_EVENT(setup->board, LANE_DEVICE, "image", F_STR("version", version),
                F_STR("fate", device_image_fate_name(rule->fate)));
    fates[rule->fate](setup);
}

/* ---- the agents ---- */

struct agent_kind {
    void (*boot)(const struct device_config *c, struct board *b);
    device_application *app;
    bool slots;
};

static const struct agent_kind agents[DEVICE_AGENTS] = {
    [AGENT_CMIOT] = {boot_restore, cmiot_app, false},
    [AGENT_IOT_OTA] = {boot_slots, iot_ota_app, true},
    [AGENT_AIOT] = {boot_slots, aiot_app, true},
    [AGENT_UOTA] = {boot_slots, uota_app, true},
};

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
    struct err err;
    b->device = NULL;
    b->heap.limit_bytes = c->ram_bytes;
    b->heap.fail_at = c->alloc_fail_at;
    if (device_config_check(c, &err) != 0)
        config_error(b, err.text);
    const struct agent_kind *agent = &agents[c->agent];
    if (agent->app == NULL)
        config_error(b, "agent: this program was built without its application");
    agent->boot(c, b);
    const char *version =
        setup->version_of_flash != NULL ? setup->version_of_flash(setup->version_ctx) : NULL;
    bool runs = usable_version(version);
    BOARD_EVENT(b, LANE_DEVICE, "start", F_STR("version", runs ? version : "?"));
    if (!runs)
        b->ops->idle(b);
    if (agent->slots) {
        watch_trial(setup);
        meet_fate(setup, version);
    }
    agent->app(b, c, version);
}
