/* The configuration of a CMS device: defaults, what follows from it, what is refused. Here because
 * agent and boot loader share it. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "sim_device/agent/cmiot/device_text.h"
#include "sim_device/device.h"

#define DOWNLOAD      "download"
#define PROTOCOL_HTTP 2
#define PROTOCOL_UDP  1
#define SEGMENT_MIN   3 /* for HTTP; the document's 1..5 holds for UDP only (cms-ota §7) */
#define SEGMENT_MAX   5
#define ID_MIN        4 /* device id */
#define ID_MAX        31
#define OID_MIN       24
#define TRY_TIME_MAX  600000u

void device_config_default(struct device_config *c)
{
    *c = (struct device_config){
        .variant = DEVICE_CMS,
        .personality = STATE_SAFE,
        .product_id = "RHpkm3417N",
        .product_key = "6E05C5A6F0788A5B5757B7CF33A3D2AB",
        .did = "866000000000001",
        .oid = "oid000000000000000000001",
        .oem = "otabench",
        .model = "W217",
        .platform = "W217",
        .device_type = "watch",
        .network_type = "4G",
        .host = "fota.os.cmiotcd.com",
        .port = 9686,
        .try_time_ms = 5000,
        .try_count = 6,
        .network_protocol = PROTOCOL_HTTP,
        .algorithm = PACKAGE_ALGORITHM,
        .ram_bytes = 0x80000,
        .segment_index = SEGMENT_MIN,
        .update_bytes = 0xA0000,
        .compare_block_kib = 64,
        .firmware_version = "1.0",
        .files = {{.name = "app.bin", .address = 0x20000, .area_bytes = 0x100000}},
        .file_count = 1,
        .geometry = *nor_geometry_find("spi4k"),
        .partitions = {.part = {{"app", 0x20000, 0x100000},
                                {"download", 0x130000, 0xA0000},
                                {"user", 0x1E0000, 0x10000}},
                       .count = 3},
        .app = APP_ONE_KEY,
        .tries = 5,
        .check_interval_ms = 60000,
        .rounds = 3,
        .segment_retries = 6,
    };
}

void device_state_layout(const struct device_config *c, struct state_layout *out)
{
    const struct partition *p = partition_find(&c->partitions, DOWNLOAD);
    bool two_areas = c->variant == DEVICE_CMS;
    *out = (struct state_layout){.kind = c->personality,
                                 .part_bytes = p != NULL ? p->size_bytes : 0,
                                 .erase_bytes = c->geometry.erase_bytes,
                                 .granule_bytes = c->geometry.granule_bytes,
                                 .backup_bytes = two_areas ? c->compare_block_kib * 1024u
                                                           : c->geometry.erase_bytes,
                                 .write_once = c->geometry.policy != NOR_REWRITE,
                                 .traps = c->geometry.policy == NOR_ECC,
                                 .breaks = c->breaks.state};
}

/* ---- texts ---- */

static const char *const charset_text[] = {
    [CHARS_ID] = "letters, digits and . _ -",
    [CHARS_TEXT] = "visible ASCII characters and blanks, without quote and backslash"};

