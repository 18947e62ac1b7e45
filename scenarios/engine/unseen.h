/*
 * What a start of the device erased without having looked at it: content that decides nothing.
 *
 * Whatever lay in such a range when power came, the device does the same, and no trace of it is
 * left. A unit counts once the start has erased it; in it all counts but the bytes from the first
 * to the last that the start looked at before.
 */
#ifndef OTABENCH_ENGINE_UNSEEN_H
#define OTABENCH_ENGINE_UNSEEN_H

#include <stdbool.h>
#include <stdint.h>

#define UNSEEN_MAX 16 /* units; of a start that erases more the first count */

struct unseen {
    uint32_t count, unit_bytes;
    struct unseen_unit {
        uint32_t addr;               /* of the unit */
        uint32_t seen_from, seen_to; /* bytes of it that were looked at; equal: none */
    } unit[UNSEEN_MAX];
};

/* Whether all of [addr, addr + len_bytes), inside one unit, is content of that kind. */
bool unseen_covers(const struct unseen *u, uint32_t addr, uint32_t len_bytes);

/* Told of everything that a start does, in order, it works out the above. */
struct unseen_watch;
/* Null without memory. */
struct unseen_watch *unseen_watch_new(uint32_t units, uint32_t unit_bytes);
void unseen_watch_free(struct unseen_watch *w); /* null is fine */
void unseen_watch_begin(struct unseen_watch *w);
void unseen_watch_look(struct unseen_watch *w, uint32_t addr, uint32_t len_bytes);
void unseen_watch_erase(struct unseen_watch *w, uint32_t addr); /* of a unit */
/* So far. Until the next begin. */
const struct unseen *unseen_watch_result(const struct unseen_watch *w);

#endif
