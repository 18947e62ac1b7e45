#include "scenarios/engine/moments.h"

#include <stdlib.h>
#include <string.h>

#include "flash_emu/nor_raw.h"
#include "scenarios/engine/closure_states.h"

#define UNITS_KEPT  (1u << 20) /* contents of them */
#define BYTES_MAX   ((size_t)1 << 30)
#define CHUNK_BYTES ((size_t)1 << 18)
#define BUCKETS     4096u
#define LOOKS_MAX   16 /* moments with the same flash whose RAM is compared */
#define NONE        UINT32_MAX

/* Contents of a unit, by the version that the chip gave it. */
struct seen {
    uint64_t version;
    uint32_t content;
};
#define SEEN 4 /* that are remembered of each unit: copies come back */

struct moment {
    uint64_t hash;
    uint32_t next; /* of its bucket */
    uint32_t run;
    struct moment_way at;
    const uint32_t *contents;
    const uint8_t *ram; /* null: before power-on */
    size_t ram_bytes;
};

struct run {
    bool over;
    struct moment_end end;
};

struct moments {
    struct closure_device *device;
    uint32_t units, unit_bytes, mark_bytes; /* marks of both kinds */
    struct pool cells, weak, marks, contents;
    uint8_t *room; /* cells, weak cells, marks */

    uint32_t *content; /* of each unit, but those to look at */
    uint64_t hash;
    uint32_t *look, looks; /* units to look at */
    bool *is_to_look;
    uint32_t *touched, touches; /* in this run */
    bool *is_touched;
    struct seen *seen;
    uint8_t *next_seen;

    struct moment *moments;
    uint32_t count, cap;
    uint32_t *buckets, bucket_count;
    struct run *runs;
    uint32_t run_count, run_cap;
    uint8_t **chunks; /* where contents and RAM of moments lie */
    uint32_t chunk_count, chunk_cap;
    size_t chunk_used, chunk_bytes, kept_bytes;
};

/* ---- birth and death ---- */

static bool tables(struct moments *m)
{
    uint32_t units = m->units;
    uint32_t bytes = (m->unit_bytes + 3) / 4 * 4, mark_bytes = (m->mark_bytes + 3) / 4 * 4;
    m->room = calloc(3, bytes + mark_bytes);
    m->content = calloc(units, sizeof *m->content);
    m->look = calloc(units, sizeof *m->look);
    m->is_to_look = calloc(units, sizeof *m->is_to_look);
    m->touched = calloc(units, sizeof *m->touched);
    m->is_touched = calloc(units, sizeof *m->is_touched);
    m->seen = calloc((size_t)units * SEEN, sizeof *m->seen);
    m->next_seen = calloc(units, sizeof *m->next_seen);
    m->buckets = malloc(BUCKETS * sizeof *m->buckets);
    m->bucket_count = BUCKETS;
    if (m->buckets != NULL)
        memset(m->buckets, 0xff, BUCKETS * sizeof *m->buckets);
    return m->room != NULL && m->content != NULL && m->look != NULL && m->is_to_look != NULL &&
           m->touched != NULL && m->is_touched != NULL && m->seen != NULL && m->next_seen != NULL &&
           m->buckets != NULL && pool_init(&m->cells, bytes, UNITS_KEPT) == 0 &&
           pool_init(&m->weak, bytes, UNITS_KEPT) == 0 &&
           pool_init(&m->marks, mark_bytes == 0 ? 4 : mark_bytes, UNITS_KEPT) == 0 &&
           pool_init(&m->contents, 3 * sizeof(uint32_t), UNITS_KEPT) == 0;
}

struct moments *moments_new(struct closure_device *d)
{
    struct moments *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->device = d;
    m->unit_bytes = nor_geo(d->nor)->erase_bytes;
    m->units = nor_geo(d->nor)->size_bytes / m->unit_bytes;
    m->mark_bytes = 2 * nor_raw_mark_bytes(d->nor);
    if (!tables(m)) {
        moments_free(m);
        return NULL;
    }
    memset(m->content, 0xff, m->units * sizeof *m->content);
    for (uint32_t u = 0; u < m->units; u++)
        moments_touch(m, u);
    return m;
}

void moments_free(struct moments *m)
{
    if (m == NULL)
        return;
    pool_free(&m->cells);
    pool_free(&m->weak);
    pool_free(&m->marks);
    pool_free(&m->contents);
    free(m->room);
    free(m->content);
    free(m->look);
    free(m->is_to_look);
    free(m->touched);
    free(m->is_touched);
    free(m->seen);
    free(m->next_seen);
    free(m->moments);
    free(m->buckets);
    free(m->runs);
    for (uint32_t i = 0; i < m->chunk_count; i++)
        free(m->chunks[i]);
    free(m->chunks);
    free(m);
}

