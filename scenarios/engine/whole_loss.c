/*
 * Lost connections. A power-on in which one is lost is a run of its own of the part that it was
 * seen in: the same contents, with the connection lost at a border of a message that passed in the
 * run without.
 */
#include <string.h>

#include "scenarios/engine/explore.h"
#include "scenarios/engine/whole_internal.h"

uint32_t whole_loss_count(const struct whole *w, uint32_t loss)
{
    uint32_t n = 0;
    for (; loss != NONE; loss = whole_loss_at(w, loss)->before)
        n++;
    return n;
}

uint32_t whole_loss_list(const struct whole *w, uint32_t loss,
                         struct whole_loss out[WHOLE_LOSSES_MAX])
{
    const uint32_t n = whole_loss_count(w, loss);
    for (uint32_t at = n; at > 0; at--, loss = whole_loss_at(w, loss)->before)
        if (at <= WHOLE_LOSSES_MAX)
            out[at - 1] = *whole_loss_at(w, loss);
    return n < WHOLE_LOSSES_MAX ? n : WHOLE_LOSSES_MAX;
}

bool whole_put_losses(struct whole *w, uint32_t before, const struct log_border *b,
                      uint32_t *losses)
{
    for (uint32_t way = 0; way < EXPLORE_WAYS; way++) {
        const struct whole_loss l = {.before = before,
                                     .connection = b->connection,
                                     .dir = b->dir,
                                     .action = explore_way(way),
                                     .byte = b->byte};
        const uint32_t pair[2] = {*losses, pool_put(&w->losses, &l, NULL)};
        *losses = pair[1] == POOL_NONE ? POOL_NONE : pool_put(&w->flash->pairs, pair, NULL);
        if (*losses == POOL_NONE)
            return false;
    }
    return true;
}

bool whole_add_losses(struct whole *w, const struct whole_todo *of, const struct whole_known *k)
{
    const uint32_t depth = whole_node_at(w, of->node)->depth;
    bool good = true;
    if (w->options.loss_cuts > 0 && depth >= w->options.loss_cuts)
        return true;
    for (uint32_t at = k->losses; at != NONE && good;) {
        const uint32_t *pair = pool_at(&w->flash->pairs, at);
        const struct whole_todo todo = {
            .node = of->node, .end = NONE, .loss = pair[1], .base = k->base};
        at = pair[0];
        good = whole_add_todo(w, &todo, depth);
    }
    return good;
}
