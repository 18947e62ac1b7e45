/*
 * What a worker sees while its world runs: looks, operations, replies, and what is remembered at
 * them, written to its log.
 */
#include <string.h>

#include "scenarios/engine/judge_internal.h"
#include "scenarios/engine/stage_memory.h"
#include "scenarios/engine/whole_worker.h"
#include "scenarios/engine/world_internal.h"

/* ---- the log ---- */

void worker_put_more(struct whole_worker *k, const void *data, size_t len_bytes)
{
    if (k->rc == 0 && buf_append(k->log, data, len_bytes) != 0)
        k->rc = err_set(&k->err, ERR_NOMEM, "closure: the log of a run does not fit into memory");
}

void worker_put(struct whole_worker *k, uint32_t tag, const void *data, size_t len_bytes)
{
    worker_put_more(k, &tag, sizeof tag);
    worker_put_more(k, data, len_bytes);
}

bool worker_note_cloud(struct whole_worker *k, bool fresh, enum whole_when when)
{
    buf_clear(&k->memory);
    if (fresh)
        buf_clear(&k->cloud);
    if (k->rc == 0 && fresh)
        k->rc = whole_remember_cloud(&k->r->g, &k->cloud, &k->err);
    if (k->rc == 0)
        k->rc = whole_remember(&k->r->g, when, &k->cloud, &k->memory, &k->err);
    bool same = k->clouds > 0 && k->memory.len_bytes == k->last.len_bytes &&
                memcmp(k->memory.data, k->last.data, k->memory.len_bytes) == 0;
    if (k->rc != 0 || same)
        return false;
    buf_clear(&k->last);
    if (buf_append(&k->last, k->memory.data, k->memory.len_bytes) != 0)
        k->rc = err_set(&k->err, ERR_NOMEM, "closure: no memory");
    uint32_t len = (uint32_t)k->memory.len_bytes;
    worker_put(k, TAG_CLOUD, &len, sizeof len);
    worker_put_more(k, k->memory.data, len);
    k->clouds++;
    return true;
}

uint32_t worker_note_judge(struct whole_worker *k)
{
    if (k->judges == 0 || memcmp(&k->now, &k->told, sizeof k->now) != 0) {
        worker_put(k, TAG_JUDGE, &k->now, sizeof k->now);
        k->told = k->now;
        k->judges++;
    }
    return k->judges - 1;
}

uint32_t worker_note_cut(struct whole_worker *k)
{
    const struct stage *g = &k->r->g;
    judge_remember_cut(g->judge, g->now_ns, k->scratch, &k->now);
    if (stage_tell_cut(g, k->scratch)) {
        judge_remember(k->scratch, g->now_ns, &k->now);
        judge_remember_off(k->scratch, &k->now);
    }
    return worker_note_judge(k);
}

uint32_t worker_connections(const struct whole_worker *k)
{
    return k->w->options.losses == 0 ? 0 : link_connections(k->r->g.link) - k->first_connection;
}

/* ---- what happens ---- */

static uint8_t *seen_of(struct whole_worker *k, uint32_t page)
{
    uint32_t bytes = k->w->flash->states.shape.page_bytes;
    if (k->seen_in[page] != k->runs) {
        k->seen_in[page] = k->runs;
        memset(k->seen + (size_t)page * bytes, 0, bytes);
    }
    return k->seen + (size_t)page * bytes;
}

static void see_all(struct whole_worker *k, uint32_t page)
{
    k->seen_in[page] = k->all_seen[page] = k->runs;
}

/* Whether looks at a unit are told by bytes and not by page: where the device keeps its marks. */
static bool is_bank(const struct closure *c, uint32_t unit)
{
    return unit == c->bank_unit[0] || unit == c->bank_unit[1];
}

static void look_at_page(struct whole_worker *k, uint32_t page, uint32_t from, uint32_t to,
                         bool exact)
{
    const struct closure *c = k->w->flash;
    uint32_t bytes = c->states.shape.page_bytes;
    if (k->all_seen[page] == k->runs)
        return;
    uint8_t *seen = seen_of(k, page);
    if (exact || !is_bank(c, page / c->states.unit_pages)) {
        from = 0;
        to = bytes;
    }
    while (from < to && seen[from])
        from++;
    while (from < to && seen[to - 1])
        to--;
    if (from == to)
        return;
    memset(seen + from, 1, to - from);
    if (to - from == bytes)
        see_all(k, page);
    const struct log_look look = {.page = page, .from = exact ? 0 : from, .to = exact ? 0 : to};
    worker_put(k, TAG_LOOK, &look, sizeof look);
}

void worker_look_at_unit(struct whole_worker *k, uint32_t unit)
{
    const struct states *s = &k->w->flash->states;
    const struct log_look look = {.page = unit * s->unit_pages, .from = 1};
    for (uint32_t i = 0; i < s->unit_pages; i++)
        see_all(k, look.page + i);
    worker_put(k, TAG_LOOK, &look, sizeof look);
}

static bool is_unseen(struct whole_worker *k, uint32_t unit)
{
    const struct states *s = &k->w->flash->states;
    for (uint32_t i = 0; i < s->unit_pages; i++)
        if (k->seen_in[unit * s->unit_pages + i] == k->runs)
            return false;
    return true;
}

static void look_at(struct whole_worker *k, uint32_t addr, uint32_t len_bytes)
{
    const struct states *s = &k->w->flash->states;
    uint32_t bytes = s->shape.page_bytes, unit = s->shape.erase_bytes, end = addr + len_bytes;
    for (uint32_t at = addr; at < end;) {
        uint32_t next = (at / bytes + 1) * bytes;
        if (at % unit == 0 && end - at >= unit && is_unseen(k, at / unit)) {
            worker_look_at_unit(k, at / unit);
            next = at + unit;
        } else {
            look_at_page(k, at / bytes, at % bytes, end < next ? end - at / bytes * bytes : bytes,
                         k->healing);
        }
        at = next;
    }
}

