/* What the parts of shrinking share: the smallest document so far, and trying another. */
#ifndef OTABENCH_ENGINE_SHRINK_INTERNAL_H
#define OTABENCH_ENGINE_SHRINK_INTERNAL_H

#include "common/digest.h"
#include "scenarios/engine/scenario_document.h"
#include "scenarios/engine/shrink.h"

struct shrinking {
    struct world *w;
    const struct shrink_options *o;
    struct run_options run; /* of every try: nothing but where packages and images are */
    const struct scenario *origin;
    struct shrink_result *out;
    const char *step;
    cJSON *doc;                     /* owned: the smallest so far */
    struct scenario *now;           /* owned: what it means */
    struct scenario *next;          /* owned: what is tried */
    struct run_result *result;      /* owned: of the last run */
    struct buf text, next_text;     /* what now and next mean, everything explicit */
    uint64_t ops;                   /* of now's run */
    uint64_t next_ops;              /* of the last try that did not fail; 0: it did not run */
    uint8_t (*tried)[SHA256_BYTES]; /* owned: what runs and does not fail */
    uint32_t n_tried, runs_max;
};

/* Takes the candidate over, or deletes it. True: it is the smallest now. Null is refused. */
bool shrink_try(struct shrinking *x, cJSON *candidate);
/* The same, and where cuts at absolute operations have lost their place, looks for it nearby. */
bool shrink_try_near(struct shrinking *x, cJSON *candidate);
/* All steps once, in order. True when one helped. */
bool shrink_round(struct shrinking *x);
/* Takes away what says nothing. sizes: also the keys whose explicit values are yet to be lowered.
 */
void shrink_tidy(struct shrinking *x, bool sizes);

#endif
