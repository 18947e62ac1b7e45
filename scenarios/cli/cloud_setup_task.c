/* Tasks of a set-up document. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/vtime.h"
#include "scenarios/cli/cloud_setup_walk.h"

/* One version a line. */
static int read_sources(const struct setup_walk *w, const cJSON *obj, struct setup_task *t)
{
    const cJSON *list = NULL, *item = NULL;
    const char *one = "";
    char *out = t->task.sources;
    size_t len = 0;
    int rc = setup_get_text(w, obj, "from_version", false, &one);
    if (rc == 0)
        rc = setup_optional(
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

static int read_devices(const struct setup_walk *w, const cJSON *obj, const char *product,
                        struct setup_task *t)
{
    const cJSON *list = NULL, *item = NULL;
    int rc = setup_optional(
        json_get_array(w->root, obj, "devices", 1, STORE_TASK_DEVICES_MAX, &list, w->err));
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
static int read_batch(const struct setup_walk *w, const cJSON *obj, const char *product,
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
        rc = setup_optional(json_get_word(w->root, obj, "policy", policies, 2, &policy, w->err));
    if (rc == 0)
        rc = setup_optional(json_get_int(w->root, obj, "percent", 1, 100, &percent, w->err));
    if (rc == 0)
        rc = setup_optional(json_get_bool(w->root, obj, "push", &push, w->err));
    if (rc == 0)
        rc = setup_optional(json_get_bool(w->root, obj, "overwrite", &overwrite, w->err));
    if (rc == 0)
        rc = setup_optional(json_get_int(w->root, obj, "retries", 0, 5, &retries, w->err));
    if (rc == 0)
        rc = setup_optional(
            json_get_int(w->root, obj, "retry_after_s", 0, 86400, &retry_after_s, w->err));
    if (rc == 0)
        rc = setup_optional(json_get_int(w->root, obj, "delay_s", 0, 31622400, &delay_s, w->err));
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

static int read_task_parts(const struct setup_walk *w, const cJSON *obj, const char *product,
                           struct setup_task *t)
{
    static const char *const keys[] = {"kind",        "device",   "from_version",  "from_versions",
                                       "devices",     "policy",   "percent",       "push",
                                       "overwrite",   "retries",  "retry_after_s", "delay_s",
                                       "product_key", "firmware", "version",       "module"};
    static const char *const kinds[] = {"verify", "batch", "again"};
    const char *device = "";
    int kind = 0;
    int rc = setup_only_keys(w, obj, keys, 12, 16);
    if (rc == 0)
        rc = json_need(json_get_word(w->root, obj, "kind", kinds, 3, &kind, w->err), w->root, obj,
                       "kind", w->err);
    if (rc == 0)
        rc = setup_get_text(w, obj, "device", kind == TASK_VERIFY, &device);
    t->task.kind = (enum task_kind)kind;
    if (rc == 0 && kind == TASK_BATCH && device[0] != '\0')
        rc = json_error(w->root, obj, w->err, "a batch has no \"device\"");
    for (size_t i = 2; rc == 0 && kind != TASK_BATCH && i < 12; i++)
        if (cJSON_GetObjectItemCaseSensitive(obj, keys[i]) != NULL)
            rc = json_error(w->root, obj, w->err, "only a batch has \"%s\"", keys[i]);
    if (rc == 0 && device[0] != '\0' &&
        setup_identity(product, device, t->task.device_id, w->err) != 0)
        rc = json_error(w->root, obj, w->err, "device is no device name");
    if (rc == 0 && !w->one && device[0] != '\0' && !setup_has_device(w, t->task.device_id))
        rc = json_error(w->root, obj, w->err, "there is no device \"%s\"", device);
    return rc == 0 && kind == TASK_BATCH ? read_batch(w, obj, product, t) : rc;
}

int setup_read_task(const struct setup_walk *w, const cJSON *obj, void *ctx)
{
    struct setup_firmware_walk *f = ctx;
    struct setup_task t = {.task = {.delta_id = f->delta_id}};
    (void)snprintf(t.version, sizeof t.version, "%s", f->version);
    int rc = read_task_parts(w, obj, f->product, &t);
    if (rc == 0 && w->apply)
        return setup_add_task(w->s, &t, w->err);
    free(t.devices);
    return rc;
}

/* ---- a task by itself ---- */

static int find_firmware(const struct setup_walk *w, const char *product,
                         struct setup_firmware_walk *f)
{
    struct store *st = cloud_store(w->s->cloud);
    struct store_firmware known;
    const char *version = "", *module = "";
    int64_t id = 0;
    int rc = setup_optional(json_get_int(w->root, w->root, "firmware", 1, INT32_MAX, &id, w->err));
    if (rc == 0)
        rc = setup_get_text(w, w->root, "version", id == 0, &version);
    if (rc == 0)
        rc = setup_get_text(w, w->root, "module", false, &module);
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

int setup_read_known_task(const struct setup_walk *w, const cJSON *obj, void *product)
{
    struct setup_firmware_walk f = {.product = NULL};
    int rc = find_firmware(w, product, &f);
    return rc == 0 ? setup_read_task(w, obj, &f) : rc;
}
