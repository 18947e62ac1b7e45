/* Knowing starts again by what they look at: keeps and asks the recall (closure_recall.h). */
#include <stdlib.h>
#include <string.h>

#include "flash_emu/nor_raw.h"
#include "scenarios/engine/closure_internal.h"

/* ---- contents ---- */

static uint32_t bits_at(const uint8_t *marks, uint32_t from, uint32_t count)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < count; i++)
        bits |= (uint32_t)(marks[(from + i) / 8] >> (from + i) % 8 & 1) << i;
    return bits;
}

/* The page as it is read: weak cells as settled. POOL_NONE when full. */
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

/* The page with all but those bytes cleared. POOL_NONE when full. */
static uint32_t part_of_page(struct closure *c, uint32_t number, uint32_t from, uint32_t to)
{
    const uint32_t key[2] = {number, from << 16 | to};
    bool fresh;
    if ((from == 0 && to == c->states.shape.page_bytes) || number == POOL_NONE)
        return number;
    uint32_t at = pool_put(&c->masked_keys, key, &fresh);
    uint32_t *out = at == POOL_NONE ? NULL : (uint32_t *)c->masked.items + at;
    if (fresh && (out = list_add(&c->masked)) != NULL) {
        memset(c->page, 0, c->states.shape.page_bytes);
        memcpy(c->page + from, (const uint8_t *)pool_at(&c->states.pages, number) + from,
               to - from);
        *out = pool_put(&c->states.pages, c->page, NULL);
    }
    return out == NULL ? POOL_NONE : *out;
}

/*
 * All that looking at those bytes can tell: cells as they read, and the marks of their granules.
 * Where these do not fit into the key, the number of all marks of the unit and the weak cells with
 * their reading stand for them.
 */
void closure_shown(struct closure *c, const struct element *e, const struct recall_spot *look,
                   uint32_t key[RECALL_KEY_WORDS])
{
    const struct states *s = &c->states;
    bool ecc = c->subject.geometry.policy == NOR_ECC;
    uint32_t page = look->value, index = page % s->unit_pages;
    uint32_t granule = c->subject.geometry.granule_bytes;
    uint32_t granules = s->shape.page_bytes / granule;
    const uint32_t *words = states_unit(s, e->content);
    c->any_shown = c->any_shown || e->content == c->any;
    uint32_t cells = words[index], weak = words[s->unit_pages + index];
    uint32_t reading = weak == s->clean_page ? 0 : e->reading;
    memset(key, 0, RECALL_KEY_WORDS * sizeof *key);
    if (look->from > look->to) {
        key[0] = e->content;
        key[1] = e->reading;
        return;
    }
    if (look->to == 0) {
        key[0] = cells;
        key[1] = words[2 * s->unit_pages];
        key[2] = weak;
        key[3] = reading;
        return;
    }
    if (reading != 0 && !ecc)
        cells = page_as_read(c, page, cells, weak, (enum tear_reading)(reading - 1));
    key[0] = part_of_page(c, cells, look->from, look->to);
    if (key[0] == POOL_NONE)
        (void)no_room(c);
    if (s->shape.mark_bytes == 0)
        return;
    const uint8_t *marks = pool_at(&s->marks, words[2 * s->unit_pages]);
    if (granules > 32) {
        key[1] = words[2 * s->unit_pages];
        key[2] = weak;
        key[3] = reading;
        return;
    }
    uint32_t shown = 0;
    for (uint32_t g = look->from / granule; g <= (look->to - 1u) / granule; g++)
        shown |= UINT32_C(1) << g;
    key[1] = shown & bits_at(marks, index * granules, granules);
    key[2] = bits_at(marks + s->shape.mark_bytes / 2, index * granules, granules);
    if (reading != 0 && ecc)
        key[2] |= traps_as_read(c, page, weak, (enum tear_reading)(reading - 1));
    key[2] &= shown;
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
    if (c->spot == RECALL_NONE)
        (void)no_room(c);
    next_epoch(c);
}

