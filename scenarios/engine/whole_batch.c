/*
 * What is to be run and what is known. Nodes and ends are taken in strictly in order, each when all
 * its parts are known; ahead of that, parts that nobody ran are given out as tasks. Of those that
 * leave what is known at the same place with the same content only one is run.
 */
#include <string.h>

#include "scenarios/engine/whole_internal.h"

#define LOOKED_AT_MAX 200000u /* nodes and ends of one batch, most of them known */
/* Roots of the recall beside those of the boot loader alone. */
#define RECALL_HEAL  (RECALL_POWER_ON - 1)
#define RECALL_START (RECALL_POWER_ON - 2)
#define MEMORY_EVERY 64u
#define CHOICES_MAX  (1u << 20) /* of one node, with no_recall */

/* ---- starts ---- */

static const struct whole_key *key_of(const struct whole *w, const struct whole_todo *of)
{
    return of->end != NONE ? &whole_end_at(w, of->end)->key : &whole_node_at(w, of->node)->key;
}

static uint32_t recall_from(struct whole *w, uint32_t kind, const struct whole_key *k,
                            const struct judge_severity *s, bool foreign, uint32_t chain,
                            uint32_t loss)
{
    struct recall *r = &w->flash->recall;
    /* What the device finds at a power-on and at a reset it cannot tell apart. */
    const uint32_t moment = k->reset < WHOLE_MOMENT_0 ? 0 : k->reset;
    const uint32_t flags = (s->weak_cut | s->lost << 1) << 1 | foreign;
    const uint32_t first[RECALL_KEY_WORDS] = {k->cloud, k->judge, s->served_bytes, flags};
    const uint32_t more[RECALL_KEY_WORDS] = {s->stored_segments, chain, loss, moment};
    uint32_t spot = recall_root(r, kind);
    spot = spot == RECALL_NONE ? spot : recall_next(r, spot, first, true);
    return spot == RECALL_NONE ? spot : recall_next(r, spot, more, true);
}

uint32_t whole_recall_key(struct whole *w, const struct whole_key *k,
                          const struct judge_severity *s, bool foreign, uint32_t chain,
                          uint32_t loss)
{
    return recall_from(w, RECALL_START, k, s, foreign, chain, loss);
}

uint32_t whole_recall_root(struct whole *w, const struct whole_todo *of, uint32_t chain)
{
    if (of->end != NONE)
        return recall_from(w, RECALL_HEAL, key_of(w, of), &whole_end_at(w, of->end)->severity,
                           of->foreign, chain, of->loss);
    return recall_from(w, RECALL_START, key_of(w, of), &whole_node_at(w, of->node)->severity,
                       of->foreign, chain, of->loss);
}

bool whole_load(struct whole *w, const struct whole_todo *of)
{
    struct closure *c = w->flash;
    const struct whole_key *k = key_of(w, of);
    if (of->base != NONE) {
        closure_get_base(c, of->base, &c->tree);
        return true;
    }
    states_get(&c->states, k->flash, &c->tree);
    for (uint32_t u = 0; u < c->states.shape.units && k->reset == 0; u++) {
        if (!sets_is_weak(&c->sets, c->tree.unit[u]))
            continue;
        uint32_t on = sets_on(&c->sets, c->tree.unit[u]);
        if (on == SET_NONE || !closure_set_unit(c, u, on))
            return false;
    }
    return true;
}

/* ---- what is known ---- */

/* Without recall every choice of one element each is run, and found again by itself alone. */
uint32_t whole_recall_choice(struct whole *w, const struct whole_todo *of, uint32_t base)
{
    const uint32_t key[RECALL_KEY_WORDS] = {base, key_of(w, of)->reset, UINT32_MAX};
    uint32_t root = whole_recall_root(w, of, NONE);
    return root == RECALL_NONE ? root : recall_next(&w->flash->recall, root, key, true);
}

