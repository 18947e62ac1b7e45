/*
 * A counter-example is repeated from the start by the world itself, with real cuts on a real chip:
 * only that is believed. Nodes are sets, so the way is walked back first: from one content of the
 * part that failed to one that a cut turns into it, and so on to the beginning.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/token.h"
#include "scenarios/engine/whole_internal.h"

/* One start on the way: what is on flash when power comes, and how weak cells read. */
struct way {
    uint32_t run;
    uint32_t *element;      /* per unit */
    struct whole_step step; /* that ends it; not of the last */
    bool whole; /* it goes to its end: the next one is a reset, or a moment of the same start */
    bool moment;
};
#define WAYS_MAX 8192u

struct walk {
    struct whole *w;
    struct states_tree tree;
    struct way *way; /* WAYS_MAX; the last start first */
    uint32_t count;
    uint32_t *elements; /* of all of them */
};

/* ---- walking back ---- */

/* What an element of a unit is after so many events of a run. */
static uint32_t fold(struct whole *w, uint32_t run, uint32_t events, uint32_t unit,
                     uint32_t element)
{
    const struct whole_behaviour b = *whole_behaviour_at(w, whole_run_at(w, run)->behaviour);
    for (uint32_t i = 0; i < events && i < b.n_events && element != POOL_NONE; i++) {
        const struct whole_event *e = whole_event_at(w, b.first_event + i);
        if (e->kind == WHOLE_OP && unit_of(w->flash, &e->key) == unit)
            element = closure_element_after(w->flash, element, &e->key);
    }
    return element;
}

/* Whether one of the operation's tears, weak ones or the others, makes that content of the other;
 * which one. */
static bool tears_to(struct whole *w, uint32_t before, uint32_t after, const struct op_key *key,
                     bool weak, struct run_cut *cut)
{
    struct tear_variant v[VARIANTS_MAX];
    uint32_t n = closure_variants(w->flash, key, v);
    const uint32_t *torn = closure_after(w->flash, before, key);
    for (uint32_t i = 0; i < n && torn != NULL; i++)
        if (torn[1 + i] == after && (v[i].tear == TEAR_WEAK) == weak) {
            cut->tear = v[i].tear;
            cut->arg = v[i].arg;
            return true;
        }
    return false;
}

/* It does not matter what is left: one of those tears. */
static bool any_tear(struct whole *w, const struct op_key *key, bool weak, struct run_cut *cut)
{
    struct tear_variant v[VARIANTS_MAX];
    uint32_t n = closure_variants(w->flash, key, v);
    for (uint32_t i = 0; i < n; i++)
        if ((v[i].tear == TEAR_WEAK) == weak && v[i].tear != TEAR_DONE) {
            cut->tear = v[i].tear;
            cut->arg = v[i].arg;
            return true;
        }
    return false;
}

/* Whether an element becomes that of the next start: by the run's events, and the cut. */
static bool becomes(struct whole *w, uint32_t run, const struct whole_node *next, uint32_t unit,
                    uint32_t element, uint32_t wanted, struct whole_step *step)
{
    struct closure *c = w->flash;
    uint32_t behaviour = whole_run_at(w, run)->behaviour;
    uint32_t is = fold(w, run, next->event, unit, element);
    if (is == POOL_NONE)
        return false;
    const bool any = whole_is_any(w, wanted);
    if (next->key.reset)
        return any || is == wanted;
    const struct element *a = sets_element(&c->sets, is), *b = sets_element(&c->sets, wanted);
    const struct whole_event *e =
        whole_event_at(w, whole_behaviour_at(w, behaviour)->first_event + next->event);
    if (!whole_is_within(e) || unit_of(c, &e->key) != unit)
        return any || a->content == b->content;
    if (any)
        return any_tear(w, &e->key, next->weak_cut, &step->cut);
    return tears_to(w, a->content, b->content, &e->key, next->weak_cut, &step->cut);
}

static void describe(const struct whole *w, const struct whole_node *next, uint32_t run,
                     struct whole_step *step)
{
    *step = (struct whole_step){.reset = next->key.reset == 1};
    if (next->key.reset != 0)
        return;
    const struct whole_event *e = whole_event_at(
        w, whole_behaviour_at(w, whole_run_at(w, run)->behaviour)->first_event + next->event);
    step->cut.op = next->ops_before;
    if (whole_is_within(e)) {
        step->cut.by_place = true;
        step->kind = (enum nor_op_kind)e->key.kind;
        step->addr = e->key.addr;
        step->len_bytes = e->key.len_bytes;
        return;
    }
    step->cut.kind = CUT_BETWEEN;
    step->cut.after = e->kind == WHOLE_IDLE || next->replies >= RUN_CUT_IDLE
                          ? RUN_CUT_IDLE
                          : (uint16_t)next->replies;
}

