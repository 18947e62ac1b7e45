/* The graph: nodes, ends, what is to be done, and what it all comes to. */
#include "scenarios/engine/whole.h"

#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/closure_case.h"
#include "scenarios/engine/stage_memory.h"
#include "scenarios/engine/whole_internal.h"
#include "scenarios/engine/world_internal.h"

#define LIST_MAX (NONE - 1)

/* ---- birth and death ---- */

static int make_lists(struct whole *w)
{
    int rc = pool_init(&w->clouds, CLOUD_MEMORY_MAX, LIST_MAX);
    if (rc == 0)
        rc = pool_init(&w->judges, sizeof(struct judge_memory), LIST_MAX);
    if (rc == 0)
        rc = pool_init(&w->keys, sizeof(struct whole_key), LIST_MAX);
    if (rc == 0)
        rc = pool_init(&w->end_keys, sizeof(struct whole_key), LIST_MAX);
    if (rc == 0)
        rc = pool_init(&w->awaited, (2 + RECALL_KEY_WORDS) * sizeof(uint32_t), LIST_MAX);
    if (rc == 0)
        rc = pool_init(&w->event_pool, sizeof(struct whole_event), LIST_MAX);
    if (rc == 0)
        rc = pool_init(&w->outcomes, sizeof(struct whole_outcome), LIST_MAX);
    if (rc == 0)
        rc = pool_init(&w->blames, sizeof(struct whole_blame), LIST_MAX);
    if (rc == 0)
        rc = pool_init(&w->losses, sizeof(struct whole_loss), LIST_MAX);
    if (rc == 0)
        rc = pool_init(&w->moments, sizeof(struct whole_moment), LIST_MAX);
    if (rc == 0)
        rc = pool_init(&w->leaves, sizeof(struct whole_leaf), LIST_MAX);
    if (rc == 0)
        rc = pool_init(&w->behaviour_keys, 2 * sizeof(uint32_t), LIST_MAX);
    struct {
        struct list *list;
        size_t item_bytes;
    } lists[] = {{&w->newest, sizeof(uint32_t)},
                 {&w->newest_end, sizeof(uint32_t)},
                 {&w->nodes, sizeof(struct whole_node)},
                 {&w->tasks, sizeof(struct whole_task)},
                 {&w->ends, sizeof(struct whole_end)},
                 {&w->runs, sizeof(struct whole_run)},
                 {&w->events, sizeof(uint32_t)},
                 {&w->event_ns, sizeof(int64_t)},
                 {&w->behaviours, sizeof(struct whole_behaviour)},
                 {&w->steps, sizeof(struct whole_step_log)},
                 {&w->edges, sizeof(uint32_t)},
                 {&w->looks, sizeof(uint32_t)},
                 {&w->queue, sizeof(struct whole_todo)},
                 {&w->next_queue, sizeof(struct whole_todo)},
                 {&w->paths, sizeof(struct boot_path)},
                 {&w->known, sizeof(struct whole_known)},
                 {&w->asked, sizeof(uint32_t)},
                 {&w->spare, sizeof(uint32_t)},
                 {&w->audits, sizeof(struct whole_audit)},
                 {&w->audit_tasks, sizeof(struct whole_task)}};
    for (size_t i = 0; rc == 0 && i < sizeof lists / sizeof lists[0]; i++)
        rc = list_init(lists[i].list, lists[i].item_bytes, LIST_MAX);
    return rc;
}

/* Whether runs go on from a moment as if nothing had been before: the network draws nothing, nobody
 * counts or waits for what comes in a run, and no URL expires. */
static bool can_be_parted(const struct scenario *s)
{
    const struct link_profile *p = &s->profile;
    return s->device.agent == AGENT_CMIOT && !stage_has_faults(s) && s->n_faults == 0 &&
           s->device.alloc_fail_at == 0 && s->url_lifetime_ns == 0 && p->loss_ppm == 0 &&
           p->jitter_ns == 0 && p->idle_ns == 0;
}

