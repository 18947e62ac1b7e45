/*
 * Resets: how many starts in a row a device needs when power stays, and whether they ever end. A
 * state from which a device comes back to that same state by resets alone is one that it never
 * leaves again, for the world is the same each time: a counter-example that no single start shows.
 */
#include <stdio.h>
#include <stdlib.h>

#include "scenarios/engine/whole_internal.h"

/* Where starts lead without a cut, followed to the bottom first. */
struct search {
    const struct whole *w;
    uint32_t *first;   /* per node: its first run among runs, and behind the last node their end */
    uint32_t *runs;    /* by node, without those in which connections were lost */
    uint32_t *boots;   /* per node: the most starts until it idles */
    uint8_t *is;       /* per node */
    uint32_t *stack;   /* nodes that are under way, and */
    uint32_t *at;      /* for each of them the successor that comes next */
    uint32_t n, loop;  /* loop: the node where the best one was met first; NONE */
    uint32_t loop_len; /* starts of it */
};
enum { UNSEEN, UNDER_WAY, DONE };

/* The i-th successor of a node by a reset; starts: those it takes. NONE: that place is empty; more:
 * there may be others behind it. */
static uint32_t successor(const struct search *s, uint32_t node, uint32_t i, uint32_t *starts,
                          bool *more)
{
    *starts = 0;
    *more = i < s->first[node + 1] - s->first[node];
    if (!*more)
        return i == 0 ? whole_node_at(s->w, node)->stricter : NONE;
    const struct whole_run *r = whole_run_at(s->w, s->runs[s->first[node] + i]);
    *starts = !r->merged && !whole_is_moment(whole_node_at(s->w, node));
    return r->next_node;
}

/* From that node on the stack to the top. */
static void found_loop(struct search *s, uint32_t node)
{
    const struct whole *w = s->w;
    uint32_t from = s->n, first = node, starts = 0, one;
    bool more;
    while (s->stack[--from] != node)
        if (s->stack[from] < first)
            first = s->stack[from];
    for (uint32_t i = from; i < s->n; i++) {
        /* The top one's is past what was asked for last. */
        (void)successor(s, s->stack[i], s->at[i] - (i == s->n - 1), &one, &more);
        starts += one;
    }
    const uint32_t depth = whole_node_at(w, first)->depth;
    if (s->loop != NONE && (whole_node_at(w, s->loop)->depth < depth ||
                            (whole_node_at(w, s->loop)->depth == depth && s->loop < first)))
        return;
    s->loop = first;
    s->loop_len = starts;
}

static void follow(struct search *s, uint32_t root)
{
    s->stack[0] = root;
    s->at[0] = 0;
    s->is[root] = UNDER_WAY;
    s->n = 1;
    while (s->n > 0) {
        uint32_t node = s->stack[s->n - 1], i = s->at[s->n - 1]++, starts;
        bool more;
        uint32_t next = successor(s, node, i, &starts, &more);
        if (next != NONE && s->is[next] == UNSEEN) {
            s->at[s->n - 1]--; /* and again when it is done */
            s->is[next] = UNDER_WAY;
            s->stack[s->n] = next;
            s->at[s->n++] = 0;
            continue;
        }
        if (next != NONE && s->is[next] == UNDER_WAY)
            found_loop(s, next);
        uint32_t boots = starts + (next == NONE ? 0 : s->boots[next]);
        if (boots > s->boots[node])
            s->boots[node] = boots;
        if (more)
            continue;
        s->is[node] = DONE;
        s->n--;
    }
}

/* False: no memory. */
static bool sort_runs(struct search *s)
{
    const struct whole *w = s->w;
    s->first = calloc(w->nodes.count + 2, sizeof *s->first);
    s->runs = calloc(w->runs.count + 1, sizeof *s->runs);
    if (s->first == NULL || s->runs == NULL)
        return false;
    /* One place further than they belong: filling in moves them there. */
    for (uint32_t i = 0; i < w->runs.count; i++)
        if (whole_run_at(w, i)->loss == NONE)
            s->first[whole_run_at(w, i)->node + 2]++;
    for (uint32_t n = 2; n < w->nodes.count + 2; n++)
        s->first[n] += s->first[n - 1];
    for (uint32_t i = 0; i < w->runs.count; i++)
        if (whole_run_at(w, i)->loss == NONE)
            s->runs[s->first[whole_run_at(w, i)->node + 1]++] = i;
    return true;
}

int whole_boots(const struct whole *w, uint32_t *most, struct whole_loop *loop)
{
    size_t n = w->nodes.count + 1;
    struct search s = {.w = w,
                       .boots = calloc(n, sizeof *s.boots),
                       .is = calloc(n, 1),
                       .stack = calloc(n, sizeof *s.stack),
                       .at = calloc(n, sizeof *s.at),
                       .loop = NONE};
    bool good = sort_runs(&s) && s.boots != NULL && s.is != NULL && s.stack != NULL && s.at != NULL;
    *most = 0;
    for (uint32_t i = 0; good && i < w->nodes.count; i++) {
        if (s.is[i] == UNSEEN)
            follow(&s, i);
        *most = s.boots[i] > *most ? s.boots[i] : *most;
    }
    loop->node = s.loop;
    loop->starts = s.loop_len;
    free(s.first);
    free(s.runs);
    free(s.boots);
    free(s.is);
    free(s.stack);
    free(s.at);
    return good ? 0 : ERR_NOMEM;
}
