/*
 * "cloud": what the cloud knows about the product, which is what the device says unless told
 * otherwise, and the faults in its replies.
 */
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/scenario_format.h"

#define SHIFT_MAX INT64_C(0x7fffffff)

static const char *fault_word(int index)
{
    return index < CF_KIND_COUNT ? cloud_fault_name((enum cloud_fault_kind)index) : NULL;
}

static const char *certificate_word(int index)
{
    return index < SIM_TLS_CERTIFICATE_COUNT
               ? sim_tls_certificate_name((enum sim_tls_certificate)index)
               : NULL;
}

static const char *request_word(int index)
{
    return index <= RQ_ANY ? cloud_request_name((enum cloud_request)index) : NULL;
}

static const char *variant_word(int index)
{
    static const char *const words[] = {
        [CLOUD_DIRECT] = "direct", [CLOUD_CMS] = "cms", [CLOUD_ALIYUN] = "aliyun"};
    return (size_t)index < sizeof words / sizeof words[0] ? words[index] : NULL;
}

/* ---- faults ---- */

/* Which values "bytes" or "code" takes. */
static const struct {
    int64_t min, max;
} fault_values[CF_KIND_COUNT] = {
    [CF_CODE] = {1, 9999},
    [CF_STATUS] = {200, 599},
    [CF_TRUNCATE] = {1, SHIFT_MAX},
    [CF_EXTRA] = {1, CLOUD_EXTRA_MAX},
    [CF_SHIFT] = {-SHIFT_MAX, SHIFT_MAX},
    [CF_SHIFT_SILENT] = {-SHIFT_MAX, SHIFT_MAX},
    [CF_CORRUPT] = {0, SHIFT_MAX},
    [CF_WRONG_SIZE] = {-SHIFT_MAX, SHIFT_MAX},
    [CF_DUPLICATE] = {1, CLOUD_COPIES_MAX},
    [CF_OVERSIZED] = {1, MQTT_PAYLOAD_MAX / 2},
    [CF_DEEP] = {1, MQTT_PAYLOAD_MAX / 2},
    [CF_LONG_URL] = {1, CLOUD_URL_MAX},
    [CF_SMALL] = {1, SHIFT_MAX},
    [CF_WRONG_DIGEST] = {0, STORE_FILES_MAX}, /* 0: of all */
};

static const struct key_use fault_uses[] = {
    {CF_CODE, "code", true},          {CF_MESSAGE, "text", true},
    {CF_STATUS, "code", true},        {CF_TRUNCATE, "bytes", true},
    {CF_EXTRA, "bytes", true},        {CF_SHIFT, "bytes", true},
    {CF_SHIFT_SILENT, "bytes", true}, {CF_CORRUPT, "bytes", false},
    {CF_WRONG_SIZE, "bytes", true},   {CF_STALE_VERSION, "text", true},
    {CF_NOT_JSON, "text", false},     {CF_REDIRECT, "text", true},
    {CF_DELAY, "for_ms", true},       {CF_DUPLICATE, "bytes", true},
    {CF_OVERSIZED, "bytes", true},    {CF_DEEP, "bytes", true},
    {CF_LONG_URL, "bytes", true},     {CF_SIGN_METHOD, "text", true},
    {CF_OMIT, "text", true},          {CF_URL, "text", true},
    {CF_SMALL, "bytes", true},        {CF_WRONG_DIGEST, "bytes", false},
};

static void fault_init(const struct reader *r, void *item, uint32_t index)
{
    (void)r;
    (void)index;
    struct cloud_fault *f = item;
    memset(f, 0, sizeof *f);
    f->from = 1;
    f->count = 1;
}

static int fault_kind_of(const void *item)
{
    return (int)((const struct cloud_fault *)item)->kind;
}

