#include "scenarios/engine/closure.h"

#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "flash_emu/nor_raw.h"
#include "scenarios/engine/closure_internal.h"

#define OPS_MAX        (1u << 31)
#define EDGES_MAX      (1u << 30)
#define HEADS_MAX      (1u << 28)
#define STARTS_PER_CRY 256 /* between looks at progress and memory */

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
    if (rc == 0)
        rc = states_tree_init(&c->states, &c->begin);
    size_t pages = (size_t)shape.units * c->states.unit_pages;
    c->looked = calloc(pages == 0 ? 1 : pages, sizeof *c->looked);
    c->chip_unit = malloc(shape.units * sizeof *c->chip_unit);
    c->first_unit = calloc(shape.units, sizeof *c->first_unit);
    c->ours = calloc(shape.units, 1);
    c->words = calloc(states_unit_words(&c->states), sizeof *c->words);
    c->page = malloc(shape.page_bytes);
    c->page_weak = malloc(shape.page_bytes);
    c->marks = calloc(1, shape.mark_bytes + 4);
    if (c->chip_unit != NULL)
        memset(c->chip_unit, 0xff, shape.units * sizeof *c->chip_unit);
    if (rc != 0 || c->looked == NULL || c->chip_unit == NULL || c->first_unit == NULL ||
        c->ours == NULL || c->words == NULL || c->page == NULL || c->page_weak == NULL ||
        c->marks == NULL)
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
    if (rc == 0)
        rc = recall_init(&c->recall);
    if (rc == 0)
        rc = pool_init(&c->bases, c->states.group_count * sizeof(uint32_t), NONE - 1);
    if (rc == 0)
        rc = list_init(&c->segments, sizeof(struct segment), NONE - 1);
    if (rc == 0)
        rc = pool_init(&c->data, c->subject.geometry.page_bytes, NONE - 1);
    if (rc == 0)
        rc = pool_init(&c->torn_keys, 5 * sizeof(uint32_t), NONE - 1);
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
    if (rc == 0)
        rc = list_init(&c->torn, sizeof(uint32_t), NONE - 1);
    if (rc == 0)
        rc = list_init(&c->torn_units, sizeof(uint32_t), NONE - 1);
    return rc == 0 ? list_init(&c->heads, sizeof(struct head), HEADS_MAX) : rc;
}

static void mark_ours(struct closure *c, uint32_t addr, uint32_t len_bytes)
{
    uint32_t unit = c->subject.geometry.erase_bytes;
    for (uint32_t a = addr / unit; a < (addr + len_bytes + unit - 1) / unit; a++)
        c->ours[a] = 1;
}

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
    c->device.observe = closure_on_op;
    c->device.look = closure_on_look;
    c->device.hook_ctx = c;
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
    states_tree_free(&c->begin);
    states_free(&c->states);
    pool_free(&c->head_pool);
    pool_free(&c->ram_pages);
    pool_free(&c->ram_pairs);
    pool_free(&c->data);
    pool_free(&c->torn_keys);
    recall_free(&c->recall);
    pool_free(&c->bases);
    struct list *lists[] = {&c->nodes, &c->runs, &c->ops,        &c->edges,
                            &c->heads, &c->torn, &c->torn_units, &c->segments};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        free(lists[i]->items);
    free(c->looked);
    free(c->chip_unit);
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

uint32_t closure_add_node(struct closure *c, const struct node *found)
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

bool closure_set_unit(struct closure *c, uint32_t unit, uint32_t number)
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
        if (number == POOL_NONE || !closure_set_unit(c, u, number))
            return err_set(err, ERR_NOMEM, "closure: no memory");
    }
    struct node first = {.parent = NONE};
    if (closure_add_node(c, &first) == NONE)
        return err_set(err, ERR_LIMIT, "closure: no room for a first state");
    if (c->nodes.count == 1)
        memcpy(c->first_unit, c->tree.unit, c->states.shape.units * sizeof *c->first_unit);
    return 0;
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
    const struct list *lists[] = {&c->nodes, &c->runs, &c->ops,        &c->edges,
                                  &c->heads, &c->torn, &c->torn_units, &c->segments};
    size_t sum = states_memory(&c->states) + pool_memory(&c->head_pool) +
                 pool_memory(&c->ram_pages) + pool_memory(&c->ram_pairs) + pool_memory(&c->data) +
                 pool_memory(&c->torn_keys) + recall_memory(&c->recall) + pool_memory(&c->bases);
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
            closure_start(c, state, reading);
        if (c->options.progress != NULL && state % STARTS_PER_CRY == 0)
            c->options.progress(c->options.progress_ctx, (uint32_t)c->nodes.count, state + 1,
                                node_at(c, state)->depth);
        if (c->options.max_bytes != 0 && state % STARTS_PER_CRY == 0 &&
            memory(c) > c->options.max_bytes) {
            c->bound = "the memory allowed was used";
            complete = false;
            break;
        }
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
