/* The JSON set-up file of `otabench cloud`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/vtime.h"
#include "mock_cloud/aliyun/aliyun.h"
#include "mock_cloud/aliyun/login.h"
#include "scenarios/cli/cloud_setup_internal.h"
#include "scenarios/cli/input.h"

#define SETUP_BYTES_MAX (1u << 20)
#define SETUP_DEPTH_MAX 10
#define PRODUCTS_MAX    256
#define DEVICES_MAX     100000
#define FIRMWARE_MAX    1000
#define PATH_TEXT_MAX   512

/* One walk over the document; the first only checks, the second sets up. */
struct walk {
    struct cloud_setup *s;
    const cJSON *root;
    const struct setup_files *files;
    bool one; /* a single object, which names its product */
    bool apply;
    struct err *err;
};

static int get_text(const struct walk *w, const cJSON *obj, const char *key, bool needed,
                    const char **out)
{
    *out = "";
    int rc = json_get_string(w->root, obj, key, needed ? 1 : 0, STORE_TEXT_MAX - 1, out, w->err);
    if (needed)
        return json_need(rc, w->root, obj, key, w->err);
    return rc < 0 ? rc : 0;
}

static int optional(int rc)
{
    return rc < 0 ? rc : 0;
}

static int read_beside(const struct walk *w, const cJSON *obj, struct buf *out)
{
    char path[PATH_TEXT_MAX];
    const char *name = NULL;
    int rc = json_need(json_get_string(w->root, obj, "file", 1, PATH_TEXT_MAX / 2, &name, w->err),
                       w->root, obj, "file", w->err);
    if (rc != 0)
        return rc;
    (void)snprintf(path, sizeof path, "%s%s", name[0] == '/' ? "" : w->files->dir, name);
    if (w->files->uploads && (!setup_is_file_name(name) || access(path, R_OK) != 0))
        return json_error(w->root, obj, w->err, "file \"%s\" has not been uploaded", name);
    rc = input_read(out, path, w->err);
    return rc == 0 ? 0 : err_prefix(w->err, rc, "set-up");
}

/* An object by itself also has "product_key", with everything after the first keys. */
static int only_keys(const struct walk *w, const cJSON *obj, const char *const *keys, size_t n,
                     size_t n_one)
{
    return json_only_keys(w->root, obj, keys, w->one ? n_one : n, w->err);
}

static int each(const struct walk *w, const cJSON *obj, const char *key, int max,
                int (*one)(const struct walk *w, const cJSON *item, void *ctx), void *ctx)
{
    const cJSON *list = NULL, *item = NULL;
    int rc = optional(json_get_array(w->root, obj, key, 0, max, &list, w->err));
    if (rc != 0 || list == NULL)
        return rc;
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsObject(item))
            return json_error(w->root, item, w->err, "must be an object");
        if ((rc = one(w, item, ctx)) != 0)
            return rc;
    }
    return 0;
}

static int read_device(const struct walk *w, const cJSON *obj, void *ctx)
{
    static const char *const keys[] = {"name", "secret", "gateway", "product_key"};
    const char *product = ctx, *name = "", *secret = NULL, *gateway = "";
    char identity[STORE_TEXT_MAX], gateway_id[STORE_TEXT_MAX];
    int rc = only_keys(w, obj, keys, 3, 4);
    if (rc == 0)
        rc = get_text(w, obj, "name", true, &name);
    if (rc == 0)
        rc = optional(json_get_string(w->root, obj, "secret", 1, 64, &secret, w->err));
    if (rc == 0)
        rc = get_text(w, obj, "gateway", false, &gateway);
    if (rc == 0 && setup_identity(product, name, identity, w->err) != 0)
        rc = json_error(w->root, obj, w->err,
                        "name is 1 to %d visible characters without / + # & |", ALIYUN_NAME_MAX);
    if (rc == 0 && gateway[0] != '\0' && strchr(gateway, '&') == NULL) {
        if (setup_identity(product, gateway, gateway_id, w->err) != 0)
            rc = json_error(w->root, obj, w->err, "gateway is no device name");
        gateway = gateway_id;
    }
    if (rc != 0 || !w->apply)
        return rc;
    rc = setup_put_device(w->s, product, name, secret, w->err);
    if (rc != 0 || gateway[0] == '\0')
        return rc;
    struct store_sub_device sub = {.logs_in = false};
    if (store_get_sub_device(cloud_store(w->s->cloud), identity, &sub, NULL) == 0 && sub.logs_in)
        return 0; /* a gateway has added it itself */
    (void)snprintf(sub.device_id, sizeof sub.device_id, "%s", identity);
    (void)snprintf(sub.gateway_id, sizeof sub.gateway_id, "%s", gateway);
    return store_put_sub_device(cloud_store(w->s->cloud), &sub, w->err);
}