/* The scenario as it is closed: without its own cuts, which are among the closure's. */
static int take_scenario(struct whole *w, const struct scenario *s, struct err *err)
{
    const char *why = whole_refuses(s);
    if (why != NULL)
        return err_set(err, ERR_UNSUPPORTED, "%s cannot be closed for %s", s->name, why);
    w->s = malloc(sizeof *w->s);
    if (w->s == NULL)
        return err_set(err, ERR_NOMEM, "closure: no memory");
    memcpy(w->s, s, sizeof *s);
    w->s->n_power = 0;
    memset(w->s->power, 0, sizeof w->s->power);
    memcpy(w->result.fails, s->expect.fails, sizeof w->result.fails);
    w->result.n_fails = s->expect.n_fails;
    w->s->expect.n_fails = 0;
    w->result.over_mqtt = s->device.agent != AGENT_CMIOT;
    w->has_moments = w->options.losses > 0 && !w->options.no_recall && can_be_parted(w->s);
    return 0;
}

static int make_flash(struct whole *w, struct err *err)
{
    const struct partition *area = partition_find(&w->s->device.partitions, "download");
    struct closure_subject subject = {.geometry = w->s->device.geometry};
    subject.boot.layout.erase_bytes = subject.geometry.erase_bytes;
    /* Memory that fails at a certain call is tried again by the real one, as is flash that does,
     * and two slots have another boot loader. */
    w->has_boot = !w->options.no_recall && w->s->device.agent == AGENT_CMIOT &&
                  w->s->device.alloc_fail_at == 0 && w->s->n_flash == 0 &&
                  closure_case_boot(&w->s->device, &subject.boot, NULL) == 0;
    if (area != NULL) {
        device_state_layout(&w->s->device, &subject.boot.layout);
        subject.boot.download_offset = area->offset;
    }
    struct closure_options o = {.tears = w->options.tears,
                                .seed = w->run.seed != 0 ? w->run.seed : w->s->seed,
                                .max_states = w->options.max_states,
                                .weak_apart = true,
                                .tell_all = true,
                                .no_sets = w->options.no_sets,
                                .one_border = !w->options.borders};
    w->flash = closure_new(&subject, &o, err);
    if (w->flash == NULL)
        return ERR_NOMEM;
    uint32_t units = w->flash->states.shape.units;
    w->foreign = calloc(units, sizeof *w->foreign);
    w->first_unit = calloc(units, sizeof *w->first_unit);
    if (w->foreign == NULL || w->first_unit == NULL)
        return err_set(err, ERR_NOMEM, "closure: no memory");
    for (uint32_t u = 0; u < units; u++) {
        const struct partition *p =
            partition_at(&w->s->device.partitions, u * w->s->device.geometry.erase_bytes);
        w->foreign[u] = p == NULL || strcmp(p->name, "user") == 0;
    }
    w->has_boot = w->has_boot && closure_device_start(&w->flash->device);
    closure_device_stop(&w->flash->device);
    if (states_tree_init(&w->flash->states, &w->off) != 0 || whole_dead_init(w) != 0)
        return err_set(err, ERR_NOMEM, "closure: no memory");
    return 0;
}

/* The world before the first power-on, as the first node. */
static int first_node(struct whole *w, struct sim_run *r, struct err *err)
{
    struct closure *c = w->flash;
    struct judge_memory m;
    struct buf memory;
    struct whole_node first = {.parent_run = NONE, .event = NONE};
    int rc = 0;
    for (uint32_t u = 0; u < c->states.shape.units && rc == 0; u++) {
        uint32_t number = closure_take_unit(c, r->g.nor, u);
        uint32_t set = number == POOL_NONE ? SET_NONE : sets_one(&c->sets, number, 0);
        if (set == SET_NONE || !closure_set_unit(c, u, set))
            rc = ERR_NOMEM;
        w->first_unit[u] = set;
    }
    buf_init(&memory, CLOUD_MEMORY_MAX - sizeof(uint32_t));
    if (rc == 0)
        rc = whole_remember(&r->g, WHOLE_AS_IT_IS, NULL, &memory, err);
    if (rc == 0) {
        if (w->options.losses > 0 && !w->result.over_mqtt)
            judge_expect_silence(r->g.judge);
        judge_remember(r->g.judge, 0, &m);
        first.key.cloud = whole_put_cloud(w, memory.data, memory.len_bytes);
        first.key.judge = whole_put_judge(w, &m, &first.severity);
        first.key.flash = states_put(&c->states, &c->tree, NULL);
        first.depth = 0;
        if (first.key.cloud == POOL_NONE || first.key.judge == POOL_NONE ||
            first.key.flash == POOL_NONE || whole_put_node(w, &first) == NONE)
            rc = ERR_NOMEM;
    }
    buf_free(&memory);
    return rc == 0 ? 0 : err_set(err, rc, "closure: no memory for the first state");
}

