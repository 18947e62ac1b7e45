/*
 * A scenario: one JSON file, format v1 (docs/scenarios.md, docs/scenario.schema.json), parsed into
 * plain data. The file name is a sentence; the scenario's name is its path below the library
 * without ".json".
 *
 * Unknown keys, wrong types and impossible values are refused with file, path in the document and
 * what is allowed. Comments (// and slash-star) are allowed in files.
 */
#ifndef OTABENCH_ENGINE_SCENARIO_H
#define OTABENCH_ENGINE_SCENARIO_H

#include "common/err.h"
#include "mock_cloud/cloud.h"
#include "scenarios/engine/link.h"
#include "sim_device/board/sim_tls.h"
#include "sim_device/device.h"

#define SCENARIO_VERSIONS_MAX 8
#define SCENARIO_RULES_MAX    32
#define SCENARIO_NAME_MAX     160
#define SCENARIO_EXPECT_MAX   16
#define REQUIREMENT_ID_MAX    8
#define STATE_TEXT_MAX        12  /* "-0x0904" */
#define EXTRA_TEXT_MAX        256 /* of an offer */
#define BATCH_DEVICES_MAX     17  /* that an offer names: the others and the emulated one */

/* Where one file's image of one version comes from. */
enum image_kind {
    IMAGE_GENERATED, /* seeded generator */
    IMAGE_NEXT,      /* edited from the previous version of the same file */
    IMAGE_SAME,      /* as in the previous version */
    IMAGE_FILE /* a file; looked up relative to the scenario file, then the working directory */
};
struct image_spec {
    enum image_kind kind;
    uint64_t seed;
    uint32_t bytes;     /* IMAGE_GENERATED */
    int32_t grow_bytes; /* IMAGE_NEXT */
    char path[256];     /* IMAGE_FILE */
};
struct version_spec {
    char version[DEVICE_TEXT_MAX];
    struct image_spec images[PACKAGE_FILES_MAX]; /* one per device file */
};

/* Deliberate damage to a package after it was made (its md5 is announced as it then is). */
enum tamper {
    TAMPER_NONE,
    TAMPER_SOURCE_DIGEST,
    TAMPER_PAYLOAD_DIGEST,
    TAMPER_TARGET_DIGEST,
    TAMPER_PAYLOAD_BYTE, /* one payload bit flipped, digests as before */
    TAMPER_COMPARE_BLOCK,
    TAMPER_ALGORITHM,
    TAMPER_ADDRESS, /* first file's address moved by one erase unit */
    TAMPER_NAME,
    TAMPER_HEAD,     /* magic destroyed */
    TAMPER_TRUNCATE, /* last byte cut off */
    TAMPER_EMPTY,    /* one byte long */
    /* Of an image with a trailer. */
    TAMPER_TRAILER_MAGIC,
    TAMPER_TRAILER_SIZE,
    TAMPER_TRAILER_MD5,
    TAMPER_TRAILER_PART, /* it says that this is a kernel alone */
    TAMPER_COUNT
};
const char *tamper_name(enum tamper t);

/* One offered package. */
struct offer_spec {
    uint32_t from, to; /* indexes into versions */
    bool full;
    enum tamper tamper;
    uint32_t pad_to_bytes; /* grow the package to exactly this size (0: as made), for size limits */
    int64_t at_ns;         /* when it is published */
    char on_event[32];     /* or at the first such device/boot event (empty: by time) */
    bool aliyun; /* the rest is for that cloud: an upload and the task that brings it to devices */
    enum task_kind campaign; /* TASK_AGAIN: of the offer before it that leads to the same version */
    bool verified;           /* TASK_BATCH: the firmware has passed its verification elsewhere */
    enum firmware_sign sign;
    bool over_mqtt;
    char module[DEVICE_TEXT_MAX];
    char extra[EXTRA_TEXT_MAX]; /* extData: text of a JSON object */
    uint32_t files;             /* the image is announced as so many pieces */
    /* TASK_BATCH, as struct store_task has them */
    bool silent, yields;
    uint32_t retries;
    int64_t retry_after_ns;
    bool fixed;       /* static: only devices that qualify when it starts */
    uint32_t percent; /* so many of those; 0: all */
    char devices[BATCH_DEVICES_MAX][DEVICE_TEXT_MAX]; /* only these; none: all of the product */
    uint32_t n_devices;
    char from_versions[STORE_SOURCES_MAX][DEVICE_TEXT_MAX]; /* only of these; none: all lower */
    uint32_t n_from_versions;
};

