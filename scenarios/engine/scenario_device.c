/*
 * "device": the configuration and its flash. Everything is one object in the file; chip, partitions
 * and files follow from a handful of sizes unless they are told.
 *
 * What the device itself must refuse (device_config_check) is allowed here: that is a scenario too.
 */
#include <stdio.h>
#include <string.h>

#include "common/signature_keys.h"
#include "scenarios/engine/scenario_format.h"
#include "sim_device/board/sim_tls.h"

#define MQTTS_PORT             8883
#define DEFAULT_APP_BYTES      0x40000u
#define DEFAULT_DOWNLOAD_BYTES 0xA0000u
#define DEFAULT_USER_BYTES     0x10000u

/* In the order of their addresses. CMS-OTA has the first three; the others have two slots. */
enum { PART_APP, PART_DOWNLOAD, PART_APP2 = PART_DOWNLOAD, PART_USER, PART_SLOTS, PART_KV };
static const char *const cms_parts[] = {"app", "download", "user"};
static const char *const slot_parts[] = {"app", "app2", "user", "slots", "kv"};
#define CMS_PARTS  (sizeof cms_parts / sizeof cms_parts[0])
#define SLOT_PARTS (sizeof slot_parts / sizeof slot_parts[0])

static const char *agent_word(int index)
{
    static const char *const words[DEVICE_AGENTS] = {
        [AGENT_CMIOT] = "cmiot",
        [AGENT_IOT_OTA] = "iot-ota",
        [AGENT_AIOT] = "aiot",
        [AGENT_UOTA] = "uota",
    };
    return index < DEVICE_AGENTS ? words[index] : NULL;
}

static const char *pick(const char *const *words, size_t n, int index)
{
    return (size_t)index < n ? words[index] : NULL;
}

static const char *variant_word(int index)
{
    static const char *const words[] = {"direct", "cms"};
    return pick(words, 2, index);
}

static const char *personality_word(int index)
{
    static const char *const words[] = {"safe", "vendor"};
    return pick(words, 2, index);
}

static const char *app_word(int index)
{
    static const char *const words[] = {"one-key", "check-first", "check-only"};
    return pick(words, 3, index);
}

/* ---- chip ---- */

const char *chip_word(int index)
{
    const struct nor_geometry *geo = nor_geometry_at((size_t)index);
    return geo != NULL ? geo->name : NULL;
}

static int chip_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    const char *words[WORDS_MAX];
    size_t n = 0;
    int index = 0;
    while (n < WORDS_MAX && (words[n] = chip_word((int)n)) != NULL)
        n++;
    int rc = json_get_word(r->root, obj, f->key, words, n, &index, r->err);
    if (rc == 0)
        ((struct scenario *)base)->device.geometry = *nor_geometry_at((size_t)index);
    return rc;
}

static void chip_write(struct writer *w, const struct field *f, const void *base)
{
    write_text(w, f->key, ((const struct scenario *)base)->device.geometry.name);
}

/* ---- files ---- */

/* Files share "app" evenly, one behind the other, unless they are placed. */
static void file_init(const struct reader *r, void *item, uint32_t index)
{
    struct boot_file *file = item;
    const struct device_config *c = &r->s->device;
    uint32_t unit = c->geometry.erase_bytes;
    uint32_t share = c->partitions.part[PART_APP].size_bytes / c->file_count;
    memset(file, 0, sizeof *file);
    if (index == 0)
        (void)snprintf(file->name, sizeof file->name, "app.bin");
    else
        (void)snprintf(file->name, sizeof file->name, "file%u.bin", index + 1);
    file->address = index > 0 ? file[-1].address + file[-1].area_bytes : 0;
    file->area_bytes = share < unit ? unit : share - share % unit;
}

static void files_absent(const struct reader *r)
{
    r->s->device.file_count = 1;
    file_init(r, &r->s->device.files[0], 0);
}

static const struct field file_fields[] = {
    {"name", FIELD_TEXT, MEMBER(struct boot_file, name), .min = 1},
    {"address", FIELD_SIZE, MEMBER(struct boot_file, address), .max = UINT32_MAX},
    {"area_bytes", FIELD_SIZE, MEMBER(struct boot_file, area_bytes), .min = 1, .max = UINT32_MAX},
};
const struct table file_table = {.name = "file",
                                 COUNTED(file_fields),
                                 .item_bytes = sizeof(struct boot_file),
                                 .init = file_init,
                                 .absent = files_absent};

/* ---- device ---- */