/* ---- flash ---- */

static void look_again(struct moments *m, uint32_t unit)
{
    if (m->is_to_look[unit])
        return;
    m->is_to_look[unit] = true;
    m->look[m->looks++] = unit;
}

void moments_touch(struct moments *m, uint32_t unit)
{
    look_again(m, unit);
    if (m->is_touched[unit])
        return;
    m->is_touched[unit] = true;
    m->touched[m->touches++] = unit;
}

/* The number of what the unit holds; POOL_NONE when full. */
static uint32_t content_number(struct moments *m, uint32_t unit)
{
    const struct nor *chip = m->device->nor;
    uint32_t addr = unit * m->unit_bytes, part[3] = {0, 0, 0};
    uint8_t *cells = m->room, *weak = cells + m->cells.record_bytes,
            *marks = weak + m->cells.record_bytes;
    bool is_weak = nor_weak_cells(chip, addr, m->unit_bytes) > 0;
    if (is_weak || m->unit_bytes % 4 != 0) {
        nor_raw_get(chip, addr, m->unit_bytes, cells, weak);
        part[0] = pool_put(&m->cells, cells, NULL);
    } else {
        part[0] = pool_put(&m->cells, nor_peek(chip) + addr, NULL);
    }
    if (is_weak)
        part[1] = pool_put(&m->weak, weak, NULL) + 1;
    if (m->mark_bytes > 0) {
        nor_raw_marks_get(chip, unit, marks);
        part[2] = pool_put(&m->marks, marks, NULL);
    }
    if (part[0] == POOL_NONE || (is_weak && part[1] == 0) || part[2] == POOL_NONE)
        return POOL_NONE;
    return pool_put(&m->contents, part, NULL);
}

static uint32_t content_of(struct moments *m, uint32_t unit)
{
    uint64_t version = nor_version(m->device->nor, unit);
    struct seen *seen = m->seen + (size_t)unit * SEEN;
    for (uint32_t i = 0; i < SEEN; i++)
        if (seen[i].version == version && version != 0)
            return seen[i].content;
    struct seen *out = &seen[m->next_seen[unit]++ % SEEN];
    *out = (struct seen){.version = version, .content = content_number(m, unit)};
    if (out->content == POOL_NONE)
        out->version = 0;
    return out->content;
}

static uint64_t mixed(uint32_t unit, uint32_t content)
{
    uint64_t x = ((uint64_t)unit << 32 | content) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 29;
}

/* Brings content and hash up to date; false when full. */
static bool look_at_flash(struct moments *m)
{
    for (; m->looks > 0; m->looks--) {
        uint32_t unit = m->look[m->looks - 1], content = content_of(m, unit);
        if (content == POOL_NONE)
            return false;
        m->is_to_look[unit] = false;
        if (content == m->content[unit])
            continue;
        if (m->content[unit] != POOL_NONE)
            m->hash ^= mixed(unit, m->content[unit]);
        m->hash ^= mixed(unit, content);
        m->content[unit] = content;
    }
    return true;
}

/* ---- moments ---- */

static bool grow(void *items, uint32_t *cap, size_t item_bytes)
{
    uint32_t more = *cap == 0 ? 256 : 2 * *cap;
    void *bigger = more < *cap ? NULL : realloc(*(void **)items, more * item_bytes);
    if (bigger == NULL)
        return false;
    memcpy(items, &bigger, sizeof bigger);
    *cap = more;
    return true;
}

int moments_begin(struct moments *m)
{
    if (m->run_count == m->run_cap && !grow(&m->runs, &m->run_cap, sizeof *m->runs))
        return ERR_NOMEM;
    m->runs[m->run_count++] = (struct run){.over = false};
    for (; m->touches > 0; m->touches--) {
        uint32_t unit = m->touched[m->touches - 1];
        m->is_touched[unit] = false;
        look_again(m, unit);
    }
    return 0;
}

