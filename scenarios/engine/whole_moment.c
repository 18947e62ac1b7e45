/*
 * Moments in a worker. A run is parted where the device declares a moment and nothing is under way
 * in the network; the graph has a node there. To be at such a node the worker takes the way by
 * which it was met first: it switches the device on in the node of a power-on or reset, loses the
 * connections that are lost on the way, and at each moment makes flash what it has to be there.
 */
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/judge_internal.h"
#include "scenarios/engine/whole_worker.h"

#define WINDOW_BYTES 65536u /* of a socket that nothing waits in */
#define NOTHING_DUE  (86400 * NS_PER_S)

/* ---- the way ---- */

static bool add_leg(struct whole_worker *k, uint32_t base, uint32_t loss, uint32_t node)
{
    if (k->n_legs == k->legs_cap) {
        const uint32_t cap = k->legs_cap == 0 ? 256 : 2 * k->legs_cap;
        struct whole_leg *legs = cap > WHOLE_LEGS_MAX ? NULL : realloc(k->legs, cap * sizeof *legs);
        if (legs == NULL)
            return false;
        k->legs = legs;
        k->legs_cap = cap;
    }
    k->legs[k->n_legs++] = (struct whole_leg){.base = base, .loss = loss, .node = node};
    return true;
}

int worker_find_legs(struct whole_worker *k, const struct whole_task *t)
{
    const struct whole *w = k->w;
    const struct whole_node *n = whole_node_at(w, t->of.node);
    k->n_legs = 0;
    bool good = add_leg(k, t->base, t->of.loss, t->of.node);
    while (good && whole_is_moment(n)) {
        const struct whole_run *r = whole_run_at(w, n->parent_run);
        good = add_leg(k, r->origin, r->loss, r->node);
        n = whole_node_at(w, r->node);
    }
    for (uint32_t i = 0; i < k->n_legs / 2; i++) {
        const struct whole_leg other = k->legs[i];
        k->legs[i] = k->legs[k->n_legs - 1 - i];
        k->legs[k->n_legs - 1 - i] = other;
    }
    return good ? 0 : err_set(&k->err, ERR_LIMIT, "closure: too many moments in a power-on");
}

/* ---- a leg ---- */

static const struct whole_leg *leg_of(const struct whole_worker *k)
{
    return k->leg < k->n_legs ? &k->legs[k->leg] : NULL;
}

static uint32_t loss_of(const struct whole_worker *k)
{
    const struct whole_leg *leg = leg_of(k);
    return leg == NULL ? NONE : leg->loss;
}

static void arm_losses(struct whole_worker *k)
{
    struct stage *g = &k->r->g;
    struct whole_loss list[WHOLE_LOSSES_MAX];
    const uint32_t n = whole_loss_list(k->w, loss_of(k), list);
    for (uint32_t i = 0; i < n && k->rc == 0; i++) {
        const bool open = list[i].connection == 0;
        const struct link_byte_rule b = {
            .connection = open ? k->open : k->first_connection + list[i].connection,
            .dir = (enum link_dir)list[i].dir,
            .offset = list[i].byte + (open ? k->open_sent[list[i].dir] : 0),
            .action = (enum link_action)list[i].action,
            .duration_ns = RUN_SILENCE_NS};
        if (g->n_link_rules == LINK_RULES_MAX || link_add_rule(g->link, &b) != 0)
            k->rc = err_set(&k->err, ERR_LIMIT, "closure: too many rules of the network");
        else
            g->link_rule_of[g->n_link_rules++] = SCENARIO_RULES_MAX; /* none of the scenario's */
    }
}

/* The connection that the device has; null: none. *n: how many. */
static const struct net_conn *open_connection(const struct whole_worker *k, uint32_t *n)
{
    const struct net_conn *found = NULL;
    *n = 0;
    for (size_t i = 0; i < NET_CONNS; i++) {
        const struct net_conn *c = &k->r->bridge.conns[i];
        if (c->number == 0 || c->sock < 0)
            continue;
        found = c;
        ++*n;
    }
    return found;
}

