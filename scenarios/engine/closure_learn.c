/*
 * The device does what nobody did before: one step of the boot loader on one content of each unit.
 * What it looked at and what it did become a segment, known from then on.
 */
#include <stdlib.h>
#include <string.h>

#include "flash_emu/nor_raw.h"
#include "scenarios/engine/closure_internal.h"

/* ---- chip ---- */

void closure_device_put(struct closure *c, uint32_t unit, uint32_t element)
{
    const struct element *e = sets_element(&c->sets, element);
    if (c->chip_unit[unit] == e->content)
        return;
    closure_put_unit(c, c->device.nor, unit, e->content);
    c->chip_unit[unit] = e->content;
    if (e->reading != 0) {
        nor_raw_settle(c->device.nor, unit, (enum tear_reading)(e->reading - 1));
        c->chip_unit[unit] = POOL_NONE;
    }
}

/* What the chip holds must be what was worked out for it: weak cells apart, for they were settled.
 */
static void compare(struct closure *c, const struct nor_op *op, uint32_t content)
{
    const struct states *s = &c->states;
    uint32_t page_bytes = s->shape.page_bytes,
             unit_addr = op->addr - op->addr % s->shape.erase_bytes;
    const uint32_t *words = states_unit(s, content);
    for (uint32_t a = op->addr; a < op->addr + op->len_bytes && c->rc == 0;
         a = a / page_bytes * page_bytes + page_bytes) {
        uint32_t index = (a - unit_addr) / page_bytes;
        const uint8_t *is = nor_peek(c->device.nor) + unit_addr + index * page_bytes;
        const uint8_t *want = pool_at(&s->pages, words[index]);
        if (memcmp(is, want, page_bytes) == 0)
            continue;
        const uint8_t *weak = pool_at(&s->pages, words[s->unit_pages + index]);
        for (uint32_t i = 0; i < page_bytes && c->rc == 0; i++)
            if ((is[i] ^ want[i]) & ~weak[i])
                c->rc = err_set(&c->err, ERR_BENCH,
                                "closure: the chip disagrees with its model at 0x%x",
                                unit_addr + index * page_bytes + i);
    }
}

static void on_op(void *ctx, const struct nor_op *op)
{
    struct closure *c = ctx;
    struct step_op did = {.chip_us = (uint32_t)((c->device.chip_ns - c->ns_before) / 1000)};
    struct tear_variant v[VARIANTS_MAX];
    if (c->rc != 0 || !closure_op_key(c, op, &did.key))
        return;
    uint32_t u = unit_of(c, &did.key);
    uint32_t element = closure_element_after(c, c->device_unit[u], &did.key);
    c->ns_before = c->device.chip_ns;
    c->chip_unit[u] = POOL_NONE;
    if (c->rc != 0)
        return;
    const struct element *e = sets_element(&c->sets, element);
    c->device_unit[u] = element;
    if (!states_unit_is_weak(&c->states, e->content))
        c->chip_unit[u] = e->content;
    compare(c, op, e->content);
    if (!c->recording)
        return;
    if (c->options.tell_all)
        closure_tell_time(c);
    struct step_op *out = list_add(&c->step_ops);
    if (out == NULL) {
        (void)no_room(c);
        return;
    }
    *out = did;
    c->result.points += closure_variants(c, &did.key, v);
    if (op->kind == NOR_OP_ERASE)
        closure_forget(c, u);
}

static void on_look(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    struct closure *c = ctx;
    if (c->recording && c->spot != NONE && c->rc == 0)
        closure_look(c, addr, len_bytes);
}

void closure_device_hooks(struct closure *c)
{
    c->device.observe = on_op;
    c->device.look = on_look;
    c->device.hook_ctx = c;
}

void closure_device_rest(struct closure *c)
{
    if (c->device_on)
        closure_device_stop(&c->device);
    c->device_on = false;
}

/* ---- RAM ---- */

/* The number of the RAM as it is now. Pages that did not change since the last time, with all
 * before them, keep their numbers without being looked up. */
static uint32_t ram_number(struct closure *c)
{
    struct closure_device *d = &c->device;
    if (!closure_device_ram(d))
        return POOL_NONE;
    size_t pages = (d->ram_bytes + 255) / 256;
    if (pages * 256 > c->ram_cap) {
        free(c->ram_before);
        free(c->ram_numbers);
        c->ram_cap = pages * 256;
        c->ram_before = calloc(pages, 256);
        c->ram_numbers = calloc(pages, sizeof *c->ram_numbers);
        c->ram_before_bytes = 0;
        if (c->ram_before == NULL || c->ram_numbers == NULL) {
            c->ram_cap = 0;
            return POOL_NONE;
        }
    }
    uint32_t sum = (uint32_t)d->ram_bytes;
    bool same = d->ram_bytes == c->ram_before_bytes;
    for (size_t i = 0; i < pages; i++) {
        uint8_t *before = c->ram_before + i * 256;
        size_t left = d->ram_bytes - i * 256, n = left < 256 ? left : 256;
        if (same && memcmp(before, d->ram + i * 256, n) == 0) {
            sum = c->ram_numbers[i];
            continue;
        }
        same = false;
        memset(before, 0, 256);
        memcpy(before, d->ram + i * 256, n);
        uint32_t pair[2] = {sum, pool_put(&c->ram_pages, before, NULL)};
        sum = pair[1] == POOL_NONE ? POOL_NONE : pool_put(&c->pairs, pair, NULL);
        c->ram_numbers[i] = sum;
        if (sum == POOL_NONE) {
            c->ram_before_bytes = 0;
            return POOL_NONE;
        }
    }
    c->ram_before_bytes = d->ram_bytes;
    return sum;
}

