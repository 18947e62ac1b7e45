/*
 * A device: board + flash + boot loader + OTA agent + application, as one configuration.
 *
 * device_power_on is the entry of the board's task "main": it runs the boot loader to its end and
 * then the application, which is the vendor document's one-key demo (seed 000 §4.4.1): report a
 * pending result (up to five tries), upgrade (up to five tries), reset when a package was
 * downloaded. Afterwards it repeats at check_interval_ms until `rounds` rounds are done, then goes
 * idle.
 *
 * Configuration items carry the vendor's names in comments (seed 000 §3.4).
 */
#ifndef OTABENCH_SIM_DEVICE_DEVICE_H
#define OTABENCH_SIM_DEVICE_DEVICE_H

#include "sim_device/agent/cmiot/state.h"
#include "sim_device/board/board.h"
#include "sim_device/boot/boot.h"

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
    bool boot_skip_verify;     /* boot loader: see struct boot_config */
    bool boot_skip_backup;
    bool boot_skip_journal;
};

struct device_config {
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
    uint32_t file_count;

    /* Flash: partitions "app" (holds the files), "download", "user" (data nobody may touch). */
    struct nor_geometry geometry;
    struct partition_table partitions;

    enum device_app app;
    uint32_t tries;             /* of the application's loops; the seed's demo has 5 */
    uint32_t check_interval_ms; /* pause between rounds */
    uint32_t rounds;            /* of report + upgrade per power-on, then idle */
    uint64_t alloc_fail_at;     /* heap: the n-th allocation of each power-on fails; 0 never */
    uint32_t segment_retries;   /* internal: request repeats per segment, = try_count */
    struct device_breaks breaks;
};

/* Sensible defaults: variant C, spi4k chip, seed's demo values. */
void device_config_default(struct device_config *c);

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

/* Task entry; arg is a struct device_setup that lives as long as the board. */
void device_main(void *arg);

/*
 * Events on LANE_DEVICE: "start" {version}, "api" {call, result}, "config" {error}, "package"
 * {bytes, delta_id}, "resume" {segment, of}, "segment" {number}, "verify" {ok}, "pending"
 * {delta_id}, "reset" {round}, "idle" {rounds}, "log" {text}, "heap" {peak, used, blocks} after the
 * boot loader and after each API call, peak since the one before.
 */

#endif
