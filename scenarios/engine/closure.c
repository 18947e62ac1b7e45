#include "scenarios/engine/closure.h"

#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "flash_emu/nor_raw.h"
#include "scenarios/engine/closure_internal.h"

#define OPS_MAX        (1u << 31)
#define EDGES_MAX      (1u << 30)
#define HEADS_MAX      (1u << 28)
#define STARTS_PER_CRY 256 /* progress */

/* ---- lists ---- */

int list_init(struct list *l, size_t item_bytes, size_t max)
{
    *l = (struct list){.item_bytes = item_bytes, .cap = 256, .max = max};
    l->items = malloc(l->cap * item_bytes);
    return l->items == NULL ? ERR_NOMEM : 0;
}

void *list_add(struct list *l)
{
    if (l->count == l->max)
        return NULL;
    if (l->count == l->cap) {
        size_t cap = l->cap + l->cap / 2;
        void *items = realloc(l->items, cap * l->item_bytes);
        if (items == NULL)
            return NULL;
        l->items = items;
        l->cap = cap;
    }
    void *item = (uint8_t *)l->items + l->count++ * l->item_bytes;
    memset(item, 0, l->item_bytes);
    return item;
}

static int no_room(struct closure *c)
{
    if (c->rc == 0)
        c->rc = err_set(&c->err, ERR_NOMEM, "closure: no memory for the graph");
    return c->rc;
}

/* ---- birth ---- */

static int make_states(struct closure *c)
{
    const struct nor_geometry *g = &c->subject.geometry;
    struct states_shape shape = {.units = g->size_bytes / g->erase_bytes,
                                 .erase_bytes = g->erase_bytes,
                                 .page_bytes = g->page_bytes,
                                 .mark_bytes = 2 * nor_raw_mark_bytes(c->device.nor)};
    int rc = states_init(&c->states, &shape, c->options.max_states);
    if (rc == 0)
        rc = states_tree_init(&c->states, &c->tree);
    c->first_unit = calloc(shape.units, sizeof *c->first_unit);
    c->ours = calloc(shape.units, 1);
    c->words = calloc(states_unit_words(&c->states), sizeof *c->words);
    c->page = malloc(shape.page_bytes);
    c->page_weak = malloc(shape.page_bytes);
    c->marks = calloc(1, shape.mark_bytes + 4);
    if (rc != 0 || c->first_unit == NULL || c->ours == NULL || c->words == NULL ||
        c->page == NULL || c->page_weak == NULL || c->marks == NULL)
        return ERR_NOMEM;
    return 0;
}

/* Head record: groups, one word per weak unit with its reading, RAM. */
static uint32_t head_words(const struct closure *c)
{
    return c->states.group_count + CLOSURE_WEAK_UNITS + 1;
}

static int make_heads(struct closure *c)
{
    int rc = pool_init(&c->head_pool, head_words(c) * sizeof(uint32_t), HEADS_MAX);
    if (rc == 0)
        rc = pool_init(&c->ram_pages, 256, NONE - 1);
    if (rc == 0)
        rc = pool_init(&c->ram_pairs, 8, NONE - 1);
    c->head_words = calloc(head_words(c), sizeof *c->head_words);
    return c->head_words == NULL ? ERR_NOMEM : rc;
}

static int make_lists(struct closure *c)
{
    int rc = list_init(&c->nodes, sizeof(struct node), NONE - 1);
    if (rc == 0)
        rc = list_init(&c->runs, sizeof(struct run), NONE - 1);
    if (rc == 0)
        rc = list_init(&c->ops, sizeof(struct op_log), OPS_MAX);
    if (rc == 0)
        rc = list_init(&c->edges, sizeof(uint32_t), EDGES_MAX);
    return rc == 0 ? list_init(&c->heads, sizeof(struct head), HEADS_MAX) : rc;
}

