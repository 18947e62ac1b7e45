/*
 * Campaigns: firmware that is uploaded, tasks that bring it to devices, and what a device's version
 * says about them. Faces of platforms that think in campaigns (Aliyun) stand on this; records are
 * those of records.h, so a device's history reads the same for every cloud.
 *
 * Upgrade kinds of seed 001: TASK_VERIFY takes one device; its success makes the firmware verified.
 * TASK_BATCH takes all devices of the product, or those of one version, and needs a verified
 * firmware; devices that report later are taken in too, until it is cancelled. TASK_AGAIN takes
 * devices whose record of this firmware has failed, one or all of them, and no others.
 *
 * A batch is dynamic (it takes in devices that come to qualify later) or static; it may be for some
 * versions, some devices or a part of those that qualify, leave devices alone that are in another
 * upgrade, wait until it is asked, and try again what has failed (not what has timed out), as the
 * vendor's console offers it.
 *
 * A device is in one upgrade per module at a time: a new task ends the record that is open, as
 * superseded while it was pending, as failed once it was upgrading; a batch that yields fails
 * itself instead.
 *
 * A progress report names no task. It counts for the open record of the module; but a download that
 * a new task has interrupted goes on at the device, and what it tells counts for the old record
 * until it asks for a file of another one, tells a version, or begins a session.
 */
#ifndef OTABENCH_MOCK_CLOUD_CAMPAIGNS_CAMPAIGNS_H
#define OTABENCH_MOCK_CLOUD_CAMPAIGNS_CAMPAIGNS_H

#include "mock_cloud/cloud.h"

#define CAMPAIGN_ID_LAST (INT32_MAX - STORE_FILES_MAX)

struct campaign_file {
    const char *name; /* null: "firmware.bin"; only multi-file announcements tell it */
    const void *content;
    uint32_t bytes;
};

/* Texts and contents live for the call. */
struct campaign_firmware {
    int64_t delta_id;   /* 1..CAMPAIGN_ID_LAST */
    int64_t package_id; /* likewise; its files take this id and those that follow; 0: delta_id */
    const char *product_id;
    const char *module; /* null or "": the default module */
    const char *version;
    enum firmware_sign sign;
    bool diff;
    bool over_mqtt;    /* one file only */
    const char *extra; /* extData, text of a JSON object; null: none */
    const struct campaign_file *files;
    uint32_t file_count; /* 1..STORE_FILES_MAX */
    int64_t uploaded_ns; /* when: what storage tells as Last-Modified */
};

/* Keeps the files as packages and the firmware. ERR_ARG, ERR_LIMIT, ERR_FORMAT (extra is no JSON
 * object) with the field in err. An id in use is replaced. */
int campaign_upload(struct store *s, const struct campaign_firmware *f, struct err *err);

/* Starts a task, at once or when starts_ns has come; task_id and state are filled. A batch whose
 * state is TASK_HELD waits for the verification of its firmware. ERR_NOT_FOUND: no such firmware or
 * device. ERR_WRONG_STATE: a batch of a firmware that is not verified, or "again" for a device that
 * has not failed. */
int campaign_start(struct cloud *c, int64_t now_ns, struct store_task *task, struct err *err);
/* A batch for these devices only (count 0: as above). */
int campaign_start_for(struct cloud *c, int64_t now_ns, struct store_task *task,
                       const char (*devices)[STORE_TEXT_MAX], size_t count, struct err *err);
/* Ends a task: its open records are superseded, no device is taken in any more. ERR_NOT_FOUND. */
int campaign_cancel(struct cloud *c, int64_t now_ns, int64_t task_id, struct err *err);
/* Starts waiting tasks and retries whose time has come; when the next one is due. */
int64_t campaign_tick(struct cloud *c, int64_t now_ns);

/* A device tells the version of a module ("": default): kept, success of the record that wanted it,
 * taken into a running batch. The device need not be known to the store. */
int campaign_version(struct cloud *c, int64_t now_ns, const char *device_id, const char *module,
                     const char *version, struct err *err);
/* The device has told a version, had time to correct itself, and it is not what an upgrade that had
 * told 100 % wanted: that upgrade has failed (seed 001, step 5). */
int campaign_settle(struct cloud *c, int64_t now_ns, const char *device_id, struct err *err);
/* A record has failed: retries of it are planned. campaign_progress does it itself. */
void campaign_failed(struct cloud *c, int64_t now_ns);
/* Progress of the open upgrade of a module; any number, below 0: failure. Without one, or about one
 * that a new task has interrupted, it is noted as late. */
int campaign_progress(struct cloud *c, int64_t now_ns, const char *device_id, const char *module,
                      int step, struct err *err);
/* The device asks for a file of the firmware; it begins a session. */
int campaign_fetched(struct cloud *c, const char *device_id, int64_t delta_id, struct err *err);
int campaign_restarted(struct cloud *c, const char *device_id, struct err *err);
/* Whether the device is not told of its upgrade, and has to ask (store_task.silent). */
bool campaign_is_silent(struct cloud *c, const char *device_id, int64_t delta_id);
/* The index-th upgrade that the device still needs ("*": of any module): open, and its version is
 * not what the device last told. ERR_NOT_FOUND: none. */
int campaign_needed(struct cloud *c, const char *device_id, const char *module, size_t index,
                    struct store_firmware *out, struct err *err);

#endif
