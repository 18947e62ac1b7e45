#include "scenarios/cli/explore_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/cli/cli.h"
#include "scenarios/cli/replay.h"

void explore_report_free(struct explore_report *r)
{
    for (uint32_t i = 0; r->scenarios != NULL && i < r->count; i++)
        explore_free(&r->scenarios[i]);
    free(r->scenarios);
    r->scenarios = NULL;
    r->count = 0;
}

uint64_t explore_report_first(const struct explore_report *r, uint32_t scenario)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < scenario; i++)
        n += r->scenarios[i].n_points;
    return n;
}

uint64_t explore_report_points(const struct explore_report *r)
{
    return explore_report_first(r, r->count);
}

bool explore_report_mine(const struct explore_report *r, uint64_t number)
{
    return number % r->shards == r->shard - 1;
}

uint64_t explore_report_share(const struct explore_report *r, uint32_t scenario)
{
    uint64_t first = explore_report_first(r, scenario);
    uint64_t behind = first + r->scenarios[scenario].n_points;
    uint64_t rest =
        r->shards - r->shard; /* numbers below n that are in the shard: (n + rest) / shards */
    return (behind + rest) / r->shards - (first + rest) / r->shards;
}

int explore_report_exit_code(const struct explore_report *r)
{
    bool failed = false, open = !r->complete, any = false;
    for (uint32_t i = 0; i < r->count; i++) {
        enum verdict v = explore_verdict(&r->scenarios[i], explore_report_share(r, i));
        failed = failed || v == VERDICT_FAIL || v == VERDICT_UNEXPECTED_PASS;
        open = open || v == VERDICT_ERROR || v == VERDICT_INCONCLUSIVE;
        any = any || v != VERDICT_NOT_APPLICABLE;
    }
    if (!r->complete)
        return EXIT_INCONCLUSIVE;
    return failed ? EXIT_FAILED
           : open ? EXIT_INCONCLUSIVE
           : any  ? EXIT_PASSED
                  : EXIT_NOT_APPLICABLE;
}

/* ---- merging ---- */

static bool same_exploration(const struct exploration *a, const struct exploration *b)
{
    return strcmp(a->name, b->name) == 0 && a->seed == b->seed && a->baseline == b->baseline &&
           strcmp(a->trace_sha256, b->trace_sha256) == 0 && a->n_points == b->n_points &&
           a->n_ops == b->n_ops &&
           (a->n_ops == 0 || memcmp(a->ops, b->ops, a->n_ops * sizeof *a->ops) == 0) &&
           a->n_messages == b->n_messages && a->n_borders == b->n_borders &&
           a->n_fails == b->n_fails && memcmp(a->fails, b->fails, sizeof a->fails) == 0;
}

static bool same_options(const struct explore_options *a, const struct explore_options *b)
{
    bool same = a->kinds == b->kinds && a->depth == b->depth && a->n_tears == b->n_tears &&
                a->sample == b->sample && a->sample_seed == b->sample_seed;
    for (uint32_t t = 0; same && t < a->n_tears; t++)
        same = a->tears[t].tear == b->tears[t].tear && a->tears[t].arg == b->tears[t].arg &&
               a->tears[t].spread == b->tears[t].spread;
    return same;
}

static int merge_one(struct exploration *x, const struct exploration *part, struct err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < x->n_points; i++) {
        if (part->points[i].outcome == EXPLORE_NOT_RUN)
            continue;
        if (x->points[i].outcome != EXPLORE_NOT_RUN)
            return err_set(err, ERR_ARG, "point %u of %s is in two parts", i, x->name);
        x->points[i] = part->points[i];
    }
    for (uint32_t i = 0; rc == 0 && i < part->n_failures; i++)
        rc = explore_put_failure(x, &part->failures[i]);
    for (uint32_t i = 0; i < part->n_ids; i++)
        explore_put_id(x, &part->ids[i]);
    x->flash_ops += part->flash_ops;
    return rc == 0 ? 0 : err_set(err, rc, "no memory for failures");
}

int explore_report_merge(struct explore_report *r, struct explore_report *part, struct err *err)
{
    if (!same_options(&r->options, &part->options))
        return err_set(err, ERR_ARG, "explored with another depth, tears or sample");
    if (r->count != part->count)
        return err_set(err, ERR_ARG, "%u scenarios instead of %u", part->count, r->count);
    for (uint32_t i = 0; i < r->count; i++)
        if (!same_exploration(&r->scenarios[i], &part->scenarios[i]))
            return err_set(err, ERR_ARG, "scenario %u (%.100s) differs from that of the other part",
                           i + 1, part->scenarios[i].name);
    for (uint32_t i = 0; i < r->count; i++) {
        int rc = merge_one(&r->scenarios[i], &part->scenarios[i], err);
        if (rc != 0)
            return rc;
    }
    explore_report_free(part);
    return 0;
}

