#include "scenarios/cli/cloud_setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mock_cloud/aliyun/aliyun.h"
#include "mock_cloud/aliyun/login.h"
#include "mock_cloud/campaigns/campaigns.h"
#include "scenarios/cli/cloud_setup_internal.h"
#include "scenarios/cli/input.h"

/* ---- what both ways share ---- */

int setup_identity(const char *product_key, const char *name, char out[STORE_TEXT_MAX],
                   struct err *err)
{
    struct aliyun_name parsed;
    int len = snprintf(out, STORE_TEXT_MAX, "%s&%s", name, product_key);
    if (len < 0 || len >= STORE_TEXT_MAX || !aliyun_name_parse(out, &parsed))
        return err_set(err, ERR_ARG,
                       "device \"%s\" of product \"%s\": names have 1 to %d visible characters, "
                       "none of / + # & |",
                       name, product_key, ALIYUN_NAME_MAX);
    return 0;
}

int setup_put_product(struct cloud_setup *s, const char *product_key, const char *secret,
                      bool enabled, struct err *err)
{
    struct store_product p = {.has_team = enabled};
    struct store_product old;
    bool known = store_get_product(cloud_store(s->cloud), product_key, &old, NULL) == 0;
    if (secret != NULL)
        (void)snprintf(p.secret, sizeof p.secret, "%s", secret);
    else if (known)
        memcpy(p.secret, old.secret, sizeof p.secret);
    (void)snprintf(p.product_id, sizeof p.product_id, "%s", product_key);
    return store_put_product(cloud_store(s->cloud), &p, err);
}

int setup_put_device(struct cloud_setup *s, const char *product_key, const char *name,
                     const char *secret, struct err *err)
{
    struct store_device d = {.registered_ns = s->now_ns};
    char identity[STORE_TEXT_MAX];
    int rc = setup_identity(product_key, name, identity, err);
    if (rc != 0)
        return rc;
    bool known = store_get_device(cloud_store(s->cloud), identity, &d, NULL) == 0;
    if (s->device_id[0] == '\0')
        memcpy(s->device_id, identity, sizeof s->device_id);
    if (known && (secret == NULL || strcmp(secret, d.secret) == 0))
        return 0;
    (void)snprintf(d.device_id, sizeof d.device_id, "%s", identity);
    (void)snprintf(d.product_id, sizeof d.product_id, "%s", product_key);
    (void)snprintf(d.mid, sizeof d.mid, "%s", name);
    if (secret != NULL) {
        if (strlen(secret) == 0 || strlen(secret) >= 65)
            return err_set(err, ERR_ARG, "device \"%s\": a secret has 1 to 64 bytes", name);
        (void)snprintf(d.secret, sizeof d.secret, "%s", secret);
    } else {
        const char *key = cloud_config(s->cloud)->project_key;
        char text[STORE_TEXT_MAX + 16], hex[2 * MD5_BYTES + 1];
        int len = snprintf(text, sizeof text, "device/%s", identity);
        hmac_md5_hex(key, strlen(key), text, (size_t)len, hex);
        (void)snprintf(d.secret, sizeof d.secret, "%s", hex);
    }
    return store_put_device(cloud_store(s->cloud), &d, err);
}

/* Whether the firmware is already there with these contents. */
static bool is_known(struct store *st, const struct campaign_firmware *f,
                     struct store_firmware *out)
{
    if (store_find_firmware(st, f->product_id, f->module == NULL ? "" : f->module, f->version, out,
                            NULL) != 0 ||
        out->file_count != f->file_count || out->sign != f->sign || out->diff != f->diff ||
        out->over_mqtt != f->over_mqtt || strcmp(out->extra, f->extra == NULL ? "" : f->extra) != 0)
        return false;
    for (uint32_t i = 0; i < f->file_count; i++) {
        struct store_file file;
        char sha256[DIGEST_HEX_MAX];
        digest_hex_of(DIGEST_SHA256, f->files[i].content, f->files[i].bytes, sha256);
        if (store_get_file(st, out->delta_id, i + 1, &file, NULL) != 0 ||
            strcmp(file.sha256_hex, sha256) != 0)
            return false;
    }
    return true;
}

int setup_put_firmware(struct cloud_setup *s, struct campaign_firmware *f, int64_t *delta_id,
                       struct err *err)
{
    struct store *st = cloud_store(s->cloud);
    struct store_firmware known;
    if (is_known(st, f, &known)) {
        *delta_id = known.delta_id;
        return 0;
    }
    int64_t last = 0;
    int rc = store_last_package(st, &last, err);
    if (rc != 0)
        return rc;
    f->delta_id = last + 1;
    f->uploaded_ns = s->now_ns;
    *delta_id = f->delta_id;
    return campaign_upload(st, f, err);
}

