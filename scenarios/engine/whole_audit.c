/*
 * Audit: what was decided is run all the same. Of every so-manyth part that is taken in - recalled,
 * joined, merged, worked out from the boot loader alone, or executed with another content - one
 * content is drawn, and a world of its own is put there and switched on: it must show the part's
 * behaviour, and leave the flash that its operations make of that content. Then one of the
 * operations is drawn, and power really goes there: what is left must be what was worked out, and
 * among the successors found.
 */
#include <string.h>

#include "scenarios/engine/whole_internal.h"

#define ENOUGH 512u /* audits that are worth a batch of their own */

/* The next number of a sequence (splitmix64): sequence and place alone say which. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ---- asking ---- */

/* The base with one element in each unit. POOL_NONE: no memory. */
static uint32_t draw_contents(struct whole *w, uint32_t base, uint64_t *state)
{
    struct closure *c = w->flash;
    closure_get_base(c, base, &c->other);
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        uint32_t set = c->other.unit[u], count = sets_count(&c->sets, set);
        if (count < 2)
            continue;
        for (uint64_t skip = draw(state) % count; skip > 0; skip--)
            set = sets_rest(&c->sets, set);
        sets_clear(&c->sets);
        (void)sets_add_element(&c->sets, sets_element_at(&c->sets, set));
        uint32_t one = sets_put(&c->sets);
        if (one == SET_NONE || !states_set(&c->states, &c->other, u, one))
            return POOL_NONE;
    }
    return closure_put_base(c, &c->other);
}

/* An operation of it to be cut, and how. False: there is none. */
static bool draw_cut(struct whole *w, struct whole_audit *a, uint64_t *state)
{
    struct tear_variant v[VARIANTS_MAX];
    const struct whole_behaviour *b = whole_behaviour_at(w, a->behaviour);
    uint32_t from = b->n_events == 0 ? 0 : (uint32_t)(draw(state) % b->n_events);
    for (uint32_t i = 0; i < b->n_events; i++) {
        uint32_t event = (from + i) % b->n_events;
        const struct whole_event *e = whole_event_at(w, b->first_event + event);
        uint32_t n = e->kind == WHOLE_OP ? closure_variants(w->flash, &e->key, v) : 0;
        if (n == 0)
            continue;
        a->event = event;
        a->after = (uint32_t)(draw(state) % n);
        a->by = v[a->after];
        return true;
    }
    return false;
}

static bool add(struct whole *w, const struct whole_todo *of, uint32_t base,
                const struct whole_audit *what)
{
    struct whole_audit *a = list_add(&w->audits);
    struct whole_task *t = list_add(&w->audit_tasks);
    if (a == NULL || t == NULL)
        return false;
    *a = *what;
    *t = (struct whole_task){
        .of = *of, .base = base, .chain = NONE, .audit = (uint32_t)w->audits.count - 1};
    return true;
}

void whole_audit_part(struct whole_taking *t, const struct whole_todo *of,
                      const struct whole_known *k)
{
    struct whole *w = t->w;
    if (w->options.audit == 0 || w->audit_seen++ % w->options.audit != 0)
        return;
    uint64_t state = w->audit_seen;
    bool heals = of->end != NONE;
    struct whole_audit a = {.run = heals ? NONE : t->run,
                            .behaviour = k->behaviour,
                            .event = NONE,
                            .draw = w->audit_seen};
    uint32_t base = draw_contents(w, k->base, &state);
    bool good = base != POOL_NONE && add(w, of, base, &a);
    /* One that another node takes the place of has no successors of its own. */
    if (good && !heals && t->may_cut && !whole_run_at(w, t->run)->merged && draw_cut(w, &a, &state))
        good = add(w, of, base, &a);
    if (!good)
        whole_full(t);
}

bool whole_audit_begin(struct whole *w, bool at_the_end, uint32_t max)
{
    size_t left = w->audit_tasks.count - w->audits_begun;
    /* Where starts are followed through moments all of these must be known. */
    if (left == 0 || (!at_the_end && (left < ENOUGH || w->has_moments)))
        return false;
    for (; max > 0 && w->audits_begun < w->audit_tasks.count; max--) {
        struct whole_task *t = list_add(&w->tasks);
        if (t == NULL)
            return false;
        *t = ((const struct whole_task *)w->audit_tasks.items)[w->audits_begun++];
    }
    return true;
}

/* ---- what must be found ---- */

