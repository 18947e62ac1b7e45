/*
 * What the cloud keeps: products, devices, packages on offer, one update record per package and
 * device, visit counts, a message log. SQLite is the only home of this state: ":memory:" in
 * simulation, a WAL file on the wire. Times are virtual nanoseconds given by the caller.
 *
 * One connection, one thread. Statements are prepared once. Texts are UTF-8, at most STORE_TEXT_MAX
 * - 1 bytes. Any call may also answer ERR_IO with SQLite's words, ERR_NOMEM, or ERR_LIMIT when the
 * database has reached STORE_BYTES_MAX.
 */
#ifndef OTABENCH_MOCK_CLOUD_STORE_H
#define OTABENCH_MOCK_CLOUD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/package.h"
#include "common/version.h"

#define STORE_TEXT_MAX          128
#define STORE_BYTES_MAX         ((int64_t)1 << 30) /* the whole database */
#define STORE_PACKAGES_MAX      4096
#define STORE_PACKAGE_BYTES_MAX (64u << 20)
#define STORE_MESSAGES_MAX      100000       /* the log keeps the newest */
#define STORE_MESSAGE_TEXT_MAX  512          /* longer text is cut */
#define STORE_EXTRA_MAX         1024         /* extData of a firmware */
#define STORE_FILES_MAX         20           /* files of one firmware */
#define STORE_MODULES_MAX       64           /* that one device has told */
#define STORE_OUTGOING_MAX      4096         /* messages held back */
#define STORE_OUTGOING_BYTES    (256u << 10) /* each */

struct store;

/* path null or ":memory:": in memory. Creates the schema when absent; ERR_FORMAT when the file is
 * no database, not one of ours, or has another schema version; ERR_IO when it cannot be opened. */
struct store *store_open(const char *path, struct err *err);
void store_close(struct store *s); /* null is fine */
/* Forgets everything, keeps the schema and prepared statements: cheap reset between simulated runs.
 */
int store_reset(struct store *s, struct err *err);

/*
 * All that is put between the two is kept, or none of it, also when the process is killed. They
 * nest: only the outermost commits, and what an inner part has failed at takes everything back. A
 * single call of this header needs neither.
 */
int store_begin(struct store *s, struct err *err);
/* rc says how the part has ended: 0 commits, else everything is taken back. Returns rc, or the
 * error of the commit. */
int store_finish(struct store *s, int rc, struct err *err);

/* What has been kept is on the disk when this returns, and survives a power cut of the host. All
 * else survives a kill at any time, but the last moments before a power cut may be missing:
 * waiting for the disk at each message makes a cloud six to ten times slower. ERR_IO. */
int store_sync(struct store *s, struct err *err);

struct store_product {
    char product_id[STORE_TEXT_MAX];
    char secret[STORE_TEXT_MAX]; /* productSecret (variant A), CMS key (variant C) */
    bool cms;                    /* variant C: devices need no registration, sign key is empty */
    bool has_team;               /* false: 2104 */
    char oem[STORE_TEXT_MAX], model[STORE_TEXT_MAX], platform[STORE_TEXT_MAX],
        device_type[STORE_TEXT_MAX];
    char owner[STORE_TEXT_MAX];     /* the user whose daily visits are counted (1015) */
    uint32_t device_visits_per_day; /* 0: no cap (1010) */
    uint32_t owner_visits_per_day;
    uint16_t compare_block_kib; /* how packages are made for it: device facts from its info.txt */
    uint32_t restore_block_bytes;
    uint32_t window_bytes;
};
struct store_device {
    char device_id[STORE_TEXT_MAX]; /* A: given at register; C: the OID */
    char product_id[STORE_TEXT_MAX];
    char mid[STORE_TEXT_MAX];
    char secret[STORE_TEXT_MAX];
    char version[STORE_TEXT_MAX]; /* last reported */
    int64_t registered_ns, seen_ns;
};
/* Task states (requirement RPT-17): pending -> upgrading -> success | failed. Superseded: another
 * package was offered before the device had begun with this one, or its task was cancelled. */
