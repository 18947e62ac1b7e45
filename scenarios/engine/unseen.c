#include "scenarios/engine/unseen.h"

#include <stdlib.h>
#include <string.h>

/* A unit in the start of that number; of another, nothing has happened to it yet. */
struct face {
    uint32_t start;
    uint32_t from, to;
    bool erased;
};

struct unseen_watch {
    struct unseen result;
    uint32_t units, start;
    struct face faces[];
};

bool unseen_covers(const struct unseen *u, uint32_t addr, uint32_t len_bytes)
{
    uint32_t from = addr % u->unit_bytes, unit = addr - from;
    for (uint32_t i = 0; i < u->count; i++)
        if (u->unit[i].addr == unit)
            return from + len_bytes <= u->unit[i].seen_from || from >= u->unit[i].seen_to;
    return false;
}

bool unseen_merges(const struct unseen *u, uint32_t addr, uint32_t len_bytes, const uint8_t *cells)
{
    for (uint32_t i = 0; i < u->writes; i++) {
        const struct unseen_write *w = &u->write[i];
        uint32_t at = addr - w->addr, k = 0;
        if (addr < w->addr || at > w->len_bytes || len_bytes > w->len_bytes - at)
            continue;
        while (k < len_bytes && (cells[k] & w->data[at + k]) == w->result[at + k])
            k++;
        if (k == len_bytes)
            return true;
    }
    return false;
}

struct unseen_watch *unseen_watch_new(uint32_t units, uint32_t unit_bytes)
{
    struct unseen_watch *w = calloc(1, sizeof *w + units * sizeof w->faces[0]);
    if (w == NULL)
        return NULL;
    w->units = units;
    w->result.unit_bytes = unit_bytes;
    return w;
}

void unseen_watch_free(struct unseen_watch *w)
{
    free(w);
}

void unseen_watch_begin(struct unseen_watch *w)
{
    w->start++;
    w->result.count = w->result.writes = 0;
}

static struct face *face_of(struct unseen_watch *w, uint32_t unit)
{
    struct face *f = &w->faces[unit];
    if (f->start != w->start)
        *f = (struct face){.start = w->start};
    return f;
}

/* Empty ranges have no place. */
static void widen(uint32_t *from, uint32_t *to, uint32_t with_from, uint32_t with_to)
{
    if (with_from == with_to)
        return;
    bool empty = *from == *to;
    *from = empty || with_from < *from ? with_from : *from;
    *to = empty || with_to > *to ? with_to : *to;
}

void unseen_watch_look(struct unseen_watch *w, uint32_t addr, uint32_t len_bytes)
{
    uint32_t bytes = w->result.unit_bytes, end = addr + len_bytes;
    while (addr < end) {
        uint32_t unit = addr / bytes, from = addr % bytes;
        uint32_t to = end - addr < bytes - from ? from + (end - addr) : bytes;
        struct face *f = face_of(w, unit);
        addr += to - from;
        if (f->erased)
            continue;
        widen(&f->from, &f->to, from, to);
    }
}

void unseen_watch_erase(struct unseen_watch *w, uint32_t addr)
{
    struct face *f = face_of(w, addr / w->result.unit_bytes);
    if (f->erased)
        return;
    f->erased = true;
    if (w->result.count < UNSEEN_MAX)
        w->result.unit[w->result.count++] =
            (struct unseen_unit){.addr = addr, .seen_from = f->from, .seen_to = f->to};
}

void unseen_watch_program(struct unseen_watch *w, uint32_t addr, uint32_t len_bytes,
                          const uint8_t *data, const uint8_t *result)
{
    uint32_t from = addr % w->result.unit_bytes;
    const struct face *f = face_of(w, addr / w->result.unit_bytes);
    bool seen = from < f->to && from + len_bytes > f->from;
    if (len_bytes > UNSEEN_WRITE_BYTES || w->result.writes == UNSEEN_WRITES || f->erased || seen)
        return;
    struct unseen_write *out = &w->result.write[w->result.writes++];
    out->addr = addr;
    out->len_bytes = len_bytes;
    memcpy(out->data, data, len_bytes);
    memcpy(out->result, result, len_bytes);
}

const struct unseen *unseen_watch_result(const struct unseen_watch *w)
{
    return &w->result;
}

void unseen_add_looks(struct unseen *u, const struct unseen_watch *before)
{
    u->writes = 0;
    for (uint32_t i = 0; i < u->count; i++) {
        const struct face *f = &before->faces[u->unit[i].addr / u->unit_bytes];
        if (f->start == before->start)
            widen(&u->unit[i].seen_from, &u->unit[i].seen_to, f->from, f->to);
    }
}
