/* Knowing starts again by what they look at: keeps and asks the recall (closure_recall.h). */
#include <string.h>

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

static uint32_t bits_at(const uint8_t *marks, uint32_t from, uint32_t count)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < count; i++)
        bits |= (uint32_t)(marks[(from + i) / 8] >> (from + i) % 8 & 1) << i;
    return bits;
}

/* All that looking at a page of that tree can tell: cells, weak cells with their reading, marks. */
static void content(const struct closure *c, const struct states_tree *t, uint32_t page,
                    uint32_t key[RECALL_KEY_WORDS])
{
    const struct states *s = &c->states;
    uint32_t unit = page / s->unit_pages, index = page % s->unit_pages;
    const uint32_t *words = states_unit(s, t->unit[unit]);
    key[0] = words[index];
    key[1] = words[s->unit_pages + index];
    key[2] = key[1] == s->clean_page ? 0 : closure_reading_of(c, unit);
    key[3] = key[4] = 0;
    if (key[2] == 1 + READING_ALL_1 && c->subject.geometry.policy != NOR_ECC) {
        key[1] = s->clean_page; /* reads as it is stored */
        key[2] = 0;
    }
    if (s->shape.mark_bytes == 0)
        return;
    uint32_t granules = s->shape.page_bytes / c->subject.geometry.granule_bytes;
    const uint8_t *marks = pool_at(&s->marks, words[2 * s->unit_pages]);
    key[3] = words[2 * s->unit_pages];
    if (granules <= 32) {
        key[3] = bits_at(marks, index * granules, granules);
        key[4] = bits_at(marks + s->shape.mark_bytes / 2, index * granules, granules);
    }
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
    uint32_t root = recall_root(&c->recall, ram);
    if (root == RECALL_NONE) {
        (void)no_room(c);
        return;
    }
    if (ram != RECALL_POWER_ON && c->spot != NONE) {
        struct recall_spot *s = &c->recall.spots[c->spot];
        if (s->kind == RECALL_UNKNOWN)
            *s = (struct recall_spot){.kind = RECALL_ROOT, .value = root};
        else if (s->kind != RECALL_ROOT || s->value != root)
            c->rc = err_set(&c->err, ERR_BENCH,
                            "closure: the same flash led the boot loader to another RAM");
    }
    c->spot = root;
    next_epoch(c);
}

/* A start that looked at the same contents looks at the same page next. Only one that was left
 * early ends there; this one gives the path more. */
static void look_at(struct closure *c, uint32_t page)
{
    struct recall_spot *s = &c->recall.spots[c->spot];
    uint32_t key[RECALL_KEY_WORDS];
    if (s->kind == RECALL_UNKNOWN || s->kind == RECALL_START)
        *s = (struct recall_spot){.kind = RECALL_PAGE, .value = page};
    if (s->kind != RECALL_PAGE || s->value != page) {
        c->rc = err_set(&c->err, ERR_BENCH,
                        "closure: the same flash led the boot loader to look elsewhere");
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

void closure_path_end(struct closure *c, uint32_t run)
{
    if (c->spot == NONE)
        return;
    struct recall_spot *s = &c->recall.spots[c->spot];
    if (s->kind == RECALL_UNKNOWN)
        *s = (struct recall_spot){.kind = RECALL_START, .value = run};
    c->spot = NONE;
}

/* ---- asking ---- */

uint32_t closure_recall(struct closure *c, uint32_t ram)
{
    uint32_t spot = recall_root(&c->recall, ram), key[RECALL_KEY_WORDS];
    while (spot != RECALL_NONE) {
        const struct recall_spot *s = &c->recall.spots[spot];
        if (s->kind == RECALL_START)
            return s->value;
        if (s->kind == RECALL_UNKNOWN)
            return NONE;
        if (s->kind == RECALL_ROOT) {
            spot = s->value;
            continue;
        }
        content(c, &c->tree, s->value, key);
        spot = recall_next(&c->recall, spot, key, false);
    }
    return NONE;
}

/* ---- meeting ---- */

/* A unit that is not the same in both: another content, or weak cells that read otherwise. */
struct differ {
    uint32_t unit, mine, its;
};

/* Readings of the other start, found as those of this one are. */
static uint32_t its_reading(const struct closure *c, const struct run *r, uint32_t run,
                            const uint32_t *units, uint32_t unit)
{
    uint32_t reading = run - node_at(c, r->state)->first_run, index = 0;
    for (uint32_t u = 0; u < unit; u++)
        index += states_unit_is_weak(&c->states, units[u]);
    return 1 + (uint32_t)closure_reading(reading, index, node_at(c, r->state)->weak_units);
}

/* The units in which the states differ; more than DIFFER_MAX when they are too many. */
static uint32_t compare_states(struct closure *c, uint32_t run, struct differ out[DIFFER_MAX])
{
    const struct states *s = &c->states;
    const struct run *r = run_at(c, run);
    uint32_t n = 0;
    bool weak = node_at(c, r->state)->weak_units > 0;
    states_get(s, r->state, &c->other);
    for (uint32_t g = 0; g < s->group_count; g++) {
        if (c->tree.group[g] == c->other.group[g] && !weak)
            continue;
        for (uint32_t u = g * STATES_GROUP; u < (g + 1) * STATES_GROUP && u < s->shape.units; u++) {
            uint32_t mine = c->tree.unit[u], its = c->other.unit[u];
            bool same = mine == its &&
                        (!weak || !states_unit_is_weak(s, mine) ||
                         closure_reading_of(c, u) == its_reading(c, r, run, c->other.unit, u));
            if (!same && n == DIFFER_MAX)
                return DIFFER_MAX + 1;
            if (!same)
                out[n++] = (struct differ){.unit = u, .mine = mine, .its = its};
        }
    }
    return n;
}

uint32_t closure_meets(struct closure *c, uint32_t run)
{
    struct differ differ[DIFFER_MAX];
    uint32_t n = compare_states(c, run, differ);
    uint32_t first = run_at(c, run)->first_op, end = ops_end(c, run);
    if (n > DIFFER_MAX)
        return NONE;
    for (uint32_t op = first; n > 0; op++) {
        if (op == end)
            return NONE;
        const struct op_key key = op_at(c, op)->key;
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
            return op + 1 - first;
    }
    return 0;
}