static int make_first(struct whole *w, struct err *err)
{
    struct sim_run *r = calloc(1, sizeof *r);
    if (r == NULL)
        return err_set(err, ERR_NOMEM, "closure: no memory");
    *r = (struct sim_run){
        .g = {.s = w->s, .o = &w->run, .store = w->world->store, .build = &w->world->build},
        .power_on_ns = VTIME_NEVER};
    int rc = sim_build_for(w->world, w->s, &w->run, err);
    if (rc == 0)
        rc = sim_set_up(r, w->world->stacks, err);
    if (rc == 0)
        rc = whole_start_script(&r->g, err);
    if (rc == 0)
        rc = first_node(w, r, err);
    sim_take_down(r);
    free(r);
    return rc;
}

struct whole *whole_new(const struct scenario *s, const struct whole_options *o,
                        const struct run_options *run, struct err *err)
{
    struct whole *w = calloc(1, sizeof *w);
    if (w == NULL) {
        (void)err_set(err, ERR_NOMEM, "closure: no memory");
        return NULL;
    }
    w->options = *o;
    w->run = *run;
    w->options.no_sets = o->no_sets || o->no_recall;
    /* A start whose connection is lost erases less. */
    w->options.keep_dead = o->keep_dead || o->losses > 0;
    if (w->options.losses > WHOLE_LOSSES_MAX)
        w->options.losses = WHOLE_LOSSES_MAX;
    w->result.losses = w->options.losses;
    w->run.n_cuts = 0;
    w->run.mode = RUN_SIM;
    if (w->options.tears == 0)
        w->options.tears = CLOSURE_TEARS_ALL;
    /* Between an operation and the next the cloud may be told something. */
    w->options.tears |= 1u << TEAR_DONE;
    int rc = take_scenario(w, s, err);
    if (rc == 0)
        rc = make_flash(w, err);
    if (rc == 0 && make_lists(w) != 0)
        rc = err_set(err, ERR_NOMEM, "closure: no memory");
    if (rc == 0) {
        w->world = world_new(err);
        rc = w->world == NULL ? ERR_NOMEM : make_first(w, err);
    }
    if (rc == 0)
        return w;
    whole_free(w);
    return NULL;
}

void whole_free(struct whole *w)
{
    if (w == NULL)
        return;
    struct list *lists[] = {&w->looks, &w->newest, &w->newest_end, &w->nodes,      &w->tasks,
                            &w->ends,  &w->runs,   &w->events,     &w->behaviours, &w->steps,
                            &w->edges, &w->queue,  &w->next_queue, &w->asked,      &w->spare,
                            &w->known, &w->paths,  &w->event_ns,   &w->audits,     &w->audit_tasks};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        free(lists[i]->items);
    struct pool *pools[] = {&w->clouds,         &w->judges,     &w->keys,     &w->end_keys,
                            &w->awaited,        &w->event_pool, &w->outcomes, &w->blames,
                            &w->behaviour_keys, &w->losses,     &w->leaves,   &w->moments};
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++)
        pool_free(pools[i]);
    states_tree_free(&w->off);
    closure_free(w->flash);
    free(w->foreign);
    free(w->first_unit);
    world_free(w->world);
    free(w->s);
    free(w);
}

/* ---- memories ---- */

uint32_t whole_put_cloud(struct whole *w, const void *memory, size_t len_bytes)
{
    uint8_t record[CLOUD_MEMORY_MAX] = {0};
    if (len_bytes > sizeof record - sizeof(uint32_t))
        return POOL_NONE;
    put_le32(record, (uint32_t)len_bytes);
    memcpy(record + sizeof(uint32_t), memory, len_bytes);
    return pool_put(&w->clouds, record, NULL);
}

uint32_t whole_put_judge(struct whole *w, const struct judge_memory *m,
                         struct judge_severity *severity)
{
    struct judge_memory record;
    memcpy(&record, m, sizeof record);
    *severity = record.severity;
    record.severity = (struct judge_severity){0};
    return pool_put(&w->judges, &record, NULL);
}

/* ---- nodes ---- */

