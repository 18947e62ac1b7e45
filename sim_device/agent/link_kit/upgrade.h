/*
 * What a careful application does around a Link SDK, whichever generation: which announcements it
 * takes, where the bytes go, when the boot choice is made, and what the cloud is told.
 *
 * The SDKs guard nothing of this (aliyun note §5.3, §8). Rules: only this device's firmware (no
 * configuration, no other device, no module); only a version above the running one, never one that
 * was given up before (BOT-14), nothing while an image is on trial (BOT-18); an announcement of
 * what is being fetched at most brings a fresh URL; a newer one replaces it, an older one is a late
 * message; larger than the slot is refused before anything is erased; the boot choice only after
 * the digest of what flash holds has matched. Progress is told in steps of 5 and never falls, 100
 * only for a verified image, one failure code per task, by the stage that failed.
 *
 * How far the image got is kept in RAM: a later attempt of this power-on goes on from there. After
 * a power cut the download starts over, unless the application keeps its offset (keep.h): only 4.x
 * has an API for that.
 */
#ifndef OTABENCH_AGENT_LINK_KIT_UPGRADE_H
#define OTABENCH_AGENT_LINK_KIT_UPGRADE_H

#include "sim_device/agent/link_kit/image.h"
#include "sim_device/agent/link_kit/keep.h"
#include "sim_device/agent/link_kit/kit.h"
#include "sim_device/agent/link_kit/parts.h"
#include "sim_device/agent/link_kit/push.h"
#include "sim_device/boot/slots.h"

/* What the cloud is told (seed 001). */
enum { KIT_STEP_UPGRADE = -1, KIT_STEP_FETCH = -2, KIT_STEP_CHECK = -3, KIT_STEP_BURN = -4 };
#define KIT_STEP_GRID 5

/* An announcement as the application sees it. Texts live for the call. */
struct kit_offer {
    enum kit_push_kind kind;
    const char *product_key, *device_name; /* whom it is for */
    const char *version;
    const char *module; /* null: none */
    enum digest_kind method;
    const char *digest; /* hex */
    uint32_t size_bytes;
    size_t file_count;
    const struct kit_push_file *files; /* of several */
};

enum kit_verdict {
    KIT_TAKE,    /* begin with it */
    KIT_AGAIN,   /* it is being fetched: only its URL may be new */
    KIT_INSTEAD, /* give up what is being fetched, then begin with it */
    KIT_CURRENT, /* it runs already: report the version once more */
    KIT_REFUSE,  /* tell the cloud -1 */
    KIT_IGNORE
};

struct kit_task {
    char version[KIT_VERSION_MAX + 1];
    enum digest_kind method;
    uint8_t digest[DIGEST_BYTES_MAX];
    uint32_t size_bytes; /* 0: no task */
};

struct kit_upgrade {
    struct kit *kit;
    struct slots slots;
    struct kit_image image;
    struct kit_keep keep;
    struct kit_parts *parts;          /* of a task of several files; null: it is one */
    struct kit_task task;             /* being fetched, or begun and left in this power-on */
    struct kit_task refused;          /* told to the cloud already */
    bool busy;                        /* a download runs */
    bool told;                        /* the final state of the task */
    bool ready;                       /* the image is chosen for the next start */
    bool cancelled;                   /* by the user, once in a power-on */
    bool stale;                       /* what is stored of the task cannot be gone on with */
    int last_step;                    /* of the task */
    unsigned failures;                /* of the task */
    uint8_t stream[DIGEST_BYTES_MAX]; /* only with quirk digest_of_stream */
    struct board_digest *stream_digest;
};

/* Opens the slots. 0, or a code of slots_open. */
int kit_upgrade_init(struct kit_upgrade *u, struct kit *k, struct err *err);
void kit_upgrade_deinit(struct kit_upgrade *u);

/* Makes an offer one of several files; id is room for what it is known by. */
void kit_offer_files(struct kit_offer *o, const struct device_config *c,
                     const struct kit_push_file *files, size_t n, char id[DIGEST_HEX_MAX]);

/* Looks only; *why is for the log. */
enum kit_verdict kit_upgrade_judge(const struct kit_upgrade *u, const struct kit_offer *o,
                                   const char **why);
/* The refusal of this offer goes to the cloud: false if it did before. */
bool kit_upgrade_refuse(struct kit_upgrade *u, const struct kit_offer *o);
/* After KIT_TAKE. u->image.stored_bytes says where to go on. 0 or KIT_STEP_UPGRADE: too large. */
int kit_upgrade_begin(struct kit_upgrade *u, const struct kit_offer *o);
/* The next bytes. 0, KIT_STEP_FETCH (more than announced), KIT_STEP_BURN. */
int kit_upgrade_write(struct kit_upgrade *u, const void *data, size_t len_bytes);
/* Of a task of several files: the number of the one to fetch now, in *file, and how much of it is
 * stored, in *at; *file is n when all are there. 0, KIT_STEP_BURN. */
int kit_upgrade_next_file(struct kit_upgrade *u, uint32_t n, uint32_t *file, uint32_t *at);
/* All bytes of that file are there. 0, KIT_STEP_BURN, KIT_STEP_CHECK: it is not what was announced.
 */
int kit_upgrade_file_over(struct kit_upgrade *u, uint32_t file);
/* What is stored, of several files: of the one under way, is worth nothing: from its first byte
 * again. */
void kit_upgrade_restart(struct kit_upgrade *u);
/* All bytes are there: verifies and chooses the image. 0, or the step of the stage that failed. */
int kit_upgrade_finish(struct kit_upgrade *u);
/* The SDK's own digest did not match: nothing of it can be gone on with. KIT_STEP_CHECK. */
int kit_upgrade_mismatch(struct kit_upgrade *u);
/* The step to tell for that many percent, 0: nothing new. */
int kit_upgrade_progress(struct kit_upgrade *u, int percent);
/* The download ends without an image. The step to tell the cloud, 0: it was told. */
int kit_upgrade_fail(struct kit_upgrade *u, int step);
/* The download ends because a newer announcement came. */
void kit_upgrade_abandon(struct kit_upgrade *u);

/* Asked while a download runs: true when the user cancels it now. What is stored stays. */
bool kit_upgrade_cancel(struct kit_upgrade *u, uint32_t percent);

/* The cloud has been reached by an image that may be on trial. */
void kit_upgrade_confirm(struct kit_upgrade *u);

#endif