static void led_elsewhere(struct closure *c)
{
    c->rc = err_set(&c->err, ERR_BENCH, "closure: the same flash led the boot loader elsewhere");
}

/* Equal for segments that do the same operations and leave the same RAM or result. */
static uint32_t behaviour_of(struct closure *c, const struct segment *g)
{
    const uint32_t end[2] = {g->next_ram, g->result};
    uint32_t number = pool_put(&c->pairs, end, NULL);
    if (c->told != NONE && number != POOL_NONE) {
        const uint32_t told[2] = {number, c->told};
        number = pool_put(&c->pairs, told, NULL);
    }
    for (uint32_t i = 0; i < g->op_count && number != POOL_NONE; i++) {
        const uint32_t pair[2] = {
            number, pool_put(&c->op_keys, &step_op_at(c, g->first_op + i)->key, NULL)};
        number = pair[1] == POOL_NONE ? POOL_NONE : pool_put(&c->pairs, pair, NULL);
    }
    return number;
}

uint32_t closure_segment_end(struct closure *c, uint32_t next_ram, enum boot_result result)
{
    struct segment g = {.first_op = c->step_first,
                        .op_count = (uint32_t)c->step_ops.count - c->step_first,
                        .next_ram = next_ram,
                        .result = (uint32_t)result,
                        .walk_run = NONE};
    g.behaviour = behaviour_of(c, &g);
    struct recall_spot *s = c->spot == NONE ? NULL : &c->recall.spots[c->spot];
    c->spot = NONE;
    if (g.behaviour == POOL_NONE) {
        (void)no_room(c);
        return NONE;
    }
    if (s != NULL && s->kind != RECALL_UNKNOWN) {
        if (s->kind == RECALL_SEGMENT && segment_at(c, s->value)->behaviour == g.behaviour)
            return s->value;
        led_elsewhere(c);
        return NONE;
    }
    struct segment *out = list_add(&c->segments);
    if (out == NULL) {
        (void)no_room(c);
        return NONE;
    }
    *out = g;
    if (s != NULL) {
        s->kind = RECALL_SEGMENT;
        s->value = (uint32_t)c->segments.count - 1;
    }
    return (uint32_t)c->segments.count - 1;
}

/* Who looked at the same contents looks at the same bytes next. */
static void look_at(struct closure *c, uint32_t page, uint32_t from, uint32_t to)
{
    struct recall_spot *s = &c->recall.spots[c->spot];
    const struct recall_spot now = {
        .kind = RECALL_PAGE, .from = (uint16_t)from, .to = (uint16_t)to, .value = page};
    uint32_t key[RECALL_KEY_WORDS];
    if (s->kind == RECALL_UNKNOWN)
        *s = now;
    if (s->kind != RECALL_PAGE || s->value != page || s->from != from || s->to != to) {
        led_elsewhere(c);
        return;
    }
    closure_shown(c, sets_element(&c->sets, c->device_begin[page / c->states.unit_pages]), &now,
                  key);
    c->spot = recall_next(&c->recall, c->spot, key, true);
    if (c->spot == RECALL_NONE)
        (void)no_room(c);
}

void closure_look(struct closure *c, uint32_t addr, uint32_t len_bytes)
{
    uint32_t bytes = c->states.shape.page_bytes, end = addr + len_bytes;
    for (uint32_t page = addr / bytes; c->rc == 0 && page * bytes < end; page++) {
        uint32_t unit = page / c->states.unit_pages, from = 0, to = bytes;
        if (c->looked[page] == c->look_epoch)
            continue;
        if (unit == c->bank_unit[0] || unit == c->bank_unit[1]) {
            from = addr > page * bytes ? addr - page * bytes : 0;
            to = end < (page + 1) * bytes ? end - page * bytes : bytes;
        }
        if (to - from == bytes)
            c->looked[page] = c->look_epoch;
        look_at(c, page, from, to);
    }
}