/* A firmware while its files and tasks are read. */
struct firmware_walk {
    const char *product, *version;
    int64_t delta_id;
    struct buf images[STORE_FILES_MAX];
    struct campaign_file files[STORE_FILES_MAX];
    uint32_t file_count;
};

static int read_file(const struct walk *w, const cJSON *obj, void *ctx)
{
    static const char *const keys[] = {"name", "file"};
    struct firmware_walk *f = ctx;
    const char *name = "";
    int rc = json_only_keys(w->root, obj, keys, 2, w->err);
    if (rc == 0)
        rc = get_text(w, obj, "name", true, &name);
    if (rc == 0)
        rc = read_beside(w, obj, &f->images[f->file_count]);
    if (rc == 0) {
        f->files[f->file_count] =
            (struct campaign_file){.name = name,
                                   .content = f->images[f->file_count].data,
                                   .bytes = (uint32_t)f->images[f->file_count].len_bytes};
        f->file_count++;
    }
    return rc;
}

/* One version a line. */
static int read_sources(const struct walk *w, const cJSON *obj, struct setup_task *t)
{
    const cJSON *list = NULL, *item = NULL;
    const char *one = "";
    char *out = t->task.sources;
    size_t len = 0;
    int rc = get_text(w, obj, "from_version", false, &one);
    if (rc == 0)
        rc = optional(
            json_get_array(w->root, obj, "from_versions", 1, STORE_SOURCES_MAX, &list, w->err));
    if (rc != 0)
        return rc;
    if (list != NULL && one[0] != '\0')
        return json_error(w->root, obj, w->err, "has \"from_version\" or \"from_versions\"");
    (void)snprintf(out, STORE_SOURCE_TEXT_MAX, "%s", one);
    cJSON_ArrayForEach(item, list)
    {
        const char *text = cJSON_GetStringValue(item);
        if (text == NULL || text[0] == '\0' || strchr(text, '\n') != NULL)
            return json_error(w->root, item, w->err, "must be a version");
        int n =
            snprintf(out + len, STORE_SOURCE_TEXT_MAX - len, "%s%s", len == 0 ? "" : "\n", text);
        if (n < 0 || (size_t)n >= STORE_SOURCE_TEXT_MAX - len)
            return json_error(w->root, list, w->err, "has more than %d bytes",
                              STORE_SOURCE_TEXT_MAX - 1);
        len += (size_t)n;
    }
    return 0;
}

static int read_devices(const struct walk *w, const cJSON *obj, const char *product,
                        struct setup_task *t)
{
    const cJSON *list = NULL, *item = NULL;
    int rc =
        optional(json_get_array(w->root, obj, "devices", 1, STORE_TASK_DEVICES_MAX, &list, w->err));
    if (rc != 0 || list == NULL)
        return rc;
    t->devices = calloc((size_t)cJSON_GetArraySize(list), sizeof t->devices[0]);
    if (t->devices == NULL)
        return err_set(w->err, ERR_NOMEM, "set-up: no memory");
    cJSON_ArrayForEach(item, list)
    {
        const char *name = cJSON_GetStringValue(item);
        if (name == NULL ||
            setup_identity(product, name, t->devices[t->device_count++], w->err) != 0)
            return json_error(w->root, item, w->err, "is no device name");
    }
    return 0;
}

