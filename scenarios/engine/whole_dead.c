/*
 * Contents that are erased before anyone looks. Where a part of a node is known to erase a unit
 * unseen, it need not be followed with all that may lie there: a node that holds a content standing
 * for any takes its place, and all those that differ in nothing else share it. What a torn erase
 * leaves of any content is any content, and a complete one ends it.
 *
 * It is an assumption: a later cut may lead to a power-on that does look. Whoever looks, or
 * programs without an erase, or idles with it, ends the closure, and it is begun again without.
 */
#include <string.h>

#include "flash_emu/nor_raw.h"
#include "scenarios/engine/whole_internal.h"

#define PATTERN_BYTES 16u /* divides every page */

int whole_dead_init(struct whole *w)
{
    struct closure *c = w->flash;
    uint8_t pattern[PATTERN_BYTES];
    w->any = w->blank = NONE;
    if (w->options.keep_dead || w->options.no_recall || w->s->device.agent == AGENT_CMIOT)
        return 0;
    uint32_t blank = closure_take_unit(c, c->scratch, 0);
    /* Nothing of the kind is ever stored; if it were, it would be taken for any, which is safe. */
    for (uint32_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(0xd5 ^ 37 * i);
    for (uint32_t at = 0; at < c->states.shape.erase_bytes; at += sizeof pattern)
        nor_raw_put(c->scratch, at, sizeof pattern, pattern, NULL);
    c->any = closure_take_unit(c, c->scratch, 0);
    if (blank == POOL_NONE || c->any == POOL_NONE)
        return ERR_NOMEM;
    w->blank = sets_one(&c->sets, blank, 0);
    w->any = sets_one(&c->sets, c->any, 0);
    return w->blank == SET_NONE || w->any == SET_NONE ? ERR_NOMEM : 0;
}

bool whole_looked_at_any(struct whole *w)
{
    if (!w->flash->any_shown)
        return false;
    w->again = true;
    whole_stop(w, "something that was taken to be erased unseen was looked at");
    return true;
}

bool whole_again(const struct whole *w)
{
    return w->again && !whole_found_enough(w);
}

bool whole_is_any(const struct whole *w, uint32_t element)
{
    return w->any != NONE && sets_element(&w->flash->sets, element)->content == w->flash->any;
}

bool whole_holds_any(const struct whole *w, const struct states_tree *t)
{
    for (uint32_t u = 0; w->any != NONE && u < w->flash->states.shape.units; u++)
        if (t->unit[u] == w->any)
            return true;
    return false;
}

uint32_t whole_set_after(struct whole *w, uint32_t set, const struct op_key *op, uint32_t torn[2])
{
    if (w->any == NONE || set != w->any)
        return closure_set_after(w->flash, set, op, torn);
    if (op->kind != NOR_OP_ERASE) {
        w->flash->any_shown = true;
        (void)whole_looked_at_any(w);
    }
    if (torn != NULL) {
        const uint32_t told = 1u << TEAR_NOTHING | 1u << TEAR_DONE, weak = 1u << TEAR_WEAK;
        torn[0] = w->options.tears & ~(told | weak) ? w->any : SET_NONE;
        torn[1] = w->options.tears & weak ? w->any : SET_NONE;
    }
    return w->blank;
}

/* ---- nodes ---- */

static bool looks_at(const struct whole *w, const struct whole_behaviour *b, uint32_t unit)
{
    for (uint32_t i = 0; i < b->n_looks; i++)
        if (((const uint32_t *)w->looks.items)[b->first_look + i] == unit)
            return true;
    return false;
}

/* The trees without what the behaviour erases unseen. The number of such units; t->rc. */
static uint32_t forget_dead(struct whole_taking *t, const struct whole_behaviour *b)
{
    struct whole *w = t->w;
    struct closure *c = w->flash;
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->n_events && t->rc == 0; i++) {
        const struct whole_event *e = whole_event_at(w, b->first_event + i);
        uint32_t u = unit_of(c, &e->key);
        if (e->kind != WHOLE_OP || e->key.kind != NOR_OP_ERASE || c->tree.unit[u] == w->any ||
            looks_at(w, b, u))
            continue;
        if (!closure_set_unit(c, u, w->any) || !states_set(&c->states, &w->off, u, w->any))
            whole_full(t);
        n++;
    }
    return n;
}

bool whole_merge(struct whole_taking *t)
{
    struct whole *w = t->w;
    const struct whole_behaviour b = *whole_behaviour_at(w, whole_run_at(w, t->run)->behaviour);
    if (w->any == NONE || forget_dead(t, &b) == 0)
        return false;
    struct whole_node found = *whole_node_at(w, t->node);
    found.asked = false;
    found.key.flash =
        states_put(&w->flash->states, found.key.reset ? &w->flash->tree : &w->off, NULL);
    uint32_t number = found.key.flash == POOL_NONE ? NONE : whole_put_node(w, &found);
    if (number == NONE || t->rc != 0) {
        whole_full(t);
        return true;
    }
    whole_run_at(w, t->run)->next_node = number;
    whole_run_at(w, t->run)->merged = true;
    if (w->first_chain == t->node)
        w->first_chain = number;
    w->result.merged++;
    return true;
}
