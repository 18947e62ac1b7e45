/* What the nodes stand for, content by content, so that searches of different kind can be compared.
 */
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "scenarios/engine/whole_internal.h"

#define CHOICES_MAX (1u << 16) /* of one node */

struct telling {
    const struct whole *w;
    whole_content *each;
    void *ctx;
    struct states_tree tree;
    uint8_t (*units)[SHA256_BYTES]; /* per content of a unit: its digest */
};

static int digest_units(struct telling *t)
{
    const struct states *s = &t->w->flash->states;
    t->units = calloc((size_t)s->units.count + 1, sizeof *t->units);
    if (t->units == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < s->units.count; i++) {
        const uint32_t *words = states_unit(s, i);
        struct digest d;
        if (digest_begin(&d, DIGEST_SHA256) != 0)
            return ERR_NOMEM;
        for (uint32_t k = 0; k < 2 * s->unit_pages; k++)
            digest_update(&d, pool_at(&s->pages, words[k]), s->shape.page_bytes);
        if (s->shape.mark_bytes > 0)
            digest_update(&d, pool_at(&s->marks, words[2 * s->unit_pages]), s->shape.mark_bytes);
        digest_end(&d, t->units[i]);
    }
    return 0;
}

/* The choice of that number, 1; 0: there are fewer, or an error. */
static int tell_choice(struct telling *t, const struct whole_node *n, uint32_t choice)
{
    const struct whole *w = t->w;
    const struct sets *sets = &w->flash->sets;
    uint8_t sha256[SHA256_BYTES];
    struct digest d;
    if (digest_begin(&d, DIGEST_SHA256) != 0)
        return ERR_NOMEM;
    for (uint32_t u = 0; u < w->flash->states.shape.units; u++) {
        uint32_t set = t->tree.unit[u], count = sets_count(sets, set);
        for (uint32_t skip = choice % count; skip > 0; skip--)
            set = sets_rest(sets, set);
        choice /= count;
        const struct element *e = sets_first(sets, set);
        digest_update(&d, t->units[e->content], SHA256_BYTES);
        digest_update(&d, &e->reading, sizeof e->reading);
    }
    digest_update(&d, pool_at(&w->clouds, n->key.cloud), CLOUD_MEMORY_MAX);
    digest_update(&d, pool_at(&w->judges, n->key.judge), sizeof(struct judge_memory));
    digest_update(&d, &n->key.reset, sizeof n->key.reset);
    digest_end(&d, sha256);
    if (choice == 0)
        t->each(t->ctx, sha256, n->depth);
    return choice == 0;
}

int whole_contents(const struct whole *w, whole_content *each, void *ctx)
{
    struct telling t = {.w = w, .each = each, .ctx = ctx};
    int rc = states_tree_init(&w->flash->states, &t.tree);
    if (rc == 0)
        rc = digest_units(&t);
    for (uint32_t i = 0; rc == 0 && i < w->nodes.count; i++) {
        const struct whole_node *n = whole_node_at(w, i);
        uint32_t choice = 0;
        if (whole_is_moment(n))
            continue; /* no power-on */
        states_get(&w->flash->states, n->key.flash, &t.tree);
        while (choice < CHOICES_MAX && (rc = tell_choice(&t, n, choice)) > 0)
            choice++;
        if (choice == CHOICES_MAX)
            rc = ERR_LIMIT;
    }
    states_tree_free(&t.tree);
    free(t.units);
    return rc;
}
