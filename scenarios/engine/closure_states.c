#include "scenarios/engine/closure_states.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/err.h"

/* ---- pool ---- */

#define CHUNK_BYTES  (1u << 18)
#define FIRST_SLOTS  1024u
#define CHUNKS_MAX   (1u << 16)
#define FIRST_CHUNKS 16u
#define HUGE_BYTES   ((size_t)2 << 20)
#define MIX_A        UINT64_C(0x9e3779b97f4a7c15)
#define MIX_B        UINT64_C(0xd6e8feb86659fd93)
#define LANES        8
#define LONG_BYTES   256 /* records from which on they pay */

static uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a ^ b) * MIX_A;
    return (a ^ a >> 32) * MIX_B;
}

/* Lanes, so that the multiplications overlap. Only speed depends on it. */
static uint64_t hash_of(const uint8_t *p, size_t len_bytes)
{
    uint64_t a = len_bytes, b = MIX_B, w[LANES], lanes[LANES] = {MIX_A, MIX_B, ~MIX_A, ~MIX_B};
    if (len_bytes >= LONG_BYTES) {
        for (; len_bytes >= sizeof w; len_bytes -= sizeof w, p += sizeof w) {
            memcpy(w, p, sizeof w);
            for (int i = 0; i < LANES; i++) {
                lanes[i] = (lanes[i] ^ w[i]) * MIX_A;
                lanes[i] ^= lanes[i] >> 29;
            }
        }
        for (int i = 0; i < LANES; i += 2) {
            a = mix(a, lanes[i]);
            b = mix(b, lanes[i + 1]);
        }
    }
    for (; len_bytes >= 16; len_bytes -= 16, p += 16) {
        memcpy(w, p, 16);
        a = mix(a, w[0]);
        b = mix(b, w[1]);
    }
    w[0] = w[1] = 0;
    memcpy(w, p, len_bytes);
    a = mix(a, w[0]);
    b = mix(b, w[1]);
    a = mix(a, b);
    return a ^ a >> 29;
}

static uint32_t per_chunk(const struct pool *p)
{
    return p->record_bytes < CHUNK_BYTES ? (uint32_t)(CHUNK_BYTES / p->record_bytes) : 1;
}

int pool_init(struct pool *p, size_t record_bytes, uint32_t max)
{
    *p = (struct pool){.record_bytes = record_bytes, .max = max < POOL_NONE ? max : POOL_NONE - 1};
    p->slot_count = FIRST_SLOTS;
    p->slots = calloc(p->slot_count, sizeof *p->slots);
    p->chunk_cap = FIRST_CHUNKS;
    p->chunks = calloc(p->chunk_cap, sizeof *p->chunks);
    return p->slots == NULL || p->chunks == NULL ? ERR_NOMEM : 0;
}

void pool_free(struct pool *p)
{
    for (uint32_t i = 0; p->chunks != NULL && i < p->chunk_count; i++)
        free(p->chunks[i]);
    free(p->chunks);
    free(p->slots);
    *p = (struct pool){0};
}

const void *pool_at(const struct pool *p, uint32_t number)
{
    uint32_t n = per_chunk(p);
    return p->chunks[number / n] + (size_t)(number % n) * p->record_bytes;
}

size_t pool_memory(const struct pool *p)
{
    return (size_t)p->chunk_count * per_chunk(p) * p->record_bytes +
           (size_t)p->slot_count * sizeof *p->slots + p->chunk_cap * sizeof *p->chunks;
}