static void device_defaults(struct device_config *c, enum device_agent agent)
{
    device_config_default_for(c, agent);
    const bool slots = agent != AGENT_CMIOT;
    c->geometry = *nor_geometry_at(0);
    memset(&c->partitions, 0, sizeof c->partitions);
    memset(c->files, 0, sizeof c->files);
    memset(c->firmware_version, 0, sizeof c->firmware_version);
    c->file_count = 0;
    c->partitions.count = slots ? SLOT_PARTS : CMS_PARTS;
    for (size_t i = 0; i < c->partitions.count; i++)
        (void)snprintf(c->partitions.part[i].name, PARTITION_NAME_MAX, "%s",
                       slots ? slot_parts[i] : cms_parts[i]);
    c->partitions.part[PART_APP].size_bytes = DEFAULT_APP_BYTES;
    c->partitions.part[PART_USER].size_bytes = DEFAULT_USER_BYTES;
    if (!slots)
        c->partitions.part[PART_DOWNLOAD].size_bytes = DEFAULT_DOWNLOAD_BYTES;
    c->update_bytes = 0;
}

static void device_init(const struct reader *r, void *item, uint32_t index)
{
    (void)item;
    (void)index;
    device_defaults(&r->s->device, AGENT_CMIOT);
}

/* The agent decides about all defaults, so it is read first. */
static int device_decide(const struct reader *r, const cJSON *obj, void *item)
{
    (void)item;
    const char *words[DEVICE_AGENTS];
    int agent = AGENT_CMIOT;
    for (int i = 0; i < DEVICE_AGENTS; i++)
        words[i] = agent_word(i);
    if (cJSON_GetObjectItemCaseSensitive(obj, "agent") == NULL)
        return 0;
    int rc = json_get_word(r->root, obj, "agent", words, DEVICE_AGENTS, &agent, r->err);
    if (rc == 0)
        device_defaults(&r->s->device, (enum device_agent)agent);
    return rc;
}

static int device_kind_of(const void *item)
{
    return (int)((const struct scenario *)item)->device.agent;
}

/* Where a file of the factory image would lie must exist; the rest is for the device to judge. */
static int check_files(const struct reader *r, const cJSON *obj, const struct device_config *c)
{
    const cJSON *files = cJSON_GetObjectItemCaseSensitive(obj, "files");
    for (uint32_t i = 0; i < c->file_count; i++) {
        const struct boot_file *f = &c->files[i];
        if (f->address >= c->geometry.size_bytes ||
            f->area_bytes > c->geometry.size_bytes - f->address)
            return json_error(r->root, files != NULL ? files : obj, r->err,
                              "file %s: address 0x%x plus area 0x%x is beyond the chip's end 0x%x",
                              f->name, f->address, f->area_bytes, c->geometry.size_bytes);
    }
    return 0;
}

/* Files of a slot are made into one image, so they lie in order. */
static int check_slot_files(const struct reader *r, const cJSON *obj, const struct device_config *c)
{
    const cJSON *files = cJSON_GetObjectItemCaseSensitive(obj, "files");
    const uint32_t unit = c->geometry.erase_bytes, slot = c->partitions.part[PART_APP].size_bytes;
    if (c->file_count > PACKAGE_FILES_MAX)
        return json_error(r->root, files, r->err, "has %u files, must be at most %u", c->file_count,
                          PACKAGE_FILES_MAX);
    for (uint32_t i = 0, at = 0; i < c->file_count && c->file_count > 1; i++) {
        const struct boot_file *f = &c->files[i];
        if (f->address < at || f->address % unit != 0 || f->area_bytes % unit != 0 ||
            f->address > slot || f->area_bytes > slot - f->address)
            return json_error(r->root, cJSON_GetArrayItem(files, (int)i), r->err,
                              "file %s: address 0x%x and area 0x%x must be whole erase units of "
                              "0x%x, behind the file before it and inside the slot of 0x%x",
                              f->name, f->address, f->area_bytes, unit, slot);
        at = f->address + f->area_bytes;
    }
    return 0;
}

