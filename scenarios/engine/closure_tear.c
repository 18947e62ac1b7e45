/*
 * What a cut leaves: every tear of an operation is carried out on a scratch chip of one erase unit
 * that gets the unit's content and the operation's number, so the chip's own code decides.
 */
#include <string.h>

#include "flash_emu/nor_raw.h"
#include "scenarios/engine/closure_internal.h"

#define NOT_ASKED (SET_NONE - 1) /* what a set's tears are */

/* An operation on a content. torn: where its results begin in torn_units; NONE: nobody asked. */
struct after {
    uint32_t done, torn;
};
_Static_assert(sizeof(struct after) == 2 * sizeof(uint32_t), "as the list has it");

static uint32_t granule_of(const struct closure *c)
{
    return c->subject.geometry.granule_bytes;
}

uint32_t closure_variants(const struct closure *c, const struct op_key *op,
                          struct tear_variant out[VARIANTS_MAX])
{
    const struct variants_of o = {.geometry = &c->subject.geometry,
                                  .tears = c->options.tears & CLOSURE_TEARS_KNOWN,
                                  .one_border = c->options.one_border};
    return tear_variants(&o, (enum nor_op_kind)op->kind, op->addr, op->len_bytes, out);
}

/* ---- one form for each state ---- */

/* Weak cells are read anew at each power-on, so what they read now is no part of the state: they
 * count as 1, and granules that trap because of them as readable. */
static void settle_none(const struct closure *c, uint32_t at, uint8_t *cells, const uint8_t *weak,
                        uint8_t *marks)
{
    uint32_t page = c->states.shape.page_bytes, granule = granule_of(c);
    if (c->subject.geometry.policy != NOR_ECC) {
        for (uint32_t i = 0; i < page; i++)
            cells[i] |= weak[i];
        return;
    }
    uint8_t *torn = marks + c->states.shape.mark_bytes / 2;
    for (uint32_t i = 0; i < page; i++)
        if (weak[i] != 0) {
            uint32_t g = (at + i) / granule;
            torn[g / 8] &= (uint8_t) ~(1u << g % 8);
        }
}

/* A page's number; likely is tried first, then the two that are everywhere. */
static uint32_t page_number(struct states *s, const uint8_t *page, uint32_t likely)
{
    const uint32_t guesses[] = {likely, s->clean_page, s->erased_page};
    for (size_t i = 0; i < sizeof guesses / sizeof guesses[0]; i++)
        if (guesses[i] != POOL_NONE &&
            memcmp(page, pool_at(&s->pages, guesses[i]), s->shape.page_bytes) == 0)
            return guesses[i];
    return pool_put(&s->pages, page, NULL);
}

/* Reads pages of a unit into words, which hold likely numbers; marks goes along and is not stored
 * yet. */
static bool take_page(struct closure *c, const struct nor *chip, uint32_t unit_addr, uint32_t index,
                      uint32_t *words)
{
    struct states *s = &c->states;
    uint32_t at = index * s->shape.page_bytes;
    nor_raw_get(chip, unit_addr + at, s->shape.page_bytes, c->page, c->page_weak);
    uint32_t weak = page_number(s, c->page_weak, words[s->unit_pages + index]);
    if (weak != s->clean_page)
        settle_none(c, at, c->page, c->page_weak, c->marks);
    words[index] = page_number(s, c->page, words[index]);
    words[s->unit_pages + index] = weak;
    return words[index] != POOL_NONE && weak != POOL_NONE;
}

static uint32_t put_words(struct closure *c, uint32_t *words)
{
    struct states *s = &c->states;
    words[2 * s->unit_pages] = pool_put(&s->marks, c->marks, NULL);
    return words[2 * s->unit_pages] == POOL_NONE ? POOL_NONE : states_put_unit(s, words);
}

uint32_t closure_take_unit(struct closure *c, const struct nor *chip, uint32_t unit)
{
    nor_raw_marks_get(chip, unit, c->marks);
    memset(c->words, 0xff, 2 * c->states.unit_pages * sizeof *c->words);
    for (uint32_t i = 0; i < c->states.unit_pages; i++)
        if (!take_page(c, chip, unit * c->states.shape.erase_bytes, i, c->words))
            return POOL_NONE;
    return put_words(c, c->words);
}

static void put_page(const struct closure *c, struct nor *chip, uint32_t unit_addr, uint32_t index,
                     const uint32_t *words)
{
    const struct states *s = &c->states;
    uint32_t weak = words[s->unit_pages + index];
    nor_raw_put(chip, unit_addr + index * s->shape.page_bytes, s->shape.page_bytes,
                pool_at(&s->pages, words[index]),
                weak == s->clean_page ? NULL : pool_at(&s->pages, weak));
}