static void note_open(struct whole_worker *k)
{
    const struct link *l = k->r->g.link;
    uint32_t n;
    const struct net_conn *c = open_connection(k, &n);
    k->open = c == NULL ? 0 : c->number;
    for (int dir = LINK_UP; dir <= LINK_DOWN; dir++)
        k->open_sent[dir] = c == NULL ? 0 : link_sent(l, c->number, (enum link_dir)dir);
}

/* An audit's cut. */
static void arm_audit(struct whole_worker *k)
{
    const struct whole_audit *a = whole_audit_at(k->w, k->task->audit);
    if (a->event == NONE)
        return;
    const struct whole_behaviour *b = whole_behaviour_at(k->w, a->behaviour);
    const struct armed cut = {.op = nor_op_count(k->r->g.nor) +
                                    whole_event_at(k->w, b->first_event + a->event)->ops,
                              .rule = SCENARIO_RULES_MAX,
                              .tear = a->by.tear,
                              .tear_bytes = a->by.arg,
                              .by_place = true};
    k->r->stop_at_cut = true;
    sim_arm(k->r, &cut);
}

/* From here on it is written down. */
static void record(struct whole_worker *k)
{
    k->log = k->log_of_task;
    for (uint32_t u = 0; u < k->w->flash->states.shape.units; u++)
        if (k->task->of.foreign && k->w->foreign[u])
            worker_look_at_unit(k, u);
    (void)worker_note_cloud(k, true, WHOLE_CUT);
    if (k->auditing)
        arm_audit(k);
}

void worker_begin_leg(struct whole_worker *k)
{
    const struct stage *g = &k->r->g;
    k->runs++;
    k->replies = k->lost = k->begun_before = 0;
    k->began_ns = g->now_ns;
    k->borders.n_exchanges = k->borders.begun = 0;
    k->borders.over = k->w->options.losses == 0 || k->leg + 1 < k->n_legs;
    k->first_connection = link_connections(g->link);
    note_open(k);
    arm_losses(k);
    if (k->leg + 1 == k->n_legs)
        record(k);
}

void worker_tell_borders(struct whole_worker *k)
{
    const uint32_t wanted = whole_loss_count(k->w, loss_of(k));
    k->borders.over = true;
    if (k->auditing || k->w->options.losses <= k->lost_before + wanted || k->lost < wanted)
        return;
    if (run_log_end(&k->borders) != 0)
        k->rc = err_set(&k->err, k->borders.rc, "closure: messages of a run cannot be listed");
    for (uint32_t i = 0; i < k->borders.n_borders && k->rc == 0; i++) {
        const struct run_border *b = &k->borders.borders[i];
        const bool open = b->connection == k->open;
        if (b->begun <= k->begun_before || (!open && b->connection <= k->first_connection))
            continue; /* what comes over a connection that is silent already is lost anyway */
        const struct log_border record = {.byte = b->byte - (open ? k->open_sent[b->dir] : 0),
                                          .connection =
                                              open ? 0 : b->connection - k->first_connection,
                                          .dir = b->dir};
        worker_put(k, TAG_BORDER, &record, sizeof record);
    }
}

void worker_put_units(struct whole_worker *k)
{
    for (uint32_t u = 0; u < k->w->flash->states.shape.units; u++) {
        struct log_unit unit = {.unit = u};
        if (k->touched[u] != k->runs)
            continue;
        closure_unit_fingerprint(k->r->g.nor, u, unit.sha256);
        worker_put(k, TAG_UNIT, &unit, sizeof unit);
    }
}

/* ---- moments ---- */

static uint32_t open_sockets(const struct whole_worker *k)
{
    struct board *b = sim_board_board(k->r->board);
    uint32_t n = 0;
    for (int fd = 0; fd < BOARD_SOCKETS; fd++)
        n += b->ops->sock_poll(b, fd, BOARD_WRITABLE, 0) >= 0;
    return n;
}