static int device_check(const struct reader *r, const cJSON *obj, void *item)
{
    (void)item;
    struct device_config *c = &r->s->device;
    if (c->geometry.size_bytes % c->geometry.erase_bytes != 0)
        return json_error(r->root, obj, r->err,
                          "\"chip_bytes\" is 0x%x, must be a multiple of the erase unit 0x%x of %s",
                          c->geometry.size_bytes, c->geometry.erase_bytes, c->geometry.name);
    struct partition *part = c->partitions.part;
    uint32_t at = 0;
    if (c->agent != AGENT_CMIOT) {
        part[PART_APP2].size_bytes = part[PART_APP].size_bytes;
        for (int i = PART_SLOTS; i <= PART_KV; i++)
            if (part[i].size_bytes == 0)
                part[i].size_bytes = 2 * c->geometry.erase_bytes;
        if (c->file_count <= 1)
            files_absent(r); /* the slot is one image */
        int rc = check_slot_files(r, obj, c);
        if (rc != 0)
            return rc;
    }
    for (size_t i = 0; i < c->partitions.count; i++) {
        c->partitions.part[i].offset = at;
        at += c->partitions.part[i].size_bytes + c->geometry.erase_bytes; /* and a guard */
    }
    struct err why = {{0}};
    if (partition_check(&c->partitions, &c->geometry, &why) != 0)
        return json_error(r->root, obj, r->err, "%s", why.text);
    if (c->update_bytes == 0 && c->agent == AGENT_CMIOT)
        c->update_bytes = c->partitions.part[PART_DOWNLOAD].size_bytes;
    c->segment_retries = c->try_count;
    if (c->tls && cJSON_GetObjectItemCaseSensitive(obj, "mqtt_port") == NULL)
        c->mqtt_port = MQTTS_PORT;
    c->ca_pem = c->tls ? sim_tls_ca_pem : NULL;
    c->image_key_pem = c->agent == AGENT_UOTA ? signature_public_pem : NULL;
    return check_files(r, obj, c);
}

#define DEVICE(m)      MEMBER(struct scenario, device.m)
#define NUMBER(m, top) FIELD_INT, DEVICE(m), .max = (top)
#define TEXT(m)        FIELD_TEXT, DEVICE(m)
#define BYTES(m)       FIELD_SIZE, DEVICE(m), .min = 1, .max = CHIP_BYTES_MAX

/* The order is the order of reading: sizes before the files that share them. */
static const struct field device_fields[] = {
    {"agent", FIELD_WORD, DEVICE(agent), .word = agent_word},
    {"variant", FIELD_WORD, DEVICE(variant), .word = variant_word},
    {"personality", FIELD_WORD, DEVICE(personality), .word = personality_word},
    {"product_id", TEXT(product_id)},
    {"product_key", TEXT(product_key)},
    {"did", TEXT(did)},
    {"device_secret", TEXT(device_secret)},
    {"module", TEXT(module)},
    {"sub_device", TEXT(sub_device)},
    {"sub_version", TEXT(sub_version)},
    {"mqtt_host", TEXT(mqtt_host)},
    {"mqtt_port", NUMBER(mqtt_port, UINT16_MAX)},
    {"tls", FIELD_BOOL, DEVICE(tls)},
    {"keep_alive_s", NUMBER(keep_alive_s, UINT16_MAX)},
    {"oid", TEXT(oid)},
    {"oem", TEXT(oem)},
    {"model", TEXT(model)},
    {"platform", TEXT(platform)},
    {"device_type", TEXT(device_type)},
    {"network_type", TEXT(network_type)},
    {"host", TEXT(host)},
    {"port", NUMBER(port, UINT16_MAX)},
    {"try_time_ms", NUMBER(try_time_ms, UINT32_MAX)},
    {"try_count", NUMBER(try_count, UINT8_MAX)},
    {"network_protocol", NUMBER(network_protocol, UINT8_MAX)},
    {"algorithm", NUMBER(algorithm, UINT8_MAX)},
    {"segment_index", NUMBER(segment_index, UINT8_MAX)},
    {"compare_block_kib", NUMBER(compare_block_kib, UINT16_MAX)},
    {"ram_bytes", FIELD_SIZE, DEVICE(ram_bytes), .max = UINT32_MAX},
    {"chip", FIELD_SPECIAL, .read = chip_read, .write = chip_write},
    {"chip_bytes", BYTES(geometry.size_bytes)},
    {"write_back_ops", NUMBER(geometry.write_back_ops, NOR_WRITE_BACK_MAX)},
    {"app_bytes", BYTES(partitions.part[PART_APP].size_bytes)},
    {"slots_bytes", BYTES(partitions.part[PART_SLOTS].size_bytes)},
    {"kv_bytes", BYTES(partitions.part[PART_KV].size_bytes)},
    {"download_bytes", BYTES(partitions.part[PART_DOWNLOAD].size_bytes)},
    {"user_bytes", BYTES(partitions.part[PART_USER].size_bytes)},
    {"update_bytes", FIELD_SIZE, DEVICE(update_bytes), .min = 1, .max = UINT32_MAX},
    {"files", FIELD_LIST, DEVICE(files), .table = &file_table, .min = 1,
     .max = PACKAGE_FILES_MAX + 1, .count_offset = offsetof(struct scenario, device.file_count)},
    {"app", FIELD_WORD, DEVICE(app), .word = app_word},
    {"tries", FIELD_INT, DEVICE(tries), .min = 1, .max = 1000},
    {"rounds", FIELD_INT, DEVICE(rounds), .min = 1, .max = 1000},
    {"check_interval_ms", NUMBER(check_interval_ms, UINT32_MAX)},
    {"trial_boots_max", NUMBER(trial_boots_max, UINT32_MAX)},
    {"confirm_deadline_ms", NUMBER(confirm_deadline_ms, UINT32_MAX)},
    {"watchdog_ms", NUMBER(watchdog_ms, UINT32_MAX)},
    {"keep_offset", FIELD_BOOL, DEVICE(keep_offset)},
    {"range_bytes", FIELD_SIZE, DEVICE(range_bytes), .max = CHIP_BYTES_MAX},
    {"cancel_at_percent", NUMBER(cancel_at_percent, 99)},
    {"image_trailer", FIELD_BOOL, DEVICE(image_trailer)},
    {"signature_required", FIELD_BOOL, DEVICE(signature_required)},
    {"fates", FIELD_LIST, DEVICE(images), .table = &fate_table, .max = DEVICE_IMAGE_RULES_MAX,
     .count_offset = offsetof(struct scenario, device.n_images)},
    {"alloc_fail_at", FIELD_SIZE, DEVICE(alloc_fail_at), .max = EXACT_MAX},
    {"base_altered", FIELD_BOOL, MEMBER(struct scenario, base_altered)},
    {"breaks", FIELD_SPECIAL, .read = breaks_read, .write = breaks_write},
    {"quirks", FIELD_SPECIAL, .read = quirks_read, .write = quirks_write},
};