static void put_pages(const struct closure *c, struct nor *chip, uint32_t unit, uint32_t from,
                      uint32_t to, const uint32_t *words)
{
    for (uint32_t i = from; i < to; i++)
        put_page(c, chip, unit * c->states.shape.erase_bytes, i, words);
    nor_raw_marks_put(chip, unit, pool_at(&c->states.marks, words[2 * c->states.unit_pages]));
}

void closure_put_unit(const struct closure *c, struct nor *chip, uint32_t unit, uint32_t number)
{
    put_pages(c, chip, unit, 0, c->states.unit_pages, states_unit(&c->states, number));
}

/* ---- tears ---- */

bool closure_op_key(struct closure *c, const struct nor_op *op, struct op_key *out)
{
    *out = (struct op_key){.addr = op->addr, .len_bytes = op->len_bytes, .kind = op->kind};
    if (op->kind == NOR_OP_ERASE)
        return true;
    memset(c->page, 0, c->states.shape.page_bytes);
    memcpy(c->page, op->data, op->len_bytes);
    out->data = pool_put(&c->data, c->page, NULL);
    if (out->data == POOL_NONE)
        (void)no_room(c);
    return out->data != POOL_NONE;
}

/* The unit after that tear, by the scratch chip. */
static uint32_t torn_unit(struct closure *c, uint32_t unit, const struct op_key *op,
                          const struct tear_variant *v)
{
    const struct states *s = &c->states;
    const struct states_shape *shape = &s->shape;
    const uint32_t *before = states_unit(s, unit);
    uint32_t at = op->addr % shape->erase_bytes;
    uint32_t from = 0, to = s->unit_pages;
    uint64_t number = closure_draw((enum nor_op_kind)op->kind, op->addr);
    if (op->kind == NOR_OP_PROGRAM && v->tear != TEAR_DISTURB) {
        from = at / shape->page_bytes;
        to = from + 1;
    }
    memcpy(c->words, before, states_unit_words(s) * sizeof *before);
    put_pages(c, c->scratch, 0, from, to, before);
    nor_raw_set_op_count(c->scratch, number - 1);
    nor_arm_cut(c->scratch, number, v->tear, v->arg);
    if (op->kind == NOR_OP_PROGRAM)
        (void)nor_program(c->scratch, at, pool_at(&c->data, op->data), op->len_bytes);
    else
        (void)nor_erase(c->scratch, 0, shape->erase_bytes);
    if (nor_is_on(c->scratch)) {
        c->rc = err_set(&c->err, ERR_BENCH,
                        "closure: the scratch chip refused an operation at 0x%x", op->addr);
        return POOL_NONE;
    }
    nor_raw_marks_get(c->scratch, 0, c->marks);
    bool fits = true;
    for (uint32_t i = from; i < to && fits; i++)
        fits = take_page(c, c->scratch, 0, i, c->words);
    nor_power_on(c->scratch);
    uint32_t number_after = fits ? put_words(c, c->words) : POOL_NONE;
    if (number_after == POOL_NONE)
        (void)no_room(c);
    return number_after;
}

/* What is known of the operation on that content; it is done at least. Null and c->rc on failure.
 */
static struct after *after_of(struct closure *c, uint32_t unit, const struct op_key *op)
{
    const uint32_t key[4] = {unit, op->addr, op->len_bytes << 1 | op->kind, op->data};
    bool fresh;
    uint32_t number = pool_put(&c->torn_keys, key, &fresh);
    struct after *after = NULL;
    if (number != POOL_NONE)
        after = fresh ? list_add(&c->torn) : (struct after *)c->torn.items + number;
    if (after == NULL)
        (void)no_room(c);
    else if (fresh)
        *after = (struct after){
            .done = torn_unit(c, unit, op, &(struct tear_variant){.tear = TEAR_DONE}),
            .torn = NONE};
    return c->rc == 0 ? after : NULL;
}

/* Most contents are never cut: their tears are worked out when somebody asks. */
const uint32_t *closure_after(struct closure *c, uint32_t unit, const struct op_key *op)
{
    struct tear_variant v[VARIANTS_MAX];
    struct after *after = after_of(c, unit, op);
    if (after != NULL && after->torn == NONE) {
        uint32_t n = closure_variants(c, op, v), *out = list_add(&c->torn_units);
        after->torn = (uint32_t)c->torn_units.count - 1;
        if (out != NULL)
            *out = after->done;
        for (uint32_t i = 0; i < n && out != NULL && c->rc == 0; i++) {
            uint32_t is = v[i].tear == TEAR_NOTHING ? unit
                          : v[i].tear == TEAR_DONE  ? after->done
                                                    : torn_unit(c, unit, op, &v[i]);
            out = list_add(&c->torn_units);
            if (out != NULL)
                *out = is;
        }
        if (out == NULL)
            (void)no_room(c);
    }
    if (c->rc != 0)
        return NULL;
    return (const uint32_t *)c->torn_units.items + after->torn;
}