/* What only batches have. */
static int read_batch(const struct walk *w, const cJSON *obj, const char *product,
                      struct setup_task *t)
{
    static const char *const policies[] = {"dynamic", "static"};
    int policy = 0;
    int64_t percent = 0, retries = 0, retry_after_s = 0, delay_s = 0;
    bool push = true, overwrite = true;
    int rc = read_sources(w, obj, t);
    if (rc == 0)
        rc = read_devices(w, obj, product, t);
    if (rc == 0)
        rc = optional(json_get_word(w->root, obj, "policy", policies, 2, &policy, w->err));
    if (rc == 0)
        rc = optional(json_get_int(w->root, obj, "percent", 1, 100, &percent, w->err));
    if (rc == 0)
        rc = optional(json_get_bool(w->root, obj, "push", &push, w->err));
    if (rc == 0)
        rc = optional(json_get_bool(w->root, obj, "overwrite", &overwrite, w->err));
    if (rc == 0)
        rc = optional(json_get_int(w->root, obj, "retries", 0, 5, &retries, w->err));
    if (rc == 0)
        rc =
            optional(json_get_int(w->root, obj, "retry_after_s", 0, 86400, &retry_after_s, w->err));
    if (rc == 0)
        rc = optional(json_get_int(w->root, obj, "delay_s", 0, 31622400, &delay_s, w->err));
    if (rc == 0 && percent != 0 && policy == 0)
        rc = json_error(w->root, obj, w->err, "\"percent\" is of a \"policy\": \"static\"");
    t->task.fixed = policy == 1;
    t->task.percent = (int)percent;
    t->task.silent = !push;
    t->task.yields = !overwrite;
    t->task.retries = (int)retries;
    t->task.retry_after_ns = retry_after_s * NS_PER_S;
    t->task.starts_ns = delay_s == 0 ? 0 : w->s->now_ns + delay_s * NS_PER_S;
    return rc;
}

static int read_task_parts(const struct walk *w, const cJSON *obj, const char *product,
                           struct setup_task *t)
{
    static const char *const keys[] = {"kind",        "device",   "from_version",  "from_versions",
                                       "devices",     "policy",   "percent",       "push",
                                       "overwrite",   "retries",  "retry_after_s", "delay_s",
                                       "product_key", "firmware", "version",       "module"};
    static const char *const kinds[] = {"verify", "batch", "again"};
    const char *device = "";
    int kind = 0;
    int rc = only_keys(w, obj, keys, 12, 16);
    if (rc == 0)
        rc = json_need(json_get_word(w->root, obj, "kind", kinds, 3, &kind, w->err), w->root, obj,
                       "kind", w->err);
    if (rc == 0)
        rc = get_text(w, obj, "device", kind == TASK_VERIFY, &device);
    t->task.kind = (enum task_kind)kind;
    if (rc == 0 && kind == TASK_BATCH && device[0] != '\0')
        rc = json_error(w->root, obj, w->err, "a batch has no \"device\"");
    for (size_t i = 2; rc == 0 && kind != TASK_BATCH && i < 12; i++)
        if (cJSON_GetObjectItemCaseSensitive(obj, keys[i]) != NULL)
            rc = json_error(w->root, obj, w->err, "only a batch has \"%s\"", keys[i]);
    if (rc == 0 && device[0] != '\0' &&
        setup_identity(product, device, t->task.device_id, w->err) != 0)
        rc = json_error(w->root, obj, w->err, "device is no device name");
    return rc == 0 && kind == TASK_BATCH ? read_batch(w, obj, product, t) : rc;
}

static int read_task(const struct walk *w, const cJSON *obj, void *ctx)
{
    struct firmware_walk *f = ctx;
    struct setup_task t = {.task = {.delta_id = f->delta_id}};
    (void)snprintf(t.version, sizeof t.version, "%s", f->version);
    int rc = read_task_parts(w, obj, f->product, &t);
    if (rc == 0 && w->apply)
        return setup_add_task(w->s, &t, w->err);
    free(t.devices);
    return rc;
}

