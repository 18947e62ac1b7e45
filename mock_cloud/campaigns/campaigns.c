#include "mock_cloud/campaigns/campaigns.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "mock_cloud/campaigns/tasks.h"
#include "mock_cloud/records.h"

#define EXTRA_DEPTH_MAX 8
#define STEP_ALL        100

/* ---- firmware ---- */

static bool fits(const char *text, bool needed)
{
    return text == NULL
               ? !needed
               : (!needed || text[0] != '\0') && strnlen(text, STORE_TEXT_MAX) < STORE_TEXT_MAX;
}

static int check_extra(const char *extra, struct err *err)
{
    const struct json_limits limits = {.max_bytes = STORE_EXTRA_MAX - 1,
                                       .max_depth = EXTRA_DEPTH_MAX};
    struct json doc;
    if (extra == NULL || extra[0] == '\0')
        return 0;
    int rc = json_parse(&doc, extra, strnlen(extra, STORE_EXTRA_MAX), &limits, err);
    if (rc != 0)
        return err_prefix(err, rc, "firmware: extra");
    if (!cJSON_IsObject(doc.root))
        rc = err_set(err, ERR_FORMAT, "firmware: extra must be a JSON object");
    json_free(&doc);
    return rc;
}

static int check_firmware(const struct campaign_firmware *f, struct err *err)
{
    if (f->delta_id < 1 || f->delta_id > CAMPAIGN_ID_LAST)
        return err_set(err, ERR_ARG, "firmware: id %lld, must be 1 to %d", (long long)f->delta_id,
                       CAMPAIGN_ID_LAST);
    if (f->package_id < 0 || f->package_id > CAMPAIGN_ID_LAST)
        return err_set(err, ERR_ARG, "firmware: package id %lld, must be 0 to %d",
                       (long long)f->package_id, CAMPAIGN_ID_LAST);
    const char *wrong = !fits(f->product_id, true) ? "product"
                        : !fits(f->version, true)  ? "version"
                        : !fits(f->module, false)  ? "module"
                                                   : NULL;
    if (wrong != NULL)
        return err_set(err, ERR_ARG, "firmware: the %s is missing or longer than %d bytes", wrong,
                       STORE_TEXT_MAX - 1);
    if (f->file_count < 1 || f->file_count > STORE_FILES_MAX)
        return err_set(err, ERR_LIMIT, "firmware: %u files, must be 1 to %d", f->file_count,
                       STORE_FILES_MAX);
    if (f->over_mqtt && f->file_count != 1)
        return err_set(err, ERR_ARG, "firmware: only one file goes over MQTT");
    for (uint32_t i = 0; i < f->file_count; i++)
        if (!fits(f->files[i].name, false))
            return err_set(err, ERR_ARG, "firmware: the name of file %u is longer than %d bytes",
                           i + 1, STORE_TEXT_MAX - 1);
    for (uint32_t i = 0; i < f->file_count; i++)
        if (f->files[i].bytes == 0)
            return err_set(err, ERR_ARG, "firmware: file %u is empty", i + 1);
    return check_extra(f->extra, err);
}

static int put_file(struct store *s, const struct campaign_firmware *f, uint32_t i, struct err *err)
{
    const struct campaign_file *from = &f->files[i];
    struct store_package p = {.delta_id = (f->package_id == 0 ? f->delta_id : f->package_id) + i,
                              .kind = f->diff ? PACKAGE_DELTA : PACKAGE_FULL,
                              .bytes = from->bytes,
                              .offered_from_ns = f->uploaded_ns};
    struct store_file file = {
        .firmware_id = f->delta_id, .number = i + 1, .package_id = p.delta_id};
    char md5[DIGEST_HEX_MAX];
    (void)snprintf(p.product_id, sizeof p.product_id, "%s", f->product_id);
    (void)snprintf(p.to_version, sizeof p.to_version, "%s", f->version);
    (void)snprintf(file.name, sizeof file.name, "%s",
                   from->name == NULL ? "firmware.bin" : from->name);
    digest_hex_of(DIGEST_MD5, from->content, from->bytes, md5);
    memcpy(p.md5_hex, md5, sizeof p.md5_hex);
    digest_hex_of(DIGEST_SHA256, from->content, from->bytes, file.sha256_hex);
    int rc = store_put_package(s, &p, from->content, err);
    return rc == 0 ? store_put_file(s, &file, err) : rc;
}

