/*
 * Method. Each direction of a connection is a FIFO of items (connect, data segment, end of stream,
 * reset) with the time each is due at the far end. A segment's time is: sender's queue (rate,
 * shared by all connections of that direction) + one way + jitter + radio wake-up +
 * retransmissions. TCP delivers in order, so an item is never due before the one in front of it.
 * Outages and stalls move the head of a FIFO, and with it everything behind.
 */
#include "scenarios/engine/link.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/rng.h"

#define LIVE_MAX        32
#define CONNECTIONS_MAX 100000
#define PIPE_BYTES_MAX  (8u << 20)
#define RADIO_IDLE_NS   (10 * NS_PER_S)
#define RTO_MIN_NS      (1 * NS_PER_S)
#define RTO_MAX_NS      (60 * NS_PER_S)
#define RETRANSMITS_MAX 8

enum item_kind { ITEM_CONNECT, ITEM_REFUSE, ITEM_DATA, ITEM_EOF, ITEM_RESET };

struct item {
    enum item_kind kind;
    int64_t due_ns;
    uint64_t sequence;
    uint32_t len_bytes;
};

struct pipe {
    struct item *items; /* ring */
    size_t head, count, cap;
    struct buf bytes;
    size_t consumed; /* front bytes of `bytes` already handed out */
    uint64_t sent_bytes;
    int64_t last_due_ns;
    int64_t wire_end_ns;   /* when the shared sender is through with its bytes */
    int64_t not_before_ns; /* stall: nothing is due before */
    int64_t dribble_ns;    /* > 0: one byte per segment, this far apart */
    bool closed;           /* nothing may enter any more */
    struct rng jitter, loss;
};

struct conn {
    uint32_t number; /* 0: slot free */
    enum link_kind kind;
    struct pipe pipe[2];
    bool connecting;
    bool eof_seen[2];
};

struct link {
    struct link_profile profile;
    uint64_t seed;
    enum link_door door[LINK_KIND_COUNT];
    int64_t outage_until_ns[LINK_KIND_COUNT];
    int64_t wire_free_ns[2]; /* when the shared sender of that direction is free */
    int64_t last_activity_ns;
    uint32_t newest;
    uint64_t sequence;
    struct link_byte_rule rules[LINK_RULES_MAX];
    size_t n_rules;
    struct conn live[LIVE_MAX];
};

const char *link_action_name(enum link_action a)
{
    static const char *const names[LINK_ACTION_COUNT] = {"reset", "close",   "half-close",
                                                         "stall", "corrupt", "dribble"};
    return (unsigned)a < LINK_ACTION_COUNT ? names[a] : "?";
}

struct link *link_new(const struct link_profile *p, uint64_t seed)
{
    struct link *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->profile = *p;
    l->seed = seed;
    l->last_activity_ns = -RADIO_IDLE_NS;
    return l;
}

static void pipe_free(struct pipe *p)
{
    free(p->items);
    buf_free(&p->bytes);
    memset(p, 0, sizeof *p);
}

static void retire(struct conn *c)
{
    pipe_free(&c->pipe[LINK_UP]);
    pipe_free(&c->pipe[LINK_DOWN]);
    memset(c, 0, sizeof *c);
}

void link_free(struct link *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < LIVE_MAX; i++)
        if (l->live[i].number != 0)
            retire(&l->live[i]);
    free(l);
}

static struct conn *find(const struct link *l, uint32_t number)
{
    for (size_t i = 0; i < LIVE_MAX; i++)
        if (number != 0 && l->live[i].number == number)
            return (struct conn *)&l->live[i];
    return NULL;
}

void link_set_profile(struct link *l, const struct link_profile *p)
{
    l->profile = *p;
}

void link_outage_of(struct link *l, unsigned kinds, int64_t until_ns)
{
    for (int k = 0; k < LINK_KIND_COUNT; k++)
        if ((kinds & LINK_ONLY(k)) != 0)
            l->outage_until_ns[k] = until_ns;
}

