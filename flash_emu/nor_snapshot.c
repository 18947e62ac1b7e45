/*
 * Saved states. A snapshot is one reference-counted copy per erase unit, and the chip remembers
 * which copy each unit still equals; so a save copies only units changed since the last save or
 * restore, and a restore only units that differ. Exploring thousands of cuts lives on this.
 */
#include <stdlib.h>
#include <string.h>

#include "flash_emu/nor_chip.h"

/* bytes: content, wear, flags, written and torn marks, and the weak mask when the unit has one. */
struct nor_unit_copy {
    uint32_t refs;
    uint8_t bytes[];
};

struct nor_snapshot {
    struct nor_geometry geo;
    uint64_t ops;
    uint64_t power_ons;
    bool on;
    uint32_t units;
    struct nor_origin *origin;
    struct nor_saved_unit unit[];
};

static void unref(struct nor_unit_copy *c)
{
    if (c != NULL && --c->refs == 0)
        free(c);
}

static void origin_unref(struct nor_origin *o)
{
    if (o != NULL && --o->refs == 0)
        free(o);
}

int nor_snapshots_init(struct nor *n)
{
    n->saved = calloc(n->units, sizeof *n->saved);
    n->version = calloc(n->units, sizeof(uint64_t));
    n->origin = calloc(1, sizeof *n->origin);
    if (n->saved == NULL || n->version == NULL || n->origin == NULL)
        return ERR_NOMEM;
    n->origin->refs = 1;
    return 0;
}

void nor_snapshots_free(struct nor *n)
{
    for (uint32_t unit = 0; n->saved != NULL && unit < n->units; unit++)
        unref(n->saved[unit].copy);
    free(n->saved);
    free(n->version);
    origin_unref(n->origin);
}

static bool is_saved(const struct nor *n, uint32_t unit)
{
    return n->saved[unit].copy != NULL && n->saved[unit].version == n->version[unit];
}

/* The unit equals that copy now. The one that it had before is mostly the same. */
static void set_saved(const struct nor *n, uint32_t unit, struct nor_unit_copy *c)
{
    struct nor_unit_copy *before = n->saved[unit].copy;
    n->saved[unit] = (struct nor_saved_unit){.copy = c, .version = n->version[unit]};
    if (before == c)
        return;
    c->refs++;
    unref(before);
}

/* The pieces of a unit's state, in the order they lie in a copy. */
struct piece {
    uint8_t *at;
    size_t len_bytes;
};
#define PIECES 6

static void pieces_of(const struct nor *n, uint32_t unit, struct piece out[PIECES])
{
    size_t erase = n->geo.erase_bytes;
    size_t marks = n->mark_bytes;
    out[0] = (struct piece){n->flags + unit, 1};
    out[1] = (struct piece){n->cells + unit * erase, erase};
    out[2] = (struct piece){n->wear + 4 * (size_t)unit, 4};
    out[3] = (struct piece){marks != 0 ? n->written + unit * marks : NULL, marks};
    out[4] = (struct piece){marks != 0 ? n->torn + unit * marks : NULL, marks};
    out[5] = (struct piece){n->weak + unit * erase, erase};
}

static struct nor_unit_copy *copy_out(const struct nor *n, uint32_t unit)
{
    struct piece pieces[PIECES];
    size_t total = 0;
    pieces_of(n, unit, pieces);
    if (!(n->flags[unit] & UNIT_WEAK))
        pieces[5].len_bytes = 0;
    for (int i = 0; i < PIECES; i++)
        total += pieces[i].len_bytes;
    struct nor_unit_copy *c = malloc(sizeof(*c) + total);
    if (c == NULL)
        return NULL;
    c->refs = 0;
    uint8_t *p = c->bytes;
    for (int i = 0; i < PIECES; i++) {
        if (pieces[i].len_bytes > 0)
            memcpy(p, pieces[i].at, pieces[i].len_bytes);
        p += pieces[i].len_bytes;
    }
    return c;
}

static void copy_in(struct nor *n, uint32_t unit, const struct nor_unit_copy *c)
{
    struct piece pieces[PIECES];
    const uint8_t *p = c->bytes;
    bool had_weak = (n->flags[unit] & UNIT_WEAK) != 0;
    bool has_weak = (c->bytes[0] & UNIT_WEAK) != 0;
    pieces_of(n, unit, pieces);
    if (!has_weak)
        pieces[5].len_bytes = 0;
    for (int i = 0; i < PIECES; i++) {
        if (pieces[i].len_bytes > 0)
            memcpy(pieces[i].at, p, pieces[i].len_bytes);
        p += pieces[i].len_bytes;
    }
    if (had_weak && !has_weak)
        memset(pieces[5].at, 0, n->geo.erase_bytes);
}

struct nor_snapshot *nor_save(const struct nor *n)
{
    struct nor_snapshot *s = calloc(1, sizeof(*s) + n->units * sizeof(s->unit[0]));
    if (s == NULL)
        return NULL;
    s->geo = n->geo;
    s->ops = nor_meta_ops(n);
    s->power_ons = nor_meta_power_ons(n);
    s->on = n->on;
    s->units = n->units;
    s->origin = n->origin;
    s->origin->refs++;
    for (uint32_t unit = 0; unit < n->units; unit++) {
        struct nor_unit_copy *c = is_saved(n, unit) ? n->saved[unit].copy : copy_out(n, unit);
        if (c == NULL) {
            nor_snapshot_free(s);
            return NULL;
        }
        set_saved(n, unit, c);
        c->refs++;
        s->unit[unit] = n->saved[unit];
    }
    return s;
}

int nor_restore(struct nor *n, const struct nor_snapshot *s)
{
    if (s->geo.size_bytes != n->geo.size_bytes || s->geo.erase_bytes != n->geo.erase_bytes ||
        s->geo.page_bytes != n->geo.page_bytes || s->geo.granule_bytes != n->geo.granule_bytes ||
        s->geo.policy != n->geo.policy)
        return ERR_ARG;
    for (uint32_t unit = 0; unit < n->units; unit++) {
        const struct nor_saved_unit *u = &s->unit[unit];
        if (n->saved[unit].copy == u->copy && is_saved(n, unit))
            continue;
        nor_unit_touch(n, unit);
        copy_in(n, unit, u->copy);
        if (s->origin == n->origin)
            n->version[unit] = u->version;
        set_saved(n, unit, u->copy);
    }
    nor_meta_set_ops(n, s->ops);
    nor_meta_set_power_ons(n, s->power_ons);
    n->on = s->on;
    n->cut = (struct nor_cut){0};
    nor_end_life(n);
    return 0;
}

void nor_snapshot_free(struct nor_snapshot *s)
{
    if (s == NULL)
        return;
    for (uint32_t unit = 0; unit < s->units; unit++)
        unref(s->unit[unit].copy);
    origin_unref(s->origin);
    free(s);
}