static int put_firmware(struct store *s, const struct campaign_firmware *f, struct err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < f->file_count; i++)
        rc = put_file(s, f, i, err);
    if (rc != 0)
        return rc;
    struct store_firmware kept = {.delta_id = f->delta_id,
                                  .sign = f->sign,
                                  .diff = f->diff,
                                  .over_mqtt = f->over_mqtt,
                                  .file_count = f->file_count};
    (void)snprintf(kept.product_id, sizeof kept.product_id, "%s", f->product_id);
    (void)snprintf(kept.module, sizeof kept.module, "%s", f->module == NULL ? "" : f->module);
    (void)snprintf(kept.version, sizeof kept.version, "%s", f->version);
    (void)snprintf(kept.extra, sizeof kept.extra, "%s", f->extra == NULL ? "" : f->extra);
    return store_put_firmware(s, &kept, err);
}

/* A kill leaves no file without its firmware. */
int campaign_upload(struct store *s, const struct campaign_firmware *f, struct err *err)
{
    int rc = check_firmware(f, err);
    if (rc == 0)
        rc = store_begin(s, err);
    return rc == 0 ? store_finish(s, put_firmware(s, f, err), err) : rc;
}

/* ---- what devices say ---- */

/* A success after a verification makes the firmware fit for batches, also those that wait for it.
 */
static int note_success(struct cloud *c, int64_t now_ns, const struct store_record *rec,
                        struct err *err)
{
    struct store *s = cloud_store(c);
    struct store_firmware f;
    int got = store_get_firmware(s, rec->delta_id, &f, err);
    if (got != 0 || f.verified)
        return got;
    struct store_task t = {.task_id = 0};
    while (store_older_task(s, rec->delta_id, t.task_id, &t, NULL) == 0) {
        if (t.kind == TASK_VERIFY && strcmp(t.device_id, rec->device_id) == 0) {
            f.verified = true;
            int rc = store_put_firmware(s, &f, err);
            return rc == 0 ? tasks_verified(c, now_ns, &f, err) : rc;
        }
    }
    return 0;
}

static int judge_version(struct cloud *c, int64_t now_ns, const char *device_id, const char *module,
                         const char *version, struct err *err)
{
    struct store_record rec;
    int rc = store_record_for_version(cloud_store(c), device_id, module, version, &rec, err);
    if (rc != 0 || rec.state == RECORD_SUCCESS)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    /* A success that is kept without what follows from it would never be looked at again. */
    if ((rc = store_begin(cloud_store(c), err)) != 0)
        return rc;
    rc = record_end(c, now_ns, &rec, RECORD_SUCCESS, err);
    if (rc == 0)
        rc = note_success(c, now_ns, &rec, err);
    return store_finish(cloud_store(c), rc, err);
}

/* Running batches take in devices that come later, the newest batch first. */
static int join_batch(struct cloud *c, int64_t now_ns, const char *device_id, const char *module,
                      const char *version, struct err *err)
{
    struct store *s = cloud_store(c);
    struct store_device d;
    struct store_firmware f;
    struct store_record known;
    struct store_task t = {.task_id = 0};
    if (store_get_device(s, device_id, &d, NULL) != 0)
        return 0;
    while (store_older_batch(s, d.product_id, module, t.task_id, &t, NULL) == 0) {
        if (store_get_firmware(s, t.delta_id, &f, NULL) != 0 ||
            !tasks_wants(s, &t, &f, device_id, version))
            continue;
        if (store_get_record(s, f.delta_id, device_id, &known, NULL) == 0 &&
            known.state != RECORD_SUPERSEDED)
            return 0; /* it has been in this batch, or is */
        return tasks_take_in(c, now_ns, &t, device_id, &f, err);
    }
    return 0;
}

int campaign_version(struct cloud *c, int64_t now_ns, const char *device_id, const char *module,
                     const char *version, struct err *err)
{
    int rc = store_put_version(cloud_store(c), device_id, module, version, err);
    if (rc == 0)
        rc = store_drop_overtaken(cloud_store(c), device_id, module, err);
    if (rc == 0)
        rc = judge_version(c, now_ns, device_id, module, version, err);
    return rc == 0 ? join_batch(c, now_ns, device_id, module, version, err) : rc;
}