#define CMS_KEY(key)                                                                               \
    {                                                                                              \
        AGENT_CMIOT, key, false                                                                    \
    }
/* clang-format off */
#define SLOT_KEY(key) {AGENT_IOT_OTA, key, false}, {AGENT_AIOT, key, false}, {AGENT_UOTA, key, false}
/* clang-format on */
static const struct key_use device_uses[] = {
    CMS_KEY("variant"),
    CMS_KEY("personality"),
    CMS_KEY("product_key"),
    CMS_KEY("oid"),
    CMS_KEY("oem"),
    CMS_KEY("model"),
    CMS_KEY("platform"),
    CMS_KEY("device_type"),
    CMS_KEY("network_type"),
    CMS_KEY("host"),
    CMS_KEY("port"),
    CMS_KEY("network_protocol"),
    CMS_KEY("algorithm"),
    CMS_KEY("segment_index"),
    CMS_KEY("compare_block_kib"),
    CMS_KEY("download_bytes"),
    CMS_KEY("update_bytes"),
    CMS_KEY("files"),
    {AGENT_AIOT, "files", false},
    CMS_KEY("app"),
    CMS_KEY("base_altered"),
    SLOT_KEY("device_secret"),
    SLOT_KEY("module"),
    SLOT_KEY("sub_device"),
    SLOT_KEY("sub_version"),
    SLOT_KEY("mqtt_host"),
    SLOT_KEY("mqtt_port"),
    SLOT_KEY("tls"),
    SLOT_KEY("keep_alive_s"),
    SLOT_KEY("slots_bytes"),
    SLOT_KEY("kv_bytes"),
    SLOT_KEY("trial_boots_max"),
    SLOT_KEY("confirm_deadline_ms"),
    SLOT_KEY("watchdog_ms"),
    SLOT_KEY("fates"),
    SLOT_KEY("quirks"),
    SLOT_KEY("keep_offset"),
    SLOT_KEY("range_bytes"),
    SLOT_KEY("cancel_at_percent"),
    {AGENT_UOTA, "image_trailer", false},
    {AGENT_UOTA, "signature_required", false},
};
const struct table device_table = {.name = "device",
                                   COUNTED(device_fields),
                                   .init = device_init,
                                   .decide = device_decide,
                                   .kind_of = device_kind_of,
                                   .kind_word = agent_word,
                                   USES(device_uses),
                                   .check = device_check};
