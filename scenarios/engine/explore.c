/* Running points, and what they add up to. */
#include "scenarios/engine/explore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "scenarios/engine/explore_internal.h"
#include "scenarios/engine/token.h"

static const struct {
    const char *name;
    bool fails;
} outcome_rows[EXPLORE_OUTCOMES] = {
    [EXPLORE_NOT_RUN] = {"not-run", false},
    [EXPLORE_NEW] = {"reached-new", false},
    [EXPLORE_OLD] = {"kept-old", false},
    [EXPLORE_HALTED] = {"halted", false},
    [EXPLORE_BENCH_ERROR] = {"bench-error", false},
    [EXPLORE_WRONG_REPORT] = {"wrong-report", true},
    [EXPLORE_OTHER] = {"other-failure", true},
    [EXPLORE_BRICKED] = {"bricked", true},
};

const char *explore_outcome_name(enum explore_outcome o)
{
    return (unsigned)o < EXPLORE_OUTCOMES ? outcome_rows[o].name : "unknown";
}

bool explore_outcome_fails(enum explore_outcome o)
{
    return (unsigned)o < EXPLORE_OUTCOMES && outcome_rows[o].fails;
}

/* ---- one run ---- */

/* What a failed requirement says about the device; all others are EXPLORE_OTHER. */
static const struct {
    const char *id;
    size_t len;
    enum explore_outcome outcome;
} id_rows[] = {
    {"BOT-01", 6, EXPLORE_BRICKED},      {"PWR-02", 6, EXPLORE_BRICKED},
    {"PWR-08", 6, EXPLORE_WRONG_REPORT}, {"PWR-09", 6, EXPLORE_WRONG_REPORT},
    {"RPT-", 4, EXPLORE_WRONG_REPORT},
};

static enum explore_outcome outcome_of_id(const char *id)
{
    for (size_t i = 0; i < sizeof id_rows / sizeof id_rows[0]; i++)
        if (strncmp(id, id_rows[i].id, id_rows[i].len) == 0)
            return id_rows[i].outcome;
    return EXPLORE_OTHER;
}

static enum explore_outcome judge_run(const struct exploration *x, const struct run_result *r,
                                      const struct run_cut *cuts, uint32_t n,
                                      struct explore_failure *f)
{
    enum explore_outcome worst = EXPLORE_NOT_RUN;
    *f = (struct explore_failure){.n_cuts = n};
    memcpy(f->cuts, cuts, n * sizeof *cuts);
    if (r->verdict == VERDICT_ERROR) {
        (void)snprintf(f->detail, sizeof f->detail, "%.*s", RESULT_DETAIL_MAX - 1, r->cause);
        return f->outcome = EXPLORE_BENCH_ERROR;
    }
    if (r->cut_missed > 0 && r->cut_missed <= n) {
        char cut[TOKEN_CUT_MAX];
        token_print_cut(&cuts[r->cut_missed - 1], cut);
        (void)snprintf(f->detail, sizeof f->detail,
                       "the cut %s never happened: only %" PRIu64 " operations ran", cut,
                       r->main_ops);
        return f->outcome = EXPLORE_BENCH_ERROR;
    }
    for (uint32_t i = 0; i < r->n_checks; i++) {
        const struct check_result *c = &r->checks[i];
        if (c->verdict != VERDICT_FAIL)
            continue;
        enum explore_outcome o = outcome_of_id(c->id);
        worst = o > worst ? o : worst;
        if (f->n_ids == 0)
            memcpy(f->detail, c->detail, sizeof f->detail);
        if (f->n_ids < EXPLORE_IDS_MAX)
            memcpy(f->ids[f->n_ids++], c->id, REQUIREMENT_ID_MAX);
    }
    if (worst == EXPLORE_NOT_RUN) {
        /* A scenario that ends where it began has no new version. */
        bool moved = strcmp(x->new_version, x->old_version) != 0;
        if (moved && strcmp(r->final_version, x->new_version) == 0)
            worst = EXPLORE_NEW;
        else
            worst = strcmp(r->final_version, "?") == 0 ? EXPLORE_HALTED : EXPLORE_OLD;
    }
    return f->outcome = worst;
}

struct explorer {
    const struct exploration *x;
    const struct scenario *s;
    const struct explore_options *o;
    struct world *w;
    const struct run_options *run;
    uint32_t index;
    struct explore_result *out;
};

static void count_ids(struct explore_result *out, const struct explore_failure *f)
{
    for (uint32_t i = 0; i < f->n_ids; i++) {
        uint32_t at = 0;
        while (at < out->n_ids && strcmp(out->ids[at].id, f->ids[i]) != 0)
            at++;
        if (at == sizeof out->ids / sizeof out->ids[0])
            continue;
        if (at == out->n_ids)
            memcpy(out->ids[out->n_ids++].id, f->ids[i], REQUIREMENT_ID_MAX);
        out->ids[at].runs++;
    }
}

