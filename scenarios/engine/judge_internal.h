/* Shared by the judge's files only. */
#ifndef OTABENCH_ENGINE_JUDGE_INTERNAL_H
#define OTABENCH_ENGINE_JUDGE_INTERNAL_H

#include "scenarios/engine/judge.h"

#include "scenarios/engine/judge_slots.h"

#define CHECKS_MAX 160

/* What the device is doing, as far as events tell. Decides which requirement a power cut exercises.
 */
enum phase { PHASE_IDLE, PHASE_DOWNLOAD, PHASE_VERIFIED, PHASE_BOOT, PHASE_RESTORE, PHASE_RESULT };

/* downloadStatus: the digest differs, larger than the area (cms-ota §4). */
enum { STATUS_MISMATCH = 8, STATUS_TOO_LARGE = 10 };

struct check_state {
    bool seen, failed;
    char detail[RESULT_DETAIL_MAX];
};

/* An event's fields with look-up; lives for one judge_event call. */
struct ev {
    int64_t now_ns;
    enum lane lane;
    const char *name;
    const struct trace_field *fields;
    size_t n;
};
bool ev_is(const struct ev *e, enum lane lane, const char *name);
int64_t ev_int(const struct ev *e, const char *key, int64_t absent);
const char *ev_text(const struct ev *e, const char *key); /* "" when absent */

struct judge {
    struct judge_setup setup;
    struct judge_package packages[JUDGE_PACKAGES_MAX];
    size_t n_packages;
    struct check_state checks[CHECKS_MAX];

    /* device */
    enum phase phase;
    bool app_running; /* firmware runs (not the boot loader) */
    bool config_refused;
    bool bricked;
    bool main_over;
    uint32_t boots, cuts, resets;
    bool weak_cut; /* a cut left cells that read otherwise later */
    bool dead_cut; /* or that can be read again only after an erase */
    uint32_t boots_since_cut;
    uint32_t boots_in_row; /* power-ons and resets since a cut, none of which ended idle */
    uint32_t starts;
    char version[DEVICE_TEXT_MAX];      /* at the last start of a whole one */
    char main_version[DEVICE_TEXT_MAX]; /* in flash at the end of the main phase */
    uint64_t heap_peak_agent, heap_peak_boot;
    int64_t heap_base_used; /* used bytes after the first API call, -1: none yet */

    /* API calls */
    int results[SCENARIO_EXPECT_MAX];
    uint32_t n_results;
    int last_result;
    bool has_result;
    int64_t last_progress_ns;

    /* cloud, per API call and overall */
    uint32_t requests[RQ_COUNT];
    uint32_t requests_in_call[RQ_COUNT];
    uint32_t spoilt_in_call[RQ_COUNT]; /* of these, answered with something else than JSON */
    uint32_t run_of_same; /* consecutive requests of one kind since anything else happened */
    int last_request;     /* enum cloud_request or -1 */
    int download_status[SCENARIO_EXPECT_MAX];
    uint32_t n_download_status;
    int upgrade_status[SCENARIO_EXPECT_MAX];
    uint32_t n_upgrade_status;
    int failures[SCENARIO_EXPECT_MAX]; /* negative progress steps */
    uint32_t n_failures;
    char record[16];                      /* state of the newest record; "": there is none */
    bool state_seen[SCENARIO_EXPECT_MAX]; /* of expect.states */
    int sent_download_status;             /* of the report under way, 0 none */
    int due_download_status; /* what this call has to tell: 8 or 10; 0 nothing special */
    int sent_upgrade_status;
    bool code_seen; /* a service code other than 1000 answered check or register in this call */
    int code;
    int code_on;        /* enum cloud_request */
    int64_t limited_ns; /* when 1010/1015 was answered; -1 none */
    uint32_t faults_hit[CF_KIND_COUNT];
    enum cloud_fault_kind offer_fault;     /* what is wrong with the last announcement, or none */
    enum cloud_fault_kind announced_fault; /* with the one the device took last */
    uint32_t refused_in_row;               /* download replies that are no data, in this call */
    uint32_t ranges_refused;               /* 416 replies in this call */
    int64_t pause_until_ns[RQ_COUNT];      /* the server asked for a pause in this kind */
    bool record_open[JUDGE_PACKAGES_MAX];  /* the cloud's record of that package has no end yet */
    uint64_t faults_on_download;
    int64_t active_ns; /* the last event of any kind */
    bool connected;    /* a connection was begun in this call */

    /* the package being downloaded */
    const struct judge_package *package; /* as last announced to the device */
    uint64_t served_bytes;               /* payload served for it */
    uint32_t asked_bytes;                /* of the range under way */
    uint32_t stored_segments;            /* marked by the device */
    uint32_t breaks;                     /* network breaks, cuts and faulty replies during it */
    uint32_t restarts;                   /* legitimate starts from byte 0 */
    bool resume_expected;                /* the next range follows a break */
    bool cut_since_range;
    bool oversize_taken;  /* a package larger than the area was begun all the same */
    bool silent_faults;   /* flash programs wrong bits and does not say so */
    bool dirty;           /* a fault may have spoilt stored bytes: lower bounds do not apply */
    bool clean_start_due; /* digest mismatch: the next range must begin at 0 */
    bool replaced;        /* another package was begun before: the next range must begin at 0 */
    bool verified;        /* digest matched, not yet restored */
    bool pending;         /* pending record written */
    bool proven;          /* the digest matched and flash held the package; until another one */
    bool was_proven[JUDGE_PACKAGES_MAX]; /* the same, of each package so far */
    int last_download_http;              /* status of the last download reply */
    uint32_t first_range_from;
    bool resumed;

