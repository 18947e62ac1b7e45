#include "scenarios/engine/closure_recall.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define EDGE_WORDS (1 + RECALL_KEY_WORDS)
#define SPOTS_MAX  (1u << 29)

int recall_init(struct recall *r)
{
    *r = (struct recall){.spot_cap = 256};
    r->spots = calloc(r->spot_cap, sizeof *r->spots);
    int rc = pool_init(&r->edges, EDGE_WORDS * sizeof(uint32_t), SPOTS_MAX);
    return r->spots == NULL ? ERR_NOMEM : rc;
}

void recall_free(struct recall *r)
{
    pool_free(&r->edges);
    free(r->spots);
    *r = (struct recall){0};
}

size_t recall_memory(const struct recall *r)
{
    return pool_memory(&r->edges) + r->spot_cap * sizeof *r->spots;
}

static uint32_t edge(struct recall *r, const uint32_t words[EDGE_WORDS], bool make)
{
    bool fresh = false;
    uint32_t spot = make ? pool_put(&r->edges, words, &fresh) : pool_find(&r->edges, words);
    if (!fresh || spot < r->spot_cap)
        return spot;
    uint32_t cap = r->spot_cap * 2;
    struct recall_spot *spots = realloc(r->spots, cap * sizeof *spots);
    if (spots == NULL)
        return RECALL_NONE;
    memset(spots + r->spot_cap, 0, (cap - r->spot_cap) * sizeof *spots);
    r->spots = spots;
    r->spot_cap = cap;
    return spot;
}

uint32_t recall_root(struct recall *r, uint32_t ram)
{
    const uint32_t words[EDGE_WORDS] = {RECALL_NONE, ram};
    return edge(r, words, true);
}

uint32_t recall_next(struct recall *r, uint32_t spot, const uint32_t key[RECALL_KEY_WORDS],
                     bool make)
{
    uint32_t words[EDGE_WORDS];
    words[0] = spot;
    memcpy(words + 1, key, RECALL_KEY_WORDS * sizeof *key);
    return edge(r, words, make);
}
