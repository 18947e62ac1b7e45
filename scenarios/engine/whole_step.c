/*
 * What every cut of a run leaves: its operations are done again to the node's flash, number by
 * number, and each tear's result is looked up or becomes a node.
 */
#include <string.h>

#include "scenarios/engine/whole_internal.h"

/* Units in which a recalled node may differ from the one that was run. */
#define DIFFER_UNITS 64

struct difference {
    uint32_t unit, other; /* other: what it is in the run that was executed */
};

struct stepping {
    struct whole_taking *t;
    uint32_t source;
    struct difference differ[DIFFER_UNITS];
    uint32_t n_differ;
};

void whole_full(struct whole_taking *t)
{
    struct whole *w = t->w;
    if (w->flash->states.states.count >= w->options.max_states)
        whole_stop(w, "the number of states was reached");
    else if (t->rc == 0)
        t->rc = err_set(&t->err, ERR_NOMEM, "closure: no memory for the graph");
}

void whole_step_begin(struct whole_taking *t)
{
    struct whole *w = t->w;
    struct closure *c = w->flash;
    struct whole_node *n = whole_node_at(w, t->node);
    struct whole_run *run = list_add(&w->runs);
    if (run == NULL) {
        whole_full(t);
        return;
    }
    t->run = (uint32_t)w->runs.count - 1;
    *run = (struct whole_run){.node = t->node,
                              .sibling = n->first_run,
                              .next_node = NONE,
                              .source = t->run,
                              .first_step = (uint32_t)w->steps.count};
    n->first_run = t->run;
    t->may_cut = w->options.max_cuts == 0 || n->depth < w->options.max_cuts;
    whole_load(w, n->key.flash);
    uint32_t index = 0;
    for (uint32_t u = 0; u < c->states.shape.units && index < n->weak_units; u++) {
        if (!states_unit_is_weak(&c->states, w->tree.unit[u]))
            continue;
        if (t->start_weak <= WHOLE_READINGS) {
            t->start_unit[t->start_weak] = u;
            t->start_reading[t->start_weak++] = (uint8_t)whole_reading(&n->key, t->reading, index);
        }
        index++;
    }
}

/* ---- cuts ---- */

static struct whole_node cut_at(const struct whole_taking *t, const struct whole_event *e)
{
    const struct whole_node *n = whole_node_at(t->w, t->node);
    return (struct whole_node){
        .key = {.cloud = e->cloud, .judge = e->judge, .readings = READINGS_OPEN},
        .severity = e->severity,
        .parent = t->node,
        .depth = n->depth + 1,
        .ops_before = n->ops_before + e->ops,
        .parent_reading = t->reading,
        .step = {.cut = {.op = n->ops_before + e->ops}}};
}

/* The tree as it is becomes a node, and a successor of the step under way. */
static void add_node(struct whole_taking *t, struct whole_node *found)
{
    struct whole *w = t->w;
    struct closure *c = w->flash;
    found->key.flash = states_put(&c->states, &w->tree, NULL);
    found->weak_units = (uint16_t)w->tree_weak;
    uint32_t node = found->key.flash == POOL_NONE ? NONE : whole_put_node(w, found);
    uint32_t *edge = node == NONE ? NULL : list_add(&w->edges);
    if (edge == NULL)
        whole_full(t);
    else
        *edge = node;
}

static void cut_operation(struct whole_taking *t, const struct whole_event *e,
                          const uint32_t *units, uint32_t u)
{
    struct closure *c = t->w->flash;
    struct tear_variant v[VARIANTS_MAX];
    uint32_t n = closure_variants(c, &e->key, v);
    t->w->result.points += n;
    if (!t->may_cut) {
        t->w->bound = "the number of cuts in a row was reached";
        return;
    }
    for (uint32_t i = 0; i < n && t->rc == 0 && !t->w->stopped; i++) {
        struct whole_node found = cut_at(t, e);
        if (v[i].tear == TEAR_WEAK)
            found.severity.weak_cut = 1;
        else if (i > 0 && units[i] == units[i - 1])
            continue;
        found.step.cut.tear = v[i].tear;
        found.step.cut.arg = v[i].arg;
        found.step.cut.by_place = true;
        found.step.kind = (enum nor_op_kind)e->key.kind;
        found.step.addr = e->key.addr;
        found.step.len_bytes = e->key.len_bytes;
        if (!whole_set_unit(t->w, u, units[i]))
            whole_full(t);
        else
            add_node(t, &found);
    }
}