static bool add_known(struct whole *w, uint32_t base, uint32_t leaf)
{
    struct whole_known *k = base == POOL_NONE ? NULL : list_add(&w->known);
    const struct whole_leaf *l = pool_at(&w->leaves, leaf);
    if (k != NULL)
        *k = (struct whole_known){.base = base, .behaviour = l->behaviour, .losses = l->losses};
    return k != NULL;
}

static bool add_task(struct whole *w, const struct whole_todo *of, uint32_t base, uint32_t chain)
{
    struct whole_task *t = base == POOL_NONE ? NULL : list_add(&w->tasks);
    if (t == NULL)
        return false;
    *t = (struct whole_task){.of = *of, .base = base, .chain = chain, .audit = NONE};
    if (of->end == NONE)
        whole_node_at(w, of->node)->asked = true;
    return true;
}

/* The tree with what is other in that part, and in one unit one element alone (unless NONE). */
static uint32_t base_of(struct whole *w, const struct part *p, uint32_t unit, uint32_t element)
{
    struct closure *c = w->flash;
    uint32_t units = c->states.shape.units;
    memcpy(c->other.unit, c->tree.unit, units * sizeof *c->other.unit);
    memcpy(c->other.group, c->tree.group, c->states.group_count * sizeof *c->other.group);
    for (uint32_t i = 0; i < p->count; i++)
        if (!states_set(&c->states, &c->other, p->over[i].unit, p->over[i].set))
            return POOL_NONE;
    if (element != NONE) {
        sets_clear(&c->sets);
        (void)sets_add_element(&c->sets, element);
        uint32_t set = sets_put(&c->sets);
        if (set == SET_NONE || !states_set(&c->states, &c->other, unit, set))
            return POOL_NONE;
    }
    return closure_put_base(c, &c->other);
}

enum finding { ALL_KNOWN, SOME_UNKNOWN, NO_MEMORY };

/* Where the boot loader leads it: asked for once. */
static bool find_paths(struct whole *w, struct whole_todo *of)
{
    struct closure *c = w->flash;
    if (!w->has_boot || of->end != NONE || of->n_paths > 0 ||
        whole_is_moment(whole_node_at(w, of->node)))
        return true;
    if (!whole_load(w, of))
        return false;
    uint32_t base = closure_put_base(c, &c->tree);
    of->first_path = (uint32_t)w->paths.count;
    if (base == POOL_NONE || closure_boot_paths(c, base, &w->paths) != 0)
        return false;
    of->n_paths = (uint32_t)w->paths.count - of->first_path;
    return true;
}

/* The part of the tree that is that base. */
static bool part_of_path(struct closure *c, uint32_t base, struct part *p)
{
    const uint32_t *groups = pool_at(&c->bases, base);
    uint32_t set;
    for (uint32_t u = 0; states_next_other(&c->states, &c->tree, groups, &u, &set); u++) {
        if (p->count == OVERS_MAX)
            return false;
        p->over[p->count++] = (struct over){.unit = u, .set = set};
    }
    return true;
}

static bool is_foreign_changed(const struct whole *w)
{
    const struct closure *c = w->flash;
    for (uint32_t u = 0; u < c->states.shape.units; u++)
        if (w->foreign[u] && c->tree.unit[u] != w->first_unit[u])
            return true;
    return false;
}

/* One part for each path, else the whole. Until it is known a part has its chain for behaviour. */
static bool begin_parts(struct whole *w, const struct whole_todo *of)
{
    struct closure *c = w->flash;
    const struct boot_path none = {.chain = NONE};
    c->parts.count = 0;
    for (uint32_t i = 0; i < of->n_paths || i == 0; i++) {
        const struct boot_path *path =
            of->n_paths == 0 ? &none
                             : (const struct boot_path *)w->paths.items + of->first_path + i;
        struct part *p = list_add(&c->parts);
        if (p == NULL)
            return false;
        p->segment = NONE;
        p->behaviour = path->chain;
        p->spot = whole_recall_root(w, of, path->chain);
        if (p->spot == RECALL_NONE)
            return false;
        if (path->chain != NONE && !part_of_path(c, path->origin, p)) {
            c->bound = "a boot loader told too many units apart";
            c->stuck = true;
        }
    }
    return true;
}