/* ---- steps ---- */

static uint32_t wanted(const struct closure *c, const struct part *p, uint32_t unit)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->over[i].unit == unit)
            return p->over[i].set;
    return c->tree.unit[unit];
}

/* Whether the device is where the start under way is, on elements of that part. */
static bool is_there(const struct closure *c, const struct part *p)
{
    if (!c->device_on || c->device_run != c->now_run || c->device_heads != c->now_heads)
        return false;
    for (uint32_t u = 0; u < c->states.shape.units; u++)
        if (!sets_has(&c->sets, wanted(c, p, u), c->device_unit[u]))
            return false;
    return true;
}

/* One content of each unit at power-on that has become one of that part. */
static bool choose(struct closure *c, const struct part *p)
{
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        uint32_t set = c->origin.unit[u], want = wanted(c, p, u), element = POOL_NONE;
        if (sets_count(&c->sets, set) == 1)
            element = sets_element_at(&c->sets, set);
        for (; set != SET_NONE && element == POOL_NONE; set = sets_rest(&c->sets, set)) {
            uint32_t first = sets_element_at(&c->sets, set);
            if (sets_has(&c->sets, want, closure_fold(c, c->now_run, c->now_ops, u, first)))
                element = first;
        }
        if (element == POOL_NONE)
            return false;
        c->device_unit[u] = element;
        closure_device_put(c, u, element);
    }
    return true;
}

/* Between two steps nothing but the heap may matter: not what lies on the stack. */
static void poison_stack(void)
{
    volatile uint8_t below[16384];
    for (size_t i = 0; i < sizeof below; i++)
        below[i] = 0xA5;
}

static enum boot_result step(struct closure *c)
{
    if (c->options.audit)
        poison_stack();
    return closure_device_step(&c->device);
}

static int fault(struct closure *c, const char *what)
{
    if (c->rc == 0)
        c->rc = err_set(&c->err, ERR_BENCH, "closure: %s", what);
    return c->rc;
}

/* Power on, and all steps that the start under way has behind it. */
static int go_there(struct closure *c, const struct part *p)
{
    enum boot_result result = BOOT_MORE;
    closure_device_rest(c);
    if (!choose(c, p))
        return fault(c, "no content leads where the start under way is");
    c->recording = false;
    c->result.starts++;
    c->ns_before = 0;
    if (!closure_device_start(&c->device))
        return fault(c, "the boot loader does not fit into its RAM");
    c->device_on = true;
    for (uint32_t i = 0; i < c->now_heads && result == BOOT_MORE && c->rc == 0; i++)
        result = step(c);
    c->device_run = c->now_run;
    c->device_heads = c->now_heads;
    if (c->rc == 0 && (result != BOOT_MORE || !is_there(c, p)))
        return fault(c, "the device does not come where the start under way is");
    return c->rc;
}

uint32_t closure_learn(struct closure *c, uint32_t ram, const struct part *p)
{
    if (!is_there(c, p) && go_there(c, p) != 0)
        return NONE;
    memcpy(c->device_begin, c->device_unit, c->states.shape.units * sizeof *c->device_begin);
    c->recording = true;
    c->step_began_ns = c->device.chip_ns;
    c->told = NONE;
    c->step_first = (uint32_t)c->step_ops.count;
    c->spot = NONE;
    if (!c->options.no_recall)
        closure_follow(c, ram);
    enum boot_result result = step(c);
    uint32_t next_ram = NONE;
    if (c->options.tell_all)
        closure_tell_time(c);
    if (c->rc == 0 && result == BOOT_MORE) {
        next_ram = ram_number(c);
        if (next_ram == POOL_NONE)
            (void)no_room(c);
    }
    c->recording = false;
    c->device_heads++;
    uint32_t segment = c->rc == 0 ? closure_segment_end(c, next_ram, result) : NONE;
    if (result != BOOT_MORE)
        closure_device_rest(c);
    return segment;
}

/* ---- audit ---- */

static bool is_in_state(struct closure *c, uint32_t state)
{
    states_get(&c->states, state, &c->other);
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        const struct element off = {.content = sets_element(&c->sets, c->device_unit[u])->content};
        uint32_t element = pool_find(&c->sets.elements, &off);
        if (element == POOL_NONE || !sets_has(&c->sets, c->other.unit[u], element))
            return false;
    }
    return true;
}

int closure_audit(struct closure *c, uint32_t run)
{
    const struct run r = *run_at(c, run);
    enum boot_result result = BOOT_MORE;
    bool alone = true;
    closure_device_rest(c);
    closure_get_base(c, r.origin, &c->other);
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        uint32_t set = c->other.unit[u];
        alone = alone && sets_count(&c->sets, set) == 1;
        c->device_unit[u] = sets_element_at(&c->sets, set);
        closure_device_put(c, u, c->device_unit[u]);
    }
    c->recording = false;
    c->result.audited++;
    if (!closure_device_start(&c->device))
        return fault(c, "the boot loader does not fit into its RAM");
    c->device_on = true;
    for (uint32_t i = 0; i < CLOSURE_STEPS_MAX && result == BOOT_MORE && c->rc == 0; i++)
        result = step(c);
    closure_device_rest(c);
    if (c->rc != 0)
        return c->rc;
    uint8_t end =
        result == BOOT_MORE ? CLOSURE_LIVELOCK : (uint8_t)closure_device_judge(&c->device, result);
    bool same = end == r.end || (!alone && end < r.end) || r.end == CLOSURE_FOREIGN;
    if (!same)
        return fault(c, "audit: a start that was left early ends otherwise");
    if (r.final_state != NONE && !is_in_state(c, r.final_state))
        return fault(c, "audit: a start that was left early leaves another flash");
    return 0;
}
