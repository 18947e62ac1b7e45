/*
 * What the tests of the closure of whole updates share: a counter-example repeated by its token
 * alone, and the naive search that a closure must agree with - sequences of two cuts run one by
 * one.
 */
#ifndef OTABENCH_ENGINE_WHOLE_TESTING_H
#define OTABENCH_ENGINE_WHOLE_TESTING_H

#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/explore.h"
#include "scenarios/engine/token.h"
#include "scenarios/engine/whole.h"

/* The token alone makes that requirement fail. */
static inline bool repeats(const struct scenario *s, const struct run_options *run,
                           const struct whole_failure *f, const char *id)
{
    struct token t;
    struct err err = {.text = ""};
    struct run_result *r = calloc(1, sizeof *r);
    struct world *w = world_new(&err);
    struct run_options o = *run;
    bool found = false;
    REQUIRE(r != NULL && w != NULL);
    REQUIRE_OK(token_parse(&t, f->token, &err), &err);
    o.seed = t.seed;
    o.n_cuts = t.n_cuts;
    memcpy(o.cuts, t.cuts, sizeof o.cuts);
    world_run(w, s, &o, r);
    for (uint32_t i = 0; i < r->n_checks; i++)
        found = found || (r->checks[i].verdict == VERDICT_FAIL && strcmp(r->checks[i].id, id) == 0);
    world_free(w);
    free(r);
    return found;
}

#define NAIVE_STEP 3 /* first cuts that are run: every one takes all second ones with it */

/* Runs them until one cut alone fails; the cuts of the shortest that fails, 0 for none. */
static inline uint32_t naive_two_cuts(struct scenario *s, const struct run_options *run,
                                      const char *tears, bool *is_old, bool *is_new)
{
    struct exploration x;
    struct explore_options o;
    struct err err = {.text = ""};
    struct world *w = world_new(&err);
    struct explore_result *r = calloc(1, sizeof *r);
    uint32_t least = 0;
    explore_options_default(&o);
    o.depth = 2;
    o.kinds = EXPLORE_FLASH;
    REQUIRE(w != NULL && r != NULL);
    REQUIRE_OK(explore_parse_tears(&o, tears, &err), &err);
    REQUIRE_OK(explore_prepare(&x, s, &o, w, run, &err), &err);
    for (uint32_t i = 0; i < x.n_points && least != 1; i += NAIVE_STEP) {
        memset(r, 0, sizeof *r);
        explore_run(&x, s, &o, w, run, i, r);
        for (uint32_t k = 0; k < r->n_failures; k++) {
            CHECK(r->failures[k].outcome != EXPLORE_BENCH_ERROR);
            if (least == 0 || r->failures[k].n_cuts < least)
                least = r->failures[k].n_cuts;
        }
        *is_old = *is_old || r->point.counts[EXPLORE_OLD] > 0;
        *is_new = *is_new || r->point.counts[EXPLORE_NEW] > 0;
    }
    explore_free(&x);
    world_free(w);
    free(r);
    return least;
}

#endif