static int read_extra(const struct walk *w, const cJSON *obj, char **out)
{
    const cJSON *extra = NULL;
    int rc = optional(json_get_object(w->root, obj, "extra", &extra, w->err));
    if (rc != 0 || extra == NULL)
        return rc;
    *out = cJSON_PrintUnformatted(extra);
    if (*out == NULL)
        return err_set(w->err, ERR_NOMEM, "set-up: no memory");
    return strlen(*out) < STORE_EXTRA_MAX
               ? 0
               : json_error(w->root, extra, w->err, "has more than %d bytes", STORE_EXTRA_MAX - 1);
}

static int read_firmware_parts(const struct walk *w, const cJSON *obj, struct firmware_walk *f,
                               struct campaign_firmware *c)
{
    static const char *const keys[] = {"version", "module",    "file",  "files", "sign",
                                       "diff",    "over_mqtt", "extra", "tasks", "product_key"};
    static const char *const signs[] = {"md5", "sha256"};
    int sign = 0;
    int rc = only_keys(w, obj, keys, 9, 10);
    if (rc == 0)
        rc = get_text(w, obj, "version", true, &c->version);
    if (rc == 0)
        rc = get_text(w, obj, "module", false, &c->module);
    if (rc == 0)
        rc = optional(json_get_word(w->root, obj, "sign", signs, 2, &sign, w->err));
    if (rc == 0)
        rc = optional(json_get_bool(w->root, obj, "diff", &c->diff, w->err));
    if (rc == 0)
        rc = optional(json_get_bool(w->root, obj, "over_mqtt", &c->over_mqtt, w->err));
    if (rc != 0)
        return rc;
    c->sign = sign == 0 ? SIGN_MD5 : SIGN_SHA256;
    bool many = cJSON_GetObjectItemCaseSensitive(obj, "files") != NULL;
    if (many == (cJSON_GetObjectItemCaseSensitive(obj, "file") != NULL))
        return json_error(w->root, obj, w->err, "needs either \"file\" or \"files\"");
    if (many) {
        rc = each(w, obj, "files", STORE_FILES_MAX, read_file, f);
        if (rc == 0 && f->file_count < 2)
            rc = json_error(w->root, obj, w->err, "\"files\" has 2 to %d, one is \"file\"",
                            STORE_FILES_MAX);
    } else if ((rc = read_beside(w, obj, &f->images[0])) == 0) {
        f->files[0] = (struct campaign_file){.content = f->images[0].data,
                                             .bytes = (uint32_t)f->images[0].len_bytes};
        f->file_count = 1;
    }
    if (rc == 0 && c->over_mqtt && f->file_count > 1)
        rc = json_error(w->root, obj, w->err, "only one file goes over MQTT");
    c->files = f->files;
    c->file_count = f->file_count;
    return rc;
}

static int read_firmware(const struct walk *w, const cJSON *obj, void *ctx)
{
    struct firmware_walk *f = calloc(1, sizeof *f);
    struct campaign_firmware c = {.product_id = ctx};
    char *extra = NULL;
    if (f == NULL)
        return err_set(w->err, ERR_NOMEM, "set-up: no memory");
    for (size_t i = 0; i < STORE_FILES_MAX; i++)
        buf_init(&f->images[i], STORE_PACKAGE_BYTES_MAX);
    int rc = read_firmware_parts(w, obj, f, &c);
    if (rc == 0)
        rc = read_extra(w, obj, &extra);
    c.extra = extra;
    f->product = ctx;
    f->version = c.version;
    if (rc == 0 && w->apply)
        rc = setup_put_firmware(w->s, &c, &f->delta_id, w->err);
    if (rc == 0 && w->s->firmware_id == 0)
        w->s->firmware_id = f->delta_id;
    struct walk inner = *w;
    inner.one = false;
    if (rc == 0)
        rc = each(&inner, obj, "tasks", SETUP_TASKS_MAX, read_task, f);
    for (size_t i = 0; i < STORE_FILES_MAX; i++)
        buf_free(&f->images[i]);
    cJSON_free(extra);
    free(f);
    return rc;
}

