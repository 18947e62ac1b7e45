/*
 * Learning what a run did: its log becomes a behaviour and a path of the recall that leads there.
 * The log of an audit is held against the behaviour that is known instead.
 */
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/whole_internal.h"

#define MEMORIES_MAX 65536u

/* A log being read. */
struct reader {
    const uint8_t *at, *end;
    struct whole *w;
    uint32_t task;
    uint32_t clouds[MEMORIES_MAX]; /* number in the log to number in the pool */
    uint32_t judges[MEMORIES_MAX];
    struct judge_severity severities[MEMORIES_MAX];
    uint32_t n_clouds, n_judges;
    uint32_t ops;
    uint32_t first_event;
    uint64_t points;
    uint32_t spot;          /* of the recall */
    uint32_t loss;          /* what was lost, */
    uint32_t losses;        /* and what may be lost besides: a chain of pairs */
    uint32_t chain;         /* of the events so far */
    struct boot_chain boot; /* what the boot loader does; n_ops 0: nothing, or it is not known */
    uint32_t boot_ops;      /* as in boot, so far */
    uint8_t *looked;        /* per unit */
    uint32_t behaviour;     /* of the step that has come to its end */
    /* An audit; null: not. It must show that behaviour, of that run; then that of the next. */
    const struct whole_audit *audit;
    uint32_t must, run;
    uint32_t moments; /* that it came through */
    uint32_t n_events;
    int rc;
    struct err *err;
};

static bool bad(struct reader *r, const char *what)
{
    const struct whole_task *t = whole_task_at(r->w, r->task);
    const char *of = t->of.end == NONE ? "state" : "end";
    if (r->rc == 0 && r->audit != NULL)
        r->rc =
            err_set(r->err, ERR_BENCH, "closure: audit of %s %u, %u cuts deep: %s", of,
                    t->of.end == NONE ? t->of.node : t->of.end,
                    t->of.end == NONE ? whole_node_at(r->w, t->of.node)->depth : r->w->depth, what);
    if (r->rc == 0)
        r->rc = err_set(r->err, ERR_BENCH, "closure: the log of task %u has %s", r->task, what);
    return false;
}

static bool full(struct reader *r)
{
    const struct closure *c = r->w->flash;
    if (r->rc == 0 && c->rc != 0 && c->rc != ERR_NOMEM)
        r->rc = err_set(r->err, c->rc, "%s", c->err.text);
    if (r->rc == 0)
        r->rc = err_set(r->err, ERR_NOMEM, "closure: no memory for the graph");
    return false;
}

static bool get(struct reader *r, void *out, size_t len_bytes)
{
    if ((size_t)(r->end - r->at) < len_bytes) {
        (void)bad(r, "an end in its middle");
        return false;
    }
    memcpy(out, r->at, len_bytes);
    r->at += len_bytes;
    return true;
}

/* ---- records ---- */

static bool take_cloud(struct reader *r)
{
    uint32_t len;
    if (!get(r, &len, sizeof len))
        return false;
    if ((size_t)(r->end - r->at) < len || r->n_clouds == MEMORIES_MAX)
        return bad(r, "too many memories");
    uint32_t number = whole_put_cloud(r->w, r->at, len);
    r->clouds[r->n_clouds++] = number;
    r->at += len;
    return number != POOL_NONE || full(r);
}

static bool take_judge(struct reader *r)
{
    struct judge_memory m;
    if (!get(r, &m, sizeof m))
        return false;
    if (r->n_judges == MEMORIES_MAX)
        return bad(r, "too many memories");
    uint32_t number = whole_put_judge(r->w, &m, &r->severities[r->n_judges]);
    r->judges[r->n_judges++] = number;
    return number != POOL_NONE || full(r);
}

static bool memories_known(struct reader *r, uint32_t cloud, uint32_t judge)
{
    return (cloud < r->n_clouds && judge < r->n_judges) || bad(r, "a memory that is not there");
}

/* It must be the next one of the behaviour, and not be later. When a moment was is no part of it,
 * and the server does not work at all times: behind one, some microseconds are nobody's fault. */
