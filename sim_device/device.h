/*
 * A device: board + flash + boot loader + OTA agent + application, as one configuration.
 *
 * device_main is the entry of the board's task "main": it runs the boot loader to its end and then
 * the application of the configured agent, which repeats its round at check_interval_ms until
 * `rounds` rounds are done and then goes idle. With AGENT_CMIOT the application is the vendor
 * document's one-key demo (seed 000 §4.4.1): report a pending result (up to five tries), upgrade
 * (up to five tries), reset when a package was downloaded.
 *
 * Two kinds of boot loader: AGENT_CMIOT restores in place from the partition "download"
 * (boot/boot.h); all others write the image beside the running one (boot/slots.h).
 *
 * Configuration items carry the vendor's names in comments (seed 000 §3.4).
 */
#ifndef OTABENCH_SIM_DEVICE_DEVICE_H
#define OTABENCH_SIM_DEVICE_DEVICE_H

#include "sim_device/agent/cmiot/state.h"
#include "sim_device/agent/link_kit/quirks.h"
#include "sim_device/board/board.h"
#include "sim_device/boot/boot.h"
#include "sim_device/boot/slots.h"

/* Whose client the device runs. The three behind the first are generations of one system, on MQTT:
 * product_id is the productKey, did the deviceName, device_secret the deviceSecret. */
enum device_agent {
    AGENT_CMIOT,   /* China Mobile CMS-OTA (seed 000) */
    AGENT_IOT_OTA, /* Link SDK 2.x / 3.x, IOT_OTA_* (seed 001) */
    AGENT_AIOT,    /* Link SDK 4.x, aiot_ota_*, aiot_download_* (seed 004) */
    AGENT_UOTA     /* AliOS Things, ota_service_init (seed 002) */
};
#define DEVICE_AGENTS 4
const char *device_agent_name(enum device_agent agent); /* "cmiot", "iot_ota", "aiot", "uota" */

enum device_variant {
    DEVICE_DIRECT, /* variant A: register, deviceId, deviceSecret (cms-ota §0) */
    DEVICE_CMS     /* variant C: no register, OID in the path, empty key */
};

/* What the application calls after a start. */
enum device_app {
    APP_ONE_KEY,     /* cmiot_report_upgrade, cmiot_upgrade */
    APP_CHECK_FIRST, /* cmiot_report_upgrade, cmiot_check_version, cmiot_only_upgrade */
    APP_CHECK_ONLY   /* cmiot_report_upgrade, cmiot_check_version; downloads nothing */
};

#define DEVICE_TEXT_MAX 64

/* What an image does after its start, by its version. */
enum device_image_fate {
    IMAGE_RUNS,
    IMAGE_CRASHES,        /* resets after a second, each time */
    IMAGE_HANGS,          /* does nothing until the watchdog resets */
    IMAGE_NEVER_CONNECTS, /* runs, but reaches no server */
    IMAGE_ROLLS_BACK      /* its self-test fails: slots_rollback and a reset; runs when confirmed */
};
const char *device_image_fate_name(
    enum device_image_fate fate); /* "runs", "crashes", "hangs",
                                     "never-connects", "rolls-back" */

struct device_image_rule {
    char version[PACKAGE_NAME_MAX]; /* "": every version but firmware_version */
    enum device_image_fate fate;
};
#define DEVICE_IMAGE_RULES_MAX 4 /* the first that fits counts */

/* Behaviours found in AliOS Things' own client (aliyun.md §12.4), to be faulted; all false in the
 * reference. */
struct uota_quirks {
    bool text_compare;    /* takes only versions that are greater as text: 1.10.0 is "older" */
    bool no_resume;       /* begins at 0 after every break */
    bool double_off_bp;   /* counts the first piece of a resumed download twice */
    bool failure_reboots; /* restarts after a failed upgrade too */
    bool step_100_first;  /* reports 100, then 0, when a download begins */
    bool step_0_first;    /* reports 0 when a download begins */
    bool own_codes;       /* reports the client's own codes, -1..-17, instead of -1..-4 */
    bool early_codes;     /* the same, -1..-9, as AliOS Things had them in 2018 */
    bool raw_chunks;      /* takes a body in chunks as it comes, framing and all */
    bool any_length;      /* the port takes messages longer than it was told to */
};

