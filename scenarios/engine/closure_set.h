/*
 * What a unit may hold, as a set: a tear that nobody has looked at yet is one thing, whichever
 * pattern it left.
 *
 * An element is a content (a number of closure_states.h) together with how its weak cells read in
 * this power-on: 0 when it has none or power is off, else 1 + enum tear_reading. Sets are kept once
 * and have a number, so equal sets have equal numbers; they are lists in ascending order of their
 * elements' numbers.
 */
#ifndef OTABENCH_ENGINE_CLOSURE_SET_H
#define OTABENCH_ENGINE_CLOSURE_SET_H

#include "scenarios/engine/closure_states.h"

#define SET_NONE UINT32_MAX /* the empty set; also: no memory, or too many elements */
#define SET_MAX  (1u << 16) /* elements */

struct element {
    uint32_t content, reading;
};

struct set_info {
    uint32_t count;
    uint32_t on, off; /* once asked for */
    bool weak;        /* some element has weak cells */
};

struct sets {
    const struct states *states;
    struct pool elements, pairs; /* a pair: element and the rest of the set */
    struct set_info *info;
    uint32_t info_cap;
    uint32_t *room; /* for sets_put, SET_MAX elements */
    uint32_t room_used;
};

int sets_init(struct sets *s, const struct states *states); /* 0 or ERR_NOMEM */
void sets_free(struct sets *s);
size_t sets_memory(const struct sets *s);

/* One element; content must be a unit's number. */
uint32_t sets_one(struct sets *s, uint32_t content, uint32_t reading);
/* Builds a set: clear, add, put. Elements may come in any order and several times. */
void sets_clear(struct sets *s);
bool sets_add(struct sets *s, uint32_t content, uint32_t reading);
bool sets_add_element(struct sets *s, uint32_t element);
uint32_t sets_put(struct sets *s);

static inline uint32_t sets_element_at(const struct sets *s, uint32_t set)
{
    return ((const uint32_t *)pool_at(&s->pairs, set))[0];
}
static inline uint32_t sets_rest(const struct sets *s, uint32_t set)
{
    return ((const uint32_t *)pool_at(&s->pairs, set))[1];
}
static inline const struct element *sets_element(const struct sets *s, uint32_t element)
{
    return pool_at(&s->elements, element);
}
/* The first element: what stands for the set where one is needed. */
static inline const struct element *sets_first(const struct sets *s, uint32_t set)
{
    return sets_element(s, sets_element_at(s, set));
}
static inline uint32_t sets_count(const struct sets *s, uint32_t set)
{
    return set == SET_NONE ? 0 : s->info[set].count;
}
static inline bool sets_is_weak(const struct sets *s, uint32_t set)
{
    return s->info[set].weak;
}
bool sets_has(const struct sets *s, uint32_t set, uint32_t element);
uint32_t sets_union(struct sets *s, uint32_t a, uint32_t b);
/* As power comes: weak cells may read in any way. As it goes: how they read is forgotten. */
uint32_t sets_on(struct sets *s, uint32_t set);
uint32_t sets_off(struct sets *s, uint32_t set);

#endif
