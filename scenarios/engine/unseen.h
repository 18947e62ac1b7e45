/*
 * What a start of the device erased without having looked at it: content that decides nothing.
 *
 * Whatever lay in such a range when power came, the device does the same, and no trace of it is
 * left. A unit counts once the start has erased it; in it all counts but the bytes from the first
 * to the last that the start looked at before.
 *
 * On freely rewritable flash the same holds for what a start programs over without having looked,
 * if the same comes out.
 */
#ifndef OTABENCH_ENGINE_UNSEEN_H
#define OTABENCH_ENGINE_UNSEEN_H

#include <stdbool.h>
#include <stdint.h>

#define UNSEEN_MAX         16 /* units; of a start that erases more the first count */
#define UNSEEN_WRITES      8  /* likewise; short ones: marks */
#define UNSEEN_WRITE_BYTES 32

struct unseen {
    uint32_t count, unit_bytes;
    struct unseen_unit {
        uint32_t addr;               /* of the unit */
        uint32_t seen_from, seen_to; /* bytes of it that were looked at; equal: none */
    } unit[UNSEEN_MAX];
    uint32_t writes;
    struct unseen_write {
        uint32_t addr, len_bytes;
        uint8_t data[UNSEEN_WRITE_BYTES], result[UNSEEN_WRITE_BYTES];
    } write[UNSEEN_WRITES];
};

/* Whether all of [addr, addr + len_bytes), inside one unit, is content of that kind. */
bool unseen_covers(const struct unseen *u, uint32_t addr, uint32_t len_bytes);

/* Whether the start programs over all of that range, and cells in its place become the same. */
bool unseen_merges(const struct unseen *u, uint32_t addr, uint32_t len_bytes, const uint8_t *cells);

/* Told of everything that a start does, in order, it works out the above. */
struct unseen_watch;
/* Null without memory. */
struct unseen_watch *unseen_watch_new(uint32_t units, uint32_t unit_bytes);
void unseen_watch_free(struct unseen_watch *w); /* null is fine */
void unseen_watch_begin(struct unseen_watch *w);
void unseen_watch_look(struct unseen_watch *w, uint32_t addr, uint32_t len_bytes);
void unseen_watch_erase(struct unseen_watch *w, uint32_t addr); /* of a unit */
/* result: what is in the cells now. Not for flash that refuses to be programmed twice. */
void unseen_watch_program(struct unseen_watch *w, uint32_t addr, uint32_t len_bytes,
                          const uint8_t *data, const uint8_t *result);
/* So far. Until the next begin. */
const struct unseen *unseen_watch_result(const struct unseen_watch *w);

/* As it is for who also looked at all that the watch has seen, before. Writes are forgotten. */
void unseen_add_looks(struct unseen *u, const struct unseen_watch *before);

#endif
