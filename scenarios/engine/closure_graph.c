/*
 * What the finished graph says about progress. Its vertices are the states and, in between, the
 * operations of all runs: an operation leads to the next one and, by a cut, to the states it may
 * leave. States that can reach each other form a component; a cut that leads out of it cannot be
 * undone by any further cut. So the work that brings a start for good ahead is that up to the last
 * operation whose cut still leads back into the component of its state.
 */
#include <stdlib.h>

#include "scenarios/engine/closure_internal.h"

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
    uint32_t *next;  /* per operation: closure_next_op */
    uint32_t *index; /* order of discovery from 1; 0: not seen yet */
    uint32_t *low;
    uint32_t *component; /* from 1, in reverse topological order; 0: not closed yet */
    uint32_t *stack, stack_len;
    uint32_t *level; /* per component: starts from there on */
    struct frame {
        uint32_t vertex, edge;
    } * frames;
    uint32_t states, vertices, found, components;
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
static uint32_t neighbour(const struct graph *g, uint32_t v, uint32_t i, bool *more)
{
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

static void open_vertex(struct graph *g, uint32_t v, uint32_t *depth)
{
    g->index[v] = g->low[v] = ++g->found;
    g->stack[g->stack_len++] = v;
    g->frames[(*depth)++] = (struct frame){.vertex = v};
}

/* A component is complete: all it leads to have their level already. */
static void close_component(struct graph *g, uint32_t root)
{
    uint32_t number = ++g->components, from = g->stack_len, level = 0;
    bool holds_state = false;
    do
        g->component[g->stack[--from]] = number;
    while (g->stack[from] != root);
    for (uint32_t i = from; i < g->stack_len; i++) {
        uint32_t v = g->stack[i];
        bool more = true;
        holds_state = holds_state || v < g->states;
        for (uint32_t e = 0; more; e++) {
            uint32_t w = neighbour(g, v, e, &more);
            if (w != NONE && g->component[w] != number && g->level[g->component[w]] > level)
                level = g->level[g->component[w]];
        }
    }
    g->level[number] = level + holds_state;
    g->stack_len = from;
}

/* Tarjan's algorithm without recursion. */
static void components_from(struct graph *g, uint32_t root)
{
    uint32_t depth = 0;
    open_vertex(g, root, &depth);
    while (depth > 0) {
        struct frame *f = &g->frames[depth - 1];
        bool more;
        uint32_t v = f->vertex, w = neighbour(g, v, f->edge++, &more);
        if (w != NONE && g->index[w] == 0) {
            open_vertex(g, w, &depth);
            continue;
        }
        if (w != NONE && g->component[w] == 0 && g->index[w] < g->low[v])
            g->low[v] = g->index[w];
        if (more)
            continue;
        if (g->low[v] == g->index[v])
            close_component(g, v);
        depth--;
        if (depth > 0 && g->low[v] < g->low[g->frames[depth - 1].vertex])
            g->low[g->frames[depth - 1].vertex] = g->low[v];
    }
}

/* Operations of a start up to the last one whose cut leads back, and their time. */
static void work_of(const struct graph *g, uint32_t run, struct closure_result *out)
{
    const struct closure *c = g->c;
    uint32_t home = g->component[run_at(c, run)->state], ops = 0;
    int64_t us = 0;
    for (uint32_t op = first_op(c, run); op != NONE && g->component[g->states + op] == home;
         op = g->next[op]) {
        bool back = false;
        ops++;
        us += op_at(c, op)->chip_us;
        for (uint32_t e = edges_from(c, op); e < op_at(c, op)->edges_end && !back; e++)
            back = g->component[((const uint32_t *)c->edges.items)[e]] == home;
        if (back && ops > out->work_ops)
            out->work_ops = ops;
        if (back && us * 1000 > out->work_ns)
            out->work_ns = us * 1000;
    }
}

static int graph_init(struct graph *g, const struct closure *c)
{
    *g = (struct graph){.c = c, .states = (uint32_t)c->nodes.count};
    g->vertices = g->states + (uint32_t)c->ops.count;
    size_t n = (size_t)g->vertices + 1;
    g->next = calloc(c->ops.count + 1, sizeof *g->next);
    g->index = calloc(n, sizeof *g->index);
    g->low = calloc(n, sizeof *g->low);
    g->component = calloc(n, sizeof *g->component);
    g->level = calloc(n, sizeof *g->level);
    g->stack = calloc(n, sizeof *g->stack);
    g->frames = calloc(n, sizeof *g->frames);
    if (g->next == NULL || g->index == NULL || g->low == NULL || g->component == NULL ||
        g->level == NULL || g->stack == NULL || g->frames == NULL)
        return ERR_NOMEM;
    for (uint32_t run = 0; run < c->runs.count; run++)
        for (uint32_t op = run_at(c, run)->first_op; op < ops_end(c, run); op++)
            g->next[op] = op + 1 < ops_end(c, run) ? op + 1 : run_at(c, run)->next_op;
    return 0;
}

int closure_measure(const struct closure *c, struct closure_result *out)
{
    struct graph g;
    int rc = graph_init(&g, c);
    out->work_ops = out->work_boots = 0;
    out->work_ns = 0;
    for (uint32_t v = 0; rc == 0 && v < g.states; v++)
        if (g.index[v] == 0)
            components_from(&g, v);
    for (uint32_t run = 0; rc == 0 && run < c->runs.count; run++)
        work_of(&g, run, out);
    for (uint32_t i = 1; rc == 0 && i <= g.components; i++)
        if (g.level[i] > out->work_boots)
            out->work_boots = g.level[i];
    uint32_t *arrays[] = {g.next, g.index, g.low, g.component, g.level, g.stack};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        free(arrays[i]);
    free(g.frames);
    return rc;
}
