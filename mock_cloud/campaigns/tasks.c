#include "mock_cloud/campaigns/tasks.h"

#include <stdio.h>
#include <string.h>

#include "common/vtime.h"
#include "mock_cloud/records.h"

/* ---- taking devices in ---- */

/* A download in its middle goes on at the device, and what it tells of it names no task. */
static int overtake(struct cloud *c, const struct store_record *rec, const char *module,
                    struct err *err)
{
    struct store_overtaken x = {.delta_id = rec->delta_id};
    if (rec->state != RECORD_UPGRADING)
        return 0;
    (void)snprintf(x.device_id, sizeof x.device_id, "%s", rec->device_id);
    (void)snprintf(x.module, sizeof x.module, "%s", module);
    return store_put_overtaken(cloud_store(c), &x, err);
}

/* At most one upgrade of a module is open: others end. */
static int end_others(struct cloud *c, int64_t now_ns, const char *device_id,
                      const struct store_firmware *f, struct err *err)
{
    struct store_record other;
    size_t index = 0;
    int rc = 0;
    while ((rc = store_open_record(cloud_store(c), device_id, f->module, index, &other, err)) ==
           0) {
        if (other.delta_id == f->delta_id) {
            index++;
            continue;
        }
        rc = overtake(c, &other, f->module, err);
        if (rc == 0)
            rc = record_end(c, now_ns, &other,
                            other.state == RECORD_PENDING ? RECORD_SUPERSEDED : RECORD_FAILED, err);
        if (rc != 0)
            return rc;
    }
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* The task yields to another upgrade of the module that is open. */
static bool is_taken(struct store *s, const struct store_task *t, const char *device_id,
                     const struct store_firmware *f)
{
    struct store_record open;
    for (size_t i = 0; t->yields && store_open_record(s, device_id, f->module, i, &open, NULL) == 0;
         i++)
        if (open.delta_id != f->delta_id)
            return true;
    return false;
}

static int take_again(struct cloud *c, int64_t now_ns, const struct store_taken *taken,
                      const char *device_id, const struct store_firmware *f, struct err *err)
{
    int rc = end_others(c, now_ns, device_id, f, err);
    if (rc == 0)
        rc = store_put_taken(cloud_store(c), f->delta_id, device_id, taken, err);
    return rc == 0 ? record_start(c, now_ns, device_id, f->delta_id, err) : rc;
}

int tasks_take_in(struct cloud *c, int64_t now_ns, const struct store_task *t,
                  const char *device_id, const struct store_firmware *f, struct err *err)
{
    const struct store_taken taken = {.task_id = t->task_id};
    struct store_record rec;
    if (!is_taken(cloud_store(c), t, device_id, f))
        return take_again(c, now_ns, &taken, device_id, f, err);
    int rc = store_put_taken(cloud_store(c), f->delta_id, device_id, &taken, err);
    if (rc == 0)
        rc = record_start(c, now_ns, device_id, f->delta_id, err);
    if (rc == 0)
        rc = store_get_record(cloud_store(c), f->delta_id, device_id, &rec, err);
    return rc == 0 ? record_end(c, now_ns, &rec, RECORD_FAILED, err) : rc;
}

/* Whether version is one of the lines of list. */
static bool is_listed(const char *list, const char *version)
{
    size_t len = strlen(version);
    for (const char *line = list; *line != '\0';) {
        size_t n = strcspn(line, "\n");
        if (n == len && memcmp(line, version, n) == 0)
            return true;
        line += line[n] == '\n' ? n + 1 : n;
    }
    return false;
}

bool tasks_wants(struct store *s, const struct store_task *t, const struct store_firmware *f,
                 const char *device_id, const char *version)
{
    if (strcmp(version, f->version) == 0)
        return false;
    if (t->chosen && !store_has_task_device(s, t->task_id, device_id))
        return false;
    if (t->sources[0] != '\0')
        return is_listed(t->sources, version);
    return version_compare(version, f->version) < 0;
}

static int offer(struct cloud *c, int64_t now_ns, const struct store_task *t, const char *device_id,
                 const struct store_firmware *f, struct err *err)
{
    struct store_record rec;
    int rc = tasks_take_in(c, now_ns, t, device_id, f, err);
    if (rc == 0 && !t->silent &&
        store_get_record(cloud_store(c), f->delta_id, device_id, &rec, NULL) == 0 &&
        rec.state == RECORD_PENDING)
        cloud_offered(c, now_ns, device_id, f->delta_id);
    return rc;
}

/* Whether a batch that starts takes the device in. */
static bool qualifies(struct store *s, const struct store_task *t, const struct store_firmware *f,
                      const char *device_id)
{
    char version[STORE_TEXT_MAX];
    struct store_record known;
    if (store_get_record(s, f->delta_id, device_id, &known, NULL) == 0 &&
        known.state != RECORD_SUPERSEDED)
        return false; /* what has failed is a matter of "again" */
    return store_get_version(s, device_id, f->module, version, NULL) == 0 &&
           tasks_wants(s, t, f, device_id, version);
}

static int64_t count_qualified(struct store *s, const struct store_task *t,
                               const struct store_firmware *f)
{
    struct store_device d = {.device_id = ""};
    int64_t n = 0;
    while (store_next_device(s, f->product_id, d.device_id, &d, NULL) == 0)
        n += qualifies(s, t, f, d.device_id);
    return n;
}

/* A part of those that qualify, rounded down but at least one, spread evenly over their ids. */
static int run_batch(struct cloud *c, int64_t now_ns, const struct store_task *t,
                     const struct store_firmware *f, struct err *err)
{
    struct store *s = cloud_store(c);
    struct store_device d = {.device_id = ""};
    int64_t all = t->percent == 0 ? 1 : count_qualified(s, t, f), index = 0;
    int64_t part = t->percent == 0 ? 1 : all * t->percent / 100;
    int rc = 0;
    if (part == 0)
        part = 1;
    while ((rc = store_next_device(s, f->product_id, d.device_id, &d, err)) == 0) {
        if (!qualifies(s, t, f, d.device_id))
            continue;
        bool mine = t->percent == 0 || (index + 1) * part / all > index * part / all;
        index++;
        if (mine && (rc = offer(c, now_ns, t, d.device_id, f, err)) != 0)
            return rc;
    }
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int run_again(struct cloud *c, int64_t now_ns, const struct store_task *t,
                     const struct store_firmware *f, struct err *err)
{
    struct store *s = cloud_store(c);
    struct store_record failed;
    if (t->device_id[0] != '\0')
        return offer(c, now_ns, t, t->device_id, f, err);
    char after[STORE_TEXT_MAX] = "";
    int rc = 0;
    while ((rc = store_next_failed(s, f->delta_id, after, &failed, err)) == 0) {
        (void)snprintf(after, sizeof after, "%s", failed.device_id);
        if ((rc = offer(c, now_ns, t, failed.device_id, f, err)) != 0)
            return rc;
    }
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- tasks ---- */

static int run_parts(struct cloud *c, int64_t now_ns, struct store_task *t, struct err *err)
{
    struct store *s = cloud_store(c);
    struct store_firmware f;
    int rc = store_get_firmware(s, t->delta_id, &f, err);
    if (rc != 0)
        return rc;
    t->state = t->kind == TASK_AGAIN ? TASK_ENDED : TASK_RUNNING;
    if ((rc = store_put_task(s, t, err)) != 0)
        return rc;
    switch (t->kind) {
    case TASK_VERIFY:
        return offer(c, now_ns, t, t->device_id, &f, err);
    case TASK_BATCH:
        return run_batch(c, now_ns, t, &f, err);
    case TASK_AGAIN:
        break;
    }
    return run_again(c, now_ns, t, &f, err);
}

/* As a whole: of a batch that a kill has begun by half, devices would be left out for ever. */
static int run_task(struct cloud *c, int64_t now_ns, struct store_task *t, struct err *err)
{
    int rc = store_begin(cloud_store(c), err);
    return rc == 0 ? store_finish(cloud_store(c), run_parts(c, now_ns, t, err), err) : rc;
}

static int check_again(struct store *s, const struct store_task *t, struct err *err)
{
    struct store_record failed;
    int rc = store_get_record(s, t->delta_id, t->device_id, &failed, err);
    if (rc == 0 && failed.state == RECORD_FAILED)
        return 0;
    return err_set(err, rc != 0 ? rc : ERR_WRONG_STATE,
                   "task: only devices that have failed are upgraded again, %s is %s", t->device_id,
                   rc != 0 ? "unknown" : record_state_name(failed.state));
}

static int check_batch(const struct store_task *t, const struct store_firmware *f, struct err *err)
{
    if (t->percent < 0 || t->percent > 100 || (t->percent != 0 && !t->fixed))
        return err_set(err, ERR_ARG, "task: %d percent, must be 1 to 100 of a static batch",
                       t->percent);
    if (!f->verified && t->state != TASK_HELD)
        return err_set(err, ERR_WRONG_STATE, "task: firmware %lld is not verified, no batch",
                       (long long)t->delta_id);
    return 0;
}

static int check_task(struct cloud *c, const struct store_task *t, struct store_firmware *f,
                      struct err *err)
{
    struct store *s = cloud_store(c);
    struct store_device d;
    int rc = store_get_firmware(s, t->delta_id, f, err);
    if (rc != 0)
        return err_set(err, rc, "task: there is no firmware %lld", (long long)t->delta_id);
    if (t->kind == TASK_BATCH)
        return check_batch(t, f, err);
    if (t->device_id[0] == '\0')
        return t->kind != TASK_VERIFY
                   ? 0
                   : err_set(err, ERR_ARG, "task: a verification takes one device");
    rc = store_get_device(s, t->device_id, &d, err);
    if (rc != 0 || strcmp(d.product_id, f->product_id) != 0)
        return err_set(err, ERR_NOT_FOUND, "task: %s is no device of product %s", t->device_id,
                       f->product_id);
    return t->kind == TASK_AGAIN ? check_again(s, t, err) : 0;
}

static int put_devices(struct store *s, const struct store_task *t,
                       const char (*devices)[STORE_TEXT_MAX], size_t count, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = store_put_task_device(s, t->task_id, devices[i], err);
    return rc;
}

static int start_task(struct cloud *c, int64_t now_ns, struct store_task *task, bool held,
                      const char (*devices)[STORE_TEXT_MAX], size_t count, struct err *err)
{
    task->chosen = count > 0;
    task->state = held ? TASK_HELD : TASK_WAITING;
    int rc = store_put_task(cloud_store(c), task, err);
    if (rc == 0)
        rc = put_devices(cloud_store(c), task, devices, count, err);
    if (rc != 0 || held)
        return rc;
    if (task->starts_ns > now_ns) {
        cloud_wake(c, task->starts_ns);
        return 0;
    }
    return run_task(c, now_ns, task, err);
}

/* With its devices, or not at all. */
int campaign_start_for(struct cloud *c, int64_t now_ns, struct store_task *task,
                       const char (*devices)[STORE_TEXT_MAX], size_t count, struct err *err)
{
    struct store *s = cloud_store(c);
    struct store_firmware f;
    int rc = check_task(c, task, &f, err);
    if (rc == 0)
        rc = store_begin(s, err);
    if (rc != 0)
        return rc;
    bool held = task->kind == TASK_BATCH && !f.verified;
    return store_finish(s, start_task(c, now_ns, task, held, devices, count, err), err);
}

int campaign_start(struct cloud *c, int64_t now_ns, struct store_task *task, struct err *err)
{
    return campaign_start_for(c, now_ns, task, NULL, 0, err);
}

int tasks_verified(struct cloud *c, int64_t now_ns, const struct store_firmware *f, struct err *err)
{
    struct store_task t = {.task_id = 0};
    int rc = 0;
    while ((rc = store_next_any_task(cloud_store(c), f->delta_id, t.task_id, &t, err)) == 0) {
        if (t.state != TASK_HELD)
            continue;
        if (t.starts_ns > now_ns) {
            t.state = TASK_WAITING;
            rc = store_put_task(cloud_store(c), &t, err);
            cloud_wake(c, t.starts_ns);
        } else {
            rc = run_task(c, now_ns, &t, err);
        }
        if (rc != 0)
            return rc;
    }
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int campaign_cancel(struct cloud *c, int64_t now_ns, int64_t task_id, struct err *err)
{
    struct store *s = cloud_store(c);
    struct store_task t;
    struct store_record open;
    struct store_firmware f;
    bool known = false;
    int rc = store_get_task(s, task_id, &t, err);
    if (rc != 0)
        return err_set(err, rc, "task: there is no task %lld", (long long)task_id);
    t.state = TASK_ENDED;
    if ((rc = store_put_task(s, &t, err)) != 0)
        return rc;
    char after[STORE_TEXT_MAX] = "";
    while ((rc = store_next_open(s, t.delta_id, after, &open, err)) == 0) {
        struct store_taken taken;
        (void)snprintf(after, sizeof after, "%s", open.device_id);
        if (store_get_taken(s, t.delta_id, open.device_id, &taken, NULL) == 0
                ? taken.task_id != task_id
                : t.device_id[0] != '\0' && strcmp(t.device_id, open.device_id) != 0)
            continue;
        if (!known && (rc = store_get_firmware(s, t.delta_id, &f, err)) != 0)
            return rc;
        known = true;
        if ((rc = overtake(c, &open, f.module, err)) != 0 ||
            (rc = record_end(c, now_ns, &open, RECORD_SUPERSEDED, err)) != 0)
            return rc;
    }
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* A device that said that it has failed; those that were silent or overtaken are left. */
static bool may_retry(struct store *s, const struct store_task *t, const struct store_firmware *f,
                      const struct store_record *rec, struct store_taken *taken)
{
    char version[STORE_TEXT_MAX];
    struct store_record open;
    return (rec->upgrade_status < 0 || rec->download_status >= 100) &&
           store_get_taken(s, f->delta_id, rec->device_id, taken, NULL) == 0 &&
           taken->task_id == t->task_id && taken->tries < t->retries &&
           store_open_record(s, rec->device_id, f->module, 0, &open, NULL) != 0 &&
           store_get_version(s, rec->device_id, f->module, version, NULL) == 0 &&
           tasks_wants(s, t, f, rec->device_id, version);
}

/* When the next retry of a batch is due. */
static int64_t retry_batch(struct cloud *c, int64_t now_ns, const struct store_task *t,
                           struct err *err)
{
    struct store *s = cloud_store(c);
    struct store_firmware f;
    struct store_record failed;
    struct store_taken taken;
    int64_t next_ns = VTIME_NEVER;
    char after[STORE_TEXT_MAX] = "";
    int rc = store_get_firmware(s, t->delta_id, &f, err);
    while (rc == 0 && store_next_failed(s, f.delta_id, after, &failed, NULL) == 0) {
        (void)snprintf(after, sizeof after, "%s", failed.device_id);
        if (!may_retry(s, t, &f, &failed, &taken))
            continue;
        int64_t due_ns = vtime_after(failed.changed_ns, t->retry_after_ns);
        if (due_ns > now_ns) {
            next_ns = vtime_min(next_ns, due_ns);
            continue;
        }
        taken.tries++;
        rc = take_again(c, now_ns, &taken, failed.device_id, &f, err);
        if (rc == 0 && !t->silent)
            cloud_offered(c, now_ns, failed.device_id, f.delta_id);
    }
    if (rc != 0)
        cloud_event(c, now_ns, "error", &F_STR("what", err->text), 1);
    return next_ns;
}

static int64_t retry_failed(struct cloud *c, int64_t now_ns)
{
    struct store_task t = {.task_id = 0};
    struct err err = {""};
    int64_t next_ns = VTIME_NEVER;
    while (store_next_retrying(cloud_store(c), t.task_id, &t, NULL) == 0)
        next_ns = vtime_min(next_ns, retry_batch(c, now_ns, &t, &err));
    return next_ns;
}

void campaign_failed(struct cloud *c, int64_t now_ns)
{
    struct store_task t;
    if (store_next_retrying(cloud_store(c), 0, &t, NULL) == 0)
        cloud_wake(c, now_ns);
}

int64_t campaign_tick(struct cloud *c, int64_t now_ns)
{
    struct store_task t;
    struct err err = {""};
    int64_t next_ns = retry_failed(c, now_ns);
    while (store_next_task(cloud_store(c), &t, NULL) == 0) {
        if (t.starts_ns > now_ns)
            return vtime_min(next_ns, t.starts_ns);
        if (run_task(c, now_ns, &t, &err) != 0) {
            cloud_event(c, now_ns, "error", &F_STR("what", err.text), 1);
            t.state = TASK_ENDED;
            if (store_put_task(cloud_store(c), &t, NULL) != 0)
                return vtime_after(now_ns, NS_PER_S);
        }
    }
    return next_ns;
}
