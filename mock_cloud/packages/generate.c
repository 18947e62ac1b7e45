/*
 * Layout of a generated image: vector table, version banner, code with literal pools and address
 * tables, strings, 0xFF tail. Addresses are those of a Cortex-M flash, so a rebuild finds them
 * again by their value, as it would in a real image.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "mock_cloud/packages/packages.h"

#define FLASH_BASE     0x08000000u
#define BANNER         "otabench firmware release "
#define RELEASE_DIGITS 5
#define BANNER_BYTES   56

#define INSERTED_MIN_BYTES 40u
#define INSERTED_MAX_BYTES 160u

/* Instruction words as a compiler writes them; the set bits of vary differ from use to use. */
static const struct idiom {
    uint32_t word;
    uint32_t vary;
} idioms[] = {
    {0x46034604, 0x00380038}, {0x68036804, 0x07ff0007}, {0x60416002, 0x07c007c0},
    {0x23004618, 0x003f0000}, {0x2b00d001, 0x0000001f}, {0x47704618, 0x00000000},
    {0xf85d4b04, 0x0000001f}, {0x4b0a681a, 0x001f003f}, {0xe7f6bf00, 0x001f0000},
    {0x1c5a4293, 0x003f0000}, {0xb2db3301, 0x00000007}, {0xd1fa3c01, 0x003f0000},
    {0xf0038a0f, 0x00000f0f}, {0xea434303, 0x0f0f0000}, {0x21004a05, 0x00ff001f},
    {0x4798b108, 0x00000038}, {0xf04f33ff, 0x000000ff}, {0xbf182000, 0x00000000},
};

struct pen {
    uint8_t *image;
    uint32_t at;
    uint32_t end;
    uint32_t text_from; /* where addresses point into */
    uint32_t text_to;
    struct rng rng;
};

static void put_word(struct pen *p, uint32_t word)
{
    uint8_t raw[4];
    const uint32_t left = p->end - p->at;
    const uint32_t n = left < sizeof raw ? left : (uint32_t)sizeof raw;
    put_le32(raw, word);
    memcpy(p->image + p->at, raw, n);
    p->at += n;
}

/* Thumb address of one of some 100-byte functions: the same ones are named again and again. */
static uint32_t some_address(struct pen *p)
{
    const uint32_t span = p->text_to - p->text_from;
    const uint32_t functions = span / 100 + 1;
    const uint32_t i = (uint32_t)rng_below(&p->rng, functions);
    const uint32_t offset = (uint32_t)((uint64_t)i * span / functions) & ~3u;
    return (FLASH_BASE + p->text_from + offset) | 1u;
}

static void put_function(struct pen *p, uint32_t words)
{
    const uint32_t pool = (uint32_t)rng_below(&p->rng, 4);
    put_word(p, 0xb510b500u | (uint32_t)(rng_below(&p->rng, 8) << 4));
    for (uint32_t i = 2 + pool; i < words; i++) {
        const struct idiom *d = &idioms[rng_below(&p->rng, sizeof idioms / sizeof idioms[0])];
        put_word(p, d->word ^ ((uint32_t)rng_u64(&p->rng) & d->vary));
    }
    put_word(p, 0xbf00bd10u);
    for (uint32_t i = 0; i < pool; i++)
        put_word(p, rng_below(&p->rng, 3) > 0
                        ? some_address(p)
                        : 0x20000000u | ((uint32_t)rng_u64(&p->rng) & 0xfffcu));
}

static void put_text(struct pen *p)
{
    static const char *const subjects[] = {"modem", "flash", "sensor", "uart",
                                           "timer", "radio", "battery"};
    static const char *const events[] = {"init failed",  "timeout", "ready",
                                         "crc mismatch", "state",   "retry"};
    /* One draw per statement, here and below: compilers order the operands of an expression, and
     * the arguments of a call, as they like. */
    const unsigned number = (unsigned)rng_below(&p->rng, 1000);
    const char *event = events[rng_below(&p->rng, sizeof events / sizeof events[0])];
    const char *subject = subjects[rng_below(&p->rng, sizeof subjects / sizeof subjects[0])];
    char line[64];
    int n = snprintf(line, sizeof line, "%s: %s (%u)", subject, event, number);
    const uint32_t left = p->end - p->at;
    const uint32_t len = (uint32_t)n + 1 < left ? (uint32_t)n + 1 : left;
    memcpy(p->image + p->at, line, len);
    p->at += len;
}

