/* The configuration by agent: names, defaults and checks of devices with two slots. */
#include <string.h>

#include "sim_device/agent/cmiot/device_text.h"
#include "sim_device/device.h"
#include "sim_device/store/kv.h"

#define KEEP_ALIVE_MIN 30 /* seconds; what the cloud accepts (aliyun.md 2) */
#define KEEP_ALIVE_MAX 1200
#define TRIALS_MAX     16
#define WAIT_MAX_MS    86400000u

const char *device_agent_name(enum device_agent agent)
{
    static const char *const names[DEVICE_AGENTS] = {"cmiot", "iot_ota", "aiot", "uota"};
    return (unsigned)agent < DEVICE_AGENTS ? names[agent] : "unknown";
}

const char *device_image_fate_name(enum device_image_fate fate)
{
    static const char *const names[] = {"runs", "crashes", "hangs", "never-connects", "rolls-back"};
    return fate <= IMAGE_ROLLS_BACK ? names[fate] : "unknown";
}

void device_config_default_for(struct device_config *c, enum device_agent agent)
{
    device_config_default(c);
    c->agent = agent;
    if (agent == AGENT_CMIOT)
        return;
    static const struct partition parts[] = {{"app", 0x10000, 0x80000},
                                             {"app2", 0x90000, 0x80000},
                                             {"slots", 0x110000, 0x2000},
                                             {"kv", 0x112000, 0x2000},
                                             {"user", 0x120000, 0x10000}};
    c->partitions = (struct partition_table){.count = sizeof parts / sizeof parts[0]};
    memcpy(c->partitions.part, parts, sizeof parts);
    c->files[0] = (struct boot_file){.name = "app.bin", .address = 0x10000, .area_bytes = 0x80000};
    c->file_count = 1;
    memcpy(c->product_id, "a1OtaBench1", sizeof "a1OtaBench1");
    memcpy(c->did, "device1", sizeof "device1");
    memcpy(c->device_secret, "0123456789abcdef0123456789abcdef", 33);
    memcpy(c->mqtt_host, "a1OtaBench1.iot-as-mqtt.cn-shanghai.aliyuncs.com",
           sizeof "a1OtaBench1.iot-as-mqtt.cn-shanghai.aliyuncs.com");
    c->mqtt_port = 1883;
    c->keep_alive_s = 60;
    c->trial_boots_max = SLOTS_TRIAL_DEFAULT;
    c->confirm_deadline_ms = 600000;
    c->watchdog_ms = 30000;
}

/* ---- checks ---- */

static const struct text_rule text_rules[] = {
    TEXT_RULE(product_id, 1, DEVICE_TEXT_MAX - 1, CHARS_ID),
    TEXT_RULE(did, 1, DEVICE_TEXT_MAX - 1, CHARS_TEXT),
    TEXT_RULE(device_secret, 1, DEVICE_TEXT_MAX - 1, CHARS_ID),
    TEXT_RULE(module, 0, DEVICE_TEXT_MAX - 1, CHARS_ID),
    TEXT_RULE(sub_device, 0, DEVICE_TEXT_MAX - 1, CHARS_ID),
    TEXT_RULE(sub_version, 0, DEVICE_TEXT_MAX - 1, CHARS_TEXT),
    TEXT_RULE(mqtt_host, 1, 2 * DEVICE_TEXT_MAX - 1, CHARS_ID),
    TEXT_RULE(firmware_version, 1, PACKAGE_NAME_MAX - 1, CHARS_TEXT),
};

static int check_range(const char *name, uint32_t value, uint32_t min, uint32_t max,
                       struct err *err)
{
    if (value >= min && value <= max)
        return 0;
    return err_set(err, ERR_ARG, "%s: is %u, must be %u..%u", name, (unsigned)value, (unsigned)min,
                   (unsigned)max);
}

