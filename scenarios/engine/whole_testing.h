/*
 * What the tests of the closure of whole updates share: running one in this process, what its
 * states stand for, a counter-example repeated by its token alone, and the naive search that a
 * closure must agree with - sequences of two cuts run one by one.
 */
#ifndef OTABENCH_ENGINE_WHOLE_TESTING_H
#define OTABENCH_ENGINE_WHOLE_TESTING_H

#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/explore.h"
#include "scenarios/engine/token.h"
#include "scenarios/engine/whole.h"

/* Runs all tasks here; every: a new worker for each so many of them (0: one for all). */
static inline void whole_run_all(struct whole *w, uint32_t every)
{
    struct err err = {.text = ""};
    struct buf log;
    struct whole_worker *k = NULL;
    uint32_t tasks[32], n, done = 0;
    buf_init(&log, WHOLE_LOG_BYTES_MAX);
    while ((n = whole_begin(w, tasks, sizeof tasks / sizeof tasks[0], &err)) > 0)
        for (uint32_t i = 0; i < n; i++, done++) {
            if (k == NULL || (every > 0 && done % every == 0)) {
                whole_worker_free(k);
                k = whole_worker_new(w, &err);
                REQUIRE(k != NULL);
            }
            buf_clear(&log);
            REQUIRE_OK(whole_work(k, tasks[i], &log, &err), &err);
            REQUIRE_OK(whole_take(w, log.data, log.len_bytes, NULL, &err), &err);
        }
    CHECK_STR(err.text, "");
    whole_worker_free(k);
    buf_free(&log);
}

struct content {
    uint8_t sha256[SHA256_BYTES];
    uint32_t depth;
};

/* What the states of a closure stand for. Zeroed: none. */
struct contents {
    struct content *item; /* owned */
    size_t n, cap;
};

static inline void contents_add(void *ctx, const uint8_t sha256[SHA256_BYTES], uint32_t depth)
{
    struct contents *c = ctx;
    if (c->n == c->cap) {
        c->cap = c->cap == 0 ? 1024 : 2 * c->cap;
        c->item = realloc(c->item, c->cap * sizeof *c->item);
        REQUIRE(c->item != NULL);
    }
    memcpy(c->item[c->n].sha256, sha256, SHA256_BYTES);
    c->item[c->n++].depth = depth;
}

static inline int contents_order(const void *a, const void *b)
{
    const struct content *x = a, *y = b;
    int order = memcmp(x->sha256, y->sha256, sizeof x->sha256);
    return order != 0 ? order : (x->depth > y->depth) - (x->depth < y->depth);
}

/* In place of what was there: each once, with the least depth, in order. */
static inline void contents_take(struct contents *c, struct whole *w)
{
    struct err err = {.text = ""};
    size_t n = 0;
    c->n = 0;
    REQUIRE_OK(whole_contents(w, contents_add, c), &err);
    qsort(c->item, c->n, sizeof *c->item, contents_order);
    for (size_t i = 0; i < c->n; i++)
        if (n == 0 || memcmp(c->item[n - 1].sha256, c->item[i].sha256, SHA256_BYTES) != 0)
            c->item[n++] = c->item[i];
    c->n = n;
}

static inline bool contents_are_same(const struct contents *a, const struct contents *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; i < a->n && same; i++)
        same = contents_order(&a->item[i], &b->item[i]) == 0;
    return same;
}

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

/* A failure of that requirement is told, confirmed, by so many cuts, and its token repeats it. */
static inline const struct whole_failure *check_found(const struct scenario *s,
                                                      const struct run_options *run,
                                                      const struct whole_result *r, const char *id,
                                                      uint32_t cuts)
{
    const struct whole_failure *f = NULL;
    for (uint32_t i = 0; i < r->n_failures && f == NULL; i++)
        for (uint32_t k = 0; k < r->failures[i].n_ids; k++)
            if (strcmp(r->failures[i].ids[k], id) == 0)
                f = &r->failures[i];
    REQUIRE(f != NULL);
    CHECK(f->confirmed);
    CHECK_INT(f->n_cuts, cuts);
    CHECK(repeats(s, run, f, id));
    return f;
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