/* Deliberately broken behaviours of the agent; all false in the reference. For the zoo. */
struct device_breaks {
    bool skip_digest;          /* does not compare the MD5 */
    bool resume_too_far;       /* resumes one segment after the first one not stored */
    bool no_journal;           /* never marks a segment */
    bool mark_before_write;    /* journals a segment before it is programmed */
    bool ignore_range;         /* stores whatever range the server sent */
    bool endless_retry;        /* never stops repeating a request */
    bool report_before_verify; /* reports downloadStatus 1 before the digest is checked */
    bool forget_report;        /* clears the pending result before the server accepted it */
    bool accept_any_status;    /* takes any service code as success */
    bool no_size_limit;        /* does not check the package size */
    bool no_exact_fit;         /* refuses a package as large as the area */
    /* What only a power cut brings out. */
    bool pending_before_verify; /* sets the pending flag, then checks the digest */
    bool resume_any_package;    /* resumes whatever has the same number of segments */
    bool resume_rounds_up;      /* takes a block as stored when its first segment is */
    bool erase_ahead;           /* erases the area when a package begins, and never again */
    bool erase_on_resume;       /* erases the block it resumes in, stored segments and all */
    bool short_blank_check;     /* leaves a block unerased when its first page is blank */
    bool reset_to_resume;       /* restarts before it resumes, and never knows that it did */
    struct state_breaks state;
    struct boot_breaks boot;
};

/* The same for devices with two slots. */
struct device_mqtt_breaks {
    struct slots_breaks slots; /* boot loader: see boot/slots.h */
    bool kv_single_copy;       /* the key-value store has one bank only */
    bool kv_no_resume;         /* the resume position is never stored */
    bool skip_digest;          /* does not compare the announced digest */
    bool skip_signature;       /* does not check the announced signature */
};

struct device_config {
    enum device_agent agent;
    enum device_variant variant;
    enum state_kind personality;       /* STATE_VENDOR: the vendor's own single-copy record */
    char product_id[DEVICE_TEXT_MAX];  /* CMS_ID_SET_PID */
    char product_key[DEVICE_TEXT_MAX]; /* CMS_ID_KEY; variant A: productSecret */
    char did[DEVICE_TEXT_MAX];         /* cms_id_set_did: mid; 4..31 characters are legal */
    char oid[DEVICE_TEXT_MAX];         /* variant C: CMS OID, at least 24 characters */
    char oem[DEVICE_TEXT_MAX], model[DEVICE_TEXT_MAX], platform[DEVICE_TEXT_MAX],
        device_type[DEVICE_TEXT_MAX];
    char network_type[DEVICE_TEXT_MAX]; /* cmiot_get_network_type */
    char host[DEVICE_TEXT_MAX];         /* control server name */
    uint16_t port;
    uint32_t try_time_ms;     /* CMIOT_DEFAULT_TRY_TIME */
    uint8_t try_count;        /* cmiot_get_try_count, 6 */
    uint8_t network_protocol; /* CMIOT_DEFAULT_NETWORK_PROTOCOL: 2 = http; 1 = udp is refused (mixed
                                 setting, CLD-01) */
    uint8_t algorithm;        /* CMIOT_FOTA_ALGORITHM */
    uint32_t
        ram_bytes; /* CMIOT_FOTA_AVAILABLE_RAM_SIZE: heap limit for agent and boot loader each */
    uint8_t segment_index;      /* CMIOT_DEFAULT_SEGMENT_SIZE_INDEX: 16 << index bytes; http 3..5 */
    uint32_t update_bytes;      /* CMIOT_UPDATE_SIZE: size of the download partition */
    uint16_t compare_block_kib; /* CMIOT_FOTA_CONTRAST_BLOCK_SIZE */
    char firmware_version[DEVICE_TEXT_MAX]; /* CMIOT_FIRMWARE_VERSION of the image in flash at the
                                               factory */
    struct boot_file files[PACKAGE_FILES_MAX + 1]; /* CMIOT_FOTA_FILENAMEn/ADDRESSn; one more so
                                                      that 21 can be refused */
    uint32_t file_count; /* AGENT_AIOT: 2 and more are files of a slot, their addresses count from
                            its start; 0, 1: a slot holds one image */

    /* Flash: partitions "app" (holds the files), "download", "user" (data nobody may touch). */
    struct nor_geometry geometry;
    struct partition_table partitions;