static bool check_event(struct reader *r, uint32_t number, int64_t ns)
{
    const struct whole *w = r->w;
    const struct whole_behaviour *b = whole_behaviour_at(w, r->must);
    uint32_t i = b->first_event + r->n_events++;
    if (r->n_events > b->n_events || ((const uint32_t *)w->events.items)[i] != number)
        return bad(r, "the world does, hears or remembers something else");
    return ns <= *whole_event_ns(w, i) || w->has_moments || bad(r, "the world needs more time");
}

static bool add_event(struct reader *r, const struct whole_event *e, int64_t ns)
{
    struct whole *w = r->w;
    uint32_t number = pool_put(&w->event_pool, e, NULL);
    if (r->audit != NULL)
        return number == POOL_NONE ? full(r) : check_event(r, number, ns);
    const uint32_t pair[2] = {r->chain, number};
    int64_t *when = list_add(&w->event_ns);
    if (number == POOL_NONE || when == NULL || !whole_add_number(&w->events, number))
        return full(r);
    *when = ns;
    r->points += whole_cuts(w->flash, e);
    r->chain = pool_put(&w->flash->pairs, pair, NULL);
    return r->chain != POOL_NONE || full(r);
}

/* The boot loader must do what it does alone. */
static bool is_of_boot(struct reader *r, const struct op_key *key)
{
    struct closure *c = r->w->flash;
    if (r->boot.n_ops < r->ops)
        return true;
    const uint32_t pair[2] = {r->boot_ops, pool_put(&c->op_keys, key, NULL)};
    r->boot_ops = pair[1] == POOL_NONE ? POOL_NONE : pool_put(&c->pairs, pair, NULL);
    if (r->boot_ops == POOL_NONE)
        return full(r);
    return r->ops < r->boot.n_ops || r->boot_ops == r->boot.ops ||
           bad(r, "a boot loader that does something else than alone");
}

static bool take_op(struct reader *r, enum whole_kind kind)
{
    struct log_op o;
    if (!get(r, &o, sizeof o) || !memories_known(r, o.cloud, o.judge))
        return false;
    bool program = o.kind == NOR_OP_PROGRAM;
    if (program && (size_t)(r->end - r->at) < o.len_bytes)
        return bad(r, "an end in its middle");
    struct nor_op op = {.kind = (enum nor_op_kind)o.kind,
                        .addr = o.addr,
                        .len_bytes = o.len_bytes,
                        .data = program ? r->at : NULL};
    r->at += program ? o.len_bytes : 0;
    struct whole_event e = {.kind = kind,
                            .cloud = r->clouds[o.cloud],
                            .judge = r->judges[o.judge],
                            .severity = r->severities[o.judge],
                            .ops = r->ops + 1,
                            .connections = o.connections};
    if (!closure_op_key(r->w->flash, &op, &e.key))
        return full(r);
    r->ops += kind == WHOLE_OP;
    return (kind == WHOLE_TORN || is_of_boot(r, &e.key)) && add_event(r, &e, o.ns);
}

static bool take_reply(struct reader *r)
{
    struct log_reply p;
    if (!get(r, &p, sizeof p) || !memories_known(r, p.cloud, p.judge))
        return false;
    struct whole_event e = {.kind = WHOLE_REPLY,
                            .cloud = r->clouds[p.cloud],
                            .judge = r->judges[p.judge],
                            .severity = r->severities[p.judge],
                            .ops = r->ops,
                            .replies = p.replies,
                            .connections = p.connections};
    return add_event(r, &e, p.ns);
}

