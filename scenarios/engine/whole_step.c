/*
 * What every cut of a run leaves: its operations are done again to the flash of its part, set by
 * set, and what each class of tears leaves becomes a node.
 */
#include <string.h>

#include "scenarios/engine/whole_internal.h"

/* What differs from the first run that behaved so. */
struct difference {
    uint32_t unit, other; /* other: what it is in that one */
};

struct stepping {
    struct whole_taking *t;
    bool compared; /* with a run that went through it before */
    struct difference differ[DIFFER_MAX];
    uint32_t n_differ;
};

void whole_full(struct whole_taking *t)
{
    struct whole *w = t->w;
    const struct closure *c = w->flash;
    if (w->flash->states.states.count >= w->options.max_states)
        whole_stop(w, "the number of states was reached");
    else if (t->rc == 0 && c->rc != 0)
        t->rc = err_set(&t->err, c->rc, "%s", c->err.text);
    else if (t->rc == 0)
        t->rc = err_set(&t->err, ERR_NOMEM, "closure: no memory for the graph");
}

void whole_begin_part(struct whole_taking *t, const struct whole_known *k, uint32_t loss)
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
                              .loss = loss,
                              .next_node = NONE,
                              .origin = k->base,
                              .behaviour = k->behaviour,
                              .first_step = (uint32_t)w->steps.count,
                              .joined = NONE};
    if (n->first_run == NONE)
        n->first_run = t->run;
    run->older = n->last_run;
    n->last_run = t->run;
    w->result.recalled += !n->asked && !whole_is_moment(n);
    t->may_cut = w->options.max_cuts == 0 || n->depth < w->options.max_cuts;
    closure_get_base(c, k->base, &c->tree);
    memcpy(w->off.unit, c->tree.unit, c->states.shape.units * sizeof *w->off.unit);
    memcpy(w->off.group, c->tree.group, c->states.group_count * sizeof *w->off.group);
    for (uint32_t u = 0; u < c->states.shape.units && t->rc == 0; u++) {
        uint32_t off = sets_off(&c->sets, c->tree.unit[u]);
        if (off == SET_NONE || (off != c->tree.unit[u] && !states_set(&c->states, &w->off, u, off)))
            whole_full(t);
    }
}

/* ---- cuts ---- */

static struct whole_node cut_at(const struct whole_taking *t, const struct whole_event *e,
                                uint32_t event)
{
    const struct whole_node *n = whole_node_at(t->w, t->node);
    return (struct whole_node){.key = {.cloud = e->cloud, .judge = e->judge},
                               .severity = e->severity,
                               .parent_run = t->run,
                               .event = event,
                               .depth = n->depth + 1,
                               .ops_before = n->ops_before + e->ops};
}

/* The tree with power off becomes a node, and a successor of the step under way; and another one if
 * power may stay away until something is over. */
static void add_node(struct whole_taking *t, const struct whole_node *cut)
{
    struct whole *w = t->w;
    struct closure *c = w->flash;
    struct whole_node found = *cut;
    const uint32_t over = whole_over(w, found.key.cloud);
    found.key.flash = states_put(&c->states, &w->off, NULL);
    uint32_t node = found.key.flash == POOL_NONE ? NONE : whole_put_node(w, &found);
    bool good = node != NONE && over != POOL_NONE && whole_add_number(&w->edges, node);
    if (good && over != found.key.cloud) {
        found.key.cloud = over;
        node = whole_put_node(w, &found);
        good = node != NONE && whole_add_number(&w->edges, node);
    }
    if (!good)
        whole_full(t);
}

/* The same with that set in the unit that is cut; SET_NONE: nothing. */
static void add_cut(struct whole_taking *t, const struct whole_node *cut, uint32_t u, uint32_t set,
                    bool weak)
{
    struct whole_node found = *cut;
    if (set == SET_NONE || t->rc != 0 || t->w->stopped)
        return;
    if (weak)
        found.severity.weak_cut = 1;
    found.weak_cut = weak;
    if (states_set(&t->w->flash->states, &t->w->off, u, set))
        add_node(t, &found);
    else
        whole_full(t);
}