void link_outage(struct link *l, int64_t until_ns)
{
    link_outage_of(l, LINK_ALL, until_ns);
}

void link_door_of(struct link *l, unsigned kinds, enum link_door door)
{
    for (int k = 0; k < LINK_KIND_COUNT; k++)
        if ((kinds & LINK_ONLY(k)) != 0)
            l->door[k] = door;
}

void link_door(struct link *l, enum link_door door)
{
    link_door_of(l, LINK_ALL, door);
}

enum link_door link_door_of_kind(const struct link *l, enum link_kind kind)
{
    return l->door[kind];
}

enum link_door link_door_now(const struct link *l)
{
    return link_door_of_kind(l, LINK_HTTP);
}

int link_add_rule(struct link *l, const struct link_byte_rule *r)
{
    if (l->n_rules >= LINK_RULES_MAX)
        return ERR_LIMIT;
    l->rules[l->n_rules] = *r;
    l->rules[l->n_rules++].done = false;
    return 0;
}

const struct link_byte_rule *link_rule_at(const struct link *l, size_t index)
{
    return index < l->n_rules ? &l->rules[index] : NULL;
}

void link_heal(struct link *l, int64_t now_ns)
{
    l->profile = *link_profile_find("perfect");
    link_door(l, LINK_OPEN);
    l->n_rules = 0;
    link_outage(l, 0);
    l->wire_free_ns[LINK_UP] = l->wire_free_ns[LINK_DOWN] = 0;
    for (size_t i = 0; i < LIVE_MAX; i++)
        for (int d = 0; d < 2; d++) {
            struct pipe *p = &l->live[i].pipe[d];
            p->not_before_ns = 0;
            p->dribble_ns = 0;
            p->last_due_ns = now_ns;
            for (size_t k = 0; k < p->count; k++) {
                struct item *it = &p->items[(p->head + k) % p->cap];
                it->due_ns = vtime_min(it->due_ns, now_ns);
            }
        }
}

static int push(struct link *l, struct pipe *p, enum item_kind kind, int64_t due_ns,
                uint32_t len_bytes)
{
    if (p->count == p->cap) {
        size_t cap = p->cap == 0 ? 8 : p->cap * 2;
        struct item *items = malloc(cap * sizeof *items);
        if (items == NULL)
            return ERR_NOMEM;
        for (size_t k = 0; k < p->count; k++)
            items[k] = p->items[(p->head + k) % p->cap];
        free(p->items);
        p->items = items;
        p->cap = cap;
        p->head = 0;
    }
    if (due_ns < p->last_due_ns)
        due_ns = p->last_due_ns;
    p->last_due_ns = due_ns;
    p->items[(p->head + p->count++) % p->cap] = (struct item){
        .kind = kind, .due_ns = due_ns, .sequence = l->sequence++, .len_bytes = len_bytes};
    return 0;
}

uint32_t link_connect(struct link *l, int64_t now_ns)
{
    return link_connect_kind(l, LINK_HTTP, now_ns);
}

uint32_t link_connect_kind(struct link *l, enum link_kind kind, int64_t now_ns)
{
    if (l->newest >= CONNECTIONS_MAX)
        return 0;
    struct conn *c = NULL;
    for (size_t i = 0; i < LIVE_MAX && c == NULL; i++)
        if (l->live[i].number == 0)
            c = &l->live[i];
    if (c == NULL)
        return 0;
    memset(c, 0, sizeof *c);
    c->number = ++l->newest;
    c->kind = kind;
    c->connecting = true;
    for (int d = 0; d < 2; d++) {
        uint64_t ordinal = (uint64_t)c->number * 2 + (uint64_t)d;
        buf_init(&c->pipe[d].bytes, PIPE_BYTES_MAX);
        rng_init(&c->pipe[d].jitter, l->seed, "link", "jitter", ordinal);
        rng_init(&c->pipe[d].loss, l->seed, "link", "loss", ordinal);
    }
    int64_t wake = now_ns - l->last_activity_ns >= RADIO_IDLE_NS ? l->profile.idle_ns : 0;
    int64_t due = vtime_after(now_ns, 2 * l->profile.one_way_ns + wake);
    l->last_activity_ns = now_ns;
    if (l->door[kind] == LINK_OPEN)
        (void)push(l, &c->pipe[LINK_UP], ITEM_CONNECT, due, 0);
    else if (l->door[kind] == LINK_REFUSED)
        (void)push(l, &c->pipe[LINK_UP], ITEM_REFUSE, due, 0);
    return c->number;
}