/* The same configuration again is not told again. */
static int put_config(const struct walk *w, const char *product, const char *id,
                      const struct buf *content)
{
    struct store *st = cloud_store(w->s->cloud);
    struct store_config old;
    char sha256[DIGEST_HEX_MAX];
    int64_t last = 0;
    digest_hex_of(DIGEST_SHA256, content->data, content->len_bytes, sha256);
    if (store_get_config(st, product, &old, NULL) == 0 && strcmp(old.config_id, id) == 0 &&
        strcmp(old.sha256_hex, sha256) == 0)
        return 0;
    int rc = store_last_package(st, &last, w->err);
    return rc != 0 ? rc
                   : aliyun_set_config(w->s->cloud, w->s->now_ns, product, id, last + 1,
                                       content->data, (uint32_t)content->len_bytes, w->err);
}

static int read_config(const struct walk *w, const cJSON *obj, const char *product)
{
    static const char *const keys[] = {"id", "file"};
    const cJSON *config = NULL;
    const char *id = "";
    struct buf content;
    int rc = optional(json_get_object(w->root, obj, "config", &config, w->err));
    if (rc != 0 || config == NULL)
        return rc;
    buf_init(&content, STORE_PACKAGE_BYTES_MAX);
    rc = json_only_keys(w->root, config, keys, 2, w->err);
    if (rc == 0)
        rc = get_text(w, config, "id", true, &id);
    if (rc == 0)
        rc = read_beside(w, config, &content);
    if (rc == 0 && w->apply)
        rc = put_config(w, product, id, &content);
    buf_free(&content);
    return rc;
}

static int read_aliyun(const struct walk *w, const cJSON *obj, void *ctx)
{
    static const char *const keys[] = {"product_key", "product_secret", "enabled",
                                       "devices",     "firmware",       "config"};
    const char *product = "", *secret = "";
    char identity[STORE_TEXT_MAX];
    bool enabled = true;
    (void)ctx;
    int rc = json_only_keys(w->root, obj, keys, sizeof keys / sizeof keys[0], w->err);
    if (rc == 0)
        rc = get_text(w, obj, "product_key", true, &product);
    if (rc == 0 && setup_identity(product, "x", identity, w->err) != 0)
        rc = json_error(w->root, obj, w->err, "product_key is no product key");
    if (rc == 0)
        rc = get_text(w, obj, "product_secret", false, &secret);
    bool given = cJSON_GetObjectItemCaseSensitive(obj, "product_secret") != NULL;
    if (rc == 0)
        rc = optional(json_get_bool(w->root, obj, "enabled", &enabled, w->err));
    if (rc == 0 && w->apply)
        rc = setup_put_product(w->s, product, given ? secret : NULL, enabled, w->err);
    if (rc == 0)
        rc = each(w, obj, "devices", DEVICES_MAX, read_device, (void *)(uintptr_t)product);
    if (rc == 0)
        rc = each(w, obj, "firmware", FIRMWARE_MAX, read_firmware, (void *)(uintptr_t)product);
    return rc == 0 ? read_config(w, obj, product) : rc;
}

/* ---- CMS-OTA ---- */