/* ---- elements and sets ---- */

/* Cells that stay weak go on reading as they did. */
static uint32_t reading_after(const struct closure *c, uint32_t content, uint32_t reading)
{
    return states_unit_is_weak(&c->states, content) ? reading : 0;
}

uint32_t closure_element_after(struct closure *c, uint32_t element, const struct op_key *op)
{
    const struct element e = *sets_element(&c->sets, element);
    const struct after *after = after_of(c, e.content, op);
    if (after == NULL)
        return POOL_NONE;
    const struct element done = {.content = after->done,
                                 .reading = reading_after(c, after->done, e.reading)};
    uint32_t number = pool_put(&c->sets.elements, &done, NULL);
    if (number == POOL_NONE)
        (void)no_room(c);
    return number;
}

static uint32_t set_done(struct closure *c, uint32_t set, const struct op_key *op)
{
    bool fits = true;
    sets_clear(&c->sets);
    for (; set != SET_NONE && fits; set = sets_rest(&c->sets, set))
        fits = sets_add_element(&c->sets,
                                closure_element_after(c, sets_element_at(&c->sets, set), op));
    uint32_t done = fits ? sets_put(&c->sets) : SET_NONE;
    if (done == SET_NONE)
        (void)no_room(c);
    return done;
}

/* What those tears leave. before, done: with power off. */
static uint32_t set_torn(struct closure *c, uint32_t before, uint32_t done, const struct op_key *op,
                         uint32_t of_tears)
{
    struct tear_variant v[VARIANTS_MAX];
    struct sets *s = &c->sets;
    uint32_t n = closure_variants(c, op, v), tears = c->options.tears;
    bool fits = true;
    sets_clear(s);
    for (uint32_t at = before; at != SET_NONE && fits; at = sets_rest(s, at)) {
        const uint32_t *after = closure_after(c, sets_first(s, at)->content, op);
        for (uint32_t i = 0; i < n && fits && after != NULL; i++) {
            const struct element e = {.content = after[1 + i]};
            if (!(of_tears & 1u << v[i].tear))
                continue;
            uint32_t element = pool_put(&s->elements, &e, NULL);
            if (tears & 1u << TEAR_NOTHING && sets_has(s, before, element))
                continue;
            if (!(tears & 1u << TEAR_DONE && sets_has(s, done, element)))
                fits = sets_add_element(s, element);
        }
        fits = fits && after != NULL;
    }
    uint32_t torn = fits ? sets_put(s) : SET_NONE;
    if (torn == SET_NONE && s->room_used > 0)
        (void)no_room(c);
    return torn;
}

uint32_t closure_set_after(struct closure *c, uint32_t set, const struct op_key *op,
                           uint32_t torn[2])
{
    const uint32_t key[4] = {set, op->addr, op->len_bytes << 1 | op->kind, op->data};
    const uint32_t torn_tears = ~(1u << TEAR_NOTHING | 1u << TEAR_DONE);
    const uint32_t apart = c->options.weak_apart ? 1u << TEAR_WEAK : 0;
    bool fresh;
    uint32_t number = pool_put(&c->set_keys, key, &fresh), *after = NULL;
    if (number != POOL_NONE)
        after = fresh ? list_add(&c->set_after) : (uint32_t *)c->set_after.items + 3 * number;
    if (after == NULL) {
        (void)no_room(c);
        return SET_NONE;
    }
    if (fresh) {
        after[0] = set_done(c, set, op);
        after[1] = NOT_ASKED;
        after[2] = SET_NONE;
    }
    if (torn != NULL && after[1] == NOT_ASKED && c->rc == 0) {
        uint32_t before = sets_off(&c->sets, set), after_off = sets_off(&c->sets, after[0]);
        after[1] = SET_NONE;
        if (before == SET_NONE || after_off == SET_NONE) {
            (void)no_room(c);
        } else if (!c->options.no_sets) {
            after[1] = set_torn(c, before, after_off, op, torn_tears & ~apart);
            after[2] = apart == 0 ? SET_NONE : set_torn(c, before, after_off, op, apart);
        }
    }
    if (torn != NULL)
        memcpy(torn, after + 1, 2 * sizeof *torn);
    return c->rc == 0 ? after[0] : SET_NONE;
}