/* Its parts, as far as they are known, into flash->parts. */
static enum finding resolve(struct whole *w, struct whole_todo *of)
{
    struct closure *c = w->flash;
    enum finding found = ALL_KNOWN;
    if (!find_paths(w, of) || !whole_load(w, of))
        return NO_MEMORY;
    of->foreign = of->end == NONE && is_foreign_changed(w);
    if (!begin_parts(w, of))
        return NO_MEMORY;
    for (size_t i = 0; i < c->parts.count && c->rc == 0 && !c->stuck; i++) {
        closure_walk(c, i);
        if (part_at(c, i)->segment == NONE)
            found = SOME_UNKNOWN;
        else
            part_at(c, i)->behaviour = part_at(c, i)->segment;
    }
    if (c->stuck)
        whole_stop(w, c->bound);
    if (whole_looked_at_any(w))
        return SOME_UNKNOWN;
    return c->rc == 0 ? found : NO_MEMORY;
}

/* Every choice a part of its own; unknown ones become tasks, unless tasks is null. */
static enum finding resolve_choices(struct whole *w, const struct whole_todo *of, bool ask)
{
    struct closure *c = w->flash;
    enum finding found = ALL_KNOWN;
    uint32_t units = c->states.shape.units, rest = 0;
    if (!whole_load(w, of))
        return NO_MEMORY;
    w->known.count = 0;
    for (uint32_t n = 0; rest == 0 && n < CHOICES_MAX; n++) {
        rest = n;
        memcpy(c->other.unit, c->tree.unit, units * sizeof *c->other.unit);
        memcpy(c->other.group, c->tree.group, c->states.group_count * sizeof *c->other.group);
        for (uint32_t u = 0; u < units; u++) {
            uint32_t set = c->tree.unit[u], count = sets_count(&c->sets, set);
            if (count == 1)
                continue;
            for (uint32_t skip = rest % count; skip > 0; skip--)
                set = sets_rest(&c->sets, set);
            rest /= count;
            set = sets_one(&c->sets, sets_first(&c->sets, set)->content,
                           sets_first(&c->sets, set)->reading);
            if (set == SET_NONE || !states_set(&c->states, &c->other, u, set))
                return NO_MEMORY;
        }
        if (rest > 0)
            break;
        uint32_t base = closure_put_base(c, &c->other);
        uint32_t spot = base == POOL_NONE ? RECALL_NONE : whole_recall_choice(w, of, base);
        if (spot == RECALL_NONE)
            return NO_MEMORY;
        const struct recall_spot at = c->recall.spots[spot];
        if (at.kind == RECALL_SEGMENT ? !add_known(w, base, at.value)
                                      : ask && !add_task(w, of, base, NONE))
            return NO_MEMORY;
        if (at.kind != RECALL_SEGMENT)
            found = SOME_UNKNOWN;
    }
    if (rest == 0)
        whole_stop(w, "a state stands for too many contents to run each");
    return found;
}

/* ---- asking ---- */

/* Whether nobody runs what leaves there in this batch. */
static int is_first(struct whole *w, uint32_t spot, const uint32_t *key)
{
    uint32_t words[2 + RECALL_KEY_WORDS] = {spot, w->batches};
    bool fresh;
    if (key != NULL)
        memcpy(words + 2, key, RECALL_KEY_WORDS * sizeof *key);
    return pool_put(&w->awaited, words, &fresh) == POOL_NONE ? -1 : fresh;
}

