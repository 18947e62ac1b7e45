/*
 * One start: the boot loader is run from a state, every operation's tears become successors. It is
 * left early where it meets an earlier start, and not begun at all where one is recalled.
 */
#include <stdlib.h>
#include <string.h>

#include "flash_emu/nor_raw.h"
#include "scenarios/engine/closure_internal.h"

/* ---- operations ---- */

static void add_edge(struct closure *c, uint32_t from, uint32_t state)
{
    const uint32_t *edges = c->edges.items;
    for (size_t i = from; i < c->edges.count; i++)
        if (edges[i] == state)
            return;
    uint32_t *edge = list_add(&c->edges);
    if (edge == NULL)
        (void)no_room(c);
    else
        *edge = state;
}

static void add_successors(struct closure *c, const struct op_key *op, const uint32_t *units)
{
    struct tear_variant v[VARIANTS_MAX];
    uint32_t n = closure_variants(c, op, v);
    uint32_t u = op->addr / c->states.shape.erase_bytes, was = c->tree.unit[u];
    uint32_t from = (uint32_t)c->edges.count;
    struct node found = {.parent = c->now_state,
                         .depth = node_at(c, c->now_state)->depth + 1,
                         .cut = {.op = c->now_ops,
                                 .reading = c->now_reading,
                                 .kind = (enum nor_op_kind)op->kind,
                                 .addr = op->addr,
                                 .len_bytes = op->len_bytes}};
    c->now_points += n;
    if (c->options.max_depth != 0 && found.depth > c->options.max_depth) {
        c->bound = "the number of cuts in a row was reached";
        return;
    }
    for (uint32_t i = 0; i < n && c->rc == 0; i++) {
        if (i > 0 && units[i] == units[i - 1])
            continue;
        if (!closure_set_unit(c, u, units[i])) {
            (void)no_room(c);
            return;
        }
        found.cut.tear = v[i].tear;
        found.cut.arg = v[i].arg;
        uint32_t state = closure_add_node(c, &found);
        if (state != NONE)
            add_edge(c, from, state);
    }
    if (c->rc == 0 && !closure_set_unit(c, u, was))
        (void)no_room(c);
}

/* The next operation of the start: its successors, and then the tree with it done. */
static void operate(struct closure *c, const struct op_key *op, uint32_t chip_us)
{
    uint32_t u = op->addr / c->states.shape.erase_bytes;
    const uint32_t *units = closure_after(c, c->tree.unit[u], op);
    struct op_log *log = units == NULL ? NULL : list_add(&c->ops);
    if (log == NULL) {
        (void)no_room(c);
        return;
    }
    uint64_t points = c->now_points;
    c->now_ops++;
    add_successors(c, op, units + 1);
    *log = (struct op_log){.key = *op,
                           .edges_end = (uint32_t)c->edges.count,
                           .chip_us = chip_us,
                           .points = (uint32_t)(c->now_points - points)};
    if (c->rc == 0 && !closure_set_unit(c, u, units[0]))
        (void)no_room(c);
}

/* What the chip holds must be what was worked out for it: weak cells apart, for they were settled.
 */
static void compare(struct closure *c, const struct nor_op *op, uint32_t unit)
{
    const struct states *s = &c->states;
    uint32_t page_bytes = s->shape.page_bytes,
             unit_addr = op->addr - op->addr % s->shape.erase_bytes;
    const uint32_t *words = states_unit(s, unit);
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

void closure_on_op(void *ctx, const struct nor_op *op)
{
    struct closure *c = ctx;
    struct op_key key;
    uint32_t u = op->addr / c->states.shape.erase_bytes;
    if (c->rc != 0)
        return;
    if (c->skip_ops > 0) {
        c->skip_ops--;
        c->ns_before = c->device.chip_ns;
        c->chip_unit[u] = POOL_NONE;
        return;
    }
    if (!closure_op_key(c, op, &key))
        return;
    uint64_t before = c->now_points;
    operate(c, &key, (uint32_t)((c->device.chip_ns - c->ns_before) / 1000));
    c->result.points += c->now_points - before;
    c->ns_before = c->device.chip_ns;
    if (c->rc != 0)
        return;
    c->chip_unit[u] =
        states_unit_is_weak(&c->states, c->tree.unit[u]) ? POOL_NONE : c->tree.unit[u];
    compare(c, op, c->tree.unit[u]);
    if (op->kind == NOR_OP_ERASE)
        closure_forget(c, u);
}

/* ---- joins ---- */

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
        sum = pair[1] == POOL_NONE ? POOL_NONE : pool_put(&c->ram_pairs, pair, NULL);
        c->ram_numbers[i] = sum;
        if (sum == POOL_NONE) {
            c->ram_before_bytes = 0;
            return POOL_NONE;
        }
    }
    c->ram_before_bytes = d->ram_bytes;
    return sum;
}