static void mark_ours(struct closure *c, uint32_t addr, uint32_t len_bytes)
{
    uint32_t unit = c->subject.geometry.erase_bytes;
    for (uint32_t a = addr / unit; a < (addr + len_bytes + unit - 1) / unit; a++)
        c->ours[a] = 1;
}

static void on_op(void *ctx, const struct nor_op *op);

struct closure *closure_new(const struct closure_subject *s, const struct closure_options *o,
                            struct err *err)
{
    struct closure *c = calloc(1, sizeof *c);
    if (c == NULL) {
        (void)err_set(err, ERR_NOMEM, "closure: no memory");
        return NULL;
    }
    c->subject = *s;
    c->options = *o;
    if (c->options.tears == 0)
        c->options.tears = CLOSURE_TEARS_ALL;
    if (c->options.max_states == 0)
        c->options.max_states = 1;
    struct nor_geometry one = s->geometry;
    one.size_bytes = one.erase_bytes;
    int rc = closure_device_open(&c->device, &c->subject, o->seed, err);
    c->scratch = rc == 0 ? nor_new(&one, o->seed, err) : NULL;
    if (rc == 0 && c->scratch != NULL) {
        rc = make_states(c);
        if (rc == 0)
            rc = make_heads(c);
        if (rc == 0)
            rc = make_lists(c);
        if (rc != 0)
            (void)err_set(err, rc, "closure: no memory");
    }
    if (rc != 0 || c->scratch == NULL) {
        closure_free(c);
        return NULL;
    }
    c->device.observe = on_op;
    c->device.observe_ctx = c;
    mark_ours(c, s->boot.download_offset, s->boot.layout.part_bytes);
    for (uint32_t i = 0; i < s->boot.file_count; i++)
        mark_ours(c, s->boot.files[i].address, s->boot.files[i].area_bytes);
    return c;
}

void closure_free(struct closure *c)
{
    if (c == NULL)
        return;
    closure_device_close(&c->device);
    nor_free(c->scratch);
    states_tree_free(&c->tree);
    states_free(&c->states);
    pool_free(&c->head_pool);
    pool_free(&c->ram_pages);
    pool_free(&c->ram_pairs);
    struct list *lists[] = {&c->nodes, &c->runs, &c->ops, &c->edges, &c->heads};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        free(lists[i]->items);
    free(c->first_unit);
    free(c->ours);
    free(c->words);
    free(c->page);
    free(c->page_weak);
    free(c->marks);
    free(c->head_words);
    free(c->ram_before);
    free(c->ram_numbers);
    free(c);
}

/* ---- states ---- */

/* The tree as a node; found is how it came about. NONE: not stored, c->rc or c->bound tells. */
static uint32_t add_node(struct closure *c, const struct node *found)
{
    bool fresh;
    uint32_t state = states_put(&c->states, &c->tree, &fresh);
    if (state == POOL_NONE) {
        if (c->states.states.count < c->options.max_states)
            (void)no_room(c);
        c->bound = "the number of states was reached";
        return NONE;
    }
    if (!fresh)
        return state;
    struct node *n = list_add(&c->nodes);
    if (n == NULL) {
        (void)no_room(c);
        return NONE;
    }
    *n = *found;
    n->weak_units = (uint16_t)c->tree_weak;
    n->first_run = NONE;
    return state;
}

static bool set_unit(struct closure *c, uint32_t unit, uint32_t number)
{
    uint32_t was = c->tree.unit[unit];
    if (was != POOL_NONE)
        c->tree_weak -= states_unit_is_weak(&c->states, was);
    c->tree_weak += states_unit_is_weak(&c->states, number);
    return states_set(&c->states, &c->tree, unit, number);
}

