/*
 * Shrinking: the smallest scenario that still breaks the same requirement.
 *
 * A failing run (a scenario, perhaps with the extra power cuts of a replay token) is made smaller
 * step by step, and a step stays only if the requirement still fails: things are taken away (cuts,
 * faults, offers, versions, settings; from large to small), sizes, durations and numbers are
 * lowered, files left out, tears made simpler, cuts moved to earlier operations. The steps repeat
 * until none helps: then no single one of them can be left out.
 *
 * Cuts of a token become power rules at their absolute operation number, so the result stands
 * alone. Where fewer bytes move the numbers, the neighbourhood of the cut's place is searched
 * again. Image bytes, rounds and tries never grow, even where the default would be larger,
 * and a device that starts is not turned into one that refuses its configuration.
 *
 * Everything is simulated and in a fixed order: the same input gives the same scenario. Only the
 * requirement is compared, so what comes out may break it in another way than what went in.
 */
#ifndef OTABENCH_ENGINE_SHRINK_H
#define OTABENCH_ENGINE_SHRINK_H

#include "common/bytes.h"
#include "scenarios/engine/run.h"

#define SHRINK_RUNS_DEFAULT 3000u
#define SHRINK_RUNS_MAX     100000u

struct shrink_size {
    uint32_t faults; /* power, network, cloud and flash rules */
    uint32_t files, versions, offers;
    uint64_t image_bytes; /* all versions; of an image file its area */
    uint64_t ops;         /* flash operations up to the heal phase */
    size_t document_bytes;
};

struct shrink_progress {
    uint32_t runs, runs_max;
    const char *step; /* "drop", "numbers", ... */
    struct shrink_size now;
};

struct shrink_options {
    const struct run_options *run; /* seed and cuts as of the token; caches; the rest is ignored */
    const char *requirement;       /* null: the first of the run that fails */
    const char *repeat;            /* command that repeats the result, for its text; may be null */
    uint32_t runs_max;             /* 0: SHRINK_RUNS_DEFAULT; the first two do not count */
    /* After each run; false: that is enough, what was found so far comes out. May be null. */
    bool (*progress)(void *ctx, const struct shrink_progress *p);
    void *ctx;
};

struct shrink_result {
    char requirement[REQUIREMENT_ID_MAX];
    char detail[RESULT_DETAIL_MAX]; /* of the smallest */
    char token[RESULT_TOKEN_MAX];   /* it came from */
    struct shrink_size before, after;
    uint32_t runs, steps; /* simulated, and of them those that helped */
    bool exhausted; /* runs_max was reached, or progress said so: there may be a smaller one */
};

/*
 * Appends the smallest scenario found as format v1 to document; its "text" says which
 * requirement fails, where it comes from and what repeats it. 0; ERR_NOT_FOUND: the run does not
 * fail, or not that requirement; ERR_LIMIT: too many power rules; ERR_UNSUPPORTED: it cannot be
 * written (scenario_write), or fails with the token's cuts only; ERR_NOMEM.
 */
int shrink(const struct scenario *s, struct world *w, const struct shrink_options *o,
           struct shrink_result *out, struct buf *document, struct err *err);

/* The check of that requirement in r, if it fails (declared or not); null otherwise. Requirement
 * null: the first failing one. */
const struct check_result *shrink_failing(const struct run_result *r, const char *requirement);

#endif