static int fault_check(const struct reader *r, const cJSON *obj, void *item)
{
    const struct cloud_fault *f = item;
    const char *word = cloud_fault_name(f->kind);
    if (!cloud_fault_fits(f->kind, f->request))
        return json_error(r->root, cJSON_GetObjectItemCaseSensitive(obj, "on"), r->err,
                          "\"%s\" is a fault of %s", word, cloud_fault_scope(f->kind));
    int64_t min = fault_values[f->kind].min;
    int64_t max = fault_values[f->kind].max;
    bool is_code = f->kind == CF_CODE || f->kind == CF_STATUS;
    const char *key = is_code ? "code" : "bytes";
    int64_t v = is_code ? f->code : f->bytes;
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(obj, key);
    if (node != NULL && (v < min || v > max || (v == 0 && min < 0)))
        return json_error(r->root, node, r->err, "is %lld, must be from %lld to %lld%s with \"%s\"",
                          (long long)v, (long long)min, (long long)max, min < 0 ? " and not 0" : "",
                          word);
    node = cJSON_GetObjectItemCaseSensitive(obj, "text");
    for (const char *p = f->text; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return json_error(r->root, node, r->err, "has a control character");
    return 0;
}

#define FAULT(m) MEMBER(struct cloud_fault, m)
static const struct field fault_fields[] = {
    {"on", FIELD_WORD, .required = true, FAULT(request), .word = request_word},
    {"do", FIELD_WORD, .required = true, FAULT(kind), .word = fault_word},
    {"from", FIELD_INT, FAULT(from), .min = 1, .max = UINT32_MAX},
    {"count", FIELD_INT, FAULT(count), .max = UINT32_MAX},
    {"code", FIELD_INT, FAULT(code), .min = 0, .max = 9999},
    {"bytes", FIELD_INT, FAULT(bytes), .min = -SHIFT_MAX, .max = SHIFT_MAX},
    {"for_ms", FIELD_INT, FAULT(ms), .min = 1, .max = 86400000},
    {"text", FIELD_TEXT, FAULT(text), .min = 1},
};
const struct table cloud_fault_table = {.name = "cloud_fault",
                                        COUNTED(fault_fields),
                                        .item_bytes = sizeof(struct cloud_fault),
                                        .init = fault_init,
                                        .kind_of = fault_kind_of,
                                        .kind_word = fault_word,
                                        USES(fault_uses),
                                        .check = fault_check};

/* ---- product ---- */

static void copy(char to[STORE_TEXT_MAX], const char from[DEVICE_TEXT_MAX])
{
    (void)snprintf(to, STORE_TEXT_MAX, "%s", from);
}

/* Half of the RAM is more than a boot loader may give to one window; a power of two of a quarter.
 */
static uint32_t window_of(uint32_t restore_block_bytes, uint32_t ram_bytes)
{
    uint32_t room = ram_bytes / 4 < restore_block_bytes ? ram_bytes / 4 : restore_block_bytes;
    uint32_t window = 1024;
    while (window < 65536 && window * 2 <= room)
        window *= 2;
    return window;
}

/* What the vendor's tool writes into info.txt from the device's own configuration. */
static void cloud_init(const struct reader *r, void *item, uint32_t index)
{
    (void)item;
    (void)index;
    struct scenario *s = r->s;
    const struct device_config *d = &s->device;
    struct store_product *p = &s->product;
    copy(p->product_id, d->product_id);
    copy(p->secret, d->product_key);
    copy(p->oem, d->oem);
    copy(p->model, d->model);
    copy(p->platform, d->platform);
    copy(p->device_type, d->device_type);
    (void)snprintf(p->owner, sizeof p->owner, "owner");
    const bool aliyun = d->agent != AGENT_CMIOT;
    s->variant = aliyun ? CLOUD_ALIYUN : d->variant == DEVICE_CMS ? CLOUD_CMS : CLOUD_DIRECT;
    if (aliyun)
        copy(p->secret, d->device_secret);
    p->has_team = true;
    p->compare_block_kib = d->compare_block_kib;
    struct state_layout layout;
    memset(&layout, 0, sizeof layout);
    device_state_layout(d, &layout);
    p->restore_block_bytes =
        layout.backup_bytes > 0 ? layout.backup_bytes : d->geometry.erase_bytes;
    p->window_bytes = window_of(p->restore_block_bytes, d->ram_bytes);
    s->registered = true;
}

const char *image_key_word(int index)
{
    static const char *const words[] = {
        [IMAGE_KEY_NONE] = "none", [IMAGE_KEY_GOOD] = "good", [IMAGE_KEY_OTHER] = "other"};
    return (size_t)index < sizeof words / sizeof words[0] ? words[index] : NULL;
}

#define PRODUCT(m) MEMBER(struct scenario, product.m)
#define TEXT(m)    FIELD_TEXT, PRODUCT(m)
static const struct field cloud_fields[] = {
    {"variant", FIELD_WORD, MEMBER(struct scenario, variant), .word = variant_word},
    {"product_id", TEXT(product_id)},
    {"secret", TEXT(secret)},
    {"has_team", FIELD_BOOL, PRODUCT(has_team)},
    {"oem", TEXT(oem)},
    {"model", TEXT(model)},
    {"platform", TEXT(platform)},
    {"device_type", TEXT(device_type)},
    {"owner", TEXT(owner)},
    {"device_visits_per_day", FIELD_INT, PRODUCT(device_visits_per_day), .max = UINT32_MAX},
    {"owner_visits_per_day", FIELD_INT, PRODUCT(owner_visits_per_day), .max = UINT32_MAX},
    {"compare_block_kib", FIELD_INT, PRODUCT(compare_block_kib), .max = UINT16_MAX},
    {"restore_block_bytes", FIELD_SIZE, PRODUCT(restore_block_bytes), .min = 1, .max = 1 << 24},
    {"window_bytes", FIELD_SIZE, PRODUCT(window_bytes), .min = 1, .max = 1 << 24},
    {"registered", FIELD_BOOL, MEMBER(struct scenario, registered)},
    {"certificate", FIELD_WORD, MEMBER(struct scenario, certificate), .word = certificate_word},
    {"image_key", FIELD_WORD, MEMBER(struct scenario, image_key), .word = image_key_word},
    {"url_lifetime_ms", FIELD_MS, MEMBER(struct scenario, url_lifetime_ns)},
    {"refusals", FIELD_INT, MEMBER(struct scenario, refusals_max), .max = 1000000},
    {"faults", FIELD_LIST, MEMBER(struct scenario, faults), .table = &cloud_fault_table,
     .max = SCENARIO_RULES_MAX, .count_offset = offsetof(struct scenario, n_faults)},
    {"pushes", FIELD_LIST, MEMBER(struct scenario, pushes), .table = &push_table, .max = PUSHES_MAX,
     .count_offset = offsetof(struct scenario, n_pushes)},
    {"devices", FIELD_LIST, MEMBER(struct scenario, others), .table = &other_device_table,
     .max = OTHER_DEVICES_MAX, .count_offset = offsetof(struct scenario, n_others)},
};

static int cloud_check(const struct reader *r, const cJSON *obj, void *item)
{
    (void)item;
    struct store_product *p = &r->s->product;
    const bool aliyun = r->s->device.agent != AGENT_CMIOT;
    if (aliyun != (r->s->variant == CLOUD_ALIYUN))
        return json_error(r->root, cJSON_GetObjectItemCaseSensitive(obj, "variant"), r->err,
                          "is \"%s\", which has no device with the agent \"%s\"",
                          variant_word((int)r->s->variant), device_agent_name(r->s->device.agent));
    p->cms = r->s->variant == CLOUD_CMS;
    if (p->window_bytes > p->restore_block_bytes)
        return json_error(r->root, obj, r->err,
                          "\"window_bytes\" is %u, must be at most \"restore_block_bytes\", %u",
                          p->window_bytes, p->restore_block_bytes);
    return batch_check_devices(r);
}

static int cloud_kind_of(const void *item)
{
    return (int)((const struct scenario *)item)->variant;
}

#define CMS_KEY(key)                                                                               \
    {CLOUD_DIRECT, key, false},                                                                    \
    {                                                                                              \
        CLOUD_CMS, key, false                                                                      \
    }
static const struct key_use cloud_uses[] = {
    CMS_KEY("has_team"),
    CMS_KEY("oem"),
    CMS_KEY("model"),
    CMS_KEY("platform"),
    CMS_KEY("device_type"),
    CMS_KEY("owner"),
    CMS_KEY("device_visits_per_day"),
    CMS_KEY("owner_visits_per_day"),
    CMS_KEY("compare_block_kib"),
    CMS_KEY("restore_block_bytes"),
    CMS_KEY("window_bytes"),
    {CLOUD_ALIYUN, "pushes", false},
    {CLOUD_ALIYUN, "devices", false},
    {CLOUD_ALIYUN, "refusals", false},
    {CLOUD_ALIYUN, "certificate", false},
    {CLOUD_ALIYUN, "image_key", false},
};
const struct table cloud_table = {.name = "cloud",
                                  COUNTED(cloud_fields),
                                  .init = cloud_init,
                                  .kind_of = cloud_kind_of,
                                  .kind_word = variant_word,
                                  USES(cloud_uses),
                                  .check = cloud_check};
