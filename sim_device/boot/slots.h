/*
 * Two slots: the boot loader of devices that write a new image beside the running one, and what the
 * application calls of it.
 *
 * Partitions "app" (slot 0) and "app2" (slot 1) each hold one image at their first byte; "slots"
 * holds the record, a twin (store/twin.h: two banks, all or nothing under every tear). The record
 * names the active slot, the other slot's standing, length, SHA-256 and version of both images, the
 * starts of a trial, and the last images that were given up.
 *
 *   steady --slots_set_boot--> pending --start--> trial --slots_confirm--> steady (other slot)
 *                                 |                 |
 *                                 +-- not whole     +-- trial_boots_max starts without confirm,
 *                                 |                 |   slots_rollback, or not whole
 *                                 +-------<---------+----> steady (same slot), version refused
 *
 * At every start the image is verified by length and SHA-256 before it runs (BOT-08); a trial's
 * start is counted before it begins. A confirmed image is only left when it is no longer whole and
 * the other one is (BOT-13). While a trial is unfinished, and while an image is pending, no other
 * update is taken (BOT-18). A version that was given up is remembered (BOT-14).
 *
 * All state is on flash. The step machine keeps nothing between calls but struct slots_boot; what a
 * start does follows from the flash content alone, so an explorer may start from any state.
 */
#ifndef OTABENCH_SIM_DEVICE_BOOT_SLOTS_H
#define OTABENCH_SIM_DEVICE_BOOT_SLOTS_H

#include "sim_device/boot/boot.h"
#include "sim_device/store/twin.h"

#define SLOTS               2
#define SLOTS_VERSION_MAX   32 /* with terminator */
#define SLOTS_REFUSED_MAX   2  /* remembered; the oldest goes first */
#define SLOTS_RECORD_BYTES  240
#define SLOTS_PARTITION     "slots"
#define SLOTS_TRIAL_DEFAULT 3

enum slots_state {
    SLOTS_STEADY,  /* the active slot runs */
    SLOTS_PENDING, /* the other slot is to be tried at the next start */
    SLOTS_TRIAL    /* the other slot runs, not confirmed */
};
const char *slots_state_name(enum slots_state state); /* "steady", "pending", "trial" */

/* Why a version was given up. */
enum slots_reason {
    SLOTS_NOT_WHOLE,     /* length or digest wrong at the boot loader */
    SLOTS_NOT_CONFIRMED, /* trial_boots_max starts without slots_confirm */
    SLOTS_BY_APPLICATION /* slots_rollback */
};
const char *slots_reason_name(enum slots_reason reason); /* "not-whole", "not-confirmed", ... */

struct slots_image {
    uint32_t
        len_bytes; /* 0: unknown. In the active slot: as the factory left it, runs unverified */
    uint8_t sha256[SHA256_BYTES];
    char version[SLOTS_VERSION_MAX]; /* as set_boot said; "": unknown */
};

struct slots_refused {
    char version[SLOTS_VERSION_MAX];
    enum slots_reason reason;
};

struct slots_record {
    enum slots_state state;
    uint32_t active; /* slot 0 or 1: confirmed */
    uint32_t starts; /* of the trial so far, the running one included */
    struct slots_image image[SLOTS];
    uint32_t n_refused;
    struct slots_refused refused[SLOTS_REFUSED_MAX]; /* newest last */
};

/* Deliberately broken behaviours; all false in the reference. For the zoo. */
struct slots_breaks {
    bool no_verify;   /* starts an image, and marks it to be started, without a look at it */
    bool no_count;    /* a trial's starts are not counted */
    bool no_trial;    /* a new image is confirmed before its first start */
    bool single_copy; /* the record has one bank only */
};

struct slots_config {
    struct board *board;
    const struct partition_table *partitions;
    uint32_t trial_boots_max; /* starts of an image without confirm; at least 1 */
    struct slots_breaks breaks;
};

/* Refuses a chip or partitions that cannot do it, naming what is missing. ERR_ARG. */
int slots_check(const struct nor_geometry *geo, const struct partition_table *t, struct err *err);