    /* boot loader */
    bool boot_verified;   /* "verify ok" in this boot */
    bool restore_allowed; /* a pending package has not been consumed yet */
    int64_t boot_result;  /* last "result", 0 none */
    int64_t due_result;   /* what "restored" or "refuse" will leave, 0: told or none */
    bool report_owed;     /* a result exists and the device has not seen it accepted */
    bool report_accepted; /* the cloud accepted a report for the last result */
    uint32_t restored_count;
    char restored_to[SCENARIO_VERSIONS_MAX][DEVICE_TEXT_MAX];

    struct judge_slots slots; /* a device with two slots */

    /* network */
    bool net_seen[NET_ACTION_COUNT];
    bool byte_seen[LINK_ACTION_COUNT];
    uint32_t outages;
    bool net_any;
};

void judge_seen(struct judge *j, const char *id);
void judge_count_boot(struct judge *j); /* a power-on or reset; too many in a row fail */
void judge_fail(struct judge *j, const char *id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* seen, and failed unless ok. */
#define JUDGE(j, id, ok, ...)                                                                      \
    do {                                                                                           \
        if (ok)                                                                                    \
            judge_seen((j), (id));                                                                 \
        else                                                                                       \
            judge_fail((j), (id), __VA_ARGS__);                                                    \
    } while (0)

/* That part of the download area equals the package's; there is a package. */
bool judge_flash_holds(const struct judge *j, uint64_t from, uint64_t len_bytes);
/* The stored package equals the true bytes. */
bool judge_package_intact(const struct judge *j);
const char *judge_version_name(const struct judge *j, uint32_t index);

void judge_cloud_event(struct judge *j, const struct ev *e);
bool judge_is_seen(const struct judge *j, const char *id);
/* Script faults of any request: which requirements they exercise. */
void judge_fault_event(struct judge *j, const struct ev *e);

/* Devices with two slots, on the Aliyun cloud. */
void judge_slots_boot_event(struct judge *j, const struct ev *e);
void judge_slots_device_event(struct judge *j, const struct ev *e);
void judge_slots_flash_event(struct judge *j, const struct ev *e);
void judge_slots_power_event(struct judge *j, const struct ev *e);
void judge_slots_new_start(struct judge *j);
void judge_slots_session_over(struct judge *j, int64_t now_ns);
bool judge_slots_resume_matters(const struct judge *j);
void judge_slots_stored(struct judge *j);   /* notes what flash holds of an interrupted download */
void judge_slots_accepted(struct judge *j); /* the boot choice was made */
void judge_slots_taken(struct judge *j, const char *version, int64_t bytes);
void judge_slots_main_over(struct judge *j);
void judge_fetch_cloud_event(struct judge *j, const struct ev *e);
void judge_fetch_device_event(struct judge *j, const struct ev *e);
int64_t judge_link_ns(
    const struct judge *j); /* what a slow network takes for a login and a report */
void judge_announce_push(struct judge *j, const struct ev *e);
void judge_announce_fault(struct judge *j, enum cloud_fault_kind kind, const char *rq);
void judge_announce_time(struct judge *j, int64_t now_ns);
void judge_announce_confirmed(struct judge *j);
/* The first byte of the image that a request for a file asks for. */
uint64_t judge_range_from(const struct judge *j, const struct ev *e);
void judge_client_event(struct judge *j, const struct ev *e);
void judge_client_dribble(struct judge *j); /* what comes now comes byte by byte */
void judge_client_new_start(struct judge *j);
void judge_client_main_over(struct judge *j);
void judge_talk_event(struct judge *j, const struct ev *e);
void judge_talk_main_over(struct judge *j, int64_t now_ns);
/* Looks into a payload, which may be cut. The text behind "key":, without quotes; false: none. */
bool payload_text(const char *payload, const char *key, char *out, size_t cap);
bool payload_int(const char *payload, const char *key, int64_t *out);
bool topic_is_own(const struct judge *j, const char *topic);
void judge_download_event(struct judge *j, const struct ev *e);
void judge_boot_event(struct judge *j, const struct ev *e);
/* The package that was damaged on purpose, if it was, is refused or not. */
void judge_tampered(struct judge *j, bool refused, const char *what);
/* The boot loader left this result, whether or not it came to tell. */
void judge_boot_result(struct judge *j, int64_t result);
/* The version that is expected runs, or it may rightly be another. */
bool judge_got_there(const struct judge *j);
void judge_call_over(struct judge *j); /* the API call under way has ended, or died */
void judge_flash_event(struct judge *j, const struct ev *e);
void judge_report_event(struct judge *j, const struct ev *e);
void judge_api_event(struct judge *j, const struct ev *e);
void judge_power_event(struct judge *j, const struct ev *e);
void judge_finish(struct judge *j, int64_t now_ns, bool healed, const char *why);

#endif
