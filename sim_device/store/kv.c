#include "sim_device/store/kv.h"

#include <string.h>

#include "common/bytes.h"

enum { AT_KEY_LEN = 0, AT_VALUE_LEN = 1, PAIR_HEAD = 3 };

int kv_check(const struct nor_geometry *geo, const struct partition_table *t, struct err *err)
{
    const struct partition *p = partition_find(t, KV_PARTITION);
    if (p == NULL)
        return err_set(err, ERR_ARG, "partitions: there must be one named \"%s\"", KV_PARTITION);
    int rc = twin_check(geo, p->size_bytes, KV_BYTES, err);
    return rc == 0 ? 0 : err_prefix(err, rc, "partition \"%s\"", KV_PARTITION);
}

bool kv_each(const uint8_t *bytes, uint32_t len_bytes,
             bool (*visit)(void *ctx, const char *key, uint32_t key_bytes, const uint8_t *value,
                           uint32_t value_bytes),
             void *ctx)
{
    for (uint32_t at = 0; at < len_bytes;) {
        if (len_bytes - at < PAIR_HEAD)
            return false;
        uint32_t key = bytes[at + AT_KEY_LEN], value = get_le16(bytes + at + AT_VALUE_LEN);
        if (key == 0 || key > KV_KEY_MAX || value > KV_VALUE_MAX ||
            key + value > len_bytes - at - PAIR_HEAD)
            return false;
        const uint8_t *k = bytes + at + PAIR_HEAD;
        if (!visit(ctx, (const char *)k, key, k + key, value))
            return true;
        at += PAIR_HEAD + key + value;
    }
    return true;
}

struct seek {
    const char *key;
    size_t key_bytes;
    const uint8_t *value; /* null: not found */
    uint32_t value_bytes;
};

static bool seek_key(void *ctx, const char *key, uint32_t key_bytes, const uint8_t *value,
                     uint32_t value_bytes)
{
    struct seek *s = ctx;
    if (key_bytes != s->key_bytes || memcmp(key, s->key, key_bytes) != 0)
        return true;
    s->value = value;
    s->value_bytes = value_bytes;
    return false;
}

struct unique {
    const uint8_t *bytes;
    uint32_t len_bytes;
    bool all; /* so far no key came twice */
};

/* The first pair with this key is this one. */
static bool first_of_its_key(void *ctx, const char *key, uint32_t key_bytes, const uint8_t *value,
                             uint32_t value_bytes)
{
    struct unique *u = ctx;
    struct seek s = {.key = key, .key_bytes = key_bytes};
    (void)value_bytes;
    (void)kv_each(u->bytes, u->len_bytes, seek_key, &s);
    u->all = s.value == value;
    return u->all;
}

/* A list of pairs, no key twice: setting one replaces what getting it finds, and nothing older
 * comes up from behind it. */
static bool makes_sense(const uint8_t *bytes, uint32_t len_bytes)
{
    struct unique u = {bytes, len_bytes, true};
    return kv_each(bytes, len_bytes, first_of_its_key, &u) && u.all;
}

int kv_open(struct kv *kv, struct board *b, const struct partition_table *t, bool single_copy,
            struct err *err)
{
    memset(kv, 0, sizeof *kv);
    int rc = kv_check(nor_geo(b->nor), t, err);
    if (rc != 0)
        return rc;
    kv->twin.single = single_copy;
    rc = twin_open(&kv->twin, b, partition_find(t, KV_PARTITION), KV_BYTES, err);
    /* What is read is acted on. Flash that refuses is no reason not to read it. */
    if (rc == 0)
        (void)twin_settle(&kv->twin, NULL);
    if (rc == 0 && kv->twin.valid)
        rc = twin_read(&kv->twin, kv->bytes, sizeof kv->bytes, &kv->len_bytes, err);
    if (rc == 0 && !makes_sense(kv->bytes, kv->len_bytes))
        kv->len_bytes = 0;
    return rc;
}

static struct seek find(const uint8_t *bytes, uint32_t len_bytes, const char *key)
{
    struct seek s = {.key = key, .key_bytes = key != NULL ? strnlen(key, KV_KEY_MAX + 1) : 0};
    if (s.key_bytes > 0 && s.key_bytes <= KV_KEY_MAX)
        (void)kv_each(bytes, len_bytes, seek_key, &s);
    return s;
}

int kv_get(const struct kv *kv, const char *key, void *buf, uint32_t *len_bytes)
{
    struct seek s = find(kv->bytes, kv->len_bytes, key);
    uint32_t cap = *len_bytes;
    if (s.key_bytes == 0 || s.key_bytes > KV_KEY_MAX)
        return ERR_ARG;
    if (s.value == NULL)
        return ERR_NOT_FOUND;
    *len_bytes = s.value_bytes;
    if (s.value_bytes > cap)
        return ERR_LIMIT;
    if (s.value_bytes > 0)
        memcpy(buf, s.value, s.value_bytes);
    return 0;
}

