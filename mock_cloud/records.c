#include "mock_cloud/records.h"

#include <stdio.h>

#include "common/vtime.h"
#include "mock_cloud/core.h"

#define STATUS_GOOD 1

static void tell(struct cloud *c, int64_t now_ns, const char *event, const struct store_record *rec,
                 int download, int upgrade)
{
    const struct trace_field fields[] = {
        F_INT("delta_id", rec->delta_id),
        F_STR("device", rec->device_id),
        F_STR("state", record_state_name(rec->state)),
        F_INT("download", download),
        F_INT("upgrade", upgrade),
    };
    cloud_event(c, now_ns, event, fields, sizeof fields / sizeof fields[0]);
}

/* Stores the record in its new state and tells. */
static int move_to(struct cloud *c, int64_t now_ns, struct store_record *rec,
                   enum record_state state, struct err *err)
{
    rec->state = state;
    rec->changed_ns = now_ns;
    int rc = store_put_record(cloud_store(c), rec, err);
    if (rc == 0)
        tell(c, now_ns, "record", rec, rec->download_status, rec->upgrade_status);
    if (state == RECORD_UPGRADING && cloud_config(c)->task_timeout_ns > 0)
        cloud_wake(c, vtime_after(now_ns, cloud_config(c)->task_timeout_ns));
    return rc;
}

static int begin_attempt(struct cloud *c, int64_t now_ns, struct store_record *rec,
                         enum record_state state, struct err *err)
{
    rec->download_status = 0;
    rec->upgrade_status = 0;
    return move_to(c, now_ns, rec, state, err);
}