bool whole_add_number(struct list *l, uint32_t number)
{
    uint32_t *item = list_add(l);
    if (item != NULL)
        *item = number;
    return item != NULL;
}

uint32_t whole_reading(const struct whole *w, const uint32_t *unit)
{
    const struct closure *c = w->flash;
    uint32_t reading = 0, factor = 1, index = 0;
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        const struct element *e = sets_first(&c->sets, unit[u]);
        if (e->reading == 0 || index++ >= CLOSURE_READING_DIGITS)
            continue;
        reading += factor * (e->reading - 1);
        factor *= 3;
    }
    return reading;
}

bool whole_add_todo(struct whole *w, const struct whole_todo *todo, uint32_t depth)
{
    struct whole_todo *t = list_add(depth > w->depth ? &w->next_queue : &w->queue);
    if (t != NULL)
        *t = *todo;
    return t != NULL;
}

static bool add_todo(struct whole *w, uint32_t node, uint32_t end, uint32_t depth)
{
    const struct whole_todo todo = {.node = node, .end = end, .loss = NONE, .base = NONE};
    return whole_add_todo(w, &todo, depth);
}

uint32_t whole_put_node(struct whole *w, const struct whole_node *found)
{
    bool fresh;
    uint32_t key = pool_put(&w->keys, &found->key, &fresh);
    if (key == POOL_NONE)
        return NONE;
    uint32_t newest = fresh ? NONE : ((uint32_t *)w->newest.items)[key];
    for (uint32_t i = newest; i != NONE; i = whole_node_at(w, i)->older)
        if (judge_as_strict(&whole_node_at(w, i)->severity, &found->severity))
            return i;
    struct whole_node *n = list_add(&w->nodes);
    if (n == NULL)
        return NONE;
    uint32_t number = (uint32_t)w->nodes.count - 1;
    *n = *found;
    n->first_run = n->last_run = n->stricter = NONE;
    n->older = newest;
    for (uint32_t i = newest; i != NONE; i = whole_node_at(w, i)->older) {
        struct whole_node *other = whole_node_at(w, i);
        if (other->first_run == NONE && other->stricter == NONE && other->depth >= n->depth &&
            judge_as_strict(&n->severity, &other->severity))
            other->stricter = number;
    }
    if (fresh && !whole_add_number(&w->newest, number))
        return NONE;
    ((uint32_t *)w->newest.items)[key] = number;
    w->result.again += !fresh && !whole_is_moment(found);
    return add_todo(w, number, NONE, found->depth) ? number : NONE;
}

uint32_t whole_put_end(struct whole *w, const struct whole_end *found)
{
    bool fresh;
    uint32_t key = pool_put(&w->end_keys, &found->key, &fresh);
    if (key == POOL_NONE)
        return NONE;
    uint32_t newest = fresh ? NONE : ((uint32_t *)w->newest_end.items)[key];
    for (uint32_t i = newest; i != NONE; i = whole_end_at(w, i)->older)
        if (judge_as_strict(&whole_end_at(w, i)->severity, &found->severity))
            return i;
    struct whole_end *e = list_add(&w->ends);
    if (e == NULL)
        return NONE;
    uint32_t number = (uint32_t)w->ends.count - 1;
    *e = *found;
    e->older = newest;
    if (fresh && !whole_add_number(&w->newest_end, number))
        return NONE;
    ((uint32_t *)w->newest_end.items)[key] = number;
    uint32_t depth = whole_node_at(w, whole_run_at(w, found->run)->node)->depth;
    return add_todo(w, NONE, number, depth) ? number : NONE;
}

/* ---- what is to be done ---- */

void whole_stop(struct whole *w, const char *why)
{
    w->stopped = true;
    if (w->bound == NULL)
        w->bound = why;
}

void whole_progress(const struct whole *w, struct whole_progress *out)
{
    *out = (struct whole_progress){
        .states = (uint32_t)w->keys.count,
        .left = (uint32_t)(w->queue.count - w->queue_at + w->next_queue.count),
        .depth = w->depth,
        .starts = w->result.starts,
        .failing = w->result.failing};
}

