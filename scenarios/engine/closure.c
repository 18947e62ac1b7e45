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
    struct states_tree *trees[] = {&c->tree, &c->origin, &c->other};
    uint32_t **per_unit[] = {&c->chip_unit, &c->device_unit, &c->device_begin, &c->first_unit};
    int rc = states_init(&c->states, &shape, c->options.max_states);
    for (size_t i = 0; rc == 0 && i < sizeof trees / sizeof trees[0]; i++)
        rc = states_tree_init(&c->states, trees[i]);
    if (rc == 0)
        rc = sets_init(&c->sets, &c->states);
    size_t pages = (size_t)shape.units * c->states.unit_pages;
    c->looked = calloc(pages == 0 ? 1 : pages, sizeof *c->looked);
    c->ours = calloc(shape.units, 1);
    c->words = calloc(states_unit_words(&c->states), sizeof *c->words);
    c->page = malloc(shape.page_bytes);
    c->page_weak = malloc(shape.page_bytes);
    c->marks = calloc(1, shape.mark_bytes + 4);
    for (size_t i = 0; rc == 0 && i < sizeof per_unit / sizeof per_unit[0]; i++) {
        *per_unit[i] = malloc(shape.units * sizeof **per_unit[i]);
        if (*per_unit[i] == NULL)
            return ERR_NOMEM;
        memset(*per_unit[i], 0xff, shape.units * sizeof **per_unit[i]);
    }
    if (rc != 0 || c->looked == NULL || c->ours == NULL || c->words == NULL || c->page == NULL ||
        c->page_weak == NULL || c->marks == NULL)
        return ERR_NOMEM;
    return 0;
}

struct pool_shape {
    struct pool *pool;
    size_t record_bytes;
    uint32_t max;
};
#define POOLS 12

static void pools_of(struct closure *c, struct pool_shape out[POOLS])
{
    size_t word = sizeof(uint32_t), flash = c->states.group_count * word;
    const struct pool_shape pools[POOLS] = {
        {&c->head_pool, flash + word, HEADS_MAX}, /* groups and RAM */
        {&c->ram_pages, 256, NONE - 1},
        {&c->pairs, 2 * word, NONE - 1},
        {&c->bases, flash, NONE - 1},
        {&c->data, c->subject.geometry.page_bytes, NONE - 1},
        {&c->torn_keys, 4 * word, NONE - 1},
        {&c->set_keys, 4 * word, NONE - 1},
        {&c->op_keys, sizeof(struct op_key), NONE - 1},
        {&c->masked_keys, 2 * word, NONE - 1},
        {&c->leave_keys, 2 * word, NONE - 1},
        {&c->boot_chains, sizeof(struct boot_chain), NONE - 1},
        {&c->told_texts, 64, NONE - 1},
    };
    memcpy(out, pools, sizeof pools);
}

struct list_shape {
    struct list *list;
    size_t item_bytes, max;
};
#define LISTS 17

static void lists_of(struct closure *c, struct list_shape out[LISTS])
{
    const struct list_shape lists[LISTS] = {
        {&c->nodes, sizeof(struct node), NONE - 1},
        {&c->runs, sizeof(struct run), NONE - 1},
        {&c->ops, sizeof(struct op_log), OPS_MAX},
        {&c->edges, sizeof(uint32_t), EDGES_MAX},
        {&c->heads, sizeof(struct head), HEADS_MAX},
        {&c->branches, sizeof(struct branch), NONE - 1},
        {&c->torn, 2 * sizeof(uint32_t), NONE - 1},
        {&c->torn_units, sizeof(uint32_t), NONE - 1},
        {&c->set_after, 3 * sizeof(uint32_t), NONE - 1},
        {&c->segments, sizeof(struct segment), NONE - 1},
        {&c->step_ops, sizeof(struct step_op), OPS_MAX},
        {&c->parts, sizeof(struct part), SET_MAX},
        {&c->keyed, sizeof(struct keyed), SET_MAX},
        {&c->masked, sizeof(uint32_t), NONE - 1},
        {&c->leaves, sizeof(uint32_t), NONE - 1},
        {&c->now_met, sizeof(uint32_t), NONE - 1},
        {&c->now_walked, sizeof(uint32_t), NONE - 1},
    };
    memcpy(out, lists, sizeof lists);
}