/* Where weak cells of this start are left, flash alone does not say what is read. False when they
 * are in more units than a head tells. */
static bool put_readings(const struct closure *c, uint32_t *out)
{
    uint32_t n = 0;
    memset(out, 0, CLOSURE_WEAK_UNITS * sizeof *out);
    for (uint32_t i = 0; i < c->weak_count; i++) {
        uint32_t unit = c->weak_list[i];
        if (!states_unit_is_weak(&c->states, c->tree.unit[unit]))
            continue;
        if (n == CLOSURE_WEAK_UNITS)
            return false;
        out[n++] = unit * 4 + closure_reading_of(c, unit);
    }
    return true;
}

enum step { STEP_ON, STEP_JOINED, STEP_LIVELOCK };

/* The record of a moment; false when it cannot be one. */
static bool put_head(struct closure *c, uint32_t ram)
{
    uint32_t *words = c->head_words, groups = c->states.group_count;
    memcpy(words, c->tree.group, groups * sizeof *words);
    words[groups + CLOSURE_WEAK_UNITS] = ram;
    return put_readings(c, words + groups);
}

/* Whether this moment was met before; it is kept if not. */
static enum step meet(struct closure *c, uint32_t ram, struct head *met)
{
    bool fresh;
    if (!put_head(c, ram))
        return STEP_ON;
    uint32_t number = pool_put(&c->head_pool, c->head_words, &fresh);
    if (number == POOL_NONE || (fresh && list_add(&c->heads) == NULL)) {
        (void)no_room(c);
        return STEP_ON;
    }
    struct head *h = (struct head *)c->heads.items + number;
    if (fresh) {
        *h = (struct head){
            .run = c->now_run, .op = (uint32_t)c->ops.count, .points_before = c->now_points};
        return STEP_ON;
    }
    *met = *h;
    return h->run == c->now_run ? STEP_LIVELOCK : STEP_JOINED;
}