int closure_add_start(struct closure *c, const struct nor *chip, struct err *err)
{
    const struct nor_geometry *g = nor_geo(chip), *mine = &c->subject.geometry;
    if (g->size_bytes != mine->size_bytes || g->erase_bytes != mine->erase_bytes ||
        g->page_bytes != mine->page_bytes || g->granule_bytes != mine->granule_bytes ||
        g->policy != mine->policy)
        return err_set(err, ERR_ARG, "closure: a chip of another kind");
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        uint32_t number = closure_take_unit(c, chip, u);
        if (number == POOL_NONE || !set_unit(c, u, number))
            return err_set(err, ERR_NOMEM, "closure: no memory");
        closure_put_unit(c, c->device.nor, u, number);
    }
    struct node first = {.parent = NONE};
    if (add_node(c, &first) == NONE)
        return err_set(err, ERR_LIMIT, "closure: no room for a first state");
    if (c->nodes.count == 1)
        memcpy(c->first_unit, c->tree.unit, c->states.shape.units * sizeof *c->first_unit);
    return 0;
}

/* Chip and tree become that state, weak cells read as told. */
static void go_to(struct closure *c, uint32_t state, uint32_t reading)
{
    const struct states *s = &c->states;
    const uint32_t *groups = pool_at(&s->states, state);
    uint32_t units[STATES_GROUP], index = 0;
    for (uint32_t g = 0; g < s->group_count; g++) {
        if (c->tree.group[g] == groups[g])
            continue;
        memcpy(units, pool_at(&s->groups, groups[g]), sizeof units);
        for (uint32_t i = 0; i < STATES_GROUP; i++) {
            uint32_t u = g * STATES_GROUP + i;
            if (u < s->shape.units && c->tree.unit[u] != units[i])
                closure_put_unit(c, c->device.nor, u, units[i]);
        }
    }
    states_get(s, state, &c->tree);
    c->tree_weak = node_at(c, state)->weak_units;
    c->weak_count = 0;
    for (uint32_t u = 0; index < c->tree_weak && u < s->shape.units; u++) {
        if (!states_unit_is_weak(s, c->tree.unit[u]))
            continue;
        closure_put_unit(c, c->device.nor, u, c->tree.unit[u]);
        nor_raw_settle(c->device.nor, u, closure_reading(reading, index++, c->tree_weak));
        if (c->weak_count < CLOSURE_WEAK_UNITS)
            c->weak_list[c->weak_count++] = u;
    }
    if (c->tree_weak > CLOSURE_WEAK_UNITS)
        c->result.mixed_units++;
}

/* ---- one start: its operations ---- */

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

static void add_successors(struct closure *c, const struct nor_op *op)
{
    struct tear_variant v[VARIANTS_MAX];
    uint32_t n = closure_variants(c, op, v);
    uint32_t u = op->addr / c->states.shape.erase_bytes, was = c->tree.unit[u];
    uint32_t from = (uint32_t)c->edges.count;
    struct node found = {.parent = c->now_state,
                         .depth = node_at(c, c->now_state)->depth + 1,
                         .cut = {.op = c->now_ops,
                                 .reading = c->now_reading,
                                 .kind = op->kind,
                                 .addr = op->addr,
                                 .len_bytes = op->len_bytes}};
    c->now_points += n;
    c->result.points += n;
    if (c->options.max_depth != 0 && found.depth > c->options.max_depth) {
        c->bound = "the number of cuts in a row was reached";
        return;
    }
    for (uint32_t i = 0; i < n && c->rc == 0; i++) {
        uint32_t unit = v[i].tear == TEAR_NOTHING ? was : closure_torn_unit(c, op, &v[i]);
        if (c->rc != 0 || (unit != c->tree.unit[u] && !set_unit(c, u, unit)))
            break;
        found.cut.tear = v[i].tear;
        found.cut.arg = v[i].arg;
        uint32_t state = add_node(c, &found);
        if (state != NONE)
            add_edge(c, from, state);
    }
    if (c->rc == 0 && c->tree.unit[u] != was && !set_unit(c, u, was))
        (void)no_room(c);
}

