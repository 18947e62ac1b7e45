/* Knowing starts again by what they look at: keeps and asks the recall (closure_recall.h). */
#include <string.h>

#include "flash_emu/nor_raw.h"
#include "scenarios/engine/closure_internal.h"

/* ---- contents ---- */

uint32_t closure_reading_of(const struct closure *c, uint32_t unit)
{
    for (uint32_t i = 0; i < c->weak_count; i++)
        if (c->weak_list[i] == unit)
            return 1 + (uint32_t)closure_reading(c->now_reading, i,
                                                 node_at(c, c->now_state)->weak_units);
    return 0;
}

void closure_note_reading(struct closure *c, uint32_t unit)
{
    for (uint32_t i = 0; i < c->weak_count && i < 32; i++)
        if (c->weak_list[i] == unit)
            c->weak_looked |= UINT32_C(1) << i;
}

static uint32_t bits_at(const uint8_t *marks, uint32_t from, uint32_t count)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < count; i++)
        bits |= (uint32_t)(marks[(from + i) / 8] >> (from + i) % 8 & 1) << i;
    return bits;
}

/* The page as this start reads it: weak cells as settled. POOL_NONE when full. */
static uint32_t page_as_read(struct closure *c, uint32_t page, uint32_t cells, uint32_t weak,
                             enum tear_reading reading)
{
    struct states *s = &c->states;
    const uint8_t *stored = pool_at(&s->pages, cells), *mask = pool_at(&s->pages, weak);
    nor_raw_reading(c->device.nor, page * s->shape.page_bytes, s->shape.page_bytes, reading,
                    c->page_weak);
    for (uint32_t i = 0; i < s->shape.page_bytes; i++)
        c->page[i] = (uint8_t)((stored[i] & ~mask[i]) | (c->page_weak[i] & mask[i]));
    return pool_put(&s->pages, c->page, NULL);
}

/* Bit per granule of the page: has weak cells that make it trap. */
static uint32_t traps_as_read(const struct closure *c, uint32_t page, uint32_t weak,
                              enum tear_reading reading)
{
    uint32_t granule = c->subject.geometry.granule_bytes, bytes = c->states.shape.page_bytes;
    const uint8_t *mask = pool_at(&c->states.pages, weak);
    uint32_t traps = 0;
    for (uint32_t i = 0; i < bytes; i++)
        if (mask[i] != 0 && !(traps >> i / granule & 1) &&
            nor_raw_traps(c->device.nor, page * bytes + i / granule * granule, reading))
            traps |= UINT32_C(1) << i / granule;
    return traps;
}

/*
 * All that looking at a page of that tree can tell: cells as they read, and the marks of its
 * granules. Where these do not fit into the key, the number of all marks of the unit and the weak
 * cells with their reading stand for them.
 */
static void content(struct closure *c, const struct states_tree *t, uint32_t page,
                    uint32_t key[RECALL_KEY_WORDS])
{
    const struct states *s = &c->states;
    bool ecc = c->subject.geometry.policy == NOR_ECC;
    uint32_t unit = page / s->unit_pages, index = page % s->unit_pages;
    uint32_t granules = s->shape.page_bytes / c->subject.geometry.granule_bytes;
    const uint32_t *words = states_unit(s, t->unit[unit]);
    uint32_t weak = words[s->unit_pages + index];
    uint32_t reading = weak == s->clean_page ? 0 : closure_reading_of(c, unit);
    memset(key, 0, RECALL_KEY_WORDS * sizeof *key);
    if (reading != 0)
        closure_note_reading(c, unit);
    key[0] = words[index];
    if (reading != 0 && !ecc)
        key[0] = page_as_read(c, page, words[index], weak, (enum tear_reading)(reading - 1));
    if (s->shape.mark_bytes == 0)
        return;
    const uint8_t *marks = pool_at(&s->marks, words[2 * s->unit_pages]);
    if (granules <= 32) {
        key[1] = bits_at(marks, index * granules, granules);
        key[2] = bits_at(marks + s->shape.mark_bytes / 2, index * granules, granules);
        if (reading != 0 && ecc)
            key[2] |= traps_as_read(c, page, weak, (enum tear_reading)(reading - 1));
        return;
    }
    key[1] = words[2 * s->unit_pages];
    key[2] = weak;
    key[3] = reading;
}

/* ---- keeping ---- */

static void next_epoch(struct closure *c)
{
    if (++c->look_epoch == 0) {
        memset(c->looked, 0,
               (size_t)c->states.shape.units * c->states.unit_pages * sizeof *c->looked);
        c->look_epoch = 1;
    }
}

void closure_follow(struct closure *c, uint32_t ram)
{
    c->spot = recall_root(&c->recall, ram);
    c->segment = (struct segment){.run = c->now_run,
                                  .first_op = (uint32_t)c->ops.count,
                                  .base = pool_put(&c->bases, c->tree.group, NULL),
                                  .points_before = c->now_points};
    if (c->spot == RECALL_NONE || c->segment.base == POOL_NONE)
        (void)no_room(c);
    memcpy(c->begin.unit, c->tree.unit, c->states.shape.units * sizeof *c->tree.unit);
    memcpy(c->begin.group, c->tree.group, c->states.group_count * sizeof *c->tree.group);
    next_epoch(c);
}