bool setup_is_file_name(const char *name)
{
    size_t len = strlen(name);
    return len >= 1 && len <= 64 && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

int setup_add_task(struct cloud_setup *s, const struct setup_task *t, struct err *err)
{
    if (s->task_count == SETUP_TASKS_MAX) {
        free(t->devices);
        return err_set(err, ERR_LIMIT, "more than %d tasks", SETUP_TASKS_MAX);
    }
    s->tasks[s->task_count++] = *t;
    return 0;
}

static bool is_same_batch(struct store *st, const struct setup_task *t,
                          const struct store_task *old)
{
    bool same = old->kind == TASK_BATCH && strcmp(old->sources, t->task.sources) == 0 &&
                old->fixed == t->task.fixed && old->percent == t->task.percent &&
                old->chosen == (t->device_count > 0);
    for (size_t i = 0; same && i < t->device_count; i++)
        same = store_has_task_device(st, old->task_id, t->devices[i]);
    return same;
}

/* Whether an earlier start has already done what the task is for. */
static bool is_done(struct cloud_setup *s, const struct setup_task *t)
{
    struct store *st = cloud_store(s->cloud);
    const struct store_task *task = &t->task;
    struct store_record rec;
    struct store_task old = {.task_id = 0};
    if (task->kind == TASK_VERIFY)
        return store_get_record(st, task->delta_id, task->device_id, &rec, NULL) == 0;
    while (task->kind == TASK_BATCH &&
           store_older_task(st, task->delta_id, old.task_id, &old, NULL) == 0)
        if (is_same_batch(st, t, &old))
            return true;
    return false;
}

/* 1: it was done before. */
static int start_one(struct cloud_setup *s, int64_t now_ns, struct setup_task *t, struct err *err)
{
    if (is_done(s, t))
        return 1;
    t->task.state = t->task.kind == TASK_BATCH ? TASK_HELD : TASK_WAITING;
    return campaign_start_for(s->cloud, now_ns, &t->task, (const char(*)[STORE_TEXT_MAX])t->devices,
                              t->device_count, err);
}

int setup_start(struct cloud_setup *s, int64_t now_ns, struct err *err)
{
    size_t kept = 0;
    int started = 0, rc = 0;
    for (size_t i = 0; i < s->task_count; i++) {
        struct setup_task *t = &s->tasks[i];
        int result = rc == 0 ? start_one(s, now_ns, t, err) : rc;
        if (result >= 0) {
            started += result == 0;
            free(t->devices);
            continue;
        }
        if (result != ERR_WRONG_STATE)
            rc = result;
        s->tasks[kept++] = *t;
    }
    s->task_count = kept;
    return rc == 0 ? started : rc;
}

void setup_free(struct cloud_setup *s)
{
    for (size_t i = 0; i < s->task_count; i++)
        free(s->tasks[i].devices);
    s->task_count = 0;
}

/* ---- options ---- */

int setup_device(struct cloud_setup *s, const char *product_key, const char *device,
                 struct err *err)
{
    char name[STORE_TEXT_MAX], identity[STORE_TEXT_MAX];
    int rc = setup_identity(product_key, "x", identity, err);
    if (rc == 0)
        rc = setup_put_product(s, product_key, NULL, true, err);
    if (rc != 0 || device == NULL)
        return rc;
    size_t len = strcspn(device, ":");
    if (len >= sizeof name)
        return err_set(err, ERR_ARG, "device \"%s\": the name is too long", device);
    (void)snprintf(name, sizeof name, "%.*s", (int)len, device);
    return setup_put_device(s, product_key, name, device[len] == ':' ? device + len + 1 : NULL,
                            err);
}

int setup_firmware(struct cloud_setup *s, const char *product_key, const char *device_name,
                   const char *text, struct err *err)
{
    char version[STORE_TEXT_MAX], identity[STORE_TEXT_MAX] = "";
    const char *sign = strchr(text, '=');
    if (sign == NULL || sign == text || (size_t)(sign - text) >= sizeof version || sign[1] == '\0')
        return err_set(err, ERR_ARG, "firmware \"%s\": must be VERSION=FILE", text);
    (void)snprintf(version, sizeof version, "%.*s", (int)(sign - text), text);
    struct buf image;
    buf_init(&image, STORE_PACKAGE_BYTES_MAX);
    int rc = input_read(&image, sign + 1, err);
    if (rc == 0)
        rc = setup_identity(product_key, device_name, identity, err);
    const struct campaign_file file = {.content = image.data, .bytes = (uint32_t)image.len_bytes};
    struct campaign_firmware f = {
        .product_id = product_key, .version = version, .files = &file, .file_count = 1};
    int64_t id = 0;
    if (rc == 0)
        rc = setup_put_firmware(s, &f, &id, err);
    if (rc == 0 && s->firmware_id == 0)
        s->firmware_id = id;
    struct setup_task t = {.task = {.delta_id = id, .kind = TASK_VERIFY}};
    (void)snprintf(t.task.device_id, sizeof t.task.device_id, "%s", identity);
    (void)snprintf(t.version, sizeof t.version, "%s", version);
    if (rc == 0)
        rc = setup_add_task(s, &t, err);
    buf_free(&image);
    return rc;
}
