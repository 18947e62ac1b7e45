/*
 * What the finished graph says about progress. Its vertices are the states and, in between, the
 * operations of all runs: an operation leads to the next one and, by a cut, to the states it may
 * leave. States that can reach each other form a component; a cut that leads out of it cannot be
 * undone by any further cut. So the work that brings a start for good ahead is that up to the last
 * operation whose cut still leads back into the component of its state.
 */
#include <stdlib.h>

#include "scenarios/engine/closure_internal.h"
#include "scenarios/engine/components.h"

static uint32_t run_of(const struct closure *c, uint32_t op)
{
    uint32_t low = 0, high = (uint32_t)c->runs.count;
    while (high - low > 1) { /* the last run that begins at or before op */
        uint32_t mid = low + (high - low) / 2;
        if (run_at(c, mid)->first_op <= op)
            low = mid;
        else
            high = mid;
    }
    return low;
}

struct graph {
    const struct closure *c;
    uint32_t *next; /* per operation: closure_next_op */
    uint32_t states;
    struct components components;
};

uint32_t closure_next_op(const struct closure *c, uint32_t op)
{
    uint32_t run = run_of(c, op);
    return op + 1 < ops_end(c, run) ? op + 1 : run_at(c, run)->next_op;
}

/* The first operation of a start; NONE when it needs none. */
static uint32_t first_op(const struct closure *c, uint32_t run)
{
    const struct run *r = run_at(c, run);
    return r->first_op < ops_end(c, run) ? r->first_op : r->next_op;
}

/* The i-th neighbour of a vertex; NONE behind the last. A state's are its runs. */
static uint32_t neighbour(const void *graph, uint32_t v, uint32_t i, bool *more)
{
    const struct graph *g = graph;
    const struct closure *c = g->c;
    *more = true;
    if (v < g->states) {
        uint32_t run = node_at(c, v)->first_run;
        if (run == NONE || run + i >= c->runs.count || run_at(c, run + i)->state != v) {
            *more = false;
            return NONE;
        }
        uint32_t op = first_op(c, run + i);
        return op == NONE ? NONE : g->states + op;
    }
    uint32_t op = v - g->states, from = edges_from(c, op), n = op_at(c, op)->edges_end - from;
    if (i < n)
        return ((const uint32_t *)c->edges.items)[from + i];
    *more = i == n;
    return i == n && g->next[op] != NONE ? g->states + g->next[op] : NONE;
}

/* Operations of a start up to the last one whose cut leads back, and their time. */
static void work_of(const struct graph *g, uint32_t run, struct closure_result *out)
{
    const struct closure *c = g->c;
    const uint32_t *component = g->components.of;
    uint32_t home = component[run_at(c, run)->state], ops = 0;
    int64_t us = 0;
    for (uint32_t op = first_op(c, run); op != NONE && component[g->states + op] == home;
         op = g->next[op]) {
        bool back = false;
        ops++;
        us += op_at(c, op)->chip_us;
        for (uint32_t e = edges_from(c, op); e < op_at(c, op)->edges_end && !back; e++)
            back = component[((const uint32_t *)c->edges.items)[e]] == home;
        if (back && ops > out->work_ops)
            out->work_ops = ops;
        if (back && us * 1000 > out->work_ns)
            out->work_ns = us * 1000;
    }
}

int closure_measure(const struct closure *c, struct closure_result *out)
{
    struct graph g = {.c = c, .states = (uint32_t)c->nodes.count};
    out->work_ops = out->work_boots = 0;
    out->work_ns = 0;
    g.next = calloc(c->ops.count + 1, sizeof *g.next);
    if (g.next == NULL)
        return ERR_NOMEM;
    for (uint32_t run = 0; run < c->runs.count; run++)
        for (uint32_t op = run_at(c, run)->first_op; op < ops_end(c, run); op++)
            g.next[op] = op + 1 < ops_end(c, run) ? op + 1 : run_at(c, run)->next_op;
    int rc = components_find(&g.components, &g, neighbour, NULL, g.states + (uint32_t)c->ops.count,
                             g.states);
    for (uint32_t run = 0; rc == 0 && run < c->runs.count; run++)
        work_of(&g, run, out);
    out->work_boots = g.components.longest;
    components_free(&g.components);
    free(g.next);
    return rc;
}