enum record_state {
    RECORD_PENDING,
    RECORD_UPGRADING,
    RECORD_SUCCESS,
    RECORD_FAILED,
    RECORD_SUPERSEDED
};
const char *record_state_name(enum record_state state); /* "pending", ... */
struct store_package {
    int64_t delta_id; /* 1..2147483647 */
    char product_id[STORE_TEXT_MAX];
    char from_version[STORE_TEXT_MAX]; /* empty: full, any source */
    char to_version[STORE_TEXT_MAX];
    enum package_kind kind;
    uint32_t bytes;
    char md5_hex[33];
    int64_t offered_from_ns; /* a strategy change shows to devices after five minutes (CLD-11)
                                unless the task is immediate */
    bool withdrawn;
};
struct store_record {
    int64_t delta_id;
    char device_id[STORE_TEXT_MAX];
    enum record_state state;
    int download_status; /* last reportDownResult, 0 none */
    int upgrade_status;  /* last reportUpgradeResult, 0 none */
    int64_t created_ns;
    int64_t changed_ns; /* last sign of life of this attempt: offer, download or report */
};

/* put: insert or replace. get: 0, ERR_NOT_FOUND. */
int store_put_product(struct store *s, const struct store_product *p, struct err *err);
int store_get_product(struct store *s, const char *product_id, struct store_product *out,
                      struct err *err);
int store_put_device(struct store *s, const struct store_device *d, struct err *err);
int store_get_device(struct store *s, const char *device_id, struct store_device *out,
                     struct err *err);
int store_find_device_by_mid(struct store *s, const char *product_id, const char *mid,
                             struct store_device *out, struct err *err);
/* Content is kept as a blob and also in memory: store_package_bytes is valid until the package is
 * put again or the store reset or closed. ERR_ARG for an id outside 1..2147483647; ERR_LIMIT above
 * STORE_PACKAGES_MAX or STORE_PACKAGE_BYTES_MAX. content holds p->bytes bytes. */
int store_put_package(struct store *s, const struct store_package *p, const void *content,
                      struct err *err);
int store_get_package(struct store *s, int64_t delta_id, struct store_package *out,
                      struct err *err);
int store_package_bytes(struct store *s, int64_t delta_id, const uint8_t **data, size_t *len_bytes,
                        struct err *err);
int store_withdraw_package(struct store *s, int64_t delta_id, struct err *err);
/* The package to offer a device of that version at now: not withdrawn, offered, exact source or
 * full, highest target by dotted-numeric order, must be higher than version. Among equal targets
 * the difference wins over the full image, then the newer id. ERR_NOT_FOUND: nothing. */
int store_find_offer(struct store *s, const char *product_id, const char *version, int64_t now_ns,
                     struct store_package *out, struct err *err);
int store_put_record(struct store *s, const struct store_record *r, struct err *err);
int store_get_record(struct store *s, int64_t delta_id, const char *device_id,
                     struct store_record *out, struct err *err);
/* index from 0; ERR_NOT_FOUND past the end. Ordered by creation. */
int store_record_at(struct store *s, size_t index, struct store_record *out, struct err *err);
/* A pending record of the device for another package than delta_id; ERR_NOT_FOUND: none. */
int store_find_other_pending(struct store *s, const char *device_id, int64_t delta_id,
                             struct store_record *out, struct err *err);
/* The upgrading record with the oldest sign of life; ERR_NOT_FOUND: none. */
int store_find_oldest_upgrading(struct store *s, struct store_record *out, struct err *err);
/* Counts a visit of that day (now / 24 h) and returns the new counts. */
int store_count_visit(struct store *s, const char *device_id, const char *owner, int64_t now_ns,
                      uint32_t *device_visits, uint32_t *owner_visits, struct err *err);
int store_log_message(struct store *s, int64_t now_ns, const char *face, const char *what,
                      const char *text, struct err *err);
struct store_message {
    int64_t now_ns;
    char face[STORE_TEXT_MAX], what[STORE_TEXT_MAX], text[STORE_MESSAGE_TEXT_MAX];
};
/* index from 0 = oldest kept; ERR_NOT_FOUND past the end. */
int store_message_at(struct store *s, size_t index, struct store_message *out, struct err *err);

/*
 * Campaigns (campaigns/campaigns.h): a firmware is one or more packages under one version, a task
 * brings it to devices. Records of a task are those above, with the firmware's id as delta_id.
 */