size_t whole_memory(const struct whole *w)
{
    const struct list *lists[] = {&w->looks,      &w->newest, &w->newest_end, &w->nodes,
                                  &w->tasks,      &w->ends,   &w->runs,       &w->events,
                                  &w->behaviours, &w->steps,  &w->edges,      &w->queue,
                                  &w->next_queue, &w->asked,  &w->spare,      &w->paths,
                                  &w->event_ns,   &w->audits, &w->audit_tasks};
    const struct pool *pools[] = {&w->clouds,   &w->judges,  &w->keys,
                                  &w->end_keys, &w->awaited, &w->event_pool,
                                  &w->outcomes, &w->blames,  &w->behaviour_keys};
    size_t sum = closure_memory(w->flash);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        sum += lists[i]->cap * lists[i]->item_bytes;
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++)
        sum += pool_memory(pools[i]);
    return sum;
}

/* ---- the end ---- */

#define BOOTS_MAX 1000u /* in a row: more are as good as no end */

/* The most power-ons and resets that lead to idling when power stays; 0 without memory. */
static uint32_t boots_needed(const struct whole *w)
{
    uint32_t *boots = calloc(w->nodes.count + 1, sizeof *boots), most = 0;
    bool again = boots != NULL;
    while (again) {
        again = false;
        for (uint32_t i = 0; i < w->runs.count; i++) {
            const struct whole_run *r = whole_run_at(w, i);
            const bool starts = !r->merged && !whole_is_moment(whole_node_at(w, r->node));
            uint32_t n = starts + (r->next_node == NONE ? 0 : boots[r->next_node]);
            if (n <= boots[r->node] || n > BOOTS_MAX)
                continue;
            boots[r->node] = n;
            most = n > most ? n : most;
            again = true;
        }
    }
    free(boots);
    return most;
}

int whole_conclude(struct whole *w, struct whole_result *out, struct err *err)
{
    struct whole_result *r = &w->result;
    struct whole_loop loop;
    bool done = !w->stopped && w->queue_at == w->queue.count && w->next_queue.count == 0;
    uint32_t boots;
    int rc = whole_boots(w, &boots, &loop);
    r->boots_needed = boots_needed(w);
    if (rc == 0 && loop.node != NONE && !whole_found_enough(w))
        whole_tell_loop(w, &loop);
    if (r->boots_needed >= BOOTS_MAX && r->failing == 0 && w->bound == NULL)
        w->bound = "there are states from which the device resets itself without end";
    if (r->unconfirmed > 0 && w->bound == NULL)
        w->bound = "failures were not repeated by a run from the start";
    r->bound = w->bound;
    r->closed = done && w->bound == NULL && r->failing == 0;
    r->states = r->resets = r->moments = 0;
    for (uint32_t i = 0; i < w->keys.count; i++) {
        const struct whole_node *n = whole_node_at(w, ((const uint32_t *)w->newest.items)[i]);
        r->resets += n->key.reset == 1;
        r->states += n->key.reset == 0;
        r->moments += whole_is_moment(n);
        if (n->depth > r->depth)
            r->depth = n->depth;
    }
    r->flash_states = w->flash->states.states.count;
    r->cloud_states = w->clouds.count;
    r->judge_states = w->judges.count;
    r->edges = w->edges.count;
    r->ways_lost = w->losses.count;
    r->memory_bytes = whole_memory(w);
    if (rc == 0 && r->closed)
        rc = whole_measure(w, r);
    *out = *r;
    return rc == 0 ? 0 : err_set(err, rc, "closure: no memory to read the graph");
}

enum verdict whole_verdict(const struct whole_result *r)
{
    uint32_t confirmed = 0, found = 0;
    for (uint32_t i = 0; i < r->n_failures; i++)
        confirmed += r->failures[i].confirmed;
    if (r->n_fails == 0)
        return confirmed > 0 ? VERDICT_FAIL : r->closed ? VERDICT_PASS : VERDICT_INCONCLUSIVE;
    for (uint32_t f = 0; f < r->n_fails; f++) {
        bool is_found = false;
        for (uint32_t i = 0; i < r->n_failures && !is_found; i++)
            for (uint32_t k = 0; r->failures[i].confirmed && k < r->failures[i].n_ids; k++)
                is_found = is_found || strcmp(r->failures[i].ids[k], r->fails[f]) == 0;
        found += is_found;
    }
    return found == r->n_fails ? VERDICT_EXPECTED_FAIL
           : r->closed         ? VERDICT_UNEXPECTED_PASS
                               : VERDICT_INCONCLUSIVE;
}