int campaign_settle(struct cloud *c, int64_t now_ns, const char *device_id, struct err *err)
{
    struct store *s = cloud_store(c);
    struct store_record rec;
    size_t index = 0;
    while (store_open_record(s, device_id, "*", index, &rec, NULL) == 0) {
        if (rec.state != RECORD_UPGRADING || rec.download_status < STEP_ALL) {
            index++;
            continue;
        }
        int rc = record_end(c, now_ns, &rec, RECORD_FAILED, err);
        if (rc != 0)
            return rc;
        campaign_failed(c, now_ns);
    }
    return 0;
}

int campaign_progress(struct cloud *c, int64_t now_ns, const char *device_id, const char *module,
                      int step, struct err *err)
{
    struct store *s = cloud_store(c);
    struct store_record rec;
    struct store_overtaken over;
    int rc = store_get_overtaken(s, device_id, module, &over, err);
    if (rc == 0)
        rc = store_get_record(s, over.delta_id, device_id, &rec, err);
    if (rc == 0 && step < 0) /* with that it is done with the old one */
        rc = store_drop_overtaken(s, device_id, module, err);
    if (rc == ERR_NOT_FOUND)
        rc = store_open_record(s, device_id, module, 0, &rec, err);
    if (rc == ERR_NOT_FOUND)
        rc = store_newest_record(s, device_id, module, &rec, err);
    if (rc == 0)
        rc = record_step(c, now_ns, &rec, step, err);
    if (rc == 0 && step < 0)
        campaign_failed(c, now_ns);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int campaign_fetched(struct cloud *c, const char *device_id, int64_t delta_id, struct err *err)
{
    struct store *s = cloud_store(c);
    struct store_firmware f;
    struct store_overtaken over;
    int rc = store_next_overtaken(s, 0, &over, err); /* most of the time there is none */
    if (rc == 0)
        rc = store_get_firmware(s, delta_id, &f, err);
    if (rc == 0)
        rc = store_get_overtaken(s, device_id, f.module, &over, err);
    if (rc != 0 || over.delta_id == delta_id)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    return store_drop_overtaken(s, device_id, f.module, err);
}

int campaign_restarted(struct cloud *c, const char *device_id, struct err *err)
{
    return store_drop_overtaken(cloud_store(c), device_id, "*", err);
}

bool campaign_is_silent(struct cloud *c, const char *device_id, int64_t delta_id)
{
    struct store_taken taken;
    struct store_task t;
    return store_get_taken(cloud_store(c), delta_id, device_id, &taken, NULL) == 0 &&
           store_get_task(cloud_store(c), taken.task_id, &t, NULL) == 0 && t.silent;
}

/* A device that waits in a batch has told a version which that batch is not for: one that is newer,
 * maybe. It is not told until it runs one again that the batch is for. */
static bool is_beside(struct store *s, const struct store_record *rec,
                      const struct store_firmware *f, const char *version)
{
    struct store_taken taken;
    struct store_task t;
    return rec->state == RECORD_PENDING &&
           store_get_taken(s, rec->delta_id, rec->device_id, &taken, NULL) == 0 &&
           store_get_task(s, taken.task_id, &t, NULL) == 0 && t.kind == TASK_BATCH &&
           !tasks_wants(s, &t, f, rec->device_id, version);
}

int campaign_needed(struct cloud *c, const char *device_id, const char *module, size_t index,
                    struct store_firmware *out, struct err *err)
{
    struct store *s = cloud_store(c);
    struct store_record rec;
    size_t found = 0;
    int rc = 0;
    for (size_t i = 0; (rc = store_open_record(s, device_id, module, i, &rec, err)) == 0; i++) {
        char version[STORE_TEXT_MAX] = "";
        if ((rc = store_get_firmware(s, rec.delta_id, out, err)) != 0)
            return rc;
        bool told = store_get_version(s, device_id, out->module, version, NULL) == 0;
        if (told && strcmp(version, out->version) != 0 && !is_beside(s, &rec, out, version) &&
            found++ == index)
            return 0;
    }
    return rc;
}