static int read_cms_package(const struct walk *w, const cJSON *obj, void *ctx)
{
    static const char *const keys[] = {"from", "to", "file"};
    const char *product = ctx, *from = "", *to = "";
    struct store *st = cloud_store(w->s->cloud);
    struct store_package p = {.kind = PACKAGE_FULL};
    struct store_package known = {.md5_hex = ""};
    struct buf content;
    char md5[DIGEST_HEX_MAX];
    buf_init(&content, STORE_PACKAGE_BYTES_MAX);
    int rc = json_only_keys(w->root, obj, keys, 3, w->err);
    if (rc == 0)
        rc = get_text(w, obj, "from", false, &from);
    if (rc == 0)
        rc = get_text(w, obj, "to", true, &to);
    if (rc == 0)
        rc = read_beside(w, obj, &content);
    if (rc == 0 && w->apply) {
        (void)snprintf(p.product_id, sizeof p.product_id, "%s", product);
        (void)snprintf(p.from_version, sizeof p.from_version, "%s", from);
        (void)snprintf(p.to_version, sizeof p.to_version, "%s", to);
        p.kind = from[0] == '\0' ? PACKAGE_FULL : PACKAGE_DELTA;
        p.bytes = (uint32_t)content.len_bytes;
        digest_hex_of(DIGEST_MD5, content.data, content.len_bytes, md5);
        memcpy(p.md5_hex, md5, sizeof p.md5_hex);
        bool there = store_find_offer(st, product, from, INT64_MAX, &known, NULL) == 0 &&
                     strcmp(known.md5_hex, md5) == 0 && strcmp(known.to_version, to) == 0;
        int64_t last = 0;
        if (!there && (rc = store_last_package(st, &last, w->err)) == 0) {
            p.delta_id = last + 1;
            rc = store_put_package(st, &p, content.data, w->err);
        }
    }
    buf_free(&content);
    return rc;
}

static int read_cms(const struct walk *w, const cJSON *obj, void *ctx)
{
    static const char *const keys[] = {"product_id", "secret",   "variant",     "oem",
                                       "model",      "platform", "device_type", "packages"};
    static const char *const variants[] = {"direct", "cms"};
    struct store_product p = {.has_team = true};
    const struct {
        const char *key;
        char *out;
        bool needed;
    } texts[] = {{"product_id", p.product_id, true},
                 {"secret", p.secret, false},
                 {"oem", p.oem, false},
                 {"model", p.model, false},
                 {"platform", p.platform, false},
                 {"device_type", p.device_type, false}};
    int variant = 0;
    (void)ctx;
    int rc = json_only_keys(w->root, obj, keys, sizeof keys / sizeof keys[0], w->err);
    for (size_t i = 0; rc == 0 && i < sizeof texts / sizeof texts[0]; i++) {
        const char *text = "";
        rc = get_text(w, obj, texts[i].key, texts[i].needed, &text);
        (void)snprintf(texts[i].out, STORE_TEXT_MAX, "%s", text);
    }
    if (rc == 0)
        rc = optional(json_get_word(w->root, obj, "variant", variants, 2, &variant, w->err));
    p.cms = variant == 1;
    if (rc == 0 && w->apply)
        rc = store_put_product(cloud_store(w->s->cloud), &p, w->err);
    return rc == 0 ? each(w, obj, "packages", FIRMWARE_MAX, read_cms_package, p.product_id) : rc;
}

static int walk_document(const struct walk *w)
{
    static const char *const keys[] = {"otabench_cloud", "aliyun", "cms"};
    int64_t format = 0;
    if (!cJSON_IsObject(w->root))
        return json_error(w->root, w->root, w->err, "must be an object");
    int rc = json_only_keys(w->root, w->root, keys, 3, w->err);
    if (rc == 0)
        rc = json_need(json_get_int(w->root, w->root, "otabench_cloud", 1, 1, &format, w->err),
                       w->root, w->root, "otabench_cloud", w->err);
    if (rc == 0)
        rc = each(w, w->root, "aliyun", PRODUCTS_MAX, read_aliyun, NULL);
    return rc == 0 ? each(w, w->root, "cms", PRODUCTS_MAX, read_cms, NULL) : rc;
}

/* ---- one object by itself ---- */