enum firmware_sign { SIGN_MD5, SIGN_SHA256 };
struct store_firmware {
    int64_t delta_id; /* of its first file's package */
    char product_id[STORE_TEXT_MAX];
    char module[STORE_TEXT_MAX]; /* empty: the default module */
    char version[STORE_TEXT_MAX];
    enum firmware_sign sign;
    bool diff;
    bool over_mqtt;              /* file over MQTT instead of a URL */
    bool verified;               /* a verification has succeeded: batches are allowed */
    uint32_t file_count;         /* 1..STORE_FILES_MAX */
    char extra[STORE_EXTRA_MAX]; /* extData, a JSON object as text; empty: none */
};
struct store_file {
    int64_t firmware_id;
    uint32_t number;    /* from 1 */
    int64_t package_id; /* where its bytes, size and MD5 are */
    char name[STORE_TEXT_MAX];
    char sha256_hex[65];
};
enum task_kind { TASK_VERIFY, TASK_BATCH, TASK_AGAIN };
/* Held: a batch that waits for the verification of its firmware. */
enum task_state { TASK_WAITING, TASK_RUNNING, TASK_ENDED, TASK_HELD };
const char *task_kind_name(enum task_kind kind);    /* "verify", ... */
const char *task_state_name(enum task_state state); /* "waiting", ... */
#define STORE_SOURCES_MAX      10                   /* source versions that a batch names */
#define STORE_SOURCE_TEXT_MAX  512                  /* all of them */
#define STORE_TASK_DEVICES_MAX 200                  /* devices that a batch names */
struct store_task {
    int64_t task_id; /* 0: store_put_task gives the next */
    int64_t delta_id;
    enum task_kind kind;
    enum task_state state;
    char device_id[STORE_TEXT_MAX]; /* one device; empty: all of the product */
    int64_t starts_ns;
    /* Of a batch: */
    char sources[STORE_SOURCE_TEXT_MAX]; /* versions it upgrades, one a line; empty: all lower */
    bool chosen;                         /* only the devices of store_put_task_device */
    bool fixed;  /* static: only devices that qualify when it starts; else later ones too */
    int percent; /* 1..100 of those, fixed only; 0: all */
    bool silent; /* devices are not told, they have to ask */
    bool yields; /* a device that is in another upgrade of the module fails this one at once,
                    else the other ends */
    int retries; /* so often a device that has failed is tried again, */
    int64_t retry_after_ns; /* so long after the failure */
};
int store_put_firmware(struct store *s, const struct store_firmware *f, struct err *err);
int store_get_firmware(struct store *s, int64_t delta_id, struct store_firmware *out,
                       struct err *err);
/* The newest firmware of that version. */
int store_find_firmware(struct store *s, const char *product_id, const char *module,
                        const char *version, struct store_firmware *out, struct err *err);
/* The highest package id in use, 0 when there is none. */
int store_last_package(struct store *s, int64_t *delta_id, struct err *err);
int store_put_file(struct store *s, const struct store_file *f, struct err *err);
int store_get_file(struct store *s, int64_t firmware_id, uint32_t number, struct store_file *out,
                   struct err *err);
int store_put_task(struct store *s, struct store_task *t, struct err *err);
int store_get_task(struct store *s, int64_t task_id, struct store_task *out, struct err *err);
/* A device that a task is for (store_task.chosen); whether it is. */
int store_put_task_device(struct store *s, int64_t task_id, const char *device_id, struct err *err);
bool store_has_task_device(struct store *s, int64_t task_id, const char *device_id);
/* The waiting task that starts first; ERR_NOT_FOUND: none. */
int store_next_task(struct store *s, struct store_task *out, struct err *err);
/* Tasks of the firmware from the newest on: the next older than task_id (0: the newest). */
int store_older_task(struct store *s, int64_t delta_id, int64_t task_id, struct store_task *out,
                     struct err *err);
/* The oldest running batch after task_id (0: the oldest of all) that tries failed devices again. */
int store_next_retrying(struct store *s, int64_t task_id, struct store_task *out, struct err *err);
/* Which task has taken a device into an upgrade, and how often it was tried again since. */
struct store_taken {
    int64_t task_id, tries;
};
int store_put_taken(struct store *s, int64_t delta_id, const char *device_id,
                    const struct store_taken *t, struct err *err);