/* Nothing is under way, and at most the newest connection is open, from end to end. */
static bool is_quiet(const struct whole_worker *k)
{
    const struct sim_run *r = k->r;
    uint32_t n;
    const struct net_conn *c = open_connection(k, &n);
    if (r->g.cut_due || r->bridge.edge_next_ns <= r->g.now_ns || n > 1 || open_sockets(k) != n ||
        link_deadline(r->g.link) < vtime_after(r->g.now_ns, NOTHING_DUE))
        return false;
    return c == NULL || (c->fd >= 0 && c->tls == NULL && c->number == link_connections(r->g.link) &&
                         sim_net_room(r->board, c->sock) == WINDOW_BYTES);
}

static void put_moment(struct whole_worker *k, const void *memory, size_t len_bytes, bool last)
{
    const struct stage *g = &k->r->g;
    struct judge_moment judge;
    uint32_t n;
    const struct net_conn *c = open_connection(k, &n);
    struct log_moment m = {.ns = g->now_ns - k->began_ns,
                           .last = last,
                           .replies = k->replies,
                           .connections = worker_connections(k),
                           .lost = k->lost_before + k->lost,
                           .is_open = c != NULL,
                           .goes_on = c != NULL && c->number == k->open,
                           .device_bytes = (uint32_t)len_bytes};
    for (int dir = LINK_UP; dir <= LINK_DOWN && c != NULL; dir++)
        m.sent_bytes[dir] =
            link_sent(g->link, c->number, (enum link_dir)dir) - (m.goes_on ? k->open_sent[dir] : 0);
    judge_remember_moment(g->judge, g->now_ns, &judge);
    memcpy(&m.moment, &judge, sizeof judge);
    (void)worker_note_cloud(k, true, WHOLE_AS_IT_IS);
    m.cloud = k->clouds - 1;
    judge_remember(g->judge, g->now_ns, &k->now);
    m.judge = worker_note_judge(k);
    worker_put(k, TAG_MOMENT, &m, sizeof m);
    worker_put_more(k, memory, len_bytes);
}

/* The way must lead to the moment that it led to before. */
static void check_moment(struct whole_worker *k, const void *memory, size_t len_bytes)
{
    const struct whole_node *n = whole_node_at(k->w, k->legs[k->leg + 1].node);
    const struct whole_moment *m = whole_moment_of(k->w, n);
    struct judge_moment judge;
    judge_remember_moment(k->r->g.judge, k->r->g.now_ns, &judge);
    if (m->device_bytes != len_bytes || memcmp(m->device, memory, len_bytes) != 0 ||
        memcmp(&m->judge, &judge, sizeof judge) != 0 || m->lost != k->lost_before + k->lost)
        k->rc = err_set(&k->err, ERR_BENCH, "closure: the way to a moment leads elsewhere");
}

/* Nothing that follows is of interest; the device goes on until it waits. */
static void stop(struct whole_worker *k)
{
    k->log = NULL;
    k->stopped = true;
    k->r->idle = true;
}

void worker_on_moment(void *ctx, const void *memory, size_t len_bytes)
{
    struct whole_worker *k = ctx;
    const bool recorded = k->leg + 1 >= k->n_legs;
    if (k->healing || k->stopped || k->n_legs == 0 || len_bytes > DEVICE_MEMORY_MAX ||
        !is_quiet(k) || judge_has_failed(k->r->g.judge))
        return; /* what has failed is told of the run as a whole */
    judge_forgive(k->r->g.judge);
    const bool last = recorded && !k->auditing && (loss_of(k) != NONE || k->task->of.foreign);
    if (recorded) {
        worker_tell_borders(k);
        if (k->auditing && k->leg + 1 == k->n_legs)
            worker_put_units(k);
        put_moment(k, memory, len_bytes, last);
    } else {
        check_moment(k, memory, len_bytes);
    }
    if (last || k->rc != 0) {
        stop(k);
        return;
    }
    k->lost_before += k->lost;
    k->leg++;
    if (k->leg < k->n_legs)
        worker_put_flash(k, k->legs[k->leg].base);
    worker_begin_leg(k);
}
