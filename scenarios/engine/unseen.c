#include "scenarios/engine/unseen.h"

#include <stdlib.h>

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
    w->result.count = 0;
}

static struct face *face_of(struct unseen_watch *w, uint32_t unit)
{
    struct face *f = &w->faces[unit];
    if (f->start != w->start)
        *f = (struct face){.start = w->start};
    return f;
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
        if (f->from == f->to) {
            f->from = from;
            f->to = to;
        }
        f->from = from < f->from ? from : f->from;
        f->to = to > f->to ? to : f->to;
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

const struct unseen *unseen_watch_result(const struct unseen_watch *w)
{
    return &w->result;
}
