/*
 * What the finished graph says about progress. Its vertices are the states and, in between, the
 * steps of all runs: a step leads to the next one and, by a cut, to the states it may leave. States
 * that can reach each other form a component; a cut that leads out of it cannot be undone by any
 * further cut. So the work that brings a power-on for good ahead is that up to the last step whose
 * cut still leads back into the component of its state, through resets as well.
 */
#include <stdlib.h>

#include "scenarios/engine/whole_internal.h"

struct graph {
    const struct whole *w;
    uint32_t *next;        /* per step: the vertex that follows without a cut; NONE */
    uint32_t *index, *low; /* order of discovery from 1; 0: not seen yet */
    uint32_t *component;   /* from 1, in reverse topological order; 0: not closed yet */
    uint32_t *stack, stack_len;
    uint32_t *level; /* per component: such with states from there on, itself included */
    struct frame {
        uint32_t vertex, edge;
    } * frames;
    uint32_t nodes, vertices, found, components;
};

/* Where a run goes behind its step i, or begins with i = 0; NONE: it ends idle. */
static uint32_t vertex_of(const struct graph *g, const struct whole_run *r, uint32_t i)
{
    const struct whole_run *source = whole_run_at(g->w, r->source);
    if (i < r->n_steps)
        return g->nodes + r->first_step + i;
    if (r->joined && i < source->n_steps)
        return g->nodes + source->first_step + i;
    return r->next_node;
}

/* The i-th neighbour of a vertex; more = false behind the last. NONE is none. */
static uint32_t neighbour(const struct graph *g, uint32_t v, uint32_t i, bool *more)
{
    const struct whole *w = g->w;
    *more = true;
    if (v < g->nodes) {
        uint32_t run = whole_node_at(w, v)->first_run;
        for (uint32_t k = i / 2; k > 0 && run != NONE; k--)
            run = whole_run_at(w, run)->sibling;
        *more = run != NONE || (i == 0 && whole_node_at(w, v)->stricter != NONE);
        if (run == NONE)
            return i == 0 ? whole_node_at(w, v)->stricter : NONE;
        const struct whole_run *r = whole_run_at(w, run);
        /* A joined run may end in a reset of its own. */
        return i % 2 == 0 ? vertex_of(g, r, 0) : r->joined ? r->next_node : NONE;
    }
    uint32_t step = v - g->nodes, from = whole_edges_from(w, step);
    if (i < whole_edges_end(w, step) - from)
        return whole_edge_at(w, from + i);
    *more = i == whole_edges_end(w, step) - from;
    return *more ? g->next[step] : NONE;
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
        holds_state = holds_state || v < g->nodes;
        for (uint32_t e = 0; more; e++) {
            uint32_t to = neighbour(g, v, e, &more);
            if (to != NONE && g->component[to] != number && g->level[g->component[to]] > level)
                level = g->level[g->component[to]];
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
        uint32_t v = f->vertex, to = neighbour(g, v, f->edge++, &more);
        if (to != NONE && g->index[to] == 0) {
            open_vertex(g, to, &depth);
            continue;
        }
        if (to != NONE && g->component[to] == 0 && g->index[to] < g->low[v])
            g->low[v] = g->index[to];
        if (more)
            continue;
        if (g->low[v] == g->index[v])
            close_component(g, v);
        depth--;
        if (depth > 0 && g->low[v] < g->low[g->frames[depth - 1].vertex])
            g->low[g->frames[depth - 1].vertex] = g->low[v];
    }
}

/* Work of a run and what follows by resets, up to the last cut that leads back. Idling is no work:
 * power stays, and nothing more will be done. */
static void work_of(const struct graph *g, uint32_t run, struct whole_result *out)
{
    const struct whole *w = g->w;
    uint32_t home = g->component[whole_run_at(w, run)->node];
    uint64_t ops = 0;
    int64_t ns = 0;
    for (uint32_t boots = 0; run != NONE && boots < 1000; boots++) {
        const struct whole_run *r = whole_run_at(w, run), *s = whole_run_at(w, r->source);
        const struct whole_event *e = NULL;
        if (g->component[r->node] != home)
            return;
        for (uint32_t i = 0; i < s->n_events; i++) {
            uint32_t v = vertex_of(g, r, i);
            e = whole_event_at(w, s->first_event + i);
            if (v == NONE || v < g->nodes || g->component[v] != home)
                return;
            bool back = false;
            for (uint32_t k = whole_edges_from(w, v - g->nodes);
                 k < whole_edges_end(w, v - g->nodes) && !back; k++)
                back = g->component[whole_edge_at(w, k)] == home;
            if (back && e->kind != WHOLE_IDLE && ops + e->ops > out->work_ops)
                out->work_ops = (uint32_t)(ops + e->ops);
            if (back && e->kind != WHOLE_IDLE && ns + e->ns > out->work_ns)
                out->work_ns = ns + e->ns;
        }
        ops += e == NULL ? 0 : e->ops;
        ns += e == NULL ? 0 : e->ns;
        run = r->next_node == NONE ? NONE : whole_node_at(w, r->next_node)->first_run;
    }
}

static int graph_init(struct graph *g, const struct whole *w)
{
    *g = (struct graph){.w = w, .nodes = (uint32_t)w->nodes.count};
    g->vertices = g->nodes + (uint32_t)w->steps.count;
    size_t n = (size_t)g->vertices + 1;
    g->next = calloc(w->steps.count + 1, sizeof *g->next);
    g->index = calloc(n, sizeof *g->index);
    g->low = calloc(n, sizeof *g->low);
    g->component = calloc(n, sizeof *g->component);
    g->stack = calloc(n, sizeof *g->stack);
    g->level = calloc(n, sizeof *g->level);
    g->frames = calloc(n, sizeof *g->frames);
    if (g->next == NULL || g->index == NULL || g->low == NULL || g->component == NULL ||
        g->stack == NULL || g->level == NULL || g->frames == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < w->runs.count; i++)
        for (uint32_t k = 0; k < whole_run_at(w, i)->n_steps; k++)
            g->next[whole_run_at(w, i)->first_step + k] = vertex_of(g, whole_run_at(w, i), k + 1);
    return 0;
}

int whole_measure(struct whole *w, struct whole_result *out)
{
    struct graph g;
    int rc = graph_init(&g, w);
    out->work_ops = out->work_boots = 0;
    out->work_ns = 0;
    for (uint32_t v = 0; rc == 0 && v < g.nodes; v++)
        if (g.index[v] == 0)
            components_from(&g, v);
    for (uint32_t run = 0; rc == 0 && run < w->runs.count; run++)
        work_of(&g, run, out);
    for (uint32_t i = 1; rc == 0 && i <= g.components; i++)
        if (g.level[i] > out->work_boots)
            out->work_boots = g.level[i];
    uint32_t *arrays[] = {g.next, g.index, g.low, g.component, g.stack, g.level};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        free(arrays[i]);
    free(g.frames);
    return rc;
}