static uint64_t add_points(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Readings that still matter to whatever comes. */
static void note_open_readings(struct closure *c)
{
    for (uint32_t i = 0; i < c->weak_count; i++)
        if (states_unit_is_weak(&c->states, c->tree.unit[c->weak_list[i]]))
            closure_note_reading(c, c->weak_list[i]);
}

/* The rest is what that earlier run did from `op` on, which is after so many of its points. */
static void join(struct closure *c, uint32_t run, uint32_t op, uint64_t points_before)
{
    struct run *r = run_at(c, c->now_run);
    const struct run *other = run_at(c, run);
    r->next_op = op < ops_end(c, run) ? op : other->next_op;
    r->end = other->end;
    r->final_state = other->final_state;
    r->points = add_points(c->now_points, other->points - points_before);
    note_open_readings(c); /* what it looked at from here on */
}

/* Whether the start can go on where another one was at this moment. */
static bool met_before(struct closure *c, uint32_t ram)
{
    if (c->options.no_joins || c->now_ops == 0 || !put_head(c, ram))
        return false;
    uint32_t number = pool_find(&c->head_pool, c->head_words);
    if (number == POOL_NONE)
        return false;
    struct head h = ((const struct head *)c->heads.items)[number];
    if (h.run == c->now_run)
        return false; /* for the device to find out */
    join(c, h.run, h.op, h.points_before);
    return true;
}

/*
 * Goes on from a moment without the device, as long as the next segment is known: does its
 * operations to this start's flash, up to where flash is the same as that of the earlier start,
 * which looked at nothing in which they differ. True: the rest is known. Else the device must do
 * it, and the operations told here are skipped then.
 */
static bool go_on(struct closure *c, uint32_t ram)
{
    for (uint32_t i = 0; !c->options.no_recall && i < CLOSURE_STEPS_MAX && c->rc == 0; i++) {
        const struct segment *known = closure_recall(c, ram);
        if (known == NULL || known->run == c->now_run || c->rc != 0)
            return false;
        const struct segment g = *known;
        uint32_t meets = closure_meets(c, &g), count = meets == NONE ? g.op_count : meets;
        if (c->rc != 0 || (meets == NONE && g.next_ram == NONE))
            return false;
        uint64_t points = g.points_before;
        for (uint32_t k = 0; k < count && c->rc == 0; k++) {
            const struct op_log log = *op_at(c, g.first_op + k);
            points += log.points;
            operate(c, &log.key, log.chip_us);
        }
        if (c->rc == 0 && meets != NONE) {
            join(c, g.run, g.first_op + count, points);
            return true;
        }
        ram = g.next_ram;
        if (c->rc == 0 && met_before(c, ram))
            return true;
    }
    return false;
}

/* ---- the end ---- */

static bool touched_foreign(const struct closure *c)
{
    for (uint32_t u = 0; u < c->states.shape.units; u++)
        if (!c->ours[u] && c->tree.unit[u] != c->first_unit[u])
            return true;
    return false;
}

/* Ended by itself: judged, and power may go while the firmware runs. */
static void finish(struct closure *c, enum boot_result result, bool livelock)
{
    struct run *r = run_at(c, c->now_run);
    struct node after = {.parent = c->now_state,
                         .depth = node_at(c, c->now_state)->depth + 1,
                         .cut = {.reading = c->now_reading}};
    note_open_readings(c);
    r->points = c->now_points;
    r->end = livelock ? CLOSURE_LIVELOCK : (uint8_t)closure_device_judge(&c->device, result);
    if (r->end <= CLOSURE_NEW && touched_foreign(c))
        r->end = CLOSURE_FOREIGN;
    if (c->options.max_depth == 0 || after.depth <= c->options.max_depth)
        r->final_state = closure_add_node(c, &after);
}

/* ---- the start ---- */

/* The tree becomes that state. */
static void go_to(struct closure *c, uint32_t state, uint32_t reading)
{
    const struct node *n = node_at(c, state);
    c->now_state = state;
    c->now_reading = reading;
    c->now_ops = 0;
    c->now_points = 0;
    c->ns_before = 0;
    states_get(&c->states, state, &c->tree);
    c->tree_weak = n->weak_units;
    c->weak_count = 0;
    c->weak_looked = c->options.no_recall ? UINT32_MAX : 0;
    for (uint32_t u = 0; c->weak_count < n->weak_units && c->weak_count < DIFFER_MAX; u++)
        if (states_unit_is_weak(&c->states, c->tree.unit[u]))
            c->weak_list[c->weak_count++] = u;
    if (n->weak_units > CLOSURE_WEAK_UNITS)
        c->result.mixed_starts++;
}

/* The device's chip becomes what the state says, weak cells read as this start reads them. */
static void load_chip(struct closure *c)
{
    const struct states_tree *t = &c->begin;
    states_get(&c->states, c->now_state, &c->begin);
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        if (c->chip_unit[u] == t->unit[u])
            continue;
        c->chip_unit[u] = t->unit[u];
        closure_put_unit(c, c->device.nor, u, t->unit[u]);
    }
    for (uint32_t i = 0; i < c->weak_count; i++) {
        uint32_t reading = closure_reading_of(c, c->weak_list[i]) - 1;
        nor_raw_settle(c->device.nor, c->weak_list[i], (enum tear_reading)reading);
        c->chip_unit[c->weak_list[i]] = POOL_NONE;
    }
}