/* Who looked at the same contents looks at the same bytes next. flash->other is the task's tree. */
static bool take_look(struct reader *r)
{
    struct closure *c = r->w->flash;
    const struct states *s = &c->states;
    struct log_look look;
    uint32_t key[RECALL_KEY_WORDS];
    if (!get(r, &look, sizeof look))
        return false;
    if (look.page / s->unit_pages >= s->shape.units || look.to > s->shape.page_bytes ||
        (look.to == 0 ? look.from > 1 : look.from >= look.to))
        return bad(r, "a look outside the chip");
    if (r->w->options.no_recall || r->audit != NULL)
        return true;
    struct recall_spot *at = &c->recall.spots[r->spot];
    if (at->kind == RECALL_UNKNOWN)
        *at = (struct recall_spot){.kind = RECALL_PAGE,
                                   .from = (uint16_t)look.from,
                                   .to = (uint16_t)look.to,
                                   .value = look.page};
    else if (at->kind != RECALL_PAGE || at->value != look.page || at->from != look.from ||
             at->to != look.to)
        return bad(r, "another look than a run that saw the same");
    const struct recall_spot now = *at;
    r->looked[look.page / s->unit_pages] = 1;
    closure_shown(c, sets_first(&c->sets, c->other.unit[look.page / s->unit_pages]), &now, key);
    r->spot = c->rc != 0 ? RECALL_NONE : recall_next(&c->recall, r->spot, key, true);
    return r->spot != RECALL_NONE || full(r);
}

static bool take_border(struct reader *r)
{
    struct log_border b;
    if (!get(r, &b, sizeof b))
        return false;
    if (b.dir > LINK_DOWN || r->audit != NULL)
        return bad(r, "a border of no connection");
    return whole_put_losses(r->w, r->loss, &b, &r->losses) || full(r);
}

/* ---- the end ---- */

static uint32_t put_blame(struct whole *w, const struct log_end *e)
{
    struct whole_blame b;
    memset(&b, 0, sizeof b);
    b.n_ids = e->n_ids;
    for (uint32_t i = 0; i < e->n_ids; i++)
        memcpy(b.ids[i], e->ids[i], strnlen(e->ids[i], sizeof b.ids[i] - 1));
    memcpy(b.detail, e->detail, strnlen(e->detail, sizeof b.detail - 1));
    return pool_put(&w->blames, &b, NULL);
}

static uint32_t put_outcome(struct reader *r, const struct log_end *e)
{
    struct whole *w = r->w;
    struct whole_outcome o;
    memset(&o, 0, sizeof o);
    o.how = e->how;
    o.blame = NONE;
    if (e->n_ids > 0 && (o.blame = put_blame(w, e)) == POOL_NONE)
        return POOL_NONE;
    if (e->how != WHOLE_HEALED) {
        o.cloud = r->clouds[e->cloud];
        o.judge = r->judges[e->judge];
        o.severity = r->severities[e->judge];
        o.replies = e->replies;
        o.connections = e->connections;
        memcpy(o.version, e->version, strnlen(e->version, sizeof o.version - 1));
    }
    return pool_put(&w->outcomes, &o, NULL);
}

/* Events that were known came at these times, too. */
static void later(struct reader *r, uint32_t known)
{
    const struct whole *w = r->w;
    for (uint32_t i = r->first_event; i < w->events.count; i++, known++)
        if (*whole_event_ns(w, i) > *whole_event_ns(w, known))
            *whole_event_ns(w, known) = *whole_event_ns(w, i);
}

/* Units that were looked at, with those that others of the behaviour looked at. */
static bool put_looks(struct reader *r, struct whole_behaviour *b)
{
    struct whole *w = r->w;
    uint32_t first = (uint32_t)w->looks.count, before = b->n_looks;
    for (uint32_t i = 0; i < b->n_looks; i++)
        r->looked[((const uint32_t *)w->looks.items)[b->first_look + i]] = 1;
    for (uint32_t u = 0; u < w->flash->states.shape.units; u++)
        if (r->looked[u] && !whole_add_number(&w->looks, u))
            return false;
    b->n_looks = (uint32_t)w->looks.count - first;
    if (b->n_looks == before)
        w->looks.count = first;
    else
        b->first_look = first;
    return true;
}

