/*
 * What is to be run: tasks in order, without those that can be recalled. Of tasks that leave what
 * is known at the same place with the same content only one is run at a time, for the others can
 * most likely be recalled after it.
 */
#include <string.h>

#include "scenarios/engine/whole_internal.h"

#define LOOKED_AT_MAX 200000u /* tasks of one batch, most of them recalled */

/* ---- recall ---- */

uint32_t whole_recall_root(struct whole *w, const struct whole_node *n)
{
    const uint32_t key[RECALL_KEY_WORDS] = {n->key.cloud, n->key.judge, n->severity.served_bytes,
                                            n->severity.weak_cut};
    const uint32_t more[RECALL_KEY_WORDS] = {n->severity.stored_segments};
    uint32_t spot = recall_next(&w->recall, recall_root(&w->recall, RECALL_POWER_ON), key, true);
    return spot == RECALL_NONE ? spot : recall_next(&w->recall, spot, more, true);
}

void whole_content(const struct whole *w, const struct whole_node *n, uint32_t reading,
                   uint32_t unit, uint32_t content[RECALL_KEY_WORDS])
{
    const struct closure *c = w->flash;
    memset(content, 0, RECALL_KEY_WORDS * sizeof *content);
    content[0] = w->tree.unit[unit];
    if (!states_unit_is_weak(&c->states, content[0]))
        return;
    uint32_t index = 0;
    for (uint32_t u = 0; u < unit; u++)
        index += states_unit_is_weak(&c->states, w->tree.unit[u]);
    content[1] = 1 + (uint32_t)whole_reading(&n->key, reading, index);
}

uint32_t whole_recall(struct whole *w, uint32_t task, uint32_t *spot,
                      uint32_t content[RECALL_KEY_WORDS])
{
    const struct whole_task *t = whole_task_at(w, task);
    const struct whole_node *n = whole_node_at(w, t->node);
    memset(content, 0, RECALL_KEY_WORDS * sizeof *content);
    *spot = whole_recall_root(w, n);
    if (*spot == RECALL_NONE)
        return NONE;
    whole_load(w, n->key.flash);
    for (;;) {
        const struct recall_spot *at = &w->recall.spots[*spot];
        if (at->kind == RECALL_SEGMENT)
            return at->value;
        if (at->kind == RECALL_UNKNOWN)
            return NONE;
        whole_content(w, n, t->reading, at->value, content);
        uint32_t next = recall_next(&w->recall, *spot, content, false);
        if (next == RECALL_NONE)
            return NONE;
        *spot = next;
    }
}

/* ---- batches ---- */

static bool add_number(struct list *l, uint32_t number)
{
    uint32_t *item = list_add(l);
    if (item != NULL)
        *item = number;
    return item != NULL;
}

static bool add_item(struct whole *w, uint32_t task, bool recalled)
{
    struct whole_item *item = list_add(&w->batch);
    if (item != NULL)
        *item = (struct whole_item){.task = task, .recalled = recalled};
    return item != NULL;
}

/* The task as part of the batch, or for later. */
static bool look_at(struct whole *w, uint32_t task, uint32_t *tasks, uint32_t *n)
{
    uint32_t spot, words[2 + RECALL_KEY_WORDS];
    bool fresh = true;
    const struct whole_task *what = whole_task_at(w, task);
    if (what->end == NONE && whole_node_at(w, what->node)->stricter != NONE)
        return true; /* the stricter one is run instead */
    if (whole_task_at(w, task)->end == NONE && !w->options.no_recall) {
        if (whole_recall(w, task, &spot, words + 2) != NONE)
            return add_item(w, task, true);
        if (spot == RECALL_NONE)
            return false;
        words[0] = spot;
        words[1] = w->batches;
        if (pool_put(&w->awaited, words, &fresh) == POOL_NONE)
            return false;
        if (!fresh)
            return add_number(&w->deferred, task);
    }
    tasks[(*n)++] = task;
    return add_item(w, task, false);
}

static bool collect(struct whole *w, uint32_t *tasks, uint32_t max, uint32_t *n)
{
    w->batches++;
    w->batch.count = 0;
    w->batch_at = 0;
    struct list before = w->deferred;
    w->deferred = w->spare;
    w->deferred.count = 0;
    w->spare = before;
    bool good = true;
    uint32_t i = 0;
    for (; i < before.count && good && *n < max; i++)
        good = look_at(w, ((const uint32_t *)before.items)[i], tasks, n);
    for (; i < before.count && good; i++)
        good = add_number(&w->deferred, ((const uint32_t *)before.items)[i]);
    while (good && *n < max && w->queue_at < w->queue.count && w->batch.count < LOOKED_AT_MAX)
        good = look_at(w, ((const uint32_t *)w->queue.items)[w->queue_at++], tasks, n);
    return good;
}

/* Recalled tasks up to the next that was done. */
static int take_recalled(struct whole *w, struct err *err)
{
    const struct whole_item *items = w->batch.items;
    int rc = 0;
    while (rc == 0 && w->batch_at < w->batch.count && items[w->batch_at].recalled && !w->stopped)
        rc = whole_take_task(w, items[w->batch_at++].task, NULL, 0, NULL, err);
    return rc;
}

/* The next depth begins when this one has nothing left. */
static bool turn(struct whole *w)
{
    if (w->queue_at < w->queue.count || w->deferred.count > 0)
        return true;
    if (w->next_queue.count == 0)
        return false;
    struct list done = w->queue;
    w->queue = w->next_queue;
    done.count = 0;
    w->next_queue = done;
    w->queue_at = 0;
    w->depth++;
    return true;
}

uint32_t whole_begin(struct whole *w, uint32_t *tasks, uint32_t max, struct err *err)
{
    uint32_t n = 0;
    int rc = 0;
    while (rc == 0 && n == 0 && !w->stopped && turn(w)) {
        if (!collect(w, tasks, max, &n))
            rc = err_set(err, ERR_NOMEM, "closure: no memory for the graph");
        if (rc == 0)
            rc = take_recalled(w, err);
    }
    if (rc != 0)
        whole_stop(w, "memory was used up");
    return w->stopped ? 0 : n;
}

int whole_take(struct whole *w, const void *log, size_t len_bytes, const char *lost,
               struct err *err)
{
    const struct whole_item *items = w->batch.items;
    if (w->batch_at >= w->batch.count)
        return err_set(err, ERR_ARG, "closure: nothing of the batch is left");
    int rc = whole_take_task(w, items[w->batch_at++].task, log, len_bytes, lost, err);
    return rc == 0 ? take_recalled(w, err) : rc;
}