void closure_segment_end(struct closure *c, uint32_t next_ram)
{
    struct recall_spot *s = c->spot == NONE ? NULL : &c->recall.spots[c->spot];
    c->spot = NONE;
    if (s == NULL)
        return;
    const struct segment *known = (const struct segment *)c->segments.items + s->value;
    if (s->kind == RECALL_PAGE || (s->kind == RECALL_SEGMENT && known->next_ram != next_ram))
        c->rc =
            err_set(&c->err, ERR_BENCH, "closure: the same flash led the boot loader elsewhere");
    if (s->kind != RECALL_UNKNOWN)
        return;
    *s = (struct recall_spot){.kind = RECALL_SEGMENT, .value = (uint32_t)c->segments.count};
    struct segment *g = list_add(&c->segments);
    if (g == NULL) {
        (void)no_room(c);
        return;
    }
    *g = c->segment;
    g->op_count = (uint32_t)c->ops.count - g->first_op;
    g->next_ram = next_ram;
}

/* Who looked at the same contents looks at the same page next. */
static void look_at(struct closure *c, uint32_t page)
{
    struct recall_spot *s = &c->recall.spots[c->spot];
    uint32_t key[RECALL_KEY_WORDS];
    if (s->kind == RECALL_UNKNOWN)
        *s = (struct recall_spot){.kind = RECALL_PAGE, .value = page};
    if (s->kind != RECALL_PAGE || s->value != page) {
        c->rc =
            err_set(&c->err, ERR_BENCH, "closure: the same flash led the boot loader elsewhere");
        return;
    }
    content(c, &c->begin, page, key);
    c->spot = recall_next(&c->recall, c->spot, key, true);
    if (c->spot == RECALL_NONE)
        (void)no_room(c);
}

void closure_on_look(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    struct closure *c = ctx;
    uint32_t page_bytes = c->states.shape.page_bytes;
    for (uint32_t page = addr / page_bytes;
         c->rc == 0 && c->spot != NONE && page <= (addr + len_bytes - 1) / page_bytes; page++) {
        if (c->looked[page] == c->look_epoch)
            continue;
        c->looked[page] = c->look_epoch;
        look_at(c, page);
    }
}

void closure_forget(struct closure *c, uint32_t unit)
{
    for (uint32_t i = 0; i < c->states.unit_pages; i++)
        c->looked[unit * c->states.unit_pages + i] = c->look_epoch;
}

/* ---- asking ---- */

const struct segment *closure_recall(struct closure *c, uint32_t ram)
{
    uint32_t spot = recall_root(&c->recall, ram), key[RECALL_KEY_WORDS];
    while (spot != RECALL_NONE) {
        const struct recall_spot *s = &c->recall.spots[spot];
        if (s->kind == RECALL_SEGMENT)
            return (const struct segment *)c->segments.items + s->value;
        if (s->kind == RECALL_UNKNOWN)
            return NULL;
        content(c, &c->tree, s->value, key);
        spot = recall_next(&c->recall, spot, key, false);
    }
    return NULL;
}

/* ---- meeting ---- */

/* A unit that is not the same in both: another content, or weak cells that read otherwise. */
struct differ {
    uint32_t unit, mine, its;
};

/* How the other run reads weak cells of the unit: 1 + reading, as closure_reading_of. */
static uint32_t its_reading(const struct closure *c, uint32_t run, uint32_t unit)
{
    const struct states *s = &c->states;
    const struct run *r = run_at(c, run);
    const uint32_t *groups = pool_at(&s->states, r->state);
    uint32_t reading = run - node_at(c, r->state)->first_run, index = 0;
    for (uint32_t u = 0; u < unit; u++) {
        const uint32_t *units = pool_at(&s->groups, groups[u / STATES_GROUP]);
        index += states_unit_is_weak(s, units[u % STATES_GROUP]);
    }
    return 1 + (uint32_t)closure_reading(reading, index, node_at(c, r->state)->weak_units);
}

/* The units in which the tree is not what the segment began with; more than DIFFER_MAX when they
 * are too many. */
static uint32_t compare_base(const struct closure *c, const struct segment *g,
                             struct differ out[DIFFER_MAX])
{
    const struct states *s = &c->states;
    const uint32_t *groups = pool_at(&c->bases, g->base);
    uint32_t n = 0;
    for (uint32_t k = 0; k < s->group_count; k++) {
        if (c->tree.group[k] == groups[k] && c->tree_weak == 0)
            continue;
        const uint32_t *units = pool_at(&s->groups, groups[k]);
        for (uint32_t i = 0; i < STATES_GROUP; i++) {
            uint32_t u = k * STATES_GROUP + i;
            if (u >= s->shape.units)
                break;
            bool same = c->tree.unit[u] == units[i] &&
                        (c->tree_weak == 0 || !states_unit_is_weak(s, units[i]) ||
                         closure_reading_of(c, u) == its_reading(c, g->run, u));
            if (!same && n == DIFFER_MAX)
                return DIFFER_MAX + 1;
            if (!same)
                out[n++] = (struct differ){.unit = u, .mine = c->tree.unit[u], .its = units[i]};
        }
    }
    return n;
}

uint32_t closure_meets(struct closure *c, const struct segment *g)
{
    struct differ differ[DIFFER_MAX];
    uint32_t n = compare_base(c, g, differ), first = g->first_op, count = g->op_count;
    if (n > DIFFER_MAX)
        return NONE;
    for (uint32_t op = 0; n > 0; op++) {
        if (op == count)
            return NONE;
        const struct op_key key = op_at(c, first + op)->key;
        uint32_t unit = key.addr / c->states.shape.erase_bytes, i = 0;
        while (i < n && differ[i].unit != unit)
            i++;
        if (i == n)
            continue;
        const uint32_t *after = closure_after(c, differ[i].mine, &key);
        if (after == NULL)
            return NONE;
        differ[i].mine = after[0];
        after = closure_after(c, differ[i].its, &key);
        if (after == NULL)
            return NONE;
        differ[i].its = after[0];
        if (differ[i].mine == differ[i].its && !states_unit_is_weak(&c->states, differ[i].its))
            differ[i] = differ[--n];
        if (n == 0)
            return op + 1;
    }
    return 0;
}
