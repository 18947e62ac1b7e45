/*
 * Flash states by the hundred thousand: every distinct content is kept once and has a number, so
 * two states are equal exactly when their numbers are.
 *
 * A pool gives equal records equal numbers. It finds a record by a hash and then compares the
 * bytes, so no collision can pass for equality. A flash state is a tree of such records: pages
 * (cells, and weak cells as a page of their own), granule marks, erase units of page numbers,
 * groups of unit numbers, and the state, a list of group numbers. A state that differs from another
 * in one page therefore costs a few hundred bytes, whatever the size of the chip.
 */
#ifndef OTABENCH_ENGINE_CLOSURE_STATES_H
#define OTABENCH_ENGINE_CLOSURE_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_NONE UINT32_MAX

struct pool {
    size_t record_bytes; /* multiple of 4 */
    uint32_t count, max;
    uint8_t **chunks;
    uint32_t chunk_count, chunk_cap;
    uint64_t *slots; /* upper half: of the hash; lower half: number + 1 */
    uint32_t slot_count;
};

/* max: most records; more are refused. 0 or ERR_NOMEM. */
int pool_init(struct pool *p, size_t record_bytes, uint32_t max);
void pool_free(struct pool *p);
/* The record's number, from 0 in order of arrival; POOL_NONE when the pool is full or memory is
 * out. fresh may be null. */
uint32_t pool_put(struct pool *p, const void *record, bool *fresh);
/* The number of a record that is there; POOL_NONE otherwise. */
uint32_t pool_find(const struct pool *p, const void *record);
/* Stays where it is as long as the pool lives. */
const void *pool_at(const struct pool *p, uint32_t number);
size_t pool_memory(const struct pool *p); /* bytes */

/* A chip cut to pages. */
struct states_shape {
    uint32_t units, erase_bytes, page_bytes;
    uint32_t mark_bytes; /* of a unit, both kinds; 0: none */
};

#define STATES_GROUP 16 /* units */

struct states {
    struct states_shape shape;
    uint32_t unit_pages;
    uint32_t group_count;
    uint32_t clean_page; /* no bit set: number of the weak cells of firm pages */
    uint32_t erased_page;
    struct pool pages, marks, units, groups, states;
};

/* An erase unit as a record: unit_pages numbers of cells, as many of weak cells, the number of its
 * marks, and 1 if any cell is weak. */
static inline uint32_t states_unit_words(const struct states *s)
{
    return 2 * s->unit_pages + 2;
}

/* A state that is being changed: unit[i] is the number of unit i, group likewise. */
struct states_tree {
    uint32_t *unit, *group;
};

/* max_states bounds the states; what they are made of is bounded by it too. */
int states_init(struct states *s, const struct states_shape *shape, uint32_t max_states);
void states_free(struct states *s);
size_t states_memory(const struct states *s);

int states_tree_init(const struct states *s, struct states_tree *t); /* 0 or ERR_NOMEM */
void states_tree_free(struct states_tree *t);

/* The unit record behind a number. */
const uint32_t *states_unit(const struct states *s, uint32_t number);
/* Whether any cell of that unit is weak. */
bool states_unit_is_weak(const struct states *s, uint32_t number);
/* words: a unit record whose last word need not be set. POOL_NONE when full. */
uint32_t states_put_unit(struct states *s, uint32_t *words);
/* Puts a unit into the tree; false when full. */
bool states_set(struct states *s, struct states_tree *t, uint32_t unit, uint32_t number);
/* The tree's number among the states; POOL_NONE when full. */
uint32_t states_put(struct states *s, const struct states_tree *t, bool *fresh);
/* Makes the tree that state. */
void states_get(const struct states *s, uint32_t state, struct states_tree *t);
/* The first unit from *unit on in which those groups hold another record than the tree, and which;
 * false: none. */
bool states_next_other(const struct states *s, const struct states_tree *t, const uint32_t *groups,
                       uint32_t *unit, uint32_t *number);

#endif
