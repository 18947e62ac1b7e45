/*
 * A counter-example told as cuts, and repeated with real ones. States are sets, so the way is
 * walked back first: from one content of the failing start to one that a cut turns into it, and so
 * on to the beginning.
 */
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/closure_internal.h"

/* One start on the way: what is on flash when power comes, and how weak cells read. */
struct way {
    uint32_t run;
    uint32_t *element;      /* per unit */
    struct closure_cut cut; /* that ends it; not of the last */
};

static uint32_t reading_of(const struct closure *c, const struct way *w)
{
    uint32_t reading = 0, factor = 1, index = 0;
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        const struct element *e = sets_element(&c->sets, w->element[u]);
        if (e->reading == 0 || index++ >= CLOSURE_READING_DIGITS)
            continue;
        reading += factor * (e->reading - 1);
        factor *= 3;
    }
    return reading;
}

/* What an element is after `ops` operations of a run; NONE: after all, also those of runs that it
 * joined. */
static uint32_t fold(struct closure *c, uint32_t run, uint32_t ops, uint32_t unit, uint32_t element)
{
    if (ops != NONE)
        return closure_fold(c, run, ops, unit, element);
    const struct run *r = run_at(c, run);
    uint32_t op = r->first_op < ops_end(c, run) ? r->first_op : r->next_op;
    for (; op != NONE && c->rc == 0; op = closure_next_op(c, op)) {
        const struct op_key key = op_at(c, op)->key;
        if (unit_of(c, &key) == unit)
            element = closure_element_after(c, element, &key);
    }
    return element;
}

/* Whether the element becomes that content: by the run's operations, the last one cut if it is on
 * this unit. */
static bool becomes(struct closure *c, const struct way *w, const struct node *n, uint32_t unit,
                    uint32_t element, uint32_t content, struct closure_cut *cut)
{
    const struct op_log *log =
        n->op == 0 ? NULL : op_at(c, run_at(c, w->run)->first_op + n->op - 1);
    uint32_t before = fold(c, w->run, n->op == 0 ? NONE : n->op - 1, unit, element);
    if (c->rc != 0)
        return false;
    uint32_t is = sets_element(&c->sets, before)->content;
    if (log == NULL || unit_of(c, &log->key) != unit)
        return is == content;
    struct tear_variant v[VARIANTS_MAX];
    const struct op_key key = log->key;
    uint32_t count = closure_variants(c, &key, v);
    const uint32_t *after = closure_after(c, is, &key);
    for (uint32_t i = 0; i < count && after != NULL; i++)
        if (after[1 + i] == content) {
            *cut = (struct closure_cut){.op = n->op,
                                        .kind = (enum nor_op_kind)key.kind,
                                        .tear = v[i].tear,
                                        .arg = v[i].arg,
                                        .addr = key.addr,
                                        .len_bytes = key.len_bytes};
            return true;
        }
    return false;
}

/* The start before `next`: elements of its part that became what `next` begins with. */
static bool step_back(struct closure *c, const struct way *next, struct way *out)
{
    const struct node n = *node_at(c, run_at(c, next->run)->state);
    out->run = n.run;
    out->cut = (struct closure_cut){.op = 0};
    closure_get_base(c, run_at(c, n.run)->origin, &c->other);
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        uint32_t content = sets_element(&c->sets, next->element[u])->content, at;
        for (at = c->other.unit[u]; at != SET_NONE; at = sets_rest(&c->sets, at))
            if (becomes(c, out, &n, u, sets_element_at(&c->sets, at), content, &out->cut))
                break;
        if (at == SET_NONE)
            return false;
        out->element[u] = sets_element_at(&c->sets, at);
    }
    out->cut.reading = reading_of(c, out);
    return c->rc == 0;
}

static void put_chip(const struct closure *c, struct nor *chip, const struct way *w)
{
    for (uint32_t u = 0; u < c->states.shape.units; u++)
        closure_put_unit(c, chip, u, sets_element(&c->sets, w->element[u])->content);
}

static bool chip_is(const struct closure *c, const struct nor *chip, const struct way *w)
{
    uint8_t want[SHA256_BYTES], got[SHA256_BYTES];
    struct nor *other = nor_new(&c->subject.geometry, 0, NULL);
    if (other == NULL)
        return false;
    put_chip(c, other, w);
    closure_fingerprint(other, want);
    closure_fingerprint(chip, got);
    nor_free(other);
    return memcmp(want, got, sizeof got) == 0;
}