    enum device_app app;
    uint32_t tries;             /* of the application's loops; the seed's demo has 5 */
    uint32_t check_interval_ms; /* pause between rounds */
    uint32_t rounds;            /* of report + upgrade per power-on, then idle */
    /* All agents but AGENT_CMIOT. Flash: "app" and "app2" (slots of one size), "slots", "kv" (two
     * erase units and more each), "user". MQTT goes to mqtt_host:mqtt_port, downloads where the
     * cloud's URL says. */
    char device_secret[DEVICE_TEXT_MAX];
    char module[DEVICE_TEXT_MAX]; /* "": the default module */
    /* AGENT_AIOT: a sub-device it speaks for as a gateway, of the same product; "": none. */
    char sub_device[DEVICE_TEXT_MAX];  /* its deviceName */
    char sub_version[DEVICE_TEXT_MAX]; /* and the version it runs */
    char mqtt_host[2 * DEVICE_TEXT_MAX];
    uint16_t mqtt_port;
    bool keep_offset; /* AGENT_AIOT: the application keeps the offset of a download in the store */
    uint32_t range_bytes; /* AGENT_AIOT: bytes of a file asked for at a time; 0: all */
    /* AGENT_AIOT, AGENT_IOT_OTA: the user cancels the first download of a power-on at so many
     * percent; 0: never. */
    uint32_t cancel_at_percent;
    bool tls;              /* MQTT over TLS 1.2 */
    const char *ca_pem;    /* trusted by MQTT and HTTPS; null: none, then no TLS. Lives as long as
                              the configuration */
    uint16_t keep_alive_s; /* of MQTT */
    uint32_t trial_boots_max;     /* starts of a new image without confirm before it is given up */
    uint32_t confirm_deadline_ms; /* an image on trial that is not confirmed by then resets */
    uint32_t watchdog_ms;         /* resets an image that hangs */
    struct device_image_rule images[DEVICE_IMAGE_RULES_MAX];
    uint32_t n_images;
    struct uota_quirks quirks; /* AGENT_UOTA */
    /* AGENT_UOTA: what an image must have. */
    bool image_trailer;        /* whole ones end in a trailer (common/image_trailer.h) */
    bool signature_required;   /* a signature; false: it is checked when one is announced */
    const char *image_key_pem; /* the public key for it; null: none fits. Lives as long as the
                                  configuration */
    struct device_mqtt_breaks mqtt_breaks;
    struct kit_quirks link; /* AGENT_IOT_OTA, AGENT_AIOT: their personality */

    uint64_t alloc_fail_at;   /* heap: the n-th allocation of each power-on fails; 0 never */
    uint32_t segment_retries; /* internal: request repeats per segment, = try_count */
    struct device_breaks breaks;
};

/* Sensible defaults: variant C, spi4k chip, seed's demo values. */
void device_config_default(struct device_config *c);
/* The same for another agent: credentials of a demo product, two slots on the spi4k chip. */
void device_config_default_for(struct device_config *c, enum device_agent agent);

/*
 * Refuses what cannot work, naming the item and what is allowed: segment index (http 3..5),
 * protocol, algorithm, compare block against erase unit and partition, files (1..20, alignment,
 * inside "app", no overlap), ids (lengths, characters), update size = real partition (LIM-03).
 * ERR_ARG.
 */
int device_config_check(const struct device_config *c, struct err *err);

/* The state layout that follows from the configuration (variant decides the backup area, cms-ota
 * §5). */
void device_state_layout(const struct device_config *c, struct state_layout *out);

struct device_setup {
    const struct device_config *config;
    struct board *board;
    /* Which version boots: images carry no marker, so the bench tells it by what is in flash. The
     * firmware reports it. Null call, null or unusable text: "?", and the app does not run. */
    const char *(*version_of_flash)(void *ctx);
    void *version_ctx;
};

/*
 * An agent's application: what runs after the boot loader in task "main". Does not return: ends in
 * the board's reset or in device_rounds_done. version: of the running image, outlives the call.
 */
typedef void device_application(struct board *b, const struct device_config *c,
                                const char *version);
device_application cmiot_app, iot_ota_app, aiot_app, uota_app;

/* The slots as the configuration describes them, for slots_open. */
void device_slots_config(const struct device_config *c, struct board *b, struct slots_config *out);
/* Event "idle" {rounds}, and nothing more in this power-on; with an image on trial that was not
 * confirmed: event "trial" {state: "expired"} and a reset, so that the boot loader can count on. */
void device_rounds_done(struct board *b, const struct device_config *c) __attribute__((noreturn));

/* Task entry; arg is a struct device_setup that lives as long as the board. */
void device_main(void *arg);

/*
 * Events on LANE_DEVICE: "start" {version}, "api" {call, result}, "config" {error}, "package"
 * {bytes, delta_id}, "resume" {segment, of}, "segment" {number}, "verify" {ok}, "pending"
 * {delta_id}, "reset" {round}, "idle" {rounds}, "log" {text}, "heap" {peak, used, blocks} after the
 * boot loader and after each API call, peak since the one before. With two slots also "image"
 * {version, fate} when a rule decides what the image does, "trial" {state: "expired" or
 * "unwatched"}, "confirm" {ok} and those the agents add: "mqtt" {what: up|down|refused, code},
 * "state" {code}, "progress" {step}.
 */

#endif
