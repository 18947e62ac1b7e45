/*
 * Strongly connected components of a graph that is given by its neighbours: vertices that can reach
 * each other are of one component. Tarjan's algorithm, without recursion.
 */
#ifndef OTABENCH_ENGINE_COMPONENTS_H
#define OTABENCH_ENGINE_COMPONENTS_H

#include <stdbool.h>
#include <stdint.h>

#define COMPONENTS_NONE UINT32_MAX

/* The i-th neighbour of a vertex, from 0; COMPONENTS_NONE: that place is empty. more: whether there
 * may be others behind it. The same each time it is asked. */
typedef uint32_t components_neighbour(const void *graph, uint32_t vertex, uint32_t i, bool *more);

struct components {
    uint32_t *of;     /* per vertex: its component, from 1; 0: no root leads there */
    uint32_t count;   /* a component only leads to those of lower numbers, and to itself */
    uint32_t longest; /* the most components with roots in them that a path goes through */
};

/* What can be reached from the vertices 0 to roots - 1 of `vertices`. counts: whether a root does
 * for `longest`; null: each. 0 or ERR_NOMEM. */
int components_find(struct components *c, const void *graph, components_neighbour *neighbour,
                    bool (*counts)(const void *graph, uint32_t root), uint32_t vertices,
                    uint32_t roots);
void components_free(struct components *c);

#endif