static void add_each_tear(struct whole_taking *t, const struct whole_node *cut,
                          const struct whole_event *e, uint32_t u)
{
    struct closure *c = t->w->flash;
    struct tear_variant v[VARIANTS_MAX];
    const struct op_key *op = &e->key;
    uint32_t n = closure_variants(c, op, v);
    for (uint32_t i = 0; i < n && t->rc == 0; i++) {
        const uint32_t *after =
            closure_after(c, sets_first(&c->sets, c->tree.unit[u])->content, op);
        bool weak = v[i].tear == TEAR_WEAK;
        if (!whole_may_tear(e, &v[i]))
            continue;
        if (after != NULL && !weak && i > 0 && whole_may_tear(e, &v[i - 1]) &&
            after[1 + i] == after[i])
            continue;
        uint32_t set = after == NULL ? SET_NONE : sets_one(&c->sets, after[1 + i], 0);
        if (set == SET_NONE)
            whole_full(t);
        add_cut(t, cut, u, set, weak);
    }
}

static void cut_operation(struct whole_taking *t, const struct whole_event *e, uint32_t event,
                          uint32_t u, uint32_t done, const uint32_t torn[2])
{
    struct closure *c = t->w->flash;
    uint32_t tears = t->w->options.tears;
    t->w->result.points += whole_cuts(c, e);
    if (!t->may_cut) {
        t->w->bound = "the number of cuts in a row was reached";
        return;
    }
    const struct whole_node cut = cut_at(t, e, event);
    if (t->w->options.no_sets) {
        add_each_tear(t, &cut, e, u);
        return;
    }
    add_cut(t, &cut, u, tears & 1u << TEAR_NOTHING ? sets_off(&c->sets, c->tree.unit[u]) : SET_NONE,
            false);
    add_cut(t, &cut, u, torn[0], false);
    add_cut(t, &cut, u, torn[1], true);
    add_cut(t, &cut, u, tears & 1u << TEAR_DONE && e->kind != WHOLE_TORN ? done : SET_NONE, false);
}

/* Of the cloud since the last operation, wherever that was. */
static uint32_t replies_so_far(const struct whole_taking *t, uint32_t ops, uint32_t in_run)
{
    return in_run + (ops == 0 ? whole_node_at(t->w, t->node)->replies : 0);
}

static void cut_between(struct whole_taking *t, const struct whole_event *e, uint32_t event)
{
    t->w->result.points++;
    if (!t->may_cut) {
        t->w->bound = "the number of cuts in a row was reached";
        return;
    }
    struct whole_node found = cut_at(t, e, event);
    found.replies = replies_so_far(t, e->ops, e->replies);
    add_node(t, &found);
}

/* ---- differences ---- */

/* False: they are too many to be followed. */
static bool find_differences(struct stepping *s, uint32_t base)
{
    const struct closure *c = s->t->w->flash;
    const uint32_t *groups = pool_at(&c->bases, base);
    uint32_t other;
    for (uint32_t u = 0; states_next_other(&c->states, &c->tree, groups, &u, &other); u++) {
        if (s->n_differ == DIFFER_MAX)
            return false;
        s->differ[s->n_differ++] = (struct difference){.unit = u, .other = other};
    }
    return true;
}

/* The operation is done to the other one, too. */
static void done_to_other(struct stepping *s, const struct op_key *key, uint32_t u)
{
    struct closure *c = s->t->w->flash;
    for (uint32_t i = 0; i < s->n_differ; i++) {
        if (s->differ[i].unit != u)
            continue;
        s->differ[i].other = whole_set_after(s->t->w, s->differ[i].other, key, NULL);
        if (s->differ[i].other == SET_NONE)
            whole_full(s->t);
        else if (s->differ[i].other == c->tree.unit[u])
            s->differ[i] = s->differ[--s->n_differ];
        return;
    }
}

/* ---- a run ---- */

static void one_operation(struct stepping *s, const struct whole_event *e, uint32_t event)
{
    struct whole_taking *t = s->t;
    struct closure *c = t->w->flash;
    uint32_t u = unit_of(c, &e->key), torn[2];
    uint32_t done = whole_set_after(t->w, c->tree.unit[u], &e->key, torn);
    uint32_t off = done == SET_NONE ? SET_NONE : sets_off(&c->sets, done);
    if (off == SET_NONE) {
        whole_full(t);
        return;
    }
    cut_operation(t, e, event, u, off, torn);
    if (e->kind == WHOLE_TORN)
        return;
    if (t->rc == 0 &&
        (!closure_set_unit(c, u, done) || !states_set(&c->states, &t->w->off, u, off)))
        whole_full(t);
    if (t->rc == 0 && s->compared)
        done_to_other(s, &e->key, u);
}

