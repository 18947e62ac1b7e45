/*
 * Method: the four names are folded into a 64-bit key (FNV-1a, each name closed by its length),
 * splitmix64 spreads the key over the state, xoshiro256** draws. Public-domain algorithms, written
 * out because a library generator would not promise the same numbers for ever.
 */
#include "common/rng.h"

#include <string.h>

static uint64_t fold(uint64_t h, const void *data, size_t len_bytes)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len_bytes; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t fold_u64(uint64_t h, uint64_t v)
{
    for (int i = 0; i < 8; i++) {
        uint8_t b = (uint8_t)(v >> (8 * i));
        h = fold(h, &b, 1);
    }
    return h;
}

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void rng_init(struct rng *r, uint64_t seed, const char *entity, const char *purpose,
              uint64_t ordinal)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    h = fold_u64(h, seed);
    h = fold_u64(fold(h, entity, strlen(entity)), strlen(entity));
    h = fold_u64(fold(h, purpose, strlen(purpose)), strlen(purpose));
    h = fold_u64(h, ordinal);
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&h);
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    /* Rejection keeps it uniform; the loop ends after two turns on average at worst. */
    uint64_t limit = UINT64_MAX - UINT64_MAX % n;
    uint64_t v;
    do {
        v = rng_u64(r);
    } while (v >= limit);
    return v % n;
}

void rng_fill(struct rng *r, void *out, size_t len_bytes)
{
    uint8_t *p = out;
    while (len_bytes > 0) {
        uint64_t v = rng_u64(r);
        for (int i = 0; i < 8 && len_bytes > 0; i++, len_bytes--) {
            *p++ = (uint8_t)v;
            v >>= 8;
        }
    }
}
