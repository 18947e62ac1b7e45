/* A counter-example told as cuts, and repeated with real ones. */
#include <string.h>

#include "common/digest.h"
#include "scenarios/engine/closure_internal.h"

/* The states from the first one to `state`, last first, as far as they are told. */
static uint32_t trail(const struct closure *c, uint32_t state, uint32_t out[CLOSURE_PATH_MAX + 1])
{
    uint32_t n = 0;
    for (; n <= CLOSURE_PATH_MAX; state = node_at(c, state)->parent) {
        out[n++] = state;
        if (node_at(c, state)->parent == NONE)
            break;
    }
    return n;
}

static bool chip_is(const struct closure *c, const struct nor *chip, uint32_t state)
{
    uint8_t want[SHA256_BYTES], got[SHA256_BYTES];
    enum closure_end end;
    uint32_t depth;
    if (!closure_state(c, state, want, &end, &depth))
        return false;
    closure_fingerprint(chip, got);
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

static bool repeat(const struct closure *c, struct closure_device *d, const uint32_t *states,
                   uint32_t n, uint32_t reading, enum closure_end end)
{
    struct states_tree tree;
    if (states_tree_init(&c->states, &tree) != 0)
        return false;
    states_get(&c->states, states[n - 1], &tree);
    for (uint32_t u = 0; u < c->states.shape.units; u++)
        closure_put_unit(c, d->nor, u, tree.unit[u]);
    states_tree_free(&tree);
    for (uint32_t i = n - 1; i-- > 0;) {
        const struct closure_cut *cut = &node_at(c, states[i])->cut;
        closure_device_power_on(d, cut->reading);
        if (cut->op == 0)
            (void)run_out(d);
        else if (!closure_device_cut(d, cut))
            return false;
        nor_power_off(d->nor, TEAR_NOTHING, 0);
        if (!chip_is(c, d->nor, states[i]))
            return false;
    }
    closure_device_power_on(d, reading);
    enum closure_end got = run_out(d);
    /* Found by looking at the whole: flash outside, or what came before. */
    if (end == CLOSURE_FOREIGN)
        return true;
    return end == CLOSURE_FELL_BACK ? got != CLOSURE_NEW : got == end;
}

int closure_confirm(struct closure *c, uint32_t run, struct closure_result *out)
{
    const struct run *r = run_at(c, run);
    uint32_t states[CLOSURE_PATH_MAX + 1];
    uint32_t n = trail(c, r->state, states);
    struct closure_device d;
    out->end = (enum closure_end)r->end;
    out->path_len = node_at(c, r->state)->depth;
    for (uint32_t i = 0; i + 1 < n; i++)
        out->path[i] = node_at(c, states[n - 2 - i])->cut;
    out->last_reading = run - node_at(c, r->state)->first_run;
    int rc = closure_device_open(&d, &c->subject, c->options.seed, NULL);
    out->confirmed =
        rc == 0 && repeat(c, &d, states, n, out->last_reading, (enum closure_end)r->end);
    closure_device_close(&d);
    return rc;
}