void closure_forget(struct closure *c, uint32_t unit)
{
    for (uint32_t i = 0; i < c->states.unit_pages; i++)
        c->looked[unit * c->states.unit_pages + i] = c->look_epoch;
}

/* ---- asking ---- */

uint32_t closure_set_in(const struct closure *c, const struct part *p, uint32_t unit)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->over[i].unit == unit)
            return p->over[i].set;
    return c->tree.unit[unit];
}

static bool put_over(struct closure *c, struct part *p, uint32_t unit, uint32_t set)
{
    uint32_t at = 0;
    while (at < p->count && p->over[at].unit < unit)
        at++;
    if (at == p->count || p->over[at].unit != unit) {
        if (p->count == OVERS_MAX) {
            c->bound = "a step told too many units apart";
            c->stuck = true;
            return false;
        }
        memmove(p->over + at + 1, p->over + at, (p->count - at) * sizeof *p->over);
        p->count++;
    }
    p->over[at] = (struct over){.unit = unit, .set = set};
    return true;
}

/* Looks at a unit that holds that element, as long as it is looked at. The spot behind; waits:
 * nobody went on from there. */
static uint32_t leave(struct closure *c, uint32_t spot, uint32_t element, bool *waits)
{
    const uint32_t key[2] = {spot, element};
    uint32_t known = pool_find(&c->leave_keys, key), at = spot, first = 0;
    *waits = false;
    if (known != POOL_NONE)
        return ((const uint32_t *)c->leaves.items)[known];
    for (bool begun = false; c->rc == 0; begun = true) {
        const struct recall_spot look = c->recall.spots[at];
        uint32_t shown[RECALL_KEY_WORDS], unit = look.value / c->states.unit_pages;
        if (look.kind != RECALL_PAGE || (begun && unit != first))
            break;
        first = unit;
        closure_shown(c, sets_element(&c->sets, element), &look, shown);
        uint32_t next = recall_next(&c->recall, at, shown, false);
        *waits = next == RECALL_NONE;
        if (*waits)
            return at;
        at = next;
    }
    bool fresh;
    uint32_t *out =
        pool_put(&c->leave_keys, key, &fresh) == POOL_NONE ? NULL : list_add(&c->leaves);
    if (out == NULL)
        (void)no_room(c);
    else
        *out = at;
    return at;
}

static int by_spot(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->spot != y->spot)
        return x->spot < y->spot ? -1 : 1;
    if (x->waits != y->waits)
        return x->waits ? 1 : -1;
    return (x->element > y->element) - (x->element < y->element);
}

static bool leave_all(struct closure *c, uint32_t spot, uint32_t set)
{
    c->keyed.count = 0;
    for (; set != SET_NONE && c->rc == 0; set = sets_rest(&c->sets, set)) {
        struct keyed *k = list_add(&c->keyed);
        if (k == NULL) {
            (void)no_room(c);
            break;
        }
        k->element = sets_element_at(&c->sets, set);
        k->spot = leave(c, spot, k->element, &k->waits);
    }
    qsort(c->keyed.items, c->keyed.count, sizeof(struct keyed), by_spot);
    return c->rc == 0;
}

/* Elements that show the same stay together. */
static void split(struct closure *c, size_t index, uint32_t unit)
{
    const struct part whole = *part_at(c, index);
    if (!leave_all(c, whole.spot, closure_set_in(c, &whole, unit)))
        return;
    for (size_t i = 0, end; i < c->keyed.count && c->rc == 0; i = end) {
        const struct keyed *k = (const struct keyed *)c->keyed.items + i;
        bool fits = true;
        sets_clear(&c->sets);
        for (end = i; end < c->keyed.count && fits && k[end - i].spot == k->spot &&
                      k[end - i].waits == k->waits;
             end++)
            fits = sets_add_element(&c->sets, k[end - i].element);
        struct part p = whole;
        p.spot = k->spot;
        p.waits = k->waits;
        if (i > 0 || end < c->keyed.count) {
            uint32_t set = fits ? sets_put(&c->sets) : SET_NONE;
            if (set == SET_NONE)
                (void)no_room(c);
            else if (!put_over(c, &p, unit, set))
                return;
        }
        struct part *out = i == 0 ? part_at(c, index) : list_add(&c->parts);
        if (out == NULL)
            (void)no_room(c);
        else
            *out = p;
    }
}