static int check_numbers(const struct device_config *c, struct err *err)
{
    const struct {
        const char *name;
        uint32_t value, min, max;
    } rows[] = {
        {"mqtt_port", c->mqtt_port, 1, UINT16_MAX},
        {"keep_alive_s", c->keep_alive_s, KEEP_ALIVE_MIN, KEEP_ALIVE_MAX},
        {"trial_boots_max", c->trial_boots_max, 1, TRIALS_MAX},
        {"confirm_deadline_ms", c->confirm_deadline_ms, 1, WAIT_MAX_MS},
        {"watchdog_ms", c->watchdog_ms, 1, WAIT_MAX_MS},
        {"try_time_ms", c->try_time_ms, 1, 600000},
        {"tries", c->tries, 1, UINT32_MAX},
        {"ram_bytes", c->ram_bytes, 1, UINT32_MAX},
        {"images", c->n_images, 0, DEVICE_IMAGE_RULES_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (check_range(rows[i].name, rows[i].value, rows[i].min, rows[i].max, err) != 0)
            return ERR_ARG;
    if (c->keep_offset && c->agent != AGENT_AIOT)
        return err_set(err, ERR_ARG, "keep_offset: only aiot has an API that begins elsewhere");
    if (c->range_bytes > 0 && c->agent != AGENT_AIOT)
        return err_set(err, ERR_ARG, "range_bytes: only aiot has an API with an end of the range");
    if (c->cancel_at_percent > 0 && c->agent == AGENT_UOTA)
        return err_set(err, ERR_ARG, "cancel_at_percent: this client has nothing to cancel with");
    if (c->cancel_at_percent > 99)
        return err_set(err, ERR_ARG, "cancel_at_percent: is %u, must be 0..99",
                       (unsigned)c->cancel_at_percent);
    if (c->tls && c->ca_pem == NULL)
        return err_set(err, ERR_ARG, "tls: needs the certificate of a CA (ca_pem)");
    for (uint32_t i = 0; i < c->n_images; i++)
        if ((unsigned)c->images[i].fate > IMAGE_ROLLS_BACK)
            return err_set(err, ERR_ARG,
                           "images[%u]: is %d, must be runs, crashes, hangs, never-connects or "
                           "rolls-back",
                           (unsigned)i, (int)c->images[i].fate);
    return 0;
}

static int check_flash(const struct device_config *c, struct err *err)
{
    if (partition_check(&c->partitions, &c->geometry, err) != 0)
        return err_prefix(err, ERR_ARG, "partitions");
    if (slots_check(&c->geometry, &c->partitions, err) != 0)
        return ERR_ARG;
    return kv_check(&c->geometry, &c->partitions, err);
}

/* Areas of the files of a slot: one behind the other, in whole erase units. */
static int check_slot_files(const struct device_config *c, struct err *err)
{
    const struct partition *p = partition_find(&c->partitions, "app");
    const uint32_t unit = c->geometry.erase_bytes;
    uint32_t at = 0;
    if (c->file_count <= 1)
        return 0;
    if (c->agent != AGENT_AIOT || c->file_count > PACKAGE_FILES_MAX)
        return err_set(err, ERR_ARG, "files: are %u, must be 1, or up to %u of aiot",
                       (unsigned)c->file_count, PACKAGE_FILES_MAX);
    for (uint32_t i = 0; i < c->file_count; i++) {
        const struct boot_file *f = &c->files[i];
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(c->files[k].name, f->name) == 0)
                return err_set(err, ERR_ARG, "files[%u]: %s is named twice", (unsigned)i, f->name);
        if (f->name[0] == '\0' || f->address % unit != 0 || f->area_bytes % unit != 0 ||
            f->area_bytes == 0 || f->address < at || f->address > p->size_bytes ||
            f->area_bytes > p->size_bytes - f->address)
            return err_set(err, ERR_ARG,
                           "files[%u]: address 0x%x and area 0x%x must be whole erase units of "
                           "0x%x, behind the file before it and inside the slot of 0x%x",
                           (unsigned)i, (unsigned)f->address, (unsigned)f->area_bytes,
                           (unsigned)unit, (unsigned)p->size_bytes);
        at = f->address + f->area_bytes;
    }
    return 0;
}

static int check_two_slots(const struct device_config *c, struct err *err)
{
    int rc = device_text_check(c, text_rules, sizeof text_rules / sizeof text_rules[0], err);
    if (rc == 0)
        rc = check_numbers(c, err);
    if (rc == 0)
        rc = check_flash(c, err);
    return rc == 0 ? check_slot_files(c, err) : rc;
}

int device_config_check(const struct device_config *c, struct err *err)
{
    if ((unsigned)c->agent >= DEVICE_AGENTS)
        return err_set(err, ERR_ARG, "agent: is %d, must be cmiot, iot_ota, aiot or uota",
                       (int)c->agent);
    return c->agent == AGENT_CMIOT ? cmiot_config_check(c, err) : check_two_slots(c, err);
}