void worker_on_look(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    struct whole_worker *k = ctx;
    uint32_t size = k->w->s->device.geometry.size_bytes;
    if (k->log != NULL && !k->auditing && len_bytes > 0 && addr < size)
        look_at(k, addr, size - addr < len_bytes ? size - addr : len_bytes);
}

void worker_on_device_look(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    const struct whole_worker *k = ctx;
    if (!k->booting)
        worker_on_look(ctx, addr, len_bytes);
}

/* An erased unit can tell nothing more of what it held; a program on other than freely rewritable
 * flash may be refused for it. */
static void op_looks(struct whole_worker *k, const struct nor_op *op)
{
    const struct closure *c = k->w->flash;
    uint32_t bytes = c->states.shape.page_bytes;
    if (op->kind != NOR_OP_ERASE) {
        if (k->w->s->device.geometry.policy != NOR_REWRITE)
            look_at(k, op->addr, op->len_bytes);
        return;
    }
    for (uint32_t i = 0; i < c->states.unit_pages; i++)
        see_all(k, op->addr / bytes + i);
}

void worker_on_begun(void *ctx, const struct nor_op *op)
{
    struct whole_worker *k = ctx;
    if (k->log == NULL || k->healing)
        return;
    /* A cut would tear both, and that is not worked out. */
    if (k->begun.len_bytes > 0 || op->len_bytes > sizeof k->begun_data)
        k->rc = err_set(&k->err, ERR_UNSUPPORTED,
                        "closure: two operations of the flash overlap, or one is too long");
    if (k->has_faults)
        (void)worker_note_cloud(k, false, WHOLE_CUT);
    k->begun = (struct log_op){
        .addr = op->addr, .len_bytes = op->len_bytes, .kind = op->kind, .cloud = k->clouds - 1};
    k->begun.judge = worker_note_cut(k);
    if (op->kind == NOR_OP_PROGRAM && op->len_bytes <= sizeof k->begun_data)
        memcpy(k->begun_data, op->data, op->len_bytes);
}

/* The cloud is about to learn something while an operation is under way: a cut that tears it may
 * come before. */
static void put_torn(struct whole_worker *k)
{
    k->begun.ns = k->r->g.now_ns - k->began_ns;
    k->begun.connections = worker_connections(k);
    worker_put(k, TAG_TORN, &k->begun, sizeof k->begun);
    if (k->begun.kind == NOR_OP_PROGRAM)
        worker_put_more(k, k->begun_data, k->begun.len_bytes);
}

void worker_on_op(void *ctx, const struct nor_op *op)
{
    struct whole_worker *k = ctx;
    k->begun.len_bytes = 0;
    uint32_t unit = op->addr / k->w->s->device.geometry.erase_bytes;
    k->touched[unit] = k->runs;
    if (k->r == &k->main_run)
        k->chip_unit[unit] = POOL_NONE;
    if (k->log == NULL || op->torn)
        return; /* the device was switched off at its limit */
    op_looks(k, op);
    if (k->healing)
        return;
    if (k->has_faults)
        (void)worker_note_cloud(k, false, WHOLE_CUT);
    struct log_op o = {.ns = k->r->g.now_ns - k->began_ns,
                       .addr = op->addr,
                       .len_bytes = op->len_bytes,
                       .kind = op->kind,
                       .cloud = k->clouds - 1,
                       .connections = worker_connections(k)};
    o.judge = worker_note_cut(k);
    worker_put(k, TAG_OP, &o, sizeof o);
    if (op->kind == NOR_OP_PROGRAM)
        worker_put_more(k, op->data, op->len_bytes);
    k->replies = 0;
}

void worker_on_event(void *ctx, enum lane lane, const char *event)
{
    struct whole_worker *k = ctx;
    if (lane == LANE_DEVICE && strcmp(event, "start") == 0)
        k->booting = false;
    if (lane == LANE_NETWORK && strcmp(event, "fault") == 0) {
        k->lost++;
        k->begun_before = k->borders.begun;
    }
    if (k->log == NULL || k->healing)
        return;
    /* What is published at an event of the device, a cut in the next operation finds. */
    if (k->offers_late && (lane == LANE_DEVICE || lane == LANE_BOOT))
        (void)worker_note_cloud(k, true, WHOLE_CUT);
    if (!sim_is_reply(lane, event))
        return;
    k->replies++;
    if (!worker_note_cloud(k, true, WHOLE_CUT))
        return;
    if (k->begun.len_bytes > 0)
        put_torn(k);
    struct log_reply p = {.ns = k->r->g.now_ns - k->began_ns,
                          .replies = k->replies,
                          .cloud = k->clouds - 1,
                          .connections = worker_connections(k)};
    p.judge = worker_note_cut(k);
    k->begun.cloud = p.cloud;
    k->begun.judge = p.judge;
    worker_put(k, TAG_REPLY, &p, sizeof p);
}

void worker_note_failed(const struct judge *j, struct log_end *end)
{
    struct run_result r = {.n_checks = 0};
    judge_results(j, &r);
    for (uint32_t i = 0; i < r.n_checks; i++) {
        if (r.checks[i].verdict != VERDICT_FAIL)
            continue;
        if (end->n_ids == 0)
            memcpy(end->detail, r.checks[i].detail, sizeof end->detail);
        if (end->n_ids < WHOLE_IDS_MAX)
            memcpy(end->ids[end->n_ids++], r.checks[i].id, REQUIREMENT_ID_MAX);
    }
}
