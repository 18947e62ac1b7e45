/*
 * All starts from one state. The boot loader is followed step by step: what it does to the contents
 * of the units is done to the sets, every operation's tears become successors. Where it would tell
 * elements of a set apart and then do different things, the start is parted. It is left where it
 * meets an earlier one; the device is asked only for steps that nobody made before.
 */
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/closure_internal.h"

/* ---- operations ---- */

static void add_edge(struct closure *c, uint32_t from, uint32_t state)
{
    const uint32_t *edges = c->edges.items;
    for (size_t i = from; i < c->edges.count; i++)
        if (edges[i] == state)
            return;
    uint32_t *edge = list_add(&c->edges);
    if (edge == NULL)
        (void)no_room(c);
    else
        *edge = state;
}

/* Weak units other than `but` forget their reading while nodes are made of the tree; put back says
 * how they were. */
struct forgotten {
    uint32_t unit, set;
};

static uint32_t forget_readings(struct closure *c, struct forgotten out[OVERS_MAX], uint32_t but)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->weak_units && c->rc == 0; i++) {
        uint32_t u = c->weak_unit[i], set = c->tree.unit[u];
        if (u == but || sets_off(&c->sets, set) == set)
            continue;
        out[n++] = (struct forgotten){.unit = u, .set = set};
        if (!closure_set_unit(c, u, sets_off(&c->sets, set)))
            (void)no_room(c);
    }
    return n;
}

static void remember_readings(struct closure *c, const struct forgotten *f, uint32_t n)
{
    for (uint32_t i = 0; i < n && c->rc == 0; i++)
        if (!closure_set_unit(c, f[i].unit, f[i].set))
            (void)no_room(c);
}

struct cut_at {
    uint32_t unit, set, edges;
};

static void add_successor(struct closure *c, const struct cut_at *at, const struct node *found)
{
    if (c->rc != 0 || at->set == SET_NONE)
        return;
    if (!closure_set_unit(c, at->unit, at->set)) {
        (void)no_room(c);
        return;
    }
    uint32_t state = closure_add_node(c, found);
    if (state != NONE)
        add_edge(c, at->edges, state);
}

static void add_each_tear(struct closure *c, const struct op_key *op, struct cut_at at, uint32_t n,
                          const struct node *found)
{
    uint32_t content = sets_first(&c->sets, c->tree.unit[at.unit])->content;
    for (uint32_t i = 0; i < n && c->rc == 0; i++) {
        const uint32_t *after = closure_after(c, content, op);
        if (after == NULL || (i > 0 && after[1 + i] == after[i]))
            continue;
        at.set = sets_one(&c->sets, after[1 + i], 0);
        if (at.set == SET_NONE)
            (void)no_room(c);
        add_successor(c, &at, found);
    }
}

/* No further cut is looked at. */
static bool is_deep_enough(const struct closure *c)
{
    return c->options.max_depth != 0 && node_at(c, c->now_state)->depth + 1 > c->options.max_depth;
}

static void add_successors(struct closure *c, const struct op_key *op, uint32_t done, uint32_t torn)
{
    struct tear_variant v[VARIANTS_MAX];
    struct forgotten forgotten[OVERS_MAX];
    uint32_t n = closure_variants(c, op, v), tears = c->options.tears;
    struct cut_at at = {.unit = unit_of(c, op), .edges = (uint32_t)c->edges.count};
    uint32_t was = c->tree.unit[at.unit];
    const struct node found = {
        .run = c->now_run, .depth = node_at(c, c->now_state)->depth + 1, .op = c->now_ops};
    c->now_points += n;
    if (is_deep_enough(c)) {
        c->bound = "the number of cuts in a row was reached";
        return;
    }
    uint32_t weak = forget_readings(c, forgotten, at.unit);
    if (c->options.no_sets) {
        add_each_tear(c, op, at, n, &found);
    } else {
        at.set = tears & 1u << TEAR_NOTHING ? sets_off(&c->sets, was) : SET_NONE;
        add_successor(c, &at, &found);
        at.set = torn;
        add_successor(c, &at, &found);
        at.set = tears & 1u << TEAR_DONE ? sets_off(&c->sets, done) : SET_NONE;
        add_successor(c, &at, &found);
    }
    if (c->rc == 0 && !closure_set_unit(c, at.unit, was))
        (void)no_room(c);
    remember_readings(c, forgotten, weak);
}

