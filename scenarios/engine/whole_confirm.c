/*
 * A counter-example is repeated from the start by the world itself, with real cuts on a real chip:
 * only that is believed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/token.h"
#include "scenarios/engine/whole_internal.h"

/* The path to a node, first step first; a longer one loses its end. */
static void put_path(const struct whole *w, uint32_t node, struct whole_failure *f)
{
    for (uint32_t at = node; whole_node_at(w, at)->parent != NONE;
         at = whole_node_at(w, at)->parent)
        f->path_len++;
    uint32_t i = f->path_len;
    for (uint32_t at = node; i > 0; at = whole_node_at(w, at)->parent)
        if (--i < WHOLE_PATH_MAX)
            f->path[i] = whole_node_at(w, at)->step;
    for (i = 0; i < f->path_len && i < WHOLE_PATH_MAX; i++)
        f->n_cuts += !f->path[i].reset;
}

/* How weak cells read after each cut belongs to it. */
static void put_readings(const struct whole *w, uint32_t node, uint32_t reading,
                         struct whole_failure *f)
{
    uint32_t i = f->path_len;
    for (uint32_t at = node; i > 0; i--) {
        const struct whole_node *n = whole_node_at(w, at);
        if (i <= WHOLE_PATH_MAX && !n->step.reset && n->weak_units > 0)
            f->path[i - 1].cut.reading = 1 + reading;
        reading = n->parent_reading;
        at = n->parent;
    }
}

static bool put_token(const struct whole *w, struct whole_failure *f, struct token *t)
{
    *t = (struct token){.seed = w->run.seed != 0 ? w->run.seed : w->s->seed};
    memcpy(t->name, w->s->name, sizeof t->name);
    if (f->path_len > WHOLE_PATH_MAX || f->n_cuts > RUN_CUTS_MAX)
        return false;
    for (uint32_t i = 0; i < f->path_len; i++)
        if (!f->path[i].reset)
            t->cuts[t->n_cuts++] = f->path[i].cut;
    token_print(t, f->token);
    return true;
}

/* Runs it again; the requirements that fail there. */
static void repeat(struct whole *w, const struct token *t, struct whole_failure *f)
{
    struct run_result *r = calloc(1, sizeof *r);
    struct run_options o = w->run;
    if (r == NULL)
        return;
    o.n_cuts = t->n_cuts;
    memcpy(o.cuts, t->cuts, sizeof o.cuts);
    world_run(w->world, w->s, &o, r);
    for (uint32_t i = 0; r->verdict != VERDICT_ERROR && i < r->n_checks; i++) {
        if (r->checks[i].verdict != VERDICT_FAIL)
            continue;
        if (!f->confirmed) {
            f->n_ids = 0;
            memcpy(f->detail, r->checks[i].detail, sizeof f->detail);
        }
        f->confirmed = true;
        if (f->n_ids < WHOLE_IDS_MAX)
            memcpy(f->ids[f->n_ids++], r->checks[i].id, REQUIREMENT_ID_MAX);
    }
    free(r);
}

bool whole_tell_failure(struct whole *w, uint32_t node, uint32_t reading, bool in_heal,
                        const struct log_end *end)
{
    struct whole_result *r = &w->result;
    struct whole_failure *f = calloc(1, sizeof *f);
    struct token t;
    r->failing++;
    if (f == NULL)
        return false;
    f->in_heal = in_heal;
    f->n_ids = end->n_ids;
    memcpy(f->ids, end->ids, sizeof f->ids);
    memcpy(f->detail, end->detail, sizeof f->detail);
    put_path(w, node, f);
    put_readings(w, node, reading, f);
    if (put_token(w, f, &t))
        repeat(w, &t, f);
    bool sure = f->confirmed;
    r->unconfirmed += !sure;
    if (r->n_failures < WHOLE_FAILURES_MAX)
        r->failures[r->n_failures++] = *f;
    free(f);
    return sure;
}

bool whole_found_enough(const struct whole *w)
{
    const struct whole_result *r = &w->result;
    enum verdict v = whole_verdict(r);
    return v == VERDICT_FAIL || v == VERDICT_EXPECTED_FAIL || r->n_failures == WHOLE_FAILURES_MAX;
}