int store_get_taken(struct store *s, int64_t delta_id, const char *device_id,
                    struct store_taken *out, struct err *err);
/* The newest running batch for a module of the product that takes in later devices and is older
 * than task_id (0: the newest). */
int store_older_batch(struct store *s, const char *product_id, const char *module, int64_t task_id,
                      struct store_task *out, struct err *err);
/* The product's next device after that id in the order of ids; "" begins. */
int store_next_device(struct store *s, const char *product_id, const char *after,
                      struct store_device *out, struct err *err);
/* What a device last said of a module; ERR_NOT_FOUND: nothing yet. ERR_LIMIT: of one more than
 * STORE_MODULES_MAX. */
int store_put_version(struct store *s, const char *device_id, const char *module,
                      const char *version, struct err *err);
int store_get_version(struct store *s, const char *device_id, const char *module,
                      char out[STORE_TEXT_MAX], struct err *err);
/* The device's next module after that one in the order of names; ERR_NOT_FOUND past the end. Null
 * begins. */
int store_next_version(struct store *s, const char *device_id, const char *after,
                       char module[STORE_TEXT_MAX], char version[STORE_TEXT_MAX], struct err *err);
/* The device's records of firmware for a module ("*": any), from the newest on; index from 0. Open
 * is pending or upgrading. */
int store_open_record(struct store *s, const char *device_id, const char *module, size_t index,
                      struct store_record *out, struct err *err);
int store_newest_record(struct store *s, const char *device_id, const char *module,
                        struct store_record *out, struct err *err);
/* The newest that is not superseded and whose firmware has that version. */
int store_record_for_version(struct store *s, const char *device_id, const char *module,
                             const char *version, struct store_record *out, struct err *err);
/* The firmware's failed record with the lowest device id after that one; "" begins. */
int store_next_failed(struct store *s, int64_t delta_id, const char *after,
                      struct store_record *out, struct err *err);
/* The firmware's next open record likewise. */
int store_next_open(struct store *s, int64_t delta_id, const char *after, struct store_record *out,
                    struct err *err);

/*
 * For people who look: the next row in the order of ids, after the one given; 0 and "" begin.
 * Firmware and devices of one product, or of all when it is empty; tasks of one firmware, or of all
 * when it is 0.
 */
int store_next_product(struct store *s, const char *after, struct store_product *out,
                       struct err *err);
int store_next_firmware(struct store *s, const char *product_id, int64_t after,
                        struct store_firmware *out, struct err *err);
int store_next_any_task(struct store *s, int64_t delta_id, int64_t after, struct store_task *out,
                        struct err *err);
/* Records in the order of their creation; sequence is the cursor, 0 begins. */
struct store_record_filter {
    const char *device_id; /* "": any */
    int64_t delta_id;      /* 0: any */
    int state;             /* -1: any */
};
int store_next_record(struct store *s, const struct store_record_filter *f, int64_t *sequence,
                      struct store_record *out, struct err *err);

/* Sub-devices speak over their gateway's connection: at any time, or those that log in only between
 * login and logout. */
struct store_sub_device {
    char device_id[STORE_TEXT_MAX];
    char gateway_id[STORE_TEXT_MAX];
    bool logs_in;
};
int store_put_sub_device(struct store *s, const struct store_sub_device *d, struct err *err);
int store_get_sub_device(struct store *s, const char *device_id, struct store_sub_device *out,
                         struct err *err);
/* The gateway's next one after that id in the order of ids; "" begins. */
int store_next_sub_device(struct store *s, const char *gateway_id, const char *after,
                          struct store_sub_device *out, struct err *err);
int store_count_sub_devices(struct store *s, const char *gateway_id, uint32_t *count,
                            struct err *err);
int store_drop_sub_device(struct store *s, const char *device_id, struct err *err);

/* Remote configuration of a product: a file as a package. */
struct store_config {
    char product_id[STORE_TEXT_MAX];
    char config_id[STORE_TEXT_MAX];
    int64_t package_id;
    char sha256_hex[65];
};
int store_put_config(struct store *s, const struct store_config *c, struct err *err);
int store_get_config(struct store *s, const char *product_id, struct store_config *out,
                     struct err *err);