/* Zeroed. Tables are read all over the place: in large pages their translations stay at hand. */
static uint64_t *slots_new(uint32_t count)
{
    size_t bytes = count * sizeof(uint64_t);
    if (bytes < HUGE_BYTES / 2)
        return calloc(count, sizeof(uint64_t));
    bytes = (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
    uint64_t *slots = aligned_alloc(HUGE_BYTES, bytes);
    if (slots == NULL)
        return NULL;
    (void)madvise(slots, bytes, MADV_HUGEPAGE);
    memset(slots, 0, bytes);
    return slots;
}

/* Slots are found again from the hash's upper half alone, so growing reads no record. */
static bool grow(struct pool *p)
{
    uint32_t bigger = p->slot_count * 2;
    uint64_t *slots = bigger == 0 ? NULL : slots_new(bigger);
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < p->slot_count; i++) {
        if (p->slots[i] == 0)
            continue;
        uint32_t at = (uint32_t)(p->slots[i] >> 32) & (bigger - 1);
        while (slots[at] != 0)
            at = (at + 1) & (bigger - 1);
        slots[at] = p->slots[i];
    }
    free(p->slots);
    p->slots = slots;
    p->slot_count = bigger;
    return true;
}

static bool store(struct pool *p, const void *record)
{
    uint32_t n = per_chunk(p);
    uint32_t chunk = p->count / n;
    if (p->count == p->max || chunk == CHUNKS_MAX)
        return false;
    if (chunk == p->chunk_cap) {
        uint8_t **chunks = realloc(p->chunks, 2 * p->chunk_cap * sizeof *chunks);
        if (chunks == NULL)
            return false;
        p->chunks = chunks;
        p->chunk_cap *= 2;
    }
    if (chunk == p->chunk_count) {
        p->chunks[chunk] = malloc((size_t)n * p->record_bytes);
        if (p->chunks[chunk] == NULL)
            return false;
        p->chunk_count++;
    }
    memcpy(p->chunks[chunk] + (size_t)(p->count % n) * p->record_bytes, record, p->record_bytes);
    p->count++;
    return true;
}

/* The slot of the record, or the free one where it belongs. */
static uint32_t slot_of(const struct pool *p, const void *record, uint32_t tag)
{
    uint32_t at = tag & (p->slot_count - 1);
    for (; p->slots[at] != 0; at = (at + 1) & (p->slot_count - 1))
        if (p->slots[at] >> 32 == tag &&
            memcmp(pool_at(p, (uint32_t)p->slots[at] - 1), record, p->record_bytes) == 0)
            break;
    return at;
}

static uint32_t tag_of(const struct pool *p, const void *record)
{
    return (uint32_t)(hash_of(record, p->record_bytes) >> 32);
}

uint32_t pool_find(const struct pool *p, const void *record)
{
    return (uint32_t)p->slots[slot_of(p, record, tag_of(p, record))] - 1;
}

uint32_t pool_put(struct pool *p, const void *record, bool *fresh)
{
    uint32_t tag = tag_of(p, record);
    if (fresh != NULL)
        *fresh = false;
    if (p->count >= p->slot_count / 4 * 3 && !grow(p))
        return POOL_NONE;
    uint32_t at = slot_of(p, record, tag);
    if (p->slots[at] != 0)
        return (uint32_t)p->slots[at] - 1;
    if (!store(p, record))
        return POOL_NONE;
    p->slots[at] = (uint64_t)tag << 32 | p->count;
    if (fresh != NULL)
        *fresh = true;
    return p->count - 1;
}

/* ---- states ---- */

int states_init(struct states *s, const struct states_shape *shape, uint32_t max_states)
{
    *s = (struct states){.shape = *shape,
                         .unit_pages = shape->erase_bytes / shape->page_bytes,
                         .group_count = (shape->units + STATES_GROUP - 1) / STATES_GROUP};
    uint32_t parts = POOL_NONE - 1;
    int rc = pool_init(&s->pages, shape->page_bytes, parts);
    if (rc == 0)
        rc = pool_init(&s->marks, shape->mark_bytes == 0 ? 4 : (shape->mark_bytes + 3) / 4 * 4,
                       parts);
    if (rc == 0)
        rc = pool_init(&s->units, states_unit_words(s) * sizeof(uint32_t), parts);
    if (rc == 0)
        rc = pool_init(&s->groups, STATES_GROUP * sizeof(uint32_t), parts);
    if (rc == 0)
        rc = pool_init(&s->states, s->group_count * sizeof(uint32_t), max_states);
    uint8_t *page = rc == 0 ? calloc(1, shape->page_bytes) : NULL;
    if (page == NULL)
        return ERR_NOMEM;
    s->clean_page = pool_put(&s->pages, page, NULL);
    memset(page, 0xff, shape->page_bytes);
    s->erased_page = pool_put(&s->pages, page, NULL);
    free(page);
    return s->clean_page == POOL_NONE || s->erased_page == POOL_NONE ? ERR_NOMEM : 0;
}