static int find_firmware(const struct walk *w, const char *product, struct firmware_walk *f)
{
    struct store *st = cloud_store(w->s->cloud);
    struct store_firmware known;
    const char *version = "", *module = "";
    int64_t id = 0;
    int rc = optional(json_get_int(w->root, w->root, "firmware", 1, INT32_MAX, &id, w->err));
    if (rc == 0)
        rc = get_text(w, w->root, "version", id == 0, &version);
    if (rc == 0)
        rc = get_text(w, w->root, "module", false, &module);
    if (rc != 0)
        return rc;
    rc = id != 0 ? store_get_firmware(st, id, &known, w->err)
                 : store_find_firmware(st, product, module, version, &known, w->err);
    if (rc == ERR_NOT_FOUND || (rc == 0 && strcmp(known.product_id, product) != 0))
        return err_set(w->err, ERR_NOT_FOUND, "product %s has no such firmware", product);
    f->product = product;
    f->version = version;
    f->delta_id = known.delta_id;
    return rc;
}

static int walk_task(const struct walk *w, const cJSON *obj, void *product)
{
    struct firmware_walk f = {.product = NULL};
    int rc = find_firmware(w, product, &f);
    return rc == 0 ? read_task(w, obj, &f) : rc;
}

static int walk_one(const struct walk *w, enum setup_part part)
{
    static int (*const walks[])(const struct walk *w, const cJSON *obj,
                                void *product) = {read_device, read_firmware, walk_task};
    struct store_product p;
    const char *product = "";
    if (!cJSON_IsObject(w->root))
        return json_error(w->root, w->root, w->err, "must be an object");
    int rc = get_text(w, w->root, "product_key", true, &product);
    if (rc == 0 && store_get_product(cloud_store(w->s->cloud), product, &p, NULL) != 0)
        rc = err_set(w->err, ERR_NOT_FOUND, "there is no product \"%s\"", product);
    return rc == 0 ? walks[part](w, w->root, (void *)(uintptr_t)product) : rc;
}

/* ---- both ---- */

static int open_text(struct json *doc, const char *text, size_t len_bytes, struct err *err)
{
    const struct json_limits limits = {
        .max_bytes = SETUP_BYTES_MAX, .max_depth = SETUP_DEPTH_MAX, .comments = true};
    return json_parse(doc, text, len_bytes, &limits, err);
}

int setup_text(struct cloud_setup *s, const char *text, size_t len_bytes,
               const struct setup_files *files, struct err *err)
{
    struct json doc;
    int rc = open_text(&doc, text, len_bytes, err);
    if (rc != 0)
        return rc;
    struct walk w = {.s = s, .root = doc.root, .files = files, .err = err};
    rc = walk_document(&w);
    w.apply = true;
    if (rc == 0)
        rc = walk_document(&w);
    json_free(&doc);
    return rc;
}

int setup_one(struct cloud_setup *s, enum setup_part part, const char *text, size_t len_bytes,
              const struct setup_files *files, struct err *err)
{
    struct json doc;
    int rc = open_text(&doc, text, len_bytes, err);
    if (rc != 0)
        return rc;
    struct walk w = {.s = s, .root = doc.root, .files = files, .one = true, .err = err};
    rc = walk_one(&w, part);
    w.apply = true;
    if (rc == 0)
        rc = walk_one(&w, part);
    json_free(&doc);
    return rc;
}

int setup_file(struct cloud_setup *s, const char *path, struct err *err)
{
    struct buf text;
    char dir[PATH_TEXT_MAX / 2] = "";
    const struct setup_files files = {.dir = dir};
    const char *slash = strrchr(path, '/');
    if (slash != NULL && (size_t)(slash - path) + 1 < sizeof dir)
        (void)snprintf(dir, sizeof dir, "%.*s", (int)(slash - path) + 1, path);
    buf_init(&text, SETUP_BYTES_MAX);
    int rc = input_read(&text, path, err);
    if (rc == 0) {
        rc = setup_text(s, text.data == NULL ? "" : (const char *)text.data, text.len_bytes, &files,
                        err);
        if (rc != 0)
            (void)err_prefix(err, rc, "%s", path);
    }
    buf_free(&text);
    return rc;
}
