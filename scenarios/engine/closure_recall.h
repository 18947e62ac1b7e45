/*
 * Recall: what starts looked at, so that what looks at the same contents need not be run again.
 *
 * A boot loader is a function of what it reads. Between two steps its stack is empty, so a start
 * falls into segments, each of which begins with some RAM (at power-on: none), looks at pages, does
 * operations and ends with another RAM. The recall is a forest with a root per RAM: a spot says
 * which flash page, or which bytes of it, are looked at next, and their content leads to the next
 * spot. A whole page is asked for once in a segment, when it is first looked at and was not erased
 * before by the same segment. The last spot says which segment it was: whoever follows the path
 * does the same operations and ends with the same RAM, whatever else is on its flash.
 */
#ifndef OTABENCH_ENGINE_CLOSURE_RECALL_H
#define OTABENCH_ENGINE_CLOSURE_RECALL_H

#include "scenarios/engine/closure_states.h"

#define RECALL_NONE      UINT32_MAX
#define RECALL_KEY_WORDS 4
#define RECALL_POWER_ON  (UINT32_MAX - 1) /* instead of a RAM: nothing is in it yet */

enum recall_kind { RECALL_UNKNOWN, RECALL_PAGE, RECALL_SEGMENT };

struct recall_spot {
    uint16_t kind;
    uint16_t from, to; /* bytes of the page that are looked at; to 0: all there is to know of it,
                          also which cells are weak; from 1: of its whole erase unit */
    uint32_t value;    /* the page; the segment, a number of the owner's */
};

struct recall {
    struct pool edges; /* spot and content; its number is that of the spot it leads to */
    struct recall_spot *spots;
    uint32_t spot_cap;
};

int recall_init(struct recall *r); /* 0 or ERR_NOMEM */
void recall_free(struct recall *r);
size_t recall_memory(const struct recall *r);

/* The spot where paths with that RAM begin; RECALL_NONE without memory. */
uint32_t recall_root(struct recall *r, uint32_t ram);
/* The spot behind this one for that content: RECALL_NONE if nobody came there; with make, it is
 * made, and RECALL_NONE means no memory. */
uint32_t recall_next(struct recall *r, uint32_t spot, const uint32_t key[RECALL_KEY_WORDS],
                     bool make);

#endif