/* Time for one segment to reach the far end, by the profile. */
static int64_t segment_due(struct link *l, struct pipe *p, enum link_dir dir, uint32_t len_bytes,
                           int64_t now_ns)
{
    const struct link_profile *f = &l->profile;
    uint32_t bps = dir == LINK_UP ? f->up_bps : f->down_bps;
    int64_t start = now_ns;
    if (f->idle_ns > 0 && now_ns - l->last_activity_ns >= RADIO_IDLE_NS)
        start += f->idle_ns;
    l->last_activity_ns = now_ns;
    if (bps > 0) {
        if (start < l->wire_free_ns[dir])
            start = l->wire_free_ns[dir];
        start += (int64_t)len_bytes * 8 * NS_PER_S / bps;
        l->wire_free_ns[dir] = p->wire_end_ns = start;
    }
    int64_t due = start + f->one_way_ns;
    if (f->jitter_ns > 0)
        due += (int64_t)rng_below(&p->jitter, (uint64_t)f->jitter_ns);
    if (f->loss_ppm > 0) {
        int64_t rto = 6 * f->one_way_ns < RTO_MIN_NS ? RTO_MIN_NS : 6 * f->one_way_ns;
        for (int i = 0; i < RETRANSMITS_MAX && rng_below(&p->loss, 1000000) < f->loss_ppm; i++) {
            due += rto;
            rto = vtime_min(2 * rto, RTO_MAX_NS);
        }
    }
    if (p->dribble_ns > 0 && due < p->last_due_ns + p->dribble_ns)
        due = p->last_due_ns + p->dribble_ns;
    return due;
}

static int enter(struct link *l, struct pipe *p, enum link_dir dir, const uint8_t *data,
                 size_t len_bytes, int64_t now_ns)
{
    while (len_bytes > 0) {
        uint32_t n = p->dribble_ns > 0 ? 1 : l->profile.segment_bytes;
        if (n > len_bytes)
            n = (uint32_t)len_bytes;
        int rc = buf_append(&p->bytes, data, n);
        if (rc == 0)
            rc = push(l, p, ITEM_DATA, segment_due(l, p, dir, n, now_ns), n);
        if (rc != 0)
            return rc;
        p->sent_bytes += n;
        data += n;
        len_bytes -= n;
    }
    return 0;
}

/* The next rule for this direction among the bytes from..to: lowest offset first, and at one byte
 * the corruptions last, because the byte passes with them. */
static struct link_byte_rule *next_rule(struct link *l, uint32_t number, enum link_dir dir,
                                        uint64_t from, uint64_t to)
{
    struct link_byte_rule *best = NULL;
    for (size_t i = 0; i < l->n_rules; i++) {
        struct link_byte_rule *r = &l->rules[i];
        if (!r->done && r->connection == number && r->dir == dir && r->offset >= from &&
            r->offset < to &&
            (best == NULL || r->offset < best->offset ||
             (r->offset == best->offset && best->action == LINK_CORRUPT)))
            best = r;
    }
    return best;
}

/* Applies an action to the stream at its present end. Corrupt is done by the caller: it needs the
 * byte. */