/* The tree is as it is at the reset, or at the moment. */
static void on_reset(struct whole_taking *t, const struct whole_outcome *o, uint32_t ops)
{
    struct whole *w = t->w;
    struct closure *c = w->flash;
    const struct whole_node *n = whole_node_at(w, t->node);
    const uint32_t reset = o->how == WHOLE_AT_MOMENT ? WHOLE_MOMENT_0 + o->moment : 1;
    struct whole_node found = {.key = {.cloud = o->cloud, .judge = o->judge, .reset = reset},
                               .severity = o->severity,
                               .parent_run = t->run,
                               .event = NONE,
                               .depth = n->depth,
                               .ops_before = n->ops_before + ops,
                               .replies = replies_so_far(t, ops, o->replies)};
    found.key.flash = states_put(&c->states, &c->tree, NULL);
    uint32_t node = found.key.flash == POOL_NONE ? NONE : whole_put_node(w, &found);
    if (node == NONE)
        whole_full(t);
    else
        whole_run_at(w, t->run)->next_node = node;
}

static void on_idle(struct whole_taking *t, const struct whole_outcome *o)
{
    struct whole *w = t->w;
    if (whole_holds_any(w, &w->off)) {
        w->flash->any_shown = true;
        (void)whole_looked_at_any(w);
        return;
    }
    struct whole_end end = {
        .key = {.cloud = o->cloud, .judge = o->judge}, .severity = o->severity, .run = t->run};
    end.key.flash = states_put(&w->flash->states, &w->off, NULL);
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

static void at_the_end(struct whole_taking *t, uint32_t joined)
{
    struct whole *w = t->w;
    const struct whole_behaviour *b = whole_behaviour_at(w, whole_run_at(w, t->run)->behaviour);
    const struct whole_outcome *o = pool_at(&w->outcomes, b->outcome);
    uint32_t ops = b->n_events == 0 ? 0 : whole_event_at(w, b->first_event + b->n_events - 1)->ops;
    bool first = w->first_chain == t->node && whole_run_at(w, t->run)->loss == NONE;
    const bool goes_on = o->how == WHOLE_RESET || o->how == WHOLE_AT_MOMENT;
    if (goes_on && joined != NONE) {
        whole_run_at(w, t->run)->next_node = whole_run_at(w, joined)->next_node;
    } else if (goes_on) {
        on_reset(t, o, ops);
    } else {
        if (first && w->result.new_version[0] == '\0')
            memcpy(w->result.new_version, o->version, sizeof o->version);
        if (joined == NONE)
            on_idle(t, o);
        count_end(w, o->version);
    }
    if (first)
        w->first_chain = whole_run_at(w, t->run)->next_node;
}

void whole_step_all(struct whole_taking *t)
{
    struct whole *w = t->w;
    struct stepping s = {.t = t};
    const uint32_t behaviour = whole_run_at(w, t->run)->behaviour;
    const struct whole_behaviour b = *whole_behaviour_at(w, behaviour);
    if (b.walk_run != NONE && !w->options.no_recall)
        s.compared = find_differences(&s, whole_run_at(w, b.walk_run)->origin);
    uint32_t i = 0;
    for (; i < b.n_events && t->rc == 0 && !w->stopped; i++) {
        if (s.compared && s.n_differ == 0)
            break;
        const struct whole_event e = *whole_event_at(w, b.first_event + i);
        if (whole_is_within(&e))
            one_operation(&s, &e, i);
        else
            cut_between(t, &e, i);
        struct whole_step_log *log = list_add(&w->steps);
        if (log == NULL)
            whole_full(t);
        else
            log->edges_end = (uint32_t)w->edges.count;
    }
    uint32_t joined = s.compared && s.n_differ == 0 ? b.walk_run : NONE;
    whole_run_at(w, t->run)->n_steps = i;
    whole_run_at(w, t->run)->joined = joined;
    w->result.decided += b.points;
    if (t->rc != 0 || w->stopped)
        return;
    at_the_end(t, joined);
    if (joined == NONE && b.walk_run == NONE)
        whole_behaviour_at(w, behaviour)->walk_run = t->run;
}