void closure_walk(struct closure *c, size_t index)
{
    part_at(c, index)->waits = false;
    while (c->rc == 0 && !c->stuck && !part_at(c, index)->waits) {
        struct part *p = part_at(c, index);
        const struct recall_spot look = c->recall.spots[p->spot];
        if (look.kind == RECALL_SEGMENT)
            p->segment = look.value;
        if (look.kind != RECALL_PAGE)
            return;
        uint32_t unit = look.value / c->states.unit_pages, set = closure_set_in(c, p, unit);
        if (sets_count(&c->sets, set) > 1)
            split(c, index, unit);
        else
            p->spot = leave(c, p->spot, sets_element_at(&c->sets, set), &p->waits);
    }
}

bool closure_resolve(struct closure *c, uint32_t ram)
{
    c->parts.count = 0;
    struct part *whole = list_add(&c->parts);
    if (whole == NULL)
        return no_room(c) == 0;
    whole->spot = recall_root(&c->recall, ram);
    whole->segment = NONE;
    if (whole->spot == RECALL_NONE)
        return no_room(c) == 0;
    for (size_t i = 0; i < c->parts.count && c->rc == 0 && !c->stuck; i++) {
        closure_walk(c, i);
        if (c->rc != 0 || c->stuck || part_at(c, i)->segment != NONE)
            continue;
        const struct part unknown = *part_at(c, i);
        if (closure_learn(c, ram, &unknown) != NONE)
            i--; /* again, from where it stood */
    }
    for (size_t i = 0; i < c->parts.count && c->rc == 0 && !c->stuck; i++)
        part_at(c, i)->behaviour = segment_at(c, part_at(c, i)->segment)->behaviour;
    return c->rc == 0 && !c->stuck;
}

/* ---- meeting ---- */

/* A unit that is not the same in both. */
struct differ {
    uint32_t unit, mine, its;
};

/* The units in which the tree is not what the segment began with; more than DIFFER_MAX when they
 * are too many. */
static uint32_t compare_base(const struct closure *c, const struct segment *g,
                             struct differ out[DIFFER_MAX])
{
    const struct states *s = &c->states;
    const uint32_t *groups = pool_at(&c->bases, g->walk_base);
    uint32_t n = 0, its;
    for (uint32_t u = 0; states_next_other(s, &c->tree, groups, &u, &its); u++) {
        if (n == DIFFER_MAX)
            return DIFFER_MAX + 1;
        out[n++] = (struct differ){.unit = u, .mine = c->tree.unit[u], .its = its};
    }
    return n;
}

uint32_t closure_meets(struct closure *c, const struct segment *g)
{
    struct differ differ[DIFFER_MAX];
    uint32_t n = compare_base(c, g, differ);
    if (n > DIFFER_MAX)
        return NONE;
    for (uint32_t op = 0; n > 0; op++) {
        if (op == g->op_count)
            return NONE;
        const struct op_key key = step_op_at(c, g->first_op + op)->key;
        uint32_t unit = unit_of(c, &key), i = 0;
        while (i < n && differ[i].unit != unit)
            i++;
        if (i == n)
            continue;
        differ[i].mine = closure_set_after(c, differ[i].mine, &key, NULL);
        differ[i].its = closure_set_after(c, differ[i].its, &key, NULL);
        if (c->rc != 0)
            return NONE;
        if (differ[i].mine == differ[i].its)
            differ[i] = differ[--n];
        if (n == 0)
            return op + 1;
    }
    return 0;
}