static bool allowed(enum charset set, char c)
{
    if (set == CHARS_ID)
        return isalnum((unsigned char)c) || (c != '\0' && strchr("._-", c) != NULL);
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

static const struct text_rule text_rules[] = {
    TEXT_RULE(product_id, 1, DEVICE_TEXT_MAX - 1, CHARS_ID),
    TEXT_RULE(product_key, 1, DEVICE_TEXT_MAX - 1, CHARS_ID),
    TEXT_RULE(did, ID_MIN, ID_MAX, CHARS_ID),
    TEXT_RULE(oem, 1, DEVICE_TEXT_MAX - 1, CHARS_TEXT),
    TEXT_RULE(model, 1, DEVICE_TEXT_MAX - 1, CHARS_TEXT),
    TEXT_RULE(platform, 1, DEVICE_TEXT_MAX - 1, CHARS_TEXT),
    TEXT_RULE(device_type, 1, DEVICE_TEXT_MAX - 1, CHARS_TEXT),
    TEXT_RULE(network_type, 1, DEVICE_TEXT_MAX - 1, CHARS_TEXT),
    TEXT_RULE(host, 1, DEVICE_TEXT_MAX - 1, CHARS_ID),
    TEXT_RULE(firmware_version, 1, PACKAGE_NAME_MAX - 1, CHARS_TEXT),
};
static const struct text_rule oid_rule = TEXT_RULE(oid, OID_MIN, DEVICE_TEXT_MAX - 1, CHARS_ID);

int device_text_check(const struct device_config *c, const struct text_rule *rules, size_t n,
                      struct err *err)
{
    for (const struct text_rule *rule = rules; rule < rules + n; rule++) {
        const char *text = (const char *)c + rule->offset;
        size_t len = strnlen(text, rule->max + 1);
        if (len < rule->min || len > rule->max)
            return err_set(err, ERR_ARG, "%s: has %zu characters, must have %zu..%zu", rule->name,
                           strnlen(text, rule->cap), rule->min, rule->max);
        for (size_t i = 0; i < len; i++)
            if (!allowed(rule->set, text[i]))
                return err_set(err, ERR_ARG, "%s: character %zu is not allowed, only %s are",
                               rule->name, i + 1, charset_text[rule->set]);
    }
    return 0;
}

static int check_texts(const struct device_config *c, struct err *err)
{
    size_t n = sizeof(text_rules) / sizeof(text_rules[0]);
    if (device_text_check(c, text_rules, n, err) != 0)
        return ERR_ARG;
    return c->variant == DEVICE_CMS ? device_text_check(c, &oid_rule, 1, err) : 0;
}

/* ---- numbers ---- */

static int check_numbers(const struct device_config *c, struct err *err)
{
    if (c->variant != DEVICE_DIRECT && c->variant != DEVICE_CMS)
        return err_set(err, ERR_ARG, "variant: is %d, must be direct or cms", (int)c->variant);
    if (c->personality != STATE_SAFE && c->personality != STATE_VENDOR)
        return err_set(err, ERR_ARG, "personality: is %d, must be safe or vendor",
                       (int)c->personality);
    if (c->network_protocol == PROTOCOL_UDP)
        return err_set(err, ERR_ARG,
                       "network_protocol: is 1 (udp), but the control channel is "
                       "http: must be 2");
    if (c->network_protocol != PROTOCOL_HTTP)
        return err_set(err, ERR_ARG, "network_protocol: is %u, must be 2 (http)",
                       c->network_protocol);
    if (c->segment_index < SEGMENT_MIN || c->segment_index > SEGMENT_MAX)
        return err_set(err, ERR_ARG, "segment_index: is %u, must be %d..%d for http",
                       c->segment_index, SEGMENT_MIN, SEGMENT_MAX);
    if (c->algorithm != PACKAGE_ALGORITHM)
        return err_set(err, ERR_ARG, "algorithm: is %u, must be %d", c->algorithm,
                       PACKAGE_ALGORITHM);
    if (c->port == 0)
        return err_set(err, ERR_ARG, "port: is 0, must be 1..65535");
    if (c->try_time_ms == 0 || c->try_time_ms > TRY_TIME_MAX)
        return err_set(err, ERR_ARG, "try_time_ms: is %u, must be 1..%u", (unsigned)c->try_time_ms,
                       TRY_TIME_MAX);
    if (c->ram_bytes == 0)
        return err_set(err, ERR_ARG, "ram_bytes: is 0, must be above");
    if (c->app != APP_ONE_KEY && c->app != APP_CHECK_FIRST && c->app != APP_CHECK_ONLY)
        return err_set(err, ERR_ARG, "app: is %d, must be one-key, check-first or check-only",
                       (int)c->app);
    if (c->tries == 0)
        return err_set(err, ERR_ARG, "tries: is 0, must be above");
    return 0;
}

/* ---- flash ---- */

static int check_flash(const struct device_config *c, struct err *err)
{
    static const char *const needed[] = {"app", DOWNLOAD};
    struct state_layout layout;
    uint32_t unit = c->geometry.erase_bytes, segment = 16u << c->segment_index;
    if (partition_check(&c->partitions, &c->geometry, err) != 0)
        return err_prefix(err, ERR_ARG, "partitions");
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (partition_find(&c->partitions, needed[i]) == NULL)
            return err_set(err, ERR_ARG, "partitions: there must be one named \"%s\"", needed[i]);
    uint32_t real = partition_find(&c->partitions, DOWNLOAD)->size_bytes;
    if (c->update_bytes != real)
        return err_set(err, ERR_ARG,
                       "update_bytes: is %u, must be the size of the partition \"download\", %u",
                       (unsigned)c->update_bytes, (unsigned)real);
    if (unit % segment != 0 || segment % c->geometry.granule_bytes != 0)
        return err_set(err, ERR_ARG,
                       "segment_index: %u-byte segments must divide the %u-byte erase unit and be "
                       "multiples of the %u-byte granule",
                       (unsigned)segment, (unsigned)unit, (unsigned)c->geometry.granule_bytes);
    if (c->compare_block_kib == 0 || c->compare_block_kib * 1024u % unit != 0)
        return err_set(err, ERR_ARG,
                       "compare_block_kib: is %u, must be a multiple of the erase unit of %u bytes",
                       c->compare_block_kib, (unsigned)unit);
    device_state_layout(c, &layout);
    if (state_layout_check(&layout, err) != 0)
        return err_prefix(err, ERR_ARG, "compare_block_kib %u with update_bytes %u",
                          c->compare_block_kib, (unsigned)c->update_bytes);
    return 0;
}

static bool ends_within(uint32_t start, uint32_t len, const struct partition *p)
{
    return start >= p->offset && len <= p->size_bytes && start - p->offset <= p->size_bytes - len;
}

static int check_files(const struct device_config *c, struct err *err)
{
    const struct partition *app = partition_find(&c->partitions, "app");
    uint32_t unit = c->geometry.erase_bytes;
    if (c->file_count < 1 || c->file_count > PACKAGE_FILES_MAX)
        return err_set(err, ERR_ARG, "files: there are %u, must be 1..%d", (unsigned)c->file_count,
                       PACKAGE_FILES_MAX);
    for (uint32_t i = 0; i < c->file_count; i++) {
        const struct boot_file *f = &c->files[i];
        size_t len = strnlen(f->name, sizeof(f->name));
        if (len == 0 || len == sizeof(f->name))
            return err_set(err, ERR_ARG, "files[%u]: the name must have 1..%d characters",
                           (unsigned)i, PACKAGE_NAME_MAX - 1);
        if (f->address % unit != 0 || f->area_bytes % unit != 0 || f->area_bytes == 0)
            return err_set(err, ERR_ARG,
                           "files[%u] %s: address 0x%x and area %u must be multiples of the erase "
                           "unit of %u bytes, the area above 0",
                           (unsigned)i, f->name, (unsigned)f->address, (unsigned)f->area_bytes,
                           (unsigned)unit);
        if (!ends_within(f->address, f->area_bytes, app))
            return err_set(err, ERR_ARG,
                           "files[%u] %s: 0x%x + %u must lie in the partition \"app\", 0x%x + %u",
                           (unsigned)i, f->name, (unsigned)f->address, (unsigned)f->area_bytes,
                           (unsigned)app->offset, (unsigned)app->size_bytes);
        for (uint32_t j = 0; j < i; j++) {
            const struct boot_file *g = &c->files[j];
            if (strncmp(f->name, g->name, sizeof(f->name)) == 0)
                return err_set(err, ERR_ARG, "files[%u]: the name %s is taken by files[%u]",
                               (unsigned)i, f->name, (unsigned)j);
            if (f->address < g->address + g->area_bytes && g->address < f->address + f->area_bytes)
                return err_set(err, ERR_ARG, "files[%u] %s: overlaps files[%u] %s", (unsigned)i,
                               f->name, (unsigned)j, g->name);
        }
    }
    return 0;
}

int cmiot_config_check(const struct device_config *c, struct err *err)
{
    if (check_texts(c, err) != 0 || check_numbers(c, err) != 0 || check_flash(c, err) != 0 ||
        check_files(c, err) != 0)
        return ERR_ARG;
    return 0;
}
