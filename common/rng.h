/*
 * Named random streams. A stream is fixed by (seed, entity, purpose, ordinal), so one more draw
 * in one place moves nothing elsewhere. Integers only: same numbers on every compiler.
 */
#ifndef OTABENCH_COMMON_RNG_H
#define OTABENCH_COMMON_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

/* entity for example "link 0 down", purpose for example "jitter"; ordinal counts instances. */
void rng_init(struct rng *r, uint64_t seed, const char *entity, const char *purpose,
              uint64_t ordinal);
uint64_t rng_u64(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* uniform in [0, n); n > 0 */
void rng_fill(struct rng *r, void *out, size_t len_bytes);

#endif
