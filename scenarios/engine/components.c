#include "scenarios/engine/components.h"

#include <stdlib.h>

#include "common/err.h"

struct frame {
    uint32_t vertex, edge;
};

struct search {
    const void *graph;
    components_neighbour *neighbour;
    bool (*counts)(const void *graph, uint32_t root);
    uint32_t roots;
    uint32_t *index, *low; /* order of discovery from 1; 0: not seen yet */
    uint32_t *of;          /* 0: not complete yet */
    uint32_t *stack, stack_len;
    uint32_t *level; /* per component: such with roots from there on, itself included */
    struct frame *frames;
    uint32_t found, depth, components;
};

static void open_vertex(struct search *s, uint32_t v)
{
    s->index[v] = s->low[v] = ++s->found;
    s->stack[s->stack_len++] = v;
    s->frames[s->depth++] = (struct frame){.vertex = v};
}

/* A component is complete: all it leads to have their level already. */
static void complete(struct search *s, uint32_t first)
{
    uint32_t number = ++s->components, from = s->stack_len, level = 0;
    bool holds_root = false;
    do
        s->of[s->stack[--from]] = number;
    while (s->stack[from] != first);
    for (uint32_t i = from; i < s->stack_len; i++) {
        uint32_t v = s->stack[i];
        bool more = true;
        holds_root = holds_root || (v < s->roots && (s->counts == NULL || s->counts(s->graph, v)));
        for (uint32_t e = 0; more; e++) {
            uint32_t to = s->neighbour(s->graph, v, e, &more);
            if (to != COMPONENTS_NONE && s->of[to] != number && s->level[s->of[to]] > level)
                level = s->level[s->of[to]];
        }
    }
    s->level[number] = level + holds_root;
    s->stack_len = from;
}

static void search_from(struct search *s, uint32_t root)
{
    open_vertex(s, root);
    while (s->depth > 0) {
        struct frame *f = &s->frames[s->depth - 1];
        bool more;
        uint32_t v = f->vertex, to = s->neighbour(s->graph, v, f->edge, &more);
        if (to != COMPONENTS_NONE && s->index[to] == 0) {
            open_vertex(s, to); /* comes back to the same edge */
            continue;
        }
        if (to != COMPONENTS_NONE && s->of[to] == 0 && s->low[to] < s->low[v])
            s->low[v] = s->low[to];
        f->edge++;
        if (more)
            continue;
        if (s->low[v] == s->index[v])
            complete(s, v);
        s->depth--;
    }
}

static int search_init(struct search *s, uint32_t vertices)
{
    size_t n = (size_t)vertices + 1;
    s->index = calloc(n, sizeof *s->index);
    s->low = calloc(n, sizeof *s->low);
    s->of = calloc(n, sizeof *s->of);
    s->stack = calloc(n, sizeof *s->stack);
    s->level = calloc(n, sizeof *s->level);
    s->frames = calloc(n, sizeof *s->frames);
    return s->index == NULL || s->low == NULL || s->of == NULL || s->stack == NULL ||
                   s->level == NULL || s->frames == NULL
               ? ERR_NOMEM
               : 0;
}

int components_find(struct components *c, const void *graph, components_neighbour *neighbour,
                    bool (*counts)(const void *graph, uint32_t root), uint32_t vertices,
                    uint32_t roots)
{
    struct search s = {.graph = graph, .neighbour = neighbour, .counts = counts, .roots = roots};
    int rc = search_init(&s, vertices);
    *c = (struct components){0};
    for (uint32_t v = 0; rc == 0 && v < roots; v++)
        if (s.index[v] == 0)
            search_from(&s, v);
    for (uint32_t i = 1; rc == 0 && i <= s.components; i++)
        if (s.level[i] > c->longest)
            c->longest = s.level[i];
    c->count = s.components;
    if (rc == 0)
        c->of = s.of;
    else
        free(s.of);
    free(s.index);
    free(s.low);
    free(s.stack);
    free(s.level);
    free(s.frames);
    return rc;
}

void components_free(struct components *c)
{
    free(c->of);
    *c = (struct components){0};
}