/* bytes without the pair that s found, then the new one at the end. New length; 0: no room. */
static uint32_t replace(uint8_t *bytes, uint32_t len, const struct seek *s, const void *value,
                        uint32_t value_bytes)
{
    uint32_t key = (uint32_t)s->key_bytes;
    if (s->value != NULL) {
        uint32_t from = (uint32_t)(s->value - bytes) - key - PAIR_HEAD;
        uint32_t to = (uint32_t)(s->value - bytes) + s->value_bytes;
        memmove(bytes + from, bytes + to, len - to);
        len -= to - from;
    }
    if (PAIR_HEAD + key + value_bytes > KV_BYTES - len)
        return 0;
    uint8_t *at = bytes + len;
    at[AT_KEY_LEN] = (uint8_t)key;
    put_le16(at + AT_VALUE_LEN, (uint16_t)value_bytes);
    memcpy(at + PAIR_HEAD, s->key, key);
    if (value_bytes > 0)
        memcpy(at + PAIR_HEAD + key, value, value_bytes);
    return len + PAIR_HEAD + key + value_bytes;
}

static int set_locked(struct kv *kv, const char *key, const void *value, uint32_t len_bytes,
                      bool sync, struct err *err)
{
    uint8_t next[KV_BYTES];
    memcpy(next, kv->bytes, kv->len_bytes);
    struct seek s = find(next, kv->len_bytes, key);
    bool same = s.value != NULL && s.value_bytes == len_bytes &&
                (len_bytes == 0 || memcmp(s.value, value, len_bytes) == 0);
    if (same && !(sync && kv->unsaved))
        return 0;
    uint32_t len = same ? kv->len_bytes : replace(next, kv->len_bytes, &s, value, len_bytes);
    if (len == 0)
        return err_set(err, ERR_LIMIT, "key %s: a value of %u bytes, all pairs may have %d", key,
                       (unsigned)len_bytes, KV_BYTES);
    int rc = sync ? twin_write(&kv->twin, next, len, err) : 0;
    if (rc != 0)
        return err_prefix(err, rc, "key %s", key);
    memcpy(kv->bytes, next, len);
    kv->len_bytes = len;
    kv->unsaved = !sync;
    return 0;
}

int kv_set(struct kv *kv, const char *key, const void *value, uint32_t len_bytes, bool sync,
           struct err *err)
{
    struct board *b = kv->twin.board;
    size_t key_bytes = key != NULL ? strnlen(key, KV_KEY_MAX + 1) : 0;
    if (key_bytes == 0 || key_bytes > KV_KEY_MAX)
        return err_set(err, ERR_ARG, "key of %zu characters, allowed are 1..%d", key_bytes,
                       KV_KEY_MAX);
    if (len_bytes > KV_VALUE_MAX || (value == NULL && len_bytes > 0))
        return err_set(err, ERR_ARG, "key %s: value of %u bytes, allowed are 0..%d", key,
                       (unsigned)len_bytes, KV_VALUE_MAX);
    while (kv->busy)
        b->ops->wait(b, &kv->busy, BOARD_FOREVER);
    kv->busy = true;
    int rc = set_locked(kv, key, value, len_bytes, sync, err);
    kv->busy = false;
    b->ops->wake(b, &kv->busy, 1);
    return rc;
}

/* ---- text ---- */

struct text {
    struct buf *out;
    int rc;
};

static bool describe_pair(void *ctx, const char *key, uint32_t key_bytes, const uint8_t *value,
                          uint32_t value_bytes)
{
    struct text *t = ctx;
    (void)value;
    for (uint32_t i = 0; i < key_bytes; i++)
        if (key[i] < ' ' || key[i] > '~')
            return true;
    t->rc = buf_printf(t->out, "  %.*s: %u bytes\n", (int)key_bytes, key, (unsigned)value_bytes);
    return t->rc == 0;
}

int kv_describe(const uint8_t *chip, const struct nor_geometry *geo,
                const struct partition_table *t, struct buf *out)
{
    struct twin twin = {0};
    struct text text = {.out = out};
    uint8_t bytes[KV_BYTES];
    uint32_t len = 0;
    const struct partition *p = partition_find(t, KV_PARTITION);
    if (p == NULL || twin_peek(&twin, chip, geo, p, KV_BYTES, NULL) != 0 || !twin.valid ||
        twin_read(&twin, bytes, sizeof bytes, &len, NULL) != 0)
        return buf_text(out, "no valid record\n");
    if (!kv_each(bytes, len, describe_pair, &text))
        return buf_text(out, "the record is no list of pairs\n");
    return text.rc;
}