/* Of the cloud since the last operation, wherever that was. */
static uint32_t replies_so_far(const struct whole_taking *t, uint32_t ops, uint32_t in_run)
{
    return in_run + (ops == 0 ? whole_node_at(t->w, t->node)->replies : 0);
}

static void cut_between(struct whole_taking *t, const struct whole_event *e)
{
    struct whole_node found = cut_at(t, e);
    t->w->result.points++;
    if (!t->may_cut) {
        t->w->bound = "the number of cuts in a row was reached";
        return;
    }
    found.replies = replies_so_far(t, e->ops, e->replies);
    found.step.cut.kind = CUT_BETWEEN;
    found.step.cut.after = e->kind == WHOLE_IDLE || found.replies >= RUN_CUT_IDLE
                               ? RUN_CUT_IDLE
                               : (uint16_t)found.replies;
    add_node(t, &found);
}

/* ---- differences ---- */

static bool find_differences(struct stepping *s)
{
    const struct whole *w = s->t->w;
    const struct closure *c = w->flash;
    const uint32_t *groups =
        pool_at(&c->states.states, whole_node_at(w, whole_run_at(w, s->source)->node)->key.flash);
    for (uint32_t g = 0; g < c->states.group_count; g++) {
        if (groups[g] == w->tree.group[g])
            continue;
        const uint32_t *units = pool_at(&c->states.groups, groups[g]);
        for (uint32_t i = 0; i < STATES_GROUP; i++) {
            if (units[i] == w->tree.unit[g * STATES_GROUP + i])
                continue;
            if (s->n_differ == DIFFER_UNITS)
                return false;
            s->differ[s->n_differ++] =
                (struct difference){.unit = g * STATES_GROUP + i, .other = units[i]};
        }
    }
    return true;
}

/* The operation is done to both. */
static void done_to_both(struct stepping *s, const struct op_key *key, uint32_t u)
{
    struct closure *c = s->t->w->flash;
    for (uint32_t i = 0; i < s->n_differ; i++) {
        if (s->differ[i].unit != u)
            continue;
        const uint32_t *units = closure_after(c, s->differ[i].other, key);
        if (units == NULL) {
            whole_full(s->t);
            return;
        }
        s->differ[i].other = units[0];
        if (s->differ[i].other == s->t->w->tree.unit[u])
            s->differ[i] = s->differ[--s->n_differ];
        return;
    }
}

/* ---- a run ---- */

static void one_operation(struct stepping *s, const struct whole_event *e)
{
    struct whole_taking *t = s->t;
    struct closure *c = t->w->flash;
    uint32_t u = e->key.addr / c->states.shape.erase_bytes;
    const uint32_t *units = closure_after(c, s->t->w->tree.unit[u], &e->key);
    if (units == NULL) {
        t->rc = c->rc;
        t->err = c->err;
        return;
    }
    cut_operation(t, e, units + 1, u);
    if (t->rc == 0 && !whole_set_unit(s->t->w, u, units[0]))
        whole_full(t);
    if (t->rc == 0)
        done_to_both(s, &e->key, u);
}

/* The readings of the weak units that are left, as a reset node holds them. */
static bool readings_now(const struct whole_taking *t, uint32_t *out)
{
    const struct closure *c = t->w->flash;
    uint32_t word = 0, n = 0, k = 0;
    for (uint32_t u = 0; u < c->states.shape.units && n < t->w->tree_weak; u++) {
        if (!states_unit_is_weak(&c->states, t->w->tree.unit[u]))
            continue;
        while (k < t->start_weak && t->start_unit[k] != u)
            k++;
        if (k == t->start_weak || n == WHOLE_READINGS)
            return false;
        word |= (1u + t->start_reading[k]) << 2 * n++;
    }
    *out = word;
    return true;
}