/* The behaviour of what was read, and the spot of the recall that says so. */
static bool put_behaviour(struct reader *r, uint32_t outcome, int64_t length_ns)
{
    struct whole *w = r->w;
    const uint32_t key[2] = {r->chain, outcome};
    bool fresh;
    uint32_t number = outcome == POOL_NONE ? POOL_NONE : pool_put(&w->behaviour_keys, key, &fresh);
    if (number == POOL_NONE)
        return full(r);
    if (!fresh) {
        later(r, whole_behaviour_at(w, number)->first_event);
        w->events.count = w->event_ns.count = r->first_event;
        if (!put_looks(r, whole_behaviour_at(w, number)))
            return full(r);
    } else {
        struct whole_behaviour *b = list_add(&w->behaviours);
        if (b == NULL)
            return full(r);
        *b = (struct whole_behaviour){.first_event = r->first_event,
                                      .n_events = (uint32_t)w->events.count - r->first_event,
                                      .outcome = outcome,
                                      .walk_run = NONE,
                                      .points = r->points};
        if (!put_looks(r, b))
            return full(r);
    }
    struct whole_behaviour *is = whole_behaviour_at(w, number);
    r->behaviour = number;
    is->length_ns = length_ns > is->length_ns ? length_ns : is->length_ns;
    const struct whole_leaf leaf = {.behaviour = number, .losses = r->losses};
    struct recall_spot *at = &w->flash->recall.spots[r->spot];
    uint32_t value = pool_put(&w->leaves, &leaf, NULL);
    if (value == POOL_NONE)
        return full(r);
    if (at->kind != RECALL_UNKNOWN && (at->kind != RECALL_SEGMENT || at->value != value))
        return bad(r, "another end than a run that saw the same");
    *at = (struct recall_spot){.kind = RECALL_SEGMENT, .value = value};
    return true;
}

/* ---- moments ---- */

static uint32_t put_moment(struct reader *r, const struct log_moment *l)
{
    struct whole_moment m;
    memset(&m, 0, sizeof m);
    m.lost = l->lost;
    m.is_open = l->is_open;
    m.device_bytes = l->device_bytes;
    memcpy(&m.judge, &l->moment, sizeof m.judge);
    if (l->device_bytes > sizeof m.device) {
        (void)bad(r, "a moment that is too large");
        return POOL_NONE;
    }
    return get(r, m.device, l->device_bytes) ? pool_put(&r->w->moments, &m, NULL) : POOL_NONE;
}

/* What a step leaves for the one behind the moment. */
static bool follow(struct reader *r, struct states_tree *tree, uint32_t behaviour)
{
    struct closure *c = r->w->flash;
    const struct whole_behaviour b = *whole_behaviour_at(r->w, behaviour);
    for (uint32_t i = b.first_event; i < b.first_event + b.n_events; i++) {
        const struct whole_event *e = whole_event_at(r->w, i);
        if (e->kind != WHOLE_OP)
            continue;
        const uint32_t unit = unit_of(c, &e->key);
        const uint32_t after = whole_set_after(r->w, tree->unit[unit], &e->key, NULL);
        if (after == SET_NONE || !states_set(&c->states, tree, unit, after))
            return full(r);
    }
    return true;
}

/* What follows is a step of its own, from the moment on. */
static bool go_on(struct reader *r, const struct whole_outcome *o)
{
    struct whole *w = r->w;
    const struct whole_key key = {
        .cloud = o->cloud, .judge = o->judge, .reset = WHOLE_MOMENT_0 + o->moment};
    if (!follow(r, &w->flash->other, r->behaviour))
        return false;
    r->ops = 0;
    r->points = 0;
    r->chain = r->losses = r->loss = NONE;
    r->boot = (struct boot_chain){.n_ops = 0};
    r->first_event = (uint32_t)w->events.count;
    memset(r->looked, 0, w->flash->states.shape.units);
    r->spot = whole_recall_key(w, &key, &o->severity, false, NONE, NONE);
    return r->spot != RECALL_NONE || full(r);
}

/* Nothing of the behaviour is left out, and it comes to the same. */
static bool check_outcome(struct reader *r, uint32_t outcome, const char *otherwise)
{
    const struct whole_behaviour *b = whole_behaviour_at(r->w, r->must);
    if (outcome == POOL_NONE)
        return full(r);
    if (r->n_events != b->n_events)
        return bad(r, "the world does less");
    return outcome == b->outcome || bad(r, otherwise);
}