static int supersede_others(struct cloud *c, int64_t now_ns, const char *device_id,
                            int64_t delta_id, struct err *err)
{
    struct store_record other;
    int rc = 0;
    while ((rc = store_find_other_pending(cloud_store(c), device_id, delta_id, &other, err)) == 0) {
        rc = move_to(c, now_ns, &other, RECORD_SUPERSEDED, err);
        if (rc != 0)
            return rc;
    }
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int record_offer(struct cloud *c, int64_t now_ns, const char *device_id, int64_t delta_id,
                 struct err *err)
{
    int rc = supersede_others(c, now_ns, device_id, delta_id, err);
    if (rc != 0 || delta_id == 0)
        return rc;
    struct store_record rec;
    rc = store_get_record(cloud_store(c), delta_id, device_id, &rec, err);
    if (rc == ERR_NOT_FOUND) {
        rec = (struct store_record){.delta_id = delta_id, .created_ns = now_ns};
        (void)snprintf(rec.device_id, sizeof rec.device_id, "%s", device_id);
        return begin_attempt(c, now_ns, &rec, RECORD_PENDING, err);
    }
    if (rc != 0)
        return rc;
    if (rec.state == RECORD_PENDING || rec.state == RECORD_UPGRADING) {
        rec.changed_ns = now_ns;
        return store_put_record(cloud_store(c), &rec, err);
    }
    return begin_attempt(c, now_ns, &rec, RECORD_PENDING, err);
}

int record_fetch(struct cloud *c, int64_t now_ns, const char *device_id, int64_t delta_id,
                 struct err *err)
{
    struct store_record rec;
    int rc = store_get_record(cloud_store(c), delta_id, device_id, &rec, err);
    if (rc != 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    switch (rec.state) {
    case RECORD_PENDING:
    case RECORD_FAILED:
        return begin_attempt(c, now_ns, &rec, RECORD_UPGRADING, err);
    case RECORD_UPGRADING:
        rec.changed_ns = now_ns;
        return store_put_record(cloud_store(c), &rec, err);
    case RECORD_SUCCESS:
    case RECORD_SUPERSEDED:
        break;
    }
    return 0;
}

static int note_late(struct cloud *c, int64_t now_ns, const struct store_record *rec, int download,
                     int upgrade, struct err *err)
{
    char text[STORE_MESSAGE_TEXT_MAX];
    tell(c, now_ns, "late", rec, download, upgrade);
    (void)snprintf(text, sizeof text, "package %lld, device %s: %s stays, download %d, upgrade %d",
                   (long long)rec->delta_id, rec->device_id, record_state_name(rec->state),
                   download, upgrade);
    return store_log_message(cloud_store(c), now_ns, "core", "late report", text, err);
}

int record_report(struct cloud *c, int64_t now_ns, const char *device_id, int64_t delta_id,
                  int download, int upgrade, struct err *err)
{
    struct store_record rec;
    int rc = store_get_record(cloud_store(c), delta_id, device_id, &rec, err);
    if (rc != 0)
        return rc;
    int reported = upgrade != 0 ? upgrade : download;
    int known = upgrade != 0 ? rec.upgrade_status : rec.download_status;
    if (rec.state != RECORD_PENDING && rec.state != RECORD_UPGRADING)
        return reported == known ? 0 : note_late(c, now_ns, &rec, download, upgrade, err);
    if (download != 0)
        rec.download_status = download;
    if (upgrade != 0)
        rec.upgrade_status = upgrade;
    enum record_state next = reported != STATUS_GOOD ? RECORD_FAILED
                             : upgrade != 0          ? RECORD_SUCCESS
                                                     : RECORD_UPGRADING;
    return move_to(c, now_ns, &rec, next, err);
}

int record_start(struct cloud *c, int64_t now_ns, const char *device_id, int64_t delta_id,
                 struct err *err)
{
    struct store_record rec;
    int rc = store_get_record(cloud_store(c), delta_id, device_id, &rec, err);
    if (rc != 0 && rc != ERR_NOT_FOUND)
        return rc;
    if (rc == 0 && (rec.state == RECORD_PENDING || rec.state == RECORD_UPGRADING))
        return 0;
    if (rc == ERR_NOT_FOUND) {
        rec = (struct store_record){.delta_id = delta_id, .created_ns = now_ns};
        (void)snprintf(rec.device_id, sizeof rec.device_id, "%s", device_id);
    }
    return begin_attempt(c, now_ns, &rec, RECORD_PENDING, err);
}

int record_step(struct cloud *c, int64_t now_ns, struct store_record *rec, int step,
                struct err *err)
{
    if (rec->state != RECORD_PENDING && rec->state != RECORD_UPGRADING) {
        bool known = step == (step < 0 ? rec->upgrade_status : rec->download_status);
        return known ? 0 : note_late(c, now_ns, rec, step < 0 ? 0 : step, step < 0 ? step : 0, err);
    }
    if (step < 0) {
        rec->upgrade_status = step;
        return move_to(c, now_ns, rec, RECORD_FAILED, err);
    }
    bool begins = rec->state == RECORD_PENDING;
    rec->download_status = step;
    if (begins)
        return move_to(c, now_ns, rec, RECORD_UPGRADING, err);
    rec->changed_ns = now_ns;
    return store_put_record(cloud_store(c), rec, err);
}

int record_end(struct cloud *c, int64_t now_ns, struct store_record *rec, enum record_state state,
               struct err *err)
{
    if (state == RECORD_SUCCESS)
        rec->upgrade_status = STATUS_GOOD;
    return move_to(c, now_ns, rec, state, err);
}

static int64_t time_out_records(struct cloud *c, int64_t now_ns)
{
    int64_t timeout_ns = cloud_config(c)->task_timeout_ns;
    struct store_record rec;
    struct err err;
    while (timeout_ns > 0 && store_find_oldest_upgrading(cloud_store(c), &rec, NULL) == 0) {
        int64_t due_ns = vtime_after(rec.changed_ns, timeout_ns);
        if (due_ns > now_ns)
            return due_ns;
        if (move_to(c, now_ns, &rec, RECORD_FAILED, &err) != 0) {
            cloud_event(c, now_ns, "error", &F_STR("what", err.text), 1);
            return vtime_after(now_ns, NS_PER_S);
        }
    }
    return VTIME_NEVER;
}

int64_t cloud_tick(struct cloud *c, int64_t now_ns)
{
    c->due_ns = VTIME_NEVER; /* what the steps below start anew wakes again */
    int64_t next_ns = vtime_min(time_out_records(c, now_ns), outgoing_tick(c, now_ns));
    for (size_t i = 0; i < c->face_count; i++)
        if (c->face[i]->tick != NULL)
            next_ns = vtime_min(next_ns, c->face[i]->tick(c, now_ns));
    cloud_wake(c, next_ns);
    return c->due_ns;
}