/*
 * Sessions and messages held back end with the process: they are kept in memory even when the rest
 * is in a file.
 */
struct store_session {
    char device_id[STORE_TEXT_MAX];
    char via[STORE_TEXT_MAX]; /* whose connection it is: its own or its gateway's */
    bool listens;             /* has subscribed to its upgrade topic */
    bool told;                /* has told a version in this session */
    int64_t pushed_ns;        /* last announcement of this session, -1: none */
    int64_t due_ns;           /* when the cloud looks whether to announce; VTIME_NEVER: not */
};
int store_put_session(struct store *s, const struct store_session *x, struct err *err);
int store_get_session(struct store *s, const char *device_id, struct store_session *out,
                      struct err *err);
/* Ends those of a connection. */
int store_drop_sessions(struct store *s, const char *via, struct err *err);
/* Ends that of one device. */
int store_drop_session(struct store *s, const char *device_id, struct err *err);
/* The session that is due first; ERR_NOT_FOUND: none is. */
int store_due_session(struct store *s, struct store_session *out, struct err *err);

/* An upgrade that was taken from a device in the middle of its download: what it tells of that
 * module may still be about this one. One per device and module. */
struct store_overtaken {
    int64_t sequence;
    char device_id[STORE_TEXT_MAX], module[STORE_TEXT_MAX];
    int64_t delta_id;
};
int store_put_overtaken(struct store *s, const struct store_overtaken *x, struct err *err);
int store_get_overtaken(struct store *s, const char *device_id, const char *module,
                        struct store_overtaken *out, struct err *err);
/* The next after that sequence; 0 begins. */
int store_next_overtaken(struct store *s, int64_t sequence, struct store_overtaken *out,
                         struct err *err);
/* module "*": all of the device. */
int store_drop_overtaken(struct store *s, const char *device_id, const char *module,
                         struct err *err);

struct store_outgoing {
    int64_t sequence; /* given by store_put_outgoing */
    int64_t due_ns;
    char device_id[STORE_TEXT_MAX];
    char topic[2 * STORE_TEXT_MAX];
    int qos;
};
/* ERR_LIMIT beyond STORE_OUTGOING_MAX messages or STORE_OUTGOING_BYTES. */
int store_put_outgoing(struct store *s, const struct store_outgoing *m, const void *payload,
                       size_t len_bytes, struct err *err);
/* Takes the first message due by now out of the store; payload is appended. ERR_NOT_FOUND: none,
 * and out->due_ns is when the next one is due, VTIME_NEVER: none waits. */
struct buf;
int store_take_outgoing(struct store *s, int64_t now_ns, struct store_outgoing *out,
                        struct buf *payload, struct err *err);
/* Counts a refusal of a path; count is the new one. Paths are those the cloud has made, so
 * there are no more than packages and devices. */
int store_count_refusal(struct store *s, const char *path, uint32_t *count, struct err *err);
/* The first announcement that was sent to a device, for scripts that send it again. */
int store_keep_announced(struct store *s, const char *device_id, const void *payload,
                         size_t len_bytes, struct err *err);
int store_first_announced(struct store *s, const char *device_id, struct buf *payload,
                          struct err *err);

/*
 * What requests have changed, as bytes that are equal exactly when it is: devices, sub-devices,
 * records in the order of their creation with the order of their last changes, versions that
 * devices told, the state of each task, which firmware is verified, configurations, which packages
 * are withdrawn. Without times, and of progress told in percent only whether it is 0, below 100
 * (then 1 is recalled) or 100. Products, packages, firmware, tasks themselves, visit counts and the
 * log are not in it, nor what ends with a connection or is held back: sessions, outgoing messages,
 * counted refusals, the announcement kept for scripts. recall puts it back into a store with the
 * same products, firmware and tasks, every time in it being now_ns, and empties the rest. remember
 * appends to out. ERR_FORMAT: no such bytes, or of another store; nothing was changed then.
 */
int store_remember(struct store *s, struct buf *out, struct err *err);
int store_recall(struct store *s, const void *memory, size_t len_bytes, int64_t now_ns,
                 struct err *err);

#endif