/* The device is between two steps. */
static enum step between(struct closure *c)
{
    struct head met;
    enum step step = STEP_ON;
    if (c->skip_ops > 0 || (c->options.no_joins && c->options.no_recall))
        return STEP_ON;
    uint32_t ram = ram_number(c);
    if (c->rc != 0)
        return STEP_ON;
    closure_segment_end(c, ram);
    if (c->now_ops > 0 && !c->options.no_joins)
        step = meet(c, ram, &met);
    if (step == STEP_JOINED) {
        join(c, met.run, met.op, met.points_before);
        c->result.joins++;
    }
    if (step != STEP_ON || c->options.no_recall || c->rc != 0)
        return step;
    uint32_t told = c->now_ops;
    if (go_on(c, ram))
        return STEP_JOINED;
    c->skip_ops = c->now_ops - told;
    if (c->skip_ops == 0 && c->rc == 0)
        closure_follow(c, ram);
    return STEP_ON;
}

static void execute(struct closure *c)
{
    enum boot_result result = BOOT_BRICKED;
    enum step step = STEP_ON;
    load_chip(c);
    c->spot = NONE;
    c->ns_before = 0;
    c->skip_ops = c->now_ops;
    if (!c->options.no_recall && c->skip_ops == 0)
        closure_follow(c, RECALL_POWER_ON);
    c->result.starts++;
    if (closure_device_start(&c->device)) {
        result = BOOT_MORE;
        for (uint32_t i = 0; result == BOOT_MORE && step == STEP_ON && c->rc == 0; i++) {
            result = closure_device_step(&c->device);
            if (i == CLOSURE_STEPS_MAX)
                step = STEP_LIVELOCK;
            else if (result == BOOT_MORE && c->rc == 0)
                step = between(c);
        }
    }
    if (c->rc == 0 && step == STEP_ON)
        closure_segment_end(c, NONE);
    c->spot = NONE;
    if (c->rc == 0 && step != STEP_JOINED)
        finish(c, result, step == STEP_LIVELOCK);
    closure_device_stop(&c->device);
}

/* An earlier start from the same state that differs only in readings which it did not use. */
static uint32_t same_reading(const struct closure *c, uint32_t state, uint32_t reading)
{
    uint32_t first = node_at(c, state)->first_run, weak = node_at(c, state)->weak_units;
    for (uint32_t other = 0; other < reading && weak <= CLOSURE_WEAK_UNITS; other++) {
        bool same = true;
        for (uint32_t i = 0; i < weak && same; i++)
            same = !(run_at(c, first + other)->weak_looked & 1u << i) ||
                   closure_reading(other, i, weak) == closure_reading(reading, i, weak);
        if (same)
            return first + other;
    }
    return NONE;
}

static void begin_or_recall(struct closure *c, uint32_t state, uint32_t reading)
{
    uint32_t same = same_reading(c, state, reading);
    go_to(c, state, reading);
    if (same != NONE) {
        c->weak_looked = run_at(c, same)->weak_looked;
        join(c, same, run_at(c, same)->first_op, 0);
        c->result.recalled++;
        return;
    }
    if (go_on(c, RECALL_POWER_ON))
        c->result.recalled++;
    else if (c->rc == 0)
        execute(c);
}

void closure_start(struct closure *c, uint32_t state, uint32_t reading)
{
    c->now_run = (uint32_t)c->runs.count;
    struct run *r = list_add(&c->runs);
    if (r == NULL) {
        (void)no_room(c);
        return;
    }
    *r = (struct run){
        .state = state, .first_op = (uint32_t)c->ops.count, .next_op = NONE, .final_state = NONE};
    if (node_at(c, state)->first_run == NONE)
        node_at(c, state)->first_run = c->now_run;
    begin_or_recall(c, state, reading);
    r = run_at(c, c->now_run);
    r->weak_looked = (uint8_t)c->weak_looked;
    c->result.decided = add_points(c->result.decided, r->points);
    struct node *n = node_at(c, state);
    if (n->end < r->end)
        n->end = r->end;
    if (r->end >= CLOSURE_BRICKED && c->failed_run == NONE)
        c->failed_run = c->now_run;
}
