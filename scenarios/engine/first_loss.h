/*
 * First losses: power goes at an operation of the undisturbed restore, comes back, and stays. What
 * becomes of each (operation, tear), by three ways that must tell the same: from the very
 * beginning; from saved states; and joined, where a start is left as soon as it stands where
 * another one stood, and not begun where it would look at nothing that the cut has changed.
 */
#ifndef OTABENCH_ENGINE_FIRST_LOSS_H
#define OTABENCH_ENGINE_FIRST_LOSS_H

#include "scenarios/engine/closure.h"

enum first_loss_way {
    FIRST_LOSS_RERUN, /* each point from the very beginning, cut, powered on again */
    FIRST_LOSS_SAVED, /* each point from flash as it was saved there in one run */
    FIRST_LOSS_JOINED /* each state once: see first_joined.c */
};

/* What becomes of a point. Of a livelock nothing but that is told. */
struct first_loss_end {
    enum closure_end end;
    uint64_t ops; /* from power-on to the end, and how long the chip takes */
    int64_t chip_ns;
};

struct first_loss_options {
    enum first_loss_way way;
    uint32_t tears;  /* 1 << enum nor_tear each, of CLOSURE_TEARS_KNOWN; 0: TEAR_NOTHING */
    uint32_t stride; /* every how many-th operation is cut; 0: each */
    bool memoise;    /* digests of flash that were computed before are taken as they were */
    uint64_t seed;   /* of the chip */
    /* Told of every point, in order; may be null. */
    void (*each)(void *ctx, const struct closure_cut *cut, const struct first_loss_end *end);
    void *each_ctx;
};

struct first_loss;

/* Runs the restore once, from the pending state, which must be firm. The subject must live as long.
 * Null on error: ERR_ARG for tears that do not follow from operation and content, or weak cells at
 * the beginning. */
struct first_loss *first_loss_new(const struct closure_subject *s, const struct nor *pending,
                                  const struct first_loss_options *o, struct err *err);
void first_loss_free(struct first_loss *f);          /* null is fine */
uint32_t first_loss_ops(const struct first_loss *f); /* of the undisturbed restore */

struct first_loss_result {
    uint32_t points, failed;
    uint64_t boots;               /* of the device; rerun: two for each point */
    uint64_t ended, joined;       /* of them, those that came to an end, and that were left */
    uint64_t known, unseen;       /* points without a boot: a power-on state that was there before;
                                     only unseen content is another */
    uint64_t device_ops;          /* operations that the device did */
    uint64_t digests, recalled;   /* over flash: computed, and taken from memory */
    uint8_t sha256[SHA256_BYTES]; /* of every point's end, operations and chip time */
};

/* Finds out about all points. 0 or ERR_BENCH, ERR_NOMEM. */
int first_loss_run(struct first_loss *f, struct first_loss_result *out, struct err *err);

#endif
