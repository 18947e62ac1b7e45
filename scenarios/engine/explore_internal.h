/* Shared by explore.c and explore_plan.c only. */
#ifndef OTABENCH_ENGINE_EXPLORE_INTERNAL_H
#define OTABENCH_ENGINE_EXPLORE_INTERNAL_H

#include "scenarios/engine/explore.h"

/* A walk over all that can be cut in a run behind a place in it. */
struct explore_walk {
    const struct exploration *x;
    const struct explore_options *o;
    const struct run_log *log;
    struct run_mark after;
    enum run_cut_kind kind;   /* of the next one, as are */
    uint32_t item, way, part; /* part: of a tear with several cuts */
};
void explore_walk_init(struct explore_walk *w, const struct exploration *x,
                       const struct explore_options *o, const struct run_log *log,
                       struct run_mark after);
/* False when there is no more. */
bool explore_walk_next(struct explore_walk *w, struct run_cut *cut);
/* The run without a cut, not owned. */
struct run_log explore_base(const struct exploration *x);

#endif
