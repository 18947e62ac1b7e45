/* Inside first losses: what their ways share. first_loss.c is the undisturbed run and the two ways
 * that execute every point, first_joined.c the third. */
#ifndef OTABENCH_ENGINE_FIRST_LOSS_INTERNAL_H
#define OTABENCH_ENGINE_FIRST_LOSS_INTERNAL_H

#include "common/digest.h"
#include "scenarios/engine/first_loss.h"
#include "scenarios/engine/flash_digests.h"
#include "scenarios/engine/moments.h"
#include "scenarios/engine/tear_variants.h"

/* An operation of the undisturbed run. */
struct loss_op {
    uint32_t addr, len_bytes;
    enum nor_op_kind kind;
    size_t data;                /* of a program: where its bytes begin in the data */
    struct nor_snapshot *saved; /* flash before it; null where no point is, and when joined */
};

struct first_loss {
    struct first_loss_options options;
    struct closure_device device;
    struct flash_digests digests;
    struct nor_snapshot *first; /* the pending state */
    struct loss_op *ops;
    uint32_t op_count, op_cap;
    uint8_t *data;
    size_t data_bytes, data_cap;
    struct moments *moments; /* joined: also of the undisturbed run */
    uint32_t alone;          /* moments of a start, from its first operation on, that only it has:
                                the first is not asked for, none of them kept */
    /* A start has only looked so far; true: all that follows is known, and whole tells.
     * May be null. */
    bool (*looked)(void *ctx, const struct moment_way *at, struct moment_end *whole);
    void *looked_ctx;
    bool failed; /* no memory, inside a callback */

    /* first_loss_run */
    struct first_loss_result *out;
    struct digest story;
};

/* The points of operation i: cut and reading, without number and place. */
#define POINTS_MAX (VARIANTS_MAX + 2)
uint32_t first_loss_points_of(const struct first_loss *f, uint32_t i,
                              struct closure_cut out[POINTS_MAX]);
/* Does operation i to the chip, or what the cut leaves of it; then power comes back. False and
 * *err when the chip refuses. */
bool first_loss_do(struct first_loss *f, uint32_t i, struct err *err);
bool first_loss_tear(struct first_loss *f, uint32_t i, const struct closure_cut *cut,
                     struct err *err);
/* A point is known. */
void first_loss_tell(struct first_loss *f, const struct closure_cut *cut,
                     const struct moment_end *whole);
/* A start, or the rest of it that is not known: the device runs from flash as it is. Its end and
 * way. 0, ERR_NOMEM, ERR_BENCH. */
int first_loss_go(struct first_loss *f, struct moment_end *whole, struct err *err);
int first_joined_run(struct first_loss *f, struct err *err);

#endif