/* The reading of the weak cells on flash when power is back. */
static uint32_t reading_of(const struct whole *w, const struct way *at, bool *weak)
{
    const struct closure *c = w->flash;
    uint32_t reading = 0, factor = 1, index = 0;
    *weak = false;
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        const struct element *e = sets_element(&c->sets, at->element[u]);
        *weak = *weak || e->reading != 0;
        if (e->reading == 0 || index++ >= CLOSURE_READING_DIGITS)
            continue;
        reading += factor * (e->reading - 1);
        factor *= 3;
    }
    return reading;
}

/* The start before the last one found. */
static bool step_back(struct walk *k)
{
    struct whole *w = k->w;
    struct closure *c = w->flash;
    const struct way *next = &k->way[k->count - 1];
    struct way *out = &k->way[k->count];
    const struct whole_node n = *whole_node_at(w, whole_run_at(w, next->run)->node);
    bool weak;
    out->run = n.parent_run;
    out->whole = n.key.reset != 0;
    out->moment = whole_is_moment(&n);
    describe(w, &n, out->run, &out->step);
    closure_get_base(c, whole_run_at(w, out->run)->origin, &k->tree);
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        uint32_t at = k->tree.unit[u];
        while (at != SET_NONE && !becomes(w, out->run, &n, u, sets_element_at(&c->sets, at),
                                          next->element[u], &out->step))
            at = sets_rest(&c->sets, at);
        if (at == SET_NONE)
            return false;
        out->element[u] = sets_element_at(&c->sets, at);
    }
    uint32_t reading = reading_of(w, next, &weak);
    if (!out->whole && weak)
        out->step.cut.reading = 1 + reading;
    k->count++;
    return true;
}

/* The end of a run as it was when the heal phase began: elements of the run's part. */
static bool back_from_end(struct walk *k, const struct whole_end *e, uint32_t base)
{
    struct whole *w = k->w;
    struct closure *c = w->flash;
    struct states_tree ended;
    bool found = states_tree_init(&c->states, &ended) == 0;
    if (found) {
        closure_get_base(c, base, &ended);
        closure_get_base(c, whole_run_at(w, e->run)->origin, &k->tree);
    }
    k->way[0].run = e->run;
    for (uint32_t u = 0; u < c->states.shape.units && found; u++) {
        uint32_t wanted = sets_first(&c->sets, ended.unit[u])->content, at = k->tree.unit[u];
        for (; at != SET_NONE; at = sets_rest(&c->sets, at)) {
            uint32_t is = fold(w, e->run, NONE, u, sets_element_at(&c->sets, at));
            if (is != POOL_NONE && sets_element(&c->sets, is)->content == wanted)
                break;
        }
        found = at != SET_NONE;
        if (found)
            k->way[0].element[u] = sets_element_at(&c->sets, at);
    }
    states_tree_free(&ended);
    return found;
}

/* To the beginning; false: there is no way, or it is too long. */
static bool walk_back(struct walk *k)
{
    k->count = 1;
    while (whole_node_at(k->w, whole_run_at(k->w, k->way[k->count - 1].run)->node)->parent_run !=
           NONE)
        if (k->count == WAYS_MAX || !step_back(k))
            return false;
    return true;
}

static int walk_init(struct walk *k, struct whole *w)
{
    uint32_t units = w->flash->states.shape.units;
    k->w = w;
    k->elements = calloc((size_t)units * WAYS_MAX, sizeof *k->elements);
    k->way = calloc(WAYS_MAX, sizeof *k->way);
    int rc = states_tree_init(&w->flash->states, &k->tree);
    if (rc != 0 || k->elements == NULL || k->way == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < WAYS_MAX; i++)
        k->way[i].element = k->elements + (size_t)units * i;
    return 0;
}

static void walk_free(struct walk *k)
{
    if (k == NULL)
        return;
    free(k->elements);
    free(k->way);
    states_tree_free(&k->tree);
    free(k);
}

/* ---- telling and repeating ---- */

static void add_step(struct whole_failure *f, const struct whole_step *s)
{
    f->n_cuts += !s->reset && !s->lost;
    f->n_losses += s->lost;
    if (f->path_len < WHOLE_PATH_MAX)
        f->path[f->path_len] = *s;
    f->path_len++;
}

/* Connections on the way, and what was sent on the newest if it is still open. */
struct opened {
    uint32_t connections;
    uint64_t sent_bytes[2];
};

/* What is lost in a start, before the step that ends it; connections count over all starts. */
static void add_losses(const struct whole *w, uint32_t loss, const struct opened *o,
                       struct whole_failure *f)
{
    struct whole_loss list[WHOLE_LOSSES_MAX];
    const uint32_t n = whole_loss_list(w, loss, list);
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t sent = list[i].connection == 0 ? o->sent_bytes[list[i].dir] : 0;
        const struct whole_step s = {.lost = true,
                                     .cut = {.kind = CUT_NETWORK,
                                             .connection = o->connections + list[i].connection,
                                             .dir = (enum link_dir)list[i].dir,
                                             .byte = sent + list[i].byte,
                                             .action = (enum link_action)list[i].action}};
        add_step(f, &s);
    }
}

