/* What a start that ended is worth: judged on the device's chip, for every content that the units
 * it rests on may have. */
#include "scenarios/engine/closure_internal.h"

/* Units that decide: firmware, and where the record may be. */
static bool decides(const struct closure *c, uint32_t unit)
{
    const struct boot_config *b = &c->subject.boot;
    uint32_t bytes = c->states.shape.erase_bytes, addr = unit * bytes;
    for (uint32_t i = 0; i < b->file_count; i++)
        if (addr + bytes > b->files[i].address &&
            addr < b->files[i].address + b->files[i].area_bytes)
            return true;
    return unit == c->bank_unit[0] || unit == c->bank_unit[1];
}

static bool touched_foreign(struct closure *c)
{
    for (uint32_t u = 0; u < c->states.shape.units; u++)
        if (!c->ours[u] && sets_off(&c->sets, c->tree.unit[u]) != c->first_unit[u])
            return true;
    return false;
}

/* The next choice of one element in each open unit; false when all were. */
static bool next_choice(struct closure *c, const uint32_t *open, uint32_t *at, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        at[i] = sets_rest(&c->sets, at[i]);
        if (at[i] != SET_NONE)
            return true;
        at[i] = c->tree.unit[open[i]];
    }
    return false;
}

uint8_t closure_judge(struct closure *c, enum boot_result result)
{
    uint32_t open[OVERS_MAX], at[OVERS_MAX], n = 0;
    uint64_t choices = 1;
    uint8_t worst = CLOSURE_OLD;
    closure_device_rest(c);
    for (uint32_t u = 0; u < c->states.shape.units; u++) {
        uint32_t set = c->tree.unit[u], count = sets_count(&c->sets, set);
        closure_device_put(c, u, sets_element_at(&c->sets, set));
        if (count == 1 || !decides(c, u))
            continue;
        choices *= count;
        if (n == OVERS_MAX || choices > JUDGED_MAX) {
            c->bound = "an end left too many contents open";
            c->stuck = true;
            return CLOSURE_OLD;
        }
        at[n] = set;
        open[n++] = u;
    }
    do {
        for (uint32_t i = 0; i < n; i++)
            closure_device_put(c, open[i], sets_element_at(&c->sets, at[i]));
        uint8_t end = (uint8_t)closure_device_judge(&c->device, result);
        worst = end > worst ? end : worst;
    } while (next_choice(c, open, at, n));
    return worst <= CLOSURE_NEW && touched_foreign(c) ? CLOSURE_FOREIGN : worst;
}