void explore_report_whole(struct explore_report *r)
{
    r->shard = r->shards = 1;
    r->complete = true;
    for (uint32_t i = 0; i < r->count; i++) {
        struct explore_totals t;
        explore_sum(&r->scenarios[i], &t);
        r->complete = r->complete && t.done == r->scenarios[i].n_points;
    }
}

/* ---- what several outputs need ---- */

uint32_t explore_tear_of(const struct exploration *x, const struct explore_options *o,
                         const struct run_cut *cut)
{
    uint32_t item = explore_item_of(x, cut);
    for (uint32_t t = 0; cut->kind == CUT_FLASH && item != UINT32_MAX && t < o->n_tears; t++) {
        struct run_cut c = explore_cut(x, &x->ops[item], cut->op, &o->tears[t]);
        bool each = o->tears[t].spread == SPREAD_EACH && cut->tear == TEAR_PREFIX;
        if (each || (c.tear == cut->tear && c.arg == cut->arg))
            return t;
    }
    return o->n_tears;
}

uint32_t explore_way_of(const struct run_cut *cut)
{
    uint32_t w = 0;
    while (w < EXPLORE_WAYS && (cut->kind != CUT_NETWORK || explore_way(w) != cut->action))
        w++;
    return w;
}

static void add_to_row(struct explore_row *row, const struct explore_point *p)
{
    row->points++;
    for (int o = 0; o < EXPLORE_OUTCOMES; o++) {
        row->runs += p->counts[o];
        row->failing += explore_outcome_fails((enum explore_outcome)o) ? p->counts[o] : 0;
    }
    row->errors += p->counts[EXPLORE_BENCH_ERROR];
}

void explore_rows(const struct exploration *x, const struct explore_options *o,
                  struct explore_table *out)
{
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < x->n_points; i++) {
        const struct explore_point *p = &x->points[i];
        const struct run_cut *cut = &p->cuts[0];
        if (p->outcome == EXPLORE_NOT_RUN)
            continue;
        uint32_t t = explore_tear_of(x, o, cut), w = explore_way_of(cut);
        if (t < o->n_tears)
            add_to_row(&out->tears[t], p);
        else if (w < EXPLORE_WAYS)
            add_to_row(&out->ways[w], p);
        else if (cut->kind == CUT_MESSAGE)
            add_to_row(&out->messages, p);
        add_to_row(&out->phases[explore_phase_of(x, cut)], p);
    }
}

bool explore_row_at(const struct explore_table *t, const struct explore_options *o, uint32_t index,
                    char name[EXPLORE_TEAR_NAME_MAX], const struct explore_row **row)
{
    if (index < o->n_tears) {
        explore_tear_name(&o->tears[index], name);
        *row = &t->tears[index];
        return true;
    }
    index -= o->n_tears;
    (void)snprintf(name, EXPLORE_TEAR_NAME_MAX, "%s",
                   index == 0 ? "after a message" : explore_way_name(index - 1));
    *row = index == 0 ? &t->messages : &t->ways[index <= EXPLORE_WAYS ? index - 1 : 0];
    return index <= EXPLORE_WAYS;
}

static bool alike(const struct explore_failure *a, const struct explore_failure *b)
{
    return a->outcome == b->outcome && a->n_ids == b->n_ids &&
           memcmp(a->ids, b->ids, sizeof a->ids) == 0;
}

uint32_t explore_alike(const struct exploration *x, uint32_t i)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < x->n_failures; k++) {
        bool same = alike(&x->failures[k], &x->failures[i]);
        if (same && k < i)
            return 0;
        n += same;
    }
    return n;
}

int explore_put_replay(struct buf *out, const struct exploration *x, const struct run_cut *cuts,
                       uint32_t n)
{
    struct run_result r = {.mode = RUN_SIM}; /* the command is made of a result */
    memcpy(r.name, x->name, sizeof r.name);
    memcpy(r.path, x->path, sizeof r.path);
    explore_token(x, cuts, n, r.token);
    return replay_command(out, &r);
}