/* An audit goes through a moment: whoever came there first, it must go on like that. */
static bool check_moment(struct reader *r, uint32_t outcome)
{
    struct whole *w = r->w;
    if (!check_outcome(r, outcome, "it comes to another moment"))
        return false;
    if (!follow(r, &w->off, r->must))
        return false;
    w->result.audited += r->moments == 0;
    r->run = whole_audit_next(w, r->run, &w->off);
    if (r->run == NONE) {
        r->at = r->end; /* nobody like this one has been there */
        return true;
    }
    r->moments++;
    w->result.audited_moments++;
    r->must = whole_run_at(w, r->run)->behaviour;
    r->n_events = r->ops = 0;
    return true;
}

static bool take_moment(struct reader *r)
{
    struct log_moment l;
    struct whole_outcome o;
    if (!get(r, &l, sizeof l) || !memories_known(r, l.cloud, l.judge))
        return false;
    const uint32_t moment = put_moment(r, &l);
    if (moment == POOL_NONE)
        return full(r);
    if (r->ops < r->boot.n_ops)
        return bad(r, "a boot loader that does less than alone");
    if ((l.last != 0) != (r->at == r->end))
        return bad(r, "something behind its end");
    memset(&o, 0, sizeof o);
    o.how = WHOLE_AT_MOMENT;
    o.cloud = r->clouds[l.cloud];
    o.judge = r->judges[l.judge];
    o.severity = r->severities[l.judge];
    o.replies = l.replies;
    o.connections = l.connections;
    o.blame = NONE;
    o.moment = moment;
    o.goes_on = l.goes_on;
    o.sent_bytes[LINK_UP] = l.sent_bytes[LINK_UP];
    o.sent_bytes[LINK_DOWN] = l.sent_bytes[LINK_DOWN];
    const uint32_t outcome = pool_put(&r->w->outcomes, &o, NULL);
    if (r->audit != NULL)
        return r->audit->event != NONE ? bad(r, "the cut does not come") : check_moment(r, outcome);
    return put_behaviour(r, outcome, l.ns) && (l.last != 0 || go_on(r, &o));
}

static bool take_unit(struct reader *r)
{
    struct log_unit found;
    uint8_t wanted[SHA256_BYTES];
    int rc;
    if (!get(r, &found, sizeof found))
        return false;
    if (r->audit == NULL || found.unit >= r->w->flash->states.shape.units)
        return bad(r, "a unit that is none");
    if (whole_audit_unit(r->w, whole_task_at(r->w, r->task), found.unit, wanted, &rc) &&
        memcmp(found.sha256, wanted, sizeof wanted) != 0)
        return bad(r, "another flash is left");
    return rc == 0 || full(r);
}

/* A cut of an audit, as one of the behaviour's event. */
static bool check_cut(struct reader *r, const struct log_end *e)
{
    struct whole *w = r->w;
    const struct whole_behaviour *b = whole_behaviour_at(w, r->must);
    const uint32_t ops = whole_event_at(w, b->first_event + r->audit->event)->ops;
    /* The cloud may learn something while the operation is under way: before the cut or not. */
    const struct whole_event *is =
        r->n_events < b->n_events ? whole_event_at(w, b->first_event + r->n_events) : NULL;
    if (is == NULL || !whole_is_within(is) || is->ops != ops)
        return bad(r, "the cut does not come where it should");
    struct judge_severity severity = is->severity;
    if (r->audit->by.tear == TEAR_WEAK)
        severity.weak_cut = 1;
    if (r->clouds[e->cloud] != is->cloud)
        return bad(r, "after a cut the cloud remembers something else");
    if (r->judges[e->judge] != is->judge || !judge_as_strict(&severity, &r->severities[e->judge]))
        return bad(r, "after a cut the judge remembers something else");
    w->result.audited_cuts++;
    return whole_audit_leads(w, whole_task_at(w, r->task), r->n_events) ||
           bad(r, "a cut leads to a state that was not found");
}

/* It must be the behaviour's. */
static bool check_end(struct reader *r, uint32_t outcome)
{
    struct whole *w = r->w;
    if (!check_outcome(r, outcome, "it ends otherwise"))
        return false;
    if (r->audit->run == NONE)
        w->result.audited_heals++;
    else
        w->result.audited += r->moments == 0;
    return true;
}