static void on_op(void *ctx, const struct nor_op *op)
{
    struct closure *c = ctx;
    static const struct tear_variant done = {.tear = TEAR_DONE};
    if (c->rc != 0)
        return;
    struct op_log *log = list_add(&c->ops);
    if (log == NULL) {
        (void)no_room(c);
        return;
    }
    c->now_ops++;
    add_successors(c, op);
    log->edges_end = (uint32_t)c->edges.count;
    log->chip_us = (uint32_t)((c->device.chip_ns - c->ns_before) / 1000);
    c->ns_before = c->device.chip_ns;
    uint32_t unit = c->rc == 0 ? closure_torn_unit(c, op, &done) : POOL_NONE;
    if (unit == POOL_NONE)
        return;
    compare(c, op, unit);
    if (!set_unit(c, op->addr / c->states.shape.erase_bytes, unit))
        (void)no_room(c);
}

/* ---- one start: joins ---- */

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

/* Where weak cells of this start are left, flash alone does not say what is read. */
static void put_readings(struct closure *c, uint32_t *out)
{
    uint32_t weak_units = node_at(c, c->now_state)->weak_units, n = 0;
    memset(out, 0, CLOSURE_WEAK_UNITS * sizeof *out);
    for (uint32_t i = 0; i < c->weak_count; i++)
        if (states_unit_is_weak(&c->states, c->tree.unit[c->weak_list[i]]))
            out[n++] =
                1 + c->weak_list[i] * 4 + (uint32_t)closure_reading(c->now_reading, i, weak_units);
}

enum step { STEP_ON, STEP_JOINED, STEP_LIVELOCK };

/* Whether this moment was met before. */
static enum step meet(struct closure *c, uint32_t run, struct head *met)
{
    uint32_t *words = c->head_words, groups = c->states.group_count;
    bool fresh;
    memcpy(words, c->tree.group, groups * sizeof *words);
    put_readings(c, words + groups);
    words[groups + CLOSURE_WEAK_UNITS] = ram_number(c);
    if (words[groups + CLOSURE_WEAK_UNITS] == POOL_NONE) {
        (void)no_room(c);
        return STEP_ON;
    }
    uint32_t number = pool_put(&c->head_pool, words, &fresh);
    if (number == POOL_NONE || (fresh && list_add(&c->heads) == NULL)) {
        (void)no_room(c);
        return STEP_ON;
    }
    struct head *h = (struct head *)c->heads.items + number;
    if (fresh) {
        *h =
            (struct head){.run = run, .op = (uint32_t)c->ops.count, .points_before = c->now_points};
        return STEP_ON;
    }
    *met = *h;
    return h->run == run ? STEP_LIVELOCK : STEP_JOINED;
}