/* Runs the sequence and counts it. log: lists what happens in it as well (may be null). */
static enum explore_outcome run_cuts(struct explorer *e, const struct run_cut *cuts, uint32_t n,
                                     struct run_log *log)
{
    struct run_result r;
    struct explore_failure f;
    struct run_options ro = *e->run;
    ro.mode = RUN_SIM;
    memcpy(ro.cuts, cuts, n * sizeof *cuts);
    ro.n_cuts = n;
    ro.sink = (struct trace_sink){.line = NULL};
    ro.probe = (struct run_probe){.ctx = NULL};
    if (log != NULL) {
        log->fault = &cuts[n - 1];
        ro.sink = run_log_sink(log);
        ro.probe = run_log_probe(log);
    }
    world_run(e->w, e->s, &ro, &r);
    enum explore_outcome o = judge_run(e->x, &r, cuts, n, &f);
    if (log != NULL && run_log_end(log) != 0 && o < EXPLORE_BENCH_ERROR) {
        o = f.outcome = EXPLORE_BENCH_ERROR;
        (void)snprintf(f.detail, sizeof f.detail, "what it does cannot be listed: %s",
                       err_name(log->rc));
    }
    e->out->flash_ops += r.flash_ops;
    e->out->point.counts[o]++;
    count_ids(e->out, &f);
    if (o >= EXPLORE_BENCH_ERROR && e->out->n_failures < EXPLORE_RESULT_FAILURES) {
        f.point = e->index;
        e->out->failures[e->out->n_failures++] = f;
    }
    return o;
}

/* ---- every sequence below a cut ---- */

/* What happened behind the last cut of a sequence, and the walk over it. */
struct level {
    struct run_log log;
    struct explore_walk walk;
};

/*
 * Depth first, by running every sequence from the start. A sequence that fails is not made longer:
 * the shortest one says what is wrong.
 */
static void walk(struct explorer *e)
{
    struct run_cut cuts[RUN_CUTS_MAX];
    struct level levels[RUN_CUTS_MAX] = {{.log = {.n_ops = 0}}};
    uint32_t n = 1;
    cuts[0] = e->x->points[e->index].cuts[0];
    bool first = true;
    while (n > 0) {
        struct level *l = &levels[n - 1];
        if (!first && !explore_walk_next(&l->walk, &cuts[n - 1])) {
            run_log_free(&l->log);
            n--;
            if (n == 1)
                break;
            continue;
        }
        struct level *below = &levels[n < RUN_CUTS_MAX ? n : 0];
        bool deeper = n < e->o->depth;
        if (deeper)
            below->log = (struct run_log){.n_ops = 0};
        enum explore_outcome o = run_cuts(e, cuts, n, deeper ? &below->log : NULL);
        if (first)
            e->out->point.outcome = o;
        first = false;
        if (deeper && o < EXPLORE_BENCH_ERROR) {
            explore_walk_init(&below->walk, e->x, e->o, &below->log,
                              run_log_mark(&below->log, &cuts[n - 1]));
            n++;
        } else {
            if (deeper)
                run_log_free(&below->log);
            if (n == 1)
                break;
        }
    }
}

/* ---- a random sequence ---- */

/* Any cut behind a place in a run, each as likely; false when there is none. */
static bool draw_cut(const struct explorer *e, struct rng *rng, const struct run_log *log,
                     struct run_mark after, struct run_cut *cut)
{
    struct explore_walk w;
    uint64_t n = 0;
    explore_walk_init(&w, e->x, e->o, log, after);
    while (explore_walk_next(&w, cut))
        n++;
    if (n == 0)
        return false;
    uint64_t chosen = rng_below(rng, n);
    explore_walk_init(&w, e->x, e->o, log, after);
    for (uint64_t i = 0; i <= chosen; i++)
        (void)explore_walk_next(&w, cut);
    return true;
}

/* Where the second cut can be is known only after a run with the first: each beginning of the
 * sequence runs and is judged, and a failing one ends it. */
static void run_sample(struct explorer *e)
{
    struct explore_point *p = &e->out->point;
    struct run_log base = explore_base(e->x), log = {.n_ops = 0};
    struct run_mark after = {.ops = 0};
    struct rng rng;
    rng_init(&rng, e->o->sample_seed, e->x->name, "explore sample", e->index);
    uint64_t length = 1 + rng_below(&rng, e->o->depth);
    (void)draw_cut(e, &rng, &base, after, &p->cuts[0]); /* there is one: it was laid out */
    for (p->n_cuts = 1;; p->n_cuts++) {
        bool last = p->n_cuts == length;
        run_log_free(&log);
        p->outcome = run_cuts(e, p->cuts, p->n_cuts, last ? NULL : &log);
        if (last || p->outcome >= EXPLORE_BENCH_ERROR)
            break;
        after = run_log_mark(&log, &p->cuts[p->n_cuts - 1]);
        if (!draw_cut(e, &rng, &log, after, &p->cuts[p->n_cuts]))
            break;
    }
    run_log_free(&log);
}