/* The successors of the operation that an earlier part of this start did, too. */
static void copy_edges(struct closure *c)
{
    const struct op_log its = *op_at(c, run_at(c, c->copy_run)->first_op + c->now_ops - 1);
    uint32_t from = edges_from(c, run_at(c, c->copy_run)->first_op + c->now_ops - 1);
    for (uint32_t i = from; i < its.edges_end && c->rc == 0; i++) {
        uint32_t *edge = list_add(&c->edges);
        if (edge == NULL)
            (void)no_room(c);
        else
            *edge = ((const uint32_t *)c->edges.items)[i];
    }
    c->now_points += its.points;
}

/* The next operation of the start: its successors, and then the tree with it done. */
static void operate(struct closure *c, const struct step_op *did)
{
    uint32_t u = unit_of(c, &did->key), torn[2] = {SET_NONE, SET_NONE};
    bool is_cut = c->now_ops >= c->copy_ops && !is_deep_enough(c);
    uint32_t done = closure_set_after(c, c->tree.unit[u], &did->key, is_cut ? torn : NULL);
    struct op_log *log = c->rc != 0 ? NULL : list_add(&c->ops);
    if (log == NULL) {
        (void)no_room(c);
        return;
    }
    uint64_t points = c->now_points;
    c->now_ops++;
    if (c->now_ops <= c->copy_ops)
        copy_edges(c);
    else
        add_successors(c, &did->key, done, torn[0]);
    *log = (struct op_log){.key = did->key,
                           .edges_end = (uint32_t)c->edges.count,
                           .chip_us = did->chip_us,
                           .points = (uint32_t)(c->now_points - points)};
    if (c->rc == 0 && !closure_set_unit(c, u, done))
        (void)no_room(c);
}

/* ---- parting ---- */

uint32_t closure_fold(struct closure *c, uint32_t run, uint32_t ops, uint32_t unit,
                      uint32_t element)
{
    uint32_t first = run_at(c, run)->first_op;
    for (uint32_t i = first; i < first + ops && c->rc == 0; i++) {
        const struct op_key key = op_at(c, i)->key;
        if (unit_of(c, &key) == unit)
            element = closure_element_after(c, element, &key);
    }
    return element;
}

uint32_t closure_narrow(struct closure *c, uint32_t unit, uint32_t set)
{
    uint32_t at = c->origin.unit[unit], count = 0;
    uint32_t *kept = malloc(sets_count(&c->sets, at) * sizeof *kept);
    if (kept == NULL) {
        (void)no_room(c);
        return SET_NONE;
    }
    for (; at != SET_NONE && c->rc == 0; at = sets_rest(&c->sets, at)) {
        uint32_t first = sets_element_at(&c->sets, at);
        if (sets_has(&c->sets, set, closure_fold(c, c->now_run, c->now_ops, unit, first)))
            kept[count++] = first;
    }
    sets_clear(&c->sets);
    for (uint32_t i = 0; i < count; i++)
        (void)sets_add_element(&c->sets, kept[i]);
    free(kept);
    uint32_t out = c->rc == 0 ? sets_put(&c->sets) : SET_NONE;
    if (out == SET_NONE)
        (void)no_room(c);
    return out;
}

/* Whether two parts are one: they differ in one unit at most. That one, or NONE. */
static bool are_one(const struct part *a, const struct part *b, const uint32_t *whole,
                    uint32_t *unit)
{
    uint32_t i = 0, k = 0;
    *unit = NONE;
    while (i < a->count || k < b->count) {
        uint32_t x = i < a->count ? a->over[i].unit : NONE;
        uint32_t y = k < b->count ? b->over[k].unit : NONE, u = x < y ? x : y;
        uint32_t in_a = x == u ? a->over[i++].set : whole[u];
        uint32_t in_b = y == u ? b->over[k++].set : whole[u];
        if (in_a == in_b)
            continue;
        if (*unit != NONE)
            return false;
        *unit = u;
    }
    return true;
}

static struct over *over_of(struct part *p, uint32_t unit)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->over[i].unit == unit)
            return &p->over[i];
    return NULL;
}

