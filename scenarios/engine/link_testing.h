/* What the tests of the link share: a reader that notes every event and the time of every byte. */
#ifndef OTABENCH_ENGINE_LINK_TESTING_H
#define OTABENCH_ENGINE_LINK_TESTING_H

#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/link.h"

#define DIARY_EVENTS 4096
#define DIARY_BYTES  4096

/* What came out of the link, of all connections together. */
struct diary {
    struct {
        enum link_event_kind kind;
        uint32_t conn;
        enum link_dir dir;
        size_t len_bytes;
        int64_t at_ns;
    } event[DIARY_EVENTS];
    size_t n;
    uint8_t bytes[2][DIARY_BYTES];
    int64_t byte_ns[2][DIARY_BYTES];
    size_t len[2];
};

static inline struct diary *diary_new(void)
{
    struct diary *d = calloc(1, sizeof *d);
    REQUIRE(d != NULL);
    return d;
}

/* Lets the link run until then, as its owner would: from deadline to deadline. */
static inline void diary_run(struct diary *d, struct link *l, int64_t until_ns)
{
    int64_t t;
    while ((t = link_deadline(l)) <= until_ns && t != VTIME_NEVER) {
        struct link_event ev;
        while (link_next(l, t, &ev)) {
            REQUIRE(d->n < DIARY_EVENTS);
            d->event[d->n].kind = ev.kind;
            d->event[d->n].conn = ev.conn;
            d->event[d->n].dir = ev.dir;
            d->event[d->n].len_bytes = ev.len_bytes;
            d->event[d->n++].at_ns = t;
            if (ev.kind != LINK_EV_DATA)
                continue;
            REQUIRE(d->len[ev.dir] + ev.len_bytes <= DIARY_BYTES);
            memcpy(d->bytes[ev.dir] + d->len[ev.dir], ev.data, ev.len_bytes);
            for (size_t i = 0; i < ev.len_bytes; i++)
                d->byte_ns[ev.dir][d->len[ev.dir]++] = t;
        }
    }
}

static inline size_t diary_count(const struct diary *d, enum link_event_kind kind,
                                 enum link_dir dir)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++)
        n += d->event[i].kind == kind && (kind != LINK_EV_EOF || d->event[i].dir == dir);
    return n;
}

/* When the first event of that kind came; -1: never. */
static inline int64_t diary_time(const struct diary *d, enum link_event_kind kind)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->event[i].kind == kind)
            return d->event[i].at_ns;
    return -1;
}

/* A connection that is open at now_ns; nothing of it is left in any diary. */
static inline uint32_t open_connection(struct link *l, int64_t now_ns)
{
    uint32_t conn = link_connect(l, now_ns);
    REQUIRE(conn != 0);
    struct link_event ev;
    REQUIRE(link_next(l, link_deadline(l), &ev) && ev.kind == LINK_EV_CONNECTED && ev.conn == conn);
    return conn;
}

/* Bytes that tell their position. */
static inline void fill_stream(uint8_t *out, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++)
        out[i] = (uint8_t)(i * 7 + (i >> 8) + 3);
}

static inline struct link *link_of(const struct link_profile *p, uint64_t seed)
{
    struct link *l = link_new(p, seed);
    REQUIRE(l != NULL);
    return l;
}

#endif