void explore_run(const struct exploration *x, const struct scenario *s,
                 const struct explore_options *o, struct world *w, const struct run_options *run,
                 uint32_t index, struct explore_result *out)
{
    struct explorer e = {.x = x, .s = s, .o = o, .w = w, .run = run, .index = index, .out = out};
    memset(out, 0, sizeof *out);
    if (o->sample > 0) {
        run_sample(&e);
        return;
    }
    out->point.cuts[0] = x->points[index].cuts[0];
    out->point.n_cuts = 1;
    walk(&e);
}

/* ---- what came out ---- */

int explore_put_failure(struct exploration *x, const struct explore_failure *f)
{
    if (x->n_failures == x->failures_cap && x->failures_cap < EXPLORE_FAILURES_MAX) {
        uint32_t cap = x->failures_cap == 0 ? 64 : x->failures_cap * 2;
        cap = cap < EXPLORE_FAILURES_MAX ? cap : EXPLORE_FAILURES_MAX;
        struct explore_failure *grown = realloc(x->failures, cap * sizeof *grown);
        if (grown == NULL)
            return ERR_NOMEM;
        x->failures = grown;
        x->failures_cap = cap;
    }
    /* Results come in any order: the list stays sorted, and the last one gives way. */
    uint32_t at = x->n_failures;
    while (at > 0 && x->failures[at - 1].point > f->point)
        at--;
    if (at == x->failures_cap)
        return 0;
    uint32_t keep = x->n_failures < x->failures_cap ? x->n_failures : x->failures_cap - 1;
    memmove(&x->failures[at + 1], &x->failures[at], (keep - at) * sizeof *f);
    x->failures[at] = *f;
    x->n_failures = keep + 1;
    return 0;
}

void explore_put_id(struct exploration *x, const struct explore_id *id)
{
    uint32_t at = 0;
    while (at < x->n_ids && strcmp(x->ids[at].id, id->id) < 0)
        at++;
    if (at == x->n_ids || strcmp(x->ids[at].id, id->id) != 0) {
        if (x->n_ids == RESULT_CHECKS_MAX)
            return; /* as many as the catalogue may hold: never with known requirements */
        memmove(&x->ids[at + 1], &x->ids[at], (x->n_ids - at) * sizeof *id);
        x->ids[at] = (struct explore_id){.runs = 0};
        memcpy(x->ids[at].id, id->id, sizeof id->id);
        x->n_ids++;
    }
    x->ids[at].runs += id->runs;
}

int explore_put(struct exploration *x, uint32_t index, const struct explore_result *r)
{
    x->points[index] = r->point;
    x->flash_ops += r->flash_ops;
    for (uint32_t i = 0; i < r->n_ids; i++)
        explore_put_id(x, &r->ids[i]);
    for (uint32_t i = 0; i < r->n_failures; i++) {
        int rc = explore_put_failure(x, &r->failures[i]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

enum explore_outcome explore_worst(const struct explore_point *p)
{
    for (int o = EXPLORE_OUTCOMES - 1; o > EXPLORE_NOT_RUN; o--)
        if (p->counts[o] > 0)
            return (enum explore_outcome)o;
    return p->outcome;
}

void explore_sum(const struct exploration *x, struct explore_totals *t)
{
    *t = (struct explore_totals){.done = 0};
    for (uint32_t i = 0; i < x->n_points; i++) {
        t->done += x->points[i].outcome != EXPLORE_NOT_RUN;
        for (int o = 0; o < EXPLORE_OUTCOMES; o++) {
            uint32_t n = x->points[i].counts[o];
            t->counts[o] += n;
            t->runs += n;
            t->failing += explore_outcome_fails((enum explore_outcome)o) ? n : 0;
        }
    }
}

static bool found(const struct exploration *x, const char *id)
{
    for (uint32_t i = 0; i < x->n_ids; i++)
        if (strcmp(x->ids[i].id, id) == 0)
            return true;
    return false;
}

enum verdict explore_verdict(const struct exploration *x, uint64_t expected_points)
{
    struct explore_totals t;
    explore_sum(x, &t);
    if (x->baseline != VERDICT_PASS)
        return x->baseline == VERDICT_FAIL || x->baseline == VERDICT_EXPECTED_FAIL
                   ? x->baseline
                   : VERDICT_INCONCLUSIVE;
    if (x->n_fails == 0 && t.failing > 0)
        return VERDICT_FAIL;
    if (t.counts[EXPLORE_BENCH_ERROR] > 0)
        return VERDICT_ERROR;
    bool all = true;
    for (uint32_t i = 0; i < x->n_fails; i++)
        all = all && found(x, x->fails[i]);
    if (x->n_fails > 0 && all)
        return VERDICT_EXPECTED_FAIL;
    if (t.done < expected_points)
        return VERDICT_INCONCLUSIVE;
    if (x->n_fails > 0)
        return VERDICT_UNEXPECTED_PASS;
    return x->n_points == 0 ? VERDICT_NOT_APPLICABLE : VERDICT_PASS;
}