static enum closure_end run_out(struct closure_device *d)
{
    enum boot_result result = BOOT_BRICKED;
    uint32_t steps = 0;
    if (closure_device_start(d))
        do
            result = closure_device_step(d);
        while (result == BOOT_MORE && steps++ < CLOSURE_STEPS_MAX);
    closure_device_stop(d);
    return result == BOOT_MORE ? CLOSURE_LIVELOCK : closure_device_judge(d, result);
}

/* way[0] is the last start, way[count - 1] the first one. */
static bool repeat(struct closure *c, struct closure_device *d, const struct way *way,
                   uint32_t count, enum closure_end end)
{
    put_chip(c, d->nor, &way[count - 1]);
    for (uint32_t i = count - 1; i > 0; i--) {
        closure_device_power_on(d, way[i].cut.reading);
        if (way[i].cut.op == 0)
            (void)run_out(d);
        else if (!closure_device_cut(d, &way[i].cut))
            return false;
        nor_power_off(d->nor, TEAR_NOTHING, 0);
        if (!chip_is(c, d->nor, &way[i - 1]))
            return false;
    }
    closure_device_power_on(d, reading_of(c, &way[0]));
    enum closure_end got = run_out(d);
    /* Found by looking at the whole: flash outside, or what came before. */
    if (end == CLOSURE_FOREIGN)
        return true;
    return end == CLOSURE_FELL_BACK ? got != CLOSURE_NEW : got == end;
}

/* The way to what way[0] begins with: how many starts, 0 when there is none. */
static uint32_t walk_back(struct closure *c, struct way *way)
{
    uint32_t count = 1;
    while (count <= CLOSURE_PATH_MAX &&
           node_at(c, run_at(c, way[count - 1].run)->state)->run != NONE) {
        if (!step_back(c, &way[count - 1], &way[count]))
            return 0;
        count++;
    }
    return count;
}

/* The n-th choice of one element each; false: there are fewer. */
static bool nth_choice(const struct closure *c, const struct states_tree *t, uint32_t n,
                       uint32_t *out)
{
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        uint32_t set = t->unit[u], count = sets_count(&c->sets, set);
        for (uint32_t skip = n % count; skip > 0; skip--)
            set = sets_rest(&c->sets, set);
        n /= count;
        out[u] = sets_element_at(&c->sets, set);
    }
    return n == 0;
}

static void tell(const struct closure *c, const struct way *way, uint32_t count,
                 struct closure_result *out)
{
    for (uint32_t i = 1; i < count; i++)
        out->path[count - 1 - i] = way[i].cut;
    out->last_reading = reading_of(c, &way[0]);
    if (count > 0)
        out->first_state = run_at(c, way[count - 1].run)->state;
}

int closure_confirm(struct closure *c, uint32_t run, struct closure_result *out)
{
    const struct run r = *run_at(c, run);
    struct way way[CLOSURE_PATH_MAX + 1] = {{.run = run}};
    struct closure_device d;
    struct states_tree first;
    uint32_t units = c->states.shape.units;
    uint32_t *elements = calloc((size_t)units * (CLOSURE_PATH_MAX + 1), sizeof *elements);
    int rc = closure_device_open(&d, &c->subject, c->options.seed, NULL);
    if (states_tree_init(&c->states, &first) != 0 || elements == NULL)
        rc = ERR_NOMEM;
    out->end = (enum closure_end)r.end;
    out->path_len = node_at(c, r.state)->depth;
    out->confirmed = false;
    for (uint32_t i = 0; i <= CLOSURE_PATH_MAX && rc == 0; i++)
        way[i].element = elements + (size_t)units * i;
    if (rc == 0)
        closure_get_base(c, r.origin, &first);
    for (uint32_t i = 0; i < TRIED_MAX && rc == 0 && !out->confirmed; i++) {
        if (!nth_choice(c, &first, i, way[0].element))
            break;
        uint32_t count = walk_back(c, way);
        out->confirmed = count > 0 && repeat(c, &d, way, count, out->end);
        if (i == 0 || out->confirmed)
            tell(c, way, count, out);
    }
    closure_device_close(&d);
    states_tree_free(&first);
    free(elements);
    return rc == 0 ? c->rc : rc;
}
