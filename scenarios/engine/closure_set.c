#include "scenarios/engine/closure_set.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "flash_emu/tear.h"

#define PAIRS_MAX (1u << 30)

int sets_init(struct sets *s, const struct states *states)
{
    *s = (struct sets){.states = states, .info_cap = 256};
    s->info = calloc(s->info_cap, sizeof *s->info);
    s->room = malloc(SET_MAX * sizeof *s->room);
    int rc = pool_init(&s->elements, sizeof(struct element), PAIRS_MAX);
    if (rc == 0)
        rc = pool_init(&s->pairs, 2 * sizeof(uint32_t), PAIRS_MAX);
    return s->info == NULL || s->room == NULL ? ERR_NOMEM : rc;
}

void sets_free(struct sets *s)
{
    pool_free(&s->elements);
    pool_free(&s->pairs);
    free(s->info);
    free(s->room);
    *s = (struct sets){0};
}

size_t sets_memory(const struct sets *s)
{
    return pool_memory(&s->elements) + pool_memory(&s->pairs) + s->info_cap * sizeof *s->info +
           SET_MAX * sizeof *s->room;
}

void sets_clear(struct sets *s)
{
    s->room_used = 0;
}

bool sets_add_element(struct sets *s, uint32_t element)
{
    if (s->room_used == SET_MAX || element == POOL_NONE)
        return false;
    s->room[s->room_used++] = element;
    return true;
}

bool sets_add(struct sets *s, uint32_t content, uint32_t reading)
{
    const struct element e = {.content = content, .reading = reading};
    return sets_add_element(s, pool_put(&s->elements, &e, NULL));
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t put_pair(struct sets *s, uint32_t element, uint32_t rest)
{
    const uint32_t pair[2] = {element, rest};
    bool fresh;
    uint32_t set = pool_put(&s->pairs, pair, &fresh);
    if (!fresh || set == POOL_NONE)
        return set;
    if (set >= s->info_cap) {
        uint32_t cap = s->info_cap * 2;
        struct set_info *info = realloc(s->info, cap * sizeof *info);
        if (info == NULL)
            return SET_NONE;
        s->info = info;
        s->info_cap = cap;
    }
    s->info[set] = (struct set_info){
        .count = 1 + sets_count(s, rest),
        .on = SET_NONE,
        .off = SET_NONE,
        .weak = states_unit_is_weak(s->states, sets_element(s, element)->content) ||
                (rest != SET_NONE && s->info[rest].weak)};
    return set;
}

uint32_t sets_put(struct sets *s)
{
    uint32_t set = SET_NONE, n = s->room_used;
    if (n > 1)
        qsort(s->room, n, sizeof *s->room, ascending);
    while (n-- > 0) {
        if (n > 0 && s->room[n] == s->room[n - 1])
            continue;
        set = put_pair(s, s->room[n], set);
        if (set == SET_NONE)
            break;
    }
    return set;
}

uint32_t sets_one(struct sets *s, uint32_t content, uint32_t reading)
{
    sets_clear(s);
    return sets_add(s, content, reading) ? sets_put(s) : SET_NONE;
}

bool sets_has(const struct sets *s, uint32_t set, uint32_t element)
{
    while (set != SET_NONE && sets_element_at(s, set) < element)
        set = sets_rest(s, set);
    return set != SET_NONE && sets_element_at(s, set) == element;
}

uint32_t sets_union(struct sets *s, uint32_t a, uint32_t b)
{
    bool fits = true;
    sets_clear(s);
    for (; a != SET_NONE && fits; a = sets_rest(s, a))
        fits = sets_add_element(s, sets_element_at(s, a));
    for (; b != SET_NONE && fits; b = sets_rest(s, b))
        fits = sets_add_element(s, sets_element_at(s, b));
    return fits ? sets_put(s) : SET_NONE;
}

uint32_t sets_on(struct sets *s, uint32_t set)
{
    bool fits = true;
    if (!s->info[set].weak)
        return set;
    if (s->info[set].on != SET_NONE)
        return s->info[set].on;
    sets_clear(s);
    for (uint32_t at = set; at != SET_NONE && fits; at = sets_rest(s, at)) {
        struct element e = *sets_first(s, at);
        if (!states_unit_is_weak(s->states, e.content))
            fits = sets_add(s, e.content, 0);
        else
            fits = sets_add(s, e.content, 1 + READING_ALL_0) &&
                   sets_add(s, e.content, 1 + READING_ALL_1) &&
                   sets_add(s, e.content, 1 + READING_MIXED);
    }
    uint32_t on = fits ? sets_put(s) : SET_NONE;
    s->info[set].on = on;
    return on;
}

uint32_t sets_off(struct sets *s, uint32_t set)
{
    bool fits = true;
    if (!s->info[set].weak)
        return set;
    if (s->info[set].off != SET_NONE)
        return s->info[set].off;
    sets_clear(s);
    for (uint32_t at = set; at != SET_NONE && fits; at = sets_rest(s, at))
        fits = sets_add(s, sets_first(s, at)->content, 0);
    uint32_t off = fits ? sets_put(s) : SET_NONE;
    s->info[set].off = off;
    return off;
}