/* Those of a start until the step that ends it. */
static void count_opened(const struct whole *w, const struct way *at, uint32_t event,
                         struct opened *o)
{
    const struct whole_behaviour *b = whole_behaviour_at(w, whole_run_at(w, at->run)->behaviour);
    if (!at->whole) {
        o->connections += whole_event_at(w, b->first_event + event)->connections;
        return;
    }
    const struct whole_outcome *end = pool_at(&w->outcomes, b->outcome);
    o->connections += end->connections;
    for (int dir = LINK_UP; dir <= LINK_DOWN; dir++)
        o->sent_bytes[dir] = (end->goes_on ? o->sent_bytes[dir] : 0) + end->sent_bytes[dir];
}

static void put_path(const struct walk *k, struct whole_failure *f)
{
    const struct whole *w = k->w;
    struct opened o = {.connections = 0};
    for (uint32_t i = k->count; i > 0; i--) {
        const struct way *at = &k->way[i - 1];
        add_losses(w, whole_run_at(w, at->run)->loss, &o, f);
        if (i == 1)
            break;
        if (!at->moment)
            add_step(f, &at->step);
        const struct whole_node *next = whole_node_at(w, whole_run_at(w, at[-1].run)->node);
        count_opened(w, at, next->event, &o);
    }
}

static bool put_token(const struct whole *w, struct whole_failure *f, struct token *t)
{
    *t = (struct token){.seed = w->run.seed != 0 ? w->run.seed : w->s->seed};
    memcpy(t->name, w->s->name, sizeof t->name);
    if (f->n_cuts + f->n_losses > RUN_CUTS_MAX || f->path_len > WHOLE_PATH_MAX)
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

static void find_way(struct whole_taking *t, const struct whole_todo *of,
                     const struct whole_known *known, struct whole_failure *f)
{
    struct whole *w = t->w;
    struct closure *c = w->flash;
    struct walk *k = calloc(1, sizeof *k);
    struct token token;
    bool found = k != NULL && walk_init(k, w) == 0;
    if (found && of->end != NONE) {
        const struct whole_end e = *whole_end_at(w, of->end);
        found = back_from_end(k, &e, known->base);
    } else if (found) {
        k->way[0].run = t->run;
        closure_get_base(c, known->base, &k->tree);
        for (uint32_t u = 0; u < c->states.shape.units; u++)
            k->way[0].element[u] = sets_element_at(&c->sets, k->tree.unit[u]);
    }
    if (found && walk_back(k)) {
        put_path(k, f);
        if (put_token(w, f, &token))
            repeat(w, &token, f);
    }
    walk_free(k);
}

/* A failure by its way there, repeated; whether that failed too. */
static bool tell(struct whole_taking *t, const struct whole_todo *of,
                 const struct whole_known *known, const struct whole_blame *blame)
{
    struct whole_result *r = &t->w->result;
    struct whole_failure *f = calloc(1, sizeof *f);
    if (f == NULL)
        return false;
    f->in_heal = of->end != NONE;
    f->n_ids = blame->n_ids;
    memcpy(f->ids, blame->ids, sizeof f->ids);
    memcpy(f->detail, blame->detail, sizeof f->detail);
    find_way(t, of, known, f);
    bool sure = f->confirmed;
    r->unconfirmed += !sure;
    if (r->n_failures < WHOLE_FAILURES_MAX)
        r->failures[r->n_failures++] = *f;
    free(f);
    return sure;
}

bool whole_tell_failure(struct whole_taking *t, const struct whole_todo *of,
                        const struct whole_known *known)
{
    struct whole *w = t->w;
    struct whole_result *r = &w->result;
    struct whole_behaviour *b = whole_behaviour_at(w, known->behaviour);
    const struct whole_blame *blame =
        pool_at(&w->blames, whole_outcome_of(w, known->behaviour)->blame);
    r->failing++;
    if (b->told)
        return b->sure;
    b->told = true;
    b->sure = tell(t, of, known, blame);
    return b->sure;
}

void whole_tell_loop(struct whole *w, const struct whole_loop *loop)
{
    const uint32_t run = whole_node_at(w, loop->node)->first_run;
    struct whole_taking t = {.w = w, .node = loop->node, .run = run};
    const struct whole_todo of = {.node = loop->node, .end = NONE};
    struct whole_blame blame = {.n_ids = 1, .ids = {"PWR-15"}};
    (void)snprintf(blame.detail, sizeof blame.detail,
                   "the device resets itself without end: after %u start%s it is where it was",
                   loop->starts, loop->starts == 1 ? "" : "s");
    if (run == NONE) { /* a stricter one is run instead of it */
        w->bound = "there are states from which the device resets itself without end";
        return;
    }
    const struct whole_known known = {.base = whole_run_at(w, run)->origin,
                                      .behaviour = whole_run_at(w, run)->behaviour};
    w->result.failing++;
    (void)tell(&t, &of, &known, &blame);
}

bool whole_found_enough(const struct whole *w)
{
    const struct whole_result *r = &w->result;
    enum verdict v = whole_verdict(r);
    return v == VERDICT_FAIL || v == VERDICT_EXPECTED_FAIL || r->n_failures == WHOLE_FAILURES_MAX;
}