static bool take_end(struct reader *r)
{
    struct log_end e;
    if (!get(r, &e, sizeof e))
        return false;
    if (r->at != r->end || e.n_ids > WHOLE_IDS_MAX)
        return bad(r, "something behind its end");
    if (r->ops < r->boot.n_ops)
        return bad(r, "a boot loader that does less than alone");
    if (e.how != WHOLE_HEALED &&
        (!memories_known(r, e.cloud, e.judge) || !memories_known(r, e.cloud_cut, e.judge_cut)))
        return false;
    if ((e.how == WHOLE_LOST) != (r->audit != NULL && r->audit->event != NONE))
        return bad(r, "a cut that was not asked for, or none where one was");
    if (e.how == WHOLE_LOST)
        return check_cut(r, &e);
    if (e.how == WHOLE_IDLED) {
        struct whole_event idle = {.kind = WHOLE_IDLE,
                                   .cloud = r->clouds[e.cloud_cut],
                                   .judge = r->judges[e.judge_cut],
                                   .severity = r->severities[e.judge_cut],
                                   .ops = r->ops,
                                   .replies = e.replies,
                                   .connections = e.connections};
        if (!add_event(r, &idle, e.ns))
            return false;
    }
    uint32_t outcome = put_outcome(r, &e);
    return r->audit != NULL ? check_end(r, outcome) : put_behaviour(r, outcome, e.ns);
}

static bool take_record(struct reader *r)
{
    uint32_t tag;
    if (!get(r, &tag, sizeof tag))
        return false;
    switch (tag) {
    case TAG_CLOUD:
        return take_cloud(r);
    case TAG_JUDGE:
        return take_judge(r);
    case TAG_OP:
        return take_op(r, WHOLE_OP);
    case TAG_TORN:
        return take_op(r, WHOLE_TORN);
    case TAG_REPLY:
        return take_reply(r);
    case TAG_LOOK:
        return take_look(r);
    case TAG_UNIT:
        return take_unit(r);
    case TAG_BORDER:
        return take_border(r);
    case TAG_MOMENT:
        return take_moment(r);
    case TAG_END:
        return take_end(r);
    default:
        return bad(r, "a record that is none");
    }
}

int whole_learn(struct whole *w, uint32_t task, const void *log, size_t len_bytes, struct err *err)
{
    const struct whole_task what = *whole_task_at(w, task);
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return err_set(err, ERR_NOMEM, "closure: no memory for the graph");
    r->w = w;
    r->task = task;
    r->err = err;
    r->at = log;
    r->end = r->at + len_bytes;
    r->first_event = (uint32_t)w->events.count;
    r->looked = calloc(w->flash->states.shape.units, 1);
    r->chain = r->boot_ops = r->losses = NONE;
    r->loss = what.of.loss;
    if (what.chain != NONE)
        memcpy(&r->boot, pool_at(&w->flash->boot_chains, what.chain), sizeof r->boot);
    if (what.audit != NONE) {
        r->audit = whole_audit_at(w, what.audit);
        r->must = r->audit->behaviour;
        r->run = r->audit->run;
        closure_get_base(w->flash, what.base, &w->off);
    }
    closure_get_base(w->flash, what.base, &w->flash->other);
    r->spot = what.audit != NONE     ? 0
              : w->options.no_recall ? whole_recall_choice(w, &what.of, what.base)
                                     : whole_recall_root(w, &what.of, what.chain);
    if (r->spot == RECALL_NONE || r->looked == NULL)
        (void)full(r);
    while (r->rc == 0 && r->at < r->end && take_record(r))
        ;
    w->result.lost_starts += what.audit == NONE && what.of.loss != NONE;
    if (what.audit == NONE && what.of.end == NONE)
        w->result.starts++;
    else if (what.audit == NONE)
        w->result.heals++;
    int rc = r->rc;
    if (rc == 0)
        (void)whole_looked_at_any(w);
    free(r->looked);
    free(r);
    return rc;
}
