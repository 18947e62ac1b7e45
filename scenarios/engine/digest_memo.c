/*
 * Method: contents are found by their length and a sample of their words, in a pool; the sample
 * only proposes. A device that repeats itself asks in the same order again, so the content of the
 * last question and the one that followed it last time are tried before the pool.
 */
#include "scenarios/engine/digest_memo.h"

#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/closure_states.h"

#define CONTENTS_MAX (1u << 16)
#define SAMPLES      8
#define KINDS        3 /* BOARD_CRC32, and of enum digest_kind */

/* Padding would be part of the record, so there is none. */
struct key {
    uint64_t len_bytes;
    uint64_t sample[SAMPLES];
};

struct content {
    const uint8_t *data; /* null: nothing kept */
    uint8_t *copy;       /* owned; null: lent */
    uint32_t len_bytes;
    uint32_t next; /* what was asked for after it; itself at first */
    bool has[KINDS];
    uint8_t out[KINDS][DIGEST_BYTES_MAX];
};

struct digest_memo {
    struct pool keys;
    struct content *contents; /* by the number of their key */
    uint32_t last;
    digest_memo_equal *equal;
    void *equal_ctx;
    size_t bytes, max_bytes;
};

static bool equal_bytes(void *ctx, const uint8_t *data, const uint8_t *kept, uint32_t len_bytes)
{
    (void)ctx;
    return memcmp(data, kept, len_bytes) == 0;
}

struct digest_memo *digest_memo_new(size_t max_bytes, digest_memo_equal *equal, void *equal_ctx)
{
    struct digest_memo *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->max_bytes = max_bytes;
    m->equal = equal != NULL ? equal : equal_bytes;
    m->equal_ctx = equal_ctx;
    m->contents = calloc(CONTENTS_MAX, sizeof *m->contents);
    if (m->contents == NULL || pool_init(&m->keys, sizeof(struct key), CONTENTS_MAX) != 0) {
        digest_memo_free(m);
        return NULL;
    }
    return m;
}

void digest_memo_free(struct digest_memo *m)
{
    if (m == NULL)
        return;
    for (uint32_t i = 0; i < m->keys.count; i++)
        free(m->contents[i].copy);
    pool_free(&m->keys);
    free(m->contents);
    free(m);
}

static struct key key_of(const uint8_t *data, uint32_t len_bytes)
{
    struct key k = {.len_bytes = len_bytes};
    uint32_t stride = len_bytes / SAMPLES;
    for (uint32_t i = 0; i < SAMPLES && stride >= sizeof k.sample[0]; i++)
        memcpy(&k.sample[i], data + i * stride, sizeof k.sample[0]);
    return k;
}

static bool holds(const struct digest_memo *m, uint32_t number, const uint8_t *data,
                  uint32_t len_bytes)
{
    const struct content *c = &m->contents[number];
    return c->data != NULL && c->len_bytes == len_bytes &&
           m->equal(m->equal_ctx, data, c->data, len_bytes);
}

/* The entry for that content, made if there is none. Null: no room, or another with the same sample
 * is there. */
static struct content *place_for(struct digest_memo *m, const uint8_t *data, uint32_t len_bytes)
{
    struct key k = key_of(data, len_bytes);
    bool fresh;
    uint32_t number = pool_put(&m->keys, &k, &fresh);
    if (number == POOL_NONE)
        return NULL;
    struct content *c = &m->contents[number];
    if (fresh)
        c->next = number;
    if (c->data == NULL)
        c->len_bytes = len_bytes;
    return c->data == NULL || holds(m, number, data, len_bytes) ? c : NULL;
}

void digest_memo_lend(struct digest_memo *m, const void *data, uint32_t len_bytes,
                      uint32_t piece_bytes)
{
    const uint8_t *at = data;
    struct content *c = place_for(m, at, len_bytes);
    if (c != NULL && c->data == NULL)
        c->data = at;
    for (uint32_t done = 0; len_bytes > piece_bytes && done < len_bytes; done += piece_bytes) {
        uint32_t n = len_bytes - done < piece_bytes ? len_bytes - done : piece_bytes;
        c = place_for(m, at + done, n);
        if (c != NULL && c->data == NULL)
            c->data = at + done;
    }
}

static int slot_of(int kind)
{
    return kind == BOARD_CRC32 ? 0 : kind == DIGEST_MD5 ? 1 : 2;
}

static size_t out_bytes(int kind)
{
    return kind == BOARD_CRC32 ? 4 : digest_bytes((enum digest_kind)kind);
}

static uint32_t find(struct digest_memo *m, const uint8_t *data, uint32_t len_bytes)
{
    struct content *last = &m->contents[m->last];
    if (holds(m, m->last, data, len_bytes))
        return m->last;
    if (holds(m, last->next, data, len_bytes))
        return last->next;
    struct key k = key_of(data, len_bytes);
    uint32_t number = pool_find(&m->keys, &k);
    if (number == POOL_NONE || !holds(m, number, data, len_bytes))
        return POOL_NONE;
    last->next = number;
    return number;
}

bool digest_memo_find(void *memo, int kind, const uint8_t *data, uint32_t len_bytes, uint8_t *out)
{
    struct digest_memo *m = memo;
    uint32_t number = find(m, data, len_bytes);
    if (number == POOL_NONE)
        return false;
    m->last = number;
    const struct content *c = &m->contents[number];
    if (c->has[slot_of(kind)])
        memcpy(out, c->out[slot_of(kind)], out_bytes(kind));
    return c->has[slot_of(kind)];
}

void digest_memo_keep(void *memo, int kind, const uint8_t *data, uint32_t len_bytes,
                      const uint8_t *out)
{
    struct digest_memo *m = memo;
    struct content *c = len_bytes == 0 ? NULL : place_for(m, data, len_bytes);
    if (c == NULL)
        return;
    if (c->data == NULL && m->bytes + len_bytes <= m->max_bytes) {
        c->copy = malloc(len_bytes);
        c->data = c->copy;
        if (c->copy == NULL)
            return;
        memcpy(c->copy, data, len_bytes);
        m->bytes += len_bytes;
    }
    if (c->data == NULL)
        return;
    memcpy(c->out[slot_of(kind)], out, out_bytes(kind));
    c->has[slot_of(kind)] = true;
}