/* Room for that many bytes; null: not any more. */
static void *room_for(struct moments *m, size_t bytes)
{
    bytes = (bytes + 7) / 8 * 8;
    if (m->chunk_count == 0 || m->chunk_used + bytes > m->chunk_bytes) {
        size_t chunk = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        if (m->kept_bytes + chunk > BYTES_MAX)
            return NULL;
        if (m->chunk_count == m->chunk_cap) {
            uint32_t cap = m->chunk_cap == 0 ? 16 : 2 * m->chunk_cap;
            uint8_t **chunks = realloc(m->chunks, cap * sizeof *chunks);
            if (chunks == NULL)
                return NULL;
            m->chunks = chunks;
            m->chunk_cap = cap;
        }
        uint8_t *fresh = malloc(chunk);
        if (fresh == NULL)
            return NULL;
        m->chunks[m->chunk_count++] = fresh;
        m->chunk_bytes = chunk;
        m->chunk_used = 0;
        m->kept_bytes += chunk;
    }
    void *out = m->chunks[m->chunk_count - 1] + m->chunk_used;
    m->chunk_used += bytes;
    return out;
}

static void put_in_bucket(struct moments *m, uint32_t number)
{
    uint32_t *bucket = &m->buckets[m->moments[number].hash & (m->bucket_count - 1)];
    m->moments[number].next = *bucket;
    *bucket = number;
}

/* Without memory for more, the buckets stay as many as they are. */
static void more_buckets(struct moments *m)
{
    uint32_t count = 2 * m->bucket_count;
    uint32_t *buckets = malloc(count * sizeof *buckets);
    if (buckets == NULL)
        return;
    memset(buckets, 0xff, count * sizeof *buckets);
    free(m->buckets);
    m->buckets = buckets;
    m->bucket_count = count;
    for (uint32_t i = 0; i < m->count; i++)
        put_in_bucket(m, i);
}

/* What cannot be kept any more is not met again, that is all. */
static void put(struct moments *m, const struct moment_way *at)
{
    const struct closure_device *d = m->device;
    size_t contents_bytes = m->units * sizeof *m->content;
    size_t ram_bytes = at == NULL ? 0 : d->ram_bytes;
    if (m->count == m->cap && !grow(&m->moments, &m->cap, sizeof *m->moments))
        return;
    uint8_t *room = room_for(m, contents_bytes + ram_bytes);
    if (room == NULL)
        return;
    memcpy(room, m->content, contents_bytes);
    if (ram_bytes > 0)
        memcpy(room + contents_bytes, d->ram, ram_bytes);
    m->moments[m->count++] = (struct moment){.hash = m->hash,
                                             .run = m->run_count - 1,
                                             .at = at == NULL ? (struct moment_way){0} : *at,
                                             .contents = (const uint32_t *)(const void *)room,
                                             .ram = at == NULL ? NULL : room + contents_bytes,
                                             .ram_bytes = ram_bytes};
    put_in_bucket(m, m->count - 1);
    if (m->count > 2 * m->bucket_count)
        more_buckets(m);
}

/* An earlier moment with this flash and this RAM; NONE. With ram_ready the device's RAM was read.
 */
static uint32_t find(struct moments *m, bool power_on, bool *ram_ready)
{
    struct closure_device *d = m->device;
    uint32_t at = m->buckets[m->hash & (m->bucket_count - 1)];
    for (uint32_t looks = 0; at != NONE && looks < LOOKS_MAX; at = m->moments[at].next) {
        const struct moment *is = &m->moments[at];
        if (is->hash != m->hash || (is->ram == NULL) != power_on ||
            memcmp(is->contents, m->content, m->units * sizeof *m->content) != 0)
            continue;
        if (power_on)
            return at;
        looks++;
        *ram_ready = *ram_ready || closure_device_ram(d);
        if (*ram_ready && is->ram_bytes == d->ram_bytes &&
            memcmp(is->ram, d->ram, d->ram_bytes) == 0)
            return at;
    }
    return NONE;
}

int moments_meet(struct moments *m, const struct moment_way *at, bool keep, enum moment_met *met,
                 struct moment_end *rest)
{
    bool ram_ready = false;
    *met = MOMENT_NEW;
    if (!look_at_flash(m))
        return ERR_NOMEM;
    uint32_t number = find(m, at == NULL, &ram_ready);
    if (number == NONE) {
        if (keep && (at == NULL || ram_ready || closure_device_ram(m->device)))
            put(m, at);
        return 0;
    }
    const struct moment *is = &m->moments[number];
    const struct run *r = &m->runs[is->run];
    *met = r->over ? MOMENT_KNOWN : MOMENT_AGAIN;
    if (r->over)
        *rest = (struct moment_end){.end = r->end.end,
                                    .way = {.ops = r->end.way.ops - is->at.ops,
                                            .chip_ns = r->end.way.chip_ns - is->at.chip_ns,
                                            .steps = r->end.way.steps - is->at.steps}};
    return 0;
}

void moments_end(struct moments *m, const struct moment_end *whole)
{
    m->runs[m->run_count - 1] = (struct run){.over = true, .end = *whole};
}
