/* What the judge remembers of a device with two slots on the Aliyun cloud. Judge's files only. */
#ifndef OTABENCH_ENGINE_JUDGE_SLOTS_H
#define OTABENCH_ENGINE_JUDGE_SLOTS_H

#include "scenarios/engine/judge.h"

/* What an announcement said, as far as the cloud's event shows it. */
struct announced {
    char version[DEVICE_TEXT_MAX]; /* "": none yet */
    int64_t size_bytes;
};

/* Why an announcement must not be taken: one bit each, the table is in judge_announce.c. */
#define BAD_KINDS 14

/* Causes of a failure, by the stage that failed. Sets of them are masks. */
enum { CAUSE_UPGRADE = 1, CAUSE_DOWNLOAD = 2, CAUSE_VERIFY = 4, CAUSE_BURN = 8 };

#define JUDGE_CODES_MAX 16

/* Of replies and addresses of unusual shape, and of what the client's API says; of this start. */
struct judge_client {
    uint64_t range_end;   /* the request under way is for the bytes in front of it; 0: to the end */
    bool range_said;      /* that it has ended was told */
    uint64_t piece_next;  /* a reply brought less than asked for, and ended here; 0: none */
    bool in_piece;        /* the reply under way does */
    bool url_spoilt;      /* the announcement under way has the script's address */
    int bad_url;          /* what is missing in the address that was announced last; 0: nothing */
    bool url_said;        /* that was told */
    bool chunked;         /* the reply under way has no length */
    bool dribbled;        /* it comes byte by byte */
    uint64_t last_from;   /* of the request under way */
    uint32_t silences;    /* fetches without data since it */
    bool fetching;        /* as the API says */
    bool cancelled;       /* by the user, and nothing was announced since */
    int64_t idle_sockets; /* open when nothing was fetched */
    bool was_cancelled;   /* in this run */
};

struct judge_slots {
    bool on; /* the device has two slots */

    /* announcements */
    struct announced newest; /* the last good one, of any start */
    bool good;               /* a good one was delivered in this start */
    unsigned bad;            /* kinds of bad ones delivered in this start */
    unsigned spoils;         /* what the script does to the push under way */
    int64_t scripted_ns;     /* a push at this time, less 1, is one of the script's own; 0: none */
    int64_t take_by_ns;      /* a good one must have been taken by then; 0: none waits */
    bool owed;               /* pending, not delivered: due at the next come-online */
    bool came_online;        /* since then */
    bool published;          /* a task waits for the device */
    char refused[DEVICE_TEXT_MAX]; /* version that was given up */
    bool late_or_again;            /* one came late, or once more, in this run */
    bool on_trial, trial_push;     /* the running image is not confirmed; announced meanwhile */

    /* session */
    bool online, login_refused;
    int64_t refused_ns, connect_ns;
    uint32_t refusals, connects_in_row;
    uint32_t connection; /* to the broker, the last one of this start; 0: none */
    bool silent; /* it is a black hole: what the cloud sends is not heard, nor acknowledged */
    int64_t back_by_ns; /* the session must stand again by then; 0: nothing is due */
    bool mqtt_fault;    /* of the network or the broker, in this run */
    bool fault_in_download;

    /* reports of this start */
    uint32_t informs, logins;
    uint32_t pushes;       /* since the boot */
    bool was_cut;          /* since the last start */
    uint32_t pushes_again; /* before it: a broker may deliver them again after a cut */
    bool reported;         /* this version reached the cloud */
    char informed[DEVICE_TEXT_MAX];
    int64_t online_ns; /* of the first session of this start, 0: none */
    int last_step;     /* of the task under way; 0: none */
    bool final;        /* a failure or 100 was told for it */
    bool step_seen;    /* progress of this task reached the cloud */
    bool said_100;
    unsigned causes; /* of this task so far */
    bool record_upgrading;
    bool finished;       /* the state "all received" was told */
    bool publish_failed; /* a report could not be sent in mid-download, in this run */
    /* Failure codes of the run, as the device told them and as they arrived, in order. */
    int codes_told[JUDGE_CODES_MAX], codes_arrived[JUDGE_CODES_MAX];
    uint32_t n_told, n_arrived;

    char taken[OTHER_DEVICES_MAX + 1][MQTT_IDENTITY_MAX];
    uint32_t n_taken;

    /* download */
    char version[DEVICE_TEXT_MAX]; /* being fetched */
    bool bad_body;                 /* the last reply was no data */
    bool missing;                  /* a 404 was answered, in this run */
    bool expired;                  /* a 403 was answered, and nothing better since */
    uint32_t spoilt_before[2];     /* addresses spoilt before this request, by kind */
    bool repeat_in_download;       /* announced again while it is fetched */
    bool cause_to_restart;         /* the next range may begin at 0 */
    uint64_t written_end;          /* of the image, since it was begun at its first byte */
    uint64_t stored_at_cut;        /* bytes of it that flash held at the start behind it */
    char spoilt[DEVICE_TEXT_MAX];  /* version of which a fault spoilt bytes, in a start before */
    char interrupted[DEVICE_TEXT_MAX]; /* version whose download a power cut has ended */
    const struct build_part *part;     /* of several files, the one asked for last in this start */
    uint32_t requests;                 /* ranges of this task */
    bool verify_ok;                    /* in this start */
    uint64_t high_bytes;               /* of the image, asked for or stored, from its first on */
    uint64_t again_bytes;              /* asked for although it had come before */
    uint64_t allowed_bytes;            /* of those, that breaks may have cost */
    uint32_t fetch_breaks;

    struct judge_client client;

    /* boot */
    bool chosen; /* set_boot was told, the next start tries it */
    uint32_t chosen_slot;
    bool slot_good[2]; /* verified in this boot */
    bool rolled_back;
    uint32_t back_to;
    bool fate_crash, fate_lost;
    bool fates_seen[2]; /* the same of any start */
    char fate_version[DEVICE_TEXT_MAX];
    bool confirmed_untold; /* a cut came before it was told */
    bool confirmed;
    char confirmed_version[DEVICE_TEXT_MAX];
    uint32_t starts_since_confirm;
    char op_part[PARTITION_NAME_MAX]; /* where the last flash operation was */
};

#endif
