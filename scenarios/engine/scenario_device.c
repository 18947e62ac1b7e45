/*
 * "device": the configuration and its flash. Everything is one object in the file; chip, partitions
 * and files follow from a handful of sizes unless they are told.
 *
 * What the device itself must refuse (device_config_check) is allowed here: that is a scenario too.
 */
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/scenario_format.h"

#define DEFAULT_APP_BYTES      0x40000u
#define DEFAULT_DOWNLOAD_BYTES 0xA0000u
#define DEFAULT_USER_BYTES     0x10000u

enum { PART_APP, PART_DOWNLOAD, PART_USER, PART_COUNT };
static const char *const part_names[PART_COUNT] = {"app", "download", "user"};

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

/* ---- breaks ---- */

#define BREAK(word, member)                                                                        \
    {                                                                                              \
        word, offsetof(struct device_breaks, member)                                               \
    }
static const struct {
    const char *word;
    size_t offset;
} breaks[] = {
    BREAK("skip-digest", skip_digest),
    BREAK("resume-too-far", resume_too_far),
    BREAK("no-journal", no_journal),
    BREAK("mark-before-write", mark_before_write),
    BREAK("ignore-range", ignore_range),
    BREAK("endless-retry", endless_retry),
    BREAK("report-before-verify", report_before_verify),
    BREAK("forget-report", forget_report),
    BREAK("accept-any-status", accept_any_status),
    BREAK("no-size-limit", no_size_limit),
    BREAK("pending-before-verify", pending_before_verify),
    BREAK("resume-any-package", resume_any_package),
    BREAK("resume-rounds-up", resume_rounds_up),
    BREAK("erase-ahead", erase_ahead),
    BREAK("erase-on-resume", erase_on_resume),
    BREAK("short-blank-check", short_blank_check),
    BREAK("record-one-copy", state.one_copy),
    BREAK("record-erase-first", state.erase_first),
    BREAK("record-no-check", state.no_check),
    BREAK("record-loose-marks", state.loose_marks),
    BREAK("record-narrow-marks", state.narrow_marks),
    BREAK("record-roll-in-place", state.roll_in_place),
    BREAK("record-append-marks", state.append_marks),
    BREAK("boot-skip-verify", boot.skip_verify),
    BREAK("boot-skip-backup", boot.skip_backup),
    BREAK("boot-skip-journal", boot.skip_journal),
    BREAK("boot-begin-first", boot.begin_first),
    BREAK("boot-recheck-base", boot.recheck_base),
    BREAK("boot-staged-first", boot.staged_first),
    BREAK("boot-done-first", boot.done_first),
    BREAK("boot-reuse-early", boot.reuse_early),
    BREAK("boot-short-check", boot.short_check),
    BREAK("boot-restart-file", boot.restart_file),
    BREAK("boot-clear-first", boot.clear_first),
    BREAK("boot-clear-pending", boot.clear_pending),
    BREAK("boot-forget-if-resumed", boot.forget_if_resumed),
};
#define BREAKS (sizeof breaks / sizeof breaks[0])
_Static_assert(BREAKS == sizeof(struct device_breaks), "every break has a word");

const char *break_word(int index)
{
    return (size_t)index < BREAKS ? breaks[index].word : NULL;
}

/* The agent's, the record's or the boot loader's words: whichever it begins like. */
static const char *break_family(const char *word)
{
    static const char *const families[] = {"record-", "boot-"};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (strncmp(word, families[i], strlen(families[i])) == 0)
            return families[i];
    return "";
}

static int refuse_break(const struct reader *r, const cJSON *item)
{
    const char *family = break_family(cJSON_IsString(item) ? item->valuestring : "");
    char list[400] = "";
    for (size_t i = 0; i < BREAKS; i++)
        if (strcmp(break_family(breaks[i].word), family) == 0)
            (void)snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s",
                           list[0] != '\0' ? ", " : "", breaks[i].word);
    return json_error(r->root, item, r->err, "is not among %s%s", list,
                      family[0] == '\0' ? ", record-..., boot-..." : "");
}

static int breaks_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    const cJSON *array = NULL;
    int rc = json_get_array(r->root, obj, f->key, 0, (int)BREAKS, &array, r->err);
    if (rc != 0)
        return rc;
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        size_t i = 0;
        while (i < BREAKS &&
               !(cJSON_IsString(item) && strcmp(item->valuestring, breaks[i].word) == 0))
            i++;
        if (i < BREAKS) {
            *(bool *)((char *)base + f->offset + breaks[i].offset) = true;
            continue;
        }
        return refuse_break(r, item);
    }
    return 0;
}

