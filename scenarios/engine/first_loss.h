/*
 * First losses executed one by one: power goes before an operation of the undisturbed restore, and
 * the boot loader really runs from there to its end. What ci/bench measures, beside the way without
 * any saved state, and what the closure's short cuts are compared with.
 */
#ifndef OTABENCH_ENGINE_FIRST_LOSS_H
#define OTABENCH_ENGINE_FIRST_LOSS_H

#include "scenarios/engine/closure.h"

enum first_loss_way {
    FIRST_LOSS_RERUN, /* each point from the very beginning, cut, powered on again */
    FIRST_LOSS_SAVED  /* each point from flash as it was saved there in one run */
};

struct first_loss;

/* Runs the restore once and saves flash in front of every stride-th operation. memoise: digests of
 * flash that were computed before are taken as they were; else every one is computed. The subject
 * must live as long. Null on error. */
struct first_loss *first_loss_new(const struct closure_subject *s, const struct nor *pending,
                                  uint32_t stride, bool memoise, uint64_t seed, struct err *err);
void first_loss_free(struct first_loss *f);
uint32_t first_loss_points(const struct first_loss *f); /* that were saved */
uint32_t first_loss_ops(const struct first_loss *f);    /* of the undisturbed restore */

struct first_loss_result {
    uint32_t points, failed;
    uint64_t boots, digests, recalled; /* over flash: computed, and taken from memory */
    uint8_t sha256[SHA256_BYTES];      /* of every point's end, operations and chip time */
};

/* Executes all points. 0 or ERR_BENCH. */
int first_loss_run(struct first_loss *f, enum first_loss_way way, struct first_loss_result *out,
                   struct err *err);

#endif