/* The tree is as it is at the reset. */
static void on_reset(struct whole_taking *t, const struct whole_outcome *o, uint32_t ops)
{
    struct whole *w = t->w;
    struct closure *c = w->flash;
    const struct whole_node *n = whole_node_at(w, t->node);
    struct whole_node found = {.key = {.cloud = o->cloud, .judge = o->judge},
                               .severity = o->severity,
                               .parent = t->node,
                               .depth = n->depth,
                               .ops_before = n->ops_before + ops,
                               .replies = replies_so_far(t, ops, o->replies),
                               .weak_units = (uint16_t)w->tree_weak,
                               .parent_reading = t->reading,
                               .step = {.reset = true}};
    if (!readings_now(t, &found.key.readings)) {
        whole_stop(w, "a reset with more weak places than a state holds");
        return;
    }
    found.key.flash = states_put(&c->states, &w->tree, NULL);
    uint32_t node = found.key.flash == POOL_NONE ? NONE : whole_put_node(w, &found);
    if (node == NONE)
        whole_full(t);
    else
        whole_run_at(w, t->run)->next_node = node;
}

static void on_idle(struct whole_taking *t, const struct whole_outcome *o)
{
    struct whole *w = t->w;
    struct closure *c = w->flash;
    struct whole_end end = {
        .key = {.cloud = o->cloud, .judge = o->judge, .readings = READINGS_OPEN},
        .severity = o->severity,
        .node = t->node,
        .reading = t->reading,
        .weak_units = (uint16_t)w->tree_weak};
    end.key.flash = states_put(&c->states, &w->tree, NULL);
    if (end.key.flash == POOL_NONE || whole_put_end(w, &end) == NONE)
        whole_full(t);
}

static void count_end(struct whole *w, const char *version)
{
    struct whole_result *r = &w->result;
    if (strcmp(version, "?") == 0)
        r->ends_other++;
    else if (strcmp(version, r->new_version) == 0)
        r->ends_new++;
    else
        r->ends_old++;
}

static void at_the_end(struct whole_taking *t, const struct whole_run *source, bool joined)
{
    struct whole *w = t->w;
    const struct whole_outcome *o = whole_outcome_at(w, source->outcome);
    uint32_t ops = source->n_events == 0
                       ? 0
                       : whole_event_at(w, source->first_event + source->n_events - 1)->ops;
    bool first = w->first_chain == t->node;
    if (o->how == WHOLE_RESET && joined && o->weak_units == 0) {
        whole_run_at(w, t->run)->next_node = source->next_node;
    } else if (o->how == WHOLE_RESET) {
        if (joined) /* the same flash, but perhaps other readings of what is weak */
            whole_load(w, o->flash);
        on_reset(t, o, ops);
    } else {
        if (first && w->result.new_version[0] == '\0')
            memcpy(w->result.new_version, o->version, sizeof o->version);
        if (!joined)
            on_idle(t, o);
        count_end(w, o->version);
    }
    if (first)
        w->first_chain = whole_run_at(w, t->run)->next_node;
}

void whole_step_all(struct whole_taking *t, uint32_t source_run)
{
    struct whole *w = t->w;
    struct closure *c = w->flash;
    struct stepping s = {.t = t, .source = source_run};
    struct whole_run *run = whole_run_at(w, t->run);
    const struct whole_run *source = whole_run_at(w, source_run);
    run->source = source_run;
    bool own = source_run == t->run, same = false;
    if (!own && !find_differences(&s)) {
        t->rc = err_set(&t->err, ERR_BENCH, "closure: states differ in too many places");
        return;
    }
    uint64_t before = w->result.points;
    uint32_t i = 0;
    for (; i < source->n_events && t->rc == 0 && !w->stopped; i++) {
        same = !own && s.n_differ == 0;
        if (same)
            break;
        struct whole_event e = *whole_event_at(w, source->first_event + i);
        if (e.kind == WHOLE_OP)
            one_operation(&s, &e);
        else
            cut_between(t, &e);
        struct whole_step_log *log = list_add(&w->steps);
        if (log == NULL)
            whole_full(t);
        else
            log->edges_end = (uint32_t)w->edges.count;
    }
    run = whole_run_at(w, t->run);
    run->n_steps = i;
    run->joined = same;
    if (t->rc != 0 || w->stopped)
        return;
    if (own) {
        struct whole_outcome *o = whole_outcome_at(w, source->outcome);
        o->flash = states_put(&c->states, &w->tree, NULL);
        o->weak_units = (uint16_t)w->tree_weak;
        if (o->flash == POOL_NONE)
            whole_full(t);
        o->points = w->result.points - before;
    }
    w->result.decided += whole_outcome_at(w, source->outcome)->points;
    if (t->rc == 0)
        at_the_end(t, source, same || (!own && s.n_differ == 0));
}