/* A device of the product that is not there, but has told the cloud a version once. */
#define OTHER_DEVICES_MAX 16
struct other_device {
    char name[DEVICE_TEXT_MAX], version[DEVICE_TEXT_MAX];
};

/* What sets a fault off. */
enum trigger_kind {
    TRIGGER_TIME,   /* at_ns */
    TRIGGER_OP,     /* flash operation number (power rules only) */
    TRIGGER_EVENT,  /* the nth event of that lane and name, optionally with one field equal to a
                       value */
    TRIGGER_BYTE,   /* network: byte of a connection */
    TRIGGER_REPLY,  /* network: byte of the nth reply to a kind of request */
    TRIGGER_MESSAGE /* power: right after that message (run.h); simulated runs only */
};
struct trigger {
    enum trigger_kind kind;
    int64_t at_ns;
    uint64_t op; /* TRIGGER_OP, TRIGGER_MESSAGE: absolute; TRIGGER_EVENT in power rules: this many
                    operations after it (0: at once) */
    enum lane lane;
    char event[32];
    char field[24];      /* empty: any */
    char value[48];      /* compared as text (integers in decimal) */
    uint32_t nth;        /* from 1 */
    uint32_t connection; /* TRIGGER_BYTE */
    enum link_dir dir;
    uint64_t byte;              /* TRIGGER_BYTE, TRIGGER_REPLY */
    enum cloud_request request; /* TRIGGER_REPLY */
};

/* What the script does at the cloud besides: messages for the device, and an operator's deed. */
enum push_kind {
    PUSH_REPEAT,  /* an upgrade message the cloud has sent before, once more, byte by byte */
    PUSH_FOREIGN, /* the newest of them, under the topic of another device */
    PUSH_TEXT,    /* this text under this topic */
    PUSH_CONFIG,  /* a remote configuration of the product, made at this moment */
    PUSH_CANCEL,  /* no message: the newest task is cancelled */
    PUSH_KIND_COUNT
};
#define PUSH_TEXT_MAX  1024
#define PUSH_TOPIC_MAX 128
#define PUSHES_MAX     16
struct push_rule {
    struct trigger when; /* TIME or EVENT */
    enum push_kind kind;
    uint32_t of;                /* PUSH_REPEAT: which one, from 1; 0: the newest */
    char topic[PUSH_TOPIC_MAX]; /* PUSH_TEXT; empty: the device's upgrade topic */
    char text[PUSH_TEXT_MAX];   /* PUSH_TEXT */
};

enum net_action {
    NET_OUTAGE,     /* silence for duration */
    NET_REFUSE,     /* connects refused for duration */
    NET_BLACK_HOLE, /* connects unanswered for duration */
    NET_PROFILE,    /* change to profile for duration (0: for good) */
    NET_BROKER,     /* the MQTT broker goes down, forgets what it may, and is up after duration */
    NET_BYTE,       /* link_action at the byte or, by time/event, on every live connection */
    NET_ACTION_COUNT
};
/* Which connections a network fault by time or event meets. */
enum net_scope { NET_ON_ALL, NET_ON_MQTT, NET_ON_HTTP };
struct net_rule {
    struct trigger when;
    enum net_scope scope;
    enum net_action action;
    enum link_action byte_action;
    int64_t duration_ns;
    uint8_t mask;
    struct link_profile profile; /* NET_PROFILE */
};

struct power_rule {
    struct trigger when; /* TIME, OP or EVENT */
    enum nor_tear tear;
    uint32_t tear_bytes;
    int64_t off_ns;     /* how long power stays away */
    bool draw_by_place; /* as run_cut's by_place and reading: of a simulated run only */
    uint32_t reading;
};

/* Flash I/O faults by script. */
struct flash_rule {
    enum nor_io kind;
    uint32_t addr;
    uint32_t len_bytes;
    int32_t count;
};