static int make_graph(struct closure *c)
{
    struct pool_shape pools[POOLS];
    struct list_shape lists[LISTS];
    int rc = recall_init(&c->recall);
    pools_of(c, pools);
    lists_of(c, lists);
    for (size_t i = 0; rc == 0 && i < POOLS; i++)
        if (pools[i].record_bytes != 0)
            rc = pool_init(pools[i].pool, pools[i].record_bytes, pools[i].max);
    for (size_t i = 0; rc == 0 && i < LISTS; i++)
        rc = list_init(lists[i].list, lists[i].item_bytes, lists[i].max);
    c->head_words = calloc(c->states.group_count + 1, sizeof *c->head_words);
    return c->head_words == NULL ? ERR_NOMEM : rc;
}

static void mark_ours(struct closure *c, uint32_t addr, uint32_t len_bytes)
{
    uint32_t unit = c->subject.geometry.erase_bytes;
    for (uint32_t a = addr / unit; a < (addr + len_bytes + unit - 1) / unit; a++)
        c->ours[a] = 1;
}

static void mark_banks(struct closure *c)
{
    const struct boot_config *b = &c->subject.boot;
    const struct state_layout *l = &b->layout;
    uint32_t backup_end = b->download_offset + state_backup_addr(l) + l->backup_bytes;
    c->bank_unit[0] = (b->download_offset + l->part_bytes) / l->erase_bytes - 1;
    c->bank_unit[1] = backup_end / l->erase_bytes - 1;
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
    c->any = NONE;
    if (c->options.tears == 0)
        c->options.tears = CLOSURE_TEARS_ALL;
    if (c->options.max_states == 0)
        c->options.max_states = 1;
    c->options.no_sets = c->options.no_sets || c->options.no_recall;
    c->scratch_geometry = s->geometry;
    c->scratch_geometry.size_bytes = c->scratch_geometry.erase_bytes;
    int rc = closure_device_open(&c->device, &c->subject, o->seed, err);
    c->scratch = rc == 0 ? nor_new(&c->scratch_geometry, o->seed, err) : NULL;
    if (rc == 0 && c->scratch != NULL) {
        rc = make_states(c);
        if (rc == 0)
            rc = make_graph(c);
        if (rc != 0)
            (void)err_set(err, rc, "closure: no memory");
    }
    if (rc != 0 || c->scratch == NULL) {
        closure_free(c);
        return NULL;
    }
    closure_device_hooks(c);
    closure_listen(c);
    c->told = NONE;
    mark_banks(c);
    mark_ours(c, s->boot.download_offset, s->boot.layout.part_bytes);
    for (uint32_t i = 0; i < s->boot.file_count; i++)
        mark_ours(c, s->boot.files[i].address, s->boot.files[i].area_bytes);
    return c;
}

void closure_free(struct closure *c)
{
    if (c == NULL)
        return;
    struct pool_shape pools[POOLS];
    struct list_shape lists[LISTS];
    pools_of(c, pools);
    lists_of(c, lists);
    closure_device_close(&c->device);
    nor_free(c->scratch);
    states_tree_free(&c->tree);
    states_tree_free(&c->origin);
    states_tree_free(&c->other);
    for (size_t i = 0; i < POOLS; i++)
        pool_free(pools[i].pool);
    for (size_t i = 0; i < LISTS; i++)
        free(lists[i].list->items);
    recall_free(&c->recall);
    sets_free(&c->sets);
    states_free(&c->states);
    void *rooms[] = {c->looked,     c->chip_unit,  c->device_unit, c->device_begin, c->first_unit,
                     c->ours,       c->words,      c->page,        c->page_weak,    c->marks,
                     c->head_words, c->ram_before, c->ram_numbers};
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
        free(rooms[i]);
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
    n->first_run = NONE;
    return state;
}

