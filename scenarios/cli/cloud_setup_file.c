/* The JSON set-up file of `otabench cloud`. */
#include <stdio.h>
#include <string.h>

#include "mock_cloud/aliyun/aliyun.h"
#include "mock_cloud/aliyun/login.h"
#include "scenarios/cli/cloud_setup_walk.h"
#include "scenarios/cli/input.h"

#define SETUP_BYTES_MAX (1u << 20)
#define SETUP_DEPTH_MAX 10
#define PRODUCTS_MAX    256
#define DEVICES_MAX     100000
#define PATH_TEXT_MAX   512

static int read_device(const struct setup_walk *w, const cJSON *obj, void *ctx)
{
    static const char *const keys[] = {"name", "secret", "gateway", "product_key"};
    const char *product = ctx, *name = "", *secret = NULL, *gateway = "";
    char identity[STORE_TEXT_MAX], gateway_id[STORE_TEXT_MAX];
    int rc = setup_only_keys(w, obj, keys, 3, 4);
    if (rc == 0)
        rc = setup_get_text(w, obj, "name", true, &name);
    if (rc == 0)
        rc = setup_optional(json_get_string(w->root, obj, "secret", 1, 64, &secret, w->err));
    if (rc == 0)
        rc = setup_get_text(w, obj, "gateway", false, &gateway);
    if (rc == 0 && setup_identity(product, name, identity, w->err) != 0)
        rc = json_error(w->root, obj, w->err,
                        "name is 1 to %d visible characters without / + # & |", ALIYUN_NAME_MAX);
    if (rc == 0 && gateway[0] != '\0' && strchr(gateway, '&') == NULL) {
        if (setup_identity(product, gateway, gateway_id, w->err) != 0)
            rc = json_error(w->root, obj, w->err, "gateway is no device name");
        gateway = gateway_id;
    }
    if (rc == 0 && gateway[0] != '\0' && strcmp(gateway, identity) == 0)
        rc = json_error(w->root, obj, w->err, "is its own gateway");
    if (rc == 0 && gateway[0] != '\0' && !setup_has_device(w, gateway))
        rc = json_error(w->root, obj, w->err, "there is no gateway \"%s\"", gateway);
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

/* The same configuration again is not told again. */
static int put_config(const struct setup_walk *w, const char *product, const char *id,
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

static int read_config(const struct setup_walk *w, const cJSON *obj, const char *product)
{
    static const char *const keys[] = {"id", "file"};
    const cJSON *config = NULL;
    const char *id = "";
    struct buf content;
    int rc = setup_optional(json_get_object(w->root, obj, "config", &config, w->err));
    if (rc != 0 || config == NULL)
        return rc;
    buf_init(&content, STORE_PACKAGE_BYTES_MAX);
    rc = json_only_keys(w->root, config, keys, 2, w->err);
    if (rc == 0)
        rc = setup_get_text(w, config, "id", true, &id);
    if (rc == 0)
        rc = setup_read_beside(w, config, &content);
    if (rc == 0 && w->apply)
        rc = put_config(w, product, id, &content);
    buf_free(&content);
    return rc;
}

static int read_aliyun(const struct setup_walk *w, const cJSON *obj, void *ctx)
{
    static const char *const keys[] = {"product_key", "product_secret", "enabled",
                                       "devices",     "firmware",       "config"};
    const char *product = "", *secret = "";
    char identity[STORE_TEXT_MAX];
    bool enabled = true;
    (void)ctx;
    int rc = json_only_keys(w->root, obj, keys, sizeof keys / sizeof keys[0], w->err);
    if (rc == 0)
        rc = setup_get_text(w, obj, "product_key", true, &product);
    if (rc == 0 && setup_identity(product, "x", identity, w->err) != 0)
        rc = json_error(w->root, obj, w->err, "product_key is no product key");
    if (rc == 0)
        rc = setup_get_text(w, obj, "product_secret", false, &secret);
    bool given = cJSON_GetObjectItemCaseSensitive(obj, "product_secret") != NULL;
    if (rc == 0)
        rc = setup_optional(json_get_bool(w->root, obj, "enabled", &enabled, w->err));
    if (rc == 0)
        rc = setup_no_twins(w, obj, "devices", "name");
    if (rc == 0 && w->apply)
        rc = setup_put_product(w->s, product, given ? secret : NULL, enabled, w->err);
    if (rc == 0)
        rc = setup_each(w, obj, "devices", DEVICES_MAX, read_device, (void *)(uintptr_t)product);
    if (rc == 0)
        rc = setup_each(w, obj, "firmware", SETUP_FIRMWARE_MAX, setup_read_firmware,
                        (void *)(uintptr_t)product);
    return rc == 0 ? read_config(w, obj, product) : rc;
}

static int walk_document(const struct setup_walk *w)
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
        rc = setup_no_twins(w, w->root, "aliyun", "product_key");
    if (rc == 0)
        rc = setup_each(w, w->root, "aliyun", PRODUCTS_MAX, read_aliyun, NULL);
    return rc == 0 ? setup_each(w, w->root, "cms", PRODUCTS_MAX, setup_read_cms, NULL) : rc;
}

/* ---- one object by itself ---- */

static int walk_one(const struct setup_walk *w, enum setup_part part)
{
    static int (*const walks[])(const struct setup_walk *w, const cJSON *obj, void *product) = {
        read_device, setup_read_firmware, setup_read_known_task};
    struct store_product p;
    const char *product = "";
    if (!cJSON_IsObject(w->root))
        return json_error(w->root, w->root, w->err, "must be an object");
    int rc = setup_get_text(w, w->root, "product_key", true, &product);
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
    struct setup_walk w = {.s = s, .root = doc.root, .files = files, .err = err};
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
    struct setup_walk w = {.s = s, .root = doc.root, .files = files, .one = true, .err = err};
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