/* ---- the boot loader ---- */

enum slots_verdict { SLOTS_UNKNOWN, SLOTS_GOOD, SLOTS_BAD };

struct slots_boot {
    struct slots_config cfg;
    struct twin twin;
    struct slots_record record;
    enum slots_verdict verdict[SLOTS]; /* of the image, in this power-on */
    bool open;
    uint32_t tries;
    uint32_t slot; /* that is to run, after BOOT_RUN */
};

void slots_boot_begin(struct slots_boot *s, const struct slots_config *cfg);
/* One bounded piece of work: opens the record and makes it firm, verifies one image, or decides by
 * the table of slots_boot.c and writes one record. BOOT_RUN: start slot `slot`. */
enum boot_result slots_boot_step(struct slots_boot *s);

/* ---- for the application ---- */

struct slots {
    struct slots_config cfg;
    struct twin twin;
    struct slots_record record;
};

/* Reads the record. ERR_ARG (slots_check), ERR_IO, ERR_NOMEM. */
int slots_open(struct slots *s, const struct slots_config *cfg, struct err *err);
/* The slot that runs, and the other one, which an update writes. */
uint32_t slots_running(const struct slots *s);
uint32_t slots_inactive(const struct slots *s);
const struct partition *slots_partition(const struct slots *s, uint32_t slot);
/* Whether the running image is on trial and must be confirmed. */
bool slots_on_trial(const struct slots *s);
/* Whether an update may begin to write the inactive slot: 0, or ERR_WRONG_STATE with the reason
 * (an image is pending or on trial). */
int slots_may_update(const struct slots *s, struct err *err);
/* The reason why that version was given up, null if it was not. */
const enum slots_reason *slots_was_refused(const struct slots *s, const char *version);
/*
 * The image of len_bytes in the inactive slot is to be tried at the next start (BOT-09). Computes
 * its SHA-256 from flash; want, when not null, must equal it. version: what the update calls
 * itself, cut at its maximum. Once it returned 0 the next start tries it, whatever cuts come.
 * ERR_WRONG_STATE as slots_may_update; ERR_DIGEST; ERR_ARG (length 0 or above the slot); ERR_IO.
 */
int slots_set_boot(struct slots *s, uint32_t len_bytes, const uint8_t *want, const char *version,
                   struct err *err);
/* The running image works: it becomes the active one. Nothing when it is already. ERR_IO: still on
 * trial. ERR_WRONG_STATE: an image is pending and did not start yet. */
int slots_confirm(struct slots *s, struct err *err);
/* Gives up the image on trial, or the pending one: the next start runs the active slot (BOT-10).
 * ERR_WRONG_STATE when the running image is confirmed and nothing is pending (BOT-13). */
int slots_rollback(struct slots *s, struct err *err);

/* ---- for the bench ---- */

/* What a factory programmer writes into the partition "slots" (its whole size, at out): slot 0
 * active with that image, slot 1 empty. version may be null. b gives chip and geometry. */
int slots_factory(const struct slots_config *cfg, const struct slots_image *image, uint8_t *out,
                  struct err *err);
/* The record as the chip would read now, from a copy of its bytes (nor_peek): nothing takes time.
 * False: no record; out is then as the factory leaves it without one. */
bool slots_peek(const uint8_t *chip, const struct nor_geometry *geo,
                const struct partition_table *t, struct slots_record *out);
/* Text for people (`otabench flash info`). ERR_LIMIT: out is full. */
struct buf;
int slots_describe(const uint8_t *chip, const struct nor_geometry *geo,
                   const struct partition_table *t, struct buf *out);
/* The slot that a firmware started under this record runs in. */
uint32_t slots_record_running(const struct slots_record *r);

/*
 * Events on LANE_BOOT: "boot" {slot, state, starts}, "verify" {slot, ok, reason}, "trial" {slot,
 * start, of}, "rollback" {from, to, reason, version}, "run" {slot}, "bricked" {reason},
 * "record" {error} when the record could not be written; from the application "set_boot" {slot,
 * bytes, version}, "confirm" {slot, version}, and "rollback" as above.
 */

#endif