static void drop_over(struct part *p, struct over *o)
{
    memmove(o, o + 1, (size_t)(p->over + p->count - o - 1) * sizeof *o);
    p->count--;
}

/* b becomes part of a, if together they are choices of one element each again. */
static bool unite(struct closure *c, struct part *a, const struct part *b)
{
    uint32_t unit;
    if (a->behaviour != b->behaviour || !are_one(a, b, c->tree.unit, &unit))
        return false;
    if (unit == NONE)
        return true;
    struct over *mine = over_of(a, unit);
    struct part copy = *b;
    const struct over *its = over_of(&copy, unit);
    if (mine == NULL || its == NULL) { /* one of them has it whole */
        if (mine != NULL)
            drop_over(a, mine);
        return true;
    }
    mine->set = sets_union(&c->sets, mine->set, its->set);
    if (mine->set == SET_NONE)
        (void)no_room(c);
    else if (mine->set == c->tree.unit[unit])
        drop_over(a, mine);
    return true;
}

void closure_unite(struct closure *c)
{
    struct part *parts = c->parts.items;
    bool again = true;
    while (again && c->rc == 0) {
        again = false;
        for (size_t i = 0; i < c->parts.count; i++)
            for (size_t k = i + 1; k < c->parts.count && c->rc == 0;) {
                if (!unite(c, &parts[i], &parts[k])) {
                    k++;
                    continue;
                }
                parts[k] = parts[--c->parts.count];
                again = c->parts.count > 1;
            }
    }
}

/* That part of the beginning, to be run later. */
static void put_off(struct closure *c, const struct part *p)
{
    memcpy(c->other.unit, c->origin.unit, c->states.shape.units * sizeof *c->other.unit);
    memcpy(c->other.group, c->origin.group, c->states.group_count * sizeof *c->other.group);
    for (uint32_t i = 0; i < p->count && c->rc == 0; i++) {
        uint32_t set = closure_narrow(c, p->over[i].unit, p->over[i].set);
        if (c->rc == 0 && !states_set(&c->states, &c->other, p->over[i].unit, set))
            (void)no_room(c);
    }
    struct branch *b = c->rc == 0 ? list_add(&c->branches) : NULL;
    if (b == NULL) {
        (void)no_room(c);
        return;
    }
    *b = (struct branch){
        .origin = closure_put_base(c, &c->other), .run = c->now_run, .prefix = c->now_ops};
}

/* Who comes to what this start met before it was parted would find only a part of the rest. */
static void unmeet(struct closure *c)
{
    for (size_t i = 0; i < c->now_met.count; i++)
        ((struct head *)c->heads.items)[((const uint32_t *)c->now_met.items)[i]].run = NONE;
    for (size_t i = 0; i < c->now_walked.count; i++)
        segment_at(c, ((const uint32_t *)c->now_walked.items)[i])->walk_run = NONE;
    c->now_met.count = c->now_walked.count = 0;
}

static void note(struct closure *c, struct list *l, uint32_t number)
{
    uint32_t *out = list_add(l);
    if (out == NULL)
        (void)no_room(c);
    else
        *out = number;
}

/* The start goes on with that part only. */
static void keep(struct closure *c, const struct part *p)
{
    for (uint32_t i = 0; i < p->count && c->rc == 0; i++) {
        uint32_t unit = p->over[i].unit, set = closure_narrow(c, unit, p->over[i].set);
        if (c->rc == 0 && (!states_set(&c->states, &c->origin, unit, set) ||
                           !closure_set_unit(c, unit, p->over[i].set)))
            (void)no_room(c);
    }
}

/* The segment that the start under way goes through next. NONE: c->rc or c->stuck. */
uint32_t closure_next_segment(struct closure *c, uint32_t ram)
{
    if (c->options.no_recall)
        return closure_learn(c, ram, &(struct part){.segment = NONE});
    if (!closure_resolve(c, ram))
        return NONE;
    if (c->parts.count > 1)
        closure_unite(c);
    if (c->parts.count > 1)
        unmeet(c);
    const struct part *parts = c->parts.items;
    for (size_t i = 1; i < c->parts.count && c->rc == 0; i++)
        put_off(c, &parts[i]);
    keep(c, &parts[0]);
    return c->rc == 0 ? parts[0].segment : NONE;
}