bool closure_set_unit(struct closure *c, uint32_t unit, uint32_t set)
{
    return states_set(&c->states, &c->tree, unit, set);
}

void closure_load_tree(struct closure *c, const struct states_tree *t)
{
    uint32_t units = c->states.shape.units;
    memcpy(c->tree.unit, t->unit, units * sizeof *t->unit);
    memcpy(c->tree.group, t->group, c->states.group_count * sizeof *t->group);
    c->weak_units = 0;
    for (uint32_t u = 0; u < units; u++) {
        if (!sets_is_weak(&c->sets, t->unit[u]))
            continue;
        if (c->weak_units < OVERS_MAX)
            c->weak_unit[c->weak_units] = u;
        c->weak_units++;
    }
}

uint32_t closure_put_base(struct closure *c, const struct states_tree *t)
{
    uint32_t base = pool_put(&c->bases, t->group, NULL);
    if (base == POOL_NONE)
        (void)no_room(c);
    return base;
}

void closure_get_base(const struct closure *c, uint32_t base, struct states_tree *t)
{
    const uint32_t *groups = pool_at(&c->bases, base);
    for (uint32_t g = 0; g < c->states.group_count; g++) {
        t->group[g] = groups[g];
        memcpy(t->unit + g * STATES_GROUP, pool_at(&c->states.groups, groups[g]),
               STATES_GROUP * sizeof *t->unit);
    }
}

int closure_add_start(struct closure *c, const struct nor *chip, struct err *err)
{
    const struct nor_geometry *g = nor_geo(chip), *mine = &c->subject.geometry;
    if (g->size_bytes != mine->size_bytes || g->erase_bytes != mine->erase_bytes ||
        g->page_bytes != mine->page_bytes || g->granule_bytes != mine->granule_bytes ||
        g->policy != mine->policy)
        return err_set(err, ERR_ARG, "closure: a chip of another kind");
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        uint32_t content = closure_take_unit(c, chip, u);
        uint32_t set = content == POOL_NONE ? SET_NONE : sets_one(&c->sets, content, 0);
        if (set == SET_NONE || !states_set(&c->states, &c->tree, u, set))
            return err_set(err, ERR_NOMEM, "closure: no memory");
    }
    const struct node first = {.run = NONE};
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

size_t closure_memory(struct closure *c)
{
    struct pool_shape pools[POOLS];
    struct list_shape lists[LISTS];
    size_t sum = states_memory(&c->states) + sets_memory(&c->sets) + recall_memory(&c->recall);
    pools_of(c, pools);
    lists_of(c, lists);
    for (size_t i = 0; i < POOLS; i++)
        if (pools[i].record_bytes != 0)
            sum += pool_memory(pools[i].pool);
    for (size_t i = 0; i < LISTS; i++)
        sum += lists[i].list->cap * lists[i].list->item_bytes;
    return sum;
}