static void breaks_write(struct writer *w, const struct field *f, const void *base)
{
    write_open(w, f->key, '[');
    for (size_t i = 0; i < BREAKS; i++)
        if (*(const bool *)((const char *)base + f->offset + breaks[i].offset))
            write_text(w, NULL, breaks[i].word);
    write_close(w, ']');
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

static void device_init(const struct reader *r, void *item, uint32_t index)
{
    (void)item;
    (void)index;
    struct device_config *c = &r->s->device;
    device_config_default(c);
    static const uint32_t sizes[PART_COUNT] = {DEFAULT_APP_BYTES, DEFAULT_DOWNLOAD_BYTES,
                                               DEFAULT_USER_BYTES};
    c->geometry = *nor_geometry_at(0);
    memset(&c->partitions, 0, sizeof c->partitions);
    memset(c->files, 0, sizeof c->files);
    memset(c->firmware_version, 0, sizeof c->firmware_version);
    c->file_count = 0;
    c->partitions.count = PART_COUNT;
    for (size_t i = 0; i < PART_COUNT; i++) {
        (void)snprintf(c->partitions.part[i].name, PARTITION_NAME_MAX, "%s", part_names[i]);
        c->partitions.part[i].size_bytes = sizes[i];
    }
    c->update_bytes = 0;
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

static int device_check(const struct reader *r, const cJSON *obj, void *item)
{
    (void)item;
    struct device_config *c = &r->s->device;
    if (c->geometry.size_bytes % c->geometry.erase_bytes != 0)
        return json_error(r->root, obj, r->err,
                          "\"chip_bytes\" is 0x%x, must be a multiple of the erase unit 0x%x of %s",
                          c->geometry.size_bytes, c->geometry.erase_bytes, c->geometry.name);
    uint32_t at = 0;
    for (size_t i = 0; i < PART_COUNT; i++) {
        c->partitions.part[i].offset = at;
        at += c->partitions.part[i].size_bytes + c->geometry.erase_bytes; /* and a guard */
    }
    struct err why = {{0}};
    if (partition_check(&c->partitions, &c->geometry, &why) != 0)
        return json_error(r->root, obj, r->err, "%s", why.text);
    if (c->update_bytes == 0)
        c->update_bytes = c->partitions.part[PART_DOWNLOAD].size_bytes;
    c->segment_retries = c->try_count;
    return check_files(r, obj, c);
}

#define DEVICE(m)      MEMBER(struct scenario, device.m)
#define NUMBER(m, top) FIELD_INT, DEVICE(m), .max = (top)
#define TEXT(m)        FIELD_TEXT, DEVICE(m)
#define BYTES(m)       FIELD_SIZE, DEVICE(m), .min = 1, .max = CHIP_BYTES_MAX

/* The order is the order of reading: sizes before the files that share them. */
static const struct field device_fields[] = {
    {"variant", FIELD_WORD, DEVICE(variant), .word = variant_word},
    {"personality", FIELD_WORD, DEVICE(personality), .word = personality_word},
    {"product_id", TEXT(product_id)},
    {"product_key", TEXT(product_key)},
    {"did", TEXT(did)},
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
    {"app_bytes", BYTES(partitions.part[PART_APP].size_bytes)},
    {"download_bytes", BYTES(partitions.part[PART_DOWNLOAD].size_bytes)},
    {"user_bytes", BYTES(partitions.part[PART_USER].size_bytes)},
    {"update_bytes", FIELD_SIZE, DEVICE(update_bytes), .min = 1, .max = UINT32_MAX},
    {"files", FIELD_LIST, DEVICE(files), .table = &file_table, .min = 1,
     .max = PACKAGE_FILES_MAX + 1, .count_offset = offsetof(struct scenario, device.file_count)},
    {"app", FIELD_WORD, DEVICE(app), .word = app_word},
    {"tries", FIELD_INT, DEVICE(tries), .min = 1, .max = 1000},
    {"rounds", FIELD_INT, DEVICE(rounds), .min = 1, .max = 1000},
    {"check_interval_ms", NUMBER(check_interval_ms, UINT32_MAX)},
    {"alloc_fail_at", FIELD_SIZE, DEVICE(alloc_fail_at), .max = EXACT_MAX},
    {"base_altered", FIELD_BOOL, MEMBER(struct scenario, base_altered)},
    {"breaks", FIELD_SPECIAL, DEVICE(breaks), .read = breaks_read, .write = breaks_write},
};
const struct table device_table = {
    .name = "device", COUNTED(device_fields), .init = device_init, .check = device_check};