static void act(struct link *l, struct conn *c, enum link_dir dir, enum link_action action,
                int64_t duration_ns, int64_t now_ns)
{
    struct pipe *p = &c->pipe[dir];
    struct pipe *other = &c->pipe[1 - dir];
    int64_t due = now_ns + l->profile.one_way_ns;
    switch (action) {
    case LINK_RESET:
        (void)push(l, p, ITEM_RESET, due, 0);
        p->closed = other->closed = true;
        break;
    case LINK_CLOSE:
        (void)push(l, p, ITEM_EOF, due, 0);
        (void)push(l, other, ITEM_EOF, due, 0);
        p->closed = other->closed = true;
        break;
    case LINK_HALF:
        (void)push(l, p, ITEM_EOF, due, 0);
        p->closed = true;
        break;
    case LINK_STALL:
        /* What is already under way arrives; what enters from here on waits behind it. */
        if (due < p->last_due_ns)
            due = p->last_due_ns;
        p->last_due_ns = vtime_after(due, duration_ns);
        break;
    case LINK_DRIBBLE:
        p->dribble_ns = duration_ns > 0 ? duration_ns : 1;
        break;
    case LINK_CORRUPT:
    case LINK_ACTION_COUNT:
        break;
    }
}

/* Bytes that found no room must not be missed in the middle of the stream: it ends here. */
static int give_up(struct link *l, struct conn *c, enum link_dir dir, int rc, int64_t now_ns)
{
    act(l, c, dir, LINK_RESET, 0, now_ns);
    return rc;
}

int link_enter(struct link *l, uint32_t conn, enum link_dir dir, const void *data, size_t len_bytes,
               int64_t now_ns)
{
    struct conn *c = find(l, conn);
    if (c == NULL)
        return ERR_WRONG_STATE;
    struct pipe *p = &c->pipe[dir];
    const uint8_t *at = data;
    while (len_bytes > 0 && !p->closed) {
        struct link_byte_rule *r =
            next_rule(l, conn, dir, p->sent_bytes, p->sent_bytes + len_bytes);
        size_t before = r == NULL ? len_bytes : (size_t)(r->offset - p->sent_bytes);
        int rc = enter(l, p, dir, at, before, now_ns);
        if (rc != 0)
            return give_up(l, c, dir, rc, now_ns);
        at += before;
        len_bytes -= before;
        if (r == NULL)
            break;
        r->done = true;
        if (r->action == LINK_CORRUPT) {
            uint8_t byte = (uint8_t)(*at ^ r->mask);
            while ((r = next_rule(l, conn, dir, p->sent_bytes, p->sent_bytes + 1)) != NULL) {
                r->done = true;
                byte ^= r->mask;
            }
            rc = enter(l, p, dir, &byte, 1, now_ns);
            if (rc != 0)
                return give_up(l, c, dir, rc, now_ns);
            at++;
            len_bytes--;
        } else {
            act(l, c, dir, r->action, r->duration_ns, now_ns);
        }
    }
    return p->closed ? ERR_WRONG_STATE : 0;
}

void link_fin(struct link *l, uint32_t conn, enum link_dir dir, int64_t now_ns)
{
    struct conn *c = find(l, conn);
    if (c == NULL || c->pipe[dir].closed)
        return;
    if (c->connecting) { /* given up: there is nobody to tell */
        retire(c);
        return;
    }
    struct pipe *p = &c->pipe[dir];
    (void)push(l, p, ITEM_EOF, now_ns + l->profile.one_way_ns, 0);
    p->closed = true;
}

void link_vanish(struct link *l, uint32_t conn)
{
    struct conn *c = find(l, conn);
    if (c == NULL)
        return;
    retire(c);
    /* Nobody goes on sending to who is gone: what waited for the sender waits no longer. */
    for (int d = 0; d < 2; d++) {
        int64_t end_ns = 0;
        for (size_t i = 0; i < LIVE_MAX; i++)
            if (l->live[i].number != 0 && l->live[i].pipe[d].wire_end_ns > end_ns)
                end_ns = l->live[i].pipe[d].wire_end_ns;
        l->wire_free_ns[d] = vtime_min(l->wire_free_ns[d], end_ns);
    }
}

void link_break(struct link *l, uint32_t conn, enum link_action action, int64_t now_ns)
{
    struct conn *c = find(l, conn);
    if (c != NULL)
        act(l, c, LINK_DOWN, action, 0, now_ns);
}