/* Each content that a part waits with. */
static bool ask_elements(struct whole *w, const struct whole_todo *of, const struct part *p)
{
    struct closure *c = w->flash;
    const struct recall_spot look = c->recall.spots[p->spot];
    uint32_t unit = look.value / c->states.unit_pages, key[RECALL_KEY_WORDS];
    for (uint32_t at = closure_set_in(c, p, unit); at != SET_NONE; at = sets_rest(&c->sets, at)) {
        closure_shown(c, sets_first(&c->sets, at), &look, key);
        if (c->rc != 0)
            return false;
        int first = is_first(w, p->spot, key);
        if (first < 0 ||
            (first > 0 &&
             !add_task(w, of, base_of(w, p, unit, sets_element_at(&c->sets, at)), p->behaviour)))
            return false;
    }
    return true;
}

static bool ask(struct whole *w, const struct whole_todo *of)
{
    struct closure *c = w->flash;
    for (size_t i = 0; i < c->parts.count; i++) {
        const struct part p = *part_at(c, i);
        if (p.segment != NONE)
            continue;
        if (p.waits) {
            if (!ask_elements(w, of, &p))
                return false;
            continue;
        }
        int first = is_first(w, p.spot, NULL);
        if (first < 0 || (first > 0 && !add_task(w, of, base_of(w, &p, 0, NONE), p.behaviour)))
            return false;
    }
    return true;
}

static bool is_covered(const struct whole *w, const struct whole_todo *of)
{
    return of->end == NONE && whole_node_at(w, of->node)->stricter != NONE;
}

/* Tasks for what is unknown of it. */
static bool look_at(struct whole *w, uint32_t number)
{
    struct whole_todo of = ((const struct whole_todo *)w->queue.items)[number];
    enum finding f;
    if (is_covered(w, &of))
        return true; /* the stricter one is run instead */
    f = w->options.no_recall ? resolve_choices(w, &of, true) : resolve(w, &of);
    ((struct whole_todo *)w->queue.items)[number] = of;
    if (f == ALL_KNOWN)
        return true;
    if (f == SOME_UNKNOWN && !w->options.no_recall && !ask(w, &of))
        return false;
    return f != NO_MEMORY && whole_add_number(&w->asked, number);
}

static bool collect(struct whole *w, uint32_t max)
{
    struct list before = w->asked;
    bool good = true;
    w->batches++;
    w->asked = w->spare;
    w->asked.count = 0;
    w->spare = before;
    for (uint32_t i = 0; i < before.count && good; i++) {
        uint32_t number = ((const uint32_t *)before.items)[i];
        if (number < w->queue_at)
            continue;
        good = w->tasks.count - w->batch_first < max ? look_at(w, number)
                                                     : whole_add_number(&w->asked, number);
    }
    for (uint32_t looked = 0; good && w->queue_ahead < w->queue.count && !w->stopped &&
                              w->tasks.count - w->batch_first < max && looked < LOOKED_AT_MAX;
         looked++)
        good = look_at(w, (uint32_t)w->queue_ahead++);
    return good;
}

/* ---- taking in ---- */

static int take_part(struct whole *w, const struct whole_todo *of, const struct whole_known *k,
                     struct err *err)
{
    struct whole_taking t = {.w = w, .node = of->node};
    bool blamed = whole_outcome_of(w, k->behaviour)->blame != NONE;
    if (of->end == NONE)
        whole_begin_part(&t, k, of->loss);
    if (t.rc == 0 && blamed && whole_tell_failure(&t, of, k) && !w->options.all_failures) {
        if (of->end == NONE)
            whole_node_at(w, of->node)->failed = true;
        if (whole_found_enough(w))
            whole_stop(w, "a counter-example was found");
    } else if (t.rc == 0 && of->end == NONE && !w->stopped && !whole_merge(&t)) {
        whole_step_all(&t);
        if (t.rc == 0 && !w->stopped && !whole_add_losses(w, of, k))
            whole_full(&t);
        w->result.lost_parts += of->loss != NONE;
    }
    if (t.rc == 0 && !blamed && !w->stopped)
        whole_audit_part(&t, of, k);
    if (t.rc != 0 && err != NULL)
        *err = t.err;
    if (w->options.max_bytes != 0 && w->runs.count % MEMORY_EVERY == 0 &&
        whole_memory(w) > w->options.max_bytes)
        whole_stop(w, "the memory allowed was used");
    return t.rc;
}