/* Exactly BANNER_BYTES with terminators, or what fits. */
static void put_banner(uint8_t *at, uint32_t room, unsigned release, uint32_t build)
{
    char text[BANNER_BYTES] = "";
    (void)snprintf(text, sizeof text, BANNER "%0*u build %08x", RELEASE_DIGITS, release % 100000,
                   build);
    memcpy(at, text, room < sizeof text ? room : sizeof text);
}

int package_generate(struct buf *out, uint64_t seed, uint32_t len_bytes)
{
    if (len_bytes == 0)
        return ERR_ARG;
    if (len_bytes > PACKAGE_IMAGE_MAX)
        return ERR_LIMIT;
    int rc = buf_append(out, NULL, len_bytes);
    if (rc != 0)
        return rc;
    struct pen p = {.image = out->data + out->len_bytes - len_bytes, .end = len_bytes};
    const uint32_t strings = (uint32_t)((uint64_t)len_bytes * 86 / 100) & ~3u;
    const uint32_t tail = (uint32_t)((uint64_t)len_bytes * 95 / 100) & ~3u;
    const uint32_t vectors = len_bytes / 64 < 64 ? len_bytes / 64 : 64;
    rng_init(&p.rng, seed, "firmware", "image", 0);
    p.text_from = vectors * 4 + BANNER_BYTES < strings ? vectors * 4 + BANNER_BYTES : strings;
    p.text_to = strings;

    put_word(&p, 0x20010000u);
    for (uint32_t i = 1; i < vectors; i++)
        put_word(&p, some_address(&p));
    put_banner(p.image + p.at, p.end - p.at, 1, (uint32_t)rng_u64(&p.rng));
    p.at = p.text_from;
    p.end = strings;
    for (uint32_t i = 1; p.at < p.end; i++) {
        put_function(&p, 12 + (uint32_t)rng_below(&p.rng, 30));
        for (uint32_t n = i % 24 == 0 ? 8 + (uint32_t)rng_below(&p.rng, 17) : 0; n > 0; n--)
            put_word(&p, some_address(&p));
    }
    p.end = tail;
    while (p.at < p.end)
        put_text(&p);
    memset(p.image + tail, 0xff, len_bytes - tail);
    return 0;
}

/* ---- The next build -------------------------------------------------------------------------- */

#define EDITS 3

/* In the order of at: old bytes [at, at + removed) give way to inserted new ones. All multiples of
 * 4, so words stay words. */
struct edit {
    uint32_t at;
    uint32_t inserted;
    uint32_t removed;
};

static uint32_t content_bytes(const uint8_t *image, uint32_t len_bytes)
{
    while (len_bytes > 0 && image[len_bytes - 1] == 0xff)
        len_bytes--;
    return len_bytes;
}

static uint32_t inserted_bytes(struct rng *r, uint32_t content)
{
    const uint32_t n =
        INSERTED_MIN_BYTES + (uint32_t)rng_below(r, INSERTED_MAX_BYTES - INSERTED_MIN_BYTES);
    return (n < content / 16 ? n : content / 16) & ~3u;
}

/* One or two new functions, and one place that takes up or gives away what the size changes by. */
static void plan_edits(struct edit e[EDITS], struct rng *r, uint32_t content, int64_t grow)
{
    const uint32_t shrink = grow < 0 ? (uint32_t)-grow & ~3u : 0;
    const uint32_t most = (content - content / 8) & ~3u;
    const uint32_t bulk = shrink < most ? shrink : most;
    const uint32_t span = (content - bulk) / 4; /* words that stay */
    uint32_t words[EDITS];
    for (int i = 0; i < EDITS; i++) {
        const uint64_t eighth = (uint64_t)i * 2 + 1 + rng_below(r, 2);
        words[i] = (uint32_t)(eighth * span / 8 + rng_below(r, span / 8 + 1));
    }
    e[0] = (struct edit){.at = words[0] * 4, .inserted = inserted_bytes(r, content)};
    e[1] = (struct edit){.at = words[1] * 4, .removed = bulk};
    if (grow > 0)
        e[1].inserted = (uint32_t)grow & ~3u;
    e[2] = (struct edit){.at = words[2] * 4 + bulk};
    if (rng_below(r, 2) == 0)
        e[2].inserted = inserted_bytes(r, content);
}

