/*
 * What the finished graph says about progress. Its vertices are the states and, in between, the
 * steps of all runs: a step leads to the next one and, by a cut, to the states it may leave. States
 * that can reach each other form a component; a cut that leads out of it cannot be undone by any
 * further cut. So the work that brings a power-on for good ahead is that up to the last step whose
 * cut still leads back into the component of its state, through resets as well.
 */
#include <stdlib.h>

#include "scenarios/engine/components.h"
#include "scenarios/engine/whole_internal.h"

struct work;
struct graph {
    const struct whole *w;
    uint32_t *next; /* per step: the vertex that follows without a cut; NONE */
    uint32_t nodes;
    uint32_t *first, *runs; /* per node: where its runs begin, one more at the end; run numbers */
    struct components components;
    struct work *work; /* per node */
};

/* Where a run goes behind its step i, or begins with i = 0; NONE: it ends idle. */
static uint32_t vertex_of(const struct graph *g, const struct whole_run *r, uint32_t i)
{
    if (i < r->n_steps)
        return g->nodes + r->first_step + i;
    if (r->joined != NONE && i < whole_run_at(g->w, r->joined)->n_steps)
        return g->nodes + whole_run_at(g->w, r->joined)->first_step + i;
    return r->next_node;
}

/* The i-th neighbour of a vertex; more = false behind the last. NONE is none. */
static uint32_t neighbour(const void *graph, uint32_t v, uint32_t i, bool *more)
{
    const struct graph *g = graph;
    const struct whole *w = g->w;
    *more = true;
    if (v < g->nodes) {
        const struct whole_node *n = whole_node_at(w, v);
        if (n->first_run == NONE) {
            *more = false;
            return i == 0 ? n->stricter : NONE;
        }
        *more = i < g->first[v + 1] - g->first[v];
        return *more ? vertex_of(g, whole_run_at(w, g->runs[g->first[v] + i]), 0) : NONE;
    }
    uint32_t step = v - g->nodes, from = whole_edges_from(w, step);
    if (i < whole_edges_end(w, step) - from)
        return whole_edge_at(w, from + i);
    *more = i == whole_edges_end(w, step) - from;
    return *more ? g->next[step] : NONE;
}

static bool is_start(const void *graph, uint32_t node)
{
    return !whole_is_moment(whole_node_at(((const struct graph *)graph)->w, node));
}

/* The most of a node: NO_WORK where no cut leads back. */
#define NO_WORK   (-1)
#define UNKNOWN   (-2)
#define UNDER_WAY (-3)
struct work {
    int64_t ops, ns; /* each by itself */
};

static void at_least(struct work *most, int64_t ops, int64_t ns)
{
    most->ops = ops > most->ops ? ops : most->ops;
    most->ns = ns > most->ns ? ns : most->ns;
}

static struct work work_of_node(struct graph *g, uint32_t node);

/* Work of a run and what follows without a cut, up to the last cut that leads back. Idling is no
 * work: power stays, and nothing more will be done. */
static struct work work_of(struct graph *g, const struct whole_run *r)
{
    const struct whole *w = g->w;
    const uint32_t *component = g->components.of;
    const uint32_t home = component[r->node];
    const struct whole_behaviour *b = whole_behaviour_at(w, r->behaviour);
    const struct whole_event *e = NULL;
    struct work most = {NO_WORK, NO_WORK}, rest = most;
    for (uint32_t i = 0; i < b->n_events && !r->merged; i++) {
        uint32_t v = vertex_of(g, r, i);
        e = whole_event_at(w, b->first_event + i);
        if (v == NONE || v < g->nodes || component[v] != home)
            return most;
        bool back = false;
        for (uint32_t k = whole_edges_from(w, v - g->nodes);
             k < whole_edges_end(w, v - g->nodes) && !back; k++)
            back = component[whole_edge_at(w, k)] == home;
        if (back && e->kind != WHOLE_IDLE)
            at_least(&most, e->ops, *whole_event_ns(w, b->first_event + i));
    }
    if (r->next_node != NONE && component[r->next_node] == home)
        rest = work_of_node(g, r->next_node);
    if (rest.ops != NO_WORK)
        at_least(&most, rest.ops + (e == NULL ? 0 : e->ops),
                 rest.ns + (r->merged ? 0 : b->length_ns));
    return most;
}

static struct work work_of_node(struct graph *g, uint32_t node)
{
    static const struct work none = {NO_WORK, NO_WORK};
    if (g->work[node].ops == UNDER_WAY)
        return none;
    if (g->work[node].ops != UNKNOWN)
        return g->work[node];
    struct work most = none;
    g->work[node].ops = UNDER_WAY;
    for (uint32_t i = g->first[node]; i < g->first[node + 1]; i++) {
        const struct work one = work_of(g, whole_run_at(g->w, g->runs[i]));
        at_least(&most, one.ops, one.ns);
    }
    g->work[node] = most;
    return most;
}

/* By node, in order. False: no memory. */
static bool sort_runs(struct graph *g)
{
    const struct whole *w = g->w;
    g->first = calloc((size_t)g->nodes + 2, sizeof *g->first);
    g->runs = calloc(w->runs.count + 1, sizeof *g->runs);
    if (g->first == NULL || g->runs == NULL)
        return false;
    /* One place further than they belong: filling in moves them there. */
    for (uint32_t i = 0; i < w->runs.count; i++)
        g->first[whole_run_at(w, i)->node + 2]++;
    for (uint32_t n = 2; n < g->nodes + 2; n++)
        g->first[n] += g->first[n - 1];
    for (uint32_t i = 0; i < w->runs.count; i++)
        g->runs[g->first[whole_run_at(w, i)->node + 1]++] = i;
    return true;
}

int whole_measure(struct whole *w, struct whole_result *out)
{
    struct graph g = {.w = w, .nodes = (uint32_t)w->nodes.count};
    out->work_ops = out->work_boots = 0;
    out->work_ns = 0;
    g.next = calloc(w->steps.count + 1, sizeof *g.next);
    int rc = g.next != NULL && sort_runs(&g) ? 0 : ERR_NOMEM;
    for (uint32_t i = 0; rc == 0 && i < w->runs.count; i++)
        for (uint32_t k = 0; k < whole_run_at(w, i)->n_steps; k++)
            g.next[whole_run_at(w, i)->first_step + k] = vertex_of(&g, whole_run_at(w, i), k + 1);
    if (rc == 0)
        rc = components_find(&g.components, &g, neighbour, is_start,
                             g.nodes + (uint32_t)w->steps.count, g.nodes);
    g.work = malloc((g.nodes + 1u) * sizeof *g.work);
    rc = rc == 0 && g.work == NULL ? ERR_NOMEM : rc;
    for (uint32_t n = 0; rc == 0 && n < g.nodes; n++)
        g.work[n] = (struct work){UNKNOWN, UNKNOWN};
    for (uint32_t n = 0; rc == 0 && n < g.nodes; n++) {
        const struct work one = work_of_node(&g, n);
        out->work_ops = one.ops > out->work_ops ? (uint32_t)one.ops : out->work_ops;
        out->work_ns = one.ns > out->work_ns ? one.ns : out->work_ns;
    }
    out->work_boots = g.components.longest;
    components_free(&g.components);
    free(g.next);
    free(g.first);
    free(g.runs);
    free(g.work);
    return rc;
}