static int conclude(struct closure *c, bool complete, struct closure_result *out, struct err *err)
{
    struct closure_result *r = &c->result;
    r->states = (uint32_t)c->nodes.count;
    r->edges = c->edges.count;
    r->memory_bytes = closure_memory(c);
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
        closure_start(c, state);
        if (c->stuck) {
            complete = false;
            break;
        }
        if (c->options.progress != NULL && state % STARTS_PER_CRY == 0 &&
            !c->options.progress(c->options.progress_ctx, (uint32_t)c->nodes.count, state + 1,
                                 node_at(c, state)->depth)) {
            c->bound = "it was interrupted";
            complete = false;
            break;
        }
        if (c->options.max_bytes != 0 && state % STARTS_PER_CRY == 0 &&
            closure_memory(c) > c->options.max_bytes) {
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

uint32_t closure_first_ops(const struct closure *c, struct closure_cut *out, uint32_t max)
{
    uint32_t count = c->runs.count == 0 ? 0 : ops_end(c, 0);
    for (uint32_t i = 0; i < count && i < max; i++) {
        const struct op_key *k = &op_at(c, i)->key;
        out[i] = (struct closure_cut){.op = i + 1,
                                      .kind = (enum nor_op_kind)k->kind,
                                      .addr = k->addr,
                                      .len_bytes = k->len_bytes};
    }
    return count < max ? count : max;
}

/* ---- fingerprints ---- */

/* Of one unit: cells and marks with what hangs on the reading of weak cells in one fixed form. */
void closure_unit_fingerprint(const struct nor *chip, uint32_t unit, uint8_t sha256[SHA256_BYTES])
{
    const struct nor_geometry *g = nor_geo(chip);
    uint32_t marks_len = 2 * nor_raw_mark_bytes(chip);
    uint8_t cells[256], weak[256], marks[4096] = {0};
    struct digest d;
    if (digest_begin(&d, DIGEST_SHA256) != 0)
        return;
    nor_raw_marks_get(chip, unit, marks);
    for (uint32_t at = 0; at < g->erase_bytes; at += sizeof cells) {
        uint32_t n = g->erase_bytes - at < sizeof cells ? g->erase_bytes - at : sizeof cells;
        nor_raw_get(chip, unit * g->erase_bytes + at, n, cells, weak);
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
    digest_end(&d, sha256);
}

void closure_fingerprint(const struct nor *chip, uint8_t sha256[SHA256_BYTES])
{
    const struct nor_geometry *g = nor_geo(chip);
    uint8_t unit[SHA256_BYTES];
    struct digest d;
    if (digest_begin(&d, DIGEST_SHA256) != 0)
        return;
    for (uint32_t u = 0; u < g->size_bytes / g->erase_bytes; u++) {
        closure_unit_fingerprint(chip, u, unit);
        digest_update(&d, unit, sizeof unit);
    }
    digest_end(&d, sha256);
}

/* Fingerprints of all contents, a row each. Null without memory. */
static uint8_t *all_fingerprints(const struct closure *c)
{
    struct nor *chip = nor_new(&c->scratch_geometry, 0, NULL);
    uint32_t count = c->states.units.count;
    uint8_t *out = chip == NULL ? NULL : calloc(count, SHA256_BYTES);
    for (uint32_t i = 0; i < count && out != NULL; i++) {
        closure_put_unit(c, chip, 0, i);
        closure_unit_fingerprint(chip, 0, out + (size_t)i * SHA256_BYTES);
    }
    nor_free(chip);
    return out;
}

/* Every choice of one element each in the units of a tree. */
static void each_choice(const struct closure *c, const struct states_tree *t, uint32_t *at,
                        const uint8_t *fingerprints, closure_content *each, void *ctx,
                        enum closure_end end, uint32_t depth)
{
    uint8_t sha256[SHA256_BYTES];
    uint32_t units = c->states.shape.units, u = 0;
    struct digest d;
    memcpy(at, t->unit, units * sizeof *at);
    while (u < units) {
        if (digest_begin(&d, DIGEST_SHA256) != 0)
            return;
        for (u = 0; u < units; u++)
            digest_update(
                &d, fingerprints + (size_t)sets_first(&c->sets, at[u])->content * SHA256_BYTES,
                SHA256_BYTES);
        digest_end(&d, sha256);
        each(ctx, sha256, end, depth);
        for (u = 0; u < units; u++) {
            at[u] = sets_rest(&c->sets, at[u]);
            if (at[u] != SET_NONE)
                break;
            at[u] = t->unit[u];
        }
    }
}

int closure_contents(const struct closure *c, closure_content *each, void *ctx)
{
    struct states_tree tree;
    uint8_t *fingerprints = all_fingerprints(c);
    uint32_t *at = calloc(c->states.shape.units, sizeof *at);
    int rc = states_tree_init(&c->states, &tree);
    if (fingerprints == NULL || at == NULL)
        rc = ERR_NOMEM;
    for (uint32_t i = 0; rc == 0 && i < c->runs.count; i++) {
        const struct run *r = run_at(c, i);
        closure_get_base(c, r->origin, &tree);
        each_choice(c, &tree, at, fingerprints, each, ctx, (enum closure_end)r->end,
                    node_at(c, r->state)->depth);
    }
    states_tree_free(&tree);
    free(at);
    free(fingerprints);
    return rc;
}