uint64_t link_sent(const struct link *l, uint32_t conn, enum link_dir dir)
{
    const struct conn *c = find(l, conn);
    return c == NULL ? 0 : c->pipe[dir].sent_bytes;
}

bool link_is_live(const struct link *l, uint32_t conn)
{
    return find(l, conn) != NULL;
}

enum link_kind link_kind_of(const struct link *l, uint32_t conn)
{
    const struct conn *c = find(l, conn);
    return c == NULL ? LINK_HTTP : c->kind;
}

uint32_t link_connections(const struct link *l)
{
    return l->newest;
}

void link_count_from(struct link *l, uint32_t newest)
{
    l->newest = newest;
}

static int64_t effective_due(const struct link *l, const struct conn *c, const struct pipe *p,
                             const struct item *it)
{
    int64_t due = it->due_ns;
    if (due < l->outage_until_ns[c->kind])
        due = l->outage_until_ns[c->kind];
    if (due < p->not_before_ns)
        due = p->not_before_ns;
    return due;
}

/* The item that is due first over all pipes; null when nothing is under way. */
static struct item *first_item(const struct link *l, struct conn **conn, enum link_dir *dir,
                               int64_t *due_ns)
{
    struct item *best = NULL;
    for (size_t i = 0; i < LIVE_MAX; i++) {
        struct conn *c = (struct conn *)&l->live[i];
        if (c->number == 0)
            continue;
        for (int d = 0; d < 2; d++) {
            struct pipe *p = &c->pipe[d];
            if (p->count == 0)
                continue;
            struct item *it = &p->items[p->head];
            int64_t due = effective_due(l, c, p, it);
            if (best == NULL || due < *due_ns ||
                (due == *due_ns && it->sequence < best->sequence)) {
                best = it;
                *conn = c;
                *dir = (enum link_dir)d;
                *due_ns = due;
            }
        }
    }
    return best;
}

int64_t link_deadline(const struct link *l)
{
    struct conn *c;
    enum link_dir d;
    int64_t due = VTIME_NEVER;
    return first_item(l, &c, &d, &due) == NULL ? VTIME_NEVER : due;
}

/* Bytes handed out at the last call are dropped only now: the caller may still have read them. */
static void drop_consumed(struct link *l)
{
    for (size_t i = 0; i < LIVE_MAX; i++)
        for (int d = 0; d < 2 && l->live[i].number != 0; d++) {
            struct pipe *p = &l->live[i].pipe[d];
            if (p->consumed > 0) {
                buf_consume(&p->bytes, p->consumed);
                p->consumed = 0;
            }
        }
}

bool link_next(struct link *l, int64_t now_ns, struct link_event *out)
{
    drop_consumed(l);
    for (;;) {
        struct conn *c;
        enum link_dir dir;
        int64_t due = VTIME_NEVER;
        struct item *it = first_item(l, &c, &dir, &due);
        if (it == NULL || due > now_ns)
            return false;
        struct pipe *p = &c->pipe[dir];
        struct item item = *it;
        p->head = (p->head + 1) % p->cap;
        p->count--;
        *out = (struct link_event){.conn = c->number, .dir = dir};
        switch (item.kind) {
        case ITEM_CONNECT:
            c->connecting = false;
            out->kind = LINK_EV_CONNECTED;
            return true;
        case ITEM_REFUSE:
            out->kind = LINK_EV_REFUSED;
            retire(c);
            return true;
        case ITEM_DATA:
            out->kind = LINK_EV_DATA;
            out->data = p->bytes.data;
            out->len_bytes = item.len_bytes;
            p->consumed = item.len_bytes;
            return true;
        case ITEM_EOF:
            out->kind = LINK_EV_EOF;
            c->eof_seen[dir] = true;
            if (c->eof_seen[LINK_UP] && c->eof_seen[LINK_DOWN])
                retire(c);
            return true;
        case ITEM_RESET:
            out->kind = LINK_EV_RESET;
            retire(c);
            return true;
        }
    }
}