void states_free(struct states *s)
{
    pool_free(&s->pages);
    pool_free(&s->marks);
    pool_free(&s->units);
    pool_free(&s->groups);
    pool_free(&s->states);
}

size_t states_memory(const struct states *s)
{
    return pool_memory(&s->pages) + pool_memory(&s->marks) + pool_memory(&s->units) +
           pool_memory(&s->groups) + pool_memory(&s->states);
}

int states_tree_init(const struct states *s, struct states_tree *t)
{
    size_t units = (size_t)s->group_count * STATES_GROUP;
    t->unit = malloc(units * sizeof *t->unit);
    t->group = malloc(s->group_count * sizeof *t->group);
    if (t->unit == NULL || t->group == NULL)
        return ERR_NOMEM;
    memset(t->unit, 0xff, units * sizeof *t->unit);
    memset(t->group, 0xff, s->group_count * sizeof *t->group);
    return 0;
}

void states_tree_free(struct states_tree *t)
{
    free(t->unit);
    free(t->group);
    *t = (struct states_tree){0};
}

const uint32_t *states_unit(const struct states *s, uint32_t number)
{
    return pool_at(&s->units, number);
}

bool states_unit_is_weak(const struct states *s, uint32_t number)
{
    return states_unit(s, number)[states_unit_words(s) - 1] != 0;
}

uint32_t states_put_unit(struct states *s, uint32_t *words)
{
    uint32_t weak = 0;
    for (uint32_t i = 0; i < s->unit_pages; i++)
        weak |= words[s->unit_pages + i] != s->clean_page;
    words[states_unit_words(s) - 1] = weak;
    return pool_put(&s->units, words, NULL);
}

bool states_set(struct states *s, struct states_tree *t, uint32_t unit, uint32_t number)
{
    uint32_t group = unit / STATES_GROUP;
    t->unit[unit] = number;
    t->group[group] = pool_put(&s->groups, t->unit + group * STATES_GROUP, NULL);
    return t->group[group] != POOL_NONE;
}

uint32_t states_put(struct states *s, const struct states_tree *t, bool *fresh)
{
    return pool_put(&s->states, t->group, fresh);
}

void states_get(const struct states *s, uint32_t state, struct states_tree *t)
{
    const uint32_t *groups = pool_at(&s->states, state);
    for (uint32_t g = 0; g < s->group_count; g++) {
        if (t->group[g] == groups[g])
            continue;
        t->group[g] = groups[g];
        memcpy(t->unit + g * STATES_GROUP, pool_at(&s->groups, groups[g]),
               STATES_GROUP * sizeof *t->unit);
    }
}

bool states_next_other(const struct states *s, const struct states_tree *t, const uint32_t *groups,
                       uint32_t *unit, uint32_t *number)
{
    for (uint32_t u = *unit; u < s->shape.units; u++) {
        const uint32_t g = u / STATES_GROUP;
        if (groups[g] == t->group[g]) {
            u = (g + 1) * STATES_GROUP - 1; /* all of it is the same */
            continue;
        }
        *number = ((const uint32_t *)pool_at(&s->groups, groups[g]))[u % STATES_GROUP];
        if (*number == t->unit[u])
            continue;
        *unit = u;
        return true;
    }
    return false;
}