static uint32_t moved(const struct edit e[EDITS], uint32_t offset)
{
    uint32_t shift = 0; /* modulo 2^32: removals wrap it below zero */
    for (int i = 0; i < EDITS && offset >= e[i].at; i++) {
        if (offset < e[i].at + e[i].removed)
            return e[i].at + shift;
        shift += e[i].inserted - e[i].removed;
    }
    return offset + shift;
}

/* Old content [from, to) goes to `at` of the new image; its addresses follow what moved. */
static void copy_moved(uint8_t *at, const uint8_t *old_image, uint32_t from, uint32_t to,
                       uint32_t content, const struct edit e[EDITS])
{
    memcpy(at, old_image + from, to - from);
    for (uint32_t i = 0; i + 4 <= to - from; i += 4) {
        const uint32_t offset = get_le32(at + i) - FLASH_BASE;
        if (offset < content)
            put_le32(at + i, FLASH_BASE + moved(e, offset));
    }
}

static void patch(uint8_t *image, uint32_t content, struct rng *r)
{
    const uint32_t n = 3 + content / 32768;
    for (uint32_t i = 0; i < n && content > 0; i++) {
        const uint64_t at = rng_below(r, content);
        image[at] ^= (uint8_t)(1 + rng_below(r, 255));
    }
}

static void renew_banner(uint8_t *image, uint32_t content, struct rng *r)
{
    uint8_t *at = memmem(image, content, BANNER, sizeof BANNER - 1);
    unsigned release = 0;
    if (at == NULL || content - (uint32_t)(at - image) < BANNER_BYTES)
        return;
    for (int i = 0; i < RELEASE_DIGITS; i++)
        release = release * 10 + (at[sizeof BANNER - 1 + (size_t)i] & 15u);
    put_banner(at, BANNER_BYTES, release + 1, (uint32_t)rng_u64(r));
}

static void rebuild(uint8_t *image, const uint8_t *old_image, uint32_t content,
                    const struct edit e[EDITS], struct rng *r)
{
    struct pen p = {.image = image, .text_to = content, .rng = *r};
    uint32_t from = 0;
    for (int i = 0; i < EDITS; i++) {
        copy_moved(image + p.at, old_image, from, e[i].at, content, e);
        p.at += e[i].at - from;
        from = e[i].at + e[i].removed;
        p.end = p.at + e[i].inserted;
        while (p.at < p.end)
            put_function(&p, (p.end - p.at) / 4 < 40 ? (p.end - p.at) / 4 : 24);
    }
    copy_moved(image + p.at, old_image, from, content, content, e);
    *r = p.rng;
}

int package_generate_next(struct buf *out, uint64_t seed, const uint8_t *old_image,
                          uint32_t old_bytes, int32_t grow_bytes)
{
    const int64_t wanted = (int64_t)old_bytes + grow_bytes;
    const uint32_t new_bytes = wanted < 64 ? 64 : (uint32_t)wanted;
    struct edit edits[EDITS];
    struct rng r;
    if (old_image == NULL || old_bytes == 0)
        return ERR_ARG;
    if (wanted > PACKAGE_IMAGE_MAX || old_bytes > PACKAGE_IMAGE_MAX)
        return ERR_LIMIT;
    rng_init(&r, seed, "firmware", "next", 0);
    const uint32_t content = content_bytes(old_image, old_bytes);
    plan_edits(edits, &r, content, (int64_t)new_bytes - old_bytes);
    const uint32_t next_content = moved(edits, content);

    uint8_t *image = calloc(next_content + 1u, 1);
    if (image == NULL)
        return ERR_NOMEM;
    rebuild(image, old_image, content, edits, &r);
    const uint32_t kept = next_content < new_bytes ? next_content : new_bytes;
    patch(image, kept, &r);
    renew_banner(image, kept, &r);
    int rc = buf_append(out, NULL, new_bytes);
    if (rc == 0) {
        uint8_t *at = out->data + out->len_bytes - new_bytes;
        memcpy(at, image, kept);
        memset(at + kept, 0xff, new_bytes - kept);
        /* An image of nothing but tail has nothing to edit, and is still another build. */
        if (new_bytes == old_bytes && memcmp(at, old_image, new_bytes) == 0)
            at[0] ^= 1;
    }
    free(image);
    return rc;
}
