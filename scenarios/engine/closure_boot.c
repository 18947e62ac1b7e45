/*
 * Where the boot loader leads from a flash, without what cuts leave: its steps are recalled, or the
 * device is asked, until it ends; elements that it does not tell apart stay together.
 */
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/closure_internal.h"

#define TOLD_BYTES 64u /* of an event's text, a record */

/* ---- what the device tells ---- */

static void tell(struct closure *c, uint32_t what)
{
    const uint32_t pair[2] = {c->told, what};
    c->told = pool_put(&c->pairs, pair, NULL);
    if (c->told == POOL_NONE)
        (void)no_room(c);
}

static void tell_text(struct closure *c, const char *text)
{
    size_t len = text == NULL ? 0 : strlen(text) + 1;
    for (size_t at = 0; at < len && c->rc == 0; at += TOLD_BYTES) {
        char record[TOLD_BYTES] = "";
        memcpy(record, text + at, len - at < sizeof record ? len - at : sizeof record);
        uint32_t number = pool_put(&c->told_texts, record, NULL);
        if (number == POOL_NONE)
            (void)no_room(c);
        tell(c, number);
    }
}

/* Nanoseconds since the step began. */
void closure_tell_time(struct closure *c)
{
    tell(c, (uint32_t)(c->device.chip_ns - c->step_began_ns));
}

static void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                     const struct trace_field *fields, size_t n)
{
    struct closure *c = ctx;
    (void)now_ns;
    if (!c->recording || c->rc != 0)
        return;
    closure_tell_time(c);
    tell(c, (uint32_t)lane);
    tell_text(c, event);
    for (size_t i = 0; i < n; i++) {
        tell_text(c, fields[i].key);
        tell_text(c, fields[i].text);
        tell(c, (uint32_t)fields[i].integer);
        tell(c, (uint32_t)(fields[i].integer >> 32));
    }
}

void closure_listen(struct closure *c)
{
    if (!c->options.tell_all)
        return;
    c->device.board.event = on_event;
    c->device.board.event_ctx = c;
}

/* ---- the way ---- */

struct walking {
    struct closure *c;
    uint32_t behaviours, ops, n_ops; /* chains of pairs */
};

static bool chain(struct closure *c, uint32_t *to, uint32_t what)
{
    const uint32_t pair[2] = {*to, what};
    *to = what == POOL_NONE ? POOL_NONE : pool_put(&c->pairs, pair, NULL);
    return *to != POOL_NONE || no_room(c) == 0;
}

/* Does a segment to the tree. */
static void go_through(struct walking *k, uint32_t number)
{
    struct closure *c = k->c;
    const struct segment g = *segment_at(c, number);
    if (!chain(c, &k->behaviours, g.behaviour))
        return;
    for (uint32_t i = 0; i < g.op_count && c->rc == 0; i++) {
        const struct op_key key = step_op_at(c, g.first_op + i)->key;
        uint32_t u = unit_of(c, &key), done = closure_set_after(c, c->tree.unit[u], &key, NULL);
        struct op_log *log = c->rc != 0 ? NULL : list_add(&c->ops);
        if (log == NULL || !closure_set_unit(c, u, done) ||
            !chain(c, &k->ops, pool_put(&c->op_keys, &key, NULL))) {
            (void)no_room(c);
            return;
        }
        log->key = key;
        c->now_ops++;
        k->n_ops++;
    }
}

static void put_path(struct walking *k, struct list *out)
{
    struct closure *c = k->c;
    const struct boot_chain record = {
        .behaviours = k->behaviours, .ops = k->ops, .n_ops = k->n_ops};
    uint32_t origin = closure_put_base(c, &c->origin);
    uint32_t number = pool_put(&c->boot_chains, &record, NULL);
    struct boot_path *p = number == POOL_NONE ? NULL : list_add(out);
    if (p == NULL)
        (void)no_room(c);
    else
        *p = (struct boot_path){.origin = origin, .chain = number};
}

/* Of a branch what does not part from it on the way; the rest becomes further branches. */
static void walk(struct closure *c, const struct branch *b, struct list *out)
{
    struct walking k = {.c = c, .behaviours = NONE, .ops = NONE};
    uint32_t ram = RECALL_POWER_ON;
    closure_device_rest(c);
    c->runs.count = c->ops.count = 0;
    if (list_add(&c->runs) == NULL) {
        (void)no_room(c);
        return;
    }
    c->now_run = c->now_ops = 0;
    c->now_met.count = c->now_walked.count = 0;
    closure_get_base(c, b->origin, &c->origin);
    closure_load_tree(c, &c->origin);
    for (c->now_heads = 0; c->now_heads < CLOSURE_STEPS_MAX; c->now_heads++) {
        uint32_t number = closure_next_segment(c, ram);
        if (number == NONE)
            return;
        go_through(&k, number);
        ram = segment_at(c, number)->next_ram;
        if (c->rc != 0)
            return;
        if (ram == NONE) {
            put_path(&k, out);
            return;
        }
    }
    c->bound = "a boot loader that comes to no end";
    c->stuck = true;
}

int closure_boot_paths(struct closure *c, uint32_t base, struct list *out)
{
    const struct branch first = {.origin = base, .run = NONE};
    c->branches.count = 0;
    struct branch *b = list_add(&c->branches);
    if (b == NULL)
        return no_room(c);
    *b = first;
    for (size_t i = 0; i < c->branches.count && c->rc == 0 && !c->stuck; i++) {
        const struct branch now = ((const struct branch *)c->branches.items)[i];
        walk(c, &now, out);
    }
    closure_device_rest(c);
    return c->rc;
}