/* What the unit's content is in the end: its number; POOL_NONE with c->rc, or nothing is known. */
static uint32_t content_of(struct whole *w, const struct whole_task *t, uint32_t unit)
{
    struct closure *c = w->flash;
    const struct whole_audit *a = whole_audit_at(w, t->audit);
    const struct whole_behaviour b = *whole_behaviour_at(w, a->behaviour);
    uint32_t set, before = NONE;
    closure_get_base(c, t->base, &c->other);
    set = c->other.unit[unit];
    for (uint32_t i = 0; i < b.n_events && set != SET_NONE; i++) {
        const struct whole_event *e = whole_event_at(w, b.first_event + i);
        if (i == a->event && unit_of(c, &e->key) == unit && set != w->any)
            before = sets_first(&c->sets, set)->content;
        if (i == a->event)
            break;
        if (e->kind == WHOLE_OP && unit_of(c, &e->key) == unit)
            set = whole_set_after(w, set, &e->key, NULL);
    }
    if (set == SET_NONE || set == w->any)
        return POOL_NONE;
    if (before == NONE)
        return sets_first(&c->sets, set)->content;
    const uint32_t *after =
        closure_after(c, before, &whole_event_at(w, b.first_event + a->event)->key);
    return after == NULL ? POOL_NONE : after[1 + a->after];
}

bool whole_audit_unit(struct whole *w, const struct whole_task *t, uint32_t unit,
                      uint8_t sha256[SHA256_BYTES], int *rc)
{
    struct closure *c = w->flash;
    uint32_t content = content_of(w, t, unit);
    *rc = c->rc;
    if (content == POOL_NONE || *rc != 0)
        return false;
    closure_put_unit(c, c->scratch, 0, content);
    closure_unit_fingerprint(c->scratch, 0, sha256);
    return true;
}

static bool has_element(const struct whole *w, uint32_t set, uint32_t element)
{
    const struct sets *s = &w->flash->sets;
    for (; set != SET_NONE; set = sets_rest(s, set))
        if (sets_element_at(s, set) == element)
            return true;
    return false;
}

uint32_t whole_audit_next(struct whole *w, uint32_t run, const struct states_tree *content)
{
    struct closure *c = w->flash;
    const struct whole_run *r = whole_run_at(w, run);
    const struct whole_outcome *o = whole_outcome_of(w, r->behaviour);
    const uint32_t units = c->states.shape.units;
    if (r->next_node == NONE)
        return NONE;
    const struct whole_node *n = whole_node_at(w, r->next_node);
    if (memcmp(&n->severity, &o->severity, sizeof o->severity) != 0)
        return NONE; /* a stricter one takes its place */
    for (uint32_t i = n->last_run; i != NONE; i = whole_run_at(w, i)->older) {
        uint32_t u = 0;
        if (whole_run_at(w, i)->loss != NONE)
            continue;
        closure_get_base(c, whole_run_at(w, i)->origin, &c->other);
        while (u < units &&
               (content->unit[u] == c->other.unit[u] ||
                has_element(w, c->other.unit[u], sets_element_at(&c->sets, content->unit[u]))))
            u++;
        if (u == units)
            return i;
    }
    return NONE;
}

static bool has_content(const struct whole *w, uint32_t set, uint32_t content)
{
    const struct sets *s = &w->flash->sets;
    if (set == w->any)
        return true;
    for (; set != SET_NONE; set = sets_rest(s, set))
        if (sets_first(s, set)->content == content)
            return true;
    return false;
}

/* The cuts worked out for an event of a run; NONE: there are none. */
static uint32_t step_of(const struct whole *w, uint32_t run, uint32_t event)
{
    const struct whole_run *r = whole_run_at(w, run);
    while (event >= r->n_steps && r->joined != NONE)
        r = whole_run_at(w, r->joined);
    return event < r->n_steps ? r->first_step + event : NONE;
}

bool whole_audit_leads(struct whole *w, const struct whole_task *t, uint32_t event)
{
    struct closure *c = w->flash;
    const struct whole_audit a = *whole_audit_at(w, t->audit);
    const struct whole_event e =
        *whole_event_at(w, whole_behaviour_at(w, a.behaviour)->first_event + event);
    struct judge_severity severity = e.severity;
    uint32_t step = step_of(w, a.run, event);
    bool leads = false;
    if (a.by.tear == TEAR_WEAK)
        severity.weak_cut = 1;
    for (uint32_t i = step == NONE ? 0 : whole_edges_from(w, step);
         step != NONE && i < whole_edges_end(w, step) && !leads; i++) {
        const struct whole_node *n = whole_node_at(w, whole_edge_at(w, i));
        leads = n->key.cloud == e.cloud && n->key.judge == e.judge && n->key.reset == 0 &&
                judge_as_strict(&n->severity, &severity);
        states_get(&c->states, n->key.flash, &c->tree);
        for (uint32_t u = 0; u < c->states.shape.units && leads; u++) {
            uint32_t content = content_of(w, t, u);
            leads = content == POOL_NONE || has_content(w, c->tree.unit[u], content);
        }
    }
    return leads;
}