/* ---- joins ---- */

static uint64_t add_points(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* The rest is what that earlier run did from `op` on, which is after so many of its points. */
static void join(struct closure *c, uint32_t run, uint32_t op, uint64_t points_before)
{
    struct run *r = run_at(c, c->now_run);
    const struct run *other = run_at(c, run);
    r->next_op = op < ops_end(c, run) ? op : other->next_op;
    r->end = other->end;
    r->final_state = other->final_state;
    r->points = add_points(c->now_points, other->points - points_before);
    c->result.joins++;
}

enum progress { GOES_ON, IS_OVER };

/* Whether this moment was met before; it is kept if not. In the same run: it goes round. */
static enum progress meet(struct closure *c, uint32_t ram, bool *livelock)
{
    bool fresh;
    memcpy(c->head_words, c->tree.group, c->states.group_count * sizeof *c->head_words);
    c->head_words[c->states.group_count] = ram;
    uint32_t number = pool_put(&c->head_pool, c->head_words, &fresh);
    if (number == POOL_NONE || (fresh && list_add(&c->heads) == NULL)) {
        (void)no_room(c);
        return GOES_ON;
    }
    struct head *h = (struct head *)c->heads.items + number;
    if (fresh || h->run == NONE) {
        *h = (struct head){
            .run = c->now_run, .op = (uint32_t)c->ops.count, .points_before = c->now_points};
        note(c, &c->now_met, number);
        return GOES_ON;
    }
    *livelock = h->run == c->now_run;
    if (!*livelock)
        join(c, h->run, h->op, h->points_before);
    return IS_OVER;
}

/* Does a segment to the tree, up to where flash is as in the first run that went through it. */
static enum progress go_through(struct closure *c, uint32_t number)
{
    const struct segment g = *segment_at(c, number);
    bool met = !c->options.no_joins && g.walk_run != NONE && g.walk_run != c->now_run;
    uint32_t meets = met ? closure_meets(c, &g) : NONE, first = (uint32_t)c->ops.count;
    uint32_t count = meets == NONE ? g.op_count : meets;
    uint32_t base = g.walk_run == NONE ? closure_put_base(c, &c->tree) : NONE;
    uint64_t before = c->now_points, points = g.walk_points;
    for (uint32_t k = 0; k < count && c->rc == 0 && !c->stuck; k++) {
        const struct step_op did = *step_op_at(c, g.first_op + k);
        if (meets != NONE)
            points += op_at(c, g.walk_op + k)->points;
        operate(c, &did);
    }
    if (c->rc != 0 || c->stuck)
        return IS_OVER;
    if (meets != NONE) {
        join(c, g.walk_run, g.walk_op + count, points);
        return IS_OVER;
    }
    if (g.walk_run == NONE) {
        struct segment *out = segment_at(c, number);
        out->walk_run = c->now_run;
        out->walk_op = first;
        out->walk_base = base;
        out->walk_points = before;
        note(c, &c->now_walked, number);
    }
    return GOES_ON;
}

/* ---- the end ---- */

/* Ended by itself: judged, and power may go while the firmware runs. */
static void finish(struct closure *c, enum boot_result result, bool livelock)
{
    struct forgotten forgotten[OVERS_MAX];
    const struct node after = {.run = c->now_run, .depth = node_at(c, c->now_state)->depth + 1};
    uint8_t end = livelock ? CLOSURE_LIVELOCK : closure_judge(c, result);
    run_at(c, c->now_run)->points = c->now_points;
    run_at(c, c->now_run)->end = end;
    if (c->options.max_depth != 0 && after.depth > c->options.max_depth)
        return;
    (void)forget_readings(c, forgotten, NONE);
    if (c->rc == 0 && !c->stuck)
        run_at(c, c->now_run)->final_state = closure_add_node(c, &after);
}

/* ---- the start ---- */

static void follow(struct closure *c)
{
    uint32_t ram = RECALL_POWER_ON;
    bool livelock = false;
    for (c->now_heads = 0; c->now_heads < CLOSURE_STEPS_MAX; c->now_heads++) {
        if (c->now_ops > 0 && !c->options.no_joins && meet(c, ram, &livelock) == IS_OVER)
            break;
        uint32_t number = closure_next_segment(c, ram);
        if (number == NONE || go_through(c, number) == IS_OVER)
            return;
        const struct segment *g = segment_at(c, number);
        if (g->next_ram == NONE) {
            finish(c, (enum boot_result)g->result, false);
            return;
        }
        ram = g->next_ram;
    }
    if (livelock || c->now_heads == CLOSURE_STEPS_MAX)
        finish(c, BOOT_MORE, true);
}

static void run_branch(struct closure *c, const struct branch *b)
{
    struct run *r = list_add(&c->runs);
    uint64_t started = c->result.starts;
    if (r == NULL) {
        (void)no_room(c);
        return;
    }
    *r = (struct run){.state = c->now_state,
                      .first_op = (uint32_t)c->ops.count,
                      .next_op = NONE,
                      .final_state = NONE};
    c->now_run = (uint32_t)c->runs.count - 1;
    c->now_ops = 0;
    c->now_points = 0;
    c->now_met.count = c->now_walked.count = 0;
    c->copy_run = b->run;
    c->copy_ops = b->prefix;
    closure_get_base(c, b->origin, &c->origin);
    closure_load_tree(c, &c->origin);
    if (c->weak_units > OVERS_MAX) {
        c->bound = "too many units had weak cells";
        c->stuck = true;
        return;
    }
    follow(c);
    if (c->rc != 0)
        return;
    r = run_at(c, c->now_run);
    r->origin = closure_put_base(c, &c->origin);
    c->result.recalled += started == c->result.starts;
    c->result.decided = add_points(c->result.decided, r->points);
    if (node_at(c, c->now_state)->depth == 0)
        c->result.first = add_points(c->result.first, r->points);
    struct node *n = node_at(c, c->now_state);
    if (n->end < r->end)
        n->end = r->end;
    if (r->end >= CLOSURE_BRICKED && c->failed_run == NONE)
        c->failed_run = c->now_run;
    if (c->options.audit && !c->stuck)
        (void)closure_audit(c, c->now_run);
}

/* One branch with all readings, or one for each. */
static void add_readings(struct closure *c)
{
    uint32_t weak = 0, index, units = c->states.shape.units;
    for (uint32_t u = 0; u < units; u++)
        weak += sets_is_weak(&c->sets, c->origin.unit[u]);
    uint32_t readings = c->options.no_sets ? closure_readings(weak) : 1;
    c->result.mixed_starts += c->options.no_sets && weak > CLOSURE_WEAK_UNITS;
    for (uint32_t i = 0; i < readings && c->rc == 0; i++) {
        memcpy(c->other.unit, c->origin.unit, units * sizeof *c->other.unit);
        memcpy(c->other.group, c->origin.group, c->states.group_count * sizeof *c->other.group);
        index = 0;
        for (uint32_t u = 0; u < units && weak > 0 && c->rc == 0; u++) {
            uint32_t set = c->origin.unit[u];
            if (!sets_is_weak(&c->sets, set))
                continue;
            uint32_t reading = 1 + (uint32_t)closure_reading(closure_nth_reading(i, weak), index++);
            set = c->options.no_sets
                      ? sets_one(&c->sets, sets_first(&c->sets, set)->content, reading)
                      : sets_on(&c->sets, set);
            if (set == SET_NONE || !states_set(&c->states, &c->other, u, set))
                (void)no_room(c);
        }
        struct branch *b = c->rc == 0 ? list_add(&c->branches) : NULL;
        if (b == NULL)
            (void)no_room(c);
        else
            *b = (struct branch){.origin = closure_put_base(c, &c->other), .run = NONE};
    }
}

void closure_start(struct closure *c, uint32_t state)
{
    c->now_state = state;
    c->branches.count = 0;
    node_at(c, state)->first_run = (uint32_t)c->runs.count;
    states_get(&c->states, state, &c->origin);
    add_readings(c);
    for (size_t i = 0; i < c->branches.count && c->rc == 0 && !c->stuck; i++) {
        const struct branch b = ((const struct branch *)c->branches.items)[i];
        run_branch(c, &b);
    }
}