/* Parts that do the same become one; all of them among the known. */
static bool gather(struct whole *w)
{
    struct closure *c = w->flash;
    w->known.count = 0;
    if (c->parts.count > 1 && !w->options.no_sets)
        closure_unite(c);
    for (size_t i = 0; i < c->parts.count && c->rc == 0; i++) {
        const struct part p = *part_at(c, i);
        if (!add_known(w, base_of(w, &p, 0, NONE), p.behaviour))
            return false;
    }
    return c->rc == 0;
}

/* Those at the head of the queue of which all is known. */
static int take_known(struct whole *w, struct err *err)
{
    int rc = 0;
    while (rc == 0 && w->queue_at < w->queue.count && !w->stopped) {
        struct whole_todo of = ((const struct whole_todo *)w->queue.items)[w->queue_at];
        if (!is_covered(w, &of)) {
            enum finding f =
                w->options.no_recall ? resolve_choices(w, &of, false) : resolve(w, &of);
            ((struct whole_todo *)w->queue.items)[w->queue_at] = of;
            if (f == SOME_UNKNOWN)
                break;
            if (f == NO_MEMORY || (!w->options.no_recall && !gather(w)))
                return w->flash->rc != 0
                           ? err_set(err, w->flash->rc, "%s", w->flash->err.text)
                           : err_set(err, ERR_NOMEM, "closure: no memory for the graph");
            for (size_t i = 0; i < w->known.count && rc == 0 && !w->stopped; i++) {
                const struct whole_known k = ((const struct whole_known *)w->known.items)[i];
                rc = take_part(w, &of, &k, err);
            }
        }
        w->queue_at++;
        if (w->queue_ahead < w->queue_at)
            w->queue_ahead = w->queue_at;
    }
    return rc;
}

/* The next depth begins when this one has nothing left. */
static bool turn(struct whole *w)
{
    if (w->queue_at < w->queue.count)
        return true;
    if (w->next_queue.count == 0)
        return false;
    struct list done = w->queue;
    w->queue = w->next_queue;
    done.count = 0;
    w->next_queue = done;
    w->queue_at = w->queue_ahead = 0;
    w->asked.count = 0;
    w->depth++;
    return true;
}

uint32_t whole_begin(struct whole *w, uint32_t *tasks, uint32_t max, struct err *err)
{
    uint32_t n = 0;
    int rc = 0;
    w->batch_first = w->batch_taken = (uint32_t)w->tasks.count;
    (void)whole_audit_begin(w, false, max);
    while (rc == 0 && w->tasks.count == w->batch_first && !w->stopped && turn(w)) {
        rc = take_known(w, err);
        if (rc == 0 && !w->stopped && !collect(w, max))
            rc = w->flash->rc != 0 ? err_set(err, w->flash->rc, "%s", w->flash->err.text)
                                   : err_set(err, ERR_NOMEM, "closure: no memory for the graph");
    }
    if (rc == 0 && !w->stopped && w->tasks.count == w->batch_first)
        (void)whole_audit_begin(w, true, max);
    if (rc != 0)
        whole_stop(w, "memory was used up");
    while (!w->stopped && w->batch_first + n < w->tasks.count && n < max) {
        tasks[n] = w->batch_first + n;
        n++;
    }
    w->tasks.count = w->batch_first + n; /* what did not fit is asked for again */
    return n;
}

int whole_take(struct whole *w, const void *log, size_t len_bytes, const char *lost,
               struct err *err)
{
    if (w->batch_taken >= w->tasks.count)
        return err_set(err, ERR_ARG, "closure: nothing of the batch is left");
    uint32_t task = w->batch_taken++;
    if (w->stopped)
        return 0;
    if (lost != NULL)
        return err_set(err, ERR_BENCH, "%s", lost);
    return whole_learn(w, task, log, len_bytes, err);
}