static uint64_t add_points(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* The rest is what that earlier run did from there. */
static void join(struct closure *c, struct run *r, const struct head *h)
{
    const struct run *other = run_at(c, h->run);
    r->next_op = h->op < ops_end(c, h->run) ? h->op : other->next_op;
    r->end = other->end;
    r->final_state = other->final_state;
    r->points = add_points(r->points, other->points - h->points_before);
    c->result.joins++;
}

/* ---- one start: its end ---- */

static bool touched_foreign(const struct closure *c)
{
    for (uint32_t u = 0; u < c->states.shape.units; u++)
        if (!c->ours[u] && c->tree.unit[u] != c->first_unit[u])
            return true;
    return false;
}

/* Ended by itself: judged, and power may go while the firmware runs. */
static void finish(struct closure *c, struct run *r, enum boot_result result, bool livelock)
{
    struct node after = {.parent = c->now_state,
                         .depth = node_at(c, c->now_state)->depth + 1,
                         .cut = {.reading = c->now_reading}};
    r->end = livelock ? CLOSURE_LIVELOCK : (uint8_t)closure_device_judge(&c->device, result);
    if (r->end <= CLOSURE_NEW && touched_foreign(c))
        r->end = CLOSURE_FOREIGN;
    if (c->options.max_depth == 0 || after.depth <= c->options.max_depth)
        r->final_state = add_node(c, &after);
}

static void start(struct closure *c, uint32_t state, uint32_t reading)
{
    uint32_t index = (uint32_t)c->runs.count;
    struct run *r = list_add(&c->runs);
    if (r == NULL) {
        (void)no_room(c);
        return;
    }
    go_to(c, state, reading);
    *r = (struct run){
        .state = state, .first_op = (uint32_t)c->ops.count, .next_op = NONE, .final_state = NONE};
    if (node_at(c, state)->first_run == NONE)
        node_at(c, state)->first_run = index;
    c->now_state = state;
    c->now_reading = reading;
    c->now_ops = 0;
    c->now_points = 0;
    c->ns_before = 0;
    c->result.starts++;

    enum boot_result result = BOOT_BRICKED;
    enum step step = STEP_ON;
    struct head met;
    if (closure_device_start(&c->device)) {
        result = BOOT_MORE;
        for (uint32_t i = 0; result == BOOT_MORE && step == STEP_ON && c->rc == 0; i++) {
            result = closure_device_step(&c->device);
            if (i == CLOSURE_STEPS_MAX)
                step = STEP_LIVELOCK;
            else if (result == BOOT_MORE && !c->options.no_joins && c->now_ops > 0 && c->rc == 0)
                step = meet(c, index, &met);
        }
    }
    r->points = c->now_points;
    if (c->rc == 0 && step == STEP_JOINED)
        join(c, r, &met);
    else if (c->rc == 0)
        finish(c, r, result, step == STEP_LIVELOCK);
    closure_device_stop(&c->device);
    c->result.decided = add_points(c->result.decided, r->points);
    struct node *n = node_at(c, state);
    if (n->end < r->end)
        n->end = r->end;
    if (r->end >= CLOSURE_BRICKED && c->failed_run == NONE)
        c->failed_run = index;
}

/* ---- the whole ---- */

/* New firmware that once started must start again, also where a record reads otherwise. */
static uint32_t fell_back(const struct closure *c)
{
    for (uint32_t i = 0; i < c->runs.count; i++) {
        const struct run *r = run_at(c, i);
        if (r->end != CLOSURE_NEW || r->final_state == NONE)
            continue;
        uint32_t first = node_at(c, r->final_state)->first_run;
        for (uint32_t k = first; k < c->runs.count && run_at(c, k)->state == r->final_state; k++)
            if (run_at(c, k)->end != CLOSURE_NEW)
                return k;
    }
    return NONE;
}

static size_t memory(const struct closure *c)
{
    const struct list *lists[] = {&c->nodes, &c->runs, &c->ops, &c->edges, &c->heads};
    size_t sum = states_memory(&c->states) + pool_memory(&c->head_pool) +
                 pool_memory(&c->ram_pages) + pool_memory(&c->ram_pairs);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        sum += lists[i]->cap * lists[i]->item_bytes;
    return sum;
}

static int conclude(struct closure *c, bool complete, struct closure_result *out, struct err *err)
{
    struct closure_result *r = &c->result;
    r->states = (uint32_t)c->nodes.count;
    r->edges = c->edges.count;
    r->memory_bytes = memory(c);
    r->bound = c->bound;
    r->closed = complete && c->bound == NULL;
    for (uint32_t i = 0; i < c->nodes.count; i++) {
        if (node_at(c, i)->depth > r->depth)
            r->depth = node_at(c, i)->depth;
        if (node_at(c, i)->first_run != NONE)
            r->ends[node_at(c, i)->end]++;
    }
    if (c->failed_run == NONE && r->closed) {
        uint32_t run = fell_back(c);
        if (run != NONE) {
            run_at(c, run)->end = CLOSURE_FELL_BACK;
            c->failed_run = run;
        }
    }
    int rc = 0;
    if (c->failed_run != NONE) {
        if (!r->closed && r->bound == NULL)
            r->bound = "a counter-example was found";
        rc = closure_confirm(c, c->failed_run, r);
    } else {
        r->boots_needed = 1;
        r->end = CLOSURE_NEW;
        if (r->closed)
            rc = closure_measure(c, r);
    }
    *out = *r;
    return rc == 0 ? 0 : err_set(err, rc, "closure: no memory to read the graph");
}

int closure_run(struct closure *c, struct closure_result *out, struct err *err)
{
    bool complete = true;
    c->failed_run = NONE;
    for (uint32_t state = 0; state < c->nodes.count && c->rc == 0; state++) {
        uint32_t readings = closure_readings(node_at(c, state)->weak_units);
        for (uint32_t reading = 0; reading < readings && c->rc == 0; reading++)
            start(c, state, reading);
        if (c->options.progress != NULL && state % STARTS_PER_CRY == 0)
            c->options.progress(c->options.progress_ctx, (uint32_t)c->nodes.count, state + 1,
                                node_at(c, state)->depth);
        if (c->failed_run != NONE && !c->options.all_failures) {
            complete = state + 1 == c->nodes.count;
            break;
        }
        if (c->states.states.count == c->options.max_states && c->bound != NULL &&
            c->options.max_depth == 0) {
            complete = false;
            break;
        }
    }
    if (c->rc != 0) {
        if (err != NULL)
            *err = c->err;
        return c->rc;
    }
    return conclude(c, complete, out, err);
}

/* ---- fingerprints ---- */

void closure_fingerprint(const struct nor *chip, uint8_t sha256[SHA256_BYTES])
{
    const struct nor_geometry *g = nor_geo(chip);
    uint32_t marks_len = 2 * nor_raw_mark_bytes(chip);
    uint8_t cells[256], weak[256], marks[4096] = {0};
    struct digest d;
    if (digest_begin(&d, DIGEST_SHA256) != 0)
        return;
    for (uint32_t u = 0; u < g->size_bytes / g->erase_bytes; u++) {
        nor_raw_marks_get(chip, u, marks);
        for (uint32_t at = 0; at < g->erase_bytes; at += sizeof cells) {
            uint32_t n = g->erase_bytes - at < sizeof cells ? g->erase_bytes - at : sizeof cells;
            nor_raw_get(chip, u * g->erase_bytes + at, n, cells, weak);
            for (uint32_t i = 0; i < n; i++) {
                uint32_t granule = (at + i) / g->granule_bytes;
                if (g->policy != NOR_ECC)
                    cells[i] |= weak[i];
                else if (weak[i] != 0)
                    marks[marks_len / 2 + granule / 8] &= (uint8_t) ~(1u << granule % 8);
            }
            digest_update(&d, cells, n);
            digest_update(&d, weak, n);
        }
        digest_update(&d, marks, marks_len);
    }
    digest_end(&d, sha256);
}

bool closure_state(const struct closure *c, uint32_t number, uint8_t sha256[SHA256_BYTES],
                   enum closure_end *end, uint32_t *depth)
{
    struct states_tree tree;
    struct nor *chip = number < c->nodes.count ? nor_new(&c->subject.geometry, 0, NULL) : NULL;
    if (chip == NULL)
        return false;
    bool ok = states_tree_init(&c->states, &tree) == 0;
    if (ok) {
        states_get(&c->states, number, &tree);
        for (uint32_t u = 0; u < c->states.shape.units; u++)
            closure_put_unit(c, chip, u, tree.unit[u]);
        closure_fingerprint(chip, sha256);
        *end = (enum closure_end)node_at(c, number)->end;
        *depth = node_at(c, number)->depth;
    }
    states_tree_free(&tree);
    nor_free(chip);
    return ok;
}