/* Everything optional; what is absent is not demanded. */
struct expectation {
    bool has_version;
    char version[DEVICE_TEXT_MAX]; /* running at the end of the main phase */
    bool has_result;
    int result; /* last result of the upgrading API call (cmiot_upgrade, _only_upgrade,
                   _check_version) before the heal phase */
    int results[SCENARIO_EXPECT_MAX]; /* or the exact list of them from the start */
    uint32_t n_results;
    int download_status[SCENARIO_EXPECT_MAX]; /* reportDownResult statuses the cloud accepted, in
                                                 order */
    uint32_t n_download_status;
    bool has_download_status;
    int upgrade_status[SCENARIO_EXPECT_MAX];
    uint32_t n_upgrade_status;
    bool has_upgrade_status;
    int failures[SCENARIO_EXPECT_MAX]; /* negative progress steps the cloud took, in order */
    uint32_t n_failures;
    bool has_failures;
    bool has_record;
    enum record_state record; /* of the newest record at the end of the main phase */
    char states[SCENARIO_EXPECT_MAX][STATE_TEXT_MAX]; /* "state" events that must come */
    uint32_t n_states;
    bool has_taken;
    uint32_t devices_taken;         /* that tasks of the offers have taken in */
    int64_t requests[RQ_COUNT];     /* exact count per kind, -1: not demanded */
    int64_t requests_max[RQ_COUNT]; /* at most, -1: not demanded */
    bool config_refused;            /* the device must refuse its configuration */
    char fails[SCENARIO_EXPECT_MAX]
              [REQUIREMENT_ID_MAX]; /* zoo: exactly these must fail (expected-fail) */
    uint32_t n_fails;
};

/* Whose cloud it is, and how it treats the product. */
enum cloud_variant { CLOUD_DIRECT, CLOUD_CMS, CLOUD_ALIYUN };

/* Whose key the cloud signs images with. */
enum image_key { IMAGE_KEY_NONE, IMAGE_KEY_GOOD, IMAGE_KEY_OTHER };

struct scenario {
    char name[SCENARIO_NAME_MAX];
    char path[256];
    char text[400];   /* "text": what it shows */
    char source[160]; /* "source": seed clause or field note */
    uint64_t seed;
    struct device_config device;
    bool base_altered; /* one byte of the factory image differs from what the version says */
    struct version_spec versions[SCENARIO_VERSIONS_MAX];
    uint32_t n_versions;
    struct offer_spec offers[SCENARIO_VERSIONS_MAX];
    uint32_t n_offers;
    enum cloud_variant variant;
    struct store_product product; /* what the cloud knows; secret of CLOUD_ALIYUN: the device's */
    enum sim_tls_certificate certificate; /* of CLOUD_ALIYUN, with device.tls */
    enum image_key image_key;             /* of CLOUD_ALIYUN */
    bool registered; /* CLOUD_CMS: its OID is this device's, false: another one's (2103);
                        CLOUD_ALIYUN: the cloud knows the device */
    int64_t url_lifetime_ns;
    uint32_t refusals_max; /* of an expired address until the cloud ends the upgrade; 0: never */
    struct cloud_fault faults[SCENARIO_RULES_MAX];
    uint32_t n_faults;
    struct push_rule pushes[PUSHES_MAX];
    uint32_t n_pushes;
    struct other_device others[OTHER_DEVICES_MAX]; /* CLOUD_ALIYUN */
    uint32_t n_others;
    struct link_profile profile;
    struct net_rule net[SCENARIO_RULES_MAX];
    uint32_t n_net;
    struct power_rule power[SCENARIO_RULES_MAX];
    uint32_t n_power;
    struct flash_rule flash[SCENARIO_RULES_MAX];
    uint32_t n_flash;
    int64_t limit_ns; /* of the main phase, virtual */
    bool wire;        /* may also run on the wire (short enough in real time) */
    struct expectation expect;
};

/* 0, or ERR_FORMAT/ERR_IO/... with file and place. On failure *s is unspecified. name: as above;
 * computed from path by scenario_load. */
int scenario_parse(struct scenario *s, const char *text, size_t len_bytes, const char *name,
                   struct err *err);
int scenario_load(struct scenario *s, const char *path, struct err *err);
/* Appends the scenario as format v1 (everything explicit), for replay files and shrinking; parsed
 * again it is the same. 0; ERR_UNSUPPORTED: a time is no whole millisecond; ERR_ARG: a value has no
 * word; ERR_LIMIT, ERR_NOMEM of out. On failure part of it may be in out. */
int scenario_write(const struct scenario *s, struct buf *out);

#endif
